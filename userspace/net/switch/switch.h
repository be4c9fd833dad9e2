/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A learning Ethernet switch: what it does with a frame, without sockets and
 * processes, which are in server.c. Each port of it is a struct port whose peer is
 * whatever is plugged in there.
 *
 * It never makes a sender wait: for a receiver that is full a frame is dropped, and
 * counted, or one slow guest would stop all others.
 */
#ifndef MVMM_SWITCH_H
#define MVMM_SWITCH_H

#include "base/option.h"
#include "net/net.h"
#include "net/switch/cable.h"
#include "net/switch/macs.h"
#include "net/switch/rstp.h"

#define VLANS		4096		/* 0 and 4095 are none */
#define SWITCH_NAME	32

/**
 * struct switch_config - how a port of it is
 * @name: for the user
 * @vlan: which VLANs, as text: vlan_parse()
 * @isolated: nothing goes from here to another one that is
 * @locked: from here come only frames of one address
 * @storm: frames for all, or for nobody who is known, in a second; 0: any number
 * @cable: between it and what is plugged in: of who plugs it in
 */
struct switch_config {
	const char *name, *vlan;
	bool isolated, locked;
	unsigned int storm;
	struct cable_config cable;
};

extern const struct option_spec switch_options[];

/**
 * struct vlans - of a port
 * @access: frames have no tags here, and belong to @native
 * @native: the VLAN of frames without a tag, 0: there are none
 * @bits: those that the port is in, the native one too
 */
struct vlans {
	bool access;
	uint16_t native;
	uint64_t bits[VLANS / 64];
};

struct ether_switch;

/**
 * struct switch_port - see above; @port is not used while @sw is NULL
 * @sw: what it is a port of
 * @number: its index there
 * @name: for the user
 * @vlans: see above
 * @isolated: see struct switch_config
 * @locked: the same
 * @mac: which address that is; zero: the first one that sends something
 * @storm: the same
 * @flooded: of @storm, in this second
 * @heard: frames of the spanning tree, in this second
 * @copies: how many frames those from here became: a flooded one becomes several
 * @own: frames that the switch itself has sent there: those of the spanning tree
 * @unlearned: senders that were not learned: the port's share was used up
 *
 * Of @port, the frames that came from what is plugged in are from_peer, and those to
 * it are to_peer. The sum of all from_peer.out frames' copies is that of all
 * to_peer.in, with @own.
 */
struct switch_port {
	struct port port;
	struct ether_switch *sw;
	unsigned int number;
	char name[SWITCH_NAME];
	struct vlans vlans;
	bool isolated, locked;
	uint8_t mac[MAC_LEN];
	unsigned int storm, flooded, heard;
	uint64_t copies, own, unlearned;
};

/**
 * struct ether_switch - all zero but for macs.seed it has no ports
 * @port: of which those in @used are
 * @used: a bit for each
 * @touched: those that frames went to since they were flushed
 * @mirrored: what comes from there, or goes there, also goes to ...
 * @mirror: this one, which gets nothing else, and sends nothing; NULL: there is none
 * @now: seconds, from anywhere
 * @spans: there is a spanning tree, of all VLANs
 * @rstp: that; ports that are locked are none of it
 * @macs: see there
 */
struct ether_switch {
	struct switch_port port[SWITCH_PORTS];
	uint64_t used, touched, mirrored;
	struct switch_port *mirror;
	uint32_t now;
	bool spans;
	struct rstp rstp;
	struct macs macs;
};

/*
 * "10": of VLAN 10, without tags. "trunk", or "trunk:10+20-30": of all, or of these,
 * with tags; "/5" behind it: but for VLAN 5, which has none there ("/0": all have).
 * It is VLAN 1 of all, and none of a list. -1 with @error
 */
int vlan_parse(struct vlans *vlans, const char *text, struct error *error);
/* The same, the other way round, as far as it fits */
void vlan_text(const struct vlans *vlans, char *text, size_t len);

/* Before it has ports. @mac: its own */
void switch_span(struct ether_switch *sw, uint16_t priority,
		 const uint8_t *mac);
/* NULL with @error. Something is to be plugged in: port_connect() */
struct switch_port *switch_add(struct ether_switch *sw, struct loop *loop,
			       const struct switch_config *config,
			       struct error *error);
/* What was plugged in has no peer any more */
void switch_remove(struct switch_port *port);
/* What was learned of it is forgotten */
void switch_set_vlans(struct switch_port *port, const struct vlans *vlans);
/* @mirrored: of one port, or ~0 for all. @to NULL: no more */
void switch_mirror(struct ether_switch *sw, uint64_t mirrored,
		   struct switch_port *to);
/* Once in each second */
void switch_tick(struct ether_switch *sw, uint32_t now);

#endif
