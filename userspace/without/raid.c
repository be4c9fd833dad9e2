// SPDX-License-Identifier: GPL-2.0
/* No arrays. */
#include "block/block.h"
#include "cmd/cmd.h"
#include "without/without.h"

struct block *raid_open(const struct block_config *config, struct error *error)
{
	fail(error, STATUS_USAGE,
	     "--disk raid%u:%s: this mvmm was built without RAID: install the package libisal-dev and build it again",
	     config->level, config->path);
	return NULL;
}

int cmd_raid(int argc, char **argv)
{
	fputs("mvmm raid: this mvmm was built without RAID: install the package libisal-dev and build it again\n",
	      stderr);
	return STATUS_USAGE;
}
