/* SPDX-License-Identifier: GPL-2.0 */
/* Devices that another process, or the kernel, serves: see vhost.h. */
#ifndef MVMM_VHOST_USER_H
#define MVMM_VHOST_USER_H

#include <sys/types.h>
#include "core/machine.h"

#define VHOST_USER_QUEUES	16

/* Is it a type of device that a back end can have? */
bool vhost_user_has_type(const char *name);
/*
 * What is behind --vhost-user, SOCKET,type=TYPE[,queues=N][,tag=TAG], and behind
 * --share, DIRECTORY[,tag=TAG][,ro]. @text is cut into pieces that are used. 0, or
 * -1 with @error
 */
int vhost_user_add(struct machine_config *config, char *text,
		   struct error *error);
int share_add(struct machine_config *config, char *text, struct error *error);
/*
 * Starts virtiofsd for a directory (virtiofsd.c). Returns a socket that is
 * connected to it, and its @pid; or -1 with @error
 */
int virtiofsd_start(const struct machine_vhost *config, pid_t *pid,
		    struct error *error);
/* Nothing is in flight: ends it, and waits until it has closed its end of @fd */
void virtiofsd_end(pid_t pid, int fd);

#endif
