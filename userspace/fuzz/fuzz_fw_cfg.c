// SPDX-License-Identifier: GPL-2.0
/* A firmware that asks fw_cfg for anything. A libFuzzer target: "make fuzz". */
#include <stdlib.h>
#include <string.h>
#include "devices/isa/fw_cfg.h"
#include "tests/bare.h"

#define RAM (1ull << 20)

static struct firmware told = { .files = 2, .file = {
	{ "etc/one", "one", 3 }, { "etc/two", "a longer one", 12 } } };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t ports[] = { 0x510, 0x511, 0x514, 0x518 };
	static const uint8_t sizes[] = { 1, 2, 4 };
	uint32_t value;

	bare_start();
	m.config.firmware = &told;
	if (memory_create(&m.memory, RAM, false, &error))
		abort();
	bare_device("fw_cfg");
	/* The first bytes are where an access of DMA may point to */
	memcpy(m.memory.base + 0x1000, data, size < 64 ? size : 64);
	for (; size >= 5; data += 5, size -= 5) {
		memcpy(&value, data + 1, 4);
		if (data[0] & 0x80)
			outs(ports[data[0] & 3], value, sizes[data[0] >> 2 & 3 ?
			     (data[0] >> 2 & 3) - 1 : 0]);
		else
			ins(ports[data[0] & 3], sizes[data[0] >> 2 & 1]);
		if (data[0] & 0x40)
			outs(0x518, 0x00100000, 4);
	}
	bare_stop();
	memory_destroy(&m.memory);
	return 0;
}
