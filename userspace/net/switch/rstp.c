// SPDX-License-Identifier: GPL-2.0
/*
 * RSTP: what frames say to a port, what it says to its neighbour, and changes of the
 * topology. See rstp.h; roles are in rstp_roles.c.
 */
#include <string.h>
#include "net/switch/rstp.h"

#define MIGRATE_TIME	3
#define TX_HOLD_COUNT	6
#define HELLO		2

enum heard { HEARD_SUPERIOR, HEARD_REPEATED, HEARD_INFERIOR, HEARD_ROOT,
	     HEARD_OTHER };

/* ---- Port Receive, Port Protocol Migration, Bridge Detection ---------------- */

/* True, here and below: something changed */
static bool receive(struct rstp_port *p)
{
	if (!p->port_enabled) {
		p->rcvd_bpdu = p->rcvd_rstp = p->rcvd_stp = false;
		p->rcvd_msg = false;
		p->edge_delay_while = MIGRATE_TIME;
		return false;
	}
	if (!p->rcvd_bpdu || p->rcvd_msg)
		return false;
	p->rcvd_rstp |= p->bpdu.kind == BPDU_RST;
	p->rcvd_stp |= p->bpdu.kind != BPDU_RST;
	p->oper_edge = p->rcvd_bpdu = false;
	p->rcvd_msg = true;
	p->edge_delay_while = MIGRATE_TIME;
	return true;
}

/* Whom 802.1D-1998 is all that is heard of, is spoken to so */
static bool migrate(struct rstp_port *p)
{
	bool rstp = p->send_rstp;

	if (!p->port_enabled) {
		p->send_rstp = true;
		p->mdelay_while = MIGRATE_TIME;
		p->sensing = false;
		return !rstp;
	}
	if (!p->sensing) {
		if (p->mdelay_while)
			return false;
		p->rcvd_rstp = p->rcvd_stp = false;
		p->sensing = true;
		return true;
	}
	if (!(rstp ? p->rcvd_stp : p->rcvd_rstp))
		return false;
	p->send_rstp = !rstp;
	p->mdelay_while = MIGRATE_TIME;
	p->sensing = false;
	return true;
}

/* Nobody has answered: there is a station, no bridge */
static bool detect(struct rstp_port *p)
{
	if (!p->port_enabled) {
		p->oper_edge = false;
		return false;
	}
	if (p->oper_edge || p->edge_delay_while || !p->send_rstp ||
	    !p->proposing)
		return false;
	p->oper_edge = true;
	return true;
}

/* ---- Port Information ------------------------------------------------------ */

static enum heard look_at(const struct rstp_port *p)
{
	const struct stp_vector *v = &p->bpdu.vector, *own = &p->port_priority;
	int worse = stp_compare(v, own);
	bool same_bridge = v->bridge == own->bridge && v->port == own->port;

	if (p->bpdu.kind == BPDU_TCN)
		return HEARD_OTHER;
	if (p->bpdu.role != BPDU_DESIGNATED)
		return p->bpdu.role != BPDU_UNKNOWN && worse >= 0 ?
		       HEARD_ROOT : HEARD_OTHER;
	if (!worse)
		return stp_same_times(&p->bpdu.times, &p->port_times) ?
		       HEARD_REPEATED : HEARD_SUPERIOR;
	return worse < 0 || same_bridge ? HEARD_SUPERIOR : HEARD_INFERIOR;
}

static void set_tc_flags(struct rstp_port *p)
{
	p->rcvd_tc |= p->bpdu.tc;
	p->rcvd_tc_ack |= p->bpdu.tc_ack;
}

/* It is worth something for three of its hellos, unless it is too old by then */
static void heard_again(struct rstp_port *p)
{
	const struct stp_times *t = &p->port_times;

	p->info_is = INFO_RECEIVED;
	p->proposed |= p->bpdu.proposal;
	set_tc_flags(p);
	p->rcvd_info_while = t->age + 1 <= t->max_age ? 3 * t->hello : 0;
}

static void heard_better(struct rstp_port *p)
{
	p->agreed = p->proposing = false;
	p->agree = p->agree && p->info_is == INFO_RECEIVED &&
		   stp_compare(&p->bpdu.vector, &p->port_priority) <= 0;
	p->port_priority = p->bpdu.vector;
	p->port_times = p->bpdu.times;
	heard_again(p);
	p->reselect = true;
	p->selected = false;
}

static void record_agreement(struct rstp_port *p)
{
	p->agreed = p->bpdu.agreement;
	if (p->agreed)
		p->proposing = false;
}

static void hear(struct rstp_port *p)
{
	switch (look_at(p)) {
	case HEARD_SUPERIOR:
		heard_better(p);
		break;
	case HEARD_REPEATED:
		heard_again(p);
		break;
	case HEARD_INFERIOR:
		/* It has not heard this end */
		if (p->bpdu.learning) {
			p->disputed = true;
			p->agreed = false;
		}
		break;
	case HEARD_ROOT:
		record_agreement(p);
		set_tc_flags(p);
		break;
	case HEARD_OTHER:
		p->rcvd_tcn |= p->bpdu.kind == BPDU_TCN;
		break;
	}
	p->rcvd_msg = false;
}

static void disable(struct rstp_port *p)
{
	p->rcvd_msg = p->proposing = p->proposed = false;
	p->agree = p->agreed = false;
	p->rcvd_info_while = 0;
	p->info_is = INFO_DISABLED;
	p->reselect = true;
	p->selected = false;
}

static void update(struct rstp_port *p)
{
	p->proposing = p->proposed = false;
	p->agreed = p->agreed && p->info_is == INFO_MINE &&
		    stp_compare(&p->designated_priority,
				&p->port_priority) <= 0;
	p->synced = p->synced && p->agreed;
	p->port_priority = p->designated_priority;
	p->port_times = p->designated_times;
	p->updt_info = false;
	p->info_is = INFO_MINE;
	p->new_info = true;
}

static bool inform(struct rstp_port *p)
{
	bool too_old = p->info_is == INFO_RECEIVED && !p->rcvd_info_while;

	if (!p->port_enabled && p->info_is != INFO_DISABLED) {
		disable(p);
	} else if (p->info_is == INFO_DISABLED ? p->port_enabled :
		   too_old && !p->updt_info && !p->rcvd_msg) {
		p->info_is = INFO_AGED;
		p->reselect = true;
		p->selected = false;
	} else if (p->selected && p->updt_info) {
		update(p);
	} else if (p->rcvd_msg && !p->updt_info &&
		   (p->info_is == INFO_MINE || p->info_is == INFO_RECEIVED)) {
		hear(p);
	} else {
		return false;
	}
	return true;
}

/* ---- Topology Change -------------------------------------------------------- */

static void new_tc_while(struct rstp *r, struct rstp_port *p)
{
	if (p->tc_while)
		return;
	p->tc_while = p->send_rstp ? HELLO + 1 : r->root_times.max_age +
						 r->root_times.forward_delay;
	p->new_info = p->new_info || p->send_rstp;
}

static void set_tc_prop_tree(struct rstp *r, const struct rstp_port *but)
{
	struct rstp_port *p;

	rstp_for_each(r, p)
		p->tc_prop = p->tc_prop || p != but;
}

static void flush(struct rstp *r, struct rstp_port *p)
{
	r->flush(r->ctx, p - r->port);
}

static bool is_active(const struct rstp_port *p)
{
	return p->role == ROLE_ROOT || p->role == ROLE_DESIGNATED;
}

static void forget_changes(struct rstp_port *p)
{
	p->rcvd_tc = p->rcvd_tcn = p->rcvd_tc_ack = p->tc_prop = false;
}

static bool note_change(struct rstp *r, struct rstp_port *p)
{
	bool tcn = p->rcvd_tcn;

	if (tcn || p->rcvd_tc) {
		if (tcn)
			new_tc_while(r, p);
		p->rcvd_tcn = p->rcvd_tc = false;
		p->tc_ack |= p->role == ROLE_DESIGNATED;
		set_tc_prop_tree(r, p);
	} else if (p->tc_prop) {
		new_tc_while(r, p);
		flush(r, p);
		p->tc_prop = false;
		r->changes++;
	} else if (p->rcvd_tc_ack) {
		p->tc_while = 0;
		p->rcvd_tc_ack = false;
	} else {
		return false;
	}
	return true;
}

static bool change(struct rstp *r, struct rstp_port *p)
{
	bool heard = p->rcvd_tc || p->rcvd_tcn || p->rcvd_tc_ack || p->tc_prop;

	switch (p->tcm) {
	case TCM_INACTIVE:
		if (!p->learn)
			return false;
		p->tcm = TCM_LEARNING;
		forget_changes(p);
		return true;
	case TCM_LEARNING:
		if (is_active(p) && p->forward && !p->oper_edge) {
			new_tc_while(r, p);
			set_tc_prop_tree(r, p);
			p->new_info = true;
			p->tcm = TCM_ACTIVE;
			r->changes++;
		} else if (heard) {
			forget_changes(p);
		} else if (!is_active(p) && !p->learn && !p->learning) {
			flush(r, p);
			p->tc_while = 0;
			p->tc_ack = false;
			p->tcm = TCM_INACTIVE;
		} else {
			return false;
		}
		return true;
	default:
		if (is_active(p) && !p->oper_edge)
			return note_change(r, p);
		forget_changes(p);
		p->tcm = TCM_LEARNING;
		return true;
	}
}

/* ---- Port Transmit ---------------------------------------------------------- */

static bool transmit(struct rstp_port *p)
{
	bool speaks = p->role == ROLE_DESIGNATED ||
		      (p->role == ROLE_ROOT && p->tc_while);

	if (!p->selected || p->updt_info || p->sending || !p->port_enabled)
		return false;
	if (!p->hello_when) {
		p->new_info |= speaks;
		p->hello_when = HELLO;
		return true;
	}
	if (!p->new_info || p->tx_count >= TX_HOLD_COUNT ||
	    (!p->send_rstp && !is_active(p)))
		return false;
	p->sending_kind = p->send_rstp ? BPDU_RST :
			  p->role == ROLE_ROOT ? BPDU_TCN : BPDU_CONFIG;
	p->sending = true;
	p->new_info = false;
	p->tx_count++;
	return true;
}

static void send(struct rstp *r, struct rstp_port *p)
{
	static const enum bpdu_role roles[] = {
		[ROLE_DISABLED] = BPDU_UNKNOWN, [ROLE_ROOT] = BPDU_ROOT,
		[ROLE_DESIGNATED] = BPDU_DESIGNATED,
		[ROLE_ALTERNATE] = BPDU_ALTERNATE,
		[ROLE_BACKUP] = BPDU_ALTERNATE };
	const struct bpdu b = {
		.kind = p->sending_kind, .role = roles[p->role],
		.tc = p->tc_while, .tc_ack = p->tc_ack,
		.proposal = p->proposing, .agreement = p->agree,
		.learning = p->learning, .forwarding = p->forwarding,
		.vector = p->designated_priority,
		.times = p->designated_times };
	const uint8_t mac[] = { r->id >> 40, r->id >> 32, r->id >> 24,
				r->id >> 16, r->id >> 8, r->id };
	uint8_t frame[BPDU_FRAME];

	p->sending = false;
	if (b.kind != BPDU_TCN)
		p->tc_ack = false;
	bpdu_write(frame, &b, mac);
	r->send(r->ctx, p - r->port, frame, sizeof(frame));
}

/* ---- all of them ------------------------------------------------------------ */

static bool step(struct rstp *r, struct rstp_port *p)
{
	bool changed = receive(p);

	changed |= migrate(p);
	changed |= detect(p);
	changed |= inform(p);
	changed |= rstp_transit(r, p);
	changed |= change(r, p);
	return transmit(p) || changed;
}

/* More than these steps are a mistake of this file, which nobody is to wait for */
#define STEPS_MAX	1000

static void run_machines(struct rstp *r)
{
	unsigned int left = STEPS_MAX;
	struct rstp_port *p;
	bool changed;

	do {
		changed = false;
		rstp_for_each(r, p)
			changed |= step(r, p);
		changed |= rstp_select_roles(r);
	} while (changed && --left);
}

static struct rstp_port *find_sending(struct rstp *r)
{
	struct rstp_port *p;

	rstp_for_each(r, p)
		if (p->sending)
			return p;
	return NULL;
}

/* Sending may come back here, with what a neighbour in this process answers */
static void run(struct rstp *r)
{
	struct rstp_port *p;

	if (r->running)
		return;
	r->running = true;
	run_machines(r);
	r->running = false;
	while ((p = find_sending(r))) {
		send(r, p);
		if (find_sending(r))
			continue;
		r->running = true;
		run_machines(r);
		r->running = false;
	}
}

void rstp_init(struct rstp *r, uint16_t priority, const uint8_t *mac)
{
	unsigned int i;

	r->id = priority;
	for (i = 0; i < 6; i++)
		r->id = r->id << 8 | mac[i];
	r->root = (struct stp_vector){ r->id, 0, r->id, 0 };
}

void rstp_add(struct rstp *r, unsigned int port, bool enabled)
{
	r->port[port] = (struct rstp_port){
		.used = true, .port_enabled = enabled,
		.port_id = 0x8000 | (port + 1), .send_rstp = true,
		.mdelay_while = MIGRATE_TIME, .edge_delay_while = MIGRATE_TIME,
		.fd_while = 20, .hello_when = HELLO, .new_info = true,
		.reselect = true };
	run(r);
}

void rstp_remove(struct rstp *r, unsigned int port)
{
	struct rstp_port *p;

	rstp_enable(r, port, false);
	r->port[port].used = false;
	rstp_for_each(r, p)
		p->reselect = true;
	run(r);
}

void rstp_enable(struct rstp *r, unsigned int port, bool enabled)
{
	if (r->port[port].port_enabled == enabled)
		return;
	r->port[port].port_enabled = enabled;
	r->port[port].sending = false;
	run(r);
}

bool rstp_receive(struct rstp *r, unsigned int port, const uint8_t *frame,
		  size_t len)
{
	struct rstp_port *p = &r->port[port];
	struct bpdu b;

	if (!bpdu_parse(&b, frame, len))
		return false;
	/* While the machines run: it says so again */
	if (p->rcvd_bpdu || p->rcvd_msg)
		return true;
	p->bpdu = b;
	p->rcvd_bpdu = true;
	run(r);
	return true;
}

static void count_down(uint8_t *timer)
{
	if (*timer)
		--*timer;
}

void rstp_tick(struct rstp *r)
{
	struct rstp_port *p;

	rstp_for_each(r, p) {
		count_down(&p->edge_delay_while);
		count_down(&p->fd_while);
		count_down(&p->hello_when);
		count_down(&p->mdelay_while);
		count_down(&p->rb_while);
		count_down(&p->rcvd_info_while);
		count_down(&p->rr_while);
		count_down(&p->tc_while);
		if (p->tx_count)
			p->tx_count--;
	}
	run(r);
}

const char *rstp_role_name(const struct rstp_port *p)
{
	static const char *const names[] = {
		[ROLE_DISABLED] = "disabled", [ROLE_ROOT] = "root",
		[ROLE_DESIGNATED] = "designated",
		[ROLE_ALTERNATE] = "alternate", [ROLE_BACKUP] = "backup" };

	return names[p->role];
}

const char *rstp_state_name(const struct rstp_port *p)
{
	return p->forwarding ? "forwarding" : p->learning ? "learning" :
	       "discarding";
}
