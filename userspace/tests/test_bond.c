// SPDX-License-Identifier: GPL-2.0
/* Bonds: two of them with wires between, or one and whoever is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail
#include "net/bond/lacp.h"
#include "tests/played_port.h"

#define WIRES	3
#define SECOND	1000000000ull

/* One end of a wire, as a bond's link has it */
struct wire_end {
	struct port port;
	struct wire_end *other;
	bool cut, full;			/* frames are lost; they wait */
	unsigned int frames, slow, readied; /* of LACP: slow */
	uint8_t bytes[FRAME_MAX];	/* of the last one */
	size_t len;
};

static struct wire_end wire[2][WIRES];
static struct played_port nic[2];
static struct port *bond[2];
static struct error error;
static struct vm_clock vm_clock;
static struct loop loop;

static bool wire_receive(struct port *port, const struct frame *frame)
{
	struct wire_end *e = (struct wire_end *)port;
	uint8_t head[FRAME_MIN];

	if (e->full)
		return false;
	frame_peek(frame, head, sizeof(head));
	if (head[12] == 0x88 && head[13] == 0x09)
		e->slow++;
	else
		e->frames++;
	e->len = frame_peek(frame, e->bytes, sizeof(e->bytes));
	port_sent(port, frame);
	if (e->other && !e->cut)
		assert_true(port_send(&e->other->port, frame));
	return true;
}

static void wire_ready(struct port *port)
{
	((struct wire_end *)port)->readied++;
}

static void wire_close(struct port *port)
{
}

static int setup(void **state)
{
	static const struct port_ops ops = { .receive = wire_receive,
					     .ready = wire_ready,
					     .close = wire_close };
	unsigned int i, j;

	vm_clock_init(&vm_clock, SECOND);
	assert_int_equal(loop_init(&loop, &vm_clock), 0);
	error = (struct error){ 0 };
	memset(wire, 0, sizeof(wire));
	for (i = 0; i < 2; i++) {
		for (j = 0; j < WIRES; j++)
			wire[i][j].port = (struct port){
				.ops = &ops, .link = true, .name = "wire",
				.takes = PORT_CSUM, .gives = PORT_CSUM };
		played_init(&loop);
		nic[i] = played;
	}
	return 0;
}

static void make_bond(unsigned int i, const struct bond_config *config)
{
	const uint8_t mac[] = { 2, 0, 0, 0, 0, i };
	struct port *member[WIRES];
	unsigned int j;

	for (j = 0; j < WIRES; j++)
		member[j] = &wire[i][j].port;
	bond[i] = bond_new(config, member, mac);
	assert_non_null(bond[i]);
	bond[i]->loop = &loop;
	port_connect(&nic[i].port, bond[i]);
}

static void make_both(struct bond_config config)
{
	unsigned int i;

	config.links = WIRES;
	for (i = 0; i < WIRES; i++) {
		wire[0][i].other = &wire[1][i];
		wire[1][i].other = &wire[0][i];
	}
	make_bond(0, &config);
	make_bond(1, &config);
	for (i = 0; i < 2; i++)
		assert_int_equal(net_start(bond[i], &loop, &error), 0);
}

static void make_one(struct bond_config config)
{
	config.links = WIRES;
	make_bond(0, &config);
	assert_int_equal(net_start(bond[0], &loop, &error), 0);
}

static void check_counts(const struct port *port)
{
	assert_int_equal(port->to_peer.in, sum_of(&port->to_peer));
	assert_int_equal(port->from_peer.in, sum_of(&port->from_peer));
}

static int teardown(void **state)
{
	unsigned int i, j;

	for (i = 0; i < 2 && bond[i]; i++) {
		check_counts(bond[i]);
		check_counts(&nic[i].port);
		for (j = 0; j < WIRES; j++)
			check_counts(&wire[i][j].port);
		port_disconnect(&nic[i].port);
		net_close(bond[i]);
		bond[i] = NULL;
	}
	loop_destroy(&loop);
	return 0;
}

/* Time goes on for so many tenths of a second */
static void pass(unsigned int tenths)
{
	unsigned int i;

	while (tenths--) {
		vm_clock.stopped_at += SECOND / 10;
		for (i = 0; i < 2 && bond[i]; i++)
			port_changed(&wire[i][0].port);
	}
}

static void set_link(unsigned int i, bool up)
{
	port_set_link(&wire[0][i].port, up);
	port_set_link(&wire[1][i].port, up);
}

/* UDP by IPv4, whose source port is @flow */
static size_t make_udp(uint8_t *bytes, uint16_t flow)
{
	static const uint8_t head[] = {
		2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 1, 0x08, 0,
		0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0,
		10, 0, 0, 1, 10, 0, 0, 2 };

	memset(bytes, 0, 64);
	memcpy(bytes, head, sizeof(head));
	bytes[34] = flow >> 8;
	bytes[35] = flow;
	return 64;
}

static bool send_bytes(struct port *port, const void *bytes, size_t len)
{
	const struct iovec iov = { (void *)bytes, len };
	const struct frame frame = { { 0 }, &iov, 1, len };
	bool taken = port_send(port, &frame);

	port_flush(port);
	return taken;
}

static bool send_flow(struct port *port, uint16_t flow)
{
	uint8_t bytes[64];
	size_t len = make_udp(bytes, flow);

	return send_bytes(port, bytes, len);
}

static unsigned int carried(unsigned int i)
{
	unsigned int j, n = 0;

	for (j = 0; j < WIRES; j++) {
		n += wire[i][j].frames > 0;
		wire[i][j].frames = 0;
	}
	return n;
}

/* So many flows, each of whose frames arrives once. How many wires had some? */
static unsigned int send_flows(unsigned int from, unsigned int flows)
{
	unsigned int i, before = nic[!from].frames;

	carried(from);
	for (i = 0; i < flows; i++)
		assert_true(send_flow(&nic[from].port, i));
	assert_int_equal(nic[!from].frames - before, flows);
	return carried(from);
}

static void lacp_joins(void **state)
{
	make_both((struct bond_config){ .mode = BOND_8023AD,
					.hash = BOND_LAYER3_4 });
	assert_false(bond[0]->link);
	/* AGGREGATE_WAIT_TIME, and what both have to say then */
	pass(19);
	assert_false(bond[0]->link);
	pass(6);
	assert_true(bond[0]->link);
	assert_true(bond[1]->link);
	assert_int_equal(send_flows(0, 100), 3);
	assert_int_equal(send_flows(1, 100), 3);
}

static void lacp_speaks_seldom(void **state)
{
	unsigned int before;

	make_both((struct bond_config){ .mode = BOND_8023AD });
	pass(100);
	before = wire[0][0].slow;
	pass(600);
	/* Each 30 s, or a little more often by what it was before */
	assert_in_range(wire[0][0].slow - before, 2, 4);
}

static void lacp_speaks_each_second(void **state)
{
	unsigned int before;

	make_both((struct bond_config){ .mode = BOND_8023AD, .fast = true });
	pass(100);
	before = wire[0][0].slow;
	pass(100);
	assert_in_range(wire[0][0].slow - before, 9, 11);
}

static void a_link_is_cut(void **state)
{
	make_both((struct bond_config){ .mode = BOND_8023AD,
					.hash = BOND_LAYER3_4 });
	pass(50);
	set_link(1, false);
	assert_int_equal(send_flows(0, 100), 2);
	assert_int_equal(send_flows(1, 100), 2);
	set_link(0, false);
	set_link(2, false);
	assert_false(bond[0]->link);
	set_link(1, true);
	pass(50);
	assert_true(bond[0]->link);
	assert_int_equal(send_flows(0, 100), 1);
	set_link(0, true);
	set_link(2, true);
	pass(50);
	assert_int_equal(send_flows(1, 100), 3);
}

/* The link seems to be there, but nothing arrives: only LACP can tell */
static void a_link_is_dead(void **state)
{
	make_both((struct bond_config){ .mode = BOND_8023AD, .fast = true,
					.hash = BOND_LAYER3_4 });
	pass(50);
	wire[0][1].cut = wire[1][1].cut = true;
	pass(35);
	assert_int_equal(send_flows(0, 100), 2);
	assert_int_equal(send_flows(1, 100), 2);
	/* And in one direction alone */
	wire[0][1].cut = wire[1][1].cut = false;
	pass(60);
	assert_int_equal(send_flows(0, 100), 3);
	wire[0][2].cut = true;
	pass(40);
	assert_int_equal(send_flows(0, 100), 2);
	assert_int_equal(send_flows(1, 100), 2);
}

static void nobody_speaks_lacp(void **state)
{
	make_one((struct bond_config){ .mode = BOND_8023AD,
				       .hash = BOND_LAYER3_4 });
	pass(29);
	assert_false(bond[0]->link);
	pass(30);
	/* One alone: several would be a loop for whoever is there */
	assert_true(bond[0]->link);
	assert_true(send_flow(&nic[0].port, 1));
	assert_true(send_flow(&nic[0].port, 2));
	assert_true(send_flow(&nic[0].port, 3));
	assert_int_equal(carried(0), 1);
}

static void a_partner_comes(void **state)
{
	struct bond_config config = { .mode = BOND_8023AD, .links = WIRES };

	make_one(config);
	pass(100);
	wire[0][2].other = &wire[1][2];
	wire[1][2].other = &wire[0][2];
	make_bond(1, &config);
	assert_int_equal(net_start(bond[1], &loop, &error), 0);
	pass(100);
	assert_int_equal(send_flows(0, 10), 1);
	assert_true(send_flow(&nic[0].port, 1));
	assert_int_equal(wire[0][2].frames, 1);
}

static struct lacp_info some_actor(uint8_t system)
{
	return (struct lacp_info){ .system = { 2, 0, 0, 0, 0, system },
				   .key = 1, .port = 1 };
}

/* Another system says that it is at the other end of a wire */
static void say(unsigned int i, uint8_t system)
{
	struct lacp_info actor = some_actor(system);
	uint8_t frame[LACP_FRAME];
	struct lacp lacp;

	lacp_init(&lacp, &actor, false);
	lacp_set_link(&lacp, true, SECOND);
	assert_true(lacp_make(&lacp, actor.system, frame, SECOND));
	assert_true(send_bytes(&wire[0][i].port, frame, sizeof(frame)));
}

/* Whichever of its links goes: the first one is nothing special */
static void a_group_stays(void **state)
{
	make_both((struct bond_config){ .mode = BOND_8023AD,
					.hash = BOND_LAYER3_4 });
	pass(50);
	wire[0][0].other = wire[1][0].other = NULL;
	say(0, 9);
	assert_true(bond[0]->link);
	assert_int_equal(send_flows(0, 100), 2);
	assert_int_equal(wire[0][0].frames, 0);
}

/* And before there is one it is the largest, not the first that speaks */
static void the_largest_group(void **state)
{
	struct bond_config config = { .mode = BOND_8023AD, .links = WIRES,
				      .hash = BOND_LAYER3_4 };
	unsigned int i;

	for (i = 1; i < WIRES; i++) {
		wire[0][i].other = &wire[1][i];
		wire[1][i].other = &wire[0][i];
	}
	make_one(config);
	say(0, 9);
	pass(5);
	make_bond(1, &config);
	assert_int_equal(net_start(bond[1], &loop, &error), 0);
	pass(50);
	assert_true(bond[0]->link);
	assert_int_equal(send_flows(0, 100), 2);
}

static void hostile_lacpdus(void **state)
{
	struct lacp_info actor = some_actor(1);
	uint8_t frame[LACP_FRAME], bad[LACP_FRAME];
	struct lacp a, b;

	lacp_init(&a, &actor, true);
	actor = some_actor(2);
	lacp_init(&b, &actor, true);
	lacp_set_link(&b, true, SECOND);
	assert_true(lacp_make(&b, b.actor.system, frame, SECOND));
	/* Without a link */
	assert_false(lacp_take(&a, frame, sizeof(frame), SECOND));
	lacp_set_link(&a, true, SECOND);
	assert_false(lacp_take(&a, frame, sizeof(frame) - 1, SECOND));
	memcpy(bad, frame, sizeof(bad));
	bad[17] = 19;
	assert_false(lacp_take(&a, bad, sizeof(bad), SECOND));
	memcpy(bad, frame, sizeof(bad));
	bad[37] = 21;
	assert_false(lacp_take(&a, bad, sizeof(bad), SECOND));
	/* Its own comes back */
	assert_true(lacp_make(&a, a.actor.system, bad, SECOND));
	assert_false(lacp_take(&a, bad, sizeof(bad), SECOND));
	assert_int_equal(a.lost, 5);
	/* Of a later version, with other types */
	memcpy(bad, frame, sizeof(bad));
	bad[15] = 2;
	bad[16] = bad[36] = 9;
	assert_true(lacp_take(&a, bad, sizeof(bad), SECOND));
	assert_true(lacp_take(&a, frame, sizeof(frame), SECOND));
	assert_int_equal(a.received, 2);
	assert_int_equal(a.partner.system[5], 2);
}

/* A storm gets three answers a second */
static void answers_are_few(void **state)
{
	struct lacp_info actor = some_actor(1);
	uint8_t frame[LACP_FRAME], answer[LACP_FRAME];
	unsigned int i, answers = 0;
	struct lacp a, b;

	lacp_init(&a, &actor, true);
	actor = some_actor(2);
	lacp_init(&b, &actor, true);
	lacp_set_link(&a, true, SECOND);
	lacp_set_link(&b, true, SECOND);
	assert_true(lacp_make(&b, b.actor.system, frame, SECOND));
	for (i = 0; i < 1000; i++) {
		frame[56 - 3] = i;
		assert_true(lacp_take(&a, frame, sizeof(frame),
				      SECOND + i * 1000));
		lacp_run(&a, true, SECOND + i * 1000);
		answers += lacp_make(&a, a.actor.system, answer,
				     SECOND + i * 1000);
		assert_true(lacp_due(&a, SECOND + i * 1000) >
			    SECOND + i * 1000);
	}
	assert_int_equal(answers, 3);
}

static void a_marker(void **state)
{
	uint8_t marker[LACP_FRAME] = {
		0x01, 0x80, 0xc2, 0, 0, 2, 2, 0, 0, 0, 0, 9, 0x88, 0x09,
		2, 1, 1, 16, 0, 7 };

	make_one((struct bond_config){ .mode = BOND_8023AD });
	assert_true(send_bytes(&wire[0][1].port, marker, sizeof(marker)));
	assert_int_equal(wire[0][1].bytes[14], 2);
	assert_int_equal(wire[0][1].bytes[16], 2);
	assert_int_equal(wire[0][1].bytes[19], 7);
	/* It is not the guest's */
	assert_int_equal(nic[0].frames, 0);
}

static void backup(void **state)
{
	make_one((struct bond_config){ .mode = BOND_ACTIVE_BACKUP,
				       .primary = 1 });
	assert_true(bond[0]->link);
	assert_true(send_flow(&nic[0].port, 1));
	assert_int_equal(wire[0][1].frames, 1);
	/* What a spare one gets is not for the guest: it comes by the other, too */
	assert_true(send_flow(&wire[0][0].port, 1));
	assert_int_equal(nic[0].frames, 0);
	assert_true(send_flow(&wire[0][1].port, 1));
	assert_int_equal(nic[0].frames, 1);
	/* Others learn where the guest is now: reverse ARP */
	port_set_link(&wire[0][1].port, false);
	assert_int_equal(wire[0][0].frames, 1);
	assert_memory_equal(wire[0][0].bytes + 6, "\2\0\0\0\1\1\x80\x35", 8);
	assert_true(send_flow(&nic[0].port, 1));
	assert_int_equal(wire[0][0].frames, 2);
	/* The primary one is back; a third one changes nothing */
	port_set_link(&wire[0][2].port, false);
	port_set_link(&wire[0][1].port, true);
	assert_true(send_flow(&nic[0].port, 1));
	assert_int_equal(wire[0][0].frames, 2);
	assert_int_equal(wire[0][1].frames, 3);
	port_set_link(&wire[0][0].port, false);
	port_set_link(&wire[0][1].port, false);
	assert_false(bond[0]->link);
	assert_true(send_flow(&nic[0].port, 1));
	assert_int_equal(nic[0].port.to_peer.dropped[DROP_NO_LINK], 1);
}

static void without_a_primary(void **state)
{
	make_one((struct bond_config){ .primary = BOND_NONE });
	port_set_link(&wire[0][0].port, false);
	port_set_link(&wire[0][0].port, true);
	assert_true(send_flow(&nic[0].port, 1));
	assert_int_equal(wire[0][1].frames, 1);
}

static void broadcast(void **state)
{
	unsigned int i;

	make_one((struct bond_config){ .mode = BOND_BROADCAST });
	wire[0][1].full = true;
	assert_true(send_flow(&nic[0].port, 1));
	wire[0][1].full = false;
	assert_true(send_flow(&nic[0].port, 1));
	for (i = 0; i < WIRES; i++)
		assert_int_equal(wire[0][i].frames, i == 1 ? 1 : 2);
}

static void one_that_is_full(void **state)
{
	unsigned int i, full = WIRES;

	make_one((struct bond_config){ .mode = BOND_BALANCE_XOR,
				       .hash = BOND_LAYER3_4 });
	assert_true(send_flow(&nic[0].port, 5));
	for (i = 0; i < WIRES; i++)
		if (wire[0][i].frames)
			full = i;
	assert_in_range(full, 0, WIRES - 1);
	wire[0][full].full = true;
	assert_false(send_flow(&nic[0].port, 5));
	nic[0].readied = 0;
	wire[0][full].full = false;
	port_ready(&wire[0][full].port);
	assert_true(nic[0].readied > 0);
	/* It is cut while a frame waits: that goes by another one */
	wire[0][full].full = true;
	assert_false(send_flow(&nic[0].port, 5));
	nic[0].readied = 0;
	port_set_link(&wire[0][full].port, false);
	assert_true(nic[0].readied > 0);
	assert_true(send_flow(&nic[0].port, 5));
}

/* The guest takes no more: each link holds what it has, and goes on */
static void a_full_guest(void **state)
{
	make_one((struct bond_config){ .mode = BOND_BALANCE_XOR });
	nic[0].full = true;
	assert_false(send_flow(&wire[0][2].port, 1));
	nic[0].full = false;
	port_ready(&nic[0].port);
	assert_true(send_flow(&wire[0][2].port, 1));
	assert_int_equal(nic[0].frames, 1);
}

static void run_timers(void)
{
	struct timer *t;

	while ((t = loop.timers) && t->when <= vm_clock_now(&vm_clock)) {
		loop_set_timer(&loop, t, 0);
		t->fn(t->ctx);
	}
}

/* LACP goes on behind frames for a guest that takes none: these are dropped in the end */
static void lacp_of_a_full_guest(void **state)
{
	struct wire_end *w = &wire[0][1];

	make_both((struct bond_config){ .mode = BOND_8023AD, .fast = true });
	pass(25);
	nic[0].full = true;
	assert_false(send_flow(&w->port, 1));
	w->readied = 0;
	pass(9);
	run_timers();
	assert_int_equal(w->readied, 0);
	assert_false(send_flow(&w->port, 1));
	pass(1);
	run_timers();
	assert_int_equal(w->readied, 1);
	assert_true(send_flow(&w->port, 1));
	assert_int_equal(w->port.peer->from_peer.dropped[DROP_FULL], 1);
	nic[0].full = false;
	assert_true(send_flow(&w->port, 1));
	assert_int_equal(nic[0].frames, 1);
}

static void offloads(void **state)
{
	make_one((struct bond_config){ .mode = BOND_BALANCE_XOR });
	assert_int_equal(bond[0]->takes, PORT_CSUM);
	assert_int_equal(bond[0]->gives, PORT_CSUM);
	nic[0].port.takes = PORT_CSUM;
	port_changed(&nic[0].port);
	assert_int_equal(wire[0][0].port.peer->takes, PORT_CSUM);
	nic[0].port.takes = 0;
	port_changed(&nic[0].port);
	assert_int_equal(wire[0][0].port.peer->takes, 0);
}

static unsigned int choose(enum bond_hash hash, const uint8_t *bytes,
			   size_t len)
{
	const struct iovec iov = { (void *)bytes, len };
	const struct frame frame = { { 0 }, &iov, 1, len };

	return bond_choose(hash, &frame, 1000003);
}

static void hashes(void **state)
{
	uint8_t a[64], b[64];
	size_t len = make_udp(a, 1);

	make_udp(b, 2);
	assert_int_equal(choose(BOND_LAYER2, a, len),
			 choose(BOND_LAYER2, b, len));
	assert_int_equal(choose(BOND_LAYER2_3, a, len),
			 choose(BOND_LAYER2_3, b, len));
	assert_int_not_equal(choose(BOND_LAYER3_4, a, len),
			     choose(BOND_LAYER3_4, b, len));
	/* Fragments have no ports: all of a packet take one link */
	a[20] = b[20] = 0x20;
	assert_int_equal(choose(BOND_LAYER3_4, a, len),
			 choose(BOND_LAYER3_4, b, len));
	b[33]++;
	assert_int_not_equal(choose(BOND_LAYER2_3, a, len),
			     choose(BOND_LAYER2_3, b, len));
	assert_int_equal(choose(BOND_LAYER2, a, len),
			 choose(BOND_LAYER2, b, len));
	b[11]++;
	assert_int_not_equal(choose(BOND_LAYER2, a, len),
			     choose(BOND_LAYER2, b, len));
	/* Behind a tag */
	make_udp(a, 1);
	make_udp(b, 2);
	memmove(a + 16, a + 12, 48);
	memmove(b + 16, b + 12, 48);
	memcpy(a + 12, "\x81\0\0\5", 4);
	memcpy(b + 12, "\x81\0\0\5", 4);
	assert_int_not_equal(choose(BOND_LAYER3_4, a, len),
			     choose(BOND_LAYER3_4, b, len));
	/* Cut off anywhere */
	while (len--)
		choose(BOND_LAYER3_4, a, len);
}

static int parse(struct net_config *config, const char *text)
{
	static char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	return net_parse(config, copy, &error);
}

static void options(void **state)
{
	struct net_config c;

	assert_int_equal(parse(&c, "bond(tap0,stream:unix=/x),mode=802.3ad,xmit_hash_policy=layer3+4,lacp_rate=fast,mtu=9000"),
			 0);
	assert_string_equal(c.kind, "bond");
	assert_int_equal(c.bond.links, 2);
	assert_string_equal(c.bond.member[1], "stream:unix=/x");
	assert_int_equal(c.bond.mode, BOND_8023AD);
	assert_int_equal(c.bond.hash, BOND_LAYER3_4);
	assert_true(c.bond.fast);
	assert_int_equal(c.mtu, 9000);
	assert_int_equal(parse(&c, "bond(tap0,tap1),primary=tap1"), 0);
	assert_int_equal(c.bond.mode, BOND_ACTIVE_BACKUP);
	assert_int_equal(c.bond.primary, 1);
	assert_int_equal(parse(&c, "bond(tap0)"), 0);
	assert_int_equal(c.bond.primary, BOND_NONE);
	assert_int_equal(parse(&c, "bond(tap0,tap1),primary=tap2"), -1);
	assert_int_equal(parse(&c, "bond(tap0,tap1),mode=4"), -1);
	assert_int_equal(parse(&c, "bond(tap0,tap1"), -1);
	assert_int_equal(parse(&c, "bond(tap0,tap1)mode=broadcast"), -1);
	assert_int_equal(parse(&c, "bond()"), -1);
	assert_int_equal(parse(&c, "bond(tap0,,tap1)"), -1);
	assert_int_equal(parse(&c, "bond(bond(tap0),tap1)"), -1);
	assert_int_equal(parse(&c, "bond(switch=s,tap1)"), -1);
	assert_int_equal(parse(&c, "bond"), -1);
	assert_int_equal(parse(&c, "bond=tap0"), -1);
	assert_int_equal(parse(&c, "bond(1,2,3,4,5,6,7,8,9)"), -1);
	assert_non_null(strstr(error.text, "at most 8"));
	assert_int_equal(parse(&c, "tap,mode=802.3ad"), -1);
	/* The second link cannot be opened: the first one is closed */
	assert_int_equal(parse(&c, "bond(stream:unix=/tmp/none,tap=averyveryverylongname)"),
			 0);
	assert_null(net_open(&c, &error));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(lacp_joins), TEST(lacp_speaks_seldom),
		TEST(lacp_speaks_each_second), TEST(a_link_is_cut),
		TEST(a_link_is_dead), TEST(nobody_speaks_lacp),
		TEST(a_partner_comes), TEST(a_group_stays),
		TEST(the_largest_group), TEST(hostile_lacpdus),
		TEST(answers_are_few), TEST(a_marker), TEST(backup),
		TEST(without_a_primary), TEST(broadcast), TEST(options),
		TEST(one_that_is_full), TEST(a_full_guest),
		TEST(lacp_of_a_full_guest), TEST(offloads), TEST(hashes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
