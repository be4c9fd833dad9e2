// SPDX-License-Identifier: GPL-2.0
/* See cable.h. */
#include <stdlib.h>
#include <string.h>
#include "net/switch/cable.h"

#define NS	1000000000ull
#define MS	1000000ull

/**
 * struct cable_frame - on its way
 * @next: the one behind it
 * @due: when it comes out
 * @len: bytes
 */
struct cable_frame {
	struct cable_frame *next;
	uint64_t due;
	size_t len;
	uint8_t bytes[];
};

/* In memory: frames without bytes are not free of charge */
static size_t cost_of(size_t len)
{
	return sizeof(struct cable_frame) + len;
}

static struct cable_end *end_of(struct port *port)
{
	return (struct cable_end *)port;
}

static struct cable_end *other_end(struct cable_end *e)
{
	return &e->cable->end[e == e->cable->end];
}

/* splitmix64 */
static uint64_t next_random(struct cable *c)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void set_arrival(struct cable *c)
{
	const struct cable_frame *a = c->end[0].first, *b = c->end[1].first;
	uint64_t when = a ? a->due : 0;

	if (b && (!when || b->due < when))
		when = b->due;
	loop_set_timer(c->end[0].port.loop, &c->arrival, when);
}

static void come_out(struct cable_end *e, uint64_t now)
{
	struct cable_end *other = other_end(e);
	struct cable_frame *f;

	while ((f = e->first) && f->due <= now) {
		struct iovec iov = { f->bytes, f->len };
		const struct frame frame = { .iov = &iov, .niov = 1,
					     .len = f->len };

		e->first = f->next;
		e->bytes -= cost_of(f->len);
		/* Nobody waits for who is full: as at the switch itself */
		if (!port_send(&other->port, &frame))
			port_refuse(&other->port.to_peer, DROP_FULL);
		free(f);
	}
	port_flush(&other->port);
}

static void on_arrival(void *ctx)
{
	struct cable *c = ctx;
	uint64_t now = vm_clock_now(c->end[0].port.loop->clock);

	come_out(&c->end[0], now);
	come_out(&c->end[1], now);
	set_arrival(c);
}

/* When the frame has been sent whole; 0: it would have to wait too long */
static uint64_t sent_at(struct cable_end *e, size_t len, uint64_t now)
{
	uint32_t rate = e->cable->config.rate;

	if (!rate)
		return now;
	if (e->free < now)
		e->free = now;
	if (e->free - now > CABLE_WAIT)
		return 0;
	e->free += len * 8 * NS / 1000 / rate;
	return e->free;
}

static enum port_drop put_in(struct cable_end *e, const struct frame *frame)
{
	const struct cable_config *config = &e->cable->config;
	uint64_t now = vm_clock_now(e->port.loop->clock), sent;
	struct cable_frame *f;

	if (cost_of(frame->len) > CABLE_BYTES - e->bytes)
		return DROP_RATE;
	if (config->loss && next_random(e->cable) % 1000 < config->loss)
		return DROP_CHANCE;
	f = malloc(cost_of(frame->len));
	sent = f ? sent_at(e, frame->len, now) : 0;
	if (!sent) {
		free(f);
		return DROP_RATE;
	}
	*f = (struct cable_frame){ .due = sent + config->delay * MS,
				   .len = frame->len };
	frame_peek(frame, f->bytes, f->len);
	if (e->first)
		e->last->next = f;
	else
		e->first = f;
	e->last = f;
	e->bytes += cost_of(f->len);
	return DROPS;
}

static bool cable_receive(struct port *port, const struct frame *frame)
{
	struct cable_end *e = end_of(port);
	struct cable_frame *was = e->first;
	enum port_drop why = put_in(e, frame);

	if (why != DROPS)
		port_drop(&port->from_peer, why);
	else
		port_sent(port, frame);
	/* Of others behind it nobody has to be told */
	if (e->first != was)
		set_arrival(e->cable);
	return true;
}

/* Each end has the link of who is at the other one */
static void cable_changed(struct port *port)
{
	struct cable_end *e = end_of(port);

	port_set_link(&other_end(e)->port, port->peer && port->peer->link);
}

bool cable_is_needed(const struct cable_config *c)
{
	return c->rate || c->delay || c->loss;
}

struct cable *cable_new(const struct cable_config *config, struct loop *loop,
			struct port *of_switch, struct port *plugged)
{
	static const struct port_ops ops = { .receive = cable_receive,
					     .changed = cable_changed };
	struct cable *c = calloc(1, sizeof(*c));
	unsigned int i;

	if (!c)
		return NULL;
	c->config = *config;
	c->random = config->seed ? config->seed : host_ns();
	c->arrival = (struct timer){ on_arrival, c, 0, NULL };
	for (i = 0; i < 2; i++) {
		c->end[i].cable = c;
		c->end[i].port = (struct port){ .ops = &ops, .loop = loop,
						.name = "cable" };
	}
	port_connect(&c->end[1].port, plugged);
	port_connect(&c->end[0].port, of_switch);
	return c;
}

void cable_free(struct cable *c)
{
	struct cable_frame *f;
	unsigned int i;

	if (!c)
		return;
	loop_set_timer(c->end[0].port.loop, &c->arrival, 0);
	for (i = 0; i < 2; i++) {
		port_disconnect(&c->end[i].port);
		while ((f = c->end[i].first)) {
			c->end[i].first = f->next;
			free(f);
		}
	}
	free(c);
}
