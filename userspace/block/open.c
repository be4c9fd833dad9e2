// SPDX-License-Identifier: GPL-2.0
/* What the text behind --disk means, and which back end it asks for. */
#include <stdlib.h>
#include <string.h>
#include "block/block.h"
#include "have.h"

/* A number of seconds, up to a day */
static int parse_retry(struct block_config *config, const char *text,
		       struct error *error)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < 1 || value > 86400)
		return fail(error, STATUS_USAGE,
			    "--disk %s: retry=%s is no number of seconds from 1 to 86400",
			    config->path, text);
	config->retry = value;
	return 0;
}

static int parse_word(struct block_config *config, const char *word,
		      struct error *error)
{
	static const char serial[] = "serial=", retry[] = "retry=";

	if (!strcmp(word, "ro")) {
		config->read_only = true;
	} else if (!strncmp(word, serial, sizeof(serial) - 1)) {
		config->serial = word + sizeof(serial) - 1;
		if (strlen(config->serial) > BLOCK_SERIAL)
			return fail(error, STATUS_USAGE,
				    "--disk %s: the serial number %s is longer than %u bytes",
				    config->path, config->serial, BLOCK_SERIAL);
	} else if (!strncmp(word, retry, sizeof(retry) - 1)) {
		return parse_retry(config, word + sizeof(retry) - 1, error);
	} else {
		return fail(error, STATUS_USAGE,
			    "--disk %s: %s is not known: ro, serial=TEXT and retry=SECONDS are",
			    config->path, word);
	}
	return 0;
}

int block_parse(struct block_config *config, char *text, struct error *error)
{
	char *word;

	*config = (struct block_config){ .path = strsep(&text, ",") };
	if (!*config->path)
		return fail(error, STATUS_USAGE,
			    "--disk: a file's name is missing");
	while ((word = strsep(&text, ",")))
		if (parse_word(config, word, error))
			return -1;
	return 0;
}

#ifndef HAVE_NBD
struct block *nbd_open(const struct block_config *config, struct error *error)
{
	fail(error, STATUS_USAGE,
	     "--disk %s: this mvmm was built without NBD: install the package libnbd-dev and build it again",
	     config->path);
	return NULL;
}
#endif

/* nbd://HOST, nbd+unix://, nbds:// and so on */
static bool is_nbd(const char *path)
{
	return !strncmp(path, "nbd", 3) &&
	       !strncmp(path + strspn(path, "abdnsuvixock+"), "://", 3);
}

struct block *block_open(const struct block_config *config, struct error *error)
{
	struct block *block = is_nbd(config->path) ? nbd_open(config, error) :
						    file_open(config, error);

	if (block && config->serial)
		strcpy(block->serial, config->serial);
	return block;
}
