/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disks in memory for tests of what stands on disks: requests end in an order
 * that is drawn, fail where the test wants, and a power cut can come at each of
 * them, with or without a write cache in which what was not flushed is lost.
 */
#ifndef MVMM_PLAYED_DISKS_H
#define MVMM_PLAYED_DISKS_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "block/block.h"

#define DISKS		12
#define PENDING		4096

struct played {
	struct block block;
	bool taken;
	uint8_t *data, *durable;
	bool fail_reads, fail_writes;
	uint64_t bad_at, bad_len;	/* cannot be read until it is written */
};

static struct {
	struct played disk[DISKS];
	struct {
		struct played *disk;
		struct block_request *request;
	} pending[PENDING];
	unsigned int nr;
	uint64_t random;
	/* So many writes until the power cut; 0: none comes */
	unsigned long cut_after;
	bool dead, cached;
	/* Looks at each request before it is pending; may be NULL */
	void (*look)(const struct block_request *r);
} played;

static inline uint64_t draw(uint64_t below)
{
	played.random ^= played.random << 13;
	played.random ^= played.random >> 7;
	played.random ^= played.random << 17;
	return played.random % below;
}

static inline void apply(struct played *d, const struct block_request *r, size_t limit)
{
	uint64_t at = r->at;
	unsigned int i;

	if (r->op != BLOCK_WRITE) {
		memset(d->data + at, 0, r->len < limit ? r->len : limit);
		return;
	}
	for (i = 0; i < r->niov; i++) {
		size_t n = r->iov[i].iov_len < limit ? r->iov[i].iov_len : limit;

		memcpy(d->data + at, r->iov[i].iov_base, n);
		at += n;
		limit -= n;
	}
}

static inline int play_read(struct played *d, const struct block_request *r)
{
	uint64_t at = r->at;
	unsigned int i;

	if (d->fail_reads || (d->bad_len && at < d->bad_at + d->bad_len &&
			      d->bad_at < at + r->len))
		return -EIO;
	for (i = 0; i < r->niov; i++) {
		memcpy(r->iov[i].iov_base, d->data + at, r->iov[i].iov_len);
		at += r->iov[i].iov_len;
	}
	return 0;
}

static inline int play_write(struct played *d, const struct block_request *r)
{
	if (d->fail_writes)
		return -EIO;
	if (played.dead)
		return 0;
	if (played.cut_after && !--played.cut_after) {
		/* Some of its sectors */
		apply(d, r, draw(r->len / 512 + 1) * 512);
		played.dead = true;
		return 0;
	}
	apply(d, r, r->len);
	if (r->stable)
		memcpy(d->durable + r->at, d->data + r->at, r->len);
	if (d->bad_len && r->at <= d->bad_at &&
	    r->at + r->len >= d->bad_at + d->bad_len)
		d->bad_len = 0;
	return 0;
}

static inline void play(unsigned int i)
{
	struct played *d = played.pending[i].disk;
	struct block_request *r = played.pending[i].request;

	played.pending[i] = played.pending[--played.nr];
	if (r->op == BLOCK_READ) {
		r->result = play_read(d, r);
	} else if (r->op == BLOCK_FLUSH) {
		r->result = d->fail_writes ? -EIO : 0;
		if (!r->result && !played.dead && played.cached)
			memcpy(d->durable, d->data, d->block.size);
	} else {
		r->result = play_write(d, r);
	}
	r->done(r);
}

/* One request, if there is any */
static inline bool play_one(void)
{
	if (played.nr)
		play(draw(played.nr));
	return played.nr;
}

static inline int played_start(struct block *block, struct loop *loop,
			struct error *error)
{
	block->loop = loop;
	return 0;
}

static inline void played_submit(struct block *block, struct block_request *r)
{
	if (played.nr == PENDING)
		abort();
	if (played.look)
		played.look(r);
	played.pending[played.nr].disk = (struct played *)block;
	played.pending[played.nr++].request = r;
}

/* One pass, as a file's: what comes while it reports is not waited for */
static inline void played_drain(struct block *block)
{
	unsigned int left = 0, i;

	for (i = 0; i < played.nr; i++)
		left += &played.pending[i].disk->block == block;
	while (left--) {
		for (i = 0; i < played.nr; i++)
			if (&played.pending[i].disk->block == block)
				break;
		if (i == played.nr)
			return;
		play(i);
	}
}

static inline void played_close(struct block *block)
{
	((struct played *)block)->taken = false;
}

static inline struct block *played_disk(unsigned int i)
{
	static const struct block_ops ops = { .start = played_start,
		.submit = played_submit, .drain = played_drain,
		.cancel = played_drain, .close = played_close };

	played.disk[i].block.ops = &ops;
	played.disk[i].taken = true;
	return &played.disk[i].block;
}

static inline void played_make_one(unsigned int i, uint64_t size)
{
	struct played *d = &played.disk[i];

	free(d->data);
	free(d->durable);
	*d = (struct played){ .data = calloc(1, size),
			      .durable = calloc(1, size),
			      .block.size = size };
}

/* @nr blank disks */
static inline void played_make(unsigned int nr, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		played_make_one(i, size);
	played.nr = 0;
	played.dead = played.cached = false;
	played.cut_after = 0;
	played.look = NULL;
}

static inline void played_free(void)
{
	unsigned int i;

	for (i = 0; i < DISKS; i++) {
		free(played.disk[i].data);
		free(played.disk[i].durable);
		played.disk[i] = (struct played){ .data = NULL };
	}
}

/* The power is there again: of what was not flushed, some is there */
static inline void played_power_on(void)
{
	unsigned int i;
	uint64_t at;

	for (i = 0; i < DISKS; i++) {
		struct played *d = &played.disk[i];

		if (!d->data)
			continue;

		for (at = 0; played.cached && at < d->block.size; at += 512)
			if (draw(2))
				memcpy(d->data + at, d->durable + at, 512);
		memcpy(d->durable, d->data, d->block.size);
	}
	played.nr = 0;
	played.dead = false;
	played.cut_after = 0;
}

#endif
