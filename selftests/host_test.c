// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest that never leaves by itself lets its CPU do for others: softirqs, and
 * threads that are woken there. How CPU time is shared is sched_test's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

#define ROUNDS		25
#define MS		1000000ll	/* ns */

GUEST(spin, "1: incq 0x100000\n jmp 1b");

FIXTURE(host) {
	struct vm vm;
	pthread_t thread;
	volatile bool stop;
	volatile int policy_error;
};

static void *run_for_ever(void *arg)
{
	FIXTURE_DATA(host) *self = arg;
	const struct sched_param none = { 0 };

	/* Whoever is woken runs at once, if the kernel gets to that */
	self->policy_error = sched_setscheduler(0, SCHED_IDLE, &none);
	while (!self->stop)
		mvmm_run(self->vm.vcpu);
	return NULL;
}

static uint64_t counter(FIXTURE_DATA(host) *self)
{
	return *(volatile uint64_t *)(self->vm.mem + DATA);
}

/* A guest that counts, alone on the CPU of this thread */
FIXTURE_SETUP(host)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	LOAD(&self->vm, spin);
	self->policy_error = -1;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, run_for_ever, self));
	while (counter(self) < 1000)
		usleep(1000);
	ASSERT_EQ(0, self->policy_error);
}

FIXTURE_TEARDOWN(host)
{
	self->stop = true;
	self->vm.run->immediate_exit = 1;
	mvmm_kick(self->vm.vcpu);
	pthread_join(self->thread, NULL);
	vm_destroy(&self->vm);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void no_op(int signal)
{
}

/* A signal comes from a timer that needs no softirq. 0: none */
static void interrupt_in_ms(int ms)
{
	const struct itimerval timer = { .it_value.tv_usec = ms * 1000 };
	const struct sigaction action = { .sa_handler = no_op };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static bool unsteady(void)
{
	return getenv("MVMM_TEST_UNSTEADY");
}

/*
 * The time-out of a socket is a timer of the kernel's wheel: a softirq ends it.
 * kernel_fpu_begin() holds softirqs off on new kernels, and the guest runs in such
 * a section, so without help they wait until something else ends that.
 */
TEST_F(host, softirqs_come)
{
	const struct timeval timeout = { .tv_usec = 20000 };
	int64_t took[ROUNDS];
	int fd[2], i;
	char byte;

	if (unsteady())
		SKIP(return, "the CPUs take turns in real time");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		SKIP(return, "a kernel without UNIX sockets");
	ASSERT_EQ(0, setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &timeout,
				sizeof(timeout)));
	for (i = 0; i < ROUNDS; i++) {
		uint64_t before = counter(self);
		int64_t start = now();

		interrupt_in_ms(900);
		ASSERT_EQ(-1, recv(fd[0], &byte, 1, 0));
		ASSERT_EQ(EAGAIN, errno);
		interrupt_in_ms(0);
		took[i] = now() - start;
		EXPECT_LT(before, counter(self));
	}
	close(fd[0]);
	close(fd[1]);
	qsort(took, ROUNDS, sizeof(took[0]), compare);
	TH_LOG("20 ms take %ld us, at most %ld us", took[ROUNDS / 2] / 1000,
	       took[ROUNDS - 1] / 1000);
	/* Four ticks of the slowest clock, 100 Hz */
	EXPECT_GT(60 * MS, took[ROUNDS / 2]);
	EXPECT_GT(200 * MS, took[ROUNDS - 1]);
}

/*
 * A thread that is woken by a timer. With lazy preemption the kernel marks it as one
 * that can wait until this one's slice or the tick ends: a section ends for such a
 * mark, too, and the thread runs at once.
 */
TEST_F(host, a_thread_is_woken)
{
	struct timespec sleep = { .tv_nsec = 300000 }, step;
	int64_t late[ROUNDS];
	int i;

	if (unsteady())
		SKIP(return, "the CPUs take turns in real time");
	ASSERT_EQ(0, clock_getres(CLOCK_MONOTONIC, &step));
	if (step.tv_nsec > 1000)
		SKIP(return, "a kernel whose timers come with its ticks");
	for (i = 0; i < ROUNDS; i++) {
		int64_t start = now();

		ASSERT_EQ(0, nanosleep(&sleep, NULL));
		late[i] = now() - start - sleep.tv_nsec;
		/* Not always at the same time after a tick */
		sleep.tv_nsec += 237000;
	}
	qsort(late, ROUNDS, sizeof(late[0]), compare);
	TH_LOG("late by %ld us, at most %ld us", late[ROUNDS / 2] / 1000,
	       late[ROUNDS - 1] / 1000);
	/* 50 us of these are the timer's slack */
	EXPECT_GT(300000, late[ROUNDS / 2]);
}

TEST_HARNESS_MAIN
