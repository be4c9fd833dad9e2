// SPDX-License-Identifier: GPL-2.0
/* An array as a disk: it is opened, starts, loses members, gets others. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "block/raid/raid.h"

void raid_say(struct raid *raid, const char *format, ...)
{
	struct raid_note *note = &raid->note[raid->notes++ % RAID_NOTES];
	va_list args;

	va_start(args, format);
	vsnprintf(note->text, sizeof(note->text), format, args);
	va_end(args);
	note->at = time(NULL);
	fprintf(stderr, "\r\nmvmm: %s: %s\r\n", raid->label, note->text);
}

/* ---- members ------------------------------------------------------------------------ */

struct member *raid_readable(const struct raid *raid, unsigned int slot)
{
	struct member *m = raid->at[slot];

	return m && m->state == MEMBER_IN_SYNC ? m : NULL;
}

struct member *raid_writable(const struct raid *raid, unsigned int slot)
{
	return raid->at[slot];
}

unsigned int raid_degraded(const struct raid *raid)
{
	unsigned int missing = 0, i;

	for (i = 0; i < raid->layout.disks; i++)
		missing += !raid_readable(raid, i);
	return missing;
}

/* With copies: the places of chunks repeat after as many as there are members */
static bool has_all_copies(const struct raid *raid, const struct member *without)
{
	const struct raid_layout *l = &raid->layout;
	uint64_t at, step = l->level == 1 ? l->used : l->chunk, len;
	struct raid_place place[RAID_DISKS];
	unsigned int i, n, copies;

	for (at = n = 0; n < l->disks && at < raid_capacity(l); n++, at += step) {
		copies = raid_copies(l, at, place, &len);
		for (i = 0; i < copies; i++) {
			const struct member *m =
				raid_readable(raid, place[i].disk);

			if (m && m != without)
				break;
		}
		if (i == copies)
			return false;
	}
	return true;
}

bool raid_can_lose(const struct raid *raid, const struct member *m)
{
	unsigned int lost = m && m->state == MEMBER_IN_SYNC;

	if (raid_has_parity(&raid->layout))
		return raid_degraded(raid) + lost <=
		       raid_redundancy(&raid->layout);
	return has_all_copies(raid, m);
}

void raid_drop(struct raid *raid, struct member *m, const char *why)
{
	unsigned int i;

	if (m->state >= MEMBER_REBUILDING)
		raid->at[m->slot] = NULL;
	if (m == raid->journal.member)
		raid->journal.member = NULL;
	m->state = MEMBER_FAULTY;
	for (i = 0; i < raid->members; i++)
		raid->member[i].super.role[m->super.number] = MD_FAULTY;
	raid_say(raid, "%s has failed: %s", m->name, why);
}

void raid_fail(struct raid *raid, struct member *m, const char *why)
{
	if (m->state <= MEMBER_FAULTY || raid->broken)
		return;
	if (!raid_can_lose(raid, m)) {
		/* The superblocks do not speak of this one */
		raid->broken = true;
		raid_say(raid, "%s has failed (%s), and the array cannot do without it: nothing is written any more",
			 m->name, why);
		return;
	}
	raid_drop(raid, m, why);
	raid->failures++;
	raid->sync.stuck = false;
	meta_update(raid);
	sync_kick(raid);
}

/* ---- a disk ------------------------------------------------------------------------- */

static void raid_submit(struct block *block, struct block_request *r)
{
	struct raid *raid = (struct raid *)block;

	r->next = NULL;
	*raid->queue_end = r;
	raid->queue_end = &r->next;
	raid_pump(raid);
}

static void plug_member(struct member *m, bool on)
{
	if (m->block)
		block_plug(m->block, on);
}

/* Each gives what it has to the host; the others are plugged meanwhile */
static void push_members(struct raid *raid)
{
	unsigned int i;

	for (i = 0; i < raid->members; i++) {
		plug_member(&raid->member[i], false);
		plug_member(&raid->member[i], true);
	}
}

static void raid_plug(struct block *block, bool on)
{
	struct raid *raid = (struct raid *)block;
	uint64_t sent;
	unsigned int i;

	/* What was read leads to writes, which are given together, too */
	while (!on && raid->plugged == 1) {
		sent = raid->sent;
		push_members(raid);
		if (raid->sent == sent)
			break;
	}
	raid->plugged += on ? 1 : -1;
	for (i = 0; raid->plugged == on && i < raid->members; i++)
		plug_member(&raid->member[i], on);
}

/* Until nothing is under way: each member's end begins something else */
static void wait_for_all(struct raid *raid)
{
	unsigned int i;

	raid->held = true;
	while (raid_is_busy(raid)) {
		for (i = 0; i < raid->members; i++) {
			struct member *m = &raid->member[i];

			/* Nobody waits for what a failed one may still do */
			if (m->state == MEMBER_FAULTY)
				m->block->ops->cancel(m->block);
			else if (m->block)
				m->block->ops->drain(m->block);
		}
	}
	raid->held = false;
}

static void raid_drain(struct block *block)
{
	struct raid *raid = (struct raid *)block;

	wait_for_all(raid);
	sync_kick(raid);
}

static void cancel_queue(struct raid *raid)
{
	struct block_request *r = raid->queue, *next;

	raid->queue = NULL;
	raid->queue_end = &raid->queue;
	for (; r; r = next) {
		next = r->next;
		r->result = -ECANCELED;
		r->done(r);
	}
}

/* What has operations ends with those: a row that is half written is wrong */
static void raid_cancel(struct block *block)
{
	struct raid *raid = (struct raid *)block;

	if (raid->io) {
		struct raid_io *io = raid->io;

		raid->io = NULL;
		io->all_cut = true;
		io->request->result = -ECANCELED;
		if (!io->left)
			raid_finish_io(raid, io);
	}
	cancel_queue(raid);
	raid_drain(block);
}

static int start_members(struct raid *raid, struct loop *loop,
			 struct error *error)
{
	unsigned int i;

	for (i = 0; i < raid->members; i++) {
		struct block *b = raid->member[i].block;

		if (b->ops->start(b, loop, error))
			return -1;
		if (b->read_only && !raid->block.read_only)
			return fail(error, STATUS_USAGE,
				    "%s: %s can only be read: give the whole array ro, or leave it out",
				    raid->label, raid->member[i].name);
	}
	return 0;
}

static int raid_start(struct block *block, struct loop *loop,
		      struct error *error)
{
	struct raid *raid = (struct raid *)block;
	int ret;

	block->loop = loop;
	if (start_members(raid, loop, error))
		return -1;
	pthread_mutex_lock(&loop->lock);
	ret = raid_assemble(raid, error);
	if (!ret && raid_make_ops(raid))
		ret = fail(error, STATUS_OS, "--disk: no memory for an array");
	if (!ret && !block->read_only)
		ret = ppl_recover(raid, error);
	if (!ret)
		ret = journal_start(raid, error);
	if (!ret) {
		raid->clean = raid->clean_there = true;
		block->size = raid_capacity(&raid->layout);
		block->physical = 4096;
		block->min_io = raid->layout.chunk;
		if (!raid->layout.level)
			block->opt_io = raid->layout.disks * block->min_io;
		else if (raid->layout.used)
			block->opt_io = block->size / raid->layout.used *
					raid->layout.chunk;
		ret = meta_start(raid, error);
	}
	if (!ret) {
		raid->running = true;
		sync_start(raid);
	}
	pthread_mutex_unlock(&loop->lock);
	return ret;
}

static void raid_close(struct block *block)
{
	struct raid *raid = (struct raid *)block;
	unsigned int i;

	if (block->loop) {
		pthread_mutex_lock(&block->loop->lock);
		if (raid->running) {
			wait_for_all(raid);
			journal_close(raid);
			wait_for_all(raid);
			meta_close(raid);
			wait_for_all(raid);
			raid->held = true;
		}
		sync_stop(raid);
		meta_stop(raid);
		pthread_mutex_unlock(&block->loop->lock);
	}
	for (i = 0; i < raid->members; i++) {
		struct block *b = raid->member[i].block;

		/* Those that are closed later plug the others until then */
		raid->member[i].block = NULL;
		if (b)
			b->ops->close(b);
		free(raid->member[i].name);
	}
	raid_free_ops(raid);
	free(raid->label);
	free(raid);
}

/* ---- opening -------------------------------------------------------------------------- */

struct raid *raid_new(const struct block_config *config)
{
	static const struct block_ops ops = { .start = raid_start,
					      .submit = raid_submit,
					      .plug = raid_plug,
					      .drain = raid_drain,
					      .cancel = raid_cancel,
					      .command = raid_command,
					      .close = raid_close };
	struct raid *raid = calloc(1, sizeof(*raid));

	if (!raid || asprintf(&raid->label, "raid%u:%s", config->level,
			      config->path) < 0) {
		free(raid);
		return NULL;
	}
	raid->block.ops = &ops;
	raid->block.read_only = config->read_only;
	raid->level = config->level;
	raid->chunk = config->chunk;
	raid->force = config->force;
	raid->retry = config->retry;
	return raid;
}

int raid_take(struct raid *raid, struct block *block, const char *name,
	      enum member_state state, struct error *error)
{
	struct member *m = &raid->member[raid->members];

	m->name = strdup(name);
	if (!m->name) {
		block->ops->close(block);
		return fail(error, STATUS_OS, "--disk: no memory");
	}
	m->block = block;
	block->parent = &raid->block;
	m->state = state;
	raid->members++;
	return 0;
}

static int open_member(struct raid *raid, const char *text,
		       enum member_state state, struct error *error)
{
	struct block *block = block_open_member(text, raid->block.read_only,
						raid->retry, error);

	return block ? raid_take(raid, block, text, state, error) : -1;
}

struct block *raid_open(const struct block_config *config, struct error *error)
{
	struct raid *raid = raid_new(config);
	unsigned int i;
	int ret;

	if (!raid) {
		fail(error, STATUS_OS, "--disk: no memory");
		return NULL;
	}
	ret = open_member(raid, config->path, MEMBER_IN_SYNC, error);
	for (i = 0; !ret && i < config->members; i++)
		ret = open_member(raid, config->member[i], MEMBER_IN_SYNC,
				  error);
	for (i = 0; !ret && i < config->spares; i++)
		ret = open_member(raid, config->spare[i], MEMBER_SPARE, error);
	if (!ret && config->journal)
		ret = open_member(raid, config->journal, MEMBER_JOURNAL, error);
	if (!ret)
		return &raid->block;
	raid_close(&raid->block);
	return NULL;
}
