// SPDX-License-Identifier: GPL-2.0
/*
 * What a network costs, in TSC ticks of the whole machine: requests of a byte, and
 * streams, by TCP. Static, so that a guest with busybox has it. How it is run is
 * in nets.py.
 *
 *   packets serve                 answers, on ports PORT and the next two
 *   packets client HOST [SUFFIX]  the rows net_rr, net_stream_out, net_stream_in
 *   packets pair HOST             of two guests: the rows vm_to_vm_rr, vm_to_vm_stream
 *   packets tap                   the same rows of a tap alone, with nobody behind
 *   packets make NAME             makes a tap that stays
 *
 * Prints lines as bench.c does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <x86intrin.h>

#define PORT		5001
#define STREAM		(16u << 20)
#define CHUNK		65536
#define REQUESTS	512
#define SEGMENTS	60000	/* of a frame with segments */
#define FRAMES		64

enum { ECHO, SINK, SOURCE, SERVICES };

static char chunk[CHUNK];
static const char *suffix = "";

static void die(const char *what)
{
	printf("# packets: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void say(const char *name, const char *unit, double value)
{
	printf("%s%s %s %.1f\n", name, suffix, unit, value);
	fflush(stdout);
}

static void send_stream(int fd)
{
	size_t left = STREAM;
	ssize_t n;

	for (; left; left -= n) {
		n = send(fd, chunk, left < CHUNK ? left : CHUNK, MSG_NOSIGNAL);
		if (n <= 0)
			die("send");
	}
}

static void take_stream(int fd)
{
	size_t left = STREAM;
	ssize_t n;

	for (; left; left -= n) {
		n = recv(fd, chunk, left < CHUNK ? left : CHUNK, 0);
		if (n <= 0)
			die("recv");
	}
}

static void no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* ---- who answers ---------------------------------------------------------- */

static void serve(unsigned int service, int fd)
{
	char byte;

	no_delay(fd);
	if (service == SOURCE)
		send_stream(fd);
	else if (service == SINK)
		take_stream(fd);
	/* A byte for a byte; of a sink: all has come */
	if (service == SINK && send(fd, "", 1, MSG_NOSIGNAL) != 1)
		die("send");
	while (recv(fd, &byte, 1, 0) == 1)
		if (service == ECHO && send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
}

static void listen_for(unsigned int service)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(PORT + service) };
	int s = socket(AF_INET, SOCK_STREAM, 0), fd, on = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (void *)&at, sizeof(at)) || listen(s, 4))
		die("listen");
	while ((fd = accept(s, NULL, NULL)) >= 0) {
		serve(service, fd);
		close(fd);
	}
}

/* ---- who asks ------------------------------------------------------------- */

static int connect_to(const char *host, unsigned int service)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(PORT + service) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, host, &to.sin_addr) != 1 ||
	    connect(fd, (void *)&to, sizeof(to)))
		die(host);
	no_delay(fd);
	return fd;
}

static void requests(int fd, unsigned int nr)
{
	char byte = 0;

	while (nr--)
		if (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("a request");
}

/* For bench/where: a row begins with its function, and ends with the next one's */
#define ROW static __attribute__((noipa)) void

ROW measure_requests(const char *host, const char *row)
{
	int fd = connect_to(host, ECHO);
	uint64_t ticks;

	requests(fd, REQUESTS / 8);
	ticks = __rdtsc();
	requests(fd, REQUESTS);
	say(row, "ticks", (double)(__rdtsc() - ticks) / REQUESTS);
	close(fd);
}

ROW measure_out(const char *host, const char *row)
{
	int fd = connect_to(host, SINK);
	uint64_t ticks = __rdtsc();
	char byte;

	send_stream(fd);
	if (recv(fd, &byte, 1, 0) != 1)
		die("the end");
	say(row, "ticks/KiB", (double)(__rdtsc() - ticks) / (STREAM >> 10));
	close(fd);
}

ROW measure_in(const char *host, const char *row)
{
	int fd = connect_to(host, SOURCE);
	uint64_t ticks = __rdtsc();

	take_stream(fd);
	say(row, "ticks/KiB", (double)(__rdtsc() - ticks) / (STREAM >> 10));
	close(fd);
}

ROW measured_all(void)
{
}

/* ---- a tap ---------------------------------------------------------------- */

static int open_tap(struct ifreq *r, const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR), len = sizeof(struct virtio_net_hdr_v1);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", name);
	r->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (fd < 0 || ioctl(fd, TUNSETIFF, r) ||
	    ioctl(fd, TUNSETVNETHDRSZ, &len) ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4))
		die("a tap");
	r->ifr_flags = IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, r) || ioctl(s, SIOCGIFINDEX, r))
		die("the tap's interface");
	close(s);
	return fd;
}

/* Nothing comes by it: it would cost what no tap does */
static int open_other_end(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on,
				 sizeof(on)))
		die("a packet socket");
	return fd;
}

/* The least of some: what comes by itself is not counted */
static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Ticks of a write to the tap, and of a read there, of a frame of @len bytes */
static void take_tap(int tap, int index, size_t len, uint64_t *out, uint64_t *in)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = index };
	struct virtio_net_hdr_v1 h = { 0 };
	struct virtio_net_hdr old = { 0 };
	struct iovec iov[] = { { &h, sizeof(h) }, { chunk, len } };
	struct iovec other_iov[] = { { &old, sizeof(old) }, { chunk, len } };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof(to),
				  .msg_iov = other_iov, .msg_iovlen = 2 };
	int other = open_other_end();
	unsigned int i;
	uint64_t ticks;
	ssize_t n;

	if (len > 1514) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		h.gso_size = 1448;
		h.hdr_len = 54;
		h.csum_start = 34;
		h.csum_offset = 16;
		memcpy(&old, &h, sizeof(old));
	}
	/* TCP by IPv4, for somebody else: what is written to the tap ends at once */
	memcpy(chunk, "\2\2\2\2\2\2\2\3\3\3\3\3\x08\0\x45", 15);
	chunk[16] = (len - 14) >> 8;
	chunk[17] = len - 14;
	chunk[23] = IPPROTO_TCP;
	chunk[46] = 0x50;
	*out = *in = ~0ull;
	for (i = 0; i < FRAMES; i++) {
		if (sendmsg(other, &message, 0) < 0)
			die("a frame to the tap");
		/* But for what the interface says by itself */
		do {
			ticks = __rdtsc();
			n = readv(tap, iov, 2);
			ticks = __rdtsc() - ticks;
		} while (n > 0 && n != (ssize_t)(sizeof(h) + len));
		if (n < 0)
			die("a frame from the tap");
		*in = least(*in, ticks);
		ticks = __rdtsc();
		if (writev(tap, iov, 2) < 0)
			die("a frame of the tap's");
		*out = least(*out, __rdtsc() - ticks);
	}
	close(other);
}

static void measure_tap(void)
{
	struct ifreq r = { 0 };
	int tap = open_tap(&r, "floor");
	uint64_t out, in;

	take_tap(tap, r.ifr_ifindex, 67, &out, &in);
	say("net_rr", "ticks", out + in);
	take_tap(tap, r.ifr_ifindex, SEGMENTS, &out, &in);
	say("net_stream_out", "ticks/KiB", (double)out * 1024 / SEGMENTS);
	say("net_stream_in", "ticks/KiB", (double)in * 1024 / SEGMENTS);
}

static void make_tap(const char *name)
{
	struct ifreq r = { 0 };

	if (ioctl(open_tap(&r, name), TUNSETPERSIST, 1))
		die("a tap that stays");
}

int main(int argc, char **argv)
{
	unsigned int i;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "serve")) {
		for (i = 1; i < SERVICES; i++)
			if (!fork())
				listen_for(i);
		listen_for(ECHO);
	} else if (argc > 2 && !strcmp(argv[1], "client")) {
		if (argc > 3)
			suffix = argv[3];
		measure_requests(argv[2], "net_rr");
		measure_out(argv[2], "net_stream_out");
		measure_in(argv[2], "net_stream_in");
		measured_all();
	} else if (argc > 2 && !strcmp(argv[1], "pair")) {
		measure_requests(argv[2], "vm_to_vm_rr");
		measure_out(argv[2], "vm_to_vm_stream");
	} else if (argc > 1 && !strcmp(argv[1], "tap")) {
		measure_tap();
	} else if (argc > 2 && !strcmp(argv[1], "make")) {
		make_tap(argv[2]);
	} else {
		fprintf(stderr, "usage: packets serve|tap\n       packets make NAME\n       packets client HOST [SUFFIX]\n       packets pair HOST\n");
		return 2;
	}
	return 0;
}
