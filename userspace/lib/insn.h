/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decoding of the instruction at rip, for the files of this library: insn.c
 * decodes and accesses operands; execute.c, vector.c, cr.c and io.c execute.
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

/* mvmm_insn_decode() fills in all members but @regs, @span and @sregs */
struct insn {
	struct mvmm_guest *guest;
	const struct mvmm_paging *paging;
	/* A copy that the caller makes, and puts back when it succeeds */
	struct mvmm_regs regs;
	struct mvmm_exception exception;
	const struct decoded *decoded;	/* of which these are parts: */
	const ZydisDecodedInstruction *i;
	const ZydisDecodedOperand *op;
	const struct plain_mov *mov;
	/* Of memory operands, by their index: mvmm_insn_find() */
	struct mvmm_span span[ZYDIS_MAX_OPERAND_COUNT];
	bool has_sregs;
	struct mvmm_sregs sregs;
	struct decoded own;		/* used if there is no cache */
};

/* Functions that return -EFAULT have set @in->exception for the guest */

/* 0; -EFAULT; -ENOTSUP: no valid instruction */
int mvmm_insn_decode(struct insn *in, struct mvmm_guest *guest);
/* -EFAULT with #GP, #UD and the like; without an error code in real mode */
int mvmm_insn_raise(struct insn *in, uint8_t vector, uint32_t error_code);
/*
 * Finds @size bytes at @offset of a segment: @in->span[@n]. -EFAULT: outside the
 * segment, or #PF. @access: MVMM_ACCESS_*, WRITE if both read and written.
 */
int mvmm_insn_find(struct insn *in, int n, ZydisRegister segment,
		   uint64_t offset, unsigned int size, uint32_t access);
/* The same for operand @n, whose address is @more bytes further */
int mvmm_insn_find_operand(struct insn *in, int n, int64_t more,
			   uint32_t access);
/* The address of operand @n within its segment */
uint64_t mvmm_insn_offset(struct insn *in, int n);
/* Segments and control registers, read once. Returns NULL on failure */
const struct mvmm_sregs *mvmm_insn_sregs(struct insn *in);
/* Where @in->regs has a general register; NULL: it is none. @shift: 8 for AH */
__u64 *mvmm_insn_reg(struct insn *in, ZydisRegister reg, int *shift);
/*
 * Operand @n: a general register, an immediate, or memory of up to 8 bytes that
 * was found. They cannot fail.
 */
uint64_t mvmm_insn_load(struct insn *in, int n);
void mvmm_insn_store(struct insn *in, int n, uint64_t value);
bool mvmm_insn_is_long(const struct insn *in);

#endif
