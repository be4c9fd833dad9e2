// SPDX-License-Identifier: GPL-2.0
/* The bus: priorities, changes while others access it, widths, holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "core/device.h"

static struct bus bus;
static struct error error;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A device of 16 bytes, and what was done to it last */
struct probe {
	struct device device;
	struct region region;
	uint8_t bytes[16];
	uint64_t at;
	unsigned int sizes[8], nr;
};

static uint64_t probe_read(struct device *device, uint64_t at,
			   unsigned int size)
{
	struct probe *p = (struct probe *)device;
	uint64_t value = 0;

	p->at = at;
	p->sizes[p->nr++ % 8] = size;
	memcpy(&value, p->bytes + at, size);
	return value;
}

static void probe_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	struct probe *p = (struct probe *)device;

	p->at = at;
	p->sizes[p->nr++ % 8] = size;
	memcpy(p->bytes + at, &value, size);
}

static const struct region_ops wide = { .max = 8, .read = probe_read,
					.write = probe_write };
static const struct region_ops bytes = { .read = probe_read,
					 .write = probe_write };
static const struct region_ops words = { .min = 4, .max = 4,
					 .read = probe_read,
					 .write = probe_write };

static int map(struct probe *p, const struct region_ops *ops, uint64_t base,
	       uint64_t len, int priority)
{
	*p = (struct probe){ .device.lock = &lock };
	p->region = (struct region){ .ops = ops, .device = &p->device,
				     .len = len, .priority = priority };
	return region_map(&bus, &p->region, base, &error);
}

static uint64_t in(uint64_t at, unsigned int size)
{
	uint64_t value = 0;

	bus_access(&bus, at, &value, size, false);
	return value;
}

static void out(uint64_t at, uint64_t value, unsigned int size)
{
	bus_access(&bus, at, &value, size, true);
}

static int setup(void **state)
{
	bus_init(&bus, "address", ~0ull);
	error = (struct error){ 0 };
	return 0;
}

static int teardown(void **state)
{
	bus_destroy(&bus);
	return 0;
}

static void dispatch(void **state)
{
	struct probe a, b;

	/* Nothing is mapped: a read gives ones, a write does no harm */
	assert_int_equal(in(0x100, 4), 0xffffffff);
	out(0x100, 0, 4);
	assert_int_equal(map(&a, &wide, 0x100, 8, 0), 0);
	assert_int_equal(map(&b, &wide, 0x108, 2, 0), 0);
	out(0x107, 0x42, 1);
	assert_int_equal(a.at, 7);
	assert_int_equal(in(0x107, 1), 0x42);
	out(0x108, 0x1234, 2);
	assert_int_equal(b.at, 0);
	assert_int_equal(b.sizes[0], 2);
	assert_int_equal(in(0x10a, 4), 0xffffffff);
	/* The last address of all */
	region_unmap(&b.region);
	assert_int_equal(map(&b, &wide, -1ull, 1, 0), 0);
	out(-1ull, 0x55, 1);
	assert_int_equal(b.bytes[0], 0x55);
}

static void widths(void **state)
{
	struct probe a, b, c;

	assert_int_equal(map(&a, &bytes, 0x70, 2, 0), 0);
	assert_int_equal(map(&b, &words, 0x74, 8, 0), 0);
	/* An index and its data by one OUT of two bytes */
	out(0x70, 0x2211, 2);
	assert_memory_equal(a.bytes, "\x11\x22", 2);
	assert_int_equal(a.nr, 2);
	/* Wider than the device; narrower than it */
	out(0x74, 0x8877665544332211, 8);
	assert_int_equal(b.nr, 2);
	assert_int_equal(b.sizes[0], 4);
	assert_int_equal(in(0x76, 1), 0x33);
	assert_int_equal(b.at, 0);
	assert_int_equal(b.sizes[2], 4);
	out(0x79, 0xaa, 1);
	assert_int_equal(b.at, 4);
	assert_memory_equal(b.bytes + 4, "\0\xaa\0\0", 4);
	/* From one device into a hole, and beyond the last */
	assert_int_equal(in(0x71, 2), 0xff22);
	assert_int_equal(map(&c, &wide, 0x7c, 16, 0), 0);
	c.nr = 0;
	out(0x8a, 0x44332211, 4);
	assert_int_equal(c.nr, 1);
	assert_int_equal(c.sizes[0], 2);
	assert_memory_equal(c.bytes + 14, "\x11\x22", 2);
}

static void priorities(void **state)
{
	struct probe rom, ram, window;

	assert_int_equal(map(&ram, &wide, 0x1000, 16, 0), 0);
	assert_int_equal(map(&rom, &wide, 0x1004, 4, 1), 0);
	out(0x1000, 0x8877665544332211, 8);
	assert_memory_equal(ram.bytes, "\x11\x22\x33\x44\0\0\0\0", 8);
	assert_memory_equal(rom.bytes, "\x55\x66\x77\x88", 4);
	/* A third one over both, which then moves */
	assert_int_equal(map(&window, &bytes, 0x1002, 4, 2), 0);
	assert_int_equal(in(0x1002, 4), 0);
	region_unmap(&window.region);
	assert_int_equal(in(0x1002, 4), 0x66554433);
	assert_int_equal(region_map(&bus, &window.region, 0x100e, &error), 0);
	assert_int_equal(in(0x1010, 2), 0);
	assert_int_equal(in(0x1012, 2), 0xffff);
	region_unmap(&rom.region);
	assert_int_equal(in(0x1004, 4), 0);
	/* Twice is no harm */
	region_unmap(&rom.region);
}

static void refused(void **state)
{
	static struct probe many[BUS_REGIONS];
	struct probe a, b;
	unsigned int i;

	assert_int_equal(map(&a, &wide, 0, 0, 0), -1);
	assert_int_equal(map(&a, &wide, -1ull, 2, 0), -1);
	assert_non_null(strstr(error.text, "address 0x"));
	assert_int_equal(map(&a, &wide, 0x100, 8, 0), 0);
	assert_int_equal(map(&b, &wide, 0xf9, 8, 0), -1);
	assert_non_null(strstr(error.text, "overlaps"));
	assert_int_equal(map(&b, &wide, 0x107, 8, 0), -1);
	assert_int_equal(map(&b, &wide, 0xf8, 8, 0), 0);
	/* What was refused is not there */
	assert_int_equal(in(0x108, 1), 0xff);
	for (i = 2; i < BUS_REGIONS; i++)
		assert_int_equal(map(&many[i], &wide, 0x1000 + i, 1, 0), 0);
	assert_int_equal(map(&many[0], &wide, 0x5000, 1, 0), -1);
	/* Ports end at 0xffff */
	bus_destroy(&bus);
	bus_init(&bus, "port", 0xffff);
	assert_int_equal(map(&a, &wide, 0xfffc, 8, 0), -1);
	assert_int_equal(map(&a, &wide, 0xfff8, 8, 0), 0);
	out(0xfffc, 0x44332211, 4);
	assert_memory_equal(a.bytes + 4, "\x11\x22\x33\x44", 4);
	assert_int_equal(in(0x10000, 1), 0xff);
}

static bool stop, bad;

/* Always one of the two answers, the same for the whole access */
static void *reads(void *unused)
{
	uint64_t value;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		value = in(0x2000, 8);
		if (value != 0x1111111111111111 && value != ~0ull)
			__atomic_store_n(&bad, true, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void changes_while_read(void **state)
{
	struct probe a;
	pthread_t thread[2];
	int i;

	assert_int_equal(map(&a, &wide, 0x2000, 8, 0), 0);
	memset(a.bytes, 0x11, 8);
	stop = false;
	for (i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, reads, NULL);
	for (i = 0; i < 2000; i++) {
		region_unmap(&a.region);
		assert_int_equal(region_map(&bus, &a.region, 0x2000 + i % 2 *
					    0x1000, &error), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_false(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(dispatch, setup, teardown),
		cmocka_unit_test_setup_teardown(widths, setup, teardown),
		cmocka_unit_test_setup_teardown(priorities, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_while_read, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
