// SPDX-License-Identifier: GPL-2.0
/*
 * --net stream with others that speak it: two QEMUs and two ports of ours on one
 * network. A QEMU without a machine joins two streams by its hub.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "tests/opened_net.h"

#define FRAMES 20

static char directory[] = "/tmp/mvmm-qemu-XXXXXX", path[3][64];
static pid_t qemu[2];
static struct port nic;
static unsigned int expected;

/* In the frames the number is behind the addresses */
static bool nic_receive(struct port *port, const struct frame *f)
{
	played_receive(&played.port, f);
	return true;
}

static const struct port_ops nic_ops = { .receive = nic_receive };

static bool is_there(const char *name)
{
	struct stat st;

	return !stat(name, &st);
}

/* It connects to the first socket, and listens at the second one */
static void start_qemu(unsigned int i, const char *to, const char *at)
{
	char first[128], second[128];

	snprintf(first, sizeof(first),
		 "stream,id=a,server=off,addr.type=unix,addr.path=%s", to);
	snprintf(second, sizeof(second),
		 "stream,id=b,server=on,addr.type=unix,addr.path=%s", at);
	unlink(at);
	qemu[i] = fork();
	if (!qemu[i]) {
		execlp("qemu-system-x86_64", "qemu-system-x86_64", "-M", "none",
		       "-nodefaults", "-display", "none", "-netdev", first,
		       "-netdev", second, "-netdev",
		       "hubport,id=c,hubid=0,netdev=a", "-netdev",
		       "hubport,id=d,hubid=0,netdev=b", NULL);
		_exit(127);
	}
	while (!is_there(at)) {
		assert_int_equal(waitpid(qemu[i], NULL, WNOHANG), 0);
		usleep(10000);
	}
}

static void stop_qemu(unsigned int i)
{
	kill(qemu[i], SIGKILL);
	waitpid(qemu[i], NULL, 0);
}

/* Has the second QEMU let the first one in? Before that frames are dropped */
static bool is_let_in(const char *at)
{
	FILE *sockets = fopen("/proc/net/unix", "r");
	char line[256], where[128];
	unsigned int state;
	unsigned long inode;
	bool found = false;

	assert_non_null(sockets);
	while (fgets(line, sizeof(line), sockets))
		if (sscanf(line, "%*s %*s %*s %*s %*s %x %lu %127s", &state,
			   &inode, where) == 3 && state == 3 && inode &&
		    !strcmp(where, at))
			found = true;
	fclose(sockets);
	return found;
}

static bool all_came(void)
{
	return played.frames == expected;
}

static bool has_link(void)
{
	return other->link;
}

static bool has_no_link(void)
{
	return !other->link;
}

static void send_one(struct port *from, size_t len)
{
	const struct iovec iov = { frame, len };

	memcpy(frame, "\xff\xff\xff\xff\xff\xff\2\2\2\2\2\2", 12);
	frame[12] = frame[len - 1] = len * 7;
	assert_true(port_send(from, &(struct frame){ .iov = &iov, .niov = 1,
						     .len = len }));
}

/* Of each size one, both ways, whole */
static void pass(void)
{
	static const size_t sizes[] = { 14, 59, 60, 61, 1514, 4096, 9018, 65549 };
	struct port *from[] = { &nic, &played.port };
	unsigned int i, way;

	for (way = 0; way < 2; way++) {
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			played.frames = 0;
			expected = 1;
			send_one(from[way], sizes[i]);
			run_until(all_came);
			assert_int_equal(played.len, sizes[i]);
			assert_memory_equal(played.bytes, frame, sizes[i]);
		}
		/* Several in a row come in their order, and once each */
		played.frames = 0;
		expected = FRAMES;
		for (i = 0; i < FRAMES; i++)
			send_one(from[way], 60 + i);
		run_until(all_came);
		assert_int_equal(played.len, 60 + FRAMES - 1);
	}
}

static struct port *open_stream(struct port *peer, const char *where,
				const char *option)
{
	char text[128];
	struct port *port;

	snprintf(text, sizeof(text), "stream:unix=%s%s", where, option);
	port = open_net(text);
	assert_non_null(port);
	port_connect(peer, port);
	assert_int_equal(net_start(port, &loop, &error), 0);
	return port;
}

static void on_one_network(void **state)
{
	struct port *first, *second;
	unsigned int i;

	if (system("qemu-system-x86_64 -netdev help 2>/dev/null | grep -q stream")) {
		print_message("skipped: no QEMU with streams: install qemu-system-x86\n");
		skip();
	}
	alarm(300);
	assert_non_null(mkdtemp(directory));
	for (i = 0; i < 3; i++)
		snprintf(path[i], sizeof(path[i]), "%s/%u", directory, i);
	nic = (struct port){ .ops = &nic_ops, .loop = &loop, .link = true };
	first = open_stream(&played.port, path[0], ",server");
	start_qemu(0, path[0], path[1]);
	start_qemu(1, path[1], path[2]);
	second = open_stream(&nic, path[2], "");
	other = first;
	run_until(has_link);
	other = second;
	run_until(has_link);
	while (!is_let_in(path[1]))
		usleep(10000);
	pass();
	/* One ends, and another one takes its place */
	stop_qemu(1);
	run_until(has_no_link);
	start_qemu(1, path[1], path[2]);
	run_until(has_link);
	while (!is_let_in(path[1]))
		usleep(10000);
	pass();
	assert_true(adds_up(first));
	assert_true(adds_up(second));
	port_disconnect(&nic);
	port_disconnect(&played.port);
	net_close(first);
	net_close(second);
	for (i = 0; i < 2; i++)
		stop_qemu(i);
	for (i = 0; i < 3; i++)
		unlink(path[i]);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(on_one_network, setup, teardown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
