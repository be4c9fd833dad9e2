// SPDX-License-Identifier: GPL-2.0
/* Where a RAID puts what, and what parity can recover. */
#define _GNU_SOURCE
#include "block/raid/parity.h"
#include "tests/raid_array.h"

/* What the documents of md draw: the data chunks of each row, P and Q */
static void drawn(const struct raid_layout *l, uint64_t row, const char *want)
{
	struct raid_row r;
	char text[64] = "";
	unsigned int i;

	raid_row(l, row, &r);
	for (i = 0; i < l->disks; i++) {
		unsigned int d = 0;
		char one[16] = "P";

		while (d < r.nr_data && r.data[d] != i)
			d++;
		if (d < r.nr_data)
			snprintf(one, sizeof(one), "%u",
				 (unsigned int)(row * r.nr_data + d));
		else if (r.nr_parity == 2 && r.parity[1] == i)
			strcpy(one, "Q");
		strcat(text, one);
		strcat(text, " ");
	}
	assert_string_equal(text, want);
}

/* Of one, three and two chunks: who has each chunk of the volume, and where */
static void zones(void)
{
	struct raid_layout l = { .level = 0, .disks = 3, .chunk = 4096,
				 .used = 4096, .size = { 4096, 12288, 8192 } };
	static const struct { unsigned int disk, row; }
		alternate[] = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 1, 1 },
				{ 2, 1 }, { 1, 2 } },
		original[] = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 2, 1 },
			       { 1, 1 }, { 1, 2 } };
	struct raid_place place[RAID_DISKS];
	unsigned int i;
	uint64_t len;

	assert_non_null(strstr(raid_layout_check(&l), "members that differ"));
	l.layout = RAID0_ORIGINAL;
	assert_null(raid_layout_check(&l));
	assert_int_equal(raid_capacity(&l), 6 * 4096);
	for (i = 0; i < 6; i++) {
		assert_int_equal(raid_copies(&l, i * 4096 + 7, place, &len), 1);
		assert_int_equal(place[0].disk, original[i].disk);
		assert_int_equal(place[0].at, original[i].row * 4096 + 7);
		assert_int_equal(len, 4096 - 7);
	}
	l.layout = RAID0_ALTERNATE;
	for (i = 0; i < 6; i++) {
		raid_copies(&l, i * 4096, place, &len);
		assert_int_equal(place[0].disk, alternate[i].disk);
		assert_int_equal(place[0].at, alternate[i].row * 4096);
	}
	l.layout++;
	assert_non_null(raid_layout_check(&l));
}

static void layouts(void **state)
{
	struct raid_layout l = { .level = 5, .disks = 3, .chunk = 4096,
				 .used = 1 * M,
				 .layout = RAID_LEFT_SYMMETRIC };
	uint64_t len;
	struct raid_place place[RAID_DISKS];

	drawn(&l, 0, "0 1 P ");
	drawn(&l, 1, "3 P 2 ");
	drawn(&l, 2, "P 4 5 ");
	drawn(&l, 3, "6 7 P ");
	l.layout = RAID_LEFT_ASYMMETRIC;
	drawn(&l, 1, "2 P 3 ");
	l.layout = RAID_RIGHT_ASYMMETRIC;
	drawn(&l, 0, "P 0 1 ");
	drawn(&l, 1, "2 P 3 ");
	l.layout = RAID_RIGHT_SYMMETRIC;
	drawn(&l, 1, "3 P 2 ");
	l.level = 4;
	l.layout = 0;
	drawn(&l, 1, "2 3 P ");
	l = (struct raid_layout){ .level = 6, .disks = 5, .chunk = 4096,
				  .used = 1 * M, .layout = RAID_LEFT_SYMMETRIC };
	drawn(&l, 0, "Q 0 1 2 P ");
	drawn(&l, 1, "3 4 5 P Q ");
	l.layout = RAID_LEFT_ASYMMETRIC;
	drawn(&l, 0, "Q 0 1 2 P ");
	drawn(&l, 2, "6 7 P Q 8 ");
	/* The lecture's: chunk N of the volume is on disk N mod n */
	l = (struct raid_layout){ .level = 0, .disks = 4, .chunk = 4096,
				  .used = 1 * M };
	assert_int_equal(raid_copies(&l, 4096 * 11 + 5, place, &len), 1);
	assert_int_equal(place[0].disk, 11 % 4);
	assert_int_equal(place[0].at, 11 / 4 * 4096 + 5);
	assert_int_equal(len, 4091);
	zones();
	/* Near, far and offset copies of chunk 1 of four disks */
	l.level = 10;
	l.layout = RAID10_LAYOUT(2, 1, 0);
	assert_int_equal(raid_copies(&l, 4096, place, &len), 2);
	assert_int_equal(place[0].disk, 2);
	assert_int_equal(place[1].disk, 3);
	l.layout = RAID10_LAYOUT(1, 2, 0);
	raid_copies(&l, 4096, place, &len);
	assert_int_equal(place[1].disk, 2);
	assert_int_equal(place[1].at, 512 * K);
	l.layout = RAID10_LAYOUT(1, 2, 1);
	raid_copies(&l, 4096, place, &len);
	assert_int_equal(place[1].disk, 2);
	assert_int_equal(place[1].at, 4096);
}

/* No two bytes of a volume have the same place, and all places are within */
static void no_overlap(void **state)
{
	static bool taken[DISKS][DATA / 512];
	unsigned int i, k;
	uint64_t at, len;

	for (i = 0; i < SHAPES; i++) {
		struct raid_layout l = layout_of(&shapes[i], DATA);
		struct raid_place place[RAID_DISKS];
		struct raid_row row;

		assert_null(raid_layout_check(&l));
		memset(taken, 0, sizeof(taken));
		for (at = 0; at < raid_capacity(&l); at += 512) {
			unsigned int copies = 1;

			if (raid_has_parity(&l)) {
				raid_row(&l, at / l.chunk / (l.disks -
					 raid_redundancy(&l)), &row);
				place[0].disk = row.data[at / l.chunk %
							 row.nr_data];
				place[0].at = at / l.chunk / row.nr_data *
					      l.chunk + at % l.chunk;
				assert_int_not_equal(place[0].disk,
						     row.parity[0]);
			} else {
				copies = raid_copies(&l, at, place, &len);
				assert_true(len >= 512);
			}
			for (k = 0; k < copies; k++) {
				assert_true(place[k].disk < l.disks);
				assert_true(place[k].at < DATA);
				assert_false(taken[place[k].disk]
					     [place[k].at / 512]);
				taken[place[k].disk][place[k].at / 512] = true;
			}
		}
	}
}

/* All ways to lose two of six members */
static void parity(void **state)
{
	struct raid_layout l = { .level = 6, .disks = 6, .chunk = 4096,
				 .used = 1 * M, .layout = RAID_LEFT_SYMMETRIC };
	static uint8_t is[6][4096], was[6][4096], fresh[2][4096];
	uint8_t *block[6], *old[6], *new[2] = { fresh[0], fresh[1] };
	unsigned int a, b, i;
	struct raid_row r;

	raid_row(&l, 3, &r);
	for (i = 0; i < 6; i++) {
		for (a = 0; a < 4096; a++)
			is[i][a] = draw(256);
		block[i] = is[i];
	}
	parity_make(&r, block, new, 4096);
	memcpy(is[r.parity[0]], fresh[0], 4096);
	memcpy(is[r.parity[1]], fresh[1], 4096);
	/* P is the sum; Q's first powers by hand */
	for (i = 0, a = 0; i < r.nr_data; i++)
		a ^= is[r.data[i]][7];
	assert_int_equal(a, fresh[0][7]);
	memcpy(was, is, sizeof(is));
	for (a = 0; a < 6; a++) {
		for (b = a; b < 6; b++) {
			memset(is[a], 0x5a, 4096);
			memset(is[b], 0xa5, 4096);
			assert_true(parity_recover(&r, block, 1u << a | 1u << b,
						   4096));
			for (i = 0; i < r.nr_data; i++)
				assert_memory_equal(is[r.data[i]],
						    was[r.data[i]], 4096);
			memcpy(is, was, sizeof(is));
		}
	}
	assert_false(parity_recover(&r, block, 7, 4096));
	/* A change of two blocks by the difference, and from the start */
	for (i = 1; i < 3; i++) {
		old[i] = was[r.data[i]];
		for (a = 0; a < 4096; a++)
			is[r.data[i]][a] = draw(256);
	}
	parity_update(&r, block, old, 1, 2, new, 4096);
	memcpy(was[0], fresh[0], 4096);
	memcpy(was[1], fresh[1], 4096);
	parity_make(&r, block, new, 4096);
	assert_memory_equal(was[0], fresh[0], 4096);
	assert_memory_equal(was[1], fresh[1], 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(layouts), TEST(no_overlap), TEST(parity),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
