/* SPDX-License-Identifier: GPL-2.0 */
/* Errors for the user, and the command's exit statuses. */
#ifndef MVMM_ERROR_H
#define MVMM_ERROR_H

#include <stdarg.h>

/*
 * Exit statuses of the command itself, from sysexits.h. The guest can choose
 * any status, these too, by a write to the debug-exit port.
 */
enum {
	STATUS_USAGE = 64,	/* wrong options */
	STATUS_DATA = 65,	/* a file is not what it should be */
	STATUS_NO_INPUT = 66,	/* a file cannot be read */
	STATUS_NO_DEVICE = 69,	/* no /dev/mvmm: the module is not loaded */
	STATUS_VM = 70,		/* the VM was stopped: a bug, or a bad guest */
	STATUS_OS = 71,		/* out of memory and the like */
	STATUS_BUSY = 75,	/* another VMM owns the CPU's extension */
	STATUS_TRIPLE_FAULT = 76,
	STATUS_PERMISSION = 77,
	STATUS_RESET = 78,	/* the guest reset itself, after a panic say */
};

/**
 * struct error - what failed, with what value, and what to do
 * @status: STATUS_*
 * @text: one line without its end; empty: nothing to say
 */
struct error {
	int status;
	char text[512];
};

/* Fills in @error; returns -1, so that callers can "return fail(...)" */
int fail(struct error *error, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void vfail(struct error *error, int status, const char *format, va_list args);
/* @what needs an option of WITHOUT=, or a library: @package has it; NULL: none does */
int fail_without(struct error *error, const char *what, const char *option,
		 const char *package);
/* The same for a failure to open @device or to create a VM */
int explain_open(int err, const char *device, struct error *error);

#endif
