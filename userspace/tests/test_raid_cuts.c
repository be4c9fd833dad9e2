// SPDX-License-Identifier: GPL-2.0
/* RAID on played disks: power cuts, and what is there afterwards. */
#define _GNU_SOURCE
#include "tests/raid_array.h"

/* Each sector has the last write that was done, or one that was not */
static void check_after_cut(bool cached)
{
	static uint32_t now[SECTORS_MAX];
	uint64_t at, s;

	for (at = 0; at < raid->block.size; at += 512) {
		static uint8_t sector[512] __attribute__((aligned(8)));
		struct block_request r = { .op = BLOCK_READ, .at = at,
			.len = 512, .done = guest_done, .niov = 1,
			.iov = &(struct iovec){ sector, 512 } };
		uint32_t *word = (uint32_t *)sector, least;
		unsigned int w;

		guest.request[0] = r;
		guest.busy[0] = true;
		/* What it is to be is checked here, not in guest_done() */
		played.dead = true;
		raid->block.ops->submit(&raid->block, &guest.request[0]);
		while (guest.busy[0])
			play_one();
		played.dead = false;
		s = at / 512;
		least = cached ? guest.flushed[s] : guest.acked[s];
		now[s] = word[0];
		if (word[0] != guest.issued[s] &&
		    !(word[0] == guest.acked[s] ||
		      (cached && word[0] >= least &&
		       word[0] <= guest.issued[s])))
			print_error("sector %u has %u, acked %u, issued %u\n",
				    (unsigned int)s, word[0], guest.acked[s],
				    guest.issued[s]);
		assert_true(word[0] == guest.issued[s] ||
			    word[0] == guest.acked[s] ||
			    (cached && word[0] >= least &&
			     word[0] <= guest.issued[s]));
		for (w = 1; w < 128; w++)
			assert_int_equal(word[w], word[0]);
	}
	for (s = 0; s < raid->block.size / 512; s++)
		guest.acked[s] = guest.issued[s] = guest.flushed[s] = now[s];
	memset(guest.busy, 0, sizeof(guest.busy));
	guest.flushing = false;
}

static void cut(const struct shape *s, uint32_t which)
{
	bool cached = played.cached;

	played.cut_after = draw(200) + 1;
	work(4000);
	assert_true(played.dead);
	kill_it();
	played_power_on();
	assert_int_equal(assemble(s, which, false), 0);
	lock();
	settle();
	check_after_cut(cached);
	scrub();
	unlock();
}

/* Of the process, or with @cached of the machine, where caches are lost */
static void cut_all(bool cached, unsigned int each)
{
	unsigned int i, k;

	for (i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		uint32_t all = ~0u >> (32 - s->disks);

		if (!s->level)
			continue;
		played_make(s->disks, disk_size());
		guest_forget();
		format(s, 0, true);
		played.cached = cached;
		assert_int_equal(assemble(s, all, false), 0);
		for (k = 0; k < each; k++)
			cut(s, all);
		stop();
	}
}

/* 1,000 of them */
static void power_cuts(void **state)
{
	assert_true((SHAPES - 2) * 40 >= 1000);
	cut_all(false, 40);
}

static void power_cuts_cached(void **state)
{
	cut_all(true, 20);
}

/* With a member missing, only the log can tell what parity is worth */
static void cut_degraded(bool cached)
{
	unsigned int i, k;

	for (i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		uint32_t all = ~0u >> (32 - s->disks), rest;

		if (s->policy != MD_PPL && !has_journal(s))
			continue;
		played_make(s->disks, disk_size());
		guest_forget();
		format(s, 0, true);
		rest = all & ~(1u << i % s->disks);
		played.cached = cached;
		assert_int_equal(assemble(s, all, false), 0);
		work(500);
		lock();
		settle();
		unlock();
		stop();
		assert_int_equal(assemble(s, rest, false), 0);
		for (k = 0; k < 100; k++)
			cut(s, rest);
		stop();
	}
}

static void power_cuts_degraded(void **state)
{
	cut_degraded(false);
	cut_degraded(true);
}

/*
 * A member fails, and then the power: it comes back with the others and must not
 * be believed. Where there is a write hole (parity without a log) an array that
 * has lost a member then refuses to start.
 */
static void cuts_while_failing(void **state)
{
	unsigned int i, k;

	for (i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		uint32_t all = ~0u >> (32 - s->disks);

		if (!s->level || has_hole(s))
			continue;
		for (k = 0; k < 60; k++) {
			played_make(s->disks, disk_size());
			guest_forget();
			format(s, 0, true);
			assert_int_equal(assemble(s, all, false), 0);
			work(100);
			played.disk[k % s->disks].fail_writes = true;
			played.cut_after = draw(k + 1) + 1;
			work(2000);
			assert_true(played.dead);
			kill_it();
			played.disk[k % s->disks].fail_writes = false;
			played_power_on();
			assert_int_equal(assemble(s, all, false), 0);
			lock();
			settle();
			check_after_cut(false);
			unlock();
			stop();
		}
	}
}

/*
 * A member is absent, something is written, the power fails, and all are back:
 * what it has is old. Where there is a write hole the array has to refuse.
 */
static void cuts_while_absent(void **state)
{
	unsigned int i, k;

	for (i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		uint32_t all = ~0u >> (32 - s->disks);
		bool hole = has_hole(s);

		if (!s->level)
			continue;
		for (k = 0; k < 30; k++) {
			played_make(s->disks, disk_size());
			guest_forget();
			format(s, 0, true);
			assert_int_equal(assemble(s, all & ~(1u << k %
					 s->disks), false), 0);
			played.cut_after = 5 + draw(k + 1);
			work(2000);
			assert_true(played.dead);
			kill_it();
			played_power_on();
			assert_int_equal(assemble(s, all, false), -hole);
			if (hole)
				continue;
			assert_true(raid_degraded(raid));
			lock();
			settle();
			check_after_cut(false);
			unlock();
			stop();
		}
	}
}

/*
 * The journal fails, and then the power: what it has is old, if writes went on, and
 * is written to the members no more
 */
static void cuts_while_journal_fails(void **state)
{
	unsigned int i, k, kept = 0, lost = 0;

	for (i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		uint32_t all = ~0u >> (32 - s->disks);

		for (k = 0; has_journal(s) && k < 25; k++) {
			played_make(s->disks, disk_size());
			guest_forget();
			format(s, 0, true);
			assert_int_equal(assemble(s, all, false), 0);
			work(100);
			played.disk[JOURNAL].fail_writes = true;
			played.cut_after = draw(k + 1) + 1;
			work(2000);
			assert_true(played.dead);
			kill_it();
			played.disk[JOURNAL].fail_writes = false;
			played_power_on();
			assert_int_equal(assemble(s, all, false), 0);
			/* Failed, it has become a new one */
			kept += raid->synced == MD_ALL;
			lost += raid->synced != MD_ALL;
			assert_non_null(raid->journal.member);
			lock();
			settle();
			check_after_cut(false);
			scrub();
			unlock();
			stop();
		}
	}
	assert_true(kept && lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(power_cuts), TEST(power_cuts_cached),
		TEST(power_cuts_degraded), TEST(cuts_while_failing),
		TEST(cuts_while_journal_fails),
		TEST(cuts_while_absent),
	};

	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
