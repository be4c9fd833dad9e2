// SPDX-License-Identifier: GPL-2.0
/*
 * Which fault an instruction that may exit raises, at CPL 0, at CPL 3 and in
 * virtual-8086 mode. Some checks come before the exit and are the CPU's, others
 * are mvmm's (SDM vol. 3, 26.1; APM vol. 2, 15.9): the guest must not notice.
 */
#include <string.h>
#include "kselftest_harness.h"
#include "vm.h"

#define INT3	3	/* the instruction was executed: INT3 follows it */
#define UD	6
#define GP	13
#define HALTS	256
#define ANY	(-1)	/* CPUs differ, or it is another instruction there */

#define CR4_DE		(1ull << 3)
#define CR4_OSXSAVE	(1ull << 18)
#define DR7_GD		(1ull << 13)
#define RFLAGS_VM	(1ull << 17)

enum where { KERNEL, USER, V86, NR_WHERE };

struct row {
	const char *name;
	const char *code;
	uint8_t len;
	int16_t vector[NR_WHERE];
	uint64_t rax, rcx;
	uint64_t cr4, dr7;	/* bits to set */
	uint64_t only;		/* MVMM_FEATURE_*: of this vendor; 0: of both */
};

#define CODE_OF(bytes) bytes, sizeof(bytes) - 1
/* In @rax: what the register has */
#define OWN_CR0	(~0ull)
#define OWN_CR4	(~1ull)

static const struct row rows[] = {
	/* MOV DR: on VMX all checks are ours */
	{ "mov %rax,%dr0", CODE_OF("\x0f\x23\xc0"), { INT3, GP, GP } },
	{ "mov %dr0,%rax", CODE_OF("\x0f\x21\xc0"), { INT3, GP, GP } },
	{ "mov %rax,%dr6", CODE_OF("\x0f\x23\xf0"), { INT3, GP, GP } },
	{ "mov %dr6,%rax", CODE_OF("\x0f\x21\xf0"), { INT3, GP, GP } },
	{ "mov %rax,%dr7", CODE_OF("\x0f\x23\xf8"), { INT3, GP, GP },
	  .rax = 0x400 },
	{ "mov %dr7,%rax", CODE_OF("\x0f\x21\xf8"), { INT3, GP, GP } },
	{ "mov %dr7,%rax, GD", CODE_OF("\x0f\x21\xf8"), { ANY, GP, GP },
	  .dr7 = DR7_GD },
	{ "mov %dr4,%rax", CODE_OF("\x0f\x21\xe0"), { INT3, GP, GP } },
	{ "mov %dr4,%rax, DE", CODE_OF("\x0f\x21\xe0"), { UD, ANY, ANY },
	  .cr4 = CR4_DE },
	{ "mov %rax,%dr5, DE", CODE_OF("\x0f\x23\xe8"), { UD, ANY, ANY },
	  .cr4 = CR4_DE },
	/* Control registers */
	{ "mov %cr0,%rax", CODE_OF("\x0f\x20\xc0"), { INT3, GP, GP } },
	{ "mov %rax,%cr0", CODE_OF("\x0f\x22\xc0"), { INT3, GP, GP },
	  .rax = OWN_CR0 },
	{ "mov %cr3,%rax", CODE_OF("\x0f\x20\xd8"), { INT3, GP, GP } },
	{ "mov %cr4,%rax", CODE_OF("\x0f\x20\xe0"), { INT3, GP, GP } },
	{ "mov %rax,%cr4", CODE_OF("\x0f\x22\xe0"), { INT3, GP, GP },
	  .rax = OWN_CR4 },
	{ "mov %cr8,%rax", CODE_OF("\x44\x0f\x20\xc0"), { INT3, GP, ANY } },
	{ "mov %rax,%cr8", CODE_OF("\x44\x0f\x22\xc0"), { INT3, GP, ANY } },
	{ "lmsw", CODE_OF("\x0f\x01\xf0"), { INT3, GP, GP }, .rax = OWN_CR0 },
	{ "clts", CODE_OF("\x0f\x06"), { INT3, GP, GP } },
	/* MSRs: LSTAR, and one that is not there */
	{ "rdmsr", CODE_OF("\x0f\x32"), { INT3, GP, GP }, .rcx = 0xc0000082 },
	{ "wrmsr", CODE_OF("\x0f\x30"), { INT3, GP, GP }, .rcx = 0xc0000082 },
	{ "rdmsr, absent", CODE_OF("\x0f\x32"), { GP, GP, GP }, .rcx = 0x480 },
	{ "wrmsr, absent", CODE_OF("\x0f\x30"), { GP, GP, GP }, .rcx = 0x480 },
	{ "rdpmc", CODE_OF("\x0f\x33"), { GP, GP, GP } },
	/* XCR0: on SVM the check of the CPL is ours, and in Bochs */
	{ "xsetbv", CODE_OF("\x0f\x01\xd1"), { INT3, GP, GP }, .rax = 1,
	  .cr4 = CR4_OSXSAVE },
	{ "xsetbv, bad", CODE_OF("\x0f\x01\xd1"), { ANY, GP, GP }, .rax = 2,
	  .cr4 = CR4_OSXSAVE },
	{ "xsetbv, no OSXSAVE", CODE_OF("\x0f\x01\xd1"), { UD, ANY, ANY },
	  .rax = 1 },
	/* The TSS allows no port, and IOPL is 0 */
	{ "in", CODE_OF("\xe4\x80"), { INT3, GP, GP } },
	{ "out", CODE_OF("\xe6\x80"), { INT3, GP, GP } },
	{ "insb", CODE_OF("\x6c"), { INT3, GP, GP } },
	{ "outsb", CODE_OF("\x6e"), { INT3, GP, GP } },
	/* Others */
	{ "hlt", CODE_OF("\xf4"), { HALTS, GP, GP } },
	{ "invd", CODE_OF("\x0f\x08"), { INT3, GP, GP } },
	{ "wbinvd", CODE_OF("\x0f\x09"), { INT3, GP, GP } },
	{ "invlpg", CODE_OF("\x0f\x01\x38"), { INT3, GP, GP } },
	{ "cpuid", CODE_OF("\x0f\xa2"), { INT3, INT3, INT3 } },
	{ "rdtsc", CODE_OF("\x0f\x31"), { INT3, INT3, INT3 } },
	{ "pause", CODE_OF("\xf3\x90"), { INT3, INT3, INT3 } },
	{ "monitor", CODE_OF("\x0f\x01\xc8"), { UD, UD, UD } },
	{ "mwait", CODE_OF("\x0f\x01\xc9"), { UD, UD, UD } },
	{ "rsm", CODE_OF("\x0f\xaa"), { UD, UD, UD } },
	{ "getsec", CODE_OF("\x0f\x37"), { UD, UD, UD } },
	{ "ud2", CODE_OF("\x0f\x0b"), { UD, UD, UD } },
	{ "wbnoinvd", CODE_OF("\xf3\x0f\x09"), { INT3, GP, GP } },
	{ "xgetbv, no OSXSAVE", CODE_OF("\x0f\x01\xd0"), { UD, UD, UD } },
	{ "xsaves", CODE_OF("\x0f\xc7\x2f"), { UD, UD, UD } },
	{ "xrstors", CODE_OF("\x0f\xc7\x1f"), { UD, UD, UD } },
	/* QEMU takes these for CLFLUSH and the like */
	{ "umonitor", CODE_OF("\xf3\x0f\xae\xf0"), { UD, UD, UD },
	  .only = MVMM_FEATURE_VMX },
	{ "tpause", CODE_OF("\x66\x0f\xae\xf0"), { UD, UD, UD },
	  .only = MVMM_FEATURE_VMX },
	{ "encls", CODE_OF("\x0f\x01\xcf"), { UD, UD, UD } },
	{ "pconfig", CODE_OF("\x0f\x01\xc5"), { UD, UD, UD } },
	{ "rdpru", CODE_OF("\x0f\x01\xfd"), { UD, UD, UD } },
	/* Descriptor tables, the CPL's and IOPL's business: no exits */
	{ "smsw", CODE_OF("\x0f\x01\xe0"), { INT3, INT3, INT3 } },
	{ "sldt", CODE_OF("\x0f\x00\xc0"), { INT3, INT3, UD } },
	{ "str", CODE_OF("\x0f\x00\xc8"), { INT3, INT3, UD } },
	{ "lldt", CODE_OF("\x0f\x00\xd0"), { INT3, GP, UD } },
	{ "lgdt", CODE_OF("\x0f\x01\x17"), { ANY, GP, GP } },
	{ "lidt", CODE_OF("\x0f\x01\x1f"), { ANY, GP, GP } },
	{ "cli", CODE_OF("\xfa"), { INT3, GP, GP } },
	{ "sti", CODE_OF("\xfb"), { INT3, GP, GP } },
	{ "pushf", CODE_OF("\x9c"), { INT3, INT3, GP } },
	{ "swapgs", CODE_OF("\x0f\x01\xf8"), { INT3, GP, UD } },
	{ "sysret", CODE_OF("\x48\x0f\x07"), { UD, ANY, ANY } },
	/* QEMU 10 looks at the CPL first */
	{ "sysret", CODE_OF("\x48\x0f\x07"), { ANY, UD, ANY },
	  .only = MVMM_FEATURE_VMX },
	/* The guest has neither VMX nor SVM, but a hypercall at every CPL */
	{ "vmcall", CODE_OF("\x0f\x01\xc1"), { INT3, INT3, ANY },
	  .only = MVMM_FEATURE_VMX },
	{ "vmmcall", CODE_OF("\x0f\x01\xd9"), { INT3, INT3, ANY },
	  .only = MVMM_FEATURE_SVM },
	{ "vmcall", CODE_OF("\x0f\x01\xc1"), { UD, UD, UD },
	  .only = MVMM_FEATURE_SVM },
	{ "vmmcall", CODE_OF("\x0f\x01\xd9"), { UD, UD, UD },
	  .only = MVMM_FEATURE_VMX },
	{ "vmlaunch", CODE_OF("\x0f\x01\xc2"), { UD, UD, UD } },
	{ "vmresume", CODE_OF("\x0f\x01\xc3"), { UD, UD, UD } },
	{ "vmxoff", CODE_OF("\x0f\x01\xc4"), { UD, UD, UD } },
	{ "invept", CODE_OF("\x66\x0f\x38\x80\x08"), { UD, UD, ANY } },
	{ "invvpid", CODE_OF("\x66\x0f\x38\x81\x08"), { UD, UD, ANY } },
	{ "vmclear", CODE_OF("\x66\x0f\xc7\x37"), { UD, UD, UD } },
	{ "vmptrld", CODE_OF("\x0f\xc7\x37"), { UD, UD, UD } },
	{ "vmptrst", CODE_OF("\x0f\xc7\x3f"), { UD, UD, UD } },
	{ "vmxon", CODE_OF("\xf3\x0f\xc7\x37"), { UD, UD, UD } },
	{ "vmread", CODE_OF("\x0f\x78\xc3"), { UD, UD, UD } },
	{ "vmwrite", CODE_OF("\x0f\x79\xc3"), { UD, UD, UD } },
	{ "vmfunc", CODE_OF("\x0f\x01\xd4"), { UD, UD, UD } },
	{ "skinit", CODE_OF("\x0f\x01\xde"), { UD, ANY, ANY } },
	/* On SVM #GP at CPL 3, which comes before the exit: errata.rst */
	{ "vmrun", CODE_OF("\x0f\x01\xd8"), { UD, ANY, ANY } },
	{ "vmload", CODE_OF("\x0f\x01\xda"), { UD, ANY, ANY } },
	{ "vmsave", CODE_OF("\x0f\x01\xdb"), { UD, ANY, ANY } },
	{ "stgi", CODE_OF("\x0f\x01\xdc"), { UD, ANY, ANY } },
	{ "clgi", CODE_OF("\x0f\x01\xdd"), { UD, ANY, ANY } },
	{ "invlpga", CODE_OF("\x0f\x01\xdf"), { UD, ANY, ANY } },
};

FIXTURE(intercepts) {
	struct vm vm;
	struct mvmm_info info;
};

FIXTURE_SETUP(intercepts)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &self->info));
}

FIXTURE_TEARDOWN(intercepts)
{
	vm_destroy(&self->vm);
}

/* The handler of vector i tells it by a write to a device, and halts */
static void make_handlers(struct vm *vm, bool wide)
{
	/*
	 * mov %eax,%ss:address; hlt: the same bytes in 32-bit and 64-bit code.
	 * DS is null after virtual-8086 mode.
	 */
	unsigned char code[] = { 0x36, 0x89, 0x04, 0x25, 0, 0, 0, 0, 0xf4 };
	uint64_t *idt = (uint64_t *)(vm->mem + IDT);
	int i;

	memset(idt, 0, 4096);
	for (i = 0; i < 32; i++) {
		uint32_t at = HANDLERS + i * 16, tell = VOID + i * 16;
		/* DPL 3: for INT3 */
		uint64_t gate = (at & 0xffff) | 8ull << 16 | 0xee00ull << 32 |
				(uint64_t)(at >> 16) << 48;

		memcpy(code + 4, &tell, 4);
		memcpy(vm->mem + at, code, sizeof(code));
		idt[wide ? 2 * i : i] = gate;
	}
}

static const struct mvmm_segment segments[NR_WHERE][2] = {
	[USER] = { { .limit = ~0u, .selector = 0x33, .attr = 0xa0fb },
		   { .limit = ~0u, .selector = 0x2b, .attr = 0xc0f3 } },
	[V86] = { { .limit = 0xffff, .base = CODE, .selector = CODE >> 4,
		    .attr = 0xf3 },
		  { .limit = 0xffff, .attr = 0xf3 } },
};

/* Returns the vector; -1: the state cannot be set; -2: something else */
static int try(struct vm *vm, const struct row *row, enum where where)
{
	struct mvmm_regs *regs = &vm->run->regs;
	struct mvmm_dregs d = { .size = sizeof(d), .dr6 = 0xffff0ff0,
				.dr7 = 0x400 | row->dr7 };
	uint64_t *gdt = (uint64_t *)(vm->mem + GDT);
	struct mvmm_sregs s;

	if (vm_set_mode(vm, where == V86 ? PROT32 : LONG64))
		return -1;
	make_handlers(vm, where != V86);
	gdt[5] = 0x00cff3000000ffffull;
	gdt[6] = 0x00affb000000ffffull;
	memset(vm->mem + TSS, 0, 0x68);
	*(uint32_t *)(vm->mem + TSS + 4) = STACK;
	*(uint32_t *)(vm->mem + TSS + 8) = where == V86 ? 16 : 0;
	*(uint16_t *)(vm->mem + TSS + 0x66) = 0x68;
	if (mvmm_get_sregs(vm->vcpu, &s) || mvmm_set_dregs(vm->vcpu, &d))
		return -1;
	s.gdt.limit = 55;
	s.idt = (struct mvmm_table){ .base = IDT, .limit = 4095 };
	s.cr4 |= row->cr4;
	/* QEMU ends itself if a TSS with a stack for ring 0 is busy */
	if (where == V86 && module_has(MVMM_FEATURE_SVM))
		s.tr.attr = 0x89;
	if (where != KERNEL) {
		s.cs = segments[where][0];
		s.ds = s.es = s.ss = s.fs = s.gs = segments[where][1];
	}
	if (mvmm_set_sregs(vm->vcpu, &s))
		return -1;
	memcpy(vm->mem + CODE, row->code, row->len);
	vm->mem[CODE + row->len] = 0xcc;
	regs->rip = where == V86 ? 0 : CODE;
	regs->rsp = where == V86 ? 0x8000 : STACK;
	regs->rflags = 2 | (where == V86 ? RFLAGS_VM : 0);
	regs->rax = row->rax == OWN_CR0 ? s.cr0 :
		    row->rax == OWN_CR4 ? s.cr4 : row->rax;
	regs->rcx = row->rcx;
	regs->rsi = regs->rdi = where == V86 ? 0x7000 : DATA;
	vm->io_address = HALTS * 16 + VOID;
	if (vm_run_to_exit(vm) != MVMM_EXIT_HLT)
		return -2;
	return vm->io_address < VOID ? -2 : (vm->io_address - VOID) / 16;
}

TEST_F(intercepts, table)
{
	static const char *const names[] = { "CPL 0", "CPL 3", "V86" };
	const struct row *row;
	struct mvmm_dregs d;
	int where, tried = 0;

	for (row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		if (row->only && !(row->only & self->info.features))
			continue;
		/* A host without XSAVE */
		if (row->cr4 & CR4_OSXSAVE && !self->info.xcr0)
			continue;
		for (where = KERNEL; where < NR_WHERE; where++) {
			if (row->vector[where] == ANY)
				continue;
			EXPECT_EQ(row->vector[where],
				  try(&self->vm, row, where)) {
				TH_LOG("%s, %s", row->name, names[where]);
			}
			tried++;
			ASSERT_EQ(0, mvmm_get_dregs(self->vm.vcpu, &d));
			if (where != KERNEL)
				EXPECT_EQ(0x400 | row->dr7, d.dr7);
		}
	}
	EXPECT_LT(190, tried);
}

/* What ring 3 plants must not meet the kernel: MOV DR changes nothing there */
TEST_F(intercepts, no_breakpoint_from_ring_3)
{
	static const struct row plant = {
		"mov %rax,%dr0", CODE_OF("\x0f\x23\xc0"), .rax = HANDLERS };
	struct mvmm_dregs d;

	ASSERT_EQ(GP, try(&self->vm, &plant, USER));
	ASSERT_EQ(0, mvmm_get_dregs(self->vm.vcpu, &d));
	EXPECT_EQ(0, d.dr[0]);
}

TEST_HARNESS_MAIN
