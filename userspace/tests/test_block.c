// SPDX-License-Identifier: GPL-2.0
/* What --disk says, and the raw file behind a disk. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "block/block.h"

static struct error error;

static int parse(struct block_config *config, const char *text)
{
	static char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	return block_parse(config, copy, &error);
}

static void options(void **state)
{
	struct block_config c;

	assert_int_equal(parse(&c, "a.img"), 0);
	assert_string_equal(c.path, "a.img");
	assert_false(c.read_only);
	assert_null(c.serial);
	assert_int_equal(parse(&c, "a.img,serial=one,ro"), 0);
	assert_true(c.read_only);
	assert_string_equal(c.serial, "one");
	assert_int_equal(parse(&c, "a.img,rw"), -1);
	assert_non_null(strstr(error.text, "--disk a.img: rw is not known"));
	assert_int_equal(parse(&c, ",ro"), -1);
	assert_non_null(strstr(error.text, "name is missing"));
	assert_int_equal(parse(&c, "a,serial=12345678901234567890"), 0);
	assert_int_equal(parse(&c, "a,serial=123456789012345678901"), -1);
	assert_non_null(strstr(error.text, "longer than 20"));
}

/* ---- a file ---------------------------------------------------------------- */

static struct vm_clock vm_clock;
static struct loop loop;
static int fd;
static struct block *disk;
static unsigned int left;

static int setup(void **state)
{
	char path[64];
	struct block_config config = { .path = path, .serial = "one" };

	fd = memfd_create("disk", 0);
	assert_int_equal(ftruncate(fd, 4ll << 30), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	vm_clock_init(&vm_clock, 0);
	assert_int_equal(loop_init(&loop, &vm_clock), 0);
	disk = block_open(&config, &error);
	assert_non_null(disk);
	assert_string_equal(disk->serial, "one");
	assert_int_equal(disk->ops->start(disk, &loop, &error), 0);
	return 0;
}

static int teardown(void **state)
{
	disk->ops->close(disk);
	loop_destroy(&loop);
	close(fd);
	return 0;
}

static void done(struct block_request *request)
{
	left--;
}

static void submit(struct block_request *r, enum block_op op, uint64_t at,
		   uint64_t len)
{
	*r = (struct block_request){ .op = op, .at = at, .len = len,
				     .done = done, .result = 1 };
	left++;
	disk->ops->submit(disk, r);
}

/* Half a write of zeroes is none, and the request says so */
static void cancelled_zeroes(void **state)
{
	struct block_request zeroes, behind;
	struct stat st;

	pthread_mutex_lock(&loop.lock);
	/* tmpfs has no such operation: all of it is written */
	submit(&zeroes, BLOCK_ZERO, 0, 4ull << 30);
	submit(&behind, BLOCK_FLUSH, 0, 0);
	do {
		assert_int_equal(fstat(fd, &st), 0);
	} while (!st.st_blocks);
	disk->ops->cancel(disk);
	assert_int_equal(left, 0);
	assert_int_equal(zeroes.result, -ECANCELED);
	assert_int_equal(behind.result, -ECANCELED);
	submit(&behind, BLOCK_FLUSH, 0, 0);
	disk->ops->drain(disk);
	assert_int_equal(behind.result, 0);
	pthread_mutex_unlock(&loop.lock);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options), TEST(cancelled_zeroes),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
