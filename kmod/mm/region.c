// SPDX-License-Identifier: GPL-2.0
/* Which region an address is in. memory.c adds and removes regions. */
#include "memory.h"

/**
 * mvmm_region_index() - find the first region that begins at or above an
 * address
 * @vm: the VM
 * @gpa: guest-physical address
 *
 * Context: vm->lock or mmu_lock held. Return: its index; vm->nr_regions if
 * there is none.
 */
int mvmm_region_index(const struct mvmm_vm *vm, u64 gpa)
{
	int low = 0, high = vm->nr_regions;

	while (low < high) {
		int middle = (low + high) / 2;

		if (vm->regions[middle].gpa < gpa)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * mvmm_find_region() - find the region that an address is in
 * @vm: the VM
 * @gpa: guest-physical address
 *
 * Context: mmu_lock held. Return: the region, or NULL.
 */
struct mvmm_mem_region *mvmm_find_region(struct mvmm_vm *vm, u64 gpa)
{
	struct mvmm_mem_region *r = &vm->regions[READ_ONCE(vm->last_region)];
	int i;

	lockdep_assert_held(&vm->mmu_lock);
	/*
	 * The index may be stale, but is in the array; unused entries have no
	 * length
	 */
	if (likely(gpa - r->gpa < r->len))
		return r;
	i = mvmm_region_index(vm, gpa + 1) - 1;
	if (i < 0 || gpa - vm->regions[i].gpa >= vm->regions[i].len)
		return NULL;
	WRITE_ONCE(vm->last_region, i);
	return &vm->regions[i];
}

/**
 * mvmm_exact_region() - find the region of exactly this address and length
 * @vm: the VM
 * @gpa: its address
 * @len: its length
 *
 * Context: vm->lock held. Return: the region, or NULL.
 */
struct mvmm_mem_region *mvmm_exact_region(const struct mvmm_vm *vm, u64 gpa,
					  u64 len)
{
	int i = mvmm_region_index(vm, gpa);
	struct mvmm_mem_region *r = &vm->regions[i];

	lockdep_assert_held(&vm->lock);
	return i < vm->nr_regions && r->gpa == gpa && r->len == len ? r : NULL;
}
