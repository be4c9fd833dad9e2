// SPDX-License-Identifier: GPL-2.0
/* No mvmm sched. */
#include "cmd/cmd.h"
#include "without/without.h"

int cmd_sched(int argc, char **argv)
{
	return no_command("sched", "sched");
}
