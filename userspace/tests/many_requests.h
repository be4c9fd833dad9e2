/* SPDX-License-Identifier: GPL-2.0 */
/* MANY requests of PIECE bytes, which a test defines, and what is in each. */
#ifndef MVMM_MANY_REQUESTS_H
#define MVMM_MANY_REQUESTS_H

#include <string.h>
#include "block/block.h"

static uint8_t data[MANY][PIECE];
static struct block_request many[MANY];
static unsigned int left;	/* requests that have not ended */

/* Another byte in each, 0: zeroes */
static inline void fill(unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		memset(data[i], seed ? seed + i : 0, PIECE);
}

static inline void assert_filled(unsigned int seed)
{
	unsigned int i;

	assert_int_equal(left, 0);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(many[i].result, 0);
		assert_int_equal(data[i][0], (uint8_t)(seed + i));
		assert_memory_equal(data[i], data[i] + 1, PIECE - 1);
	}
}

#endif
