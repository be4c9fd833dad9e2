// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The instruction at rip: fetched through the guest's page tables, decoded by
 * Zydis, its operands read and written. What it does is its exit's affair.
 */
#include <errno.h>
#include <string.h>
#include "insn.h"

#define EFER_LMA	(1u << 10)
#define ATTR_L		(1u << 13)
#define ATTR_DB		(1u << 14)

int mvmm_deliver_page_fault(struct mvmm_guest *guest, int error,
			    const struct mvmm_page_fault *fault)
{
	if (error != -EFAULT)
		return error;
	return mvmm_inject_exception(guest->vcpu, 14, true, fault->error_code,
				     fault->gva);
}

static bool long_code(const struct insn *in)
{
	return in->sregs.efer & EFER_LMA && in->sregs.cs.attr & ATTR_L;
}

static int fetch(struct insn *in, uint8_t *bytes)
{
	uint64_t rip = in->regs.rip;
	int got = 0;

	if (!long_code(in))
		rip = (uint32_t)(rip + in->sregs.cs.base);
	/* Byte by byte: an instruction may end where its page does */
	while (got < 15) {
		uint64_t gpa;
		uint8_t *ram;

		if (mvmm_translate(in->guest, &in->sregs, rip + got,
				   MVMM_ACCESS_EXEC, &gpa, &in->fault))
			break;
		ram = in->guest->memory(in->guest->ctx, gpa, 1);
		/* Code in a device: nothing to decode, and no page fault */
		if (!ram)
			return got ? got : -ENOTSUP;
		bytes[got++] = *ram;
	}
	return got ? got : -EFAULT;
}

static int decode(struct insn *in, const uint8_t *bytes, int len)
{
	ZydisMachineMode mode = ZYDIS_MACHINE_MODE_LEGACY_16;
	ZydisStackWidth width = ZYDIS_STACK_WIDTH_16;
	ZydisDecoder decoder;

	if (long_code(in)) {
		mode = ZYDIS_MACHINE_MODE_LONG_64;
		width = ZYDIS_STACK_WIDTH_64;
	} else if (in->sregs.cs.attr & ATTR_DB) {
		mode = ZYDIS_MACHINE_MODE_LEGACY_32;
		width = ZYDIS_STACK_WIDTH_32;
	}
	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, mode, width)) ||
	    ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, len, &in->i,
					       in->op)))
		return -ENOTSUP;
	return 0;
}

/* A general register's place, and where in it; NULL: not a general register */
static __u64 *find_reg(struct insn *in, ZydisRegister reg, int *shift)
{
	__u64 *regs = &in->regs.rax;
	ZydisRegister whole;

	*shift = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH ? 8 : 0;
	whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						 reg);
	if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
		return NULL;
	/* Zydis and the run page both follow the encoding's order */
	return &regs[whole - ZYDIS_REGISTER_RAX];
}

static uint64_t segment_base(struct insn *in, ZydisRegister segment)
{
	const struct mvmm_sregs *s = &in->sregs;

	switch (segment) {
	case ZYDIS_REGISTER_FS:
		return s->fs.base;
	case ZYDIS_REGISTER_GS:
		return s->gs.base;
	default:
		break;
	}
	if (long_code(in))
		return 0;
	switch (segment) {
	case ZYDIS_REGISTER_ES:
		return s->es.base;
	case ZYDIS_REGISTER_CS:
		return s->cs.base;
	case ZYDIS_REGISTER_SS:
		return s->ss.base;
	default:
		return s->ds.base;
	}
}

static uint64_t reg_value(struct insn *in, ZydisRegister reg)
{
	int shift;
	__u64 *place;

	if (reg == ZYDIS_REGISTER_NONE)
		return 0;
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		return in->regs.rip + in->i.length;
	place = find_reg(in, reg, &shift);
	return place ? *place >> shift : 0;
}

static uint64_t address(struct insn *in, const ZydisDecodedOperand *op)
{
	uint64_t mask = mvmm_size_mask(in->i.address_width / 8);
	uint64_t offset = reg_value(in, op->mem.base) +
			  reg_value(in, op->mem.index) * op->mem.scale +
			  (op->mem.disp.has_displacement ?
			   op->mem.disp.value : 0);

	return segment_base(in, op->mem.segment) + (offset & mask);
}

int mvmm_insn_load(struct insn *in, const ZydisDecodedOperand *op,
		uint64_t *value)
{
	__u64 *place;
	int shift;

	*value = 0;
	switch (op->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		place = find_reg(in, op->reg.value, &shift);
		if (!place)
			return -ENOTSUP;
		*value = (*place >> shift) & mvmm_size_mask(op->size / 8);
		return 0;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		*value = op->imm.value.u;
		return 0;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		if (op->size > 64)
			return -ENOTSUP;
		return mvmm_access(in->guest, &in->sregs, address(in, op),
				   value, op->size / 8, false, &in->fault);
	default:
		return -ENOTSUP;
	}
}

int mvmm_insn_store(struct insn *in, const ZydisDecodedOperand *op,
		 uint64_t value)
{
	__u64 *place;
	int shift;

	switch (op->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		place = find_reg(in, op->reg.value, &shift);
		if (!place)
			return -ENOTSUP;
		if (shift)
			*place = (*place & ~0xff00ull) | (value & 0xff) << 8;
		else
			mvmm_put_sized(place, value, op->size / 8);
		return 0;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		if (op->size > 64)
			return -ENOTSUP;
		return mvmm_access(in->guest, &in->sregs, address(in, op),
				   &value, op->size / 8, true, &in->fault);
	default:
		return -ENOTSUP;
	}
}

int mvmm_insn_decode(struct insn *in, struct mvmm_guest *guest)
{
	uint8_t bytes[15];
	int ret;

	in->guest = guest;
	in->regs = guest->run->regs;
	ret = mvmm_get_sregs(guest->vcpu, &in->sregs);
	if (ret)
		return ret;
	ret = fetch(in, bytes);
	return ret > 0 ? decode(in, bytes, ret) : ret;
}

uint64_t mvmm_insn_segment_base(struct insn *in)
{
	ZydisRegister segment = ZYDIS_REGISTER_DS;
	int i;

	for (i = 0; i < in->i.operand_count; i++)
		if (in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			segment = in->op[i].mem.segment;
	return segment_base(in, segment);
}
