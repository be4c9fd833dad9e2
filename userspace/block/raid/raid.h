/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A RAID: a disk made of disks, with Linux md's format. What its files share:
 *
 * raid.c	the array as a disk: opened, started, closed; a member fails
 * command.c	what the user wants of it while it runs
 * assemble.c	which members belong together, and what they were doing
 * op.c		a guest's request becomes operations; which may run at once
 * mirror.c	an operation on copies: 0, 1, 10
 * stripe.c	an operation on data and parity: 4, 5, 6
 * meta.c	superblocks and the write-intent bitmap, kept up to date
 * ppl.c	the partial parity log
 * journal.c	the journal, on a disk of its own
 * sync.c	resync, rebuild, scrub
 *
 * All of it runs under the loop's lock, in the loop or in who submits; it has no
 * thread. Nothing is allocated after the start.
 */
#ifndef MVMM_RAID_H
#define MVMM_RAID_H

#include "block/block.h"
#include "block/raid/layout.h"
#include "block/raid/md.h"

#define RAID_OPS	32	/* of guests, at once */
#define RAID_COLUMN	65536u	/* the most of each member in one operation */
#define RAID_IOV	32
#define RAID_MEMBERS	(RAID_DISKS + 9)	/* and spares, and a journal */
#define RAID_PAGE	4096u	/* of the journal */
#define RAID_LOG_IOV	1024	/* pages of it that are written together */

struct raid;
struct raid_op;

/* JOURNAL and below have no place in the layout. GONE has no disk any more */
enum member_state { MEMBER_GONE, MEMBER_FAULTY, MEMBER_SPARE, MEMBER_JOURNAL,
		    MEMBER_REBUILDING, MEMBER_IN_SYNC };

/**
 * struct member - a disk of the array
 * @name: as the user calls it
 * @block: the disk
 * @state: what it is
 * @slot: its place, if it has one
 * @super: what is on it, or will be
 * @in_flight: requests that it has now
 * @corrected: blocks that it could not read, and that were written again
 */
struct member {
	char *name;
	struct block *block;
	enum member_state state;
	unsigned int slot;
	struct md_super super;
	unsigned int in_flight, corrected;
};

/**
 * struct raid_io - a guest's request on its way
 * @request: the guest's
 * @left: operations that have not ended
 * @all_cut: there will be no more
 * @cursor: bytes of it that have operations
 * @first: where the part is that is being cut: its first data block
 * @count: how many data blocks, all of the same columns
 * @lo: what of each is not cut yet, as raid_op has it
 * @hi: the same
 * @next: in the list of free ones
 */
struct raid_io {
	struct block_request *request;
	unsigned int left;
	bool all_cut;
	uint64_t cursor;
	unsigned int first, count;
	uint64_t lo, hi;
	struct raid_io *next;
};

/* A request to one member */
struct raid_sub {
	struct block_request request;
	struct iovec iov;
	struct raid_op *op;
	struct member *member;
	unsigned int index;	/* which of the operation's blocks */
};

typedef void raid_fn(struct raid_op *op);

/**
 * struct raid_op - a part of a request, or a step of a resync: a column
 * @raid: whose it is
 * @io: the guest's request; NULL: it is sync.c's or meta.c's own
 * @lo: where, in what raid_sync_size() measures. No two operations that are
 *	locked have a byte of it in common
 * @hi: its end; within a chunk, and at most RAID_COLUMN away but where nothing
 *	is copied
 * @first: with parity: the first of the data blocks that the guest wants
 * @count: how many
 * @head: of what is written to each block, so many bytes at its start are not the
 *	guest's: with a journal, which has whole pages
 * @tail: the same at its end
 * @row: with parity: who has what
 * @place: without: the copies
 * @copies: how many
 * @block: contents, by member with parity, by copy without
 * @parity: P and Q that are new
 * @bad: a bit for each block that could not be read
 * @lost: a bit for each block that was not there, or not right, when reading
 *	began: members come and go meanwhile
 * @wrong: bytes that did not agree
 * @mode: of stripe.c
 * @direct: its one block can go to the guest's memory, by @iov
 * @used: it is not free
 * @stable: what it writes is on the members' disks when it is done
 * @logging: it has an entry in a partial parity log
 * @journaled: it has an entry in the journal that is needed yet
 * @log: what the entry is made of
 * @after_log: what is done when it is written
 * @locked: others wait for it
 * @blocked: it waits for others
 * @marked: the bitmap counts it
 * @ticket: who came first
 * @pending: requests to members that have not ended
 * @sent: requests of this step
 * @next: what is done then, or when a wait is over
 * @iov: of requests that go to the guest's memory directly
 * @sub: a request to each member
 * @link: in one of the lists
 */
struct raid_op {
	struct raid *raid;
	struct raid_io *io;
	uint64_t lo, hi;
	unsigned int first, count, head, tail;
	struct raid_row row;
	struct raid_place place[RAID_DISKS];
	unsigned int copies;
	uint8_t *block[RAID_DISKS], *parity[2];
	uint64_t bad, wrong;
	uint32_t lost;
	int mode;
	bool direct, stable, logging, journaled, used, locked, blocked, marked;
	const uint8_t *log;
	raid_fn *after_log;
	uint64_t ticket;
	unsigned int pending, sent;
	raid_fn *next;
	struct iovec iov[RAID_IOV];
	struct raid_sub *sub;
	struct raid_op *link;
};

/* A list of operations, the oldest first */
struct raid_ops {
	struct raid_op *head, **end;
};

/**
 * struct raid_meta - what keeps superblocks and bitmap up to date (meta.c)
 * @op: its requests
 * @busy: they are under way
 * @wanted: the superblocks do not say what is so
 * @now: operations that go on when those under way have ended
 * @later: and those that need another round
 * @writing_clean: the superblocks say "clean" when this round ends
 * @writing_failures: and of so many failures
 * @model: a member whose superblock says where the bitmap is
 * @bitmap: of the array; its @bits is 0 if it has none
 * @raw: as it is to be on the members, header and bits
 * @copy: as it is being written
 * @len: bytes of each, a multiple of BLOCK_SECTOR
 * @dirty: of each sector: it is not on the members
 * @writing: of each sector: it will be when this round ends
 * @users: of each bit: operations that write there
 * @idle: of each bit: nobody has written since the last look
 * @tick: looks at what has become idle
 * @flusher: for that
 * @flushing: it is under way
 * @rebuilt: how far a rebuild was when it began
 */
struct raid_meta {
	struct raid_op *op, *flusher;
	bool busy, wanted, flushing, writing_clean;
	struct raid_ops now, later;
	unsigned int model, writing_failures;
	struct md_bitmap bitmap;
	uint8_t *raw, *copy;
	size_t len;
	uint64_t rebuilt;
	bool *dirty, *writing;
	uint16_t *users;
	bool *idle;
	struct timer tick;
};

/**
 * struct raid_journal - of levels with parity (journal.c)
 * @member: the disk; NULL: there is none, or not any more
 * @fresh: it has become one just now: a log that is on it is an old one
 * @op: its requests
 * @waiting: operations that are to be written to it
 * @now: those that are being written
 * @in_use: operations that have been, and have not ended
 * @pages: of the log; 0: there never was one
 * @head: the page where the next entry goes
 * @used: pages from the tail to there
 * @seq: of the next meta block
 * @iov: what is being written
 * @niov: how much of it
 */
struct raid_journal {
	struct member *member;
	bool fresh;
	struct raid_op *op;
	struct raid_ops waiting, now;
	unsigned int in_use;
	uint64_t pages, head, used, seq;
	struct iovec iov[RAID_LOG_IOV];
	unsigned int niov;
};

enum raid_action { RAID_IDLE, RAID_RESYNC, RAID_REBUILD, RAID_CHECK,
		   RAID_REPAIR };

/**
 * struct raid_sync - the walk through the array (sync.c)
 * @op: its step
 * @action: what for
 * @asked: RAID_CHECK or RAID_REPAIR, if the user wants one
 * @at: so far
 * @mismatches: bytes that did not agree
 * @speed: bytes a second, at most
 * @timer: when it goes on
 * @due: when the next step may come
 * @running: a step is under way
 * @waiting: the timer is set
 * @stuck: it has failed, and is not tried again until something changes
 */
struct raid_sync {
	struct raid_op *op;
	enum raid_action action, asked;
	uint64_t at, mismatches, speed, due;
	struct timer timer;
	bool running, waiting, stuck;
};

#define RAID_NOTES	32

/**
 * struct raid_note - something that the user was told of an array
 * @at: when, seconds since 1970
 * @text: what
 */
struct raid_note {
	int64_t at;
	char text[184];
};

/**
 * struct raid - the array
 * @block: the disk that it is
 * @label: how the user calls it
 * @level: that the user expects
 * @chunk: the same, bytes; 0: any
 * @force: start although data may be wrong
 * @retry: see struct block_config: of the members
 * @layout: of the array
 * @member: all of them
 * @members: how many
 * @has_log: each keeps a partial parity log
 * @at: by place; NULL: none is there
 * @events: of the array
 * @synced: as in a superblock: from there on it may not be in sync
 * @clean: nothing is being written
 * @clean_there: and the superblocks say so
 * @written: since the last look
 * @running: it was started
 * @broken: too many members failed: nothing is written any more
 * @failures: members that have failed
 * @failures_there: and of which the superblocks say so
 * @held: nothing is begun that is not the guest's
 * @pumping: raid_pump() is at it
 * @plugged: so many want that members are not given anything yet
 * @sent: requests to members so far
 * @queue: the guest's requests that have not begun
 * @queue_end: where the next goes
 * @io: the one that is being cut
 * @free_io: those that are not in use
 * @ios: all of them
 * @op: all operations: RAID_OPS of guests, and those of meta, sync and the journal
 * @tickets: the next one's
 * @meta: see above
 * @sync: see above
 * @journal: see above
 * @ppl_generation: of the last log entry
 * @ppl_busy: a bit for each place whose log has an entry in use
 * @ppl_waiting: operations that wait for that
 * @note: the last of them, number N at N % RAID_NOTES
 * @notes: how many there were
 * @memory: what the operations' blocks are in
 * @memory_len: bytes of it
 */
struct raid {
	struct block block;
	char *label;
	unsigned int level;
	uint64_t chunk;
	bool force;
	unsigned int retry;
	struct raid_layout layout;
	struct member member[RAID_MEMBERS];
	unsigned int members;
	bool has_log;
	struct member *at[RAID_DISKS];
	uint64_t events, synced;
	bool clean, clean_there, written, running, broken, held, pumping;
	unsigned int plugged;
	uint64_t sent;
	struct block_request *queue, **queue_end;
	struct raid_io *io, *free_io, ios[RAID_OPS + 1];
	struct raid_op op[RAID_OPS + 4];
	unsigned int failures, failures_there;
	uint64_t tickets;
	struct raid_meta meta;
	struct raid_sync sync;
	struct raid_journal journal;
	uint64_t ppl_generation;
	uint32_t ppl_busy;
	struct raid_ops ppl_waiting;
	struct raid_note note[RAID_NOTES];
	unsigned int notes;
	uint8_t *memory;
	size_t memory_len;
};

/* ---- raid.c ---------------------------------------------------------------- */

/* An array without members; NULL: no memory */
struct raid *raid_new(const struct block_config *config);
/* Before it starts: it closes @block from here on. 0, or -1 with @error */
int raid_take(struct raid *raid, struct block *block, const char *name,
	      enum member_state state, struct error *error);
/* A line for the user, now and in the array's status; with its loop's lock */
void raid_say(struct raid *raid, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * The same without superblocks that say so: before the first ones are written,
 * which come before any data
 */
void raid_drop(struct raid *raid, struct member *m, const char *why);
/* It is not used any more, if the array can do without it */
void raid_fail(struct raid *raid, struct member *m, const char *why);
/* Can all data be read without this member? NULL: with those that are there */
bool raid_can_lose(const struct raid *raid, const struct member *m);
/* How many places have no member that is in sync */
unsigned int raid_degraded(const struct raid *raid);
/* The member of a place, if its data is right, or will be */
struct member *raid_readable(const struct raid *raid, unsigned int slot);
struct member *raid_writable(const struct raid *raid, unsigned int slot);

/* ---- command.c ------------------------------------------------------------- */

/* See struct block_ops */
json_t *raid_command(struct block *block, const char *verb,
		     const json_t *arguments, struct error *error);

/* ---- assemble.c ------------------------------------------------------------ */

/* The members are started, and nothing else. 0, or -1 with @error */
int raid_assemble(struct raid *raid, struct error *error);
/* Makes a disk a spare, with a superblock like @newest. 0, or -1 with @error */
int raid_adopt(struct raid *raid, struct member *m,
	       const struct md_super *newest, struct error *error);
/* One request that is waited for, of a member's own bytes. 0, or an errno */
int member_transfer(struct member *m, enum block_op op, uint64_t at, void *data,
		    size_t len);

/* ---- op.c ------------------------------------------------------------------ */

/* Memory and lists for all operations. -1: there is no memory */
int raid_make_ops(struct raid *raid);
void raid_free_ops(struct raid *raid);
void raid_pump(struct raid *raid);
void raid_finish_io(struct raid *raid, struct raid_io *io);
bool raid_is_busy(const struct raid *raid);
void ops_add(struct raid_ops *list, struct raid_op *op);
/* NULL: it is empty */
struct raid_op *ops_take(struct raid_ops *list);
/* Where an operation is: fills in row, places, and clears what it has tried */
void op_place(struct raid_op *op, uint64_t lo, uint64_t hi);
size_t op_len(const struct raid_op *op);
/* Goes on with @next when no other has a byte of it */
void op_lock(struct raid_op *op, raid_fn *next);
void op_unlock(struct raid_op *op);
/* A step: between these two requests are sent, and @next comes behind them */
void op_begin(struct raid_op *op, raid_fn *next);
void op_go(struct raid_op *op);
/* Bytes of the member's data, to or from @data, as block @index of @op */
void op_send(struct raid_op *op, unsigned int index, struct member *m,
	     enum block_op what, uint64_t at, void *data, size_t len);
/* The same of the member itself, and on its disk when it is done */
void op_send_raw(struct raid_op *op, unsigned int index, struct member *m,
		 enum block_op what, uint64_t at, void *data, size_t len);
/* Stable, to the journal: @iov stays until it is done */
void op_send_log(struct raid_op *op, struct member *m, uint64_t at,
		 struct iovec *iov, unsigned int niov);
/* A whole step: all members flush */
void op_flush(struct raid_op *op, raid_fn *next);
/* Behind a read whose bad blocks were written again: the guest has its data */
void op_mended(struct raid_op *op);
/* To or from the guest's memory: if the operation is direct */
void op_send_guest(struct raid_op *op, unsigned int index, struct member *m,
		   uint64_t at);
/* Copies @len bytes of what the guest writes at the operation's data block @i */
void op_copy_in(const struct raid_op *op, unsigned int i, uint8_t *to);
void op_copy_out(const struct raid_op *op, const uint8_t *from);
/*
 * After a step that wrote: members that could not are failed. Returns how many
 * could. The place of a member may be another's by now: its requests tell
 */
unsigned int op_judge(struct raid_op *op, const char *why);
/* It has ended: 0, or a negative errno */
void op_end(struct raid_op *op, int result);

/* ---- what an operation does ------------------------------------------------ */

void mirror_start(struct raid_op *op);
void stripe_start(struct raid_op *op);
/* A step of a resync: it ends in sync_done() */
void mirror_sync(struct raid_op *op);
void stripe_sync(struct raid_op *op);

/* ---- meta.c ---------------------------------------------------------------- */

int meta_start(struct raid *raid, struct error *error);
void meta_stop(struct raid *raid);
/* The superblocks, and what is dirty of the bitmap, go out soon */
void meta_update(struct raid *raid);
/* Before and after the members are written to: the superblocks know */
void meta_begin_write(struct raid_op *op, raid_fn *next);
void meta_end_write(struct raid_op *op, raid_fn *next);
/* Goes on when a round has ended that began after this */
void meta_wait(struct raid_op *op, raid_fn *next);
/* All sectors of the bitmap: for a member that is new */
void meta_dirty_all(struct raid *raid);
/* From @at on, with a bitmap: the first byte that needs a resync */
uint64_t meta_next(const struct raid *raid, uint64_t at);
/* Is a resync needed somewhere there? Without a bitmap: yes */
bool meta_is_set(const struct raid *raid, uint64_t lo, uint64_t hi);
/* Shuts down clean: afterwards nothing is written. @raid is drained */
void meta_close(struct raid *raid);

/* ---- ppl.c ----------------------------------------------------------------- */

/*
 * Logs the parity of what a write of @op does not change, @old, before it
 * happens; NULL: all is changed
 */
void ppl_log(struct raid_op *op, const uint8_t *old, raid_fn *next);
void ppl_done(struct raid_op *op);
/* After a crash: makes parity right where the logs say so. 0, or -1 */
int ppl_recover(struct raid *raid, struct error *error);
/* In a step of @op: all is in sync from here on, the logs are used */
void ppl_open(struct raid_op *op);

/* ---- journal.c ------------------------------------------------------------- */

/* Bytes that the log has to have */
uint64_t journal_least(const struct raid_layout *l);
/* What the log has is written to the members. 0, or -1 with @error */
int journal_start(struct raid *raid, struct error *error);
/* Goes on when what @op writes is in the journal, or it is known to have failed */
void journal_log(struct raid_op *op, raid_fn *next);
/* It has ended */
void journal_done(struct raid_op *op);
/* Nothing of the log is needed any more, soon. @raid is drained */
void journal_close(struct raid *raid);

/* ---- sync.c ---------------------------------------------------------------- */

void sync_start(struct raid *raid);
void sync_stop(struct raid *raid);
/* Something has changed: is there something to do? */
void sync_kick(struct raid *raid);
/* Bytes of each member that a rebuild has written, from the first one on */
uint64_t sync_rebuilt(const struct raid *raid);
/* What it does now: idle, resync, rebuild, check or repair */
const char *sync_name(const struct raid *raid);
/* Behind what a step has written */
void sync_written(struct raid_op *op);
/* The step has ended; @wrong: bytes that did not agree */
void sync_done(struct raid_op *op, uint64_t wrong, int result);

#endif
