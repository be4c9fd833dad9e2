// SPDX-License-Identifier: GPL-2.0
/*
 * A bounded fuzzer: random ioctls, run pages, guest states and guest code.
 * Every result is right, unless the host crashes, which its log shows, or
 * cannot make and run an ordinary VM afterwards.
 *
 *   fuzz_test [SEED [ROUNDS]]
 *
 * The same seed gives the same calls on every host.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>
#include "vm.h"

static uint64_t state;

/* xorshift64* */
static uint64_t rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static unsigned int below(unsigned int n)
{
	return (rnd() >> 32) % n;
}

/* Values around the limits that the code checks */
static uint64_t interesting(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 0xff, 0xfff, 0x1000, 0x1001, 0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, 1ull << 47, 1ull << 48, 1ull << 63,
		-4096ull, -1ull };

	if (below(2))
		return values[below(sizeof(values) / sizeof(values[0]))];
	return below(2) ? rnd() : 1ull << below(64);
}

static void scramble(void *data, unsigned int len)
{
	unsigned int n = 1 + below(4), i;

	for (i = 0; i < n; i++) {
		uint64_t value = interesting();
		unsigned int at = below(len), size = 1u << below(4);

		at &= ~(size - 1);
		if (at + size <= len)
			memcpy((char *)data + at, &value, size);
	}
}

static void on_alarm(int sig)
{
}

/* A timer interrupts a guest that never exits */
static int run_briefly(struct vm *vm)
{
	/* Again and again: the first one may come before RUN */
	struct itimerval when = { .it_value = { .tv_usec = 500 },
				  .it_interval = { .tv_usec = 500 } };
	int ret;

	setitimer(ITIMER_REAL, &when, NULL);
	ret = mvmm_run(vm->vcpu);
	when.it_value.tv_usec = 0;
	setitimer(ITIMER_REAL, &when, NULL);
	return ret;
}

GUEST(stop, "cpuid\n hlt");

static bool healthy(void)
{
	struct vm vm;
	bool ok;

	if (vm_create(&vm))
		return false;
	ok = !vm_set_mode(&vm, LONG64);
	LOAD(&vm, stop);
	ok = ok && vm_run_to_exit(&vm) == MVMM_EXIT_HLT;
	vm_destroy(&vm);
	return ok;
}

#define RING	256

static struct mvmm_dirty_gfn *ring;	/* of the vCPU, or NULL */

static bool has_rings(struct vm *vm)
{
	return !vm_create_ring(vm, 0, RING) &&
	       !mvmm_set_region(vm->vm, 0, MEM_SIZE, vm->mem,
				MVMM_REGION_LOG_DIRTY) &&
	       !mvmm_map_dirty_ring(vm->vcpu, RING, &ring);
}

static bool renew(struct vm *vm)
{
	bool with_ring = below(2) && module_has(MVMM_FEATURE_DIRTY_RING);

	if (ring)
		munmap(ring, RING * sizeof(*ring));
	ring = NULL;
	if (vm->run)
		vm_destroy(vm);
	if (with_ring ? !has_rings(vm) : vm_create(vm))
		return false;
	return !vm_set_mode(vm, below(4));
}

static const struct {
	unsigned long cmd;
	unsigned int size;
	char object;
} ioctls[] = {
	{ MVMM_GET_INFO, sizeof(struct mvmm_info), 's' },
	{ MVMM_GET_CPUID, sizeof(struct mvmm_cpuid), 's' },
	{ MVMM_CREATE_VM, sizeof(struct mvmm_create_vm), 's' },
	{ MVMM_VM_ADD_REGION, sizeof(struct mvmm_region), 'v' },
	{ MVMM_VM_REMOVE_REGION, sizeof(struct mvmm_region), 'v' },
	{ MVMM_VM_CHANGE_REGIONS, sizeof(struct mvmm_regions), 'v' },
	{ MVMM_VM_SET_REGION, sizeof(struct mvmm_region), 'v' },
	{ MVMM_VM_GET_DIRTY_LOG, sizeof(struct mvmm_dirty_log), 'v' },
	{ MVMM_VM_ENABLE_DIRTY_RING, sizeof(struct mvmm_dirty_ring), 'v' },
	{ MVMM_VM_RESET_DIRTY_RINGS, sizeof(struct mvmm_reset_dirty_rings),
	  'v' },
	{ MVMM_VM_PREFAULT, sizeof(struct mvmm_prefault), 'v' },
	{ MVMM_VM_GET_CLOCK, sizeof(struct mvmm_clock), 'v' },
	{ MVMM_VM_SET_CLOCK, sizeof(struct mvmm_clock), 'v' },
	{ MVMM_VM_CREATE_VCPU, sizeof(struct mvmm_create_vcpu), 'v' },
	{ MVMM_VCPU_INJECT, sizeof(struct mvmm_inject), 'c' },
	{ MVMM_VCPU_GET_SREGS, sizeof(struct mvmm_sregs), 'c' },
	{ MVMM_VCPU_SET_SREGS, sizeof(struct mvmm_sregs), 'c' },
	{ MVMM_VCPU_GET_DREGS, sizeof(struct mvmm_dregs), 'c' },
	{ MVMM_VCPU_SET_DREGS, sizeof(struct mvmm_dregs), 'c' },
	{ MVMM_VCPU_GET_XSAVE, sizeof(struct mvmm_xsave), 'c' },
	{ MVMM_VCPU_SET_XSAVE, sizeof(struct mvmm_xsave), 'c' },
	{ MVMM_VCPU_GET_EVENTS, sizeof(struct mvmm_events), 'c' },
	{ MVMM_VCPU_SET_EVENTS, sizeof(struct mvmm_events), 'c' },
	{ MVMM_VCPU_GET_MSRS, sizeof(struct mvmm_msrs), 'c' },
	{ MVMM_VCPU_SET_MSRS, sizeof(struct mvmm_msrs), 'c' },
	{ MVMM_VCPU_GET_MSR_LIST, sizeof(struct mvmm_msrs), 'c' },
	{ MVMM_VCPU_GET_CPUID, sizeof(struct mvmm_cpuid), 'c' },
	{ MVMM_VCPU_SET_CPUID, sizeof(struct mvmm_cpuid), 'c' },
	{ MVMM_VCPU_GET_STATS, sizeof(struct mvmm_stats), 'c' },
	{ MVMM_VCPU_RESET, sizeof(struct mvmm_reset), 'c' },
	{ MVMM_VCPU_KICK, 0, 'c' },
};
#define NR_IOCTLS (sizeof(ioctls) / sizeof(ioctls[0]))

/* Pointers in structs point here: entries, an XSAVE area, memory for regions */
static char pool[65536] __attribute__((aligned(4096)));

/* Structs with random fields, and sometimes an odd size or address */
static bool fuzz_ioctls(struct vm *vm, int rounds)
{
	uint64_t buffer[512];

	while (rounds-- > 0) {
		unsigned int i = below(NR_IOCTLS);
		int fd = ioctls[i].object == 's' ? vm->system :
			 ioctls[i].object == 'v' ? vm->vm : vm->vcpu;
		void *arg = buffer;
		int ret;

		memset(buffer, 0, sizeof(buffer));
		if (ioctls[i].size > 4)
			scramble((char *)buffer + 4, ioctls[i].size - 4);
		/* Sometimes a valid pointer: structs have theirs at offset 8 */
		if (below(2))
			buffer[1] = (uintptr_t)pool + below(3) * 8;
		*(uint32_t *)buffer = below(8) ? ioctls[i].size : interesting();
		if (!below(20))
			arg = (void *)interesting();
		if (!ioctls[i].size)
			arg = NULL;
		if (!below(10))
			scramble(pool, sizeof(pool));
		if (ring && !below(10))
			scramble(ring, RING * sizeof(*ring));
		ret = ioctl(fd, ioctls[i].cmd, arg);
		if (ret >= 0 && (ioctls[i].cmd == MVMM_CREATE_VM ||
				 ioctls[i].cmd == MVMM_VM_CREATE_VCPU))
			close(ret);
		if (!below(50))
			run_briefly(vm);
		if (!below(100) && !renew(vm))
			return false;
	}
	return true;
}

static bool fuzz_run_page(struct vm *vm, int rounds)
{
	while (rounds-- > 0) {
		scramble(vm->run, below(4) ? 32 : sizeof(*vm->run));
		run_briefly(vm);
		if (!below(20) && !renew(vm))
			return false;
	}
	return true;
}

/*
 * A valid state with some fields changed, but for two that end QEMU: a bad TR,
 * and LME without PAE. When a guest in that state exits, QEMU's loading of the
 * host's CR0 still sees the guest's CR4, refuses long mode, and leaves the host
 * without paging.
 */
static bool fuzz_state(struct vm *vm, int rounds)
{
	while (rounds-- > 0) {
		struct mvmm_segment tr;
		struct mvmm_sregs s;
		struct mvmm_events ev;
		struct mvmm_dregs d;

		if (mvmm_get_sregs(vm->vcpu, &s) ||
		    mvmm_get_events(vm->vcpu, &ev) ||
		    mvmm_get_dregs(vm->vcpu, &d))
			return false;
		tr = s.tr;
		scramble((char *)&s + 8, sizeof(s) - 8);
		s.tr = tr;
		if (!(s.cr4 & CR4_PAE))
			s.efer &= ~EFER_LME;
		mvmm_set_sregs(vm->vcpu, &s);
		if (below(2)) {
			scramble((char *)&ev + 4, sizeof(ev) - 4);
			mvmm_set_events(vm->vcpu, &ev);
		}
		if (!below(4)) {
			scramble((char *)&d + 8, sizeof(d) - 8);
			mvmm_set_dregs(vm->vcpu, &d);
		}
		if (below(2))
			scramble(&vm->run->regs, sizeof(vm->run->regs));
		vm->run->retire = 0;
		run_briefly(vm);
		if (!below(3) && !renew(vm))
			return false;
	}
	return true;
}

/* Random bytes as code; exits are completed as a launcher does */
static bool fuzz_code(struct vm *vm, int rounds)
{
	while (rounds-- > 0) {
		int i;

		if (!renew(vm))
			return false;
		for (i = 0; i < 512; i += 8) {
			uint64_t bytes = rnd();

			memcpy(vm->mem + CODE + i, &bytes, 8);
		}
		vm->run->regs.rflags |= below(2) ? 0x200 : 0;
		for (i = 0; i < 8; i++) {
			if (run_briefly(vm) || mvmm_complete(&vm->guest))
				break;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool (*fn)(struct vm *vm, int rounds);
		int cost;
	} phases[] = {
		{ "ioctls", fuzz_ioctls, 1 }, { "the run page", fuzz_run_page, 2 },
		{ "guest state", fuzz_state, 4 },
		{ "guest code", fuzz_code, 8 } };
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	int rounds = argc > 2 ? atoi(argv[2]) : 2000, failed = 0;
	struct sigaction action = { .sa_handler = on_alarm };
	struct vm vm = { 0 };
	unsigned int i;

	sigaction(SIGALRM, &action, NULL);
	printf("TAP version 13\n1..4\n# seed %llu, %d rounds\n",
	       (unsigned long long)seed, rounds);
	for (i = 0; i < 4; i++) {
		bool ok;

		state = seed * 0x9e3779b97f4a7c15ull + i + 1;
		ok = renew(&vm) && phases[i].fn(&vm, rounds / phases[i].cost) &&
		     healthy();
		if (vm.run)
			vm_destroy(&vm);
		memset(&vm, 0, sizeof(vm));
		printf("%sok %u %s\n", ok ? "" : "not ", i + 1, phases[i].name);
		fflush(stdout);
		failed += !ok;
	}
	return failed ? 1 : 0;
}
