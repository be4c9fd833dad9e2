/* SPDX-License-Identifier: GPL-2.0 */
/* RAM with the hole below 1 MiB, for tests of what is put into it. */
#ifndef MVMM_HOLE_H
#define MVMM_HOLE_H

#include <stdlib.h>
#include "core/memory.h"

/* From calloc(), so that the sanitizer sees what goes beyond its end */
static inline struct memory ram_with_hole(uint64_t size)
{
	uint8_t *base = calloc(1, size);

	return (struct memory){
		.base = base, .size = size, .low = size, .nr = 2,
		.block = { { HOLE_END, size - HOLE_END, base + HOLE_END, false },
			   { 0, HOLE_START, base, false } } };
}

#endif
