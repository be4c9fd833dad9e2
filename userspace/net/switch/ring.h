/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring of frames in memory that two processes share: one puts them in, the other
 * takes them out, and neither believes what the other has written there. Each keeps
 * its own place to itself; the other's is read once, and checked. Nobody locks, and
 * who is busy is not woken: as virtio does, each says when it wants to be.
 *
 * A frame is a struct ring_record and its bytes, padded to 16. A place is the number
 * of bytes since the beginning, modulo 2^32.
 */
#ifndef MVMM_SWITCH_RING_H
#define MVMM_SWITCH_RING_H

#include "net/net.h"

#define RING_BYTES	(1u << 20)	/* a power of two */
#define RING_PIECES	2		/* of a frame, where it goes round */
/* Of a guest at a time, and what else a frame costs: then the loop's others come first */
#define TURN_BYTES	(256u << 10)
#define TURN_COST	1000

/**
 * struct ring_record - before each frame
 * @len: of the frame
 * @header: what is left to do; all 0 where the two ends have not agreed on offloads
 */
struct ring_record {
	uint32_t len;
	struct virtio_net_hdr_v1 header;
};

/**
 * struct ring_words - shared, as the rest; a cache line for each side
 * @head: the next frame goes there
 * @wants_room: who puts frames in waits until @tail has passed this
 * @tail: the next frame is taken there
 * @wants_more: who takes them waits until @head has passed this
 * @takes: PORT_*, of frames that are put in
 */
struct ring_words {
	uint32_t head, wants_room, pad[14];
	uint32_t tail, wants_more, takes, pad2[13];
};

/**
 * struct ring - one side's
 * @words: shared
 * @data: shared, RING_BYTES
 * @at: its own place
 * @told: this, when it last looked if the other one waits
 */
struct ring {
	struct ring_words *words;
	uint8_t *data;
	uint32_t at, told;
};

/* RING_BAD: the other side is no ring's */
enum ring_result { RING_BAD = -1, RING_NONE, RING_DONE };

/* The frame fits into one: FRAME_MAX. RING_NONE: there is no room */
enum ring_result ring_put(struct ring *ring, const struct frame *frame);
/* There is no room: it waits. False: now there is */
bool ring_wait_room(struct ring *ring);
/* It has put frames in: does the other one wait for them? */
bool ring_put_wakes(struct ring *ring);

/* The next one, where it lies: others may write there. Its header is not checked */
enum ring_result ring_get(struct ring *ring, struct iovec *iov,
			  struct frame *frame);
/* That one is not needed any more */
void ring_next(struct ring *ring, const struct frame *frame);
/* There is none: it waits. False: now there is */
bool ring_wait_more(struct ring *ring);
/* It has taken frames out: does the other one wait for room? */
bool ring_get_wakes(struct ring *ring);

#endif
