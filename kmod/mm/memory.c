// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: a VM's regions, ranges of guest-physical addresses that are
 * backed by the owner's mappings, from MVMM_VM_ADD_REGION to
 * MVMM_VM_REMOVE_REGION. Pages are mapped on a nested page fault (fault.c) and
 * unmapped by an MMU notifier (invalidate.c). No page is pinned: the nested
 * table mirrors the owner's tables and holds no references.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "memory.h"
#include "vendor.h"

/**
 * mvmm_memory_init() - give a new VM empty memory, owned by current->mm
 * @vm: the VM
 *
 * Context: may sleep. Return: 0, -ENOMEM, -EINTR.
 */
int mvmm_memory_init(struct mvmm_vm *vm)
{
	int ret;

	spin_lock_init(&vm->mmu_lock);
	vm->allocated = 4;
	vm->regions = kcalloc(vm->allocated, sizeof(*vm->regions),
			      GFP_KERNEL_ACCOUNT);
	if (!vm->regions)
		return -ENOMEM;
	ret = pgt_init(&vm->pgt, &mvmm_vendor.pgt);
	if (ret)
		goto free_regions;
	vm->mm = current->mm;
	vm->mn.ops = &mvmm_notifier_ops;
	ret = mmu_notifier_register(&vm->mn, vm->mm);
	if (ret)
		goto destroy_pgt;
	return 0;

destroy_pgt:
	pgt_destroy(&vm->pgt);
free_regions:
	kfree(vm->regions);
	return ret;
}

/**
 * mvmm_memory_destroy() - unmap all guest memory, and free the regions
 * @vm: the VM, without vCPUs
 *
 * Context: may sleep.
 */
void mvmm_memory_destroy(struct mvmm_vm *vm)
{
	int i;

	spin_lock(&vm->mmu_lock);
	/*
	 * While the notifier is registered the host keeps the pages that we map
	 */
	mvmm_zap(vm, 0, 1ULL << MVMM_GPA_BITS, true);
	spin_unlock(&vm->mmu_lock);
	mmu_notifier_unregister(&vm->mn, vm->mm);
	pgt_destroy(&vm->pgt);
	for (i = 0; i < vm->nr_regions; i++)
		kvfree(vm->regions[i].dirty);
	kfree(vm->regions);
}

static int check_region(const struct mvmm_region *region)
{
	if (region->flags & ~(MVMM_REGION_READONLY | MVMM_REGION_LOG_DIRTY) ||
	    (region->flags & MVMM_REGION_LOG_DIRTY &&
	     !IS_ENABLED(CONFIG_MVMM_DIRTY)))
		return -EOPNOTSUPP;
	if (!region->len || !region->hva ||
	    !PAGE_ALIGNED(region->gpa | region->len | region->hva))
		return -EINVAL;
	if (region->len > 1ULL << MVMM_GPA_BITS ||
	    region->gpa > (1ULL << MVMM_GPA_BITS) - region->len ||
	    !access_ok((void __user *)region->hva, region->len))
		return -EINVAL;
	/* So that the bitmap is not larger than 256 MiB */
	if (region->flags & MVMM_REGION_LOG_DIRTY &&
	    region->len > MVMM_MAX_LOGGED)
		return -EINVAL;
	return 0;
}

/*
 * Make room for one more region: the array starts small, since most VMs have
 * few
 */
static int grow_regions(struct mvmm_vm *vm)
{
	struct mvmm_mem_region *old = vm->regions, *new;
	int allocated = min(2 * vm->allocated, MVMM_MAX_REGIONS);

	lockdep_assert_held(&vm->lock);

	if (vm->nr_regions < vm->allocated)
		return 0;
	if (vm->nr_regions == allocated)
		return -ENOSPC;
	new = kcalloc(allocated, sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	memcpy(new, old, vm->nr_regions * sizeof(*new));
	spin_lock(&vm->mmu_lock);
	vm->regions = new;
	vm->allocated = allocated;
	spin_unlock(&vm->mmu_lock);
	kfree(old);
	return 0;
}

static unsigned long *new_log(const struct mvmm_region *region)
{
	return kvzalloc(mvmm_bitmap_bytes(region->len) +
			mvmm_bitmap_bytes(MVMM_LOG_PART),
			GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

/* tour 14: guest memory is the owner's mapping */

/**
 * mvmm_add_region() - MVMM_VM_ADD_REGION
 * @vm: the VM
 * @region: from userspace
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EOPNOTSUPP, -EINVAL,
 * -EEXIST, -ENOSPC, -ENOMEM as in the ABI.
 */
int mvmm_add_region(struct mvmm_vm *vm, const struct mvmm_region *region)
{
	struct mvmm_mem_region new = {
		.gpa = region->gpa, .len = region->len, .hva = region->hva,
		.flags = region->flags };
	struct mvmm_mem_region *at;
	int i, ret = check_region(region);

	if (ret)
		return ret;
	if (region->flags & MVMM_REGION_LOG_DIRTY) {
		new.dirty = new_log(region);
		if (!new.dirty)
			return -ENOMEM;
	}
	mutex_lock(&vm->lock);
	i = mvmm_region_index(vm, new.gpa);
	at = &vm->regions[i];
	if ((i < vm->nr_regions && at->gpa < new.gpa + new.len) ||
	    (i > 0 && at[-1].gpa + at[-1].len > new.gpa))
		ret = -EEXIST;
	else
		ret = grow_regions(vm);
	if (!ret) {
		at = &vm->regions[i];
		spin_lock(&vm->mmu_lock);
		memmove(at + 1, at, (vm->nr_regions - i) * sizeof(*at));
		*at = new;
		vm->nr_regions++;
		WRITE_ONCE(vm->nr_logged, vm->nr_logged + !!new.dirty);
		/* Memory at the local APIC's address hides the APIC */
		if (vm->apic_page && LAPIC_BASE_ADDRESS - new.gpa < new.len)
			mvmm_zap(vm, LAPIC_BASE_ADDRESS,
				 LAPIC_BASE_ADDRESS + PAGE_SIZE, false);
		/*
		 * PML is turned on at a flush. It has to be on before the
		 * region has leaves, or writes would not be logged.
		 */
		if (new.dirty && mvmm_vendor.pml)
			mvmm_flush_guests(vm);
		spin_unlock(&vm->mmu_lock);
	}
	mutex_unlock(&vm->lock);
	if (ret)
		kvfree(new.dirty);
	return ret;
}

/**
 * mvmm_set_region() - MVMM_VM_SET_REGION
 * @vm: the VM
 * @region: from userspace; gpa and len name the region
 *
 * All leaves go, and come back as the new flags want them. inval_count keeps
 * them away meanwhile, as if the owner's mapping changed.
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EOPNOTSUPP, -EINVAL, -ENOENT,
 * -ENOMEM as in the ABI.
 */
int mvmm_set_region(struct mvmm_vm *vm, const struct mvmm_region *region)
{
	bool log = region->flags & MVMM_REGION_LOG_DIRTY;
	unsigned long *dirty = NULL;
	struct mvmm_mem_region *r;
	int ret = check_region(region);

	if (ret)
		return ret;
	if (log) {
		dirty = new_log(region);
		if (!dirty)
			return -ENOMEM;
	}
	mutex_lock(&vm->lock);
	r = mvmm_exact_region(vm, region->gpa, region->len);
	if (r) {
		spin_lock(&vm->mmu_lock);
		vm->inval_count++;
		r->hva = region->hva;
		r->flags = region->flags;
		mvmm_zap(vm, r->gpa, r->gpa + r->len, true);
		/* Now: what was written before is not for a new log */
		mvmm_drain_pml(vm);
		if (log != !!r->dirty) {
			swap(r->dirty, dirty);
			WRITE_ONCE(vm->nr_logged,
				   vm->nr_logged + (log ? 1 : -1));
		}
		/* A flush turns PML on or off: see mvmm_add_region() */
		if (mvmm_vendor.pml)
			mvmm_flush_guests(vm);
		vm->inval_seq++;
		vm->inval_count--;
		spin_unlock(&vm->mmu_lock);
	}
	mutex_unlock(&vm->lock);
	kvfree(dirty);
	return r ? 0 : -ENOENT;
}

/**
 * mvmm_remove_region() - MVMM_VM_REMOVE_REGION
 * @vm: the VM
 * @region: from userspace; gpa and len name the region
 *
 * When this returns, the guest has no access to the memory any more.
 *
 * Context: may sleep, takes vm->lock. Return: 0 or -ENOENT.
 */
int mvmm_remove_region(struct mvmm_vm *vm, const struct mvmm_region *region)
{
	unsigned long *dirty = NULL;
	struct mvmm_mem_region *r;

	mutex_lock(&vm->lock);
	r = mvmm_exact_region(vm, region->gpa, region->len);
	if (r) {
		spin_lock(&vm->mmu_lock);
		dirty = r->dirty;
		vm->nr_regions--;
		memmove(r, r + 1, (&vm->regions[vm->nr_regions] - r) *
				  sizeof(*r));
		vm->regions[vm->nr_regions].len = 0;
		vm->inval_seq++;
		WRITE_ONCE(vm->nr_logged, vm->nr_logged - !!dirty);
		mvmm_zap(vm, region->gpa, region->gpa + region->len, true);
		/*
		 * Or these writes would count for the next region at this
		 * address
		 */
		mvmm_drain_pml(vm);
		spin_unlock(&vm->mmu_lock);
	}
	mutex_unlock(&vm->lock);
	kvfree(dirty);
	return r ? 0 : -ENOENT;
}
