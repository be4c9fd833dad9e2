// SPDX-License-Identifier: GPL-2.0
/*
 * The journal of levels 4, 5 and 6: a log on a disk of its own, in md's format
 * (drivers/md/raid5-cache.c, write-through). What a write changes of a row, data and
 * parity, is there before it is on any member. After a crash all that the log has is
 * written again, so that no row has one without the other: the write hole is closed,
 * with members missing, too.
 *
 * The log is a ring of pages: a meta block, which has checksums, and the pages that
 * it speaks of. One batch at a time is written: what comes meanwhile is in the next.
 * When half of the ring is used, all that it has is flushed to the members, and the
 * journal's superblock says that the log begins behind it: a checkpoint.
 */
#include <endian.h>
#include <errno.h>
#include <isa-l.h>
#include <linux/types.h>
#include <linux/raid/md_p.h>
#include <string.h>
#include <sys/random.h>
#include "block/raid/raid.h"

#define SECTOR		BLOCK_SECTOR
#define PAGE		RAID_PAGE
#define PAGE_SECTORS	(PAGE / SECTOR)
#define SKIP		10000	/* numbers, so that nothing old seems to go on */
#define PART(payload, sums) (sizeof(payload) + (sums) * sizeof(__le32))

/* What an operation can have, in pages, and its meta blocks */
static unsigned int pages_max(const struct raid_layout *l)
{
	return (l->disks + 1) * (RAID_COLUMN / PAGE);
}

uint64_t journal_least(const struct raid_layout *l)
{
	return 2ull * (pages_max(l) + 2) * PAGE;
}

static uint32_t crc(const struct raid *raid, const void *data)
{
	const struct md_super *s = &raid->journal.member->super;
	uint32_t seed = crc32_iscsi((unsigned char *)s->uuid, sizeof(s->uuid),
				    ~0u);

	return crc32_iscsi((unsigned char *)data, PAGE, seed);
}

static uint64_t at_of(const struct raid_journal *j, uint64_t page)
{
	return j->member->super.data_at + page * PAGE;
}

static uint64_t behind(const struct raid_journal *j, uint64_t page, uint64_t n)
{
	return (page + n) % j->pages;
}

/* ---- a batch ----------------------------------------------------------------- */

/* The meta block @n of a batch: in memory that no guest's operation has */
static struct r5l_meta_block *meta_page(const struct raid_journal *j,
					unsigned int n)
{
	return (void *)(j->op->block[0] + (size_t)n * PAGE);
}

static void make_meta(struct raid_journal *j, struct r5l_meta_block *m)
{
	memset(m, 0, PAGE);
	m->magic = htole32(R5LOG_MAGIC);
	m->version = R5LOG_VERSION;
	m->meta_size = htole32(sizeof(*m));
	m->seq = htole64(j->seq++);
	m->position = htole64(behind(j, j->head, j->niov) * PAGE_SECTORS);
}

static void seal(const struct raid *raid, struct r5l_meta_block *m)
{
	m->checksum = 0;
	m->checksum = htole32(crc(raid, m));
}

static void add_page(struct raid_journal *j, void *page)
{
	j->iov[j->niov++] = (struct iovec){ page, PAGE };
}

/* Room for a payload with @sums checksums in the meta block */
static struct r5l_payload_data_parity *
add_payload(struct r5l_meta_block *m, unsigned int type, uint64_t location,
	    unsigned int sums)
{
	uint32_t size = le32toh(m->meta_size);
	struct r5l_payload_data_parity *p = (void *)((uint8_t *)m + size);

	p->header.type = htole16(type);
	p->size = htole32(sums * PAGE_SECTORS);
	p->location = htole64(location / SECTOR);
	m->meta_size = htole32(size + PART(*p, sums));
	return p;
}

/* Bytes of payloads that one page of each block has */
static unsigned int payload_len(const struct raid_op *op)
{
	struct r5l_payload_data_parity *p;

	return op->count * PART(*p, 1) + PART(*p, op->row.nr_parity);
}

static unsigned int count_pages(const struct raid_op *op)
{
	return op_len(op) / PAGE * (op->count + op->row.nr_parity);
}

/* All blocks' page at @offset of the operation: what md calls a stripe */
static void add_stripe(struct raid *raid, struct r5l_meta_block *m,
		       struct raid_op *op, uint64_t offset)
{
	const struct raid_layout *l = &raid->layout;
	struct raid_journal *j = &raid->journal;
	uint64_t at = op->lo + offset;
	uint64_t volume = at / l->chunk * l->chunk * op->row.nr_data +
			  op->first * l->chunk + at % l->chunk;
	struct r5l_payload_data_parity *p;
	unsigned int i;

	for (i = 0; i < op->count; i++) {
		uint8_t *page = op->block[op->row.data[op->first + i]] + offset;

		p = add_payload(m, R5LOG_PAYLOAD_DATA, volume + i * l->chunk, 1);
		p->checksum[0] = htole32(crc(raid, page));
		add_page(j, page);
	}
	p = add_payload(m, R5LOG_PAYLOAD_PARITY, at, op->row.nr_parity);
	for (i = 0; i < op->row.nr_parity; i++) {
		p->checksum[i] = htole32(crc(raid, op->parity[i] + offset));
		add_page(j, op->parity[i] + offset);
	}
}

/* Stripes are whole in a meta block, which may have several operations' */
static struct r5l_meta_block *add_op(struct raid *raid,
				     struct r5l_meta_block *m,
				     unsigned int *metas, struct raid_op *op)
{
	struct raid_journal *j = &raid->journal;
	uint64_t offset;

	for (offset = 0; offset < op_len(op); offset += PAGE) {
		if (!m || le32toh(m->meta_size) + payload_len(op) > PAGE) {
			if (m)
				seal(raid, m);
			m = meta_page(j, (*metas)++);
			make_meta(j, m);
			add_page(j, m);
		}
		add_stripe(raid, m, op, offset);
	}
	return m;
}

/* A meta block has six stripes at least */
static bool fits(const struct raid_journal *j, const struct raid_op *op)
{
	uint64_t n = j->niov + count_pages(op) + op_len(op) / PAGE / 6 + 1;

	return n <= RAID_LOG_IOV && j->used + n < j->pages;
}

/* The ring's end cuts it in two */
static void send_batch(struct raid_journal *j)
{
	unsigned int first = j->niov;

	if (first > j->pages - j->head)
		first = j->pages - j->head;
	op_send_log(j->op, j->member, at_of(j, j->head), j->iov, first);
	if (j->niov > first)
		op_send_log(j->op, j->member, at_of(j, 0), j->iov + first,
			    j->niov - first);
}

static void kick(struct raid *raid);

static void release(struct raid_op *jop)
{
	struct raid *raid = jop->raid;

	jop->used = false;
	kick(raid);
	raid_pump(raid);
}

static void batch_written(struct raid_op *jop)
{
	struct raid *raid = jop->raid;
	struct raid_journal *j = &raid->journal;
	bool good = op_judge(jop, "the journal cannot be written") == jop->sent;
	struct raid_ops now = j->now;
	struct raid_op *op;

	j->now.head = NULL;
	while ((op = ops_take(&now))) {
		/* See run_without() */
		if (!good || !j->member) {
			meta_wait(op, op->after_log);
			continue;
		}
		op->journaled = true;
		j->in_use++;
		op->after_log(op);
	}
	release(jop);
}

static void write_batch(struct raid *raid)
{
	struct raid_journal *j = &raid->journal;
	struct r5l_meta_block *m = NULL;
	unsigned int metas = 0;

	j->op->used = true;
	j->niov = 0;
	op_begin(j->op, batch_written);
	while (j->waiting.head && fits(j, j->waiting.head)) {
		struct raid_op *op = ops_take(&j->waiting);

		m = add_op(raid, m, &metas, op);
		ops_add(&j->now, op);
	}
	seal(raid, m);
	send_batch(j);
	j->head = behind(j, j->head, j->niov);
	j->used += j->niov;
	op_go(j->op);
}

/* ---- a checkpoint -------------------------------------------------------------- */

static void checkpointed(struct raid_op *jop)
{
	jop->raid->journal.used = 1;
	release(jop);
}

static void empty_written(struct raid_op *jop)
{
	struct raid *raid = jop->raid;
	struct raid_journal *j = &raid->journal;

	op_judge(jop, "the journal cannot be written");
	if (!j->member) {
		release(jop);
		return;
	}
	j->member->super.tail = j->head * PAGE;
	j->head = behind(j, j->head, 1);
	raid->meta.wanted = true;
	meta_wait(jop, checkpointed);
}

/* Who looks for the log's beginning finds a meta block there */
static void write_empty(struct raid_op *jop)
{
	struct raid *raid = jop->raid;
	struct raid_journal *j = &raid->journal;
	struct r5l_meta_block *m = meta_page(j, 0);

	if (!j->member || raid->broken) {
		release(jop);
		return;
	}
	j->niov = 0;
	make_meta(j, m);
	seal(raid, m);
	op_begin(jop, empty_written);
	op_send_raw(jop, 0, j->member, BLOCK_WRITE, at_of(j, j->head), m, PAGE);
	op_go(jop);
}

/* A member that lost what it had is known as failed before the log is */
static void members_flushed(struct raid_op *jop)
{
	op_judge(jop, "it cannot be flushed");
	meta_end_write(jop, write_empty);
}

static void checkpoint(struct raid *raid)
{
	struct raid_op *jop = raid->journal.op;

	jop->used = true;
	jop->marked = false;
	op_flush(jop, members_flushed);
}

/* ---- what comes next ------------------------------------------------------------ */

/*
 * Who has no journal is written when the superblocks say so: else an entry before this
 * would be written over it after a crash
 */
static void run_without(struct raid *raid)
{
	struct raid_ops waiting = raid->journal.waiting;
	struct raid_op *op;

	raid->journal.waiting.head = NULL;
	while ((op = ops_take(&waiting)))
		meta_wait(op, op->after_log);
}

static void kick(struct raid *raid)
{
	struct raid_journal *j = &raid->journal;

	if (j->op->used || !j->waiting.head)
		return;
	if (!j->member || raid->broken)
		run_without(raid);
	else if (j->used <= j->pages / 2)
		write_batch(raid);
	else if (!j->in_use)
		checkpoint(raid);
}

void journal_log(struct raid_op *op, raid_fn *next)
{
	op->after_log = next;
	ops_add(&op->raid->journal.waiting, op);
	kick(op->raid);
}

void journal_done(struct raid_op *op)
{
	struct raid *raid = op->raid;

	if (!op->journaled)
		return;
	op->journaled = false;
	if (!--raid->journal.in_use)
		kick(raid);
}

void journal_close(struct raid *raid)
{
	const struct raid_journal *j = &raid->journal;

	if (j->member && j->used > 1 && !raid->broken)
		checkpoint(raid);
}

/* ---- after a crash ---------------------------------------------------------------- */

/**
 * struct walk - through the log
 * @raid: the array
 * @at: the page of the meta block
 * @seq: its number
 * @meta: it
 * @pages: how many it speaks of
 * @data: one of these
 * @rows: stripes that were written again
 */
struct walk {
	struct raid *raid;
	uint64_t at, seq;
	uint8_t *meta;
	unsigned int pages;
	uint8_t *data;
	uint64_t rows;
};

/* 0, or a negative errno */
static int read_page(const struct walk *w, uint64_t page, void *to)
{
	const struct raid_journal *j = &w->raid->journal;

	return member_transfer(j->member, BLOCK_READ, at_of(j, page), to, PAGE);
}

/* Is it the meta block that is to be there? @any: of any number */
static bool is_meta(struct walk *w, bool any)
{
	struct r5l_meta_block *m = (void *)w->meta;
	uint32_t sum = le32toh(m->checksum), size = le32toh(m->meta_size);

	m->checksum = 0;
	if (le32toh(m->magic) != R5LOG_MAGIC || m->version != R5LOG_VERSION ||
	    le64toh(m->position) != w->at * PAGE_SECTORS ||
	    sum != crc(w->raid, m) || size < sizeof(*m) || size > PAGE)
		return false;
	if (any)
		w->seq = le64toh(m->seq);
	return le64toh(m->seq) == w->seq;
}

/**
 * struct part - a payload, checked
 * @type: of it
 * @at: data: byte of the volume; parity: of each member's data
 * @pages: that it has
 * @sum: their checksums
 */
struct part {
	unsigned int type, pages;
	uint64_t at;
	uint32_t sum[2];
};

/* The one at @offset, which goes on; false: there is none, or what is no payload */
static bool next_part(const struct walk *w, uint32_t *offset, struct part *p)
{
	const struct r5l_meta_block *m = (const void *)w->meta;
	const struct raid_layout *l = &w->raid->layout;
	uint32_t left = le32toh(m->meta_size) - *offset;
	struct r5l_payload_data_parity raw;
	uint64_t sector;
	bool data;

	if (left < sizeof(raw))
		return false;
	memcpy(&raw, w->meta + *offset, sizeof(raw));
	p->type = le16toh(raw.header.type);
	data = p->type == R5LOG_PAYLOAD_DATA;
	p->pages = data ? 1 : raid_redundancy(l);
	sector = le64toh(raw.location);
	p->at = sector * SECTOR;
	if ((!data && p->type != R5LOG_PAYLOAD_PARITY) || raw.header.flags ||
	    le32toh(raw.size) != p->pages * PAGE_SECTORS ||
	    left < PART(raw, p->pages) || sector % PAGE_SECTORS ||
	    sector >= (data ? raid_capacity(l) : l->used) / SECTOR)
		return false;
	memcpy(p->sum, w->meta + *offset + sizeof(raw),
	       p->pages * sizeof(p->sum[0]));
	*offset += PART(raw, p->pages);
	return true;
}

/* Where a row's data is in its members, of a byte of the volume */
static uint64_t place_of(const struct raid_layout *l, uint64_t at,
			 struct raid_row *row, unsigned int *data)
{
	uint64_t width = (l->disks - raid_redundancy(l)) * l->chunk;

	raid_row(l, at / width, row);
	*data = at % width / l->chunk;
	return at / width * l->chunk + at % l->chunk;
}

enum meta_state { META_WHOLE, META_TORN, META_FOREIGN, META_UNREADABLE };

/* All of its pages have the right checksums; and data has parity behind it */
static enum meta_state check_meta(struct walk *w)
{
	const struct r5l_meta_block *m = (const void *)w->meta;
	const struct raid_layout *l = &w->raid->layout;
	uint32_t offset = sizeof(*m);
	uint64_t open = UINT64_MAX;
	struct raid_row row;
	unsigned int i, d;
	struct part p;

	w->pages = 0;
	while (offset < le32toh(m->meta_size)) {
		uint64_t stripe;

		if (!next_part(w, &offset, &p))
			return META_FOREIGN;
		stripe = p.type == R5LOG_PAYLOAD_DATA ?
			 place_of(l, p.at, &row, &d) : p.at;
		if (open != UINT64_MAX && stripe != open)
			return META_FOREIGN;
		open = p.type == R5LOG_PAYLOAD_DATA ? stripe : UINT64_MAX;
		for (i = 0; i < p.pages; i++) {
			if (read_page(w, behind(&w->raid->journal, w->at,
						++w->pages), w->data))
				return META_UNREADABLE;
			if (le32toh(p.sum[i]) != crc(w->raid, w->data))
				return META_TORN;
		}
	}
	return open == UINT64_MAX ? META_WHOLE : META_FOREIGN;
}

static int write_page(const struct walk *w, uint64_t page, unsigned int slot,
		      uint64_t at)
{
	struct member *m = raid_writable(w->raid, slot);

	if (!m)
		return 0;
	if (read_page(w, page, w->data))
		return -1;
	return block_do_locked(m->block, BLOCK_WRITE, m->super.data_at + at,
			       w->data, PAGE, false);
}

/* Everything that it has is written again. 0, or not */
static int replay_meta(struct walk *w)
{
	const struct r5l_meta_block *m = (const void *)w->meta;
	const struct raid_layout *l = &w->raid->layout;
	const struct raid_journal *j = &w->raid->journal;
	uint32_t offset = sizeof(*m);
	uint64_t page = w->at, at;
	struct raid_row row;
	unsigned int i, d;
	int ret = 0;
	struct part p;

	while (!ret && offset < le32toh(m->meta_size) &&
	       next_part(w, &offset, &p)) {
		page = behind(j, page, 1);
		if (p.type == R5LOG_PAYLOAD_DATA) {
			at = place_of(l, p.at, &row, &d);
			ret = write_page(w, page, row.data[d], at);
			continue;
		}
		w->rows++;
		raid_row(l, p.at / l->chunk, &row);
		for (i = 0; !ret && i < p.pages; i++) {
			page = i ? behind(j, page, 1) : page;
			ret = write_page(w, page, row.parity[i], p.at);
		}
	}
	return ret;
}

/* From the tail on. 0, or -1 with @error; @w is behind the last one */
static int replay(struct walk *w, struct error *error)
{
	struct raid_journal *j = &w->raid->journal;
	const char *label = w->raid->label;
	uint64_t seen = 0;

	while (seen < j->pages && !j->fresh) {
		enum meta_state state;

		if (read_page(w, w->at, w->meta))
			return fail(error, STATUS_OS,
				    "%s: the journal cannot be read", label);
		if (!is_meta(w, !seen))
			break;
		state = check_meta(w);
		if (state == META_TORN)
			break;
		if (state == META_FOREIGN)
			return fail(error, STATUS_DATA,
				    "%s: its journal has what md writes in write-back mode: assemble it by mdadm once, and set write-through",
				    label);
		if (state == META_UNREADABLE || replay_meta(w))
			return fail(error, STATUS_OS,
				    "%s: the journal cannot be read, or not be written to the members",
				    label);
		seen += 1 + w->pages;
		w->at = behind(j, w->at, 1 + w->pages);
		w->seq++;
	}
	if (w->rows)
		raid_say(w->raid, "%llu rows were written again from the journal",
			 (unsigned long long)w->rows);
	/* There is none that goes on */
	if (!seen && getrandom(&w->seq, sizeof(uint32_t), 0) < 0)
		return fail(error, STATUS_OS, "no random bytes");
	return 0;
}

static int flush_members(struct raid *raid)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < raid->layout.disks; i++)
		if (raid->at[i])
			ret = member_transfer(raid->at[i], BLOCK_FLUSH, 0, NULL,
					      0);
	return ret;
}

/* A new beginning, when all that was replayed is on the members */
static int begin_log(struct walk *w, struct error *error)
{
	struct raid_journal *j = &w->raid->journal;
	struct r5l_meta_block *m = (void *)w->meta;
	struct md_super *super = &j->member->super;

	j->head = w->at;
	j->seq = w->seq + SKIP;
	make_meta(j, m);
	seal(w->raid, m);
	super->tail = j->head * PAGE;
	super->events = w->raid->events;
	md_update(super, le64toh(((struct mdp_superblock_1 *)super->raw)->utime));
	if (flush_members(w->raid) ||
	    member_transfer(j->member, BLOCK_WRITE, at_of(j, j->head), m, PAGE) ||
	    member_transfer(j->member, BLOCK_WRITE, MD_SUPER_AT, super->raw,
			    MD_SUPER_LEN))
		return fail(error, STATUS_OS,
			    "%s: the journal %s cannot be written",
			    w->raid->label, j->member->name);
	j->head = behind(j, j->head, 1);
	j->used = 1;
	return 0;
}

int journal_start(struct raid *raid, struct error *error)
{
	struct raid_journal *j = &raid->journal;
	struct walk w = { .raid = raid };

	j->op = &raid->op[RAID_OPS + 3];
	if (!j->member || raid->block.read_only)
		return 0;
	j->pages = j->member->super.data_len / PAGE;
	if (j->member->super.data_len < journal_least(&raid->layout))
		return fail(error, STATUS_DATA,
			    "%s: the journal %s has room for %llu bytes, and needs %llu",
			    raid->label, j->member->name,
			    (unsigned long long)j->member->super.data_len,
			    (unsigned long long)journal_least(&raid->layout));
	w.meta = j->op->block[0];
	w.data = j->op->block[1];
	w.at = j->member->super.tail / PAGE;
	if (j->member->super.tail % PAGE || w.at >= j->pages)
		w.at = 0;
	return replay(&w, error) || begin_log(&w, error) ? -1 : 0;
}
