// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: regions of guest-physical addresses backed by the owner's
 * mappings, filled on a nested page fault (fault.c) and kept in step by an MMU
 * notifier. No page is pinned: the nested table holds no reference, it mirrors.
 *
 * The protocol, in two halves. A fault maps what it reads in the host's page
 * tables under mmu_lock, only while no invalidation runs. An invalidation zaps
 * under mmu_lock, raises tlb_gen, and waits until no vCPU is in the guest with
 * the old translation.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include "mvmm.h"

static struct mvmm_vm *mn_to_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct mvmm_vm, mn);
}

/*
 * The guest wrote behind the host PTE's back. The host still maps the page, so
 * it cannot go away under us. A large leaf is one folio.
 */
static void note_dirty(void *ctx, u64 gpa, u64 pte, int level)
{
	unsigned long pfn = (pte & PGT_ADDR_MASK) >> PAGE_SHIFT;
	struct mvmm_mem_region *r;

	if (pfn_valid(pfn))
		set_page_dirty(pfn_to_page(pfn));
	r = mvmm_find_region(ctx, gpa);
	if (r && r->dirty)
		bitmap_set(r->dirty, (gpa - r->gpa) >> PAGE_SHIFT,
			   pgt_level_size(level) >> PAGE_SHIFT);
}

static void zap_leaf(void *ctx, u64 gpa, u64 pte, int level)
{
	struct mvmm_vm *vm = ctx;

	if (pgt_pte_dirty(&vm->pgt, pte))
		note_dirty(ctx, gpa, pte, level);
}

static void nothing(void *unused)
{
}

/*
 * Make every vCPU see what was written, before it executes guest code again. A
 * vCPU that sets in_guest after our barrier sees it; one that set it before is
 * interrupted, and the call returns only when it has left, since it runs with
 * interrupts off from in_guest to its exit.
 */
static void kick_guests(struct mvmm_vm *vm)
{
	int i;

	lockdep_assert_held(&vm->mmu_lock);
	smp_mb(); /* pairs with the one after in_guest is set, in vcpu_run() */
	for (i = 0; i < MVMM_MAX_VCPUS; i++) {
		struct mvmm_vcpu *vcpu = vm->vcpus[i];

		if (vcpu && READ_ONCE(vcpu->in_guest))
			smp_call_function_single(READ_ONCE(vcpu->cpu), nothing,
						 NULL, 1);
	}
}

static void flush_guests(struct mvmm_vm *vm)
{
	WRITE_ONCE(vm->tlb_gen, vm->tlb_gen + 1);
	kick_guests(vm);
}

static inline void drain_pml(struct mvmm_vcpu *vcpu)
{
	struct mvmm_mem_region *r;
	u64 gpa;

	while ((gpa = mvmm_pml_take(&vcpu->pml)) != MVMM_PML_EMPTY) {
		r = mvmm_find_region(vcpu->vm, gpa);
		if (r && r->dirty)
			__set_bit((gpa - r->gpa) >> PAGE_SHIFT, r->dirty);
	}
}

/**
 * mvmm_drain_pml() - from what the CPUs have logged to the dirty bitmaps
 * @vm: mmu_lock is held; vCPUs may be in the guest
 */
void mvmm_drain_pml(struct mvmm_vm *vm)
{
	int i;

	for (i = 0; i < MVMM_MAX_VCPUS; i++)
		if (vm->vcpus[i])
			drain_pml(vm->vcpus[i]);
}

/**
 * mvmm_pml_full() - the CPU has no room to log the next write
 * @vcpu: exited because of that
 *
 * Context: interrupts off, so the lock is only tried for. Return:
 * MVMM_STEP_CONTINUE: it may begin at the top again; MVMM_STEP_RESUME: not yet.
 */
enum mvmm_step mvmm_pml_full(struct mvmm_vcpu *vcpu)
{
	struct mvmm_vm *vm = vcpu->vm;

	if (!spin_trylock(&vm->mmu_lock))
		return MVMM_STEP_RESUME;
	drain_pml(vcpu);
	vcpu->pml.next = MVMM_PML_ENTRIES - 1;
	spin_unlock(&vm->mmu_lock);
	return MVMM_STEP_CONTINUE;
}

/**
 * mvmm_zap() - the guest loses what is mapped in a range
 * @vm: mmu_lock is held
 * @start: first guest-physical address
 * @end: one past the last
 */
void mvmm_zap(struct mvmm_vm *vm, u64 start, u64 end)
{
	LIST_HEAD(freed);

	if (pgt_zap(&vm->pgt, start, end, zap_leaf, vm, &freed))
		flush_guests(vm);
	pgt_free_tables(&freed);
}

/* Calls @fn for each part of guest memory that is backed by [start, end) */
static bool for_each_backed(struct mvmm_vm *vm, u64 start, u64 end,
			    bool (*fn)(struct mvmm_vm *vm, u64 start, u64 end))
{
	bool ret = false;
	int i;

	for (i = 0; i < vm->nr_regions; i++) {
		struct mvmm_mem_region *r = &vm->regions[i];
		u64 from = max(start, r->hva), to = min(end, r->hva + r->len);

		if (from < to)
			ret |= fn(vm, r->gpa + (from - r->hva),
				  r->gpa + (to - r->hva));
	}
	return ret;
}

static bool zap_backed(struct mvmm_vm *vm, u64 start, u64 end)
{
	mvmm_zap(vm, start, end);
	return false;
}

static int invalidate_range_start(struct mmu_notifier *mn,
				  const struct mmu_notifier_range *range)
{
	struct mvmm_vm *vm = mn_to_vm(mn);

	/* A spinlock and an IPI: never sleeps, so fine when not blockable */
	spin_lock(&vm->mmu_lock);
	vm->inval_count++;
	for_each_backed(vm, range->start, range->end, zap_backed);
	spin_unlock(&vm->mmu_lock);
	return 0;
}

static void invalidate_range_end(struct mmu_notifier *mn,
				 const struct mmu_notifier_range *range)
{
	struct mvmm_vm *vm = mn_to_vm(mn);

	spin_lock(&vm->mmu_lock);
	vm->inval_seq++;
	vm->inval_count--;
	spin_unlock(&vm->mmu_lock);
}

static bool age_backed(struct mvmm_vm *vm, u64 start, u64 end)
{
	LIST_HEAD(freed);
	bool young;

	if (vm->pgt.fmt->accessed)
		return pgt_age(&vm->pgt, start, end, true);
	/* No accessed bits: young is what had to be faulted in since */
	young = pgt_zap(&vm->pgt, start, end, zap_leaf, vm, &freed);
	if (young)
		flush_guests(vm);
	pgt_free_tables(&freed);
	return young;
}

static int clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
		       unsigned long start, unsigned long end)
{
	struct mvmm_vm *vm = mn_to_vm(mn);
	bool young;

	spin_lock(&vm->mmu_lock);
	young = for_each_backed(vm, start, end, age_backed);
	spin_unlock(&vm->mmu_lock);
	return young;
}

static bool test_backed(struct mvmm_vm *vm, u64 start, u64 end)
{
	int level;

	return vm->pgt.fmt->accessed ?
		pgt_age(&vm->pgt, start, end, false) :
		pgt_lookup(&vm->pgt, start, &level) != 0;
}

static int test_young(struct mmu_notifier *mn, struct mm_struct *mm,
		      unsigned long address)
{
	struct mvmm_vm *vm = mn_to_vm(mn);
	bool young;

	spin_lock(&vm->mmu_lock);
	young = for_each_backed(vm, address, address + PAGE_SIZE, test_backed);
	spin_unlock(&vm->mmu_lock);
	return young;
}

/* The owner's address space goes: its pages are about to be freed */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mvmm_vm *vm = mn_to_vm(mn);

	spin_lock(&vm->mmu_lock);
	vm->inval_count++;	/* for ever: nothing is mapped any more */
	mvmm_zap(vm, 0, 1ULL << MVMM_GPA_BITS);
	spin_unlock(&vm->mmu_lock);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = invalidate_range_start,
	.invalidate_range_end = invalidate_range_end,
	.clear_flush_young = clear_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.release = release,
};

/**
 * mvmm_memory_init() - an empty guest memory that follows current->mm
 * @vm: new
 *
 * Context: may sleep. Return: 0, -ENOMEM, -EINTR.
 */
int mvmm_memory_init(struct mvmm_vm *vm)
{
	int ret;

	spin_lock_init(&vm->mmu_lock);
	vm->room = 4;
	vm->regions = kcalloc(vm->room, sizeof(*vm->regions),
			      GFP_KERNEL_ACCOUNT);
	if (!vm->regions)
		return -ENOMEM;
	ret = pgt_init(&vm->pgt, &mvmm_vendor.pgt);
	if (ret)
		goto free_regions;
	vm->mm = current->mm;
	vm->mn.ops = &notifier_ops;
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
 * mvmm_memory_destroy() - let go of all guest memory
 * @vm: no vCPU is left
 *
 * Context: may sleep.
 */
void mvmm_memory_destroy(struct mvmm_vm *vm)
{
	int i;

	spin_lock(&vm->mmu_lock);
	/* Before the notifier goes: until then the host keeps our pages */
	mvmm_zap(vm, 0, 1ULL << MVMM_GPA_BITS);
	spin_unlock(&vm->mmu_lock);
	mmu_notifier_unregister(&vm->mn, vm->mm);
	pgt_destroy(&vm->pgt);
	for (i = 0; i < vm->nr_regions; i++)
		kvfree(vm->regions[i].dirty);
	kfree(vm->regions);
}

/* Where a region at or above @gpa stands, or would stand */
static int region_index(const struct mvmm_vm *vm, u64 gpa)
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

/** mvmm_find_region() - the region that holds @gpa, or NULL; mmu_lock is held */
struct mvmm_mem_region *mvmm_find_region(struct mvmm_vm *vm, u64 gpa)
{
	struct mvmm_mem_region *r = &vm->regions[vm->last_region];
	int i;

	lockdep_assert_held(&vm->mmu_lock);
	/* Never past the array; one that is gone has no length */
	if (likely(gpa - r->gpa < r->len))
		return r;
	i = region_index(vm, gpa + 1) - 1;
	if (i < 0 || gpa - vm->regions[i].gpa >= vm->regions[i].len)
		return NULL;
	vm->last_region = i;
	return &vm->regions[i];
}

static int check_region(const struct mvmm_region *region)
{
	if (region->flags & ~(MVMM_REGION_READONLY | MVMM_REGION_LOG_DIRTY))
		return -EOPNOTSUPP;
	if (!region->len || !region->hva ||
	    !PAGE_ALIGNED(region->gpa | region->len | region->hva))
		return -EINVAL;
	if (region->len > 1ULL << MVMM_GPA_BITS ||
	    region->gpa > (1ULL << MVMM_GPA_BITS) - region->len ||
	    !access_ok((void __user *)region->hva, region->len))
		return -EINVAL;
	return 0;
}

static size_t bitmap_bytes(u64 len)
{
	return BITS_TO_LONGS(len >> PAGE_SHIFT) * sizeof(long);
}

/* Most VMs have few regions: for one more, if need be; vm->lock is held */
static int make_room(struct mvmm_vm *vm)
{
	struct mvmm_mem_region *old = vm->regions, *new;
	int room = min(2 * vm->room, MVMM_MAX_REGIONS);

	if (vm->nr_regions < vm->room)
		return 0;
	if (vm->nr_regions == room)
		return -ENOSPC;
	new = kcalloc(room, sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	memcpy(new, old, vm->nr_regions * sizeof(*new));
	spin_lock(&vm->mmu_lock);
	vm->regions = new;
	vm->room = room;
	spin_unlock(&vm->mmu_lock);
	kfree(old);
	return 0;
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
	struct mvmm_mem_region new = {
		.gpa = region->gpa, .len = region->len, .hva = region->hva,
		.flags = region->flags };
	struct mvmm_mem_region *at;
	int i, ret = check_region(region);

	if (ret)
		return ret;
	if (region->flags & MVMM_REGION_LOG_DIRTY) {
		new.dirty = kvzalloc(bitmap_bytes(new.len), GFP_KERNEL_ACCOUNT);
		if (!new.dirty)
			return -ENOMEM;
	}
	mutex_lock(&vm->lock);
	i = region_index(vm, new.gpa);
	at = &vm->regions[i];
	if ((i < vm->nr_regions && at->gpa < new.gpa + new.len) ||
	    (i > 0 && at[-1].gpa + at[-1].len > new.gpa))
		ret = -EEXIST;
	else
		ret = make_room(vm);
	if (!ret) {
		at = &vm->regions[i];
		spin_lock(&vm->mmu_lock);
		memmove(at + 1, at, (vm->nr_regions - i) * sizeof(*at));
		*at = new;
		vm->nr_regions++;
		WRITE_ONCE(vm->nr_logged, vm->nr_logged + !!new.dirty);
		/* It goes before the local APIC, as for any other MMIO */
		if (vm->apic_page && LAPIC_BASE_ADDRESS - new.gpa < new.len)
			mvmm_zap(vm, LAPIC_BASE_ADDRESS,
				 LAPIC_BASE_ADDRESS + PAGE_SIZE);
		/* PML is on before there is a leaf to write by */
		if (new.dirty && mvmm_vendor.pml)
			flush_guests(vm);
		spin_unlock(&vm->mmu_lock);
	}
	mutex_unlock(&vm->lock);
	if (ret)
		kvfree(new.dirty);
	return ret;
}

/* Of exactly this address and length; vm->lock is held */
static struct mvmm_mem_region *exact_region(struct mvmm_vm *vm, u64 gpa,
					    u64 len)
{
	int i = region_index(vm, gpa);
	struct mvmm_mem_region *r = &vm->regions[i];

	return i < vm->nr_regions && r->gpa == gpa && r->len == len ? r : NULL;
}

/**
 * mvmm_remove_region() - MVMM_VM_REMOVE_REGION
 * @vm: the VM
 * @region: from userspace; gpa and len name the region
 *
 * When this returns, no guest access reaches the memory any more.
 * Context: may sleep, takes vm->lock. Return: 0 or -ENOENT.
 */
int mvmm_remove_region(struct mvmm_vm *vm, const struct mvmm_region *region)
{
	unsigned long *dirty = NULL;
	struct mvmm_mem_region *r;

	mutex_lock(&vm->lock);
	r = exact_region(vm, region->gpa, region->len);
	if (r) {
		spin_lock(&vm->mmu_lock);
		dirty = r->dirty;
		vm->nr_regions--;
		memmove(r, r + 1, (&vm->regions[vm->nr_regions] - r) *
				  sizeof(*r));
		vm->regions[vm->nr_regions].len = 0;
		vm->inval_seq++;
		WRITE_ONCE(vm->nr_logged, vm->nr_logged - !!dirty);
		mvmm_zap(vm, region->gpa, region->gpa + region->len);
		/* The next region there must not find this one's writes */
		mvmm_drain_pml(vm);
		spin_unlock(&vm->mmu_lock);
	}
	mutex_unlock(&vm->lock);
	kvfree(dirty);
	return r ? 0 : -ENOENT;
}

/*
 * To the bitmap what was written to, and see the next write. With PML no other D
 * bit is set than the bitmap and the logs know. Nobody says which of the two a
 * CPU writes first: both are there once it has left the guest. So all logs are
 * complete when they are drained, and all D bits when they are cleared.
 */
static unsigned long clean_region(struct mvmm_vm *vm,
				  const struct mvmm_mem_region *r)
{
	unsigned long from, to, cleaned = 0;

	if (!mvmm_vendor.pml)
		return pgt_clean(&vm->pgt, r->gpa, r->gpa + r->len, note_dirty,
				 vm);
	kick_guests(vm);
	mvmm_drain_pml(vm);
	kick_guests(vm);
	for_each_set_bitrange(from, to, r->dirty, r->len >> PAGE_SHIFT)
		cleaned += pgt_clean(&vm->pgt, r->gpa + (from << PAGE_SHIFT),
				     r->gpa + (to << PAGE_SHIFT), note_dirty,
				     vm);
	return cleaned;
}

/**
 * mvmm_get_dirty_log() - MVMM_VM_GET_DIRTY_LOG
 * @vm: the VM
 * @log: from userspace; gpa and len name the region
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EINVAL; -ENOENT: no such
 * region, or it keeps no log; -ENOMEM; -EFAULT: nothing is lost.
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
	r = exact_region(vm, log->gpa, log->len);
	if (!r || !r->dirty) {
		mutex_unlock(&vm->lock);
		return -ENOENT;
	}
	bytes = bitmap_bytes(r->len);
	copy = kvmalloc(bytes, GFP_KERNEL);
	if (!copy) {
		mutex_unlock(&vm->lock);
		return -ENOMEM;
	}
	spin_lock(&vm->mmu_lock);
	if (clean_region(vm, r))
		flush_guests(vm);
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

/*
 * Where the owner has the range, all of one region; 0: nowhere.
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
 * @gpa: where; the range must not leave a region
 * @buf: to here
 * @len: bytes
 *
 * Context: may sleep. Return: 0 or -EFAULT.
 */
int mvmm_read_guest(struct mvmm_vm *vm, u64 gpa, void *buf, size_t len)
{
	u64 hva = range_to_hva(vm, gpa, len, false, false);

	if (!hva || copy_from_user(buf, (void __user *)hva, len))
		return -EFAULT;
	return 0;
}

/** mvmm_write_guest() - the same for writes, which the dirty log notes */
int mvmm_write_guest(struct mvmm_vm *vm, u64 gpa, const void *buf, size_t len)
{
	u64 hva = range_to_hva(vm, gpa, len, true, false);
	unsigned long left;

	if (!hva)
		return -EFAULT;
	left = copy_to_user((void __user *)hva, buf, len);
	/* Noted after the write: a log taken before has the page once more */
	range_to_hva(vm, gpa, len, true, true);
	return left ? -EFAULT : 0;
}
