// SPDX-License-Identifier: GPL-2.0
/*
 * The switch's core with ports that a test plays: what goes where, with which tag,
 * how often, and that all is counted. The test of all pairs is after RFC 2889.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail
#include "net/switch/switch.h"
#include "tests/played_port.h"

#define STATIONS	16
#define MOST		64

/**
 * struct station - what is plugged into a port
 * @plug: the switch's port
 * @full: it takes none
 * @frames: how many came
 * @flushed: how often the switch was done
 * @last: the frame that came last, @len bytes
 * @order: of each sender the number of the last frame
 */
static struct station {
	struct port port;
	struct switch_port *plug;
	bool full;
	unsigned int frames, flushed;
	uint8_t last[FRAME_MAX + 4];
	size_t len;
	uint32_t order[MOST];
} station[MOST];

static struct ether_switch *sw;
static struct error error;

static bool station_receive(struct port *port, const struct frame *frame)
{
	struct station *s = (struct station *)port;

	if (s->full)
		return false;
	s->frames++;
	s->len = frame_peek(frame, s->last, sizeof(s->last));
	assert_int_equal(s->len, frame->len);
	port_sent(port, frame);
	return true;
}

static void station_flush(struct port *port)
{
	((struct station *)port)->flushed++;
}

static struct station *plug(unsigned int i, const char *vlan, bool isolated)
{
	static const struct port_ops ops = { .receive = station_receive,
					     .flush = station_flush };
	struct switch_config config = { .name = "station", .vlan = vlan,
					.isolated = isolated };
	struct station *s = &station[i];

	memset(s, 0, sizeof(*s));
	s->port = (struct port){ .ops = &ops, .link = true };
	s->plug = switch_add(sw, NULL, &config, &error);
	assert_non_null(s->plug);
	port_connect(&s->plug->port, &s->port);
	return s;
}

/* What the ports that are gone have counted */
static uint64_t gone_copies, gone_to;

static void unplug(unsigned int i)
{
	gone_copies += station[i].plug->copies;
	gone_to += station[i].plug->port.to_peer.in;
	switch_remove(station[i].plug);
}

static int setup(void **state)
{
	gone_copies = gone_to = 0;
	sw = calloc(1, sizeof(*sw));
	assert_non_null(sw);
	sw->macs.seed = 0x1234567;
	error = (struct error){ 0 };
	return 0;
}

/* All counters add up, whatever a test has done */
static int teardown(void **state)
{
	uint64_t copies = gone_copies, to = gone_to;
	unsigned int i;

	for (i = 0; i < SWITCH_PORTS; i++) {
		const struct switch_port *p = &sw->port[i];

		if (!(sw->used >> i & 1))
			continue;
		assert_int_equal(p->port.from_peer.in,
				 sum_of(&p->port.from_peer));
		assert_int_equal(p->port.to_peer.in, sum_of(&p->port.to_peer));
		copies += p->copies;
		to += p->port.to_peer.in;
	}
	assert_int_equal(copies, to);
	free(sw);
	return 0;
}

static void set_mac(uint8_t *mac, unsigned int number)
{
	const uint8_t value[MAC_LEN] = { 2, 0, number >> 24, number >> 16,
					 number >> 8, number };

	memcpy(mac, value, MAC_LEN);
}

static uint8_t bytes[FRAME_MAX + 64];

/* In pieces of @piece bytes */
static void send_bytes(struct station *s, size_t len, size_t piece)
{
	struct frame frame = { .len = len };
	struct iovec iov[160];
	size_t at;

	for (at = 0; at < len; at += piece)
		iov[frame.niov++] = (struct iovec){ bytes + at,
			piece < len - at ? piece : len - at };
	frame.iov = iov;
	assert_true(port_send(&s->port, &frame));
	port_flush(&s->port);
}

static size_t fill(unsigned int to, unsigned int from, int tag)
{
	size_t at = 2 * MAC_LEN;

	set_mac(bytes, to);
	if (to == ~0u)
		memset(bytes, 0xff, MAC_LEN);
	set_mac(bytes + MAC_LEN, from);
	if (tag >= 0) {
		memcpy(bytes + at, "\x81\0", 2);
		bytes[at + 2] = tag >> 8;
		bytes[at + 3] = tag;
		at += 4;
	}
	memcpy(bytes + at, "\x88\xb5", 2);
	return at + 2;
}

static void send_frame(struct station *s, unsigned int to, unsigned int from,
		       int tag)
{
	size_t n = fill(to, from, tag);

	memset(bytes + n, 0x5a, 60);
	send_bytes(s, n + 60, 7);
}

static void clear(void)
{
	unsigned int i;

	for (i = 0; i < MOST; i++)
		station[i].frames = station[i].flushed = 0;
}

/* The last frame has this tag, -1: none, and what is behind it */
static void assert_tag(const struct station *s, int tag)
{
	const uint8_t *at = s->last + 2 * MAC_LEN;
	const uint8_t wanted[] = { 0x81, 0, tag >> 8, tag };

	if (tag >= 0) {
		assert_memory_equal(at, wanted, 4);
		at += 4;
	}
	assert_memory_equal(at, "\x88\xb5\x5a\x5a", 4);
	assert_int_equal(s->last + s->len - at, 62);
}

static void learning(void **state)
{
	plug(0, NULL, false);
	plug(1, NULL, false);
	plug(2, NULL, false);
	/* To all, who are flushed once; not back */
	send_frame(&station[0], 101, 100, -1);
	assert_int_equal(station[0].frames, 0);
	assert_int_equal(station[1].frames, 1);
	assert_int_equal(station[2].frames, 1);
	assert_int_equal(station[1].flushed, 1);
	assert_tag(&station[1], -1);
	/* It is known now, and so is the other one */
	send_frame(&station[1], 100, 101, -1);
	assert_int_equal(station[0].frames, 1);
	assert_int_equal(station[2].frames, 1);
	send_frame(&station[0], 101, 100, -1);
	assert_int_equal(station[1].frames, 2);
	assert_int_equal(station[2].frames, 1);
	/* To itself */
	send_frame(&station[0], 100, 100, -1);
	assert_int_equal(station[0].plug->port.from_peer.dropped[DROP_NOBODY],
			 1);
	/* It moves */
	send_frame(&station[2], 101, 100, -1);
	clear();
	send_frame(&station[1], 100, 101, -1);
	assert_int_equal(station[2].frames, 1);
	assert_int_equal(station[0].frames, 0);
	/* Its link goes, and it is searched for again */
	station[2].port.link = false;
	port_changed(&station[2].port);
	clear();
	send_frame(&station[1], 100, 101, -1);
	assert_int_equal(station[0].frames, 1);
	assert_int_equal(station[2].frames, 0);
	/* A port that goes is nobody's */
	unplug(0);
	assert_null(station[0].port.peer);
	send_frame(&station[1], 100, 101, -1);
	assert_int_equal(station[1].plug->port.from_peer.dropped[DROP_NOBODY],
			 1);
}

static void ageing(void **state)
{
	plug(0, NULL, false);
	plug(1, NULL, false);
	plug(2, NULL, false);
	switch_tick(sw, 1000);
	send_frame(&station[0], ~0u, 100, -1);
	switch_tick(sw, 1000 + MACS_AGE - 1);
	clear();
	send_frame(&station[1], 100, 101, -1);
	assert_int_equal(station[2].frames, 0);
	switch_tick(sw, 1000 + MACS_AGE);
	send_frame(&station[1], 100, 101, -1);
	assert_int_equal(station[2].frames, 1);
	/* Who speaks stays */
	send_frame(&station[0], ~0u, 100, -1);
	switch_tick(sw, 1000 + 2 * MACS_AGE - 1);
	clear();
	send_frame(&station[1], 100, 101, -1);
	assert_int_equal(station[0].frames, 1);
	assert_int_equal(station[2].frames, 0);
}

static void wrong_frames(void **state)
{
	struct station *s = plug(0, NULL, false);
	const struct port_count *c = &s->plug->port.from_peer;

	plug(1, NULL, false);
	fill(101, 100, -1);
	send_bytes(s, 13, 13);
	assert_int_equal(c->dropped[DROP_LENGTH], 1);
	/* Nothing behind the tag */
	fill(101, 100, 5);
	send_bytes(s, 17, 17);
	assert_int_equal(c->dropped[DROP_LENGTH], 2);
	send_bytes(s, 18, 18);
	assert_int_equal(station[1].frames, 1);
	fill(101, 100, -1);
	bytes[MAC_LEN] |= 1;
	send_bytes(s, 60, 60);
	assert_int_equal(c->dropped[DROP_SOURCE], 1);
	/* LACP and pause frames stay here, a spanning tree's does not */
	fill(101, 100, -1);
	memcpy(bytes, "\x01\x80\xc2\0\0\x02", MAC_LEN);
	send_bytes(s, 60, 60);
	assert_int_equal(c->dropped[DROP_LOCAL], 1);
	bytes[5] = 0;
	send_bytes(s, 60, 60);
	assert_int_equal(station[1].frames, 2);
	/* In more pieces than there is room for */
	fill(101, 100, -1);
	send_bytes(s, 160, 1);
	assert_int_equal(station[1].frames, 3);
	assert_int_equal(station[1].len, 160);
	assert_memory_equal(station[1].last, bytes, 160);
}

static void vlans(void **state)
{
	struct station *a = plug(0, "10", false), *b = plug(1, "10", false),
		       *c = plug(2, "20", false),
		       *trunk = plug(3, "trunk:10+20", false),
		       *native = plug(4, "trunk/10", false);
	size_t n;

	send_frame(a, ~0u, 100, -1);
	assert_int_equal(b->frames, 1);
	assert_int_equal(c->frames, 0);
	assert_tag(b, -1);
	assert_tag(trunk, 10);
	assert_tag(native, -1);
	/* A guest's own tag leads nowhere, but for one that is a priority */
	send_frame(a, ~0u, 100, 20);
	send_frame(a, ~0u, 100, 10);
	assert_int_equal(a->plug->port.from_peer.dropped[DROP_VLAN], 2);
	send_frame(a, ~0u, 100, 5 << 13);
	assert_tag(b, -1);
	assert_tag(trunk, 5 << 13 | 10);
	/* Nor does one behind that, nor one of a provider's */
	n = fill(~0u, 100, 0);
	memcpy(bytes + n - 2, "\x81\0\0\x14\x88\xb5", 6);
	send_bytes(a, 60, 16);
	n = fill(~0u, 100, -1);
	memcpy(bytes + n - 2, "\x88\xa8\0\x14\x88\xb5", 6);
	send_bytes(a, 60, 16);
	assert_int_equal(a->plug->port.from_peer.dropped[DROP_VLAN], 4);
	/* From a trunk, by the tag; without one there is none; 30 is not its */
	clear();
	send_frame(trunk, ~0u, 101, 20);
	assert_int_equal(b->frames, 0);
	assert_tag(c, -1);
	assert_tag(native, 20);
	send_frame(trunk, ~0u, 101, -1);
	send_frame(trunk, ~0u, 101, 30);
	send_frame(trunk, ~0u, 101, 4095);
	assert_int_equal(trunk->plug->port.from_peer.dropped[DROP_VLAN], 3);
	send_frame(native, ~0u, 102, 4095);
	assert_int_equal(native->plug->port.from_peer.dropped[DROP_VLAN], 1);
	/* The same address in two VLANs is two stations */
	send_frame(a, ~0u, 7, -1);
	send_frame(c, ~0u, 7, -1);
	clear();
	send_frame(trunk, 7, 101, 10);
	assert_int_equal(a->frames, 1);
	assert_int_equal(b->frames + c->frames + native->frames, 0);
	send_frame(trunk, 7, 101, 20);
	assert_int_equal(c->frames, 1);
	/* What was learned of a port goes with its VLANs */
	assert_int_equal(vlan_parse(&(struct vlans){ 0 }, "x", &error), -1);
	switch_set_vlans(a->plug, &c->plug->vlans);
	clear();
	send_frame(c, ~0u, 101, -1);
	assert_int_equal(a->frames, 1);
	assert_int_equal(b->frames, 0);
}

/* Between trunks, too, it leads into no VLAN that the sender is not in */
static void second_tags(void **state)
{
	struct station *from = plug(0, "trunk:10/5", false),
		       *to = plug(1, "trunk:20/5", false),
		       *guest = plug(2, "5", false);
	size_t n;
	int tag;

	for (tag = 0; tag <= 5; tag += 5) {
		n = fill(~0u, 100, tag);
		memcpy(bytes + n - 2, "\x81\0\0\x14\x88\xb5", 6);
		send_bytes(from, 60, 16);
		assert_memory_equal(to->last + 12, "\x81\0\0\5\x81\0\0\x14", 8);
		assert_memory_equal(guest->last + 12, "\x81\0\0\x14", 4);
	}
	/* What came without one is as it came */
	n = fill(~0u, 100, -1);
	memcpy(bytes + n - 2, "\x88\xa8\0\x14\x88\xb5", 6);
	send_bytes(from, 60, 16);
	assert_memory_equal(to->last, bytes, 60);
}

static void isolation(void **state)
{
	plug(0, NULL, true);
	plug(1, NULL, true);
	plug(2, NULL, false);
	send_frame(&station[0], ~0u, 100, -1);
	assert_int_equal(station[1].frames, 0);
	assert_int_equal(station[2].frames, 1);
	/* Known, and still not for it */
	send_frame(&station[1], 100, 101, -1);
	assert_int_equal(station[0].frames, 0);
	assert_int_equal(station[1].plug->port.from_peer.dropped[DROP_NOBODY],
			 1);
	send_frame(&station[2], 100, 102, -1);
	assert_int_equal(station[0].frames, 1);
}

static void mirror(void **state)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		plug(i, i == 1 ? "10" : NULL, false);
	switch_mirror(sw, 1 << 0, station[3].plug);
	/* From it, and to it; once, though they are several */
	send_frame(&station[0], ~0u, 100, -1);
	assert_int_equal(station[3].frames, 1);
	send_frame(&station[2], 100, 102, -1);
	assert_int_equal(station[3].frames, 2);
	assert_int_equal(station[0].frames, 1);
	/* Not between others; what is dropped is seen, too */
	send_frame(&station[2], 103, 102, 10);
	assert_int_equal(station[3].frames, 3);
	send_frame(&station[1], 102, 101, -1);
	assert_int_equal(station[3].frames, 3);
	send_frame(&station[0], 100, 100, -1);
	assert_int_equal(station[3].frames, 4);
	/* The end sends nothing */
	send_frame(&station[3], ~0u, 103, -1);
	assert_int_equal(station[3].plug->port.from_peer.dropped[DROP_MIRROR],
			 1);
	switch_mirror(sw, ~0ull, station[3].plug);
	clear();
	send_frame(&station[1], ~0u, 101, -1);
	assert_int_equal(station[3].frames, 1);
	/* No more of it when its end goes, or is told to */
	unplug(3);
	assert_null(sw->mirror);
	plug(3, NULL, false);
	send_frame(&station[3], ~0u, 103, -1);
	assert_int_equal(station[0].frames, 2);
}

static void full_receiver(void **state)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		plug(i, NULL, false);
	station[1].full = true;
	for (i = 0; i < 10; i++)
		send_frame(&station[0], ~0u, 100, -1);
	assert_int_equal(station[2].frames, 10);
	assert_int_equal(station[1].plug->port.to_peer.dropped[DROP_FULL], 10);
	assert_int_equal(station[0].plug->port.from_peer.out, 10);
	assert_int_equal(station[0].plug->copies, 20);
}

/* One address, in ARP as well, with a tag or without */
static void locked(void **state)
{
	const struct port_count *c;
	unsigned int tag, n;

	plug(0, NULL, false);
	plug(1, NULL, false);
	station[0].plug->locked = true;
	c = &station[0].plug->port.from_peer;
	send_frame(&station[0], ~0u, 100, -1);
	send_frame(&station[0], ~0u, 101, -1);
	assert_int_equal(c->dropped[DROP_FORGED], 1);
	send_frame(&station[0], ~0u, 100, -1);
	assert_int_equal(station[1].frames, 2);
	for (tag = 0; tag < 2; tag++) {
		n = fill(~0u, 100, tag ? 7 : -1);
		memcpy(bytes + n - 2, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
		set_mac(bytes + n + 8, 100);
		memset(bytes + n + 14, 9, 20);
		send_bytes(&station[0], n + 34, 5);
		assert_int_equal(station[1].frames, 3 + tag);
		assert_int_equal(station[1].len, n + 34);
		assert_memory_equal(station[1].last, bytes, n + 34);
		set_mac(bytes + n + 8, 1);
		send_bytes(&station[0], n + 34, 5);
		assert_int_equal(c->dropped[DROP_FORGED], 2 + tag);
	}
	/* What was forged is not learned */
	clear();
	send_frame(&station[1], 101, 1, -1);
	assert_int_equal(sw->macs.of_port[0], 2);
}

static void storm(void **state)
{
	const struct port_count *c;
	unsigned int i;

	plug(0, NULL, false);
	plug(1, NULL, false);
	station[0].plug->storm = 5;
	c = &station[0].plug->port.from_peer;
	for (i = 0; i < 9; i++)
		send_frame(&station[0], ~0u, 100, -1);
	assert_int_equal(station[1].frames, 5);
	assert_int_equal(c->dropped[DROP_STORM], 4);
	/* What is for one who is known is none; and the next second is another */
	send_frame(&station[1], 100, 101, -1);
	send_frame(&station[0], 101, 100, -1);
	assert_int_equal(station[1].frames, 6);
	switch_tick(sw, 1);
	send_frame(&station[0], ~0u, 100, -1);
	assert_int_equal(station[1].frames, 7);
}

/* Who came, from whom, and as which one: none is lost, doubled or late */
static void check_pair(struct station *to, unsigned int from, uint32_t number,
		       size_t len)
{
	uint32_t got;

	assert_int_equal(to->frames, 1);
	assert_int_equal(to->len, len);
	assert_memory_equal(to->last, bytes, len);
	memcpy(&got, to->last + FRAME_MIN, 4);
	assert_int_equal(got, number);
	assert_true(got == to->order[from] + 1);
	to->order[from] = got;
	to->frames = 0;
}

static void all_pairs(void **state)
{
	static const size_t sizes[] = { 60, 64, 65, 128, 256, 512, 1024, 1280,
		1514, 1518, 4096, 9000, FRAME_MAX };
	uint32_t number = 0;
	unsigned int i, a, b, round;

	for (i = 0; i < STATIONS; i++) {
		plug(i, NULL, false);
		send_frame(&station[i], ~0u, i, -1);
	}
	clear();
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 7;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (round = 0; round < 3; round++) {
			number++;
			for (a = 0; a < STATIONS; a++) {
				for (b = 0; b < STATIONS; b++) {
					if (a == b)
						continue;
					fill(b, a, -1);
					memcpy(bytes + FRAME_MIN, &number, 4);
					send_bytes(&station[a], sizes[i], 4096);
					check_pair(&station[b], a, number,
						   sizes[i]);
				}
			}
		}
	}
	for (i = 0; i < STATIONS; i++)
		assert_int_equal(station[i].frames, 0);
}

static void a_thousand_macs(void **state)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		plug(i, NULL, false);
	for (i = 0; i < 1000; i++)
		send_frame(&station[0], ~0u, 1000 + i, -1);
	clear();
	for (i = 0; i < 1000; i++)
		send_frame(&station[1], 1000 + i, 1, -1);
	assert_int_equal(station[0].frames, 1000);
	assert_int_equal(station[2].frames, 0);
}

/* Who forges addresses loses only his own share of the table */
static void forged_macs(void **state)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		plug(i, NULL, false);
	send_frame(&station[2], ~0u, 7, -1);
	for (i = 0; i < 100000; i++)
		send_frame(&station[0], 7, 1000 + i, -1);
	assert_int_equal(sw->macs.of_port[0], MACS_PER_PORT);
	assert_int_equal(station[0].plug->unlearned, 100000 - MACS_PER_PORT);
	assert_int_equal(station[1].frames, 1);
	/* The others are found, and can be learned */
	clear();
	send_frame(&station[1], 7, 8, -1);
	assert_int_equal(station[2].frames, 1);
	assert_int_equal(station[0].frames, 0);
	send_frame(&station[2], 8, 7, -1);
	assert_int_equal(station[1].frames, 1);
	/* All of it, by all: a port's share is always there */
	for (i = 3; i < SWITCH_PORTS; i++)
		plug(i, NULL, false);
	for (i = 0; i < SWITCH_PORTS * (MACS_PER_PORT + 8); i++)
		send_frame(&station[i % SWITCH_PORTS], 7, 1000000 + i, -1);
	assert_int_equal(sw->macs.used, MACS);
	assert_null(switch_add(sw, NULL, &(struct switch_config){ 0 }, &error));
	assert_non_null(strstr(error.text, "all 64 ports"));
	switch_tick(sw, MACS_AGE);
	for (i = 0; i < SWITCH_PORTS; i++)
		assert_int_equal(sw->macs.of_port[i], 0);
	send_frame(&station[0], ~0u, 1000, -1);
	assert_int_equal(sw->macs.of_port[0], 1);
}

static void texts(void **state)
{
	static const char *const good[][2] = { { "10", "10" },
		{ "4094", "4094" }, { "trunk", "trunk/1" },
		{ "trunk/0", "trunk/0" }, { "trunk/5", "trunk/5" },
		{ "trunk:10", "trunk:10/0" },
		{ "trunk:10+20-30+21", "trunk:10+20-30/0" },
		{ "trunk:1-4094", "trunk/0" }, { "trunk:7/9", "trunk:7+9/9" } };
	static const char *const bad[] = { "", "0", "4095", "10x", "10/1", "-1",
		"trunk:", "trunk:0", "trunk:5-4", "trunk:5-", "trunk:4095",
		"trunk:1+", "trunk/", "trunk/4095", "trunkx", "trunk:1/2/3",
		"99999999999999" };
	struct switch_config config = { 0 };
	char text[40], options[] = "vlan=trunk:1+2,isolated,name=x,storm=7,locked";
	struct vlans v;
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(vlan_parse(&v, good[i][0], &error), 0);
		vlan_text(&v, text, sizeof(text));
		assert_string_equal(text, good[i][1]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vlan_parse(&v, bad[i], &error), -1);
	/* As far as it fits */
	assert_int_equal(vlan_parse(&v, "trunk:100+200+300", &error), 0);
	for (i = 1; i < sizeof(text); i++) {
		memset(text, 'x', sizeof(text));
		vlan_text(&v, text, i);
		assert_true(strnlen(text, i) < i);
		assert_true(i == sizeof(text) || text[i] == 'x');
	}
	assert_int_equal(options_parse(switch_options, &config, options, false,
				       &error), 0);
	assert_string_equal(config.vlan, "trunk:1+2");
	assert_true(config.isolated && config.locked);
	assert_int_equal(config.storm, 7);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(learning), TEST(ageing), TEST(wrong_frames), TEST(vlans),
		TEST(second_tags), TEST(isolation), TEST(mirror),
		TEST(full_receiver),
		TEST(locked), TEST(storm), TEST(all_pairs), TEST(a_thousand_macs), TEST(forged_macs),
		TEST(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
