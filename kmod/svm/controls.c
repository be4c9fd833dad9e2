// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest exits for: the control area of a new vCPU's VMCB, and the
 * permission maps of ports and MSRs.
 */
#include <linux/bits.h>
#include <linux/gfp.h>
#include <asm/trapnr.h>
#include "guest/guest.h"
#include "insn.h"

/* APM vol. 2, 15.10.1 and 15.11: a bit for each port, 2 bits for each MSR */
#define IOPM_SIZE	(3 * PAGE_SIZE)
#define MSRPM_SIZE	(2 * PAGE_SIZE)

static void *io_map;
static void *msr_map;

/**
 * svm_controls_setup() - make the permission maps that all vCPUs share
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int svm_controls_setup(void)
{
	const struct mvmm_msr_policy *p;
	unsigned int i;

	io_map = alloc_pages_exact(IOPM_SIZE, GFP_KERNEL);
	msr_map = alloc_pages_exact(MSRPM_SIZE, GFP_KERNEL);
	if (!io_map || !msr_map) {
		svm_controls_teardown();
		return -ENOMEM;
	}
	memset(io_map, 0xff, IOPM_SIZE);
	memset(msr_map, 0xff, MSRPM_SIZE);
	for (i = 0; (p = mvmm_msr_policy_nth(i)); i++) {
		unsigned int bit = (p->index & 0x1fff) * 2;

		if (!p->direct)
			continue;
		if (p->index >= 0xc0000000)
			bit += 0x800 * 8;
		__clear_bit(bit, msr_map);
		__clear_bit(bit + 1, msr_map);
	}
	return 0;
}

/** svm_controls_teardown() - undo svm_controls_setup() */
void svm_controls_teardown(void)
{
	if (io_map)
		free_pages_exact(io_map, IOPM_SIZE);
	if (msr_map)
		free_pages_exact(msr_map, MSRPM_SIZE);
	io_map = msr_map = NULL;
}

/* So many PAUSEs count as a spin, if the CPU can count them */
#define PAUSES 3000

/** svm_init_controls() - fill the control area of a new vCPU's VMCB */
void svm_init_controls(struct svm_vcpu *svm)
{
	static const u8 always[] = {
		INTERCEPT_CR0_READ, INTERCEPT_CR4_READ, INTERCEPT_CR4_WRITE,
		INTERCEPT_SELECTIVE_CR0,
		/* #DB, #AC: see vmx/controls.c. #MC is for the host */
		INTERCEPT_DB,
		INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_AC,
		INTERCEPT_EXCEPTION_OFFSET + X86_TRAP_MC,
		INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SMI, INTERCEPT_INIT,
		INTERCEPT_RDPMC, INTERCEPT_CPUID, INTERCEPT_INVD, INTERCEPT_HLT,
		INTERCEPT_INVLPGA, INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT,
		INTERCEPT_TASK_SWITCH, INTERCEPT_SHUTDOWN, INTERCEPT_VMRUN,
		INTERCEPT_VMMCALL, INTERCEPT_VMLOAD, INTERCEPT_VMSAVE,
		INTERCEPT_STGI, INTERCEPT_CLGI, INTERCEPT_SKINIT,
		INTERCEPT_WBINVD, INTERCEPT_MONITOR, INTERCEPT_MWAIT,
		INTERCEPT_XSETBV, INTERCEPT_RDPRU,
	};
	struct vmcb_control_area *control = &svm->vmcb->control;
	int i;

	for (i = 0; i < ARRAY_SIZE(always); i++)
		svm_intercept(svm, always[i], true);
	/* Bochs exits before it has written DR6: see errata.rst */
	if (svm_caps.bochs)
		svm_intercept(svm, INTERCEPT_DB, false);
	control->intercepts[INTERCEPT_DR] = ~0;
	control->iopm_base_pa = __pa(io_map);
	control->msrpm_base_pa = __pa(msr_map);
	if (svm_caps.pause_filter)
		control->pause_filter_count = PAUSES;
	control->int_ctl = V_INTR_MASKING_MASK;
	control->misc_ctl = SVM_MISC_ENABLE_NP;
	control->nested_cr3 = __pa(svm->vcpu.vm->pgt.root);
}
