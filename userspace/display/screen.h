/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a machine's screen shows, for those who look at it: a device that has one
 * says so by screen_put(). Only pixels and characters; who shows them to whom is
 * in the other files of this room.
 */
#ifndef MVMM_SCREEN_H
#define MVMM_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;
struct machine;
struct surface;

#define SCREEN_COLUMNS	256
#define SCREEN_ROWS	256
#define SCREEN_CURSOR	64	/* pixels of a pointer, in both directions */
/* A viewer can ask for sizes from 64x64 to this */
#define SCREEN_LEAST	64
#define SCREEN_X_MAX	2560
#define SCREEN_Y_MAX	1600

/**
 * struct screen_text - characters, if that is what is shown
 * @columns: how many, at most SCREEN_COLUMNS
 * @rows: the same
 * @cursor: the cell that it is in; one behind the last: it is not seen
 * @cell: of each, row by row: character, attribute
 */
struct screen_text {
	unsigned int columns, rows, cursor;
	uint8_t cell[2 * SCREEN_COLUMNS * SCREEN_ROWS];
};

/**
 * struct screen_cursor - the pointer, which viewers draw themselves
 * @serial: another one with each change
 * @shown: there is one
 * @hot_x: what it points at, from its left edge
 * @hot_y: from its upper one
 * @pixel: 0xaarrggbb, row by row
 */
struct screen_cursor {
	uint32_t serial;
	bool shown;
	unsigned int hot_x, hot_y;
	uint32_t pixel[SCREEN_CURSOR * SCREEN_CURSOR];
};

/**
 * struct screen_ops - what a screen does
 * @view_size: bytes of a view, which is all that a picture depends on
 * @look: takes a view. Called with the device's lock held, and does not wait.
 *	@all: draw everything; else what has changed since the last look that was
 *	not for all: there is one who asks so
 * @draw: draws it; without a lock, while the guest goes on, and the device may be
 *	gone. -1: no memory
 * @text: the characters; false: it shows none
 * @cursor: the pointer, if it is another than that of its serial; false: it is not.
 *	NULL: the screen knows of no pointer. With the lock
 * @resized: the viewer's window is so large now; NULL: the screen does not mind.
 *	With the lock
 */
struct screen_ops {
	size_t view_size;
	void (*look)(struct device *device, void *view, bool all);
	int (*draw)(const void *view, struct surface *surface);
	bool (*text)(const void *view, struct screen_text *text);
	bool (*cursor)(struct device *device, struct screen_cursor *cursor);
	void (*resized)(struct device *device, unsigned int width,
			unsigned int height);
};

/**
 * struct screen - see above
 * @device: whose it is
 * @ops: what it does
 * @next: the machine's next one, which nobody sees
 */
struct screen {
	struct device *device;
	const struct screen_ops *ops;
	struct screen *next;
};

/**
 * struct surface - a picture
 * @pixels: row by row, 0x00rrggbb each
 * @width: of a row
 * @height: rows
 * @room: pixels that fit; 0: they are not its own
 * @borrows: they may be the device's, which the guest writes to meanwhile, and whose
 *	upper bytes mean nothing
 * @first: of the rows that were drawn; the others are as before
 * @end: after the last of them; @first: none was
 */
struct surface {
	uint32_t *pixels;
	unsigned int width, height;
	size_t room;
	bool borrows;
	unsigned int first, end;
};

/*
 * Before those that the machine has, or behind them: the first one is seen. It may
 * be one of them already. With the main loop's lock, or before the machine runs
 */
void screen_put(struct screen *screen, bool first);
void screen_remove(struct screen *screen);

/* -1: no memory, and it is as before. What it shows is undefined then */
int surface_resize(struct surface *surface, unsigned int width,
		   unsigned int height);
/* @pixels outlive it; instead of its own, which are freed */
void surface_borrow(struct surface *surface, uint32_t *pixels,
		    unsigned int width, unsigned int height);
void surface_free(struct surface *surface);

/* Has the speaker begun a tone since the last call with this @known? */
bool screen_rings(struct machine *m, unsigned int *known);
/*
 * For another thread than the loop's, which holds no lock: what the machine shows
 * now. Waits while it is paused. @all: see struct screen_ops. -1: it has no screen,
 * or has ended, or there is no memory
 */
int screen_draw(struct machine *m, struct surface *surface, bool all);
/* 0; 1: it shows none; -1: as above */
int screen_text(struct machine *m, struct screen_text *text);
/* False: it is as @cursor has it */
bool screen_cursor(struct machine *m, struct screen_cursor *cursor);
/* A viewer's window is so large. False: the screen's size is its own */
bool screen_resize(struct machine *m, unsigned int width, unsigned int height);

#endif
