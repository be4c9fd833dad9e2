// SPDX-License-Identifier: GPL-2.0
/* --net vde: two ports of a real vde_switch, which ends and comes again. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
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

/* ASan refuses a flag with which the library loads its parts */
void *dlopen(const char *file, int mode)
{
	void *(*real)(const char *, int) =
		(void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");

	return real(file, mode & ~RTLD_DEEPBIND);
}

static char directory[] = "/tmp/mvmm-vde-XXXXXX", url[64];
static pid_t vde_switch;

static bool is_there(void)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/ctl/ctl", directory);
	return !stat(path, &st);
}

/* False: there is none on this machine */
static bool start_switch(void)
{
	char path[64];
	int status, in[2];

	snprintf(path, sizeof(path), "%s/ctl", directory);
	vde_switch = fork();
	if (!vde_switch) {
		/* An end of its input would be its own */
		if (pipe(in) || dup2(in[0], STDIN_FILENO) < 0)
			_exit(127);
		execlp("vde_switch", "vde_switch", "-s", path, "-x", "-f",
		       "/dev/null", NULL);
		_exit(127);
	}
	while (!is_there()) {
		if (waitpid(vde_switch, &status, WNOHANG) == vde_switch)
			return false;
		usleep(10000);
	}
	return true;
}

static void stop_switch(void)
{
	kill(vde_switch, SIGTERM);
	waitpid(vde_switch, NULL, 0);
}

static bool has_no_link(void)
{
	return !other->link;
}

static bool has_link(void)
{
	return other->link;
}

static bool came(void)
{
	return played.frames;
}

static unsigned int rounds, rung;

static void ring(void *ctx)
{
	rung++;
}

static bool has_rung(void)
{
	return rung;
}

static unsigned int threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned int n = 0;

	while (readdir(tasks))
		n++;
	closedir(tasks);
	return n - 2;
}

static bool one_round(void)
{
	return rounds++;
}

static struct port *plug(struct port *nic)
{
	struct port *port = open_net(url);

	if (!port)
		fprintf(stderr, "%s\n", error.text);
	assert_non_null(port);
	port_connect(nic, port);
	assert_int_equal(net_start(port, &loop, &error), 0);
	return port;
}

/* From the one without a name to the one that is played */
static bool passes(struct port *nic, size_t len)
{
	const struct iovec iov = { frame, len };
	const struct frame f = { { 0 }, &iov, 1, len };

	played.frames = 0;
	memcpy(frame, "\xff\xff\xff\xff\xff\xff\2\2\2\2\2\2\x88\xb5", 14);
	frame[len - 1]++;
	assert_true(port_send(nic, &f));
	run_until(came);
	return played.len == len && !memcmp(played.bytes, frame, len);
}

/* A switch that hangs: it takes a connection, and says nothing. The loop goes on */
static void hangs(void)
{
	struct timer timer = { ring, NULL, 0, NULL };

	alarm(60);
	stop_switch();
	run_until(has_no_link);
	assert_true(start_switch());
	/* It listens by now */
	usleep(300000);
	kill(vde_switch, SIGSTOP);
	do {
		rung = 0;
		loop_set_timer(&loop, &timer, vm_clock_now(&vm_clock) + 50000000);
		run_until(has_rung);
	} while (threads() < 3);
	assert_false(has_link());
}

static void two_ports(void **state)
{
	static const struct port_ops ops = { .receive = played_receive };
	struct port nic = { .ops = &ops, .loop = &loop, .link = true };
	struct port *second;

	assert_non_null(mkdtemp(directory));
	snprintf(url, sizeof(url), "vde:vde://%s/ctl", directory);
	assert_null(open_net(url));
	if (strstr(error.text, "libvdeplug2")) {
		print_message("skipped: %s\n", error.text);
		skip();
	}
	assert_non_null(strstr(error.text, "is there such a switch"));
	if (!start_switch()) {
		print_message("skipped: no vde_switch: install the package vde-switch\n");
		skip();
	}
	second = plug(&nic);
	other = plug(&played.port);
	assert_true(passes(&nic, 60));
	assert_true(passes(&nic, 1514));
	/* A NIC that is full gets it when it is not */
	played.full = true;
	assert_true(port_send(&nic, &(struct frame){ .len = 60,
		.iov = &(struct iovec){ frame, 60 }, .niov = 1 }));
	run_until(one_round);
	played.frames = 0;
	played.full = false;
	port_ready(&played.port);
	assert_int_equal(played.frames, 1);
	assert_true(passes(&nic, 100));
	/* The switch has no such frames */
	assert_true(port_send(&nic, &(struct frame){ .len = 10000,
		.iov = &(struct iovec){ frame, 10000 }, .niov = 1 }));
	assert_int_equal(second->from_peer.dropped[DROP_LENGTH], 1);
	stop_switch();
	run_until(has_no_link);
	assert_true(start_switch());
	run_until(has_link);
	other = second;
	run_until(has_link);
	assert_true(passes(&nic, 61));
	assert_true(adds_up(second));
	assert_true(adds_up(played.port.peer));
	/* One port does not wait until the switch goes on */
	hangs();
	other = played.port.peer;
	port_disconnect(&played.port);
	net_close(other);
	kill(vde_switch, SIGCONT);
	other = second;
	run_until(has_link);
	/* The other one's thread ends, too */
	while (threads() > 1)
		usleep(10000);
	port_disconnect(&nic);
	net_close(second);
	stop_switch();
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_ports, setup, teardown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
