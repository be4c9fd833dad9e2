/* SPDX-License-Identifier: GPL-2.0 */
/* The two kinds of rings: what queue.c and packed.c have of each other. */
#ifndef MVMM_PACKED_H
#define MVMM_PACKED_H

#include "devices/virtio/virtio.h"

/* Guest memory, or NULL */
void *queue_memory(const struct virtqueue *queue, uint64_t gpa, uint64_t len,
		   uint32_t access);
/* Adds a buffer to the chain. NULL, or what is wrong */
const char *queue_add(struct virtqueue *queue, struct chain *chain,
		      uint64_t gpa, uint32_t len, bool write);

/* What the functions of queue.c do with a packed ring */
int packed_enable(struct virtqueue *queue);
bool packed_pop(struct virtqueue *queue, struct chain *chain);
void packed_unpop(struct virtqueue *queue, const struct chain *chain);
void packed_push(struct virtqueue *queue, const struct filled *filled,
		 unsigned int nr);
bool packed_wants_signal(struct virtqueue *queue);

#endif
