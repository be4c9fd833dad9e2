// SPDX-License-Identifier: GPL-2.0
/*
 * Packed rings: a driver that goes round and round, chains of several lengths,
 * events, a move, and drivers that break the rules. The devices are virtio-rng,
 * which writes, and virtio-balloon, which reads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/virtio_driver.h"

#define SIZE	5		/* needs not be a power of two */
#define WRITE	VRING_DESC_F_WRITE
#define NEXT	VRING_DESC_F_NEXT
#define INDIRECT VRING_DESC_F_INDIRECT
#define A	(1u << VRING_PACKED_DESC_F_AVAIL)
#define U	(1u << VRING_PACKED_DESC_F_USED)
#define WRAP	0x8000

static bool has_entropy = true;

/* libc's: bytes that are never 0 */
ssize_t getrandom(void *bytes, size_t len, unsigned int flags)
{
	if (!has_entropy && flags) {
		errno = EAGAIN;
		return -1;
	}
	memset(bytes, 0x5a, len);
	return len;
}

static void start(bool packed)
{
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	m.config.defaults = packed ? "packed" : NULL;
	bare_device("pci-host");
	bare_device("virtio-rng");
	bare_device("virtio-balloon");
}

static void negotiate(unsigned int slot, uint64_t features, unsigned int size)
{
	driver.slot = slot;
	driver_begin(F_PACKED | features);
	assert_int_equal(reg_read(COMMON(device_status), 1), 11);
	add_queue_of(0, size);
	driver_ok();
}

static int setup(void **state)
{
	has_entropy = true;
	start(true);
	negotiate(0, F_INDIRECT, SIZE);
	return 0;
}

static struct vring_packed_desc *ring(unsigned int i)
{
	return (struct vring_packed_desc *)at(DESC) + i;
}

static struct vring_packed_desc_event *driver_event(void)
{
	return at(AVAIL);
}

static struct vring_packed_desc_event *device_event(void)
{
	return at(USED);
}

static bool is_broken(void)
{
	return reg_read(COMMON(device_status), 1) & 0x40;
}

/* A new period: the device gives bytes again */
static void new_period(void)
{
	m.clock.stopped_at += 5000000;
	run_timers();
}

/* @nr buffers of @len bytes each */
static void ask(unsigned int nr, uint32_t len, uint16_t id)
{
	struct vring_packed_desc d[8];
	unsigned int i;

	for (i = 0; i < nr; i++)
		d[i] = (struct vring_packed_desc){
			BUFFERS + 0x1000 * i, len, id,
			WRITE | (i + 1 < nr ? NEXT : 0) };
	offer_packed(d, nr);
}

static void round_and_round(void **state)
{
	unsigned int i, at_entry = 0, nr;
	bool wrap = true;

	for (i = 0; i < 500; i++) {
		nr = 1 + i % 3;
		ask(nr, 10, i);
		kick();
		new_period();
		assert_int_equal(ring(at_entry)->id, i);
		assert_int_equal(ring(at_entry)->len, 10 * nr);
		assert_int_equal(ring(at_entry)->flags,
				 wrap ? A | U | WRITE : WRITE);
		at_entry += nr;
		if (at_entry >= SIZE) {
			at_entry -= SIZE;
			wrap = !wrap;
		}
	}
	assert_false(is_broken());
	/* Several at once, as many as there is room for */
	for (i = 0; i < SIZE; i++)
		ask(1, 10, 100 + i);
	kick();
	for (i = 0; i < SIZE; i++)
		assert_int_equal(ring((at_entry + i) % SIZE)->id, 100 + i);
	assert_false(is_broken());
	assert_int_equal(*(uint8_t *)at(BUFFERS + 9), 0x5a);
	assert_int_equal(*(uint8_t *)at(BUFFERS + 0x2009), 0x5a);
	assert_int_equal(*(uint8_t *)at(BUFFERS + 0x200a), 0);
}

/* A device that reads: nothing was written, and the used descriptor says so */
static void what_is_read(void **state)
{
	const struct vring_packed_desc list = { BUFFERS, 8, 7, 0 };
	static const uint32_t pfn[] = { 0x300, 0x302 };

	negotiate(1, 0, 3);
	memset(at(0x300000), 1, 0x3000);
	memcpy(at(BUFFERS), pfn, sizeof(pfn));
	offer_packed(&list, 1);
	kick();
	assert_int_equal(*(uint8_t *)at(0x300000), 0);
	assert_int_equal(*(uint8_t *)at(0x301000), 1);
	assert_int_equal(*(uint8_t *)at(0x302000), 0);
	assert_int_equal(ring(0)->id, 7);
	assert_int_equal(ring(0)->len, 0);
	assert_int_equal(ring(0)->flags, A | U);
}

static void indirect(void **state)
{
	struct vring_packed_desc d = { TABLE + 8, 3 * sizeof(d), 9, INDIRECT };
	struct vring_packed_desc table[3] = {
		{ BUFFERS, 5, 0, WRITE }, { BUFFERS + 0x1000, 6, 0, WRITE },
		/* NEXT has no meaning there */
		{ BUFFERS + 0x2000, 7, 0, WRITE | NEXT } };

	memcpy(at(TABLE + 8), table, sizeof(table));
	offer_packed(&d, 1);
	kick();
	assert_int_equal(ring(0)->len, 18);
	assert_int_equal(ring(0)->id, 9);
	/* It took one entry */
	ask(1, 10, 10);
	kick();
	assert_int_equal(ring(1)->id, 10);
	assert_false(is_broken());
}

static bool is_told(void)
{
	return reg_read(0x1000, 1) & 1;
}

static void events(void **state)
{
	unsigned int i;

	ask(1, 10, 0);
	kick();
	assert_true(is_told());
	driver_event()->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	ask(1, 10, 0);
	kick();
	assert_false(is_told());
	/* Without the feature an index is no wish that it knows */
	driver_event()->flags = VRING_PACKED_EVENT_FLAG_DESC;
	driver_event()->off_wrap = WRAP | 4;
	ask(1, 10, 0);
	kick();
	assert_true(is_told());
	assert_int_equal(device_event()->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
	/* With it: when that entry is used, in that round */
	negotiate(0, F_EVENT_IDX, SIZE);
	assert_int_equal(device_event()->flags, VRING_PACKED_EVENT_FLAG_DESC);
	assert_int_equal(device_event()->off_wrap, WRAP);
	driver_event()->flags = VRING_PACKED_EVENT_FLAG_DESC;
	for (i = 0; i < 40 * SIZE; i++) {
		/* The third one of each second round, round 0, 2, 4 */
		bool odd = i / SIZE % 2;

		if (i % (2 * SIZE) == 3)
			driver_event()->off_wrap = WRAP | 2;
		ask(1, 10, i);
		kick();
		new_period();
		if (i < SIZE)
			driver_event()->off_wrap = WRAP | 2;
		else
			assert_int_equal(is_told(), !odd && i % SIZE == 2);
		is_told();
		assert_int_equal(device_event()->off_wrap,
				 (i + 1) % SIZE |
				 ((i + 1) / SIZE % 2 ? 0 : WRAP));
	}
	/* A chain that goes over it */
	negotiate(0, F_EVENT_IDX, SIZE);
	driver_event()->flags = VRING_PACKED_EVENT_FLAG_DESC;
	driver_event()->off_wrap = WRAP | 4;
	ask(3, 10, 0);
	kick();
	assert_false(is_told());
	ask(3, 10, 0);
	kick();
	assert_true(is_told());
	driver_event()->off_wrap = 0;
	ask(2, 10, 0);
	kick();
	assert_false(is_told());
}

static void broken_rings(void **state)
{
	static const struct { struct vring_packed_desc d[3];
			      unsigned int nr; } bad[] = {
		{ { { 0x80000000, 16, 0, WRITE } }, 1 },
		{ { { MEMORY - 8, 16, 0, WRITE } }, 1 },
		{ { { BUFFERS, 0, 0, WRITE } }, 1 },
		/* A read behind a write; nothing to write */
		{ { { BUFFERS, 16, 0, WRITE | NEXT }, { BUFFERS, 16, 0, 0 } },
		  2 },
		{ { { BUFFERS, 16, 0, 0 } }, 1 },
		/* Tables: odd, empty, with a next, behind another, not there */
		{ { { TABLE, 15, 0, INDIRECT } }, 1 },
		{ { { TABLE, 0, 0, INDIRECT } }, 1 },
		{ { { TABLE, 16, 0, INDIRECT | NEXT },
		    { BUFFERS, 16, 0, WRITE } }, 2 },
		{ { { BUFFERS, 16, 0, WRITE | NEXT },
		    { TABLE, 16, 0, INDIRECT } }, 2 },
		{ { { MEMORY, 16, 0, INDIRECT } }, 1 },
		/* In a table, another one; too many in it */
		{ { { TABLE + 0x100, 16, 0, INDIRECT } }, 1 },
		{ { { TABLE + 0x200, 200 * 16, 0, INDIRECT } }, 1 },
	};
	struct vring_packed_desc *table;
	unsigned int i, k;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		negotiate(0, F_INDIRECT, SIZE);
		table = at(TABLE);
		table[0] = (struct vring_packed_desc){ BUFFERS, 16, 0, WRITE };
		table[16] = (struct vring_packed_desc){ TABLE, 16, 0,
							INDIRECT };
		for (k = 0; k < 200; k++)
			table[32 + k] = table[0];
		offer_packed(bad[i].d, bad[i].nr);
		kick();
		assert_true(is_broken());
	}
	/* A chain that does not end */
	negotiate(0, 0, SIZE);
	for (i = 0; i < SIZE; i++)
		*ring(i) = (struct vring_packed_desc){ BUFFERS, 16, 0,
						       WRITE | NEXT | A };
	kick();
	assert_true(is_broken());
	/* Places that are not in memory, or not aligned; sizes that are none */
	for (i = 0; i < 7; i++) {
		static const struct { uint64_t desc, avail, used; } where[] = {
			{ MEMORY - 16, AVAIL, USED }, { DESC + 8, AVAIL, USED },
			{ DESC, AVAIL + 2, USED }, { DESC, MEMORY, USED },
			{ DESC, AVAIL, USED + 2 }, { DESC, AVAIL, MEMORY },
			{ DESC, AVAIL, USED } };

		driver_begin(F_PACKED);
		driver.size[0] = i == 6 ? 257 : SIZE;
		driver_queue(where[i].desc, where[i].avail, where[i].used);
		assert_true(is_broken());
	}
}

/* A device takes no more than it has given back, whatever the driver says */
static void taken_twice(void **state)
{
	struct virtio *rng = (struct virtio *)m.pci[1];
	struct chain chain[SIZE], more;
	unsigned int i;

	for (i = 0; i < SIZE; i++)
		ask(1, 10, i);
	for (i = 0; i < SIZE; i++)
		assert_true(queue_pop(&rng->queue[0], &chain[i]));
	assert_false(queue_pop(&rng->queue[0], &more));
	assert_false(is_broken());
	/* In another order; the driver says that all are available again */
	queue_push(&rng->queue[0], &chain[3], 1);
	assert_int_equal(ring(0)->id, 3);
	for (i = 0; i < SIZE; i++)
		ring(i)->flags = WRITE | U;
	assert_true(queue_pop(&rng->queue[0], &more));
	assert_false(queue_pop(&rng->queue[0], &more));
	assert_true(is_broken());
}

/* Requests wait, across the end of the ring, for a machine with entropy */
static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved, *queue;

	ask(3, 10, 1);
	kick();
	has_entropy = false;
	new_period();
	ask(4, 10, 2);
	kick();
	/* The last two are in the place of the first */
	assert_int_equal(ring(0)->id, 2);
	saved = devices_save(&m);
	assert_non_null(saved);
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	has_entropy = true;
	start(true);
	memcpy(m.memory.base, memory, MEMORY);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	assert_int_equal(ring(3)->id, 2);
	assert_int_equal(ring(3)->len, 40);
	assert_int_equal(ring(3)->flags, A | U | WRITE);
	ask(1, 10, 3);
	new_period();
	kick();
	assert_int_equal(ring(2)->id, 3);
	assert_int_equal(ring(2)->flags, WRITE);
	/* Indices that are none */
	queue = json_array_get(json_object_get(json_object_get(
		saved, "virtio-rng.0"), "virtio.queue"), 0);
	json_object_set_new(queue, "next_avail", json_integer(SIZE));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_object_set_new(queue, "next_avail", json_integer(2));
	json_object_set_new(queue, "next_used", json_integer(3));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_object_set_new(queue, "next_avail", json_integer(4));
	json_object_set_new(queue, "avail_wrap", json_false());
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_object_set_new(queue, "avail_wrap", json_true());
	assert_int_equal(devices_load(&m, saved, &error), 0);
	/* A machine without packed rings */
	driver_teardown(NULL);
	start(false);
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "are not all offered here"));
	json_decref(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)
	const struct CMUnitTest tests[] = {
		TEST(round_and_round), TEST(what_is_read), TEST(indirect),
		TEST(events), TEST(broken_rings), TEST(taken_twice),
		TEST(a_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
