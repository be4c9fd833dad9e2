// SPDX-License-Identifier: GPL-2.0
/* What --net says; streams, passt's process, captures. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "net/stream.h"
#include "tests/opened_net.h"

static char directory[] = "/tmp/mvmm-net-XXXXXX", path[64];

static void options(void **state)
{
	struct net_config c;

	assert_int_equal(parse(&c, "tap"), 0);
	assert_null(c.address);
	assert_int_equal(parse(&c, "tap=t0,bridge=br0,pcap=/tmp/a"), 0);
	assert_string_equal(c.address, "t0");
	assert_string_equal(c.bridge, "br0");
	assert_string_equal(c.pcap, "/tmp/a");
	assert_int_equal(parse(&c, "stream:tcp=[::1]:99,server,mtu=9000"), 0);
	assert_string_equal(c.address, "tcp=[::1]:99");
	assert_true(c.server);
	assert_int_equal(c.mtu, 9000);
	assert_int_equal(c.model, NET_VIRTIO);
	assert_int_equal(parse(&c, "tap,model=e1000"), 0);
	assert_int_equal(c.model, NET_E1000);
	assert_int_equal(parse(&c, "tap,model=e1001"), -1);
	assert_int_equal(parse(&c, "tap,model=e1000,queues=2"), -1);
	assert_int_equal(parse(&c, "tap,model=e1000,iothread=io"), -1);
	assert_int_equal(parse(&c, "tap,model=e1000,vhost=on"), -1);
	assert_int_equal(parse(&c, "user,mac=52:54:00:AB:cd:ef,hostfwd=tcp::1-:2"),
			 0);
	assert_memory_equal(c.mac, "\x52\x54\x00\xab\xcd\xef", MAC_LEN);
	assert_int_equal(c.forwards, 1);
	assert_int_equal(parse(&c, "switch=s,vlan=trunk:1+2/3,name=a,isolated"),
			 0);
	assert_string_equal(c.address, "s");
	assert_string_equal(c.port_options, "vlan=trunk:1+2/3,name=a,isolated");
	assert_int_equal(parse(&c, "switch:s"), -1);
	assert_int_equal(parse(&c, "tap,vlan=1"), -1);
	assert_int_equal(parse(&c, "slirp"), -1);
	assert_non_null(strstr(error.text, "tap, stream, user, switch, vde and bond(LINK,LINK)"));
	assert_int_equal(parse(&c, "tap:t0"), -1);
	assert_int_equal(parse(&c, "stream"), 0);
	assert_int_equal(parse(&c, "stream="), -1);
	assert_int_equal(parse(&c, "user=x"), -1);
	assert_int_equal(parse(&c, "user,bridge=br0"), -1);
	assert_non_null(strstr(error.text, "bridge=br0 is not known"));
	/* Whatever there is, of each kind */
	assert_non_null(strstr(error.text, "these are: model, mac, mtu, "));
	assert_non_null(strstr(error.text, "; of a switch name, vlan, "));
	assert_non_null(strstr(error.text, "loss, seed; of a bond mode, "));
	assert_non_null(strstr(error.text, ", primary"));
	assert_int_equal(parse(&c, "tap,server"), -1);
	assert_int_equal(parse(&c, "tap=t,vhost=on,queues=8,iothread=io"), 0);
	assert_true(c.vhost);
	assert_int_equal(c.queues, 8);
	assert_string_equal(c.iothread, "io");
	assert_int_equal(parse(&c, "tap,queues=0"), -1);
	assert_int_equal(parse(&c, "tap,queues=9"), -1);
	assert_int_equal(parse(&c, "tap,vhost=maybe"), -1);
	assert_int_equal(parse(&c, "user,vhost=on"), -1);
	assert_int_equal(parse(&c, "tap,pcap=/tmp/a,vhost=on"), -1);
	assert_int_equal(parse(&c, "tap,mtu=67"), -1);
	assert_int_equal(parse(&c, "tap,mtu=65536"), -1);
	assert_int_equal(parse(&c, "tap,mac=52:54:00:ab:cd"), -1);
	assert_int_equal(parse(&c, "tap,mac=52:54:00:ab:cd:efg"), -1);
	assert_int_equal(parse(&c, "tap,mac=5-:54:00:ab:cd:ef"), -1);
	assert_int_equal(parse(&c, "tap,mac="), -1);
	/* Of a group, or none */
	assert_int_equal(parse(&c, "tap,mac=53:54:00:ab:cd:ef"), -1);
	assert_int_equal(parse(&c, "tap,mac=00:00:00:00:00:00"), -1);
}

static void addresses(void **state)
{
	uint8_t a[MAC_LEN], b[MAC_LEN];

	net_mac("0,tap0,tap", a);
	net_mac("0,tap0,tap", b);
	assert_memory_equal(a, b, MAC_LEN);
	assert_int_equal(a[0] & 3, 2);
	net_mac("1,tap0,tap", b);
	assert_memory_not_equal(a, b, MAC_LEN);
	net_mac("0,tap1,tap", b);
	assert_memory_not_equal(a, b, MAC_LEN);
}

/* ---- two streams ----------------------------------------------------------- */

static struct played_port *end_of_other, second;

static struct port *start_net(const char *text, struct port *peer)
{
	struct port *port = open_net(text);

	if (!port)
		fprintf(stderr, "%s\n", error.text);
	assert_non_null(port);
	port_connect(peer, port);
	assert_int_equal(net_start(port, &loop, &error), 0);
	return port;
}

static bool both_linked(void)
{
	return played.port.peer->link && other->link;
}

static bool got_one(void)
{
	return second.frames >= 1;
}

static bool send_to_other(size_t len)
{
	return played_send_frame(frame, len, NULL);
}

static void start_pair(const char *server, const char *client)
{
	char text[128];
	unsigned int i;

	for (i = 0; i < sizeof(frame); i++)
		frame[i] = i * 5;
	second = played;
	end_of_other = &second;
	snprintf(text, sizeof(text), "stream:unix=%s,server%s", path, server);
	other = start_net(text, &second.port);
	snprintf(text, sizeof(text), "stream:unix=%s%s", path, client);
	start_net(text, &played.port);
	run_until(both_linked);
}

static void end_pair(void)
{
	struct port *port = played.port.peer;

	port_disconnect(&played.port);
	port_disconnect(&second.port);
	assert_int_equal(port->from_peer.in, sum_of(&port->from_peer));
	assert_int_equal(port->to_peer.in, sum_of(&port->to_peer));
	assert_int_equal(other->from_peer.in, sum_of(&other->from_peer));
	net_close(port);
	net_close(other);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_stream(void **state)
{
	start_pair("", "");
	assert_true(send_to_other(60));
	run_until(got_one);
	assert_int_equal(second.len, 60);
	assert_memory_equal(second.bytes, frame, 60);
	assert_true(second.flushed > 0);
	second.frames = 0;
	assert_true(send_to_other(FRAME_MAX));
	run_until(got_one);
	assert_int_equal(second.len, FRAME_MAX);
	assert_memory_equal(second.bytes, frame, FRAME_MAX);
	end_pair();
}

static void by_tcp(void **state)
{
	unsigned int number = 20000 + getpid() % 10000;
	struct port *port;
	char text[64];

	second = played;
	snprintf(text, sizeof(text), "stream:tcp=:%u,server", number);
	other = start_net(text, &second.port);
	/* Another one cannot be there */
	assert_null(open_net(text));
	assert_non_null(strstr(error.text, "Address already in use"));
	snprintf(text, sizeof(text), "stream:tcp=127.0.0.1:%u", number);
	port = start_net(text, &played.port);
	run_until(both_linked);
	assert_true(send_to_other(60));
	run_until(got_one);
	assert_int_equal(second.len, 60);
	port_disconnect(&played.port);
	port_disconnect(&second.port);
	net_close(port);
	net_close(other);
}

static bool is_ready(void)
{
	return played.readied;
}

static unsigned int sent;

static bool got_all(void)
{
	return second.frames == sent;
}

/* Who is full stops the other end, and nothing is lost */
static void backpressure(void **state)
{
	start_pair("", "");
	second.full = true;
	played.readied = 0;
	for (sent = 0; send_to_other(9000); sent++) {
		assert_true(sent < 10000);
		/* The reader has stopped when its buffer is full */
		loop_wake(&loop);
	}
	assert_int_equal(played.port.to_peer.out, sent);
	/* The last one is on its way, in part, or waits for its turn */
	assert_int_equal(played.port.peer->from_peer.in,
			 sum_of(&played.port.peer->from_peer));
	assert_in_range(played.port.peer->from_peer.in, sent - 1, sent);
	pthread_mutex_lock(&loop.lock);
	second.full = false;
	port_ready(&second.port);
	pthread_mutex_unlock(&loop.lock);
	run_until(is_ready);
	run_until(got_all);
	assert_true(send_to_other(9000));
	sent++;
	run_until(got_all);
	assert_memory_equal(second.bytes, frame, 9000);
	end_pair();
}

static bool is_cut(void)
{
	return !played.port.peer->link;
}

static bool waited;

static bool has_waited(void)
{
	return waited;
}

static void on_wait(void *ctx)
{
	waited = true;
}

/* Connected again when the server is there again */
static void reconnected(void **state)
{
	char text[128];

	start_pair("", "");
	port_disconnect(&second.port);
	net_close(other);
	run_until(is_cut);
	assert_true(send_to_other(60));
	assert_int_equal(played.port.to_peer.dropped[DROP_NO_LINK], 1);
	snprintf(text, sizeof(text), "stream:unix=%s,server", path);
	other = start_net(text, &second.port);
	run_until(both_linked);
	second.frames = 0;
	assert_true(send_to_other(60));
	run_until(got_one);
	end_pair();
}

static int raw_client(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static bool linked(void)
{
	return other->link;
}

static bool unlinked(void)
{
	return !other->link;
}

static void put_raw(int fd, uint32_t len, size_t bytes)
{
	uint32_t head = htonl(len);

	assert_int_equal(write(fd, &head, 4), 4);
	assert_int_equal(write(fd, frame, bytes), bytes);
}

/* Lengths that are none end the connection; short frames are dropped */
static void hostile_stream(void **state)
{
	struct timer timer = { on_wait, NULL, 0, NULL };
	char text[128];
	uint64_t then;
	int fd;

	snprintf(text, sizeof(text), "stream:unix=%s,server", path);
	other = start_net(text, &played.port);
	fd = raw_client();
	run_until(linked);
	put_raw(fd, 13, 13);
	/* In two pieces */
	put_raw(fd, 60, 30);
	pthread_mutex_lock(&loop.lock);
	loop_set_timer(&loop, &timer, vm_clock_now(&vm_clock) + 1000000);
	pthread_mutex_unlock(&loop.lock);
	run_until(has_waited);
	assert_int_equal(other->to_peer.dropped[DROP_LENGTH], 1);
	assert_int_equal(played.frames, 0);
	assert_int_equal(write(fd, frame, 30), 30);
	put_raw(fd, FRAME_MAX + 1, 10);
	run_until(unlinked);
	assert_int_equal(played.frames, 1);
	assert_int_equal(played.len, 60);
	close(fd);
	/* Nor does it get a line of ours for each of these */
	then = vm_clock_now(&vm_clock);
	fd = raw_client();
	run_until(linked);
	assert_true(vm_clock_now(&vm_clock) - then > 900000000);
	put_raw(fd, 0, 0);
	run_until(unlinked);
	close(fd);
	assert_int_equal(other->to_peer.in, sum_of(&other->to_peer));
	port_disconnect(&played.port);
	net_close(other);
}

static bool not_ready(void)
{
	return !((struct stream_port *)other)->listener.events;
}

/* Who cannot be accepted is not tried all the time, but in the end */
static void no_descriptors(void **state)
{
	struct rlimit old, none;
	char text[128];
	int fd;

	snprintf(text, sizeof(text), "stream:unix=%s,server", path);
	other = start_net(text, &played.port);
	fd = raw_client();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ fd, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_until(not_ready);
	assert_false(other->link);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	run_until(linked);
	close(fd);
	port_disconnect(&played.port);
	net_close(other);
}

static void bad_addresses(void **state)
{
	assert_null(open_net("stream"));
	assert_non_null(strstr(error.text, "where?"));
	assert_null(open_net("stream:tcp=host"));
	assert_non_null(strstr(error.text, "not HOST:PORT"));
	assert_null(open_net("stream:unix=/nowhere/at/all,server"));
	assert_non_null(strstr(error.text, "cannot listen"));
	assert_null(open_net("tap=averyveryverylongname"));
	assert_non_null(strstr(error.text, "at most 15 bytes"));
	assert_null(open_net("user,hostfwd=tcp:80"));
	assert_non_null(strstr(error.text, "hostfwd=tcp:80 is not known"));
	assert_null(open_net("user,hostfwd=sctp::1-:2"));
	assert_null(open_net("user,hostfwd=tcp::0-:2"));
	assert_null(open_net("user,hostfwd=tcp::1-:65536"));
	assert_null(open_net("user,hostfwd=tcp:1-:2"));
	assert_null(open_net("user,hostfwd=tcp::-:2"));
}

/* ---- captures -------------------------------------------------------------- */

static uint32_t word_at(const uint8_t *bytes, size_t at)
{
	uint32_t word;

	memcpy(&word, bytes + at, 4);
	return word;
}

static void a_capture(void **state)
{
	char file[80], option[100];
	uint8_t bytes[4096];
	unsigned int blocks = 0;
	size_t at = 0;
	ssize_t n;
	int fd;

	snprintf(file, sizeof(file), "%s/capture", directory);
	snprintf(option, sizeof(option), ",pcap=%s", file);
	start_pair("", option);
	assert_true(send_to_other(61));
	run_until(got_one);
	end_pair();
	fd = open(file, O_RDONLY);
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_true(n > 0);
	/* Each block has its length at both ends, and all together are the file */
	while (at < (size_t)n) {
		uint32_t len = word_at(bytes, at + 4);

		assert_true(len >= 12 && len % 4 == 0 && at + len <= (size_t)n);
		assert_int_equal(word_at(bytes, at + len - 4), len);
		if (word_at(bytes, at) == 6) {
			assert_int_equal(word_at(bytes, at + 20), 61);
			assert_memory_equal(bytes + at + 28, frame, 61);
			/* Outward, behind the padding */
			assert_int_equal(word_at(bytes, at + 28 + 64 + 4), 2);
		}
		at += len;
		blocks++;
	}
	assert_int_equal(blocks, 3);
	unlink(file);
	assert_null(open_net("user,pcap=/nowhere/at/all"));
}

/* ---- a process in passt's place -------------------------------------------- */

static void make_passt(const char *script)
{
	char name[64], old[512];
	FILE *f;

	snprintf(name, sizeof(name), "%s/passt", directory);
	f = fopen(name, "w");
	fprintf(f, "#!/bin/sh\n%s\n", script);
	fclose(f);
	assert_int_equal(chmod(name, 0755), 0);
	snprintf(old, sizeof(old), "%s:/usr/bin:/bin", directory);
	setenv("PATH", old, 1);
}

static bool came_back(void)
{
	return played.frames >= 1;
}

static void user_network(void **state)
{
	char name[64], words[256] = "";
	FILE *f;

	/* It notes what it is asked, and sends all frames back */
	make_passt("echo \"$*\" >${0%/*}/words; for fd; do case $fd in [0-9]*)"
		   " eval \"exec cat <&$fd >&$fd\" ;; esac; done");
	other = start_net("user,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=udp::53-:5353,hostfwd=tcp:[::1]:8080-:80",
			  &played.port);
	assert_true(played_send_frame(frame, 100, NULL));
	run_until(came_back);
	assert_int_equal(played.len, 100);
	port_disconnect(&played.port);
	net_close(other);
	snprintf(name, sizeof(name), "%s/words", directory);
	f = fopen(name, "r");
	assert_non_null(fgets(words, sizeof(words), f));
	fclose(f);
	unlink(name);
	assert_non_null(strstr(words, "--foreground --quiet"));
	assert_non_null(strstr(words, "-t 127.0.0.1/8080:80 -u 53:5353 -t ::1/8080:80"));
	/* One that ends takes the link along */
	make_passt("exit 1");
	other = start_net("user", &played.port);
	run_until(unlinked);
	port_disconnect(&played.port);
	net_close(other);
	snprintf(name, sizeof(name), "%s/passt", directory);
	unlink(name);
	setenv("PATH", directory, 1);
	assert_null(open_net("user"));
	assert_non_null(strstr(error.text, "install the package passt"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(options), TEST(addresses), TEST(a_stream), TEST(by_tcp),
		TEST(backpressure), TEST(reconnected), TEST(hostile_stream),
		TEST(no_descriptors), TEST(bad_addresses), TEST(a_capture),
		TEST(user_network),
	};
	int ret;

	alarm(120);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return ret;
}
