// SPDX-License-Identifier: GPL-2.0
/* Where a RAID puts what: see layout.h. */
#include <stddef.h>
#include <string.h>
#include "block/raid/layout.h"

static unsigned int near_copies(const struct raid_layout *l)
{
	return l->layout & 0xff;
}

static unsigned int far_copies(const struct raid_layout *l)
{
	return l->layout >> 8 & 0xff;
}

static bool is_offset(const struct raid_layout *l)
{
	return l->layout >> 16 & 1;
}

bool raid_has_parity(const struct raid_layout *l)
{
	return l->level >= 4 && l->level <= 6;
}

unsigned int raid_redundancy(const struct raid_layout *l)
{
	switch (l->level) {
	case 0:
		return 0;
	case 1:
		return l->disks - 1;
	case 6:
		return 2;
	case 10:
		return near_copies(l) * far_copies(l) - 1;
	default:
		return 1;
	}
}

static const char *check_raid10(const struct raid_layout *l)
{
	unsigned int copies = near_copies(l) * far_copies(l);

	if (l->layout >> 17)
		return "a RAID 10 layout that is not known here: near, far and offset are";
	if (copies < 2)
		return "a RAID 10 without copies";
	if (copies > l->disks)
		return "more copies than members";
	return NULL;
}

/* ---- RAID 0: zones --------------------------------------------------------- */

static uint64_t size_of(const struct raid_layout *l, unsigned int disk)
{
	return l->size[disk] ? l->size[disk] : l->used;
}

bool raid_has_zones(const struct raid_layout *l)
{
	unsigned int i;

	for (i = 1; !l->level && i < l->disks; i++)
		if (size_of(l, i) != size_of(l, 0))
			return true;
	return false;
}

/**
 * struct zone - chunks of all members that go so far
 * @start: in the volume, bytes
 * @row: in each of them, bytes
 * @end: of the smallest of them, bytes
 * @disks: how many
 */
struct zone {
	uint64_t start, row, end;
	unsigned int disks;
};

/* The next one; behind the last there is none with disks */
static void next_zone(const struct raid_layout *l, struct zone *z)
{
	unsigned int i;

	z->start += (z->end - z->row) * z->disks;
	z->row = z->end;
	z->disks = 0;
	for (i = 0; i < l->disks; i++) {
		uint64_t size = size_of(l, i);

		if (size <= z->row)
			continue;
		if (!z->disks++ || size < z->end)
			z->end = size;
	}
}

/* md's find_zone() and map_sector() */
static struct raid_place raid0_place(const struct raid_layout *l, uint64_t at)
{
	struct zone z = { 0 };
	uint64_t chunk, number;
	unsigned int disk = 0, i;

	do {
		next_zone(l, &z);
	} while (at - z.start >= (z.end - z.row) * z.disks);
	chunk = (at - z.start) / l->chunk;
	number = l->layout == RAID0_ORIGINAL ? at / l->chunk : chunk;
	for (i = number % z.disks; size_of(l, disk) <= z.row || i--; disk++)
		;
	return (struct raid_place){ disk, z.row + chunk / z.disks * l->chunk +
				    at % l->chunk };
}

static uint64_t raid0_capacity(const struct raid_layout *l)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < l->disks; i++)
		sum += size_of(l, i) / l->chunk * l->chunk;
	return sum;
}

/* ---- all levels -------------------------------------------------------------- */

const char *raid_layout_check(const struct raid_layout *l)
{
	static const unsigned int least[] = { [0] = 1, [1] = 1, [4] = 2,
					      [5] = 2, [6] = 4, [10] = 2 };
	bool has_layout = l->level == 5 || l->level == 6;

	if (l->level >= sizeof(least) / sizeof(least[0]) || !least[l->level])
		return "a level that is not known here: 0, 1, 4, 5, 6 and 10 are";
	if (l->disks < least[l->level])
		return "too few members for its level";
	if (l->disks > RAID_DISKS)
		return "too many members: 32 are the most";
	if (has_layout && l->layout > RAID_PARITY_LAST)
		return "a layout that is not known here";
	if (l->level == 1 ? l->chunk :
	    l->chunk < RAID_CHUNK_MIN || l->chunk > RAID_CHUNK_MAX ||
	    l->chunk & (l->chunk - 1))
		return "a chunk that is no power of two from 4 KiB to 64 MiB";
	if (l->used > UINT64_MAX / RAID_DISKS / 2 || l->used % 512 ||
	    raid_capacity(l) < 512)
		return "a size that cannot be";
	if (!l->level && l->layout > RAID0_ALTERNATE)
		return "a layout that is not known here";
	if (raid_has_zones(l) && l->layout == RAID0_UNKNOWN)
		return "members that differ, and no word of how Linux counts them (its layout): it was made before that was written down";
	return l->level == 10 ? check_raid10(l) : NULL;
}

uint64_t raid_capacity(const struct raid_layout *l)
{
	uint64_t chunks;

	if (l->level == 1)
		return l->used;
	if (!l->level)
		return raid0_capacity(l);
	chunks = l->used / l->chunk;
	if (l->level != 10)
		return chunks * l->chunk * (l->disks - raid_redundancy(l));
	if (!near_copies(l) || !far_copies(l))
		return 0;
	return chunks / far_copies(l) * l->disks / near_copies(l) * l->chunk;
}

uint64_t raid_sync_size(const struct raid_layout *l)
{
	return raid_has_parity(l) ? l->used : raid_capacity(l);
}

/* How far apart the far copies of RAID 10 are: md's calc_sectors() */
static uint64_t far_stride(const struct raid_layout *l)
{
	uint64_t chunks = raid_capacity(l) / l->chunk;

	if (is_offset(l))
		return l->chunk;
	chunks *= near_copies(l) * far_copies(l);
	return (chunks + l->disks - 1) / l->disks / far_copies(l) * l->chunk;
}

static unsigned int raid10_copies(const struct raid_layout *l, uint64_t at,
				  struct raid_place place[RAID_DISKS])
{
	uint64_t chunk = at / l->chunk * near_copies(l), row = chunk / l->disks;
	uint64_t start, stride = far_stride(l);
	unsigned int disk = chunk % l->disks, n = 0, i, far;

	if (is_offset(l))
		row *= far_copies(l);
	start = row * l->chunk + at % l->chunk;
	for (i = 0; i < near_copies(l); i++) {
		for (far = 0; far < far_copies(l); far++)
			place[n++] = (struct raid_place){
				(disk + far * near_copies(l)) % l->disks,
				start + far * stride };
		if (++disk == l->disks) {
			disk = 0;
			start += l->chunk;
		}
	}
	return n;
}

unsigned int raid_copies(const struct raid_layout *l, uint64_t at,
			 struct raid_place place[RAID_DISKS], uint64_t *len)
{
	unsigned int i;

	if (l->level == 1) {
		for (i = 0; i < l->disks; i++)
			place[i] = (struct raid_place){ i, at };
		*len = l->used - at;
		return l->disks;
	}
	*len = l->chunk - at % l->chunk;
	if (l->level == 10)
		return raid10_copies(l, at, place);
	place[0] = raid0_place(l, at);
	return 1;
}

/* The member of P: md's raid5_compute_sector() */
static unsigned int place_p(const struct raid_layout *l, uint64_t row)
{
	unsigned int last = l->disks - (l->level == 6 ? 2 : 1);

	if (l->level == 4)
		return last;
	switch (l->layout) {
	case RAID_LEFT_ASYMMETRIC:
	case RAID_LEFT_SYMMETRIC:
		return l->disks - 1 - row % l->disks;
	case RAID_RIGHT_ASYMMETRIC:
	case RAID_RIGHT_SYMMETRIC:
		return row % l->disks;
	case RAID_PARITY_FIRST:
		return 0;
	default:
		return last;
	}
}

void raid_row(const struct raid_layout *l, uint64_t row, struct raid_row *r)
{
	unsigned int p = place_p(l, row), q = (p + 1) % l->disks, i, disk;
	bool six = l->level == 6, symmetric = l->level != 4 &&
		(l->layout == RAID_LEFT_SYMMETRIC ||
		 l->layout == RAID_RIGHT_SYMMETRIC);
	uint8_t power[RAID_DISKS] = { 0 }, n = 0;

	r->nr_parity = six ? 2 : 1;
	r->nr_data = l->disks - r->nr_parity;
	r->parity[0] = p;
	r->parity[1] = q;
	/* Q counts the data from the member behind it, round the array */
	for (i = 1; six && i < l->disks; i++) {
		disk = (q + i) % l->disks;
		if (disk != p)
			power[disk] = n++;
	}
	/* Symmetric layouts begin behind the parity, the others at member 0 */
	disk = symmetric ? (six ? q : p) + 1 : 0;
	for (i = 0; i < r->nr_data; disk++) {
		disk %= l->disks;
		if (disk == p || (six && disk == q))
			continue;
		r->data[i] = disk;
		r->power[i++] = power[disk];
	}
}
