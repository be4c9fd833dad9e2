// SPDX-License-Identifier: GPL-2.0
/* What is left of an overlay by a process that is killed, and by a power cut. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "tests/overlay_disk.h"

#define HISTORY 32

/* What a sector may have: what was flushed last, or anything later */
static struct { uint32_t value[HISTORY]; unsigned int nr; } allowed[SECTORS];

static void allow(unsigned int sector, uint32_t value)
{
	assert_true(allowed[sector].nr < HISTORY);
	allowed[sector].value[allowed[sector].nr++] = value;
}

static void flushed(void)
{
	unsigned int i;

	for (i = 0; i < SECTORS; i++) {
		allowed[i].value[0] = allowed[i].value[allowed[i].nr - 1];
		allowed[i].nr = 1;
	}
}

static void start_history(void)
{
	unsigned int i;

	for (i = 0; i < SECTORS; i++) {
		allowed[i].nr = 0;
		allow(i, base_stamp(i));
	}
}

static void assert_allowed(void)
{
	unsigned int i, j;

	assert_int_equal(request(BLOCK_READ, 0, SECTORS, arena), 0);
	for (i = 0; i < SECTORS; i++) {
		uint32_t stamp = stamp_of(arena + i * SECTOR);

		for (j = 0; j < allowed[i].nr; j++)
			if (allowed[i].value[j] == stamp)
				break;
		if (j == allowed[i].nr)
			print_message("sector %u has %x, and should have %x\n",
				      i, stamp, allowed[i].value[0]);
		assert_true(j < allowed[i].nr);
	}
}

/* The same in both processes, by the numbers alone */
static void next_write(uint32_t stamp, unsigned int *sector,
		       unsigned int *count)
{
	random_state = stamp * 2654435761u;
	next_random();
	*sector = next_random() % (SECTORS - 24);
	*count = 1 + next_random() % 24;
}

/* Writes, and says how far it is: what was begun, and what is flushed */
static void write_until_killed(uint32_t first, volatile uint32_t *begun,
			       volatile uint32_t *stable)
{
	static uint8_t bytes[24 * SECTOR];
	uint32_t stamp;

	loop_init(&loop, &vm_clock);
	open_disk();
	for (stamp = first;; stamp++) {
		unsigned int sector, count, i;

		next_write(stamp, &sector, &count);
		for (i = 0; i < count; i++)
			fill(bytes + i * SECTOR, stamp);
		*begun = stamp;
		request(BLOCK_WRITE, sector, count, bytes);
		if (stamp % 5)
			continue;
		request(BLOCK_FLUSH, 0, 0, NULL);
		*stable = stamp;
	}
}

static void killed(void **state)
{
	uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t next = 1, stamp;
	unsigned int round, sector, count, i;

	start_history();
	for (round = 0; round < 40; round++) {
		pid_t pid;

		shared[0] = shared[1] = next - 1;
		pid = fork();
		if (!pid)
			write_until_killed(next, &shared[0], &shared[1]);
		while (shared[1] == next - 1)
			usleep(100);
		usleep(round * 137 % 3000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		for (stamp = next; stamp <= shared[0]; stamp++) {
			next_write(stamp, &sector, &count);
			for (i = sector; i < sector + count; i++)
				allow(i, stamp);
			if (stamp == shared[1])
				flushed();
		}
		open_disk();
		assert_allowed();
		/* What it was then is the beginning of the next round */
		for (i = 0; i < SECTORS; i++) {
			allowed[i].value[0] = stamp_of(arena + i * SECTOR);
			allowed[i].nr = 1;
		}
		close_disk();
		next = shared[0] + 1;
	}
	munmap(shared, 4096);
	assert_base_untouched();
}

/*
 * What came to the file of changes: when it did, and since when it is stable, by a
 * clock that counts such events
 */
struct entry {
	uint64_t at, len;
	uint8_t *bytes;
	bool finished, seen;
	unsigned int begun, stable;
};

static struct recorder {
	struct block block;
	struct block *real;
	struct entry entry[4096];
	unsigned int nr, now;
} recorder;

/* When a flush was reported, and how much of allowed[] that leaves behind */
static struct { unsigned int at, from[SECTORS]; } mark[16];
static unsigned int marks;

static void set_mark(void)
{
	unsigned int i;

	assert_true(marks < 16);
	mark[marks].at = recorder.now;
	for (i = 0; i < SECTORS; i++)
		mark[marks].from[i] = allowed[i].nr - 1;
	marks++;
}

/* A request of the overlay's, on its way to the file */
struct recorded {
	struct block_request request, *from;
	struct entry *entry;
};

static void recorded_done(struct block_request *request)
{
	struct recorded *r = request->ctx;
	struct block_request *from = r->from;
	unsigned int i;

	recorder.now++;
	if (r->entry)
		r->entry->finished = true;
	for (i = 0; from->op == BLOCK_FLUSH && i < recorder.nr; i++) {
		struct entry *e = &recorder.entry[i];

		if (e->seen && !e->stable)
			e->stable = recorder.now;
	}
	from->result = request->result;
	free(r);
	from->done(from);
}

static void record(struct block *block, struct block_request *from)
{
	struct recorded *r = calloc(1, sizeof(*r));
	struct entry *e = &recorder.entry[recorder.nr];
	unsigned int i;

	assert_int_not_equal(from->op, BLOCK_DISCARD);
	r->request = *from;
	r->from = from;
	r->request.ctx = r;
	r->request.done = recorded_done;
	if (from->op != BLOCK_READ && from->op != BLOCK_FLUSH) {
		assert_true(recorder.nr++ < 4096);
		*e = (struct entry){ .at = from->at, .len = from->len,
				     .begun = ++recorder.now };
		e->bytes = calloc(1, e->len);
		for (i = 0; i < from->niov; i++) {
			memcpy(e->bytes, from->iov[i].iov_base,
			       from->iov[i].iov_len);
			e->bytes += from->iov[i].iov_len;
		}
		e->bytes -= from->niov ? e->len : 0;
		r->entry = e;
	}
	/* A flush is for what had finished when it began */
	for (i = 0; from->op == BLOCK_FLUSH && i < recorder.nr; i++)
		recorder.entry[i].seen |= recorder.entry[i].finished;
	recorder.real->ops->submit(recorder.real, &r->request);
}

static void recorder_drain(struct block *block)
{
	recorder.real->ops->drain(recorder.real);
}

static void recorder_cancel(struct block *block)
{
	recorder.real->ops->cancel(recorder.real);
}

static void recorder_close(struct block *block)
{
	recorder.real->ops->close(recorder.real);
}

static void start_recorder(void)
{
	static const struct block_ops ops = { .submit = record,
					      .drain = recorder_drain,
					      .cancel = recorder_cancel,
					      .close = recorder_close };
	struct overlay *o;

	open_disk();
	o = (struct overlay *)disk;
	recorder.block = *o->changes;
	recorder.block.ops = &ops;
	recorder.real = o->changes;
	recorder.nr = recorder.now = marks = 0;
	o->changes = &recorder.block;
}

/* What is on the disk then: all that is stable, and any of the other sectors */
static void cut_power(unsigned int when)
{
	unsigned int i;
	uint64_t at;
	int fd;

	make_changes();
	fd = open(changes, O_RDWR);
	for (i = 0; i < recorder.nr; i++) {
		struct entry *e = &recorder.entry[i];
		bool stable = e->stable && e->stable <= when;

		for (at = 0; e->begun <= when && at < e->len; at += SECTOR)
			if (stable || next_random() % 2)
				assert_int_equal(pwrite(fd, e->bytes + at,
							SECTOR, e->at + at),
						 SECTOR);
	}
	close(fd);
}

static void assert_allowed_at(unsigned int when)
{
	unsigned int m = 0, i, j;

	while (m < marks && mark[m].at <= when)
		m++;
	assert_int_equal(request(BLOCK_READ, 0, SECTORS, arena), 0);
	for (i = 0; i < SECTORS; i++) {
		uint32_t stamp = stamp_of(arena + i * SECTOR);

		for (j = m ? mark[m - 1].from[i] : 0; j < allowed[i].nr; j++)
			if (allowed[i].value[j] == stamp)
				break;
		if (j == allowed[i].nr)
			print_message("sector %u has %x at %u\n", i, stamp,
				      when);
		assert_true(j < allowed[i].nr);
	}
}

static void write_batch(uint32_t stamp)
{
	static struct use use[16];
	unsigned int i, j;

	pthread_mutex_lock(&loop.lock);
	for (i = 0; i < 16; i++) {
		struct use *u = &use[i];

		/* Disjoint, and close to each other */
		make_use(u, i * 127 + next_random() % 100,
			 1 + next_random() % 27, stamp + i);
		if (u->request.op == BLOCK_READ)
			u->request.op = BLOCK_WRITE;
		if (u->request.op == BLOCK_WRITE)
			cut(u);
		for (j = u->sector; j < u->sector + u->count; j++)
			allow(j, u->request.op == BLOCK_WRITE ? u->stamp : 0);
		submit(&u->request);
	}
	/* While these are on their way: it promises nothing of them */
	if (next_random() % 2) {
		struct block_request flush = { .op = BLOCK_FLUSH };

		submit(&flush);
		disk->ops->drain(disk);
	}
	disk->ops->drain(disk);
	pthread_mutex_unlock(&loop.lock);
}

static void marked(struct block_request *request)
{
	left--;
	assert_int_equal(request->result, 0);
	set_mark();
}

/* Two at once: none is reported before what the other one still does */
static void flush_twice(void)
{
	struct block_request flush[2];
	unsigned int i;

	pthread_mutex_lock(&loop.lock);
	for (i = 0; i < 2; i++) {
		flush[i] = (struct block_request){ .op = BLOCK_FLUSH,
						   .done = marked };
		left++;
		disk->ops->submit(disk, &flush[i]);
	}
	disk->ops->drain(disk);
	pthread_mutex_unlock(&loop.lock);
	assert_int_equal(left, 0);
}

static void use_recorder(void)
{
	unsigned int batches = 2 + next_random() % 5, i;

	make_changes();
	start_history();
	start_recorder();
	for (i = 0; i < batches; i++) {
		write_batch(1 + i * 16);
		if (next_random() % 3 == 0)
			flush_twice();
	}
	close_disk();
}

/* Each at many moments of the same work */
static void power_cut(void **state)
{
	unsigned int round, cut, i, when;

	for (round = 0; round < 40; round++) {
		random_state = round + 1;
		use_recorder();
		for (cut = 0; cut < 20; cut++) {
			when = next_random() % (recorder.now + 1);
			cut_power(when);
			open_disk();
			assert_allowed_at(when);
			close_disk();
		}
		for (i = 0; i < recorder.nr; i++)
			free(recorder.entry[i].bytes);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(killed), TEST(power_cut),
	};

	return run_group(tests, sizeof(tests) / sizeof(tests[0]));
}
