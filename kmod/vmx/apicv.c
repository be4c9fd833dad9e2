// SPDX-License-Identifier: GPL-2.0
/*
 * What VMX does for a local APIC: TPR shadow (CR8 without exits), APIC-register
 * virtualization and virtual-interrupt delivery (x2APIC without exits), and the
 * APIC-access page (xAPIC without exits). SDM vol. 3, chapter 30.
 */
#include <linux/gfp.h>
#include <linux/moduleparam.h>
#include <asm/apicdef.h>
#include "apicv.h"
#include "cpu/cpu.h"
#include "insn.h"
#include "irq/apic.h"
#include "mm/memory.h"
#include "vendor.h"

static bool tpr_shadow = true;
module_param(tpr_shadow, bool, 0444);
MODULE_PARM_DESC(tpr_shadow,
		 "let guests write CR8 without an exit, where VMX can");

/* -1: on, except on Bochs, which does it wrong: see Documentation/errata.rst */
static int apicv = -1;
module_param(apicv, bint, 0444);
MODULE_PARM_DESC(apicv,
		 "let the CPU deliver interrupts and do EOI, where VMX can");

static bool apic_access = true;
module_param(apic_access, bool, 0444);
MODULE_PARM_DESC(apic_access,
		 "let guests use the xAPIC's page without userspace, where VMX can");

/* The MSR bitmap of a vCPU whose x2APIC the CPU virtualizes */
static unsigned long *msr_bitmap_apicv;

/*
 * The CPU virtualizes writes to three registers only (SDM vol. 3, 30.5).
 * Without an exit, a write to any other one would go to the host's APIC.
 */
static void make_msr_bitmap_apicv(void)
{
	const u32 writes = APIC_BASE_MSR + VMX_MSR_WRITES;
	u32 reg;

	memcpy(msr_bitmap_apicv, vmx_msr_bitmap, PAGE_SIZE);
	for (reg = 0; reg < LAPIC_NR_REGS; reg++)
		if (lapic_in_page(reg))
			__clear_bit(APIC_BASE_MSR + reg, msr_bitmap_apicv);
	__clear_bit(writes + LAPIC_TPR, msr_bitmap_apicv);
	__clear_bit(writes + LAPIC_EOI, msr_bitmap_apicv);
	__clear_bit(writes + LAPIC_SELF_IPI, msr_bitmap_apicv);
}

/*
 * Shared by all VMs: it is never read or written, since the CPU uses the
 * virtual-APIC page instead
 */
static void *apic_access_page;

/** vmx_apic_page_pa() - address of the APIC-access page; 0: it is not used */
u64 vmx_apic_page_pa(void)
{
	return vmx_caps.apic_page ? __pa(apic_access_page) : 0;
}

/**
 * vmx_apicv_setup() - decide what to use, and make the pages that vCPUs share
 *
 * At load, after vmx_probe() and vmx_controls_setup(). Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vmx_apicv_setup(void)
{
	vmx_caps.tpr_shadow &= tpr_shadow;
	tpr_shadow = vmx_caps.tpr_shadow;
	if (apicv < 0)
		apicv = !mvmm_on_bochs();
	vmx_caps.apicv &= apicv && tpr_shadow;
	apicv = vmx_caps.apicv;
	vmx_caps.apic_page &= apic_access && tpr_shadow;
	apic_access = vmx_caps.apic_page;

	msr_bitmap_apicv = (void *)__get_free_page(GFP_KERNEL);
	apic_access_page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!msr_bitmap_apicv || !apic_access_page) {
		vmx_apicv_teardown();
		return -ENOMEM;
	}
	make_msr_bitmap_apicv();
	return 0;
}

/** vmx_apicv_teardown() - undo vmx_apicv_setup() */
void vmx_apicv_teardown(void)
{
	free_page((unsigned long)msr_bitmap_apicv);
	free_page((unsigned long)apic_access_page);
}

/**
 * vmx_apicv_alloc() - make the virtual-APIC page of a new vCPU
 * @vmx: the vCPU
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int vmx_apicv_alloc(struct vmx_vcpu *vmx)
{
	if (!vmx_caps.tpr_shadow)
		return 0;
	vmx->vcpu.vapic = (u32 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vmx->vcpu.vapic ? 0 : -ENOMEM;
}

/** vmx_apicv_free() - undo vmx_apicv_alloc() */
void vmx_apicv_free(struct vmx_vcpu *vmx)
{
	free_page((unsigned long)vmx->vcpu.vapic);
}

/** vmx_apicv_init() - write the controls of a new vCPU; VMCS current */
void vmx_apicv_init(struct vmx_vcpu *vmx)
{
	if (!vmx->vcpu.vapic)
		return;
	vmx->primary |= CPU_BASED_TPR_SHADOW;
	vmx->primary &= ~(CPU_BASED_CR8_LOAD_EXITING |
			  CPU_BASED_CR8_STORE_EXITING);
	vmwrite32(CPU_BASED_VM_EXEC_CONTROL, vmx->primary);
	vmwrite64(VIRTUAL_APIC_PAGE_ADDR, __pa(vmx->vcpu.vapic));
	vmwrite32(TPR_THRESHOLD, 0);
	if (vmx_caps.apic_page)
		vmwrite64(APIC_ACCESS_ADDR, mvmm_vendor.apic_page_pa);
	if (vmx_caps.apicv) {
		vmwrite64(EOI_EXIT_BITMAP0, 0);
		vmwrite64(EOI_EXIT_BITMAP1, 0);
		vmwrite64(EOI_EXIT_BITMAP2, 0);
		vmwrite64(EOI_EXIT_BITMAP3, 0);
	}
}

/**
 * vmx_set_tpr_threshold() - exit when the guest's task priority falls below
 * @vmx: a vCPU whose VMCS is current
 * @class: not above the task priority's class now (SDM vol. 3, 27.2.1.1); 0:
 *	never
 */
void vmx_set_tpr_threshold(struct vmx_vcpu *vmx, u32 class)
{
	mvmm_assert_loaded(&vmx->vcpu);
	if (class == vmx->tpr_threshold)
		return;
	vmwrite32(TPR_THRESHOLD, class);
	vmx->tpr_threshold = class;
}

/*
 * The controls for the guest's APIC in its mode now; 0: software does all of it
 */
static u32 apic_controls(const struct mvmm_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic;
	bool deliver = vmx_caps.apicv && lapic_enabled(a), gone;

	if (!vcpu->has_apic || !lapic_hw_enabled(a))
		return 0;
	if (lapic_is_x2(a))
		return deliver ? VMX_APICV : 0;
	/*
	 * pairs with drop_apic_page(): the page is unmapped before its control
	 * is off
	 */
	gone = smp_load_acquire(&vcpu->vm->no_apic_page);
	if (!vmx_caps.apic_page || gone)
		return 0;
	return VMX_APIC_PAGE |
	       (deliver ? SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY : 0);
}

static void set_apic_controls(struct vmx_vcpu *vmx, u32 controls)
{
	bool x2 = controls & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE;

	vmx->apic_controls = controls;
	vmx->vcpu.vapic_regs = controls;
	vmx->vcpu.vapic_irqs = controls & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	vmx_sync_secondary(vmx);
	vmwrite64(MSR_BITMAP, __pa(x2 ? msr_bitmap_apicv : vmx_msr_bitmap));
}

static void sync_eoi_exits(struct vmx_vcpu *vmx)
{
	u64 bitmap[4];
	int i;

	lapic_eoi_exits(&vmx->vcpu.apic, bitmap);
	for (i = 0; i < 4; i++) {
		if (bitmap[i] == vmx->eoi_exits[i])
			continue;
		vmcs_put(EOI_EXIT_BITMAP0 + 2 * i, bitmap[i]);
		vmx->eoi_exits[i] = bitmap[i];
	}
}

/**
 * vmx_sync_apic() - write the local APIC to the virtual-APIC page and the VMCS
 * @vmx: a vCPU whose VMCS is current, about to be entered
 *
 * Context: interrupts off.
 */
void vmx_sync_apic(struct vmx_vcpu *vmx)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;
	u32 controls = apic_controls(vcpu);

	lockdep_assert_irqs_disabled();
	mvmm_assert_loaded(vcpu);

	vcpu->apic_dirty = false;
	if (controls != vmx->apic_controls)
		set_apic_controls(vmx, controls);
	if (!controls) {
		vcpu->vapic[LAPIC_TPR * 4] = vcpu->has_apic ? vcpu->apic.tpr :
							      vcpu->cr8 << 4;
		return;
	}
	lapic_to_page(&vcpu->apic, vcpu->vapic);
	if (!vcpu->vapic_irqs)
		return;
	vmwrite16(GUEST_INTR_STATUS, lapic_intr_status(&vcpu->apic));
	sync_eoi_exits(vmx);
	/* The CPU delivers them by itself */
	vcpu->events.apic_vector = 0;
}

/* ---- exits ------------------------------------------------------------ */

enum mvmm_step vmx_handle_eoi_induced(struct mvmm_vcpu *vcpu)
{
	mvmm_apic_eoi_induced(vcpu, vmreadn(EXIT_QUALIFICATION));
	return MVMM_STEP_REENTER;
}

/* The write is done, and rip is behind it: only its effects are left */
enum mvmm_step vmx_handle_apic_write(struct mvmm_vcpu *vcpu)
{
	mvmm_apic_write_trapped(vcpu, vmreadn(EXIT_QUALIFICATION) & 0xff0);
	return MVMM_STEP_REENTER;
}

/* An access that the virtual-APIC page cannot answer: userspace does it */
enum mvmm_step vmx_handle_apic_access(struct mvmm_vcpu *vcpu)
{
	u64 qualification = vmreadn(EXIT_QUALIFICATION);
	struct mvmm_fault *fault = &vcpu->fault;

	fault->gpa = LAPIC_BASE_ADDRESS | (qualification & APIC_ACCESS_OFFSET);
	fault->gva = 0;
	fault->access = vmx_decode_apic_access(qualification);
	return mvmm_apic_exit(vcpu);
}
