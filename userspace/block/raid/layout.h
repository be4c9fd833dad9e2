/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a RAID puts what: pure arithmetic, with the numbers of Linux's md
 * (drivers/md/raid0.c, raid5.c, raid10.c).
 */
#ifndef MVMM_RAID_LAYOUT_H
#define MVMM_RAID_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define RAID_DISKS	32	/* members that an array can have */
#define RAID_CHUNK_MIN	4096u
#define RAID_CHUNK_MAX	(64u << 20)

/* md's numbers for the layout of RAID 5 and 6 */
enum { RAID_LEFT_ASYMMETRIC, RAID_RIGHT_ASYMMETRIC, RAID_LEFT_SYMMETRIC,
       RAID_RIGHT_SYMMETRIC, RAID_PARITY_FIRST, RAID_PARITY_LAST };
/*
 * The same of RAID 0, where members differ: larger ones go on without the smaller
 * ones. There are two ways to count them then: on from before, or anew
 */
enum { RAID0_UNKNOWN, RAID0_ORIGINAL, RAID0_ALTERNATE };
/* The same of RAID 10: copies that are near, copies that are far, and a flag */
#define RAID10_LAYOUT(near, far, offset) \
	((near) | (far) << 8 | ((offset) ? 1u << 16 : 0))

/**
 * struct raid_layout - an array's geometry
 * @level: 0, 1, 4, 5, 6 or 10
 * @layout: md's number; of 1 and 4: 0
 * @disks: members, without spares
 * @chunk: bytes that follow each other on one member; of 1: 0
 * @used: bytes of each member that hold data; of 0: of the smallest
 * @size: of 0: the same of each, whole chunks; all 0: they have @used
 */
struct raid_layout {
	unsigned int level;
	uint32_t layout;
	unsigned int disks;
	uint64_t chunk, used, size[RAID_DISKS];
};

/* NULL, or why it cannot be */
const char *raid_layout_check(const struct raid_layout *l);
/* Of 0: do its members differ? */
bool raid_has_zones(const struct raid_layout *l);
/* Bytes of the volume */
uint64_t raid_capacity(const struct raid_layout *l);
/* 4, 5 and 6: data and parity, in rows of a chunk of each member */
bool raid_has_parity(const struct raid_layout *l);
/* How many members may be lost, whichever they are */
unsigned int raid_redundancy(const struct raid_layout *l);
/*
 * What a resync walks through, and what the bitmap is of: the members' data of
 * levels with parity, else the volume. Bytes
 */
uint64_t raid_sync_size(const struct raid_layout *l);

/* ---- 0, 1, 10 ------------------------------------------------------------- */

struct raid_place {
	unsigned int disk;
	uint64_t at;		/* bytes from the start of the member's data */
};

/*
 * Where the copies of the volume's byte @at are. Returns how many there are;
 * @len: bytes from there that lie together in each
 */
unsigned int raid_copies(const struct raid_layout *l, uint64_t at,
			 struct raid_place place[RAID_DISKS], uint64_t *len);

/* ---- 4, 5, 6 --------------------------------------------------------------- */

/**
 * struct raid_row - who has what in a row
 * @data: the member of each data block, in the volume's order
 * @nr_data: how many
 * @parity: the members of P and Q
 * @nr_parity: how many
 * @power: Q is the sum of 2^power times each data block
 */
struct raid_row {
	unsigned int data[RAID_DISKS], nr_data;
	unsigned int parity[2], nr_parity;
	uint8_t power[RAID_DISKS];
};

void raid_row(const struct raid_layout *l, uint64_t row, struct raid_row *r);

#endif
