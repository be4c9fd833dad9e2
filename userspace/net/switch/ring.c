// SPDX-License-Identifier: GPL-2.0
/* See ring.h. */
#include <string.h>
#include "net/switch/ring.h"

#define MASK	(RING_BYTES - 1)
#define UNIT	sizeof(struct ring_record)

/* A frame's, in the ring */
static uint32_t room_for(uint32_t len)
{
	return UNIT + ((len + UNIT - 1) & ~(UNIT - 1));
}

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/*
 * Against load() of another word behind it, also on the other side: either this one
 * sees that the other waits, or the other sees what was done
 */
static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void publish(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Is @event among the places that were passed? As vring_need_event() */
static bool passed(uint32_t event, uint32_t now, uint32_t before)
{
	return now - event - 1 < now - before;
}

static void copy_in(struct ring *r, uint32_t at, const uint8_t *bytes,
		    size_t len)
{
	size_t first = RING_BYTES - (at & MASK);

	if (len <= first) {
		memcpy(r->data + (at & MASK), bytes, len);
		return;
	}
	memcpy(r->data + (at & MASK), bytes, first);
	memcpy(r->data, bytes + first, len - first);
}

enum ring_result ring_put(struct ring *r, const struct frame *frame)
{
	struct ring_record record = { frame->len, frame->header };
	uint32_t used = r->at - __atomic_load_n(&r->words->tail,
						__ATOMIC_ACQUIRE);
	uint32_t at = r->at + UNIT;
	unsigned int i;

	if (used > RING_BYTES)
		return RING_BAD;
	if (room_for(frame->len) > RING_BYTES - used)
		return RING_NONE;
	memcpy(r->data + (r->at & MASK), &record, sizeof(record));
	for (i = 0; i < frame->niov; i++) {
		copy_in(r, at, frame->iov[i].iov_base, frame->iov[i].iov_len);
		at += frame->iov[i].iov_len;
	}
	r->at += room_for(frame->len);
	publish(&r->words->head, r->at);
	return RING_DONE;
}

bool ring_wait_room(struct ring *r)
{
	uint32_t tail = __atomic_load_n(&r->words->tail, __ATOMIC_ACQUIRE);

	store(&r->words->wants_room, tail);
	return load(&r->words->tail) == tail;
}

/*
 * Says in @mine where it is now. Has that passed what the other one waits for, in
 * @awaited?
 */
static bool tell(struct ring *r, uint32_t *mine, const uint32_t *awaited)
{
	uint32_t before = r->told;

	if (before == r->at)
		return false;
	r->told = r->at;
	store(mine, r->at);
	return passed(load(awaited), r->at, before);
}

bool ring_put_wakes(struct ring *r)
{
	return tell(r, &r->words->head, &r->words->wants_more);
}

enum ring_result ring_get(struct ring *r, struct iovec *iov,
			  struct frame *frame)
{
	uint32_t used = __atomic_load_n(&r->words->head, __ATOMIC_ACQUIRE) -
			r->at;
	uint32_t at = r->at + UNIT, len;
	size_t first = RING_BYTES - (at & MASK);
	struct ring_record record;

	if (!used)
		return RING_NONE;
	if (used > RING_BYTES || used < UNIT)
		return RING_BAD;
	memcpy(&record, r->data + (r->at & MASK), sizeof(record));
	/* The compiler must not read it again */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	len = record.len;
	if (len < FRAME_MIN || len > FRAME_MAX || room_for(len) > used)
		return RING_BAD;
	first = first < len ? first : len;
	iov[0] = (struct iovec){ r->data + (at & MASK), first };
	iov[1] = (struct iovec){ r->data, len - first };
	*frame = (struct frame){ .header = record.header, .iov = iov,
				 .niov = len > first ? 2 : 1, .len = len };
	return RING_DONE;
}

void ring_next(struct ring *r, const struct frame *frame)
{
	r->at += room_for(frame->len);
	publish(&r->words->tail, r->at);
}

bool ring_wait_more(struct ring *r)
{
	store(&r->words->wants_more, r->at);
	return load(&r->words->head) == r->at;
}

bool ring_get_wakes(struct ring *r)
{
	return tell(r, &r->words->tail, &r->words->wants_room);
}
