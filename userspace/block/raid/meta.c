// SPDX-License-Identifier: GPL-2.0
/*
 * What the members say of the array: superblocks, and the write-intent bitmap.
 * Rounds, one after the other: each writes what is not on the members, and what
 * waits goes on behind it. The order is what makes a crash harmless:
 *
 * - before data is written, the superblocks say that the array is not clean, and
 *   the bitmap where;
 * - before a write is reported that a failed member does not have, the others'
 *   superblocks say that it has failed;
 * - a bit is cleared when all members have flushed what was written there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "block/raid/raid.h"

#define SECTOR		BLOCK_SECTOR
#define LOOK_NS		(2ull * 1000000000)

static uint64_t sectors(const struct raid_meta *meta)
{
	return meta->len / SECTOR;
}

static bool is_dirty(const struct raid_meta *meta)
{
	uint64_t i;

	for (i = 0; i < sectors(meta); i++)
		if (meta->dirty[i])
			return true;
	return false;
}

/* ---- rounds ------------------------------------------------------------------ */

static void begin_round(struct raid *raid);

static void run(struct raid_ops *list)
{
	struct raid_ops now = *list;
	struct raid_op *op;

	/* They may come back to the list */
	list->head = NULL;
	while ((op = ops_take(&now)))
		op->next(op);
}

static void round_done(struct raid_op *op)
{
	struct raid *raid = op->raid;
	struct raid_meta *meta = &raid->meta;

	op_judge(op, "its superblock cannot be written");
	memset(meta->writing, 0, sectors(meta));
	raid->clean_there = meta->writing_clean;
	raid->failures_there = meta->writing_failures;
	meta->busy = op->used = false;
	run(&meta->now);
	begin_round(raid);
	raid_pump(raid);
}

static void send_super(struct raid *raid, unsigned int i)
{
	struct member *m = &raid->member[i];

	m->super.events = raid->events;
	/* With a journal nothing gets out of sync */
	m->super.synced = raid->clean || raid->journal.member ?
			  raid->synced : 0;
	md_update(&m->super, time(NULL));
	op_send_raw(raid->meta.op, i, m, BLOCK_WRITE, MD_SUPER_AT,
		    m->super.raw, MD_SUPER_LEN);
}

/* All sectors from the first to the last that are to be written */
static void take_dirty(struct raid_meta *meta, uint64_t *first, uint64_t *end)
{
	uint64_t i;

	*first = *end = 0;
	for (i = 0; i < sectors(meta); i++) {
		if (!meta->dirty[i])
			continue;
		if (!*end)
			*first = i;
		*end = i + 1;
	}
	/* What changes from here on is for the next round */
	memcpy(meta->copy + *first * SECTOR, meta->raw + *first * SECTOR,
	       (*end - *first) * SECTOR);
	for (i = *first; i < *end; i++) {
		meta->dirty[i] = false;
		meta->writing[i] = true;
	}
}

static void send_bitmap(struct raid *raid, unsigned int i, uint64_t first,
			uint64_t end)
{
	struct member *m = &raid->member[i];

	op_send_raw(raid->meta.op, i, m, BLOCK_WRITE,
		    m->super.bitmap_at + first * SECTOR,
		    raid->meta.copy + first * SECTOR, (end - first) * SECTOR);
}

static void begin_round(struct raid *raid)
{
	struct raid_meta *meta = &raid->meta;
	uint64_t first, end;
	unsigned int i;

	if (meta->busy)
		return;
	if (raid->broken || raid->block.read_only) {
		meta->wanted = false;
		raid->failures_there = raid->failures;
		memset(meta->dirty, 0, sectors(meta));
	}
	if (!meta->wanted && !is_dirty(meta)) {
		if (meta->later.head)
			run(&meta->later);
		return;
	}
	meta->busy = meta->op->used = true;
	meta->now = meta->later;
	if (!meta->now.head)
		meta->now.end = &meta->now.head;
	meta->later.head = NULL;
	if (meta->wanted && meta->bitmap.bits) {
		meta->bitmap.events = raid->events + 1;
		meta->dirty[0] = true;
		md_bitmap_make(&meta->bitmap, &raid->member[meta->model].super,
			       meta->raw);
	}
	take_dirty(meta, &first, &end);
	meta->writing_clean = meta->wanted ? raid->clean : raid->clean_there;
	if (meta->wanted)
		meta->writing_failures = raid->failures;
	/* A write that begins now must not be overtaken by the word "clean" */
	raid->clean_there |= meta->writing_clean;
	op_begin(meta->op, round_done);
	if (meta->wanted)
		raid->events++;
	for (i = 0; i < raid->members; i++) {
		if (raid->member[i].state <= MEMBER_FAULTY)
			continue;
		if (meta->wanted)
			send_super(raid, i);
		if (end && raid->member[i].super.bitmap_at)
			send_bitmap(raid, i, first, end);
	}
	meta->wanted = false;
	op_go(meta->op);
}

void meta_update(struct raid *raid)
{
	raid->meta.wanted = true;
	begin_round(raid);
}

void meta_wait(struct raid_op *op, raid_fn *next)
{
	op->next = next;
	ops_add(&op->raid->meta.later, op);
	begin_round(op->raid);
}

/* ---- the bitmap --------------------------------------------------------------- */

static uint64_t sector_of(uint64_t bit)
{
	return (MD_BITMAP_HEADER + bit / 8) / SECTOR;
}

static uint8_t *byte_of(const struct raid_meta *meta, uint64_t bit)
{
	return meta->raw + MD_BITMAP_HEADER + bit / 8;
}

static bool is_set(const struct raid_meta *meta, uint64_t bit)
{
	return *byte_of(meta, bit) >> bit % 8 & 1;
}

bool meta_is_set(const struct raid *raid, uint64_t lo, uint64_t hi)
{
	const struct raid_meta *meta = &raid->meta;
	uint64_t bit;

	if (!meta->bitmap.bits)
		return true;
	for (bit = lo / meta->bitmap.chunk;
	     bit <= (hi - 1) / meta->bitmap.chunk; bit++)
		if (is_set(meta, bit))
			return true;
	return false;
}

uint64_t meta_next(const struct raid *raid, uint64_t at)
{
	const struct raid_meta *meta = &raid->meta;
	uint64_t bit = at / meta->bitmap.chunk;

	/* What is left of a part that is set is looked at */
	if (at % meta->bitmap.chunk && is_set(meta, bit))
		return at;
	bit += !!(at % meta->bitmap.chunk);
	while (bit < meta->bitmap.bits && !is_set(meta, bit))
		bit++;
	return bit * meta->bitmap.chunk;
}

void meta_dirty_all(struct raid *raid)
{
	memset(raid->meta.dirty, true, sectors(&raid->meta));
}

/* Returns whether the members do not have it yet */
static bool mark(struct raid_op *op)
{
	struct raid_meta *meta = &op->raid->meta;
	bool wait = false;
	uint64_t bit;

	if (!meta->bitmap.bits)
		return false;
	for (bit = op->lo / meta->bitmap.chunk;
	     bit <= (op->hi - 1) / meta->bitmap.chunk; bit++) {
		uint64_t sector = sector_of(bit);

		meta->users[bit]++;
		meta->idle[bit] = false;
		if (!is_set(meta, bit)) {
			*byte_of(meta, bit) |= 1u << bit % 8;
			meta->dirty[sector] = true;
		}
		wait |= meta->dirty[sector] || meta->writing[sector];
	}
	op->marked = true;
	return wait;
}

static void unmark(struct raid_op *op)
{
	struct raid_meta *meta = &op->raid->meta;
	uint64_t bit;

	if (!op->marked)
		return;
	op->marked = false;
	for (bit = op->lo / meta->bitmap.chunk;
	     bit <= (op->hi - 1) / meta->bitmap.chunk; bit++) {
		meta->users[bit]--;
		/* A flush that is under way may not have it */
		meta->idle[bit] = false;
	}
}

void meta_begin_write(struct raid_op *op, raid_fn *next)
{
	struct raid *raid = op->raid;
	bool wait = mark(op);

	/* RAID 0 has nothing that could be out of sync */
	if (!raid->layout.level) {
		next(op);
		return;
	}
	raid->written = true;
	if (raid->clean) {
		raid->clean = false;
		raid->meta.wanted = true;
	}
	if (wait || raid->clean_there)
		meta_wait(op, next);
	else
		next(op);
}

void meta_end_write(struct raid_op *op, raid_fn *next)
{
	unmark(op);
	if (op->raid->failures != op->raid->failures_there)
		meta_wait(op, next);
	else
		next(op);
}

/* ---- what has become idle ------------------------------------------------------ */

/* Those that stay idle until the members have flushed */
static void clear_idle(struct raid *raid)
{
	struct raid_meta *meta = &raid->meta;
	bool any = false;
	uint64_t bit;

	for (bit = 0; bit < meta->bitmap.bits; bit++) {
		if (!meta->idle[bit] || meta->users[bit] || !is_set(meta, bit))
			continue;
		*byte_of(meta, bit) &= ~(1u << bit % 8);
		meta->dirty[sector_of(bit)] = any = true;
	}
	if (any)
		meta->bitmap.cleared = raid->events;
}

/* Who is absent needs the bits when it comes back, as who resyncs does */
static bool keeps_bits(const struct raid *raid)
{
	return raid_degraded(raid) || raid->synced != MD_ALL || raid->broken;
}

static bool any_in_use(const struct raid *raid)
{
	unsigned int i;

	for (i = 0; i < RAID_OPS; i++)
		if (raid->op[i].used)
			return true;
	return false;
}

/* What a rebuild has done so far stays done if the array is shut down clean */
static void note_rebuilt(struct raid *raid)
{
	unsigned int i;

	for (i = 0; i < raid->members; i++) {
		struct member *m = &raid->member[i];

		if (m->state == MEMBER_REBUILDING &&
		    m->super.recovered < raid->meta.rebuilt)
			m->super.recovered = raid->meta.rebuilt;
	}
}

static void idle_flushed(struct raid_op *op)
{
	struct raid *raid = op->raid;
	bool all = op_judge(op, "it cannot be flushed") == op->sent;

	op->used = raid->meta.flushing = false;
	if (all)
		note_rebuilt(raid);
	if (all && !keeps_bits(raid))
		clear_idle(raid);
	if (all && !raid->written && !any_in_use(raid) && !raid->clean) {
		raid->clean = true;
		raid->meta.wanted = true;
	}
	begin_round(raid);
	raid_pump(raid);
}

static void flush_members(struct raid *raid)
{
	struct raid_op *op = raid->meta.flusher;

	raid->meta.flushing = op->used = true;
	raid->meta.rebuilt = sync_rebuilt(raid);
	op_flush(op, idle_flushed);
}

static void look(void *ctx)
{
	struct raid *raid = ctx;
	struct raid_meta *meta = &raid->meta;
	uint64_t bit;

	loop_set_timer(raid->block.loop, &meta->tick,
		       vm_clock_now(raid->block.loop->clock) + LOOK_NS);
	if (raid->held || meta->flushing || raid->clean || raid->broken)
		return;
	/* Idle from one look to the next */
	if (!raid->written || meta->bitmap.bits)
		flush_members(raid);
	raid->written = any_in_use(raid);
	for (bit = 0; bit < meta->bitmap.bits; bit++)
		meta->idle[bit] = true;
}

/* ---- start and end ------------------------------------------------------------- */

/* The bits of all members that have been there to the end: one crashed earlier */
static void read_bits(struct raid *raid, struct member *m)
{
	struct raid_meta *meta = &raid->meta;
	struct md_bitmap b;
	size_t i;

	if (member_transfer(m, BLOCK_READ, m->super.bitmap_at, meta->copy,
			    meta->len) ||
	    !md_bitmap_parse(&b, meta->copy, &m->super) ||
	    b.chunk != meta->bitmap.chunk || b.events + 1 < m->super.events) {
		/* Nothing is known: all of it */
		memset(meta->copy, 0xff, meta->len);
	}
	for (i = MD_BITMAP_HEADER; i < meta->len; i++)
		meta->raw[i] |= meta->copy[i];
}

/* Beyond the last bit nothing is set */
static void trim(struct raid_meta *meta)
{
	uint64_t bit = meta->bitmap.bits;
	uint8_t *last = byte_of(meta, bit);

	*last &= (1u << bit % 8) - 1;
	memset(last + 1, 0, meta->raw + meta->len - last - 1);
}

static int make_bitmap(struct raid *raid, struct member *m, struct error *error)
{
	struct raid_meta *meta = &raid->meta;
	uint8_t raw[BLOCK_SECTOR];

	if (member_transfer(m, BLOCK_READ, m->super.bitmap_at, raw,
			    sizeof(raw)) ||
	    !md_bitmap_parse(&meta->bitmap, raw, &m->super))
		return fail(error, STATUS_DATA,
			    "%s has a bitmap that is not this array's: run mdadm --grow --bitmap=none on it",
			    m->name);
	/* A byte more, so that trim() has one */
	meta->len = (MD_BITMAP_HEADER + meta->bitmap.bits / 8 + 1 + SECTOR - 1) /
		    SECTOR * SECTOR;
	meta->users = calloc(meta->bitmap.bits, sizeof(*meta->users));
	meta->idle = calloc(meta->bitmap.bits, sizeof(*meta->idle));
	return meta->users && meta->idle ? 0 :
	       fail(error, STATUS_OS, "--disk: no memory for a bitmap");
}

int meta_start(struct raid *raid, struct error *error)
{
	struct raid_meta *meta = &raid->meta;
	unsigned int i;

	meta->op = &raid->op[RAID_OPS];
	meta->flusher = &raid->op[RAID_OPS + 1];
	meta->tick = (struct timer){ .fn = look, .ctx = raid };
	while (meta->model < raid->members &&
	       raid->member[meta->model].state != MEMBER_IN_SYNC)
		meta->model++;
	if (raid->member[meta->model].super.bitmap_at &&
	    make_bitmap(raid, &raid->member[meta->model], error))
		return -1;
	meta->raw = calloc(1, meta->len + 1);
	meta->copy = calloc(1, meta->len + 1);
	meta->dirty = calloc(1, sectors(meta) + 1);
	meta->writing = calloc(1, sectors(meta) + 1);
	if (!meta->raw || !meta->copy || !meta->dirty || !meta->writing)
		return fail(error, STATUS_OS, "--disk: no memory for a bitmap");
	for (i = 0; i < raid->members && meta->bitmap.bits; i++) {
		struct member *m = &raid->member[i];

		if (m->state <= MEMBER_FAULTY)
			continue;
		if (m->super.data_at - m->super.bitmap_at < meta->len)
			return fail(error, STATUS_DATA,
				    "%s has less room for a bitmap than others",
				    m->name);
		if (m->state == MEMBER_IN_SYNC)
			read_bits(raid, m);
	}
	if (meta->bitmap.bits) {
		trim(meta);
		meta->bitmap.events = raid->events;
		md_bitmap_make(&meta->bitmap,
			       &raid->member[meta->model].super, meta->raw);
	}
	if (!raid->block.read_only && raid->layout.level)
		look(raid);
	return 0;
}

void meta_close(struct raid *raid)
{
	struct raid_meta *meta = &raid->meta;
	uint64_t bit;

	if (raid->clean || raid->broken || raid->block.read_only ||
	    !raid->layout.level)
		return;
	raid->written = false;
	for (bit = 0; bit < meta->bitmap.bits; bit++)
		meta->idle[bit] = true;
	flush_members(raid);
}

void meta_stop(struct raid *raid)
{
	struct raid_meta *meta = &raid->meta;

	if (meta->tick.fn)
		loop_set_timer(raid->block.loop, &meta->tick, 0);
	free(meta->raw);
	free(meta->copy);
	free(meta->dirty);
	free(meta->writing);
	free(meta->users);
	free(meta->idle);
}
