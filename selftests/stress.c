// SPDX-License-Identifier: GPL-2.0
/*
 * Runs inside a Linux guest, statically linked, and lets its vCPUs work on each
 * other in all ways at once: IPIs, TLB shootdowns, timers, wake-ups from CPU to
 * CPU, a lock, CPUs that go offline and online. TAP on stdout.
 *
 *   stress [ROUNDS]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUS	64
#define SLEEP_NS	2000000ull
#define BOUND_NS	60000000000ull	/* the longest wait for anything */

static unsigned int rounds = 50;
static int nr_cpus, tests;
static volatile bool stop;
/* All workers write to it; while it is sealed it is read-only */
static volatile uint64_t *page;
static volatile bool sealed;
static uint64_t locked_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread sigjmp_buf back;

static void result(bool good, const char *what)
{
	printf("%sok %d %s\n", good ? "" : "not ", ++tests, what);
	fflush(stdout);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec left = { ns / 1000000000, ns % 1000000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* Fails while the CPU is offline: then the thread runs anywhere */
	sched_setaffinity(0, sizeof(set), &set);
}

static void sealed_page(int signal)
{
	siglongjmp(back, 1);
}

struct worker {
	int cpu;
	pthread_t thread;
	uint64_t locked, last;
	volatile uint64_t writes, sleeps;
	bool early, backwards;
};

static struct worker workers[MAX_CPUS];

/* One for each CPU: writes to the page, takes the lock, sleeps */
static void *work(void *arg)
{
	struct worker *w = arg;
	volatile uint64_t *mine = page + w->cpu;
	uint64_t start, end;
	int i;

	while (!stop) {
		pin(w->cpu);
		if (!sigsetjmp(back, 1))
			for (i = 0; i < 100; i++) {
				++*mine;
				w->writes++;
			}
		else
			while (sealed && !stop)
				sched_yield();
		pthread_mutex_lock(&lock);
		locked_count++;
		w->locked++;
		pthread_mutex_unlock(&lock);
		start = now_ns();
		sleep_ns(SLEEP_NS);
		end = now_ns();
		w->early |= end - start < SLEEP_NS;
		w->backwards |= start < w->last;
		w->last = end;
		w->sleeps++;
	}
	return NULL;
}

/* A CPU with a stale translation would write although the page is sealed */
static bool shootdowns(void)
{
	uint64_t before[MAX_CPUS];
	unsigned int i;
	bool good = true;
	int cpu;

	for (i = 0; i < rounds; i++) {
		sealed = true;
		good &= !mprotect((void *)page, 4096, PROT_READ);
		for (cpu = 0; cpu < nr_cpus; cpu++)
			before[cpu] = page[cpu];
		sleep_ns(SLEEP_NS / 4);
		for (cpu = 0; cpu < nr_cpus; cpu++)
			good &= before[cpu] == page[cpu];
		good &= !mprotect((void *)page, 4096, PROT_READ | PROT_WRITE);
		sealed = false;
		sleep_ns(SLEEP_NS / 4);
	}
	return good;
}

static int membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

/* Each barrier is an IPI to every CPU that runs a thread of this process */
static bool barriers(void)
{
	unsigned int i;

	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		return false;
	for (i = 0; i < 10 * rounds; i++)
		if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
			return false;
	return true;
}

static int ball[2][2];

static void *echo(void *arg)
{
	char byte;

	pin(nr_cpus - 1);
	while (read(ball[0][0], &byte, 1) == 1 && write(ball[1][1], &byte, 1) == 1)
		;
	return NULL;
}

/* A byte goes from the first CPU to the last and back: each wakes the other */
static bool wakeups(void)
{
	unsigned int i;
	pthread_t thread;
	char byte;

	if (pipe(ball[0]) || pipe(ball[1]) ||
	    pthread_create(&thread, NULL, echo, NULL))
		return false;
	pin(0);
	for (i = 0; i < 4 * rounds; i++) {
		byte = i;
		if (write(ball[0][1], &byte, 1) != 1 ||
		    read(ball[1][0], &byte, 1) != 1 || byte != (char)i)
			return false;
	}
	close(ball[0][1]);
	pthread_join(thread, NULL);
	return true;
}

static bool set_online(int cpu, bool on)
{
	char path[64];
	bool good;
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY);
	good = fd >= 0 && write(fd, on ? "1" : "0", 1) == 1;
	if (fd >= 0)
		close(fd);
	return good && sysconf(_SC_NPROCESSORS_ONLN) == nr_cpus - !on;
}

static bool hotplug(void)
{
	bool good = true;
	int cpu;

	for (cpu = 1; cpu < nr_cpus; cpu++)
		good &= set_online(cpu, false) & set_online(cpu, true);
	return good;
}

static bool all_sleep(void)
{
	uint64_t before[MAX_CPUS], end = now_ns() + BOUND_NS;
	int i;

	for (i = 0; i < nr_cpus; i++)
		before[i] = workers[i].sleeps;
	for (i = 0; i < nr_cpus; i++)
		while (workers[i].sleeps < before[i] + 5) {
			if (now_ns() > end)
				return false;
			sleep_ns(SLEEP_NS);
		}
	return true;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = sealed_page };
	bool early = false, backwards = false, lost = false;
	uint64_t locked = 0;
	int i;

	if (argc > 1)
		rounds = atoi(argv[1]);
	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (nr_cpus > MAX_CPUS)
		return 2;
	printf("1..%d\n", nr_cpus > 1 ? 8 : 7);
	sigaction(SIGSEGV, &act, NULL);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < nr_cpus; i++) {
		workers[i].cpu = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 2;
	}
	result(shootdowns(), "a page that was sealed is not written to");
	result(barriers(), "barriers on all CPUs");
	result(wakeups(), "wake-ups from CPU to CPU");
	if (nr_cpus > 1)
		result(hotplug(), "CPUs go and come");
	result(all_sleep(), "each CPU's timer wakes");
	stop = true;
	for (i = 0; i < nr_cpus; i++) {
		pthread_join(workers[i].thread, NULL);
		locked += workers[i].locked;
		early |= workers[i].early;
		backwards |= workers[i].backwards;
		lost |= page[i] != workers[i].writes;
	}
	result(locked == locked_count, "the lock was held by one at a time");
	result(!early && !backwards, "nobody woke early, no clock ran backwards");
	result(!lost, "no write was lost");
	return 0;
}
