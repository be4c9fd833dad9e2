// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that writes at will: to PCI configuration space, to the registers of
 * a virtio-blk, and to its rings. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "block/block.h"
#include "tests/virtio_driver.h"

/* What is done, one after another */
struct step {
	uint8_t what, size;
	uint16_t at;
	uint32_t value;
} __attribute__((packed));

static struct block *disk;
static bool loop_ran;

static bool once(void *ctx)
{
	bool ran = loop_ran;

	loop_ran = true;
	return ran;
}

static void start(void)
{
	static int file = -1;
	static char path[64];
	struct block_config config = { .path = path };

	if (file < 0) {
		file = memfd_create("disk", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
		if (ftruncate(file, 65536))
			abort();
	}
	bare_start();
	/* Nobody reads what the device says of each broken ring */
	m.warnings = MACHINE_WARNINGS;
	if (memory_create(&m.memory, MEMORY, false, &error))
		abort();
	disk = file_open(&config, &error);
	if (!disk)
		abort();
	m.disk[0] = disk;
	bare_device("pci-host");
	bare_device("virtio-blk");
}

static void stop(void)
{
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
}

static void do_step(const struct step *s)
{
	unsigned int size = 1u << (s->size & 3);
	uint64_t value = s->value;

	switch (s->what % 8) {
	case 0:
		cfg_write(s->at & 0xfc, s->value, 4);
		break;
	case 1:
		bus_access(&m.mmio, PCI_ECAM + s->at, &value, size,
			   s->size & 4);
		break;
	case 2:
		reg_write(s->at & 0x3fff, s->value, size);
		break;
	case 3:
		reg_read(s->at & 0x3fff, size);
		break;
	case 4:
		/* The rings, and what they point to */
		memcpy((uint8_t *)at(DESC) + s->at % 0x8000, &value, 4);
		break;
	case 5:
		offer(s->value);
		kick();
		break;
	case 6:
		make_request(s->at % (RING - 2), s->value & 15, s->value >> 8,
			     BUFFERS + (s->value >> 4), 1u << (s->size % 20));
		offer(s->at % (RING - 2));
		kick();
		break;
	default:
		driver_start(s->value);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	start();
	driver_start(F_INDIRECT | F_EVENT_IDX);
	for (; size >= sizeof(step); size -= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		do_step(&step);
		data += sizeof(step);
	}
	/* What the disk has done comes back */
	loop_ran = false;
	loop_wake(&m.loop);
	loop_run(&m.loop, once, NULL);
	stop();
	return 0;
}
