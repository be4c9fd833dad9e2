/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What emulators' SVM does not do as the APM says, mended after an exit. Inline:
 * out of line it costs every exit 23 instructions. Each has its place in
 * Documentation/errata.rst, which also says when it can go.
 */
#ifndef MVMM_SVM_QUIRKS_H
#define MVMM_SVM_QUIRKS_H

#include <asm/fpu/xcr.h>
#include "guest/guest.h"
#include "insn.h"

/*
 * What QEMU's plain emulation (TCG) does not do: intercept XSETBV, so take what
 * the guest wrote if the policy allows it; load the shadow, so it is still there
 * if the instruction under it was intercepted; inject an interrupt just once.
 * See Documentation/errata.rst.
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
	}
	if (int_state & SVM_INTERRUPT_SHADOW_MASK &&
	    rip == svm->vmcb->save.rip && control->exit_code > SVM_EXIT_VINTR)
		control->int_state |= SVM_INTERRUPT_SHADOW_MASK;
	/* inject()'s interrupt: is it delivered? */
	if (event_inj && !(event_inj & SVM_EVTINJ_VALID)) {
		if (control->int_ctl & V_IRQ_MASK &&
		    control->exit_code != (u32)SVM_EXIT_ERR)
			control->exit_int_info = event_inj | SVM_EVTINJ_VALID;
		control->int_ctl &= ~SVM_VIRQ_NOW;
	}
}

/*
 * What Bochs does not do: set EXITINTINFO for INT n, so that it holds the event
 * before. Interrupts and NMIs are delivered only if injected by this entry. See
 * Documentation/errata.rst.
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
