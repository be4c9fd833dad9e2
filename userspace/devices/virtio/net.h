/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of virtio-net: frames (net.c), and its control queue (net_control.c). */
#ifndef MVMM_VIRTIO_NET_H
#define MVMM_VIRTIO_NET_H

#include "core/machine.h"
#include "devices/virtio/virtio.h"
#include "net/net.h"

enum { NIC_RX, NIC_TX, NIC_CONTROL, NIC_QUEUES };

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
 * struct nic - the device
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
	struct virtio virtio;
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

#endif
