/* SPDX-License-Identifier: GPL-2.0 */
/*
 * LACP of one link: what both ends say of themselves, and when frames may take
 * the link (IEEE 802.1AX-2014, 6.4). It knows neither sockets nor other links:
 * who has the link brings frames and the time, sends what is due, and says which
 * links are one (bond.c).
 */
#ifndef MVMM_LACP_H
#define MVMM_LACP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "net/net.h"

#define LACP_FRAME	124	/* an LACPDU's, 6.4.2.3 */

/* Of a port's state, 6.4.2.3 */
#define LACP_ACTIVE		0x01
#define LACP_SHORT_TIMEOUT	0x02
#define LACP_AGGREGATION	0x04
#define LACP_SYNC		0x08
#define LACP_COLLECTING		0x10
#define LACP_DISTRIBUTING	0x20
#define LACP_DEFAULTED		0x40
#define LACP_EXPIRED		0x80

/**
 * struct lacp_info - what one end says of itself
 * @system: its address
 * @system_priority: smaller is first
 * @key: ports with the same key may be one
 * @port: number of this one
 * @port_priority: smaller is first
 * @state: LACP_*
 */
struct lacp_info {
	uint8_t system[MAC_LEN];
	uint16_t system_priority, key, port, port_priority;
	uint8_t state;
};

/*
 * Receive and Mux machines of 6.4.12 and 6.4.15. Frames are sent when the other end
 * takes them, and taken before that: it is to lose none
 */
enum lacp_receive { LACP_RX_DISABLED, LACP_RX_EXPIRED, LACP_RX_DEFAULTED,
		    LACP_RX_CURRENT };
enum lacp_mux { LACP_DETACHED, LACP_WAITING, LACP_ATTACHED, LACP_COLLECTS,
		LACP_DISTRIBUTES };

/**
 * struct lacp - one link; times are in ns, 0: none
 * @actor: this end
 * @partner: what the other one said last, or is taken for granted
 * @receive: how old that is
 * @mux: whether frames take the link
 * @selected: it is one of a group of links, whose partner is @partner
 * @need_to_send: the other end knows less than it should
 * @expires: when what it said is too old
 * @next: when it gets to hear from here in any case
 * @waits_until: of LACP_WAITING
 * @sent: when the last three LACPDUs went out, the oldest first
 * @received, @lost: LACPDUs, and what was none
 */
struct lacp {
	struct lacp_info actor, partner;
	enum lacp_receive receive;
	enum lacp_mux mux;
	bool selected, need_to_send;
	uint64_t expires, next, waits_until, sent[3];
	uint64_t received, lost;
};

/* @actor without a state; @fast: the other end is to speak each second */
void lacp_init(struct lacp *lacp, const struct lacp_info *actor, bool fast);
void lacp_set_link(struct lacp *lacp, bool up, uint64_t now);
/* A frame of the slow protocols; false: it was no LACPDU that has a meaning here */
bool lacp_take(struct lacp *lacp, const uint8_t *frame, size_t len,
	       uint64_t now);
/* Are both ends of these the same two systems, with the same keys? */
bool lacp_same_group(const struct lacp *a, const struct lacp *b);
/* A partner that speaks LACP and wants links to be one */
bool lacp_has_partner(const struct lacp *lacp);
/* What time alone changes. @active: frames may take the group of this link */
void lacp_run(struct lacp *lacp, bool active, uint64_t now);
/* An LACPDU that is due, from @mac; false: none is */
bool lacp_make(struct lacp *lacp, const uint8_t *mac, uint8_t *frame,
	       uint64_t now);
/* After these: when they are to be called again at the latest, or 0 */
uint64_t lacp_due(const struct lacp *lacp, uint64_t now);

#endif
