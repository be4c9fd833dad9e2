// SPDX-License-Identifier: GPL-2.0
/*
 * What a request to a disk costs, in TSC ticks of the whole machine: a loop by
 * io_uring. It runs in guests on their disks, on the host on a file. Static,
 * so that a guest with busybox has it. What prepares the disks is in disks.py.
 *
 *   requests disk|file PATH      the rows blk_*; "file": not past the page cache
 *   requests raid PATH           the rows raid5_*
 *   requests array DEVICE...     makes /dev/md0 of the members of an array
 *   requests config PATH         reads 4 bytes of PCI configuration space
 *
 * Prints lines as bench.c does. A figure is the time of all requests by their
 * number.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/major.h>
#include <linux/raid/md_u.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <x86intrin.h>

#define DEPTH_MAX	32
#define SPAN		(16u << 20)	/* of the disk that is used */

struct row {
	const char *name, *unit;
	bool write;
	unsigned int size, depth, count;
};

static const struct row blk_rows[] = {
	{ "blk_read_4k", "ticks", false, 4096, 1, 2048 },
	{ "blk_read_4k_32", "ticks", false, 4096, 32, 8192 },
	{ "blk_write_4k", "ticks", true, 4096, 1, 2048 },
	{ "blk_read_1m", "ticks/MiB", false, 1 << 20, 1, 128 },
	/*
	 * The last one: with rows behind it a guest of QEMU on SVM stopped here. It
	 * is not known why
	 */
	{ "blk_write_4k_32", "ticks", true, 4096, 32, 8192 },
	{ }
};

static const struct row raid_rows[] = {
	{ "raid5_write_4k", "ticks", true, 4096, 1, 1024 },
	{ "raid5_write_4k_32", "ticks", true, 4096, 32, 2048 },
	{ }
};

/**
 * struct ring - an io_uring
 * @fd: of the ring
 * @sq_tail: where the next entry goes
 * @sq_mask: of its index
 * @cq_head: the next completion
 * @cq_tail: the kernel's
 * @cq_mask: of its index
 * @sqe: the entries
 * @cqe: the completions
 */
struct ring {
	int fd;
	unsigned int *sq_tail, sq_mask, *cq_head, *cq_tail, cq_mask;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
};

static void die(const char *what)
{
	printf("# requests: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_ring(struct ring *r)
{
	struct io_uring_params p = { .flags = IORING_SETUP_COOP_TASKRUN };
	unsigned int *array, i;
	char *ring;

	r->fd = syscall(SYS_io_uring_setup, DEPTH_MAX, &p);
	if (r->fd < 0)
		die("io_uring_setup");
	/* One mapping for both rings, since 5.4 */
	ring = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*r->cqe) +
		    p.sq_off.array + p.sq_entries * sizeof(*array),
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		    IORING_OFF_SQ_RING);
	r->sqe = mmap(NULL, p.sq_entries * sizeof(*r->sqe),
		      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		      IORING_OFF_SQES);
	if (ring == MAP_FAILED || r->sqe == MAP_FAILED)
		die("mmap");
	r->sq_tail = (void *)(ring + p.sq_off.tail);
	r->sq_mask = p.sq_entries - 1;
	r->cq_head = (void *)(ring + p.cq_off.head);
	r->cq_tail = (void *)(ring + p.cq_off.tail);
	r->cq_mask = p.cq_entries - 1;
	r->cqe = (void *)(ring + p.cq_off.cqes);
	array = (void *)(ring + p.sq_off.array);
	for (i = 0; i < p.sq_entries; i++)
		array[i] = i;
}

static uint32_t next_random(void)
{
	static uint32_t x = 1;

	x = x * 1664525 + 1013904223;
	return x >> 8;
}

static void add(struct ring *r, const struct row *row, int fd, char *buffer)
{
	struct io_uring_sqe *e = &r->sqe[*r->sq_tail & r->sq_mask];

	*e = (struct io_uring_sqe){
		.opcode = row->write ? IORING_OP_WRITE : IORING_OP_READ,
		.fd = fd, .addr = (uintptr_t)buffer, .len = row->size,
		.off = (uint64_t)(next_random() % (SPAN / row->size)) *
		       row->size,
		.user_data = (uintptr_t)buffer };
	__atomic_store_n(r->sq_tail, *r->sq_tail + 1, __ATOMIC_RELEASE);
}

/* @count requests, always row->depth of them in flight */
static void do_requests(struct ring *r, const struct row *row, int fd,
			char *memory, unsigned int count)
{
	unsigned int added = 0, done = 0, new = 0;

	for (; added < row->depth && added < count; added++, new++)
		add(r, row, fd, memory + added * row->size);
	while (done < count) {
		if (syscall(SYS_io_uring_enter, r->fd, new, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) != (long)new)
			die("io_uring_enter");
		new = 0;
		while (*r->cq_head !=
		       __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE)) {
			struct io_uring_cqe *c =
				&r->cqe[*r->cq_head & r->cq_mask];

			if (c->res != (int)row->size) {
				errno = c->res < 0 ? -c->res : EIO;
				die(row->name);
			}
			done++;
			if (added < count) {
				add(r, row, fd, (char *)(uintptr_t)c->user_data);
				added++;
				new++;
			}
			__atomic_store_n(r->cq_head, *r->cq_head + 1,
					 __ATOMIC_RELEASE);
		}
	}
}

static void measure(const struct row *row, const char *path, bool direct)
{
	int fd = open(path, O_RDWR | (direct ? O_DIRECT : 0));
	struct ring ring;
	uint64_t ticks;
	char *memory;

	if (fd < 0)
		die(path);
	open_ring(&ring);
	for (; row->name; row++) {
		memory = mmap(NULL, row->depth * row->size,
			      PROT_READ | PROT_WRITE, MAP_PRIVATE |
			      MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (memory == MAP_FAILED)
			die("memory");
		do_requests(&ring, row, fd, memory, row->count / 8);
		ticks = __rdtsc();
		do_requests(&ring, row, fd, memory, row->count);
		ticks = __rdtsc() - ticks;
		printf("%s %s %.1f\n", row->name, row->unit,
		       (double)ticks / row->count);
		fflush(stdout);
		munmap(memory, row->depth * row->size);
	}
	close(ring.fd);
	close(fd);
}

/* mdadm would need a C library. The members' superblocks tell md the rest */
static void make_array(char **devices)
{
	mdu_array_info_t array = { .major_version = 1, .minor_version = 2 };
	int fd;

	fd = open("/dev/md0", O_RDWR);
	if (fd < 0 || ioctl(fd, SET_ARRAY_INFO, &array))
		die("SET_ARRAY_INFO");
	for (; *devices; devices++) {
		mdu_disk_info_t disk = { 0 };
		struct stat st;

		if (stat(*devices, &st))
			die(*devices);
		disk.major = major(st.st_rdev);
		disk.minor = minor(st.st_rdev);
		if (ioctl(fd, ADD_NEW_DISK, &disk))
			die("ADD_NEW_DISK");
	}
	if (ioctl(fd, RUN_ARRAY, NULL))
		die("RUN_ARRAY");
	close(fd);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* As the guest's kernel does it, with its system call */
static void measure_config(const char *path)
{
	enum { N = 501 };
	uint64_t ticks[N], before;
	int fd = open(path, O_RDONLY), i;
	uint32_t id;

	if (fd < 0)
		die(path);
	for (i = 0; i < N; i++) {
		before = __rdtsc();
		if (pread(fd, &id, sizeof(id), 0) != sizeof(id))
			die(path);
		ticks[i] = __rdtsc() - before;
	}
	qsort(ticks, N, sizeof(ticks[0]), compare);
	printf("pci_config_read ticks %.1f\n", (double)ticks[N / 2]);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "disk") || !strcmp(what, "file")) {
		measure(blk_rows, argv[2], !strcmp(what, "disk"));
	} else if (!strcmp(what, "raid")) {
		measure(raid_rows, argv[2], true);
	} else if (!strcmp(what, "array")) {
		make_array(argv + 2);
	} else if (!strcmp(what, "config")) {
		measure_config(argv[2]);
	} else {
		fprintf(stderr, "usage: requests disk|file|raid|config PATH\n       requests array DEVICE...\n");
		return 2;
	}
	return 0;
}
