// SPDX-License-Identifier: GPL-2.0
/*
 * A request to an NBD server: the commands that it becomes, and their answers.
 * What a connection is, and when there is one: nbd.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include "block/nbd/nbd.h"

#define RANGE_MAX	(1u << 30)	/* of trim and zero, whose length is a u32 */

/* Never written. Not const: as a constant it would be in the program's file */
static uint8_t zeroes[1 << 20];

/* ---- requests that end ---------------------------------------------------- */

void flight_report(struct nbd *n, struct block_request *r, int result)
{
	r->result = result;
	r->next = n->finished;
	n->finished = r;
	if (!n->todo && !n->active)
		pthread_cond_signal(&n->idle);
	eventfd_write(n->event, 1);
}

static void copy_iov(const struct block_request *r, void *copy)
{
	const struct iovec *iov = r->iov;
	unsigned int i;
	char *at = copy;

	for (i = 0; i < r->niov; at += iov[i++].iov_len) {
		if (r->op == BLOCK_READ)
			memcpy(iov[i].iov_base, at, iov[i].iov_len);
		else
			memcpy(at, iov[i].iov_base, iov[i].iov_len);
	}
}

void flight_finish(struct flight *f, int result)
{
	struct block_request *r = f->request;
	struct nbd *n = f->nbd;

	if (f->copy && !result && r->op == BLOCK_READ)
		copy_iov(r, f->copy);
	if (!result && r->op == BLOCK_FLUSH && f->changes > n->flushed)
		n->flushed = f->changes;
	n->changes += !result && r->op != BLOCK_READ && r->op != BLOCK_FLUSH &&
		      !r->stable;
	if (!result && n->broken &&
	    (r->op == BLOCK_FLUSH || (r->stable && r->op != BLOCK_READ)))
		result = -EIO;
	free(f->copy);
	*f = (struct flight){ .nbd = n };
	pthread_mutex_lock(&n->lock);
	n->active--;
	flight_report(n, r, result);
	pthread_mutex_unlock(&n->lock);
}

/* ---- requests that begin -------------------------------------------------- */

static void send_flush(struct flight *f);

/* One answer less is missing */
static void put(struct flight *f)
{
	const struct block_request *r = f->request;
	const struct nbd *n = f->nbd;

	if (--f->left || f->lost)
		return;
	if (f->error)
		flight_finish(f, -f->error);
	else if (r->stable && !n->fua && n->flush && !f->flushing &&
		 r->op != BLOCK_READ && r->op != BLOCK_FLUSH)
		send_flush(f);
	else
		flight_finish(f, 0);
}

/* From libnbd: ENOTCONN is its own; ESHUTDOWN, the server's that goes away */
static int answered(void *ctx, int *error)
{
	struct flight *f = ctx;

	if (*error == ENOTCONN || *error == ESHUTDOWN)
		f->lost = true;
	else if (*error && !f->error)
		f->error = *error;
	put(f);
	return 1;
}

/* The command @call that was issued for @f: libnbd refuses some at once */
static void issued(struct flight *f, int64_t call)
{
	struct nbd_handle *h = f->nbd->h;

	if (call >= 0)
		return;
	if (libnbd.aio_is_dead(h) || libnbd.aio_is_closed(h))
		f->lost = true;
	else if (!f->error)
		f->error = libnbd.get_errno() ?: EIO;
	put(f);
}

#define CALLBACK(f) ((nbd_completion_callback){ .callback = answered, \
						.user_data = (f) })

static void send_flush(struct flight *f)
{
	f->flushing = true;
	f->left = 1;
	issued(f, libnbd.aio_flush(f->nbd->h, CALLBACK(f), 0));
}

static void send_buffer(struct flight *f, void *buffer, uint64_t len,
			uint64_t at, uint32_t flags)
{
	struct nbd *n = f->nbd;
	uint64_t part;

	for (; len && !f->lost; len -= part, at += part) {
		part = len < n->transfer_max ? len : n->transfer_max;
		f->left++;
		issued(f, f->request->op == BLOCK_READ ?
		       libnbd.aio_pread(n->h, buffer, part, at, CALLBACK(f), 0) :
		       libnbd.aio_pwrite(n->h, buffer, part, at, CALLBACK(f),
				      flags));
		buffer = (char *)buffer + part;
	}
}

/* Servers take whole blocks, and drivers may have cut them elsewhere */
static bool whole_blocks(const struct nbd *n, const struct block_request *r)
{
	unsigned int i;

	for (i = 0; i < r->niov; i++)
		if (r->iov[i].iov_len % n->block_min)
			return false;
	return true;
}

static void send_transfer(struct flight *f, uint32_t flags)
{
	struct block_request *r = f->request;
	uint64_t at = r->at;
	unsigned int i;

	if (!f->copy && !whole_blocks(f->nbd, r)) {
		f->copy = malloc(r->len);
		if (!f->copy)
			f->error = ENOMEM;
		else if (r->op == BLOCK_WRITE)
			copy_iov(r, f->copy);
	}
	if (f->copy) {
		send_buffer(f, f->copy, r->len, at, flags);
		return;
	}
	for (i = 0; i < r->niov && !f->error; at += r->iov[i++].iov_len)
		send_buffer(f, r->iov[i].iov_base, r->iov[i].iov_len, at,
			    flags);
}

/* A server need not discard; that it writes zeroes is the other way to zero */
static void send_range(struct flight *f, uint32_t flags)
{
	struct block_request *r = f->request;
	struct nbd *n = f->nbd;
	bool trim = r->op == BLOCK_DISCARD;
	uint64_t len = r->len, at = r->at, part;

	if (trim && !n->trim)
		return;
	for (; len && !f->lost; len -= part, at += part) {
		if (!trim && !n->zero) {
			part = len < sizeof(zeroes) ? len : sizeof(zeroes);
			send_buffer(f, zeroes, part, at, flags);
			continue;
		}
		part = len < RANGE_MAX ? len : RANGE_MAX;
		f->left++;
		issued(f, trim ? libnbd.aio_trim(n->h, part, at, CALLBACK(f),
					      flags) :
		       libnbd.aio_zero(n->h, part, at, CALLBACK(f), flags |
				    (r->op == BLOCK_ZERO ?
				     LIBNBD_CMD_FLAG_NO_HOLE : 0)));
	}
}

void flight_send(struct flight *f)
{
	struct block_request *r = f->request;
	uint32_t flags = r->stable && f->nbd->fua ? LIBNBD_CMD_FLAG_FUA : 0;

	f->sent = true;
	f->lost = f->flushing = false;
	f->error = 0;
	/* One for this function */
	f->left = 1;
	switch (r->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		send_transfer(f, flags);
		break;
	case BLOCK_FLUSH:
		f->changes = f->nbd->changes;
		/* Who has no flush has nothing to flush */
		f->left += f->nbd->flush;
		if (f->nbd->flush)
			issued(f, libnbd.aio_flush(f->nbd->h, CALLBACK(f), 0));
		break;
	default:
		send_range(f, flags);
		break;
	}
	put(f);
}
