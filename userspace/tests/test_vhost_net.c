// SPDX-License-Identifier: GPL-2.0
/* A NIC whose frames another process moves (vhost-user, type net), which is played. */
#define _GNU_SOURCE
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/virtio/vhost.h"
#include "devices/virtio/vhost_user.h"
#include "tests/vhost_back.h"
#include "tests/virtio_driver.h"

#define F_PROTOCOL	(1ull << 30)
#define BIT(name)	(1ull << VIRTIO_NET_F_##name)
#define NEEDS_RESET	0x40
enum { RX, TX };

static char text[160];

static int parse(const char *options)
{
	m.config.vhosts = 0;
	error = (struct error){ 0 };
	snprintf(text, sizeof(text), "%s,type=net%s", back.path, options);
	return vhost_user_add(&m.config, text, &error);
}

static int setup(void **state)
{
	memset(&back, 0, sizeof(back));
	back.features = F_VERSION_1 | F_PROTOCOL | F_EVENT_IDX | BIT(CSUM) |
			BIT(MRG_RXBUF) | BIT(MQ) | BIT(CTRL_VQ) | BIT(MTU);
	/* It acknowledges, and announces */
	back.protocol = 1 << 3 | 1 << 2;
	back_start();
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, true, &error), 0);
	assert_int_equal(parse(",mac=52:54:00:01:02:03"), 0);
	bare_device("pci-host");
	bare_device("vhost-user");
	return 0;
}

static int teardown(void **state)
{
	driver_teardown(state);
	back_join();
	return 0;
}

static void start(void)
{
	driver_begin(BIT(MAC) | BIT(STATUS) | BIT(CSUM) | BIT(MRG_RXBUF));
	add_queue(RX);
	add_queue(TX);
	driver_ok();
}

/* Its rings are the back end's; an address and a link are ours */
static void a_nic(void **state)
{
	start();
	assert_int_equal(reg_read(COMMON(device_status), 1) & NEEDS_RESET, 0);
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10411af4);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 2);
	assert_int_equal(reg_read(0x2000, 4), 0x01005452);
	assert_int_equal(reg_read(0x2004, 4), 0x00010302);
	reg_write(COMMON(device_feature_select), 0, 4);
	assert_int_equal(reg_read(COMMON(device_feature), 4), F_EVENT_IDX |
			 BIT(CSUM) | BIT(MRG_RXBUF) | BIT(MAC) | BIT(STATUS));
	/* It hears of what it has offered, no more */
	assert_int_equal(BACK_GET(accepted), F_VERSION_1 | F_PROTOCOL |
			 BIT(CSUM) | BIT(MRG_RXBUF));
	assert_int_equal(BACK_GET(started), 2);
	/* What the driver writes there is nobody's */
	reg_write(0x2000, 0, 1);
	assert_int_equal(reg_read(0x2000, 1), 0x52);
	/* The last ring that it was given is the one to send */
	*desc(0) = (struct vring_desc){ BUFFERS, 64, 0, 0 };
	offer(0);
	kick();
	wait_for_all();
	assert_int_equal(BACK_GET(served), 1);
}

static void a_move(void **state)
{
	json_t *saved;

	start();
	m.pausing = true;
	saved = devices_save(&m);
	assert_non_null(saved);
	assert_false(BACK_GET(enabled));
	/* Its address is the state's, and the network is told */
	json_array_set_new(json_object_get(json_object_get(saved,
			   "vhost-user.0"), "mac"), 5, json_integer(9));
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	assert_int_equal(reg_read(0x2004, 2), 0x0902);
	assert_int_equal(BACK_GET(announced), 0x090201005452);
	m.pausing = false;
	m.clock.stopped_at++;
	run_timers();
	assert_true(BACK_GET(enabled));
	assert_int_equal(BACK_GET(started), 4);
	/* After a reset it has its own again, and so has its state */
	devices_reset(&m);
	saved = devices_save(&m);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(
		json_object_get(saved, "vhost-user.0"), "mac"), 5)), 3);
	json_decref(saved);
	start();
	assert_int_equal(reg_read(0x2004, 2), 0x0302);
}

/* The machine is loaded, and its driver is told that the NIC is of no use */
static void a_move_without_back_end(void **state)
{
	static const enum fault faults[] = { NO_FAULT, DIES, REFUSES, SILENT };
	unsigned int i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		json_t *saved;

		if (i) {
			teardown(NULL);
			setup(NULL);
		}
		start();
		m.pausing = true;
		saved = devices_save(&m);
		assert_non_null(saved);
		pthread_mutex_lock(&m.loop.lock);
		if (faults[i] == NO_FAULT)
			vhost_fail((struct vhost *)m.devices, "it has gone");
		pthread_mutex_unlock(&m.loop.lock);
		BACK_SET(fault_at, 19);
		BACK_SET(fault, faults[i]);
		assert_int_equal(devices_load(&m, saved, &error), 0);
		json_decref(saved);
		assert_true(((struct vhost *)m.devices)->dead);
		m.pausing = false;
		m.clock.stopped_at++;
		run_timers();
		assert_true(reg_read(COMMON(device_status), 1) & NEEDS_RESET);
		assert_int_equal(m.warnings, 1);
	}
}

static void options(void **state)
{
	uint8_t first[6];

	/* The same address each time, of one NIC */
	assert_int_equal(parse(""), 0);
	memcpy(first, m.config.vhost[0].mac, 6);
	assert_int_equal(first[0] & 3, 2);
	assert_int_equal(parse(""), 0);
	assert_memory_equal(first, m.config.vhost[0].mac, 6);
	assert_int_equal(parse(",mac=52:54"), -1);
	assert_non_null(strstr(error.text, "mac=52:54 is no address"));
	assert_int_equal(parse(",mac=01:00:00:00:00:01"), -1);
	assert_int_equal(parse(",queues=2"), -1);
	assert_non_null(strstr(error.text, "a net one pair"));
	snprintf(text, sizeof(text), "s,type=blk,mac=52:54:00:01:02:03");
	m.config.vhosts = 0;
	assert_int_equal(vhost_user_add(&m.config, text, &error), -1);
	assert_non_null(strstr(error.text, "mac= is a net's"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(a_nic), TEST(a_move),
		TEST(a_move_without_back_end), TEST(options) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
