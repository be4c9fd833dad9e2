// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: a VM's regions, ranges of guest-physical addresses that are
 * backed by the owner's mappings. Pages are mapped on a nested page fault
 * (fault.c) and unmapped by an MMU notifier (invalidate.c). No page is pinned:
 * the nested table mirrors the owner's tables and holds no references.
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
	int ret = -ENOMEM;

	rwlock_init(&vm->mmu_lock);
	mvmm_merge_init(vm);
	vm->regions = kzalloc(sizeof(*vm->regions), GFP_KERNEL_ACCOUNT);
	if (!vm->regions ||
	    !zalloc_cpumask_var(&vm->kicked, GFP_KERNEL_ACCOUNT))
		goto free_regions;
	ret = pgt_init(&vm->pgt, &mvmm_vendor.pgt);
	if (ret)
		goto free_kicked;
	vm->mm = current->mm;
	vm->mn.ops = &mvmm_notifier_ops;
	ret = mmu_notifier_register(&vm->mn, vm->mm);
	if (ret)
		goto destroy_pgt;
	return 0;

destroy_pgt:
	pgt_destroy(&vm->pgt);
free_kicked:
	free_cpumask_var(vm->kicked);
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

	cancel_delayed_work_sync(&vm->merge);
	write_lock(&vm->mmu_lock);
	/*
	 * While the notifier is registered the host keeps the pages that we map
	 */
	mvmm_zap(vm, 0, 1ULL << MVMM_GPA_BITS, true);
	write_unlock(&vm->mmu_lock);
	mmu_notifier_unregister(&vm->mn, vm->mm);
	pgt_destroy(&vm->pgt);
	for (i = 0; i < vm->nr_regions; i++)
		kvfree(vm->regions[i].dirty);
	kfree(vm->regions);
	free_cpumask_var(vm->kicked);
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

static unsigned long *new_log(const struct mvmm_region *region)
{
	return kvzalloc(mvmm_bitmap_bytes(region->len) +
			mvmm_bitmap_bytes(MVMM_LOG_PART),
			GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

/**
 * struct change - some regions go, and others come
 * @remove: those that go: of each gpa and len count
 * @nr_remove: how many
 * @add: those that come
 * @nr_add: how many
 * @regions: what vm->regions becomes; once that is done, what it was
 * @nr: entries in use; there is one more, which is empty
 */
struct change {
	const struct mvmm_region *remove, *add;
	u32 nr_remove, nr_add;
	struct mvmm_mem_region *regions;
	int nr;
};

static bool goes(const struct change *c, const struct mvmm_mem_region *r)
{
	u32 i;

	for (i = 0; i < c->nr_remove; i++)
		if (c->remove[i].gpa == r->gpa && c->remove[i].len == r->len)
			return true;
	return false;
}

static int insert(struct mvmm_vm *vm, struct change *c,
		  const struct mvmm_region *region)
{
	struct mvmm_mem_region *at = c->regions + c->nr, *before;
	struct mvmm_mem_region new = {
		.gpa = region->gpa, .len = region->len, .hva = region->hva,
		.flags = region->flags };

	if (c->nr == MVMM_MAX_REGIONS)
		return -ENOSPC;
	if (new.flags & MVMM_REGION_LOG_DIRTY && !vm->ring_entries) {
		before = mvmm_exact_region(vm, new.gpa, new.len);
		new.dirty = before && before->dirty ? before->dirty :
						      new_log(region);
		if (!new.dirty)
			return -ENOMEM;
	}
	for (; at > c->regions && at[-1].gpa > new.gpa; at--)
		*at = at[-1];
	*at = new;
	c->nr++;
	if ((at > c->regions && at[-1].gpa + at[-1].len > new.gpa) ||
	    (at + 1 < c->regions + c->nr && at[1].gpa < new.gpa + new.len))
		return -EEXIST;
	return 0;
}

static int make_regions(struct mvmm_vm *vm, struct change *c)
{
	int i, ret = 0;
	u32 gone = 0;

	c->regions = kcalloc(vm->nr_regions + c->nr_add + 1,
			     sizeof(*c->regions), GFP_KERNEL_ACCOUNT);
	if (!c->regions)
		return -ENOMEM;
	for (i = 0; i < vm->nr_regions; i++)
		if (goes(c, &vm->regions[i]))
			gone++;
		else
			c->regions[c->nr++] = vm->regions[i];
	if (gone != c->nr_remove)
		return -ENOENT;
	for (i = 0; i < c->nr_add && !ret; i++)
		ret = insert(vm, c, &c->add[i]);
	return ret;
}

static int count_logs(const struct mvmm_vm *vm)
{
	int i, n = 0;

	for (i = 0; i < vm->nr_regions; i++)
		n += !!vm->regions[i].dirty;
	return n;
}

/*
 * First all leaves go of what goes. mvmm_inval_begin() keeps them away until what
 * comes is there: as if the owner's mapping changed. For who holds mmu_lock that
 * is one step: there is no moment without memory where there was memory and will
 * be.
 */
static void swap_regions(struct mvmm_vm *vm, struct change *c)
{
	bool log = vm->nr_logged;
	u32 i;

	write_lock(&vm->mmu_lock);
	mvmm_inval_begin(vm, 0, U64_MAX);
	for (i = 0; i < c->nr_remove; i++)
		mvmm_zap(vm, c->remove[i].gpa,
			 c->remove[i].gpa + c->remove[i].len, true);
	/* Now: what was written before is not for a new log */
	mvmm_drain_pml(vm);
	swap(vm->regions, c->regions);
	swap(vm->nr_regions, c->nr);
	vm->last_region = 0;
	WRITE_ONCE(vm->nr_logged, count_logs(vm));
	/* Memory at the local APIC's address hides the APIC */
	if (vm->apic_page && mvmm_find_region(vm, LAPIC_BASE_ADDRESS))
		mvmm_zap(vm, LAPIC_BASE_ADDRESS,
			 LAPIC_BASE_ADDRESS + PAGE_SIZE, false);
	/*
	 * PML is turned on and off at a flush. It has to be on before a region
	 * has leaves, or writes would not be logged.
	 */
	if (mvmm_vendor.pml && (log || vm->nr_logged))
		mvmm_flush_guests(vm);
	mvmm_inval_end(vm);
	write_unlock(&vm->mmu_lock);
}

/* Those logs that the VM has not */
static void free_logs(const struct mvmm_vm *vm, const struct change *c)
{
	const struct mvmm_mem_region *r;
	int i;

	for (i = 0; i < c->nr; i++) {
		r = mvmm_exact_region(vm, c->regions[i].gpa, c->regions[i].len);
		if (!r || r->dirty != c->regions[i].dirty)
			kvfree(c->regions[i].dirty);
	}
}

/* tour 14: guest memory is the owner's mapping */

/* All of it, or nothing. Context: may sleep, takes vm->lock. Return: 0, -errno */
static int change_regions(struct mvmm_vm *vm, struct change *c)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < c->nr_add && !ret; i++)
		ret = check_region(&c->add[i]);
	if (ret)
		return ret;
	mutex_lock(&vm->lock);
	ret = make_regions(vm, c);
	if (!ret)
		swap_regions(vm, c);
	free_logs(vm, c);
	mutex_unlock(&vm->lock);
	kfree(c->regions);
	return ret;
}

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
	struct change c = { .add = region, .nr_add = 1 };

	return change_regions(vm, &c);
}

/**
 * mvmm_set_region() - MVMM_VM_SET_REGION
 * @vm: the VM
 * @region: from userspace; gpa and len name the region
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EOPNOTSUPP, -EINVAL, -ENOENT,
 * -ENOMEM as in the ABI.
 */
int mvmm_set_region(struct mvmm_vm *vm, const struct mvmm_region *region)
{
	struct change c = { .remove = region, .nr_remove = 1,
			    .add = region, .nr_add = 1 };

	return change_regions(vm, &c);
}

/**
 * mvmm_remove_region() - MVMM_VM_REMOVE_REGION
 * @vm: the VM
 * @region: from userspace; gpa and len name the region
 *
 * When this returns, the guest has no access to the memory any more.
 *
 * Context: may sleep, takes vm->lock. Return: 0, -ENOENT, -ENOMEM.
 */
int mvmm_remove_region(struct mvmm_vm *vm, const struct mvmm_region *region)
{
	struct change c = { .remove = region, .nr_remove = 1 };

	return change_regions(vm, &c);
}

static int copy_regions(struct mvmm_region *to, u64 from, u32 n)
{
	u32 i;

	if (copy_from_user(to, (void __user *)from, n * sizeof(*to)))
		return -EFAULT;
	for (i = 0; i < n; i++)
		if (to[i].size != sizeof(*to))
			return -EINVAL;
	return 0;
}

/**
 * mvmm_change_regions() - MVMM_VM_CHANGE_REGIONS
 * @vm: the VM
 * @how: from userspace
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EOPNOTSUPP, -EINVAL, -EFAULT,
 * -E2BIG, -ENOENT, -EEXIST, -ENOSPC, -ENOMEM as in the ABI.
 */
int mvmm_change_regions(struct mvmm_vm *vm, const struct mvmm_regions *how)
{
	struct change c = { .nr_remove = how->nr_remove, .nr_add = how->nr_add };
	struct mvmm_region *all;
	int ret;

	if (how->flags)
		return -EOPNOTSUPP;
	if (c.nr_remove > MVMM_MAX_REGIONS || c.nr_add > MVMM_MAX_REGIONS)
		return -E2BIG;
	all = kcalloc(c.nr_remove + c.nr_add, sizeof(*all), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	c.remove = all;
	c.add = all + c.nr_remove;
	ret = copy_regions(all, how->remove, c.nr_remove);
	if (!ret)
		ret = copy_regions(all + c.nr_remove, how->add, c.nr_add);
	if (!ret)
		ret = change_regions(vm, &c);
	kfree(all);
	return ret;
}
