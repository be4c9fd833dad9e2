// SPDX-License-Identifier: GPL-2.0
/* A NIC that is an I/O thread's, and so is what is behind it: frames and a pause. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/virtio/net.h"
#include "net/nets.h"
#include "tests/two_threads.h"

#define HEAD		sizeof(struct virtio_net_hdr_v1)
#define FRAME		60

static struct nets nets;
static char path[64];
static uint8_t frame[FRAME] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 };
static int other;

static void hold(bool paused)
{
	pthread_mutex_lock(&m.loop.lock);
	if (paused)
		machine_pause(&m);
	else
		machine_resume(&m);
	pthread_mutex_unlock(&m.loop.lock);
}

static void join(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	strcpy(to.sun_path, path);
	other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(other, (void *)&to, sizeof(to)), 0);
}

/* @text: which the parts of the configuration are pieces of */
static void open_nets(const char *iothread)
{
	static char text[128];

	nets = (struct nets){ 0 };
	snprintf(path, sizeof(path), "/tmp/nic-%d", getpid());
	snprintf(text, sizeof(text), "stream:unix=%s,server,iothread=%s", path,
		 iothread);
	assert_int_equal(nets_parse(&nets, &m.config, text, &error), 0);
	assert_int_equal(nets_open(&nets, &m.config, &error), 0);
}

static int setup(void **state)
{
	two_threads_begin();
	open_nets(*state);
	bare_device("pci-host");
	return 0;
}

static int teardown(void **state)
{
	iothreads_stop(&m);
	devices_destroy(&m);
	nets_close(&nets);
	iothreads_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}

static void start(void)
{
	bare_device("virtio-net");
	assert_int_equal(nets_start(&nets, &m.loop, &error), 0);
	assert_ptr_equal(nets.port[0]->loop, &m.iothread[1].loop);
	iothreads_start(&m);
	driver_begin(1ull << VIRTIO_NET_F_MRG_RXBUF);
	add_queue(NIC_TX);
	add_queue(NIC_RX);
	driver_ok();
	join();
}

/* A buffer to receive */
static void give(unsigned int head)
{
	*desc(head) = (struct vring_desc){ BUFFERS + head * 4096, 2048,
					   VRING_DESC_F_WRITE, 0 };
	offer(head);
	kick();
}

static void send_frame(void)
{
	uint32_t len = htonl(FRAME);

	assert_int_equal(send(other, &len, 4, 0), 4);
	assert_int_equal(send(other, frame, FRAME, 0), FRAME);
}

static bool wait_used(unsigned int idx, unsigned int ms)
{
	while (__atomic_load_n(&used()->idx, __ATOMIC_ACQUIRE) != idx && ms--)
		usleep(1000);
	return __atomic_load_n(&used()->idx, __ATOMIC_ACQUIRE) == idx;
}

static bool has_link(void)
{
	bool up;

	pthread_mutex_lock(&m.iothread[1].loop.lock);
	up = nets.port[0]->link;
	pthread_mutex_unlock(&m.iothread[1].loop.lock);
	return up;
}

/* The main loop stands: nobody runs it here */
static void frames_go_both_ways(void **state)
{
	uint8_t bytes[4 + FRAME];
	unsigned int i;

	start();
	give(0);
	send_frame();
	assert_true(wait_used(1, 20000));
	assert_memory_equal(at(BUFFERS + HEAD), frame, FRAME);
	for (i = 0; i < 20000 && !has_link(); i++)
		usleep(1000);
	assert_true(has_link());
	driver.queue = NIC_TX;
	memset(at(HEADERS), 0, HEAD);
	memcpy(at(HEADERS + HEAD), frame, FRAME);
	*desc(0) = (struct vring_desc){ HEADERS, HEAD + FRAME, 0, 0 };
	offer(0);
	kick();
	assert_true(wait_used(1, 20000));
	/* What the NIC says of itself comes first */
	do {
		assert_int_equal(recv(other, bytes, sizeof(bytes), MSG_WAITALL),
				 sizeof(bytes));
	} while (bytes[4 + 12] == 0x80);
	assert_memory_equal(bytes + 4, frame, FRAME);
	close(other);
}

/* Nothing is written while the machine stands; afterwards it is there */
static void a_pause(void **state)
{
	start();
	give(0);
	give(1);
	send_frame();
	assert_true(wait_used(1, 20000));
	hold(true);
	send_frame();
	assert_false(wait_used(2, 50));
	hold(false);
	assert_true(wait_used(2, 20000));
	close(other);
}

static void no_such_thread(void **state)
{
	assert_null(device_create(&m, "virtio-net", NULL, &error));
	assert_non_null(strstr(error.text, "there is no --iothread nobody"));
}

#define TEST(name, iothread)						\
	cmocka_unit_test_prestate_setup_teardown(name, setup, teardown, \
						 (void *)(iothread))

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_go_both_ways, "two"), TEST(a_pause, "two"),
		TEST(no_such_thread, "nobody") };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
