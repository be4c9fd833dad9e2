// SPDX-License-Identifier: GPL-2.0
/*
 * RAID on played disks: what guests write and read, members that fail, rebuilds.
 */
#define _GNU_SOURCE
#include "tests/raid_array.h"

/* ---- tests of arrays ---------------------------------------------------------------- */

static void random_work(void **state)
{
	unsigned int i;

	for (i = 0; i < SHAPES; i++) {
		played_make(shapes[i].disks, disk_size());
		guest_forget();
		format(&shapes[i], 0, i % 2);
		assert_int_equal(assemble(&shapes[i], ~0u >> (32 -
				 shapes[i].disks), false), 0);
		work(1500);
		lock();
		settle();
		scrub();
		read_everything();
		unlock();
		stop();
		/* It was shut down clean, and all is there again */
		assert_int_equal(assemble(&shapes[i], ~0u >> (32 -
				 shapes[i].disks), false), 0);
		assert_true(raid->synced == MD_ALL);
		lock();
		assert_true(sync_is_idle());
		read_everything();
		scrub();
		unlock();
		stop();
	}
}

static void fail_one(unsigned int disk)
{
	played.disk[disk].fail_reads = draw(2);
	played.disk[disk].fail_writes = true;
}

/* As many as it can lose, one after the other, in the middle of work */
static void failing_members(void **state)
{
	unsigned int i, k, losses;

	for (i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		struct raid_layout l = layout_of(s, DATA);

		losses = raid_redundancy(&l);
		if (!losses)
			continue;
		played_make(s->disks, disk_size());
		guest_forget();
		format(s, 0, true);
		assert_int_equal(assemble(s, ~0u >> (32 - s->disks), false), 0);
		work(400);
		for (k = 0; k < losses; k++) {
			fail_one((i + k) % s->disks);
			work(400);
			lock();
			settle();
			read_everything();
			unlock();
		}
		assert_int_equal(raid_degraded(raid), losses);
		assert_false(raid->broken);
		stop();
		/* Those that failed are known as such, even with all disks there */
		for (k = 0; k < losses; k++)
			played.disk[(i + k) % s->disks].fail_reads =
				played.disk[(i + k) % s->disks].fail_writes =
				false;
		assert_int_equal(assemble(s, ~0u >> (32 - s->disks), false), 0);
		assert_int_equal(raid_degraded(raid), losses);
		lock();
		read_everything();
		/* One more than it can lose: errors, and nothing is made worse */
		guest.errors = true;
		for (k = 0; k < s->disks; k++)
			played.disk[k].fail_writes = true;
		unlock();
		work(200);
		lock();
		settle();
		assert_true(raid->broken);
		unlock();
		stop();
	}
}

/* A spare takes the place, while the guest works */
static void spares(void **state)
{
	unsigned int i, k;

	for (i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		struct raid_layout l = layout_of(s, DATA);
		unsigned int losses = raid_redundancy(&l);
		uint32_t all = ~0u >> (32 - s->disks - losses);

		if (!losses)
			continue;
		played_make(s->disks + losses, disk_size());
		guest_forget();
		format(s, losses, true);
		assert_int_equal(assemble(s, all, false), 0);
		work(300);
		for (k = 0; k < losses; k++) {
			fail_one((i + k) % s->disks);
			work(1500);
			lock();
			settle();
			unlock();
		}
		lock();
		assert_int_equal(raid_degraded(raid), 0);
		scrub();
		read_everything();
		unlock();
		stop();
		/* Without those that failed it is whole */
		for (k = 0; k < losses; k++)
			all &= ~(1u << (i + k) % s->disks);
		assert_int_equal(assemble(s, all, false), 0);
		assert_int_equal(raid_degraded(raid), 0);
		lock();
		read_everything();
		unlock();
		stop();
	}
}

/* Sectors that cannot be read are written again from the others */
static void bad_sectors(void **state)
{
	unsigned int i, k;

	for (i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		struct raid_layout l = layout_of(s, DATA);

		if (!raid_redundancy(&l))
			continue;
		played_make(s->disks, disk_size());
		guest_forget();
		format(s, 0, true);
		assert_int_equal(assemble(s, ~0u >> (32 - s->disks), false), 0);
		work(500);
		lock();
		settle();
		for (k = 0; k < s->disks; k++) {
			struct played *d = &played.disk[k];

			d->bad_at = MD_DATA_AT + draw(DATA / 512) * 512;
			d->bad_len = 512;
			read_everything();
			scrub();
			assert_int_equal(d->bad_len, 0);
		}
		assert_int_equal(raid_degraded(raid), 0);
		unlock();
		stop();
	}
}

/* A spare is taken away in the middle of anything */
static void removed_spares(void **state)
{
	const struct shape five = { 5, 3, RAID_LEFT_SYMMETRIC, 8 * K,
				    MD_BITMAP };
	json_t *name = json_pack("{s:s}", "member", "disk3"), *answer;
	unsigned int i, k;

	for (i = 0; i < 100; i++) {
		played_make(4, disk_size());
		guest_forget();
		format(&five, 1, true);
		assert_int_equal(assemble(&five, 15, false), 0);
		work(draw(40));
		answer = raid->block.ops->command(&raid->block, "remove", name,
						  &error);
		assert_non_null(answer);
		json_decref(answer);
		assert_false(played.disk[3].taken);
		for (k = 0; k < played.nr; k++)
			assert_ptr_not_equal(played.pending[k].disk,
					     &played.disk[3]);
		work(200);
		lock();
		settle();
		scrub();
		unlock();
		stop();
	}
	json_decref(name);
}

static void refusals(void **state)
{
	const struct shape five = { 5, 3, RAID_LEFT_SYMMETRIC, 64 * K,
				    MD_BITMAP };
	const struct shape one = { 1, 3, 0, 0, MD_BITMAP };

	played_make(4, disk_size());
	assert_int_equal(assemble(&five, 7, false), -1);
	assert_non_null(strstr(error.text, "mvmm raid create"));
	format(&five, 0, true);
	assert_int_equal(assemble(&one, 7, false), -1);
	assert_non_null(strstr(error.text, "is a RAID 5"));
	assert_int_equal(assemble(&five, 15, false), -1);
	assert_non_null(strstr(error.text, "disk3 has no superblock"));
	assert_int_equal(assemble(&five, 1, false), -1);
	assert_non_null(strstr(error.text, "2 of 3 members are missing"));
	/* Not shut down, and one is missing */
	assert_int_equal(assemble(&five, 7, false), 0);
	guest_forget();
	work(100);
	kill_it();
	assert_int_equal(assemble(&five, 3, false), -1);
	assert_non_null(strstr(error.text, "The option force"));
	assert_int_equal(assemble(&five, 3, true), 0);
	stop();
	played.disk[0].data[MD_SUPER_AT + 100] ^= 1;
	assert_int_equal(assemble(&five, 7, false), -1);
	assert_non_null(strstr(error.text, "checksum"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refusals), TEST(random_work), TEST(failing_members),
		TEST(spares), TEST(bad_sectors), TEST(removed_spares),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
