// SPDX-License-Identifier: GPL-2.0
/* What the text behind --disk means, and which back end it asks for. */
#include <string.h>
#include "block/block.h"

static int parse_word(struct block_config *config, const char *word,
		      struct error *error)
{
	static const char serial[] = "serial=";

	if (!strcmp(word, "ro")) {
		config->read_only = true;
	} else if (!strncmp(word, serial, sizeof(serial) - 1)) {
		config->serial = word + sizeof(serial) - 1;
		if (strlen(config->serial) > BLOCK_SERIAL)
			return fail(error, STATUS_USAGE,
				    "--disk %s: the serial number %s is longer than %u bytes",
				    config->path, config->serial, BLOCK_SERIAL);
	} else {
		return fail(error, STATUS_USAGE,
			    "--disk %s: %s is not known: ro and serial=TEXT are",
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

struct block *block_open(const struct block_config *config, struct error *error)
{
	struct block *block = file_open(config, error);

	if (block && config->serial)
		strcpy(block->serial, config->serial);
	return block;
}
