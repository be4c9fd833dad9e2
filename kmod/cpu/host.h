/* SPDX-License-Identifier: GPL-2.0 */
/* What the host gets back of this CPU, and what a guest must not find in it. */
#ifndef MVMM_CPU_HOST_H
#define MVMM_CPU_HOST_H

#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include "mvmm.h"

DECLARE_PER_CPU(u64, mvmm_host_tsc_aux);

/*
 * TSC_AUX may not exist, and then neither the guest nor the host has it. What
 * does not change is not written: WRMSR is dear on silicon.
 */
static __always_inline void mvmm_swap_tsc_aux(u64 now, u64 then)
{
	if (cpu_feature_enabled(X86_FEATURE_RDTSCP) && now != then)
		wrmsrl(MSR_TSC_AUX, then);
}

#endif
