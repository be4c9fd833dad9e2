// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: which pages of a region were written to. That is known from D
 * bits, from write faults, or from the CPU's own log (pml.c).
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include "memory.h"
#include "vendor.h"

/*
 * Look for D bits. The CPU sets the A bit of a table's entry when it walks
 * through it, so a table without that bit has no new D bit. The A bits are
 * cleared and flushed first: from then on a CPU that writes sets them again.
 * Only then are the leaves looked at. A table that is partly in the range keeps
 * its A bit, which is also for its other part.
 */
static unsigned long scan(struct mvmm_vm *vm, u64 start, u64 end)
{
	unsigned long tables = pgt_used(&vm->pgt, start, end), cleaned = 0;
	const u64 size = pgt_level_size(2);
	unsigned int i;

	if (tables && vm->pgt.fmt->accessed)
		mvmm_flush_guests(vm);
	for_each_set_bit(i, &tables, BITS_PER_LONG) {
		u64 at = (start & -size) + i * size;

		cleaned += pgt_clean(&vm->pgt, max(at, start),
				     min(at + size, end), mvmm_note_dirty, vm);
	}
	return cleaned;
}

/*
 * Note in the bitmap what was written to, from page @first of the region up to
 * @last, and make the next write visible. Returns how many leaves were dirty.
 *
 * With PML, a set D bit has its page in the bitmap or in a log, so only those
 * pages are scanned. The manual does not say whether a CPU writes the log or
 * the D bit first, but both are in memory once it has left the guest. So the
 * guests are kicked twice: before the logs are drained, and before the D bits
 * are cleared.
 */
static unsigned long clean_part(struct mvmm_vm *vm,
				const struct mvmm_mem_region *r,
				unsigned long first, unsigned long last)
{
	unsigned long from = first, to, cleaned = 0;

	lockdep_assert_held_write(&vm->mmu_lock);

	if (!mvmm_vendor.pml)
		return scan(vm, r->gpa + (first << PAGE_SHIFT),
			    r->gpa + (last << PAGE_SHIFT));
	mvmm_kick_guests(vm);
	mvmm_drain_pml(vm);
	mvmm_kick_guests(vm);
	for_each_set_bitrange_from(from, to, r->dirty, last)
		cleaned += pgt_clean(&vm->pgt, r->gpa + (from << PAGE_SHIFT),
				     r->gpa + (to << PAGE_SHIFT),
				     mvmm_note_dirty, vm);
	return cleaned;
}

/*
 * Copy @n bits, and clear them unless they are to be kept. In one loop: few words
 * are not 0, and only those are written to.
 */
static void take_bits(unsigned long *copy, unsigned long *bits, unsigned long n,
		      bool keep)
{
	unsigned long i;

	for (i = 0; i < BITS_TO_LONGS(n); i++) {
		copy[i] = bits[i];
		if (!copy[i])
			continue;
		if (i == BIT_WORD(n))
			copy[i] &= BITMAP_LAST_WORD_MASK(n);
		if (!keep)
			bits[i] &= ~copy[i];
	}
}

/*
 * Give the caller the log of @n pages, from page @first of the region. They are
 * cleaned and their bits are taken under one hold of the lock: with PML a log that
 * is drained in between has pages whose D bits are set, and which the CPU will not
 * log again, so their bits must stay.
 */
static int get_part(struct mvmm_vm *vm, struct mvmm_mem_region *r,
		    unsigned long first, unsigned long n, bool keep,
		    void __user *to)
{
	unsigned long *bits = r->dirty + BIT_WORD(first);
	unsigned long *copy = r->dirty + BITS_TO_LONGS(r->len >> PAGE_SHIFT);

	write_lock(&vm->mmu_lock);
	if (clean_part(vm, r, first, first + n))
		mvmm_flush_guests(vm);
	take_bits(copy, bits, n, keep);
	write_unlock(&vm->mmu_lock);
	if (!copy_to_user(to, copy, BITS_TO_LONGS(n) * sizeof(long)))
		return 0;
	write_lock(&vm->mmu_lock);
	bitmap_or(bits, bits, copy, n);
	write_unlock(&vm->mmu_lock);
	return -EFAULT;
}

/* The log of a region from page @first up to @end, in parts */
static int get_parts(struct mvmm_vm *vm, struct mvmm_mem_region *r,
		     unsigned long first, unsigned long end, bool keep,
		     void __user *to)
{
	unsigned long at, n;
	int ret = 0;

	lockdep_assert_held(&vm->lock);
	for (at = first; at < end; at += n) {
		cond_resched();
		n = min(MVMM_LOG_PART >> PAGE_SHIFT, end - at);
		ret = fatal_signal_pending(current) ? -EINTR :
		      get_part(vm, r, at, n, keep, to + (at - first) / 8);
		if (ret)
			break;
	}
	if (ret && !keep) {
		/* What the caller has got it will not use */
		write_lock(&vm->mmu_lock);
		bitmap_set(r->dirty, first, at - first);
		write_unlock(&vm->mmu_lock);
	}
	return ret;
}

/* tour 17: which pages were written to */

/**
 * mvmm_get_dirty_log() - MVMM_VM_GET_DIRTY_LOG
 * @vm: the VM
 * @log: from userspace
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EOPNOTSUPP, -EINVAL; -ENOENT:
 * no region has the range, or it keeps no log; -EFAULT: the log has lost
 * nothing; -EINTR: a fatal signal.
 */
int mvmm_get_dirty_log(struct mvmm_vm *vm, const struct mvmm_dirty_log *log)
{
	struct mvmm_mem_region *r;
	u64 at;
	int ret;

	if (log->flags & ~MVMM_DIRTY_LOG_KEEP)
		return -EOPNOTSUPP;
	if (!log->len || !PAGE_ALIGNED(log->gpa | log->len))
		return -EINVAL;
	mutex_lock(&vm->lock);
	read_lock(&vm->mmu_lock);
	r = mvmm_find_region(vm, log->gpa);
	read_unlock(&vm->mmu_lock);
	at = r ? log->gpa - r->gpa : 0;
	if (!r || !r->dirty || log->len > r->len - at)
		ret = -ENOENT;
	else if (at & (BITS_PER_LONG * PAGE_SIZE - 1))
		ret = -EINVAL;
	else
		ret = get_parts(vm, r, at >> PAGE_SHIFT,
				(at + log->len) >> PAGE_SHIFT,
				log->flags & MVMM_DIRTY_LOG_KEEP,
				(void __user *)log->bitmap);
	mutex_unlock(&vm->lock);
	return ret;
}
