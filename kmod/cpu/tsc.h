/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's TSC, and what guests read as theirs: at another rate, if the VM has one,
 * and with an offset. What sets these is guest/clock.c and guest/msr.c.
 */
#ifndef MVMM_CPU_TSC_H
#define MVMM_CPU_TSC_H

#include <linux/math64.h>
#include <asm/tsc.h>
#include "vcpu.h"

/*
 * What the host's TSC has lost by suspends: it may have gone on or begun anew.
 * Changed on the last CPU, while all tasks are frozen
 */
extern u64 mvmm_tsc_lost;

/* The host's TSC, as if it had stood in each suspend */
static __always_inline u64 mvmm_tsc(void)
{
	return rdtsc() + mvmm_tsc_lost;
}

/* The same, which stands while the VM's time does, too */
static inline u64 mvmm_host_tsc(const struct mvmm_vm *vm)
{
	return unlikely(vm->stopped_at) ? vm->stopped_at : mvmm_tsc();
}

#define MVMM_TSC_SCALE_BITS	48

/* From the host's TSC to a TSC at the VM's rate */
static inline u64 mvmm_scale_tsc(const struct mvmm_vm *vm, u64 host_tsc)
{
	return unlikely(vm->tsc_scale) ?
	       mul_u64_u64_shr(host_tsc, vm->tsc_scale, MVMM_TSC_SCALE_BITS) :
	       host_tsc;
}

/* The TSC of a vCPU that has not written to its own */
static inline u64 mvmm_vm_tsc(const struct mvmm_vm *vm, u64 host_tsc)
{
	return mvmm_scale_tsc(vm, host_tsc) - vm->tsc_base;
}

/* What the CPU has to add to its TSC, which it may have scaled, for the guest */
static inline u64 mvmm_hw_tsc_offset(const struct mvmm_vcpu *vcpu)
{
	/* Where the TSC went on it is negative */
	bool on = (s64)mvmm_tsc_lost < 0;
	u64 lost = mvmm_scale_tsc(vcpu->vm, on ? -mvmm_tsc_lost : mvmm_tsc_lost);

	return vcpu->tsc_offset + (on ? -lost : lost);
}

/* The guest's TSC as it would read it now */
static inline u64 mvmm_guest_tsc(const struct mvmm_vcpu *vcpu)
{
	return mvmm_scale_tsc(vcpu->vm, mvmm_host_tsc(vcpu->vm)) +
	       vcpu->tsc_offset;
}

/* From ticks of the host's TSC */
static inline u64 mvmm_ticks_to_ns(u64 ticks)
{
	return mul_u64_u32_div(ticks, USEC_PER_SEC, tsc_khz);
}

/* And from those of a guest's */
static inline u64 mvmm_guest_ticks_to_ns(const struct mvmm_vm *vm, u64 ticks)
{
	return mul_u64_u32_div(ticks, USEC_PER_SEC, vm->tsc_khz);
}

#endif
