/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The back end of vhost-user: the queues of a guest's NIC, in the guest's memory, as a
 * port of a switch. The front end is another process, and so is the guest: neither is
 * believed. Its rings are looked at by the code that this machine's own devices have
 * (virtqueue/), its memory cannot be cut, and who breaks a rule is cut off; or told so,
 * where it breaks it in a message that asks for a reply.
 */
#ifndef MVMM_SWITCH_VHOST_BACK_H
#define MVMM_SWITCH_VHOST_BACK_H

#include "net/chains.h"
#include "net/switch/ring.h"
#include "virtqueue/vhost_message.h"

enum { VHOST_RX, VHOST_TX, VHOST_RINGS };

/**
 * struct vhost_part - of the guest's memory
 * @is: where, as the front end has it
 * @at: its beginning, here
 */
struct vhost_part {
	struct region_of_memory is;
	uint8_t *at;
};

/**
 * struct vhost_ring - a queue
 * @queue: the driver's; it is enabled while it is served
 * @kick: the driver has put something in, -1: nobody says so
 * @call: eventfd that interrupts it, or -1
 * @err: eventfd that says that it is broken, or -1
 * @base: where it begins when it is served
 * @on: it is to be served; else it waits
 */
struct vhost_ring {
	struct virtqueue queue;
	struct watch kick;
	int call, err;
	uint32_t base;
	bool on;
};

/**
 * struct vhost_back - see above
 * @port: whose frames they are
 * @socket: the front end's, -1: it has gone
 * @link: both rings are served, or are not any more
 * @linked: they are
 * @takes: PORT_*, of frames to the guest, as its driver has said
 * @gives: the same of those from there
 * @place: of both, where the front end sees it; or NULL
 * @lost: it has, or was cut off, and is to be closed
 * @features: that the driver has accepted
 * @protocol: the same of the protocol
 * @part: the guest's memory
 * @parts: how many
 * @ring: see there
 * @starved: the driver has too few buffers for the next frame, until it kicks
 * @late: the driver is told what was sent, of which it was not told at once; or it is
 *	lost
 * @owed: how many frames
 * @backlog: frames for which the driver has no buffers yet: where they are put in
 * @waiting: the same: where they are taken out. Its data is NULL: none so far
 * @words: of both
 * @filled: for a frame that takes several chains
 * @message: as much of the next one as has come
 * @got: bytes of it
 * @fd: that came with it
 * @fds: how many
 */
struct vhost_back {
	struct port *port;
	struct watch socket;
	void (*link)(struct vhost_back *back);
	bool linked;
	unsigned int takes, gives;
	uint32_t *place;
	void (*lost)(struct vhost_back *back);
	uint64_t features, protocol;
	struct vhost_part part[REGIONS];
	unsigned int parts;
	struct vhost_ring ring[VHOST_RINGS];
	bool starved;
	struct timer late;
	unsigned int owed;
	struct ring backlog, waiting;
	struct ring_words words;
	struct filled filled[VIRTIO_RING_MAX];
	struct vhost_message message;
	size_t got;
	int fd[REGIONS];
	unsigned int fds;
};

/* All zero before; what is left to the caller: lost, link */
void vhost_back_init(struct vhost_back *back, struct port *port);
/* The port has a loop, whose lock is held. 0; or -errno, and @fd is the caller's */
int vhost_back_use(struct vhost_back *back, int fd);
/* For struct port_ops, while it is linked */
bool vhost_back_receive(struct vhost_back *back, const struct frame *frame);
void vhost_back_flush(struct vhost_back *back);
/* Ends it, without a word to @lost */
void vhost_back_close(struct vhost_back *back);

/* ---- between vhost_back.c and vhost_talk.c --------------------------------- */

extern const struct queue_ops vhost_queue_ops;

/* The driver's buffers, or frames, are looked at again */
void vhost_serve(struct vhost_back *back, unsigned int ring);
void vhost_kicked(void *ctx, uint32_t events);
/* Frames that wait for buffers are lost */
void vhost_drop_backlog(struct vhost_back *back);
/* It is not looked at any more; it stands where it stands */
void vhost_stop_ring(struct vhost_back *back, struct vhost_ring *ring);
/*
 * The same, in order: the driver is told what it is owed, and frames that wait are lost,
 * as the next driver may be another one. May cut it off
 */
void vhost_end_ring(struct vhost_back *back, struct vhost_ring *ring);
void vhost_set_link(struct vhost_back *back);
void vhost_on_socket(void *ctx, uint32_t events);
void vhost_lose(struct vhost_back *back);
void vhost_forget(struct vhost_back *back);

#endif
