// SPDX-License-Identifier: GPL-2.0
/* What INIT and SIPI do to a vCPU's state. When they do it is run/wait.c's. */
#include "guest.h"
#include "irq/apic.h"
#include "vendor.h"

/* tour 25: INIT, and the end of making a vCPU */

/**
 * mvmm_vcpu_reset() - the state after INIT (SDM vol. 3, table 10-1)
 * @vcpu: busy for the caller, or new
 *
 * INIT does not change the FPU, MSRs, XCR0, and CR0's cache control. For a new
 * vCPU the caller has set these as RESET does.
 *
 * Context: may sleep, outside of a section.
 */
void mvmm_vcpu_reset(struct mvmm_vcpu *vcpu)
{
	static const struct mvmm_segment data = {
		.limit = 0xffff, .attr = 0x93 };
	struct mvmm_sregs s = {
		.es = data, .ss = data, .ds = data, .fs = data, .gs = data,
		.cs = { .base = 0xffff0000, .limit = 0xffff,
			.selector = 0xf000, .attr = 0x9b },
		.ldt = { .limit = 0xffff, .attr = 0x82 },
		.tr = { .limit = 0xffff, .attr = 0x8b },
		.gdt.limit = 0xffff, .idt.limit = 0xffff,
	};
	static const struct mvmm_events none;

	mvmm_assert_may_sleep();

	if (vcpu->has_apic)
		lapic_reset(&vcpu->apic, vcpu->id, true);
	vcpu->events = (struct mvmm_events_state){};
	atomic_andnot(MVMM_REQ_TRIPLE, &vcpu->requests);
	vcpu->unhalted = false;
	vcpu->pv.eoi = 0;
	vcpu->pv.eoi_offered = 0;
	vcpu->retire = 0;
	vcpu->shadow = 0;
	vcpu->cr0 = (vcpu->cr0 & (X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET;
	vcpu->cr2 = 0;
	vcpu->cr4 = 0;
	vcpu->efer = 0;
	memset(vcpu->dr, 0, sizeof(vcpu->dr));
	vcpu->dr6 = mvmm_dr_fixed(6, 0);
	mvmm_vcpu_load(vcpu);
	mvmm_ops->sync_crs(vcpu);
	mvmm_ops->set_state(vcpu, &s);
	mvmm_ops->set_events(vcpu, &none);
	mvmm_ops->set_dr7(vcpu, mvmm_dr_fixed(7, 0));
	mvmm_vcpu_put(vcpu);
	vcpu->regs = (struct mvmm_regs){
		.rip = 0xfff0, .rflags = 2, .rdx = 0x600 };
	if (vcpu->has_apic)
		mvmm_apic_refresh(vcpu);
}

/**
 * mvmm_vcpu_start() - SIPI after INIT: start in real mode at page @vector
 * @vcpu: busy for the caller
 * @vector: from the message
 *
 * Context: may sleep, outside of a section.
 */
void mvmm_vcpu_start(struct mvmm_vcpu *vcpu, u8 vector)
{
	struct mvmm_sregs s;

	mvmm_assert_busy(vcpu);
	mvmm_assert_may_sleep();
	mvmm_vcpu_load(vcpu);
	mvmm_ops->get_state(vcpu, &s);
	s.cs.selector = vector << 8;
	s.cs.base = vector << 12;
	mvmm_ops->set_state(vcpu, &s);
	mvmm_vcpu_put(vcpu);
	vcpu->regs.rip = 0;
}
