// SPDX-License-Identifier: LGPL-2.1-or-later
/* The dirty rings: where vCPUs list the pages that they have written to. */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "libmvmm.h"

int mvmm_enable_dirty_ring(int vm, uint32_t entries)
{
	struct mvmm_dirty_ring ring = {
		.size = sizeof(ring), .entries = entries };

	return ioctl(vm, MVMM_VM_ENABLE_DIRTY_RING, &ring) ? -errno : 0;
}

int mvmm_map_dirty_ring(int vcpu, uint32_t entries,
			struct mvmm_dirty_gfn **ring)
{
	void *p = mmap(NULL, entries * sizeof(**ring), PROT_READ | PROT_WRITE,
		       MAP_SHARED, vcpu, MVMM_DIRTY_RING_OFFSET);

	if (p == MAP_FAILED)
		return -errno;
	*ring = p;
	return 0;
}

int mvmm_collect_dirty_ring(struct mvmm_dirty_gfn *ring, uint32_t entries,
			    uint32_t *next, uint64_t *gpas, int max)
{
	int n;

	for (n = 0; n < max; n++, ++*next) {
		struct mvmm_dirty_gfn *e = &ring[*next & (entries - 1)];

		/* pairs with mvmm_dirty_ring_push() in the kernel */
		if (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) !=
		    MVMM_DIRTY_GFN_DIRTY)
			break;
		gpas[n] = e->gpa;
		/* pairs with reset_some() in the kernel */
		__atomic_store_n(&e->flags, MVMM_DIRTY_GFN_DIRTY |
				 MVMM_DIRTY_GFN_RESET, __ATOMIC_RELEASE);
	}
	return n;
}

int mvmm_reset_dirty_rings(int vm)
{
	struct mvmm_reset_dirty_rings reset = { .size = sizeof(reset) };
	int ret = ioctl(vm, MVMM_VM_RESET_DIRTY_RINGS, &reset);

	return ret < 0 ? -errno : ret;
}
