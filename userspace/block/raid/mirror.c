// SPDX-License-Identifier: GPL-2.0
/*
 * Levels 0, 1 and 10: a part of the volume has one or more copies. A write goes
 * to all, a read to one; a copy that cannot be read is written again from
 * another.
 */
#include <errno.h>
#include <string.h>
#include "block/raid/raid.h"

static struct member *copy_readable(const struct raid_op *op, unsigned int i)
{
	if (op->bad >> i & 1)
		return NULL;
	return raid_readable(op->raid, op->place[i].disk);
}

static struct member *copy_writable(const struct raid_op *op, unsigned int i)
{
	return raid_writable(op->raid, op->place[i].disk);
}

/* The copy whose member has least to do; @copies: there is none */
static unsigned int choose(const struct raid_op *op)
{
	unsigned int best = op->copies, least = ~0u, i;

	for (i = 0; i < op->copies; i++) {
		const struct member *m = copy_readable(op, i);

		if (m && m->in_flight < least) {
			least = m->in_flight;
			best = i;
		}
	}
	return best;
}

/* RAID 0 has nobody to go on with: an error is an error, the member stays */
static unsigned int judge(struct raid_op *op)
{
	if (op->raid->layout.level)
		return op_judge(op, "it cannot be written");
	return !op->sub[0].request.result;
}

/* ---- reads ------------------------------------------------------------------- */

static void read_again(struct raid_op *op);

/* With the lock: the copies that could not be read get what the others have */
static void read_elsewhere(struct raid_op *op)
{
	unsigned int from = op->mode, i;

	if (op->bad >> from & 1) {
		read_again(op);
		return;
	}
	op_copy_out(op, op->block[0]);
	op_begin(op, op_mended);
	for (i = 0; i < op->copies; i++)
		if (op->bad >> i & 1 && copy_writable(op, i) &&
		    !op->raid->block.read_only)
			op_send(op, i, copy_writable(op, i), BLOCK_WRITE,
				op->place[i].at, op->block[0], op_len(op));
	op_go(op);
}

static void read_again(struct raid_op *op)
{
	unsigned int i = choose(op);

	if (i == op->copies) {
		op_end(op, -EIO);
		return;
	}
	op->mode = i;
	op_begin(op, read_elsewhere);
	op_send(op, i, copy_readable(op, i), BLOCK_READ, op->place[i].at,
		op->block[0], op_len(op));
	op_go(op);
}

static void read_directly(struct raid_op *op)
{
	if (!op->bad)
		op_end(op, 0);
	else if (op->copies == 1)
		op_end(op, -EIO);
	else
		op_lock(op, read_again);
}

static void start_read(struct raid_op *op)
{
	unsigned int i = choose(op);

	if (i == op->copies) {
		op_end(op, -EIO);
	} else if (!op->direct) {
		op_lock(op, read_again);
	} else {
		op_begin(op, read_directly);
		op_send_guest(op, i, copy_readable(op, i), op->place[i].at);
		op_go(op);
	}
}

/* ---- writes ------------------------------------------------------------------ */

static void write_ended(struct raid_op *op)
{
	op_end(op, op->mode && !op->raid->broken ? 0 : -EIO);
}

static void written(struct raid_op *op)
{
	/* How many have it */
	op->mode = judge(op);
	meta_end_write(op, write_ended);
}

/*
 * Copies have to be alike, so what can be read back after a discard has to be
 * zero in each.
 */
static enum block_op what(const struct raid_op *op)
{
	enum block_op wanted = op->io->request->op;

	return wanted == BLOCK_DISCARD && op->copies > 1 ? BLOCK_UNMAP : wanted;
}

static void write_copies(struct raid_op *op)
{
	bool transfer = op->io->request->op == BLOCK_WRITE;
	bool direct = op->copies == 1 && op->direct;
	unsigned int i;

	/* The guest may change it meanwhile: the copies would differ */
	if (transfer && !direct)
		op_copy_in(op, 0, op->block[0]);
	op_begin(op, written);
	for (i = 0; i < op->copies; i++) {
		struct member *m = copy_writable(op, i);

		if (!m)
			continue;
		if (transfer && direct)
			op_send_guest(op, i, m, op->place[i].at);
		else
			op_send(op, i, m, what(op), op->place[i].at,
				transfer ? op->block[0] : NULL, op_len(op));
	}
	op_go(op);
}

static void locked(struct raid_op *op)
{
	meta_begin_write(op, write_copies);
}

void mirror_start(struct raid_op *op)
{
	if (op->io->request->op == BLOCK_READ)
		start_read(op);
	else if (op->raid->broken)
		op_end(op, -EIO);
	else if (op->copies == 1)
		locked(op);
	else
		op_lock(op, locked);
}

/* ---- a step of a resync ------------------------------------------------------- */

/* The first that can be read is right: nobody knows better */
static void compare(struct raid_op *op)
{
	bool write = op->raid->sync.action != RAID_CHECK;
	unsigned int good = 0, i;

	while (good < op->copies && !copy_readable(op, good))
		good++;
	if (good == op->copies) {
		sync_done(op, 0, -EIO);
		return;
	}
	op_begin(op, sync_written);
	for (i = 0; i < op->copies; i++) {
		struct member *m = copy_writable(op, i);
		bool differs = copy_readable(op, i) &&
			memcmp(op->block[i], op->block[good], op_len(op));

		if (differs)
			op->wrong = op_len(op);
		/* Who could not be read, and who is new, gets it in any case */
		if (i != good && m && (!copy_readable(op, i) ||
				       (differs && write)))
			op_send(op, i, m, BLOCK_WRITE, op->place[i].at,
				op->block[good], op_len(op));
	}
	op_go(op);
}

static void read_all(struct raid_op *op)
{
	unsigned int i;

	op_begin(op, compare);
	for (i = 0; i < op->copies; i++)
		if (copy_readable(op, i))
			op_send(op, i, copy_readable(op, i), BLOCK_READ,
				op->place[i].at, op->block[i], op_len(op));
	op_go(op);
}

void mirror_sync(struct raid_op *op)
{
	op_lock(op, read_all);
}
