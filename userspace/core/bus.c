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
 * One by itself. Without a log there is no harm: whoever wants it then asks in vain.
 * If the guest has put it over RAM, all is exits.
 */
static bool add_ram(int vm, const struct mvmm_region *ram)
{
	void *host = (void *)(uintptr_t)ram->hva;
	uint32_t log = ram->flags & MVMM_REGION_LOG_DIRTY;

	return !mvmm_add_region(vm, ram->gpa, ram->len, host, ram->flags) ||
	       (log && !mvmm_add_region(vm, ram->gpa, ram->len, host,
					ram->flags & ~log));
}

/* Tells the module what has changed: in one step, unless it refuses a part of it */
static void change_ram(struct bus *bus)
{
	struct mvmm_region add[BUS_RAM];
	struct region *added[BUS_RAM];
	unsigned int i, nr = 0;
	bool done;

	for (i = 0; i < bus->nr && nr < BUS_RAM; i++) {
		struct region *r = bus->region[i];

		if (!r->ram_new)
			continue;
		r->ram_new = false;
		added[nr] = r;
		add[nr++] = (struct mvmm_region){
			.flags = r->ram_flags, .gpa = r->base, .len = r->len,
			.hva = (uintptr_t)r->ram };
	}
	if (!nr && !bus->nr_gone)
		return;
	done = !mvmm_change_regions(bus->memory_vm, bus->gone, bus->nr_gone,
				    add, nr);
	for (i = 0; i < bus->nr_gone && !done; i++)
		mvmm_remove_region(bus->memory_vm, bus->gone[i].gpa,
				   bus->gone[i].len);
	bus->nr_gone = 0;
	for (i = 0; i < nr; i++)
		added[i]->ram_on = done || add_ram(bus->memory_vm, &add[i]);
	if (nr == BUS_RAM)
		change_ram(bus);
}

void bus_begin(struct bus *bus)
{
	pthread_rwlock_wrlock(&bus->lock);
}

void bus_end(struct bus *bus)
{
	change_ram(bus);
	pthread_rwlock_unlock(&bus->lock);
}

int region_add(struct bus *bus, struct region *region, uint64_t base,
	       struct error *error)
{
	region->base = base;
	if (check(bus, region, error))
		return -1;
	bus->region[bus->nr++] = region;
	region->bus = bus;
	if (remap(bus)) {
		bus->nr--;
		region->bus = NULL;
		return fail(error, STATUS_OS, "%s: no memory", bus->name);
	}
	set_all_doorbells(bus);
	region->ram_new = region->ram && bus->memory_vm >= 0;
	return 0;
}

void region_remove(struct region *region)
{
	struct bus *bus = region->bus;
	unsigned int i;

	if (!bus)
		return;
	set_doorbells(region, false);
	if (region->ram_on)
		bus->gone[bus->nr_gone++] = (struct mvmm_region){
			.gpa = region->base, .len = region->len };
	region->ram_on = region->ram_new = false;
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
	if (bus->nr_gone == BUS_RAM)
		change_ram(bus);
}

int region_map(struct bus *bus, struct region *region, uint64_t base,
	       struct error *error)
{
	int ret;

	bus_begin(bus);
	ret = region_add(bus, region, base, error);
	bus_end(bus);
	return ret;
}

void region_unmap(struct region *region)
{
	struct bus *bus = region->bus;

	if (!bus)
		return;
	bus_begin(bus);
	region_remove(region);
	bus_end(bus);
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

/* evening 8: from an address to a device */
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
