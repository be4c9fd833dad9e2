// SPDX-License-Identifier: GPL-2.0
/*
 * What a frame of 64 bytes costs from one ring to another, by a switch that runs:
 * two of its ports are this process's, as a guest's NIC has one. Prints the row
 * switch_frame, in ticks of the whole machine for a frame: into a ring, through the
 * switch, and out of the other ring.
 *
 *   frames NAME     of a switch
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>
#include "net/net.h"

#define LEN	64
#define BURST	1024	/* both are busy: no system call for each */
#define BURSTS	100

static struct error error;
static struct vm_clock vm_clock;
static struct loop loop;

/**
 * struct end - in the place of a NIC
 * @net: the switch's port
 * @got: frames
 */
static struct end {
	struct port port;
	struct port *net;
	unsigned int got;
} end[2];

static void die(const char *what)
{
	printf("# frames: %s\n", what);
	exit(1);
}

static bool receive(struct port *port, const struct frame *frame)
{
	struct end *e = (struct end *)port;
	uint8_t bytes[LEN];

	if (frame_peek(frame, bytes, LEN) == LEN && frame->len == LEN)
		e->got++;
	port_sent(port, frame);
	return true;
}

static void open_end(struct end *e, const char *name, unsigned int number)
{
	static const struct port_ops ops = { .receive = receive };
	struct net_config config;
	char text[64];

	snprintf(text, sizeof(text), "switch=%s,mac=02:00:00:00:00:%02x",
		 name, number);
	e->port = (struct port){ .ops = &ops, .loop = &loop, .link = true,
				 .name = "end" };
	if (net_parse(&config, text, &error) ||
	    !(e->net = net_open(&config, &error)))
		die(error.text);
	port_connect(&e->port, e->net);
	if (net_start(e->net, &loop, &error))
		die(error.text);
}

static unsigned int wanted;

static bool has_come(void *ctx)
{
	return end[1].got == wanted;
}

/* All of a burst, before the next one: none is lost */
static void send_burst(struct end *from, unsigned int nr)
{
	static uint8_t bytes[LEN];
	const struct iovec iov = { bytes, LEN };
	const struct frame frame = { { 0 }, &iov, 1, LEN };

	memcpy(bytes, end[from == end].net->mac, MAC_LEN);
	memcpy(bytes + MAC_LEN, from->net->mac, MAC_LEN);
	memcpy(bytes + 2 * MAC_LEN, "\x88\xb5", 2);
	pthread_mutex_lock(&loop.lock);
	while (nr--)
		if (!port_send(&from->port, &frame))
			die("a ring is full");
	port_flush(&from->port);
	pthread_mutex_unlock(&loop.lock);
}

static bool first_has_it(void *ctx)
{
	return end[0].got;
}

int main(int argc, char **argv)
{
	unsigned int i;
	uint64_t ticks;

	vm_clock_init(&vm_clock, 0);
	vm_clock_start(&vm_clock);
	if (argc != 2 || loop_init(&loop, &vm_clock))
		die("usage: frames NAME");
	open_end(&end[0], argv[1], 1);
	open_end(&end[1], argv[1], 2);
	/* The switch learns where both are */
	send_burst(&end[1], 1);
	loop_run(&loop, first_has_it, NULL);
	send_burst(&end[0], wanted = BURST);
	loop_run(&loop, has_come, NULL);
	ticks = __rdtsc();
	for (i = 0; i < BURSTS; i++) {
		wanted += BURST;
		send_burst(&end[0], BURST);
		loop_run(&loop, has_come, NULL);
	}
	ticks = __rdtsc() - ticks;
	printf("switch_frame ticks %.1f\n", (double)ticks / (BURST * BURSTS));
	return 0;
}
