// SPDX-License-Identifier: GPL-2.0
/* What the text behind --disk means, and which back end it asks for. */
#include <stdlib.h>
#include <string.h>
#include "block/block.h"
#include "core/option.h"
#include "have.h"

/* "NAME=" and a value: that, or NULL */
static const char *value_of(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, name, len) ? NULL : word + len;
}

static int add_word(const char **list, unsigned int *nr, unsigned int max,
		    const char *word, struct error *error)
{
	if (*nr == max)
		return fail(error, STATUS_USAGE,
			    "--disk: %s is a member too many", word);
	list[(*nr)++] = word;
	return 0;
}

static int parse_raid_word(struct block_config *config, const char *word,
			   struct error *error)
{
	const char *value;

	if (!strcmp(word, "force")) {
		config->force = true;
	} else if ((value = value_of(word, "spare="))) {
		return add_word(config->spare, &config->spares, BLOCK_SPARES,
				value, error);
	} else if ((value = value_of(word, "journal="))) {
		config->journal = value;
	} else if ((value = value_of(word, "chunk="))) {
		if (!parse_number(value, &config->chunk, true) || !config->chunk)
			return fail(error, STATUS_USAGE,
				    "--disk: chunk=%s is not a size: write 64K, say",
				    value);
	} else {
		return add_word(config->member, &config->members,
				BLOCK_MEMBERS - 1, word, error);
	}
	return 0;
}

/* retry= or timeout=: a number of seconds, up to a day */
static int parse_seconds(const struct block_config *config, const char *name,
			 const char *text, unsigned int *to,
			 struct error *error)
{
	uint64_t value;

	if (!parse_number(text, &value, false) || value < 1 || value > 86400)
		return fail(error, STATUS_USAGE,
			    "--disk %s: %s=%s is no number of seconds from 1 to 86400",
			    config->path, name, text);
	*to = value;
	return 0;
}

const char *const block_caches[CACHES] = { "writeback", "none", "writethrough",
					   "directsync", "unsafe" };

static int parse_cache(struct block_config *config, const char *text,
		       struct error *error)
{
	unsigned int i;

	for (i = 0; i < CACHES; i++) {
		if (!strcmp(text, block_caches[i])) {
			config->cache = i;
			return 0;
		}
	}
	return fail(error, STATUS_USAGE,
		    "--disk %s: cache=%s is not known: writeback, none, writethrough, directsync and unsafe are",
		    config->path, text);
}

static int parse_format(struct block_config *config, const char *text,
			struct error *error)
{
	if (!*text || text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789")])
		return fail(error, STATUS_USAGE,
			    "--disk %s: format=%s is no name: raw, qcow2, vmdk, vdi, vhdx and vpc are some",
			    config->path, text);
	config->format = text;
	return 0;
}

static int parse_word(struct block_config *config, const char *word,
		      struct error *error)
{
	const char *value;

	if (!strcmp(word, "ro")) {
		config->read_only = true;
	} else if ((value = value_of(word, "serial="))) {
		config->serial = value;
		if (strlen(value) > BLOCK_SERIAL)
			return fail(error, STATUS_USAGE,
				    "--disk %s: the serial number %s is longer than %u bytes",
				    config->path, value, BLOCK_SERIAL);
	} else if ((value = value_of(word, "iothread="))) {
		config->iothread = value;
	} else if ((value = value_of(word, "queues="))) {
		config->queues = value;
	} else if ((value = value_of(word, "retry="))) {
		return parse_seconds(config, "retry", value, &config->retry,
				     error);
	} else if ((value = value_of(word, "timeout="))) {
		return parse_seconds(config, "timeout", value,
				     &config->timeout, error);
	} else if ((value = value_of(word, "cache="))) {
		return parse_cache(config, value, error);
	} else if ((value = value_of(word, "format="))) {
		return parse_format(config, value, error);
	} else if ((value = value_of(word, "key=")) && *value) {
		config->key = value;
	} else if ((value = value_of(word, "overlay="))) {
		config->overlay = value;
	} else if (config->is_raid) {
		return parse_raid_word(config, word, error);
	} else {
		return fail(error, STATUS_USAGE,
			    "--disk %s: %s is not known: ro, format=NAME, key=FILE, cache=MODE, overlay=FILE, serial=TEXT, iothread=NAME, queues=NUMBER, retry=SECONDS and timeout=SECONDS are",
			    config->path, word);
	}
	return 0;
}

/* "raid5:" and the first member */
static void parse_level(struct block_config *config)
{
	const char *text = value_of(config->path, "raid");
	char *end;

	if (!text || *text < '0' || *text > '9')
		return;
	config->level = strtoul(text, &end, 10);
	if (*end != ':')
		return;
	config->is_raid = true;
	config->path = end + 1;
}

int block_parse(struct block_config *config, char *text, struct error *error)
{
	char *word;

	*config = (struct block_config){ .path = option_next(&text) };
	parse_level(config);
	if (!*config->path)
		return fail(error, STATUS_USAGE,
			    "--disk: a file's name is missing");
	while ((word = option_next(&text)))
		if (parse_word(config, word, error))
			return -1;
	return 0;
}

#ifndef HAVE_RAID
struct block *raid_open(const struct block_config *config, struct error *error)
{
	fail(error, STATUS_USAGE,
	     "--disk raid%u:%s: this mvmm was built without RAID: install the package libisal-dev and build it again",
	     config->level, config->path);
	return NULL;
}
#endif

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

bool block_is_uri(const char *path)
{
	size_t len = strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789+-.");

	return !is_nbd(path) && len && (!strncmp(path + len, "://", 3) ||
					!strncmp(path, "rbd:", 4));
}

bool block_is_file(const char *text)
{
	struct block_config config = { .path = text };

	parse_level(&config);
	return !config.is_raid && !is_nbd(text) && !block_is_uri(text);
}

static bool is_raw(const struct block_config *config)
{
	return !config->format || !strcmp(config->format, "raw");
}

static struct block *open_file(const struct block_config *config,
			       struct error *error)
{
	const char *seems = config->format ? NULL : block_seems(config->path);

	if (block_is_uri(config->path) || !is_raw(config))
		return nbd_open(config, error);
	if (!seems)
		return file_open(config, error);
	fail(error, STATUS_DATA,
	     "--disk %s: it begins as %s does: say format=%s; or format=raw, if a guest wrote that to its disk",
	     config->path, seems, seems);
	return NULL;
}

static struct block *open_base(const struct block_config *config,
			       struct error *error)
{
	bool nbd = is_nbd(config->path);

	if (config->cache && (config->is_raid || nbd)) {
		fail(error, STATUS_USAGE,
		     "--disk %s: cache= is for files: write it with each member of an array, in brackets; of an export it is the server's",
		     config->path);
		return NULL;
	}
	if ((config->is_raid || nbd) && !is_raw(config)) {
		fail(error, STATUS_USAGE,
		     "--disk %s: format= is for files: write it with each member of an array, in brackets; an export is raw",
		     config->path);
		return NULL;
	}
	if (config->key && is_raw(config)) {
		fail(error, STATUS_USAGE,
		     "--disk %s: key= is for formats that are encrypted: say format=luks, or format=qcow2",
		     config->path);
		return NULL;
	}
	if (config->is_raid)
		return raid_open(config, error);
	return nbd ? nbd_open(config, error) : open_file(config, error);
}

/* The base would be written so, and is not written to */
static bool is_through(const struct block_config *config)
{
	return config->overlay && !config->commit &&
	       (config->cache == CACHE_WRITETHROUGH ||
		config->cache == CACHE_DIRECTSYNC);
}

struct block *block_open(const struct block_config *config, struct error *error)
{
	bool temporary = config->ephemeral && !config->read_only;
	struct block_config base = *config;
	struct block *block;

	if (is_through(config)) {
		fail(error, STATUS_USAGE,
		     "--disk %s: cache=%s cannot be had with overlay=, which is flushed when the guest says so",
		     config->path, block_caches[config->cache]);
		return NULL;
	}
	base.read_only |= temporary || (config->overlay && !config->commit);
	block = open_base(&base, error);
	if (block && config->overlay)
		block = overlay_open(block, config->overlay,
				     config->read_only || temporary, error);
	if (block && temporary)
		block = overlay_open(block, NULL, false, error);
	if (block && config->serial)
		strcpy(block->serial, config->serial);
	return block;
}

struct block *block_open_member(const char *text, bool read_only,
				unsigned int retry, struct error *error)
{
	size_t len = strlen(text);
	bool brackets = len > 1 && text[0] == '[' && text[len - 1] == ']';
	char *copy = brackets ? strndup(text + 1, len - 2) : strdup(text);
	struct block *block = NULL;
	struct block_config c;

	if (!copy) {
		fail(error, STATUS_OS, "--disk: no memory");
		return NULL;
	}
	if (block_parse(&c, copy, error)) {
		/* It has said why */
	} else if (c.iothread || c.queues) {
		fail(error, STATUS_USAGE,
		     "--disk: iothread= and queues= are for the whole array, not for its member %s",
		     c.path);
	} else {
		c.read_only |= read_only;
		if (!c.retry)
			c.retry = retry;
		/* The others have what it has */
		if (!c.timeout)
			c.timeout = BLOCK_TIMEOUT;
		block = block_open(&c, error);
	}
	/* Back ends have copies of what they need */
	free(copy);
	return block;
}
