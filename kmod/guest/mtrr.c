// SPDX-License-Identifier: GPL-2.0
/*
 * MTRRs (SDM vol. 3, 12.11): registers without effect, since memory is write-back
 * whatever they say. But firmware writes them, and Linux uses the PAT only if there are
 * some.
 */
#include "guest.h"

#define NR_VARIABLE	8
/* IA32_MTRRCAP: fixed ranges and write combining, too */
#define MTRRCAP_VALUE	(NR_VARIABLE | BIT(8) | BIT(10))

/* Indices in mvmm_vcpu.mtrr, behind the pairs of the variable ranges */
enum {
	FIXED_64K = 2 * NR_VARIABLE, FIXED_16K, FIXED_4K = FIXED_16K + 2,
	DEF_TYPE = FIXED_4K + 8,
};

static_assert(DEF_TYPE + 1 == MVMM_NR_MTRRS);

/* The MSR's number of each index (SDM vol. 4, table 2-2) */
static u32 mtrr_number(int i)
{
	return i < FIXED_64K ? 0x200 + i :
	       i == FIXED_64K ? 0x250 :
	       i < FIXED_4K ? 0x258 + i - FIXED_16K :
	       i < DEF_TYPE ? 0x268 + i - FIXED_4K :
	       0x2ff;
}

static int find_mtrr(const struct mvmm_vcpu *vcpu, u32 index)
{
	int i;

	for (i = 0; vcpu->caps.mtrr && i < MVMM_NR_MTRRS; i++)
		if (mtrr_number(i) == index)
			return i;
	return -1;
}

/* Not the reserved types 2 and 3, nor UC-, which only the PAT has */
static bool is_type(u8 type)
{
	return type < 7 && type != 2 && type != 3;
}

static bool mtrr_valid(int i, u64 value, u8 phys_bits)
{
	u64 beyond = ~0ull << phys_bits;
	int byte;

	if (i == DEF_TYPE)
		return is_type(value) && !(value & ~0xcffull);
	if (i < FIXED_64K)
		return !(value & beyond) &&
		       (i % 2 ? !(value & 0x7ff) :
				is_type(value) && !(value & 0xf00));
	for (byte = 0; byte < 8; byte++)
		if (!is_type(value >> 8 * byte))
			return false;
	return true;
}

/** mvmm_get_mtrr() - RDMSR where mvmm_is_mtrr() is true. Return: 0 or -EINVAL: #GP */
int mvmm_get_mtrr(const struct mvmm_vcpu *vcpu, u32 index, u64 *value)
{
	int i = find_mtrr(vcpu, index);

	if (i < 0 && !(index == MVMM_MTRRCAP && vcpu->caps.mtrr))
		return -EINVAL;
	*value = i < 0 ? MTRRCAP_VALUE : vcpu->mtrr[i];
	return 0;
}

/** mvmm_set_mtrr() - WRMSR there. Return: 0 or -EINVAL: #GP */
int mvmm_set_mtrr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	int i = find_mtrr(vcpu, index);

	if (i < 0 || !mtrr_valid(i, value, vcpu->caps.phys_bits))
		return -EINVAL;
	vcpu->mtrr[i] = value;
	return 0;
}

/** mvmm_list_mtrrs() - their numbers; @list has room. Return: how many */
u32 mvmm_list_mtrrs(const struct mvmm_vcpu *vcpu, u32 *list)
{
	u32 i;

	for (i = 0; vcpu->caps.mtrr && i < MVMM_NR_MTRRS; i++)
		list[i] = mtrr_number(i);
	return i;
}

/**
 * mvmm_reset_mtrrs() - after RESET
 * @vcpu: busy for the caller
 *
 * They say what is: on, and all memory write-back. A CPU's are off: there firmware
 * follows, but a kernel may be the first to run here.
 */
void mvmm_reset_mtrrs(struct mvmm_vcpu *vcpu)
{
	memset(vcpu->mtrr, 0, sizeof(vcpu->mtrr));
	vcpu->mtrr[DEF_TYPE] = BIT(11) | 6;
}
