// SPDX-License-Identifier: GPL-2.0
/* Formats of disks that mvmm does not read by itself, by their first bytes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "block/block.h"

static const struct {
	const char *name;
	unsigned int at;
	const char *magic;
	unsigned int len;
} formats[] = {
	{ "qcow2", 0, "QFI\xfb", 4 }, { "vmdk", 0, "KDMV", 4 },
	{ "vmdk", 0, "# Disk DescriptorFile", 21 },
	{ "vhdx", 0, "vhdxfile", 8 }, { "vpc", 0, "conectix", 8 },
	{ "vdi", 64, "\x7f\x10\xda\xbe", 4 }, { "qed", 0, "QED", 4 },
	{ "parallels", 0, "WithoutFreeSpace", 16 },
	{ "parallels", 0, "WithouFreSpacExt", 16 },
};

const char *block_seems(const char *path)
{
	char bytes[128] = "";
	unsigned int i;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (pread(fd, bytes, sizeof(bytes), 0) < 0)
		bytes[0] = 0;
	close(fd);
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!memcmp(bytes + formats[i].at, formats[i].magic,
			    formats[i].len))
			return formats[i].name;
	return NULL;
}
