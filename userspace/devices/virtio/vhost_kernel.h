/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Back ends in the host's kernel, vhost: what those of a socket and of a NIC have
 * in common. Each is a descriptor with rings of its own, which a device may have
 * several of: @ring is of the descriptor, @n of the device.
 */
#ifndef MVMM_VHOST_KERNEL_H
#define MVMM_VHOST_KERNEL_H

#include "devices/virtio/vhost.h"

/*
 * /dev/@name, which is owned then, and its features. -1 with @error. @option: of
 * the user's, for messages; @module: what it comes from
 */
int vhost_kernel_open(const char *option, const char *name, const char *module,
		      uint64_t *features, struct error *error);
int vhost_kernel_ioctl(int fd, unsigned long request, void *arg,
		       const char *what, struct error *error);
/* For those of struct vhost_ops. -1 with @error */
int vhost_kernel_begin(int fd, const struct vhost *vhost, uint64_t features,
		       struct error *error);
int vhost_kernel_call(int fd, unsigned int ring, int call, struct error *error);
int vhost_kernel_start(int fd, unsigned int ring, const struct vhost *vhost,
		       unsigned int n, uint32_t base, struct error *error);
int vhost_kernel_stop(int fd, unsigned int ring, uint32_t *base,
		      struct error *error);

#endif
