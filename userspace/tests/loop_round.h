/* SPDX-License-Identifier: GPL-2.0 */
/* A test or a fuzz target is a loop's thread for a moment. */
#ifndef MVMM_LOOP_ROUND_H
#define MVMM_LOOP_ROUND_H

#include "base/loop.h"

static inline bool had_its_round(void *ctx)
{
	return (*(unsigned int *)ctx)++;
}

/* What the loop does with what it has been told so far */
static inline void run_once(struct loop *loop)
{
	unsigned int rounds = 0;

	loop_wake(loop);
	loop_run(loop, had_its_round, &rounds);
}

#endif
