/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices whose queues somebody else serves, the back end: another process
 * (vhost_user.c) or the kernel (vhost_kernel.c). The transport stays pci.c's; here a
 * back end is given the rings while the driver is up, and taken from it again
 * whenever nothing may be in flight.
 */
#ifndef MVMM_VHOST_H
#define MVMM_VHOST_H

#include "devices/virtio/virtio.h"

struct vhost;
struct vhost_link;

/**
 * struct vhost_ops - of a kind of back end; each returns 0, or -1 with @error
 * @begin: what the driver has accepted, and where memory is: before all rings
 * @call: the eventfd by which queue @n interrupts, before it is started or later
 * @start: serve queue @n, whose kicks it reads
 * @go: after all rings; may be NULL
 * @halt: before the rings are stopped; may be NULL
 * @stop: serve it no more. Afterwards nothing of it is in flight; @base is where
 *	it would go on: as struct vhost_vring_state has it
 * @lost: it has failed, and is not asked again; may be NULL. Called once more when
 *	it is @gone
 * @gone: it is not there any more, and the device can do without: it takes its rings
 *	back as they are. NULL: it never can
 */
struct vhost_ops {
	int (*begin)(struct vhost *vhost, uint64_t features,
		     struct error *error);
	int (*call)(struct vhost *vhost, unsigned int n, int fd,
		    struct error *error);
	int (*start)(struct vhost *vhost, unsigned int n, uint32_t base,
		     struct error *error);
	int (*go)(struct vhost *vhost, struct error *error);
	void (*halt)(struct vhost *vhost);
	int (*stop)(struct vhost *vhost, unsigned int n, uint32_t *base,
		    struct error *error);
	void (*lost)(struct vhost *vhost);
	bool (*gone)(struct vhost *vhost);
};

/**
 * struct vhost - begins each such device's struct
 * @virtio: begins this one
 * @back: how the back end is talked to
 * @link: of one that is another process (vhost_link.h)
 * @name: for messages
 * @served: queues that the back end serves: the first ones
 * @running: it has the rings
 * @dead: it has failed, and may have the rings still
 * @started: that it has this ring
 * @until: when it must have done what it was asked for, by the host's clock
 * @err: the eventfd by which it says that a ring is broken
 * @again: the rings are given back when the machine goes on
 */
struct vhost {
	struct virtio virtio;
	const struct vhost_ops *back;
	struct vhost_link *link;
	const char *name;
	unsigned int served;
	bool running, dead;
	bool started[VIRTIO_QUEUES];
	uint64_t until;
	struct watch err;
	struct timer again;
};

/* @vhost->name and @served are set. As virtio_create() */
int vhost_create(struct vhost *vhost, const struct virtio_ops *ops,
		 const struct vhost_ops *back, struct error *error);
void vhost_destroy(struct vhost *vhost);
/* For struct virtio_ops: @notified, @revectored, and both @drain and @reset */
void vhost_notified(struct virtio *virtio, struct virtqueue *queue);
void vhost_revectored(struct virtio *virtio, struct virtqueue *queue);
void vhost_stop(struct virtio *virtio);
/* For struct device_class: @saving */
void vhost_saving(struct device *device);
/* It has failed: the device stops, and a line says why */
void vhost_fail(struct vhost *vhost, const char *why);
/*
 * A dead one that is @gone by now does no harm any more: the device works again when
 * its driver resets it. True: it is dead still
 */
bool vhost_revive(struct vhost *vhost);
/*
 * It is asked for something, by as many requests as that takes, and has so many
 * seconds for all of them. vhost.c asks it to start all rings, to stop them, and
 * to take another eventfd. The device's lock is held meanwhile, for which others
 * of its loop wait. So it has little time, but to stop: a request in flight may
 * keep its disk busy
 */
void vhost_ask(struct vhost *vhost, unsigned int seconds);
#define VHOST_ANSWERS	5
#define VHOST_STOPS	30
/* Features that may be offered of those that a back end has, besides its own */
uint64_t vhost_ring_features(const struct vhost *vhost, uint64_t features);

#endif
