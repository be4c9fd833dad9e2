// SPDX-License-Identifier: GPL-2.0
/*
 * See vhost_link.h. The back end may be hostile: what it says is checked, and one that
 * breaks a rule, goes away or does not answer is lost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "core/machine.h"
#include "devices/virtio/vhost_link.h"

#define HEADER		VHOST_HEADER

/* ---- messages ------------------------------------------------------------- */

/* How long the next send or receive, @name, may wait: the rest of our patience */
static int set_patience(struct vhost_link *l, int name, struct error *error)
{
	uint64_t now = host_ns(), us = (l->vhost->until - now) / 1000;
	struct timeval left = { .tv_sec = us / 1000000,
				.tv_usec = us % 1000000 };

	/* Zero would be for ever */
	if (now >= l->vhost->until || !us)
		return fail(error, STATUS_OS, "it is too slow");
	return setsockopt(l->socket.fd, SOL_SOCKET, name, &left, sizeof(left)) ?
	       fail(error, STATUS_OS, "%s", strerror(errno)) : 0;
}

static int send_message(struct vhost_link *l, const struct vhost_message *m,
			const int *fds, unsigned int nr, struct error *error)
{
	union {
		char bytes[CMSG_SPACE(REGIONS * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)m, HEADER + m->size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	if (nr) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
	}
	if (set_patience(l, SO_SNDTIMEO, error))
		return -1;
	do {
		n = sendmsg(l->socket.fd, &h, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)iov.iov_len)
		return 0;
	return fail(error, STATUS_OS, "request %u cannot be sent: %s",
		    m->request, n < 0 ? strerror(errno) : "it takes no more");
}

/* All of it at once, and no descriptors: nobody asks for any */
static int receive(struct vhost_link *l, void *to, size_t len,
		   struct error *error)
{
	struct iovec iov = { to, len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (set_patience(l, SO_RCVTIMEO, error))
		return -1;
	do {
		n = recvmsg(l->socket.fd, &h, MSG_WAITALL | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(error, STATUS_OS, "%s", errno == EAGAIN ?
			    "it does not answer" : strerror(errno));
	if (h.msg_flags & MSG_CTRUNC)
		return fail(error, STATUS_DATA,
			    "it sends descriptors that nobody asked for");
	if (n != (ssize_t)len)
		return fail(error, STATUS_DATA, n ? "its answer is too short" :
			    "it has closed the connection");
	return 0;
}

/* Sends @m, and has the answer, whose payload has @len bytes, in it */
int vhost_link_ask(struct vhost_link *l, struct vhost_message *m, uint32_t len,
		   struct error *error)
{
	uint32_t request = m->request;

	m->flags |= FLAG_VERSION;
	if (send_message(l, m, NULL, 0, error) ||
	    receive(l, m, HEADER, error))
		return -1;
	if (m->request != request || m->size != len ||
	    (m->flags & ~FLAG_NEED_REPLY) != (FLAG_VERSION | FLAG_REPLY))
		return fail(error, STATUS_DATA,
			    "it answers request %u with %u, flags 0x%x, of %u bytes",
			    request, m->request, m->flags, m->size);
	return receive(l, (uint8_t *)m + HEADER, len, error);
}

int vhost_link_value(struct vhost_link *l, uint32_t request, uint64_t *value,
		     struct error *error)
{
	struct vhost_message m = { .request = request };
	int ret = vhost_link_ask(l, &m, sizeof(m.value), error);

	*value = m.value;
	return ret;
}

/* Sends @m, with these descriptors, and knows that it was heard if it can */
int vhost_link_tell(struct vhost_link *l, struct vhost_message *m, uint32_t size,
		    const int *fds, unsigned int nr, struct error *error)
{
	uint32_t request = m->request;
	bool ack = l->protocol & P_REPLY_ACK;

	m->size = size;
	m->flags = FLAG_VERSION | (ack ? FLAG_NEED_REPLY : 0);
	if (send_message(l, m, fds, nr, error))
		return -1;
	if (!ack)
		return 0;
	if (receive(l, m, HEADER, error))
		return -1;
	if (m->request != request || m->size != sizeof(m->value) ||
	    (m->flags & ~FLAG_NEED_REPLY) != (FLAG_VERSION | FLAG_REPLY))
		return fail(error, STATUS_DATA,
			    "it does not acknowledge request %u", request);
	if (receive(l, &m->value, sizeof(m->value), error))
		return -1;
	return m->value ? fail(error, STATUS_DATA, "it refuses request %u",
			       request) : 0;
}

int vhost_link_tell_value(struct vhost_link *l, uint32_t request,
			  uint64_t value, struct error *error)
{
	struct vhost_message m = { .request = request, .value = value };

	return vhost_link_tell(l, &m, request == SET_OWNER ? 0 : sizeof(m.value),
			NULL, 0, error);
}

static int tell_ring(struct vhost_link *l, uint32_t request, unsigned int n,
		     uint32_t value, struct error *error)
{
	struct vhost_message m = { .request = request, .state = { n, value } };

	return vhost_link_tell(l, &m, sizeof(m.state), NULL, 0, error);
}

static int tell_eventfd(struct vhost_link *l, uint32_t request, unsigned int n,
			int fd, struct error *error)
{
	struct vhost_message m = { .request = request, .value = n };

	return vhost_link_tell(l, &m, sizeof(m.value), &fd, 1, error);
}

/* ---- rings ---------------------------------------------------------------- */

/*
 * What is called "user" here only has to be the same in all messages: it is the
 * guest's address, and the back end does not learn where we have our memory
 */
static int tell_memory(struct vhost_link *l, struct error *error)
{
	const struct memory *memory =
		&l->vhost->virtio.pci.device.machine->memory;
	struct vhost_message m = { .request = SET_MEM_TABLE };
	int fds[REGIONS];
	unsigned int i, at;
	uint32_t n = 0;

	if (!memory->shared)
		return fail(error, STATUS_VM,
			    "the guest's memory is not shared any more");
	for (i = 0; i < memory->nr; i++) {
		const struct memory_block *b = &memory->block[i];

		/* ROM is not of the memfd */
		if (b->host < memory->base ||
		    b->host >= memory->base + memory->size)
			continue;
		if (n == REGIONS)
			return fail(error, STATUS_VM,
				    "memory in more than %u parts", REGIONS);
		/* In their order: virtiofsd takes no other */
		for (at = n; at && m.table.region[at - 1].gpa > b->gpa; at--)
			m.table.region[at] = m.table.region[at - 1];
		m.table.region[at] = (struct region_of_memory){
			b->gpa, b->size, b->gpa, b->host - memory->base };
		fds[n++] = memory->fd;
	}
	m.table.nr = n;
	return vhost_link_tell(l, &m, 8 + n * sizeof(m.table.region[0]), fds, n,
			error);
}

int vhost_link_begin(struct vhost *v, uint64_t features, struct error *error)
{
	struct vhost_link *l = v->link;

	/* What it has not offered is between the driver and us */
	features &= l->features;
	return vhost_link_tell_value(l, SET_FEATURES, features | 1ull << VHOST_F_PROTOCOL,
		    error) ||
	       tell_memory(l, error) ? -1 : 0;
}

int vhost_link_call(struct vhost *v, unsigned int n, int fd,
		    struct error *error)
{
	return tell_eventfd(v->link, SET_VRING_CALL, n, fd,
			    error);
}

int vhost_link_start(struct vhost *v, unsigned int n, uint32_t base,
		     struct error *error)
{
	struct vhost_link *l = v->link;
	const struct virtqueue *q = &v->virtio.queue[n];
	struct vhost_message m = { .request = SET_VRING_ADDR,
		.addr = { .index = n, .desc_user_addr = q->desc,
			  .avail_user_addr = q->avail,
			  .used_user_addr = q->used } };

	return tell_ring(l, SET_VRING_NUM, n, q->size, error) ||
	       tell_ring(l, SET_VRING_BASE, n, base, error) ||
	       vhost_link_tell(l, &m, sizeof(m.addr), NULL, 0, error) ||
	       tell_eventfd(l, SET_VRING_ERR, n, v->err.fd, error) ||
	       tell_eventfd(l, SET_VRING_KICK, n, v->virtio.rung[n].fd,
			    error) ||
	       tell_ring(l, SET_VRING_ENABLE, n, 1, error) ? -1 : 0;
}

/* Answers when nothing of the ring is in flight */
int vhost_link_stop(struct vhost *v, unsigned int n, uint32_t *base,
		    struct error *error)
{
	struct vhost_link *l = v->link;
	struct vhost_message m = { .request = GET_VRING_BASE,
			     .size = sizeof(m.state), .state = { n, 0 } };

	if (vhost_link_ask(l, &m, sizeof(m.state), error))
		return -1;
	if (m.state.index != n)
		return fail(error, STATUS_DATA,
			    "it was asked about queue %u, and speaks of %u", n,
			    m.state.index);
	*base = m.state.num;
	return 0;
}

void vhost_link_lost(struct vhost *v)
{
	vhost_link_close(v->link);
}

/* Between questions it has nothing to say */
static void on_socket(void *ctx, uint32_t events)
{
	struct vhost_link *l = ctx;
	uint8_t byte;
	ssize_t n = recv(l->socket.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		vhost_fail(l->vhost, "it speaks without being asked");
	else if (!n)
		vhost_fail(l->vhost, "it has closed the connection");
	else if (errno != EAGAIN && errno != EINTR)
		vhost_fail(l->vhost, strerror(errno));
}

int vhost_link_open(struct vhost_link *l, struct vhost *v, int fd,
		    struct error *error)
{
	uint64_t known = P_MQ | P_RARP | P_REPLY_ACK | P_CONFIG, offered;

	*l = (struct vhost_link){ .vhost = v,
				  .socket = { on_socket, l, fd, 0 } };
	v->link = l;
	if (vhost_link_value(l, GET_FEATURES, &l->features, error))
		return -1;
	if (!(l->features & 1ull << VIRTIO_F_VERSION_1) ||
	    !(l->features & 1ull << VHOST_F_PROTOCOL))
		return fail(error, STATUS_USAGE,
			    "it is older than virtio 1.0 or vhost-user's protocol features (features 0x%llx)",
			    (unsigned long long)l->features);
	if (vhost_link_value(l, GET_PROTOCOL_FEATURES, &offered, error) ||
	    vhost_link_tell_value(l, SET_PROTOCOL_FEATURES, offered & known,
				  error))
		return -1;
	l->protocol = offered & known;
	return vhost_link_tell_value(l, SET_OWNER, 0, error);
}

/* Whatever it has said, and nobody has read */
bool vhost_link_is_cut(const struct vhost_link *l)
{
	struct pollfd p = { l->socket.fd, POLLRDHUP, 0 };

	return p.fd < 0 || (poll(&p, 1, 0) > 0 && p.revents);
}

void vhost_link_end(struct vhost_link *l)
{
	shutdown(l->socket.fd, SHUT_WR);
	if (l->socket.events)
		loop_watch(l->vhost->virtio.pci.device.loop, &l->socket, EPOLLRDHUP);
}

int vhost_link_watch(struct vhost_link *l)
{
	return loop_watch(l->vhost->virtio.pci.device.loop, &l->socket, EPOLLIN);
}

void vhost_link_close(struct vhost_link *l)
{
	if (l->socket.events)
		loop_watch(l->vhost->virtio.pci.device.loop, &l->socket, 0);
	close_fd(&l->socket.fd);
}
