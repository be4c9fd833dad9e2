// SPDX-License-Identifier: GPL-2.0
/*
 * --net switch=NAME: a port of a switch of this host (mvmm switch NAME). It has to be
 * there when the guest starts; if it ends the link is down until it is there again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/switch/ring_port.h"
#include "net/switch/server.h"

#define RETRY_NS	1000000000ull
#define PATIENCE_MS	5000

/**
 * struct client - see above
 * @ring: begins it
 * @joining: of a socket on which the switch has not answered yet
 * @again: it tries to join
 * @at: the switch's socket
 * @hello: what it says there
 * @text: for messages
 * @direct: the switch serves rings of NICs
 * @was_told: the user knows that there is no switch
 */
struct client {
	struct ring_port ring;
	struct watch joining;
	struct timer again;
	struct sockaddr_un at;
	struct ring_hello hello;
	char text[64];
	bool direct, was_told;
};

/* Says hello. A socket that does not block, or -1 with errno */
static int dial(const struct client *c)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !connect(fd, (const struct sockaddr *)&c->at,
				sizeof(c->at)) &&
	    send(fd, &c->hello, sizeof(c->hello), MSG_NOSIGNAL) ==
	    sizeof(c->hello))
		return fd;
	if (fd >= 0) {
		int err = errno;

		close(fd);
		errno = err;
	}
	return -1;
}

/* The answer. -1 with @error: it is none, or says no */
static int take_welcome(struct client *c, int fd, struct error *error)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct ring_welcome w = { 0 };
	struct iovec iov = { &w, sizeof(w) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int memory = n < 0 ? -1 : take_fd(&message), ret = -1;

	if (n != sizeof(w) || memcmp(w.magic, RING_MAGIC, sizeof(w.magic)) ||
	    w.mac[0] & 1)
		fail(error, STATUS_DATA,
		     "--net %s: the answer is not that of a switch", c->text);
	else if (w.status)
		fail(error, STATUS_BUSY, "--net %s: %.*s", c->text,
		     (int)sizeof(w.text), w.text);
	else if (memory < 0 || ring_port_map(&c->ring, memory, RING_OF_GUEST))
		fail(error, STATUS_OS,
		     "--net %s: no memory that is shared: %s", c->text,
		     strerror(errno));
	else
		ret = 0;
	if (!ret) {
		c->direct = w.direct;
		memcpy(c->ring.port.mac, w.mac, MAC_LEN);
		ring_port_agree(&c->ring, w.offloads, RING_OF_GUEST);
		/* The guest has it now: it is to get it again, or none */
		memcpy(c->hello.mac, w.mac, MAC_LEN);
		c->hello.fixed = 1;
	}
	close_fd(&memory);
	return ret;
}

static void retry_later(struct client *c, const char *why)
{
	struct loop *loop = c->ring.port.loop;

	if (!c->was_told)
		dprintf(STDERR_FILENO,
			"\r\nmvmm: --net %s has no connection: %s: trying again each second\r\n",
			c->text, why);
	c->was_told = true;
	loop_set_timer(loop, &c->again, vm_clock_now(loop->clock) + RETRY_NS);
}

static void on_lost(struct ring_port *ring, int error)
{
	retry_later((struct client *)ring,
		    error ? strerror(error) : "the switch has gone");
}

static void on_welcome(void *ctx, uint32_t events)
{
	struct client *c = ctx;
	struct error error = { 0 };
	int fd = c->joining.fd;

	loop_watch(c->ring.port.loop, &c->joining, 0);
	c->joining.fd = -1;
	if (take_welcome(c, fd, &error) || ring_port_use(&c->ring, fd)) {
		close(fd);
		retry_later(c, error.text);
		return;
	}
	/* It may have been lost at once */
	if (!c->ring.port.link)
		return;
	dprintf(STDERR_FILENO, "\r\nmvmm: --net %s is connected\r\n",
		c->text);
	c->was_told = false;
}

static void join_again(void *ctx)
{
	struct client *c = ctx;

	ring_port_close(&c->ring);
	c->joining.fd = dial(c);
	if (c->joining.fd < 0) {
		retry_later(c, strerror(errno));
	} else if (loop_watch(c->ring.port.loop, &c->joining, EPOLLIN)) {
		close_fd(&c->joining.fd);
		retry_later(c, "no memory");
	}
}

static int start(struct port *port, struct error *error)
{
	struct client *c = (struct client *)port;
	int fd = c->joining.fd;

	c->joining.fd = -1;
	if (!ring_port_use(&c->ring, fd))
		return 0;
	close(fd);
	return fail(error, STATUS_OS, "--net %s: cannot wait for it", c->text);
}

/* One end of a pair, whose other one the switch gets */
static int hand_over(struct port *port, uint32_t **place)
{
	struct client *c = (struct client *)port;
	int pair[2];

	if (!c->direct || !port->link ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	*place = c->ring.place;
	if (ring_port_give(&c->ring, pair[1]))
		close_fd(&pair[0]);
	close(pair[1]);
	return pair[0];
}

static void close_client(struct port *port)
{
	struct client *c = (struct client *)port;

	if (port->loop) {
		loop_watch(port->loop, &c->joining, 0);
		loop_set_timer(port->loop, &c->again, 0);
	}
	close_fd(&c->joining.fd);
	ring_port_close(&c->ring);
	free(c);
}

static void make_hello(struct client *c, const struct net_config *config)
{
	struct ring_hello *h = &c->hello;

	memcpy(h->magic, RING_MAGIC, sizeof(h->magic));
	memcpy(h->mac, config->mac, MAC_LEN);
	h->fixed = config->has_mac;
	h->offloads = PORT_ALL;
	memcpy(h->options, config->port_options, sizeof(h->options));
}

static int join(struct client *c, const char *name, struct error *error)
{
	struct pollfd p = { .events = POLLIN };

	c->joining.fd = p.fd = dial(c);
	if (p.fd < 0)
		return fail(error, errno == EACCES ? STATUS_PERMISSION :
			    STATUS_NO_INPUT,
			    "--net %s: %s: %s: \"mvmm switch %s\" starts one",
			    c->text, c->at.sun_path, strerror(errno), name);
	if (poll(&p, 1, PATIENCE_MS) <= 0)
		return fail(error, STATUS_BUSY,
			    "--net %s: the switch does not answer", c->text);
	return take_welcome(c, p.fd, error);
}

struct port *switch_port_open(const struct net_config *config,
			      struct error *error)
{
	static const struct port_ops ops = {
		.start = start, .receive = ring_receive, .flush = ring_flush,
		.ready = ring_ready, .changed = ring_changed,
		.hand_over = hand_over, .close = close_client };
	const char *name = config->address ? config->address : "";
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		fail(error, STATUS_OS, "--net: no memory");
		return NULL;
	}
	ring_port_init(&c->ring, &ops);
	c->ring.lost = on_lost;
	c->joining = (struct watch){ on_welcome, c, -1, 0 };
	c->again = (struct timer){ join_again, c, 0, NULL };
	snprintf(c->text, sizeof(c->text), "switch=%s", name);
	c->ring.port.name = c->text;
	c->at.sun_family = AF_UNIX;
	make_hello(c, config);
	if (!switch_path(c->at.sun_path, sizeof(c->at.sun_path), name, "port",
			 error) && !join(c, name, error))
		return &c->ring.port;
	close_client(&c->ring.port);
	return NULL;
}
