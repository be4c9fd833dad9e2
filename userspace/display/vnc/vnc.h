/* SPDX-License-Identifier: GPL-2.0 */
/* A machine's screen by VNC (RFC 6143), for several viewers (vnc.c). */
#ifndef MVMM_VNC_H
#define MVMM_VNC_H

#include <stdbool.h>
#include <stdint.h>
#include "core/error.h"

struct machine;
struct vnc;

/*
 * A thread serves it. @address: HOST:PORT or unix:PATH; where it is not this
 * host's alone there has to be a @password_file. NULL with @error
 */
struct vnc *vnc_start(struct machine *machine, const char *address,
		      const char *password_file, struct error *error);
void vnc_stop(struct vnc *vnc);

/* listen.c: a socket that listens, or -1 with @error; @local: to this host only */
int vnc_listen(const char *address, bool *local, struct error *error);

#define VNC_PASSWORD	8
/* The first line of a file, as far as it counts. 0, or -1 with @error */
int vnc_read_password(const char *path, char password[VNC_PASSWORD + 1],
		      struct error *error);

#endif
