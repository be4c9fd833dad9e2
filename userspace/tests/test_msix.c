// SPDX-License-Identifier: GPL-2.0
/*
 * Eventfds of MSI-X vectors and of queues, for those who are not in this
 * process: virtio-rng's are signalled by the test.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/loop_round.h"
#include "tests/virtio_driver.h"

#define TABLE_AT	0x3000
#define PENDING_AT	(TABLE_AT + MSIX_PENDING_AT)
#define ADDRESS		0xfee01000

static struct virtio *rng;
static uint8_t cap;

static int setup(void **state)
{
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	m.irqfd = true;
	bare_device("pci-host");
	bare_device("virtio-rng");
	rng = (struct virtio *)m.devices;
	driver_start(0);
	cap = find_capability(PCI_CAP_ID_MSIX, 0);
	return 0;
}

static void lock(bool on)
{
	if (on)
		pthread_mutex_lock(&m.loop.lock);
	else
		pthread_mutex_unlock(&m.loop.lock);
}

static int eventfd_of(unsigned int vector)
{
	int fd;

	lock(true);
	fd = msix_eventfd(&rng->pci, vector);
	lock(false);
	assert_true(fd >= 0);
	return fd;
}

static void set_flags(uint16_t flags)
{
	cfg_write(cap + PCI_MSIX_FLAGS, flags, 2);
}

static void set_message(unsigned int vector, uint32_t data)
{
	reg_write(TABLE_AT + 16 * vector, ADDRESS, 4);
	reg_write(TABLE_AT + 16 * vector + 8, data, 4);
}

static void set_mask(unsigned int vector, bool on)
{
	reg_write(TABLE_AT + 16 * vector + 12, on, 4);
}

/* As Linux moves a vector to another CPU, and shuts it */
static void the_module_sends(void **state)
{
	int fd = eventfd_of(1);
	uint64_t count;

	assert_int_equal(eventfd_of(1), fd);
	assert_int_not_equal(eventfd_of(0), fd);
	assert_int_equal(noted.irqfds, 0);
	set_message(1, 0x41);
	set_flags(PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(noted.irqfds, 0);
	set_mask(1, false);
	assert_int_equal(noted.irqfds, 1);
	assert_int_equal(noted.irqfd.fd, fd);
	assert_int_equal(noted.irqfd.address, ADDRESS);
	assert_int_equal(noted.irqfd.data, 0x41);
	/* The loop leaves it to the module */
	eventfd_write(fd, 1);
	run_once(&m.loop);
	assert_int_equal(noted.msis, 0);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	/* Another message, without a mask */
	reg_write(TABLE_AT + 24, 0x42, 4);
	assert_int_equal(noted.irqfds, 1);
	assert_int_equal(noted.irqfd.data, 0x42);
	/* Masks: of the vector, of all, none at all, no bus master */
	set_mask(1, true);
	assert_int_equal(noted.irqfds, 0);
	assert_int_equal(noted.irqfd.fd, fd);
	set_mask(1, false);
	assert_int_equal(noted.irqfds, 1);
	set_flags(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	assert_int_equal(noted.irqfds, 0);
	set_flags(PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(noted.irqfds, 1);
	set_flags(0);
	assert_int_equal(noted.irqfds, 0);
	set_flags(PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(noted.irqfds, 1);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	assert_int_equal(noted.irqfds, 0);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
	assert_int_equal(noted.irqfds, 1);
	devices_reset(&m);
	assert_int_equal(noted.irqfds, 0);
}

static void a_mask_keeps_it(void **state)
{
	int fd = eventfd_of(1);

	set_message(1, 0x41);
	set_flags(PCI_MSIX_FLAGS_ENABLE);
	eventfd_write(fd, 1);
	run_once(&m.loop);
	assert_int_equal(reg_read(PENDING_AT, 4), 2);
	assert_int_equal(noted.msis, 0);
	set_mask(1, false);
	assert_int_equal(noted.msis, 1);
	assert_int_equal(noted.msi.data, 0x41);
	assert_int_equal(reg_read(PENDING_AT, 4), 0);
	assert_int_equal(noted.irqfds, 1);
	/* Signalled, and not yet seen by the loop: it is the module's then */
	set_mask(1, true);
	eventfd_write(fd, 1);
	set_mask(1, false);
	run_once(&m.loop);
	assert_int_equal(noted.msis, 1);
	assert_int_equal(reg_read(PENDING_AT, 4), 0);
}

/* An older module, or one that has enough of them: the loop sends */
static void without_irqfds(void **state)
{
	int fd = eventfd_of(1);

	noted.irqfd_refused = true;
	set_message(1, 0x41);
	set_flags(PCI_MSIX_FLAGS_ENABLE);
	set_mask(1, false);
	assert_int_equal(noted.irqfds, 0);
	eventfd_write(fd, 1);
	run_once(&m.loop);
	assert_int_equal(noted.msis, 1);
	assert_int_equal(noted.msi.data, 0x41);
	noted.irqfd_refused = m.irqfd = false;
	set_mask(1, true);
	set_mask(1, false);
	assert_int_equal(noted.irqfds, 0);
	eventfd_write(fd, 1);
	run_once(&m.loop);
	assert_int_equal(noted.msis, 2);
}

/* Without MSI-X it is the line, also of a queue that has no vector */
static void the_line(void **state)
{
	int fd = eventfd_of(1), none = eventfd_of(0xffff);

	assert_int_not_equal(fd, none);
	eventfd_write(fd, 1);
	run_once(&m.loop);
	assert_true(noted.up[11]);
	assert_int_equal(reg_read(0x1000, 1), 1);
	assert_false(noted.up[11]);
	eventfd_write(none, 1);
	run_once(&m.loop);
	assert_true(noted.up[11]);
	assert_int_equal(reg_read(0x1000, 1), 1);
	/* With it a queue without a vector tells nobody */
	set_flags(PCI_MSIX_FLAGS_ENABLE);
	eventfd_write(none, 1);
	run_once(&m.loop);
	assert_false(noted.up[11]);
	assert_int_equal(noted.msis, 0);
	assert_int_equal(reg_read(PENDING_AT, 4), 0);
	/* A device that was reset is silent */
	set_flags(0);
	reg_write(COMMON(device_status), 0, 1);
	eventfd_write(none, 1);
	run_once(&m.loop);
	assert_false(noted.up[11]);
}

static void saved_and_loaded(void **state)
{
	int fd = eventfd_of(1);
	json_t *saved;

	set_message(1, 0x41);
	set_flags(PCI_MSIX_FLAGS_ENABLE);
	eventfd_write(fd, 1);
	lock(true);
	msix_collect(&rng->pci);
	lock(false);
	saved = devices_save(&m);
	set_mask(1, false);
	assert_int_equal(noted.msis, 1);
	assert_int_equal(noted.irqfds, 1);
	devices_reset(&m);
	/* It is masked there, and what was due is */
	assert_int_equal(devices_load(&m, saved, &error), 0);
	assert_int_equal(reg_read(PENDING_AT, 4), 2);
	assert_int_equal(noted.irqfds, 0);
	set_mask(1, false);
	assert_int_equal(noted.msis, 2);
	json_decref(saved);
	/* And one that is open */
	saved = devices_save(&m);
	devices_reset(&m);
	assert_int_equal(noted.irqfds, 0);
	assert_int_equal(devices_load(&m, saved, &error), 0);
	assert_int_equal(noted.irqfds, 1);
	assert_int_equal(noted.irqfd.data, 0x41);
	json_decref(saved);
	devices_destroy(&m);
	assert_int_equal(noted.irqfds, 0);
}

static void queues(void **state)
{
	struct virtqueue *q = &rng->queue[0];
	int calls;

	assert_int_equal(q->vector, 1);
	lock(true);
	calls = virtio_callfd(rng, q);
	lock(false);
	assert_int_equal(calls, eventfd_of(1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_module_sends), TEST(a_mask_keeps_it),
		TEST(without_irqfds), TEST(the_line), TEST(saved_and_loaded),
		TEST(queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
