/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A port on a stream socket: a frame's length in four bytes, the highest first,
 * and the frame; as QEMU's -netdev stream and passt have it.
 */
#ifndef MVMM_NET_STREAM_H
#define MVMM_NET_STREAM_H

#include <sys/socket.h>
#include "net/net.h"

/* What was read, of which the last frame may not be whole; a power of two */
#define STREAM_IN	(256u << 10)

/**
 * struct stream_port - see above
 * @watch: of the connection, -1: there is none
 * @listener: of the socket that listens, -1: it connects
 * @again: it tries to connect, or to accept
 * @lost: the connection is gone; error: a positive errno, 0: it has ended
 * @address: where
 * @address_len: of it
 * @text: the same for messages
 * @connecting: it has not connected yet
 * @was_told: the user knows that there is no connection
 * @waits: the peer does not take the next frame of @in
 * @at: of @in: the next one
 * @end: of what was read
 * @rest: the end of a frame that was sent in part
 * @rest_at: what of it is sent
 * @rest_len: its length, 0: there is none
 * @rest_frame: the whole frame's
 */
struct stream_port {
	struct port port;
	struct watch watch, listener;
	struct timer again;
	void (*lost)(struct stream_port *stream, int error);
	struct sockaddr_storage address;
	socklen_t address_len;
	char *text;
	bool connecting, was_told, waits;
	size_t at, end;
	uint8_t in[STREAM_IN];
	uint8_t rest[FRAME_MAX + 4];
	size_t rest_at, rest_len, rest_frame;
};

/*
 * In place of malloc(): @size bytes that begin with one, of a port without
 * connection. NULL: no memory
 */
struct stream_port *stream_port_new(size_t size, const struct port_ops *ops,
				    const char *text);
/* Not blocking; the loop's lock is held, and it was started */
int stream_port_use(struct stream_port *stream, int fd);
/* For the operations of a port of that kind */
bool stream_receive(struct port *port, const struct frame *frame);
void stream_ready(struct port *port);
/* Ends the connection, and frees it */
void stream_free(struct stream_port *stream);

#endif
