// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net whose rings the other end of the network serves, a switch in another
 * process, by vhost-user. Without that, or when it has gone, the NIC serves them
 * itself: net.c. The control queue stays there: the filter is not looked at, since what
 * a switch knows not to be for the guest does not come.
 */
#include "core/machine.h"
#include "devices/virtio/net.h"

static struct nic *of_vhost(struct vhost *v)
{
	return (struct nic *)v;
}

static int start_ring(struct vhost *v, unsigned int n, uint32_t base,
		      struct error *error)
{
	struct virtqueue *q = &v->virtio.queue[n];

	q->place = of_vhost(v)->place + n;
	/* Nothing is in flight */
	__atomic_store_n(q->place, (base & 0xffff) * 0x10001u, __ATOMIC_RELEASE);
	return vhost_link_start(v, n, base, error);
}

static int stop_ring(struct vhost *v, unsigned int n, uint32_t *base,
		     struct error *error)
{
	if (vhost_link_stop(v, n, base, error))
		return -1;
	v->virtio.queue[n].place = NULL;
	return 0;
}

static void lost(struct vhost *v)
{
	unsigned int n;

	for (n = 0; n < v->served; n++)
		v->virtio.queue[n].place = NULL;
	/* With rings it is trusted only when it has let go of them, which is its end */
	if (v->dead && !vhost_link_is_cut(v->link)) {
		of_vhost(v)->betrayed = true;
		vhost_link_end(v->link);
	} else {
		vhost_link_close(v->link);
	}
}

static bool gone(struct vhost *v)
{
	return vhost_link_is_cut(v->link);
}

static const struct vhost_ops back_ops = {
	.begin = vhost_link_begin, .call = vhost_link_call, .start = start_ring,
	.stop = stop_ring, .lost = lost, .gone = gone };

int nic_direct_create(struct nic *n, struct error *error)
{
	n->link.socket.fd = -1;
	n->vhost.link = &n->link;
	n->vhost.name = "virtio-net";
	n->vhost.served = NIC_CONTROL;
	return vhost_create(&n->vhost, &n->ops, &back_ops, error);
}

void nic_direct_destroy(struct nic *n)
{
	pthread_mutex_t *lock = n->virtio.pci.device.lock;

	vhost_destroy(&n->vhost);
	pthread_mutex_lock(lock);
	vhost_link_close(&n->link);
	pthread_mutex_unlock(lock);
}

/* Does the other end know all that the rings have? */
static bool knows_rings(const struct nic *n)
{
	uint64_t rings = vhost_ring_features(&n->vhost, ~0ull);

	return !(n->virtio.driver_features & rings & ~n->link.features);
}

/* They get to know each other, once for each that there is */
static bool meet(struct nic *n)
{
	struct error error = { 0 };
	int fd;

	if (n->link.socket.fd >= 0)
		return true;
	fd = n->port.peer->ops->hand_over(n->port.peer, &n->place);
	if (fd < 0)
		return false;
	vhost_ask(&n->vhost, VHOST_ANSWERS);
	if (!vhost_link_open(&n->link, &n->vhost, fd, &error) &&
	    !vhost_link_watch(&n->link))
		return true;
	vhost_link_close(&n->link);
	return false;
}

/* A capture is written by who moves the frames, and that is the NIC */
static bool may_ask(struct nic *n)
{
	struct machine *m = n->virtio.pci.device.machine;
	const struct port *peer = n->port.peer;

	/* That of a snapshot's file: the other end need not keep what was there */
	if (!m->memory.shared)
		vhost_link_close(&n->link);
	return n->asks && !n->betrayed && peer && peer->link && peer->ops->hand_over &&
	       !peer->capture && m->memory.shared && !machine_pausing(m) &&
	       pci_is_master(&n->virtio.pci);
}

bool nic_direct(struct nic *n, struct virtqueue *queue)
{
	if (!n->vhost.served)
		return false;
	if (!n->vhost.running && !vhost_revive(&n->vhost)) {
		if (!may_ask(n))
			return false;
		n->asks = false;
		if (!meet(n) || !knows_rings(n))
			return false;
	}
	vhost_notified(&n->virtio, queue);
	return n->vhost.running;
}

void nic_direct_changed(struct nic *n)
{
	bool up = n->port.peer && n->port.peer->link;

	if (!n->vhost.served || n->tap_fd || n->had_link == up)
		return;
	n->asks = true;
	if (up)
		return;
	/* Who was there may have died */
	vhost_stop(&n->virtio);
	/* Who is there the next time is believed, until it breaks a rule itself */
	n->betrayed = false;
	if (!vhost_revive(&n->vhost))
		vhost_link_close(&n->link);
}
