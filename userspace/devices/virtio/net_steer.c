// SPDX-License-Identifier: GPL-2.0
/*
 * Which pair of queues gets a frame (virtio 1.2, 5.1.6.5.5 and 5.1.6.5.7): that by
 * which its flow is sent, or what the driver's table says of the frame's hash. And
 * that hash, for a driver that wants to know it (5.1.6.4.3).
 */
#include <netinet/in.h>
#include <string.h>
#include "base/bytes.h"
#include "devices/virtio/net.h"

/* Ethernet's, a tag, IPv4's longest header, two ports */
#define PEEK		(FRAME_MIN + 4 + 60 + 4)
#define ADDRESSES_MAX	32
#define PORTS		4

/**
 * struct flow - of whom a frame is
 * @type: VIRTIO_NET_RSS_HASH_TYPE_* with the ports, 0: it is not of IP
 * @plain: the same without
 * @bytes: both addresses, and both ports; zeroes where there are none
 * @addresses: bytes of the former
 */
struct flow {
	uint32_t type, plain;
	uint8_t bytes[ADDRESSES_MAX + PORTS];
	size_t addresses;
};

/* The header's length; 0: there is none */
static size_t find_ip4(struct flow *f, const uint8_t *ip, size_t left)
{
	f->plain = VIRTIO_NET_RSS_HASH_TYPE_IPv4;
	if (left < 20 || (ip[0] & 15) < 5)
		return 0;
	f->addresses = 8;
	memcpy(f->bytes, ip + 12, f->addresses);
	/* A fragment's first bytes are no ports, or not in all of the flow's */
	if (ip[6] & 0x3f || ip[7])
		f->type = f->plain;
	else
		f->type = ip[9] == IPPROTO_TCP ? VIRTIO_NET_RSS_HASH_TYPE_TCPv4 :
			  ip[9] == IPPROTO_UDP ? VIRTIO_NET_RSS_HASH_TYPE_UDPv4 :
			  f->plain;
	return (ip[0] & 15) * 4;
}

static size_t find_ip6(struct flow *f, const uint8_t *ip, size_t left)
{
	f->plain = VIRTIO_NET_RSS_HASH_TYPE_IPv6;
	if (left < 40)
		return 0;
	f->addresses = 32;
	memcpy(f->bytes, ip + 8, f->addresses);
	f->type = ip[6] == IPPROTO_TCP ? VIRTIO_NET_RSS_HASH_TYPE_TCPv6 :
		  ip[6] == IPPROTO_UDP ? VIRTIO_NET_RSS_HASH_TYPE_UDPv6 :
		  f->plain;
	return 40;
}

static void find_flow(struct flow *f, const struct frame *frame)
{
	uint8_t bytes[PEEK] = { 0 };
	size_t len = frame_peek(frame, bytes, sizeof(bytes)), at = FRAME_MIN;
	size_t header = 0;
	uint16_t type = bytes[12] << 8 | bytes[13];

	*f = (struct flow){ 0 };
	if (type == 0x8100) {
		type = bytes[16] << 8 | bytes[17];
		at += 4;
	}
	if (len < at)
		return;
	if (type == 0x0800)
		header = find_ip4(f, bytes + at, len - at);
	else if (type == 0x86dd)
		header = find_ip6(f, bytes + at, len - at);
	if (!header)
		f->type = 0;
	else if (f->type != f->plain && at + header + PORTS <= len)
		memcpy(f->bytes + f->addresses, bytes + at + header, PORTS);
	else
		f->type = f->plain;
}

/* ---- the driver's table --------------------------------------------------- */

/* Toeplitz: for each bit that is set, the 32 bits of the key from there on */
static uint32_t toeplitz(const uint8_t *key, const uint8_t *bytes, size_t len)
{
	uint32_t window = get_be32(key), h = 0;
	size_t i, bit;

	for (i = 0; i < len; i++)
		for (bit = 0; bit < 8; bit++) {
			if (bytes[i] & 0x80 >> bit)
				h ^= window;
			window = window << 1 | (key[i + 4] >> (7 - bit) & 1);
		}
	return h;
}

static struct nic_hash hash_of(const struct nic_rss *rss, const struct flow *f)
{
	size_t len = f->addresses;
	uint32_t type = f->plain;

	if (rss->types & f->type & ~f->plain) {
		type = f->type;
		len += PORTS;
	} else if (!f->type || !(rss->types & type)) {
		return (struct nic_hash){ .report = VIRTIO_NET_HASH_REPORT_NONE };
	}
	/* Its numbers go by the order of the types' bits */
	return (struct nic_hash){ .value = toeplitz(rss->key, f->bytes, len),
				  .report = __builtin_ctz(type) + 1 };
}

/* ---- by itself ------------------------------------------------------------ */

/* The same in both directions */
static uint8_t slot_of(const struct flow *f)
{
	size_t half = f->addresses / 2, i;
	const uint8_t *ports = f->bytes + f->addresses;
	uint32_t h = ports[0] ^ ports[2];

	h = h << 8 | (uint8_t)(ports[1] ^ ports[3]);
	for (i = 0; i < half; i++)
		h = h * 31 + (f->bytes[i] ^ f->bytes[half + i]);
	return h * 0x9e3779b1u >> 24;
}

void nic_sent_by(struct nic *n, const struct frame *frame, unsigned int pair)
{
	struct flow flow;

	if (n->active < 2 || n->rss.on)
		return;
	find_flow(&flow, frame);
	if (flow.type)
		n->sent_by[slot_of(&flow)] = pair;
}

unsigned int nic_steer(const struct nic *n, const struct frame *frame,
		       struct nic_hash *hash)
{
	bool report = virtio_has(&n->virtio, VIRTIO_NET_F_HASH_REPORT);
	const struct nic_rss *rss = &n->rss;
	unsigned int pair = 0;
	struct flow flow;

	*hash = (struct nic_hash){ 0 };
	if (n->active < 2 && !rss->on && !report)
		return 0;
	find_flow(&flow, frame);
	if (rss->on || report)
		*hash = hash_of(rss, &flow);
	if (rss->on)
		pair = hash->report ? rss->table[hash->value & rss->mask] :
		       rss->unclassified;
	else if (n->active > 1 && flow.type)
		pair = n->sent_by[slot_of(&flow)] % n->active;
	return n->virtio.queue[2 * pair + NIC_RX].enabled ? pair : 0;
}

/* A tap that has a queue for each pair is told */
void nic_set_active(struct nic *n, unsigned int pairs)
{
	n->active = n->port.queues = pairs;
	port_changed(&n->port);
}

/* ---- commands ------------------------------------------------------------- */

static bool take16(struct chain *chain, uint16_t *value)
{
	return chain_take(chain, value, sizeof(*value)) == sizeof(*value);
}

static bool set_pairs(struct nic *n, struct chain *chain)
{
	uint16_t pairs;

	if (!virtio_has(&n->virtio, VIRTIO_NET_F_MQ) || !take16(chain, &pairs) ||
	    pairs < 1 || pairs > nic_pairs(n))
		return false;
	n->rss.on = false;
	nic_set_active(n, pairs);
	return true;
}

static bool rss_is_valid(const struct nic *n, const struct nic_rss *rss)
{
	unsigned int i;

	if (rss->mask >= NIC_RSS_TABLE || rss->mask & (rss->mask + 1) ||
	    rss->types & ~NIC_RSS_TYPES || rss->unclassified >= nic_pairs(n))
		return false;
	for (i = 0; i <= rss->mask; i++)
		if (rss->table[i] >= nic_pairs(n))
			return false;
	return true;
}

static bool take_key(struct nic_rss *rss, struct chain *chain)
{
	uint8_t len;

	return chain_take(chain, &len, 1) == 1 && len <= NIC_RSS_KEY &&
	       chain_take(chain, rss->key, len) == len;
}

/* What is reported: frames go where they did */
static bool set_hash(struct nic *n, struct chain *chain)
{
	struct nic_rss rss = n->rss;
	uint16_t reserved[4];

	memset(rss.key, 0, sizeof(rss.key));
	if (!virtio_has(&n->virtio, VIRTIO_NET_F_HASH_REPORT) ||
	    chain_take(chain, &rss.types, 4) != 4 ||
	    chain_take(chain, reserved, sizeof(reserved)) != sizeof(reserved) ||
	    !take_key(&rss, chain) || !rss_is_valid(n, &rss))
		return false;
	n->rss = rss;
	return true;
}

static bool set_rss(struct nic *n, struct chain *chain)
{
	struct nic_rss rss = { .on = true };
	uint16_t senders;
	size_t table;

	if (!virtio_has(&n->virtio, VIRTIO_NET_F_RSS) ||
	    chain_take(chain, &rss.types, 4) != 4 || !take16(chain, &rss.mask) ||
	    rss.mask >= NIC_RSS_TABLE || !take16(chain, &rss.unclassified))
		return false;
	table = (rss.mask + 1) * sizeof(rss.table[0]);
	if (chain_take(chain, rss.table, table) != table ||
	    !take16(chain, &senders) || senders < 1 ||
	    senders > nic_pairs(n) || !take_key(&rss, chain) ||
	    !rss_is_valid(n, &rss))
		return false;
	n->rss = rss;
	nic_set_active(n, senders);
	return true;
}

bool nic_steer_command(struct nic *n, struct chain *chain, uint8_t command)
{
	switch (command) {
	case VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET:
		return set_pairs(n, chain);
	case VIRTIO_NET_CTRL_MQ_RSS_CONFIG:
		return set_rss(n, chain);
	case VIRTIO_NET_CTRL_MQ_HASH_CONFIG:
		return set_hash(n, chain);
	default:
		return false;
	}
}

void nic_reset_steering(struct nic *n)
{
	nic_set_active(n, 1);
	n->rss = (struct nic_rss){ .on = false };
	memset(n->sent_by, 0, sizeof(n->sent_by));
}

int nic_check_steering(const struct nic *n, struct error *error)
{
	bool rss = virtio_has(&n->virtio, VIRTIO_NET_F_RSS);
	bool more = rss || virtio_has(&n->virtio, VIRTIO_NET_F_MQ);

	/* Of a driver that knows one pair the third queue is for commands */
	if (n->active < 1 || n->active > (more ? nic_pairs(n) : 1) ||
	    (n->rss.on && !rss) || !rss_is_valid(n, &n->rss))
		return fail(error, STATUS_DATA,
			    "frames for queues that are not there");
	return 0;
}
