// SPDX-License-Identifier: GPL-2.0
/*
 * No request of a disk allocates memory, from the guest's ring to the file and
 * back: each kind of disk is used once, so that it has all that it keeps, and
 * then used again while allocations are counted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "have.h"
#include "block/block.h"
#include "tests/virtio_driver.h"
#ifdef HAVE_RAID
#include "block/raid/create.h"
#endif
#ifdef HAVE_URING
#include <liburing.h>

static bool without_ring;

int io_uring_queue_init(unsigned int entries, struct io_uring *ring,
			unsigned int flags)
{
	int (*real)(unsigned int, struct io_uring *, unsigned int) =
		(typeof(real))dlsym(RTLD_NEXT, "io_uring_queue_init");

	return without_ring ? -ENOSYS : real(entries, ring, flags);
}
#endif

#define DISK		(4ull << 20)
#define FILES		5
#define AT_ONCE		5	/* requests of three descriptors in a ring of 16 */
#define LEN		4096u
#define ROUNDS		200

/* Of the address sanitizer; gcc has no header for it */
int __sanitizer_install_malloc_and_free_hooks(
	void (*on_malloc)(const volatile void *at, size_t size),
	void (*on_free)(const volatile void *at));

/* Any thread's, while it is not NULL */
static unsigned long allocations, *counted;

static void on_malloc(const volatile void *at, size_t size)
{
	unsigned long *count = __atomic_load_n(&counted, __ATOMIC_RELAXED);

	if (count)
		__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
}

static void on_free(const volatile void *at)
{
}

static void count(bool on)
{
	__atomic_store_n(&counted, on ? &allocations : NULL, __ATOMIC_RELAXED);
}

static int file[FILES];
static char path[FILES][40];
static struct block *disk;

static int make_files(void **state)
{
	unsigned int i;

	__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
	for (i = 0; i < FILES; i++) {
		file[i] = memfd_create("disk", 0);
		if (file[i] < 0 || ftruncate(file[i], DISK))
			return -1;
		snprintf(path[i], sizeof(path[i]), "/proc/self/fd/%d", file[i]);
	}
	return 0;
}

static int close_files(void **state)
{
	unsigned int i;

	for (i = 0; i < FILES; i++)
		close(file[i]);
	return 0;
}

static void start(const char *text, bool ephemeral, uint64_t features)
{
	struct block_config config;
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(block_parse(&config, copy, &error), 0);
	config.ephemeral = ephemeral;
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	disk = block_open(&config, &error);
	if (!disk)
		print_message("%s\n", error.text);
	assert_non_null(disk);
	m.config.disk[0] = disk;
	m.config.disks = 1;
	bare_device("pci-host");
	bare_device_with("virtio-blk", "ioeventfd=on");
	driver_start(features);
}

static void stop(void)
{
	devices_destroy(&m);
	disk->ops->close(disk);
	memory_destroy(&m.memory);
	bare_stop();
}

/* Five at once: reads and writes here and there, or a flush */
static void batch(unsigned int number)
{
	uint64_t sectors = (DISK >> 1) / BLOCK_SECTOR, sector;
	unsigned int i;

	for (i = 0; i < AT_ONCE; i++) {
		sector = (number * 331 + i * 1009) * 8ull % sectors;
		make_request(3 * i, (number + i) % 3 ? VIRTIO_BLK_T_OUT :
						       VIRTIO_BLK_T_IN,
			     sector, BUFFERS + i * LEN, LEN);
		if (!i && number % 4 == 3)
			make_request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
		offer(3 * i);
	}
	kick();
	wait_for_all();
	for (i = 0; i < AT_ONCE; i++)
		assert_int_equal(*status_of(3 * i), VIRTIO_BLK_S_OK);
}

static void none(const char *text, bool ephemeral, uint64_t features)
{
	unsigned int i;

	start(text, ephemeral, features);
	for (i = 0; i < ROUNDS; i++)
		batch(i);
	allocations = 0;
	count(true);
	for (i = 0; i < ROUNDS; i++)
		batch(i);
	count(false);
	stop();
	if (allocations)
		print_message("%s\n", text);
	assert_int_equal(allocations, 0);
}

/* Or else the others show nothing */
static void is_counted(void **state)
{
	count(true);
	free(strdup("this"));
	count(false);
	free(strdup("not this"));
	assert_int_equal(allocations, 1);
}

static void raw(void **state)
{
	none(path[0], false, 0);
	none(path[0], false, F_EVENT_IDX);
}

#ifdef HAVE_URING
static void raw_without_a_ring(void **state)
{
	without_ring = true;
	none(path[0], false, 0);
	without_ring = false;
}
#endif

static void overlay(void **state)
{
	none(path[0], true, 0);
}

#ifdef HAVE_RAID
static const struct shape {
	unsigned int level;
	enum md_policy policy;
} shapes[] = {
	{ 0, MD_RESYNC }, { 1, MD_BITMAP }, { 4, MD_BITMAP }, { 5, MD_BITMAP },
	{ 5, MD_PPL }, { 5, MD_JOURNAL }, { 6, MD_BITMAP }, { 6, MD_JOURNAL },
	{ 10, MD_BITMAP },
};

/* A journal is on the last disk, which is no member then */
static void format(const struct shape *shape)
{
	struct raid_new new = { .layout = { .level = shape->level,
			.disks = FILES - (shape->policy == MD_JOURNAL),
			.chunk = shape->level == 1 ? 0 : 65536,
			.layout = shape->level == 10 ? RAID10_LAYOUT(2, 1, 0) :
				  shape->level > 4 ? RAID_LEFT_SYMMETRIC : 0 },
		.policy = shape->policy, .clean = true, .force = true,
		.name = "counted" };
	struct block_config config = { 0 };
	struct vm_clock vm_clock;
	struct block *member[FILES];
	const char *name[FILES];
	struct loop loop;
	unsigned int i;
	int ret;

	vm_clock_init(&vm_clock, 0);
	assert_int_equal(loop_init(&loop, &vm_clock), 0);
	for (i = 0; i < FILES; i++) {
		config.path = name[i] = path[i];
		member[i] = file_open(&config, &error);
		assert_non_null(member[i]);
		assert_int_equal(member[i]->ops->start(member[i], &loop, &error),
				 0);
	}
	pthread_mutex_lock(&loop.lock);
	ret = raid_format(&new, member, name, FILES, &error);
	pthread_mutex_unlock(&loop.lock);
	if (ret)
		print_message("%s\n", error.text);
	assert_int_equal(ret, 0);
	for (i = 0; i < FILES; i++)
		member[i]->ops->close(member[i]);
	loop_destroy(&loop);
}

static void raid(void **state)
{
	char text[256];
	unsigned int i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		format(&shapes[i]);
		snprintf(text, sizeof(text), "raid%u:%s,%s,%s,%s,%s%s",
			 shapes[i].level, path[0], path[1], path[2], path[3],
			 shapes[i].policy == MD_JOURNAL ? "journal=" : "",
			 path[4]);
		none(text, false, 0);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_counted),
		cmocka_unit_test(raw),
#ifdef HAVE_URING
		cmocka_unit_test(raw_without_a_ring),
#endif
		cmocka_unit_test(overlay),
#ifdef HAVE_RAID
		cmocka_unit_test(raid),
#endif
	};

	return cmocka_run_group_tests(tests, make_files, close_files);
}
