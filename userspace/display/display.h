/* SPDX-License-Identifier: GPL-2.0 */
/* Who is shown a machine's screen: --display (display.c). */
#ifndef MVMM_DISPLAY_H
#define MVMM_DISPLAY_H

#include <stdbool.h>
#include "base/error.h"
#include "char/chardev.h"

struct machine;
struct terminal;
struct vnc;

/**
 * struct display - what --display asks for
 * @address: of vnc: HOST:PORT or unix:PATH; NULL: there is none
 * @web: of the server for browsers: PORT or HOST:PORT
 * @root: of its files; NULL: where they are
 * @password_file: of both; NULL: there is none
 * @port: what @web was if it is a port alone
 * @vnc: while they are served
 * @in_terminal: the user's terminal is to show it
 * @terminal: while it does
 * @typed: what comes from there
 * @nothing: what the guest's console is instead
 */
struct display {
	const char *address, *web, *root, *password_file;
	char port[32];
	struct vnc *vnc;
	bool in_terminal;
	struct terminal *terminal;
	struct chardev *typed, nothing;
};

#define VNC_ADDRESS	"127.0.0.1:5900"
#define WEB_ADDRESS	"127.0.0.1:6080"

/*
 * One more --display: "vnc[=ADDRESS]" or "web[=[HOST:]PORT]" with options, "terminal",
 * or "none", which takes back the others. It is cut into pieces
 */
int display_parse(struct display *display, char *text, struct error *error);
/* What the guest's console is, if it was to be @console: there is one terminal */
struct chardev *display_console(struct display *display,
				struct chardev *console);
/* Somebody is to see it */
bool display_wanted(const struct display *display);
/* The machine was created, and is destroyed after display_stop() */
int display_start(struct display *display, struct machine *machine,
		  struct error *error);
void display_stop(struct display *display);

#endif
