// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net (virtio 1.2, 5.1): a NIC, which is one end of a struct port. What
 * the driver asks of it by its control queue is in net_control.c, and which of
 * several queues a frame takes in net_steer.c.
 */
#include <linux/ethtool.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include "devices/virtio/net.h"
#include "net/chains.h"

/* Of the configuration, as far as there is something in it; more with RSS */
#define CONFIG_LEN	offsetof(struct virtio_net_config, speed)

static struct nic *of_port(struct port *port)
{
	return (struct nic *)((char *)port - offsetof(struct nic, port));
}

static struct virtqueue *queue_of(struct nic *n, unsigned int pair,
				  unsigned int queue)
{
	return &n->virtio.queue[2 * pair + queue];
}

/* Where the control queue is: of more pairs than one the driver may not know */
static unsigned int control_number(const struct nic *n)
{
	return virtio_has(&n->virtio, VIRTIO_NET_F_MQ) ||
	       virtio_has(&n->virtio, VIRTIO_NET_F_RSS) ? n->ops.queues - 1 :
	       NIC_CONTROL;
}

/* At once, but by the loop, and not before a paused machine goes on */
static void resume_later(struct nic *n)
{
	struct loop *loop = n->virtio.pci.device.loop;

	loop_set_timer(loop, &n->resumed, vm_clock_now(loop->clock) + 1);
}

/* What a paused machine does not do it does when it goes on */
static bool is_paused(struct nic *n)
{
	if (!machine_pausing(n->virtio.pci.device.machine))
		return false;
	resume_later(n);
	return true;
}

/* ---- to the guest --------------------------------------------------------- */

/* Of each frame, both ways; the hash only if the driver wants it */
struct nic_head {
	struct virtio_net_hdr_v1 frame;
	struct nic_hash hash;
};

static size_t head_of(const struct nic *n)
{
	return virtio_has(&n->virtio, VIRTIO_NET_F_HASH_REPORT) ?
	       sizeof(struct nic_head) : sizeof(struct virtio_net_hdr_v1);
}

/* By others, or by one who may not have let go of the rings yet */
static bool is_served(const struct nic *n)
{
	return n->vhost.running || n->vhost.dead;
}

static bool receive(struct port *port, const struct frame *frame)
{
	struct nic *n = of_port(port);
	struct nic_head to = { .frame = frame->header };
	struct virtqueue *q = queue_of(n, nic_steer(n, frame, &to.hash),
				       NIC_RX);
	uint8_t head[NIC_HEAD];
	size_t len;
	int ret;

	/* What came before the rings were handed over */
	if (!virtio_is_running(&n->virtio) || !q->enabled || is_served(n)) {
		port_drop(&port->from_peer, DROP_NO_LINK);
		return true;
	}
	if (is_paused(n))
		return false;
	len = frame_peek(frame, head, sizeof(head));
	if (len < FRAME_MIN || frame->len > FRAME_MAX) {
		port_drop(&port->from_peer, DROP_LENGTH);
		return true;
	}
	if (!nic_accepts(n, head, len)) {
		port_drop(&port->from_peer, DROP_FILTER);
		return true;
	}
	if (!virtio_has(&n->virtio, VIRTIO_NET_F_GUEST_CSUM))
		to.frame.flags = 0;
	to.frame.num_buffers = 1;
	ret = chains_put(q, n->filled,
			 virtio_has(&n->virtio, VIRTIO_NET_F_MRG_RXBUF), &to,
			 head_of(n), frame);
	if (!ret && !virtio_is_running(&n->virtio))
		ret = -1;
	n->waits = !ret;
	if (ret < 0)
		port_drop(&port->from_peer, DROP_LENGTH);
	else if (ret)
		port_sent(port, frame);
	return ret;
}

static void flush(struct port *port)
{
	struct nic *n = of_port(port);
	unsigned int pair;

	for (pair = 0; pair < nic_pairs(n) && virtio_is_running(&n->virtio); pair++)
		queue_signal(queue_of(n, pair, NIC_RX));
}

/* ---- from the guest ------------------------------------------------------- */

/* False: the peer does not take it now */
static bool send_chain(struct nic *n, unsigned int pair, struct chain *chain)
{
	struct port_count *count = &n->port.to_peer;
	/* Of one that is sent a hash says nothing */
	struct nic_head head;
	struct frame frame;

	if (!chain_frame(chain, &head, head_of(n), &frame)) {
		port_refuse(count, DROP_LENGTH);
		return true;
	}
	if (!frame_check(&frame, chains_gives(n->virtio.driver_features))) {
		port_refuse(count, DROP_HEADER);
		return true;
	}
	nic_sent_by(n, &frame, pair);
	return port_send(&n->port, &frame);
}

static void transmit(struct nic *n, unsigned int pair)
{
	struct virtqueue *q = queue_of(n, pair, NIC_TX);
	unsigned int left = q->size;
	struct chain chain;

	if (!virtio_is_running(&n->virtio) || !q->enabled || n->sending ||
	    n->tap_fd || is_served(n) || is_paused(n))
		return;
	n->sending = true;
	while (queue_pop(q, &chain)) {
		/* A driver that adds more all the time: others are served, too */
		if (!left--) {
			queue_unpop(q, &chain);
			virtio_again(&n->virtio, q);
			break;
		}
		if (!send_chain(n, pair, &chain)) {
			queue_unpop(q, &chain);
			break;
		}
		queue_push(q, &chain, 0);
	}
	n->sending = false;
	port_flush(&n->port);
	queue_signal(q);
}

/* Where there is not room for all, another pair is the first one next time */
static void transmit_all(struct nic *n)
{
	unsigned int nr = nic_pairs(n), i;

	for (i = 0; i < nr; i++)
		transmit(n, (n->first + i) % nr);
	n->first++;
}

static void ready(struct port *port)
{
	transmit_all(of_port(port));
}

/* ---- the link ------------------------------------------------------------- */

static bool has_link(const struct nic *n)
{
	return n->port.peer && n->port.peer->link;
}

/* A driver that can tells the others all of its addresses, when it is asked */
static void announce(struct nic *n)
{
	n->moved = false;
	if (!virtio_is_running(&n->virtio))
		return;
	port_announce(&n->port, n->mac);
	if (!virtio_has(&n->virtio, VIRTIO_NET_F_GUEST_ANNOUNCE))
		return;
	n->announce = true;
	virtio_config_changed(&n->virtio);
}

static void tell_driver(struct nic *n)
{
	if (virtio_has(&n->virtio, VIRTIO_NET_F_STATUS))
		virtio_config_changed(&n->virtio);
}

static void changed(struct port *port)
{
	struct nic *n = of_port(port);

	nic_direct_changed(n);
	if (n->had_link == has_link(n))
		return;
	n->had_link = has_link(n);
	tell_driver(n);
	/* Whoever is there now does not know of the guest */
	if (n->had_link && !machine_pausing(n->virtio.pci.device.machine))
		announce(n);
}

static void on_resumed(void *ctx)
{
	struct nic *n = ctx;

	if (n->moved && has_link(n))
		announce(n);
	else if (n->moved)
		/* It may have had one where it was saved */
		tell_driver(n);
	port_ready(&n->port);
	transmit_all(n);
}

/* ---- the device ----------------------------------------------------------- */

static void notified(struct virtio *virtio, struct virtqueue *queue)
{
	struct nic *n = (struct nic *)virtio;
	unsigned int takes = chains_takes(n->virtio.driver_features);

	/* The driver has agreed on it by now */
	if (n->port.takes != takes) {
		n->port.takes = takes;
		port_changed(&n->port);
	}
	if (queue->number == control_number(n))
		nic_control(n, queue);
	else if (n->tap_fd)
		nic_vhost_notified(n, queue, control_number(n));
	else if (nic_direct(n, queue))
		return;
	else if (queue->number % 2 == NIC_TX)
		transmit(n, queue->number / 2);
	/* Of a broken device no buffers come any more */
	if (n->waits && (queue->number % 2 == NIC_RX ||
			 !virtio_is_running(virtio))) {
		n->waits = false;
		port_ready(&n->port);
	}
}

static uint64_t features(struct virtio *virtio)
{
	struct nic *n = (struct nic *)virtio;
	const struct port *peer = n->port.peer;
	unsigned int takes = peer ? peer->takes : 0;
	unsigned int gives = peer ? peer->gives : 0;
	static const struct { unsigned int port, takes, gives; } bits[] = {
		{ PORT_CSUM, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM },
		{ PORT_TSO4, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4 },
		{ PORT_TSO6, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_GUEST_TSO6 },
		{ PORT_ECN, VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_GUEST_ECN } };
	uint64_t f = 1ull << VIRTIO_NET_F_MAC | 1ull << VIRTIO_NET_F_STATUS |
		     1ull << VIRTIO_NET_F_MRG_RXBUF | NIC_CONTROL_FEATURES;
	unsigned int i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (takes & bits[i].port)
			f |= 1ull << bits[i].takes;
		if (gives & bits[i].port)
			f |= 1ull << bits[i].gives;
	}
	if (nic_pairs(n) > 1)
		f |= 1ull << VIRTIO_NET_F_MQ | 1ull << VIRTIO_NET_F_RSS |
		     1ull << VIRTIO_NET_F_HASH_REPORT;
	if (n->tap_fd) {
		/* The tap chooses by flow, and knows no table */
		f &= ~(1ull << VIRTIO_NET_F_RSS |
		       1ull << VIRTIO_NET_F_HASH_REPORT);
		if (!(n->vhost_features & 1ull << VIRTIO_NET_F_MRG_RXBUF))
			f &= ~(1ull << VIRTIO_NET_F_MRG_RXBUF);
		f |= vhost_ring_features(&n->vhost, n->vhost_features);
	}
	return n->mtu ? f | 1ull << VIRTIO_NET_F_MTU : f;
}

static void config(struct virtio *virtio, uint8_t *bytes)
{
	struct nic *n = (struct nic *)virtio;
	struct virtio_net_config c = {
		.status = (has_link(n) ? VIRTIO_NET_S_LINK_UP : 0) |
			  (n->announce ? VIRTIO_NET_S_ANNOUNCE : 0),
		.max_virtqueue_pairs = nic_pairs(n), .mtu = n->mtu,
		.speed = SPEED_UNKNOWN, .duplex = DUPLEX_UNKNOWN,
		.rss_max_key_size = NIC_RSS_KEY,
		.rss_max_indirection_table_length = NIC_RSS_TABLE,
		.supported_hash_types = NIC_RSS_TYPES };

	memcpy(c.mac, n->mac, MAC_LEN);
	memcpy(bytes, &c, n->ops.config_len);
}

static void forget(struct virtio *virtio)
{
	struct nic *n = (struct nic *)virtio;

	if (n->vhost.served)
		vhost_stop(virtio);
	n->asks = true;
	memcpy(n->mac, n->own_mac, MAC_LEN);
	nic_reset_filter(n);
	nic_reset_steering(n);
	n->announce = false;
	n->port.takes = 0;
	port_changed(&n->port);
	/* Without a driver no frame waits: its sender would for ever */
	if (n->waits)
		resume_later(n);
	n->waits = false;
}

static const struct port_ops port_ops = {
	.receive = receive, .flush = flush, .ready = ready, .changed = changed };

static int create(struct device *device, struct error *error)
{
	static const struct virtio_ops ops = {
		.type = VIRTIO_ID_NET, .class = 0x020000,
		.features = features, .config = config,
		.notified = notified, .reset = forget };
	struct machine *m = device->machine;
	struct nic *n = (struct nic *)device;
	const struct machine_nic *is = &m->config.nic[m->nics_made++];
	bool direct = is->port->ops->hand_over && m->memory.fd >= 0 &&
		      is->queues <= 1;

	if (device_set_iothread(device, is->iothread, error))
		return -1;
	n->port = (struct port){ .ops = &port_ops, .loop = device->loop,
				 .name = "virtio-net", .link = true,
				 .gives = PORT_CSUM | PORT_TSO4 | PORT_TSO6 |
					  PORT_ECN };
	n->given = is->mac;
	n->mtu = is->mtu ? is->mtu : is->port->mtu;
	n->resumed = (struct timer){ on_resumed, n, 0, NULL };
	n->ops = ops;
	n->ops.queues = 2 * (is->queues ? is->queues : 1) + 1;
	n->ops.config_len = nic_pairs(n) > 1 ? sizeof(struct virtio_net_config) :
			    CONFIG_LEN;
	n->tap_fd = is->port->queue_fd;
	n->ops.own_rings = n->tap_fd;
	if (n->tap_fd || direct) {
		n->ops.drain = vhost_stop;
		n->ops.revectored = vhost_revectored;
	}
	if (n->tap_fd ? nic_vhost_create(n, error) : direct ?
	    nic_direct_create(n, error) :
	    virtio_create(&n->virtio, &n->ops, error))
		return -1;
	pthread_mutex_lock(device->lock);
	port_connect(&n->port, is->port);
	pthread_mutex_unlock(device->lock);
	return 0;
}

static void reset(struct device *device)
{
	struct nic *n = (struct nic *)device;

	memcpy(n->own_mac, n->given, MAC_LEN);
	n->pairs = nic_pairs(n);
	virtio_reset(&n->virtio);
}

/* The guest may be elsewhere now */
static int loaded(struct device *device, struct error *error)
{
	struct nic *n = (struct nic *)device;

	if (n->pairs != nic_pairs(n))
		return fail(error, STATUS_DATA,
			    "a state with %u pairs of queues, for a NIC with %u",
			    n->pairs, nic_pairs(n));
	if (nic_check_filter(n, error) || nic_check_steering(n, error))
		return -1;
	n->moved = n->asks = true;
	nic_set_active(n, n->active);
	resume_later(n);
	return virtio_loaded(&n->virtio, error);
}

static void destroy(struct device *device)
{
	struct nic *n = (struct nic *)device;

	pthread_mutex_lock(device->lock);
	if (n->vhost.served)
		vhost_stop(&n->virtio);
	port_disconnect(&n->port);
	loop_set_timer(device->loop, &n->resumed, 0);
	pthread_mutex_unlock(device->lock);
	if (n->tap_fd)
		nic_vhost_destroy(n);
	else if (n->vhost.served)
		nic_direct_destroy(n);
	else
		virtio_destroy(&n->virtio);
}

/* Without vhost nothing is ever in flight */
static void saving(struct device *device)
{
	if (((struct nic *)device)->vhost.served)
		vhost_saving(device);
}

static int can_save(struct device *device, struct error *error)
{
	struct nic *n = (struct nic *)device;

	return !n->vhost.served || !n->vhost.dead ? 0 :
	       fail(error, STATUS_USAGE,
		    "the machine cannot be saved: the back end of %s is lost, and with it what was in flight",
		    n->vhost.name);
}

static const struct field fields[] = {
	VIRTIO_FIELDS(struct nic, NIC_QUEUES), FIELD(struct nic, pairs),
	FIELD(struct nic, active), FIELD(struct nic, rss.on),
	FIELD(struct nic, rss.types), FIELD(struct nic, rss.mask),
	FIELD(struct nic, rss.unclassified), FIELD_ARRAY(struct nic, rss.table),
	FIELD_ARRAY(struct nic, rss.key), FIELD_ARRAY(struct nic, mac),
	FIELD_ARRAY(struct nic, own_mac),
	FIELD_ARRAY(struct nic, mode), FIELD_ARRAY(struct nic, unicast.mac),
	FIELD(struct nic, unicast.nr), FIELD(struct nic, unicast.too_many),
	FIELD_ARRAY(struct nic, multicast.mac),
	FIELD(struct nic, multicast.nr), FIELD(struct nic, multicast.too_many),
	FIELD_ARRAY(struct nic, vlan), FIELD(struct nic, announce), FIELDS_END
};

static const struct option_spec options[] = {
	VIRTIO_OPTIONS(struct nic), OPTIONS_END
};

/* A user adds one by --net */
static const struct device_class virtio_net = {
	.name = "virtio-net", .size = sizeof(struct nic), .options = options,
	.fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
	.saving = saving, .can_save = can_save, .destroy = destroy,
};
DEVICE_CLASS(virtio_net);
