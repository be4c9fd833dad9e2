// SPDX-License-Identifier: GPL-2.0
/*
 * Loads an ELF kernel, of 32 or 64 bits, with a PVH entry (Xen's
 * docs/misc/pvh.pandoc): the note
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
/* Linkers put the file's headers before what begins at 1 MiB */
#define HEADERS		(HIGH - 4096)
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
 * @physical: where that is in memory, 0: at @entry
 * @end: of its segments
 * @has_pvh: there is @pvh
 * @is_linux: begins at @entry, by Linux's protocol
 * @narrow: of 32 bits
 */
struct kernel {
	uint32_t pvh;
	uint64_t entry, physical, end;
	bool has_pvh, is_linux, narrow;
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
			const Elf64_Phdr *ph, uint64_t lowest, uint64_t *end,
			struct error *error)
{
	uint8_t *to = memory_at(memory, ph->p_paddr, ph->p_memsz,
				MVMM_ACCESS_WRITE);

	if (!to || ph->p_paddr < lowest || ph->p_paddr >= HIGH_RAM)
		return no_room(memory, "the ELF segment", lowest, ph->p_paddr,
			       ph->p_memsz, error);
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

/*
 * The file's header, as that of 64 bits. The same of a program header
 */
static int read_header(const struct blob *image, Elf64_Ehdr *eh,
		       struct error *error)
{
	uint8_t id[EI_NIDENT];
	Elf32_Ehdr narrow;
	bool good;

	if (!blob_copy(image, 0, id, sizeof(id)))
		return fail(error, STATUS_DATA,
			    "the ELF file of %zu bytes is cut short",
			    image->size);
	if (id[EI_CLASS] == ELFCLASS32) {
		good = blob_copy(image, 0, &narrow, sizeof(narrow));
		if (good)
			*eh = (Elf64_Ehdr){
				.e_machine = narrow.e_machine,
				.e_entry = narrow.e_entry,
				.e_phoff = narrow.e_phoff,
				.e_phentsize = narrow.e_phentsize,
				.e_phnum = narrow.e_phnum };
		memcpy(eh->e_ident, id, sizeof(id));
	} else {
		good = blob_copy(image, 0, eh, sizeof(*eh));
	}
	if (!good)
		return fail(error, STATUS_DATA,
			    "the ELF file of %zu bytes is cut short",
			    image->size);
	if (!(id[EI_CLASS] == ELFCLASS64 && eh->e_machine == EM_X86_64 &&
	      eh->e_phentsize == sizeof(Elf64_Phdr)) &&
	    !(id[EI_CLASS] == ELFCLASS32 && eh->e_machine == EM_386 &&
	      eh->e_phentsize == sizeof(Elf32_Phdr)))
		return fail(error, STATUS_DATA,
			    "the ELF file is not for x86 (class %u at offset 4, machine %u at 18)",
			    id[EI_CLASS], eh->e_machine);
	return 0;
}

static bool read_program(const struct blob *image, const Elf64_Ehdr *eh,
			 unsigned int i, Elf64_Phdr *ph)
{
	uint64_t at = eh->e_phoff + i * (uint64_t)eh->e_phentsize;
	Elf32_Phdr narrow;

	if (eh->e_phoff > image->size)
		return false;
	if (eh->e_ident[EI_CLASS] == ELFCLASS64)
		return blob_copy(image, at, ph, sizeof(*ph));
	if (!blob_copy(image, at, &narrow, sizeof(narrow)))
		return false;
	*ph = (Elf64_Phdr){
		.p_type = narrow.p_type, .p_offset = narrow.p_offset,
		.p_vaddr = narrow.p_vaddr, .p_paddr = narrow.p_paddr,
		.p_filesz = narrow.p_filesz, .p_memsz = narrow.p_memsz };
	return true;
}

bool elf_has_pvh(const struct blob *image)
{
	struct error none = { 0 };
	struct kernel k = { 0 };
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	int i;

	if (read_header(image, &eh, &none))
		return false;
	for (i = 0; i < eh.e_phnum && read_program(image, &eh, i, &ph); i++)
		if (ph.p_type == PT_NOTE)
			read_notes(image, &ph, &k);
	return k.has_pvh;
}

/* Below @lowest are tables */
static int load_segments(const struct memory *memory, const struct blob *image,
			 uint64_t lowest, struct kernel *k, struct error *error)
{
	Elf64_Ehdr eh;
	int i;

	if (read_header(image, &eh, error))
		return -1;
	k->entry = eh.e_entry;
	k->narrow = eh.e_ident[EI_CLASS] == ELFCLASS32;
	for (i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		if (!read_program(image, &eh, i, &ph))
			return fail(error, STATUS_DATA,
				    "program header %d of the ELF file is not in it",
				    i);
		if (ph.p_type == PT_NOTE)
			read_notes(image, &ph, k);
		if (ph.p_type != PT_LOAD || !ph.p_memsz)
			continue;
		if (load_segment(memory, image, &ph, lowest, &k->end, error))
			return -1;
		/* Where it is linked may be where no memory is */
		if (eh.e_entry - ph.p_vaddr < ph.p_memsz)
			k->physical = eh.e_entry - ph.p_vaddr + ph.p_paddr;
	}
	return 0;
}

int load_elf_segments(const struct memory *memory, const struct blob *image,
		      uint64_t *entry, uint64_t *end, struct error *error)
{
	struct kernel k = { .end = HIGH };

	if (load_segments(memory, image, HEADERS, &k, error))
		return -1;
	*entry = k.physical ? k.physical : k.entry;
	*end = k.end;
	return 0;
}

static int check_kernel(const struct kernel *k, struct error *error)
{
	if (!k->has_pvh)
		return fail(error, STATUS_DATA,
			    "the ELF file has no PVH entry (note %d of Xen), and no header of Multiboot in its first 32768 bytes: for Linux, set CONFIG_PVH, or use the bzImage",
			    PHYS32_ENTRY);
	if (k->is_linux && (k->entry < HIGH || k->entry >= k->end))
		return fail(error, STATUS_DATA,
			    "the ELF file's entry, 0x%llx, is in none of its segments",
			    (unsigned long long)k->entry);
	return 0;
}

static void enter_pvh(const struct memory *memory, const struct boot *boot,
		      const uint64_t *at, uint32_t start, struct entry *entry)
{
	struct start_info *info = (void *)(memory->base + START_INFO);
	struct start_module *module = (void *)(memory->base + MODULE_LIST);
	struct start_memory *map = (void *)(memory->base + MEMORY_MAP);
	unsigned int i;

	strcpy((char *)memory->base + COMMAND_LINE, boot->append);
	*info = (struct start_info){
		.magic = START_MAGIC, .version = 1,
		.nr_modules = boot->nr,
		.modules = MODULE_LIST, .command_line = COMMAND_LINE,
		.rsdp = boot->rsdp, .memory_map = MEMORY_MAP,
		.memory_map_entries = memory->high ? 4 : 3 };
	for (i = 0; i < boot->nr; i++)
		module[i] = (struct start_module){
			.address = at[i], .size = boot->initrd[i].size };
	map[0] = (struct start_memory){ 0, 0x9fc00, MAP_RAM, 0 };
	map[1] = (struct start_memory){ 0xe0000, HIGH - 0xe0000, MAP_RESERVED,
					0 };
	map[2] = (struct start_memory){ HIGH, memory->low - HIGH, MAP_RAM, 0 };
	map[3] = (struct start_memory){ HIGH_RAM, memory->high, MAP_RAM, 0 };

	enter_protected(memory, GDT, entry);
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
	uint64_t initrd[BOOT_MODULES];

	if (append > LINUX_APPEND_MAX)
		return fail(error, STATUS_USAGE,
			    "the command line has %zu bytes, the most is %u",
			    append, LINUX_APPEND_MAX);
	if (load_segments(memory, image, HIGH, &k, error))
		return -1;
	if (memory->low < 2 * HIGH)
		return no_room(memory, "a kernel", HIGH, HIGH, HIGH, error);
	if (check_kernel(&k, error) ||
	    place_initrds(memory, boot, k.end, 0, initrd, error))
		return -1;
	if (k.is_linux)
		enter_linux(memory, &header, boot, initrd, k.entry, !k.narrow,
			    entry);
	else
		enter_pvh(memory, boot, initrd, k.pvh, entry);
	return 0;
}
