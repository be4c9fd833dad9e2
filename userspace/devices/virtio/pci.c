// SPDX-License-Identifier: GPL-2.0
/*
 * virtio over PCI (virtio 1.2, 4.1), modern only. The registers are in BAR 0;
 * notifications are in BAR 2, which has ports: an exit there costs a third of
 * one in memory.
 */
#include <errno.h>
#include <linux/virtio_pci.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "core/machine.h"
#include "devices/virtio/virtio.h"

#define VENDOR		0x1af4
#define FIRST_DEVICE	0x1040
#define NO_VECTOR	VIRTIO_MSI_NO_VECTOR

/* BAR 0 */
#define COMMON		0x0000
#define ISR		0x1000
#define CONFIG		0x2000
#define MSIX		0x3000
#define BAR0_LEN	0x4000
/* BAR 2: at least so long */
#define NOTIFY_STEP	4
#define BAR2_MIN	32

const struct field virtqueue_fields[] = {
	FIELD(struct virtqueue, size), FIELD(struct virtqueue, vector),
	FIELD(struct virtqueue, enabled), FIELD(struct virtqueue, desc),
	FIELD(struct virtqueue, avail), FIELD(struct virtqueue, used),
	FIELD(struct virtqueue, next_avail),
	FIELD(struct virtqueue, next_used),
	FIELD(struct virtqueue, signalled),
	FIELD(struct virtqueue, avail_wrap),
	FIELD(struct virtqueue, used_wrap), FIELDS_END
};

static uint64_t offered(struct virtio *v)
{
	uint64_t features = v->ops->features(v) | 1ull << VIRTIO_F_VERSION_1;

	if (v->ops->own_rings)
		return features;
	return features |
	       1ull << VIRTIO_RING_F_INDIRECT_DESC |
	       1ull << VIRTIO_RING_F_EVENT_IDX |
	       (v->packed ? 1ull << VIRTIO_F_RING_PACKED : 0);
}

bool virtio_has(const struct virtio *v, unsigned int feature)
{
	return v->driver_features >> feature & 1;
}

bool virtio_is_running(const struct virtio *v)
{
	return v->status & VIRTIO_CONFIG_S_DRIVER_OK &&
	       !(v->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void signal_config(struct virtio *v)
{
	v->isr |= VIRTIO_PCI_ISR_CONFIG;
	if (msix_enabled(&v->pci))
		msix_notify(&v->pci, v->config_vector);
	else
		pci_set_intx(&v->pci, true);
}

void virtio_need_reset(struct virtio *v)
{
	v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	signal_config(v);
}

void virtio_break(struct virtio *v, const char *why)
{
	if (v->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	machine_warn(v->pci.device.machine,
		     "the guest's driver of %s (slot %u) made %s: the device has stopped, until the driver resets it",
		     v->pci.device.class->name, v->pci.slot, why);
	virtio_need_reset(v);
}

void virtio_config_changed(struct virtio *v)
{
	v->generation++;
	if (virtio_is_running(v))
		signal_config(v);
}

void virtio_again(struct virtio *v, struct virtqueue *q)
{
	eventfd_write(v->doorbell[q->number].eventfd, 1);
}

int virtio_callfd(struct virtio *v, struct virtqueue *q)
{
	return msix_eventfd(&v->pci, q->vector);
}

/* The same for INTx */
static void signalled(struct pci_function *f)
{
	struct virtio *v = (struct virtio *)f;

	if (!virtio_is_running(v))
		return;
	v->isr |= 1;
	pci_set_intx(f, true);
}

static void *guest_memory(const struct virtqueue *q, uint64_t gpa, uint64_t len,
			  bool write)
{
	const struct virtio *v = q->owner;

	return memory_at(&v->pci.device.machine->memory, gpa, len,
			 write ? MVMM_ACCESS_WRITE : MVMM_ACCESS_READ);
}

static bool may_access(const struct virtqueue *q)
{
	return pci_is_master(&((const struct virtio *)q->owner)->pci);
}

static void broken(struct virtqueue *q, const char *why)
{
	virtio_break(q->owner, why);
}

static void interrupt(struct virtqueue *q)
{
	struct virtio *v = q->owner;

	if (msix_enabled(&v->pci)) {
		msix_notify(&v->pci, q->vector);
	} else {
		v->isr |= 1;
		pci_set_intx(&v->pci, true);
	}
}

static const struct queue_ops queue_ops = {
	.memory = guest_memory, .may = may_access, .broken = broken,
	.interrupt = interrupt };

/* What the driver's reset resets: not the function's configuration space */
static void soft_reset(struct virtio *v)
{
	unsigned int i;

	/* Waits for what is in flight: it must not touch the guest any more */
	if (v->ops->reset)
		v->ops->reset(v);
	v->status = v->isr = v->generation = 0;
	v->driver_features = 0;
	v->feature_select = v->driver_select = v->queue_select = 0;
	v->config_vector = NO_VECTOR;
	for (i = 0; i < v->ops->queues; i++)
		v->queue[i] = (struct virtqueue){
			.size = VIRTIO_RING_MAX, .vector = NO_VECTOR,
			.avail_wrap = true, .used_wrap = true,
			.number = i, .ops = &queue_ops, .owner = v };
	pci_set_intx(&v->pci, false);
}

static void notify(struct virtio *v, unsigned int n)
{
	if (n < v->ops->queues && v->queue[n].enabled && virtio_is_running(v))
		v->ops->notified(v, &v->queue[n]);
}

static void notify_all(struct virtio *v)
{
	unsigned int i;

	for (i = 0; i < v->ops->queues; i++)
		notify(v, i);
}

static void write_status(struct virtio *v, uint8_t value)
{
	uint8_t fresh = value & ~v->status;

	if (!value) {
		soft_reset(v);
		return;
	}
	/* Without what it cannot do without, the driver sees its bit clear */
	if (fresh & VIRTIO_CONFIG_S_FEATURES_OK &&
	    (v->driver_features & ~offered(v) ||
	     !virtio_has(v, VIRTIO_F_VERSION_1)))
		value &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	v->status |= value & ~VIRTIO_CONFIG_S_NEEDS_RESET;
	/* Linux's balloon notifies before this, when it is passed over */
	if (fresh & VIRTIO_CONFIG_S_DRIVER_OK)
		notify_all(v);
}

static void write_vector(const struct virtio *v, uint16_t *vector,
			 uint16_t value)
{
	*vector = value < v->pci.vectors ? value : NO_VECTOR;
}

static void write_half(uint64_t *value, bool high, uint32_t half)
{
	*value = high ? (uint64_t)half << 32 | (uint32_t)*value :
			(*value >> 32 << 32) | half;
}

/*
 * Of the queue that is selected. Size and addresses of an enabled one do not
 * change any more; some systems choose its vector afterwards.
 */
static void write_queue(struct virtio *v, uint64_t at, uint32_t value)
{
	struct virtqueue *q;

	if (v->queue_select >= v->ops->queues)
		return;
	q = &v->queue[v->queue_select];
	if (q->enabled && at != VIRTIO_PCI_COMMON_Q_MSIX)
		return;
	switch (at) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		q->size = value;
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		write_vector(v, &q->vector, value);
		if (v->ops->revectored)
			v->ops->revectored(v, q);
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1 && v->status & VIRTIO_CONFIG_S_FEATURES_OK &&
		    queue_enable(q, v->driver_features))
			virtio_break(v, "a queue that is not in memory");
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		write_half(&q->desc, at & 4, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		write_half(&q->avail, at & 4, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		write_half(&q->used, at & 4, value);
		break;
	}
}

/* evening 13: a virtio device and its driver agree */
static void write_common(struct virtio *v, uint64_t at, uint32_t value)
{
	switch (at) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		v->feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		v->driver_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		/* Negotiation is over then */
		if (v->driver_select < 2 &&
		    !(v->status & VIRTIO_CONFIG_S_FEATURES_OK))
			write_half(&v->driver_features, v->driver_select,
				   value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		write_vector(v, &v->config_vector, value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		write_status(v, value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		v->queue_select = value;
		break;
	default:
		write_queue(v, at, value);
		break;
	}
}

static uint64_t read_common(struct virtio *v, uint64_t at, unsigned int size)
{
	static const struct virtqueue none;
	const struct virtqueue *q = v->queue_select < v->ops->queues ?
				    &v->queue[v->queue_select] : &none;
	struct virtio_pci_common_cfg c = {
		.device_feature_select = v->feature_select,
		.device_feature = v->feature_select < 2 ?
			offered(v) >> 32 * v->feature_select : 0,
		.guest_feature_select = v->driver_select,
		.guest_feature = v->driver_select < 2 ?
			v->driver_features >> 32 * v->driver_select : 0,
		.msix_config = v->config_vector,
		.num_queues = v->ops->queues, .device_status = v->status,
		.config_generation = v->generation,
		.queue_select = v->queue_select, .queue_size = q->size,
		.queue_msix_vector = q->vector, .queue_enable = q->enabled,
		.queue_notify_off = q->number,
		.queue_desc_lo = q->desc, .queue_desc_hi = q->desc >> 32,
		.queue_avail_lo = q->avail, .queue_avail_hi = q->avail >> 32,
		.queue_used_lo = q->used, .queue_used_hi = q->used >> 32 };
	uint64_t value = 0;

	if (at + size <= sizeof(c))
		memcpy(&value, (uint8_t *)&c + at, size);
	return value;
}

static uint64_t bar0_read(struct device *device, uint64_t at, unsigned int size)
{
	struct virtio *v = (struct virtio *)device;
	uint8_t config[256] = { 0 }, isr;
	uint64_t value = 0;

	if (at >= MSIX)
		return msix_read(&v->pci, at - MSIX, size);
	if (at >= CONFIG) {
		at -= CONFIG;
		if (at + size > v->ops->config_len)
			return 0;
		v->ops->config(v, config);
		memcpy(&value, config + at, size);
		return value;
	}
	if (at >= ISR) {
		isr = v->isr;
		v->isr = 0;
		pci_set_intx(&v->pci, false);
		return isr;
	}
	return read_common(v, at, size);
}

static void bar0_write(struct device *device, uint64_t at, uint64_t value,
		       unsigned int size)
{
	struct virtio *v = (struct virtio *)device;

	if (at >= MSIX)
		msix_write(&v->pci, at - MSIX, value, size);
	else if (at < ISR)
		write_common(v, at, value);
	else if (at >= CONFIG && at - CONFIG + size <= v->ops->config_len &&
		 v->ops->write_config)
		v->ops->write_config(v, at - CONFIG, value, size);
}

/* The module saw the notification: no exit was needed */
static void on_rung(void *ctx, uint32_t events)
{
	struct virtqueue *q = ctx;
	struct virtio *v = q->owner;

	if (eventfd_take(v->rung[q->number].fd))
		notify(v, q->number);
}

static int add_doorbells(struct virtio *v, struct error *error)
{
	struct loop *loop = v->pci.device.loop;
	unsigned int i;
	int ret = 0;

	/* Those that are not made are not closed */
	for (i = 0; i < v->ops->queues; i++)
		v->rung[i].fd = -1;
	pthread_mutex_lock(&loop->lock);
	for (i = 0; i < v->ops->queues && !ret; i++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		v->doorbell[i] = (struct doorbell){
			.at = i * NOTIFY_STEP, .size = 2, .eventfd = fd };
		v->rung[i] = (struct watch){ on_rung, &v->queue[i], fd, 0 };
		ret = fd < 0 ? -errno : loop_watch(loop, &v->rung[i], EPOLLIN);
	}
	pthread_mutex_unlock(&loop->lock);
	v->pci.bar[2].doorbell = v->doorbell;
	v->pci.bar[2].doorbells = v->by_vcpu ? 0 : v->ops->queues;
	if (!ret)
		return 0;
	virtio_destroy(v);
	return fail(error, STATUS_OS, "no eventfds for %s: %s",
		    v->pci.device.class->name, strerror(-ret));
}

void virtio_destroy(struct virtio *v)
{
	unsigned int i;

	for (i = 0; i < PCI_BARS; i++)
		region_unmap(&v->pci.bar[i]);
	pthread_mutex_lock(v->pci.device.lock);
	for (i = 0; i < v->ops->queues; i++) {
		if (v->rung[i].fd < 0)
			continue;
		loop_watch(v->pci.device.loop, &v->rung[i], 0);
		close(v->rung[i].fd);
	}
	msix_destroy(&v->pci);
	pthread_mutex_unlock(v->pci.device.lock);
}

static uint64_t notify_read(struct device *device, uint64_t at,
			    unsigned int size)
{
	return ~0ull;
}

static void notify_write(struct device *device, uint64_t at, uint64_t value,
			 unsigned int size)
{
	notify((struct virtio *)device, at / NOTIFY_STEP);
}

/*
 * The window (4.1.4.9): a BAR, an offset, a length, and data, by which a driver
 * that has no addresses for BARs reaches what is in them. What it says is not
 * checked before: if it is nothing, nothing happens.
 */
static void access_window(struct virtio *v, bool write)
{
	struct virtio_pci_cfg_cap cap;
	uint8_t *at = v->pci.config + v->window;
	const struct region *bar;
	uint32_t len, value = 0;

	memcpy(&cap, at, sizeof(cap));
	bar = &v->pci.bar[cap.cap.bar % PCI_BARS];
	len = cap.cap.length;
	if (cap.cap.bar >= PCI_BARS || (len != 1 && len != 2 && len != 4) ||
	    cap.cap.offset % len || cap.cap.offset >= bar->len)
		return;
	if (write) {
		memcpy(&value, cap.pci_cfg_data, len);
		bar->ops->write(bar->device, cap.cap.offset, value, len);
	} else {
		value = bar->ops->read(bar->device, cap.cap.offset, len);
		memcpy(at + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data),
		       &value, len);
	}
}

static bool is_window_data(const struct virtio *v, unsigned int at,
			   unsigned int size)
{
	unsigned int data = v->window +
			    offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	return at < data + 4 && at + size > data;
}

static void config_reading(struct pci_function *f, unsigned int at,
			   unsigned int size)
{
	struct virtio *v = (struct virtio *)f;

	if (is_window_data(v, at, size))
		access_window(v, false);
}

/* It may be allowed to access memory now, and not have been before */
static void config_changed(struct pci_function *f, unsigned int at,
			   unsigned int size)
{
	struct virtio *v = (struct virtio *)f;

	if (is_window_data(v, at, size))
		access_window(v, true);
	if (pci_is_master(f))
		notify_all(v);
}

/* It is not allowed to any more: nothing comes after this */
static void stop_dma(struct pci_function *f)
{
	struct virtio *v = (struct virtio *)f;

	if (v->ops->drain)
		v->ops->drain(v);
}

static uint8_t add_capability(struct virtio *v, uint8_t type, uint8_t bar,
			      uint32_t offset, uint32_t len, uint32_t step)
{
	struct virtio_pci_notify_cap cap = {
		.cap = { .cfg_type = type, .bar = bar, .offset = offset,
			 .length = len },
		.notify_off_multiplier = step };
	/* The last four bytes of the window are its data */
	uint8_t cap_len = step || type == VIRTIO_PCI_CAP_PCI_CFG ?
			  sizeof(cap) : sizeof(cap.cap), at;

	cap.cap.cap_len = cap_len;
	at = pci_add_capability(&v->pci, PCI_CAP_ID_VNDR, cap_len);
	memcpy(v->pci.fixed + at + 2, (uint8_t *)&cap + 2, cap_len - 2);
	return at;
}

static void add_window(struct virtio *v)
{
	uint8_t at = add_capability(v, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0, 0);
	uint8_t *writable = v->pci.writable + at;

	v->window = at;
	writable[offsetof(struct virtio_pci_cap, bar)] = 0xff;
	pci_put32(writable, offsetof(struct virtio_pci_cap, offset), ~0u);
	pci_put32(writable, offsetof(struct virtio_pci_cap, length), ~0u);
	pci_put32(writable, offsetof(struct virtio_pci_cfg_cap, pci_cfg_data),
		  ~0u);
}

int virtio_create(struct virtio *v, const struct virtio_ops *ops,
		  struct error *error)
{
	static const struct region_ops registers = { .max = 4,
		.read = bar0_read, .write = bar0_write };
	static const struct region_ops doorbells = { .max = 4,
		.read = notify_read, .write = notify_write };
	struct pci_function *f = &v->pci;
	const struct pci_id id = { VENDOR, FIRST_DEVICE + ops->type, VENDOR,
				   0x1100, ops->class, 1 };

	v->ops = ops;
	if (pci_create(f, &id, error))
		return -1;
	f->changed = config_changed;
	f->reading = config_reading;
	f->stop_dma = stop_dma;
	f->signalled = signalled;
	f->fixed[PCI_INTERRUPT_PIN] = 1;
	f->bar[0] = (struct region){ &registers, &f->device, .len = BAR0_LEN };
	pci_add_bar(f, 0, false, false);
	f->bar[2] = (struct region){ &doorbells, &f->device, .len = BAR2_MIN };
	while (f->bar[2].len < NOTIFY_STEP * ops->queues)
		f->bar[2].len *= 2;
	pci_add_bar(f, 2, true, false);
	add_capability(v, VIRTIO_PCI_CAP_COMMON_CFG, 0, COMMON,
		       sizeof(struct virtio_pci_common_cfg), 0);
	add_capability(v, VIRTIO_PCI_CAP_ISR_CFG, 0, ISR, 1, 0);
	if (ops->config_len)
		add_capability(v, VIRTIO_PCI_CAP_DEVICE_CFG, 0, CONFIG,
			       ops->config_len, 0);
	add_capability(v, VIRTIO_PCI_CAP_NOTIFY_CFG, 2, 0, f->bar[2].len,
		       NOTIFY_STEP);
	add_window(v);
	/* With fewer than it has queues the driver shares them */
	pci_add_msix(f, ops->queues < MSIX_VECTORS ? ops->queues + 1 :
			MSIX_VECTORS, 0, MSIX, MSIX + MSIX_PENDING_AT);
	return add_doorbells(v, error);
}

void virtio_reset(struct virtio *v)
{
	soft_reset(v);
	pci_reset(&v->pci);
}

int virtio_loaded(struct virtio *v, struct error *error)
{
	unsigned int i;

	if (v->driver_features & ~offered(v))
		return fail(error, STATUS_DATA,
			    "features 0x%llx are not all offered here",
			    (unsigned long long)v->driver_features);
	for (i = 0; i < VIRTIO_QUEUES; i++) {
		struct virtqueue *q = &v->queue[i];

		q->number = i;
		q->ops = &queue_ops;
		q->owner = v;
		if (q->enabled && (i >= v->ops->queues || queue_enable(q, v->driver_features)))
			return fail(error, STATUS_DATA,
				    "queue %u is not in memory", i);
	}
	if (pci_loaded(&v->pci, error))
		return -1;
	/* What the driver made available while it was saved */
	if (pci_is_master(&v->pci))
		notify_all(v);
	return 0;
}
