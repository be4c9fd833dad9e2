// SPDX-License-Identifier: GPL-2.0
/*
 * --net vde:URL: a Virtual Distributed Ethernet, by its library, which is loaded when
 * it is needed. What a URL means (a switch, vxvde://, udp://) is for that to say. It
 * may hold a frame back or lose it: a network does.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/library.h"
#include "net/net.h"

#define INTERFACE	1		/* of that library */
#define VDE_FRAME	(9216 + 18)	/* it has no longer ones */
#define RETRY_NS	1000000000ull

/* As its header has them, which need not be there to build this */
static struct {
	void *(*open_real)(char *url, char *who, int interface, void *args);
	ssize_t (*recv)(void *conn, void *bytes, size_t len, int flags);
	ssize_t (*send)(void *conn, const void *bytes, size_t len, int flags);
	int (*datafd)(void *conn);
	int (*ctlfd)(void *conn);
	int (*close)(void *conn);
} vdeplug;

static struct library library = {
	.file = "libvdeplug.so.2", .name = "libvdeplug.so.2",
	.needs = "--net vde: needs libvdeplug", .package = "libvdeplug2" };
static const struct library_call calls[] = {
	{ "vde_open_real", &vdeplug.open_real }, { "vde_recv", &vdeplug.recv },
	{ "vde_send", &vdeplug.send }, { "vde_datafd", &vdeplug.datafd },
	{ "vde_ctlfd", &vdeplug.ctlfd }, { "vde_close", &vdeplug.close }, { NULL, NULL } };

/**
 * struct vde - see above
 * @conn: the library's, or NULL
 * @data: frames come
 * @control: its end is the connection's; not all URLs have one
 * @again: it tries to connect
 * @dialled: says what came of that
 * @url: as given, "": the library's own
 * @text: for messages
 * @was_told: the user knows that there is no connection
 * @waits: the frame in @in, which the peer does not take yet
 * @frame: that one
 * @in: of it
 * @out: of one that is sent, in one piece
 */
struct vde {
	struct port port;
	void *conn;
	struct watch data, control, dialled;
	struct timer again;
	char *url, text[64];
	bool was_told, waits;
	struct frame frame;
	struct iovec iov;
	uint8_t in[VDE_FRAME], out[VDE_FRAME];
};

/**
 * struct dial - a try to connect, of a thread of its own: a switch that hangs answers
 * never, and there is no open_real() that does not wait
 * @url: the thread's own
 * @fd: its end of a pair of sockets, which gets a struct dialled
 */
struct dial {
	char *url;
	int fd;
};

struct dialled {
	void *conn;
	int error;
};

static struct dialled dial(char *url)
{
	void *conn = vdeplug.open_real(url, "mvmm", INTERFACE, NULL);

	return (struct dialled){ conn, conn ? 0 : errno };
}

static void adopt(struct vde *v, void *conn)
{
	v->conn = conn;
	v->data.fd = vdeplug.datafd(v->conn);
	v->control.fd = vdeplug.ctlfd(v->conn);
	if (v->control.fd == v->data.fd)
		v->control.fd = -1;
	/* Not all of its parts look at MSG_DONTWAIT when they send */
	fcntl(v->data.fd, F_SETFL, fcntl(v->data.fd, F_GETFL) | O_NONBLOCK);
}

/* Its descriptors are the library's */
static void hang_up(struct vde *v)
{
	if (v->port.loop) {
		loop_watch(v->port.loop, &v->data, 0);
		loop_watch(v->port.loop, &v->control, 0);
	}
	v->data.fd = v->control.fd = -1;
	if (v->conn)
		vdeplug.close(v->conn);
	v->conn = NULL;
}

static void lose(struct vde *v, int error)
{
	struct loop *loop = v->port.loop;

	hang_up(v);
	v->waits = false;
	port_set_link(&v->port, false);
	if (!v->was_told)
		dprintf(STDERR_FILENO,
			"\r\nmvmm: --net %s has no connection: %s: trying again each second\r\n",
			v->text, error ? strerror(error) : "the other end has gone");
	v->was_told = true;
	loop_set_timer(loop, &v->again, vm_clock_now(loop->clock) + RETRY_NS);
}

/* False: the peer is full */
static bool pass_on(struct vde *v)
{
	if (v->frame.len < FRAME_MIN)
		port_refuse(&v->port.to_peer, DROP_LENGTH);
	else
		v->waits = !port_send(&v->port, &v->frame);
	return !v->waits;
}

/* One frame, which is there: some of the library's parts would wait for a second */
static void on_readable(void *ctx, uint32_t events)
{
	struct vde *v = ctx;
	ssize_t n = vdeplug.recv(v->conn, v->in, sizeof(v->in), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose(v, n ? errno : 0);
		return;
	}
	/* With 1 the library says that it was not for us */
	if (n == 1)
		return;
	v->iov.iov_len = v->frame.len = n;
	pass_on(v);
	port_flush(&v->port);
	/* The end is seen when the peer has room again */
	if (v->waits)
		loop_watch(v->port.loop, &v->data, 0);
}

static void on_end(void *ctx, uint32_t events)
{
	struct vde *v = ctx;
	char bytes[256];
	ssize_t n = recv(v->control.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	/* A word on it means nothing here */
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	lose(v, n ? errno : 0);
}

static void vde_ready(struct port *port)
{
	struct vde *v = (struct vde *)port;

	if (!v->waits || !pass_on(v))
		return;
	port_flush(port);
	if (v->conn)
		loop_watch(port->loop, &v->data, EPOLLIN);
}

static bool vde_receive(struct port *port, const struct frame *frame)
{
	struct vde *v = (struct vde *)port;
	ssize_t n;

	if (frame->len > sizeof(v->out)) {
		port_drop(&port->from_peer, DROP_LENGTH);
		return true;
	}
	frame_peek(frame, v->out, sizeof(v->out));
	do {
		n = vdeplug.send(v->conn, v->out, frame->len, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		port_drop(&port->from_peer, errno == EAGAIN || errno == ENOBUFS ?
			  DROP_FULL : DROP_REFUSED);
	else
		port_sent(port, frame);
	return true;
}

/* -1: there is no memory for it */
static int use(struct vde *v)
{
	struct loop *loop = v->port.loop;

	if (loop_watch(loop, &v->data, EPOLLIN) ||
	    (v->control.fd >= 0 && loop_watch(loop, &v->control, EPOLLIN)))
		return -1;
	port_set_link(&v->port, true);
	return 0;
}

static void *dial_main(void *arg)
{
	struct dial *d = arg;
	struct dialled result = dial(d->url);

	/* The port may be gone by now */
	if (send(d->fd, &result, sizeof(result), MSG_NOSIGNAL) < 0 && result.conn)
		vdeplug.close(result.conn);
	close(d->fd);
	free(d->url);
	free(d);
	return NULL;
}

/* -1: not now */
static int start_dial(struct vde *v)
{
	struct dial *d = malloc(sizeof(*d));
	int fd[2] = { -1, -1 };
	pthread_t thread;

	if (d && (d->url = strdup(v->url)) &&
	    !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd)) {
		d->fd = fd[1];
		v->dialled.fd = fd[0];
		if (!loop_watch(v->port.loop, &v->dialled, EPOLLIN) &&
		    !pthread_create(&thread, NULL, dial_main, d)) {
			pthread_detach(thread);
			return 0;
		}
	}
	loop_watch(v->port.loop, &v->dialled, 0);
	close_fd(&v->dialled.fd);
	close_fd(&fd[1]);
	if (d)
		free(d->url);
	free(d);
	return -1;
}

static void dial_again(void *ctx)
{
	struct vde *v = ctx;

	/* The user was told when the connection went */
	if (start_dial(v))
		lose(v, 0);
}

static void on_dialled(void *ctx, uint32_t events)
{
	struct vde *v = ctx;
	struct dialled result;
	ssize_t n = recv(v->dialled.fd, &result, sizeof(result), MSG_DONTWAIT);

	loop_watch(v->port.loop, &v->dialled, 0);
	close_fd(&v->dialled.fd);
	if (n != sizeof(result) || !result.conn) {
		lose(v, n != sizeof(result) ? EPIPE : result.error);
		return;
	}
	adopt(v, result.conn);
	if (use(v)) {
		lose(v, ENOMEM);
		return;
	}
	v->was_told = false;
	dprintf(STDERR_FILENO, "\r\nmvmm: --net %s is connected\r\n", v->text);
}

/* What the thread has said already, or says to nobody */
static void end_dial(struct vde *v)
{
	struct dialled result;

	if (v->dialled.fd < 0)
		return;
	loop_watch(v->port.loop, &v->dialled, 0);
	shutdown(v->dialled.fd, SHUT_RD);
	if (recv(v->dialled.fd, &result, sizeof(result), MSG_DONTWAIT) ==
	    sizeof(result) && result.conn)
		vdeplug.close(result.conn);
	close_fd(&v->dialled.fd);
}

static int vde_start(struct port *port, struct error *error)
{
	struct vde *v = (struct vde *)port;

	return use(v) ? fail(error, STATUS_OS, "--net %s: cannot wait for it",
			     v->text) : 0;
}

static void close_vde(struct port *port)
{
	struct vde *v = (struct vde *)port;

	if (port->loop)
		loop_set_timer(port->loop, &v->again, 0);
	end_dial(v);
	hang_up(v);
	free(v->url);
	free(v);
}

struct port *vde_port_open(const struct net_config *config, struct error *error)
{
	static const struct port_ops ops = {
		.start = vde_start, .receive = vde_receive, .ready = vde_ready,
		.close = close_vde };
	struct dialled first;
	struct vde *v;

	if (library_load(&library, calls, error))
		return NULL;
	v = calloc(1, sizeof(*v));
	if (v)
		v->url = strdup(config->address ? config->address : "");
	if (!v || !v->url) {
		free(v);
		fail(error, STATUS_OS, "--net: no memory");
		return NULL;
	}
	snprintf(v->text, sizeof(v->text), "vde%s%s", *v->url ? ":" : "",
		 v->url);
	v->port = (struct port){ .ops = &ops, .name = v->text };
	v->data = (struct watch){ on_readable, v, -1, 0 };
	v->control = (struct watch){ on_end, v, -1, 0 };
	v->dialled = (struct watch){ on_dialled, v, -1, 0 };
	v->again = (struct timer){ dial_again, v, 0, NULL };
	v->iov.iov_base = v->in;
	v->frame.iov = &v->iov;
	v->frame.niov = 1;
	first = dial(v->url);
	if (first.conn) {
		adopt(v, first.conn);
		return &v->port;
	}
	fail(error, STATUS_NO_INPUT,
	     "--net %s: %s: is there such a switch (vde_switch -s PATH)?",
	     v->text, strerror(first.error));
	close_vde(&v->port);
	return NULL;
}
