// SPDX-License-Identifier: GPL-2.0
/*
 * What VMX does for a local APIC: TPR shadow (CR8 without exits), APIC-register
 * virtualization and virtual-interrupt delivery (x2APIC without exits), and the
 * APIC-access page (the same for an xAPIC). SDM vol. 3, chapter 30.
 */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/gfp.h>
#include <linux/moduleparam.h>
#include <asm/apicdef.h>
#include "cpu/cpu.h"
#include "insn.h"
#include "vendor.h"

static bool tpr_shadow = true;
module_param(tpr_shadow, bool, 0444);
MODULE_PARM_DESC(tpr_shadow,
		 "let guests write CR8 without an exit, where VMX can");

/* -1: where the CPU does it right, which Bochs does not: see errata.rst */
static int apicv = -1;
module_param(apicv, bint, 0444);
MODULE_PARM_DESC(apicv,
		 "let the CPU deliver interrupts and do EOI, where VMX can");

static bool apic_access = true;
module_param(apic_access, bool, 0444);
MODULE_PARM_DESC(apic_access,
		 "let guests use the xAPIC's page without userspace, where VMX can");

/* For guests whose x2APIC is the CPU's */
static unsigned long *msr_bitmap_apicv;

/* SDM vol. 3, 30.5: a write of any other would go to the host's APIC */
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

/* All VMs': never read or written, as the CPU does that elsewhere */
static void *apic_access_page;

/** vmx_apic_page_pa() - its address; 0: the CPU has no use for one */
u64 vmx_apic_page_pa(void)
{
	return vmx_caps.apic_page ? __pa(apic_access_page) : 0;
}

/**
 * vmx_apicv_setup() - settle what to use, and the pages that all vCPUs share
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

void vmx_apicv_teardown(void)
{
	free_page((unsigned long)msr_bitmap_apicv);
	free_page((unsigned long)apic_access_page);
}

/** vmx_apicv_alloc() - the virtual-APIC page of a new vCPU; may sleep */
int vmx_apicv_alloc(struct vmx_vcpu *vmx)
{
	if (!vmx_caps.tpr_shadow)
		return 0;
	vmx->vcpu.vapic = (u32 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vmx->vcpu.vapic ? 0 : -ENOMEM;
}

void vmx_apicv_free(struct vmx_vcpu *vmx)
{
	free_page((unsigned long)vmx->vcpu.vapic);
}

/** vmx_apicv_init() - controls of a new vCPU; its VMCS is current */
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
 * @vmx: its VMCS is current
 * @class: at most the task priority's (SDM vol. 3, 27.2.1.1); 0: never
 */
void vmx_set_tpr_threshold(struct vmx_vcpu *vmx, u32 class)
{
	if (class == vmx->tpr_threshold)
		return;
	vmwrite32(TPR_THRESHOLD, class);
	vmx->tpr_threshold = class;
}

/* What the CPU can do of the guest's APIC as it is now */
static u32 apic_controls(const struct mvmm_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic;
	bool deliver = vmx_caps.apicv && lapic_enabled(a), gone;

	if (!vcpu->has_apic || !lapic_hw_enabled(a))
		return 0;
	if (lapic_is_x2(a))
		return deliver ? VMX_APICV : 0;
	/* pairs with drop_apic_page(): the page goes before its control */
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
 * vmx_sync_apic() - software has changed what the virtual-APIC page holds
 * @vmx: its VMCS is current, and it is about to be entered
 */
void vmx_sync_apic(struct vmx_vcpu *vmx)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;
	u32 controls = apic_controls(vcpu);

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
	/* The CPU sees to them */
	vcpu->events.apic_vector = 0;
}
