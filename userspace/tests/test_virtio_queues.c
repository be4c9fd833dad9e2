// SPDX-License-Identifier: GPL-2.0
/* virtio-blk with several queues. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "block/block.h"
#include "tests/virtio_driver.h"

static struct block *disk;

/* Each sector begins with its number */
static void start(const char *options)
{
	struct block_config config = { 0 };
	int file = memfd_create("disk", 0), i;
	char path[64];

	assert_int_equal(ftruncate(file, 1 << 20), 0);
	for (i = 0; i < 64; i++)
		assert_int_equal(pwrite(file, &i, 1, 512 * i), 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	config.path = path;
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	disk = file_open(&config, &error);
	close(file);
	assert_non_null(disk);
	m.config.disk[0] = disk;
	m.config.disks = 1;
	bare_device("pci-host");
	bare_device_with("virtio-blk", options);
}

static void stop(void)
{
	devices_destroy(&m);
	disk->ops->close(disk);
	memory_destroy(&m.memory);
	bare_stop();
}

/* Requests of all queues at once; each has its vector, and is saved */
static void many_queues(void **state)
{
	unsigned int q, i;
	uint64_t config;
	json_t *saved;

	start("queues=3");
	driver_begin(1ull << VIRTIO_BLK_F_MQ | 1ull << VIRTIO_BLK_F_TOPOLOGY);
	assert_int_equal(reg_read(COMMON(device_status), 1), 11);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 3);
	config = 0x2000 + offsetof(struct virtio_blk_config, num_queues);
	assert_int_equal(reg_read(config, 2), 3);
	config = 0x2000 + offsetof(struct virtio_blk_config,
				   physical_block_exp);
	assert_int_equal(reg_read(config, 1), 3);
	assert_int_equal(cfg_read(find_capability(PCI_CAP_ID_MSIX, 0) +
				  PCI_MSIX_FLAGS, 2), 3);
	for (q = 0; q < 3; q++) {
		add_queue(q);
		reg_write(COMMON(queue_msix_vector), q + 1, 2);
	}
	driver_ok();
	for (q = 0; q < 3; q++) {
		driver.queue = q;
		for (i = 0; i < 5; i++) {
			make_request(3 * i, VIRTIO_BLK_T_IN, 5 * q + i,
				     BUFFERS + 512 * (5 * q + i), 512);
			offer(3 * i);
		}
		kick();
	}
	for (q = 0; q < 3; q++) {
		driver.queue = q;
		wait_for_all();
	}
	for (i = 0; i < 15; i++)
		assert_int_equal(((uint8_t *)at(BUFFERS))[512 * i], i);
	saved = devices_save(&m);
	devices_reset(&m);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	for (q = 0; q < 3; q++) {
		assert_int_equal(((struct virtio *)m.devices)->queue[q].next_avail,
				 5);
		assert_int_equal(((struct virtio *)m.devices)->queue[q].vector,
				 q + 1);
	}
	/* For a disk of another number of queues it is nothing */
	stop();
	start(NULL);
	assert_int_equal(devices_load(&m, saved, &error), -1);
	assert_non_null(strstr(error.text, "a state with 3 queues"));
	json_decref(saved);
	stop();
}

static uint16_t queues_of(unsigned int vcpus, const char *options)
{
	uint16_t n;

	/* Made anew, with so many vCPUs */
	start(NULL);
	devices_destroy(&m);
	bus_destroy(&m.ports);
	bus_destroy(&m.mmio);
	bus_init(&m.ports, "port", 0xffff);
	bus_init(&m.mmio, "address", ~0ull);
	memset(m.pci, 0, sizeof(m.pci));
	m.disks_taken = 0;
	m.nr_vcpus = vcpus;
	bare_device("pci-host");
	bare_device_with("virtio-blk", options);
	driver_begin(0);
	n = reg_read(COMMON(num_queues), 2);
	m.nr_vcpus = 0;
	stop();
	return n;
}

static void one_for_each_cpu(void **state)
{
	assert_int_equal(queues_of(1, NULL), 1);
	assert_int_equal(queues_of(4, NULL), 4);
	assert_int_equal(queues_of(64, NULL), 16);
	assert_int_equal(queues_of(4, "queues=2"), 2);
	assert_int_equal(device_check("virtio-blk", "queues=17", &error), -1);
}

static unsigned int doorbells_with(const char *options)
{
	unsigned int n;

	start(options);
	m.ports.vm = 5;
	driver_start(0);
	n = noted.doorbells;
	make_request(0, VIRTIO_BLK_T_IN, 3, BUFFERS, 512);
	offer(0);
	kick();
	wait_for_all();
	assert_int_equal(*(uint8_t *)at(BUFFERS), 3);
	stop();
	return n;
}

/* A doorbell is an eventfd if a thread waits for it, else the vCPU serves it */
static void who_serves(void **state)
{
	assert_int_equal(doorbells_with("queues=1"), 0);
	assert_int_equal(doorbells_with("queues=1,ioeventfd=off"), 0);
	assert_int_equal(doorbells_with("queues=1,ioeventfd=on"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_queues),
		cmocka_unit_test(one_for_each_cpu),
		cmocka_unit_test(who_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
