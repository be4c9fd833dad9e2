// SPDX-License-Identifier: GPL-2.0
/* The journal of an array on played disks: what is refused, and what takes over. */
#define _GNU_SOURCE
#include <endian.h>
#include <isa-l.h>
#include <linux/types.h>
#include <linux/raid/md_p.h>
#include "tests/raid_array.h"

static const struct shape six = { 6, 4, RAID_LEFT_SYMMETRIC, 8 * K, MD_JOURNAL };

static void start_new(void)
{
	played_make(six.disks, disk_size());
	guest_forget();
	format(&six, 0, true);
	assert_int_equal(assemble(&six, 15, false), 0);
	assert_non_null(raid->journal.member);
}

/* It has failed: writes go on, and the disk is taken in anew */
static void fails(void **state)
{
	start_new();
	work(300);
	played.disk[JOURNAL].fail_writes = true;
	work(300);
	lock();
	settle();
	assert_null(raid->journal.member);
	assert_int_equal(raid_degraded(raid), 0);
	scrub();
	read_everything();
	unlock();
	stop();
	played.disk[JOURNAL].fail_writes = false;
	/* That it failed is known: without it nothing is refused */
	assert_int_equal(assemble(&six, 15 | NO_JOURNAL, false), 0);
	assert_true(raid->synced == MD_ALL);
	lock();
	read_everything();
	unlock();
	stop();
	assert_int_equal(assemble(&six, 15, false), 0);
	assert_non_null(raid->journal.member);
	work(300);
	kill_it();
	guest_forget();
	played_power_on();
	/* Now it is needed again */
	assert_int_equal(assemble(&six, 15 | NO_JOURNAL, false), -1);
	assert_non_null(strstr(error.text, "journal is missing"));
	assert_int_equal(assemble(&six, 3, false), 0);
	lock();
	settle();
	unlock();
	stop();
}

static void by_force(void **state)
{
	start_new();
	work(300);
	kill_it();
	guest_forget();
	played_power_on();
	assert_int_equal(assemble(&six, 7 | NO_JOURNAL, true), 0);
	lock();
	guest_submit(0, BLOCK_WRITE, 0, 4096);
	settle();
	unlock();
	stop();
	/* It started without the fourth, whose data is older now */
	assert_int_equal(assemble(&six, 15 | NO_JOURNAL, true), 0);
	assert_int_equal(raid_degraded(raid), 1);
	stop();
	/* With all members it is read again, and made right */
	start_new();
	work(300);
	kill_it();
	guest_forget();
	played_power_on();
	assert_int_equal(assemble(&six, 15 | NO_JOURNAL, true), 0);
	assert_null(raid->journal.member);
	assert_true(raid->synced != MD_ALL);
	lock();
	settle();
	assert_true(raid->synced == MD_ALL);
	scrub();
	unlock();
	stop();
}

static uint32_t sum(const struct md_super *s, void *page)
{
	return crc32_iscsi(page, 4096, crc32_iscsi((unsigned char *)s->uuid,
						   16, ~0u));
}

/* The meta block at the log's beginning, changed by the caller, is made right */
static struct r5l_meta_block *first_meta(struct md_super *super)
{
	uint8_t *disk = played.disk[JOURNAL].data;

	assert_int_equal(md_parse(super, disk + MD_SUPER_AT,
				  played.disk[JOURNAL].block.size, "it",
				  &error), 0);
	return (void *)(disk + super->data_at + super->tail);
}

static void seal(const struct md_super *super, struct r5l_meta_block *m)
{
	m->checksum = 0;
	m->checksum = htole32(sum(super, m));
}

/* Adds data for the volume's byte @at, all of whose bytes are @value */
static void add_data(const struct md_super *super, struct r5l_meta_block *m,
		     uint64_t at, uint8_t value)
{
	uint32_t size = le32toh(m->meta_size);
	struct r5l_payload_data_parity *p = (void *)((uint8_t *)m + size);
	uint8_t *page = (uint8_t *)m + 4096;

	memset(page, value, 4096);
	p->header.type = htole16(R5LOG_PAYLOAD_DATA);
	p->size = htole32(8);
	p->location = htole64(at / 512);
	p->checksum[0] = htole32(sum(super, page));
	m->meta_size = htole32(size + sizeof(*p) + 4);
	seal(super, m);
}

/* What has no parity is of a cache that md did not write back */
static void write_back(void **state)
{
	struct r5l_meta_block *m;
	struct md_super super;

	start_new();
	stop();
	m = first_meta(&super);
	add_data(&super, m, 0, 7);
	assert_int_equal(assemble(&six, 15, false), -1);
	assert_non_null(strstr(error.text, "write-back"));
	/* Its page is torn: it has not been written, and so it had not begun */
	((uint8_t *)m)[4096 + 100] ^= 1;
	assert_int_equal(assemble(&six, 15, false), 0);
	lock();
	scrub();
	unlock();
	stop();
}

/* Places outside of the array */
static void hostile(void **state)
{
	uint64_t size = (six.disks - 2) * DATA;
	uint64_t at[] = { size, UINT64_MAX / 512 * 512, size - 512, 512 };
	struct r5l_meta_block *m;
	struct md_super super;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		start_new();
		stop();
		m = first_meta(&super);
		add_data(&super, m, at[i], 7);
		assert_int_equal(assemble(&six, 15, false), -1);
		assert_non_null(strstr(error.text, "its journal has"));
	}
	start_new();
	stop();
	m = first_meta(&super);
	m->meta_size = htole32(4097);
	seal(&super, m);
	assert_int_equal(assemble(&six, 15, false), 0);
	stop();
}

static void too_small(void **state)
{
	struct raid_layout l = layout_of(&six, DATA);

	start_new();
	stop();
	played.disk[JOURNAL].block.size -= 4096;
	assert_int_equal(assemble(&six, 15, false), -1);
	/* One that is blank, for an array whose journal is there, or that has none */
	played_make_one(JOURNAL, MD_DATA_AT + journal_least(&l));
	assert_int_equal(assemble(&six, 15, false), -1);
	assert_non_null(strstr(error.text, "journal is missing"));
	assert_int_equal(assemble(&six, 15, true), 0);
	assert_non_null(raid->journal.member);
	assert_true(raid->synced != MD_ALL);
	lock();
	settle();
	assert_true(raid->synced == MD_ALL);
	scrub();
	unlock();
	stop();
	assert_int_equal(assemble(&six, 15, false), 0);
	stop();
}

static void cannot_have_one(void **state)
{
	const struct shape five = { 5, 3, RAID_LEFT_SYMMETRIC, 8 * K,
				    MD_BITMAP };
	struct shape with = five;

	with.policy = MD_JOURNAL;
	played_make(3, disk_size());
	make_journal(&with);
	format(&five, 0, true);
	assert_int_equal(assemble(&with, 7, false), -1);
	assert_non_null(strstr(error.text, "--write-journal"));
}

/*
 * What was written before all was in sync is replayed when it is: with parity
 * that was made of all data, and not of a parity that was wrong
 */
static void before_sync(void **state)
{
	static const struct shape five = { 5, 6, RAID_LEFT_SYMMETRIC, 8 * K,
					   MD_JOURNAL };
	unsigned int i;
	size_t at;

	played_make(five.disks, disk_size());
	guest_forget();
	for (i = 0; i < five.disks; i++)
		for (at = 0; at < DATA; at++)
			played.disk[i].data[MD_DATA_AT + at] = draw(256);
	format(&five, 0, false);
	assert_int_equal(assemble(&five, 63, false), 0);
	lock();
	guest_submit(0, BLOCK_WRITE, 0, 4096);
	while (guest.busy[0])
		play_one();
	settle();
	assert_true(raid->synced == MD_ALL);
	unlock();
	kill_it();
	guest_forget();
	played_power_on();
	assert_int_equal(assemble(&five, 63, false), 0);
	assert_true(raid->synced == MD_ALL);
	lock();
	scrub();
	unlock();
	stop();
}

/*
 * A disk that has become the journal, of which no member knows yet, by a number
 * that a spare had: it is no spare
 */
static void unknown(void **state)
{
	unsigned int i;

	played_make(six.disks + 1, disk_size());
	guest_forget();
	format(&six, 1, true);
	assert_int_equal(assemble(&six, 31, false), 0);
	work(50);
	lock();
	raid_fail(raid, raid->journal.member, "the test says so");
	settle();
	unlock();
	stop();
	make_journal(&six);
	/* The spare is not there, and its number is taken */
	for (i = 0; i < 2; i++) {
		assert_int_equal(assemble(&six, 15, false), 0);
		assert_non_null(raid->journal.member);
		assert_true(raid->journal.fresh);
		stop();
	}
}

/* A FLUSH, or nothing at all, does not need a log that grows */
static void drained(void **state)
{
	uint64_t used;

	start_new();
	work(200);
	lock();
	settle();
	used = raid->journal.used;
	unlock();
	assert_true(used > 1);
	stop();
	assert_int_equal(assemble(&six, 15, false), 0);
	assert_int_equal(raid->journal.used, 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fails), TEST(by_force), TEST(write_back), TEST(hostile),
		TEST(too_small), TEST(cannot_have_one), TEST(before_sync),
		TEST(unknown), TEST(drained),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
