// SPDX-License-Identifier: GPL-2.0
/*
 * The console: stdin and stdout. If stdin is a terminal, it is raw while the
 * guest runs and mvmm is in the foreground, it is restored on every way out but
 * SIGKILL, and Ctrl-A is an escape. And the signals: SIGTERM presses the power
 * button.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include "char/stdio.h"

#define CTRL_A 1

/* Static because signal handlers and atexit() take no argument */
static struct termios saved, raw;
static volatile sig_atomic_t has_terminal, is_raw, signal_fd;
static void (*volatile on_raw)(bool raw);

/* What signals add to the eventfd; SIGTERM adds 1 */
#define RESIZED	(1ull << 32)

/* Only async-signal-safe calls: a handler calls it */
static bool in_foreground(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/*
 * In the background tcsetattr() would stop the process. The mark comes first, so
 * that a fatal signal in between restores the terminal.
 */
static void make_raw(void)
{
	if (!has_terminal || !in_foreground())
		return;
	is_raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		is_raw = 0;
	else if (on_raw)
		on_raw(true);
}

void stdio_on_raw(void (*fn)(bool raw))
{
	on_raw = fn;
}

void stdio_restore(void)
{
	if (is_raw && in_foreground()) {
		if (on_raw)
			on_raw(false);
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	}
	is_raw = 0;
}

/* Restores the terminal, then dies of the same signal */
static void on_signal(int sig)
{
	/* No other thread makes it raw again */
	has_terminal = 0;
	stdio_restore();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* The second SIGTERM is fatal, even if the I/O thread never sees the first */
static void on_sigterm(int sig)
{
	int error = errno;

	signal(sig, on_signal);
	eventfd_write(signal_fd, 1);
	errno = error;
}

static void on_sigwinch(int sig)
{
	int error = errno;

	eventfd_write(signal_fd, RESIZED);
	errno = error;
}

static void on_stop(int sig)
{
	int error = errno;

	stdio_restore();
	raise(SIGSTOP);
	errno = error;
}

/* After any stop, SIGSTOP's too */
static void on_continue(int sig)
{
	int error = errno;

	is_raw = 0;
	make_raw();
	errno = error;
}

/* All signals by which a process dies */
static void catch_fatal(void)
{
	static const int others[] = { SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN,
				      SIGTTOU, SIGCONT, SIGCHLD, SIGURG,
				      SIGWINCH, SIGPIPE, SIGTERM };
	unsigned int i;
	int sig;

	for (sig = 1; sig <= SIGRTMAX; sig++) {
		struct sigaction action;

		for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
			if (others[i] == sig)
				break;
		/* What is ignored stays ignored: nohup */
		if (i < sizeof(others) / sizeof(others[0]) ||
		    sigaction(sig, NULL, &action) ||
		    action.sa_handler != SIG_DFL)
			continue;
		signal(sig, on_signal);
	}
}

/*
 * A write to stdout must not block: the I/O thread serves the timer, too. A
 * descriptor of its own, so that those who share stdout do not see O_NONBLOCK.
 * Files never block for long, sockets have a flag. A pipe or terminal that
 * cannot be opened again stays as it is: then little is written at a time.
 */
static int open_output(struct stdio *s)
{
	struct stat st;
	int fd;

	if (fstat(STDOUT_FILENO, &st))
		return STDOUT_FILENO;
	s->is_socket = S_ISSOCK(st.st_mode);
	s->is_file = S_ISREG(st.st_mode);
	if (!(S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO)))
		return STDOUT_FILENO;
	fd = open("/proc/self/fd/1",
		  O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? STDOUT_FILENO : fd;
}

/* Returns how many there was room for */
static size_t push(struct ring *ring, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len && ring->len < sizeof(ring->bytes); i++)
		ring->bytes[(ring->head + ring->len++) % sizeof(ring->bytes)] =
			bytes[i];
	return i;
}

/* Returns how many there were */
static size_t pop(struct ring *ring, uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len && ring->len; i++, ring->len--) {
		bytes[i] = ring->bytes[ring->head];
		ring->head = (ring->head + 1) % sizeof(ring->bytes);
	}
	return i;
}

/* ---- input -------------------------------------------------------------- */

#define FOREGROUND_NS	500000000ull	/* how often to look for it */

/* A terminal is read in the foreground only; others while there is room */
static bool wants_input(struct stdio *s)
{
	if (s->closed || !s->loop)
		return false;
	if (!s->tty)
		return s->in.len < sizeof(s->in.bytes);
	/* A shell may have brought it to the foreground without a signal */
	if (!is_raw)
		make_raw();
	if (!is_raw)
		loop_set_timer(s->loop, &s->look,
			       vm_clock_now(s->loop->clock) + FOREGROUND_NS);
	return is_raw;
}

static void read_input(struct stdio *s);

static void update_input(struct stdio *s)
{
	bool wanted = wants_input(s);

	/* A file is always ready: what it has is read at once */
	if (s->loop && loop_watch(s->loop, &s->input, wanted ? EPOLLIN : 0) &&
	    wanted)
		while (wants_input(s))
			read_input(s);
}

static void on_look(void *ctx)
{
	update_input(ctx);
}

static void help(void)
{
	static const char text[] =
		"\r\nCtrl-A p  press the power button\r\n"
		"Ctrl-A x  end the guest\r\nCtrl-A h  this help\r\n"
		"Ctrl-A Ctrl-A  send Ctrl-A\r\n";

	dprintf(STDERR_FILENO, "%s", text);
}

static void after_escape(struct stdio *s, uint8_t key)
{
	static const uint8_t ctrl_a = CTRL_A;

	switch (key) {
	case 'x':
		stdio_discard(s);
		s->event(s->ctx, STDIO_QUIT, 0);
		break;
	case 'h':
		help();
		break;
	case 'p':
		s->event(s->ctx, STDIO_POWERDOWN, 0);
		break;
	case CTRL_A:
	case 'a':
		push(&s->in, &ctrl_a, 1);
		break;
	}
}

void stdio_type(struct stdio *s, const uint8_t *typed, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (s->escaped) {
			s->escaped = false;
			after_escape(s, typed[i]);
		} else if (typed[i] == CTRL_A && s->tty) {
			/* The bytes of a pipe or file are passed on unchanged */
			s->escaped = true;
		} else if (!push(&s->in, typed + i, 1) && !s->dropped) {
			s->dropped = true;
			dprintf(STDERR_FILENO,
				"\r\nmvmm run: the guest does not read what is typed: it is dropped\r\n");
		}
	}
	/* Not from within stdio_take(), whose caller goes on by itself */
	if (s->in.len && s->chardev.ctx && !s->taking)
		s->chardev.readable(s->chardev.ctx);
}

static void read_input(struct stdio *s)
{
	size_t len = sizeof(s->in.bytes) - s->in.len;
	uint8_t typed[4096];
	ssize_t n;

	/*
	 * A terminal is read although the queue may be full, for the escapes;
	 * then bytes are dropped. A pipe is read only as far as they fit.
	 */
	if (s->tty || len > sizeof(typed))
		len = sizeof(typed);
	n = read(STDIN_FILENO, typed, len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		s->closed = true;
	else
		stdio_type(s, typed, n);
}

static void on_input(void *ctx, uint32_t events)
{
	/* In the background a read would stop the process */
	if (wants_input(ctx))
		read_input(ctx);
	update_input(ctx);
}

static size_t stdio_take(struct chardev *chardev, uint8_t *bytes, size_t len)
{
	struct stdio *s = (struct stdio *)chardev;
	struct ring *ring = &s->in;
	size_t done = 0;

	while (done < len && ring->len) {
		bool was_full = ring->len == sizeof(ring->bytes);

		done += pop(ring, bytes + done, len - done);
		/* It was full, or it is empty: there may be more to read */
		if (was_full || !ring->len) {
			s->taking = true;
			update_input(s);
			s->taking = false;
		}
	}
	return done;
}

/* ---- output ------------------------------------------------------------- */

/* Writes what can be written without waiting, then waits for the rest */
static void flush(struct stdio *s)
{
	bool blocks = s->output.fd == STDOUT_FILENO && !s->is_file;
	struct ring *ring = &s->out;

	while (ring->len) {
		size_t n = sizeof(ring->bytes) - ring->head;
		ssize_t done;

		n = n < ring->len ? n : ring->len;
		if (s->is_socket)
			done = send(s->output.fd, ring->bytes + ring->head, n,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			done = write(s->output.fd, ring->bytes + ring->head,
				     blocks && n > PIPE_BUF ? PIPE_BUF : n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN)
			break;
		if (done < 0) {
			int error = errno;

			stdio_discard(s);
			s->event(s->ctx, STDIO_FAILED, error);
			break;
		}
		ring->head = (ring->head + done) % sizeof(ring->bytes);
		ring->len -= done;
		/* Only the first was promised not to wait */
		if (blocks && !s->is_socket)
			break;
	}
	loop_watch(s->loop, &s->output, ring->len ? EPOLLOUT : 0);
}

static void on_output(void *ctx, uint32_t events)
{
	struct stdio *s = ctx;

	flush(s);
	if (s->chardev.ctx)
		s->chardev.writable(s->chardev.ctx);
}

static size_t stdio_put(struct chardev *chardev, const uint8_t *bytes,
			size_t len)
{
	struct stdio *s = (struct stdio *)chardev;
	size_t done = 0, n;

	while (done < len && (n = push(&s->out, bytes + done, len - done))) {
		done += n;
		s->in_line = bytes[done - 1] != '\n';
		/*
		 * The loop writes, so that the guest need not wait; files never
		 * block, and then there is room again
		 */
		if (s->loop && loop_watch(s->loop, &s->output, EPOLLOUT))
			flush(s);
	}
	return done;
}

static bool stdio_is_flushed(struct chardev *chardev)
{
	return !((struct stdio *)chardev)->out.len;
}

void stdio_discard(struct stdio *s)
{
	s->out.len = 0;
	if (s->loop)
		loop_watch(s->loop, &s->output, 0);
}

/* ---- both --------------------------------------------------------------- */

static void read_size(struct stdio *s)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size))
		return;
	s->chardev.cols = size.ws_col;
	s->chardev.rows = size.ws_row;
	if (s->chardev.ctx && s->chardev.changed)
		s->chardev.changed(s->chardev.ctx);
}

static void on_signal_event(void *ctx, uint32_t events)
{
	struct stdio *s = ctx;
	uint64_t count;

	if (read(s->signal.fd, &count, sizeof(count)) < 0)
		return;
	if (count >= RESIZED)
		read_size(s);
	if (count % RESIZED)
		s->event(s->ctx, STDIO_SIGTERM, 0);
}

void stdio_init(struct stdio *s,
		void (*event)(void *ctx, enum stdio_event event, int error),
		void *ctx)
{
	static const struct chardev_ops ops = {
		.put = stdio_put, .take = stdio_take,
		.is_flushed = stdio_is_flushed };

	/* Not the rings' bytes: what is never written has no memory */
	memset(s, 0, offsetof(struct stdio, in));
	s->in.head = s->in.len = s->out.head = s->out.len = 0;
	s->chardev.ops = &ops;
	s->chardev.is_open = true;
	s->event = event;
	s->ctx = ctx;
	s->input = (struct watch){ on_input, s, STDIN_FILENO, 0 };
	s->output = (struct watch){ on_output, s, -1, 0 };
	s->signal = (struct watch){ on_signal_event, s, -1, 0 };
	s->look = (struct timer){ on_look, s, 0, NULL };
}

static void open_terminal(struct stdio *s)
{
	if (tcgetattr(STDIN_FILENO, &saved))
		return;
	catch_fatal();
	atexit(stdio_restore);
	raw = saved;
	cfmakeraw(&raw);
	s->tty = true;
	has_terminal = 1;
	signal(SIGTSTP, on_stop);
	signal(SIGCONT, on_continue);
	signal(SIGWINCH, on_sigwinch);
	make_raw();
}

int stdio_start(struct stdio *s, struct loop *loop)
{
	s->signal.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->signal.fd < 0)
		return -errno;
	s->output.fd = open_output(s);
	signal_fd = s->signal.fd;
	signal(SIGTERM, on_sigterm);
	open_terminal(s);
	pthread_mutex_lock(&loop->lock);
	s->loop = loop;
	loop_watch(loop, &s->signal, EPOLLIN);
	if (s->tty)
		read_size(s);
	update_input(s);
	pthread_mutex_unlock(&loop->lock);
	return 0;
}

void stdio_stop(struct stdio *s)
{
	struct loop *loop = s->loop;

	stdio_restore();
	has_terminal = 0;
	signal(SIGTERM, SIG_DFL);
	signal(SIGCONT, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
	signal(SIGWINCH, SIG_DFL);
	if (!loop)
		return;
	pthread_mutex_lock(&loop->lock);
	loop_watch(loop, &s->signal, 0);
	loop_watch(loop, &s->input, 0);
	loop_watch(loop, &s->output, 0);
	loop_set_timer(loop, &s->look, 0);
	s->loop = NULL;
	pthread_mutex_unlock(&loop->lock);
	close(s->signal.fd);
	if (s->output.fd != STDOUT_FILENO)
		close(s->output.fd);
}
