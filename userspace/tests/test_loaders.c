// SPDX-License-Identifier: GPL-2.0
/* The loaders, with good images, truncated ones and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include <asm/bootparam.h>
#include <elf.h>
#include "boot/boot.h"
#include "tests/hole.h"

#define MB (1ull << 20)
#define RAM (32 * MB)
#define HEADER 0x1f1

static struct memory ram;
static struct entry entry;
static struct error error;

static int setup(void **state)
{
	ram = ram_with_hole(RAM);
	return ram.base ? 0 : -1;
}

static int teardown(void **state)
{
	free(ram.base);
	return 0;
}

static struct blob make_bzimage(void)
{
	struct blob image = { .data = calloc(1, 8192), .size = 8192 };
	struct setup_header *h = (void *)(image.data + HEADER);

	h->setup_sects = 1;
	h->boot_flag = 0xaa55;
	h->header = 0x53726448;
	h->version = 0x20f;
	h->xloadflags = 1;
	h->loadflags = LOADED_HIGH;
	h->relocatable_kernel = 1;
	h->kernel_alignment = 2 * MB;
	h->pref_address = 16 * MB;
	h->init_size = 4 * MB;
	h->initrd_addr_max = 0x7fffffff;
	h->cmdline_size = 2047;
	h->setup_data = 0x12345678;
	memset(image.data + 1024, 0x90, 8192 - 1024);
	return image;
}

static int bzimage(struct blob *image, const char *append, size_t initrd)
{
	struct boot boot = { .append = append, .nr = initrd > 0, .initrd[0] = {
			     calloc(1, initrd + 1), initrd } };
	int ret = load_bzimage(&ram, image, &boot, &entry, &error);

	free(boot.initrd[0].data);
	return ret;
}

static void bzimage_good(void **state)
{
	struct boot_params *zero = (void *)(ram.base + 0x7000);
	struct blob image = make_bzimage();

	assert_int_equal(bzimage(&image, "hello", 5000), 0);
	assert_int_equal(entry.regs.rip, 16 * MB + 0x200);
	assert_int_equal(entry.regs.rsi, 0x7000);
	/* Not what the image says, but the launcher's own */
	assert_int_equal(zero->hdr.setup_data, 0x6000);
	assert_int_equal(ram.base[16 * MB], 0x90);
	assert_int_equal(zero->hdr.ramdisk_size, 5000);
	assert_true(zero->hdr.ramdisk_image >= 20 * MB);
	assert_true(zero->hdr.ramdisk_image + 5000 <= RAM);
	assert_string_equal((char *)ram.base + zero->hdr.cmd_line_ptr,
			    "hello");
	assert_int_equal(zero->e820_entries, 3);
	free(image.data);
}

/* What is above 4 GiB is in the memory map, and nothing is loaded there */
static void bzimage_high_memory(void **state)
{
	struct boot_params *zero = (void *)(ram.base + 0x7000);
	struct blob image = make_bzimage();

	ram.high = 5ull << 30;
	assert_int_equal(bzimage(&image, "hello", 5000), 0);
	assert_int_equal(zero->e820_entries, 4);
	assert_int_equal(zero->e820_table[3].addr, 1ull << 32);
	assert_int_equal(zero->e820_table[3].size, 5ull << 30);
	assert_true(zero->hdr.ramdisk_image + 5000 <= RAM);
	free(image.data);
}

/* Those without an entry of 64 bits, and those that say less */
static void bzimage_32(void **state)
{
	struct boot_params *zero = (void *)(ram.base + 0x7000);
	struct blob image = make_bzimage();
	struct setup_header *h = (void *)(image.data + HEADER);

	h->xloadflags = 0;
	assert_int_equal(bzimage(&image, "hello", 5000), 0);
	assert_int_equal(entry.regs.rip, 16 * MB);
	assert_int_equal(entry.regs.rsi, 0x7000);
	assert_int_equal(entry.regs.rbx | entry.regs.rbp | entry.regs.rdi, 0);
	assert_int_equal(entry.sregs.cr0, 0x11);
	assert_int_equal(entry.sregs.efer, 0);
	assert_int_equal(entry.sregs.cs.selector, 0x10);
	assert_int_equal(entry.sregs.ds.selector, 0x18);
	assert_int_equal(zero->hdr.code32_start, 16 * MB);
	assert_int_equal(zero->alt_mem_k, (RAM - MB) >> 10);
	/* Of before it could be moved, and of an initrd's limit in its header */
	h->version = 0x202;
	h->initrd_addr_max = 1;
	h->cmdline_size = 1;
	h->pref_address = -1ull;
	h->init_size = -1u;
	assert_int_equal(bzimage(&image, "hello", 5000), 0);
	assert_int_equal(entry.regs.rip, MB);
	assert_int_equal(ram.base[MB], 0x90);
	free(image.data);
}

/* One after the other, each with zeros up to the next */
static void bzimage_initrds(void **state)
{
	struct boot_params *zero = (void *)(ram.base + 0x7000);
	struct blob image = make_bzimage();
	uint8_t a[5000], b[3] = "bb", *at;
	struct boot boot = { .append = "", .nr = 2,
			     .initrd = { { a, sizeof(a) }, { b, sizeof(b) } } };

	memset(a, 'a', sizeof(a));
	assert_int_equal(load_bzimage(&ram, &image, &boot, &entry, &error), 0);
	at = ram.base + zero->hdr.ramdisk_image;
	assert_int_equal(zero->hdr.ramdisk_size, 8192 + 3);
	assert_memory_equal(at, a, sizeof(a));
	assert_int_equal(at[5000], 0);
	assert_memory_equal(at + 8192, b, sizeof(b));
	free(image.data);
}

/* Between the kernel's end and that of RAM, to the byte */
static void bzimage_initrd_edges(void **state)
{
	static const size_t fit[] = { 1, 4096, 12 * MB - 4095, 12 * MB };
	struct boot_params *zero = (void *)(ram.base + 0x7000);
	struct blob image = make_bzimage();
	unsigned int i;

	for (i = 0; i < sizeof(fit) / sizeof(fit[0]); i++) {
		assert_int_equal(bzimage(&image, "", fit[i]), 0);
		assert_int_equal(zero->hdr.ramdisk_size, fit[i]);
		assert_true(zero->hdr.ramdisk_image >= 20 * MB);
		assert_true(zero->hdr.ramdisk_image + fit[i] <= RAM);
	}
	assert_int_equal(bzimage(&image, "", 12 * MB + 1), -1);
	assert_int_equal(error.status, STATUS_OS);
	assert_non_null(strstr(error.text, "needs 33M of memory"));
	free(image.data);
}

static void bzimage_truncated(void **state)
{
	struct blob image = make_bzimage();
	size_t whole = image.size;

	/* Wherever it is cut off: an error, and no read beyond the end */
	for (image.size = 0; image.size <= 1024; image.size++) {
		struct blob copy = { .data = malloc(image.size + 1),
				     .size = image.size };

		memcpy(copy.data, image.data, image.size);
		assert_int_equal(bzimage(&copy, "", 0), -1);
		assert_int_equal(error.status, STATUS_DATA);
		free(copy.data);
	}
	image.size = whole;
	assert_int_equal(bzimage(&image, "", 0), 0);
	free(image.data);
}

#define REFUSE_BZIMAGE(field, value, want) do {				\
		struct blob image = make_bzimage();			\
		struct setup_header *h = (void *)(image.data + HEADER);	\
		h->field = value;					\
		error.status = 0;					\
		assert_int_equal(bzimage(&image, "", 0), -1);		\
		assert_int_equal(error.status, want);			\
		assert_true(error.text[0]);				\
		free(image.data);					\
	} while (0)

static void bzimage_hostile(void **state)
{
	struct blob image = make_bzimage();
	char longest[4096];

	REFUSE_BZIMAGE(header, 0, STATUS_DATA);
	REFUSE_BZIMAGE(boot_flag, 0, STATUS_DATA);
	REFUSE_BZIMAGE(version, 0x201, STATUS_DATA);
	REFUSE_BZIMAGE(loadflags, 0, STATUS_DATA);
	REFUSE_BZIMAGE(setup_sects, 255, STATUS_DATA);
	REFUSE_BZIMAGE(init_size, 0xffffffff, STATUS_OS);
	/* It moves itself up to pref_address: lower ones save nothing */
	REFUSE_BZIMAGE(init_size, RAM - 16 * MB + 1, STATUS_OS);
	assert_non_null(strstr(error.text, "needs 33M of memory"));
	/* Not relocatable, with addresses that are not possible */
#define FIXED(address) do {						\
		struct blob fixed = make_bzimage();			\
		struct setup_header *f = (void *)(fixed.data + HEADER);	\
		f->relocatable_kernel = 0;				\
		f->pref_address = address;				\
		assert_int_equal(bzimage(&fixed, "", 0), -1);		\
		free(fixed.data);					\
	} while (0)
	FIXED(0);
	FIXED(RAM);
	FIXED(RAM - 1 * MB);
	FIXED(-4096ull);
#undef FIXED
	/* An initrd that does not fit, a command line that is too long */
	assert_int_equal(bzimage(&image, "", 13 * MB), -1);
	assert_int_equal(error.status, STATUS_OS);
	assert_non_null(strstr(error.text, "needs 33M of memory"));
	assert_int_equal(bzimage(&image, "", RAM), -1);
	memset(longest, 'a', sizeof(longest));
	longest[4095] = 0;
	assert_int_equal(bzimage(&image, longest, 0), -1);
	assert_int_equal(error.status, STATUS_USAGE);
	free(image.data);
}

struct elf {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	Elf64_Nhdr note;
	char name[4];
	uint32_t start;
	Elf64_Nhdr os_note;
	char os_name[4], os[12];
	uint8_t code[64];
};

static void make_elf(struct elf *e)
{
	memset(e, 0, sizeof(*e));
	memcpy(e->eh.e_ident, ELFMAG, SELFMAG);
	e->eh.e_ident[EI_CLASS] = ELFCLASS64;
	e->eh.e_machine = EM_X86_64;
	e->eh.e_phentsize = sizeof(Elf64_Phdr);
	e->eh.e_phoff = offsetof(struct elf, ph);
	e->eh.e_phnum = 2;
	e->ph[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_offset = offsetof(struct elf, code),
		.p_filesz = 64, .p_memsz = 8192, .p_paddr = 16 * MB };
	e->ph[1] = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = offsetof(struct elf, note),
		.p_filesz = 20 };
	e->note = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 4, .n_type = 18 };
	memcpy(e->name, "Xen", 4);
	e->start = 0x1000040;
	memset(e->code, 0xcc, sizeof(e->code));
}

static int elf(const struct elf *e, size_t size)
{
	struct blob image = { .data = malloc(size + 1), .size = size };
	struct boot boot = { .append = "x" };
	int ret;

	memcpy(image.data, e, size);
	ret = load_elf(&ram, &image, &boot, &entry, &error);
	free(image.data);
	return ret;
}

static void elf_good(void **state)
{
	struct elf e;

	make_elf(&e);
	memset(ram.base + 16 * MB, 0xff, 8192);
	assert_int_equal(elf(&e, sizeof(e)), 0);
	assert_int_equal(entry.regs.rip, 0x1000040);
	assert_int_equal(ram.base[16 * MB + 63], 0xcc);
	assert_int_equal(ram.base[16 * MB + 64], 0);
	assert_int_equal(ram.base[16 * MB + 8191], 0);
	assert_int_equal(entry.sregs.cr0, 0x11);
}

/* What no memory makes fit is not asked for */
static void no_memory_helps(void **state)
{
	struct blob image = make_bzimage();
	struct setup_header *h = (void *)(image.data + HEADER);
	struct elf e;

	/* An initrd has to end below what the kernel's header says */
	h->initrd_addr_max = 24 * MB - 1;
	assert_int_equal(bzimage(&image, "", 4 * MB), 0);
	assert_int_equal(bzimage(&image, "", 5 * MB), -1);
	assert_non_null(strstr(error.text, "more memory does not help"));
	free(image.data);
	/* A segment below all RAM, one where none can be, one that wraps */
	make_elf(&e);
	e.ph[0].p_paddr = MB / 2;
	assert_int_equal(elf(&e, sizeof(e)), -1);
	assert_non_null(strstr(error.text, "more memory does not help"));
	make_elf(&e);
	e.ph[0].p_paddr = LOW_RAM_MAX;
	assert_int_equal(elf(&e, sizeof(e)), -1);
	assert_non_null(strstr(error.text, "more memory does not help"));
	make_elf(&e);
	e.ph[0].p_paddr = -4096ull;
	e.ph[0].p_memsz = 8192;
	assert_int_equal(elf(&e, sizeof(e)), -1);
	assert_non_null(strstr(error.text, "more memory does not help"));
}

/* With the least of all memory, it is said how much is needed */
static void too_little(void **state)
{
	struct memory all = ram;
	struct blob image = make_bzimage();
	struct elf e;

	ram.low = ram.size = MB;
	ram.nr = 0;
	assert_int_equal(bzimage(&image, "", 0), -1);
	assert_int_equal(error.status, STATUS_OS);
	assert_non_null(strstr(error.text, "needs 20M of memory"));
	make_elf(&e);
	assert_int_equal(elf(&e, sizeof(e)), -1);
	assert_int_equal(error.status, STATUS_OS);
	assert_non_null(strstr(error.text, "needs 17M of memory"));
	ram = all;
	free(image.data);
}

static void make_linux(struct elf *e)
{
	make_elf(e);
	e->eh.e_entry = 0x1000010;
	e->ph[1].p_filesz = 44;
	e->os_note = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 6, .n_type = 6 };
	memcpy(e->os_name, "Xen", 4);
	memcpy(e->os, "linux", 6);
}

/* At its own entry, with a zero page and random bytes */
static void elf_linux(void **state)
{
	struct boot_params *zero = (void *)(ram.base + 0x7000);
	struct setup_data *seed = (void *)(ram.base + 0x6000);
	uint8_t zeros[32] = { 0 }, before[32];
	struct elf e;

	make_linux(&e);
	assert_int_equal(elf(&e, sizeof(e)), 0);
	assert_int_equal(entry.regs.rip, 0x1000010);
	assert_int_equal(entry.regs.rsi, 0x7000);
	assert_int_equal(entry.sregs.efer, 0x500);
	assert_int_equal(zero->hdr.header, 0x53726448);
	assert_int_equal(zero->e820_table[2].addr, MB);
	assert_string_equal((char *)ram.base + zero->hdr.cmd_line_ptr, "x");
	assert_int_equal(zero->hdr.setup_data, 0x6000);
	assert_int_equal(seed->next, 0);
	assert_int_equal(seed->type, 9);
	assert_int_equal(seed->len, sizeof(before));
	assert_memory_not_equal(seed->data, zeros, sizeof(zeros));
	memcpy(before, seed->data, sizeof(before));
	assert_int_equal(elf(&e, sizeof(e)), 0);
	assert_memory_not_equal(seed->data, before, sizeof(before));
	/* Of another system, of another owner, or of a longer name: by PVH */
	e.os[0] = 'L';
	assert_int_equal(elf(&e, sizeof(e)), 0);
	assert_int_equal(entry.regs.rip, 0x1000040);
	make_linux(&e);
	e.os_name[0] = 'Y';
	assert_int_equal(elf(&e, sizeof(e)), 0);
	assert_int_equal(entry.regs.rip, 0x1000040);
	make_linux(&e);
	e.os_note.n_descsz = 5;
	assert_int_equal(elf(&e, sizeof(e)), 0);
	assert_int_equal(entry.regs.rip, 0x1000040);
	/* No segment is there */
	make_linux(&e);
	e.eh.e_entry = 0x1002000;
	assert_int_equal(elf(&e, sizeof(e)), -1);
	assert_int_equal(error.status, STATUS_DATA);
	e.eh.e_entry = 0xfffff;
	assert_int_equal(elf(&e, sizeof(e)), -1);
}

/* From a file, which somebody may make shorter meanwhile */
static void elf_from_a_file(void **state)
{
	char path[] = "/tmp/mvmm-elf.XXXXXX";
	struct boot boot = { .append = "x" };
	int fd = mkstemp(path);
	struct blob image;
	struct elf e;

	make_elf(&e);
	assert_int_equal(write(fd, &e, sizeof(e)), sizeof(e));
	assert_int_equal(blob_open(&image, path, &error), 0);
	assert_null(image.data);
	assert_int_equal(image.size, sizeof(e));
	assert_true(is_elf(&image));
	assert_int_equal(load_elf(&ram, &image, &boot, &entry, &error), 0);
	assert_int_equal(entry.regs.rip, 0x1000040);
	assert_int_equal(ram.base[16 * MB + 63], 0xcc);
	assert_int_equal(ftruncate(fd, sizeof(e) - 1), 0);
	assert_int_equal(load_elf(&ram, &image, &boot, &entry, &error), -1);
	assert_int_equal(error.status, STATUS_DATA);
	assert_false(blob_copy(&image, -1ull, &e, 1));
	assert_false(blob_copy(&image, 1, &e, -1ull));
	blob_free(&image);
	close(fd);
	unlink(path);
	assert_int_equal(blob_open(&image, path, &error), -1);
	assert_int_equal(blob_open(&image, "/tmp", &error), -1);
	assert_non_null(strstr(error.text, "not a regular file"));
}

static void elf_truncated(void **state)
{
	struct elf e;
	size_t size;

	make_elf(&e);
	for (size = 0; size < sizeof(e); size++) {
		assert_int_equal(elf(&e, size), -1);
		assert_int_equal(error.status, STATUS_DATA);
	}
}

#define REFUSE_ELF(change) do {						\
		make_elf(&e);						\
		change;							\
		assert_int_equal(elf(&e, sizeof(e)), -1);		\
		assert_true(error.text[0]);				\
	} while (0)

static void elf_hostile(void **state)
{
	struct elf e;

	REFUSE_ELF(e.eh.e_ident[EI_CLASS] = ELFCLASS32);
	REFUSE_ELF(e.eh.e_machine = EM_AARCH64);
	REFUSE_ELF(e.eh.e_phentsize = 8);
	REFUSE_ELF(e.eh.e_phoff = -8ull);
	REFUSE_ELF(e.eh.e_phoff = sizeof(e));
	REFUSE_ELF(e.eh.e_phnum = 0xffff);
	REFUSE_ELF(e.ph[0].p_offset = -64ull);
	REFUSE_ELF(e.ph[0].p_filesz = -1ull);
	REFUSE_ELF(e.ph[0].p_filesz = 65);
	REFUSE_ELF(e.ph[0].p_memsz = 63);
	REFUSE_ELF(e.ph[0].p_memsz = -1ull);
	REFUSE_ELF(e.ph[0].p_paddr = -4096ull);
	REFUSE_ELF(e.ph[0].p_paddr = RAM - 4096);
	REFUSE_ELF(e.ph[0].p_paddr = 0x7000);
	REFUSE_ELF(e.ph[1].p_offset = -1ull);
	REFUSE_ELF(e.ph[1].p_filesz = 12);
	/* A wide header is no narrow one */
	REFUSE_ELF(e.eh.e_ident[EI_CLASS] = ELFCLASS32; e.eh.e_machine = EM_386);
	REFUSE_ELF(e.note.n_namesz = 0xffffffff);
	REFUSE_ELF(e.note.n_descsz = 0xfffffffc);
	REFUSE_ELF(e.note.n_descsz = 2);
	REFUSE_ELF(e.note.n_type = 17);
	REFUSE_ELF(e.name[0] = 'Y');
}

static void flat(void **state)
{
	uint8_t bytes[4096] = { 0xf4 };
	struct blob image = { .data = bytes, .size = sizeof(bytes) },
		    empty = { .data = bytes };

	assert_int_equal(load_flat(&ram, &image, 0x7c00, &entry, &error), 0);
	assert_int_equal(entry.sregs.cs.base, 0x7c00);
	assert_int_equal(entry.sregs.cs.selector, 0x7c0);
	assert_int_equal(entry.regs.rip, 0);
	assert_int_equal(ram.base[0x7c00], 0xf4);
	assert_int_equal(load_flat(&ram, &empty, 0, &entry, &error), -1);
	assert_int_equal(load_flat(&ram, &image, 8, &entry, &error), -1);
	assert_int_equal(load_flat(&ram, &image, 1 * MB, &entry, &error), -1);
	assert_int_equal(load_flat(&ram, &image, -16ull, &entry, &error), -1);
	assert_int_equal(load_flat(&ram, &image, 0x9f010, &entry, &error), -1);
	assert_int_equal(load_flat(&ram, &image, 0x9f000, &entry, &error), 0);
}

static void ram_ranges(void **state)
{
	assert_non_null(memory_at(&ram, 0, 1, MVMM_ACCESS_WRITE));
	assert_non_null(memory_at(&ram, RAM - 1, 1, MVMM_ACCESS_WRITE));
	assert_null(memory_at(&ram, RAM, 1, MVMM_ACCESS_WRITE));
	assert_null(memory_at(&ram, RAM - 1, 2, MVMM_ACCESS_WRITE));
	assert_null(memory_at(&ram, -1ull, 2, MVMM_ACCESS_WRITE));
	assert_null(memory_at(&ram, 1, -1ull, MVMM_ACCESS_WRITE));
	assert_null(memory_at(&ram, 0xa0000, 1, MVMM_ACCESS_WRITE));
	assert_null(memory_at(&ram, 0x9ffff, 2, MVMM_ACCESS_WRITE));
	assert_null(memory_at(&ram, 0xbffff, 2, MVMM_ACCESS_WRITE));
	assert_non_null(memory_at(&ram, 0xc0000, 1, MVMM_ACCESS_WRITE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bzimage_good),
		cmocka_unit_test(bzimage_high_memory),
		cmocka_unit_test(bzimage_32),
		cmocka_unit_test(bzimage_initrds),
		cmocka_unit_test(bzimage_initrd_edges),
		cmocka_unit_test(bzimage_truncated),
		cmocka_unit_test(bzimage_hostile),
		cmocka_unit_test(elf_good),
		cmocka_unit_test(too_little),
		cmocka_unit_test(no_memory_helps),
		cmocka_unit_test(elf_linux),
		cmocka_unit_test(elf_from_a_file),
		cmocka_unit_test(elf_truncated),
		cmocka_unit_test(elf_hostile),
		cmocka_unit_test(flat),
		cmocka_unit_test(ram_ranges),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
