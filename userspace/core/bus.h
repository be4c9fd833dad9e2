/* SPDX-License-Identifier: GPL-2.0 */
/* Which device answers at which address. One type, for ports and for MMIO. */
#ifndef MVMM_BUS_H
#define MVMM_BUS_H

#include "devices/isa/devices.h"

#define BUS_RANGES 32

struct bus_range {
	uint64_t base, len;
	unsigned int max;	/* bytes that the device takes at a time */
	device_access access;
	void *device;
};

struct bus {
	struct bus_range range[BUS_RANGES];
	int nr;
};

/*
 * 0; -EINVAL: the range is empty or wraps; -EEXIST: it overlaps another;
 * -ENOSPC: the bus is full
 */
int bus_add(struct bus *bus, uint64_t base, uint64_t len, unsigned int max,
	    device_access access, void *device);
/*
 * An access that is wider than the device, or reaches beyond it, is split. Where
 * there is no device, reads give ones and writes are lost, as on a PC.
 */
void bus_access(const struct bus *bus, uint64_t address, void *data,
		unsigned int size, bool write);

#endif
