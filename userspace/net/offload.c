// SPDX-License-Identifier: GPL-2.0
/*
 * What a frame leaves to who receives it, for one that takes no such frames: the
 * checksum is filled in, and a frame with segments of TCP becomes several. The frame
 * may be a guest's: it is copied, and then looked at.
 */
#include <netinet/in.h>
#include <string.h>
#include "base/bytes.h"
#include "net/net.h"

#define SEGMENTS	256	/* of one frame: more are not worth anybody's time */
#define TAGS		2
#define HEADERS_MAX	256	/* that are repeated: two of 60 bytes, and tags */
#define TCP_CSUM	16
#define TCP_FIN		0x01
#define TCP_PSH		0x08
#define TCP_CWR		0x80

/**
 * struct whole - a frame in one piece
 * @bytes: its
 * @len: how many
 * @ip: where IP's header begins
 * @l4: the same of TCP's
 * @data: the same of what is behind it
 * @six: it is IPv6
 */
struct whole {
	uint8_t bytes[FRAME_MAX];
	size_t len, ip, l4, data;
	bool six;
};

/* The Internet's checksum, not folded. What is added first has an even length */
static uint64_t add(uint64_t sum, const uint8_t *bytes, size_t len)
{
	for (; len >= 4; bytes += 4, len -= 4)
		sum += get_be32(bytes);
	if (len >= 2)
		sum += get_be16(bytes);
	return len & 1 ? sum + (bytes[len - 1] << 8) : sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The field has a part of the sum already: of what is not in the frame */
static bool fill_checksum(struct whole *w, const struct virtio_net_hdr_v1 *h)
{
	size_t at = h->csum_start + h->csum_offset;
	uint16_t csum;

	if (at + 2 > w->len || h->csum_start > at)
		return false;
	csum = ~fold(add(0, w->bytes + h->csum_start, w->len - h->csum_start));
	/* UDP's zero means that there is none */
	put_be16(w->bytes + at, csum ? csum : 0xffff);
	return true;
}

/* Where the headers are. False: it is not what its header says */
static bool find_headers(struct whole *w, const struct virtio_net_hdr_v1 *h)
{
	const uint8_t *b = w->bytes;
	unsigned int i, type;
	size_t at = FRAME_MIN;

	w->l4 = h->csum_start;
	w->six = (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) ==
		 VIRTIO_NET_HDR_GSO_TCPV6;
	if (h->csum_offset != TCP_CSUM || w->l4 < FRAME_MIN + 20 ||
	    w->l4 + 20 > w->len)
		return false;
	for (i = 0; i < TAGS && (get_be16(b + at - 2) == 0x8100 ||
				 get_be16(b + at - 2) == 0x88a8); i++)
		at += 4;
	type = get_be16(b + at - 2);
	w->ip = at;
	w->data = w->l4 + (b[w->l4 + 12] >> 4) * 4;
	if (w->data < w->l4 + 20 || w->data >= w->len || w->data > HEADERS_MAX)
		return false;
	if (w->six)
		return type == 0x86dd && at + 40 <= w->l4;
	return type == 0x0800 && at + 20 <= w->l4 && b[at + 9] == IPPROTO_TCP &&
	       at + (b[at] & 15) * 4 == w->l4;
}

/* Of TCP's checksum, what is of IP: addresses, protocol, length */
static uint64_t pseudo(const struct whole *w, size_t tcp_len)
{
	const uint8_t *ip = w->bytes + w->ip;
	uint64_t sum = IPPROTO_TCP + tcp_len;

	return w->six ? add(sum, ip + 8, 32) : add(sum, ip + 12, 8);
}

/* In @head, the headers of segment @nr with @len bytes of data from @at on */
static void make_segment(const struct whole *w, uint8_t *head, unsigned int nr,
			 size_t at, size_t len)
{
	uint8_t *ip = head + w->ip, *tcp = head + w->l4;
	size_t tcp_len = w->data - w->l4 + len;
	bool last = at + len == w->len;

	memcpy(head, w->bytes, w->data);
	if (w->six) {
		put_be16(ip + 4, w->l4 - w->ip - 40 + tcp_len);
	} else {
		put_be16(ip + 2, w->l4 - w->ip + tcp_len);
		put_be16(ip + 4, get_be16(ip + 4) + nr);
		put_be16(ip + 10, 0);
		put_be16(ip + 10, ~fold(add(0, ip, w->l4 - w->ip)));
	}
	put_be32(tcp + 4, get_be32(tcp + 4) + (at - w->data));
	/* The end is the last one's; that a window was halved is said once */
	if (!last)
		tcp[13] &= ~(TCP_FIN | TCP_PSH);
	if (nr)
		tcp[13] &= ~TCP_CWR;
	put_be16(tcp + TCP_CSUM, 0);
	put_be16(tcp + TCP_CSUM,
	      ~fold(add(add(pseudo(w, tcp_len), tcp, w->data - w->l4),
			w->bytes + at, len)));
}

static bool segment(struct whole *w, size_t size, offload_emit *emit, void *ctx)
{
	uint8_t head[HEADERS_MAX];
	size_t at, len;
	unsigned int nr;

	for (at = w->data, nr = 0; at < w->len; at += len, nr++) {
		struct iovec iov[] = { { head, w->data }, { w->bytes + at, 0 } };
		struct frame frame = { { 0 }, iov, 2, 0 };

		len = w->len - at < size ? w->len - at : size;
		iov[1].iov_len = len;
		frame.len = w->data + len;
		make_segment(w, head, nr, at, len);
		if (!emit(ctx, &frame, nr))
			return false;
	}
	return true;
}

enum offload_result offload_finish(const struct frame *frame, offload_emit *emit,
				   void *ctx)
{
	const struct virtio_net_hdr_v1 *h = &frame->header;
	struct whole w;
	struct iovec iov = { w.bytes, 0 };
	struct frame one = { { 0 }, &iov, 1, 0 };

	if (frame->len > sizeof(w.bytes))
		return OFFLOAD_BAD;
	w.len = one.len = iov.iov_len = frame_peek(frame, w.bytes, frame->len);
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		if (!fill_checksum(&w, h))
			return OFFLOAD_BAD;
		return emit(ctx, &one, 0) ? OFFLOAD_DONE : OFFLOAD_STOPPED;
	}
	if (!find_headers(&w, h) || !h->gso_size ||
	    (w.len - w.data) / h->gso_size >= SEGMENTS)
		return OFFLOAD_BAD;
	return segment(&w, h->gso_size, emit, ctx) ? OFFLOAD_DONE :
	       OFFLOAD_STOPPED;
}
