// SPDX-License-Identifier: GPL-2.0
/*
 * A NIC whose rings a switch serves, in another thread here, in the guest's memory. Also
 * under TSan.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/switch_nic.h"

static const struct {
	uint64_t features;
	const char *options;
} kinds[] = { { 0, NULL }, { F_EVENT_IDX, NULL }, { F_PACKED, "packed" },
	      { F_PACKED | F_EVENT_IDX, "packed" } };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* A new machine, but for the first, which setup() has made */
static void start_kind(void **state, unsigned int kind)
{
	if (kind) {
		teardown(state);
		setup(state);
	}
	start(kinds[kind].features, kinds[kind].options);
}

static void frames_go_through_the_guests_memory(void **state)
{
	unsigned int kind, i;

	for (kind = 0; kind < KINDS; kind++) {
		start_kind(state, kind);
		assert_true(is_direct());
		for (i = 0; i < 4; i++)
			exchange(i);
		/* None went by the other way */
		assert_int_equal(nets.port[0]->to_peer.in, 0);
		assert_int_equal(nets.port[0]->from_peer.in, 0);
	}
}

/* It is saved, say: the rings come back, as they are, and go away again */
static void rings_are_taken_back(void **state)
{
	start(F_PACKED | F_EVENT_IDX, "packed");
	exchange(0);
	pthread_mutex_lock(&m.loop.lock);
	vhost_stop(&nic()->virtio);
	pthread_mutex_unlock(&m.loop.lock);
	assert_false(is_direct());
	exchange(1);
	assert_int_equal(nets.port[0]->from_peer.in, 1);
	nic()->asks = true;
	exchange(2);
	assert_true(is_direct());
	exchange(3);
	assert_int_equal(nets.port[0]->from_peer.in, 1);
}

static void the_switch_comes_back(void)
{
	start_switch();
	/* Each second it is tried */
	m.clock.stopped_at += 2000000000ull;
	run_timers();
	loop_run(&m.loop, is_linked, NULL);
}

/* The switch ends without a word */
static void the_switch_goes(void **state)
{
	unsigned int kind;

	for (kind = 0; kind < KINDS; kind++) {
		start_kind(state, kind);
		exchange(0);
		exchange(1);
		end_switch();
		loop_run(&m.loop, is_cut, NULL);
		assert_false(is_direct());
		assert_int_equal(reg_read(COMMON(device_status), 1) & 0x40, 0);
		the_switch_comes_back();
		exchange(2);
		assert_true(is_direct());
		exchange(3);
	}
}

static bool is_given_back(void *ctx)
{
	const struct vring_packed_desc *d =
		(struct vring_packed_desc *)at(ring_at(DESC)) + 1;

	if (!nic()->virtio.packed)
		return used()->idx == 2;
	return d->flags & 1 << VRING_PACKED_DESC_F_USED;
}

static bool is_broken(void *ctx)
{
	return nic()->virtio.status & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* It dies between what it has said that it would do, and doing it */
static void the_switch_dies_in_between(void **state)
{
	unsigned int kind;

	for (kind = 0; kind < KINDS; kind++) {
		start_kind(state, kind);
		exchange(0);
		take_over();
		send_from_guest(1, 100);
		nic()->place[NIC_TX] = 0x8001 | 0x8002u << 16;
		switch_end(server);
		server = NULL;
		/* The NIC does it, although it can only drop the frame */
		driver.queue = NIC_TX;
		loop_run(&m.loop, is_given_back, NULL);
		assert_false(is_direct());
		loop_run(&m.loop, is_cut, NULL);
	}
}

/* Two buffers were to be given back at once, and of them the second one is */
static void the_switch_dies_in_the_middle(void **state)
{
	struct vring_packed_desc *d;
	unsigned int i;

	start(F_PACKED | 1ull << VIRTIO_NET_F_MRG_RXBUF, "packed");
	exchange(0);
	take_over();
	for (i = 1; i < 3; i++)
		offer_buffer(NIC_RX, i, 2048);
	nic()->place[NIC_RX] = 0x8001 | 0x8003u << 16;
	d = (struct vring_packed_desc *)at(DESC) + 2;
	d->flags |= 1 << VRING_PACKED_DESC_F_USED;
	switch_end(server);
	server = NULL;
	loop_run(&m.loop, is_cut, NULL);
	assert_true(is_broken(NULL));
	assert_false(is_direct());
	/* The driver's reset heals it */
	start_driver(F_PACKED | 1ull << VIRTIO_NET_F_MRG_RXBUF);
	the_switch_comes_back();
	exchange(0);
	assert_false(is_broken(NULL));
	assert_true(is_direct());
}

/* Frames wait for buffers, and keep their order */
static void frames_before_buffers(void **state)
{
	unsigned int i;

	start(F_EVENT_IDX | 1ull << VIRTIO_NET_F_MRG_RXBUF, NULL);
	for (i = 0; i < 8; i++)
		send_to_guest(1000 + i);
	/* Two small ones are one large one; the first is not enough */
	offer_buffer(NIC_RX, 0, 800);
	kick();
	assert_false(guest_has(0, 800));
	for (i = 1; i < 9; i++) {
		offer_buffer(NIC_RX, i, i > 1 ? 2048 : 800);
		kick();
	}
	for (i = 1; i < 8; i++)
		assert_true(guest_has(i + 1, HEAD + 1000 + i));
	assert_int_equal(used()->ring[0].len, 800);
	assert_int_equal(used()->ring[1].len, HEAD + 1000 - 800);
}

/* Private memory, such as that of a snapshot's file, is nobody else's */
static void memory_that_is_not_shared(void **state)
{
	start(0, NULL);
	assert_false(is_direct());
	exchange(0);
	assert_int_equal(nets.port[0]->from_peer.in, 1);
}

static void a_reset_takes_them_back(void **state)
{
	start(F_EVENT_IDX, NULL);
	exchange(0);
	driver_begin(0);
	assert_false(is_direct());
	/* The word that a ring of before is broken comes late */
	eventfd_write(nic()->vhost.err.fd, 1);
	run_once(&m.loop);
	assert_false(is_broken(NULL));
	add_queue(NIC_RX);
	add_queue(NIC_TX);
	driver_ok();
	assert_true(is_direct());
	exchange(0);
}

/* As with rings of its own: it works again after the driver's reset */
static void a_drivers_fault(void **state)
{
	start(F_EVENT_IDX, NULL);
	exchange(0);
	assert_true(is_direct());
	driver.queue = NIC_TX;
	*desc(1) = (struct vring_desc){ 0x7fffffff0000ull, 100, 0, 0 };
	offer(1);
	kick();
	loop_run(&m.loop, is_broken, NULL);
	assert_false(is_direct());
	start_driver(F_EVENT_IDX);
	assert_true(is_direct());
	exchange(0);
	assert_false(is_broken(NULL));
}

/* The switch dies after it has given a buffer back, and before it has said so */
static void an_interrupt_is_owed(void **state)
{
	unsigned int i;

	start(F_EVENT_IDX, NULL);
	exchange(0);
	driver.queue = NIC_RX;
	/* The driver has seen one, and waits for the next */
	avail()->ring[RING] = 1;
	offer_buffer(NIC_RX, 1, 2048);
	kick();
	take_over();
	used()->ring[1] = (struct vring_used_elem){ 1, HEAD + 60 };
	__atomic_store_n(&used()->idx, 2, __ATOMIC_SEQ_CST);
	switch_end(server);
	server = NULL;
	/* The driver has taken what it was told before */
	for (i = 0; i < NIC_CONTROL; i++)
		eventfd_take(virtio_callfd(&nic()->virtio,
					   &nic()->virtio.queue[i]));
	nic()->virtio.isr = 0;
	loop_run(&m.loop, is_cut, NULL);
	/* Of the queue, and not only of the link */
	assert_true(nic()->virtio.isr & 1);
}

/* How often the guest's memory is mapped here: by the machine, and by the switch */
static unsigned int mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned int nr = 0;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		nr += !!strstr(line, "mvmm-ram");
	fclose(f);
	return nr;
}

/* It is cut off, and is a guest of the switch's still: its memory is not kept there */
static void who_lies_is_not_mapped(void **state)
{
	struct vhost_message lie = { .request = 99, .flags = FLAG_VERSION };
	unsigned int before = mappings(), ms;

	start(F_EVENT_IDX, NULL);
	exchange(0);
	assert_true(mappings() > before);
	assert_int_equal(send(nic()->link.socket.fd, &lie, VHOST_HEADER, 0),
			 VHOST_HEADER);
	for (ms = 0; (is_direct() || mappings() > before) && ms < 5000; ms++) {
		run_once(&m.loop);
		usleep(1000);
	}
	assert_false(is_direct());
	assert_int_equal(mappings(), before);
	exchange(1);
}

/* From here on the NIC talks to us where it talked to the switch. Returns our end */
static int play_switch(void)
{
	struct watch *w = &nic()->link.socket;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pthread_mutex_lock(&m.loop.lock);
	loop_watch(&m.loop, w, 0);
	assert_int_equal(dup2(pair[0], w->fd), w->fd);
	vhost_link_watch(&nic()->link);
	pthread_mutex_unlock(&m.loop.lock);
	close(pair[0]);
	return pair[1];
}

/*
 * A switch that breaks a rule may write into the rings until it has closed the
 * connection: nobody else serves them before
 */
static void a_switch_that_lies(void **state)
{
	unsigned int round, ms;
	char word;
	int fd;

	start(F_EVENT_IDX, NULL);
	for (round = 0; round < 2; round++) {
		exchange(0);
		assert_true(is_direct());
		fd = play_switch();
		/* Nobody has asked */
		assert_int_equal(send(fd, "?", 1, 0), 1);
		loop_run(&m.loop, is_broken, NULL);
		assert_false(is_direct());
		/* It is told to go */
		assert_int_equal(recv(fd, &word, 1, 0), 0);
		start_driver(F_EVENT_IDX);
		assert_true(is_broken(NULL));
		for (ms = 0; ms < 5; ms++)
			run_once(&m.loop);
		/* A driver that enables its queue when it is up is not told at once */
		driver_begin(F_EVENT_IDX);
		driver_ok();
		add_queue(NIC_RX);
		offer_buffer(NIC_RX, 0, 2048);
		assert_false(is_broken(NULL));
		send_to_guest(1000);
		for (ms = 0; ms < 50; ms++) {
			run_once(&m.loop);
			usleep(1000);
		}
		assert_int_equal(used()->idx, 0);
		close(fd);
		run_once(&m.loop);
		assert_int_equal(nic()->link.socket.fd, -1);
		/* By itself, as it does not trust this one again */
		start_driver(F_EVENT_IDX);
		exchange(0);
		assert_false(is_direct());
		assert_false(is_broken(NULL));
		end_switch();
		loop_run(&m.loop, is_cut, NULL);
		the_switch_comes_back();
		start_driver(F_EVENT_IDX);
	}
}

/* virtiofsd of Debian 13 takes no others */
static void regions_in_order(void **state)
{
	struct vhost_message told, ack = { .flags = FLAG_VERSION | FLAG_REPLY,
					   .size = 8 };
	struct memory *memory = &m.memory;
	struct memory_block all;
	unsigned int i;
	int fd, ret;

	start(F_EVENT_IDX, NULL);
	fd = play_switch();
	ack.request = SET_FEATURES;
	assert_int_equal(send(fd, &ack, VHOST_HEADER + 8, 0), VHOST_HEADER + 8);
	ack.request = SET_MEM_TABLE;
	assert_int_equal(send(fd, &ack, VHOST_HEADER + 8, 0), VHOST_HEADER + 8);
	pthread_mutex_lock(&m.loop.lock);
	all = memory->block[0];
	/* The second half comes before the first one */
	memory->block[0].size /= 2;
	memory->block[memory->nr++] = memory->block[0];
	memory->block[0].gpa += all.size / 2;
	memory->block[0].host += all.size / 2;
	vhost_ask(&nic()->vhost, VHOST_ANSWERS);
	ret = vhost_link_begin(&nic()->vhost, 0, &error);
	memory->block[0] = all;
	memory->nr--;
	pthread_mutex_unlock(&m.loop.lock);
	assert_int_equal(ret, 0);
	assert_int_equal(recv(fd, &told, VHOST_HEADER + 8, 0), VHOST_HEADER + 8);
	assert_true(recv(fd, &told, sizeof(told), 0) > 0);
	assert_true(told.table.nr >= 2);
	for (i = 1; i < told.table.nr; i++)
		assert_true(told.table.region[i].gpa >
			    told.table.region[i - 1].gpa);
	close(fd);
	run_once(&m.loop);
}

int main(void)
{
	static bool private = true;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			frames_go_through_the_guests_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(rings_are_taken_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_switch_goes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_switch_dies_in_between,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_reset_takes_them_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_drivers_fault, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_interrupt_is_owed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_switch_dies_in_the_middle,
						setup, teardown),
		cmocka_unit_test_setup_teardown(frames_before_buffers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_lies_is_not_mapped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_switch_that_lies, setup,
						teardown),
		cmocka_unit_test_setup_teardown(regions_in_order, setup,
						teardown),
		cmocka_unit_test_prestate_setup_teardown(
			memory_that_is_not_shared, setup, teardown, &private),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
