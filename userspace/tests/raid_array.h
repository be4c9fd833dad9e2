/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests of RAID: arrays of many shapes on played disks, and a guest that
 * remembers what it wrote.
 */
#ifndef MVMM_RAID_ARRAY_H
#define MVMM_RAID_ARRAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "block/raid/create.h"
#include "block/raid/raid.h"
#include "tests/played_disks.h"

#define K	1024ull
#define M	(1024 * K)
#define DATA	(3 * 64 * K)	/* of each disk: some rows */

static struct error error;
static struct vm_clock vm_clock;
static struct loop loop;
static struct raid *raid;

struct shape {
	unsigned int level, disks;
	uint32_t layout;
	uint64_t chunk;
	enum md_policy policy;
};

static const struct shape shapes[] = {
	{ 0, 1, 0, 4 * K, MD_RESYNC }, { 0, 3, 0, 16 * K, MD_RESYNC },
	{ 1, 2, 0, 0, MD_BITMAP }, { 1, 3, 0, 0, MD_RESYNC },
	{ 4, 3, 0, 4 * K, MD_RESYNC }, { 4, 5, 0, 64 * K, MD_BITMAP },
	{ 5, 2, RAID_LEFT_SYMMETRIC, 4 * K, MD_RESYNC },
	{ 5, 3, RAID_LEFT_SYMMETRIC, 64 * K, MD_BITMAP },
	{ 5, 3, RAID_LEFT_ASYMMETRIC, 8 * K, MD_PPL },
	{ 5, 4, RAID_RIGHT_ASYMMETRIC, 8 * K, MD_RESYNC },
	{ 5, 5, RAID_RIGHT_SYMMETRIC, 8 * K, MD_BITMAP },
	{ 5, 8, RAID_LEFT_SYMMETRIC, 8 * K, MD_PPL },
	{ 5, 4, RAID_PARITY_FIRST, 16 * K, MD_PPL },
	{ 5, 4, RAID_PARITY_LAST, 16 * K, MD_BITMAP },
	{ 6, 4, RAID_LEFT_SYMMETRIC, 16 * K, MD_BITMAP },
	{ 6, 5, RAID_LEFT_ASYMMETRIC, 8 * K, MD_RESYNC },
	{ 6, 5, RAID_RIGHT_ASYMMETRIC, 8 * K, MD_BITMAP },
	{ 6, 6, RAID_RIGHT_SYMMETRIC, 8 * K, MD_RESYNC },
	{ 6, 8, RAID_LEFT_SYMMETRIC, 4 * K, MD_BITMAP },
	{ 6, 5, RAID_PARITY_FIRST, 8 * K, MD_BITMAP },
	{ 6, 5, RAID_PARITY_LAST, 8 * K, MD_BITMAP },
	{ 4, 4, 0, 8 * K, MD_JOURNAL },
	{ 5, 3, RAID_LEFT_SYMMETRIC, 64 * K, MD_JOURNAL },
	{ 6, 4, RAID_LEFT_SYMMETRIC, 4 * K, MD_JOURNAL },
	{ 6, 6, RAID_LEFT_ASYMMETRIC, 16 * K, MD_JOURNAL },
	{ 10, 2, RAID10_LAYOUT(2, 1, 0), 8 * K, MD_BITMAP },
	{ 10, 3, RAID10_LAYOUT(2, 1, 0), 8 * K, MD_RESYNC },
	{ 10, 4, RAID10_LAYOUT(2, 1, 0), 64 * K, MD_BITMAP },
	{ 10, 4, RAID10_LAYOUT(1, 2, 0), 8 * K, MD_BITMAP },
	{ 10, 3, RAID10_LAYOUT(1, 2, 1), 8 * K, MD_BITMAP },
	{ 10, 5, RAID10_LAYOUT(3, 1, 0), 8 * K, MD_RESYNC },
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static inline struct raid_layout layout_of(const struct shape *s, uint64_t used)
{
	return (struct raid_layout){ .level = s->level, .layout = s->layout,
				     .disks = s->disks, .chunk = s->chunk,
				     .used = used };
}

/* ---- an array ------------------------------------------------------------------- */

static inline uint64_t disk_size(void)
{
	return MD_DATA_AT + DATA;
}

/* The last disk is the journal, if there is one */
#define JOURNAL	(DISKS - 1)

static inline bool has_journal(const struct shape *s)
{
	return s->policy == MD_JOURNAL;
}

/* May it be started after a crash when a member is missing? */
static inline bool has_hole(const struct shape *s)
{
	return s->level > 1 && s->level < 10 && s->policy != MD_PPL &&
	       !has_journal(s);
}

/* As small as it may be, so that it is full often */
static inline void make_journal(const struct shape *s)
{
	struct raid_layout l = layout_of(s, DATA);

	played_make_one(JOURNAL, MD_DATA_AT + journal_least(&l));
}

static inline void lock(void)
{
	pthread_mutex_lock(&loop.lock);
}

static inline void unlock(void)
{
	pthread_mutex_unlock(&loop.lock);
}

/* Many bits for the few rows of these disks */
static inline void small_chunks(uint8_t *disk)
{
	uint8_t *area = disk + MD_BITMAP_AT;
	struct md_bitmap bitmap;
	struct md_super super;
	bool all;

	assert_int_equal(md_parse(&super, disk + MD_SUPER_AT, disk_size(),
				  "a disk", &error), 0);
	assert_true(md_bitmap_parse(&bitmap, area, &super));
	all = area[MD_BITMAP_HEADER] & 1;
	bitmap.chunk = 8 * K;
	md_bitmap_make(&bitmap, &super, area);
	memset(area + MD_BITMAP_HEADER, all ? 0xff : 0, 1024);
}

static inline void format(const struct shape *s, unsigned int spares, bool clean)
{
	struct raid_new new = { .layout = layout_of(s, 0), .policy = s->policy,
				.clean = clean, .name = "test",
				.spares = spares };
	struct block *disk[DISKS];
	const char *name[DISKS];
	unsigned int nr = s->disks + spares, i;
	int ret;

	for (i = 0; i < nr; i++) {
		disk[i] = played_disk(i);
		name[i] = "a disk";
	}
	if (has_journal(s)) {
		make_journal(s);
		disk[nr] = played_disk(JOURNAL);
		name[nr++] = "the journal";
	}
	lock();
	ret = raid_format(&new, disk, name, nr, &error);
	unlock();
	if (ret)
		print_error("%s\n", error.text);
	assert_int_equal(ret, 0);
	for (i = 0; s->policy == MD_BITMAP && i < nr; i++)
		small_chunks(played.disk[i].data);
}

#define NO_JOURNAL (1u << JOURNAL)

/* With the disks in @which, a bit for each, or NO_JOURNAL. 0, or -1 */
static inline int assemble(const struct shape *s, uint32_t which, bool force)
{
	struct block_config config = { .path = "test", .level = s->level,
				       .force = force };
	unsigned int i;
	char name[8];

	raid = raid_new(&config);
	assert_non_null(raid);
	for (i = 0; i < JOURNAL; i++) {
		if (!(which >> i & 1))
			continue;
		snprintf(name, sizeof(name), "disk%u", i);
		assert_int_equal(raid_take(raid, played_disk(i), name,
					   MEMBER_IN_SYNC, &error), 0);
	}
	if (has_journal(s) && !(which & NO_JOURNAL))
		assert_int_equal(raid_take(raid, played_disk(JOURNAL),
					   "journal", MEMBER_JOURNAL, &error),
				 0);
	if (!raid->block.ops->start(&raid->block, &loop, &error))
		return 0;
	raid->block.ops->close(&raid->block);
	return -1;
}

static inline void stop(void)
{
	raid->block.ops->close(&raid->block);
}

/* The kernel of the launcher is gone: nothing is shut down */
static inline void kill_it(void)
{
	raid->running = false;
	played.nr = 0;
	stop();
}

/* What the loop would do when time passes */
static inline void tick(void)
{
	if (raid->sync.waiting)
		raid->sync.timer.fn(raid->sync.timer.ctx);
}

static inline bool sync_is_idle(void)
{
	return raid->sync.action == RAID_IDLE && !raid_is_busy(raid) &&
	       !played.nr;
}

static inline void settle(void)
{
	unsigned int rounds = 0;

	do {
		while (play_one())
			;
		tick();
		assert_true(++rounds < 1000000);
	} while (!sync_is_idle());
}

/* All parity and all copies agree */
static inline void scrub(void)
{
	raid->sync.asked = RAID_CHECK;
	sync_kick(raid);
	settle();
	if (raid->sync.mismatches)
		print_error("RAID %u, %u disks, layout %x, chunk %u\n",
			    raid->layout.level, raid->layout.disks,
			    raid->layout.layout,
			    (unsigned int)raid->layout.chunk);
	assert_int_equal(raid->sync.mismatches, 0);
}

/* ---- what a guest does ------------------------------------------------------------ */

#define REQUESTS	12
#define SECTORS_MAX	(DISKS * DATA / 512)

/**
 * struct guest - one that remembers what it wrote
 * @request: in flight, if it is not done
 * @busy: it is
 * @memory: of each
 * @iov: of each
 * @acked: by sector, the number of the last write that was done
 * @flushed: by sector, of the last write before a flush
 * @issued: by sector, of the last write
 * @reading: what is checked when it ends
 */
static struct {
	struct block_request request[REQUESTS];
	bool busy[REQUESTS], check[REQUESTS], errors;
	uint8_t memory[REQUESTS][256 * K] __attribute__((aligned(8)));
	struct iovec iov[REQUESTS][40];
	uint32_t acked[SECTORS_MAX], flushed[SECTORS_MAX], issued[SECTORS_MAX];
	uint32_t value[REQUESTS], last;
	uint32_t in_flush[SECTORS_MAX];
	bool flushing;
} guest;

static inline bool overlaps(uint64_t at, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < REQUESTS; i++)
		if (guest.busy[i] && guest.request[i].at < at + len &&
		    at < guest.request[i].at + guest.request[i].len)
			return true;
	return false;
}

static inline void check_read(unsigned int i)
{
	const struct block_request *r = &guest.request[i];
	uint64_t s;

	for (s = 0; s < r->len / 512; s++) {
		uint32_t *word = (uint32_t *)(guest.memory[i] + 512 * s);
		unsigned int w;

		for (w = 0; w < 128; w++)
			assert_int_equal(word[w],
					 guest.acked[r->at / 512 + s]);
	}
}

static inline void guest_done(struct block_request *r)
{
	unsigned int i = r - guest.request;
	uint64_t s;

	guest.busy[i] = false;
	if (played.dead)
		return;
	if (!guest.errors)
		assert_int_equal(r->result, 0);
	if (r->op == BLOCK_FLUSH) {
		guest.flushing = false;
		if (!r->result)
			memcpy(guest.flushed, guest.in_flush,
			       sizeof(guest.flushed));
	} else if (r->op == BLOCK_READ) {
		if (!r->result)
			check_read(i);
	} else if (!r->result) {
		for (s = r->at / 512; s < (r->at + r->len) / 512; s++)
			guest.acked[s] = guest.value[i];
	}
}

/* Pieces of the memory of all lengths, with empty ones */
static inline void cut_memory(unsigned int i, uint64_t len)
{
	uint64_t at = 0;
	unsigned int n = 0;

	while (at < len) {
		uint64_t part = n == 39 ? len - at : draw(3) ? draw(len - at + 1) :
				draw(700);

		if (part > len - at)
			part = len - at;
		guest.iov[i][n++] = (struct iovec){ guest.memory[i] + at,
						    part };
		at += part;
	}
	guest.request[i].iov = guest.iov[i];
	guest.request[i].niov = n;
}

static inline void guest_submit(unsigned int i, enum block_op op, uint64_t at,
			 uint64_t len)
{
	struct block_request *r = &guest.request[i];
	uint64_t s;

	*r = (struct block_request){ .op = op, .at = at, .len = len,
				     .done = guest_done };
	guest.busy[i] = true;
	if (op == BLOCK_FLUSH) {
		guest.flushing = true;
		memcpy(guest.in_flush, guest.acked, sizeof(guest.acked));
	} else {
		cut_memory(i, len);
	}
	if (op == BLOCK_WRITE || op == BLOCK_ZERO) {
		guest.value[i] = op == BLOCK_WRITE ? ++guest.last : 0;
		for (s = 0; s < len / 512; s++) {
			unsigned int w;

			guest.issued[at / 512 + s] = guest.value[i];
			for (w = 0; w < 128; w++)
				((uint32_t *)guest.memory[i])[s * 128 + w] =
					guest.value[i];
		}
	}
	raid->block.ops->submit(&raid->block, r);
}

static inline void guest_act(void)
{
	uint64_t size = raid->block.size, len, at;
	unsigned int i = draw(REQUESTS), what = draw(20);

	if (guest.busy[i] || played.dead)
		return;
	if (!what) {
		if (!guest.flushing)
			guest_submit(i, BLOCK_FLUSH, 0, 0);
		return;
	}
	len = (draw(3) ? draw(16) + 1 : draw(512) + 1) * 512;
	if (len > size)
		len = size;
	at = draw((size - len) / 512 + 1) * 512;
	/* Aligned ones are what file systems do, and whole rows */
	if (draw(2))
		at -= at % 4096;
	if (overlaps(at, len))
		return;
	/* With a cache it is only known which numbers may be there, in order */
	guest_submit(i, what < 9 ? BLOCK_READ : what < 10 && !played.cached ?
		     BLOCK_ZERO : BLOCK_WRITE, at, len);
}

static inline void guest_forget(void)
{
	memset(&guest, 0, sizeof(guest));
}

static inline void work(unsigned int steps)
{
	lock();
	while (steps--) {
		if (draw(3))
			guest_act();
		else
			play_one();
		if (!draw(8))
			tick();
		if (!draw(12) && raid->meta.tick.fn && raid->layout.level)
			raid->meta.tick.fn(raid);
	}
	unlock();
}

static inline void read_everything(void)
{
	uint64_t at, len;

	for (at = 0; at < raid->block.size; at += len) {
		len = raid->block.size - at < 64 * K ? raid->block.size - at :
		      64 * K;
		guest_submit(0, BLOCK_READ, at, len);
		settle();
		assert_false(guest.busy[0]);
	}
}

static inline int setup(void **state)
{
	played.random = 0x9e3779b97f4a7c15;
	vm_clock_init(&vm_clock, 0);
	vm_clock_start(&vm_clock);
	return loop_init(&loop, &vm_clock);
}

static inline int teardown(void **state)
{
	loop_destroy(&loop);
	played_free();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
