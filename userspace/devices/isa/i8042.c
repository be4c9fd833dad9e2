// SPDX-License-Identifier: GPL-2.0
/* Intel 8042: only the part by which operating systems reset the machine. */
#include "devices.h"

#define PULSE_RESET 0xfe

void i8042_command(void *opaque, uint64_t offset, void *data,
		   unsigned int size, bool write)
{
	struct power *power = opaque;
	uint8_t *value = data;

	/* Reads give ones: there is no controller, and FADT says so */
	if (write && *value == PULSE_RESET)
		power->reset(power->ctx);
}
