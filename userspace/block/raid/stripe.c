// SPDX-License-Identifier: GPL-2.0
/*
 * Levels 4, 5 and 6: a column of a row has data blocks, and P and Q made of them.
 * A write needs what it does not change, to make parity: the blocks that it
 * leaves (reconstruct-write), or those that it replaces and the parity before
 * (read-modify-write), whichever is less; if members are missing, all that there
 * is.
 */
#include <errno.h>
#include <string.h>
#include "block/raid/parity.h"
#include "block/raid/raid.h"

enum { RECONSTRUCT, MODIFY, RECOVER };

static struct member *readable(const struct raid_op *op, unsigned int slot)
{
	if (op->bad >> slot & 1)
		return NULL;
	return raid_readable(op->raid, slot);
}

static struct member *writable(const struct raid_op *op, unsigned int slot)
{
	return raid_writable(op->raid, slot);
}

/* Bytes from the start of each member's data: the same for all */
static uint64_t at(const struct raid_op *op)
{
	return op->lo;
}

/* Before reading: which blocks will be missing? False: too many */
static bool note_lost(struct raid_op *op)
{
	unsigned int i;

	op->lost = 0;
	for (i = 0; i < op->raid->layout.disks; i++)
		op->lost |= (uint32_t)!readable(op, i) << i;
	return (unsigned int)__builtin_popcount(op->lost) <=
	       op->row.nr_parity;
}

/* After reading: has another one turned out to be? */
static bool lost_more(const struct raid_op *op)
{
	return op->bad & ~(uint64_t)op->lost;
}

static bool is_written(const struct raid_op *op, unsigned int data)
{
	return data >= op->first && data < op->first + op->count;
}

static void read_slot(struct raid_op *op, unsigned int slot, uint8_t *to)
{
	op_send(op, slot, readable(op, slot), BLOCK_READ, at(op), to,
		op_len(op));
}

static void read_all(struct raid_op *op)
{
	unsigned int i;

	for (i = 0; i < op->raid->layout.disks; i++)
		if (readable(op, i))
			read_slot(op, i, op->block[i]);
}

static void write_slot(struct raid_op *op, unsigned int slot,
		       const uint8_t *from)
{
	struct member *m = writable(op, slot);

	if (m)
		op_send(op, slot, m, BLOCK_WRITE, at(op), (void *)from,
			op_len(op));
}

/* ---- reads ------------------------------------------------------------------- */

static void recover(struct raid_op *op);

static void recovered(struct raid_op *op)
{
	unsigned int i;

	if (lost_more(op)) {
		recover(op);
		return;
	}
	parity_recover(&op->row, op->block, op->lost, op_len(op));
	op_copy_out(op, op->block[op->row.data[op->first]]);
	op_begin(op, op_mended);
	for (i = 0; i < op->row.nr_data && !op->raid->block.read_only; i++)
		if (op->bad >> op->row.data[i] & 1)
			write_slot(op, op->row.data[i],
				   op->block[op->row.data[i]]);
	op_go(op);
}

/* With the lock: the others' blocks and parity */
static void recover(struct raid_op *op)
{
	if (!note_lost(op)) {
		op_end(op, -EIO);
		return;
	}
	op_begin(op, recovered);
	read_all(op);
	op_go(op);
}

static void copied(struct raid_op *op)
{
	if (op->bad) {
		recover(op);
		return;
	}
	op_copy_out(op, op->block[op->row.data[op->first]]);
	op_end(op, 0);
}

static void read_directly(struct raid_op *op)
{
	if (op->bad)
		op_lock(op, recover);
	else
		op_end(op, 0);
}

static void read_block(struct raid_op *op)
{
	unsigned int slot = op->row.data[op->first];

	op_begin(op, copied);
	read_slot(op, slot, op->block[slot]);
	op_go(op);
}

static void start_read(struct raid_op *op)
{
	unsigned int slot = op->row.data[op->first];
	struct member *m = readable(op, slot);

	if (!m) {
		op_lock(op, recover);
	} else if (!op->direct) {
		op_lock(op, read_block);
	} else {
		op_begin(op, read_directly);
		op_send_guest(op, slot, m, at(op));
		op_go(op);
	}
}

/* ---- writes ------------------------------------------------------------------ */

static void plan(struct raid_op *op);

static void write_ended(struct raid_op *op)
{
	op_end(op, op->raid->broken ? -EIO : 0);
}

static void write_failed(struct raid_op *op)
{
	op_end(op, -EIO);
}

static void written(struct raid_op *op)
{
	ppl_done(op);
	op_judge(op, "it cannot be written");
	meta_end_write(op, write_ended);
}

static void write_all(struct raid_op *op)
{
	unsigned int i, slot;

	op_begin(op, written);
	for (i = 0; i < op->row.nr_data; i++) {
		slot = op->row.data[i];
		/* Also those that could not be read, and were recovered */
		if (is_written(op, i) ||
		    (op->mode == RECOVER && op->bad >> slot & 1))
			write_slot(op, slot, op->block[slot]);
	}
	for (i = 0; i < op->row.nr_parity; i++)
		write_slot(op, op->row.parity[i], op->parity[i]);
	op_go(op);
}

static void write_logged(struct raid_op *op)
{
	if (op->raid->broken)
		meta_end_write(op, write_failed);
	else
		write_all(op);
}

/*
 * The block that has what was in the operation's data block @i: one that is not
 * used else, because a read-modify-write changes less than half
 */
static uint8_t *old_block(const struct raid_op *op, unsigned int i)
{
	unsigned int n = 0, data;

	for (data = 0; ; data++)
		if (!is_written(op, data) && n++ == i)
			return op->block[op->row.data[data]];
}

static void add(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		to[i] ^= from[i];
}

/* What the log has to know: the sum of the data that stays as it is */
static const uint8_t *unchanged(struct raid_op *op)
{
	/* The parity that is to come is made behind this */
	uint8_t *sum = op->parity[1];
	unsigned int i;

	if (op->raid->layout.level != 5 || op->count == op->row.nr_data)
		return NULL;
	if (op->mode == MODIFY) {
		memcpy(sum, op->block[op->row.parity[0]], op_len(op));
		for (i = 0; i < op->count; i++)
			add(sum, old_block(op, i), op_len(op));
		return sum;
	}
	memset(sum, 0, op_len(op));
	for (i = 0; i < op->row.nr_data; i++)
		if (!is_written(op, i))
			add(sum, op->block[op->row.data[i]], op_len(op));
	return sum;
}

static void make_parity(struct raid_op *op)
{
	uint8_t *old[RAID_DISKS];
	const uint8_t *log;
	unsigned int i;

	if (lost_more(op)) {
		plan(op);
		return;
	}
	if (op->mode == RECOVER)
		parity_recover(&op->row, op->block, op->lost, op_len(op));
	log = unchanged(op);
	/* The guest may change it at any time: from here on this copy counts */
	for (i = 0; i < op->count; i++) {
		op_copy_in(op, i, op->block[op->row.data[op->first + i]]);
		if (op->mode == MODIFY)
			old[op->first + i] = old_block(op, i);
	}
	if (op->mode == MODIFY)
		parity_update(&op->row, op->block, old, op->first, op->count,
			      op->parity, op_len(op));
	else
		parity_make(&op->row, op->block, op->parity, op_len(op));
	/* Also where it has failed: that has to be known first */
	if (op->raid->journal.pages)
		journal_log(op, write_logged);
	else
		ppl_log(op, log, write_all);
}

/* May this much be taken as read? All of the data, or of what is replaced */
static bool can_read(const struct raid_op *op, bool replaced)
{
	unsigned int i;

	for (i = 0; i < op->row.nr_data; i++)
		if (is_written(op, i) == replaced &&
		    !readable(op, op->row.data[i]))
			return false;
	for (i = 0; replaced && i < op->row.nr_parity; i++)
		if (!readable(op, op->row.parity[i]))
			return false;
	return true;
}

static int choose_mode(const struct raid_op *op)
{
	unsigned int modify = op->count + op->row.nr_parity;
	unsigned int reconstruct = op->row.nr_data - op->count;
	const struct raid *raid = op->raid;
	/* What the journal keeps may be written again when a resync is done */
	bool trusted = !raid->journal.member || raid->synced == MD_ALL;

	/* The rest of what is written has to be there, too */
	if (op->head || op->tail)
		return RECOVER;
	/* Less than half is replaced, then: see old_block() */
	if (modify < reconstruct && trusted && can_read(op, true))
		return MODIFY;
	return can_read(op, false) ? RECONSTRUCT : RECOVER;
}

static void plan(struct raid_op *op)
{
	bool enough = note_lost(op);
	unsigned int i;

	op->mode = choose_mode(op);
	if (op->raid->broken || (op->mode == RECOVER && !enough)) {
		meta_end_write(op, write_failed);
		return;
	}
	op_begin(op, make_parity);
	if (op->mode == RECOVER)
		read_all(op);
	for (i = 0; op->mode != RECOVER && i < op->row.nr_data; i++) {
		unsigned int slot = op->row.data[i];

		if (op->mode == RECONSTRUCT && !is_written(op, i))
			read_slot(op, slot, op->block[slot]);
		else if (op->mode == MODIFY && is_written(op, i))
			read_slot(op, slot, old_block(op, i - op->first));
	}
	for (i = 0; op->mode == MODIFY && i < op->row.nr_parity; i++)
		read_slot(op, op->row.parity[i],
			  op->block[op->row.parity[i]]);
	op_go(op);
}

static void write_locked(struct raid_op *op)
{
	meta_begin_write(op, plan);
}

void stripe_start(struct raid_op *op)
{
	if (op->io->request->op == BLOCK_READ)
		start_read(op);
	else if (op->raid->broken)
		op_end(op, -EIO);
	else
		op_lock(op, write_locked);
}

/* ---- a step of a resync ------------------------------------------------------- */

static void sync_read(struct raid_op *op);

/* Data that can be read is right, parity is made to fit */
static void compare(struct raid_op *op)
{
	bool write = op->raid->sync.action != RAID_CHECK;
	unsigned int i, slot;

	if (lost_more(op)) {
		sync_read(op);
		return;
	}
	parity_recover(&op->row, op->block, op->lost, op_len(op));
	parity_make(&op->row, op->block, op->parity, op_len(op));
	op_begin(op, sync_written);
	for (i = 0; i < op->row.nr_data; i++) {
		slot = op->row.data[i];
		if (op->lost >> slot & 1)
			write_slot(op, slot, op->block[slot]);
	}
	for (i = 0; i < op->row.nr_parity; i++) {
		bool lost, differs;

		slot = op->row.parity[i];
		lost = op->lost >> slot & 1;
		differs = !lost && memcmp(op->parity[i], op->block[slot],
					  op_len(op));
		if (differs)
			op->wrong = op_len(op);
		if (lost || (differs && write))
			write_slot(op, slot, op->parity[i]);
	}
	op_go(op);
}

static void sync_read(struct raid_op *op)
{
	if (!note_lost(op)) {
		sync_done(op, 0, -EIO);
		return;
	}
	op_begin(op, compare);
	read_all(op);
	op_go(op);
}

void stripe_sync(struct raid_op *op)
{
	op_lock(op, sync_read);
}
