// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that writes anything to its flash, and saves it. A libFuzzer target:
 * "make fuzz".
 */
#include <stdlib.h>
#include <string.h>
#include "tests/bare.h"

#define BASE	0xffc00000ull
#define SIZE	(3 * 4096u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t flash[SIZE] __attribute__((aligned(4096)));
	json_t *saved;

	bare_start();
	m.config.flash = (struct flash){ BASE, flash, SIZE, -1 };
	memset(flash, 0xff, SIZE);
	bare_device("pflash");
	for (; size >= 5; data += 5, size -= 5) {
		uint64_t value = 0, at = (data[1] | data[2] << 8) % SIZE;
		unsigned int n = 1u << (data[0] & 3);

		memcpy(&value, data + 3, 2);
		value *= 0x0001000100010001ull;
		bus_access(&m.mmio, BASE + at, &value, n, data[0] & 4);
		if (data[0] & 0x80 && data[0] & 0x40) {
			saved = devices_save(&m);
			/* It takes what it has given */
			if (devices_load(&m, saved, &error))
				abort();
			json_decref(saved);
		}
	}
	bare_stop();
	return 0;
}
