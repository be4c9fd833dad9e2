// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest exits for: the control fields of a new vCPU's VMCS, and the MSR
 * bitmap. Controls that options change later are in apicv.c and pml.c.
 */
#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/moduleparam.h>
#include <asm/trapnr.h>
#include "cpu/cpu.h"
#include "guest/guest.h"
#include "insn.h"

unsigned long *vmx_msr_bitmap;

/* -1: no, except on Bochs, which depends on it: see Documentation/errata.rst */
static int ple = -1;
module_param(ple, int, 0444);
MODULE_PARM_DESC(ple, "a guest's spin exits also while no vCPU waits for a CPU");

/*
 * The MSR bitmap has four parts of 1 KiB (SDM vol. 3, 25.6.9): reads of low
 * MSRs, reads of high MSRs (from 0xc0000000 on), and the same for writes. Where
 * the second part begins, in bits:
 */
#define HIGH_MSRS	(1024 * 8)

static void make_msr_bitmap(void)
{
	const struct mvmm_msr_policy *p;
	unsigned int i;

	memset(vmx_msr_bitmap, 0xff, PAGE_SIZE);
	for (i = 0; (p = mvmm_msr_policy_nth(i)); i++) {
		unsigned int bit = p->index & 0x1fff;

		if (!p->direct)
			continue;
		if (p->index >= 0xc0000000)
			bit += HIGH_MSRS;
		__clear_bit(bit, vmx_msr_bitmap);
		__clear_bit(bit + VMX_MSR_WRITES, vmx_msr_bitmap);
	}
}

/**
 * vmx_controls_setup() - make the MSR bitmap that all vCPUs share
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int vmx_controls_setup(void)
{
	vmx_msr_bitmap = (void *)__get_free_page(GFP_KERNEL);
	if (!vmx_msr_bitmap)
		return -ENOMEM;
	make_msr_bitmap();
	if (ple < 0)
		ple = mvmm_on_bochs();
	if (!(vmx_caps.secondary & SECONDARY_EXEC_PAUSE_LOOP_EXITING))
		ple = 0;
	return 0;
}

/** vmx_controls_teardown() - undo vmx_controls_setup() */
void vmx_controls_teardown(void)
{
	free_page((unsigned long)vmx_msr_bitmap);
}

/* PAUSEs at most 128 TSC ticks apart, for 4096 ticks, count as a spin */
#define PLE_TICKS_BETWEEN	128
#define PLE_TICKS		4096

/**
 * vmx_sync_secondary() - write the secondary controls, if they have changed
 * @vmx: its VMCS is current
 *
 * An instruction that the guest's CPUID does not have raises #UD.
 */
void vmx_sync_secondary(struct vmx_vcpu *vmx)
{
	u32 secondary = vmx_caps.secondary;

	/* A VPID of 0 is not allowed with the control */
	if (!vmx->vpid)
		secondary &= ~SECONDARY_EXEC_ENABLE_VPID;
	if (!vmx->contended && !ple)
		secondary &= ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;
	if (vmx->vcpu.vm->tsc_scale)
		secondary |= SECONDARY_EXEC_TSC_SCALING;
	if (vmx->pml)
		secondary |= SECONDARY_EXEC_ENABLE_PML;
	if (!vmx->vcpu.caps.tsc_aux)
		secondary &= ~SECONDARY_EXEC_ENABLE_RDTSCP;
	if (!vmx->vcpu.caps.invpcid)
		secondary &= ~SECONDARY_EXEC_ENABLE_INVPCID;
	secondary |= vmx->apic_controls;
	if (secondary == vmx->secondary)
		return;
	vmx->secondary = secondary;
	vmwrite32(SECONDARY_VM_EXEC_CONTROL, secondary);
}

/** vmx_init_controls() - write the controls of a new vCPU; VMCS current */
void vmx_init_controls(struct vmx_vcpu *vmx)
{
	vmx->primary = vmx_caps.primary;
	vmx->entry = vmx_caps.entry;
	vmwrite32(PIN_BASED_VM_EXEC_CONTROL, vmx_caps.pin);
	vmwrite32(CPU_BASED_VM_EXEC_CONTROL, vmx->primary);
	vmx_sync_secondary(vmx);
	vmwrite32(VM_EXIT_CONTROLS, vmx_caps.exit);
	vmwrite32(VM_ENTRY_CONTROLS, vmx->entry);
	if (vmx_caps.secondary & SECONDARY_EXEC_PAUSE_LOOP_EXITING) {
		vmwrite32(PLE_GAP, PLE_TICKS_BETWEEN);
		vmwrite32(PLE_WINDOW, PLE_TICKS);
	}
	vmwrite64(EPT_POINTER, vmx->eptp);
	vmwrite64(MSR_BITMAP, __pa(vmx_msr_bitmap));
	if (vmx->vpid)
		vmwrite16(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	/*
	 * A guest could make the CPU deliver #DB or #AC without end, and no
	 * interrupt would get in. #MC is for the host.
	 */
	vmwrite32(EXCEPTION_BITMAP,
		  BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC));
	vmwrite32(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite32(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmwrite32(CR3_TARGET_COUNT, 0);
	vmwrite32(VM_EXIT_MSR_STORE_COUNT, 0);
	vmx_init_loaded(vmx);
	vmwrite32(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmwriten(CR0_GUEST_HOST_MASK, ~VMX_CR0_GUEST_OWNED);
	vmwriten(CR4_GUEST_HOST_MASK, ~0UL);
	vmwrite64(VMCS_LINK_POINTER, ~0ULL);
}
