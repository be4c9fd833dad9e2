// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that writes at will: to PCI configuration space, to the registers of
 * virtio devices, and to their rings. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "block/block.h"
#include "devices/input.h"
#include "devices/virtio/gpu.h"
#include "tests/loop_round.h"
#include "tests/played_port.h"
#include "tests/virtio_driver.h"

/* What is done, one after another */
struct step {
	uint8_t what, size;
	uint16_t at;
	uint32_t value;
} __attribute__((packed));

/* From slot 1 on */
static const char *const devices[] = { "virtio-blk", "virtio-rng",
				       "virtio-balloon", "virtio-console",
				       "virtio-net", "virtio-keyboard",
				       "virtio-tablet", "virtio-gpu" };
#define DEVICES (sizeof(devices) / sizeof(devices[0]))
/* Small pictures are soon drawn */
static const char *const options[DEVICES] = { [0] = "queues=4",
					      [7] = "xres=64,yres=64" };

/* The other end of a port: it takes and has so many bytes */
static struct chardev peer;
static size_t peer_room, peer_has;

static size_t peer_put(struct chardev *chardev, const uint8_t *bytes,
		       size_t len)
{
	size_t n = len < peer_room ? len : peer_room;
	static uint8_t sink[65536];	/* as much as there is room for */

	memcpy(sink, bytes, n);
	peer_room -= n;
	return n;
}

static size_t peer_take(struct chardev *chardev, uint8_t *bytes, size_t len)
{
	size_t n = len < peer_has ? len : peer_has;

	memset(bytes, 'x', n);
	peer_has -= n;
	return n;
}

static void change_peer(const struct step *s)
{
	pthread_mutex_lock(&m.loop.lock);
	peer.is_open = s->size & 1;
	peer_room = s->at;
	peer_has = s->value & 0xffff;
	if (s->size & 2)
		peer.changed(peer.ctx);
	if (s->size & 4)
		peer.readable(peer.ctx);
	if (s->size & 8)
		peer.writable(peer.ctx);
	pthread_mutex_unlock(&m.loop.lock);
}

/* The network: it is full or not, its link goes, and frames come from there */
static void change_network(const struct step *s)
{
	static const uint8_t types[] = { 0, 1, 3, 4, 0x81, 0x84, 5, 0xff };
	static uint8_t bytes[FRAME_MAX];
	const struct virtio_net_hdr_v1 header = {
		.flags = s->at >> 13, .gso_type = types[s->at >> 8 & 7],
		.gso_size = s->at, .csum_start = s->at & 0xff,
		.csum_offset = s->at >> 12 };

	memcpy(bytes, &s->value, sizeof(s->value));
	memcpy(bytes + 12, &s->value, sizeof(s->value));
	pthread_mutex_lock(&m.loop.lock);
	played.full = s->size & 1;
	port_set_link(&played.port, !(s->size & 2));
	if (s->size & 4)
		port_ready(&played.port);
	if (s->size & 8)
		played_send_frame(bytes, 10 + s->value % (FRAME_MAX - 10),
				  s->size & 16 ? &header : NULL);
	pthread_mutex_unlock(&m.loop.lock);
}

/* Somebody types, or moves the pointer */
static void change_input(const struct step *s)
{
	const struct input_report report[] = {
		{ s->size & 3, s->at, s->value }, { EV_KEY, s->at & 0x1ff, 1 },
		{ EV_ABS, s->at & 1, s->value } };

	input_emit(&m, report, s->size % 4);
}

/* A viewer looks, and wants another size */
static void change_viewer(const struct step *s)
{
	static struct surface surface;
	static struct screen_cursor cursor;

	if (s->size & 8)
		screen_resize(&m, 64 + s->at % 64, 64 + s->value % 64);
	if (screen_draw(&m, &surface, s->size & 16))
		abort();
	screen_cursor(&m, &cursor);
}

static struct block *disk;
static void start(void)
{
	static int file = -1;
	static char path[64];
	static const struct chardev_ops ops = { .put = peer_put,
						.take = peer_take };
	struct block_config config = { .path = path };
	unsigned int i;

	if (file < 0) {
		file = memfd_create("disk", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
		if (ftruncate(file, 65536))
			abort();
	}
	bare_start();
	/* Nobody reads what the device says of each broken ring */
	m.warnings = MACHINE_WARNINGS;
	if (memory_create(&m.memory, MEMORY, false, &error))
		abort();
	disk = file_open(&config, &error);
	if (!disk)
		abort();
	m.config.disk[0] = disk;
	m.config.disks = 1;
	peer = (struct chardev){ .ops = &ops };
	m.config.port[0].chardev = &wire.chardev;
	m.config.port[1] = (struct machine_port){ "peer", &peer };
	m.config.ports = 2;
	m.config.defaults = "packed";
	played_init(&m.loop);
	m.config.nic[0].port = &played.port;
	m.config.nic[0].queues = 4;
	bare_device("pci-host");
	for (i = 0; i < DEVICES; i++)
		bare_device_with(devices[i], options[i]);
	memset(&driver, 0, sizeof(driver));
}

static void stop(void)
{
	devices_destroy(&m);
	disk->ops->close(disk);
	memory_destroy(&m.memory);
	bare_stop();
}

/* With all its queues, the first of which is the one that follows */
static void start_device(unsigned int slot, uint64_t features)
{
	unsigned int n;

	driver.slot = slot;
	driver_begin(features);
	n = reg_read(COMMON(num_queues), 2);
	while (n-- && n < VIRTIO_QUEUES)
		add_queue(n);
	driver_ok();
}

/* A chain of two, of which the driver says what they are */
static void offer_chain(const struct step *s)
{
	unsigned int head = s->at % (RING - 1);
	uint16_t first = s->size & 1 ? VRING_DESC_F_WRITE : 0;
	uint16_t second = s->size & 2 ? VRING_DESC_F_WRITE : 0;

	*desc(head) = (struct vring_desc){ BUFFERS + (s->at & 0xfff0),
		s->value & 0xffff,
		first | (s->size & 4 ? VRING_DESC_F_NEXT : 0), head + 1 };
	*desc(head + 1) = (struct vring_desc){ BUFFERS + (s->value >> 12),
		1u << s->size % 21, second, 0 };
	offer(head);
	kick();
}

/* A command of a virtio-gpu: small numbers mean something more often */
static void offer_gpu_command(const struct step *s)
{
	uint32_t *word = at(BUFFERS);
	unsigned int i;

	word[0] = s->at & 0x8000 ? VIRTIO_GPU_CMD_UPDATE_CURSOR + (s->at & 1) :
		  VIRTIO_GPU_CMD_GET_DISPLAY_INFO + s->at % 12;
	for (i = 0; i < 16; i++)
		word[6 + i] = s->value >> (4 * i & 31) & (s->at & 0x100 ? 0xff : 3);
	*desc(0) = (struct vring_desc){ BUFFERS, 24 + s->size % 97,
					VRING_DESC_F_NEXT, 1 };
	*desc(1) = (struct vring_desc){ BUFFERS + 0x1000, 0x1000,
					VRING_DESC_F_WRITE, 0 };
	offer(0);
	kick();
}

/* The same for a packed ring */
static void offer_packed_chain(const struct step *s)
{
	const struct vring_packed_desc d[] = {
		{ BUFFERS + (s->at & 0xfff0), s->value & 0xffff, s->at,
		  (s->size & 1 ? VRING_DESC_F_WRITE : 0) |
		  (s->size & 4 ? VRING_DESC_F_NEXT : 0) |
		  (s->size & 16 ? VRING_DESC_F_INDIRECT : 0) },
		{ BUFFERS + (s->value >> 12), 1u << s->size % 21, s->at,
		  s->size & 2 ? VRING_DESC_F_WRITE : 0 } };

	if (driver.size[driver.queue])
		offer_packed(d, s->size & 4 ? 2 : 1);
	kick();
}

static void do_step(const struct step *s)
{
	unsigned int size = 1u << (s->size & 3);
	uint64_t value = s->value;

	switch (s->what % 18) {
	case 0:
		cfg_write(s->at & 0xfc, s->value, 4);
		break;
	case 1:
		bus_access(&m.mmio, PCI_ECAM + s->at, &value, size,
			   s->size & 4);
		break;
	case 2:
		reg_write(s->at & 0x3fff, s->value, size);
		break;
	case 3:
		reg_read(s->at & 0x3fff, size);
		break;
	case 4:
		/* The rings, and what they point to */
		memcpy((uint8_t *)at(s->size & 8 ? ring_at(DESC) : DESC) +
		       s->at % 0x8000, &value, 4);
		break;
	case 5:
		offer(s->value);
		kick();
		break;
	case 6:
		make_request(s->at % (RING - 2), s->value & 15, s->value >> 8,
			     BUFFERS + (s->value >> 4), 1u << (s->size % 20));
		offer(s->at % (RING - 2));
		kick();
		break;
	case 7:
		start_device(s->at % DEVICES,
			     s->value | (s->size & 1 ? F_PACKED : 0));
		break;
	case 8:
		driver.queue = s->at % VIRTIO_QUEUES;
		break;
	case 9:
		offer_chain(s);
		break;
	case 10:
		/* What a chain of the above has in it */
		memcpy((uint8_t *)at(BUFFERS) + s->at, &value, 4);
		break;
	case 11:
		m.clock.stopped_at += s->value;
		run_timers();
		break;
	case 12:
		change_peer(s);
		break;
	case 13:
		if (s->at & 0x4000)
			change_viewer(s);
		else
			change_input(s);
		break;
	case 14:
		offer_packed_chain(s);
		break;
	case 15:
		change_network(s);
		break;
	case 16:
		offer_gpu_command(s);
		break;
	default:
		/* What the device is asked to do later */
		run_once(&m.loop);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	start();
	start_device(0, F_INDIRECT | F_EVENT_IDX);
	for (; size >= sizeof(step); size -= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		do_step(&step);
		data += sizeof(step);
	}
	/* What the disk has done comes back */
	run_once(&m.loop);
	stop();
	return 0;
}
