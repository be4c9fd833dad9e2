// SPDX-License-Identifier: GPL-2.0
/*
 * What this CPU's VMX can do, which of it mvmm needs, and what is missing, by
 * name. vmx_negotiate() is a pure function of the capability MSRs (SDM vol. 3,
 * appendix A); only vmx_probe() and vmx_present() read hardware.
 */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/bits.h>
#include <linux/cpu.h>
#include <linux/cpufeature.h>
#include <linux/moduleparam.h>
#include <linux/sched/smt.h>
#include <asm/msr.h>
#include <asm/perf_event.h>
#include <asm/processor-flags.h>
#include <asm/vmx.h>
#include "vmx.h"

struct vmx_caps vmx_caps;

/*
 * On many CPUs a guest that changes the size of a page which it executes can
 * stop the host by a machine check (iTLB multihit): there it finds no large
 * leaves. -1: where the CPU has the bug, and the kernel mitigates any
 */
static int nx_huge_pages = -1;
module_param(nx_huge_pages, bint, 0444);
MODULE_PARM_DESC(nx_huge_pages,
		 "let guests execute from small nested pages only");

#define BASIC_TRUE_CTLS	BIT_ULL(55)
#define BASIC_INSN_INFO	BIT_ULL(54)
#define BASIC_MEMTYPE(b) (((b) >> 50) & 0xf)

#define CR8_EXITS (CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING)

static const struct vmx_ctl pin_ctls[] = {
	{ PIN_BASED_EXT_INTR_MASK, VMX_MUST, "external-interrupt exiting" },
	{ PIN_BASED_NMI_EXITING, VMX_MUST, "NMI exiting" },
	{ PIN_BASED_VIRTUAL_NMIS, VMX_MUST, "virtual NMIs" },
	{ PIN_BASED_VMX_PREEMPTION_TIMER, VMX_OPTIONAL },
	{}
};

static const struct vmx_ctl primary_ctls[] = {
	{ CPU_BASED_HLT_EXITING, VMX_MUST, "HLT exiting" },
	{ CPU_BASED_USE_TSC_OFFSETTING, VMX_MUST, "TSC offsetting" },
	{ CPU_BASED_MWAIT_EXITING, VMX_MUST, "MWAIT exiting" },
	{ CPU_BASED_MONITOR_EXITING, VMX_MUST, "MONITOR exiting" },
	{ CPU_BASED_RDPMC_EXITING, VMX_MUST, "RDPMC exiting" },
	{ CPU_BASED_CR8_LOAD_EXITING, VMX_MUST, "CR8-load exiting" },
	{ CPU_BASED_CR8_STORE_EXITING, VMX_MUST, "CR8-store exiting" },
	{ CPU_BASED_MOV_DR_EXITING, VMX_MUST, "MOV-DR exiting" },
	{ CPU_BASED_UNCOND_IO_EXITING, VMX_MUST, "unconditional I/O exiting" },
	{ CPU_BASED_USE_MSR_BITMAPS, VMX_MUST, "MSR bitmaps" },
	{ CPU_BASED_ACTIVATE_SECONDARY_CONTROLS, VMX_MUST,
	  "secondary controls" },
	{ CPU_BASED_INTR_WINDOW_EXITING, VMX_ABLE, "interrupt-window exiting" },
	{ CPU_BASED_NMI_WINDOW_EXITING, VMX_ABLE, "NMI-window exiting" },
	{ CPU_BASED_CR3_LOAD_EXITING, VMX_NEVER, "CR3 loads without exits" },
	{ CPU_BASED_CR3_STORE_EXITING, VMX_NEVER, "CR3 stores without exits" },
	{ CPU_BASED_INVLPG_EXITING, VMX_NEVER, "INVLPG without exits" },
	{ CPU_BASED_RDTSC_EXITING, VMX_NEVER, "RDTSC without exits" },
	{ CPU_BASED_TPR_SHADOW, VMX_OPTIONAL },
	{}
};

static const struct vmx_ctl secondary_ctls[] = {
	{ SECONDARY_EXEC_ENABLE_EPT, VMX_MUST, "EPT" },
	{ SECONDARY_EXEC_UNRESTRICTED_GUEST, VMX_MUST, "unrestricted guest" },
	{ SECONDARY_EXEC_ENABLE_VPID | SECONDARY_EXEC_ENABLE_RDTSCP |
	  SECONDARY_EXEC_ENABLE_INVPCID | SECONDARY_EXEC_WBINVD_EXITING |
	  SECONDARY_EXEC_PAUSE_LOOP_EXITING | SECONDARY_EXEC_ENABLE_PML |
	  SECONDARY_EXEC_TSC_SCALING | VMX_APICV | VMX_APIC_PAGE, VMX_OPTIONAL },
	{}
};

static const struct vmx_ctl exit_ctls[] = {
	{ VM_EXIT_HOST_ADDR_SPACE_SIZE, VMX_MUST, "64-bit host" },
	{ VM_EXIT_SAVE_DEBUG_CONTROLS, VMX_MUST,
	  "saving debug controls on exit" },
	{ VM_EXIT_SAVE_IA32_PAT, VMX_MUST, "saving IA32_PAT on exit" },
	{ VM_EXIT_LOAD_IA32_PAT, VMX_MUST, "loading IA32_PAT on exit" },
	{ VM_EXIT_LOAD_IA32_EFER, VMX_MUST, "loading IA32_EFER on exit" },
	{ VM_EXIT_ACK_INTR_ON_EXIT, VMX_NEVER,
	  "exits without interrupt acknowledge" },
	{}
};

static const struct vmx_ctl entry_ctls[] = {
	{ VM_ENTRY_LOAD_DEBUG_CONTROLS, VMX_MUST,
	  "loading debug controls on entry" },
	{ VM_ENTRY_LOAD_IA32_PAT, VMX_MUST, "loading IA32_PAT on entry" },
	{ VM_ENTRY_LOAD_IA32_EFER, VMX_MUST, "loading IA32_EFER on entry" },
	{ VM_ENTRY_IA32E_MODE, VMX_ABLE, "64-bit guests" },
	{}
};

/**
 * vmx_reconcile() - find the value of one word of controls
 * @msr: its capability MSR: bits 31:0 must be 1, bits 63:32 may be 1
 * @ctl: what mvmm needs; the last entry has no bits
 * @out: the controls to use
 * @missing: called with the name of each control that the CPU lacks
 * @ctx: for @missing
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int vmx_reconcile(u64 msr, const struct vmx_ctl *ctl, u32 *out,
		  vmx_missing_fn missing, void *ctx)
{
	u32 ones = msr, may = msr >> 32;
	int ret = 0;

	*out = ones;
	for (; ctl->bits; ctl++) {
		if (ctl->need == VMX_MUST || ctl->need == VMX_OPTIONAL)
			*out |= ctl->bits & may;
		if (ctl->need == VMX_OPTIONAL ||
		    (ctl->need == VMX_NEVER ? !(ctl->bits & ones) :
					      !(ctl->bits & ~may)))
			continue;
		missing(ctx, ctl->name);
		ret = -EOPNOTSUPP;
	}
	return ret;
}

static int need(bool have, const char *name, vmx_missing_fn missing, void *ctx)
{
	if (!have)
		missing(ctx, name);
	return have ? 0 : -EOPNOTSUPP;
}

/* tour 35: what this CPU's VMX must have */

/**
 * vmx_negotiate() - find controls and features from the capability MSRs
 * @msrs: the MSRs; 0 for those that the CPU lacks
 * @caps: filled in
 * @missing: called with the name of each thing that is missing
 * @ctx: for @missing
 *
 * Pure. Return: 0 or -EOPNOTSUPP.
 */
int vmx_negotiate(const struct vmx_cap_msrs *msrs, struct vmx_caps *caps,
		  vmx_missing_fn missing, void *ctx)
{
	u32 ept = msrs->ept_vpid, vpid = msrs->ept_vpid >> 32;
	int ret = 0;

	memset(caps, 0, sizeof(*caps));
	caps->revision = msrs->basic & 0x7fffffff;
	caps->insn_info = msrs->basic & BASIC_INSN_INFO;
	ret |= need(BASIC_MEMTYPE(msrs->basic) == 6, "write-back VMCS memory",
		    missing, ctx);
	ret |= vmx_reconcile(msrs->pin, pin_ctls, &caps->pin, missing,
			     ctx);
	ret |= vmx_reconcile(msrs->primary, primary_ctls, &caps->primary, missing,
			     ctx);
	ret |= vmx_reconcile(msrs->secondary, secondary_ctls, &caps->secondary, missing,
			     ctx);
	ret |= vmx_reconcile(msrs->exit, exit_ctls, &caps->exit, missing,
			     ctx);
	ret |= vmx_reconcile(msrs->entry, entry_ctls, &caps->entry, missing,
			     ctx);

	if (caps->secondary & SECONDARY_EXEC_ENABLE_EPT) {
		ret |= need(ept & VMX_EPT_PAGE_WALK_4_BIT,
			    "EPT with 4 levels", missing, ctx);
		ret |= need(ept & VMX_EPTP_WB_BIT, "write-back EPT", missing,
			    ctx);
		ret |= need(ept & VMX_EPT_INVEPT_BIT &&
			    ept & VMX_EPT_EXTENT_CONTEXT_BIT &&
			    ept & VMX_EPT_EXTENT_GLOBAL_BIT,
			    "INVEPT of one context and of all", missing, ctx);
	}
	/* With a TPR shadow CR8 must not exit, so the CPU must allow that */
	caps->tpr_shadow = caps->primary & CPU_BASED_TPR_SHADOW &&
			   !((u32)msrs->primary & CR8_EXITS);
	caps->primary &= ~CPU_BASED_TPR_SHADOW;

	/*
	 * Set only while the guest's APIC is in a mode that the CPU virtualizes
	 */
	caps->apicv = caps->tpr_shadow &&
		      (caps->secondary & VMX_APICV) == VMX_APICV;
	caps->apic_page = caps->tpr_shadow &&
			    (caps->secondary & VMX_APIC_PAGE) == VMX_APIC_PAGE;
	caps->secondary &= ~(VMX_APICV | VMX_APIC_PAGE);

	caps->ept_ad = ept & VMX_EPT_AD_BIT;
	caps->ept_2m = ept & VMX_EPT_2MB_PAGE_BIT;
	caps->ept_1g = ept & VMX_EPT_1GB_PAGE_BIT;

	/* Set only while a region keeps a dirty log */
	caps->pml = caps->secondary & SECONDARY_EXEC_ENABLE_PML && caps->ept_ad;
	caps->secondary &= ~SECONDARY_EXEC_ENABLE_PML;

	/* Set only for a VM whose TSC has another rate */
	caps->tsc_scaling = caps->secondary & SECONDARY_EXEC_TSC_SCALING;
	caps->secondary &= ~SECONDARY_EXEC_TSC_SCALING;

	/* A VPID is used only if the CPU can flush it alone */
	caps->vpid = caps->secondary & SECONDARY_EXEC_ENABLE_VPID &&
		     vpid & VMX_VPID_INVVPID_BIT &&
		     vpid & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT;
	if (!caps->vpid)
		caps->secondary &= ~SECONDARY_EXEC_ENABLE_VPID;

	/* Set only while a slice has an end */
	caps->preemption_timer = caps->pin & PIN_BASED_VMX_PREEMPTION_TIMER;
	caps->pin &= ~PIN_BASED_VMX_PREEMPTION_TIMER;
	caps->timer_shift = msrs->misc & GENMASK(4, 0); /* SDM A.6 */

	/* Unrestricted guest frees PE and PG from CR0's fixed bits */
	caps->cr0_fixed0 = msrs->cr0_fixed0 & ~(X86_CR0_PE | X86_CR0_PG);
	caps->cr4_fixed0 = msrs->cr4_fixed0;
	caps->cr4_fixed1 = msrs->cr4_fixed1;
	return ret ? -EOPNOTSUPP : 0;
}

static void print_missing(void *ctx, const char *name)
{
	pr_err("this CPU's VMX lacks: %s\n", name);
}

static u64 read_cap(u32 msr)
{
	u64 value;

	return rdmsrq_safe(msr, &value) ? 0 : value;
}

static void read_caps(struct vmx_cap_msrs *m)
{
	bool true_ctls;

	m->basic = read_cap(MSR_IA32_VMX_BASIC);
	true_ctls = m->basic & BASIC_TRUE_CTLS;
	m->pin = read_cap(true_ctls ? MSR_IA32_VMX_TRUE_PINBASED_CTLS :
				      MSR_IA32_VMX_PINBASED_CTLS);
	m->primary = read_cap(true_ctls ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS :
					  MSR_IA32_VMX_PROCBASED_CTLS);
	m->exit = read_cap(true_ctls ? MSR_IA32_VMX_TRUE_EXIT_CTLS :
				       MSR_IA32_VMX_EXIT_CTLS);
	m->entry = read_cap(true_ctls ? MSR_IA32_VMX_TRUE_ENTRY_CTLS :
					MSR_IA32_VMX_ENTRY_CTLS);
	/* These exist only if the controls above say so */
	m->secondary = 0;
	m->ept_vpid = 0;
	if (m->primary >> 32 & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		m->secondary = read_cap(MSR_IA32_VMX_PROCBASED_CTLS2);
	if (m->secondary >> 32 &
	    (SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_VPID))
		m->ept_vpid = read_cap(MSR_IA32_VMX_EPT_VPID_CAP);
	m->misc = read_cap(MSR_IA32_VMX_MISC);
	m->cr0_fixed0 = read_cap(MSR_IA32_VMX_CR0_FIXED0);
	m->cr0_fixed1 = read_cap(MSR_IA32_VMX_CR0_FIXED1);
	m->cr4_fixed0 = read_cap(MSR_IA32_VMX_CR4_FIXED0);
	m->cr4_fixed1 = read_cap(MSR_IA32_VMX_CR4_FIXED1);
}

/** vmx_present() - does this CPU have VMX? */
bool vmx_present(void)
{
	/*
	 * Not boot_cpu_has(): the kernel clears that if the firmware locks VMX
	 */
	return cpuid_ecx(1) & BIT(5);
}

/**
 * vmx_probe() - can mvmm run on this CPU?
 * @caps: filled in
 *
 * Logs what is missing. Return: 0; -EPERM: the firmware has locked VMX;
 * -EOPNOTSUPP: VMX lacks what mvmm needs.
 */
int vmx_probe(struct vmx_caps *caps)
{
	const u64 locked = FEAT_CTL_LOCKED;
	struct vmx_cap_msrs msrs;
	u64 control;
	int nr = 0, ret;

	control = read_cap(MSR_IA32_FEAT_CTL);
	if (!(control & locked) ||
	    !(control & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("VMX is locked out by the firmware (IA32_FEATURE_CONTROL is 0x%llx): enable virtualization in its setup\n",
		       control);
		return -EPERM;
	}
	read_caps(&msrs);
	ret = vmx_negotiate(&msrs, caps, print_missing, NULL);
	if (nx_huge_pages < 0)
		nx_huge_pages = boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) &&
				!cpu_mitigations_off();
	caps->nx_huge = nx_huge_pages;
	caps->flush_l1d = boot_cpu_has_bug(X86_BUG_L1TF) &&
			  boot_cpu_has(X86_FEATURE_FLUSH_L1D) &&
			  !cpu_mitigations_off();
	/* NULL: without a driver of the CPU's counters, now and later */
	local_irq_disable();
	caps->perf = perf_guest_get_msrs(&nr, NULL);
	local_irq_enable();
	if (boot_cpu_has_bug(X86_BUG_L1TF) && !boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		pr_warn("L1TF: this CPU's microcode cannot flush L1D, which guests may read: update it\n");
	if ((boot_cpu_has_bug(X86_BUG_L1TF) || boot_cpu_has_bug(X86_BUG_MDS)) &&
	    sched_smt_active())
		pr_warn("L1TF, MDS: a guest can watch its core's other thread: turn SMT off\n");
	return ret;
}
