/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SVM instructions as functions, and access to the VMCB, whose layout is in
 * <asm/svm.h>. The CPU may cache fields of the VMCB, and a clear clean bit says
 * that a group has changed: whoever writes such a field calls svm_dirty() (APM
 * vol. 2, 15.15). Also the parts of the hot path that several files need.
 */
#ifndef MVMM_SVM_INSN_H
#define MVMM_SVM_INSN_H

#include <linux/bitops.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/page_types.h>
#include <asm/svm.h>
#include <asm/trapnr.h>
#include "compat.h"
#include "cpu/host.h"
#include "run/run.h"
#include "svm.h"

#define INTERCEPT_DB (INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_DB)

/* Groups of VMCB fields by their clean bit (APM vol. 2, table 15-9) */
enum svm_clean {
	SVM_CLEAN_INTERCEPTS = BIT(0),
	SVM_CLEAN_ASID = BIT(2),
	SVM_CLEAN_INTR = BIT(3),
	SVM_CLEAN_NPT = BIT(4),
	SVM_CLEAN_CR = BIT(5),
	SVM_CLEAN_DR = BIT(6),
	SVM_CLEAN_DT = BIT(7),
	SVM_CLEAN_SEG = BIT(8),
	SVM_CLEAN_CR2 = BIT(9),
	/* every group that is defined today */
	SVM_CLEAN_ALL = 0xfff,
};

/*
 * Has VMRUN refused the guest's state? The code is one of 64 bits, of which old
 * kernels know the lower ones.
 */
static inline bool svm_refused(const struct vmcb_control_area *control)
{
	return (u32)control->exit_code == (u32)SVM_EXIT_ERR;
}

/* Fields of a group were written: the next entry loads them from memory */
static inline void svm_dirty(struct svm_vcpu *svm, enum svm_clean group)
{
	svm->vmcb->control.clean &= ~group;
}

static inline void svm_intercept(struct svm_vcpu *svm, unsigned int bit,
				 bool on)
{
	u32 *word = &svm->vmcb->control.intercepts[bit / 32];
	u32 value = on ? *word | BIT(bit % 32) : *word & ~BIT(bit % 32);

	if (value != *word) {
		*word = value;
		svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
	}
}

/*
 * A virtual interrupt that is due as soon as RFLAGS.IF and the shadow allow it
 */
#define SVM_VIRQ_NOW (V_IRQ_MASK | V_INTR_PRIO_MASK | V_IGN_TPR_MASK)

/* Save FS, GS, TR, LDTR and the MSRs of SYSCALL and SYSENTER */
static inline void svm_vmsave(u64 pa)
{
	asm volatile("1: vmsave %0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : : "a" (pa) : "memory");
}

/**
 * svm_mitigate() - hide what the guest must not find in predictors
 * @svm: about to be entered
 *
 * Called at the start of a section, and again after interrupts were on. An
 * interrupt may have changed host state that an exit loads, for example the
 * LDT: it is saved here.
 *
 * Context: interrupts off until the entry.
 */
static inline void svm_mitigate(struct svm_vcpu *svm)
{
	lockdep_assert_irqs_disabled();
	svm_vmsave(svm_host_area());
	mvmm_isolate_vm(&svm->vcpu);
}

/**
 * svm_advance_rip() - step over an instruction; no other function does
 * @svm: a vCPU whose rip is in the VMCB
 * @len: the instruction's length
 *
 * Ends the shadow, and clears RF.
 *
 * Return: true if RFLAGS.TF asks for a single-step trap, which the caller
 * raises.
 */
static inline bool svm_advance_rip(struct svm_vcpu *svm, unsigned int len)
{
	struct vmcb_save_area *save = &svm->vmcb->save;
	u64 rip = save->rip + len;

	/* Outside of 64-bit code rip wraps at 4 GiB */
	if (unlikely((rip ^ save->rip) >> 32) &&
	    (!(svm->vcpu.efer & EFER_LMA) ||
	     !(save->cs.attrib & SVM_SELECTOR_L_MASK)))
		rip = (u32)rip;
	save->rip = rip;
	save->rflags &= ~X86_EFLAGS_RF;
	svm->vmcb->control.int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
	if (likely(!(save->rflags & X86_EFLAGS_TF)))
		return false;
	/* If one stayed pending, the trap would come twice */
	svm->pending_dbg = 0;
	return true;
}

/** svm_step_over() - the guest has executed the @len bytes at rip */
static inline void svm_step_over(struct svm_vcpu *svm, unsigned int len)
{
	if (unlikely(svm_advance_rip(svm, len))) {
		svm->vmcb->save.dr6 |= DR_STEP;
		svm_dirty(svm, SVM_CLEAN_DR);
		mvmm_raise(&svm->vcpu, X86_TRAP_DB, 0);
	}
}

/* The guest changes these bits without an exit: selective CR0 intercept */
#define SVM_CR0_GUEST_OWNED SVM_CR0_SELECTIVE_MASK

/** svm_refresh_cr0() - fetch the bits of CR0 that the guest owns */
static inline void svm_refresh_cr0(struct svm_vcpu *svm)
{
	svm->vcpu.cr0 = (svm->vcpu.cr0 & ~SVM_CR0_GUEST_OWNED) |
			(svm->vmcb->save.cr0 & SVM_CR0_GUEST_OWNED);
}

/** svm_tpr_to_vmcb() - write vcpu->cr8 to the VMCB */
static inline void svm_tpr_to_vmcb(struct svm_vcpu *svm)
{
	u32 *int_ctl = &svm->vmcb->control.int_ctl;
	u32 value = (*int_ctl & ~V_TPR_MASK) | svm->vcpu.cr8;

	if (value == *int_ctl)
		return;
	*int_ctl = value;
	svm_dirty(svm, SVM_CLEAN_INTR);
}

/** svm_tpr_from_vmcb() - fetch CR8, which the guest writes without an exit */
static inline void svm_tpr_from_vmcb(struct svm_vcpu *svm)
{
	u64 cr8 = svm->vmcb->control.int_ctl & V_TPR_MASK;

	if (unlikely(cr8 != svm->vcpu.cr8))
		mvmm_apic_set_cr8(&svm->vcpu, cr8);
}

#endif
