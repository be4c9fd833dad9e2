// SPDX-License-Identifier: GPL-2.0
/*
 * Taking guest memory away: zapping the nested table, and the MMU notifier, by
 * which the host says that it is about to change the owner's mappings. fault.c
 * maps again.
 *
 * An invalidation zaps under mmu_lock, raises tlb_gen, and waits until no vCPU
 * is in the guest with the old translation. A fault maps nothing of what an
 * invalidation that runs is about.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/smp.h>
#include "compat.h"
#include "memory.h"

static struct mvmm_vm *mn_to_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct mvmm_vm, mn);
}

/**
 * mvmm_note_dirty() - tell the host, and the log, that a page was written to
 * @ctx: the VM
 * @gpa: guest-physical address of the leaf
 * @pte: the leaf
 * @level: the leaf's level
 *
 * The CPU set the D bit in our leaf and not in the host's PTE, so the host has
 * to be told. The host still maps the page, so it cannot go away here. A large
 * leaf maps one folio, so one call is enough for it.
 *
 * Context: mmu_lock held for writing.
 */
void mvmm_note_dirty(void *ctx, u64 gpa, u64 pte, int level)
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
		mvmm_note_dirty(ctx, gpa, pte, level);
}

static void empty_ipi(void *unused)
{
}

/**
 * mvmm_kick_guests() - make every vCPU see what was written before this call
 * @vm: the VM
 *
 * When it returns, no vCPU executes guest code without having seen it. A vCPU
 * that sets in_guest after our barrier sees it at its checks before the entry.
 * One that set in_guest before is interrupted. It runs with interrupts off
 * until it has left the guest, so the IPI is answered only then.
 *
 * Context: mmu_lock held for writing, interrupts on.
 */
void mvmm_kick_guests(struct mvmm_vm *vm)
{
	int i;

	lockdep_assert_held_write(&vm->mmu_lock);
	lockdep_assert_irqs_enabled();
	cpumask_clear(vm->kicked);
	smp_mb(); /* pairs with mvmm_enter_begin() */
	for (i = 0; i < vm->nr_vcpus; i++) {
		struct mvmm_vcpu *vcpu = vm->vcpus[i];

		/* pairs with mvmm_enter_end() */
		if (vcpu && smp_load_acquire(&vcpu->in_guest))
			cpumask_set_cpu(READ_ONCE(vcpu->cpu), vm->kicked);
	}
	/* On PREEMPT_RT mmu_lock does not see to it */
	preempt_disable();
	/* One wait for all of them */
	smp_call_function_many(vm->kicked, empty_ipi, NULL, true);
	preempt_enable();
}

/**
 * mvmm_flush_guests() - make every vCPU drop its old translations
 * @vm: the VM
 *
 * When it returns, no vCPU uses a translation from before. Context: mmu_lock
 * held for writing.
 */
void mvmm_flush_guests(struct mvmm_vm *vm)
{
	/* pairs with vmx_flush() and svm_flush() */
	smp_store_release(&vm->tlb_gen, vm->tlb_gen + 1);
	mvmm_kick_guests(vm);
}

/* tour 16: and taking it away again */

/* So many leaves are zapped before mmu_lock may be given up, and preemption on */
#define ZAP_BATCH 8192

/* Returns false if there may be more */
static bool zap_some(struct mvmm_vm *vm, u64 start, u64 end, bool *zapped)
{
	unsigned long budget = ZAP_BATCH;
	LIST_HEAD(freed);

	*zapped = pgt_zap(&vm->pgt, start, end, zap_leaf, vm, &freed, &budget);
	if (*zapped)
		mvmm_flush_guests(vm);
	pgt_free_tables(&freed);
	return budget;
}

/**
 * mvmm_zap() - remove what is mapped in a range, and flush
 * @vm: the VM
 * @start: first guest-physical address
 * @end: one past the last
 * @may_sleep: mmu_lock may be given up in between. The caller sees to it that
 *	nothing is mapped in the range meanwhile, or this might not end
 *
 * Context: mmu_lock held for writing. Return: true if there was something.
 */
bool mvmm_zap(struct mvmm_vm *vm, u64 start, u64 end, bool may_sleep)
{
	bool some, any = false;

	lockdep_assert_held_write(&vm->mmu_lock);
	while (!zap_some(vm, start, end, &some)) {
		any = true;
		if (may_sleep)
			cond_resched_rwlock_write(&vm->mmu_lock);
	}
	return some || any;
}

/* Call @fn for each part of guest memory that the owner has in [start, end) */
static bool for_each_backed(struct mvmm_vm *vm, u64 start, u64 end,
			    bool (*fn)(struct mvmm_vm *vm, u64 start, u64 end))
{
	bool ret = false;
	int i;

	lockdep_assert_held_write(&vm->mmu_lock);
	for (i = 0; i < vm->nr_regions; i++) {
		struct mvmm_mem_region *r = &vm->regions[i];
		u64 from = max(start, r->hva), to = min(end, r->hva + r->len);

		if (from < to)
			ret |= fn(vm, r->gpa + (from - r->hva),
				  r->gpa + (to - r->hva));
	}
	return ret;
}

/*
 * While mmu_lock is given up, regions may come and go: so they are gone through
 * by their addresses, and looked at again each time. What goes is zapped by who
 * removes it. What comes, maybe at the same address, has nothing mapped of what
 * the owner has in [start, end), but may have of the rest.
 */
static void zap_backed(struct mvmm_vm *vm, u64 start, u64 end, bool may_sleep)
{
	const struct mvmm_mem_region *r;
	u64 at = 0, from, to;
	bool some;
	int i;

	while ((i = mvmm_region_index(vm, at)) < vm->nr_regions) {
		r = &vm->regions[i];
		from = max(start, r->hva);
		to = min(end, r->hva + r->len);
		at = r->gpa;
		if (from >= to || zap_some(vm, at + (from - r->hva),
					   at + (to - r->hva), &some))
			at++;
		else if (may_sleep)
			cond_resched_rwlock_write(&vm->mmu_lock);
	}
}

/**
 * mvmm_inval_begin() - the owner's mapping of a range may change from now on
 * @vm: the VM
 * @start: first address of the owner's
 * @end: one past the last
 *
 * Nothing of it is mapped until mvmm_inval_end(). While several are under way, the
 * smallest range that has all of them counts. Context: mmu_lock held.
 */
void mvmm_inval_begin(struct mvmm_vm *vm, u64 start, u64 end)
{
	lockdep_assert_held_write(&vm->mmu_lock);
	if (!vm->inval_count++) {
		vm->inval_start = start;
		vm->inval_end = end;
		return;
	}
	vm->inval_start = min(vm->inval_start, start);
	vm->inval_end = max(vm->inval_end, end);
}

/**
 * mvmm_inval_end() - the owner's mapping has changed
 * @vm: the VM
 *
 * Context: mmu_lock held.
 */
void mvmm_inval_end(struct mvmm_vm *vm)
{
	lockdep_assert_held_write(&vm->mmu_lock);
	vm->inval_count--;
}

/**
 * mvmm_invalidating() - may the owner's mapping change right now?
 * @vm: the VM
 * @hva: an address of the owner's
 * @size: a power of two: asked is for the aligned block with @hva in it
 *
 * Context: mmu_lock held. Return: true if it may, in any part of the block.
 */
bool mvmm_invalidating(const struct mvmm_vm *vm, u64 hva, u64 size)
{
	lockdep_assert_held(&vm->mmu_lock);
	hva &= -size;
	return vm->inval_count && hva < vm->inval_end &&
	       hva + size > vm->inval_start;
}

static int invalidate_range_start(struct mmu_notifier *mn,
				  const struct mmu_notifier_range *range)
{
	struct mvmm_vm *vm = mn_to_vm(mn);

	/* The lock and IPIs do not sleep: it need not be blockable */
	write_lock(&vm->mmu_lock);
	mvmm_inval_begin(vm, range->start, range->end);
	zap_backed(vm, range->start, range->end,
		   mmu_notifier_range_blockable(range));
	write_unlock(&vm->mmu_lock);
	return 0;
}

static void invalidate_range_end(struct mmu_notifier *mn,
				 const struct mmu_notifier_range *range)
{
	struct mvmm_vm *vm = mn_to_vm(mn);

	write_lock(&vm->mmu_lock);
	mvmm_inval_end(vm);
	write_unlock(&vm->mmu_lock);
}

static bool age_backed(struct mvmm_vm *vm, u64 start, u64 end)
{
	if (vm->pgt.fmt->accessed)
		return pgt_age(&vm->pgt, start, end, true);
	/*
	 * No accessed bits: a page is young if it was faulted in since last
	 * time
	 */
	return mvmm_zap(vm, start, end, false);
}

static mvmm_young_t clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
				unsigned long start, unsigned long end)
{
	struct mvmm_vm *vm = mn_to_vm(mn);
	bool young;

	write_lock(&vm->mmu_lock);
	young = for_each_backed(vm, start, end, age_backed);
	write_unlock(&vm->mmu_lock);
	return young;
}

static bool test_backed(struct mvmm_vm *vm, u64 start, u64 end)
{
	int level;

	return vm->pgt.fmt->accessed ?
		pgt_age(&vm->pgt, start, end, false) :
		pgt_lookup(&vm->pgt, start, &level) != 0;
}

static mvmm_young_t test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			       unsigned long address)
{
	struct mvmm_vm *vm = mn_to_vm(mn);
	bool young;

	write_lock(&vm->mmu_lock);
	young = for_each_backed(vm, address, address + PAGE_SIZE, test_backed);
	write_unlock(&vm->mmu_lock);
	return young;
}

/* The owner's address space goes away: its pages are about to be freed */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mvmm_vm *vm = mn_to_vm(mn);

	write_lock(&vm->mmu_lock);
	/* It never ends: nothing is mapped again */
	mvmm_inval_begin(vm, 0, U64_MAX);
	mvmm_zap(vm, 0, 1ULL << MVMM_GPA_BITS, true);
	write_unlock(&vm->mmu_lock);
}

const struct mmu_notifier_ops mvmm_notifier_ops = {
	.invalidate_range_start = invalidate_range_start,
	.invalidate_range_end = invalidate_range_end,
	.clear_flush_young = clear_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.release = release,
};
