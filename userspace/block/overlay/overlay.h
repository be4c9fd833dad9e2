/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The changes to a disk, in a file of their own: its format (format.c) and the
 * disk that the two together are (overlay.c). Documentation/disks.rst draws it.
 */
#ifndef MVMM_OVERLAY_H
#define MVMM_OVERLAY_H

#include "block/block.h"

/* What the map says of a cluster: it is the base's, the overlay's, or zero */
enum { CLUSTER_BASE, CLUSTER_OWN, CLUSTER_ZERO };

/**
 * struct overlay_format - what a file of changes says, checked
 * @size: of the disk, in bytes
 * @cluster: bytes of a cluster, a power of two
 * @clusters: how many; the last one may be longer than the disk
 * @map: CLUSTER_* of each, then zeroes up to @map_len
 * @map_len: a multiple of BLOCK_SECTOR
 */
struct overlay_format {
	uint64_t size, cluster, clusters, map_len;
	uint8_t *map;
};

#define OVERLAY_MAP_AT	4096

/* Where clusters begin; and the file's length is that of all of them */
uint64_t overlay_data_at(const struct overlay_format *format);
uint64_t overlay_length(const struct overlay_format *format);

#define OVERLAY_BITS	16	/* 64 KiB */

/*
 * An empty overlay for a disk of @size bytes, with clusters of 2^@bits. @name: for
 * messages. 0, or -1
 */
int overlay_create(int fd, const char *name, uint64_t size, unsigned int bits,
		   struct error *error);
/* Then overlay_free(). 0, or -1 */
int overlay_read(int fd, const char *name, struct overlay_format *format,
		 struct error *error);
void overlay_free(struct overlay_format *format);
/* Does it begin as one? */
bool is_overlay(int fd);

/* ---- requests (op.c) ------------------------------------------------------- */

#define OPS	32	/* requests on their way; others wait */

enum stage { STAGE_PASS, STAGE_ALLOCATE, STAGE_COPY_IN, STAGE_COPY_OUT,
	     STAGE_FLUSH_DATA, STAGE_WRITE_MAP, STAGE_FLUSH_MAP };

/* A sector of the map: changed since it was copied; copied, and not stable yet */
enum { MAP_CHANGED = 1, MAP_SAVING = 2 };

struct overlay;

/**
 * struct op - a request on its way
 * @overlay: whose it is
 * @request: NULL: it is free
 * @sub: to the base or to the changes
 * @stage: what @sub does
 * @done: bytes of the request that are done
 * @len: bytes that @sub does
 * @first: clusters that become the overlay's own, or zero
 * @count: how many; 0: none
 * @waiting: for another op that does the same, or flushes
 * @elements: of the request's buffers that @sub has
 * @is_cut: the last of them is only a part
 * @rest: what is behind it
 * @bounce: room for a cluster
 * @bounce_iov: the same, for @sub
 */
struct op {
	struct overlay *overlay;
	struct block_request *request, sub;
	enum stage stage;
	uint64_t done, len, first, count;
	bool waiting, is_cut;
	unsigned int elements;
	struct iovec rest, bounce_iov;
	uint8_t *bounce;
};

/**
 * struct overlay - see above
 * @base: what was there
 * @changes: what was written
 * @path: of the latter; NULL: a temporary file, which nobody opens again
 * @format: its map is the one in memory
 * @saved: the map, as it is in the file or will be
 * @dirty: of each of the map's sectors: MAP_*
 * @from: the first sector that is changed
 * @to: behind the last one
 * @save_from: of those that are being saved
 * @save_to: the same
 * @saver: flushes; NULL: nobody does
 * @error: of a flush: since then nothing is known
 * @op: all
 * @active: in use
 * @todo: submitted, the oldest first
 * @todo_end: where the next one goes
 * @finished: ended before submit() returned: to be reported by the loop
 * @submitting: it has not returned
 * @pumping: waiting ops are being looked at
 * @cancelled: nothing new is begun
 * @event: eventfd: some are finished
 * @watch: of @event
 */
struct overlay {
	struct block block;
	struct block *base, *changes;
	char *path;
	struct overlay_format format;
	uint8_t *saved, *dirty;
	uint64_t from, to, save_from, save_to;
	struct op *saver;
	int error;
	struct op op[OPS];
	unsigned int active;
	struct block_request *todo, **todo_end, *finished;
	bool submitting, pumping, cancelled;
	int event;
	struct watch watch;
};

/* Those that wait go on if they can, and new ones begin. The loop's lock is held */
void overlay_pump(struct overlay *o);
/* Of @count clusters from @first on */
void overlay_set_map(struct overlay *o, uint64_t first, uint64_t count, uint8_t value);

#endif
