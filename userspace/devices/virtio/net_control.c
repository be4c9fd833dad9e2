// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net's control queue (virtio 1.2, 5.1.6.5), and the filter that it sets:
 * which frames the guest gets.
 */
#include <linux/if_ether.h>
#include <string.h>
#include "devices/virtio/net.h"

/* More than that in a table are a mistake */
#define ADDRESSES_MAX	4096

static bool is_in(const struct mac_list *list, const uint8_t *mac)
{
	unsigned int i;

	for (i = 0; i < list->nr; i++)
		if (!memcmp(list->mac + i * MAC_LEN, mac, MAC_LEN))
			return true;
	return list->too_many;
}

/* Is it in no VLAN, or in one of the guest's? */
static bool in_vlan(const struct nic *n, const uint8_t *head, size_t len)
{
	unsigned int id;

	if (!virtio_has(&n->virtio, VIRTIO_NET_F_CTRL_VLAN) || len < NIC_HEAD ||
	    head[12] << 8 != (ETH_P_8021Q & 0xff00) ||
	    head[13] != (ETH_P_8021Q & 0xff))
		return true;
	id = (head[14] << 8 | head[15]) % VLANS;
	return n->vlan[id / 64] >> id % 64 & 1;
}

bool nic_accepts(const struct nic *n, const uint8_t *head, size_t len)
{
	const bool *mode = n->mode;

	if (mode[VIRTIO_NET_CTRL_RX_PROMISC])
		return true;
	if (!in_vlan(n, head, len))
		return false;
	if (mac_is_broadcast(head))
		return !mode[VIRTIO_NET_CTRL_RX_NOBCAST];
	if (head[0] & 1)
		return !mode[VIRTIO_NET_CTRL_RX_NOMULTI] &&
		       (mode[VIRTIO_NET_CTRL_RX_ALLMULTI] ||
			is_in(&n->multicast, head));
	return !mode[VIRTIO_NET_CTRL_RX_NOUNI] &&
	       (mode[VIRTIO_NET_CTRL_RX_ALLUNI] ||
		!memcmp(head, n->mac, MAC_LEN) || is_in(&n->unicast, head));
}

void nic_reset_filter(struct nic *n)
{
	memset(n->mode, 0, sizeof(n->mode));
	n->mode[VIRTIO_NET_CTRL_RX_PROMISC] = true;
	n->unicast = n->multicast = (struct mac_list){ .nr = 0 };
	memset(n->vlan, 0, sizeof(n->vlan));
}

int nic_check_filter(const struct nic *n, struct error *error)
{
	if (n->unicast.nr > NIC_ADDRESSES || n->multicast.nr > NIC_ADDRESSES)
		return fail(error, STATUS_DATA, "more than %u addresses",
			    NIC_ADDRESSES);
	return 0;
}

/* ---- commands: true: done ------------------------------------------------- */

static bool set_mode(struct nic *n, struct chain *chain, uint8_t command)
{
	uint8_t on;

	if (command > VIRTIO_NET_CTRL_RX_NOBCAST ||
	    chain_take(chain, &on, 1) != 1)
		return false;
	n->mode[command] = on;
	return true;
}

static bool take_list(struct chain *chain, struct mac_list *list)
{
	uint8_t mac[MAC_LEN];
	uint32_t nr, i;

	if (chain_take(chain, &nr, sizeof(nr)) != sizeof(nr) ||
	    nr > ADDRESSES_MAX)
		return false;
	*list = (struct mac_list){ .too_many = nr > NIC_ADDRESSES };
	for (i = 0; i < nr; i++) {
		if (chain_take(chain, mac, MAC_LEN) != MAC_LEN)
			return false;
		if (list->nr < NIC_ADDRESSES)
			memcpy(list->mac + list->nr++ * MAC_LEN, mac, MAC_LEN);
	}
	return true;
}

static bool set_addresses(struct nic *n, struct chain *chain, uint8_t command)
{
	struct mac_list unicast, multicast;
	uint8_t mac[MAC_LEN];

	switch (command) {
	case VIRTIO_NET_CTRL_MAC_TABLE_SET:
		/* Both, or none */
		if (!take_list(chain, &unicast) ||
		    !take_list(chain, &multicast))
			return false;
		n->unicast = unicast;
		n->multicast = multicast;
		return true;
	case VIRTIO_NET_CTRL_MAC_ADDR_SET:
		if (chain_take(chain, mac, MAC_LEN) != MAC_LEN)
			return false;
		memcpy(n->mac, mac, MAC_LEN);
		return true;
	default:
		return false;
	}
}

static bool set_vlan(struct nic *n, struct chain *chain, uint8_t command)
{
	uint64_t bit;
	uint16_t id;

	if (chain_take(chain, &id, sizeof(id)) != sizeof(id) || id >= VLANS)
		return false;
	bit = 1ull << id % 64;
	if (command == VIRTIO_NET_CTRL_VLAN_ADD)
		n->vlan[id / 64] |= bit;
	else if (command == VIRTIO_NET_CTRL_VLAN_DEL)
		n->vlan[id / 64] &= ~bit;
	else
		return false;
	return true;
}

static bool acknowledge(struct nic *n, uint8_t command)
{
	if (command != VIRTIO_NET_CTRL_ANNOUNCE_ACK || !n->announce)
		return false;
	n->announce = false;
	return true;
}

static bool handle(struct nic *n, struct chain *chain)
{
	struct virtio_net_ctrl_hdr h;

	if (chain_take(chain, &h, sizeof(h)) != sizeof(h))
		return false;
	switch (h.class) {
	case VIRTIO_NET_CTRL_RX:
		return set_mode(n, chain, h.cmd);
	case VIRTIO_NET_CTRL_MAC:
		return set_addresses(n, chain, h.cmd);
	case VIRTIO_NET_CTRL_VLAN:
		return set_vlan(n, chain, h.cmd);
	case VIRTIO_NET_CTRL_MQ:
		return nic_steer_command(n, chain, h.cmd);
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return acknowledge(n, h.cmd);
	default:
		return false;
	}
}

void nic_control(struct nic *n, struct virtqueue *queue)
{
	unsigned int left = queue->size;
	struct chain chain;
	uint8_t status;

	if (!virtio_has(&n->virtio, VIRTIO_NET_F_CTRL_VQ))
		return;
	while (queue_pop(queue, &chain)) {
		if (!left--) {
			queue_unpop(queue, &chain);
			virtio_again(&n->virtio, queue);
			break;
		}
		status = handle(n, &chain) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
		queue_push(queue, &chain, chain_put(&chain, &status, 1));
	}
	queue_signal(queue);
}
