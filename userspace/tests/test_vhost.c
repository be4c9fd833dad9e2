// SPDX-License-Identifier: GPL-2.0
/* vhost-user: a back end that serves a device, and those that do not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "devices/virtio/vhost_user.h"
#include "tests/vhost_back.h"
#include "tests/virtio_driver.h"

#define F_PROTOCOL	(1ull << 30)

static time_t patience;	/* more than a socket was given, s */

/* libc's: who is silent is not waited for as long as that; all others may be slow */
int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	static int (*real)(int fd, int level, int name, const void *value,
			   socklen_t len);
	struct timeval silent = { .tv_usec = 100000 }, slow = { .tv_sec = 60 };
	const struct timeval *asked = value;

	if (!real)
		real = dlsym(RTLD_NEXT, "setsockopt");
	patience = asked->tv_sec < patience ? patience : asked->tv_sec + 1;
	return real(fd, level, name, back.fault == SILENT ? &silent : &slow, len);
}

/* The same */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int ret = syscall(SYS_clock_gettime, clock, ts);

	ts->tv_sec += __atomic_load_n(&back_took, __ATOMIC_SEQ_CST);
	return ret;
}

/* The same: somebody connects to each socket as soon as that is possible */
static bool intruded;

int listen(int fd, int backlog)
{
	static int (*real)(int fd, int backlog);
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	int ret, intruder;

	if (!real)
		real = dlsym(RTLD_NEXT, "listen");
	ret = real(fd, backlog);
	if (intruded && !getsockname(fd, (void *)&a, &len)) {
		intruder = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(connect(intruder, (void *)&a, len), 0);
		/* Its place is taken even so */
		close(intruder);
	}
	return ret;
}

static void new_machine(void)
{
	bare_start();
	assert_int_equal(memory_create(&m.memory, MEMORY, true, &error), 0);
	m.config.vhost[0] = (struct machine_vhost){ .type = "rng", .queues = 1,
					     .socket = back.path };
	bare_device("pci-host");
}

static int setup(void **state)
{
	memset(&back, 0, sizeof(back));
	back.features = F_VERSION_1 | F_PROTOCOL | F_EVENT_IDX | 1ull << 33;
	back.protocol = ~0ull;
	back_start();
	new_machine();
	return 0;
}

static int teardown(void **state)
{
	driver_teardown(state);
	back_join();
	return 0;
}

static uint8_t status(void)
{
	return reg_read(COMMON(device_status), 1);
}

#define NEEDS_RESET 0x40

static void ask_for(unsigned int head, uint32_t len)
{
	*desc(head) = (struct vring_desc){ BUFFERS, len, VRING_DESC_F_WRITE,
					   0 };
	offer(head);
	kick();
}

static bool has_intx(void *ctx)
{
	return noted.up[11];
}

static void a_device_is_served(void **state)
{
	uint8_t *data = at(BUFFERS);

	bare_device("vhost-user");
	driver_start(0);
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x10441af4);
	/* What the back end has beyond rings is not offered */
	reg_write(COMMON(device_feature_select), 1, 4);
	assert_int_equal(reg_read(COMMON(device_feature), 4), 1);
	reg_write(COMMON(device_feature_select), 0, 4);
	assert_int_equal(reg_read(COMMON(device_feature), 4), F_EVENT_IDX);
	ask_for(0, 64);
	wait_for_all();
	assert_int_equal(data[63], 0x5a);
	assert_int_equal(data[64], 0);
	loop_run(&m.loop, has_intx, NULL);
	assert_int_equal(reg_read(0x1000, 1), 1);
	assert_false(noted.up[11]);
	/* The doorbell is the back end's: this process does not look */
	assert_int_equal(((struct virtio *)m.devices)->rung[0].events, 0);
	assert_int_equal(status() & NEEDS_RESET, 0);
}

/* What its driver resets begins anew, and goes on where it stood if not */
static void a_reset_and_a_pause(void **state)
{
	bare_device("vhost-user");
	driver_start(0);
	ask_for(0, 64);
	wait_for_all();
	/* Without bus mastering it stands, and then comes what was offered */
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	assert_int_not_equal(((struct virtio *)m.devices)->rung[0].events, 0);
	ask_for(1, 64);
	assert_int_equal(used()->idx, 1);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
	wait_for_all();
	assert_int_equal(used()->idx, 2);
	driver_start(0);
	ask_for(3, 64);
	wait_for_all();
	assert_int_equal(used()->idx, 1);
	assert_int_equal(status() & NEEDS_RESET, 0);
}

/* The reset of the machine clears all fields first */
static void a_reset_of_the_machine(void **state)
{
	BACK_SET(features, back.features | F_PACKED);
	bare_device_with("vhost-user", "packed");
	driver_start(F_PACKED);
	assert_int_equal(((struct virtio *)m.devices)->rung[0].events, 0);
	devices_reset(&m);
	assert_int_not_equal(((struct virtio *)m.devices)->rung[0].events, 0);
	driver_start(0);
	ask_for(0, 64);
	wait_for_all();
	assert_int_equal(status() & NEEDS_RESET, 0);
	assert_int_equal(m.warnings, 0);
}

/* A machine that is paused, and not saved, goes on by itself */
static void a_pause_of_the_machine(void **state)
{
	bare_device("vhost-user");
	driver_start(0);
	devices_drain(&m);
	m.pausing = true;
	ask_for(0, 64);
	m.pausing = false;
	m.clock.stopped_at++;
	run_timers();
	wait_for_all();
	assert_int_equal(status() & NEEDS_RESET, 0);
}

static void a_move(void **state)
{
	static uint8_t memory[MEMORY];
	json_t *saved;

	bare_device("vhost-user");
	driver_start(0);
	ask_for(0, 64);
	wait_for_all();
	assert_int_equal(devices_can_save(&m, &error), 0);
	m.pausing = true;
	saved = devices_save(&m);
	assert_non_null(saved);
	/* Offered after it was saved */
	ask_for(1, 64);
	memcpy(memory, m.memory.base, MEMORY);
	driver_teardown(NULL);
	back_join();
	back_start();
	new_machine();
	bare_device("vhost-user");
	memcpy(m.memory.base, memory, MEMORY);
	m.pausing = true;
	assert_int_equal(devices_load(&m, saved, &error), 0);
	json_decref(saved);
	m.pausing = false;
	m.clock.stopped_at++;
	run_timers();
	wait_for_all();
	assert_int_equal(BACK_GET(served), 2);
	assert_int_equal(used()->idx, 2);
}

static bool needs_reset(void *ctx)
{
	return ((struct virtio *)m.devices)->status & NEEDS_RESET;
}

/* At which request, and what it does */
static const struct wrong {
	uint32_t request;
	enum fault fault;
	uint64_t other;
} early[] = {
	{ 1, DIES, 0 }, { 1, SHORT, 0 }, { 1, SILENT, 0 }, { 1, OTHER_REQUEST, 0 },
	{ 1, OTHER_SIZE, 0 }, { 1, NO_REPLY, 0 }, { 1, WITH_FD, 0 },
	{ 1, OTHER_VALUE, F_PROTOCOL }, { 1, OTHER_VALUE, F_VERSION_1 },
	{ 15, DIES, 0 }, { 15, SHORT, 0 }, { 15, OTHER_SIZE, 0 }, { 15, WITH_FD, 0 },
	{ 3, DIES, 0 }, { 3, REFUSES, 0 }, { 3, OTHER_REQUEST, 0 }, { 3, SHORT, 0 },
	{ 17, OTHER_VALUE, 0 }, { 17, SILENT, 0 },
}, late[] = {
	{ 2, REFUSES, 0 }, { 2, DIES, 0 }, { 5, REFUSES, 0 }, { 5, SHORT, 0 },
	{ 8, REFUSES, 0 }, { 9, REFUSES, 0 }, { 10, NO_REPLY, 0 }, { 10, WITH_FD, 0 },
	{ 12, REFUSES, 0 }, { 13, REFUSES, 0 }, { 14, SILENT, 0 }, { 18, REFUSES, 0 },
	{ 18, DIES, 0 }, { 18, OTHER_SIZE, 0 },
}, at_stop[] = {
	{ 11, DIES, 0 }, { 11, SHORT, 0 }, { 11, SILENT, 0 }, { 11, OTHER_SIZE, 0 },
	{ 11, OTHER_REQUEST, 0 }, { 11, WITH_FD, 0 },
	/* Another queue; an index that a ring does not have */
	{ 11, OTHER_VALUE, 1 }, { 11, OTHER_VALUE, 0x10000ull << 32 },
};
#define COUNT(table) (sizeof(table) / sizeof(table[0]))

static void do_wrong(const struct wrong *w)
{
	teardown(NULL);
	setup(NULL);
	BACK_SET(fault_at, w->request);
	BACK_SET(fault, w->fault);
	BACK_SET(other, w->other);
}

/* There is no guest yet: the launcher says why there will be none */
static void one_that_is_wrong_at_first(void **state)
{
	unsigned int i;

	for (i = 0; i < COUNT(early); i++) {
		do_wrong(&early[i]);
		assert_null(device_create(&m, "vhost-user", NULL, &error));
		assert_non_null(strstr(error.text, back.path));
	}
}

/* The guest is there: its device stops, and it can reset that, in vain */
static void one_that_is_wrong_later(void **state)
{
	unsigned int i;

	for (i = 0; i < COUNT(late); i++) {
		do_wrong(&late[i]);
		bare_device("vhost-user");
		patience = 0;
		driver_start(0);
		/* Others wait */
		assert_in_range(patience, 1, 5);
		assert_true(status() & NEEDS_RESET);
		assert_int_equal(m.warnings, 1);
		driver_start(0);
		assert_true(status() & NEEDS_RESET);
		assert_int_equal(m.warnings, 1);
	}
}

static void one_that_does_not_stop(void **state)
{
	unsigned int i;

	for (i = 0; i < COUNT(at_stop); i++) {
		do_wrong(&at_stop[i]);
		bare_device("vhost-user");
		driver_start(0);
		ask_for(0, 64);
		wait_for_all();
		cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
		assert_true(status() & NEEDS_RESET);
		assert_int_equal(m.warnings, 1);
		assert_int_equal(devices_can_save(&m, &error), -1);
	}
}

static void one_that_goes_away(void **state)
{
	bare_device("vhost-user");
	driver_start(0);
	ask_for(0, 64);
	wait_for_all();
	pthread_mutex_lock(&back.lock);
	shutdown(back.fd, SHUT_RDWR);
	pthread_mutex_unlock(&back.lock);
	loop_run(&m.loop, needs_reset, NULL);
	assert_int_equal(m.warnings, 1);
	/* Its doorbell is looked at again, so that nothing waits there */
	ask_for(1, 64);
	assert_int_not_equal(((struct virtio *)m.devices)->rung[0].events, 0);
	assert_int_equal(used()->idx, 1);
}

static void one_that_speaks_unasked(void **state)
{
	bare_device("vhost-user");
	driver_start(0);
	pthread_mutex_lock(&back.lock);
	assert_int_equal(send(back.fd, "x", 1, 0), 1);
	pthread_mutex_unlock(&back.lock);
	loop_run(&m.loop, needs_reset, NULL);
	assert_int_equal(m.warnings, 1);
}

/* It has the same eventfds as the launcher, whose flags are not the launcher's */
static void one_whose_eventfds_wait(void **state)
{
	bare_device("vhost-user");
	driver_start(0);
	pthread_mutex_lock(&back.lock);
	back.enabled = false;
	assert_int_equal(fcntl(back.call, F_SETFL, 0), 0);
	assert_int_equal(fcntl(back.kick, F_SETFL, 0), 0);
	eventfd_take(back.call);
	eventfd_take(back.kick);
	assert_int_equal(eventfd_write(back.kick, UINT64_MAX - 1), 0);
	pthread_mutex_unlock(&back.lock);
	alarm(10);
	kick();
	assert_true(eventfd_take(BACK_GET(kick)));
	/* Nothing was signalled when it stops */
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	alarm(0);
	assert_int_equal(status() & NEEDS_RESET, 0);
}

static void one_with_a_broken_ring(void **state)
{
	bare_device("vhost-user");
	driver_start(0);
	eventfd_write(BACK_GET(err), 1);
	loop_run(&m.loop, needs_reset, NULL);
	assert_int_equal(m.warnings, 1);
}

/* The loop waits with its lock held: there is one patience for a whole task */
static void a_slow_one(void **state)
{
	bare_device("vhost-user");
	driver_start(0);
	ask_for(0, 64);
	wait_for_all();
	/* It stops within 30 seconds */
	BACK_SET(slow, 29);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	BACK_SET(slow, 0);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
		  PCI_COMMAND_MASTER, 2);
	assert_int_equal(BACK_GET(started), 2);
	assert_int_equal(status() & NEEDS_RESET, 0);
	/* Once more, and 9 requests in 9 seconds */
	BACK_SET(slow, 1);
	driver_start(0);
	assert_true(status() & NEEDS_RESET);
	assert_int_equal(m.warnings, 1);
	assert_int_equal(BACK_GET(started), 2);
}

/* One without REPLY_ACK and MQ */
static void an_old_one(void **state)
{
	BACK_SET(protocol, 0);
	bare_device("vhost-user");
	driver_start(0);
	ask_for(0, 64);
	wait_for_all();
	assert_int_equal(BACK_GET(started), 1);
}

/* The configuration is the back end's */
static void a_disk(void **state)
{
	m.config.vhost[0].type = "blk";
	m.config.vhost[0].queues = 2;
	bare_device("vhost-user");
	driver_start(0);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 2);
	assert_int_equal(reg_read(0x2000, 4), 8);
	/* It says 0, and would have 4: the driver looks for what is said here */
	assert_int_equal(reg_read(0x2000 + 34, 2), 2);
	reg_write(0x2000 + 32, 1, 1);
	assert_int_equal(BACK_GET(written[0]), 1);
	assert_int_equal(reg_read(0x2000 + 34, 2), 2);
}

static void a_scsi_adapter(void **state)
{
	m.config.vhost[0].type = "scsi";
	bare_device("vhost-user");
	driver_start(0);
	assert_int_equal(reg_read(COMMON(num_queues), 2), 3);
	assert_int_equal(reg_read(0x2000, 4), 1);
	assert_int_equal(reg_read(0x2000 + 4, 4), 0);
}

static void a_disk_with_wrong_configuration(void **state)
{
	static const struct wrong wrong[] = {
		{ 24, OTHER_SIZE, 0 }, { 24, OTHER_VALUE, 1 },
		{ 24, OTHER_VALUE, 60ull << 32 | 4 },
		{ 24, OTHER_VALUE, 61ull << 32 }, { 24, SHORT, 0 } };
	unsigned int i;

	for (i = 0; i < COUNT(wrong); i++) {
		do_wrong(&wrong[i]);
		m.config.vhost[0].type = "blk";
		assert_null(device_create(&m, "vhost-user", NULL, &error));
	}
	do_wrong(&wrong[0]);
	BACK_SET(protocol, 1 << 3);
	m.config.vhost[0].type = "blk";
	assert_null(device_create(&m, "vhost-user", NULL, &error));
	assert_non_null(strstr(error.text, "protocol feature 9"));
	/* It has 4 queues */
	teardown(NULL);
	setup(NULL);
	m.config.vhost[0].type = "blk";
	m.config.vhost[0].queues = 5;
	assert_null(device_create(&m, "vhost-user", NULL, &error));
	assert_non_null(strstr(error.text, "would have 5"));
}

static void a_file_system(void **state)
{
	m.config.vhost[0].type = "fs";
	m.config.vhost[0].tag = "host";
	bare_device("vhost-user");
	driver_start(0);
	assert_int_equal(cfg_read(PCI_VENDOR_ID, 4), 0x105a1af4);
	assert_int_equal(reg_read(0x2000, 4), 0x74736f68);
	assert_int_equal(reg_read(0x2024, 4), 1);
	/* It says so before anything has stopped, and goes on */
	assert_int_equal(devices_can_save(&m, &error), -1);
	assert_non_null(strstr(error.text, "files that the guest has open"));
	ask_for(0, 64);
	wait_for_all();
}

/* Memory that is not a memfd, or none any more */
static void memory_that_is_not_shared(void **state)
{
	json_t *saved;

	bare_device("vhost-user");
	/* Nor can a back end make it so */
	assert_int_equal(ftruncate(m.memory.fd, 4096), -1);
	m.memory.shared = false;
	driver_start(0);
	assert_true(status() & NEEDS_RESET);
	saved = devices_save(&m);
	assert_int_equal(devices_load(&m, saved, &error), -1);
	json_decref(saved);
	teardown(NULL);
	setup(NULL);
	memory_destroy(&m.memory);
	memory_create(&m.memory, MEMORY, false, &error);
	assert_null(device_create(&m, "vhost-user", NULL, &error));
	assert_non_null(strstr(error.text, "--mem-backend memfd"));
}

static void options(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "missing" }, { "s", "type=" }, { "s,type=x", "type=" },
		{ "s,type=fs", "tag=" }, { "s,type=fs,tag=", "is empty" },
		{ "s,type=blk,queues=0", "queues=0" },
		{ "s,type=blk,queues=15", "queues=15" },
		{ "s,type=blk,queues=", "queues=" },
		{ "s,type=blk,x", "x is not known" },
		{ "s,type=scsi,tag=t", "tag= is a file system's" },
		{ "s,queues=2,type=rng", "one queue" },
		{ "s,type=fs,tag=0123456789012345678901234567890123456",
		  "longer than 36 bytes" } };
	struct machine_config config;
	struct machine_vhost *c = config.vhost;
	char text[80];
	unsigned int i;

	for (i = 0; i < COUNT(bad); i++) {
		memset(&config, 0, sizeof(config));
		strcpy(text, bad[i].text);
		error.text[0] = 0;
		assert_int_equal(vhost_user_add(&config, text, &error), -1);
		assert_non_null(strstr(error.text, bad[i].why));
	}
	memset(&config, 0, sizeof(config));
	strcpy(text, "s,type=fs,tag=012345678901234567890123456789012345");
	assert_int_equal(vhost_user_add(&config, text, &error), 0);
	assert_true(config.memfd);
	assert_string_equal(c->socket, "s");
	assert_int_equal(strlen(c->tag), 36);
	strcpy(text, "/d,ro,tag=t");
	assert_int_equal(share_add(&config, text, &error), 0);
	assert_int_equal(config.vhosts, 2);
	assert_string_equal(c[1].directory, "/d");
	assert_string_equal(c[1].tag, "t");
	assert_true(c[1].read_only);
	strcpy(text, "/e,tag=t");
	assert_int_equal(share_add(&config, text, &error), -1);
	assert_non_null(strstr(error.text, "the tag t is there twice"));
	strcpy(text, "/d,rw");
	assert_int_equal(share_add(&config, text, &error), -1);
	strcpy(text, "");
	assert_int_equal(share_add(&config, text, &error), -1);
	config.vhosts = MACHINE_VHOSTS;
	strcpy(text, "/d");
	assert_int_equal(share_add(&config, text, &error), -1);
	assert_int_equal(device_check("virtio-vsock", "cid=2", &error), -1);
	assert_int_equal(device_check("virtio-vsock", "cid=4294967295",
				      &error), -1);
	assert_int_equal(device_check("virtio-vsock", "cid=3", &error), 0);
	error.text[0] = 0;
	assert_null(device_create(&m, "virtio-vsock", NULL, &error));
	assert_non_null(strstr(error.text, "cid="));
	/* A socket that is not there, and a name that is too long */
	m.config.vhost[0] = (struct machine_vhost){ .type = "rng",
					     .socket = "/nowhere/at/all" };
	assert_null(device_create(&m, "vhost-user", NULL, &error));
	assert_non_null(strstr(error.text, "No such file"));
}

static void shares_that_are_not(void **state)
{
	m.config.vhost[0] = (struct machine_vhost){ .type = "fs", .queues = 1,
		.tag = "t", .directory = "/nowhere" };
	assert_null(device_create(&m, "vhost-user", NULL, &error));
	assert_non_null(strstr(error.text, "No such file"));
	m.vhosts_made = 0;
	m.config.vhost[0].directory = "/dev/null";
	assert_null(device_create(&m, "vhost-user", NULL, &error));
	assert_non_null(strstr(error.text, "not a directory"));
	/* virtiofsd would serve who is not its guest */
	m.vhosts_made = 0;
	m.config.vhost[0].directory = "/tmp";
	intruded = true;
	assert_null(device_create(&m, "vhost-user", NULL, &error));
	intruded = false;
	assert_non_null(strstr(error.text, "another process was faster"));
}

/* ---- virtiofsd itself ------------------------------------------------------ */

/* Asks for @opcode, with @len bytes of @what. Returns the answer's error */
static int fuse(uint32_t opcode, const void *what, size_t len)
{
	struct fuse_in_header in = { .len = sizeof(in) + len,
		.opcode = opcode, .unique = 2, .nodeid = FUSE_ROOT_ID };
	struct fuse_out_header *out = at(BUFFERS + 0x1000);

	memcpy(at(BUFFERS), &in, sizeof(in));
	memcpy((uint8_t *)at(BUFFERS) + sizeof(in), what, len);
	*desc(0) = (struct vring_desc){ BUFFERS, sizeof(in),
					VRING_DESC_F_NEXT, 1 };
	*desc(1) = (struct vring_desc){ BUFFERS + sizeof(in), len,
					VRING_DESC_F_NEXT, 2 };
	*desc(2) = (struct vring_desc){ BUFFERS + 0x1000, 4096,
					VRING_DESC_F_WRITE, 0 };
	offer(0);
	kick();
	wait_for_all();
	return out->error;
}

/* A guest that makes a directory there. Returns how that went */
static int shared_mkdir(const char *directory, bool read_only)
{
	static const struct fuse_init_in init = { .major = 7, .minor = 31 };
	struct {
		struct fuse_mkdir_in in;
		char name[2];
	} made = { { 0755, 0 }, "d" };
	int ret;

	new_machine();
	m.config.vhost[0] = (struct machine_vhost){ .type = "fs", .queues = 1,
		.tag = "t", .directory = directory, .read_only = read_only };
	bare_device("vhost-user");
	driver_begin(0);
	add_queue(0);
	add_queue(1);
	driver_ok();
	assert_int_equal(fuse(FUSE_INIT, &init, sizeof(init)), 0);
	ret = fuse(FUSE_MKDIR, &made, sizeof(made.in) + 2);
	assert_int_equal(status() & NEEDS_RESET, 0);
	driver_teardown(NULL);
	return ret;
}

static void a_share(void **state)
{
	char directory[] = "/tmp/share-XXXXXX", made[32];
	__attribute__((unused)) pid_t pid;
	__attribute__((unused)) int ret;

	assert_non_null(mkdtemp(directory));
	snprintf(made, sizeof(made), "%s/d", directory);
	if (geteuid() == 0)
		assert_int_equal(chown(directory, 65534, 65534), 0);
	assert_int_equal(shared_mkdir(directory, true), -EROFS);
	assert_int_equal(access(made, F_OK), -1);
	assert_int_equal(shared_mkdir(directory, false), 0);
	assert_int_equal(rmdir(made), 0);
	/* Nobody is left behind */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
#ifndef __SANITIZE_THREAD__	/* which does not follow a fork */
	/* The same without being root */
	pid = geteuid() ? 0 : fork();
	if (!pid && !geteuid()) {
		ret = !setgid(65534) && !setuid(65534) &&
		      !prctl(PR_SET_DUMPABLE, 1) &&
		      shared_mkdir(directory, true) == -EROFS &&
		      !shared_mkdir(directory, false) && !rmdir(made);
		_exit(ret ? 0 : 1);
	}
	if (pid) {
		assert_int_equal(waitpid(pid, &ret, 0), pid);
		assert_int_equal(ret, 0);
	}
#endif
	rmdir(directory);
}

/* Who started us may ignore SIGCHLD: then there is nothing to wait for */
static void one_whose_end_nobody_tells(void **state)
{
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	alarm(10);
	virtiofsd_end(pid, -1);
	alarm(0);
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(kill(pid, 0), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_device_is_served), TEST(a_reset_and_a_pause),
		TEST(a_reset_of_the_machine), TEST(a_pause_of_the_machine),
		TEST(a_move),
		TEST(one_that_is_wrong_at_first),
		TEST(one_that_is_wrong_later), TEST(one_that_does_not_stop),
		TEST(one_that_goes_away), TEST(one_that_speaks_unasked),
		TEST(one_with_a_broken_ring), TEST(one_whose_eventfds_wait),
		TEST(a_slow_one), TEST(an_old_one), TEST(a_disk), TEST(a_scsi_adapter),
		TEST(a_disk_with_wrong_configuration), TEST(a_file_system),
		TEST(memory_that_is_not_shared), TEST(options),
		TEST(shares_that_are_not), cmocka_unit_test(a_share),
		cmocka_unit_test(one_whose_end_nobody_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
