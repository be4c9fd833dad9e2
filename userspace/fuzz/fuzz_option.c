// SPDX-License-Identifier: GPL-2.0
/*
 * What a user, or a program on the control socket, writes behind --device and
 * --disk. A libFuzzer target: "make fuzz".
 */
#include <stdlib.h>
#include <string.h>
#include "block/block.h"
#include "core/device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "virtio-blk", "virtio-rng",
					     "virtio-balloon",
					     "virtio-console" };
	char *text = strndup((const char *)data, size);
	struct block_config config;
	struct error error = { 0 };
	unsigned int i;

	if (!text)
		return 0;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (device_check(names[i], text, &error) && !error.text[0])
			abort();
	/* Cuts it into pieces */
	block_parse(&config, text, &error);
	free(text);
	return 0;
}
