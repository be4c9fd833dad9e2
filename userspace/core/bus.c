// SPDX-License-Identifier: GPL-2.0
/* See bus.h. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "core/bus.h"
#include "core/device.h"
#include "libmvmm.h"

void bus_init(struct bus *bus, const char *name, uint64_t last)
{
	pthread_rwlockattr_t attr;

	*bus = (struct bus){ .name = name, .last = last, .vm = -1,
			     .memory_vm = -1 };
	/* vCPUs that access all the time must not keep a change out */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&bus->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

void bus_destroy(struct bus *bus)
{
	free(bus->map);
	bus->map = NULL;
	pthread_rwlock_destroy(&bus->lock);
}

static uint64_t last_of(const struct region *r)
{
	return r->base + r->len - 1;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Who answers at @address? */
static struct region *winner(const struct bus *bus, uint64_t address)
{
	struct region *best = NULL;
	unsigned int i;

	for (i = 0; i < bus->nr; i++) {
		struct region *r = bus->region[i];

		if (address - r->base < r->len &&
		    (!best || r->priority > best->priority))
			best = r;
	}
	return best;
}

/* The map changes only where a region begins or has ended */
static struct bus_map *make_map(const struct bus *bus)
{
	uint64_t edge[2 * BUS_REGIONS];
	struct bus_map *map;
	unsigned int i, n = 0;

	map = malloc(sizeof(*map) + 2 * bus->nr * sizeof(map->part[0]));
	if (!map)
		return NULL;
	map->nr = 0;
	for (i = 0; i < bus->nr; i++) {
		edge[n++] = bus->region[i]->base;
		if (last_of(bus->region[i]) < bus->last)
			edge[n++] = last_of(bus->region[i]) + 1;
	}
	qsort(edge, n, sizeof(edge[0]), by_address);
	for (i = 0; i < n; i++) {
		uint64_t last = i + 1 < n ? edge[i + 1] - 1 : bus->last;
		struct region *region = winner(bus, edge[i]);

		if (region && (i + 1 == n || edge[i + 1] != edge[i]))
			map->part[map->nr++] = (struct bus_part){
				edge[i], last, region->base, region };
	}
	return map;
}

/* Makes the map anew; on failure it stays as it is */
static int remap(struct bus *bus)
{
	struct bus_map *map = make_map(bus), *old = bus->map;

	if (!map)
		return -1;
	bus->map = map;
	free(old);
	return 0;
}

static int check(const struct bus *bus, const struct region *region,
		 struct error *error)
{
	uint64_t last = last_of(region);
	unsigned int i;

	/* A narrow access within a wider minimum has to fit into 8 bytes */
	if (!region->len || last < region->base || last > bus->last ||
	    region->ops->min > 4)
		return fail(error, STATUS_OS,
			    "%s 0x%llx to 0x%llx cannot be mapped: the last is 0x%llx",
			    bus->name, (unsigned long long)region->base,
			    (unsigned long long)last,
			    (unsigned long long)bus->last);
	if (bus->nr == BUS_REGIONS)
		return fail(error, STATUS_OS, "%s: more than %u regions",
			    bus->name, BUS_REGIONS);
	for (i = 0; i < bus->nr; i++) {
		const struct region *r = bus->region[i];

		if (r->priority == region->priority && r->base <= last &&
		    region->base <= last_of(r))
			return fail(error, STATUS_OS,
				    "%s 0x%llx to 0x%llx overlaps another region of the same priority, from 0x%llx",
				    bus->name,
				    (unsigned long long)region->base,
				    (unsigned long long)last,
				    (unsigned long long)r->base);
	}
	return 0;
}

/* Where a region of higher priority hides one, the module must not know it */
static void set_doorbells(struct region *region, bool on)
{
	struct bus *bus = region->bus;
	unsigned int i;

	for (i = 0; i < region->doorbells; i++) {
		struct doorbell *d = &region->doorbell[i];
		uint64_t port = region->base + d->at;
		bool wanted = on && bus->vm >= 0 &&
			      winner(bus, port) == region;

		if (d->is_on == wanted)
			continue;
		/* -ENOSPC and the like: then it is an exit */
		d->is_on = !mvmm_ioeventfd(bus->vm, port, d->size, d->eventfd,
					   wanted ? 0 :
					   MVMM_IOEVENTFD_DEASSIGN, 0) &&
			   wanted;
	}
}

/* After any change: one may be hidden now, another not any more */
static void set_all_doorbells(struct bus *bus)
{
	unsigned int i;

	for (i = 0; i < bus->nr; i++)
		set_doorbells(bus->region[i], true);
}

/*
 * Without a log there is no harm: whoever wants it then asks in vain. If the guest
 * has put it over RAM, all is exits.
 */
static void map_ram(struct region *region)
{
	int vm = region->bus->memory_vm, ret;
	uint32_t flags = region->ram_flags;

	if (!region->ram || vm < 0)
		return;
	ret = mvmm_add_region(vm, region->base, region->len, region->ram,
			      flags);
	if (ret && flags & MVMM_REGION_LOG_DIRTY)
		ret = mvmm_add_region(vm, region->base, region->len,
				      region->ram,
				      flags & ~MVMM_REGION_LOG_DIRTY);
	region->ram_on = !ret;
}

static void unmap_ram(struct region *region)
{
	if (region->ram_on)
		mvmm_remove_region(region->bus->memory_vm, region->base,
				   region->len);
	region->ram_on = false;
}

int region_map(struct bus *bus, struct region *region, uint64_t base,
	       struct error *error)
{
	int ret;

	pthread_rwlock_wrlock(&bus->lock);
	region->base = base;
	ret = check(bus, region, error);
	if (!ret) {
		bus->region[bus->nr++] = region;
		region->bus = bus;
		if (remap(bus)) {
			bus->nr--;
			region->bus = NULL;
			ret = fail(error, STATUS_OS, "%s: no memory",
				   bus->name);
		} else {
			set_all_doorbells(bus);
			map_ram(region);
		}
	}
	pthread_rwlock_unlock(&bus->lock);
	return ret;
}

void region_unmap(struct region *region)
{
	struct bus *bus = region->bus;
	unsigned int i;

	if (!bus)
		return;
	pthread_rwlock_wrlock(&bus->lock);
	set_doorbells(region, false);
	unmap_ram(region);
	for (i = 0; bus->region[i] != region; i++)
		;
	bus->region[i] = bus->region[--bus->nr];
	region->bus = NULL;
	/* Without memory for a new map: take it out of this one */
	if (remap(bus))
		for (i = 0; i < bus->map->nr; i++)
			if (bus->map->part[i].region == region)
				bus->map->part[i].region = NULL;
	set_all_doorbells(bus);
	pthread_rwlock_unlock(&bus->lock);
}

/* A copy of the part with @address, or of the gap: then its region is NULL */
static struct bus_part find(struct bus *bus, uint64_t address)
{
	struct bus_part found = { address, ~0ull, address, NULL };
	unsigned int low = 0, high, i;

	pthread_rwlock_rdlock(&bus->lock);
	high = bus->map ? bus->map->nr : 0;
	while (low < high) {
		const struct bus_part *part;

		i = (low + high) / 2;
		part = &bus->map->part[i];
		if (address > part->last) {
			low = i + 1;
		} else if (address < part->first) {
			high = i;
			found.last = part->first - 1;
		} else {
			found = *part;
			break;
		}
	}
	pthread_rwlock_unlock(&bus->lock);
	return found;
}


/* One access of a device, @size bytes, not wider than it takes */
static void access_region(const struct region *r, uint64_t at, void *data,
			  unsigned int size, bool write)
{
	unsigned int min = r->ops->min, part = 0;
	uint64_t value = 0;

	if (size < min) {
		part = at & (min - 1);
		at -= part;
	}
	pthread_mutex_lock(r->device->lock);
	if (write) {
		memcpy((uint8_t *)&value + part, data, size);
		r->ops->write(r->device, at, value, size < min ? min : size);
	} else {
		value = r->ops->read(r->device, at, size < min ? min : size);
		memcpy(data, (uint8_t *)&value + part, size);
	}
	pthread_mutex_unlock(r->device->lock);
}

void bus_access(struct bus *bus, uint64_t address, void *data,
		unsigned int size, bool write)
{
	unsigned int n, max;

	for (; size; size -= n, address += n, data = (uint8_t *)data + n) {
		struct bus_part part = find(bus, address);
		uint64_t left = part.last - address;

		/* In one go: a region may come here meanwhile */
		if (!part.region) {
			n = left < size - 1 ? left + 1 : size;
			if (!write)
				memset(data, 0xff, n);
			continue;
		}
		n = 1;
		/* As much as is left, the device takes, and the part has */
		max = part.region->ops->max;
		while (2 * n <= size && 2 * n <= max && 2 * n - 1 <= left)
			n *= 2;
		access_region(part.region, address - part.base, data, n, write);
	}
}
