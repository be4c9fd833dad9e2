/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's memory: RAM below the devices and above 4 GiB, and ROM. It is put
 * together before the guest starts, and does not change any more; but for what is
 * below 1 MiB beside a firmware (shadow.c).
 */
#ifndef MVMM_MEMORY_H
#define MVMM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

#define RAM_MIN		(1ull << 20)
#define RAM_MAX		(1ull << 40)
#define LOW_RAM_MAX	(3ull << 30)	/* from there to 4 GiB are devices */
#define HIGH_RAM	(4ull << 30)
#define HOLE_START	0xa0000		/* VGA and option ROMs: no RAM */
#define HOLE_END	0xc0000
#define MEMORY_BLOCKS	16
#define DEVICE_MEMORY	(148ull << 20)	/* for devices; costs nothing untouched */

/* What a firmware can have RAM behind, in segments */
#define SHADOW_START	HOLE_END
#define SHADOW_END	0x100000
#define SHADOW_SIZE	(SHADOW_END - SHADOW_START)
#define SHADOW_SEGMENT	0x4000u
#define SHADOW_SEGMENTS	(SHADOW_SIZE / SHADOW_SEGMENT)
#define SHADOW_ROM	0x20000		/* so much of the ROM is seen there */
#define A20_WRAP	0x10000u	/* so much behind that is seen again at 0 */
/* Of a segment: RAM is read, and written; else ROM is read, and nothing written */
#define SHADOW_READ	(1u << 0)
#define SHADOW_WRITE	(1u << 1)

struct memory_block {
	uint64_t gpa, size;
	uint8_t *host;
	bool read_only;
};

/**
 * struct shadow - see shadow.c
 * @rom: SHADOW_ROM bytes, which end at SHADOW_END; NULL: there is no such thing
 * @read: where reads of each segment go; NULL: nowhere
 * @write: the same of writes
 * @wraps: address line 20 is masked: what is from 1 MiB on is at 0, too
 */
struct shadow {
	uint8_t *rom;
	bool wraps;
	uint8_t *read[SHADOW_SEGMENTS], *write[SHADOW_SEGMENTS];
};

/**
 * struct memory - see above
 * @base: the RAM on the host; below LOW_RAM_MAX at the guest's address
 * @size: bytes of RAM
 * @all: bytes from @base on: RAM, and what devices have of their own
 * @taken: the end of what they have
 * @low: bytes of it below LOW_RAM_MAX, with the hole
 * @high: bytes of it from HIGH_RAM on
 * @block: what is mapped where; @shadow is over it
 * @nr: how many blocks
 * @shadow: with a firmware
 * @shared: it is a memfd's
 * @fd: that memfd, @base at its beginning; -1: none
 * @of_snapshot: it is a private mapping of a snapshot's file
 */
struct memory {
	uint8_t *base;
	uint64_t size, all, taken, low, high;
	struct memory_block block[MEMORY_BLOCKS];
	unsigned int nr;
	struct shadow shadow;
	bool shared, of_snapshot;
	int fd;
};

/* @memfd: RAM that other processes can map. 0, or -1 with @error */
int memory_create(struct memory *memory, uint64_t size, bool memfd,
		  struct error *error);
void memory_destroy(struct memory *memory);
/*
 * For a device's create: pages of its own, which are saved and loaded with the
 * RAM, as the memory of a video card; zero at the beginning. NULL: there are no
 * more
 */
uint8_t *memory_take(struct memory *memory, uint64_t len);
/*
 * After it: @size bytes, if any, at @host, which end at 4 GiB; the last SHADOW_ROM of
 * them are at 1 MiB, too, at first
 */
void memory_add_rom(struct memory *memory, uint64_t size, uint8_t *host);
/* Part of it; of memory_map(); and of memory_at(), for an address in there */
void shadow_create(struct memory *memory, uint8_t *rom);
int shadow_map(const struct memory *memory, int vm);
void *shadow_at(const struct memory *memory, uint64_t gpa, uint64_t len,
		uint32_t access);
/* From now on it is so: SHADOW_READ and _WRITE. 0, or a negative errno */
int shadow_set(struct memory *memory, int vm,
	       const uint8_t way[SHADOW_SEGMENTS]);
/*
 * Beside a firmware: the gate of address line 20. Closed, what a program reaches
 * with a segment behind 1 MiB is RAM from 0 on; higher addresses stay as they are.
 * 0, or a negative errno
 */
int memory_set_a20(struct memory *memory, int vm, bool open);
/* The blocks of a VM. 0, or -1 with @error */
int memory_map(const struct memory *memory, int vm, struct error *error);
/*
 * The address of [gpa, gpa + len), or NULL if not all of it is memory in which
 * @access (MVMM_ACCESS_READ or _WRITE) is allowed
 */
void *memory_at(const struct memory *memory, uint64_t gpa, uint64_t len,
		uint32_t access);
/*
 * Gives whole pages of RAM back to the host: they are zero then. Nobody may have
 * pinned them, or they would be others than the guest's. 0, or a negative errno.
 */
int memory_discard(const struct memory *memory, void *host, uint64_t len);

#endif
