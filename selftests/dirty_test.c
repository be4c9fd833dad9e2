// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: exactly the pages that the guest wrote to, whatever the host
 * does with them in between. The guest keeps a log of its own, in memory that
 * is not logged.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define HUGE	(2ul << 20)
#define SIZE	(2 * HUGE)
#define PAGES	(SIZE / 4096)
#define WORDS	(PAGES / 64)
/* Guest-physical: the logged memory; the guest's own log is at DATA */
#define LOGGED	VOID

FIXTURE(dirty) {
	struct vm vm;
	char *map;
	char *p;
	char *model;
	uint64_t shadow[WORDS];
	bool exact;	/* the CPU keeps D bits, so only writes count as writes */
};

enum backing { SMALL, LARGE, SHARED };

FIXTURE_VARIANT(dirty) {
	enum backing backing;
};

FIXTURE_VARIANT_ADD(dirty, small) {
	.backing = SMALL,
};

FIXTURE_VARIANT_ADD(dirty, huge) {
	.backing = LARGE,
};

FIXTURE_VARIANT_ADD(dirty, memfd) {
	.backing = SHARED,
};

FIXTURE_SETUP(dirty)
{
	int flags = MAP_ANONYMOUS | (variant->backing == SHARED ? MAP_SHARED :
				     MAP_PRIVATE);

	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	self->exact = module_has(MVMM_FEATURE_NESTED_AD);
	self->map = mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE, flags, -1,
			 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->p = (char *)(((uintptr_t)self->map + HUGE - 1) & -HUGE);
	madvise(self->p, SIZE, variant->backing == LARGE ? MADV_HUGEPAGE :
		MADV_NOHUGEPAGE);
	self->model = calloc(1, SIZE);
	ASSERT_NE(NULL, self->model);
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, LOGGED, SIZE, self->p,
				     MVMM_REGION_LOG_DIRTY));
}

FIXTURE_TEARDOWN(dirty)
{
	vm_destroy(&self->vm);
	munmap(self->map, SIZE + HUGE);
	free(self->model);
}

/*
 * Writes rcx words to pseudo-random places, r8 = r8 * r9 + r10, and sets each
 * page's bit in the bitmap at rsi
 */
GUEST(scatter, "1: imul %r9, %r8\n add %r10, %r8\n"
      "mov %r8, %rax\n shr $40, %rax\n and $1023, %eax\n btsq %rax, (%rsi)\n"
      "shl $12, %rax\n mov %r8, %rdx\n shr $20, %rdx\n and $0xff8, %edx\n"
      "add %rdx, %rax\n mov %r8, (%rdi,%rax)\n"
      "dec %rcx\n jnz 1b\n hlt");
#define FACTOR	6364136223846793005ul
#define SUMMAND	1442695040888963407ul

static int scatter_guest(FIXTURE_DATA(dirty) *self, uint64_t seed, uint64_t nr)
{
	struct mvmm_regs *regs = &self->vm.run->regs;
	uint64_t x = seed, page;

	for (int i = 0; i < nr; i++) {
		x = x * FACTOR + SUMMAND;
		page = x >> 40 & 1023;
		memcpy(self->model + page * 4096 + (x >> 20 & 0xff8), &x, 8);
	}
	memset(self->vm.mem + DATA, 0, PAGES / 8);
	LOAD(&self->vm, scatter);
	vm_set_rip(&self->vm, CODE);
	regs->r8 = seed;
	regs->r9 = FACTOR;
	regs->r10 = SUMMAND;
	regs->rcx = nr;
	regs->rsi = DATA;
	regs->rdi = LOGGED;
	return vm_run_to_exit(&self->vm);
}

/* Reads a word of each page; rax becomes their sum */
GUEST(read_all, "xor %eax, %eax\n"
      "1: add (%rdi), %rax\n add $4096, %rdi\n dec %rcx\n jnz 1b\n hlt");

static int read_guest(FIXTURE_DATA(dirty) *self)
{
	LOAD(&self->vm, read_all);
	vm_set_rip(&self->vm, CODE);
	self->vm.run->regs.rdi = LOGGED;
	self->vm.run->regs.rcx = PAGES;
	return vm_run_to_exit(&self->vm);
}

GUEST(write_rdi, "mov %rsi, (%rdi)\n hlt");

static int poke(FIXTURE_DATA(dirty) *self, uint64_t off, uint64_t value)
{
	memcpy(self->model + off, &value, 8);
	LOAD(&self->vm, write_rdi);
	vm_set_rip(&self->vm, CODE);
	self->vm.run->regs.rdi = LOGGED + off;
	self->vm.run->regs.rsi = value;
	return vm_run_to_exit(&self->vm);
}

/* How many pages the log has too many, plus how many too few */
static int wrong(const uint64_t *log, const void *shadow)
{
	const uint64_t *expected = shadow;
	int n = 0;

	for (int i = 0; i < WORDS; i++)
		n += __builtin_popcountll(log[i] ^ expected[i]);
	return n;
}

static int set(const uint64_t *log)
{
	static const uint64_t none[WORDS];

	return wrong(log, none);
}

#define GET(log) \
	ASSERT_EQ(0, mvmm_get_dirty_log(self->vm.vm, LOGGED, SIZE, log))

/* What the host may do to the pages between the writes and GET_DIRTY_LOG */
enum deed { NOTHING, PAGE_OUT, DROP, PROTECT, FORK, POPULATE, READ, COLD,
	    HUGER, NR_DEEDS };

static void do_to_pages(struct __test_metadata *_metadata,
			FIXTURE_DATA(dirty) *self, enum deed deed, bool shared)
{
	uint64_t half = SIZE / 2 - 0x3000;
	int status;
	pid_t pid;

	switch (deed) {
	case PAGE_OUT:
		madvise(self->p, SIZE, MADV_PAGEOUT);
		break;
	case DROP:
		ASSERT_EQ(0, madvise(self->p, half, MADV_DONTNEED));
		/* Shared pages are read from the file again */
		if (!shared)
			memset(self->model, 0, half);
		break;
	case PROTECT:
		ASSERT_EQ(0, mprotect(self->p, half, PROT_READ));
		ASSERT_EQ(0, mprotect(self->p, half, PROT_READ | PROT_WRITE));
		break;
	case FORK:
		pid = fork();
		if (!pid)
			_exit(0);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		break;
	case POPULATE:
		ASSERT_EQ(0, mvmm_prefault(self->vm.vm, LOGGED, SIZE, 0));
		break;
	case READ:
		ASSERT_EQ(MVMM_EXIT_HLT, read_guest(self));
		break;
	case COLD:
		madvise(self->p, SIZE, 20 /* MADV_COLD */);
		break;
	case HUGER:
		madvise(self->p, SIZE, 25 /* MADV_COLLAPSE */);
		break;
	default:
		break;
	}
}

TEST_F(dirty, is_exact)
{
	uint64_t log[WORDS], round;

	for (round = 0; round < NR_DEEDS; round++) {
		ASSERT_EQ(MVMM_EXIT_HLT,
			  scatter_guest(self, round, 300 - 30 * round));
		memcpy(self->shadow, self->vm.mem + DATA, sizeof(log));
		ASSERT_LT(0, set(self->shadow));
		ASSERT_GT(PAGES / 2, set(self->shadow));
		do_to_pages(_metadata, self, round % NR_DEEDS,
			    variant->backing == SHARED);
		GET(log);
		EXPECT_EQ(0, wrong(log, self->shadow)) {
			TH_LOG("round %lu: %d of %d", round, set(log),
			       set(self->shadow));
		}
		/* No writes since */
		GET(log);
		EXPECT_EQ(0, set(log));
		ASSERT_EQ(MVMM_EXIT_HLT, read_guest(self));
		/* Neither the guest's reads nor what the host does are writes */
		do_to_pages(_metadata, self, round % NR_DEEDS,
			    variant->backing == SHARED);
		GET(log);
		EXPECT_EQ(0, set(log));
		EXPECT_EQ(0, memcmp(self->p, self->model, SIZE));
	}
}

/*
 * The page is written to again after each GET_DIRTY_LOG: the CPU may have it as
 * dirty in its TLB, and must set the D bit again
 */
TEST_F(dirty, every_time)
{
	uint64_t log[WORDS], i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(MVMM_EXIT_HLT, poke(self, 5 * 4096, i));
		if (i & 1)
			ASSERT_EQ(MVMM_EXIT_HLT, poke(self, 5 * 4096 + 8, i));
		GET(log);
		EXPECT_EQ(1, set(log));
		EXPECT_EQ(1ull << 5, log[0]);
	}
	EXPECT_EQ(0, memcmp(self->p, self->model, SIZE));
}

TEST_F(dirty, reads_do_not_count)
{
	uint64_t log[WORDS];

	/* Pages that were never touched, then pages that the host wrote to */
	ASSERT_EQ(MVMM_EXIT_HLT, read_guest(self));
	EXPECT_EQ(0, self->vm.run->regs.rax);
	GET(log);
	EXPECT_EQ(0, set(log));
	memset(self->p, 1, SIZE);
	ASSERT_EQ(MVMM_EXIT_HLT, read_guest(self));
	EXPECT_EQ(PAGES * 0x0101010101010101, self->vm.run->regs.rax);
	GET(log);
	EXPECT_EQ(0, set(log));
	/* One write among the reads */
	ASSERT_EQ(MVMM_EXIT_HLT, poke(self, 700 * 4096ul, 1));
	ASSERT_EQ(MVMM_EXIT_HLT, read_guest(self));
	GET(log);
	EXPECT_EQ(1, set(log));
	EXPECT_EQ(1ull << 700 % 64, log[700 / 64]);
}

TEST_F(dirty, write_across_pages)
{
	uint64_t log[WORDS];

	ASSERT_EQ(MVMM_EXIT_HLT, poke(self, HUGE - 4, -1ull));
	GET(log);
	EXPECT_EQ(2, set(log));
	EXPECT_EQ(1ull << 63, log[7]);
	EXPECT_EQ(1, log[8]);
	EXPECT_EQ(0, memcmp(self->p, self->model, SIZE));
}

/* Writes rsi to all pages; the CPU's own log has 512 entries */
GUEST(sweep, "mov $1024, %ecx\n"
      "1: dec %ecx\n mov %rcx, %rax\n shl $12, %rax\n"
      "mov %rsi, (%rdi,%rax)\n test %ecx, %ecx\n jnz 1b\n hlt");

#define PML_FULL 62

TEST_F(dirty, more_than_the_cpu_can_log)
{
	struct mvmm_stats stats;
	uint64_t log[WORDS], i;

	for (i = 1; i <= 3; i++) {
		LOAD(&self->vm, sweep);
		vm_set_rip(&self->vm, CODE);
		self->vm.run->regs.rdi = LOGGED;
		self->vm.run->regs.rsi = i;
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
		GET(log);
		EXPECT_EQ(PAGES, set(log));
		GET(log);
		EXPECT_EQ(0, set(log));
	}
	ASSERT_EQ(0, mvmm_get_stats(self->vm.vcpu, &stats));
	if (vmx_uses("pml"))
		EXPECT_LE(3, stats.hw_exits[PML_FULL]);
}

struct runner {
	pthread_t thread;
	int vcpu, ret;
	struct mvmm_run *run;
	volatile bool done;
};

static void *run_to_halt(void *arg)
{
	struct runner *r = arg;

	do
		r->ret = mvmm_run(r->vcpu);
	while (r->ret == -EINTR);
	r->done = true;
	return NULL;
}

/* Two vCPUs write while the log is read: it may miss no write */
TEST_F(dirty, while_they_run)
{
	struct runner r[2] = { { .vcpu = self->vm.vcpu,
				 .run = self->vm.run } };
	uint64_t log[WORDS], i, nr = 0;
	struct mvmm_sregs sregs;

	r[1].vcpu = mvmm_create_vcpu(self->vm.vm, 1);
	ASSERT_LE(0, r[1].vcpu);
	ASSERT_EQ(0, mvmm_map_run(r[1].vcpu, &r[1].run));
	ASSERT_EQ(0, mvmm_get_sregs(r[0].vcpu, &sregs));
	ASSERT_EQ(0, mvmm_set_sregs(r[1].vcpu, &sregs));
	LOAD(&self->vm, scatter);
	/* Interrupts on, as Bochs needs (errata.rst); the guest gets none */
	for (i = 0; i < 2; i++) {
		r[i].run->regs = (struct mvmm_regs){
			.rip = CODE, .rflags = 0x202, .r8 = i, .r9 = FACTOR,
			.r10 = SUMMAND, .rcx = 400000, .rdi = LOGGED,
			.rsi = DATA + i * 4096 };
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, run_to_halt,
					    &r[i]));
	}
	while (!r[0].done || !r[1].done) {
		usleep(1000);
		GET(log);
		nr++;
		for (i = 0; i < PAGES; i++)
			if (log[i / 64] >> i % 64 & 1)
				memcpy(self->model + i * 4096,
				       self->p + i * 4096, 4096);
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(r[i].thread, NULL));
		EXPECT_EQ(0, r[i].ret);
		EXPECT_EQ(MVMM_EXIT_HLT, r[i].run->exit_reason);
	}
	GET(log);
	for (i = 0; i < PAGES; i++)
		if (!(log[i / 64] >> i % 64 & 1))
			EXPECT_EQ(0, memcmp(self->model + i * 4096,
					    self->p + i * 4096, 4096));
	TH_LOG("the log was read %lu times", nr);
	GET(log);
	EXPECT_EQ(0, set(log));
	munmap(r[1].run, 4096);
	close(r[1].vcpu);
}

/* Writes rsi to each of 1024 pages, then one less, and so on */
GUEST(sweeps, "1: mov $1024, %ecx\n"
      "2: dec %ecx\n mov %rcx, %rax\n shl $12, %rax\n"
      "mov %rsi, (%rdi,%rax)\n test %ecx, %ecx\n jnz 2b\n"
      "dec %rsi\n jnz 1b\n hlt");

/*
 * The CPU's own logs are full again and again while the bitmap is copied, which
 * takes long: the kernel has to make a large page for it. No write is lost to
 * pages that were written to meanwhile
 */
TEST_F(dirty, while_it_is_copied)
{
	const uint64_t nr = 4096 + 1024, gpa = LOGGED + 2 * SIZE;
	struct runner r = { .vcpu = self->vm.vcpu, .run = self->vm.run };
	char *room = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *log = (void *)(((uintptr_t)room + HUGE - 1) & -HUGE);
	char *p = mmap(NULL, nr * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *seen = calloc(nr, 8), i, lost = 0;
	bool done;

	ASSERT_NE(MAP_FAILED, room);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(NULL, seen);
	madvise(log, HUGE, MADV_HUGEPAGE);
	madvise(p, nr * 4096, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, gpa, nr * 4096, p,
				     MVMM_REGION_LOG_DIRTY));
	LOAD(&self->vm, sweeps);
	r.run->regs = (struct mvmm_regs){ .rip = CODE, .rflags = 0x202,
		.rsi = 1000, .rdi = gpa + 4096 * 4096 };
	ASSERT_EQ(0, pthread_create(&r.thread, NULL, run_to_halt, &r));
	do {
		done = r.done;
		ASSERT_EQ(0, madvise(log, HUGE, MADV_DONTNEED));
		ASSERT_EQ(0, mvmm_get_dirty_log(self->vm.vm, gpa, nr * 4096,
						log));
		for (i = 0; i < nr; i++) {
			uint64_t now = *(volatile uint64_t *)(p + i * 4096);

			if (log[i / 64] >> i % 64 & 1)
				seen[i] = now;
			else if (done)
				lost += seen[i] != now;
		}
	} while (!done);
	ASSERT_EQ(0, pthread_join(r.thread, NULL));
	EXPECT_EQ(0, r.ret);
	EXPECT_EQ(MVMM_EXIT_HLT, r.run->exit_reason);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(1, seen[nr - 1]);
	free(seen);
	munmap(p, nr * 4096);
	munmap(room, 2 * HUGE);
}

/* The log keeps the writes of a vCPU that was closed */
TEST_F(dirty, vcpu_goes)
{
	uint64_t log[WORDS];

	ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 3, 200));
	munmap(self->vm.run, 4096);
	self->vm.run = NULL;
	close(self->vm.vcpu);
	self->vm.vcpu = -1;
	GET(log);
	EXPECT_EQ(0, wrong(log, self->vm.mem + DATA));
	GET(log);
	EXPECT_EQ(0, set(log));
}

/* A prefault is not a write */
TEST_F(dirty, populated)
{
	uint64_t log[WORDS];

	memset(self->p, 0, SIZE);
	ASSERT_EQ(0, mvmm_prefault(self->vm.vm, LOGGED, SIZE, 0));
	GET(log);
	EXPECT_EQ(0, set(log));
	ASSERT_EQ(MVMM_EXIT_HLT, read_guest(self));
	GET(log);
	EXPECT_EQ(0, set(log));
	ASSERT_EQ(0, mvmm_prefault(self->vm.vm, LOGGED, SIZE,
				   MVMM_PREFAULT_WRITE));
	GET(log);
	/* Without D bits a writable mapping counts as a write */
	EXPECT_EQ(self->exact ? 0 : PAGES, set(log));
	ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 77, 300));
	GET(log);
	EXPECT_EQ(0, wrong(log, self->vm.mem + DATA));
	EXPECT_EQ(0, memcmp(self->p, self->model, SIZE));
}

TEST_F(dirty, bad_bitmap_loses_nothing)
{
	uint64_t *edge, log[WORDS];
	int i;

	edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, edge);
	ASSERT_EQ(0, munmap((char *)edge + 4096, 4096));
	ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 5, 200));
	memcpy(self->shadow, self->vm.mem + DATA, sizeof(log));
	ASSERT_LT(100, set(self->shadow));
	EXPECT_EQ(-EFAULT, mvmm_get_dirty_log(self->vm.vm, LOGGED, SIZE,
					      (uint64_t *)8));
	/* More writes before the next try, whose bitmap is half accessible */
	ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 6, 200));
	for (i = 0; i < WORDS; i++)
		self->shadow[i] |= ((uint64_t *)(self->vm.mem + DATA))[i];
	EXPECT_EQ(-EFAULT, mvmm_get_dirty_log(self->vm.vm, LOGGED, SIZE,
					      edge + 512 - WORDS / 2));
	GET(log);
	EXPECT_EQ(0, wrong(log, self->shadow));
	GET(log);
	EXPECT_EQ(0, set(log));
	munmap(edge, 4096);
}

/*
 * A log that is collected and copied in several parts: the pages at their edges,
 * in a region whose edges are inside of tables
 */
TEST_F(dirty, long_region)
{
	static const uint64_t pages[] = { 0, 510, 511, 512, 4095, 4096, 16383,
					  16384, 16385, 20480, 24574 };
	const uint64_t nr = 24575, gpa = LOGGED + SIZE + 4096;
	uint64_t log[384], expected[384] = {}, i;
	char *p = mmap(NULL, nr * 4096, PROT_READ | PROT_WRITE,
		       MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1, 0);
	int round;

	ASSERT_NE(MAP_FAILED, p);
	madvise(p, nr * 4096, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, gpa, nr * 4096, p,
				     MVMM_REGION_LOG_DIRTY));
	LOAD(&self->vm, write_rdi);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		expected[pages[i] / 64] |= 1ull << pages[i] % 64;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(pages); i++) {
			vm_set_rip(&self->vm, CODE);
			self->vm.run->regs.rdi = gpa + pages[i] * 4096;
			ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
		}
		if (round == 1)
			EXPECT_EQ(-EFAULT, mvmm_get_dirty_log(self->vm.vm, gpa,
							      nr * 4096, (void *)8));
		ASSERT_EQ(0, mvmm_get_dirty_log(self->vm.vm, gpa, nr * 4096,
						log));
		EXPECT_EQ(0, memcmp(log, expected, sizeof(log)));
		ASSERT_EQ(0, mvmm_get_dirty_log(self->vm.vm, gpa, nr * 4096,
						log));
		for (i = 0; i < ARRAY_SIZE(log); i++)
			EXPECT_EQ(0, log[i]);
	}
	munmap(p, nr * 4096);
}

/* A part of the log is read, and cleared, without the rest */
TEST_F(dirty, by_parts)
{
	uint64_t log[WORDS], part[4];
	int i;

	ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 11, 400));
	memcpy(self->shadow, self->vm.mem + DATA, sizeof(log));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, mvmm_peek_dirty_log(self->vm.vm, LOGGED, SIZE,
						 log));
		EXPECT_EQ(0, wrong(log, self->shadow));
	}
	/* 4 words, of the last one 63 bits, across the edge of two tables */
	memset(part, 0xff, sizeof(part));
	ASSERT_EQ(0, mvmm_get_dirty_log(self->vm.vm, LOGGED + HUGE - 2 * 64 * 4096,
					255 * 4096, part));
	for (i = 0; i < 4; i++) {
		uint64_t mask = i == 3 ? -1ull >> 1 : -1ull;

		EXPECT_EQ(self->shadow[6 + i] & mask, part[i]);
		self->shadow[6 + i] &= ~mask;
	}
	GET(log);
	EXPECT_EQ(0, wrong(log, self->shadow));
	/* What was looked at in parts is seen again */
	ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 12, 400));
	GET(log);
	EXPECT_EQ(0, wrong(log, self->vm.mem + DATA));
	GET(log);
	EXPECT_EQ(0, set(log));
}

/* The log is turned off and on: no write to memory is lost, no MMIO seen */
TEST_F(dirty, off_and_on)
{
	uint64_t log[WORDS];
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 20 + i, 200));
		ASSERT_EQ(0, mvmm_set_region(self->vm.vm, LOGGED, SIZE, self->p,
					     0));
		EXPECT_EQ(-ENOENT, mvmm_get_dirty_log(self->vm.vm, LOGGED, SIZE,
						      log));
		ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 30 + i, 200));
		ASSERT_EQ(0, mvmm_set_region(self->vm.vm, LOGGED, SIZE, self->p,
					     MVMM_REGION_LOG_DIRTY));
		GET(log);
		EXPECT_EQ(0, set(log));
		ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 40 + i, 200));
		/* A log that goes on loses nothing */
		ASSERT_EQ(0, mvmm_set_region(self->vm.vm, LOGGED, SIZE, self->p,
					     MVMM_REGION_LOG_DIRTY));
		GET(log);
		EXPECT_EQ(0, wrong(log, self->vm.mem + DATA));
	}
	EXPECT_EQ(0, memcmp(self->p, self->model, SIZE));
}

/* The same while the guest runs: it finds memory all the time */
TEST_F(dirty, off_and_on_while_it_runs)
{
	struct runner r = { .vcpu = self->vm.vcpu, .run = self->vm.run };
	uint64_t log[WORDS];
	int i;

	LOAD(&self->vm, scatter);
	r.run->regs = (struct mvmm_regs){
		.rip = CODE, .rflags = 0x202, .r8 = 1, .r9 = FACTOR,
		.r10 = SUMMAND, .rcx = 400000, .rdi = LOGGED, .rsi = DATA };
	ASSERT_EQ(0, pthread_create(&r.thread, NULL, run_to_halt, &r));
	for (i = 0; !r.done; i++) {
		usleep(500);
		ASSERT_EQ(0, mvmm_set_region(self->vm.vm, LOGGED, SIZE, self->p,
					     i & 1 ? MVMM_REGION_LOG_DIRTY : 0));
		if (!(i & 1))
			continue;
		usleep(500);
		GET(log);
	}
	ASSERT_EQ(0, pthread_join(r.thread, NULL));
	EXPECT_EQ(0, r.ret);
	EXPECT_EQ(MVMM_EXIT_HLT, r.run->exit_reason);
	TH_LOG("%d changes", i);
}

TEST_F(dirty, set_region_errnos)
{
	int vm = self->vm.vm;

	EXPECT_EQ(-ENOENT, mvmm_set_region(vm, LOGGED, SIZE - 4096, self->p, 0));
	EXPECT_EQ(-ENOENT, mvmm_set_region(vm, 1ull << 40, SIZE, self->p, 0));
	EXPECT_EQ(-EINVAL, mvmm_set_region(vm, LOGGED, SIZE, NULL, 0));
	EXPECT_EQ(-EINVAL, mvmm_set_region(vm, LOGGED, 100, self->p, 0));
	EXPECT_EQ(-EOPNOTSUPP, mvmm_set_region(vm, LOGGED, SIZE, self->p, 4));
	/* Read-only, and other memory */
	ASSERT_EQ(0, mvmm_set_region(vm, LOGGED, SIZE, self->p + 4096,
				     MVMM_REGION_READONLY));
	*(uint64_t *)(self->p + 4096) = 0x4711;
	LOAD(&self->vm, read_all);
	vm_set_rip(&self->vm, CODE);
	self->vm.run->regs.rdi = LOGGED;
	self->vm.run->regs.rcx = 1;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0x4711, self->vm.run->regs.rax);
	LOAD(&self->vm, write_rdi);
	vm_set_rip(&self->vm, CODE);
	self->vm.run->regs.rdi = LOGGED;
	ASSERT_EQ(0, vm_run(&self->vm));
	EXPECT_EQ(MVMM_EXIT_MMIO, self->vm.run->exit_reason);
}

GUEST(halt, "hlt");

/* A region that was removed and added again begins with an empty log */
TEST_F(dirty, begins_empty)
{
	uint64_t log[WORDS];

	ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 9, 200));
	ASSERT_EQ(0, mvmm_remove_region(self->vm.vm, LOGGED, SIZE));
	/* The guest runs meanwhile, when there is no region to log */
	LOAD(&self->vm, halt);
	vm_set_rip(&self->vm, CODE);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, LOGGED, SIZE, self->p,
				     MVMM_REGION_LOG_DIRTY));
	GET(log);
	EXPECT_EQ(0, set(log));
	ASSERT_EQ(MVMM_EXIT_HLT, scatter_guest(self, 10, 200));
	GET(log);
	EXPECT_EQ(0, wrong(log, self->vm.mem + DATA));
	EXPECT_EQ(0, memcmp(self->p, self->model, SIZE));
}

TEST_HARNESS_MAIN
