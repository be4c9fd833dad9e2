/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What Linux's md keeps on each member: the superblock 1.2, 4 KiB from the
 * start, and the write-intent bitmap's. Read from a file, they are hostile. No
 * I/O here.
 */
#ifndef MVMM_RAID_MD_H
#define MVMM_RAID_MD_H

#include "base/error.h"
#include "block/raid/layout.h"

#define MD_SUPER_AT	4096u
#define MD_SUPER_LEN	4096u
#define MD_ALL		UINT64_MAX	/* of @synced and @recovered: all of it */
#define MD_NUMBERS	128u		/* members and spares, dead ones too */
#define MD_SPARE	0xffffu
#define MD_FAULTY	0xfffeu
#define MD_ROLE_JOURNAL	0xfffdu
#define MD_ROLE_MAX	0xff00u

/* Where an array made here has its parts, in bytes of a member */
#define MD_BITMAP_AT	8192u
#define MD_BITMAP_LEN	(56u << 10)
#define MD_PPL_AT	(64u << 10)
#define MD_PPL_LEN	(132u << 10)
#define MD_DATA_AT	(1u << 20)

/**
 * struct md_super - a member's superblock, checked
 * @raw: as it is on the member: what is not understood here stays
 * @layout: of the array
 * @uuid: of the array
 * @name: its name
 * @data_at: bytes from the member's start to its data
 * @data_len: bytes of data that it has room for
 * @events: counts changes: who has fewer was absent
 * @synced: all before that byte is in sync; MD_ALL: it was shut down clean
 * @recovered: of a member that is being rebuilt: so far; else MD_ALL
 * @number: of this member; its role is role[number]
 * @role: by number: its place in the layout, or one of the above
 * @has_journal: the array has one, or had
 * @tail: of the journal: the byte of its data where the log begins
 * @bitmap_at: bytes from the member's start; 0: no bitmap
 * @ppl_at: the same of the partial parity log; 0: none
 * @ppl_len: its bytes
 */
struct md_super {
	uint8_t raw[MD_SUPER_LEN];
	struct raid_layout layout;
	uint8_t uuid[16];
	char name[33];
	uint64_t data_at, data_len, events, synced, recovered;
	unsigned int number;
	uint16_t role[MD_NUMBERS];
	bool has_journal;
	uint64_t tail, bitmap_at, ppl_at, ppl_len;
};

enum md_policy { MD_RESYNC, MD_BITMAP, MD_PPL, MD_JOURNAL };

/* Is there any superblock of md's? */
bool md_is_super(const uint8_t raw[MD_SUPER_LEN]);
/*
 * Checks @raw, that of the member @name with @size bytes. 0, or -1 with @error
 */
int md_parse(struct md_super *s, const uint8_t raw[MD_SUPER_LEN], uint64_t size,
	     const char *name, struct error *error);
/*
 * A new array's, for member @number. @s has its layout, uuid, name, data_len,
 * events, synced and roles, which say who is the journal; the rest is filled in, @raw too
 */
void md_make(struct md_super *s, unsigned int number, enum md_policy policy,
	     const uint8_t device_uuid[16]);
/* The same for another disk of @from's array, which has no data yet */
void md_adopt(struct md_super *s, const struct md_super *from,
	      unsigned int number, uint64_t data_len,
	      const uint8_t device_uuid[16]);
/* Brings @raw up to date with events, synced, recovered, roles and @now, in s */
void md_update(struct md_super *s, uint64_t now);

/* ---- the bitmap ------------------------------------------------------------ */

#define MD_BITMAP_HEADER 256u

/**
 * struct md_bitmap - what its header says
 * @chunk: bytes that a bit stands for
 * @bits: how many there are
 * @events: of the array when it was written
 * @cleared: of the array when a bit was cleared last
 */
struct md_bitmap {
	uint64_t chunk, bits, events, cleared;
};

/* For a new array; @sync_size: see raid_sync_size() */
void md_bitmap_choose(struct md_bitmap *b, uint64_t sync_size);
/* False: it is none of this array, or not one that is understood */
bool md_bitmap_parse(struct md_bitmap *b, const uint8_t raw[MD_BITMAP_HEADER],
		     const struct md_super *s);
void md_bitmap_make(const struct md_bitmap *b, const struct md_super *s,
		    uint8_t raw[MD_BITMAP_HEADER]);

#endif
