// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer: superblocks, bitmaps, partial parity logs and a journal of three disks
 * and a fourth, whose checksums are made right. What assembles is written to, read, scrubbed and shut
 * down.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <isa-l.h>
#include <linux/types.h>
#include <linux/raid/md_p.h>
#include <stdio.h>
#include <unistd.h>
#include "block/raid/create.h"
#include "block/raid/raid.h"
#include "tests/played_disks.h"

#define MEMBERS		3
#define JOURNAL		3	/* the disk that is one */
#define JOURNAL_SIZE	(MD_DATA_AT + (1u << 20))
#define PAGES		3	/* of its log that the input changes */
#define SIZE		(MD_DATA_AT + (128u << 10))
#define LOG_AT		(64u << 10)

static struct vm_clock vm_clock;
static struct loop loop;
static struct error error;
static unsigned int left;

/* md's sum, or an input would hardly ever get past it */
static void seal(uint8_t *raw)
{
	struct mdp_superblock_1 *sb = (void *)raw;
	unsigned int len = sizeof(*sb) + 2 * (le32toh(sb->max_dev) % 1921), i;
	uint64_t sum = 0;
	uint32_t word;

	sb->max_dev = htole32((len - sizeof(*sb)) / 2);
	sb->sb_csum = 0;
	for (i = 0; i + 4 <= len; i += 4) {
		memcpy(&word, raw + i, 4);
		sum += le32toh(word);
	}
	if (i < len)
		sum += raw[i] | raw[i + 1] << 8;
	sb->sb_csum = htole32((uint32_t)sum + (uint32_t)(sum >> 32));
}

/* Meta blocks, and pages that have the checksum of what they are */
static void seal_journal(uint8_t *log, const uint8_t *uuid)
{
	uint32_t seed = crc32_iscsi((unsigned char *)uuid, 16, ~0u), i;

	for (i = 0; i < PAGES; i++) {
		struct r5l_meta_block *m = (void *)(log + 4096 * i);

		if (m->magic != htole32(R5LOG_MAGIC))
			continue;
		m->checksum = 0;
		m->checksum = htole32(crc32_iscsi((void *)m, 4096, seed));
	}
}

/* A write is in the log: the first payloads are as they should be */
static void begin_journal(void)
{
	uint8_t *disk = played.disk[JOURNAL].data, *log = disk + MD_DATA_AT;
	uint32_t seed = crc32_iscsi(disk + MD_SUPER_AT + 16, 16, ~0u);
	struct r5l_meta_block *m = (void *)log;
	struct r5l_payload_data_parity *p = (void *)m->payloads;
	unsigned int i;

	m->magic = htole32(R5LOG_MAGIC);
	m->version = R5LOG_VERSION;
	for (i = 0; i < 2; i++, p = (void *)(p->checksum + 1)) {
		p->header.type = htole16(i);
		p->size = htole32(8);
		p->checksum[0] = htole32(crc32_iscsi(log + 4096 * (i + 1), 4096,
						     seed));
	}
	m->meta_size = htole32((uint8_t *)p - log);
}

static void seal_log(uint8_t *raw, const uint8_t *uuid)
{
	struct ppl_header *h = (void *)raw;

	h->signature = htole32(~crc32_iscsi((unsigned char *)uuid, 16, ~0u));
	h->checksum = 0;
	h->checksum = htole32(~crc32_iscsi(raw, sizeof(*h), ~0u));
}

/* An array as mvmm makes it, over which the input is laid */
static int make(unsigned int level, enum md_policy policy)
{
	struct raid_new new = { .layout = { .level = level,
		.chunk = level == 1 ? 0 : 4096,
		.layout = level == 10 ? RAID10_LAYOUT(2, 1, false) :
			  level == 5 ? RAID_LEFT_SYMMETRIC : 0 },
		.policy = policy, .clean = true, .name = "fuzz" };
	struct block *disk[MEMBERS + 1];
	const char *name[MEMBERS + 1] = { "0", "1", "2", "3" };
	unsigned int i;
	int ret;

	played_make(MEMBERS, SIZE);
	for (i = 0; i < MEMBERS; i++)
		disk[i] = played_disk(i);
	if (policy == MD_JOURNAL) {
		played_make_one(JOURNAL, JOURNAL_SIZE);
		disk[i++] = played_disk(JOURNAL);
	}
	pthread_mutex_lock(&loop.lock);
	ret = raid_format(&new, disk, name, i, &error);
	pthread_mutex_unlock(&loop.lock);
	if (policy == MD_JOURNAL)
		begin_journal();
	return ret;
}

/* Where the input's bytes go: by twos, an offset within the metadata and a value */
static void lay_over(const uint8_t *data, size_t len, bool journal)
{
	/* The last one is the log's where there is a journal, and it is meant */
	static const uint32_t area[] = { MD_SUPER_AT, MD_BITMAP_AT, LOG_AT,
					 MD_SUPER_AT + 256, MD_DATA_AT };
	unsigned int i;

	while (len >= 4) {
		unsigned int disks = MEMBERS + journal, n = data[0] % disks;
		struct played *d = &played.disk[n];
		uint32_t at = area[data[0] / disks % (n == JOURNAL ? 5 : 4)] +
			      (data[1] | (data[2] & 3) << 8);

		/* The same on all, else they are of two arrays */
		for (i = 0; data[0] & 0x80 && i < MEMBERS && at < MD_DATA_AT;
		     i++)
			played.disk[i].data[at] = data[3];
		d->data[at] = data[3];
		data += 4;
		len -= 4;
	}
	for (i = 0; i < MEMBERS + journal; i++) {
		uint8_t *disk = played.disk[i].data;

		seal(disk + MD_SUPER_AT);
		seal_log(disk + LOG_AT, disk + MD_SUPER_AT + 16);
		if (i == JOURNAL)
			seal_journal(disk + MD_DATA_AT,
				     disk + MD_SUPER_AT + 16);
	}
}

static void done(struct block_request *request)
{
	left--;
}

static void settle(struct raid *raid)
{
	unsigned int rounds = 0;

	do {
		while (play_one())
			;
		if (raid->sync.waiting)
			raid->sync.timer.fn(raid->sync.timer.ctx);
	} while ((left || raid->sync.action != RAID_IDLE || played.nr) &&
		 ++rounds < 1000);
}

static void use(struct raid *raid)
{
	static uint8_t bytes[8192];
	struct iovec iov[2] = { { bytes, 4096 }, { bytes, 4096 } };
	struct block_request r[2] = {
		{ .op = BLOCK_WRITE, .len = 4096, .iov = &iov[0], .niov = 1,
		  .done = done },
		{ .op = BLOCK_READ, .len = 4096, .iov = &iov[1], .niov = 1,
		  .done = done } };
	unsigned int i;

	for (i = 0; i < 2 && raid->block.size >= 8192; i++) {
		r[i].at = (raid->block.size - 4096) / 512 * 512;
		left++;
		raid->block.ops->submit(&raid->block, &r[i]);
	}
	settle(raid);
	if (left)
		abort();
}

static void try(unsigned int level, bool journal)
{
	struct block_config config = { .path = "fuzz", .level = level,
				       .force = true };
	struct raid *raid = raid_new(&config);
	unsigned int i;
	char name[2] = "0";

	if (!raid)
		abort();
	for (i = 0; i < MEMBERS; i++) {
		name[0] = '0' + i;
		if (raid_take(raid, played_disk(i), name, MEMBER_IN_SYNC,
			      &error))
			abort();
	}
	if (journal && raid_take(raid, played_disk(JOURNAL), "3",
				 MEMBER_JOURNAL, &error))
		abort();
	if (!raid->block.ops->start(&raid->block, &loop, &error)) {
		pthread_mutex_lock(&loop.lock);
		use(raid);
		pthread_mutex_unlock(&loop.lock);
	}
	raid->block.ops->close(&raid->block);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* What an array says is of no interest; libFuzzer has descriptor 2 */
	stderr = fopen("/dev/null", "w");
	if (!stderr)
		abort();
	vm_clock_init(&vm_clock, 0);
	vm_clock_start(&vm_clock);
	return loop_init(&loop, &vm_clock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const unsigned int levels[] = { 0, 1, 4, 5, 5, 10, 5 };
	unsigned int level, kind;
	bool journal;

	if (!len)
		return 0;
	kind = data[0] % 7;
	level = levels[kind];
	journal = kind == 6;
	played.random = 0x9e3779b97f4a7c15;
	if (make(level, journal ? MD_JOURNAL : kind == 4 ? MD_PPL :
		 level ? MD_BITMAP : MD_RESYNC))
		abort();
	lay_over(data + 1, len - 1, journal);
	try(level, journal);
	return 0;
}
