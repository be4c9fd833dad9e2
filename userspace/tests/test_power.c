// SPDX-License-Identifier: GPL-2.0
/* Ways to end a guest, and ACPI's fixed hardware. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/isa/power.h"
#include "tests/bare.h"

static void ended_by(int status)
{
	assert_true(machine_ended(&m));
	assert_int_equal(m.end.status, status);
	m.ended = false;
}

static void ways_to_end(void **state)
{
	uint32_t a;

	bare_start();
	bare_device("acpi-pm");
	bare_device("debug-exit");
	outb(0x64, 0xd1);
	assert_false(machine_ended(&m));
	outb(0x64, 0xfe);
	ended_by(STATUS_RESET);
	assert_int_equal(inb(0x64), 0xff);
	outb(0xf4, 42);
	assert_string_equal(m.end.text, "");
	ended_by(42);
	/* One that is mvmm's, too */
	outb(0xf4, STATUS_OS);
	assert_string_equal(m.end.text, "the status 71 is the guest's own");
	ended_by(STATUS_OS);
	assert_int_equal(ins(0x604, 2) & 1, 1);
	/* Another sleep state does nothing */
	outs(0x604, 0x2000 | 1 << 10, 2);
	assert_false(machine_ended(&m));
	outs(0x604, 0x2000 | 5 << 10, 2);
	ended_by(0);
	outs(0x604, 0x2000, 2);
	ended_by(0);
	/* The PM timer has 3.58 MHz and 24 bits */
	a = ins(0x608, 4);
	m.clock.stopped_at += 1000000;
	assert_in_range((ins(0x608, 4) - a) & 0xffffff, 3579, 3580);
	assert_true(a < 1 << 24);
}

static void button(void **state)
{
	bare_start();
	bare_device("acpi-pm");
	/* Not enabled, it only sets its status; enabled, it interrupts */
	assert_false(power_button(m.power));
	assert_false(noted.up[9]);
	assert_int_equal(ins(0x600, 2), 0x100);
	outs(0x602, 0x100, 2);
	assert_true(noted.up[9]);
	assert_int_equal(ins(0x600, 4), 0x1000100);
	/* Ones in other bits, and a zero in its own, do not clear it */
	outs(0x600, 0xfeff, 2);
	assert_true(noted.up[9]);
	outs(0x600, 0x100, 2);
	assert_false(noted.up[9]);
	assert_int_equal(ins(0x600, 2), 0);
	assert_int_equal(ins(0x602, 2), 0x100);
	/* Again, by accesses of one byte */
	assert_true(power_button(m.power));
	assert_true(noted.up[9]);
	outb(0x603, 0);
	assert_false(noted.up[9]);
	outb(0x602, 0x20);
	outb(0x603, 1);
	assert_true(noted.up[9]);
	assert_int_equal(ins(0x602, 2), 0x120);
	assert_int_equal(inb(0x601), 1);
	outb(0x601, 1);
	assert_false(noted.up[9]);
	/* One access disables it and clears it */
	assert_true(power_button(m.power));
	outs(0x600, 0x100, 4);
	assert_int_equal(ins(0x600, 4), 0);
	assert_false(noted.up[9]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ways_to_end),
		cmocka_unit_test(button),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	bare_stop();
	return failed;
}
