// SPDX-License-Identifier: GPL-2.0
/*
 * PCI, virtio and virtio-blk on a raw file, by a driver that keeps the rules and
 * by one that does not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "block/block.h"
#include "tests/virtio_driver.h"
#define DISK	(1u << 20)

static unsigned int syncs;
static int sync_error;

/* libc's, for the disk */
int fdatasync(int fd)
{
	syncs++;
	errno = sync_error;
	return sync_error ? -1 : 0;
}

/* A ring's are test_block's */
int io_uring_queue_init(void) { return -ENOSYS; }

static int file = -1;
static char path[64];
static struct block *disk;

static void start(bool read_only)
{
	struct block_config config = { .path = path, .read_only = read_only };

	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	disk = file_open(&config, &error);
	assert_non_null(disk);
	m.config.disk[0] = disk;
	m.config.disks = 1;
	bare_device("pci-host");
	bare_device_with("virtio-blk", "ioeventfd=on");
}

static void stop(void)
{
	devices_destroy(&m);
	disk->ops->close(disk);
	memory_destroy(&m.memory);
	bare_stop();
}

static int setup(void **state)
{
	uint8_t *bytes = malloc(DISK);
	unsigned int i;

	file = memfd_create("disk", 0);
	for (i = 0; i < DISK; i++)
		bytes[i] = i / 512 + i;
	assert_int_equal(pwrite(file, bytes, DISK, 0), DISK);
	free(bytes);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	start(false);
	return 0;
}

static int teardown(void **state)
{
	stop();
	close(file);
	return 0;
}

/* ---- PCI ---------------------------------------------------------------- */

static uint32_t ecam(unsigned int slot, unsigned int reg, unsigned int size)
{
	uint32_t value = 0;

	bus_access(&m.mmio, PCI_ECAM + (slot << 15) + reg, &value, size, false);
	return value;
}

static void configuration_space(void **state)
{
	unsigned int i;

	/* The host bridge, by both ways */
	outs(0xcf8, 1u << 31, 4);
	assert_int_equal(ins(0xcfc, 4), 0x29c08086);
	assert_int_equal(ecam(0, 0, 4), 0x29c08086);
	assert_int_equal(ins(0xcf8, 4), 1u << 31);
	/* A byte write to the address register is not for it */
	outs(0xcf9, 6, 1);
	assert_int_equal(ins(0xcf8, 4), 1u << 31);
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10421af4);
	assert_int_equal(cfg_read(PCI_CLASS_DEVICE, 2), 0x0100);
	for (i = 0; i < 256; i++)
		assert_int_equal(cfg_read(i, 1), ecam(SLOT, i, 1));
	/* Nobody is in another slot, function or bus */
	assert_int_equal(ecam(2, 0, 4), 0xffffffff);
	outs(0xcf8, 1u << 31 | SLOT << 11 | 1 << 8, 4);
	assert_int_equal(ins(0xcfc, 4), 0xffffffff);
	outs(0xcf8, 1u << 31 | 1 << 16 | SLOT << 11, 4);
	assert_int_equal(ins(0xcfc, 4), 0xffffffff);
	outs(0xcf8, SLOT << 11, 4);
	assert_int_equal(ins(0xcfc, 4), 0xffffffff);
	/* Beyond the first 256 bytes there is nothing, but a function */
	assert_int_equal(ecam(SLOT, 0x100, 4), 0);
	/* What is read-only stays */
	cfg_write(PCI_VENDOR_ID, 0, 4);
	cfg_write(PCI_CAPABILITY_LIST, 0, 1);
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10421af4);
	assert_int_not_equal(cfg_read(PCI_CAPABILITY_LIST, 1), 0);
}

static void bars(void **state)
{
	uint32_t bar;

	/* Sizes */
	cfg_write(PCI_BASE_ADDRESS_0, 0xffffffff, 4);
	assert_int_equal(cfg_read(PCI_BASE_ADDRESS_0, 4), 0xffffc000);
	cfg_write(PCI_BASE_ADDRESS_2, 0xffffffff, 4);
	assert_int_equal(cfg_read(PCI_BASE_ADDRESS_2, 4), 0xffffffe1);
	cfg_write(PCI_BASE_ADDRESS_1, 0xffffffff, 4);
	assert_int_equal(cfg_read(PCI_BASE_ADDRESS_1, 4), 0);
	driver_start(0);
	bar = driver.bar0;
	assert_in_range(bar, PCI_WINDOW_FIRST, PCI_WINDOW_END - 1);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 1);
	/* It moves, and is then nowhere else */
	cfg_write(PCI_BASE_ADDRESS_0, bar + 0x100000, 4);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 0xffff);
	driver.bar0 = bar + 0x100000;
	assert_int_equal(reg_read(COMMON(num_queues), 2), 1);
	/* Off, on, and over the I/O APIC, which wins */
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO, 2);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 0xffff);
	cfg_write(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 1);
	cfg_write(PCI_BASE_ADDRESS_0, PCI_ECAM, 4);
	assert_int_equal(ecam(0, 0, 4), 0x29c08086);
	cfg_write(PCI_BASE_ADDRESS_0, 0xffffc000, 4);
	cfg_write(PCI_BASE_ADDRESS_0, 0, 4);
	cfg_write(PCI_BASE_ADDRESS_0, bar, 4);
	driver.bar0 = bar;
	assert_int_equal(reg_read(COMMON(num_queues), 2), 1);
}

static void line_interrupt(void **state)
{
	driver_start(0);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
	/* Slot 1 has line 11. The status bit tells, too */
	assert_true(noted.up[11]);
	assert_true(cfg_read(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE, 2);
	assert_false(noted.up[11]);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
	assert_true(noted.up[11]);
	assert_int_equal(reg_read(0x1000, 1), 1);
	assert_false(noted.up[11]);
	assert_int_equal(reg_read(0x1000, 1), 0);
}

#define TABLE_AT	0x3000

static void messages(void **state)
{
	uint8_t cap;

	driver_start(0);
	cap = find_capability(PCI_CAP_ID_MSIX, 0);
	assert_int_not_equal(cap, 0);
	assert_int_equal(cfg_read(cap + PCI_MSIX_FLAGS, 2), 1);
	reg_write(TABLE_AT + 16, 0xfee01000, 4);
	reg_write(TABLE_AT + 20, 0, 4);
	reg_write(TABLE_AT + 24, 0x4041, 4);
	cfg_write(cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
	/* Masked at first: it waits */
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
	assert_int_equal(noted.msis, 0);
	assert_int_equal(reg_read(TABLE_AT + 0x800, 8), 2);
	reg_write(TABLE_AT + 28, 0, 4);
	assert_int_equal(noted.msis, 1);
	assert_int_equal(noted.msi.address, 0xfee01000);
	assert_int_equal(noted.msi.data, 0x4041);
	assert_int_equal(reg_read(TABLE_AT + 0x800, 8), 0);
	/* The mask of all */
	cfg_write(cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE |
		  PCI_MSIX_FLAGS_MASKALL, 2);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
	assert_int_equal(noted.msis, 1);
	cfg_write(cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
	assert_int_equal(noted.msis, 2);
	assert_false(noted.up[11]);
	/* Entries that are not there, accesses that are not aligned */
	reg_write(TABLE_AT + 0x1f0, ~0ull, 4);
	reg_write(TABLE_AT + 0x7fc, ~0ull, 4);
	assert_int_equal(reg_read(TABLE_AT + 0x7fc, 4), 0);
	assert_int_equal(reg_read(TABLE_AT + 30, 4) & 0xffff, 0);
}

/* ---- virtio ------------------------------------------------------------- */

static void negotiation(void **state)
{
	uint64_t offered;

	driver_start(0);
	reg_write(COMMON(device_feature_select), 0, 4);
	offered = reg_read(COMMON(device_feature), 4);
	reg_write(COMMON(device_feature_select), 1, 4);
	offered |= reg_read(COMMON(device_feature), 4) << 32;
	assert_true(offered & F_VERSION_1);
	assert_true(offered & F_EVENT_IDX);
	/* What is not offered, and an old driver: FEATURES_OK stays clear */
	driver_features(F_VERSION_1 | 1ull << 40);
	assert_int_equal(reg_read(COMMON(device_status), 1), 3);
	driver_features(0);
	assert_int_equal(reg_read(COMMON(device_status), 1), 3);
	driver_features(F_VERSION_1);
	assert_int_equal(reg_read(COMMON(device_status), 1), 11);
	/* Too late */
	reg_write(COMMON(guest_feature_select), 0, 4);
	reg_write(COMMON(guest_feature), ~0u, 4);
	assert_int_equal(reg_read(COMMON(guest_feature), 4), 0);
	/* Bits of the status are not taken back, but by a reset */
	reg_write(COMMON(device_status), 1, 1);
	assert_int_equal(reg_read(COMMON(device_status), 1), 11);
	/* Queues: one; a vector that MSI-X does not have */
	assert_int_equal(reg_read(COMMON(queue_size), 2), 256);
	reg_write(COMMON(queue_msix_vector), 2, 2);
	assert_int_equal(reg_read(COMMON(queue_msix_vector), 2), 0xffff);
	reg_write(COMMON(queue_select), 1, 2);
	assert_int_equal(reg_read(COMMON(queue_size), 2), 0);
	reg_write(COMMON(queue_enable), 1, 2);
	assert_int_equal(reg_read(COMMON(queue_enable), 2), 0);
	/* An enabled queue does not change any more */
	driver_queue(DESC, AVAIL, USED);
	reg_write(COMMON(queue_size), 4, 2);
	reg_write(COMMON(queue_desc_lo), 0, 4);
	assert_int_equal(reg_read(COMMON(queue_size), 2), RING);
	assert_int_equal(reg_read(COMMON(queue_desc_lo), 4), DESC);
	reg_write(COMMON(device_status), 0, 1);
	assert_int_equal(reg_read(COMMON(queue_enable), 2), 0);
	assert_int_equal(reg_read(COMMON(device_status), 1), 0);
}

static void reads_and_writes(void **state)
{
	uint8_t *data, bytes[4096];
	unsigned int i;

	driver_start(F_INDIRECT);
	data = at(BUFFERS);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 3, BUFFERS, 4096), 0);
	assert_int_equal(used()->ring[0].len, 4097);
	assert_int_equal(pread(file, bytes, 4096, 3 * 512), 4096);
	assert_memory_equal(data, bytes, 4096);
	memset(data, 0xa5, 1024);
	assert_int_equal(do_request(VIRTIO_BLK_T_OUT, 10, BUFFERS, 1024), 0);
	assert_int_equal(used()->ring[1].len, 1);
	assert_int_equal(pread(file, bytes, 1024, 10 * 512), 1024);
	assert_memory_equal(data, bytes, 1024);
	assert_int_equal(do_request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), 0);
	assert_int_equal(do_request(VIRTIO_BLK_T_GET_ID, 0, BUFFERS, 20), 0);
	assert_string_equal((char *)data, "mvmm-disk-0");
	/* The last sector, and one that is not there */
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 2047, BUFFERS, 512), 0);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 2048, BUFFERS, 512), 1);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 2047, BUFFERS, 1024), 1);
	assert_int_equal(do_request(VIRTIO_BLK_T_OUT, ~0ull, BUFFERS, 512), 1);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 511), 1);
	assert_int_equal(do_request(99, 0, BUFFERS, 512), 2);
	/* Many at once, which come back in any order */
	for (i = 0; i < 5; i++) {
		make_request(3 * i, VIRTIO_BLK_T_IN, i, BUFFERS + 512 * i, 512);
		offer(3 * i);
	}
	kick();
	wait_for_all();
	assert_int_equal(pread(file, bytes, 5 * 512, 0), 5 * 512);
	assert_memory_equal(data, bytes, 5 * 512);
}

/* Who cannot flush must find on the disk what is done; an error stays */
static void flushes(void **state)
{
	driver_start(1ull << VIRTIO_BLK_F_FLUSH);
	syncs = sync_error = 0;
	assert_int_equal(do_request(VIRTIO_BLK_T_OUT, 0, BUFFERS, 512), 0);
	assert_int_equal(syncs, 0);
	assert_int_equal(do_request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), 0);
	assert_int_equal(syncs, 1);
	driver_start(0);
	assert_int_equal(do_request(VIRTIO_BLK_T_OUT, 0, BUFFERS, 512), 0);
	assert_int_equal(syncs, 2);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
	assert_int_equal(syncs, 2);
	/* The host tells once that it has lost something, the disk always */
	driver_start(1ull << VIRTIO_BLK_F_FLUSH);
	sync_error = EIO;
	assert_int_equal(do_request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), 1);
	sync_error = 0;
	assert_int_equal(do_request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), 1);
}

/* A driver that adds as fast as the device takes: others are served, too */
static void endless_requests(void **state)
{
	unsigned int i;

	driver_start(0);
	make_request(0, 99, 0, BUFFERS, 512);
	for (i = 0; i < RING; i++)
		avail()->ring[i] = 0;
	driver.avail[0] = RING;
	avail()->idx = RING;
	kick();
	/* All that there were, and no more in one go */
	assert_int_equal(used()->idx, RING);
	avail()->idx = driver.avail[0] = 2 * RING;
	kick();
	assert_int_equal(used()->idx, 2 * RING);
}

/* A vector that is chosen when the queue is enabled already: NetBSD */
static void late_vector(void **state)
{
	driver_start(0);
	reg_write(COMMON(queue_msix_vector), 0, 2);
	assert_int_equal(reg_read(COMMON(queue_msix_vector), 2), 0);
}

/* Each has its own state */
static void two_disks(void **state)
{
	struct block_config config = { .path = path, .read_only = true };
	json_t *saved;

	stop();
	start(true);
	m.config.disk[1] = file_open(&config, &error);
	assert_non_null(m.config.disk[1]);
	m.config.disks = 2;
	assert_null(device_create(&m, "virtio-blk", "disk=0", &error));
	assert_non_null(strstr(error.text, "disk 0 has two devices"));
	bare_device_with("virtio-blk", "disk=1");
	saved = devices_save(&m);
	assert_int_equal(json_object_size(saved), 3);
	assert_non_null(json_object_get(saved, "virtio-blk.1"));
	assert_int_equal(devices_load(&m, saved, &error), 0);
	/* One that the machine does not have */
	json_object_set_new(saved, "virtio-blk.2", json_object());
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "a state of 4 devices"));
	json_decref(saved);
	devices_destroy(&m);
	m.config.disk[1]->ops->close(m.config.disk[1]);
}

static void discards(void **state)
{
	struct virtio_blk_discard_write_zeroes range = {
		.sector = 8, .num_sectors = 8 };
	static const uint8_t zeroes[4096];
	uint8_t bytes[4096];

	driver_start(0);
	memcpy(at(BUFFERS), &range, sizeof(range));
	assert_int_equal(do_request(VIRTIO_BLK_T_WRITE_ZEROES, 0, BUFFERS,
				    sizeof(range)), 0);
	assert_int_equal(pread(file, bytes, 4096, 4096), 4096);
	assert_memory_equal(bytes, zeroes, 4096);
	range.sector = 16;
	memcpy(at(BUFFERS), &range, sizeof(range));
	assert_int_equal(do_request(VIRTIO_BLK_T_DISCARD, 0, BUFFERS,
				    sizeof(range)), 0);
	range.sector = 2047;
	memcpy(at(BUFFERS), &range, sizeof(range));
	assert_int_equal(do_request(VIRTIO_BLK_T_DISCARD, 0, BUFFERS,
				    sizeof(range)), 1);
	range.sector = ~0ull;
	memcpy(at(BUFFERS), &range, sizeof(range));
	assert_int_equal(do_request(VIRTIO_BLK_T_WRITE_ZEROES, 0, BUFFERS,
				    sizeof(range)), 1);
	/* An unknown flag; a header that is cut short */
	range.flags = 2;
	memcpy(at(BUFFERS), &range, sizeof(range));
	assert_int_equal(do_request(VIRTIO_BLK_T_WRITE_ZEROES, 0, BUFFERS,
				    sizeof(range)), 2);
	assert_int_equal(do_request(VIRTIO_BLK_T_DISCARD, 0, BUFFERS, 8), 2);
}

static void read_only(void **state)
{
	uint8_t before[512], after[512];

	stop();
	start(true);
	driver_start(0);
	reg_write(COMMON(device_feature_select), 0, 4);
	assert_true(reg_read(COMMON(device_feature), 4) &
		    1u << VIRTIO_BLK_F_RO);
	assert_int_equal(pread(file, before, 512, 0), 512);
	assert_int_equal(do_request(VIRTIO_BLK_T_OUT, 0, BUFFERS, 512), 1);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
	assert_int_equal(pread(file, after, 512, 0), 512);
	assert_memory_equal(before, after, 512);
}

/* The header in two pieces, data in many, all in an indirect table */
static void scattered(void **state)
{
	struct vring_desc *table;
	uint8_t bytes[2048];
	unsigned int i;

	driver_start(F_INDIRECT | F_EVENT_IDX);
	table = at(TABLE);
	make_request(0, VIRTIO_BLK_T_IN, 7, BUFFERS, 0);
	table[0] = (struct vring_desc){ HEADERS, 5, VRING_DESC_F_NEXT, 1 };
	table[1] = (struct vring_desc){ HEADERS + 5, 11, VRING_DESC_F_NEXT, 2 };
	for (i = 0; i < 4; i++)
		table[2 + i] = (struct vring_desc){
			BUFFERS + 1000 * i, 512,
			VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 3 + i };
	table[6] = (struct vring_desc){ STATUSES, 1, VRING_DESC_F_WRITE, 0 };
	*desc(0) = (struct vring_desc){ TABLE, 7 * sizeof(*table),
					VRING_DESC_F_INDIRECT, 0 };
	offer(0);
	kick();
	wait_for_all();
	assert_int_equal(*status_of(0), 0);
	assert_int_equal(pread(file, bytes, 2048, 7 * 512), 2048);
	for (i = 0; i < 4; i++)
		assert_memory_equal(at(BUFFERS + 1000 * i), bytes + 512 * i,
				    512);
}

/* The driver says from which entry on it wants to be told */
static void event_index(void **state)
{
	uint16_t *used_event, avail_event;

	driver_start(F_EVENT_IDX);
	used_event = &avail()->ring[RING];
	*used_event = 1;
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
	assert_false(noted.up[11]);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
	assert_true(noted.up[11]);
	/* The device wants a notification of the next entry */
	memcpy(&avail_event, &used()->ring[RING], sizeof(avail_event));
	assert_int_equal(avail_event, 2);
	/* Without the feature there is a flag */
	stop();
	start(false);
	driver_start(0);
	avail()->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
	assert_false(noted.up[11]);
}

/* A notification that the module turns into an eventfd, wherever the BAR is */
static void doorbells(void **state)
{
	static const struct region_ops none;
	struct region over = { .ops = &none, .len = 4 };
	uint32_t bar;

	m.ports.vm = 5;
	driver_start(0);
	assert_int_equal(noted.doorbells, 1);
	assert_int_equal(noted.doorbell.port, driver.bar2);
	assert_int_equal(noted.doorbell.len, 2);
	make_request(0, VIRTIO_BLK_T_IN, 0, BUFFERS, 512);
	offer(0);
	eventfd_write(noted.doorbell.fd, 1);
	wait_for_all();
	assert_int_equal(*status_of(0), 0);
	/* It moves with its BAR, and goes while something is over it */
	bar = driver.bar2 + 0x100;
	cfg_write(PCI_BASE_ADDRESS_2, bar, 4);
	assert_int_equal(noted.doorbells, 1);
	assert_int_equal(noted.doorbell.port, bar);
	assert_int_equal(region_map(&m.ports, &over, bar, &error), 0);
	assert_int_equal(noted.doorbells, 0);
	region_unmap(&over);
	assert_int_equal(noted.doorbells, 1);
	cfg_write(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_int_equal(noted.doorbells, 0);
	driver_start(0);
	assert_int_equal(noted.doorbells, 1);
	stop();
	assert_int_equal(noted.doorbells, 0);
	start(false);
}

/* ---- a driver that breaks the rules -------------------------------------- */

static void expect_broken(void)
{
	kick();
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
	assert_int_equal(reg_read(0x1000, 1) & 2, 2);
	/* It stays so, whatever comes, until a reset */
	kick();
	driver_start(F_INDIRECT);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
}

static void broken_rings(void **state)
{
	static const struct { struct vring_desc d[3]; unsigned int nr; } bad[] = {
		/* Not in memory; beyond its end; empty; outside the table */
		{ { { 0x80000000, 16, 0, 0 } }, 1 },
		{ { { MEMORY - 8, 16, 0, 0 } }, 1 },
		{ { { ~0ull - 4, 16, 0, 0 } }, 1 },
		{ { { HEADERS, 0, 0, 0 } }, 1 },
		{ { { HEADERS, 16, VRING_DESC_F_NEXT, RING } }, 1 },
		/* A loop; a read behind a write */
		{ { { HEADERS, 16, VRING_DESC_F_NEXT, 0 } }, 1 },
		{ { { BUFFERS, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1 },
		    { HEADERS, 16, 0, 0 } }, 2 },
		/* Indirect tables: nested, with a next, odd, not in memory */
		{ { { TABLE, 15, VRING_DESC_F_INDIRECT, 0 } }, 1 },
		{ { { TABLE, 0, VRING_DESC_F_INDIRECT, 0 } }, 1 },
		{ { { TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1 } },
		  1 },
		{ { { MEMORY, 16, VRING_DESC_F_INDIRECT, 0 } }, 1 },
		{ { { DESC + 16, 16, VRING_DESC_F_INDIRECT, 0 },
		    { TABLE, 16, VRING_DESC_F_INDIRECT, 0 } }, 2 },
		/* No place for the status */
		{ { { HEADERS, 16, 0, 0 } }, 1 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		driver_start(F_INDIRECT);
		memcpy(desc(0), bad[i].d, bad[i].nr * sizeof(bad[i].d[0]));
		offer(0);
		expect_broken();
	}
	/* A head outside the table, an index beyond the ring */
	driver_start(F_INDIRECT);
	offer(RING);
	expect_broken();
	driver_start(F_INDIRECT);
	avail()->idx = RING + 1;
	expect_broken();
	/* Rings that are not in memory, or not aligned */
	driver_start(0);
	driver_features(F_VERSION_1);
	driver_queue(MEMORY - 16, AVAIL, USED);
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
	driver_features(F_VERSION_1);
	driver_queue(DESC, AVAIL + 1, USED);
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
	driver_features(F_VERSION_1);
	driver_queue(DESC, AVAIL, ~0ull << 2);
	assert_true(reg_read(COMMON(device_status), 1) & 0x40);
}

/* Without permission to access memory it does nothing, until it gets it */
static void not_a_master(void **state)
{
	driver_start(0);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	make_request(0, VIRTIO_BLK_T_IN, 0, BUFFERS, 512);
	offer(0);
	kick();
	usleep(1000);
	assert_int_equal(used()->idx, 0);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
	wait_for_all();
	assert_int_equal(*status_of(0), 0);
}

/* Afterwards nothing touches the guest's memory any more */
static void reset_in_flight(void **state)
{
	static uint8_t before[MEMORY];
	unsigned int i, round;

	for (round = 0; round < 50; round++) {
		driver_start(0);
		for (i = 0; i < 5; i++) {
			make_request(3 * i, VIRTIO_BLK_T_IN, 0, BUFFERS,
				     100000 / 512 * 512);
			offer(3 * i);
		}
		kick();
		reg_write(COMMON(device_status), 0, 1);
		memcpy(before, m.memory.base, MEMORY);
		usleep(100);
		assert_memory_equal(before, m.memory.base, MEMORY);
	}
}

/* Saved with requests in flight, loaded into another machine: none is lost */
static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	uint8_t bytes[5 * 512];
	json_t *saved;
	unsigned int i;

	driver_start(F_EVENT_IDX);
	for (i = 0; i < 5; i++) {
		make_request(3 * i, VIRTIO_BLK_T_IN, i, BUFFERS + 512 * i, 512);
		offer(3 * i);
		if (i < 3)
			kick();
	}
	/* The last two were not noticed yet */
	saved = devices_save(&m);
	assert_non_null(saved);
	memcpy(memory, m.memory.base, MEMORY);
	stop();
	start(false);
	memcpy(m.memory.base, memory, MEMORY);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	wait_for_all();
	assert_int_equal(pread(file, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_memory_equal(at(BUFFERS), bytes, sizeof(bytes));
	for (i = 0; i < 5; i++)
		assert_int_equal(*status_of(3 * i), 0);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 9, BUFFERS, 512), 0);
	json_decref(saved);
}

/* ---- the file ------------------------------------------------------------ */

/* The file is cut short under a running guest: an error, and it goes on */
static void cut_short(void **state)
{
	driver_start(0);
	assert_int_equal(ftruncate(file, 512), 0);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 100, BUFFERS, 512), 1);
	assert_int_equal(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, 512), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(configuration_space), TEST(bars), TEST(line_interrupt),
		TEST(messages), TEST(negotiation), TEST(reads_and_writes), TEST(flushes),
		TEST(endless_requests), TEST(late_vector), TEST(two_disks),
		TEST(discards), TEST(read_only), TEST(scattered),
		TEST(event_index), TEST(doorbells), TEST(broken_rings), TEST(not_a_master),
		TEST(reset_in_flight), TEST(a_move), TEST(cut_short),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
