// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID as a guest executes it, and what its table lets it set on this host.
 * logic/cpuid.c makes and reads the tables.
 */
#include <linux/uaccess.h>
#include <asm/fpu/types.h>
#include <asm/processor.h>
#include <asm/tsc.h>
#include "compat.h"
#include "cpu/fpu.h"
#include "guest.h"
#include "vendor.h"

/* What a new vCPU gets, and what it lets its guest set: more there is not */
struct mvmm_cpuid_table mvmm_default_cpuid;
static struct mvmm_guest_caps most;
u64 mvmm_arch_capabilities;

/*
 * What the guest need not mitigate, or must know, since it runs on this CPU itself.
 * Other bits say that there are more MSRs
 */
#define ARCH_CAPABILITIES						\
	(ARCH_CAP_RDCL_NO | ARCH_CAP_IBRS_ALL | ARCH_CAP_RSBA |		\
	 ARCH_CAP_SSB_NO | ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO |	\
	 ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO |	\
	 ARCH_CAP_PSDP_NO | ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA |	\
	 ARCH_CAP_BHI_NO | ARCH_CAP_PBRSB_NO | ARCH_CAP_GDS_NO |	\
	 ARCH_CAP_RFDS_NO | ARCH_CAP_RFDS_CLEAR | ARCH_CAP_ITS_NO)

static void host_cpuid(u32 leaf, u32 subleaf, u32 regs[4])
{
	cpuid_count(leaf, subleaf, &regs[0], &regs[1], &regs[2], &regs[3]);
	/* The kernel distrusts some of these by the microcode's revision */
	if (leaf == 7 && !subleaf)
		regs[3] &= boot_cpu_data.x86_capability[CPUID_7_EDX];
}

/** mvmm_cpuid_init() - make the table that a new vCPU gets; at load */
void mvmm_cpuid_init(void)
{
	struct mvmm_cpuid_host host = {
		.get = host_cpuid,
		.xcr0 = mvmm_fpu_mask,
		.tsc_khz = tsc_khz,
		.gpa_bits = MVMM_GPA_BITS,
		.rdtscp = mvmm_vendor.rdtscp,
		.invpcid = mvmm_vendor.invpcid,
		.spec_ctrl = mvmm_vendor.spec_ctrl,
	};

	mvmm_cpuid_default(&host, &mvmm_default_cpuid);
	mvmm_cpuid_caps(&mvmm_default_cpuid, &most);
	if (most.arch_capabilities)
		rdmsrq(MSR_IA32_ARCH_CAPABILITIES, mvmm_arch_capabilities);
	mvmm_arch_capabilities &= ARCH_CAPABILITIES;
}

/** mvmm_limit_caps() - what the vCPU's table and this host let the guest set */
void mvmm_limit_caps(struct mvmm_vcpu *vcpu)
{
	mvmm_cpuid_caps(&vcpu->cpuid, &vcpu->caps);
	vcpu->caps.cr4 &= mvmm_vendor.cr4;
	/* Else PKRU would be the host's own */
	if (!(mvmm_fpu_mask & XFEATURE_MASK_PKRU))
		vcpu->caps.cr4 &= ~X86_CR4_PKE;
	vcpu->caps.xcr0 &= mvmm_fpu_mask | XFEATURE_MASK_FP;
	vcpu->caps.tsc_aux &= mvmm_vendor.rdtscp;
	vcpu->caps.invpcid &= mvmm_vendor.invpcid;
	vcpu->caps.spec_ctrl &= most.spec_ctrl;
	vcpu->caps.flush_l1d &= most.flush_l1d;
	vcpu->caps.arch_capabilities &= most.arch_capabilities;
	vcpu->caps.phys_bits = min_t(u8, vcpu->caps.phys_bits, MVMM_GPA_BITS);
}

/**
 * mvmm_copy_cpuid() - give a table to userspace
 * @table: the table
 * @user: the kernel's copy of the caller's struct; its nr is updated
 *
 * Context: may sleep. Return: 0, -ENOSPC, -EFAULT.
 */
long mvmm_copy_cpuid(const struct mvmm_cpuid_table *table,
		     struct mvmm_cpuid *user)
{
	u32 room = user->nr;

	user->nr = table->nr;
	if (room < table->nr)
		return -ENOSPC;
	if (copy_to_user((void __user *)user->entries, table->entry,
			 table->nr * sizeof(table->entry[0])))
		return -EFAULT;
	return 0;
}

/* tour 24: CPUID is executed */

/**
 * mvmm_do_cpuid() - execute CPUID on vcpu->regs
 * @vcpu: the vCPU
 *
 * Context: atomic.
 */
void mvmm_do_cpuid(struct mvmm_vcpu *vcpu)
{
	u32 r[4], leaf = vcpu->regs.rax;

	mvmm_cpuid_query(&vcpu->cpuid, leaf, vcpu->regs.rcx,
			 vcpu->cr4, vcpu->xcr0, vcpu->id, r);
	if (unlikely(vcpu->has_apic && !lapic_hw_enabled(&vcpu->apic) &&
		     leaf == 1))
		r[3] &= ~BIT(X86_FEATURE_APIC & 31);
	vcpu->regs.rax = r[0];
	vcpu->regs.rbx = r[1];
	vcpu->regs.rcx = r[2];
	vcpu->regs.rdx = r[3];
}
