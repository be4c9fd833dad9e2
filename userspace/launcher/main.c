// SPDX-License-Identifier: GPL-2.0
/* The mvmm command: the list of its subcommands, which have a file each. */
#include <string.h>
#include "launcher.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run, "boot a guest on this terminal" },
	{ "sched", cmd_sched, "who runs, who waits, and for how long" },
	{ "info", cmd_info, "what this host offers, or why not" },
};

static void usage(FILE *out)
{
	unsigned int i;

	fprintf(out, "Usage: mvmm COMMAND [OPTION...]\n\n");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-6s %s\n", commands[i].name,
			commands[i].help);
	fprintf(out, "\nmvmm COMMAND --help tells more.\n");
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc < 2) {
		usage(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?")) {
		usage(stdout);
		return 0;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	fprintf(stderr, "mvmm: no such command: %s\n\n", argv[1]);
	usage(stderr);
	return STATUS_USAGE;
}
