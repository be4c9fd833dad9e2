// SPDX-License-Identifier: GPL-2.0
/*
 * What a frame leaves to its receiver: done for one that takes no such frames, and
 * left as it is on its way through a switch to one that does.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail
#include "tests/played_port.h"
#include "tests/switch_thread.h"

#define SEGMENTS_MAX	64
#define SIZE		1000	/* of a segment */

static struct error error;
static uint8_t frame[FRAME_MAX];
static struct virtio_net_hdr_v1 header;

/* What came out, one behind the other */
static struct {
	unsigned int nr;
	size_t len[SEGMENTS_MAX];
	uint8_t bytes[SEGMENTS_MAX][2048];
} got;

static bool take(void *ctx, const struct frame *f, unsigned int nr)
{
	assert_int_equal(nr, got.nr);
	assert_in_range(nr, 0, SEGMENTS_MAX - 1);
	assert_int_equal(f->header.flags, 0);
	assert_int_equal(f->header.gso_type, 0);
	got.len[nr] = f->len;
	assert_int_equal(frame_peek(f, got.bytes[nr], sizeof(got.bytes[nr])),
			 f->len);
	got.nr++;
	return true;
}

static enum offload_result finish(size_t len)
{
	const struct iovec iov[] = { { frame, 20 }, { frame + 20, len - 20 } };
	const struct frame f = { header, iov, 2, len };

	got.nr = 0;
	return offload_finish(&f, take, NULL);
}

/* Straight on: 16 bits at a time */
static unsigned int sum(unsigned int sum, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i & 1 ? bytes[i] : bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static unsigned int half(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* Of addresses, protocol and length */
static unsigned int pseudo(const uint8_t *ip, bool six, uint8_t protocol, size_t len)
{
	const uint8_t rest[] = { 0, protocol, len >> 8, len };

	return sum(sum(0, rest, 4), ip + (six ? 8 : 12), six ? 32 : 8);
}

/*
 * TCP with @data bytes: @tags before it, IPv4 with options or IPv6. Returns its
 * length
 */
static size_t make_tcp(unsigned int tags, bool six, size_t data)
{
	size_t ip = FRAME_MIN + 4 * tags, l4 = ip + (six ? 40 : 24), i;
	size_t len = l4 + 32 + data;
	uint8_t *b = frame;
	unsigned int part;

	for (i = 0; i < sizeof(frame); i++)
		b[i] = i * 13 + (i >> 8);
	memcpy(b, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
	for (i = 0; i < tags; i++)
		memcpy(b + 12 + 4 * i, "\x81\0\0\x05", 4);
	memcpy(b + ip - 2, six ? "\x86\xdd" : "\x08\0", 2);
	if (six) {
		memcpy(b + ip, "\x60\0\0\0\0\0\x06\x40", 8);
	} else {
		memcpy(b + ip, "\x46\0\0\0\xff\xff\x40\0\x40\x06", 10);
	}
	memcpy(b + l4 + 4, "\xff\xff\xff\0", 4);
	b[l4 + 12] = 0x80;
	b[l4 + 13] = 0x10 | 0x80 | 0x08 | 0x01;	/* ACK, CWR, PSH, FIN */
	part = pseudo(b + ip, six, 6, len - l4);
	b[l4 + 16] = part >> 8;
	b[l4 + 17] = part;
	header = (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = l4,
		.csum_offset = 16, .gso_size = SIZE,
		.gso_type = six ? VIRTIO_NET_HDR_GSO_TCPV6 :
				  VIRTIO_NET_HDR_GSO_TCPV4 };
	return len;
}

static void check_segment(unsigned int nr, unsigned int tags, bool six, size_t data)
{
	size_t ip = FRAME_MIN + 4 * tags, l4 = ip + (six ? 40 : 24);
	size_t left = data - nr * SIZE, len = left < SIZE ? left : SIZE;
	const uint8_t *b = got.bytes[nr];
	bool last = left <= SIZE;

	assert_int_equal(got.len[nr], l4 + 32 + len);
	assert_memory_equal(b, frame, ip);
	if (six) {
		assert_int_equal(half(b + ip + 4), 32 + len);
	} else {
		assert_int_equal(half(b + ip + 2), 24 + 32 + len);
		assert_int_equal(half(b + ip + 4), (0xffff + nr) & 0xffff);
		assert_int_equal(sum(0, b + ip, 24), 0xffff);
	}
	assert_int_equal((uint32_t)half(b + l4 + 4) << 16 | half(b + l4 + 6),
			 (uint32_t)(0xffffff00 + nr * SIZE));
	assert_int_equal(b[l4 + 13], 0x10 | (nr ? 0 : 0x80) |
			 (last ? 0x08 | 0x01 : 0));
	/* Options are in each */
	assert_memory_equal(b + l4 + 20, frame + l4 + 20, 12);
	assert_memory_equal(b + l4 + 32, frame + l4 + 32 + nr * SIZE, len);
	assert_int_equal(sum(pseudo(b + ip, six, 6, 32 + len), b + l4, 32 + len),
			 0xffff);
}

static void segments(void **state)
{
	static const size_t sizes[] = { 1, SIZE, SIZE + 1, 3 * SIZE + 7,
					40 * SIZE };
	unsigned int i, kind, nr;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (kind = 0; kind < 6; kind++) {
			size_t len = make_tcp(kind / 2, kind & 1, sizes[i]);

			assert_int_equal(finish(len), OFFLOAD_DONE);
			assert_int_equal(got.nr, (sizes[i] + SIZE - 1) / SIZE);
			for (nr = 0; nr < got.nr; nr++)
				check_segment(nr, kind / 2, kind & 1, sizes[i]);
		}
}

static void checksums(void **state)
{
	size_t len = make_tcp(0, false, 501);

	header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	assert_int_equal(finish(len), OFFLOAD_DONE);
	assert_int_equal(got.nr, 1);
	assert_int_equal(got.len[0], len);
	assert_int_equal(sum(pseudo(frame + 14, false, 6, len - 38),
			     got.bytes[0] + 38, len - 38), 0xffff);
	/* One that comes out as zero */
	memset(frame, 0, 64);
	frame[40] = frame[41] = 0xff;
	header.csum_start = 34;
	header.csum_offset = 20;
	assert_int_equal(finish(64), OFFLOAD_DONE);
	assert_int_equal(half(got.bytes[0] + 54), 0xffff);
	/* It is not in the frame */
	header.csum_offset = 30;
	assert_int_equal(finish(64), OFFLOAD_BAD);
}

/* Each says something that is not so, of one that is right without it */
static void lies(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} bytes[] = { { 12, 0x09 }, { 13, 0xdd }, { 14, 0x45 }, { 14, 0x4f },
		      { 14 + 9, 17 }, { 38 + 12, 0x40 }, { 38 + 12, 0xf0 } };
	size_t len = make_tcp(0, false, 20);
	unsigned int i;

	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		uint8_t *at = frame + bytes[i].at, before = *at;

		*at = bytes[i].value;
		assert_int_equal(finish(len), OFFLOAD_BAD);
		*at = before;
	}
	assert_int_equal(finish(len), OFFLOAD_DONE);
	header.csum_offset = 6;
	assert_int_equal(finish(len), OFFLOAD_BAD);
	header.csum_offset = 16;
	for (i = 0; i <= 20; i++) {
		header.csum_start = i ? len - i : 0;
		assert_int_equal(finish(len), OFFLOAD_BAD);
	}
	len = make_tcp(0, false, 20);
	header.gso_size = 0;
	assert_int_equal(finish(len), OFFLOAD_BAD);
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	header.gso_size = SIZE;
	assert_int_equal(finish(len), OFFLOAD_BAD);
	/* More segments than anybody needs */
	len = make_tcp(0, false, 60000);
	header.gso_size = 200;
	assert_int_equal(finish(len), OFFLOAD_BAD);
}

/* ---- between two ports ---------------------------------------------------- */

static struct port sender;
static unsigned int room;

static bool take_some(struct port *port, const struct frame *f)
{
	if (!room)
		return false;
	room--;
	port_sent(port, f);
	return true;
}

static void a_full_peer(void **state)
{
	static const struct port_ops none, some = { .receive = take_some };
	struct port to = { .ops = &some, .link = true };
	const struct iovec iov = { frame, make_tcp(0, true, 3 * SIZE) };
	struct frame f = { header, &iov, 1, iov.iov_len };

	sender = (struct port){ .ops = &none };
	port_connect(&sender, &to);
	room = 0;
	assert_false(port_send(&sender, &f));
	assert_int_equal(sender.to_peer.in, 0);
	assert_int_equal(to.from_peer.in, 0);
	/* What has gone cannot be taken back */
	room = 1;
	assert_true(port_send(&sender, &f));
	assert_int_equal(to.from_peer.out, 1);
	assert_int_equal(to.from_peer.dropped[DROP_FULL], 2);
	room = 3;
	assert_true(port_send(&sender, &f));
	assert_int_equal(to.from_peer.out, 4);
	assert_int_equal(sender.to_peer.out, 2);
	/* Who takes it gets it as it is */
	to.takes = PORT_ALL;
	room = 1;
	assert_true(port_send(&sender, &f));
	assert_int_equal(to.from_peer.out, 5);
	to.takes = 0;
	f.header.gso_size = 0;
	assert_true(port_send(&sender, &f));
	assert_int_equal(sender.to_peer.dropped[DROP_HEADER], 1);
	assert_true(adds_up(&sender));
	assert_true(adds_up(&to));
}

/* ---- across a switch ------------------------------------------------------ */

/* In the place of a guest's NIC; @net: the switch's port */
static struct end {
	struct played_port played;
	struct port *net;
} end[2];
static struct vm_clock vm_clock;
static struct loop loop;

static bool end_receive(struct port *port, const struct frame *f)
{
	struct played_port *p = (struct played_port *)port;

	p->frames++;
	p->header = f->header;
	p->len = frame_peek(f, p->bytes, sizeof(p->bytes));
	port_sent(port, f);
	return true;
}

static void open_end(unsigned int i, const char *vlan)
{
	static const struct port_ops ops = { .receive = end_receive };
	struct net_config config;
	char text[64];

	snprintf(text, sizeof(text), "switch=s,mac=02:00:00:00:00:%02x,vlan=%s",
		 i + 1, vlan);
	end[i] = (struct end){ .played.port = { .ops = &ops, .loop = &loop,
		.link = true, .takes = PORT_ALL, .name = "end" } };
	assert_int_equal(net_parse(&config, text, &error), 0);
	end[i].net = net_open(&config, &error);
	assert_non_null(end[i].net);
	/* Before a driver is there: what the NIC may offer it */
	assert_int_equal(end[i].net->takes, PORT_ALL);
	assert_int_equal(end[i].net->gives, PORT_ALL);
	port_connect(&end[i].played.port, end[i].net);
	assert_int_equal(net_start(end[i].net, &loop, &error), 0);
}

static int setup_switch(void **state)
{
	vm_clock_init(&vm_clock, 0);
	vm_clock_start(&vm_clock);
	assert_int_equal(loop_init(&loop, &vm_clock), 0);
	server = switch_start("s", &error);
	assert_non_null(server);
	assert_int_equal(pthread_create(&thread, NULL, server_main, NULL), 0);
	open_end(0, "5");
	open_end(1, *state);
	return 0;
}

static int end_switch(void **state)
{
	unsigned int i;

	take_over();
	for (i = 0; i < SWITCH_PORTS; i++)
		if (server->member[i].plug) {
			assert_true(adds_up(&server->member[i].plug->port));
			assert_true(adds_up(server->member[i].port));
		}
	switch_end(server);
	for (i = 0; i < 2; i++) {
		port_disconnect(&end[i].played.port);
		assert_true(adds_up(end[i].net));
		net_close(end[i].net);
	}
	loop_destroy(&loop);
	return 0;
}

static void send_from(unsigned int i, size_t len)
{
	const struct iovec iov = { frame, len };
	const struct frame f = { header, &iov, 1, len };

	pthread_mutex_lock(&loop.lock);
	assert_true(port_send(&end[i].played.port, &f));
	port_flush(&end[i].played.port);
	pthread_mutex_unlock(&loop.lock);
}

static unsigned int wanted;

static bool has_come(void *ctx)
{
	return end[1].played.frames >= wanted;
}

static void wait_for_frames(unsigned int nr)
{
	wanted = nr;
	loop_run(&loop, has_come, NULL);
	assert_int_equal(end[1].played.frames, nr);
}

/* The second one is in the first one's VLAN, or on a trunk, where a tag comes in */
static void through_a_switch(void **state)
{
	const unsigned int tag = strcmp(*state, "5") ? 4 : 0;
	struct played_port *to = &end[1].played;
	size_t len = make_tcp(0, false, 30 * SIZE);
	unsigned int start = header.csum_start;

	/* With a frame the switch looks what the next one may leave undone */
	header = (struct virtio_net_hdr_v1){ 0 };
	send_from(0, 60);
	wait_for_frames(1);
	make_tcp(0, false, 30 * SIZE);
	send_from(0, len);
	wait_for_frames(2);
	assert_int_equal(to->len, len + tag);
	assert_int_equal(to->header.gso_size, SIZE);
	assert_int_equal(to->header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(to->header.csum_start, start + tag);
	assert_memory_equal(to->bytes + 12 + tag, frame + 12, len - 12);
	/* Another driver, that takes none: there is one frame at most in between */
	pthread_mutex_lock(&loop.lock);
	to->port.takes = 0;
	port_changed(&to->port);
	pthread_mutex_unlock(&loop.lock);
	to->frames = 0;
	send_from(0, len);
	wait_for_frames(30);
	assert_int_equal(to->header.gso_type, 0);
	assert_int_equal(to->header.flags, 0);
	send_from(0, len);
	wait_for_frames(60);
	/* A header that is none is the sender's loss */
	header.csum_start = 3;
	send_from(0, len);
	header.csum_start = 65535;
	header.gso_size = 0;
	send_from(0, len);
	make_tcp(0, false, 1);
	header = (struct virtio_net_hdr_v1){ 0 };
	send_from(0, 60);
	wait_for_frames(61);
}

int main(void)
{
#define ACROSS(vlan) cmocka_unit_test_prestate_setup_teardown(		\
	through_a_switch, setup_switch, end_switch, (void *)(vlan))
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments), cmocka_unit_test(checksums),
		cmocka_unit_test(lies), cmocka_unit_test(a_full_peer),
		ACROSS("5"), ACROSS("trunk") };

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
