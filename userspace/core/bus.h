/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which device answers at which address. One type, for ports and for memory.
 * The map may change while vCPUs use it.
 */
#ifndef MVMM_BUS_H
#define MVMM_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"
#include "mvmm.h"

struct device;
struct bus;

/**
 * struct region_ops - what a region does
 * @min: bytes, 0: 1. A narrower read is a part of one that is so wide; of a
 *	narrower write the rest is zero
 * @max: bytes, 0: 1. A wider access is split
 * @read: returns the value at this offset of the region
 * @write: takes it
 */
struct region_ops {
	uint8_t min, max;
	uint64_t (*read)(struct device *device, uint64_t at, unsigned int size);
	void (*write)(struct device *device, uint64_t at, uint64_t value,
		      unsigned int size);
};

/**
 * struct doorbell - a write of @size bytes that the module turns into an eventfd,
 *	without an exit to this process; ports only
 * @at: offset in the region
 * @size: 1, 2 or 4
 * @eventfd: signalled by it
 * @is_on: the module does so now. If it cannot, there is an exit, as before
 */
struct doorbell {
	uint64_t at;
	unsigned int size;
	int eventfd;
	bool is_on;
};

/**
 * struct region - addresses of a device
 * @ops: what they do
 * @device: whose they are. Its lock is held during an access
 * @base: the first address, while it is mapped
 * @len: how many
 * @priority: where regions overlap the highest counts
 * @bus: where it is mapped, or NULL
 * @ram: whole pages that are there; @ops is for those who come by an exit all
 *	the same. The module has its own map of memory, where this one's priorities
 *	do not count. NULL: there are none
 * @ram_flags: MVMM_REGION_*
 * @ram_on: the module has it
 * @ram_new: bus_end() tells the module of it
 * @doorbell: they move with it
 * @doorbells: how many
 */
struct region {
	const struct region_ops *ops;
	struct device *device;
	uint64_t base, len;
	int priority;
	struct bus *bus;
	uint8_t *ram;
	uint32_t ram_flags;
	bool ram_on, ram_new;
	struct doorbell *doorbell;
	unsigned int doorbells;
};

#define BUS_REGIONS 512
#define BUS_RAM 16

/* A part of the map without overlaps, sorted by address */
struct bus_part {
	uint64_t first, last;
	uint64_t base;		/* of @region, which may move meanwhile */
	struct region *region;
};

struct bus_map {
	unsigned int nr;
	struct bus_part part[];
};

/**
 * struct bus - see above
 * @name: for messages
 * @last: the highest address
 * @vm: the VM whose ports these are, for doorbells; -1: no such
 * @memory_vm: the VM whose addresses these are, for RAM; -1: no such
 * @lock: guards what follows, against accesses
 * @region: what is mapped
 * @nr: how many
 * @map: made of them; NULL: nothing is mapped
 * @gone: RAM of regions that are mapped no more, which the module still has
 * @nr_gone: how many
 */
struct bus {
	const char *name;
	uint64_t last;
	int vm, memory_vm;
	pthread_rwlock_t lock;
	struct region *region[BUS_REGIONS];
	unsigned int nr;
	struct bus_map *map;
	struct mvmm_region gone[BUS_RAM];
	unsigned int nr_gone;
};

void bus_init(struct bus *bus, const char *name, uint64_t last);
void bus_destroy(struct bus *bus);
/*
 * Maps @region->len addresses from @base on. -1 with @error: none of them, or
 * beyond the bus; two regions of one priority overlap; no memory.
 */
int region_map(struct bus *bus, struct region *region, uint64_t base,
	       struct error *error);
/* An access that has begun may still come */
void region_unmap(struct region *region);
/*
 * The same, between bus_begin() and bus_end(): the module learns at the end, in one
 * step, which RAM goes and which comes. Meanwhile accesses wait, and the guest has
 * what it had
 */
void bus_begin(struct bus *bus);
int region_add(struct bus *bus, struct region *region, uint64_t base,
	       struct error *error);
void region_remove(struct region *region);
void bus_end(struct bus *bus);
/*
 * Where there is no device, reads give ones and writes are lost, as on a PC. The
 * caller holds no device's lock. @data: @size bytes.
 */
void bus_access(struct bus *bus, uint64_t address, void *data,
		unsigned int size, bool write);

#endif
