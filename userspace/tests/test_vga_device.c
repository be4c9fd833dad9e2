// SPDX-License-Identifier: GPL-2.0
/*
 * VGA: the device that a guest finds. What of it is RAM, and when; what is drawn
 * after which writes; its ROM; its state. The module is played.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/pci/pci.h"
#include "tests/bare.h"
#include "tests/vga_modes.h"

#define ROM	"build/test-vga-rom"
#define BAR	0xc0000000u
#define REGISTERS 0xd0000000u

/* ---- the module's map of memory ------------------------------------------------- */

#define REGIONS 8

static struct {
	struct mvmm_region region[REGIONS];
	uint64_t dirty[64];		/* of the region that was asked for last */
	uint64_t asked, asked_len;
	unsigned int changes;		/* how many calls */
	bool no_log, full, window_dirty;
} played;

static int play_region(bool add, const struct mvmm_region *r)
{
	unsigned int i;

	for (i = 0; i < REGIONS; i++) {
		struct mvmm_region *p = &played.region[i];

		if (!add && p->len == r->len && p->gpa == r->gpa) {
			memset(p, 0, sizeof(*p));
			return 0;
		}
		if (add && !p->len && !played.full &&
		    !(played.no_log && r->flags & MVMM_REGION_LOG_DIRTY)) {
			*p = *r;
			return 0;
		}
	}
	errno = ENOENT;
	return -1;
}

/* All of it, or nothing */
static int play_change(const struct mvmm_regions *c)
{
	struct mvmm_region before[REGIONS];
	const struct mvmm_region *remove = (void *)(uintptr_t)c->remove;
	const struct mvmm_region *add = (void *)(uintptr_t)c->add;
	unsigned int i;
	int ret = 0;

	memcpy(before, played.region, sizeof(before));
	for (i = 0; i < c->nr_remove && !ret; i++)
		ret = play_region(false, &remove[i]);
	for (i = 0; i < c->nr_add && !ret; i++)
		ret = play_region(true, &add[i]);
	if (ret)
		memcpy(played.region, before, sizeof(before));
	return ret;
}

static int play_memory(unsigned long cmd, void *arg)
{
	struct mvmm_dirty_log *log = arg;

	if (cmd == MVMM_VM_GET_DIRTY_LOG) {
		if (log->gpa < BAR) {
			*(uint64_t *)(uintptr_t)log->bitmap =
				played.window_dirty;
			played.window_dirty = false;
			return 0;
		}
		played.asked = log->gpa;
		played.asked_len = log->len;
		memcpy((void *)(uintptr_t)log->bitmap, played.dirty,
		       (log->len / 4096 + 63) / 64 * 8);
		memset(played.dirty, 0, sizeof(played.dirty));
		return 0;
	}
	played.changes++;
	if (cmd == MVMM_VM_CHANGE_REGIONS)
		return play_change(arg);
	return play_region(cmd == MVMM_VM_ADD_REGION, arg);
}

static const struct mvmm_region *region_at(uint64_t gpa)
{
	unsigned int i;

	for (i = 0; i < REGIONS; i++)
		if (gpa - played.region[i].gpa < played.region[i].len)
			return &played.region[i];
	return NULL;
}

/* As the guest does it: RAM, or an exit */
static void guest_access(uint64_t gpa, void *data, unsigned int size,
			 bool write)
{
	const struct mvmm_region *r = region_at(gpa);
	uint8_t *at;

	if (!r) {
		bus_access(&m.mmio, gpa, data, size, write);
		return;
	}
	at = (uint8_t *)(uintptr_t)r->hva + (gpa - r->gpa);
	memcpy(write ? at : data, write ? data : at, size);
}

static void poke(uint64_t gpa, uint64_t value, unsigned int size)
{
	guest_access(gpa, &value, size, true);
}

static uint64_t peek(uint64_t gpa, unsigned int size)
{
	uint64_t value = 0;

	guest_access(gpa, &value, size, false);
	return value;
}

/* ---- the device --------------------------------------------------------------------- */

static struct surface shown;

static void stop(void)
{
	if (m.loop.clock)
		devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
}

static void make_with(const char *options)
{
	stop();
	memset(&played, 0, sizeof(played));
	bare_start();
	memory_ioctl = play_memory;
	m.mmio.memory_vm = 3;
	assert_int_equal(memory_create(&m.memory, RAM_MIN, false, &error), 0);
	bare_device("i8259");
	bare_device("pci-host");
	bare_device_with("vga", options);
}

static uint32_t config(unsigned int at, unsigned int size)
{
	outs(0xcf8, 1u << 31 | 1u << 11 | (at & 0xfc), 4);
	return ins(0xcfc + (at & 3), size);
}

static void set_config(unsigned int at, uint32_t value, unsigned int size)
{
	outs(0xcf8, 1u << 31 | 1u << 11 | (at & 0xfc), 4);
	outs(0xcfc + (at & 3), value, size);
}

static void make(void)
{
	make_with("romfile=none");
	set_config(PCI_BASE_ADDRESS_0, BAR, 4);
	set_config(PCI_BASE_ADDRESS_2, REGISTERS, 4);
	set_config(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
}

static void put(unsigned int port, uint8_t value)
{
	outb(port, value);
}

static uint8_t get(unsigned int port)
{
	return inb(port);
}

static void vbe(unsigned int index, uint16_t value)
{
	outs(0x1ce, index, 2);
	outs(0x1cf, value, 2);
}

static void vbe_set(unsigned int x, unsigned int y, unsigned int bits)
{
	vbe(VBE_ENABLE, 0);
	vbe(VBE_X, x);
	vbe(VBE_Y, y);
	vbe(VBE_BPP, bits);
	vbe(VBE_ENABLE, VBE_ENABLED | 0x40);
}

/* What is drawn now: rows, or none */
static unsigned int draw(void)
{
	assert_int_equal(screen_draw(&m, &shown, false), 0);
	return shown.end - shown.first;
}

static void found(void **state)
{
	unsigned int i;

	make();
	assert_int_equal(config(PCI_VENDOR_ID, 4), 0x11111234);
	assert_int_equal(config(PCI_CLASS_REVISION, 4) >> 8, 0x030000);
	/* Memory, which is RAM where the BAR is */
	assert_int_equal(region_at(BAR)->len, VGA_VRAM);
	assert_int_equal(region_at(BAR)->flags, MVMM_REGION_LOG_DIRTY);
	set_config(PCI_COMMAND, 0, 2);
	assert_null(region_at(BAR));
	set_config(PCI_BASE_ADDRESS_0, BAR + VGA_VRAM, 4);
	set_config(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_null(region_at(BAR));
	assert_non_null(region_at(BAR + VGA_VRAM));
	/* The registers in BAR 2: EDID, ports, VBE */
	assert_int_equal(peek(REGISTERS, 8), 0x00ffffffffffff00);
	assert_int_equal(peek(REGISTERS + 0x500, 2), 0xb0c5);
	assert_int_equal(peek(REGISTERS + 0x600, 4), 8);
	poke(REGISTERS + 0x502, 1280, 2);
	assert_int_equal(peek(REGISTERS + 0x502, 2), 1280);
	outs(0x1ce, VBE_X, 2);
	assert_int_equal(ins(0x1ce, 2), VBE_X);
	assert_int_equal(ins(0x1cf, 2), 1280);
	poke(REGISTERS + 0x404, 2, 1);
	poke(REGISTERS + 0x405, 0xff, 1);
	assert_int_equal(inb(0x3c5), 0xf);
	for (i = 0; i < 0x1000; i += 4)
		poke(REGISTERS + i, peek(REGISTERS + i, 4), 4);
	assert_int_equal(inb(0x3ff), 0xff);
	/* There can be no second one */
	assert_null(device_create(&m, "vga", NULL, &error));
}

static void rom(void **state)
{
	int fd = open(ROM, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, "\x55\xaa\x09", 3), 3);
	assert_int_equal(pwrite(fd, "end", 3, 4500), 3);
	make_with("romfile=" ROM);
	set_config(PCI_ROM_ADDRESS, ~0u, 4);
	assert_int_equal(config(PCI_ROM_ADDRESS, 4), 0xffffe001);
	set_config(PCI_ROM_ADDRESS, 0xc8000000, 4);
	set_config(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_null(region_at(0xc8000000));
	set_config(PCI_ROM_ADDRESS, 0xc8000001, 4);
	assert_int_equal(region_at(0xc8000000)->flags, MVMM_REGION_READONLY);
	assert_int_equal(peek(0xc8000000, 2), 0xaa55);
	assert_int_equal(peek(0xc8000000 + 4500, 2), 'e' | 'n' << 8);
	/* By an exit the same, and a write does nothing */
	played.region[0].len = played.region[1].len = 0;
	poke(0xc8000000, 0, 2);
	assert_int_equal(peek(0xc8000000, 2), 0xaa55);
	assert_int_equal(ftruncate(fd, (256 << 10) + 1), 0);
	assert_null(device_create(&m, "vga", "romfile=" ROM, &error));
	stop();
	bare_start();
	assert_int_equal(memory_create(&m.memory, RAM_MIN, false, &error), 0);
	assert_null(device_create(&m, "vga", "romfile=" ROM, &error));
	assert_non_null(strstr(error.text, "more than"));
	unlink(ROM);
	m.memory.taken = m.memory.all - DEVICE_MEMORY;
	assert_null(device_create(&m, "vga", "romfile=" ROM, &error));
	assert_non_null(strstr(error.text, ROM));
	assert_null(m.screen);
	close(fd);
}

/* Where no byte is changed on its way the window is RAM */
static void window(void **state)
{
	make();
	assert_null(region_at(0xa0000));
	mode_set(&mode_03, put, get);
	assert_int_equal(region_at(0xb8000)->gpa, 0xb8000);
	assert_int_equal(region_at(0xb8000)->len, 0x8000);
	assert_null(region_at(0xa0000));
	poke(0xb8000, 0x1e41, 2);
	/* A font, for which the mode is left: what was written stays */
	put(0x3c4, SEQ_MAP_MASK);
	put(0x3c5, 4);
	put(0x3c4, SEQ_MEMORY);
	put(0x3c5, 6);
	put(0x3ce, GFX_MISC);
	put(0x3cf, 4);
	put(0x3ce, GFX_MODE);
	put(0x3cf, 0);
	assert_null(region_at(0xb8000));
	poke(0xa0000 + 32 * 'A', 0x80, 1);
	assert_int_equal(peek(0xa0000, 1), 'A');
	mode_set(&mode_03, put, get);
	assert_int_equal(peek(0xb8000, 2), 0x1e41);
	mode_colours(put);
	assert_int_equal(draw(), 400);
	assert_int_equal(shown.pixels[0], mode_colour(62));
	assert_int_equal(shown.pixels[1], mode_colour(1));
	/* 256 colours are RAM, 16 are exits */
	mode_set(&mode_13, put, get);
	assert_int_equal(region_at(0xa0000)->len, 0x10000);
	mode_set(&mode_12, put, get);
	assert_null(region_at(0xa0000));
	assert_int_equal(peek(0xb8000, 1), 0xff);
	/* VBE's banks */
	vbe_set(640, 480, 8);
	assert_int_equal(region_at(0xa0000)->hva, region_at(BAR)->hva);
	vbe(VBE_BANK, 3);
	poke(0xa0001, 0x55, 1);
	assert_int_equal(peek(BAR + 0x30001, 1), 0x55);
	/* Without the module's help: the same by exits */
	played.full = true;
	vbe(VBE_BANK, 4);
	assert_null(region_at(0xa0000));
	poke(0xa0002, 0x66, 1);
	assert_int_equal(peek(BAR + 0x40002, 1), 0x66);
	assert_int_equal(peek(0xa0002, 1), 0x66);
}

/* Another place, another bank: a guest that looks has memory all the time */
static void one_step(void **state)
{
	make();
	vbe_set(640, 480, 8);
	played.changes = 0;
	set_config(PCI_BASE_ADDRESS_0, BAR + VGA_VRAM, 4);
	assert_int_equal(played.changes, 1);
	assert_null(region_at(BAR));
	assert_int_equal(region_at(BAR + VGA_VRAM)->len, VGA_VRAM);
	vbe(VBE_BANK, 1);
	assert_int_equal(played.changes, 2);
	assert_int_equal(region_at(0xa0000)->hva,
			 region_at(BAR + VGA_VRAM)->hva + 0x10000);
	/* Over the window, and the module refuses it: what goes has gone */
	played.full = true;
	set_config(PCI_BASE_ADDRESS_0, BAR, 4);
	assert_null(region_at(BAR));
	assert_null(region_at(BAR + VGA_VRAM));
	assert_non_null(region_at(0xa0000));
	played.full = false;
	played.changes = 0;
	set_config(PCI_COMMAND, 0, 2);
	set_config(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	assert_int_equal(played.changes, 1);
	assert_non_null(region_at(BAR));
}

/* BAR 2 has the ports, an index with its data in one write, too */
static void wide_ports(void **state)
{
	make();
	poke(REGISTERS + 0x404, 0x0f02, 2);
	assert_int_equal(peek(REGISTERS + 0x404, 2), 0x0f02);
	assert_int_equal(inb(0x3c5), 0xf);
	poke(REGISTERS + 0x404, 0x0302, 2);
	assert_int_equal(inb(0x3c5), 3);
}

/* A bus without room for the window: the planes are what there is */
static void no_room(void **state)
{
	static const struct region_ops ops = { 0 };
	static struct region more[BUS_REGIONS];
	unsigned int i;

	make();
	for (i = 0; i < BUS_REGIONS; i++) {
		more[i] = (struct region){ &ops, .len = 1 };
		if (region_map(&m.mmio, &more[i], 0x100000000 + i, &error))
			break;
	}
	mode_set(&mode_13, put, get);
	assert_null(region_at(0xa0000));
	poke(0xa0001, 0x77, 1);
	assert_int_equal(peek(0xa0001, 1), 0x77);
	/* And what was written is there when it is RAM again */
	region_unmap(&more[0]);
	put(0x3ce, GFX_MISC);
	put(0x3cf, 1);
	put(0x3cf, 5);
	assert_non_null(region_at(0xa0000));
	assert_int_equal(peek(0xa0001, 1), 0x77);
}

/* Only what was written to is drawn */
static void changes(void **state)
{
	make();
	vbe_set(1024, 768, 32);
	put(0x3c0, ATTR_ON);
	assert_int_equal(draw(), 768);
	assert_int_equal(draw(), 0);
	/* A page is a row here */
	played.dirty[1] = 1;
	assert_int_equal(draw(), 1);
	assert_int_equal(shown.first, 64);
	assert_int_equal(played.asked, BAR);
	assert_int_equal(draw(), 0);
	played.dirty[0] = 1 << 5;
	played.dirty[2] = 1;
	assert_int_equal(draw(), 128 - 5 + 1);
	/* From elsewhere on: the log is asked for in whole words */
	vbe(VBE_Y_OFFSET, 70);
	assert_int_equal(draw(), 768);
	assert_int_equal(played.asked, BAR + (64 << 12));
	played.dirty[0] = 1 << 6;
	assert_int_equal(draw(), 1);
	assert_int_equal(shown.first, 0);
	/* One who wants all takes nothing from the other */
	played.dirty[0] = 1 << 7;
	assert_int_equal(screen_draw(&m, &shown, true), 0);
	assert_int_equal(shown.end, 768);
	assert_int_equal(draw(), 1);
	/* A colour, or a byte by an exit */
	put(0x3c8, 0);
	assert_int_equal(draw(), 768);
	mode_set(&mode_12, put, get);
	vbe(VBE_ENABLE, 0);
	assert_int_equal(draw(), 480);
	assert_int_equal(draw(), 0);
	poke(0xa0000, 1, 1);
	assert_int_equal(draw(), 480);
	/* Text, and its cursor eight frames later */
	mode_set(&mode_03, put, get);
	draw();
	assert_int_equal(draw(), 0);
	played.window_dirty = true;
	assert_int_equal(draw(), 400);
	put(0x3d4, CRTC_CURSOR_START);
	put(0x3d5, 14);
	draw();
	m.clock.stopped_at += 8 * 14300000;
	assert_int_equal(draw(), 400);
	put(0x3d4, CRTC_CURSOR_START);
	put(0x3d5, 0x20);
	draw();
	m.clock.stopped_at += 8 * 14300000;
	assert_int_equal(draw(), 0);
}

/* A module without the log: all of it is drawn, each time */
static void no_log(void **state)
{
	stop();
	make_with("romfile=none");
	played.no_log = true;
	set_config(PCI_BASE_ADDRESS_0, BAR, 4);
	set_config(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_int_equal(region_at(BAR)->flags, 0);
}

/* Saved, destroyed, made anew and loaded: it shows the same */
static void moved(void **state)
{
	static const struct test_mode *const mode[] = { &mode_03, &mode_12,
							&mode_13, NULL };
	struct surface before = { 0 };
	json_t *saved, *again;
	unsigned int i, at;

	for (i = 0; i < sizeof(mode) / sizeof(mode[0]); i++) {
		make();
		mode_colours(put);
		if (mode[i])
			mode_set(mode[i], put, get);
		else
			vbe_set(640, 480, 16);
		for (at = 0; at < 0x20000; at += 2)
			poke(0xa0000 + at, at * 7 + i, 2);
		assert_int_equal(screen_draw(&m, &before, true), 0);
		saved = devices_save(&m);
		/* The machine's memory stays, as machine_rebuild() has it */
		devices_destroy(&m);
		bus_destroy(&m.ports);
		bus_destroy(&m.mmio);
		bus_init(&m.ports, "port", 0xffff);
		bus_init(&m.mmio, "address", ~0ull);
		m.mmio.memory_vm = 3;
		m.memory.taken = m.memory.all - DEVICE_MEMORY;
		memset(m.pci, 0, sizeof(m.pci));
		bare_device("i8259");
		bare_device("pci-host");
		bare_device_with("vga", "romfile=none");
		/* What a window showed is not what there is now */
		memset(m.memory.base + m.memory.all - DEVICE_MEMORY + VGA_VRAM,
		       0x11, VGA_CHAINED_MAX);
		assert_int_equal(devices_load(&m, saved, &error), 0);
		again = devices_save(&m);
		assert_true(json_equal(saved, again));
		assert_int_equal(screen_draw(&m, &shown, true), 0);
		assert_int_equal(shown.width, before.width);
		assert_memory_equal(shown.pixels, before.pixels,
				    (size_t)shown.width * shown.height * 4);
		assert_int_equal(region_at(BAR)->len, VGA_VRAM);
		assert_int_equal(!region_at(0xa0000) && !region_at(0xb8000),
				 mode[i] == &mode_12);
		json_decref(saved);
		json_decref(again);
	}
	surface_free(&before);
}

static json_t *part_of(json_t *saved)
{
	json_t *vga = json_object_get(saved, "vga.0");

	return json_array_get(json_object_get(vga, "state"), 0);
}

static void hostile_state(void **state)
{
	static const struct {
		const char *name;
		unsigned int at, value;
	} list[] = { { "gfx", 4, 0xff }, { "seq", 4, 0xff },
		     { "vbe", VBE_X, 3 }, { "vbe", VBE_Y, VBE_Y_MAX + 1 } };
	json_t *good, *bad;
	unsigned int i;

	make();
	mode_set(&mode_12, put, get);
	good = devices_save(&m);
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		bad = json_deep_copy(good);
		json_array_set_new(json_object_get(part_of(bad), list[i].name),
				   list[i].at, json_integer(list[i].value));
		assert_int_equal(devices_load(&m, bad, &error), -1);
		json_decref(bad);
	}
	bad = json_deep_copy(good);
	json_object_set_new(part_of(bad), "dac_part", json_integer(3));
	assert_int_equal(devices_load(&m, bad, &error), -1);
	assert_non_null(strstr(error.text, "vga.0"));
	json_decref(bad);
	json_decref(good);
}

/* Without a screen, or paused for good */
static void nothing_to_see(void **state)
{
	static struct screen_text text;

	stop();
	bare_start();
	assert_int_equal(screen_draw(&m, &shown, true), -1);
	make();
	vbe_set(640, 480, 8);
	assert_int_equal(screen_text(&m, &text), 1);
	m.pausing = m.ended = true;
	assert_int_equal(screen_draw(&m, &shown, true), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found),
		cmocka_unit_test(rom),
		cmocka_unit_test(window),
		cmocka_unit_test(one_step),
		cmocka_unit_test(wide_ports),
		cmocka_unit_test(no_room),
		cmocka_unit_test(changes),
		cmocka_unit_test(no_log),
		cmocka_unit_test(moved),
		cmocka_unit_test(hostile_state),
		cmocka_unit_test(nothing_to_see),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	surface_free(&shown);
	stop();
	return failed;
}
