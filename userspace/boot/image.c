// SPDX-License-Identifier: GPL-2.0
/* What a file is that a user wants to be run, and which loader it gets. */
#include <string.h>
#include <strings.h>
#include "boot/boot.h"

#define LINUX_MAGIC	0x202		/* "HdrS" */
#define SIGNATURE	510		/* of a boot sector: 55 aa */
#define CD_MAGIC	0x8001		/* of ISO 9660 */
#define COM_MAX		0xfefeu

/* What no loader takes, and who does */
static const struct foreign {
	uint32_t at, len;
	const char *magic, *what, *remedy;
} foreign[] = {
	{ CD_MAGIC, 5, "CD001", "an image of a CD", "mvmm run FILE, or --firmware bios --cdrom FILE" },
	{ 0, 4, "QFI\xfb", "a disk in the format qcow2", "--firmware bios --disk FILE,format=qcow2" },
	{ 0, 4, "KDMV", "a disk in the format vmdk", "--firmware bios --disk FILE,format=vmdk" },
	{ 0, 8, "vhdxfile", "a disk in the format vhdx", "--firmware bios --disk FILE,format=vhdx" },
	{ 0, 8, "conectix", "a disk in the format vpc", "--firmware bios --disk FILE,format=vpc" },
	{ 0x40, 4, "\x7f\x10\xda\xbe", "a disk in the format vdi", "--firmware bios --disk FILE,format=vdi" },
	{ 0x38, 4, "ARM\x64", "a kernel for arm64", "give one for x86" },
	{ 0, 3, "BZh", "compressed by bzip2", "unpack it first: bunzip2" },
	{ 0, 4, "\x02!L\x18", "compressed by lz4", "unpack it first: unlz4" },
	{ 0, 4, "\x04\"M\x18", "compressed by lz4", "unpack it first: unlz4" },
	{ 0, 4, "\x89LZO", "compressed by lzop", "unpack it first: lzop -d" },
	{ 0, 3, "]\0", "compressed by lzma", "unpack it first: unlzma" },
	{ 0, 6, "070701", "an initial RAM disk", "that is for --initrd" },
};

static bool has(const struct blob *image, uint64_t at, const void *magic,
		uint32_t len)
{
	uint8_t bytes[8];

	return blob_copy(image, at, bytes, len) && !memcmp(bytes, magic, len);
}

static bool is_linux(const struct blob *image)
{
	return has(image, LINUX_MAGIC, "HdrS", 4);
}

/* Of a PE file its second header is at an address that is in the first */
static bool is_efi(const struct blob *image)
{
	uint32_t at;

	return has(image, 0, "MZ", 2) && blob_copy(image, 0x3c, &at, 4) &&
	       has(image, at, "PE\0", 4);
}

static bool is_cd(const struct blob *image)
{
	return has(image, CD_MAGIC, "CD001", 5);
}

static bool is_boot_sector(const struct blob *image)
{
	return has(image, SIGNATURE, "\x55\xaa", 2);
}

static int refuse(const struct blob *image, struct error *error)
{
	const struct foreign *f = foreign;
	uint8_t bytes[4] = { 0 };

	if (is_efi(image))
		return fail(error, STATUS_DATA,
			    "the kernel is an EFI program (\"PE\" in its header) and no bzImage (\"HdrS\" at offset 0x202): it needs an EFI, from a disk: --firmware uefi --disk FILE");
	for (; f < foreign + sizeof(foreign) / sizeof(foreign[0]); f++)
		if (has(image, f->at, f->magic, f->len))
			return fail(error, STATUS_DATA,
				    "the kernel is %s (its magic is at offset 0x%x): %s",
				    f->what, f->at, f->remedy);
	if (is_boot_sector(image))
		return fail(error, STATUS_DATA,
			    "the kernel is a boot sector, or a disk (55 aa at offset 0x1fe): mvmm run FILE, or --firmware bios --disk FILE");
	if (has(image, 0, "MZ", 2))
		return fail(error, STATUS_DATA,
			    "the kernel is a program for DOS (\"MZ\" at offset 0): give a .COM file, or boot a disk with DOS by --firmware bios");
	blob_copy(image, 0, bytes, image->size < 4 ? image->size : 4);
	return fail(error, STATUS_DATA,
		    "the kernel of %zu bytes, which begins with %02x %02x %02x %02x, is neither a bzImage (\"HdrS\" at offset 0x202), nor ELF, nor of Multiboot (1badb002 or e85250d6): is it the right file? --flat starts anything",
		    image->size, bytes[0], bytes[1], bytes[2], bytes[3]);
}

int load_kernel(const struct memory *memory, const struct blob *image,
		struct boot *boot, struct entry *entry, struct error *error)
{
	if (is_linux(image))
		return load_bzimage(memory, image, boot, entry, error);
	if (is_multiboot(image) && !elf_has_pvh(image))
		return load_multiboot(memory, image, boot, entry, error);
	if (is_elf(image))
		return load_elf(memory, image, boot, entry, error);
	return refuse(image, error);
}

int image_look(const char *path, enum image_kind *kind, struct error *error)
{
	const char *dot = strrchr(path, '.');
	struct blob image;

	if (blob_open(&image, path, error))
		return -1;
	*kind = IMAGE_KERNEL;
	if (is_linux(&image) || is_elf(&image) || is_multiboot(&image) ||
	    is_efi(&image))
		;
	else if (is_cd(&image))
		*kind = IMAGE_CD;
	else if (is_boot_sector(&image))
		*kind = IMAGE_DISK;
	else if (dot && !strcasecmp(dot, ".com") && image.size <= COM_MAX)
		*kind = IMAGE_COM;
	blob_free(&image);
	return 0;
}
