// SPDX-License-Identifier: GPL-2.0
/*
 * See bond.h. Each link is a port, too: its peer is the back end that was given,
 * tap or stream or any other. What comes from one goes to the bond's peer; what
 * comes from there takes one of the links, or all of them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "net/bond/lacp.h"
#include "net/net.h"

/* Stations behind the bond that a new link is told of: a guest, or a switch's */
#define STATIONS	32
/* Of LACP: frames that no bridge passes on */
#define SLOW_TYPE	0x8809
#define SUBTYPE_LACP	1
#define SUBTYPE_MARKER	2
#define ETHERNET_MTU	1500
/* So long a peer that takes no frames holds up LACP's behind these */
#define PATIENCE_NS	1000000000ull

/**
 * struct link - one of a bond
 * @port: what @member is connected with
 * @bond: whose it is
 * @member: the back end
 * @lacp: of BOND_8023AD
 * @collects: frames are taken from it
 * @carries: and take it
 */
struct link {
	struct port port;
	struct bond *bond;
	struct port *member;
	struct lacp lacp;
	bool collects, carries;
};

/**
 * struct bond - see above
 * @config: what was asked for
 * @timer: of LACP
 * @full_timer: the peer has taken no frame for too long
 * @full: since when it takes none; 0: it does, for all that is known
 * @mac: its address as a system of LACP
 * @active: the link, or one of those, that frames take; BOND_NONE: no such
 * @busy: it is being looked at: what changes meanwhile is looked at again
 * @again: it did
 * @station: addresses that frames came from, on their way out
 * @stations: how many; the next one takes the place @next
 */
struct bond {
	struct port port;
	struct bond_config config;
	struct timer timer, full_timer;
	uint64_t full;
	uint8_t mac[MAC_LEN];
	unsigned int active;
	bool busy, again;
	uint8_t station[STATIONS][MAC_LEN];
	unsigned int stations, next;
	struct link link[BOND_LINKS];
};

static void look(struct bond *b);

/* ---- which links carry frames --------------------------------------------- */

static bool is_up(const struct link *l)
{
	return l->member->link;
}

static unsigned int first_up(const struct bond *b)
{
	unsigned int i;

	for (i = 0; i < b->config.links; i++)
		if (is_up(&b->link[i]))
			return i;
	return BOND_NONE;
}

static unsigned int choose_backup(const struct bond *b)
{
	if (b->config.primary != BOND_NONE && is_up(&b->link[b->config.primary]))
		return b->config.primary;
	if (b->active != BOND_NONE && is_up(&b->link[b->active]))
		return b->active;
	return first_up(b);
}

/* Larger is better: one that speaks LACP, with as many others as may be */
static unsigned int worth(const struct bond *b, unsigned int i)
{
	const struct link *l = &b->link[i];
	unsigned int j, n = 1;

	if (l->lacp.receive == LACP_RX_DISABLED)
		return 0;
	for (j = 0; j < b->config.links; j++)
		n += j != i && lacp_same_group(&l->lacp, &b->link[j].lacp);
	return 4 * n + 4 * BOND_LINKS * lacp_has_partner(&l->lacp) +
	       l->carries;
}

/* Of the group that carries frames, or BOND_NONE */
static unsigned int one_in_use(const struct bond *b)
{
	unsigned int i;

	for (i = 0; i < b->config.links; i++)
		if (b->link[i].lacp.mux >= LACP_COLLECTS)
			return i;
	return BOND_NONE;
}

/* A group that carries frames stays, unless nobody there speaks LACP */
static unsigned int choose_group(const struct bond *b)
{
	unsigned int i, best = one_in_use(b), most;

	most = best == BOND_NONE ? 0 : worth(b, best);
	if (most >= 4 * BOND_LINKS)
		return best;
	for (i = 0; i < b->config.links; i++) {
		if (worth(b, i) > most) {
			best = i;
			most = worth(b, i);
		}
	}
	return most ? best : BOND_NONE;
}

static bool in_group(const struct bond *b, unsigned int i)
{
	return i == b->active ||
	       (b->active != BOND_NONE &&
		lacp_same_group(&b->link[i].lacp, &b->link[b->active].lacp));
}

static void send_lacpdu(struct link *l, uint64_t now)
{
	uint8_t bytes[LACP_FRAME];
	const struct iovec iov = { bytes, sizeof(bytes) };
	const struct frame frame = { { 0 }, &iov, 1, sizeof(bytes) };

	if (!lacp_make(&l->lacp, l->bond->mac, bytes, now))
		return;
	/* No room: once more, later */
	if (!port_send(&l->port, &frame))
		l->lacp.need_to_send = true;
	port_flush(&l->port);
}

static unsigned int look_lacp(struct bond *b)
{
	uint64_t now = vm_clock_now(b->port.loop->clock), when = 0, due;
	unsigned int i;

	for (i = 0; i < b->config.links; i++) {
		struct link *l = &b->link[i];

		lacp_set_link(&l->lacp, is_up(l), now);
		/* One that is of another group now leaves the old one first */
		lacp_run(&l->lacp, l->lacp.mux >= LACP_COLLECTS, now);
	}
	b->active = choose_group(b);
	for (i = 0; i < b->config.links; i++) {
		struct link *l = &b->link[i];

		l->lacp.selected = l->lacp.receive == LACP_RX_CURRENT ||
				   l->lacp.receive == LACP_RX_DEFAULTED ||
				   l->lacp.selected;
		lacp_run(&l->lacp, in_group(b, i), now);
		send_lacpdu(l, now);
		due = lacp_due(&l->lacp, now);
		if (due && (!when || due < when))
			when = due;
	}
	loop_set_timer(b->port.loop, &b->timer, when);
	return b->active;
}

static bool should_carry(const struct bond *b, unsigned int i)
{
	switch (b->config.mode) {
	case BOND_ACTIVE_BACKUP:
		return i == b->active;
	case BOND_8023AD:
		return b->link[i].lacp.mux == LACP_DISTRIBUTES;
	default:
		return is_up(&b->link[i]);
	}
}

/* Switches send to where they saw an address last: it is on this link now */
static void announce(struct bond *b, struct link *l)
{
	unsigned int i;

	for (i = 0; i < b->stations; i++)
		port_announce(&l->port, b->station[i]);
}

static void look_once(struct bond *b)
{
	unsigned int i, carrying = 0;
	bool changed = false;

	b->active = b->config.mode == BOND_8023AD ? look_lacp(b) :
		    choose_backup(b);
	for (i = 0; i < b->config.links; i++) {
		struct link *l = &b->link[i];
		bool carries = should_carry(b, i);

		carrying += carries;
		l->collects = b->config.mode == BOND_8023AD ?
			      l->lacp.mux >= LACP_COLLECTS : carries;
		if (carries == l->carries)
			continue;
		l->carries = carries;
		changed = true;
		/* A frame of this link's that waited is taken, or dropped */
		port_ready(&l->port);
		if (carries && b->config.mode == BOND_ACTIVE_BACKUP)
			announce(b, l);
	}
	port_set_link(&b->port, carrying);
	/* A frame that waited for a link takes another one */
	if (changed)
		port_ready(&b->port);
}

/* Frames that are sent meanwhile may end a link */
static void look(struct bond *b)
{
	b->again = true;
	if (b->busy || !b->port.loop)
		return;
	b->busy = true;
	while (b->again) {
		b->again = false;
		look_once(b);
	}
	b->busy = false;
}

static void on_timer(void *ctx)
{
	look(ctx);
}

/* ---- from a link ---------------------------------------------------------- */

/* The same back, as an answer: what was sent before has arrived (802.1AX, 6.5) */
static void answer_marker(struct link *l, uint8_t *bytes, size_t len)
{
	const struct iovec iov = { bytes, len };
	const struct frame frame = { { 0 }, &iov, 1, len };

	if (len < LACP_FRAME || bytes[16] != 1)
		return;
	memcpy(bytes + MAC_LEN, l->bond->mac, MAC_LEN);
	bytes[16] = 2;
	/* Whoever asks does so again */
	port_send(&l->port, &frame);
	port_flush(&l->port);
}

/* False: it was none of LACP's */
static bool take_slow(struct link *l, const struct frame *frame)
{
	static const uint8_t group[] = { 0x01, 0x80, 0xc2, 0, 0, 2 };
	uint8_t bytes[LACP_FRAME];
	size_t len = frame_peek(frame, bytes, sizeof(bytes));
	struct bond *b = l->bond;

	if (len < FRAME_MIN + 1 || memcmp(bytes, group, sizeof(group)) ||
	    bytes[12] != SLOW_TYPE >> 8 || bytes[13] != (SLOW_TYPE & 0xff))
		return false;
	if (bytes[14] == SUBTYPE_MARKER)
		answer_marker(l, bytes, len);
	else if (bytes[14] == SUBTYPE_LACP &&
		 lacp_take(&l->lacp, bytes, len,
			   vm_clock_now(b->port.loop->clock)))
		look(b);
	return true;
}

static struct link *of_port(struct port *port)
{
	return (struct link *)port;
}

/* Frames that wait are tried once more; after too long a time they are dropped */
static void on_full(void *ctx)
{
	struct bond *b = ctx;
	unsigned int i;

	for (i = 0; i < b->config.links; i++)
		port_ready(&b->link[i].port);
}

static void set_full(struct bond *b, bool full)
{
	struct loop *loop = b->port.loop;

	if (full == !!b->full || b->config.mode != BOND_8023AD)
		return;
	b->full = full ? vm_clock_now(loop->clock) : 0;
	loop_set_timer(loop, &b->full_timer, full ? b->full + PATIENCE_NS : 0);
}

/* LACP's frames behind one that waits are late: the other end would leave the links */
static bool has_no_patience(const struct bond *b)
{
	return b->full &&
	       vm_clock_now(b->port.loop->clock) - b->full >= PATIENCE_NS;
}

static bool link_receive(struct port *port, const struct frame *frame)
{
	struct link *l = of_port(port);
	struct bond *b = l->bond;

	if (b->config.mode == BOND_8023AD && take_slow(l, frame)) {
		port_sent(port, frame);
	} else if (!l->collects) {
		/* The same came by another one, or comes again */
		port_drop(&port->from_peer, DROP_FILTER);
	} else if (port_send(&b->port, frame)) {
		set_full(b, false);
		port_sent(port, frame);
	} else if (has_no_patience(b)) {
		port_drop(&port->from_peer, DROP_FULL);
	} else {
		set_full(b, true);
		return false;
	}
	return true;
}

static void link_flush(struct port *port)
{
	port_flush(&of_port(port)->bond->port);
}

static void link_ready(struct port *port)
{
	port_ready(&of_port(port)->bond->port);
}

static void link_changed(struct port *port)
{
	look(of_port(port)->bond);
}

/* ---- from the peer -------------------------------------------------------- */

static void learn(struct bond *b, const struct frame *frame)
{
	uint8_t bytes[2 * MAC_LEN];
	unsigned int i;

	if (frame_peek(frame, bytes, sizeof(bytes)) < sizeof(bytes) ||
	    bytes[MAC_LEN] & 1)
		return;
	for (i = 0; i < b->stations; i++)
		if (!memcmp(b->station[i], bytes + MAC_LEN, MAC_LEN))
			return;
	memcpy(b->station[b->next], bytes + MAC_LEN, MAC_LEN);
	b->next = (b->next + 1) % STATIONS;
	b->stations += b->stations < STATIONS;
}

/* NULL: none carries frames */
static struct link *choose(struct bond *b, const struct frame *frame)
{
	struct link *carrying[BOND_LINKS];
	unsigned int i, n = 0;

	for (i = 0; i < b->config.links; i++)
		if (b->link[i].carries)
			carrying[n++] = &b->link[i];
	if (n < 2)
		return n ? carrying[0] : NULL;
	return carrying[bond_choose(b->config.hash, frame, n)];
}

/* One that has no room goes without it: the others are not held up */
static void send_all(struct bond *b, const struct frame *frame)
{
	unsigned int i;

	for (i = 0; i < b->config.links; i++) {
		struct link *l = &b->link[i];

		if (l->carries && !port_send(&l->port, frame))
			port_refuse(&l->port.to_peer, DROP_REFUSED);
	}
	port_sent(&b->port, frame);
}

static bool bond_receive(struct port *port, const struct frame *frame)
{
	struct bond *b = (struct bond *)port;
	struct link *l = choose(b, frame);

	if (b->config.mode == BOND_ACTIVE_BACKUP)
		learn(b, frame);
	if (!l) {
		port_drop(&port->from_peer, DROP_NO_LINK);
	} else if (b->config.mode == BOND_BROADCAST) {
		send_all(b, frame);
	} else {
		if (!port_send(&l->port, frame))
			return false;
		port_sent(port, frame);
	}
	return true;
}

static void bond_flush(struct port *port)
{
	struct bond *b = (struct bond *)port;
	unsigned int i;

	for (i = 0; i < b->config.links; i++)
		port_flush(&b->link[i].port);
}

static void bond_ready(struct port *port)
{
	struct bond *b = (struct bond *)port;

	set_full(b, false);
	on_full(b);
}

/* What may be left undone on its way to the peer is the links', too */
static void bond_changed(struct port *port)
{
	struct bond *b = (struct bond *)port;
	unsigned int i;

	for (i = 0; i < b->config.links; i++) {
		struct port *link = &b->link[i].port;

		link->takes = port->peer ? port->peer->takes : 0;
		link->gives = port->peer ? port->peer->gives : 0;
		port_changed(link);
	}
}

/* ---- from its start to its end -------------------------------------------- */

static int bond_start(struct port *port, struct error *error)
{
	struct bond *b = (struct bond *)port;
	unsigned int i;

	for (i = 0; i < b->config.links; i++) {
		struct port *member = b->link[i].member;

		b->link[i].port.loop = member->loop = port->loop;
		if (member->ops->start && member->ops->start(member, error))
			return -1;
	}
	look(b);
	return 0;
}

static void bond_close(struct port *port)
{
	struct bond *b = (struct bond *)port;
	unsigned int i;

	/* It looks at none of its links any more */
	b->busy = true;
	if (port->loop) {
		loop_set_timer(port->loop, &b->timer, 0);
		loop_set_timer(port->loop, &b->full_timer, 0);
	}
	for (i = 0; i < b->config.links; i++) {
		struct port *member = b->link[i].member;

		port_disconnect(member);
		member->ops->close(member);
	}
	free(b);
}

static const char *lacp_text(const struct lacp *lacp)
{
	switch (lacp->receive) {
	case LACP_RX_DISABLED:
		return "no link";
	case LACP_RX_EXPIRED:
		return "LACP: no answer yet";
	case LACP_RX_DEFAULTED:
		return "LACP: nobody speaks it";
	default:
		return lacp->mux == LACP_DISTRIBUTES ?
		       "LACP: both ends send" : "LACP: not in use yet";
	}
}

static void bond_print(const struct port *port, FILE *file)
{
	const struct bond *b = (const struct bond *)port;
	unsigned int i;

	for (i = 0; i < b->config.links; i++) {
		const struct link *l = &b->link[i];

		fprintf(file, "%s's link %u, %s: %s\n", port->name, i,
			l->member->name,
			b->config.mode == BOND_8023AD ? lacp_text(&l->lacp) :
			!is_up(l) ? "no link" : l->carries ? "in use" :
			"spare");
		port_print_own(l->member, file);
	}
}

static void init_link(struct bond *b, unsigned int i, struct port *member)
{
	static const struct port_ops ops = {
		.receive = link_receive, .flush = link_flush,
		.ready = link_ready, .changed = link_changed };
	struct lacp_info actor = { .system_priority = 0xffff, .key = 1,
				   .port = i + 1, .port_priority = 0xff };
	struct link *l = &b->link[i];

	memcpy(actor.system, b->mac, MAC_LEN);
	lacp_init(&l->lacp, &actor, b->config.fast);
	/* Frames of LACP pass whether the bond has a peer or not */
	l->port = (struct port){ .ops = &ops, .link = true,
				 .name = member->name };
	l->bond = b;
	l->member = member;
	/* It does not look before it is started */
	port_connect(&l->port, member);
}

/* What fits through each of them; 0 stands for what Ethernet has */
static unsigned int smallest_mtu(const struct bond_config *config,
				 struct port **member)
{
	unsigned int i, mtu = 0;

	for (i = 0; i < config->links; i++) {
		unsigned int m = member[i]->mtu ? member[i]->mtu : ETHERNET_MTU;

		mtu = mtu && mtu < m ? mtu : m;
	}
	return mtu == ETHERNET_MTU ? 0 : mtu;
}

struct port *bond_new(const struct bond_config *config, struct port **member,
		      const uint8_t *mac)
{
	static const struct port_ops ops = {
		.start = bond_start, .receive = bond_receive,
		.flush = bond_flush, .ready = bond_ready,
		.changed = bond_changed, .print = bond_print,
		.close = bond_close };
	struct bond *b = calloc(1, sizeof(*b));
	unsigned int i;

	if (!b)
		return NULL;
	b->config = *config;
	b->active = BOND_NONE;
	b->timer = (struct timer){ .fn = on_timer, .ctx = b };
	b->full_timer = (struct timer){ .fn = on_full, .ctx = b };
	memcpy(b->mac, mac, MAC_LEN);
	b->port = (struct port){ .ops = &ops, .name = "bond", .takes = ~0u,
				 .gives = ~0u };
	for (i = 0; i < config->links; i++) {
		b->port.takes &= member[i]->takes;
		b->port.gives &= member[i]->gives;
		init_link(b, i, member[i]);
	}
	b->port.mtu = smallest_mtu(config, member);
	return &b->port;
}
