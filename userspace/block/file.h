/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A raw disk: what its thread (file.c) and its ring (uring/) share. All
 * requests are the thread's where there is no ring.
 */
#ifndef MVMM_FILE_H
#define MVMM_FILE_H

#include "block/block.h"
#include "have.h"

/* So much at a time that a request that is cancelled ends soon */
#define FILE_PART	(16u << 20)

#define FILE_BOUNCE	(1u << 20)

struct ring;

/**
 * struct file - see above
 * @fd: the file
 * @is_device: a block device
 * @through: each write is stable
 * @unsafe: none is
 * @bounce: FILE_BOUNCE bytes for buffers that O_DIRECT does not take, which the
 *	thread does; NULL: without O_DIRECT
 * @ring: NULL: there is none
 * @thread: does the requests, in the order of submission
 * @started: it runs
 * @lock: guards the lists and @stop
 * @wake: signalled when one is added, or @stop is set
 * @todo: submitted, the oldest first
 * @todo_end: where the next one goes
 * @finished: done, to be reported
 * @busy: it does one now
 * @cancelled: it is to end soon
 * @flush_error: a write is lost. The host tells only once, so it is kept
 * @idle: signalled when it has done all
 * @stop: the thread is to return
 * @event: eventfd: there are some
 * @watch: of @event
 */
struct file {
	struct block block;
	int fd;
	bool is_device, through, unsafe;
	uint8_t *bounce;
	struct ring *ring;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct block_request *todo, **todo_end, *finished;
	pthread_cond_t idle;
	bool busy, cancelled, stop;
	int flush_error;
	int event;
	struct watch watch;
};

bool file_is_cancelled(const struct file *f);
/* Is it to be flushed before it is reported? */
bool file_is_stable(const struct file *f, const struct block_request *r);
/* Takes @n bytes off the front */
void file_advance(struct iovec **iov, unsigned int *niov, size_t n);

/* ---- by io_uring (uring/uring.c); the loop's lock is held, but in start -- */

#ifdef HAVE_URING
/* NULL: the host has none, or grants none, or no memory for it */
struct ring *ring_start(struct file *f);
/* Reads, writes, and flushes */
void ring_submit(struct ring *ring, struct block_request *r);
/* What the thread has done is made stable */
void ring_sync(struct ring *ring, struct block_request *r);
void ring_plug(struct ring *ring, bool on);
/* What is submitted in the meantime is not waited for */
void ring_drain(struct ring *ring);
void ring_close(struct ring *ring);
#else
static inline struct ring *ring_start(struct file *f)
{
	return NULL;
}

static inline void ring_submit(struct ring *ring, struct block_request *r)
{
}

static inline void ring_sync(struct ring *ring, struct block_request *r)
{
}

static inline void ring_plug(struct ring *ring, bool on)
{
}

static inline void ring_drain(struct ring *ring)
{
}

static inline void ring_close(struct ring *ring)
{
}
#endif

#endif
