// SPDX-License-Identifier: GPL-2.0
/*
 * See vhost_back.h: frames. What the front end says is in vhost_talk.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/virtio_config.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include "net/switch/vhost_back.h"

/*
 * A driver that sends a frame at a time is told so late that it was sent: it finds out by
 * itself when it sends or receives the next one, and an interrupt that wakes a CPU for
 * nothing else costs as much as a frame. So many of them, and so many ns at most
 */
#define LATE		16
#define LATE_NS		1000000ull
/* As TURN_COST, of each piece of a frame */
#define PIECE_COST	64

static bool has(const struct vhost_back *b, unsigned int feature)
{
	return b->features >> feature & 1;
}

/* ---- of the queues --------------------------------------------------------- */

static void *memory(const struct virtqueue *q, uint64_t gpa, uint64_t len,
		    bool write)
{
	const struct vhost_back *b = q->owner;
	const struct vhost_part *p;

	for (p = b->part; p < b->part + b->parts; p++)
		if (gpa - p->is.gpa < p->is.size &&
		    len <= p->is.size - (gpa - p->is.gpa))
			return p->at + (gpa - p->is.gpa);
	return NULL;
}

static bool may(const struct virtqueue *q)
{
	const struct vhost_back *b = q->owner;

	return b->ring[q->number].on;
}

/* Who makes us wait is cut off: it is full, and others have the switch, too */
static void ring_eventfd(struct vhost_back *b, int fd)
{
	if (fd >= 0 && eventfd_write(fd, 1) && errno == EINTR)
		vhost_lose(b);
}

static void broken(struct virtqueue *q, const char *why)
{
	struct vhost_back *b = q->owner;
	struct vhost_ring *r = &b->ring[q->number];

	vhost_stop_ring(b, r);
	vhost_set_link(b);
	ring_eventfd(b, r->err);
}

static void interrupt(struct virtqueue *q)
{
	struct vhost_back *b = q->owner;

	ring_eventfd(b, b->ring[q->number].call);
}

const struct queue_ops vhost_queue_ops = {
	.memory = memory, .may = may, .broken = broken,
	.interrupt = interrupt };

/* ---- to the guest ---------------------------------------------------------- */

/* As chains_put() */
static int put(struct vhost_back *b, const struct frame *frame)
{
	struct virtio_net_hdr_v1 head = frame->header;
	int ret;

	/* What did not fit would not do so now, and be copied in part each time */
	if (b->starved)
		return 0;
	if (!has(b, VIRTIO_NET_F_GUEST_CSUM))
		head.flags = 0;
	head.num_buffers = 1;
	ret = chains_put(&b->ring[VHOST_RX].queue, b->filled,
			 has(b, VIRTIO_NET_F_MRG_RXBUF), &head, sizeof(head),
			 frame);
	b->starved = !ret;
	return ret;
}

/* It was counted as sent, and is dropped after all */
static void lose_waiting(struct vhost_back *b, const struct frame *frame,
			 enum port_drop why)
{
	b->port->from_peer.out--;
	b->port->from_peer.bytes -= frame->len;
	port_drop(&b->port->from_peer, why);
}

/* False: frames wait for buffers */
static bool put_backlog(struct vhost_back *b)
{
	struct iovec iov[RING_PIECES];
	struct frame frame;
	int ret;

	while (b->waiting.data &&
	       ring_get(&b->waiting, iov, &frame) == RING_DONE) {
		ret = put(b, &frame);
		if (!ret)
			return false;
		if (ret < 0)
			lose_waiting(b, &frame, DROP_LENGTH);
		ring_next(&b->waiting, &frame);
	}
	return true;
}

void vhost_drop_backlog(struct vhost_back *b)
{
	struct iovec iov[RING_PIECES];
	struct frame frame;

	while (b->waiting.data &&
	       ring_get(&b->waiting, iov, &frame) == RING_DONE) {
		lose_waiting(b, &frame, DROP_LOST);
		ring_next(&b->waiting, &frame);
	}
}

static bool add_to_backlog(struct vhost_back *b, const struct frame *frame)
{
	if (!b->backlog.data) {
		void *data = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (data == MAP_FAILED)
			return false;
		b->backlog = b->waiting = (struct ring){ &b->words, data, 0,
							 0 };
	}
	return ring_put(&b->backlog, frame) == RING_DONE;
}

bool vhost_back_receive(struct vhost_back *b, const struct frame *frame)
{
	struct port *port = b->port;
	int ret;

	if (frame->len < FRAME_MIN || frame->len > FRAME_MAX) {
		port_drop(&port->from_peer, DROP_LENGTH);
		return true;
	}
	ret = put_backlog(b) ? put(b, frame) : 0;
	if (ret < 0) {
		port_drop(&port->from_peer, DROP_LENGTH);
		return true;
	}
	if (!ret && !add_to_backlog(b, frame))
		return false;
	port_sent(port, frame);
	return true;
}

void vhost_back_flush(struct vhost_back *b)
{
	if (b->ring[VHOST_RX].queue.enabled)
		queue_signal(&b->ring[VHOST_RX].queue);
}

static void serve_receiver(struct vhost_back *b)
{
	b->starved = false;
	put_backlog(b);
	vhost_back_flush(b);
}

/* ---- from the guest -------------------------------------------------------- */

/* Returns its length. The peer is of the switch, where nobody waits for who is full */
static size_t send_chain(struct vhost_back *b, struct chain *chain)
{
	struct virtio_net_hdr_v1 head;
	struct frame frame = { .len = 0 };
	enum port_drop why = DROPS;

	if (!chain_frame(chain, &head, sizeof(head), &frame))
		why = DROP_LENGTH;
	else if (!frame_check(&frame, b->gives))
		why = DROP_HEADER;
	else if (!port_send(b->port, &frame))
		why = DROP_FULL;
	if (why != DROPS)
		port_refuse(&b->port->to_peer, why);
	return frame.len;
}

static void signal_sent(struct vhost_back *b)
{
	b->owed = 0;
	if (b->ring[VHOST_TX].queue.enabled)
		queue_signal(&b->ring[VHOST_TX].queue);
}

static void signal_late(struct vhost_back *b)
{
	if (!b->late.when)
		loop_set_timer(b->port->loop, &b->late,
			       vm_clock_now(b->port->loop->clock) + LATE_NS);
}

static void transmit(struct vhost_back *b)
{
	struct virtqueue *q = &b->ring[VHOST_TX].queue;
	unsigned int before = b->owed;
	struct chain chain;
	bool more = false;
	size_t done = 0, pieces;

	while (queue_pop(q, &chain)) {
		more = done >= TURN_BYTES;
		if (more) {
			queue_unpop(q, &chain);
			break;
		}
		pieces = chain.out + chain.in;
		done += send_chain(b, &chain) + TURN_COST + pieces * PIECE_COST;
		queue_push(q, &chain, 0);
		b->owed++;
	}
	port_flush(b->port);
	if (b->socket.fd >= 0)
		loop_watch(b->port->loop, &b->socket,
			   EPOLLIN | (more ? EPOLLOUT : 0));
	if (b->owed > before + 1 || b->owed >= LATE)
		signal_sent(b);
	else if (b->owed)
		signal_late(b);
}

static void on_late(void *ctx)
{
	struct vhost_back *b = ctx;

	if (b->socket.fd < 0)
		b->lost(b);
	else
		signal_sent(b);
}

void vhost_serve(struct vhost_back *b, unsigned int ring)
{
	if (ring == VHOST_RX)
		serve_receiver(b);
	else
		transmit(b);
}

void vhost_kicked(void *ctx, uint32_t events)
{
	struct virtqueue *q = ctx;

	vhost_serve(q->owner, q->number);
}

/* ---- as a port ------------------------------------------------------------- */

void vhost_stop_ring(struct vhost_back *b, struct vhost_ring *r)
{
	loop_watch(b->port->loop, &r->kick, 0);
	close_fd(&r->kick.fd);
	r->queue.enabled = false;
}

void vhost_end_ring(struct vhost_back *b, struct vhost_ring *r)
{
	if (r->queue.enabled)
		queue_signal(&r->queue);
	if (r == &b->ring[VHOST_TX])
		b->owed = 0;
	else
		vhost_drop_backlog(b);
	vhost_stop_ring(b, r);
}

void vhost_back_init(struct vhost_back *b, struct port *port)
{
	unsigned int i;

	b->port = port;
	b->socket = (struct watch){ vhost_on_socket, b, -1, 0 };
	b->late = (struct timer){ on_late, b, 0, NULL };
	for (i = 0; i < VHOST_RINGS; i++) {
		struct vhost_ring *r = &b->ring[i];

		r->call = r->err = -1;
		r->kick = (struct watch){ vhost_kicked, &r->queue, -1, 0 };
		r->queue = (struct virtqueue){ .number = i, .owner = b,
			.ops = &vhost_queue_ops };
	}
}

int vhost_back_use(struct vhost_back *b, int fd)
{
	int ret;

	b->socket.fd = fd;
	ret = loop_watch(b->port->loop, &b->socket, EPOLLIN);
	if (ret)
		b->socket.fd = -1;
	return ret;
}

void vhost_back_close(struct vhost_back *b)
{
	unsigned int i;

	for (i = 0; i < VHOST_RINGS; i++) {
		struct vhost_ring *r = &b->ring[i];

		if (b->port->loop)
			vhost_stop_ring(b, r);
		close_fd(&r->call);
		close_fd(&r->err);
	}
	vhost_set_link(b);
	vhost_drop_backlog(b);
	if (b->port->loop) {
		loop_watch(b->port->loop, &b->socket, 0);
		loop_set_timer(b->port->loop, &b->late, 0);
	}
	close_fd(&b->socket.fd);
	vhost_forget(b);
	if (b->backlog.data)
		munmap(b->backlog.data, RING_BYTES);
	b->backlog.data = b->waiting.data = NULL;
}
