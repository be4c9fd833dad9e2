/* SPDX-License-Identifier: GPL-2.0 */
/* A disk on an NBD server: what its two files share. */
#ifndef MVMM_NBD_H
#define MVMM_NBD_H

#include <libnbd.h>
#include "block/block.h"
#include "block/nbd/server.h"

#define FLIGHTS		64	/* requests at the server; others wait here */
#define TRANSFER_MAX	(32u << 20)	/* what all servers take */

/* What is used of libnbd */
#define CALLS(X) \
	X(create) X(close) X(connect_uri) X(aio_connect_uri) X(get_error) \
	X(connect_socket) X(aio_connect_socket) \
	X(get_errno) X(get_size) X(get_block_size) X(is_read_only) \
	X(can_flush) X(can_fua) X(can_trim) X(can_zero) X(aio_pread) \
	X(aio_pwrite) X(aio_flush) X(aio_trim) X(aio_zero) X(aio_get_fd) \
	X(aio_get_direction) X(aio_notify_read) X(aio_notify_write) \
	X(aio_is_ready) X(aio_is_processing) X(aio_is_dead) X(aio_is_closed)

/* Loaded by nbd_open() */
extern struct libnbd {
#define POINTER(name) typeof(nbd_##name) *name;
	CALLS(POINTER)
} libnbd;

struct nbd;

/**
 * struct flight - a request at the server; the thread's own
 * @nbd: whose it is
 * @request: NULL: it is free
 * @left: commands that are not answered yet
 * @error: a positive errno: the server's first
 * @lost: an answer will not come: it is to be sent again
 * @sent: otherwise it waits for a connection
 * @changes: of a FLUSH, those before it
 * @flushing: the data is there, and is made stable
 * @sent_at: when it was sent, in ms
 * @lost_at: when that happened first, in ms; 0: it did not
 * @copy: of buffers that are no whole blocks; NULL: sent as they are
 */
struct flight {
	struct nbd *nbd;
	struct block_request *request;
	unsigned int left;
	int error;
	bool lost, sent, flushing;
	uint64_t sent_at, lost_at, changes;
	void *copy;
};

/**
 * struct nbd - see above
 * @uri: the server and its export; or the image
 * @own: the server is mvmm's own
 * @server: that
 * @retry: ms for which a request waits for a connection
 * @timeout: ms for which it waits for an answer; 0: for ever
 * @h: the connection; NULL: there is none. The thread's, as are the next ones
 * @connecting: it is not ready yet
 * @flush: what the server has
 * @fua: the same
 * @trim: the same
 * @zero: the same
 * @block_min: its smallest block
 * @transfer_max: the most that it reads or writes at a time
 * @lost_at: when the last connection ended, in ms
 * @next_try: when to try next, or when an attempt has failed
 * @cancel_at: when what is cancelled is given up; 0: nothing is
 * @changes: that it has acknowledged, but for stable ones
 * @flushed: so many of these it has made stable
 * @broken: a server of mvmm's own died with some that it had not: FLUSH fails
 * @gave_up: and said so
 * @lines: how many were printed
 * @flight: what is at the server
 * @thread: talks to it
 * @started: it runs
 * @lock: guards what follows
 * @todo: submitted, the oldest first
 * @todo_end: where the next one goes
 * @finished: to be reported
 * @active: flights in use
 * @idle: signalled when there is nothing to do
 * @cancel: all is to end soon
 * @stop: the thread is to return
 * @wake: eventfd: the thread is to look at these
 * @event: eventfd: some are finished
 * @watch: of @event
 */
struct nbd {
	struct block block;
	char *uri;
	bool own;
	struct server server;
	uint64_t retry, timeout;
	struct nbd_handle *h;
	bool connecting, flush, fua, trim, zero;
	uint64_t block_min, transfer_max;
	uint64_t lost_at, next_try, cancel_at;
	uint64_t changes, flushed;
	bool broken, gave_up;
	unsigned int lines;
	struct flight flight[FLIGHTS];
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	struct block_request *todo, **todo_end, *finished;
	unsigned int active;
	pthread_cond_t idle;
	bool cancel, stop;
	int wake, event;
	struct watch watch;
};

/* ---- requests (flight.c) -------------------------------------------------- */

/* There is a connection, and @f has a request */
void flight_send(struct flight *f);
/* The request ends, and @f is free */
void flight_finish(struct flight *f, int result);
/* The loop will report it. nbd->lock is held */
void flight_report(struct nbd *n, struct block_request *r, int result);

#endif
