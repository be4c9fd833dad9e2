// SPDX-License-Identifier: GPL-2.0
/* The i8042, the keyboard and the mouse, by what IBM's reference says of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/input.h"
#include "tests/bare.h"

#define MS 1000000ull

static void start(void)
{
	bare_start();
	bare_device("i8042");
}

static void pass(uint64_t ns)
{
	m.clock.stopped_at += ns;
	run_timers();
}

static void event(unsigned int type, unsigned int code, int value)
{
	struct input_report report = { type, code, value };

	input_emit(&m, &report, 1);
}

static void key(unsigned int code, int value)
{
	event(EV_KEY, code, value);
}

/* All that comes, the keys' bytes too, which have their time */
static size_t read_all(uint8_t *bytes, size_t len)
{
	size_t n = 0;

	while (n < len) {
		if (!(inb(0x64) & 1)) {
			pass(MS);
			if (!(inb(0x64) & 1))
				break;
		}
		bytes[n++] = inb(0x60);
	}
	return n;
}

static void expect_bytes(const uint8_t *want, size_t len)
{
	uint8_t got[64];

	assert_int_equal(read_all(got, sizeof(got)), len);
	assert_memory_equal(got, want, len);
}

#define expect(...)							\
	expect_bytes((const uint8_t[]){ __VA_ARGS__ },			\
		     sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void expect_nothing(void)
{
	expect_bytes((const uint8_t *)"", 0);
}

static void command(uint8_t command, uint8_t parameter)
{
	outb(0x64, command);
	outb(0x60, parameter);
}

static void controller(void **state)
{
	start();
	assert_int_equal(inb(0x64), 0x1c);
	outb(0x64, 0x20);
	assert_int_equal(inb(0x64) & 1, 1);
	expect(0x47);
	outb(0x64, 0xaa);
	expect(0x55);
	outb(0x64, 0x20);
	expect(0x34);
	outb(0x64, 0xab);
	expect(0);
	outb(0x64, 0xa9);
	expect(0);
	command(0x60, 0x65);
	outb(0x64, 0x20);
	expect(0x65);
	command(0x7f, 0x12);
	outb(0x64, 0x3f);
	expect(0x12);
	outb(0x64, 0xa8);
	outb(0x64, 0xae);
	outb(0x64, 0x20);
	expect(0x45);
	outb(0x64, 0xa7);
	outb(0x64, 0xad);
	outb(0x64, 0x20);
	expect(0x75);
	command(0xd2, 0x5a);
	assert_int_equal(inb(0x64) & 0x21, 1);
	expect(0x5a);
	command(0xd3, 0xa5);
	assert_int_equal(inb(0x64) & 0x21, 0x21);
	expect(0xa5);
	outb(0x64, 0xc0);
	expect(0x80);
	/* What is read twice is the same */
	assert_int_equal(inb(0x60), 0x80);
}

static void a20_and_reset(void **state)
{
	start();
	outb(0x64, 0xd0);
	expect(0x03);
	command(0xd1, 0x01);
	assert_int_equal(inb(0x92), 0);
	outb(0x92, 2);
	outb(0x64, 0xd0);
	expect(0x03);
	outb(0x64, 0xdd);
	assert_int_equal(inb(0x92), 0);
	outb(0x64, 0xdf);
	assert_int_equal(inb(0x92), 2);
	outb(0x64, 0xff);
	assert_false(machine_ended(&m));
	outb(0x64, 0xfe);
	assert_int_equal(m.end.status, STATUS_RESET);
	m.ended = false;
	outb(0x92, 3);
	assert_true(machine_ended(&m));
	m.ended = false;
	command(0xd1, 0x02);
	assert_true(machine_ended(&m));
}

static void lines(void **state)
{
	start();
	key(KEY_A, 1);
	key(KEY_A, 0);
	assert_true(noted.up[1]);
	assert_int_equal(noted.edges[1], 1);
	assert_int_equal(inb(0x60), 0x1e);
	/* The next one has not come over its wire yet */
	assert_false(noted.up[1]);
	assert_int_equal(inb(0x60), 0x1e);
	pass(MS);
	assert_true(noted.up[1]);
	assert_int_equal(inb(0x60), 0x9e);
	/* Not if it is switched off, nor if the other one's is */
	command(0x60, 0x42);
	key(KEY_A, 1);
	pass(MS);
	assert_false(noted.up[1]);
	assert_int_equal(inb(0x64) & 1, 1);
	command(0x60, 0x41);
	assert_true(noted.up[1]);
	assert_false(noted.up[12]);
	expect(0x1e);
	command(0xd4, 0xf4);
	assert_false(noted.up[12]);
	command(0x60, 0x43);
	assert_true(noted.up[12]);
	expect(0xfa);
	assert_int_equal(noted.edges[12], 1);
}

static void sets(void **state)
{
	start();
	key(KEY_UP, 1);
	key(KEY_UP, 0);
	key(KEY_F7, 1);
	key(KEY_RIGHTCTRL, 1);
	expect(0xe0, 0x48, 0xe0, 0xc8, 0x41, 0xe0, 0x1d);
	/* A key that is held is not pressed again */
	key(KEY_F7, 2);
	expect_nothing();
	key(KEY_F7, 0);
	key(KEY_RIGHTCTRL, 0);
	expect(0xc1, 0xe0, 0x9d);
	/* Set 2 as it is */
	command(0x60, 0x07);
	key(KEY_A, 1);
	key(KEY_A, 0);
	key(KEY_DELETE, 1);
	key(KEY_DELETE, 0);
	expect(0x1c, 0xf0, 0x1c, 0xe0, 0x71, 0xe0, 0xf0, 0x71);
	key(KEY_F7, 1);
	key(KEY_F7, 0);
	expect(0x83, 0xf0, 0x83);
	outb(0x60, 0xf0);
	outb(0x60, 1);
	expect(0xfa, 0xfa);
	key(KEY_A, 1);
	key(KEY_A, 0);
	key(KEY_DELETE, 1);
	key(KEY_DELETE, 0);
	expect(0x1e, 0x9e, 0xe0, 0x53, 0xe0, 0xd3);
	outb(0x60, 0xf0);
	outb(0x60, 3);
	outb(0x60, 0xf0);
	outb(0x60, 0);
	expect(0xfa, 0xfa, 0xfa, 0xfa, 3);
	/* Of its own accord set 3 says when Ctrl is let go, but not of others */
	key(KEY_LEFTCTRL, 1);
	key(KEY_LEFTCTRL, 0);
	key(KEY_DELETE, 1);
	key(KEY_DELETE, 0);
	expect(0x11, 0xf0, 0x11, 0x64);
	outb(0x60, 0xfa);
	expect(0xfa);
	key(KEY_DELETE, 1);
	key(KEY_DELETE, 0);
	expect(0x64, 0xf0, 0x64);
	outb(0x60, 0xfd);
	outb(0x60, 0x64);
	outb(0x60, 0xf4);
	expect(0xfa, 0xfa, 0xfa);
	key(KEY_DELETE, 1);
	key(KEY_DELETE, 0);
	expect(0x64);
	outb(0x60, 0xf0);
	outb(0x60, 9);
	expect(0xfa, 0xfe);
}

static void odd_keys(void **state)
{
	start();
	key(KEY_PAUSE, 1);
	key(KEY_PAUSE, 0);
	expect(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
	key(KEY_LEFTCTRL, 1);
	key(KEY_PAUSE, 1);
	key(KEY_PAUSE, 0);
	key(KEY_LEFTCTRL, 0);
	expect(0x1d, 0xe0, 0x46, 0xe0, 0xc6, 0x9d);
	key(KEY_SYSRQ, 1);
	key(KEY_SYSRQ, 0);
	expect(0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa);
	key(KEY_LEFTALT, 1);
	key(KEY_SYSRQ, 1);
	key(KEY_SYSRQ, 0);
	expect(0x38, 0x54, 0xd4);
	/* None */
	key(KEY_RESERVED, 1);
	key(KEY_F24, 1);
	key(255, 1);
	expect_nothing();
}

static void keyboard_commands(void **state)
{
	start();
	outb(0x60, 0xff);
	expect(0xfa, 0xaa);
	outb(0x60, 0xf2);
	expect(0xfa, 0xab, 0x41);
	outb(0x60, 0xee);
	expect(0xee);
	outb(0x60, 0xed);
	outb(0x60, 7);
	expect(0xfa, 0xfa);
	outb(0x60, 0x11);
	expect(0xfe);
	outb(0x60, 0xfe);
	expect(0xfe);
	/* It does not scan */
	outb(0x60, 0xf5);
	expect(0xfa);
	key(KEY_A, 1);
	key(KEY_A, 0);
	expect_nothing();
	outb(0x60, 0xf4);
	expect(0xfa);
	/* More than fits: the last one tells */
	command(0x60, 0x57);
	for (int i = 0; i < 20; i++) {
		key(KEY_A, 1);
		key(KEY_A, 0);
	}
	command(0x60, 0x47);
	expect(0x1e, 0x9e, 0x1e, 0x9e, 0x1e, 0x9e, 0x1e, 0x9e, 0x1e, 0x9e,
	       0xff);
}

static void typematic(void **state)
{
	start();
	outb(0x60, 0xf3);
	outb(0x60, 0x00);	/* 250 ms, then 30 in a second */
	expect(0xfa, 0xfa);
	key(KEY_A, 1);
	expect(0x1e);
	pass(200 * MS);
	assert_int_equal(inb(0x64) & 1, 0);
	pass(60 * MS);
	assert_int_equal(inb(0x60), 0x1e);
	pass(20 * MS);
	assert_int_equal(inb(0x64) & 1, 0);
	pass(15 * MS);
	assert_int_equal(inb(0x60), 0x1e);
	key(KEY_A, 0);
	pass(MS);
	assert_int_equal(inb(0x60), 0x9e);
	pass(1000 * MS);
	expect_nothing();
	assert_null(m.loop.timers);
}

static void mouse(void **state)
{
	struct input_report both[] = { { EV_REL, REL_X, 5 },
				       { EV_REL, REL_Y, 3 } };
	static const uint8_t knock[] = { 200, 100, 80, 200, 200, 80 };
	size_t i;

	start();
	command(0xd4, 0xff);
	expect(0xfa, 0xaa, 0);
	event(EV_REL, REL_X, 1);
	expect_nothing();
	command(0xd4, 0xf4);
	expect(0xfa);
	input_emit(&m, both, 2);
	assert_true(noted.up[12]);
	assert_int_equal(inb(0x64) & 0x21, 0x21);
	expect(0x28, 5, 0xfd);
	key(BTN_RIGHT, 1);
	key(BTN_RIGHT, 0);
	expect(0x0a, 0, 0, 0x08, 0, 0);
	/* Far away: in pieces */
	event(EV_REL, REL_X, -300);
	expect(0x18, 0x01, 0, 0x18, 0xd3, 0);
	event(EV_REL, REL_WHEEL, 1);
	expect_nothing();
	for (i = 0; i < 3; i++) {
		command(0xd4, 0xf3);
		command(0xd4, knock[i]);
	}
	command(0xd4, 0xf2);
	expect(0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 3, 0x08, 0, 0, 0xff);
	event(EV_REL, REL_WHEEL, -1);
	expect(0x08, 0, 0, 1);
	for (i = 3; i < 6; i++) {
		command(0xd4, 0xf3);
		command(0xd4, knock[i]);
	}
	command(0xd4, 0xf2);
	expect(0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 4);
	key(BTN_SIDE, 1);
	expect(0x08, 0, 0, 0x10);
	command(0xd4, 0xe9);
	expect(0xfa, 0x20, 2, 80);
	/* Only when it is asked */
	command(0xd4, 0xf0);
	event(EV_REL, REL_X, 1);
	expect(0xfa);
	command(0xd4, 0xeb);
	expect(0xfa, 0x08, 1, 0, 0x10);
	command(0xd4, 0xee);
	command(0xd4, 0x55);
	command(0xd4, 0xec);
	command(0xd4, 0x55);
	expect(0xfa, 0x55, 0xfa, 0xfe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controller), cmocka_unit_test(a20_and_reset),
		cmocka_unit_test(lines), cmocka_unit_test(sets),
		cmocka_unit_test(odd_keys),
		cmocka_unit_test(keyboard_commands),
		cmocka_unit_test(typematic), cmocka_unit_test(mouse),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	bare_stop();
	return failed;
}
