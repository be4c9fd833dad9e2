// SPDX-License-Identifier: GPL-2.0
/* An array's requests to its members' files: how often the host is entered. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "block/file.h"
#include "have.h"

#if defined(HAVE_URING) && defined(HAVE_RAID)
#include <liburing.h>
#include "block/raid/create.h"

#define MEMBERS	4
#define MANY	32
#define PIECE	4096u
#define CHUNK	65536u
#include "tests/many_requests.h"

static struct error error;
static struct vm_clock vm_clock;
static struct loop loop;
static struct block *disk;
static char path[MEMBERS][64];
static struct iovec iov[MANY];
static unsigned int entered;

/* A host that has all in its cache: what is submitted ends at once */
int io_uring_submit(struct io_uring *ring)
{
	entered++;
	return io_uring_submit_and_wait(ring, io_uring_sq_ready(ring));
}

static void done(struct block_request *r)
{
	left--;
}

static void lock(void)
{
	pthread_mutex_lock(&loop.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&loop.lock);
}

static struct block *open_file(unsigned int i)
{
	struct block_config config = { .path = path[i] };
	struct block *block = file_open(&config, &error);

	assert_non_null(block);
	assert_int_equal(block->ops->start(block, &loop, &error), 0);
	return block;
}

static void make_array(void)
{
	struct raid_new new = {
		.layout = { .level = 5, .layout = RAID_LEFT_SYMMETRIC,
			    .chunk = CHUNK },
		.policy = MD_BITMAP, .clean = true, .name = "test" };
	const char *name[MEMBERS];
	struct block *member[MEMBERS];
	unsigned int i;
	int fd, ret;

	for (i = 0; i < MEMBERS; i++) {
		strcpy(path[i], "/tmp/mvmm-plug.XXXXXX");
		fd = mkstemp(path[i]);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, 8 << 20), 0);
		close(fd);
		member[i] = open_file(i);
		name[i] = path[i];
	}
	lock();
	ret = raid_format(&new, member, name, MEMBERS, &error);
	unlock();
	assert_int_equal(ret, 0);
	for (i = 0; i < MEMBERS; i++)
		member[i]->ops->close(member[i]);
}

static int setup(void **state)
{
	struct block_config config = { .is_raid = true, .level = 5,
				       .members = MEMBERS - 1 };
	unsigned int i;

	vm_clock_init(&vm_clock, 0);
	vm_clock_start(&vm_clock);
	if (loop_init(&loop, &vm_clock))
		return -1;
	make_array();
	config.path = path[0];
	for (i = 1; i < MEMBERS; i++)
		config.member[i - 1] = path[i];
	disk = raid_open(&config, &error);
	return !disk || disk->ops->start(disk, &loop, &error);
}

static int teardown(void **state)
{
	unsigned int i;

	disk->ops->close(disk);
	for (i = 0; i < MEMBERS; i++)
		unlink(path[i]);
	loop_destroy(&loop);
	return 0;
}

/* One block of each row, so that each reads and writes data and parity */
static void submit_all(enum block_op op, bool plug)
{
	unsigned int i;

	if (plug)
		block_plug(disk, true);
	for (i = 0; i < MANY; i++) {
		iov[i] = (struct iovec){ data[i], PIECE };
		many[i] = (struct block_request){
			.op = op, .at = i * (MEMBERS - 1) * CHUNK,
			.len = PIECE, .iov = &iov[i], .niov = 1, .done = done,
			.result = 1 };
		left++;
		disk->ops->submit(disk, &many[i]);
	}
	if (plug)
		block_plug(disk, false);
}

static bool all_done(void *ctx)
{
	return !left;
}

/* How often it is entered for a write of all, all of which is checked */
static unsigned int write_and_read(unsigned int seed, bool plug)
{
	unsigned int writes;

	fill(seed);
	lock();
	entered = 0;
	submit_all(BLOCK_WRITE, plug);
	unlock();
	loop_run(&loop, all_done, NULL);
	writes = entered;
	fill(0);
	lock();
	submit_all(BLOCK_READ, plug);
	unlock();
	loop_run(&loop, all_done, NULL);
	assert_filled(seed);
	return writes;
}

static bool host_has_ring(void)
{
	struct io_uring uring;

	if (io_uring_queue_init(1, &uring, 0)) {
		print_message("this host grants no io_uring\n");
		return false;
	}
	io_uring_queue_exit(&uring);
	return true;
}

static void together(void **state)
{
	unsigned int one_by_one, plugged;

	/* The bits of the bitmap are set once */
	write_and_read(1, false);
	one_by_one = write_and_read(2, false);
	plugged = write_and_read(3, true);
	print_message("%u writes: entered %u times one by one, %u plugged\n",
		      MANY, one_by_one, plugged);
	if (!host_has_ring())
		return;
	assert_in_range(one_by_one, 2 * MANY, 4 * MANY);
	/* What is read, and what is written, each once for each member */
	assert_in_range(plugged, MEMBERS, 4 * MEMBERS);
}

/* What is plugged, and what the plug's end begins, is drained */
static void drained(void **state)
{
	fill(4);
	lock();
	block_plug(disk, true);
	submit_all(BLOCK_WRITE, true);
	assert_int_not_equal(left, 0);
	disk->ops->drain(disk);
	assert_int_equal(left, 0);
	block_plug(disk, false);
	unlock();
	write_and_read(5, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(together, setup, teardown),
		cmocka_unit_test_setup_teardown(drained, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	printf("built without io_uring, or without RAID\n");
	return 0;
}
#endif
