// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Moves between a device and an MMX, XMM, YMM or ZMM register: SSE, AVX and
 * AVX-512, without arithmetic and masks. The registers are in the XSAVE area (SDM
 * vol. 1, 13.4 and 13.5), in which a component that is in its initial state need
 * not be present.
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include "execute.h"

/* More than any component that mvmm offers needs */
#define AREA_SIZE	16384
#define FSW_AT		2
#define FTW_AT		4
#define MXCSR_AT	24
#define MXCSR_MASK_AT	28
#define ST_AT		32
#define XMM_AT		160
#define HEADER_AT	512
#define HAS_X87		(1u << 0)
#define HAS_SSE		(1u << 1)
#define FSW_TOP		(7u << 11)
#define CR0_EM		(1u << 2)
#define CR0_TS		(1u << 3)
#define CR4_OSFXSR	(1u << 9)
#define CR4_OSXSAVE	(1u << 18)

struct area {
	uint8_t bytes[AREA_SIZE] __attribute__((aligned(64)));
};

/*
 * The components that the host uses (XCR0). 0: it does not use XSAVE; the area is
 * FXSAVE's then: it has no header, and all of it is always present
 */
static uint64_t components(void)
{
	/* The CPU's: asking is an exit where the host is a guest */
	static uint64_t known;
	uint64_t c = __atomic_load_n(&known, __ATOMIC_RELAXED);
	unsigned int eax, ebx, ecx = 0, edx;

	if (!c) {
		if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) ||
		    !(ecx & bit_OSXSAVE))
			return 0;
		asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
		c = (uint64_t)edx << 32 | eax;
		__atomic_store_n(&known, c, __ATOMIC_RELAXED);
	}
	return c;
}

/* Makes a component present: all zeros, if it was in its initial state */
static void need(struct area *a, uint64_t component, unsigned int at,
		 unsigned int size)
{
	uint64_t present;

	if (!components())
		return;
	memcpy(&present, a->bytes + HEADER_AT, 8);
	if (!(present & component))
		memset(a->bytes + at, 0, size);
	present |= component;
	memcpy(a->bytes + HEADER_AT, &present, 8);
}

/* A vector register is in up to three components, or in one if it is high */
struct piece {
	unsigned int component;
	unsigned int from, size;	/* bytes of the register */
};

static const struct piece low[] = { { 1, 0, 16 }, { 2, 16, 16 }, { 6, 32, 32 } };
static const struct piece high[] = { { 7, 0, 64 } };

/* Where 16 registers' pieces are; 0: this host has no such component */
static unsigned int find_piece(const struct piece *p)
{
	static unsigned int known[8];
	unsigned int at = __atomic_load_n(&known[p->component], __ATOMIC_RELAXED);
	unsigned int size, c, d;

	if (p->component == 1)
		return XMM_AT;
	if (!(components() >> p->component & 1))
		return 0;
	if (!at) {
		if (!__get_cpuid_count(0xd, p->component, &size, &at, &c, &d) ||
		    at > AREA_SIZE - 16 * p->size)
			return 0;
		__atomic_store_n(&known[p->component], at, __ATOMIC_RELAXED);
	}
	return at;
}

/*
 * Copies at least @width bytes of register @n. A store of all the register makes
 * what is above them zero, too, as VEX and EVEX do. False: the host has no such
 * register.
 */
static bool move_register(struct area *a, unsigned int n, uint8_t *value,
			  unsigned int width, bool store, bool all)
{
	const struct piece *p = n < 16 ? low : high;
	const struct piece *end = n < 16 ? low + 3 : high + 1;
	unsigned int at;

	for (; p < end && (p->from < width || all); p++) {
		at = find_piece(p);
		if (!at && p->from < width)
			return false;
		if (!at)
			continue;
		/* The others are zero whether they are present or not */
		if (p->from < width)
			need(a, 1u << p->component, at, 16 * p->size);
		at += n % 16 * p->size;
		if (store)
			memcpy(a->bytes + at, value + p->from, p->size);
		else
			memcpy(value + p->from, a->bytes + at, p->size);
	}
	return true;
}

/* The area has ST(0) first; MMX registers do not move with the top of the stack */
static void put_top_to_0(struct area *a)
{
	uint8_t st[128];
	unsigned int i;
	uint16_t fsw;

	memcpy(&fsw, a->bytes + FSW_AT, 2);
	memcpy(st, a->bytes + ST_AT, sizeof(st));
	for (i = 0; i < 8; i++)
		memcpy(a->bytes + ST_AT + 16 * ((i + (fsw >> 11)) % 8),
		       st + 16 * i, 16);
	fsw &= ~FSW_TOP;
	memcpy(a->bytes + FSW_AT, &fsw, 2);
}

static int move_mmx(struct insn *in, struct area *a, int mem, int reg)
{
	int number = in->op[reg].reg.value - ZYDIS_REGISTER_MM0;
	uint8_t *st = a->bytes + ST_AT + number * 16;

	/* FCW is 0x37f at first */
	need(a, HAS_X87, ST_AT, 128);
	put_top_to_0(a);
	if (mem) {
		memset(st, 0, 8);
		mvmm_access_span(in->guest, &in->span[mem], st, false);
	} else {
		mvmm_access_span(in->guest, &in->span[mem], st, true);
	}
	/* Each MMX instruction makes all of the stack valid */
	a->bytes[FTW_AT] = 0xff;
	if (mem)
		memset(st + 8, 0xff, 2);
	return 0;
}

/* ---- what is made of the bytes in memory --------------------------------- */

/* @size bytes of memory are @data; @value gets @width bytes of a register */
typedef void make_value(const struct insn *in, int mem, const uint8_t *data,
			uint8_t *value, unsigned int width);

static void plain(const struct insn *in, int mem, const uint8_t *data,
		  uint8_t *value, unsigned int width)
{
	memcpy(value, data, in->op[mem].size / 8);
}

/* Broadcasts; the even elements of each pair, or of MOVSHDUP the odd ones */
static void repeat(const struct insn *in, int mem, const uint8_t *data,
		   uint8_t *value, unsigned int width)
{
	unsigned int i;

	for (i = 0; i < width; i++)
		switch (in->i->mnemonic) {
		case ZYDIS_MNEMONIC_MOVDDUP:
		case ZYDIS_MNEMONIC_VMOVDDUP:
			value[i] = data[i & ~8u];
			break;
		case ZYDIS_MNEMONIC_MOVSLDUP:
		case ZYDIS_MNEMONIC_VMOVSLDUP:
			value[i] = data[i & ~4u];
			break;
		case ZYDIS_MNEMONIC_MOVSHDUP:
		case ZYDIS_MNEMONIC_VMOVSHDUP:
			value[i] = data[i | 4];
			break;
		default:
			value[i] = data[i % (in->op[mem].size / 8)];
			break;
		}
}

static void widen(const struct insn *in, int mem, const uint8_t *data,
		  uint8_t *value, unsigned int width)
{
	unsigned int from = in->op[mem].element_size / 8, i;
	unsigned int to = in->op[0].element_size / 8;
	ZydisMnemonic op = in->i->mnemonic;
	bool sign = (op >= ZYDIS_MNEMONIC_PMOVSXBD &&
		     op <= ZYDIS_MNEMONIC_PMOVSXWQ) ||
		    (op >= ZYDIS_MNEMONIC_VPMOVSXBD &&
		     op <= ZYDIS_MNEMONIC_VPMOVSXWQ);

	for (i = 0; i < width / to; i++, data += from, value += to) {
		memset(value, sign && data[from - 1] & 0x80 ? 0xff : 0, to);
		memcpy(value, data, from);
	}
}

_Static_assert(ZYDIS_MNEMONIC_PMOVSXWQ - ZYDIS_MNEMONIC_PMOVSXBD == 5 &&
	       ZYDIS_MNEMONIC_VPMOVSXWQ - ZYDIS_MNEMONIC_VPMOVSXBD == 5,
	       "the six of them, by their names");

/* ---- moves --------------------------------------------------------------- */

_Static_assert(ZYDIS_REGISTER_YMM0 - ZYDIS_REGISTER_XMM0 == 32 &&
	       ZYDIS_REGISTER_ZMM0 - ZYDIS_REGISTER_YMM0 == 32,
	       "registers in the order of their width");

/* In bytes; 0: the operand is no vector register */
static unsigned int width_of(const ZydisDecodedOperand *op)
{
	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    op->reg.value < ZYDIS_REGISTER_XMM0 ||
	    op->reg.value > ZYDIS_REGISTER_ZMM31)
		return 0;
	return 16 << (op->reg.value - ZYDIS_REGISTER_XMM0) / 32;
}

static unsigned int number_of(const ZydisDecodedOperand *op)
{
	return (op->reg.value - ZYDIS_REGISTER_XMM0) % 32;
}

/* The first operand from @n on that is a vector register, or @otherwise */
static int find_register(const struct insn *in, int n, int otherwise)
{
	for (; n < in->i->operand_count_visible; n++)
		if (width_of(&in->op[n]))
			return n;
	return otherwise;
}

/*
 * Does it move only a part of the register? Then *@at is that part's place, which
 * an immediate counts in units of its size
 */
static bool is_part(const struct insn *in, int mem, unsigned int width,
		    unsigned int *at)
{
	const ZydisDecodedOperand *last =
		&in->op[in->i->operand_count_visible - 1];
	unsigned int size = in->op[mem].size / 8;

	*at = 0;
	switch (in->i->mnemonic) {
	case ZYDIS_MNEMONIC_MOVHPS:
	case ZYDIS_MNEMONIC_MOVHPD:
	case ZYDIS_MNEMONIC_VMOVHPS:
	case ZYDIS_MNEMONIC_VMOVHPD:
		*at = 8;
		return true;
	case ZYDIS_MNEMONIC_MOVLPS:
	case ZYDIS_MNEMONIC_MOVLPD:
	case ZYDIS_MNEMONIC_VMOVLPS:
	case ZYDIS_MNEMONIC_VMOVLPD:
		return true;
	default:
		if (last->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return false;
		*at = last->imm.value.u % (width / size) * size;
		return true;
	}
}

static int store_part(struct insn *in, struct area *a)
{
	const ZydisDecodedOperand *reg = &in->op[find_register(in, 1, 0)];
	unsigned int width = width_of(reg), at;
	uint8_t value[64];

	if (!width || !move_register(a, number_of(reg), value, width, false,
				     false))
		return -ENOTSUP;
	is_part(in, 0, width, &at);
	mvmm_access_span(in->guest, &in->span[0], value + at, true);
	return 0;
}

static int load(struct insn *in, struct area *a, int mem, make_value *make)
{
	bool sse = in->i->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
	const ZydisDecodedOperand *source = &in->op[find_register(in, 1, 0)];
	unsigned int width = width_of(&in->op[0]), at;
	uint8_t data[64] = { 0 }, value[64] = { 0 };

	/* Before the device is touched: both of them */
	if (!width || !move_register(a, number_of(&in->op[0]), value, width,
				     false, false) ||
	    !move_register(a, number_of(source), value, width, false, false))
		return -ENOTSUP;
	mvmm_access_span(in->guest, &in->span[mem], data, false);
	if (is_part(in, mem, width, &at)) {
		memset(value + width, 0, sizeof(value) - width);
		memcpy(value + at, data, in->op[mem].size / 8);
	} else {
		memset(value, 0, sizeof(value));
		make(in, mem, data, value, width);
	}
	move_register(a, number_of(&in->op[0]), value, width, true, !sse);
	return 0;
}

/*
 * A program may have changed the instruction since the exit, which was then not of a
 * vector: what the CPU checks of one is looked at, so that it gets no registers of
 * another program's, nor those that its kernel has switched off
 */
static bool is_off(struct insn *in, bool mmx)
{
	const struct mvmm_sregs *s;
	uint64_t wanted = mmx ? 0 :
		in->i->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ?
		CR4_OSFXSR : CR4_OSXSAVE;

	if (in->paging->cpl < 3)
		return false;
	s = mvmm_insn_sregs(in);
	return !s || s->cr0 & (CR0_EM | CR0_TS) || (s->cr4 & wanted) != wanted;
}

static int get_area(const struct insn *in, struct area *a)
{
	return mvmm_get_xsave(in->guest->vcpu, a->bytes, AREA_SIZE) ? -EIO : 0;
}

static int set_area(const struct insn *in, const struct area *a)
{
	return mvmm_set_xsave(in->guest->vcpu, a->bytes, AREA_SIZE) ? -EIO : 0;
}

static int move_vector(struct insn *in, make_value *make)
{
	int last = in->i->operand_count_visible - 1, mem = 0, reg, ret;
	const ZydisDecodedOperand *op = in->op;
	struct area area;
	bool mmx;

	while (mem < last && op[mem].type != ZYDIS_OPERAND_TYPE_MEMORY)
		mem++;
	reg = mem ? 0 : last;
	mmx = op[reg].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	      op[reg].reg.value >= ZYDIS_REGISTER_MM0 &&
	      op[reg].reg.value <= ZYDIS_REGISTER_MM7;
	/* k0 stands for no mask. PINSRW of an MMX register has an immediate */
	if ((in->i->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX &&
	     in->i->avx.mask.mode != ZYDIS_MASK_MODE_DISABLED) ||
	    op[mem].type != ZYDIS_OPERAND_TYPE_MEMORY || op[mem].size > 512 ||
	    (mmx && last > 1) || is_off(in, mmx))
		return -ENOTSUP;
	ret = get_area(in, &area);
	if (!ret)
		ret = mvmm_insn_find_operand(in, mem, 0, mem ?
					     MVMM_ACCESS_READ :
					     MVMM_ACCESS_WRITE);
	if (ret)
		return ret;
	if (mmx)
		ret = move_mmx(in, &area, mem, reg);
	else
		ret = mem ? load(in, &area, mem, make) : store_part(in, &area);
	if (ret)
		return ret;
	return mem || mmx ? set_area(in, &area) : 0;
}

int mvmm_move_vector(struct insn *in)
{
	return move_vector(in, plain);
}

int mvmm_repeat_vector(struct insn *in)
{
	return move_vector(in, repeat);
}

int mvmm_widen_vector(struct insn *in)
{
	return move_vector(in, widen);
}

/* LDMXCSR and STMXCSR. A bit that the CPU has not is #GP, after the access */
int mvmm_move_mxcsr(struct insn *in)
{
	bool is_load = in->op[0].actions & ZYDIS_OPERAND_ACTION_READ;
	uint32_t value, mask;
	struct area area;
	int ret = is_off(in, false) ? -ENOTSUP : get_area(in, &area);

	if (!ret)
		ret = mvmm_insn_find_operand(in, 0, 0, is_load ?
					     MVMM_ACCESS_READ :
					     MVMM_ACCESS_WRITE);
	if (ret)
		return ret;
	memcpy(&value, area.bytes + MXCSR_AT, 4);
	memcpy(&mask, area.bytes + MXCSR_MASK_AT, 4);
	if (!is_load) {
		mvmm_insn_store(in, 0, value);
		return 0;
	}
	value = mvmm_insn_load(in, 0);
	if (value & ~(mask ? mask : 0xffbf))
		return mvmm_insn_raise(in, 13, 0);
	memcpy(area.bytes + MXCSR_AT, &value, 4);
	return set_area(in, &area);
}
