// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a Linux bzImage by the 64-bit boot protocol, or, if it has none, by that of
 * 32 bits: what these want is made by linux.c, and execution begins in the
 * protected-mode code, 0x200 bytes from its beginning or there. What comes before
 * it, in real mode, would ask a BIOS, and is not run.
 */
#include <asm/bootparam.h>
#include <string.h>
#include "boot/boot.h"

#define HIGH		0x100000ull
#define HEADER		0x1f1		/* of struct setup_header */
#define MAGIC		0x53726448	/* "HdrS" */
#define MIN_VERSION	0x0202		/* has cmd_line_ptr */

/* What older protocols do not say, and their kernels expect */
static void fill_in(struct setup_header *h)
{
	if (h->version < 0x0203)
		h->initrd_addr_max = 0x37ffffff;
	if (h->version < 0x0206)
		h->cmdline_size = 255;
	if (h->version < 0x020a) {
		h->pref_address = HIGH;
		h->init_size = 0;
	}
	if (h->version < 0x020c)
		h->xloadflags = 0;
}

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
			    "the kernel speaks boot protocol %u.%u (at offset 0x206), mvmm needs 2.2: use Linux 2.4 or later",
			    h->version >> 8, h->version & 0xff);
	if (!(h->loadflags & LOADED_HIGH))
		return fail(error, STATUS_DATA,
			    "the kernel is a zImage (loadflags 0x%x at offset 0x211), which only a BIOS starts: make a bzImage of it, or boot a disk that has it by --firmware bios",
			    h->loadflags);
	fill_in(h);
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
		return no_room(memory, "the kernel", HIGH, *at, need, error);
	if (!blob_copy(image, code, memory->base + *at, size))
		return fail(error, STATUS_NO_INPUT, "the kernel cannot be read");
	*end = *at + need;
	return 0;
}

int load_bzimage(const struct memory *memory, const struct blob *image,
		 const struct boot *boot, struct entry *entry,
		 struct error *error)
{
	size_t code = 0, append = strlen(boot->append);
	uint64_t at = 0, end = 0, initrd[BOOT_MODULES];
	struct setup_header h;
	uint32_t max_append;
	bool long_mode;

	if (check_header(image, &h, &code, error) ||
	    place_kernel(memory, image, &h, code, &at, &end, error) ||
	    place_initrds(memory, boot, end, h.initrd_addr_max, initrd, error))
		return -1;
	max_append = h.cmdline_size < LINUX_APPEND_MAX ?
		     h.cmdline_size : LINUX_APPEND_MAX;
	if (append > max_append)
		return fail(error, STATUS_USAGE,
			    "the command line has %zu bytes, this kernel takes %u: shorten --append",
			    append, max_append);
	long_mode = h.xloadflags & XLF_KERNEL_64;
	h.code32_start = at;
	enter_linux(memory, &h, boot, initrd, long_mode ? at + 0x200 : at,
		    long_mode, entry);
	return 0;
}
