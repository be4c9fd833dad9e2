// SPDX-License-Identifier: GPL-2.0
/* --net tap, in a network of its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "tests/opened_net.h"

static bool tap_is_up(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, name);
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &r), 0);
	close(fd);
	return r.ifr_flags & IFF_UP;
}

static int ask(unsigned long what, const char *name, struct ifreq *r)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ret;

	strcpy(r->ifr_name, name);
	ret = ioctl(fd, what, what == SIOCBRADDBR ? (void *)name : r);
	close(fd);
	return ret;
}

static int mtu_of(const char *name)
{
	struct ifreq r = { 0 };

	assert_int_equal(ask(SIOCGIFMTU, name, &r), 0);
	return r.ifr_mtu;
}

/* As of "ip tuntap add" */
static void make_tap(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(r.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
}

static void bridges(void)
{
	struct ifreq r = { .ifr_mtu = 9000 };
	struct port *port;

	if (ask(SIOCBRADDBR, "br0", &r) || ask(SIOCBRADDBR, "br1", &r)) {
		print_message("without bridges: %s\n", strerror(errno));
		return;
	}
	r.ifr_mtu = 9000;
	assert_int_equal(ask(SIOCSIFMTU, "br0", &r), 0);
	port = open_net("tap=t0,bridge=br0");
	assert_non_null(port);
	assert_int_equal(port->mtu, 9000);
	assert_int_equal(mtu_of("t0"), 9000);
	assert_int_equal(mtu_of("br0"), 9000);
	net_close(port);
	/* One that is in it stays, and in no other */
	make_tap("t1");
	net_close(open_net("tap=t1,bridge=br1"));
	port = open_net("tap=t1,bridge=br1");
	assert_non_null(port);
	net_close(port);
	assert_null(open_net("tap=t1,bridge=br0"));
	assert_non_null(strstr(error.text, "in another bridge than br0"));
}

static bool got_ours(void)
{
	return played.frames && !memcmp(played.bytes, frame, 64);
}

static void set_tap_up(const char *name, bool up)
{
	struct ifreq r = { .ifr_flags = up ? IFF_UP : 0 };

	assert_int_equal(ask(SIOCSIFFLAGS, name, &r), 0);
}

static bool has_link(void)
{
	return other->link;
}

static bool has_no_link(void)
{
	return !other->link;
}

/* It is still the same interface. It is down before and afterwards */
static void give_name(const char *old, const char *new)
{
	struct ifreq r = { 0 };

	strcpy(r.ifr_newname, new);
	assert_int_equal(ask(SIOCSIFNAME, old, &r), 0);
	set_tap_up(new, true);
	run_until(has_link);
	set_tap_up(new, false);
	run_until(has_no_link);
}

/* Is the queue one that frames come into? */
static bool is_attached(int fd)
{
	struct ifreq r = { 0 };

	assert_int_equal(ioctl(fd, TUNGETIFF, &r), 0);
	return !(r.ifr_flags & IFF_DETACH_QUEUE);
}

/* For vhost: a descriptor for each pair of queues, of which some are in use */
static void queues(void)
{
	struct port *port = open_net("tap=q0,vhost=on,queues=3");
	static const unsigned int in_use[] = { 0, 3, 1, 2 };
	unsigned int i, q;

	assert_non_null(port);
	assert_non_null(port->queue_fd);
	port_connect(&played.port, port);
	assert_int_equal(net_start(port, &loop, &error), 0);
	for (i = 0; i < sizeof(in_use) / sizeof(in_use[0]); i++) {
		played.port.queues = in_use[i];
		port_changed(&played.port);
		for (q = 0; q < 3; q++)
			assert_int_equal(is_attached(port->queue_fd[q]),
					 q < (in_use[i] ? in_use[i] : 1));
	}
	/* Nobody reads here */
	played.frames = 0;
	assert_true(played_send_frame(frame, 64, NULL));
	port_disconnect(&played.port);
	net_close(port);
	assert_int_equal(if_nametoindex("q0"), 0);
	/* One that is there has to have several */
	make_tap("q1");
	assert_null(open_net("tap=q1,vhost=on,queues=2"));
	assert_non_null(strstr(error.text, "needs multi_queue"));
	port = open_net("tap=q1,vhost=on");
	assert_non_null(port);
	net_close(port);
	port = open_net("tap,vhost=off,queues=2");
	assert_null(port->queue_fd);
	net_close(port);
}

/* In a network of its own, as root there */
static void a_tap(void **state)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	uint8_t bytes[128];
	ssize_t n;
	int fd;

	if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET)) {
		print_message("skipped: no network namespace: %s\n",
			      strerror(errno));
		skip();
	}
	other = open_net("tap");
	if (!other && strstr(error.text, "/dev/net/tun")) {
		print_message("skipped: %s\n", error.text);
		skip();
	}
	if (!other)
		fprintf(stderr, "%s\n", error.text);
	assert_non_null(other);
	assert_string_equal(other->name, "mvmm0");
	assert_true(tap_is_up("mvmm0"));
	played.port.takes = 0;
	port_connect(&played.port, other);
	assert_int_equal(net_start(other, &loop, &error), 0);
	fd = socket(AF_PACKET, SOCK_RAW, htons(0x88b5));
	assert_true(fd >= 0);
	to.sll_ifindex = if_nametoindex("mvmm0");
	to.sll_protocol = htons(0x88b5);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	memcpy(frame, "\xff\xff\xff\xff\xff\xff\2\2\2\2\2\2\x88\xb5", 14);
	assert_true(played_send_frame(frame, 64, NULL));
	n = recv(fd, bytes, sizeof(bytes), 0);
	assert_int_equal(n, 64);
	assert_memory_equal(bytes, frame, 64);
	/* What the host sends for itself may come before */
	played.frames = 0;
	assert_int_equal(send(fd, frame, 64, 0), 64);
	run_until(got_ours);
	assert_int_equal(played.len, 64);
	/* A frame with a header that the kernel does not take */
	played_send_frame(frame, 64, &(struct virtio_net_hdr_v1){
		.flags = 1, .csum_start = 60, .csum_offset = 60 });
	assert_int_equal(other->from_peer.dropped[DROP_REFUSED], 1);
	assert_int_equal(other->from_peer.in, sum_of(&other->from_peer));
	close(fd);
	/* The cable is pulled, and is there again */
	assert_true(has_link());
	set_tap_up("mvmm0", false);
	run_until(has_no_link);
	set_tap_up("mvmm0", true);
	run_until(has_link);
	set_tap_up("mvmm0", false);
	run_until(has_no_link);
	give_name("mvmm0", "new");
	give_name("new", "mvmm0");
	/* Nobody else has it; and it is no bridge */
	assert_null(open_net("tap=mvmm0"));
	assert_non_null(strstr(error.text, "somebody uses it already"));
	assert_null(open_net("tap=lo"));
	assert_non_null(strstr(error.text, "which is no tap"));
	assert_null(open_net("tap,bridge=lo"));
	assert_non_null(strstr(error.text, "lo is no bridge"));
	port_disconnect(&played.port);
	net_close(other);
	assert_int_equal(if_nametoindex("mvmm0"), 0);
	queues();
	bridges();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tap, setup, teardown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
