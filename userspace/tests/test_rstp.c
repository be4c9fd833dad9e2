// SPDX-License-Identifier: GPL-2.0
/*
 * RSTP in a simulated time: bridges and links between them, which are cut. Links that
 * forward at both ends make no loop, and after a while reach whoever can be reached.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail
#include "net/switch/switch.h"
#include "tests/played_port.h"

#define BRIDGES	8
#define LINKS	20
#define QUEUE	4096

static struct rstp bridge[BRIDGES];
static unsigned int bridges, flushes;

/* A cable between two ports; @dead: in this direction */
static struct link {
	unsigned int bridge[2], port[2];
	bool up, dead[2];
} link_[LINKS];
static unsigned int links;

/* Frames on their way */
static struct {
	unsigned int bridge, port;
	size_t len;
	uint8_t frame[BPDU_FRAME];
} queue[QUEUE];
static unsigned int first, end;
static unsigned int sent;
/* Not even for a moment; else: not in the end */
static bool strict;

static void on_send(void *ctx, unsigned int port, const uint8_t *frame,
		    size_t len)
{
	unsigned int from = (struct rstp *)ctx - bridge, i, side;

	sent++;
	assert_true(bpdu_is_for_us(frame));
	for (i = 0; i < links; i++)
		for (side = 0; side < 2; side++) {
			const struct link *l = &link_[i];

			if (!l->up || l->dead[side] ||
			    l->bridge[side] != from || l->port[side] != port)
				continue;
			assert_true(end - first < QUEUE);
			queue[end % QUEUE].bridge = l->bridge[!side];
			queue[end % QUEUE].port = l->port[!side];
			queue[end % QUEUE].len = len;
			memcpy(queue[end++ % QUEUE].frame, frame, len);
		}
}

static void on_flush(void *ctx, unsigned int port)
{
	flushes++;
}

static struct rstp_port *port_of(const struct link *l, unsigned int side)
{
	return &bridge[l->bridge[side]].port[l->port[side]];
}

static bool carries(const struct link *l)
{
	return l->up && !(l->dead[0] && l->dead[1]) &&
	       port_of(l, 0)->forwarding && port_of(l, 1)->forwarding;
}

/* Groups of bridges that are joined by links; false: by one link too many */
static bool join(unsigned int group[BRIDGES], bool all)
{
	unsigned int i, j;
	bool tree = true;

	for (i = 0; i < bridges; i++)
		group[i] = i;
	for (i = 0; i < links; i++) {
		unsigned int a = group[link_[i].bridge[0]];
		unsigned int b = group[link_[i].bridge[1]];

		if (!link_[i].up || (!all && !carries(&link_[i])))
			continue;
		tree &= a != b;
		for (j = 0; j < bridges; j++)
			if (group[j] == a)
				group[j] = b;
	}
	return tree;
}

static void check_no_loop(void)
{
	unsigned int group[BRIDGES];

	assert_true(join(group, false) || !strict);
}

static void deliver(void)
{
	unsigned int done = 0;

	for (; first != end; first++) {
		assert_true(++done < 10000);
		rstp_receive(&bridge[queue[first % QUEUE].bridge],
			     queue[first % QUEUE].port,
			     queue[first % QUEUE].frame,
			     queue[first % QUEUE].len);
		check_no_loop();
	}
}

static void pass(unsigned int seconds)
{
	unsigned int i;

	while (seconds--) {
		for (i = 0; i < bridges; i++) {
			rstp_tick(&bridge[i]);
			check_no_loop();
		}
		deliver();
	}
}

static void add_bridges(unsigned int n, const uint16_t *priority)
{
	for (; bridges < n; bridges++) {
		struct rstp *r = &bridge[bridges];
		const uint8_t mac[] = { 2, 0, 0, 0, 0, bridges };

		*r = (struct rstp){ .send = on_send, .flush = on_flush,
				    .ctx = r };
		rstp_init(r, priority ? priority[bridges] : 0x8000, mac);
	}
}

static void set_link(struct link *l, bool up)
{
	l->up = up;
	rstp_enable(&bridge[l->bridge[0]], l->port[0], up);
	check_no_loop();
	rstp_enable(&bridge[l->bridge[1]], l->port[1], up);
	check_no_loop();
	deliver();
}

static unsigned int free_port(const struct rstp *r)
{
	unsigned int i;

	for (i = 0; r->port[i].used; i++)
		;
	return i;
}

static struct link *add_link(unsigned int a, unsigned int b)
{
	struct link *l = &link_[links++];

	*l = (struct link){ .bridge = { a, b } };
	l->port[0] = free_port(&bridge[a]);
	rstp_add(&bridge[a], l->port[0], false);
	l->port[1] = free_port(&bridge[b]);
	rstp_add(&bridge[b], l->port[1], false);
	set_link(l, true);
	return l;
}

static void check_connected(void)
{
	unsigned int all[BRIDGES], now[BRIDGES], i, j;

	join(all, true);
	join(now, false);
	for (i = 0; i < bridges; i++)
		for (j = 0; j < bridges; j++)
			assert_int_equal(all[i] == all[j], now[i] == now[j]);
}

static int setup(void **state)
{
	bridges = links = first = end = sent = flushes = 0;
	strict = true;
	memset(bridge, 0, sizeof(bridge));
	return 0;
}

/* ---- tests ----------------------------------------------------------------- */

static void two_are_one(void **state)
{
	struct link *l;

	add_bridges(2, NULL);
	l = add_link(0, 1);
	deliver();
	/* Proposed and agreed at once, without a timer */
	assert_true(carries(l));
	assert_int_equal(port_of(l, 0)->role, ROLE_DESIGNATED);
	assert_int_equal(port_of(l, 1)->role, ROLE_ROOT);
	assert_int_equal(bridge[1].root.root, bridge[0].id);
	assert_int_equal(bridge[1].root.cost, RSTP_COST);
	sent = 0;
	pass(20);
	/* Only the designated one speaks, each two seconds */
	assert_in_range(sent, 9, 13);
	set_link(l, false);
	assert_int_equal(bridge[1].root.root, bridge[1].id);
	assert_string_equal(rstp_role_name(port_of(l, 1)), "disabled");
	set_link(l, true);
	assert_true(carries(l));
}

static void a_ring(void **state)
{
	unsigned int i, alternate = 0;

	add_bridges(4, NULL);
	for (i = 0; i < 4; i++)
		add_link(i, (i + 1) % 4);
	deliver();
	pass(10);
	check_connected();
	for (i = 0; i < links; i++)
		alternate += !carries(&link_[i]);
	assert_int_equal(alternate, 1);
	/* Whatever is cut, the others go on at once, and flush what they knew */
	for (i = 0; i < 4; i++) {
		bool carried = carries(&link_[i]);

		flushes = 0;
		set_link(&link_[i], false);
		pass(1);
		check_connected();
		assert_true(!carried || flushes);
		set_link(&link_[i], true);
		pass(10);
		check_connected();
	}
}

/* The one with the least priority is the root, and the cost decides */
static void priorities(void **state)
{
	static const uint16_t priority[] = { 0x8000, 0x8000, 0x1000 };
	struct link *l[3];

	add_bridges(3, priority);
	l[0] = add_link(0, 1);
	l[1] = add_link(1, 2);
	l[2] = add_link(2, 0);
	deliver();
	pass(10);
	assert_int_equal(bridge[0].root.root, bridge[2].id);
	assert_int_equal(bridge[1].root.root, bridge[2].id);
	assert_true(carries(l[1]) && carries(l[2]) && !carries(l[0]));
	assert_string_equal(rstp_role_name(port_of(l[0], 1)), "alternate");
	assert_string_equal(rstp_state_name(port_of(l[0], 1)), "discarding");
	/* The root dies without a word, and what it said is in no loop for ever */
	l[1]->dead[0] = l[1]->dead[1] = l[2]->dead[0] = l[2]->dead[1] = true;
	pass(60);
	assert_int_equal(bridge[0].root.root, bridge[0].id);
	assert_int_equal(bridge[1].root.root, bridge[0].id);
	assert_true(carries(l[0]));
}

/* Two ports of one bridge, joined by somebody who should not have */
static void own_loop(void **state)
{
	struct link *l;

	add_bridges(1, NULL);
	l = add_link(0, 0);
	deliver();
	pass(60);
	assert_false(carries(l));
	assert_string_equal(rstp_role_name(port_of(l, 1)), "backup");
	assert_string_equal(rstp_role_name(port_of(l, 0)), "designated");
}

static void two_links(void **state)
{
	struct link *a, *b;

	add_bridges(2, NULL);
	a = add_link(0, 1);
	b = add_link(0, 1);
	deliver();
	pass(10);
	assert_true(carries(a) && !carries(b));
	set_link(a, false);
	assert_true(carries(b));
	set_link(a, true);
	pass(5);
	assert_true(carries(a) && !carries(b));
}

/* A station says nothing: after three seconds it may speak, and is no change */
static void a_station(void **state)
{
	struct rstp_port *p = &bridge[0].port[0];

	add_bridges(1, NULL);
	rstp_add(&bridge[0], 0, true);
	pass(2);
	assert_false(p->forwarding);
	pass(2);
	assert_true(p->forwarding);
	assert_true(p->oper_edge);
	assert_int_equal(bridge[0].changes, 0);
	rstp_remove(&bridge[0], 0);
	assert_false(bridge[0].port[0].used);
}

static void hear(unsigned int b, unsigned int port, const struct bpdu *bpdu)
{
	static const uint8_t mac[] = { 2, 9, 9, 9, 9, 9 };
	uint8_t frame[BPDU_FRAME];

	bpdu_write(frame, bpdu, mac);
	assert_true(rstp_receive(&bridge[b], port, frame, sizeof(frame)));
}

/* Who speaks 802.1D-1998 is spoken to in that, and ports take their time */
static void an_old_bridge(void **state)
{
	struct bpdu config = { .kind = BPDU_CONFIG,
		.vector = { 1, 100, 2, 0x8001 }, .times = { 1, 20, 2, 15 } };
	const struct bpdu worse = { .kind = BPDU_CONFIG,
		.vector = { ~0ull, 0, ~0ull, 1 }, .times = { 1, 20, 2, 15 } };
	const struct bpdu tcn = { .kind = BPDU_TCN };
	struct rstp_port *p = &bridge[0].port[0], *q = &bridge[0].port[1];
	unsigned int i;

	add_bridges(1, NULL);
	rstp_add(&bridge[0], 0, true);
	rstp_add(&bridge[0], 1, true);
	rstp_add(&bridge[0], 2, true);
	for (i = 0; i < 60; i++) {
		if (i % 2 == 0)
			hear(0, 0, &config);
		/* Of a third one, whose neighbour is the same */
		if (i % 2 == 0)
			hear(0, 2, &worse);
		pass(1);
		/* Listening and learning: neither is shorter than the delay */
		if (i < 30)
			assert_false(bridge[0].port[2].forwarding);
	}
	assert_true(bridge[0].port[2].forwarding);
	assert_false(p->send_rstp);
	assert_int_equal(p->role, ROLE_ROOT);
	assert_int_equal(bridge[0].root.cost, RSTP_COST + 100);
	assert_true(p->forwarding);
	/* A change on the other port, behind which there is one, too */
	sent = 0;
	config.vector = (struct stp_vector){ 5, 0, 5, 1 };
	for (i = 0; i < 60; i++) {
		if (i % 2 == 0) {
			config.vector = (struct stp_vector){ 5, 0, 5, 1 };
			hear(0, 1, &config);
			config.vector = (struct stp_vector){ 1, 100, 2,
							     0x8001 };
			hear(0, 0, &config);
		}
		pass(1);
	}
	assert_int_equal(q->role, ROLE_DESIGNATED);
	assert_true(q->forwarding);
	assert_true(sent > 30);
	hear(0, 1, &tcn);
	/* It is acknowledged, and goes on to the root */
	assert_true(q->tc_ack);
	assert_true(p->tc_while);
	pass(3);
	assert_false(q->tc_ack);
	/* Once it is replaced by one that speaks RSTP, so does this one */
	config.kind = BPDU_RST;
	config.role = BPDU_DESIGNATED;
	for (i = 0; i < 10; i++) {
		hear(0, 0, &config);
		pass(1);
	}
	assert_true(p->send_rstp);
}

/* A neighbour that hears nothing: it must not forward at both ends */
static void one_way(void **state)
{
	struct link *a, *b;

	add_bridges(2, NULL);
	a = add_link(0, 1);
	b = add_link(0, 1);
	deliver();
	pass(10);
	/* What 0 says does not come any more by the second link */
	b->dead[0] = true;
	pass(60);
	assert_true(carries(a));
	assert_false(carries(b));
}

/*
 * Any topology, and cuts of many links at once. Then what was said of a root that is
 * gone may go round for a moment, and with it frames: the protocol is so
 */
static void at_random(void **state)
{
	unsigned int round, i, n;

	srandom(7);
	for (round = 0; round < 60; round++) {
		setup(NULL);
		add_bridges(2 + random() % (BRIDGES - 1), NULL);
		n = bridges + random() % (LINKS - bridges);
		for (i = 0; i < n; i++)
			add_link(random() % bridges, random() % bridges);
		deliver();
		strict = false;
		for (i = 0; i < 20; i++) {
			struct link *l = &link_[random() % links];

			set_link(l, !l->up);
			pass(random() % 4);
		}
		pass(60);
		strict = true;
		pass(60);
		check_connected();
	}
}

static void frames(void **state)
{
	static const uint8_t mac[] = { 2, 9, 9, 9, 9, 9 };
	const struct bpdu b = { BPDU_RST, BPDU_ROOT, true, false, true, true,
		true, true, { 0x8000020000000001, 20000, 0x9000020000000002,
		0x8003 }, { 3, 20, 2, 15 } };
	uint8_t frame[BPDU_FRAME];
	struct bpdu back;
	size_t i;

	bpdu_write(frame, &b, mac);
	assert_true(bpdu_parse(&back, frame, sizeof(frame)));
	assert_int_equal(back.kind, b.kind);
	assert_int_equal(back.role, b.role);
	assert_true(back.tc && !back.tc_ack && back.proposal &&
		    back.agreement && back.learning && back.forwarding);
	assert_int_equal(stp_compare(&back.vector, &b.vector), 0);
	assert_true(stp_same_times(&back.times, &b.times));
	assert_int_equal(frame[13], 39);
	assert_int_equal(frame[19], 2);
	for (i = 0; i < 53; i++)
		assert_false(bpdu_parse(&back, frame, i));
	/* Another protocol, a length, an age that cannot be */
	frame[17] = 1;
	assert_false(bpdu_parse(&back, frame, sizeof(frame)));
	frame[17] = 0;
	frame[13] = 38;
	assert_false(bpdu_parse(&back, frame, sizeof(frame)));
	frame[13] = 39;
	frame[44] = 20;
	assert_false(bpdu_parse(&back, frame, sizeof(frame)));
	frame[44] = 19;
	assert_true(bpdu_parse(&back, frame, sizeof(frame)));
}

/* ---- switches -------------------------------------------------------------- */

static struct switch_port *plug(struct ether_switch *sw, bool locked)
{
	struct switch_config config = { .locked = locked };
	struct error error;
	struct switch_port *p = switch_add(sw, NULL, &config, &error);

	assert_non_null(p);
	return p;
}

static struct ether_switch *make_switch(unsigned int number)
{
	struct ether_switch *sw = calloc(1, sizeof(*sw));
	const uint8_t mac[] = { 2, 0, 0, 0, 1, number };

	assert_non_null(sw);
	switch_span(sw, 0x8000, mac);
	return sw;
}

static void broadcast(struct played_port *from)
{
	uint8_t bytes[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 7 };
	const struct iovec iov = { bytes, sizeof(bytes) };
	const struct frame frame = { .iov = &iov, .niov = 1,
				     .len = sizeof(bytes) };

	assert_true(port_send(&from->port, &frame));
}

/* Two switches that are joined twice, with a station each */
static void a_loop_of_switches(void **state)
{
	struct ether_switch *sw[] = { make_switch(1), make_switch(2) };
	struct switch_port *link[2][2], *edge[2], *locked;
	static struct played_port station[2], liar;
	static const uint8_t liar_mac[] = { 2, 9, 9, 9, 9, 9 };
	const struct bpdu root = { .kind = BPDU_RST, .role = BPDU_DESIGNATED,
				   .times = { 0, 20, 2, 15 } };
	uint8_t bytes[BPDU_FRAME];
	const struct iovec iov = { bytes, sizeof(bytes) };
	const struct frame frame = { .iov = &iov, .niov = 1,
				     .len = sizeof(bytes) };
	unsigned int i, j, t = 0;

	played_init(NULL);
	liar = played;
	for (i = 0; i < 2; i++) {
		station[i] = played;
		edge[i] = plug(sw[i], false);
		port_connect(&edge[i]->port, &station[i].port);
		for (j = 0; j < 2; j++)
			link[i][j] = plug(sw[i], false);
	}
	locked = plug(sw[0], true);
	port_connect(&locked->port, &liar.port);
	for (j = 0; j < 2; j++)
		port_connect(&link[0][j]->port, &link[1][j]->port);
	for (; t < 10; t++)
		for (i = 0; i < 2; i++)
			switch_tick(sw[i], t);
	/* Once to each, and not for ever */
	station[0].frames = station[1].frames = 0;
	broadcast(&station[0]);
	assert_int_equal(station[0].frames, 0);
	assert_int_equal(station[1].frames, 1);
	/* One that is locked is none of it, and says nothing of it */
	bpdu_write(bytes, &root, liar_mac);
	assert_true(port_send(&liar.port, &frame));
	assert_int_equal(locked->port.from_peer.dropped[DROP_LOCAL], 1);
	assert_int_equal(sw[0]->rstp.root.root, sw[0]->rstp.id);
	/* Nor does one that says too much keep the switch busy */
	for (j = 0; j < 100; j++)
		assert_true(port_send(&station[1].port, &frame));
	assert_int_equal(edge[1]->port.from_peer.dropped[DROP_STORM], 100 - 32);
	for (; t < 40; t++)
		for (i = 0; i < 2; i++)
			switch_tick(sw[i], t);
	station[1].frames = 1;
	/* The link that carries is cut: by the other one, at once */
	port_disconnect(&link[0][0]->port);
	rstp_enable(&sw[0]->rstp, link[0][0]->number, false);
	broadcast(&station[0]);
	assert_int_equal(station[1].frames, 2);
	/* All is counted */
	for (i = 0; i < 2; i++) {
		uint64_t copies = 0, in = 0;

		for (j = 0; j < SWITCH_PORTS; j++) {
			const struct switch_port *p = &sw[i]->port[j];

			assert_true(adds_up(&p->port));
			copies += p->copies + p->own;
			in += p->port.to_peer.in;
		}
		assert_int_equal(copies, in);
		free(sw[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(two_are_one, setup),
		cmocka_unit_test_setup(a_ring, setup),
		cmocka_unit_test_setup(priorities, setup),
		cmocka_unit_test_setup(own_loop, setup),
		cmocka_unit_test_setup(two_links, setup),
		cmocka_unit_test_setup(a_station, setup),
		cmocka_unit_test_setup(an_old_bridge, setup),
		cmocka_unit_test_setup(one_way, setup),
		cmocka_unit_test_setup(at_random, setup),
		cmocka_unit_test_setup(frames, setup),
		cmocka_unit_test(a_loop_of_switches) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
