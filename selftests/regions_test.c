// SPDX-License-Identifier: GPL-2.0
/*
 * MVMM_VM_CHANGE_REGIONS: regions go and come in one step while the guest runs;
 * and what that is good for: guest page tables in ROM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "kselftest_harness.h"
#include "vm.h"

FIXTURE(regions) {
	struct vm vm;
	char *p;		/* 8 pages */
};

FIXTURE_SETUP(regions)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	self->p = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->p);
}

FIXTURE_TEARDOWN(regions)
{
	vm_destroy(&self->vm);
	munmap(self->p, 8 * 4096);
}

#define REGION(page, pages, at, how) (struct mvmm_region){		\
	.gpa = VOID + (page) * 4096ul, .len = (pages) * 4096ul,		\
	.hva = (uintptr_t)(at), .flags = (how) }

GUEST(read_rdi, "mov (%rdi), %rax\n hlt");

/* What the guest reads there; -1: it exits instead */
static long peek(struct vm *vm, uint64_t gpa)
{
	LOAD(vm, read_rdi);
	vm_set_rip(vm, CODE);
	vm->run->regs.rdi = gpa;
	if (vm_run(vm) || vm->run->exit_reason != MVMM_EXIT_HLT)
		return -1;
	return vm->run->regs.rax;
}

static int change(struct vm *vm, uint32_t nr_remove, struct mvmm_region *remove,
		  uint32_t nr_add, struct mvmm_region *add)
{
	return mvmm_change_regions(vm->vm, remove, nr_remove, add, nr_add);
}

TEST_F(regions, in_one_step)
{
	struct mvmm_region one = REGION(0, 4, self->p, 0);
	struct mvmm_region parts[] = {
		/* In any order */
		REGION(3, 1, self->p + 4096, 0), REGION(0, 2, self->p, 0),
		REGION(2, 1, self->p + 7 * 4096, MVMM_REGION_READONLY) };
	int i;

	for (i = 0; i < 8; i++)
		*(long *)(self->p + i * 4096) = 100 + i;
	EXPECT_EQ(0, change(&self->vm, 0, NULL, 0, NULL));
	ASSERT_EQ(0, change(&self->vm, 0, NULL, 1, &one));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(100 + i, peek(&self->vm, VOID + i * 4096));
	ASSERT_EQ(0, change(&self->vm, 1, &one, 3, parts));
	EXPECT_EQ(100, peek(&self->vm, VOID));
	EXPECT_EQ(101, peek(&self->vm, VOID + 4096));
	EXPECT_EQ(107, peek(&self->vm, VOID + 2 * 4096));
	EXPECT_EQ(101, peek(&self->vm, VOID + 3 * 4096));
	ASSERT_EQ(0, change(&self->vm, 3, parts, 0, NULL));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(-1, peek(&self->vm, VOID + i * 4096));
}

/* What fails does nothing, whichever of the entries it is */
TEST_F(regions, all_or_nothing)
{
	struct mvmm_region there = REGION(0, 2, self->p, 0);
	struct mvmm_region remove[2] = { there, there }, add[2];
	struct mvmm_regions r = { .size = sizeof(r) };
	struct mvmm_info info;
	static struct mvmm_region many[300];
	uint32_t i;

	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	*(long *)self->p = 55;
	ASSERT_EQ(0, change(&self->vm, 0, NULL, 1, &there));
	add[0] = REGION(4, 1, self->p, 0);
	add[1] = REGION(6, 1, self->p, 0);
	/* Twice; of another length; nowhere */
	EXPECT_EQ(-ENOENT, change(&self->vm, 2, remove, 1, add));
	remove[1].len = 4096;
	EXPECT_EQ(-ENOENT, change(&self->vm, 2, remove, 1, add));
	remove[1] = REGION(5, 1, 0, 0);
	EXPECT_EQ(-ENOENT, change(&self->vm, 2, remove, 1, add));
	/* They overlap each other; one that stays; the machine's RAM */
	add[1] = add[0];
	EXPECT_EQ(-EEXIST, change(&self->vm, 1, remove, 2, add));
	add[1] = REGION(1, 1, self->p, 0);
	EXPECT_EQ(-EEXIST, change(&self->vm, 0, remove, 2, add));
	add[1].gpa = MEM_SIZE - 4096;
	EXPECT_EQ(-EEXIST, change(&self->vm, 1, remove, 2, add));
	/* What ADD would refuse, too */
	add[1] = REGION(6, 1, self->p + 1, 0);
	EXPECT_EQ(-EINVAL, change(&self->vm, 1, remove, 2, add));
	add[1] = REGION(6, 1, self->p, 1u << 31);
	EXPECT_EQ(-EOPNOTSUPP, change(&self->vm, 1, remove, 2, add));
	add[1] = REGION(6, 1, self->p, 0);
	for (i = 0; i < 300; i++)
		many[i] = REGION(8 + i, 1, self->p, 0);
	EXPECT_EQ(-E2BIG, change(&self->vm, 0, NULL, info.max_regions + 1, many));
	EXPECT_EQ(-E2BIG, change(&self->vm, info.max_regions + 1, many, 0, NULL));
	EXPECT_EQ(-ENOSPC, change(&self->vm, 0, NULL, info.max_regions, many));
	/* The struct's own */
	r.flags = 1;
	EXPECT_EQ(-1, ioctl(self->vm.vm, MVMM_VM_CHANGE_REGIONS, &r));
	EXPECT_EQ(EOPNOTSUPP, errno);
	r = (struct mvmm_regions){ .size = sizeof(r), .nr_add = 1, .add = 8 };
	EXPECT_EQ(-1, ioctl(self->vm.vm, MVMM_VM_CHANGE_REGIONS, &r));
	EXPECT_EQ(EFAULT, errno);
	add[0].size--;
	r.add = (uintptr_t)add;
	EXPECT_EQ(-1, ioctl(self->vm.vm, MVMM_VM_CHANGE_REGIONS, &r));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(55, peek(&self->vm, VOID));
	EXPECT_EQ(-1, peek(&self->vm, VOID + 4 * 4096));
	/* There is room for all but two: the RAM, and this one */
	EXPECT_EQ(0, change(&self->vm, 0, NULL, info.max_regions - 2, many));
	EXPECT_EQ(0, change(&self->vm, info.max_regions - 2, many, 1, add));
	EXPECT_EQ(55, peek(&self->vm, VOID));
	EXPECT_EQ(55, peek(&self->vm, VOID + 4 * 4096));
}

GUEST(write_rdi, "mov %rsi, (%rdi)\n hlt");

TEST_F(regions, a_log_stays)
{
	struct mvmm_region logged = REGION(0, 2, self->p, MVMM_REGION_LOG_DIRTY);
	struct mvmm_region halves[] = {
		REGION(0, 1, self->p, MVMM_REGION_LOG_DIRTY),
		REGION(1, 1, self->p + 4096, 0) };
	uint64_t bits = 0;

	NEEDS("dirty");
	ASSERT_EQ(0, change(&self->vm, 0, NULL, 1, &logged));
	LOAD(&self->vm, write_rdi);
	self->vm.run->regs.rdi = VOID + 4096;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	/* Of the same address and length: it goes on */
	logged.hva += 2 * 4096;
	ASSERT_EQ(0, change(&self->vm, 1, &logged, 1, &logged));
	EXPECT_EQ(0, mvmm_get_dirty_log(self->vm.vm, VOID, 2 * 4096, &bits));
	EXPECT_EQ(2, bits);
	/* What is another region begins anew */
	vm_set_rip(&self->vm, CODE);
	self->vm.run->regs.rdi = VOID;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(0, change(&self->vm, 1, &logged, 2, halves));
	EXPECT_EQ(0, mvmm_get_dirty_log(self->vm.vm, VOID, 4096, &bits));
	EXPECT_EQ(0, bits);
	EXPECT_EQ(-ENOENT, mvmm_get_dirty_log(self->vm.vm, VOID + 4096, 4096,
					      &bits));
	vm_set_rip(&self->vm, CODE);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0, mvmm_get_dirty_log(self->vm.vm, VOID, 4096, &bits));
	EXPECT_EQ(1, bits);
}

/*
 * The pages at rdi and rsi have one number, which grows. In: rbx: a flag that
 * ends it. Out: rcx: how often it looked; r8, r9, r10: what it saw, r8 > r9 or
 * r9 > r10 only if the step was not one.
 */
GUEST(looks, "xor %ecx, %ecx\n"
      "1: mov (%rdi), %r8\n mov (%rsi), %r9\n mov (%rdi), %r10\n inc %rcx\n"
      "cmp %r9, %r8\n ja 2f\n cmp %r10, %r9\n ja 2f\n"
      "cmpl $0, (%rbx)\n je 1b\n 2: hlt");

struct runner {
	struct vm *vm;
	int reason;
};

static void *run(void *arg)
{
	struct runner *r = arg;

	r->reason = vm_run_to_exit(r->vm);
	return NULL;
}

TEST_F(regions, while_it_runs)
{
	struct mvmm_regs *regs = &self->vm.run->regs;
	struct runner runner = { &self->vm, 0 };
	struct mvmm_region old[2], new[2];
	pthread_t thread;
	long i;

	old[0] = REGION(0, 1, self->p, 0);
	old[1] = REGION(1, 1, self->p + 4096, 0);
	ASSERT_EQ(0, change(&self->vm, 0, NULL, 2, old));
	LOAD(&self->vm, looks);
	regs->rdi = VOID;
	regs->rsi = VOID + 4096;
	regs->rbx = DATA;
	/* A guest that spins without is not interrupted by Bochs */
	regs->rflags = 0x202;
	ASSERT_EQ(0, pthread_create(&thread, NULL, run, &runner));
	for (i = 1; i <= 200; i++) {
		char *p = self->p + (i % 4) * 2 * 4096;

		*(long *)p = i;
		*(long *)(p + 4096) = i;
		new[0] = REGION(0, 1, p, 0);
		new[1] = REGION(1, 1, p + 4096, 0);
		ASSERT_EQ(0, change(&self->vm, 2, old, 2, new));
		memcpy(old, new, sizeof(old));
		/* The guest, too, if there is one CPU */
		if (i % 25 == 0)
			sched_yield();
	}
	*(volatile int *)(self->vm.mem + DATA) = 1;
	pthread_join(thread, NULL);
	/* No exit by a hole, and none by a mixture */
	EXPECT_EQ(MVMM_EXIT_HLT, runner.reason);
	EXPECT_LE(regs->r8, regs->r9);
	EXPECT_LE(regs->r9, regs->r10);
	EXPECT_NE(0, regs->rcx);
}

/*
 * The CPU walks the guest's tables by writes, even if all A and D bits are set.
 * Each page of them becomes a private one when it is named.
 */
GUEST(rom, "mov %rdi, %cr3\n mov (%rsi), %rax\n hlt");
TEST_F(regions, page_tables_in_rom)
{
	struct mvmm_run *exit = self->vm.run;
	struct mvmm_region whole = REGION(0, 4, self->p, MVMM_REGION_READONLY);
	uint64_t *table = (uint64_t *)self->p;
	int i, faults = 0;

	/* One large page: 0 to 2 MiB, A and D are set */
	table[0] = (VOID + 4096) | 0x27;
	table[512] = (VOID + 2 * 4096) | 0x27;
	table[1024] = 0xe7;
	ASSERT_EQ(0, change(&self->vm, 0, NULL, 1, &whole));
	LOAD(&self->vm, rom);
	*(long *)(self->vm.mem + DATA) = 77;
	exit->regs.rdi = VOID;
	exit->regs.rsi = DATA;
	for (i = 0; i < 4; i++) {
		struct mvmm_region page;

		ASSERT_EQ(0, vm_run(&self->vm));
		if (exit->exit_reason != MVMM_EXIT_MEMORY_FAULT)
			break;
		faults++;
		ASSERT_EQ(EROFS, exit->fault.error);
		ASSERT_NE(0, exit->fault.access & MVMM_ACCESS_PAGE_WALK);
		ASSERT_GT(3 * 4096, exit->fault.gpa - VOID);
		page = REGION((exit->fault.gpa - VOID) / 4096, 1,
			      self->p + 4 * 4096 + i * 4096, 0);
		ASSERT_EQ((uintptr_t)self->p + page.gpa - VOID, exit->fault.hva);
		memcpy((void *)page.hva, (void *)exit->fault.hva, 4096);
		if (faults == 1) {
			/* The first time the region falls into its pages */
			struct mvmm_region parts[4];
			int n;

			for (n = 0; n < 4; n++)
				parts[n] = REGION(n, 1, self->p + n * 4096,
						  MVMM_REGION_READONLY);
			parts[(page.gpa - VOID) / 4096] = page;
			ASSERT_EQ(0, change(&self->vm, 1, &whole, 4, parts));
		} else {
			ASSERT_EQ(0, change(&self->vm, 1, &page, 1, &page));
		}
	}
	EXPECT_EQ(MVMM_EXIT_HLT, exit->exit_reason);
	EXPECT_EQ(77, exit->regs.rax);
	/* Where EPT has no A and D bits the walk only reads */
	EXPECT_TRUE(faults == 3 ||
		    (!faults && !module_has(MVMM_FEATURE_NESTED_AD)));
	/* A write of the guest's own to what is left is MMIO */
	LOAD(&self->vm, write_rdi);
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	exit->regs.rdi = VOID + 3 * 4096;
	ASSERT_EQ(0, vm_run(&self->vm));
	EXPECT_EQ(MVMM_EXIT_MMIO, exit->exit_reason);
}

TEST_HARNESS_MAIN
