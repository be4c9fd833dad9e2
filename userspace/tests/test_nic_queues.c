// SPDX-License-Identifier: GPL-2.0
/* virtio-net with several pairs of queues: which of them gets a frame. */
#define _GNU_SOURCE
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#undef fail
#include "devices/virtio/net.h"
#include "tests/nic_driver.h"
#include "tests/played_port.h"

#define HEAD		sizeof(struct virtio_net_hdr_v1)
#define BIT(name)	(1ull << VIRTIO_NET_F_##name)
#define CONFIG_AT	0x2000
#define PAIRS		4
#define CONTROL		(2 * PAIRS)
#define FRAME		100

static uint8_t frame[FRAME];
static struct nic *nic;

static void make_nic(unsigned int pairs)
{
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	m.config.nic[0].port = &played.port;
	m.config.nic[0].queues = pairs;
	memcpy(m.config.nic[0].mac, "\2\1\1\1\1\1", MAC_LEN);
	bare_device("pci-host");
	bare_device("virtio-net");
	nic = (struct nic *)m.devices;
}

static int setup(void **state)
{
	played_init(NULL);
	make_nic(PAIRS);
	played.port.loop = &m.loop;
	return 0;
}

static int teardown(void **state)
{
	assert_true(adds_up(&nic->port));
	return driver_teardown(state);
}

/* A buffer to receive in each */
static void start(uint64_t features, unsigned int pairs)
{
	unsigned int i;

	driver_begin(features | BIT(CTRL_VQ) | BIT(MRG_RXBUF));
	add_queue(features & (BIT(MQ) | BIT(RSS)) ? CONTROL : NIC_CONTROL);
	for (i = 0; i < pairs; i++) {
		add_queue(2 * i + NIC_TX);
		add_queue(2 * i + NIC_RX);
		*desc(0) = (struct vring_desc){ BUFFERS + 4096 * i, 2048,
						VRING_DESC_F_WRITE, 0 };
		offer(0);
	}
	driver_ok();
}

static uint8_t command(unsigned int queue, uint8_t cmd, const void *data,
		       uint32_t len)
{
	return nic_command(queue, VIRTIO_NET_CTRL_MQ, cmd, data, len);
}

static uint8_t set_pairs(uint16_t pairs)
{
	return command(CONTROL, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2);
}

/* The frame of a flow, with a protocol behind IPv4 or IPv6 */
static void make_frame(bool ip6, const void *from, const void *to, uint8_t protocol)
{
	static const uint8_t ports[] = { 2794 >> 8, 2794 & 255, 1766 >> 8,
					 1766 & 255 };
	uint8_t *ip = frame + FRAME_MIN;

	memset(frame, 0, sizeof(frame));
	memcpy(frame, "\2\1\1\1\1\1\2\2\2\2\2\2", 12);
	memcpy(frame + 12, ip6 ? "\x86\xdd" : "\x08\0", 2);
	ip[0] = ip6 ? 0x60 : 0x45;
	ip[ip6 ? 6 : 9] = protocol;
	memcpy(ip + (ip6 ? 8 : 12), from, ip6 ? 16 : 4);
	memcpy(ip + (ip6 ? 24 : 16), to, ip6 ? 16 : 4);
	memcpy(ip + (ip6 ? 40 : 20), ports, 4);
}

#define NEAR	"\x42\x09\x95\xbb"
#define FAR	"\xa1\x8e\x64\x50"
#define NEAR6	"\x3f\xfe\x25\x01\x02\0\x1f\xff\0\0\0\0\0\0\0\x07"
#define FAR6	"\x3f\xfe\x25\x01\x02\0\0\x03\0\0\0\0\0\0\0\x01"

/* The pair that gets it, which has a buffer again afterwards */
static unsigned int pair_of_frame(void)
{
	unsigned int i, got = PAIRS;
	uint16_t before[PAIRS];

	for (i = 0; i < PAIRS; i++) {
		driver.queue = 2 * i + NIC_RX;
		before[i] = used()->idx;
	}
	assert_true(played_send_frame(frame, FRAME, NULL));
	for (i = 0; i < PAIRS; i++) {
		driver.queue = 2 * i + NIC_RX;
		if (used()->idx == before[i])
			continue;
		assert_int_equal(got, PAIRS);
		got = i;
		assert_memory_equal(at(BUFFERS + 4096 * i + HEAD), frame, FRAME);
		offer(0);
		kick();
	}
	return got;
}

static void send_by(unsigned int pair)
{
	driver.queue = 2 * pair + NIC_TX;
	memset(at(HEADERS), 0, HEAD);
	memcpy(at(HEADERS + HEAD), frame, FRAME);
	*desc(0) = (struct vring_desc){ HEADERS, HEAD + FRAME, 0, 0 };
	offer(0);
	kick();
	assert_true(all_used(NULL));
}

/* What comes back comes by the pair by which the flow was sent */
static void by_flow(void **state)
{
	start(BIT(MQ), PAIRS);
	assert_int_equal(reg_read(CONFIG_AT + 8, 2), PAIRS);
	make_frame(false, FAR, NEAR, 6);
	assert_int_equal(pair_of_frame(), 0);
	/* Not before the driver has said that it uses them */
	send_by(3);
	assert_int_equal(pair_of_frame(), 0);
	assert_int_equal(set_pairs(PAIRS), 0);
	make_frame(false, NEAR, FAR, 6);
	/* Ports the other way round, too */
	frame[FRAME_MIN + 20] = 1766 >> 8;
	frame[FRAME_MIN + 21] = 1766 & 255;
	frame[FRAME_MIN + 22] = 2794 >> 8;
	frame[FRAME_MIN + 23] = 2794 & 255;
	send_by(3);
	make_frame(false, FAR, NEAR, 6);
	assert_int_equal(pair_of_frame(), 3);
	make_frame(true, FAR6, NEAR6, 17);
	send_by(2);
	assert_int_equal(pair_of_frame(), 2);
	/* No IP */
	frame[12] = 8;
	frame[13] = 6;
	assert_int_equal(pair_of_frame(), 0);
	/* Of fewer pairs none gets lost */
	assert_int_equal(set_pairs(2), 0);
	make_frame(false, FAR, NEAR, 6);
	assert_int_equal(pair_of_frame(), 1);
	assert_int_equal(set_pairs(0), 1);
	assert_int_equal(set_pairs(PAIRS + 1), 1);
	assert_int_equal(command(CONTROL, 9, "\1\0", 2), 1);
	assert_int_equal(command(CONTROL, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, "\1",
				 1), 1);
	/* All start anew */
	start(BIT(MQ), PAIRS);
	assert_int_equal(pair_of_frame(), 0);
}

/* Without the feature the third queue is the control queue, as ever */
static void one_pair(void **state)
{
	uint16_t one = 1;

	start(0, 1);
	make_frame(false, FAR, NEAR, 6);
	assert_int_equal(pair_of_frame(), 0);
	assert_int_equal(command(NIC_CONTROL, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
				 &one, 2), 1);
	assert_int_equal(command(NIC_CONTROL, VIRTIO_NET_CTRL_MQ_RSS_CONFIG,
				 "", 0), 1);
	driver_teardown(NULL);
	make_nic(0);
	reg_write(COMMON(device_feature_select), 0, 4);
	driver_begin(0);
	assert_false(reg_read(COMMON(device_feature), 4) & BIT(MQ));
	assert_int_equal(reg_read(COMMON(num_queues), 2), 3);
}

/* ---- RSS ------------------------------------------------------------------ */

/* That by which Microsoft checks an implementation, and so do we */
static const uint8_t key[NIC_RSS_KEY] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa };

static struct {
	uint32_t types;
	uint16_t mask, unclassified, table[NIC_RSS_TABLE], senders;
	uint8_t key_len, key[NIC_RSS_KEY];
} __attribute__((packed)) rss;

static uint8_t set_rss(void)
{
	return command(CONTROL, VIRTIO_NET_CTRL_MQ_RSS_CONFIG, &rss,
		       sizeof(rss));
}

/* Only one hash leads to pair 2, others to 1, none to 3 */
static void only_hash(uint32_t hash)
{
	unsigned int i;

	for (i = 0; i < NIC_RSS_TABLE; i++)
		rss.table[i] = i == hash % NIC_RSS_TABLE ? 2 : 1;
	rss.unclassified = 3;
	rss.mask = NIC_RSS_TABLE - 1;
	rss.senders = PAIRS;
	rss.key_len = sizeof(key);
	memcpy(rss.key, key, sizeof(key));
	assert_int_equal(set_rss(), 0);
}

static void by_table(void **state)
{
	start(BIT(RSS), PAIRS);
	assert_int_equal(reg_read(CONFIG_AT + 17, 1), NIC_RSS_KEY);
	assert_int_equal(reg_read(CONFIG_AT + 20, 4), NIC_RSS_TYPES);
	rss.types = NIC_RSS_TYPES;
	make_frame(false, NEAR, FAR, 6);
	only_hash(0x51ccc178);
	assert_int_equal(pair_of_frame(), 2);
	make_frame(false, NEAR, FAR, 1);
	assert_int_equal(pair_of_frame(), 1);
	only_hash(0x323e8fc2);
	assert_int_equal(pair_of_frame(), 2);
	/* A fragment has no ports */
	make_frame(false, NEAR, FAR, 17);
	assert_int_equal(pair_of_frame(), 1);
	frame[FRAME_MIN + 6] = 0x20;
	assert_int_equal(pair_of_frame(), 2);
	make_frame(true, NEAR6, FAR6, 6);
	only_hash(0x40207d3d);
	assert_int_equal(pair_of_frame(), 2);
	/* With a tag, too */
	memmove(frame + 16, frame + 12, FRAME - 16);
	memcpy(frame + 12, "\x81\0\0\1", 4);
	assert_int_equal(pair_of_frame(), 2);
	rss.types = VIRTIO_NET_RSS_HASH_TYPE_IPv6;
	make_frame(true, NEAR6, FAR6, 6);
	only_hash(0x2cc18cd5);
	assert_int_equal(pair_of_frame(), 2);
	make_frame(false, NEAR, FAR, 6);
	assert_int_equal(pair_of_frame(), 3);
}

static uint8_t set_hash(uint32_t types, size_t len)
{
	struct {
		uint32_t types;
		uint16_t reserved[4];
		uint8_t key_len, key[NIC_RSS_KEY];
	} __attribute__((packed)) hash = { .types = types,
		.key_len = NIC_RSS_KEY };

	memcpy(hash.key, key, sizeof(key));
	return command(CONTROL, VIRTIO_NET_CTRL_MQ_HASH_CONFIG, &hash, len);
}

/* What stands before the frame that came by pair 0, or @pair */
static void assert_report(unsigned int pair, uint16_t report, uint32_t value)
{
	const struct virtio_net_hdr_v1_hash *h =
		at(BUFFERS + 4096 * pair);

	memset(at(BUFFERS), 0xff, 4096);
	memset(at(BUFFERS + 4096 * pair), 0xff, 4096);
	driver.queue = 2 * pair + NIC_RX;
	assert_true(played_send_frame(frame, FRAME, NULL));
	assert_memory_equal((uint8_t *)h + sizeof(*h), frame, FRAME);
	assert_int_equal(h->hdr.num_buffers, 1);
	assert_int_equal(h->hash_report, report);
	assert_int_equal(h->hash_value, value);
	assert_int_equal(h->padding, 0);
	assert_int_equal(used()->ring[(used()->idx - 1) % RING].len,
			 sizeof(*h) + FRAME);
	offer(0);
	kick();
}

/* The driver is told the hash of a frame, with RSS or without */
static void reports(void **state)
{
	start(BIT(HASH_REPORT) | BIT(MQ), PAIRS);
	make_frame(false, NEAR, FAR, 6);
	assert_report(0, VIRTIO_NET_HASH_REPORT_NONE, 0);
	assert_int_equal(set_hash(NIC_RSS_TYPES, 53), 0);
	assert_report(0, VIRTIO_NET_HASH_REPORT_TCPv4, 0x51ccc178);
	make_frame(true, NEAR6, FAR6, 17);
	assert_report(0, VIRTIO_NET_HASH_REPORT_UDPv6, 0x40207d3d);
	assert_int_equal(set_hash(VIRTIO_NET_RSS_HASH_TYPE_IPv6, 53), 0);
	assert_report(0, VIRTIO_NET_HASH_REPORT_IPv6, 0x2cc18cd5);
	make_frame(false, NEAR, FAR, 6);
	assert_report(0, VIRTIO_NET_HASH_REPORT_NONE, 0);
	assert_int_equal(set_hash(0x1000, 53), 1);
	assert_int_equal(set_hash(NIC_RSS_TYPES, 52), 1);
	assert_report(0, VIRTIO_NET_HASH_REPORT_NONE, 0);
	/* A frame of the guest's has that header, too */
	driver.queue = NIC_TX;
	memset(at(HEADERS), 0, 20);
	memcpy(at(HEADERS + 20), frame, FRAME);
	*desc(0) = (struct vring_desc){ HEADERS, 20 + FRAME, 0, 0 };
	offer(0);
	kick();
	assert_int_equal(played.len, FRAME);
	assert_memory_equal(played.bytes, frame, FRAME);
	/* By the table, and its types */
	start(BIT(HASH_REPORT) | BIT(RSS), PAIRS);
	rss.types = NIC_RSS_TYPES;
	only_hash(0x51ccc178);
	assert_report(2, VIRTIO_NET_HASH_REPORT_TCPv4, 0x51ccc178);
	start(BIT(RSS), PAIRS);
	assert_int_equal(set_hash(NIC_RSS_TYPES, 53), 1);
}

/* None of these changes anything */
static void bad_tables(void **state)
{
	unsigned int len;

	start(BIT(RSS) | BIT(MQ), PAIRS);
	rss.types = NIC_RSS_TYPES;
	only_hash(0x51ccc178);
	make_frame(false, NEAR, FAR, 6);
	for (len = 0; len < sizeof(rss); len++)
		assert_int_equal(command(CONTROL, VIRTIO_NET_CTRL_MQ_RSS_CONFIG,
					 &rss, len), 1);
	rss.table[0] = PAIRS;
	assert_int_equal(set_rss(), 1);
	rss.table[0] = 0;
	rss.unclassified = PAIRS;
	assert_int_equal(set_rss(), 1);
	rss.unclassified = 0;
	rss.types = 0x1000;
	assert_int_equal(set_rss(), 1);
	rss.types = 0;
	rss.mask = 5;
	assert_int_equal(set_rss(), 1);
	rss.mask = 0xffff;
	assert_int_equal(set_rss(), 1);
	rss.mask = NIC_RSS_TABLE - 1;
	rss.senders = 0;
	assert_int_equal(set_rss(), 1);
	rss.senders = 1;
	rss.key_len = NIC_RSS_KEY + 1;
	assert_int_equal(set_rss(), 1);
	assert_int_equal(pair_of_frame(), 2);
	/* The driver takes it back */
	assert_int_equal(set_pairs(1), 0);
	assert_int_equal(pair_of_frame(), 0);
}

/* A queue that the driver has not set up gets nothing */
static void a_missing_queue(void **state)
{
	start(BIT(RSS), 2);
	rss.types = NIC_RSS_TYPES;
	make_frame(false, NEAR, FAR, 6);
	only_hash(0x51ccc178);
	assert_int_equal(pair_of_frame(), 0);
	make_frame(false, NEAR, FAR, 1);
	assert_int_equal(pair_of_frame(), 1);
}

/* ---- state ---------------------------------------------------------------- */

static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved, *one;

	start(BIT(RSS), PAIRS);
	rss.types = NIC_RSS_TYPES;
	only_hash(0x51ccc178);
	saved = devices_save(&m);
	one = json_object_get(saved, "virtio-net.0");
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	make_nic(2);
	memcpy(m.memory.base, memory, MEMORY);
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text,
			       "a state with 4 pairs of queues, for a NIC with 2"));
	driver_teardown(NULL);
	make_nic(PAIRS);
	memcpy(m.memory.base, memory, MEMORY);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	make_frame(false, NEAR, FAR, 6);
	assert_int_equal(pair_of_frame(), 2);
	json_object_set_new(one, "rss.unclassified", json_integer(PAIRS));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "queues that are not there"));
	json_object_set_new(one, "rss.unclassified", json_integer(0));
	json_object_set_new(one, "active", json_integer(0));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	/* A driver that knows of one pair uses no more */
	start(0, 1);
	json_decref(saved);
	saved = devices_save(&m);
	one = json_object_get(saved, "virtio-net.0");
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_object_set_new(one, "active", json_integer(2));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_object_set_new(one, "active", json_integer(1));
	json_object_set_new(one, "rss.on", json_true());
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_decref(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(by_flow), TEST(one_pair), TEST(by_table), TEST(reports),
		TEST(bad_tables),
		TEST(a_missing_queue), TEST(a_move) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
