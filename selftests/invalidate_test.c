// SPDX-License-Identifier: GPL-2.0
/*
 * The owner's mapping changes while the guest runs: no write of the guest is lost,
 * and what is not the guest's makes no difference. What a changed mapping means for
 * the guest afterwards: memory_test.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

FIXTURE(invalidate) {
	struct vm vm;
};

FIXTURE_SETUP(invalidate)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
}

FIXTURE_TEARDOWN(invalidate)
{
	vm_destroy(&self->vm);
}

/* Adds 1 to the first word of each of the 64 pages from DATA on; hlt */
GUEST(count_pages, "mov $0x100000, %edi\n mov $64, %ecx\n"
		   "1: incq (%rdi)\n add $4096, %rdi\n dec %ecx\n jnz 1b\n"
		   "hlt");
#define COUNTED		64
#define CHILDREN	200

struct counting {
	struct vm *vm;
	bool stop;
	uint64_t rounds;
	int wrong;
};

static void *count_all_the_time(void *arg)
{
	struct counting *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED) && !c->wrong) {
		vm_set_rip(c->vm, CODE);
		c->wrong = vm_run_to_exit(c->vm) != MVMM_EXIT_HLT;
		c->rounds++;
	}
	return NULL;
}

/* In the child: nothing of the VM is its own */
static int try_from_outside(const struct vm *vm, long page)
{
	void *run = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED,
			 vm->vcpu, 0);

	if (run != MAP_FAILED)
		*(volatile char *)run = *(volatile char *)run;
	*(volatile uint64_t *)(vm->mem + DATA) = 5555;
	return mvmm_run(vm->vcpu) == -EPERM ? 0 : 1;
}

/* One child of each kind in turn. Its exit status; -1: there was none */
static int make_child(const struct vm *vm, unsigned int kind, long page)
{
	char *argv[] = { "true", NULL };
	extern char **environ;
	int status = 0;
	pid_t pid;

	switch (kind % 4) {
	case 0:
		pid = fork();
		if (!pid)
			_exit(try_from_outside(vm, page));
		break;
	case 1:
		pid = fork();
		if (!pid) {
			execv("/bin/true", argv);
			_exit(0);
		}
		break;
	case 2:
		pid = vfork();
		if (!pid)
			_exit(0);
		break;
	default:
		if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ))
			return 0;
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

/*
 * Processes come and go while the guest writes: copy-on-write moves its pages all
 * the time, and no write is lost. Parts that children do not get make no
 * difference.
 */
TEST_F(invalidate, fork_storm)
{
	struct counting c = { .vm = &self->vm };
	long page = sysconf(_SC_PAGESIZE);
	char *first = self->vm.mem + DATA;
	pthread_t thread;
	unsigned int i;

	ASSERT_EQ(0, madvise(first + 16 * 4096, 4 * 4096, MADV_DONTFORK));
	ASSERT_EQ(0, madvise(first + 32 * 4096, 4 * 4096, MADV_WIPEONFORK));
	LOAD(&self->vm, count_pages);
	ASSERT_EQ(0, pthread_create(&thread, NULL, count_all_the_time, &c));
	for (i = 0; i < CHILDREN; i++)
		EXPECT_EQ(0, make_child(&self->vm, i, page));
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, c.wrong);
	EXPECT_LT(1, c.rounds);
	for (i = 0; i < COUNTED; i++)
		EXPECT_EQ(c.rounds, *(uint64_t *)(first + i * 4096));
}

/*
 * The guest increments a counter in each page in turn while the host throws
 * pages away. A flush that comes too late shows as a write to a page that the
 * host has taken back.
 */
GUEST(hammer, "sti\n 1: xor %ecx, %ecx\n"
      "2: mov %rcx, %rdi\n shl $12, %rdi\n add $0x100000, %rdi\n"
      "incq (%rdi)\n"
      "inc %rcx\n cmp $32, %rcx\n jb 2b\n"
      "incq 0x90000\n jmp 1b");

static void *run_thread(void *arg)
{
	struct vm *vm = arg;
	long ret;

	do {
		ret = mvmm_run(vm->vcpu);
	} while (ret == -EINTR && !vm->run->immediate_exit);
	return (void *)ret;
}

TEST_F(invalidate, pages_go_while_running)
{
	volatile uint64_t *round = (uint64_t *)(self->vm.mem + 0x90000);
	pthread_t thread;
	void *ret;
	int i, j;

	LOAD(&self->vm, hammer);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_thread, &self->vm));
	for (i = 0; i < 40; i++) {
		volatile uint64_t *page = (void *)(self->vm.mem + DATA +
						   (i % 32) * 4096);
		uint64_t before = *round, seen;

		ASSERT_EQ(0, madvise((void *)page, 4096, MADV_DONTNEED));
		/* The page begins at 0 again, and no old count comes back */
		seen = *page;
		EXPECT_LE(seen, *round - before + 1);
		for (j = 0; j < 10000 && *round == before; j++)
			usleep(1000);
		EXPECT_NE(before, *round);
	}
	self->vm.run->immediate_exit = 1;
	mvmm_kick(self->vm.vcpu);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(-EINTR, (long)ret);
}

#define FRESH		4096ul	/* pages */
#define OF_NOBODY	(512ul << 20)
/* 64 KiB at both ends that are not the guest's: so much is mapped at once */
#define EDGE		(64ul << 10)
#define WITH_EDGES	(FRESH * 4096 + 2 * EDGE)

/* Write to a word of each of rcx pages from rdi on, and say which one it is */
GUEST(write_pages, "1: mov %rcx, (%rdi)\n mov %rcx, 0x90000\n"
      "add $4096, %rdi\n dec %rcx\n jnz 1b\n hlt");

struct touching {
	struct vm *vm;
	int wrong;
	bool done;
};

static int touch(struct vm *vm, unsigned long first, unsigned long nr)
{
	LOAD(vm, write_pages);
	vm_set_rip(vm, CODE);
	vm->run->regs.rdi = VOID + first * 4096;
	vm->run->regs.rcx = nr;
	return vm_run_to_exit(vm) != MVMM_EXIT_HLT;
}

static void *touch_fresh(void *arg)
{
	struct touching *t = arg;

	t->wrong = touch(t->vm, 1, FRESH - 1);
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * What happens to memory that is no guest's holds no fault up: children come that
 * have much to copy, but nothing of the guest
 */
TEST_F(invalidate, memory_of_nobody_changes)
{
	struct touching t = { .vm = &self->vm };
	volatile uint64_t *left = (uint64_t *)(self->vm.mem + 0x90000);
	struct mvmm_stats before, after;
	char *p, *nobody;
	pthread_t thread;
	pid_t child;

	p = mmap(NULL, WITH_EDGES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* Zero pages, and one that is to be copied: else fork() looks at none */
	nobody = mmap(NULL, OF_NOBODY, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
		      MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, nobody);
	madvise(nobody, OF_NOBODY, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, madvise(nobody, OF_NOBODY, MADV_POPULATE_READ));
	ASSERT_EQ(0, mprotect(nobody, OF_NOBODY, PROT_READ | PROT_WRITE));
	*(volatile char *)nobody = 1;
	madvise(p, WITH_EDGES, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, madvise(p, WITH_EDGES, MADV_DONTFORK));
	ASSERT_EQ(0, madvise(self->vm.mem, MEM_SIZE, MADV_DONTFORK));
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, VOID, FRESH * 4096, p + EDGE,
				     0));
	/* Else the code and the page tables are copied on the first write */
	ASSERT_EQ(0, touch(&self->vm, 0, 1));
	mvmm_get_stats(self->vm.vcpu, &before);
	ASSERT_EQ(0, pthread_create(&thread, NULL, touch_fresh, &t));
	/* Nor does the thread write to its stack while there are children */
	while (*left == 1)
		sched_yield();
	do {
		child = fork();
		if (!child)
			_exit(0);
		ASSERT_EQ(child, waitpid(child, NULL, 0));
	} while (!__atomic_load_n(&t.done, __ATOMIC_ACQUIRE));
	pthread_join(thread, NULL);
	mvmm_get_stats(self->vm.vcpu, &after);
	EXPECT_EQ(0, t.wrong);
	EXPECT_LE(FRESH - 1, after.faults - before.faults);
	EXPECT_EQ(before.fault_retries, after.fault_retries);
	munmap(nobody, OF_NOBODY);
	munmap(p, WITH_EDGES);
}

TEST_HARNESS_MAIN
