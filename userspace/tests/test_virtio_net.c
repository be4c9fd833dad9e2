// SPDX-License-Identifier: GPL-2.0
/* virtio-net: frames both ways, what the driver asks for, and what it may not. */
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

static uint8_t mac[MAC_LEN] = { 2, 1, 1, 1, 1, 1 };
static uint8_t frame[FRAME_MAX];
static struct nic *nic;

static void make_nic(void)
{
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	m.config.defaults = "packed";
	m.config.nic[0].port = &played.port;
	m.config.nic[0].mtu = 9000;
	memcpy(m.config.nic[0].mac, mac, MAC_LEN);
	bare_device("pci-host");
	bare_device("virtio-net");
	nic = (struct nic *)m.devices;
}

static void start(uint64_t features)
{
	driver_begin(features);
	add_queue(NIC_CONTROL);
	add_queue(NIC_TX);
	add_queue(NIC_RX);
	driver_ok();
}

static int setup(void **state)
{
	unsigned int i;

	played_init(NULL);
	make_nic();
	played.port.loop = &m.loop;
	for (i = 0; i < sizeof(frame); i++)
		frame[i] = i * 7;
	memcpy(frame, mac, MAC_LEN);
	memcpy(frame + 6, "\2\2\2\2\2\2\x08\0", 8);
	return 0;
}

/* Each frame that came went on, or is in a counter */
static int teardown(void **state)
{
	assert_true(adds_up(&nic->port));
	assert_true(adds_up(&played.port));
	return driver_teardown(state);
}

/* A buffer to receive */
static void give(unsigned int head, uint64_t data, uint32_t len)
{
	driver.queue = NIC_RX;
	*desc(head) = (struct vring_desc){ data, len, VRING_DESC_F_WRITE, 0 };
	offer(head);
}

static bool come(size_t len, const struct virtio_net_hdr_v1 *header)
{
	return played_send_frame(frame, len, header);
}

static void receives(void **state)
{
	const struct virtio_net_hdr_v1 *h = at(BUFFERS);

	start(BIT(MRG_RXBUF));
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10411af4);
	give(0, BUFFERS, 2048);
	kick();
	assert_true(come(60, NULL));
	assert_int_equal(used()->idx, 1);
	assert_int_equal(used()->ring[0].len, 60 + HEAD);
	assert_int_equal(h->num_buffers, 1);
	assert_int_equal(h->flags, 0);
	assert_memory_equal(at(BUFFERS + HEAD), frame, 60);
	assert_true(noted.up[11]);
}

/* Without a buffer it waits with its sender, which is told when there is one */
static void waits(void **state)
{
	start(BIT(MRG_RXBUF));
	played.readied = 0;
	assert_false(come(60, NULL));
	assert_int_equal(nic->port.from_peer.in, 0);
	/* One is not enough for all of this */
	give(0, BUFFERS, 512);
	kick();
	assert_int_equal(played.readied, 1);
	assert_false(come(1000, NULL));
	assert_int_equal(used()->idx, 0);
	give(1, BUFFERS + 4096, 512);
	kick();
	assert_int_equal(played.readied, 2);
	assert_false(come(1000 + 24, NULL));
	/* Nor is it asked again if nobody waits */
	assert_true(come(1000, NULL));
	kick();
	assert_int_equal(played.readied, 2);
	assert_int_equal(used()->idx, 2);
	assert_int_equal(used()->ring[0].len, 512);
	assert_int_equal(used()->ring[1].len, 1000 + HEAD - 512);
	assert_int_equal(((struct virtio_net_hdr_v1 *)at(BUFFERS))->num_buffers,
			 2);
	assert_memory_equal(at(BUFFERS + 4096), frame + 500, 500);
}

/* A driver that goes leaves nobody waiting */
static void a_reset(void **state)
{
	start(BIT(MRG_RXBUF));
	assert_false(come(60, NULL));
	played.readied = 0;
	reg_write(COMMON(device_status), 0, 1);
	m.clock.stopped_at++;
	run_timers();
	assert_int_equal(played.readied, 1);
	assert_true(come(60, NULL));
	assert_int_equal(nic->port.from_peer.dropped[DROP_NO_LINK], 1);
	/* The next one may be there before */
	start(BIT(MRG_RXBUF));
	assert_false(come(60, NULL));
	start(BIT(MRG_RXBUF));
	give(0, BUFFERS, 2048);
	kick();
	m.clock.stopped_at++;
	run_timers();
	assert_int_equal(played.readied, 2);
	assert_true(come(60, NULL));
	assert_int_equal(used()->idx, 1);
}

/* A ring that is too small for a frame is no reason to stop for ever */
static void never_fits(void **state)
{
	unsigned int i;

	start(BIT(MRG_RXBUF));
	for (i = 0; i < RING; i++)
		give(i, BUFFERS + i * 4096, 64);
	kick();
	assert_true(come(1500, NULL));
	assert_int_equal(nic->port.from_peer.dropped[DROP_LENGTH], 1);
	assert_int_equal(used()->idx, 0);
	assert_true(come(600, NULL));
	assert_int_equal(used()->idx, 10);
	/* Without merging each frame is in one */
	start(0);
	give(0, BUFFERS, 64);
	assert_true(come(60, NULL));
	assert_int_equal(used()->idx, 0);
	assert_true(come(52, NULL));
	assert_int_equal(used()->idx, 1);
}

static void not_for_us(void **state)
{
	/* Nobody is there, or it is too short */
	assert_true(come(60, NULL));
	assert_int_equal(nic->port.from_peer.dropped[DROP_NO_LINK], 1);
	start(BIT(MRG_RXBUF));
	give(0, BUFFERS, 2048);
	assert_true(come(13, NULL));
	assert_int_equal(nic->port.from_peer.dropped[DROP_LENGTH], 1);
	/* What it has not agreed to, and nobody else can do, is not even sent to it */
	assert_true(come(60, &(struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 60 }));
	assert_int_equal(played.port.to_peer.dropped[DROP_HEADER], 1);
	/* A header that does not fit breaks the device */
	start(BIT(MRG_RXBUF));
	give(0, BUFFERS, HEAD - 1);
	assert_true(come(60, NULL));
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
}

static void offloads_to_guest(void **state)
{
	const struct virtio_net_hdr_v1 h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34,
		.csum_offset = 16, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 1448, .hdr_len = 54 }, *to = at(BUFFERS);

	start(BIT(MRG_RXBUF) | BIT(GUEST_CSUM) | BIT(GUEST_TSO4));
	assert_int_equal(nic->port.takes, PORT_CSUM | PORT_TSO4);
	give(0, BUFFERS, 65536);
	give(1, BUFFERS + 65536, 65536);
	assert_true(come(60000, &h));
	assert_int_equal(to->gso_size, 1448);
	assert_int_equal(to->num_buffers, 1);
	assert_memory_equal(at(BUFFERS + HEAD), frame, 60000);
	/* Another driver has agreed to nothing */
	start(BIT(MRG_RXBUF));
	assert_int_equal(nic->port.takes, 0);
}

/* ---- from the guest ------------------------------------------------------- */

/* A header and a frame in buffers of their own */
static void transmit(const struct virtio_net_hdr_v1 *h, uint32_t len)
{
	driver.queue = NIC_TX;
	memcpy(at(HEADERS), h, HEAD);
	if (len)
		memcpy(at(BUFFERS), frame, len < FRAME_MAX ? len : FRAME_MAX);
	*desc(0) = (struct vring_desc){ HEADERS, HEAD, VRING_DESC_F_NEXT, 1 };
	*desc(1) = (struct vring_desc){ BUFFERS, len, 0, 0 };
	if (!len)
		desc(0)->flags = 0;
	offer(0);
	kick();
}

static const struct virtio_net_hdr_v1 plain;

static void sends(void **state)
{
	start(0);
	played.flushed = 0;
	transmit(&plain, 60);
	assert_int_equal(played.frames, 1);
	assert_int_equal(played.flushed, 1);
	assert_int_equal(played.len, 60);
	assert_memory_equal(played.bytes, frame, 60);
	assert_int_equal(used()->idx, 1);
	/* Header and frame may share a buffer */
	memcpy(at(BUFFERS + HEAD), frame, 100);
	memset(at(BUFFERS), 0, HEAD);
	*desc(2) = (struct vring_desc){ BUFFERS, HEAD + 100, 0, 0 };
	offer(2);
	kick();
	assert_int_equal(played.frames, 2);
	assert_int_equal(played.len, 100);
	assert_memory_equal(played.bytes, frame, 100);
}

/* What is not taken stays in the ring, in its order */
static void is_full(void **state)
{
	start(0);
	played.full = true;
	transmit(&plain, 60);
	transmit(&plain, 60);
	assert_int_equal(used()->idx, 0);
	played.full = false;
	port_ready(&played.port);
	assert_int_equal(played.frames, 2);
	assert_int_equal(used()->idx, 2);
}

static void bad_frames(void **state)
{
	static const struct virtio_net_hdr_v1 bad[] = {
		/* Beyond the frame */
		{ .flags = 1, .csum_start = 50, .csum_offset = 9 },
		{ .flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff },
		/* Segments of no size, without a checksum, of what is none */
		{ .flags = 1, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1000 },
		{ .flags = 1, .gso_type = VIRTIO_NET_HDR_GSO_UDP,
		  .gso_size = 1000 },
		{ .flags = 1, .gso_type = VIRTIO_NET_HDR_GSO_ECN,
		  .gso_size = 1000 },
		{ .flags = 1, .gso_type = 0x7f, .gso_size = 1000 },
		/* Not agreed upon */
		{ .flags = 1, .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
		  .gso_size = 1000 } };
	unsigned int i;

	start(BIT(CSUM) | BIT(HOST_TSO4) | BIT(HOST_ECN));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		transmit(&bad[i], 60);
	assert_int_equal(nic->port.to_peer.dropped[DROP_HEADER], i);
	transmit(&plain, 0);
	transmit(&plain, 13);
	transmit(&plain, FRAME_MAX + 1);
	assert_int_equal(nic->port.to_peer.dropped[DROP_LENGTH], 3);
	assert_int_equal(played.frames, 0);
	assert_int_equal(used()->idx, i + 3);
	/* A header's hint is cut, and what has no meaning is gone */
	transmit(&(struct virtio_net_hdr_v1){ .flags = 0xff, .csum_start = 34,
		.csum_offset = 16, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 |
		VIRTIO_NET_HDR_GSO_ECN, .gso_size = 1, .hdr_len = 0xffff,
		.num_buffers = 7 }, 60);
	assert_int_equal(played.frames, 1);
	assert_int_equal(played.header.flags, 1);
	assert_int_equal(played.header.hdr_len, 60);
	assert_int_equal(played.header.num_buffers, 0);
	transmit(&(struct virtio_net_hdr_v1){ .csum_start = 34, .hdr_len = 9,
					      .gso_size = 9 }, 60);
	assert_int_equal(played.header.csum_start, 0);
	assert_int_equal(played.header.gso_size, 0);
}

/* A driver that breaks its device stops nobody who sends to it */
static void broken(void **state)
{
	start(0);
	assert_false(come(60, NULL));
	played.readied = 0;
	driver.queue = NIC_TX;
	*desc(0) = (struct vring_desc){ 1ull << 40, 60, 0, 0 };
	offer(0);
	kick();
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
	assert_int_equal(played.readied, 1);
	assert_true(come(60, NULL));
	assert_int_equal(nic->port.from_peer.dropped[DROP_NO_LINK], 1);
}

/* ---- the control queue ---------------------------------------------------- */

static uint8_t command(uint8_t class, uint8_t cmd, const void *data,
		       uint32_t len)
{
	return nic_command(NIC_CONTROL, class, cmd, data, len);
}

static uint64_t got(void)
{
	return nic->port.from_peer.out;
}

/* What the user is told has a line with both */
static void assert_printed(const char *line, const char *why)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	port_print(&played.port, f);
	fclose(f);
	assert_non_null(strstr(text, line));
	assert_non_null(strstr(strstr(text, line), why));
	free(text);
}

/* Does a frame to this address get through? */
static bool passes(const char *to)
{
	uint64_t before = got();

	memcpy(frame, to, MAC_LEN);
	give(0, BUFFERS, 2048);
	assert_true(come(60, NULL));
	return got() > before;
}

#define OUR	"\2\1\1\1\1\1"
#define OTHER	"\2\3\3\3\3\3"
#define ALL	"\xff\xff\xff\xff\xff\xff"
#define GROUP	"\x33\x33\0\0\0\1"

static void filter(void **state)
{
	uint8_t table[4 + 6 + 4 + 6] = { 1, 0, 0, 0, 2, 3, 3, 3, 3, 3,
					 1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1 };
	uint8_t many[4 + 4 + 6 * 65] = { [4] = 65 };

	start(BIT(MRG_RXBUF) | BIT(CTRL_VQ) | BIT(CTRL_RX) |
	      BIT(CTRL_RX_EXTRA) | BIT(CTRL_MAC_ADDR));
	/* Until the driver says what it wants */
	assert_true(passes(OTHER));
	assert_int_equal(command(0, VIRTIO_NET_CTRL_RX_PROMISC, "\0", 1), 0);
	assert_false(passes(OTHER));
	assert_false(passes(GROUP));
	assert_true(passes(OUR));
	assert_true(passes(ALL));
	assert_printed("played, in: 5 frames of 5,", "\n");
	assert_printed("NIC, to the guest: 3 frames of 5, 180 bytes",
		       "; 2 not for this guest\n");
	assert_int_equal(command(1, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
				 sizeof(table)), 0);
	assert_true(passes(OTHER));
	assert_true(passes(GROUP));
	/* Half of it changes nothing */
	assert_int_equal(command(1, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, 12),
			 1);
	assert_true(passes(GROUP));
	assert_int_equal(command(1, VIRTIO_NET_CTRL_MAC_TABLE_SET, "\0\0\0\0\0\0\0\0",
				 8), 0);
	assert_false(passes(GROUP));
	assert_int_equal(command(1, VIRTIO_NET_CTRL_MAC_TABLE_SET, many,
				 sizeof(many)), 0);
	assert_true(passes(GROUP));
	assert_false(passes(OTHER));
	assert_int_equal(command(1, VIRTIO_NET_CTRL_MAC_ADDR_SET, OTHER, 6), 0);
	assert_true(passes(OTHER));
	assert_false(passes(OUR));
	assert_int_equal(command(0, VIRTIO_NET_CTRL_RX_ALLUNI, "\1", 1), 0);
	assert_true(passes(OUR));
	assert_int_equal(command(0, VIRTIO_NET_CTRL_RX_NOUNI, "\1", 1), 0);
	assert_false(passes(OUR));
	assert_int_equal(command(0, VIRTIO_NET_CTRL_RX_NOMULTI, "\1", 1), 0);
	assert_false(passes(GROUP));
	assert_int_equal(command(0, VIRTIO_NET_CTRL_RX_NOBCAST, "\1", 1), 0);
	assert_false(passes(ALL));
	assert_int_equal(command(0, VIRTIO_NET_CTRL_RX_NOBCAST, "\0", 1), 0);
	assert_true(passes(ALL));
	/* What it does not know, or what is too short */
	assert_int_equal(command(0, 6, "\1", 1), 1);
	assert_int_equal(command(0, 0, "", 0), 1);
	assert_int_equal(command(9, 0, "\1", 1), 1);
	assert_int_equal(command(1, 7, OTHER, 6), 1);
	assert_int_equal(command(1, VIRTIO_NET_CTRL_MAC_TABLE_SET,
				 "\xff\xff\xff\xff", 4), 1);
}

static void vlans(void **state)
{
	const uint16_t id = 5, none = VLANS;

	start(BIT(MRG_RXBUF) | BIT(CTRL_VQ) | BIT(CTRL_RX) | BIT(CTRL_VLAN));
	assert_int_equal(command(0, VIRTIO_NET_CTRL_RX_PROMISC, "\0", 1), 0);
	memcpy(frame + 12, "\x81\0\x20\5", 4);
	assert_false(passes(OUR));
	assert_int_equal(command(2, VIRTIO_NET_CTRL_VLAN_ADD, &id, 2), 0);
	assert_true(passes(OUR));
	assert_int_equal(command(2, VIRTIO_NET_CTRL_VLAN_DEL, &id, 2), 0);
	assert_false(passes(OUR));
	assert_int_equal(command(2, VIRTIO_NET_CTRL_VLAN_ADD, &none, 2), 1);
	assert_int_equal(command(2, 2, &id, 2), 1);
	/* Without a tag it is in all of them */
	memcpy(frame + 12, "\x08\0", 2);
	assert_true(passes(OUR));
}

/* ---- the link, and a move ------------------------------------------------- */

static void the_link(void **state)
{
	start(BIT(STATUS) | BIT(MTU));
	assert_int_equal(reg_read(CONFIG_AT + 6, 2), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(reg_read(CONFIG_AT + 10, 2), 9000);
	assert_int_equal(reg_read(CONFIG_AT, 4), 0x01010102);
	port_set_link(&played.port, false);
	assert_int_equal(reg_read(CONFIG_AT + 6, 2), 0);
	assert_true(reg_read(0x1000, 1) & 2);
	/* What is sent is lost, and does not stay in the ring */
	transmit(&plain, 60);
	assert_int_equal(used()->idx, 1);
	assert_int_equal(nic->port.to_peer.dropped[DROP_NO_LINK], 1);
	/* Who is there now is told of the guest */
	port_set_link(&played.port, true);
	assert_int_equal(played.frames, 1);
	assert_memory_equal(played.bytes, ALL OUR "\x80\x35", 14);
}

/* An interrupt by message, and a peer whose features are fewer */
static void features(void **state)
{
	uint64_t all;

	reg_write(COMMON(device_feature_select), 0, 4);
	driver_begin(0);
	all = reg_read(COMMON(device_feature), 4);
	assert_true(all & BIT(CSUM) && all & BIT(HOST_TSO6) &&
		    all & BIT(GUEST_ECN));
	played.port.takes = 0;
	played.port.gives = PORT_CSUM;
	all = reg_read(COMMON(device_feature), 4);
	assert_false(all & BIT(CSUM) || all & BIT(HOST_TSO6) ||
		     all & BIT(GUEST_TSO4));
	assert_true(all & BIT(GUEST_CSUM));
	driver_features(F_VERSION_1 | BIT(CSUM));
	assert_false(reg_read(COMMON(device_status), 1) & 8);
}

static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved;

	start(BIT(MRG_RXBUF) | BIT(STATUS) | BIT(CTRL_VQ) | BIT(CTRL_RX) |
	      BIT(GUEST_ANNOUNCE) | BIT(CTRL_MAC_ADDR));
	assert_int_equal(command(0, VIRTIO_NET_CTRL_RX_PROMISC, "\0", 1), 0);
	assert_int_equal(command(1, VIRTIO_NET_CTRL_MAC_ADDR_SET, OTHER, 6), 0);
	memcpy(frame, OTHER, MAC_LEN);
	assert_false(come(60, NULL));
	played.full = true;
	transmit(&plain, 60);
	give(3, BUFFERS, 2048);
	played.readied = 0;
	saved = devices_save(&m);
	assert_non_null(saved);
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	played.full = false;
	/* There it would have another address */
	mac[5] = 9;
	make_nic();
	mac[5] = 1;
	assert_int_equal(nic->own_mac[5], 9);
	memcpy(m.memory.base, memory, MEMORY);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	/* What waited to be sent is */
	assert_int_equal(played.frames, 1);
	/* What waits for the guest does so until its driver is back */
	assert_int_equal(played.readied, 0);
	m.clock.stopped_at++;
	run_timers();
	assert_int_equal(played.readied, 1);
	/* And it tells the others, and asks the driver to */
	assert_int_equal(played.frames, 2);
	assert_memory_equal(played.bytes, ALL OTHER "\x80\x35", 14);
	assert_int_equal(reg_read(CONFIG_AT + 6, 2), VIRTIO_NET_S_LINK_UP |
			 VIRTIO_NET_S_ANNOUNCE);
	assert_int_equal(command(VIRTIO_NET_CTRL_ANNOUNCE,
				 VIRTIO_NET_CTRL_ANNOUNCE_ACK, "", 0), 0);
	assert_int_equal(reg_read(CONFIG_AT + 6, 2), VIRTIO_NET_S_LINK_UP);
	/* The buffer to receive is there, and the filter */
	assert_true(come(60, NULL));
	assert_int_equal(got(), 1);
	assert_memory_equal(at(BUFFERS + HEAD), frame, 60);
	json_decref(saved);
	/* Its own address is the one that it had from the beginning */
	reg_write(COMMON(device_status), 0, 1);
	assert_int_equal(reg_read(CONFIG_AT + 4, 2), 0x101);
}

/* Where it is loaded there is no link */
static void a_lost_link(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved;

	start(BIT(STATUS));
	assert_int_equal(reg_read(CONFIG_AT + 6, 2), VIRTIO_NET_S_LINK_UP);
	saved = devices_save(&m);
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	played.port.link = false;
	make_nic();
	memcpy(m.memory.base, memory, MEMORY);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	m.clock.stopped_at++;
	run_timers();
	assert_true(reg_read(0x1000, 1) & 2);
	assert_int_equal(reg_read(CONFIG_AT + 6, 2), 0);
	/* When one comes, the others are told of the guest */
	port_set_link(&played.port, true);
	assert_int_equal(played.frames, 1);
	assert_true(reg_read(0x1000, 1) & 2);
	json_decref(saved);
}

static void a_bad_state(void **state)
{
	json_t *saved, *one;

	start(0);
	saved = devices_save(&m);
	one = json_object_get(saved, "virtio-net.0");
	json_object_set_new(one, "unicast.nr", json_integer(65));
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "more than 64 addresses"));
	json_decref(saved);
}

/* Nothing is written to the memory of a machine that stands */
static void a_pause(void **state)
{
	start(BIT(MRG_RXBUF));
	give(0, BUFFERS, 2048);
	kick();
	m.pausing = true;
	assert_false(come(60, NULL));
	transmit(&plain, 60);
	assert_int_equal(played.frames, 0);
	m.pausing = false;
	played.readied = 0;
	m.clock.stopped_at++;
	run_timers();
	assert_int_equal(played.frames, 1);
	assert_int_equal(played.readied, 1);
	assert_true(come(60, NULL));
}

/* A frame in several chains of a packed ring is there at once */
static void packed_rings(void **state)
{
	struct vring_packed_desc *ring;
	unsigned int i;

	start(BIT(MRG_RXBUF) | F_PACKED);
	driver.queue = NIC_RX;
	ring = at(ring_at(DESC));
	for (i = 0; i < 3; i++)
		offer_packed(&(struct vring_packed_desc){ BUFFERS + 4096 * i,
			512, 10 + i, VRING_DESC_F_WRITE }, 1);
	kick();
	assert_true(come(1200, NULL));
	for (i = 0; i < 3; i++) {
		assert_int_equal(ring[i].id, 10 + i);
		assert_int_equal(ring[i].len, i < 2 ? 512 : 1212 - 1024);
		assert_int_equal(ring[i].flags, 0x8080 | VRING_DESC_F_WRITE);
	}
	assert_memory_equal(at(BUFFERS + 8192), frame + 1012, 188);
	/* What was not enough is there again */
	offer_packed(&(struct vring_packed_desc){ BUFFERS, 512, 20,
		VRING_DESC_F_WRITE }, 1);
	assert_false(come(1200, NULL));
	assert_true(come(400, NULL));
	assert_int_equal(ring[3].id, 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(receives), TEST(waits), TEST(a_reset), TEST(never_fits),
		TEST(not_for_us), TEST(offloads_to_guest), TEST(sends),
		TEST(is_full), TEST(bad_frames), TEST(broken), TEST(filter),
		TEST(vlans), TEST(the_link), TEST(features), TEST(a_move),
		TEST(a_lost_link), TEST(a_bad_state), TEST(a_pause),
		TEST(packed_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
