// SPDX-License-Identifier: GPL-2.0
/* No arrays. */
#include "block/block.h"
#include "cmd/cmd.h"
#include "without/without.h"

struct block *raid_open(const struct block_config *config, struct error *error)
{
	fail_without(error, "--disk raid", "raid", "libisal-dev");
	return NULL;
}

int cmd_raid(int argc, char **argv)
{
	struct error error = { 0 };

	fail_without(&error, "mvmm raid", "raid", "libisal-dev");
	fprintf(stderr, "%s\n", error.text);
	return error.status;
}
