// SPDX-License-Identifier: GPL-2.0
/* What --share and --vhost-user say. */
#include <linux/virtio_fs.h>
#include <string.h>
#include "base/option.h"
#include "devices/virtio/vhost_user.h"
#include "net/net.h"

/* What is said of one, before it is known to fit together */
struct words {
	const char *type, *tag, *mac;
	unsigned int queues;
	bool read_only;
};

#define TAG { .name = "tag", .kind = OPTION_STRING,			\
	      .max = sizeof(((struct virtio_fs_config *)0)->tag),	\
	      OPTION_AT(struct words, tag),				\
	      .help = "by which the guest knows the file system" }

static const struct option_spec vhost_user_options[] = {
	{ .name = "type", .kind = OPTION_STRING, OPTION_AT(struct words, type),
	  .help = "of device: blk, fs, net, rng or scsi" },
	/* Those that a type has besides fit, too */
	{ .name = "queues", .kind = OPTION_NUMBER,
	  OPTION_AT(struct words, queues),
	  .def = 1, .min = 1, .max = VHOST_USER_QUEUES - 2,
	  .help = "for requests" },
	TAG,
	{ .name = "mac", .kind = OPTION_STRING, OPTION_AT(struct words, mac),
	  .help = "the address of a NIC" },
	OPTIONS_END
};

static const struct option_spec share_options[] = {
	TAG,
	{ .name = "ro", .kind = OPTION_BOOL, OPTION_AT(struct words, read_only),
	  .help = "the guest cannot write to it" },
	OPTIONS_END
};

/* "NAME[,OPTION]...". NULL with @error; @what: for messages, "--share" */
static const char *parse(const struct option_spec *specs, struct words *words,
			 char *text, const char *what, struct error *error)
{
	const char *name = strsep(&text, ",");
	struct error why = { 0 };

	options_default(specs, words);
	if (!*name) {
		fail(error, STATUS_USAGE, "%s: a name is missing", what);
		return NULL;
	}
	if (!options_parse(specs, words, text, false, &why))
		return name;
	fail(error, why.status, "%s %s: %s", what, name, why.text);
	return NULL;
}

static int check_type(const struct machine_vhost *c, const struct words *words,
		      struct error *error)
{
	bool fs, net;

	if (!words->type || !vhost_user_has_type(words->type))
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: say what it is with type=: blk, fs, net, rng or scsi",
			    c->socket);
	fs = !strcmp(words->type, "fs");
	net = !strcmp(words->type, "net");
	if (fs && !words->tag)
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: a file system needs a tag=",
			    c->socket);
	if (!fs && words->tag)
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: tag= is a file system's",
			    c->socket);
	if ((net || !strcmp(words->type, "rng")) && words->queues > 1)
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: an rng has one queue, and a net one pair",
			    c->socket);
	if (words->mac && !net)
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: mac= is a net's", c->socket);
	return 0;
}

static int vhost_user_parse(struct machine_vhost *c, char *text,
			    struct error *error)
{
	struct words words = { 0 };
	struct error why = { 0 };

	*c = (struct machine_vhost){ 0 };
	c->socket = parse(vhost_user_options, &words, text, "--vhost-user",
			  error);
	if (!c->socket || check_type(c, &words, error))
		return -1;
	c->type = words.type;
	c->tag = words.tag;
	c->queues = words.queues;
	if (words.mac && net_parse_mac(c->mac, words.mac, &why))
		return fail(error, why.status, "--vhost-user %s: %s", c->socket,
			    why.text);
	/* The same one each time */
	if (!words.mac && !strcmp(c->type, "net"))
		net_mac(c->socket, c->mac);
	return 0;
}

static int share_parse(struct machine_vhost *c, char *text,
		       struct error *error)
{
	struct words words = { .tag = "share" };

	*c = (struct machine_vhost){ .type = "fs", .queues = 1 };
	c->directory = parse(share_options, &words, text, "--share", error);
	c->tag = words.tag;
	c->read_only = words.read_only;
	return c->directory ? 0 : -1;
}

/* Of two with one tag a guest sees the first one only */
static int check_tags(const struct machine_config *config,
		      struct error *error)
{
	const struct machine_vhost *last = &config->vhost[config->vhosts - 1];
	const struct machine_vhost *c;

	for (c = config->vhost; c < last; c++)
		if (c->tag && last->tag && !strcmp(c->tag, last->tag))
			return fail(error, STATUS_USAGE,
				    "the tag %s is there twice: give each --share its own by tag=",
				    c->tag);
	return 0;
}

static int add(struct machine_config *config, char *text,
	       int (*parse)(struct machine_vhost *vhost, char *text,
			    struct error *error), struct error *error)
{
	if (config->vhosts == MACHINE_VHOSTS)
		return fail(error, STATUS_USAGE,
			    "--share, --vhost-user: at most %u",
			    MACHINE_VHOSTS);
	config->memfd = true;
	return parse(&config->vhost[config->vhosts++], text, error) ||
	       check_tags(config, error) ? -1 : 0;
}

int vhost_user_add(struct machine_config *config, char *text,
		   struct error *error)
{
	return add(config, text, vhost_user_parse, error);
}

int share_add(struct machine_config *config, char *text, struct error *error)
{
	return add(config, text, share_parse, error);
}
