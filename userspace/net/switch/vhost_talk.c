// SPDX-License-Identifier: GPL-2.0
/*
 * See vhost_back.h: what the front end says, and what it is answered. Descriptors are
 * used for what they are said to be only if they are that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "net/switch/vhost_back.h"

#define BIT(n)		(1ull << (n))
#define NET_FEATURES							\
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |	\
	 BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) |	\
	 BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_HOST_TSO4) |	\
	 BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) |	\
	 BIT(VIRTIO_NET_F_MRG_RXBUF))
#define FEATURES							\
	(NET_FEATURES | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) | \
	 BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) | \
	 BIT(VHOST_F_PROTOCOL))
#define PROTOCOL	(P_RARP | P_REPLY_ACK)
#define PAGE		4096
/* Of a guest: all of them together have to fit into what a process can address */
#define MEMORY_MOST	(1ull << 40)

/* ---- memory ---------------------------------------------------------------- */

static void forget_part(struct vhost_part *p)
{
	munmap(p->at, p->is.size);
}

void vhost_forget(struct vhost_back *b)
{
	while (b->parts)
		forget_part(&b->part[--b->parts]);
	while (b->fds)
		close(b->fd[--b->fds]);
}

/*
 * Memory that could be cut, or of a hugetlbfs, which may have no pages left, would be a
 * SIGBUS when it is touched; so would a ring that is not aligned here, on some hosts
 */
static bool is_safe(int fd, const struct region_of_memory *r)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	return seals >= 0 && seals & F_SEAL_SHRINK && !fstat(fd, &st) &&
	       !fstatfs(fd, &fs) && fs.f_type == TMPFS_MAGIC && r->size &&
	       r->size <= (uint64_t)st.st_size &&
	       r->offset <= st.st_size - r->size && r->gpa + r->size >= r->gpa &&
	       r->user + r->size >= r->user &&
	       !((r->gpa | r->size | r->user | r->offset) % PAGE);
}

static bool add_part(struct vhost_back *b, const struct region_of_memory *r,
		     int fd)
{
	uint64_t all = r->size;
	unsigned int i;
	uint8_t *at;

	for (i = 0; i < b->parts; i++)
		all += b->part[i].is.size;
	if (!is_safe(fd, r) || all > MEMORY_MOST)
		return false;
	at = mmap(NULL, r->size, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_NORESERVE, fd, r->offset);
	if (at == MAP_FAILED)
		return false;
	b->part[b->parts++] = (struct vhost_part){ *r, at };
	return true;
}

/* The guest's address of what the front end has at @user; ~0: nowhere */
static uint64_t gpa_of(const struct vhost_back *b, uint64_t user)
{
	const struct vhost_part *p;

	for (p = b->part; p < b->part + b->parts; p++)
		if (user - p->is.user < p->is.size)
			return user - p->is.user + p->is.gpa;
	return ~0ull;
}

/* ---- rings ----------------------------------------------------------------- */

void vhost_set_link(struct vhost_back *b)
{
	bool up = b->ring[VHOST_RX].queue.enabled &&
		  b->ring[VHOST_TX].queue.enabled;

	if (b->linked == up)
		return;
	b->linked = up;
	b->link(b);
}

static bool map_parts(struct vhost_back *b, const struct vhost_message *m)
{
	uint32_t i;

	for (i = 0; i < b->fds && i < m->table.nr; i++) {
		struct region_of_memory region = m->table.region[i];

		if (!add_part(b, &region, b->fd[i]))
			return false;
	}
	return i == m->table.nr;
}

/* Rings that are served go on in memory that is elsewhere now, or not at all */
static bool set_memory(struct vhost_back *b, const struct vhost_message *m)
{
	bool good;
	struct vhost_ring *r;

	while (b->parts)
		forget_part(&b->part[--b->parts]);
	good = map_parts(b, m);
	for (r = b->ring; r < b->ring + VHOST_RINGS; r++)
		if (r->queue.enabled &&
		    (!good || queue_enable(&r->queue, b->features))) {
			vhost_stop_ring(b, r);
			good = false;
		}
	return good;
}

/*
 * What we wait for, and write to: others may make us wait, even if they are asked what
 * they are, or be somebody's. A file's name begins with '/'
 */
static bool is_eventfd(int fd)
{
	static const char name[] = "anon_inode:[eventfd]";
	char link[32], is[sizeof(name)];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, is, sizeof(is)) == sizeof(name) - 1 &&
	       !memcmp(is, name, sizeof(name) - 1);
}

/* The one that has come, which is the caller's now; or -1 */
static int take_eventfd(struct vhost_back *b)
{
	int fd = b->fds == 1 ? b->fd[--b->fds] : -1;

	if (fd >= 0 && !is_eventfd(fd))
		close_fd(&fd);
	return fd;
}

static bool set_eventfd(struct vhost_back *b, const struct vhost_message *m,
			int *to)
{
	int fd = -1;

	if (!(m->value & VHOST_NO_FD)) {
		fd = take_eventfd(b);
		if (fd < 0)
			return false;
	}
	close_fd(to);
	*to = fd;
	return true;
}

/* From here on it is served */
static bool start_ring(struct vhost_back *b, struct vhost_ring *r)
{
	struct virtqueue *q = &r->queue;

	r->kick.fd = take_eventfd(b);
	q->packed = b->features >> VIRTIO_F_RING_PACKED & 1;
	q->place = b->place ? &b->place[q->number] : NULL;
	if (r->kick.fd < 0 || !queue_base_is_valid(q, r->base))
		return false;
	queue_set_base(q, r->base);
	/* Each kick is an event: it is not to be read */
	if (!queue_enable(q, b->features) &&
	    !loop_watch(b->port->loop, &r->kick, EPOLLIN | EPOLLET))
		return true;
	vhost_stop_ring(b, r);
	return false;
}

static bool has_eventfd(uint32_t request)
{
	return request == SET_VRING_KICK || request == SET_VRING_CALL ||
	       request == SET_VRING_ERR;
}

static bool set_ring(struct vhost_back *b, const struct vhost_message *m)
{
	uint64_t n = has_eventfd(m->request) ? m->value & ~VHOST_NO_FD :
					       m->state.index;
	struct vhost_ring *r;
	struct virtqueue *q;

	if (n >= VHOST_RINGS)
		return false;
	r = &b->ring[n];
	q = &r->queue;
	if (m->request == SET_VRING_CALL)
		return set_eventfd(b, m, &r->call);
	if (m->request == SET_VRING_ERR)
		return set_eventfd(b, m, &r->err);
	if (m->request == SET_VRING_ENABLE) {
		r->on = m->state.num;
		return true;
	}
	/* The rest is fixed while it is served */
	vhost_end_ring(b, r);
	if (b->socket.fd < 0)
		return false;
	switch (m->request) {
	case SET_VRING_NUM:
		q->size = m->state.num <= VIRTIO_RING_MAX ? m->state.num : 0;
		return q->size;
	case SET_VRING_BASE:
		r->base = m->state.num;
		return true;
	case SET_VRING_ADDR:
		q->desc = gpa_of(b, m->addr.desc_user_addr);
		q->avail = gpa_of(b, m->addr.avail_user_addr);
		q->used = gpa_of(b, m->addr.used_user_addr);
		return true;
	default:	/* SET_VRING_KICK */
		/* Without protocol features nothing enables it */
		if (!(b->features & BIT(VHOST_F_PROTOCOL)))
			r->on = true;
		return start_ring(b, r);
	}
}

/* ---- messages -------------------------------------------------------------- */

static bool set_features(struct vhost_back *b, uint64_t features)
{
	if (features & ~FEATURES || !(features & BIT(VIRTIO_F_VERSION_1)) ||
	    (b->features != features && (b->ring[VHOST_RX].queue.enabled ||
					 b->ring[VHOST_TX].queue.enabled)))
		return false;
	b->features = features;
	b->takes = chains_takes(features);
	b->gives = chains_gives(features);
	return true;
}

static bool answer(struct vhost_back *b, struct vhost_message *m, uint32_t size)
{
	m->flags = FLAG_VERSION | FLAG_REPLY;
	m->size = size;
	return send(b->socket.fd, m, VHOST_HEADER + size,
		    MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)(VHOST_HEADER + size);
}

static bool answer_value(struct vhost_back *b, struct vhost_message *m,
			 uint64_t value)
{
	m->value = value;
	return answer(b, m, sizeof(m->value));
}

static bool answer_base(struct vhost_back *b, struct vhost_message *m)
{
	struct vhost_ring *r;

	if (m->state.index >= VHOST_RINGS)
		return false;
	r = &b->ring[m->state.index];
	if (r->queue.enabled)
		r->base = queue_base(&r->queue);
	vhost_end_ring(b, r);
	m->state.num = r->base;
	return answer(b, m, sizeof(m->state));
}

/* What each of them has behind its header, and what is done. False: it is a lie */
static bool tell(struct vhost_back *b, const struct vhost_message *m)
{
	uint64_t mac = m->value;

	switch (m->request) {
	case SET_OWNER:
	case RESET_OWNER:
		return !m->size;
	case SET_FEATURES:
		return m->size == 8 && set_features(b, m->value);
	case SET_PROTOCOL_FEATURES:
		if (m->size != 8 || m->value & ~PROTOCOL)
			return false;
		b->protocol = m->value;
		return true;
	case SET_MEM_TABLE:
		return m->size >= 8 && m->table.nr <= REGIONS &&
		       m->size >= 8 + m->table.nr *
		       sizeof(m->table.region[0]) && set_memory(b, m);
	case SET_VRING_ADDR:
		return m->size == sizeof(m->addr) && set_ring(b, m);
	case SET_VRING_NUM:
	case SET_VRING_BASE:
	case SET_VRING_KICK:
	case SET_VRING_CALL:
	case SET_VRING_ERR:
	case SET_VRING_ENABLE:
		return m->size == 8 && set_ring(b, m);
	case SEND_RARP:
		if (m->size != 8 || mac & 1)
			return false;
		port_announce(b->port, (const uint8_t *)&mac);
		return true;
	default:
		return false;
	}
}

/* What has begun is gone on with */
static void after(struct vhost_back *b)
{
	vhost_set_link(b);
	vhost_serve(b, VHOST_RX);
	vhost_serve(b, VHOST_TX);
}

/* False: it is cut off */
static bool handle(struct vhost_back *b)
{
	struct vhost_message *m = &b->message;
	bool good;

	if (b->fds && m->request != SET_MEM_TABLE && !has_eventfd(m->request))
		return false;
	switch (m->request) {
	case GET_FEATURES:
		return answer_value(b, m, FEATURES);
	case GET_PROTOCOL_FEATURES:
		return answer_value(b, m, PROTOCOL);
	case GET_VRING_BASE:
		good = m->size == sizeof(m->state) && answer_base(b, m);
		vhost_set_link(b);
		return good;
	}
	good = tell(b, m);
	if (m->flags & FLAG_NEED_REPLY && b->protocol & P_REPLY_ACK)
		good = answer_value(b, m, !good);
	if (good)
		after(b);
	return good;
}

/* Descriptors that came with @h; they are of the message that is coming */
static bool take_fds(struct vhost_back *b, struct msghdr *h)
{
	struct cmsghdr *c;
	size_t at;
	bool good = !(h->msg_flags & MSG_CTRUNC);

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len;
		     at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			if (b->fds < REGIONS) {
				b->fd[b->fds++] = fd;
			} else {
				close(fd);
				good = false;
			}
		}
	}
	return good;
}

/* 1: the message is there as far as @want; 0: not yet; -1: the end */
static int take(struct vhost_back *b, size_t want)
{
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(REGIONS * sizeof(int))] = { 0 };
	struct iovec iov = { (char *)&b->message + b->got, want - b->got };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n;

	if (b->got >= want)
		return 1;
	n = recvmsg(b->socket.fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (!n)
		return -1;
	b->got += n;
	if (!take_fds(b, &h))
		return -1;
	return b->got == want;
}

void vhost_lose(struct vhost_back *b)
{
	unsigned int i;

	if (b->socket.fd < 0)
		return;
	loop_watch(b->port->loop, &b->socket, 0);
	close_fd(&b->socket.fd);
	for (i = 0; i < VHOST_RINGS; i++)
		vhost_stop_ring(b, &b->ring[i]);
	vhost_set_link(b);
	/* A frame of its memory may be on its way just now */
	loop_set_timer(b->port->loop, &b->late,
		       vm_clock_now(b->port->loop->clock));
}

static void hear(struct vhost_back *b)
{
	int ret = take(b, VHOST_HEADER);

	if (ret > 0 && b->message.size >
	    sizeof(b->message) - VHOST_HEADER)
		ret = -1;
	if (ret > 0)
		ret = take(b, VHOST_HEADER + b->message.size);
	if (ret > 0) {
		b->got = 0;
		if (!handle(b))
			ret = -1;
		while (b->fds)
			close(b->fd[--b->fds]);
	}
	if (ret < 0)
		vhost_lose(b);
}

void vhost_on_socket(void *ctx, uint32_t events)
{
	struct vhost_back *b = ctx;

	if (events & ~EPOLLOUT)
		hear(b);
	/* There was more in its ring, and others have had their turn */
	if (events & EPOLLOUT)
		vhost_serve(b, VHOST_TX);
}
