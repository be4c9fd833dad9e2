/* SPDX-License-Identifier: GPL-2.0 */
/* What the guest's CPU is: MSRs, control registers, CPUID, reset. */
#ifndef MVMM_GUEST_GUEST_H
#define MVMM_GUEST_GUEST_H

#include "vcpu.h"

/* Where an MSR's value is */
enum mvmm_msr_kind {
	MVMM_MSR_CONST,		/* reads as a constant, writes are dropped */
	MVMM_MSR_KEPT,		/* mvmm_vcpu.msr */
	MVMM_MSR_VENDOR,	/* mvmm_ops->get_msr() and set_msr() know */
	MVMM_MSR_TSC,
	MVMM_MSR_TSC_ADJUST,
	MVMM_MSR_EFER,
	MVMM_MSR_COMMAND,	/* bit 0, which is written, does something */
};

/* Which values a guest may write; others raise #GP */
enum mvmm_msr_check {
	MVMM_CHECK_ANY,
	MVMM_CHECK_32BIT,
	MVMM_CHECK_CANONICAL,
	MVMM_CHECK_PAT,
};

/* How many mvmm_list_msrs() finds at most */
#define MVMM_MAX_STATE_MSRS 80

/**
 * struct mvmm_msr_policy - what a guest may do with an MSR
 * @index: MSR number
 * @kind: where its value is
 * @check: which values it may have
 * @direct: the guest accesses it without an exit
 * @depends: whether it exists, and which values it takes, depends on CPUID
 * @kept: MVMM_MSR_KEPT: index into mvmm_vcpu.msr
 * @value: MVMM_MSR_CONST: what it reads as
 */
struct mvmm_msr_policy {
	u32 index;
	enum mvmm_msr_kind kind;
	enum mvmm_msr_check check;
	bool direct;
	bool depends;
	u8 kept;
	u64 value;
};

const struct mvmm_msr_policy *mvmm_msr_policy(u32 index);
const struct mvmm_msr_policy *mvmm_msr_policy_nth(unsigned int n);
bool mvmm_msr_value_ok(const struct mvmm_msr_policy *p, u64 value);
int mvmm_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value);
int mvmm_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
u32 mvmm_list_msrs(struct mvmm_vcpu *vcpu, u32 *list);
int mvmm_do_rdmsr(struct mvmm_vcpu *vcpu);
int mvmm_do_wrmsr(struct mvmm_vcpu *vcpu);

#define MVMM_MTRRCAP 0xfe	/* how many ranges there are */

/* Is it for mvmm_get_mtrr() and mvmm_set_mtrr()? The table's MSRs are asked first */
static inline bool mvmm_is_mtrr(u32 index)
{
	return IS_ENABLED(CONFIG_MVMM_MTRR) &&
	       (index == MVMM_MTRRCAP || index >> 8 == 2);
}

int mvmm_get_mtrr(const struct mvmm_vcpu *vcpu, u32 index, u64 *value);
int mvmm_set_mtrr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
#ifdef CONFIG_MVMM_MTRR
u32 mvmm_list_mtrrs(const struct mvmm_vcpu *vcpu, u32 *list);
void mvmm_reset_mtrrs(struct mvmm_vcpu *vcpu);
#else
static inline u32 mvmm_list_mtrrs(const struct mvmm_vcpu *vcpu, u32 *list)
{
	return 0;
}

static inline void mvmm_reset_mtrrs(struct mvmm_vcpu *vcpu) {}
#endif

#define MVMM_MCG_CAP 0x179	/* how many banks there are */

/* Is it for mvmm_get_mce() and mvmm_set_mce()? */
static inline bool mvmm_is_mce(u32 index)
{
	return IS_ENABLED(CONFIG_MVMM_MCE) &&
	       (index - MVMM_MCG_CAP < 3 || index - 0x400 < 0x80);
}

int mvmm_get_mce(const struct mvmm_vcpu *vcpu, u32 index, u64 *value);
int mvmm_set_mce(struct mvmm_vcpu *vcpu, u32 index, u64 value);
#ifdef CONFIG_MVMM_MCE
u32 mvmm_list_mces(const struct mvmm_vcpu *vcpu, u32 *list);
#else
static inline u32 mvmm_list_mces(const struct mvmm_vcpu *vcpu, u32 *list)
{
	return 0;
}
#endif

bool mvmm_cr0_valid(u64 cr0);
bool mvmm_cr4_valid(const struct mvmm_guest_caps *caps, u64 cr4, u64 efer);
bool mvmm_efer_valid(const struct mvmm_guest_caps *caps, u64 efer);
bool mvmm_xcr0_valid(const struct mvmm_guest_caps *caps, u64 xcr0);
bool mvmm_pdptes_valid(const u64 pdpte[4], u8 phys_bits);
bool mvmm_uses_pae(u64 cr0, u64 cr4, u64 efer);
int mvmm_set_cr0(struct mvmm_vcpu *vcpu, u64 cr0);
int mvmm_set_cr4(struct mvmm_vcpu *vcpu, u64 cr4);
int mvmm_set_efer(struct mvmm_vcpu *vcpu, u64 efer);
int mvmm_write_cr(struct mvmm_vcpu *vcpu, u8 cr, u64 value);
int mvmm_do_xsetbv(struct mvmm_vcpu *vcpu);
int mvmm_load_pdptes(struct mvmm_vcpu *vcpu);
u64 mvmm_dr_fixed(int dr, u64 value);

long mvmm_copy_cpuid(const struct mvmm_cpuid_table *table,
		     struct mvmm_cpuid *user);
void mvmm_do_cpuid(struct mvmm_vcpu *vcpu);
void mvmm_cpuid_init(void);
void mvmm_limit_caps(struct mvmm_vcpu *vcpu);
extern struct mvmm_cpuid_table mvmm_default_cpuid;
/* IA32_ARCH_CAPABILITIES of a new vCPU, and all that userspace may set in it */
extern u64 mvmm_arch_capabilities;

int mvmm_get_clock(struct mvmm_vm *vm, struct mvmm_clock *clock);
int mvmm_set_clock(struct mvmm_vm *vm, const struct mvmm_clock *clock);

void mvmm_vcpu_reset(struct mvmm_vcpu *vcpu, bool init);
void mvmm_vcpu_start(struct mvmm_vcpu *vcpu, u8 vector);

#endif
