// SPDX-License-Identifier: GPL-2.0
/*
 * Extended (XSAVE) state of a guest, swapped by hand: the kernel's own helpers
 * for guests are closed to modules. The host's state is put away by
 * kernel_fpu_begin(); in between, the guest's registers are in the CPU.
 * XSAVE and XRSTOR run under the host's XCR0, so the guest's own never limits
 * what is kept. A host that does without XSAVE gives its guests x87 and SSE
 * only, by FXSAVE, in the first 512 bytes of the same area.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include "mvmm.h"

/* PKRU, CET and AMX are not offered: see Documentation/errata.rst */
#define OFFERED								\
	(XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM |	\
	 XFEATURE_MASK_OPMASK | XFEATURE_MASK_ZMM_Hi256 |		\
	 XFEATURE_MASK_Hi16_ZMM)

/* XCR0 of the host, the same on every CPU; 0: none */
u64 mvmm_host_xcr0 __ro_after_init;
static u64 xcr0_mask;
static u32 area_size;
static u32 mxcsr_mask;

static void save(void *area)
{
	if (xcr0_mask)
		asm volatile("xsave64 (%0)" : : "r" (area),
			     "a" ((u32)xcr0_mask), "d" ((u32)(xcr0_mask >> 32))
			     : "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r" (area) : "memory");
}

/* Returns -EFAULT instead of faulting on an area that the CPU refuses */
static int restore(const void *area)
{
	int err = 0;

	if (xcr0_mask)
		asm volatile("1: xrstor64 (%[area])\n2:\n"
			     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG,
						   %[err])
			     : [err] "+r" (err)
			     : [area] "r" (area), "a" ((u32)xcr0_mask),
			       "d" ((u32)(xcr0_mask >> 32)) : "memory");
	else
		asm volatile("1: fxrstor64 (%[area])\n2:\n"
			     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG,
						   %[err])
			     : [err] "+r" (err)
			     : [area] "r" (area) : "memory");
	return err;
}

/**
 * mvmm_fpu_setup() - learn what the host's FPU has
 *
 * Return: 0 or -ENOMEM.
 */
int mvmm_fpu_setup(void)
{
	struct fxregs_state *fx;
	u32 eax, ebx, ecx, edx;

	area_size = sizeof(struct fxregs_state) + sizeof(struct xstate_header);
	if (boot_cpu_has(X86_FEATURE_XSAVE)) {
		mvmm_host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		xcr0_mask = mvmm_host_xcr0 & OFFERED;
		cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx);
		/* EBX: the size for all that the host has enabled */
		area_size = max(area_size, ebx);
	}
	fx = mvmm_fpu_alloc();
	if (!fx)
		return -ENOMEM;
	kernel_fpu_begin();
	save(fx);
	kernel_fpu_end();
	/* SDM vol. 1, 11.6.6: zero stands for 0xffbf */
	mxcsr_mask = fx->mxcsr_mask ?: 0xffbf;
	mvmm_fpu_free(fx);
	return 0;
}

/** mvmm_fpu_xcr0() - what a guest may set in XCR0; 0: no XSAVE */
u64 mvmm_fpu_xcr0(void)
{
	return xcr0_mask;
}

u32 mvmm_fpu_size(void)
{
	return area_size;
}

/** mvmm_fpu_alloc() - an area in the state after RESET; may sleep */
void *mvmm_fpu_alloc(void)
{
	/* whole pages: XSAVE wants 64-byte alignment */
	struct fxregs_state *fx = alloc_pages_exact(area_size,
					GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (fx) {
		fx->cwd = 0x37f;
		fx->mxcsr = MXCSR_DEFAULT;
	}
	return fx;
}

void mvmm_fpu_free(void *area)
{
	if (area)
		free_pages_exact(area, area_size);
}

/**
 * mvmm_fpu_check() - can this area be loaded?
 * @area: a whole area, from userspace
 *
 * Return: 0 or -EINVAL. SDM vol. 1, 13.8.1.
 */
int mvmm_fpu_check(const void *area)
{
	const struct xregs_state *x = area;

	if (x->header.xfeatures & ~xcr0_mask || x->header.xcomp_bv ||
	    memchr_inv(x->header.reserved, 0, sizeof(x->header.reserved)))
		return -EINVAL;
	return x->i387.mxcsr & ~mxcsr_mask ? -EINVAL : 0;
}

/**
 * mvmm_fpu_load() - put the host's state away, load the guest's
 * @vcpu: preemption is off until mvmm_fpu_put()
 */
void mvmm_fpu_load(struct mvmm_vcpu *vcpu)
{
	kernel_fpu_begin_mask(0);
	/* The area is ours or was checked: a fault here is a bug to be heard */
	WARN_ON_ONCE(restore(vcpu->fpu));
}

/** mvmm_fpu_put() - save the guest's state, let the host use the FPU */
void mvmm_fpu_put(struct mvmm_vcpu *vcpu)
{
	save(vcpu->fpu);
	kernel_fpu_end();
}
