// SPDX-License-Identifier: GPL-2.0
/* Task switches by hardware, completed by libmvmm, on a vCPU that is not there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/fake_guest.h"

#define GDT		0x4000
#define OLD		0x5000
#define NEW		0x6000
#define STACK		0x7000

/* Selectors: flat code and data, of ring 0 and 3; then TSS and LDT */
enum { CODE = 8, DATA = 16, UCODE = 24 | 3, UDATA = 32 | 3, OLD_TSS = 40,
       NEW_TSS = 48, SMALL_TSS = 56, LDT = 64, ABSENT = 72, LAST = 80 };

static void put16(uint64_t at, uint16_t value)
{
	memcpy(fake.memory + at, &value, 2);
}

static void put32(uint64_t at, uint32_t value)
{
	memcpy(fake.memory + at, &value, 4);
}

static uint32_t get32(uint64_t at)
{
	uint32_t value;

	memcpy(&value, fake.memory + at, 4);
	return value;
}

static void describe(unsigned int selector, uint64_t low, uint32_t base)
{
	uint64_t d = low | (uint64_t)(base & 0xffffff) << 16;

	memcpy(fake.memory + GDT + (selector & ~7u), &d, 8);
}

static uint8_t type(unsigned int selector)
{
	return fake.memory[GDT + (selector & ~7u) + 5];
}

static int setup(void **state)
{
	fake_reset();
	describe(CODE, 0x00cf9b000000ffff, 0);
	describe(DATA, 0x00cf93000000ffff, 0);
	describe(UCODE, 0x00cffb000000ffff, 0);
	describe(UDATA, 0x00cff3000000ffff, 0);
	describe(OLD_TSS, 0x00008b0000000067, OLD);
	describe(NEW_TSS, 0x0000890000000067, NEW);
	describe(SMALL_TSS, 0x000081000000002b, NEW);
	describe(LDT, 0x000082000000000f, 0x4800);
	describe(ABSENT, 0x00cf13000000ffff, 0);
	fake.sregs.gdt = (struct mvmm_table){ .base = GDT, .limit = LAST - 1 };
	fake.sregs.cr0 = CR0_PE;
	fake.sregs.tr = (struct mvmm_segment){
		.base = OLD, .limit = 0x67, .selector = OLD_TSS, .attr = 0x8b };
	fake.sregs.cs = (struct mvmm_segment){
		.limit = ~0u, .selector = CODE, .attr = 0xc09b };
	fake.sregs.ss = (struct mvmm_segment){
		.limit = ~0u, .selector = DATA, .attr = 0xc093 };
	fake.run.paging.cr0 = CR0_PE;
	fake.run.paging.cs_attr = 0xc09b;
	fake.run.exit_reason = MVMM_EXIT_TASK_SWITCH;
	fake.run.regs = (struct mvmm_regs){
		.rax = 0xa, .rsp = 0x1234, .rdi = 0xd, .rip = 0x8000,
		.rflags = 0x202 };
	fake.dregs.dr7 = 0x5ff;
	/* ljmp */
	memcpy(fake.memory + 0x8000, "\xea\0\0\0\0\x30\0", 7);
	put32(NEW + 0x1c, 0x9000);
	put32(NEW + 0x20, 0x8100);
	put32(NEW + 0x24, 0x46);
	put32(NEW + 0x28, 0xaa);
	put32(NEW + 0x38, STACK);
	put32(NEW + 0x44, 0xdd);
	put32(NEW + 0x48, DATA);
	put32(NEW + 0x4c, CODE);
	put32(NEW + 0x50, DATA);
	put32(NEW + 0x54, DATA);
	return 0;
}

static int go(unsigned int selector, unsigned int source)
{
	fake.run.task.selector = selector;
	fake.run.task.source = source;
	return mvmm_complete(&fake.guest);
}

static void refused(unsigned int vector, uint32_t error_code)
{
	assert_int_equal(fake.injections, 1);
	assert_int_equal(fake.injected.vector, vector);
	assert_int_equal(fake.injected.has_error, 1);
	assert_int_equal(fake.injected.error_code, error_code);
}

static void jump(void **state)
{
	assert_int_equal(go(NEW_TSS, MVMM_TASK_JMP), 0);
	assert_int_equal(fake.injections, 0);
	assert_int_equal(get32(OLD + 0x20), 0x8007);
	assert_int_equal(get32(OLD + 0x24), 0x202);
	assert_int_equal(get32(OLD + 0x28), 0xa);
	assert_int_equal(get32(OLD + 0x44), 0xd);
	assert_int_equal(get32(OLD + 0x4c), CODE);
	assert_int_equal(fake.run.regs.rip, 0x8100);
	assert_int_equal(fake.run.regs.rflags, 0x46);
	assert_int_equal(fake.run.regs.rax, 0xaa);
	assert_int_equal(fake.run.regs.rsp, STACK);
	assert_int_equal(fake.run.regs.rdi, 0xdd);
	assert_int_equal(fake.run.retire, 0);
	assert_int_equal(type(OLD_TSS), 0x89);
	assert_int_equal(type(NEW_TSS), 0x8b);
	assert_int_equal(fake.sregs.tr.base, NEW);
	assert_int_equal(fake.sregs.tr.attr, 0x8b);
	assert_int_equal(fake.sregs.cr0, CR0_PE | 8);
	/* No paging: no CR3 */
	assert_int_equal(fake.sregs.cr3, 0);
	assert_int_equal(fake.sregs.cs.limit, 0xffffffff);
	/* A null selector is no segment */
	assert_int_equal(fake.sregs.fs.attr, 0);
	assert_int_equal(fake.dregs.dr7, 0x4aa);
	/* It is not nested */
	assert_int_equal(get32(NEW), 0);
}

static void call_and_return(void **state)
{
	assert_int_equal(go(NEW_TSS, MVMM_TASK_CALL), 0);
	assert_int_equal(get32(NEW), OLD_TSS);
	assert_int_equal(fake.run.regs.rflags, 0x4046);
	assert_int_equal(type(OLD_TSS), 0x8b);
	assert_int_equal(type(NEW_TSS), 0x8b);
	/* IRET */
	memcpy(fake.memory + 0x8100, "\xcf", 1);
	assert_int_equal(go(OLD_TSS, MVMM_TASK_IRET), 0);
	assert_int_equal(fake.run.regs.rip, 0x8007);
	assert_int_equal(fake.run.regs.rax, 0xa);
	assert_int_equal(fake.run.regs.rflags, 0x202);
	assert_int_equal(get32(NEW + 0x20), 0x8101);
	/* Its NT is gone */
	assert_int_equal(get32(NEW + 0x24), 0x46);
	assert_int_equal(type(OLD_TSS), 0x8b);
	assert_int_equal(type(NEW_TSS), 0x89);
	assert_int_equal(fake.injections, 0);
}

static void small(void **state)
{
	memset(fake.memory + NEW, 0, 104);
	put16(NEW + 0x0e, 0x8100);
	put16(NEW + 0x10, 0x2);
	put16(NEW + 0x1a, 0x7ffe);
	put16(NEW + 0x22, DATA);
	put16(NEW + 0x24, CODE);
	put16(NEW + 0x26, DATA);
	put16(NEW + 0x28, DATA);
	put16(NEW + 0x2a, LDT);
	assert_int_equal(go(SMALL_TSS, MVMM_TASK_JMP), 0);
	assert_int_equal(fake.run.regs.rip, 0x8100);
	assert_int_equal(fake.run.regs.rsp, 0x7ffe);
	assert_int_equal(fake.sregs.ldt.base, 0x4800);
	assert_int_equal(type(SMALL_TSS), 0x83);
	/* And back, to a TSS of 32 bits */
	put32(OLD + 0x48, DATA);
	put32(OLD + 0x54, DATA);
	assert_int_equal(go(OLD_TSS, MVMM_TASK_JMP), 0);
	assert_int_equal(fake.injections, 0);
	assert_int_equal(fake.run.regs.rip, 0x8007);
}

/* A double fault, as i386 kernels had it: the error code is on the new stack */
static void gate(void **state)
{
	fake.events = (struct mvmm_events){
		.inflight = 1, .type = MVMM_EVENT_EXCEPTION, .vector = 8,
		.has_error = 1, .error_code = 0x77 };
	put32(STACK - 4, 1);
	assert_int_equal(go(NEW_TSS, MVMM_TASK_GATE), 0);
	assert_int_equal(fake.run.regs.rsp, STACK - 4);
	assert_int_equal(get32(STACK - 4), 0x77);
	assert_int_equal(fake.events.inflight, 0);
	/* Where it was, with RF */
	assert_int_equal(get32(OLD + 0x20), 0x8000);
	assert_int_equal(get32(OLD + 0x24), 0x10202);
	assert_int_equal(get32(NEW), OLD_TSS);
	assert_int_equal(fake.injections, 0);
}

static void gate_of_software(void **state)
{
	/* int $0x30, which the CPU does not report */
	memcpy(fake.memory + 0x8000, "\xcd\x30", 2);
	assert_int_equal(go(NEW_TSS, MVMM_TASK_GATE), 0);
	assert_int_equal(get32(OLD + 0x20), 0x8002);
	setup(state);
	fake.events = (struct mvmm_events){
		.inflight = 1, .type = MVMM_EVENT_SOFT_INT, .vector = 0x30,
		.insn_len = 2 };
	assert_int_equal(go(NEW_TSS, MVMM_TASK_GATE), 0);
	assert_int_equal(get32(OLD + 0x20), 0x8002);
	setup(state);
	fake.events = (struct mvmm_events){
		.inflight = 1, .type = MVMM_EVENT_NMI, .vector = 2 };
	assert_int_equal(go(NEW_TSS, MVMM_TASK_GATE), 0);
	assert_int_equal(get32(OLD + 0x20), 0x8000);
	assert_int_equal(fake.events.nmi_masked, 1);
}

/* Nothing has happened when the exception comes */
static void refused_before(void **state)
{
	static const struct { unsigned int selector, source, vector, code; }
	all[] = {
		{ LAST, MVMM_TASK_JMP, 13, LAST }, { 4, MVMM_TASK_JMP, 13, 4 },
		{ DATA, MVMM_TASK_CALL, 13, DATA },
		{ OLD_TSS, MVMM_TASK_CALL, 13, OLD_TSS },
		{ NEW_TSS, MVMM_TASK_IRET, 10, NEW_TSS },
		{ LAST, MVMM_TASK_IRET, 10, LAST } };
	uint8_t before[FAKE_MEMORY];
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		setup(state);
		memcpy(before, fake.memory, sizeof(before));
		assert_int_equal(go(all[i].selector, all[i].source), 0);
		refused(all[i].vector, all[i].code);
		assert_memory_equal(before, fake.memory, sizeof(before));
		assert_int_equal(fake.run.regs.rip, 0x8000);
		assert_int_equal(fake.sregs.tr.selector, OLD_TSS);
	}
	setup(state);
	describe(NEW_TSS, 0x0000890000000066, NEW);
	assert_int_equal(go(NEW_TSS, MVMM_TASK_JMP), 0);
	refused(10, NEW_TSS);
	setup(state);
	describe(NEW_TSS, 0x0000090000000067, NEW);
	assert_int_equal(go(NEW_TSS, MVMM_TASK_JMP), 0);
	refused(11, NEW_TSS);
	/* With the event as its cause, which is over */
	setup(state);
	fake.events = (struct mvmm_events){
		.inflight = 1, .type = MVMM_EVENT_IRQ, .vector = 0x30 };
	assert_int_equal(go(LAST, MVMM_TASK_GATE), 0);
	refused(13, LAST | 1);
	assert_int_equal(fake.events.inflight, 0);
	/* A page fault whose handler is no task: a double fault; and a third one */
	setup(state);
	fake.events = (struct mvmm_events){
		.inflight = 1, .type = MVMM_EVENT_EXCEPTION, .vector = 14 };
	assert_int_equal(go(LAST, MVMM_TASK_GATE), 0);
	refused(8, 0);
	setup(state);
	fake.events = (struct mvmm_events){
		.inflight = 1, .type = MVMM_EVENT_EXCEPTION, .vector = 8 };
	assert_int_equal(go(LAST, MVMM_TASK_GATE), 0);
	assert_int_equal(fake.injections, 0);
	assert_int_equal(fake.events.shutdown, 1);
}

/* The new task gets it, at its first instruction */
static void refused_after(void **state)
{
	static const struct { unsigned int at, selector, vector; } all[] = {
		{ 0x4c, 0, 10 }, { 0x4c, DATA, 10 }, { 0x4c, UCODE & ~3, 10 },
		{ 0x50, 0, 10 }, { 0x50, CODE, 10 }, { 0x50, UDATA, 10 },
		{ 0x50, ABSENT, 12 }, { 0x48, ABSENT, 11 },
		{ 0x54, NEW_TSS, 10 }, { 0x58, LAST, 10 }, { 0x58, 4, 10 },
		{ 0x60, DATA, 10 }, { 0x60, 4 | LDT, 10 } };
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		setup(state);
		put32(NEW + all[i].at, all[i].selector);
		assert_int_equal(go(NEW_TSS, MVMM_TASK_JMP), 0);
		refused(all[i].vector, all[i].selector & 0xfffc);
		assert_int_equal(fake.run.regs.rip, 0x8100);
		assert_int_equal(fake.sregs.tr.selector, NEW_TSS);
	}
	/* Ring 3 is another matter */
	setup(state);
	put32(NEW + 0x4c, UCODE);
	put32(NEW + 0x50, UDATA);
	put32(NEW + 0x48, UDATA);
	put32(NEW + 0x54, 0);
	assert_int_equal(go(NEW_TSS, MVMM_TASK_JMP), 0);
	assert_int_equal(fake.injections, 0);
	assert_int_equal(fake.sregs.cs.selector, UCODE);
}

static void to_v86(void **state)
{
	put32(NEW + 0x24, 0x20202);
	put32(NEW + 0x4c, 0x1000);
	put32(NEW + 0x50, 0x2000);
	assert_int_equal(go(NEW_TSS, MVMM_TASK_JMP), 0);
	assert_int_equal(fake.injections, 0);
	assert_int_equal(fake.run.regs.rflags, 0x20202);
	assert_int_equal(fake.sregs.cs.base, 0x10000);
	assert_int_equal(fake.sregs.cs.attr, 0xf3);
	assert_int_equal(fake.sregs.ss.base, 0x20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(jump, setup),
		cmocka_unit_test_setup(call_and_return, setup),
		cmocka_unit_test_setup(small, setup),
		cmocka_unit_test_setup(gate, setup),
		cmocka_unit_test_setup(gate_of_software, setup),
		cmocka_unit_test_setup(refused_before, setup),
		cmocka_unit_test_setup(refused_after, setup),
		cmocka_unit_test_setup(to_v86, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
