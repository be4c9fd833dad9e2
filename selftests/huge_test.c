// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory in huge pages, and under everything that makes the host move
 * pages: the guest must see the right bytes, and have few faults. The test
 * keeps a copy of the memory, the model; the guest compares the two.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define HUGE	(2ul << 20)
#define SIZE	(2 * HUGE)
/* Guest-physical: the memory under test, and the model of it */
#define TEST_GPA	VOID
#define MODEL_GPA	(VOID + (64ul << 20))
/* Added from word to word when memory is filled, so that no two are the same */
#define STEP	0x9e3779b97f4a7c15ul

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define KSM	"/sys/kernel/mm/ksm/"
#define MERGE_PERIOD	"/sys/module/mvmm/parameters/merge_period_ms"

FIXTURE(huge) {
	struct vm vm;
	char *map;
	char *p;	/* SIZE bytes, aligned to HUGE */
	char *model;
};

GUEST(fill, "1: mov %rsi, (%rdi)\n add %rdx, %rsi\n add $8, %rdi\n"
      "dec %rcx\n jnz 1b\n hlt");
/* rax becomes the number of words that differ, rbx the address of the first */
GUEST(compare, "xor %eax, %eax\n mov $-1, %rbx\n"
      "1: mov (%rsi), %rdx\n cmp %rdx, (%rdi)\n je 2f\n"
      "inc %rax\n cmp $-1, %rbx\n jne 2f\n mov %rdi, %rbx\n"
      "2: add $8, %rsi\n add $8, %rdi\n dec %rcx\n jnz 1b\n hlt");
GUEST(read_rdi, "mov (%rdi), %rax\n hlt");
GUEST(write_rdi, "mov %rsi, (%rdi)\n hlt");

static void fill_host(char *p, uint64_t len, uint64_t seed)
{
	uint64_t *word = (uint64_t *)p, i;

	for (i = 0; i < len / 8; i++)
		word[i] = seed + i * STEP;
}

/* The guest fills [off, off + len) of the memory; the model gets the same */
static int fill_guest(FIXTURE_DATA(huge) *self, uint64_t off, uint64_t len,
		      uint64_t seed)
{
	struct mvmm_regs *regs = &self->vm.run->regs;

	fill_host(self->model + off, len, seed);
	LOAD(&self->vm, fill);
	vm_set_rip(&self->vm, CODE);
	regs->rdi = TEST_GPA + off;
	regs->rcx = len / 8;
	regs->rsi = seed;
	regs->rdx = STEP;
	return vm_run_to_exit(&self->vm);
}

static int peek(struct vm *vm, uint64_t gpa, uint64_t *value)
{
	int ret;

	LOAD(vm, read_rdi);
	vm_set_rip(vm, CODE);
	vm->run->regs.rdi = gpa;
	ret = vm_run_to_exit(vm);
	*value = vm->run->regs.rax;
	return ret;
}

static int poke(FIXTURE_DATA(huge) *self, uint64_t off, uint64_t value)
{
	struct vm *vm = &self->vm;

	LOAD(vm, write_rdi);
	vm_set_rip(vm, CODE);
	vm->run->regs.rdi = TEST_GPA + off;
	vm->run->regs.rsi = value;
	return vm_run_to_exit(vm);
}

/* A write that must succeed; the model gets it too */
#define POKE(off, value) do {						\
		ASSERT_EQ(MVMM_EXIT_HLT, poke(self, off, value));	\
		*(uint64_t *)(self->model + (off)) = (value);		\
	} while (0)

/* The offset of the first word that differs for the guest; -1: none does */
static long differs(FIXTURE_DATA(huge) *self, uint64_t off, uint64_t len)
{
	struct mvmm_regs *regs = &self->vm.run->regs;
	int ret;

	LOAD(&self->vm, compare);
	vm_set_rip(&self->vm, CODE);
	regs->rsi = MODEL_GPA + off;
	regs->rdi = TEST_GPA + off;
	regs->rcx = len / 8;
	ret = vm_run_to_exit(&self->vm);
	if (ret != MVMM_EXIT_HLT)
		return -1000 - ret;
	if (regs->rax != 0)
		return regs->rbx - TEST_GPA;
	return -1;
}

/* Guest and host both see what the model has */
#define EXPECT_SAME() do {						\
		EXPECT_EQ(-1, differs(self, 0, SIZE));			\
		EXPECT_EQ(0, memcmp(self->p, self->model, SIZE));	\
	} while (0)

static uint64_t faults(FIXTURE_DATA(huge) *self)
{
	struct mvmm_stats stats;

	return mvmm_get_stats(self->vm.vcpu, &stats) ? -1 : stats.faults;
}

/* Sums a field of /proc/self/smaps over the mappings in [p, p + SIZE) */
static long smaps_kb(const char *p, const char *field)
{
	unsigned long from = 0, to = 0, start = (unsigned long)p, a, b;
	FILE *f = fopen("/proc/self/smaps", "r");
	size_t len = strlen(field);
	char line[512];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
			from = a;
			to = b;
		} else if (from < start + SIZE && to > start &&
			   !strncmp(line, field, len) && line[len] == ':') {
			kb += atol(line + len + 1);
		}
	}
	if (f)
		fclose(f);
	return kb;
}

static long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int write_number(const char *path, long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", n);
	return write_text(path, text);
}

/* The host fills the memory, in huge pages; false: it has no huge pages */
static bool populate_huge(FIXTURE_DATA(huge) *self, uint64_t seed)
{
	if (madvise(self->p, SIZE, MADV_HUGEPAGE))
		return false;
	fill_host(self->p, SIZE, seed);
	fill_host(self->model, SIZE, seed);
	return smaps_kb(self->p, "AnonHugePages") == SIZE / 1024;
}

#define NEED_HUGE(seed) do {						\
		if (!populate_huge(self, seed))				\
			SKIP(return, "the host gives no huge pages");	\
	} while (0)

/* The host fills the memory, in small pages */
static void populate_small(FIXTURE_DATA(huge) *self, uint64_t seed)
{
	madvise(self->p, SIZE, MADV_NOHUGEPAGE);
	/* Huge pages would stay huge: drop them */
	madvise(self->p, SIZE, MADV_DONTNEED);
	fill_host(self->p, SIZE, seed);
	fill_host(self->model, SIZE, seed);
}

FIXTURE_SETUP(huge)
{
	uint64_t v;

	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	self->map = mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->p = (char *)(((uintptr_t)self->map + HUGE - 1) & -HUGE);
	self->model = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->model);
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, TEST_GPA, SIZE, self->p, 0));
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, MODEL_GPA, SIZE, self->model,
				     MVMM_REGION_READONLY));
	/* From here on only the memory under test faults */
	ASSERT_EQ(0, mvmm_prefault(self->vm.vm, 0, MEM_SIZE,
				   MVMM_PREFAULT_WRITE));
	ASSERT_EQ(0, mvmm_prefault(self->vm.vm, MODEL_GPA, SIZE, 0));
	ASSERT_EQ(MVMM_EXIT_HLT, peek(&self->vm, MODEL_GPA, &v));
}

FIXTURE_TEARDOWN(huge)
{
	/* A test may have changed it, and failed */
	write_number(MERGE_PERIOD, 60000);
	vm_destroy(&self->vm);
	munmap(self->map, SIZE + HUGE);
	munmap(self->model, SIZE);
}

TEST_F(huge, one_fault_each)
{
	uint64_t before;

	NEED_HUGE(1);
	before = faults(self);
	EXPECT_EQ(-1, differs(self, 0, SIZE));
	EXPECT_EQ(before + 2, faults(self));
	/* It is writable too, since the host has written to it */
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 2));
	EXPECT_EQ(before + 2, faults(self));
	EXPECT_SAME();
}

TEST_F(huge, brought_in_by_the_guest)
{
	uint64_t before;

	ASSERT_EQ(0, madvise(self->p, SIZE, MADV_HUGEPAGE));
	before = faults(self);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 3));
	if (smaps_kb(self->p, "AnonHugePages") != SIZE / 1024)
		SKIP(return, "the host gives no huge pages");
	EXPECT_EQ(before + 2, faults(self));
	EXPECT_SAME();
}

/*
 * Code in a huge page. Where the CPU has iTLB multihit, the first fetch makes
 * small leaves of it, which have what the guest wrote before.
 */
TEST_F(huge, executed)
{
	uint64_t at, len = write_rdi_end - write_rdi, before;

	NEED_HUGE(5);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 6));
	before = faults(self);
	for (at = 0; at < SIZE; at += 73 << 12) {
		memcpy(self->p + at, write_rdi, len);
		memcpy(self->model + at, write_rdi, len);
		vm_set_rip(&self->vm, TEST_GPA + at);
		self->vm.run->regs.rdi = TEST_GPA + at + 2048;
		self->vm.run->regs.rsi = at;
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
		*(uint64_t *)(self->model + at + 2048) = at;
	}
	EXPECT_EQ(before + (vmx_uses("nx_huge_pages") ? 2 : 0), faults(self));
	EXPECT_SAME();
	/* The host takes some away, and gives others */
	ASSERT_EQ(0, madvise(self->p, HUGE / 2, MADV_DONTNEED));
	memset(self->model, 0, HUGE / 2);
	EXPECT_SAME();
	memcpy(self->p, write_rdi, len);
	memcpy(self->model, write_rdi, len);
	vm_set_rip(&self->vm, TEST_GPA);
	self->vm.run->regs.rdi = TEST_GPA + HUGE;
	self->vm.run->regs.rsi = 7;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	*(uint64_t *)(self->model + HUGE) = 7;
	EXPECT_SAME();
}

/* What was split is one leaf again some time later, until it is executed again */
TEST_F(huge, merged_again)
{
	uint64_t at, before, len = write_rdi_end - write_rdi;
	int i, round;

	if (!vmx_uses("nx_huge_pages"))
		SKIP(return, "large leaves may be executed here");
	NEED_HUGE(5);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 6));
	ASSERT_EQ(0, write_number(MERGE_PERIOD, 10));
	for (round = 0; round < 2; round++) {
		before = faults(self);
		for (at = 0; at < SIZE; at += HUGE) {
			memcpy(self->p + at, write_rdi, len);
			memcpy(self->model + at, write_rdi, len);
			vm_set_rip(&self->vm, TEST_GPA + at);
			self->vm.run->regs.rdi = TEST_GPA + at + 2048;
			self->vm.run->regs.rsi = at;
			ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
			*(uint64_t *)(self->model + at + 2048) = at;
		}
		EXPECT_LE(before + 2, faults(self));
		for (at = 0; at < SIZE; at += HUGE) {
			/* It is gone when it faults, and comes back */
			before = faults(self);
			for (i = 0; i < 1000 && before == faults(self); i++) {
				usleep(10000);
				POKE(at + 5 * 4096, i);
			}
			EXPECT_EQ(before + 1, faults(self));
		}
		before = faults(self);
		ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, round));
		EXPECT_EQ(before, faults(self));
		EXPECT_SAME();
	}
}

TEST_F(huge, prefault)
{
	uint64_t before = faults(self);

	ASSERT_EQ(0, madvise(self->p, SIZE, MADV_HUGEPAGE));
	ASSERT_EQ(0, mvmm_prefault(self->vm.vm, TEST_GPA, SIZE,
				   MVMM_PREFAULT_WRITE));
	if (smaps_kb(self->p, "AnonHugePages") != SIZE / 1024)
		SKIP(return, "the host gives no huge pages");
	EXPECT_EQ(-1, differs(self, 0, SIZE));
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 90));
	EXPECT_EQ(before, faults(self));
	EXPECT_SAME();
	/* Half of a huge page goes: the nested table drops all of it */
	ASSERT_EQ(0, madvise(self->p, HUGE / 2, MADV_DONTNEED));
	memset(self->model, 0, HUGE / 2);
	EXPECT_SAME();
	EXPECT_LT(before, faults(self));
}

/* Memory that is read before it is written is the huge zero page */
TEST_F(huge, zero_page)
{
	uint64_t i;

	ASSERT_EQ(0, madvise(self->p, SIZE, MADV_HUGEPAGE));
	EXPECT_EQ(-1, differs(self, 0, SIZE));
	for (i = 8; i < SIZE; i += 0x41008)
		POKE(i, i + 1);
	EXPECT_SAME();
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 4));
	EXPECT_SAME();
}

TEST_F(huge, small_ones_by_sixteens)
{
	uint64_t before;

	populate_small(self, 5);
	before = faults(self);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 6));
	/* A fault that makes a table maps no neighbours: some more faults */
	EXPECT_LE(before + SIZE / 65536, faults(self));
	EXPECT_GE(before + SIZE / 65536 + 8, faults(self));
	EXPECT_SAME();
}

TEST_F(huge, split_by_mprotect)
{
	uint64_t bad = HUGE / 2, before, v;
	struct mvmm_run *run = self->vm.run;

	NEED_HUGE(7);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 8));
	ASSERT_EQ(0, mprotect(self->p + bad, 4096, PROT_READ));
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT, poke(self, bad + 8, 9));
	EXPECT_EQ(TEST_GPA + bad + 8, run->fault.gpa);
	EXPECT_EQ((uintptr_t)self->p + bad, run->fault.hva & -4096ul);
	EXPECT_EQ(MVMM_ACCESS_WRITE, run->fault.access);
	EXPECT_EQ(EFAULT, run->fault.error);
	ASSERT_EQ(MVMM_EXIT_HLT, peek(&self->vm, TEST_GPA + bad + 8, &v));
	EXPECT_EQ(*(uint64_t *)(self->model + bad + 8), v);
	POKE(bad - 8, 10);
	POKE(bad + 4096, 11);
	POKE(HUGE, 12);
	EXPECT_SAME();
	/* The huge page that was not split is still one leaf */
	ASSERT_EQ(0, mprotect(self->p + bad, 4096, PROT_NONE));
	before = faults(self);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, HUGE, HUGE, 13));
	EXPECT_EQ(before, faults(self));
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT,
		  peek(&self->vm, TEST_GPA + bad + 4088, &v));
	/* The exit is restartable */
	ASSERT_EQ(0, mprotect(self->p + bad, 4096, PROT_READ | PROT_WRITE));
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(*(uint64_t *)(self->model + bad + 4088),
		  self->vm.run->regs.rax);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 14));
	EXPECT_SAME();
}

TEST_F(huge, collapse)
{
	int i, ret = -1;
	uint64_t before;

	populate_small(self, 15);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 16));
	EXPECT_EQ(0, smaps_kb(self->p, "AnonHugePages"));
	if (madvise(self->p, SIZE, MADV_HUGEPAGE))
		SKIP(return, "the host gives no huge pages");
	for (i = 0; i < 20 && ret; i++)
		ret = madvise(self->p, SIZE, MADV_COLLAPSE);
	if (ret && errno == EINVAL)
		SKIP(return, "no MADV_COLLAPSE on this host");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(SIZE / 1024, smaps_kb(self->p, "AnonHugePages"));
	before = faults(self);
	EXPECT_EQ(-1, differs(self, 0, SIZE));
	EXPECT_EQ(before + 2, faults(self));
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 17));
	EXPECT_SAME();
}

TEST_F(huge, holes)
{
	uint64_t hole = HUGE + 0x30000, len = 0x11000, v;

	NEED_HUGE(18);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 19));
	/* One page is dropped */
	ASSERT_EQ(0, madvise(self->p + 0x7000, 4096, MADV_DONTNEED));
	memset(self->model + 0x7000, 0, 4096);
	EXPECT_SAME();
	POKE(0x7ff8, 20);
	/* A part is unmapped */
	ASSERT_EQ(0, munmap(self->p + hole, len));
	EXPECT_EQ(-1, differs(self, 0, hole));
	EXPECT_EQ(-1, differs(self, hole + len, SIZE - hole - len));
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT, peek(&self->vm, TEST_GPA + hole, &v));
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT, poke(self, hole + len - 8, 1));
	POKE(hole - 8, 21);
	POKE(hole + len, 22);
	ASSERT_EQ(self->p + hole,
		  mmap(self->p + hole, len, PROT_READ | PROT_WRITE,
		       MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	memset(self->model + hole, 0, len);
	EXPECT_SAME();
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, hole, len, 23));
	EXPECT_SAME();
}

/* A large leaf replaces a table of small leaves */
static void large_over_table(struct __test_metadata *_metadata,
			     FIXTURE_DATA(huge) *self, uint64_t seed)
{
	uint64_t before;

	/*
	 * The first huge page's range has two mappings. Each is unmapped alone,
	 * which empties a part of the table, so the table stays
	 */
	ASSERT_EQ(0, munmap(self->p, SIZE));
	ASSERT_EQ(self->p, mmap(self->p, HUGE / 2, PROT_READ | PROT_WRITE,
				MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	ASSERT_EQ(self->p + HUGE / 2,
		  mmap(self->p + HUGE / 2, SIZE - HUGE / 2,
		       PROT_READ | PROT_WRITE,
		       MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	populate_small(self, seed);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, seed + 1));
	EXPECT_SAME();
	ASSERT_EQ(0, munmap(self->p, HUGE / 2));
	ASSERT_EQ(0, munmap(self->p + HUGE / 2, SIZE - HUGE / 2));
	ASSERT_EQ(self->p, mmap(self->p, SIZE, PROT_READ | PROT_WRITE,
				MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1,
				0));
	NEED_HUGE(seed + 2);
	before = faults(self);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, seed + 3));
	EXPECT_EQ(before + 2, faults(self));
	EXPECT_SAME();
}

TEST_F(huge, over_a_table_of_small_ones)
{
	large_over_table(_metadata, self, 24);
}

/* In the VM's own memory, above what lib/vm.h lays out */
#define CODE_2	0x90000ul
#define COUNTER	0x91000ul
GUEST(count, "1: incq 0x91000\n jmp 1b");

struct second {
	int vcpu;
	struct mvmm_run *run;
	int cpu;
};

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Always on: a guest that spins with interrupts off hangs Bochs (errata.rst) */
#define RFLAGS_IF 0x202

static void *run_second(void *arg)
{
	struct second *second = arg;
	long ret;

	stay_on(second->cpu);
	do {
		ret = mvmm_run(second->vcpu);
	} while (ret == -EINTR && !second->run->immediate_exit);
	return (void *)ret;
}

/* The same while another vCPU runs, which must flush too */
TEST_F(huge, over_a_table_while_another_runs)
{
	volatile uint64_t *counter = (uint64_t *)(self->vm.mem + COUNTER);
	struct second second = { .cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1 };
	struct mvmm_sregs s;
	pthread_t thread;
	uint64_t before;
	void *ret;
	int i;

	if (!second.cpu)
		SKIP(return, "one CPU only");
	stay_on(0);
	vm_load(&self->vm, CODE_2, count, count_end - count);
	second.vcpu = mvmm_create_vcpu(self->vm.vm, 1);
	ASSERT_LE(0, second.vcpu);
	ASSERT_EQ(0, mvmm_map_run(second.vcpu, &second.run));
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
	ASSERT_EQ(0, mvmm_set_sregs(second.vcpu, &s));
	memset(&second.run->regs, 0, sizeof(second.run->regs));
	second.run->regs.rip = CODE_2;
	second.run->regs.rflags = RFLAGS_IF;
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_second, &second));
	while (!*counter)
		sched_yield();
	for (i = 0; i < 5; i++)
		large_over_table(_metadata, self, 30 + 4 * i);
	before = *counter;
	while (*counter == before)
		sched_yield();
	second.run->immediate_exit = 1;
	mvmm_kick(second.vcpu);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(-EINTR, (long)ret);
	munmap(second.run, 4096);
	close(second.vcpu);
}

/*
 * The region's gpa and hva have different offsets in a huge page: no large leaf
 * is possible, and each page must be the right one.
 */
TEST_F(huge, not_congruent)
{
	uint64_t gpa = VOID + (128ul << 20), off, v;
	struct mvmm_run *run = self->vm.run;

	NEED_HUGE(60);
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, gpa, SIZE - 0x5000,
				     self->p + 0x3000, 0));
	for (off = 0; off < SIZE - 0x5000; off += 0x1ff8) {
		ASSERT_EQ(MVMM_EXIT_HLT, peek(&self->vm, gpa + off, &v));
		ASSERT_EQ(*(uint64_t *)(self->model + off + 0x3000), v);
		/* A write there changes the memory under test */
		LOAD(&self->vm, write_rdi);
		vm_set_rip(&self->vm, CODE);
		run->regs.rdi = gpa + off;
		run->regs.rsi = off;
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
		*(uint64_t *)(self->model + off + 0x3000) = off;
	}
	EXPECT_SAME();
	/* Only the page that was protected faults */
	ASSERT_EQ(0, mprotect(self->p + HUGE, 4096, PROT_NONE));
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT,
		  peek(&self->vm, gpa + HUGE - 0x3000, &v));
	EXPECT_EQ(gpa + HUGE - 0x3000, run->fault.gpa);
	ASSERT_EQ(MVMM_EXIT_HLT, peek(&self->vm, gpa + HUGE - 0x3008, &v));
	EXPECT_EQ(*(uint64_t *)(self->model + HUGE - 8), v);
	ASSERT_EQ(MVMM_EXIT_HLT, peek(&self->vm, gpa + HUGE - 0x2000, &v));
	EXPECT_EQ(*(uint64_t *)(self->model + HUGE + 4096), v);
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT, poke(self, HUGE, 1));
}

/* A region that begins and ends inside a huge page */
TEST_F(huge, edges_of_regions)
{
	uint64_t gpa = VOID + (128ul << 20), v;

	NEED_HUGE(61);
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, gpa + 0x1000, HUGE - 0x2000,
				     self->p + 0x1000, 0));
	self->vm.io_value = 0x77;
	ASSERT_EQ(MVMM_EXIT_HLT, peek(&self->vm, gpa + 0x1000, &v));
	EXPECT_EQ(*(uint64_t *)(self->model + 0x1000), v);
	ASSERT_EQ(MVMM_EXIT_HLT, peek(&self->vm, gpa + HUGE - 0x1008, &v));
	EXPECT_EQ(*(uint64_t *)(self->model + HUGE - 0x1008), v);
	/* Outside of the region there is MMIO */
	self->vm.io_count = 0;
	ASSERT_EQ(MVMM_EXIT_HLT, peek(&self->vm, gpa + 0xff8, &v));
	EXPECT_EQ(0x77, v);
	ASSERT_EQ(MVMM_EXIT_HLT, peek(&self->vm, gpa + HUGE - 0x1000, &v));
	EXPECT_EQ(0x77, v);
	EXPECT_EQ(2, self->vm.io_count);
}

static void punch_hole(struct __test_metadata *_metadata,
		       FIXTURE_DATA(huge) *self, bool huge)
{
	uint64_t hole = HUGE - 0x8000, len = 0x10000, v;
	int fd = memfd_create("t", 0);
	char *copy;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	ASSERT_EQ(self->p, mmap(self->p, SIZE, PROT_READ | PROT_WRITE,
				MAP_FIXED | MAP_SHARED, fd, 0));
	if (huge)
		madvise(self->p, SIZE, MADV_HUGEPAGE);
	/* Read first, so that the host's mapping is writable but clean */
	EXPECT_EQ(-1, differs(self, 0, SIZE));
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 62));
	if (huge && smaps_kb(self->p, "ShmemPmdMapped") != SIZE / 1024) {
		close(fd);
		SKIP(return, "the host gives memfds no huge pages");
	}
	EXPECT_SAME();
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       hole, len));
	memset(self->model + hole, 0, len);
	EXPECT_SAME();
	POKE(hole + 0x3008, 63);
	POKE(hole - 8, 64);
	POKE(hole + len, 65);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, 0x20000, 66));
	EXPECT_SAME();
	/* The file has the same */
	copy = malloc(SIZE);
	ASSERT_EQ(SIZE, pread(fd, copy, SIZE, 0));
	EXPECT_EQ(0, memcmp(copy, self->model, SIZE));
	free(copy);
	/* Beyond the end of the file there is no memory */
	ASSERT_EQ(0, ftruncate(fd, HUGE + 4096));
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT,
		  peek(&self->vm, TEST_GPA + HUGE + 4096, &v));
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT, poke(self, SIZE - 8, 1));
	EXPECT_EQ(-1, differs(self, 0, HUGE + 4096));
	close(fd);
}

TEST_F(huge, punch_hole_in_a_memfd)
{
	punch_hole(_metadata, self, false);
}

TEST_F(huge, punch_hole_in_a_huge_memfd)
{
	char before[128] = "", *word, *end;
	int fd = open(THP "shmem_enabled", O_RDONLY);

	if (fd < 0 || read(fd, before, sizeof(before) - 1) < 0)
		SKIP(return, "no transparent huge pages for memfds");
	close(fd);
	word = strchr(before, '[');
	end = strchr(before, ']');
	if (!word || !end || write_text(THP "shmem_enabled", "advise"))
		SKIP(return, "no transparent huge pages for memfds");
	*end = 0;
	punch_hole(_metadata, self, true);
	write_text(THP "shmem_enabled", word + 1);
}

/* Page frame numbers of @nr pages from p on, @stride bytes apart */
static bool frames(const char *p, uint64_t stride, uint64_t *pfn, int nr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY), i;

	for (i = 0; i < nr; i++) {
		if (pread(fd, &pfn[i], 8, ((uintptr_t)p + i * stride) / 512) !=
		    8)
			break;
		pfn[i] &= (1ull << 55) - 1;
	}
	close(fd);
	return i == nr && pfn[0];
}

/* The host merges equal pages; a write to one must not change the other */
TEST_F(huge, ksm)
{
	uint64_t len = 64 * 4096, twin = HUGE + 0x10000, i, sharing;
	static uint64_t a[64], b[64];
	long run = read_number(KSM "run"), pages, sleep_ms;

	if (run < 0)
		SKIP(return, "no KSM on this host");
	pages = read_number(KSM "pages_to_scan");
	sleep_ms = read_number(KSM "sleep_millisecs");
	/* Huge if the host has huge pages: KSM splits them */
	populate_huge(self, 67);
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, len, 68));
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, twin, len, 68));
	ASSERT_EQ(0, madvise(self->p, len, MADV_MERGEABLE));
	ASSERT_EQ(0, madvise(self->p + twin, len, MADV_MERGEABLE));
	sharing = read_number(KSM "pages_sharing");
	write_number(KSM "pages_to_scan", 2000);
	write_number(KSM "sleep_millisecs", 1);
	ASSERT_EQ(0, write_number(KSM "run", 1));
	for (i = 0; i < 2000 &&
	     read_number(KSM "pages_sharing") < sharing + len / 4096; i++)
		usleep(1000);
	EXPECT_EQ(sharing + len / 4096, read_number(KSM "pages_sharing"));
	/* Stop scanning, or the pages would be merged again */
	ASSERT_EQ(0, write_number(KSM "run", 0));
	EXPECT_SAME();
	ASSERT_TRUE(frames(self->p, 4096, a, 64));
	ASSERT_TRUE(frames(self->p + twin, 4096, b, 64));
	EXPECT_EQ(0, memcmp(a, b, sizeof(a)));
	for (i = 0; i < 16; i++)
		POKE(i * 4096 + 8 * i, i);
	for (i = 16; i < 32; i++)
		POKE(twin + i * 4096 + 8 * i, i);
	EXPECT_EQ(-1, differs(self, 0, SIZE));
	ASSERT_TRUE(frames(self->p, 4096, a, 64));
	ASSERT_TRUE(frames(self->p + twin, 4096, b, 64));
	for (i = 0; i < 64; i++)
		EXPECT_EQ(i >= 32, a[i] == b[i]);
	/* Unmerged, they still have the same content */
	ASSERT_EQ(0, write_number(KSM "run", 2));
	EXPECT_EQ(0, read_number(KSM "pages_sharing"));
	EXPECT_SAME();
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, twin, len, 69));
	EXPECT_SAME();
	write_number(KSM "run", run);
	write_number(KSM "pages_to_scan", pages);
	write_number(KSM "sleep_millisecs", sleep_ms);
}

TEST_F(huge, swap)
{
	int round, i;

	NEED_HUGE(70);
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(MVMM_EXIT_HLT,
			  fill_guest(self, 0x1000 * round, HUGE + 0x5000,
				     71 + round));
		for (i = 0; i < 50 &&
		     smaps_kb(self->p, "Swap") < (long)SIZE / 1024; i++) {
			madvise(self->p, SIZE, MADV_PAGEOUT);
			sched_yield();
		}
		if (!smaps_kb(self->p, "Swap"))
			SKIP(return, "no swap space on this host");
		EXPECT_LE(SIZE / 2048, smaps_kb(self->p, "Swap"));
		EXPECT_SAME();
	}
}

/* Each page counts the rounds; a wrong count ends the guest */
GUEST(rounds, "xor %r8d, %r8d\n"
      "1: mov %rsi, %rdi\n mov %rcx, %r9\n"
      "2: cmp %r8, (%rdi)\n jne 3f\n incq (%rdi)\n add %rdx, %rdi\n"
      "dec %r9\n jnz 2b\n"
      "inc %r8\n mov %r8, (%rbx)\n jmp 1b\n"
      "3: hlt");

#define NR_MOVED 256

TEST_F(huge, compaction)
{
	volatile uint64_t *round = (uint64_t *)(self->vm.mem + COUNTER);
	uint64_t gpa = VOID + (128ul << 20), stride = 65536, len, last;
	static uint64_t before[NR_MOVED], after[NR_MOVED];
	struct second first = { self->vm.vcpu, self->vm.run };
	struct mvmm_regs *regs = &self->vm.run->regs;
	int i, tries, moved = 0;
	pthread_t thread;
	void *ret;
	char *p;

	if (access("/proc/sys/vm/compact_memory", W_OK))
		SKIP(return, "no compaction on this host");
	/* Pages with gaps between them, so that compaction moves them */
	len = NR_MOVED * stride;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	madvise(p, len, MADV_NOHUGEPAGE);
	for (i = 0; i < len / 4096; i++)
		*(volatile uint64_t *)(p + i * 4096ul) = 0;
	for (i = 0; i < NR_MOVED; i++)
		ASSERT_EQ(0, madvise(p + i * stride + 4096, stride - 4096,
				     MADV_DONTNEED));
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, gpa, len, p, 0));
	LOAD(&self->vm, rounds);
	vm_set_rip(&self->vm, CODE);
	regs->rsi = gpa;
	regs->rcx = NR_MOVED;
	regs->rdx = stride;
	regs->rbx = COUNTER;
	regs->rflags = RFLAGS_IF;
	*round = 0;
	if (!frames(p, stride, before, NR_MOVED)) {
		munmap(p, len);
		SKIP(return, "no page frame numbers on this host");
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_second, &first));
	for (tries = 0; tries < 5 && !moved; tries++) {
		last = *round;
		for (i = 0; i < 1000 && *round < last + 2; i++)
			usleep(1000);
		EXPECT_EQ(0, write_text("/proc/sys/vm/compact_memory", "1"));
		frames(p, stride, after, NR_MOVED);
		for (i = 0; i < NR_MOVED; i++)
			moved += before[i] != after[i];
		last = *round;
		for (i = 0; i < 1000 && *round < last + 2; i++)
			usleep(1000);
		EXPECT_LE(last + 2, *round);
	}
	self->vm.run->immediate_exit = 1;
	mvmm_kick(self->vm.vcpu);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	/* 0 would mean that the guest found a wrong count */
	EXPECT_EQ(-EINTR, (long)ret);
	for (i = 0; i < NR_MOVED; i++) {
		uint64_t v = *(uint64_t *)(p + i * stride);

		EXPECT_LE(*round, v);
		EXPECT_GE(*round + 1, v);
	}
	munmap(p, len);
	if (!moved)
		SKIP(return, "compaction moved none of the pages");
}

#define NR_HUGE "/proc/sys/vm/nr_hugepages"

static void hugetlb(struct __test_metadata *_metadata,
		    FIXTURE_DATA(huge) *self)
{
	int fd = memfd_create("t", MFD_HUGETLB);
	uint64_t before, v;
	char *view;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	/* Shared, and read first: the host's mapping is writable but clean */
	ASSERT_EQ(self->p, mmap(self->p, SIZE, PROT_READ | PROT_WRITE,
				MAP_FIXED | MAP_SHARED, fd, 0));
	before = faults(self);
	EXPECT_EQ(-1, differs(self, 0, SIZE));
	EXPECT_EQ(before + 2, faults(self));
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, SIZE, 80));
	EXPECT_GE(before + 4, faults(self));
	EXPECT_SAME();
	view = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_EQ(0, memcmp(view, self->model, SIZE));
	munmap(view, SIZE);
	/* Always the whole mapping: splitting one makes Linux 6.1.192 warn */
	ASSERT_EQ(0, mprotect(self->p, SIZE, PROT_READ));
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT, poke(self, SIZE - 8, 1));
	ASSERT_EQ(0, mprotect(self->p, SIZE, PROT_READ | PROT_WRITE));
	POKE(HUGE - 8, 81);
	EXPECT_SAME();
	/* Holes are whole huge pages */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       HUGE, HUGE));
	memset(self->model + HUGE, 0, HUGE);
	EXPECT_SAME();
	/* Private: the guest's writes do not go to the file */
	ASSERT_EQ(self->p, mmap(self->p, SIZE, PROT_READ | PROT_WRITE,
				MAP_FIXED | MAP_PRIVATE, fd, 0));
	EXPECT_EQ(-1, differs(self, 0, HUGE));
	ASSERT_EQ(MVMM_EXIT_HLT, fill_guest(self, 0, HUGE, 82));
	EXPECT_SAME();
	view = mmap(NULL, HUGE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_EQ(80, *(uint64_t *)view);
	munmap(view, HUGE);
	ASSERT_EQ(0, munmap(self->p, SIZE));
	ASSERT_EQ(MVMM_EXIT_MEMORY_FAULT, peek(&self->vm, TEST_GPA, &v));
	close(fd);
}

TEST_F(huge, hugetlbfs)
{
	long before = read_number(NR_HUGE);

	if (before < 0)
		SKIP(return, "no hugetlbfs on this host");
	if (write_number(NR_HUGE, before + 4) ||
	    read_number(NR_HUGE) < before + 4) {
		write_number(NR_HUGE, before);
		SKIP(return, "no memory for hugetlbfs");
	}
	hugetlb(_metadata, self);
	munmap(self->p, SIZE);
	write_number(NR_HUGE, before);
}

TEST_HARNESS_MAIN
