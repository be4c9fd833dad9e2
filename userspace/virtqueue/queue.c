// SPDX-License-Identifier: GPL-2.0
/*
 * Virtqueues, and split ones (virtio 1.2, 2.7); packed ones are in packed.c. The
 * driver may change all of a ring at any time: each word is read once, and
 * checked before it is used.
 */
#include <linux/virtio_config.h>
#include <string.h>
#include "virtqueue/queue.h"

int queue_enable(struct virtqueue *q, uint64_t features)
{
	uint64_t n = q->size;

	q->packed = features >> VIRTIO_F_RING_PACKED & 1;
	q->event_index = features >> VIRTIO_RING_F_EVENT_IDX & 1;
	if (q->packed)
		return packed_enable(q);
	if (!n || n > VIRTIO_RING_MAX || n & (n - 1) ||
	    q->desc % VRING_DESC_ALIGN_SIZE ||
	    q->avail % VRING_AVAIL_ALIGN_SIZE ||
	    q->used % VRING_USED_ALIGN_SIZE)
		return -1;
	/* Both rings have an event index behind their entries */
	q->desc_at = q->ops->memory(q, q->desc, n * sizeof(*q->desc_at), false);
	q->avail_at = q->ops->memory(q, q->avail, sizeof(*q->avail_at) +
				     2 * n + 2, false);
	q->used_at = q->ops->memory(q, q->used, sizeof(*q->used_at) +
				    n * sizeof(q->used_at->ring[0]) + 2, true);
	if (!q->desc_at || !q->avail_at || !q->used_at)
		return -1;
	q->enabled = true;
	return 0;
}

/* The driver notifies when it makes entry @index available */
static void ask_for(struct virtqueue *q, uint16_t index)
{
	uint16_t *avail_event = (void *)&q->used_at->ring[q->size];

	if (!q->event_index)
		return;
	/*
	 * Written before the driver's index is read again; pairs with the
	 * driver's barrier between its index and this one
	 */
	__atomic_store_n(avail_event, index, __ATOMIC_SEQ_CST);
}

const char *queue_add(struct virtqueue *q, struct chain *c, uint64_t gpa,
		      uint32_t len, bool write)
{
	void *host = q->ops->memory(q, gpa, len, write);

	if (!len || !host)
		return "a buffer that is not in memory";
	if (c->out + c->in == VIRTIO_CHAIN_MAX)
		return "a chain that is too long";
	if (!write && c->in)
		return "a buffer to read behind one to write";
	c->iov[c->out + c->in] = (struct iovec){ host, len };
	if (write)
		c->in++;
	else
		c->out++;
	return NULL;
}

/* NULL, or what is wrong */
static const char *walk(struct virtqueue *q, struct chain *c)
{
	/* An indirect table may be anywhere, not aligned */
	const uint8_t *table = (const uint8_t *)q->desc_at;
	unsigned int n = q->size, i = c->head, steps;
	const char *wrong;
	struct vring_desc d;
	bool nested = false;

	c->out = c->in = 0;
	for (steps = 0; steps <= VIRTIO_CHAIN_MAX; steps++) {
		if (i >= n)
			return "a descriptor outside its table";
		memcpy(&d, table + i * sizeof(d), sizeof(d));
		/* The compiler must not read it again */
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (nested || d.flags & VRING_DESC_F_NEXT || !d.len ||
			    d.len % sizeof(d))
				return "an indirect table that is none";
			table = q->ops->memory(q, d.addr, d.len, false);
			if (!table)
				return "an indirect table that is not in memory";
			nested = true;
			n = d.len / sizeof(d);
			i = 0;
			continue;
		}
		wrong = queue_add(q, c, d.addr, d.len,
				  d.flags & VRING_DESC_F_WRITE);
		if (wrong || !(d.flags & VRING_DESC_F_NEXT))
			return wrong;
		i = d.next;
	}
	return "a chain that does not end";
}

static bool split_pop(struct virtqueue *q, struct chain *c)
{
	const char *wrong;
	uint16_t index;

	index = __atomic_load_n(&q->avail_at->idx, __ATOMIC_ACQUIRE);
	if (index == q->next_avail) {
		ask_for(q, index);
		index = __atomic_load_n(&q->avail_at->idx, __ATOMIC_SEQ_CST);
		if (index == q->next_avail)
			return false;
	}
	if ((uint16_t)(index - q->next_avail) > q->size) {
		q->ops->broken(q, "an index beyond its ring");
		return false;
	}
	c->head = __atomic_load_n(&q->avail_at->ring[q->next_avail % q->size],
				  __ATOMIC_RELAXED);
	wrong = walk(q, c);
	if (wrong) {
		q->ops->broken(q, wrong);
		return false;
	}
	q->next_avail++;
	return true;
}

/* evening 14: a request is taken out of the guest's memory */
bool queue_pop(struct virtqueue *q, struct chain *c)
{
	if (!q->enabled || !q->ops->may(q))
		return false;
	return q->packed ? packed_pop(q, c) : split_pop(q, c);
}

void queue_unpop(struct virtqueue *q, const struct chain *c)
{
	if (q->packed)
		packed_unpop(q, c);
	else
		q->next_avail--;
}

static void split_push(struct virtqueue *q, const struct filled *f,
		       unsigned int nr)
{
	for (; nr; nr--, f++) {
		struct vring_used_elem *e =
			&q->used_at->ring[q->next_used++ % q->size];

		__atomic_store_n(&e->id, f->head, __ATOMIC_RELAXED);
		__atomic_store_n(&e->len, f->written, __ATOMIC_RELAXED);
	}
	/*
	 * The driver reads the elements after the index; and the index is
	 * written before wants_signal() reads what the driver wishes
	 */
	__atomic_store_n(&q->used_at->idx, q->next_used, __ATOMIC_SEQ_CST);
}

void queue_push_all(struct virtqueue *q, const struct filled *f,
		    unsigned int nr)
{
	if (q->packed)
		packed_push(q, f, nr);
	else
		split_push(q, f, nr);
}

void queue_push(struct virtqueue *q, const struct chain *c, uint32_t written)
{
	const struct filled filled = { c->head, c->slots, written };

	queue_push_all(q, &filled, 1);
}

static bool wants_signal(struct virtqueue *q)
{
	uint16_t event;

	if (q->packed)
		return packed_wants_signal(q);
	if (!q->event_index)
		return !(__atomic_load_n(&q->avail_at->flags,
					 __ATOMIC_SEQ_CST) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	event = __atomic_load_n(&q->avail_at->ring[q->size], __ATOMIC_SEQ_CST);
	return vring_need_event(event, q->next_used, q->signalled);
}

void queue_signal(struct virtqueue *q)
{
	uint16_t told = q->packed ? 0 : q->next_used;

	if (q->signalled == told)
		return;
	if (wants_signal(q))
		q->ops->interrupt(q);
	q->signalled = told;
}

/* Moves the front of these buffers on. Returns by how many bytes */
static size_t copy(struct iovec *iov, unsigned int niov, void *to,
		   const void *from, size_t len)
{
	size_t done = 0;

	for (; niov && done < len; niov--, iov++) {
		size_t left = len - done;
		size_t n = iov->iov_len < left ? iov->iov_len : left;

		if (to)
			memcpy((char *)to + done, iov->iov_base, n);
		else
			memcpy(iov->iov_base, (const char *)from + done, n);
		iov->iov_base = (char *)iov->iov_base + n;
		iov->iov_len -= n;
		done += n;
	}
	return done;
}

size_t chain_take(struct chain *c, void *to, size_t len)
{
	return copy(c->iov, c->out, to, NULL, len);
}

size_t chain_put(struct chain *c, const void *from, size_t len)
{
	return copy(c->iov + c->out, c->in, NULL, from, len);
}
