/* SPDX-License-Identifier: GPL-2.0 */
/* What is behind a virtual disk. */
#ifndef MVMM_BLOCK_H
#define MVMM_BLOCK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/error.h"
#include "base/loop.h"
#include "base/option.h"

#define BLOCK_SECTOR	512
#define BLOCK_SERIAL	20	/* bytes of a serial number (virtio 1.2, 5.2.6) */

/* ZERO keeps the host's space, UNMAP and DISCARD may give it back */
enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD,
		BLOCK_ZERO, BLOCK_UNMAP };

/**
 * struct block_request - from submission to @done it is the back end's
 * @op: what to do
 * @at: where, in bytes
 * @len: how many bytes; of FLUSH 0
 * @iov: the memory of READ and WRITE; together @len bytes. It may be changed
 * @niov: how many
 * @stable: what it changes survives a power cut when it is done
 * @result: 0, or a negative errno
 * @done: called with the loop's lock held, from the loop, or from @submit, @cancel
 *	or @drain
 * @ctx: the submitter's
 * @next: the back end's
 */
struct block_request {
	enum block_op op;
	uint64_t at, len;
	struct iovec *iov;
	unsigned int niov;
	bool stable;
	int result;
	void (*done)(struct block_request *request);
	void *ctx;
	struct block_request *next;
};

struct block;

/**
 * struct block_ops - of a back end
 * @start: from here on @loop serves it, and @size is right. 0, or -1 with @error.
 *	The loop's lock is not held
 * @submit: begins a request, which is within the disk; does not wait. The loop's
 *	lock is held. What @done reports as written is where FLUSH finds it; what
 *	it reports as flushed survives a power cut
 * @plug: between on and off what is submitted need not begin: it is given to
 *	the host together. Calls @done of what ends at once. The loop's lock is
 *	held. NULL: it makes no difference
 * @drain: waits until all is done, and has called @done of all
 * @cancel: the same, but what has not begun is not done (-ECANCELED), and what
 *	has begun ends soon
 * @command: what the user wants of a disk that runs, "fail" say; returns the answer,
 *	or NULL with @error. Any thread; the loop's lock is not held. NULL: there is
 *	nothing to want
 * @close: nothing is in flight
 */
struct block_ops {
	int (*start)(struct block *block, struct loop *loop,
		     struct error *error);
	void (*submit)(struct block *block, struct block_request *request);
	void (*plug)(struct block *block, bool on);
	void (*drain)(struct block *block);
	void (*cancel)(struct block *block);
	json_t *(*command)(struct block *block, const char *verb,
			   const json_t *arguments, struct error *error);
	void (*close)(struct block *block);
};

/**
 * struct block - a disk
 * @ops: of the back end
 * @loop: calls @done; from @start on
 * @size: bytes, a multiple of BLOCK_SECTOR; from @start on
 * @physical: bytes that are written in one piece, at least 512; 0: not known,
 *	nor are the next two
 * @min_io: bytes of a request that costs no more than it has to; 0: not known
 * @opt_io: of one that keeps all of the disk busy; 0: not known
 * @read_only: writes are refused by the submitter
 * @serial: what the guest reads as its serial number; empty: the device's choice
 * @parent: the disk that this one is a part of, plugged while several requests are
 *	reported: what those lead to is given to the host together. NULL: none
 */
struct block {
	const struct block_ops *ops;
	struct loop *loop;
	struct block *parent;
	uint64_t size;
	uint32_t physical;
	uint64_t min_io, opt_io;
	bool read_only;
	char serial[BLOCK_SERIAL + 1];
};

/*
 * What stands between a raw disk and the host's: the names are QEMU's.
 * Writeback: the host's cache, until a FLUSH; none: O_DIRECT. With writethrough
 * and directsync each write is flushed; with unsafe none is.
 */
enum block_cache { CACHE_WRITEBACK, CACHE_NONE, CACHE_WRITETHROUGH,
		   CACHE_DIRECTSYNC, CACHE_UNSAFE, CACHES };

extern const char *const block_caches[CACHES + 1];

#define BLOCK_MEMBERS	32
#define BLOCK_SPARES	8
#define BLOCK_TIMEOUT	30

/**
 * struct block_config - how a disk is opened: see mvmm-run.1, --disk
 * @path: a file; of an array the first member
 * @read_only: not written to
 * @serial: NULL: none was given
 * @iothread: an option of the disk's device; NULL: none was given
 * @queues: the same
 * @bus: where that is: DISK_*
 * @format: what the image is, as qemu-nbd calls it; NULL: raw, and nothing that
 *	begins as another one
 * @key: a file with the key of an encrypted @format; NULL: it has none
 * @unverified: whoever answers at a https: place is believed to be it
 * @cache: see above
 * @overlay: a file that has the changes to what @path is; NULL: none
 * @ephemeral: changes are gone when it is closed
 * @commit: the overlay's changes are to be written back to @path
 * @retry: s for which a request waits for a server; 0: the back end's choice
 * @timeout: s that a server which is there may take for an answer; 0: any, but of an
 *	array's member BLOCK_TIMEOUT
 * @is_raid: it is an array
 * @level: of the array
 * @chunk: of the array, bytes; 0: whatever it has
 * @force: start the array although its data may be wrong
 * @member: the other members
 * @members: how many
 * @spare: disks that may take a member's place
 * @spares: how many
 * @journal: a disk that has the array's log; NULL: none was given
 */
struct block_config {
	const char *path;
	bool read_only;
	const char *serial, *format, *key;
	const char *iothread, *queues;
	unsigned int bus, unverified;
	enum block_cache cache;
	const char *overlay;
	bool ephemeral, commit;
	unsigned int retry, timeout;
	bool is_raid, force;
	unsigned int level, members, spares;
	uint64_t chunk;
	const char *member[BLOCK_MEMBERS - 1], *spare[BLOCK_SPARES], *journal;
};

/* Those of every disk; an array has more */
extern const struct option_spec block_options[];
/* What can be said of a disk, for a user */
void block_print(FILE *out);
/* Cuts @text, "PATH[,OPTION]...", into pieces. 0, or -1 with @error */
int block_parse(struct block_config *config, char *text, struct error *error);
/* Is it a file of this machine's, or a block device? @text: as block_parse() */
bool block_is_file(const char *text);
/*
 * https://HOST/PATH, ssh:, rbd: and so on, which qemu-nbd knows; but not nbd:
 */
bool block_is_uri(const char *path);
/*
 * The format, other than raw, that a file begins as. A guest can make its raw
 * disk seem anything. NULL: none
 */
const char *block_seems(const char *path);
/* By the back end that @config asks for. NULL with @error */
struct block *block_open(const struct block_config *config,
			 struct error *error);

/* A drive's, when there is no medium in it: its size is 0. NULL: no memory */
struct block *block_empty(void);

/*
 * From its beginning to its end, which it waits for; the loop's lock is not held.
 * @buffer: NULL: none. Its result
 */
int block_do(struct block *block, enum block_op op, uint64_t at, void *buffer,
	     uint64_t len);
/* The same with the loop's lock held. @stable: see struct block_request */
int block_do_locked(struct block *block, enum block_op op, uint64_t at,
		    void *buffer, uint64_t len, bool stable);
/*
 * A member of an array: what --disk takes, but in brackets if it has commas.
 * @retry: where @text says nothing
 */
struct block *block_open_member(const char *text, bool read_only,
				unsigned int retry, struct error *error);

static inline void block_plug(struct block *block, bool on)
{
	if (block->ops->plug)
		block->ops->plug(block, on);
}

/* Around the report of several requests */
static inline void block_plug_parents(struct block *block, bool on)
{
	while ((block = block->parent))
		block_plug(block, on);
}

/* ---- back ends: what block_open() chooses from -------------------------- */

/* A raw image, or a block device */
struct block *file_open(const struct block_config *config, struct error *error);
/* An NBD server's export. @path: its URI, or what qemu-nbd is started for */
struct block *nbd_open(const struct block_config *config, struct error *error);
/* Many disks as one, in the format of Linux's md */
struct block *raid_open(const struct block_config *config, struct error *error);
/*
 * The changes to @base, which it closes, are in the file @path; NULL: in a temporary
 * one. It is made at the start if it is not there
 */
struct block *overlay_open(struct block *base, const char *path, bool read_only,
			   struct error *error);
/* It was started, @base can be written to, and nobody uses it. 0, or -1 */
int overlay_commit(struct block *block, struct error *error);

#endif
