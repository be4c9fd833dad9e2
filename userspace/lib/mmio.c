// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Completion of MMIO exits: decode the instruction at rip (insn.c) and execute
 * it on the run page's registers. Only the instructions that drivers use on
 * devices are here; all others are refused.
 */
#include <errno.h>
#include <string.h>
#include "insn.h"

#define RFLAGS_CF	(1u << 0)
#define RFLAGS_PF	(1u << 2)
#define RFLAGS_AF	(1u << 4)
#define RFLAGS_ZF	(1u << 6)
#define RFLAGS_SF	(1u << 7)
#define RFLAGS_DF	(1u << 10)
#define RFLAGS_OF	(1u << 11)
#define ARITH_FLAGS	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | \
			 RFLAGS_SF | RFLAGS_OF)

static int64_t sign_extend(uint64_t value, int bits)
{
	return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static int move(struct insn *in, bool extend_sign)
{
	uint64_t value;
	int ret = mvmm_insn_load(in, &in->op[1], &value);

	if (ret)
		return ret;
	if (extend_sign)
		value = sign_extend(value, in->op[1].size);
	return mvmm_insn_store(in, &in->op[0], value);
}

/*
 * This CPU is an x86 too, so it computes the flags. The operands are shifted to
 * the top so that one 64-bit operation serves every width. Only AF, which comes
 * from the low nibble, is computed by hand.
 */
static uint64_t alu(ZydisMnemonic op, uint64_t a, uint64_t b, int bits,
		    bool carry, uint64_t *flags)
{
	int shift = 64 - bits;
	uint64_t x = a << shift, y = b << shift, r = 0, f = 0;
	uint64_t fill = carry && shift ? (1ull << shift) - 1 : 0;
	bool cf = false, of = false;
	unsigned char low;

	switch (op) {
	case ZYDIS_MNEMONIC_ADC:
		/* Ones below the operand pass the carry on to its lowest bit */
		x |= fill;
		asm("bt $0, %4\n\tadcq %3, %0"
		    : "+r" (x), "=@ccc" (cf), "=@cco" (of)
		    : "r" (y), "r" ((uint64_t)carry));
		r = x;
		break;
	case ZYDIS_MNEMONIC_SBB:
		y |= fill;
		asm("bt $0, %4\n\tsbbq %3, %0"
		    : "+r" (x), "=@ccc" (cf), "=@cco" (of)
		    : "r" (y), "r" ((uint64_t)carry));
		r = x;
		break;
	case ZYDIS_MNEMONIC_ADD:
		asm("addq %3, %0"
		    : "+r" (x), "=@ccc" (cf), "=@cco" (of) : "r" (y));
		r = x;
		break;
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_CMP:
		asm("subq %3, %0"
		    : "+r" (x), "=@ccc" (cf), "=@cco" (of) : "r" (y));
		r = x;
		break;
	case ZYDIS_MNEMONIC_OR:
		r = x | y;
		break;
	case ZYDIS_MNEMONIC_XOR:
		r = x ^ y;
		break;
	default: /* AND, TEST */
		r = x & y;
		break;
	}
	r >>= shift;
	switch (op) {
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_TEST:
		break;
	default:
		f = (cf ? RFLAGS_CF : 0) | (of ? RFLAGS_OF : 0);
		if ((a ^ b ^ r) & 0x10)
			f |= RFLAGS_AF;
		break;
	}
	low = r;
	if (!__builtin_parity(low))
		f |= RFLAGS_PF;
	if (!r)
		f |= RFLAGS_ZF;
	if (r >> (bits - 1) & 1)
		f |= RFLAGS_SF;
	*flags = (*flags & ~(uint64_t)ARITH_FLAGS) | f;
	return r;
}

static int arithmetic(struct insn *in, ZydisMnemonic op, bool keep_carry)
{
	bool one = in->i->mnemonic == ZYDIS_MNEMONIC_INC ||
		   in->i->mnemonic == ZYDIS_MNEMONIC_DEC;
	uint64_t flags = in->regs.rflags, a, b = 1, r;
	int ret = mvmm_insn_load(in, &in->op[0], &a);

	if (!ret && !one)
		ret = mvmm_insn_load(in, &in->op[1], &b);
	if (ret)
		return ret;
	b &= mvmm_size_mask(in->op[0].size / 8);
	r = alu(op, a, b, in->op[0].size, flags & RFLAGS_CF, &flags);
	if (keep_carry)
		flags = (flags & ~(uint64_t)RFLAGS_CF) |
			(in->regs.rflags & RFLAGS_CF);
	if (op != ZYDIS_MNEMONIC_CMP && op != ZYDIS_MNEMONIC_TEST)
		ret = mvmm_insn_store(in, &in->op[0], r);
	if (!ret)
		in->regs.rflags = flags;
	return ret;
}

static int invert(struct insn *in)
{
	uint64_t value;
	int ret = mvmm_insn_load(in, &in->op[0], &value);

	return ret ? ret : mvmm_insn_store(in, &in->op[0], ~value);
}

static int exchange(struct insn *in)
{
	uint64_t a, b;
	int ret = mvmm_insn_load(in, &in->op[0], &a);

	if (!ret)
		ret = mvmm_insn_load(in, &in->op[1], &b);
	/* The memory operand first: it can fault, a register cannot */
	if (!ret && in->op[1].type == ZYDIS_OPERAND_TYPE_MEMORY) {
		ret = mvmm_insn_store(in, &in->op[1], a);
		return ret ? ret : mvmm_insn_store(in, &in->op[0], b);
	}
	if (!ret)
		ret = mvmm_insn_store(in, &in->op[0], b);
	return ret ? ret : mvmm_insn_store(in, &in->op[1], a);
}

/* BT, BTS, BTR, BTC of a bit within the operand */
static int bit_test(struct insn *in)
{
	uint64_t value, bit, old;
	int ret = mvmm_insn_load(in, &in->op[0], &value);

	if (!ret)
		ret = mvmm_insn_load(in, &in->op[1], &bit);
	if (ret)
		return ret;
	if (in->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    bit >= in->op[0].size)
		return -ENOTSUP;
	bit = 1ull << (bit & (in->op[0].size - 1));
	old = value & bit;
	switch (in->i->mnemonic) {
	case ZYDIS_MNEMONIC_BTS:
		value |= bit;
		break;
	case ZYDIS_MNEMONIC_BTR:
		value &= ~bit;
		break;
	case ZYDIS_MNEMONIC_BTC:
		value ^= bit;
		break;
	default:
		break;
	}
	if (in->i->mnemonic != ZYDIS_MNEMONIC_BT)
		ret = mvmm_insn_store(in, &in->op[0], value);
	if (!ret)
		in->regs.rflags = (in->regs.rflags & ~(uint64_t)RFLAGS_CF) |
				  (old ? RFLAGS_CF : 0);
	return ret;
}

/* MOVS, STOS, LODS: one element; with REP, rip stays until the count is 0 */
static int string_insn(struct insn *in, bool *done)
{
	unsigned int addr_size = in->i->address_width / 8;
	unsigned int size = in->op[0].size / 8;
	uint64_t mask = mvmm_size_mask(addr_size);
	bool rep = in->i->attributes & ZYDIS_ATTRIB_HAS_REP;
	int64_t step = in->regs.rflags & RFLAGS_DF ? -(int64_t)size : size;
	bool si = in->i->mnemonic != ZYDIS_MNEMONIC_STOSB &&
		  in->i->mnemonic != ZYDIS_MNEMONIC_STOSW &&
		  in->i->mnemonic != ZYDIS_MNEMONIC_STOSD &&
		  in->i->mnemonic != ZYDIS_MNEMONIC_STOSQ;
	bool di = in->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	uint64_t value;
	int ret;

	/* MOVSD is also the name of an SSE instruction */
	if (in->i->meta.category != ZYDIS_CATEGORY_STRINGOP)
		return -ENOTSUP;
	*done = true;
	if (rep && !(in->regs.rcx & mask))
		return 0;
	ret = mvmm_insn_load(in, &in->op[1], &value);
	if (!ret)
		ret = mvmm_insn_store(in, &in->op[0], value);
	if (ret)
		return ret;
	if (si)
		mvmm_put_sized(&in->regs.rsi, in->regs.rsi + step, addr_size);
	if (di)
		mvmm_put_sized(&in->regs.rdi, in->regs.rdi + step, addr_size);
	if (rep) {
		mvmm_put_sized(&in->regs.rcx, in->regs.rcx - 1, addr_size);
		*done = !(in->regs.rcx & mask);
	}
	return 0;
}

static int execute(struct insn *in, bool *done)
{
	*done = true;
	/* The most frequent */
	if (in->i->mnemonic == ZYDIS_MNEMONIC_MOV)
		return move(in, false);
	switch (in->i->mnemonic) {
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVNTI:
		return move(in, false);
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
		return move(in, true);
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_ADC:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_SBB:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_TEST:
		return arithmetic(in, in->i->mnemonic, false);
	case ZYDIS_MNEMONIC_INC:
		return arithmetic(in, ZYDIS_MNEMONIC_ADD, true);
	case ZYDIS_MNEMONIC_DEC:
		return arithmetic(in, ZYDIS_MNEMONIC_SUB, true);
	case ZYDIS_MNEMONIC_NOT:
		return invert(in);
	case ZYDIS_MNEMONIC_XCHG:
		return exchange(in);
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		return bit_test(in);
	case ZYDIS_MNEMONIC_MOVSB:
	case ZYDIS_MNEMONIC_MOVSW:
	case ZYDIS_MNEMONIC_MOVSD:
	case ZYDIS_MNEMONIC_MOVSQ:
	case ZYDIS_MNEMONIC_STOSB:
	case ZYDIS_MNEMONIC_STOSW:
	case ZYDIS_MNEMONIC_STOSD:
	case ZYDIS_MNEMONIC_STOSQ:
	case ZYDIS_MNEMONIC_LODSB:
	case ZYDIS_MNEMONIC_LODSW:
	case ZYDIS_MNEMONIC_LODSD:
	case ZYDIS_MNEMONIC_LODSQ:
		return string_insn(in, done);
	default:
		return -ENOTSUP;
	}
}

/*
 * Is this the access that the CPU exited for? Then the CPU has translated the
 * address, checked the rights and set the accessed and dirty bits already. The
 * instruction has only one memory operand, so equal page offsets are enough.
 */
static bool is_exit_access(const struct mvmm_run *run, uint64_t gva,
			   const struct plain_mov *mov)
{
	return !((gva ^ run->mmio.gpa) & 4095) &&
	       (gva & 4095) + mov->size <= 4096 &&
	       mov->store == !!(run->mmio.access & MVMM_ACCESS_WRITE);
}

/* The short path: without a copy of the registers */
static int complete_plain_mov(struct insn *in)
{
	struct mvmm_run *run = in->guest->run;
	const struct plain_mov *mov = in->mov;
	__u64 *regs = &run->regs.rax;
	uint64_t gva = mov->disp, value = regs[mov->reg];
	int ret;

	if (mov->base != NO_REG)
		gva += regs[mov->base];
	if (mov->index != NO_REG)
		gva += regs[mov->index] * mov->scale;
	if (!mov->store)
		value = 0;
	if (is_exit_access(run, gva, mov)) {
		in->guest->mmio(in->guest->ctx, run->mmio.gpa, &value,
				mov->size, mov->store);
	} else {
		ret = mvmm_access(in->guest, in->paging, gva, &value, mov->size,
				  mov->store, &in->fault);
		if (ret)
			return ret;
	}
	if (!mov->store)
		regs[mov->reg] = value;
	run->retire = in->i->length;
	return 0;
}

int mvmm_complete_mmio(struct mvmm_guest *guest)
{
	struct insn in;
	bool done;
	int ret;

	if (guest->run->exit_reason != MVMM_EXIT_MMIO)
		return -EINVAL;
	/* The CPU accessed a descriptor or a stack; no instruction did */
	if (guest->run->exit_flags & MVMM_EXIT_FLAG_IN_DELIVERY)
		return -ENOTSUP;
	ret = mvmm_insn_decode(&in, guest);
	if (!ret && in.mov->is) {
		ret = complete_plain_mov(&in);
		if (!ret)
			return 0;
	} else if (!ret) {
		in.regs = guest->run->regs;
		ret = execute(&in, &done);
	}
	if (ret)
		return mvmm_deliver_page_fault(guest, ret, &in.fault);
	guest->run->regs = in.regs;
	if (done)
		guest->run->retire = in.i->length;
	return 0;
}
