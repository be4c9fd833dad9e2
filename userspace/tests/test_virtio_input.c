// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-input: what a driver learns of a keyboard and a tablet, which events come
 * to it and when, and what becomes of those that it has no room for.
 */
#include <linux/virtio_input.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/input.h"
#include "tests/virtio_driver.h"

#define CONFIG	find_config()

/* What had the events before */
static struct old {
	struct device device;
	struct input input;
	unsigned int events;
} old;

static void note(struct device *device, const struct input_report *event)
{
	((struct old *)device)->events++;
}

static int setup(void **state)
{
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	bare_device("pci-host");
	bare_device("virtio-keyboard");
	bare_device("virtio-tablet");
	/* Registered last; and yet those with a driver come before it */
	old = (struct old){ .device.machine = &m,
			    .input = { .device = &old.device, .event = note,
				       .takes = INPUT_KEYS | INPUT_BUTTONS |
						INPUT_RELATIVE } };
	input_register(&old.input);
	driver.slot = 0;
	return 0;
}

static int teardown(void **state)
{
	driver.slot = 0;
	return driver_teardown(state);
}

static uint64_t find_config(void)
{
	return cfg_read(find_capability(PCI_CAP_ID_VNDR,
					VIRTIO_PCI_CAP_DEVICE_CFG) + 8, 4);
}

static void start(unsigned int slot)
{
	driver.slot = slot;
	driver_begin(0);
	add_queue(1);
	add_queue(0);
	driver_ok();
	kick();
}

/* Returns the size */
static unsigned int asked(uint8_t select, uint8_t subsel)
{
	reg_write(CONFIG, select | subsel << 8, 2);
	return reg_read(CONFIG + 2, 1);
}

static uint32_t answer(unsigned int at)
{
	return reg_read(CONFIG + 8 + at, 1);
}

static void emit(uint16_t type, uint16_t code, int32_t value)
{
	struct input_report event = { type, code, value };

	input_emit(&m, &event, 1);
}

static void give(unsigned int nr, uint32_t len)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		*desc(i) = (struct vring_desc){ BUFFERS + 16 * i, len,
						VRING_DESC_F_WRITE, 0 };
		offer(i);
	}
	kick();
}

static void expect(unsigned int i, uint16_t type, uint16_t code, int32_t value)
{
	struct virtio_input_event *e = at(BUFFERS + 16 * i);

	assert_int_equal(e->type, type);
	assert_int_equal(e->code, code);
	assert_int_equal((int32_t)e->value, value);
}

static void a_keyboard(void **state)
{
	start(0);
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10521af4);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_ID_NAME, 0), 13);
	assert_int_equal(answer(5), 'k');
	assert_int_equal(asked(VIRTIO_INPUT_CFG_ID_DEVIDS, 0), 8);
	assert_int_equal(answer(4), 1);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_EV_BITS, EV_KEY), 32);
	assert_int_equal(answer(0), 0xfe);
	assert_int_equal(answer(31), 1);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_EV_BITS, EV_LED), 1);
	assert_int_equal(answer(0), 7);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_EV_BITS, EV_ABS), 0);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_ABS_INFO, ABS_X), 0);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_ID_NAME, 1), 0);
	assert_int_equal(asked(0xff, 0xff), 0);
	/* Read-only */
	reg_write(CONFIG + 2, ~0u, 4);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_EV_BITS, EV_KEY), 32);
	give(4, 8);
	emit(EV_KEY, KEY_A, 1);
	assert_int_equal(used()->idx, 2);
	assert_int_equal(used()->ring[0].len, 8);
	expect(0, EV_KEY, KEY_A, 1);
	expect(1, EV_SYN, SYN_REPORT, 0);
	/* No such key, and no such device: the old one has it */
	emit(EV_KEY, 0xfe, 1);
	assert_int_equal(used()->idx, 2);
	emit(EV_KEY, BTN_LEFT, 1);
	assert_int_equal(used()->idx, 2);
	assert_int_equal(old.events, 1);
	/* LEDs go nowhere, and come back */
	driver.queue = 1;
	*desc(0) = (struct vring_desc){ BUFFERS, 8, 0, 0 };
	offer(0);
	kick();
	assert_int_equal(used()->idx, 1);
}

static void a_tablet(void **state)
{
	struct input_report report[] = { { EV_ABS, ABS_X, 5 },
		{ EV_ABS, ABS_Y, INPUT_ABS_MAX }, { EV_REL, REL_WHEEL, -1 } };

	start(1);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_ID_NAME, 0), 11);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_EV_BITS, EV_ABS), 1);
	assert_int_equal(answer(0), 3);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_EV_BITS, EV_KEY), 35);
	assert_int_equal(answer(34), 0x1f);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_EV_BITS, EV_REL), 2);
	assert_int_equal(answer(1), 1);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_ABS_INFO, ABS_Y), 20);
	assert_int_equal(answer(4) | answer(5) << 8, INPUT_ABS_MAX);
	assert_int_equal(asked(VIRTIO_INPUT_CFG_ABS_INFO, ABS_Z), 0);
	give(8, 8);
	input_emit(&m, report, 3);
	assert_int_equal(used()->idx, 4);
	expect(0, EV_ABS, ABS_X, 5);
	expect(1, EV_ABS, ABS_Y, INPUT_ABS_MAX);
	expect(2, EV_REL, REL_WHEEL, -1);
	expect(3, EV_SYN, SYN_REPORT, 0);
	/* A mouse's motion is the mouse's, and so are keys the keyboard's */
	emit(EV_REL, REL_X, 1);
	emit(EV_KEY, KEY_A, 1);
	assert_int_equal(old.events, 2);
	emit(EV_KEY, BTN_RIGHT, 1);
	assert_int_equal(used()->idx, 6);
}

/* Who had the events before has them while there is no driver */
static void no_driver(void **state)
{
	emit(EV_KEY, KEY_A, 1);
	assert_int_equal(old.events, 1);
	assert_int_equal(input_taken(&m), INPUT_KEYS | INPUT_BUTTONS |
			 INPUT_RELATIVE);
	start(1);
	assert_true(input_taken(&m) & INPUT_ABSOLUTE);
	reg_write(COMMON(device_status), 0, 1);
	assert_false(input_taken(&m) & INPUT_ABSOLUTE);
}

/* A report waits for buffers; of too many the last ones are lost, each wholly */
static void full(void **state)
{
	unsigned int i, seen;

	start(0);
	for (i = 0; i < 300; i++)
		emit(EV_KEY, KEY_A, i & 1);
	for (seen = 0; seen < 256; seen += 8) {
		give(8, 8);
		assert_int_equal(used()->idx, seen + 8);
		expect(6, EV_KEY, KEY_A, 1);
		expect(7, EV_SYN, SYN_REPORT, 0);
		expect(4, EV_KEY, KEY_A, 0);
		if (seen == 120)
			break;
	}
	for (seen += 8; seen < 256; seen += 8)
		give(8, 8);
	assert_int_equal(used()->idx, 256);
	give(8, 8);
	assert_int_equal(used()->idx, 256);
	emit(EV_KEY, KEY_B, 1);
	assert_int_equal(used()->idx, 258);
	/* A buffer that is none */
	give(1, 7);
	for (i = 0; i < 4; i++)
		emit(EV_KEY, KEY_A, 1);
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
}

/* What waited when the machine was saved comes then */
static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved, *device;

	start(0);
	emit(EV_KEY, KEY_A, 1);
	saved = devices_save(&m);
	assert_non_null(saved);
	memcpy(memory, m.memory.base, MEMORY);
	teardown(NULL);
	setup(NULL);
	memcpy(m.memory.base, memory, MEMORY);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	assert_true(input_taken(&m) & INPUT_KEYS);
	give(2, 8);
	expect(0, EV_KEY, KEY_A, 1);
	expect(1, EV_SYN, SYN_REPORT, 0);
	emit(EV_KEY, KEY_A, 0);
	assert_int_equal(old.events, 0);
	/* More than there is room for */
	device = json_object_get(saved, "virtio-keyboard.0");
	assert_non_null(device);
	json_object_set_new(device, "nr", json_integer(257));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "events"));
	json_decref(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_keyboard), TEST(a_tablet), TEST(no_driver), TEST(full),
		TEST(a_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
