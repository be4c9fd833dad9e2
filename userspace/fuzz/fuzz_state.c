// SPDX-License-Identifier: GPL-2.0
/*
 * A saved machine that somebody has changed, or only its devices: it is refused,
 * or a guest goes on with it. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "tests/bare.h"
#include "devices/isa/hpet.h"
#include "manage/snapshot.h"

static const char *const all[] = { "i82093aa", "i8259", "i8254", "mc146818",
				   "ns16550", "acpi-pm",
				   "debug-exit", "pci-host", "virtio-rng",
				   "virtio-balloon", "virtio-console",
				   "virtio-keyboard" };

/* What a guest does next */
static void go_on(void)
{
	unsigned int i;
	uint32_t value;

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
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		bare_device(all[i]);
	/* Machines without one are worth a try, too */
	if (memmem(data, size, "\"hpet.0\"", 8))
		bare_device("hpet");
	if (memmem(data, size, "\"i8042.0\"", 9))
		bare_device("i8042");
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
