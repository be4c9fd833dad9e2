// SPDX-License-Identifier: GPL-2.0
/* EPT: the format of entries, the EPT pointer, flushes. SDM vol. 3, 29.3. */
#include <linux/bits.h>
#include "insn.h"
#include "mm/memory.h"
#include "pml.h"

#define EPT_READ	BIT_ULL(0)
#define EPT_WRITE	BIT_ULL(1)
#define EPT_EXEC	BIT_ULL(2)
#define EPT_WB		(6ULL << 3)
/* Ignore the guest's PAT: the host has mapped the same pages write-back */
#define EPT_IPAT	BIT_ULL(6)
#define EPT_LARGE	BIT_ULL(7)
#define EPT_ACCESSED	BIT_ULL(8)
#define EPT_DIRTY	BIT_ULL(9)

#define EPTP_WB		6ULL
#define EPTP_4_LEVELS	(3ULL << 3)
#define EPTP_AD		BIT_ULL(6)

/** vmx_ept_format() - describe EPT on this CPU to the walker */
void vmx_ept_format(const struct vmx_caps *caps, struct pgt_format *fmt)
{
	*fmt = (struct pgt_format){
		.levels = 4,
		.table = EPT_READ | EPT_WRITE | EPT_EXEC,
		.leaf = EPT_READ | EPT_WB | EPT_IPAT |
			(caps->nx_huge ? 0 : EPT_EXEC),
		.exec = caps->nx_huge ? EPT_EXEC : 0,
		.present = EPT_READ | EPT_WRITE | EPT_EXEC,
		.write = EPT_WRITE,
		.large = EPT_LARGE,
		.accessed = caps->ept_ad ? EPT_ACCESSED : 0,
		.dirty = caps->ept_ad ? EPT_DIRTY : 0,
		.max_leaf = !caps->ept_2m ? 1 : !caps->ept_1g ? 2 : 3,
	};
}

/** vmx_eptp() - the EPT pointer for a table */
u64 vmx_eptp(const struct vmx_caps *caps, u64 root_pa)
{
	return root_pa | EPTP_WB | EPTP_4_LEVELS | (caps->ept_ad ? EPTP_AD : 0);
}

/* tour 38: stale translations go */

/**
 * vmx_flush_now() - drop what may be stale in this CPU's TLB
 * @vmx: a vCPU for which vmx_flush() has found something
 * @gen: the VM's generation
 *
 * INVEPT of one context drops the combined translations of all VPIDs too (SDM
 * vol. 3, 29.4.3.1), so it is also enough for a vCPU that has moved.
 *
 * Context: interrupts off, VMCS current.
 */
void vmx_flush_now(struct vmx_vcpu *vmx, u64 gen)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;

	lockdep_assert_irqs_disabled();
	if (mvmm_tlb_needs_flush(gen, vcpu->tlb_gen_seen)) {
		invept(VMX_EPT_EXTENT_CONTEXT, vmx->eptp);
		vcpu->tlb_gen_seen = gen;
		vcpu->stats.flush_memory++;
	} else {
		/* Without a VPID each entry flushes these translations */
		if (vmx->vpid)
			invvpid(VMX_VPID_EXTENT_SINGLE_CONTEXT, vmx->vpid);
		vcpu->stats.flush_vcpu++;
	}
	vmx->flush_vcpu = false;
	vmx_sync_pml(vmx);
}
