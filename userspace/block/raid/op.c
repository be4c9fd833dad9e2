// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's request is cut into operations: columns, which are the same bytes of
 * each member, so that parity is made of whole blocks. What they have in common
 * is here: places, locks, requests to members, the guest's memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "block/raid/raid.h"

/* ---- lists ----------------------------------------------------------------- */

void ops_add(struct raid_ops *list, struct raid_op *op)
{
	if (!list->head)
		list->end = &list->head;
	op->link = NULL;
	*list->end = op;
	list->end = &op->link;
}

struct raid_op *ops_take(struct raid_ops *list)
{
	struct raid_op *op = list->head;

	if (op)
		list->head = op->link;
	return op;
}

/* ---- where ----------------------------------------------------------------- */

size_t op_len(const struct raid_op *op)
{
	return op->hi - op->lo;
}

void op_place(struct raid_op *op, uint64_t lo, uint64_t hi)
{
	const struct raid_layout *l = &op->raid->layout;
	uint64_t len;

	op->lo = lo;
	op->hi = hi;
	op->bad = op->wrong = 0;
	if (raid_has_parity(l))
		raid_row(l, lo / l->chunk, &op->row);
	else
		op->copies = raid_copies(l, lo, op->place, &len);
}

/* ---- who may run ------------------------------------------------------------ */

static bool overlap(const struct raid_op *a, const struct raid_op *b)
{
	return a->lo < b->hi && b->lo < a->hi;
}

/* Also with those that have waited for longer: nobody starves */
static bool has_to_wait(const struct raid_op *op)
{
	const struct raid *raid = op->raid;
	unsigned int i;

	for (i = 0; i < sizeof(raid->op) / sizeof(raid->op[0]); i++) {
		const struct raid_op *other = &raid->op[i];

		if (other != op && overlap(op, other) &&
		    (other->locked ||
		     (other->blocked && other->ticket < op->ticket)))
			return true;
	}
	return false;
}

static void take_lock(struct raid_op *op)
{
	op->blocked = false;
	op->locked = true;
	op->next(op);
}

void op_lock(struct raid_op *op, raid_fn *next)
{
	op->next = next;
	op->ticket = op->raid->tickets++;
	op->blocked = true;
	if (!has_to_wait(op))
		take_lock(op);
}

void op_unlock(struct raid_op *op)
{
	struct raid *raid = op->raid;
	unsigned int i;

	if (!op->locked)
		return;
	op->locked = false;
	/* Each that runs may change what the others wait for: once is enough */
	for (i = 0; i < sizeof(raid->op) / sizeof(raid->op[0]); i++)
		if (raid->op[i].blocked && !has_to_wait(&raid->op[i]))
			take_lock(&raid->op[i]);
}

/* ---- requests to members ---------------------------------------------------- */

static void sub_done(struct block_request *request)
{
	struct raid_sub *sub = request->ctx;
	struct raid_op *op = sub->op;

	sub->member->in_flight--;
	if (request->result && request->op == BLOCK_READ)
		op->bad |= 1ull << sub->index;
	if (!--op->pending)
		op->next(op);
}

void op_begin(struct raid_op *op, raid_fn *next)
{
	op->next = next;
	op->sent = 0;
	op->pending = 1;
}

void op_go(struct raid_op *op)
{
	if (!--op->pending)
		op->next(op);
}

unsigned int op_judge(struct raid_op *op, const char *why)
{
	unsigned int good = 0, i;

	for (i = 0; i < op->sent; i++) {
		struct raid_sub *sub = &op->sub[i];

		if (sub->request.op == BLOCK_READ)
			continue;
		if (sub->request.result) {
			raid_fail(op->raid, sub->member, why);
			continue;
		}
		good++;
		if (op->bad >> sub->index & 1)
			sub->member->corrected++;
	}
	return good;
}

static struct raid_sub *prepare(struct raid_op *op, unsigned int index,
				struct member *m, enum block_op what,
				uint64_t at, uint64_t len)
{
	struct raid_sub *sub = &op->sub[op->sent++];

	sub->op = op;
	sub->member = m;
	sub->index = index;
	sub->request = (struct block_request){
		.op = what, .at = at, .len = len, .done = sub_done, .ctx = sub,
		.stable = op->stable || (op->io && op->io->request->stable) };
	return sub;
}

static void submit(struct raid_sub *sub)
{
	struct block *block = sub->member->block;

	sub->op->pending++;
	sub->member->in_flight++;
	sub->op->raid->sent++;
	block->ops->submit(block, &sub->request);
}

static void send(struct raid_sub *sub, void *data, size_t len)
{
	sub->iov = (struct iovec){ data, len };
	sub->request.iov = &sub->iov;
	sub->request.niov = !!data;
	submit(sub);
}

void op_send(struct raid_op *op, unsigned int index, struct member *m,
	     enum block_op what, uint64_t at, void *data, size_t len)
{
	send(prepare(op, index, m, what, m->super.data_at + at, len), data,
	     len);
}

void op_send_raw(struct raid_op *op, unsigned int index, struct member *m,
		 enum block_op what, uint64_t at, void *data, size_t len)
{
	struct raid_sub *sub = prepare(op, index, m, what, at, len);

	sub->request.stable = true;
	send(sub, data, len);
}

void op_send_log(struct raid_op *op, struct member *m, uint64_t at,
		 struct iovec *iov, unsigned int niov)
{
	struct raid_sub *sub = prepare(op, 0, m, BLOCK_WRITE, at,
				       (uint64_t)niov * RAID_PAGE);

	sub->request.stable = true;
	sub->request.iov = iov;
	sub->request.niov = niov;
	submit(sub);
}

void op_flush(struct raid_op *op, raid_fn *next)
{
	struct raid *raid = op->raid;
	unsigned int i;

	op_begin(op, next);
	for (i = 0; i < raid->layout.disks; i++)
		if (raid->at[i])
			op_send(op, i, raid->at[i], BLOCK_FLUSH, 0, NULL, 0);
	op_go(op);
}

static void mended_ended(struct raid_op *op)
{
	op_end(op, 0);
}

void op_mended(struct raid_op *op)
{
	op_judge(op, "it cannot be written");
	meta_end_write(op, mended_ended);
}

/* ---- the guest's memory ------------------------------------------------------ */

/* Where what is the guest's of the operation's data block @i is in its request */
static uint64_t in_request(const struct raid_op *op, unsigned int i)
{
	const struct raid_layout *l = &op->raid->layout;
	uint64_t at = op->lo + op->head;

	if (raid_has_parity(l))
		at = op->head + op->lo / l->chunk * l->chunk * op->row.nr_data +
		     (op->first + i) * l->chunk + op->lo % l->chunk;
	return at - op->io->request->at;
}

/*
 * The pieces of the guest's memory of [@skip, @skip + @len) of the request. False:
 * there are more than @max
 */
static bool slice(const struct block_request *r, uint64_t skip, uint64_t len,
		  struct iovec *to, unsigned int max, unsigned int *count)
{
	const struct iovec *iov = r->iov;
	unsigned int n = 0;

	while (skip >= iov->iov_len)
		skip -= iov++->iov_len;
	for (; len; iov++, skip = 0) {
		size_t part = iov->iov_len - skip;

		if (part > len)
			part = len;
		if (!part)
			continue;
		if (n == max)
			return false;
		to[n++] = (struct iovec){ (uint8_t *)iov->iov_base + skip,
					  part };
		len -= part;
	}
	*count = n;
	return true;
}

void op_send_guest(struct raid_op *op, unsigned int index, struct member *m,
		   uint64_t at)
{
	struct block_request *r = op->io->request;
	struct raid_sub *sub = prepare(op, index, m, r->op,
				       m->super.data_at + at, op_len(op));

	sub->request.iov = op->iov;
	if (r->niov)
		slice(r, in_request(op, 0), op_len(op), op->iov, RAID_IOV,
		      &sub->request.niov);
	submit(sub);
}

/* Both ways; a guest's request of many pieces has many parts of RAID_IOV */
static void copy(const struct raid_op *op, uint64_t at, uint8_t *block,
		 size_t len, bool in)
{
	const struct block_request *r = op->io->request;
	const struct iovec *iov = r->iov;

	while (at >= iov->iov_len)
		at -= iov++->iov_len;
	for (; len; iov++, at = 0) {
		uint8_t *guest = (uint8_t *)iov->iov_base + at;
		size_t part = iov->iov_len - at < len ? iov->iov_len - at : len;

		memcpy(in ? block : guest, in ? guest : block, part);
		block += part;
		len -= part;
	}
}

void op_copy_in(const struct raid_op *op, unsigned int i, uint8_t *to)
{
	size_t len = op_len(op) - op->head - op->tail;

	if (op->io->request->op == BLOCK_WRITE)
		copy(op, in_request(op, i), to + op->head, len, true);
	else
		memset(to + op->head, 0, len);
}

void op_copy_out(const struct raid_op *op, const uint8_t *from)
{
	copy(op, in_request(op, 0), (uint8_t *)from, op_len(op), false);
}

/* ---- the guest's requests ---------------------------------------------------- */

static bool is_transfer(const struct block_request *r)
{
	return r->op == BLOCK_READ || r->op == BLOCK_WRITE;
}

/* The next data blocks that have the same columns */
static void begin_part_parity(const struct raid *raid, struct raid_io *io)
{
	const struct raid_layout *l = &raid->layout;
	const struct block_request *r = io->request;
	uint64_t left = r->len - io->cursor, at = r->at + io->cursor;
	uint64_t data = (l->disks - raid_redundancy(l)) * l->chunk;
	uint64_t column = at % l->chunk, row = at / data;

	io->first = at % data / l->chunk;
	io->count = 1;
	io->lo = row * l->chunk + column;
	io->hi = io->lo + (left < l->chunk - column ? left :
			   l->chunk - column);
	/*
	 * The log of a write cannot help a block whose member is missing, unless
	 * it is the only one that the write changes
	 */
	if (raid->has_log && raid_degraded(raid))
		return;
	if (!column && left >= l->chunk && r->op != BLOCK_READ) {
		io->count = data / l->chunk - io->first;
		if (io->count > left / l->chunk)
			io->count = left / l->chunk;
	}
}

static void begin_part_copies(const struct raid *raid, struct raid_io *io)
{
	const struct block_request *r = io->request;
	uint64_t left = r->len - io->cursor, len;
	struct raid_place place[RAID_DISKS];

	io->lo = r->at + io->cursor;
	raid_copies(&raid->layout, io->lo, place, &len);
	io->hi = io->lo + (len < left ? len : left);
	io->count = 1;
}

/* What fits into an operation. Where nothing is copied, all of it does */
static uint64_t fit(struct raid_op *op, uint64_t lo, uint64_t hi)
{
	const struct block_request *r = op->io->request;
	uint64_t len = hi - lo;
	unsigned int n;

	op->direct = true;
	if (!is_transfer(r) && !raid_has_parity(&op->raid->layout))
		return len;
	/* The next one begins with a page of the journal's */
	if (len > RAID_COLUMN - lo % RAID_PAGE)
		len = RAID_COLUMN - lo % RAID_PAGE;
	op->direct = is_transfer(r) && op->count == 1 &&
		     slice(r, in_request(op, 0), len, op->iov, RAID_IOV, &n);
	return len;
}

/* The journal has whole pages: what the guest does not write of them is read */
static void widen(struct raid_op *op)
{
	if (!op->raid->journal.member || op->io->request->op == BLOCK_READ)
		return;
	op->head = op->lo % RAID_PAGE;
	op->tail = -op->hi % RAID_PAGE;
	op->lo -= op->head;
	op->hi += op->tail;
}

/* The next operation of the request */
static void cut(struct raid_op *op)
{
	struct raid *raid = op->raid;
	struct raid_io *io = op->io;
	uint64_t size;

	if (io->lo == io->hi) {
		if (raid_has_parity(&raid->layout))
			begin_part_parity(raid, io);
		else
			begin_part_copies(raid, io);
	}
	op->first = io->first;
	op->count = io->count;
	op->head = op->tail = 0;
	op_place(op, io->lo, io->hi);
	size = fit(op, io->lo, io->hi);
	op->hi = io->lo = op->lo + size;
	io->cursor += size * io->count;
	widen(op);
}

void raid_finish_io(struct raid *raid, struct raid_io *io)
{
	struct block_request *r = io->request;

	io->next = raid->free_io;
	raid->free_io = io;
	r->done(r);
}

void op_end(struct raid_op *op, int result)
{
	struct raid *raid = op->raid;
	struct raid_io *io = op->io;

	op_unlock(op);
	journal_done(op);
	op->used = false;
	if (result && !io->request->result)
		io->request->result = result;
	if (!--io->left && io->all_cut)
		raid_finish_io(raid, io);
	raid_pump(raid);
}

static void flush_ended(struct raid_op *op)
{
	op_end(op, op->raid->broken ? -EIO : 0);
}

/* All members: what is lost with a failing one is on the others */
static void flushed(struct raid_op *op)
{
	struct raid *raid = op->raid;
	unsigned int i;

	/* RAID 0 has nobody to go on with */
	for (i = 0; !raid->layout.level && i < op->sent; i++) {
		if (!op->sub[i].request.result)
			continue;
		op_end(op, -EIO);
		return;
	}
	op_judge(op, "it cannot be flushed");
	meta_end_write(op, flush_ended);
}

static struct raid_op *free_op(struct raid *raid)
{
	unsigned int i;

	for (i = 0; i < RAID_OPS; i++)
		if (!raid->op[i].used)
			return &raid->op[i];
	return NULL;
}

/* Takes the guest's next request. False: there is none */
static bool begin_io(struct raid *raid)
{
	struct block_request *r = raid->queue;
	struct raid_io *io = raid->free_io;

	if (!r)
		return false;
	raid->queue = r->next;
	if (!raid->queue)
		raid->queue_end = &raid->queue;
	raid->free_io = io->next;
	*io = (struct raid_io){ .request = r };
	r->result = 0;
	raid->io = io;
	return true;
}

static void start(struct raid_op *op)
{
	struct raid *raid = op->raid;
	struct raid_io *io = op->io;
	bool flush = io->request->op == BLOCK_FLUSH;
	bool parity = raid_has_parity(&raid->layout);
	/* Of rows with parity a part cannot be given back: the host keeps it */
	bool nothing = io->request->op == BLOCK_DISCARD && parity;

	if (!flush && !nothing)
		cut(op);
	io->left++;
	io->all_cut = flush || nothing || io->cursor == io->request->len;
	if (io->all_cut)
		raid->io = NULL;
	if (nothing)
		op_end(op, 0);
	else if (flush)
		op_flush(op, flushed);
	else if (parity)
		stripe_start(op);
	else
		mirror_start(op);
}

void raid_pump(struct raid *raid)
{
	struct raid_op *op;

	/* Operations that end at once call this */
	if (raid->pumping)
		return;
	raid->pumping = true;
	while ((op = free_op(raid)) && (raid->io || begin_io(raid))) {
		op->used = true;
		op->stable = false;
		op->io = raid->io;
		start(op);
	}
	raid->pumping = false;
}

bool raid_is_busy(const struct raid *raid)
{
	unsigned int i;

	for (i = 0; i < sizeof(raid->op) / sizeof(raid->op[0]); i++)
		if (raid->op[i].used)
			return true;
	return raid->queue || raid->io;
}

/* ---- memory ------------------------------------------------------------------ */

int raid_make_ops(struct raid *raid)
{
	/* Blocks of all members, and the new P and Q */
	unsigned int blocks = raid->layout.disks + 2, i, b;
	unsigned int nr = sizeof(raid->op) / sizeof(raid->op[0]);
	size_t each = (size_t)blocks * RAID_COLUMN;
	/* Of meta.c's: a superblock and a bitmap for each member */
	unsigned int subs = 2 * RAID_MEMBERS;

	raid->memory_len = each * nr;
	/* Memory comes when it is used */
	raid->memory = mmap(NULL, raid->memory_len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raid->memory == MAP_FAILED) {
		raid->memory = NULL;
		return -1;
	}
	for (i = 0; i < nr; i++) {
		struct raid_op *op = &raid->op[i];

		op->raid = raid;
		op->sub = calloc(subs, sizeof(*op->sub));
		if (!op->sub)
			return -1;
		for (b = 0; b < raid->layout.disks; b++)
			op->block[b] = raid->memory + each * i +
				       (size_t)b * RAID_COLUMN;
		for (b = 0; b < 2; b++)
			op->parity[b] = raid->memory + each * (i + 1) -
					(size_t)(b + 1) * RAID_COLUMN;
	}
	for (i = 0; i < RAID_OPS + 1; i++) {
		raid->ios[i].next = raid->free_io;
		raid->free_io = &raid->ios[i];
	}
	raid->queue_end = &raid->queue;
	return 0;
}

void raid_free_ops(struct raid *raid)
{
	unsigned int i;

	for (i = 0; i < sizeof(raid->op) / sizeof(raid->op[0]); i++)
		free(raid->op[i].sub);
	if (raid->memory)
		munmap(raid->memory, raid->memory_len);
}
