// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux's 64-bit entry wants (Linux: Documentation/arch/x86/boot.rst): page
 * tables that map 4 GiB one to one, a zero page, and random bytes; and that of
 * 32 bits. Where the kernel goes its loader knows: bzimage.c, elf.c.
 */
#include <asm/bootparam.h>
#include <string.h>
#include <sys/random.h>
#include "boot/boot.h"

#define RNG_SEED	0x6000
#define ZERO_PAGE	0x7000
#define GDT		0x8000
#define PAGE_TABLES	0x9000		/* 6 pages: 4 GiB in 2 MiB pages */
#define COMMAND_LINE	0x20000		/* LINUX_APPEND_MAX bytes, and 0 */
#define HIGH		0x100000ull
#define BOOT_CS		0x10
#define BOOT_DS		0x18
#define SEED_SIZE	32
#define RNG_SEED_TYPE	9		/* SETUP_RNG_SEED, since Linux 6.0 */
#define E820_RAM	1
#define E820_RESERVED	2
#define LOADER_UNKNOWN	0xff

static void add_e820(struct boot_params *zero, uint64_t from, uint64_t to,
		     uint32_t type)
{
	zero->e820_table[zero->e820_entries++] = (struct boot_e820_entry){
		.addr = from, .size = to - from, .type = type };
}

static void make_page_tables(const struct memory *memory)
{
	uint64_t *tables = (uint64_t *)(memory->base + PAGE_TABLES);
	int i;

	memset(tables, 0, 6 * 4096);
	tables[0] = (PAGE_TABLES + 0x1000) | 3;
	for (i = 0; i < 4; i++)
		tables[512 + i] = (PAGE_TABLES + 0x2000 + i * 0x1000) | 3;
	for (i = 0; i < 2048; i++)
		tables[1024 + i] = (uint64_t)i << 21 | 0x83;
}

static void make_gdt(const struct memory *memory)
{
	uint64_t *gdt = (uint64_t *)(memory->base + GDT);

	memset(gdt, 0, 4096);
	gdt[BOOT_CS / 8] = 0x00af9b000000ffffull;
	gdt[BOOT_DS / 8] = 0x00cf93000000ffffull;
}

/*
 * Without it a guest hashes its pool anew for each early random number, and has
 * nothing unpredictable before many interrupts came. An older Linux ignores it.
 * Its address, or 0: the host has none yet
 */
static uint64_t make_seed(const struct memory *memory)
{
	struct setup_data *seed = (void *)(memory->base + RNG_SEED);

	*seed = (struct setup_data){ .type = RNG_SEED_TYPE, .len = SEED_SIZE };
	return getrandom(seed->data, SEED_SIZE, GRND_NONBLOCK) == SEED_SIZE ?
	       RNG_SEED : 0;
}

/* evening 2: what a kernel finds when it starts */
void enter_linux(const struct memory *memory, const struct setup_header *h,
		 const struct boot *boot, const uint64_t *at, uint64_t rip,
		 bool long_mode, struct entry *entry)
{
	struct boot_params *zero = (void *)(memory->base + ZERO_PAGE);
	unsigned int last = boot->nr - 1;

	strcpy((char *)memory->base + COMMAND_LINE, boot->append);
	memset(zero, 0, sizeof(*zero));
	zero->hdr = *h;
	zero->hdr.type_of_loader = LOADER_UNKNOWN;
	zero->hdr.cmd_line_ptr = COMMAND_LINE;
	zero->hdr.ramdisk_image = boot->nr ? at[0] : 0;
	zero->hdr.ramdisk_size = boot->nr ?
		at[last] + boot->initrd[last].size - at[0] : 0;
	zero->hdr.setup_data = make_seed(memory);
	zero->acpi_rsdp_addr = boot->rsdp;
	add_e820(zero, 0, 0x9fc00, E820_RAM);
	add_e820(zero, 0xe0000, HIGH, E820_RESERVED);
	add_e820(zero, HIGH, memory->low, E820_RAM);
	if (memory->high)
		add_e820(zero, HIGH_RAM, HIGH_RAM + memory->high, E820_RAM);

	entry->regs = (struct mvmm_regs){
		.rip = rip, .rsi = ZERO_PAGE, .rflags = 2 };
	if (!long_mode) {
		/* For those who know of nothing better */
		zero->alt_mem_k = (memory->low - HIGH) >> 10;
		enter_protected(memory, GDT, entry);
		return;
	}
	make_page_tables(memory);
	make_gdt(memory);
	flat_segments(&entry->sregs, BOOT_CS, BOOT_DS, true);
	entry->sregs.gdt = (struct mvmm_table){ .base = GDT, .limit = 0x1f };
	entry->sregs.cr0 = 0x80000031;	/* PG NE ET PE */
	entry->sregs.cr3 = PAGE_TABLES;
	entry->sregs.cr4 = 0x20;	/* PAE */
	entry->sregs.efer = 0x500;	/* LMA LME */
}
