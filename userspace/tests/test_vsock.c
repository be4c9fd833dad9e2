// SPDX-License-Identifier: GPL-2.0
/* virtio-vsock, whose back end, the kernel's vhost, is played here. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_vsock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/virtio_driver.h"

#define NEEDS_RESET	0x40
#define RINGS		2
#define EVENTS		2

/* The kernel's, that is opened as @fd; @refuses: an ioctl, 1: even that */
static struct {
	int fd;
	unsigned int starts;
	unsigned long refuses;
	int error;
	uint64_t cid, accepted;
	int running;
	unsigned int size[RINGS], base[RINGS];
	int kick[RINGS], call[RINGS], err[RINGS];
	struct vhost_vring_addr addr[RINGS];
	struct {
		struct vhost_memory memory;
		struct vhost_memory_region region[8];
	} table;
} kernel;

/* libc's */
int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if (strcmp(path, "/dev/vhost-vsock"))
		return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (kernel.refuses == 1) {
		errno = ENOENT;
		return -1;
	}
	kernel.fd = eventfd(0, EFD_CLOEXEC);
	return kernel.fd;
}

static void set_file(int *files, const struct vhost_vring_file *file)
{
	assert_true(file->index < RINGS);
	files[file->index] = file->fd;
}

static unsigned int *state_of(unsigned int *states,
			      const struct vhost_vring_state *state)
{
	assert_true(state->index < RINGS);
	return &states[state->index];
}

static void set_table(const struct vhost_memory *memory)
{
	assert_in_range(memory->nregions, 1, 8);
	memcpy(&kernel.table, memory, sizeof(*memory) +
	       memory->nregions * sizeof(memory->regions[0]));
}

static int play_vhost(unsigned long cmd, void *arg)
{
	struct vhost_vring_state *state = arg;
	const struct vhost_vring_addr *addr = arg;

	if (cmd == kernel.refuses) {
		errno = kernel.error;
		return -1;
	}
	/* As the kernel's: what runs is not changed */
	if (kernel.running && (cmd == VHOST_SET_VRING_NUM ||
			       cmd == VHOST_SET_VRING_BASE)) {
		errno = EBUSY;
		return -1;
	}
	switch (cmd) {
	case VHOST_SET_OWNER:
		break;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = F_VERSION_1 | F_EVENT_IDX | F_INDIRECT |
			1ull << VIRTIO_VSOCK_F_SEQPACKET |
			1ull << VHOST_F_LOG_ALL;
		break;
	case VHOST_SET_FEATURES:
		kernel.accepted = *(uint64_t *)arg;
		break;
	case VHOST_VSOCK_SET_GUEST_CID:
		kernel.cid = *(uint64_t *)arg;
		break;
	case VHOST_SET_MEM_TABLE:
		set_table(arg);
		break;
	case VHOST_SET_VRING_NUM:
		*state_of(kernel.size, state) = state->num;
		break;
	case VHOST_SET_VRING_BASE:
		*state_of(kernel.base, state) = state->num;
		break;
	case VHOST_GET_VRING_BASE:
		state->num = *state_of(kernel.base, state);
		break;
	case VHOST_SET_VRING_ADDR:
		assert_true(addr->index < RINGS);
		kernel.addr[addr->index] = *addr;
		break;
	case VHOST_SET_VRING_KICK:
		set_file(kernel.kick, arg);
		break;
	case VHOST_SET_VRING_CALL:
		set_file(kernel.call, arg);
		break;
	case VHOST_SET_VRING_ERR:
		set_file(kernel.err, arg);
		break;
	case VHOST_VSOCK_SET_RUNNING:
		kernel.running = *(int *)arg;
		kernel.starts += kernel.running;
		break;
	default:
		assert_false("an ioctl that the kernel does not have");
	}
	return 0;
}

/* Of the device, as an option */
static char address[16];

static void new_machine(uint32_t cid)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.fd = -1;
	bare_start();
	other_ioctl = play_vhost;
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	snprintf(address, sizeof(address), "cid=%u", cid);
	bare_device("pci-host");
}

static int setup(void **state)
{
	memset(&driver, 0, sizeof(driver));
	new_machine(7);
	return 0;
}

static uint8_t status(void)
{
	return reg_read(COMMON(device_status), 1);
}

/* One with all queues, the last of which is @driver's */
static void start(void)
{
	unsigned int i;

	driver_begin(F_EVENT_IDX);
	for (i = 0; i <= EVENTS; i++)
		add_queue(i);
	driver_ok();
}

static void offer_event(unsigned int head)
{
	*desc(head) = (struct vring_desc){ BUFFERS + 64 * head, 64,
					   VRING_DESC_F_WRITE, 0 };
	memset(at(BUFFERS + 64 * head), 0xee, 64);
	offer(head);
}

static void check_event(unsigned int head)
{
	struct virtio_vsock_event event;

	memcpy(&event, at(BUFFERS + 64 * head), sizeof(event));
	assert_int_equal(event.id, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
}

static bool has_intx(void *ctx)
{
	return noted.up[11];
}

static void the_kernel_has_the_rings(void **state)
{
	const struct virtio *v;
	unsigned int i;
	uint64_t ram = 0;
	eventfd_t count;

	bare_device_with("virtio-vsock", address);
	v = (struct virtio *)m.devices;
	start();
	assert_int_equal(status() & NEEDS_RESET, 0);
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10531af4);
	assert_int_equal(reg_read(0x2000, 4), 7);
	assert_int_equal(kernel.cid, 7);
	assert_int_equal(kernel.accepted, F_VERSION_1 | F_EVENT_IDX);
	assert_int_equal(kernel.running, 1);
	for (i = 0; i < RINGS; i++) {
		driver.queue = i;
		assert_int_equal(kernel.size[i], RING);
		assert_int_equal(kernel.base[i], 0);
		assert_ptr_equal(kernel.addr[i].desc_user_addr, desc(0));
		assert_ptr_equal(kernel.addr[i].avail_user_addr, avail());
		assert_ptr_equal(kernel.addr[i].used_user_addr, used());
		assert_int_equal(kernel.kick[i], v->rung[i].fd);
		assert_int_equal(v->rung[i].events, 0);
		/* It looks at what was offered before */
		assert_int_equal(eventfd_read(kernel.kick[i], &count), 0);
	}
	for (i = 0; i < kernel.table.memory.nregions; i++) {
		const struct vhost_memory_region *r = &kernel.table.region[i];

		assert_ptr_equal(r->userspace_addr, at(r->guest_phys_addr));
		ram += r->memory_size;
	}
	assert_int_equal(ram, MEMORY - (HOLE_END - HOLE_START));
	eventfd_write(kernel.call[0], 1);
	loop_run(&m.loop, has_intx, NULL);
	/* A new machine's guest has nothing to be told */
	driver.queue = EVENTS;
	offer_event(0);
	kick();
	assert_int_equal(used()->idx, 0);
}

/* Without bus mastering nothing is in flight, and then it goes on from there */
static void it_stops_and_goes_on(void **state)
{
	bare_device_with("virtio-vsock", address);
	start();
	kernel.base[1] = 3;
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	assert_int_equal(kernel.running, 0);
	kernel.base[1] = 0;
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
	assert_int_equal(kernel.running, 1);
	assert_int_equal(kernel.base[1], 3);
	start();
	assert_int_equal(kernel.base[1], 0);
	assert_int_equal(kernel.starts, 3);
	devices_reset(&m);
	assert_int_equal(kernel.running, 0);
}

/* The machine is saved, and is another one with this address */
static void move(uint32_t cid)
{
	static uint8_t memory[MEMORY];
	json_t *saved;

	m.pausing = true;
	saved = devices_save(&m);
	assert_non_null(saved);
	assert_int_equal(kernel.running, 0);
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	new_machine(cid);
	bare_device_with("virtio-vsock", address);
	memcpy(m.memory.base, memory, MEMORY);
	m.pausing = true;
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	/* Nothing happens before it goes on */
	assert_int_equal(kernel.running, 0);
	m.pausing = false;
	m.clock.stopped_at++;
	run_timers();
}

static void a_move(void **state)
{
	bare_device_with("virtio-vsock", address);
	start();
	kernel.base[0] = 5;
	kernel.base[1] = 65535;
	offer_event(0);
	offer_event(1);
	move(8);
	assert_int_equal(status() & NEEDS_RESET, 0);
	assert_int_equal(kernel.running, 1);
	assert_int_equal(kernel.starts, 1);
	assert_int_equal(kernel.base[0], 5);
	assert_int_equal(kernel.base[1], 65535);
	assert_int_equal(kernel.accepted, F_VERSION_1 | F_EVENT_IDX);
	assert_int_equal(reg_read(0x2000, 4), 8);
	/* Its connections are gone, of which it is told once */
	assert_int_equal(used()->idx, 1);
	assert_int_equal(used()->ring[0].len, 4);
	check_event(0);
	assert_true(noted.up[11]);
	kick();
	assert_int_equal(used()->idx, 1);
}

/* Also if it has room for that only later, and is saved before */
static void a_move_without_room(void **state)
{
	bare_device_with("virtio-vsock", address);
	start();
	move(8);
	assert_int_equal(used()->idx, 0);
	move(9);
	offer_event(3);
	kick();
	assert_int_equal(used()->idx, 1);
	check_event(3);
	offer_event(4);
	kick();
	assert_int_equal(used()->idx, 1);
}

/* The device stops, and the machine goes on */
static void a_kernel_that_refuses(void **state)
{
	static const unsigned long at_start[] = {
		VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE, VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_BASE, VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR, VHOST_VSOCK_SET_RUNNING };
	unsigned int i;

	for (i = 0; i < sizeof(at_start) / sizeof(at_start[0]); i++) {
		driver_teardown(NULL);
		setup(NULL);
		bare_device_with("virtio-vsock", address);
		kernel.refuses = at_start[i];
		kernel.error = EFAULT;
		start();
		assert_true(status() & NEEDS_RESET);
		assert_int_equal(m.warnings, 1);
		assert_int_equal(kernel.running, 0);
	}
}

static void one_that_is_not_there(void **state)
{
	static const struct {
		unsigned long refuses;
		int error;
		const char *why;
	} wrong[] = {
		{ 1, 0, "modprobe vhost_vsock" },
		{ VHOST_SET_OWNER, EBUSY, "owner" },
		{ VHOST_GET_FEATURES, EFAULT, "features" },
		{ VHOST_VSOCK_SET_GUEST_CID, EADDRINUSE,
		  "another guest has this address" } };
	unsigned int i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		kernel.refuses = wrong[i].refuses;
		kernel.error = wrong[i].error;
		assert_null(device_create(&m, "virtio-vsock", address,
					  &error));
		assert_non_null(strstr(error.text, wrong[i].why));
		assert_int_equal(fcntl(kernel.fd, F_GETFD), -1);
		error = (struct error){ 0 };
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_has_the_rings), TEST(it_stops_and_goes_on),
		TEST(a_move), TEST(a_move_without_room),
		TEST(a_kernel_that_refuses), TEST(one_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
