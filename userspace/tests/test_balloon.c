// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-balloon: the host gets its memory back, of private and of shared RAM,
 * and nothing else goes, whatever the driver says.
 */
#define _GNU_SOURCE
#include <linux/virtio_balloon.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/virtio/balloon.h"
#include "tests/virtio_driver.h"

#define PAGE	4096
#define PAGES	(MEMORY / PAGE)
/* Where the test takes pages from */
#define FREE	0x300000ull
#define LIST	BUFFERS
#define INFLATE	0
#define DEFLATE	1
#define STATS	2
#define REPORTS	4

#define F_REPORTING (1ull << VIRTIO_BALLOON_F_REPORTING)

static void start(bool memfd, const char *options)
{
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, memfd, &error), 0);
	/* Else one page more or less is the host's choice */
	madvise(m.memory.base, MEMORY, MADV_NOHUGEPAGE);
	memset(m.memory.base, 0xa5, MEMORY);
	bare_device("pci-host");
	bare_device_with("virtio-balloon", options);
}

static void negotiate(uint64_t features)
{
	static const unsigned int queues[] = { REPORTS, 3, STATS, DEFLATE,
					       INFLATE };
	unsigned int i;

	driver_begin(features);
	for (i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		add_queue(queues[i]);
	driver_ok();
}

static int setup(void **state)
{
	start(false, "size=1M");
	negotiate(F_REPORTING);
	return 0;
}

/* How many of the guest's pages the host has in memory */
static unsigned int resident(void)
{
	static unsigned char there[PAGES];
	unsigned int i, n = 0;

	assert_int_equal(mincore(m.memory.base, MEMORY, there), 0);
	for (i = 0; i < PAGES; i++)
		n += there[i] & 1;
	return n;
}

static bool is_zero(uint64_t gpa)
{
	static const uint8_t zeroes[PAGE];

	return !memcmp(at(gpa), zeroes, PAGE);
}

static bool is_whole(uint64_t gpa)
{
	static uint8_t bytes[PAGE];

	memset(bytes, 0xa5, PAGE);
	return !memcmp(at(gpa), bytes, PAGE);
}

/* A chain of one buffer, given back when this returns */
static void send(unsigned int queue, uint64_t gpa, uint32_t len, bool write)
{
	driver.queue = queue;
	*desc(0) = (struct vring_desc){ gpa, len,
					write ? VRING_DESC_F_WRITE : 0, 0 };
	offer(0);
	kick();
	wait_for_all();
}

static void give_up(const uint32_t *pfn, unsigned int nr)
{
	memcpy(at(LIST), pfn, nr * sizeof(*pfn));
	send(INFLATE, LIST, nr * sizeof(*pfn), false);
}

static void takes_pages(void)
{
	/* Up, down, alone, and one twice */
	static const uint32_t pfn[] = { 0x300, 0x301, 0x302, 0x310, 0x30f,
					0x30e, 0x320, 0x320 };
	unsigned int before, i;

	before = resident();
	give_up(pfn, 8);
	assert_int_equal(before - resident(), 7);
	for (i = 0; i < 8; i++)
		assert_true(is_zero((uint64_t)pfn[i] * PAGE));
	assert_true(is_whole(0x2ff000));
	assert_true(is_whole(0x303000));
	assert_true(is_whole(0x30d000));
	assert_true(is_whole(0x311000));
	assert_true(is_whole(0x321000));
	/* What leaves the balloon is used again */
	memcpy(at(LIST), pfn, sizeof(pfn));
	send(DEFLATE, LIST, sizeof(pfn), false);
	*(uint8_t *)at(FREE) = 1;
	assert_int_equal(*(uint8_t *)at(FREE), 1);
	assert_int_equal(((struct vring_used *)used())->ring[0].len, 0);
}

static void memory_comes_back(void **state)
{
	takes_pages();
}

static void memory_of_a_memfd_comes_back(void **state)
{
	driver_teardown(NULL);
	start(true, "size=1M");
	negotiate(F_REPORTING);
	takes_pages();
}

static void identity(void **state)
{
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10451af4);
	/* How many pages are wanted; how many there are, the driver says */
	assert_int_equal(reg_read(0x2000, 4), 256);
	assert_int_equal(reg_read(0x2004, 4), 0);
	reg_write(0x2004, 100, 4);
	assert_int_equal(reg_read(0x2004, 4), 100);
	reg_write(0x2005, 1, 1);
	assert_int_equal(reg_read(0x2004, 4), 356);
	reg_write(0x2000, 7, 4);
	assert_int_equal(reg_read(0x2000, 4), 256);
	reg_write(0x2008, 7, 4);
	assert_int_equal(reg_read(0x2008, 4), 0);
	negotiate(0);
	assert_int_equal(reg_read(0x2004, 4), 0);
}

/* Page numbers that are not of RAM, and lists that are not whole */
static void hostile_pages(void **state)
{
	static const uint32_t bad[] = {
		0xa0, 0xbf, MEMORY / PAGE, 0xc0000, 0xfee00, 0x100000,
		0x80000000, 0xffffffff };
	uint32_t pfn[1100];
	unsigned int before = resident(), i;

	give_up(bad, sizeof(bad) / sizeof(bad[0]));
	assert_int_equal(resident(), before);
	assert_int_equal(reg_read(COMMON(device_status), 1) & 0x40, 0);
	/* One byte short of a second one */
	pfn[0] = 0x300;
	pfn[1] = 0x301;
	memcpy(at(LIST), pfn, 8);
	send(INFLATE, LIST, 7, false);
	assert_int_equal(before - resident(), 1);
	assert_true(is_whole(0x301000));
	/* A list is read as far as one call may go */
	for (i = 0; i < 1100; i++)
		pfn[i] = i < 1024 ? 0x301 : 0x302;
	give_up(pfn, 1100);
	assert_true(is_zero(0x301000));
	assert_true(is_whole(0x302000));
	/* ROM stays, and a list that is in its own pages */
	m.memory.block[0].read_only = true;
	pfn[0] = 0x303;
	driver.queue = INFLATE;
	give_up(pfn, 1);
	assert_true(is_whole(0x303000));
	m.memory.block[0].read_only = false;
	pfn[0] = LIST / PAGE;
	pfn[1] = 0x304;
	give_up(pfn, 2);
	assert_true(is_zero(0x304000));
	/* A buffer to be written has no list */
	before = resident();
	send(INFLATE, FREE + 0x10000, PAGE, true);
	assert_int_equal(resident(), before);
}

/* The rings themselves are given up: the device goes on, with zeroes */
static void rings_in_the_balloon(void **state)
{
	static const uint32_t pfn[] = { DESC / PAGE, AVAIL / PAGE,
					USED / PAGE };

	memcpy(at(LIST), pfn, sizeof(pfn));
	driver.queue = INFLATE;
	*desc(0) = (struct vring_desc){ LIST, sizeof(pfn), 0, 0 };
	offer(0);
	kick();
	assert_true(is_zero(DESC));
	negotiate(0);
	give_up(pfn, 0 + 1);
}

static void reports(void **state)
{
	unsigned int before = resident();

	/* Whole pages within the buffer only */
	send(REPORTS, FREE + 1, 4 * PAGE, true);
	assert_int_equal(before - resident(), 3);
	assert_int_equal(*(uint8_t *)at(FREE), 0xa5);
	assert_true(is_zero(FREE + PAGE));
	assert_true(is_zero(FREE + 3 * PAGE));
	assert_int_equal(*(uint8_t *)at(FREE + 4 * PAGE), 0xa5);
	send(REPORTS, FREE + 0x10001, PAGE, true);
	send(REPORTS, FREE + 0x10001, 1, true);
	assert_true(is_whole(FREE + 0x10000));
	/* What the device reads is not reported */
	send(REPORTS, FREE + 0x10000, PAGE, false);
	assert_true(is_whole(FREE + 0x10000));
	/* Where Linux has it */
	send(3, FREE + 0x10000, PAGE, true);
	assert_true(is_zero(FREE + 0x10000));
	/* Only if it was agreed on */
	negotiate(0);
	send(REPORTS, FREE + 0x20000, PAGE, true);
	assert_true(is_whole(FREE + 0x20000));
}

static void many_reports(void **state)
{
	unsigned int i;

	driver.queue = REPORTS;
	for (i = 0; i < 8; i++) {
		*desc(2 * i) = (struct vring_desc){
			FREE + 0x2000 * i, PAGE,
			VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 2 * i + 1 };
		*desc(2 * i + 1) = (struct vring_desc){
			FREE + 0x80000 + 0x2000 * i, PAGE, VRING_DESC_F_WRITE,
			0 };
		offer(2 * i);
	}
	/* One at a time; the loop takes the others */
	kick();
	assert_int_equal(used()->idx, 1);
	wait_for_all();
	for (i = 0; i < 8; i++) {
		assert_true(is_zero(FREE + 0x2000 * i));
		assert_true(is_whole(FREE + 0x2000 * i + PAGE));
		assert_true(is_zero(FREE + 0x80000 + 0x2000 * i));
	}
}

static void tell(uint16_t tag, uint64_t value)
{
	const struct virtio_balloon_stat stat[] = {
		{ tag, value }, { VIRTIO_BALLOON_S_MEMFREE, 5 << 10 },
		{ 0xffff, 1 } };

	memcpy(at(LIST), stat, sizeof(stat));
	*desc(0) = (struct vring_desc){ LIST, sizeof(stat), 0, 0 };
	offer(0);
	kick();
}

static void expect_printed(const char *text)
{
	char *printed = NULL;
	size_t len;
	FILE *out = open_memstream(&printed, &len);

	balloon_print(m.balloon, out);
	fclose(out);
	if (!strstr(printed, text))
		print_error("%s\n", printed);
	assert_non_null(strstr(printed, text));
	free(printed);
}

static void statistics(void **state)
{
	driver_teardown(NULL);
	start(false, "size=1M,stats");
	negotiate(F_REPORTING);
	expect_printed("balloon: 0 of 1024 KiB in it");
	driver.queue = STATS;
	tell(VIRTIO_BALLOON_S_MEMTOT, 4096 << 10);
	/* The buffer stays there until new ones are wanted */
	assert_int_equal(used()->idx, 0);
	expect_printed("the guest has 4096 KiB in all, 5 KiB free\n");
	m.clock.stopped_at += 1000000000;
	run_timers();
	assert_int_equal(used()->idx, 1);
	assert_true(noted.up[11]);
	/* The driver does not answer: nobody asks again */
	assert_null(m.loop.timers);
	tell(VIRTIO_BALLOON_S_MAJFLT, 7);
	assert_int_equal(used()->idx, 1);
	expect_printed("4096 KiB in all, 5 KiB free, 7 major faults\n");
	m.clock.stopped_at += 1000000000;
	run_timers();
	assert_int_equal(used()->idx, 2);
	reg_write(0x2004, 100, 4);
	give_up((uint32_t []){ 0x300 }, 1);
	send(REPORTS, FREE + 0x10000, 2 * PAGE, true);
	expect_printed("balloon: 400 of 1024 KiB in it; given back 4 KiB from it, 8 KiB");
}

/* If nobody reads them the guest is left alone */
static void no_statistics(void **state)
{
	driver.queue = STATS;
	tell(VIRTIO_BALLOON_S_MAJFLT, 8);
	assert_null(m.loop.timers);
}

/* As Linux does it: the buffer, and its notification, come before DRIVER_OK */
static void early_statistics(void **state)
{
	driver_begin(0);
	add_queue(INFLATE);
	add_queue(STATS);
	tell(VIRTIO_BALLOON_S_MEMTOT, 2048 << 10);
	driver_ok();
	expect_printed("the guest has 2048 KiB in all");
}

/* An event index: the device asks to be told of the next statistics */
static void statistics_again(void **state)
{
	uint16_t avail_event;

	driver_teardown(NULL);
	start(false, "size=1M,stats=on");
	negotiate(F_EVENT_IDX);
	driver.queue = STATS;
	tell(VIRTIO_BALLOON_S_MEMTOT, 1 << 20);
	m.clock.stopped_at += 1000000000;
	run_timers();
	memcpy(&avail_event, &used()->ring[RING], sizeof(avail_event));
	assert_int_equal(avail_event, 1);
}

static void all_of_its_memory(void **state)
{
	assert_null(device_create(&m, "virtio-balloon", "size=4M", &error));
	assert_non_null(strstr(error.text, "all of the guest's memory"));
}

static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved;

	reg_write(0x2004, 100, 4);
	driver.queue = STATS;
	tell(VIRTIO_BALLOON_S_MEMTOT, 2048 << 10);
	/* Not noticed yet */
	driver.queue = INFLATE;
	*(uint32_t *)at(LIST + PAGE) = 0x300;
	*desc(0) = (struct vring_desc){ LIST + PAGE, 4, 0, 0 };
	offer(0);
	saved = devices_save(&m);
	assert_non_null(saved);
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	start(false, "size=1M");
	memcpy(m.memory.base, memory, MEMORY);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	assert_true(is_zero(0x300000));
	assert_int_equal(used()->idx, 1);
	assert_int_equal(reg_read(0x2004, 4), 100);
	expect_printed("2048 KiB in all");
	json_decref(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)
	const struct CMUnitTest tests[] = {
		TEST(memory_comes_back), TEST(memory_of_a_memfd_comes_back),
		TEST(identity), TEST(hostile_pages), TEST(rings_in_the_balloon),
		TEST(reports), TEST(many_reports), TEST(statistics), TEST(no_statistics),
		TEST(early_statistics), TEST(statistics_again), TEST(all_of_its_memory), TEST(a_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
