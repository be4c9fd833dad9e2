// SPDX-License-Identifier: GPL-2.0
/*
 * MSRs that an entry and an exit load from lists (SDM vol. 3, 25.7.2, 25.8.2), if
 * guest and host differ.
 *
 * The host's performance counters, which perf lets count the host, the guest or
 * both. Those that are not to count the guest are off in it. So is PEBS: it
 * writes records to a linear address, and that would be the guest's.
 *
 * IA32_SPEC_CTRL: so the host has its own before its first instruction.
 */
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/perf_event.h>
#include "insn.h"

/** vmx_init_loaded() - no MSR is loaded yet; VMCS current */
void vmx_init_loaded(struct vmx_vcpu *vmx)
{
	vmwrite64(VM_ENTRY_MSR_LOAD_ADDR, __pa(vmx->on_entry));
	vmwrite64(VM_EXIT_MSR_LOAD_ADDR, __pa(vmx->on_exit));
	vmwrite32(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite32(VM_EXIT_MSR_LOAD_COUNT, 0);
}

static void add_loaded(struct vmx_vcpu *vmx, int n, u32 index, u64 guest, u64 host)
{
	vmx->on_entry[n] = (struct vmx_msr_entry){ .index = index, .value = guest };
	vmx->on_exit[n] = (struct vmx_msr_entry){ .index = index, .value = host };
}

/**
 * vmx_list_perf() - make the lists of MSRs
 * @vmx: the vCPU: its lists, and stop_pebs
 * @msr: what perf wants
 * @nr: how many they are
 *
 * Pure. Return: how many have to be loaded.
 */
int vmx_list_perf(struct vmx_vcpu *vmx, const struct perf_guest_switch_msr *msr,
		  int nr)
{
	int i, n = 0;

	vmx->stop_pebs = false;
	for (i = 0; i < nr && n < VMX_NR_PERF; i++) {
		if (msr[i].host == msr[i].guest)
			continue;
		add_loaded(vmx, n++, msr[i].msr, msr[i].guest, msr[i].host);
		if (msr[i].msr == MSR_IA32_PEBS_ENABLE)
			vmx->stop_pebs = true;
	}
	return n;
}

/**
 * vmx_list_spec_ctrl() - add IA32_SPEC_CTRL to the lists
 * @vmx: the vCPU. One whose CPUID has no such MSR runs with the host's value
 * @n: how many are in the lists
 * @host: what the host has now
 *
 * Pure. Return: how many are in the lists.
 */
int vmx_list_spec_ctrl(struct vmx_vcpu *vmx, int n, u64 host)
{
	if (vmx->vcpu.caps.spec_ctrl && vmx->spec_ctrl != host)
		add_loaded(vmx, n++, MSR_IA32_SPEC_CTRL, vmx->spec_ctrl, host);
	return n;
}

/**
 * vmx_sync_loaded() - what the host has may be other than before, or the guest's
 * @vmx: about to be entered; VMCS current
 *
 * Context: interrupts off until the entry.
 */
void vmx_sync_loaded(struct vmx_vcpu *vmx)
{
	int n, nr = 0;

	lockdep_assert_irqs_disabled();
	n = vmx_list_perf(vmx, perf_guest_get_msrs(&nr, NULL), nr);
	n = vmx_list_spec_ctrl(vmx, n, this_cpu_read(x86_spec_ctrl_current));
	if (likely(n == vmx->nr_loaded))
		return;
	vmx->nr_loaded = n;
	vmwrite32(VM_ENTRY_MSR_LOAD_COUNT, n);
	vmwrite32(VM_EXIT_MSR_LOAD_COUNT, n);
}
