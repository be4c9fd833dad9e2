// SPDX-License-Identifier: GPL-2.0
/*
 * Runs inside a Linux guest, statically linked, and knows what must come out of
 * what it does: registers of all kinds that are held for a while, sums, signals
 * and timers, on each CPU. TAP on stdout.
 *
 *   compute SECONDS    or longer: until the timer has ticked as often as it must
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUS	64
#define SPINS		20000
#define TICK_US		3000
#define TICKS		10	/* more than these come in any case, */
#define TICKS_S		60	/* in so many seconds */

/* What hold() loads and stores: its assembly knows the offsets */
struct registers {
	uint8_t ymm[16][32];
	uint64_t gpr[8];	/* r8 .. r15 */
	uint8_t x87[8][16];	/* 10 bytes of each */
	uint32_t mxcsr;
	uint16_t control, pad;
} __attribute__((aligned(32)));

struct worker {
	int cpu;
	pthread_t thread;
	unsigned int held, summed, sent;
	volatile unsigned int got;
	volatile bool ready;
	bool changed, wrong, order;
	uint64_t sum;
};

static struct worker workers[MAX_CPUS];
static int nr_cpus, tests;
static bool avx;
static volatile bool stop;
static volatile unsigned int ticks, odd;
static __thread struct worker *self;

static void result(bool good, const char *what)
{
	printf("%sok %d %s\n", good ? "" : "not ", ++tests, what);
	fflush(stdout);
}

#define EACH8(m)	m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7)
#define EACH16(m)	EACH8(m) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)
#define LOAD_YMM(n)	"vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define STORE_YMM(n)	"vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define LOAD_XMM(n)	"movdqu " #n "*32(%[in]), %%xmm" #n "\n"
#define STORE_XMM(n)	"movdqu %%xmm" #n ", " #n "*32(%[out])\n"
#define LOAD_X87(n)	"fldt 576+" #n "*16(%[in])\n"
#define STORE_X87(n)	"fstpt 576+(7-" #n ")*16(%[out])\n"
#define LOAD_GPR \
	"mov 512(%[in]), %%r8\n mov 520(%[in]), %%r9\n mov 528(%[in]), %%r10\n" \
	"mov 536(%[in]), %%r11\n mov 544(%[in]), %%r12\n mov 552(%[in]), %%r13\n" \
	"mov 560(%[in]), %%r14\n mov 568(%[in]), %%r15\n"
#define STORE_GPR \
	"mov %%r8, 512(%[out])\n mov %%r9, 520(%[out])\n mov %%r10, 528(%[out])\n" \
	"mov %%r11, 536(%[out])\n mov %%r12, 544(%[out])\n mov %%r13, 552(%[out])\n" \
	"mov %%r14, 560(%[out])\n mov %%r15, 568(%[out])\n"
/* The write to the port that nobody has is an exit, now and then */
#define SPIN \
	"1: test $0x7ff, %%ecx\n jnz 2f\n outb %%al, $0x80\n" \
	"2: dec %%ecx\n jnz 1b\n"
#define BEGIN	"ldmxcsr 704(%[in])\n fninit\n fldcw 708(%[in])\n"
#define END	"stmxcsr 704(%[out])\n fnstcw 708(%[out])\n fninit\n"
#define GPRS	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
#define XMMS	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static void hold(const struct registers *in, struct registers *out)
{
	uint32_t spins = SPINS, normal = 0x1f80;

	if (avx)
		asm volatile(BEGIN EACH16(LOAD_YMM) EACH8(LOAD_X87) LOAD_GPR
			     SPIN STORE_GPR EACH8(STORE_X87) EACH16(STORE_YMM)
			     "vzeroupper\n" END
			     : "+c" (spins) : [in] "D" (in), [out] "S" (out), "a" (0)
			     : GPRS, XMMS, "memory", "cc");
	else
		asm volatile(BEGIN EACH16(LOAD_XMM) EACH8(LOAD_X87) LOAD_GPR
			     SPIN STORE_GPR EACH8(STORE_X87) EACH16(STORE_XMM)
			     END
			     : "+c" (spins) : [in] "D" (in), [out] "S" (out), "a" (0)
			     : GPRS, XMMS, "memory", "cc");
	asm volatile("ldmxcsr %0" : : "m" (normal));
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 16;
}

static bool held(struct worker *w)
{
	static __thread struct registers in, out;
	uint64_t seed = w->cpu * 1000003ull + w->held++;
	size_t i;

	memset(&out, 0, sizeof(out));
	memset(&in, 0, sizeof(in));
	for (i = 0; i < 16 * 32; i++)
		if (avx || i % 32 < 16)
			in.ymm[i / 32][i % 32] = next(&seed);
	for (i = 0; i < 8; i++)
		in.gpr[i] = next(&seed) << 20;
	for (i = 0; i < 8; i++) {
		long double value = (long double)next(&seed) / 3;

		memcpy(in.x87[i], &value, 10);
	}
	/* All exceptions masked, and another rounding each time */
	in.mxcsr = 0x1f80 | (next(&seed) & 3) << 13;
	in.control = 0x033f | (next(&seed) & 3) << 10;
	hold(&in, &out);
	/* The control word has a bit that is always 1, and 0x40 may be */
	return !memcmp(&in, &out, offsetof(struct registers, control)) &&
	       !((in.control ^ out.control) & ~0x40);
}

/* The same for all, whoever is interrupted */
static uint64_t sum(void)
{
	double x = 0.5, product = 1;
	long double y = 1.0L / 7;
	uint64_t bits, all = 0;
	int i;

	for (i = 0; i < 2000; i++) {
		x = 3.75 * x * (1 - x);
		y = 3.75L * y * (1 - y);
		product = product * (1 + x) / (2 - (double)y);
		memcpy(&bits, &product, sizeof(bits));
		all = (all ^ bits) * 1099511628211ull;
	}
	return all;
}

static void on_tick(int signal)
{
	double x = ticks, y = x * 0.1 + 0.7;

	odd += (unsigned int)((y - 0.7) * 10 + 0.5) != (unsigned int)x;
	ticks++;
}

/* Each has the number of the one before, and one more */
static void on_sent(int signal, siginfo_t *info, void *context)
{
	self->order |= (unsigned int)info->si_value.sival_int != self->got;
	self->got++;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	cpu_set_t set;
	uint64_t is;

	self = w;
	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	/* Lets a program use ports; each thread for itself */
	if (iopl(3))
		w->changed = true;
	w->ready = true;
	while (!stop) {
		w->changed |= !held(w);
		is = sum();
		w->wrong |= w->summed++ && is != w->sum;
		w->sum = is;
	}
	return NULL;
}

/* Where each exit takes long, few ticks come in a second */
static bool goes_on(time_t end)
{
	time_t now = time(NULL);

	return now < end || (ticks <= TICKS && now < end + TICKS_S);
}

static bool send_all(void)
{
	struct timespec wait = { 0, 5000000 };
	int i;

	for (i = 0; i < nr_cpus; i++) {
		struct worker *w = &workers[i];

		/* A few wait at a time, so that the queue has room */
		if (w->sent - w->got >= 16)
			continue;
		if (pthread_sigqueue(w->thread, SIGRTMIN,
				     (union sigval){ .sival_int = w->sent }))
			return false;
		w->sent++;
	}
	nanosleep(&wait, NULL);
	return true;
}

static bool all_came(void)
{
	struct timespec wait = { 0, 5000000 };
	int i, tries;

	for (tries = 0; tries < 2000; tries++) {
		for (i = 0; i < nr_cpus && workers[i].got == workers[i].sent; i++)
			;
		if (i == nr_cpus)
			return true;
		nanosleep(&wait, NULL);
	}
	return false;
}

int main(int argc, char **argv)
{
	struct sigaction sent = { .sa_sigaction = on_sent,
				  .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction tick = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, TICK_US }, { 0, TICK_US } };
	bool changed = false, wrong = false, order = true, queued = true;
	unsigned int holds = 0;
	time_t end;
	int i;

	if (argc != 2)
		return 2;
	avx = __builtin_cpu_supports("avx");
	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (nr_cpus > MAX_CPUS)
		return 2;
	printf("1..4\n");
	sigaction(SIGRTMIN, &sent, NULL);
	sigaction(SIGALRM, &tick, NULL);
	for (i = 0; i < nr_cpus; i++) {
		workers[i].cpu = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 2;
		while (!workers[i].ready)
			sched_yield();
	}
	setitimer(ITIMER_REAL, &every, NULL);
	end = time(NULL) + atoi(argv[1]);
	while (goes_on(end))
		queued &= send_all();
	queued &= all_came();
	every.it_value.tv_usec = 0;
	setitimer(ITIMER_REAL, &every, NULL);
	stop = true;
	for (i = 0; i < nr_cpus; i++) {
		struct worker *w = &workers[i];

		pthread_join(w->thread, NULL);
		changed |= w->changed || !w->held;
		wrong |= w->wrong || w->sum != workers[0].sum;
		order &= !w->order;
		holds += w->held;
	}
	printf("# %u times %s, %u ticks, %u signals to the first\n", holds,
	       avx ? "AVX" : "SSE", ticks, workers[0].sent);
	result(!changed, "registers of all kinds keep what is in them");
	result(!wrong, "a sum is the same each time, and on each CPU");
	result(queued && order, "no signal is lost, and none overtakes");
	result(ticks > TICKS && !odd, "the timer ticks");
	return 0;
}
