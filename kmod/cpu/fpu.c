// SPDX-License-Identifier: GPL-2.0
/*
 * XSAVE areas for the extended state of guests: their size, and which contents
 * may be loaded. fpu.h loads and saves them; the kernel's own helpers for
 * guests are not exported to every module. kernel_fpu_begin() saves the host's
 * state, and from then on the guest's registers are in the CPU. XSAVE and
 * XRSTOR run under the host's XCR0, so that the guest's XCR0 does not limit
 * what is saved. On a host that does not use XSAVE, guests have x87 and SSE
 * only, saved by FXSAVE in the first 512 bytes of the same area.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include "compat.h"
#include "fpu.h"

/* CET and AMX are not offered: see Documentation/errata.rst */
#define OFFERED								\
	(XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM |	\
	 XFEATURE_MASK_OPMASK | XFEATURE_MASK_ZMM_Hi256 |		\
	 XFEATURE_MASK_Hi16_ZMM | XFEATURE_MASK_PKRU)

/* XCR0 of the host, the same on every CPU; 0: the host does not use XSAVE */
u64 mvmm_host_xcr0 __ro_after_init;
/* What a guest may set in XCR0; 0: no XSAVE */
u32 mvmm_fpu_mask __ro_after_init;
static u32 area_size, pkru_offset;
static u32 mxcsr_mask;

/**
 * mvmm_fpu_setup() - learn what the host's FPU has
 *
 * Return: 0 or -ENOMEM.
 */
int mvmm_fpu_setup(void)
{
	struct fxregs_state *fx;
	u32 eax, ebx, ecx, edx;
	int i;

	area_size = sizeof(struct fxregs_state) + sizeof(struct xstate_header);
	if (boot_cpu_has(X86_FEATURE_XSAVE)) {
		mvmm_host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		mvmm_fpu_mask = mvmm_host_xcr0 & OFFERED;
		/*
		 * Of each component size and offset. Those that are not offered,
		 * AMX with its eight KiB say, are not in the area
		 */
		for (i = 2; i < 32; i++) {
			if (!(mvmm_fpu_mask & BIT(i)))
				continue;
			cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
			area_size = max(area_size, eax + ebx);
			if (i == XFEATURE_PKRU)
				pkru_offset = ebx;
		}
	}
	fx = mvmm_fpu_alloc();
	if (!fx)
		return -ENOMEM;
	kernel_fpu_begin();
	mvmm_fpu_save(fx);
	kernel_fpu_end();
	/* SDM vol. 1, 11.6.6: zero stands for 0xffbf */
	mxcsr_mask = fx->mxcsr_mask ?: 0xffbf;
	mvmm_fpu_free(fx);
	return 0;
}

/** mvmm_fpu_size() - bytes of an area */
u32 mvmm_fpu_size(void)
{
	return area_size;
}

/** mvmm_fpu_pkru() - the guest's PKRU in an area; 0: it has none, or has never set it */
u32 mvmm_fpu_pkru(const void *area)
{
	const struct xregs_state *x = area;

	return pkru_offset && x->header.xfeatures & XFEATURE_MASK_PKRU ?
	       *(const u32 *)(area + pkru_offset) : 0;
}

/** mvmm_fpu_reset() - an area after RESET; x87 is as after FNINIT, too */
void mvmm_fpu_reset(void *area)
{
	struct fxregs_state *fx = memset(area, 0, area_size);

	fx->cwd = 0x37f;
	fx->mxcsr = MXCSR_DEFAULT;
}

/**
 * mvmm_fpu_alloc() - an area in the state after RESET
 *
 * Context: may sleep. Return: the area, or NULL.
 */
void *mvmm_fpu_alloc(void)
{
	/* Whole pages: XSAVE needs an alignment of 64 bytes */
	void *area = alloc_pages_exact(area_size, GFP_KERNEL_ACCOUNT);

	if (area)
		mvmm_fpu_reset(area);
	return area;
}

/** mvmm_fpu_free() - undo mvmm_fpu_alloc(); @area may be NULL */
void mvmm_fpu_free(void *area)
{
	if (area)
		free_pages_exact(area, area_size);
}

/**
 * mvmm_fpu_check() - can this area be loaded without a fault?
 * @area: a copy of a whole area from userspace
 *
 * SDM vol. 1, 13.8.1. Return: 0 or -EINVAL.
 */
int mvmm_fpu_check(const void *area)
{
	const struct xregs_state *x = area;

	if (x->header.xfeatures & ~(u64)mvmm_fpu_mask || x->header.xcomp_bv ||
	    memchr_inv(x->header.reserved, 0, sizeof(x->header.reserved)))
		return -EINVAL;
	return x->i387.mxcsr & ~mxcsr_mask ? -EINVAL : 0;
}
