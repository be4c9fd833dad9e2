// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty rings: they list the pages that vCPUs write to, none too few and
 * hardly one twice, and are full before they lose one. The guest keeps a log of
 * its own, in memory that is not logged. The log by bitmaps is in dirty_test.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

#define HUGE	(2ul << 20)
#define SIZE	(2 * HUGE)
#define PAGES	(SIZE / 4096)
#define RING	256u
/* Guest-physical: the logged memory; the guest's own log is at DATA */
#define LOGGED	VOID
#define LOG	MVMM_REGION_LOG_DIRTY

struct collector {
	struct mvmm_dirty_gfn *ring;
	uint32_t next;
};

FIXTURE(ring) {
	struct vm vm;
	char *map;
	char *p;
	struct collector c;
	uint8_t listed[PAGES];	/* how often */
};

FIXTURE_VARIANT(ring) {
	int advice;
};

FIXTURE_VARIANT_ADD(ring, small) {
	.advice = MADV_NOHUGEPAGE,
};

FIXTURE_VARIANT_ADD(ring, huge) {
	.advice = MADV_HUGEPAGE,
};

FIXTURE_SETUP(ring)
{
	if (!module_has(MVMM_FEATURE_DIRTY_RING))
		SKIP(return, "a module without dirty_ring");
	ASSERT_EQ(0, vm_create_ring(&self->vm, MVMM_VM_APIC, RING));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	self->map = mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->p = (char *)(((uintptr_t)self->map + HUGE - 1) & -HUGE);
	madvise(self->p, SIZE, variant->advice);
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, LOGGED, SIZE, self->p, LOG));
	ASSERT_EQ(0, mvmm_map_dirty_ring(self->vm.vcpu, RING, &self->c.ring));
}

FIXTURE_TEARDOWN(ring)
{
	if (!self->c.ring)
		return;
	munmap(self->c.ring, RING * sizeof(*self->c.ring));
	vm_destroy(&self->vm);
	munmap(self->map, SIZE + HUGE);
}

/* Notes in @listed what the ring has; returns how many, or -1: no such page */
static int collect(struct collector *c, uint8_t *listed)
{
	uint64_t gpas[RING];
	int i, n = mvmm_collect_dirty_ring(c->ring, RING, &c->next, gpas, RING);

	for (i = 0; i < n; i++) {
		if (gpas[i] % 4096 || gpas[i] - LOGGED >= SIZE)
			return -1;
		listed[(gpas[i] - LOGGED) / 4096]++;
	}
	return n;
}

/*
 * Writes rcx words to pseudo-random places, r8 = r8 * r9 + r10, and sets each
 * page's byte in the array at rsi
 */
GUEST(scatter, "1: imul %r9, %r8\n add %r10, %r8\n"
      "mov %r8, %rax\n shr $40, %rax\n and $1023, %eax\n"
      "movb $1, (%rsi,%rax)\n"
      "shl $12, %rax\n mov %r8, %rdx\n shr $20, %rdx\n and $0xff8, %edx\n"
      "add %rdx, %rax\n mov %r8, (%rdi,%rax)\n"
      "dec %rcx\n jnz 1b\n out %al, $0x99");
#define FACTOR	6364136223846793005ul
#define SUMMAND	1442695040888963407ul

static struct mvmm_regs scattered(uint64_t seed, uint64_t nr, uint64_t log)
{
	return (struct mvmm_regs){
		.rip = CODE, .rflags = 0x202, .r8 = seed, .r9 = FACTOR,
		.r10 = SUMMAND, .rcx = nr, .rdi = LOGGED, .rsi = log };
}

static int scatter_guest(FIXTURE_DATA(ring) *self, uint64_t seed, uint64_t nr)
{
	memset(self->vm.mem + DATA, 0, PAGES);
	memset(self->listed, 0, PAGES);
	LOAD(&self->vm, scatter);
	vm_set_rip(&self->vm, CODE);
	self->vm.run->regs = scattered(seed, nr, DATA);
	return vm_run(&self->vm) ?: self->vm.run->exit_reason;
}

/* Reads a word of each page */
GUEST(read_all, "1: mov (%rdi), %rax\n add $4096, %rdi\n dec %rcx\n jnz 1b\n"
      "out %al, $0x99");

static int read_guest(FIXTURE_DATA(ring) *self)
{
	LOAD(&self->vm, read_all);
	vm_set_rip(&self->vm, CODE);
	self->vm.run->regs = scattered(0, PAGES, 0);
	return vm_run(&self->vm) ?: self->vm.run->exit_reason;
}

TEST_F(ring, lists_each_page_once)
{
	struct mvmm_regs regs;
	int round, n;

	for (round = 0; round < 4; round++) {
		ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, round, 150));
		regs = self->vm.run->regs;
		n = collect(&self->c, self->listed);
		EXPECT_LT(100, n);
		EXPECT_EQ(0, memcmp(self->listed, self->vm.mem + DATA, PAGES));
		/* Not again before they are reset, nor because they are read */
		ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, round, 150));
		EXPECT_EQ(regs.r8, self->vm.run->regs.r8);
		ASSERT_EQ(MVMM_EXIT_IO, read_guest(self));
		EXPECT_EQ(0, collect(&self->c, self->listed));
		EXPECT_EQ(n, mvmm_reset_dirty_rings(self->vm.vm));
		EXPECT_EQ(0, mvmm_reset_dirty_rings(self->vm.vm));
		ASSERT_EQ(MVMM_EXIT_IO, read_guest(self));
		EXPECT_EQ(0, collect(&self->c, self->listed));
		/* Again after it */
		ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, round, 150));
		EXPECT_EQ(n, collect(&self->c, self->listed));
		EXPECT_EQ(0, memcmp(self->listed, self->vm.mem + DATA, PAGES));
		EXPECT_EQ(n, mvmm_reset_dirty_rings(self->vm.vm));
	}
}

/* Only what was collected is reset, in order */
TEST_F(ring, is_reset_in_part)
{
	uint64_t gpas[2];
	int n;

	ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, 5, 100));
	EXPECT_EQ(0, mvmm_reset_dirty_rings(self->vm.vm));
	ASSERT_EQ(2, mvmm_collect_dirty_ring(self->c.ring, RING, &self->c.next,
					     gpas, 2));
	EXPECT_EQ(2, mvmm_reset_dirty_rings(self->vm.vm));
	EXPECT_EQ(0, self->c.ring[1].flags);
	EXPECT_EQ(MVMM_DIRTY_GFN_DIRTY, self->c.ring[2].flags);
	n = collect(&self->c, self->listed);
	ASSERT_LT(50, n);
	/* Only the first two pages are listed again */
	ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, 5, 100));
	ASSERT_EQ(2, collect(&self->c, self->listed));
	EXPECT_EQ(1, self->listed[(gpas[0] - LOGGED) / 4096]);
	EXPECT_EQ(1, self->listed[(gpas[1] - LOGGED) / 4096]);
	EXPECT_EQ(n + 2, mvmm_reset_dirty_rings(self->vm.vm));
}

/* Writes rsi to all pages, from the last one on */
GUEST(sweep, "1: dec %ecx\n mov %rcx, %rax\n shl $12, %rax\n"
      "mov %rsi, (%rdi,%rax)\n test %ecx, %ecx\n jnz 1b\n out %al, $0x99");

TEST_F(ring, is_full)
{
	struct mvmm_run *run = self->vm.run;
	uint64_t left;
	int i, n, full = 0, twice = 0;

	LOAD(&self->vm, sweep);
	vm_set_rip(&self->vm, CODE);
	run->regs = scattered(0, PAGES, 0x4711);
	for (;;) {
		ASSERT_EQ(0, vm_run(&self->vm));
		if (run->exit_reason != MVMM_EXIT_DIRTY_RING_FULL)
			break;
		full++;
		/* It stays full, also if all is collected, and nothing happens */
		left = run->regs.rcx;
		n = collect(&self->c, self->listed);
		ASSERT_LT(RING / 2, n);
		ASSERT_GT(RING, n);
		for (i = 0; i < 5; i++) {
			ASSERT_EQ(0, vm_run(&self->vm));
			ASSERT_EQ(MVMM_EXIT_DIRTY_RING_FULL, run->exit_reason);
		}
		EXPECT_EQ(left, run->regs.rcx);
		EXPECT_EQ(0, collect(&self->c, self->listed));
		EXPECT_EQ(n, mvmm_reset_dirty_rings(self->vm.vm));
	}
	EXPECT_EQ(MVMM_EXIT_IO, run->exit_reason);
	EXPECT_EQ(PAGES / (RING - 64), full);
	collect(&self->c, self->listed);
	/* The page that fills the ring is written to after the reset */
	for (i = 0; i < PAGES; i++) {
		EXPECT_LE(1, self->listed[i]);
		twice += self->listed[i] - 1;
		EXPECT_EQ(0x4711, *(uint64_t *)(self->p + i * 4096ul));
	}
	EXPECT_EQ(full, twice);
}

/* The host takes pages away, between the writes and the reset and after it */
TEST_F(ring, host_takes_pages)
{
	static const int advice[] = { MADV_DONTNEED, 20 /* MADV_COLD */,
				      21 /* MADV_PAGEOUT */ };
	int i, n;

	for (i = 0; i < ARRAY_SIZE(advice) * 2; i++) {
		ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, i, 150));
		if (i & 1)
			madvise(self->p, SIZE, advice[i / 2]);
		n = collect(&self->c, self->listed);
		EXPECT_EQ(0, memcmp(self->listed, self->vm.mem + DATA, PAGES));
		EXPECT_EQ(n, mvmm_reset_dirty_rings(self->vm.vm));
		if (!(i & 1))
			madvise(self->p, SIZE, advice[i / 2]);
		ASSERT_EQ(MVMM_EXIT_IO, read_guest(self));
		EXPECT_EQ(0, collect(&self->c, self->listed));
	}
}

/* Whatever userspace writes to the ring, the kernel keeps its own count */
TEST_F(ring, rubbish)
{
	static const uint64_t bad[] = { -1ull, 0, LOGGED + 1, LOGGED + SIZE,
					1ull << 63, 1ull << 48, 0xfee00000 };
	struct mvmm_dirty_gfn *ring = self->c.ring;
	int i, n;

	ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, 1, 100));
	for (n = 0; ring[n].flags; n++)
		;
	ASSERT_LT(50, n);
	for (i = 0; i < RING; i++)
		ring[i] = (struct mvmm_dirty_gfn){
			.flags = -1, .reserved = -1,
			.gpa = bad[i % ARRAY_SIZE(bad)] };
	EXPECT_EQ(n, mvmm_reset_dirty_rings(self->vm.vm));
	EXPECT_EQ(0, ring[n - 1].flags);
	EXPECT_EQ(-1u, ring[n].flags);
	/* The next page is listed where the kernel is */
	memset(ring, 0, RING * sizeof(*ring));
	self->c.next = n;
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, 100 + i, 30));
		memset(ring, i & 1 ? 0xff : 0, RING * sizeof(*ring));
		mvmm_reset_dirty_rings(self->vm.vm);
	}
	/* And nothing else has suffered */
	ASSERT_EQ(0, mvmm_remove_region(self->vm.vm, LOGGED, SIZE));
	memset(ring, 0xff, RING * sizeof(*ring));
	EXPECT_LE(0, mvmm_reset_dirty_rings(self->vm.vm));
	LOAD(&self->vm, sweep);
	vm_set_rip(&self->vm, CODE);
	self->vm.run->regs = scattered(0, 1, 0);
	self->vm.run->regs.rdi = DATA;
	ASSERT_EQ(0, vm_run(&self->vm));
	EXPECT_EQ(MVMM_EXIT_IO, self->vm.run->exit_reason);
}

TEST_F(ring, log_goes_off_and_on)
{
	int vm = self->vm.vm, n;

	ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, 1, 100));
	n = collect(&self->c, self->listed);
	ASSERT_EQ(0, mvmm_set_region(vm, LOGGED, SIZE, self->p, 0));
	EXPECT_EQ(n, mvmm_reset_dirty_rings(vm));
	ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, 2, 200));
	EXPECT_EQ(0, collect(&self->c, self->listed));
	ASSERT_EQ(0, mvmm_set_region(vm, LOGGED, SIZE, self->p, LOG));
	ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, 2, 100));
	EXPECT_LT(50, collect(&self->c, self->listed));
	EXPECT_EQ(0, memcmp(self->listed, self->vm.mem + DATA, PAGES));
}

/* A prefault lists nothing, and lets nothing be written unlisted */
TEST_F(ring, prefault)
{
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, mvmm_prefault(self->vm.vm, LOGGED, SIZE,
					   i ? MVMM_PREFAULT_WRITE : 0));
		EXPECT_EQ(0, collect(&self->c, self->listed));
		ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, i, 150));
		EXPECT_LT(100, collect(&self->c, self->listed));
		EXPECT_EQ(0, memcmp(self->listed, self->vm.mem + DATA, PAGES));
		EXPECT_LT(100, mvmm_reset_dirty_rings(self->vm.vm));
	}
}

/* What the module writes for a guest is listed, too: here its clock */
GUEST(set_clock, "mov $0x4b564d01, %ecx\n mov $0x10000ff1, %eax\n xor %edx, %edx\n"
      "1: wrmsr\n add $4096, %eax\n dec %ebx\n jnz 1b\n out %al, $0x99");

TEST_F(ring, clock)
{
	struct mvmm_run *run = self->vm.run;
	int i, full = 0;

	NEEDS("pv");
	/* Each clock is across the edge of two pages */
	LOAD(&self->vm, set_clock);
	vm_set_rip(&self->vm, CODE);
	run->regs = scattered(0, 0, 0);
	run->regs.rbx = PAGES - 1;
	for (;;) {
		ASSERT_EQ(0, vm_run(&self->vm));
		/* The last of the writes before a full ring waits */
		ASSERT_LT(0, collect(&self->c, self->listed));
		if (run->exit_reason != MVMM_EXIT_DIRTY_RING_FULL)
			break;
		full++;
		ASSERT_LT(RING / 2, mvmm_reset_dirty_rings(self->vm.vm));
	}
	EXPECT_EQ(MVMM_EXIT_IO, run->exit_reason);
	EXPECT_LE(PAGES / RING, full);
	for (i = 0; i < PAGES; i++)
		EXPECT_NE(0, self->listed[i]) {
			TH_LOG("page %d", i);
			break;
		}
}

/* Where the clock's second page cannot be written to, only the first is listed */
TEST_F(ring, clock_in_part)
{
	NEEDS("pv");
	ASSERT_EQ(0, mprotect(self->p + 4096, 4096, PROT_READ));
	LOAD(&self->vm, set_clock);
	vm_set_rip(&self->vm, CODE);
	self->vm.run->regs = scattered(0, 0, 0);
	self->vm.run->regs.rbx = 1;
	ASSERT_EQ(0, vm_run(&self->vm));
	EXPECT_EQ(MVMM_EXIT_IO, self->vm.run->exit_reason);
	/* The clock's version */
	EXPECT_EQ(1, *(uint32_t *)(self->p + 0xff0) & 1);
	EXPECT_EQ(1, collect(&self->c, self->listed));
	EXPECT_EQ(1, self->listed[0]);
	EXPECT_EQ(0, self->listed[1]);
}

/* All memory is logged, with the code, its log and the guest's page tables */
TEST_F(ring, page_tables)
{
	uint64_t gpas[RING];
	int i, n, round, log = 0, logged = 0;

	ASSERT_EQ(0, mvmm_set_region(self->vm.vm, 0, MEM_SIZE, self->vm.mem,
				     LOG));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, round, 20));
		n = mvmm_collect_dirty_ring(self->c.ring, RING, &self->c.next,
					    gpas, RING);
		for (i = 0; i < n; i++) {
			log += gpas[i] == DATA;
			logged += gpas[i] >= LOGGED;
		}
		EXPECT_EQ(n, mvmm_reset_dirty_rings(self->vm.vm));
	}
	EXPECT_EQ(3, log);
	EXPECT_LT(50, logged);
}

struct runner {
	pthread_t thread;
	int vcpu, ret;
	struct mvmm_run *run;
	volatile bool done, full;
};

static void *run_to_io(void *arg)
{
	struct runner *r = arg;

	do {
		r->ret = mvmm_run(r->vcpu);
		if (!r->ret && r->run->exit_reason == MVMM_EXIT_DIRTY_RING_FULL) {
			r->full = true;
			usleep(500);
			r->ret = -EINTR;
		}
	} while (r->ret == -EINTR);
	r->done = true;
	return NULL;
}

/* Makes vCPU 1, in the state of vCPU 0 but for the registers, and maps its ring */
static int second_vcpu(FIXTURE_DATA(ring) *self, struct runner *r,
		       struct collector *c)
{
	struct mvmm_sregs sregs;
	struct mvmm_apic apic;

	*c = (struct collector){};
	r->vcpu = mvmm_create_vcpu(self->vm.vm, 1);
	if (r->vcpu < 0 || mvmm_map_run(r->vcpu, &r->run) ||
	    mvmm_map_dirty_ring(r->vcpu, RING, &c->ring) ||
	    mvmm_get_sregs(self->vm.vcpu, &sregs) ||
	    mvmm_set_sregs(r->vcpu, &sregs) ||
	    mvmm_get_apic(r->vcpu, &apic))
		return -1;
	apic.mp_state = MVMM_MP_RUNNABLE;
	return mvmm_set_apic(r->vcpu, &apic);
}

static void close_vcpu(struct runner *r, struct collector *c)
{
	munmap(c->ring, RING * sizeof(*c->ring));
	munmap(r->run, 4096);
	close(r->vcpu);
}

/* A vCPU goes whose ring was not reset; the next one's is empty */
TEST_F(ring, closed_with_entries)
{
	struct collector c;
	struct runner r;
	int round, n;

	LOAD(&self->vm, scatter);
	for (round = 0; round < 3; round++) {
		memset(self->vm.mem + DATA, 0, PAGES);
		memset(self->listed, 0, PAGES);
		ASSERT_EQ(0, second_vcpu(self, &r, &c));
		EXPECT_EQ(0, collect(&c, self->listed));
		r.run->regs = scattered(round, 150, DATA);
		ASSERT_EQ(0, mvmm_run(r.vcpu));
		ASSERT_EQ(MVMM_EXIT_IO, r.run->exit_reason);
		n = collect(&c, self->listed);
		EXPECT_LT(100, n);
		EXPECT_EQ(0, memcmp(self->listed, self->vm.mem + DATA, PAGES));
		if (!round)
			EXPECT_EQ(n, mvmm_reset_dirty_rings(self->vm.vm));
		close_vcpu(&r, &c);
		EXPECT_EQ(0, mvmm_reset_dirty_rings(self->vm.vm));
		/* What nobody lists any more is listed again */
		ASSERT_EQ(0, mvmm_set_region(self->vm.vm, LOGGED, SIZE, self->p,
					     LOG));
	}
	ASSERT_EQ(MVMM_EXIT_IO, scatter_guest(self, round, 150));
	EXPECT_LT(100, collect(&self->c, self->listed));
	EXPECT_EQ(0, memcmp(self->listed, self->vm.mem + DATA, PAGES));
}

/* Two vCPUs write while the rings are emptied: a copy of the memory is exact */
TEST_F(ring, while_they_run)
{
	struct runner r[2] = { { .vcpu = self->vm.vcpu,
				 .run = self->vm.run } };
	struct collector c[2] = { self->c };
	int i, j, rounds = 0;
	char *copy = calloc(1, SIZE);
	bool done;

	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, second_vcpu(self, &r[1], &c[1]));
	LOAD(&self->vm, scatter);
	for (i = 0; i < 2; i++) {
		r[i].run->regs = scattered(i, 20000, DATA + i * 4096);
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, run_to_io,
					    &r[i]));
	}
	do {
		done = r[0].done && r[1].done;
		memset(self->listed, 0, PAGES);
		for (i = 0; i < 2; i++)
			ASSERT_LE(0, collect(&c[i], self->listed));
		ASSERT_LE(0, mvmm_reset_dirty_rings(self->vm.vm));
		for (j = 0; j < PAGES; j++)
			if (self->listed[j])
				memcpy(copy + j * 4096ul, self->p + j * 4096ul,
				       4096);
		rounds++;
		usleep(1000);
	} while (!done);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(r[i].thread, NULL));
		EXPECT_EQ(0, r[i].ret);
		EXPECT_EQ(MVMM_EXIT_IO, r[i].run->exit_reason);
	}
	EXPECT_TRUE(r[0].full || r[1].full);
	EXPECT_EQ(0, memcmp(copy, self->p, SIZE));
	TH_LOG("the rings were emptied %d times", rounds);
	close_vcpu(&r[1], &c[1]);
	free(copy);
}

static int map(int vcpu, uint64_t len, int flags, uint64_t offset)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, vcpu, offset);

	return p == MAP_FAILED ? -errno : munmap(p, len);
}

TEST_F(ring, errnos)
{
	struct mvmm_reset_dirty_rings reset = { .size = sizeof(reset),
						.flags = 1 };
	const uint64_t at = MVMM_DIRTY_RING_OFFSET, len = RING * 16;
	static const uint32_t bad[] = { 0, 1, 128, RING + 1, 384, 131072, -1u };
	int system = self->vm.system, vcpu = self->vm.vcpu, vm, i;
	uint64_t bits[PAGES / 64];
	struct vm other;

	EXPECT_EQ(-1, ioctl(self->vm.vm, MVMM_VM_RESET_DIRTY_RINGS, &reset));
	EXPECT_EQ(EOPNOTSUPP, errno);
	/* There is no bitmap beside the ring */
	EXPECT_EQ(-ENOENT, mvmm_get_dirty_log(self->vm.vm, LOGGED, SIZE, bits));
	EXPECT_EQ(-EBUSY, mvmm_enable_dirty_ring(self->vm.vm, RING));
	EXPECT_EQ(0, map(vcpu, len, MAP_SHARED, at));
	EXPECT_EQ(-EINVAL, map(vcpu, len, MAP_PRIVATE, at));
	EXPECT_EQ(-EINVAL, map(vcpu, len + 4096, MAP_SHARED, at));
	EXPECT_EQ(-EINVAL, map(vcpu, 4096, MAP_SHARED, at + len));
	EXPECT_EQ(-EINVAL, map(vcpu, 4096, MAP_SHARED, 4096));
	EXPECT_EQ(-EINVAL, map(vcpu, at + len, MAP_SHARED, 0));

	vm = mvmm_create_vm(system);
	ASSERT_LE(0, vm);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, mvmm_enable_dirty_ring(vm, bad[i]));
	EXPECT_EQ(-EINVAL, mvmm_reset_dirty_rings(vm));
	ASSERT_EQ(0, mvmm_add_region(vm, 0, 4096, self->p, 0));
	EXPECT_EQ(-EBUSY, mvmm_enable_dirty_ring(vm, RING));
	ASSERT_EQ(0, mvmm_remove_region(vm, 0, 4096));
	/* It can be done again, as long as there is nothing */
	EXPECT_EQ(0, mvmm_enable_dirty_ring(vm, RING));
	EXPECT_EQ(0, mvmm_enable_dirty_ring(vm, 65536));
	vcpu = mvmm_create_vcpu(vm, 0);
	ASSERT_LE(0, vcpu);
	EXPECT_EQ(-EBUSY, mvmm_enable_dirty_ring(vm, RING));
	EXPECT_EQ(0, map(vcpu, 65536 * 16, MAP_SHARED, at));
	close(vcpu);
	EXPECT_EQ(-EBUSY, mvmm_enable_dirty_ring(vm, RING));
	close(vm);

	/* A VM without */
	ASSERT_EQ(0, vm_create(&other));
	EXPECT_EQ(-EINVAL, map(other.vcpu, 4096, MAP_SHARED, at));
	vm_destroy(&other);
}

TEST_HARNESS_MAIN
