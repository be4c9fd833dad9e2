// SPDX-License-Identifier: GPL-2.0
/*
 * A disk of two: a base, which is only read, and a file that has what is written.
 * How a request becomes those to the two: op.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "block/overlay/overlay.h"

/* ---- what the block layer calls ------------------------------------------------ */

static void overlay_submit(struct block *block, struct block_request *r)
{
	struct overlay *o = (struct overlay *)block;
	bool submitting = o->submitting;

	r->next = NULL;
	*o->todo_end = r;
	o->todo_end = &r->next;
	o->submitting = true;
	overlay_pump(o);
	o->submitting = submitting;
}

static void report(struct overlay *o)
{
	struct block_request *r = o->finished, *next;

	for (o->finished = NULL; r; r = next) {
		next = r->next;
		r->done(r);
	}
}

static void on_finished(void *ctx, uint32_t events)
{
	struct overlay *o = ctx;
	eventfd_t count;

	if (!eventfd_read(o->event, &count))
		report(o);
}

/* What ends at the base may lead to requests to the file of changes */
static void overlay_plug(struct block *block, bool on)
{
	struct overlay *o = (struct overlay *)block;

	block_plug(o->base, on);
	block_plug(o->changes, on);
}

static void overlay_drain(struct block *block)
{
	struct overlay *o = (struct overlay *)block;

	while (o->active) {
		o->base->ops->drain(o->base);
		o->changes->ops->drain(o->changes);
	}
	report(o);
}

static void overlay_cancel(struct block *block)
{
	struct overlay *o = (struct overlay *)block;
	struct block_request *r = o->todo, *next;

	o->todo = NULL;
	o->todo_end = &o->todo;
	for (; r; r = next) {
		next = r->next;
		r->result = -ECANCELED;
		r->done(r);
	}
	o->cancelled = true;
	while (o->active) {
		o->base->ops->cancel(o->base);
		o->changes->ops->cancel(o->changes);
	}
	o->cancelled = false;
	report(o);
}

/* A file that goes when it is closed; -1: none can be had */
static int temporary(void)
{
	const char *const dirs[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };
	unsigned int i;
	int fd = -1;

	for (i = 0; fd < 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (dirs[i])
			fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC,
				  0600);
	return fd;
}

/* An overlay that is not there yet is made, unless it would only be read */
static int make(struct overlay *o, struct error *error)
{
	int fd, ret;

	if (o->path && o->block.read_only)
		return 0;
	fd = o->path ? open(o->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			    0666) : temporary();
	if (fd < 0 && o->path && errno == EEXIST)
		return 0;
	if (fd < 0)
		return fail(error, STATUS_NO_INPUT, "overlay %s: %s",
			    o->path ?: "in a temporary file", strerror(errno));
	ret = overlay_create(fd, o->path ?: "in a temporary file",
			     o->base->size, OVERLAY_BITS, error);
	if (ret && o->path)
		unlink(o->path);
	if (ret || o->path) {
		close(fd);
		return ret;
	}
	return fd;
}

/* Locked first, then read */
static int open_changes(struct overlay *o, int temporary_fd,
			struct error *error)
{
	char name[32];
	struct block_config config = { .path = o->path ?: name,
				       .read_only = o->block.read_only };
	int fd, ret;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", temporary_fd);
	o->changes = file_open(&config, error);
	if (!o->changes)
		return -1;
	fd = open(config.path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(error, STATUS_NO_INPUT, "overlay %s: %s",
			    config.path, strerror(errno));
	ret = overlay_read(fd, config.path, &o->format, error);
	close(fd);
	if (!ret && o->format.size != o->base->size)
		ret = fail(error, STATUS_DATA,
			   "overlay %s is for a disk of %llu bytes, and this one has %llu",
			   config.path, (unsigned long long)o->format.size,
			   (unsigned long long)o->base->size);
	return ret;
}

static int make_room(struct overlay *o, struct error *error)
{
	unsigned int i;

	o->saved = calloc(1, o->format.map_len);
	o->dirty = calloc(1, o->format.map_len / BLOCK_SECTOR);
	for (i = 0; i < OPS; i++) {
		o->op[i].overlay = o;
		o->op[i].bounce = malloc(o->format.cluster);
		if (!o->op[i].bounce)
			break;
	}
	if (i < OPS || !o->saved || !o->dirty)
		return fail(error, STATUS_OS, "overlay: no memory");
	return 0;
}

static int overlay_start(struct block *block, struct loop *loop,
			 struct error *error)
{
	struct overlay *o = (struct overlay *)block;
	int fd, ret;

	if (o->base->ops->start(o->base, loop, error))
		return -1;
	fd = make(o, error);
	if (fd < 0)
		return -1;
	ret = open_changes(o, fd, error);
	if (fd)
		close(fd);
	if (ret || make_room(o, error) ||
	    o->changes->ops->start(o->changes, loop, error))
		return -1;
	block->loop = loop;
	block->size = o->base->size;
	/* Of what is read, and most is, until it has been written */
	block->physical = o->base->physical;
	block->min_io = o->base->min_io;
	block->opt_io = o->base->opt_io;
	pthread_mutex_lock(&loop->lock);
	ret = loop_watch(loop, &o->watch, EPOLLIN);
	pthread_mutex_unlock(&loop->lock);
	return ret ? fail(error, STATUS_OS, "cannot serve the disk: %s",
			  strerror(-ret)) : 0;
}

static void overlay_close(struct block *block)
{
	struct overlay *o = (struct overlay *)block;
	unsigned int i;

	if (block->loop) {
		/* What was not flushed need not survive, but why lose it? */
		block_do(block, BLOCK_FLUSH, 0, NULL, 0);
		pthread_mutex_lock(&block->loop->lock);
		loop_watch(block->loop, &o->watch, 0);
		pthread_mutex_unlock(&block->loop->lock);
	}
	if (o->changes)
		o->changes->ops->close(o->changes);
	o->base->ops->close(o->base);
	for (i = 0; i < OPS; i++)
		free(o->op[i].bounce);
	if (o->event >= 0)
		close(o->event);
	overlay_free(&o->format);
	free(o->saved);
	free(o->dirty);
	free(o->path);
	free(o);
}

struct block *overlay_open(struct block *base, const char *path, bool read_only,
			   struct error *error)
{
	static const struct block_ops ops = { .start = overlay_start,
					      .submit = overlay_submit,
					      .plug = overlay_plug,
					      .drain = overlay_drain,
					      .cancel = overlay_cancel,
					      .close = overlay_close };
	struct overlay *o = calloc(1, sizeof(*o));

	if (!o) {
		fail(error, STATUS_OS, "--disk: no memory");
		base->ops->close(base);
		return NULL;
	}
	o->block.ops = &ops;
	o->block.read_only = read_only;
	o->base = base;
	o->todo_end = &o->todo;
	o->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	o->watch = (struct watch){ on_finished, o, o->event, 0 };
	o->path = path ? strdup(path) : NULL;
	if (o->event >= 0 && !path == !o->path)
		return &o->block;
	fail(error, STATUS_OS, "--disk: no eventfd, or no memory");
	overlay_close(&o->block);
	return NULL;
}

/* ---- back into the base -------------------------------------------------------- */

static int commit_run(struct overlay *o, uint64_t c, uint64_t count,
		      uint8_t *buffer)
{
	uint64_t at = c * o->format.cluster, len = count * o->format.cluster;
	int ret;

	if (len > o->block.size - at)
		len = o->block.size - at;
	if (o->format.map[c] == CLUSTER_ZERO)
		return block_do(o->base, BLOCK_UNMAP, at, NULL, len);
	ret = block_do(o->changes, BLOCK_READ,
			 overlay_data_at(&o->format) + at, buffer, len);
	return ret ?: block_do(o->base, BLOCK_WRITE, at, buffer, len);
}

int overlay_commit(struct block *block, struct error *error)
{
	struct overlay *o = (struct overlay *)block;
	uint8_t *buffer = malloc(o->format.cluster);
	uint64_t c;
	int ret = buffer ? 0 : -ENOMEM;

	for (c = 0; !ret && c < o->format.clusters; c++)
		if (o->format.map[c] != CLUSTER_BASE)
			ret = commit_run(o, c, 1, buffer);
	free(buffer);
	if (!ret)
		ret = block_do(o->base, BLOCK_FLUSH, 0, NULL, 0);
	if (ret)
		return fail(error, STATUS_OS,
			    "commit: %s; the overlay is as it was",
			    strerror(-ret));
	/* The base has all of it, and only now the overlay need not */
	pthread_mutex_lock(&block->loop->lock);
	overlay_set_map(o, 0, o->format.clusters, CLUSTER_BASE);
	pthread_mutex_unlock(&block->loop->lock);
	ret = block_do(block, BLOCK_FLUSH, 0, NULL, 0) ?:
	      block_do(o->changes, BLOCK_DISCARD,
			 overlay_data_at(&o->format), NULL, o->format.clusters * o->format.cluster);
	return ret ? fail(error, STATUS_OS,
			  "commit: %s; the base has it all, and the overlay is to be made anew",
			  strerror(-ret)) : 0;
}
