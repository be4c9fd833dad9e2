/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's driver for a virtio device in slot 1 of a bare machine, for tests:
 * registers by BARs, one split ring in the guest's memory.
 */
#ifndef MVMM_VIRTIO_DRIVER_H
#define MVMM_VIRTIO_DRIVER_H

#include <linux/virtio_blk.h>
#include <linux/virtio_pci.h>
#include "devices/virtio/virtio.h"
#include "tests/bare.h"

#define SLOT		1
#define RING		16
#define DESC		0x10000ull
#define AVAIL		0x11000ull
#define USED		0x12000ull
#define HEADERS		0x13000ull
#define STATUSES	0x14000ull
#define TABLE		0x15000ull
#define BUFFERS		0x100000ull
#define MEMORY		(4u << 20)

static struct {
	uint64_t bar0, bar2;
	uint16_t avail, used;
} driver;

static void *at(uint64_t gpa)
{
	return m.memory.base + gpa;
}

static uint32_t cfg_read(unsigned int reg, unsigned int size)
{
	outs(0xcf8, 1u << 31 | SLOT << 11 | (reg & 0xfc), 4);
	return ins(0xcfc + (reg & 3), size);
}

static void cfg_write(unsigned int reg, uint32_t value, unsigned int size)
{
	outs(0xcf8, 1u << 31 | SLOT << 11 | (reg & 0xfc), 4);
	outs(0xcfc + (reg & 3), value, size);
}

static uint64_t reg_read(uint64_t reg, unsigned int size)
{
	uint64_t value = 0;

	bus_access(&m.mmio, driver.bar0 + reg, &value, size, false);
	return value;
}

static void reg_write(uint64_t reg, uint64_t value, unsigned int size)
{
	bus_access(&m.mmio, driver.bar0 + reg, &value, size, true);
}

#define COMMON(member) offsetof(struct virtio_pci_common_cfg, member)

static uint8_t find_capability(uint8_t id, uint8_t type)
{
	uint8_t cap = cfg_read(PCI_CAPABILITY_LIST, 1);

	while (cap && (cfg_read(cap, 1) != id ||
		       (id == PCI_CAP_ID_VNDR &&
			cfg_read(cap + 3, 1) != type)))
		cap = cfg_read(cap + 1, 1);
	return cap;
}

static void driver_features(uint64_t features)
{
	reg_write(COMMON(device_status), 0, 1);
	reg_write(COMMON(device_status), 1 | 2, 1);
	reg_write(COMMON(guest_feature_select), 0, 4);
	reg_write(COMMON(guest_feature), features, 4);
	reg_write(COMMON(guest_feature_select), 1, 4);
	reg_write(COMMON(guest_feature), features >> 32, 4);
	reg_write(COMMON(device_status), 1 | 2 | 8, 1);
}

static void driver_queue(uint64_t desc, uint64_t avail, uint64_t used)
{
	reg_write(COMMON(queue_select), 0, 2);
	reg_write(COMMON(queue_size), RING, 2);
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

/* As Linux does it, in short */
static void driver_start(uint64_t features)
{
	pci_assign(&m, &error);
	driver.bar0 = cfg_read(PCI_BASE_ADDRESS_0, 4);
	driver.bar2 = cfg_read(PCI_BASE_ADDRESS_2, 4) & ~3u;
	driver.avail = driver.used = 0;
	memset(at(DESC), 0, 0x10000);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
	driver_features(F_VERSION_1 | features);
	driver_queue(DESC, AVAIL, USED);
	reg_write(COMMON(device_status), 1 | 2 | 8 | 4, 1);
}

static struct vring_desc *desc(unsigned int i)
{
	return (struct vring_desc *)at(DESC) + i;
}

static struct vring_avail *avail(void)
{
	return at(AVAIL);
}

static struct vring_used *used(void)
{
	return at(USED);
}

static void offer(uint16_t head)
{
	avail()->ring[driver.avail++ % RING] = head;
	__atomic_store_n(&avail()->idx, driver.avail, __ATOMIC_RELEASE);
}

static void kick(void)
{
	outs(driver.bar2, 0, 2);
}

static uint8_t *status_of(unsigned int head)
{
	return (uint8_t *)at(STATUSES) + head;
}

/* Three descriptors from @head on: header, data, status */
static void make_request(unsigned int head, uint32_t type, uint64_t sector,
			 uint64_t data, uint32_t len)
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

static bool all_used(void *ctx)
{
	return __atomic_load_n(&used()->idx, __ATOMIC_ACQUIRE) == driver.avail;
}

/* Until the device has given everything back */
static void wait_for_all(void)
{
	loop_run(&m.loop, all_used, NULL);
}

static uint8_t do_request(uint32_t type, uint64_t sector, uint64_t data,
			  uint32_t len)
{
	make_request(0, type, sector, data, len);
	offer(0);
	kick();
	wait_for_all();
	return *status_of(0);
}

#endif
