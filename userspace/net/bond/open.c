// SPDX-License-Identifier: GPL-2.0
/* What --net bond(...) means, and the ports that it is made of. */
#include <string.h>
#include "net/net.h"

static const char *const modes[] = {
	[BOND_ACTIVE_BACKUP] = "active-backup",
	[BOND_BALANCE_XOR] = "balance-xor",
	[BOND_BROADCAST] = "broadcast", [BOND_8023AD] = "802.3ad", NULL };
static const char *const hashes[] = {
	[BOND_LAYER2] = "layer2", [BOND_LAYER2_3] = "layer2+3",
	[BOND_LAYER3_4] = "layer3+4", NULL };
static const char *const rates[] = { "slow", "fast", NULL };

const struct option_spec bond_options[] = {
	{ .name = "mode", .kind = OPTION_CHOICE, .words = modes,
	  OPTION_AT(struct bond_config, mode),
	  .help = "who takes a frame" },
	{ .name = "xmit_hash_policy", .kind = OPTION_CHOICE, .words = hashes,
	  OPTION_AT(struct bond_config, hash),
	  .help = "by which parts of it" },
	{ .name = "lacp_rate", .kind = OPTION_CHOICE, .words = rates,
	  OPTION_AT(struct bond_config, fast),
	  .help = "how often the other end is to speak" },
	{ .name = "primary", .kind = OPTION_STRING,
	  OPTION_AT(struct bond_config, primary_name),
	  .help = "the link that is used when it can be" },
	OPTIONS_END
};

int bond_parse_links(struct bond_config *config, char *text,
		     struct error *error)
{
	char *member;

	*config = (struct bond_config){ .primary = BOND_NONE };
	while ((member = strsep(&text, ","))) {
		/* A switch gives each of its ports an address of its own */
		if (!*member || !strncmp(member, "bond(", 5) ||
		    !strncmp(member, "switch=", 7))
			return fail(error, STATUS_USAGE,
				    "--net bond(%s...): a link is the name of a tap, or tap=NAME, stream:ADDRESS, user",
				    member);
		if (config->links == BOND_LINKS)
			return fail(error, STATUS_USAGE,
				    "--net bond: at most %u links", BOND_LINKS);
		config->member[config->links++] = member;
	}
	return 0;
}

int bond_check(struct bond_config *c, struct error *error)
{
	unsigned int i;

	if (!c->primary_name)
		return 0;
	for (i = 0; i < c->links && strcmp(c->member[i], c->primary_name); i++)
		;
	if (i == c->links)
		return fail(error, STATUS_USAGE,
			    "--net bond: primary=%s is none of the links",
			    c->primary_name);
	c->primary = i;
	return 0;
}

static struct port *open_link(char *text, struct error *error)
{
	struct net_config config = { .kind = "tap", .address = text };

	if (strcspn(text, "=:") < strlen(text) || !strcmp(text, "user") ||
	    !strcmp(text, "tap") || !strcmp(text, "stream"))
		if (net_parse(&config, text, error))
			return NULL;
	return net_open(&config, error);
}

struct port *bond_open(const struct net_config *config, struct error *error)
{
	struct port *member[BOND_LINKS], *bond = NULL;
	const struct bond_config *c = &config->bond;
	uint8_t mac[MAC_LEN];
	unsigned int i;

	for (i = 0; i < c->links; i++) {
		member[i] = open_link(c->member[i], error);
		if (!member[i])
			goto failed;
	}
	/* Its own, and the same next time: the interfaces are its name */
	net_mac(member[0]->name, mac);
	bond = bond_new(c, member, mac);
	if (bond)
		return bond;
	fail(error, STATUS_OS, "--net: no memory");
failed:
	while (i--)
		net_close(member[i]);
	return NULL;
}
