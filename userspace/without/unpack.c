// SPDX-License-Identifier: GPL-2.0
/* A kernel is a bzImage, which unpacks itself, or not compressed. */
#include <string.h>
#include "boot/boot.h"
#include "without/without.h"

int blob_unpack(struct blob *blob, struct error *error)
{
	/* gzip, xz, zstd */
	static const char *const magic[] = { "\x1f\x8b", "\xfd" "7zXZ",
					     "\x28\xb5\x2f\xfd" };
	char bytes[5];
	unsigned int i;

	for (i = 0; i < sizeof(magic) / sizeof(magic[0]); i++)
		if (blob_copy(blob, 0, bytes, strlen(magic[i])) &&
		    !memcmp(bytes, magic[i], strlen(magic[i])))
			return left_out(error, "a compressed kernel", "unpack");
	return 0;
}
