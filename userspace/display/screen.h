/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a machine's screen shows, for those who look at it: a device that has one
 * says so in machine.screen. Only pixels and characters; who shows them to whom is
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
 * struct screen_ops - what a screen does
 * @view_size: bytes of a view, which is all that a picture depends on
 * @look: takes a view. Called with the device's lock held, and does not wait.
 *	@all: draw everything; else what has changed since the last look that was
 *	not for all: there is one who asks so
 * @draw: draws it; without a lock, while the guest goes on, and the device may be
 *	gone. -1: no memory
 * @text: the characters; false: it shows none
 */
struct screen_ops {
	size_t view_size;
	void (*look)(struct device *device, void *view, bool all);
	int (*draw)(const void *view, struct surface *surface);
	bool (*text)(const void *view, struct screen_text *text);
};

/**
 * struct screen - see above
 * @device: whose it is
 * @ops: what it does
 */
struct screen {
	struct device *device;
	const struct screen_ops *ops;
};

/**
 * struct surface - a picture
 * @pixels: row by row, 0x00rrggbb each
 * @width: of a row
 * @height: rows
 * @room: pixels that fit
 * @first: of the rows that were drawn; the others are as before
 * @end: after the last of them; @first: none was
 */
struct surface {
	uint32_t *pixels;
	unsigned int width, height;
	size_t room;
	unsigned int first, end;
};

/* -1: no memory, and it is as before. What it shows is undefined then */
int surface_resize(struct surface *surface, unsigned int width,
		   unsigned int height);
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

#endif
