// SPDX-License-Identifier: GPL-2.0
/*
 * The host's performance counters, which perf lets count the host, the guest or
 * both. Those that are not to count the guest are off in it. So is PEBS: it
 * writes records to a linear address, and that would be the guest's. The MSRs
 * are in the lists that an entry and an exit load (SDM vol. 3, 25.7.2, 25.8.2).
 */
#include <asm/msr.h>
#include <asm/perf_event.h>
#include "insn.h"

/** vmx_init_perf() - no MSR is loaded yet; VMCS current */
void vmx_init_perf(struct vmx_vcpu *vmx)
{
	vmwrite64(VM_ENTRY_MSR_LOAD_ADDR, __pa(vmx->perf_guest));
	vmwrite64(VM_EXIT_MSR_LOAD_ADDR, __pa(vmx->perf_host));
	vmwrite32(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite32(VM_EXIT_MSR_LOAD_COUNT, 0);
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
		vmx->perf_guest[n] = (struct vmx_msr_entry){
			.index = msr[i].msr, .value = msr[i].guest };
		vmx->perf_host[n++] = (struct vmx_msr_entry){
			.index = msr[i].msr, .value = msr[i].host };
		if (msr[i].msr == MSR_IA32_PEBS_ENABLE)
			vmx->stop_pebs = true;
	}
	return n;
}

/**
 * vmx_sync_perf() - the host may use other counters than before
 * @vmx: about to be entered; VMCS current
 *
 * Context: interrupts off until the entry.
 */
void vmx_sync_perf(struct vmx_vcpu *vmx)
{
	int n, nr = 0;

	lockdep_assert_irqs_disabled();
	n = vmx_list_perf(vmx, perf_guest_get_msrs(&nr, NULL), nr);
	if (likely(n == vmx->nr_perf))
		return;
	vmx->nr_perf = n;
	vmwrite32(VM_ENTRY_MSR_LOAD_COUNT, n);
	vmwrite32(VM_EXIT_MSR_LOAD_COUNT, n);
}
