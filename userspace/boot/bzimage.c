// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a Linux bzImage by the 64-bit boot protocol (Linux:
 * Documentation/arch/x86/boot.rst): page tables that map 4 GiB one to one, a
 * zero page, and execution begins 0x200 bytes into the protected-mode code.
 */
#include <asm/bootparam.h>
#include <string.h>
#include "boot/boot.h"

#define ZERO_PAGE	0x7000
#define GDT		0x8000
#define PAGE_TABLES	0x9000		/* 6 pages: 4 GiB in 2 MiB pages */
#define COMMAND_LINE	0x20000
#define COMMAND_LINE_MAX 0x10000
#define HIGH		0x100000ull
#define BOOT_CS		0x10
#define BOOT_DS		0x18
#define HEADER		0x1f1		/* of struct setup_header */
#define MAGIC		0x53726448	/* "HdrS" */
#define MIN_VERSION	0x020c		/* has xloadflags and the 64-bit entry */
#define E820_RAM	1
#define E820_RESERVED	2
#define LOADER_UNKNOWN	0xff

static int check_header(const struct blob *image, struct setup_header *h,
			size_t *code, struct error *error)
{
	unsigned int sectors;

	if (!blob_copy(image, HEADER, h, sizeof(*h)))
		return fail(error, STATUS_DATA,
			    "the kernel of %zu bytes is shorter than a bzImage's header: is it the right file?",
			    image->size);
	if (h->header != MAGIC || h->boot_flag != 0xaa55)
		return fail(error, STATUS_DATA,
			    "the kernel is neither a bzImage (magic 0x%x, want 0x%x) nor ELF",
			    h->header, MAGIC);
	if (h->version < MIN_VERSION)
		return fail(error, STATUS_DATA,
			    "the kernel speaks boot protocol %u.%u, mvmm needs 2.12: use Linux 3.8 or later",
			    h->version >> 8, h->version & 0xff);
	if (!(h->xloadflags & XLF_KERNEL_64))
		return fail(error, STATUS_DATA,
			    "the kernel has no 64-bit entry (xloadflags 0x%x): is it a 32-bit one?",
			    h->xloadflags);
	sectors = h->setup_sects ? h->setup_sects : 4;
	*code = (sectors + 1) * 512;
	if (image->size <= *code)
		return fail(error, STATUS_DATA,
			    "the kernel is cut short: its code begins at %zu, the file has %zu bytes",
			    *code, image->size);
	return 0;
}

static int place_kernel(const struct memory *memory, const struct blob *image,
			const struct setup_header *h, size_t code,
			uint64_t *at, uint64_t *end, struct error *error)
{
	uint64_t size = image->size - code;
	/* The memory, from its start, that the kernel needs to unpack itself */
	uint64_t need = h->init_size > size ? h->init_size : size;

	/*
	 * Also one that can be relocated moves itself up to this address, so
	 * lower ones save no memory.
	 */
	*at = h->pref_address;
	if (*at < HIGH || *at > memory->low || need > memory->low - *at)
		return fail(error, STATUS_OS,
			    "the kernel needs %lluM of memory, the guest has %lluM: give it more with --mem",
			    (unsigned long long)(*at + need + (1 << 20) - 1) >>
			    20, (unsigned long long)memory->low >> 20);
	if (!blob_copy(image, code, memory->base + *at, size))
		return fail(error, STATUS_NO_INPUT, "the kernel cannot be read");
	*end = *at + need;
	return 0;
}

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

int load_bzimage(const struct memory *memory, const struct blob *image,
		 const struct boot *boot, struct entry *entry,
		 struct error *error)
{
	struct boot_params *zero = (void *)(memory->base + ZERO_PAGE);
	size_t code = 0, append = strlen(boot->append);
	uint64_t at = 0, end = 0, initrd = 0;
	struct setup_header h;
	uint32_t max_append;

	if (memory->low < 2 * HIGH)
		return fail(error, STATUS_OS,
			    "0x%llx bytes of memory are too few for Linux: give more with --mem",
			    (unsigned long long)memory->low);
	if (check_header(image, &h, &code, error) ||
	    place_kernel(memory, image, &h, code, &at, &end, error) ||
	    place_initrd(memory, &boot->initrd, end, h.initrd_addr_max, &initrd,
			 error))
		return -1;
	max_append = h.cmdline_size < COMMAND_LINE_MAX - 1 ?
		     h.cmdline_size : COMMAND_LINE_MAX - 1;
	if (append > max_append)
		return fail(error, STATUS_USAGE,
			    "the command line has %zu bytes, this kernel takes %u: shorten --append",
			    append, max_append);
	memcpy(memory->base + COMMAND_LINE, boot->append, append + 1);

	memset(zero, 0, sizeof(*zero));
	zero->hdr = h;
	zero->hdr.type_of_loader = LOADER_UNKNOWN;
	zero->hdr.cmd_line_ptr = COMMAND_LINE;
	zero->hdr.ramdisk_image = initrd;
	zero->hdr.ramdisk_size = boot->initrd.size;
	zero->acpi_rsdp_addr = boot->rsdp;
	add_e820(zero, 0, 0x9fc00, E820_RAM);
	add_e820(zero, 0xe0000, HIGH, E820_RESERVED);
	add_e820(zero, HIGH, memory->low, E820_RAM);
	if (memory->high)
		add_e820(zero, HIGH_RAM, HIGH_RAM + memory->high, E820_RAM);

	make_page_tables(memory);
	make_gdt(memory);
	flat_segments(&entry->sregs, BOOT_CS, BOOT_DS, true);
	entry->sregs.gdt = (struct mvmm_table){ .base = GDT, .limit = 0x1f };
	entry->sregs.cr0 = 0x80000031;	/* PG NE ET PE */
	entry->sregs.cr3 = PAGE_TABLES;
	entry->sregs.cr4 = 0x20;	/* PAE */
	entry->sregs.efer = 0x500;	/* LMA LME */
	entry->regs = (struct mvmm_regs){
		.rip = at + 0x200, .rsi = ZERO_PAGE, .rflags = 2 };
	return 0;
}
