// SPDX-License-Identifier: GPL-2.0
/*
 * The user's terminal: raw while the guest runs, restored at the end, and the
 * Ctrl-A escape. And SIGTERM, which presses the power button.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>
#include "launcher.h"

#define CTRL_A 1

/*
 * Static because signal handlers and atexit() take no argument; no other state
 * of the launcher is.
 */
static struct termios saved;
static volatile sig_atomic_t is_raw, powerdown_fd;

void terminal_close(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	is_raw = 0;
	signal(SIGTERM, SIG_DFL);
}

/* Restores the terminal, then dies of the same signal */
static void on_signal(int sig)
{
	terminal_close();
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

void terminal_open(struct terminal *t, int powerdown)
{
	static const int fatal[] = { SIGINT, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS,
				     SIGABRT, SIGFPE, SIGILL, SIGALRM, SIGUSR1,
				     SIGUSR2, SIGXCPU };
	struct termios raw;
	unsigned int i;

	powerdown_fd = powerdown;
	signal(SIGTERM, on_sigterm);
	if (tcgetattr(STDIN_FILENO, &saved))
		return;
	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], on_signal);
	atexit(terminal_close);
	raw = saved;
	cfmakeraw(&raw);
	is_raw = 1;
	t->raw = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void queue(struct terminal *t, uint8_t byte)
{
	if (t->queued < sizeof(t->queue))
		t->queue[t->queued++] = byte;
}

enum terminal_event terminal_filter(struct terminal *t, const uint8_t *typed,
				    size_t len)
{
	enum terminal_event event = TERMINAL_NONE;
	size_t i;

	for (i = 0; i < len; i++) {
		if (!t->escaped) {
			/* The bytes of a pipe or file are passed on unchanged */
			if (typed[i] == CTRL_A && t->raw)
				t->escaped = true;
			else
				queue(t, typed[i]);
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
			queue(t, CTRL_A);
			break;
		}
	}
	return event;
}

enum terminal_event terminal_read(struct terminal *t)
{
	uint8_t typed[64];
	size_t len = sizeof(t->queue) - t->queued;
	ssize_t n;

	/*
	 * A terminal is read although the queue may be full, for the escapes;
	 * then bytes are dropped. A pipe is read only as far as they fit.
	 */
	if (t->raw || len > sizeof(typed))
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
