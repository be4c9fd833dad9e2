// SPDX-License-Identifier: GPL-2.0
/*
 * $(exit N) for GNU make, which otherwise turns every failure into a status of
 * 2: "make run CMD=..." must end with the status of the command.
 */
#include <stdlib.h>
#include <gnumake.h>

int plugin_is_GPL_compatible;

static char *make_exit(const char *name, unsigned int argc, char **argv)
{
	(void)name;
	exit(argc ? atoi(argv[0]) : 2);
}

int make_exit_gmk_setup(void)
{
	gmk_add_function("exit", make_exit, 1, 1, GMK_FUNC_DEFAULT);
	return 1;
}
