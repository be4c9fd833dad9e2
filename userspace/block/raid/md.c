// SPDX-License-Identifier: GPL-2.0
/* md's superblock and its bitmap's: see md.h. */
#include <endian.h>
#include <linux/types.h>
#include <linux/raid/md_p.h>
#include <stdio.h>
#include <string.h>
#include "block/block.h"
#include "block/raid/md.h"

#define SECTOR	BLOCK_SECTOR
/* md's "all sectors" */
#define MAX_SECTOR UINT64_MAX
/* One log of each member, or several that take turns */
#define LOGS	(MD_FEATURE_PPL | MD_FEATURE_MULTIPLE_PPLS)
#define KNOWN	(MD_FEATURE_BITMAP_OFFSET | MD_FEATURE_RECOVERY_OFFSET | \
		 MD_FEATURE_RECOVERY_BITMAP | LOGS | MD_FEATURE_RAID0_LAYOUT | \
		 MD_FEATURE_JOURNAL)

/* Of md, but not in a header for userspace: drivers/md/md-bitmap.h */
#define BITMAP_MAGIC	0x6d746962
#define BITMAP_VERSION	4
#define BITMAP_SLEEP	5	/* seconds */
struct bitmap_super {
	uint32_t magic, version;
	uint8_t uuid[16];
	uint64_t events, events_cleared, sync_size;
	uint32_t state, chunksize, daemon_sleep, write_behind;
	uint32_t sectors_reserved, nodes;
	uint8_t rest[MD_BITMAP_HEADER - 72];
};

/* The sum of the words, with the carries added */
static uint32_t checksum(const struct mdp_superblock_1 *sb)
{
	struct mdp_superblock_1 copy = *sb;
	unsigned int len = sizeof(copy) + 2 * le32toh(sb->max_dev), i;
	const uint8_t *bytes = (const uint8_t *)sb;
	uint64_t sum = 0;
	uint32_t word;

	copy.sb_csum = 0;
	for (i = 0; i + 4 <= len; i += 4) {
		memcpy(&word, (i < sizeof(copy) ? (uint8_t *)&copy : bytes) + i,
		       4);
		sum += le32toh(word);
	}
	if (i < len)
		sum += bytes[i] | bytes[i + 1] << 8;
	return (uint32_t)sum + (uint32_t)(sum >> 32);
}

bool md_is_super(const uint8_t raw[MD_SUPER_LEN])
{
	uint32_t magic;

	memcpy(&magic, raw, sizeof(magic));
	return le32toh(magic) == MD_SB_MAGIC;
}

/* What is not understood must not be written to. NULL, or its name */
static const char *unknown_feature(uint32_t features)
{
	static const struct {
		uint32_t bits;
		const char *name;
	} names[] = {
		{ MD_FEATURE_RESHAPE_ACTIVE | MD_FEATURE_RESHAPE_BACKWARDS |
		  MD_FEATURE_NEW_OFFSET, "a reshape that has not ended" },
		{ MD_FEATURE_BAD_BLOCKS, "a list of bad blocks" },
		{ MD_FEATURE_REPLACEMENT, "a replacement" },
		{ MD_FEATURE_CLUSTERED, "a cluster" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (features & names[i].bits)
			return names[i].name;
	return features & ~KNOWN ? "a feature" : NULL;
}

/* Sectors to bytes; what does not fit is too large for all that follows */
static uint64_t bytes(uint64_t sectors)
{
	return sectors > UINT64_MAX / SECTOR ? UINT64_MAX : sectors * SECTOR;
}

/* An area that lies between superblock and data */
static bool is_before_data(const struct md_super *s, uint64_t at, uint64_t len)
{
	return at >= MD_SUPER_AT + sizeof(struct mdp_superblock_1) &&
	       at <= s->data_at && len <= s->data_at - at;
}

static bool is_journal(const struct md_super *s)
{
	return s->role[s->number] == MD_ROLE_JOURNAL;
}

static const char *parse_places(struct md_super *s,
				const struct mdp_superblock_1 *sb,
				uint64_t size)
{
	uint32_t features = le32toh(sb->feature_map);

	s->data_at = bytes(le64toh(sb->data_offset));
	s->data_len = bytes(le64toh(sb->data_size));
	if (s->data_at < MD_SUPER_AT + MD_SUPER_LEN || s->data_at > size ||
	    s->data_len > size - s->data_at ||
	    (!is_journal(s) && s->layout.used > s->data_len))
		return "data beyond the member's end: was it cut short?";
	s->bitmap_at = s->ppl_at = s->ppl_len = 0;
	if (features & MD_FEATURE_BITMAP_OFFSET) {
		s->bitmap_at = MD_SUPER_AT +
			(int64_t)(int32_t)le32toh(sb->bitmap_offset) * SECTOR;
		if (!is_before_data(s, s->bitmap_at, MD_BITMAP_HEADER))
			return "a bitmap that is not between superblock and data";
	}
	if (features & LOGS) {
		s->ppl_at = MD_SUPER_AT +
			(int64_t)(int16_t)le16toh(sb->ppl.offset) * SECTOR;
		s->ppl_len = bytes(le16toh(sb->ppl.size));
		if (s->layout.level != 5 || features & MD_FEATURE_BITMAP_OFFSET ||
		    !is_before_data(s, s->ppl_at, s->ppl_len) ||
		    s->ppl_len < MD_PPL_LEN)
			return "a partial parity log that is not between superblock and data, or too small";
	}
	s->has_journal = features & MD_FEATURE_JOURNAL;
	if (s->has_journal && (!raid_has_parity(&s->layout) ||
			       features & (LOGS | MD_FEATURE_BITMAP_OFFSET)))
		return "a journal, which its level cannot have, or a bitmap besides";
	return NULL;
}

/* NULL, or what is wrong */
static const char *parse(struct md_super *s, uint64_t size)
{
	const struct mdp_superblock_1 *sb = (const void *)s->raw;
	uint32_t features = le32toh(sb->feature_map);
	uint32_t max_dev = le32toh(sb->max_dev), i;
	const char *wrong;

	if (!md_is_super(s->raw))
		return "no superblock of an array";
	if (le32toh(sb->major_version) != 1 ||
	    bytes(le64toh(sb->super_offset)) != MD_SUPER_AT)
		return "a superblock that is not of version 1.2";
	if (max_dev > (MD_SUPER_LEN - sizeof(*sb)) / 2 ||
	    checksum(sb) != le32toh(sb->sb_csum))
		return "a superblock whose checksum is wrong";
	wrong = unknown_feature(features);
	if (wrong)
		return wrong;
	s->layout = (struct raid_layout){
		.level = le32toh(sb->level), .layout = le32toh(sb->layout),
		.disks = le32toh(sb->raid_disks),
		.chunk = bytes(le32toh(sb->chunksize)),
		.used = bytes(le64toh(sb->size)) };
	/* RAID 0 has no common size: this member's, until all are known */
	if (!s->layout.level)
		s->layout.used = bytes(le64toh(sb->data_size));
	if (s->layout.level == 1 || s->layout.level == 4 ||
	    (!s->layout.level && !(features & MD_FEATURE_RAID0_LAYOUT)))
		s->layout.layout = 0;
	if (s->layout.level == 1)
		s->layout.chunk = 0;
	else if (s->layout.chunk)
		s->layout.used -= s->layout.used % s->layout.chunk;
	s->number = le32toh(sb->dev_number);
	if (s->number >= MD_NUMBERS)
		return "a number of a member that is too large";
	for (i = 0; i < MD_NUMBERS; i++)
		s->role[i] = i < max_dev ? le16toh(sb->dev_roles[i]) : MD_SPARE;
	wrong = raid_layout_check(&s->layout);
	if (!wrong)
		wrong = parse_places(s, sb, size);
	if (wrong)
		return wrong;
	memcpy(s->uuid, sb->set_uuid, sizeof(s->uuid));
	memcpy(s->name, sb->set_name, sizeof(sb->set_name));
	s->name[sizeof(sb->set_name)] = 0;
	s->events = le64toh(sb->events);
	s->synced = bytes(le64toh(sb->resync_offset));
	s->recovered = features & MD_FEATURE_RECOVERY_OFFSET ?
		       bytes(le64toh(sb->recovery_offset)) : MD_ALL;
	if (is_journal(s)) {
		s->recovered = MD_ALL;
		s->tail = bytes(le64toh(sb->journal_tail));
	}
	return NULL;
}

int md_parse(struct md_super *s, const uint8_t raw[MD_SUPER_LEN], uint64_t size,
	     const char *name, struct error *error)
{
	const char *wrong;

	memset(s, 0, sizeof(*s));
	memcpy(s->raw, raw, MD_SUPER_LEN);
	wrong = parse(s, size);
	if (wrong)
		return fail(error, STATUS_DATA, "%s has %s", name, wrong);
	return 0;
}

void md_make(struct md_super *s, unsigned int number, enum md_policy policy,
	     const uint8_t device_uuid[16])
{
	struct mdp_superblock_1 *sb = (void *)s->raw;
	const struct raid_layout *l = &s->layout;

	memset(s->raw, 0, sizeof(s->raw));
	s->number = number;
	s->recovered = MD_ALL;
	s->has_journal = policy == MD_JOURNAL;
	s->tail = 0;
	s->data_at = MD_DATA_AT;
	s->bitmap_at = policy == MD_BITMAP ? MD_BITMAP_AT : 0;
	s->ppl_at = policy == MD_PPL ? MD_PPL_AT : 0;
	s->ppl_len = policy == MD_PPL ? MD_PPL_LEN : 0;
	sb->magic = htole32(MD_SB_MAGIC);
	sb->major_version = htole32(1);
	memcpy(sb->set_uuid, s->uuid, sizeof(sb->set_uuid));
	memcpy(sb->set_name, s->name, sizeof(sb->set_name));
	sb->level = htole32(l->level);
	sb->layout = htole32(l->layout);
	sb->size = htole64(l->level ? l->used / SECTOR : 0);
	sb->chunksize = htole32(l->chunk / SECTOR);
	sb->raid_disks = htole32(l->disks);
	if (policy == MD_BITMAP) {
		sb->bitmap_offset = htole32((MD_BITMAP_AT - MD_SUPER_AT) /
					    SECTOR);
	} else if (policy == MD_PPL) {
		sb->feature_map = htole32(MD_FEATURE_PPL);
		sb->ppl.offset = htole16((MD_PPL_AT - MD_SUPER_AT) / SECTOR);
		sb->ppl.size = htole16(MD_PPL_LEN / SECTOR);
	} else if (policy == MD_JOURNAL) {
		sb->feature_map = htole32(MD_FEATURE_JOURNAL);
	}
	if (!l->level && l->layout)
		sb->feature_map = htole32(MD_FEATURE_RAID0_LAYOUT);
	sb->data_offset = htole64(s->data_at / SECTOR);
	sb->data_size = htole64(s->data_len / SECTOR);
	sb->super_offset = htole64(MD_SUPER_AT / SECTOR);
	sb->dev_number = htole32(number);
	memcpy(sb->device_uuid, device_uuid, sizeof(sb->device_uuid));
	sb->max_dev = htole32(MD_NUMBERS);
}

void md_adopt(struct md_super *s, const struct md_super *from,
	      unsigned int number, uint64_t data_len,
	      const uint8_t device_uuid[16])
{
	struct mdp_superblock_1 *sb = (void *)s->raw;

	*s = *from;
	s->number = number;
	s->data_len = data_len;
	s->tail = 0;
	s->recovered = MD_ALL;
	sb->data_size = htole64(data_len / SECTOR);
	sb->dev_number = htole32(number);
	sb->cnt_corrected_read = 0;
	sb->devflags = 0;
	memcpy(sb->device_uuid, device_uuid, sizeof(sb->device_uuid));
}

static uint64_t to_sectors(uint64_t n)
{
	return n == MD_ALL ? MAX_SECTOR : n / SECTOR;
}

void md_update(struct md_super *s, uint64_t now)
{
	struct mdp_superblock_1 *sb = (void *)s->raw;
	uint32_t features, i;

	features = le32toh(sb->feature_map) &
		   (MD_FEATURE_RAID0_LAYOUT | LOGS | MD_FEATURE_JOURNAL);
	if (s->bitmap_at)
		features |= MD_FEATURE_BITMAP_OFFSET;
	if (s->recovered != MD_ALL)
		features |= MD_FEATURE_RECOVERY_OFFSET;
	sb->feature_map = htole32(features);
	sb->recovery_offset = s->recovered == MD_ALL ? 0 :
			      htole64(s->recovered / SECTOR);
	if (is_journal(s))
		sb->journal_tail = htole64(s->tail / SECTOR);
	if (!sb->ctime)
		sb->ctime = htole64(now);
	sb->utime = htole64(now);
	sb->events = htole64(s->events);
	sb->resync_offset = htole64(to_sectors(s->synced));
	/* More than there were: what is new is a spare until it has a role */
	for (i = le32toh(sb->max_dev); i < MD_NUMBERS; i++)
		sb->dev_roles[i] = htole16(MD_SPARE);
	if (le32toh(sb->max_dev) < MD_NUMBERS)
		sb->max_dev = htole32(MD_NUMBERS);
	for (i = 0; i < MD_NUMBERS; i++)
		sb->dev_roles[i] = htole16(s->role[i]);
	sb->sb_csum = htole32(checksum(sb));
}

/* ---- the bitmap ------------------------------------------------------------ */

/* md's smallest ones are larger: with those a small disk would have one bit */
#define BITMAP_CHUNK_MIN	(1ull << 20)
#define BITMAP_BITS		(8 * (MD_BITMAP_LEN - MD_BITMAP_HEADER))
/* What is kept in memory here has some bytes for each */
#define BITMAP_BITS_MAX		(1u << 20)

void md_bitmap_choose(struct md_bitmap *b, uint64_t sync_size)
{
	b->chunk = BITMAP_CHUNK_MIN;
	while ((sync_size + b->chunk - 1) / b->chunk > BITMAP_BITS)
		b->chunk *= 2;
	b->bits = (sync_size + b->chunk - 1) / b->chunk;
	b->events = b->cleared = 0;
}

bool md_bitmap_parse(struct md_bitmap *b, const uint8_t raw[MD_BITMAP_HEADER],
		     const struct md_super *s)
{
	uint64_t size = raid_sync_size(&s->layout);
	struct bitmap_super sb;

	memcpy(&sb, raw, sizeof(sb));
	b->chunk = le32toh(sb.chunksize);
	if (le32toh(sb.magic) != BITMAP_MAGIC ||
	    le32toh(sb.version) != BITMAP_VERSION ||
	    memcmp(sb.uuid, s->uuid, sizeof(sb.uuid)) ||
	    b->chunk < SECTOR || b->chunk & (b->chunk - 1) ||
	    le32toh(sb.nodes))
		return false;
	b->bits = (size + b->chunk - 1) / b->chunk;
	b->events = le64toh(sb.events);
	b->cleared = le64toh(sb.events_cleared);
	return b->bits <= BITMAP_BITS_MAX &&
	       is_before_data(s, s->bitmap_at,
			      /* A byte behind the last one is cleared, too */
			      MD_BITMAP_HEADER + b->bits / 8 + 1);
}

void md_bitmap_make(const struct md_bitmap *b, const struct md_super *s,
		    uint8_t raw[MD_BITMAP_HEADER])
{
	uint64_t room = s->data_at - s->bitmap_at;
	struct bitmap_super sb = {
		.magic = htole32(BITMAP_MAGIC),
		.version = htole32(BITMAP_VERSION),
		.events = htole64(b->events),
		.events_cleared = htole64(b->cleared),
		.sync_size = htole64(raid_sync_size(&s->layout) / SECTOR),
		.chunksize = htole32(b->chunk),
		.daemon_sleep = htole32(BITMAP_SLEEP) };

	if (room > MD_BITMAP_LEN)
		room = MD_BITMAP_LEN;
	sb.sectors_reserved = htole32(room / SECTOR);
	memcpy(sb.uuid, s->uuid, sizeof(sb.uuid));
	memcpy(raw, &sb, sizeof(sb));
}
