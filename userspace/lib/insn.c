// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The instruction at rip: fetch it through the guest's page tables, decode it
 * with Zydis, find, read and write its operands. What the instruction does is in
 * execute.c, vector.c, cr.c and io.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "insn.h"

#define CR0_PE		(1u << 0)
#define EFER_LMA	(1u << 10)
#define RFLAGS_VM	(1u << 17)
#define ATTR_L		(1u << 13)
#define ATTR_DB		(1u << 14)

/* In the segment's attributes, see SDM vol. 3, 3.4.5 */
#define ATTR_WRITABLE	(1u << 1)	/* of data; readable, of code */
#define ATTR_DOWN	(1u << 2)	/* data that expands down */
#define ATTR_CODE	(1u << 3)
#define ATTR_P		(1u << 7)

int mvmm_deliver(struct mvmm_guest *guest, int error,
		 const struct mvmm_exception *exception)
{
	if (error != -EFAULT)
		return error;
	return mvmm_inject_exception(guest->vcpu, exception->vector,
				     exception->has_error,
				     exception->error_code, exception->address);
}

bool mvmm_insn_is_long(const struct insn *in)
{
	return in->paging->efer & EFER_LMA && in->paging->cs_attr & ATTR_L;
}

static uint64_t code_gva(const struct insn *in)
{
	uint64_t rip = in->guest->run->regs.rip;

	return mvmm_insn_is_long(in) ? rip :
				       (uint32_t)(rip + in->paging->cs_base);
}

/* 16 bytes at rip; NULL: they cross a page, or are not mapped, or not RAM */
static const uint8_t *find_code(struct insn *in)
{
	uint64_t gva = code_gva(in), gpa;

	if ((gva & 4095) > 4096 - 16 ||
	    mvmm_translate(in->guest, in->paging, gva, MVMM_ACCESS_EXEC, &gpa,
			   &in->exception))
		return NULL;
	return mvmm_ram(in->guest, gpa, 16, MVMM_ACCESS_READ);
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
			   &in->exception))
		return -EFAULT;
	ram = mvmm_ram(in->guest, gpa, len, MVMM_ACCESS_READ);
	/* Code outside RAM: there is nothing to decode, and it is no page fault */
	if (!ram)
		return -ENOTSUP;
	memcpy(bytes, ram, len);
	return len;
}

/*
 * @missing: -EFAULT or -ENOTSUP for bytes on the next page. The instruction may
 * end before them: then this is not its fault.
 */
static int fetch(struct insn *in, uint8_t *bytes, int *missing)
{
	uint64_t gva = code_gva(in);
	int got = fetch_part(in, gva, bytes, MVMM_INSN_BYTES), more;

	*missing = 0;
	if (got < 0 || got == MVMM_INSN_BYTES)
		return got;
	more = fetch_part(in, gva + got, bytes + got, MVMM_INSN_BYTES - got);
	if (more > 0)
		return got + more;
	*missing = more;
	return got;
}

static uint8_t machine_mode(const struct insn *in)
{
	if (mvmm_insn_is_long(in))
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

/* Zydis and the run page both have the registers in the order of their encoding */
__u64 *mvmm_insn_reg(struct insn *in, ZydisRegister reg, int *shift)
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

int mvmm_insn_raise(struct insn *in, uint8_t vector, uint32_t error_code)
{
	/* #DF, #TS, #NP, #SS, #GP, #PF, #AC */
	bool has_error = 0x27d00 >> vector & 1 && in->paging->cr0 & CR0_PE;

	in->exception = (struct mvmm_exception){
		.vector = vector, .has_error = has_error,
		.error_code = has_error ? error_code : 0 };
	return -EFAULT;
}

const struct mvmm_sregs *mvmm_insn_sregs(struct insn *in)
{
	if (!in->has_sregs &&
	    mvmm_get_sregs(in->guest->vcpu, &in->sregs))
		return NULL;
	in->has_sregs = true;
	return &in->sregs;
}

static const struct mvmm_segment *find_segment(const struct mvmm_sregs *s,
					       ZydisRegister segment)
{
	switch (segment) {
	case ZYDIS_REGISTER_ES:
		return &s->es;
	case ZYDIS_REGISTER_CS:
		return &s->cs;
	case ZYDIS_REGISTER_SS:
		return &s->ss;
	case ZYDIS_REGISTER_FS:
		return &s->fs;
	case ZYDIS_REGISTER_GS:
		return &s->gs;
	default:
		return &s->ds;
	}
}

/* Type and limit, as in SDM vol. 3, 5.3 to 5.5. Real mode and V86 have no types */
static bool in_segment(const struct mvmm_segment *s, bool has_type,
		       uint32_t offset, unsigned int size, uint32_t access)
{
	bool write = access & MVMM_ACCESS_WRITE, code = s->attr & ATTR_CODE;
	uint32_t last = offset + size - 1;

	if (last < offset)
		return false;
	if (!has_type)
		return last <= s->limit;
	/* The same bit makes data writable and code readable */
	if (!(s->attr & ATTR_P) || (write && code) ||
	    ((write || code) && !(s->attr & ATTR_WRITABLE)))
		return false;
	if (!code && s->attr & ATTR_DOWN)
		return offset > s->limit &&
		       (s->attr & ATTR_DB || last <= 0xffff);
	return last <= s->limit;
}

int mvmm_insn_find(struct insn *in, int n, ZydisRegister segment,
		   uint64_t offset, unsigned int size, uint32_t access)
{
	uint8_t vector = segment == ZYDIS_REGISTER_SS ? 12 : 13;
	bool has_type = in->paging->cr0 & CR0_PE &&
			!(in->guest->run->regs.rflags & RFLAGS_VM);
	const struct mvmm_segment *s;
	const struct mvmm_sregs *all;
	uint64_t gva = offset;
	int ret;

	/* In 64-bit code the other bases are 0: no need to ask the kernel */
	if (!mvmm_insn_is_long(in) || segment == ZYDIS_REGISTER_FS ||
	    segment == ZYDIS_REGISTER_GS) {
		all = mvmm_insn_sregs(in);
		if (!all)
			return -EIO;
		s = find_segment(all, segment);
		gva += s->base;
		if (!mvmm_insn_is_long(in)) {
			gva = (uint32_t)gva;
			if (!in_segment(s, has_type, offset, size, access))
				return mvmm_insn_raise(in, vector, 0);
		}
	}
	ret = mvmm_find_span(in->guest, in->paging, gva, size, access,
			     &in->span[n], &in->exception);
	/* An address of the stack that is not canonical */
	if (ret == -EFAULT && in->exception.vector == 13)
		in->exception.vector = vector;
	return ret;
}

static uint64_t reg_value(struct insn *in, ZydisRegister reg)
{
	int shift;
	__u64 *place;

	if (reg == ZYDIS_REGISTER_NONE)
		return 0;
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		return in->regs.rip + in->i->length;
	place = mvmm_insn_reg(in, reg, &shift);
	return place ? *place >> shift : 0;
}

uint64_t mvmm_insn_offset(struct insn *in, int n)
{
	const ZydisDecodedOperand *op = &in->op[n];

	return (reg_value(in, op->mem.base) +
		reg_value(in, op->mem.index) * op->mem.scale +
		(op->mem.disp.has_displacement ? op->mem.disp.value : 0)) &
	       mvmm_size_mask(in->i->address_width / 8);
}

int mvmm_insn_find_operand(struct insn *in, int n, int64_t more,
			   uint32_t access)
{
	uint64_t mask = mvmm_size_mask(in->i->address_width / 8);

	return mvmm_insn_find(in, n, in->op[n].mem.segment,
			      (mvmm_insn_offset(in, n) + more) & mask,
			      in->op[n].size / 8, access);
}

uint64_t mvmm_insn_load(struct insn *in, int n)
{
	const ZydisDecodedOperand *op = &in->op[n];
	uint64_t value = 0;
	__u64 *place;
	int shift;

	switch (op->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		place = mvmm_insn_reg(in, op->reg.value, &shift);
		return place ? (*place >> shift) & mvmm_size_mask(op->size / 8) :
			       0;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		return op->imm.value.u;
	default:
		mvmm_access_span(in->guest, &in->span[n], &value, false);
		return value;
	}
}

void mvmm_insn_store(struct insn *in, int n, uint64_t value)
{
	const ZydisDecodedOperand *op = &in->op[n];
	__u64 *place;
	int shift;

	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		mvmm_access_span(in->guest, &in->span[n], &value, true);
		return;
	}
	place = mvmm_insn_reg(in, op->reg.value, &shift);
	if (place && shift)
		*place = (*place & ~0xff00ull) | (value & 0xff) << 8;
	else if (place)
		mvmm_put_sized(place, value, op->size / 8);
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
	int len, missing, ret;

	in->guest = guest;
	in->paging = &guest->run->paging;
	in->has_sregs = false;
	mode = machine_mode(in);
	d->mode = 0;
	if (cache)
		d = &cache->entry[rip % (sizeof(cache->entry) /
						  sizeof(cache->entry[0]))];
	in->decoded = d;
	in->i = &d->i;
	in->op = d->op;
	in->mov = &d->mov;
	/* Guest code may have changed: compare the bytes */
	code = find_code(in);
	if (code && d->mode == mode && same_bytes(d->bytes, code, d->i.length))
		return 0;
	len = fetch(in, copy, &missing);
	if (len < 0)
		return len;
	/* find_code() refuses an instruction near the end of its page */
	if (d->mode == mode && d->i.length <= len &&
	    same_bytes(d->bytes, copy, d->i.length))
		return 0;
	ret = decode(d, mode, copy, len);
	return ret && missing ? missing : ret;
}

void mvmm_describe_insn(struct mvmm_guest *guest, char *text, size_t size)
{
	ZydisFormatter formatter;
	struct insn in;
	size_t n = 0;
	int i;

	snprintf(text, size, "code that cannot be read");
	if (mvmm_insn_decode(&in, guest))
		return;
	for (i = 0; i < in.i->length && n < size; i++)
		n += snprintf(text + n, size - n, "%02x ",
			      in.decoded->bytes[i]);
	if (n < size && ZYAN_SUCCESS(ZydisFormatterInit(
				&formatter, ZYDIS_FORMATTER_STYLE_ATT)))
		ZydisFormatterFormatInstruction(
			&formatter, in.i, in.op, in.i->operand_count_visible,
			text + n, size - n, guest->run->regs.rip, NULL);
}
