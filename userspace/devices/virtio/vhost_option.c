// SPDX-License-Identifier: GPL-2.0
/* What --share and --vhost-user say. */
#include <linux/virtio_fs.h>
#include <string.h>
#include "core/option.h"
#include "devices/virtio/vhost_user.h"
#include "net/net.h"

static const char *value_of(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, name, len) ? NULL : word + len;
}

static int check_tag(const char *tag, struct error *error)
{
	if (!*tag || strlen(tag) > sizeof(((struct virtio_fs_config *)0)->tag))
		return fail(error, STATUS_USAGE,
			    "the tag %s has to have 1 to 36 bytes", tag);
	return 0;
}

static int parse_queues(struct machine_vhost *c, const char *text,
			struct error *error)
{
	uint64_t value;

	/* Those that a type has besides fit, too */
	if (!parse_number(text, &value, false) || value < 1 ||
	    value > VHOST_USER_QUEUES - 2)
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: queues=%s is no number from 1 to %u",
			    c->socket, text, VHOST_USER_QUEUES - 2);
	c->queues = value;
	return 0;
}

static int parse_mac(struct machine_vhost *c, const char *text,
		     struct error *error)
{
	struct error why = { 0 };

	return net_parse_mac(c->mac, text, &why) ?
	       fail(error, why.status, "--vhost-user %s: %s", c->socket,
		    why.text) : 0;
}

static int vhost_user_parse(struct machine_vhost *c, char *text,
			    struct error *error)
{
	const char *word, *value;
	bool has_mac = false;

	*c = (struct machine_vhost){ .socket = strsep(&text, ","),
				     .queues = 1 };
	if (!*c->socket)
		return fail(error, STATUS_USAGE,
			    "--vhost-user: a socket's name is missing");
	while ((word = strsep(&text, ","))) {
		if ((value = value_of(word, "type="))) {
			c->type = value;
		} else if ((value = value_of(word, "tag="))) {
			c->tag = value;
			if (check_tag(value, error))
				return -1;
		} else if ((value = value_of(word, "mac="))) {
			has_mac = true;
			if (parse_mac(c, value, error))
				return -1;
		} else if ((value = value_of(word, "queues="))) {
			if (parse_queues(c, value, error))
				return -1;
		} else {
			return fail(error, STATUS_USAGE,
				    "--vhost-user %s: %s is not known: type=TYPE, queues=N, tag=TAG and mac=ADDRESS are",
				    c->socket, word);
		}
	}
	if (!c->type || !vhost_user_has_type(c->type))
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: say what it is with type=: blk, fs, net, rng or scsi",
			    c->socket);
	if (!strcmp(c->type, "fs") && !c->tag)
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: a file system needs a tag=",
			    c->socket);
	if (strcmp(c->type, "fs") && c->tag)
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: tag= is a file system's",
			    c->socket);
	if ((!strcmp(c->type, "rng") || !strcmp(c->type, "net")) && c->queues > 1)
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: an rng has one queue, and a net one pair",
			    c->socket);
	if (has_mac && strcmp(c->type, "net"))
		return fail(error, STATUS_USAGE,
			    "--vhost-user %s: mac= is a net's", c->socket);
	/* The same one each time */
	if (!has_mac && !strcmp(c->type, "net"))
		net_mac(c->socket, c->mac);
	return 0;
}

static int share_parse(struct machine_vhost *c, char *text,
		       struct error *error)
{
	const char *word, *value;

	*c = (struct machine_vhost){ .directory = strsep(&text, ","),
				     .type = "fs", .tag = "share",
				     .queues = 1 };
	if (!*c->directory)
		return fail(error, STATUS_USAGE,
			    "--share: a directory's name is missing");
	while ((word = strsep(&text, ","))) {
		if (!strcmp(word, "ro")) {
			c->read_only = true;
		} else if ((value = value_of(word, "tag="))) {
			c->tag = value;
			if (check_tag(value, error))
				return -1;
		} else {
			return fail(error, STATUS_USAGE,
				    "--share %s: %s is not known: tag=TAG and ro are",
				    c->directory, word);
		}
	}
	return 0;
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
