// SPDX-License-Identifier: GPL-2.0
/*
 * The front end of vhost-user (QEMU's docs/interop/vhost-user.rst): the back end
 * is another process at the other end of a UNIX socket, which has the guest's
 * RAM and serves the queues. It may be hostile: what it says is checked, one
 * that breaks a rule, goes away or does not answer is lost, and the guest is
 * told that its device needs a reset. Where virtiofsd comes from: virtiofsd.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/vhost_types.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_scsi.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "devices/virtio/vhost.h"
#include "devices/virtio/vhost_user.h"

/* Requests of the front end's */
enum { GET_FEATURES = 1, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 5,
       SET_VRING_NUM = 8, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE,
       SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR, GET_PROTOCOL_FEATURES,
       SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE, SEND_RARP,
       GET_CONFIG = 24, SET_CONFIG };

#define FLAG_VERSION	1u
#define FLAG_REPLY	4u
#define FLAG_NEED_REPLY	8u
/* Protocol features */
#define P_MQ		(1ull << 0)
#define P_RARP		(1ull << 2)
#define P_REPLY_ACK	(1ull << 3)
#define P_CONFIG	(1ull << 9)

#define QUEUES		VHOST_USER_QUEUES
#define CONFIG_MAX	256
#define REGIONS		8	/* that each back end has room for */
struct region_of_memory {
	uint64_t gpa, size, user, offset;
};

struct message {
	uint32_t request, flags, size;
	union {
		uint64_t value;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct {
			uint32_t nr, reserved;
			struct region_of_memory region[REGIONS];
		} table;
		struct {
			uint32_t at, size, flags;
			uint8_t bytes[CONFIG_MAX];
		} config;
	};
} __attribute__((packed));

#define HEADER		offsetof(struct message, value)
#define CONFIG_HEADER	12

/**
 * struct vhost_type - a kind of device
 * @name: behind type=
 * @type: VIRTIO_ID_*
 * @class: of PCI
 * @queues: how many it has besides those for requests
 * @requests: it can have several queues for requests
 * @config_len: of its configuration space
 * @nr_at: where that has how many queues for requests there are
 * @nr_len: of that number, 0: it is nowhere
 * @features: that do not need the front end's help
 * @own: that are the front end's
 */
static const struct vhost_type {
	const char *name;
	uint16_t type;
	uint32_t class;
	unsigned int queues;
	bool requests;
	unsigned int config_len, nr_at, nr_len;
	uint64_t features, own;
} types[] = {
	{ "blk", VIRTIO_ID_BLOCK, 0x010000, 0, true,
	  offsetof(struct virtio_blk_config, max_secure_erase_sectors),
	  offsetof(struct virtio_blk_config, num_queues), 2,
	  1 << VIRTIO_BLK_F_SIZE_MAX | 1 << VIRTIO_BLK_F_SEG_MAX |
	  1 << VIRTIO_BLK_F_GEOMETRY | 1 << VIRTIO_BLK_F_RO |
	  1 << VIRTIO_BLK_F_BLK_SIZE | 1 << VIRTIO_BLK_F_FLUSH |
	  1 << VIRTIO_BLK_F_TOPOLOGY | 1 << VIRTIO_BLK_F_CONFIG_WCE |
	  1 << VIRTIO_BLK_F_MQ | 1 << VIRTIO_BLK_F_DISCARD |
	  1 << VIRTIO_BLK_F_WRITE_ZEROES, 0 },
	{ "fs", VIRTIO_ID_FS, 0x018000, 1, true,
	  sizeof(struct virtio_fs_config),
	  offsetof(struct virtio_fs_config, num_request_queues), 4, 0, 0 },
	/* One pair: more would need a control queue, which is nobody's here */
	{ "net", VIRTIO_ID_NET, 0x020000, 2, false,
	  offsetof(struct virtio_net_config, max_virtqueue_pairs), 0, 0,
	  1 << VIRTIO_NET_F_CSUM | 1 << VIRTIO_NET_F_GUEST_CSUM |
	  1 << VIRTIO_NET_F_GUEST_TSO4 | 1 << VIRTIO_NET_F_GUEST_TSO6 |
	  1 << VIRTIO_NET_F_GUEST_ECN | 1 << VIRTIO_NET_F_GUEST_UFO |
	  1 << VIRTIO_NET_F_HOST_TSO4 | 1 << VIRTIO_NET_F_HOST_TSO6 |
	  1 << VIRTIO_NET_F_HOST_ECN | 1 << VIRTIO_NET_F_HOST_UFO |
	  1 << VIRTIO_NET_F_MRG_RXBUF,
	  1 << VIRTIO_NET_F_MAC | 1 << VIRTIO_NET_F_STATUS },
	{ "rng", VIRTIO_ID_RNG, 0x00ff00, 1, false, 0, 0, 0, 0, 0 },
	{ "scsi", VIRTIO_ID_SCSI, 0x010000, 2, true, 36,
	  offsetof(struct virtio_scsi_config, num_queues), 4, 0, 0 },
};
#define TYPES (sizeof(types) / sizeof(types[0]))

/**
 * struct vhost_user - the device
 * @ops: of its type
 * @type: its type
 * @config: what was asked for
 * @socket: to the back end
 * @features: that it offers
 * @protocol: the same of the protocol's, that are agreed on
 * @space: its configuration
 * @mac: of a net: the guest's address, which stays when it is loaded
 * @pid: of a back end that was started here, or 0
 */
struct vhost_user {
	struct vhost vhost;
	struct virtio_ops ops;
	const struct vhost_type *type;
	const struct machine_vhost *config;
	struct watch socket;
	uint64_t features, protocol;
	uint8_t space[CONFIG_MAX];
	uint8_t mac[sizeof(((struct virtio_net_config *)0)->mac)];
	pid_t pid;
};

/* ---- messages ------------------------------------------------------------- */

/* How long the next send or receive, @name, may wait: the rest of our patience */
static int set_patience(struct vhost_user *u, int name, struct error *error)
{
	uint64_t now = host_ns(), us = (u->vhost.until - now) / 1000;
	struct timeval left = { .tv_sec = us / 1000000,
				.tv_usec = us % 1000000 };

	/* Zero would be for ever */
	if (now >= u->vhost.until || !us)
		return fail(error, STATUS_OS, "it is too slow");
	return setsockopt(u->socket.fd, SOL_SOCKET, name, &left, sizeof(left)) ?
	       fail(error, STATUS_OS, "%s", strerror(errno)) : 0;
}

static int send_message(struct vhost_user *u, const struct message *m,
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
	if (set_patience(u, SO_SNDTIMEO, error))
		return -1;
	do {
		n = sendmsg(u->socket.fd, &h, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)iov.iov_len)
		return 0;
	return fail(error, STATUS_OS, "request %u cannot be sent: %s",
		    m->request, n < 0 ? strerror(errno) : "it takes no more");
}

/* All of it at once, and no descriptors: nobody asks for any */
static int receive(struct vhost_user *u, void *to, size_t len,
		   struct error *error)
{
	struct iovec iov = { to, len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (set_patience(u, SO_RCVTIMEO, error))
		return -1;
	do {
		n = recvmsg(u->socket.fd, &h, MSG_WAITALL | MSG_CMSG_CLOEXEC);
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
static int ask(struct vhost_user *u, struct message *m, uint32_t len,
	       struct error *error)
{
	uint32_t request = m->request;

	m->flags |= FLAG_VERSION;
	if (send_message(u, m, NULL, 0, error) ||
	    receive(u, m, HEADER, error))
		return -1;
	if (m->request != request || m->size != len ||
	    (m->flags & ~FLAG_NEED_REPLY) != (FLAG_VERSION | FLAG_REPLY))
		return fail(error, STATUS_DATA,
			    "it answers request %u with %u, flags 0x%x, of %u bytes",
			    request, m->request, m->flags, m->size);
	return receive(u, (uint8_t *)m + HEADER, len, error);
}

static int ask_value(struct vhost_user *u, uint32_t request, uint64_t *value,
		     struct error *error)
{
	struct message m = { .request = request };
	int ret = ask(u, &m, sizeof(m.value), error);

	*value = m.value;
	return ret;
}

/* Sends @m, with these descriptors, and knows that it was heard if it can */
static int tell_fds(struct vhost_user *u, struct message *m, uint32_t size,
		    const int *fds, unsigned int nr, struct error *error)
{
	uint32_t request = m->request;
	bool ack = u->protocol & P_REPLY_ACK;

	m->size = size;
	m->flags = FLAG_VERSION | (ack ? FLAG_NEED_REPLY : 0);
	if (send_message(u, m, fds, nr, error))
		return -1;
	if (!ack)
		return 0;
	if (receive(u, m, HEADER, error))
		return -1;
	if (m->request != request || m->size != sizeof(m->value) ||
	    (m->flags & ~FLAG_NEED_REPLY) != (FLAG_VERSION | FLAG_REPLY))
		return fail(error, STATUS_DATA,
			    "it does not acknowledge request %u", request);
	if (receive(u, &m->value, sizeof(m->value), error))
		return -1;
	return m->value ? fail(error, STATUS_DATA, "it refuses request %u",
			       request) : 0;
}

static int tell(struct vhost_user *u, uint32_t request, uint64_t value,
		struct error *error)
{
	struct message m = { .request = request, .value = value };

	return tell_fds(u, &m, request == SET_OWNER ? 0 : sizeof(m.value),
			NULL, 0, error);
}

static int tell_ring(struct vhost_user *u, uint32_t request, unsigned int n,
		     uint32_t value, struct error *error)
{
	struct message m = { .request = request, .state = { n, value } };

	return tell_fds(u, &m, sizeof(m.state), NULL, 0, error);
}

static int tell_eventfd(struct vhost_user *u, uint32_t request, unsigned int n,
			int fd, struct error *error)
{
	struct message m = { .request = request, .value = n };

	return tell_fds(u, &m, sizeof(m.value), &fd, 1, error);
}

/* ---- rings ---------------------------------------------------------------- */

/*
 * What is called "user" here only has to be the same in all messages: it is the
 * guest's address, and the back end does not learn where we have our memory
 */
static int tell_memory(struct vhost_user *u, struct error *error)
{
	const struct memory *memory =
		&u->vhost.virtio.pci.device.machine->memory;
	struct message m = { .request = SET_MEM_TABLE };
	int fds[REGIONS];
	unsigned int i;
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
		m.table.region[n] = (struct region_of_memory){
			b->gpa, b->size, b->gpa, b->host - memory->base };
		fds[n++] = memory->fd;
	}
	m.table.nr = n;
	return tell_fds(u, &m, 8 + n * sizeof(m.table.region[0]), fds, n,
			error);
}

static int begin(struct vhost *v, uint64_t features, struct error *error)
{
	struct vhost_user *u = (struct vhost_user *)v;

	/* What it has not offered is between the driver and us */
	features &= u->features;
	return tell(u, SET_FEATURES, features | 1ull << VHOST_F_PROTOCOL,
		    error) ||
	       tell_memory(u, error) ? -1 : 0;
}

static int set_call(struct vhost *v, unsigned int n, int fd,
		    struct error *error)
{
	return tell_eventfd((struct vhost_user *)v, SET_VRING_CALL, n, fd,
			    error);
}

static int start_ring(struct vhost *v, unsigned int n, uint32_t base,
		      struct error *error)
{
	struct vhost_user *u = (struct vhost_user *)v;
	const struct virtqueue *q = &v->virtio.queue[n];
	struct message m = { .request = SET_VRING_ADDR,
		.addr = { .index = n, .desc_user_addr = q->desc,
			  .avail_user_addr = q->avail,
			  .used_user_addr = q->used } };

	return tell_ring(u, SET_VRING_NUM, n, q->size, error) ||
	       tell_ring(u, SET_VRING_BASE, n, base, error) ||
	       tell_fds(u, &m, sizeof(m.addr), NULL, 0, error) ||
	       tell_eventfd(u, SET_VRING_ERR, n, v->err.fd, error) ||
	       tell_eventfd(u, SET_VRING_KICK, n, v->virtio.rung[n].fd,
			    error) ||
	       tell_ring(u, SET_VRING_ENABLE, n, 1, error) ? -1 : 0;
}

/* Answers when nothing of the ring is in flight */
static int stop_ring(struct vhost *v, unsigned int n, uint32_t *base,
		     struct error *error)
{
	struct vhost_user *u = (struct vhost_user *)v;
	struct message m = { .request = GET_VRING_BASE,
			     .size = sizeof(m.state), .state = { n, 0 } };

	if (ask(u, &m, sizeof(m.state), error))
		return -1;
	if (m.state.index != n)
		return fail(error, STATUS_DATA,
			    "it was asked about queue %u, and speaks of %u", n,
			    m.state.index);
	*base = m.state.num;
	return 0;
}

static void disconnect(struct vhost_user *u)
{
	if (u->socket.events)
		loop_watch(u->vhost.virtio.pci.device.loop, &u->socket, 0);
	close_fd(&u->socket.fd);
}

static void lost(struct vhost *v)
{
	disconnect((struct vhost_user *)v);
}

static const struct vhost_ops back_ops = {
	.begin = begin, .call = set_call, .start = start_ring, .stop = stop_ring,
	.lost = lost };

/* Between questions it has nothing to say */
static void on_socket(void *ctx, uint32_t events)
{
	struct vhost_user *u = ctx;
	uint8_t byte;
	ssize_t n = recv(u->socket.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		vhost_fail(&u->vhost, "it speaks without being asked");
	else if (!n)
		vhost_fail(&u->vhost, "it has closed the connection");
	else if (errno != EAGAIN && errno != EINTR)
		vhost_fail(&u->vhost, strerror(errno));
}

/* ---- the device ----------------------------------------------------------- */

static uint64_t features(struct virtio *virtio)
{
	struct vhost_user *u = (struct vhost_user *)virtio;

	return vhost_ring_features(&u->vhost, u->features) |
	       (u->features & u->type->features) | u->type->own;
}

static void config(struct virtio *virtio, uint8_t *bytes)
{
	struct vhost_user *u = (struct vhost_user *)virtio;

	memcpy(bytes, u->space, u->ops.config_len);
}

/* As many as were asked for here, of which the back end may have more */
static void set_nr(struct vhost_user *u)
{
	memcpy(u->space + u->type->nr_at, &u->config->queues, u->type->nr_len);
}

static int read_space(struct vhost_user *u, struct error *error)
{
	unsigned int len = u->ops.config_len;
	struct message m = { .request = GET_CONFIG,
			     .size = CONFIG_HEADER + len,
			     .config = { .size = len } };

	if (ask(u, &m, CONFIG_HEADER + len, error))
		return -1;
	if (m.config.at || m.config.size != len)
		return fail(error, STATUS_DATA,
			    "it was asked for %u bytes of configuration, and gives %u at %u",
			    len, m.config.size, m.config.at);
	memcpy(u->space, m.config.bytes, len);
	set_nr(u);
	return 0;
}

static void write_config(struct virtio *virtio, uint64_t at, uint32_t value,
			 unsigned int size)
{
	struct vhost_user *u = (struct vhost_user *)virtio;
	struct message m = { .request = SET_CONFIG,
			     .config = { .at = at, .size = size } };
	struct error error = { 0 };

	if (!(u->protocol & P_CONFIG) || u->vhost.dead || u->type->own)
		return;
	memcpy(m.config.bytes, &value, size);
	vhost_ask(&u->vhost, VHOST_ANSWERS);
	if (tell_fds(u, &m, CONFIG_HEADER + size, NULL, 0, &error) ||
	    read_space(u, &error))
		vhost_fail(&u->vhost, error.text);
}

static int check_queues(struct vhost_user *u, struct error *error)
{
	uint64_t nr = 0;

	if (u->protocol & P_MQ && ask_value(u, GET_QUEUE_NUM, &nr, error))
		return -1;
	if (u->protocol & P_MQ && nr < u->ops.queues)
		return fail(error, STATUS_USAGE,
			    "it has %llu queues, and the device would have %u",
			    (unsigned long long)nr, u->ops.queues);
	return 0;
}

/* Its configuration is the back end's, or, without one, what a file system has */
static int make_space(struct vhost_user *u, struct error *error)
{
	if (u->type->type == VIRTIO_ID_FS) {
		/* The tag comes first */
		memcpy(u->space, u->config->tag, strlen(u->config->tag));
		set_nr(u);
		return 0;
	}
	if (u->type->type == VIRTIO_ID_NET)
		/* A link, up as long as it is there; the address comes by reset() */
		u->space[offsetof(struct virtio_net_config, status)] =
			VIRTIO_NET_S_LINK_UP;
	if (!u->ops.config_len || u->type->type == VIRTIO_ID_NET)
		return 0;
	if (!(u->protocol & P_CONFIG))
		return fail(error, STATUS_USAGE,
			    "it does not tell the configuration of a device (protocol feature 9)");
	return read_space(u, error);
}

static int introduce(struct vhost_user *u, struct error *error)
{
	uint64_t known = P_MQ | P_RARP | P_REPLY_ACK | P_CONFIG, offered;

	/* It may have to start, and there is nobody yet who would wait */
	vhost_ask(&u->vhost, VHOST_STOPS);
	if (ask_value(u, GET_FEATURES, &u->features, error))
		return -1;
	if (!(u->features & 1ull << VIRTIO_F_VERSION_1) ||
	    !(u->features & 1ull << VHOST_F_PROTOCOL))
		return fail(error, STATUS_USAGE,
			    "it is older than virtio 1.0 or vhost-user's protocol features (features 0x%llx)",
			    (unsigned long long)u->features);
	if (ask_value(u, GET_PROTOCOL_FEATURES, &offered, error) ||
	    tell(u, SET_PROTOCOL_FEATURES, offered & known, error))
		return -1;
	u->protocol = offered & known;
	return tell(u, SET_OWNER, 0, error) || check_queues(u, error) ||
	       make_space(u, error) ? -1 : 0;
}

static int connect_to(const char *path, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(error, STATUS_USAGE,
			    "--vhost-user: the name %s is too long for a socket",
			    path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (void *)&address, sizeof(address)))
		return fd;
	fail(error, STATUS_NO_INPUT, "--vhost-user %s: %s", path,
	     strerror(errno));
	close_fd(&fd);
	return -1;
}

static void end_back_end(struct vhost_user *u)
{
	pthread_mutex_t *lock = u->vhost.virtio.pci.device.lock;

	if (u->pid)
		virtiofsd_end(u->pid, u->socket.fd);
	pthread_mutex_lock(lock);
	disconnect(u);
	pthread_mutex_unlock(lock);
}

/* A device of its own, or of a back end that is there */
static int make(struct vhost_user *u, struct error *error)
{
	struct device *device = &u->vhost.virtio.pci.device;
	struct error why = { 0 };
	int ret;

	if (introduce(u, &why))
		return fail(error, why.status, "the back end of %s: %s",
			    u->vhost.name, why.text);
	if (vhost_create(&u->vhost, &u->ops, &back_ops, error))
		return -1;
	pthread_mutex_lock(device->lock);
	ret = loop_watch(device->loop, &u->socket, EPOLLIN);
	pthread_mutex_unlock(device->lock);
	if (!ret)
		return 0;
	fail(error, STATUS_OS, "%s: %s", u->vhost.name, strerror(-ret));
	vhost_destroy(&u->vhost);
	return -1;
}

static const struct vhost_type *find_type(const char *name)
{
	const struct vhost_type *type;

	for (type = types; type < types + TYPES; type++)
		if (!strcmp(type->name, name))
			return type;
	return NULL;
}

bool vhost_user_has_type(const char *name)
{
	return find_type(name);
}

static int create(struct device *device, struct error *error)
{
	struct vhost_user *u = (struct vhost_user *)device;
	struct machine *m = device->machine;
	const struct machine_vhost *c = &m->config.vhost[m->vhosts_made++];
	int fd;

	u->config = c;
	u->type = find_type(c->type);
	u->vhost.name = c->directory ? c->directory : c->socket;
	if (m->memory.fd < 0)
		return fail(error, STATUS_USAGE,
			    "%s: its back end needs the guest's memory: --mem-backend memfd",
			    u->vhost.name);
	u->ops = (struct virtio_ops){
		.type = u->type->type, .class = u->type->class,
		.features = features, .own_rings = true,
		.queues = u->type->queues + (u->type->requests ? c->queues : 0),
		.config_len = u->type->config_len, .config = config,
		.write_config = write_config, .notified = vhost_notified,
		.drain = vhost_stop, .reset = vhost_stop,
		.revectored = vhost_revectored };
	u->vhost.served = u->ops.queues;
	fd = c->directory ? virtiofsd_start(c, &u->pid, error) :
			    connect_to(c->socket, error);
	if (fd < 0)
		return -1;
	u->socket = (struct watch){ on_socket, u, fd, 0 };
	if (!make(u, error))
		return 0;
	end_back_end(u);
	return -1;
}

static void reset(struct device *device)
{
	struct vhost_user *u = (struct vhost_user *)device;

	memcpy(u->mac, u->config->mac, sizeof(u->mac));
	if (u->type->type == VIRTIO_ID_NET)
		memcpy(u->space, u->mac, sizeof(u->mac));
	virtio_reset(&u->vhost.virtio);
}

/* A NIC with its address may be elsewhere: some back ends tell others, if they can */
static int loaded(struct device *device, struct error *error)
{
	struct vhost_user *u = (struct vhost_user *)device;
	struct error why = { 0 };
	uint64_t mac = 0;

	if (!device->machine->memory.shared)
		return fail(error, STATUS_DATA,
			    "its back end needs memory that is shared, and that of a snapshot's file is not");
	if (u->type->type == VIRTIO_ID_NET)
		memcpy(u->space, memcpy(&mac, u->mac, sizeof(u->mac)),
		       sizeof(u->mac));
	if (virtio_loaded(&u->vhost.virtio, error))
		return -1;
	vhost_ask(&u->vhost, VHOST_STOPS);
	if (mac && u->protocol & P_RARP && !u->vhost.dead &&
	    tell(u, SEND_RARP, mac, &why))
		vhost_fail(&u->vhost, why.text);
	return 0;
}

static int can_save(struct device *device, struct error *error)
{
	struct vhost_user *u = (struct vhost_user *)device;

	if (u->type->type == VIRTIO_ID_FS)
		return fail(error, STATUS_USAGE,
			    "the machine cannot be saved while it has the share of %s: the files that the guest has open are known to its back end only",
			    u->vhost.name);
	if (u->vhost.dead)
		return fail(error, STATUS_USAGE,
			    "the machine cannot be saved: the back end of %s is lost, and with it what was in flight",
			    u->vhost.name);
	return 0;
}

static void destroy(struct device *device)
{
	struct vhost_user *u = (struct vhost_user *)device;

	vhost_destroy(&u->vhost);
	end_back_end(u);
}

static const struct field fields[] = {
	VIRTIO_FIELDS(struct vhost, QUEUES), FIELD_ARRAY(struct vhost_user, mac),
	FIELDS_END
};

static const struct option_spec options[] = {
	VIRTIO_OPTIONS(struct vhost), OPTIONS_END
};

static const struct device_class vhost_user = {
	.name = "vhost-user", .size = sizeof(struct vhost_user),
	.options = options, .fields = fields, .create = create, .reset = reset,
	.loaded = loaded, .saving = vhost_saving, .can_save = can_save,
	.destroy = destroy,
};
DEVICE_CLASS(vhost_user);
