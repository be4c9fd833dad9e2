/* SPDX-License-Identifier: GPL-2.0 */
/* A machine's screen by VNC (RFC 6143), for several viewers (vnc.c). */
#ifndef MVMM_VNC_H
#define MVMM_VNC_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

struct machine;
struct vnc;

/**
 * struct vnc_config - where viewers come in; one of the addresses may be NULL
 * @address: HOST:PORT or unix:PATH
 * @web: of browsers: HOST:PORT
 * @root: the directory with noVNC's files; NULL: Debian's
 * @password_file: of all viewers; where an address is not this host's alone there
 *	has to be one
 */
struct vnc_config {
	const char *address, *web, *root, *password_file;
};

/* A thread serves it. NULL with @error */
struct vnc *vnc_start(struct machine *machine, const struct vnc_config *config,
		      struct error *error);
/* 0: there is none */
unsigned int vnc_web_port(const struct vnc *vnc);
void vnc_stop(struct vnc *vnc);

/* listen.c: a socket that listens, or -1 with @error; @local: to this host only */
int vnc_listen(const char *address, bool *local, struct error *error);

#define VNC_PASSWORD	8
/* The first line of a file, as far as it counts. 0, or -1 with @error */
int vnc_read_password(const char *path, char password[VNC_PASSWORD + 1],
		      struct error *error);

#endif
