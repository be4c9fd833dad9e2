// SPDX-License-Identifier: GPL-2.0
/*
 * A driver of floppy disks that writes at will to controller and DMA, while requests
 * wait or fail, and the machine is reset, saved and loaded. A libFuzzer target: "make
 * fuzz".
 */
#include <stdlib.h>
#include "tests/ide_driver.h"

static void save_and_load(void)
{
	json_t *saved = devices_save(&m);

	if (!saved || devices_load(&m, saved, &error))
		abort();
	json_decref(saved);
}

/* A command of nine bytes that mostly names what is there */
static void do_command(const uint8_t *in)
{
	static const uint8_t commands[] = { 0x46, 0xe6, 0x45, 0xc5, 0x4d, 0x4a,
					    0x0f, 0x07, 0x08, 0x16, 0x13, 0x02 };
	uint8_t bytes[9] = { commands[in[1] % sizeof(commands)], in[2] & 7,
			     in[3] % 82, in[2] >> 3 & 1, in[3] % 19, 2,
			     in[2] & 0x80 ? 18 : in[3] % 20, 27, 255 };
	unsigned int i;

	for (i = 0; i < sizeof(bytes) && inb(0x3f4) >> 6 == 2; i++)
		outb(0x3f5, bytes[i]);
}

/* Four bytes each: what, and three values */
static void step(const uint8_t *in)
{
	static const uint16_t ports[] = { 0x3f2, 0x3f4, 0x3f5, 0x3f7 };

	switch (in[0] % 8) {
	case 0:
		outb(ports[in[1] % 4], in[2]);
		break;
	case 1:
		inb(0x3f0 + in[1] % 8);
		break;
	case 2:
		outb(in[1] % 16, in[2]);
		break;
	case 3:
		outb((in[1] & 0x20 ? 0xc0 : 0x81) + in[1] % 32, in[2]);
		inb(in[3]);
		break;
	case 4:
		do_command(in);
		break;
	case 5:
		disk.waits = in[1] & 1;
		disk.result = in[1] & 2 ? -EIO : 0;
		disk.block.read_only = in[1] & 4;
		memory_do(&disk);
		break;
	case 6:
		outb(0x3f2, 0x1c);
		outb(0x3f7, in[1] & 3);
		outb(0x0b, 0x42 | (in[1] & 0x3c));
		outb(0x0f, 0);
		break;
	case 7:
		if (in[1] & 7)
			save_and_load();
		else
			devices_reset(&m);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memory_init(&disk, 2880);
	bare_start();
	if (memory_create(&m.memory, MEMORY, false, &error))
		abort();
	m.config.disk[0] = &disk.block;
	m.config.disks = 1;
	m.config.disk_bus[0] = DISK_FLOPPY;
	bare_device("i82077");
	for (; size >= 4; data += 4, size -= 4)
		step(data);
	drop_machine();
	return 0;
}
