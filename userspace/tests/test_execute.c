// SPDX-License-Identifier: GPL-2.0
/*
 * Each instruction that libmvmm knows, on a device, beside the same bytes
 * executed by this CPU on memory: the registers, the flags that the SDM defines
 * and all bytes must agree.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <cmocka.h>
#include "execute.h"
#include "execute_rows.h"
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

/* ---- this CPU ----------------------------------------------------------- */

/* In the order of the instructions below */
struct machine {
	struct mvmm_regs regs;		/* rax .. r15, rip, rflags */
	uint64_t mm[8];
	uint64_t mxcsr;
	uint8_t zmm[32][64];		/* without AVX-512, 16 of 32 bytes */
};

struct machine native_state;
uint64_t native_host_rsp;
uint32_t native_host_mxcsr;
uint8_t native_avx512;
void native_run(void);
void native_back(void);

#define EACH_YMM(op)							\
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9)	\
	op(10) op(11) op(12) op(13) op(14) op(15)
#define EACH_ZMM(op)							\
	EACH_YMM(op)							\
	op(16) op(17) op(18) op(19) op(20) op(21) op(22) op(23) op(24)	\
	op(25) op(26) op(27) op(28) op(29) op(30) op(31)
#define EACH_MM(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#define LOAD_YMM(n) "vmovdqu native_state+216+64*" #n "(%rip), %ymm" #n "\n"
#define SAVE_YMM(n) "vmovdqu %ymm" #n ", native_state+216+64*" #n "(%rip)\n"
#define LOAD_ZMM(n) "vmovdqu64 native_state+216+64*" #n "(%rip), %zmm" #n "\n"
#define SAVE_ZMM(n) "vmovdqu64 %zmm" #n ", native_state+216+64*" #n "(%rip)\n"
#define LOAD_MM(n) "movq native_state+144+8*" #n "(%rip), %mm" #n "\n"
#define SAVE_MM(n) "movq %mm" #n ", native_state+144+8*" #n "(%rip)\n"
_Static_assert(offsetof(struct machine, mm) == 144 &&
	       offsetof(struct machine, mxcsr) == 208 &&
	       offsetof(struct machine, zmm) == 216 &&
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
    "cmpb $0, native_avx512(%rip)\n je 1f\n"
    EACH_ZMM(LOAD_ZMM)
    "jmp 2f\n 1:\n"
    EACH_YMM(LOAD_YMM)
    "2:\n stmxcsr native_host_mxcsr(%rip)\n ldmxcsr native_state+208(%rip)\n"
    EACH_MM(LOAD_MM)
    "push native_state+136(%rip)\n popfq\n"
    EACH_REG(LOAD_REG)
    "mov native_state+32(%rip), %rsp\n"
    "jmp *native_state+128(%rip)\n"
    "native_back:\n"
    "mov %rsp, native_state+32(%rip)\n"
    "mov native_host_rsp(%rip), %rsp\n"
    EACH_REG(SAVE_REG)
    "pushfq\n pop native_state+136(%rip)\n cld\n"
    "stmxcsr native_state+208(%rip)\n ldmxcsr native_host_mxcsr(%rip)\n"
    EACH_MM(SAVE_MM)
    "cmpb $0, native_avx512(%rip)\n je 1f\n"
    EACH_ZMM(SAVE_ZMM)
    "jmp 2f\n 1:\n"
    EACH_YMM(SAVE_YMM)
    "2:\n"
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

static bool jumps(const struct row *row)
{
	return starts(row->text, "jmp") || starts(row->text, "call") ||
	       starts(row->text, "ret");
}

/* What makes each instruction touch the device, and nothing that is not there */
static void make_registers(const struct row *row, struct mvmm_regs *regs)
{
	randomize(regs, sizeof(*regs));
	regs->rbx = DEVICE + 64;
	regs->rsi = (rnd() & 1 ? DEVICE : RAM) + 256;
	regs->rdi = (rnd() & 1 ? DEVICE : RAM) + (rnd() & 1 ? 256 : 512);
	regs->rsp = strstr(row->text, "(%rsp)") || starts(row->text, "push ") ||
		    starts(row->text, "pop ") || starts(row->text, "ret") ?
		    DEVICE + 512 : STACK;
	if (starts(row->text, "leave"))
		regs->rbp = DEVICE + 512;
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
	/* Reserved bits would be #GP */
	if (strstr(row->text, "mxcsr"))
		memset(fake.device + 66, 0, 2);
	if (jumps(row)) {
		uint64_t target = (uintptr_t)native_back;

		memcpy(fake.device + 64, &target, 8);
		memcpy(fake.device + 512, &target, 8);
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

/* The parts of vector registers in the XSAVE area: SDM vol. 1, 13.4 and 13.5 */
static const struct piece {
	unsigned int component, first, count, from, size;
} pieces[] = {
	{ 1, 0, 16, 0, 16 }, { 2, 0, 16, 16, 16 },
	{ 6, 0, 16, 32, 32 }, { 7, 16, 16, 0, 64 },
};

static unsigned int place_of(const struct piece *p)
{
	unsigned int size, at = 160, c, d;

	if (p->component > 1)
		__get_cpuid_count(0xd, p->component, &size, &at, &c, &d);
	assert_in_range(at, 1, FAKE_XSAVE - p->count * p->size);
	return at;
}

static unsigned int nr_pieces(void)
{
	return native_avx512 ? 4 : 2;
}

/* The area has ST(0) first, and MMX registers do not move with the stack's top */
static uint8_t *mm_at(unsigned int i)
{
	return fake.xsave + 32 + 16 * ((i - (fake.xsave[3] >> 3)) % 8);
}

/* Some components are in their initial state, and not in the area */
static void put_vectors(struct machine *m)
{
	uint64_t present = 1;
	const uint32_t mask = 0xffff;
	unsigned int i, n, at;

	randomize(fake.xsave, sizeof(fake.xsave));
	for (i = 0; i < 8; i++)
		memcpy(mm_at(i), &m->mm[i], 8);
	m->mxcsr &= 0xffff;
	memcpy(fake.xsave + 24, &m->mxcsr, 4);
	memcpy(fake.xsave + 28, &mask, 4);
	for (i = 0; i < nr_pieces(); i++) {
		const struct piece *p = &pieces[i];

		at = place_of(p);
		present |= rnd() & 3 ? 1 << p->component : 0;
		for (n = 0; n < p->count; n++) {
			uint8_t *part = m->zmm[p->first + n] + p->from;

			if (present & 1 << p->component)
				memcpy(fake.xsave + at + n * p->size, part,
				       p->size);
			else
				memset(part, 0, p->size);
		}
	}
	memcpy(fake.xsave + 512, &present, 8);
}

static void get_vectors(struct machine *m)
{
	unsigned int i, n, at;
	uint64_t present;

	for (i = 0; i < 8; i++)
		memcpy(&m->mm[i], mm_at(i), 8);
	memcpy(&m->mxcsr, fake.xsave + 24, 4);
	memcpy(&present, fake.xsave + 512, 8);
	for (i = 0; i < nr_pieces(); i++) {
		const struct piece *p = &pieces[i];

		at = place_of(p);
		for (n = 0; n < p->count; n++) {
			uint8_t *part = m->zmm[p->first + n] + p->from;

			if (present & 1 << p->component)
				memcpy(part, fake.xsave + at + n * p->size,
				       p->size);
			else
				memset(part, 0, p->size);
		}
	}
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
	/* The device is not to see these */
	if (starts(row->text, "cl"))
		assert_int_equal(0, fake.accesses);
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
		jumps(row) ? (uintptr_t)native_back : CODE + row->len;
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

/* gcc's __builtin_cpu_supports() does not know these names everywhere */
static bool has_cache_bit(unsigned int bit)
{
	unsigned int a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit;
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
	case AVX512:
		return native_avx512;
	case AVX2:
		return __builtin_cpu_supports("avx2");
	case CLFLUSHOPT:
		return has_cache_bit(bit_CLFLUSHOPT);
	case CLWB:
		return has_cache_bit(bit_CLWB);
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

/* Rows are bytes: what is it that they compare? */
static ZydisMnemonic mnemonic_of(const struct row *row)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	int prefix = starts(row->text, "std");
	ZydisDecodedInstruction i;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeFull(
		&decoder, row->code + prefix, row->len - prefix, &i, op)));
	return i.mnemonic;
}

static void each_entry_has_a_row(void **state)
{
	static bool seen[ZYDIS_MNEMONIC_MAX_VALUE + 1];
	const struct row *row;
	unsigned int missing = 0, i;

	/* The guest's CR0 is not this CPU's: test_libmvmm.c has it */
	seen[ZYDIS_MNEMONIC_SMSW] = true;
	for (row = __start_rows; row < __stop_rows; row++)
		seen[mnemonic_of(row)] = true;
	for (i = 0; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++) {
		if (!mvmm_executes(i) || seen[i])
			continue;
		print_error("%s is not compared\n", ZydisMnemonicGetString(i));
		missing++;
	}
	assert_int_equal(0, missing);
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
		cmocka_unit_test(each_entry_has_a_row),
	};

	if (!__builtin_cpu_supports("avx")) {
		puts("TAP version 13\n1..1\nok 1 # SKIP this CPU has no AVX");
		return 0;
	}
	native_avx512 = __builtin_cpu_supports("avx512vl") &&
			__builtin_cpu_supports("avx512bw") &&
			__builtin_cpu_supports("avx512dq");
	return cmocka_run_group_tests(tests, setup, NULL);
}
