/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio 1.2 over PCI: the transport (pci.c) and its queues, which are split
 * (queue.c) or packed rings (packed.c), with indirect descriptors and event
 * index. What a driver writes is hostile.
 */
#ifndef MVMM_VIRTIO_H
#define MVMM_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <sys/uio.h>
#include "devices/pci/pci.h"

#define VIRTIO_QUEUES	34	/* a console with 16 ports */
#define VIRTIO_RING_MAX	256
/* Buffers of a chain, and what a device has room for */
#define VIRTIO_CHAIN_MAX 130

struct virtio;

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
 * @virtio: whose it is
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
	struct virtio *virtio;
	struct vring_desc *desc_at;
	struct vring_avail *avail_at;
	struct vring_used *used_at;
	bool packed;
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

/**
 * struct virtio_ops - of a kind of device
 * @type: VIRTIO_ID_*
 * @class: PCI class
 * @features: what it offers besides those of the transport
 * @own_rings: @features are all that it offers: its queues may be served by
 *	somebody who does not know what this transport's do
 * @queues: how many it has
 * @config_len: bytes of its configuration, 0: it has none
 * @config: writes them to @config
 * @write_config: the driver has written to it, within its length; may be NULL
 * @notified: the driver has put something into a queue, which is enabled
 * @drain: wait for what is in flight; NULL: nothing ever is
 * @reset: forget what is in flight: when it ends it must not touch the queues;
 *	may be NULL
 * @revectored: virtio_callfd() of a queue may be another now; may be NULL
 */
struct virtio_ops {
	uint16_t type;
	uint32_t class;
	uint64_t (*features)(struct virtio *virtio);
	bool own_rings;
	unsigned int queues, config_len;
	void (*config)(struct virtio *virtio, uint8_t *config);
	void (*write_config)(struct virtio *virtio, uint64_t at, uint32_t value,
			     unsigned int size);
	void (*notified)(struct virtio *virtio, struct virtqueue *queue);
	void (*drain)(struct virtio *virtio);
	void (*reset)(struct virtio *virtio);
	void (*revectored)(struct virtio *virtio, struct virtqueue *queue);
};

/**
 * struct virtio - begins each virtio device's struct
 * @pci: begins this one
 * @ops: the device's
 * @packed: it offers packed rings
 * @by_vcpu: who rings a doorbell serves the queue, on its own thread; else an
 *	eventfd tells the loop
 * @window: of the capability by which BARs are reached
 * @status: of the device
 * @isr: for INTx
 * @generation: of the configuration
 * @driver_features: accepted
 * @feature_select: which half of the offered ones is read
 * @driver_select: which half of the accepted ones is written
 * @queue_select: which queue the registers are of
 * @config_vector: of MSI-X, for changes of the configuration
 * @queue: the queues
 * @doorbell: of each queue
 * @rung: watches of their eventfds
 */
struct virtio {
	struct pci_function pci;
	const struct virtio_ops *ops;
	bool packed, by_vcpu;
	uint8_t window;
	uint8_t status, isr, generation;
	uint64_t driver_features;
	uint32_t feature_select, driver_select;
	uint16_t queue_select, config_vector;
	struct virtqueue queue[VIRTIO_QUEUES];
	struct doorbell doorbell[VIRTIO_QUEUES];
	struct watch rung[VIRTIO_QUEUES];
};

extern const struct field virtqueue_fields[];
/* @nr: queues, VIRTIO_QUEUES at most */
#define VIRTIO_FIELDS(type, nr)						\
	PCI_FIELDS(type, virtio.pci),					\
	FIELD(type, virtio.status), FIELD(type, virtio.isr),		\
	FIELD(type, virtio.generation),					\
	FIELD(type, virtio.driver_features),				\
	FIELD(type, virtio.feature_select),				\
	FIELD(type, virtio.driver_select),				\
	FIELD(type, virtio.queue_select),				\
	FIELD(type, virtio.config_vector),				\
	FIELD_STRUCTS_OF(type, virtio.queue, nr, virtqueue_fields)

/* Options that all of them have */
#define VIRTIO_OPTIONS(type)						\
	{ .name = "packed", .kind = OPTION_BOOL,			\
	  OPTION_AT(type, virtio.packed), .help = "offers packed rings" }

int virtio_create(struct virtio *virtio, const struct virtio_ops *ops,
		  struct error *error);
/* For the device's destroy, and if its create fails after virtio_create() */
void virtio_destroy(struct virtio *virtio);
/* For the device's reset and loaded */
void virtio_reset(struct virtio *virtio);
int virtio_loaded(struct virtio *virtio, struct error *error);
bool virtio_has(const struct virtio *virtio, unsigned int feature);
/* Calls @notified once more, from the loop, after what else waits there */
void virtio_again(struct virtio *virtio, struct virtqueue *queue);
/* The device has changed its configuration: the driver is told */
void virtio_config_changed(struct virtio *virtio);
/* May the device use its queues? */
bool virtio_is_running(const struct virtio *virtio);
/* The device is of no use any more, until the driver resets it */
void virtio_need_reset(struct virtio *virtio);
/* The driver has broken a rule: it has to reset the device */
void virtio_break(struct virtio *virtio, const char *why);

/*
 * For a queue that somebody else serves, who waits for the eventfd of @rung while
 * the loop does not: an eventfd that he signals to interrupt the driver, or a
 * negative errno. It is the device's, whose lock is held
 */
int virtio_callfd(struct virtio *virtio, struct virtqueue *queue);

/* ---- queues (queue.c) --------------------------------------------------- */

/* 0, or -1: its parts are not in memory, or its size is none */
int queue_enable(struct virtqueue *queue);
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

#endif
