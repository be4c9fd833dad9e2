/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's driver for a virtio device of a bare machine, for tests: registers
 * by BARs, split rings in the guest's memory. It works on one slot and one
 * queue at a time; these are slot 1 and queue 0 if a test does not say.
 */
#ifndef MVMM_VIRTIO_DRIVER_H
#define MVMM_VIRTIO_DRIVER_H

#include <linux/virtio_blk.h>
#include <linux/virtio_pci.h>
#include "devices/virtio/virtio.h"
#include "tests/bare.h"

#define SLOT		(driver.slot + 1)
#define RING		16
#define DESC		0x10000ull
#define AVAIL		0x11000ull
#define USED		0x12000ull
#define HEADERS		0x13000ull
#define STATUSES	0x14000ull
#define TABLE		0x15000ull
#define BUFFERS		0x100000ull
#define MEMORY		(4u << 20)
/* The rings of the other queues */
#define MORE_QUEUES	0x200000ull
#define QUEUE_STEP	0x3000ull

static struct {
	uint64_t bar0, bar2;
	unsigned int slot, queue;
	uint16_t avail[VIRTIO_QUEUES];
	/* Of a packed ring: the next descriptor, in which round */
	uint16_t next[VIRTIO_QUEUES], size[VIRTIO_QUEUES];
	bool wrap[VIRTIO_QUEUES];
} driver;

static inline void *at(uint64_t gpa)
{
	return m.memory.base + gpa;
}

static inline uint32_t cfg_read(unsigned int reg, unsigned int size)
{
	outs(0xcf8, 1u << 31 | SLOT << 11 | (reg & 0xfc), 4);
	return ins(0xcfc + (reg & 3), size);
}

static inline void cfg_write(unsigned int reg, uint32_t value,
			     unsigned int size)
{
	outs(0xcf8, 1u << 31 | SLOT << 11 | (reg & 0xfc), 4);
	outs(0xcfc + (reg & 3), value, size);
}

static inline uint64_t reg_read(uint64_t reg, unsigned int size)
{
	uint64_t value = 0;

	bus_access(&m.mmio, driver.bar0 + reg, &value, size, false);
	return value;
}

static inline void reg_write(uint64_t reg, uint64_t value, unsigned int size)
{
	bus_access(&m.mmio, driver.bar0 + reg, &value, size, true);
}

#define COMMON(member) offsetof(struct virtio_pci_common_cfg, member)

static inline uint8_t find_capability(uint8_t id, uint8_t type)
{
	uint8_t cap = cfg_read(PCI_CAPABILITY_LIST, 1);

	while (cap && (cfg_read(cap, 1) != id ||
		       (id == PCI_CAP_ID_VNDR &&
			cfg_read(cap + 3, 1) != type)))
		cap = cfg_read(cap + 1, 1);
	return cap;
}

static inline void driver_features(uint64_t features)
{
	reg_write(COMMON(device_status), 0, 1);
	reg_write(COMMON(device_status), 1 | 2, 1);
	reg_write(COMMON(guest_feature_select), 0, 4);
	reg_write(COMMON(guest_feature), features, 4);
	reg_write(COMMON(guest_feature_select), 1, 4);
	reg_write(COMMON(guest_feature), features >> 32, 4);
	reg_write(COMMON(device_status), 1 | 2 | 8, 1);
}

static inline void driver_queue(uint64_t desc, uint64_t avail, uint64_t used)
{
	reg_write(COMMON(queue_select), driver.queue, 2);
	reg_write(COMMON(queue_size), driver.size[driver.queue], 2);
	reg_write(COMMON(queue_msix_vector), 1, 2);
	reg_write(COMMON(queue_desc_lo), desc, 4);
	reg_write(COMMON(queue_desc_hi), desc >> 32, 4);
	reg_write(COMMON(queue_avail_lo), avail, 4);
	reg_write(COMMON(queue_avail_hi), avail >> 32, 4);
	reg_write(COMMON(queue_used_lo), used, 4);
	reg_write(COMMON(queue_used_hi), used >> 32, 4);
	reg_write(COMMON(queue_enable), 1, 2);
}

#define F_VERSION_1	(1ull << VIRTIO_F_VERSION_1)
#define F_EVENT_IDX	(1ull << VIRTIO_RING_F_EVENT_IDX)
#define F_INDIRECT	(1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define F_PACKED	(1ull << VIRTIO_F_RING_PACKED)

static inline uint64_t ring_at(uint64_t part)
{
	return driver.queue ? MORE_QUEUES + part - DESC +
			      (driver.queue - 1) * QUEUE_STEP : part;
}

static inline struct vring_desc *desc(unsigned int i)
{
	return (struct vring_desc *)at(ring_at(DESC)) + i;
}

static inline struct vring_avail *avail(void)
{
	return at(ring_at(AVAIL));
}

static inline struct vring_used *used(void)
{
	return at(ring_at(USED));
}

/* Between driver_begin() and driver_ok(); it is the one from now on */
static inline void add_queue_of(unsigned int queue, unsigned int size)
{
	driver.queue = queue;
	driver.avail[queue] = driver.next[queue] = 0;
	driver.size[queue] = size;
	driver.wrap[queue] = true;
	driver_queue(ring_at(DESC), ring_at(AVAIL), ring_at(USED));
}

static inline void add_queue(unsigned int queue)
{
	add_queue_of(queue, RING);
}

/* A chain of @nr descriptors of a packed ring, the first of which comes last */
static inline void offer_packed(const struct vring_packed_desc *d,
				unsigned int nr)
{
	struct vring_packed_desc *ring = at(ring_at(DESC));
	unsigned int q = driver.queue, first = driver.next[q], i;
	uint16_t flags = 0;

	for (i = 0; i < nr; i++) {
		struct vring_packed_desc *to = &ring[driver.next[q]];
		uint16_t mine = d[i].flags |
			(driver.wrap[q] ? 1 << VRING_PACKED_DESC_F_AVAIL :
					  1 << VRING_PACKED_DESC_F_USED);

		to->addr = d[i].addr;
		to->len = d[i].len;
		to->id = d[i].id;
		if (i)
			to->flags = mine;
		else
			flags = mine;
		if (++driver.next[q] == driver.size[q]) {
			driver.next[q] = 0;
			driver.wrap[q] = !driver.wrap[q];
		}
	}
	__atomic_store_n(&ring[first].flags, flags, __ATOMIC_RELEASE);
}

static inline void offer(uint16_t head)
{
	avail()->ring[driver.avail[driver.queue]++ % RING] = head;
	__atomic_store_n(&avail()->idx, driver.avail[driver.queue],
			 __ATOMIC_RELEASE);
}

static inline void kick(void)
{
	outs(driver.bar2 + 4 * driver.queue, 0, 2);
}

/* As Linux does it, in short: up to where queues are added */
static inline void driver_begin(uint64_t features)
{
	pci_assign(&m, &error);
	driver.bar0 = cfg_read(PCI_BASE_ADDRESS_0, 4);
	driver.bar2 = cfg_read(PCI_BASE_ADDRESS_2, 4) & ~3u;
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
	/* The device is reset before its rings are cleared */
	driver_features(F_VERSION_1 | features);
	memset(at(DESC), 0, 0x10000);
	memset(at(MORE_QUEUES), 0, (VIRTIO_QUEUES - 1) * QUEUE_STEP);
}

static inline void driver_ok(void)
{
	reg_write(COMMON(device_status), 1 | 2 | 8 | 4, 1);
}

/* One with one queue */
static inline void driver_start(uint64_t features)
{
	driver_begin(features);
	add_queue(0);
	driver_ok();
}

static inline uint8_t *status_of(unsigned int head)
{
	return (uint8_t *)at(STATUSES) + head;
}

/* Three descriptors from @head on: header, data, status */
static inline void make_request(unsigned int head, uint32_t type,
				uint64_t sector, uint64_t data, uint32_t len)
{
	struct virtio_blk_outhdr *header = at(HEADERS + 16 * head);
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;

	*header = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*status_of(head) = 0xee;
	*desc(head) = (struct vring_desc){ HEADERS + 16 * head, 16,
					   VRING_DESC_F_NEXT, head + 1 };
	*desc(head + 1) = (struct vring_desc){ data, len, VRING_DESC_F_NEXT |
		(in ? VRING_DESC_F_WRITE : 0), head + 2 };
	if (!len)
		desc(head)->next = head + 2;
	*desc(head + 2) = (struct vring_desc){ STATUSES + head, 1,
					       VRING_DESC_F_WRITE, 0 };
}

static inline bool all_used(void *ctx)
{
	return __atomic_load_n(&used()->idx, __ATOMIC_ACQUIRE) ==
	       driver.avail[driver.queue];
}

/* Until the device has given everything back */
static inline void wait_for_all(void)
{
	loop_run(&m.loop, all_used, NULL);
}

static inline uint8_t do_request(uint32_t type, uint64_t sector, uint64_t data,
			  uint32_t len)
{
	make_request(0, type, sector, data, len);
	offer(0);
	kick();
	wait_for_all();
	return *status_of(0);
}

/* The end of a test whose devices have nothing else behind them */
static inline int driver_teardown(void **state)
{
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}

#endif
