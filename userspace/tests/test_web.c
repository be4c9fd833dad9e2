// SPDX-License-Identifier: GPL-2.0
/*
 * --display web: which requests are answered, and by what; the way from a
 * browser's WebSocket to VNC; and those who talk nonsense, or are somebody else's
 * page. The browser is played, by RFC 6455. With an argument this serves a real one
 * (scripts/testlib/browser.py).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "have.h"
#ifdef HAVE_VNC
#include "tests/bare_screen.h"
#include "devices/input.h"
#include "display/vnc/vnc.h"
#include "display/vnc/web.h"

/* Of each viewer the library loses what it keeps of an extension */
const char *__lsan_default_suppressions(void)
{
	return "leak:rfbEnableExtension\n";
}

#define BIG	(3u << 20)	/* bytes of a file that no socket's buffer takes */

static char directory[] = "/tmp/mvmm-web.XXXXXX";
static struct vnc *server;
static unsigned int port;

static void put(const char *name, size_t len)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	fputs("the page", f);
	if (len)
		assert_int_equal(ftruncate(fileno(f), len), 0);
	fclose(f);
}

static int start(const char *where, const char *password_file)
{
	struct vnc_config config = { .web = where, .root = directory,
				     .password_file = password_file };

	server = vnc_start(&m, &config, &error);
	port = server ? vnc_web_port(server) : 0;
	return server ? 0 : -1;
}

static int setup(void **state)
{
	return bare_screen() || start("127.0.0.1:0", NULL) ? -1 : 0;
}

static int teardown(void **state)
{
	vnc_stop(server);
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	return 0;
}

/* ---- a browser ------------------------------------------------------------------------- */

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

/* All that comes until it ends, which is not kept behind the first bytes */
static size_t hear(int fd, char *text, size_t room)
{
	char bytes[4096];
	size_t all = 0;
	ssize_t n;

	*text = 0;
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		if (all + n < room) {
			memcpy(text + all, bytes, n);
			text[all + n] = 0;
		}
		all += n;
	}
	return all;
}

static void get(const char *path, const char *expected)
{
	char request[256], answer[2048];
	int fd = dial();

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
		 path);
	say(fd, request);
	hear(fd, answer, sizeof(answer));
	assert_non_null(strstr(answer, expected));
	close(fd);
}

#define KEYS "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

/* libvncserver wants an origin, as browsers send it */
static int open_socket(const char *host, const char *origin)
{
	char request[512];
	int fd = dial();

	snprintf(request, sizeof(request),
		 "GET /websockify HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
		 "Upgrade: websocket\r\n" KEYS "Origin: http://%s\r\n\r\n",
		 host, origin);
	say(fd, request);
	return fd;
}

static void take(int fd, void *bytes, size_t len)
{
	assert_int_equal(recv(fd, bytes, len, MSG_WAITALL), len);
}

/* To the empty line */
static void take_head(int fd, char *text, size_t room)
{
	size_t len = 0;

	do {
		assert_true(len + 1 < room);
		take(fd, text + len, 1);
		text[++len] = 0;
	} while (len < 4 || strcmp(text + len - 4, "\r\n\r\n"));
}

/* A frame of binary data, of which the client's are masked */
static void say_frame(int fd, const char *data, uint8_t len)
{
	uint8_t frame[140] = { 0x82, 0x80 | len, 1, 2, 3, 4 };
	unsigned int i;

	for (i = 0; i < len; i++)
		frame[6 + i] = data[i] ^ frame[2 + i % 4];
	assert_int_equal(send(fd, frame, 6 + len, MSG_NOSIGNAL), 6 + len);
}

static void take_frame(int fd, char *data, uint8_t len)
{
	uint8_t head[2];

	take(fd, head, 2);
	assert_int_equal(head[0], 0x82);
	assert_int_equal(head[1], len);
	take(fd, data, len);
}

/* ---- tests ----------------------------------------------------------------------------- */

static int parse(const char *head, bool open, struct web_request *request)
{
	return web_parse(head, strlen(head), open, request);
}

#define SOCKET "Upgrade: WebSocket\r\n\r\n"

static void requests(void **state)
{
	struct web_request r;

	assert_int_equal(parse("GET / HTTP/1.1\r\n\r\n", true, &r), 0);
	assert_string_equal(r.path, "");
	assert_int_equal(parse("GET /a/b-c_d.js?x=/../ HTTP/1.1\r\n\r\n", true,
			       &r), 0);
	assert_string_equal(r.path, "a/b-c_d.js");
	assert_false(r.socket);
	assert_int_equal(parse("GET /../etc/passwd HTTP/1.1\r\n\r\n", true, &r),
			 404);
	assert_int_equal(parse("GET /a/../../b HTTP/1.1\r\n\r\n", true, &r), 404);
	assert_int_equal(parse("GET //etc/passwd HTTP/1.1\r\n\r\n", true, &r),
			 404);
	assert_int_equal(parse("GET /a%2e HTTP/1.1\r\n\r\n", true, &r), 404);
	assert_int_equal(parse("POST / HTTP/1.1\r\n\r\n", true, &r), 405);
	assert_int_equal(parse("GET ", true, &r), 400);
	assert_int_equal(parse("GET /\r\n", true, &r), 404);
	/* Who may have a WebSocket: this server's own page, and no browser */
	assert_int_equal(parse("GET /x HTTP/1.1\r\nHost: localhost:6080\r\n"
			       "Origin: http://localhost:6080\r\n" SOCKET,
			       true, &r), 0);
	assert_true(r.socket);
	assert_int_equal(parse("GET /x HTTP/1.1\r\nHost: 127.0.0.1:6080\r\n"
			       SOCKET, true, &r), 0);
	assert_int_equal(parse("GET /x HTTP/1.1\r\nhost:[::1]:6080\r\n"
			       "Origin: https://[::1]:6080\r\n" SOCKET, true,
			       &r), 0);
	assert_int_equal(parse("GET /x HTTP/1.1\r\nHost: localhost:6080\r\n"
			       "Origin: http://localhost:60800\r\n" SOCKET,
			       true, &r), 403);
	assert_int_equal(parse("GET /x HTTP/1.1\r\nHost: localhost:6080\r\n"
			       "Origin: null\r\n" SOCKET, true, &r), 403);
	assert_int_equal(parse("GET /x HTTP/1.1\r\n" SOCKET, true, &r), 403);
	/* A name that may have been given to this host just now */
	assert_int_equal(parse("GET /x HTTP/1.1\r\nHost: evil.net:6080\r\n"
			       "Origin: http://evil.net:6080\r\n" SOCKET, true,
			       &r), 403);
	assert_int_equal(parse("GET /x HTTP/1.1\r\nHost: host.net:6080\r\n"
			       "Origin: http://host.net:6080\r\n" SOCKET, false,
			       &r), 0);
	assert_int_equal(web_parse("GET /\0\r\n", 8, true, &r), 400);
}

static void files(void **state)
{
	char answer[1024];
	int fd = dial(), slow = dial();

	get("/", "\r\nLocation: /vnc.html?autoconnect=1");
	get("/vnc.html", "text/html; charset=utf-8\r\nContent-Length: 8\r\n");
	get("/vnc.html?x", "\r\n\r\nthe page");
	get("/none.js", "HTTP/1.1 404 ");
	get("/app", "HTTP/1.1 404 ");
	/* In pieces */
	say(slow, "GET /vnc.html HT");
	get("/vnc.html", "the page");
	say(slow, "TP/1.1\r\n\r");
	get("/vnc.html", "the page");
	say(slow, "\n");
	hear(slow, answer, sizeof(answer));
	assert_non_null(strstr(answer, "the page"));
	close(slow);
	/* One who does not read yet holds up nobody */
	say(fd, "GET /big.js HTTP/1.1\r\n\r\n");
	get("/vnc.html", "the page");
	assert_true(hear(fd, answer, sizeof(answer)) > BIG);
	close(fd);
}

static void websocket(void **state)
{
	char head[1024], bytes[128];
	int fd = open_socket("127.0.0.1:80", "127.0.0.1:80"), other;

	take_head(fd, head, sizeof(head));
	assert_non_null(strstr(head, " 101 "));
	/* The key's answer, as the RFC has it */
	assert_non_null(strstr(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	take_frame(fd, bytes, 12);
	assert_memory_equal(bytes, "RFB 003.", 8);
	say_frame(fd, "RFB 003.008\n", 12);
	take_frame(fd, bytes, 2);
	assert_memory_equal(bytes, "\1\1", 2);
	say_frame(fd, "\1", 1);
	take_frame(fd, bytes, 4);
	say_frame(fd, "\1", 1);
	take_frame(fd, bytes, 28);
	assert_memory_equal(bytes + 24, "mvmm", 4);
	/* A second one; and others are refused */
	other = open_socket("localhost", "localhost");
	take_head(other, head, sizeof(head));
	take_frame(other, bytes, 12);
	close(other);
	other = open_socket("localhost", "evil.net");
	hear(other, head, sizeof(head));
	assert_non_null(strstr(head, "HTTP/1.1 403 "));
	close(other);
	close(fd);
}

static void strangers(void **state)
{
	char answer[512], *junk = malloc(5000);
	int fd[100], i;

	/* Those who say nothing; the browser comes in nevertheless */
	for (i = 0; i < 100; i++)
		fd[i] = dial();
	get("/vnc.html", "the page");
	for (i = 0; i < 100; i++)
		close(fd[i]);
	/* Too long, half a request, and none */
	memset(junk, 'x', 4999);
	junk[4999] = 0;
	fd[0] = dial();
	send(fd[0], junk, 4999, MSG_NOSIGNAL);
	recv(fd[0], answer, 1, 0);
	close(fd[0]);
	fd[0] = dial();
	say(fd[0], "GET /");
	shutdown(fd[0], SHUT_WR);
	hear(fd[0], answer, sizeof(answer));
	assert_string_equal(answer, "");
	close(fd[0]);
	fd[0] = dial();
	say(fd[0], "PUT /vnc.html HTTP/1.1\r\n\r\n");
	hear(fd[0], answer, sizeof(answer));
	assert_non_null(strstr(answer, "HTTP/1.1 405 "));
	close(fd[0]);
	/* Frames that are none */
	fd[0] = open_socket("localhost", "localhost");
	take_head(fd[0], junk, 5000);
	take_frame(fd[0], answer, 12);
	send(fd[0], "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0RFB", 17,
	     MSG_NOSIGNAL);
	get("/vnc.html", "the page");
	close(fd[0]);
	free(junk);
}

/* Where it may listen; and VNC's own address has no WebSockets */
static void addresses(void **state)
{
	struct vnc_config both = { .address = "127.0.0.1:0",
				   .web = "127.0.0.1:0", .root = "/nowhere" };
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	char file[64], text[256];
	int fd;

	vnc_stop(server);
	assert_int_equal(start("0.0.0.0:0", NULL), -1);
	assert_non_null(strstr(error.text, "password-file"));
	assert_null(vnc_start(&m, &both, &error));
	assert_non_null(strstr(error.text, "novnc"));
	snprintf(file, sizeof(file), "%s/vnc.html", directory);
	/* "the page" is the password */
	assert_int_equal(start("0.0.0.0:0", file), 0);
	fd = open_socket("somewhere.net", "somewhere.net");
	take_head(fd, text, sizeof(text));
	take_frame(fd, text, 12);
	say_frame(fd, "RFB 003.008\n", 12);
	take_frame(fd, text, 2);
	assert_memory_equal(text, "\1\2", 2);
	close(fd);
	vnc_stop(server);
	/* A port that is free */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	at = (struct sockaddr_in){ .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	close(fd);
	port = ntohs(at.sin_port);
	snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	both = (struct vnc_config){ .address = text };
	server = vnc_start(&m, &both, &error);
	assert_non_null(server);
	fd = open_socket("127.0.0.1", "evil.net");
	/* The library says its version, and that is all */
	assert_true(hear(fd, text, sizeof(text)) < 256);
	close(fd);
}

/* ---- for a real browser ---------------------------------------------------------------- */

static void vbe(unsigned int index, uint16_t value)
{
	outs(0x1ce, index, 2);
	outs(0x1cf, value, 2);
}

/* The first 64 KiB, which are some 25 rows */
static void paint(uint32_t pixel)
{
	uint32_t at;

	for (at = 0; at < 0x10000; at += 4)
		bus_access(&m.mmio, 0xa0000 + at, &pixel, 4, true);
}

static _Atomic uint32_t colour = 0x123456;

/* Keys are printed, and each that goes down makes it another colour */
static void print(struct device *device, const struct input_report *e)
{
	if (e->type != EV_KEY)
		return;
	printf("%u=%d\n", e->code, e->value);
	if (e->value)
		colour = e->code << 16 | 0x80;
}

/* Until stdin ends */
static int serve(void)
{
	static struct device keyboard = { .machine = &m };
	static struct input input = { &keyboard, INPUT_KEYS | INPUT_BUTTONS |
				      INPUT_RELATIVE, print, NULL, NULL };
	struct vnc_config config = { .web = "127.0.0.1:0" };
	struct pollfd p = { STDIN_FILENO, POLLIN, 0 };

	if (bare_screen())
		return 1;
	setlinebuf(stdout);
	input_register(&input);
	vbe(1, 640);
	vbe(2, 480);
	vbe(3, 32);
	vbe(4, 1);
	outb(0x3c0, 0x20);
	server = vnc_start(&m, &config, &error);
	if (!server) {
		puts(error.text);
		return 1;
	}
	printf("http://127.0.0.1:%u/\n", vnc_web_port(server));
	do
		paint(colour);
	while (!poll(&p, 1, 100));
	return teardown(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test_setup_teardown(files, setup, teardown),
		cmocka_unit_test_setup_teardown(websocket, setup, teardown),
		cmocka_unit_test_setup_teardown(strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
	};
	char path[64];
	int failed;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		return serve();
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/app", directory);
	mkdir(path, 0700);
	put("vnc.html", 0);
	put("big.js", BIG);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof(path), "rm -r %s", directory);
	return system(path) ? 1 : failed;
}
#else
int main(void)
{
	puts("1..0 # SKIP built without libvncserver");
	return 0;
}
#endif
