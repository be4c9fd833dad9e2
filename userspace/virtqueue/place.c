// SPDX-License-Identifier: GPL-2.0
/* Where a queue stands: for who takes it over from another process, or hands it over. */
#include "virtqueue/queue.h"

bool queue_base_is_valid(const struct virtqueue *q, uint32_t base)
{
	if (!q->packed)
		return base <= UINT16_MAX;
	return (base & 0x7fff) < q->size && (base >> 16 & 0x7fff) < q->size;
}

uint32_t queue_base(const struct virtqueue *q)
{
	if (!q->packed)
		return q->next_avail;
	return q->next_avail | q->avail_wrap << 15 | q->next_used << 16 |
	       (uint32_t)q->used_wrap << 31;
}

void queue_set_base(struct virtqueue *q, uint32_t base)
{
	if (!q->packed) {
		q->next_avail = q->next_used = q->signalled = base;
		return;
	}
	q->next_avail = base & 0x7fff;
	q->avail_wrap = base >> 15 & 1;
	q->next_used = base >> 16 & 0x7fff;
	q->used_wrap = base >> 31;
	q->signalled = 0;
}

/* In the round of @wrap: available until it is used */
static bool is(const struct virtqueue *q, unsigned int at, bool wrap, bool used)
{
	uint16_t flags = __atomic_load_n(&q->packed_at[at].flags,
					 __ATOMIC_ACQUIRE);

	return !!(flags & PACKED_AVAIL) == wrap &&
	       !!(flags & PACKED_USED) == (used == wrap);
}

/*
 * His last step was done, unless its first descriptor is available still: the driver may
 * have put the next round's there. Of several that were to be given back at once, he may
 * have given all but the first: what those were, and the first was to be, is lost
 */
static bool recover_packed(struct virtqueue *q)
{
	uint32_t place = __atomic_load_n(q->place, __ATOMIC_ACQUIRE);
	unsigned int at = place & 0x7fff, end = place >> 16;
	bool wrap = place & PACKED_WRAP;

	if (!queue_base_is_valid(q, place))
		return false;
	if (!is(q, at, wrap, false))
		place >>= 16;
	else
		for (; (at | (wrap ? PACKED_WRAP : 0)) != end; wrap ^= !at) {
			if (is(q, at, wrap, true))
				return false;
			at = at + 1 < q->size ? at + 1 : 0;
		}
	place &= 0xffff;
	queue_set_base(q, place | place << 16);
	return true;
}

bool queue_recover(struct virtqueue *q)
{
	if (q->packed)
		return recover_packed(q);
	queue_set_base(q, __atomic_load_n(&q->used_at->idx, __ATOMIC_ACQUIRE));
	return true;
}
