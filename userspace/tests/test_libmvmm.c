// SPDX-License-Identifier: GPL-2.0
/*
 * libmvmm's walks of page tables, and what becomes of instructions that fault
 * or that it does not know. What instructions compute is in test_execute.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "fake_guest.h"

#define PTE_P	1ull
#define PTE_A	0x20ull
#define PTE_D	0x40ull
#define DEVICE	0x6000	/* linear address of the device, in the modes below */
#define ABSENT	0x9000	/* nothing is mapped here */

static uint64_t *entry(uint64_t gpa)
{
	return (uint64_t *)(fake.memory + gpa);
}

static void code(uint64_t at, const char *bytes, size_t len)
{
	memcpy(fake.memory + at, bytes, len);
	fake.run.regs.rip = at;
}
#define CODE(at, bytes) code(at, bytes, sizeof(bytes) - 1)

static void real_mode(void)
{
	fake_reset();
	fake.run.paging.cr0 = 0x10;
	fake.run.paging.cs_attr = 0x93;
}

/* Flat segments, no paging */
static void protected_mode(void)
{
	struct mvmm_segment *s;

	fake_reset();
	fake.run.paging.cr0 = CR0_PE | 0x10;
	fake.run.paging.cs_attr = 0xc09b;
	for (s = &fake.sregs.es; s <= &fake.sregs.gs; s++)
		*s = (struct mvmm_segment){ .limit = 0xffffffff,
					    .attr = 0xc093 };
	fake.sregs.cs.attr = 0xc09b;
}

/* 16 pages at their own address, but for DEVICE and ABSENT */
static void long_mode(void)
{
	unsigned int i;

	fake_reset();
	entry(0x1000)[0] = 0x2007;
	entry(0x2000)[0] = 0x3007;
	entry(0x3000)[0] = 0x4007;
	for (i = 0; i < 16; i++)
		entry(0x4000)[i] = i << 12 | 7;
	entry(0x4000)[DEVICE >> 12] = FAKE_DEVICE | 7;
	entry(0x4000)[ABSENT >> 12] = 0;
	fake.run.paging = (struct mvmm_paging){
		.cr0 = CR0_PE | CR0_PG, .cr3 = 0x1000, .cr4 = CR4_PAE,
		.efer = EFER_LONG, .cs_attr = 0xa09b };
}

static int translate(uint64_t gva, uint32_t access, uint64_t *gpa,
		     struct mvmm_exception *exception)
{
	return mvmm_translate(&fake.guest, &fake.run.paging, gva, access, gpa,
			      exception);
}

static void accessed_and_dirty(void **state)
{
	struct mvmm_exception exception;
	uint64_t gpa;

	long_mode();
	assert_int_equal(0, translate(0x5123, MVMM_ACCESS_READ, &gpa,
				      &exception));
	assert_int_equal(0x5123, gpa);
	assert_int_equal(0x2007 | PTE_A, entry(0x1000)[0]);
	assert_int_equal(0x5007 | PTE_A, entry(0x4000)[5]);
	assert_int_equal(0, translate(0x5123, MVMM_ACCESS_WRITE, &gpa,
				      &exception));
	assert_int_equal(0x5007 | PTE_A | PTE_D, entry(0x4000)[5]);
	assert_int_equal(-EFAULT, translate(ABSENT + 1, MVMM_ACCESS_WRITE, &gpa,
					    &exception));
	assert_int_equal(14, exception.vector);
	assert_int_equal(2, exception.error_code);
	assert_int_equal(ABSENT + 1, exception.address);
	assert_int_equal(-EFAULT, translate(1ull << 47, MVMM_ACCESS_READ, &gpa,
					    &exception));
	assert_int_equal(13, exception.vector);
}

/* SDM vol. 3, 4.6.2 */
static void protection_keys(void **state)
{
	enum { R = MVMM_ACCESS_READ, W = MVMM_ACCESS_WRITE, X = MVMM_ACCESS_EXEC };
	static const struct {
		uint8_t cpl;
		uint8_t key, access;
		uint32_t wp, cr4, pkru;
		int error;		/* 0: it may */
	} row[] = {
		/* The first key, the last, one between */
		{ 3, 0, R, 0, CR4_PKE, 1 << 0, 0x25 },
		{ 3, 15, R, 0, CR4_PKE, 1u << 30, 0x25 },
		{ 3, 5, R, 0, CR4_PKE, 1 << 10, 0x25 },
		{ 3, 5, R, 0, CR4_PKE, ~(3u << 10), 0 },
		{ 3, 5, W, 0, CR4_PKE, ~(3u << 10), 0 },
		/* AD forbids writing, too; WD only that */
		{ 3, 5, W, 0, CR4_PKE, 1 << 10, 0x27 },
		{ 3, 5, W, 0, CR4_PKE, 2 << 10, 0x27 },
		{ 3, 5, R, 0, CR4_PKE, 2 << 10, 0 },
		/* The kernel may write without CR0.WP, but AD is for it, too */
		{ 0, 5, W, 0, CR4_PKE, 2 << 10, 0 },
		{ 0, 5, W, CR0_WP, CR4_PKE, 2 << 10, 0x23 },
		{ 0, 5, R, 0, CR4_PKE, 1 << 10, 0x21 },
		/* Not of fetches, nor without CR4.PKE */
		{ 3, 5, X, 0, CR4_PKE, 3 << 10, 0 },
		{ 3, 5, W, 0, 0, 3 << 10, 0 },
	};
	struct mvmm_exception exception;
	uint64_t gpa;
	unsigned int i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		long_mode();
		entry(0x4000)[5] |= (uint64_t)row[i].key << 59;
		fake.run.paging.cpl = row[i].cpl;
		fake.run.paging.cr0 |= row[i].wp;
		fake.run.paging.cr4 |= row[i].cr4;
		fake.run.paging.pkru = row[i].pkru;
		exception.error_code = 0;
		assert_int_equal(row[i].error ? -EFAULT : 0,
				 translate(0x5123, row[i].access, &gpa, &exception));
		assert_int_equal(row[i].error, exception.error_code);
	}
	/* A page of the kernel's has no key; what breaks both rules says both */
	long_mode();
	fake.run.paging.cr4 |= CR4_PKE;
	fake.run.paging.pkru = ~0u;
	entry(0x4000)[5] &= ~4ull;
	assert_int_equal(0, translate(0x5123, MVMM_ACCESS_WRITE, &gpa, &exception));
	fake.run.paging.cpl = 3;
	entry(0x4000)[5] = 0x5005;
	assert_int_equal(-EFAULT, translate(0x5123, MVMM_ACCESS_WRITE, &gpa,
					    &exception));
	assert_int_equal(0x27, exception.error_code);
}

static uint64_t unmapped;

/* Another vCPU unmaps a page between the walk's read of the entry and its write */
static void *unmapping(void *ctx, uint64_t gpa, uint64_t len, uint32_t access)
{
	if (access & MVMM_ACCESS_WRITE && unmapped) {
		*entry(unmapped) = 0;
		unmapped = 0;
	}
	return fake_memory(ctx, gpa, len, access);
}

static void unmapping_is_not_undone(void **state)
{
	static const uint64_t entries[] = { 0x1000, 0x3000, 0x4000 + 5 * 8 };
	struct mvmm_exception exception;
	unsigned int i;
	uint64_t gpa;

	for (i = 0; i < 3; i++) {
		long_mode();
		/* The others have their bits, so this is the first write */
		entry(0x1000)[0] |= PTE_A;
		entry(0x2000)[0] |= PTE_A;
		entry(0x3000)[0] |= PTE_A;
		*entry(entries[i]) &= ~PTE_A;
		fake.guest.memory = unmapping;
		unmapped = entries[i];
		assert_int_equal(-EFAULT, translate(0x5000, MVMM_ACCESS_WRITE,
						    &gpa, &exception));
		assert_int_equal(14, exception.vector);
		assert_int_equal(0, *entry(entries[i]));
	}
	/* 32-bit paging: a directory and a table */
	for (i = 0; i < 2; i++) {
		fake_reset();
		fake.run.paging.cr0 = CR0_PE | CR0_PG;
		fake.run.paging.cr3 = 0x1000;
		*(uint32_t *)entry(0x1000) = 0x2007;
		*(uint32_t *)entry(0x2000) = 0x5007;
		fake.guest.memory = unmapping;
		unmapped = i ? 0x2000 : 0x1000;
		if (i)
			*(uint32_t *)entry(0x1000) |= PTE_A;
		assert_int_equal(-EFAULT, translate(0x123, MVMM_ACCESS_READ,
						    &gpa, &exception));
		assert_int_equal(0, *entry(unmapped));
	}
}

/* A write goes to the device, a read comes from the memory */
static void rom(void **state)
{
	real_mode();
	fake.sregs.ds.base = FAKE_ROM;
	fake.run.regs.rbx = 0x123;
	fake.memory[FAKE_ROM + 0x123] = 0x55;
	fake.run.regs.rax = 0x99;
	CODE(0x100, "\x88\x07");	/* mov %al, (%bx) */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0x55, fake.memory[FAKE_ROM + 0x123]);
	assert_int_equal(1, fake.accesses);
	CODE(0x100, "\x00\x07");	/* add %al, (%bx) */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0x55, fake.memory[FAKE_ROM + 0x123]);
	assert_int_equal(2, fake.accesses);
	CODE(0x100, "\x8a\x07");	/* mov (%bx), %al */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0x55, fake.run.regs.rax);
	assert_int_equal(2, fake.accesses);
}

/* Tables in ROM are used as they are */
static void tables_in_rom(void **state)
{
	struct mvmm_exception exception;
	uint64_t gpa;

	long_mode();
	entry(0x3000)[0] = FAKE_ROM | 7;
	entry(FAKE_ROM)[0] = 0x5007;
	assert_int_equal(0, translate(0x10, MVMM_ACCESS_WRITE, &gpa,
				      &exception));
	assert_int_equal(0x5010, gpa);
	assert_int_equal(0x5007, entry(FAKE_ROM)[0]);
}

/* The instruction ends on a page that is not mapped */
static void code_on_an_absent_page(void **state)
{
	long_mode();
	fake.run.regs.rbx = DEVICE;
	code(ABSENT - 3, "\xc7\x03\x01", 3);	/* movl $1, (%rbx) */
	fake.run.paging.cpl = 3;
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(1, fake.injections);
	assert_int_equal(14, fake.injected.vector);
	assert_int_equal(ABSENT, fake.injected.payload);
	assert_int_equal(0x14, fake.injected.error_code);
	assert_int_equal(0, fake.accesses);
	assert_int_equal(0, fake.run.retire);
}

/* The device is read only when its datum has a place to go */
static void datum_is_not_lost(void **state)
{
	unsigned int i;

	long_mode();
	for (i = 0; i < 3; i++)
		fake.device[i] = i + 1;
	fake.run.regs.rsi = DEVICE;
	fake.run.regs.rdi = ABSENT;
	fake.run.regs.rcx = 3;
	CODE(0x100, "\xf3\xa4");	/* rep movsb */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(14, fake.injected.vector);
	assert_int_equal(0, fake.accesses);
	assert_int_equal(3, fake.run.regs.rcx);
	/* The third datum only: the first two stay done, then comes the fault */
	fake.run.regs.rdi = ABSENT - 2;
	fake.injections = 0;
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0, fake.injections);
	assert_int_equal(2, fake.accesses);
	assert_int_equal(1, fake.run.regs.rcx);
	assert_int_equal(DEVICE + 2, fake.run.regs.rsi);
	assert_int_equal(0, fake.run.retire);
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(1, fake.injections);
	assert_int_equal(ABSENT, fake.injected.payload);
	assert_int_equal(2, fake.accesses);
	entry(0x4000)[ABSENT >> 12] = ABSENT | 7;
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(2, fake.run.retire);
	assert_memory_equal(fake.memory + ABSENT - 2, "\1\2\3", 3);
}

/* A long REP goes on in another exit, so that interrupts can come in between */
static void long_repeat(void **state)
{
	long_mode();
	fake.run.regs.rdi = DEVICE;
	fake.run.regs.rcx = 4097;
	fake.guest.memory = fake_memory;
	entry(0x4000)[(DEVICE >> 12) + 1] = (FAKE_DEVICE + 4096) | 7;
	CODE(0x100, "\xf3\xaa");	/* rep stosb */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(1, fake.run.regs.rcx);
	assert_int_equal(0, fake.run.retire);
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0, fake.run.regs.rcx);
	assert_int_equal(2, fake.run.retire);
	/* The trap flag wants a stop after each element */
	fake.run.regs.rdi = DEVICE;
	fake.run.regs.rcx = 2;
	fake.run.regs.rflags |= 0x100;
	fake.run.retire = 0;
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(1, fake.run.regs.rcx);
	assert_int_equal(0, fake.run.retire);
}

static void io(uint16_t port, uint8_t size, uint8_t flags)
{
	fake.run.exit_reason = MVMM_EXIT_IO;
	fake.run.io.port = port;
	fake.run.io.size = size;
	fake.run.io.flags = flags | MVMM_IO_STRING;
}

static void expect_gp(unsigned int vector, bool has_error)
{
	assert_int_equal(0, mvmm_complete(&fake.guest));
	assert_int_equal(1, fake.injections);
	assert_int_equal(vector, fake.injected.vector);
	assert_int_equal(has_error, fake.injected.has_error);
	assert_int_equal(0, fake.accesses);
	assert_int_equal(0, fake.run.retire);
	fake.injections = 0;
}

static void segments(void **state)
{
	/* OUTSB beyond the limit of DS */
	protected_mode();
	fake.sregs.ds.limit = 0xfff;
	fake.run.regs.rsi = 0x2000;
	CODE(0x100, "\x6e");
	io(0x80, 1, 0);
	expect_gp(13, true);
	/* The last byte within it, and a datum across it */
	fake.run.regs.rsi = 0xfff;
	assert_int_equal(0, mvmm_complete(&fake.guest));
	assert_int_equal(1, fake.accesses);
	fake.accesses = fake.run.retire = 0;
	fake.run.regs.rsi = 0xffe;
	CODE(0x100, "\x6f");
	io(0x80, 4, 0);
	expect_gp(13, true);
	/* INSB to ES, which is read-only or null */
	CODE(0x100, "\x6c");
	io(0x80, 1, MVMM_IO_IN);
	fake.sregs.es.attr = 0xc091;
	expect_gp(13, true);
	fake.sregs.es.attr = 0;
	expect_gp(13, true);
	/* Through SS it is #SS; code can be read if it is readable */
	fake.sregs.ss.limit = 0x10;
	CODE(0x100, "\x36\x6e");
	io(0x80, 1, 0);
	expect_gp(12, true);
	CODE(0x100, "\x2e\x6e");
	fake.sregs.cs.attr = 0xc099;
	expect_gp(13, true);
	fake.sregs.cs.attr = 0xc09b;
	assert_int_equal(0, mvmm_complete(&fake.guest));
	assert_int_equal(2, fake.run.retire);
	/* Expand-down: only above the limit */
	fake.accesses = fake.run.retire = 0;
	fake.sregs.ds = (struct mvmm_segment){ .limit = 0xfff, .attr = 0xc097 };
	CODE(0x100, "\x6e");
	fake.run.regs.rsi = 0xfff;
	expect_gp(13, true);
	fake.run.regs.rsi = 0x1000;
	assert_int_equal(0, mvmm_complete(&fake.guest));
	/* Real mode has limits, too, and pushes no error code */
	real_mode();
	fake.run.regs.rsi = 0xffff;
	CODE(0x100, "\x6f");
	io(0x80, 2, 0);
	expect_gp(13, false);
	/* The second operand of a MOVS from the device */
	protected_mode();
	fake.sregs.es.limit = 0xfff;
	fake.run.regs.rsi = FAKE_DEVICE;
	fake.run.regs.rdi = 0x1000;
	CODE(0x100, "\xa4");
	expect_gp(13, true);
}

/* A 16-bit address: bx + si, and its wrap-around */
static void address_of_16_bits(void **state)
{
	protected_mode();
	fake.run.paging.cs_attr = 0x9b;
	fake.sregs.ds.base = FAKE_DEVICE;
	fake.run.regs.rbx = 0x12340008;
	fake.run.regs.rsi = 0xfffffffc;
	fake.run.regs.rax = 0xabcd;
	CODE(0x100, "\x89\x00");	/* mov %ax, (%bx,%si) */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0xcd, fake.device[4]);
	fake.run.regs.rbp = 0x10;
	fake.run.regs.rdi = 0x20;
	fake.sregs.ss.base = FAKE_DEVICE;
	CODE(0x100, "\x89\x03");	/* mov %ax, (%bp,%di) */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0xcd, fake.device[0x30]);
}

/* CALL with a stack that is a device: the target is relative */
static void call_onto_a_device(void **state)
{
	uint64_t next;

	long_mode();
	fake.run.regs.rsp = DEVICE + 0x100;
	CODE(0x100, "\xe8\x20\0\0\0");
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(5, fake.run.retire);
	assert_int_equal(0x125, fake.run.regs.rip + fake.run.retire);
	assert_int_equal(DEVICE + 0xf8, fake.run.regs.rsp);
	memcpy(&next, fake.device + 0xf8, 8);
	assert_int_equal(0x105, next);
	/* Backwards, and 16-bit code, where the offset wraps */
	real_mode();
	fake.sregs.ss.base = FAKE_DEVICE;
	fake.run.regs.rsp = 0x100;
	CODE(0x100, "\xe8\xf0\xfe");
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0xfff3, (uint32_t)fake.run.regs.rip + fake.run.retire);
	assert_int_equal(0xfe, fake.run.regs.rsp);
	assert_int_equal(0x03, fake.device[0xfe]);
}

static void segment_register(void **state)
{
	real_mode();
	fake.sregs.ds.base = FAKE_DEVICE;
	fake.device[0] = 0x34;
	fake.device[1] = 0x12;
	CODE(0x100, "\x8e\x07");	/* mov (%bx), %es */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0x1234, fake.sregs.es.selector);
	assert_int_equal(0x12340, fake.sregs.es.base);
	assert_int_equal(1, fake.accesses);
	/* In protected mode that reads a descriptor: refused, and not begun */
	protected_mode();
	fake.run.regs.rbx = FAKE_DEVICE;
	CODE(0x100, "\x8e\x03");
	assert_int_equal(-ENOTSUP, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(0, fake.accesses);
}

/* Not in test_execute.c: this CPU's CR0 is not the guest's */
static void machine_status(void **state)
{
	long_mode();
	fake.run.regs.rbx = DEVICE;
	memset(fake.device, 0x77, 4);
	CODE(0x100, "\x0f\x01\x23");	/* smsw (%rbx) */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_memory_equal("\x01\0\x77\x77", fake.device, 4);
}

/* Where the CPU does not say which register reads it */
static void control_registers(void **state)
{
	static const struct {
		const char code[4];
		uint64_t value;
	} row[] = {
		{ "\x0f\x20\xc3", 0x60000011 },	/* mov %cr0, %rbx */
		{ "\x0f\x20\xe3", 0x60000011 },	/* mov %cr4, %rbx */
		{ "\x0f\x01\xe3", 0x60000011 },	/* smsw %ebx */
	};
	unsigned int i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		long_mode();
		fake.run.exit_reason = MVMM_EXIT_CR;
		fake.run.cr.value = 0x60000011;
		fake.run.regs.rbx = ~0ull;
		CODE(0x100, row[i].code);
		assert_int_equal(0, mvmm_complete_cr(&fake.guest));
		assert_int_equal(row[i].value, fake.run.regs.rbx);
		assert_int_equal(3, fake.run.retire);
	}
	CODE(0x100, "\x01\xc3");	/* add %eax, %ebx */
	assert_int_equal(-ENOTSUP, mvmm_complete_cr(&fake.guest));
}

/* A bit that the CPU has not: #GP, and MXCSR stays */
static void reserved_mxcsr(void **state)
{
	uint32_t before = 0x1f80, mask = 0xffff;

	long_mode();
	fake.run.regs.rbx = DEVICE;
	memcpy(fake.xsave + 24, &before, 4);
	memcpy(fake.xsave + 28, &mask, 4);
	memcpy(fake.device, "\0\0\x01", 4);
	CODE(0x100, "\x0f\xae\x13");	/* ldmxcsr (%rbx) */
	assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
	assert_int_equal(1, fake.injections);
	assert_int_equal(13, fake.injected.vector);
	assert_int_equal(0, fake.run.retire);
	assert_memory_equal(&before, fake.xsave + 24, 4);
}

/*
 * A program may have made a vector's store of its instruction since the exit: with
 * CR0.TS the registers may be another one's
 */
static void vectors_that_are_off(void **state)
{
	static const struct {
		uint64_t cr0, cr4;
		bool known;
	} list[] = {
		{ CR0_PE, 1 << 9, true }, { CR0_PE | 1 << 3, 1 << 9, false },
		{ CR0_PE | 1 << 2, 1 << 9, false }, { CR0_PE, 0, false },
	};
	unsigned int i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		long_mode();
		fake.run.paging.cpl = 3;
		fake.sregs.cr0 = list[i].cr0;
		fake.sregs.cr4 = list[i].cr4;
		fake.run.regs.rbx = DEVICE;
		CODE(0x100, "\x0f\x11\x03");	/* movups %xmm0, (%rbx) */
		assert_int_equal(list[i].known ? 0 : -ENOTSUP,
				 mvmm_complete_mmio(&fake.guest));
		assert_int_equal(list[i].known ? 2 : 0, fake.accesses);
	}
}

static void unknown_instructions(void **state)
{
	static const struct {
		char bytes[6];
		const char *text;
	} list[] = {
		{ "\xdd\x03", "dd 03 fld (%rbx)" },
		{ "\x0f\x58\x03", "0f 58 03 addps (%rbx), %xmm0" },
		{ "\xff\x2b", "ff 2b ljmp (%rbx)" },
		{ "\x8e\x03", "8e 03 mov (%rbx), %es" },
		{ "\x0f\x00\x1b", "0f 00 1b ltr (%rbx)" },
		{ "\x66\x0f\xc2\x03\x01", NULL },
		/* Names and immediates as those that are known have them */
		{ "\xf2\x0f\xc2\x03\x01", NULL },	/* cmpsd, of SSE */
		{ "\x0f\xc4\x03\x01", NULL },	/* pinsrw, of MMX */
		/* vmovdqu64 (%rbx), %zmm3{%k1}, and the store */
		{ "\x62\xf1\xfe\x49\x6f\x1b", NULL },
		{ "\x62\xf1\xfe\x49\x7f\x1b", NULL },
	};
	struct mvmm_regs before;
	char text[96];
	unsigned int i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		long_mode();
		fake.run.regs.rbx = DEVICE;
		code(0x100, list[i].bytes, 6);
		before = fake.run.regs;
		assert_int_equal(-ENOTSUP, mvmm_complete_mmio(&fake.guest));
		assert_memory_equal(&before, &fake.run.regs, sizeof(before));
		assert_int_equal(0, fake.accesses);
		assert_int_equal(0, fake.run.retire);
		mvmm_describe_insn(&fake.guest, text, sizeof(text));
		if (list[i].text)
			assert_string_equal(list[i].text, text);
		/* The next one is not mistaken for it */
		CODE(0x100, "\xc6\x03\x77");	/* movb $0x77, (%rbx) */
		assert_int_equal(0, mvmm_complete_mmio(&fake.guest));
		assert_int_equal(0x77, fake.device[0]);
	}
	fake.run.regs.rip = ABSENT;
	mvmm_describe_insn(&fake.guest, text, sizeof(text));
	assert_string_equal("code that cannot be read", text);
}

/* The counter of an exit, by the manuals' numbers: SDM vol. 3 App. C, APM vol. 2 C */
static void names_of_exits(void **state)
{
	static const struct { bool svm; uint32_t index; const char *name; } all[] = {
		{ false, 0, "EXCEPTION_NMI" }, { false, 1, "EXTERNAL_INTERRUPT" },
		{ false, 12, "HLT" }, { false, 30, "IO_INSTRUCTION" },
		{ false, 48, "EPT_VIOLATION" }, { false, 49, "EPT_MISCONFIG" },
		{ false, 52, "PREEMPTION_TIMER" }, { false, 62, "PML_FULL" },
		{ true, 0, "read_cr0" }, { true, 0x4e, "PF excp" },
		{ true, 0x60, "interrupt" }, { true, 0x64, "vintr" },
		{ true, 0x78, "hlt" }, { true, 0x7b, "io" },
		/* Codes from 0x400 on */
		{ true, 0xb0, "npf" }, { true, 0xb1, "avic_incomplete_ipi" },
		/* The manuals have none */
		{ false, 35, NULL }, { false, 0xb0, NULL }, { true, 0xaf, NULL },
		{ true, 0xb7, NULL }, { true, 0x400, NULL },
		{ false, 0x80000000, NULL }, { true, 0x80000001, NULL },
	};
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *name = mvmm_hw_exit_name(
			all[i].svm ? MVMM_FEATURE_SVM : MVMM_FEATURE_VMX,
			all[i].index);

		if (all[i].name && name)
			assert_string_equal(name, all[i].name);
		else
			assert_ptr_equal(name, all[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_exits),
		cmocka_unit_test(accessed_and_dirty),
		cmocka_unit_test(protection_keys),
		cmocka_unit_test(unmapping_is_not_undone),
		cmocka_unit_test(rom),
		cmocka_unit_test(tables_in_rom),
		cmocka_unit_test(code_on_an_absent_page),
		cmocka_unit_test(datum_is_not_lost),
		cmocka_unit_test(long_repeat),
		cmocka_unit_test(segments),
		cmocka_unit_test(address_of_16_bits),
		cmocka_unit_test(call_onto_a_device),
		cmocka_unit_test(segment_register),
		cmocka_unit_test(machine_status),
		cmocka_unit_test(control_registers),
		cmocka_unit_test(reserved_mxcsr),
		cmocka_unit_test(vectors_that_are_off),
		cmocka_unit_test(unknown_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
