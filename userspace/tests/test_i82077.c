// SPDX-License-Identifier: GPL-2.0
/*
 * Floppy disks: commands of the controller, its DMA, sizes of images, and what is in
 * flight when the machine is reset or saved.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail
#include "tests/ide_driver.h"

#define BUFFER	0x21000u
#define TRACK	(18 * 512)

static uint8_t results[16];

/* A machine with a floppy of so many sectors */
static void insert(uint64_t sectors)
{
	memory_init(&disk, sectors);
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	m.config.disk[0] = &disk.block;
	m.config.disks = 1;
	m.config.disk_bus[0] = DISK_FLOPPY;
	bare_device("mc146818");
}

static void power_on(uint64_t sectors)
{
	unsigned int i;

	insert(sectors);
	bare_device("i82077");
	outb(0x3f2, 0x1c);
	assert_true(noted.up[6]);
	for (i = 0; i < 4; i++) {
		outb(0x3f5, 0x08);
		assert_int_equal(inb(0x3f5), 0xc0 | i);
		assert_int_equal(inb(0x3f5), 0);
	}
	assert_false(noted.up[6]);
	outb(0x3f7, 0);
}

static int setup(void **state)
{
	power_on(2880);
	return 0;
}

static int teardown(void **state)
{
	drop_machine();
	free(disk.data);
	disk.data = NULL;
	return 0;
}

static void begin(const uint8_t *bytes, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++) {
		assert_int_equal(inb(0x3f4), i ? 0x90 : 0x80);
		outb(0x3f5, bytes[i]);
	}
}

/* How many results there are */
static unsigned int finish(void)
{
	unsigned int n = 0;

	while (inb(0x3f4) == 0xd0)
		results[n++] = inb(0x3f5);
	assert_int_equal(inb(0x3f4), 0x80);
	assert_false(noted.up[6]);
	return n;
}

#define COMMAND(...) (begin((const uint8_t[]){ __VA_ARGS__ },		\
			    sizeof((const uint8_t[]){ __VA_ARGS__ })), finish())

static void dma(uint8_t mode, uint32_t at, uint32_t len)
{
	outb(0x0a, 6);
	outb(0x0c, 0);
	outb(0x04, at);
	outb(0x04, at >> 8);
	outb(0x81, at >> 16);
	outb(0x05, len - 1);
	outb(0x05, (len - 1) >> 8);
	outb(0x0b, mode);
	outb(0x0a, 2);
}

#define TO_MEMORY	0x46
#define FROM_MEMORY	0x4a

static void seek(uint8_t track)
{
	begin((const uint8_t[]){ 0x0f, 0, track }, 3);
	assert_true(noted.up[6]);
	begin((const uint8_t[]){ 0x08 }, 1);
	assert_int_equal(finish(), 2);
	assert_int_equal(results[0], 0x20);
	assert_int_equal(results[1], track);
}

static void reads(void **state)
{
	/* A disk has come; a seek makes it known */
	assert_int_equal(inb(0x3f7), 0x80);
	seek(5);
	assert_int_equal(inb(0x3f7), 0);
	/* Sectors 17 and 18 of one side, and 1 of the other */
	dma(TO_MEMORY, BUFFER, 1536);
	begin((const uint8_t[]){ 0xe6, 0, 5, 0, 17, 2, 18, 27, 255 }, 9);
	assert_true(noted.up[6]);
	assert_int_equal(finish(), 7);
	assert_memory_equal(results, "\0\0\0\5\1\2\2", 7);
	assert_memory_equal(at(BUFFER), disk.data + 10 * TRACK + 16 * 512, 1536);
	assert_int_equal(inb(0x08) & 4, 4);	/* it has counted to its end */
	assert_int_equal(inb(0x0f) & 4, 4);
	/* A channel that begins anew has come to its end, too */
	dma(TO_MEMORY | 0x10, BUFFER, 512);
	COMMAND(0x46, 0, 5, 0, 3, 2, 18, 27, 255);
	assert_memory_equal(results, "\0\0\0\5\0\4\2", 7);
	assert_int_equal(inb(0x08) & 4, 4);
	/* The end of the track comes before that */
	dma(TO_MEMORY, BUFFER, 4096);
	COMMAND(0x46, 4, 5, 1, 18, 2, 18, 27, 255);
	assert_memory_equal(results, "\x44\x80\0\6\1\1\2", 7);
	assert_memory_equal(at(BUFFER), disk.data + 11 * TRACK + 17 * 512, 512);
	/* Where it stands; and another rate reads nothing */
	COMMAND(0x4a, 4);
	assert_memory_equal(results, "\4\0\0\5\1\1\2", 7);
	outb(0x3f7, 2);
	COMMAND(0x4a, 0);
	assert_int_equal(results[0], 0x40);
	outb(0x3f7, 0);
	/* What is not there: track, sector, side, drive */
	dma(TO_MEMORY, BUFFER, 512);
	COMMAND(0x46, 0, 6, 0, 1, 2, 18, 27, 255);
	assert_memory_equal(results, "\x40\x04\x10", 3);
	COMMAND(0x46, 0, 5, 0, 19, 2, 19, 27, 255);
	assert_memory_equal(results, "\x40\x04", 3);
	COMMAND(0x46, 0, 5, 2, 1, 2, 18, 27, 255);
	assert_memory_equal(results, "\x40\x04", 3);
	COMMAND(0x46, 1, 5, 0, 1, 2, 18, 27, 255);
	assert_memory_equal(results, "\x41\x01", 3);
	disk.result = -EIO;
	COMMAND(0x46, 0, 5, 0, 1, 2, 18, 27, 255);
	assert_memory_equal(results, "\x40\x20", 3);
}

static void writes(void **state)
{
	memset(at(BUFFER), 0xa7, 1024);
	seek(1);
	dma(FROM_MEMORY, BUFFER, 1024);
	COMMAND(0xc5, 0, 1, 0, 3, 2, 18, 27, 255);
	assert_memory_equal(results, "\0\0\0\1\0\5\2", 7);
	assert_memory_equal(disk.data + 2 * TRACK + 1024, at(BUFFER), 1024);
	assert_int_equal(disk.stable, 1);
	dma(FROM_MEMORY | 0x10, BUFFER, 1024);
	COMMAND(0xc5, 0, 1, 0, 3, 2, 18, 27, 255);
	assert_memory_equal(results, "\0\0\0\1\0\5\2", 7);
	dma(FROM_MEMORY, BUFFER, 72);
	COMMAND(0x4d, 4, 2, 18, 27, 0xf6);
	assert_int_equal(results[0], 4);
	assert_int_equal(disk.data[3 * TRACK], 0xf6);
	assert_int_equal(disk.data[4 * TRACK - 1], 0xf6);
	assert_int_not_equal(disk.data[4 * TRACK], 0xf6);
	disk.block.read_only = true;
	dma(FROM_MEMORY, BUFFER, 1024);
	COMMAND(0xc5, 0, 1, 0, 3, 2, 18, 27, 255);
	assert_memory_equal(results, "\x40\x02", 3);
	COMMAND(0x04, 0);
	assert_true(results[0] & 0x40);
	COMMAND(0x4d, 4, 2, 18, 27, 0xf6);
	assert_memory_equal(results, "\x44\x02", 3);
}

static void other_commands(void **state)
{
	assert_int_equal(COMMAND(0x10), 1);
	assert_int_equal(results[0], 0x90);
	assert_int_equal(COMMAND(0x1f), 1);
	assert_int_equal(results[0], 0x80);
	assert_int_equal(COMMAND(0x8f), 1);
	assert_int_equal(COMMAND(0x08), 1);
	assert_int_equal(results[0], 0x80);
	COMMAND(0x03, 0xaf, 2);
	COMMAND(0x13, 0, 0x57, 0);
	COMMAND(0x94);
	assert_int_equal(results[0], 0x10);
	/* With a lock a reset leaves this alone; it seeks by itself */
	outb(0x3f4, 0x80);
	assert_int_equal(COMMAND(0x0e), 10);
	assert_int_equal(results[8], 0x57);
	assert_int_equal(results[7], 0x80);
	dma(TO_MEMORY, BUFFER, 512);
	outb(0x3f7, 0);
	COMMAND(0x46, 0, 44, 0, 1, 2, 18, 27, 255);
	assert_int_equal(results[0], 0);
	assert_memory_equal(at(BUFFER), disk.data + 88 * TRACK, 512);
	/* Without DMA nothing moves */
	COMMAND(0x03, 0xaf, 3);
	COMMAND(0x46, 0, 44, 0, 1, 2, 18, 27, 255);
	assert_int_equal(results[0], 0x40);
	/* A drive that is not there */
	begin((const uint8_t[]){ 0x07, 1 }, 2);
	COMMAND(0x08);
	assert_int_equal(results[0], 0xc0);	/* of the reset before */
}

static void dma_registers(void **state)
{
	uint8_t value;

	dma(TO_MEMORY, 0x1fffe, 1024);
	assert_int_equal(inb(0x04), 0xfe);
	assert_int_equal(inb(0x04), 0xff);
	assert_int_equal(inb(0x05), 0xff);
	assert_int_equal(inb(0x05), 0x03);
	assert_int_equal(inb(0x81), 1);
	outb(0x8a, 7);
	assert_int_equal(inb(0x8a), 7);
	outb(0xde, 0xf);
	assert_int_equal(inb(0xde) & 0xf, 0xf);
	/* It stays in its 64 KiB */
	value = 0x5a;
	memset(at(0x10000), value, 4);
	memset(at(0x20000), value, 4);
	COMMAND(0x46, 0, 0, 0, 1, 2, 18, 27, 255);
	assert_memory_equal(at(0x1fffe), disk.data, 2);
	assert_memory_equal(at(0x10000), disk.data + 2, 510);
	assert_int_equal(*(uint8_t *)at(0x20000), value);
	/* Masked: there is nowhere to go */
	outb(0x0d, 0);
	COMMAND(0x46, 0, 0, 0, 1, 2, 18, 27, 255);
	assert_int_equal(results[0], 0x40);
}

static void sizes(void **state)
{
	static const struct { unsigned int kib; uint8_t type; } all[] = {
		{ 160, 1 }, { 180, 1 }, { 320, 1 }, { 360, 1 }, { 720, 3 },
		{ 1200, 2 }, { 1440, 4 }, { 2880, 5 }, { 1266, 4 }, { 1500, 5 } };
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		teardown(state);
		power_on(all[i].kib * 2);
		assert_int_equal(rtc_get(0x10), all[i].type << 4);
		assert_int_equal(rtc_get(0x14) & 0xc1, 1);
	}
	teardown(state);
	/* One that is shorter than its format: zeros, and nothing can be written */
	power_on(2532);
	seek(79);
	memset(at(BUFFER), 1, 512);
	dma(TO_MEMORY, BUFFER, 512);
	COMMAND(0x46, 0, 79, 0, 1, 2, 18, 27, 255);
	assert_int_equal(results[0], 0);
	assert_int_equal(*(uint32_t *)at(BUFFER), 0);
	dma(FROM_MEMORY, BUFFER, 512);
	COMMAND(0x45, 0, 79, 0, 1, 2, 18, 27, 255);
	assert_int_equal(results[0], 0x40);
	/* Made anew with a disk of another format, it is the drive that it was */
	devices_destroy(&m);
	bus_destroy(&m.ports);
	bus_init(&m.ports, "port", 0xffff);
	disk.block.size = 1440 * 512;
	bare_device("mc146818");
	bare_device("i82077");
	assert_int_equal(rtc_get(0x10), 4 << 4);
	teardown(state);
	insert(6000);
	assert_null(device_create(&m, "i82077", NULL, &error));
	assert_non_null(strstr(error.text, "2880"));
}

static void in_flight(void **state)
{
	json_t *saved;

	disk.waits = true;
	dma(TO_MEMORY, BUFFER, 512);
	begin((const uint8_t[]){ 0x46, 0, 0, 0, 1, 2, 18, 27, 255 }, 9);
	assert_int_equal(inb(0x3f4), 0x10);
	outb(0x3f5, 0x10);	/* not now */
	saved = devices_save(&m);
	assert_true(noted.up[6]);
	assert_int_equal(inb(0x3f4), 0xd0);
	outb(0x3f2, 0);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	assert_int_equal(finish(), 7);
	assert_memory_equal(at(BUFFER), disk.data, 512);
	/* A reset, of either kind, and the machine's end */
	dma(TO_MEMORY, BUFFER, 512);
	begin((const uint8_t[]){ 0x46, 0, 0, 0, 1, 2, 18, 27, 255 }, 9);
	outb(0x3f2, 0x18);
	assert_null(disk.pending);
	outb(0x3f2, 0x1c);
	dma(TO_MEMORY, BUFFER, 512);
	outb(0x3f7, 0);
	begin((const uint8_t[]){ 0x46, 0, 0, 0, 1, 2, 18, 27, 255 }, 9);
	assert_non_null(disk.pending);
	devices_reset(&m);
	assert_null(disk.pending);
}

/* The user takes the disk out, and puts another one in */
static void media(void **state)
{
	struct in_memory none = { 0 }, other = { 0 };

	memory_init(&none, 0);
	memory_init(&other, 1440);
	seek(5);
	assert_int_equal(inb(0x3f7), 0);
	/* While it is read */
	disk.waits = true;
	dma(TO_MEMORY, BUFFER, 512);
	begin((const uint8_t[]){ 0x46, 0, 5, 0, 1, 2, 18, 27, 255 }, 9);
	assert_non_null(disk.pending);
	assert_int_equal(put_in(&disk, &none, false), 0);
	assert_null(disk.pending);
	assert_int_equal(finish(), 7);
	assert_memory_equal(results, "\x40\x20", 2);
	/* A seek does not make the line go while there is none */
	assert_int_equal(inb(0x3f7), 0x80);
	seek(0);
	assert_int_equal(inb(0x3f7), 0x80);
	dma(TO_MEMORY, BUFFER, 512);
	COMMAND(0x46, 0, 0, 0, 1, 2, 18, 27, 255);
	assert_memory_equal(results, "\x40\x01", 2);
	COMMAND(0x4a, 0);
	assert_int_equal(results[0], 0x40);
	/* Another format, which is found by its rate */
	assert_int_equal(put_in(&none, &other, false), 0);
	assert_int_equal(inb(0x3f7), 0x80);
	seek(1);
	assert_int_equal(inb(0x3f7), 0);
	COMMAND(0x4a, 0);
	assert_int_equal(results[0], 0x40);
	outb(0x3f7, 2);
	dma(TO_MEMORY, BUFFER, 512);
	COMMAND(0x46, 0, 1, 0, 9, 2, 9, 27, 255);
	assert_int_equal(results[0], 0);
	assert_memory_equal(at(BUFFER), other.data + (18 + 8) * 512, 512);
	/* One that is too large stays out */
	disk.block.size = 3 << 20;
	assert_int_equal(put_in(&other, &disk, false), -1);
	assert_non_null(strstr(error.text, "larger than"));
	assert_int_equal(put_in(&disk, &other, false), 1);
	free(none.data);
	free(other.data);
}

static void hostile_states(void **state)
{
	static const char *const names[] = { "pos", "len", "resets", "rate" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *saved = devices_save(&m);

		json_object_set_new(json_object_get(saved, "i82077.0"), names[i],
				    json_integer(17));
		assert_int_equal(devices_load(&m, saved, &error), -1);
		json_decref(saved);
		devices_reset(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads, setup, teardown),
		cmocka_unit_test_setup_teardown(writes, setup, teardown),
		cmocka_unit_test_setup_teardown(other_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(dma_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(in_flight, setup, teardown),
		cmocka_unit_test_setup_teardown(media, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_states, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
