// SPDX-License-Identifier: GPL-2.0
/*
 * piix3-ide: disks by PIO and DMA, what is in flight when the machine is reset or
 * saved, and a driver that keeps no rules. CD-ROMs: test_atapi.c.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail
#include "boot/boot.h"
#include "devices/isa/fw_cfg.h"
#include "tests/ide_registers.h"

static void command(uint8_t command, uint8_t count, uint32_t lba)
{
	task(DISK_PORT, 0, count, lba, ATA_LBA);
	outb(DISK_PORT + 7, command);
}

static void command_ext(uint8_t command, uint16_t count, uint64_t lba)
{
	task(DISK_PORT, 0, count >> 8, lba >> 24 & 0xffffff, 0);
	task(DISK_PORT, 0, count, lba & 0xffffff, 0);
	outb(DISK_PORT + 6, ATA_LBA);
	outb(DISK_PORT + 7, command);
}

/* ---- disks ---------------------------------------------------------------- */

static void finds_drives(void **state)
{
	/* As drivers do: which registers are there, and whose signature is it? */
	outb(DISK_PORT + 0x206, ATA_SRST);
	assert_int_equal(inb(DISK_PORT + 0x206), ATA_BUSY);
	outb(DISK_PORT + 0x206, 0);
	assert_int_equal(status(DISK_PORT), READY);
	assert_int_equal(inb(DISK_PORT + 1), 1);
	assert_int_equal(ins(DISK_PORT + 4, 2), 0);
	outb(DISK_PORT + 6, ATA_DEV1);
	assert_int_equal(inb(DISK_PORT + 6), 0xa0 | ATA_DEV1);
	assert_int_equal(status(DISK_PORT), 0);
	outb(CD_PORT + 0x206, ATA_SRST);
	outb(CD_PORT + 0x206, 0);
	assert_int_equal(ins(CD_PORT + 4, 2), 0xeb14);
	assert_int_equal(status(CD_PORT), 0);
	/* The other way: a command that the one has and the other has not */
	outb(CD_PORT + 7, 0xec);
	assert_int_equal(status(CD_PORT), READY | ATA_ERR);
	assert_int_equal(inb(CD_PORT + 1), ATA_ABORTED);
	assert_int_equal(ins(CD_PORT + 4, 2), 0xeb14);
	assert_int_equal(cfg_read(PCI_CLASS_REVISION, 4), 0x01018000);
	assert_int_equal(cfg_read(0x40, 4), 0x80008000);
}

static void identifies(void **state)
{
	uint16_t *w = (uint16_t *)bytes;

	command(0xec, 0, 0);
	assert_true(interrupted(0));
	in_words(DISK_PORT, bytes, 512);
	assert_int_equal(status(DISK_PORT), READY);
	assert_int_equal(w[1], 10);
	assert_int_equal(w[3], 16);
	assert_int_equal(w[6], 63);
	assert_memory_equal(w + 27, "VMMMH RADDSI K", 14);
	assert_memory_equal(w + 10, "vmmmd-si-k 0", 12);
	assert_int_equal(w[60] | w[61] << 16, DISK_SECTORS);
	assert_int_equal(w[100] | w[101] << 16, DISK_SECTORS);
	assert_true(w[83] & 1 << 10);
	assert_false(w[82] & 1);
	/* SMART is aborted, as it is not offered */
	command(0xb0, 0, 0xc24f00);
	assert_int_equal(status(DISK_PORT), READY | ATA_ERR);
	assert_int_equal(inb(DISK_PORT + 1), ATA_ABORTED);
	command(0xf8, 0, 0);
	assert_int_equal(inb(DISK_PORT + 3) | inb(DISK_PORT + 4) << 8,
			 DISK_SECTORS - 1);
}

static void reads_by_pio(void **state)
{
	unsigned int i;

	/* 20 sectors, an interrupt for each, and more than the buffer has */
	command(0x20, 20, 3);
	for (i = 0; i < 20; i++) {
		assert_true(interrupted(0));
		assert_int_equal(status(DISK_PORT), READY | ATA_DRQ);
		in_words(DISK_PORT, bytes + 512 * i, 512);
	}
	assert_false(interrupted(0));
	assert_memory_equal(bytes, disk.data + 3 * 512, 20 * 512);
	/* At once as many as were asked for; 32 bits at a time */
	command(0xc6, 8, 0);
	assert_true(interrupted(0));
	command_ext(0x29, 20, 5);
	for (i = 0; i < 20 * 128; i++) {
		if (i % 1024 == 0)
			assert_true(interrupted(0));
		((uint32_t *)bytes)[i] = ins(DISK_PORT, 4);
	}
	assert_int_equal(status(DISK_PORT), READY);
	assert_memory_equal(bytes, disk.data + 5 * 512, 20 * 512);
	command(0xc6, 3, 0);
	assert_int_equal(status(DISK_PORT), READY | ATA_ERR);
	/* With another drive, which is none, the rest is lost */
	command(0x20, 20, 3);
	outb(DISK_PORT + 6, ATA_DEV1);
	in_words(DISK_PORT, bytes, 20 * 512);
	assert_int_equal(ins(DISK_PORT, 2), 0);
	assert_null(disk.pending);
}

static void writes_by_pio(void **state)
{
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 11 + i / 256;
	command(0x30, 0, 100);	/* 256 of them */
	for (i = 0; i < 256; i++) {
		assert_int_equal(inb(DISK_PORT + 0x206), READY | ATA_DRQ);
		assert_int_equal(interrupted(0), i > 0);
		out_words(DISK_PORT, bytes + 512 * (i % 128), 512);
	}
	assert_true(interrupted(0));
	assert_int_equal(status(DISK_PORT), READY);
	assert_memory_equal(disk.data + 512 * 100, bytes, sizeof(bytes));
	assert_memory_equal(disk.data + 512 * 228, bytes, sizeof(bytes));
	assert_int_equal(disk.stable, 0);
	/* Without a cache, and with a command that goes past it */
	task(DISK_PORT, 0x82, 0, 0, ATA_LBA);
	outb(DISK_PORT + 7, 0xef);
	command(0x30, 1, 0);
	out_words(DISK_PORT, bytes, 512);
	assert_int_equal(disk.stable, 1);
	command(0xe7, 0, 0);
	assert_int_equal(disk.flushes, 1);
	disk.result = -EIO;
	command_ext(0xea, 0, 0);
	assert_int_equal(status(DISK_PORT), READY | ATA_ERR);
}

static void addresses(void **state)
{
	/* Cylinder 2, head 3, sector 4 */
	task(DISK_PORT, 0, 1, 2 << 8 | 4, 3);
	outb(DISK_PORT + 7, 0x20);
	in_words(DISK_PORT, bytes, 512);
	assert_memory_equal(bytes, disk.data + ((2 * 16 + 3) * 63 + 3) * 512, 512);
	/* As a BIOS wants it */
	task(DISK_PORT, 0, 32, 0, 7);
	outb(DISK_PORT + 7, 0x91);
	task(DISK_PORT, 0, 1, 2 << 8 | 4, 3);
	outb(DISK_PORT + 7, 0x20);
	in_words(DISK_PORT, bytes, 512);
	assert_memory_equal(bytes, disk.data + ((2 * 8 + 3) * 32 + 3) * 512, 512);
	/* There is no sector 0, and what is behind the last one */
	task(DISK_PORT, 0, 1, 2 << 8, 3);
	outb(DISK_PORT + 7, 0x20);
	assert_int_equal(inb(DISK_PORT + 1), ATA_IDNF);
	command(0x20, 2, DISK_SECTORS - 1);
	assert_int_equal(inb(DISK_PORT + 1), ATA_IDNF);
	command_ext(0x24, 1, 1ull << 47);
	assert_int_equal(inb(DISK_PORT + 1), ATA_IDNF);
	command_ext(0x42, 0, 0);
	assert_int_equal(inb(DISK_PORT + 1), ATA_IDNF);
	command(0x40, 7, DISK_SECTORS - 7);
	assert_int_equal(status(DISK_PORT), READY);
	/* What was in the registers before can be read back */
	outb(DISK_PORT + 3, 1);
	outb(DISK_PORT + 3, 2);
	outb(DISK_PORT + 0x206, ATA_HOB);
	assert_int_equal(inb(DISK_PORT + 3), 1);
	outb(DISK_PORT + 4, 0);
	assert_int_equal(inb(DISK_PORT + 3), 2);
}

/* ---- DMA ------------------------------------------------------------------ */

static void moves_by_dma(void **state)
{
	/* Pieces of any even length, and 64 KiB as 0 */
	prd(0, BUFFERS, 2);
	prd(1, BUFFERS + 2, 0);
	prd(2, BUFFERS + 65538, 65534 | LAST);
	command(0xc8, 0, 9);
	assert_int_equal(status(DISK_PORT), READY | ATA_DRQ);
	bus_master(0, true);
	assert_int_equal(inb(BM + 2) & 7, BM_INTERRUPT);
	assert_true(interrupted(0));
	assert_int_equal(bus_master_ends(0), BM_INTERRUPT);
	assert_memory_equal(at(BUFFERS), disk.data + 9 * 512, 131072);
	/* And back; the bus master is first this time, and has more to give */
	prd(0, BUFFERS, 4096 | LAST);
	bus_master(0, false);
	assert_int_equal(inb(BM + 2) & 7, BM_ACTIVE);
	command_ext(0x3d, 4, 1000);
	assert_int_equal(bus_master_ends(0), BM_ACTIVE | BM_INTERRUPT);
	assert_int_equal(status(DISK_PORT), READY);
	assert_memory_equal(at(BUFFERS), disk.data + 1000 * 512, 4 * 512);
	assert_int_equal(disk.stable, 1);
}

static void tables_that_are_wrong(void **state)
{
	struct { uint32_t base, len; } wrong[] = {
		{ BUFFERS, 512 | LAST }, { MEMORY - 512, 1024 | LAST },
		{ 0xfffffffe, 1024 | LAST } };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		prd(0, wrong[i].base, wrong[i].len);
		command(0xc8, 2, 0);
		bus_master(0, true);
		assert_int_equal(bus_master_ends(0), BM_ERROR | BM_INTERRUPT);
		assert_int_equal(status(DISK_PORT), READY | ATA_ERR);
	}
	/* The other direction; no memory for the table */
	prd(0, BUFFERS, 1024 | LAST);
	command(0xc8, 2, 0);
	bus_master(0, false);
	assert_int_equal(bus_master_ends(0), BM_ERROR | BM_INTERRUPT);
	command(0xc8, 2, 0);
	outs(BM + 4, 0xfffffff0, 4);
	outb(BM, BM_START | BM_TO_MEMORY);
	assert_int_equal(bus_master_ends(0), BM_ERROR | BM_INTERRUPT);
	/* It waits for mastership */
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO, 2);
	command(0xc8, 2, 0);
	bus_master(0, true);
	assert_int_equal(inb(BM + 2) & 7, BM_ACTIVE);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
	assert_int_equal(bus_master_ends(0), BM_INTERRUPT);
}

/* ---- in flight ------------------------------------------------------------ */

static void in_flight(void **state)
{
	disk.waits = true;
	prd(0, BUFFERS, 1024 | LAST);
	command(0xc8, 2, 0);
	bus_master(0, true);
	assert_int_equal(inb(DISK_PORT + 0x206), ATA_BUSY);
	/* It takes no commands; the other drive is not seen */
	outb(DISK_PORT + 6, ATA_DEV1);
	outb(DISK_PORT + 7, 0xec);
	assert_int_equal(inb(DISK_PORT + 0x206), ATA_BUSY);
	memory_do(&disk);
	assert_true(interrupted(0));
	assert_int_equal(bus_master_ends(0), BM_INTERRUPT);
	/* Stopped, mastership gone, reset: nothing of it comes any more */
	command(0xc8, 2, 0);
	bus_master(0, true);
	outb(BM, 0);
	assert_null(disk.pending);
	assert_false(interrupted(0));
	assert_int_equal(status(DISK_PORT), READY | ATA_ERR);
	command(0xc8, 2, 0);
	bus_master(0, true);
	assert_non_null(disk.pending);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO, 2);
	assert_null(disk.pending);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
	command(0x20, 1, 0);
	assert_non_null(disk.pending);
	outb(DISK_PORT + 0x206, ATA_SRST);
	assert_null(disk.pending);
	outb(DISK_PORT + 0x206, 0);
	command(0x20, 1, 0);
	devices_reset(&m);
	assert_null(disk.pending);
	assert_false(noted.up[14]);
	command(0x20, 1, 0);	/* and the machine ends */
}

/* In the middle of a sector, of a write, and of what waits for the disk */
static void moves(void **state)
{
	uint8_t before[4096];

	command(0x20, 2, 7);
	in_words(DISK_PORT, bytes, 700 & ~1);
	move();
	in_words(DISK_PORT, bytes + 700, 324);
	assert_memory_equal(bytes, disk.data + 7 * 512, 1024);
	command(0x30, 2, 7);
	out_words(DISK_PORT, bytes + 2048, 700);
	move();
	out_words(DISK_PORT, bytes + 2748, 324);
	assert_memory_equal(bytes + 2048, disk.data + 7 * 512, 1024);
	memcpy(before, disk.data + 512, sizeof(before));
	disk.waits = true;
	command(0x20, 8, 1);
	move();
	assert_true(noted.up[14]);
	disk.waits = false;
	in_words(DISK_PORT, bytes, 4096);
	assert_memory_equal(bytes, before, sizeof(before));
}

/* What a command of a large disk left is nothing for the small one beside it */
static void moves_beside(void **state)
{
	drop_machine();
	second_bus = DISK_IDE;
	make_ide();
	command(0x20, 1, DISK_SECTORS - 1);
	in_words(DISK_PORT, bytes, 512);
	outb(DISK_PORT + 6, ATA_DEV1);
	outb(DISK_PORT + 7, 0xec);
	in_words(DISK_PORT, bytes, 100);
	move();
	in_words(DISK_PORT, bytes + 100, 412);
	assert_int_equal(*(uint32_t *)(bytes + 120), CD_SECTORS * 4);
}

/* A write of what is in the buffer would be one to memory, ROM too */
static void hostile_dma(void **state)
{
	json_t *saved, *channel;

	prd(0, BUFFERS, 512 | LAST);
	command(0xca, 1, 0);
	saved = devices_save(&m);
	channel = json_array_get(json_object_get(json_object_get(
		saved, "piix3-ide.0"), "channel"), 0);
	json_object_set_new(channel, "left", json_integer(0));
	json_object_set_new(channel, "len", json_integer(512));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	/* Nor is half a sector written */
	json_object_set_new(channel, "left", json_integer(256));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_decref(saved);
}

/* Each number of a channel, and of its first drive, as a hostile state has it */
static void hostile_states(void **state)
{
	static const char *const names[] = { "phase", "at", "left", "unit", "pos",
					     "end", "len", "device" };
	unsigned int i;

	command(0x20, 2, 7);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *saved = devices_save(&m), *channel;

		channel = json_array_get(json_object_get(json_object_get(
			saved, "piix3-ide.0"), "channel"), 0);
		json_object_set_new(channel, names[i],
				    json_integer(!strcmp(names[i], "unit") ? 0 :
						 0xf0));
		/* All of it is refused, or does no harm */
		if (devices_load(&m, saved, &error)) {
			assert_non_null(strstr(error.text, "phase"));
		} else {
			in_words(DISK_PORT, bytes, 4096);
			out_words(DISK_PORT, bytes, 4096);
		}
		json_decref(saved);
		devices_reset(&m);
		command(0x20, 2, 7);
	}
}

/* Both have room at the second channel; a fifth drive has none */
static void places(void **state)
{
	unsigned int i;

	drop_machine();
	make_machine();
	devices_destroy(&m);
	memset(m.pci, 0, sizeof(m.pci));
	for (i = 0; i < 5; i++) {
		m.config.disk[i] = &disk.block;
		m.config.disk_bus[i] = DISK_IDE;
	}
	m.config.disks = 5;
	bus_destroy(&m.ports);
	bus_init(&m.ports, "port", 0xffff);
	assert_null(device_create(&m, "piix3-ide", NULL, &error));
	assert_non_null(strstr(error.text, "four drives"));
	/* What it had mapped is gone */
	bus_destroy(&m.ports);
	bus_init(&m.ports, "port", 0xffff);
}

/* A VGA unmaps its regions at its end: among others', made before it and after */
static void ends_with_others(void **state)
{
	drop_machine();
	make_machine();
	bare_device_with("vga", "romfile=none");
	bare_device("i8042");
}

/* ---- what is booted first ------------------------------------------------- */

static void boots_in_order(void **state)
{
	struct firmware told = { .files = 0 };
	struct boot_order order;
	char text[] = "order=dac,menu,menu-wait=9", all[] = "order=cd";
	char wrong[] = "order=cc", alone[] = "menu-wait=9";

	m.config.firmware = &told;
	assert_int_equal(boot_order_parse(&order, text, &error), 0);
	assert_int_equal(boot_order_kinds(&order), 0x213);
	assert_int_equal(boot_order_tell(&order, &m, &error), 0);
	assert_int_equal(told.files, 3);
	assert_string_equal(told.file[0].name, "bootorder");
	assert_string_equal(told.file[0].data,
			    "/pci@i0cf8/ide@1/drive@1/disk@0\n");
	assert_string_equal(told.file[2].name, "etc/boot-menu-wait");
	assert_memory_equal(told.file[2].data, "\x09\0", 2);
	while (told.files)
		free((void *)told.file[--told.files].data);
	assert_int_equal(boot_order_parse(&order, all, &error), 0);
	assert_int_equal(boot_order_tell(&order, &m, &error), 0);
	assert_string_equal(told.file[0].data,
			    "/pci@i0cf8/ide@1/drive@0/disk@0\n"
			    "/pci@i0cf8/ide@1/drive@1/disk@0\n");
	free((void *)told.file[0].data);
	assert_int_equal(boot_order_parse(&order, wrong, &error), -1);
	assert_int_equal(boot_order_parse(&order, alone, &error), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_drives, setup, teardown),
		cmocka_unit_test_setup_teardown(identifies, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_by_pio, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_by_pio, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(moves_by_dma, setup, teardown),
		cmocka_unit_test_setup_teardown(tables_that_are_wrong, setup,
						teardown),
		cmocka_unit_test_setup_teardown(in_flight, setup, teardown),
		cmocka_unit_test_setup_teardown(moves, setup, teardown),
		cmocka_unit_test_setup_teardown(moves_beside, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_states, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_dma, setup, teardown),
		cmocka_unit_test_setup_teardown(places, setup, teardown),
		cmocka_unit_test_setup_teardown(ends_with_others, setup, teardown),
		cmocka_unit_test_setup_teardown(boots_in_order, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
