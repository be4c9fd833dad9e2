// SPDX-License-Identifier: GPL-2.0
/*
 * The walk through the array, in the background: after a crash (resync), for a
 * new member (rebuild), because the user asks (check, repair). One column at a
 * time, under its lock, so that guests go on meanwhile.
 */
#include <errno.h>
#include "block/raid/raid.h"

#define SPEED_DEFAULT	(200ull << 20)	/* md's sync_speed_max */
#define NS		1000000000ull

static void step(struct raid *raid);

static uint64_t now(const struct raid *raid)
{
	return vm_clock_now(raid->block.loop->clock);
}

static struct member *find(struct raid *raid, enum member_state state)
{
	unsigned int i;

	for (i = 0; i < raid->members; i++)
		if (raid->member[i].state == state)
			return &raid->member[i];
	return NULL;
}

static const char *name_of(enum raid_action action)
{
	static const char *const names[] = { "idle", "resync", "rebuild",
					     "check", "repair" };

	return names[action];
}

const char *sync_name(const struct raid *raid)
{
	return name_of(raid->sync.action);
}

/* ---- the end ------------------------------------------------------------------- */

static void finished(struct raid_op *op)
{
	struct raid *raid = op->raid;
	struct raid_sync *sync = &raid->sync;

	op_judge(op, "it cannot be written");
	op_unlock(op);
	op->used = sync->running = false;
	if (sync->action >= RAID_CHECK) {
		sync->asked = RAID_IDLE;
		raid_say(raid, "%s: %llu bytes did not agree",
			 name_of(sync->action),
			 (unsigned long long)sync->mismatches);
	}
	sync->action = RAID_IDLE;
	meta_update(raid);
	sync_kick(raid);
	raid_pump(raid);
}

static void flushed(struct raid_op *op)
{
	struct raid *raid = op->raid;
	enum raid_action action = raid->sync.action;
	bool all = action == RAID_RESYNC || action == RAID_REPAIR;
	unsigned int i;

	op_judge(op, "it cannot be written");
	for (i = 0; action == RAID_REBUILD && i < raid->members; i++) {
		struct member *m = &raid->member[i];

		if (m->state != MEMBER_REBUILDING)
			continue;
		m->state = MEMBER_IN_SYNC;
		m->super.recovered = MD_ALL;
		raid_say(raid, "%s is rebuilt", m->name);
	}
	/* What was made right by a rebuild is right, too */
	if (!raid->broken &&
	    (all || (action == RAID_REBUILD && !raid_degraded(raid))))
		raid->synced = MD_ALL;
	/* A new member's log may have something of an earlier life */
	if (raid->has_log && raid->synced == MD_ALL && !raid->broken) {
		op_begin(op, finished);
		ppl_open(op);
		op_go(op);
	} else {
		finished(op);
	}
}

static void flush(struct raid_op *op)
{
	op_flush(op, flushed);
}

/*
 * What was written has to be there before the superblocks say so. Writes that
 * have begun without a log end first
 */
static void finish(struct raid *raid)
{
	struct raid_op *op = raid->sync.op;

	raid->sync.running = op->used = true;
	op->lo = 0;
	op->hi = UINT64_MAX;
	op->bad = 0;
	op_lock(op, flush);
}

/* ---- steps --------------------------------------------------------------------- */

/* Has a column nothing to do with what this walk is for? */
static bool is_needless(const struct raid *raid, const struct raid_op *op)
{
	unsigned int i;

	if (raid->sync.action == RAID_RESYNC)
		return !meta_is_set(raid, op->lo, op->hi);
	if (raid->sync.action != RAID_REBUILD || raid_has_parity(&raid->layout))
		return false;
	for (i = 0; i < op->copies; i++) {
		const struct member *m = raid->at[op->place[i].disk];

		if (m && m->state == MEMBER_REBUILDING)
			return false;
	}
	return true;
}

/* The end of the column that begins at @at */
static uint64_t end_of(const struct raid *raid, uint64_t at)
{
	const struct raid_layout *l = &raid->layout;
	uint64_t left = raid_sync_size(l) - at, len;
	struct raid_place place[RAID_DISKS];

	if (raid_has_parity(l))
		len = l->chunk - at % l->chunk;
	else
		raid_copies(l, at, place, &len);
	if (len > RAID_COLUMN)
		len = RAID_COLUMN;
	return at + (len < left ? len : left);
}

static void step(struct raid *raid)
{
	struct raid_sync *sync = &raid->sync;
	struct raid_op *op = sync->op;
	uint64_t size = raid_sync_size(&raid->layout);

	while (sync->at < size) {
		op_place(op, sync->at, end_of(raid, sync->at));
		if (!is_needless(raid, op))
			break;
		sync->at = sync->action == RAID_RESYNC ?
			   meta_next(raid, op->hi) : op->hi;
	}
	if (sync->at > size)
		sync->at = size;
	if (sync->at >= size) {
		finish(raid);
		return;
	}
	sync->running = op->used = true;
	op->io = NULL;
	if (raid_has_parity(&raid->layout))
		stripe_sync(op);
	else
		mirror_sync(op);
}

static void on_timer(void *ctx)
{
	struct raid *raid = ctx;

	raid->sync.waiting = false;
	if (!raid->held && !raid->sync.running &&
	    raid->sync.action != RAID_IDLE)
		step(raid);
}

/* The guest's requests come between, and the speed is kept */
static void wait_for_next(struct raid *raid, uint64_t len)
{
	struct raid_sync *sync = &raid->sync;
	uint64_t t = now(raid);

	if (sync->due < t)
		sync->due = t;
	sync->due += len * NS / sync->speed;
	sync->waiting = true;
	/* In time that is not worth a timer, the next one comes at once */
	loop_set_timer(raid->block.loop, &sync->timer,
		       sync->due > t + 1000000 ? sync->due : t + 1);
}

static void give_up(struct raid *raid, uint64_t at)
{
	raid_say(raid, "%s: byte %llu cannot be read from enough members",
		 name_of(raid->sync.action), (unsigned long long)at);
	/* Who only looks goes on looking */
	if (raid->sync.action >= RAID_CHECK) {
		wait_for_next(raid, RAID_COLUMN);
		return;
	}
	raid->sync.stuck = true;
	raid->sync.action = raid->sync.asked = RAID_IDLE;
}

void sync_done(struct raid_op *op, uint64_t wrong, int result)
{
	struct raid *raid = op->raid;
	struct raid_sync *sync = &raid->sync;

	op_unlock(op);
	op->used = sync->running = false;
	sync->mismatches += wrong;
	sync->at = op->hi;
	if (raid->broken)
		sync->action = sync->asked = RAID_IDLE;
	else if (result)
		give_up(raid, op->lo);
	else
		wait_for_next(raid, op_len(op));
	raid_pump(raid);
}

static void sync_ended(struct raid_op *op)
{
	sync_done(op, op->wrong, op->raid->broken ? -EIO : 0);
}

void sync_written(struct raid_op *op)
{
	op_judge(op, "it cannot be written");
	meta_end_write(op, sync_ended);
}

/* ---- what there is to do ---------------------------------------------------------- */

static unsigned int missing_slot(const struct raid *raid)
{
	unsigned int slot = 0;

	while (slot < raid->layout.disks && raid->at[slot])
		slot++;
	return slot;
}

/* A spare takes the place of who is missing */
static bool use_spare(struct raid *raid)
{
	struct member *spare = find(raid, MEMBER_SPARE);
	unsigned int slot = missing_slot(raid), i;

	if (!spare || slot == raid->layout.disks)
		return false;
	spare->state = MEMBER_REBUILDING;
	spare->slot = slot;
	spare->super.recovered = 0;
	raid->at[slot] = spare;
	for (i = 0; i < raid->members; i++)
		raid->member[i].super.role[spare->super.number] = slot;
	raid_say(raid, "%s takes place %u and is rebuilt", spare->name, slot);
	meta_dirty_all(raid);
	meta_update(raid);
	return true;
}

static enum raid_action choose(struct raid *raid)
{
	if (!raid->layout.level || raid->broken || raid->block.read_only)
		return RAID_IDLE;
	/* As many as there are: all are rebuilt at once */
	if (!raid->sync.stuck) {
		while (use_spare(raid))
			;
		if (find(raid, MEMBER_REBUILDING))
			return RAID_REBUILD;
		if (raid->synced != MD_ALL && !raid_degraded(raid))
			return RAID_RESYNC;
	}
	return raid->sync.asked;
}

/*
 * A walk in the volume's order leaves no single border on a member of RAID 10
 */
static bool has_border(const struct raid *raid)
{
	return raid->layout.level != 10;
}

uint64_t sync_rebuilt(const struct raid *raid)
{
	return raid->sync.action == RAID_REBUILD && has_border(raid) ?
	       raid->sync.at : 0;
}

static uint64_t start_of(const struct raid *raid)
{
	uint64_t at = MD_ALL;
	unsigned int i;

	if (raid->sync.action != RAID_REBUILD || !has_border(raid))
		return 0;
	for (i = 0; i < raid->members; i++)
		if (raid->member[i].state == MEMBER_REBUILDING &&
		    raid->member[i].super.recovered < at)
			at = raid->member[i].super.recovered;
	return at;
}

void sync_kick(struct raid *raid)
{
	struct raid_sync *sync = &raid->sync;

	if (raid->held || sync->running || sync->waiting)
		return;
	/* A spare that comes in the middle of a walk is for the next one */
	if (sync->action == RAID_IDLE) {
		sync->action = choose(raid);
		if (sync->action == RAID_IDLE)
			return;
		sync->at = start_of(raid);
		sync->mismatches = 0;
	}
	wait_for_next(raid, 0);
}

void sync_start(struct raid *raid)
{
	struct raid_sync *sync = &raid->sync;

	sync->op = &raid->op[RAID_OPS + 2];
	sync->timer = (struct timer){ .fn = on_timer, .ctx = raid };
	sync->speed = SPEED_DEFAULT;
	sync_kick(raid);
}

void sync_stop(struct raid *raid)
{
	if (raid->sync.timer.fn)
		loop_set_timer(raid->block.loop, &raid->sync.timer, 0);
}
