/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A cable for teaching: slow, long, or bad. It is two ports, one at each end, between
 * what is plugged in and the switch, and is the same in both directions. Time and
 * chance are its own: with a seed the same frames are lost each time.
 */
#ifndef MVMM_SWITCH_CABLE_H
#define MVMM_SWITCH_CABLE_H

#include "net/net.h"

/* Frames on their way in one direction have so much memory at most */
#define CABLE_BYTES	(1u << 20)
/* Of a slow cable: they wait no longer than so many ns before they begin */
#define CABLE_WAIT	200000000ull

/**
 * struct cable_config - how it is; all zero: as if it was not there
 * @rate: kbit/s; 0: any
 * @delay: of each frame, in ms
 * @loss: of a thousand frames so many are lost
 * @seed: of the chance; 0: any
 */
struct cable_config {
	uint32_t rate, delay, loss, seed;
};

struct cable_frame;
struct cable;

/**
 * struct cable_end - takes frames here, which come out at the other end
 * @port: begins it
 * @cable: whose end it is
 * @first: of the frames on their way from here, in their order
 * @last: the last one of them
 * @bytes: of memory that all of them have
 * @free: until this moment the last one is being sent
 */
struct cable_end {
	struct port port;
	struct cable *cable;
	struct cable_frame *first, *last;
	size_t bytes;
	uint64_t free;
};

/**
 * struct cable - see above
 * @config: how it is
 * @end: at the switch's port, and at what is plugged in
 * @arrival: the next frame comes out
 * @random: state of the chance
 */
struct cable {
	struct cable_config config;
	struct cable_end end[2];
	struct timer arrival;
	uint64_t random;
};

bool cable_is_needed(const struct cable_config *config);
/*
 * Between the two, which have no peers yet; the loop's lock is held. NULL: no memory
 */
struct cable *cable_new(const struct cable_config *config, struct loop *loop,
			struct port *of_switch, struct port *plugged);
/* Both have no peer then. NULL: nothing happens */
void cable_free(struct cable *cable);

#endif
