// SPDX-License-Identifier: GPL-2.0
/* No exports, and no formats. */
#include "block/block.h"
#include "without/without.h"

struct block *nbd_open(const struct block_config *config, struct error *error)
{
	fail(error, STATUS_USAGE,
	     "--disk %s: this mvmm was built without NBD: install the package libnbd-dev and build it again",
	     config->path);
	return NULL;
}
