// SPDX-License-Identifier: GPL-2.0
/*
 * virtio's window: a driver, such as a firmware's, that reaches BARs through
 * configuration space only.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/virtio_driver.h"

#define DATA	16	/* in the capability */

static int setup(void **state)
{
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	bare_device("pci-host");
	bare_device_with("virtio-balloon", "size=1M");
	return 0;
}

static uint8_t capability(void)
{
	return find_capability(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_PCI_CFG);
}

static void aim(uint8_t bar, uint32_t offset, uint32_t len)
{
	uint8_t cap = capability();

	cfg_write(cap + 4, bar, 1);
	cfg_write(cap + 8, offset, 4);
	cfg_write(cap + 12, len, 4);
}

static uint32_t window_read(uint8_t bar, uint32_t offset, uint32_t len)
{
	aim(bar, offset, len);
	return cfg_read(capability() + DATA, len == 1 || len == 2 ? len : 4);
}

static void window_write(uint8_t bar, uint32_t offset, uint32_t len,
			 uint32_t value)
{
	aim(bar, offset, len);
	cfg_write(capability() + DATA, value, len);
}

/* BARs are used that are nowhere */
static void without_addresses(void **state)
{
	uint8_t cap = capability();

	assert_int_not_equal(cap, 0);
	assert_int_equal(cfg_read(cap + 2, 1), 20);
	assert_int_equal(window_read(0, COMMON(num_queues), 2), 5);
	/* The device's configuration, read and written */
	assert_int_equal(window_read(0, 0x2000, 4), 256);
	window_write(0, 0x2004, 4, 1234);
	assert_int_equal(window_read(0, 0x2004, 4), 1234);
	/* A buffer, which is seen when the other BAR is written to */
	driver_start(0);
	*desc(0) = (struct vring_desc){ BUFFERS, 4, 0, 0 };
	offer(0);
	cfg_write(PCI_COMMAND, PCI_COMMAND_MASTER, 2);
	*desc(1) = *desc(0);
	offer(1);
	assert_int_equal(used()->idx, 1);
	window_write(2, 0, 2, 0);
	assert_int_equal(used()->idx, 2);
	assert_int_equal(window_read(0, COMMON(device_status), 1), 15);
	/* Reading clears it, as anywhere */
	assert_int_equal(window_read(0, 0x1000, 1), 1);
	assert_int_equal(window_read(0, 0x1000, 1), 0);
	window_write(0, COMMON(device_status), 1, 0);
	assert_int_equal(window_read(0, COMMON(device_status), 1), 0);
}

/* No such BAR, beyond one, a length that is none */
static void nowhere(void **state)
{
	static const struct { uint8_t bar; uint32_t offset, len; } bad[] = {
		{ 1, 0, 4 }, { 6, 0, 4 }, { 0xff, 0, 4 }, { 0, 0x4000, 4 },
		{ 0, 0xfffffffc, 4 }, { 0, 2, 4 }, { 0, 1, 2 }, { 0, 0, 8 },
		{ 0, 0, 0 }, { 0, 0, 3 }, { 0, 0, 0x80000004 },
		{ 2, 32, 1 } };
	unsigned int i;

	aim(1, 0, 4);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		aim(bad[i].bar, bad[i].offset, bad[i].len);
		cfg_write(capability() + DATA, 0x12345678, 4);
		assert_int_equal(cfg_read(capability() + DATA, 4), 0x12345678);
	}
	assert_int_equal(window_read(0, COMMON(device_feature_select), 4), 0);
}

/* Only what a driver sets can be written, and that is a part of the state */
static void state_of_it(void **state)
{
	uint8_t cap = capability();
	json_t *saved;

	cfg_write(cap, 0, 4);
	assert_int_equal(cfg_read(cap + 2, 1), 20);
	assert_int_equal(cfg_read(cap + 3, 1), VIRTIO_PCI_CAP_PCI_CFG);
	cfg_write(cap + 4, 0xffffff02, 4);
	assert_int_equal(cfg_read(cap + 4, 4), 2);
	aim(0, COMMON(num_queues), 2);
	saved = devices_save(&m);
	assert_non_null(saved);
	driver_teardown(NULL);
	setup(NULL);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	assert_int_equal(cfg_read(cap + DATA, 2), 5);
	json_decref(saved);
	devices_reset(&m);
	assert_int_equal(cfg_read(cap + 12, 4), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_addresses), TEST(nowhere), TEST(state_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
