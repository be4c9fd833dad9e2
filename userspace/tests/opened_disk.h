/* SPDX-License-Identifier: GPL-2.0 */
/* The disk that a test has open, written and read with one value. Behind cmocka.h. */
#ifndef MVMM_OPENED_DISK_H
#define MVMM_OPENED_DISK_H

#include "block/block.h"

static struct block *disk;
static uint8_t bytes[8192];

static inline void write_some(uint64_t at, uint8_t value)
{
	memset(bytes, value, sizeof(bytes));
	assert_int_equal(block_do(disk, BLOCK_WRITE, at, bytes, sizeof(bytes)),
			 0);
}

static inline void read_some(uint64_t at, uint8_t value)
{
	memset(bytes, ~value, sizeof(bytes));
	assert_int_equal(block_do(disk, BLOCK_READ, at, bytes, sizeof(bytes)),
			 0);
	assert_int_equal(bytes[0], value);
	assert_memory_equal(bytes, bytes + 1, sizeof(bytes) - 1);
}

#endif
