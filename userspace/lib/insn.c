// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The instruction at rip: fetch it through the guest's page tables, decode it
 * with Zydis, read and write its operands. What the instruction does is in
 * cr.c, io.c and mmio.c.
 */
#include <errno.h>
#include <stdlib.h>
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
	return in->paging->efer & EFER_LMA && in->paging->cs_attr & ATTR_L;
}

static uint64_t code_gva(const struct insn *in)
{
	uint64_t rip = in->guest->run->regs.rip;

	return long_code(in) ? rip : (uint32_t)(rip + in->paging->cs_base);
}

/* 16 bytes at rip; NULL: they cross a page, or are not mapped, or not RAM */
static const uint8_t *find_code(struct insn *in)
{
	uint64_t gva = code_gva(in), gpa;

	if ((gva & 4095) > 4096 - 16 ||
	    mvmm_translate(in->guest, in->paging, gva, MVMM_ACCESS_EXEC, &gpa,
			   &in->fault))
		return NULL;
	return mvmm_ram(in->guest, gpa, 16);
}

/*
 * Fetches no further than the end of the page. Returns how many bytes, or
 * -EFAULT, -ENOTSUP.
 */
static int fetch_part(struct insn *in, uint64_t gva, uint8_t *bytes, int len)
{
	int in_page = 4096 - (gva & 4095);
	uint64_t gpa;
	void *ram;

	len = len < in_page ? len : in_page;
	if (mvmm_translate(in->guest, in->paging, gva, MVMM_ACCESS_EXEC, &gpa,
			   &in->fault))
		return -EFAULT;
	ram = mvmm_ram(in->guest, gpa, len);
	/* Code outside RAM: there is nothing to decode, and it is no page fault */
	if (!ram)
		return -ENOTSUP;
	memcpy(bytes, ram, len);
	return len;
}

static int fetch(struct insn *in, uint8_t *bytes)
{
	uint64_t gva = code_gva(in);
	int got = fetch_part(in, gva, bytes, MVMM_INSN_BYTES), more;

	if (got < 0 || got == MVMM_INSN_BYTES)
		return got;
	/* The instruction may end with its page: a fault there is not its own */
	more = fetch_part(in, gva + got, bytes + got, MVMM_INSN_BYTES - got);
	return more > 0 ? got + more : got;
}

static uint8_t machine_mode(const struct insn *in)
{
	if (long_code(in))
		return ZYDIS_MACHINE_MODE_LONG_64 + 1;
	return in->paging->cs_attr & ATTR_DB ? ZYDIS_MACHINE_MODE_LEGACY_32 + 1 :
					       ZYDIS_MACHINE_MODE_LEGACY_16 + 1;
}

static uint8_t reg_index(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_NONE ? NO_REG :
	       reg - ZYDIS_REGISTER_RAX;
}

static bool is_64bit_reg(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_NONE ||
	       (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15);
}

static void find_plain_mov(struct decoded *d)
{
	const ZydisDecodedOperand *mem = &d->op[0], *reg = &d->op[1];
	bool store = mem->type == ZYDIS_OPERAND_TYPE_MEMORY;

	if (!store) {
		mem = &d->op[1];
		reg = &d->op[0];
	}
	d->mov = (struct plain_mov){ .store = store };
	/* Only 4 and 8 bytes: they replace the whole register */
	if (d->mode != ZYDIS_MACHINE_MODE_LONG_64 + 1 ||
	    d->i.mnemonic != ZYDIS_MNEMONIC_MOV || d->i.address_width != 64 ||
	    mem->type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    mem->mem.segment == ZYDIS_REGISTER_FS ||
	    mem->mem.segment == ZYDIS_REGISTER_GS ||
	    !is_64bit_reg(mem->mem.base) || !is_64bit_reg(mem->mem.index) ||
	    reg->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    reg->reg.value < ZYDIS_REGISTER_EAX ||
	    reg->reg.value > ZYDIS_REGISTER_R15)
		return;
	d->mov = (struct plain_mov){
		.is = true, .store = store, .size = reg->size / 8,
		.reg = (reg->reg.value - ZYDIS_REGISTER_EAX) % 16,
		.base = reg_index(mem->mem.base),
		.index = reg_index(mem->mem.index), .scale = mem->mem.scale,
		.disp = mem->mem.disp.has_displacement ?
			mem->mem.disp.value : 0 };
}

static int decode(struct decoded *d, uint8_t mode, const uint8_t *bytes, int len)
{
	static const ZydisStackWidth width[] = {
		[ZYDIS_MACHINE_MODE_LONG_64] = ZYDIS_STACK_WIDTH_64,
		[ZYDIS_MACHINE_MODE_LEGACY_32] = ZYDIS_STACK_WIDTH_32,
		[ZYDIS_MACHINE_MODE_LEGACY_16] = ZYDIS_STACK_WIDTH_16 };
	ZydisDecoder decoder;

	d->mode = 0;
	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, mode - 1, width[mode - 1])) ||
	    ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, len, &d->i,
					       d->op)))
		return -ENOTSUP;
	d->mode = mode;
	memcpy(d->bytes, bytes, d->i.length);
	find_plain_mov(d);
	return 0;
}

struct mvmm_decode_cache *mvmm_decode_cache_new(void)
{
	return calloc(1, sizeof(struct mvmm_decode_cache));
}

void mvmm_decode_cache_free(struct mvmm_decode_cache *cache)
{
	free(cache);
}

/*
 * Where the run page keeps a general register, and the shift of the part in it;
 * NULL: not a general register. Zydis and the run page both have the registers
 * in the order of their encoding.
 */
static __u64 *find_reg(struct insn *in, ZydisRegister reg, int *shift)
{
	__u64 *regs = &in->regs.rax;

	*shift = 0;
	if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15)
		return &regs[(reg - ZYDIS_REGISTER_AX) % 16];
	if (reg < ZYDIS_REGISTER_AL || reg > ZYDIS_REGISTER_R15B)
		return NULL;
	if (reg <= ZYDIS_REGISTER_BL)
		return &regs[reg - ZYDIS_REGISTER_AL];
	if (reg >= ZYDIS_REGISTER_SPL)
		return &regs[reg - ZYDIS_REGISTER_SPL + 4];
	*shift = 8;
	return &regs[reg - ZYDIS_REGISTER_AH];
}

_Static_assert(ZYDIS_REGISTER_RAX - ZYDIS_REGISTER_EAX == 16 &&
	       ZYDIS_REGISTER_EAX - ZYDIS_REGISTER_AX == 16 &&
	       ZYDIS_REGISTER_SPL - ZYDIS_REGISTER_AL == 8,
	       "registers in the order of their encoding");

static int segment_base(struct insn *in, ZydisRegister segment, uint64_t *base)
{
	bool fs_or_gs = segment == ZYDIS_REGISTER_FS ||
			segment == ZYDIS_REGISTER_GS;
	struct mvmm_sregs s;
	int ret;

	*base = 0;
	/* In 64-bit code all other bases are 0: no need to ask the kernel */
	if (long_code(in) && !fs_or_gs)
		return 0;
	ret = mvmm_get_sregs(in->guest->vcpu, &s);
	if (ret)
		return ret;
	*base = segment == ZYDIS_REGISTER_FS ? s.fs.base :
		segment == ZYDIS_REGISTER_GS ? s.gs.base :
		segment == ZYDIS_REGISTER_ES ? s.es.base :
		segment == ZYDIS_REGISTER_CS ? s.cs.base :
		segment == ZYDIS_REGISTER_SS ? s.ss.base : s.ds.base;
	return 0;
}

static uint64_t reg_value(struct insn *in, ZydisRegister reg)
{
	int shift;
	__u64 *place;

	if (reg == ZYDIS_REGISTER_NONE)
		return 0;
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		return in->regs.rip + in->i->length;
	place = find_reg(in, reg, &shift);
	return place ? *place >> shift : 0;
}

static int operand_gva(struct insn *in, const ZydisDecodedOperand *op,
		       uint64_t *gva)
{
	int ret = segment_base(in, op->mem.segment, gva);
	uint64_t mask = mvmm_size_mask(in->i->address_width / 8);
	uint64_t offset = reg_value(in, op->mem.base) +
			  reg_value(in, op->mem.index) * op->mem.scale +
			  (op->mem.disp.has_displacement ?
			   op->mem.disp.value : 0);

	*gva += offset & mask;
	return ret;
}

int mvmm_insn_load(struct insn *in, const ZydisDecodedOperand *op,
		   uint64_t *value)
{
	uint64_t gva;
	__u64 *place;
	int shift, ret;

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
		ret = operand_gva(in, op, &gva);
		return ret ? ret : mvmm_access(in->guest, in->paging, gva, value,
					       op->size / 8, false, &in->fault);
	default:
		return -ENOTSUP;
	}
}

int mvmm_insn_store(struct insn *in, const ZydisDecodedOperand *op,
		    uint64_t value)
{
	uint64_t gva;
	__u64 *place;
	int shift, ret;

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
		ret = operand_gva(in, op, &gva);
		return ret ? ret : mvmm_access(in->guest, in->paging, gva,
					       &value, op->size / 8, true,
					       &in->fault);
	default:
		return -ENOTSUP;
	}
}

/* memcmp() of up to 16 bytes by two words; both arrays have 16 bytes */
static bool same_bytes(const uint8_t *a, const uint8_t *b, int len)
{
	uint64_t x[2], y[2];
	int last = 8 * (len & 7);

	memcpy(x, a, 16);
	memcpy(y, b, 16);
	if (len < 8)
		return !((x[0] ^ y[0]) << (64 - last));
	return x[0] == y[0] && (!last || !((x[1] ^ y[1]) << (64 - last)));
}

int mvmm_insn_decode(struct insn *in, struct mvmm_guest *guest)
{
	struct mvmm_decode_cache *cache = guest->cache;
	struct decoded *d = &in->own;
	uint64_t rip = guest->run->regs.rip;
	uint8_t copy[16], mode;
	const uint8_t *code;
	int len;

	in->guest = guest;
	in->paging = &guest->run->paging;
	mode = machine_mode(in);
	d->mode = 0;
	if (cache)
		d = &cache->entry[rip % (sizeof(cache->entry) /
						  sizeof(cache->entry[0]))];
	in->i = &d->i;
	in->op = d->op;
	in->mov = &d->mov;
	/* Guest code may have changed: compare the bytes */
	code = find_code(in);
	if (code && d->mode == mode && same_bytes(d->bytes, code, d->i.length))
		return 0;
	len = fetch(in, copy);
	if (len < 0)
		return len;
	/* find_code() refuses an instruction near the end of its page */
	if (d->mode == mode && d->i.length <= len &&
	    same_bytes(d->bytes, copy, d->i.length))
		return 0;
	return decode(d, mode, copy, len);
}

int mvmm_insn_segment_base(struct insn *in, uint64_t *base)
{
	ZydisRegister segment = ZYDIS_REGISTER_DS;
	int i;

	for (i = 0; i < in->i->operand_count; i++)
		if (in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			segment = in->op[i].mem.segment;
	return segment_base(in, segment, base);
}
