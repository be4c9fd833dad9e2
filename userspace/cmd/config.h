/* SPDX-License-Identifier: GPL-2.0 */
/* A file of options (config.c). */
#ifndef MVMM_CONFIG_H
#define MVMM_CONFIG_H

#include <argp.h>

#define CONFIG_OPTIONS 256

/* What was read: the parser may keep pointers into it */
struct config {
	char *option[CONFIG_OPTIONS];
	unsigned int nr;
};

/*
 * Each line of the file @path goes to @argp's parser with @input. 0; -1: errno
 * says why the file cannot be read, or @argp has said what is wrong.
 */
int config_parse(struct config *config, const struct argp *argp,
		 const char *path, void *input);
void config_free(struct config *config);

#endif
