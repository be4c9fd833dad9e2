// SPDX-License-Identifier: GPL-2.0
/*
 * The partial parity log of level 5, md's format (drivers/md/raid5-ppl.c). If a
 * write is cut short, data and parity of its row do not fit, and a member that is
 * missing then, or fails later, would be recovered wrongly: the write hole. So the
 * sum of the blocks that the write does not change is kept first, on the member
 * that has the row's parity. With it, whatever was written, parity can be made
 * right.
 *
 * Each member has one log, with one entry: an operation that wants it waits for
 * the one before.
 */
#include <endian.h>
#include <errno.h>
#include <isa-l.h>
#include <linux/types.h>
#include <linux/raid/md_p.h>
#include <string.h>
#include "block/raid/raid.h"

#define SECTOR	BLOCK_SECTOR

static uint32_t crc(const void *data, size_t len)
{
	return ~crc32_iscsi((unsigned char *)data, len, ~0u);
}

static void make_header(const struct raid *raid, struct ppl_header *h,
			const struct md_super *super)
{
	memset(h, 0, sizeof(*h));
	memset(h->reserved, 0xff, sizeof(h->reserved));
	h->signature = htole32(crc(super->uuid, sizeof(super->uuid)));
	h->generation = htole64(raid->ppl_generation);
}

static void seal(struct ppl_header *h)
{
	h->checksum = 0;
	h->checksum = htole32(crc(h, sizeof(*h)));
}

/* ---- writes ------------------------------------------------------------------ */

/*
 * NULL: none is kept. As long as the array is not in sync it is of no use, and
 * would hide that
 */
static struct member *log_of(const struct raid_op *op)
{
	const struct raid *raid = op->raid;
	struct member *m = raid_writable(raid, op->row.parity[0]);

	return raid->has_log && raid->synced == MD_ALL ? m : NULL;
}

static void logged(struct raid_op *op)
{
	/* Who has no log has no parity either, from here on, and needs none */
	if (op_judge(op, "its log cannot be written") < op->sent)
		meta_wait(op, op->after_log);
	else
		op->after_log(op);
}

static void write_log(struct raid_op *op)
{
	const struct raid_layout *l = &op->raid->layout;
	struct member *m = log_of(op);
	/* The parity before is not needed any more */
	struct ppl_header *h = (void *)op->block[op->row.parity[0]];
	struct ppl_header_entry *e = &h->entries[0];
	size_t len = op_len(op), sum_len = op->log ? len : 0;

	if (!m) {
		op->after_log(op);
		return;
	}
	op->raid->ppl_busy |= 1u << op->row.parity[0];
	op->logging = true;
	op->raid->ppl_generation++;
	make_header(op->raid, h, &m->super);
	h->entries_count = htole32(1);
	e->data_sector = htole64((op->lo / l->chunk * l->chunk *
				  op->row.nr_data + op->first * l->chunk +
				  op->lo % l->chunk) / SECTOR);
	e->pp_size = htole32(sum_len);
	e->data_size = htole32(len * op->count);
	e->parity_disk = htole32(op->row.parity[0]);
	e->checksum = htole32(sum_len ? crc(op->log, sum_len) : 0);
	seal(h);
	op_begin(op, logged);
	op_send_raw(op, op->row.parity[0], m, BLOCK_WRITE, m->super.ppl_at, h,
		    sizeof(*h));
	if (sum_len)
		op_send_raw(op, op->row.parity[0], m, BLOCK_WRITE,
			    m->super.ppl_at + sizeof(*h), (void *)op->log,
			    sum_len);
	op_go(op);
}

void ppl_log(struct raid_op *op, const uint8_t *log, raid_fn *next)
{
	op->log = log;
	op->after_log = next;
	if (!log_of(op)) {
		next(op);
		return;
	}
	/* The entry is overwritten when the write is on the members' disks */
	op->stable = true;
	if (op->raid->ppl_busy >> op->row.parity[0] & 1)
		ops_add(&op->raid->ppl_waiting, op);
	else
		write_log(op);
}

void ppl_done(struct raid_op *op)
{
	struct raid *raid = op->raid;
	struct raid_ops waiting = raid->ppl_waiting;
	struct raid_op *next;

	if (!op->logging)
		return;
	op->logging = false;
	raid->ppl_busy &= ~(1u << op->row.parity[0]);
	raid->ppl_waiting.head = NULL;
	while ((next = ops_take(&waiting))) {
		if (raid->ppl_busy >> next->row.parity[0] & 1)
			ops_add(&raid->ppl_waiting, next);
		else
			write_log(next);
	}
}

/* ---- after a crash --------------------------------------------------------------- */

/**
 * struct entry - one of a log, checked
 * @first: byte of the volume where the write began
 * @end: and where it ended
 * @strip: bytes of each data block
 * @blocks: how many data blocks
 * @sum_at: of the member: what it did not change; 0: it changed all
 */
struct entry {
	uint64_t first, end, strip, sum_at;
	unsigned int blocks;
};

/* False: it is none */
static bool parse_entry(const struct raid *raid,
			const struct ppl_header_entry *e, struct entry *to)
{
	const struct raid_layout *l = &raid->layout;
	uint64_t sum = le32toh(e->pp_size), data = le32toh(e->data_size);
	uint64_t sector = le64toh(e->data_sector);
	uint64_t size = raid_capacity(l);

	if (!data || data % SECTOR || sum % SECTOR || sector > size / SECTOR)
		return false;
	to->first = sector * SECTOR;
	to->blocks = l->disks - 1;
	if (sum >= l->chunk) {
		to->strip = l->chunk;
		to->end = to->first + data;
	} else {
		if (sum && data / sum < to->blocks)
			to->blocks = data / sum;
		to->strip = sum ? sum : data / to->blocks;
		to->end = to->first + (to->blocks - 1) * l->chunk + to->strip;
	}
	return to->blocks && to->strip && to->strip <= l->chunk &&
	       to->end <= size;
}

/* The member and the place there of a byte of the volume */
static struct member *locate(const struct raid *raid, uint64_t at,
			     struct raid_row *row, uint64_t *there)
{
	const struct raid_layout *l = &raid->layout;
	uint64_t data = (l->disks - 1) * l->chunk;

	raid_row(l, at / data, row);
	*there = at / data * l->chunk + at % l->chunk;
	return raid_readable(raid, row->data[at % data / l->chunk]);
}

static int transfer(struct member *m, enum block_op what, uint64_t at,
		    uint8_t *sector)
{
	return member_transfer(m, what, m->super.data_at + at, sector, SECTOR);
}

/* One sector of each block: what the log has, and what is there now */
static int mend_sector(struct raid *raid, struct member *log,
		       const struct entry *e, uint64_t offset)
{
	uint8_t sum[SECTOR] = { 0 }, data[SECTOR];
	struct raid_row row;
	unsigned int i, b;
	uint64_t there;

	for (i = 0; i < e->blocks; i++) {
		uint64_t at = e->first + offset + i * raid->layout.chunk;
		struct member *m;

		if (at >= e->end)
			break;
		m = locate(raid, at, &row, &there);
		/* It is missing: parity as it is has to do */
		if (!m)
			return 0;
		if (transfer(m, BLOCK_READ, there, data))
			return -EIO;
		for (b = 0; b < SECTOR; b++)
			sum[b] ^= data[b];
	}
	if (!i)
		return 0;
	if (e->sum_at) {
		if (member_transfer(log, BLOCK_READ, e->sum_at + offset, data,
				    SECTOR))
			return -EIO;
		for (b = 0; b < SECTOR; b++)
			sum[b] ^= data[b];
	}
	locate(raid, e->first + offset, &row, &there);
	/* A log that another member's parity is in is not to be trusted */
	if (raid_readable(raid, row.parity[0]) != log)
		return 0;
	return transfer(log, BLOCK_WRITE, there, sum);
}

static bool has_right_sum(struct raid *raid, struct member *m, uint64_t at,
			  uint32_t len, uint32_t wanted)
{
	uint8_t *buffer = raid->memory;
	uint32_t value = ~0u;

	while (len) {
		size_t part = len < RAID_COLUMN ? len : RAID_COLUMN;

		if (member_transfer(m, BLOCK_READ, at, buffer, part))
			return false;
		value = crc32_iscsi(buffer, part, value);
		at += part;
		len -= part;
	}
	return wanted == ~value;
}

/* What a log has, if it is whole; -1: the array's data cannot be read */
static int mend_member(struct raid *raid, struct member *m,
		       const struct ppl_header *h, uint64_t at)
{
	uint64_t offset;
	uint32_t n = le32toh(h->entries_count), i;
	struct entry entry;

	at += sizeof(*h);
	for (i = 0; i < n && i < PPL_HDR_MAX_ENTRIES; i++) {
		const struct ppl_header_entry *e = &h->entries[i];
		uint32_t len = le32toh(e->pp_size);

		if (len > m->super.ppl_at + m->super.ppl_len - at)
			break;
		entry.sum_at = len ? at : 0;
		at += len;
		if (!has_right_sum(raid, m, entry.sum_at, len,
				   le32toh(e->checksum)) ||
		    !parse_entry(raid, e, &entry))
			continue;
		for (offset = 0; offset < entry.strip; offset += SECTOR)
			if (mend_sector(raid, m, &entry, offset))
				return -1;
	}
	return 0;
}

enum log_state { LOG_UNUSED, LOG_TORN, LOG_VALID, LOG_UNREADABLE };

static enum log_state read_header(struct member *m, uint64_t at,
				  struct ppl_header *h)
{
	uint32_t wanted;

	if (member_transfer(m, BLOCK_READ, at, h, sizeof(*h)))
		return LOG_UNREADABLE;
	wanted = le32toh(h->checksum);
	h->checksum = 0;
	if (h->reserved[0] != 0xff)
		return LOG_UNUSED;
	if (wanted != crc(h, sizeof(*h)) ||
	    le32toh(h->signature) != crc(m->super.uuid, sizeof(m->super.uuid)))
		return LOG_TORN;
	return LOG_VALID;
}

/* Bytes of a header and its sums */
static uint64_t log_len(const struct ppl_header *h)
{
	uint32_t n = le32toh(h->entries_count), i;
	uint64_t len = sizeof(*h);

	for (i = 0; i < n && i < PPL_HDR_MAX_ENTRIES; i++)
		len += le32toh(h->entries[i].pp_size);
	return len;
}

/*
 * The newest of a member: md writes one behind the other, and begins again when
 * there is no room. @at: where it is
 */
static enum log_state read_log(struct raid *raid, struct member *m,
			       struct ppl_header *h, uint64_t *at)
{
	uint64_t end = m->super.ppl_at + m->super.ppl_len;
	enum log_state state;
	struct ppl_header next;

	*at = m->super.ppl_at;
	state = read_header(m, *at, h);
	while (state == LOG_VALID) {
		uint64_t behind = *at + log_len(h);

		if (behind > end - sizeof(next) ||
		    read_header(m, behind, &next) != LOG_VALID ||
		    le64toh(next.generation) < le64toh(h->generation))
			break;
		*h = next;
		*at = behind;
	}
	if (state == LOG_VALID &&
	    le64toh(h->generation) > raid->ppl_generation)
		raid->ppl_generation = le64toh(h->generation);
	return state;
}

/* An empty log, or in an array that is not in sync none, so that it shows */
static void make_first(const struct raid *raid, struct ppl_header *h,
		       const struct md_super *super)
{
	if (raid->synced == MD_ALL) {
		make_header(raid, h, super);
		seal(h);
	} else {
		memset(h, 0, sizeof(*h));
	}
}

static int mend_members(struct raid *raid, bool *unused)
{
	struct ppl_header h;
	struct member *m;
	unsigned int i;
	uint64_t at;

	for (i = 0; i < raid->layout.disks; i++) {
		m = raid_readable(raid, i);
		if (!m)
			continue;
		switch (read_log(raid, m, &h, &at)) {
		case LOG_UNUSED:
			*unused = true;
			break;
		case LOG_TORN:
			/* Then its write had not begun */
			break;
		case LOG_VALID:
			if (raid->synced != MD_ALL && mend_member(raid, m, &h, at))
				return -1;
			break;
		case LOG_UNREADABLE:
			/* Then nothing is known of it, and all is read again */
			*unused = true;
			break;
		}
	}
	return 0;
}

int ppl_recover(struct raid *raid, struct error *error)
{
	bool unused = false;
	struct ppl_header h;
	struct member *m;
	unsigned int i;

	if (!raid->has_log)
		return 0;
	if (mend_members(raid, &unused))
		return fail(error, STATUS_OS,
			    "%s: the partial parity logs cannot be read, or what they mend",
			    raid->label);
	if (!unused)
		raid->synced = MD_ALL;
	for (i = 0; i < raid->layout.disks; i++) {
		m = raid_writable(raid, i);
		if (!m)
			continue;
		make_first(raid, &h, &m->super);
		/* What was mended has to be there before its log is gone */
		if (!member_transfer(m, BLOCK_FLUSH, 0, NULL, 0) &&
		    !member_transfer(m, BLOCK_WRITE, m->super.ppl_at, &h,
				     sizeof(h)))
			continue;
		if (raid->synced != MD_ALL || !raid_can_lose(raid, m))
			return fail(error, STATUS_OS,
				    "%s: the partial parity log cannot be written",
				    m->name);
		raid_drop(raid, m, "its partial parity log cannot be written");
	}
	return 0;
}

void ppl_open(struct raid_op *op)
{
	struct raid *raid = op->raid;
	struct member *m;
	unsigned int i;

	for (i = 0; raid->has_log && i < raid->layout.disks; i++) {
		m = raid_writable(raid, i);
		if (!m)
			continue;
		make_first(raid, (void *)op->block[i], &m->super);
		op_send_raw(op, i, m, BLOCK_WRITE, m->super.ppl_at,
			    op->block[i], sizeof(struct ppl_header));
	}
}
