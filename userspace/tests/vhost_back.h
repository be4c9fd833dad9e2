/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vhost-user back end for tests, a thread with a device of random numbers, all
 * of which are 0x5a. Each test says at which request it does what it should not.
 */
#ifndef MVMM_VHOST_BACK_H
#define MVMM_VHOST_BACK_H

#include <linux/virtio_ring.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum fault { NO_FAULT, DIES, SHORT, SILENT, OTHER_REQUEST, OTHER_SIZE, NO_REPLY,
	     WITH_FD, REFUSES, OTHER_VALUE };

struct back_message {
	uint32_t request, flags, size;
	union {
		uint64_t value;
		uint32_t word[70];
		struct {
			uint32_t nr, reserved;
			uint64_t region[8][4];
		} table;
		struct {
			uint32_t index, flags;
			uint64_t desc, used, avail, log;
		} addr;
	};
} __attribute__((packed));

static struct back {
	char path[64];
	int listener, fd, kick, call, err;
	uint64_t features, protocol, other;
	uint32_t fault_at;
	enum fault fault;
	pthread_t thread;
	pthread_mutex_t lock;	/* against the test's own thread */
	/* Of the guest */
	uint8_t *part[8];
	uint64_t region[8][4];
	uint32_t regions;
	uint64_t desc, used, avail;
	uint16_t size, next;
	bool enabled;
	uint64_t accepted;
	unsigned int started, served, slow;
	char written[8];
	uint64_t announced;
} back;

/* The seconds that its answers took, @back.slow each: of the test's clock */
static unsigned int back_took;

#define BACK_GET(member) ({						\
	pthread_mutex_lock(&back.lock);					\
	__typeof__(back.member) got_ = back.member;			\
	pthread_mutex_unlock(&back.lock);				\
	got_; })
#define BACK_SET(member, value) do {					\
	pthread_mutex_lock(&back.lock);					\
	back.member = (value);						\
	pthread_mutex_unlock(&back.lock);				\
} while (0)

static inline void *back_at(uint64_t user)
{
	uint32_t i;

	for (i = 0; i < back.regions; i++)
		if (user - back.region[i][2] < back.region[i][1])
			return back.part[i] + back.region[i][3] + user -
			       back.region[i][2];
	abort();
}

static inline void back_serve(void)
{
	struct vring_avail *avail = back_at(back.avail);
	struct vring_used *used = back_at(back.used);
	struct vring_desc *d;

	while (back.next != __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE)) {
		uint16_t head = avail->ring[back.next % back.size];

		d = (struct vring_desc *)back_at(back.desc) + head;
		memset(back_at(d->addr), 0x5a, d->len);
		used->ring[back.next % back.size] =
			(struct vring_used_elem){ head, d->len };
		__atomic_store_n(&used->idx, ++back.next, __ATOMIC_RELEASE);
		back.served++;
	}
	eventfd_write(back.call, 1);
}

static inline void back_map(const struct back_message *m, const int *fds)
{
	uint32_t i;

	for (i = 0; i < m->table.nr; i++) {
		const uint64_t *r = back.region[i];

		memcpy(back.region[i], m->table.region[i],
		       sizeof(back.region[i]));
		back.part[i] = mmap(NULL, r[1] + r[3], PROT_READ | PROT_WRITE,
				    MAP_SHARED, fds[i], 0);
		if (back.part[i] == MAP_FAILED)
			abort();
		close(fds[i]);
	}
	back.regions = m->table.nr;
}

static inline void back_unmap(void)
{
	while (back.regions) {
		uint32_t i = --back.regions;

		munmap(back.part[i], back.region[i][1] + back.region[i][3]);
	}
}

static inline void back_keep(int *fd, int given)
{
	if (*fd >= 0)
		close(*fd);
	*fd = given;
}

/* Sends an answer, as the test wants it */
static inline void back_answer(struct back_message *m, uint32_t size)
{
	bool faulty = m->request == back.fault_at;
	enum fault fault = faulty ? back.fault : NO_FAULT;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { m, 12 + size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	__atomic_fetch_add(&back_took, back.slow, __ATOMIC_SEQ_CST);
	m->flags = 1 | 4;
	m->size = size;
	switch (fault) {
	case SHORT:
		iov.iov_len -= 3;
		break;
	case SILENT:
		return;
	case OTHER_REQUEST:
		m->request++;
		break;
	case OTHER_SIZE:
		m->size = UINT32_MAX;
		break;
	case NO_REPLY:
		m->flags = 1;
		break;
	case WITH_FD:
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &back.fd, sizeof(int));
		break;
	case REFUSES:
		m->value = 1;
		break;
	case OTHER_VALUE:
		m->value = back.other;
		break;
	default:
		break;
	}
	sendmsg(back.fd, &h, MSG_NOSIGNAL);
	/* The rest never comes */
	if (fault == SHORT)
		shutdown(back.fd, SHUT_WR);
}

/* The requests by number, as the specification has them. False: no more */
static inline bool back_handle(struct back_message *m, int *fds)
{
	uint32_t len = 0;

	if (m->request == back.fault_at && back.fault == DIES)
		return false;
	switch (m->request) {
	case 1:
		m->value = back.features;
		len = 8;
		break;
	case 2:
		back.accepted = m->value;
		break;
	case 5:
		back_unmap();
		back_map(m, fds);
		break;
	case 8:
		back.size = m->word[1];
		break;
	case 9:
		back.desc = m->addr.desc;
		back.used = m->addr.used;
		back.avail = m->addr.avail;
		break;
	case 10:
		back.next = m->word[1];
		break;
	case 11:
		m->word[1] = back.next;
		back.enabled = false;
		len = 8;
		break;
	case 12:
		back_keep(&back.kick, fds[0]);
		break;
	case 13:
		back_keep(&back.call, fds[0]);
		break;
	case 14:
		back_keep(&back.err, fds[0]);
		break;
	case 15:
		m->value = back.protocol;
		len = 8;
		break;
	case 17:
		m->value = 4;
		len = 8;
		break;
	case 18:
		back.enabled = true;
		back.started++;
		break;
	case 19:
		back.announced = m->value;
		break;
	case 24:
		/* A disk of 8 sectors */
		memset(m->word + 3, 0, m->word[1]);
		m->word[3] = 8;
		len = m->size;
		break;
	case 25:
		memcpy(back.written, m->word + 3, 4);
		break;
	}
	if (len) {
		back_answer(m, len);
	} else if (m->flags & 8) {
		m->value = 0;
		back_answer(m, 8);
	}
	return true;
}

static inline bool back_hear(void)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct back_message m = { 0 };
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int fds[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	struct cmsghdr *c;
	ssize_t n;

	iov.iov_len = 12;
	n = recvmsg(back.fd, &h, MSG_WAITALL);
	if (n != 12)
		return false;
	c = CMSG_FIRSTHDR(&h);
	if (c)
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if (m.size && recv(back.fd, &m.word, m.size, MSG_WAITALL) != m.size)
		return false;
	return back_handle(&m, fds);
}

static inline void *back_main(void *arg)
{
	int fd = accept(back.listener, NULL, NULL);
	struct pollfd p[2] = { { fd, POLLIN, 0 } };
	bool goes_on = fd >= 0;
	eventfd_t count;

	BACK_SET(fd, fd);
	while (goes_on) {
		pthread_mutex_lock(&back.lock);
		p[1] = (struct pollfd){ back.enabled ? back.kick : -1, POLLIN,
					0 };
		pthread_mutex_unlock(&back.lock);
		poll(p, 2, -1);
		pthread_mutex_lock(&back.lock);
		if (p[0].revents)
			goes_on = back_hear();
		else if (p[1].revents && back.enabled &&
			 !eventfd_read(back.kick, &count))
			back_serve();
		pthread_mutex_unlock(&back.lock);
	}
	pthread_mutex_lock(&back.lock);
	back_keep(&back.fd, -1);
	pthread_mutex_unlock(&back.lock);
	return NULL;
}

/* Waits for one connection at back.path */
static inline void back_start(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	pthread_mutex_init(&back.lock, NULL);
	back.kick = back.call = back.err = back.fd = -1;
	snprintf(back.path, sizeof(back.path), "/tmp/vhost-test-%d", getpid());
	strcpy(a.sun_path, back.path);
	unlink(back.path);
	back.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(back.listener, (void *)&a, sizeof(a)) ||
	    listen(back.listener, 1) ||
	    pthread_create(&back.thread, NULL, back_main, NULL))
		abort();
}

/* It ends when its connection does */
static inline void back_join(void)
{
	/* It may wait for one that never came */
	shutdown(back.listener, SHUT_RDWR);
	pthread_join(back.thread, NULL);
	back_unmap();
	back_keep(&back.listener, -1);
	back_keep(&back.kick, -1);
	back_keep(&back.call, -1);
	back_keep(&back.err, -1);
	back.enabled = false;
	unlink(back.path);
}

#endif
