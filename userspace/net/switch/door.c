// SPDX-License-Identifier: GPL-2.0
/*
 * The switch's door: guests that come by the socket "port" say what they want, and
 * get a port with rings, or hear why not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/switch/ring_port.h"
#include "net/switch/server.h"
#include "net/switch/vhost_back.h"

/**
 * struct ring_guest - one with rings
 * @ring: begins it
 * @member: what it is here
 * @direct: the rings of its NIC, which it has handed over; or NULL
 */
struct ring_guest {
	struct ring_port ring;
	struct member *member;
	struct direct *direct;
};

/**
 * struct direct - rings of a NIC
 * @back: begins it
 * @guest: whose they are
 */
struct direct {
	struct vhost_back back;
	struct ring_guest *guest;
};

static void on_lost(struct ring_port *ring, int error)
{
	member_gone(((struct ring_guest *)ring)->member);
}

/* What frames may leave undone follows the driver, or else the guest's word for it */
static void on_link(struct vhost_back *back)
{
	struct ring_port *ring = &((struct direct *)back)->guest->ring;

	ring_port_agree(ring, ring->offloads, RING_OF_SWITCH);
	if (back->linked) {
		ring->port.takes = back->takes;
		ring->port.gives = back->gives;
	}
	port_changed(&ring->port);
}

static void take_away(struct ring_guest *g)
{
	if (!g->direct)
		return;
	vhost_back_close(&g->direct->back);
	free(g->direct);
	g->direct = NULL;
	server_unwatch(g->member->server);
}

/* The guest is here still, with its own rings */
static void on_direct_lost(struct vhost_back *back)
{
	take_away(((struct direct *)back)->guest);
}

static void on_given(struct ring_port *ring, int fd)
{
	struct ring_guest *g = (struct ring_guest *)ring;
	struct direct *d = calloc(1, sizeof(*d));

	take_away(g);
	if (!d || !server_watch(g->member->server)) {
		close(fd);
		free(d);
		return;
	}
	d->guest = g;
	vhost_back_init(&d->back, &ring->port);
	d->back.place = ring->place;
	d->back.link = on_link;
	d->back.lost = on_direct_lost;
	g->direct = d;
	if (vhost_back_use(&d->back, fd)) {
		close(fd);
		take_away(g);
	}
}

static struct vhost_back *linked(struct port *port)
{
	struct direct *d = ((struct ring_guest *)port)->direct;

	return d && d->back.linked ? &d->back : NULL;
}

static bool receive(struct port *port, const struct frame *frame)
{
	struct vhost_back *back = linked(port);

	return back ? vhost_back_receive(back, frame) :
		      ring_receive(port, frame);
}

/* Frames may have gone both ways, and both may wait */
static void flush(struct port *port)
{
	struct vhost_back *back = linked(port);

	ring_flush(port);
	if (back)
		vhost_back_flush(back);
}

static void close_guest(struct port *port)
{
	take_away((struct ring_guest *)port);
	ring_port_close((struct ring_port *)port);
	free(port);
}

static struct member *owner_of(struct switch_server *s, const uint8_t *mac)
{
	unsigned int i;

	for (i = 0; i < SWITCH_PORTS; i++)
		if (s->member[i].plug && !s->member[i].gone &&
		    !memcmp(s->member[i].mac, mac, MAC_LEN))
			return &s->member[i];
	return NULL;
}

/* One that nobody else has said. There are fewer ports than tries */
static int choose_mac(struct switch_server *s, uint8_t *mac, bool fixed,
		      struct error *error)
{
	struct member *other;
	unsigned int i;

	if (mac[0] & 1 || !memcmp(mac, "\0\0\0\0\0", MAC_LEN))
		return fail(error, STATUS_DATA,
			    "that is not the address of one NIC");
	while ((other = owner_of(s, mac))) {
		if (fixed)
			return fail(error, STATUS_BUSY,
				    "port %u has that address already",
				    other->plug->number);
		for (i = MAC_LEN; i-- > 3 && !++mac[i]; )
			;
	}
	return 0;
}

/* A member with rings in @memory. NULL with @error */
static struct ring_guest *admit(struct switch_server *s,
				struct ring_hello *hello, int memory,
				struct error *error)
{
	static const struct port_ops ops = {
		.receive = receive, .flush = flush, .ready = ring_ready,
		.changed = ring_changed, .close = close_guest };
	struct switch_config config = { .name = "guest" };
	struct ring_guest *g;

	hello->options[sizeof(hello->options) - 1] = 0;
	if ((hello->options[0] &&
	     options_parse(switch_options, &config, hello->options, false,
			   error)) ||
	    choose_mac(s, hello->mac, hello->fixed, error))
		return NULL;
	g = calloc(1, sizeof(*g));
	if (!g) {
		fail(error, STATUS_OS, "no memory");
		return NULL;
	}
	ring_port_init(&g->ring, &ops);
	g->ring.lost = on_lost;
	g->ring.given = on_given;
	ring_port_agree(&g->ring, hello->offloads, RING_OF_SWITCH);
	if (memory < 0 || ring_port_map(&g->ring, memory, RING_OF_SWITCH))
		fail(error, STATUS_OS, "no memory to share: %s",
		     strerror(errno));
	else
		g->member = member_join(s, &g->ring.port, "guest", &config,
					error);
	if (g->member) {
		memcpy(g->member->mac, hello->mac, MAC_LEN);
		/* The one that counts, if the port is locked */
		memcpy(g->member->plug->mac, hello->mac, MAC_LEN);
		return g;
	}
	close_guest(&g->ring.port);
	return NULL;
}

/* The whole hello has come; @fd is the guest's, or closed */
static void answer(struct switch_server *s, struct ring_hello *hello, int fd)
{
	struct ring_welcome w = { .magic = RING_MAGIC };
	int memory = ring_make_memory();
	struct error error = { 0 };
	struct ring_guest *g = admit(s, hello, memory, &error);

	if (g) {
		memcpy(w.mac, hello->mac, MAC_LEN);
		w.offloads = g->ring.offloads;
		w.direct = 1;
		if (send_with_fd(fd, &w, sizeof(w), memory) ||
		    ring_port_use(&g->ring, fd)) {
			close(fd);
			member_gone(g->member);
		}
	} else {
		w.status = error.status;
		snprintf(w.text, sizeof(w.text), "%.*s",
			 (int)sizeof(w.text) - 1, error.text);
		/* Who does not read it hears nothing */
		if (send_with_fd(fd, &w, sizeof(w), -1))
			fail(&error, STATUS_OS, "gone");
		close(fd);
	}
	close_fd(&memory);
}

/* ---- those that have their queues in memory -------------------------------- */

/**
 * struct vhost_guest - one by vhost-user
 * @port: begins it
 * @back: its rings
 * @server: where it is
 * @member: what it is here
 */
struct vhost_guest {
	struct port port;
	struct vhost_back back;
	struct switch_server *server;
	struct member *member;
};

static struct vhost_guest *of_back(struct vhost_back *back)
{
	return (struct vhost_guest *)((char *)back -
				      offsetof(struct vhost_guest, back));
}

static struct vhost_back *back_of(struct port *port)
{
	return &((struct vhost_guest *)port)->back;
}

static void on_vhost_lost(struct vhost_back *back)
{
	member_gone(of_back(back)->member);
}

static void on_vhost_link(struct vhost_back *back)
{
	back->port->takes = back->takes;
	back->port->gives = back->gives;
	port_set_link(back->port, back->linked);
}

static bool vhost_receive(struct port *port, const struct frame *frame)
{
	return vhost_back_receive(back_of(port), frame);
}

static void vhost_flush(struct port *port)
{
	vhost_back_flush(back_of(port));
}

static void close_vhost(struct port *port)
{
	struct vhost_guest *g = (struct vhost_guest *)port;

	vhost_back_close(&g->back);
	server_unwatch(g->server);
	free(g);
}

static void admit_vhost(struct switch_server *s, int fd)
{
	static const struct port_ops ops = {
		.receive = vhost_receive, .flush = vhost_flush,
		.close = close_vhost };
	struct switch_config config = { .name = "vhost" };
	struct vhost_guest *g = calloc(1, sizeof(*g));
	struct error error;

	if (!g || !server_watch(s)) {
		close(fd);
		free(g);
		return;
	}
	g->server = s;
	g->port = (struct port){ .ops = &ops, .name = "vhost" };
	vhost_back_init(&g->back, &g->port);
	g->back.link = on_vhost_link;
	g->back.lost = on_vhost_lost;
	g->member = member_join(s, &g->port, "vhost", &config, &error);
	if (!g->member) {
		close(fd);
		close_vhost(&g->port);
	} else if (vhost_back_use(&g->back, fd)) {
		close(fd);
		member_gone(g->member);
	}
}

static void on_hello(void *ctx, uint32_t events)
{
	struct newcomer *n = ctx;
	struct ring_hello hello;
	int fd = n->watch.fd;
	uint32_t request;

	loop_watch(&n->server->loop, &n->watch, 0);
	n->watch.fd = -1;
	/* What front ends say first */
	if (recv(fd, &request, sizeof(request), MSG_DONTWAIT | MSG_PEEK) ==
	    sizeof(request) && (request == GET_FEATURES || request == SET_OWNER))
		admit_vhost(n->server, fd);
	else if (recv(fd, &hello, sizeof(hello), MSG_DONTWAIT) ==
		 sizeof(hello) &&
		 !memcmp(hello.magic, RING_MAGIC, sizeof(hello.magic)))
		answer(n->server, &hello, fd);
	else
		close(fd);
}

void newcomer_admit(struct switch_server *s, int fd)
{
	struct newcomer *n = &s->newcomer[s->next_newcomer++ % NEWCOMERS];

	/* Who has said nothing for so long makes room */
	newcomer_close(n);
	*n = (struct newcomer){ s, { on_hello, n, fd, 0 } };
	if (loop_watch(&s->loop, &n->watch, EPOLLIN))
		close_fd(&n->watch.fd);
}

void newcomer_close(struct newcomer *n)
{
	if (!n->server)
		return;
	loop_watch(&n->server->loop, &n->watch, 0);
	close_fd(&n->watch.fd);
}
