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

struct mvmm_cpuid_table mvmm_default_cpuid;

static void host_cpuid(u32 leaf, u32 subleaf, u32 regs[4])
{
	cpuid_count(leaf, subleaf, &regs[0], &regs[1], &regs[2], &regs[3]);
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
	};

	mvmm_cpuid_default(&host, &mvmm_default_cpuid);
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
