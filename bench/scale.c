// SPDX-License-Identifier: GPL-2.0
/*
 * Costs that must not grow with the number of regions, the number of VMs or the
 * size of memory; how much memory VMs need; and how long launchers take.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>
#include "bench.h"

/* ---- memory ----------------------------------------------------------- */

static long field_kib(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	size_t len = strlen(name);
	char line[128];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ':')
			kib = atol(line + len + 1);
	if (f)
		fclose(f);
	return kib;
}

/* Memory in use, without user memory, files, page tables and nested tables */
static long kernel_kib(void)
{
	return field_kib("/proc/meminfo", "MemTotal") -
	       field_kib("/proc/meminfo", "MemFree") -
	       field_kib("/proc/meminfo", "Cached") -
	       field_kib("/proc/meminfo", "PageTables") -
	       field_kib("/proc/meminfo", "SecPageTables") -
	       field_kib("/proc/self/smaps_rollup", "Anonymous");
}

static void *sleeper(void *unused)
{
	pause();
	return NULL;
}

/* Idle VMs with one vCPU each, which has run, and a thread for each */
void measure_kernel_per_vm(const struct monitor *monitor, int system)
{
	enum { FIRST = 32, N = 128 };
	static struct machine m[N];
	pthread_attr_t attr;
	pthread_t thread;
	long before = 0;
	int i, ret = 0;

	if (!wanted("kernel_per_vm"))
		return;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	/* The first do not count: they pay for shared things and new slabs */
	for (i = 0; i < N && !ret; i++) {
		if (i == FIRST)
			before = kernel_kib();
		ret = make_machine(&m[i], monitor, system, MEM_SIZE, 1);
		if (ret >= 0)
			ret = take(&m[i], CODE_OF(nothing), 0, 0, 1);
		if (!ret)
			ret = pthread_create(&thread, &attr, sleeper, NULL);
	}
	if (ret)
		complain("kernel_per_vm", ret);
	else
		say("kernel_per_vm", "KiB",
		    (double)(kernel_kib() - before) / (N - FIRST));
	while (i-- > 0)
		unmake_machine(&m[i]);
}

/* Private memory of a process, without its largest mapping: the guest's RAM */
static long private_kib(pid_t pid)
{
	char path[64], line[256];
	long total = 0, mapping = 0, largest = 0, kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Size: %ld", &kib) == 1)
			mapping = 0;
		if (sscanf(line, "Private_Clean: %ld", &kib) != 1 &&
		    sscanf(line, "Private_Dirty: %ld", &kib) != 1)
			continue;
		mapping += kib;
		total += kib;
		if (mapping > largest)
			largest = mapping;
	}
	if (f)
		fclose(f);
	return total - largest;
}

/* ---- more of everything ----------------------------------------------- */

#define TOUCHED		(16ul << 20)

struct scale {
	const char *name;
	uint64_t size;
	int regions, others;
};

/* The others are compared with the first */
static const struct scale scales[] = {
	{ "256m", 256ul << 20, 1, 0 },
	{ "64_regions", 256ul << 20, 64, 0 },
	{ "32_vms", 256ul << 20, 1, 31 },
	{ "8g", 8ul << 30, 1, 0 },
};

/* CPUID, and first writes to the end of the memory below 4 GiB */
static int measure_scaled(struct machine *m, const char *scale)
{
	uint64_t end = m->size < 1ul << 32 ? m->size : 1ul << 32;
	int n = 4000, pages = TOUCHED >> 12, ret;
	char name[32];

	ret = take(m, CODE_OF(cpuid), 0, 0, n);
	if (ret)
		return ret;
	snprintf(name, sizeof(name), "cpuid_%s", scale);
	say(name, "ticks", median(m, n));
	ret = take(m, CODE_OF(page_write), end - TOUCHED, 0, pages);
	if (ret)
		return ret;
	snprintf(name, sizeof(name), "fault_%s", scale);
	say(name, "ticks/page", mean(m, pages));
	return 0;
}

void measure_scales(const struct monitor *monitor, int system)
{
	static struct machine others[31];
	const struct scale *s;
	struct machine m;
	int made, ret;

	for (s = scales; s < scales + sizeof(scales) / sizeof(*s); s++) {
		ret = make_machine(&m, monitor, system, s->size, s->regions);
		for (made = 0; made < s->others && ret >= 0; made++) {
			ret = make_machine(&others[made], monitor, system,
					   MEM_SIZE, 1);
			if (ret >= 0)
				ret = take(&others[made], CODE_OF(nothing), 0,
					   0, 1);
		}
		if (ret >= 0)
			ret = measure_scaled(&m, s->name);
		if (ret < 0)
			complain(s->name, ret);
		while (made-- > 0)
			unmake_machine(&others[made]);
		unmake_machine(&m);
	}
}

/* Starts a process with a VM whose guest has run and is idle now */
static pid_t start_vm(const struct monitor *monitor, int *error)
{
	struct machine m;
	int pipes[2], ret;
	pid_t pid;

	if (pipe(pipes)) {
		*error = -errno;
		return -1;
	}
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ret = monitor->open();
		if (ret >= 0)
			ret = make_machine(&m, monitor, ret, MEM_SIZE, 1);
		if (ret >= 0)
			ret = take(&m, CODE_OF(nothing), 0, 0, 1);
		if (write(pipes[1], &ret, sizeof(ret)) == sizeof(ret))
			pause();
		_exit(1);
	}
	*error = pid < 0 ? -errno : 0;
	close(pipes[1]);
	if (pid > 0 && read(pipes[0], error, sizeof(*error)) != sizeof(*error))
		*error = -EPIPE;
	close(pipes[0]);
	return pid;
}

/*
 * Computed, not counted: after the first VMs each one takes the same from the
 * available memory
 */
void count_vms(const struct monitor *monitor)
{
	enum { FIRST = 64, N = 256 };
	long all = field_kib("/proc/meminfo", "MemAvailable"), left = 0, each;
	int n, error = 0;
	pid_t vms[N];

	for (n = 0; n < N && !error; n++) {
		if (n == FIRST)
			left = field_kib("/proc/meminfo", "MemAvailable");
		vms[n] = start_vm(monitor, &error);
		if (vms[n] < 0)
			break;
	}
	each = (left - field_kib("/proc/meminfo", "MemAvailable")) /
	       (N - FIRST);
	if (error) {
		complain("vms_in_1g", error);
	} else {
		say("kib_per_process", "KiB", each);
		say("vms_in_1g", "VMs", FIRST + (left - all / 32) / each);
	}
	while (n-- > 0)
		kill(vms[n], SIGKILL);
	while (wait(NULL) > 0)
		;
}

/* ---- launchers -------------------------------------------------------- */

/* Field @number of /proc/PID/stat, 3 or more */
static unsigned long process_stat(pid_t pid, int number)
{
	char path[64], line[1024] = "", *field;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	/* Field 2 is a name in brackets, which may have spaces in it */
	field = strrchr(line, ')');
	for (; field && number > 2; number--)
		field = strchr(field + 1, ' ');
	return field ? strtoul(field, NULL, 10) : 0;
}

static void say_outside(const char *name, pid_t pid)
{
	unsigned long all = process_stat(pid, 14) + process_stat(pid, 15);

	if (all)
		say(name, "%",
		    100.0 * (all - process_stat(pid, 43)) / all);
}

int launch(const char *operation, const char *mark, char **command)
{
	uint64_t start, end, idle;
	volatile uint64_t *got;
	size_t seen = 0;
	int pipes[2];
	pid_t pid, busy;
	char c;

	busy = start_busy(&got);
	if (busy < 0 || pipe(pipes))
		return 1;
	idle = *got;
	start = __rdtsc();
	pid = fork();
	if (!pid) {
		/* It ends with this process, also if that is killed */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		execv(command[0], command);
		_exit(127);
	}
	close(pipes[1]);
	while (mark[seen] && read(pipes[0], &c, 1) == 1)
		seen = c == mark[seen] ? seen + 1 : c == mark[0];
	end = __rdtsc();
	idle = *got - idle;
	/* A guest that goes on would be gone before the idle one comes to its end */
	kill(pid, SIGSTOP);
	kill(busy, SIGKILL);
	waitpid(busy, NULL, 0);
	if (mark[seen]) {
		printf("# %s %s: ended before it said %s\n", operation,
		       command[0], mark);
		return 1;
	}
	if (!strcmp(operation, "boot_8_devices"))
		say("rss_8_devices", "KiB", private_kib(pid));
	else if (!strcmp(operation, "boot_screen"))
		say("rss_screen", "KiB", private_kib(pid));
	else
		say(operation, "kticks", (end - start - idle) / 1e3);
	if (!strcmp(operation, "boot_disk"))
		say_outside("boot_disk_outside", pid);
	if (!strcmp(operation, "boot_linux")) {
		say("boot_linux_elapsed", "kticks", (end - start) / 1e3);
		say_outside("boot_linux_outside", pid);
		say("rss_launcher", "KiB", private_kib(pid));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
