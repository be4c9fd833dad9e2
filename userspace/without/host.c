// SPDX-License-Identifier: GPL-2.0
/* The kernel is one that the user gives. */
#include "boot/boot.h"
#include "without/without.h"

int host_boot(struct machine_config *m, const char **kernel, struct boot *boot,
	      struct error *error)
{
	return left_out(error, "a run without --kernel, which boots the host's", "host");
}
