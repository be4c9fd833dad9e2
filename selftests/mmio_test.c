// SPDX-License-Identifier: GPL-2.0
/* MMIO exits, and their completion by libmvmm. */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "vm.h"

FIXTURE(mmio) {
	struct vm vm;
};

FIXTURE_SETUP(mmio)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
}

FIXTURE_TEARDOWN(mmio)
{
	vm_destroy(&self->vm);
}

/* Each instruction reads or writes the device at rbx */
GUEST(mmio_code,
      "mov $0x10000000, %rbx\n"
      "movb $0x5a, (%rbx)\n"
      "movw $0x1234, 2(%rbx)\n"
      "movl $0xdeadbeef, 4(%rbx)\n"
      "movq $-2, 8(%rbx)\n"
      "mov $0x99, %r9d\n mov %r9b, 1(%rbx)\n"
      "mov %ah, 3(%rbx)\n"
      "mov (%rbx), %r10\n"
      "movzbl (%rbx), %r11d\n"
      "movsbq (%rbx), %r12\n"
      "movslq (%rbx), %r13\n"
      "addl $5, (%rbx)\n pushfq\n pop %r14\n"
      "andl $0xff, (%rbx)\n"
      "orb $0x80, (%rbx)\n"
      "cmpl $7, (%rbx)\n pushfq\n pop %r15\n"
      "mov $1, %ecx\n xchg %ecx, (%rbx)\n"
      "btsl $3, (%rbx)\n"
      "notl (%rbx)\n"
      "incl (%rbx)\n"
      "mov $0x10000000, %rdi\n mov $0x41, %al\n mov $4, %ecx\n rep stosb\n"
      "mov $0x10000000, %rsi\n mov $0x100000, %rdi\n mov $2, %ecx\n"
      "rep movsl\n"
      "hlt");
TEST_F(mmio, moves_and_arithmetic)
{
	struct mvmm_run *run = self->vm.run;
	struct mvmm_info info;
	bool gva;

	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	gva = info.features & MVMM_FEATURE_FAULT_GVA;
	LOAD(&self->vm, mmio_code);
	/* Every read gives the same value */
	self->vm.io_value = 0xfedcba9876543280;
#define STEP(w, a, s) do {						\
		ASSERT_EQ(0, vm_run(&self->vm));			\
		ASSERT_EQ(MVMM_EXIT_MMIO, run->exit_reason);		\
		EXPECT_EQ(VOID + (a), run->mmio.gpa);			\
		EXPECT_EQ(gva ? VOID + (a) : 0, run->mmio.gva);		\
		if (!(w))						\
			self->vm.io_value = 0xfedcba9876543280;	\
		ASSERT_EQ(0, mvmm_complete_mmio(&self->vm.guest));	\
		EXPECT_EQ(w, self->vm.io_write);			\
		EXPECT_EQ(VOID + (a), self->vm.io_address);		\
		EXPECT_EQ(s, self->vm.io_size);				\
	} while (0)
	STEP(true, 0, 1);
	EXPECT_EQ(0x5a, self->vm.io_value);
	STEP(true, 2, 2);
	EXPECT_EQ(0x1234, self->vm.io_value);
	STEP(true, 4, 4);
	EXPECT_EQ(0xdeadbeef, self->vm.io_value);
	STEP(true, 8, 8);
	EXPECT_EQ(-2ull, self->vm.io_value);
	STEP(true, 1, 1);
	EXPECT_EQ(0x99, self->vm.io_value);
	STEP(true, 3, 1);
	STEP(false, 0, 8);
	STEP(false, 0, 1);
	STEP(false, 0, 1);
	STEP(false, 0, 4);
	EXPECT_EQ(0xfedcba9876543280, run->regs.r10);
	EXPECT_EQ(0x80, run->regs.r11);
	EXPECT_EQ(0xffffffffffffff80, run->regs.r12);
	EXPECT_EQ(0x76543280, run->regs.r13);
#define RMW(expected) do {						\
		self->vm.io_value = 0x76543280;				\
		ASSERT_EQ(0, vm_run(&self->vm));			\
		ASSERT_EQ(MVMM_EXIT_MMIO, run->exit_reason);		\
		ASSERT_EQ(0, mvmm_complete_mmio(&self->vm.guest));	\
		EXPECT_EQ(expected, self->vm.io_value);			\
	} while (0)
	RMW(0x76543285);
	RMW(0x80);
	RMW(0x80);
	RMW(0x76543280);	/* CMP writes nothing */
	RMW(1);
	EXPECT_EQ(0x76543280, run->regs.rcx);
	RMW(0x76543288);
	RMW(0x89abcd7f);
	RMW(0x76543281);
	/* REP STOSB and REP MOVSL: one exit for each element */
	self->vm.io_count = 0;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(6, self->vm.io_count);
	EXPECT_EQ(0, run->regs.rcx);
	EXPECT_EQ(VOID + 8, run->regs.rsi);
	EXPECT_EQ(DATA + 8, run->regs.rdi);
	/* ADD: no carry, parity of 0x85 is odd; CMP 0x76543280 - 7: only AF */
	EXPECT_EQ(0, run->regs.r14 & 0x8d5);
	EXPECT_EQ(0x10, run->regs.r15 & 0x8d5);
}

/* The first half of the access is in memory, the other half is MMIO */
GUEST(split_mmio,
      "mov $0x3ffffc, %rbx\n movabs $0x1122334455667788, %rax\n"
      "mov %rax, (%rbx)\n mov (%rbx), %rcx\n hlt");
TEST_F(mmio, across_the_end_of_memory)
{
	LOAD(&self->vm, split_mmio);
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_MMIO, self->vm.run->exit_reason);
	ASSERT_EQ(0, mvmm_complete_mmio(&self->vm.guest));
	EXPECT_EQ(MEM_SIZE, self->vm.io_address);
	EXPECT_EQ(4, self->vm.io_size);
	EXPECT_EQ(0x11223344, self->vm.io_value);
	EXPECT_EQ(0x55667788, *(uint32_t *)(self->vm.mem + MEM_SIZE - 4));
	self->vm.io_value = 0xaabbccdd;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0xaabbccdd55667788, self->vm.run->regs.rcx);
	EXPECT_EQ(2, self->vm.io_count);
}

/* Others on the device, then on memory: test_execute.c has them all */
#define MORE_MMIO							\
	"mov $3, %ecx\n mov %rbx, %rdi\n mov $0x11223344, %eax\n"	\
	".byte 0xf2\n stosl\n mov %rdi, %r8\n sub %rbx, %r8\n"		\
	"mov $3, %ecx\n lock xadd %rcx, (%rbx)\n"			\
	"mov $-1, %rdx\n lock cmpxchg %rdx, (%rbx)\n mov %rax, %r9\n"	\
	"shll $5, 4(%rbx)\n negw (%rbx)\n pushfq\n pop %r10\n"	\
	"push (%rbx)\n pop 8(%rbx)\n"					\
	"movups (%rbx), %xmm3\n movups %xmm3, 16(%rbx)\n"		\
	"mov 16(%rbx), %r11\n mov 24(%rbx), %r12\n"
GUEST(more_mmio,
      "mov %cr4, %rax\n or $0x200, %rax\n mov %rax, %cr4\n"
      "mov $0x10000000, %rbx\n" MORE_MMIO "out %al, $0x80\n"
      "mov $0x100000, %rbx\n" MORE_MMIO "out %al, $0x80\n hlt");
static uint8_t words[32];

static void words_mmio(void *ctx, uint64_t gpa, void *data, unsigned int size,
		       bool write)
{
	uint64_t at = gpa - VOID;

	if (at >= sizeof(words) || size > sizeof(words) - at)
		return;
	if (write)
		memcpy(words + at, data, size);
	else
		memcpy(data, words + at, size);
}

TEST_F(mmio, as_memory)
{
	struct mvmm_regs *regs = &self->vm.run->regs, device;

	LOAD(&self->vm, more_mmio);
	self->vm.guest.mmio = words_mmio;
	ASSERT_EQ(0, vm_run(&self->vm));
	/* On some CPUs MOV to CR4 exits */
	while (self->vm.run->exit_reason == MVMM_EXIT_MMIO ||
	       self->vm.run->exit_reason == MVMM_EXIT_CR) {
		ASSERT_EQ(0, mvmm_complete(&self->vm.guest));
		ASSERT_EQ(0, vm_run(&self->vm));
	}
	ASSERT_EQ(MVMM_EXIT_IO, self->vm.run->exit_reason);
	device = *regs;
	ASSERT_EQ(0, mvmm_complete(&self->vm.guest));
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_IO, self->vm.run->exit_reason);
	EXPECT_EQ(0, memcmp(words, self->vm.mem + DATA, sizeof(words)));
	EXPECT_EQ(regs->rax, device.rax);
	EXPECT_EQ(12, device.r8);
	EXPECT_EQ(regs->rcx, device.rcx);
	EXPECT_EQ(regs->r9, device.r9);
	EXPECT_EQ(regs->r10 & 0x8d5, device.r10 & 0x8d5);
	EXPECT_EQ(regs->r11, device.r11);
	EXPECT_EQ(regs->r12, device.r12);
	EXPECT_NE(0, device.r12);
}

GUEST(odd_mmio, "mov $0x10000000, %rbx\n fldl (%rbx)\n hlt");
TEST_F(mmio, by_an_unknown_instruction)
{
	struct mvmm_regs before;

	LOAD(&self->vm, odd_mmio);
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_MMIO, self->vm.run->exit_reason);
	before = self->vm.run->regs;
	EXPECT_EQ(-ENOTSUP, mvmm_complete_mmio(&self->vm.guest));
	EXPECT_EQ(0, memcmp(&before, &self->vm.run->regs, sizeof(before)));
}

TEST_HARNESS_MAIN
