// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for GNU make: $(exit N) ends it with status N. By itself make
 * returns 2 for every failure, but "make run CMD=..." has to return the
 * command's status.
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
