// SPDX-License-Identifier: GPL-2.0
/*
 * Guests of a switch that say anything at its door, and write anything into the
 * memory that they share with it. What it counts adds up, and those who keep to the
 * protocol get on. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/switch/ring_port.h"
#include "net/switch/server.h"
#include "tests/loop_round.h"
#include "tests/played_port.h"

#define GUESTS	4
#define MEMORY	(4096 + 2 * RING_BYTES)

/**
 * struct guest - a socket, and its memory, if it has got so far
 */
static struct guest {
	int fd;
	uint8_t *memory;
	struct ring in, out;
} guests[GUESTS];

static struct switch_server *server;
static char directory[] = "/tmp/mvmm-fuzz.XXXXXX";

static void end(void)
{
	switch_end(server);
	if (!chdir(directory)) {
		rmdir("mvmm/switch");
		rmdir("mvmm");
		rmdir(directory);
	}
}

static void begin(void)
{
	struct error error;

	if (!mkdtemp(directory) || setenv("XDG_RUNTIME_DIR", directory, 1))
		abort();
	server = switch_start("fuzz", &error);
	if (!server)
		abort();
	atexit(end);
}

static void leave(struct guest *g)
{
	if (g->memory)
		munmap(g->memory, MEMORY);
	close_fd(&g->fd);
	*g = (struct guest){ .fd = -1 };
}

static void come(struct guest *g)
{
	int fd[2];

	leave(g);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
		abort();
	newcomer_admit(server, fd[0]);
	g->fd = fd[1];
}

static void say(struct guest *g, const void *bytes, size_t len)
{
	if (g->fd >= 0 && send(g->fd, bytes, len, MSG_NOSIGNAL) < 0)
		return;
}

static void take_memory(struct guest *g)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct ring_welcome w;
	struct iovec iov = { &w, sizeof(w) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	int memory;

	if (recvmsg(g->fd, &m, 0) != sizeof(w) || w.status)
		return;
	memcpy(&memory, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(memory));
	g->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED,
			 memory, 0);
	close(memory);
	if (g->memory == MAP_FAILED)
		abort();
	g->out = (struct ring){ (struct ring_words *)g->memory,
				g->memory + 4096, 0, 0 };
	g->in = (struct ring){ (struct ring_words *)g->memory + 1,
			       g->memory + 4096 + RING_BYTES, 0, 0 };
}

static void join(struct guest *g, const uint8_t *data, size_t len)
{
	struct ring_hello hello = { .magic = RING_MAGIC,
		.mac = { 2, 0, 0, 0, 0, g - guests } };

	come(g);
	memcpy(hello.options, data, len < sizeof(hello.options) ? len :
	       sizeof(hello.options));
	say(g, &hello, sizeof(hello));
	run_once(&server->loop);
	take_memory(g);
}

/* Where, in the memory, and what */
static void scribble(struct guest *g, const uint8_t *data, size_t len)
{
	uint32_t at;

	if (!g->memory || len < sizeof(at))
		return;
	memcpy(&at, data, sizeof(at));
	/* Most often the words, and what is at the rings' beginnings */
	at = at & 1 ? at >> 1 & 127 : at & 2 ? 4096 + (at >> 2 & 127) :
	     at >> 2 & (MEMORY - 1);
	len -= sizeof(at);
	if (at > MEMORY - len)
		at = MEMORY - len;
	memcpy(g->memory + at, data + sizeof(at), len);
}

static void put_frame(struct guest *g, const uint8_t *data, size_t len)
{
	const struct iovec iov = { (void *)data, len };
	const struct frame frame = { .iov = &iov, .niov = 1, .len = len };

	if (g->memory && len >= FRAME_MIN)
		ring_put(&g->out, &frame);
}

static void take_frames(struct guest *g)
{
	struct iovec iov[RING_PIECES];
	struct frame frame;

	while (g->memory && ring_get(&g->in, iov, &frame) == RING_DONE)
		ring_next(&g->in, &frame);
}

struct step {
	uint8_t what, which, len;
};

static void do_step(struct step s, const uint8_t *data)
{
	struct guest *g = &guests[s.which % GUESTS];

	switch (s.what % 8) {
	case 0:
		come(g);
		break;
	case 1:
		say(g, data, s.len);
		break;
	case 2:
		join(g, data, s.len);
		break;
	case 3:
		scribble(g, data, s.len);
		say(g, "", 1);
		break;
	case 4:
		take_frames(g);
		say(g, "", 1);
		break;
	case 5:
		leave(g);
		break;
	default:
		put_frame(g, data, s.len);
		say(g, "", 1);
		break;
	}
}

static void check(void)
{
	unsigned int i;

	for (i = 0; i < SWITCH_PORTS; i++) {
		const struct member *m = &server->member[i];

		if (m->plug && !adds_up(&m->plug->port))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;
	unsigned int i;

	if (!server)
		begin();
	for (i = 0; i < GUESTS; i++)
		guests[i] = (struct guest){ .fd = -1 };
	/* One that could be harmed */
	join(&guests[0], (const uint8_t *)"name=x", 6);
	while (size >= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		if (step.len > size)
			step.len = size;
		do_step(step, data);
		data += step.len;
		size -= step.len;
		run_once(&server->loop);
		check();
	}
	for (i = 0; i < GUESTS; i++)
		leave(&guests[i]);
	/* Their ends are seen, and then they are closed */
	for (i = 0; i < 3; i++)
		run_once(&server->loop);
	if (server->sw.used)
		abort();
	return 0;
}
