// SPDX-License-Identifier: GPL-2.0
/*
 * What is at the other ends of a bond's links sends what it likes, LACP and other
 * frames, while links come and go, are full, and time passes; and what a user
 * writes for a bond. A libFuzzer target: "make fuzz".
 */
#include <stdlib.h>
#include "net/bond/lacp.h"
#include "tests/played_port.h"

#define LINKS	3

static struct vm_clock vm_clock;
static struct loop loop;
static struct played_port member[LINKS];

static void no_close(struct port *port)
{
}

static void send_to(struct port *port, const uint8_t *data, size_t len)
{
	const struct iovec iov = { (void *)data, len };
	const struct frame frame = { { 0 }, &iov, 1, len };

	port_send(port, &frame);
	port_flush(port);
}

/* An LACPDU of somebody's, with some of its bytes changed */
static void send_lacpdu(struct played_port *m, const uint8_t *data, size_t len)
{
	struct lacp_info actor = { .system = { 2, 9 }, .key = 1, .port = 1 };
	uint8_t frame[LACP_FRAME];
	struct lacp lacp;
	size_t i;

	lacp_init(&lacp, &actor, len & 1);
	lacp_set_link(&lacp, true, 1);
	if (!lacp_make(&lacp, actor.system, frame, 1))
		abort();
	for (i = 0; i + 1 < len; i += 2)
		frame[data[i] % sizeof(frame)] = data[i + 1];
	send_to(&m->port, frame, sizeof(frame));
}

/* Returns how many of the @left bytes behind the step it took */
static size_t do_step(uint8_t what, uint8_t arg, const uint8_t *data,
		      size_t left)
{
	struct played_port *m = &member[(what >> 4) % LINKS];
	size_t n = arg < left ? arg : left;

	switch (what & 7) {
	case 0:
		send_to(&m->port, data, n);
		return n;
	case 1:
		n = n < 8 ? n : 8;
		send_lacpdu(m, data, n);
		return n;
	case 2:
		port_set_link(&m->port, arg & 1);
		break;
	case 3:
		m->full = arg & 1;
		port_ready(&m->port);
		break;
	case 4:
		played.full = arg & 1;
		port_ready(&played.port);
		break;
	case 5:
		vm_clock.stopped_at += arg * 50000000ull;
		port_changed(&m->port);
		break;
	default:
		send_to(&played.port, data, n);
		return n;
	}
	return 0;
}

static void check(const struct port *port)
{
	if (!adds_up(port))
		abort();
}

static void parse(const uint8_t *data, size_t left)
{
	struct net_config config;
	struct error error;
	char text[200] = "bond(";

	left = left < sizeof(text) - 6 ? left : sizeof(text) - 6;
	memcpy(text + 5, data, left);
	net_parse(&config, text, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t left)
{
	static struct port_ops ops;
	struct bond_config config = { .links = LINKS, .primary = BOND_NONE };
	struct port *ports[LINKS], *bond;
	struct error error;
	size_t n;
	int i;

	if (left < 1)
		return 0;
	parse(data + 1, left - 1);
	config.mode = data[0] % 4;
	config.hash = data[0] / 4 % 3;
	config.fast = data[0] & 64;
	vm_clock_init(&vm_clock, 1000000000);
	if (loop_init(&loop, &vm_clock))
		abort();
	played_init(&loop);
	ops = *played.port.ops;
	ops.close = no_close;
	for (i = 0; i < LINKS; i++) {
		member[i] = played;
		member[i].port.ops = &ops;
		ports[i] = &member[i].port;
	}
	bond = bond_new(&config, ports, (const uint8_t *)"\2\0\0\0\0\1");
	if (!bond)
		abort();
	port_connect(&played.port, bond);
	if (net_start(bond, &loop, &error))
		abort();
	for (data++, left--; left >= 2; data += n, left -= n) {
		n = 2 + do_step(data[0], data[1], data + 2, left - 2);
		check(bond);
		check(&played.port);
		for (i = 0; i < LINKS; i++)
			check(&member[i].port);
	}
	port_disconnect(&played.port);
	net_close(bond);
	loop_destroy(&loop);
	return 0;
}
