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

/* With 4-level paging */
static inline bool mvmm_is_canonical(uint64_t gva)
{
	return (uint64_t)((int64_t)(gva << 16) >> 16) == gva;
}

/* @access: MVMM_ACCESS_READ or _WRITE */
static inline void *mvmm_ram(const struct mvmm_guest *guest, uint64_t gpa,
			     uint64_t len, uint32_t access)
{
	uint64_t offset = gpa - guest->ram_gpa;

	if (offset < guest->ram_size && len <= guest->ram_size - offset)
		return (char *)guest->ram + offset;
	return guest->memory(guest->ctx, gpa, len, access);
}

/* Where an operand is, which may cross into a second page */
struct mvmm_span {
	uint64_t gpa[2];
	unsigned int size[2];	/* the second is 0 if there is one page only */
};

/* -EFAULT: the guest is to get @exception, and nothing was accessed */
int mvmm_find_span(struct mvmm_guest *guest, const struct mvmm_paging *paging,
		   uint64_t gva, unsigned int size, uint32_t access,
		   struct mvmm_span *span, struct mvmm_exception *exception);
/* Devices see at most 8 bytes at a time */
void mvmm_access_span(struct mvmm_guest *guest, const struct mvmm_span *span,
		      void *data, bool write);

/* -EFAULT: raises @exception in the guest, returns 0. Other errors as is */
int mvmm_deliver(struct mvmm_guest *guest, int error,
		 const struct mvmm_exception *exception);

#endif
