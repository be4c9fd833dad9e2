// SPDX-License-Identifier: GPL-2.0
/*
 * Machine-check registers (SDM vol. 3, 16.3), by which userspace tells the guest of an
 * error: it writes a bank and MCG_STATUS, and raises #MC. Machine checks of the host's
 * own are the host's (cpu/host.c).
 */
#include "guest.h"

/* IA32_MCG_CAP: MCG_CTL exists, and Intel's MCi_STATUS tells what software recovers from */
#define NR_BANKS	2
#define MCG_CAP_VALUE	(NR_BANKS | BIT(8) | \
			 (boot_cpu_has(X86_FEATURE_SVM) ? 0 : BIT(24)))

/* Indices in mvmm_vcpu.mce; of each bank */
enum { STATUS, CTL, BANKS };
enum { BANK_CTL, BANK_STATUS, BANK_ADDR, BANK_MISC, BANK_REGS };

static_assert(BANKS + NR_BANKS * BANK_REGS == MVMM_NR_MCES);

/* The MSR's number of each index (SDM vol. 4, table 2-2) */
static u32 mce_number(int i)
{
	return i < BANKS ? 0x17a + i : 0x400 + i - BANKS;
}

static int find_mce(const struct mvmm_vcpu *vcpu, u32 index)
{
	int i;

	for (i = 0; vcpu->caps.mce && i < MVMM_NR_MCES; i++)
		if (mce_number(i) == index)
			return i;
	return -1;
}

/* What a guest may write; userspace may write anything to the last three */
static bool mce_valid(int i, u64 value)
{
	if (i == STATUS)
		return !(value & ~7ull);
	/* Linux leaves out one of the first and the tenth on some of AMD's CPUs */
	if (i == CTL || (i - BANKS) % BANK_REGS == BANK_CTL)
		return !value || !~(value | BIT(0) | BIT(10));
	return !value;
}

/** mvmm_get_mce() - RDMSR where mvmm_is_mce() is true. Return: 0 or -EINVAL: #GP */
int mvmm_get_mce(const struct mvmm_vcpu *vcpu, u32 index, u64 *value)
{
	int i = find_mce(vcpu, index);

	if (i < 0 && !(index == MVMM_MCG_CAP && vcpu->caps.mce))
		return -EINVAL;
	*value = i < 0 ? MCG_CAP_VALUE : vcpu->mce[i];
	return 0;
}

/** mvmm_set_mce() - WRMSR there. Return: 0 or -EINVAL: #GP */
int mvmm_set_mce(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	int i = find_mce(vcpu, index);
	bool any = i >= BANKS && (i - BANKS) % BANK_REGS != BANK_CTL &&
		   !vcpu->in_section;

	if (i < 0 || !(any || mce_valid(i, value)))
		return -EINVAL;
	vcpu->mce[i] = value;
	return 0;
}

/** mvmm_list_mces() - their numbers; @list has room. Return: how many */
u32 mvmm_list_mces(const struct mvmm_vcpu *vcpu, u32 *list)
{
	u32 i;

	for (i = 0; vcpu->caps.mce && i < MVMM_NR_MCES; i++)
		list[i] = mce_number(i);
	return i;
}
