// SPDX-License-Identifier: GPL-2.0
/*
 * Which region an address is in, and the module's own access to guest memory,
 * which goes through the owner's mapping. memory.c adds and removes regions.
 */
#include <linux/uaccess.h>
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
	struct mvmm_mem_region *r = &vm->regions[vm->last_region];
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
	vm->last_region = i;
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

/*
 * Where the owner has a range that is wholly in one region; 0: it is not.
 * @dirty: note in the log that it was written to.
 */
static u64 range_to_hva(struct mvmm_vm *vm, u64 gpa, size_t len, bool write,
			bool dirty)
{
	const struct mvmm_mem_region *region;
	u64 hva = 0, at, page;

	spin_lock(&vm->mmu_lock);
	region = mvmm_find_region(vm, gpa);
	at = region ? gpa - region->gpa : 0;
	if (region && len <= region->len - at &&
	    !(write && region->flags & MVMM_REGION_READONLY)) {
		hva = region->hva + at;
		for (page = at >> PAGE_SHIFT; dirty && region->dirty &&
		     page <= (at + len - 1) >> PAGE_SHIFT; page++)
			__set_bit(page, region->dirty);
	}
	spin_unlock(&vm->mmu_lock);
	return hva;
}

/**
 * mvmm_read_guest() - read guest memory through the owner's mapping
 * @vm: the VM of the calling process
 * @gpa: guest-physical address; the range must be in one region
 * @buf: out
 * @len: bytes
 *
 * Context: may sleep. Return: 0 or -EFAULT.
 */
int mvmm_read_guest(struct mvmm_vm *vm, u64 gpa, void *buf, size_t len)
{
	u64 hva = range_to_hva(vm, gpa, len, false, false);

	mvmm_assert_may_sleep();

	if (!hva || copy_from_user(buf, (void __user *)hva, len))
		return -EFAULT;
	return 0;
}

/**
 * mvmm_write_guest() - write guest memory through the owner's mapping
 * @vm: the VM of the calling process
 * @gpa: guest-physical address; the range must be in one region
 * @buf: what to write
 * @len: bytes
 *
 * The dirty log notes it. Context: may sleep. Return: 0 or -EFAULT.
 */
int mvmm_write_guest(struct mvmm_vm *vm, u64 gpa, const void *buf, size_t len)
{
	u64 hva = range_to_hva(vm, gpa, len, true, false);
	unsigned long left;

	mvmm_assert_may_sleep();
	if (!hva)
		return -EFAULT;
	left = copy_to_user((void __user *)hva, buf, len);
	/*
	 * Noted after the write: if the log is read in between, the page is in
	 * the next log too. The other way round the write could be lost.
	 */
	range_to_hva(vm, gpa, len, true, true);
	return left ? -EFAULT : 0;
}
