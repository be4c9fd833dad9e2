/* SPDX-License-Identifier: GPL-2.0 */
/* Who is shown a machine's screen: --display (display.c). */
#ifndef MVMM_DISPLAY_H
#define MVMM_DISPLAY_H

#include <stdbool.h>
#include "core/error.h"

struct machine;
struct vnc;

/**
 * struct display - what --display asks for
 * @address: of vnc: HOST:PORT or unix:PATH; NULL: there is none
 * @password_file: of that; NULL: there is none
 * @vnc: while it is served
 */
struct display {
	const char *address, *password_file;
	struct vnc *vnc;
};

#define VNC_ADDRESS	"127.0.0.1:5900"

/* "none", or "vnc[=ADDRESS][,password-file=FILE]", which is cut into pieces */
int display_parse(struct display *display, char *text, struct error *error);
/* The machine was created, and is destroyed after display_stop() */
int display_start(struct display *display, struct machine *machine,
		  struct error *error);
void display_stop(struct display *display);

#endif
