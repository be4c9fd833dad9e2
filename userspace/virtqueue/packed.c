// SPDX-License-Identifier: GPL-2.0
/*
 * A packed virtqueue (virtio 1.2, 2.8): one ring, whose descriptors say by two
 * bits, and a wrap counter, whose they are. The driver may change all of it at
 * any time, as in queue.c.
 */
#include <string.h>
#include "virtqueue/queue.h"

/* Descriptors that are taken and not given back */
static int taken(const struct virtqueue *q)
{
	return q->next_avail - q->next_used +
	       (q->avail_wrap == q->used_wrap ? 0 : q->size);
}

static void advance(const struct virtqueue *q, uint16_t *index, bool *wrap,
		    unsigned int slots)
{
	*index += slots;
	if (*index < q->size)
		return;
	*index -= q->size;
	*wrap = !*wrap;
}

int packed_enable(struct virtqueue *q)
{
	uint64_t n = q->size;

	if (!n || n > VIRTIO_RING_MAX || q->desc % 16 || q->avail % 4 ||
	    q->used % 4)
		return -1;
	q->packed_at = q->ops->memory(q, q->desc, n * sizeof(*q->packed_at),
				      true);
	q->driver_event = q->ops->memory(q, q->avail, sizeof(*q->driver_event),
					 false);
	q->device_event = q->ops->memory(q, q->used, sizeof(*q->device_event),
					 true);
	/* The indices are a loaded state's */
	if (!q->packed_at || !q->driver_event || !q->device_event ||
	    q->next_avail >= n || q->next_used >= n || taken(q) < 0 ||
	    taken(q) > q->size)
		return -1;
	q->enabled = true;
	return 0;
}

static bool is_available(const struct virtqueue *q)
{
	uint16_t flags = __atomic_load_n(&q->packed_at[q->next_avail].flags,
					 __ATOMIC_SEQ_CST);

	return !(flags & PACKED_AVAIL) != q->avail_wrap &&
	       !(flags & PACKED_USED) == q->avail_wrap;
}

/* The driver notifies when the next descriptor is available */
static void ask(struct virtqueue *q)
{
	uint16_t flags = VRING_PACKED_EVENT_FLAG_ENABLE;

	if (q->event_index) {
		__atomic_store_n(&q->device_event->off_wrap,
				 q->next_avail | (q->avail_wrap ? PACKED_WRAP : 0),
				 __ATOMIC_RELAXED);
		flags = VRING_PACKED_EVENT_FLAG_DESC;
	}
	/*
	 * The offset is there before. The descriptor is read again after this;
	 * pairs with the driver's barrier between its descriptor and these flags
	 */
	__atomic_store_n(&q->device_event->flags, flags, __ATOMIC_SEQ_CST);
}

/* A copy, which is not read again */
static struct vring_packed_desc copy(const void *table, unsigned int i)
{
	struct vring_packed_desc d;

	memcpy(&d, (const uint8_t *)table + i * sizeof(d), sizeof(d));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return d;
}

static const char *add(struct virtqueue *q, struct chain *c,
		       const struct vring_packed_desc *d)
{
	return queue_add(q, c, d->addr, d->len, d->flags & VRING_DESC_F_WRITE);
}

/* All of a table are one chain; they have no other flags */
static const char *add_table(struct virtqueue *q, struct chain *c,
			     const struct vring_packed_desc *d)
{
	unsigned int i, n = d->len / sizeof(*d);
	const char *wrong = NULL;
	const void *table;

	if (c->out + c->in || d->flags & VRING_DESC_F_NEXT || !n ||
	    d->len % sizeof(*d))
		return "an indirect table that is none";
	table = q->ops->memory(q, d->addr, d->len, false);
	if (!table)
		return "an indirect table that is not in memory";
	for (i = 0; i < n && !wrong; i++) {
		struct vring_packed_desc in_table = copy(table, i);

		if (in_table.flags & VRING_DESC_F_INDIRECT)
			return "an indirect table in another";
		wrong = add(q, c, &in_table);
	}
	return wrong;
}

/* NULL, or what is wrong. The driver names the chain in its last descriptor */
static const char *walk(struct virtqueue *q, struct chain *c)
{
	unsigned int room = q->size - taken(q), i = q->next_avail;
	struct vring_packed_desc d;
	const char *wrong;

	c->out = c->in = c->slots = 0;
	do {
		if (c->slots == room)
			return "a chain that does not end";
		d = copy(q->packed_at, i);
		c->slots++;
		i = i + 1 < q->size ? i + 1 : 0;
		wrong = d.flags & VRING_DESC_F_INDIRECT ? add_table(q, c, &d) :
							  add(q, c, &d);
		if (wrong)
			return wrong;
	} while (d.flags & VRING_DESC_F_NEXT);
	c->head = d.id;
	return NULL;
}

bool packed_pop(struct virtqueue *q, struct chain *c)
{
	const char *wrong;

	if (!is_available(q)) {
		ask(q);
		if (!is_available(q))
			return false;
	}
	wrong = walk(q, c);
	if (wrong) {
		q->ops->broken(q, wrong);
		return false;
	}
	advance(q, &q->next_avail, &q->avail_wrap, c->slots);
	return true;
}

void packed_unpop(struct virtqueue *q, const struct chain *c)
{
	if (q->next_avail >= c->slots) {
		q->next_avail -= c->slots;
		return;
	}
	q->next_avail += q->size - c->slots;
	q->avail_wrap = !q->avail_wrap;
}

/* In 16 bits, as half of queue_base() */
static uint32_t place_of(uint16_t index, bool wrap)
{
	return index | (wrap ? PACKED_WRAP : 0);
}

/* The driver finds it, and those behind it */
static void give(struct virtqueue *q, unsigned int at, bool wrap,
		 const struct filled *f)
{
	typedef uint64_t __attribute__((may_alias)) half;
	uint64_t flags = (wrap ? PACKED_AVAIL | PACKED_USED : 0) |
			 (f->written ? VRING_DESC_F_WRITE : 0);

	/*
	 * The length, the identifier and the flags at once: who dies has changed all or
	 * nothing. And this is written before packed_wants_signal() reads what the
	 * driver wishes
	 */
	__atomic_store_n((half *)&q->packed_at[at].len,
			 f->written | (uint64_t)f->head << 32 | flags << 48,
			 __ATOMIC_SEQ_CST);
}

/* The first one comes last: the driver looks at them in their order */
void packed_push(struct virtqueue *q, const struct filled *f, unsigned int nr)
{
	uint16_t first = q->next_used, at = first;
	bool wrap = q->used_wrap, round = wrap;
	unsigned int i;

	if (!nr)
		return;
	for (i = 0; i < nr; i++) {
		advance(q, &q->next_used, &q->used_wrap, f[i].slots);
		q->signalled += f[i].slots;
	}
	/* From there to there: whether it was done, the descriptors' flags say */
	if (q->place)
		__atomic_store_n(q->place, place_of(first, wrap) |
				 place_of(q->next_used, q->used_wrap) << 16,
				 __ATOMIC_RELEASE);
	for (i = 1; i < nr; i++) {
		advance(q, &at, &round, f[i - 1].slots);
		give(q, at, round, &f[i]);
	}
	give(q, first, wrap, f);
}

bool packed_wants_signal(struct virtqueue *q)
{
	uint16_t flags, event, old = q->next_used - q->signalled;
	bool wrap;

	flags = __atomic_load_n(&q->driver_event->flags, __ATOMIC_SEQ_CST) & 3;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC ||
	    !q->event_index)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	event = __atomic_load_n(&q->driver_event->off_wrap, __ATOMIC_RELAXED);
	wrap = event & PACKED_WRAP;
	event &= ~PACKED_WRAP;
	/* In the round before this one */
	if (wrap != q->used_wrap)
		event -= q->size;
	return vring_need_event(event, q->next_used, old);
}
