// SPDX-License-Identifier: GPL-2.0
/* See stream.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "char/stream.h"

static void update(struct stream *s)
{
	uint32_t events = (s->wants_in ? EPOLLIN : 0) |
			  (s->wants_out ? EPOLLOUT : 0);

	/* A file cannot be waited for, and need not be */
	if (s->loop && s->watch.fd >= 0)
		loop_watch(s->loop, &s->watch, events);
}

void stream_use(struct stream *s, int fd)
{
	s->wants_in = s->wants_out = false;
	update(s);
	s->watch.fd = fd;
	s->chardev.is_open = fd >= 0;
	s->wants_in = s->reads;
	update(s);
	if (s->chardev.ctx && s->chardev.changed)
		s->chardev.changed(s->chardev.ctx);
}

static void lose(struct stream *s, int error)
{
	int fd = s->watch.fd;

	stream_use(s, -1);
	close(fd);
	s->ops->lost(s, error);
}

/* Until all are written, or the other end has no room */
static size_t put(struct chardev *chardev, const uint8_t *bytes, size_t len)
{
	struct stream *s = (struct stream *)chardev;
	size_t done = 0;

	while (done < len && s->chardev.is_open) {
		ssize_t n = write(s->watch.fd, bytes + done, len - done);

		if (n >= 0) {
			done += n;
		} else if (errno == EAGAIN) {
			s->wants_out = true;
			update(s);
			return done;
		} else if (errno != EINTR) {
			lose(s, errno);
		}
	}
	return len;
}

static size_t take(struct chardev *chardev, uint8_t *bytes, size_t len)
{
	struct stream *s = (struct stream *)chardev;
	ssize_t n;

	if (!s->chardev.is_open || !s->reads || !len)
		return 0;
	do {
		n = read(s->watch.fd, bytes, len);
	} while (n < 0 && errno == EINTR);
	if (!n || (n < 0 && errno != EAGAIN)) {
		lose(s, n ? errno : 0);
		return 0;
	}
	n = n < 0 ? 0 : n;
	if ((size_t)n < len) {
		s->wants_in = true;
		update(s);
	}
	return n;
}

static bool is_flushed(struct chardev *chardev)
{
	return true;
}

/* It is told once: what the guest does not take must not keep the loop busy */
static void on_event(void *ctx, uint32_t events)
{
	struct stream *s = ctx;
	bool gone = events & (EPOLLHUP | EPOLLERR);
	bool in = s->wants_in && (gone || events & EPOLLIN);
	bool out = s->wants_out && (gone || events & EPOLLOUT);

	s->wants_in = s->wants_in && !in;
	s->wants_out = s->wants_out && !out;
	update(s);
	if (in && s->chardev.ctx)
		s->chardev.readable(s->chardev.ctx);
	if (out && s->chardev.ctx)
		s->chardev.writable(s->chardev.ctx);
}

struct stream *stream_new(size_t size, const struct stream_ops *ops,
			  const char *path)
{
	static const struct chardev_ops chardev = {
		.put = put, .take = take, .is_flushed = is_flushed };
	struct stream *s = calloc(1, size);

	if (!s)
		return NULL;
	s->chardev.ops = &chardev;
	s->ops = ops;
	s->watch = (struct watch){ on_event, s, -1, 0 };
	s->path = strdup(path);
	if (s->path)
		return s;
	free(s);
	return NULL;
}

int stream_start(struct stream *s, struct loop *loop, struct error *error)
{
	int ret;

	pthread_mutex_lock(&loop->lock);
	s->loop = loop;
	update(s);
	ret = s->ops->start ? s->ops->start(s) : 0;
	pthread_mutex_unlock(&loop->lock);
	return ret ? fail(error, STATUS_OS, "--port: cannot wait for %s: %s",
			  s->path, strerror(-ret)) : 0;
}

void stream_close(struct stream *s)
{
	struct loop *loop = s ? s->loop : NULL;
	int fd;

	if (!s)
		return;
	if (loop)
		pthread_mutex_lock(&loop->lock);
	fd = s->watch.fd;
	stream_use(s, -1);
	close_fd(&fd);
	s->ops->close(s);
	if (loop)
		pthread_mutex_unlock(&loop->lock);
	free(s->path);
	free(s);
}
