// SPDX-License-Identifier: GPL-2.0
/*
 * Nested page faults. If the owner has the page mapped, it is mirrored at once,
 * in the inner loop. If not, the host's own fault handler brings it in, outside
 * of a section. invalidate.c takes pages away again.
 *
 * The owner's page tables are read as the CPU would read them. If mmu_lock is
 * held and no invalidation of its range runs, an entry found there stays valid
 * until the notifier is called: the host calls it before it takes rights away.
 * So no reference to the page is needed, and none is taken.
 *
 * Faults hold mmu_lock for reading: vCPUs map at the same time, each entry by a
 * compare-and-exchange. Who has lost it finds what it wanted, or faults again.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include "memory.h"
#include "trace.h"
#include "vendor.h"

/*
 * A fault also maps its neighbours in a block of the host's fault-around's size
 */
#define AROUND	(64UL << 10)

/* What the host's page tables have at an address */
struct host_leaf {
	u64 pa;
	int level;
	bool write;
	pte_t *ptes;	/* level 1: where the entry is */
};

enum lookup {
	ABSENT,		/* the host has to bring it in, or to grant the right */
	FOUND,
	SPECIAL,	/* no struct page behind it: device memory */
	IN_THE_WAY,	/* what is mapped there has to go first, or be split */
};

/* How mmu_lock is held while something is mapped */
enum hold {
	ATOMIC,		/* for reading, interrupts are off */
	SHARED,		/* for reading */
	ALONE,		/* for writing */
};

/*
 * A clean page is not mapped writable: the host would not know of the write. Nor
 * is a shadow stack, which is dirty without the right to write; pte_write()
 * takes it for writable.
 */
static bool may_write(u64 flags)
{
	return flags & _PAGE_RW && flags & _PAGE_DIRTY;
}

static enum lookup leaf_from_pte(pte_t pte, struct host_leaf *leaf)
{
	if (!pte_access_permitted(pte, false))
		return ABSENT;
	if (pte_special(pte) && !is_zero_pfn(pte_pfn(pte)))
		return SPECIAL;
	leaf->pa = (u64)pte_pfn(pte) << PAGE_SHIFT;
	leaf->write = may_write(pte_flags(pte));
	return FOUND;
}

/*
 * Newer hosts map device memory by large leaves, too, and the huge zero page is
 * as special as that. A hole in memory may have a struct page, a reserved one.
 */
static enum lookup leaf_from_large(unsigned long pfn, u64 flags, int level,
				   struct host_leaf *leaf)
{
	if (!pfn_valid(pfn) || (flags & _PAGE_SPECIAL &&
				PageReserved(pfn_to_page(pfn))))
		return SPECIAL;
	leaf->pa = (u64)pfn << PAGE_SHIFT;
	leaf->write = may_write(flags);
	leaf->level = level;
	return FOUND;
}

/*
 * Context: interrupts off, so that no table is freed meanwhile, as for GUP-fast
 */
static enum lookup walk_host(struct mm_struct *mm, unsigned long hva,
			     struct host_leaf *leaf)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, hva));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	lockdep_assert_irqs_disabled();

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
			leaf_from_large(pud_pfn(pud), pud_flags(pud), 3, leaf) :
			ABSENT;
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_present(pmd))
		return ABSENT;
	if (pmd_leaf(pmd))
		return pmd_access_permitted(pmd, false) ?
			leaf_from_large(pmd_pfn(pmd), pmd_flags(pmd), 2, leaf) :
			ABSENT;
	leaf->level = 1;
	leaf->ptes = pte_offset_kernel(&pmd, hva);
	return leaf_from_pte(READ_ONCE(*leaf->ptes), leaf);
}

/*
 * What the host maps at an address; leaf->ptes is valid while interrupts are
 * off
 */
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

/*
 * The largest leaf that the host's mapping and the region's edges allow; a
 * dirty log needs small ones
 */
static int leaf_level(const struct mvmm_mem_region *r, u64 gpa, u64 hva,
		      int level)
{
	if (r->flags & MVMM_REGION_LOG_DIRTY)
		return 1;
	for (level = min(level, mvmm_vendor.pgt.max_leaf); level > 1; level--) {
		u64 size = pgt_level_size(level), start = gpa & -size;

		if (!((gpa ^ hva) & (size - 1)) && start >= r->gpa &&
		    start + size <= r->gpa + r->len)
			break;
	}
	return level;
}

static enum pgt_prot prot_of(const struct mvmm_vm *vm,
			     const struct mvmm_mem_region *r, bool host_write,
			     bool fault_write)
{
	bool write = host_write && !(r->flags & MVMM_REGION_READONLY);

	/* Without D bits the log takes a writable page for a dirty one */
	if (r->flags & MVMM_REGION_LOG_DIRTY && !vm->pgt.fmt->dirty)
		write &= fault_write;
	return write ? PGT_READ | PGT_WRITE : PGT_READ;
}

/* Map the neighbours that the host has mapped already: saves their faults */
static void map_around(struct mvmm_vm *vm, const struct mvmm_mem_region *r,
		       u64 gpa, const struct host_leaf *leaf, u64 *entry)
{
	const struct pgt_format *fmt = vm->pgt.fmt;
	u64 hva = r->hva + (gpa - r->gpa);
	u64 table = pgt_level_size(2);
	/* Stay in one table of the host, in one of ours, and in the region */
	u64 below = min3(hva & (AROUND - 1), gpa & (table - 1), gpa - r->gpa);
	u64 above = min3(AROUND - (hva & (AROUND - 1)),
			 table - (gpa & (table - 1)), r->gpa + r->len - gpa);
	pte_t *pte = leaf->ptes - (below >> PAGE_SHIFT);
	pte_t *end = leaf->ptes + (above >> PAGE_SHIFT);
	struct host_leaf one;

	lockdep_assert_irqs_disabled();
	entry -= below >> PAGE_SHIFT;
	for (; pte < end; pte++, entry++)
		if (!(READ_ONCE(*entry) & fmt->present) &&
		    leaf_from_pte(READ_ONCE(*pte), &one) == FOUND)
			pgt_set(entry, 0, pgt_leaf(fmt, one.pa, 1,
						   prot_of(vm, r, one.write,
							   false)));
}

/* Let the guest fetch what is mapped at @gpa, at @level */
static enum lookup let_fetch(struct mvmm_vm *vm, u64 gpa, int level,
			     enum hold hold, struct pgt_cache *cache)
{
	if (level == 1 || !vm->pgt.fmt->exec)
		return FOUND;
	if (hold != ALONE)
		return IN_THE_WAY;
	if (pgt_split(&vm->pgt, gpa, cache))
		return ABSENT;
	if (vm->pgt.nr_split)
		mvmm_merge_later(vm);
	return FOUND;
}

/*
 * Map what the host has at @gpa, for @access, if ATOMIC its neighbours, too. Returns
 * FOUND: it is mapped, or another vCPU has changed it just now; ABSENT: fault_in()
 * has to do it; SPECIAL: it cannot be mapped; IN_THE_WAY: only who is ALONE can.
 */
static enum lookup mirror(struct mvmm_vm *vm, const struct mvmm_mem_region *r,
			  u64 gpa, u32 access, enum hold hold,
			  struct pgt_cache *cache)
{
	bool write = access & MVMM_ACCESS_WRITE;
	bool fetch = access & MVMM_ACCESS_EXEC;
	u64 fault = gpa;
	u64 hva = r->hva + (gpa - r->gpa), pa, size, pte, *entry;
	struct pgt *pgt = &vm->pgt;
	struct host_leaf leaf;
	enum lookup found;
	enum pgt_prot prot;
	int level, at, ret;

	lockdep_assert_held(&vm->mmu_lock);
	found = host_lookup(vm->mm, hva, &leaf);
	if (found != FOUND)
		return found;
	/* Nor may what is mapped beside it */
	if (mvmm_invalidating(vm, hva, max_t(u64, AROUND,
					     pgt_level_size(leaf.level))))
		return ABSENT;
	if (write && !leaf.write)
		return ABSENT;
	/*
	 * Another vCPU may have mapped it: its entry stays, with rights and D
	 * bit
	 */
	entry = pgt_find(pgt, gpa, &at, &pte);
	if (pgt_pte_present(pgt, pte) && (!write || pte & pgt->fmt->write))
		return fetch ? let_fetch(vm, fault, at, hold, cache) : FOUND;

	pa = leaf.pa | (hva & (pgt_level_size(leaf.level) - 1));
	level = mvmm_level_beside(pgt, pte, at,
				  leaf_level(r, gpa, hva, leaf.level));
	size = pgt_level_size(level);
	gpa &= -size;
	pa &= -size;
	prot = prot_of(vm, r, leaf.write, write);
	if (at == level) {
		pgt_set(entry, pte, pgt_leaf(pgt->fmt, pa, level, prot));
		if (hold == ATOMIC && leaf.level == 1)
			map_around(vm, r, gpa, &leaf, entry);
		return fetch ? let_fetch(vm, fault, level, hold, cache) : FOUND;
	}
	/*
	 * 4 KiB leaves from before the host merged the range into a huge page, or
	 * a large one of which it has made small pages
	 */
	if (hold != ALONE &&
	    (at < level || (at > level && pgt_pte_present(pgt, pte))))
		return IN_THE_WAY;
	if (at < level)
		mvmm_zap(vm, gpa, gpa + size, false);
	ret = hold == ALONE ? pgt_map(pgt, gpa, pa, level, prot, cache) :
			      pgt_add(pgt, gpa, pa, level, prot, cache);
	if (ret)
		return ret == -EAGAIN ? FOUND : ABSENT;
	return fetch ? let_fetch(vm, fault, level, hold, cache) : FOUND;
}

static bool region_writable(const struct mvmm_mem_region *r)
{
	return !(r->flags & MVMM_REGION_READONLY);
}

/* @hva: the owner's address, or 0: not memory. @error: EROFS: of the region */
static void exit_to_user(struct mvmm_vcpu *vcpu, u64 hva, int error)
{
	const struct mvmm_fault *f = &vcpu->fault;
	struct mvmm_exit *exit = &vcpu->exit;

	/*
	 * If it is the CPU's own page walk, there is no instruction that
	 * userspace could complete: a memory fault, not MMIO.
	 */
	if ((!hva || error == EROFS) && !(f->access & MVMM_ACCESS_PAGE_WALK)) {
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
 * mvmm_apic_exit() - the CPU cannot do an access to the APIC-access page itself
 * @vcpu: its fault describes the access
 *
 * Userspace does it, as for any MMIO. Return: MVMM_STEP_USER.
 */
enum mvmm_step mvmm_apic_exit(struct mvmm_vcpu *vcpu)
{
	exit_to_user(vcpu, 0, EFAULT);
	return MVMM_STEP_USER;
}

/* tour 15: a nested page fault, in the inner loop */

/**
 * mvmm_fault_fast() - handle a nested page fault in the inner loop
 * @vcpu: its fault describes the access
 *
 * Context: interrupts off. So it must not wait for mmu_lock: who holds it for writing
 * may wait for an IPI to this CPU. Return: MVMM_STEP_REENTER: mapped;
 * MVMM_STEP_USER: not memory; MVMM_STEP_FAULT: mvmm_fault_slow() has to do it.
 */
enum mvmm_step mvmm_fault_fast(struct mvmm_vcpu *vcpu)
{
	const struct mvmm_fault *fault = &vcpu->fault;
	bool write = fault->access & MVMM_ACCESS_WRITE;
	u64 gpa = fault->gpa & PAGE_MASK;
	struct mvmm_vm *vm = vcpu->vm;
	const struct mvmm_mem_region *r;
	enum lookup found = ABSENT;
	u64 hva;

	lockdep_assert_irqs_disabled();
	mvmm_assert_section(vcpu);
	if (!mvmm_try_mmu_read(vm))
		return MVMM_STEP_FAULT;
	r = mvmm_find_region(vm, gpa);
	if (!r || (write && !region_writable(r))) {
		hva = r ? r->hva + (gpa - r->gpa) : 0;
		read_unlock(&vm->mmu_lock);
		if (!r && mvmm_may_have_apic_page(vm, gpa))
			return MVMM_STEP_FAULT;
		exit_to_user(vcpu, hva, r ? EROFS : EFAULT);
		return MVMM_STEP_USER;
	}
	found = mirror(vm, r, gpa, fault->access, ATOMIC, &vcpu->pgt_cache);
	if (found == FOUND && write)
		mvmm_dirty_ring_push(vcpu, r, gpa);
	read_unlock(&vm->mmu_lock);
	if (found != FOUND)
		return MVMM_STEP_FAULT;
	vcpu->stats.faults++;
	trace_mvmm_fault(vcpu->id, fault->gpa, fault->gva, fault->access, 0);
	return MVMM_STEP_REENTER;
}

/**
 * mvmm_bring_in() - have the host bring a page in, or grant the right to write
 * @mm: the owner's
 * @hva: an address in the page
 * @write: the right to write is needed
 *
 * As if the owner itself had accessed the page; what it has mapped there may
 * have changed again when this returns.
 *
 * Context: may sleep, takes mmap_lock; @mm is current's. Return: 0 or -errno;
 * -EHWPOISON: the memory there is broken.
 */
int mvmm_bring_in(struct mm_struct *mm, unsigned long hva, bool write)
{
	bool unlocked = false;
	int ret;

	mmap_read_lock(mm);
	ret = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0,
			       &unlocked);
	mmap_read_unlock(mm);
	/* To that function poison is a bad address, too; this one tells them apart */
	if (ret == -EFAULT &&
	    get_user_pages_unlocked(hva, 1, NULL, FOLL_HWPOISON |
				    (write ? FOLL_WRITE : 0)) == -EHWPOISON)
		ret = -EHWPOISON;
	return ret;
}

/* The second half of fault_in(), once *@hva was brought in */
static enum lookup map_in(struct mvmm_vm *vm, struct mvmm_vcpu *vcpu, u64 gpa,
			  u32 access, enum hold hold, struct pgt_cache *cache,
			  u64 hva)
{
	const struct mvmm_mem_region *r = mvmm_find_region(vm, gpa);
	enum lookup found;

	/* It may have gone again meanwhile, and the region, too */
	if (!r || r->hva + (gpa - r->gpa) != hva ||
	    (access & MVMM_ACCESS_WRITE && !region_writable(r)))
		return ABSENT;
	/* It may have a ring since then */
	if (!vcpu && mvmm_goes_to_ring(vm, r))
		access &= ~MVMM_ACCESS_WRITE;
	found = mirror(vm, r, gpa, access, hold, cache);
	if (found == FOUND && access & MVMM_ACCESS_WRITE && vcpu)
		mvmm_dirty_ring_push(vcpu, r, gpa);
	return found;
}

/*
 * Bring the page in, and map it, for @vcpu; NULL: for nobody, and if it goes to a
 * ring, as for a read. Context: may sleep. Returns 0: mapped, or
 * *@again is set; -ENXIO: not memory, *@hva is 0; -EROFS: in a read-only region;
 * another -errno: why the page at *@hva could not be brought in.
 */
static int fault_in(struct mvmm_vm *vm, struct mvmm_vcpu *vcpu, u64 gpa,
		    u32 access, struct pgt_cache *cache, u64 *hva, bool *again)
{
	bool write = access & MVMM_ACCESS_WRITE;
	const struct mvmm_mem_region *r;
	enum lookup found;
	bool refused = false;
	int ret;

	mvmm_assert_may_sleep();
	*hva = 0;
	ret = pgt_cache_fill(cache, vm->pgt.fmt);
	if (ret)
		return ret;
	read_lock(&vm->mmu_lock);
	r = mvmm_find_region(vm, gpa);
	if (r) {
		*hva = r->hva + (gpa - r->gpa);
		refused = write && !region_writable(r);
		if (!vcpu && mvmm_goes_to_ring(vm, r))
			access &= ~MVMM_ACCESS_WRITE;
	}
	read_unlock(&vm->mmu_lock);
	if (!*hva || refused)
		return refused ? -EROFS : -ENXIO;

	ret = mvmm_bring_in(vm->mm, *hva, access & MVMM_ACCESS_WRITE);
	if (ret)
		return ret;

	read_lock(&vm->mmu_lock);
	found = map_in(vm, vcpu, gpa, access, SHARED, cache, *hva);
	read_unlock(&vm->mmu_lock);
	if (found == IN_THE_WAY) {
		write_lock(&vm->mmu_lock);
		found = map_in(vm, vcpu, gpa, access, ALONE, cache, *hva);
		write_unlock(&vm->mmu_lock);
	}
	*again = found == ABSENT;
	return found == SPECIAL ? -EFAULT : 0;
}

/**
 * mvmm_fault_slow() - handle a nested page fault that needs the host mm
 * @vcpu: its fault describes the access; not loaded
 *
 * Context: may sleep. Return: 0: enter again, whether it is mapped or not; 1:
 * vcpu->exit is filled in for userspace; -EINTR: a fatal signal; -ENOMEM.
 */
int mvmm_fault_slow(struct mvmm_vcpu *vcpu)
{
	const struct mvmm_fault *fault = &vcpu->fault;
	bool again = false;
	u64 hva;
	int ret;

	mvmm_assert_busy(vcpu);
	if (unlikely(mvmm_may_have_apic_page(vcpu->vm, fault->gpa & PAGE_MASK)) &&
	    mvmm_map_apic_page(vcpu))
		return 0;
	ret = fault_in(vcpu->vm, vcpu, fault->gpa & PAGE_MASK, fault->access,
		       &vcpu->pgt_cache, &hva, &again);
	if (ret == -EINTR || (ret == -ENOMEM && !hva))
		return ret;
	if (ret) {
		exit_to_user(vcpu, hva, -ret);
		return 1;
	}
	/* The guest faults again; the run loop looks for signals in between */
	if (again) {
		vcpu->stats.fault_retries++;
		return 0;
	}
	vcpu->stats.faults++;
	vcpu->stats.slow_faults++;
	trace_mvmm_fault(vcpu->id, fault->gpa, fault->gva, fault->access, hva);
	return 0;
}

/**
 * mvmm_prefault() - MVMM_VM_PREFAULT
 * @vm: the VM
 * @p: from userspace; on return gpa and len are the part that is left
 *
 * Context: may sleep. Return: 0: all of it is mapped; -EINTR: a signal;
 * -EFAULT: the owner's mapping does not allow it; -EHWPOISON; -ENOENT: not memory;
 * -ENOMEM.
 */
int mvmm_prefault(struct mvmm_vm *vm, struct mvmm_prefault *p)
{
	bool write = p->flags & MVMM_PREFAULT_WRITE, again, mapped;
	const struct mvmm_mem_region *r;
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
		read_lock(&vm->mmu_lock);
		/* The APIC-access page may be mapped, but it is not memory */
		r = mvmm_find_region(vm, p->gpa);
		pte = r ? pgt_lookup(&vm->pgt, p->gpa, &level) : 0;
		mapped = pte && (!write || pte & vm->pgt.fmt->write ||
				 mvmm_goes_to_ring(vm, r));
		read_unlock(&vm->mmu_lock);
		if (mapped) {
			step = pgt_level_size(level) -
			       (p->gpa & (pgt_level_size(level) - 1));
			step = min(step, p->len);
			p->gpa += step;
			p->len -= step;
		}
		/* It may take long although all is mapped already */
		if (p->len && signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		cond_resched();
		if (mapped)
			continue;
		ret = fault_in(vm, NULL, p->gpa, write ? MVMM_ACCESS_WRITE : 0,
			       &cache, &hva, &again);
		if (ret)
			break;
	}
	pgt_cache_drain(&cache);
	return ret == -ENXIO || ret == -EROFS ? -ENOENT : ret;
}
