// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: regions of guest-physical addresses backed by the owner's
 * mappings, filled on a nested page fault and kept in step by an MMU notifier.
 * No page is pinned: the nested table holds no reference, it mirrors.
 *
 * The protocol, in two halves. A fault reads inval_seq, brings the page in
 * through the host mm, and maps it under mmu_lock only if no invalidation ran
 * or runs since. An invalidation zaps under mmu_lock, raises tlb_gen, and
 * waits until no vCPU is in the guest with the old translation.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <asm/io.h>
#include "mvmm.h"
#include "trace.h"

static struct mvmm_vm *mn_to_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct mvmm_vm, mn);
}

static void zap_leaf(void *ctx, u64 pte, int level)
{
	struct mvmm_vm *vm = ctx;
	unsigned long pfn = (pte & PGT_ADDR_MASK) >> PAGE_SHIFT;
	unsigned long i;

	if (!pgt_pte_dirty(&vm->pgt, pte))
		return;
	/*
	 * The guest wrote behind the host PTE's back. The host still maps the
	 * page, so it cannot go away under us.
	 */
	for (i = 0; i < pgt_level_size(level) >> PAGE_SHIFT; i++)
		if (pfn_valid(pfn + i))
			set_page_dirty(pfn_to_page(pfn + i));
}

static void nothing(void *unused)
{
}

/*
 * Make every vCPU see tlb_gen before it executes guest code again. A vCPU that
 * sets in_guest after our barrier sees the new generation; one that set it
 * before is interrupted, and the call returns only when it has left, since it
 * runs with interrupts off from in_guest to its exit.
 */
static void flush_guests(struct mvmm_vm *vm)
{
	int i;

	lockdep_assert_held(&vm->mmu_lock);
	WRITE_ONCE(vm->tlb_gen, vm->tlb_gen + 1);
	smp_mb(); /* pairs with the one after in_guest is set, in vcpu_run() */
	for (i = 0; i < MVMM_MAX_VCPUS; i++) {
		struct mvmm_vcpu *vcpu = vm->vcpus[i];

		if (vcpu && READ_ONCE(vcpu->in_guest))
			smp_call_function_single(READ_ONCE(vcpu->cpu), nothing,
						 NULL, 1);
	}
}

static void zap_gpa(struct mvmm_vm *vm, u64 start, u64 end)
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
	zap_gpa(vm, start, end);
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
	zap_gpa(vm, 0, 1ULL << MVMM_GPA_BITS);
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
	ret = pgt_init(&vm->pgt, &mvmm_vendor.pgt);
	if (ret)
		return ret;
	vm->mm = current->mm;
	vm->mn.ops = &notifier_ops;
	ret = mmu_notifier_register(&vm->mn, vm->mm);
	if (ret)
		pgt_destroy(&vm->pgt);
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
	spin_lock(&vm->mmu_lock);
	/* Before the notifier goes: until then the host keeps our pages */
	zap_gpa(vm, 0, 1ULL << MVMM_GPA_BITS);
	spin_unlock(&vm->mmu_lock);
	mmu_notifier_unregister(&vm->mn, vm->mm);
	pgt_destroy(&vm->pgt);
}

static bool overlaps(u64 a, u64 alen, u64 b, u64 blen)
{
	return a < b + blen && b < a + alen;
}

/**
 * mvmm_add_region() - MVMM_VM_ADD_REGION
 * @vm: the VM
 * @region: from userspace
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EOPNOTSUPP, -EINVAL,
 * -EEXIST, -ENOSPC as in the ABI.
 */
int mvmm_add_region(struct mvmm_vm *vm, const struct mvmm_region *region)
{
	int i, ret = 0;

	if (region->flags & ~MVMM_REGION_READONLY)
		return -EOPNOTSUPP;
	if (!region->len || !region->hva ||
	    !PAGE_ALIGNED(region->gpa | region->len | region->hva))
		return -EINVAL;
	if (region->len > 1ULL << MVMM_GPA_BITS ||
	    region->gpa > (1ULL << MVMM_GPA_BITS) - region->len ||
	    !access_ok((void __user *)region->hva, region->len))
		return -EINVAL;

	mutex_lock(&vm->lock);
	for (i = 0; i < vm->nr_regions; i++)
		if (overlaps(region->gpa, region->len, vm->regions[i].gpa,
			     vm->regions[i].len))
			ret = -EEXIST;
	if (!ret && vm->nr_regions == MVMM_MAX_REGIONS)
		ret = -ENOSPC;
	if (!ret) {
		spin_lock(&vm->mmu_lock);
		vm->regions[vm->nr_regions++] = (struct mvmm_mem_region){
			.gpa = region->gpa, .len = region->len,
			.hva = region->hva, .flags = region->flags };
		spin_unlock(&vm->mmu_lock);
	}
	mutex_unlock(&vm->lock);
	return ret;
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
	int i, ret = -ENOENT;

	mutex_lock(&vm->lock);
	for (i = 0; i < vm->nr_regions; i++) {
		if (vm->regions[i].gpa != region->gpa ||
		    vm->regions[i].len != region->len)
			continue;
		spin_lock(&vm->mmu_lock);
		vm->regions[i] = vm->regions[--vm->nr_regions];
		vm->inval_seq++;
		zap_gpa(vm, region->gpa, region->gpa + region->len);
		spin_unlock(&vm->mmu_lock);
		ret = 0;
		break;
	}
	mutex_unlock(&vm->lock);
	return ret;
}

static const struct mvmm_mem_region *find_region(struct mvmm_vm *vm, u64 gpa)
{
	int i;

	lockdep_assert_held(&vm->mmu_lock);
	for (i = 0; i < vm->nr_regions; i++)
		if (gpa - vm->regions[i].gpa < vm->regions[i].len)
			return &vm->regions[i];
	return NULL;
}

static int exit_to_user(struct mvmm_vcpu *vcpu, u64 hva, int error)
{
	const struct mvmm_fault *f = &vcpu->fault;
	struct mvmm_exit *exit = &vcpu->exit;

	/* A page walk into the void has no instruction to complete */
	if (!hva && !(f->access & MVMM_ACCESS_PAGE_WALK)) {
		exit->reason = MVMM_EXIT_MMIO;
		exit->mmio.gpa = f->gpa;
		exit->mmio.gva = f->gva;
		exit->mmio.access = f->access;
		exit->mmio.reserved = 0;
	} else {
		exit->reason = MVMM_EXIT_MEMORY_FAULT;
		exit->fault.gpa = f->gpa;
		exit->fault.hva = hva;
		exit->fault.access = f->access;
		exit->fault.error = error;
	}
	return 1;
}

/*
 * Writable only after a write fault: the host PTE is dirty then, and a read of
 * a clean page cannot become an unseen write. Another vCPU may have mapped the
 * page meanwhile: its rights and D bit stay.
 */
static int map_page(struct mvmm_vcpu *vcpu, u64 gpa, u64 pa, bool write)
{
	struct pgt *pgt = &vcpu->vm->pgt;
	int level;
	u64 pte;

	vcpu->stats.faults++;
	pte = pgt_lookup(pgt, gpa, &level);
	if (pte && (!write || pte & pgt->fmt->write))
		return 0;
	return pgt_map(pgt, gpa, pa, 1, write ? PGT_READ | PGT_WRITE : PGT_READ,
		       &vcpu->pgt_cache);
}

/**
 * mvmm_handle_fault() - bring in the page of a nested page fault
 * @vcpu: fault describes it; not loaded
 * @fault: vcpu->fault
 *
 * Context: may sleep. Return: 0: enter again, mapped or not; 1: vcpu->exit is
 * filled in for userspace; -EINTR: a signal; -ENOMEM.
 */
int mvmm_handle_fault(struct mvmm_vcpu *vcpu, const struct mvmm_fault *fault)
{
	struct mvmm_vm *vm = vcpu->vm;
	bool write = fault->access & MVMM_ACCESS_WRITE;
	u64 gpa = fault->gpa & PAGE_MASK;
	const struct mvmm_mem_region *region;
	struct page *page;
	unsigned long seq;
	u64 hva;
	int ret;

	ret = pgt_cache_fill(&vcpu->pgt_cache);
	if (ret)
		return ret;

	spin_lock(&vm->mmu_lock);
	region = find_region(vm, gpa);
	hva = region ? region->hva + (gpa - region->gpa) : 0;
	if (write && region && region->flags & MVMM_REGION_READONLY)
		hva = 0;
	seq = vm->inval_seq;
	spin_unlock(&vm->mmu_lock);
	if (!hva)
		return exit_to_user(vcpu, 0, EFAULT);

	ret = get_user_pages_unlocked(hva, 1, &page, write ? FOLL_WRITE : 0);
	if (ret == -EAGAIN || ret == -EINTR)
		return -EINTR;
	if (ret != 1)
		return exit_to_user(vcpu, hva, ret < 0 ? -ret : EFAULT);

	spin_lock(&vm->mmu_lock);
	if (vm->inval_count || vm->inval_seq != seq) {
		/* By way of the run loop, which looks for signals and kicks */
		vcpu->stats.fault_retries++;
		ret = 0;
	} else {
		ret = map_page(vcpu, gpa, page_to_phys(page), write);
		trace_mvmm_fault(vcpu->id, fault->gpa, fault->gva,
				 fault->access, hva);
	}
	spin_unlock(&vm->mmu_lock);
	put_page(page);
	WARN_ON_ONCE(ret);
	return ret;
}

/**
 * mvmm_read_guest() - read guest memory through the owner's mapping
 * @vm: the VM of the calling process
 * @gpa: where; the range must not cross a page
 * @buf: to here
 * @len: bytes
 *
 * Context: may sleep. Return: 0 or -EFAULT.
 */
int mvmm_read_guest(struct mvmm_vm *vm, u64 gpa, void *buf, size_t len)
{
	const struct mvmm_mem_region *region;
	u64 hva = 0;

	spin_lock(&vm->mmu_lock);
	region = find_region(vm, gpa);
	if (region)
		hva = region->hva + (gpa - region->gpa);
	spin_unlock(&vm->mmu_lock);
	if (!hva || copy_from_user(buf, (void __user *)hva, len))
		return -EFAULT;
	return 0;
}
