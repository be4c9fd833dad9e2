// SPDX-License-Identifier: GPL-2.0
/* A firmware's flash: commands, what the guest has as ROM, and its file. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/bare.h"

#define BASE	0xffc00000ull
#define SIZE	0x84000u

static uint8_t *data;
static int file;
static bool rom;	/* the guest reads it without an exit */

static int note_rom(unsigned long cmd, void *arg)
{
	const struct mvmm_regions *change = arg;
	const struct mvmm_region *r;

	assert_int_equal(cmd, MVMM_VM_CHANGE_REGIONS);
	assert_int_equal(change->nr_add + change->nr_remove, 1);
	rom = change->nr_add;
	r = (void *)(uintptr_t)(rom ? change->add : change->remove);
	assert_int_equal(r->gpa, BASE);
	assert_int_equal(r->len, SIZE);
	if (rom) {
		assert_int_equal(r->flags, MVMM_REGION_READONLY);
		assert_ptr_equal((void *)(uintptr_t)r->hva, data);
	}
	return 0;
}

static void start(void)
{
	unsigned int i;

	bare_start();
	data = aligned_alloc(4096, SIZE);
	for (i = 0; i < SIZE; i++)
		data[i] = i;
	file = memfd_create("variables", 0);
	assert_int_equal(write(file, data, SIZE), SIZE);
	m.config.flash = (struct flash){ BASE, data, SIZE, file };
	m.mmio.memory_vm = 5;
	memory_ioctl = note_rom;
	bare_device("pflash");
}

static void stop(void)
{
	bare_stop();
	memory_ioctl = NULL;
	free(data);
	close(file);
}

static uint64_t get(uint32_t at, unsigned int size)
{
	uint64_t value = 0;

	bus_access(&m.mmio, BASE + at, &value, size, false);
	return value;
}

static void put(uint32_t at, uint64_t value, unsigned int size)
{
	bus_access(&m.mmio, BASE + at, &value, size, true);
}

static void putb(uint32_t at, uint8_t value)
{
	put(at, value, 1);
}

static uint8_t in_file(uint32_t at)
{
	uint8_t byte;

	assert_int_equal(pread(file, &byte, 1, at), 1);
	return byte;
}

/* By which OVMF knows that it is flash, neither ROM nor RAM */
static void is_found(void **state)
{
	start();
	assert_true(rom);
	assert_int_equal(get(0x123, 4), 0x26252423);
	putb(0x123, 0x50);
	assert_int_equal(get(0x123, 1), 0x23);
	putb(0x123, 0x70);
	assert_false(rom);
	assert_int_equal(get(0x123, 1), 0);
	putb(0x123, 0xff);
	assert_true(rom);
	assert_int_equal(get(SIZE - 8, 8), 0xfffefdfcfbfaf9f8);
	stop();
}

static void programs(void **state)
{
	start();
	putb(0x10f, 0x10);
	assert_false(rom);
	putb(0x10f, 0xf2);
	assert_int_equal(get(0, 1), 0x80);
	/* At once the next; zeroes stay zeroes */
	putb(0x110, 0x40);
	putb(0x110, 0xff);
	putb(0x10f, 0xff);
	assert_true(rom);
	assert_int_equal(get(0x10e, 4), 0x1110020e);
	assert_int_equal(in_file(0x10f), 2);
	/* Wider, and over the end */
	putb(0, 0x10);
	put(SIZE - 2, 0xf0f0, 2);
	putb(0, 0x20);
	putb(0x1fff, 0xd0);
	assert_int_equal(get(0, 2), 0x8080);
	putb(0, 0xff);
	assert_int_equal(get(SIZE - 2, 2), 0xf0f0);
	assert_int_equal(get(0xfff, 2), 0xffff);
	assert_int_equal(get(0x1fff, 2), 0x00ff);
	assert_int_equal(in_file(0x1000), 0xff);
	assert_int_equal(in_file(0x2000), 0);
	/* Not confirmed */
	putb(0x3000, 0x20);
	putb(0x3000, 0x10);
	assert_int_equal(get(0, 1), 0xb0);
	putb(0, 0x50);
	assert_int_equal(get(0x3001, 1), 1);
	putb(0, 0x60);
	putb(0, 0xd0);
	assert_int_equal(get(0, 1), 0x80);
	stop();
}

static void buffers(void **state)
{
	unsigned int i;

	start();
	memset(data, 0xff, SIZE);
	putb(0x1100, 0xe8);
	assert_int_equal(get(0, 1), 0x80);
	putb(0x1100, 3);
	put(0x1104, 0x2211, 2);
	putb(0x1100, 0x33);
	putb(0x11ff, 0x44);
	assert_int_equal(data[0x1104], 0xff);
	putb(0x1100, 0xd0);
	putb(0, 0xff);
	assert_int_equal(get(0x1104, 4), 0xffff2211);
	assert_int_equal(get(0x1100, 2), 0xff33);
	assert_int_equal(in_file(0x11ff), 0x44);
	/* A whole one */
	putb(0x1200, 0xe8);
	putb(0x1200, 0xff);
	for (i = 0; i < 256; i++)
		putb(0x1200 + i, i);
	putb(0x1200, 0xd0);
	putb(0, 0xff);
	assert_int_equal(get(0x12fc, 4), 0xfffefdfc);
	/* Another block; more than was said; something else than a confirmation */
	for (i = 0; i < 3; i++) {
		putb(0, 0x50);
		putb(0x2000, 0xe8);
		putb(0x2000, 1);
		if (i == 0)
			putb(0x2100, 0);
		else if (i == 1)
			put(0x2000, 0, 4);
		else
			put(0x2000, 0, 2), putb(0x2000, 0);
		assert_int_equal(get(0, 1), 0xb0);
		assert_int_equal(data[0x2000], 0xff);
	}
	stop();
}

static void says_what_it_is(void **state)
{
	start();
	putb(0, 0x90);
	assert_int_equal(get(0, 2), 0x1889);
	putb(0, 0x98);
	assert_int_equal(get(0x10, 4), 'Q' | 'R' << 8 | 'Y' << 16 | 1 << 24);
	assert_int_equal(get(0x27, 1), 20);
	assert_int_equal(get(0x2d, 4), 0x00100083);
	assert_int_equal(get(0x1000, 1), 0);
	putb(0, 0xff);
	stop();
}

static void is_saved(void **state)
{
	json_t *saved, *odd;

	start();
	putb(0x1100, 0xe8);
	putb(0x1100, 1);
	put(0x1100, 0, 1);
	saved = devices_save(&m);
	devices_reset(&m);
	assert_true(rom);
	assert_int_equal(get(0x1101, 1), 1);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	assert_false(rom);
	put(0x1101, 0, 1);
	putb(0, 0xd0);
	putb(0, 0xff);
	assert_int_equal(get(0x1100, 4), 0x03020000);
	/* Hostile */
	odd = json_object_get(saved, "pflash.0");
	json_object_set_new(odd, "first", json_integer(SIZE));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_object_set_new(odd, "first", json_integer(1));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_object_set_new(odd, "first", json_integer(0));
	json_object_set_new(odd, "left", json_integer(257));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_object_set_new(odd, "left", json_integer(0));
	json_object_set_new(odd, "mode", json_integer(0));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_decref(saved);
	stop();
}

static void only_with_firmware(void **state)
{
	bare_start();
	assert_null(device_create(&m, "pflash", NULL, &error));
	assert_non_null(strstr(error.text, "--firmware uefi"));
}

/* Where OVMF looks for ACPI's ports; in slot 31, and of no other's concern */
static void lpc(void **state)
{
	bare_start();
	pthread_mutex_init(&m.pci_lock, NULL);
	bare_device("pci-host");
	bare_device("lpc");
	assert_null(device_create(&m, "lpc", NULL, &error));
	outs(0xcf8, 0x8000f800, 4);
	assert_int_equal(ins(0xcfc, 4), 0x29188086);
	outs(0xcf8, 0x8000f840, 4);
	outs(0xcfc, 0xb001, 4);
	assert_int_equal(ins(0xcfc, 4), 0x601);
	outs(0xcf8, 0x8000f844, 4);
	assert_int_equal(inb(0xcfc), 0x80);
	/* SMM is set up already */
	outs(0x630, 0, 4);
	assert_int_equal(ins(0x630, 4) & 0x20, 0x20);
	bare_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_found), cmocka_unit_test(programs),
		cmocka_unit_test(buffers), cmocka_unit_test(says_what_it_is),
		cmocka_unit_test(is_saved), cmocka_unit_test(only_with_firmware),
		cmocka_unit_test(lpc),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	bare_stop();
	return failed;
}
