// SPDX-License-Identifier: GPL-2.0
/*
 * SVM on each CPU: EFER.SVME, the area to which VMRUN saves the host's state,
 * and the one to which mvmm saves the rest by VMSAVE (APM vol. 2, 15.5 and
 * 15.30.4). A VMCB is plain memory between entries: unlike a VMCS it can be
 * used on any CPU at any time.
 */
#include <linux/gfp.h>
#include <linux/percpu.h>
#include <asm/msr.h>
#include "insn.h"

/* What VMRUN saves of the host, in a layout that only the CPU knows */
static DEFINE_PER_CPU(void *, hsave_area);
/* What VMRUN does not save: a VMCB, of which VMSAVE and VMLOAD use a part */
static DEFINE_PER_CPU(void *, host_vmcb);
DEFINE_PER_CPU(u64, svm_host_pa);
static DEFINE_PER_CPU(bool, svm_on);

/**
 * svm_vmcb_setup() - make the per-CPU areas
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int svm_vmcb_setup(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		per_cpu(hsave_area, cpu) = svm_vmcb_alloc();
		per_cpu(host_vmcb, cpu) = svm_vmcb_alloc();
		if (!per_cpu(hsave_area, cpu) || !per_cpu(host_vmcb, cpu)) {
			svm_vmcb_teardown();
			return -ENOMEM;
		}
	}
	return 0;
}

/** svm_vmcb_teardown() - undo svm_vmcb_setup() */
void svm_vmcb_teardown(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		svm_vmcb_free(per_cpu(hsave_area, cpu));
		svm_vmcb_free(per_cpu(host_vmcb, cpu));
		per_cpu(hsave_area, cpu) = NULL;
		per_cpu(host_vmcb, cpu) = NULL;
	}
}

/**
 * svm_cpu_enable() - turn SVM on, on this CPU
 *
 * Context: interrupts off. Return: 0; -EBUSY: another VMM has done so.
 */
int svm_cpu_enable(void)
{
	u64 efer;

	lockdep_assert_irqs_disabled();

	rdmsrq(MSR_EFER, efer);
	if (efer & EFER_SVME)
		return -EBUSY;
	wrmsrq(MSR_EFER, efer | EFER_SVME);
	wrmsrq(MSR_VM_HSAVE_PA, __pa(__this_cpu_read(hsave_area)));
	__this_cpu_write(svm_host_pa, __pa(__this_cpu_read(host_vmcb)));
	/* Drop translations with the same ASIDs, from when SVM was on before */
	svm_asids_reset();
	mvmm_reduce_speculation(true);
	__this_cpu_write(svm_on, true);
	return 0;
}

/**
 * svm_cpu_disable() - turn SVM off, on this CPU
 *
 * Context: interrupts off.
 */
void svm_cpu_disable(void)
{
	u64 efer;

	lockdep_assert_irqs_disabled();

	__this_cpu_write(svm_on, false);
	mvmm_reduce_speculation(false);
	wrmsrq(MSR_VM_HSAVE_PA, 0);
	rdmsrq(MSR_EFER, efer);
	wrmsrq(MSR_EFER, efer & ~EFER_SVME);
}

/**
 * svm_vmcb_alloc() - make a VMCB of zeroes
 *
 * Context: may sleep. Return: the VMCB, or NULL.
 */
struct vmcb *svm_vmcb_alloc(void)
{
	return (struct vmcb *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

/** svm_vmcb_free() - undo svm_vmcb_alloc() */
void svm_vmcb_free(struct vmcb *vmcb)
{
	free_page((unsigned long)vmcb);
}
