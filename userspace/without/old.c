// SPDX-License-Identifier: GPL-2.0
/* No loaders but those of Linux, PVH and bare images. */
#include "boot/boot.h"
#include "without/without.h"

/* Without its checksum: it is only refused */
bool is_multiboot(const struct blob *image)
{
	uint32_t word, at;

	for (at = 0; at < 8192 && blob_copy(image, at, &word, 4); at += 4)
		if (word == 0x1badb002 || word == 0xe85250d6)
			return true;
	return false;
}

int load_multiboot(const struct memory *memory, const struct blob *image,
		   struct boot *boot, struct entry *entry, struct error *error)
{
	return left_out(error, "a kernel by Multiboot", "old");
}

int load_com(const struct memory *memory, const struct blob *image,
	     const char *append, struct entry *entry, struct error *error)
{
	return left_out(error, "a .COM program", "old");
}
