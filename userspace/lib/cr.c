// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Completion of accesses to control registers, for CPUs that do not report the
 * general register. Whether a value is allowed is decided by the kernel.
 */
#include <errno.h>
#include "insn.h"

/* MP, EM and TS. The fourth low bit is PE: LMSW can set it but not clear it */
#define LMSW_BITS	0xeu
#define CR0_PE		0x1u

/* The operand of MOV, LMSW and SMSW; the last two have it in memory, too */
static int find_operand(struct insn *in, int n, bool write)
{
	int shift;

	if (in->op[n].type == ZYDIS_OPERAND_TYPE_MEMORY)
		return mvmm_insn_find_operand(in, n, 0, write ?
					      MVMM_ACCESS_WRITE :
					      MVMM_ACCESS_READ);
	return in->op[n].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       mvmm_insn_reg(in, in->op[n].reg.value, &shift) ? 0 : -ENOTSUP;
}

static int read_cr(struct insn *in, uint64_t value)
{
	int ret = find_operand(in, 0, true);

	if (!ret)
		mvmm_insn_store(in, 0, value);
	return ret;
}

static int write_cr(struct insn *in, uint64_t old, uint64_t *value)
{
	bool lmsw = in->i->mnemonic == ZYDIS_MNEMONIC_LMSW;
	int n = lmsw ? 0 : 1, ret;

	if (in->i->mnemonic == ZYDIS_MNEMONIC_CLTS) {
		*value = old & ~8ull;
		return 0;
	}
	ret = find_operand(in, n, false);
	if (ret)
		return ret;
	*value = mvmm_insn_load(in, n);
	if (lmsw)
		*value = (old & ~(uint64_t)LMSW_BITS) |
			 (*value & (LMSW_BITS | CR0_PE));
	return 0;
}

int mvmm_complete_cr(struct mvmm_guest *guest)
{
	struct mvmm_run *run = guest->run;
	uint64_t old = run->cr.value, value = 0;
	uint8_t cr = run->cr.cr, write = run->cr.write;
	struct insn in;
	int ret;

	if (run->exit_reason != MVMM_EXIT_CR || (cr != 0 && cr != 4))
		return -EINVAL;
	ret = mvmm_insn_decode(&in, guest);
	if (ret)
		return mvmm_deliver(guest, ret, &in.exception);
	in.regs = run->regs;
	switch (in.i->mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_LMSW:
	case ZYDIS_MNEMONIC_SMSW:
	case ZYDIS_MNEMONIC_CLTS:
		break;
	default:
		return -ENOTSUP;
	}
	ret = write ? write_cr(&in, old, &value) : read_cr(&in, old);
	if (ret)
		return mvmm_deliver(guest, ret, &in.exception);
	run->regs = in.regs;
	run->retire = in.i->length;
	if (write) {
		run->set_cr = cr ? MVMM_SET_CR4 : MVMM_SET_CR0;
		run->cr_value = value;
	}
	return 0;
}
