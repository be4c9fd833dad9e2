// SPDX-License-Identifier: GPL-2.0
/* The bus: ranges, overlaps, addresses without a device. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "launcher/bus.h"

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

	assert_int_equal(bus_add(&bus, 0x100, 8, probe_access, &a), 0);
	assert_int_equal(bus_add(&bus, 0x108, 1, probe_access, &b), 0);
	bus_access(&bus, 0x107, &value, 1, false);
	assert_int_equal(a.offset, 7);
	assert_int_equal(value, 0x42);
	bus_access(&bus, 0x108, &value, 2, true);
	assert_int_equal(b.calls, 1);
	assert_int_equal(b.size, 2);
	assert_true(b.write);
	/* No device there: a read gives ones, a write does no harm */
	bus_access(&bus, 0x109, &value, 4, false);
	assert_int_equal(value, 0xffffffff);
	bus_access(&bus, 0xff, &value, 4, true);
	assert_int_equal(a.calls + b.calls, 2);
}

static void bad_ranges(void **state)
{
	struct bus bus = { 0 };
	int i;

	assert_int_equal(bus_add(&bus, 0, 0, probe_access, NULL), -EINVAL);
	assert_int_equal(bus_add(&bus, -1ull, 2, probe_access, NULL), -EINVAL);
	assert_int_equal(bus_add(&bus, -1ull, 1, probe_access, NULL), 0);
	assert_int_equal(bus_add(&bus, 0x100, 8, probe_access, NULL), 0);
	assert_int_equal(bus_add(&bus, 0xf9, 8, probe_access, NULL), -EEXIST);
	assert_int_equal(bus_add(&bus, 0x107, 8, probe_access, NULL), -EEXIST);
	assert_int_equal(bus_add(&bus, 0, 1 << 20, probe_access, NULL),
			 -EEXIST);
	assert_int_equal(bus_add(&bus, 0xf8, 8, probe_access, NULL), 0);
	for (i = 3; i < BUS_RANGES; i++)
		assert_int_equal(bus_add(&bus, 0x1000 + i, 1, probe_access,
					 NULL), 0);
	assert_int_equal(bus_add(&bus, 0x5000, 1, probe_access, NULL),
			 -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dispatch),
		cmocka_unit_test(bad_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
