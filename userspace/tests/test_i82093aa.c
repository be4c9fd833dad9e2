// SPDX-License-Identifier: GPL-2.0
/* The I/O APIC: what a line's changes send, and hostile accesses. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/bare.h"

#define MASKED	(1u << 16)
#define LEVEL	(1u << 15)
#define IRR	(1u << 14)
#define LOW	(1u << 13)
#define PENDING	(1u << 12)
#define LOGICAL	(1u << 11)

static void put(uint64_t offset, uint32_t value)
{
	bus_access(&m.mmio, IOAPIC_BASE + offset, &value, 4, true);
}

static uint32_t get(uint64_t offset)
{
	uint32_t value = ~0u;

	bus_access(&m.mmio, IOAPIC_BASE + offset, &value, 4, false);
	return value;
}

static void set_pin(unsigned int pin, bool up)
{
	m.irqs.ioapic.set(m.irqs.ioapic.device, pin, up);
}

static void eoi(uint8_t vector)
{
	m.irqs.ioapic.eoi(m.irqs.ioapic.device, vector);
}

/* All that the guest could see: the chip's state, saved */
static json_t *state_of_chip(void)
{
	return devices_save(&m);
}

static void write_reg(uint8_t reg, uint32_t value)
{
	put(0x00, reg);
	put(0x10, value);
}

static uint32_t read_reg(uint8_t reg)
{
	put(0x00, reg);
	return get(0x10);
}

static void route(unsigned int pin, uint8_t destination, uint32_t low)
{
	write_reg(0x11 + 2 * pin, (uint32_t)destination << 24);
	write_reg(0x10 + 2 * pin, low);
}

static uint32_t low_of(unsigned int pin)
{
	return read_reg(0x10 + 2 * pin);
}

static int setup(void **state)
{
	bare_start();
	bare_device("i82093aa");
	return 0;
}

static void registers(void **state)
{
	unsigned int i;

	assert_int_equal(read_reg(1), 0x170020);
	write_reg(1, ~0u);
	assert_int_equal(read_reg(1), 0x170020);
	write_reg(0, ~0u);
	assert_int_equal(read_reg(0), 0x0f000000);
	assert_int_equal(read_reg(2), 0x0f000000);
	write_reg(2, 0);
	assert_int_equal(read_reg(0), 0x0f000000);
	/* All are masked at first */
	for (i = 0; i < IRQ_LINES; i++) {
		assert_int_equal(low_of(i), MASKED);
		assert_int_equal(read_reg(0x11 + 2 * i), 0);
	}
	/* The selector can be read; its reserved bits are zero */
	put(0, 0xabcdef12);
	assert_int_equal(get(0), 0x12);
	assert_int_equal(noted.msis, 0);
}

static void read_only_bits(void **state)
{
	write_reg(0x10, ~0u);
	assert_int_equal(read_reg(0x10), 0x1afff);
	write_reg(0x11, ~0u);
	assert_int_equal(read_reg(0x11), 0xff000000);
	/* A write of one half does not change the other */
	write_reg(0x10, MASKED | 0x55);
	assert_int_equal(read_reg(0x11), 0xff000000);
	write_reg(0x11, 0x12000000);
	assert_int_equal(read_reg(0x10), MASKED | 0x55);
	/* Only the chip changes remote IRR */
	route(3, 0, LEVEL | 0x40);
	set_pin(3, true);
	assert_true(low_of(3) & IRR);
	write_reg(0x16, LEVEL | 0x40);
	assert_true(low_of(3) & IRR);
	assert_int_equal(noted.msis, 1);
}

static void masked(void **state)
{
	set_pin(5, true);
	route(5, 1, 0x35);
	/* The edge came while the pin was masked, so it is lost */
	assert_int_equal(noted.msis, 0);
	write_reg(0x10 + 10, MASKED | LEVEL | 0x35);
	assert_int_equal(noted.msis, 0);
	/* A level counts as long as it is up */
	write_reg(0x10 + 10, LEVEL | 0x35);
	assert_int_equal(noted.msis, 1);
}

static void edge(void **state)
{
	route(4, 2, 0x31);
	set_pin(4, true);
	assert_int_equal(noted.msis, 1);
	assert_int_equal(noted.msi.address, 0xfee02000);
	assert_int_equal(noted.msi.data, 0x4031);
	set_pin(4, true);
	assert_int_equal(noted.msis, 1);
	set_pin(4, false);
	assert_int_equal(noted.msis, 1);
	assert_int_equal(low_of(4), 0x31);
	/* Neither an EOI nor a write of the table sends it again */
	set_pin(4, true);
	eoi(0x31);
	route(4, 2, 0x31);
	assert_int_equal(noted.msis, 2);
}

static void level(void **state)
{
	route(9, 0, LEVEL | 0x60);
	set_pin(9, true);
	assert_int_equal(noted.msis, 1);
	assert_int_equal(noted.msi.data, 0xc060);
	assert_int_equal(low_of(9), LEVEL | IRR | 0x60);
	/* In service: nothing more is sent, not even when the line rises */
	set_pin(9, false);
	set_pin(9, true);
	assert_int_equal(noted.msis, 1);
	/* The end of another vector changes nothing */
	eoi(0x61);
	assert_int_equal(noted.msis, 1);
	/* At its end the line is still up: send again */
	eoi(0x60);
	assert_int_equal(noted.msis, 2);
	assert_true(low_of(9) & IRR);
	/* The line is down: nothing is sent */
	set_pin(9, false);
	eoi(0x60);
	assert_int_equal(noted.msis, 2);
	assert_int_equal(low_of(9), LEVEL | 0x60);
	/* Masked meanwhile: it waits for the mask to go */
	set_pin(9, true);
	write_reg(0x10 + 18, MASKED | LEVEL | 0x60);
	eoi(0x60);
	assert_int_equal(noted.msis, 3);
	assert_int_equal(low_of(9), MASKED | LEVEL | 0x60);
	write_reg(0x10 + 18, LEVEL | 0x60);
	assert_int_equal(noted.msis, 4);
}

static void shared_vector(void **state)
{
	route(16, 0, LEVEL | LOW | 0x60);
	route(17, 0, LEVEL | LOW | 0x60);
	set_pin(16, true);
	set_pin(17, true);
	assert_int_equal(noted.msis, 2);
	set_pin(16, false);
	eoi(0x60);
	assert_int_equal(noted.msis, 3);
	assert_int_equal(low_of(16), LEVEL | LOW | 0x60);
	assert_int_equal(low_of(17), LEVEL | LOW | IRR | 0x60);
}

static void eoi_register(void **state)
{
	route(9, 0, LEVEL | 0x60);
	set_pin(9, true);
	set_pin(9, false);
	put(0x40, 0x60);
	assert_int_equal(low_of(9), LEVEL | 0x60);
	/* Without the EOI register: make the pin an edge for a moment */
	set_pin(9, true);
	write_reg(0x10 + 18, MASKED | 0x60);
	write_reg(0x10 + 18, MASKED | LEVEL | 0x60);
	assert_int_equal(low_of(9), MASKED | LEVEL | 0x60);
	/* The EOI register reads as 0 */
	assert_int_equal(get(0x40), 0);
}

static void nobody_takes_it(void **state)
{
	noted.msi_refused = true;
	route(9, 7, LEVEL | 0x60);
	set_pin(9, true);
	assert_int_equal(low_of(9), LEVEL | PENDING | 0x60);
	/* With a destination that exists it is sent */
	noted.msi_refused = false;
	write_reg(0x11 + 18, 0);
	assert_int_equal(low_of(9), LEVEL | IRR | 0x60);
	assert_int_equal(noted.msi.address, 0xfee00000);
}

static void messages(void **state)
{
	unsigned int mode;

	/* A logical destination: all of them */
	route(0, 0xff, LOGICAL | 0x20);
	set_pin(0, true);
	assert_int_equal(noted.msi.address, 0xfeeff004);
	assert_int_equal(noted.msi.data, 0x4020);
	/* Lowest priority: any of them may take it */
	route(1, 0x81, LOGICAL | LEVEL | 1 << 8 | 0x21);
	set_pin(1, true);
	assert_int_equal(noted.msi.address, 0xfee8100c);
	assert_int_equal(noted.msi.data, 0xc121);
	/* SMI, NMI, INIT, ExtINT are edges regardless of the trigger bit */
	for (mode = 2; mode < 8; mode++) {
		noted.msis = 0;
		route(8 + mode, 0, LEVEL | mode << 8 | 0x30);
		set_pin(8 + mode, true);
		assert_int_equal(noted.msis, 1);
		assert_int_equal(noted.msi.data, 0x4030 | mode << 8);
		assert_false(low_of(8 + mode) & IRR);
		route(8 + mode, 0, LEVEL | mode << 8 | 0x30);
		assert_int_equal(noted.msis, 1);
	}
}

static void out_of_range(void **state)
{
	json_t *before, *after;
	unsigned int i;

	for (i = 0; i < 256; i++) {
		if (i < 3 || (i >= 0x10 && i < 0x40))
			continue;
		put(0, i);
		before = state_of_chip();
		put(0x10, 0);
		assert_int_equal(get(0x10), 0);
		after = state_of_chip();
		assert_true(json_equal(before, after));
		json_decref(before);
		json_decref(after);
	}
	before = state_of_chip();
	set_pin(24, true);
	set_pin(32, true);
	set_pin(~0u, true);
	for (i = 0; i < 4096; i++) {
		if (i == 0 || i == 0x10 || i == 0x40)
			continue;
		put(i, 0x10);
		assert_int_equal(get(i), ~0u);
	}
	after = state_of_chip();
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

static void sizes(void **state)
{
	uint64_t value = 0x1122334455667700 | 0x10;
	uint8_t guard[16];

	/* One byte is enough for the selector; bits above 31 have no effect */
	bus_access(&m.mmio, IOAPIC_BASE + 0, &value, 1, true);
	assert_int_equal(get(0), 0x10);
	value = 0xdeadbeef00000000 | MASKED | 0x99;
	bus_access(&m.mmio, IOAPIC_BASE + 0x10, &value, 8, true);
	assert_int_equal(read_reg(0x10), MASKED | 0x99);
	assert_int_equal(read_reg(0x11), 0);
	/* A part of an entry cannot be written, but it can be read */
	put(0, 0x10);
	value = 0;
	bus_access(&m.mmio, IOAPIC_BASE + 0x10, &value, 1, true);
	bus_access(&m.mmio, IOAPIC_BASE + 0x10, &value, 2, true);
	assert_int_equal(get(0x10), MASKED | 0x99);
	memset(guard, 0xff, sizeof(guard));
	bus_access(&m.mmio, IOAPIC_BASE + 0x10, guard, 1, false);
	assert_int_equal(guard[0], 0x99);
	assert_int_equal(guard[1], 0xff);
	bus_access(&m.mmio, IOAPIC_BASE + 0x10, guard, 8, false);
	assert_memory_equal(guard, "\x99\0\1\0\xff\xff\xff\xff", 8);
	/* An access never touches more than 4 bytes; 0 bytes do no harm */
	memset(guard, 0xff, sizeof(guard));
	bus_access(&m.mmio, IOAPIC_BASE + 0x10, guard, 16, false);
	assert_memory_equal(guard + 4, "\xff\xff\xff\xff", 4);
	bus_access(&m.mmio, IOAPIC_BASE + 0x10, guard, 16, true);
	bus_access(&m.mmio, IOAPIC_BASE + 0x10, guard, 0, false);
	bus_access(&m.mmio, IOAPIC_BASE + 0x10, guard, 0, true);
	assert_int_equal(get(0x10), MASKED | 0x99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(registers, setup),
		cmocka_unit_test_setup(read_only_bits, setup),
		cmocka_unit_test_setup(masked, setup),
		cmocka_unit_test_setup(edge, setup),
		cmocka_unit_test_setup(level, setup),
		cmocka_unit_test_setup(shared_vector, setup),
		cmocka_unit_test_setup(eoi_register, setup),
		cmocka_unit_test_setup(nobody_takes_it, setup),
		cmocka_unit_test_setup(messages, setup),
		cmocka_unit_test_setup(out_of_range, setup),
		cmocka_unit_test_setup(sizes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
