/* SPDX-License-Identifier: GPL-2.0 */
/* Text modes of a machine's screen on the user's terminal (terminal.c). */
#ifndef MVMM_TERMINAL_H
#define MVMM_TERMINAL_H

#include <stdint.h>
#include "base/error.h"
#include "char/chardev.h"

struct machine;
struct terminal;

/*
 * Before stdio_start(), which makes the terminal raw: from then on it is drawn on.
 * @typed: that of stdio, whose bytes are keys now. NULL with @error
 */
struct terminal *terminal_start(struct machine *machine, struct chardev *typed,
				struct error *error);
/* After stdio_stop() */
void terminal_stop(struct terminal *terminal);

/* press.c: with what else is held down */
enum { WITH_SHIFT = 1, WITH_CTRL = 2, WITH_ALT = 4 };
void press_key(struct machine *machine, const char *name, unsigned int with);
/* ASCII, control characters too */
void press_char(struct machine *machine, uint8_t c, unsigned int with);

#endif
