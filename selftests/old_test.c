// SPDX-License-Identifier: GPL-2.0
/*
 * What systems from before 64 bits do: real mode with large segments, protected mode of
 * 16 bits, V86, LMSW, tasks, code that changes itself, and the way out by a triple
 * fault. Where an access needs the module or libmvmm, it is tried there, too.
 */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "vm.h"

#define GDT_LIMIT	(16 * 8 - 1)

FIXTURE(old) {
	struct vm vm;
};

FIXTURE_SETUP(old)
{
	ASSERT_EQ(0, vm_create(&self->vm));
}

FIXTURE_TEARDOWN(old)
{
	vm_destroy(&self->vm);
}

/* Descriptors from 8 on: flat, of 16 bits with a base, of ring 3, TSSs, a gate */
enum { CODE32 = 8, DATA32 = 16, CODE16 = 24, DATA16 = 32, UCODE = 40, UDATA = 48,
       TSS_A = 56, TSS_B = 64, GATE = 72 };
#define TSS_B_AT	0x32800ul

static void describe(struct vm *vm, unsigned int selector, uint64_t low,
		     uint32_t base)
{
	uint64_t *gdt = (uint64_t *)(vm->mem + GDT);

	gdt[selector / 8] = low | (uint64_t)(base & 0xffffff) << 16;
}

static void put32(struct vm *vm, uint64_t at, uint32_t value)
{
	memcpy(vm->mem + at, &value, 4);
}

static uint32_t get32(struct vm *vm, uint64_t at)
{
	uint32_t value;

	memcpy(&value, vm->mem + at, 4);
	return value;
}

/* Code after it comes at a GDT in 0x600 (lgdt), and an IDT in 0x608 */
static void make_gdt(struct vm *vm)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed))
		gdt = { GDT_LIMIT, GDT }, idt = { 0x7ff, IDT };

	memset(vm->mem + GDT, 0, GDT_LIMIT + 1);
	describe(vm, CODE32, 0x00cf9b000000ffff, 0);
	describe(vm, DATA32, 0x00cf93000000ffff, 0);
	describe(vm, CODE16, 0x00009b000000ffff, CODE);
	describe(vm, DATA16, 0x000093000000ffff, CODE);
	describe(vm, UCODE, 0x00cffb000000ffff, 0);
	describe(vm, UDATA, 0x00cff3000000ffff, 0);
	describe(vm, TSS_A, 0x0000890000000067, TSS);
	describe(vm, TSS_B, 0x0000890000000067, TSS_B_AT);
	memcpy(vm->mem + 0x600, &gdt, sizeof(gdt));
	memcpy(vm->mem + 0x608, &idt, sizeof(idt));
}

static void gate(struct vm *vm, unsigned int vector, uint16_t selector,
		 uint32_t offset, uint16_t attr)
{
	put32(vm, IDT + 8 * vector, selector << 16 | (offset & 0xffff));
	put32(vm, IDT + 8 * vector + 4, (offset & 0xffff0000) | attr);
}

/* Protected mode without paging, with that GDT and IDT, and no task yet */
#define LOAD_TASK "mov $56, %ax\n ltr %ax\n"
static int set_protected(struct vm *vm)
{
	struct mvmm_sregs s;
	int ret = vm_set_mode(vm, PROT32);

	make_gdt(vm);
	memset(vm->mem + IDT, 0, 0x800);
	/*
	 * Bochs has changed rip, and QEMU the TSS, when the stack of an event turns
	 * out not to be mapped: neither can be entered again then
	 */
	if (!ret)
		ret = mvmm_prefault(vm->vm, 0, MEM_SIZE, MVMM_PREFAULT_WRITE);
	if (!ret)
		ret = mvmm_get_sregs(vm->vcpu, &s);
	if (ret)
		return ret;
	s.cr0 &= ~(1ull << 31);
	s.cs.selector = CODE32;
	s.gdt = (struct mvmm_table){ .base = GDT, .limit = GDT_LIMIT };
	s.idt = (struct mvmm_table){ .base = IDT, .limit = 0x7ff };
	return mvmm_set_sregs(vm->vcpu, &s);
}

/* The exit's reason; if it is none that ends these tests, what it was */
static int run(struct __test_metadata *_metadata, struct vm *vm)
{
	int ret = vm_run_to_exit(vm);

	if (ret == MVMM_EXIT_MMIO)
		TH_LOG("MMIO at 0x%llx, rip 0x%llx, rsp 0x%llx, rflags 0x%llx, flags %u",
		       vm->run->mmio.gpa, vm->run->regs.rip,
		       vm->run->regs.rsp, vm->run->regs.rflags,
		       vm->run->exit_flags);
	if (ret == MVMM_EXIT_ENTRY_FAILED)
		TH_LOG("reason %u, qualification 0x%llx, rip 0x%llx",
		       vm->run->entry.hw_reason, vm->run->entry.qualification,
		       vm->run->regs.rip);
	return ret;
}

/* Limits of segments are not looked at there */
static bool on_tcg(void)
{
	return module_has(MVMM_FEATURE_SVM) && !vm_on_bochs();
}

/* ---- real mode --------------------------------------------------------------- */

/* Big real mode: DS reaches 4 GiB, also after a far jump; memory, and a device */
GUEST(big_real, ".code16\n"
      "cli\n xor %ax, %ax\n mov %ax, %ds\n data32 lgdt 0x600\n"
      "mov %cr0, %eax\n or $1, %al\n mov %eax, %cr0\n"
      "mov $16, %bx\n mov %bx, %ds\n mov %bx, %es\n"
      "and $0xfe, %al\n mov %eax, %cr0\n"
      "movl $0x200000, %ebx\n"
      "addr32 movl $0x11111111, (%ebx)\n"
      "ljmp $0x1000, $(1f - big_real)\n"
      "1: addr32 movl $0x22222222, 4(%ebx)\n"
      /* A load changes the base, and not the limit */
      "mov $0x100, %ax\n mov %ax, %es\n"
      "addr32 movb $0x33, %es:8(%ebx)\n"
      "movl $0x10000000, %ebx\n"
      "addr32 movl $0x44444444, (%ebx)\n"
      "addr32 mov %es:16(%ebx), %ecx\n"
      "hlt");
TEST_F(old, big_real)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, vm_set_mode(vm, REAL16));
	make_gdt(vm);
	LOAD(vm, big_real);
	ASSERT_EQ(MVMM_EXIT_HLT, run(_metadata, vm));
	EXPECT_EQ(0x11111111, get32(vm, 0x200000));
	EXPECT_EQ(0x22222222, get32(vm, 0x200004));
	EXPECT_EQ(0x33, vm->mem[0x201008]);
	EXPECT_EQ(2, vm->io_count);
	EXPECT_EQ(VOID + 0x1010, vm->io_address);
	EXPECT_EQ(0x44444444, vm->run->regs.rcx);
}

/* Handlers of real mode: the vector to the stack of what came; then behind it */
#define VECTORS								\
	"xor %ax, %ax\n mov %ax, %ds\n mov %ax, %ss\n mov $0x8000, %sp\n"

/* Over the edge of a segment of 64 KiB: #GP, or #SS, and nothing is done */
GUEST(edge, ".code16\n" VECTORS
      "movw $(1f - edge), 13 * 4\n movw $0x1000, 13 * 4 + 2\n"
      "movw $(2f - edge), 12 * 4\n movw $0x1000, 12 * 4 + 2\n"
      "xor %cx, %cx\n mov $0xffff, %bx\n mov $0xffff, %bp\n"
      "mov %ax, (%bx)\n"
      "mov %ax, (%bp)\n"
      "mov $0x1000, %ax\n mov %ax, %es\n"
      "mov $0xffff, %si\n mov $0x9000, %di\n"
      "movsw\n"
      "movl $0x10000, %ebx\n addr32 movb $1, (%ebx)\n"
      /* MOVS from a device: the other operand is beyond */
      "hlt\n"
      /* All of these have 2 bytes but the last two, whose frames end it */
      "1: inc %cl\n"
      "cmp $2, %cl\n je 3f\n"
      "cmp $3, %cl\n jae 4f\n"
      "push %bp\n mov %sp, %bp\n addw $2, 2(%bp)\n pop %bp\n iret\n"
      "2: inc %ch\n push %bp\n mov %sp, %bp\n addw $3, 2(%bp)\n pop %bp\n iret\n"
      "3: push %bp\n mov %sp, %bp\n addw $1, 2(%bp)\n pop %bp\n iret\n"
      "4: hlt");
TEST_F(old, edge_of_a_segment)
{
	struct vm *vm = &self->vm;

	if (on_tcg())
		SKIP(return, "QEMU checks no limits of segments");
	ASSERT_EQ(0, vm_set_mode(vm, REAL16));
	LOAD(vm, edge);
	ASSERT_EQ(MVMM_EXIT_HLT, run(_metadata, vm));
	EXPECT_EQ(0x0103, vm->run->regs.rcx);
	EXPECT_EQ(0xffff, vm->run->regs.rsi);
}

/* INT n with a stack that wraps at 64 KiB, and from the last bytes of a segment */
GUEST(wraps, ".code16\n"
      "xor %ax, %ax\n mov %ax, %ds\n"
      "movw $0xfff0, 0x40 * 4\n movw $0, 0x40 * 4 + 2\n"
      "mov $0x2000, %ax\n mov %ax, %ss\n mov $4, %sp\n"
      "int $0x40\n"
      "mov %sp, %dx\n"
      "ljmp $0, $0xfffe\n");
TEST_F(old, wraps)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, vm_set_mode(vm, REAL16));
	LOAD(vm, wraps);
	/* The handler: mov %sp, %cx; iret */
	memcpy(vm->mem + 0xfff0, "\x89\xe1\xcf", 3);
	/* The last bytes of a segment: int $0x41; rip is 0 then */
	memcpy(vm->mem + 0xfffe, "\xcd\x41", 2);
	put32(vm, 0x41 * 4, 0x00000700);
	memcpy(vm->mem + 0x700, "\xf4", 1);
	ASSERT_EQ(MVMM_EXIT_HLT, run(_metadata, vm));
	/* 4 - 6 is 0xfffe, whose bytes are at both ends of the segment */
	EXPECT_EQ(0xfffe, vm->run->regs.rcx & 0xffff);
	EXPECT_EQ(4, vm->run->regs.rdx & 0xffff);
	/* Of the second one: flags, CS, and an IP beyond the edge */
	EXPECT_EQ(0xfffe, vm->run->regs.rsp & 0xffff);
	EXPECT_EQ(0, get32(vm, 0x2fffe) & 0xffff);
}

/* A program that changes what comes next, and what it has run already */
GUEST(modified, ".code16\n"
      "mov %cs, %ax\n mov %ax, %ds\n xor %cx, %cx\n"
      "movb $0x41, 1f - modified\n"
      "jmp 1f\n"
      "1: nop\n"
      "mov $100, %dx\n"
      "2: nop\n"
      "xorb $(0x90 ^ 0x41), 2b - modified\n"
      "dec %dx\n jnz 2b\n"
      "hlt");
TEST_F(old, modifies_itself)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, vm_set_mode(vm, REAL16));
	LOAD(vm, modified);
	ASSERT_EQ(MVMM_EXIT_HLT, run(_metadata, vm));
	/* inc %cx: once, and every second time of a hundred */
	EXPECT_EQ(51, vm->run->regs.rcx);
}

/* ---- protected mode ----------------------------------------------------------- */

/* As on a 286: LMSW in, 16-bit code and data; LMSW cannot get out */
GUEST(lmsw, ".code16\n"
      "cli\n xor %ax, %ax\n mov %ax, %ds\n lgdt 0x600\n"
      "smsw %ax\n or $1, %ax\n lmsw %ax\n"
      "ljmp $24, $(1f - lmsw)\n"
      "1: mov $32, %ax\n mov %ax, %ds\n mov %ax, %ss\n mov $0x4000, %sp\n"
      "push %ax\n call 2f\n"
      "movw $0x1234, 0x3000\n"
      "xor %ax, %ax\n lmsw %ax\n smsw %bx\n"
      "hlt\n"
      "2: mov %sp, %cx\n ret");
TEST_F(old, lmsw)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, vm_set_mode(vm, REAL16));
	make_gdt(vm);
	LOAD(vm, lmsw);
	ASSERT_EQ(MVMM_EXIT_HLT, run(_metadata, vm));
	EXPECT_EQ(1, vm->run->regs.rbx & 1);
	EXPECT_EQ(0x3ffc, vm->run->regs.rcx & 0xffff);
	EXPECT_EQ(0x1234, get32(vm, CODE + 0x3000) & 0xffff);
}

/* Reset by a triple fault: no IDT, and an exception */
GUEST(triple, ".code32\n lidt 1f - triple + 0x10000\n int3\n hlt\n"
      "1: .word 0\n .long 0\n");
TEST_F(old, triple_fault)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, set_protected(vm));
	LOAD(vm, triple);
	ASSERT_EQ(MVMM_EXIT_SHUTDOWN, run(_metadata, vm));
	/* The machine starts anew */
	ASSERT_EQ(0, mvmm_reset(vm->vcpu, 0));
	ASSERT_EQ(0, vm_set_mode(vm, REAL16));
	LOAD(vm, modified);
	ASSERT_EQ(MVMM_EXIT_HLT, run(_metadata, vm));
}

/* ---- V86 ------------------------------------------------------------------------ */

/*
 * The monitor: #GP ends in BX: the bytes of the instruction; all else of V86 is on the
 * stack. It goes to V86 by an IRET with IOPL in EBP and code at 0x1100:0.
 */
GUEST(monitor, ".code32\n" LOAD_TASK
      "push $0\n push $0\n push $0\n push $0\n"	/* gs fs ds es */
      "push $0x1200\n push $0x100\n"
      "mov $0x20002, %eax\n or %ebp, %eax\n push %eax\n"
      "push $0x1100\n push $0\n"
      "iret\n"
      ".org monitor + 0x80\n"
      /* DS is null here */
      "mov $16, %ax\n mov %ax, %ds\n"
      "mov 4(%esp), %ebx\n add $0x11000, %ebx\n mov (%ebx), %ebx\n"
      "mov 12(%esp), %ecx\n"
      "hlt");

static void run_v86(struct __test_metadata *_metadata, struct vm *vm,
		    const char *code, size_t len, uint32_t iopl, bool vme)
{
	struct mvmm_sregs s;

	ASSERT_EQ(0, set_protected(vm));
	LOAD(vm, monitor);
	vm_load(vm, 0x11000, code, len);
	gate(vm, 13, CODE32, CODE + 0x80, 0x8e00);
	/* Ring 0's stack; the I/O map is beyond the limit, as is the redirection map */
	put32(vm, TSS + 4, STACK);
	put32(vm, TSS + 8, DATA32);
	vm->run->regs.rbp = iopl << 12;
	ASSERT_EQ(0, mvmm_get_sregs(vm->vcpu, &s));
	s.cr4 = vme;
	if (vme) {
		/* The map of 32 bytes before that of I/O, all by the program itself */
		describe(vm, TSS_A, 0x0000890000000067 + 33, TSS);
		memset(vm->mem + TSS + 0x68, 0, 32);
		put32(vm, TSS + 100, 0x88 << 16);
		vm->mem[TSS + 0x88] = 0xff;
	}
	ASSERT_EQ(0, mvmm_set_sregs(vm->vcpu, &s));
	ASSERT_EQ(MVMM_EXIT_HLT, run(_metadata, vm));
}

#define V86(code, iopl, vme)						\
	run_v86(_metadata, &self->vm, code, sizeof(code), iopl, vme)

/* Each ends by the #GP of a HLT, or earlier */
TEST_F(old, v86)
{
	struct mvmm_regs *r = &self->vm.run->regs;

	/* CLI with IOPL 0, and with 3: then it is done, and HLT comes */
	V86("\xfa\xf4", 0, false);
	EXPECT_EQ(0xfa, r->rbx & 0xff);
	V86("\xfa\xf4", 3, false);
	EXPECT_EQ(0xf4, r->rbx & 0xff);
	/* PUSHF, POPF, INT n */
	V86("\x9c\xf4", 0, false);
	EXPECT_EQ(0x9c, r->rbx & 0xff);
	V86("\x9c\x9d\xf4", 3, false);
	EXPECT_EQ(0xf4, r->rbx & 0xff);
	V86("\xcd\x20\xf4", 0, false);
	EXPECT_EQ(0x20cd, r->rbx & 0xffff);
	if (on_tcg())
		return;
	/* A segment of 64 KiB: addr32 movb $1, 0x10000 */
	V86("\x67\xc6\x05\x00\x00\x01\x00\x01\xf4", 3, false);
	EXPECT_EQ(0x67, r->rbx & 0xff);
}

/* With VME: STI and CLI are of VIF, and INT n is the program's */
TEST_F(old, v86_vme)
{
	struct mvmm_regs *r = &self->vm.run->regs;

	if (on_tcg())
		SKIP(return, "QEMU has no VME");
	/* sti; hlt: VIF is set, IF is not */
	V86("\xfb\xf4", 0, true);
	EXPECT_EQ(0xf4, r->rbx & 0xff);
	EXPECT_EQ(0x80000, r->rcx & 0x80200);
	/* int $0x20, whose vector leads to a HLT at 0x1100:0x10 */
	put32(&self->vm, 0x20 * 4, 0x11000010);
	V86("\xcd\x20\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\xf4",
	    0, true);
	EXPECT_EQ(0xf4, r->rbx & 0xff);
	EXPECT_EQ(0x11000002, get32(&self->vm, 0x120fa));
}

/* ---- tasks ------------------------------------------------------------------------ */

static void make_task(struct vm *vm, uint64_t tss, uint32_t eip, uint32_t esp)
{
	int i;

	memset(vm->mem + tss, 0, 0x68);
	put32(vm, tss + 0x20, eip);
	put32(vm, tss + 0x24, 2);
	put32(vm, tss + 0x38, esp);
	for (i = 0; i < 6; i++)
		put32(vm, tss + 0x48 + 4 * i, i == 1 ? CODE32 : DATA32);
}

/* There by JMP and by CALL; back by JMP and by IRET; by a task gate of the IDT */
GUEST(tasks, ".code32\n" LOAD_TASK
      "mov $1, %ebx\n"
      "ljmp $64, $0\n"
      "add $0x10, %ebx\n"
      "lcall $64, $0\n"
      "add $0x100, %ebx\n"
      "int $0x30\n"
      "add $0x1000, %ebx\n"
      "pushf\n pop %ecx\n str %dx\n"
      "hlt\n"
      ".org tasks + 0x80\n"
      "incl 0x100000\n"
      "ljmp $56, $0\n"
      /* By CALL it is here, with NT; and by INT again */
      "1: incl 0x100000\n"
      "pushf\n popl 0x100004\n"
      "iret\n"
      "jmp 1b\n");
TEST_F(old, tasks)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, set_protected(vm));
	LOAD(vm, tasks);
	make_task(vm, TSS_B_AT, CODE + 0x80, 0x28000);
	gate(vm, 0x30, TSS_B, 0, 0x8500);
	ASSERT_EQ(MVMM_EXIT_HLT, run(_metadata, vm));
	EXPECT_EQ(0x1111, vm->run->regs.rbx);
	EXPECT_EQ(3, get32(vm, DATA));
	EXPECT_EQ(0x4000, get32(vm, DATA + 4) & 0x4000);
	EXPECT_EQ(0, vm->run->regs.rcx & 0x4000);
	EXPECT_EQ(TSS_A, vm->run->regs.rdx & 0xffff);
	EXPECT_EQ(TSS_A, get32(vm, TSS_B_AT) & 0xffff);
}

/* As i386 Linux: a double fault by a broken stack is another task's */
GUEST(broken, ".code32\n" LOAD_TASK
      "mov $0x80000800, %esp\n"
      "push %eax\n"
      "hlt\n"
      ".org broken + 0x80\n"
      "pop %ebx\n str %dx\n mov $0x32000, %edi\n mov 0x20(%edi), %ecx\n"
      "hlt\n");
TEST_F(old, double_fault_task)
{
	struct vm *vm = &self->vm;
	struct mvmm_sregs s;

	ASSERT_EQ(0, set_protected(vm));
	ASSERT_EQ(0, mvmm_get_sregs(vm->vcpu, &s));
	s.cr0 |= 1ull << 31;
	ASSERT_EQ(0, mvmm_set_sregs(vm->vcpu, &s));
	/* No page is there */
	put32(vm, PAGE_TABLES + 4 * 512, 0);
	LOAD(vm, broken);
	make_task(vm, TSS_B_AT, CODE + 0x80, 0x28000);
	put32(vm, TSS_B_AT + 0x1c, PAGE_TABLES);
	gate(vm, 14, CODE32, CODE, 0x8e00);
	gate(vm, 8, TSS_B, 0, 0x8500);
	ASSERT_EQ(MVMM_EXIT_HLT, run(_metadata, vm));
	EXPECT_EQ(0, vm->run->regs.rbx);
	EXPECT_EQ(TSS_B, vm->run->regs.rdx & 0xffff);
	EXPECT_EQ(CODE + 12, vm->run->regs.rcx);
	EXPECT_EQ(0x80000800, get32(vm, TSS + 0x38));
}

TEST_HARNESS_MAIN
