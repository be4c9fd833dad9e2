// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net whose frames the host's kernel moves, between the rings and a tap
 * (vhost-net). Each pair of queues has a back end of its own, and a queue of the
 * tap's. The control queue stays net.c's.
 */
#include <linux/vhost.h>
#include <string.h>
#include "core/machine.h"
#include "devices/virtio/net.h"
#include "devices/virtio/vhost_kernel.h"

static struct nic *of_vhost(struct vhost *v)
{
	return (struct nic *)v;
}

static int fd_of(struct vhost *v, unsigned int n)
{
	return of_vhost(v)->vhost_fd[n / 2];
}

/* @on: the tap's queue; else the ring has nothing to do any more */
static int set_backend(struct vhost *v, unsigned int n, bool on,
		       struct error *error)
{
	struct vhost_vring_file file = { n % 2,
		on ? of_vhost(v)->tap_fd[n / 2] : -1 };

	return vhost_kernel_ioctl(fd_of(v, n), VHOST_NET_SET_BACKEND, &file,
				  "the tap", error);
}

static int begin(struct vhost *v, uint64_t features, struct error *error)
{
	unsigned int n;

	/* What is not the rings' is between the driver and the tap */
	features &= of_vhost(v)->vhost_features;
	for (n = 0; n < v->served; n += 2)
		if (vhost_kernel_begin(fd_of(v, n), v, features, error))
			return -1;
	return 0;
}

static int set_call(struct vhost *v, unsigned int n, int fd,
		    struct error *error)
{
	return vhost_kernel_call(fd_of(v, n), n % 2, fd, error);
}

static int start_ring(struct vhost *v, unsigned int n, uint32_t base,
		      struct error *error)
{
	return vhost_kernel_start(fd_of(v, n), n % 2, v, n, base, error) ||
	       set_backend(v, n, true, error) ? -1 : 0;
}

/* It waits until nothing is in flight */
static int stop_ring(struct vhost *v, unsigned int n, uint32_t *base,
		     struct error *error)
{
	return set_backend(v, n, false, error) ||
	       vhost_kernel_stop(fd_of(v, n), n % 2, base, error) ? -1 : 0;
}

static void lost(struct vhost *v)
{
	struct error error = { 0 };
	unsigned int n;

	for (n = 0; n < v->served; n++)
		set_backend(v, n, false, &error);
}

static const struct vhost_ops back_ops = {
	.begin = begin, .call = set_call, .start = start_ring, .stop = stop_ring,
	.lost = lost };

static void close_all(struct nic *n)
{
	unsigned int i;

	for (i = 0; i < NIC_PAIRS; i++)
		close_fd(&n->vhost_fd[i]);
}

int nic_vhost_create(struct nic *n, struct error *error)
{
	unsigned int i;

	for (i = 0; i < NIC_PAIRS; i++)
		n->vhost_fd[i] = -1;
	for (i = 0; i < nic_pairs(n); i++) {
		n->vhost_fd[i] = vhost_kernel_open("--net vhost=on", "vhost-net",
						   "vhost_net",
						   &n->vhost_features, error);
		if (n->vhost_fd[i] < 0)
			break;
	}
	n->vhost.name = "/dev/vhost-net";
	n->vhost.served = 2 * nic_pairs(n);
	if (i == nic_pairs(n) &&
	    !vhost_create(&n->vhost, &n->ops, &back_ops, error))
		return 0;
	close_all(n);
	return -1;
}

void nic_vhost_destroy(struct nic *n)
{
	vhost_destroy(&n->vhost);
	close_all(n);
}

void nic_vhost_notified(struct nic *n, struct virtqueue *queue,
			unsigned int rings)
{
	/* By now the driver has said if it knows of all pairs */
	if (!n->vhost.running)
		n->vhost.served = rings;
	vhost_notified(&n->virtio, queue);
}
