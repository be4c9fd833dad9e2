// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-console: what a driver and the device tell each other of ports, bytes
 * both ways, other ends that come, go and do not read, and drivers that say what
 * is not so.
 */
#define _GNU_SOURCE
#include <linux/virtio_console.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/loop_round.h"
#include "tests/virtio_driver.h"

#define F_MULTIPORT	(1ull << VIRTIO_CONSOLE_F_MULTIPORT)
#define CONTROL_RX	2
#define CONTROL_TX	3
#define RX(port)	((port) ? 2 + 2 * (port) : 0)
#define TX(port)	(RX(port) + 1)
#define MESSAGES	BUFFERS			/* from the device */
#define MESSAGE_STEP	128
#define REPLY		(BUFFERS + 0x8000)	/* to the device */
#define DATA		(BUFFERS + 0x10000)

/* The other end of port 1 */
static struct {
	struct chardev chardev;
	uint8_t sent[200000], typed[8192];
	size_t len, room, first, end;
} peer;

static size_t peer_put(struct chardev *chardev, const uint8_t *bytes,
		       size_t len)
{
	size_t n = len < peer.room ? len : peer.room;

	memcpy(peer.sent + peer.len, bytes, n);
	peer.len += n;
	peer.room -= n;
	return n;
}

static size_t peer_take(struct chardev *chardev, uint8_t *bytes, size_t len)
{
	size_t n = peer.end - peer.first;

	n = n < len ? n : len;
	memcpy(bytes, peer.typed + peer.first, n);
	peer.first += n;
	return n;
}

static bool peer_is_flushed(struct chardev *chardev)
{
	return true;
}

/* Without a port 2, so that there is a hole */
static void start(unsigned int ports)
{
	static const struct chardev_ops ops = { peer_put, peer_take,
						peer_is_flushed };
	unsigned int i;

	bare_start();
	memset(&peer, 0, sizeof(peer));
	peer.room = sizeof(peer.sent);
	peer.chardev.ops = &ops;
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	m.config.port[0].chardev = &wire.chardev;
	for (i = 1; i < ports; i++)
		m.config.port[i] = (struct machine_port){
			"org.example.0", i == 2 ? NULL : &peer.chardev };
	m.config.ports = ports;
	bare_device("pci-host");
	bare_device("virtio-console");
}

static void negotiate(uint64_t features)
{
	unsigned int n;

	driver_begin(features);
	for (n = 0; n < 8; n++)
		add_queue(n);
	driver_ok();
}

static void give_buffers(unsigned int nr)
{
	unsigned int i;

	driver.queue = CONTROL_RX;
	for (i = 0; i < nr; i++) {
		*desc(i) = (struct vring_desc){ MESSAGES + MESSAGE_STEP * i,
						MESSAGE_STEP,
						VRING_DESC_F_WRITE, 0 };
		offer(i);
	}
	kick();
}

static int setup(void **state)
{
	start(3);
	negotiate(F_MULTIPORT);
	give_buffers(RING);
	return 0;
}

/* What the loop does now, if there is anything */
static void run_loop(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		run_once(&m.loop);
}

static void say(uint32_t id, uint16_t event, uint16_t value)
{
	const struct virtio_console_control control = { id, event, value };

	memcpy(at(REPLY), &control, sizeof(control));
	driver.queue = CONTROL_TX;
	*desc(0) = (struct vring_desc){ REPLY, sizeof(control), 0, 0 };
	offer(0);
	kick();
	assert_int_equal(used()->idx, driver.avail[CONTROL_TX]);
}

static unsigned int heard;

/* The next message is this one. @more: what follows its header */
static void expect(uint32_t id, uint16_t event, uint16_t value,
		   const void *more, size_t len)
{
	struct virtio_console_control got;
	const struct vring_used_elem *e;
	const uint8_t *message;

	driver.queue = CONTROL_RX;
	assert_true((uint16_t)(used()->idx - heard) > 0);
	e = &used()->ring[heard++ % RING];
	message = at(MESSAGES + MESSAGE_STEP * e->id);
	memcpy(&got, message, sizeof(got));
	assert_int_equal(got.id, id);
	assert_int_equal(got.event, event);
	assert_int_equal(got.value, value);
	assert_int_equal(e->len, sizeof(got) + len);
	if (len)
		assert_memory_equal(message + sizeof(got), more, len);
}

static void expect_silence(void)
{
	driver.queue = CONTROL_RX;
	assert_int_equal(used()->idx, (uint16_t)heard);
}

static void open_ports(void)
{
	heard = 0;
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect(0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	expect(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	expect_silence();
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	expect(0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, NULL, 0);
	expect(0, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	expect(1, VIRTIO_CONSOLE_PORT_NAME, 1, "org.example.0", 13);
	/* Nobody is at its other end yet */
	expect_silence();
	say(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	say(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	expect_silence();
}

static void peer_comes(bool is_open)
{
	pthread_mutex_lock(&m.loop.lock);
	peer.chardev.is_open = is_open;
	peer.chardev.changed(peer.chardev.ctx);
	pthread_mutex_unlock(&m.loop.lock);
	run_loop();
}

static void offer_tx(unsigned int port, unsigned int head, const char *text)
{
	size_t len = strlen(text);

	driver.queue = TX(port);
	memcpy(at(DATA + 0x1000 * head), text, len);
	*desc(head) = (struct vring_desc){ DATA + 0x1000 * head, len, 0, 0 };
	offer(head);
	kick();
}

static void offer_rx(unsigned int port, unsigned int head, uint32_t len)
{
	driver.queue = RX(port);
	*desc(head) = (struct vring_desc){ DATA + 0x1000 * head, len,
					   VRING_DESC_F_WRITE, 0 };
	offer(head);
	kick();
}

static void type(const char *text)
{
	peer.first = 0;
	peer.end = strlen(text);
	memcpy(peer.typed, text, peer.end);
	pthread_mutex_lock(&m.loop.lock);
	peer.chardev.readable(peer.chardev.ctx);
	pthread_mutex_unlock(&m.loop.lock);
}

static void identity(void **state)
{
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10431af4);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 8);
	assert_int_equal(reg_read(0x2000, 4), 0);
	assert_int_equal(reg_read(0x2004, 4), 3);
	/* The terminal's size, when it is known, and when it is another */
	open_ports();
	wire.chardev.cols = 80;
	wire.chardev.rows = 25;
	wire.chardev.changed(wire.chardev.ctx);
	assert_int_equal(reg_read(0x2000, 4), 25 << 16 | 80);
	assert_int_equal(reg_read(COMMON(config_generation), 1), 1);
	assert_int_equal(reg_read(0x1000, 1) & 2, 2);
	expect(0, VIRTIO_CONSOLE_RESIZE, 1, (uint16_t []){ 80, 25 }, 4);
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	expect(0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, NULL, 0);
	expect(0, VIRTIO_CONSOLE_RESIZE, 1, (uint16_t []){ 80, 25 }, 4);
}

/* With all ports there are more queues than vectors */
static void all_ports(void **state)
{
	uint8_t cap;

	driver_teardown(NULL);
	start(MACHINE_PORTS);
	driver_begin(F_MULTIPORT);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 34);
	cap = find_capability(PCI_CAP_ID_MSIX, 0);
	assert_int_equal(cfg_read(cap + PCI_MSIX_FLAGS, 2), 31);
	add_queue(33);
	reg_write(COMMON(queue_msix_vector), 31, 2);
	assert_int_equal(reg_read(COMMON(queue_msix_vector), 2), 31);
	reg_write(COMMON(queue_msix_vector), 32, 2);
	assert_int_equal(reg_read(COMMON(queue_msix_vector), 2), 0xffff);
	driver_ok();
	/* Each has its doorbell: port 15 transmits */
	peer.chardev.is_open = true;
	driver.queue = 33;
	memcpy(at(DATA), "x", 1);
	*desc(0) = (struct vring_desc){ DATA, 1, 0, 0 };
	offer(0);
	kick();
	assert_int_equal(peer.len, 1);
}

static void console(void **state)
{
	char *typed = at(DATA);

	open_ports();
	offer_tx(0, 0, "hello");
	assert_int_equal(wire.len, 5);
	assert_memory_equal(wire.sent, "hello", 5);
	assert_int_equal(used()->idx, 1);
	offer_rx(0, 0, 3);
	memcpy(wire.typed, "abcde", 5);
	wire.end = 5;
	wire.chardev.readable(wire.chardev.ctx);
	assert_int_equal(used()->idx, 1);
	assert_int_equal(used()->ring[0].len, 3);
	assert_memory_equal(typed, "abc", 3);
	offer_rx(0, 1, 9);
	assert_int_equal(used()->ring[1].len, 2);
	assert_memory_equal(typed + 0x1000, "de", 2);
}

/* A driver without ports has a console only */
static void no_ports(void **state)
{
	negotiate(0);
	offer_tx(0, 0, "hello");
	assert_int_equal(wire.len, 5);
	offer_rx(0, 0, 9);
	memcpy(wire.typed, "abcde", 5);
	wire.end = 5;
	wire.chardev.readable(wire.chardev.ctx);
	assert_int_equal(used()->ring[0].len, 5);
	give_buffers(4);
	driver.queue = CONTROL_TX;
	*desc(0) = (struct vring_desc){ REPLY, 8, 0, 0 };
	offer(0);
	kick();
	assert_int_equal(used()->idx, 0);
	peer_comes(true);
	driver.queue = CONTROL_RX;
	assert_int_equal(used()->idx, 0);
}

static void a_port(void **state)
{
	open_ports();
	/* Nobody is there: bytes are lost, and the driver does not wait */
	offer_tx(1, 0, "lost");
	assert_int_equal(used()->idx, 1);
	assert_int_equal(peer.len, 0);
	peer_comes(true);
	expect(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	offer_tx(1, 0, "hello");
	assert_memory_equal(peer.sent, "hello", 5);
	offer_rx(1, 0, 100);
	type("abc");
	assert_int_equal(used()->idx, 1);
	assert_int_equal(used()->ring[0].len, 3);
	/* Without a buffer, or with nobody who has it open, bytes wait */
	type("de");
	assert_int_equal(peer.first, 0);
	say(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	offer_rx(1, 1, 100);
	assert_int_equal(peer.first, 0);
	say(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_int_equal(peer.first, 2);
	peer_comes(false);
	expect(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL, 0);
	expect_silence();
}

/* What does not fit waits in the ring, in the middle of a chain too */
static void a_slow_peer(void **state)
{
	open_ports();
	peer_comes(true);
	peer.room = 7;
	offer_tx(1, 0, "hello ");
	offer_tx(1, 1, "world");
	offer_tx(1, 2, "!");
	assert_int_equal(used()->idx, 1);
	assert_int_equal(peer.len, 7);
	/* Others are not held up */
	offer_tx(0, 0, "hi");
	assert_int_equal(used()->idx, 1);
	peer.room = 100;
	peer.chardev.writable(peer.chardev.ctx);
	driver.queue = TX(1);
	assert_int_equal(used()->idx, 3);
	assert_int_equal(peer.len, 12);
	assert_memory_equal(peer.sent, "hello world!", 12);
	/* It goes without reading: the rest is lost, the driver goes on */
	peer.room = 2;
	offer_tx(1, 0, "hello");
	assert_int_equal(used()->idx, 3);
	peer_comes(false);
	driver.queue = TX(1);
	assert_int_equal(used()->idx, 4);
	/* And the next peer gets what is sent then, from its first byte on */
	peer.room = 100;
	peer_comes(true);
	offer_tx(1, 0, "again");
	assert_memory_equal(peer.sent + peer.len - 5, "again", 5);
	assert_int_equal(peer.len, 12 + 2 + 5);
}

/* Much at once: the loop's other devices come between */
static void a_long_chain(void **state)
{
	unsigned int i;

	open_ports();
	peer_comes(true);
	driver.queue = TX(1);
	for (i = 0; i < 3; i++) {
		memset(at(DATA + 0x10000 * i), 'a' + i, 50000);
		*desc(i) = (struct vring_desc){ DATA + 0x10000 * i, 50000,
			i < 2 ? VRING_DESC_F_NEXT : 0, i + 1 };
	}
	offer(0);
	kick();
	assert_int_equal(used()->idx, 0);
	assert_int_equal(peer.len, 65536);
	run_loop();
	driver.queue = TX(1);
	assert_int_equal(used()->idx, 1);
	assert_int_equal(peer.len, 150000);
	for (i = 0; i < 150000; i++)
		assert_int_equal(peer.sent[i], 'a' + i / 50000);
}

/* Messages wait for buffers, which may be too short, or none */
static void few_buffers(void **state)
{
	negotiate(F_MULTIPORT);
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	heard = 0;
	expect_silence();
	give_buffers(1);
	expect(0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL, 0);
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	driver.queue = CONTROL_RX;
	*desc(0) = (struct vring_desc){ MESSAGES, 12, VRING_DESC_F_WRITE, 0 };
	offer(0);
	kick();
	/* READY has made ADD needless; of the name there is the beginning */
	expect(1, VIRTIO_CONSOLE_PORT_NAME, 1, "org.", 4);
	*desc(0) = (struct vring_desc){ MESSAGES, 12, 0, 0 };
	driver.queue = CONTROL_RX;
	offer(0);
	peer_comes(true);
	driver.queue = CONTROL_RX;
	assert_int_equal(used()->ring[2].len, 0);
}

static void hostile_messages(void **state)
{
	open_ports();
	/* Ports that are not there, events that are not, short ones */
	say(2, VIRTIO_CONSOLE_PORT_READY, 1);
	say(3, VIRTIO_CONSOLE_PORT_READY, 1);
	say(0xffffffff, VIRTIO_CONSOLE_PORT_OPEN, 1);
	say(1, 99, 1);
	say(1, VIRTIO_CONSOLE_PORT_ADD, 1);
	driver.queue = CONTROL_TX;
	*desc(0) = (struct vring_desc){ REPLY, 7, 0, 0 };
	offer(0);
	kick();
	expect_silence();
	/* A driver that failed */
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 0);
	say(1, VIRTIO_CONSOLE_PORT_READY, 0);
	offer_rx(1, 0, 100);
	type("x");
	assert_int_equal(peer.first, 0);
	peer_comes(true);
	expect_silence();
	/* The queues of the port that is not there */
	offer_tx(2, 0, "x");
	offer_rx(2, 0, 9);
	assert_int_equal(used()->idx, 0);
	/* A buffer to receive that is none */
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	say(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	driver.queue = RX(1);
	type("x");
	*desc(1) = (struct vring_desc){ DATA, 9, 0, 0 };
	offer(1);
	kick();
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
	/* What the other end does then changes nothing */
	peer_comes(false);
	negotiate(F_MULTIPORT);
	give_buffers(RING);
	open_ports();
}

/* In the middle of a chain, with a message due, to another other end */
static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved, *port;

	open_ports();
	peer_comes(true);
	expect(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	peer.room = 2;
	offer_tx(1, 0, "hello");
	saved = devices_save(&m);
	assert_non_null(saved);
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	start(3);
	memcpy(m.memory.base, memory, MEMORY);
	peer.chardev.is_open = true;
	assert_int_equal(devices_load(&m, saved, &error), 0);
	assert_memory_equal(peer.sent, "llo", 3);
	expect(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL, 0);
	assert_int_equal(peer.len, 3);
	/* Messages that do not exist, a port that does not */
	port = json_array_get(json_object_get(json_object_get(
		saved, "virtio-console.0"), "port"), 1);
	json_object_set_new(port, "due", json_integer(32));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "0x20 is due"));
	json_object_set_new(port, "due", json_integer(0));
	port = json_array_get(json_object_get(json_object_get(
		saved, "virtio-console.0"), "port"), 2);
	json_object_set_new(port, "ready", json_true());
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "there is no port 2"));
	json_decref(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)
	const struct CMUnitTest tests[] = {
		TEST(identity), TEST(all_ports), TEST(console), TEST(no_ports),
		TEST(a_port), TEST(a_slow_peer), TEST(a_long_chain),
		TEST(few_buffers), TEST(hostile_messages), TEST(a_move),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
