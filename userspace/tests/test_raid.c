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

static bool says_clean(const uint8_t *super)
{
	struct md_super s;

	return !md_parse(&s, super, disk_size(), "a disk", &error) &&
	       s.synced == MD_ALL;
}

/* Data is written only when no superblock says clean, or is about to */
static void not_clean(const struct block_request *r)
{
	unsigned int i;

	if (r->op == BLOCK_READ || r->op == BLOCK_FLUSH || r->at < MD_DATA_AT)
		return;
	for (i = 0; i < played.nr; i++) {
		const struct block_request *other = played.pending[i].request;

		if (other->op == BLOCK_WRITE && other->at == MD_SUPER_AT)
			assert_false(says_clean(other->iov->iov_base));
	}
	for (i = 0; i < raid->layout.disks; i++)
		assert_false(says_clean(played.disk[i].data + MD_SUPER_AT));
}

static void clean_is_true(void **state)
{
	unsigned int i, k;

	for (i = 0; i < SHAPES; i++) {
		/* With a journal what it has is in sync, clean or not */
		if (!shapes[i].level || has_journal(&shapes[i]))
			continue;
		played_make(shapes[i].disks, disk_size());
		guest_forget();
		format(&shapes[i], 0, true);
		assert_int_equal(assemble(&shapes[i], ~0u >> (32 -
				 shapes[i].disks), false), 0);
		played.look = not_clean;
		/* Pauses in which it becomes clean, and writes in the midst */
		for (k = 0; k < 100; k++) {
			work(20);
			lock();
			while (play_one())
				;
			raid->meta.tick.fn(raid);
			while (play_one())
				;
			raid->meta.tick.fn(raid);
			while (!raid->meta.writing_clean && play_one())
				;
			unlock();
		}
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

/* Guests and a rebuild, until half of it is done */
static void rebuild_half(void)
{
	unsigned int rounds = 0;

	while (raid->sync.action != RAID_REBUILD ||
	       raid->sync.at < raid_sync_size(&raid->layout) / 2) {
		work(5);
		assert_true(++rounds < 10000);
	}
}

/* How far it is stands in the superblocks, which are not clean */
static void note_border(void)
{
	unsigned int i;

	lock();
	/* The second look finds that nothing was written, and flushes */
	for (i = 0; i < 2; i++) {
		while (play_one())
			;
		raid->clean = false;
		raid->meta.tick.fn(raid);
	}
	while (play_one())
		;
	raid->clean = false;
	meta_update(raid);
	while (play_one())
		;
	for (i = 0; i < raid->members; i++)
		assert_true(raid->member[i].super.recovered > 0 ||
			    raid->member[i].state != MEMBER_REBUILDING);
	unlock();
}

/* A rebuild goes on where it was, but after a crash it begins anew */
static void rebuild_goes_on(void **state)
{
	unsigned int i, k;

	for (i = 0; i < 2 * SHAPES; i++) {
		const struct shape *s = &shapes[i / 2];
		bool crash = i % 2, border = s->level != 10;
		struct raid_layout l = layout_of(s, DATA);
		uint32_t all = ~0u >> (31 - s->disks), lost = i / 2 % s->disks;

		/* After a crash with a member missing few would start */
		if (!raid_redundancy(&l) ||
		    (crash && s->level != 1 && !has_journal(s)))
			continue;
		played_make(s->disks + 1, disk_size());
		guest_forget();
		format(s, 1, true);
		assert_int_equal(assemble(s, all, false), 0);
		work(200);
		played.disk[lost].fail_writes = true;
		rebuild_half();
		if (crash) {
			note_border();
			kill_it();
		} else {
			stop();
		}
		for (k = 0; crash && k < REQUESTS; k++)
			guest.busy[k] = false;
		played.disk[lost].fail_writes = false;
		assert_int_equal(assemble(s, all & ~(1u << lost), false), 0);
		lock();
		assert_int_equal(raid_degraded(raid), 1);
		if ((crash && !has_journal(s)) || !border)
			assert_int_equal(raid->sync.at, 0);
		else
			assert_true(raid->sync.at > 0);
		settle();
		assert_int_equal(raid_degraded(raid), 0);
		scrub();
		if (!crash)
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

/* A member whose log cannot be written is one less, if the others are enough */
static void unwritable_log(void **state)
{
	const struct shape five = { 5, 3, RAID_LEFT_SYMMETRIC, 8 * K, MD_PPL };
	unsigned int i;

	for (i = 0; i < five.disks; i++) {
		played_make(five.disks, disk_size());
		guest_forget();
		format(&five, 0, true);
		played.disk[i].fail_writes = true;
		assert_int_equal(assemble(&five, 7, false), 0);
		assert_int_equal(raid_degraded(raid), 1);
		work(200);
		lock();
		settle();
		read_everything();
		unlock();
		stop();
		/* What it missed is known */
		played.disk[i].fail_writes = false;
		assert_int_equal(assemble(&five, 7, false), 0);
		assert_int_equal(raid_degraded(raid), 1);
		stop();
		played.disk[(i + 1) % 3].fail_writes = true;
		assert_int_equal(assemble(&five, 7, false), -1);
		assert_non_null(strstr(error.text, "log cannot be written"));
		played.disk[(i + 1) % 3].fail_writes = false;
	}
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
		TEST(refusals), TEST(random_work), TEST(clean_is_true),
		TEST(failing_members),
		TEST(spares), TEST(bad_sectors), TEST(rebuild_goes_on),
		TEST(removed_spares),
		TEST(unwritable_log),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
