// SPDX-License-Identifier: GPL-2.0
/* See bus.h. */
#include <errno.h>
#include <string.h>
#include "bus.h"

int bus_add(struct bus *bus, uint64_t base, uint64_t len, device_access access,
	    void *device)
{
	int i;

	if (!len || base + len - 1 < base)
		return -EINVAL;
	if (bus->nr == BUS_RANGES)
		return -ENOSPC;
	for (i = 0; i < bus->nr; i++) {
		const struct bus_range *r = &bus->range[i];

		if (base <= r->base + r->len - 1 && r->base <= base + len - 1)
			return -EEXIST;
	}
	bus->range[bus->nr++] = (struct bus_range){ base, len, access, device };
	return 0;
}

void bus_access(const struct bus *bus, uint64_t address, void *data,
		unsigned int size, bool write)
{
	int i;

	if (!write)
		memset(data, 0xff, size);
	for (i = 0; i < bus->nr; i++) {
		const struct bus_range *r = &bus->range[i];

		if (address - r->base < r->len) {
			r->access(r->device, address - r->base, data, size,
				  write);
			return;
		}
	}
}
