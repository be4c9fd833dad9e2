/* SPDX-License-Identifier: GPL-2.0 */
/* A new array on disks: what "mvmm raid create" does. */
#ifndef MVMM_RAID_CREATE_H
#define MVMM_RAID_CREATE_H

#include "block/block.h"
#include "block/raid/md.h"

/**
 * struct raid_new - what it is to be
 * @layout: @used is chosen by raid_format()
 * @policy: how it gets in sync after a crash
 * @clean: the user says that it is in sync already: all disks are blank
 * @force: disks that are members of another array may be taken
 * @name: at most 32 bytes
 * @spares: so many of the disks, the last ones, are spares; but with MD_JOURNAL the
 *	very last one is the journal
 */
struct raid_new {
	struct raid_layout layout;
	enum md_policy policy;
	bool clean, force;
	const char *name;
	unsigned int spares;
};

/*
 * Writes superblocks and bitmaps on the @nr disks, which are started, and the
 * loop's lock is held. @label: for messages, and @name of each disk. 0, or -1
 * with @error, and nothing is written if the disks do not fit
 */
int raid_format(struct raid_new *new, struct block *const *disk,
		const char *const *name, unsigned int nr, struct error *error);
/* 0, or -1 with @error. The loop's lock is held */
int raid_read_super(struct block *disk, const char *name,
		    uint8_t raw[MD_SUPER_LEN], struct error *error);
/* What md calls it, "left-symmetric" or "n2", say. False: it is unknown */
bool raid_layout_parse(const char *text, unsigned int level, uint32_t *layout);

#endif
