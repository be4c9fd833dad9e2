/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames in the chains of virtio-net's queues (virtio 1.2, 5.1.6), each behind a
 * header: of a NIC of this machine, or of a guest of a switch.
 */
#ifndef MVMM_CHAINS_H
#define MVMM_CHAINS_H

#include "net/net.h"
#include "virtqueue/queue.h"

/* PORT_*: of what a driver has agreed to, for the frames that it sends, or takes */
unsigned int chains_gives(uint64_t features);
unsigned int chains_takes(uint64_t features);
/*
 * What the guest sends: @len bytes of @head are taken off, of which the first are the
 * frame's header. False: there are not so many, or the rest is no frame
 */
bool chain_frame(struct chain *chain, void *head, size_t len,
		 struct frame *frame);
/*
 * Fills chains with @len bytes of @head and the frame, and gives them back; several only
 * with @merge. @filled has room for VIRTIO_RING_MAX. 1: done; 0: there are not enough, for
 * now, or the queue is broken; -1: there never will be
 */
int chains_put(struct virtqueue *queue, struct filled *filled, bool merge,
	       const void *head, size_t len, const struct frame *frame);

#endif
