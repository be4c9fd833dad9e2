/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Load and save the extended (XSAVE) state of a guest. Inline, because every
 * RUN does it. What an area is, and how it is checked, is in fpu.c.
 */
#ifndef MVMM_FPU_H
#define MVMM_FPU_H

#include <linux/types.h>
#include <asm/asm.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/pkru.h>
#include "vcpu.h"

int mvmm_fpu_setup(void);
extern u64 mvmm_host_xcr0;
u32 mvmm_fpu_size(void);
u32 mvmm_fpu_pkru(const void *area);
void mvmm_fpu_reset(void *area);
void *mvmm_fpu_alloc(void);
void mvmm_fpu_free(void *area);
int mvmm_fpu_check(const void *area);

/* The bits of XCR0 that guests are offered, all below bit 32; 0: no XSAVE */
extern u32 mvmm_fpu_mask;

/* The CPU's extended state to @area */
static __always_inline void mvmm_fpu_save(void *area)
{
	if (likely(mvmm_fpu_mask))
		asm volatile("xsave64 (%0)" : : "r" (area),
			     "a" (mvmm_fpu_mask), "d" (0) : "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r" (area) : "memory");
}

/* And back. Returns false if the CPU refuses the area */
static __always_inline bool mvmm_fpu_restore(const void *area)
{
	if (likely(mvmm_fpu_mask))
		asm goto("1: xrstor64 (%0)\n" _ASM_EXTABLE(1b, %l[refused])
			 : : "r" (area), "a" (mvmm_fpu_mask), "d" (0)
			 : "memory" : refused);
	else
		asm goto("1: fxrstor64 (%0)\n" _ASM_EXTABLE(1b, %l[refused])
			 : : "r" (area) : "memory" : refused);
	return true;
refused:
	return false;
}

/* In a section XCR0 is the guest's */
static __always_inline void mvmm_swap_xcr0(u64 from, u64 to)
{
	/* Without XSAVE there is none */
	if (cpu_feature_enabled(X86_FEATURE_XSAVE) && from != to)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, to);
}

/**
 * mvmm_fpu_load() - save the host's state, load the guest's
 * @vcpu: the vCPU
 *
 * Until mvmm_fpu_put() nothing of the kernel may use the FPU, interrupts
 * included (irq_fpu_usable()): so XCR0 need not be swapped at each exit. Nor need
 * PKRU: the module's accesses to the owner's memory in a section may fail anyway.
 *
 * Context: preemption off, until mvmm_fpu_put().
 */
static __always_inline void mvmm_fpu_load(struct mvmm_vcpu *vcpu)
{
	lockdep_assert_preemption_disabled();
	kernel_fpu_begin_mask(0);
	if (cpu_feature_enabled(X86_FEATURE_OSPKE))
		vcpu->host_pkru = read_pkru();
	/* FXRSTOR and XRSTOR may leave FIP, FDP, FOP of who ran before */
	if (static_cpu_has_bug(X86_BUG_FXSAVE_LEAK))
		asm volatile("fnclex\n emms\n fildl (%0)" : :
			     "r" (vcpu->fpu));
	/* What userspace has set was checked: a fault here is our bug */
	WARN_ON_ONCE(!mvmm_fpu_restore(vcpu->fpu));
	mvmm_swap_xcr0(mvmm_host_xcr0, vcpu->xcr0);
}

/** mvmm_fpu_put() - save the guest's state; the host may use the FPU again */
static __always_inline void mvmm_fpu_put(struct mvmm_vcpu *vcpu)
{
	mvmm_swap_xcr0(vcpu->xcr0, mvmm_host_xcr0);
	mvmm_fpu_save(vcpu->fpu);
	/* The kernel leaves this one to who changes it */
	write_pkru(vcpu->host_pkru);
	kernel_fpu_end();
}

#endif
