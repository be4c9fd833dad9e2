// SPDX-License-Identifier: GPL-2.0
/* The HPET, compared with its specification (IA-PC HPET 1.0a). */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/bare.h"
#include "devices/isa/hpet.h"

#define CONFIG		0x10
#define STATUS		0x20
#define COUNTER		0xf0
#define TIMER(n)	(0x100 + 0x20 * (n))
#define COMPARATOR(n)	(TIMER(n) + 8)

/* Of a timer's configuration */
#define LEVEL		0x2
#define INTERRUPT	0x4
#define PERIODIC	0x8
#define SET_VALUE	0x40
#define BITS_32		0x100
#define PIN(n)		((n) << 9)

#define TICK_NS		10

static void put(uint64_t at, uint64_t value, unsigned int size)
{
	bus_access(&m.mmio, HPET_BASE + at, &value, size, true);
}

static uint64_t get(uint64_t at, unsigned int size)
{
	uint64_t value = 0;

	bus_access(&m.mmio, HPET_BASE + at, &value, size, false);
	return value;
}

static void start(void)
{
	bare_start();
	bare_device("i8259");
	bare_device("i8254");
	bare_device("mc146818");
	bare_device("hpet");
}

/* So many ticks pass */
static void pass(uint64_t ticks)
{
	m.clock.stopped_at += ticks * TICK_NS;
	run_timers();
}

static void capabilities(void **state)
{
	start();
	/* 10 ns in fs; Intel; LEG_RT_CAP, COUNT_SIZE_CAP, 3 timers, rev. 1 */
	assert_int_equal(get(0, 8), 10000000ull << 32 | 0x8086a201);
	assert_int_equal(get(4, 4), 10000000);
	assert_int_equal(get(0, 4), HPET_ID);
	/* Pins 20 to 23, periodic, 64 bits */
	assert_int_equal(get(TIMER(2), 8), 0xf0000000000030);
	assert_int_equal(get(COMPARATOR(2), 8), ~0ull);
	/* There is no fourth timer, and no FSB */
	assert_int_equal(get(TIMER(3), 8), 0);
	put(TIMER(3), ~0ull, 8);
	put(TIMER(0), ~0ull, 8);
	assert_int_equal(get(TIMER(0), 4) & 1 << 14, 0);
	put(TIMER(0) + 0x10, ~0ull, 8);
	assert_int_equal(get(TIMER(0) + 0x10, 8), 0);
	/* One is enough */
	assert_null(device_create(&m, "hpet", NULL, &error));
	assert_non_null(strstr(error.text, "there is one"));
}

static void counts(void **state)
{
	start();
	pass(5);
	assert_int_equal(get(COUNTER, 8), 0);
	put(COUNTER, 0xfffffff0, 8);
	put(CONFIG, 1, 4);
	pass(0x20);
	assert_int_equal(get(COUNTER, 8), 0x100000010);
	assert_int_equal(get(COUNTER, 4), 0x10);
	assert_int_equal(get(COUNTER + 4, 4), 1);
	/* It stands, and goes on */
	put(CONFIG, 0, 4);
	pass(100);
	assert_int_equal(get(COUNTER, 8), 0x100000010);
	/* A half of it is written */
	put(COUNTER + 4, 7, 4);
	assert_int_equal(get(COUNTER, 8), 0x700000010);
	put(CONFIG, 1, 4);
	pass(1);
	assert_int_equal(get(COUNTER, 8), 0x700000011);
}

static void one_shot(void **state)
{
	start();
	put(CONFIG, 1, 4);
	put(TIMER(2), INTERRUPT | PIN(20), 4);
	put(COMPARATOR(2), 1000, 8);
	pass(999);
	assert_int_equal(noted.edges[20], 0);
	pass(1);
	assert_int_equal(noted.edges[20], 1);
	/* Its status is for levels, and it does not come again */
	assert_int_equal(get(STATUS, 4), 0);
	pass(1ull << 40);
	assert_int_equal(noted.edges[20], 1);
	assert_null(m.loop.timers);
	/* One that has been passed waits until the counter goes round */
	put(COMPARATOR(2), get(COUNTER, 8) - 1, 8);
	pass(1ull << 40);
	assert_int_equal(noted.edges[20], 1);
	/* With 32 bits that is after 43 s, each time */
	put(TIMER(2), INTERRUPT | BITS_32 | PIN(20), 4);
	put(COMPARATOR(2), get(COUNTER, 8) - 1, 8);
	assert_int_equal(get(COMPARATOR(2), 8),
			 (uint32_t)(get(COUNTER, 8) - 1));
	pass(UINT32_MAX - 1);
	assert_int_equal(noted.edges[20], 1);
	pass(1);
	assert_int_equal(noted.edges[20], 2);
	pass(1ull << 32);
	assert_int_equal(noted.edges[20], 3);
	/* What comes this very tick comes */
	put(COMPARATOR(2), get(COUNTER, 4), 4);
	pass(0);
	assert_int_equal(noted.edges[20], 4);
	/* No interrupt, no edge; nor where there is no pin */
	put(TIMER(2), PIN(20), 4);
	put(COMPARATOR(2), get(COUNTER, 8) + 5, 8);
	pass(10);
	assert_int_equal(noted.edges[20], 4);
	assert_false(noted.up[20]);
}

/* As Linux starts its tick: SET_VALUE, first match, period */
static void periodic(void **state)
{
	unsigned int before;

	start();
	put(CONFIG, 1, 4);
	pass(77);
	put(TIMER(1), INTERRUPT | PERIODIC | SET_VALUE | BITS_32 | PIN(21), 4);
	assert_int_equal(get(TIMER(1), 4) & SET_VALUE, 0);
	put(COMPARATOR(1), 100077, 4);
	put(COMPARATOR(1), 100000, 4);
	assert_int_equal(get(COMPARATOR(1), 8), 100077);
	pass(100000);
	assert_int_equal(noted.edges[21], 1);
	assert_int_equal(get(COMPARATOR(1), 8), 200077);
	pass(100000);
	assert_int_equal(noted.edges[21], 2);
	/* Those that were missed are one, and none is shifted */
	pass(1050000);
	assert_int_equal(noted.edges[21], 3);
	assert_int_equal(get(COMPARATOR(1), 8), 1300077);
	pass(50000);
	assert_int_equal(noted.edges[21], 4);
	/* Both halves of a period */
	put(TIMER(1), INTERRUPT | PERIODIC | PIN(21), 4);
	put(COMPARATOR(1), 1000000, 4);
	put(COMPARATOR(1) + 4, 1, 4);
	pass(100000);
	assert_int_equal(get(COMPARATOR(1), 8), 1400077 + (1ull << 32) +
			 1000000);
	/* A guest does not choose how busy the host is */
	put(TIMER(1), INTERRUPT | PERIODIC | SET_VALUE | PIN(21), 4);
	put(COMPARATOR(1), get(COUNTER, 8) + 1, 8);
	put(COMPARATOR(1), 1, 4);
	put(COMPARATOR(1) + 4, 0, 4);
	pass(1);
	assert_true(m.loop.timers->when >= m.clock.stopped_at + TIMER_FLOOR_NS);
	/* A loop that is late has not lost it, whatever the guest does then */
	put(TIMER(1), INTERRUPT | PERIODIC | SET_VALUE | PIN(21), 4);
	put(COMPARATOR(1), get(COUNTER, 8) + 100000, 8);
	put(COMPARATOR(1), 100000, 8);
	before = noted.edges[21];
	m.clock.stopped_at += 150000 * TICK_NS;
	put(TIMER(1), INTERRUPT | PERIODIC | PIN(21), 4);
	assert_int_equal(noted.edges[21], before + 1);
	pass(50000);
	assert_int_equal(noted.edges[21], before + 2);
	/* It stops with the counter */
	put(CONFIG, 0, 4);
	assert_null(m.loop.timers);
}

static void level(void **state)
{
	start();
	put(CONFIG, 1, 4);
	put(TIMER(0), LEVEL | INTERRUPT | PIN(23), 4);
	put(COMPARATOR(0), 10, 8);
	pass(10);
	assert_true(noted.up[23]);
	assert_int_equal(get(STATUS, 4), 1);
	put(STATUS, 6, 4);
	assert_true(noted.up[23]);
	put(STATUS, 1, 4);
	assert_false(noted.up[23]);
	assert_int_equal(get(STATUS, 4), 0);
	/* Without INTERRUPT the status tells all the same */
	put(TIMER(0), LEVEL | PIN(23), 4);
	put(COMPARATOR(0), 20, 8);
	pass(10);
	assert_int_equal(get(STATUS, 4), 1);
	assert_false(noted.up[23]);
	put(TIMER(0), LEVEL | INTERRUPT | PIN(22), 4);
	assert_true(noted.up[22]);
	/* A pin that is none leaves the route; as an edge it is over */
	put(TIMER(0), LEVEL | INTERRUPT | PIN(3), 4);
	assert_int_equal(get(TIMER(0), 4) & PIN(0x1f), PIN(22));
	put(TIMER(0), INTERRUPT | PIN(22), 4);
	assert_false(noted.up[22]);
	assert_int_equal(get(STATUS, 4), 0);
}

/* Lines 0 and 8 are the first two timers', and not the 8254's and the RTC's */
static void legacy_replacement(void **state)
{
	unsigned int before;

	start();
	outb(0x43, 0x34);
	outb(0x40, 0xa9);
	outb(0x40, 0x04);
	pass(200000);
	assert_int_equal(noted.edges[0], 1);
	put(CONFIG, 3, 4);
	assert_false(noted.up[0]);
	put(TIMER(1), INTERRUPT | PIN(20), 4);
	put(COMPARATOR(1), 500000, 8);
	pass(600000);
	assert_int_equal(noted.edges[0], 1);
	assert_int_equal(noted.edges[8], 1);
	assert_int_equal(noted.edges[20], 0);
	put(TIMER(0), INTERRUPT, 4);
	put(COMPARATOR(0), get(COUNTER, 8) + 100, 8);
	pass(100);
	assert_int_equal(noted.edges[0], 2);
	/* The third has its pin still */
	put(TIMER(2), INTERRUPT | PIN(20), 4);
	put(COMPARATOR(2), get(COUNTER, 8) + 100, 8);
	pass(100);
	assert_int_equal(noted.edges[20], 1);
	/* And back */
	put(CONFIG, 1, 4);
	before = noted.edges[0];
	pass(400000);
	assert_true(noted.edges[0] > before);
	/* A reset gives them back, too */
	put(CONFIG, 3, 4);
	devices_reset(&m);
	assert_int_equal(get(CONFIG, 4), 0);
	outb(0x43, 0x34);
	outb(0x40, 0xa9);
	outb(0x40, 0x04);
	before = noted.edges[0];
	pass(200000);
	assert_int_equal(noted.edges[0], before + 1);
}

/* What is left of a period is left of it, and a line that is up stays up */
static void moves(void **state)
{
	json_t *saved;
	uint64_t time;

	start();
	put(CONFIG, 3, 4);
	put(TIMER(0), INTERRUPT | PERIODIC | SET_VALUE, 4);
	put(COMPARATOR(0), 100000, 8);
	put(COMPARATOR(0), 100000, 8);
	put(TIMER(2), LEVEL | INTERRUPT | PIN(20), 4);
	put(COMPARATOR(2), 130000, 8);
	pass(140000);
	assert_int_equal(noted.edges[0], 1);
	saved = devices_save(&m);
	time = m.clock.stopped_at;
	start();
	m.clock.stopped_at = time;
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	assert_true(noted.up[20]);
	assert_true(noted.up[0]);
	assert_int_equal(get(COUNTER, 8), 140000);
	assert_int_equal(get(STATUS, 4), 4);
	noted.edges[0] = 0;
	pass(59999);
	assert_int_equal(noted.edges[0], 0);
	pass(1);
	assert_int_equal(noted.edges[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities), cmocka_unit_test(counts),
		cmocka_unit_test(one_shot), cmocka_unit_test(periodic),
		cmocka_unit_test(level), cmocka_unit_test(legacy_replacement),
		cmocka_unit_test(moves),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	bare_stop();
	return failed;
}
