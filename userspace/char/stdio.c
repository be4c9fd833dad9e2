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
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include "core/launcher.h"

#define CTRL_A 1

/*
 * Static because signal handlers and atexit() take no argument; no other state
 * of the launcher is.
 */
static struct termios saved, raw;
static volatile sig_atomic_t has_terminal, is_raw, powerdown_fd;

/* Only async-signal-safe calls: a handler calls it */
static bool in_foreground(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* In the background tcsetattr() would stop the process */
static void make_raw(void)
{
	if (has_terminal && in_foreground() &&
	    !tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		is_raw = 1;
}

static void restore(void)
{
	if (is_raw && in_foreground())
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	is_raw = 0;
}

void terminal_close(void)
{
	restore();
	has_terminal = 0;
	signal(SIGTERM, SIG_DFL);
	signal(SIGCONT, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
}

/* Restores the terminal, then dies of the same signal */
static void on_signal(int sig)
{
	restore();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* The second SIGTERM is fatal, even if the I/O thread never sees the first */
static void on_sigterm(int sig)
{
	int error = errno;

	signal(sig, on_signal);
	eventfd_write(powerdown_fd, 1);
	errno = error;
}

static void on_stop(int sig)
{
	int error = errno;

	restore();
	raise(SIGSTOP);
	errno = error;
}

/* After any stop, SIGSTOP's too */
static void on_continue(int sig)
{
	int error = errno;

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
 * Files never block for long. A pipe or terminal that cannot be opened again
 * stays as it is.
 */
static int open_output(void)
{
	struct stat st;
	int fd;

	if (fstat(STDOUT_FILENO, &st) ||
	    !(S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO)))
		return STDOUT_FILENO;
	fd = open("/proc/self/fd/1",
		  O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? STDOUT_FILENO : fd;
}

void terminal_open(struct terminal *t, int powerdown)
{
	t->out_fd = open_output();
	powerdown_fd = powerdown;
	signal(SIGTERM, on_sigterm);
	if (tcgetattr(STDIN_FILENO, &saved))
		return;
	catch_fatal();
	atexit(terminal_close);
	raw = saved;
	cfmakeraw(&raw);
	t->tty = true;
	has_terminal = 1;
	signal(SIGTSTP, on_stop);
	signal(SIGCONT, on_continue);
	make_raw();
}

bool terminal_readable(struct terminal *t)
{
	if (t->closed)
		return false;
	if (!t->tty)
		return t->in.len < sizeof(t->in.bytes);
	/* A shell may have brought it to the foreground without a signal */
	if (!is_raw)
		make_raw();
	return is_raw;
}

static bool push(struct ring *ring, uint8_t byte)
{
	if (ring->len == sizeof(ring->bytes))
		return false;
	ring->bytes[(ring->head + ring->len++) % sizeof(ring->bytes)] = byte;
	return true;
}

bool terminal_take(struct terminal *t, uint8_t *byte)
{
	struct ring *ring = &t->in;

	if (!ring->len)
		return false;
	*byte = ring->bytes[ring->head];
	ring->head = (ring->head + 1) % sizeof(ring->bytes);
	ring->len--;
	return true;
}

enum terminal_event terminal_filter(struct terminal *t, const uint8_t *typed,
				    size_t len)
{
	enum terminal_event event = TERMINAL_NONE;
	size_t i;

	for (i = 0; i < len; i++) {
		if (!t->escaped) {
			/* The bytes of a pipe or file are passed on unchanged */
			if (typed[i] == CTRL_A && t->tty)
				t->escaped = true;
			else if (!push(&t->in, typed[i]))
				event = event ? event : TERMINAL_FULL;
			continue;
		}
		t->escaped = false;
		switch (typed[i]) {
		case 'x':
			return TERMINAL_QUIT;
		case 'h':
			event = event ? event : TERMINAL_HELP;
			break;
		case 'p':
			event = TERMINAL_POWERDOWN;
			break;
		case CTRL_A:
		case 'a':
			push(&t->in, CTRL_A);
			break;
		}
	}
	return event;
}

enum terminal_event terminal_read(struct terminal *t)
{
	uint8_t typed[4096];
	size_t len = sizeof(t->in.bytes) - t->in.len;
	ssize_t n;

	/*
	 * A terminal is read although the queue may be full, for the escapes;
	 * then bytes are dropped. A pipe is read only as far as they fit.
	 */
	if (t->tty || len > sizeof(typed))
		len = sizeof(typed);
	n = read(STDIN_FILENO, typed, len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return TERMINAL_NONE;
	if (n <= 0) {
		t->closed = true;
		return TERMINAL_NONE;
	}
	return terminal_filter(t, typed, n);
}

bool terminal_put(struct terminal *t, uint8_t byte)
{
	if (!push(&t->out, byte))
		return false;
	t->in_line = byte != '\n';
	return true;
}

int terminal_flush(struct terminal *t)
{
	struct ring *ring = &t->out;

	while (ring->len) {
		size_t n = sizeof(ring->bytes) - ring->head;
		ssize_t done;

		n = n < ring->len ? n : ring->len;
		done = write(t->out_fd, ring->bytes + ring->head, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno == EAGAIN ? 0 : -errno;
		ring->head = (ring->head + done) % sizeof(ring->bytes);
		ring->len -= done;
	}
	return 0;
}
