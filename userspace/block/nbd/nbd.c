// SPDX-License-Identifier: GPL-2.0
/*
 * A disk on an NBD server, by libnbd and a thread of its own. What is in flight
 * when the connection breaks is sent again over the next one: each request may
 * be done twice. libnbd is loaded when the first such disk is opened, because it
 * brings a dozen other libraries. What a request becomes: flight.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/library.h"
#include "block/nbd/nbd.h"

#define RETRY_S		30	/* by default */
#define PAUSE_MS	500	/* between two attempts to connect */
#define ATTEMPT_MS	10000	/* for one */
#define GRACE_MS	2000	/* for what is cancelled */
#define END_MS		10000	/* for a server of mvmm's own to end by itself */
#define LINES		20	/* a server that comes and goes fills no disk */

struct libnbd libnbd;

static struct library library = {
	.file = "libnbd.so.0", .name = "libnbd",
	.needs = "--disk nbd: needs libnbd", .package = "libnbd0" };
#define CALL(name) { "nbd_" #name, &libnbd.name },
static const struct library_call calls[] = { CALLS(CALL) { NULL, NULL } };

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3)))
static void say(struct nbd *n, const char *format, ...)
{
	char text[256];
	va_list args;

	if (n->lines == LINES)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "\r\nmvmm: --disk %s: %s%s\r\n", n->uri, text,
		++n->lines == LINES ? "; no more of these are shown" : "");
}

/* ---- the connection ------------------------------------------------------- */

/* 0: the connection is to a disk that can be used; else says why not */
static const char *look(struct nbd *n)
{
	int64_t size = libnbd.get_size(n->h), min, max;

	min = libnbd.get_block_size(n->h, LIBNBD_SIZE_MINIMUM);
	max = libnbd.get_block_size(n->h, LIBNBD_SIZE_MAXIMUM);
	if (size < BLOCK_SECTOR || size % BLOCK_SECTOR)
		return "its size is no multiple of 512 bytes";
	if (min > BLOCK_SECTOR)
		return "it has blocks of more than 512 bytes (nbdkit --filter=blocksize helps)";
	if (n->block.size && n->block.size != (uint64_t)size)
		return "its size has changed";
	if (libnbd.is_read_only(n->h) == 1 && n->block.size &&
	    !n->block.read_only)
		return "it is read-only now";
	n->block_min = min > 0 ? min : 1;
	n->transfer_max = max > BLOCK_SECTOR && max < TRANSFER_MAX ?
			  max - max % BLOCK_SECTOR : TRANSFER_MAX;
	n->flush = libnbd.can_flush(n->h) == 1;
	n->fua = libnbd.can_fua(n->h) == 1;
	n->trim = libnbd.can_trim(n->h) == 1;
	n->zero = libnbd.can_zero(n->h) == 1;
	if (!n->block.size)
		n->block.read_only |= libnbd.is_read_only(n->h) == 1;
	n->block.size = size;
	return NULL;
}

/* A machine that went away without a word is noticed, too */
static void set_timeout(struct nbd *n)
{
	unsigned int ms = n->retry;
	int fd = libnbd.aio_get_fd(n->h), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/* Those that have waited for too long, and on @cancel all, are given up */
static void give_up(struct nbd *n, bool cancel)
{
	uint64_t now = now_ms();
	struct block_request *r;
	unsigned int i;

	for (i = 0; i < FLIGHTS; i++) {
		struct flight *f = &n->flight[i];

		if (f->request && !f->sent &&
		    (cancel || now - f->lost_at >= n->retry))
			flight_finish(f, cancel ? -ECANCELED : -EIO);
	}
	if (!cancel && now - n->lost_at < n->retry)
		return;
	if (!cancel && !n->gave_up)
		say(n, "no connection for %llu s: reads and writes fail until there is one",
		    (unsigned long long)n->retry / 1000);
	n->gave_up |= !cancel;
	pthread_mutex_lock(&n->lock);
	while ((r = n->todo)) {
		n->todo = r->next;
		if (!n->todo)
			n->todo_end = &n->todo;
		flight_report(n, r, cancel ? -ECANCELED : -EIO);
	}
	pthread_mutex_unlock(&n->lock);
}

/*
 * A new one must not begin before it has ended. Part of an image may have been
 * in its memory only: then nothing is known to be on the disk any more. One
 * that never answered had nothing
 */
static void end_own(struct nbd *n)
{
	if (!server_stop(&n->server, 0) || n->connecting || n->broken ||
	    n->changes == n->flushed)
		return;
	n->broken = true;
	say(n, "qemu-nbd died with writes that were not flushed: the guest is told so when it flushes");
}

/* There is no connection any more */
static void disconnect(struct nbd *n, const char *why)
{
	uint64_t now = now_ms();
	unsigned int i;

	if (!n->connecting) {
		say(n, "the connection is lost (%s)%s", why,
		    n->changes != n->flushed && !n->own ?
		    ": if the server's machine crashed, so are writes that were not flushed" :
		    "");
		n->lost_at = now;
	}
	libnbd.close(n->h);
	n->h = NULL;
	if (n->own)
		end_own(n);
	n->connecting = false;
	n->next_try = now + PAUSE_MS;
	for (i = 0; i < FLIGHTS; i++) {
		struct flight *f = &n->flight[i];

		if (!f->request)
			continue;
		f->sent = false;
		if (!f->lost_at)
			f->lost_at = now;
	}
}

static void send_flight(struct flight *f)
{
	f->sent_at = now_ms();
	flight_send(f);
}

static void connected(struct nbd *n)
{
	const char *why = look(n);
	unsigned int i;

	if (why) {
		say(n, "%s", why);
		disconnect(n, why);
		return;
	}
	n->connecting = n->gave_up = false;
	set_timeout(n);
	say(n, "connected again");
	for (i = 0; i < FLIGHTS && n->h; i++)
		if (n->flight[i].request && !n->flight[i].sent)
			send_flight(&n->flight[i]);
}

static bool begin_connection(struct nbd *n)
{
	struct error error = { 0 };
	int fd;

	if (!n->own)
		return !libnbd.aio_connect_uri(n->h, n->uri);
	fd = server_start(&n->server, &error);
	if (fd < 0)
		say(n, "%s", error.text);
	/* The socket is libnbd's then */
	return fd >= 0 && !libnbd.aio_connect_socket(n->h, fd);
}

static void connect_again(struct nbd *n)
{
	n->h = libnbd.create();
	n->next_try = now_ms() + (n->h ? ATTEMPT_MS : PAUSE_MS);
	n->connecting = n->h;
	if (n->h && !begin_connection(n))
		disconnect(n, libnbd.get_error());
}

/* ---- the thread ------------------------------------------------------------ */

static struct flight *free_flight(struct nbd *n)
{
	unsigned int i;

	for (i = 0; i < FLIGHTS; i++)
		if (!n->flight[i].request)
			return &n->flight[i];
	return NULL;
}

static void send_new(struct nbd *n)
{
	struct flight *f;

	while (n->h && !n->connecting && (f = free_flight(n))) {
		struct block_request *r;

		pthread_mutex_lock(&n->lock);
		r = n->todo;
		if (r) {
			n->todo = r->next;
			n->active++;
		}
		if (!n->todo)
			n->todo_end = &n->todo;
		pthread_mutex_unlock(&n->lock);
		if (!r)
			return;
		f->request = r;
		send_flight(f);
	}
}

/* An answer that will not come, with a connection that is there */
static bool any_lost(const struct nbd *n)
{
	unsigned int i;

	for (i = 0; i < FLIGHTS; i++)
		if (n->flight[i].request && n->flight[i].sent &&
		    n->flight[i].lost)
			return true;
	return false;
}

/* Does one wait for its answer for too long? */
static bool any_late(const struct nbd *n)
{
	uint64_t now = now_ms();
	unsigned int i;

	for (i = 0; n->timeout && i < FLIGHTS; i++)
		if (n->flight[i].request && n->flight[i].sent &&
		    now - n->flight[i].sent_at >= n->timeout)
			return true;
	return false;
}

/*
 * The server is there and says nothing: what it has is given up, and what comes is not
 * sent before it has been connected to anew
 */
static void give_up_server(struct nbd *n)
{
	uint64_t before = now_ms() - n->retry;
	unsigned int i;

	disconnect(n, "it does not answer");
	n->lost_at = before;
	for (i = 0; i < FLIGHTS; i++)
		if (n->flight[i].request)
			n->flight[i].lost_at = before;
}

static bool is_dead(const struct nbd *n)
{
	return libnbd.aio_is_dead(n->h) || libnbd.aio_is_closed(n->h);
}

static void look_at_connection(struct nbd *n)
{
	uint64_t now = now_ms();

	if (!n->h) {
		if (now >= n->next_try)
			connect_again(n);
	} else if (is_dead(n) || any_lost(n)) {
		disconnect(n, "the server ended it");
	} else if (!n->connecting && any_late(n)) {
		give_up_server(n);
	} else if (n->connecting && libnbd.aio_is_ready(n->h)) {
		connected(n);
	} else if (n->connecting && now >= n->next_try) {
		disconnect(n, "no answer");
	}
	if (!n->h || n->connecting)
		give_up(n, false);
}

/* What is at the server has some time to end; then it is not waited for */
static void look_at_cancel(struct nbd *n)
{
	bool cancel;

	pthread_mutex_lock(&n->lock);
	cancel = n->cancel;
	pthread_mutex_unlock(&n->lock);
	if (!cancel) {
		n->cancel_at = 0;
		return;
	}
	if (!n->cancel_at)
		n->cancel_at = now_ms() + GRACE_MS;
	if (n->h && !n->connecting && now_ms() >= n->cancel_at)
		disconnect(n, "what was cancelled did not end");
	give_up(n, true);
}

/*
 * ms: whoever has a connection, cancels nothing, and has no answer that may be late,
 * waits for no time
 */
static int patience(const struct nbd *n)
{
	unsigned int i;

	if (!n->h || n->connecting || n->cancel_at)
		return 100;
	for (i = 0; n->timeout && i < FLIGHTS; i++)
		if (n->flight[i].request)
			return 500;
	return -1;
}

static void wait_for_events(struct nbd *n)
{
	unsigned int direction = n->h ? libnbd.aio_get_direction(n->h) : 0;
	struct pollfd fds[2] = {
		{ n->wake, POLLIN, 0 },
		{ n->h ? libnbd.aio_get_fd(n->h) : -1,
		  (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
		  (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0), 0 } };
	eventfd_t count;
	int ret = 0;

	/* It has died since it was looked at */
	if (n->h && is_dead(n))
		return;
	if (poll(fds, 2, patience(n)) < 0)
		return;
	if (fds[0].revents)
		eventfd_read(n->wake, &count);
	if (direction & LIBNBD_AIO_DIRECTION_READ &&
	    fds[1].revents & (POLLIN | POLLHUP | POLLERR))
		ret = libnbd.aio_notify_read(n->h);
	else if (fds[1].revents)
		ret = libnbd.aio_notify_write(n->h);
	if (ret)
		disconnect(n, libnbd.get_error());
}

static void *nbd_main(void *ctx)
{
	struct nbd *n = ctx;
	bool stop;

	do {
		look_at_cancel(n);
		look_at_connection(n);
		send_new(n);
		wait_for_events(n);
		pthread_mutex_lock(&n->lock);
		stop = n->stop;
		pthread_mutex_unlock(&n->lock);
	} while (!stop);
	return NULL;
}

/* ---- what the block layer calls --------------------------------------------- */

static void report(struct nbd *n)
{
	struct block_request *r, *next;

	pthread_mutex_lock(&n->lock);
	r = n->finished;
	n->finished = NULL;
	pthread_mutex_unlock(&n->lock);
	for (; r; r = next) {
		next = r->next;
		r->done(r);
	}
}

static void on_finished(void *ctx, uint32_t events)
{
	struct nbd *n = ctx;
	eventfd_t count;

	if (!eventfd_read(n->event, &count))
		report(n);
}

static int nbd_start(struct block *block, struct loop *loop,
		     struct error *error)
{
	struct nbd *n = (struct nbd *)block;
	int ret;

	block->loop = loop;
	pthread_mutex_lock(&loop->lock);
	ret = loop_watch(loop, &n->watch, EPOLLIN);
	pthread_mutex_unlock(&loop->lock);
	if (!ret)
		ret = -pthread_create(&n->thread, NULL, nbd_main, n);
	if (ret)
		return fail(error, STATUS_OS, "cannot serve the disk: %s",
			    strerror(-ret));
	n->started = true;
	return 0;
}

static void nbd_submit(struct block *block, struct block_request *r)
{
	struct nbd *n = (struct nbd *)block;

	r->next = NULL;
	pthread_mutex_lock(&n->lock);
	*n->todo_end = r;
	n->todo_end = &r->next;
	pthread_mutex_unlock(&n->lock);
	eventfd_write(n->wake, 1);
}

static void wait_until_idle(struct nbd *n, bool cancel)
{
	pthread_mutex_lock(&n->lock);
	n->cancel = cancel;
	eventfd_write(n->wake, 1);
	while (n->started && (n->todo || n->active))
		pthread_cond_wait(&n->idle, &n->lock);
	n->cancel = false;
	pthread_mutex_unlock(&n->lock);
	eventfd_write(n->wake, 1);
	report(n);
}

static void nbd_drain(struct block *block)
{
	wait_until_idle((struct nbd *)block, false);
}

static void nbd_cancel(struct block *block)
{
	wait_until_idle((struct nbd *)block, true);
}

static void nbd_disk_close(struct block *block)
{
	struct nbd *n = (struct nbd *)block;

	if (n->started) {
		pthread_mutex_lock(&n->lock);
		n->stop = true;
		pthread_mutex_unlock(&n->lock);
		eventfd_write(n->wake, 1);
		pthread_join(n->thread, NULL);
		pthread_mutex_lock(&block->loop->lock);
		loop_watch(block->loop, &n->watch, 0);
		pthread_mutex_unlock(&block->loop->lock);
	}
	if (n->h)
		libnbd.close(n->h);
	/* It writes what it has in its cache */
	if (n->own) {
		if (server_stop(&n->server, END_MS) && n->changes != n->flushed)
			say(n, "qemu-nbd did not end well: what was not flushed may be lost");
		server_destroy(&n->server);
	}
	if (n->event >= 0)
		close(n->event);
	if (n->wake >= 0)
		close(n->wake);
	free(n->uri);
	free(n);
}

static int first_look(struct nbd *n, struct error *error)
{
	const char *why = look(n);

	return why ? fail(error, STATUS_DATA, "--disk %s: %s", n->uri, why) : 0;
}

static int first_of_own(struct nbd *n, struct error *error)
{
	int fd = server_start(&n->server, error);

	if (fd < 0)
		return -1;
	if (libnbd.connect_socket(n->h, fd))
		return server_failed(&n->server, n->uri, libnbd.get_error(),
				     error);
	return first_look(n, error);
}

static int first_connection(struct nbd *n, struct error *error)
{
	n->h = libnbd.create();
	if (n->h && n->own)
		return first_of_own(n, error);
	if (!n->h || libnbd.connect_uri(n->h, n->uri))
		return fail(error, STATUS_NO_INPUT, "--disk %s: %s", n->uri,
			    libnbd.get_error());
	set_timeout(n);
	return first_look(n, error);
}

struct block *nbd_open(const struct block_config *config, struct error *error)
{
	static const struct block_ops ops = { .start = nbd_start,
					      .submit = nbd_submit,
					      .drain = nbd_drain,
					      .cancel = nbd_cancel,
					      .close = nbd_disk_close };
	struct nbd *n;
	unsigned int i;

	if (library_load(&library, calls, error))
		return NULL;
	n = calloc(1, sizeof(*n));
	if (!n) {
		fail(error, STATUS_OS, "--disk: no memory");
		return NULL;
	}
	n->block.ops = &ops;
	n->block.read_only = config->read_only;
	n->retry = (config->retry ?: RETRY_S) * 1000ull;
	n->timeout = config->timeout * 1000ull;
	n->todo_end = &n->todo;
	for (i = 0; i < FLIGHTS; i++)
		n->flight[i].nbd = n;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->idle, NULL);
	n->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n->watch = (struct watch){ on_finished, n, n->event, 0 };
	n->uri = strdup(config->path);
	n->own = config->format || block_is_uri(config->path);
	if (n->own && server_init(&n->server, config, error))
		n->own = false;
	else if (n->event < 0 || n->wake < 0 || !n->uri)
		fail(error, STATUS_OS, "--disk: no eventfd, or no memory");
	else if (!first_connection(n, error))
		return &n->block;
	nbd_disk_close(&n->block);
	return NULL;
}
