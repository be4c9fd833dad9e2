// SPDX-License-Identifier: GPL-2.0
/*
 * What ports of virtio-console end at: files, pseudo terminals, UNIX sockets;
 * with peers that come, go and do not read. And the options that say so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "char/ports.h"
#include "tests/loop_round.h"

static struct vm_clock vm_clock;
static struct loop loop;
static struct error error;
static char dir[32], path[64];
static struct stream *s;
static unsigned int readable, writable, changed;

static void on_readable(void *ctx)
{
	readable++;
}

static void on_writable(void *ctx)
{
	writable++;
}

static void on_changed(void *ctx)
{
	changed++;
}

/* What the loop does now */
static void run_loop(void)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		run_once(&loop);
}

static bool is_readable(void *ctx)
{
	return readable;
}

static int setup(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	vm_clock_init(&vm_clock, 1);
	assert_int_equal(loop_init(&loop, &vm_clock), 0);
	strcpy(dir, "/tmp/mvmm-test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/port", dir);
	readable = writable = changed = 0;
	error = (struct error){ 0 };
	s = NULL;
	return 0;
}

static int teardown(void **state)
{
	stream_close(s);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	loop_destroy(&loop);
	return 0;
}

static void use(struct stream *stream)
{
	if (!stream)
		print_error("%s\n", error.text);
	assert_non_null(stream);
	s = stream;
	s->chardev.readable = on_readable;
	s->chardev.writable = on_writable;
	s->chardev.changed = on_changed;
	s->chardev.ctx = s;
	assert_int_equal(stream_start(s, &loop, &error), 0);
}

static size_t put(const char *text, size_t len)
{
	return s->chardev.ops->put(&s->chardev, (const uint8_t *)text, len);
}

static size_t take(char *text, size_t len)
{
	return s->chardev.ops->take(&s->chardev, (uint8_t *)text, len);
}

static void a_file(void **state)
{
	char text[16] = { 0 };
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	assert_int_equal(write(fd, "abc", 3), 3);
	use(stream_file(path, &error));
	assert_true(s->chardev.is_open);
	assert_int_equal(put("def", 3), 3);
	assert_int_equal(take(text, 9), 0);
	assert_true(s->chardev.ops->is_flushed(&s->chardev));
	run_loop();
	assert_int_equal(readable + writable + changed, 0);
	assert_int_equal(pread(fd, text, 16, 0), 6);
	assert_string_equal(text, "abcdef");
	close(fd);
}

/* The host's disk is full: the port is closed, the guest goes on */
static void a_full_disk(void **state)
{
	use(stream_file("/dev/full", &error));
	assert_int_equal(put("def", 3), 3);
	assert_false(s->chardev.is_open);
	assert_int_equal(changed, 1);
	assert_int_equal(put("def", 3), 3);
	assert_null(stream_file("/nowhere/x", &error));
	assert_non_null(strstr(error.text, "cannot open /nowhere/x"));
	assert_null(stream_file("/", &error));
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

static void a_socket(void **state)
{
	char text[16] = { 0 };
	int one, two;

	use(stream_unix(path, &error));
	/* Nobody is there */
	assert_false(s->chardev.is_open);
	assert_int_equal(put("lost", 4), 4);
	assert_int_equal(take(text, 9), 0);
	one = dial();
	run_loop();
	assert_true(s->chardev.is_open);
	assert_int_equal(changed, 1);
	assert_int_equal(put("hello", 5), 5);
	assert_int_equal(read(one, text, 16), 5);
	assert_memory_equal(text, "hello", 5);
	/* The guest does not read: it is told once */
	assert_int_equal(write(one, "abcde", 5), 5);
	run_loop();
	assert_int_equal(readable, 1);
	/* It has room for two: nobody need tell it of the rest */
	assert_int_equal(take(text, 2), 2);
	run_loop();
	assert_int_equal(readable, 1);
	assert_int_equal(take(text + 2, 9), 3);
	assert_memory_equal(text, "abcde", 5);
	assert_int_equal(write(one, "f", 1), 1);
	run_loop();
	assert_int_equal(readable, 2);
	assert_int_equal(take(text, 9), 1);
	/* The next peer waits; then the first one has gone */
	two = dial();
	assert_int_equal(write(two, "second", 6), 6);
	assert_int_equal(write(one, "end", 3), 3);
	close(one);
	run_loop();
	assert_int_equal(readable, 3);
	assert_int_equal(take(text, 9), 3);
	assert_memory_equal(text, "end", 3);
	run_loop();
	assert_int_equal(take(text, 9), 0);
	assert_int_equal(changed, 2);
	assert_false(s->chardev.is_open);
	run_loop();
	assert_true(s->chardev.is_open);
	assert_int_equal(changed, 3);
	assert_int_equal(take(text, 9), 6);
	assert_memory_equal(text, "second", 6);
	close(two);
	run_loop();
	/* A guest that only writes finds out, too */
	assert_int_equal(put("x", 1), 1);
	assert_false(s->chardev.is_open);
}

static void a_peer_that_does_not_read(void **state)
{
	static char much[1 << 20];
	size_t sent, got = 0;
	ssize_t n;
	int peer;

	use(stream_unix(path, &error));
	peer = dial();
	run_loop();
	sent = put(much, sizeof(much));
	assert_in_range(sent, 1, sizeof(much) - 1);
	assert_int_equal(put(much, 1), 0);
	run_loop();
	assert_int_equal(writable, 0);
	while ((n = read(peer, much, sizeof(much))) > 0)
		got += n;
	assert_int_equal(got, sent);
	run_loop();
	assert_int_equal(writable, 1);
	assert_int_equal(put(much, 100), 100);
	run_loop();
	assert_int_equal(writable, 1);
	/* It goes while the guest waits for it */
	while (put(much, sizeof(much)))
		;
	close(peer);
	run_loop();
	assert_int_equal(writable, 2);
	assert_int_equal(put(much, 1), 1);
	assert_false(s->chardev.is_open);
}

static void socket_names(void **state)
{
	static char name[200];
	struct stream *other;
	int fd;

	use(stream_unix(path, &error));
	/* In use */
	assert_null(stream_unix(path, &error));
	assert_non_null(strstr(error.text, "cannot listen at"));
	stream_close(s);
	s = NULL;
	assert_int_equal(access(path, F_OK), -1);
	/* A file is not taken away; a socket that is left over is */
	fd = open(path, O_RDWR | O_CREAT, 0600);
	close(fd);
	assert_null(stream_unix(path, &error));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	other = stream_unix(path, &error);
	assert_non_null(other);
	assert_int_equal(rename(path, "/tmp/mvmm-test-left-over"), 0);
	stream_close(other);
	assert_int_equal(rename("/tmp/mvmm-test-left-over", path), 0);
	use(stream_unix(path, &error));
	memset(name, 'x', sizeof(name) - 1);
	assert_null(stream_unix(name, &error));
	assert_non_null(strstr(error.text, "at most 107 bytes"));
}

static void a_terminal(void **state)
{
	static char much[1 << 20];
	char text[16] = { 0 };
	size_t sent = 0, n;
	int fd;

	use(stream_pty(&error));
	assert_non_null(strstr(s->path, "/dev/pts/"));
	assert_true(s->chardev.is_open);
	/* What is sent waits for somebody, and nothing comes back */
	assert_int_equal(put("hi\n", 3), 3);
	run_loop();
	assert_int_equal(readable, 0);
	fd = open(s->path, O_RDWR | O_NOCTTY);
	assert_int_equal(read(fd, text, 16), 3);
	assert_memory_equal(text, "hi\n", 3);
	assert_int_equal(write(fd, "\1\3x\r", 4), 4);
	/* The host brings them by a thread of its own */
	loop_run(&loop, is_readable, NULL);
	run_loop();
	assert_int_equal(readable, 1);
	assert_int_equal(take(text, 9), 4);
	assert_memory_equal(text, "\1\3x\r", 4);
	close(fd);
	run_loop();
	assert_true(s->chardev.is_open);
	/* Nobody reads */
	while ((n = put(much, sizeof(much))))
		sent += n;
	assert_in_range(sent, 1, sizeof(much));
	assert_int_equal(writable, 0);
}

static void refuse(const char *first, const char *option, const char *why)
{
	struct ports p = { 0 };
	char one[100], two[100];

	snprintf(one, sizeof(one), "%s", first ? first : "");
	snprintf(two, sizeof(two), "%s", option);
	if (first)
		assert_int_equal(ports_parse(&p, one, &error), 0);
	assert_int_equal(ports_parse(&p, two, &error), -1);
	if (!strstr(error.text, why))
		print_error("%s\n", error.text);
	assert_non_null(strstr(error.text, why));
}

static void options(void **state)
{
	struct machine_config config = { 0 };
	char file[] = "log,file=/dev/null", pty[] = "tty,pty", text[80];
	char many[MACHINE_PORTS][16];
	struct ports p = { 0 };
	unsigned int i;

	refuse(NULL, "", "a name has from 1 to 63 bytes");
	refuse(NULL, ",pty", "a name has from 1 to 63 bytes");
	memset(text, 'x', sizeof(text));
	strcpy(text + 64, ",pty");
	refuse(NULL, text, "a name has from 1 to 63 bytes");
	refuse(NULL, "a", "its other end is");
	refuse(NULL, "a,", "its other end is");
	refuse(NULL, "a,pty=x", "its other end is");
	refuse(NULL, "a,file", "its other end is");
	refuse(NULL, "a,file=", "its other end is");
	refuse(NULL, "a,tcp=x", "its other end is");
	refuse("a,pty", "a,file=x", "two of that name");
	assert_int_equal(ports_parse(&p, file, &error), 0);
	assert_int_equal(ports_parse(&p, pty, &error), 0);
	assert_int_equal(ports_open(&p, &config, &error), 0);
	assert_int_equal(config.ports, 3);
	assert_string_equal(config.port[1].name, "log");
	assert_string_equal(config.port[2].name, "tty");
	assert_int_equal(ports_start(&p, &loop, &error), 0);
	ports_close(&p);
	p = (struct ports){ 0 };
	for (i = 1; i < MACHINE_PORTS; i++) {
		snprintf(many[i], sizeof(many[i]), "%u,unix=%s", i, "/x/,=");
		assert_int_equal(ports_parse(&p, many[i], &error), 0);
	}
	assert_string_equal(p.option[15].path, "/x/,=");
	snprintf(many[0], sizeof(many[0]), "16,pty");
	assert_int_equal(ports_parse(&p, many[0], &error), -1);
	assert_non_null(strstr(error.text, "at most 15"));
	/* One cannot be opened: the others are closed */
	assert_int_equal(ports_open(&p, &config, &error), -1);
	ports_close(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_file), TEST(a_full_disk), TEST(a_socket),
		TEST(a_peer_that_does_not_read), TEST(socket_names),
		TEST(a_terminal), TEST(options),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
