// SPDX-License-Identifier: GPL-2.0
/*
 * Images that are no Linux and no ELF of 64 bits: Multiboot, .COM, compressed ones,
 * and what is said of those that no loader takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include <elf.h>
#include <zlib.h>
#include "boot/boot.h"
#include "have.h"
#ifdef HAVE_XZ
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif
#include "tests/hole.h"

#define MB (1ull << 20)
#define RAM (32 * MB)

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

static uint32_t word(uint64_t gpa)
{
	uint32_t value;

	memcpy(&value, ram.base + gpa, 4);
	return value;
}

/* Of @image, in a copy of just its size, so that a read beyond it is seen */
static int load(const void *image, size_t size, struct boot *boot)
{
	struct blob blob = { .data = malloc(size + 1), .size = size };
	int ret;

	memcpy(blob.data, image, size);
	error = (struct error){ 0 };
	ret = load_kernel(&ram, &blob, boot, &entry, &error);
	free(blob.data);
	if (ret)
		assert_true(error.text[0]);
	return ret;
}

/* ---- Multiboot 1 ---------------------------------------------------------------- */

struct one {
	uint8_t before[64];
	uint32_t magic, flags, checksum, header, load, load_end, bss_end, entry;
	uint32_t mode, width, height, depth;
	uint8_t code[100];
};

static struct one make_one(void)
{
	struct one o = { .magic = 0x1badb002, .flags = 1 << 16 | 3,
			 .header = MB + 64, .load = MB,
			 .load_end = MB + sizeof(struct one),
			 .bss_end = MB + 4096, .entry = MB + 120 };

	o.checksum = -o.magic - o.flags;
	memset(o.code, 0x90, sizeof(o.code));
	return o;
}

static void multiboot_1(void **state)
{
	uint8_t a[10] = "module a", b[5000] = "module b";
	struct boot boot = { .given = "hello", .nr = 2,
			     .name = { "/a", "/b b" },
			     .initrd = { { a, 10, NULL }, { b, 5000, NULL } } };
	struct one o = make_one();
	uint32_t info, at;

	memset(ram.base + MB, 0xff, 4096);
	assert_int_equal(load(&o, sizeof(o), &boot), 0);
	assert_int_equal(entry.regs.rip, MB + 120);
	assert_int_equal(entry.regs.rax, 0x2badb002);
	assert_int_equal(entry.sregs.cr0, 0x11);
	assert_int_equal(entry.sregs.cs.attr, 0xc09b);
	assert_memory_equal(ram.base + MB, &o, sizeof(o));
	assert_int_equal(ram.base[MB + 4095], 0);
	info = entry.regs.rbx;
	assert_int_equal(word(info), 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	assert_int_equal(word(info + 4), 639);
	assert_int_equal(word(info + 8), (RAM - MB) >> 10);
	assert_string_equal((char *)ram.base + word(info + 16), "hello");
	assert_int_equal(word(info + 20), 2);
	at = word(info + 24);
	assert_memory_equal(ram.base + word(at), a, 10);
	assert_int_equal(word(at + 4) - word(at), 10);
	assert_string_equal((char *)ram.base + word(at + 8), "/a");
	assert_memory_equal(ram.base + word(at + 16), b, 5000);
	assert_int_equal(word(at + 16) & 4095, 0);
	assert_string_equal((char *)ram.base + word(at + 24), "/b b");
	/* The map: entries of 20 bytes, each with its size before it */
	assert_int_equal(word(info + 44), 3 * 24);
	at = word(info + 48);
	assert_int_equal(word(at), 20);
	assert_int_equal(word(at + 48 + 4), MB);
	assert_int_equal(word(at + 48 + 12), RAM - MB);
	assert_int_equal(word(at + 48 + 20), 1);
}

/* Wherever the header is: at a multiple of 4, whole, in the first 8192 bytes */
static void multiboot_1_place(void **state)
{
	static const struct { uint32_t at; bool found; } all[] = {
		{ 0, true }, { 4, true }, { 6, false }, { 8192 - 12, true },
		{ 8192 - 8, false }, { 8192, false } };
	uint8_t image[16384];
	struct boot boot = { .given = "" };
	struct blob blob = { .data = image, .size = sizeof(image) };
	struct one o = make_one();
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		memset(image, 0, sizeof(image));
		memcpy(image + all[i].at, &o.magic, 12);
		assert_int_equal(is_multiboot(&blob), all[i].found);
	}
	o.checksum++;
	assert_int_equal(load(&o, sizeof(o), &boot), -1);
}

static void multiboot_1_video(void **state)
{
	struct boot boot = { .given = "", .framebuffer = 0xc0000000 };
	struct one o = make_one();
	uint32_t info;

	o.flags |= 1 << 2;
	o.checksum = -o.magic - o.flags;
	o.width = 800;
	o.height = 600;
	assert_int_equal(load(&o, sizeof(o), &boot), 0);
	assert_int_equal(boot.width, 800);
	info = entry.regs.rbx;
	assert_int_equal(word(info) >> 12, 1);
	assert_int_equal(word(info + 88), 0xc0000000);
	assert_int_equal(word(info + 96), 3200);
	assert_int_equal(word(info + 100), 800);
	assert_int_equal(word(info + 104), 600);
	assert_int_equal(ram.base[info + 108], 32);
	assert_int_equal(ram.base[info + 109], 1);
	/* No screen can do that */
	o.width = 100000;
	assert_int_equal(load(&o, sizeof(o), &boot), 0);
	assert_int_equal(boot.width, 1024);
	assert_int_equal(boot.height, 768);
	/* There is none */
	boot = (struct boot){ .given = "" };
	assert_int_equal(load(&o, sizeof(o), &boot), 0);
	assert_int_equal(boot.width, 0);
	assert_int_equal(word(info) >> 12, 0);
}

#define REFUSE_ONE(change, wanted) do {					\
		struct one o = make_one();				\
		change;							\
		o.checksum = -o.magic - o.flags;			\
		assert_int_equal(load(&o, sizeof(o), &boot), -1);	\
		assert_non_null(strstr(error.text, wanted));	\
	} while (0)

static void multiboot_1_hostile(void **state)
{
	struct boot boot = { .given = "" };
	struct one o = make_one();
	size_t size;

	REFUSE_ONE(o.flags |= 1 << 3, "flags 0x1000b");
	REFUSE_ONE(o.flags = 0, "says no address");
	REFUSE_ONE(o.load = o.header + 1, "does not agree");
	REFUSE_ONE(o.header = MB + 65, "does not agree");
	REFUSE_ONE(o.header = 0xffffffff, "does not agree");
	REFUSE_ONE(o.load_end = MB - 1, "does not agree");
	REFUSE_ONE(o.load_end++, "are not in the file");
	REFUSE_ONE(o.load_end = 0xffffffff, "not in the guest's memory");
	REFUSE_ONE(o.bss_end = RAM + 1, "not in the guest's memory");
	REFUSE_ONE(o.load -= 4096; o.header -= 4096, "not in the guest's memory");
	REFUSE_ONE(o.entry = MB - 1, "entry");
	REFUSE_ONE(o.entry = MB + 4096, "entry");
	for (size = 0; size < sizeof(o); size++)
		assert_int_equal(load(&o, size, &boot), -1);
	o.load_end = o.bss_end = 0;
	assert_int_equal(load(&o, sizeof(o), &boot), 0);
	assert_int_equal(load(&o, 121, &boot), 0);
	assert_int_equal(load(&o, 120, &boot), -1);
}

/* ---- Multiboot 2, in an ELF file of 32 bits -------------------------------------- */

struct two {
	Elf32_Ehdr eh;
	Elf32_Phdr ph;
	uint8_t pad[12];
	uint32_t magic, arch, len, checksum;
	struct { uint16_t type, flags; uint32_t size, word[4]; } tag;
	uint32_t end[2];
	uint8_t code[64];
};

static struct two make_two(unsigned int type, unsigned int flags)
{
	struct two t = { .magic = 0xe85250d6, .len = 48,
			 .tag = { type, flags, 24, { 0 } }, .end = { 0, 8 } };

	memcpy(t.eh.e_ident, ELFMAG, SELFMAG);
	t.eh.e_ident[EI_CLASS] = ELFCLASS32;
	t.eh.e_machine = EM_386;
	t.eh.e_phentsize = sizeof(t.ph);
	t.eh.e_phoff = offsetof(struct two, ph);
	t.eh.e_phnum = 1;
	t.eh.e_entry = 0xc0000010;
	t.ph = (Elf32_Phdr){
		.p_type = PT_LOAD, .p_offset = offsetof(struct two, code),
		.p_filesz = 64, .p_memsz = 8192, .p_vaddr = 0xc0000000,
		.p_paddr = 2 * MB };
	t.checksum = -t.magic - t.arch - t.len;
	memset(t.code, 0xcc, sizeof(t.code));
	return t;
}

/* The tag of that type in what the kernel is told, or 0 */
static uint32_t find_tag(uint32_t type)
{
	uint32_t info = entry.regs.rbx, at = info + 8, end = info + word(info);

	for (; at < end; at += (word(at + 4) + 7) & ~7u) {
		if (word(at) == type)
			return at;
		if (word(at) == 0)
			break;
	}
	return 0;
}

static void multiboot_2(void **state)
{
	uint8_t a[10] = "module a";
	struct boot boot = { .given = "hello", .nr = 1, .name = { "/a" },
			     .initrd = { { a, 10, NULL } }, .rsdp = 0xe0000,
			     .framebuffer = 0xc0000000 };
	struct two t = make_two(5, 1);
	uint32_t at;

	memcpy(ram.base + 0xe0000, "RSD PTR ", 8);
	assert_int_equal(load(&t, sizeof(t), &boot), 0);
	assert_int_equal(entry.regs.rip, 2 * MB + 16);
	assert_int_equal(entry.regs.rax, 0x36d76289);
	assert_int_equal(ram.base[2 * MB + 63], 0xcc);
	assert_int_equal(ram.base[2 * MB + 64], 0);
	at = find_tag(1);
	assert_string_equal((char *)ram.base + at + 8, "hello");
	at = find_tag(3);
	assert_int_equal(word(at + 12) - word(at + 8), 10);
	assert_memory_equal(ram.base + word(at + 8), a, 10);
	assert_string_equal((char *)ram.base + at + 16, "/a");
	at = find_tag(6);
	assert_int_equal(word(at + 4), 16 + 3 * 24);
	assert_int_equal(word(at + 16 + 48), MB);
	at = find_tag(8);
	assert_int_equal(word(at + 8), 0xc0000000);
	assert_int_equal(word(at + 20), 1024);
	at = find_tag(15);
	assert_memory_equal(ram.base + at + 8, "RSD PTR ", 8);
	/* With the file's headers before 1 MiB, and no lower */
	t.ph.p_paddr = MB - 4096;
	assert_int_equal(load(&t, sizeof(t), &boot), -1);
	assert_non_null(strstr(error.text, "entry, 0xff010"));
	t.ph.p_paddr--;
	assert_int_equal(load(&t, sizeof(t), &boot), -1);
	assert_non_null(strstr(error.text, "from 0xff000"));
	t.ph.p_paddr = 2 * MB;
	assert_int_equal(load(&t, sizeof(t), &boot), 0);
	/* It ends with the tag that says so */
	at = entry.regs.rbx + word(entry.regs.rbx) - 8;
	assert_int_equal(word(at), 0);
	assert_int_equal(word(at + 4), 8);
}

/* What does not fit is left out, and not written elsewhere */
static void multiboot_2_full(void **state)
{
	static char longest[LINUX_APPEND_MAX + 1], name[50000];
	struct boot boot = { .given = longest, .nr = BOOT_MODULES };
	struct two t = make_two(5, 1);
	unsigned int i;

	memset(longest, 'a', LINUX_APPEND_MAX);
	memset(name, 'b', sizeof(name) - 1);
	for (i = 0; i < BOOT_MODULES; i++)
		boot.name[i] = name;
	memset(ram.base + 0x50000, 0x55, 4096);
	assert_int_equal(load(&t, sizeof(t), &boot), 0);
	assert_true(word(entry.regs.rbx) <= 0x40000);
	assert_int_equal(ram.base[0x50000], 0x55);
	longest[0] = 0;
}

/* Without an ELF header: the tag says where, or that it is all of the file */
static void multiboot_2_address(void **state)
{
	struct boot boot = { .given = "" };
	uint32_t file[64] = { [0] = 0x11111111, [4] = 0xe85250d6, [6] = 64,
		[8] = 2, [9] = 24, [10] = 2 * MB + 16, [11] = -1,
		[14] = 3, [15] = 12, [16] = 2 * MB + 128, [19] = 8,
		[32] = 0x22222222 };

	file[7] = -file[4] - file[6];
	memset(ram.base + 2 * MB, 0, 256);
	assert_int_equal(load(file, sizeof(file), &boot), 0);
	assert_int_equal(entry.regs.rip, 2 * MB + 128);
	assert_int_equal(word(2 * MB), 0x11111111);
	assert_int_equal(word(2 * MB + 128), 0x22222222);
	/* From the header on */
	memset(ram.base + 2 * MB, 0, 256);
	file[11] = 2 * MB + 16;
	assert_int_equal(load(file, sizeof(file), &boot), 0);
	assert_int_equal(word(2 * MB), 0);
	assert_int_equal(word(2 * MB + 128), 0x22222222);
	/* All of the file would begin below 0 */
	file[10] = 15;
	file[11] = -1;
	assert_int_equal(load(file, sizeof(file), &boot), -1);
	assert_non_null(strstr(error.text, "does not agree"));
}

static void multiboot_2_tags(void **state)
{
	struct boot boot = { .given = "" };
	struct two t = make_two(2, 0);

	/* The address of the header, of what is loaded, of its ends; no entry */
	t.tag.word[0] = MB + offsetof(struct two, magic);
	t.tag.word[1] = MB;
	assert_int_equal(load(&t, sizeof(t), &boot), -1);
	assert_non_null(strstr(error.text, "no entry"));
	/* Not known, and known but not obeyed */
	t = make_two(77, 0);
	assert_int_equal(load(&t, sizeof(t), &boot), -1);
	assert_non_null(strstr(error.text, "tag 77 at offset 0x70"));
	t = make_two(77, 1);
	assert_int_equal(load(&t, sizeof(t), &boot), 0);
	t = make_two(10, 0);
	assert_int_equal(load(&t, sizeof(t), &boot), 0);
	t = make_two(3, 0);
	t.tag.word[0] = 2 * MB + 32;
	assert_int_equal(load(&t, sizeof(t), &boot), 0);
	assert_int_equal(entry.regs.rip, 2 * MB + 32);
	/* Of another processor, and sizes that are none */
	t = make_two(5, 0);
	t.arch = 4;
	t.checksum -= 4;
	assert_int_equal(load(&t, sizeof(t), &boot), -1);
	assert_non_null(strstr(error.text, "architecture 4"));
	t = make_two(5, 0);
	t.tag.size = 0;
	assert_int_equal(load(&t, sizeof(t), &boot), -1);
	t.tag.size = 0xffffffff;
	assert_int_equal(load(&t, sizeof(t), &boot), -1);
	t.tag.size = 12;
	assert_int_equal(load(&t, sizeof(t), &boot), -1);
	t = make_two(5, 0);
	t.len = 0xffffffff;
	t.checksum = -t.magic - t.len;
	t.end[1] = 0xfffffff0;
	load(&t, sizeof(t), &boot);
}

/* ---- compressed -------------------------------------------------------------------- */

static struct blob blob_of(const void *data, size_t size)
{
	struct blob blob = { .data = malloc(size + 1), .size = size };

	memcpy(blob.data, data, size);
	return blob;
}

/* Whole, cut off, changed */
static void check_unpack(const uint8_t *packed, size_t size, const uint8_t *want,
			 size_t len, const char *name)
{
	struct blob blob = blob_of(packed, size);
	size_t cut;

	error = (struct error){ 0 };
	assert_int_equal(blob_unpack(&blob, &error), 0);
	assert_int_equal(blob.size, len);
	assert_memory_equal(blob.data, want, len);
	blob_free(&blob);
	for (cut = 6; cut < size; cut += 1 + size / 50) {
		blob = blob_of(packed, cut);
		if (!blob_unpack(&blob, &error))
			/* Its end had come */
			assert_int_equal(blob.size, len);
		else
			assert_non_null(strstr(error.text, name));
		blob_free(&blob);
	}
	for (cut = 6; cut < size; cut += 1 + size / 50) {
		blob = blob_of(packed, size);
		blob.data[cut] ^= 0x55;
		blob_unpack(&blob, &error);
		blob_free(&blob);
	}
}

static void compressed(void **state)
{
	size_t len = 3 * MB + 5, size = len + 4096, i;
	uint8_t *plain = malloc(len), *packed = malloc(size);
	z_stream z = { .next_in = plain, .avail_in = len, .next_out = packed,
		       .avail_out = size };
	struct blob blob;

	for (i = 0; i < len; i++)
		plain[i] = i >> 8 ^ i * 7 % 251;
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, 0),
			 Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	check_unpack(packed, z.total_out, plain, len, "gzip");
#ifdef HAVE_XZ
	i = 0;
	assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, plain,
						 len, packed, &i, size),
			 LZMA_OK);
	check_unpack(packed, i, plain, len, "xz");
#endif
#ifdef HAVE_ZSTD
	i = ZSTD_compress(packed, size, plain, len, 1);
	assert_false(ZSTD_isError(i));
	check_unpack(packed, i, plain, len, "zstd");
#endif
	/* What is not compressed stays where it is */
	blob = blob_of("MZ", 2);
	assert_int_equal(blob_unpack(&blob, &error), 0);
	assert_int_equal(blob.size, 2);
	blob_free(&blob);
	free(plain);
	free(packed);
}

/* ---- what else there is ---------------------------------------------------------- */

static void com(void **state)
{
	struct blob image = { .data = (uint8_t *)"\xb4\x4c\xcd\x21", .size = 4 };
	static uint8_t large[65536];
	uint8_t *psp = ram.base + 0x10000;
	char text[200] = { 0 };
	uint32_t vector;

	assert_int_equal(load_com(&ram, &image, "a b", &entry, &error), 0);
	assert_int_equal(entry.sregs.cs.base + entry.regs.rip, 0x10100);
	assert_int_equal(entry.sregs.ss.selector, 0x1000);
	assert_memory_equal(ram.base + 0x10100, "\xb4\x4c\xcd\x21", 4);
	assert_memory_equal(psp, "\xcd\x20", 2);
	assert_memory_equal(psp + 0x80, "\x04 a b\r", 6);
	/* Where a RET goes */
	assert_int_equal(ram.base[0x10000 + entry.regs.rsp], 0);
	vector = word(4 * 0x21);
	assert_int_equal(vector >> 16, 0x60);
	/* sti */
	assert_int_equal(ram.base[0x600 + (vector & 0xffff)], 0xfb);
	assert_int_equal(ram.base[0x600 + (word(4 * 0x33) & 0xffff)], 0xcf);
	assert_int_equal(load_com(&ram, &image, "", &entry, &error), 0);
	assert_memory_equal(psp + 0x80, "\0\r", 2);
	memset(text, 'a', 125);
	assert_int_equal(load_com(&ram, &image, text, &entry, &error), 0);
	assert_int_equal(psp[0xff], '\r');
	text[125] = 'a';
	assert_int_equal(load_com(&ram, &image, text, &entry, &error), -1);
	image.size = 0;
	assert_int_equal(load_com(&ram, &image, "", &entry, &error), -1);
	image = (struct blob){ .data = large, .size = 0xfefe };
	assert_int_equal(load_com(&ram, &image, "", &entry, &error), 0);
	image.size++;
	assert_int_equal(load_com(&ram, &image, "", &entry, &error), -1);
}

/* Magic numbers where they are, and the sentence that names them */
static void refused(void **state)
{
	static const struct { uint32_t at; const char *magic, *text; } all[] = {
		{ 0, "QFI\xfb", "qcow2" }, { 0x40, "\x7f\x10\xda\xbe", "vdi" },
		{ 0x8001, "CD001", "a CD" }, { 510, "\x55\xaa", "boot sector" },
		{ 0, "BZh9", "bunzip2" }, { 0x38, "ARM\x64", "arm64" },
		{ 0, "MZ", "for DOS" }, { 0, "#!/b", "23 21 2f 62" } };
	struct boot boot = { .given = "" };
	uint8_t image[0x9000];
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		memset(image, 0, sizeof(image));
		memcpy(image + all[i].at, all[i].magic, strlen(all[i].magic));
		assert_int_equal(load(image, sizeof(image), &boot), -1);
		assert_int_equal(error.status, STATUS_DATA);
		assert_non_null(strstr(error.text, all[i].text));
	}
	memset(image, 0, sizeof(image));
	memcpy(image, "MZ", 2);
	image[0x3c] = 0x80;
	memcpy(image + 0x80, "PE", 2);
	assert_int_equal(load(image, sizeof(image), &boot), -1);
	assert_non_null(strstr(error.text, "--firmware uefi"));
	/* Its second header is far beyond the file */
	memset(image + 0x3c, 0xff, 4);
	assert_int_equal(load(image, sizeof(image), &boot), -1);
	assert_int_equal(load(image, 0, &boot), -1);
	assert_int_equal(load(image, 1, &boot), -1);
}

static void looked_at(void **state)
{
	char path[] = "/tmp/mvmm-image.XXXXXX.CoM";
	int fd = mkstemps(path, 4);
	enum image_kind kind;

	assert_int_equal(image_look(path, &kind, &error), 0);
	assert_int_equal(kind, IMAGE_COM);
	assert_int_equal(ftruncate(fd, 0xfeff), 0);
	assert_int_equal(image_look(path, &kind, &error), 0);
	assert_int_equal(kind, IMAGE_KERNEL);
	assert_int_equal(pwrite(fd, "\x55\xaa", 2, 510), 2);
	assert_int_equal(image_look(path, &kind, &error), 0);
	assert_int_equal(kind, IMAGE_DISK);
	assert_int_equal(pwrite(fd, "CD001", 5, 0x8001), 5);
	assert_int_equal(image_look(path, &kind, &error), 0);
	assert_int_equal(kind, IMAGE_CD);
	/* One that does not start as a disk, too */
	assert_int_equal(pwrite(fd, "", 1, 510), 1);
	assert_int_equal(image_look(path, &kind, &error), 0);
	assert_int_equal(kind, IMAGE_CD);
	/* A bzImage has a boot sector's signature, too */
	assert_int_equal(pwrite(fd, "\x55\xaa", 2, 510), 2);
	assert_int_equal(pwrite(fd, "HdrS", 4, 0x202), 4);
	assert_int_equal(image_look(path, &kind, &error), 0);
	assert_int_equal(kind, IMAGE_KERNEL);
	close(fd);
	unlink(path);
	assert_int_equal(image_look(path, &kind, &error), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(multiboot_1),
		cmocka_unit_test(multiboot_1_place),
		cmocka_unit_test(multiboot_1_video),
		cmocka_unit_test(multiboot_1_hostile),
		cmocka_unit_test(multiboot_2),
		cmocka_unit_test(multiboot_2_full),
		cmocka_unit_test(multiboot_2_address),
		cmocka_unit_test(multiboot_2_tags),
		cmocka_unit_test(compressed),
		cmocka_unit_test(com),
		cmocka_unit_test(refused),
		cmocka_unit_test(looked_at),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
