// SPDX-License-Identifier: GPL-2.0
/*
 * Reads, writes and flushes of a raw disk by io_uring: what is submitted
 * together costs one system call, many are in flight, and no thread stands in
 * between. Whatever moves no data, a hole say, is the thread's (file.c).
 *
 * At most one fdatasync is in flight: of two, the host would tell only one that
 * a write was lost, and the other might be reported first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "block/file.h"

#define ENTRIES		128	/* of the ring; each has one at most */
#define SLOTS		(ENTRIES - 1)	/* and the fdatasync */

/**
 * struct slot - a request on its way
 * @request: NULL: it is free
 * @number: how many were begun before it
 * @at: where what is left of it goes
 * @iov: what is left
 * @niov: how many
 * @next: in a list
 */
struct slot {
	struct block_request *request;
	uint64_t number, at;
	struct iovec *iov;
	unsigned int niov;
	struct slot *next;
};

/**
 * struct ring - see above. The loop's lock guards it
 * @uring: the kernel's
 * @file: whose it is
 * @event: eventfd: there are completions
 * @watch: of that
 * @plugged: so many want that nothing is given to the kernel yet
 * @begun: requests that had a slot so far
 * @todo: those that wait for one, the oldest first
 * @todo_end: where the next one goes
 * @waiting: how many
 * @free: slots
 * @unsynced: requests that wait for a fdatasync that begins later
 * @syncing: those that the one in flight is for
 * @slot: all
 */
struct ring {
	struct io_uring uring;
	struct file *file;
	int event;
	struct watch watch;
	unsigned int plugged;
	uint64_t begun;
	struct block_request *todo, **todo_end;
	unsigned int waiting;
	struct slot *free, *unsynced, *syncing;
	struct slot slot[SLOTS];
};

static void put_slot(struct ring *ring, struct slot *s)
{
	s->request = NULL;
	s->next = ring->free;
	ring->free = s;
}

static void finish(struct ring *ring, struct slot *s, int result)
{
	struct block_request *r = s->request;

	put_slot(ring, s);
	r->result = result;
	r->done(r);
}

/* ---- what goes to the kernel --------------------------------------------- */

/* There is one: no slot has two */
static struct io_uring_sqe *get_sqe(struct ring *ring)
{
	return io_uring_get_sqe(&ring->uring);
}

static void transfer(struct ring *ring, struct slot *s)
{
	int count = s->niov < IOV_MAX ? s->niov : IOV_MAX;
	struct io_uring_sqe *sqe = get_sqe(ring);
	int fd = ring->file->fd;
	size_t len = s->iov->iov_len;
	bool read = s->request->op == BLOCK_READ;

	if (count == 1 || len > FILE_PART) {
		if (len > FILE_PART)
			len = FILE_PART;
		if (read)
			io_uring_prep_read(sqe, fd, s->iov->iov_base, len,
					   s->at);
		else
			io_uring_prep_write(sqe, fd, s->iov->iov_base, len,
					    s->at);
	} else if (read) {
		io_uring_prep_readv(sqe, fd, s->iov, count, s->at);
	} else {
		io_uring_prep_writev(sqe, fd, s->iov, count, s->at);
	}
	io_uring_sqe_set_data(sqe, s);
}

static void send_sync(struct ring *ring)
{
	struct io_uring_sqe *sqe = get_sqe(ring);

	io_uring_prep_fsync(sqe, ring->file->fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data(sqe, ring);
}

/* For all that wait, unless one is in flight that began before */
static void begin_sync(struct ring *ring)
{
	if (ring->syncing || !ring->unsynced)
		return;
	ring->syncing = ring->unsynced;
	ring->unsynced = NULL;
	send_sync(ring);
}

static void sync_slot(struct ring *ring, struct slot *s)
{
	s->next = ring->unsynced;
	ring->unsynced = s;
	begin_sync(ring);
}

static void begin(struct ring *ring, struct slot *s)
{
	struct block_request *r = s->request;

	s->number = ring->begun++;
	s->at = r->at;
	s->iov = r->iov;
	s->niov = r->niov;
	/* niov is 0 of what ring_sync() has; a FLUSH has none that counts */
	if (s->niov && r->op != BLOCK_FLUSH)
		transfer(ring, s);
	else
		sync_slot(ring, s);
}

static void begin_all(struct ring *ring)
{
	struct slot *s;

	while (ring->todo && (s = ring->free)) {
		ring->free = s->next;
		s->request = ring->todo;
		ring->todo = s->request->next;
		if (!ring->todo)
			ring->todo_end = &ring->todo;
		ring->waiting--;
		begin(ring, s);
	}
}

/* The host may have no memory for a moment */
static void enter(struct ring *ring)
{
	int ret;

	if (ring->plugged)
		return;
	while (io_uring_sq_ready(&ring->uring)) {
		ret = io_uring_submit(&ring->uring);
		if (ret < 0 && ret != -EINTR)
			usleep(1000);
	}
}

/* ---- what comes back ----------------------------------------------------- */

/* Of what nobody cancelled: the thread that submitted it has ended, say */
static bool is_to_be_repeated(const struct ring *ring, int result)
{
	return result == -EINTR || result == -EAGAIN ||
	       (result == -ECANCELED && !file_is_cancelled(ring->file));
}

static void transferred(struct ring *ring, struct slot *s, int result)
{
	struct block_request *r = s->request;
	bool read = r->op == BLOCK_READ;

	if (result < 0 && !is_to_be_repeated(ring, result)) {
		finish(ring, s, result);
		return;
	}
	/* The file was cut short, or the host's disk is full */
	if (!result) {
		finish(ring, s, read ? -EIO : -ENOSPC);
		return;
	}
	if (result > 0) {
		file_advance(&s->iov, &s->niov, result);
		s->at += result;
	}
	if (s->niov && file_is_cancelled(ring->file))
		finish(ring, s, -ECANCELED);
	else if (s->niov)
		transfer(ring, s);
	else if (file_is_stable(ring->file, r))
		sync_slot(ring, s);
	else
		finish(ring, s, 0);
}

/*
 * All are out of their slots before one is reported: who hears of it may drain
 */
static void synced(struct ring *ring, int result)
{
	struct block_request *r = NULL, *next;
	struct file *f = ring->file;
	struct slot *s;

	if (is_to_be_repeated(ring, result) || result == -ECANCELED) {
		send_sync(ring);
		return;
	}
	if (result < 0 && !f->flush_error)
		f->flush_error = result;
	while ((s = ring->syncing)) {
		ring->syncing = s->next;
		s->request->next = r;
		r = s->request;
		put_slot(ring, s);
	}
	begin_sync(ring);
	for (; r; r = next) {
		next = r->next;
		r->result = f->flush_error;
		r->done(r);
	}
}

/* Those that are there now: what they lead to is for the next time */
static void reap(struct ring *ring)
{
	unsigned int n = io_uring_cq_ready(&ring->uring);
	struct block *block = &ring->file->block;
	struct io_uring_cqe *cqe;

	if (!n)
		return;
	ring->plugged++;
	block_plug_parents(block, true);
	while (n-- && !io_uring_peek_cqe(&ring->uring, &cqe)) {
		void *data = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&ring->uring, cqe);
		if (data == ring)
			synced(ring, result);
		else
			transferred(ring, data, result);
		begin_all(ring);
	}
	ring->plugged--;
	enter(ring);
	block_plug_parents(block, false);
}

static void on_completions(void *ctx, uint32_t events)
{
	struct ring *ring = ctx;
	eventfd_t count;

	eventfd_read(ring->event, &count);
	reap(ring);
}

/* ---- what file.c calls --------------------------------------------------- */

void ring_submit(struct ring *ring, struct block_request *r)
{
	r->next = NULL;
	*ring->todo_end = r;
	ring->todo_end = &r->next;
	ring->waiting++;
	begin_all(ring);
	enter(ring);
}

void ring_sync(struct ring *ring, struct block_request *r)
{
	r->niov = 0;
	ring_submit(ring, r);
}

/* What the host has in its cache is there at once, and nobody has to wake up */
void ring_plug(struct ring *ring, bool on)
{
	if (on) {
		ring->plugged++;
	} else if (!--ring->plugged && io_uring_sq_ready(&ring->uring)) {
		io_uring_cq_eventfd_toggle(&ring->uring, false);
		enter(ring);
		io_uring_cq_eventfd_toggle(&ring->uring, true);
		/* What ended without a word, too */
		reap(ring);
	}
}

static bool any_before(const struct ring *ring, uint64_t number)
{
	unsigned int i;

	if (ring->begun < number)
		return true;
	for (i = 0; i < SLOTS; i++)
		if (ring->slot[i].request && ring->slot[i].number < number)
			return true;
	return false;
}

static void cancel_waiting(struct ring *ring)
{
	struct block_request *r = ring->todo, *next;

	ring->begun += ring->waiting;
	ring->waiting = 0;
	ring->todo = NULL;
	ring->todo_end = &ring->todo;
	for (; r; r = next) {
		next = r->next;
		r->result = -ECANCELED;
		r->done(r);
	}
}

void ring_drain(struct ring *ring)
{
	uint64_t number = ring->begun + ring->waiting;

	if (file_is_cancelled(ring->file))
		cancel_waiting(ring);
	ring->plugged++;
	while (any_before(ring, number)) {
		io_uring_submit_and_wait(&ring->uring, 1);
		reap(ring);
	}
	ring->plugged--;
	enter(ring);
}

void ring_close(struct ring *ring)
{
	struct loop *loop = ring->file->block.loop;

	pthread_mutex_lock(&loop->lock);
	loop_watch(loop, &ring->watch, 0);
	pthread_mutex_unlock(&loop->lock);
	io_uring_queue_exit(&ring->uring);
	close(ring->event);
	free(ring);
}

struct ring *ring_start(struct file *f)
{
	struct loop *loop = f->block.loop;
	struct ring *ring = calloc(1, sizeof(*ring));
	unsigned int i;
	int ret;

	if (!ring)
		return NULL;
	if (io_uring_queue_init(ENTRIES, &ring->uring, 0)) {
		free(ring);
		return NULL;
	}
	ring->file = f;
	ring->todo_end = &ring->todo;
	for (i = 0; i < SLOTS; i++)
		put_slot(ring, &ring->slot[i]);
	/*
	 * Not the ring's own descriptor: that wakes who waits for it at each end,
	 * also of what ring_plug() takes at once
	 */
	ring->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->watch = (struct watch){ on_completions, ring, ring->event, 0 };
	ret = ring->event < 0 ? -errno :
	      io_uring_register_eventfd(&ring->uring, ring->event);
	pthread_mutex_lock(&loop->lock);
	if (!ret)
		ret = loop_watch(loop, &ring->watch, EPOLLIN);
	pthread_mutex_unlock(&loop->lock);
	if (!ret)
		return ring;
	io_uring_queue_exit(&ring->uring);
	close_fd(&ring->event);
	free(ring);
	return NULL;
}
