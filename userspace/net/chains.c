// SPDX-License-Identifier: GPL-2.0
/* See chains.h. */
#include "net/chains.h"

/* How many chains a frame takes */
#define NUMBER_AT	offsetof(struct virtio_net_hdr_v1, num_buffers)

static unsigned int offloads(uint64_t features, unsigned int csum,
			     unsigned int tso4, unsigned int tso6,
			     unsigned int ecn)
{
	return (features >> csum & 1 ? PORT_CSUM : 0) |
	       (features >> tso4 & 1 ? PORT_TSO4 : 0) |
	       (features >> tso6 & 1 ? PORT_TSO6 : 0) |
	       (features >> ecn & 1 ? PORT_ECN : 0);
}

unsigned int chains_gives(uint64_t features)
{
	return offloads(features, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4,
			VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN);
}

unsigned int chains_takes(uint64_t features)
{
	return offloads(features, VIRTIO_NET_F_GUEST_CSUM,
			VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6,
			VIRTIO_NET_F_GUEST_ECN);
}

bool chain_frame(struct chain *chain, void *head, size_t len,
		 struct frame *frame)
{
	unsigned int i;

	if (chain_take(chain, head, len) < len)
		return false;
	memcpy(&frame->header, head, sizeof(frame->header));
	frame->iov = chain->iov;
	frame->niov = chain->out;
	while (frame->niov && !frame->iov->iov_len) {
		frame->iov++;
		frame->niov--;
	}
	frame->len = 0;
	for (i = 0; i < frame->niov; i++)
		frame->len += frame->iov[i].iov_len;
	return frame->len >= FRAME_MIN && frame->len <= FRAME_MAX;
}

/**
 * struct source - what is left of a frame
 * @iov: its first buffer
 * @niov: how many there are
 * @skip: bytes of the first one that are done
 */
struct source {
	const struct iovec *iov;
	unsigned int niov;
	size_t skip;
};

/* As many bytes as there is room for in the chain; returns that */
static size_t fill(struct chain *chain, struct source *from)
{
	size_t sum = 0;

	for (; from->niov; from->iov++, from->niov--, from->skip = 0) {
		size_t len = from->iov->iov_len - from->skip;
		size_t n = chain_put(chain, (const uint8_t *)
				     from->iov->iov_base + from->skip, len);

		sum += n;
		from->skip += n;
		if (n < len)
			break;
	}
	return sum;
}

static size_t room_of(const struct chain *chain, size_t enough)
{
	size_t sum = 0;
	unsigned int i;

	for (i = 0; i < chain->in && sum < enough; i++)
		sum += chain->iov[chain->out + i].iov_len;
	return sum;
}

/* Where the byte @at of what the device writes is; it is there */
static uint8_t *byte_at(const struct chain *chain, size_t at)
{
	const struct iovec *iov = chain->iov + chain->out;

	for (; at >= iov->iov_len; iov++)
		at -= iov->iov_len;
	return (uint8_t *)iov->iov_base + at;
}

/* The chains that were taken go back, the last one first */
static void take_back(struct virtqueue *q, const struct filled *filled,
		      unsigned int nr)
{
	struct chain chain;

	while (nr--) {
		chain.slots = filled[nr].slots;
		queue_unpop(q, &chain);
	}
}

int chains_put(struct virtqueue *q, struct filled *filled, bool merge,
	       const void *head, size_t len, const struct frame *frame)
{
	struct source from = { frame->iov, frame->niov, 0 };
	const size_t whole = len + frame->len;
	unsigned int nr = 0, slots = 0;
	size_t done = 0, first;
	uint8_t *number[2] = { 0 };
	struct chain chain;

	while (done < whole) {
		if (nr == VIRTIO_RING_MAX || slots >= q->size ||
		    !queue_pop(q, &chain))
			break;
		slots += q->packed ? chain.slots : 1;
		filled[nr++] = (struct filled){ chain.head, chain.slots, 0 };
		first = 0;
		if (nr == 1) {
			size_t room = room_of(&chain, whole);

			if (room < len) {
				q->ops->broken(q,
					       "a buffer to receive that has no room for a header");
				return 0;
			}
			if (room < whole && !merge) {
				take_back(q, filled, nr);
				return -1;
			}
			number[0] = byte_at(&chain, NUMBER_AT);
			number[1] = byte_at(&chain, NUMBER_AT + 1);
			first = chain_put(&chain, head, len);
		}
		filled[nr - 1].written = first + fill(&chain, &from);
		done += filled[nr - 1].written;
	}
	if (done < whole) {
		take_back(q, filled, nr);
		return nr == VIRTIO_RING_MAX || slots >= q->size ? -1 : 0;
	}
	*number[0] = nr;
	*number[1] = nr >> 8;
	queue_push_all(q, filled, nr);
	return 1;
}
