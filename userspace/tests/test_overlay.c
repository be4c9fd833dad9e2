// SPDX-License-Identifier: GPL-2.0
/* Overlays: what is read back, what a file may say, and the ways to open one. */
#define _GNU_SOURCE
#include <errno.h>
#include "tests/overlay_disk.h"

#define BATCH	48

/* ---- many requests at once ---------------------------------------------------- */

static uint32_t model[SECTORS];

static void check_use(const struct use *u)
{
	unsigned int i;

	assert_int_equal(u->request.result, 0);
	for (i = u->sector; i < u->sector + u->count; i++) {
		if (u->request.op == BLOCK_READ)
			assert_int_equal(stamp_of(arena + i * SECTOR),
					 model[i]);
		else
			model[i] = u->request.op == BLOCK_WRITE ? u->stamp : 0;
	}
}

/* Next to each other, in the same clusters, and all in flight together */
static void use_all(uint32_t stamp)
{
	static struct use use[SECTORS];
	unsigned int n = 0, i, sector = next_random() % 8;

	pthread_mutex_lock(&loop.lock);
	while (sector < SECTORS) {
		unsigned int count = next_random() % 4 ?
				     1 + next_random() % 12 :
				     1 + next_random() % 100;

		if (count > SECTORS - sector)
			count = SECTORS - sector;
		make_use(&use[n], sector, count, stamp + n);
		n++;
		sector += count + next_random() % 3 * (next_random() % 20);
	}
	/* 7919 is a prime: each is met once */
	for (i = 0; i < n; i++)
		submit(&use[(i * 7919) % n].request);
	disk->ops->drain(disk);
	pthread_mutex_unlock(&loop.lock);
	assert_int_equal(left, 0);
	for (i = 0; i < n; i++)
		check_use(&use[i]);
}

static void assert_model(void)
{
	unsigned int i;

	assert_int_equal(request(BLOCK_READ, 0, SECTORS, arena), 0);
	for (i = 0; i < SECTORS; i++)
		assert_int_equal(stamp_of(arena + i * SECTOR), model[i]);
}

static void start_model(void)
{
	unsigned int i;

	for (i = 0; i < SECTORS; i++)
		model[i] = base_stamp(i);
}

static void random_use(void **state)
{
	unsigned int round;

	start_model();
	open_disk();
	for (round = 0; round < 60; round++) {
		use_all(round * SECTORS + 1);
		if (round % 10 == 9) {
			/* Closed, it has all, flushed or not */
			close_disk();
			open_disk();
		}
	}
	assert_model();
	assert_base_untouched();
}

static bool all_done(void *ctx)
{
	return !left;
}

/* What ends at once is still reported by the loop, not by submit() */
static void by_the_loop(void **state)
{
	uint8_t bytes[SECTOR];
	struct iovec iov = { bytes, SECTOR };
	struct block_request r = { .op = BLOCK_ZERO, .len = SIZE };

	open_disk();
	pthread_mutex_lock(&loop.lock);
	submit(&r);
	assert_int_equal(left, 1);
	pthread_mutex_unlock(&loop.lock);
	loop_run(&loop, all_done, NULL);
	r = (struct block_request){ .op = BLOCK_READ, .len = SECTOR,
				    .iov = &iov, .niov = 1 };
	pthread_mutex_lock(&loop.lock);
	submit(&r);
	assert_int_equal(left, 1);
	pthread_mutex_unlock(&loop.lock);
	loop_run(&loop, all_done, NULL);
	assert_int_equal(r.result, 0);
	assert_int_equal(stamp_of(bytes), 0);
}

static void cancelled(void **state)
{
	static struct use use[BATCH];
	unsigned int round, i, not_done = 0;

	open_disk();
	for (round = 0; round < 40; round++) {
		pthread_mutex_lock(&loop.lock);
		for (i = 0; i < BATCH; i++) {
			make_use(&use[i], i * 40 + round, 35, i);
			submit(&use[i].request);
		}
		if (round % 2)
			usleep(round * 30);
		disk->ops->cancel(disk);
		assert_int_equal(left, 0);
		for (i = 0; i < BATCH; i++) {
			assert_true(!use[i].request.result ||
				    use[i].request.result == -ECANCELED);
			not_done += !!use[i].request.result;
		}
		pthread_mutex_unlock(&loop.lock);
	}
	assert_true(not_done);
	/* And it works on */
	start_model();
	assert_int_equal(request(BLOCK_ZERO, 0, SECTORS, NULL), 0);
	memset(model, 0, sizeof(model));
	use_all(1000);
	assert_model();
	assert_base_untouched();
}

/* ---- files that are not what they should be ------------------------------------ */

static void damage(unsigned int at, uint8_t value)
{
	int fd = open(changes, O_WRONLY);

	make_changes();
	assert_int_equal(pwrite(fd, &value, 1, at), 1);
	close(fd);
}

static void assert_refused(const char *why)
{
	struct block_config config = { .path = base, .overlay = changes };

	assert_int_equal(try_disk(&config), -1);
	if (!strstr(error.text, why))
		print_message("%s\n", error.text);
	assert_non_null(strstr(error.text, why));
}

static void damaged(void **state)
{
	struct overlay_format f;
	int fd;

	damage(0, 'x');
	assert_refused("is no overlay");
	damage(8, 2);
	assert_refused("of version 2");
	damage(12, 8);
	assert_refused("is damaged");
	damage(12, 64);
	assert_refused("is damaged");
	damage(16, 1);
	assert_refused("is damaged");
	damage(23, 0x7f);
	assert_refused("is damaged");
	damage(24, 1);
	assert_refused("does not know");
	damage(OVERLAY_MAP_AT + 7, 3);
	assert_refused("mean nothing");
	/* Behind the last cluster */
	damage(OVERLAY_MAP_AT + 255, 1);
	assert_refused("mean nothing");
	make_changes();
	fd = open(changes, O_RDWR);
	assert_int_equal(overlay_read(fd, changes, &f, &error), 0);
	assert_int_equal(ftruncate(fd, overlay_length(&f) - SECTOR), 0);
	overlay_free(&f);
	assert_refused("cut short");
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_refused("100 bytes");
	close(fd);
	make_changes();
	assert_int_equal(truncate(base, SIZE - SECTOR), 0);
	assert_refused("is for a disk of");
}

static void in_use(void **state)
{
	struct block *first;

	open_disk();
	first = disk;
	assert_refused("in use");
	disk = first;
}

/* ---- the other ways to open one -------------------------------------------------- */

static void made(void **state)
{
	struct block_config config = { .path = base, .overlay = changes,
				       .read_only = true };
	uint8_t bytes[SECTOR];

	unlink(changes);
	assert_int_equal(try_disk(&config), -1);
	assert_int_not_equal(access(changes, F_OK), 0);
	open_disk();
	fill(bytes, 5);
	assert_int_equal(request(BLOCK_WRITE, 3, 1, bytes), 0);
	close_disk();
	assert_int_equal(try_disk(&config), 0);
	assert_true(disk->read_only);
	assert_int_equal(request(BLOCK_READ, 3, 1, bytes), 0);
	assert_int_equal(stamp_of(bytes), 5);
	assert_int_equal(request(BLOCK_READ, 4, 1, bytes), 0);
	assert_int_equal(stamp_of(bytes), base_stamp(4));
}

/* Over the base, and over an overlay, which stays as it is, too */
static void ephemeral(void **state)
{
	struct block_config config = { .path = base, .overlay = changes,
				       .ephemeral = true };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		start_model();
		assert_int_equal(try_disk(&config), 0);
		use_all(1);
		assert_int_equal(request(BLOCK_FLUSH, 0, 0, NULL), 0);
		assert_model();
		close_disk();
		config.overlay = NULL;
	}
	start_model();
	open_disk();
	assert_model();
	assert_base_untouched();
}

static void committed(void **state)
{
	struct block_config config = { .path = base, .overlay = changes,
				       .commit = true };
	uint8_t bytes[SECTOR];
	unsigned int i;
	int fd;

	start_model();
	open_disk();
	use_all(1);
	use_all(SECTORS);
	close_disk();
	assert_int_equal(try_disk(&config), 0);
	assert_int_equal(overlay_commit(disk, &error), 0);
	assert_model();
	close_disk();
	fd = open(base, O_RDONLY);
	for (i = 0; i < SECTORS; i++) {
		assert_int_equal(read(fd, bytes, SECTOR), SECTOR);
		assert_int_equal(stamp_of(bytes), model[i]);
	}
	close(fd);
	/* Nothing is left in the overlay: it takes hardly any space */
	open_disk();
	assert_model();
	use_all(3 * SECTORS);
	assert_model();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(random_use), TEST(by_the_loop), TEST(cancelled),
		TEST(damaged), TEST(in_use), TEST(made), TEST(ephemeral),
		TEST(committed),
	};

	return run_group(tests, sizeof(tests) / sizeof(tests[0]));
}
