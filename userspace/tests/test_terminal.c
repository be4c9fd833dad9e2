// SPDX-License-Identifier: GPL-2.0
/*
 * The user's terminal: the escape, pastes, and that it is as before after every
 * way out. Each case is a child on a pseudo terminal of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "char/stdio.h"

static struct stdio s;
static struct vm_clock fake_clock;
static struct loop loop;
static enum stdio_event last;
static unsigned int events;

static void note(void *ctx, enum stdio_event event, int error)
{
	last = event;
	events++;
}

static bool never(void *ctx)
{
	return false;
}

static bool wants_size;

static void on_resize(void *ctx)
{
	_exit(s.chardev.cols == 123 && s.chardev.rows == 45 ? 42 : 1);
}

/* As cmd_run(): a console, and a loop that serves it */
static void start_console(void)
{
	vm_clock_init(&fake_clock, 1);
	vm_clock_start(&fake_clock);
	stdio_init(&s, note, NULL);
	if (loop_init(&loop, &fake_clock) || stdio_start(&s, &loop))
		_exit(1);
	if (wants_size) {
		s.chardev.changed = on_resize;
		s.chardev.ctx = &s;
	}
}

static void type(const char *text, size_t len)
{
	stdio_type(&s, (const uint8_t *)text, len);
}

static bool take(uint8_t *byte)
{
	return s.chardev.ops->take(&s.chardev, byte, 1);
}

static void escape(void **state)
{
	uint8_t byte;
	int i;

	stdio_init(&s, note, NULL);
	s.tty = true;
	events = 0;
	type("ab\1\1c", 5);
	for (i = 0; i < 4; i++) {
		assert_true(take(&byte));
		assert_int_equal("ab\1c"[i], byte);
	}
	assert_false(take(&byte));
	assert_int_equal(events, 0);
	/* The escape comes in two reads */
	type("\1", 1);
	assert_int_equal(events, 0);
	type("x", 1);
	assert_int_equal(events, 1);
	assert_int_equal(last, STDIO_QUIT);
	type("\1p\1q", 4);
	assert_int_equal(events, 2);
	assert_int_equal(last, STDIO_POWERDOWN);
	/* A pipe has no escape */
	stdio_init(&s, note, NULL);
	type("\1x", 2);
	assert_int_equal(events, 2);
	assert_int_equal(s.in.len, 2);
}

static void pastes(void **state)
{
	static char text[STDIO_RING + 1];
	unsigned int i;
	uint8_t byte;

	stdio_init(&s, note, NULL);
	s.tty = true;
	events = 0;
	for (i = 0; i < sizeof(text); i++)
		text[i] = 'a' + i % 26;
	type(text, STDIO_RING);
	assert_false(s.dropped);
	/* More is dropped, and that is said; the escape is heard */
	type(text, 1);
	assert_true(s.dropped);
	type("\1x", 2);
	assert_int_equal(events, 1);
	for (i = 0; i < STDIO_RING; i++) {
		assert_true(take(&byte));
		assert_int_equal(text[i], byte);
	}
	assert_false(take(&byte));
}

/* As much as there is room for, and as much as there is */
static void pieces(void **state)
{
	static uint8_t bytes[STDIO_RING + 1];
	struct chardev *c = &s.chardev;

	stdio_init(&s, note, NULL);
	assert_true(c->ops->is_flushed(c));
	assert_int_equal(c->ops->put(c, (const uint8_t *)"ab\n", 3), 3);
	assert_false(s.in_line);
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(c->ops->put(c, bytes, sizeof(bytes)), STDIO_RING - 3);
	assert_true(s.in_line);
	assert_int_equal(c->ops->put(c, bytes, 1), 0);
	assert_false(c->ops->is_flushed(c));
	assert_int_equal(c->ops->take(c, bytes, 9), 0);
	type("abc", 3);
	assert_int_equal(c->ops->take(c, bytes, 2), 2);
	assert_int_equal(c->ops->take(c, bytes + 2, 9), 1);
	assert_memory_equal(bytes, "abcx", 4);
}

static bool is_cooked(int fd)
{
	struct termios now;

	return !tcgetattr(fd, &now) && now.c_lflag & ICANON &&
	       now.c_lflag & ECHO;
}

/* Until it is so, ten seconds at most */
static bool becomes(int fd, bool cooked)
{
	int i;

	for (i = 0; i < 1000 && is_cooked(fd) != cooked; i++)
		usleep(10000);
	return is_cooked(fd) == cooked;
}

/* A child with a terminal, which is raw when this returns. *@terminal is ours */
static pid_t start(int *terminal, int *slave)
{
	char name[64];
	pid_t pid = forkpty(terminal, name, NULL, NULL);
	int sig;

	assert_true(pid >= 0);
	if (!pid) {
		/* cmocka and the sanitizers have handlers of their own */
		for (sig = 1; sig <= SIGRTMAX; sig++)
			signal(sig, SIG_DFL);
		start_console();
		loop_run(&loop, never, NULL);
	}
	/* Else it is gone with the child */
	*slave = open(name, O_RDWR | O_NOCTTY);
	assert_true(*slave >= 0);
	assert_true(becomes(*slave, false));
	return pid;
}

static void end(pid_t pid, int terminal, int slave)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(terminal);
	close(slave);
}

static void each_signal(void **state)
{
	static const int harmless[] = { SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN,
					SIGTTOU, SIGCONT, SIGCHLD, SIGURG,
					SIGWINCH, SIGTERM, 32, 33 };
	int sig, terminal, slave, status, n = 0;
	unsigned int i;
	pid_t pid;

	for (sig = 1; sig <= SIGRTMAX; sig++) {
		for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
			if (harmless[i] == sig)
				break;
		/* cmd_run() ignores SIGPIPE */
		if (i < sizeof(harmless) / sizeof(harmless[0]) ||
		    sig == SIGPIPE)
			continue;
		pid = start(&terminal, &slave);
		kill(pid, sig);
		assert_int_equal(pid, waitpid(pid, &status, 0));
		assert_true(WIFSIGNALED(status));
		assert_int_equal(sig, WTERMSIG(status));
		assert_true(is_cooked(slave));
		close(terminal);
		close(slave);
		n++;
	}
	assert_true(n > 45);
}

static void second_sigterm(void **state)
{
	int terminal, slave, status;
	pid_t pid = start(&terminal, &slave);

	kill(pid, SIGTERM);
	usleep(100000);
	assert_int_equal(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGTERM);
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_int_equal(SIGTERM, WTERMSIG(status));
	assert_true(is_cooked(slave));
	close(terminal);
	close(slave);
}

static void stopped_and_continued(void **state)
{
	int terminal, slave, status;
	pid_t pid = start(&terminal, &slave);
	struct termios cooked;

	/* SIGTSTP cleans up; after SIGSTOP the shell does */
	kill(pid, SIGTSTP);
	assert_int_equal(pid, waitpid(pid, &status, WUNTRACED));
	assert_true(WIFSTOPPED(status));
	assert_true(is_cooked(slave));
	kill(pid, SIGCONT);
	assert_true(becomes(slave, false));
	tcgetattr(slave, &cooked);
	cooked.c_lflag |= ICANON | ECHO;
	kill(pid, SIGSTOP);
	assert_int_equal(pid, waitpid(pid, &status, WUNTRACED));
	tcsetattr(slave, TCSANOW, &cooked);
	kill(pid, SIGCONT);
	assert_true(becomes(slave, false));
	end(pid, terminal, slave);
}

static bool is_read(void *ctx)
{
	return s.input.events;
}

/* As "mvmm run ... &" of a shell with job control: it is not stopped */
static void background(void **state)
{
	int terminal, slave, status, ready[2];
	char name[64], byte;
	pid_t pid;

	assert_int_equal(0, pipe(ready));
	pid = forkpty(&terminal, name, NULL, NULL);
	if (!pid) {
		/* A shell, which has the foreground; and its job */
		pid_t job = fork();

		if (!job) {
			/* Whoever ends the shell ends it, too */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			setpgid(0, 0);
			start_console();
			byte = '0' + (s.input.events != 0);
			if (write(ready[1], &byte, 1) != 1)
				_exit(1);
			loop_run(&loop, is_read, NULL);
			byte = 'r';
			if (write(ready[1], &byte, 1) != 1)
				_exit(1);
			pause();
		}
		/* "fg" when the terminal says so */
		if (read(STDIN_FILENO, &byte, 1) != 1)
			_exit(1);
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(STDIN_FILENO, job);
		waitpid(job, &status, WUNTRACED);
		_exit(WIFSTOPPED(status) ? 1 : 0);
	}
	close(ready[1]);
	assert_int_equal(1, read(ready[0], &byte, 1));
	assert_int_equal('0', byte);
	slave = open(name, O_RDWR | O_NOCTTY);
	assert_true(is_cooked(slave));
	assert_int_equal(1, write(terminal, "\n", 1));
	assert_int_equal(1, read(ready[0], &byte, 1));
	assert_int_equal('r', byte);
	assert_false(is_cooked(slave));
	end(pid, terminal, slave);
	close(ready[0]);
}

/* The device is told what size the terminal has now */
static void another_size(void **state)
{
	const struct winsize size = { .ws_col = 123, .ws_row = 45 };
	int terminal, slave, status;
	pid_t pid;

	wants_size = true;
	pid = start(&terminal, &slave);
	wants_size = false;
	assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	close(terminal);
	close(slave);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escape),
		cmocka_unit_test(pastes),
		cmocka_unit_test(pieces),
		cmocka_unit_test(another_size),
		cmocka_unit_test(each_signal),
		cmocka_unit_test(second_sigterm),
		cmocka_unit_test(stopped_and_continued),
		cmocka_unit_test(background),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
