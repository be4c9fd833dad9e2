// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty ring: each vCPU lists the pages that it writes to in memory that it
 * shares with userspace. It is for guests that write to few pages: no bitmap is
 * kept, copied or looked through. The log by bitmaps is dirty.c.
 *
 * A page of a logged region becomes writable in the step that lists it. So the
 * first write to it faults, on every CPU, whatever it could log by itself, and a
 * vCPU whose ring is full writes to no other page before it returns to userspace.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>
#include "memory.h"

/* So many entries mmu_lock is held for */
#define BATCH	256

static struct mvmm_dirty_gfn *entry(const struct mvmm_ring *ring, u32 i)
{
	/* Whoever changes @i bounds it by the kernel's own indices */
	return &ring->entries[i & (ring->nr - 1)];
}

/**
 * mvmm_dirty_ring_push() - list a page that a vCPU writes to
 * @vcpu: the vCPU
 * @r: the region that the page is in; if it is not logged nothing is done
 * @gpa: an address in the page
 *
 * Context: mmu_lock held since before the page was written to, or became
 * writable.
 */
void mvmm_dirty_ring_push(struct mvmm_vcpu *vcpu,
			  const struct mvmm_mem_region *r, u64 gpa)
{
	struct mvmm_ring *ring = &vcpu->ring;
	struct mvmm_dirty_gfn *e;

	lockdep_assert_held(&vcpu->vm->mmu_lock);
	gpa &= PAGE_MASK;
	if (!mvmm_goes_to_ring(vcpu->vm, r) ||
	    (ring->next != ring->reset && ring->last == gpa))
		return;
	/* See MVMM_RING_SPARE */
	if (WARN_ON_ONCE(ring->next - ring->reset == ring->nr))
		return;
	e = entry(ring, ring->next);
	WRITE_ONCE(e->gpa, gpa);
	/* pairs with the launcher's mvmm_collect_dirty_ring() */
	smp_store_release(&e->flags, MVMM_DIRTY_GFN_DIRTY);
	ring->last = gpa;
	WRITE_ONCE(ring->next, ring->next + 1);
	if (mvmm_dirty_ring_full(vcpu))
		atomic_or(MVMM_REQ_RING, &vcpu->requests);
}

/*
 * Take up to BATCH entries back that userspace has collected, and make the next
 * write to their pages fault. Userspace may have written anything to an entry: it
 * is read once, and an address that is in no logged region does nothing. Another
 * page's costs that page a fault.
 */
static int reset_some(struct mvmm_vm *vm, struct mvmm_ring *ring)
{
	const struct mvmm_mem_region *r;
	unsigned long cleaned = 0;
	struct mvmm_dirty_gfn *e;
	int n;
	u64 gpa;

	lockdep_assert_held_write(&vm->mmu_lock);
	for (n = 0; n < BATCH && ring->reset != ring->next; n++) {
		e = entry(ring, ring->reset);
		/* pairs with the launcher's mvmm_collect_dirty_ring() */
		if (!(smp_load_acquire(&e->flags) & MVMM_DIRTY_GFN_RESET))
			break;
		gpa = READ_ONCE(e->gpa) & PAGE_MASK;
		WRITE_ONCE(e->flags, 0);
		WRITE_ONCE(ring->reset, ring->reset + 1);
		r = mvmm_find_region(vm, gpa);
		if (r && mvmm_goes_to_ring(vm, r))
			cleaned += pgt_clean(&vm->pgt, gpa, gpa + PAGE_SIZE,
					     mvmm_note_dirty, vm);
	}
	if (cleaned)
		mvmm_flush_guests(vm);
	return n;
}

/**
 * mvmm_reset_dirty_rings() - MVMM_VM_RESET_DIRTY_RINGS
 * @vm: the VM
 * @how: from userspace
 *
 * Context: may sleep, takes vm->lock. Return: how many entries were taken back;
 * -EOPNOTSUPP; -EINVAL: the VM has no rings; -EINTR: a fatal signal.
 */
int mvmm_reset_dirty_rings(struct mvmm_vm *vm,
			   const struct mvmm_reset_dirty_rings *how)
{
	int i, n, ret = 0;

	if (how->flags)
		return -EOPNOTSUPP;
	mutex_lock(&vm->lock);
	if (!vm->ring_entries)
		ret = -EINVAL;
	for (i = 0; i < vm->nr_vcpus && ret >= 0; i++) {
		/* It stays while vm->lock is held */
		if (!vm->vcpus[i])
			continue;
		do {
			write_lock(&vm->mmu_lock);
			n = reset_some(vm, &vm->vcpus[i]->ring);
			write_unlock(&vm->mmu_lock);
			ret = fatal_signal_pending(current) ? -EINTR : ret + n;
			cond_resched();
		} while (n == BATCH && ret >= 0);
	}
	mutex_unlock(&vm->lock);
	return ret;
}

/**
 * mvmm_enable_dirty_ring() - MVMM_VM_ENABLE_DIRTY_RING
 * @vm: the VM
 * @how: from userspace
 *
 * From then on leaves have no D bits, as far as we use them: what is writable
 * counts as written to.
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EINVAL; -EBUSY: there are
 * regions, or have been vCPUs.
 */
int mvmm_enable_dirty_ring(struct mvmm_vm *vm,
			   const struct mvmm_dirty_ring *how)
{
	int ret = 0;

	if (how->entries < MVMM_MIN_DIRTY_RING ||
	    how->entries > MVMM_MAX_DIRTY_RING ||
	    how->entries & (how->entries - 1))
		return -EINVAL;
	mutex_lock(&vm->lock);
	write_lock(&vm->mmu_lock);
	if (vm->nr_vcpus || vm->nr_regions) {
		ret = -EBUSY;
	} else {
		vm->ring_format = *vm->pgt.fmt;
		vm->ring_format.dirty = 0;
		vm->pgt.fmt = &vm->ring_format;
		vm->ring_entries = how->entries;
	}
	write_unlock(&vm->mmu_lock);
	mutex_unlock(&vm->lock);
	return ret;
}

/**
 * mvmm_dirty_ring_alloc() - make the ring of a new vCPU, if the VM has rings
 * @vcpu: the vCPU
 *
 * Context: may sleep, vm->lock held. Return: 0 or -ENOMEM.
 */
int mvmm_dirty_ring_alloc(struct mvmm_vcpu *vcpu)
{
	struct mvmm_ring *ring = &vcpu->ring;
	u32 nr = vcpu->vm->ring_entries;

	lockdep_assert_held(&vcpu->vm->lock);
	if (!nr)
		return 0;
	/* Whole pages, which can be mapped */
	BUILD_BUG_ON(MVMM_MIN_DIRTY_RING * sizeof(*ring->entries) % PAGE_SIZE);
	ring->entries = __vmalloc(nr * sizeof(*ring->entries),
				  GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!ring->entries)
		return -ENOMEM;
	ring->nr = nr;
	return 0;
}

/** mvmm_dirty_ring_free() - undo mvmm_dirty_ring_alloc() */
void mvmm_dirty_ring_free(struct mvmm_vcpu *vcpu)
{
	vfree(vcpu->ring.entries);
}

/**
 * mvmm_dirty_ring_page() - a page of a vCPU's ring, to be mapped
 * @vcpu: the vCPU
 * @pgoff: in the vCPU's file, in pages
 *
 * Context: any. Return: the page; NULL: there is no ring, or not so long a one.
 */
struct page *mvmm_dirty_ring_page(struct mvmm_vcpu *vcpu, unsigned long pgoff)
{
	const struct mvmm_ring *ring = &vcpu->ring;
	unsigned long at = pgoff - (MVMM_DIRTY_RING_OFFSET >> PAGE_SHIFT);

	if (at >= ring->nr * sizeof(*ring->entries) >> PAGE_SHIFT)
		return NULL;
	return vmalloc_to_page((void *)ring->entries + (at << PAGE_SHIFT));
}
