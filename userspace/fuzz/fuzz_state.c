// SPDX-License-Identifier: GPL-2.0
/*
 * A saved machine that somebody has changed, or only its devices: it is refused,
 * or a guest goes on with it. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "devices/isa/fw_cfg.h"
#include "devices/isa/hpet.h"
#include "manage/snapshot.h"
#include "tests/ide_driver.h"
#include "tests/played_port.h"

static const char *const all[] = { "i82093aa", "i8259", "i8254", "mc146818",
				   "ns16550", "acpi-pm",
				   "debug-exit", "pci-host", "virtio-rng",
				   "virtio-balloon", "virtio-console",
				   "virtio-keyboard" };
/* Machines without one are worth a try, too: those whose state there is */
static const char *const others[][2] = {
	{ "hpet" }, { "i8042" }, { "i82077" }, { "fw_cfg" }, { "pflash" },
	{ "lpc" }, { "piix3-ide" }, { "virtio-blk" }, { "virtio-net" },
	{ "e1000" }, { "virtio-tablet" }, { "virtio-gpu" },
	{ "vga", "romfile=none" } };

/* What these have behind them */
static void configure(void)
{
	static struct firmware told = { .files = 1, .file = {
		{ "etc/one", "one", 3 } } };
	static uint8_t flash[2 * 4096] __attribute__((aligned(4096)));
	static struct in_memory floppy, other;

	memory_init(&disk, DISK_SECTORS);
	memory_init(&cd, CD_SECTORS * 4);
	memory_init(&floppy, 2880);
	memory_init(&other, 64);
	/* The first is virtio-blk's, which takes any */
	m.config.disk[0] = &other.block;
	m.config.disk[1] = &disk.block;
	m.config.disk[2] = &cd.block;
	m.config.disk[3] = &floppy.block;
	m.config.disks = 4;
	m.config.disk_bus[1] = DISK_IDE;
	m.config.disk_bus[2] = DISK_CDROM;
	m.config.disk_bus[3] = DISK_FLOPPY;
	played_init(&m.loop);
	m.config.nic[0].port = m.config.nic[1].port = &played.port;
	m.config.nics = 2;
	m.config.firmware = &told;
	memset(flash, 0xff, sizeof(flash));
	m.config.flash = (struct flash){ 0xffc00000, flash, sizeof(flash), -1 };
}

static void make_others(const uint8_t *data, size_t size)
{
	char name[32];
	unsigned int i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(name, sizeof(name), "\"%s.0\"", others[i][0]);
		if (memmem(data, size, name, strlen(name)))
			bare_device_with(others[i][0], others[i][1]);
	}
}

/* What a guest does next */
static void go_on(void)
{
	uint64_t flash = 0xffc00000, i, value = 0;

	for (i = 0; i < 0x1000; i++) {
		inb(i);
		outb(i, i);
	}
	for (i = 0; i < 64; i++) {
		bus_access(&m.mmio, IOAPIC_BASE, &i, 4, true);
		bus_access(&m.mmio, IOAPIC_BASE + 0x10, &value, 4, false);
	}
	for (i = 0; i < 0x160; i += 4) {
		bus_access(&m.mmio, HPET_BASE + i, &value, 4, false);
		bus_access(&m.mmio, HPET_BASE + i, &value, 4, true);
	}
	for (i = 0; i < 0x100; i++) {
		value = i;
		bus_access(&m.mmio, flash + i, &value, 1, i & 1);
	}
	for (i = 0; i < 4; i++) {
		m.clock.stopped_at += 1000000;
		run_timers();
	}
}

/* With one vCPU, if it is a whole machine */
static int load(const json_t *saved)
{
	static struct mvmm_run run;

	if (!json_object_get(saved, "format"))
		return devices_load(&m, saved, &error);
	m.nr_vcpus = 1;
	m.vcpu[0] = (struct vcpu){ .machine = &m, .fd = -1, .run = &run };
	return machine_load(&m, saved, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct chardev console;
	json_t *saved = json_loadb((const char *)data, size, 0, NULL);
	unsigned int i;

	if (!saved)
		return 0;
	bare_start();
	m.warnings = MACHINE_WARNINGS;
	if (memory_create(&m.memory, RAM_MIN, false, &error))
		abort();
	console = (struct chardev){ .ops = wire.chardev.ops, .is_open = true };
	m.config.port[0].chardev = &console;
	m.config.ports = 1;
	m.config.defaults = "packed";
	configure();
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		bare_device(all[i]);
	make_others(data, size);
	if (!load(saved))
		go_on();
	else if (!error.text[0])
		abort();
	json_decref(saved);
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}
