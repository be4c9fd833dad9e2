// SPDX-License-Identifier: GPL-2.0
/*
 * Each instruction that libmvmm knows, on a device, beside the same bytes
 * executed by this CPU on memory: the registers, the flags that the SDM defines
 * and all bytes must agree.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <cmocka.h>
#include "fake_guest.h"

/* Linear addresses, the same for the guest and here */
#define BASE	0x10000000ull
#define DEVICE	BASE			/* 2 pages */
#define RAM	(BASE + 0x2000)		/* 2 pages */
#define CODE	(BASE + 0x4000)		/* 1 page */
#define LENGTH	0x5000
#define STACK	(RAM + 0x800)
/* Guest-physical addresses of the tables and of RAM */
#define PML4	0x1000ull
#define RAM_GPA	0x8000ull

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
ROW("vmovntps %ymm12, (%rbx)", 0);
ROW("vmovntpd %ymm12, (%rbx)", 0);
ROW("vmovntdq %ymm12, (%rbx)", 0);
ROW("vmovlps (%rbx), %xmm3, %xmm4", 0);
ROW("vmovhps (%rbx), %xmm3, %xmm4", 0);
ROW("vmovlpd %xmm3, (%rbx)", 0);
ROW("vmovhpd %xmm3, (%rbx)", 0);

/* ---- this CPU ----------------------------------------------------------- */

/* In the order of the instructions below */
struct machine {
	struct mvmm_regs regs;		/* rax .. r15, rip, rflags */
	uint64_t mm[8];
	uint8_t ymm[16][32];
};

struct machine native_state;
uint64_t native_host_rsp;
void native_run(void);
void native_back(void);

#define EACH_YMM(op)							\
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9)	\
	op(10) op(11) op(12) op(13) op(14) op(15)
#define EACH_MM(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#define LOAD_YMM(n) "vmovdqu native_state+208+32*" #n "(%rip), %ymm" #n "\n"
#define SAVE_YMM(n) "vmovdqu %ymm" #n ", native_state+208+32*" #n "(%rip)\n"
#define LOAD_MM(n) "movq native_state+144+8*" #n "(%rip), %mm" #n "\n"
#define SAVE_MM(n) "movq %mm" #n ", native_state+144+8*" #n "(%rip)\n"
_Static_assert(offsetof(struct machine, mm) == 144 &&
	       offsetof(struct machine, ymm) == 208 &&
	       offsetof(struct mvmm_regs, rsp) == 32 &&
	       offsetof(struct mvmm_regs, rip) == 128 &&
	       offsetof(struct mvmm_regs, rflags) == 136,
	       "as the instructions know it");

#define EACH_REG(op)							\
	op("0", "rax") op("8", "rcx") op("16", "rdx") op("24", "rbx")	\
	op("40", "rbp") op("48", "rsi") op("56", "rdi")			\
	op("64", "r8") op("72", "r9") op("80", "r10") op("88", "r11")	\
	op("96", "r12") op("104", "r13") op("112", "r14") op("120", "r15")
#define LOAD_REG(at, reg) "mov native_state+" at "(%rip), %" reg "\n"
#define SAVE_REG(at, reg) "mov %" reg ", native_state+" at "(%rip)\n"

asm(".text\n"
    "native_run:\n"
    "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, native_host_rsp(%rip)\n"
    EACH_YMM(LOAD_YMM) EACH_MM(LOAD_MM)
    "push native_state+136(%rip)\n popfq\n"
    EACH_REG(LOAD_REG)
    "mov native_state+32(%rip), %rsp\n"
    "jmp *native_state+128(%rip)\n"
    "native_back:\n"
    "mov %rsp, native_state+32(%rip)\n"
    "mov native_host_rsp(%rip), %rsp\n"
    EACH_REG(SAVE_REG)
    "pushfq\n pop native_state+136(%rip)\n cld\n"
    EACH_YMM(SAVE_YMM) EACH_MM(SAVE_MM)
    "emms\n vzeroupper\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "ret\n");

static volatile sig_atomic_t divide_error;

static void on_fpe(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	divide_error = 1;
	uc->uc_mcontext.gregs[REG_RIP] = (uintptr_t)native_back;
}

/* ---- the guest ---------------------------------------------------------- */

static uint64_t *table(uint64_t gpa)
{
	return (uint64_t *)(fake.memory + gpa);
}

/* The same linear addresses: the device, RAM, code */
static void long_mode(void)
{
	unsigned int i;

	fake_reset();
	table(PML4)[0] = 0x2007;
	table(0x2000)[0] = 0x3007;
	table(0x3000)[BASE >> 21] = 0x4007;
	for (i = 0; i < 2; i++)
		table(0x4000)[i] = FAKE_DEVICE + i * 4096 + 7;
	for (i = 0; i < 3; i++)
		table(0x4000)[2 + i] = RAM_GPA + i * 4096 + 7;
	fake.run.paging = (struct mvmm_paging){
		.cr0 = CR0_PE | CR0_PG, .cr3 = PML4, .cr4 = CR4_PAE,
		.efer = EFER_LONG, .cs_attr = 0xa09b };
	fake.sregs.fs.selector = 0;
}

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void randomize(void *data, size_t len)
{
	uint8_t *bytes = data;

	while (len--)
		*bytes++ = rnd() >> 20;
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* What makes each instruction touch the device, and nothing that is not there */
static void make_registers(const struct row *row, struct mvmm_regs *regs)
{
	randomize(regs, sizeof(*regs));
	regs->rbx = DEVICE + 64;
	regs->rsi = (rnd() & 1 ? DEVICE : RAM) + 256;
	regs->rdi = (rnd() & 1 ? DEVICE : RAM) + (rnd() & 1 ? 256 : 512);
	regs->rsp = strstr(row->text, "(%rsp)") || starts(row->text, "push ") ||
		    starts(row->text, "pop ") ? DEVICE + 512 : STACK;
	regs->r8 = (int64_t)(rnd() % 384) - 192;
	if (strstr(row->text, "%r8)"))
		regs->r8 &= 31;
	if (strstr(row->text, "rep") || strstr(row->text, "0xf"))
		regs->rcx = rnd() % 6;
	/* If ecx is 0, CPUs differ in what becomes of rcx */
	if (starts(row->text, "addr32"))
		regs->rcx = 7ull << 32 | (regs->rcx + 1);
	if (strstr(row->text, "16b") && rnd() & 1)
		memcpy(&regs->rax, fake.device + 256, 8);
	regs->rip = CODE;
	regs->rflags = 2 | (rnd() & ALL);
	/* Comparisons and divisions that go either way */
	if (rnd() & 1) {
		regs->rax &= 0xff;
		regs->rdx = rnd() & 1 ? 0 : 1;
		memset(fake.device + 64, 0, 24);
		fake.device[64] = regs->rax;
		fake.device[68] = rnd() & 3;
	}
	if (starts(row->text, "jmp") || starts(row->text, "call")) {
		uint64_t target = (uintptr_t)native_back;

		memcpy(fake.device + 64, &target, 8);
	}
}

static void make_code(const struct row *row)
{
	uint64_t back = (uintptr_t)native_back;
	uint8_t *code = (uint8_t *)CODE;

	memcpy(code, row->code, row->len);
	/* jmp *0(%rip) */
	memcpy(code + row->len, "\xff\x25\0\0\0", 6);
	memcpy(code + row->len + 6, &back, 8);
	memcpy(fake.memory + RAM_GPA + 0x2000, code, 64);
}

static void put_vectors(const struct machine *m)
{
	uint64_t present = 7;
	int i;

	memcpy(fake.xsave + 512, &present, 8);
	for (i = 0; i < 16; i++) {
		memcpy(fake.xsave + 160 + 16 * i, m->ymm[i], 16);
		memcpy(fake.xsave + 576 + 16 * i, m->ymm[i] + 16, 16);
	}
	for (i = 0; i < 8; i++)
		memcpy(fake.xsave + 32 + 16 * i, &m->mm[i], 8);
}

static void get_vectors(struct machine *m)
{
	int i;

	for (i = 0; i < 16; i++) {
		memcpy(m->ymm[i], fake.xsave + 160 + 16 * i, 16);
		memcpy(m->ymm[i] + 16, fake.xsave + 576 + 16 * i, 16);
	}
	for (i = 0; i < 8; i++)
		memcpy(&m->mm[i], fake.xsave + 32 + 16 * i, 8);
}

/* "std; ...; cld" is three instructions: libmvmm gets the middle one */
static void complete(const struct row *row, struct machine *guest)
{
	bool backward = starts(row->text, "std");
	uint64_t len = row->len - 2 * backward;

	guest->regs.rflags |= backward ? 0x400 : 0;
	guest->regs.rip += backward;
	fake.run.regs = guest->regs;
	fake.run.retire = 0;
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	guest->regs = fake.run.regs;
	if (divide_error) {
		assert_int_equal(1, fake.injections);
		assert_int_equal(0, fake.injected.vector);
		assert_int_equal(0, fake.run.retire);
		return;
	}
	assert_int_equal(0, fake.injections);
	assert_int_equal(len, fake.run.retire);
	guest->regs.rip += fake.run.retire + backward;
	guest->regs.rflags &= ~0x400ull;
}

static void one(const struct row *row)
{
	struct machine guest, before;

	long_mode();
	randomize(fake.device, sizeof(fake.device));
	randomize(fake.memory + RAM_GPA, 0x2000);
	randomize(&guest, sizeof(guest));
	make_registers(row, &guest.regs);
	memcpy((void *)DEVICE, fake.device, 0x2000);
	memcpy((void *)RAM, fake.memory + RAM_GPA, 0x2000);
	make_code(row);
	put_vectors(&guest);
	before = native_state = guest;
	divide_error = 0;
	native_run();
	complete(row, &guest);
	get_vectors(&guest);
	/* The jump back was no part of the instruction */
	native_state.regs.rip = divide_error ? CODE :
		starts(row->text, "jmp") || starts(row->text, "call") ?
		(uintptr_t)native_back : CODE + row->len;
	native_state.regs.rflags &= ALL & ~row->undefined;
	guest.regs.rflags &= ALL & ~row->undefined;
	/* A divide error leaves the registers as they were */
	if (divide_error)
		native_state.regs.rflags = guest.regs.rflags;
	if (memcmp(&native_state, &guest, sizeof(guest)) ||
	    memcmp((void *)DEVICE, fake.device, 0x2000) ||
	    memcmp((void *)RAM, fake.memory + RAM_GPA, 0x2000)) {
		const uint64_t *a = (void *)&native_state, *b = (void *)&guest;
		const uint64_t *was = (void *)&before;
		size_t i;

		for (i = 0; i < sizeof(guest) / 8; i++)
			if (a[i] != b[i])
				print_error("word %zu: %lx, not %lx; was %lx\n",
					    i, b[i], a[i], was[i]);
		for (i = 0; i < 0x2000; i++)
			if (((uint8_t *)DEVICE)[i] != fake.device[i])
				print_error("device 0x%zx: %x, not %x\n", i,
					    fake.device[i],
					    ((uint8_t *)DEVICE)[i]);
		fail_msg("%s differs", row->text);
	}
}

static bool this_cpu_has(uint32_t needs)
{
	switch (needs) {
	case BMI:
		return __builtin_cpu_supports("bmi");
	case BMI2:
		return __builtin_cpu_supports("bmi2");
	case ADX:
		return __builtin_cpu_supports("adx");
	default:
		return true;
	}
}

static void same_as_on_memory(void **state)
{
	struct sigaction action = { .sa_sigaction = on_fpe,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static uint8_t stack[65536];
	stack_t alternative = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct row *row;
	unsigned int rows = 0, i;

	/* Here, because cmocka sets its own before each test */
	sigaltstack(&alternative, NULL);
	sigaction(SIGFPE, &action, NULL);
	for (row = __start_rows; row < __stop_rows; row++) {
		if (!this_cpu_has(row->needs)) {
			print_message("skipped: %s, which this CPU has not\n",
				      row->text);
			continue;
		}
		for (i = 0; i < 200; i++)
			one(row);
		rows++;
	}
	print_message("%u instructions\n", rows);
	assert_true(rows > 300);
}

static int setup(void **state)
{
	return mmap((void *)BASE, LENGTH, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) != (void *)BASE;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_on_memory),
	};

	if (!__builtin_cpu_supports("avx")) {
		puts("TAP version 13\n1..1\nok 1 # SKIP this CPU has no AVX");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, NULL);
}
