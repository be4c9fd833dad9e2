// SPDX-License-Identifier: GPL-2.0
/*
 * A driver of IDE that writes at will: to its registers, the bus masters and their
 * tables, and packets, while requests wait or fail, and the machine is reset, saved
 * and loaded. A libFuzzer target: "make fuzz".
 */
#include <stdlib.h>
#include "tests/ide_driver.h"

/* What is done, one after another */
struct step {
	uint8_t what, size;
	uint16_t at;
	uint32_t value;
} __attribute__((packed));

static void save_and_load(void)
{
	json_t *saved = devices_save(&m);

	if (!saved || devices_load(&m, saved, &error))
		abort();
	json_decref(saved);
}

/* Registers as a driver would write them, and then the command */
static void do_command(uint16_t port, const struct step *s)
{
	static const uint8_t commands[] = {
		0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x42, 0xc4,
		0xc5, 0xc6, 0xc8, 0xca, 0xe7, 0xec, 0xef, 0x08, 0x90, 0x91,
		0xa0, 0xa0, 0xa0, 0xa1, 0xf8 };

	outb(port + 6, s->size & 0x5f);
	outb(port + 1, s->value);
	outb(port + 2, s->value >> 8);
	outb(port + 3, s->value >> 16);
	outb(port + 4, s->value >> 24);
	outb(port + 5, s->at & 3);
	outb(port + 7, s->at & 0x8000 ? s->at :
	     commands[s->at % sizeof(commands)]);
}

static void do_step(const struct step *s)
{
	uint16_t port = s->what & 0x80 ? 0x170 : 0x1f0;
	unsigned int size = 1u << s->size % 3, i;
	uint64_t value = s->value;
	struct in_memory *d = s->what & 0x80 ? &cd : &disk;

	switch (s->what % 16) {
	case 0:
		cfg_write(s->at & 0xfc, s->value, 4);
		break;
	case 1:
		outs(port + s->at % 8, value, size);
		break;
	case 2:
		ins(port + s->at % 8, size);
		break;
	case 3:
		outs(port + 0x206, s->value, 1);
		break;
	case 4:
		outs(BM + s->at % 16, value, size);
		break;
	case 5:
		ins(BM + s->at % 16, size);
		break;
	case 6:
		memcpy((uint8_t *)at(PRDS) + s->at % 0x200 * 4, &value, 4);
		break;
	case 7:
		outs(BM + (s->size & 8) + 4, PRDS, 4);
		outb(BM + (s->size & 8), s->value);
		break;
	case 8:
	case 9:
		do_command(port, s);
		break;
	case 10:
		for (i = 0; i < s->at % 2100; i++)
			ins(port, size);
		break;
	case 11:
		for (i = 0; i < s->at % 2100; i++)
			outs(port, value, size);
		break;
	case 12:
		d->waits = s->size & 1;
		d->result = s->size & 2 ? -EIO : 0;
		memory_do(d);
		break;
	case 13:
		save_and_load();
		break;
	case 14:
		if (s->size & 1)
			devices_reset(&m);
		cfg_write(PCI_BASE_ADDRESS_4, BM, 4);
		cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
		break;
	case 15:
		ins(port + 0x206, 1);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	second_bus = size & 1 ? DISK_IDE : DISK_CDROM;
	make_ide();
	for (; size >= sizeof(step); data += sizeof(step), size -= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		do_step(&step);
	}
	drop_machine();
	return 0;
}
