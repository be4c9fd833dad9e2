// SPDX-License-Identifier: GPL-2.0
/* What --disk says, and the raw file behind a disk, with and without io_uring. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
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
#include "block/file.h"

#define MANY	300	/* more than a ring has */
#define PIECE	8192
#include "tests/many_requests.h"
#ifdef HAVE_URING
#include <liburing.h>
#endif

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
	assert_int_equal(c.cache, CACHE_WRITEBACK);
	assert_int_equal(parse(&c, "a,cache=none"), 0);
	assert_int_equal(c.cache, CACHE_NONE);
	assert_int_equal(parse(&c, "a,cache=unsafe"), 0);
	assert_int_equal(c.cache, CACHE_UNSAFE);
	assert_int_equal(parse(&c, "a,cache=all"), -1);
	assert_non_null(strstr(error.text, "cache=all is none of writeback|none|"));
	assert_int_equal(parse(&c, "raid0:a,b,cache=none"), 0);
	assert_null(block_open(&c, &error));
	assert_non_null(strstr(error.text, "with each member"));
	assert_int_equal(parse(&c, "a,overlay=b,cache=directsync"), 0);
	assert_null(block_open(&c, &error));
	assert_non_null(strstr(error.text, "with overlay="));
	assert_int_equal(parse(&c, ",ro"), -1);
	assert_non_null(strstr(error.text, "name is missing"));
	assert_int_equal(parse(&c, "a,serial=12345678901234567890"), 0);
	assert_int_equal(parse(&c, "a,serial=123456789012345678901"), -1);
	assert_non_null(strstr(error.text, "longer than 20"));
	assert_int_equal(parse(&c, "a,serial="), -1);
	assert_non_null(strstr(error.text, "--disk a: serial= is empty"));
	assert_int_equal(parse(&c, "a,ro=off,retry=3"), 0);
	assert_false(c.read_only);
	assert_int_equal(c.retry, 3);
	assert_int_equal(parse(&c, "a,timeout=0"), -1);
	assert_int_equal(parse(&c, "a,format=q/c"), -1);
	assert_non_null(strstr(error.text, "is no name"));
	/* Names of an array's options are files elsewhere, and members here */
	assert_int_equal(parse(&c, "a,chunk=4K"), -1);
	assert_int_equal(parse(&c, "raid5:a,b,x=y,chunk=4K,spare=[d,ro],spare=e"),
			 0);
	assert_int_equal(c.members, 2);
	assert_string_equal(c.member[1], "x=y");
	assert_int_equal(c.chunk, 4096);
	assert_int_equal(c.spares, 2);
	assert_string_equal(c.spare[0], "d,ro");
	assert_int_equal(parse(&c, "raid1:a,b,chunk=0"), -1);
}

/* ---- what is opened ---------------------------------------------------------- */

static void refused_files(void **state)
{
	struct block_config c = { .path = "/nowhere/x" };
	int odd = memfd_create("odd", 0);
	struct block *once;
	char name[64];

	assert_null(file_open(&c, &error));
	assert_non_null(strstr(error.text, "--disk /nowhere/x"));
	c.path = "/tmp";
	c.read_only = true;
	assert_null(file_open(&c, &error));
	assert_non_null(strstr(error.text, "neither a file nor a block device"));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", odd);
	c.path = name;
	assert_null(file_open(&c, &error));
	assert_non_null(strstr(error.text, "is it a raw image"));
	assert_int_equal(ftruncate(odd, 1000), 0);
	assert_null(file_open(&c, &error));
	assert_int_equal(ftruncate(odd, 1024), 0);
	once = file_open(&c, &error);
	assert_non_null(once);
	c.read_only = false;
	assert_null(file_open(&c, &error));
	assert_non_null(strstr(error.text, "is in use by another"));
	once->ops->close(once);
	close(odd);
}

/* Nobody writes to it, and nobody is waited for */
static void a_fifo(void **state)
{
	char path[64];
	struct block_config c = { .path = path, .read_only = true };

	snprintf(path, sizeof(path), "/tmp/mvmm-fifo.%d", getpid());
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(block_open(&c, &error));
	assert_non_null(strstr(error.text, "neither a file"));
	unlink(path);
}

/* ---- a ring as the test wants it -------------------------------------------- */

/*
 * The host has none; what the next completions of a kind say; how often it
 * was entered; how many fdatasyncs have ended */
static bool refused;
static int fail_transfer, fail_sync;
static bool cut_short;
static unsigned int entered, syncs;

#ifdef HAVE_URING
int io_uring_queue_init(unsigned int entries, struct io_uring *ring,
			unsigned int flags)
{
	int (*real)(unsigned int, struct io_uring *, unsigned int) =
		(typeof(real))dlsym(RTLD_NEXT, "io_uring_queue_init");

	return refused ? -ENOSYS : real(entries, ring, flags);
}

static void play(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	unsigned int head;

	io_uring_for_each_cqe(ring, head, cqe) {
		/* Only the fdatasync moves no bytes */
		int *fail = cqe->res ? &fail_transfer : &fail_sync;

		syncs += !cqe->res;
		if (*fail)
			cqe->res = *fail;
		else if (cut_short && cqe->res > 512)
			cqe->res = cqe->res / 2 & ~511;
		*fail = 0;
	}
}

int io_uring_submit(struct io_uring *ring)
{
	int (*real)(struct io_uring *) =
		(typeof(real))dlsym(RTLD_NEXT, "io_uring_submit");
	int ret = real(ring);

	entered++;
	/* What is in the cache is there already */
	if (cut_short || fail_transfer)
		play(ring);
	return ret;
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned int nr)
{
	int (*real)(struct io_uring *, unsigned int) =
		(typeof(real))dlsym(RTLD_NEXT, "io_uring_submit_and_wait");
	int ret = real(ring, nr);

	play(ring);
	return ret;
}
#endif

/* ---- a file ---------------------------------------------------------------- */

static struct vm_clock vm_clock;
static struct loop loop;
static int fd;
static struct block *disk;

/* A file on a disk, where tmpfs has no O_DIRECT. It has no name afterwards */
static int file_on_disk(void)
{
	int file = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);

	assert_true(file >= 0);
	return file;
}

/* @state: "thread" or "ring", then maybe a space and cache= */
static int setup(void **state)
{
	char path[64], words[100];
	struct block_config config;
	const char *cache = strchr(*state, ' ');

	refused = !strncmp(*state, "thread", 6);
	fail_transfer = fail_sync = left = 0;
	cut_short = false;
	fd = cache ? file_on_disk() : memfd_create("disk", 0);
	assert_int_equal(ftruncate(fd, 4ll << 30), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(words, sizeof(words), "%s,serial=one,cache=%s", path,
		 cache ? cache + 1 : "writeback");
	assert_int_equal(block_parse(&config, words, &error), 0);
	vm_clock_init(&vm_clock, 0);
	assert_int_equal(loop_init(&loop, &vm_clock), 0);
	disk = block_open(&config, &error);
	if (!disk)
		print_message("%s\n", error.text);
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

static bool has_ring(void)
{
	return ((struct file *)disk)->ring;
}

/* Otherwise the tests of a ring say nothing about it */
static bool needs_ring(void)
{
	if (has_ring())
		return true;
	print_message("this host grants no io_uring, or there is no liburing-dev\n");
	return false;
}

static void the_right_one(void **state)
{
	if (!strcmp(*state, "thread"))
		assert_false(has_ring());
	else
		needs_ring();
}


static struct iovec iov[MANY][3];

/* Buffers in three parts. @plug: in one go */
static void submit_all(enum block_op op, bool plug)
{
	unsigned int i;

	if (plug)
		block_plug(disk, true);
	for (i = 0; i < MANY; i++) {
		iov[i][0] = (struct iovec){ data[i], 100 };
		iov[i][1] = (struct iovec){ data[i] + 100, 4000 };
		iov[i][2] = (struct iovec){ data[i] + 4100, PIECE - 4100 };
		many[i] = (struct block_request){
			.op = op, .at = (uint64_t)i * PIECE, .len = PIECE,
			.iov = iov[i], .niov = 3, .stable = i % 7 == 0,
			.done = done, .result = 1 };
		left++;
		disk->ops->submit(disk, &many[i]);
	}
	if (plug)
		block_plug(disk, false);
}

static void lock(void)
{
	pthread_mutex_lock(&loop.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&loop.lock);
}

static void write_and_read(unsigned int seed, bool plug)
{
	lock();
	fill(seed);
	submit_all(BLOCK_WRITE, plug);
	disk->ops->drain(disk);
	assert_filled(seed);
	fill(0);
	submit_all(BLOCK_READ, plug);
	disk->ops->drain(disk);
	assert_filled(seed);
	unlock();
}

static void many_at_once(void **state)
{
	write_and_read(1, false);
	entered = 0;
	write_and_read(2, true);
	/* One or two for each time that all slots are full, not one for each */
	assert_in_range(entered, 0, 20);
}

static bool all_done(void *ctx)
{
	return !left;
}

static void by_the_loop(void **state)
{
	lock();
	fill(3);
	submit_all(BLOCK_WRITE, false);
	unlock();
	loop_run(&loop, all_done, NULL);
	fill(0);
	lock();
	submit_all(BLOCK_READ, true);
	unlock();
	loop_run(&loop, all_done, NULL);
	assert_filled(3);
}

/* A hole that is stable: the thread's, then the ring's */
static void holes(void **state)
{
	struct block_request r[3];

	write_and_read(4, true);
	lock();
	submit(&r[0], BLOCK_DISCARD, 0, PIECE);
	r[1] = (struct block_request){ .op = BLOCK_UNMAP, .at = PIECE,
				       .len = PIECE, .stable = true,
				       .done = done, .result = 1 };
	left++;
	disk->ops->submit(disk, &r[1]);
	submit(&r[2], BLOCK_FLUSH, 0, 0);
	disk->ops->drain(disk);
	assert_int_equal(left, 0);
	assert_int_equal(r[0].result | r[1].result | r[2].result, 0);
	submit_all(BLOCK_READ, true);
	disk->ops->drain(disk);
	unlock();
	assert_int_equal(data[0][0] | data[1][PIECE - 1], 0);
	assert_int_equal(data[2][0], 6);
}

/* Behind the end of a file that was cut short */
static void cut(void **state)
{
	write_and_read(5, true);
	assert_int_equal(ftruncate(fd, PIECE + 512), 0);
	lock();
	submit_all(BLOCK_READ, true);
	disk->ops->drain(disk);
	unlock();
	assert_int_equal(many[0].result, 0);
	assert_int_equal(many[1].result, -EIO);
	assert_int_equal(many[MANY - 1].result, -EIO);
}

/* More than one system call moves */
static void huge(void **state)
{
	uint64_t size = 40u << 20;
	uint8_t *bytes = malloc(size);
	struct iovec part = { bytes, size };
	struct block_request r = { .op = BLOCK_WRITE, .at = 512, .len = size,
				   .iov = &part, .niov = 1, .done = done };

	memset(bytes, 7, size);
	lock();
	left++;
	disk->ops->submit(disk, &r);
	disk->ops->drain(disk);
	unlock();
	assert_int_equal(left | r.result, 0);
	memset(bytes, 0, size);
	assert_int_equal(pread(fd, bytes, size, 512), size);
	assert_int_equal(bytes[0], 7);
	assert_memory_equal(bytes, bytes + 1, size - 1);
	free(bytes);
}

/* What a ring completes in part is continued, what it gives back is repeated */
static void short_completions(void **state)
{
	if (!needs_ring())
		return;
	cut_short = true;
	write_and_read(6, true);
	write_and_read(7, false);
	fail_transfer = -EINTR;
	write_and_read(8, true);
	fail_transfer = -ECANCELED;
	write_and_read(9, true);
}

static void failed_completions(void **state)
{
	struct block_request r;
	unsigned int i, failed = 0;

	if (!needs_ring())
		return;
	lock();
	fill(1);
	fail_transfer = -ENOSPC;
	submit_all(BLOCK_WRITE, true);
	disk->ops->drain(disk);
	for (i = 0; i < MANY; i++) {
		failed += many[i].result == -ENOSPC;
		assert_true(!many[i].result || many[i].result == -ENOSPC);
	}
	assert_int_equal(failed, 1);
	/* Of a flush it is kept, of a transfer not */
	fail_sync = -EINTR;
	submit(&r, BLOCK_FLUSH, 0, 0);
	disk->ops->drain(disk);
	assert_int_equal(r.result, 0);
	fail_sync = -EIO;
	submit(&r, BLOCK_FLUSH, 0, 0);
	disk->ops->drain(disk);
	assert_int_equal(r.result, -EIO);
	submit(&r, BLOCK_FLUSH, 0, 0);
	disk->ops->drain(disk);
	assert_int_equal(r.result, -EIO);
	unlock();
}

/* Who cancels gets all back, done or not, and the disk works on */
static void cancelled(void **state)
{
	unsigned int i;

	lock();
	fill(2);
	submit_all(BLOCK_WRITE, false);
	disk->ops->cancel(disk);
	assert_int_equal(left, 0);
	for (i = 0; i < MANY; i++)
		assert_true(!many[i].result || many[i].result == -ECANCELED);
	unlock();
	write_and_read(3, true);
}

/* Buffers as O_DIRECT takes them, and those that it does not */
static void direct(void **state)
{
	static uint8_t bytes[3u << 20] __attribute__((aligned(4096)));
	struct iovec part = { bytes, 1u << 20 };
	struct block_request r = { .op = BLOCK_WRITE, .len = 1u << 20,
				   .iov = &part, .niov = 1, .done = done };

	assert_true(fcntl(((struct file *)disk)->fd, F_GETFL) & O_DIRECT);
	write_and_read(1, true);
	write_and_read(2, false);
	memset(bytes, 5, sizeof(bytes));
	lock();
	left++;
	disk->ops->submit(disk, &r);
	disk->ops->drain(disk);
	assert_int_equal(left | r.result, 0);
	/* More than the bounce buffer, and zeroes that are written */
	part = (struct iovec){ bytes + 1, (2u << 20) + 512 };
	r = (struct block_request){ .op = BLOCK_WRITE, .at = 1u << 20,
				    .len = part.iov_len, .iov = &part,
				    .niov = 1, .stable = true, .done = done };
	left++;
	disk->ops->submit(disk, &r);
	submit(&many[0], BLOCK_ZERO, 512, 1024);
	disk->ops->drain(disk);
	unlock();
	assert_int_equal(left | r.result | many[0].result, 0);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(bytes[0] & bytes[511] & bytes[1536], 5);
	assert_int_equal(bytes[512] | bytes[1535], 0);
	assert_memory_equal(bytes + 1536, bytes + 1537, sizeof(bytes) - 1537);
}

/* Each write is flushed, or nothing is */
static void cache_flushes(void **state)
{
	bool unsafe = strstr(*state, "unsafe");
	struct block_request r;

	if (!needs_ring())
		return;
	write_and_read(1, true);
	syncs = 0;
	lock();
	submit(&r, BLOCK_ZERO, 0, 4096);
	disk->ops->drain(disk);
	assert_int_equal(syncs, !unsafe);
	submit(&r, BLOCK_FLUSH, 0, 0);
	disk->ops->drain(disk);
	unlock();
	assert_int_equal(left | r.result, 0);
	assert_int_equal(syncs, unsafe ? 0 : 2);
}

/* Not one for each, but all that were there when it began */
static void flushes_together(void **state)
{
	struct block_request r[20];
	unsigned int i;

	if (!needs_ring())
		return;
	syncs = 0;
	lock();
	for (i = 0; i < 20; i++)
		submit(&r[i], BLOCK_FLUSH, 0, 0);
	disk->ops->drain(disk);
	assert_int_equal(left, 0);
	assert_int_equal(syncs, 2);
	/* A stable write has one */
	submit_all(BLOCK_WRITE, true);
	disk->ops->drain(disk);
	unlock();
	assert_in_range(syncs, 3, 2 + MANY / 7 + 1);
}

static struct block_request again;

static void submit_again(struct block_request *r)
{
	submit(&again, BLOCK_FLUSH, 0, 0);
	disk->ops->drain(disk);
	left--;
}

/* A request that is reported may submit another, and wait for it */
static void drained_when_done(void **state)
{
	struct block_request r[2] = {
		{ .op = BLOCK_FLUSH, .done = submit_again },
		{ .op = BLOCK_FLUSH, .done = done } };

	lock();
	left += 2;
	disk->ops->submit(disk, &r[0]);
	disk->ops->submit(disk, &r[1]);
	disk->ops->drain(disk);
	disk->ops->drain(disk);
	unlock();
	assert_int_equal(left, 0);
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
	/* A ring does not wait for what is before it */
	assert_true(behind.result == -ECANCELED || (has_ring() &&
						    !behind.result));
	submit(&behind, BLOCK_FLUSH, 0, 0);
	disk->ops->drain(disk);
	assert_int_equal(behind.result, 0);
	pthread_mutex_unlock(&loop.lock);
}

int main(void)
{
#define TEST(name, engine) \
	{ #name " by the " engine, name, setup, teardown, engine }
#define BOTH(name) TEST(name, "thread"), TEST(name, "ring")
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options), cmocka_unit_test(refused_files),
		cmocka_unit_test(a_fifo),
		BOTH(the_right_one), BOTH(many_at_once), BOTH(by_the_loop),
		BOTH(holes), BOTH(cut), BOTH(huge), BOTH(cancelled),
		BOTH(cancelled_zeroes), BOTH(drained_when_done),
		TEST(short_completions, "ring"),
		TEST(failed_completions, "ring"),
		TEST(flushes_together, "ring"),
		TEST(direct, "thread none"), TEST(direct, "ring none"),
		TEST(direct, "ring directsync"),
		TEST(many_at_once, "thread writethrough"),
		TEST(cache_flushes, "ring writethrough"),
		TEST(cache_flushes, "ring unsafe"),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
