// SPDX-License-Identifier: GPL-2.0
/* Writes a VMCS to the kernel log, in words, when an exit cannot be handled. */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/ratelimit.h>
#include <asm/vmx.h>
#include "insn.h"

static const struct {
	u32 reason;
	const char *name;
} reasons[] = { VMX_EXIT_REASONS };

/* SDM vol. 3, 31.4 */
static const char *const insn_errors[] = {
	[1] = "VMCALL in VMX root operation",
	[2] = "VMCLEAR with invalid address",
	[3] = "VMCLEAR with VMXON pointer",
	[4] = "VMLAUNCH with non-clear VMCS",
	[5] = "VMRESUME with non-launched VMCS",
	[6] = "VMRESUME after VMXOFF",
	[7] = "VM entry with invalid control fields",
	[8] = "VM entry with invalid host-state fields",
	[9] = "VMPTRLD with invalid address",
	[10] = "VMPTRLD with VMXON pointer",
	[11] = "VMPTRLD with wrong revision identifier",
	[12] = "access to an unsupported VMCS component",
	[13] = "VMWRITE to a read-only component",
	[15] = "VMXON in VMX root operation",
	[26] = "VM entry with events blocked by MOV SS",
	[28] = "INVEPT or INVVPID with invalid operand",
};

static const char *reason_name(u32 reason)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].reason == (reason & 0xffff))
			return reasons[i].name;
	return "?";
}

static const char *insn_error_name(u32 error)
{
	if (error < ARRAY_SIZE(insn_errors) && insn_errors[error])
		return insn_errors[error];
	return "?";
}

static void dump_segment(const char *name, int i)
{
	pr_warn("  %-4s sel 0x%04lx base 0x%016lx limit 0x%08lx ar 0x%05lx\n",
		name, vmcs_get(GUEST_ES_SELECTOR + 2 * i),
		vmcs_get(GUEST_ES_BASE + 2 * i),
		vmcs_get(GUEST_ES_LIMIT + 2 * i),
		vmcs_get(GUEST_ES_AR_BYTES + 2 * i));
}

static void dump_guest(void)
{
	static const char *const names[] = {
		"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
	int i;

	pr_warn(" guest: rip 0x%lx rsp 0x%lx rflags 0x%lx\n",
		vmreadn(GUEST_RIP), vmreadn(GUEST_RSP), vmreadn(GUEST_RFLAGS));
	pr_warn("  cr0 0x%lx (reads 0x%lx) cr3 0x%lx cr4 0x%lx (reads 0x%lx) efer 0x%llx\n",
		vmreadn(GUEST_CR0), vmreadn(CR0_READ_SHADOW),
		vmreadn(GUEST_CR3), vmreadn(GUEST_CR4),
		vmreadn(CR4_READ_SHADOW), vmread64(GUEST_IA32_EFER));
	for (i = 0; i < ARRAY_SIZE(names); i++)
		dump_segment(names[i], i);
	pr_warn("  gdtr 0x%lx:0x%x idtr 0x%lx:0x%x dr7 0x%lx\n",
		vmreadn(GUEST_GDTR_BASE), vmread32(GUEST_GDTR_LIMIT),
		vmreadn(GUEST_IDTR_BASE), vmread32(GUEST_IDTR_LIMIT),
		vmreadn(GUEST_DR7));
	pr_warn("  interruptibility 0x%x activity %u pending debug 0x%lx\n",
		vmread32(GUEST_INTERRUPTIBILITY_INFO),
		vmread32(GUEST_ACTIVITY_STATE),
		vmreadn(GUEST_PENDING_DBG_EXCEPTIONS));
}

static void dump_controls(const struct vmx_vcpu *vmx)
{
	pr_warn(" controls: pin 0x%x primary 0x%x secondary 0x%x exit 0x%x entry 0x%x\n",
		vmread32(PIN_BASED_VM_EXEC_CONTROL),
		vmread32(CPU_BASED_VM_EXEC_CONTROL),
		vmread32(SECONDARY_VM_EXEC_CONTROL),
		vmread32(VM_EXIT_CONTROLS), vmread32(VM_ENTRY_CONTROLS));
	pr_warn("  exceptions 0x%x eptp 0x%llx tsc offset 0x%llx\n",
		vmread32(EXCEPTION_BITMAP), vmread64(EPT_POINTER),
		vmread64(TSC_OFFSET));
	if (vmx->vcpu.vapic)
		pr_warn("  virtual APIC 0x%llx: TPR 0x%x threshold %u\n",
			vmread64(VIRTUAL_APIC_PAGE_ADDR),
			vmx->vcpu.vapic[LAPIC_TPR * 4],
			vmread32(TPR_THRESHOLD));
	if (vmx->vcpu.vapic_irqs)
		pr_warn("  interrupt status 0x%x, EOI exits 0x%llx 0x%llx 0x%llx 0x%llx\n",
			vmread16(GUEST_INTR_STATUS), vmread64(EOI_EXIT_BITMAP0),
			vmread64(EOI_EXIT_BITMAP1), vmread64(EOI_EXIT_BITMAP2),
			vmread64(EOI_EXIT_BITMAP3));
	pr_warn("  entry event 0x%x error 0x%x length %u\n",
		vmread32(VM_ENTRY_INTR_INFO_FIELD),
		vmread32(VM_ENTRY_EXCEPTION_ERROR_CODE),
		vmread32(VM_ENTRY_INSTRUCTION_LEN));
}

static void dump_host(void)
{
	/* No address of the host's: any user can make an entry fail */
	pr_warn(" host: cr0 0x%lx cr4 0x%lx efer 0x%llx\n",
		vmreadn(HOST_CR0), vmreadn(HOST_CR4),
		vmread64(HOST_IA32_EFER));
	pr_warn("  cs 0x%x ss 0x%x fs 0x%x gs 0x%x tr 0x%x\n",
		vmread16(HOST_CS_SELECTOR), vmread16(HOST_SS_SELECTOR),
		vmread16(HOST_FS_SELECTOR), vmread16(HOST_GS_SELECTOR),
		vmread16(HOST_TR_SELECTOR));
}

/** vmx_dump() - log the current VMCS, at a limited rate */
void vmx_dump(struct vmx_vcpu *vmx)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 2);
	u32 error = vmread32(VM_INSTRUCTION_ERROR);
	u32 info = vmread32(VM_EXIT_INTR_INFO);

	if (!__ratelimit(&limit))
		return;
	pr_warn("vCPU %u: last exit 0x%x %s, qualification 0x%lx, gpa 0x%llx\n",
		vmx->vcpu.id, vmx->reason, reason_name(vmx->reason),
		vmreadn(EXIT_QUALIFICATION), vmread64(GUEST_PHYSICAL_ADDRESS));
	pr_warn(" exit event 0x%x, vectoring 0x%x, instruction error %u %s\n",
		info, vmread32(IDT_VECTORING_INFO_FIELD), error,
		insn_error_name(error));
	dump_guest();
	dump_controls(vmx);
	dump_host();
}
