/* SPDX-License-Identifier: GPL-2.0 */
/* A port that a test plays: it notes the frames that come, or is full. */
#ifndef MVMM_PLAYED_PORT_H
#define MVMM_PLAYED_PORT_H

#include <string.h>
#include "net/net.h"

static struct played_port {
	struct port port;
	bool full;
	unsigned int limit;	/* of frames, if it is not 0: then it is, too */
	unsigned int frames, flushed, readied, changes;
	struct virtio_net_hdr_v1 header;	/* of the last one */
	size_t len;
	uint8_t bytes[FRAME_MAX];
} played;

static bool played_receive(struct port *port, const struct frame *frame)
{
	struct played_port *p = (struct played_port *)port;

	if (p->full || (p->limit && p->frames >= p->limit))
		return false;
	p->frames++;
	p->header = frame->header;
	p->len = frame_peek(frame, p->bytes, sizeof(p->bytes));
	port_sent(port, frame);
	return true;
}

static void played_flush(struct port *port)
{
	((struct played_port *)port)->flushed++;
}

static void played_ready(struct port *port)
{
	((struct played_port *)port)->readied++;
}

static void played_changed(struct port *port)
{
	((struct played_port *)port)->changes++;
}

static inline void played_init(struct loop *loop)
{
	static const struct port_ops ops = {
		.receive = played_receive, .flush = played_flush,
		.ready = played_ready, .changed = played_changed };
	const unsigned int all = PORT_CSUM | PORT_TSO4 | PORT_TSO6 | PORT_ECN;

	memset(&played, 0, sizeof(played));
	played.port = (struct port){ .ops = &ops, .loop = loop, .link = true,
				     .takes = all, .gives = all,
				     .name = "played" };
}

/* A frame of @len bytes from one address to another; false: it was not taken */
static inline bool played_send_frame(const void *bytes, size_t len,
				     const struct virtio_net_hdr_v1 *header)
{
	const struct iovec iov[] = { { (void *)bytes, 10 },
				     { (uint8_t *)bytes + 10, len - 10 } };
	struct frame frame = { .iov = iov, .niov = 2, .len = len };
	bool taken;

	if (header)
		frame.header = *header;
	taken = port_send(&played.port, &frame);
	port_flush(&played.port);
	return taken;
}

static inline uint64_t sum_of(const struct port_count *c)
{
	uint64_t sum = c->out;
	unsigned int i;

	for (i = 0; i < DROPS; i++)
		sum += c->dropped[i];
	return sum;
}

/* Each frame went on, or is counted by the reason for which it did not */
static inline bool adds_up(const struct port *port)
{
	return port->to_peer.in == sum_of(&port->to_peer) &&
	       port->from_peer.in == sum_of(&port->from_peer);
}

#endif
