/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoding of the instruction at rip, between the files of this library. */
#ifndef MVMM_INSN_H
#define MVMM_INSN_H

#include <Zydis/Zydis.h>
#include "internal.h"

#define MVMM_INSN_BYTES 15

/* MOV between a register and memory, in 64-bit code, without a segment base */
struct plain_mov {
	bool is;
	bool store;
	uint8_t size, reg;
	uint8_t base, index;	/* registers, or NO_REG */
	uint8_t scale;
	int64_t disp;
};

#define NO_REG 16

struct decoded {
	struct plain_mov mov;
	uint8_t mode;		/* a ZydisMachineMode and one more: 0 is none */
	uint8_t bytes[16];
	ZydisDecodedInstruction i;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

/* By the address of the instruction */
struct mvmm_decode_cache {
	struct decoded entry[32];
};

/* Members are in place after mvmm_insn_decode() */
struct insn {
	struct mvmm_guest *guest;
	const struct mvmm_paging *paging;
	/* The caller's copy, put back on success; not filled in by decode() */
	struct mvmm_regs regs;
	struct mvmm_page_fault fault;
	const ZydisDecodedInstruction *i;
	const ZydisDecodedOperand *op;
	const struct plain_mov *mov;
	struct decoded own;		/* without a cache */
};

/* 0; -ENOTSUP: not to be decoded; -EFAULT: @in->fault is the guest's */
int mvmm_insn_decode(struct insn *in, struct mvmm_guest *guest);
/* Operands: general registers, immediates, memory of up to 8 bytes */
int mvmm_insn_load(struct insn *in, const ZydisDecodedOperand *op,
		   uint64_t *value);
int mvmm_insn_store(struct insn *in, const ZydisDecodedOperand *op,
		    uint64_t value);
/* Of the memory operand's segment, DS if it has none */
int mvmm_insn_segment_base(struct insn *in, uint64_t *base);

#endif
