/* SPDX-License-Identifier: GPL-2.0 */
/* The paravirtual interface, KVM's: see pv.c and eoi.c. */
#ifndef MVMM_PV_PV_H
#define MVMM_PV_PV_H

#include <linux/time64.h>
#include <uapi/linux/kvm_para.h>
#include "vcpu.h"

/* KVM's range; what is not there raises #GP */
static inline bool mvmm_is_pv_msr(u32 index)
{
	return index >> 8 == 0x4b564d;
}

/**
 * mvmm_pv_clock_rate() - a TSC's rate as pvclock wants it
 * @khz: the TSC's, not 0
 * @mul: out: ns = ((ticks << shift) * mul) >> 32
 * @shift: out, may be negative
 */
static inline void mvmm_pv_clock_rate(u32 khz, u32 *mul, s8 *shift)
{
	u64 hz = khz * 1000ull;

	*shift = 0;
	for (; hz > 2 * NSEC_PER_SEC; hz >>= 1)
		--*shift;
	for (; hz <= NSEC_PER_SEC; hz <<= 1)
		++*shift;
	*mul = ((u64)NSEC_PER_SEC << 32) / hz;
}

/** mvmm_pv_eoi_usable() - may the guest be offered to do without EOI? */
static inline bool mvmm_pv_eoi_usable(const struct mvmm_vcpu *vcpu)
{
	/* Where the CPU does EOI there is no exit to be saved */
	return vcpu->pv.eoi & KVM_MSR_ENABLED && !vcpu->vapic_irqs;
}

void mvmm_pv_eoi_look(struct mvmm_vcpu *vcpu);
void mvmm_pv_eoi_offer(struct mvmm_vcpu *vcpu);
void mvmm_pv_eoi_finish(struct mvmm_vcpu *vcpu);
void mvmm_pv_steal(struct mvmm_vcpu *vcpu);
void mvmm_pv_update(struct mvmm_vcpu *vcpu);
int mvmm_pv_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value);
int mvmm_pv_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
void mvmm_do_hypercall(struct mvmm_vcpu *vcpu);
void mvmm_pv_tsc_changed(struct mvmm_vcpu *vcpu);

#endif
