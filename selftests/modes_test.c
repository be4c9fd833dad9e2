// SPDX-License-Identifier: GPL-2.0
/* Guest modes: real, protected, PAE and long, and the ways between them. */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "vm.h"

FIXTURE(modes) {
	struct vm vm;
};

FIXTURE_SETUP(modes)
{
	ASSERT_EQ(0, vm_create(&self->vm));
}

FIXTURE_TEARDOWN(modes)
{
	vm_destroy(&self->vm);
}

GUEST(hlt16, ".code16\n mov $0x1234, %ax\n mov %ax, 0x500\n hlt");
TEST_F(modes, real)
{
	ASSERT_EQ(0, vm_set_mode(&self->vm, REAL16));
	LOAD(&self->vm, hlt16);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0x1234, self->vm.run->regs.rax);
	EXPECT_EQ(6, self->vm.run->regs.rip);
	EXPECT_EQ(1, self->vm.run->insn_len);
	EXPECT_EQ(0, memcmp(self->vm.mem + 0x500, "\x34\x12", 2));
}

GUEST(hlt32, ".code32\n mov $0x12345678, %eax\n mov %eax, 0x100000\n hlt");
TEST_F(modes, protected)
{
	ASSERT_EQ(0, vm_set_mode(&self->vm, PROT32));
	LOAD(&self->vm, hlt32);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0x12345678, *(uint32_t *)(self->vm.mem + DATA));
}

TEST_F(modes, pae)
{
	ASSERT_EQ(0, vm_set_mode(&self->vm, PAE32));
	LOAD(&self->vm, hlt32);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0x12345678, *(uint32_t *)(self->vm.mem + DATA));
}

/* Linux writes CR4.PGE to flush. QEMU marks PDPTEs as accessed, by a reserved bit */
GUEST(pge32, ".code32\n mov 0x100000, %eax\n mov %cr4, %eax\n xor $0x80, %eax\n"
      "mov %eax, %cr4\n xor $0x80, %eax\n mov %eax, %cr4\n"
      "movl $0x12345678, 0x100000\n hlt");
TEST_F(modes, pae_flush)
{
	ASSERT_EQ(0, vm_set_mode(&self->vm, PAE32));
	LOAD(&self->vm, pge32);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0x12345678, *(uint32_t *)(self->vm.mem + DATA));
}

/*
 * A write to CR4 that loads PDPTEs, one of which has a reserved bit: on VMX #GP, before
 * anything is written (SDM vol. 3, 4.4.1). SVM has none to load
 */
GUEST(bad_pdpte, ".code32\n mov %cr4, %eax\n xor $0x80, %eax\n"
      "mov %eax, %cr4\n hlt");
TEST_F(modes, pae_bad_pdpte)
{
	const uint32_t handler = CODE + 0x800;
	uint32_t gate[] = { 0x8 << 16 | (handler & 0xffff),
			    (handler & 0xffff0000) | 0x8e00 };
	struct mvmm_sregs s;

	ASSERT_EQ(0, vm_set_mode(&self->vm, PAE32));
	LOAD(&self->vm, bad_pdpte);
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
	s.idt = (struct mvmm_table){ .base = IDT, .limit = 0x7ff };
	ASSERT_EQ(0, mvmm_set_sregs(self->vm.vcpu, &s));
	memcpy(self->vm.mem + IDT + 8 * 13, gate, sizeof(gate));
	*(uint8_t *)(self->vm.mem + handler) = 0xf4;
	*(uint64_t *)(self->vm.mem + PAGE_TABLES + 0x1018) |= 2;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
	if (module_has(MVMM_FEATURE_SVM)) {
		EXPECT_EQ(CODE + 11, self->vm.run->regs.rip);
		EXPECT_EQ(0x80, s.cr4 & 0x80);
		return;
	}
	EXPECT_EQ(handler, self->vm.run->regs.rip);
	EXPECT_EQ(STACK - 16, self->vm.run->regs.rsp);
	EXPECT_EQ(CODE + 8, *(uint32_t *)(self->vm.mem + STACK - 12));
	EXPECT_EQ(0, s.cr4 & 0x80);
}

GUEST(hlt64, "movabs $0x123456789abcdef0, %rax\n mov %rax, 0x100000\n hlt");
TEST_F(modes, long_mode)
{
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	LOAD(&self->vm, hlt64);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0x123456789abcdef0, *(uint64_t *)(self->vm.mem + DATA));
}

/* The guest goes from real mode to protected, PAE and long mode, and back */
GUEST(climb, ".code16\n"
      "cli\n"
      /* The host has made the GDT and the page tables */
      "xor %ax, %ax\n mov %ax, %ds\n"
      "data32 lgdt 0x600\n"
      "mov %cr0, %eax\n or $1, %al\n mov %eax, %cr0\n"
      "ljmpl $8, $(0x10000 + 1f - climb)\n"
      ".code32\n"
      "1: mov $16, %ax\n mov %ax, %ds\n mov %ax, %ss\n mov $0x20000, %esp\n"
      /* 32-bit PAE paging */
      "mov %cr4, %eax\n or $0x20, %eax\n mov %eax, %cr4\n"
      "mov $0x41000, %eax\n mov %eax, %cr3\n"
      "mov %cr0, %eax\n or $0x80000000, %eax\n mov %eax, %cr0\n"
      "movl $1, 0x100000\n"
      /* off, then long mode */
      "mov %cr0, %eax\n and $0x7fffffff, %eax\n mov %eax, %cr0\n"
      "mov $0x40000, %eax\n mov %eax, %cr3\n"
      "mov $0xc0000080, %ecx\n rdmsr\n or $0x100, %eax\n wrmsr\n"
      "mov %cr0, %eax\n or $0x80000000, %eax\n mov %eax, %cr0\n"
      "ljmp $24, $(0x10000 + 2f - climb)\n"
      ".code64\n"
      "2: movabs $0x1122334455667788, %rax\n mov %rax, 0x100008\n"
      "mov $0xc0000080, %ecx\n rdmsr\n mov %eax, 0x100010\n"
      /* back to protected mode without paging */
      "pushq $8\n pushq $(0x10000 + 3f - climb)\n lretq\n"
      ".code32\n"
      "3: mov %cr0, %eax\n and $0x7fffffff, %eax\n mov %eax, %cr0\n"
      "mov $0xc0000080, %ecx\n rdmsr\n mov %eax, 0x100014\n"
      "hlt\n");
TEST_F(modes, climb)
{
	struct vm *vm = &self->vm;
	uint64_t *gdt = (uint64_t *)(vm->mem + GDT);
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) gdtr =
		{ 31, GDT };
	struct mvmm_sregs s;
	uint64_t *tables = (uint64_t *)(vm->mem + PAGE_TABLES);
	int i;

	/* Page tables for PAE and for long mode: PDPTEs without R/W and U/S */
	ASSERT_EQ(0, vm_set_mode(vm, LONG64));
	for (i = 0; i < 4; i++)
		tables[512 + i] &= ~6ull;
	tables[512] &= ~6ull;
	ASSERT_EQ(0, vm_set_mode(vm, REAL16));
	gdt[1] = 0x00cf9b000000ffffull;
	gdt[2] = 0x00cf93000000ffffull;
	gdt[3] = 0x00af9b000000ffffull;
	memcpy(vm->mem + 0x600, &gdtr, sizeof(gdtr));
	/* CR0.WP is clear, so the supervisor may write without R/W */
	LOAD(vm, climb);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(vm));
	EXPECT_EQ(1, *(uint32_t *)(vm->mem + DATA));
	EXPECT_EQ(0x1122334455667788, *(uint64_t *)(vm->mem + DATA + 8));
	EXPECT_EQ(0x500, *(uint32_t *)(vm->mem + DATA + 0x10));
	EXPECT_EQ(0x100, *(uint32_t *)(vm->mem + DATA + 0x14));
	ASSERT_EQ(0, mvmm_get_sregs(vm->vcpu, &s));
	EXPECT_EQ(0x100, s.efer);
	EXPECT_EQ(0, s.cr0 >> 31);
	EXPECT_EQ(0x20, s.cr4);
}

/* What the architecture forbids raises #GP, and changes nothing */
GUEST(bad_cr,
      /* CR0.NW without CD */
      "mov %cr0, %rax\n or $0x20000000, %eax\n" FAULTS("mov %rax, %cr0")
      /* a reserved bit of CR4; PAE off in long mode */
      "mov %cr4, %rax\n bts $40, %rax\n" FAULTS("mov %rax, %cr4")
      "mov %cr4, %rax\n btr $5, %rax\n" FAULTS("mov %rax, %cr4")
      /* LME off while paging is on; a reserved bit of EFER */
      "mov $0xc0000080, %ecx\n rdmsr\n btr $8, %eax\n" FAULTS("wrmsr")
      "rdmsr\n bts $20, %eax\n" FAULTS("wrmsr")
      "hlt");
TEST_F(modes, bad_cr)
{
	struct guest_events *seen = self->vm.events;
	struct mvmm_sregs before, after;
	uint64_t i;

	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &before));
	LOAD(&self->vm, bad_cr);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(5, seen->n);
	for (i = 0; i < seen->n; i++) {
		EXPECT_EQ(13, seen->ev[i].vector);
		EXPECT_EQ(0, seen->ev[i].error_code);
	}
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &after));
	EXPECT_EQ(before.cr0, after.cr0);
	EXPECT_EQ(before.cr4, after.cr4);
	EXPECT_EQ(before.efer, after.efer);
}

/* CR0.CD is kept; other control registers beside it are as ever; and it goes again */
#define READ_CR(n, to) "mov %cr" #n ", %rax\n mov %rax, %" #to "\n"
GUEST(uncached, READ_CR(0, r8) "bts $30, %rax\n mov %rax, %cr0\n"
      READ_CR(0, r9) "mov %cr4, %rax\n bts $7, %rax\n mov %rax, %cr4\n"
      READ_CR(3, r10) "mov %rax, %cr3\n" READ_CR(3, r10) READ_CR(4, r11)
      "mov %r9, %rax\n btr $30, %rax\n mov %rax, %cr0\n" READ_CR(0, r12)
      "mov %r8, %rax\n bts $30, %rax\n mov %rax, %cr0\n clts\n"
      "mov %r8, %rax\n mov %rax, %cr0\n" READ_CR(0, r13) "hlt\n");
TEST_F(modes, cache_disable)
{
	const uint64_t cd = 1u << 30;
	struct mvmm_regs *regs = &self->vm.run->regs;
	struct mvmm_sregs s;

	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	LOAD(&self->vm, uncached);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0, regs->r8 & cd);
	EXPECT_EQ(regs->r8 | cd, regs->r9);
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
	EXPECT_EQ(s.cr3, regs->r10);
	EXPECT_EQ(s.cr4, regs->r11);
	EXPECT_EQ(1 << 7 | 1 << 5, regs->r11 & (1 << 7 | 1 << 5));
	EXPECT_EQ(regs->r8, regs->r12);
	EXPECT_EQ(regs->r8, regs->r13);
	EXPECT_EQ(0, s.cr0 & cd);
}

/*
 * In: rdi: PKRU, rsi: an address. Out: rbx: what is read there; r8: PKRU as CPUID's
 * OSPKE in r9 allows; then the same from a second call, which writes no PKRU.
 */
#define READS_PKRU "xor %ecx, %ecx\n rdpkru\n mov %rax, %r8\n"
GUEST(pkru, "mov %cr4, %rax\n bts $22, %rax\n mov %rax, %cr4\n"
      "mov $7, %eax\n xor %ecx, %ecx\n cpuid\n mov %rcx, %r9\n xor %ebx, %ebx\n"
      "xor %ecx, %ecx\n xor %edx, %edx\n mov %edi, %eax\n wrpkru\n"
      FAULTS("mov (%rsi), %rbx") FAULTS("mov %rdi, (%rsi)") READS_PKRU "hlt\n"
      READS_PKRU "mov 0x10000000, %rax\n hlt");
TEST_F(modes, protection_keys)
{
	enum { PAGE = 0x200000, KEY = 5, OSPKE = 1 << 4, PKRU = 1 << 9 };
	/* AD and WD, of another key, too; which vectors come, by which errors */
	static const struct {
		uint32_t pkru, faults;
		uint64_t error[2];
	} row[] = {
		{ 0, 0 },
		{ ~(3u << 2 * KEY) & ~3u, 0 },
		/* Without CR0.WP the guest's kernel may write */
		{ 2u << 2 * KEY, 0 },
		{ 1u << 2 * KEY, 2, { 0x21, 0x23 } },
	};
	uint64_t *tables = (uint64_t *)(self->vm.mem + PAGE_TABLES);
	struct mvmm_regs *regs = &self->vm.run->regs;
	uint32_t mine = 0x55555550, i, j;
	struct mvmm_info info;

	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	if (!(info.xcr0 & PKRU))
		SKIP(return, "a host without protection keys");
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	tables[1024 + 1] |= (uint64_t)KEY << 59;
	LOAD(&self->vm, pkru);
	/* Of the test's own, too, the guest must not change anything */
	asm volatile("wrpkru" : : "a" (mine), "c" (0), "d" (0));
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		vm_set_rip(&self->vm, CODE);
		self->vm.events->n = 0;
		regs->rdi = row[i].pkru;
		regs->rsi = PAGE;
		memset(self->vm.mem + PAGE, 0x77, 8);
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
		EXPECT_TRUE(regs->r9 & OSPKE);
		EXPECT_EQ(row[i].pkru, regs->r8);
		EXPECT_EQ(row[i].faults ? 0 : 0x7777777777777777, regs->rbx);
		ASSERT_EQ(row[i].faults, self->vm.events->n);
		for (j = 0; j < row[i].faults; j++) {
			EXPECT_EQ(14, self->vm.events->ev[j].vector);
			EXPECT_EQ(row[i].error[j], self->vm.events->ev[j].error_code);
		}
		/* It stays, and a walk by userspace can know it */
		regs->r8 = ~row[i].pkru;
		self->vm.run->retire = self->vm.run->insn_len;
		ASSERT_EQ(0, vm_run(&self->vm));
		ASSERT_EQ(MVMM_EXIT_MMIO, self->vm.run->exit_reason);
		EXPECT_EQ(row[i].pkru, regs->r8);
		EXPECT_EQ(row[i].pkru, self->vm.run->paging.pkru);
		asm volatile("rdpkru" : "=a" (mine) : "c" (0) : "rdx");
		EXPECT_EQ(0x55555550, mine);
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	}
}

TEST_HARNESS_MAIN
