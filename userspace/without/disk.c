// SPDX-License-Identifier: GPL-2.0
/* No mvmm disk. */
#include "cmd/cmd.h"
#include "without/without.h"

int cmd_disk(int argc, char **argv)
{
	return no_command("disk", "disk");
}
