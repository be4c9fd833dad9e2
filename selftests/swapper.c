// SPDX-License-Identifier: GPL-2.0
/*
 * Helper of the guest tests: swaps out the memfd of a running mvmm until mvmm
 * ends, and reports in TAP whether enough was swapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static int find_memory(const char *pid, struct iovec *range)
{
	char path[64], line[512];
	unsigned long from, to;
	int found = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	while (maps && !found && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "memfd:mvmm-ram") ||
		    sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		range->iov_base = (void *)from;
		range->iov_len = to - from;
		found = 1;
	}
	if (maps)
		fclose(maps);
	return found;
}

static unsigned long long swapped_out(void)
{
	unsigned long long pages = 0;
	char line[128];
	FILE *vmstat = fopen("/proc/vmstat", "r");

	while (vmstat && fgets(line, sizeof(line), vmstat))
		sscanf(line, "pswpout %llu", &pages);
	if (vmstat)
		fclose(vmstat);
	return pages;
}

int main(int argc, char **argv)
{
	unsigned long long before = swapped_out(), pages;
	struct iovec range;
	int pidfd, rounds = 0;

	pidfd = argc > 1 ? syscall(SYS_pidfd_open, atoi(argv[1]), 0) : -1;
	if (pidfd < 0) {
		perror("pidfd_open");
		return 1;
	}
	while (!find_memory(argv[1], &range))
		if (access("/proc", R_OK) || usleep(10000))
			return 1;
	for (;;) {
		long ret = syscall(SYS_process_madvise, pidfd, &range, 1,
				   MADV_PAGEOUT, 0);

		/* mvmm has ended, or is about to: its memory is unmapped */
		if (ret < 0 && (errno == ESRCH || errno == ENOMEM))
			break;
		if (ret < 0) {
			perror("process_madvise");
			return 1;
		}
		rounds++;
		/* The guest needs time in between to make progress */
		usleep(2000000);
	}
	pages = swapped_out() - before;
	printf("%sok 1 the guest's memory was swapped: %d rounds, %llu pages\n",
	       rounds > 1 && pages > 10000 ? "" : "not ", rounds, pages);
	return 0;
}
