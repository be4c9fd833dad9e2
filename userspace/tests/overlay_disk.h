/* SPDX-License-Identifier: GPL-2.0 */
/* A small disk with an overlay, and requests to it: of the two tests. */
#ifndef MVMM_OVERLAY_DISK_H
#define MVMM_OVERLAY_DISK_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "block/overlay/overlay.h"

#define SECTOR	BLOCK_SECTOR
#define SECTORS	2040		/* the last cluster is no whole one */
#define SIZE	(SECTORS * SECTOR)
#define CLUSTER_BITS 12

static struct error error;
static struct vm_clock vm_clock;
static struct loop loop;
static char dir[] = "/tmp/mvmm-overlay.XXXXXX", base[64], changes[64];
static struct block *disk;
static unsigned int left;
static uint32_t random_state;

static inline uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

/* A sector's first word says who wrote it, and all others do, too */
static inline void fill(uint8_t *sector, uint32_t stamp)
{
	unsigned int i;

	for (i = 0; i < SECTOR; i += 4)
		memcpy(sector + i, &stamp, 4);
}

/* UINT32_MAX: the sector is of two writers */
static inline uint32_t stamp_of(const uint8_t *sector)
{
	uint32_t stamp;

	memcpy(&stamp, sector, 4);
	return memcmp(sector, sector + 4, SECTOR - 4) ? UINT32_MAX : stamp;
}

/* What the base has */
static inline uint32_t base_stamp(unsigned int sector)
{
	return 0x80000000u + sector;
}

static inline void make_base(void)
{
	int fd = open(base, O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint8_t bytes[SECTOR];
	unsigned int i;

	for (i = 0; i < SECTORS; i++) {
		fill(bytes, base_stamp(i));
		assert_int_equal(write(fd, bytes, SECTOR), SECTOR);
	}
	close(fd);
}

/* With small clusters, so that a small disk has many */
static inline void make_changes(void)
{
	int fd = open(changes, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(overlay_create(fd, changes, SIZE, CLUSTER_BITS,
					&error), 0);
	close(fd);
}

static inline int try_disk(const struct block_config *config)
{
	disk = block_open(config, &error);
	assert_non_null(disk);
	if (!disk->ops->start(disk, &loop, &error))
		return 0;
	disk->ops->close(disk);
	disk = NULL;
	return -1;
}

static inline void open_disk(void)
{
	struct block_config config = { .path = base, .overlay = changes };

	if (try_disk(&config))
		print_message("%s\n", error.text);
	assert_non_null(disk);
	assert_int_equal(disk->size, SIZE);
	/* As the base is */
	assert_int_equal(disk->physical, 4096);
}

static inline void close_disk(void)
{
	disk->ops->close(disk);
	disk = NULL;
}

static inline int setup(void **state)
{
	random_state = 1;
	left = 0;
	make_base();
	make_changes();
	vm_clock_init(&vm_clock, 0);
	return loop_init(&loop, &vm_clock);
}

static inline int teardown(void **state)
{
	if (disk)
		close_disk();
	loop_destroy(&loop);
	return 0;
}

static inline void done(struct block_request *request)
{
	left--;
}

static inline void submit(struct block_request *r)
{
	r->done = done;
	r->result = 1;
	left++;
	disk->ops->submit(disk, r);
}

static inline int request(enum block_op op, unsigned int sector, unsigned int count,
		   void *buffer)
{
	struct iovec iov = { buffer, count * SECTOR };
	struct block_request r = { .op = op, .at = sector * SECTOR,
				   .len = count * SECTOR, .iov = &iov,
				   .niov = !!buffer };

	pthread_mutex_lock(&loop.lock);
	submit(&r);
	disk->ops->drain(disk);
	assert_int_equal(left, 0);
	pthread_mutex_unlock(&loop.lock);
	return r.result;
}

/* ---- requests ---------------------------------------------------------------- */

static uint8_t arena[SIZE];

/* Of a request, and what comes of it */
struct use {
	struct block_request request;
	struct iovec iov[3];
	unsigned int sector, count;
	uint32_t stamp;
};

/* At odd places, as a driver may do it */
static inline void cut(struct use *u)
{
	uint8_t *at = arena + u->sector * SECTOR;
	size_t len = u->count * SECTOR, a = next_random() % len,
	       b = next_random() % (len - a);

	u->iov[0] = (struct iovec){ at, a };
	u->iov[1] = (struct iovec){ at + a, b };
	u->iov[2] = (struct iovec){ at + a + b, len - a - b };
	u->request.iov = u->iov;
	u->request.niov = 3;
}

static inline void make_use(struct use *u, unsigned int sector, unsigned int count,
		     uint32_t stamp)
{
	static const enum block_op ops[] = { BLOCK_WRITE, BLOCK_WRITE,
					     BLOCK_READ, BLOCK_ZERO,
					     BLOCK_UNMAP };
	unsigned int i;

	*u = (struct use){ .sector = sector, .count = count, .stamp = stamp };
	u->request = (struct block_request){
		.op = ops[next_random() % 5], .at = sector * SECTOR,
		.len = count * SECTOR, .stable = next_random() % 8 == 0 };
	for (i = 0; i < count; i++)
		fill(arena + (sector + i) * SECTOR, stamp);
	if (u->request.op == BLOCK_READ || u->request.op == BLOCK_WRITE)
		cut(u);
}

static inline void assert_base_untouched(void)
{
	int fd = open(base, O_RDONLY);
	uint8_t bytes[SECTOR];
	unsigned int i;

	for (i = 0; i < SECTORS; i++) {
		assert_int_equal(read(fd, bytes, SECTOR), SECTOR);
		assert_int_equal(stamp_of(bytes), base_stamp(i));
	}
	close(fd);
}

/* Runs @tests in a directory of their own, which is gone afterwards */
static inline int run_group(const struct CMUnitTest *tests, size_t count)
{
	int ret;

	alarm(300);
	/* In memory, if it can be: there a flush costs nothing */
	if (!access("/dev/shm", W_OK))
		strcpy(dir, "/dev/shm/ovl.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(base, sizeof(base), "%s/base", dir);
	snprintf(changes, sizeof(changes), "%s/changes", dir);
	ret = _cmocka_run_group_tests("overlay", tests, count, NULL, NULL);
	unlink(base);
	unlink(changes);
	rmdir(dir);
	return ret;
}

#endif
