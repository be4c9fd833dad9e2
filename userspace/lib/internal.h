/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of libmvmm share. Users of the library do not see it. */
#ifndef LIBMVMM_INTERNAL_H
#define LIBMVMM_INTERNAL_H

#include "libmvmm.h"

static inline uint64_t mvmm_size_mask(unsigned int size)
{
	return size == 8 ? ~0ull : (1ull << 8 * size) - 1;
}

/* Writes a part of a register as the CPU does: 4 bytes clear the upper half */
static inline void mvmm_put_sized(__u64 *reg, uint64_t value,
				  unsigned int size)
{
	uint64_t mask = mvmm_size_mask(size);

	if (size == 4)
		*reg = (uint32_t)value;
	else
		*reg = (*reg & ~mask) | (value & mask);
}

static inline void *mvmm_ram(const struct mvmm_guest *guest, uint64_t gpa,
			     uint64_t len)
{
	uint64_t offset = gpa - guest->ram_gpa;

	if (offset < guest->ram_size && len <= guest->ram_size - offset)
		return (char *)guest->ram + offset;
	return guest->memory(guest->ctx, gpa, len);
}

/* -EFAULT: raises #PF in the guest and returns 0. Returns other errors as is */
int mvmm_deliver_page_fault(struct mvmm_guest *guest, int error,
			    const struct mvmm_page_fault *fault);

#endif
