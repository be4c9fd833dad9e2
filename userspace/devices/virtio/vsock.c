// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-vsock (virtio 1.2, 5.10): sockets between the guest and the host. The
 * host's kernel is the back end (vhost, by ioctls); only the queue of events is
 * served here.
 */
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>
#include <string.h>
#include <sys/ioctl.h>
#include "core/machine.h"
#include "devices/virtio/vhost_kernel.h"

enum { RX, TX, EVENTS, QUEUES };

/**
 * struct vsock - the device
 * @fd: of the kernel's vhost
 * @features: that it offers
 * @cid: the guest's address
 * @moved: the guest is to be told that its connections are gone
 */
struct vsock {
	struct vhost vhost;
	int fd;
	uint64_t features;
	uint32_t cid;
	bool moved;
};

static int fd_of(const struct vhost *v)
{
	return ((const struct vsock *)v)->fd;
}

static int begin(struct vhost *v, uint64_t features, struct error *error)
{
	return vhost_kernel_begin(fd_of(v), v, features, error);
}

static int set_call(struct vhost *v, unsigned int n, int fd,
		    struct error *error)
{
	return vhost_kernel_call(fd_of(v), n, fd, error);
}

static int start_ring(struct vhost *v, unsigned int n, uint32_t base,
		      struct error *error)
{
	return vhost_kernel_start(fd_of(v), n, v, n, base, error);
}

static int run(struct vhost *v, int on, struct error *error)
{
	return vhost_kernel_ioctl(fd_of(v), VHOST_VSOCK_SET_RUNNING, &on,
				  "running", error);
}

static int go(struct vhost *v, struct error *error)
{
	return run(v, 1, error);
}

/* It waits until nothing is in flight */
static void halt(struct vhost *v)
{
	struct error error = { 0 };

	run(v, 0, &error);
}

static int stop_ring(struct vhost *v, unsigned int n, uint32_t *base,
		     struct error *error)
{
	return vhost_kernel_stop(fd_of(v), n, base, error);
}

static const struct vhost_ops back_ops = {
	.begin = begin, .call = set_call, .start = start_ring, .go = go,
	.halt = halt, .stop = stop_ring, .lost = halt };

static void send_event(struct vsock *s)
{
	struct virtio_vsock_event event = {
		.id = VIRTIO_VSOCK_EVENT_TRANSPORT_RESET };
	struct virtqueue *q = &s->vhost.virtio.queue[EVENTS];
	struct chain chain;

	if (!s->moved || !queue_pop(q, &chain))
		return;
	s->moved = false;
	queue_push(q, &chain, chain_put(&chain, &event, sizeof(event)));
	queue_signal(q);
}

static void notified(struct virtio *virtio, struct virtqueue *q)
{
	if (q->number == EVENTS)
		send_event((struct vsock *)virtio);
	else
		vhost_notified(virtio, q);
}

static uint64_t features(struct virtio *virtio)
{
	struct vsock *s = (struct vsock *)virtio;

	/* The queue of events, which is ours, has the same as the others */
	return (vhost_ring_features(&s->vhost, s->features) |
		(s->features & 1ull << VIRTIO_VSOCK_F_SEQPACKET)) &
	       ~(1ull << VIRTIO_F_RING_PACKED);
}

static void config(struct virtio *virtio, uint8_t *bytes)
{
	struct virtio_vsock_config c = {
		.guest_cid = ((struct vsock *)virtio)->cid };

	memcpy(bytes, &c, sizeof(c));
}

static int open_vhost(struct vsock *s, struct error *error)
{
	uint64_t cid = s->cid;

	s->fd = vhost_kernel_open("--vsock", "vhost-vsock", "vhost_vsock",
				  &s->features, error);
	if (s->fd < 0)
		return -1;
	if (!ioctl(s->fd, VHOST_VSOCK_SET_GUEST_CID, &cid))
		return 0;
	fail(error, STATUS_USAGE, "--vsock %u: %s", s->cid,
	     errno == EADDRINUSE ? "another guest has this address" :
	     strerror(errno));
	close_fd(&s->fd);
	return -1;
}

static int create(struct device *device, struct error *error)
{
	static const struct virtio_ops ops = {
		.type = VIRTIO_ID_VSOCK, .class = 0x078000,
		.features = features, .own_rings = true, .queues = QUEUES,
		.config_len = sizeof(struct virtio_vsock_config),
		.config = config, .notified = notified, .drain = vhost_stop,
		.reset = vhost_stop, .revectored = vhost_revectored };
	struct vsock *s = (struct vsock *)device;

	if (!s->cid)
		return fail(error, STATUS_USAGE,
			    "--device virtio-vsock: cid=NUMBER is missing: the guest's address");
	s->vhost.name = "/dev/vhost-vsock";
	s->vhost.served = EVENTS;
	if (open_vhost(s, error))
		return -1;
	if (!vhost_create(&s->vhost, &ops, &back_ops, error))
		return 0;
	close_fd(&s->fd);
	return -1;
}

static void reset(struct device *device)
{
	virtio_reset((struct virtio *)device);
}

/* Connections are the kernel's, and were not saved: the guest is told */
static int loaded(struct device *device, struct error *error)
{
	struct vsock *s = (struct vsock *)device;

	s->moved = true;
	return virtio_loaded(&s->vhost.virtio, error);
}

static void destroy(struct device *device)
{
	struct vsock *s = (struct vsock *)device;

	vhost_destroy(&s->vhost);
	close_fd(&s->fd);
}

static const struct field fields[] = {
	VIRTIO_FIELDS(struct vhost, QUEUES), FIELD(struct vsock, moved),
	FIELDS_END
};

/* Those below are hosts', and the last one is anybody's */
static const struct option_spec options[] = {
	{ .name = "cid", .kind = OPTION_NUMBER, OPTION_AT(struct vsock, cid),
	  .min = 3, .max = UINT32_MAX - 1, .help = "the guest's address" },
	OPTIONS_END
};

static const struct device_class virtio_vsock = {
	.name = "virtio-vsock", .help = "sockets between host and guest",
	.size = sizeof(struct vsock), .options = options,
	.fields = fields, .create = create, .reset = reset, .loaded = loaded,
	.saving = vhost_saving, .destroy = destroy,
};
DEVICE_CLASS(virtio_vsock);
