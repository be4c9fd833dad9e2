/* SPDX-License-Identifier: GPL-2.0 */
/* Guest memory. Documentation/memory.rst is about the whole. */
#ifndef MVMM_MM_MEMORY_H
#define MVMM_MM_MEMORY_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include "vcpu.h"

#define MVMM_MAX_REGIONS	128
#define MVMM_MAX_LOGGED		(1ULL << 43)

/*
 * A ring is full to userspace when it has no more room than this. It is for what
 * the module itself writes before the vCPU's thread looks at MVMM_REQ_RING: some
 * structs of pv/, each on two pages at most, and in three writes. A write that has
 * to be tried again lists no page twice: what it has not written to is not listed.
 */
#define MVMM_RING_SPARE		64

/**
 * struct mvmm_mem_region - a range of guest-physical addresses backed by memory
 * @gpa: first guest-physical address
 * @len: bytes; 0: the entry of the array is not in use
 * @hva: where the owner has it mapped
 * @flags: MVMM_REGION_*
 * @dirty: dirty bitmap, a bit for each page, guarded by mmu_lock; NULL: no log,
 *	or the VM has dirty rings
 */
struct mvmm_mem_region {
	u64 gpa;
	u64 len;
	u64 hva;
	u32 flags;
	unsigned long *dirty;
};

int mvmm_memory_init(struct mvmm_vm *vm);
void mvmm_memory_destroy(struct mvmm_vm *vm);
int mvmm_add_region(struct mvmm_vm *vm, const struct mvmm_region *region);
int mvmm_set_region(struct mvmm_vm *vm, const struct mvmm_region *region);
int mvmm_remove_region(struct mvmm_vm *vm, const struct mvmm_region *region);
int mvmm_change_regions(struct mvmm_vm *vm, const struct mvmm_regions *how);
struct mvmm_mem_region *mvmm_find_region(struct mvmm_vm *vm, u64 gpa);
int mvmm_region_index(const struct mvmm_vm *vm, u64 gpa);
struct mvmm_mem_region *mvmm_exact_region(const struct mvmm_vm *vm, u64 gpa,
					  u64 len);
bool mvmm_zap(struct mvmm_vm *vm, u64 start, u64 end, bool may_sleep);
void mvmm_merge_init(struct mvmm_vm *vm);
void mvmm_merge_later(struct mvmm_vm *vm);
void mvmm_kick_guests(struct mvmm_vm *vm);
void mvmm_inval_begin(struct mvmm_vm *vm, u64 start, u64 end);
void mvmm_inval_end(struct mvmm_vm *vm);
bool mvmm_invalidating(const struct mvmm_vm *vm, u64 hva, u64 size);
void mvmm_flush_guests(struct mvmm_vm *vm);
void mvmm_note_dirty(void *ctx, u64 gpa, u64 pte, int level);
extern const struct mmu_notifier_ops mvmm_notifier_ops;

/*
 * So much of a dirty log is read with mmu_lock held: at most 64 tables, see
 * pgt_used(). Behind each bitmap is room for a copy of that, guarded by vm->lock
 */
#define MVMM_LOG_PART	(64UL << 20)

/* Bytes of the dirty bitmap for @len bytes of memory */
static inline size_t mvmm_bitmap_bytes(u64 len)
{
	return BITS_TO_LONGS(len >> PAGE_SHIFT) * sizeof(long);
}

/*
 * For who has interrupts off, and so cannot wait for mmu_lock. On PREEMPT_RT to give it
 * back may turn them on: there it is not to be had so.
 */
static inline bool mvmm_try_mmu_read(struct mvmm_vm *vm)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) && read_trylock(&vm->mmu_lock);
}

void __user *mvmm_plain_memory(struct mvmm_vm *vm, u64 gpa, size_t len);
bool mvmm_peek_guest(const struct mvmm_vcpu *vcpu, u64 gpa, u8 *value);
int mvmm_read_guest(struct mvmm_vm *vm, u64 gpa, void *buf, size_t len);
int mvmm_write_guest(struct mvmm_vcpu *vcpu, u64 gpa, const void *buf,
		     size_t len);
void mvmm_write_versioned(struct mvmm_vcpu *vcpu, u64 gpa, const void *data,
			  size_t len, size_t version_at);

int mvmm_bring_in(struct mm_struct *mm, unsigned long hva, bool write);
enum mvmm_step mvmm_fault_fast(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_apic_exit(struct mvmm_vcpu *vcpu);
int mvmm_fault_slow(struct mvmm_vcpu *vcpu);
int mvmm_prefault(struct mvmm_vm *vm, struct mvmm_prefault *p);

/**
 * mvmm_pml_take() - take the oldest entry out of a log
 * @pml: the log
 *
 * Context: mmu_lock held. Return: a guest-physical address, or MVMM_PML_EMPTY.
 */
static inline u64 mvmm_pml_take(struct mvmm_pml *pml)
{
	u64 gpa = MVMM_PML_EMPTY;

	if (pml->log && pml->next >= 0)
		gpa = READ_ONCE(pml->log[pml->next]);
	if (gpa != MVMM_PML_EMPTY)
		pml->log[pml->next--] = MVMM_PML_EMPTY;
	return gpa;
}

/* For tlb_gen_seen, not a generation: the vCPU has come from another CPU */
#define MVMM_TLB_MOVED (~0ULL)

/**
 * mvmm_tlb_needs_flush() - can the TLB have stale translations of the VM?
 * @vm_gen: the VM's generation now
 * @seen_gen: the generation at the vCPU's last flush, or MVMM_TLB_MOVED
 *
 * Pure. The generation grows when an entry is removed or loses rights. It does
 * not when an entry is added, since the TLB does not cache absent entries.
 * After a move this CPU may still have what the vCPU cached here long ago.
 */
static inline bool mvmm_tlb_needs_flush(u64 vm_gen, u64 seen_gen)
{
	return vm_gen != seen_gen;
}

/**
 * mvmm_level_beside() - at which level may a leaf take the place of an entry?
 * @pgt: the table
 * @pte: the entry, which pgt_find() has found
 * @at: its level
 * @level: at which the leaf could be
 *
 * Pure. Where 2 MiB of a leaf of 1 GiB were split to be executed, and zapped, they
 * come back alone: for 1 GiB all the rest would have to be zapped, too.
 */
static inline int mvmm_level_beside(const struct pgt *pgt, u64 pte, int at,
				    int level)
{
	return pgt->fmt->exec && !pgt_pte_present(pgt, pte) && at == 2 ?
	       min(level, 2) : level;
}

#ifdef CONFIG_MVMM_DIRTY
int mvmm_get_dirty_log(struct mvmm_vm *vm, const struct mvmm_dirty_log *log);
#endif

#ifdef CONFIG_MVMM_DIRTY_RING
void mvmm_dirty_ring_push(struct mvmm_vcpu *vcpu,
			  const struct mvmm_mem_region *r, u64 gpa);
int mvmm_reset_dirty_rings(struct mvmm_vm *vm,
			   const struct mvmm_reset_dirty_rings *how);
int mvmm_enable_dirty_ring(struct mvmm_vm *vm,
			   const struct mvmm_dirty_ring *how);
int mvmm_dirty_ring_alloc(struct mvmm_vcpu *vcpu);
void mvmm_dirty_ring_free(struct mvmm_vcpu *vcpu);
struct page *mvmm_dirty_ring_page(struct mvmm_vcpu *vcpu, unsigned long pgoff);

/* Is the region logged, and the VM one with rings? Context: mmu_lock held */
static inline bool mvmm_goes_to_ring(const struct mvmm_vm *vm,
				     const struct mvmm_mem_region *r)
{
	return r->flags & MVMM_REGION_LOG_DIRTY && vm->ring_entries;
}

/* Has userspace to make room first? Context: any */
static inline bool mvmm_dirty_ring_full(const struct mvmm_vcpu *vcpu)
{
	const struct mvmm_ring *ring = &vcpu->ring;

	return ring->nr && READ_ONCE(ring->next) - READ_ONCE(ring->reset) >=
			   ring->nr - MVMM_RING_SPARE;
}
#else
static inline void mvmm_dirty_ring_push(struct mvmm_vcpu *vcpu,
					const struct mvmm_mem_region *r,
					u64 gpa) {}

static inline int mvmm_dirty_ring_alloc(struct mvmm_vcpu *vcpu)
{
	return 0;
}

static inline void mvmm_dirty_ring_free(struct mvmm_vcpu *vcpu) {}

static inline struct page *mvmm_dirty_ring_page(struct mvmm_vcpu *vcpu,
						unsigned long pgoff)
{
	return NULL;
}

static inline bool mvmm_goes_to_ring(const struct mvmm_vm *vm,
				     const struct mvmm_mem_region *r)
{
	return false;
}

static inline bool mvmm_dirty_ring_full(const struct mvmm_vcpu *vcpu)
{
	return false;
}
#endif

#ifdef CONFIG_MVMM_PML
void mvmm_drain_pml(struct mvmm_vm *vm);
enum mvmm_step mvmm_pml_full(struct mvmm_vcpu *vcpu);
#else
static inline void mvmm_drain_pml(struct mvmm_vm *vm) {}
#endif

#ifdef CONFIG_MVMM_APICV
bool mvmm_may_have_apic_page(const struct mvmm_vm *vm, u64 gpa);
bool mvmm_map_apic_page(struct mvmm_vcpu *vcpu);
void mvmm_unmap_apic_page(struct mvmm_vm *vm);
#else
static inline bool mvmm_may_have_apic_page(const struct mvmm_vm *vm, u64 gpa)
{
	return false;
}

static inline bool mvmm_map_apic_page(struct mvmm_vcpu *vcpu)
{
	return false;
}

static inline void mvmm_unmap_apic_page(struct mvmm_vm *vm) {}
#endif

#endif
