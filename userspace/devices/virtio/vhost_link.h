/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The front end of vhost-user (QEMU's docs/interop/vhost-user.rst): a connection to
 * another process, which has the guest's RAM and serves the queues of a device.
 */
#ifndef MVMM_VHOST_LINK_H
#define MVMM_VHOST_LINK_H

#include "devices/virtio/vhost.h"
#include "virtqueue/vhost_message.h"

/**
 * struct vhost_link - see above
 * @vhost: the device
 * @socket: to the back end, -1: it is not there
 * @features: that it offers
 * @protocol: the same of the protocol's, that are agreed on
 */
struct vhost_link {
	struct vhost *vhost;
	struct watch socket;
	uint64_t features, protocol;
};

/*
 * It is connected by @fd, which belongs to it from here on. They get to know each other,
 * for which vhost_ask() has been called. -1 with @error, and it is to be closed
 */
int vhost_link_open(struct vhost_link *link, struct vhost *vhost, int fd,
		    struct error *error);
/* The device's lock is held by the callers of the following. 0, or a negative errno */
int vhost_link_watch(struct vhost_link *link);
void vhost_link_close(struct vhost_link *link);
/* The other end is closed */
bool vhost_link_is_cut(const struct vhost_link *link);
/* Nothing more is said, or heard, but that the other end is closed */
void vhost_link_end(struct vhost_link *link);
/* Sends @message, and has the answer, whose payload has @len bytes, in it */
int vhost_link_ask(struct vhost_link *link, struct vhost_message *message,
		   uint32_t len, struct error *error);
int vhost_link_value(struct vhost_link *link, uint32_t request, uint64_t *value,
		     struct error *error);
/* Sends @message, with these descriptors, and knows that it was heard if it can */
int vhost_link_tell(struct vhost_link *link, struct vhost_message *message,
		    uint32_t size, const int *fds, unsigned int nr,
		    struct error *error);
int vhost_link_tell_value(struct vhost_link *link, uint32_t request,
			  uint64_t value, struct error *error);

/* For struct vhost_ops; @vhost's link is open */
int vhost_link_begin(struct vhost *vhost, uint64_t features,
		     struct error *error);
int vhost_link_call(struct vhost *vhost, unsigned int n, int fd,
		    struct error *error);
int vhost_link_start(struct vhost *vhost, unsigned int n, uint32_t base,
		     struct error *error);
int vhost_link_stop(struct vhost *vhost, unsigned int n, uint32_t *base,
		    struct error *error);
void vhost_link_lost(struct vhost *vhost);

#endif
