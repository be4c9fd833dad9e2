/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Results and flags of integer instructions (alu.c). */
#ifndef MVMM_ALU_H
#define MVMM_ALU_H

#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <linux/types.h>
#include <stdint.h>

#define RFLAGS_CF	(1u << 0)
#define RFLAGS_PF	(1u << 2)
#define RFLAGS_AF	(1u << 4)
#define RFLAGS_ZF	(1u << 6)
#define RFLAGS_SF	(1u << 7)
#define RFLAGS_OF	(1u << 11)

/*
 * The result of the instruction with @a, which it may change, and @b; @size: 1,
 * 2, 4 or 8 bytes. Sets its flags in *@flags, and takes the carry from there.
 */
uint64_t mvmm_alu(ZydisMnemonic op, unsigned int size, uint64_t a, uint64_t b,
		  __u64 *flags);
/* The same of BMI1 and BMI2: if they have one source, it is @b */
uint64_t mvmm_bits(ZydisMnemonic op, unsigned int size, uint64_t a, uint64_t b,
		   __u64 *flags);
/* CRC32 of so many bits of @value, after what has given @crc */
uint32_t mvmm_crc32(uint32_t crc, uint64_t value, unsigned int bits);
/* SHLD, SHRD: bits of @b move into @a */
uint64_t mvmm_shift_double(bool left, unsigned int size, uint64_t a, uint64_t b,
			   unsigned int count, __u64 *flags);
/*
 * MUL and IMUL of rax: the double product in *@high and *@low, each of @size
 * bytes
 */
void mvmm_multiply(bool sign, unsigned int size, uint64_t b, uint64_t *high,
		   uint64_t *low, __u64 *flags);
/*
 * DIV and IDIV of *@high:*@low: the remainder and the quotient. False: #DE. It
 * leaves the flags as they are, which are undefined.
 */
bool mvmm_divide(bool sign, unsigned int size, uint64_t b, uint64_t *high,
		 uint64_t *low);
/* Condition 0 .. 15 of Jcc, SETcc, CMOVcc: the low bits of their opcodes */
bool mvmm_condition(uint8_t condition, uint64_t flags);

#endif
