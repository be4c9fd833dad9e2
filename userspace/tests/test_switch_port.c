// SPDX-License-Identifier: GPL-2.0
/*
 * --net switch=NAME against a switch that runs in a thread: guests with rings, and
 * those who write there what no guest would. Also under TSan.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "net/nets.h"
#include "net/switch/ring_port.h"
#include "tests/loop_round.h"
#include "tests/played_port.h"
#include "tests/switch_thread.h"

#define GUESTS	3

static struct error error;
static struct vm_clock vm_clock;
static struct loop loop;
static struct played_port guest[GUESTS];
static uint8_t bytes[FRAME_MAX];

/* ---- the switch ------------------------------------------------------------------ */

static void start(void)
{
	server = switch_start("s", &error);
	assert_non_null(server);
	assert_int_equal(pthread_create(&thread, NULL, server_main, NULL), 0);
}

static void stop(void)
{
	take_over();
	switch_end(server);
}

static void wait_for_ports(unsigned int ports)
{
	unsigned int there;

	do {
		usleep(1000);
		pthread_mutex_lock(&server->loop.lock);
		there = __builtin_popcountll(server->sw.used);
		pthread_mutex_unlock(&server->loop.lock);
	} while (there != ports);
}

static struct switch_port count_of(unsigned int port)
{
	struct switch_port p;

	pthread_mutex_lock(&server->loop.lock);
	p = server->sw.port[port];
	pthread_mutex_unlock(&server->loop.lock);
	return p;
}

/* ---- guests ---------------------------------------------------------------------- */

static int setup(void **state)
{
	unsigned int i;

	error = (struct error){ 0 };
	vm_clock_init(&vm_clock, 1);
	vm_clock_start(&vm_clock);
	assert_int_equal(loop_init(&loop, &vm_clock), 0);
	played_init(&loop);
	for (i = 0; i < GUESTS; i++)
		guest[i] = played;
	return 0;
}

static int teardown(void **state)
{
	loop_destroy(&loop);
	return 0;
}

/* As a guest that is given no address: all have the same text */
static struct port *open_port(const char *options)
{
	struct net_config config;
	char text[128];

	snprintf(text, sizeof(text), "switch=s%s", options);
	assert_int_equal(net_parse(&config, text, &error), 0);
	if (!config.has_mac)
		memcpy(config.mac, "\x02\x00\x00\x00\x00\xff", MAC_LEN);
	return net_open(&config, &error);
}

static void join_as(struct port *nic, const char *options)
{
	struct port *port = open_port(options);

	if (!port)
		print_error("%s\n", error.text);
	assert_non_null(port);
	port_connect(nic, port);
	assert_int_equal(net_start(port, &loop, &error), 0);
	assert_true(port->link);
}

static void join(unsigned int i, const char *options)
{
	join_as(&guest[i].port, options);
}

static void leave(unsigned int i)
{
	struct port *port = guest[i].port.peer;

	assert_int_equal(port->to_peer.in, sum_of(&port->to_peer));
	assert_int_equal(port->from_peer.in, sum_of(&port->from_peer));
	port_disconnect(&guest[i].port);
	net_close(port);
}

static unsigned int wanted[GUESTS];

static bool has_all(void *ctx)
{
	unsigned int i;

	for (i = 0; i < GUESTS; i++)
		if (guest[i].frames < wanted[i])
			return false;
	return true;
}

static bool are_linked(void *ctx)
{
	return guest[0].port.peer->link && guest[1].port.peer->link;
}

static bool are_cut(void *ctx)
{
	return !guest[0].port.peer->link && !guest[1].port.peer->link;
}

/* False: it is to be sent again */
static bool send_from(unsigned int i, uint8_t to, uint8_t from, size_t len)
{
	const struct iovec iov[] = { { bytes, 9 }, { bytes + 9, len - 9 } };
	struct frame frame = { .iov = iov, .niov = 2, .len = len };
	bool taken;

	memcpy(bytes, "\2\0\0\0\0\0\2\0\0\0\0\0\x88\xb5", FRAME_MIN);
	bytes[5] = to;
	if (to == 0xff)
		memset(bytes, 0xff, MAC_LEN);
	bytes[11] = from;
	pthread_mutex_lock(&loop.lock);
	taken = port_send(&guest[i].port, &frame);
	port_flush(&guest[i].port);
	pthread_mutex_unlock(&loop.lock);
	return taken;
}

static void frames_of_all_sizes(void **state)
{
	static const size_t sizes[] = { 14, 60, 64, 65, 1514, 9000, 65000,
					FRAME_MAX };
	unsigned int i, round;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 11;
	start();
	join(0, "");
	join(1, "");
	join(2, "");
	memset(wanted, 0, sizeof(wanted));
	for (round = 0; round < 10; round++) {
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			assert_true(send_from(0, 0xff, 1, sizes[i]));
			wanted[1]++;
			wanted[2]++;
			loop_run(&loop, has_all, NULL);
			assert_int_equal(guest[2].len, sizes[i]);
			assert_memory_equal(guest[2].bytes, bytes, sizes[i]);
			assert_true(send_from(1, 1, 2, sizes[i]));
			wanted[0]++;
			loop_run(&loop, has_all, NULL);
			assert_memory_equal(guest[0].bytes, bytes, sizes[i]);
		}
	}
	/* One that is too short is dropped here: the switch would end this */
	assert_true(port_send(&guest[0].port, &(struct frame){ .len = 13 }));
	assert_int_equal(guest[0].port.peer->from_peer.dropped[DROP_LENGTH], 1);
	assert_int_equal(guest[0].frames, wanted[0]);
	assert_int_equal(guest[1].frames, wanted[1]);
	assert_int_equal(guest[2].frames, wanted[2]);
	for (i = 0; i < GUESTS; i++)
		leave(i);
	wait_for_ports(0);
	stop();
}

/* A guest that looks at all that comes, and knows the next number of each sender */
static struct sink {
	struct port port;
	uint32_t next[GUESTS];
	size_t len;
	unsigned int announced;
	bool bad;
} sink[GUESTS];

static void make_flow(unsigned int to, unsigned int from, uint32_t number)
{
	memcpy(bytes, "\2\0\0\0\0\0\2\0\0\0\0\0\x88\xb5", FRAME_MIN);
	bytes[5] = to + 1;
	bytes[11] = from + 1;
	memcpy(bytes + FRAME_MIN, &number, sizeof(number));
}

/* For it, in turn, and as it was sent */
static bool sink_receive(struct port *port, const struct frame *frame)
{
	struct sink *s = (struct sink *)port;
	static uint8_t got[FRAME_MAX];
	unsigned int from;

	frame_peek(frame, got, sizeof(got));
	from = got[11] - 1;
	port_sent(port, frame);
	if (got[0] == 0xff) {
		s->announced++;
	} else if (from >= GUESTS || frame->len != s->len) {
		s->bad = true;
	} else {
		make_flow(s - sink, from, s->next[from]++);
		s->bad |= memcmp(got, bytes, s->len);
	}
	return true;
}

static uint32_t sent_by_each;

static bool sinks_have_all(void *ctx)
{
	unsigned int i, from;
	bool all = true;

	for (i = 0; i < GUESTS; i++)
		for (from = 0; from < GUESTS; from++)
			all &= sink[i].announced == GUESTS - 1 &&
			       (i == from || sink[i].bad ||
				sink[i].next[from] == sent_by_each);
	return all;
}

/* One frame of each flow, in turn, so that they meet */
static void send_flows(size_t len)
{
	const struct iovec iov = { bytes, len };
	const struct frame frame = { .iov = &iov, .niov = 1, .len = len };
	unsigned int to, from;

	for (from = 0; from < GUESTS; from++)
		for (to = 0; to < GUESTS; to++) {
			if (to == from)
				continue;
			make_flow(to, from, sent_by_each);
			assert_true(port_send(&sink[from].port, &frame));
			port_flush(&sink[from].port);
		}
	sent_by_each++;
}

/*
 * As RFC 2889 has it, all pairs and all sizes: below the load that a ring holds no frame is
 * lost, none comes twice or to another, and those of a flow come in their order
 */
static void all_pairs(void **state)
{
	static const struct port_ops ops = { .receive = sink_receive };
	static const size_t sizes[] = { 60, 64, 128, 256, 512, 1024, 1280, 1514,
					1518, 4000, 9014 };
	unsigned int i, j, round;

	start();
	sent_by_each = 0;
	for (i = 0; i < GUESTS; i++) {
		char mac[] = ",mac=02:00:00:00:00:01";

		mac[sizeof(mac) - 2] += i;
		sink[i] = (struct sink){ .port = { .ops = &ops, .loop = &loop,
						   .link = true } };
		join_as(&sink[i].port, mac);
	}
	/* The switch is to know them: else the first ones would go to all */
	for (i = 0; i < GUESTS; i++)
		port_announce(&sink[i].port, sink[i].port.peer->mac);
	loop_run(&loop, sinks_have_all, NULL);
	for (j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
		round = RING_BYTES / 2 / (GUESTS * (sizes[j] + 64));
		for (i = 0; i < GUESTS; i++)
			sink[i].len = sizes[j];
		pthread_mutex_lock(&loop.lock);
		while (round--)
			send_flows(sizes[j]);
		pthread_mutex_unlock(&loop.lock);
		loop_run(&loop, sinks_have_all, NULL);
	}
	for (i = 0; i < GUESTS; i++) {
		struct switch_port p = count_of(i);

		assert_false(sink[i].bad);
		assert_true(adds_up(&p.port));
		assert_int_equal(p.port.to_peer.out,
				 (GUESTS - 1) * (sent_by_each + 1));
		net_close(sink[i].port.peer);
	}
	stop();
}

/* A guest that does not take any stops nobody; one that sends too much waits */
static void slow_and_fast(void **state)
{
	unsigned int sent = 0;
	struct switch_port p;

	start();
	join(0, "");
	join(1, "");
	join(2, "");
	guest[1].full = true;
	memset(wanted, 0, sizeof(wanted));
	while (sent < 5000) {
		if (!send_from(0, 0xff, 1, 1514)) {
			/* Until it is called: no frame of its own is lost */
			guest[0].readied = 0;
			while (!guest[0].readied) {
				wanted[2] = guest[2].frames + 1;
				loop_run(&loop, has_all, NULL);
			}
			continue;
		}
		sent++;
		/* The third one takes what comes */
		if (!(sent % 100)) {
			wanted[2] = sent;
			loop_run(&loop, has_all, NULL);
		}
	}
	wanted[2] = sent;
	loop_run(&loop, has_all, NULL);
	assert_int_equal(guest[2].frames, sent);
	assert_int_equal(guest[1].frames, 0);
	p = count_of(1);
	assert_int_equal(p.port.to_peer.in, sent);
	assert_in_range(p.port.to_peer.dropped[DROP_FULL], 1000, sent - 600);
	/* It gets what was kept, and goes on */
	guest[1].full = false;
	pthread_mutex_lock(&loop.lock);
	port_ready(&guest[1].port);
	pthread_mutex_unlock(&loop.lock);
	wanted[1] = p.port.to_peer.out;
	loop_run(&loop, has_all, NULL);
	assert_true(send_from(0, 0xff, 1, 1514));
	wanted[1]++;
	wanted[2]++;
	loop_run(&loop, has_all, NULL);
	leave(0);
	leave(1);
	leave(2);
	stop();
}

/* The ring is full: the guest waits for the switch, which is busy */
static void backpressure(void **state)
{
	unsigned int sent = 0;

	start();
	join(0, "");
	join(1, "");
	pthread_mutex_lock(&server->loop.lock);
	while (send_from(0, 0xff, 1, 9000))
		sent++;
	assert_in_range(sent, 100, RING_BYTES / 9000);
	pthread_mutex_unlock(&server->loop.lock);
	memset(wanted, 0, sizeof(wanted));
	wanted[1] = sent;
	loop_run(&loop, has_all, NULL);
	while (!guest[0].readied) {
		assert_true(send_from(1, 1, 2, 60));
		wanted[0] = guest[0].frames + 1;
		loop_run(&loop, has_all, NULL);
	}
	assert_true(send_from(0, 0xff, 1, 9000));
	wanted[1] = sent + 1;
	loop_run(&loop, has_all, NULL);
	leave(0);
	leave(1);
	stop();
}

static void addresses(void **state)
{
	start();
	join(0, ",name=a");
	join(1, ",name=b");
	/* The same was proposed, and each has its own; with a carry */
	assert_memory_equal(guest[0].port.peer->mac, "\2\0\0\0\0\xff", MAC_LEN);
	assert_memory_equal(guest[1].port.peer->mac, "\2\0\0\0\1\0", MAC_LEN);
	assert_null(open_port(",mac=02:00:00:00:01:00"));
	assert_non_null(strstr(error.text, "port 1 has that address already"));
	assert_null(open_port(",vlan=no"));
	assert_non_null(strstr(error.text, "vlan=no is not known"));
	join(2, ",mac=02:00:00:00:01:01");
	leave(1);
	wait_for_ports(2);
	join(1, ",mac=02:00:00:00:01:00");
	leave(0);
	leave(1);
	leave(2);
	stop();
	assert_null(open_port(""));
	assert_non_null(strstr(error.text, "\"mvmm switch s\" starts one"));
}

/* As of mvmm run: the address that the NIC of the option gets */
static struct nets nets_of(const char *option, uint8_t *mac)
{
	static struct machine_config config;
	struct nets nets = { 0 };
	char text[128];

	snprintf(text, sizeof(text), "switch=s%s", option);
	assert_int_equal(nets_parse(&nets, &config, text, &error), 0);
	assert_int_equal(nets_open(&nets, &config, &error), 0);
	memcpy(mac, config.nic[0].mac, MAC_LEN);
	return nets;
}

static void address_of_a_name(void **state)
{
	uint8_t web[MAC_LEN], again[MAC_LEN], other[MAC_LEN];
	struct nets nets, second;

	start();
	nets = nets_of(",name=web", web);
	assert_int_equal(web[0] & 3, 2);
	/* At the same time it is another's */
	second = nets_of(",name=web", other);
	assert_memory_not_equal(web, other, MAC_LEN);
	nets_close(&second);
	nets_close(&nets);
	wait_for_ports(0);
	nets = nets_of(",vlan=5,name=web,locked", again);
	assert_memory_equal(web, again, MAC_LEN);
	second = nets_of(",name=db", other);
	assert_memory_not_equal(web, other, MAC_LEN);
	nets_close(&second);
	nets_close(&nets);
	nets = nets_of(",mac=02:01:02:03:04:05,name=web", again);
	assert_memory_equal(again, "\2\1\2\3\4\5", MAC_LEN);
	nets_close(&nets);
	stop();
}

static void vlans(void **state)
{
	start();
	join(0, ",vlan=10");
	join(1, ",vlan=20");
	join(2, ",vlan=trunk:10");
	memset(wanted, 0, sizeof(wanted));
	assert_true(send_from(0, 0xff, 1, 60));
	wanted[2] = 1;
	loop_run(&loop, has_all, NULL);
	assert_int_equal(guest[2].len, 64);
	assert_memory_equal(guest[2].bytes + 12, "\x81\0\0\x0a", 4);
	assert_true(send_from(1, 0xff, 2, 60));
	assert_true(send_from(0, 0xff, 1, 60));
	wanted[2] = 2;
	loop_run(&loop, has_all, NULL);
	assert_int_equal(guest[1].frames + guest[0].frames, 0);
	leave(0);
	leave(1);
	leave(2);
	stop();
}

/* The link is down while there is no switch, and the address stays */
static void a_new_switch(void **state)
{
	uint8_t mac[MAC_LEN];

	start();
	join(0, "");
	join(1, "");
	memcpy(mac, guest[1].port.peer->mac, MAC_LEN);
	stop();
	loop_run(&loop, are_cut, NULL);
	assert_true(send_from(0, 0xff, 1, 60));
	assert_int_equal(guest[0].port.to_peer.dropped[DROP_NO_LINK], 1);
	start();
	loop_run(&loop, are_linked, NULL);
	assert_memory_equal(mac, guest[1].port.peer->mac, MAC_LEN);
	memset(wanted, 0, sizeof(wanted));
	wanted[1] = guest[1].frames + 1;
	assert_true(send_from(0, 0xff, 1, 60));
	loop_run(&loop, has_all, NULL);
	leave(0);
	leave(1);
	stop();
}

/* ---- those who are no guests ------------------------------------------------------- */

static int dial(const void *hello, size_t len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(switch_path(a.sun_path, sizeof(a.sun_path), "s",
				     "port", &error), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (len)
		assert_int_equal(write(fd, hello, len), len);
	return fd;
}

static bool ends(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 0;
}

/* Joins by hand: the rings are all its own */
static int join_by_hand(uint8_t **memory)
{
	struct ring_hello hello = { .magic = RING_MAGIC,
				    .mac = { 2, 9, 9, 9, 9, 9 },
				    .options = "name=x\33[1m" };
	char control[CMSG_SPACE(sizeof(int))];
	struct ring_welcome w;
	struct iovec iov = { &w, sizeof(w) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	int fd = dial(&hello, sizeof(hello)), memfd;

	assert_int_equal(recvmsg(fd, &m, 0), sizeof(w));
	assert_int_equal(w.status, 0);
	memcpy(&memfd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	/* It cannot be taken away under the switch's feet */
	assert_int_equal(ftruncate(memfd, 0), -1);
	*memory = mmap(NULL, 4096 + 2 * RING_BYTES, PROT_READ | PROT_WRITE,
		       MAP_SHARED, memfd, 0);
	assert_ptr_not_equal(*memory, MAP_FAILED);
	close(memfd);
	return fd;
}

static void hostile_peers(void **state)
{
	struct ring_hello hello = { .magic = RING_MAGIC, .mac = { 3 } };
	struct ring_words *w;
	uint8_t *memory;
	unsigned int i, n;
	int fd, silent[NEWCOMERS + 1];

	start();
	join(0, "");
	join(1, "");
	/* No hello, one that is short, one without an address or an end */
	fd = dial("hello", 5);
	assert_true(ends(fd));
	close(fd);
	fd = dial(&hello, sizeof(hello) - 1);
	assert_true(ends(fd));
	close(fd);
	memset(hello.options, 'x', sizeof(hello.options));
	fd = dial(&hello, sizeof(hello));
	assert_int_equal(read(fd, bytes, sizeof(bytes)),
			 sizeof(struct ring_welcome));
	assert_true(ends(fd));
	close(fd);
	/* Those who say nothing make room, at last */
	for (i = 0; i <= NEWCOMERS; i++)
		silent[i] = dial(NULL, 0);
	assert_true(ends(silent[0]));
	for (i = 0; i <= NEWCOMERS; i++)
		close(silent[i]);
	/* More than the ring has; a length that is none; a tail that is not there */
	for (n = 0; n < 3; n++) {
		fd = join_by_hand(&memory);
		w = (struct ring_words *)memory;
		if (n < 2)
			w[0].head = n ? 64 : RING_BYTES + 16;
		else
			w[1].tail = 64;
		assert_int_equal(write(fd, "", 1), 1);
		if (n == 2)
			assert_true(send_from(0, 0xff, 1, 60));
		while (!ends(fd))
			;
		close(fd);
		munmap(memory, 4096 + 2 * RING_BYTES);
		wait_for_ports(2);
	}
	memset(wanted, 0, sizeof(wanted));
	wanted[1] = guest[1].frames + 1;
	assert_true(send_from(0, 0xff, 1, 60));
	loop_run(&loop, has_all, NULL);
	leave(0);
	leave(1);
	stop();
}

/* As much as its ring takes, to all */
static void flood(struct ring *ring, int fd)
{
	static const uint8_t storm[1500] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					     2, 9, 9, 9, 9, 9, 0x88, 0xb5 };
	const struct iovec iov = { (void *)storm, sizeof(storm) };
	const struct frame frame = { .iov = &iov, .niov = 1,
				     .len = sizeof(storm) };

	while (ring_put(ring, &frame) == RING_DONE)
		;
	assert_int_equal(write(fd, "", 1), 1);
}

/*
 * Beside one whose ring is never empty a frame of others passes in a step or two, in
 * each of which that one has one turn
 */
static void fair_share(void **state)
{
	const unsigned int turn = (256 << 10) / (1500 + 1000) + 1, rounds = 50;
	unsigned int i, steps = 0;
	struct ring ring;
	uint64_t others;
	uint8_t *memory;
	int fd;

	start();
	join(0, ",vlan=10");
	join(1, ",vlan=10");
	fd = join_by_hand(&memory);
	ring = (struct ring){ (struct ring_words *)memory, memory + 4096, 0, 0 };
	take_over();
	for (i = 1; i <= rounds; i++) {
		assert_true(send_from(0, 2, 1, 60));
		while (guest[1].frames < i) {
			flood(&ring, fd);
			run_once(&server->loop);
			run_once(&loop);
			steps++;
		}
	}
	assert_in_range(steps, rounds, 2 * rounds);
	others = server->sw.port[2].port.from_peer.in;
	assert_in_range(others, (steps - 1) * turn / 2, steps * turn);
	munmap(memory, 4096 + 2 * RING_BYTES);
	close(fd);
	leave(0);
	leave(1);
	switch_end(server);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(frames_of_all_sizes), TEST(all_pairs),
		TEST(slow_and_fast),
		TEST(backpressure), TEST(addresses), TEST(address_of_a_name),
		TEST(vlans),
		TEST(a_new_switch), TEST(hostile_peers),
		TEST(fair_share),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
