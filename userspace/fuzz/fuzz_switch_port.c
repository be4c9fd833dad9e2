// SPDX-License-Identifier: GPL-2.0
/*
 * Guests of a switch that say anything at its door, and write anything into the
 * memory that they share with it; some hand over the rings of a NIC in memory of their
 * own, by vhost-user, in which there is anything, too. What it counts adds up, and those
 * who keep to the protocol get on. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/switch/ring_port.h"
#include "net/switch/server.h"
#include "net/switch/vhost_back.h"
#include "tests/loop_round.h"
#include "tests/played_port.h"

#define GUESTS	4
#define MEMORY	(4096 + 2 * RING_BYTES)
/* Of a guest: two rings in pages of their own, and buffers */
#define RAM	(64u << 10)
#define RING_AT	0x3000u
#define RING	16

/**
 * struct guest - a socket, and its memory, if it has got so far
 * @link: by which it hands over rings, or -1
 */
static struct guest {
	int fd, link;
	uint8_t *memory;
	struct ring in, out;
} guests[GUESTS];

/* That of all guests, with an eventfd that all have */
static int ram_fd, event_fd;
static uint8_t *ram;

/* Of both rings, which are all guests': which kind, and the next descriptor of each */
static struct {
	bool packed, wrap[VHOST_RINGS];
	uint16_t next[VHOST_RINGS];
} driver;

static struct switch_server *server;
static char directory[] = "/tmp/mvmm-fuzz.XXXXXX";

static void end(void)
{
	switch_end(server);
	if (!chdir(directory)) {
		rmdir("mvmm/switch");
		rmdir("mvmm");
		rmdir(directory);
	}
}

static void begin(void)
{
	struct error error;

	if (!mkdtemp(directory) || setenv("XDG_RUNTIME_DIR", directory, 1))
		abort();
	server = switch_start("fuzz", &error);
	ram_fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!server || event_fd < 0 || ftruncate(ram_fd, RAM) ||
	    fcntl(ram_fd, F_ADD_SEALS, F_SEAL_SHRINK))
		abort();
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, ram_fd, 0);
	if (ram == MAP_FAILED)
		abort();
	atexit(end);
}

static void leave(struct guest *g)
{
	if (g->memory)
		munmap(g->memory, MEMORY);
	close_fd(&g->fd);
	close_fd(&g->link);
	*g = (struct guest){ .fd = -1, .link = -1 };
}

static void come(struct guest *g)
{
	int fd[2];

	leave(g);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
		abort();
	newcomer_admit(server, fd[0]);
	g->fd = fd[1];
}

static void say(struct guest *g, const void *bytes, size_t len)
{
	if (g->fd >= 0 && send(g->fd, bytes, len, MSG_NOSIGNAL) < 0)
		return;
}

static void take_memory(struct guest *g)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct ring_welcome w;
	struct iovec iov = { &w, sizeof(w) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	int memory;

	if (recvmsg(g->fd, &m, 0) != sizeof(w) || w.status)
		return;
	memcpy(&memory, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(memory));
	g->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED,
			 memory, 0);
	close(memory);
	if (g->memory == MAP_FAILED)
		abort();
	g->out = (struct ring){ (struct ring_words *)g->memory,
				g->memory + 4096, 0, 0 };
	g->in = (struct ring){ (struct ring_words *)g->memory + 1,
			       g->memory + 4096 + RING_BYTES, 0, 0 };
}

static void join(struct guest *g, const uint8_t *data, size_t len)
{
	struct ring_hello hello = { .magic = RING_MAGIC,
		.mac = { 2, 0, 0, 0, 0, g - guests } };

	come(g);
	memcpy(hello.options, data, len < sizeof(hello.options) ? len :
	       sizeof(hello.options));
	say(g, &hello, sizeof(hello));
	run_once(&server->loop);
	take_memory(g);
}

/* Where, in the memory, and what */
static void scribble(struct guest *g, const uint8_t *data, size_t len)
{
	uint32_t at;

	if (!g->memory || len < sizeof(at))
		return;
	memcpy(&at, data, sizeof(at));
	/* Most often the words, and what is at the rings' beginnings */
	at = at & 1 ? at >> 1 & 127 : at & 2 ? 4096 + (at >> 2 & 127) :
	     at >> 2 & (MEMORY - 1);
	len -= sizeof(at);
	if (at > MEMORY - len)
		at = MEMORY - len;
	memcpy(g->memory + at, data + sizeof(at), len);
}

static void put_frame(struct guest *g, const uint8_t *data, size_t len)
{
	const struct iovec iov = { (void *)data, len };
	const struct frame frame = { .iov = &iov, .niov = 1, .len = len };

	if (g->memory && len >= FRAME_MIN)
		ring_put(&g->out, &frame);
}

static void take_frames(struct guest *g)
{
	struct iovec iov[RING_PIECES];
	struct frame frame;

	while (g->memory && ring_get(&g->in, iov, &frame) == RING_DONE)
		ring_next(&g->in, &frame);
}

/* ---- by vhost-user ------------------------------------------------------------ */

/* Along with it, @nr times the same descriptor */
static void say_fds(int to, const void *bytes, size_t len, int fd,
		    unsigned int nr)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	const int fds[2] = { fd, fd };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = (struct cmsghdr *)control;

	if (to < 0 || !len)
		return;
	if (fd >= 0) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(nr * sizeof(int));
	}
	if (sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static void say_fd(int to, const void *bytes, size_t len, int fd)
{
	say_fds(to, bytes, len, fd, 1);
}

static void say_message(struct guest *g, struct vhost_message m, uint32_t size,
			int fd)
{
	uint8_t answer[512];

	m.flags = FLAG_VERSION;
	m.size = size;
	say_fds(g->link, &m, VHOST_HEADER + size, fd,
		m.request == SET_MEM_TABLE ? m.table.nr : 1);
	run_once(&server->loop);
	while (g->link >= 0 &&
	       recv(g->link, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

static void say_ring(struct guest *g, uint32_t request, uint32_t n,
		     uint32_t value, int fd)
{
	say_message(g, (struct vhost_message){ .request = request,
					       .state = { n, value } }, 8, fd);
}

/* @bits: which kind of rings, and where they begin */
static void hand_over(struct guest *g, uint8_t bits)
{
	uint64_t features = 1ull << VIRTIO_F_VERSION_1 |
			    1ull << VHOST_F_PROTOCOL;
	struct vhost_message memory = { .request = SET_MEM_TABLE,
		.table = { .nr = 2, .region = {
			{ 0, RAM / 2, RAM, 0 },
			{ RAM / 2, RAM / 2, RAM + RAM / 2, RAM / 2 } } } };
	uint32_t base = bits >> 4, n;
	int pair[2];

	if (bits & 1)
		features |= 1ull << VIRTIO_F_RING_PACKED;
	if (bits & 2)
		features |= 1ull << VIRTIO_RING_F_EVENT_IDX;
	if (bits & 4)
		features |= 1ull << VIRTIO_NET_F_MRG_RXBUF;
	if (bits & 8)
		features |= 1ull << VIRTIO_NET_F_CSUM |
			    1ull << VIRTIO_NET_F_HOST_TSO4;
	close_fd(&g->link);
	if (g->fd < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return;
	say_fd(g->fd, "", 1, pair[1]);
	close(pair[1]);
	g->link = pair[0];
	say_message(g, (struct vhost_message){ .request = SET_FEATURES,
					       .value = features }, 8, -1);
	say_message(g, memory, 8 + 2 * sizeof(memory.table.region[0]), ram_fd);
	memset(ram, 0, RING_AT * VHOST_RINGS);
	driver.packed = bits & 1;
	for (n = 0; n < VHOST_RINGS; n++) {
		uint64_t at = RAM + n * RING_AT;

		driver.next[n] = base;
		driver.wrap[n] = false;
		if (!driver.packed)
			*(uint16_t *)(ram + n * RING_AT + 0x1002) = base;
		say_ring(g, SET_VRING_NUM, n, RING, -1);
		say_ring(g, SET_VRING_BASE, n, base | base << 16, -1);
		say_message(g, (struct vhost_message){
			.request = SET_VRING_ADDR,
			.addr = { .index = n, .desc_user_addr = at,
				  .avail_user_addr = at + 0x1000,
				  .used_user_addr = at + 0x2000 } },
			sizeof(struct vhost_vring_addr), -1);
		say_ring(g, SET_VRING_CALL, n, 0, event_fd);
		say_ring(g, SET_VRING_KICK, n, 0, event_fd);
		say_ring(g, SET_VRING_ENABLE, n, 1, -1);
	}
}

/* Bytes for the rings or the buffers, and a kick */
static void write_ram(const uint8_t *data, size_t len)
{
	uint16_t at;

	if (len < sizeof(at))
		return;
	memcpy(&at, data, sizeof(at));
	len -= sizeof(at);
	/* Most often at a ring's beginning */
	if (at & 1)
		at = (at >> 1) % 6 * 0x1000 + (at >> 8) % 64;
	if (at > RAM - len)
		at = RAM - len;
	memcpy(ram + at, data + sizeof(at), len);
	eventfd_write(event_fd, 1);
}

static void put_packed(unsigned int n, const struct vring_desc *d)
{
	struct vring_packed_desc *to =
		(struct vring_packed_desc *)(ram + n * RING_AT) +
		driver.next[n];

	*to = (struct vring_packed_desc){ d->addr, d->len, driver.next[n],
		(d->flags & 7) |
		1 << (driver.wrap[n] ? VRING_PACKED_DESC_F_AVAIL :
				       VRING_PACKED_DESC_F_USED) };
	if (++driver.next[n] == RING) {
		driver.next[n] = 0;
		driver.wrap[n] = !driver.wrap[n];
	}
}

/* A chain that could be: bytes are, for each of its descriptors, flags, a length, a place */
static void offer(const uint8_t *data, size_t len)
{
	unsigned int n = len ? data[0] & 1 : 0;
	struct vring_desc *table = (struct vring_desc *)(ram + n * RING_AT);
	struct vring_avail *avail = (void *)(ram + n * RING_AT + 0x1000);
	uint16_t head = driver.next[n] % RING;

	for (data++; len > 3; data += 3, len -= 3) {
		struct vring_desc d = {
			0x8000 + data[2] * 0x40, data[1] * 16, data[0] & 7,
			(driver.next[n] + 1) % RING };

		if (driver.packed) {
			put_packed(n, &d);
			continue;
		}
		table[driver.next[n]++ % RING] = d;
	}
	if (!driver.packed)
		avail->ring[avail->idx++ % RING] = head;
	eventfd_write(event_fd, 1);
}

struct step {
	uint8_t what, which, len;
};

static void do_step(struct step s, const uint8_t *data)
{
	struct guest *g = &guests[s.which % GUESTS];

	switch (s.what % 12) {
	case 0:
		come(g);
		break;
	case 1:
		say(g, data, s.len);
		break;
	case 2:
		join(g, data, s.len);
		break;
	case 3:
		scribble(g, data, s.len);
		say(g, "", 1);
		break;
	case 4:
		take_frames(g);
		say(g, "", 1);
		break;
	case 5:
		leave(g);
		break;
	case 6:
		if (s.len)
			hand_over(g, data[0]);
		break;
	case 7:
		say_fd(g->link, data, s.len, s.what & 64 ? event_fd : -1);
		break;
	case 8:
		write_ram(data, s.len);
		break;
	case 9:
		offer(data, s.len);
		break;
	default:
		put_frame(g, data, s.len);
		say(g, "", 1);
		break;
	}
}

static void check(void)
{
	unsigned int i;

	for (i = 0; i < SWITCH_PORTS; i++) {
		const struct member *m = &server->member[i];

		if (m->plug && !adds_up(&m->plug->port))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;
	unsigned int i;

	if (!server)
		begin();
	for (i = 0; i < GUESTS; i++)
		guests[i] = (struct guest){ .fd = -1, .link = -1 };
	memset(ram, 0, RAM);
	/* One that could be harmed */
	join(&guests[0], (const uint8_t *)"name=x", 6);
	while (size >= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		if (step.len > size)
			step.len = size;
		do_step(step, data);
		data += step.len;
		size -= step.len;
		run_once(&server->loop);
		check();
	}
	for (i = 0; i < GUESTS; i++)
		leave(&guests[i]);
	/* Their ends are seen, and then they are closed */
	for (i = 0; i < 4; i++)
		run_once(&server->loop);
	if (server->sw.used || server->watched)
		abort();
	return 0;
}
