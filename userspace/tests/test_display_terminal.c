// SPDX-License-Identifier: GPL-2.0
/*
 * --display terminal: characters and colours come to the user's terminal, keys come
 * from there, and it is as before after every way out. Each case is a child on a
 * pseudo terminal of its own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "have.h"
#ifdef HAVE_TERMINAL
#include "tests/bare_screen.h"
#include "char/stdio.h"
#include "devices/input.h"
#include "display/display.h"
#include "tests/vga_modes.h"

#define LEAVE	"\033[?1049l"	/* xterm's normal screen */

/* ---- the child --------------------------------------------------------------------------- */

static struct stdio console;
static struct display display;
static int report;	/* a pipe to the parent */
static bool over;

static void note(struct device *device, const struct input_report *e)
{
	dprintf(report, "%u=%d ", e->code, e->value);
	/* F10 ends it */
	over |= e->code == KEY_F10 && !e->value;
	loop_wake(&m.loop);
}

static bool is_over(void *ctx)
{
	return over;
}

static void on_event(void *ctx, enum stdio_event event, int err)
{
	dprintf(report, "event ");
}

static void put(unsigned int port, uint8_t value)
{
	outb(port, value);
}

static uint8_t get(unsigned int port)
{
	return inb(port);
}

static void show(const char *text, uint8_t attribute, uint64_t at)
{
	uint16_t cell;

	for (; *text; text++, at += 2) {
		cell = attribute << 8 | (uint8_t)*text;
		bus_access(&m.mmio, 0xb8000 + at, &cell, 2, true);
	}
}

/* Of a child that is over before the library has prepared the terminal */
static bool is_short;
static volatile bool prepares;

/* The library asks on a thread of its own, in newterm() */
int tcgetattr(int fd, struct termios *modes)
{
	int (*real)(int fd, struct termios *modes) =
		dlsym(RTLD_NEXT, "tcgetattr");

	if (gettid() != getpid()) {
		prepares = true;
		if (is_short)
			usleep(200000);
	}
	return real(fd, modes);
}

/* The terminal's */
static int real_ioctl(unsigned long cmd, void *arg)
{
	return syscall(SYS_ioctl, other_fd, cmd, arg);
}

static void child(void)
{
	static struct device keyboard = { .machine = &m };
	static struct input input = { &keyboard, INPUT_KEYS, note, NULL, NULL };
	char text[] = "terminal";

	other_ioctl = real_ioctl;
	if (bare_screen())
		_exit(1);
	input_register(&input);
	mode_set(&mode_03, put, get);
	show("Hello from VGA", 0x1e, 2 * 80 * 2);
	/* A line of a frame, and the cursor behind it */
	show("\xcd", 0x07, 2 * 80 * 3);
	put(0x3d4, CRTC_CURSOR_START);
	put(0x3d5, 13);
	put(0x3d4, CRTC_CURSOR_HIGH);
	put(0x3d5, 0);
	put(0x3d4, CRTC_CURSOR_LOW);
	put(0x3d5, 80 * 3 + 1 - 256);
	stdio_init(&console, on_event, NULL);
	if (display_parse(&display, text, &error) ||
	    display_console(&display, &console.chardev) == &console.chardev ||
	    display_start(&display, &m, &error) ||
	    stdio_start(&console, &m.loop)) {
		dprintf(report, "%s", error.text);
		_exit(1);
	}
	while (is_short && !prepares)
		usleep(1000);
	if (!is_short)
		loop_run(&m.loop, is_over, NULL);
	stdio_stop(&console);
	display_stop(&display);
	_exit(42);
}

/* ---- the user ------------------------------------------------------------------------------ */

static int terminal, slave, keys;
static char seen[1 << 20];	/* all that was drawn */
static size_t len;

static pid_t start(const char *term)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	char name[64];
	int fds[2], sig;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = forkpty(&terminal, name, NULL, &size);
	assert_true(pid >= 0);
	if (!pid) {
		close(fds[0]);
		report = fds[1];
		/* cmocka and the sanitizers have handlers of their own */
		for (sig = 1; sig <= SIGRTMAX; sig++)
			signal(sig, SIG_DFL);
		setenv("TERM", term, 1);
		setenv("LC_ALL", "C.UTF-8", 1);
		child();
	}
	close(fds[1]);
	keys = fds[0];
	slave = open(name, O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	len = 0;
	seen[0] = 0;
	return pid;
}

static void until(int fd, char *text, size_t *n, size_t room,
		  const char *expected)
{
	int flags = fcntl(fd, F_GETFL), i;
	ssize_t got;

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	for (i = 0; i < 1000; i++) {
		got = read(fd, text + *n, room - *n - 1);
		if (got > 0)
			text[*n += got] = 0;
		if (memmem(text, *n, expected, strlen(expected)))
			return;
		usleep(10000);
	}
	assert_string_equal(text, expected);
}

static void drawn(const char *expected)
{
	until(terminal, seen, &len, sizeof(seen), expected);
}

static void type(const char *typed, const char *expected)
{
	char text[4096] = "";
	size_t n = 0;

	assert_int_equal(write(terminal, typed, strlen(typed)), strlen(typed));
	until(keys, text, &n, sizeof(text), expected);
}

static bool is_cooked(void)
{
	struct termios now;

	return !tcgetattr(slave, &now) && now.c_lflag & ICANON &&
	       now.c_lflag & ECHO;
}

static int end(pid_t pid)
{
	int status;

	drawn(LEAVE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(is_cooked());
	close(terminal);
	close(slave);
	close(keys);
	return status;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void looks_and_types(void **state)
{
	pid_t pid = start("xterm-256color");
	int status;

	/* Yellow on blue, of 256 colours; and a character that ASCII has not */
	drawn("Hello from VGA");
	assert_non_null(strstr(seen, "38;5;227"));
	assert_non_null(strstr(seen, "48;5;19"));
	drawn("\xe2\x95\x90");
	assert_false(is_cooked());
	type("a", "30=1 30=0 ");
	type("A", "42=1 30=1 30=0 42=0 ");
	type("\r", "28=1 28=0 ");
	type("\177", "14=1 14=0 ");
	type("\3", "29=1 46=1 46=0 29=0 ");
	type("\033OA", "103=1 103=0 ");
	type("\033[5~", "104=1 104=0 ");
	type("\033[Z", "42=1 15=1 15=0 42=0 ");
	type("\033x", "56=1 45=1 45=0 56=0 ");
	type("\033OP", "59=1 59=0 ");
	/* Ctrl-A is for mvmm, twice for the guest */
	type("\001p", "event ");
	type("\001\001", "29=1 30=1 30=0 29=0 ");
	type("\033[21~", "68=1 68=0 ");
	status = end(pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

/* With eight: bright yellow is bold brown */
static void few_colours(void **state)
{
	pid_t pid = start("xterm");

	drawn("Hello from VGA");
	assert_null(strstr(seen, "38;5;227"));
	assert_non_null(strstr(seen, "\033[33m"));
	assert_non_null(strstr(seen, "\033[44m"));
	type("\033[21~", "68=1 68=0 ");
	end(pid);
}

static void a_signal(void **state)
{
	static const int signals[] = { SIGINT, SIGSEGV, SIGHUP, SIGABRT };
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid = start("xterm-256color");
		drawn("Hello from VGA");
		kill(pid, signals[i]);
		status = end(pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
	}
}

/* What the library does to the terminal is undone, however late it comes */
static void a_short_one(void **state)
{
	int status;

	is_short = true;
	status = end(start("xterm-256color"));
	is_short = false;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

/* Stopped it is the shell's, and drawn anew afterwards */
static void a_stop(void **state)
{
	pid_t pid = start("xterm-256color");
	int status;

	drawn("Hello from VGA");
	kill(pid, SIGTSTP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	drawn(LEAVE);
	assert_true(is_cooked());
	len = 0;
	kill(pid, SIGCONT);
	drawn("Hello from VGA");
	assert_false(is_cooked());
	type("\033[21~", "68=1 68=0 ");
	end(pid);
}

static void refused(void **state)
{
	pid_t pid = start("unheard-of");
	char text[256] = "";
	size_t n = 0;

	until(keys, text, &n, sizeof(text), "TERM");
	waitpid(pid, NULL, 0);
	close(terminal);
	close(slave);
	close(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_and_types),
		cmocka_unit_test(few_colours), cmocka_unit_test(a_signal),
		cmocka_unit_test(a_stop), cmocka_unit_test(a_short_one),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("1..0 # SKIP built without ncurses");
	return 0;
}
#endif
