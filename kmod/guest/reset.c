// SPDX-License-Identifier: GPL-2.0
/* What RESET, INIT and SIPI do to a vCPU's state, not when they do it. */
#include <asm/msr-index.h>
#include "cpu/fpu.h"
#include "guest.h"
#include "irq/apic.h"
#include "vendor.h"

#define RESET_PAT	0x0007040600070406ULL

/* What INIT does not change. Each MSR that is state, but for APIC_BASE */
static void power_up(struct mvmm_vcpu *vcpu)
{
	u32 list[MVMM_MAX_STATE_MSRS], n = mvmm_list_msrs(vcpu, list), i;
	u64 value;

	vcpu->cr0 = X86_CR0_CD | X86_CR0_NW;
	vcpu->xcr0 = 1;
	mvmm_fpu_reset(vcpu->fpu);
	mvmm_vcpu_load(vcpu);
	for (i = 0; i < n; i++) {
		value = 0;
		if (list[i] == MSR_IA32_CR_PAT)
			value = RESET_PAT;
		else if (list[i] == MSR_IA32_MISC_ENABLE)
			value = MSR_IA32_MISC_ENABLE_FAST_STRING;
		else if (list[i] == MSR_IA32_ARCH_CAPABILITIES)
			value = mvmm_arch_capabilities;
		mvmm_set_msr(vcpu, list[i], value);
	}
	mvmm_vcpu_put(vcpu);
	mvmm_reset_mtrrs(vcpu);
	vcpu->pv.stopped = false;
	atomic_andnot(MVMM_REQ_EOI, &vcpu->requests);
}

/* tour 25: RESET and INIT, and the end of making a vCPU */

/**
 * mvmm_vcpu_reset() - the state after RESET or INIT (SDM vol. 3, table 10-1)
 * @vcpu: busy for the caller
 * @init: INIT
 *
 * Context: may sleep, outside of a section.
 */
void mvmm_vcpu_reset(struct mvmm_vcpu *vcpu, bool init)
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

	if (!init)
		power_up(vcpu);
	if (vcpu->has_apic) {
		lapic_reset(&vcpu->apic, vcpu->id, init);
		vcpu->mp_state = vcpu->id ? MVMM_MP_INIT : MVMM_MP_RUNNABLE;
	}
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
	else
		mvmm_apic_set_cr8(vcpu, 0);
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
