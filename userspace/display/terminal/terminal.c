// SPDX-License-Identifier: GPL-2.0
/*
 * The screen's characters, drawn by ncurses on stdout; the keys are those of stdin,
 * of which char/stdio.c takes Ctrl-A, and which it makes raw and restores on every
 * way out. A thread does it: no vCPU waits for a slow terminal.
 */
#define _GNU_SOURCE
/* Functions, no macros: they are called by pointers */
#define NCURSES_NOMACROS
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <ncursesw/ncurses.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "base/library.h"
#include "base/loop.h"
#include "char/stdio.h"
#include "display/keys.h"
#include "display/screen.h"
#include "display/terminal/terminal.h"

#define FRAME_MS 33

/* Of term.h, which has macros of such names as columns */
int setupterm(const char *term, int fd, int *error);
char *tigetstr(const char *capability);
int putp(const char *text);

/* By dlopen(): a launcher without such a display has no use for it */
#define CALLS(x) x(setupterm) x(tigetstr) x(putp) x(newterm) x(delscreen) \
	x(raw) x(noecho) x(nonl) x(keypad) x(nodelay) x(leaveok) \
	x(set_escdelay) x(start_color) x(init_pair) x(clearok) x(resizeterm) \
	x(setcchar) x(mvadd_wch) x(erase) x(curs_set) x(move) x(beep) \
	x(mvprintw) x(refresh) x(wget_wch) \
	x(stdscr) x(curscr) x(COLORS) x(COLOR_PAIRS) x(LINES) x(COLS)
static struct {
#define DECLARE(name) typeof(&name) name;
	CALLS(DECLARE)
} lib;

static struct library library = {
	.file = "libncursesw.so.6", .name = "libncursesw",
	.needs = "--display terminal needs ncurses", .package = "libncursesw6" };
#define CALL(name) { #name, &lib.name },
static const struct library_call calls[] = { CALLS(CALL) { NULL, NULL } };

/**
 * struct terminal - a viewer
 * @machine: whose screen
 * @typed: keys come there
 * @curses: the library's; NULL: not yet
 * @keys: the same keys, from the loop to the thread
 * @in: the end of that which the library reads
 * @stop: an eventfd: the thread is to return
 * @modes: the terminal's, before it was raw
 * @text: what the screen shows
 * @drawn: what was drawn
 * @picture: that is no text
 * @beeps: of the speaker, that were heard
 * @thread: draws
 */
struct terminal {
	struct machine *machine;
	struct chardev *typed;
	SCREEN *curses;
	int keys[2], stop;
	struct termios modes;
	FILE *in;
	struct screen_text text, drawn;
	bool picture;
	unsigned int beeps;
	pthread_t thread;
};

/* Static because signal handlers take no argument */
static char leave[128];
static volatile sig_atomic_t leave_len, is_shown, is_new;

/* ---- the way in and out --------------------------------------------------------------- */

/* Empty if the terminal has none */
static const char *sequence(const char *capability)
{
	const char *text = lib.tigetstr(capability);

	return text && text != (const char *)-1 ? text : "";
}

static void add_leave(const char *capability)
{
	const char *text = sequence(capability);

	/* Not those that wait, or are longer than any */
	if (!strstr(text, "$<") &&
	    leave_len + strlen(text) < sizeof(leave)) {
		memcpy(leave + leave_len, text, strlen(text));
		leave_len += strlen(text);
	}
}

/* A signal's handler may call it */
static void on_raw(bool raw)
{
	if (raw)
		is_new = 1;
	else if (is_shown && write(STDOUT_FILENO, leave, leave_len) < 0)
		errno = 0;
	is_shown = raw;
}

static bool has_many(void)
{
	return *lib.COLORS >= 256 && *lib.COLOR_PAIRS > 256;
}

/*
 * The pair of an attribute. Of eight colours there are 64 pairs, of which 0 is the
 * terminal's own: that is for 7, grey on black
 */
static short pair_of(uint8_t attribute)
{
	if (has_many())
		return attribute + 1;
	return *lib.COLORS >= 8 && *lib.COLOR_PAIRS >= 64 ?
	       ((attribute & 7) | (attribute >> 4 & 7) << 3) ^ 7 : 0;
}

static void begin(struct terminal *t)
{
	/* VGA's sixteen, in the order of its attributes, of 256 */
	static const short vga[16] = { 16, 19, 34, 37, 124, 127, 130, 248, 240,
				       63, 83, 87, 203, 207, 227, 231 };
	static const short ansi[8] = { 0, 4, 2, 6, 1, 5, 3, 7 };
	short i;

	t->curses = lib.newterm(NULL, stdout, t->in);
	if (!t->curses)
		return;
	/* It has found the terminal as it was before it was raw */
	lib.raw();
	lib.noecho();
	lib.nonl();
	lib.keypad(*lib.stdscr, TRUE);
	lib.nodelay(*lib.stdscr, TRUE);
	lib.leaveok(*lib.stdscr, FALSE);
	lib.set_escdelay(50);
	lib.start_color();
	for (i = 0; i < 256; i++)
		if (has_many())
			lib.init_pair(pair_of(i), vga[i & 15], vga[i >> 4]);
		else if (pair_of(i))
			lib.init_pair(pair_of(i), ansi[i & 7], ansi[i >> 4 & 7]);
}

/* Once more: after a stop, or of another size */
static bool needs_all(struct terminal *t)
{
	struct winsize size;
	bool all = is_new;

	if (is_new) {
		is_new = 0;
		if (t->curses) {
			lib.putp(sequence("smcup"));
			lib.putp(sequence("smkx"));
			fflush(stdout);
			lib.clearok(*lib.curscr, TRUE);
		} else {
			begin(t);
		}
	}
	if (t->curses && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) &&
	    size.ws_row && size.ws_col &&
	    (size.ws_row != *lib.LINES || size.ws_col != *lib.COLS)) {
		lib.resizeterm(size.ws_row, size.ws_col);
		all = true;
	}
	return all;
}

/* ---- the picture ------------------------------------------------------------------------ */

static void put_cell(unsigned int row, unsigned int column, const uint8_t *cell)
{
	wchar_t text[2] = { cell[0] ? cp437(cell[0]) : ' ' };
	cchar_t c;

	lib.setcchar(&c, text, !has_many() && cell[1] & 8 ? A_BOLD : 0,
		 pair_of(cell[1]), NULL);
	lib.mvadd_wch(row, column, &c);
}

/* Of more rows than the terminal has, those up to the cursor's */
static void put_text(const struct screen_text *text)
{
	unsigned int rows = text->rows, columns = text->columns, first = 0;
	unsigned int row = text->cursor / columns, x, y;

	if (row < rows && row >= (unsigned int)*lib.LINES)
		first = row - *lib.LINES + 1;
	lib.erase();
	for (y = 0; y < (unsigned int)*lib.LINES && first + y < rows; y++)
		for (x = 0; x < (unsigned int)*lib.COLS && x < columns; x++)
			put_cell(y, x, text->cell +
				 2 * ((first + y) * columns + x));
	lib.curs_set(row < rows);
	if (row < rows)
		lib.move(row - first, text->cursor % columns);
}

static bool same(const struct screen_text *a, const struct screen_text *b)
{
	return a->columns == b->columns && a->rows == b->rows &&
	       a->cursor == b->cursor &&
	       !memcmp(a->cell, b->cell, 2ul * a->columns * a->rows);
}

static void draw(struct terminal *t, bool all)
{
	int ret = screen_text(t->machine, &t->text);
	bool rings = screen_rings(t->machine, &t->beeps);

	if (ret < 0 || !t->curses)
		return;
	if (rings && is_shown)
		lib.beep();
	if (ret || !t->text.columns) {
		if (!all && t->picture)
			return;
		t->picture = true;
		lib.erase();
		lib.mvprintw(0, 0, "This is a picture: mvmm screenshot, or --display vnc or web, shows it");
		lib.curs_set(0);
	} else {
		if (!all && !t->picture && same(&t->text, &t->drawn))
			return;
		t->picture = false;
		t->drawn = t->text;
		put_text(&t->text);
	}
	if (is_shown)
		lib.refresh();
}

/* ---- keys --------------------------------------------------------------------------------- */

/* In the loop. A thread that does not keep up loses some */
static void on_typed(void *ctx)
{
	struct terminal *t = ctx;
	uint8_t bytes[256];
	size_t n;

	while ((n = t->typed->ops->take(t->typed, bytes, sizeof(bytes))))
		if (write(t->keys[1], bytes, n) < 0)
			continue;
}

static void on_room(void *ctx)
{
}

static void press_code(struct machine *m, wint_t code)
{
	static const struct {
		int code;
		const char *name;
	} names[] = {
		{ KEY_UP, "up" }, { KEY_DOWN, "down" }, { KEY_LEFT, "left" },
		{ KEY_RIGHT, "right" }, { KEY_HOME, "home" }, { KEY_END, "end" },
		{ KEY_PPAGE, "pgup" }, { KEY_NPAGE, "pgdn" },
		{ KEY_IC, "insert" }, { KEY_DC, "delete" },
		{ KEY_BACKSPACE, "backspace" }, { KEY_ENTER, "enter" },
		{ KEY_B2, "kp_5" },
	};
	char name[4] = "f0";
	unsigned int i;

	if (code > KEY_F0 && code <= KEY_F(12)) {
		i = code - KEY_F0;
		if (i > 9)
			name[1] = '1';
		name[1 + (i > 9)] = '0' + i % 10;
		press_key(m, name, 0);
	}
	if (code == KEY_BTAB)
		press_key(m, "tab", WITH_SHIFT);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((int)code == names[i].code)
			press_key(m, names[i].name, 0);
}

static void take_keys(struct terminal *t)
{
	wint_t c, next;
	int ret;

	while (t->curses && (ret = lib.wget_wch(*lib.stdscr, &c)) != ERR) {
		if (ret == KEY_CODE_YES) {
			press_code(t->machine, c);
			continue;
		}
		if (c > 0x7f)
			continue;
		/* Alt comes as Escape before the key */
		if (c != 0x1b || lib.wget_wch(*lib.stdscr, &next) != OK || next > 0x7f)
			press_char(t->machine, c, 0);
		else
			press_char(t->machine, next, WITH_ALT);
	}
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void *terminal_main(void *ctx)
{
	struct terminal *t = ctx;
	struct pollfd p[] = { { t->stop, POLLIN, 0 }, { t->keys[0], POLLIN, 0 } };

	while (poll(p, 2, FRAME_MS) >= 0 || errno == EINTR) {
		if (p[0].revents)
			break;
		if (!is_shown) {
			/* There may be keys, which would wake it at once */
			poll(p, 1, FRAME_MS);
			continue;
		}
		draw(t, needs_all(t));
		if (p[1].revents)
			take_keys(t);
	}
	return NULL;
}

static int prepare(struct terminal *t, struct error *error)
{
	int ret;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDOUT_FILENO, &t->modes))
		return fail(error, STATUS_USAGE,
			    "--display terminal: stdin and stdout are no terminal");
	if (library_load(&library, calls, error))
		return -1;
	setlocale(LC_CTYPE, "");
	if (lib.setupterm(NULL, STDOUT_FILENO, &ret))
		return fail(error, STATUS_USAGE,
			    "--display terminal: TERM says no terminal that is known");
	leave_len = is_shown = is_new = 0;
	add_leave("sgr0");
	add_leave("cnorm");
	add_leave("rmkx");
	add_leave("rmcup");
	t->stop = eventfd(0, EFD_CLOEXEC);
	if (t->stop < 0 || pipe2(t->keys, O_CLOEXEC | O_NONBLOCK))
		return fail(error, STATUS_OS, "--display terminal: %s",
			    strerror(errno));
	t->in = fdopen(t->keys[0], "r");
	return t->in ? 0 : fail(error, STATUS_OS, "no memory");
}

static void destroy(struct terminal *t)
{
	if (t->curses)
		lib.delscreen(t->curses);
	if (t->in)
		fclose(t->in);
	else
		close_fd(&t->keys[0]);
	close_fd(&t->keys[1]);
	close_fd(&t->stop);
	free(t);
}

struct terminal *terminal_start(struct machine *machine, struct chardev *typed,
				struct error *error)
{
	struct terminal *t = calloc(1, sizeof(*t));

	if (!t) {
		fail(error, STATUS_OS, "no memory");
		return NULL;
	}
	t->machine = machine;
	t->typed = typed;
	t->keys[0] = t->keys[1] = t->stop = -1;
	if (prepare(t, error) ||
	    pthread_create(&t->thread, NULL, terminal_main, t)) {
		if (!error->text[0])
			fail(error, STATUS_OS, "--display terminal: no thread");
		destroy(t);
		return NULL;
	}
	pthread_setname_np(t->thread, "terminal");
	typed->readable = on_typed;
	typed->writable = on_room;
	typed->ctx = t;
	stdio_on_raw(on_raw);
	return t;
}

/* When stdio had restored it the thread may have been drawing, or in newterm() */
static void restore(const struct terminal *t)
{
	if (write(STDOUT_FILENO, leave, leave_len) < 0)
		errno = 0;
	/* In the background that would stop the process */
	if (tcgetpgrp(STDOUT_FILENO) == getpgrp())
		tcsetattr(STDOUT_FILENO, TCSANOW, &t->modes);
}

void terminal_stop(struct terminal *t)
{
	stdio_on_raw(NULL);
	t->typed->ctx = NULL;
	eventfd_write(t->stop, 1);
	pthread_join(t->thread, NULL);
	if (t->curses)
		restore(t);
	destroy(t);
}
