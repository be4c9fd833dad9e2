// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-console (virtio 1.2, 5.3): a console, which is port 0, and named ports
 * (VIRTIO_CONSOLE_F_MULTIPORT). Each has a chardev on the host.
 */
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <string.h>
#include "core/machine.h"
#include "devices/virtio/virtio.h"

/* Port 0 receives by queue 0; the control queues come before those of port 1 */
#define CONTROL		2
#define PORT_QUEUES(id)	((id) ? 2 + 2 * (id) : 0u)
#define QUEUES(ports)	(2 + 2 * (ports))
/* Receiving has even numbers, transmitting is the next */
#define IS_TRANSMIT(n)	((n) & 1)

_Static_assert(QUEUES(MACHINE_PORTS) <= VIRTIO_QUEUES, "a queue for each");

/* At a time: then the loop's other devices come first */
#define CALL_BYTES	(64u << 10)
#define PIECE		4096u

/* What the driver is to be told of a port, in this order */
enum { DUE_ADD, DUE_CONSOLE, DUE_NAME, DUE_RESIZE, DUE_OPEN, DUE_KINDS };
#define DUE(kind) (1u << (kind))

/**
 * struct console_port - a port; without a chardev it is not there
 * @ready: the driver has prepared it
 * @open: somebody in the guest has it open
 * @due: DUE_*: messages that are to be sent
 * @sent: bytes of the next chain to transmit that are sent
 * @console: whose it is
 * @id: of the port
 * @name: what the guest calls it, or NULL
 * @chardev: the other end
 */
struct console_port {
	bool ready, open;
	uint8_t due;
	uint64_t sent;
	struct console *console;
	unsigned int id;
	const char *name;
	struct chardev *chardev;
};

/**
 * struct console - the device
 * @ops: with the number of its queues
 * @port: the ports
 * @ports: how many
 */
struct console {
	struct virtio virtio;
	struct virtio_ops ops;
	struct console_port port[MACHINE_PORTS];
	unsigned int ports;
};

static bool has_ports(const struct console *c)
{
	return virtio_has(&c->virtio, VIRTIO_CONSOLE_F_MULTIPORT);
}

static bool has_size(const struct console_port *p)
{
	return p->id == 0 && p->chardev->cols;
}

/* ---- control messages --------------------------------------------------- */

struct message {
	struct virtio_console_control control;
	union {
		struct { uint16_t cols, rows; } size;
		char name[PORT_NAME_MAX];
	};
} __attribute__((packed));

/* Returns its length */
static size_t make_message(const struct console_port *p, unsigned int kind,
			   struct message *m)
{
	static const uint16_t event[] = {
		[DUE_ADD] = VIRTIO_CONSOLE_PORT_ADD,
		[DUE_CONSOLE] = VIRTIO_CONSOLE_CONSOLE_PORT,
		[DUE_NAME] = VIRTIO_CONSOLE_PORT_NAME,
		[DUE_RESIZE] = VIRTIO_CONSOLE_RESIZE,
		[DUE_OPEN] = VIRTIO_CONSOLE_PORT_OPEN };
	size_t len = sizeof(m->control);

	m->control = (struct virtio_console_control){
		.id = p->id, .event = event[kind], .value = 1 };
	if (kind == DUE_OPEN)
		m->control.value = p->chardev->is_open;
	if (kind == DUE_RESIZE) {
		m->size.cols = p->chardev->cols;
		m->size.rows = p->chardev->rows;
		len += sizeof(m->size);
	}
	if (kind == DUE_NAME) {
		size_t n = strnlen(p->name, sizeof(m->name));

		memcpy(m->name, p->name, n);
		len += n;
	}
	return len;
}

/* What there is no buffer for stays due, until the driver adds one */
static void send_due(struct console *c)
{
	struct virtqueue *queue = &c->virtio.queue[CONTROL];
	unsigned int id, kind;
	struct message m;
	struct chain chain;

	if (!virtio_is_running(&c->virtio) || !has_ports(c))
		return;
	for (id = 0; id < c->ports; id++) {
		struct console_port *p = &c->port[id];

		for (kind = 0; kind < DUE_KINDS; kind++) {
			size_t len;

			if (!(p->due & DUE(kind)))
				continue;
			if (!queue_pop(queue, &chain))
				goto out;
			len = make_message(p, kind, &m);
			queue_push(queue, &chain,
				   chain_put(&chain, &m, len));
			p->due &= ~DUE(kind);
		}
	}
out:
	queue_signal(queue);
}

/* ---- data --------------------------------------------------------------- */

static struct virtqueue *receive_queue(const struct console_port *p)
{
	return &p->console->virtio.queue[PORT_QUEUES(p->id)];
}

/* May bytes be given to the driver? If it has ports, it says so */
static bool is_listening(const struct console_port *p)
{
	return virtio_is_running(&p->console->virtio) &&
	       (has_ports(p->console) ? p->open : p->id == 0);
}

static size_t room(const struct chain *chain)
{
	size_t sum = 0;
	unsigned int i;

	for (i = 0; i < chain->in && sum < PIECE; i++)
		sum += chain->iov[chain->out + i].iov_len;
	return sum < PIECE ? sum : PIECE;
}

static void receive(void *ctx)
{
	struct console_port *p = ctx;
	struct virtqueue *queue = receive_queue(p);
	unsigned int left = CALL_BYTES / PIECE;
	uint8_t bytes[PIECE];
	struct chain chain;
	size_t n;

	if (!is_listening(p))
		return;
	while (queue_pop(queue, &chain)) {
		if (!chain.in) {
			virtio_break(&p->console->virtio,
				     "a buffer to receive that it cannot write");
			break;
		}
		if (!left--) {
			queue_unpop(queue, &chain);
			virtio_again(&p->console->virtio, queue);
			break;
		}
		n = p->chardev->ops->take(p->chardev, bytes, room(&chain));
		if (!n) {
			queue_unpop(queue, &chain);
			break;
		}
		queue_push(queue, &chain, chain_put(&chain, bytes, n));
	}
	queue_signal(queue);
}

/*
 * Sends what was not sent of a chain, @left bytes at most. False: not all of it,
 * because of that if *@left is 0, or of the other end, which will say when.
 */
static bool send_chain(struct console_port *p, const struct chain *chain,
		       uint64_t *left)
{
	uint64_t skip = p->sent;
	unsigned int i;

	for (i = 0; i < chain->out; i++) {
		const struct iovec *iov = &chain->iov[i];
		size_t len, n;

		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		len = iov->iov_len - skip;
		len = len < *left ? len : *left;
		n = p->chardev->ops->put(p->chardev,
					 (uint8_t *)iov->iov_base + skip, len);
		p->sent += n;
		*left -= n;
		if (n < iov->iov_len - skip)
			return false;
		skip = 0;
	}
	return true;
}

/* Where nobody listens bytes are lost, as on a line */
static void transmit(void *ctx)
{
	struct console_port *p = ctx;
	struct virtio *virtio = &p->console->virtio;
	struct virtqueue *queue = receive_queue(p) + 1;
	unsigned int chains = queue->size;
	uint64_t left = CALL_BYTES;
	struct chain chain;

	if (!virtio_is_running(virtio))
		return;
	while (queue_pop(queue, &chain)) {
		if (!chains-- || !left) {
			left = 0;
			queue_unpop(queue, &chain);
			break;
		}
		if (p->chardev->is_open && !send_chain(p, &chain, &left)) {
			queue_unpop(queue, &chain);
			break;
		}
		p->sent = 0;
		queue_push(queue, &chain, 0);
	}
	queue_signal(queue);
	if (!left)
		virtio_again(virtio, queue);
}

/* The other end has come, gone, or another size */
static void changed(void *ctx)
{
	struct console_port *p = ctx;
	struct console *c = p->console;

	/* A terminal has a size, and stays */
	if (p->id == 0)
		virtio_config_changed(&c->virtio);
	if (p->ready)
		p->due |= p->id ? DUE(DUE_OPEN) : has_size(p) ?
			  DUE(DUE_RESIZE) : 0;
	send_due(c);
	/* What waited for its end is lost. Not from here: it may be in put() */
	virtio_again(&c->virtio, receive_queue(p) + 1);
}

/* ---- what the driver says ------------------------------------------------ */

static void prepared(struct console_port *p, bool ready)
{
	p->ready = ready;
	p->open = p->open && ready;
	p->due = 0;
	if (!ready)
		return;
	p->due = (p->id ? 0 : DUE(DUE_CONSOLE)) |
		 (p->name ? DUE(DUE_NAME) : 0) |
		 (has_size(p) ? DUE(DUE_RESIZE) : 0) |
		 (p->chardev->is_open ? DUE(DUE_OPEN) : 0);
}

static void handle(struct console *c, const struct virtio_console_control *m)
{
	struct console_port *p = NULL;
	unsigned int id;

	if (m->event == VIRTIO_CONSOLE_DEVICE_READY) {
		for (id = 0; m->value && id < c->ports; id++)
			if (c->port[id].chardev)
				c->port[id].due |= DUE(DUE_ADD);
		return;
	}
	if (m->id < c->ports && c->port[m->id].chardev)
		p = &c->port[m->id];
	if (p && m->event == VIRTIO_CONSOLE_PORT_READY) {
		prepared(p, m->value);
	} else if (p && m->event == VIRTIO_CONSOLE_PORT_OPEN) {
		p->open = m->value;
		receive(p);
	}
}

static void control(struct console *c, struct virtqueue *queue)
{
	unsigned int left = queue->size;
	struct virtio_console_control m;
	struct chain chain;

	while (queue_pop(queue, &chain)) {
		if (!left--) {
			queue_unpop(queue, &chain);
			virtio_again(&c->virtio, queue);
			break;
		}
		if (chain_take(&chain, &m, sizeof(m)) == sizeof(m))
			handle(c, &m);
		queue_push(queue, &chain, 0);
	}
	queue_signal(queue);
	send_due(c);
}

static void notified(struct virtio *virtio, struct virtqueue *queue)
{
	struct console *c = (struct console *)virtio;
	unsigned int n = queue->number, id = n > CONTROL + 1 ? n / 2 - 1 : 0;

	/* These are not there then */
	if (n >= CONTROL && !has_ports(c))
		return;
	if (n == CONTROL)
		send_due(c);
	else if (n == CONTROL + 1)
		control(c, queue);
	else if (!c->port[id].chardev)
		return;
	else if (IS_TRANSMIT(n))
		transmit(&c->port[id]);
	else
		receive(&c->port[id]);
}

static uint64_t features(struct virtio *virtio)
{
	return 1ull << VIRTIO_CONSOLE_F_SIZE |
	       1ull << VIRTIO_CONSOLE_F_MULTIPORT;
}

static void config(struct virtio *virtio, uint8_t *bytes)
{
	struct console *c = (struct console *)virtio;
	const struct chardev *terminal = c->port[0].chardev;
	struct virtio_console_config config = {
		.cols = terminal ? terminal->cols : 0,
		.rows = terminal ? terminal->rows : 0,
		.max_nr_ports = c->ports };

	memcpy(bytes, &config, sizeof(config));
}

static void forget(struct virtio *virtio)
{
	struct console *c = (struct console *)virtio;
	unsigned int id;

	for (id = 0; id < MACHINE_PORTS; id++) {
		struct console_port *p = &c->port[id];

		p->ready = p->open = false;
		p->due = p->sent = 0;
	}
}

static int create(struct device *device, struct error *error)
{
	static const struct virtio_ops ops = {
		.type = VIRTIO_ID_CONSOLE, .class = 0x078000,
		.features = features,
		/* The rest is of a feature that is not offered */
		.config_len = offsetof(struct virtio_console_config, emerg_wr),
		.config = config, .notified = notified, .reset = forget };
	struct console *c = (struct console *)device;
	struct machine *m = device->machine;
	unsigned int id;

	if (device->number || !m->config.ports)
		return fail(error, STATUS_USAGE,
			    "a virtio-console has the ports of --port, and all of them");
	c->ports = m->config.ports;
	for (id = 0; id < c->ports; id++) {
		struct console_port *p = &c->port[id];

		p->console = c;
		p->id = id;
		p->name = m->config.port[id].name;
		p->chardev = m->config.port[id].chardev;
	}
	c->ops = ops;
	c->ops.queues = QUEUES(c->ports);
	if (virtio_create(&c->virtio, &c->ops, error))
		return -1;
	for (id = 0; id < c->ports; id++) {
		struct chardev *chardev = c->port[id].chardev;

		if (!chardev)
			continue;
		chardev->readable = receive;
		chardev->writable = transmit;
		chardev->changed = changed;
		chardev->ctx = &c->port[id];
	}
	return 0;
}

static void reset(struct device *device)
{
	virtio_reset((struct virtio *)device);
}

static int loaded(struct device *device, struct error *error)
{
	struct console *c = (struct console *)device;
	unsigned int id;

	for (id = 0; id < MACHINE_PORTS; id++) {
		struct console_port *p = &c->port[id];

		if (!p->chardev && (p->ready || p->open || p->due || p->sent))
			return fail(error, STATUS_DATA, "there is no port %u",
				    id);
		if (p->due >> DUE_KINDS || (p->due & DUE(DUE_NAME) && !p->name))
			return fail(error, STATUS_DATA,
				    "port %u: 0x%x is due, which is not known",
				    id, p->due);
		/* The other end is another one now */
		if (p->ready)
			p->due |= id ? DUE(DUE_OPEN) : has_size(p) ?
				  DUE(DUE_RESIZE) : 0;
	}
	return virtio_loaded(&c->virtio, error);
}

static void destroy(struct device *device)
{
	struct console *c = (struct console *)device;
	unsigned int id;

	for (id = 0; id < c->ports; id++)
		if (c->port[id].chardev)
			c->port[id].chardev->ctx = NULL;
	virtio_destroy(&c->virtio);
}

static const struct field port_fields[] = {
	FIELD(struct console_port, ready), FIELD(struct console_port, open),
	FIELD(struct console_port, due), FIELD(struct console_port, sent),
	FIELDS_END
};

static const struct field fields[] = {
	VIRTIO_FIELDS(struct console, QUEUES(MACHINE_PORTS)),
	FIELD_STRUCTS(struct console, port, port_fields), FIELDS_END
};

static const struct option_spec options[] = {
	VIRTIO_OPTIONS(struct console), OPTIONS_END
};

static const struct device_class virtio_console = {
	.name = "virtio-console",
	.help = "the ports of --port, and the console with --console virtio",
	.size = sizeof(struct console), .options = options,
	.fields = fields, .create = create, .reset = reset, .loaded = loaded,
	.destroy = destroy,
};
DEVICE_CLASS(virtio_console);
