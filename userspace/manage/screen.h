/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a running machine is asked for at its screen and keyboard: "screendump",
 * "screen-text", "send-key", "type" (screen.c).
 */
#ifndef MVMM_MANAGE_SCREEN_H
#define MVMM_MANAGE_SCREEN_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"

struct machine;

/* Is it one of these? */
bool screen_has(const char *command);
/* For the thread of the control socket. NULL with @error */
json_t *screen_execute(struct machine *m, const char *command,
		       const json_t *arguments, struct error *error);

#endif
