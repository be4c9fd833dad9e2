// SPDX-License-Identifier: GPL-2.0
/*
 * A file of options: the command line's, one in each line, without the dashes.
 * The table is the command's own, so whatever it takes, a file has, too.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/config.h"

/* Cuts off white space at both ends */
static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = 0;
	return text;
}

/* "name value" becomes "--name=value". NULL: no memory */
static char *make_option(char *line)
{
	size_t name = strcspn(line, " \t");
	char *value = trim(line + name), *option;
	int n = *value ?
		asprintf(&option, "--%.*s=%s", (int)name, line, value) :
		asprintf(&option, "--%s", line);

	return n < 0 ? NULL : option;
}

static int parse_line(struct config *config, const struct argp *argp,
		      const char *path, unsigned int number, char *line,
		      void *input)
{
	char *argv[3] = { NULL };
	int ret;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	if (config->nr == CONFIG_OPTIONS) {
		fprintf(stderr, "%s:%u: more than %u options\n", path, number,
			CONFIG_OPTIONS);
		return -1;
	}
	/* As the name of the program in argp's messages */
	if (asprintf(&argv[0], "%s:%u", path, number) < 0)
		return -1;
	argv[1] = make_option(line);
	if (!argv[1]) {
		free(argv[0]);
		return -1;
	}
	config->option[config->nr++] = argv[1];
	ret = argp_parse(argp, 2, argv, 0, NULL, input);
	free(argv[0]);
	return ret;
}

int config_parse(struct config *config, const struct argp *argp,
		 const char *path, void *input)
{
	FILE *file = fopen(path, "re");
	unsigned int number = 0;
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	if (!file)
		return -1;
	while (!ret && getline(&line, &size, file) >= 0)
		ret = parse_line(config, argp, path, ++number, line, input);
	free(line);
	fclose(file);
	return ret;
}

void config_free(struct config *config)
{
	while (config->nr)
		free(config->option[--config->nr]);
}
