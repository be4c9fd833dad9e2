// SPDX-License-Identifier: GPL-2.0
/*
 * Front ends of vhost-user at a switch's door that are no NIC of this machine, and say
 * what none would.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "net/switch/vhost_back.h"
#include "tests/switch_nic.h"

#define PAGES	(64u << 10)
#define F_PROTOCOL	(1ull << VHOST_F_PROTOCOL)
/* Of the memory: two rings, and a buffer for each */
#define RING_AT(n)	(0x1000u + (n) * 0x3000u)
#define BUFFER_AT(n)	(0x8000u + (n) * 0x1000u)

static struct front {
	int fd, memory, kick[2], call[2];
	uint8_t *at;
} front;

static int make_memory(bool sealed)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, PAGES), 0);
	if (sealed)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

static void come(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 10 };
	unsigned int i;

	assert_int_equal(switch_path(to.sun_path, sizeof(to.sun_path), "s",
				     "port", &error), 0);
	front.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(front.fd, (void *)&to, sizeof(to)), 0);
	setsockopt(front.fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	front.memory = make_memory(true);
	front.at = mmap(NULL, PAGES, PROT_READ | PROT_WRITE, MAP_SHARED,
			front.memory, 0);
	assert_ptr_not_equal(front.at, MAP_FAILED);
	for (i = 0; i < 2; i++) {
		front.kick[i] = eventfd(0, EFD_NONBLOCK);
		front.call[i] = eventfd(0, 0);
	}
}

static void leave(void)
{
	unsigned int i;

	close(front.fd);
	close(front.memory);
	munmap(front.at, PAGES);
	for (i = 0; i < 2; i++) {
		close(front.kick[i]);
		close(front.call[i]);
	}
}

static void say_fds(struct vhost_message m, const int *fds, unsigned int nr)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))];
	struct iovec iov = { &m, VHOST_HEADER + m.size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = (struct cmsghdr *)control;

	/* More than there is, of a lie */
	if (iov.iov_len > sizeof(m))
		iov.iov_len = sizeof(m);
	m.flags |= FLAG_VERSION;
	if (nr) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(nr * sizeof(int));
	}
	assert_int_equal(sendmsg(front.fd, &h, MSG_NOSIGNAL), iov.iov_len);
}

static void say(uint32_t request, uint64_t value)
{
	say_fds((struct vhost_message){ .request = request, .size = 8,
					.value = value }, NULL, 0);
}

static void say_ring(uint32_t request, uint32_t n, uint32_t value)
{
	say(request, n | (uint64_t)value << 32);
}

static void say_fd(uint32_t request, uint64_t value, int fd)
{
	say_fds((struct vhost_message){ .request = request, .size = 8,
					.value = value }, &fd, 1);
}

static void say_memory(int fd, uint64_t offset, uint64_t size)
{
	say_fds((struct vhost_message){ .request = SET_MEM_TABLE, .size = 40,
		.table = { .nr = 1, .region = { { 0, size, 0x70000000,
						  offset } } } }, &fd, 1);
}

static void say_addresses(uint32_t n, uint64_t at)
{
	say_fds((struct vhost_message){ .request = SET_VRING_ADDR,
		.size = sizeof(struct vhost_vring_addr),
		.addr = { .index = n, .desc_user_addr = at,
			  .avail_user_addr = at + 0x1000,
			  .used_user_addr = at + 0x2000 } }, NULL, 0);
}

/* The answer's value */
static uint64_t ask(uint32_t request)
{
	struct vhost_message m = { .request = request };

	say_fds(m, NULL, 0);
	assert_int_equal(recv(front.fd, &m, VHOST_HEADER + 8, MSG_WAITALL),
			 VHOST_HEADER + 8);
	assert_int_equal(m.flags, FLAG_VERSION | FLAG_REPLY);
	return m.value;
}

static void introduce(void)
{
	assert_true(ask(GET_FEATURES) & F_PROTOCOL);
	say(SET_PROTOCOL_FEATURES, ask(GET_PROTOCOL_FEATURES) & ~P_REPLY_ACK);
	say(SET_FEATURES, F_PROTOCOL | F_VERSION_1);
	say_memory(front.memory, 0, PAGES);
}

/* Split rings of 16, each with one buffer */
static void start_rings(void)
{
	unsigned int n;

	for (n = 0; n < 2; n++) {
		struct vring_desc *d = (void *)(front.at + RING_AT(n));
		struct vring_avail *available =
			(void *)(front.at + RING_AT(n) + 0x1000);

		*d = (struct vring_desc){ BUFFER_AT(n), 1024,
			n == VHOST_RX ? VRING_DESC_F_WRITE : 0, 0 };
		available->idx = 1;
		say_ring(SET_VRING_NUM, n, 16);
		say_ring(SET_VRING_BASE, n, 0);
		say_addresses(n, 0x70000000 + RING_AT(n));
		say_fd(SET_VRING_CALL, n, front.call[n]);
		say_fd(SET_VRING_KICK, n, front.kick[n]);
		say_ring(SET_VRING_ENABLE, n, 1);
	}
}

static bool is_off(void)
{
	uint8_t byte;
	ssize_t n = recv(front.fd, &byte, 1, 0);

	return !n || (n < 0 && errno == ECONNRESET);
}

/* For the other station, in the buffer that is sent */
static void put_frame(void)
{
	memcpy(front.at + BUFFER_AT(VHOST_TX) + HEAD,
	       OTHER_MAC "\x02\0\0\0\0\3\x88\xb5", FRAME_MIN);
}

/* Its rings are served, and the other station has the frame */
static void talk(void)
{
	put_frame();
	start_rings();
	wanted = 1024 - HEAD;
	loop_run(&m.loop, has_come, NULL);
}

/* The other station sends one */
static void hear(void)
{
	pthread_mutex_lock(&m.loop.lock);
	assert_true(played_send_frame("\x02\0\0\0\0\3" OTHER_MAC
				      "\x88\xb5 and more", 23, NULL));
	pthread_mutex_unlock(&m.loop.lock);
}

static void a_front_end_of_others(void **state)
{
	uint64_t count;

	come();
	introduce();
	talk();
	hear();
	assert_int_equal(read(front.call[VHOST_RX], &count, 8), 8);
	assert_memory_equal(front.at + BUFFER_AT(VHOST_RX) + HEAD + FRAME_MIN,
			    " and more", 9);
	leave();
}

/* Its eventfd is full, and a write to it waits: others do not, for long */
static void one_who_makes_it_wait(void **state)
{
	uint64_t full = ~0ull - 1;

	come();
	introduce();
	put_frame();
	assert_int_equal(write(front.call[VHOST_TX], &full, 8), 8);
	assert_int_equal(write(front.call[VHOST_RX], &full, 8), 8);
	start_rings();
	pthread_mutex_lock(&m.loop.lock);
	assert_true(played_send_frame("\xff\xff\xff\xff\xff\xff" OTHER_MAC
				      "\x88\xb5 and more", 23, NULL));
	pthread_mutex_unlock(&m.loop.lock);
	assert_true(is_off());
	leave();
	start(0, NULL);
	exchange(0);
}

/* It is refused others, and goes on without rings */
static void memory_that_is_no_more(void **state)
{
	struct vhost_message m = { .request = SET_MEM_TABLE, .size = 40,
		.flags = FLAG_NEED_REPLY,
		.table = { .nr = 1, .region = { { 0, PAGES, 0x70000000, 0 } } } };
	int fd = make_memory(false);

	come();
	introduce();
	say(SET_PROTOCOL_FEATURES, P_REPLY_ACK);
	start_rings();
	say_fds(m, &fd, 1);
	assert_int_equal(recv(front.fd, &m, VHOST_HEADER + 8, MSG_WAITALL),
			 VHOST_HEADER + 8);
	assert_int_equal(m.request, SET_MEM_TABLE);
	assert_int_equal(m.value, 1);
	eventfd_write(front.kick[VHOST_TX], 1);
	assert_int_equal(ask(GET_FEATURES) & F_VERSION_1, F_VERSION_1);
	close(fd);
	leave();
	start(0, NULL);
	exchange(0);
}

static void lie(unsigned int which)
{
	struct vhost_message m = { .request = SET_MEM_TABLE, .size = 40,
				   .table = { .nr = 1 } };
	struct region_of_memory r = { 0, PAGES - 4096, 0x70000000, 0 };
	int fds[16], pipes[2], i;

	switch (which) {
	case 0:
		say_fds((struct vhost_message){ .request = SET_FEATURES,
						.size = 4096 }, NULL, 0);
		break;
	case 1:
		say(SET_FEATURES, F_PROTOCOL | F_VERSION_1 | 1ull << 50);
		break;
	case 2:
		say(SET_FEATURES, F_PROTOCOL);
		break;
	case 3:
		fds[0] = make_memory(false);
		say_memory(fds[0], 0, PAGES);
		close(fds[0]);
		break;
	case 4:
		say_memory(front.memory, 4096, PAGES);
		break;
	case 5:
		say_memory(front.memory, 0, ~0ull - 4096);
		break;
	case 6:
		say_fds((struct vhost_message){ .request = SET_MEM_TABLE,
			.size = 40, .table = { .nr = 1 } }, NULL, 0);
		break;
	case 7:
		assert_int_equal(pipe(pipes), 0);
		say_fd(SET_VRING_CALL, 0, pipes[1]);
		close(pipes[0]);
		close(pipes[1]);
		break;
	case 8:
		say_ring(SET_VRING_ENABLE, 2, 1);
		break;
	case 9:
		say_ring(SET_VRING_NUM, 0, 0);
		break;
	case 10:
		say_ring(SET_VRING_NUM, 0, 32768);
		break;
	case 11:
		say_ring(SET_VRING_NUM, 0, 16);
		say_addresses(0, 0x60000000);
		say_fd(SET_VRING_KICK, 0, front.kick[0]);
		break;
	case 12:
		say(99, 0);
		break;
	case 13:
		say_ring(GET_VRING_BASE, 5, 0);
		break;
	case 14:
		for (i = 0; i < 16; i++)
			fds[i] = front.memory;
		say_fds((struct vhost_message){ .request = SET_OWNER }, fds, 16);
		break;
	case 15:
		say_ring(SET_VRING_NUM, 0, 16);
		say_addresses(0, 0x70000000 + PAGES - 0x2010);
		say_fd(SET_VRING_KICK, 0, front.kick[0]);
		break;
	case 16:
		/* A base beyond a packed ring */
		say(SET_FEATURES, F_PROTOCOL | F_VERSION_1 | F_PACKED);
		say_ring(SET_VRING_NUM, 0, 16);
		say_ring(SET_VRING_BASE, 0, 0x80108010);
		say_addresses(0, 0x70000000 + RING_AT(0));
		say_fd(SET_VRING_KICK, 0, front.kick[0]);
		break;
	case 17:
		say_fds((struct vhost_message){ .request = SET_VRING_KICK,
						.size = 4 }, NULL, 0);
		break;
	case 18:	/* Each of them must be a multiple of a page */
	case 19:
	case 20:
	case 21:
		*(which == 18 ? &r.gpa : which == 19 ? &r.size :
		  which == 20 ? &r.user : &r.offset) += 1;
		m.table.region[0] = r;
		say_fds(m, &front.memory, 1);
		break;
	case 22:	/* Addresses that go around */
		r.gpa = -4096ull;
		m.table.region[0] = r;
		say_fds(m, &front.memory, 1);
		break;
	case 23:
		start_rings();
		say(SET_FEATURES, F_PROTOCOL | F_VERSION_1 | F_PACKED);
		break;
	case 24:	/* More than a guest may have; less could be mapped */
		fds[0] = make_memory(true);
		assert_int_equal(ftruncate(fds[0], (1ull << 40) + 4096), 0);
		say_memory(fds[0], 0, (1ull << 40) + 4096);
		close(fds[0]);
		break;
	case 25:	/* A descriptor that nobody asked for */
		say_fd(SET_PROTOCOL_FEATURES, 0, front.memory);
		break;
	case 26:	/* What it is to wait for, or to write to, is no eventfd */
	case 29:
		fds[0] = timerfd_create(CLOCK_MONOTONIC, 0);
		say_ring(SET_VRING_NUM, 0, 16);
		say_addresses(0, 0x70000000 + RING_AT(0));
		say_fd(which == 26 ? SET_VRING_KICK : SET_VRING_CALL, 0, fds[0]);
		close(fds[0]);
		break;
	case 27:
		say_ring(SET_VRING_NUM, 0x100, 16);
		break;
	case 28:
		say_fd(SET_VRING_CALL, 1ull << 32, front.call[0]);
		break;
	}
}
#define LIES 30

static void liars_are_cut_off(void **state)
{
	unsigned int i;

	start(0, NULL);
	for (i = 0; i < LIES; i++) {
		come();
		introduce();
		lie(i);
		assert_true(is_off());
		leave();
	}
	exchange(0);
}

/* Frames that wait for the buffers of a driver are not the next one's */
static void frames_of_a_driver_before(void **state)
{
	const struct timespec soon = { .tv_nsec = 50000000 };
	struct vhost_message base = { .request = GET_VRING_BASE, .size = 8,
				      .state = { VHOST_RX, 0 } };
	struct vring_avail *available;
	struct vring_used *used;
	struct pollfd told;
	unsigned int i;

	come();
	introduce();
	talk();
	/* One has a buffer, and one waits */
	for (i = 0; i < 2; i++)
		hear();
	used = (void *)(front.at + RING_AT(VHOST_RX) + 0x2000);
	told = (struct pollfd){ front.call[VHOST_RX], POLLIN, 0 };
	assert_int_equal(poll(&told, 1, 5000), 1);
	nanosleep(&soon, NULL);
	say_fds(base, NULL, 0);
	assert_int_equal(recv(front.fd, &base, VHOST_HEADER + 8, MSG_WAITALL),
			 VHOST_HEADER + 8);
	assert_int_equal(base.state.num, 1);
	/* The next driver's ring has a buffer */
	available = (void *)(front.at + RING_AT(VHOST_RX) + 0x1000);
	available->idx = 2;
	say_ring(SET_VRING_BASE, VHOST_RX, 1);
	say_fd(SET_VRING_KICK, VHOST_RX, front.kick[VHOST_RX]);
	assert_true(ask(GET_FEATURES));
	nanosleep(&soon, NULL);
	assert_int_equal(used->idx, 1);
	leave();
}

/* Who asks where a ring stands is told what was sent from it, first */
static void what_is_owed(void **state)
{
	struct vhost_message base = { .request = GET_VRING_BASE, .size = 8,
				      .state = { VHOST_TX, 0 } };
	struct vring_used *used;
	struct pollfd told;

	start(0, NULL);
	come();
	introduce();
	used = (void *)(front.at + RING_AT(VHOST_TX) + 0x2000);
	put_frame();
	start_rings();
	say_fds(base, NULL, 0);
	assert_int_equal(recv(front.fd, &base, VHOST_HEADER + 8, MSG_WAITALL),
			 VHOST_HEADER + 8);
	assert_int_equal(used->idx, 1);
	told = (struct pollfd){ front.call[VHOST_TX], POLLIN, 0 };
	assert_int_equal(poll(&told, 1, 0), 1);
	leave();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_front_end_of_others, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_who_makes_it_wait, setup,
						teardown),
		cmocka_unit_test_setup_teardown(memory_that_is_no_more, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_owed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(frames_of_a_driver_before,
						setup, teardown),
		cmocka_unit_test_setup_teardown(liars_are_cut_off, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
