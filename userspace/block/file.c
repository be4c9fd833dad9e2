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

bool file_is_stable(const struct file *f, const struct block_request *r)
{
	return (r->stable || f->through) && !f->unsafe &&
	       r->op != BLOCK_READ && r->op != BLOCK_FLUSH;
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

/* Memory as O_DIRECT wants it: so are lengths, and what is behind */
static bool is_aligned(const struct block_request *r)
{
	unsigned int i;

	for (i = 0; i < r->niov; i++)
		if (((uintptr_t)r->iov[i].iov_base | r->iov[i].iov_len) %
		    BLOCK_SECTOR)
			return false;
	return true;
}

/* Between the front of the buffers, which it takes off, and @bytes */
static void copy_front(struct iovec **iov, unsigned int *niov, uint8_t *bytes,
		       size_t len, bool out)
{
	size_t n;

	for (; len; len -= n, bytes += n) {
		n = (*iov)->iov_len < len ? (*iov)->iov_len : len;
		if (out)
			memcpy((*iov)->iov_base, bytes, n);
		else
			memcpy(bytes, (*iov)->iov_base, n);
		file_advance(iov, niov, n);
	}
}

/* A part, whole. 0, or a negative errno */
static int bounce(const struct file *f, bool read, uint64_t at, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = read ? pread(f->fd, f->bounce + done, len - done,
				 at + done) :
			   pwrite(f->fd, f->bounce + done, len - done,
				  at + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return read ? -EIO : -ENOSPC;
		done += n;
	}
	return 0;
}

static int transfer_bounced(const struct file *f, struct block_request *r)
{
	bool read = r->op == BLOCK_READ;
	struct iovec *iov = r->iov;
	unsigned int niov = r->niov;
	uint64_t at, end = r->at + r->len;
	size_t len;
	int ret;

	for (at = r->at; at < end; at += len) {
		if (file_is_cancelled(f))
			return -ECANCELED;
		len = end - at < FILE_BOUNCE ? end - at : FILE_BOUNCE;
		if (!read)
			copy_front(&iov, &niov, f->bounce, len, false);
		ret = bounce(f, read, at, len);
		if (ret)
			return ret;
		if (read)
			copy_front(&iov, &niov, f->bounce, len, true);
	}
	return 0;
}

/* All of it, in parts if need be */
static int transfer(const struct file *f, struct block_request *r)
{
	struct iovec *iov = r->iov, part;
	unsigned int niov = r->niov;
	uint64_t at = r->at;
	ssize_t n;

	if (f->bounce && !is_aligned(r))
		return transfer_bounced(f, r);
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
	/* As O_DIRECT wants it. Not const: what is never written has no memory */
	static uint8_t zeroes[65536] __attribute__((aligned(4096)));

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
	if (!f->unsafe && !f->flush_error && fdatasync(f->fd))
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
	return !ret && file_is_stable(f, r) && !f->ring ? flush(f) : ret;
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
		if (f->ring && !r->result && file_is_stable(f, r))
			ring_sync(f->ring, r);
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

static bool is_for_ring(const struct file *f, const struct block_request *r)
{
	if (!f->ring)
		return false;
	/* With unsafe there is nothing to do */
	if (r->op == BLOCK_FLUSH)
		return !f->unsafe;
	return (r->op == BLOCK_READ || r->op == BLOCK_WRITE) &&
	       (!f->bounce || is_aligned(r));
}

/* evening 16: and the file's */
static void file_submit(struct block *block, struct block_request *r)
{
	struct file *f = (struct file *)block;

	if (is_for_ring(f, r)) {
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
	free(f->bounce);
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
	if (!f->is_device)
		size = st.st_size;
	else if (ioctl(f->fd, BLKGETSIZE64, &size))
		return fail(error, STATUS_NO_INPUT, "--disk %s: %s", path,
			    strerror(errno));
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

static int open_file(struct file *f, const struct block_config *config,
		     struct error *error)
{
	bool direct = config->cache == CACHE_NONE ||
		      config->cache == CACHE_DIRECTSYNC;
	struct stat st;

	/* Before it is opened: of a FIFO that would wait for a writer */
	if (!stat(config->path, &st) && !S_ISREG(st.st_mode) &&
	    !S_ISBLK(st.st_mode))
		return fail(error, STATUS_NO_INPUT,
			    "--disk %s is neither a file nor a block device",
			    config->path);
	f->fd = open(config->path, (config->read_only ? O_RDONLY : O_RDWR) |
				   (direct ? O_DIRECT : 0) | O_CLOEXEC);
	if (f->fd < 0 && direct && errno == EINVAL)
		return fail(error, STATUS_USAGE,
			    "--disk %s: its file system has no O_DIRECT: cache=%s needs it, cache=writeback does not",
			    config->path, block_caches[config->cache]);
	if (f->fd < 0)
		return fail(error, STATUS_NO_INPUT, "--disk %s: %s",
			    config->path, strerror(errno));
	if (!direct)
		return 0;
	f->bounce = aligned_alloc(4096, FILE_BOUNCE);
	return f->bounce ? 0 : fail(error, STATUS_OS, "--disk: no memory");
}

/*
 * Guests read and write 512 bytes, and the host's disk may have larger sectors
 */
static int check_direct(struct file *f, const struct block_config *config,
			struct error *error)
{
	/* The file is as long, at least; and so much is the buffer aligned */
	uint64_t at = f->block.size - BLOCK_SECTOR;

	if (!f->bounce || pread(f->fd, f->bounce + BLOCK_SECTOR, BLOCK_SECTOR,
				at) >= 0 || errno != EINVAL)
		return 0;
	return fail(error, STATUS_USAGE,
		    "--disk %s: what it is on has sectors of more than %u bytes: cache=%s cannot be had, cache=writeback can",
		    config->path, BLOCK_SECTOR, block_caches[config->cache]);
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
	f->unsafe = config->cache == CACHE_UNSAFE;
	f->through = config->cache == CACHE_WRITETHROUGH ||
		     config->cache == CACHE_DIRECTSYNC;
	f->fd = -1;
	if (f->event < 0)
		fail(error, STATUS_OS, "--disk: no eventfd: %s",
		     strerror(errno));
	else if (!open_file(f, config, error) && !check(f, config, error) &&
		 !check_direct(f, config, error))
		return &f->block;
	file_close(&f->block);
	return NULL;
}
