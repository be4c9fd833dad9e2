/* SPDX-License-Identifier: GPL-2.0 */
/* A browser's way to the screen: noVNC's files, and WebSockets (web.c). */
#ifndef MVMM_WEB_H
#define MVMM_WEB_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

#define WEB_ROOT	"/usr/share/novnc"
#define WEB_SLOTS	32
#define WEB_POLL	(WEB_SLOTS + 1)

struct web;

/*
 * @fd: a TCP socket that listens, which is this module's from now on. @open: who is
 * at this host needs no password. NULL with @error
 */
struct web *web_start(int fd, const char *root, bool open, struct error *error);
void web_stop(struct web *web);
unsigned int web_port(const struct web *web);
/* Fills at most WEB_POLL, and returns how many */
unsigned int web_poll(struct web *web, struct pollfd *p);
/*
 * What poll() has found there. A socket that is to be a WebSocket now, with the
 * request still to be read, and is the caller's; or -1
 */
int web_serve(struct web *web, const struct pollfd *p);

#define WEB_PATH 128

/**
 * struct web_request - what a browser asks for
 * @path: a file's, below the root; empty: the root itself
 * @socket: it wants a WebSocket instead
 */
struct web_request {
	char path[WEB_PATH];
	bool socket;
};

/*
 * @head ends with an empty line, which belongs to it, and is hostile. 0, or HTTP's
 * status. @open: see web_start()
 */
int web_parse(const char *head, size_t len, bool open,
	      struct web_request *request);

#endif
