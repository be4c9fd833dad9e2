// SPDX-License-Identifier: GPL-2.0
/* The bus: ranges, overlaps, addresses without a device. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "core/bus.h"

struct probe {
	uint64_t offset;
	unsigned int size, calls;
	bool write;
};

static void probe_access(void *device, uint64_t offset, void *data,
			 unsigned int size, bool write)
{
	struct probe *p = device;

	p->offset = offset;
	p->size = size;
	p->write = write;
	p->calls++;
	if (!write)
		*(uint8_t *)data = 0x42;
}

static void dispatch(void **state)
{
	struct bus bus = { 0 };
	struct probe a = { 0 }, b = { 0 };
	uint32_t value = 0;

	assert_int_equal(bus_add(&bus, 0x100, 8, 8, probe_access, &a), 0);
	assert_int_equal(bus_add(&bus, 0x108, 2, 8, probe_access, &b), 0);
	bus_access(&bus, 0x107, &value, 1, false);
	assert_int_equal(a.offset, 7);
	assert_int_equal(value, 0x42);
	bus_access(&bus, 0x108, &value, 2, true);
	assert_int_equal(b.calls, 1);
	assert_int_equal(b.size, 2);
	assert_true(b.write);
	/* No device there: a read gives ones, a write does no harm */
	bus_access(&bus, 0x10a, &value, 4, false);
	assert_int_equal(value, 0xffffffff);
	bus_access(&bus, 0xfc, &value, 4, true);
	assert_int_equal(a.calls + b.calls, 2);
}

static uint8_t bytes[16];
static unsigned int sizes[8], nr_sizes;

static void bytes_access(void *device, uint64_t offset, void *data,
			 unsigned int size, bool write)
{
	sizes[nr_sizes++] = size;
	if (write)
		memcpy(bytes + offset, data, size);
	else
		memcpy(data, bytes + offset, size);
}

static void wide_accesses(void **state)
{
	struct bus bus = { 0 };
	uint64_t value = 0x8877665544332211;

	assert_int_equal(bus_add(&bus, 0x70, 2, 1, bytes_access, NULL), 0);
	assert_int_equal(bus_add(&bus, 0x72, 14, 4, bytes_access, NULL), 0);
	/* An index and its data by one OUT of two bytes */
	bus_access(&bus, 0x70, &value, 2, true);
	assert_memory_equal(bytes, "\x11\x22", 2);
	assert_int_equal(2, nr_sizes);
	/* Wider than the device */
	nr_sizes = 0;
	bus_access(&bus, 0x74, &value, 8, true);
	assert_int_equal(2, nr_sizes);
	assert_int_equal(4, sizes[0]);
	assert_memory_equal(bytes + 2, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	/* From one device into the next, and beyond the last */
	nr_sizes = 0;
	bus_access(&bus, 0x71, &value, 4, true);
	assert_int_equal(1, sizes[0]);
	assert_int_equal(2, sizes[1]);
	assert_int_equal(1, sizes[2]);
	value = 0;
	bus_access(&bus, 0x7e, &value, 4, false);
	assert_int_equal(0xffff0000, value);
}

static void bad_ranges(void **state)
{
	struct bus bus = { 0 };
	int i;

	assert_int_equal(bus_add(&bus, 0, 0, 8, probe_access, NULL), -EINVAL);
	assert_int_equal(bus_add(&bus, -1ull, 2, 8, probe_access, NULL), -EINVAL);
	assert_int_equal(bus_add(&bus, -1ull, 1, 8, probe_access, NULL), 0);
	assert_int_equal(bus_add(&bus, 0x100, 8, 8, probe_access, NULL), 0);
	assert_int_equal(bus_add(&bus, 0xf9, 8, 8, probe_access, NULL), -EEXIST);
	assert_int_equal(bus_add(&bus, 0x107, 8, 8, probe_access, NULL), -EEXIST);
	assert_int_equal(bus_add(&bus, 0, 1 << 20, 8, probe_access, NULL),
			 -EEXIST);
	assert_int_equal(bus_add(&bus, 0xf8, 8, 8, probe_access, NULL), 0);
	for (i = 3; i < BUS_RANGES; i++)
		assert_int_equal(bus_add(&bus, 0x1000 + i, 1, 8, probe_access,
					 NULL), 0);
	assert_int_equal(bus_add(&bus, 0x5000, 1, 8, probe_access, NULL),
			 -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dispatch),
		cmocka_unit_test(wide_accesses),
		cmocka_unit_test(bad_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
