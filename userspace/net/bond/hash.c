// SPDX-License-Identifier: GPL-2.0
/*
 * Which link of a bond a frame takes: frames of one flow take the same, so that
 * they stay in order. A flow is what has the same addresses, of Ethernet or of IP,
 * or the same ports, too.
 */
#include <netinet/in.h>
#include <string.h>
#include "base/bytes.h"
#include "net/net.h"

#define TAGS		2
/* Ethernet's, tags, IPv4's longest header, two ports */
#define PEEK		(FRAME_MIN + 4 * TAGS + 60 + 4)

/* FNV-1a */
static uint32_t mix(uint32_t h, const uint8_t *bytes, size_t len)
{
	while (len--)
		h = (h ^ *bytes++) * 0x01000193;
	return h;
}

/* Where IP begins, behind tags; @len: there is no IP */
static size_t find_ip(const uint8_t *bytes, size_t len, uint16_t *type)
{
	size_t at = FRAME_MIN;
	unsigned int i;

	*type = get_be16(bytes + 12);
	for (i = 0; i < TAGS && (*type == 0x8100 || *type == 0x88a8); i++) {
		if (at + 4 > len)
			return len;
		*type = get_be16(bytes + at + 2);
		at += 4;
	}
	return *type == 0x0800 || *type == 0x86dd ? at : len;
}

/* Two ports, which come first in each of them */
static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
	       protocol == IPPROTO_SCTP || protocol == IPPROTO_UDPLITE;
}

/* Addresses, and ports if @ports: all fragments of a packet are without them */
static uint32_t mix_ip(uint32_t h, uint16_t type, const uint8_t *ip,
		       size_t left, bool ports)
{
	size_t header;
	bool has;

	if (type == 0x0800) {
		if (left < 20)
			return h;
		h = mix(h, ip + 12, 8);
		header = (ip[0] & 15) * 4;
		has = has_ports(ip[9]) && !(get_be16(ip + 6) & 0x3fff);
	} else {
		if (left < 40)
			return h;
		h = mix(h, ip + 8, 32);
		header = 40;
		has = has_ports(ip[6]);
	}
	if (ports && has && header >= 20 && header + 4 <= left)
		h = mix(h, ip + header, 4);
	return h;
}

unsigned int bond_choose(enum bond_hash hash, const struct frame *frame,
			 unsigned int links)
{
	uint8_t bytes[PEEK] = { 0 };
	size_t len = frame_peek(frame, bytes, sizeof(bytes));
	uint32_t h = 0x811c9dc5;
	uint16_t type;
	size_t ip = len < FRAME_MIN ? len : find_ip(bytes, len, &type);

	/* Addresses of IP alone, where there are such */
	if (hash != BOND_LAYER3_4 || ip == len)
		h = mix(h, bytes, 2 * MAC_LEN);
	if (hash != BOND_LAYER2 && ip < len)
		h = mix_ip(h, type, bytes + ip, len - ip,
			   hash == BOND_LAYER3_4);
	/* The low bits alone would depend on the low bits alone */
	h ^= h >> 16;
	return (h * 0x9e3779b1u >> 16) % links;
}
