// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What integer instructions compute. This CPU is an x86, too, so it does the
 * work, and its flags are right in every width. BMI and CRC32, which not every CPU
 * has, are in C.
 */
#include "alu.h"
#include "internal.h"

#define LOGIC_FLAGS	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | \
			 RFLAGS_SF | RFLAGS_OF)

/* LAHF has five of the flags, SETO the sixth. PUSHF would need the stack */
#define RUN(text)							\
	asm("bt $0, %k[carry]\n\t" text "\n\tlahf\n\tseto %%al"		\
	    : [a] "+r" (a), [f] "=&a" (f)				\
	    : [b] "c" (b), [carry] "d" ((uint32_t)*flags)		\
	    : "cc")

#define BY_SIZE(name, b1, b2, b4, b8)					\
	do {								\
		switch (size) {						\
		case 1:							\
			RUN(name "b " b1 "%b[a]");			\
			break;						\
		case 2:							\
			RUN(name "w " b2 "%w[a]");			\
			break;						\
		case 4:							\
			RUN(name "l " b4 "%k[a]");			\
			break;						\
		default:						\
			RUN(name "q " b8 "%q[a]");			\
			break;						\
		}							\
	} while (0)
#define UNARY(name)	BY_SIZE(name, "", "", "", "")
#define BINARY(name)							\
	BY_SIZE(name, "%b[b], ", "%w[b], ", "%k[b], ", "%q[b], ")
#define SHIFT(name)	BY_SIZE(name, "%%cl, ", "%%cl, ", "%%cl, ", "%%cl, ")
/* There is none of bytes */
#define WIDE(name)							\
	do {								\
		if (size == 2)						\
			RUN(name "w %w[b], %w[a]");			\
		else if (size == 4)					\
			RUN(name "l %k[b], %k[a]");			\
		else							\
			RUN(name "q %q[b], %q[a]");			\
	} while (0)

static void put_flags(__u64 *flags, uint16_t f, uint32_t changed)
{
	uint64_t value = (f >> 8) | (f & 1 ? RFLAGS_OF : 0);

	*flags = (*flags & ~(uint64_t)changed) | (value & changed);
}

uint64_t mvmm_alu(ZydisMnemonic op, unsigned int size, uint64_t a, uint64_t b,
		  __u64 *flags)
{
	uint32_t changed = LOGIC_FLAGS;
	uint16_t f = 0;

	switch (op) {
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_XADD:
		BINARY("add");
		break;
	case ZYDIS_MNEMONIC_ADC:
		BINARY("adc");
		break;
	case ZYDIS_MNEMONIC_ADCX:
		changed = RFLAGS_CF;
		WIDE("adc");
		break;
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_CMP:
		BINARY("sub");
		break;
	case ZYDIS_MNEMONIC_SBB:
		BINARY("sbb");
		break;
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_TEST:
		BINARY("and");
		break;
	case ZYDIS_MNEMONIC_OR:
		BINARY("or");
		break;
	case ZYDIS_MNEMONIC_XOR:
		BINARY("xor");
		break;
	case ZYDIS_MNEMONIC_INC:
		changed &= ~RFLAGS_CF;
		UNARY("inc");
		break;
	case ZYDIS_MNEMONIC_DEC:
		changed &= ~RFLAGS_CF;
		UNARY("dec");
		break;
	case ZYDIS_MNEMONIC_NEG:
		UNARY("neg");
		break;
	case ZYDIS_MNEMONIC_NOT:
		changed = 0;
		a = ~a;
		break;
	case ZYDIS_MNEMONIC_SHL:
	case ZYDIS_MNEMONIC_SHR:
	case ZYDIS_MNEMONIC_SAR:
	case ZYDIS_MNEMONIC_ROL:
	case ZYDIS_MNEMONIC_ROR:
	case ZYDIS_MNEMONIC_RCL:
	case ZYDIS_MNEMONIC_RCR:
		/* By 0 they change no flag */
		if (!(b & (size == 8 ? 63 : 31)))
			return a;
		if (op == ZYDIS_MNEMONIC_SHL)
			SHIFT("shl");
		else if (op == ZYDIS_MNEMONIC_SHR)
			SHIFT("shr");
		else if (op == ZYDIS_MNEMONIC_SAR)
			SHIFT("sar");
		else
			changed = RFLAGS_CF | RFLAGS_OF;
		if (op == ZYDIS_MNEMONIC_ROL)
			SHIFT("rol");
		else if (op == ZYDIS_MNEMONIC_ROR)
			SHIFT("ror");
		else if (op == ZYDIS_MNEMONIC_RCL)
			SHIFT("rcl");
		else if (op == ZYDIS_MNEMONIC_RCR)
			SHIFT("rcr");
		break;
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		b = 1ull << (b & (8 * size - 1));
		f = a & b ? RFLAGS_CF << 8 : 0;
		changed = RFLAGS_CF;
		if (op == ZYDIS_MNEMONIC_BTS)
			a |= b;
		else if (op == ZYDIS_MNEMONIC_BTR)
			a &= ~b;
		else if (op == ZYDIS_MNEMONIC_BTC)
			a ^= b;
		break;
	case ZYDIS_MNEMONIC_IMUL:
		WIDE("imul");
		break;
	case ZYDIS_MNEMONIC_BSF:
		WIDE("bsf");
		break;
	case ZYDIS_MNEMONIC_BSR:
		WIDE("bsr");
		break;
	case ZYDIS_MNEMONIC_POPCNT:
		WIDE("popcnt");
		break;
	case ZYDIS_MNEMONIC_TZCNT:
		WIDE("tzcnt");
		break;
	default:
		WIDE("lzcnt");
		break;
	}
	put_flags(flags, f, changed);
	return a & mvmm_size_mask(size);
}

static uint64_t low_bits(uint64_t value, unsigned int n)
{
	return n < 64 ? value & ((1ull << n) - 1) : value;
}

uint64_t mvmm_bits(ZydisMnemonic op, unsigned int size, uint64_t a, uint64_t b,
		   __u64 *flags)
{
	uint64_t bit = 1, value = 0;
	unsigned int n = b & 0xff;
	bool carry = false;
	__u64 unused = 0;

	switch (op) {
	case ZYDIS_MNEMONIC_SHLX:
		return mvmm_alu(ZYDIS_MNEMONIC_SHL, size, a, b, &unused);
	case ZYDIS_MNEMONIC_SHRX:
		return mvmm_alu(ZYDIS_MNEMONIC_SHR, size, a, b, &unused);
	case ZYDIS_MNEMONIC_SARX:
		return mvmm_alu(ZYDIS_MNEMONIC_SAR, size, a, b, &unused);
	case ZYDIS_MNEMONIC_RORX:
		return mvmm_alu(ZYDIS_MNEMONIC_ROR, size, a, b, &unused);
	case ZYDIS_MNEMONIC_PDEP:
		for (; b; b &= b - 1, a >>= 1)
			value |= a & 1 ? b & -b : 0;
		return value;
	case ZYDIS_MNEMONIC_PEXT:
		for (; b; b &= b - 1, bit <<= 1)
			value |= a & b & -b ? bit : 0;
		return value;
	case ZYDIS_MNEMONIC_ANDN:
		a = ~a & b;
		break;
	case ZYDIS_MNEMONIC_BLSI:
		carry = b;
		a = b & -b;
		break;
	case ZYDIS_MNEMONIC_BLSR:
	case ZYDIS_MNEMONIC_BLSMSK:
		carry = !b;
		a = op == ZYDIS_MNEMONIC_BLSR ? b & (b - 1) : b ^ (b - 1);
		break;
	case ZYDIS_MNEMONIC_BZHI:
		carry = n >= 8 * size;
		a = low_bits(a, n);
		break;
	default:	/* BEXTR */
		a = n < 64 ? low_bits(a >> n, b >> 8 & 0xff) : 0;
		break;
	}
	a = mvmm_alu(ZYDIS_MNEMONIC_TEST, size, a, ~0ull, flags);
	*flags |= carry ? RFLAGS_CF : 0;
	return a;
}

/* Reflected: the lowest bit is the first */
uint32_t mvmm_crc32(uint32_t crc, uint64_t value, unsigned int bits)
{
	value ^= crc;
	while (bits--)
		value = value >> 1 ^ (value & 1 ? 0x82f63b78 : 0);
	return value;
}

#define DOUBLE(name)							\
	do {								\
		if (size == 2)						\
			RUN2(name "w %%cl, %w[b], %w[a]");		\
		else if (size == 4)					\
			RUN2(name "l %%cl, %k[b], %k[a]");		\
		else							\
			RUN2(name "q %%cl, %q[b], %q[a]");		\
	} while (0)
#define RUN2(text)							\
	asm(text "\n\tlahf\n\tseto %%al"				\
	    : [a] "+r" (a), [f] "=&a" (f)				\
	    : [b] "r" (b), "c" (count) : "cc")

uint64_t mvmm_shift_double(bool left, unsigned int size, uint64_t a, uint64_t b,
			   unsigned int count, __u64 *flags)
{
	uint16_t f;

	if (!(count & (size == 8 ? 63 : 31)))
		return a;
	if (left)
		DOUBLE("shld");
	else
		DOUBLE("shrd");
	put_flags(flags, f, LOGIC_FLAGS);
	return a & mvmm_size_mask(size);
}

static __int128 extend(uint64_t value, unsigned int size)
{
	return (int64_t)(value << (64 - 8 * size)) >> (64 - 8 * size);
}

void mvmm_multiply(bool sign, unsigned int size, uint64_t b, uint64_t *high,
		   uint64_t *low, __u64 *flags)
{
	uint64_t mask = mvmm_size_mask(size), a = *low & mask;
	unsigned __int128 product = (unsigned __int128)a * (b & mask);
	bool fits;

	if (sign)
		product = extend(a, size) * extend(b, size);
	*low = product & mask;
	*high = product >> 8 * size & mask;
	fits = sign ? extend(*low, size) == (__int128)product : !*high;
	/* The other flags are undefined */
	*flags &= ~(uint64_t)(RFLAGS_CF | RFLAGS_OF);
	*flags |= fits ? 0 : RFLAGS_CF | RFLAGS_OF;
}

bool mvmm_divide(bool sign, unsigned int size, uint64_t b, uint64_t *high,
		 uint64_t *low)
{
	uint64_t mask = mvmm_size_mask(size);
	unsigned __int128 a = (unsigned __int128)(*high & mask) << 8 * size |
			      (*low & mask), quotient, remainder;
	__int128 dividend, divisor = extend(b, size);

	b &= mask;
	if (!b)
		return false;
	if (!sign) {
		quotient = a / b;
		remainder = a % b;
		if (quotient > mask)
			return false;
	} else {
		/* The sign is the top bit of the double width */
		dividend = (__int128)(a << (128 - 16 * size)) >>
			   (128 - 16 * size);
		/* This one would overflow in 128 bits */
		if (divisor == -1 && a == (unsigned __int128)1 << 127)
			return false;
		quotient = dividend / divisor;
		remainder = dividend % divisor;
		if (extend(quotient, size) != (__int128)quotient)
			return false;
	}
	*low = quotient & mask;
	*high = remainder & mask;
	return true;
}

bool mvmm_condition(uint8_t condition, uint64_t flags)
{
	bool cf = flags & RFLAGS_CF, zf = flags & RFLAGS_ZF;
	bool less = !(flags & RFLAGS_SF) != !(flags & RFLAGS_OF), is;

	switch (condition >> 1 & 7) {
	case 0:
		is = flags & RFLAGS_OF;
		break;
	case 1:
		is = cf;
		break;
	case 2:
		is = zf;
		break;
	case 3:
		is = cf || zf;
		break;
	case 4:
		is = flags & RFLAGS_SF;
		break;
	case 5:
		is = flags & RFLAGS_PF;
		break;
	case 6:
		is = less;
		break;
	default:
		is = less || zf;
		break;
	}
	return is != (condition & 1);
}
