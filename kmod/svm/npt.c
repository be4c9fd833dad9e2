// SPDX-License-Identifier: GPL-2.0
/*
 * NPT: the format of entries, ASIDs, flushes. APM vol. 2, 15.16 and 15.25.
 * Entries have the format of the host's own page tables; a guest's accesses
 * count as user accesses.
 */
#include <linux/bits.h>
#include <linux/percpu.h>
#include <linux/pgtable.h>
#include <asm/cpufeature.h>
#include "cpu/tsc.h"
#include "insn.h"
#include "mm/memory.h"

#define NPT_PRESENT	BIT_ULL(0)
#define NPT_WRITE	BIT_ULL(1)
#define NPT_USER	BIT_ULL(2)
#define NPT_ACCESSED	BIT_ULL(5)
#define NPT_DIRTY	BIT_ULL(6)
#define NPT_LARGE	BIT_ULL(7)

DEFINE_PER_CPU(struct svm_asids, svm_cpu_asids);

/** svm_npt_format() - describe NPT to the walker */
void svm_npt_format(struct pgt_format *fmt)
{
	*fmt = (struct pgt_format){
		/* The walk is in the host's own paging mode (15.25.3) */
		.levels = pgtable_l5_enabled() ? 5 : 4,
		.table = NPT_PRESENT | NPT_WRITE | NPT_USER,
		.leaf = NPT_PRESENT | NPT_USER,
		.present = NPT_PRESENT,
		.write = NPT_WRITE,
		.large = NPT_LARGE,
		.accessed = NPT_ACCESSED,
		.dirty = NPT_DIRTY,
		.max_leaf = boot_cpu_has(X86_FEATURE_GBPAGES) ? 3 : 2,
	};
}

/**
 * svm_plan_flush() - choose the ASID to enter with, and what to flush
 * @asids: the CPU's ASIDs; one is taken if needed
 * @max: the highest ASID
 * @by_asid: the CPU can flush one ASID alone
 * @tag: the vCPU's ASID and its generation; updated
 * @moved: the vCPU ran on another CPU since
 * @stale: translations with its ASID must not be used any more
 *
 * Pure. To take an ASID that was not used in this generation is as good as a
 * flush. When all are used, a new generation begins with a flush of all, and
 * starts with the first ASID again; an ASID of an older generation is not valid
 * any more.
 *
 * Return: TLB_CONTROL_*.
 */
u8 svm_plan_flush(struct svm_asids *asids, u32 max, bool by_asid,
		  struct svm_tag *tag, bool moved, bool stale)
{
	bool ours = !moved && tag->generation == asids->generation;
	u8 control = TLB_CONTROL_DO_NOTHING;

	if (ours && !stale)
		return TLB_CONTROL_DO_NOTHING;
	if (ours && by_asid)
		return TLB_CONTROL_FLUSH_ASID;
	if (asids->next > max) {
		asids->generation++;
		asids->next = 1;
		control = TLB_CONTROL_FLUSH_ALL_ASID;
	}
	tag->generation = asids->generation;
	tag->asid = asids->next++;
	return control;
}

/**
 * svm_undo_flush() - the CPU has refused an entry with svm_plan_flush()'s result
 * @asids: the CPU's ASIDs
 * @control: what svm_plan_flush() returned
 * @tag: the vCPU's ASID; it has none any more
 *
 * Pure. VMRUN executes TLB_CONTROL after it has checked the guest's state, so a
 * refused one may have flushed or not (APM vol. 2, 15.5.1): neither is relied
 * on. If all was to be flushed, no ASID of this CPU is clean.
 */
void svm_undo_flush(struct svm_asids *asids, u8 control, struct svm_tag *tag)
{
	tag->generation = 0;
	if (control == TLB_CONTROL_FLUSH_ALL_ASID)
		svm_forget_asids(asids);
}

/**
 * svm_forget_asids() - SVM was turned on: the TLB may have anything in it
 * @asids: the CPU's ASIDs
 *
 * Pure. All ASIDs count as used, so the next entry flushes all and begins a new
 * generation.
 */
void svm_forget_asids(struct svm_asids *asids)
{
	asids->generation++;
	asids->next = U32_MAX;
}

/** svm_asids_reset() - the same for this CPU. Context: interrupts off */
void svm_asids_reset(void)
{
	lockdep_assert_irqs_disabled();
	svm_forget_asids(this_cpu_ptr(&svm_cpu_asids));
}

/**
 * svm_flush_now() - drop what may be stale in this CPU's TLB
 * @svm: a vCPU for which svm_flush() has found something
 * @gen: the VM's generation
 *
 * An ASID tags the guest's own and the nested translations, which are flushed
 * together. Context: interrupts off.
 */
void svm_flush_now(struct svm_vcpu *svm, u64 gen)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	struct mvmm_vcpu *vcpu = &svm->vcpu;
	bool memory = mvmm_tlb_needs_flush(gen, vcpu->tlb_gen_seen);

	lockdep_assert_irqs_disabled();

	control->tlb_ctl = svm_plan_flush(this_cpu_ptr(&svm_cpu_asids),
					  svm_caps.max_asid,
					  svm_caps.flush_by_asid, &svm->tag,
					  svm->moved,
					  memory || svm->flush_vcpu);
	if (control->asid != svm->tag.asid) {
		control->asid = svm->tag.asid;
		svm_dirty(svm, SVM_CLEAN_ASID);
	}
	/* Also after a suspend: SVM was off, and no ASID is good any more */
	if (control->tsc_offset != mvmm_hw_tsc_offset(vcpu))
		svm_sync_tsc(vcpu);
	vcpu->tlb_gen_seen = gen;
	svm->moved = false;
	svm->flush_vcpu = false;
	if (memory)
		vcpu->stats.flush_memory++;
	else
		vcpu->stats.flush_vcpu++;
}
