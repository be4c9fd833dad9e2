// SPDX-License-Identifier: GPL-2.0
/*
 * See vhost.h. While a back end has the rings the loop does not look at their
 * doorbells: the back end waits for the same eventfds. The device's lock is held
 * by all callers.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "core/machine.h"
#include "devices/virtio/vhost.h"

#define BIT_OF(n)	(1ull << (n))

uint64_t vhost_ring_features(const struct vhost *v, uint64_t features)
{
	uint64_t mask = BIT_OF(VIRTIO_F_VERSION_1) |
			BIT_OF(VIRTIO_RING_F_INDIRECT_DESC) |
			BIT_OF(VIRTIO_RING_F_EVENT_IDX);

	if (v->virtio.packed)
		mask |= BIT_OF(VIRTIO_F_RING_PACKED);
	return features & mask;
}

/* The driver's fault, or nobody's: the device works again once it is reset */
static void need_reset(struct vhost *v, const char *why)
{
	machine_warn(v->virtio.pci.device.machine,
		     "%s (slot %u): %s: it stands until its driver resets it",
		     v->name, v->virtio.pci.slot, why);
	virtio_need_reset(&v->virtio);
}

static void on_err(void *ctx, uint32_t events)
{
	struct vhost *v = ctx;

	if (!eventfd_take(v->err.fd))
		return;
	if (!v->back->gone) {
		vhost_fail(v, "it says that a ring is broken");
		return;
	}
	/* It may be of a driver that was reset since */
	if (!v->running || !virtio_is_running(&v->virtio))
		return;
	vhost_stop(&v->virtio);
	need_reset(v, "a ring is broken");
}

/* The loop's @watch of a doorbell and the back end take turns */
static void watch_kicks(struct vhost *v, unsigned int n, bool on)
{
	loop_watch(v->virtio.pci.device.loop, &v->virtio.rung[n],
		   on ? EPOLLIN : 0);
}

/*
 * A full eventfd would be waited for, if the back end has switched O_NONBLOCK off.
 * It is not full when it was emptied; what was in there is said by one, too
 */
static void ring(struct vhost *v, unsigned int n)
{
	eventfd_take(v->virtio.rung[n].fd);
	eventfd_write(v->virtio.rung[n].fd, 1);
}

/* False: one that is there, and has a ring, may go on with it */
static bool take_back(struct vhost *v)
{
	bool good = v->back->gone, known = true;
	unsigned int i;

	for (i = 0; i < v->served && good; i++)
		good = !v->started[i] || v->back->gone(v);
	if (!good)
		return false;
	for (i = 0; i < v->served; i++)
		known &= !v->started[i] || queue_recover(&v->virtio.queue[i]);
	v->running = false;
	for (i = 0; i < v->served; i++) {
		if (!v->started[i])
			continue;
		v->started[i] = false;
		watch_kicks(v, i, true);
		/* What he has not seen is seen here, and has not said, by this */
		ring(v, i);
		v->virtio.queue[i].ops->interrupt(&v->virtio.queue[i]);
	}
	v->back->lost(v);
	msix_collect(&v->virtio.pci);
	if (!known && virtio_is_running(&v->virtio))
		need_reset(v, "who served its rings has ended, and where is not known");
	return true;
}

static void die(struct vhost *v, const char *why)
{
	struct virtio *virtio = &v->virtio;
	unsigned int i;

	v->dead = true;
	v->running = false;
	for (i = 0; i < v->served; i++) {
		v->started[i] = false;
		watch_kicks(v, i, true);
	}
	if (v->back->lost)
		v->back->lost(v);
	/* What it has said before */
	msix_collect(&virtio->pci);
	machine_warn(virtio->pci.device.machine,
		     "the back end of %s (slot %u) is lost: %s: the device has stopped",
		     v->name, virtio->pci.slot, why);
	/* A driver that is not up yet finds out when it is */
	if (virtio_is_running(virtio))
		virtio_need_reset(virtio);
}

bool vhost_revive(struct vhost *v)
{
	if (v->dead && v->back->gone && v->back->gone(v)) {
		v->back->lost(v);
		v->dead = false;
	}
	return v->dead;
}

void vhost_fail(struct vhost *v, const char *why)
{
	/* Of a dead one it is asked, as its end may be what is said here */
	if (v->dead)
		vhost_revive(v);
	else if (!take_back(v))
		die(v, why);
}

void vhost_ask(struct vhost *v, unsigned int seconds)
{
	v->until = host_ns() + seconds * 1000000000ull;
}

static int set_call(struct vhost *v, unsigned int n, struct error *error)
{
	int fd = virtio_callfd(&v->virtio, &v->virtio.queue[n]);

	if (fd < 0)
		return fail(error, STATUS_OS, "no eventfd: %s", strerror(-fd));
	return v->back->call(v, n, fd, error);
}

static int start_ring(struct vhost *v, unsigned int n, struct error *error)
{
	struct virtqueue *q = &v->virtio.queue[n];

	/* What was rung before is not lost: it is rung once more */
	watch_kicks(v, n, false);
	v->started[n] = true;
	if (set_call(v, n, error) || v->back->start(v, n, queue_base(q), error))
		return -1;
	ring(v, n);
	return 0;
}

/* The guest has chosen another vector */
void vhost_revectored(struct virtio *virtio, struct virtqueue *q)
{
	struct vhost *v = (struct vhost *)virtio;
	struct error error = { 0 };

	vhost_ask(v, VHOST_ANSWERS);
	if (q->number < v->served && v->started[q->number] &&
	    set_call(v, q->number, &error))
		vhost_fail(v, error.text);
}

static int start(struct vhost *v, struct error *error)
{
	uint64_t features = v->virtio.driver_features;
	unsigned int i;

	vhost_ask(v, VHOST_ANSWERS);
	if (v->back->begin(v, features, error))
		return -1;
	v->running = true;
	for (i = 0; i < v->served; i++)
		if (v->virtio.queue[i].enabled && start_ring(v, i, error))
			return -1;
	return v->back->go ? v->back->go(v, error) : 0;
}

/* VM time stands meanwhile */
static void go_on_later(struct vhost *v)
{
	struct loop *loop = v->virtio.pci.device.loop;

	loop_set_timer(loop, &v->again, vm_clock_now(loop->clock) + 1);
}

/*
 * The driver is up, or may access memory again, or has rung where the module
 * could not turn that into a doorbell
 */
void vhost_notified(struct virtio *virtio, struct virtqueue *q)
{
	struct vhost *v = (struct vhost *)virtio;
	struct error error = { 0 };

	if (!pci_is_master(&virtio->pci))
		return;
	/* It was loaded, or the loop has heard a doorbell: not before it goes on */
	if (machine_pausing(virtio->pci.device.machine)) {
		go_on_later(v);
		return;
	}
	if (vhost_revive(v)) {
		virtio_need_reset(virtio);
		return;
	}
	if (!v->running && start(v, &error))
		vhost_fail(v, error.text);
	else if (q->number < v->served && v->started[q->number])
		ring(v, q->number);
}

static int stop_ring(struct vhost *v, unsigned int n, struct error *error)
{
	struct virtqueue *q = &v->virtio.queue[n];
	uint32_t base;

	if (v->back->stop(v, n, &base, error))
		return -1;
	/* A queue that was cleared is not looked at any more */
	if (q->enabled && !queue_base_is_valid(q, base))
		return fail(error, STATUS_DATA,
			    "queue %u stands at 0x%x, which is nowhere", n,
			    base);
	/* All that it took it has given back */
	queue_set_base(q, base);
	v->started[n] = false;
	watch_kicks(v, n, true);
	return 0;
}

void vhost_stop(struct virtio *virtio)
{
	struct vhost *v = (struct vhost *)virtio;
	struct error error = { 0 };
	unsigned int i;

	if (!v->running)
		return;
	vhost_ask(v, VHOST_STOPS);
	if (v->back->halt)
		v->back->halt(v);
	for (i = 0; i < v->served; i++) {
		if (v->started[i] && stop_ring(v, i, &error)) {
			vhost_fail(v, error.text);
			return;
		}
	}
	v->running = false;
	/* Of what it has used meanwhile the driver is told */
	msix_collect(&virtio->pci);
}

/* It is not saved: the machine goes on, and so do the rings */
static void on_again(void *ctx)
{
	struct vhost *v = ctx;
	unsigned int i;

	for (i = 0; i < v->served; i++)
		if (virtio_is_running(&v->virtio) && v->virtio.queue[i].enabled)
			vhost_notified(&v->virtio, &v->virtio.queue[i]);
}

void vhost_saving(struct device *device)
{
	struct vhost *v = (struct vhost *)device;
	bool ran = v->running;

	vhost_stop(&v->virtio);
	if (ran && !v->dead)
		go_on_later(v);
}

int vhost_create(struct vhost *v, const struct virtio_ops *ops,
		 const struct vhost_ops *back, struct error *error)
{
	struct loop *loop;
	int fd, ret;

	v->back = back;
	v->again = (struct timer){ on_again, v, 0, NULL };
	if (virtio_create(&v->virtio, ops, error))
		return -1;
	loop = v->virtio.pci.device.loop;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	v->err = (struct watch){ on_err, v, fd, 0 };
	pthread_mutex_lock(&loop->lock);
	ret = fd < 0 ? -errno : loop_watch(loop, &v->err, EPOLLIN);
	pthread_mutex_unlock(&loop->lock);
	if (!ret)
		return 0;
	close_fd(&v->err.fd);
	virtio_destroy(&v->virtio);
	return fail(error, STATUS_OS, "no eventfd for %s: %s", v->name,
		    strerror(-ret));
}

void vhost_destroy(struct vhost *v)
{
	struct loop *loop = v->virtio.pci.device.loop;

	pthread_mutex_lock(&loop->lock);
	vhost_stop(&v->virtio);
	loop_set_timer(loop, &v->again, 0);
	loop_watch(loop, &v->err, 0);
	pthread_mutex_unlock(&loop->lock);
	close_fd(&v->err.fd);
	virtio_destroy(&v->virtio);
}
