/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decoding of the instruction at rip, for the files of this library: insn.c
 * decodes and accesses operands; cr.c, io.c and mmio.c execute.
 */
#ifndef MVMM_INSN_H
#define MVMM_INSN_H

#include <Zydis/Zydis.h>
#include "internal.h"

#define MVMM_INSN_BYTES 15

/*
 * A MOV of 4 or 8 bytes between a register and memory, in 64-bit code and
 * without a segment base. Drivers use it most, so it has a short path.
 */
struct plain_mov {
	bool is;		/* the instruction is such a MOV */
	bool store;		/* register to memory */
	uint8_t size, reg;
	uint8_t base, index;	/* registers, or NO_REG */
	uint8_t scale;
	int64_t disp;
};

#define NO_REG 16

struct decoded {
	struct plain_mov mov;
	uint8_t mode;		/* ZydisMachineMode + 1; 0: the entry is empty */
	uint8_t bytes[16];
	ZydisDecodedInstruction i;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

/* Indexed by the address of the instruction */
struct mvmm_decode_cache {
	struct decoded entry[32];
};

/* mvmm_insn_decode() fills in all members but @regs */
struct insn {
	struct mvmm_guest *guest;
	const struct mvmm_paging *paging;
	/* A copy that the caller makes, and puts back when it succeeds */
	struct mvmm_regs regs;
	struct mvmm_page_fault fault;
	const ZydisDecodedInstruction *i;
	const ZydisDecodedOperand *op;
	const struct plain_mov *mov;
	struct decoded own;		/* used if there is no cache */
};

/* 0; -ENOTSUP: no valid instruction; -EFAULT: the guest is to get @in->fault */
int mvmm_insn_decode(struct insn *in, struct mvmm_guest *guest);
/* Operands may be general registers, immediates, memory of up to 8 bytes */
int mvmm_insn_load(struct insn *in, const ZydisDecodedOperand *op,
		   uint64_t *value);
int mvmm_insn_store(struct insn *in, const ZydisDecodedOperand *op,
		    uint64_t value);
/* The base of the memory operand's segment; without one, of DS */
int mvmm_insn_segment_base(struct insn *in, uint64_t *base);

#endif
