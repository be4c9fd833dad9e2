// SPDX-License-Identifier: GPL-2.0
/* P and Q, and what is lost: see parity.h. */
#include <isa-l.h>
#include <string.h>
#include "block/raid/parity.h"

#define GENERATOR	2
#define SOURCES		(2 * RAID_DISKS + 2)
#define TABLE		32	/* libisal's, for each factor */

static uint8_t power_of(unsigned int exponent)
{
	uint8_t value = 1;

	while (exponent--)
		value = gf_mul(value, GENERATOR);
	return value;
}

/* to[row] = the sum of factor[row * n + i] * from[i] */
static void combine(uint8_t *factor, unsigned int n, unsigned int rows,
		    uint8_t **from, uint8_t **to, size_t len)
{
	uint8_t tables[TABLE * SOURCES * 2];

	ec_init_tables(n, rows, factor, tables);
	ec_encode_data(len, n, rows, tables, from, to);
}

void parity_make(const struct raid_row *r, uint8_t *const block[],
		 uint8_t *const parity[2], size_t len)
{
	uint8_t factor[2 * SOURCES], *from[SOURCES];
	uint8_t *to[2] = { parity[0], parity[1] };
	unsigned int i;

	for (i = 0; i < r->nr_data; i++) {
		from[i] = block[r->data[i]];
		factor[i] = 1;
		factor[r->nr_data + i] = power_of(r->power[i]);
	}
	combine(factor, r->nr_data, r->nr_parity, from, to, len);
}

void parity_update(const struct raid_row *r, uint8_t *const block[],
		   uint8_t *const old[], unsigned int first, unsigned int n,
		   uint8_t *const parity[2], size_t len)
{
	unsigned int total = 2 * n + r->nr_parity, i;
	uint8_t factor[2 * SOURCES] = { 0 }, *from[SOURCES];
	uint8_t *to[2] = { parity[0], parity[1] };

	for (i = 0; i < n; i++) {
		from[i] = old[first + i];
		from[n + i] = block[r->data[first + i]];
		factor[i] = factor[n + i] = 1;
		factor[total + i] = factor[total + n + i] =
			power_of(r->power[first + i]);
	}
	for (i = 0; i < r->nr_parity; i++) {
		from[2 * n + i] = block[r->parity[i]];
		factor[i * total + 2 * n + i] = 1;
	}
	combine(factor, total, r->nr_parity, from, to, len);
}

/*
 * The equations of those blocks that are there, as many as there are data
 * blocks: data first, then P, then Q. False: there are not so many.
 */
static bool choose(const struct raid_row *r, uint8_t *const block[],
		   uint32_t lost, uint8_t *matrix, uint8_t **from)
{
	unsigned int n = r->nr_data, have = 0, i, p;

	for (i = 0; i < n; i++) {
		if (lost >> r->data[i] & 1)
			continue;
		from[have] = block[r->data[i]];
		matrix[have++ * n + i] = 1;
	}
	for (p = 0; p < r->nr_parity && have < n; p++) {
		if (lost >> r->parity[p] & 1)
			continue;
		from[have] = block[r->parity[p]];
		for (i = 0; i < n; i++)
			matrix[have * n + i] = p ? power_of(r->power[i]) : 1;
		have++;
	}
	return have == n;
}

bool parity_recover(const struct raid_row *r, uint8_t *const block[],
		    uint32_t lost, size_t len)
{
	uint8_t matrix[RAID_DISKS * RAID_DISKS] = { 0 };
	uint8_t inverse[RAID_DISKS * RAID_DISKS], factor[2 * RAID_DISKS];
	uint8_t *from[SOURCES], *to[2];
	unsigned int n = r->nr_data, rows = 0, i;

	if (!choose(r, block, lost, matrix, from) ||
	    gf_invert_matrix(matrix, inverse, n))
		return false;
	/* choose() found enough, so that at most two are lost */
	for (i = 0; i < n; i++) {
		if (!(lost >> r->data[i] & 1))
			continue;
		memcpy(factor + rows * n, inverse + i * n, n);
		to[rows++] = block[r->data[i]];
	}
	if (rows)
		combine(factor, n, rows, from, to, len);
	return true;
}
