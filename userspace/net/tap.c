// SPDX-License-Identifier: GPL-2.0
/*
 * --net tap: an interface of the host's. One that is there already (ip tuntap add)
 * is used as it is; else it is made, set up, and gone at the end. With vhost=on its
 * frames are moved by the kernel, which has a descriptor for each pair of the NIC's
 * queues; here only what the NIC itself says is sent then.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/net.h"

/* Of one read; then the loop's others come first */
#define BATCH		64
/* After so many rounds of one frame each the next one is looked for now and then */
#define ALONE		16
#define PIECES		160
#define MAX_BRIDGE_PORTS 1024	/* Linux's */

/**
 * struct tap - see above
 * @watch: of its descriptor
 * @news: a socket that tells of the host's interfaces
 * @name: of the interface
 * @fd: for vhost: that of @watch, and those of the other queues
 * @queues: how many, 0: the kernel moves no frames
 * @attached: of these, into which frames come
 * @alone: rounds in turn with one frame, or in which only one was looked for; none
 *	of which was in a stream
 * @allowed: PORT_*: what the kernel was told that it may leave undone
 * @waits: the frame in @bytes, which the peer does not take yet
 * @frame: that one
 * @bytes: of it
 */
struct tap {
	struct port port;
	struct watch watch, news;
	char name[IFNAMSIZ];
	int fd[NET_QUEUES];
	unsigned int queues, attached, alone;
	unsigned int allowed;
	bool waits;
	struct frame frame;
	struct iovec iov;
	uint8_t bytes[FRAME_MAX];
};

/* False: the peer is full */
static bool pass_on(struct tap *t)
{
	t->waits = !port_send(&t->port, &t->frame);
	return !t->waits;
}

/* What is longer than the buffer is cut off by the kernel: it has no such frames */
static void on_readable(void *ctx, uint32_t events)
{
	struct tap *t = ctx;
	struct iovec iov[] = { { &t->frame.header, sizeof(t->frame.header) },
			       { t->bytes, sizeof(t->bytes) } };
	/* Where requests and replies take turns a second read is in vain */
	unsigned int i, most = t->alone < ALONE || t->alone % ALONE == 0 ?
			       BATCH : 1;
	int err = 0;

	for (i = 0; i < most && !t->waits; i++) {
		ssize_t n = readv(t->watch.fd, iov, 2);

		/* The interface may be down, and come up again */
		if (n < (ssize_t)sizeof(t->frame.header)) {
			err = n < 0 ? errno : 0;
			break;
		}
		t->iov.iov_len = t->frame.len = n - sizeof(t->frame.header);
		pass_on(t);
	}
	t->alone = i < 2 ? t->alone + 1 : 0;
	port_flush(&t->port);
	if (t->waits)
		loop_watch(t->port.loop, &t->watch, 0);
	/* It was deleted: its descriptor would be ready for ever */
	else if (events & (EPOLLERR | EPOLLHUP) && err == EBADFD) {
		dprintf(STDERR_FILENO,
			"\r\nmvmm: --net %s: the interface is gone\r\n",
			t->name);
		loop_watch(t->port.loop, &t->watch, 0);
		port_set_link(&t->port, false);
	}
}

static void tap_ready(struct port *port)
{
	struct tap *t = (struct tap *)port;

	if (!t->waits || !pass_on(t))
		return;
	port_flush(port);
	loop_watch(port->loop, &t->watch, EPOLLIN);
}

static bool tap_receive(struct port *port, const struct frame *frame)
{
	struct tap *t = (struct tap *)port;
	struct virtio_net_hdr_v1 header = frame->header;
	struct iovec iov[PIECES] = { { &header, sizeof(header) } };
	ssize_t n;

	if (frame->niov >= PIECES) {
		port_drop(&port->from_peer, DROP_LENGTH);
		return true;
	}
	memcpy(iov + 1, frame->iov, frame->niov * sizeof(*iov));
	/* What is sent in segments is acknowledged by many small ones */
	if (frame->header.gso_type)
		t->alone = 0;
	do {
		n = writev(t->watch.fd, iov, 1 + frame->niov);
	} while (n < 0 && errno == EINTR);
	/* Down, or its queue is full: a network drops frames then */
	if (n < 0)
		port_drop(&port->from_peer, DROP_REFUSED);
	else
		port_sent(port, frame);
	return true;
}

/* Flows go to the first @nr queues, the others are the kernel's no more */
static void attach_queues(struct tap *t, unsigned int nr)
{
	struct ifreq r = { 0 };

	nr = nr < 1 ? 1 : nr > t->queues ? t->queues : nr;
	while (t->attached != nr) {
		bool more = t->attached < nr;

		r.ifr_flags = more ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
		if (ioctl(t->fd[more ? t->attached : t->attached - 1],
			  TUNSETQUEUE, &r)) {
			dprintf(STDERR_FILENO,
				"\r\nmvmm: --net %s: %u queues: %s\r\n",
				t->name, nr, strerror(errno));
			break;
		}
		t->attached += more ? 1 : -1;
	}
}

/* The kernel may leave undone what the guest's driver does */
static void tap_changed(struct port *port)
{
	struct tap *t = (struct tap *)port;
	unsigned int can = port->peer ? port->peer->takes & port->gives : 0;
	unsigned int flags = (can & PORT_CSUM ? TUN_F_CSUM : 0) |
			     (can & PORT_TSO4 ? TUN_F_TSO4 : 0) |
			     (can & PORT_TSO6 ? TUN_F_TSO6 : 0) |
			     (can & PORT_ECN ? TUN_F_TSO_ECN : 0);

	if (t->queues > 1)
		attach_queues(t, port->peer ? port->peer->queues : 1);
	/* None of the others without a checksum */
	if (!(flags & TUN_F_CSUM))
		can = flags = 0;
	if (can == t->allowed)
		return;
	t->allowed = can;
	if (ioctl(t->watch.fd, TUNSETOFFLOAD, flags))
		dprintf(STDERR_FILENO,
			"\r\nmvmm: --net %s: offloads 0x%x: %s\r\n",
			t->name, flags, strerror(errno));
}

/*
 * As the interface is now: a cable that is pulled is "ip link set NAME down". It may
 * have another name by now, and another one may have its name
 */
static void look_at_link(struct tap *t)
{
	struct ifreq r = { 0 };

	port_set_link(&t->port, !ioctl(t->watch.fd, TUNGETIFF, &r) &&
		      !ioctl(t->news.fd, SIOCGIFFLAGS, &r) &&
		      r.ifr_flags & IFF_UP);
}

/* What the news are does not matter, nor that some were lost: it is looked at */
static void on_news(void *ctx, uint32_t events)
{
	struct tap *t = ctx;
	uint8_t news[4096];

	while (recv(t->news.fd, news, sizeof(news), MSG_DONTWAIT) >= 0 ||
	       errno == ENOBUFS)
		;
	look_at_link(t);
}

static int tap_start(struct port *port, struct error *error)
{
	struct tap *t = (struct tap *)port;
	int ret = t->queues ? 0 : loop_watch(port->loop, &t->watch, EPOLLIN);

	if (!ret)
		ret = loop_watch(port->loop, &t->news, EPOLLIN);
	if (ret)
		return fail(error, STATUS_OS, "--net %s: cannot wait for it: %s",
			    t->name, strerror(-ret));
	look_at_link(t);
	return 0;
}

static void tap_print(const struct port *port, FILE *file)
{
	const struct tap *t = (const struct tap *)port;

	if (t->queues)
		fprintf(file,
			"%s: the kernel moves the frames: ip -s link show %s\n",
			t->name, t->name);
}

/* But the first one's, which is that of the watch */
static void close_queues(struct tap *t)
{
	unsigned int i;

	for (i = 1; i < t->queues; i++)
		close_fd(&t->fd[i]);
}

static void tap_close(struct port *port)
{
	struct tap *t = (struct tap *)port;

	if (port->loop) {
		loop_watch(port->loop, &t->watch, 0);
		loop_watch(port->loop, &t->news, 0);
	}
	close_queues(t);
	close_fd(&t->watch.fd);
	close_fd(&t->news.fd);
	free(t);
}

/* ---- the interface -------------------------------------------------------- */

static int explain(const struct tap *t, const char *what, struct error *error)
{
	int err = errno;

	if (err == EPERM || err == EACCES)
		return fail(error, STATUS_PERMISSION,
			    "--net tap: no permission to %s: be root, or let root make it: ip tuntap add %s mode tap user %s; ip link set %s up; then give --net tap=%s. --net user needs no permission",
			    what, t->name[0] ? t->name : "tap0",
			    getenv("USER") ? getenv("USER") : "NAME",
			    t->name[0] ? t->name : "tap0",
			    t->name[0] ? t->name : "tap0");
	return fail(error, STATUS_OS, "--net tap%s%s: cannot %s: %s",
		    t->name[0] ? "=" : "", t->name, what, strerror(err));
}

static int open_tun(struct tap *t, struct error *error)
{
	t->news = (struct watch){ on_news, t, -1, 0 };
	t->watch = (struct watch){ on_readable, t,
		open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), 0 };
	if (t->watch.fd >= 0)
		return 0;
	if (errno == ENOENT || errno == ENODEV)
		return fail(error, STATUS_NO_DEVICE,
			    "--net tap: there is no /dev/net/tun: modprobe tun");
	return explain(t, "open /dev/net/tun", error);
}

static int open_news(struct tap *t, struct error *error)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK,
				       .nl_groups = RTMGRP_LINK };

	t->news.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			    NETLINK_ROUTE);
	if (t->news.fd >= 0 && !bind(t->news.fd, (struct sockaddr *)&address,
				     sizeof(address)))
		return 0;
	return explain(t, "hear of the interface's state", error);
}

static int tap_flags(const struct tap *t)
{
	return IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
	       (t->queues > 1 ? IFF_MULTI_QUEUE : 0);
}

/* An interface that is there is joined; its name is known then */
static int attach(struct tap *t, struct error *error)
{
	struct ifreq r = { .ifr_flags = tap_flags(t) };
	int len = sizeof(struct virtio_net_hdr_v1);

	strcpy(r.ifr_name, t->name[0] ? t->name : "mvmm%d");
	if (ioctl(t->watch.fd, TUNSETIFF, &r)) {
		if (errno == EBUSY)
			return fail(error, STATUS_BUSY,
				    "--net tap=%s: somebody uses it already",
				    t->name);
		if (errno == EINVAL)
			return fail(error, STATUS_USAGE,
				    "--net tap=%s: there is an interface of that name which is no tap%s",
				    t->name, t->queues > 1 ?
				    ", or has one queue: ip tuntap add needs multi_queue" :
				    "");
		return explain(t, "make or use an interface", error);
	}
	memcpy(t->name, r.ifr_name, IFNAMSIZ);
	if (ioctl(t->watch.fd, TUNSETVNETHDRSZ, &len) ||
	    ioctl(t->watch.fd, TUNSETOFFLOAD, 0))
		return explain(t, "use a header for offloads", error);
	return 0;
}

/* One for each pair of the NIC's, for vhost */
static int open_queues(struct tap *t, struct error *error)
{
	struct ifreq r = { .ifr_flags = tap_flags(t) };
	unsigned int i;

	if (!t->queues)
		return 0;
	memcpy(r.ifr_name, t->name, IFNAMSIZ);
	t->fd[0] = t->watch.fd;
	for (i = 1; i < t->queues; i++) {
		t->fd[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (t->fd[i] < 0 || ioctl(t->fd[i], TUNSETIFF, &r))
			return explain(t, "have more queues", error);
	}
	t->attached = t->queues;
	t->port.queue_fd = t->fd;
	return 0;
}

/* Or the bridge would take the tap's */
static void take_mtu(struct tap *t, const char *bridge, int fd)
{
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, bridge);
	if (ioctl(fd, SIOCGIFMTU, &r))
		return;
	memcpy(r.ifr_name, t->name, IFNAMSIZ);
	ioctl(fd, SIOCSIFMTU, &r);
}

static bool is_in_bridge(const char *bridge, int index, int fd)
{
	int ports[MAX_BRIDGE_PORTS] = { 0 };
	unsigned long args[4] = { BRCTL_GET_PORT_LIST, (unsigned long)ports,
				  MAX_BRIDGE_PORTS, 0 };
	struct ifreq r = { .ifr_data = (char *)args };
	unsigned int i;

	strcpy(r.ifr_name, bridge);
	if (ioctl(fd, SIOCDEVPRIVATE, &r) < 0)
		return false;
	for (i = 0; i < MAX_BRIDGE_PORTS; i++)
		if (ports[i] == index)
			return true;
	return false;
}

static int add_to_bridge(struct tap *t, const char *bridge, int fd,
			 struct error *error)
{
	struct ifreq r = { .ifr_ifindex = if_nametoindex(t->name) };

	strcpy(r.ifr_name, bridge);
	if (!ioctl(fd, SIOCBRADDIF, &r))
		return 0;
	if (errno == ENODEV || errno == EOPNOTSUPP)
		return fail(error, STATUS_USAGE,
			    "--net tap: %s is no bridge: ip link add %s type bridge",
			    bridge, bridge);
	if (errno != EBUSY)
		return explain(t, "add it to a bridge", error);
	if (is_in_bridge(bridge, r.ifr_ifindex, fd))
		return 0;
	return fail(error, STATUS_BUSY,
		    "--net tap=%s: it is in another bridge than %s: ip link set %s nomaster",
		    t->name, bridge, t->name);
}

/* One that was made is up, with the bridge's MTU, which is the guest's then */
static int set_up(struct tap *t, bool made, const char *bridge,
		  struct error *error)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;
	struct ifreq r = { 0 };

	if (fd < 0)
		return explain(t, "ask for a socket", error);
	if (bridge && made)
		take_mtu(t, bridge, fd);
	if (bridge)
		ret = add_to_bridge(t, bridge, fd, error);
	memcpy(r.ifr_name, t->name, IFNAMSIZ);
	if (!ret && made && !ioctl(fd, SIOCGIFFLAGS, &r)) {
		r.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &r))
			ret = explain(t, "set it up", error);
	}
	if (!ret && !ioctl(fd, SIOCGIFMTU, &r) && r.ifr_mtu != 1500 &&
	    r.ifr_mtu >= 68 && r.ifr_mtu <= 65535)
		t->port.mtu = r.ifr_mtu;
	close(fd);
	return ret;
}

static int name_fits(const char *name, struct error *error)
{
	return !name || strlen(name) < IFNAMSIZ ? 0 :
	       fail(error, STATUS_USAGE,
		    "--net tap: an interface's name has at most %u bytes: %s",
		    IFNAMSIZ - 1, name);
}

struct port *tap_open(const struct net_config *config, struct error *error)
{
	static const struct port_ops ops = {
		.start = tap_start, .receive = tap_receive, .ready = tap_ready,
		.changed = tap_changed, .print = tap_print, .close = tap_close };
	struct tap *t;
	bool made;
	unsigned int i;

	if (name_fits(config->address, error) ||
	    name_fits(config->bridge, error))
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t) {
		fail(error, STATUS_OS, "--net: no memory");
		return NULL;
	}
	if (config->address)
		strcpy(t->name, config->address);
	t->port = (struct port){ .ops = &ops, .name = t->name,
		.takes = PORT_CSUM | PORT_TSO4 | PORT_TSO6 | PORT_ECN,
		.gives = PORT_CSUM | PORT_TSO4 | PORT_TSO6 | PORT_ECN };
	t->iov.iov_base = t->bytes;
	t->frame.iov = &t->iov;
	t->frame.niov = 1;
	for (i = 0; i < NET_QUEUES; i++)
		t->fd[i] = -1;
	if (config->vhost)
		t->queues = config->queues ? config->queues : 1;
	made = !t->name[0] || !if_nametoindex(t->name);
	if (!open_tun(t, error) && !attach(t, error) && !open_queues(t, error) &&
	    !set_up(t, made, config->bridge, error) && !open_news(t, error))
		return &t->port;
	close_queues(t);
	close_fd(&t->watch.fd);
	close_fd(&t->news.fd);
	free(t);
	return NULL;
}
