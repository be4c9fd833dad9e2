// SPDX-License-Identifier: GPL-2.0
/*
 * A file of options, cut into what the command line's parser would get. A libFuzzer
 * target: "make fuzz".
 */
#define _GNU_SOURCE
#include <argp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Instead of argp's, which ends the process where an option is wrong */
static error_t take(int argc, char **argv, void *input)
{
	const char *option = argv[1];
	unsigned int *taken = input;

	if (argc != 2 || argv[2] || strncmp(option, "--", 2) || !option[2] ||
	    strpbrk(option, "\n") || strchr(" \t", option[2]))
		abort();
	++*taken;
	return 0;
}

/* Nobody reads what it says */
#define fprintf(...)	((void)0)
#define argp_parse(argp, argc, argv, flags, index, input)		\
	take(argc, argv, input)
#include "cmd/config.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("options", MFD_CLOEXEC);
	struct config config = { 0 };
	unsigned int taken = 0;
	char path[32];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* -1: more options than it takes */
	if (config_parse(&config, NULL, path, &taken) &&
	    config.nr != CONFIG_OPTIONS)
		abort();
	if (config.nr != taken)
		abort();
	config_free(&config);
	close(fd);
	return 0;
}
