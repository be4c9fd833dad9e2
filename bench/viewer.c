// SPDX-License-Identifier: GPL-2.0
/*
 * A VNC viewer that looks at all changes, as fast as they come, and shows them to
 * nobody (RFC 6143): raw pixels, no password.
 *
 *   viewer PORT	at 127.0.0.1, until the server ends
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int server;
static uint8_t bytes[1 << 16];

static void take(size_t len)
{
	while (len) {
		size_t n = len < sizeof(bytes) ? len : sizeof(bytes);

		if (recv(server, bytes, n, MSG_WAITALL) != (ssize_t)n)
			exit(0);
		len -= n;
	}
}

static void say(const void *what, size_t len)
{
	if (send(server, what, len, MSG_NOSIGNAL) != (ssize_t)len)
		exit(0);
}

static unsigned int number(unsigned int at)
{
	return bytes[at] << 8 | bytes[at + 1];
}

/* Its version, that there is no password, that others may look, too */
static void come_in(void)
{
	static const uint8_t raw[] = { 2, 0, 0, 2, 0, 0, 0, 0,
				       0xff, 0xff, 0xff, 0x21 };

	take(12);
	say("RFB 003.008\n", 12);
	take(1);
	take(bytes[0]);
	say("\1", 1);
	take(4);
	say("\1", 1);
	take(24);
	take(number(22));
	say(raw, sizeof(raw));
}

/* A change: rectangles, of which some only say that the size is another */
static void look(void)
{
	static uint8_t ask[10] = { 3, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
	unsigned int n;

	say(ask, sizeof(ask));
	ask[1] = 1;
	take(4);
	for (n = number(2); n; n--) {
		take(12);
		if (!memcmp(bytes + 8, "\xff\xff\xff\x21", 4))
			ask[1] = 0;
		else
			take(4ul * number(4) * number(6));
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	unsigned int tries;

	for (tries = 0; tries < 600; tries++) {
		server = socket(AF_INET, SOCK_STREAM, 0);
		if (server < 0)
			return 1;
		if (!connect(server, (struct sockaddr *)&to, sizeof(to)))
			break;
		close(server);
		usleep(100000);
	}
	come_in();
	for (;;)
		look();
}
