/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is in the drives of a running machine: "eject" and
 * "blockdev-change-medium", as QEMU's QMP has them (media.c).
 */
#ifndef MVMM_MANAGE_MEDIA_H
#define MVMM_MANAGE_MEDIA_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"

struct machine;

/* Is it one of these? */
bool media_has(const char *command);
/* For the thread of the control socket. NULL with @error */
json_t *media_execute(struct machine *m, const char *command,
		      const json_t *arguments, struct error *error);

#endif
