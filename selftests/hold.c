// SPDX-License-Identifier: GPL-2.0
/* Helper of module_test.sh: makes a VM on the given device and keeps it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "libmvmm.h"

#define KVM_CREATE_VM _IO(0xAE, 0x01)

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDWR) : -1, vm;

	if (fd < 0) {
		perror("open");
		return 2;
	}
	if (strstr(argv[1], "kvm")) {
		vm = ioctl(fd, KVM_CREATE_VM, 0);
		vm = vm < 0 ? -errno : vm;
	} else {
		vm = mvmm_create_vm(fd);
	}
	if (vm < 0) {
		printf("create: %s\n", strerror(-vm));
		return 1;
	}
	printf("created\n");
	fflush(stdout);
	pause();
	return 0;
}
