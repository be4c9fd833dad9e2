// SPDX-License-Identifier: GPL-2.0
/*
 * A listening UNIX socket: one peer at a time, others wait until it has gone and
 * the guest has read what it sent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/listen.h"
#include "char/stream.h"

/**
 * struct unix_socket - see above
 * @listener: the watch of the socket that listens
 */
struct unix_socket {
	struct stream stream;
	struct watch listener;
};

static int listen_again(struct stream *s)
{
	struct unix_socket *u = (struct unix_socket *)s;

	return loop_watch(s->loop, &u->listener, EPOLLIN);
}

static void on_peer(void *ctx, uint32_t events)
{
	struct unix_socket *u = ctx;
	struct stream *s = &u->stream;
	int fd = accept4(u->listener.fd, NULL, NULL,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	/* It has gone already */
	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
		return;
	loop_watch(s->loop, &u->listener, 0);
	if (fd < 0)
		dprintf(STDERR_FILENO,
			"\r\nmvmm run: nobody can connect to %s any more: %s\r\n",
			s->path, strerror(errno));
	else
		stream_use(s, fd);
}

static void unix_lost(struct stream *s, int error)
{
	listen_again(s);
}

static void unix_close(struct stream *s)
{
	struct unix_socket *u = (struct unix_socket *)s;

	if (s->loop)
		loop_watch(s->loop, &u->listener, 0);
	if (u->listener.fd >= 0)
		unlink(s->path);
	close_fd(&u->listener.fd);
}

struct stream *stream_unix(const char *path, struct error *error)
{
	static const struct stream_ops ops = { .start = listen_again,
					       .lost = unix_lost,
					       .close = unix_close };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct unix_socket *u;

	if (strlen(path) >= sizeof(address.sun_path)) {
		fail(error, STATUS_USAGE,
		     "--port: a socket's name has at most %zu bytes: %s",
		     sizeof(address.sun_path) - 1, path);
		return NULL;
	}
	strcpy(address.sun_path, path);
	u = (struct unix_socket *)stream_new(sizeof(*u), &ops, path);
	if (!u) {
		fail(error, STATUS_OS, "--port: no memory");
		return NULL;
	}
	u->stream.reads = true;
	u->listener = (struct watch){ on_peer, u, listen_unix(&address), 0 };
	if (u->listener.fd >= 0)
		return &u->stream;
	fail(error, errno == EACCES ? STATUS_PERMISSION : STATUS_OS,
	     "--port: cannot listen at %s: %s", path, strerror(errno));
	stream_close(&u->stream);
	return NULL;
}
