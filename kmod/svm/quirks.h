/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The mends: what an emulator does not do as the APM says is put right after an
 * exit. Inline, because out of line they cost every exit 23 instructions.
 * Documentation/errata.rst lists the faults, and says when a mend can go.
 */
#ifndef MVMM_SVM_QUIRKS_H
#define MVMM_SVM_QUIRKS_H

#include <asm/fpu/xcr.h>
#include "cpu/fpu.h"
#include "guest/guest.h"
#include "insn.h"

/*
 * QEMU's plain emulation (TCG) does not intercept XSETBV: the guest's XCR0 is
 * adopted if the policy allows it. It does not load the shadow: if the
 * instruction in the shadow exited, or the host was interrupted before it, the
 * shadow is set again; not if V_IRQ was due, which would wait for ever. It may
 * inject an interrupt twice: inject() makes it a virtual one, which is put back
 * here if it was not taken.
 */
static inline void svm_mend_tcg(struct svm_vcpu *svm, u64 rip, u32 int_state,
				u32 event_inj)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	struct mvmm_vcpu *vcpu = &svm->vcpu;
	u64 xcr0;

	if (vcpu->cr4 & X86_CR4_OSXSAVE) {
		xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		if (mvmm_xcr0_valid(&vcpu->caps, xcr0))
			vcpu->xcr0 = xcr0;
		else
			mvmm_swap_xcr0(xcr0, vcpu->xcr0);
	}
	if (int_state & SVM_INTERRUPT_SHADOW_MASK &&
	    rip == svm->vmcb->save.rip &&
	    control->exit_code >= SVM_EXIT_INTR &&
	    control->exit_code != SVM_EXIT_VINTR)
		control->int_state |= SVM_INTERRUPT_SHADOW_MASK;
	/* An interrupt that inject() has made virtual: V_IRQ set: not taken */
	if (event_inj && !(event_inj & SVM_EVTINJ_VALID)) {
		if (control->int_ctl & V_IRQ_MASK && !svm_refused(control))
			control->exit_int_info = event_inj | SVM_EVTINJ_VALID;
		control->int_ctl &= ~SVM_VIRQ_NOW;
	}
}

/*
 * From QEMU 9 or 10 on each access of a guest's to a control register exits as one of
 * CR0, and by the intercepts of that. So there are none: nothing of CR0 and CR4 is hidden
 * from the CPU, which ignores CD and NW. Writes that matter exit by the selective one.
 */
static inline void svm_mend_tcg_crs(struct svm_vcpu *svm)
{
	svm->vmcb->save.cr0 = svm->vcpu.cr0;
	svm->vmcb->save.cr4 = svm->vcpu.cr4;
	svm_intercept(svm, INTERCEPT_CR0_READ, false);
	svm_intercept(svm, INTERCEPT_CR0_WRITE, false);
	svm_intercept(svm, INTERCEPT_CR4_READ, false);
}

/*
 * Bochs does not set EXITINTINFO for INT n, so it still has the event before.
 * An interrupt or NMI in it that this entry has not injected is stale.
 */
static inline void svm_mend_bochs(struct svm_vcpu *svm, u32 event_inj)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	u32 type = control->exit_int_info & SVM_EXITINTINFO_TYPE_MASK;

	if ((type == SVM_EXITINTINFO_TYPE_INTR ||
	     type == SVM_EXITINTINFO_TYPE_NMI) &&
	    !(event_inj & SVM_EVTINJ_VALID))
		control->exit_int_info = 0;
}

#endif
