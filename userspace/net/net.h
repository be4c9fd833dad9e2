/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whatever moves Ethernet frames is a struct port, and two of them are joined: a
 * NIC and a tap, say. What a port does with the frames of its peer is its own
 * file's; what they have in common, and what --net says, is in net.c;
 * addresses are in mac.c.
 */
#ifndef MVMM_NET_H
#define MVMM_NET_H

#include <jansson.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include "base/error.h"
#include "base/loop.h"
#include "net/bond/bond.h"

#define MAC_LEN		6
#define FRAME_MIN	14		/* two addresses, and a type */
#define FRAME_MAX	(65536 + 32)	/* an IP packet, headers, some tags */

/* What a frame may leave to who receives it: struct frame's header says which */
#define PORT_CSUM	1u
#define PORT_TSO4	2u
#define PORT_TSO6	4u
#define PORT_ECN	8u
#define PORT_ALL	15u

/* Is it for all? */
static inline bool mac_is_broadcast(const uint8_t *mac)
{
	static const uint8_t all[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	return !memcmp(mac, all, MAC_LEN);
}

/**
 * struct frame - an Ethernet frame on its way, without its check sequence
 * @header: what is left to do: the checksum, the segments
 * @iov: its bytes: of a guest, who may change them: what decides is read once
 * @niov: how many
 * @len: bytes in all
 */
struct frame {
	struct virtio_net_hdr_v1 header;
	const struct iovec *iov;
	unsigned int niov;
	size_t len;
};

/* Why a frame did not get on */
enum port_drop { DROP_NO_LINK, DROP_LENGTH, DROP_HEADER, DROP_FILTER,
		 DROP_REFUSED, DROP_LOST,
		 /* A switch's */
		 DROP_VLAN, DROP_NOBODY, DROP_FULL, DROP_SOURCE, DROP_LOCAL,
		 DROP_MIRROR, DROP_FORGED, DROP_STORM, DROP_BLOCKED,
		 /* A cable's */
		 DROP_RATE, DROP_CHANCE, DROPS };

/**
 * struct port_count - of the frames in one direction; one that waits is in none
 * @in: those that came; the sum of @out and @dropped
 * @out: those that went on
 * @bytes: of these
 * @dropped: the others, by the reason
 */
struct port_count {
	uint64_t in, out, bytes, dropped[DROPS];
};

struct port;
struct pcap;

/**
 * struct port_ops - of a kind of port; the loop's lock is held
 * @start: from here on the loop serves it. 0, or -1 with @error; may be NULL
 * @receive: takes a frame of the peer's, which it has counted; it notes it as sent
 *	or dropped. False: not now, and @ready of the peer follows
 * @flush: the peer has no more for now
 * @ready: the peer takes frames again
 * @changed: the peer's link, offloads or queues are others now, or the peer
 * @print: what else there is to say of it, behind its counters; not in use
 * @hand_over: what is behind it may serve the rings of a NIC itself, by vhost-user.
 *	A socket to it, which is the caller's, and @place: of its two rings, see struct
 *	virtqueue; -1: not now
 * @close: frees it
 *
 * All but @receive may be NULL.
 */
struct port_ops {
	int (*start)(struct port *port, struct error *error);
	bool (*receive)(struct port *port, const struct frame *frame);
	void (*flush)(struct port *port);
	void (*ready)(struct port *port);
	void (*changed)(struct port *port);
	void (*print)(const struct port *port, FILE *file);
	int (*hand_over)(struct port *port, uint32_t **place);
	void (*close)(struct port *port);
};

/**
 * struct port - begins each kind's struct
 * @ops: of its kind
 * @peer: the other one, or NULL
 * @loop: serves both
 * @link: frames get somewhere
 * @takes: PORT_*: what frames to it may leave undone
 * @gives: PORT_*: what its own may, if the peer takes that
 * @mtu: of what is behind it, 0: not known
 * @mac: what the NIC gets, says who is behind it; zero: it does not say
 * @queue_fd: of a tap, whose frames the host's kernel is to move: a descriptor for
 *	each pair of the NIC's queues; else NULL
 * @queues: of a NIC: how many of these it uses
 * @name: for messages; static or the kind's
 * @capture: of what it and its peer send, or NULL
 * @to_peer: frames from outside, on their way to the peer
 * @from_peer: frames of the peer's, on their way outside
 */
struct port {
	const struct port_ops *ops;
	struct port *peer;
	struct loop *loop;
	bool link;
	unsigned int takes, gives;
	unsigned int mtu;
	uint8_t mac[MAC_LEN];
	const int *queue_fd;
	unsigned int queues;
	const char *name;
	struct pcap *capture;
	struct port_count to_peer, from_peer;
};

/* The loop's lock is held by the callers of the following */

/* A frame that waits in one waits on, until the other one calls port_ready() */
void port_connect(struct port *a, struct port *b);
/* Its peer has none then, either */
void port_disconnect(struct port *port);
/*
 * Gives the peer a frame, or drops it; what it leaves undone and the peer does not take
 * is done here. False: it is to be sent again: @ready
 */
bool port_send(struct port *port, const struct frame *frame);
/* After one or more of these */
void port_flush(struct port *port);
/* For @receive: the frame went out */
void port_sent(struct port *port, const struct frame *frame);
/* It takes frames again */
void port_ready(struct port *port);
void port_set_link(struct port *port, bool up);
/* The peer looks at its offloads, and at its link */
void port_changed(struct port *port);
/*
 * Sends reverse ARP, which no host answers: each switch learns that @mac is behind
 * this port
 */
void port_announce(struct port *port, const uint8_t *mac);
/* A frame that was counted is dropped; of port_refuse() it was not */
void port_drop(struct port_count *count, enum port_drop why);
void port_refuse(struct port_count *count, enum port_drop why);

/* Copies its first bytes, @len at most; returns how many */
size_t frame_peek(const struct frame *frame, void *bytes, size_t len);
/*
 * Is what the header leaves to do possible, and among PORT_*? Segments of TCP need
 * a checksum, which lies within the frame. What has no meaning becomes zero.
 */
bool frame_check(struct frame *frame, unsigned int offloads);

/*
 * Does what a frame leaves to do (offload.c): @emit gets it, or its segments, with
 * their number. False: no more. BAD: the header is not that of the frame, or there
 * would be too many
 */
enum offload_result { OFFLOAD_BAD, OFFLOAD_STOPPED, OFFLOAD_DONE };
typedef bool offload_emit(void *ctx, const struct frame *frame, unsigned int nr);
enum offload_result offload_finish(const struct frame *frame, offload_emit *emit,
				   void *ctx);

/* Why, in a few words */
const char *port_why(enum port_drop why);
/* For the user: of what is behind a NIC, and of that; they are not in use */
void port_print(const struct port *port, FILE *file);
/* For programs: one direction */
json_t *port_count_json(const struct port_count *count);
/* Without that */
void port_print_own(const struct port *port, FILE *file);

/* ---- --net (net.c) -------------------------------------------------------- */

/**
 * struct net_config - what --net says
 * @kind: "tap", "stream", "user", "switch", "vde", "bond"
 * @address: what is behind the kind, or NULL
 * @bridge: where a tap is added, or NULL
 * @server: it listens
 * @forwards: how many ports of the host are the guest's
 * @forward: these, as the text has them
 * @port_options: of the port of a switch, as text: switch_options
 * @mac: of the guest's NIC, if @has_mac; else what a switch may change
 * @mac_text: the same, as it was given, or NULL
 * @has_mac: it was given
 * @model: of that NIC: NET_*
 * @mtu: of that NIC, 0: the back end's
 * @pcap: a file that gets all frames, or NULL
 * @iothread: that serves the NIC and what is behind it, or NULL
 * @queues: pairs of the NIC's, 0: one
 * @vhost: the host's kernel moves frames between the NIC and a tap
 * @bond: of the kind "bond"
 */
#define NET_FORWARDS	32
#define NET_QUEUES	8		/* pairs of a NIC */
#define NET_PORT_OPTIONS 240
enum { NET_VIRTIO, NET_E1000 };
struct net_config {
	const char *kind, *address, *bridge;
	bool server, vhost;
	unsigned int forwards;
	const char *forward[NET_FORWARDS];
	char port_options[NET_PORT_OPTIONS];
	uint8_t mac[MAC_LEN];
	const char *mac_text;
	bool has_mac;
	unsigned int model;
	unsigned int mtu, queues;
	const char *pcap, *iothread;
	struct bond_config bond;
};

/* @text is cut into pieces, which @config points to. -1 with @error */
int net_parse(struct net_config *config, char *text, struct error *error);
/* Six bytes with colons between, of one station. -1 with @error */
int net_parse_mac(uint8_t *mac, const char *text, struct error *error);
#define MAC_TEXT	18
/* The same the other way; returns @text */
char *mac_text(const uint8_t *mac, char text[MAC_TEXT]);
/* NULL with @error */
struct port *net_open(const struct net_config *config, struct error *error);
/* From here on @loop serves it. -1 with @error */
int net_start(struct port *port, struct loop *loop, struct error *error);
/* Its peer has gone. NULL: nothing happens */
void net_close(struct port *port);
/*
 * The address of a NIC that was given none: the same for the same text on the same
 * host, and its own (locally administered)
 */
void net_mac(const char *text, uint8_t *mac);

/* ---- kinds ---------------------------------------------------------------- */

struct port *tap_open(const struct net_config *config, struct error *error);
struct port *stream_port_open(const struct net_config *config,
			      struct error *error);
struct port *switch_port_open(const struct net_config *config,
			      struct error *error);
struct port *vde_port_open(const struct net_config *config,
			   struct error *error);
struct port *user_open(const struct net_config *config, struct error *error);

/* ---- captures (pcap.c) ---------------------------------------------------- */

/* NULL with @error */
struct pcap *pcap_open(const char *path, const char *interface,
		       struct error *error);
/* @outward: to the port that has the capture, and not from it */
void pcap_frame(struct pcap *pcap, const struct frame *frame, bool outward);
void pcap_close(struct pcap *pcap);

#endif
