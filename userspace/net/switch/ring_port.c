// SPDX-License-Identifier: GPL-2.0
/* See ring_port.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "net/switch/ring_port.h"

#define WORDS		4096	/* of both rings; then their bytes */
#define PLACES		2048	/* in there */
#define MEMORY		(WORDS + 2 * RING_BYTES)
#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

_Static_assert(sizeof(struct ring_words) == 128, "two cache lines");
_Static_assert(sizeof(struct ring_hello) == 256, "as networking.rst has it");
_Static_assert(sizeof(struct ring_welcome) == 128, "the same");

/* Without waiting: who has its wakers unread is awake */
static void wake(struct ring_port *p)
{
	/* Its end is found by reading */
	if (p->watch.fd >= 0 &&
	    send(p->watch.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

static void lose(struct ring_port *p, int error)
{
	loop_watch(p->port.loop, &p->watch, 0);
	close_fd(&p->watch.fd);
	p->waits = p->full = false;
	port_set_link(&p->port, false);
	p->lost(p, error);
}

void ring_port_agree(struct ring_port *p, unsigned int offloads,
		     enum ring_end end)
{
	p->offloads = p->port.takes = p->port.gives = offloads & PORT_ALL;
	p->follows = end == RING_OF_SWITCH;
}

/* The other end has our word for it, which changes with the guest's driver */
void ring_changed(struct port *port)
{
	struct ring_port *p = (struct ring_port *)port;

	if (p->memory)
		__atomic_store_n(&p->in.words->takes, port->peer ?
				 port->peer->takes & p->offloads : 0,
				 __ATOMIC_RELAXED);
}

/* For the next frame. If it is late somebody else does what it leaves undone */
static void look_at_takes(struct ring_port *p)
{
	if (p->follows)
		p->port.takes = p->offloads &
			__atomic_load_n(&p->out.words->takes, __ATOMIC_RELAXED);
}

bool ring_receive(struct port *port, const struct frame *frame)
{
	struct ring_port *p = (struct ring_port *)port;
	enum ring_result ret;

	look_at_takes(p);
	/* The other end would take it for a lie */
	if (frame->len < FRAME_MIN || frame->len > FRAME_MAX) {
		port_drop(&port->from_peer, DROP_LENGTH);
		return true;
	}
	do {
		ret = ring_put(&p->out, frame);
	} while (ret == RING_NONE && !ring_wait_room(&p->out));
	if (ret == RING_NONE) {
		p->full = true;
		return false;
	}
	if (ret == RING_DONE) {
		port_sent(port, frame);
		return true;
	}
	port_drop(&port->from_peer, DROP_LOST);
	lose(p, EPROTO);
	return true;
}

void ring_flush(struct port *port)
{
	struct ring_port *p = (struct ring_port *)port;

	if (p->watch.fd >= 0 && ring_put_wakes(&p->out))
		wake(p);
}

/* RING_NONE: it waits for the other end, or for the peer */
static enum ring_result pass_on(struct ring_port *p)
{
	struct iovec iov[RING_PIECES];
	enum ring_result ret;
	struct frame frame;
	size_t done;

	for (done = 0; done < TURN_BYTES;
	     done += frame.len + TURN_COST) {
		frame.len = 0;
		ret = ring_get(&p->in, iov, &frame);
		if (ret == RING_NONE && ring_wait_more(&p->in))
			return RING_NONE;
		if (ret == RING_NONE)
			continue;
		if (ret == RING_BAD)
			return RING_BAD;
		if (!frame_check(&frame, p->offloads)) {
			port_refuse(&p->port.to_peer, DROP_HEADER);
			ring_next(&p->in, &frame);
			continue;
		}
		if (!port_send(&p->port, &frame)) {
			p->waits = true;
			return RING_NONE;
		}
		/* The peer's answer may have ended it */
		if (p->watch.fd < 0)
			return RING_NONE;
		ring_next(&p->in, &frame);
	}
	return RING_DONE;
}

static void serve(struct ring_port *p)
{
	enum ring_result ret = p->waits ? RING_NONE : pass_on(p);

	port_flush(&p->port);
	if (p->watch.fd < 0)
		return;
	if (ring_get_wakes(&p->in))
		wake(p);
	if (ret == RING_BAD)
		lose(p, EPROTO);
	else
		/* There is more: in the loop's next round, as others have theirs */
		loop_watch(p->port.loop, &p->watch,
			   EPOLLIN | (ret == RING_DONE ? EPOLLOUT : 0));
}

void ring_ready(struct port *port)
{
	struct ring_port *p = (struct ring_port *)port;

	if (!p->waits)
		return;
	p->waits = false;
	serve(p);
}

int take_fd(struct msghdr *message)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);
	int fd = -1, other;
	size_t at;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return -1;
	for (at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len;
	     at += sizeof(int)) {
		memcpy(&other, CMSG_DATA(c) + at, sizeof(other));
		if (fd < 0)
			fd = other;
		else
			close(other);
	}
	return fd;
}

int send_with_fd(int to, const void *bytes, size_t len, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = (struct cmsghdr *)control;

	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)len ? 0 : -1;
}

int ring_port_give(struct ring_port *p, int fd)
{
	return send_with_fd(p->watch.fd, "", 1, fd);
}

/* False: the connection has ended */
static bool take_bytes(struct ring_port *p)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char bytes[4096];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = p->given ? control : NULL,
		.msg_controllen = p->given ? sizeof(control) : 0 };
	ssize_t n = recvmsg(p->watch.fd, &message,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = n > 0 ? take_fd(&message) : -1;

	if (fd >= 0)
		p->given(p, fd);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return true;
	lose(p, n ? errno : 0);
	return false;
}

static void on_event(void *ctx, uint32_t events)
{
	struct ring_port *p = ctx;

	if (events & ~EPOLLOUT && !take_bytes(p))
		return;
	if (p->full) {
		p->full = false;
		port_ready(&p->port);
	}
	if (p->watch.fd >= 0)
		serve(p);
}

void ring_port_init(struct ring_port *p, const struct port_ops *ops)
{
	p->port.ops = ops;
	p->watch = (struct watch){ on_event, p, -1, 0 };
}

int ring_make_memory(void)
{
	int fd = memfd_create("mvmm switch", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (ftruncate(fd, MEMORY) ||
			fcntl(fd, F_ADD_SEALS, SEALS))) {
		int err = errno;

		close_fd(&fd);
		errno = err;
	}
	return fd;
}

int ring_port_map(struct ring_port *p, int memory, enum ring_end end)
{
	int seals = fcntl(memory, F_GET_SEALS);
	struct ring *first = end == RING_OF_GUEST ? &p->out : &p->in;
	struct ring *second = end == RING_OF_GUEST ? &p->in : &p->out;
	struct stat st;
	uint8_t *at;

	/* One that could shrink would be a SIGBUS */
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(memory, &st) ||
	    st.st_size != MEMORY) {
		errno = EPROTO;
		return -1;
	}
	at = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (at == MAP_FAILED)
		return -1;
	p->memory = at;
	p->place = (uint32_t *)(at + PLACES);
	*first = (struct ring){ (struct ring_words *)at, at + WORDS, 0, 0 };
	*second = (struct ring){ (struct ring_words *)at + 1,
				 at + WORDS + RING_BYTES, 0, 0 };
	return 0;
}

int ring_port_use(struct ring_port *p, int fd)
{
	int ret;

	p->watch.fd = fd;
	ret = loop_watch(p->port.loop, &p->watch, EPOLLIN);
	if (ret) {
		p->watch.fd = -1;
		return ret;
	}
	ring_changed(&p->port);
	look_at_takes(p);
	port_set_link(&p->port, true);
	/* The other end may have been faster */
	serve(p);
	return 0;
}

void ring_port_close(struct ring_port *p)
{
	if (p->port.loop)
		loop_watch(p->port.loop, &p->watch, 0);
	close_fd(&p->watch.fd);
	if (p->memory)
		munmap(p->memory, MEMORY);
	p->memory = NULL;
}
