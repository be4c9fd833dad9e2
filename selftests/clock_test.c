// SPDX-License-Identifier: GPL-2.0
/*
 * The time of a VM: it is read, set, stopped and goes on; the guest's TSC,
 * kvmclock and APIC timer follow, of all vCPUs at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>
#include "kselftest_harness.h"
#include "vm.h"

#define MSR_TSC		0x10
#define MSR_TSC_ADJUST	0x3b
#define MSR_CLOCK	0x4b564d01
#define MSR_STEAL	0x4b564d03
#define STOPPED_FLAG	2	/* PVCLOCK_GUEST_STOPPED */
#define PAGE		(DATA + 0x100)
#define STEAL		(DATA + 0x200)

#define WRMSR(msr, value)						\
	"mov $" #msr ", %ecx\n mov $" #value ", %eax\n xor %edx, %edx\n" \
	"wrmsr\n"
#define TSC(to) "rdtsc\n shl $32, %rdx\n or %rdx, %rax\n mov %rax, %" #to "\n"

struct pvclock {
	uint32_t version, pad;
	uint64_t tsc, ns;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad2[2];
};

FIXTURE(clock) {
	struct vm vm;
	int vcpu2;
	uint64_t khz;
	volatile struct pvclock *page;
};

FIXTURE_SETUP(clock)
{
	struct mvmm_info info;

	ASSERT_EQ(0, vm_create_flags(&self->vm, MVMM_VM_APIC));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	self->vcpu2 = mvmm_create_vcpu(self->vm.vm, 1);
	ASSERT_LE(0, self->vcpu2);
	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	EXPECT_NE(0, info.features & MVMM_FEATURE_CLOCK);
	self->khz = info.tsc_khz;
	self->page = (struct pvclock *)(self->vm.mem + PAGE);
}

FIXTURE_TEARDOWN(clock)
{
	close(self->vcpu2);
	vm_destroy(&self->vm);
}

static uint64_t get_msr(int vcpu, uint32_t index)
{
	struct mvmm_msr msr = { .index = index };

	return mvmm_get_msrs(vcpu, &msr, 1) == 1 ? msr.value : ~0ull;
}

static int set_msr(int vcpu, uint32_t index, uint64_t value)
{
	struct mvmm_msr msr = { .index = index, .value = value };

	return mvmm_set_msrs(vcpu, &msr, 1) == 1 ? 0 : -EPROTO;
}

/* Stops it at this moment */
static int stop(int vm, struct mvmm_clock *c)
{
	int ret = mvmm_get_clock(vm, c);

	c->flags = MVMM_CLOCK_STOPPED;
	return ret ?: mvmm_set_clock(vm, c);
}

/* It goes on from where it stands */
static int go_on(int vm)
{
	struct mvmm_clock c;
	int ret = mvmm_get_clock(vm, &c);

	c.flags = 0;
	c.host_tsc = 0;
	return ret ?: mvmm_set_clock(vm, &c);
}

static uint64_t ns_of(FIXTURE_DATA(clock) *self, uint64_t ticks)
{
	return (unsigned __int128)ticks * 1000000 / self->khz;
}

TEST_F(clock, goes_on)
{
	struct mvmm_clock a, b;
	struct timespec now;

	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &a));
	usleep(20000);
	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &b));
	clock_gettime(CLOCK_REALTIME, &now);
	EXPECT_EQ(0, a.flags);
	EXPECT_LT(20000000, b.realtime - a.realtime);
	EXPECT_LE(b.realtime, now.tv_sec * 1000000000ull + now.tv_nsec);
	EXPECT_EQ(b.host_tsc - a.host_tsc, b.tsc - a.tsc);
	/* Both are rounded down */
	EXPECT_GE(1, ns_of(self, b.tsc - a.tsc) - (b.kvmclock - a.kvmclock) + 1);
	/* A new vCPU has added nothing */
	EXPECT_EQ(0, get_msr(self->vm.vcpu, MSR_TSC_ADJUST));
	EXPECT_LE(b.tsc, get_msr(self->vm.vcpu, MSR_TSC));
}

/* What GET gave, SET takes, and nothing moves */
TEST_F(clock, set_as_it_was)
{
	struct mvmm_clock a, b;

	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &a));
	ASSERT_EQ(0, mvmm_set_clock(self->vm.vm, &a));
	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &b));
	EXPECT_EQ(a.host_tsc - a.tsc, b.host_tsc - b.tsc);
	/* Also if it was stopped between */
	ASSERT_EQ(0, stop(self->vm.vm, &b));
	usleep(10000);
	b.flags = 0;
	ASSERT_EQ(0, mvmm_set_clock(self->vm.vm, &b));
	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &b));
	EXPECT_EQ(a.host_tsc - a.tsc, b.host_tsc - b.tsc);
}

static void *runs(void *arg)
{
	struct vm *vm = arg;

	while (mvmm_run(vm->vcpu) == -EINTR && !vm->mem[DATA + 1])
		;
	return NULL;
}

GUEST(spin, "movb $1, 0x100000\n 1: pause\n jmp 1b\n");
TEST_F(clock, errnos)
{
	struct mvmm_clock c = { .flags = 2 }, ok;
	pthread_t thread;

	EXPECT_EQ(-EOPNOTSUPP, mvmm_set_clock(self->vm.vm, &c));
	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &ok));
	c = ok;
	/* An hour from now */
	c.host_tsc += self->khz * 3600000;
	EXPECT_EQ(-EINVAL, mvmm_set_clock(self->vm.vm, &c));
	LOAD(&self->vm, spin);
	ASSERT_EQ(0, pthread_create(&thread, NULL, runs, &self->vm));
	while (!*(volatile char *)(self->vm.mem + DATA))
		usleep(1000);
	EXPECT_EQ(-EBUSY, mvmm_set_clock(self->vm.vm, &ok));
	EXPECT_EQ(0, mvmm_get_clock(self->vm.vm, &c));
	self->vm.mem[DATA + 1] = 1;
	ASSERT_EQ(0, mvmm_kick(self->vm.vcpu));
	pthread_join(thread, NULL);
	/* It has let go of all vCPUs */
	EXPECT_EQ(0, mvmm_set_clock(self->vm.vm, &ok));
	ASSERT_EQ(0, stop(self->vm.vm, &c));
	EXPECT_EQ(-EAGAIN, mvmm_run(self->vm.vcpu));
}

GUEST(reads, "1:\n" TSC(r8) "out %al, $0x99\n jmp 1b\n");

/* The TSC that the guest reads */
static uint64_t guest_tsc(struct vm *vm)
{
	if (vm_run(vm) || vm->run->exit_reason != MVMM_EXIT_IO)
		return 0;
	vm->run->retire = vm->run->insn_len;
	return vm->run->regs.r8;
}

/* All vCPUs move, and what one has added to its TSC stays */
TEST_F(clock, is_set)
{
	const uint64_t far = 1ull << 50;
	struct mvmm_clock c = { .tsc = far, .kvmclock = 7000000000 };

	ASSERT_EQ(0, set_msr(self->vcpu2, MSR_TSC_ADJUST, 1000000));
	ASSERT_EQ(0, mvmm_set_clock(self->vm.vm, &c));
	LOAD(&self->vm, reads);
	EXPECT_LE(far, guest_tsc(&self->vm));
	EXPECT_GT(far + self->khz * 600000, guest_tsc(&self->vm));
	EXPECT_EQ(0, get_msr(self->vm.vcpu, MSR_TSC_ADJUST));
	EXPECT_EQ(1000000, get_msr(self->vcpu2, MSR_TSC_ADJUST));
	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &c));
	EXPECT_EQ(7000000000 + ns_of(self, c.tsc - far), c.kvmclock);
	/* And back */
	c.tsc = 5;
	c.host_tsc = 0;
	ASSERT_EQ(0, mvmm_set_clock(self->vm.vm, &c));
	EXPECT_GT(far, guest_tsc(&self->vm));
	/* A vCPU that is made later has the same time */
	close(self->vcpu2);
	self->vcpu2 = mvmm_create_vcpu(self->vm.vm, 2);
	ASSERT_LE(0, self->vcpu2);
	ASSERT_EQ(0, stop(self->vm.vm, &c));
	EXPECT_EQ(c.tsc, get_msr(self->vcpu2, MSR_TSC));
	EXPECT_EQ(c.tsc, get_msr(self->vm.vcpu, MSR_TSC));
}

static bool has_tsc_adjust(int vcpu)
{
	struct mvmm_cpuid_entry e[128];
	int n = mvmm_get_vcpu_cpuid(vcpu, e, ARRAY_SIZE(e)), i;

	for (i = 0; i < n; i++)
		if (e[i].leaf == 7 && !e[i].subleaf)
			return e[i].ebx & 2;
	return false;
}

/* IA32_TSC_ADJUST moves the TSC, and writing the TSC changes it */
GUEST(adjusts, WRMSR(0x3b, 1000) "out %al, $0x99\n" WRMSR(0x10, 0)
      "out %al, $0x99\n");
TEST_F(clock, tsc_adjust)
{
	struct mvmm_clock c;

	if (!has_tsc_adjust(self->vm.vcpu))
		SKIP(return, "no leaf 7 of CPUID");
	LOAD(&self->vm, adjusts);
	guest_tsc(&self->vm);
	EXPECT_EQ(1000, get_msr(self->vm.vcpu, MSR_TSC_ADJUST));
	ASSERT_EQ(0, stop(self->vm.vm, &c));
	EXPECT_EQ(c.tsc + 1000, get_msr(self->vm.vcpu, MSR_TSC));
	ASSERT_EQ(0, go_on(self->vm.vm));
	guest_tsc(&self->vm);
	ASSERT_EQ(0, stop(self->vm.vm, &c));
	EXPECT_EQ(get_msr(self->vm.vcpu, MSR_TSC) - c.tsc,
		  get_msr(self->vm.vcpu, MSR_TSC_ADJUST));
	EXPECT_GT(0, (int64_t)get_msr(self->vm.vcpu, MSR_TSC_ADJUST));
	/* A write of userspace while it stands */
	ASSERT_EQ(0, set_msr(self->vm.vcpu, MSR_TSC, 12345));
	EXPECT_EQ(12345, get_msr(self->vm.vcpu, MSR_TSC));
}

TEST_F(clock, stands)
{
	struct mvmm_clock a, b;
	uint64_t before;

	LOAD(&self->vm, reads);
	before = guest_tsc(&self->vm);
	ASSERT_EQ(0, stop(self->vm.vm, &a));
	EXPECT_LE(before, a.tsc);
	usleep(30000);
	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &b));
	EXPECT_EQ(MVMM_CLOCK_STOPPED, b.flags);
	EXPECT_EQ(a.tsc, b.tsc);
	EXPECT_EQ(a.kvmclock, b.kvmclock);
	EXPECT_EQ(a.host_tsc, b.host_tsc);
	EXPECT_LT(a.realtime, b.realtime);
	EXPECT_EQ(a.tsc, get_msr(self->vm.vcpu, MSR_TSC));
	ASSERT_EQ(0, go_on(self->vm.vm));
	before = guest_tsc(&self->vm);
	EXPECT_LE(a.tsc, before);
	/* Without the 30 ms: host_tsc shows how much of the rest went by */
	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &b));
	EXPECT_LE(self->khz * 30,
		  (b.host_tsc - a.host_tsc) - (b.tsc - a.tsc));
}

GUEST(arms, "mov $0x1b, %ecx\n rdmsr\n or $0xc00, %eax\n wrmsr\n"
      WRMSR(0x80f, 0x1ff) WRMSR(0x83e, 0xb) "out %al, $0x99\n");

/* Ticks of the guest's TSC, and ns of its clock, in some 20 ms of the host's TSC */
static int speed(int vm, uint64_t *ticks, uint64_t *ns, uint64_t *host)
{
	struct mvmm_clock a, b;
	int ret = mvmm_get_clock(vm, &a);

	usleep(20000);
	ret = ret ?: mvmm_get_clock(vm, &b);
	*ticks = b.tsc - a.tsc;
	*ns = b.kvmclock - a.kvmclock;
	*host = b.host_tsc - a.host_tsc;
	return ret;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The guest's TSC has another rate; the clock, and what the timer is set to, has not */
TEST_F(clock, rate)
{
	/* Of the host's: slower, a little faster, much faster */
	static const uint32_t part[][2] = { { 1, 3 }, { 1001, 1000 }, { 5, 1 } };
	struct mvmm_clock c, now;
	uint64_t ticks, ns, host, seen, before;
	struct mvmm_apic apic;
	unsigned int i;

	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &c));
	EXPECT_EQ(self->khz, c.tsc_khz);
	/* The rate that it has can be set anywhere */
	EXPECT_EQ(0, mvmm_set_clock(self->vm.vm, &c));
	if (!module_has(MVMM_FEATURE_TSC_SCALING)) {
		c.tsc_khz = self->khz / 3;
		EXPECT_EQ(-EOPNOTSUPP, mvmm_set_clock(self->vm.vm, &c));
		SKIP(return, "a CPU that does not scale the TSC");
	}
	c.reserved = 1;
	EXPECT_EQ(-EINVAL, mvmm_set_clock(self->vm.vm, &c));
	c.reserved = 0;
	c.tsc_khz = self->khz / 64 - 1;
	EXPECT_EQ(-EINVAL, mvmm_set_clock(self->vm.vm, &c));
	c.tsc_khz = self->khz * 64 + 64;
	EXPECT_EQ(-EINVAL, mvmm_set_clock(self->vm.vm, &c));
	LOAD(&self->vm, reads);
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		uint64_t khz = self->khz * part[i][0] / part[i][1];

		ASSERT_EQ(0, set_msr(self->vcpu2, MSR_TSC_ADJUST, 12345));
		ASSERT_EQ(0, stop(self->vm.vm, &c));
		c.tsc_khz = khz;
		ASSERT_EQ(0, mvmm_set_clock(self->vm.vm, &c));
		/* It stands where it stood */
		ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &now));
		EXPECT_EQ(c.tsc, now.tsc);
		EXPECT_EQ(c.kvmclock, now.kvmclock);
		EXPECT_EQ(khz, now.tsc_khz);
		EXPECT_EQ(12345, get_msr(self->vcpu2, MSR_TSC_ADJUST));
		EXPECT_EQ(c.tsc + 12345, get_msr(self->vcpu2, MSR_TSC));
		ASSERT_EQ(0, go_on(self->vm.vm));
		ASSERT_EQ(0, speed(self->vm.vm, &ticks, &ns, &host));
		EXPECT_GE(2, distance(ticks, host * khz / self->khz));
		EXPECT_GE(ns / 1000, distance(ns, ns_of(self, host)));
		/* What the guest itself reads lies between two looks from outside */
		ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &c));
		seen = guest_tsc(&self->vm);
		ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &now));
		EXPECT_LE(c.tsc, seen + 1);
		EXPECT_LE(seen, now.tsc + 1);
		/* Of a vCPU that is made now, too */
		ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &c));
		close(self->vcpu2);
		self->vcpu2 = mvmm_create_vcpu(self->vm.vm, 2 + i);
		ASSERT_LE(0, self->vcpu2);
		seen = get_msr(self->vcpu2, MSR_TSC);
		ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &now));
		EXPECT_LE(c.tsc, seen);
		EXPECT_LE(seen, now.tsc);
	}
	/* 20 ms by the guest's TSC, which has five times the rate */
	LOAD(&self->vm, arms);
	vm_set_rip(&self->vm, CODE);
	guest_tsc(&self->vm);
	ASSERT_EQ(0, stop(self->vm.vm, &c));
	ASSERT_EQ(0, mvmm_get_apic(self->vm.vcpu, &apic));
	apic.regs[0x320 / 4] = 0x40060;
	apic.tsc_deadline = c.tsc + c.tsc_khz * 20;
	ASSERT_EQ(0, mvmm_set_apic(self->vm.vcpu, &apic));
	before = ns_of(self, c.host_tsc);
	ASSERT_EQ(0, go_on(self->vm.vm));
	do {
		ASSERT_EQ(0, mvmm_get_apic(self->vm.vcpu, &apic));
		ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &now));
	} while (apic.tsc_deadline && now.tsc < c.tsc + c.tsc_khz * 2000ull);
	EXPECT_EQ(0, apic.tsc_deadline);
	EXPECT_LE(c.tsc + c.tsc_khz * 20, now.tsc);
	EXPECT_LE(20000000, ns_of(self, now.host_tsc) - before);
}

/* A deadline and a count stand, too */
TEST_F(clock, timer)
{
	struct mvmm_apic apic, later;
	struct mvmm_clock c;
	int i, wait;

	LOAD(&self->vm, arms);
	guest_tsc(&self->vm);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, stop(self->vm.vm, &c));
		ASSERT_EQ(0, mvmm_get_apic(self->vm.vcpu, &apic));
		memset(&apic.regs[0x200 / 4], 0, 0x80);
		/* 20 ms from now: a deadline; a count, at half the TSC's rate */
		apic.regs[0x320 / 4] = i ? 0x60 : 0x40060;
		apic.tsc_deadline = i ? 0 : c.tsc + self->khz * 20;
		apic.regs[0x380 / 4] = i ? self->khz * 10 : 0;
		apic.regs[0x390 / 4] = apic.regs[0x380 / 4];
		ASSERT_EQ(0, mvmm_set_apic(self->vm.vcpu, &apic));
		usleep(40000);
		ASSERT_EQ(0, mvmm_get_apic(self->vm.vcpu, &later));
		EXPECT_EQ(0, memcmp(&apic.tsc_deadline, &later.tsc_deadline,
				    sizeof(apic) - 16));
		ASSERT_EQ(0, go_on(self->vm.vm));
		/* The timer's CPU may be late: the other one has slept then */
		for (wait = 0; wait < 1000 && !later.regs[0x230 / 4]; wait++) {
			usleep(1000);
			ASSERT_EQ(0, mvmm_get_apic(self->vm.vcpu, &later));
		}
		EXPECT_EQ(0, later.tsc_deadline | later.regs[0x390 / 4]);
		EXPECT_EQ(1, later.regs[0x230 / 4]);
	}
}

/* kvmclock continues, and says once that it was stopped */
TEST_F(clock, kvmclock)
{
	volatile struct pvclock *page = self->page;
	struct mvmm_clock c = { .tsc = 1000, .kvmclock = 5000000000 };
	/* The page has the moment a second before: TSCs may differ a little */
	const uint64_t ticks = self->khz * 1000ull, second = 1000000000;
	uint32_t version;

	NEEDS("pv");
	ASSERT_EQ(0, set_msr(self->vm.vcpu, MSR_TSC_ADJUST, 500));
	ASSERT_EQ(0, set_msr(self->vm.vcpu, MSR_CLOCK, PAGE | 1));
	LOAD(&self->vm, reads);
	/* Of a clock before, in a VM whose memory this is */
	page->version = 0x101;
	guest_tsc(&self->vm);
	EXPECT_EQ(0x102, page->version);
	EXPECT_EQ(0, page->flags & STOPPED_FLAG);
	ASSERT_EQ(0, mvmm_set_clock(self->vm.vm, &c));
	guest_tsc(&self->vm);
	EXPECT_EQ(1500 - ticks, page->tsc);
	EXPECT_EQ(5000000000 - second, page->ns);
	/* It ran all the time */
	EXPECT_EQ(0, page->flags & STOPPED_FLAG);
	ASSERT_EQ(0, stop(self->vm.vm, &c));
	version = page->version;
	ASSERT_EQ(0, go_on(self->vm.vm));
	guest_tsc(&self->vm);
	EXPECT_LT(version, page->version);
	EXPECT_EQ(c.tsc + 500 - ticks, page->tsc);
	EXPECT_EQ(c.kvmclock - second, page->ns);
	EXPECT_NE(0, page->flags & STOPPED_FLAG);
	/* It stays until the guest has seen it, and does not come again */
	ASSERT_EQ(0, mvmm_set_clock(self->vm.vm, &c));
	ASSERT_EQ(0, go_on(self->vm.vm));
	guest_tsc(&self->vm);
	EXPECT_NE(0, page->flags & STOPPED_FLAG);
	page->flags &= ~STOPPED_FLAG;
	ASSERT_EQ(0, mvmm_get_clock(self->vm.vm, &c));
	ASSERT_EQ(0, mvmm_set_clock(self->vm.vm, &c));
	guest_tsc(&self->vm);
	EXPECT_EQ(0, page->flags & STOPPED_FLAG);
}

/* After RESET there is another guest, which was not stopped */
TEST_F(clock, reset)
{
	struct mvmm_clock c;

	NEEDS("pv");
	ASSERT_EQ(0, set_msr(self->vm.vcpu, MSR_CLOCK, PAGE | 1));
	ASSERT_EQ(0, stop(self->vm.vm, &c));
	ASSERT_EQ(0, go_on(self->vm.vm));
	ASSERT_EQ(0, mvmm_reset(self->vm.vcpu, 0));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	ASSERT_EQ(0, set_msr(self->vm.vcpu, MSR_CLOCK, PAGE | 1));
	LOAD(&self->vm, reads);
	guest_tsc(&self->vm);
	EXPECT_NE(0, self->page->version);
	EXPECT_EQ(0, self->page->flags & STOPPED_FLAG);
}

/* A thread that does not come back for a second was stopped */
TEST_F(clock, interrupted)
{
	uint64_t start;

	NEEDS("pv");
	ASSERT_EQ(0, set_msr(self->vm.vcpu, MSR_CLOCK, PAGE | 1));
	LOAD(&self->vm, reads);
	guest_tsc(&self->vm);
	start = __rdtsc();
	ASSERT_EQ(0, mvmm_kick(self->vm.vcpu));
	EXPECT_EQ(-EINTR, mvmm_run(self->vm.vcpu));
	guest_tsc(&self->vm);
	/* Unless a busy machine has stopped it for so long */
	if (__rdtsc() - start >= self->khz * 1000ull)
		self->page->flags = 0;
	EXPECT_EQ(0, self->page->flags & STOPPED_FLAG);
	/* After an exit it is userspace's work that takes long */
	usleep(1100000);
	guest_tsc(&self->vm);
	EXPECT_EQ(0, self->page->flags & STOPPED_FLAG);
	ASSERT_EQ(0, mvmm_kick(self->vm.vcpu));
	EXPECT_EQ(-EINTR, mvmm_run(self->vm.vcpu));
	usleep(1100000);
	guest_tsc(&self->vm);
	EXPECT_NE(0, self->page->flags & STOPPED_FLAG);
}

/* A busy process for each CPU */
static void make_busy(pid_t *pids, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			;
	}
}

/* It loses time, and finds just that in the page, with another version; even */
static bool loses_beside(FIXTURE_DATA(clock) *self, uint64_t before)
{
	volatile uint64_t *steal = (uint64_t *)(self->vm.mem + STEAL);
	volatile uint32_t *version = (uint32_t *)(steal + 1);
	struct mvmm_times times;
	uint64_t lost = *steal;
	uint32_t was = *version;
	int i;

	for (i = 0; i < 1000 && *steal == lost; i++) {
		guest_tsc(&self->vm);
		if (mvmm_get_times(self->vm.vcpu, &times) || *version & 1 ||
		    *steal != before + times.steal)
			return false;
		/* So that the thread waits for its CPU */
		usleep(1000);
	}
	return *steal > lost && *version > was;
}

static bool loses(FIXTURE_DATA(clock) *self, uint64_t before)
{
	int i, n = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pids[n];
	bool ret;

	make_busy(pids, n);
	/* So Linux lets it wait when it wakes up */
	setpriority(PRIO_PROCESS, 0, 19);
	ret = loses_beside(self, before);
	setpriority(PRIO_PROCESS, 0, 0);
	for (i = 0; i < n; i++) {
		if (pids[i] > 0)
			kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	return ret;
}

/* Steal time is added to what the guest has, also in a page that has to come first */
TEST_F(clock, steal_time)
{
	const uint64_t before = 1ull << 40;
	struct mvmm_times times;

	NEEDS("pv");
	*(uint64_t *)(self->vm.mem + STEAL) = before;
	ASSERT_EQ(0, set_msr(self->vm.vcpu, MSR_STEAL, STEAL | 1));
	LOAD(&self->vm, reads);
	EXPECT_TRUE(loses(self, before));
	ASSERT_EQ(0, mvmm_get_times(self->vm.vcpu, &times));
	ASSERT_EQ(0, madvise(self->vm.mem + DATA, 4096, MADV_DONTNEED));
	EXPECT_TRUE(loses(self, *(uint64_t *)(self->vm.mem + STEAL) -
				times.steal));
}

/*
 * Sets the byte "preempted" as it is when the vCPU was saved, and runs it. Returns
 * how many flushes that has cost, or -1: the byte is not 0 then
 */
static int comes_back(FIXTURE_DATA(clock) *self, uint8_t preempted)
{
	volatile uint8_t *byte = (uint8_t *)self->vm.mem + STEAL + 16;
	struct mvmm_stats before, after;

	*byte = preempted;
	mvmm_get_stats(self->vm.vcpu, &before);
	if (set_msr(self->vm.vcpu, MSR_STEAL, STEAL | 1))
		return -1;
	guest_tsc(&self->vm);
	mvmm_get_stats(self->vm.vcpu, &after);
	return *byte ? -1 : (int)(after.flush_memory - before.flush_memory);
}

/* Other vCPUs leave a flush to one that is away, and it does that when it is back */
TEST_F(clock, flush_of_who_was_away)
{
	uint64_t dirty[MEM_SIZE / 4096 / 64] = { 0 };
	cpu_set_t set;

	NEEDS("pv");
	/* On another CPU it would flush anyway */
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
	LOAD(&self->vm, reads);
	guest_tsc(&self->vm);
	EXPECT_EQ(0, comes_back(self, 0));
	EXPECT_EQ(0, comes_back(self, 1));
	EXPECT_EQ(1, comes_back(self, 3));
	EXPECT_EQ(0, comes_back(self, 1));
	if (built_without("dirty"))
		return;
	/* Where a log has to note it, it is not known that a flush is needless */
	ASSERT_EQ(0, mvmm_set_region(self->vm.vm, 0, MEM_SIZE, self->vm.mem,
				     MVMM_REGION_LOG_DIRTY));
	guest_tsc(&self->vm);
	EXPECT_EQ(1, comes_back(self, 1));
	EXPECT_EQ(1, comes_back(self, 3));
	ASSERT_EQ(0, mvmm_get_dirty_log(self->vm.vm, 0, MEM_SIZE, dirty));
	EXPECT_NE(0, dirty[STEAL / 4096 / 64] >> STEAL / 4096 % 64 & 1);
}

TEST_F(clock, steal_time_is_logged)
{
	uint64_t dirty[MEM_SIZE / 4096 / 64] = { 0 };

	NEEDS("pv");
	NEEDS("dirty");
	ASSERT_EQ(0, set_msr(self->vm.vcpu, MSR_STEAL, STEAL | 1));
	LOAD(&self->vm, reads);
	ASSERT_EQ(0, mvmm_set_region(self->vm.vm, 0, MEM_SIZE, self->vm.mem,
				     MVMM_REGION_LOG_DIRTY));
	EXPECT_TRUE(loses(self, 0));
	ASSERT_EQ(0, mvmm_get_dirty_log(self->vm.vm, 0, MEM_SIZE, dirty));
	EXPECT_NE(0, dirty[STEAL / 4096 / 64] >> STEAL / 4096 % 64 & 1);
}

/* The host stops at the page until it is told what is there, or may be written */
static int open_userfaultfd(void *page)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct uffdio_register reg = {
		.range = { (uintptr_t)page, 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	return fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	       ioctl(fd, UFFDIO_REGISTER, &reg) ? -errno : fd;
}

static void *runs_once(void *arg)
{
	struct vm *vm = arg;

	vm_run(vm);
	return NULL;
}

/*
 * The clock's page is looked up, and the host takes its time to make it writable.
 * When that is done the page is not the guest's any more, or not to be written to
 */
TEST_F(clock, memory_goes_before_it_is_written)
{
	char zeroes[4096] = {}, *p;
	int i, fd;

	NEEDS("pv");
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	fd = open_userfaultfd(p);
	if (fd == -ENOSYS)
		SKIP(return, "a kernel without userfaultfd");
	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++) {
		struct uffdio_copy copy = {
			.dst = (uintptr_t)p, .src = (uintptr_t)zeroes,
			.len = 4096, .mode = UFFDIO_COPY_MODE_WP };
		struct uffdio_writeprotect allow = {
			.range = { (uintptr_t)p, 4096 } };
		struct uffd_msg msg;
		pthread_t thread;
		int ret;

		ASSERT_EQ(0, madvise(p, 4096, MADV_DONTNEED));
		ASSERT_EQ(0, mvmm_add_region(self->vm.vm, VOID, 4096, p, 0));
		LOAD(&self->vm, reads);
		ASSERT_EQ(0, vm_set_rip(&self->vm, CODE));
		ASSERT_EQ(0, set_msr(self->vm.vcpu, MSR_CLOCK, VOID | 1));
		ASSERT_EQ(0, pthread_create(&thread, NULL, runs_once,
					    &self->vm));
		/* It is read first */
		ASSERT_EQ(sizeof(msg), read(fd, &msg, sizeof(msg)));
		ASSERT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
		ASSERT_EQ(0, msg.arg.pagefault.flags);
		ASSERT_EQ(0, ioctl(fd, UFFDIO_COPY, &copy));
		ASSERT_EQ(sizeof(msg), read(fd, &msg, sizeof(msg)));
		ASSERT_NE(0, msg.arg.pagefault.flags &
			  UFFD_PAGEFAULT_FLAG_WP);
		ret = i ? mvmm_set_region(self->vm.vm, VOID, 4096, p,
					  MVMM_REGION_READONLY) :
			  mvmm_remove_region(self->vm.vm, VOID, 4096);
		ASSERT_EQ(0, ret);
		ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &allow));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(0, memcmp(p, zeroes, 4096));
	}
	close(fd);
	munmap(p, 4096);
}

TEST_HARNESS_MAIN
