// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Execution of an instruction that touched a device: the table of those that are
 * known, and the integer ones. All memory operands are found, and all checks
 * done, before the first access, because a device's register cannot be read
 * twice. The stack is in stack.c, vector registers in vector.c, arithmetic in
 * alu.c.
 */
#include <errno.h>
#include "alu.h"
#include "execute.h"

#define CR0_PE		(1u << 0)
#define RFLAGS_TF	(1u << 8)
#define RFLAGS_DF	(1u << 10)
#define RFLAGS_VM	(1u << 17)

/* Elements of a REP form that are done before the guest may run again */
#define MAX_REPEAT	4096

struct operation {
	int (*execute)(struct insn *in);
	/* It finds its memory operands itself */
	bool finds;
	/* Its operands are not only memory, general registers and immediates */
	bool other_registers;
};

static uint64_t size_of(const struct insn *in)
{
	return in->op[0].size / 8;
}

static int move(struct insn *in)
{
	mvmm_insn_store(in, 0, mvmm_insn_load(in, 1));
	return 0;
}

static int move_signed(struct insn *in)
{
	int unused = 64 - in->op[1].size;
	uint64_t value = mvmm_insn_load(in, 1);

	mvmm_insn_store(in, 0, (int64_t)(value << unused) >> unused);
	return 0;
}

static int move_swapped(struct insn *in)
{
	uint64_t value = __builtin_bswap64(mvmm_insn_load(in, 1));

	mvmm_insn_store(in, 0, value >> (64 - in->op[0].size));
	return 0;
}

/* CMOVcc: a memory operand is read in any case */
static int move_if(struct insn *in)
{
	uint64_t value = mvmm_insn_load(in, 1);

	if (!mvmm_condition(in->i->opcode, in->regs.rflags))
		value = mvmm_insn_load(in, 0);
	mvmm_insn_store(in, 0, value);
	return 0;
}

static int set_if(struct insn *in)
{
	mvmm_insn_store(in, 0, mvmm_condition(in->i->opcode, in->regs.rflags));
	return 0;
}

/* result = operand 0 op operand 1 */
static int arithmetic(struct insn *in)
{
	uint64_t a = mvmm_insn_load(in, 0), b = mvmm_insn_load(in, 1);
	ZydisMnemonic op = in->i->mnemonic;

	a = mvmm_alu(op, size_of(in), a, b, &in->regs.rflags);
	/* BSF and BSR of 0 leave the register, also the upper half of 64 bits */
	if (op != ZYDIS_MNEMONIC_CMP && op != ZYDIS_MNEMONIC_TEST &&
	    (b || (op != ZYDIS_MNEMONIC_BSF && op != ZYDIS_MNEMONIC_BSR)))
		mvmm_insn_store(in, 0, a);
	return 0;
}

static int unary(struct insn *in)
{
	mvmm_insn_store(in, 0, mvmm_alu(in->i->mnemonic, size_of(in),
					mvmm_insn_load(in, 0), 0,
					&in->regs.rflags));
	return 0;
}

/* ADOX: ADCX with the overflow flag in the place of the carry */
static int add_overflow(struct insn *in)
{
	__u64 *rflags = &in->regs.rflags;
	__u64 f = *rflags & RFLAGS_OF ? RFLAGS_CF : 0;

	mvmm_insn_store(in, 0, mvmm_alu(ZYDIS_MNEMONIC_ADCX, size_of(in),
					mvmm_insn_load(in, 0),
					mvmm_insn_load(in, 1), &f));
	*rflags &= ~(uint64_t)RFLAGS_OF;
	*rflags |= f & RFLAGS_CF ? RFLAGS_OF : 0;
	return 0;
}

/* BMI: the last two operands. With one source, the other is the result */
static int bits(struct insn *in)
{
	int last = in->i->operand_count_visible - 1;

	mvmm_insn_store(in, 0, mvmm_bits(in->i->mnemonic, size_of(in),
					 mvmm_insn_load(in, last - 1),
					 mvmm_insn_load(in, last),
					 &in->regs.rflags));
	return 0;
}

static int crc32(struct insn *in)
{
	mvmm_insn_store(in, 0, mvmm_crc32(mvmm_insn_load(in, 0),
					  mvmm_insn_load(in, 1),
					  in->op[1].size));
	return 0;
}

static int shift_double(struct insn *in)
{
	mvmm_insn_store(in, 0, mvmm_shift_double(
				in->i->mnemonic == ZYDIS_MNEMONIC_SHLD,
				size_of(in), mvmm_insn_load(in, 0),
				mvmm_insn_load(in, 1), mvmm_insn_load(in, 2),
				&in->regs.rflags));
	return 0;
}

/* rdx:rax of this width; of bytes, ah:al */
static void load_double(const struct insn *in, uint64_t *high, uint64_t *low)
{
	*low = in->regs.rax;
	*high = size_of(in) == 1 ? in->regs.rax >> 8 : in->regs.rdx;
}

static void store_double(struct insn *in, uint64_t high, uint64_t low)
{
	if (size_of(in) == 1) {
		mvmm_put_sized(&in->regs.rax, (high & 0xff) << 8 | low, 2);
		return;
	}
	mvmm_put_sized(&in->regs.rax, low, size_of(in));
	mvmm_put_sized(&in->regs.rdx, high, size_of(in));
}

static int multiply(struct insn *in)
{
	bool sign = in->i->mnemonic == ZYDIS_MNEMONIC_IMUL;
	uint64_t high, low;

	if (sign && in->i->operand_count_visible == 3) {
		mvmm_insn_store(in, 0, mvmm_alu(in->i->mnemonic, size_of(in),
						mvmm_insn_load(in, 1),
						mvmm_insn_load(in, 2),
						&in->regs.rflags));
		return 0;
	}
	if (sign && in->i->operand_count_visible == 2)
		return arithmetic(in);
	load_double(in, &high, &low);
	mvmm_multiply(sign, size_of(in), mvmm_insn_load(in, 0), &high, &low,
		      &in->regs.rflags);
	store_double(in, high, low);
	return 0;
}

/* MULX. If both results are one register, it gets the upper half */
static int multiply_to(struct insn *in)
{
	uint64_t high, low = in->regs.rdx;
	__u64 unused = 0;

	mvmm_multiply(false, size_of(in), mvmm_insn_load(in, 2), &high, &low,
		      &unused);
	mvmm_insn_store(in, 1, low);
	mvmm_insn_store(in, 0, high);
	return 0;
}

static int divide(struct insn *in)
{
	uint64_t high, low;

	load_double(in, &high, &low);
	if (!mvmm_divide(in->i->mnemonic == ZYDIS_MNEMONIC_IDIV, size_of(in),
			 mvmm_insn_load(in, 0), &high, &low))
		return mvmm_insn_raise(in, 0, 0);
	store_double(in, high, low);
	return 0;
}

static int exchange(struct insn *in)
{
	uint64_t a = mvmm_insn_load(in, 0), b = mvmm_insn_load(in, 1);

	mvmm_insn_store(in, 0, b);
	mvmm_insn_store(in, 1, a);
	return 0;
}

static int exchange_add(struct insn *in)
{
	uint64_t a = mvmm_insn_load(in, 0), b = mvmm_insn_load(in, 1);

	mvmm_insn_store(in, 1, a);
	mvmm_insn_store(in, 0, mvmm_alu(ZYDIS_MNEMONIC_ADD, size_of(in), a, b,
					&in->regs.rflags));
	return 0;
}

/* The CPU writes in any case: the old value if the comparison fails */
static int compare_exchange(struct insn *in)
{
	unsigned int size = size_of(in);
	uint64_t a = mvmm_insn_load(in, 0), b = mvmm_insn_load(in, 1);
	uint64_t expected = in->regs.rax & mvmm_size_mask(size);

	mvmm_alu(ZYDIS_MNEMONIC_CMP, size, expected, a, &in->regs.rflags);
	if (a == expected) {
		mvmm_insn_store(in, 0, b);
		return 0;
	}
	mvmm_insn_store(in, 0, a);
	mvmm_put_sized(&in->regs.rax, a, size);
	return 0;
}

/* CMPXCHG8B and CMPXCHG16B: rdx:rax and rcx:rbx */
static int compare_exchange_double(struct insn *in)
{
	unsigned int half = size_of(in) / 2;
	uint64_t mask = mvmm_size_mask(half);
	struct mvmm_regs *r = &in->regs;
	uint64_t old[2] = { 0 }, new[2];
	uint8_t bytes[16];

	mvmm_access_span(in->guest, &in->span[0], bytes, false);
	__builtin_memcpy(&old[0], bytes, half);
	__builtin_memcpy(&old[1], bytes + half, half);
	if (old[0] == (r->rax & mask) && old[1] == (r->rdx & mask)) {
		r->rflags |= RFLAGS_ZF;
		new[0] = r->rbx;
		new[1] = r->rcx;
	} else {
		r->rflags &= ~(uint64_t)RFLAGS_ZF;
		new[0] = old[0];
		new[1] = old[1];
		mvmm_put_sized(&r->rax, old[0], half);
		mvmm_put_sized(&r->rdx, old[1], half);
	}
	__builtin_memcpy(bytes, &new[0], half);
	__builtin_memcpy(bytes + half, &new[1], half);
	mvmm_access_span(in->guest, &in->span[0], bytes, true);
	return 0;
}

/* BT and the like: a register's bit can be outside the operand */
static int bit_test(struct insn *in)
{
	bool changes = in->i->mnemonic != ZYDIS_MNEMONIC_BT;
	int unused = 64 - in->op[0].size, ret;
	int64_t bit = 0;

	if (in->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER)
		bit = (int64_t)(mvmm_insn_load(in, 1) << unused) >> unused;
	ret = mvmm_insn_find_operand(in, 0,
				     (bit & -(int64_t)in->op[0].size) / 8,
				     changes ? MVMM_ACCESS_WRITE :
					       MVMM_ACCESS_READ);
	if (ret)
		return ret;
	bit = mvmm_alu(in->i->mnemonic, size_of(in), mvmm_insn_load(in, 0),
		       mvmm_insn_load(in, 1), &in->regs.rflags);
	if (changes)
		mvmm_insn_store(in, 0, bit);
	return 0;
}

/* CLFLUSH and the like. A device's registers are in no cache: it sees nothing */
static int flush(struct insn *in)
{
	return mvmm_insn_find(in, 0, in->op[0].mem.segment,
			      mvmm_insn_offset(in, 0), 1, MVMM_ACCESS_READ);
}

/* AL is the index, without the rest of rax */
static int translate_byte(struct insn *in)
{
	uint64_t mask = mvmm_size_mask(in->i->address_width / 8);
	int ret = mvmm_insn_find(in, 0, in->op[0].mem.segment,
				 (in->regs.rbx + (in->regs.rax & 0xff)) & mask,
				 1, MVMM_ACCESS_READ);

	if (!ret)
		mvmm_insn_store(in, 1, mvmm_insn_load(in, 0));
	return ret;
}

/* ---- system registers --------------------------------------------------- */

/*
 * MOV between memory and a segment register. In protected mode the load reads a
 * descriptor, too: refused.
 */
static int move_segment(struct insn *in)
{
	bool store = in->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	const ZydisDecodedOperand *reg = &in->op[store ? 1 : 0];
	bool is_real = !(in->paging->cr0 & CR0_PE) ||
		       in->regs.rflags & RFLAGS_VM;
	struct mvmm_segment *segment;
	int ret, i;

	if (reg->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    reg->reg.value < ZYDIS_REGISTER_ES ||
	    reg->reg.value > ZYDIS_REGISTER_GS ||
	    (!store && (!is_real || reg->reg.value == ZYDIS_REGISTER_CS ||
			reg->reg.value == ZYDIS_REGISTER_SS)))
		return -ENOTSUP;
	if (!mvmm_insn_sregs(in))
		return -EIO;
	i = reg->reg.value - ZYDIS_REGISTER_ES;
	segment = &in->sregs.es + i;
	ret = mvmm_insn_find_operand(in, !store, 0,
				     store ? MVMM_ACCESS_WRITE :
					     MVMM_ACCESS_READ);
	if (ret)
		return ret;
	if (store) {
		mvmm_insn_store(in, 0, segment->selector);
		return 0;
	}
	segment->selector = mvmm_insn_load(in, 1);
	segment->base = segment->selector << 4;
	return mvmm_set_sregs(in->guest->vcpu, &in->sregs) ? -EIO : 0;
}

static int store_cr0(struct insn *in)
{
	mvmm_insn_store(in, 0, in->paging->cr0);
	return 0;
}

/* ---- string instructions ------------------------------------------------ */

static bool compares(const struct insn *in)
{
	switch (in->i->mnemonic) {
	case ZYDIS_MNEMONIC_CMPSB:
	case ZYDIS_MNEMONIC_CMPSW:
	case ZYDIS_MNEMONIC_CMPSD:
	case ZYDIS_MNEMONIC_CMPSQ:
	case ZYDIS_MNEMONIC_SCASB:
	case ZYDIS_MNEMONIC_SCASW:
	case ZYDIS_MNEMONIC_SCASD:
	case ZYDIS_MNEMONIC_SCASQ:
		return true;
	default:
		return false;
	}
}

/* One element. The two operands are memory at rsi or rdi, or rax */
static int string_element(struct insn *in, bool compare)
{
	unsigned int size = size_of(in), width = in->i->address_width / 8, i;
	int64_t step = in->regs.rflags & RFLAGS_DF ? -(int64_t)size : size;
	int shift, ret;
	__u64 *index;
	uint64_t a;

	for (i = 0; i < 2; i++) {
		if (in->op[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		ret = mvmm_insn_find_operand(in, i, 0, compare || i ?
					     MVMM_ACCESS_READ :
					     MVMM_ACCESS_WRITE);
		if (ret)
			return ret;
	}
	if (compare) {
		a = mvmm_insn_load(in, 0);
		mvmm_alu(ZYDIS_MNEMONIC_CMP, size, a, mvmm_insn_load(in, 1),
			 &in->regs.rflags);
	} else {
		mvmm_insn_store(in, 0, mvmm_insn_load(in, 1));
	}
	for (i = 0; i < 2; i++) {
		if (in->op[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		index = mvmm_insn_reg(in, in->op[i].mem.base, &shift);
		mvmm_put_sized(index, *index + step, width);
	}
	return 0;
}

/* F2 or F3; 0: none. Of both the last one counts */
static uint8_t repeat_prefix(const struct insn *in)
{
	int i;

	for (i = in->i->raw.prefix_count - 1; i >= 0; i--)
		if (in->i->raw.prefixes[i].value == 0xf2 ||
		    in->i->raw.prefixes[i].value == 0xf3)
			return in->i->raw.prefixes[i].value;
	return 0;
}

/*
 * MOVS, STOS, LODS, CMPS, SCAS. F2 is a REP for the first three, too: the SDM
 * reserves it, and CPUs take it so.
 */
static int string(struct insn *in)
{
	unsigned int width = in->i->address_width / 8, left;
	uint64_t mask = mvmm_size_mask(width);
	uint8_t rep = repeat_prefix(in);
	bool compare = compares(in);
	int ret;

	/* MOVSD and CMPSD are also names of SSE instructions */
	if (in->i->meta.category != ZYDIS_CATEGORY_STRINGOP)
		return compare ? -ENOTSUP : mvmm_move_vector(in);
	if (!rep)
		return string_element(in, compare);
	/* With TF one at a time; but the trap comes after the last: errata.rst */
	left = in->regs.rflags & RFLAGS_TF ? 1 : MAX_REPEAT;
	for (; in->regs.rcx & mask; left--) {
		if (!left)
			return -EAGAIN;
		ret = string_element(in, compare);
		/* What is done is done: the next exit is of the fault only */
		if (ret)
			return in->regs.rcx == in->guest->run->regs.rcx ?
				ret : -EAGAIN;
		mvmm_put_sized(&in->regs.rcx, in->regs.rcx - 1, width);
		/* REPE (F3) goes on while they are equal */
		if (compare && !(in->regs.rflags & RFLAGS_ZF) == (rep == 0xf3))
			break;
	}
	return 0;
}

#define STRING(name)							\
	[ZYDIS_MNEMONIC_##name##B] = { .execute = string, .finds = true,		\
				       .other_registers = true },	\
	[ZYDIS_MNEMONIC_##name##W] = { .execute = string, .finds = true,		\
				       .other_registers = true },	\
	[ZYDIS_MNEMONIC_##name##D] = { .execute = string, .finds = true,		\
				       .other_registers = true },	\
	[ZYDIS_MNEMONIC_##name##Q] = { .execute = string, .finds = true,		\
				       .other_registers = true }
#define VECTOR_BY(name, function)					\
	[ZYDIS_MNEMONIC_##name] = { .execute = function, .finds = true,	\
				    .other_registers = true }
/* The form of SSE, and the one of AVX */
#define VECTORS_BY(name, function)					\
	VECTOR_BY(name, function), VECTOR_BY(V##name, function)
#define VECTOR(name)	VECTOR_BY(name, mvmm_move_vector)
#define VECTORS(name)	VECTORS_BY(name, mvmm_move_vector)
#define WIDEN(types)							\
	VECTORS_BY(PMOVZX##types, mvmm_widen_vector),			\
	VECTORS_BY(PMOVSX##types, mvmm_widen_vector)
#define REPEAT(name)	VECTOR_BY(name, mvmm_repeat_vector)
#define ONE(name, function) [ZYDIS_MNEMONIC_##name] = { .execute = function }
#define FINDS(name, function)						\
	[ZYDIS_MNEMONIC_##name] = { .execute = function, .finds = true }
#define CONDITIONS(name, function)					\
	ONE(name##O, function), ONE(name##NO, function),		\
	ONE(name##B, function), ONE(name##NB, function),		\
	ONE(name##Z, function), ONE(name##NZ, function),		\
	ONE(name##BE, function), ONE(name##NBE, function),		\
	ONE(name##S, function), ONE(name##NS, function),		\
	ONE(name##P, function), ONE(name##NP, function),		\
	ONE(name##L, function), ONE(name##NL, function),		\
	ONE(name##LE, function), ONE(name##NLE, function)

/* MOV comes first where it is a plain one: see mmio.c */
static const struct operation operations[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
	[ZYDIS_MNEMONIC_MOV] = { .execute = move, .other_registers = true },
	ONE(MOVZX, move), ONE(MOVNTI, move), ONE(MOVSX, move_signed),
	ONE(MOVSXD, move_signed), ONE(MOVBE, move_swapped),
	CONDITIONS(CMOV, move_if), CONDITIONS(SET, set_if),
	ONE(ADD, arithmetic), ONE(ADC, arithmetic), ONE(SUB, arithmetic),
	ONE(SBB, arithmetic), ONE(AND, arithmetic), ONE(OR, arithmetic),
	ONE(XOR, arithmetic), ONE(CMP, arithmetic), ONE(TEST, arithmetic),
	ONE(SHL, arithmetic), ONE(SHR, arithmetic), ONE(SAR, arithmetic),
	ONE(ROL, arithmetic), ONE(ROR, arithmetic), ONE(RCL, arithmetic),
	ONE(RCR, arithmetic), ONE(SHLD, shift_double), ONE(SHRD, shift_double),
	ONE(INC, unary), ONE(DEC, unary), ONE(NEG, unary), ONE(NOT, unary),
	ONE(MUL, multiply), ONE(IMUL, multiply), ONE(DIV, divide),
	ONE(IDIV, divide), ONE(BSF, arithmetic), ONE(BSR, arithmetic),
	ONE(POPCNT, arithmetic), ONE(TZCNT, arithmetic),
	ONE(LZCNT, arithmetic), ONE(ADCX, arithmetic), ONE(ADOX, add_overflow),
	ONE(ANDN, bits), ONE(BEXTR, bits), ONE(BLSI, bits), ONE(BLSR, bits),
	ONE(BLSMSK, bits), ONE(BZHI, bits), ONE(PDEP, bits), ONE(PEXT, bits),
	ONE(RORX, bits), ONE(SARX, bits), ONE(SHLX, bits), ONE(SHRX, bits),
	ONE(MULX, multiply_to), ONE(CRC32, crc32),
	ONE(XCHG, exchange), ONE(XADD, exchange_add),
	ONE(CMPXCHG, compare_exchange), ONE(CMPXCHG8B, compare_exchange_double),
	ONE(CMPXCHG16B, compare_exchange_double), ONE(SMSW, store_cr0),
	FINDS(BT, bit_test), FINDS(BTS, bit_test), FINDS(BTR, bit_test),
	FINDS(BTC, bit_test), FINDS(PUSH, mvmm_push), FINDS(POP, mvmm_pop),
	FINDS(JMP, mvmm_jump), FINDS(CALL, mvmm_call),
	FINDS(LEAVE, mvmm_leave), FINDS(RET, mvmm_return),
	FINDS(CLFLUSH, flush), FINDS(CLFLUSHOPT, flush), FINDS(CLWB, flush),
	FINDS(XLAT, translate_byte),
	STRING(MOVS), STRING(STOS), STRING(LODS), STRING(CMPS), STRING(SCAS),
	VECTORS(MOVAPS), VECTORS(MOVAPD), VECTORS(MOVUPS), VECTORS(MOVUPD),
	VECTORS(MOVDQA), VECTORS(MOVDQU), VECTORS(LDDQU), VECTORS(MOVNTPS),
	VECTORS(MOVNTPD), VECTORS(MOVNTDQ), VECTORS(MOVNTDQA), VECTORS(MOVD),
	VECTORS(MOVQ), VECTORS(MOVSS), VECTOR(VMOVSD), VECTORS(MOVLPS),
	VECTORS(MOVLPD), VECTORS(MOVHPS), VECTORS(MOVHPD), VECTOR(MOVNTQ),
	VECTOR(VMOVDQU8), VECTOR(VMOVDQU16), VECTOR(VMOVDQU32),
	VECTOR(VMOVDQU64), VECTOR(VMOVDQA32), VECTOR(VMOVDQA64),
	VECTORS(PINSRB), VECTORS(PINSRW), VECTORS(PINSRD), VECTORS(PINSRQ),
	VECTORS(PEXTRB), VECTORS(PEXTRW), VECTORS(PEXTRD), VECTORS(PEXTRQ),
	VECTORS(EXTRACTPS), VECTOR(VINSERTF128), VECTOR(VINSERTI128),
	VECTOR(VEXTRACTF128), VECTOR(VEXTRACTI128),
	REPEAT(VBROADCASTSS), REPEAT(VBROADCASTSD), REPEAT(VBROADCASTF128),
	REPEAT(VBROADCASTI128), REPEAT(VPBROADCASTB), REPEAT(VPBROADCASTW),
	REPEAT(VPBROADCASTD), REPEAT(VPBROADCASTQ), REPEAT(MOVDDUP),
	REPEAT(VMOVDDUP), REPEAT(MOVSLDUP), REPEAT(VMOVSLDUP),
	REPEAT(MOVSHDUP), REPEAT(VMOVSHDUP),
	WIDEN(BW), WIDEN(BD), WIDEN(BQ), WIDEN(WD), WIDEN(WQ), WIDEN(DQ),
	VECTORS_BY(LDMXCSR, mvmm_move_mxcsr),
	VECTORS_BY(STMXCSR, mvmm_move_mxcsr),
};

bool mvmm_executes(ZydisMnemonic mnemonic)
{
	return operations[mnemonic].execute;
}

static uint32_t access_of(const ZydisDecodedOperand *op)
{
	return op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ?
	       MVMM_ACCESS_WRITE : MVMM_ACCESS_READ;
}

int mvmm_execute(struct insn *in)
{
	const struct operation *o = &operations[in->i->mnemonic];
	int i, shift, ret;

	if (!o->execute)
		return -ENOTSUP;
	for (i = 0; i < in->i->operand_count_visible; i++) {
		const ZydisDecodedOperand *op = &in->op[i];

		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    !mvmm_insn_reg(in, op->reg.value, &shift)) {
			if (!o->other_registers)
				return -ENOTSUP;
			if (o->execute == move)
				return move_segment(in);
		}
		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || o->finds)
			continue;
		ret = mvmm_insn_find_operand(in, i, 0, access_of(op));
		if (ret)
			return ret;
	}
	return o->execute(in);
}
