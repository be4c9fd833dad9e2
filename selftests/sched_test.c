// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU scheduler: VMs compete for CPUs. Their guests count in memory
 * without end, and how far one has counted is the measure of the CPU time that
 * it got.
 *
 * MVMM_TEST_LONG=1: measures for longer, with narrower limits.
 *
 * MVMM_TEST_UNSTEADY=1: this machine's CPUs take turns in one thread of an
 * emulator, in real time. When other programs hold that thread up, a guest gets
 * less done in one second than in the next. Then shares are measured by how
 * long each vCPU had a CPU (MVMM_VCPU_GET_TIMES), and for as long as the longest
 * of such stops, which one vCPU pays for, does not matter any more; if that takes
 * too long the test is skipped. So are tests that need a steady clock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>
#include "kselftest_harness.h"
#include "vm.h"

#define MAX_VMS		5
#define MAX_VCPUS	4
#define ALL_CPUS	(-1)
#define IF		(1ull << 9)
#define GIGA_TICKS	1000000000ull
#define BOUND_MS	20000	/* of each COMES() */
#define UNSTEADY_MS	20000	/* the longest measurement of shares */
#define SLICE_NS	6000000ull
#define PATIENCE_NS	(500 * SLICE_NS)
#define HAND_OVER_NS	1000000ull	/* of slots, during one wait */
/* The longest wait of one of n vCPUs, if Linux runs some of them late: scheduling.rst */
#define LATE_NS(n)	((10 * (n) + 1) * SLICE_NS)
#define PARAMETERS	"/sys/module/mvmm/parameters/"

/* The vCPU's own counter is at rbx */
GUEST(count_up, "1: incq (%rbx)\n jmp 1b");

/*
 * The vCPUs of a VM take turns by a ticket lock, which lies behind their
 * counters in memory. A vCPU that waits executes PAUSE, in the second payload
 * nothing that a CPU notices.
 */
#define LOCK_TEXT "2048"
#define TAKE_TURNS(wait)						\
	"mov %rbx, %r8\n and $~0xfff, %r8\n add $" LOCK_TEXT ", %r8\n"	\
	"1: mov $1, %eax\n lock xaddl %eax, (%r8)\n"			\
	"2: cmp 4(%r8), %eax\n je 3f\n" wait "jmp 2b\n"			\
	"3: mov $500, %ecx\n 4: dec %ecx\n jnz 4b\n"			\
	"incq (%rbx)\n incl 4(%r8)\n jmp 1b"

/* Sleeps by its APIC's timer, again and again: rsi counts of it each time */
#define APIC(msr, value)						\
	"mov $" #msr ", %ecx\n mov " value ", %eax\n xor %edx, %edx\n wrmsr\n"
GUEST(nap, "mov $0x1b, %ecx\n rdmsr\n or $0xc00, %eax\n wrmsr\n"
      APIC(0x80f, "$0x1ff") APIC(0x832, "$0x30") APIC(0x83e, "$0xb")
      "1: cli\n" APIC(0x838, "%esi") "sti\n hlt\n" APIC(0x80b, "$0")
      /* The stub's list of events is not to grow */
      "movq $0, 0x35000\n incq (%rbx)\n jmp 1b");

GUEST(take_turns, TAKE_TURNS("pause\n"));
GUEST(take_turns_silently, TAKE_TURNS(""));

struct thread {
	int vcpu, cpu, policy, nice;	/* policy: of Linux, SCHED_* */
	struct mvmm_run *run;
	pthread_t thread;
	bool started;
	volatile bool stop;
	volatile unsigned int interrupted;	/* RUNs with -EINTR */
	volatile int error;
};

struct load {
	struct vm vm;
	unsigned int nr;
	struct thread thread[MAX_VCPUS];
};

FIXTURE(sched) {
	struct load load[MAX_VMS];
	unsigned int nr;
	bool full;
};

static void no_op(int signal)
{
}

static bool pin(pthread_t thread, int cpu)
{
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (cpu == ALL_CPUS || cpu == i)
			CPU_SET(i, &set);
	return !pthread_setaffinity_np(thread, sizeof(set), &set);
}

/* The calling thread is of this class; of real time ones of the lowest prio */
static bool be(int policy)
{
	struct sched_param param = { .sched_priority = policy == SCHED_FIFO };

	return !sched_setscheduler(0, policy, &param);
}

static void *run_vcpu(void *arg)
{
	struct thread *t = arg;
	int ret;

	if (!pin(pthread_self(), t->cpu) || !be(t->policy) ||
	    setpriority(PRIO_PROCESS, 0, t->nice))
		t->error = EINVAL;
	while (!t->stop && !t->error) {
		ret = mvmm_run(t->vcpu);
		if (ret == -EINTR)
			t->interrupted++;
		else
			t->error = ret ? -ret : 1000 + t->run->exit_reason;
	}
	return NULL;
}

static int add_vcpu(struct load *l, unsigned int id)
{
	struct thread *t = &l->thread[id];
	struct vm vm = l->vm;
	struct mvmm_apic apic;
	int ret;

	if (id) {
		ret = vm.vcpu = mvmm_create_vcpu(vm.vm, id);
		if (ret >= 0)
			ret = mvmm_map_run(vm.vcpu, &vm.run);
		if (ret < 0)
			return ret;
	}
	t->vcpu = vm.vcpu;
	t->run = vm.run;
	ret = vm_set_mode(&vm, LONG64);
	if (!ret)
		ret = mvmm_get_apic(vm.vcpu, &apic);
	apic.mp_state = MVMM_MP_RUNNABLE;
	if (!ret)
		ret = mvmm_set_apic(vm.vcpu, &apic);
	vm.run->regs.rbx = DATA + id * 64;
	vm.run->regs.rflags |= IF;
	return ret;
}

/* Makes a VM with so many vCPUs, which do not run yet */
static int load_create(struct load *l, unsigned int vcpus, int cpu)
{
	int ret = vm_create_flags(&l->vm, MVMM_VM_APIC);
	unsigned int i;

	for (i = 0; !ret && i < vcpus; i++, l->nr++) {
		l->thread[i].cpu = cpu;
		ret = add_vcpu(l, i);
	}
	LOAD(&l->vm, count_up);
	return ret;
}

static bool load_start(struct load *l)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++) {
		if (pthread_create(&l->thread[i].thread, NULL, run_vcpu,
				   &l->thread[i]))
			return false;
		l->thread[i].started = true;
	}
	return true;
}

static void load_destroy(struct load *l)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++) {
		l->thread[i].stop = true;
		l->thread[i].run->immediate_exit = 1;
		mvmm_kick(l->thread[i].vcpu);
	}
	for (i = 0; i < l->nr; i++) {
		if (l->thread[i].started)
			pthread_join(l->thread[i].thread, NULL);
		if (i) {
			munmap(l->thread[i].run, 4096);
			close(l->thread[i].vcpu);
		}
	}
	if (l->nr)
		vm_destroy(&l->vm);
	memset(l, 0, sizeof(*l));
}

static uint64_t counter(const struct load *l, unsigned int id)
{
	return *(volatile uint64_t *)(l->vm.mem + DATA + id * 64);
}

static uint64_t progress(const struct load *l)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		sum += counter(l, i);
	return sum;
}

static uint64_t run_time(const struct load *l)
{
	struct mvmm_times times;
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < l->nr; i++) {
		mvmm_get_times(l->thread[i].vcpu, &times);
		sum += times.run;
	}
	return sum;
}

static uint64_t longest_wait(const struct load *l)
{
	struct mvmm_times times = { 0 };

	mvmm_get_times(l->thread[0].vcpu, &times);
	return times.longest_wait;
}

static bool unsteady(void)
{
	return getenv("MVMM_TEST_UNSTEADY");
}

#define NEEDS_STEADY_CLOCK(name) do {					\
	if (unsteady())							\
		SKIP(return, name ": needs a steady clock");		\
} while (0)

static uint64_t had(const struct load *l)
{
	return unsteady() ? run_time(l) : progress(l);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000l };

	while (nanosleep(&left, &left))
		;
}

/* Waits until @condition is true, or for BOUND_MS; returns if it is */
#define COMES(condition) ({						\
	uint64_t end_ = now_ms() + BOUND_MS;				\
	bool came_;							\
	while (!(came_ = (condition)) && now_ms() < end_)		\
		sleep_ms(5);						\
	came_; })

/*
 * What each VM had, in per mille of what all had, during @ms; with @full during
 * eight times as long, and 1 G ticks at least; with an unsteady clock during three
 * times as long. @stood: the longest stop of the machine, in ms, if it makes the
 * shares worthless.
 */
struct shares {
	unsigned int of[MAX_VMS], stood;
	uint64_t sum, ticks;
};

#define NEEDS_SHARES(name, s) do {					\
	if ((s).stood)							\
		SKIP(return, name ": the clock stood for %u ms at once",	\
		     (s).stood);					\
} while (0)

/* In per cent: in a short run one slice more or less is some of them */
static unsigned int limit(bool full)
{
	return full ? 2 : 6;
}

static struct shares measure(struct load *l, unsigned int nr, unsigned int ms,
			     bool full)
{
	uint64_t before[MAX_VMS], start, begun = now_ms(), last, now, late = 0;
	/* A stop that ends before the step does is not seen */
	unsigned int i, step = unsteady() ? 5 : full ? 1000 : 100;
	struct shares s = { .sum = 0 };

	for (i = 0; i < nr; i++)
		before[i] = had(&l[i]);
	start = __rdtsc();
	/* Where the emulator's threads are held up, many short times even out */
	ms *= full ? 8 : unsteady() ? 3 : 1;
	do {
		last = now_ms();
		sleep_ms(step);
		now = now_ms();
		if (now - last > step + late)
			late = now - last - step;
		/* A quarter of what is tolerated */
		s.stood = unsteady() &&
			  late * 400 > (now - begun) * limit(full) ? late : 0;
	} while (now - begun < ms || (full && __rdtsc() - start < GIGA_TICKS) ||
		 (s.stood && now - begun < UNSTEADY_MS));
	s.ticks = __rdtsc() - start;
	for (i = 0; i < nr; i++) {
		before[i] = had(&l[i]) - before[i];
		s.sum += before[i];
	}
	for (i = 0; i < nr && s.sum; i++)
		s.of[i] = before[i] * 1000 / s.sum;
	return s;
}

/* Is the difference at most so many per cent of @should? */
static bool near(uint64_t is, uint64_t should, unsigned int percent)
{
	uint64_t off = is > should ? is - should : should - is;

	return off * 100 <= should * percent;
}

static bool write_policy(const char *name)
{
	return write_parameter("sched", name);
}

static bool policy_is(const char *name)
{
	int fd = open(PARAMETERS "sched", O_RDONLY);
	char text[16] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 && !strncmp(text, name, strlen(name));
}

FIXTURE_SETUP(sched)
{
	struct sigaction act = { .sa_handler = no_op };

	self->full = getenv("MVMM_TEST_LONG");
	sigaction(SIGUSR1, &act, NULL);
	ASSERT_TRUE(write_policy("fair"));
}

FIXTURE_TEARDOWN(sched)
{
	unsigned int i, j;

	for (i = 0; i < MAX_VMS; i++) {
		for (j = 0; j < self->load[i].nr; j++)
			EXPECT_EQ(0, self->load[i].thread[j].error);
		load_destroy(&self->load[i]);
	}
	write_policy("fair");
	write_parameter("sched_per_user", "0");
}

#define LONG_LIMIT	600	/* s: Bochs is slow */
#define SCHED_TEST(name) TEST_F_TIMEOUT(sched, name, LONG_LIMIT)
#define LIMIT limit(self->full)
#define WARM_UP_MS 200

TEST_F(sched, settings)
{
	struct mvmm_vm_sched s = { .size = sizeof(s), .weight = 100,
				   .reserved = 1 };
	struct mvmm_times times = { .size = sizeof(times) };
	struct load *l = self->load;

	ASSERT_EQ(0, load_create(l, 1, 0));
	EXPECT_EQ(0, mvmm_set_sched(l->vm.vm, 1, 0));
	EXPECT_EQ(0, mvmm_set_sched(l->vm.vm, 10000, 6400));
	EXPECT_EQ(-EINVAL, mvmm_set_sched(l->vm.vm, 0, 0));
	EXPECT_EQ(-EINVAL, mvmm_set_sched(l->vm.vm, 10001, 0));
	EXPECT_EQ(-EINVAL, mvmm_set_sched(l->vm.vm, 100, 6401));
	EXPECT_EQ(-1, ioctl(l->vm.vm, MVMM_VM_SET_SCHED, &s));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, ioctl(l->vm.vcpu, MVMM_VCPU_GET_TIMES, &times));
	EXPECT_EQ(0, times.run + times.wait + times.steal);
	times.size = 8;
	EXPECT_EQ(-1, ioctl(l->vm.vcpu, MVMM_VCPU_GET_TIMES, &times));
	EXPECT_EQ(-1, ioctl(l->vm.vcpu, MVMM_VCPU_GET_TIMES, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_FALSE(write_policy("none"));
	EXPECT_TRUE(policy_is("fair"));
}

SCHED_TEST(weights_1_2_4)
{
	struct load *l = self->load;
	struct shares s;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		ASSERT_EQ(0, mvmm_set_sched(l[i].vm.vm, 100 << i, 0));
		ASSERT_TRUE(load_start(&l[i]));
	}
	sleep_ms(WARM_UP_MS);
	s = measure(l, 3, 1200, self->full);
	TH_LOG("%u : %u : %u per mille of %llu, in %llu M ticks", s.of[0],
	       s.of[1], s.of[2], (long long)s.sum,
	       (long long)s.ticks / 1000000);
	NEEDS_SHARES("weights_1_2_4", s);
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(near(s.of[i], 1000 * (1 << i) / 7, LIMIT));
	/* The bound that the policy promises for unequal weights */
	for (i = 0; i < 3; i++)
		EXPECT_LT(longest_wait(&l[i]), PATIENCE_NS + 4 * SLICE_NS);
}

/*
 * With equal weights the bound is a slice for each runnable vCPU, and one more
 */
SCHED_TEST(waits_are_bounded)
{
	struct load *l = self->load;
	uint64_t longest;
	int i;

	NEEDS_STEADY_CLOCK("waits_are_bounded");
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		ASSERT_TRUE(load_start(&l[i]));
	}
	sleep_ms(WARM_UP_MS);
	measure(l, 3, 600, self->full);
	for (i = 0; i < 3; i++) {
		longest = longest_wait(&l[i]);
		TH_LOG("longest wait: %llu us", (long long)longest / 1000);
		/* It has waited, for the two others */
		EXPECT_LT(SLICE_NS, longest);
		EXPECT_GE(4 * SLICE_NS + HAND_OVER_NS, longest);
	}
}

SCHED_TEST(weights_count_per_vm)
{
	struct load *l = self->load;
	struct shares s;
	int i;

	ASSERT_EQ(0, load_create(&l[0], 4, 0));
	ASSERT_EQ(0, load_create(&l[1], 1, 0));
	ASSERT_TRUE(load_start(&l[0]));
	ASSERT_TRUE(load_start(&l[1]));
	sleep_ms(WARM_UP_MS);
	s = measure(l, 2, 600, self->full);
	TH_LOG("four vCPUs %u, one %u per mille", s.of[0], s.of[1]);
	NEEDS_SHARES("weights_count_per_vm", s);
	EXPECT_TRUE(near(s.of[0], 500, LIMIT));
	for (i = 0; i < 4; i++)
		EXPECT_NE(0, counter(&l[0], i));
}

/* A cap is a part of the CPU's time, also if nobody else wants it */
SCHED_TEST(cap)
{
	struct load *l = self->load;
	uint64_t ticks, all, part;
	struct shares s;

	/* Time that the machine held up counts against the cap, too */
	NEEDS_STEADY_CLOCK("cap");
	ASSERT_EQ(0, load_create(l, 1, 0));
	ASSERT_TRUE(load_start(l));
	sleep_ms(WARM_UP_MS);
	s = measure(l, 1, 500, false);
	all = s.sum;
	ticks = s.ticks;
	ASSERT_EQ(0, mvmm_set_sched(l->vm.vm, 100, 25));
	sleep_ms(WARM_UP_MS);
	s = measure(l, 1, 1500, self->full);
	part = s.sum * 1000 / (all * s.ticks / ticks);
	TH_LOG("%llu per mille of what it had alone", (long long)part);
	EXPECT_TRUE(near(part, 250, LIMIT));
	/* Without the cap it has all again */
	ASSERT_EQ(0, mvmm_set_sched(l->vm.vm, 100, 0));
	s = measure(l, 1, 300, false);
	EXPECT_TRUE(near(s.sum, all * s.ticks / ticks, 10));
}

SCHED_TEST(weight_changes)
{
	struct load *l = self->load;
	struct shares s;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		ASSERT_TRUE(load_start(&l[i]));
	}
	sleep_ms(WARM_UP_MS);
	s = measure(l, 2, 500, self->full);
	TH_LOG("equal: %u : %u per mille", s.of[0], s.of[1]);
	NEEDS_SHARES("weight_changes", s);
	EXPECT_TRUE(near(s.of[0], 500, LIMIT));
	ASSERT_EQ(0, mvmm_set_sched(l[1].vm.vm, 300, 0));
	sleep_ms(WARM_UP_MS);
	s = measure(l, 2, 600, self->full);
	TH_LOG("1 to 3: %u : %u per mille", s.of[0], s.of[1]);
	NEEDS_SHARES("weight_changes", s);
	EXPECT_TRUE(near(s.of[0], 250, LIMIT));
	EXPECT_TRUE(near(s.of[1], 750, LIMIT));
}

static bool all_count(struct load *l, unsigned int nr)
{
	uint64_t before[MAX_VMS][MAX_VCPUS];
	unsigned int i, j;

	for (i = 0; i < nr; i++)
		for (j = 0; j < l[i].nr; j++)
			before[i][j] = counter(&l[i], j);
	for (i = 0; i < nr; i++)
		for (j = 0; j < l[i].nr; j++)
			if (!COMES(counter(&l[i], j) != before[i][j]))
				return false;
	return true;
}

SCHED_TEST(policies_switch)
{
	static const char *const names[] = { "rr", "gang", "fair", "gang",
					     "rr", "fair" };
	struct load *l = self->load;
	int i, j;

	NEEDS("policies");
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, load_create(&l[i], i + 1, 0));
		ASSERT_TRUE(load_start(&l[i]));
	}
	for (i = 0; i < 6; i++) {
		ASSERT_TRUE(write_policy(names[i]));
		EXPECT_TRUE(policy_is(names[i]));
		EXPECT_TRUE(all_count(l, 3));
	}
	/* At any moment of a decision */
	for (j = 0; j < 200; j++) {
		ASSERT_TRUE(write_policy(names[j % 6]));
		usleep(j * 97 % 5000);
	}
	EXPECT_TRUE(all_count(l, 3));
}

/* Round robin gives each vCPU the same, whatever the weights are */
SCHED_TEST(round_robin)
{
	struct load *l = self->load;
	struct shares s;
	int i;

	NEEDS("policies");
	/* It does not make up for a slice that the machine held up */
	NEEDS_STEADY_CLOCK("round_robin");
	ASSERT_TRUE(write_policy("rr"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, load_create(&l[i], i ? 1 : 3, 0));
		ASSERT_EQ(0, mvmm_set_sched(l[i].vm.vm, 100 + 900 * i, 0));
		ASSERT_TRUE(load_start(&l[i]));
	}
	sleep_ms(WARM_UP_MS);
	s = measure(l, 2, 600, self->full);
	TH_LOG("three vCPUs %u, one %u per mille", s.of[0], s.of[1]);
	EXPECT_TRUE(near(s.of[1], 250, LIMIT));
}

/*
 * The light VM's turn would come only after a minute (in the long form): it is
 * chosen earlier, when it has waited for PATIENCE_NS.
 */
SCHED_TEST(nobody_starves)
{
	unsigned int heavy = self->full ? 10000 : 50;
	struct load *l = self->load;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, load_create(&l[i], 2, 0));
		ASSERT_EQ(0, mvmm_set_sched(l[i].vm.vm, i ? heavy : 1, 0));
		ASSERT_TRUE(load_start(&l[i]));
	}
	sleep_ms(WARM_UP_MS);
	EXPECT_TRUE(all_count(l, 2));
}

SCHED_TEST(two_cpus_water_filled)
{
	static const unsigned int due[] = { 167, 333, 500 };
	struct load *l = self->load;
	struct shares s;
	int i, tries;

	if (sysconf(_SC_NPROCESSORS_ONLN) != 2)
		SKIP(return, "two_cpus_water_filled: needs 2 CPUs");
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, ALL_CPUS));
		ASSERT_EQ(0, mvmm_set_sched(l[i].vm.vm, 100 << i, 0));
		ASSERT_TRUE(load_start(&l[i]));
	}
	sleep_ms(WARM_UP_MS);
	/*
	 * The heaviest has a CPU to itself. A thread of the host's own that runs there
	 * takes from it alone, so wait until those that tests before have left are done
	 */
	for (tries = 0; tries < 5; tries++) {
		s = measure(l, 3, 1200, self->full);
		TH_LOG("%u : %u : %u per mille", s.of[0], s.of[1], s.of[2]);
		if (near(s.of[0], due[0], LIMIT) && near(s.of[2], due[2], LIMIT))
			break;
	}
	NEEDS_SHARES("two_cpus_water_filled", s);
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(near(s.of[i], due[i], LIMIT));
}

/* A vCPU that is sent to another CPU leaves the first one to the other vCPU */
SCHED_TEST(affinity_changes)
{
	struct load *l = self->load;
	struct mvmm_times before, after;
	struct shares s;
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "affinity_changes: needs 2 CPUs");
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		ASSERT_TRUE(load_start(&l[i]));
	}
	ASSERT_TRUE(all_count(l, 2));
	ASSERT_TRUE(pin(l[1].thread[0].thread, 1));
	sleep_ms(WARM_UP_MS);
	ASSERT_EQ(0, mvmm_get_times(l[0].vm.vcpu, &before));
	s = measure(l, 2, 300, false);
	ASSERT_EQ(0, mvmm_get_times(l[0].vm.vcpu, &after));
	TH_LOG("%u : %u per mille", s.of[0], s.of[1]);
	EXPECT_EQ(before.wait, after.wait);
	/* Sent back it competes again, and the other CPU gave it no credit */
	ASSERT_EQ(0, mvmm_set_sched(l[0].vm.vm, 300, 0));
	ASSERT_TRUE(pin(l[1].thread[0].thread, 0));
	sleep_ms(WARM_UP_MS);
	s = measure(l, 2, 600, false);
	TH_LOG("and back, 3 to 1: %u : %u per mille", s.of[0], s.of[1]);
	NEEDS_SHARES("affinity_changes", s);
	EXPECT_TRUE(near(s.of[0], 750, 6));
}

static bool set_online(const char *on)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);
	bool good = fd >= 0 && write(fd, on, 1) == 1;

	if (fd >= 0)
		close(fd);
	return good;
}

/* vCPUs on a CPU that goes offline go on elsewhere, and come back */
SCHED_TEST(a_cpu_goes_and_comes)
{
	struct load *l = self->load;
	struct mvmm_times before, after;
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) != 2)
		SKIP(return, "a_cpu_goes_and_comes: needs 2 CPUs");
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, load_create(&l[i], i + 1, ALL_CPUS));
		ASSERT_TRUE(load_start(&l[i]));
	}
	for (i = 0; i < (self->full ? 30 : 5); i++) {
		ASSERT_TRUE(set_online("0"));
		EXPECT_TRUE(all_count(l, 3));
		ASSERT_TRUE(set_online("1"));
		EXPECT_TRUE(all_count(l, 3));
	}
	/* Both CPUs are used again: of two vCPUs none waits */
	load_destroy(&l[2]);
	load_destroy(&l[1]);
	ASSERT_EQ(0, load_create(&l[1], 1, ALL_CPUS));
	ASSERT_TRUE(load_start(&l[1]));
	ASSERT_TRUE(all_count(l, 2));
	sleep_ms(WARM_UP_MS);
	ASSERT_EQ(0, mvmm_get_times(l[0].vm.vcpu, &before));
	sleep_ms(100);
	ASSERT_EQ(0, mvmm_get_times(l[0].vm.vcpu, &after));
	EXPECT_EQ(before.wait, after.wait);
	EXPECT_LT(before.run, after.run);
}

/*
 * After a wait the vCPU writes the steal time to guest memory before it enters.
 * That must not cost it the slot that it waited for.
 */
SCHED_TEST(steal_time)
{
	struct mvmm_msr msr = { .index = 0x4b564d03 };
	struct load *l = self->load;
	volatile uint8_t *preempted;
	struct mvmm_times t;
	int i, j;

	NEEDS("pv");
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, load_create(&l[i], 2, 0));
		for (j = 0; j < 2; j++) {
			msr.value = (DATA + 4096 + j * 64) | 1;
			ASSERT_EQ(1, mvmm_set_msrs(l[i].thread[j].vcpu, &msr,
						   1));
		}
		ASSERT_TRUE(load_start(&l[i]));
	}
	sleep_ms(WARM_UP_MS);
	for (i = 0; i < 5; i++)
		EXPECT_TRUE(all_count(l, 2));
	/* It says whether it is away, too: on one CPU it is while we look */
	preempted = (uint8_t *)l[0].vm.mem + DATA + 4096 + 16;
	EXPECT_TRUE(COMES(*preempted == 1));
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		EXPECT_TRUE(COMES(*preempted == 0));
	for (i = 0; i < 2; i++)
		for (j = 0; j < 2; j++) {
			ASSERT_EQ(0, mvmm_get_times(l[i].thread[j].vcpu, &t));
			EXPECT_NE(0, t.steal);
			EXPECT_NE(0, *(volatile uint64_t *)(l[i].vm.mem + DATA +
							    4096 + j * 64));
		}
}

static bool waits(int vcpu)
{
	struct mvmm_times a, b;

	mvmm_get_times(vcpu, &a);
	sleep_ms(10);
	mvmm_get_times(vcpu, &b);
	return b.wait > a.wait && b.run == a.run && b.block == a.block;
}

/*
 * Makes RUN return while the vCPU waits for its slot. Returns how long it had
 * run until then: without that its turn comes after PATIENCE_NS.
 */
static uint64_t end_wait(struct __test_metadata *_metadata, struct thread *t,
			 bool by_signal)
{
	struct mvmm_times before = { 0 }, after = { 0 };
	unsigned int interrupted;

	EXPECT_TRUE(COMES(waits(t->vcpu)));
	interrupted = t->interrupted;
	EXPECT_EQ(0, mvmm_get_times(t->vcpu, &before));
	if (by_signal) {
		EXPECT_EQ(0, pthread_kill(t->thread, SIGUSR1));
	} else {
		EXPECT_EQ(0, mvmm_kick(t->vcpu));
	}
	EXPECT_TRUE(COMES(t->interrupted != interrupted));
	EXPECT_EQ(0, mvmm_get_times(t->vcpu, &after));
	EXPECT_TRUE(COMES(waits(t->vcpu)));
	EXPECT_EQ(interrupted + 1, t->interrupted);
	return after.run - before.run;
}

/* The first VM waits for the second one nearly all the time */
static void start_unequal(struct __test_metadata *_metadata, struct load *l)
{
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		ASSERT_EQ(0, mvmm_set_sched(l[i].vm.vm, i ? 10000 : 1, 0));
		ASSERT_TRUE(load_start(&l[i]));
	}
}

SCHED_TEST(kick_and_signal_end_the_wait)
{
	struct load *l = self->load;

	start_unequal(_metadata, l);
	end_wait(_metadata, l[0].thread, false);
	end_wait(_metadata, l[0].thread, true);
	end_wait(_metadata, l[0].thread, false);
	ASSERT_TRUE(all_count(&l[1], 1));
}

/* RUN returns from the wait at once: the vCPU need not get its slot first */
SCHED_TEST(a_wait_ends_without_a_slot)
{
	struct load *l = self->load;

	NEEDS_STEADY_CLOCK("a_wait_ends_without_a_slot");
	start_unequal(_metadata, l);
	EXPECT_EQ(0, end_wait(_metadata, l[0].thread, false));
	EXPECT_EQ(0, end_wait(_metadata, l[0].thread, true));
}

/* Turns per second of a VM with two vCPUs, of @vms that are as busy */
static uint64_t turns(struct load *l, const char *policy, int vms, bool silent,
		      bool full)
{
	uint64_t before, start;
	int i;

	if (!write_policy(policy))
		return 0;
	for (i = 0; i < vms; i++)
		if (load_create(&l[i], 2, ALL_CPUS))
			return 0;
	if (silent)
		LOAD(&l->vm, take_turns_silently);
	else
		LOAD(&l->vm, take_turns);
	for (i = 0; i < vms; i++)
		if (!load_start(&l[i]))
			return 0;
	sleep_ms(WARM_UP_MS);
	before = progress(l);
	start = now_ms();
	sleep_ms(full ? 5000 : 1000);
	before = (progress(l) - before) * 1000 / (now_ms() - start);
	for (i = 0; i < vms; i++)
		load_destroy(&l[i]);
	return before;
}

/*
 * A vCPU whose sibling holds the lock and has no CPU spins for nothing, unless
 * the CPU notices its PAUSE. A gang runs both at a time, so it has half of what it
 * has alone, but for the time that Linux takes to find both a CPU. Under fair that is
 * luck: the slices of the two CPUs may begin together.
 */
SCHED_TEST(gang_against_fair)
{
	uint64_t alone, fair, gang;
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) != 2)
		SKIP(return, "gang_against_fair: needs 2 CPUs");
	/* If the CPUs take turns, the two always wait for each other */
	NEEDS_STEADY_CLOCK("gang_against_fair");
	NEEDS("policies");
	for (i = 0; i < 2; i++) {
		alone = turns(self->load, "gang", 1, i, self->full);
		fair = turns(self->load, "fair", 2, i, self->full);
		gang = turns(self->load, "gang", 2, i, self->full);
		TH_LOG("turns/s %s PAUSE: alone %llu, fair %llu, gang %llu",
		       i ? "without" : "with", (long long)alone,
		       (long long)fair, (long long)gang);
		EXPECT_NE(0, alone);
		EXPECT_NE(0, fair);
		EXPECT_TRUE(near(gang, alone / 2, 25));
	}
}

/* A process with a heavy VM, which competes until it is killed */
static pid_t rival(void)
{
	static struct load l;
	pid_t pid = fork();

	if (pid)
		return pid;
	if (load_create(&l, 2, 0) || mvmm_set_sched(l.vm.vm, 10000, 0) ||
	    !load_start(&l))
		_exit(1);
	for (;;)
		pause();
}

SCHED_TEST(killed_rival)
{
	struct load *l = self->load;
	struct mvmm_times before, after;
	int i, status;
	pid_t pid;

	ASSERT_EQ(0, load_create(l, 1, 0));
	ASSERT_TRUE(load_start(l));
	for (i = 0; i < 5; i++) {
		pid = rival();
		ASSERT_LT(0, pid);
		EXPECT_TRUE(COMES(waits(l->vm.vcpu)));
		usleep(i * 3100);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		ASSERT_TRUE(all_count(l, 1));
	}
	/* Nobody else is left */
	ASSERT_EQ(0, mvmm_get_times(l->vm.vcpu, &before));
	sleep_ms(100);
	ASSERT_EQ(0, mvmm_get_times(l->vm.vcpu, &after));
	EXPECT_EQ(before.wait, after.wait);
	EXPECT_LT(before.run, after.run);
}

/* Killed while it makes its VM, begins to run it, or runs it */
SCHED_TEST(rivals_killed_at_random)
{
	struct load *l = self->load;
	int i, status, rounds = self->full ? 200 : 20;
	pid_t pid[2];

	srand(1);
	ASSERT_EQ(0, load_create(l, 2, ALL_CPUS));
	ASSERT_TRUE(load_start(l));
	for (i = 0; i < rounds; i++) {
		pid[0] = rival();
		pid[1] = rival();
		ASSERT_LT(0, pid[0]);
		ASSERT_LT(0, pid[1]);
		usleep(rand() % 40000);
		ASSERT_EQ(0, kill(pid[1], SIGKILL));
		usleep(rand() % 5000);
		ASSERT_EQ(0, kill(pid[0], SIGKILL));
		ASSERT_EQ(pid[0], waitpid(pid[0], &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		ASSERT_EQ(pid[1], waitpid(pid[1], &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	EXPECT_TRUE(all_count(l, 1));
}

/* ---- beside what Linux runs instead ------------------------------------ */

/* A process that is always busy, on CPU 0 */
static pid_t start_busy(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(pthread_self(), 0);
	for (;;)
		;
}

static void end_busy(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A VM beside such a process, which have both got going. The process, or -1 */
static pid_t start_beside_busy(struct load *l)
{
	pid_t pid;

	if (load_create(l, 1, 0) || !load_start(l))
		return -1;
	pid = start_busy();
	sleep_ms(WARM_UP_MS);
	return pid;
}

/* What the first VM did in a million ticks */
static uint64_t rate(struct load *l, unsigned int ms, bool full)
{
	struct shares s = measure(l, 1, ms, full);

	return s.sum * 1000000 / s.ticks;
}

/*
 * Linux hardly runs SCHED_IDLE threads beside a busy process. A VM's share is
 * the same with such rivals as without.
 */
SCHED_TEST(idle_rivals)
{
	struct load *l = self->load;
	uint64_t alone, with;
	unsigned int i;
	pid_t pid;

	NEEDS_STEADY_CLOCK("idle_rivals");
	pid = start_beside_busy(l);
	ASSERT_LT(0, pid);
	alone = rate(l, 1000, self->full);
	for (i = 1; i < 5; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		l[i].thread[0].policy = SCHED_IDLE;
		ASSERT_TRUE(load_start(&l[i]));
		if (i != 1 && i != 4)
			continue;
		sleep_ms(WARM_UP_MS);
		with = rate(l, 1000, self->full);
		TH_LOG("%u idle rivals: %llu per mille of what it had alone", i,
		       (long long)(with * 1000 / alone));
		EXPECT_LE(alone * 95, with * 100);
		EXPECT_GE(LATE_NS(i + 1) + HAND_OVER_NS, longest_wait(l));
	}
	end_busy(pid);
}

/*
 * Threads of nice 19 wait for the CPU for longer than a slice when it is their
 * turn. A VM's wait for them is bounded, as it is for those that run.
 */
SCHED_TEST(nice_rivals)
{
	struct load *l = self->load;
	uint64_t alone, with;
	unsigned int i;
	pid_t pid;

	NEEDS_STEADY_CLOCK("nice_rivals");
	pid = start_beside_busy(l);
	ASSERT_LT(0, pid);
	alone = rate(l, 500, self->full);
	for (i = 1; i < 5; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		l[i].thread[0].nice = 19;
		ASSERT_TRUE(load_start(&l[i]));
	}
	sleep_ms(WARM_UP_MS);
	with = rate(l, 1000, self->full);
	TH_LOG("%llu per mille of what it had alone, longest wait %llu us",
	       (long long)(with * 1000 / alone),
	       (long long)longest_wait(l) / 1000);
	EXPECT_GE(LATE_NS(5) + HAND_OVER_NS, longest_wait(l));
	/* Their own share, and a slice for each now and then */
	EXPECT_LE(alone * 85, with * 100);
	end_busy(pid);
}

/* Who is stopped does not come when its slice ends: then it has no slot */
SCHED_TEST(stopped_rival)
{
	struct load *l = self->load;
	struct mvmm_times before, after;
	pid_t pid;

	ASSERT_EQ(0, load_create(l, 1, 0));
	ASSERT_TRUE(load_start(l));
	pid = rival();
	ASSERT_LT(0, pid);
	EXPECT_TRUE(COMES(waits(l->vm.vcpu)));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	sleep_ms(WARM_UP_MS);
	ASSERT_EQ(0, mvmm_get_times(l->vm.vcpu, &before));
	sleep_ms(100);
	ASSERT_EQ(0, mvmm_get_times(l->vm.vcpu, &after));
	EXPECT_EQ(before.wait, after.wait);
	EXPECT_LT(before.run, after.run);
	ASSERT_EQ(0, kill(pid, SIGCONT));
	EXPECT_TRUE(COMES(waits(l->vm.vcpu)));
	end_busy(pid);
}

/* Of its thread, in ms */
static uint64_t cpu_time(struct thread *t)
{
	struct timespec ts = { 0 };
	clockid_t id;

	if (!pthread_getcpuclockid(t->thread, &id))
		clock_gettime(id, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* A vCPU that is always busy runs, or is told that it did not: no time twice */
SCHED_TEST(steal_adds_up)
{
	struct mvmm_msr msr = { .index = 0x4b564d03, .value = (DATA + 4096) | 1 };
	uint64_t start, ran, steal, took;
	struct load *l = self->load;
	struct mvmm_times t;
	pid_t pid;
	int i;

	NEEDS("pv");
	NEEDS_STEADY_CLOCK("steal_adds_up");
	pid = start_busy();
	ASSERT_LT(0, pid);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		l[i].thread[0].nice = i * 10;
	}
	ASSERT_EQ(1, mvmm_set_msrs(l->vm.vcpu, &msr, 1));
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(load_start(&l[i]));
	sleep_ms(WARM_UP_MS);
	start = now_ms();
	ran = cpu_time(l->thread);
	ASSERT_EQ(0, mvmm_get_times(l->vm.vcpu, &t));
	steal = t.steal;
	sleep_ms(1000);
	ASSERT_EQ(0, mvmm_get_times(l->vm.vcpu, &t));
	ran = cpu_time(l->thread) - ran;
	steal = (t.steal - steal) / 1000000;
	took = now_ms() - start;
	TH_LOG("ran %llu, steal %llu of %llu ms", (long long)ran,
	       (long long)steal, (long long)took);
	EXPECT_NE(0, steal);
	/* It is told when it runs again, which may be two of Linux's ticks later */
	EXPECT_GE(took + 40, ran + steal);
	EXPECT_LE(took, ran + steal + 40);
	end_busy(pid);
}

/* A thread of real time waits for none that Linux does not run beside it */
SCHED_TEST(real_time)
{
	struct load *l = self->load;
	struct shares s;
	int i;

	NEEDS_STEADY_CLOCK("real_time");
	/* This thread is woken although the other one is always busy */
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO,
					&(struct sched_param){ 2 }));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		ASSERT_EQ(0, mvmm_set_sched(l[i].vm.vm, i ? 10000 : 1, 0));
		l[i].thread[0].policy = i ? SCHED_OTHER : SCHED_FIFO;
		ASSERT_TRUE(load_start(&l[i]));
	}
	sleep_ms(WARM_UP_MS);
	s = measure(l, 2, 1000, self->full);
	TH_LOG("real time %u, other %u per mille; longest wait %llu us", s.of[0],
	       s.of[1], (long long)longest_wait(l) / 1000);
	/* sched_rt_runtime_us leaves 5 % to others, in one piece of each second */
	EXPECT_LE(940, s.of[0]);
	EXPECT_GE(50000000 + HAND_OVER_NS, longest_wait(l));
	ASSERT_TRUE(be(SCHED_OTHER));
}

/* A user's VMs share what one VM of another user has, if root wants it so */
SCHED_TEST(shares_per_user)
{
	static const unsigned int due[] = { 333, 333, 333, 250, 250, 500 };
	struct load *l = self->load;
	struct shares s;
	int i, j;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, syscall(SYS_setreuid, i / 2 * 1000, -1));
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		ASSERT_EQ(0, syscall(SYS_setreuid, 0, -1));
		ASSERT_TRUE(load_start(&l[i]));
	}
	for (j = 0; j < 2; j++) {
		ASSERT_TRUE(write_parameter("sched_per_user", j ? "1" : "0"));
		sleep_ms(WARM_UP_MS);
		s = measure(l, 3, 600, self->full);
		TH_LOG("%u : %u : %u per mille", s.of[0], s.of[1], s.of[2]);
		NEEDS_SHARES("shares_per_user", s);
		for (i = 0; i < 3; i++)
			EXPECT_TRUE(near(s.of[i], due[j * 3 + i], LIMIT));
	}
}

/* The times come from the TSC, and are compared with the TSC only */
SCHED_TEST(times_add_up)
{
	struct load *l = self->load;
	uint64_t before[2], born[2], slept, least, most, sum;
	struct mvmm_info info;
	struct mvmm_times t;
	int i;

	for (i = 0; i < 2; i++) {
		before[i] = __rdtsc();
		ASSERT_EQ(0, load_create(&l[i], 1, 0));
		born[i] = __rdtsc();
	}
	ASSERT_EQ(0, mvmm_get_info(l[0].vm.system, &info));
#define NS(ticks) ((unsigned __int128)(ticks) * 1000000 / info.tsc_khz)
	sleep_ms(100);
	slept = NS(__rdtsc() - born[1]);
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(load_start(&l[i]));
	ASSERT_TRUE(all_count(l, 2));
	sleep_ms(500);
	for (i = 0; i < 2; i++) {
		least = NS(__rdtsc() - born[i]);
		ASSERT_EQ(0, mvmm_get_times(l[i].vm.vcpu, &t));
		most = NS(__rdtsc() - before[i]);
		sum = t.run + t.wait + t.block;
		TH_LOG("run %llu wait %llu block %llu of %llu .. %llu us",
		       t.run / 1000, t.wait / 1000, t.block / 1000,
		       (long long)least / 1000, (long long)most / 1000);
		EXPECT_NE(0, t.run);
		EXPECT_NE(0, t.wait);
		EXPECT_LE(slept, t.block);
		/* Each of the three is rounded down */
		EXPECT_LE(least, sum + 3);
		EXPECT_LE(sum, most);
	}
#undef NS
}

#define TRACING "/sys/kernel/tracing/"

static bool trace_sched(const char *on)
{
	int fd = open(TRACING "events/mvmm/mvmm_sched/enable", O_WRONLY);
	bool ok = fd >= 0 && write(fd, on, 1) == 1;

	close(fd);
	return ok;
}

/* How often a vCPU asked for a slot in so many ms; -1: no tracefs */
static long slots_wanted(unsigned int ms)
{
	char line[512];
	long n = 0;
	FILE *f;

	mount("tracefs", TRACING, "tracefs", 0, NULL);
	/* To open it so makes it empty */
	f = fopen(TRACING "trace", "w");
	if (!f || !trace_sched("1"))
		return -1;
	fclose(f);
	sleep_ms(ms);
	trace_sched("0");
	f = fopen(TRACING "trace", "r");
	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "mvmm_sched:") && strstr(line, " to 1 ");
	if (f)
		fclose(f);
	return n;
}

static bool nap_create(struct load *l, unsigned int us)
{
	struct mvmm_info info;

	if (load_create(l, 1, 0) || mvmm_get_info(l->vm.system, &info))
		return false;
	LOAD(&l->vm, nap);
	/* The timer counts at half the TSC's rate */
	l->vm.run->regs.rsi = (uint64_t)info.tsc_khz * us / 2000;
	return true;
}

/*
 * A vCPU that halts and wakes up while nobody waits keeps its slot, and the
 * scheduler hears nothing of it; who wants the slot meanwhile has it at once
 */
SCHED_TEST(halts_alone)
{
	struct load *l = self->load;
	struct mvmm_times before, after;
	uint64_t naps;
	long events;

	ASSERT_TRUE(nap_create(&l[0], 1000));
	ASSERT_TRUE(load_start(&l[0]));
	ASSERT_TRUE(all_count(l, 1));
	sleep_ms(WARM_UP_MS);
	naps = progress(l);
	ASSERT_EQ(0, mvmm_get_times(l[0].vm.vcpu, &before));
	events = slots_wanted(200);
	ASSERT_EQ(0, mvmm_get_times(l[0].vm.vcpu, &after));
	naps = progress(l) - naps;
	if (events < 0)
		SKIP(return, "a kernel without tracefs");
	TH_LOG("%llu naps, %ld events; run %llu, block %llu us",
	       (long long)naps, events, (after.run - before.run) / 1000,
	       (after.block - before.block) / 1000);
	EXPECT_LT(20, naps);
	EXPECT_GT(5, events);
	EXPECT_LT(after.run - before.run, after.block - before.block);
	EXPECT_EQ(before.wait, after.wait);
	/* Another beside it: now they are asked for, and both get on */
	ASSERT_EQ(0, load_create(&l[1], 1, 0));
	ASSERT_TRUE(load_start(&l[1]));
	ASSERT_TRUE(all_count(l, 2));
	EXPECT_LT(5, slots_wanted(200));
	load_destroy(&l[1]);
	ASSERT_TRUE(all_count(l, 1));
	EXPECT_GT(10, slots_wanted(200));
	load_destroy(&l[0]);
	/* One that sleeps for long does not keep its slot from others */
	ASSERT_TRUE(nap_create(&l[0], 1000000));
	ASSERT_TRUE(load_start(&l[0]));
	sleep_ms(100);
	ASSERT_EQ(0, load_create(&l[1], 1, 0));
	ASSERT_TRUE(load_start(&l[1]));
	sleep_ms(100);
	EXPECT_NE(0, progress(&l[1]));
	ASSERT_EQ(0, mvmm_get_times(l[1].vm.vcpu, &after));
	EXPECT_GT(SLICE_NS, after.longest_wait);
	EXPECT_GT(SLICE_NS, after.wait);
	ASSERT_TRUE(all_count(l, 2));
}

TEST_HARNESS_MAIN
