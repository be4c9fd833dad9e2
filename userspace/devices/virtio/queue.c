// SPDX-License-Identifier: GPL-2.0
/*
 * A split virtqueue (virtio 1.2, 2.7). The driver may change all of it at any
 * time: each word is read once, and checked before it is used.
 */
#include <string.h>
#include "core/machine.h"
#include "devices/virtio/virtio.h"

#define READ	MVMM_ACCESS_READ
#define WRITE	MVMM_ACCESS_WRITE

static void *at(const struct virtqueue *q, uint64_t gpa, uint64_t len,
		uint32_t access)
{
	return memory_at(&q->virtio->pci.device.machine->memory, gpa, len,
			 access);
}

static bool has_event_index(const struct virtqueue *q)
{
	return virtio_has(q->virtio, VIRTIO_RING_F_EVENT_IDX);
}

int queue_enable(struct virtqueue *q)
{
	uint64_t n = q->size;

	if (!n || n > VIRTIO_RING_MAX || n & (n - 1) ||
	    q->desc % VRING_DESC_ALIGN_SIZE ||
	    q->avail % VRING_AVAIL_ALIGN_SIZE ||
	    q->used % VRING_USED_ALIGN_SIZE)
		return -1;
	/* Both rings have an event index behind their entries */
	q->desc_at = at(q, q->desc, n * sizeof(*q->desc_at), READ);
	q->avail_at = at(q, q->avail, sizeof(*q->avail_at) + 2 * n + 2, READ);
	q->used_at = at(q, q->used, sizeof(*q->used_at) +
			n * sizeof(q->used_at->ring[0]) + 2, WRITE);
	if (!q->desc_at || !q->avail_at || !q->used_at)
		return -1;
	q->enabled = true;
	return 0;
}

/* The driver notifies when it makes entry @index available */
static void ask_for(struct virtqueue *q, uint16_t index)
{
	uint16_t *avail_event = (void *)&q->used_at->ring[q->size];

	if (!has_event_index(q))
		return;
	/*
	 * Written before the driver's index is read again; pairs with the
	 * driver's barrier between its index and this one
	 */
	__atomic_store_n(avail_event, index, __ATOMIC_SEQ_CST);
}

/* Adds a buffer, which is not to be read again from the descriptor */
static const char *add(struct virtqueue *q, struct chain *c,
		       const struct vring_desc *d)
{
	bool write = d->flags & VRING_DESC_F_WRITE;
	void *host = at(q, d->addr, d->len, write ? WRITE : READ);

	if (!d->len || !host)
		return "a buffer that is not in memory";
	if (c->out + c->in == VIRTIO_CHAIN_MAX)
		return "a chain that is too long";
	if (!write && c->in)
		return "a buffer to read behind one to write";
	c->iov[c->out + c->in] = (struct iovec){ host, d->len };
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
			table = at(q, d.addr, d.len, READ);
			if (!table)
				return "an indirect table that is not in memory";
			nested = true;
			n = d.len / sizeof(d);
			i = 0;
			continue;
		}
		wrong = add(q, c, &d);
		if (wrong || !(d.flags & VRING_DESC_F_NEXT))
			return wrong;
		i = d.next;
	}
	return "a chain that does not end";
}

bool queue_pop(struct virtqueue *q, struct chain *c)
{
	const char *wrong;
	uint16_t index;

	if (!q->enabled || !pci_is_master(&q->virtio->pci))
		return false;
	index = __atomic_load_n(&q->avail_at->idx, __ATOMIC_ACQUIRE);
	if (index == q->next_avail) {
		ask_for(q, index);
		index = __atomic_load_n(&q->avail_at->idx, __ATOMIC_SEQ_CST);
		if (index == q->next_avail)
			return false;
	}
	if ((uint16_t)(index - q->next_avail) > q->size) {
		virtio_break(q->virtio, "an index beyond its ring");
		return false;
	}
	c->head = __atomic_load_n(&q->avail_at->ring[q->next_avail % q->size],
				  __ATOMIC_RELAXED);
	wrong = walk(q, c);
	if (wrong) {
		virtio_break(q->virtio, wrong);
		return false;
	}
	q->next_avail++;
	return true;
}

void queue_unpop(struct virtqueue *q, const struct chain *c)
{
	q->next_avail--;
}

void queue_push(struct virtqueue *q, const struct chain *c, uint32_t written)
{
	struct vring_used_elem *e = &q->used_at->ring[q->next_used % q->size];

	__atomic_store_n(&e->id, c->head, __ATOMIC_RELAXED);
	__atomic_store_n(&e->len, written, __ATOMIC_RELAXED);
	q->next_used++;
	/*
	 * The driver reads the element after the index; and the index is written
	 * before wants_signal() reads what the driver wishes
	 */
	__atomic_store_n(&q->used_at->idx, q->next_used, __ATOMIC_SEQ_CST);
}

static bool wants_signal(struct virtqueue *q)
{
	uint16_t event;

	if (!has_event_index(q))
		return !(__atomic_load_n(&q->avail_at->flags,
					 __ATOMIC_SEQ_CST) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	event = __atomic_load_n(&q->avail_at->ring[q->size], __ATOMIC_SEQ_CST);
	return vring_need_event(event, q->next_used, q->signalled);
}

void queue_signal(struct virtqueue *q)
{
	struct virtio *virtio = q->virtio;

	if (q->signalled == q->next_used)
		return;
	if (wants_signal(q)) {
		if (msix_enabled(&virtio->pci)) {
			msix_notify(&virtio->pci, q->vector);
		} else {
			virtio->isr |= 1;
			pci_set_intx(&virtio->pci, true);
		}
	}
	q->signalled = q->next_used;
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
