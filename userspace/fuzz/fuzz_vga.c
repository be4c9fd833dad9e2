// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that writes at will to a VGA: registers, the window, PCI configuration
 * space; and somebody looks. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "tests/bare.h"
#include "tests/vga_modes.h"

#define STEPS	64
#define CLEARS	2	/* of up to 16 MiB: enough to be seen, and not slow */

/* What is done, one after another; modes, so that not all have to be found */
struct step {
	uint8_t what, size;
	uint16_t at;
	uint32_t value;
};

static void put(unsigned int port, uint8_t value)
{
	outb(port, value);
}

static uint8_t get(unsigned int port)
{
	return inb(port);
}

static void set_mode(unsigned int n)
{
	static const struct test_mode *const mode[] = { &mode_03, &mode_04,
							&mode_12, &mode_13 };

	mode_set(mode[n % 4], put, get);
}

static void do_step(const struct step *s, unsigned int *clears)
{
	unsigned int size = 1u << s->size % 4;
	uint64_t value = s->value, at = 0xa0000 + (s->at << 1 | s->size >> 7);

	switch (s->what % 7) {
	case 0:
		outs(0x3b0 + s->at % 0x30, value, size);
		break;
	case 1:
		ins(0x3b0 + s->at % 0x30, size);
		break;
	case 2:
		if (s->at % VBE_NR == VBE_ENABLE && ++*clears > CLEARS)
			break;
		outs(0x1ce, s->at % VBE_NR, 2);
		outs(0x1cf, value, 2);
		ins(0x1cf, 2);
		break;
	case 3:
		bus_access(&m.mmio, at, &value, size, true);
		break;
	case 4:
		bus_access(&m.mmio, at, &value, size, false);
		break;
	case 5:
		set_mode(s->value);
		break;
	case 6:
		outs(0xcf8, 1u << 31 | 1u << 11 | (s->at & 0xfc), 4);
		outs(0xcfc, value, 4);
		break;
	}
	m.clock.stopped_at += s->value;
}

/* A small picture is worth as much as a large one, and is drawn sooner */
static void make_small(void)
{
	put(0x3d4, CRTC_V_SYNC_END);
	put(0x3d5, 0);
	put(0x3d4, CRTC_H_END);
	put(0x3d5, get(0x3d5) & 0x1f);
	put(0x3d4, CRTC_OVERFLOW);
	put(0x3d5, get(0x3d5) & ~0x42);
	put(0x3d4, CRTC_V_END);
	put(0x3d5, get(0x3d5) & 0x1f);
	outs(0x1ce, VBE_X, 2);
	outs(0x1cf, ins(0x1cf, 2) & 0xff, 2);
	outs(0x1ce, VBE_Y, 2);
	outs(0x1cf, ins(0x1cf, 2) & 0x1f, 2);
}

static void look(struct surface *shown, bool all)
{
	static struct screen_text text;

	screen_draw(&m, shown, all);
	if (shown->end > shown->height || shown->first > shown->end)
		abort();
	screen_text(&m, &text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct surface shown = { 0 };
	unsigned int i, clears = 0;
	struct step step;

	bare_start();
	m.warnings = MACHINE_WARNINGS;
	if (memory_create(&m.memory, RAM_MIN, false, &error))
		abort();
	bare_device("i8259");
	bare_device("pci-host");
	bare_device_with("vga", "romfile=none");
	for (i = 0; i < STEPS && size >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		do_step(&step, &clears);
	}
	make_small();
	look(&shown, true);
	look(&shown, false);
	surface_free(&shown);
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}
