/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a launcher has in place of what it was built without: for each option that
 * is left out (Makefile: WITHOUT=) the file of that name is built, with the functions
 * that others call. They do nothing if nothing was asked for, or else say so.
 */
#ifndef MVMM_WITHOUT_H
#define MVMM_WITHOUT_H

#include <stdio.h>
#include "base/error.h"

/* @what was asked for. Returns -1 */
static inline int left_out(struct error *error, const char *what,
			   const char *option)
{
	return fail_without(error, what, option, NULL);
}

/* The same of a subcommand. Returns its exit status */
static inline int no_command(const char *name, const char *option)
{
	struct error error = { 0 };

	left_out(&error, name, option);
	fprintf(stderr, "mvmm %s\n", error.text);
	return error.status;
}

#endif
