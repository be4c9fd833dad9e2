// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that writes anything to the i8042, while somebody types and moves the
 * mouse, and the machine is saved and loaded. A libFuzzer target: "make fuzz".
 */
#include <stdlib.h>
#include <string.h>
#include "devices/input.h"
#include "tests/bare.h"

static void save_and_load(void)
{
	json_t *saved = devices_save(&m);

	if (!saved || devices_load(&m, saved, &error))
		abort();
	json_decref(saved);
}

/* Four bytes each: what, and two or three values */
static void step(const uint8_t *in)
{
	static const uint16_t ports[] = { 0x60, 0x64, 0x92 };
	static const uint16_t types[] = { EV_KEY, EV_REL, EV_ABS, EV_SW };
	struct input_report event = {
		types[in[0] >> 4 & 3], in[1] | (in[0] >> 6) << 8, in[2] };

	switch (in[0] & 7) {
	case 0:
	case 1:
		outb(ports[in[1] % 3], in[2]);
		break;
	case 2:
		inb(0x60);
		break;
	case 3:
		inb(0x64);
		break;
	case 4:
	case 5:
		/* Far, and back */
		event.value = in[2] & 0x80 ? -(in[2] << in[3] % 24) :
					     in[2] << in[3] % 24;
		input_emit(&m, &event, 1);
		break;
	case 6:
		m.clock.stopped_at += (uint64_t)in[1] << in[2] % 32;
		run_timers();
		break;
	case 7:
		save_and_load();
		break;
	}
	m.ended = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bare_start();
	bare_device("i8042");
	for (; size >= 4; data += 4, size -= 4)
		step(data);
	bare_stop();
	return 0;
}
