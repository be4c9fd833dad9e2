// SPDX-License-Identifier: GPL-2.0
/*
 * A VNC viewer that looks at all changes, as fast as they come, and shows them to
 * nobody (RFC 6143): raw pixels, no password.
 *
 *   viewer PORT	at 127.0.0.1, until the server ends
 *   viewer PORT keys	types, and reads on stdin what the guest answers, a byte for each
 *			press and release; prints the median of the ticks that takes
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#define EVENTS	200

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

static void press(uint8_t key, bool down)
{
	const uint8_t event[8] = { 4, down, 0, 0, 0, 0, 0, key };

	say(event, sizeof(event));
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void keys(void)
{
	static uint64_t ticks[EVENTS];
	unsigned int i;

	/* What the guest says first ends its line */
	while (getchar() != '\n')
		if (feof(stdin))
			exit(1);
	for (i = 0; i < EVENTS; i++) {
		/* A keyboard's wire, or what stands for it, is free again */
		usleep(20000);
		ticks[i] = __rdtsc();
		press('a', !(i & 1));
		if (getchar() == EOF)
			exit(1);
		ticks[i] = __rdtsc() - ticks[i];
	}
	qsort(ticks, EVENTS, sizeof(*ticks), by_size);
	printf("key_to_guest ticks %llu\n",
	       (unsigned long long)ticks[EVENTS / 2]);
	press('q', true);
	/* It has come when the guest has ended */
	while (getchar() != EOF)
		;
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
	if (argc > 2) {
		keys();
		return 0;
	}
	for (;;)
		look();
}
