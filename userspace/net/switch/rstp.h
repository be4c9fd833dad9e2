/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Rapid Spanning Tree Protocol (IEEE 802.1D-2004, clause 17): which ports of a
 * bridge forward, so that a loop of bridges is none. State machines alone: frames and
 * time come from whoever calls, and names are the standard's.
 */
#ifndef MVMM_SWITCH_RSTP_H
#define MVMM_SWITCH_RSTP_H

#include "net/switch/bpdu.h"

#define RSTP_PORTS	64
#define RSTP_COST	20000		/* of a link of 1 Gbit/s */

enum rstp_role { ROLE_DISABLED, ROLE_ROOT, ROLE_DESIGNATED, ROLE_ALTERNATE,
		 ROLE_BACKUP };
enum rstp_info { INFO_DISABLED, INFO_AGED, INFO_MINE, INFO_RECEIVED };

/**
 * struct rstp_port - a port; its members are the variables of 17.19
 * @used: there is one
 * @port_enabled: it has a link
 * @bpdu: what came last; it belongs to rcvd_bpdu and then to rcvd_msg
 * @sending: one is to be sent, of this kind, when all machines stand
 * @prt: where Port Role Transitions stand
 * @sensing: Port Protocol Migration does
 * @tcm: where the Topology Change machine stands
 *
 * Timers are in seconds.
 */
struct rstp_port {
	bool used, port_enabled;
	struct bpdu bpdu;
	bool sending;
	enum bpdu_kind sending_kind;
	uint16_t port_id;
	bool agree, agreed, disputed, forward, forwarding, learn, learning;
	bool new_info, oper_edge, proposed, proposing;
	bool rcvd_bpdu, rcvd_msg, rcvd_rstp, rcvd_stp;
	bool rcvd_tc, rcvd_tc_ack, rcvd_tcn, re_root, reselect, selected;
	bool send_rstp, sync, synced, tc_ack, tc_prop, updt_info;
	enum rstp_role role, selected_role;
	enum rstp_info info_is;
	struct stp_vector designated_priority, port_priority;
	struct stp_times designated_times, port_times;
	unsigned int tx_count;
	uint8_t edge_delay_while, fd_while, hello_when, mdelay_while, rb_while;
	uint8_t rcvd_info_while, rr_while, tc_while;
	enum { PRT_INIT, PRT_BLOCK, PRT_BLOCKED, PRT_ACTIVE } prt;
	bool sensing;
	enum { TCM_INACTIVE, TCM_LEARNING, TCM_ACTIVE } tcm;
};

/**
 * struct rstp - a bridge
 * @id: its identifier: priority and address
 * @root: its root priority vector
 * @root_port: by which port, NULL: it is the root
 * @root_times: see above
 * @changes: of the topology that it has seen
 * @running: the machines do
 * @port: its ports
 * @send: a frame goes out of that port
 * @flush: what was learned there is forgotten
 * @ctx: their argument
 */
struct rstp {
	uint64_t id;
	struct stp_vector root;
	struct rstp_port *root_port;
	struct stp_times root_times;
	uint64_t changes;
	bool running;
	struct rstp_port port[RSTP_PORTS];
	void (*send)(void *ctx, unsigned int port, const uint8_t *frame,
		     size_t len);
	void (*flush)(void *ctx, unsigned int port);
	void *ctx;
};

/* @r is zero, but for send, flush and ctx. @priority: the least is the root */
void rstp_init(struct rstp *r, uint16_t priority, const uint8_t *mac);
void rstp_add(struct rstp *r, unsigned int port, bool enabled);
void rstp_remove(struct rstp *r, unsigned int port);
/* It has a link, or none any more */
void rstp_enable(struct rstp *r, unsigned int port, bool enabled);
/* A frame came for the bridge itself. False: it is no BPDU */
bool rstp_receive(struct rstp *r, unsigned int port, const uint8_t *frame,
		  size_t len);
/* Once in each second */
void rstp_tick(struct rstp *r);
/* For the user: "root", "discarding" ... */
const char *rstp_role_name(const struct rstp_port *p);
const char *rstp_state_name(const struct rstp_port *p);

/* The rest is between rstp.c and rstp_roles.c */

/* 0: the same; less: @a is better */
int stp_compare(const struct stp_vector *a, const struct stp_vector *b);
bool stp_same_times(const struct stp_times *a, const struct stp_times *b);
/* Port Role Selection: true, if a port wanted it */
bool rstp_select_roles(struct rstp *r);
/* Port Role Transitions and Port State Transition: true, if something changed */
bool rstp_transit(struct rstp *r, struct rstp_port *p);

#define rstp_for_each(r, p)						\
	for ((p) = (r)->port; (p) < (r)->port + RSTP_PORTS; (p)++)	\
		if ((p)->used)

#endif
