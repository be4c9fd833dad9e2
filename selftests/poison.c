// SPDX-License-Identifier: GPL-2.0
/*
 * Broken memory under a guest, for the lab.
 *
 *   poison            in the guest: prints the address of a page ("gpa=0x...") that a
 *                     child keeps reading; SIGBUS has to end that, and nothing else
 *   poison MIB        in L1: copies what a guest of that size prints, and has the
 *                     kernel take that page away from mvmm, as if it had found an error
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096
#define PATIENCE_S	120

static void result(int good, const char *name)
{
	static int n;

	printf("%sok %d %s\n", good ? "" : "not ", ++n, name);
}

/* The physical address of what @pid has at @at; 0: unknown */
static uint64_t physical(const char *pid, uint64_t at)
{
	uint64_t entry = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
	fd = open(path, O_RDONLY);
	if (pread(fd, &entry, sizeof(entry), at / PAGE * sizeof(entry)) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	/* Present; the page frame's number */
	return entry >> 63 ? (entry & ((1ull << 55) - 1)) * PAGE : 0;
}

static int guest(void)
{
	uint64_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	time_t end = time(NULL) + PATIENCE_S;
	int status = 0;
	pid_t child;

	puts("1..2");
	fflush(stdout);
	child = fork();
	if (!child) {
		*page = 42;
		printf("gpa=0x%llx\n",
		       (unsigned long long)physical("self", (uintptr_t)page));
		fflush(stdout);
		while (time(NULL) < end && *(volatile uint64_t *)page == 42)
			usleep(10000);
		_exit(0);
	}
	waitpid(child, &status, 0);
	printf("# status of the reader: 0x%x\n", status);
	result(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS,
	       "who reads broken memory gets SIGBUS");
	page = mmap(NULL, 1024 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	result(page != MAP_FAILED, "the guest goes on");
	return 0;
}

static uint64_t ram_of(const char *pid, uint64_t size)
{
	unsigned long long from, to;
	char path[64], line[512];
	uint64_t ram = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%llx-%llx rw", &from, &to) == 2 &&
		    to - from == size)
			ram = from;
	return ram;
}

static bool take_away(uint64_t size, uint64_t gpa)
{
	FILE *pidof = popen("pidof mvmm", "r");
	uint64_t ram, at;
	char pid[16];
	int fd;

	if (!pidof || fscanf(pidof, "%15s", pid) != 1)
		return false;
	ram = ram_of(pid, size);
	at = ram ? physical(pid, ram + gpa) : 0;
	fd = open("/sys/devices/system/memory/hard_offline_page", O_WRONLY);
	return at && dprintf(fd, "0x%llx\n", (unsigned long long)at) > 0;
}

static int host(uint64_t size)
{
	unsigned long long gpa;
	char line[512];

	while (fgets(line, sizeof(line), stdin)) {
		fputs(line, stdout);
		if (sscanf(line, "gpa=%llx", &gpa) == 1 &&
		    (!gpa || !take_away(size, gpa)))
			puts("not ok 1 the kernel takes the page away");
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	return argc == 2 ? host(strtoull(argv[1], NULL, 0) << 20) : guest();
}
