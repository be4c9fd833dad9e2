// SPDX-License-Identifier: GPL-2.0
/* Keys and pointers go to the device that takes them. */
#include "devices/input.h"
#include "tests/bare.h"
#include <setjmp.h>
#include <cmocka.h>

static struct played {
	struct device device;
	struct input input;
	struct input_report last;
	unsigned int events, syncs;
} first, second;

static void note_event(struct device *device, const struct input_report *event)
{
	struct played *p = (struct played *)device;

	p->last = *event;
	p->events++;
}

static void note_sync(struct device *device)
{
	((struct played *)device)->syncs++;
}

static void plug(struct played *p, unsigned int takes)
{
	*p = (struct played){ .device.machine = &m,
			      .input = { &p->device, takes, note_event,
					 note_sync } };
	input_register(&p->input);
}

static void emit(unsigned int type, unsigned int code, int value)
{
	struct input_report event = { type, code, value };

	input_emit(&m, &event, 1);
}

static void test_kinds(void **state)
{
	bare_start();
	plug(&first, INPUT_KEYS);
	plug(&second, INPUT_BUTTONS | INPUT_RELATIVE);
	assert_int_equal(input_taken(&m),
			 INPUT_KEYS | INPUT_BUTTONS | INPUT_RELATIVE);
	emit(EV_KEY, KEY_A, 1);
	assert_int_equal(first.events, 1);
	assert_int_equal(first.last.code, KEY_A);
	assert_int_equal(first.syncs, 1);
	emit(EV_KEY, BTN_LEFT, 1);
	emit(EV_REL, REL_WHEEL, -1);
	assert_int_equal(second.events, 2);
	assert_int_equal(second.last.value, -1);
	/* Nobody takes these */
	emit(EV_ABS, ABS_X, 5);
	emit(EV_KEY, KEY_OK, 1);
	emit(EV_SW, SW_LID, 1);
	assert_int_equal(first.events + second.events, 3);
}

static void test_last_one_counts(void **state)
{
	bare_start();
	plug(&first, INPUT_BUTTONS | INPUT_RELATIVE);
	plug(&second, INPUT_BUTTONS | INPUT_ABSOLUTE);
	emit(EV_KEY, BTN_LEFT, 1);
	assert_int_equal(second.events, 1);
	assert_int_equal(first.events, 0);
	emit(EV_REL, REL_X, 1);
	assert_int_equal(first.events, 1);
	input_unregister(&second.input);
	emit(EV_KEY, BTN_LEFT, 1);
	assert_int_equal(first.events, 2);
	assert_int_equal(input_taken(&m), INPUT_BUTTONS | INPUT_RELATIVE);
	input_unregister(&first.input);
	assert_int_equal(input_taken(&m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_last_one_counts),
	};
	int ret = cmocka_run_group_tests(tests, NULL, NULL);

	bare_stop();
	return ret;
}
