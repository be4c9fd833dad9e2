// SPDX-License-Identifier: GPL-2.0
/* virtio-net whose back end, the kernel's vhost-net, is played here, as is the tap. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/vhost.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/virtio/net.h"
#include "tests/played_port.h"
#include "tests/virtio_driver.h"

#define NEEDS_RESET	0x40
#define PAIRS		2
#define CONTROL		(2 * PAIRS)
#define BIT(name)	(1ull << VIRTIO_NET_F_##name)

/* What is in the kernel of one descriptor: its first ring receives */
struct back_end {
	int fd;
	uint64_t accepted;
	unsigned int regions;
	unsigned int size[2], base[2];
	int kick[2], call[2], err[2], tap[2];
	uint64_t desc[2];
};

/* @refuses: an ioctl, 1: the second open() */
static struct {
	struct back_end back[PAIRS];
	unsigned int opened;
	unsigned long refuses;
	uint64_t features;
} kernel;

static const int taps[NET_QUEUES] = { 1001, 1002 };
static struct nic *nic;

/* libc's */
int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if (strcmp(path, "/dev/vhost-net"))
		return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (kernel.refuses == 1 && kernel.opened) {
		errno = ENOENT;
		return -1;
	}
	assert_in_range(kernel.opened, 0, PAIRS - 1);
	kernel.back[kernel.opened].tap[0] = kernel.back[kernel.opened].tap[1] = -1;
	return kernel.back[kernel.opened++].fd = eventfd(0, EFD_CLOEXEC);
}

static struct back_end *asked(void)
{
	struct back_end *b;

	for (b = kernel.back; b < kernel.back + kernel.opened; b++)
		if (b->fd == other_fd)
			return b;
	assert_false("a descriptor of vhost's");
	return NULL;
}

static int fail_with(int error)
{
	errno = error;
	return -1;
}

/* As the kernel's: what runs is not changed */
static int set_ring(struct back_end *b, unsigned int *to,
		    const struct vhost_vring_state *state)
{
	assert_in_range(state->index, 0, 1);
	if (b->tap[state->index] >= 0)
		return fail_with(EBUSY);
	to[state->index] = state->num;
	return 0;
}

static void set_file(int *files, const struct vhost_vring_file *file)
{
	assert_in_range(file->index, 0, 1);
	files[file->index] = file->fd;
}

static int play_vhost(unsigned long cmd, void *arg)
{
	struct vhost_vring_state *state = arg;
	const struct vhost_vring_addr *addr = arg;
	struct back_end *b = asked();

	if (cmd == kernel.refuses)
		return fail_with(EFAULT);
	switch (cmd) {
	case VHOST_SET_OWNER:
		break;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = kernel.features;
		break;
	case VHOST_SET_FEATURES:
		b->accepted = *(uint64_t *)arg;
		if (b->accepted & ~kernel.features)
			return fail_with(EOPNOTSUPP);
		break;
	case VHOST_SET_MEM_TABLE:
		b->regions = ((struct vhost_memory *)arg)->nregions;
		break;
	case VHOST_SET_VRING_NUM:
		return set_ring(b, b->size, state);
	case VHOST_SET_VRING_BASE:
		return set_ring(b, b->base, state);
	case VHOST_GET_VRING_BASE:
		assert_in_range(state->index, 0, 1);
		assert_int_equal(b->tap[state->index], -1);
		state->num = b->base[state->index];
		break;
	case VHOST_SET_VRING_ADDR:
		b->desc[addr->index & 1] = addr->desc_user_addr;
		break;
	case VHOST_SET_VRING_KICK:
		set_file(b->kick, arg);
		break;
	case VHOST_SET_VRING_CALL:
		set_file(b->call, arg);
		break;
	case VHOST_SET_VRING_ERR:
		set_file(b->err, arg);
		break;
	case VHOST_NET_SET_BACKEND:
		set_file(b->tap, arg);
		break;
	default:
		assert_false("an ioctl that the kernel does not have");
	}
	return 0;
}

static void new_machine(void)
{
	const uint64_t features = kernel.features;
	const unsigned long refuses = kernel.refuses;

	memset(&kernel, 0, sizeof(kernel));
	kernel.features = features;
	kernel.refuses = refuses;
	bare_start();
	other_ioctl = play_vhost;
	assert_int_equal(memory_create(&m.memory, MEMORY, false, &error), 0);
	m.config.nic[0].port = &played.port;
	m.config.nic[0].queues = PAIRS;
	m.config.defaults = "packed";
	memcpy(m.config.nic[0].mac, "\2\1\1\1\1\1", MAC_LEN);
	bare_device("pci-host");
}

static void make_nic(void)
{
	new_machine();
	bare_device("virtio-net");
	nic = (struct nic *)m.devices;
}

static int setup(void **state)
{
	played_init(NULL);
	played.port.queue_fd = taps;
	memset(&driver, 0, sizeof(driver));
	kernel.refuses = 0;
	kernel.features = F_VERSION_1 | F_EVENT_IDX | F_INDIRECT | BIT(MRG_RXBUF) |
			  1ull << VHOST_F_LOG_ALL |
			  1ull << VHOST_NET_F_VIRTIO_NET_HDR;
	make_nic();
	return 0;
}

static uint8_t status(void)
{
	return reg_read(COMMON(device_status), 1);
}

/* All that it can; the control queue is @driver's */
static void start(uint64_t features)
{
	unsigned int i, control = features & BIT(MQ) ? CONTROL : NIC_CONTROL;

	driver_begin(features | F_EVENT_IDX | BIT(CTRL_VQ) | BIT(CSUM) |
		     BIT(GUEST_CSUM) | BIT(MRG_RXBUF));
	for (i = 0; i < control; i++)
		add_queue(i);
	add_queue(control);
	driver_ok();
}

static uint8_t set_pairs(uint16_t pairs)
{
	uint8_t *bytes = at(BUFFERS + 0x40000);

	bytes[0] = VIRTIO_NET_CTRL_MQ;
	bytes[1] = VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET;
	memcpy(bytes + 2, &pairs, 2);
	*status_of(0) = 0xee;
	*desc(0) = (struct vring_desc){ BUFFERS + 0x40000, 4,
					VRING_DESC_F_NEXT, 1 };
	*desc(1) = (struct vring_desc){ STATUSES, 1, VRING_DESC_F_WRITE, 0 };
	offer(0);
	kick();
	return *status_of(0);
}

static bool has_intx(void *ctx)
{
	return noted.up[11];
}

static void the_kernel_has_the_rings(void **state)
{
	unsigned int i, ring;
	eventfd_t count;

	start(BIT(MQ));
	assert_int_equal(status() & NEEDS_RESET, 0);
	/* What the tap may leave undone is said before */
	assert_int_equal(nic->port.takes, PORT_CSUM);
	for (i = 0; i < CONTROL; i++) {
		const struct back_end *b = &kernel.back[i / 2];

		driver.queue = i;
		ring = i % 2;
		assert_int_equal(b->accepted, F_VERSION_1 | F_EVENT_IDX |
				 BIT(MRG_RXBUF));
		assert_int_equal(b->regions, 2);
		assert_int_equal(b->size[ring], RING);
		assert_ptr_equal(b->desc[ring], desc(0));
		assert_int_equal(b->tap[ring], taps[i / 2]);
		assert_int_equal(b->kick[ring], nic->virtio.rung[i].fd);
		assert_int_equal(nic->virtio.rung[i].events, 0);
		assert_int_equal(b->err[ring], nic->vhost.err.fd);
		/* It looks at what was offered before */
		assert_int_equal(eventfd_read(b->kick[ring], &count), 0);
	}
	eventfd_write(kernel.back[1].call[0], 1);
	loop_run(&m.loop, has_intx, NULL);
	/* The control queue is served here, and the tap knows of the pairs */
	driver.queue = CONTROL;
	assert_int_equal(nic->port.queues, 1);
	assert_int_equal(set_pairs(2), 0);
	assert_int_equal(nic->port.queues, 2);
	reg_write(COMMON(device_status), 0, 1);
	assert_int_equal(nic->port.queues, 1);
	for (i = 0; i < CONTROL; i++)
		assert_int_equal(kernel.back[i / 2].tap[i % 2], -1);
}

/* Then the third queue is not the kernel's */
static void a_driver_of_one_pair(void **state)
{
	start(0);
	assert_int_equal(kernel.back[0].tap[1], taps[0]);
	assert_int_equal(kernel.back[1].tap[0], -1);
	assert_int_equal(set_pairs(1), 1);
	assert_int_equal(status() & NEEDS_RESET, 0);
	/* The next one knows of more */
	start(BIT(MQ));
	assert_int_equal(kernel.back[1].tap[1], taps[1]);
	assert_int_equal(set_pairs(2), 0);
}

/* What neither the kernel nor the tap can do */
static void fewer_features(void **state)
{
	uint32_t low, high;

	driver_begin(0);
	reg_write(COMMON(device_feature_select), 0, 4);
	low = reg_read(COMMON(device_feature), 4);
	reg_write(COMMON(device_feature_select), 1, 4);
	high = reg_read(COMMON(device_feature), 4);
	assert_true(low & BIT(MQ) && low & BIT(MRG_RXBUF) && low & BIT(CSUM));
	assert_int_equal(low & (1u << VHOST_F_LOG_ALL |
				1u << VHOST_NET_F_VIRTIO_NET_HDR), 0);
	assert_int_equal(high & (BIT(RSS) | F_PACKED) >> 32, 0);
	driver_teardown(NULL);
	kernel.features = F_VERSION_1;
	make_nic();
	driver_begin(0);
	reg_write(COMMON(device_feature_select), 0, 4);
	low = reg_read(COMMON(device_feature), 4);
	assert_int_equal(low & (BIT(MRG_RXBUF) | F_EVENT_IDX), 0);
}

static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved;

	start(BIT(MQ));
	assert_int_equal(set_pairs(2), 0);
	kernel.back[0].base[0] = 5;
	kernel.back[1].base[1] = 65535;
	m.pausing = true;
	saved = devices_save(&m);
	assert_non_null(saved);
	assert_int_equal(kernel.back[1].tap[1], -1);
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	make_nic();
	memcpy(m.memory.base, memory, MEMORY);
	m.pausing = true;
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	/* Nothing happens before it goes on */
	assert_int_equal(kernel.back[0].tap[0], -1);
	m.pausing = false;
	m.clock.stopped_at++;
	run_timers();
	assert_int_equal(status() & NEEDS_RESET, 0);
	assert_int_equal(kernel.back[0].tap[0], taps[0]);
	assert_int_equal(kernel.back[0].base[0], 5);
	assert_int_equal(kernel.back[1].base[1], 65535);
	assert_int_equal(nic->port.queues, 2);
	/* And it says where it is now */
	assert_int_equal(played.frames, 1);
	assert_memory_equal(played.bytes + 12, "\x80\x35", 2);
}

/* A pause that saves nothing: it goes on from there */
static void a_pause(void **state)
{
	start(0);
	m.pausing = true;
	devices_drain(&m);
	assert_int_equal(kernel.back[0].tap[0], -1);
	kernel.back[0].base[0] = 7;
	m.pausing = false;
	m.clock.stopped_at++;
	run_timers();
	assert_int_equal(kernel.back[0].tap[0], taps[0]);
	/* Without bus mastering nothing is in flight either */
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	assert_int_equal(kernel.back[0].tap[0], -1);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
	assert_int_equal(kernel.back[0].tap[0], taps[0]);
}

/* The device stops, and the machine goes on, and is not saved */
static void a_kernel_that_refuses(void **state)
{
	static const unsigned long at_start[] = {
		VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE, VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_BASE, VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR, VHOST_NET_SET_BACKEND };
	unsigned int i;

	for (i = 0; i < sizeof(at_start) / sizeof(at_start[0]); i++) {
		driver_teardown(NULL);
		setup(NULL);
		kernel.refuses = at_start[i];
		start(BIT(MQ));
		assert_true(status() & NEEDS_RESET);
		assert_int_equal(m.warnings, 1);
		assert_int_equal(kernel.back[0].tap[0], -1);
		assert_int_equal(devices_can_save(&m, &error), -1);
	}
	assert_non_null(strstr(error.text, "/dev/vhost-net is lost"));
}

static void one_that_is_not_there(void **state)
{
	static const struct {
		unsigned long refuses;
		const char *why;
	} wrong[] = { { 1, "modprobe vhost_net" }, { VHOST_SET_OWNER, "owner" },
		      { VHOST_GET_FEATURES, "features" } };
	unsigned int i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		driver_teardown(NULL);
		kernel.refuses = wrong[i].refuses;
		new_machine();
		error = (struct error){ 0 };
		assert_null(device_create(&m, "virtio-net", NULL, &error));
		assert_non_null(strstr(error.text, wrong[i].why));
		assert_int_equal(fcntl(kernel.back[0].fd, F_GETFD), -1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_has_the_rings), TEST(a_driver_of_one_pair),
		TEST(fewer_features), TEST(a_move), TEST(a_pause),
		TEST(a_kernel_that_refuses), TEST(one_that_is_not_there) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
