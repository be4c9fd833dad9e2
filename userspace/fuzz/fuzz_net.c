// SPDX-License-Identifier: GPL-2.0
/*
 * The other end of a stream of frames, which sends and reads at will, while the
 * guest's side takes frames, or none, and sends; frames that leave things to do; and
 * what a user writes behind --net. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>
#include "net/stream.h"
#include "tests/loop_round.h"
#include "tests/played_port.h"

static struct vm_clock vm_clock;
static struct loop loop;

static void on_lost(struct stream_port *s, int error)
{
}

static void put(int fd, const void *bytes, size_t len)
{
	if (send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

/* What is done, one after another; some with bytes behind it */
struct step {
	uint8_t what;
	uint16_t len;
} __attribute__((packed));

/* Returns how many of the @left bytes it took */
static size_t do_step(struct step s, int fd, const uint8_t *data, size_t left)
{
	static uint8_t bytes[FRAME_MAX];
	uint32_t head = htonl(s.len);

	switch (s.what % 6) {
	case 0:
		left = s.len < left ? s.len : left;
		put(fd, data, left);
		return left;
	case 1:
		put(fd, &head, sizeof(head));
		put(fd, bytes, s.len);
		break;
	case 2:
		played.full = !played.full;
		if (!played.full)
			port_ready(&played.port);
		break;
	case 3:
		played_send_frame(bytes, FRAME_MIN + s.len, NULL);
		break;
	case 4:
		if (recv(fd, bytes, s.len, MSG_DONTWAIT) < 0)
			break;
		break;
	default:
		shutdown(fd, s.len & 1 ? SHUT_RD : SHUT_WR);
		break;
	}
	return 0;
}

static void check(const struct port *port)
{
	if (!adds_up(port))
		abort();
}

static void use_stream(const uint8_t *data, size_t left)
{
	static const struct port_ops ops = { .receive = stream_receive,
					     .ready = stream_ready };
	struct stream_port *stream = stream_port_new(sizeof(*stream), &ops,
						     "fuzz");
	struct step step;
	size_t n;
	int fd[2];

	if (!stream || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
		abort();
	stream->lost = on_lost;
	stream->port.loop = &loop;
	played_init(&loop);
	port_connect(&played.port, &stream->port);
	if (stream_port_use(stream, fd[0]))
		abort();
	while (left >= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		left -= sizeof(step);
		n = do_step(step, fd[1], data, left);
		data += n;
		left -= n;
		run_once(&loop);
		check(&stream->port);
		check(&played.port);
	}
	port_disconnect(&played.port);
	stream_free(stream);
	close(fd[1]);
}

/* Each is no longer than what it comes from, and leaves nothing undone */
static bool take_finished(void *ctx, const struct frame *frame, unsigned int nr)
{
	if (frame->len > *(size_t *)ctx || frame->header.flags ||
	    frame->header.gso_type)
		abort();
	return true;
}

static void finish_frame(const uint8_t *data, size_t size)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame frame = { .niov = 1 };
	struct iovec iov = { bytes, 0 };

	if (size < sizeof(frame.header) + 2)
		return;
	memcpy(&frame.header, data, sizeof(frame.header));
	data += sizeof(frame.header);
	size -= sizeof(frame.header);
	/* Of what length, and how it begins: the rest is of an earlier one */
	frame.len = iov.iov_len = FRAME_MIN + (data[0] << 8 | data[1]);
	memcpy(bytes, data, size < frame.len ? size : frame.len);
	frame.iov = &iov;
	if (frame_check(&frame, PORT_ALL))
		offload_finish(&frame, take_finished, &frame.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct net_config config;
	struct error error = { 0 };

	if (!text)
		return 0;
	/* Cuts it into pieces */
	if (net_parse(&config, text, &error) && !error.text[0])
		abort();
	free(text);
	vm_clock_init(&vm_clock, 0);
	vm_clock_start(&vm_clock);
	if (loop_init(&loop, &vm_clock))
		abort();
	use_stream(data, size);
	finish_frame(data, size);
	loop_destroy(&loop);
	return 0;
}
