// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to an overlay: all of it runs in the loop, as steps between requests
 * to the base and to the changes.
 *
 * What survives a crash: a cluster is written as a whole before the map in memory
 * says so, and that is before the request is reported. The file's map follows
 * when somebody flushes: the clusters are made stable, then the map's sectors are
 * written, then these are made stable. So the file's map never names a cluster
 * that is not there.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include "block/overlay/overlay.h"

/* ---- buffers --------------------------------------------------------------- */

/* The next @len bytes of the request's buffers become its first elements */
static void cut_iov(struct op *op, uint64_t len)
{
	struct iovec *iov = op->request->iov;
	unsigned int n;

	op->is_cut = false;
	for (n = 0; len; n++) {
		if (iov[n].iov_len > len) {
			op->is_cut = true;
			op->rest.iov_base = (char *)iov[n].iov_base + len;
			op->rest.iov_len = iov[n].iov_len - len;
			iov[n].iov_len = len;
		}
		len -= iov[n].iov_len;
	}
	op->elements = n;
}

/* They are done, and whoever did it may have changed them */
static void skip_iov(struct op *op)
{
	struct block_request *r = op->request;
	unsigned int n = op->elements - op->is_cut;

	r->iov += n;
	r->niov -= n;
	if (op->is_cut)
		*r->iov = op->rest;
	op->elements = 0;
	op->is_cut = false;
}

/* What is in the buffers goes to @bytes; NULL: zeroes go into the buffers */
static void copy_iov(struct op *op, uint8_t *bytes, uint64_t len)
{
	const struct block_request *r = op->request;
	unsigned int i;

	cut_iov(op, len);
	for (i = 0; i < op->elements; i++) {
		size_t n = r->iov[i].iov_len;

		if (!bytes)
			memset(r->iov[i].iov_base, 0, n);
		else
			memcpy(bytes, r->iov[i].iov_base, n);
		bytes = bytes ? bytes + n : NULL;
	}
	skip_iov(op);
}

/* ---- the map ---------------------------------------------------------------- */

void overlay_set_map(struct overlay *o, uint64_t first, uint64_t count,
		    uint8_t value)
{
	uint64_t i, end = (first + count - 1) / BLOCK_SECTOR + 1;

	memset(o->format.map + first, value, count);
	for (i = first / BLOCK_SECTOR; i < end; i++)
		o->dirty[i] |= MAP_CHANGED;
	if (o->from == o->to)
		o->from = o->to = first / BLOCK_SECTOR;
	if (o->from > first / BLOCK_SECTOR)
		o->from = first / BLOCK_SECTOR;
	if (o->to < end)
		o->to = end;
}

/* All that is in it now is to be written, and nothing that comes later */
static void copy_map(struct overlay *o)
{
	uint64_t i;

	for (i = o->from; i < o->to; i++) {
		if (!o->dirty[i])
			continue;
		o->dirty[i] = MAP_SAVING;
		memcpy(o->saved + i * BLOCK_SECTOR,
		       o->format.map + i * BLOCK_SECTOR, BLOCK_SECTOR);
	}
	o->save_from = o->from;
	o->save_to = o->to;
	o->from = o->to = 0;
}

/* It did not come to the disk: once more with the next flush */
static void keep_map(struct overlay *o)
{
	uint64_t i;

	for (i = o->save_from; i < o->save_to; i++)
		if (o->dirty[i] & MAP_SAVING)
			o->dirty[i] = MAP_CHANGED;
	if (o->save_from == o->save_to)
		return;
	if (o->from == o->to) {
		o->from = o->save_from;
		o->to = o->save_to;
	}
	o->from = o->from < o->save_from ? o->from : o->save_from;
	o->to = o->to > o->save_to ? o->to : o->save_to;
}

/* ---- an op -------------------------------------------------------------------- */

static void step(struct op *op);

static void end(struct op *op, int result)
{
	struct block_request *r = op->request;
	struct overlay *o = op->overlay;

	op->request = NULL;
	op->count = 0;
	o->active--;
	r->result = result;
	if (!o->submitting) {
		r->done(r);
		return;
	}
	r->next = o->finished;
	o->finished = r;
	eventfd_write(o->event, 1);
}

static void sub_done(struct block_request *sub);

static void send(struct op *op, struct block *to, enum stage stage,
		 enum block_op what, uint64_t at, uint64_t len)
{
	op->stage = stage;
	op->len = len;
	op->sub = (struct block_request){ .op = what, .at = at, .len = len,
					  .done = sub_done, .ctx = op };
	if (stage == STAGE_COPY_IN || stage == STAGE_COPY_OUT) {
		op->bounce_iov = (struct iovec){ op->bounce, len };
		op->sub.iov = &op->bounce_iov;
		op->sub.niov = 1;
	} else if (what == BLOCK_READ || what == BLOCK_WRITE) {
		cut_iov(op, len);
		op->sub.iov = op->request->iov;
		op->sub.niov = op->elements;
	}
	to->ops->submit(to, &op->sub);
}

/* Where the request goes on */
static uint64_t position(const struct op *op)
{
	return op->request->at + op->done;
}

static uint64_t place(const struct overlay *o, uint64_t at)
{
	return overlay_data_at(&o->format) + at;
}

/* Bytes from there to the end of cluster @c, or to the request's end */
static uint64_t until(const struct op *op, uint64_t c)
{
	uint64_t end = (c + 1) * op->overlay->format.cluster - position(op);
	uint64_t left = op->request->len - op->done;

	return end < left ? end : left;
}

/* How many of the next clusters, as far as the request goes, are alike */
static uint64_t run_length(const struct op *op, uint64_t c)
{
	const struct overlay *o = op->overlay;
	uint64_t last = (op->request->at + op->request->len - 1) /
			o->format.cluster, n = 1;

	while (c + n <= last && o->format.map[c + n] == o->format.map[c])
		n++;
	return n;
}

static bool is_busy(const struct op *op, uint64_t first, uint64_t count)
{
	const struct op *other = op->overlay->op;
	unsigned int i;

	for (i = 0; i < OPS; i++, other++)
		if (other != op && other->count &&
		    first < other->first + other->count &&
		    other->first < first + count)
			return true;
	return false;
}

/* The clusters from @c on that the request covers as a whole */
static uint64_t whole_clusters(const struct op *op, uint64_t c)
{
	const struct overlay *o = op->overlay;
	uint64_t end = op->request->at + op->request->len, n;

	if (position(op) != c * o->format.cluster)
		return 0;
	/* The last one may be longer than the disk */
	n = end == o->block.size ? o->format.clusters - c :
				   end / o->format.cluster - c;
	return n < run_length(op, c) ? n : run_length(op, c);
}

/* The cluster is in @bounce: the request's part comes into it, and it is written */
static void copy_out(struct op *op)
{
	struct overlay *o = op->overlay;
	uint64_t at = op->first * o->format.cluster, len = op->len;
	uint64_t part = until(op, op->first);
	uint8_t *to = op->bounce + (position(op) - at);

	if (op->request->op == BLOCK_WRITE)
		copy_iov(op, to, part);
	else
		memset(to, 0, part);
	op->done += part;
	send(op, o->changes, STAGE_COPY_OUT, BLOCK_WRITE, place(o, at), len);
}

/* What a write to a part of a cluster begins with */
static void copy_in(struct op *op, uint64_t c)
{
	struct overlay *o = op->overlay;
	uint64_t at = c * o->format.cluster, len = o->format.cluster;

	if (len > o->block.size - at)
		len = o->block.size - at;
	if (o->format.map[c] == CLUSTER_BASE) {
		send(op, o->base, STAGE_COPY_IN, BLOCK_READ, at, len);
		return;
	}
	memset(op->bounce, 0, len);
	op->len = len;
	copy_out(op);
}

/* Clusters that are not the overlay's own. Returns false: it goes on later */
static bool allocate(struct op *op, uint64_t c)
{
	struct block_request *r = op->request;
	struct overlay *o = op->overlay;
	bool write = r->op == BLOCK_WRITE;
	uint64_t n = whole_clusters(op, c);

	if (!write && !n && r->op == BLOCK_DISCARD) {
		op->done += until(op, c);
		return true;
	}
	if (is_busy(op, c, n ?: 1)) {
		op->waiting = true;
		return false;
	}
	if (!write && n) {
		overlay_set_map(o, c, n, CLUSTER_ZERO);
		op->done += until(op, c + n - 1);
		return true;
	}
	op->first = c;
	op->count = n ?: 1;
	if (n) {
		send(op, o->changes, STAGE_ALLOCATE, BLOCK_WRITE,
		     place(o, position(op)), until(op, c + n - 1));
		return false;
	}
	copy_in(op, c);
	return false;
}

/* The next part of the request. Returns false: @sub, or another op, does it */
static bool next_part(struct op *op)
{
	struct block_request *r = op->request;
	struct overlay *o = op->overlay;
	uint64_t at = position(op), c = at / o->format.cluster;
	uint64_t run = run_length(op, c), len = until(op, c + run - 1);

	switch (o->format.map[c]) {
	case CLUSTER_OWN:
		send(op, o->changes, STAGE_PASS, r->op, place(o, at), len);
		return false;
	case CLUSTER_ZERO:
		if (r->op == BLOCK_WRITE)
			return allocate(op, c);
		if (r->op == BLOCK_READ)
			copy_iov(op, NULL, len);
		op->done += len;
		return true;
	default:
		if (r->op != BLOCK_READ)
			return allocate(op, c);
		send(op, o->base, STAGE_PASS, BLOCK_READ, at, len);
		return false;
	}
}

static void flushed(struct op *op, int result)
{
	struct overlay *o = op->overlay;

	if (result)
		keep_map(o);
	if (result && result != -ECANCELED)
		o->error = result;
	o->saver = NULL;
	end(op, result);
}

static void begin_flush(struct op *op)
{
	struct overlay *o = op->overlay;

	if (!o->path || o->error) {
		end(op, o->error);
	} else if (o->saver) {
		op->waiting = true;
	} else {
		o->saver = op;
		copy_map(o);
		send(op, o->changes, STAGE_FLUSH_DATA, BLOCK_FLUSH, 0, 0);
	}
}

/* The next sectors of the map, or that they are stable */
static void save_map(struct op *op)
{
	struct overlay *o = op->overlay;
	uint64_t n;

	while (o->save_from < o->save_to &&
	       !(o->dirty[o->save_from] & MAP_SAVING))
		o->save_from++;
	for (n = 0; o->save_from + n < o->save_to &&
	     o->dirty[o->save_from + n] & MAP_SAVING; n++)
		;
	if (!n) {
		send(op, o->changes, STAGE_FLUSH_MAP, BLOCK_FLUSH, 0, 0);
		return;
	}
	op->stage = STAGE_WRITE_MAP;
	op->len = n;
	op->bounce_iov = (struct iovec){ o->saved + o->save_from * BLOCK_SECTOR,
					 n * BLOCK_SECTOR };
	op->sub = (struct block_request){
		.op = BLOCK_WRITE, .len = n * BLOCK_SECTOR,
		.at = OVERLAY_MAP_AT + o->save_from * BLOCK_SECTOR,
		.iov = &op->bounce_iov, .niov = 1, .done = sub_done,
		.ctx = op };
	o->changes->ops->submit(o->changes, &op->sub);
}

static void map_saved(struct op *op)
{
	struct overlay *o = op->overlay;

	for (; op->len; op->len--)
		o->dirty[o->save_from++] &= ~MAP_SAVING;
	save_map(op);
}

static void flush_done(struct op *op, int result)
{
	const struct overlay *o = op->overlay;

	if (result || op->stage == STAGE_FLUSH_MAP)
		flushed(op, result);
	else if (o->cancelled)
		flushed(op, -ECANCELED);
	else if (op->stage == STAGE_WRITE_MAP)
		map_saved(op);
	else if (o->save_from == o->save_to)
		flushed(op, 0);
	else
		save_map(op);
}

static void part_done(struct op *op, int result)
{
	struct overlay *o = op->overlay;
	bool copied = op->stage == STAGE_COPY_OUT;

	skip_iov(op);
	if (!result && op->stage != STAGE_PASS)
		overlay_set_map(o, op->first, op->count, CLUSTER_OWN);
	op->count = 0;
	op->done += copied ? 0 : op->len;
	if (result)
		end(op, result);
	else
		step(op);
}

static void sub_done(struct block_request *sub)
{
	struct op *op = sub->ctx;
	struct overlay *o = op->overlay;

	if (op->stage >= STAGE_FLUSH_DATA)
		flush_done(op, sub->result);
	else if (op->stage != STAGE_COPY_IN || sub->result)
		part_done(op, sub->result);
	else if (o->cancelled)
		part_done(op, -ECANCELED);
	else
		copy_out(op);
	overlay_pump(o);
}

/* Until it has to wait, or has ended */
static void step(struct op *op)
{
	struct block_request *r = op->request;

	do {
		if (op->overlay->cancelled) {
			end(op, -ECANCELED);
			return;
		}
		if (op->done == r->len) {
			if (r->op == BLOCK_FLUSH ||
			    (r->stable && r->op != BLOCK_READ))
				begin_flush(op);
			else
				end(op, 0);
			return;
		}
	} while (next_part(op));
}

static struct op *free_op(struct overlay *o)
{
	unsigned int i;

	for (i = 0; i < OPS; i++)
		if (!o->op[i].request)
			return &o->op[i];
	return NULL;
}

static bool try_again(struct overlay *o)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < OPS; i++) {
		struct op *op = &o->op[i];

		if (!op->request || !op->waiting)
			continue;
		op->waiting = false;
		step(op);
		any |= !op->waiting;
	}
	return any;
}

void overlay_pump(struct overlay *o)
{
	struct op *op;

	if (o->pumping)
		return;
	o->pumping = true;
	while (try_again(o))
		;
	while (o->todo && (op = free_op(o))) {
		op->request = o->todo;
		o->todo = o->todo->next;
		if (!o->todo)
			o->todo_end = &o->todo;
		o->active++;
		op->done = op->elements = 0;
		op->waiting = op->is_cut = false;
		step(op);
	}
	o->pumping = false;
}
