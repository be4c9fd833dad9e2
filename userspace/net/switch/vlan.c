// SPDX-License-Identifier: GPL-2.0
/* What is said of a switch's port: its options, its VLANs as text. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "net/switch/switch.h"

const struct option_spec switch_options[] = {
	{ .name = "name", .kind = OPTION_STRING, .max = SWITCH_NAME - 1,
	  OPTION_AT(struct switch_config, name),
	  .help = "of the port, for those who look at the switch" },
	{ .name = "vlan", .kind = OPTION_STRING,
	  OPTION_AT(struct switch_config, vlan),
	  .help = "10, or trunk, or trunk:10+20-30/5: see mvmm-switch.1" },
	{ .name = "isolated", .kind = OPTION_BOOL,
	  OPTION_AT(struct switch_config, isolated),
	  .help = "nothing goes to other isolated ports" },
	{ .name = "locked", .kind = OPTION_BOOL,
	  OPTION_AT(struct switch_config, locked),
	  .help = "frames come from the NIC's own address, in ARP too" },
	{ .name = "storm", .kind = OPTION_NUMBER, .max = 1000000,
	  OPTION_AT(struct switch_config, storm),
	  .help = "frames for all in a second, 0: any number" },
	{ .name = "rate", .kind = OPTION_NUMBER, .max = 100000000,
	  OPTION_AT(struct switch_config, cable.rate),
	  .help = "kbit/s of its cable, 0: any" },
	{ .name = "delay", .kind = OPTION_NUMBER, .max = 10000,
	  OPTION_AT(struct switch_config, cable.delay),
	  .help = "ms that a frame is on its way, in each direction" },
	{ .name = "loss", .kind = OPTION_NUMBER, .max = 1000,
	  OPTION_AT(struct switch_config, cable.loss),
	  .help = "of a thousand frames so many are lost" },
	{ .name = "seed", .kind = OPTION_NUMBER, .max = 0xffffffff,
	  OPTION_AT(struct switch_config, cable.seed),
	  .help = "of that: the same ones are lost each time" },
	OPTIONS_END
};

/* Decimal, from @text on, which is moved behind it. -1: it is none */
static int number(const char **text, unsigned int least)
{
	unsigned int value = 0, digits = 0;

	for (; isdigit((unsigned char)**text) && digits < 5; digits++)
		value = value * 10 + *(*text)++ - '0';
	return digits && value >= least && value < VLANS - 1 ? (int)value : -1;
}

static void add(struct vlans *v, unsigned int vlan)
{
	v->bits[vlan / 64] |= 1ull << vlan % 64;
}

/* "10+20-30" */
static int parse_list(struct vlans *v, const char **text)
{
	do {
		int first = number(text, 1), last = first;

		if (first > 0 && **text == '-') {
			++*text;
			last = number(text, first);
		}
		if (first < 0 || last < 0)
			return -1;
		for (; first <= last; first++)
			add(v, first);
	} while (**text == '+' && ++*text);
	return 0;
}

static int parse(struct vlans *v, const char *text)
{
	int native;

	*v = (struct vlans){ .access = strncmp(text, "trunk", 5) };
	if (v->access) {
		native = number(&text, 1);
	} else if (text[5] == ':') {
		text += 6;
		native = parse_list(v, &text);
	} else {
		text += 5;
		memset(v->bits, 0xff, sizeof(v->bits));
		/* These are no VLANs */
		v->bits[0] &= ~1ull;
		v->bits[VLANS / 64 - 1] &= ~0ull >> 1;
		native = 1;
	}
	if (!v->access && native >= 0 && *text == '/') {
		++text;
		native = number(&text, 0);
	}
	if (native < 0 || *text)
		return -1;
	v->native = native;
	if (native)
		add(v, native);
	return 0;
}

int vlan_parse(struct vlans *v, const char *text, struct error *error)
{
	return parse(v, text) ?
	       fail(error, STATUS_USAGE,
		    "vlan=%s is not known: 10, trunk, trunk:10+20-30 and trunk:10+20/5 are, from 1 to %u",
		    text, VLANS - 2) : 0;
}

static bool has(const struct vlans *v, unsigned int vlan)
{
	return vlan < VLANS && v->bits[vlan / 64] >> vlan % 64 & 1;
}

static unsigned int last_of_run(const struct vlans *v, unsigned int vlan)
{
	while (has(v, vlan + 1))
		vlan++;
	return vlan;
}

void vlan_text(const struct vlans *v, char *text, size_t len)
{
	bool all = last_of_run(v, 0) == VLANS - 2;
	unsigned int vlan, last;
	size_t n;

	if (v->access) {
		snprintf(text, len, "%u", v->native);
		return;
	}
	n = snprintf(text, len, "trunk");
	for (vlan = 1; !all && vlan < VLANS && n < len; vlan = last + 1) {
		last = vlan;
		if (!has(v, vlan))
			continue;
		last = last_of_run(v, vlan);
		n += snprintf(text + n, len - n, n == 5 ? ":%u" : "+%u", vlan);
		if (last > vlan && n < len)
			n += snprintf(text + n, len - n, "-%u", last);
	}
	if (n < len)
		snprintf(text + n, len - n, "/%u", v->native);
}
