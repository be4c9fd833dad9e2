// SPDX-License-Identifier: GPL-2.0
/* virtio-rng: who asks for much gets some of it, and harms nobody. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/virtio_driver.h"

static bool has_entropy;
static unsigned int waits;	/* that it may; all but the last are interrupted */
static uint64_t fetched;

/* libc's: bytes that are never 0 */
ssize_t getrandom(void *bytes, size_t len, unsigned int flags)
{
	if (!flags) {
		assert_int_not_equal(waits, 0);
		errno = EINTR;
		return --waits ? -1 : 1;
	}
	assert_int_equal(flags, GRND_NONBLOCK);
	if (!has_entropy) {
		errno = EAGAIN;
		return -1;
	}
	memset(bytes, 0x5a, len);
	fetched += len;
	return len;
}

static int setup(void **state)
{
	has_entropy = true;
	fetched = 0;
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	bare_device("pci-host");
	/* Before there is a guest it waits until the host has entropy */
	waits = 2;
	bare_device("virtio-rng");
	assert_int_equal(waits, 0);
	driver_start(0);
	return 0;
}

static void ask(unsigned int head, uint64_t data, uint32_t len)
{
	*desc(head) = (struct vring_desc){ data, len, VRING_DESC_F_WRITE, 0 };
	offer(head);
}

static void bytes_come(void **state)
{
	uint8_t *data = at(BUFFERS);

	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10441af4);
	/* It has no configuration: no capability is there for it */
	assert_int_equal(find_capability(PCI_CAP_ID_VNDR,
					 VIRTIO_PCI_CAP_DEVICE_CFG), 0);
	assert_int_equal(reg_read(0x2000, 4), 0);
	reg_write(0x2000, 1, 4);
	ask(0, BUFFERS, 64);
	kick();
	assert_int_equal(used()->idx, 1);
	assert_int_equal(used()->ring[0].len, 64);
	assert_int_equal(data[63], 0x5a);
	assert_int_equal(data[64], 0);
	assert_true(noted.up[11]);
	/* No more is taken from the host than is given to the guest */
	assert_int_equal(fetched, 64);
}

/* Of a large buffer the beginning is written */
static void a_large_buffer(void **state)
{
	uint8_t *data = at(BUFFERS);

	ask(0, BUFFERS, 1 << 20);
	kick();
	assert_int_equal(used()->ring[0].len, 4096);
	assert_int_equal(data[4095], 0x5a);
	assert_int_equal(data[4096], 0);
}

/* Offers @len bytes each, as fast as they come. Returns how many came */
static unsigned int greedy(uint32_t len)
{
	uint16_t before = used()->idx;
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		if (driver.avail[0] == used()->idx)
			ask(i % RING, BUFFERS, len);
		kick();
	}
	return (uint16_t)(used()->idx - before);
}

static void a_greedy_driver(void **state)
{
	unsigned int n = greedy(4096);

	assert_in_range(n, 8, 16);
	/* The rest comes when the period is over, not before */
	m.clock.stopped_at += 4999999;
	run_timers();
	assert_int_equal(greedy(4096), 0);
	m.clock.stopped_at++;
	run_timers();
	assert_int_equal(greedy(4096), n - 1);
	/* Small ones are limited by their number */
	m.clock.stopped_at += 5000000;
	run_timers();
	assert_in_range(greedy(1), 100, 200);
	/* Nor does a reset of the device help */
	driver_start(0);
	assert_int_equal(greedy(1), 0);
	/* Who asks for no more does not keep the loop busy */
	m.clock.stopped_at += 5000000;
	run_timers();
	driver_start(0);
	m.clock.stopped_at += 5000000;
	run_timers();
	assert_null(m.loop.timers);
}

/* A host that has just started has none yet: nothing waits for it */
static void no_entropy(void **state)
{
	has_entropy = false;
	ask(0, BUFFERS, 16);
	kick();
	assert_int_equal(used()->idx, 0);
	has_entropy = true;
	m.clock.stopped_at += 5000000;
	run_timers();
	assert_int_equal(used()->idx, 1);
	assert_int_equal(used()->ring[0].len, 16);
}

static void broken_requests(void **state)
{
	*desc(0) = (struct vring_desc){ BUFFERS, 16, 0, 0 };
	offer(0);
	kick();
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
	driver_start(0);
	*desc(0) = (struct vring_desc){ BUFFERS, 16, VRING_DESC_F_NEXT, 1 };
	ask(1, BUFFERS, 16);
	avail()->ring[0] = 0;
	kick();
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
	driver_start(0);
	ask(0, BUFFERS, 16);
	kick();
	assert_int_equal(used()->idx, 1);
}

/* A request that waited when the machine was saved is not lost */
static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved;

	has_entropy = false;
	ask(0, BUFFERS, 16);
	kick();
	saved = devices_save(&m);
	assert_non_null(saved);
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	setup(NULL);
	memcpy(m.memory.base, memory, MEMORY);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	assert_int_equal(used()->idx, 1);
	json_decref(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)
	const struct CMUnitTest tests[] = {
		TEST(bytes_come), TEST(a_large_buffer), TEST(a_greedy_driver),
		TEST(no_entropy), TEST(broken_requests), TEST(a_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
