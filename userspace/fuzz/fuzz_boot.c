// SPDX-License-Identifier: GPL-2.0
/*
 * Kernels and flat images that somebody has made: they are refused, or they are
 * in memory. A libFuzzer target: "make fuzz".
 */
#include <stdlib.h>
#include <string.h>
#include "boot/boot.h"
#include "tests/hole.h"

#define RAM (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory memory;
	uint8_t *copy = malloc(size ? size : 1);
	struct blob image = { .data = copy, .size = size };
	uint8_t module[5] = "1234";
	struct boot boot = { .append = "console=ttyS0", .given = "",
			     .nr = 1, .name[0] = "m",
			     .initrd[0] = { .data = module, .size = 5 } };
	struct entry entry = { 0 };
	struct error error = { 0 };
	int ret;

	if (!memory.base)
		memory = ram_with_hole(RAM);
	if (size)
		memcpy(copy, data, size);
	if (blob_unpack(&image, &error))
		goto out;
	boot.framebuffer = 0xc0000000;
	ret = load_kernel(&memory, &image, &boot, &entry, &error);
	if (ret && !error.text[0])
		abort();
	load_flat(&memory, &image, size * 16, &entry, &error);
	load_com(&memory, &image, "a", &entry, &error);
	/* What begins otherwise is not found by chance */
	load_multiboot(&memory, &image, &boot, &entry, &error);
	load_elf(&memory, &image, &boot, &entry, &error);
	load_bzimage(&memory, &image, &boot, &entry, &error);
out:
	blob_free(&image);
	return 0;
}
