// SPDX-License-Identifier: GPL-2.0
/*
 * Page-modification logging (SDM vol. 3, 29.3.6): the CPU logs which pages a
 * guest writes to. It is on only while a region keeps a dirty log. mm/pml.c
 * reads the logs.
 */
#include <linux/gfp.h>
#include <linux/moduleparam.h>
#include "insn.h"
#include "mm/memory.h"
#include "pml.h"

static bool pml = true;
module_param(pml, bool, 0444);
MODULE_PARM_DESC(pml, "let VMX log what guests write to, where it can");

/** vmx_pml_setup() - apply the parameter; at load, after vmx_probe() */
void vmx_pml_setup(void)
{
	/* See mvmm_try_mmu_read(): a full log could not be emptied */
	vmx_caps.pml &= pml && !IS_ENABLED(CONFIG_PREEMPT_RT);
	pml = vmx_caps.pml;
}

/**
 * vmx_pml_alloc() - make the log of a new vCPU, if the CPU keeps one
 * @vmx: the vCPU
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int vmx_pml_alloc(struct vmx_vcpu *vmx)
{
	struct mvmm_pml *p = &vmx->vcpu.pml;

	if (!vmx_caps.pml)
		return 0;
	p->log = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!p->log)
		return -ENOMEM;
	/* All MVMM_PML_EMPTY */
	memset(p->log, 0xff, PAGE_SIZE);
	p->next = MVMM_PML_ENTRIES - 1;
	return 0;
}

/** vmx_pml_free() - undo vmx_pml_alloc() */
void vmx_pml_free(struct vmx_vcpu *vmx)
{
	free_page((unsigned long)vmx->vcpu.pml.log);
}

/** vmx_pml_init() - write the log's address to a new VMCS, which is current */
void vmx_pml_init(struct vmx_vcpu *vmx)
{
	if (!vmx->vcpu.pml.log)
		return;
	vmwrite64(PML_ADDRESS, __pa(vmx->vcpu.pml.log));
	vmwrite16(GUEST_PML_INDEX, vmx->vcpu.pml.next);
}

/**
 * vmx_sync_pml() - log the guest's writes if a region keeps a dirty log
 * @vmx: a vCPU whose VMCS is current
 *
 * Context: interrupts off. Called at a flush, which every change of nr_logged
 * that needs PML brings about.
 */
void vmx_sync_pml(struct vmx_vcpu *vmx)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;
	bool use = vcpu->pml.log && READ_ONCE(vcpu->vm->nr_logged);

	lockdep_assert_irqs_disabled();
	mvmm_assert_loaded(vcpu);

	if (use == vmx->pml)
		return;
	vmx->pml = use;
	vmx_sync_secondary(vmx);
}

/** vmx_handle_pml_full() - exit: the log has no room; atomic */
enum mvmm_step vmx_handle_pml_full(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	enum mvmm_step step = mvmm_pml_full(vcpu);

	vmx_block_nmis_again(vmx, vmreadn(EXIT_QUALIFICATION));
	if (step == MVMM_STEP_REENTER)
		vmwrite16(GUEST_PML_INDEX, MVMM_PML_ENTRIES - 1);
	return step;
}
