/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio 1.2 over PCI: the transport (pci.c), whose queues are those of
 * virtqueue/queue.h.
 */
#ifndef MVMM_VIRTIO_H
#define MVMM_VIRTIO_H

#include <linux/virtio_config.h>
#include "devices/pci/pci.h"
#include "virtqueue/queue.h"

#define VIRTIO_QUEUES	34	/* a console with 16 ports */

struct virtio;

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

#endif
