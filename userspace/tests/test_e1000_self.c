// SPDX-License-Identifier: GPL-2.0
/* e1000: what drivers' self-tests do, as Linux's "ethtool -t". */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#undef fail
#include "tests/e1000_driver.h"

static int setup(void **state)
{
	make_e1000();
	return 0;
}

static int teardown(void **state)
{
	assert_true(adds_up(&nic->port));
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}

/* As drivers' self-tests do: all bits that there are can be set, and no others */
static void patterns(void **state)
{
	static const uint32_t pattern[] = { 0x5a5a5a5a, 0xa5a5a5a5, 0, ~0u };
	static const struct { uint32_t at, bits; } tested[] = {
		{ 0x0028, ~0u }, { 0x002c, 0xffff }, { 0x0030, 0xffff },
		{ 0x0038, 0xffff }, { 0x0170, 0xffff }, { 0x2800, 0xfffffff0 },
		{ 0x2804, ~0u }, { 0x2808, 0xfff80 }, { 0x2810, 0xffff },
		{ 0x2818, 0xffff }, { 0x2820, 0xffff }, { 0x3800, 0xfffffff0 },
		{ 0x3804, ~0u }, { 0x3808, 0xfff80 }, { 0x3820, 0xffff },
		{ 0x5200, ~0u }, { 0x53fc, ~0u }, { 0x5400, ~0u },
		{ 0x5404, 0x8003ffff }, { 0x5478, ~0u }, { 0x547c, 0x8003ffff },
		{ 0x5600, ~0u }, { 0x57fc, ~0u } };
	unsigned int i, p;

	for (i = 0; i < sizeof(tested) / sizeof(tested[0]); i++)
		for (p = 0; p < sizeof(pattern) / sizeof(pattern[0]); p++) {
			nic_write(tested[i].at, pattern[p]);
			assert_int_equal(nic_read(tested[i].at),
					 pattern[p] & tested[i].bits);
		}
}

/* What is sent comes back while the PHY, or the MAC, is told so */
static void loopback(void **state)
{
	static const struct { uint32_t mdic, rctl; } ways[] = {
		{ 0x4140, 1u << 15 }, { 0x1140, 1u << 15 | 1u << 6 } };
	unsigned int i;

	memset(at(TX_BUFFER), 0xff, 1024);
	for (i = 0; i < 2; i++) {
		start_e1000(ways[i].rctl);
		nic_write(0x3810, 0);
		nic_write(0x3818, 0);
		nic_write(0x2810, 0);
		rx_give(2);
		nic_write(0x0020, 1u << 26 | 1u << 21 | ways[i].mdic);
		tx_put(0, TX_BUFFER, 1024 | (EOP_RS | 0x10) << 24, 0);
		tx_ring(1);
		assert_int_equal(tx_head(), 1);
		assert_int_equal(rx_length(0), 1028);
		assert_memory_equal(at(RX_BUFFER), at(TX_BUFFER), 1024);
		assert_int_equal(played.frames, 0);
		/* Nobody waits for descriptors there */
		rx_give(0);
		nic_write(0x2810, 0);
		tx_put(1, TX_BUFFER, 1024 | EOP_RS << 24, 0);
		tx_ring(2);
		assert_int_equal(tx_head(), 2);
		assert_false(nic->waits);
		assert_int_equal(nic->port.from_peer.dropped[DROP_FULL], i + 1);
	}
	nic_write(0x0100, 2);
	tx_put(2, TX_BUFFER, 1024 | EOP_RS << 24, 0);
	tx_ring(3);
	assert_int_equal(played.frames, 1);
}

/* A frame of the peer's that waits for descriptors, and those that come meanwhile */
static void loopback_and_wire(void **state)
{
	static const uint8_t all[600] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	unsigned int given;

	memset(at(TX_BUFFER), 0xff, 100);
	tx_put(0, TX_BUFFER, 100 | EOP_RS << 24, 0);
	for (given = 0; given < 2; given++) {
		/* Buffers of 256 bytes: there are too few for it */
		start_e1000(1u << 15 | 3u << 16);
		nic_write(0x3810, 0);
		nic_write(0x3818, 0);
		nic_write(0x2810, 0);
		rx_give(given);
		assert_false(played_send_frame(all, sizeof(all), NULL));
		/* Its own is lost, or is not */
		nic_write(0x0020, 1u << 26 | 1u << 21 | 0x4140);
		tx_ring(1);
		assert_int_equal(rx_length(0), given ? 104 : 0);
		played.readied = 0;
		rx_give(NIC_RING - 1);
		assert_int_equal(played.readied, 1);
		/* The wire is cut */
		assert_true(played_send_frame(all, sizeof(all), NULL));
		assert_int_equal(nic->port.from_peer.dropped[DROP_NO_LINK],
				 given + 1);
		assert_int_equal(nic_read(0x2810), given);
		nic_write(0x0020, 1u << 26 | 1u << 21 | 0x1140);
		assert_true(played_send_frame(all, sizeof(all), NULL));
		assert_int_equal(nic_read(0x2810), given + 3);
	}
}

/* Each cause alone makes an interrupt, if it is wanted, and no other one does */
static void causes(void **state)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		uint32_t bit = 1u << i;

		nic_write(0x00d8, ~0u);
		nic_write(0x00c8, bit);
		assert_false(noted.up[11]);
		assert_int_equal(nic_read(0x00c0), bit);
		nic_write(0x00d0, bit);
		nic_write(0x00c8, ~bit & 0x7fff);
		assert_false(noted.up[11]);
		nic_write(0x00c8, bit);
		assert_true(noted.up[11]);
		assert_int_equal(nic_read(0x00c0), 0x7fff);
		assert_false(noted.up[11]);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(patterns), TEST(loopback), TEST(loopback_and_wire),
		TEST(causes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
