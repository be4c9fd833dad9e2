// SPDX-License-Identifier: GPL-2.0
/* What --net bond(...) means, and the ports that it is made of. */
#include <string.h>
#include "net/net.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int bond_parse_links(struct bond_config *config, char *text,
		     struct error *error)
{
	char *member;

	*config = (struct bond_config){ .primary = BOND_NONE };
	while ((member = strsep(&text, ","))) {
		/* A switch gives each of its ports an address of its own */
		if (!*member || net_value(member, "bond(") ||
		    net_value(member, "switch="))
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

/* -1: it is none of these */
static int find(const char *const *names, unsigned int nr, const char *value)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(names[i], value))
			return i;
	return -1;
}

static int find_link(const struct bond_config *config, const char *value)
{
	return find((const char *const *)config->member, config->links, value);
}

int bond_parse_word(struct bond_config *c, const char *word,
		    struct error *error)
{
	static const char *const mode[] = {
		[BOND_ACTIVE_BACKUP] = "active-backup",
		[BOND_BALANCE_XOR] = "balance-xor",
		[BOND_BROADCAST] = "broadcast", [BOND_8023AD] = "802.3ad" };
	static const char *const hash[] = {
		[BOND_LAYER2] = "layer2", [BOND_LAYER2_3] = "layer2+3",
		[BOND_LAYER3_4] = "layer3+4" };
	static const char *const rate[] = { "slow", "fast" };
	const char *value;
	int found;

	if ((value = net_value(word, "mode="))) {
		found = find(mode, COUNT(mode), value);
		c->mode = found < 0 ? c->mode : (enum bond_mode)found;
	} else if ((value = net_value(word, "xmit_hash_policy="))) {
		found = find(hash, COUNT(hash), value);
		c->hash = found < 0 ? c->hash : (enum bond_hash)found;
	} else if ((value = net_value(word, "lacp_rate="))) {
		found = find(rate, COUNT(rate), value);
		c->fast = found == 1;
	} else if ((value = net_value(word, "primary="))) {
		found = find_link(c, value);
		c->primary = found;
	} else {
		return 1;
	}
	if (found >= 0)
		return 0;
	return fail(error, STATUS_USAGE,
		    "--net bond: %s is not known: mode=active-backup, balance-xor, broadcast or 802.3ad; xmit_hash_policy=layer2, layer2+3 or layer3+4; lacp_rate=slow or fast; primary= one of the links",
		    word);
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
