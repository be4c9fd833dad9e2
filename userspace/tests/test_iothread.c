// SPDX-License-Identifier: GPL-2.0
/*
 * A disk that is an I/O thread's: what vCPUs, a pause, a save and the user do to
 * it. It is a file, one with an overlay, or an array.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "block/block.h"
#include "cmd/cmd.h"
#include "have.h"
#include "tests/two_threads.h"

#define DISK	(4u << 20)
#define REQUESTS 5

static int file[2];
static char path[2][32];
static struct block *disk;

static void make_devices(void)
{
	m.disks_taken = 0;
	memset(m.pci, 0, sizeof(m.pci));
	bare_device("pci-host");
	assert_non_null(device_create(&m, "virtio-blk", "iothread=two",
				      &error));
	bare_device("virtio-rng");
}

static void hold(bool paused)
{
	pthread_mutex_lock(&m.loop.lock);
	if (paused)
		machine_pause(&m);
	else
		machine_resume(&m);
	pthread_mutex_unlock(&m.loop.lock);
}

#ifdef HAVE_RAID
static void make_array(void)
{
	char *argv[] = { "raid", "create", "1", path[0], path[1],
			 "--assume-clean", NULL };

	assert_int_equal(cmd_raid(6, argv), 0);
}
#endif

/* @state: "file", "ephemeral" or "array" */
static void open_disk(const char *kind)
{
	struct block_config config;
	char words[100];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		file[i] = memfd_create("disk", 0);
		assert_int_equal(ftruncate(file[i], DISK), 0);
		snprintf(path[i], sizeof(path[i]), "/proc/self/fd/%d", file[i]);
	}
	snprintf(words, sizeof(words), "%s", path[0]);
#ifdef HAVE_RAID
	if (!strcmp(kind, "array")) {
		make_array();
		snprintf(words, sizeof(words), "raid1:%s,%s", path[0], path[1]);
	}
#endif
	assert_int_equal(block_parse(&config, words, &error), 0);
	config.ephemeral = !strcmp(kind, "ephemeral");
	disk = block_open(&config, &error);
	assert_non_null(disk);
}

static int setup(void **state)
{
	two_threads_begin();
	open_disk(*state);
	m.config.disk[0] = disk;
	m.config.disks = 1;
	make_devices();
	iothreads_start(&m);
	return 0;
}

static int teardown(void **state)
{
	iothreads_stop(&m);
	devices_destroy(&m);
	disk->ops->close(disk);
	iothreads_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	close(file[0]);
	close(file[1]);
	return 0;
}

/* The ring has them all; they are taken at a kick */
static void make_requests(void)
{
	unsigned int i;

	for (i = 0; i < REQUESTS; i++) {
		make_request(3 * i, VIRTIO_BLK_T_IN, i, BUFFERS + 512 * i, 512);
		offer(3 * i);
	}
}

static bool wait_used(unsigned int ms)
{
	while (!all_used(NULL) && ms--)
		usleep(1000);
	return all_used(NULL);
}

static struct virtio *virtio_blk(void)
{
	return (struct virtio *)m.pci[1];
}

static void serves(void **state)
{
	struct device *device = &m.pci[1]->device;

	assert_ptr_equal(device->loop, &m.iothread[1].loop);
	assert_ptr_equal(device->lock, &m.iothread[1].loop.lock);
	assert_ptr_equal(disk->loop, &m.iothread[1].loop);
	assert_ptr_equal(m.pci[2]->device.lock, &m.loop.lock);
	driver_start(0);
	make_requests();
	/* From the vCPU's thread, and as the module does it */
	kick();
	assert_true(wait_used(10000));
	make_requests();
	eventfd_write(virtio_blk()->doorbell[0].eventfd, 1);
	assert_true(wait_used(10000));
	assert_int_equal(*status_of(0), 0);
}

/* What the module tells it meanwhile comes later */
static void stands_while_paused(void **state)
{
	json_t *saved, *again;

	driver_start(0);
	hold(false);
	make_requests();
	kick();
	hold(true);
	assert_true(all_used(NULL));
	saved = devices_save(&m);
	make_requests();
	eventfd_write(virtio_blk()->doorbell[0].eventfd, 1);
	assert_false(wait_used(50));
	again = devices_save(&m);
	assert_true(json_equal(saved, again));
	json_decref(again);
	/* As machine_rebuild() does it: the kick is lost with the eventfd */
	devices_destroy(&m);
	bus_destroy(&m.ports);
	bus_destroy(&m.mmio);
	bus_init(&m.ports, "port", 0xffff);
	bus_init(&m.mmio, "address", ~0ull);
	make_devices();
	assert_int_equal(used()->idx, REQUESTS);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	hold(false);
	assert_true(wait_used(10000));
	/* It stops also while it stands */
	hold(true);
}

#ifdef HAVE_RAID
static void command(const char *verb, const char *member)
{
	json_t *arguments = json_pack("{s:s}", "member", member);
	json_t *answer = disk->ops->command(disk, verb, arguments, &error);

	assert_non_null(answer);
	json_decref(answer);
	json_decref(arguments);
}

/* Each comes while the thread is busy with requests, or stands */
static void commands(void **state)
{
	static const char *const verbs[] = { "status", "fail", "remove", "add" };
	unsigned int i;

	driver_start(0);
	for (i = 0; i < 12; i++) {
		hold(i & 1);
		make_requests();
		eventfd_write(virtio_blk()->doorbell[0].eventfd, 1);
		command(verbs[i % 4], path[1]);
		hold(false);
		assert_true(wait_used(10000));
		assert_int_equal(*status_of(0), 0);
	}
}
#endif

/* ---- two vCPUs that reprogram it, while its queue runs ------------------- */

#define ROUNDS	300

static unsigned int left;

static void write_at(uint64_t address, uint64_t value, unsigned int size)
{
	bus_access(&m.mmio, address, &value, size, true);
}

static void config(unsigned int slot, unsigned int reg, uint64_t value,
		   unsigned int size)
{
	write_at(PCI_ECAM + (slot << 15) + reg, value, size);
}

static void reprogram(unsigned int i, uint64_t bar, uint8_t cap)
{
	uint64_t to = bar + (i % 3 << 20), value = 0;
	unsigned int slot = 1 + i % 2;

	/* They meet: the disk goes where the rng's is, or back */
	config(slot, PCI_BASE_ADDRESS_0, to, 4);
	config(slot, PCI_COMMAND, i % 5 ? 7 : 3, 2);
	config(1, cap + PCI_MSIX_FLAGS, i % 4 ? PCI_MSIX_FLAGS_ENABLE : 0, 2);
	write_at(to + 0x3000 + 28, i & 1, 4);
	bus_access(&m.mmio, PCI_ECAM + (1 << 15), &value, 4, false);
	bus_access(&m.mmio, to + 0x2000, &value, 4, false);
}

static void restart(uint64_t bar)
{
	write_at(bar + COMMON(device_status), 0, 1);
	write_at(bar + COMMON(device_status), 3, 1);
	write_at(bar + COMMON(guest_feature_select), 1, 4);
	write_at(bar + COMMON(guest_feature), 1, 4);
	write_at(bar + COMMON(device_status), 11, 1);
	write_at(bar + COMMON(queue_select), 0, 2);
	write_at(bar + COMMON(queue_size), RING, 2);
	write_at(bar + COMMON(queue_msix_vector), 1, 2);
	write_at(bar + COMMON(queue_desc_lo), DESC, 4);
	write_at(bar + COMMON(queue_avail_lo), AVAIL, 4);
	write_at(bar + COMMON(queue_used_lo), USED, 4);
	write_at(bar + COMMON(queue_enable), 1, 2);
	write_at(bar + COMMON(device_status), 15, 1);
}

static void *vcpu(void *ctx)
{
	uint8_t cap = *(uint8_t *)ctx;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		reprogram(i, driver.bar0, cap);
		config(1, PCI_BASE_ADDRESS_0, driver.bar0, 4);
		config(1, PCI_COMMAND, 7, 2);
		restart(driver.bar0);
		outs(driver.bar2, 0, 2);
		eventfd_write(virtio_blk()->doorbell[0].eventfd, 1);
	}
	if (!__atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST))
		loop_wake(&m.loop);
	return NULL;
}

static bool all_left(void *ctx)
{
	return !__atomic_load_n(&left, __ATOMIC_SEQ_CST);
}

static void reprogrammed(void **state)
{
	pthread_t thread[2];
	unsigned int i;
	uint8_t cap;

	m.warnings = MACHINE_WARNINGS;
	driver_start(0);
	cap = find_capability(PCI_CAP_ID_MSIX, 0);
	make_requests();
	kick();
	left = 2;
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, vcpu, &cap),
				 0);
	loop_run(&m.loop, all_left, NULL);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	/* It is as good as new */
	pthread_mutex_lock(&m.iothread[1].loop.lock);
	memset(at(DESC), 0, 0x10000);
	pthread_mutex_unlock(&m.iothread[1].loop.lock);
	driver.avail[0] = 0;
	driver_start(0);
	assert_int_equal(used()->idx, 0);
	make_requests();
	kick();
	assert_true(wait_used(10000));
}

int main(void)
{
#define TEST(name, kind) { #name ", " kind, name, setup, teardown, kind }
	const struct CMUnitTest tests[] = {
		TEST(serves, "file"), TEST(stands_while_paused, "file"),
		TEST(reprogrammed, "file"), TEST(serves, "ephemeral"),
		TEST(stands_while_paused, "ephemeral"),
#ifdef HAVE_RAID
		TEST(serves, "array"), TEST(stands_while_paused, "array"),
		TEST(commands, "array"),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
