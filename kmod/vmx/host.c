// SPDX-License-Identifier: GPL-2.0
/*
 * The host's state in the VMCS, which an exit loads: what is the same
 * everywhere, what depends on the CPU, and the MSRs that are swapped by hand.
 * What depends on the process is written at each RUN, in loop.c. SDM vol. 3,
 * 25.5.
 */
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/special_insns.h>
#include "insn.h"

/**
 * vmx_init_host() - write what is the same on every CPU and for every process
 */
void vmx_init_host(void)
{
	struct desc_ptr idt;
	u64 value;

	store_idt(&idt);
	vmwriten(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmwrite16(HOST_CS_SELECTOR, __KERNEL_CS);
	vmwrite16(HOST_SS_SELECTOR, __KERNEL_DS);
	vmwrite16(HOST_DS_SELECTOR, 0);
	vmwrite16(HOST_ES_SELECTOR, 0);
	vmwrite16(HOST_FS_SELECTOR, 0);
	vmwrite16(HOST_GS_SELECTOR, 0);
	vmwriten(HOST_FS_BASE, 0);
	vmwrite16(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmwriten(HOST_IDTR_BASE, idt.address);
	vmwriten(HOST_RIP, (unsigned long)vmx_exit);
	rdmsrq(MSR_IA32_SYSENTER_CS, value);
	vmwrite32(HOST_IA32_SYSENTER_CS, value);
	rdmsrq(MSR_IA32_SYSENTER_EIP, value);
	vmwriten(HOST_IA32_SYSENTER_EIP, value);
	rdmsrq(MSR_IA32_CR_PAT, value);
	vmwrite64(HOST_IA32_PAT, value);
	rdmsrq(MSR_EFER, value);
	vmwrite64(HOST_IA32_EFER, value);
}

/**
 * vmx_load_cpu_state() - write the host state that depends on the CPU
 * @vmx: a vCPU whose VMCS is current
 *
 * Context: preemption off.
 */
void vmx_load_cpu_state(struct vmx_vcpu *vmx)
{
	int cpu = smp_processor_id();
	u64 value;

	vmwriten(HOST_TR_BASE,
		 (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmx->host_gdt = (struct desc_ptr){
		.size = GDT_SIZE - 1,
		.address = (unsigned long)get_current_gdt_ro() };
	vmwriten(HOST_GDTR_BASE, vmx->host_gdt.address);
	rdmsrq(MSR_IA32_SYSENTER_ESP, value);
	vmwriten(HOST_IA32_SYSENTER_ESP, value);
	rdmsrq(MSR_GS_BASE, value);
	vmwriten(HOST_GS_BASE, value);
}

/*
 * The MSRs that are swapped by hand, since an exit does not restore them. The
 * host never changes the first three, and a guest writes them with an exit
 * only, so they need not be read back. Intel CPUs do not use CSTAR, so it is
 * not even swapped.
 */
static const u32 msr_index[VMX_NR_MSRS] = {
	MSR_STAR, MSR_LSTAR, MSR_SYSCALL_MASK, MSR_KERNEL_GS_BASE, MSR_CSTAR };
#define NR_FIXED VMX_KERNEL_GS

static DEFINE_PER_CPU(u64 [NR_FIXED], host_msrs);

/**
 * vmx_host_cpu_on() - note the host's values of the MSRs that it never changes
 *
 * Context: interrupts off.
 */
void vmx_host_cpu_on(void)
{
	int i;

	lockdep_assert_irqs_disabled();

	for (i = 0; i < NR_FIXED; i++)
		rdmsrq(msr_index[i], *this_cpu_ptr(&host_msrs[i]));
}

/** vmx_find_msr() - where a swapped MSR's guest value is kept, or NULL */
u64 *vmx_find_msr(struct vmx_vcpu *vmx, u32 index)
{
	int i;

	for (i = 0; i < VMX_NR_MSRS; i++)
		if (msr_index[i] == index)
			return &vmx->msr[i];
	return NULL;
}

/**
 * vmx_swap_syscall_msrs() - swap STAR, LSTAR and SFMASK
 * @vmx: loaded
 * @to_guest: from the host's values to the guest's, or back
 *
 * Context: preemption off, in a section.
 */
void vmx_swap_syscall_msrs(struct vmx_vcpu *vmx, bool to_guest)
{
	const u64 *host = *this_cpu_ptr(&host_msrs);
	int i;

	mvmm_assert_section(&vmx->vcpu);
	mvmm_assert_loaded(&vmx->vcpu);

	for (i = 0; i < NR_FIXED; i++)
		vmx_swap_msr(msr_index[i], to_guest ? host[i] : vmx->msr[i],
			     to_guest ? vmx->msr[i] : host[i]);
	vmx->syscall_msrs = to_guest;
}
