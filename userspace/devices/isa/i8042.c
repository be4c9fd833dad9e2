// SPDX-License-Identifier: GPL-2.0
/*
 * Intel 8042: only the part by which operating systems reset the machine. Reads
 * give ones: there is no controller, and the FADT says so.
 */
#include "core/machine.h"

#define PULSE_RESET 0xfe

struct i8042 {
	struct device device;
	struct region region;
};

static uint64_t i8042_read(struct device *device, uint64_t at,
			   unsigned int size)
{
	return 0xff;
}

static void i8042_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	/* A reboot ends mvmm: what was booted is in the command's arguments */
	if (value == PULSE_RESET)
		machine_end(device->machine, STATUS_RESET,
			    "the guest reset itself: a reboot, or a panic with panic=-1");
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .read = i8042_read,
					       .write = i8042_write };
	struct i8042 *chip = (struct i8042 *)device;

	chip->region = (struct region){ &ops, device, .len = 1 };
	return region_map(&device->machine->ports, &chip->region, 0x64, error);
}

static const struct field fields[] = { FIELDS_END };

static const struct device_class i8042 = {
	.name = "i8042", .size = sizeof(struct i8042), .fields = fields,
	.create = create,
};
DEVICE_CLASS(i8042);
