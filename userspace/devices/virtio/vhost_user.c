// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that another process serves, by vhost-user (vhost_link.h). It may be
 * hostile: when it is lost the guest is told that its device needs a reset. Where
 * virtiofsd comes from: virtiofsd.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_scsi.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "devices/virtio/vhost_link.h"
#include "devices/virtio/vhost_user.h"

#define QUEUES		VHOST_USER_QUEUES
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
 * @link: to the back end
 * @space: its configuration
 * @mac: of a net: the guest's address, which stays when it is loaded
 * @pid: of a back end that was started here, or 0
 */
struct vhost_user {
	struct vhost vhost;
	struct virtio_ops ops;
	const struct vhost_type *type;
	const struct machine_vhost *config;
	struct vhost_link link;
	uint8_t space[CONFIG_MAX];
	uint8_t mac[sizeof(((struct virtio_net_config *)0)->mac)];
	pid_t pid;
};

static const struct vhost_ops back_ops = {
	.begin = vhost_link_begin, .call = vhost_link_call,
	.start = vhost_link_start, .stop = vhost_link_stop,
	.lost = vhost_link_lost };

/* ---- the device ----------------------------------------------------------- */

static uint64_t features(struct virtio *virtio)
{
	struct vhost_user *u = (struct vhost_user *)virtio;

	return vhost_ring_features(&u->vhost, u->link.features) |
	       (u->link.features & u->type->features) | u->type->own;
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
	struct vhost_message m = { .request = GET_CONFIG,
			     .size = CONFIG_HEADER + len,
			     .config = { .size = len } };

	if (vhost_link_ask(&u->link, &m, CONFIG_HEADER + len, error))
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
	struct vhost_message m = { .request = SET_CONFIG,
			     .config = { .at = at, .size = size } };
	struct error error = { 0 };

	if (!(u->link.protocol & P_CONFIG) || u->vhost.dead || u->type->own)
		return;
	memcpy(m.config.bytes, &value, size);
	vhost_ask(&u->vhost, VHOST_ANSWERS);
	if (vhost_link_tell(&u->link, &m, CONFIG_HEADER + size, NULL, 0, &error) ||
	    read_space(u, &error))
		vhost_fail(&u->vhost, error.text);
}

static int check_queues(struct vhost_user *u, struct error *error)
{
	uint64_t nr = 0;

	if (u->link.protocol & P_MQ && vhost_link_value(&u->link, GET_QUEUE_NUM, &nr, error))
		return -1;
	if (u->link.protocol & P_MQ && nr < u->ops.queues)
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
	if (!(u->link.protocol & P_CONFIG))
		return fail(error, STATUS_USAGE,
			    "it does not tell the configuration of a device (protocol feature 9)");
	return read_space(u, error);
}

static int introduce(struct vhost_user *u, int fd, struct error *error)
{
	/* It may have to start, and there is nobody yet who would wait */
	vhost_ask(&u->vhost, VHOST_STOPS);
	return vhost_link_open(&u->link, &u->vhost, fd, error) ||
	       check_queues(u, error) || make_space(u, error) ? -1 : 0;
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
		virtiofsd_end(u->pid, u->link.socket.fd);
	pthread_mutex_lock(lock);
	vhost_link_close(&u->link);
	pthread_mutex_unlock(lock);
}

/* A device of its own, or of a back end that is there */
static int make(struct vhost_user *u, int fd, struct error *error)
{
	struct device *device = &u->vhost.virtio.pci.device;
	struct error why = { 0 };
	int ret;

	if (introduce(u, fd, &why))
		return fail(error, why.status, "the back end of %s: %s",
			    u->vhost.name, why.text);
	if (vhost_create(&u->vhost, &u->ops, &back_ops, error))
		return -1;
	pthread_mutex_lock(device->lock);
	ret = vhost_link_watch(&u->link);
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
	if (!make(u, fd, error))
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
	if (mac && u->link.protocol & P_RARP && !u->vhost.dead &&
	    vhost_link_tell_value(&u->link, SEND_RARP, mac, &why))
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
