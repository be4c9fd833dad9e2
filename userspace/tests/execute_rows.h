/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instructions that test_execute.c compares, as the assembler makes them: at
 * least one of each entry of libmvmm's table. (%rbx) is a device; see
 * make_registers() for the others.
 */
#ifndef MVMM_EXECUTE_ROWS_H
#define MVMM_EXECUTE_ROWS_H

#include <stdint.h>

#define CF	0x001
#define PF	0x004
#define AF	0x010
#define ZF	0x040
#define SF	0x080
#define OF	0x800
#define ALL	(CF | PF | AF | ZF | SF | OF)

/* What not every CPU with AVX has. The assembler can take only numbers */
#define BMI	1
#define BMI2	2
#define ADX	3
#define CLFLUSHOPT	4
#define CLWB	5
#define AVX2	6
#define AVX512	7	/* F, BW, DQ and VL */

struct row {
	uint32_t undefined;	/* flags */
	uint32_t needs;		/* one of these, or 0 */
	uint32_t len;
	uint8_t code[24];
	char text[92];
};

/* The assembler makes an array of these in a section of its own */
#define ROW(text, undefined) ROW_(text, undefined, 0)
#define ROW_NEEDS(needs, text, undefined) ROW_(text, undefined, needs)
#define ROW_(text, undefined, needs)					\
	asm(".pushsection rows, \"a\"\n.balign 128\n"			\
	    ".long " #undefined ", " #needs ", 2f - 1f\n"		\
	    "1: " text "\n2:\n"						\
	    ".org 1b + 24\n.asciz \"" text "\"\n.balign 128\n.popsection")
extern const struct row __start_rows[], __stop_rows[];
_Static_assert(sizeof(struct row) == 128, "as the assembler makes it");

#define SIZES(name, undefined)						\
	ROW(name "b $0x35, (%rbx)", undefined);				\
	ROW(name "w $0x1234, (%rbx)", undefined);			\
	ROW(name "l $-7, (%rbx)", undefined);				\
	ROW(name "q $-100000, (%rbx)", undefined);			\
	ROW(name "b %al, (%rbx)", undefined);				\
	ROW(name "b %dh, (%rbx)", undefined);				\
	ROW(name "w %r9w, 8(%rbx)", undefined);				\
	ROW(name "l %r10d, (%rbx, %r8)", undefined);			\
	ROW(name "q %r11, -16(%rbx)", undefined)
#define BOTH(name, undefined)						\
	SIZES(name, undefined);						\
	ROW(name "b (%rbx), %ah", undefined);				\
	ROW(name "w (%rbx), %cx", undefined);				\
	ROW(name "l (%rbx), %r9d", undefined);				\
	ROW(name "q (%rbx), %rdx", undefined)
#define UNARY(name, undefined)						\
	ROW(name "b (%rbx)", undefined);				\
	ROW(name "w (%rbx)", undefined);				\
	ROW(name "l 4(%rbx)", undefined);				\
	ROW(name "q (%rbx)", undefined)
#define SHIFT(name, undefined)						\
	UNARY(name, 0);							\
	ROW(name "b $3, (%rbx)", undefined);				\
	ROW(name "w $9, (%rbx)", undefined);				\
	ROW(name "l $31, (%rbx)", undefined);				\
	ROW(name "q $0, (%rbx)", undefined);				\
	ROW(name "q $63, (%rbx)", undefined);				\
	ROW(name "b %cl, (%rbx)", undefined);				\
	ROW(name "w %cl, (%rbx)", undefined);				\
	ROW(name "l %cl, (%rbx)", undefined);				\
	ROW(name "q %cl, (%rbx)", undefined)
#define WIDE(name, undefined)						\
	ROW(name "w (%rbx), %cx", undefined);				\
	ROW(name "l (%rbx), %r9d", undefined);				\
	ROW(name "q (%rbx), %rdx", undefined)
#define LOWEST(name)							\
	ROW_NEEDS(BMI, name "l (%rbx), %r9d", AF | PF);			\
	ROW_NEEDS(BMI, name "l 8(%rbx), %ebx", AF | PF);		\
	ROW_NEEDS(BMI, name "q (%rbx), %rdx", AF | PF);			\
	ROW_NEEDS(BMI, name "q 8(%rbx), %r12", AF | PF)
/* The memory operand is the first source */
#define BY_REGISTER(needs, name, undefined)				\
	ROW_NEEDS(needs, name "l %eax, (%rbx), %r9d", undefined);	\
	ROW_NEEDS(needs, name "l %r8d, 8(%rbx), %ecx", undefined);	\
	ROW_NEEDS(needs, name "q %rcx, (%rbx), %rcx", undefined);	\
	ROW_NEEDS(needs, name "q %r8, (%rbx), %r10", undefined)
/* It is the second */
#define OF_REGISTER(needs, name, undefined)				\
	ROW_NEEDS(needs, name "l (%rbx), %eax, %r9d", undefined);	\
	ROW_NEEDS(needs, name "l 8(%rbx), %r9d, %ecx", undefined);	\
	ROW_NEEDS(needs, name "q (%rbx), %rdx, %rdx", undefined);	\
	ROW_NEEDS(needs, name "q 8(%rbx), %r8, %rbx", undefined)
#define CONDITION(cc)							\
	ROW("set" cc " (%rbx)", 0);					\
	ROW("cmov" cc "w (%rbx), %ax", 0);				\
	ROW("cmov" cc "l (%rbx), %edx", 0);				\
	ROW("cmov" cc "q (%rbx), %r12", 0)
#define BITS(name)							\
	ROW(name "w $5, (%rbx)", OF | SF | AF | PF);			\
	ROW(name "l $63, (%rbx)", OF | SF | AF | PF);			\
	ROW(name "w %r8w, (%rbx)", OF | SF | AF | PF);			\
	ROW(name "l %r8d, (%rbx)", OF | SF | AF | PF);			\
	ROW(name "q %r8, (%rbx)", OF | SF | AF | PF)
#define STRING(name)							\
	ROW(name "b", 0);						\
	ROW(name "w", 0);						\
	ROW(name "l", 0);						\
	ROW(name "q", 0);						\
	ROW("std; " name "l; cld", 0)
#define REPEATED(name)							\
	ROW("rep; " name "b", 0);					\
	ROW("rep; " name "w", 0);					\
	ROW("rep; " name "l", 0);					\
	ROW("rep; " name "q", 0);					\
	ROW(".byte 0xf2; " name "b", 0);				\
	ROW(".byte 0xf2; " name "l", 0);				\
	ROW(".byte 0xf3, 0xf2; " name "w", 0);				\
	ROW(".byte 0xf2, 0xf3; " name "w", 0)
#define VECTOR(name, reg)						\
	ROW(name " (%rbx), %" reg "3", 0);				\
	ROW(name " %" reg "4, (%rbx)", 0)
#define PIECE(name)						\
	ROW("pinsr" name " $1, (%rbx), %xmm3", 0);			\
	ROW("vpinsr" name " $255, (%rbx), %xmm3, %xmm14", 0);		\
	ROW("pextr" name " $1, %xmm3, (%rbx)", 0);			\
	ROW("vpextr" name " $254, %xmm13, (%rbx)", 0)
#define WIDEN(types)							\
	ROW("pmovzx" types " (%rbx), %xmm3", 0);			\
	ROW("pmovsx" types " (%rbx), %xmm14", 0);			\
	ROW("vpmovzx" types " (%rbx), %xmm3", 0);			\
	ROW("vpmovsx" types " (%rbx), %xmm14", 0);			\
	ROW_NEEDS(AVX2, "vpmovzx" types " (%rbx), %ymm3", 0);		\
	ROW_NEEDS(AVX2, "vpmovsx" types " (%rbx), %ymm14", 0)
#define PAIRS(name)							\
	ROW(name " (%rbx), %xmm3", 0);					\
	ROW("v" name " (%rbx), %xmm3", 0);				\
	ROW("v" name " (%rbx), %ymm14", 0)
/* With the EVEX prefix, which counts a displacement in operands */
#define EVEX_LOAD(name)							\
	ROW_NEEDS(AVX512, name " (%rbx), %xmm17", 0);			\
	ROW_NEEDS(AVX512, name " -64(%rbx), %ymm31", 0);		\
	ROW_NEEDS(AVX512, name " (%rbx), %zmm3", 0);			\
	ROW_NEEDS(AVX512, name " 0x40(%rbx), %zmm29", 0)
#define EVEX_STORE(name)						\
	ROW_NEEDS(AVX512, name " %xmm16, 16(%rbx)", 0);			\
	ROW_NEEDS(AVX512, name " %ymm18, 64(%rbx)", 0);			\
	ROW_NEEDS(AVX512, name " %zmm4, (%rbx)", 0);			\
	ROW_NEEDS(AVX512, name " %zmm30, 0x40(%rbx)", 0)
#define EVEX(name) EVEX_LOAD(name); EVEX_STORE(name)
#define EVEX_WIDEN(types)						\
	ROW_NEEDS(AVX512, "vpmovzx" types " (%rbx), %zmm3", 0);		\
	ROW_NEEDS(AVX512, "vpmovsx" types " (%rbx), %ymm17", 0)

BOTH("mov", 0);
ROW("movb (%rbx), %sil", 0);
ROW("movnti %r9d, (%rbx)", 0);
ROW("movnti %r9, (%rbx)", 0);
ROW("movzbw (%rbx), %ax", 0);
ROW("movzbl (%rbx), %r9d", 0);
ROW("movzwq (%rbx), %r10", 0);
ROW("movsbw (%rbx), %cx", 0);
ROW("movsbl (%rbx), %edx", 0);
ROW("movswq (%rbx), %r10", 0);
ROW("movslq (%rbx), %r11", 0);
ROW("movbew (%rbx), %ax", 0);
ROW("movbel (%rbx), %ecx", 0);
ROW("movbeq (%rbx), %rdx", 0);
ROW("movbel %r9d, (%rbx)", 0);
ROW("movbeq %r9, (%rbx)", 0);
ROW("mov %fs, (%rbx)", 0);
BOTH("add", 0);
BOTH("adc", 0);
BOTH("sub", 0);
BOTH("sbb", 0);
BOTH("and", AF);
BOTH("or", AF);
BOTH("xor", AF);
BOTH("cmp", 0);
SIZES("test", AF);
UNARY("inc", 0);
UNARY("dec", 0);
UNARY("not", 0);
UNARY("neg", 0);
SHIFT("shl", AF | OF | CF);
SHIFT("shr", AF | OF | CF);
SHIFT("sar", AF | OF | CF);
SHIFT("rol", OF);
SHIFT("ror", OF);
SHIFT("rcl", OF);
SHIFT("rcr", OF);
ROW("shldw $3, %r9w, (%rbx)", AF | OF);
ROW("shldl %cl, %r9d, (%rbx)", AF | OF);
ROW("shldq %cl, %r9, (%rbx)", AF | OF);
ROW("shrdl $1, %r9d, (%rbx)", AF);
ROW("shrdl %cl, %r9d, (%rbx)", AF | OF);
ROW("shrdq %cl, %r9, (%rbx)", AF | OF);
UNARY("mul", SF | ZF | AF | PF);
UNARY("imul", SF | ZF | AF | PF);
WIDE("imul", SF | ZF | AF | PF);
ROW("imulw $77, (%rbx), %ax", SF | ZF | AF | PF);
ROW("imull $-77000, (%rbx), %r9d", SF | ZF | AF | PF);
ROW("imulq $-1, (%rbx), %rdx", SF | ZF | AF | PF);
UNARY("div", ALL);
UNARY("idiv", ALL);
WIDE("bsf", CF | OF | SF | AF | PF);
WIDE("bsr", CF | OF | SF | AF | PF);
WIDE("popcnt", 0);
WIDE("tzcnt", OF | SF | AF | PF);
WIDE("lzcnt", OF | SF | AF | PF);
LOWEST("blsi");
LOWEST("blsr");
LOWEST("blsmsk");
OF_REGISTER(BMI, "andn", AF | PF);
BY_REGISTER(BMI, "bextr", SF | AF | PF);
BY_REGISTER(BMI2, "bzhi", AF | PF);
BY_REGISTER(BMI2, "sarx", 0);
BY_REGISTER(BMI2, "shlx", 0);
BY_REGISTER(BMI2, "shrx", 0);
OF_REGISTER(BMI2, "pdep", 0);
OF_REGISTER(BMI2, "pext", 0);
OF_REGISTER(BMI2, "mulx", 0);
ROW_NEEDS(BMI2, "rorxl $0, (%rbx), %r9d", 0);
ROW_NEEDS(BMI2, "rorxl $39, (%rbx), %ecx", 0);
ROW_NEEDS(BMI2, "rorxq $9, (%rbx), %rdx", 0);
ROW_NEEDS(BMI2, "rorxq $-1, (%rbx), %rdx", 0);
ROW_NEEDS(ADX, "adcxl (%rbx), %r9d", 0);
ROW_NEEDS(ADX, "adcxq (%rbx), %rdx", 0);
ROW_NEEDS(ADX, "adoxl (%rbx), %r9d", 0);
ROW_NEEDS(ADX, "adoxq (%rbx), %rdx", 0);
ROW("crc32b (%rbx), %r9d", 0);
ROW("crc32b (%rbx), %rdx", 0);
ROW("crc32w (%rbx), %ecx", 0);
ROW("crc32l (%rbx), %eax", 0);
ROW("crc32q (%rbx), %r9", 0);
ROW("clflush 7(%rbx)", 0);
ROW_NEEDS(CLFLUSHOPT, "clflushopt (%rbx)", 0);
ROW_NEEDS(CLWB, "clwb (%rbx)", 0);
ROW("xlat", 0);
ROW("addr32 xlat", 0);
ROW("xchgb %al, (%rbx)", 0);
ROW("xchgw %cx, (%rbx)", 0);
ROW("xchgl %r9d, (%rbx)", 0);
ROW("xchgq %rdx, (%rbx)", 0);
ROW("lock; xaddb %al, (%rbx)", 0);
ROW("xaddw %cx, (%rbx)", 0);
ROW("lock; xaddl %r9d, (%rbx)", 0);
ROW("xaddq %rdx, (%rbx)", 0);
ROW("lock; cmpxchgb %cl, (%rbx)", 0);
ROW("cmpxchgw %cx, (%rbx)", 0);
ROW("lock; cmpxchgl %r9d, (%rbx)", 0);
ROW("cmpxchgq %rdx, (%rbx)", 0);
ROW("lock; cmpxchg8b (%rdi)", 0);
ROW("lock; cmpxchg16b (%rdi)", 0);
CONDITION("o");
CONDITION("no");
CONDITION("b");
CONDITION("ae");
CONDITION("e");
CONDITION("ne");
CONDITION("be");
CONDITION("a");
CONDITION("s");
CONDITION("ns");
CONDITION("p");
CONDITION("np");
CONDITION("l");
CONDITION("ge");
CONDITION("le");
CONDITION("g");
BITS("bt");
BITS("bts");
BITS("btr");
BITS("btc");
ROW("pushw (%rbx)", 0);
ROW("pushq (%rbx)", 0);
ROW("pushq 8(%rsp)", 0);
ROW("push %rdx", 0);
ROW("push $-3", 0);
ROW("pop %rdx", 0);
ROW("pop %cx", 0);
ROW("popw (%rbx)", 0);
ROW("popq (%rbx)", 0);
ROW("popq 8(%rsp)", 0);
ROW("jmpq *(%rbx)", 0);
ROW("callq *(%rbx)", 0);
ROW("leave", 0);
ROW("leavew", 0);
ROW("ret", 0);
ROW("ret $24", 0);
ROW("movabs 0x10000040, %al", 0);
ROW("movabs 0x10000040, %eax", 0);
ROW("movabs %rax, 0x10000048", 0);
ROW("movl (%ebx), %ecx", 0);
ROW("addl $1, -0x3fc7(%rip)", 0);
STRING("movs");
STRING("stos");
STRING("lods");
STRING("cmps");
STRING("scas");
REPEATED("movs");
REPEATED("stos");
REPEATED("lods");
REPEATED("cmps");
REPEATED("scas");
ROW("addr32 rep; stosl", 0);
VECTOR("movups", "xmm");
VECTOR("movupd", "xmm");
VECTOR("movaps", "xmm");
VECTOR("movapd", "xmm");
VECTOR("movdqa", "xmm");
VECTOR("movdqu", "xmm");
VECTOR("movd", "xmm");
VECTOR("movq", "xmm");
VECTOR("movss", "xmm");
VECTOR("movsd", "xmm");
VECTOR("movlps", "xmm");
VECTOR("movhps", "xmm");
VECTOR("movlpd", "xmm");
VECTOR("movhpd", "xmm");
VECTOR("movd", "mm");
VECTOR("movq", "mm");
ROW("movntq %mm5, (%rbx)", 0);
ROW("lddqu (%rbx), %xmm12", 0);
ROW("movntdqa (%rbx), %xmm12", 0);
ROW("movntps %xmm12, (%rbx)", 0);
ROW("movntpd %xmm12, (%rbx)", 0);
ROW("movntdq %xmm12, (%rbx)", 0);
VECTOR("vmovups", "xmm");
VECTOR("vmovups", "ymm");
VECTOR("vmovupd", "ymm");
VECTOR("vmovaps", "ymm");
VECTOR("vmovapd", "ymm");
VECTOR("vmovdqa", "ymm");
VECTOR("vmovdqu", "ymm");
VECTOR("vmovdqu", "xmm");
VECTOR("vmovd", "xmm");
VECTOR("vmovq", "xmm");
VECTOR("vmovss", "xmm");
VECTOR("vmovsd", "xmm");
ROW("vlddqu (%rbx), %ymm12", 0);
ROW("vmovntdqa (%rbx), %xmm12", 0);
ROW("vmovntps %ymm12, (%rbx)", 0);
ROW("vmovntpd %ymm12, (%rbx)", 0);
ROW("vmovntdq %ymm12, (%rbx)", 0);
ROW("vmovlps (%rbx), %xmm3, %xmm4", 0);
ROW("vmovhps (%rbx), %xmm3, %xmm4", 0);
ROW("vmovlpd %xmm3, (%rbx)", 0);
ROW("vmovhpd %xmm3, (%rbx)", 0);
ROW("vmovlps %xmm3, (%rbx)", 0);
ROW("vmovhps %xmm3, (%rbx)", 0);
PIECE("b");
PIECE("w");
PIECE("d");
PIECE("q");
ROW("extractps $3, %xmm3, (%rbx)", 0);
ROW("vextractps $5, %xmm3, (%rbx)", 0);
ROW("vinsertf128 $0, (%rbx), %ymm3, %ymm14", 0);
ROW("vinsertf128 $255, (%rbx), %ymm3, %ymm3", 0);
ROW_NEEDS(AVX2, "vinserti128 $1, (%rbx), %ymm3, %ymm14", 0);
ROW("vextractf128 $0, %ymm3, (%rbx)", 0);
ROW("vextractf128 $255, %ymm3, (%rbx)", 0);
ROW_NEEDS(AVX2, "vextracti128 $1, %ymm13, (%rbx)", 0);
ROW("vbroadcastss (%rbx), %xmm3", 0);
ROW("vbroadcastss (%rbx), %ymm14", 0);
ROW("vbroadcastsd (%rbx), %ymm3", 0);
ROW("vbroadcastf128 (%rbx), %ymm3", 0);
ROW_NEEDS(AVX2, "vbroadcasti128 (%rbx), %ymm13", 0);
ROW_NEEDS(AVX2, "vpbroadcastb (%rbx), %xmm3", 0);
ROW_NEEDS(AVX2, "vpbroadcastb (%rbx), %ymm3", 0);
ROW_NEEDS(AVX2, "vpbroadcastw (%rbx), %ymm3", 0);
ROW_NEEDS(AVX2, "vpbroadcastd (%rbx), %xmm3", 0);
ROW_NEEDS(AVX2, "vpbroadcastd (%rbx), %ymm3", 0);
ROW_NEEDS(AVX2, "vpbroadcastq (%rbx), %ymm3", 0);
PAIRS("movddup");
PAIRS("movsldup");
PAIRS("movshdup");
WIDEN("bw");
WIDEN("bd");
WIDEN("bq");
WIDEN("wd");
WIDEN("wq");
WIDEN("dq");
ROW("ldmxcsr (%rbx)", 0);
ROW("vldmxcsr (%rbx)", 0);
ROW("stmxcsr (%rbx)", 0);
ROW("vstmxcsr (%rbx)", 0);
EVEX("vmovups");
EVEX("vmovupd");
EVEX("vmovaps");
EVEX("vmovapd");
EVEX("vmovdqa32");
EVEX("vmovdqa64");
EVEX("vmovdqu8");
EVEX("vmovdqu16");
EVEX("vmovdqu32");
EVEX("vmovdqu64");
EVEX_LOAD("vmovntdqa");
EVEX_STORE("vmovntdq");
EVEX_STORE("vmovntps");
EVEX_STORE("vmovntpd");
ROW_NEEDS(AVX512, "vmovdqu8 (%rbx), %ymm3", 0);
ROW_NEEDS(AVX512, "vmovdqu64 %xmm3, (%rbx)", 0);
ROW_NEEDS(AVX512, "vmovdqu64 0xfc0(%rbx), %zmm17", 0);
ROW_NEEDS(AVX512, "vmovdqu64 %zmm17, 0xf90(%rbx)", 0);
ROW_NEEDS(AVX512, "vmovd 4(%rbx), %xmm17", 0);
ROW_NEEDS(AVX512, "vmovq %xmm17, 8(%rbx)", 0);
ROW_NEEDS(AVX512, "vmovss 4(%rbx), %xmm17", 0);
ROW_NEEDS(AVX512, "vmovsd %xmm17, 8(%rbx)", 0);
ROW_NEEDS(AVX512, "vmovhps 8(%rbx), %xmm17, %xmm18", 0);
ROW_NEEDS(AVX512, "vmovlpd %xmm17, (%rbx)", 0);
ROW_NEEDS(AVX512, "vpinsrd $1, 4(%rbx), %xmm17, %xmm3", 0);
ROW_NEEDS(AVX512, "vpextrw $7, %xmm17, (%rbx)", 0);
ROW_NEEDS(AVX512, "vbroadcastss 4(%rbx), %zmm17", 0);
ROW_NEEDS(AVX512, "vpbroadcastb 1(%rbx), %zmm3", 0);
ROW_NEEDS(AVX512, "vmovddup 8(%rbx), %xmm17", 0);
ROW_NEEDS(AVX512, "vmovddup (%rbx), %zmm3", 0);
ROW_NEEDS(AVX512, "vmovshdup (%rbx), %zmm17", 0);
EVEX_WIDEN("bw");
EVEX_WIDEN("bd");
EVEX_WIDEN("bq");
EVEX_WIDEN("wd");
EVEX_WIDEN("wq");
EVEX_WIDEN("dq");

#endif
