// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: which pages of a region were written to. That is known from D
 * bits, from write faults, or from the CPU's own log (pml.c).
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include "memory.h"
#include "vendor.h"

/*
 * Note in the bitmap what was written to, and make the next write visible.
 * Returns how many leaves were dirty.
 *
 * With PML, a set D bit has its page in the bitmap or in a log, so only those
 * pages are scanned. The manual does not say whether a CPU writes the log or
 * the D bit first, but both are in memory once it has left the guest. So the
 * guests are kicked twice: before the logs are drained, and before the D bits
 * are cleared.
 */
static unsigned long clean_region(struct mvmm_vm *vm,
				  const struct mvmm_mem_region *r)
{
	unsigned long from, to, cleaned = 0;

	lockdep_assert_held(&vm->mmu_lock);

	if (!mvmm_vendor.pml)
		return pgt_clean(&vm->pgt, r->gpa, r->gpa + r->len,
				 mvmm_note_dirty, vm);
	mvmm_kick_guests(vm);
	mvmm_drain_pml(vm);
	mvmm_kick_guests(vm);
	for_each_set_bitrange(from, to, r->dirty, r->len >> PAGE_SHIFT)
		cleaned += pgt_clean(&vm->pgt, r->gpa + (from << PAGE_SHIFT),
				     r->gpa + (to << PAGE_SHIFT),
				     mvmm_note_dirty, vm);
	return cleaned;
}

/* tour 17: which pages were written to */

/**
 * mvmm_get_dirty_log() - MVMM_VM_GET_DIRTY_LOG
 * @vm: the VM
 * @log: from userspace; gpa and len name the region
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EINVAL; -ENOENT: no such
 * region, or it keeps no log; -ENOMEM; -EFAULT: the log is as it was.
 */
int mvmm_get_dirty_log(struct mvmm_vm *vm, const struct mvmm_dirty_log *log)
{
	struct mvmm_mem_region *r;
	unsigned long *copy;
	size_t bytes;
	int ret = 0;

	if (log->reserved)
		return -EINVAL;
	mutex_lock(&vm->lock);
	r = mvmm_exact_region(vm, log->gpa, log->len);
	if (!r || !r->dirty) {
		mutex_unlock(&vm->lock);
		return -ENOENT;
	}
	bytes = mvmm_bitmap_bytes(r->len);
	copy = kvmalloc(bytes, GFP_KERNEL);
	if (!copy) {
		mutex_unlock(&vm->lock);
		return -ENOMEM;
	}
	spin_lock(&vm->mmu_lock);
	if (clean_region(vm, r))
		mvmm_flush_guests(vm);
	memcpy(copy, r->dirty, bytes);
	memset(r->dirty, 0, bytes);
	spin_unlock(&vm->mmu_lock);
	if (copy_to_user((void __user *)log->bitmap, copy, bytes)) {
		spin_lock(&vm->mmu_lock);
		bitmap_or(r->dirty, r->dirty, copy, r->len >> PAGE_SHIFT);
		spin_unlock(&vm->mmu_lock);
		ret = -EFAULT;
	}
	mutex_unlock(&vm->lock);
	kvfree(copy);
	return ret;
}
