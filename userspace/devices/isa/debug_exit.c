// SPDX-License-Identifier: GPL-2.0
/* A port that ends the guest: the byte written to it is the exit status. */
#include "core/machine.h"

struct debug_exit {
	struct device device;
	struct region region;
};

static uint64_t debug_exit_read(struct device *device, uint64_t at,
				unsigned int size)
{
	return 0xff;
}

static void debug_exit_write(struct device *device, uint64_t at, uint64_t value,
			     unsigned int size)
{
	/* Of these a reader would think that they are mvmm's, which failed */
	if (value >= STATUS_USAGE && value <= STATUS_RESET)
		machine_end(device->machine, value,
			    "the status %u is the guest's own",
			    (unsigned int)value);
	else
		machine_end(device->machine, value, "%s", "");
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .read = debug_exit_read,
					       .write = debug_exit_write };
	struct debug_exit *chip = (struct debug_exit *)device;

	chip->region = (struct region){ &ops, device, .len = 1 };
	return region_map(&device->machine->ports, &chip->region, 0xf4, error);
}

static const struct field fields[] = { FIELDS_END };

static const struct device_class debug_exit = {
	.name = "debug-exit", .size = sizeof(struct debug_exit),
	.fields = fields, .create = create,
};
DEVICE_CLASS(debug_exit);
