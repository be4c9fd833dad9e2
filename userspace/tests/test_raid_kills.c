// SPDX-License-Identifier: GPL-2.0
/*
 * An array on files, whose process is killed at random moments, over and over: what
 * it had acknowledged is there, and no row is wrong. MVMM_TEST_LONG=1: 1,000 times
 * in all.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "block/file.h"
#include "have.h"

#ifdef HAVE_RAID
#include "block/raid/create.h"
#include "block/raid/raid.h"

#define MEMBERS	4
#define CHUNK	8192u
#define BLOCK	4096u
#define BLOCKS	192u	/* of which the array has more */
#define MANY	8u	/* in flight */
#define ROUNDS	6u
#define LONG	250u

static struct error error;
static struct vm_clock vm_clock;
static struct loop loop;
static struct block *disk;
static char path[MEMBERS][64];

/* What the child says: block N is about to have that number, or has it */
struct said {
	uint32_t block, number;
	bool done;
};

static uint32_t issued[BLOCKS], acked[BLOCKS];

static void make_array(enum md_policy policy, unsigned int level)
{
	struct raid_new new = {
		.layout = { .level = level, .layout = level == 10 ?
			    RAID10_LAYOUT(2, 1, 0) : RAID_LEFT_SYMMETRIC,
			    .chunk = CHUNK },
		.policy = policy, .clean = true, .name = "kills" };
	const char *name[MEMBERS];
	struct block *member[MEMBERS];
	unsigned int i;
	int fd, ret;

	for (i = 0; i < MEMBERS; i++) {
		struct block_config config = { .path = path[i] };

		strcpy(path[i], "/tmp/mvmm-kills.XXXXXX");
		fd = mkstemp(path[i]);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, 3 << 20), 0);
		close(fd);
		member[i] = file_open(&config, &error);
		assert_non_null(member[i]);
		assert_int_equal(member[i]->ops->start(member[i], &loop, &error),
				 0);
		name[i] = path[i];
	}
	pthread_mutex_lock(&loop.lock);
	ret = raid_format(&new, member, name, MEMBERS, &error);
	pthread_mutex_unlock(&loop.lock);
	assert_int_equal(ret, 0);
	for (i = 0; i < MEMBERS; i++)
		member[i]->ops->close(member[i]);
	memset(issued, 0, sizeof(issued));
	memset(acked, 0, sizeof(acked));
}

/* 0, or -1 with error */
static int open_array(unsigned int level)
{
	struct block_config config = { .is_raid = true, .level = level,
				       .members = MEMBERS - 1,
				       .path = path[0] };
	unsigned int i;

	for (i = 1; i < MEMBERS; i++)
		config.member[i - 1] = path[i];
	disk = raid_open(&config, &error);
	return disk ? disk->ops->start(disk, &loop, &error) : -1;
}

/* ---- the one that is killed ------------------------------------------------------- */

static int says;
static unsigned int left;
static struct block_request request[MANY];
static uint32_t data[MANY][BLOCK / 4] __attribute__((aligned(4096)));
static struct iovec iov[MANY];

static void say(unsigned int i, bool done)
{
	const struct said s = { request[i].at / BLOCK, data[i][0], done };

	if (write(says, &s, sizeof(s)) != sizeof(s))
		_exit(1);
}

static void on_done(struct block_request *r)
{
	if (r->result)
		_exit(2);
	say(r - request, true);
	left--;
}

static bool all_done(void *ctx)
{
	return !left;
}

static void child(unsigned int level, uint32_t number)
{
	unsigned int seed = number, i, j, block;

	if (open_array(level))
		_exit(3);
	for (;;) {
		pthread_mutex_lock(&loop.lock);
		for (i = 0; i < MANY; i++) {
			/* Each of another part, so that no two are the same */
			block = i * (BLOCKS / MANY) +
				rand_r(&seed) % (BLOCKS / MANY);
			number++;
			for (j = 0; j < BLOCK / 4; j++)
				data[i][j] = number;
			iov[i] = (struct iovec){ data[i], BLOCK };
			request[i] = (struct block_request){
				.op = BLOCK_WRITE, .at = (uint64_t)block * BLOCK,
				.len = BLOCK, .iov = &iov[i], .niov = 1,
				.done = on_done, .result = 1 };
			left++;
			say(i, false);
			disk->ops->submit(disk, &request[i]);
		}
		pthread_mutex_unlock(&loop.lock);
		loop_run(&loop, all_done, NULL);
	}
}

/* ---- who looks afterwards ------------------------------------------------------------ */

static bool in_sync(void *ctx)
{
	return ((struct raid *)disk)->synced == MD_ALL;
}

static void check_blocks(void)
{
	static uint32_t bytes[BLOCK / 4] __attribute__((aligned(4096)));
	unsigned int block, i;

	for (block = 0; block < BLOCKS; block++) {
		assert_int_equal(block_do(disk, BLOCK_READ,
					  (uint64_t)block * BLOCK, bytes, BLOCK),
				 0);
		for (i = 1; i < BLOCK / 4; i++)
			if (bytes[i] != bytes[0])
				break;
		/* What was not acknowledged may be there in part, sector by sector */
		if (issued[block] == acked[block]) {
			assert_int_equal(i, BLOCK / 4);
			assert_int_equal(bytes[0], acked[block]);
		}
		for (i = 0; i < BLOCK / 4; i++)
			assert_true(bytes[i] == acked[block] ||
				    bytes[i] == issued[block]);
		for (i = 0; i < BLOCK / 4; i++)
			bytes[i] = issued[block];
		assert_int_equal(block_do(disk, BLOCK_WRITE,
					  (uint64_t)block * BLOCK, bytes, BLOCK),
				 0);
		acked[block] = issued[block];
	}
}

/* Of rows with parity the sum is zero; of RAID 10 here pairs are the same */
static void check_members(unsigned int level)
{
	static uint8_t row[MEMBERS][CHUNK];
	uint64_t at, end = MD_DATA_AT + BLOCKS * BLOCK;
	FILE *file[MEMBERS];
	unsigned int i, j;

	for (i = 0; i < MEMBERS; i++)
		file[i] = fopen(path[i], "r");
	for (at = MD_DATA_AT; at < end; at += CHUNK) {
		for (i = 0; i < MEMBERS; i++) {
			fseek(file[i], at, SEEK_SET);
			assert_int_equal(fread(row[i], 1, CHUNK, file[i]),
					 CHUNK);
		}
		for (j = 0; j < CHUNK; j++)
			if (level == 10)
				assert_true(row[0][j] == row[1][j] &&
					    row[2][j] == row[3][j]);
			else
				assert_int_equal(row[0][j] ^ row[1][j] ^
						 row[2][j] ^ row[3][j], 0);
	}
	for (i = 0; i < MEMBERS; i++)
		fclose(file[i]);
}

/* The child's words, until @us are over; then it is dead, and so are its words */
static void kill_child(pid_t pid, int fd, unsigned int us)
{
	struct said s;
	int status;

	/* It works as soon as it speaks */
	assert_int_equal(read(fd, &s, sizeof(s)), sizeof(s));
	issued[s.block] = s.number;
	usleep(us);
	kill(pid, SIGKILL);
	while (read(fd, &s, sizeof(s)) == sizeof(s)) {
		if (s.done)
			acked[s.block] = s.number;
		else
			issued[s.block] = s.number;
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void round_of(unsigned int level, unsigned int round)
{
	int fds[2];
	pid_t pid;

	/* What fits into the pipe the child says without waiting for us */
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		says = fds[1];
		alarm(60);
		child(level, (round + 1) << 16);
	}
	close(fds[1]);
	kill_child(pid, fds[0], round * 7919 % 20000);
	close(fds[0]);
	assert_int_equal(open_array(level), 0);
	loop_run(&loop, in_sync, NULL);
	check_blocks();
	disk->ops->close(disk);
	check_members(level);
}

static void kills(unsigned int level, enum md_policy policy)
{
	unsigned int rounds = getenv("MVMM_TEST_LONG") ? LONG : ROUNDS, i;

	vm_clock_init(&vm_clock, 0);
	vm_clock_start(&vm_clock);
	assert_int_equal(loop_init(&loop, &vm_clock), 0);
	make_array(policy, level);
	for (i = 0; i < rounds; i++)
		round_of(level, i);
	for (i = 0; i < MEMBERS; i++)
		unlink(path[i]);
	loop_destroy(&loop);
}

static void parity_by_resync(void **state)
{
	kills(5, MD_RESYNC);
}

static void parity_by_bitmap(void **state)
{
	kills(5, MD_BITMAP);
}

static void parity_by_log(void **state)
{
	kills(5, MD_PPL);
}

static void copies(void **state)
{
	kills(10, MD_BITMAP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parity_by_resync),
		cmocka_unit_test(parity_by_bitmap),
		cmocka_unit_test(parity_by_log), cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("1..0 # SKIP built without libisal");
	return 0;
}
#endif
