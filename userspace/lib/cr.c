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

static int read_cr(struct insn *in, uint64_t value)
{
	/* MOV from a control register, or SMSW */
	return mvmm_insn_store(in, &in->op[0], value);
}

static int write_cr(struct insn *in, uint64_t old, uint64_t *value)
{
	bool lmsw = in->i->mnemonic == ZYDIS_MNEMONIC_LMSW;
	int ret;

	if (in->i->mnemonic == ZYDIS_MNEMONIC_CLTS) {
		*value = old & ~8ull;
		return 0;
	}
	ret = mvmm_insn_load(in, &in->op[lmsw ? 0 : 1], value);
	if (!ret && lmsw)
		*value = (old & ~(uint64_t)LMSW_BITS) |
			 (*value & (LMSW_BITS | CR0_PE));
	return ret;
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
		return mvmm_deliver_page_fault(guest, ret, &in.fault);
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
		return mvmm_deliver_page_fault(guest, ret, &in.fault);
	run->regs = in.regs;
	run->retire = in.i->length;
	if (write) {
		run->set_cr = cr ? MVMM_SET_CR4 : MVMM_SET_CR0;
		run->cr_value = value;
	}
	return 0;
}
