/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of virtio-net: frames (net.c), its control queue (net_control.c), which
 * of several queues a frame takes (net_steer.c), and in the place of the first and the
 * last the host's kernel (net_vhost.c), or a switch (net_direct.c).
 */
#ifndef MVMM_VIRTIO_NET_H
#define MVMM_VIRTIO_NET_H

#include "core/machine.h"
#include "devices/virtio/vhost_link.h"
#include "net/net.h"

/* Of the first pair; the control queue is behind all pairs that the driver knows */
enum { NIC_RX, NIC_TX, NIC_CONTROL };
#define NIC_PAIRS	NET_QUEUES
#define NIC_QUEUES	(2 * NIC_PAIRS + 1)
#define NIC_RSS_TABLE	128
#define NIC_RSS_KEY	40
#define NIC_RSS_TYPES							\
	(VIRTIO_NET_RSS_HASH_TYPE_IPv4 | VIRTIO_NET_RSS_HASH_TYPE_TCPv4 |	\
	 VIRTIO_NET_RSS_HASH_TYPE_UDPv4 | VIRTIO_NET_RSS_HASH_TYPE_IPv6 |	\
	 VIRTIO_NET_RSS_HASH_TYPE_TCPv6 | VIRTIO_NET_RSS_HASH_TYPE_UDPv6)

/* Of a frame, what the filter looks at: addresses, a tag, a type */
#define NIC_HEAD	18
#define NIC_ADDRESSES	64
#define VLANS		4096

#define NIC_CONTROL_FEATURES						\
	(1ull << VIRTIO_NET_F_CTRL_VQ | 1ull << VIRTIO_NET_F_CTRL_RX |	\
	 1ull << VIRTIO_NET_F_CTRL_RX_EXTRA |				\
	 1ull << VIRTIO_NET_F_CTRL_VLAN |				\
	 1ull << VIRTIO_NET_F_CTRL_MAC_ADDR |				\
	 1ull << VIRTIO_NET_F_GUEST_ANNOUNCE)

/**
 * struct mac_list - addresses that the guest listens to
 * @mac: these, one behind the other
 * @nr: how many
 * @too_many: there was no room: it gets all
 */
struct mac_list {
	uint8_t mac[NIC_ADDRESSES * MAC_LEN];
	uint16_t nr;
	bool too_many;
};

/**
 * struct nic_rss - to which pair a frame goes, as the driver wants it, and its hash
 * @on: by this; else by where its flow was sent last
 * @types: VIRTIO_NET_RSS_HASH_TYPE_* that have a hash
 * @mask: of the hash: the rest is where in @table
 * @unclassified: the pair of a frame without a hash
 * @table: pairs
 * @key: of the hash
 */
struct nic_rss {
	bool on;
	uint32_t types;
	uint16_t mask, unclassified;
	uint16_t table[NIC_RSS_TABLE];
	uint8_t key[NIC_RSS_KEY];
};

/**
 * struct nic - the device
 * @ops: for as many queues as there are, whatever a state says
 * @pairs: of the state: nic_pairs() has those that there are
 * @active: pairs that the driver sends by
 * @rss: by which it receives
 * @sent_by: the pair by which a flow was sent last, by a hash; a state has none
 * @first: the pair that sends first when the network has room again
 * @tap_fd: the network's queues, which the host's kernel serves by vhost; NULL: it
 *	does not
 * @vhost_fd: of that, for each pair
 * @vhost_features: that it offers
 * @link: to who may serve the rings in its place: the other end of the network
 * @place: how far he got
 * @asks: he is to be asked when there is something to be served
 * @betrayed: he broke a rule while he had the rings: not this one again
 * @port: of which the network is the peer
 * @given: the address that this machine's user gave it
 * @own_mac: before the driver has set another: it stays when a guest is loaded
 * @mtu: that the driver is told, 0: none
 * @resumed: the machine goes on, or the driver has gone
 * @filled: chains that got parts of a frame
 * @sending: a frame is being sent, which may end the link: not another now
 * @waits: a frame waits for chains to receive
 * @had_link: as the driver was told
 * @moved: it was loaded, and nobody knows of it yet
 * @mac: the guest's address
 * @mode: what it wants besides, by VIRTIO_NET_CTRL_RX_*
 * @unicast: other addresses of its own
 * @multicast: the groups that it is in
 * @vlan: a bit for each that it is in
 * @announce: the driver is asked to announce itself
 */
struct nic {
	union {
		struct virtio virtio;
		struct vhost vhost;
	};
	struct virtio_ops ops;
	uint16_t pairs, active;
	struct nic_rss rss;
	uint8_t sent_by[256];
	unsigned int first;
	const int *tap_fd;
	int vhost_fd[NIC_PAIRS];
	uint64_t vhost_features;
	struct vhost_link link;
	uint32_t *place;
	bool asks, betrayed;
	struct port port;
	const uint8_t *given;
	uint8_t own_mac[MAC_LEN];
	uint16_t mtu;
	struct timer resumed;
	struct filled filled[VIRTIO_RING_MAX];
	bool sending, waits, had_link, moved;
	uint8_t mac[MAC_LEN];
	bool mode[VIRTIO_NET_CTRL_RX_NOBCAST + 1];
	struct mac_list unicast, multicast;
	uint64_t vlan[VLANS / 64];
	bool announce;
};

/* @head: the first bytes of a frame, FRAME_MIN at least */
bool nic_accepts(const struct nic *nic, const uint8_t *head, size_t len);
/* Before the driver has said what it wants, it gets everything */
void nic_reset_filter(struct nic *nic);
/* It was loaded */
int nic_check_filter(const struct nic *nic, struct error *error);
void nic_control(struct nic *nic, struct virtqueue *queue);

static inline unsigned int nic_pairs(const struct nic *nic)
{
	return nic->ops.queues / 2;
}

/**
 * struct nic_hash - what a driver may be told of a frame
 * @value: of its flow
 * @report: of what, VIRTIO_NET_HASH_REPORT_*; NONE: it has no hash
 * @padding: 0
 */
struct nic_hash {
	uint32_t value;
	uint16_t report, padding;
};

/* The pair of queues that gets a frame: that of the queues is enabled, or 0 */
unsigned int nic_steer(const struct nic *nic, const struct frame *frame,
		       struct nic_hash *hash);
/* The frame was sent by that pair */
void nic_sent_by(struct nic *nic, const struct frame *frame, unsigned int pair);
/* True: done */
bool nic_steer_command(struct nic *nic, struct chain *chain, uint8_t command);
/* So many pairs are in use */
void nic_set_active(struct nic *nic, unsigned int pairs);
/* One pair, until the driver asks for more */
void nic_reset_steering(struct nic *nic);
int nic_check_steering(const struct nic *nic, struct error *error);

/* In the place of virtio_create() and its kin, if there is a @tap_fd */
int nic_vhost_create(struct nic *nic, struct error *error);
void nic_vhost_destroy(struct nic *nic);
/* The same, if the network may serve the rings of one pair (net_direct.c) */
int nic_direct_create(struct nic *nic, struct error *error);
void nic_direct_destroy(struct nic *nic);
/* Does it serve them? Else the NIC does */
bool nic_direct(struct nic *nic, struct virtqueue *queue);
/* It has a link, or none any more */
void nic_direct_changed(struct nic *nic);
/* @rings: of the driver's, but for the control queue */
void nic_vhost_notified(struct nic *nic, struct virtqueue *queue,
			unsigned int rings);

#endif
