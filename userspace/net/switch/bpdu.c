// SPDX-License-Identifier: GPL-2.0
/* See bpdu.h. */
#include <string.h>
#include "net/switch/bpdu.h"

#define BODY		17	/* behind addresses, length and LLC */
#define CONFIG_LEN	35
#define TCN_LEN		4
#define RST_LEN		36

enum { VERSION = 2, TYPE, FLAGS, ROOT, COST = 13, BRIDGE = 17, PORT = 25,
       AGE = 27, MAX_AGE = 29, HELLO = 31, FORWARD_DELAY = 33 };
enum { TYPE_CONFIG = 0, TYPE_RST = 2, TYPE_TCN = 0x80 };

#define FLAG_TC		0x01
#define FLAG_PROPOSAL	0x02
#define FLAG_ROLE	2	/* its lowest bit */
#define FLAG_LEARNING	0x10
#define FLAG_FORWARDING	0x20
#define FLAG_AGREEMENT	0x40
#define FLAG_TC_ACK	0x80

static const uint8_t group[] = { 0x01, 0x80, 0xc2, 0, 0, 0 };
static const uint8_t llc[] = { 0x42, 0x42, 0x03 };

bool bpdu_is_for_us(const uint8_t *mac)
{
	return !memcmp(mac, group, sizeof(group));
}

static uint64_t get(const uint8_t *at, unsigned int len)
{
	uint64_t value = 0;

	while (len--)
		value = value << 8 | *at++;
	return value;
}

static void put(uint8_t *at, unsigned int len, uint64_t value)
{
	for (; len--; value >>= 8)
		at[len] = value;
}

/* From 1/256 s, to the nearest one in these limits */
static uint8_t seconds(const uint8_t *at, unsigned int min, unsigned int max)
{
	unsigned int value = (get(at, 2) + 128) / 256;

	return value < min ? min : value > max ? max : value;
}

bool bpdu_parse(struct bpdu *b, const uint8_t *frame, size_t len)
{
	const uint8_t *at = frame + BODY;
	size_t n;

	if (len < BODY + TCN_LEN || memcmp(frame + 14, llc, sizeof(llc)) ||
	    get(at, 2))
		return false;
	n = get(frame + 12, 2);
	if (n < sizeof(llc) + TCN_LEN || n > len - 14)
		return false;
	n -= sizeof(llc);
	*b = (struct bpdu){ .kind = BPDU_TCN };
	if (at[TYPE] == TYPE_TCN)
		return true;
	if (at[TYPE] == TYPE_RST ? n < RST_LEN || at[VERSION] < 2 :
				   at[TYPE] != TYPE_CONFIG || n < CONFIG_LEN)
		return false;
	b->kind = at[TYPE] == TYPE_RST ? BPDU_RST : BPDU_CONFIG;
	b->tc = at[FLAGS] & FLAG_TC;
	b->role = BPDU_DESIGNATED;
	if (b->kind == BPDU_CONFIG) {
		b->tc_ack = at[FLAGS] & FLAG_TC_ACK;
	} else {
		b->role = at[FLAGS] >> FLAG_ROLE & 3;
		b->proposal = at[FLAGS] & FLAG_PROPOSAL;
		b->agreement = at[FLAGS] & FLAG_AGREEMENT;
		b->learning = at[FLAGS] & FLAG_LEARNING;
		b->forwarding = at[FLAGS] & FLAG_FORWARDING;
	}
	b->vector = (struct stp_vector){ get(at + ROOT, 8), get(at + COST, 4),
					 get(at + BRIDGE, 8),
					 get(at + PORT, 2) };
	b->times = (struct stp_times){
		seconds(at + AGE, 0, 255), seconds(at + MAX_AGE, 6, 40),
		seconds(at + HELLO, 1, 10), seconds(at + FORWARD_DELAY, 4, 30) };
	/* What is too old says nothing */
	return get(at + AGE, 2) < get(at + MAX_AGE, 2);
}

static uint8_t flags_of(const struct bpdu *b)
{
	uint8_t flags = b->tc ? FLAG_TC : 0;

	if (b->kind == BPDU_CONFIG)
		return flags | (b->tc_ack ? FLAG_TC_ACK : 0);
	return flags | b->role << FLAG_ROLE |
	       (b->proposal ? FLAG_PROPOSAL : 0) |
	       (b->agreement ? FLAG_AGREEMENT : 0) |
	       (b->learning ? FLAG_LEARNING : 0) |
	       (b->forwarding ? FLAG_FORWARDING : 0);
}

void bpdu_write(uint8_t frame[BPDU_FRAME], const struct bpdu *b,
		const uint8_t *mac)
{
	static const uint8_t lens[] = { CONFIG_LEN, TCN_LEN, RST_LEN };
	static const uint8_t types[] = { TYPE_CONFIG, TYPE_TCN, TYPE_RST };
	uint8_t *at = frame + BODY;

	memset(frame, 0, BPDU_FRAME);
	memcpy(frame, group, sizeof(group));
	memcpy(frame + 6, mac, 6);
	put(frame + 12, 2, sizeof(llc) + lens[b->kind]);
	memcpy(frame + 14, llc, sizeof(llc));
	at[VERSION] = b->kind == BPDU_RST ? 2 : 0;
	at[TYPE] = types[b->kind];
	if (b->kind == BPDU_TCN)
		return;
	at[FLAGS] = flags_of(b);
	put(at + ROOT, 8, b->vector.root);
	put(at + COST, 4, b->vector.cost);
	put(at + BRIDGE, 8, b->vector.bridge);
	put(at + PORT, 2, b->vector.port);
	put(at + AGE, 2, b->times.age * 256u);
	put(at + MAX_AGE, 2, b->times.max_age * 256u);
	put(at + HELLO, 2, b->times.hello * 256u);
	put(at + FORWARD_DELAY, 2, b->times.forward_delay * 256u);
}
