// SPDX-License-Identifier: GPL-2.0
/* What a firmware finds: its ROM, fw_cfg, ECAM where it wants it. */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "boot/boot.h"
#include "devices/isa/fw_cfg.h"
#include "tests/bare.h"

#define RAM (2ull << 20)

/* libc's: no package with a firmware is there */
int open(const char *path, int flags, ...)
{
	if (!strncmp(path, "/usr/share/", 11)) {
		errno = ENOENT;
		return -1;
	}
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

static const char words[] = "what it is told";

static struct firmware told = { .files = 2, .file = {
	{ "etc/words", words, sizeof(words) },
	{ "etc/nothing", NULL, 0 } } };

static void start(void)
{
	bare_start();
	m.nr_vcpus = 3;
	m.config.firmware = &told;
	assert_int_equal(memory_create(&m.memory, RAM, false, &error), 0);
	bare_device("fw_cfg");
}

static void stop(void)
{
	bare_stop();
	memory_destroy(&m.memory);
}

/* @len bytes of item @key, by the data port */
static void item(unsigned int key, void *to, size_t len)
{
	size_t i;

	outs(0x510, key, 2);
	for (i = 0; i < len; i++)
		((uint8_t *)to)[i] = inb(0x511);
}

static void by_ports(void **state)
{
	struct {
		uint32_t count;
		struct {
			uint32_t size;
			uint16_t key, reserved;
			char name[56];
		} entry[2];
	} directory;
	uint32_t number;
	char text[sizeof(words) + 2];

	start();
	item(0, text, 4);
	assert_memory_equal(text, "QEMU", 4);
	item(1, &number, 4);
	assert_int_equal(number, 3);
	item(5, &number, 4);
	assert_int_equal(number, 3);
	item(0x19, &directory, sizeof(directory));
	assert_int_equal(be32toh(directory.count), 2);
	assert_int_equal(be32toh(directory.entry[0].size), sizeof(words));
	assert_string_equal(directory.entry[0].name, "etc/words");
	item(be16toh(directory.entry[0].key), text, sizeof(text));
	assert_memory_equal(text, "what it is told\0\0\0", sizeof(text));
	/* Nothing is there, or known */
	item(be16toh(directory.entry[1].key), text, 1);
	assert_int_equal(text[0], 0);
	item(0xffff, &number, 4);
	assert_int_equal(number, 0);
	item(0x1f, &number, 4);
	assert_int_equal(number, 0);
	stop();
}

struct access {
	uint32_t control, length;
	uint64_t address;
};

/* Returns the control word afterwards */
static uint32_t copy(uint32_t control, uint32_t length, uint64_t address)
{
	struct access *access = (void *)(m.memory.base + 0x1000);

	*access = (struct access){ htobe32(control), htobe32(length),
				   htobe64(address) };
	outs(0x514, 0, 4);
	outs(0x518, htobe32(0x1000), 4);
	return be32toh(access->control);
}

static void by_dma(void **state)
{
	char *to = (char *)m.memory.base;

	start();
	to = (char *)m.memory.base + 0x2000;
	assert_int_equal(ins(0x514, 4), 'Q' | 'E' << 8 | 'M' << 16 | 'U' << 24);
	assert_int_equal(ins(0x518, 4), ' ' | 'C' << 8 | 'F' << 16 | 'G' << 24);
	memset(to, 0xff, 32);
	assert_int_equal(copy(0x20 << 16 | 0xa, 20, 0x2000), 0);
	assert_memory_equal(to, "what it is told\0\0\0\0\0\xff", 21);
	/* Select, skip, read */
	assert_int_equal(copy(0x20 << 16 | 0xc, 5, 0), 0);
	assert_int_equal(copy(2, 2, 0x2000), 0);
	assert_memory_equal(to, "itat", 4);
	/* It cannot be written, nor read to where no RAM is */
	assert_int_equal(copy(0x10, 4, 0x2000), 1);
	assert_int_equal(copy(2, 4, 0xa0000), 1);
	assert_int_equal(copy(2, 4, RAM - 2), 1);
	assert_int_equal(copy(2, 0xffffffff, 0x2000), 1);
	assert_int_equal(copy(2, 4, ~0ull), 1);
	/* The structure itself is nowhere */
	outs(0x518, htobe32(RAM - 8), 4);
	outs(0x514, 0xffffffff, 4);
	outs(0x518, 0xffffffff, 4);
	stop();
}

static void only_with_firmware(void **state)
{
	bare_start();
	assert_null(device_create(&m, "fw_cfg", NULL, &error));
	assert_non_null(strstr(error.text, "--firmware"));
}

static uint32_t config(uint64_t base, unsigned int at)
{
	uint32_t value = 0;

	bus_access(&m.mmio, base + at, &value, 4, false);
	return value;
}

static void set_config(unsigned int at, uint32_t value)
{
	outs(0xcf8, 0x80000000 | at, 4);
	outs(0xcfc, value, 4);
}

static void ecam_moves(void **state)
{
	uint64_t ecam = 0;
	struct firmware tables = { .ecam = (uint8_t *)&ecam };
	json_t *saved;

	bare_start();
	m.config.rom = (uint8_t *)words;
	pthread_mutex_init(&m.pci_lock, NULL);
	bare_device("pci-host");
	assert_int_equal(config(0xe0000000, 0), 0x29c08086);
	assert_int_equal(config(0xe0000000, 0x2c), 0x11001af4);
	set_config(0x60, 0xb0000001);
	assert_int_equal(config(0xe0000000, 0), ~0u);
	assert_int_equal(config(0xb0000000, 0), 0x29c08086);
	/* ACPI says so */
	m.config.firmware = &tables;
	bare_device("fw_cfg");
	outs(0x510, 0x20, 2);
	assert_int_equal(ecam, 0xb0000000);
	saved = devices_save(&m);
	set_config(0x60, 0);
	assert_int_equal(config(0xb0000000, 0), ~0u);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	assert_int_equal(config(0xb0000000, 0), 0x29c08086);
	devices_reset(&m);
	assert_int_equal(config(0xe0000000, 0), 0x29c08086);
	/* What is not in its bits stays */
	set_config(0x90, ~0u);
	assert_int_equal(config(0xe0000000, 0x90), 0x33333330);
	/* SMM: locked */
	set_config(0x9c, ~0u);
	assert_int_equal(config(0xe0000000, 0x9c) >> 8, 0x3812);
}

/* What the module has below 1 MiB */
static struct mvmm_region mapped[SHADOW_SEGMENTS];

static struct mvmm_region *segment_of(const struct mvmm_region *r)
{
	assert_int_equal(r->len, SHADOW_SEGMENT);
	assert_in_range(r->gpa, SHADOW_START, SHADOW_END - 1);
	assert_int_equal(r->gpa % SHADOW_SEGMENT, 0);
	return &mapped[(r->gpa - SHADOW_START) / SHADOW_SEGMENT];
}

static int change(unsigned long cmd, void *arg)
{
	const struct mvmm_regions *c = arg;
	const struct mvmm_region *remove, *add;
	unsigned int i;

	assert_int_equal(cmd, MVMM_VM_CHANGE_REGIONS);
	remove = (const void *)(uintptr_t)c->remove;
	add = (const void *)(uintptr_t)c->add;
	for (i = 0; i < c->nr_remove; i++) {
		assert_int_not_equal(segment_of(&remove[i])->len, 0);
		assert_int_equal(remove[i].flags | remove[i].hva, 0);
		segment_of(&remove[i])->len = 0;
	}
	for (i = 0; i < c->nr_add; i++) {
		assert_int_equal(segment_of(&add[i])->len, 0);
		*segment_of(&add[i]) = add[i];
	}
	return 0;
}

static uint8_t *rom;

#define ROM (256u << 10)

static void start_shadow(void)
{
	unsigned int i;

	bare_start();
	pthread_mutex_init(&m.pci_lock, NULL);
	assert_int_equal(memory_create(&m.memory, RAM, false, &error), 0);
	rom = calloc(1, ROM);
	memset(rom + ROM - SHADOW_ROM, 'r', SHADOW_ROM);
	memset(m.memory.base, 'w', RAM);
	memory_add_rom(&m.memory, ROM, rom);
	/* As after memory_map() */
	memset(mapped, 0, sizeof(mapped));
	for (i = 8; i < SHADOW_SEGMENTS; i++)
		mapped[i] = (struct mvmm_region){
			.len = SHADOW_SEGMENT, .flags = MVMM_REGION_READONLY };
	memory_ioctl = change;
	m.config.rom = rom;
	bare_device("pci-host");
}

static void stop_shadow(void)
{
	memory_ioctl = NULL;
	stop();
	free(rom);
}

/*
 * A read there gives @read, if a device did it, too; a write goes to RAM if @write,
 * to which nothing else is written; the module maps what it can
 */
static void check_way(uint64_t gpa, uint8_t read, bool write)
{
	const struct mvmm_region *r =
		&mapped[(gpa - SHADOW_START) / SHADOW_SEGMENT];
	uint8_t byte = 0, *ram = m.memory.base + gpa;
	const uint8_t *at = memory_at(&m.memory, gpa, 1, MVMM_ACCESS_READ);

	bus_access(&m.mmio, gpa, &byte, 1, false);
	assert_int_equal(byte, read);
	assert_int_equal(at ? *at : 0xff, read);
	assert_int_equal(r->len, at ? SHADOW_SEGMENT : 0);
	if (r->len)
		assert_int_equal(r->flags, at == ram && write ? 0 :
				 MVMM_REGION_READONLY);
	byte = '!';
	bus_access(&m.mmio, gpa, &byte, 1, true);
	assert_int_equal(*ram, write ? '!' : 'w');
	*ram = 'w';
	assert_ptr_equal(memory_at(&m.memory, gpa, 1, MVMM_ACCESS_WRITE),
			 write ? ram : NULL);
	assert_int_equal(rom[gpa < 0xe0000 ? 0 : gpa + ROM - SHADOW_END],
			 gpa < 0xe0000 ? 0 : 'r');
}

static void shadow(void **state)
{
	static const struct {
		unsigned int reg, shift;
		uint64_t first, last;
		uint8_t rom;
	} segment[] = {
		{ 0x91, 0, 0xc0000, 0xc3fff, 0xff },
		{ 0x91, 4, 0xc4000, 0xc7fff, 0xff },
		{ 0x94, 4, 0xdc000, 0xdffff, 0xff },
		{ 0x95, 0, 0xe0000, 0xe3fff, 'r' },
		{ 0x96, 4, 0xec000, 0xeffff, 'r' },
		{ 0x90, 4, 0xf0000, 0xfffff, 'r' },
	};
	unsigned int i, way;
	json_t *saved;

	start_shadow();
	for (i = 0; i < sizeof(segment) / sizeof(segment[0]); i++)
		for (way = 0; way < 5; way++) {
			uint8_t value = (way & 3) << segment[i].shift;
			uint8_t read = way & 1 ? 'w' : segment[i].rom;

			outs(0xcf8, 0x80000000 | (segment[i].reg & ~3), 4);
			outs(0xcfc + (segment[i].reg & 3), value, 1);
			check_way(segment[i].first, read, way & 2);
			check_way(segment[i].last, read, way & 2);
		}
	/* All at once, as a firmware does; over their borders and into 1 MiB */
	assert_null(memory_at(&m.memory, 0xdffff, 2, MVMM_ACCESS_READ));
	assert_non_null(memory_at(&m.memory, 0xe3fff, 2, MVMM_ACCESS_READ));
	assert_null(memory_at(&m.memory, 0xfffff, 2, MVMM_ACCESS_READ));
	set_config(0x90, 0x33333330);
	set_config(0x94, 0x333333);
	assert_ptr_equal(memory_at(&m.memory, 0xc0000, RAM - 0xc0000,
				   MVMM_ACCESS_READ | MVMM_ACCESS_WRITE),
			 m.memory.base + 0xc0000);
	assert_null(memory_at(&m.memory, 0xc0001, RAM - 0xc0000,
			      MVMM_ACCESS_READ));
	assert_null(memory_at(&m.memory, 0xc0001, ~0ull, MVMM_ACCESS_READ));
	/* Writes to RAM, and reads of ROM, are not one memory */
	set_config(0x90, 0x33333320);
	assert_null(memory_at(&m.memory, 0xf0000, 1,
			      MVMM_ACCESS_READ | MVMM_ACCESS_WRITE));
	saved = devices_save(&m);
	devices_reset(&m);
	check_way(0xf0000, 'r', false);
	check_way(0xc0000, 0xff, false);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	check_way(0xf0000, 'r', true);
	check_way(0xc0000, 'w', true);
	stop_shadow();
}

/* What the module has from 1 MiB on: no two of them overlap */
static struct mvmm_region high[2];

static int change_high(unsigned long cmd, void *arg)
{
	const struct mvmm_regions *c = arg;
	const struct mvmm_region *r = (const void *)(uintptr_t)c->remove;
	unsigned int i, n;

	assert_int_equal(cmd, MVMM_VM_CHANGE_REGIONS);
	for (n = 0; n < c->nr_remove; n++) {
		for (i = 0; i < 2 && (high[i].gpa != r[n].gpa ||
				      high[i].len != r[n].len); i++)
			;
		assert_int_not_equal(i, 2);
		high[i].len = 0;
	}
	r = (const void *)(uintptr_t)c->add;
	assert_int_equal(high[0].len | high[1].len, 0);
	for (n = 0; n < c->nr_add; n++)
		high[n] = r[n];
	return 0;
}

#define NOWHERE	~0ull

/* What the guest has there, by the module's map and by the launcher's: an address */
static void check_high(uint64_t gpa, uint64_t ram)
{
	uint8_t *expected = ram == NOWHERE ? NULL : m.memory.base + ram, *mapped = NULL;
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (gpa - high[i].gpa < high[i].len)
			mapped = (uint8_t *)(uintptr_t)high[i].hva +
				 (gpa - high[i].gpa);
	assert_ptr_equal(mapped, expected);
	assert_ptr_equal(memory_at(&m.memory, gpa, 1, MVMM_ACCESS_READ |
				   MVMM_ACCESS_WRITE), expected);
}

static void check_a20(bool open, uint64_t size)
{
	static const uint64_t at[] = { 0x100000, 0x10ffef, 0x10ffff, 0x110000,
				       0x1fffff };
	unsigned int i;

	for (i = 0; i < 5; i++)
		if (!open && at[i] < 0x110000)
			check_high(at[i], at[i] - 0x100000);
		else
			check_high(at[i], at[i] < size ? at[i] : NOWHERE);
	assert_int_equal(inb(0x92), open ? 2 : 0);
}

static void a20(void **state)
{
	/* Ports and bytes, and whether the gate is open then */
	static const struct {
		uint16_t port[2];
		uint8_t value[2];
		bool open;
	} step[] = {
		{ { 0x92 }, { 0 }, false }, { { 0x92 }, { 0 }, false },
		{ { 0x92 }, { 2 }, true }, { { 0x64 }, { 0xdd }, false },
		{ { 0x64 }, { 0xdf }, true }, { { 0x64, 0x60 }, { 0xd1, 1 }, false },
		{ { 0x64, 0x60 }, { 0xd1, 3 }, true }, { { 0x92 }, { 0 }, false },
	};
	static const uint64_t sizes[] = { RAM, 1 << 20, (1 << 20) + 0x8000 };
	unsigned int i, n;
	json_t *saved;

	for (n = 0; n < 3; n++) {
		bare_start();
		pthread_mutex_init(&m.pci_lock, NULL);
		assert_int_equal(memory_create(&m.memory, sizes[n], false,
					       &error), 0);
		rom = calloc(1, ROM);
		memory_add_rom(&m.memory, ROM, rom);
		memset(high, 0, sizeof(high));
		high[0] = (struct mvmm_region){
			.gpa = SHADOW_END, .len = sizes[n] - SHADOW_END,
			.hva = (uintptr_t)m.memory.base + SHADOW_END };
		memory_ioctl = change_high;
		bare_device("i8042");
		check_a20(true, sizes[n]);
		for (i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
			outb(step[i].port[0], step[i].value[0]);
			if (step[i].port[1])
				outb(step[i].port[1], step[i].value[1]);
			check_a20(step[i].open, sizes[n]);
		}
		/* Not over the edges */
		assert_null(memory_at(&m.memory, 0x10ffff, 2, MVMM_ACCESS_READ));
		assert_null(memory_at(&m.memory, 0xfffff, 2, MVMM_ACCESS_READ));
		saved = devices_save(&m);
		devices_reset(&m);
		check_a20(true, sizes[n]);
		assert_int_equal(devices_load(&m, saved, &error), 0);
		json_decref(saved);
		check_a20(false, sizes[n]);
		stop_shadow();
	}
}

/* What a firmware does with them, at this address */
static void follow(const struct acpi_files *files, uint8_t *tables, uint8_t *rsdp,
		   uint64_t at)
{
	const uint8_t *step = files->loader;

	for (; step < files->loader + files->loader_len; step += ACPI_STEP) {
		uint8_t *file = strcmp((char *)step + 4, "etc/acpi/rsdp") ?
				tables : rsdp, sum = 0;
		uint32_t n[3], i;
		uint64_t value = 0;

		switch (step[0]) {
		case 2:
			assert_string_equal((char *)step + 60,
					    "etc/acpi/tables");
			memcpy(n, step + 116, 4);
			memcpy(&value, file + n[0], step[120]);
			assert_true(value < sizeof(files->tables));
			value += at;
			memcpy(file + n[0], &value, step[120]);
			break;
		case 3:
			memcpy(n, step + 60, 12);
			for (i = 0; i < n[2]; i++)
				sum += file[n[1] + i];
			file[n[0]] -= sum;
			break;
		}
	}
}

static uint8_t sum_of(const uint8_t *table, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *table++;
	return sum;
}

static void acpi(void **state)
{
	const uint64_t at = 0x12340000;
	struct acpi_files files;
	uint8_t tables[sizeof(files.tables)], rsdp[sizeof(files.rsdp)];
	struct memory scratch = { .base = calloc(1, 1 << 20) };
	uint64_t address;
	uint32_t len, i, low;

	bare_start();
	m.apic = m.i8042 = m.hpet = true;
	m.vga = true;
	m.nr_vcpus = 2;
	acpi_of_machine(&m, &scratch);
	acpi_make_files(&scratch, &files);
	free(scratch.base);
	memcpy(tables, files.tables, sizeof(tables));
	memcpy(rsdp, files.rsdp, sizeof(rsdp));
	follow(&files, tables, rsdp, at);
	assert_int_equal(sum_of(rsdp, 20), 0);
	assert_int_equal(sum_of(rsdp, sizeof(rsdp)), 0);
	memcpy(&address, rsdp + 24, 8);
	assert_int_equal(address, at);
	assert_memory_equal(tables, "XSDT", 4);
	memcpy(&len, tables + 4, 4);
	assert_int_equal(len, 36 + 4 * 8);
	assert_int_equal(sum_of(tables, len), 0);
	for (i = 36; i < len; i += 8) {
		uint8_t *table;
		uint32_t size;

		memcpy(&address, tables + i, 8);
		assert_in_range(address, at, at + sizeof(tables) - 36);
		table = tables + (address - at);
		memcpy(&size, table + 4, 4);
		assert_int_equal(sum_of(table, size), 0);
		if (!memcmp(table, "MCFG", 4)) {
			memcpy(&address, table + 44, 8);
			assert_int_equal(address, 0xb0000000);
		}
		if (memcmp(table, "FACP", 4))
			continue;
		memcpy(&low, table + 36, 4);
		assert_memory_equal(tables + (low - at), "FACS", 4);
		memcpy(&low, table + 40, 4);
		assert_memory_equal(tables + (low - at), "DSDT", 4);
		memcpy(&address, table + 140, 8);
		assert_int_equal(address, low);
		memcpy(&size, tables + (low - at) + 4, 4);
		assert_int_equal(sum_of(tables + (low - at), size), 0);
		/* The i8042 is there, and it is not true that no VGA is */
		assert_int_equal(table[109], 2);
	}
}

static uint32_t rtc_get16(uint8_t index)
{
	return rtc_get(index) | rtc_get(index + 1) << 8;
}

/* What firmwares and boot loaders ask for; what is written is kept in a reset */
static void cmos(void **state)
{
	bare_start();
	m.nr_vcpus = 4;
	m.memory.low = 48 << 20;
	bare_device("mc146818");
	assert_int_equal(rtc_get16(0x15), 640);
	assert_int_equal(rtc_get16(0x17), 47 << 10);
	assert_int_equal(rtc_get16(0x30), 47 << 10);
	assert_int_equal(rtc_get16(0x34), 32 << 4);
	assert_int_equal(rtc_get16(0x5b) | rtc_get(0x5d), 0);
	assert_int_equal(rtc_get(0x5f), 3);
	rtc_put(0x40, 0x77);
	rtc_put(11, 0x72);
	devices_reset(&m);
	assert_int_equal(rtc_get(0x40), 0x77);
	assert_int_equal(rtc_get(11), 0x02);
	assert_int_equal(rtc_get16(0x34), 32 << 4);
	bare_start();
	m.memory.low = 3ull << 30;
	m.memory.high = (1ull << 40) + (5 << 16);
	bare_device("mc146818");
	assert_int_equal(rtc_get16(0x17), 0xffff);
	assert_int_equal(rtc_get16(0x34), (3 << 14) - 256);
	assert_int_equal(rtc_get16(0x5b) | rtc_get(0x5d) << 16, 5);
	bare_start();
	m.memory.low = 1 << 20;
	bare_device("mc146818");
	assert_int_equal(rtc_get16(0x17) | rtc_get16(0x34), 0);
}

static int open_image(struct machine_config *c, size_t len)
{
	char path[32];
	int fd = memfd_create("firmware", 0), ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(ftruncate(fd, len), 0);
	assert_int_equal(pwrite(fd, "end", 3, len - 3), 3);
	ret = firmware_open(c, path, NULL, &error);
	close(fd);
	return ret;
}

static void image(void **state)
{
	struct machine_config c = { .ram_size = RAM };
	struct entry entry = { 0 };

	assert_int_equal(open_image(&c, 4095), -1);
	assert_int_equal(open_image(&c, (8 << 20) + 4096), -1);
	assert_int_equal(firmware_open(&c, "/nowhere", NULL, &error), -1);
	assert_null(strstr(error.text, "package"));
	assert_int_equal(firmware_open(&c, "bios", NULL, &error), -1);
	assert_non_null(strstr(error.text, "install the package seabios"));
	assert_int_equal(firmware_open(&c, "uefi", NULL, &error), -1);
	assert_non_null(strstr(error.text, "install the package ovmf"));
	c.ram_size = 3ull << 30;
	assert_int_equal(open_image(&c, 4096), -1);
	c.ram_size = RAM;
	assert_null(c.rom);
	assert_int_equal(open_image(&c, 4096), 0);
	assert_int_equal(c.rom_size, SHADOW_ROM);
	assert_int_equal(c.rom[0], 0xff);
	assert_memory_equal(c.rom + c.rom_size - 3, "end", 3);
	firmware_close(&c);
	assert_int_equal(open_image(&c, 256 << 10), 0);
	bare_start();
	m.config = c;
	assert_int_equal(memory_create(&m.memory, RAM, false, &error), 0);
	memory_add_rom(&m.memory, c.rom_size, c.rom);
	assert_memory_equal(memory_at(&m.memory, 0xfffffffd, 3,
				      MVMM_ACCESS_READ), "end", 3);
	assert_null(memory_at(&m.memory, 0xfffffffd, 3, MVMM_ACCESS_WRITE));
	assert_null(memory_at(&m.memory, 0xfffbffff, 1, MVMM_ACCESS_READ));
	assert_int_equal(firmware_load(&m, &entry, &error), 0);
	assert_memory_equal(memory_at(&m.memory, 0xffffd, 3, MVMM_ACCESS_READ),
			    "end", 3);
	assert_int_equal(entry.regs.rip, 0xfff0);
	firmware_close(&c);
	assert_null(c.rom);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_ports), cmocka_unit_test(by_dma),
		cmocka_unit_test(only_with_firmware),
		cmocka_unit_test(ecam_moves),
		cmocka_unit_test(shadow), cmocka_unit_test(a20), cmocka_unit_test(acpi),
		cmocka_unit_test(cmos), cmocka_unit_test(image),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	bare_stop();
	return failed;
}
