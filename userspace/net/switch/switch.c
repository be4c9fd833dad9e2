// SPDX-License-Identifier: GPL-2.0
/* See switch.h. */
#include <string.h>
#include "base/bytes.h"
#include "net/switch/switch.h"

#define PIECES		160
#define ADDRESSES	(2 * MAC_LEN)
#define TAG		4		/* 0x8100, and the next: */
#define TAG_TYPE	0x8100
#define TAG_VLAN	0x0fff
#define TAG_PRIORITY	0xf000		/* and "drop eligible" */
#define STAG_TYPE	0x88a8		/* of 802.1ad */
#define ARP_TYPE	0x0806
/* A type and what is behind it: of ARP, up to the sender's address */
#define BODY		(2 + 8 + MAC_LEN)

/**
 * struct view - a frame as a switch sees it: what decides was read once
 * @head: addresses, and the tag that it gets where it gets one
 * @body: its type, and some bytes more
 * @body_len: how many
 * @tagged: it came with one
 * @inner: behind that there is a second one
 * @flooded: it is for all, or nobody knows for whom
 * @vlan: it belongs to
 * @niov: of @iov, where the first one is @head, and then @body
 * @rest: bytes behind that
 * @header: what the frame leaves to do, as it came
 */
struct view {
	uint8_t head[ADDRESSES + TAG], body[BODY];
	size_t body_len;
	bool tagged, inner, flooded;
	unsigned int vlan;
	struct iovec iov[PIECES];
	unsigned int niov;
	size_t rest;
	struct virtio_net_hdr_v1 header;
};

static bool is_member(const struct switch_port *p, unsigned int vlan)
{
	return p->vlans.bits[vlan / 64] >> vlan % 64 & 1;
}

static uint64_t bit(const struct switch_port *p)
{
	return 1ull << p->number;
}

/* All but the first @skip bytes, behind those that were read. False: many pieces */
static bool take_rest(struct view *v, const struct frame *frame, size_t skip)
{
	unsigned int i;

	v->iov[0].iov_base = v->head;
	v->rest = frame->len - skip;
	/* What was checked is what is sent */
	v->iov[1] = (struct iovec){ v->body, v->body_len };
	v->niov = 2;
	skip += v->body_len;
	for (i = 0; i < frame->niov; i++) {
		const struct iovec *from = &frame->iov[i];
		size_t n = skip < from->iov_len ? skip : from->iov_len;

		skip -= n;
		if (n == from->iov_len)
			continue;
		if (v->niov == PIECES)
			return false;
		v->iov[v->niov++] = (struct iovec){
			(uint8_t *)from->iov_base + n, from->iov_len - n };
	}
	return true;
}

static unsigned int type_of(const struct view *v)
{
	return get_be16(v->body);
}

/* Which VLAN it belongs to, or else DROP_VLAN */
static enum port_drop classify(const struct switch_port *from, struct view *v,
			       unsigned int tag)
{
	unsigned int vlan = v->tagged ? tag & TAG_VLAN : 0;

	v->inner = type_of(v) == TAG_TYPE || type_of(v) == STAG_TYPE;
	/*
	 * Of an access port's guest, a tag would be a way into another VLAN; so would
	 * one behind a priority, which is the first one where that is taken away
	 */
	if ((vlan || v->inner) && from->vlans.access)
		return DROP_VLAN;
	/* What is behind that was not looked at */
	if (v->inner && from->locked)
		return DROP_VLAN;
	/* A tag without a VLAN has a priority, no more */
	v->vlan = vlan ? vlan : from->vlans.native;
	if (!v->vlan || !is_member(from, v->vlan))
		return DROP_VLAN;
	tag = (v->tagged ? tag & TAG_PRIORITY : 0) | v->vlan;
	v->head[ADDRESSES] = TAG_TYPE >> 8;
	v->head[ADDRESSES + 1] = TAG_TYPE & 0xff;
	v->head[ADDRESSES + 2] = tag >> 8;
	v->head[ADDRESSES + 3] = tag;
	return DROPS;
}

/* 01:80:c2:00:00:01 to 0f: pause frames, LACP. 00, of spanning trees, may pass */
static bool is_link_local(const uint8_t *mac)
{
	return !memcmp(mac, "\x01\x80\xc2\0\0", 5) && mac[5] && mac[5] < 16;
}

static bool is_zero(const uint8_t *mac)
{
	return !memcmp(mac, "\0\0\0\0\0", MAC_LEN);
}

/* Of a port with a lock, whose first frame it may be */
static bool is_own(struct switch_port *from, const struct view *v)
{
	const uint8_t *source = v->head + MAC_LEN;
	bool arp = v->body_len == BODY && type_of(v) == ARP_TYPE;

	if (is_zero(from->mac))
		memcpy(from->mac, source, MAC_LEN);
	return !memcmp(source, from->mac, MAC_LEN) &&
	       (!arp || !memcmp(v->body + BODY - MAC_LEN, source, MAC_LEN));
}

/* A tag moves where the checksum begins, which is behind Ethernet's header anyway */
static bool can_move(const struct virtio_net_hdr_v1 *h)
{
	return !(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	       (h->csum_start >= FRAME_MIN + 2 * TAG &&
		h->csum_start <= UINT16_MAX - TAG);
}

/* Returns why it is dropped, or DROPS */
static enum port_drop look(struct switch_port *from, struct view *v,
			   const struct frame *frame)
{
	uint8_t bytes[ADDRESSES + TAG + BODY] = { 0 }, *head = v->head;
	size_t n = frame_peek(frame, bytes, sizeof(bytes)), skip;
	unsigned int tag;

	if (n < FRAME_MIN)
		return DROP_LENGTH;
	memcpy(head, bytes, sizeof(v->head));
	v->tagged = head[ADDRESSES] == TAG_TYPE >> 8 &&
		    head[ADDRESSES + 1] == (TAG_TYPE & 0xff);
	if (v->tagged && frame->len < FRAME_MIN + TAG)
		return DROP_LENGTH;
	if (from == from->sw->mirror)
		return DROP_MIRROR;
	if (head[MAC_LEN] & 1)
		return DROP_SOURCE;
	if (is_link_local(head))
		return DROP_LOCAL;
	tag = head[ADDRESSES + 2] << 8 | head[ADDRESSES + 3];
	skip = ADDRESSES + (v->tagged ? TAG : 0);
	v->body_len = n - skip < BODY ? n - skip : BODY;
	memcpy(v->body, bytes + skip, BODY);
	if (from->locked && !is_own(from, v))
		return DROP_FORGED;
	v->header = frame->header;
	if (!can_move(&v->header))
		return DROP_HEADER;
	if (!take_rest(v, frame, skip))
		return DROP_LENGTH;
	return classify(from, v, tag);
}

/* Ports that are none of the spanning tree do both, always */
static bool learns(const struct switch_port *p)
{
	const struct rstp_port *s = &p->sw->rstp.port[p->number];

	return !s->used || s->learning;
}

static bool forwards(const struct switch_port *p)
{
	const struct rstp_port *s = &p->sw->rstp.port[p->number];

	return !s->used || s->forwarding;
}

static bool may_go(const struct switch_port *from,
		   const struct switch_port *to, unsigned int vlan)
{
	return from != to && is_member(to, vlan) && to->port.peer &&
	       to->port.peer->link && !(from->isolated && to->isolated) &&
	       to != from->sw->mirror && forwards(to);
}

/* Where it goes: to one, or to all that it may */
static uint64_t choose(const struct switch_port *from, struct view *v)
{
	struct ether_switch *sw = from->sw;
	int port = v->head[0] & 1 ? -1 :
		   macs_find(&sw->macs, mac_key(v->vlan, v->head));
	uint64_t left = port < 0 ? sw->used : 1ull << port, set = left;

	v->flooded = port < 0;
	for (; left; left &= left - 1) {
		const struct switch_port *p = &sw->port[__builtin_ctzll(left)];

		if (!may_go(from, p, v->vlan))
			set &= ~bit(p);
	}
	return set;
}

static void learn(struct switch_port *from, const struct view *v)
{
	struct ether_switch *sw = from->sw;

	if (!macs_learn(&sw->macs, mac_key(v->vlan, v->head + MAC_LEN),
			from->number, sw->now))
		from->unlearned++;
}

/* Nobody waits for a port that is full */
static void give(struct switch_port *to, const struct frame *frame)
{
	if (!port_send(&to->port, frame))
		port_refuse(&to->port.to_peer, DROP_FULL);
	to->sw->touched |= bit(to);
}

static void put_out(struct switch_port *to, struct view *v)
{
	/* On a trunk a second tag would be the first one then: of another VLAN */
	bool stays = v->tagged && v->inner && !to->vlans.access;
	bool tagged = v->vlan != to->vlans.native || stays;
	struct frame frame = { .header = v->header, .iov = v->iov,
			       .niov = v->niov };
	int moved = (tagged ? TAG : 0) - (v->tagged ? TAG : 0);

	v->iov[0].iov_len = ADDRESSES + (tagged ? TAG : 0);
	frame.len = v->iov[0].iov_len + v->rest;
	if (frame.header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		frame.header.csum_start += moved;
	give(to, &frame);
}

/* ---- the spanning tree ----------------------------------------------------- */

static void send_bpdu(void *ctx, unsigned int port, const uint8_t *bytes,
		      size_t len)
{
	struct switch_port *to = &((struct ether_switch *)ctx)->port[port];
	const struct iovec iov = { (void *)bytes, len };
	const struct frame frame = { .iov = &iov, .niov = 1, .len = len };

	if (to == to->sw->mirror)
		return;
	to->own++;
	if (!port_send(&to->port, &frame))
		port_refuse(&to->port.to_peer, DROP_FULL);
	port_flush(&to->port);
}

static void forget_port(void *ctx, unsigned int port)
{
	macs_forget(&((struct ether_switch *)ctx)->macs, port);
}

void switch_span(struct ether_switch *sw, uint16_t priority,
		 const uint8_t *mac)
{
	sw->spans = true;
	sw->rstp = (struct rstp){ .send = send_bpdu, .flush = forget_port,
				  .ctx = sw };
	rstp_init(&sw->rstp, priority, mac);
}

/* More of them in a second are no bridge's: each may make it forget stations */
#define HEARD_MOST 32

/* A frame for the switch itself; false: it is none */
static bool hear(struct switch_port *from, const struct frame *frame)
{
	struct ether_switch *sw = from->sw;
	uint8_t bytes[BPDU_FRAME];
	size_t n = sw->spans && from != sw->mirror ?
		   frame_peek(frame, bytes, sizeof(bytes)) : 0;

	if (n < FRAME_MIN || !bpdu_is_for_us(bytes))
		return false;
	/* What is locked is a guest, which is not to be the root */
	if (from->locked || from->heard++ >= HEARD_MOST) {
		port_drop(&from->port.from_peer,
			  from->locked ? DROP_LOCAL : DROP_STORM);
		return true;
	}
	port_sent(&from->port, frame);
	rstp_receive(&sw->rstp, from->number, bytes, n);
	return true;
}

/* ---- as a port ------------------------------------------------------------- */

static bool switch_receive(struct port *port, const struct frame *frame)
{
	struct switch_port *from = (struct switch_port *)port;
	struct ether_switch *sw = from->sw;
	struct view v;
	enum port_drop why;
	uint64_t set = 0;

	if (hear(from, frame))
		return true;
	why = look(from, &v, frame);
	if (why == DROPS && learns(from))
		learn(from, &v);
	if (why == DROPS && !forwards(from)) {
		why = DROP_BLOCKED;
	} else if (why == DROPS) {
		set = choose(from, &v);
		if (!set)
			why = DROP_NOBODY;
		else if (v.flooded && from->storm &&
			 from->flooded++ >= from->storm)
			why = DROP_STORM;
	}
	/* Once, and as it came */
	if (sw->mirror && from != sw->mirror && why != DROP_LENGTH &&
	    (sw->mirrored & (bit(from) | (why == DROPS ? set : 0)))) {
		from->copies++;
		give(sw->mirror, frame);
	}
	if (why != DROPS) {
		port_drop(&port->from_peer, why);
		return true;
	}
	port_sent(port, frame);
	for (; set; set &= set - 1) {
		from->copies++;
		put_out(&sw->port[__builtin_ctzll(set)], &v);
	}
	return true;
}

static void switch_flush(struct port *port)
{
	struct ether_switch *sw = ((struct switch_port *)port)->sw;
	uint64_t left = sw->touched;

	sw->touched = 0;
	for (; left; left &= left - 1)
		port_flush(&sw->port[__builtin_ctzll(left)].port);
}

/* Who was there may be elsewhere when the link comes back */
static void switch_changed(struct port *port)
{
	struct switch_port *p = (struct switch_port *)port;
	bool link = port->peer && port->peer->link;

	if (!link)
		macs_forget(&p->sw->macs, p->number);
	if (p->sw->rstp.port[p->number].used)
		rstp_enable(&p->sw->rstp, p->number, link);
}

/* It is shown on terminals, and in JSON */
static void set_name(struct switch_port *p, const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(p->name) - 1 && name[i]; i++)
		p->name[i] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
}

struct switch_port *switch_add(struct ether_switch *sw, struct loop *loop,
			       const struct switch_config *config,
			       struct error *error)
{
	static const struct port_ops ops = { .receive = switch_receive,
		.flush = switch_flush, .changed = switch_changed };
	struct switch_port *p;
	struct vlans vlans;

	if (vlan_parse(&vlans, config->vlan ? config->vlan : "trunk", error))
		return NULL;
	if (!~sw->used) {
		fail(error, STATUS_BUSY, "all %u ports are in use",
		     SWITCH_PORTS);
		return NULL;
	}
	p = &sw->port[__builtin_ctzll(~sw->used)];
	*p = (struct switch_port){ .sw = sw, .number = p - sw->port,
		.vlans = vlans, .isolated = config->isolated,
		.locked = config->locked, .storm = config->storm };
	p->port = (struct port){ .ops = &ops, .loop = loop, .link = true,
				 .takes = PORT_ALL, .gives = PORT_ALL,
				 .name = p->name };
	set_name(p, config->name ? config->name : "port");
	sw->used |= bit(p);
	if (sw->spans && !p->locked)
		rstp_add(&sw->rstp, p->number, false);
	return p;
}

void switch_remove(struct switch_port *p)
{
	struct ether_switch *sw = p->sw;

	port_disconnect(&p->port);
	if (sw->rstp.port[p->number].used)
		rstp_remove(&sw->rstp, p->number);
	macs_forget(&sw->macs, p->number);
	sw->used &= ~bit(p);
	sw->touched &= ~bit(p);
	/* "All" stays all, but the next one with this number is another */
	if (~sw->mirrored)
		sw->mirrored &= ~bit(p);
	if (sw->mirror == p)
		switch_mirror(sw, 0, NULL);
	p->sw = NULL;
}

void switch_set_vlans(struct switch_port *p, const struct vlans *vlans)
{
	p->vlans = *vlans;
	macs_forget(&p->sw->macs, p->number);
}

void switch_mirror(struct ether_switch *sw, uint64_t mirrored,
		   struct switch_port *to)
{
	sw->mirrored = to ? mirrored : 0;
	sw->mirror = to;
	if (to)
		macs_forget(&sw->macs, to->number);
}

void switch_tick(struct ether_switch *sw, uint32_t now)
{
	/* The table is long */
	bool ages = now / 10 != sw->now / 10;
	unsigned int i;

	sw->now = now;
	for (i = 0; i < SWITCH_PORTS; i++)
		sw->port[i].flooded = sw->port[i].heard = 0;
	if (ages)
		macs_age(&sw->macs, now);
	if (sw->spans)
		rstp_tick(&sw->rstp);
}
