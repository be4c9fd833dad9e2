// SPDX-License-Identifier: GPL-2.0
/*
 * Loads an ELF kernel with a PVH entry (Xen's docs/misc/pvh.pandoc): the note
 * XEN_ELFNOTE_PHYS32_ENTRY has the address where execution begins, in 32-bit
 * protected mode without paging, with the address of a start-info structure in
 * rbx. A kernel whose note XEN_ELFNOTE_GUEST_OS says that it is Linux begins at the
 * ELF file's entry instead, as after unpacking itself: by PVH it would get no
 * random bytes.
 */
#include <asm/bootparam.h>
#include <elf.h>
#include <stddef.h>
#include <string.h>
#include "boot/boot.h"

#define START_INFO	0x7000
#define MODULE_LIST	0x7100
#define MEMORY_MAP	0x7200
#define GDT		0x8000
#define COMMAND_LINE	0x20000
#define HIGH		0x100000ull
#define PHYS32_ENTRY	18
#define GUEST_OS	6
#define BOOT_PROTOCOL	0x020c		/* with a 64-bit entry */
#define NOTES_MAX	4096
#define START_MAGIC	0x336ec578
#define MAP_RAM		1
#define MAP_RESERVED	2

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, command_line, rsdp, memory_map;
	uint32_t memory_map_entries, reserved;
};

struct start_module {
	uint64_t address, size, command_line, reserved;
};

struct start_memory {
	uint64_t address, size;
	uint32_t type, reserved;
};

bool is_elf(const struct blob *image)
{
	char magic[SELFMAG];

	return blob_copy(image, 0, magic, SELFMAG) &&
	       !memcmp(magic, ELFMAG, SELFMAG);
}

/**
 * struct kernel - what an ELF file says of itself
 * @pvh: the PVH entry
 * @entry: the ELF file's own
 * @end: of its segments
 * @has_pvh: there is @pvh
 * @is_linux: begins at @entry, by Linux's protocol
 */
struct kernel {
	uint32_t pvh;
	uint64_t entry, end;
	bool has_pvh, is_linux;
};

static void read_note(const Elf64_Nhdr *note, const uint8_t *desc,
		      struct kernel *k)
{
	if (note->n_type == PHYS32_ENTRY && note->n_descsz >= 4) {
		memcpy(&k->pvh, desc, 4);
		k->has_pvh = true;
	}
	if (note->n_type == GUEST_OS && note->n_descsz == 6)
		k->is_linux = !memcmp(desc, "linux", 6);
}

static void read_notes(const struct blob *image, const Elf64_Phdr *ph,
		       struct kernel *k)
{
	uint8_t all[NOTES_MAX], *notes = all;
	uint64_t size = ph->p_filesz;

	/* A kernel's are some hundred bytes */
	if (size > sizeof(all))
		size = sizeof(all);
	if (!blob_copy(image, ph->p_offset, all, size))
		return;
	while (size >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name, desc, total;

		memcpy(&note, notes, sizeof(note));
		name = (note.n_namesz + 3ull) & ~3ull;
		desc = (note.n_descsz + 3ull) & ~3ull;
		total = sizeof(note) + name + desc;
		if (total > size)
			return;
		if (note.n_namesz == 4 &&
		    !memcmp(notes + sizeof(note), "Xen", 4))
			read_note(&note, notes + sizeof(note) + name, k);
		notes += total;
		size -= total;
	}
}

static int load_segment(const struct memory *memory, const struct blob *image,
			const Elf64_Phdr *ph, uint64_t *end,
			struct error *error)
{
	uint8_t *to = memory_at(memory, ph->p_paddr, ph->p_memsz,
				MVMM_ACCESS_WRITE);

	/* Below HIGH are the tables that this file makes */
	if (!to || ph->p_paddr < HIGH || ph->p_paddr >= HIGH_RAM)
		return fail(error, STATUS_OS,
			    "the ELF segment for 0x%llx, 0x%llx bytes, is not in the guest's memory from 0x%llx to 0x%llx: give it more with --mem",
			    (unsigned long long)ph->p_paddr,
			    (unsigned long long)ph->p_memsz, HIGH,
			    (unsigned long long)memory->low);
	if (ph->p_filesz > ph->p_memsz ||
	    !blob_copy(image, ph->p_offset, to, ph->p_filesz))
		return fail(error, STATUS_DATA,
			    "the ELF segment at offset 0x%llx of 0x%llx bytes is not in the file of 0x%zx bytes",
			    (unsigned long long)ph->p_offset,
			    (unsigned long long)ph->p_filesz, image->size);
	memset(to + ph->p_filesz, 0, ph->p_memsz - ph->p_filesz);
	if (ph->p_paddr + ph->p_memsz > *end)
		*end = ph->p_paddr + ph->p_memsz;
	return 0;
}

static int load_segments(const struct memory *memory, const struct blob *image,
			 struct kernel *k, struct error *error)
{
	Elf64_Ehdr eh;
	int i;

	if (!blob_copy(image, 0, &eh, sizeof(eh)))
		return fail(error, STATUS_DATA,
			    "the ELF file of %zu bytes is cut short",
			    image->size);
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
	    eh.e_phentsize != sizeof(Elf64_Phdr))
		return fail(error, STATUS_DATA,
			    "the ELF file is not for x86-64 (class %u, machine %u)",
			    eh.e_ident[EI_CLASS], eh.e_machine);
	for (i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		if (eh.e_phoff > image->size ||
		    !blob_copy(image, eh.e_phoff + i * (uint64_t)sizeof(ph),
			       &ph, sizeof(ph)))
			return fail(error, STATUS_DATA,
				    "program header %d of the ELF file is not in it",
				    i);
		if (ph.p_type == PT_NOTE)
			read_notes(image, &ph, k);
		else if (ph.p_type == PT_LOAD && ph.p_memsz &&
			 load_segment(memory, image, &ph, &k->end, error))
			return -1;
	}
	k->entry = eh.e_entry;
	if (!k->has_pvh)
		return fail(error, STATUS_DATA,
			    "the ELF file has no PVH entry (note %d of Xen): for Linux, set CONFIG_PVH, or use the bzImage",
			    PHYS32_ENTRY);
	if (k->is_linux && (k->entry < HIGH || k->entry >= k->end))
		return fail(error, STATUS_DATA,
			    "the ELF file's entry, 0x%llx, is in none of its segments",
			    (unsigned long long)k->entry);
	return 0;
}

static void enter_pvh(const struct memory *memory, const struct boot *boot,
		      uint64_t initrd, uint32_t start, struct entry *entry)
{
	struct start_info *info = (void *)(memory->base + START_INFO);
	struct start_module *module = (void *)(memory->base + MODULE_LIST);
	struct start_memory *map = (void *)(memory->base + MEMORY_MAP);
	uint64_t *gdt = (void *)(memory->base + GDT);

	strcpy((char *)memory->base + COMMAND_LINE, boot->append);
	*info = (struct start_info){
		.magic = START_MAGIC, .version = 1,
		.nr_modules = boot->initrd.size ? 1 : 0,
		.modules = MODULE_LIST, .command_line = COMMAND_LINE,
		.rsdp = boot->rsdp, .memory_map = MEMORY_MAP,
		.memory_map_entries = memory->high ? 4 : 3 };
	*module = (struct start_module){
		.address = initrd, .size = boot->initrd.size };
	map[0] = (struct start_memory){ 0, 0x9fc00, MAP_RAM, 0 };
	map[1] = (struct start_memory){ 0xe0000, HIGH - 0xe0000, MAP_RESERVED,
					0 };
	map[2] = (struct start_memory){ HIGH, memory->low - HIGH, MAP_RAM, 0 };
	map[3] = (struct start_memory){ HIGH_RAM, memory->high, MAP_RAM, 0 };

	memset(gdt, 0, 4096);
	gdt[2] = 0x00cf9b000000ffffull;
	gdt[3] = 0x00cf93000000ffffull;
	flat_segments(&entry->sregs, 0x10, 0x18, false);
	entry->sregs.gdt = (struct mvmm_table){ .base = GDT, .limit = 0x1f };
	entry->sregs.cr0 = 0x11;	/* ET PE */
	entry->sregs.cr3 = entry->sregs.cr4 = entry->sregs.efer = 0;
	entry->regs = (struct mvmm_regs){
		.rip = start, .rbx = START_INFO, .rflags = 2 };
}

int load_elf(const struct memory *memory, const struct blob *image,
	     const struct boot *boot, struct entry *entry,
	     struct error *error)
{
	/* Linux's own is in its bzImage; what is zero here it does without */
	const struct setup_header header = {
		.boot_flag = 0xaa55, .header = 0x53726448,
		.version = BOOT_PROTOCOL, .loadflags = LOADED_HIGH };
	struct kernel k = { .end = HIGH };
	size_t append = strlen(boot->append);
	uint64_t initrd;

	if (memory->low < 2 * HIGH)
		return fail(error, STATUS_OS,
			    "0x%llx bytes of memory are too few for a kernel: give more with --mem",
			    (unsigned long long)memory->low);
	if (append > LINUX_APPEND_MAX)
		return fail(error, STATUS_USAGE,
			    "the command line has %zu bytes, the most is %u",
			    append, LINUX_APPEND_MAX);
	if (load_segments(memory, image, &k, error) ||
	    place_initrd(memory, &boot->initrd, k.end, 0, &initrd, error))
		return -1;
	if (k.is_linux)
		enter_linux(memory, &header, boot, initrd, k.entry, entry);
	else
		enter_pvh(memory, boot, initrd, k.pvh, entry);
	return 0;
}
