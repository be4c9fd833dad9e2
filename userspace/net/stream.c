// SPDX-License-Identifier: GPL-2.0
/* See stream.h; and --net stream, which connects, or waits for somebody. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/listen.h"
#include "net/stream.h"

#define HEAD		4
#define RETRY_NS	1000000000ull
/* Buffers of a frame, and its length */
#define PIECES		160
/* At a time: then the loop's others come first */
#define READS		4

static void update(struct stream_port *s)
{
	if (s->watch.fd >= 0)
		loop_watch(s->port.loop, &s->watch,
			   s->connecting ? EPOLLOUT :
			   (s->waits ? 0 : EPOLLIN) |
			   (s->rest_len ? EPOLLOUT : 0));
}

/* The connection is gone */
static void lose(struct stream_port *s, int error)
{
	if (s->rest_len)
		port_refuse(&s->port.from_peer, DROP_LOST);
	loop_watch(s->port.loop, &s->watch, 0);
	close_fd(&s->watch.fd);
	s->connecting = s->waits = false;
	s->at = s->end = s->rest_len = 0;
	port_set_link(&s->port, false);
	s->lost(s, error);
}

/* ---- to the other end ----------------------------------------------------- */

/* Of pieces that were sent in part, copies what was not */
static void keep_rest(struct stream_port *s, const struct iovec *iov,
		      unsigned int n, size_t done)
{
	s->rest_at = s->rest_len = 0;
	for (; n; n--, iov++) {
		size_t skip = done < iov->iov_len ? done : iov->iov_len;

		memcpy(s->rest + s->rest_len,
		       (const uint8_t *)iov->iov_base + skip,
		       iov->iov_len - skip);
		s->rest_len += iov->iov_len - skip;
		done -= skip;
	}
	update(s);
}

static ssize_t put(struct stream_port *s, struct iovec *iov, unsigned int n)
{
	const struct msghdr message = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t done;

	do {
		done = sendmsg(s->watch.fd, &message, MSG_NOSIGNAL);
	} while (done < 0 && errno == EINTR);
	return done < 0 && errno == EAGAIN ? 0 : done;
}

bool stream_receive(struct port *port, const struct frame *frame)
{
	struct stream_port *s = (struct stream_port *)port;
	uint32_t len = htonl(frame->len);
	struct iovec iov[PIECES] = { { &len, HEAD } };
	unsigned int n = 1 + frame->niov;
	ssize_t done;

	if (s->rest_len)
		return false;
	if (n > PIECES || frame->len > FRAME_MAX) {
		port_drop(&port->from_peer, DROP_LENGTH);
		return true;
	}
	memcpy(iov + 1, frame->iov, frame->niov * sizeof(*iov));
	done = put(s, iov, n);
	if (done < 0) {
		port_drop(&port->from_peer, DROP_LOST);
		lose(s, errno);
	} else if ((size_t)done == HEAD + frame->len) {
		port_sent(port, frame);
	} else {
		s->rest_frame = frame->len;
		keep_rest(s, iov, n, done);
		/* It waits, and is counted when it does not any more */
		port->from_peer.in--;
	}
	return true;
}

static void send_rest(struct stream_port *s)
{
	struct iovec iov = { s->rest + s->rest_at, s->rest_len - s->rest_at };
	const struct frame frame = { .len = s->rest_frame };
	ssize_t done = put(s, &iov, 1);

	if (done < 0) {
		lose(s, errno);
		return;
	}
	s->rest_at += done;
	if (s->rest_at < s->rest_len)
		return;
	s->rest_len = 0;
	update(s);
	s->port.from_peer.in++;
	port_sent(&s->port, &frame);
	port_ready(&s->port);
}

/* ---- from there ----------------------------------------------------------- */

/* What is whole goes to the peer. False: this is no stream of frames */
static bool pass_on(struct stream_port *s)
{
	while (!s->waits && s->end - s->at >= HEAD) {
		struct iovec iov = { s->in + s->at + HEAD, 0 };
		struct frame frame = { .iov = &iov, .niov = 1 };
		uint32_t len;

		memcpy(&len, s->in + s->at, HEAD);
		frame.len = iov.iov_len = ntohl(len);
		if (!frame.len || frame.len > FRAME_MAX)
			return false;
		if (s->end - s->at - HEAD < frame.len)
			break;
		if (frame.len < FRAME_MIN)
			port_refuse(&s->port.to_peer, DROP_LENGTH);
		else
			s->waits = !port_send(&s->port, &frame);
		/* The peer's answer may have ended the connection */
		if (s->watch.fd < 0)
			return true;
		if (!s->waits)
			s->at += HEAD + frame.len;
	}
	port_flush(&s->port);
	if (s->watch.fd < 0)
		return true;
	memmove(s->in, s->in + s->at, s->end - s->at);
	s->end -= s->at;
	s->at = 0;
	update(s);
	return true;
}

static void read_frames(struct stream_port *s)
{
	unsigned int i;
	ssize_t n;

	for (i = 0; i < READS && !s->waits && s->watch.fd >= 0; i++) {
		/* There is room: all that was whole is gone */
		n = read(s->watch.fd, s->in + s->end, STREAM_IN - s->end);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			lose(s, n ? errno : 0);
			return;
		}
		s->end += n;
		if (!pass_on(s)) {
			lose(s, EPROTO);
			return;
		}
	}
}

void stream_ready(struct port *port)
{
	struct stream_port *s = (struct stream_port *)port;

	if (!s->waits)
		return;
	s->waits = false;
	if (!pass_on(s))
		lose(s, EPROTO);
}

/* ---- a connection --------------------------------------------------------- */

static void connected(struct stream_port *s)
{
	if (s->was_told)
		dprintf(STDERR_FILENO, "\r\nmvmm: --net %s is connected\r\n",
			s->text);
	s->connecting = s->was_told = false;
	update(s);
	port_set_link(&s->port, true);
}

static void on_event(void *ctx, uint32_t events)
{
	struct stream_port *s = ctx;
	socklen_t len = sizeof(int);
	int error = 0;

	if (s->connecting) {
		getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error)
			lose(s, error);
		else
			connected(s);
		return;
	}
	if (s->rest_len && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		send_rest(s);
	/* An end is found by reading, unless the peer has to take more before */
	if (s->watch.fd >= 0 && s->waits && events & (EPOLLERR | EPOLLHUP))
		lose(s, 0);
	else if (s->watch.fd >= 0 && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		read_frames(s);
}

int stream_port_use(struct stream_port *s, int fd)
{
	int ret;

	s->watch.fd = fd;
	ret = loop_watch(s->port.loop, &s->watch, EPOLLIN);
	if (ret)
		close_fd(&s->watch.fd);
	else
		connected(s);
	return ret;
}

struct stream_port *stream_port_new(size_t size, const struct port_ops *ops,
				    const char *text)
{
	struct stream_port *s = calloc(1, size);

	if (!s)
		return NULL;
	s->port.ops = ops;
	s->text = strdup(text);
	s->port.name = s->text;
	s->watch = (struct watch){ on_event, s, -1, 0 };
	s->listener.fd = -1;
	if (s->text)
		return s;
	free(s);
	return NULL;
}

void stream_free(struct stream_port *s)
{
	struct loop *loop = s->port.loop;

	if (loop) {
		loop_watch(loop, &s->watch, 0);
		loop_watch(loop, &s->listener, 0);
		loop_set_timer(loop, &s->again, 0);
	}
	close_fd(&s->watch.fd);
	close_fd(&s->listener.fd);
	free(s->text);
	free(s);
}

/* ---- --net stream --------------------------------------------------------- */

static void retry_later(struct stream_port *s)
{
	struct loop *loop = s->port.loop;

	loop_set_timer(loop, &s->again, vm_clock_now(loop->clock) + RETRY_NS);
}

static void on_lost(struct stream_port *s, int error)
{
	if (!s->was_told)
		dprintf(STDERR_FILENO,
			"\r\nmvmm: --net %s has no connection: %s: %s\r\n",
			s->text, error ? strerror(error) : "the other end has gone",
			s->listener.fd < 0 ? "trying again each second" :
					     "waiting for another one");
	s->was_told = true;
	/* A server waits, too: others are not to fill the user's disk with this */
	retry_later(s);
}

static int new_socket(const struct stream_port *s)
{
	int family = s->address.ss_family, one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* Small frames do not wait for others */
	if (fd >= 0 && family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void try_connect(void *ctx)
{
	struct stream_port *s = ctx;
	int fd = new_socket(s);

	if (fd < 0) {
		on_lost(s, errno);
		return;
	}
	s->watch.fd = fd;
	if (!connect(fd, (const struct sockaddr *)&s->address,
		     s->address_len)) {
		if (loop_watch(s->port.loop, &s->watch, EPOLLIN))
			lose(s, ENOMEM);
		else
			connected(s);
	} else if (errno == EINPROGRESS) {
		s->connecting = true;
		update(s);
	} else {
		lose(s, errno);
	}
}

/* One at a time: others wait */
static void on_other(void *ctx, uint32_t events)
{
	struct stream_port *s = ctx;
	int fd = accept4(s->listener.fd, NULL, NULL,
			 SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;

	if (fd < 0) {
		/* Without descriptors it would be ready for ever */
		loop_watch(s->port.loop, &s->listener, 0);
		retry_later(s);
		return;
	}
	if (s->address.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	loop_watch(s->port.loop, &s->listener, 0);
	if (stream_port_use(s, fd))
		on_lost(s, ENOMEM);
}

static void accept_again(void *ctx)
{
	struct stream_port *s = ctx;

	loop_watch(s->port.loop, &s->listener, EPOLLIN);
}

static int start(struct port *port, struct error *error)
{
	struct stream_port *s = (struct stream_port *)port;

	if (s->listener.fd < 0)
		try_connect(s);
	else if (loop_watch(port->loop, &s->listener, EPOLLIN))
		return fail(error, STATUS_OS, "--net %s: cannot wait for others",
			    s->text);
	return 0;
}

static void close_stream(struct port *port)
{
	struct stream_port *s = (struct stream_port *)port;

	if (s->listener.fd >= 0 && s->address.ss_family == AF_UNIX)
		unlink(((struct sockaddr_un *)&s->address)->sun_path);
	stream_free(s);
}

static int unix_address(struct stream_port *s, const char *path,
			struct error *error)
{
	struct sockaddr_un *a = (struct sockaddr_un *)&s->address;

	if (!*path || strlen(path) >= sizeof(a->sun_path))
		return fail(error, STATUS_USAGE,
			    "--net: a socket's name has from 1 to %zu bytes: %s",
			    sizeof(a->sun_path) - 1, path);
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, path);
	s->address_len = sizeof(*a);
	return 0;
}

/* HOST:PORT, or [HOST]:PORT for IPv6 */
static int tcp_address(struct stream_port *s, const char *text, bool server,
		       struct error *error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = server ? AI_PASSIVE : 0 };
	struct addrinfo *found = NULL;
	char *host = strdup(text), *port = host ? strrchr(host, ':') : NULL;
	char *name = host;
	int ret;

	if (!port || !port[1]) {
		free(host);
		return fail(error, STATUS_USAGE,
			    "--net: stream:tcp=%s is not HOST:PORT", text);
	}
	*port++ = 0;
	if (*name == '[' && name[strlen(name) - 1] == ']') {
		name[strlen(name) - 1] = 0;
		name++;
	}
	ret = getaddrinfo(*name ? name : NULL, port, &hints, &found);
	free(host);
	if (ret)
		return fail(error, STATUS_NO_INPUT, "--net: stream:tcp=%s: %s",
			    text, gai_strerror(ret));
	memcpy(&s->address, found->ai_addr, found->ai_addrlen);
	s->address_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int listen_for(struct stream_port *s, struct error *error)
{
	const struct sockaddr *address = (struct sockaddr *)&s->address;
	int fd = -1, one = 1;

	if (address->sa_family == AF_UNIX) {
		fd = listen_unix((const struct sockaddr_un *)address);
	} else {
		fd = new_socket(s);
		if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
					   sizeof(one)) ||
				bind(fd, address, s->address_len) ||
				listen(fd, 1)))
			close_fd(&fd);
	}
	s->listener = (struct watch){ on_other, s, fd, 0 };
	return fd < 0 ? fail(error, errno == EACCES ? STATUS_PERMISSION :
			     STATUS_OS, "--net %s: cannot listen: %s", s->text,
			     strerror(errno)) : 0;
}

struct port *stream_port_open(const struct net_config *config,
			      struct error *error)
{
	static const struct port_ops ops = {
		.start = start, .receive = stream_receive,
		.ready = stream_ready, .close = close_stream };
	const char *where = config->address ? config->address : "";
	bool is_unix = !strncmp(where, "unix=", 5);
	struct stream_port *s;
	char text[256];
	int ret;

	snprintf(text, sizeof(text), "stream:%s", where);
	s = stream_port_new(sizeof(*s), &ops, text);
	if (!s) {
		fail(error, STATUS_OS, "--net: no memory");
		return NULL;
	}
	s->lost = on_lost;
	s->again = (struct timer){ config->server ? accept_again : try_connect,
				   s, 0, NULL };
	if (!is_unix && strncmp(where, "tcp=", 4))
		ret = fail(error, STATUS_USAGE,
			   "--net stream: where? stream:unix=PATH or stream:tcp=HOST:PORT");
	else if (is_unix)
		ret = unix_address(s, where + 5, error);
	else
		ret = tcp_address(s, where + 4, config->server, error);
	if (!ret && config->server)
		ret = listen_for(s, error);
	if (!ret)
		return &s->port;
	stream_free(s);
	return NULL;
}
