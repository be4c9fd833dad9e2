// SPDX-License-Identifier: GPL-2.0
/*
 * What this CPU's SVM can do, which of it mvmm needs, and what is missing, by
 * name. svm_negotiate() is a pure function of CPUID (APM vol. 3, E.4.9); only
 * svm_probe() and svm_present() read hardware.
 */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/bitops.h>
#include <linux/cc_platform.h>
#include <asm/msr.h>
#include <asm/page_types.h>
#include <asm/processor.h>
#include <asm/svm.h>
#include "compat.h"
#include "cpu/cpu.h"
#include "svm.h"

struct svm_caps svm_caps;

#define FEATURE_NP		BIT(0)
#define FEATURE_NRIPS		BIT(3)
#define FEATURE_CLEAN_BITS	BIT(5)
#define FEATURE_FLUSH_BY_ASID	BIT(6)
#define FEATURE_DECODE_ASSISTS	BIT(7)
#define FEATURE_PAUSE_FILTER	BIT(10)

static int need(bool have, const char *name, svm_missing_fn missing, void *ctx)
{
	if (!have)
		missing(ctx, name);
	return have ? 0 : -EOPNOTSUPP;
}

/**
 * svm_negotiate() - find features from CPUID
 * @regs: leaf 0x8000000a; 0 if the CPU lacks it
 * @caps: filled in
 * @missing: called with the name of each thing that is missing
 * @ctx: for @missing
 *
 * Pure. Return: 0 or -EOPNOTSUPP.
 */
int svm_negotiate(const struct svm_cap_regs *regs, struct svm_caps *caps,
		  svm_missing_fn missing, void *ctx)
{
	int ret = 0;

	memset(caps, 0, sizeof(*caps));
	ret |= need(regs->edx & FEATURE_NP, "nested paging (NPT)", missing,
		    ctx);
	/* ASID 0 is the host's */
	ret |= need(regs->ebx > 1, "address space identifiers (ASIDs)",
		    missing, ctx);
	caps->max_asid = regs->ebx - 1;
	caps->nrips = regs->edx & FEATURE_NRIPS;
	caps->decode_assists = regs->edx & FEATURE_DECODE_ASSISTS;
	caps->flush_by_asid = regs->edx & FEATURE_FLUSH_BY_ASID;
	caps->pause_filter = regs->edx & FEATURE_PAUSE_FILTER;
	caps->clean_bits = regs->edx & FEATURE_CLEAN_BITS;
	return ret ? -EOPNOTSUPP : 0;
}

static void print_missing(void *ctx, const char *name)
{
	pr_err("this CPU's SVM lacks: %s\n", name);
}

/** svm_present() - does this CPU have SVM? */
bool svm_present(void)
{
	return cpuid_eax(0x80000000) >= 0x80000001 &&
	       cpuid_ecx(0x80000001) & BIT(2);
}

/**
 * svm_probe() - can mvmm run on this CPU?
 * @caps: filled in
 *
 * Logs what is missing. Return: 0; -EPERM: the firmware has locked SVM;
 * -EOPNOTSUPP: SVM lacks what mvmm needs.
 */
int svm_probe(struct svm_caps *caps)
{
	struct svm_cap_regs regs = {};
	u64 vm_cr = 0;
	int ret;

	/* APM vol. 2, 15.4: SVMDIS, with or without the lock */
	rdmsrq_safe(MSR_VM_CR, &vm_cr);
	if (vm_cr & SVM_VM_CR_SVM_DIS_MASK) {
		pr_err("SVM is locked out by the firmware (VM_CR is 0x%llx): enable virtualization in its setup\n",
		       vm_cr);
		return -EPERM;
	}
	/* Each physical address in a VMCB would need the C-bit */
	if (cc_platform_has(CC_ATTR_HOST_MEM_ENCRYPT)) {
		pr_err("mvmm does not know memory encryption: boot with mem_encrypt=off\n");
		return -EOPNOTSUPP;
	}
	if (cpuid_eax(0x80000000) >= 0x8000000a)
		cpuid(0x8000000a, &regs.eax, &regs.ebx, &regs.ecx, &regs.edx);
	ret = svm_negotiate(&regs, caps, print_missing, NULL);
	caps->tcg = cpuid_base_hypervisor("TCGTCGTCGTCG", 0);
	caps->bochs = mvmm_on_bochs();
	return ret;
}
