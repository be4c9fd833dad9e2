// SPDX-License-Identifier: GPL-2.0
/*
 * A raw disk in a file or on a block device: opens and locks it, and does by a
 * thread what io_uring (uring/) cannot, or all if there is none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <limits.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "block/file.h"

bool file_is_cancelled(const struct file *f)
{
	return __atomic_load_n(&f->cancelled, __ATOMIC_RELAXED);
}

void file_advance(struct iovec **iov, unsigned int *niov, size_t n)
{
	while (*niov && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*niov)--;
	}
	if (*niov) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

/* All of it, in parts if need be */
static int transfer(const struct file *f, struct block_request *r)
{
	struct iovec *iov = r->iov, part;
	unsigned int niov = r->niov;
	uint64_t at = r->at;
	ssize_t n;

	while (niov) {
		const struct iovec *now = iov;
		int count = niov < IOV_MAX ? niov : IOV_MAX;

		if (file_is_cancelled(f))
			return -ECANCELED;
		if (iov->iov_len > FILE_PART) {
			part = (struct iovec){ iov->iov_base, FILE_PART };
			now = &part;
			count = 1;
		}
		n = r->op == BLOCK_READ ? preadv(f->fd, now, count, at) :
					  pwritev(f->fd, now, count, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		/* The file was cut short, or the host's disk is full */
		if (!n)
			return r->op == BLOCK_READ ? -EIO : -ENOSPC;
		at += n;
		file_advance(&iov, &niov, n);
	}
	return 0;
}

static int write_zeroes(const struct file *f, uint64_t at, uint64_t len)
{
	static const uint8_t zeroes[65536];

	while (len) {
		size_t part = len < sizeof(zeroes) ? len : sizeof(zeroes);
		ssize_t n;

		if (file_is_cancelled(f))
			return -ECANCELED;
		n = pwrite(f->fd, zeroes, part, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		at += n;
		len -= n;
	}
	return 0;
}

/* A discarded part reads as zeroes, or as before where the host cannot */
static int make_hole(const struct file *f, const struct block_request *r)
{
	uint64_t range[2] = { r->at, r->len };
	int mode = r->op == BLOCK_ZERO ? FALLOC_FL_ZERO_RANGE :
					 FALLOC_FL_PUNCH_HOLE, ret;

	if (f->is_device)
		ret = ioctl(f->fd, r->op == BLOCK_DISCARD ? BLKDISCARD :
						     BLKZEROOUT, range);
	else
		ret = fallocate(f->fd, mode | FALLOC_FL_KEEP_SIZE, r->at,
				r->len);
	/* EINVAL: not aligned to the device's sectors */
	if (!ret || (errno != EOPNOTSUPP && errno != ENOTTY && errno != EINVAL))
		return ret ? -errno : 0;
	return r->op == BLOCK_DISCARD ? 0 : write_zeroes(f, r->at, r->len);
}

/*
 * A write that fails behind the host's cache is reported by one fdatasync, and
 * by no other: from then on nothing is known to be on the disk.
 */
static int flush(struct file *f)
{
	if (!f->flush_error && fdatasync(f->fd))
		f->flush_error = -errno;
	return f->flush_error;
}

static int do_request(struct file *f, struct block_request *r)
{
	int ret;

	if (file_is_cancelled(f))
		return -ECANCELED;
	if (r->op == BLOCK_FLUSH)
		return flush(f);
	ret = r->op == BLOCK_READ || r->op == BLOCK_WRITE ?
	      transfer(f, r) : make_hole(f, r);
	/* With a ring that is the ring's */
	return !ret && r->stable && r->op != BLOCK_READ && !f->ring ?
	       flush(f) : ret;
}

static void *file_main(void *ctx)
{
	struct file *f = ctx;
	struct block_request *r;

	pthread_mutex_lock(&f->lock);
	while (true) {
		while (!f->todo && !f->stop)
			pthread_cond_wait(&f->wake, &f->lock);
		r = f->todo;
		if (!r)
			break;
		f->todo = r->next;
		if (!f->todo)
			f->todo_end = &f->todo;
		f->busy = true;
		pthread_mutex_unlock(&f->lock);
		r->result = do_request(f, r);
		pthread_mutex_lock(&f->lock);
		r->next = f->finished;
		f->finished = r;
		f->busy = false;
		if (!f->todo)
			pthread_cond_signal(&f->idle);
		eventfd_write(f->event, 1);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

static void report(struct file *f)
{
	struct block_request *r, *next;

	pthread_mutex_lock(&f->lock);
	r = f->finished;
	f->finished = NULL;
	pthread_mutex_unlock(&f->lock);
	for (; r; r = next) {
		next = r->next;
		if (f->ring && r->stable && !r->result)
			ring_submit(f->ring, r);
		else
			r->done(r);
	}
}

static void on_finished(void *ctx, uint32_t events)
{
	struct file *f = ctx;
	uint64_t count;

	if (read(f->event, &count, sizeof(count)) > 0)
		report(f);
}

static void file_drain(struct block *block)
{
	struct file *f = (struct file *)block;

	pthread_mutex_lock(&f->lock);
	while (f->started && (f->todo || f->busy))
		pthread_cond_wait(&f->idle, &f->lock);
	pthread_mutex_unlock(&f->lock);
	report(f);
	if (f->ring)
		ring_drain(f->ring);
}

static void file_cancel(struct block *block)
{
	struct file *f = (struct file *)block;

	/* The thread goes through them, and does none */
	__atomic_store_n(&f->cancelled, true, __ATOMIC_RELAXED);
	file_drain(block);
	__atomic_store_n(&f->cancelled, false, __ATOMIC_RELAXED);
}

static void file_submit(struct block *block, struct block_request *r)
{
	struct file *f = (struct file *)block;

	if (f->ring && (r->op == BLOCK_READ || r->op == BLOCK_WRITE ||
			r->op == BLOCK_FLUSH)) {
		ring_submit(f->ring, r);
		return;
	}
	r->next = NULL;
	pthread_mutex_lock(&f->lock);
	*f->todo_end = r;
	f->todo_end = &r->next;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
}

static void file_plug(struct block *block, bool on)
{
	struct file *f = (struct file *)block;

	if (f->ring)
		ring_plug(f->ring, on);
}

static int file_start(struct block *block, struct loop *loop,
		      struct error *error)
{
	struct file *f = (struct file *)block;
	int ret;

	block->loop = loop;
	pthread_mutex_lock(&loop->lock);
	ret = loop_watch(loop, &f->watch, EPOLLIN);
	pthread_mutex_unlock(&loop->lock);
	if (!ret)
		f->ring = ring_start(f);
	if (!ret)
		ret = -pthread_create(&f->thread, NULL, file_main, f);
	if (ret)
		return fail(error, STATUS_OS, "cannot serve the disk: %s",
			    strerror(-ret));
	f->started = true;
	return 0;
}

static void file_close(struct block *block)
{
	struct file *f = (struct file *)block;

	if (f->started) {
		pthread_mutex_lock(&f->lock);
		f->stop = true;
		pthread_cond_signal(&f->wake);
		pthread_mutex_unlock(&f->lock);
		pthread_join(f->thread, NULL);
		pthread_mutex_lock(&block->loop->lock);
		loop_watch(block->loop, &f->watch, 0);
		pthread_mutex_unlock(&block->loop->lock);
	}
	if (f->ring)
		ring_close(f->ring);
	if (f->event >= 0)
		close(f->event);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

/* Two guests that write to one disk destroy it. Several may read */
static int lock_file(struct file *f, const struct block_config *config,
		     struct error *error)
{
	int how = (config->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB, tries;

	/*
	 * udev looks at a block device when its last writer has closed it, and
	 * the host ends the requests of a process that was killed after it
	 */
	for (tries = 0; flock(f->fd, how); tries++) {
		if (errno != EWOULDBLOCK)
			return fail(error, STATUS_OS,
				    "--disk %s cannot be locked: %s",
				    config->path, strerror(errno));
		if (tries == 10)
			return fail(error, STATUS_BUSY,
				    "--disk %s is in use by another mvmm, or twice by this one: give each guest its own, or all of them ro",
				    config->path);
		usleep(100000);
	}
	return 0;
}

static int check(struct file *f, const struct block_config *config,
		 struct error *error)
{
	const char *path = config->path;
	uint64_t size = 0;
	struct stat st;

	if (fstat(f->fd, &st))
		return fail(error, STATUS_NO_INPUT, "--disk %s: %s", path,
			    strerror(errno));
	f->is_device = S_ISBLK(st.st_mode);
	if (f->is_device ? ioctl(f->fd, BLKGETSIZE64, &size) :
			   !S_ISREG(st.st_mode))
		return fail(error, STATUS_NO_INPUT,
			    "--disk %s is neither a file nor a block device",
			    path);
	if (!f->is_device)
		size = st.st_size;
	if (!size || size % BLOCK_SECTOR)
		return fail(error, STATUS_DATA,
			    "--disk %s has %llu bytes, which is no multiple of %u: is it a raw image?",
			    path, (unsigned long long)size, BLOCK_SECTOR);
	f->block.size = size;
	/* What the host's cache works with; a device says itself */
	f->block.physical = 4096;
	if (f->is_device)
		ioctl(f->fd, BLKPBSZGET, &f->block.physical);
	return lock_file(f, config, error);
}

struct block *file_open(const struct block_config *config, struct error *error)
{
	static const struct block_ops ops = { .start = file_start,
					      .submit = file_submit,
					      .plug = file_plug,
					      .drain = file_drain,
					      .cancel = file_cancel,
					      .close = file_close };
	struct file *f = calloc(1, sizeof(*f));

	if (!f) {
		fail(error, STATUS_OS, "--disk: no memory");
		return NULL;
	}
	f->block.ops = &ops;
	f->block.read_only = config->read_only;
	f->todo_end = &f->todo;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wake, NULL);
	pthread_cond_init(&f->idle, NULL);
	f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->watch = (struct watch){ on_finished, f, f->event, 0 };
	f->fd = open(config->path,
		     (config->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (f->fd < 0)
		fail(error, STATUS_NO_INPUT, "--disk %s: %s", config->path,
		     strerror(errno));
	else if (f->event < 0)
		fail(error, STATUS_OS, "--disk: no eventfd: %s",
		     strerror(errno));
	else if (!check(f, config, error))
		return &f->block;
	file_close(&f->block);
	return NULL;
}
