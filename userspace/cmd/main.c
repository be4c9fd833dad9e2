// SPDX-License-Identifier: GPL-2.0
/* The mvmm command: the list of its subcommands, which have a file each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "cmd/cmd.h"
#include "have.h"
#include "libmvmm.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run, "boot a guest on this terminal" },
	{ "disk", cmd_disk, "make, show, change and copy disks" },
	{ "switch", cmd_switch, "an Ethernet switch for guests" },
	{ "net", cmd_net, "the networks that run" },
	{ "screenshot", cmd_screen, "write what a guest's screen shows to a file" },
	{ "wait-screen", cmd_screen, "wait until a guest's screen shows a text" },
	{ "type", cmd_screen, "type a text on a guest's keyboard" },
	{ "key", cmd_screen, "press keys of it" },
	{ "eject", cmd_screen, "take a medium out of a guest's drive" },
	{ "change", cmd_screen, "put another one in" },
	{ "sched", cmd_sched, "who runs, who waits, and for how long" },
	{ "raid", cmd_raid, "make RAID arrays, and look after them" },
	{ "info", cmd_info, "what this host offers, or why not" },
};

static void usage(FILE *out)
{
	unsigned int i;

	fprintf(out, "Usage: mvmm COMMAND [OPTION...]\n\n");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-11s %s\n", commands[i].name,
			commands[i].help);
	fprintf(out, "\nmvmm COMMAND --help tells more.\n");
}

static bool is_one_of(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(text, *list))
			return true;
	return false;
}

/* The 8 MiB that are the default get a huge page each, for a few KiB */
#define STACK (512u << 10)

static void choose_stacks(void)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
}

int main(int argc, char **argv)
{
	static char name[32];
	unsigned int i;

	choose_stacks();

	/* Else an open() would take these numbers, and guest bytes go there */
	while ((i = open("/dev/null", O_RDWR)) <= STDERR_FILENO)
		;
	close(i);
	if (argc < 2) {
		usage(stderr);
		return STATUS_USAGE;
	}
	if (is_one_of(argv[1], (const char *[]){ "--help", "-h", "-?", "help",
						 NULL })) {
		usage(stdout);
		return 0;
	}
	if (is_one_of(argv[1], (const char *[]){ "--version", "-V", NULL })) {
		printf("mvmm %s\n", MVMM_VERSION);
		return 0;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		/* How argp calls the program in its messages */
		snprintf(name, sizeof(name), "mvmm %s", argv[1]);
		argv[1] = name;
		return commands[i].main(argc - 1, argv + 1);
	}
	fprintf(stderr, "mvmm: no such command: %s\n\n", argv[1]);
	usage(stderr);
	return STATUS_USAGE;
}
