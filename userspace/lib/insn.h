/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoding of the instruction at rip, between the files of this library. */
#ifndef MVMM_INSN_H
#define MVMM_INSN_H

#include <Zydis/Zydis.h>
#include "internal.h"

/* Members are in place after mvmm_insn_decode() */
struct insn {
	struct mvmm_guest *guest;
	struct mvmm_sregs sregs;
	struct mvmm_regs regs;		/* a copy, put back on success */
	struct mvmm_page_fault fault;
	ZydisDecodedInstruction i;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

/* 0; -ENOTSUP: not to be decoded; -EFAULT: @in->fault is the guest's */
int mvmm_insn_decode(struct insn *in, struct mvmm_guest *guest);
/* Operands: general registers, immediates, memory of up to 8 bytes */
int mvmm_insn_load(struct insn *in, const ZydisDecodedOperand *op,
		   uint64_t *value);
int mvmm_insn_store(struct insn *in, const ZydisDecodedOperand *op,
		    uint64_t value);
/* Of the memory operand's segment, DS if it has none */
uint64_t mvmm_insn_segment_base(struct insn *in);

#endif
