// SPDX-License-Identifier: GPL-2.0
/*
 * The MSR policy: one table says which MSRs a guest may access, and how. Any
 * other MSR raises #GP in the guest, and is never accessed on the host. The
 * MSRs of the local APIC and of KVM's interface are in irq/apic.c and pv/pv.c.
 */
#include <asm/msr-index.h>
#include "compat.h"
#include "cpu/tsc.h"
#include "guest.h"
#include "irq/apic.h"
#include "pv/pv.h"
#include "vendor.h"

#define KEPT(_index, _kept, _check) {					\
	.index = (_index), .kind = MVMM_MSR_KEPT, .kept = (_kept),	\
	.check = (_check) }
#define VENDOR(_index, _check, _direct) {				\
	.index = (_index), .kind = MVMM_MSR_VENDOR,			\
	.check = (_check), .direct = (_direct) }
#define CONST(_index, _value) {						\
	.index = (_index), .kind = MVMM_MSR_CONST, .value = (_value) }

static const struct mvmm_msr_policy policy[] = {
	/* The third column, direct, is for those that a guest writes often */
	VENDOR(MSR_STAR, MVMM_CHECK_ANY, false),
	VENDOR(MSR_LSTAR, MVMM_CHECK_CANONICAL, false),
	VENDOR(MSR_CSTAR, MVMM_CHECK_CANONICAL, false),
	VENDOR(MSR_SYSCALL_MASK, MVMM_CHECK_32BIT, false),
	VENDOR(MSR_KERNEL_GS_BASE, MVMM_CHECK_CANONICAL, true),
	{ .index = MSR_TSC_AUX, .kind = MVMM_MSR_KEPT, .depends = true,
	  .kept = MVMM_MSR_TSC_AUX, .check = MVMM_CHECK_32BIT },
	KEPT(MSR_IA32_MISC_ENABLE, MVMM_MSR_MISC_ENABLE, MVMM_CHECK_ANY),
	VENDOR(MSR_FS_BASE, MVMM_CHECK_CANONICAL, true),
	VENDOR(MSR_GS_BASE, MVMM_CHECK_CANONICAL, true),
	VENDOR(MSR_IA32_SYSENTER_CS, MVMM_CHECK_32BIT, true),
	VENDOR(MSR_IA32_SYSENTER_ESP, MVMM_CHECK_CANONICAL, true),
	VENDOR(MSR_IA32_SYSENTER_EIP, MVMM_CHECK_CANONICAL, true),
	VENDOR(MSR_IA32_CR_PAT, MVMM_CHECK_PAT, false),
	{ .index = MSR_IA32_TSC, .kind = MVMM_MSR_TSC },
	{ .index = MSR_IA32_TSC_ADJUST, .kind = MVMM_MSR_TSC_ADJUST,
	  .depends = true },
	{ .index = MSR_EFER, .kind = MVMM_MSR_EFER },
	{ .index = MSR_IA32_SPEC_CTRL, .kind = MVMM_MSR_VENDOR, .depends = true },
	{ .index = MSR_IA32_PRED_CMD, .kind = MVMM_MSR_COMMAND, .depends = true },
	{ .index = MSR_IA32_FLUSH_CMD, .kind = MVMM_MSR_COMMAND, .depends = true },
	{ .index = MSR_IA32_ARCH_CAPABILITIES, .kind = MVMM_MSR_KEPT,
	  .depends = true, .kept = MVMM_MSR_ARCH_CAPABILITIES },
	/* Microcode revision: Linux writes 0, executes CPUID, and reads it */
	CONST(MSR_IA32_UCODE_REV, 1ULL << 32),
	CONST(MSR_IA32_PLATFORM_ID, 0),
	/*
	 * On AMD's CPUs Linux reads these without asking CPUID. HWCR says that
	 * the TSC runs at P0's rate, DE_CFG that LFENCE is serializing.
	 */
	CONST(MSR_K7_HWCR, BIT_ULL(24)),
	CONST(MSR_AMD64_SYSCFG, 0),
	CONST(MSR_AMD64_DE_CFG, BIT_ULL(1)),
	/* Counters that every CPU of AMD's has: they do not count */
	CONST(MSR_K7_EVNTSEL0, 0), CONST(MSR_K7_PERFCTR0, 0),
	CONST(MSR_K7_EVNTSEL1, 0), CONST(MSR_K7_PERFCTR1, 0),
	CONST(MSR_K7_EVNTSEL2, 0), CONST(MSR_K7_PERFCTR2, 0),
	CONST(MSR_K7_EVNTSEL3, 0), CONST(MSR_K7_PERFCTR3, 0),
};

#undef KEPT
#undef VENDOR
#undef CONST

/** mvmm_msr_policy() - the table's line for an MSR; NULL: #GP */
const struct mvmm_msr_policy *mvmm_msr_policy(u32 index)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(policy); i++)
		if (policy[i].index == index)
			return &policy[i];
	return NULL;
}

/** mvmm_msr_policy_nth() - the table's nth line; NULL after the last */
const struct mvmm_msr_policy *mvmm_msr_policy_nth(unsigned int n)
{
	return n < ARRAY_SIZE(policy) ? &policy[n] : NULL;
}

static bool canonical(u64 address)
{
	return (u64)((s64)(address << 16) >> 16) == address;
}

static bool pat_valid(u64 pat)
{
	int i;

	/* SDM vol. 3, table 12-10: 0, 1, 4, 5, 6, 7 */
	for (i = 0; i < 64; i += 8)
		if (((pat >> i) & 0xff) > 7 || ((pat >> i) & 0xfe) == 2)
			return false;
	return true;
}

/** mvmm_msr_value_ok() - may a guest write this value to the MSR? */
bool mvmm_msr_value_ok(const struct mvmm_msr_policy *p, u64 value)
{
	switch (p->check) {
	case MVMM_CHECK_32BIT:
		return value <= U32_MAX;
	case MVMM_CHECK_CANONICAL:
		return canonical(value);
	case MVMM_CHECK_PAT:
		return pat_valid(value);
	default:
		return true;
	}
}

/* Does this vCPU have it? */
static bool exists(struct mvmm_vcpu *vcpu, const struct mvmm_msr_policy *p)
{
	const struct mvmm_guest_caps *caps = &vcpu->caps;

	if (likely(!p->depends))
		return true;
	switch (p->index) {
	case MSR_IA32_TSC_ADJUST:
		/* In a section the guest asks, else userspace */
		return caps->tsc_adjust || !vcpu->in_section;
	case MSR_TSC_AUX:
		return caps->tsc_aux;
	case MSR_IA32_SPEC_CTRL:
		return caps->spec_ctrl;
	case MSR_IA32_PRED_CMD:
		return caps->spec_ctrl & SPEC_CTRL_IBRS;
	case MSR_IA32_FLUSH_CMD:
		return caps->flush_l1d;
	case MSR_IA32_ARCH_CAPABILITIES:
		return caps->arch_capabilities;
	default:
		return true;
	}
}

/* May it have this value, as this vCPU is? */
static bool takes(struct mvmm_vcpu *vcpu, const struct mvmm_msr_policy *p,
		  u64 value)
{
	switch (p->index) {
	case MSR_IA32_SPEC_CTRL:
		return !(value & ~(u64)vcpu->caps.spec_ctrl);
	case MSR_IA32_PRED_CMD:
	case MSR_IA32_FLUSH_CMD:
		return value <= 1;
	case MSR_IA32_ARCH_CAPABILITIES:
		return !vcpu->in_section && !(value & ~mvmm_arch_capabilities);
	default:
		return mvmm_msr_value_ok(p, value);
	}
}

static void set_tsc_offset(struct mvmm_vcpu *vcpu, u64 offset)
{
	u64 by = offset - vcpu->tsc_offset;

	vcpu->tsc_offset = offset;
	mvmm_ops->sync_tsc(vcpu);
	if (vcpu->has_apic)
		mvmm_apic_tsc_moved(vcpu, by);
	mvmm_pv_tsc_changed(vcpu);
}

/* tour 22: one table for every MSR */

/**
 * mvmm_get_msr() - read a guest's MSR
 * @vcpu: loaded on this CPU
 * @index: MSR number
 * @value: out
 *
 * Context: atomic. Return: 0, or -EINVAL where the guest gets #GP.
 */
int mvmm_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value)
{
	const struct mvmm_msr_policy *p;

	if (vcpu->has_apic && mvmm_is_apic_msr(index))
		return mvmm_apic_get_msr(vcpu, index, value);
	if (vcpu->has_apic && mvmm_is_pv_msr(index))
		return mvmm_pv_get_msr(vcpu, index, value);
	p = mvmm_msr_policy(index);
	if (!p && mvmm_is_mtrr(index))
		return mvmm_get_mtrr(vcpu, index, value);
	if (!p && mvmm_is_mce(index))
		return mvmm_get_mce(vcpu, index, value);
	if (!p || !exists(vcpu, p))
		return -EINVAL;
	switch (p->kind) {
	case MVMM_MSR_CONST:
		*value = p->value;
		return 0;
	case MVMM_MSR_KEPT:
		*value = vcpu->msr[p->kept];
		return 0;
	case MVMM_MSR_EFER:
		*value = vcpu->efer;
		return 0;
	case MVMM_MSR_TSC:
		*value = mvmm_guest_tsc(vcpu);
		return 0;
	case MVMM_MSR_TSC_ADJUST:
		*value = vcpu->tsc_offset + vcpu->vm->tsc_base;
		return 0;
	case MVMM_MSR_COMMAND:
		return -EINVAL;
	default:
		*value = mvmm_ops->get_msr(vcpu, index);
		/* CPUID may have had more bits when it was written */
		if (index == MSR_IA32_SPEC_CTRL)
			*value &= vcpu->caps.spec_ctrl;
		return 0;
	}
}

/**
 * mvmm_set_msr() - write a guest's MSR
 * @vcpu: loaded on this CPU
 * @index: MSR number
 * @value: new value
 *
 * Context: atomic. Return: 0, or -EINVAL where the guest gets #GP.
 */
int mvmm_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	const struct mvmm_msr_policy *p;
	u64 hidden = ~(MSR_IA32_MISC_ENABLE_FAST_STRING |
		       MSR_IA32_MISC_ENABLE_LIMIT_CPUID |
		       MSR_IA32_MISC_ENABLE_XD_DISABLE);

	if (vcpu->has_apic && mvmm_is_apic_msr(index))
		return mvmm_apic_set_msr(vcpu, index, value);
	if (vcpu->has_apic && mvmm_is_pv_msr(index))
		return mvmm_pv_set_msr(vcpu, index, value);
	p = mvmm_msr_policy(index);
	if (!p && mvmm_is_mtrr(index))
		return mvmm_set_mtrr(vcpu, index, value);
	if (!p && mvmm_is_mce(index))
		return mvmm_set_mce(vcpu, index, value);
	if (!p || !exists(vcpu, p) || !takes(vcpu, p, value))
		return -EINVAL;
	switch (p->kind) {
	case MVMM_MSR_CONST:
		return 0;
	case MVMM_MSR_KEPT:
		/* Its other bits are features that are hidden: no effect */
		if (p->kept == MVMM_MSR_MISC_ENABLE) {
			hidden &= value ^ vcpu->msr[p->kept];
			if (hidden && !vcpu->in_section)
				return -EINVAL;
			value ^= hidden;
		}
		vcpu->msr[p->kept] = value;
		/* In a section the guest's value is in the CPU */
		if (p->kept == MVMM_MSR_TSC_AUX && vcpu->in_section)
			wrmsrq(index, value);
		return 0;
	case MVMM_MSR_EFER:
		return mvmm_set_efer(vcpu, value);
	case MVMM_MSR_TSC:
		set_tsc_offset(vcpu, vcpu->tsc_offset + value -
				     mvmm_guest_tsc(vcpu));
		return 0;
	case MVMM_MSR_TSC_ADJUST:
		set_tsc_offset(vcpu, value - vcpu->vm->tsc_base);
		return 0;
	case MVMM_MSR_COMMAND:
		/* What it flushes is this CPU's, on which the guest runs next */
		if (value)
			wrmsrq(index, value);
		return 0;
	default:
		mvmm_ops->set_msr(vcpu, index, value);
		return 0;
	}
}

/* Constants have no state; the others have theirs in other structs */
static bool is_state(const struct mvmm_msr_policy *p)
{
	return p->kind == MVMM_MSR_KEPT || p->kind == MVMM_MSR_TSC_ADJUST ||
	       (p->kind == MVMM_MSR_VENDOR && p->index != MSR_FS_BASE &&
		p->index != MSR_GS_BASE);
}

/**
 * mvmm_list_msrs() - the MSRs that are a part of the vCPU's state
 * @vcpu: busy for the caller
 * @list: out: MSR numbers; room for MVMM_MAX_STATE_MSRS
 *
 * Return: how many.
 */
u32 mvmm_list_msrs(struct mvmm_vcpu *vcpu, u32 *list)
{
	static const u32 pv[] = { MSR_KVM_WALL_CLOCK_NEW,
		MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_STEAL_TIME, MSR_KVM_PV_EOI_EN };
	u32 i, n = 0;
	u64 value;

	BUILD_BUG_ON(ARRAY_SIZE(policy) + ARRAY_SIZE(pv) + MVMM_NR_MTRRS +
		     MVMM_NR_MCES > MVMM_MAX_STATE_MSRS);
	for (i = 0; i < ARRAY_SIZE(policy); i++)
		if (is_state(&policy[i]) && exists(vcpu, &policy[i]))
			list[n++] = policy[i].index;
	for (i = 0; vcpu->has_apic && i < ARRAY_SIZE(pv); i++)
		if (!mvmm_pv_get_msr(vcpu, pv[i], &value))
			list[n++] = pv[i];
	n += mvmm_list_mtrrs(vcpu, list + n);
	return n + mvmm_list_mces(vcpu, list + n);
}

/**
 * mvmm_do_rdmsr() - execute RDMSR on vcpu->regs
 * @vcpu: loaded on this CPU
 *
 * Context: atomic. Return: 0 or -EINVAL: #GP.
 */
int mvmm_do_rdmsr(struct mvmm_vcpu *vcpu)
{
	u64 value;
	int ret = mvmm_get_msr(vcpu, vcpu->regs.rcx, &value);

	if (ret)
		return ret;
	vcpu->regs.rax = (u32)value;
	vcpu->regs.rdx = value >> 32;
	return 0;
}

/**
 * mvmm_do_wrmsr() - execute WRMSR on vcpu->regs
 * @vcpu: loaded on this CPU
 *
 * Context: atomic. Return: 0 or -EINVAL: #GP.
 */
int mvmm_do_wrmsr(struct mvmm_vcpu *vcpu)
{
	return mvmm_set_msr(vcpu, vcpu->regs.rcx,
			    (u32)vcpu->regs.rax | vcpu->regs.rdx << 32);
}
