/* SPDX-License-Identifier: GPL-2.0 */
/* Libraries that are not needed to start: loaded when they are first asked for. */
#ifndef MVMM_LIBRARY_H
#define MVMM_LIBRARY_H

#include "base/error.h"

/**
 * struct library - one of them
 * @file: its soname
 * @name: what messages call it
 * @needs: who needs it, as a user is told
 * @package: Debian's, which has it
 * @handle: dlopen()'s; NULL: it is not loaded
 */
struct library {
	const char *file, *name, *needs, *package;
	void *handle;
};

/**
 * struct library_call - a function of it
 * @symbol: its name; NULL: the list ends
 * @to: the pointer to it, which is filled in
 */
struct library_call {
	const char *symbol;
	void *to;
};

/* All of @calls, or none: 0, also if it is loaded already; or -1 with @error */
int library_load(struct library *library, const struct library_call *calls,
		 struct error *error);

#endif
