// SPDX-License-Identifier: GPL-2.0
/*
 * A switch that runs, in a thread: others join by its sockets, and it is asked and
 * told by its control socket. Also under TSan.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "manage/control.h"
#include "tests/switch_thread.h"

static char path[128];
static struct control control;
static struct error error;

static void start(const char *uplink)
{
	char text[192];

	server = switch_start("s", &error);
	assert_non_null(server);
	if (uplink) {
		snprintf(text, sizeof(text), "%s", uplink);
		assert_int_equal(switch_uplink(server, text, &error), 0);
	}
	assert_int_equal(switch_path(path, sizeof(path), "s", "control",
				     &error), 0);
	assert_int_equal(control_serve(&control, switch_execute, server, path,
				       &error), 0);
	assert_int_equal(pthread_create(&thread, NULL, server_main, NULL), 0);
}

static int setup(void **state)
{
	error = (struct error){ 0 };
	return 0;
}

static void end(void)
{
	char name[128];

	take_over();
	control_stop(&control);
	switch_end(server);
	/* With all that it has made */
	switch_path(name, sizeof(name), "s", NULL, &error);
	assert_int_equal(access(name, F_OK), -1);
}

static int dial(const char *file)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(switch_path(a.sun_path, sizeof(a.sun_path), "s", file,
				     &error), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* "switch-show", and so on; the words of @arguments are JSON */
static json_t *ask(const char *what, const char *arguments)
{
	json_error_t where;

	return control_ask(path, json_pack("{s:s, s:o}", "execute", what,
					   "arguments", arguments ?
					   json_loads(arguments, 0, &where) :
					   json_object()), &error);
}

/* Until it has so many ports */
static void wait_for(unsigned int ports)
{
	size_t there = ~0u;

	while (there != ports) {
		json_t *all = ask("switch-show", NULL);

		there = json_array_size(json_object_get(all, "ports"));
		json_decref(all);
		usleep(1000);
	}
}

/* Two of them may be accepted in any order: one joins after the other */
static int join(unsigned int ports)
{
	int fd = dial("stream");

	wait_for(ports);
	return fd;
}

static void put_frame(int fd, uint8_t to, uint8_t from, uint8_t mark)
{
	uint8_t bytes[64] = { 0, 0, 0, 60, 2, 0, 0, 0, 0, to,
			      2, 0, 0, 0, 0, from, 0x88, 0xb5, mark };

	if (to == 0xff)
		memset(bytes + 4, 0xff, MAC_LEN);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
}

/* The mark of the next one */
static int get_frame(int fd)
{
	uint8_t bytes[64];

	if (recv(fd, bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
		return -1;
	return bytes[18];
}

/* Nothing is ready: what comes is asked for, after everybody was served */
static bool is_silent(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0;
}

static long long of_port(size_t i, const char *direction, const char *key)
{
	json_t *all = ask("switch-show", NULL);
	json_t *p = json_array_get(json_object_get(all, "ports"), i);
	long long n = json_integer_value(json_object_get(json_object_get(p,
						direction), key));

	json_decref(all);
	return n;
}

static void frames(void **state)
{
	int a, b, c;

	start(NULL);
	a = join(1);
	b = join(2);
	c = join(3);
	put_frame(a, 0xff, 1, 11);
	assert_int_equal(get_frame(b), 11);
	assert_int_equal(get_frame(c), 11);
	put_frame(b, 1, 2, 12);
	assert_int_equal(get_frame(a), 12);
	assert_true(is_silent(c));
	/* One goes, and its place is another's */
	close(b);
	wait_for(2);
	b = join(3);
	put_frame(a, 2, 1, 13);
	assert_int_equal(get_frame(b), 13);
	assert_int_equal(get_frame(c), 13);
	close(a);
	close(b);
	close(c);
	end();
}

/* Who does not keep to the protocol, or does not read, harms nobody */
static void bad_peers(void **state)
{
	uint32_t much = htonl(FRAME_MAX + 1);
	unsigned int i;
	int a, b, c, lazy;

	start(NULL);
	a = join(1);
	b = join(2);
	c = join(3);
	assert_int_equal(write(c, &much, 4), 4);
	assert_int_equal(get_frame(c), -1);
	close(c);
	wait_for(2);
	lazy = join(3);
	for (i = 0; i < 20000; i++) {
		put_frame(a, 0xff, 1, i);
		assert_int_equal(get_frame(b), i & 0xff);
	}
	assert_int_equal(of_port(2, "to", "in"), 20000);
	assert_in_range(of_port(2, "to", "out"), 1, 19999);
	assert_int_equal(of_port(0, "from", "out"), 20000);
	close(lazy);
	close(a);
	close(b);
	end();
}

static void an_uplink(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char text[192], bad[] = "tap=t,vlan=x", what[] = "vlan=3";
	int up = socket(AF_UNIX, SOCK_STREAM, 0), one;
	uint8_t tagged[68];

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/up", directory);
	snprintf(text, sizeof(text),
		 "stream:unix=%s,server,name=up,vlan=trunk:10,isolated",
		 a.sun_path);
	start(text);
	assert_int_equal(connect(up, (struct sockaddr *)&a, sizeof(a)), 0);
	one = join(2);
	json_decref(ask("switch-vlan", "{\"port\": 1, \"vlan\": \"10\"}"));
	put_frame(one, 0xff, 1, 5);
	assert_int_equal(recv(up, tagged, sizeof(tagged), MSG_WAITALL), 68);
	assert_memory_equal(tagged, "\0\0\0\x40\xff\xff\xff\xff\xff\xff", 10);
	assert_memory_equal(tagged + 16, "\x81\0\0\x0a\x88\xb5\x05", 7);
	assert_int_equal(switch_uplink(server, bad, &error), -1);
	assert_non_null(strstr(error.text, "vlan=x is not known"));
	assert_int_equal(switch_uplink(server, what, &error), -1);
	close(one);
	close(up);
	end();
}

static void refused(const char *what, const char *arguments, const char *why)
{
	json_t *answer = ask(what, arguments);

	assert_null(answer);
	if (!strstr(error.text, why))
		print_error("%s\n", error.text);
	assert_non_null(strstr(error.text, why));
}

static void commands(void **state)
{
	const char *vlan;
	json_t *all, *port;
	int a, b;

	start(NULL);
	a = join(1);
	b = join(2);
	put_frame(a, 0xff, 1, 1);
	assert_int_equal(get_frame(b), 1);
	all = ask("switch-mac", NULL);
	port = json_array_get(json_object_get(all, "macs"), 0);
	assert_string_equal(json_string_value(json_object_get(port, "mac")),
			    "02:00:00:00:00:01");
	assert_int_equal(json_integer_value(json_object_get(port, "vlan")), 1);
	json_decref(all);
	all = ask("switch-vlan", "{\"port\": 0, \"vlan\": \"trunk:7-9/7\"}");
	port = json_array_get(json_object_get(all, "ports"), 0);
	vlan = json_string_value(json_object_get(port, "vlan"));
	assert_string_equal(vlan, "trunk:7-9/7");
	json_decref(all);
	all = ask("switch-mac", NULL);
	assert_int_equal(json_array_size(json_object_get(all, "macs")), 0);
	json_decref(all);
	all = ask("switch-mirror", "{\"port\": 0, \"to\": 1}");
	assert_int_equal(json_integer_value(json_object_get(all, "mirror")), 1);
	assert_int_equal(json_integer_value(json_object_get(all, "mirrored")),
			 0);
	json_decref(all);
	put_frame(a, 7, 1, 2);
	assert_int_equal(get_frame(b), 2);
	all = ask("switch-mirror", "{}");
	assert_null(json_object_get(all, "mirror"));
	json_decref(all);
	refused("switch-vlan", "{\"port\": 9, \"vlan\": \"1\"}", "no such port");
	refused("switch-vlan", "{\"port\": 0, \"vlan\": 1}", "is not known");
	refused("switch-vlan", "{\"port\": \"0\"}", "no such port");
	refused("switch-mirror", "{\"port\": 0, \"to\": -1}", "no such port");
	refused("switch-mirror", "{\"port\": 0, \"to\": 0}", "of itself");
	refused("switch-on", NULL, "switch-... is");
	close(a);
	close(b);
	end();
}

/* How many bytes a capture of these frames has */
static void captures(void **state)
{
	char file[64], words[128];
	struct stat before, after;
	int a, b;

	start(NULL);
	a = join(1);
	b = join(2);
	snprintf(file, sizeof(file), "%s/capture", directory);
	snprintf(words, sizeof(words), "{\"port\": 1, \"file\": \"%s\"}", file);
	json_decref(ask("switch-capture", words));
	assert_int_equal(stat(file, &before), 0);
	put_frame(a, 0xff, 1, 1);
	assert_int_equal(get_frame(b), 1);
	put_frame(b, 0xff, 2, 2);
	assert_int_equal(get_frame(a), 2);
	/* The other one's are not in it; nor is what comes when it has ended */
	json_decref(ask("switch-capture", "{\"port\": 1}"));
	assert_int_equal(stat(file, &after), 0);
	assert_int_equal(after.st_size - before.st_size,
			 2 * (28 + 60 + 16));
	put_frame(a, 0xff, 1, 3);
	assert_int_equal(get_frame(b), 3);
	assert_int_equal(stat(file, &before), 0);
	assert_int_equal(after.st_size, before.st_size);
	refused("switch-capture", "{\"port\": 1, \"file\": \"/nowhere/x\"}",
		"cannot write the capture");
	refused("switch-capture", "{\"port\": 5}", "no such port");
	/* One that is open ends with its port */
	json_decref(ask("switch-capture", words));
	close(b);
	wait_for(1);
	unlink(file);
	close(a);
	end();
}

/* In several answers */
static void many_macs(void **state)
{
	json_t *all, *next;
	unsigned int n = 0, answers = 0;
	char from[32] = "{}";
	uint8_t frame[64] = { 0, 0, 0, 60, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			      2, 0, 0, 0, 0, 0, 0x88, 0xb5 };
	unsigned int i, j;
	int fd[3];

	start(NULL);
	for (i = 0; i < 3; i++)
		fd[i] = join(i + 1);
	for (i = 0; i < 3; i++) {
		for (j = 0; j < 500; j++) {
			frame[13] = i;
			frame[14] = j >> 8;
			frame[15] = j;
			assert_int_equal(write(fd[i], frame, 64), 64);
			get_frame(fd[(i + 1) % 3]);
			get_frame(fd[(i + 2) % 3]);
		}
	}
	do {
		all = ask("switch-mac", from);
		n += json_array_size(json_object_get(all, "macs"));
		next = json_object_get(all, "next");
		snprintf(from, sizeof(from), "{\"from\": %lld}",
			 (long long)json_integer_value(next));
		answers++;
		json_decref(all);
	} while (next);
	assert_int_equal(n, 1500);
	assert_int_equal(answers, 2);
	all = ask("switch-mac", "{\"from\": -1}");
	assert_int_equal(json_array_size(json_object_get(all, "macs")), 0);
	json_decref(all);
	for (i = 0; i < 3; i++)
		close(fd[i]);
	end();
}

static void note_name(void *ctx, const char *name)
{
	assert_string_equal(name, "s");
	++*(unsigned int *)ctx;
}

static void names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "../x", "a b",
		"abcdefghijklmnopqrstuvwxyz0123456789" };
	char text[128], mine[128];
	unsigned int i, seen = 0;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(switch_path(text, sizeof(text), bad[i], NULL,
					     &error), -1);
	assert_int_equal(switch_path(text, 20, "s", NULL, &error), -1);
	start(NULL);
	switch_each(note_name, &seen);
	assert_int_equal(seen, 1);
	assert_null(switch_start("s", &error));
	assert_non_null(strstr(error.text, "runs already"));
	assert_int_equal(error.status, STATUS_BUSY);
	end();
	/* Who else may write there could have made its own sockets */
	snprintf(mine, sizeof(mine), "%s/mvmm/switch", directory);
	assert_int_equal(chmod(mine, 0777), 0);
	assert_null(switch_start("s", &error));
	assert_non_null(strstr(error.text, "is not yours alone"));
	assert_int_equal(chmod(mine, 0700), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(frames), TEST(bad_peers), TEST(an_uplink), TEST(commands),
		TEST(captures), TEST(many_macs), TEST(names),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
