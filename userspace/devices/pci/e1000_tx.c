// SPDX-License-Identifier: GPL-2.0
/*
 * e1000: frames from the guest. A packet is copied into one buffer, where tag,
 * checksums and segments are made: nothing is left to who receives it. It stays in
 * the ring until all of it is sent: of what waits nothing is kept here.
 */
#include <string.h>
#include "base/bytes.h"
#include "devices/pci/e1000.h"

#define TCTL_EN		(1u << 1)
#define TCTL_PSP	(1u << 3)
#define SHORTEST	60

/* Commands, and TUCMD of a context */
#define TX_EOP		0x01
#define TX_TCP		0x01
#define TX_IP		0x02
#define TX_IC		0x04	/* of an old descriptor */
#define TX_TSE		0x04	/* of the others */
#define TX_RS		0x08
#define TX_DEXT		0x20
#define TX_VLE		0x40
/* What is to be added to data */
#define ADD_IP		0x01
#define ADD_TCP		0x02

/* Of a packet; and of one turn, or frames: others are served, too */
#define DESCRIPTORS	1024
#define TURN		4096

enum tx_kind { TX_LEGACY, TX_CONTEXT, TX_DATA, TX_UNKNOWN };

/* What a descriptor says, read once */
struct tx_desc {
	enum tx_kind kind;
	uint64_t address;
	uint32_t len;
	uint8_t command, cso, css, add;
	uint16_t special;
	struct e1000_context context;
};

/**
 * struct packet - what is gathered of the ring
 * @next: the descriptor behind it
 * @descriptors: how many it has
 * @len: bytes in the buffer
 * @tag: goes in, if @tagged
 * @add: ADD_*
 * @segmented: it is to be cut
 * @report: a descriptor wants to be told
 * @cso: where an old descriptor wants a checksum, if @sum
 * @css: from where on
 * @bad: it cannot be sent
 */
struct packet {
	unsigned int next, descriptors;
	size_t len;
	uint16_t tag;
	uint8_t add, cso, css;
	bool tagged, segmented, report, sum, bad;
};

static unsigned int ring_size(const struct e1000 *e)
{
	return e->reg.tdlen / E1000_DESC;
}

static uint8_t *desc_at(struct e1000 *e, unsigned int i)
{
	uint64_t ring = (uint64_t)e->reg.tdbah << 32 | e->reg.tdbal;

	return e1000_memory(e, ring + i * E1000_DESC, E1000_DESC, true);
}

static struct e1000_context context_of(const uint8_t *raw)
{
	return (struct e1000_context){
		.ipcss = raw[0], .ipcso = raw[1], .ipcse = raw[2] | raw[3] << 8,
		.tucss = raw[4], .tucso = raw[5], .tucse = raw[6] | raw[7] << 8,
		.flags = raw[11], .header = raw[13],
		.mss = raw[14] | raw[15] << 8 };
}

static struct tx_desc read_desc(const uint8_t *at)
{
	uint8_t raw[E1000_DESC];
	struct tx_desc d = { .kind = TX_LEGACY };

	memcpy(raw, at, sizeof(raw));
	memcpy(&d.address, raw, sizeof(d.address));
	d.command = raw[11];
	d.special = raw[14] | raw[15] << 8;
	d.len = raw[8] | raw[9] << 8;
	if (!(d.command & TX_DEXT)) {
		d.cso = raw[10];
		d.css = raw[13];
		return d;
	}
	switch (raw[10] >> 4) {
	case 0:
		d.kind = TX_CONTEXT;
		d.context = context_of(raw);
		break;
	case 1:
		d.kind = TX_DATA;
		d.len |= (raw[10] & 0xf) << 16;
		d.add = raw[13];
		break;
	default:
		d.kind = TX_UNKNOWN;
		break;
	}
	return d;
}

/* ---- checksums ------------------------------------------------------------ */

/* The Internet's. Not 0, which has the same value, and to UDP means: there is none */
static uint16_t checksum(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	if (len & 1)
		sum += bytes[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff ? sum : ~sum;
}

/* @end: the last byte, 0: all. What is not in the frame is left as it is */
static void put_checksum(uint8_t *bytes, size_t len, size_t start, size_t at,
			 size_t end)
{
	uint16_t sum;

	if (end && end + 1 < len)
		len = end + 1;
	if (start >= len || at + 2 > len)
		return;
	sum = checksum(bytes + start, len - start);
	bytes[at] = sum >> 8;
	bytes[at + 1] = sum;
}

static void add_checksums(const struct e1000_context *c, uint8_t add,
			  uint8_t *bytes, size_t len)
{
	if (add & ADD_TCP)
		put_checksum(bytes, len, c->tucss, c->tucso, c->tucse);
	if (add & ADD_IP)
		put_checksum(bytes, len, c->ipcss, c->ipcso, c->ipcse);
}

/* ---- one frame ------------------------------------------------------------ */

static const struct e1000_counters counters = {
	GPTC, TPT, GOTC, TOT, PTC64, BPTC, MPTC
};

/* Its own receiver gets it, or it is lost: only a frame of the peer's ever waits */
static void loop_back(struct e1000 *e, const struct frame *frame)
{
	struct port_count *count = &e->port.from_peer;
	bool waits = e->waits;

	count->in++;
	if (!e1000_take(e, frame))
		port_drop(count, DROP_FULL);
	e->waits = waits;
}

/* False: the peer does not take it now */
static bool send_frame(struct e1000 *e, const struct packet *p,
		       uint8_t *bytes, size_t len)
{
	const uint8_t tag[] = { e->reg.vet >> 8, e->reg.vet, p->tag >> 8,
				p->tag };
	static const uint8_t zeros[SHORTEST];
	struct iovec iov[4] = { { bytes, 2 * MAC_LEN } };
	struct frame frame = { .iov = iov, .niov = 1, .len = len };

	if (p->tagged) {
		iov[frame.niov++] = (struct iovec){ (void *)tag, sizeof(tag) };
		frame.len += sizeof(tag);
	}
	iov[frame.niov++] = (struct iovec){ bytes + 2 * MAC_LEN,
					    len - 2 * MAC_LEN };
	if (frame.len < SHORTEST && e->reg.tctl & TCTL_PSP) {
		iov[frame.niov++] = (struct iovec){ (void *)zeros,
						    SHORTEST - frame.len };
		frame.len = SHORTEST;
	}
	if (frame.len > FRAME_MAX) {
		port_refuse(&e->port.to_peer, DROP_LENGTH);
		return true;
	}
	if (e1000_is_looped(e))
		loop_back(e, &frame);
	else if (!port_send(&e->port, &frame))
		return false;
	e1000_count_frame(e, &counters, bytes, frame.len + 4);
	return true;
}

/* ---- segments ------------------------------------------------------------- */

/* The headers have what is changed in them; @len: of the headers */
static bool can_cut(const struct e1000_context *c, size_t len)
{
	size_t ip = c->flags & TX_IP ? 20 : 40, tcp = c->flags & TX_TCP ? 20 : 8;

	return c->mss && c->header <= len && c->ipcss >= FRAME_MIN &&
	       c->ipcss + ip <= c->header && c->tucss >= c->ipcss + ip &&
	       c->tucss + tcp <= c->header && c->tucso + 2u <= c->header;
}

/* The headers of the segment with the @len bytes from @from on, of @all */
static void make_headers(const struct e1000_context *c, uint8_t *h,
			 size_t from, size_t len, size_t all)
{
	size_t payload = c->header - c->tucss + len;
	uint32_t sum;

	if (c->flags & TX_IP) {
		put_be16(h + c->ipcss + 2, c->header - c->ipcss + len);
		put_be16(h + c->ipcss + 4,
			 get_be16(h + c->ipcss + 4) + from / c->mss);
	} else {
		put_be16(h + c->ipcss + 4, c->header - c->ipcss - 40 + len);
	}
	if (c->flags & TX_TCP) {
		uint8_t *tcp = h + c->tucss;
		put_be32(tcp + 4, get_be32(tcp + 4) + from);
		/* FIN and PSH are of the last one */
		if (from + len < all)
			tcp[13] &= ~9;
	} else {
		put_be16(h + c->tucss + 4, payload);
	}
	/* The driver has summed the pseudo header without the length */
	sum = get_be16(h + c->tucso) + payload;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put_be16(h + c->tucso, sum);
}

/* False: the peer does not take more now, or @budget, of frames, is used up */
static bool send_segments(struct e1000 *e, const struct packet *p,
			  unsigned int *budget)
{
	const struct e1000_context *c = &e->segments;
	size_t all = p->len - c->header, len;

	while (e->sent < all) {
		if (!*budget)
			return false;
		len = all - e->sent < c->mss ? all - e->sent : c->mss;
		memcpy(e->segment, e->packet, c->header);
		memcpy(e->segment + c->header,
		       e->packet + c->header + e->sent, len);
		make_headers(c, e->segment, e->sent, len, all);
		add_checksums(c, p->add, e->segment, c->header + len);
		if (!send_frame(e, p, e->segment, c->header + len))
			return false;
		e->sent += len;
		--*budget;
	}
	e1000_count(e, TSCTC);
	return true;
}

/* ---- a packet ------------------------------------------------------------- */

static void add_data(struct e1000 *e, struct packet *p,
		     const struct tx_desc *d)
{
	const void *from = NULL;

	if (d->kind == TX_LEGACY && d->command & TX_IC) {
		p->sum = true;
		p->cso = d->cso;
		p->css = d->css;
	}
	/* What is true of a packet its first descriptor says */
	if (d->kind == TX_DATA && !p->len) {
		p->add = d->add;
		p->segmented = d->command & TX_TSE;
	}
	if (d->command & TX_VLE && e->reg.ctrl & CTRL_VME) {
		p->tagged = true;
		p->tag = d->special;
	}
	if (!d->len)
		return;
	if (d->len <= sizeof(e->packet) - p->len)
		from = e1000_memory(e, d->address, d->len, false);
	if (!from) {
		p->bad = true;
		return;
	}
	memcpy(e->packet + p->len, from, d->len);
	p->len += d->len;
}

/*
 * Up to its end, or one context alone. False: it is not all there. @budget: of
 * descriptors
 */
static bool gather(struct e1000 *e, struct packet *p, unsigned int *budget)
{
	unsigned int n = ring_size(e);
	struct tx_desc d;
	uint8_t *at;

	*p = (struct packet){ .next = e->reg.tdh };
	while (p->next != e->reg.tdt && *budget) {
		at = desc_at(e, p->next);
		d = at ? read_desc(at) : (struct tx_desc){ .kind = TX_UNKNOWN };
		p->next = p->next + 1 == n ? 0 : p->next + 1;
		p->descriptors++;
		--*budget;
		p->report |= d.command & TX_RS;
		if (d.kind == TX_CONTEXT) {
			/* A packet that waits needs the one that it began with */
			if (p->descriptors > 1)
				p->bad = true;
			else if (d.context.flags & TX_TSE)
				e->segments = d.context;
			else
				e->checksum = d.context;
			if (p->descriptors == 1)
				return true;
		} else if (d.kind != TX_UNKNOWN) {
			add_data(e, p, &d);
		}
		if (d.kind == TX_UNKNOWN || p->descriptors == DESCRIPTORS) {
			p->bad = true;
			return true;
		}
		if (d.kind != TX_CONTEXT && d.command & TX_EOP)
			return true;
	}
	return false;
}

/* False: not all of it, now */
static bool send_packet(struct e1000 *e, const struct packet *p,
			unsigned int *budget)
{
	if (!p->len && !p->bad)
		return true;
	if (p->bad || p->len < FRAME_MIN) {
		port_refuse(&e->port.to_peer, DROP_LENGTH);
		return true;
	}
	if (p->segmented && !can_cut(&e->segments, p->len)) {
		port_refuse(&e->port.to_peer, DROP_HEADER);
		return true;
	}
	if (p->segmented && p->len > e->segments.header)
		return send_segments(e, p, budget);
	if (p->sum)
		put_checksum(e->packet, p->len, p->css, p->cso, 0);
	add_checksums(&e->checksum, p->add, e->packet, p->len);
	return send_frame(e, p, e->packet, p->len);
}

/* The descriptors go back */
static void finish(struct e1000 *e, const struct packet *p)
{
	unsigned int n = ring_size(e);
	uint8_t *at;

	while (e->reg.tdh != p->next) {
		at = desc_at(e, e->reg.tdh);
		if (at && at[11] & TX_RS)
			__atomic_or_fetch(at + 12, DESC_DD, __ATOMIC_RELEASE);
		e->reg.tdh = e->reg.tdh + 1 == n ? 0 : e->reg.tdh + 1;
	}
	e->sent = 0;
}

static bool can_send(struct e1000 *e)
{
	return e->reg.tctl & TCTL_EN && pci_is_master(&e->pci) &&
	       e->reg.tdh < ring_size(e) && e->reg.tdt < ring_size(e) &&
	       e->reg.tdh != e->reg.tdt;
}

void e1000_transmit(struct e1000 *e)
{
	unsigned int budget = TURN;
	uint32_t causes = 0;
	struct packet p;

	if (e->sending || !can_send(e) || e1000_is_paused(e))
		return;
	e->sending = true;
	/* A packet that is begun has descriptors enough in what is left */
	while (can_send(e) && budget > DESCRIPTORS) {
		if (!gather(e, &p, &budget) || !send_packet(e, &p, &budget))
			break;
		finish(e, &p);
		causes |= p.report ? ICR_TXDW : 0;
		causes |= e->reg.tdh == e->reg.tdt ? ICR_TXQE : 0;
	}
	if (budget <= DESCRIPTORS)
		e1000_resume_later(e);
	e->sending = false;
	port_flush(&e->port);
	e1000_cause(e, causes);
}
