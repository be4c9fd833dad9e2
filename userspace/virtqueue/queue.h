/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The queues of virtio 1.2, from the device's side: split (queue.c) or packed rings
 * (packed.c), with indirect descriptors and event index. What a driver writes is
 * hostile. Their owner is a device of this machine, or a switch, which has several's.
 */
#ifndef MVMM_QUEUE_H
#define MVMM_QUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define VIRTIO_RING_MAX	256
/* Buffers of a chain, and what a device has room for */
#define VIRTIO_CHAIN_MAX 130

struct virtqueue;

/**
 * struct queue_ops - of who owns a queue
 * @memory: where [gpa, gpa + len) is on the host, all of it, for this; or NULL
 * @may: may it access memory now?
 * @broken: the driver has broken a rule; it is not looked at any more
 * @interrupt: the driver wants to know that chains were given back
 */
struct queue_ops {
	void *(*memory)(const struct virtqueue *queue, uint64_t gpa,
			uint64_t len, bool write);
	bool (*may)(const struct virtqueue *queue);
	void (*broken)(struct virtqueue *queue, const char *why);
	void (*interrupt)(struct virtqueue *queue);
};

/**
 * struct virtqueue - a ring
 * @size: descriptors, as the driver wants it; a power of two
 * @vector: of MSI-X, 0xffff: none
 * @enabled: from here on size and addresses are fixed
 * @desc: guest-physical addresses of the three parts: of a packed ring, the ring
 * @avail: and what the driver wishes to be told
 * @used: and what the device wishes
 * @next_avail: the next entry to take
 * @next_used: the next entry to fill
 * @signalled: of next_used, when the driver was told last; of a packed ring, how
 *	many entries were filled since
 * @avail_wrap: of a packed ring: the round of @next_avail
 * @used_wrap: the same of @next_used
 * @number: of this queue
 * @ops: of its owner
 * @owner: that
 * @place: where it says how far it got, for queue_recover() of another process; or NULL
 * @event_index: both sides say when they want to be told
 * @packed: it is a packed ring
 * @desc_at: the parts on the host, of a split ring
 * @avail_at: the same
 * @used_at: the same
 * @packed_at: the parts of a packed ring
 * @driver_event: the same
 * @device_event: the same
 */
struct virtqueue {
	uint16_t size, vector;
	bool enabled;
	uint64_t desc, avail, used;
	uint16_t next_avail, next_used, signalled;
	bool avail_wrap, used_wrap;
	unsigned int number;
	const struct queue_ops *ops;
	void *owner;
	uint32_t *place;
	bool event_index, packed;
	struct vring_desc *desc_at;
	struct vring_avail *avail_at;
	struct vring_used *used_at;
	struct vring_packed_desc *packed_at;
	struct vring_packed_desc_event *driver_event, *device_event;
};

/**
 * struct chain - buffers of one request, checked
 * @head: names it
 * @slots: how many entries of a packed ring it has
 * @iov: first those that the device reads, then those that it writes
 * @out: how many it reads
 * @in: how many it writes
 */
struct chain {
	uint16_t head;
	unsigned int slots, out, in;
	struct iovec iov[VIRTIO_CHAIN_MAX];
};

/**
 * struct filled - a chain that is to be given back with others
 * @head: names it
 * @slots: see struct chain
 * @written: bytes that the device wrote
 */
struct filled {
	uint16_t head;
	unsigned int slots;
	uint32_t written;
};

/*
 * @features: that the driver has accepted. 0, or -1: its parts are not in memory, or
 * its size is none
 */
int queue_enable(struct virtqueue *queue, uint64_t features);
/*
 * Takes the next chain. False: there is none, or the device was broken. The
 * driver is asked to notify only when the queue is empty.
 */
bool queue_pop(struct virtqueue *queue, struct chain *chain);
/* The last one that was taken has not been */
void queue_unpop(struct virtqueue *queue, const struct chain *chain);
/* Gives it back: the device wrote @written bytes */
void queue_push(struct virtqueue *queue, const struct chain *chain,
		uint32_t written);
/* The same of @nr of them: the driver sees all at once */
void queue_push_all(struct virtqueue *queue, const struct filled *filled,
		    unsigned int nr);
/* After one or more pushes: tells the driver, if it wants to know */
void queue_signal(struct virtqueue *queue);
/*
 * Copies @len bytes off the front of what the device reads, and takes them away.
 * Returns how many there were
 */
size_t chain_take(struct chain *chain, void *to, size_t len);
/* The same to the front of what it writes */
size_t chain_put(struct chain *chain, const void *from, size_t len);

/* ---- between queue.c and packed.c ---------------------------------------- */

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

#define PACKED_AVAIL	(1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED	(1u << VRING_PACKED_DESC_F_USED)
#define PACKED_WRAP	(1u << VRING_PACKED_EVENT_F_WRAP_CTR)

/*
 * Where a queue of which nothing is in flight stands (place.c), as struct
 * vhost_vring_state has it; @packed is set
 */
uint32_t queue_base(const struct virtqueue *queue);
bool queue_base_is_valid(const struct virtqueue *queue, uint32_t base);
void queue_set_base(struct virtqueue *queue, uint32_t base);
/*
 * Who served it has died, and may have done so at any moment: it stands where the driver
 * has seen it. @queue->place is what he has said. False: that is nowhere
 */
bool queue_recover(struct virtqueue *queue);

#endif
