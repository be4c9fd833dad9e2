// SPDX-License-Identifier: GPL-2.0
/* A new array on disks: see create.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "block/raid/create.h"
#include "block/raid/raid.h"

bool raid_layout_parse(const char *text, unsigned int level, uint32_t *layout)
{
	static const char *const names[] = {
		[RAID_LEFT_ASYMMETRIC] = "left-asymmetric",
		[RAID_RIGHT_ASYMMETRIC] = "right-asymmetric",
		[RAID_LEFT_SYMMETRIC] = "left-symmetric",
		[RAID_RIGHT_SYMMETRIC] = "right-symmetric",
		[RAID_PARITY_FIRST] = "parity-first",
		[RAID_PARITY_LAST] = "parity-last" };
	unsigned int i;

	if (!level) {
		*layout = strcmp(text, "original") ? RAID0_ALTERNATE :
						     RAID0_ORIGINAL;
		return *layout == RAID0_ORIGINAL || !strcmp(text, "alternate");
	}
	if (level == 10) {
		if (!strchr("nfo", text[0]) || text[1] < '2' || text[1] > '9' ||
		    text[2])
			return false;
		i = text[1] - '0';
		*layout = text[0] == 'n' ? RAID10_LAYOUT(i, 1, false) :
			  RAID10_LAYOUT(1, i, text[0] == 'o');
		return true;
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], text))
			continue;
		*layout = i;
		return level == 5 || level == 6;
	}
	return false;
}

static int check_disk(const struct block *disk, const char *name, uint64_t least,
		      struct error *error)
{
	if (disk->read_only)
		return fail(error, STATUS_USAGE, "%s can only be read", name);
	if (disk->size < MD_DATA_AT + least)
		return fail(error, STATUS_DATA,
			    "%s is too small: it needs at least %llu bytes",
			    name, (unsigned long long)(MD_DATA_AT + least));
	return 0;
}

/* As much of each as the smallest has, in whole chunks; of RAID 0 all of each */
static int choose_size(struct raid_new *new, struct block *const *disk,
		       const char *const *name, unsigned int nr,
		       struct error *error)
{
	struct raid_layout *l = &new->layout;
	uint64_t least = UINT64_MAX, unit = l->chunk ? l->chunk : 4096;
	const char *wrong;
	unsigned int i;

	if (new->policy == MD_JOURNAL)
		nr--;
	l->disks = nr - new->spares;
	/* With a size that is enough: what is wrong is not the disks' */
	l->used = RAID_CHUNK_MAX;
	wrong = raid_layout_check(l);
	if (wrong)
		return fail(error, STATUS_USAGE, "this array has %s", wrong);
	for (i = 0; i < nr; i++) {
		if (check_disk(disk[i], name[i], unit, error))
			return -1;
		if (disk[i]->size < least)
			least = disk[i]->size;
		if (!l->level)
			l->size[i] = (disk[i]->size - MD_DATA_AT) / unit * unit;
	}
	if (new->policy == MD_JOURNAL &&
	    check_disk(disk[nr], name[nr], journal_least(l), error))
		return -1;
	l->used = (least - MD_DATA_AT) / unit * unit;
	if (raid_has_zones(l) && !l->layout)
		l->layout = RAID0_ALTERNATE;
	wrong = raid_layout_check(l);
	return wrong ? fail(error, STATUS_USAGE, "this array has %s", wrong) :
		       0;
}

int raid_read_super(struct block *disk, const char *name,
		    uint8_t raw[MD_SUPER_LEN], struct error *error)
{
	struct member m = { .block = disk };

	if (member_transfer(&m, BLOCK_READ, MD_SUPER_AT, raw, MD_SUPER_LEN))
		return fail(error, STATUS_NO_INPUT, "%s cannot be read", name);
	return 0;
}

static int check_disks(const struct raid_new *new, struct member *member,
		       unsigned int nr, struct error *error)
{
	uint8_t raw[MD_SUPER_LEN];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (raid_read_super(member[i].block, member[i].name, raw,
				    error))
			return -1;
		if (md_is_super(raw) && !new->force)
			return fail(error, STATUS_DATA,
				    "%s is a member of an array already: --force takes it nevertheless",
				    member[i].name);
	}
	return 0;
}

static int write_bitmap(const struct raid_new *new, struct member *m)
{
	static uint8_t area[MD_BITMAP_LEN];
	struct md_bitmap bitmap;
	uint64_t bit;

	md_bitmap_choose(&bitmap, raid_sync_size(&new->layout));
	bitmap.events = m->super.events;
	memset(area, 0, sizeof(area));
	md_bitmap_make(&bitmap, &m->super, area);
	for (bit = 0; !new->clean && bit < bitmap.bits; bit++)
		area[MD_BITMAP_HEADER + bit / 8] |= 1u << bit % 8;
	return member_transfer(m, BLOCK_WRITE, m->super.bitmap_at, area,
			       sizeof(area));
}

/* The superblock last: with it, all that it speaks of is there */
static int write_member(const struct raid_new *new, struct member *m,
			struct error *error)
{
	static const uint8_t nothing[4096];

	if ((m->super.bitmap_at && write_bitmap(new, m)) ||
	    (m->super.ppl_at &&
	     member_transfer(m, BLOCK_WRITE, m->super.ppl_at, (void *)nothing,
			     sizeof(nothing))) ||
	    member_transfer(m, BLOCK_FLUSH, 0, NULL, 0) ||
	    member_transfer(m, BLOCK_WRITE, MD_SUPER_AT, m->super.raw,
			    MD_SUPER_LEN))
		return fail(error, STATUS_OS, "%s cannot be written", m->name);
	return 0;
}

int raid_format(struct raid_new *new, struct block *const *disk,
		const char *const *name, unsigned int nr, struct error *error)
{
	struct member member[RAID_MEMBERS] = { 0 };
	struct md_super super = { .events = 1 };
	uint8_t uuid[16];
	unsigned int i;

	if (nr > RAID_MEMBERS ||
	    nr <= new->spares + (new->policy == MD_JOURNAL))
		return fail(error, STATUS_USAGE,
			    "an array has from 1 to %u members", RAID_DISKS);
	if (choose_size(new, disk, name, nr, error))
		return -1;
	for (i = 0; i < nr; i++) {
		member[i].name = (char *)name[i];
		member[i].block = disk[i];
	}
	if (check_disks(new, member, nr, error))
		return -1;
	super.layout = new->layout;
	super.synced = new->clean || !new->layout.level ? MD_ALL : 0;
	snprintf(super.name, sizeof(super.name), "%s", new->name);
	for (i = 0; i < MD_NUMBERS; i++)
		super.role[i] = i < new->layout.disks ? i : MD_SPARE;
	if (new->policy == MD_JOURNAL)
		super.role[nr - 1] = MD_ROLE_JOURNAL;
	if (getrandom(super.uuid, sizeof(super.uuid), 0) != sizeof(super.uuid))
		return fail(error, STATUS_OS, "no random bytes");
	for (i = 0; i < nr; i++) {
		if (getrandom(uuid, sizeof(uuid), 0) != sizeof(uuid))
			return fail(error, STATUS_OS, "no random bytes");
		member[i].super = super;
		member[i].super.data_len = (disk[i]->size - MD_DATA_AT) /
					   BLOCK_SECTOR * BLOCK_SECTOR;
		if (!new->layout.level)
			member[i].super.data_len = new->layout.size[i];
		md_make(&member[i].super, i, new->policy, uuid);
		md_update(&member[i].super, time(NULL));
		if (write_member(new, &member[i], error))
			return -1;
	}
	return 0;
}
