// SPDX-License-Identifier: GPL-2.0
/* What the text behind --disk means, and which back end it asks for. */
#include <stdlib.h>
#include <string.h>
#include "block/block.h"

const char *const block_caches[CACHES + 1] = { "writeback", "none",
	"writethrough", "directsync", "unsafe", NULL };

#define DAY 86400

/* As core/machine.h counts them */
static const char *const buses[] = { "virtio", "ide", "cdrom", "floppy", NULL };

/* QEMU's words; on is what is if nothing is said */
static const char *const verifies[] = { "on", "off", NULL };

const struct option_spec block_options[] = {
	{ .name = "ro", .kind = OPTION_BOOL,
	  OPTION_AT(struct block_config, read_only),
	  .help = "the guest cannot write to it" },
	{ .name = "format", .kind = OPTION_STRING,
	  OPTION_AT(struct block_config, format),
	  .help = "raw, or a name that qemu-nbd knows: qcow2, vmdk, vdi" },
	{ .name = "key", .kind = OPTION_STRING,
	  OPTION_AT(struct block_config, key),
	  .help = "a file with the key of an encrypted image" },
	{ .name = "sslverify", .kind = OPTION_CHOICE, .words = verifies,
	  OPTION_AT(struct block_config, unverified),
	  .help = "of https: off: whatever certificate the server has" },
	{ .name = "cache", .kind = OPTION_CHOICE, .words = block_caches,
	  OPTION_AT(struct block_config, cache),
	  .help = "of the host: see mvmm-run.1" },
	{ .name = "overlay", .kind = OPTION_STRING,
	  OPTION_AT(struct block_config, overlay),
	  .help = "a file that has the changes" },
	{ .name = "serial", .kind = OPTION_STRING, .max = BLOCK_SERIAL,
	  OPTION_AT(struct block_config, serial),
	  .help = "its serial number" },
	{ .name = "iothread", .kind = OPTION_STRING,
	  OPTION_AT(struct block_config, iothread),
	  .help = "the --iothread that serves it; the main thread" },
	{ .name = "bus", .kind = OPTION_CHOICE, .words = buses,
	  OPTION_AT(struct block_config, bus),
	  .help = "where its device is; --cdrom and --floppy are short" },
	{ .name = "queues", .kind = OPTION_STRING,
	  OPTION_AT(struct block_config, queues),
	  .help = "of requests; 0: one for each CPU" },
	{ .name = "retry", .kind = OPTION_NUMBER, .min = 1, .max = DAY,
	  OPTION_AT(struct block_config, retry),
	  .help = "s that a request waits for a server" },
	{ .name = "timeout", .kind = OPTION_NUMBER, .min = 1, .max = DAY,
	  OPTION_AT(struct block_config, timeout),
	  .help = "s that a server may take for an answer" },
	OPTIONS_END
};

/* Besides these; a word that is none of them is a member */
static const struct option_spec raid_options[] = {
	{ .name = "force", .kind = OPTION_BOOL,
	  OPTION_AT(struct block_config, force),
	  .help = "although members differ, or too many are missing" },
	{ .name = "spare", .kind = OPTION_STRINGS,
	  OPTION_AT(struct block_config, spare),
	  .help = "a disk that takes the place of one that fails" },
	{ .name = "journal", .kind = OPTION_STRING,
	  OPTION_AT(struct block_config, journal),
	  .help = "a disk that has what is being written" },
	{ .name = "chunk", .kind = OPTION_SIZE, .min = 1,
	  OPTION_AT(struct block_config, chunk),
	  .help = "it has to be of the array, if given" },
	OPTIONS_END
};

void block_print(FILE *out)
{
	fputs("--disk FILE|nbd://HOST/EXPORT|nbd+unix:///EXPORT?socket=PATH[,OPTION]...\n",
	      out);
	options_print(block_options, out);
	fputs("--disk raidLEVEL:MEMBER,MEMBER...[,OPTION]..., of level 0, 1, 4, 5, 6 or 10, has also\n",
	      out);
	options_print(raid_options, out);
}

static int parse_word(struct block_config *config, char *word,
		      struct error *error)
{
	if (!config->is_raid || option_has(block_options, word))
		return option_parse(block_options, config, word, error);
	if (option_has(raid_options, word))
		return option_parse(raid_options, config, word, error);
	if (config->members == BLOCK_MEMBERS - 1)
		return fail(error, STATUS_USAGE, "%s is a member too many",
			    word);
	config->member[config->members++] = word;
	return 0;
}

static bool is_name(const char *text)
{
	return !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789")];
}

/* "raid5:" and the first member */
static void parse_level(struct block_config *config)
{
	const char *text = config->path;
	char *end;

	if (strncmp(text, "raid", 4) || text[4] < '0' || text[4] > '9')
		return;
	config->level = strtoul(text + 4, &end, 10);
	if (*end != ':')
		return;
	config->is_raid = true;
	config->path = end + 1;
}

int block_parse(struct block_config *config, char *text, struct error *error)
{
	struct error why = { 0 };
	char *word;

	*config = (struct block_config){ .path = option_next(&text) };
	parse_level(config);
	if (!*config->path)
		return fail(error, STATUS_USAGE,
			    "--disk: a file's name is missing");
	while ((word = option_next(&text)))
		if (parse_word(config, word, &why))
			return fail(error, why.status, "--disk %s: %s",
				    config->path, why.text);
	if (config->format && !is_name(config->format))
		return fail(error, STATUS_USAGE,
			    "--disk %s: format=%s is no name: raw, qcow2, vmdk, vdi, vhdx and vpc are some",
			    config->path, config->format);
	while (config->spares < BLOCK_SPARES && config->spare[config->spares])
		config->spares++;
	return 0;
}

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

static bool has_tls(const char *path)
{
	return !strncmp(path, "https://", 8) || !strncmp(path, "ftps://", 7);
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
	if (config->unverified && (config->is_raid || !has_tls(config->path))) {
		fail(error, STATUS_USAGE,
		     "--disk %s: sslverify= is for https: and ftps:: write it with each member of an array, in brackets",
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
	} else if (c.iothread || c.queues || c.bus) {
		fail(error, STATUS_USAGE,
		     "--disk: iothread=, queues= and bus= are for the whole array, not for its member %s",
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
