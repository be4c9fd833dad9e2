// SPDX-License-Identifier: GPL-2.0
/*
 * Nested page faults: what the owner has mapped is mirrored at once, in the
 * inner loop; what it has not is brought in by the host's own fault handler,
 * outside of a section. Taking away again is invalidate.c's.
 *
 * The mirror is read from the owner's page tables, as the CPU would read them.
 * Under mmu_lock, while no invalidation runs, an entry found there stays good
 * until the notifier is called: whoever takes rights away says so first. So no
 * reference to a page is needed, and none is taken.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include "memory.h"
#include "trace.h"
#include "vendor.h"

/* Neighbours that are mapped along: as many as the host's own fault-around */
#define AROUND	(64UL << 10)

struct host_leaf {
	u64 pa;
	int level;
	bool write;
	pte_t *ptes;	/* level 1: the entry itself */
};

enum lookup { ABSENT, FOUND, SPECIAL };

/* A clean page must not become writable unseen: the host would lose the write */
static enum lookup take_pte(pte_t pte, struct host_leaf *leaf)
{
	if (!pte_access_permitted(pte, false))
		return ABSENT;
	if (pte_special(pte) && !is_zero_pfn(pte_pfn(pte)))
		return SPECIAL;
	leaf->pa = (u64)pte_pfn(pte) << PAGE_SHIFT;
	leaf->write = pte_write(pte) && pte_dirty(pte);
	return FOUND;
}

static enum lookup take_large(unsigned long pfn, bool write, int level,
			      struct host_leaf *leaf)
{
	/* Device memory, which has no pages that could be given to a guest */
	if (!pfn_valid(pfn))
		return SPECIAL;
	leaf->pa = (u64)pfn << PAGE_SHIFT;
	leaf->write = write;
	leaf->level = level;
	return FOUND;
}

/* Interrupts are off, so that no table is freed meanwhile, as for GUP-fast */
static enum lookup walk_host(struct mm_struct *mm, unsigned long hva,
			     struct host_leaf *leaf)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, hva));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	if (!pgd_present(pgd))
		return ABSENT;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (!p4d_present(p4d))
		return ABSENT;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (!pud_present(pud))
		return ABSENT;
	if (pud_leaf(pud))
		return pud_access_permitted(pud, false) ?
			take_large(pud_pfn(pud),
				   pud_write(pud) && pud_dirty(pud), 3, leaf) :
			ABSENT;
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_present(pmd))
		return ABSENT;
	if (pmd_leaf(pmd))
		return pmd_access_permitted(pmd, false) ?
			take_large(pmd_pfn(pmd),
				   pmd_write(pmd) && pmd_dirty(pmd), 2, leaf) :
			ABSENT;
	leaf->level = 1;
	leaf->ptes = pte_offset_kernel(&pmd, hva);
	return take_pte(READ_ONCE(*leaf->ptes), leaf);
}

/* What the host maps at an address; leaf->ptes is good while interrupts are off */
static enum lookup host_lookup(struct mm_struct *mm, unsigned long hva,
			       struct host_leaf *leaf)
{
	unsigned long flags;
	enum lookup found;

	local_irq_save(flags);
	found = walk_host(mm, hva, leaf);
	local_irq_restore(flags);
	return found;
}

/* The largest leaf that the host's mapping and the region's edges allow */
static int leaf_level(const struct mvmm_mem_region *r, u64 gpa, u64 hva,
		      int level)
{
	if (r->dirty)
		return 1;
	for (level = min(level, mvmm_vendor.pgt.max_leaf); level > 1; level--) {
		u64 size = pgt_level_size(level), start = gpa & -size;

		if (!((gpa ^ hva) & (size - 1)) && start >= r->gpa &&
		    start + size <= r->gpa + r->len)
			break;
	}
	return level;
}

static enum pgt_prot prot_of(const struct mvmm_mem_region *r, bool host_write,
			     bool fault_write)
{
	bool write = host_write && !(r->flags & MVMM_REGION_READONLY);

	/* Without D bits a right to write counts as a write */
	if (r->dirty && !mvmm_vendor.pgt.dirty)
		write &= fault_write;
	return write ? PGT_READ | PGT_WRITE : PGT_READ;
}

/* Populated neighbours, for which the host has no more to do either */
static void map_around(struct mvmm_vm *vm, const struct mvmm_mem_region *r,
		       u64 gpa, const struct host_leaf *leaf, u64 *entry)
{
	const struct pgt_format *fmt = vm->pgt.fmt;
	u64 hva = r->hva + (gpa - r->gpa);
	u64 table = pgt_level_size(2);
	/* Within one table of the host and one of ours */
	u64 below = min3(hva & (AROUND - 1), gpa & (table - 1), gpa - r->gpa);
	u64 above = min3(AROUND - (hva & (AROUND - 1)),
			 table - (gpa & (table - 1)), r->gpa + r->len - gpa);
	pte_t *pte = leaf->ptes - (below >> PAGE_SHIFT);
	pte_t *end = leaf->ptes + (above >> PAGE_SHIFT);
	struct host_leaf one;

	entry -= below >> PAGE_SHIFT;
	for (; pte < end; pte++, entry++)
		if (!(*entry & fmt->present) &&
		    take_pte(READ_ONCE(*pte), &one) == FOUND)
			WRITE_ONCE(*entry, pgt_leaf(fmt, one.pa, 1,
						    prot_of(r, one.write,
							    false)));
}

/*
 * Map what the host has at @gpa. mmu_lock is held. @atomic: interrupts are off:
 * neighbours are mapped along, but nothing may be taken away, which takes a
 * flush. Return: FOUND: mapped; ABSENT: to be done by fault_in(); SPECIAL: there
 * is no page behind it.
 */
static enum lookup mirror(struct mvmm_vm *vm, const struct mvmm_mem_region *r,
			  u64 gpa, bool write, bool atomic,
			  struct pgt_cache *cache)
{
	u64 hva = r->hva + (gpa - r->gpa), pa, size, pte, *entry;
	struct pgt *pgt = &vm->pgt;
	struct host_leaf leaf;
	enum lookup found;
	enum pgt_prot prot;
	int level, at;

	if (vm->inval_count)
		return ABSENT;
	found = host_lookup(vm->mm, hva, &leaf);
	if (found != FOUND)
		return found;
	if (write && !leaf.write)
		return ABSENT;
	/* Another vCPU may have been here: its rights and D bit stay */
	entry = pgt_find(pgt, gpa, &at);
	pte = *entry;
	if (pgt_pte_present(pgt, pte) && (!write || pte & pgt->fmt->write))
		return FOUND;

	pa = leaf.pa | (hva & (pgt_level_size(leaf.level) - 1));
	level = leaf_level(r, gpa, hva, leaf.level);
	size = pgt_level_size(level);
	gpa &= -size;
	pa &= -size;
	prot = prot_of(r, leaf.write, write);
	if (at == 1 && level == 1) {
		WRITE_ONCE(*entry, pgt_leaf(pgt->fmt, pa, 1, prot));
		if (atomic && leaf.level == 1)
			map_around(vm, r, gpa, &leaf, entry);
		return FOUND;
	}
	/* Small leaves in the way, from before the pages were one */
	if (at < level && atomic)
		return ABSENT;
	if (at < level)
		mvmm_zap(vm, gpa, gpa + size);
	return pgt_map(pgt, gpa, pa, level, prot, cache) ? ABSENT : FOUND;
}

static bool writable(const struct mvmm_mem_region *r)
{
	return !(r->flags & MVMM_REGION_READONLY);
}

static void exit_to_user(struct mvmm_vcpu *vcpu, u64 hva, int error)
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
}

/**
 * mvmm_apic_exit() - an access to the APIC-access page that the CPU cannot do
 * @vcpu: fault describes it
 *
 * Userspace does it, as if nothing was there. Return: MVMM_STEP_USER.
 */
enum mvmm_step mvmm_apic_exit(struct mvmm_vcpu *vcpu)
{
	exit_to_user(vcpu, 0, EFAULT);
	return MVMM_STEP_USER;
}

/**
 * mvmm_fault_fast() - a nested page fault, in the inner loop
 * @vcpu: fault describes it
 *
 * Context: interrupts off; so it must not wait for mmu_lock, whose holder may
 * wait for this CPU. Return: MVMM_STEP_REENTER: mapped; MVMM_STEP_USER: not
 * memory; MVMM_STEP_FAULT: to be handled by mvmm_fault_slow().
 */
enum mvmm_step mvmm_fault_fast(struct mvmm_vcpu *vcpu)
{
	const struct mvmm_fault *fault = &vcpu->fault;
	bool write = fault->access & MVMM_ACCESS_WRITE;
	u64 gpa = fault->gpa & PAGE_MASK;
	struct mvmm_vm *vm = vcpu->vm;
	const struct mvmm_mem_region *r;
	enum lookup found = ABSENT;

	if (!spin_trylock(&vm->mmu_lock))
		return MVMM_STEP_FAULT;
	r = mvmm_find_region(vm, gpa);
	if (!r || (write && !writable(r))) {
		spin_unlock(&vm->mmu_lock);
		if (!r && mvmm_may_have_apic_page(vm, gpa))
			return MVMM_STEP_FAULT;
		exit_to_user(vcpu, 0, EFAULT);
		return MVMM_STEP_USER;
	}
	found = mirror(vm, r, gpa, write, true, &vcpu->pgt_cache);
	spin_unlock(&vm->mmu_lock);
	if (found != FOUND)
		return MVMM_STEP_FAULT;
	vcpu->stats.faults++;
	trace_mvmm_fault(vcpu->id, fault->gpa, fault->gva, fault->access, 0);
	return MVMM_STEP_REENTER;
}

/* As if the owner had touched the page itself */
static int bring_in(struct mm_struct *mm, unsigned long hva, bool write)
{
	bool unlocked = false;
	int ret;

	mmap_read_lock(mm);
	ret = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0,
			       &unlocked);
	mmap_read_unlock(mm);
	return ret;
}

/*
 * Bring in and map. Return: 0: mapped, or to be tried again; -ENXIO: not
 * memory, *@hva is 0; -errno: why the page at *@hva could not be had.
 */
static int fault_in(struct mvmm_vm *vm, u64 gpa, bool write,
		    struct pgt_cache *cache, u64 *hva, bool *again)
{
	const struct mvmm_mem_region *r;
	enum lookup found = ABSENT;
	unsigned long seq;
	int ret;

	*hva = 0;
	ret = pgt_cache_fill(cache, vm->pgt.fmt);
	if (ret)
		return ret;
	spin_lock(&vm->mmu_lock);
	r = mvmm_find_region(vm, gpa);
	if (r && (!write || writable(r)))
		*hva = r->hva + (gpa - r->gpa);
	seq = vm->inval_seq;
	spin_unlock(&vm->mmu_lock);
	if (!*hva)
		return -ENXIO;

	ret = bring_in(vm->mm, *hva, write);
	if (ret)
		return ret;

	spin_lock(&vm->mmu_lock);
	*again = vm->inval_count || vm->inval_seq != seq;
	if (!*again) {
		/* No region went: that would have counted as an invalidation */
		found = mirror(vm, mvmm_find_region(vm, gpa), gpa, write, false,
			       cache);
		*again = found == ABSENT;
	}
	spin_unlock(&vm->mmu_lock);
	return found == SPECIAL ? -EFAULT : 0;
}

/**
 * mvmm_fault_slow() - bring in the page of a nested page fault
 * @vcpu: fault describes it; not loaded
 *
 * Context: may sleep. Return: 0: enter again, mapped or not; 1: vcpu->exit is
 * filled in for userspace; -EINTR: a fatal signal; -ENOMEM.
 */
int mvmm_fault_slow(struct mvmm_vcpu *vcpu)
{
	const struct mvmm_fault *fault = &vcpu->fault;
	bool write = fault->access & MVMM_ACCESS_WRITE, again = false;
	u64 hva;
	int ret;

	if (unlikely(mvmm_may_have_apic_page(vcpu->vm, fault->gpa & PAGE_MASK)) &&
	    mvmm_map_apic_page(vcpu))
		return 0;
	ret = fault_in(vcpu->vm, fault->gpa & PAGE_MASK, write,
		       &vcpu->pgt_cache, &hva, &again);
	if (ret == -EINTR || (ret == -ENOMEM && !hva))
		return ret;
	if (ret) {
		exit_to_user(vcpu, hva, -ret);
		return 1;
	}
	/* By way of the run loop, which looks for signals and kicks */
	if (again) {
		vcpu->stats.fault_retries++;
		return 0;
	}
	vcpu->stats.faults++;
	trace_mvmm_fault(vcpu->id, fault->gpa, fault->gva, fault->access, hva);
	return 0;
}

/**
 * mvmm_prefault() - MVMM_VM_PREFAULT
 * @vm: the VM
 * @p: from userspace; gpa and len tell what is left when this returns
 *
 * Context: may sleep. Return: 0: all is mapped; -EINTR: a signal; -EFAULT: the
 * backing refused; -ENOENT: not memory; -ENOMEM.
 */
int mvmm_prefault(struct mvmm_vm *vm, struct mvmm_prefault *p)
{
	bool write = p->flags & MVMM_PREFAULT_WRITE, again;
	struct pgt_cache cache = {};
	u64 hva, pte, step;
	int level, ret = 0;

	if (p->flags & ~MVMM_PREFAULT_WRITE)
		return -EOPNOTSUPP;
	if (!PAGE_ALIGNED(p->gpa | p->len) ||
	    p->len > 1ULL << MVMM_GPA_BITS ||
	    p->gpa > (1ULL << MVMM_GPA_BITS) - p->len)
		return -EINVAL;
	while (p->len) {
		spin_lock(&vm->mmu_lock);
		/* The local APIC's page is no memory, though mapped */
		pte = mvmm_find_region(vm, p->gpa) ?
		      pgt_lookup(&vm->pgt, p->gpa, &level) : 0;
		spin_unlock(&vm->mmu_lock);
		if (pte && (!write || pte & vm->pgt.fmt->write)) {
			step = pgt_level_size(level) -
			       (p->gpa & (pgt_level_size(level) - 1));
			step = min(step, p->len);
			p->gpa += step;
			p->len -= step;
			continue;
		}
		if (signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		cond_resched();
		ret = fault_in(vm, p->gpa, write, &cache, &hva, &again);
		if (ret)
			break;
	}
	pgt_cache_drain(&cache);
	return ret == -ENXIO ? -ENOENT : ret;
}
