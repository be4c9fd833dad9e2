/* SPDX-License-Identifier: GPL-2.0 */
/* What the host gets back after a guest ran, and what a guest must not find. */
#ifndef MVMM_CPU_HOST_H
#define MVMM_CPU_HOST_H

#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include "compat.h"
#include "tsc.h"
#include "vcpu.h"

DECLARE_PER_CPU(u64, mvmm_host_tsc_aux);

/*
 * From @now to @then. If TSC_AUX does not exist, neither guest nor host has it.
 * A value that does not change is not written: WRMSR is slow on real CPUs.
 */
static __always_inline void mvmm_swap_tsc_aux(u64 now, u64 then)
{
	if (cpu_feature_enabled(X86_FEATURE_RDTSCP) && now != then)
		wrmsrq(MSR_TSC_AUX, then);
}

void mvmm_load_debug_registers(struct mvmm_vcpu *vcpu);
void mvmm_restore_debug_registers(void);
void mvmm_host_cpu_on(void);
void mvmm_isolate_vm_now(u64 serial);
DECLARE_PER_CPU(u64, mvmm_last_vm);
void mvmm_host_interrupts(void);
void mvmm_host_machine_check(void);

/**
 * mvmm_isolate_vm() - hide one VM's branch predictions from the next VM
 * @vcpu: about to be entered
 *
 * Called at the start of a section, and again after interrupts were on.
 * Context: interrupts off.
 */
static inline void mvmm_isolate_vm(struct mvmm_vcpu *vcpu)
{
	u64 serial = vcpu->vm->serial;

	if (unlikely(__this_cpu_read(mvmm_last_vm) != serial))
		mvmm_isolate_vm_now(serial);
}

#endif
