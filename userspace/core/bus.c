// SPDX-License-Identifier: GPL-2.0
/* See bus.h. */
#include <errno.h>
#include <string.h>
#include "core/bus.h"

int bus_add(struct bus *bus, uint64_t base, uint64_t len, unsigned int max,
	    device_access access, void *device)
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
	bus->range[bus->nr++] = (struct bus_range){ base, len, max,
						    access, device };
	return 0;
}

static const struct bus_range *find(const struct bus *bus, uint64_t address)
{
	int i;

	for (i = 0; i < bus->nr; i++)
		if (address - bus->range[i].base < bus->range[i].len)
			return &bus->range[i];
	return NULL;
}

void bus_access(const struct bus *bus, uint64_t address, void *data,
		unsigned int size, bool write)
{
	unsigned int n;

	if (!write)
		memset(data, 0xff, size);
	for (; size; size -= n, address += n, data = (uint8_t *)data + n) {
		const struct bus_range *r = find(bus, address);
		uint64_t end;

		n = 1;
		if (!r)
			continue;
		/* As much as is left, the device takes, and the range has */
		end = r->len - (address - r->base);
		while (2 * n <= size && 2 * n <= r->max && 2 * n <= end)
			n *= 2;
		r->access(r->device, address - r->base, data, n, write);
	}
}
