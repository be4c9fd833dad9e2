// SPDX-License-Identifier: GPL-2.0
/*
 * A vhost-user back end that answers at will, while a driver starts, uses, saves
 * and resets the device. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/loop_round.h"
#include "tests/virtio_driver.h"

/* What the back end has to say yet */
static const uint8_t *said;
static size_t left;

static bool take(void *to, size_t len)
{
	if (left < len)
		return false;
	memcpy(to, said, len);
	said += len;
	left -= len;
	return true;
}

/* libc's: the socket, without a process at its other end */
int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	return 0;
}

static uint32_t asked;

ssize_t sendmsg(int fd, const struct msghdr *h, int flags)
{
	memcpy(&asked, h->msg_iov->iov_base, sizeof(asked));
	return h->msg_iov->iov_len;
}

/* Mostly an answer's header is right, or nothing would come after it */
ssize_t recvmsg(int fd, struct msghdr *h, int flags)
{
	uint8_t *to = h->msg_iov->iov_base, what;
	size_t len = h->msg_iov->iov_len;

	if (!take(&what, 1)) {
		errno = EAGAIN;
		return -1;
	}
	memset(to, 0, len);
	h->msg_flags = what == 0xff ? MSG_CTRUNC : 0;
	if (what == 0xfe)
		return len - 1;
	if (what == 0xfd)
		return 0;
	if (len == 12 && what < 0xf0) {
		/* Of the value, of a ring's state, or of the configuration */
		uint32_t header[3] = { asked, 5, asked == 24 ? 72 : 8 };

		memcpy(to, header, len);
		return len;
	}
	if (len > 12 && what < 0x80) {
		/* A disk's configuration: the front end asked for 60 bytes */
		to[4] = 60;
		return len;
	}
	/* Bits of features are more likely there than not */
	if (len == 8 && what < 0x40 && (asked == 1 || asked == 15)) {
		memset(to, 0xff, len);
		return len;
	}
	if (len == 8 && what < 0xc0 && asked != 1 && asked != 15)
		return len;
	take(to, len);
	return len;
}

ssize_t recv(int fd, void *to, size_t len, int flags)
{
	uint8_t what;

	if (take(&what, 1) && what < 0x20)
		return what & 1;
	errno = EAGAIN;
	return -1;
}

static void do_step(uint8_t what)
{
	struct virtio *v = (struct virtio *)m.devices;
	json_t *saved;

	switch (what % 10) {
	case 0:
		driver_begin(what & 16 ? F_PACKED : F_EVENT_IDX);
		add_queue(0);
		driver_ok();
		break;
	case 1:
		cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
			  (what & 16 ? PCI_COMMAND_MASTER : 0), 2);
		break;
	case 2:
		kick();
		break;
	case 3:
		reg_write(0x2000 + (what & 31), what, 4);
		break;
	case 4:
		saved = devices_save(&m);
		devices_load(&m, saved, &error);
		json_decref(saved);
		break;
	case 5:
		m.clock.stopped_at++;
		run_timers();
		break;
	case 6:
		reg_write(COMMON(queue_select), 0, 2);
		reg_write(COMMON(queue_msix_vector), what >> 4, 2);
		break;
	case 7:
		cfg_write(find_capability(PCI_CAP_ID_MSIX, 0) + 2,
			  what & 16 ? PCI_MSIX_FLAGS_ENABLE : 0, 2);
		break;
	case 8:
		eventfd_write(msix_eventfd(&v->pci, what >> 4), 1);
		break;
	default:
		run_once(&m.loop);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device *device;
	uint8_t what;

	said = data;
	left = size;
	bare_start();
	m.warnings = MACHINE_WARNINGS;
	if (memory_create(&m.memory, MEMORY, true, &error))
		abort();
	m.config.vhost[0] = (struct machine_vhost){ .type = size & 1 ? "blk" : "rng",
					     .socket = "s", .queues = 1 };
	bare_device("pci-host");
	memset(&driver, 0, sizeof(driver));
	driver.size[0] = RING;
	device = device_create(&m, "vhost-user", "packed", &error);
	while (device && take(&what, 1))
		do_step(what);
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}
