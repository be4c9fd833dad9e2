// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Moves between a device and an MMX, XMM or YMM register: SSE and AVX, without
 * arithmetic, masks and ZMM registers. The registers are in the XSAVE area (SDM
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
#define ST_AT		32
#define XMM_AT		160
#define HEADER_AT	512
#define HAS_X87		(1u << 0)
#define HAS_SSE		(1u << 1)
#define HAS_AVX		(1u << 2)
#define HAS_ZMM_HIGH	(1u << 6)
#define FSW_TOP		(7u << 11)

struct area {
	uint8_t bytes[AREA_SIZE] __attribute__((aligned(64)));
};

/*
 * Does the host use XSAVE? Else the area is FXSAVE's: it has no header, and all
 * of it is always present
 */
static bool has_header(void)
{
	unsigned int a, b, c = 0, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c & bit_OSXSAVE;
}

/* Makes a component present: all zeros, if it was in its initial state */
static void need(struct area *a, uint64_t component, unsigned int at,
		 unsigned int size)
{
	uint64_t present;

	if (!has_header())
		return;
	memcpy(&present, a->bytes + HEADER_AT, 8);
	if (!(present & component))
		memset(a->bytes + at, 0, size);
	present |= component;
	memcpy(a->bytes + HEADER_AT, &present, 8);
}

/* Where a component is that is not in the legacy part; 0: there is none */
static unsigned int component_at(unsigned int number)
{
	unsigned int size, at, c, d;

	if (!__get_cpuid_count(0xd, number, &size, &at, &c, &d) ||
	    at > AREA_SIZE - 512)
		return 0;
	return at;
}

/* What VEX loads make zero: bits 256 to 511 of the register */
static void clear_zmm(struct area *a, unsigned int number)
{
	unsigned int at = component_at(6);
	uint64_t present;

	memcpy(&present, a->bytes + HEADER_AT, 8);
	if (at && present & HAS_ZMM_HIGH)
		memset(a->bytes + at + 32 * number, 0, 32);
}

static int move_mmx(struct insn *in, struct area *a, int mem, int reg)
{
	int number = in->op[reg].reg.value - ZYDIS_REGISTER_MM0;
	uint8_t *st = a->bytes + ST_AT + number * 16;
	uint16_t fsw;

	/* FCW is 0x37f at first */
	need(a, HAS_X87, ST_AT, 128);
	if (mem) {
		memset(st, 0, 8);
		mvmm_access_span(in->guest, &in->span[mem], st, false);
	} else {
		mvmm_access_span(in->guest, &in->span[mem], st, true);
	}
	/* Each MMX instruction makes all of the stack valid, from its start */
	memcpy(&fsw, a->bytes + FSW_AT, 2);
	fsw &= ~FSW_TOP;
	memcpy(a->bytes + FSW_AT, &fsw, 2);
	a->bytes[FTW_AT] = 0xff;
	if (mem)
		memset(st + 8, 0xff, 2);
	return 0;
}

/* The eight bytes of an XMM register that the instruction moves: 0 or 8 */
static int half_of(ZydisMnemonic op)
{
	switch (op) {
	case ZYDIS_MNEMONIC_MOVLPS:
	case ZYDIS_MNEMONIC_MOVLPD:
	case ZYDIS_MNEMONIC_VMOVLPS:
	case ZYDIS_MNEMONIC_VMOVLPD:
		return 0;
	case ZYDIS_MNEMONIC_MOVHPS:
	case ZYDIS_MNEMONIC_MOVHPD:
	case ZYDIS_MNEMONIC_VMOVHPS:
	case ZYDIS_MNEMONIC_VMOVHPD:
		return 8;
	default:
		return -1;
	}
}

static int number_of(const ZydisDecodedOperand *op)
{
	ZydisRegister first = op->reg.value >= ZYDIS_REGISTER_YMM0 ?
			      ZYDIS_REGISTER_YMM0 : ZYDIS_REGISTER_XMM0;

	return op->reg.value - first;
}

static int move_xmm(struct insn *in, struct area *a, int mem, int reg)
{
	bool vex = in->i->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
	unsigned int size = in->op[mem].size / 8, high = vex ? component_at(2) : 0;
	uint8_t *xmm = a->bytes + XMM_AT + number_of(&in->op[reg]) * 16, *ymm;
	int half = half_of(in->i->mnemonic);
	uint8_t value[32] = { 0 };

	if (vex && !high)
		return -ENOTSUP;
	need(a, HAS_SSE, XMM_AT, 256);
	if (vex)
		need(a, HAS_AVX, high, 256);
	ymm = a->bytes + high + number_of(&in->op[reg]) * 16;
	if (!mem) {
		memcpy(value, half > 0 ? xmm + half : xmm, 16);
		if (size == 32)
			memcpy(value + 16, ymm, 16);
		mvmm_access_span(in->guest, &in->span[mem], value, true);
		return 0;
	}
	mvmm_access_span(in->guest, &in->span[mem],
			 half > 0 ? value + half : value, false);
	/* The other half: of the source before, which SSE has in common */
	if (half >= 0)
		memcpy(value + (8 - half), a->bytes + XMM_AT + 8 - half +
		       number_of(&in->op[vex ? 1 : 0]) * 16, 8);
	memcpy(xmm, value, 16);
	if (vex) {
		memcpy(ymm, value + 16, 16);
		clear_zmm(a, number_of(&in->op[reg]));
	}
	return 0;
}

static bool in_range(ZydisRegister reg, ZydisRegister first, int count)
{
	return reg >= first && reg < first + count;
}

int mvmm_move_vector(struct insn *in)
{
	int last = in->i->operand_count_visible - 1, mem, reg, ret;
	const ZydisDecodedOperand *op = in->op;
	struct area area;
	bool mmx;

	mem = op[0].type == ZYDIS_OPERAND_TYPE_MEMORY ? 0 : last;
	reg = mem ? 0 : last;
	mmx = in_range(op[reg].reg.value, ZYDIS_REGISTER_MM0, 8);
	if (in->i->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX ||
	    in->i->meta.category == ZYDIS_CATEGORY_STRINGOP ||
	    op[mem].type != ZYDIS_OPERAND_TYPE_MEMORY || op[mem].size > 256 ||
	    op[reg].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    !(mmx || in_range(op[reg].reg.value, ZYDIS_REGISTER_XMM0, 16) ||
	      in_range(op[reg].reg.value, ZYDIS_REGISTER_YMM0, 16)))
		return -ENOTSUP;
	ret = mvmm_get_xsave(in->guest->vcpu, area.bytes, AREA_SIZE);
	if (!ret)
		ret = mvmm_insn_find_operand(in, mem, 0, mem ?
					     MVMM_ACCESS_READ :
					     MVMM_ACCESS_WRITE);
	if (!ret)
		ret = mmx ? move_mmx(in, &area, mem, reg) :
			    move_xmm(in, &area, mem, reg);
	if (ret)
		return ret;
	return mem || mmx ?
	       mvmm_set_xsave(in->guest->vcpu, area.bytes, AREA_SIZE) : 0;
}
