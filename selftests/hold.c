// SPDX-License-Identifier: GPL-2.0
/*
 * Helper of module_test.sh: makes a VM on the given device and keeps it. At
 * SIGUSR1 it says by how many ms the time of an mvmm VM is not that of the host's
 * CLOCK_MONOTONIC, which stands in a suspend; or the TSC that the guest reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "vm.h"

#define KVM_CREATE_VM _IO(0xAE, 0x01)

static struct vm guest;

GUEST(read_tsc, "rdtsc\n shl $32, %rdx\n or %rdx, %rax\n hlt");

static int64_t difference(int vm)
{
	struct mvmm_clock clock;
	struct mvmm_info info;
	struct timespec ts;
	int64_t late;

	LOAD(&guest, read_tsc);
	if (vm_set_mode(&guest, LONG64) || mvmm_get_info(guest.system, &info) ||
	    vm_run_to_exit(&guest) != MVMM_EXIT_HLT ||
	    mvmm_get_clock(vm, &clock))
		exit(3);
	late = (clock.tsc - guest.run->regs.rax) / info.tsc_khz;
	if (late < 0 || late > 400)
		return late;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)clock.kvmclock / 1000000 - ts.tv_sec * 1000ll -
	       ts.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDWR) : -1, vm, signal;
	int64_t before = 0;
	sigset_t wanted;

	if (fd < 0) {
		perror("open");
		return 2;
	}
	if (strstr(argv[1], "kvm")) {
		vm = ioctl(fd, KVM_CREATE_VM, 0);
		vm = vm < 0 ? -errno : vm;
	} else {
		vm = vm_create(&guest) ?: guest.vm;
	}
	if (vm < 0) {
		printf("create: %s\n", strerror(-vm));
		return 1;
	}
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	if (!strstr(argv[1], "kvm"))
		before = difference(vm);
	printf("created\n");
	for (;;) {
		fflush(stdout);
		if (!sigwait(&wanted, &signal))
			printf("%lld\n", (long long)(difference(vm) - before));
	}
}
