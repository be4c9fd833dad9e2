// SPDX-License-Identifier: GPL-2.0
/*
 * RSTP: which role each port has (17.28), and how it gets there (17.29, 17.30). See
 * rstp.h.
 */
#include "net/switch/rstp.h"

/* ---- Port Role Selection --------------------------------------------------- */

int stp_compare(const struct stp_vector *a, const struct stp_vector *b)
{
	if (a->root != b->root)
		return a->root < b->root ? -1 : 1;
	if (a->cost != b->cost)
		return a->cost < b->cost ? -1 : 1;
	if (a->bridge != b->bridge)
		return a->bridge < b->bridge ? -1 : 1;
	return a->port < b->port ? -1 : a->port > b->port;
}

bool stp_same_times(const struct stp_times *a, const struct stp_times *b)
{
	return a->age == b->age && a->max_age == b->max_age &&
	       a->hello == b->hello && a->forward_delay == b->forward_delay;
}

/* By which port the root is reached best; of two that are the same the first one */
static void find_root(struct rstp *r)
{
	static const struct stp_times own = { 0, 20, 2, 15 };
	struct stp_vector path;
	struct rstp_port *p;

	r->root = (struct stp_vector){ r->id, 0, r->id, 0 };
	r->root_port = NULL;
	r->root_times = own;
	rstp_for_each(r, p) {
		path = p->port_priority;
		if (p->info_is != INFO_RECEIVED || path.bridge == r->id)
			continue;
		path.cost = path.cost > ~0u - RSTP_COST ? ~0u :
			    path.cost + RSTP_COST;
		if (stp_compare(&path, &r->root) >= 0)
			continue;
		r->root = path;
		r->root_port = p;
		r->root_times = p->port_times;
		if (r->root_times.age < 255)
			r->root_times.age++;
	}
}

static void select_role(struct rstp *r, struct rstp_port *p)
{
	bool better = stp_compare(&p->designated_priority,
				  &p->port_priority) < 0;

	switch (p->info_is) {
	case INFO_DISABLED:
		p->selected_role = ROLE_DISABLED;
		return;
	case INFO_AGED:
		p->updt_info = true;
		break;
	case INFO_MINE:
		if (stp_compare(&p->designated_priority, &p->port_priority) ||
		    !stp_same_times(&p->designated_times, &p->port_times))
			p->updt_info = true;
		break;
	case INFO_RECEIVED:
		p->updt_info = p != r->root_port && better;
		if (p->updt_info)
			break;
		p->selected_role = p == r->root_port ? ROLE_ROOT :
				   p->port_priority.bridge == r->id ?
				   ROLE_BACKUP : ROLE_ALTERNATE;
		return;
	}
	p->selected_role = ROLE_DESIGNATED;
}

bool rstp_select_roles(struct rstp *r)
{
	struct rstp_port *p;
	bool wanted = false;

	rstp_for_each(r, p) {
		wanted |= p->reselect;
		p->reselect = false;
	}
	if (!wanted)
		return false;
	find_root(r);
	rstp_for_each(r, p) {
		p->designated_priority = (struct stp_vector){
			r->root.root, r->root.cost, r->id, p->port_id };
		p->designated_times = r->root_times;
		p->designated_times.hello = 2;
		select_role(r, p);
	}
	rstp_for_each(r, p)
		p->selected = true;
	return true;
}

/* ---- Port Role Transitions ------------------------------------------------- */

static void set_sync_tree(struct rstp *r)
{
	struct rstp_port *p;

	rstp_for_each(r, p)
		p->sync = true;
}

static void set_re_root_tree(struct rstp *r)
{
	struct rstp_port *p;

	rstp_for_each(r, p)
		p->re_root = true;
}

static bool all_synced(const struct rstp *r)
{
	const struct rstp_port *p;

	rstp_for_each(r, p)
		if (!p->selected || p->role != p->selected_role ||
		    p->updt_info || (!p->synced && p->role != ROLE_ROOT))
			return false;
	return true;
}

static bool re_rooted(const struct rstp *r, const struct rstp_port *but)
{
	const struct rstp_port *p;

	rstp_for_each(r, p)
		if (p != but && p->rr_while)
			return false;
	return true;
}

/* Where the neighbour speaks RSTP, a state need not last so long */
static uint8_t forward_delay(const struct rstp_port *p)
{
	return p->send_rstp ? p->designated_times.hello :
			      p->designated_times.forward_delay;
}

/* Of both kinds of ports that do not forward for ever. True: it did something */
static bool propose_and_agree(struct rstp *r, struct rstp_port *p)
{
	if (p->proposed && !p->agree) {
		set_sync_tree(r);
		p->proposed = false;
		return true;
	}
	if ((all_synced(r) && !p->agree) || (p->proposed && p->agree)) {
		p->proposed = false;
		p->sync = p->role == ROLE_ROOT ? false : p->sync;
		p->agree = p->new_info = true;
		return true;
	}
	return false;
}

static bool transit_root(struct rstp *r, struct rstp_port *p)
{
	uint8_t delay = p->designated_times.forward_delay;
	bool may = !p->fd_while || (re_rooted(r, p) && !p->rb_while);

	if (propose_and_agree(r, p))
		return true;
	if (!p->forward && !p->re_root) {
		set_re_root_tree(r);
	} else if (may && !p->learn) {
		p->fd_while = forward_delay(p);
		p->learn = true;
	} else if (may && !p->forward) {
		p->fd_while = 0;
		p->forward = true;
	} else if (p->re_root && p->forward) {
		p->re_root = false;
	} else if (p->rr_while != delay) {
		p->rr_while = delay;
	} else {
		return false;
	}
	return true;
}

static bool transit_designated(struct rstp_port *p)
{
	bool may = (!p->fd_while || p->agreed || p->oper_edge) &&
		   (!p->rr_while || !p->re_root) && !p->sync;

	if (!p->forward && !p->agreed && !p->proposing && !p->oper_edge) {
		p->proposing = p->new_info = true;
		p->edge_delay_while = 3;
	} else if ((!p->learning && !p->forwarding && !p->synced) ||
		   (p->agreed && !p->synced) || (p->oper_edge && !p->synced) ||
		   (p->sync && p->synced)) {
		p->rr_while = 0;
		p->synced = true;
		p->sync = false;
	} else if (!p->rr_while && p->re_root) {
		p->re_root = false;
	} else if (((p->sync && !p->synced) || (p->re_root && p->rr_while) ||
		    p->disputed) && !p->oper_edge &&
		   (p->learn || p->forward)) {
		p->learn = p->forward = p->disputed = false;
		p->fd_while = forward_delay(p);
	} else if (may && !p->learn) {
		p->learn = true;
		p->fd_while = forward_delay(p);
	} else if (may && !p->forward) {
		p->forward = true;
		p->fd_while = 0;
		p->agreed = p->send_rstp;
	} else {
		return false;
	}
	return true;
}

/* Disabled ones, alternate and backup ones: they stand, and stay so */
static bool transit_blocked(struct rstp *r, struct rstp_port *p)
{
	uint8_t delay = p->role == ROLE_DISABLED ?
			p->designated_times.max_age : forward_delay(p);
	uint8_t backup = 2 * p->designated_times.hello;

	if (p->role != ROLE_DISABLED && propose_and_agree(r, p))
		return true;
	if (p->role == ROLE_BACKUP && p->rb_while != backup) {
		p->rb_while = backup;
		return true;
	}
	if (p->fd_while == delay && !p->sync && !p->re_root && p->synced &&
	    !p->rr_while)
		return false;
	p->fd_while = delay;
	p->synced = true;
	p->rr_while = 0;
	p->sync = p->re_root = false;
	return true;
}

static bool transit_role(struct rstp *r, struct rstp_port *p)
{
	if (!p->selected || p->updt_info)
		return false;
	if (p->role != p->selected_role || p->prt == PRT_INIT) {
		p->role = p->selected_role;
		p->prt = PRT_ACTIVE;
		if (p->role == ROLE_ROOT) {
			p->rr_while = p->designated_times.forward_delay;
		} else if (p->role != ROLE_DESIGNATED) {
			p->learn = p->forward = false;
			p->prt = PRT_BLOCK;
		}
		return true;
	}
	if (p->prt == PRT_BLOCK) {
		if (p->learning || p->forwarding)
			return false;
		p->prt = PRT_BLOCKED;
		return true;
	}
	return p->role == ROLE_ROOT ? transit_root(r, p) :
	       p->role == ROLE_DESIGNATED ? transit_designated(p) :
	       transit_blocked(r, p);
}

/* ---- Port State Transition ------------------------------------------------- */

static bool transit_state(struct rstp_port *p)
{
	if (p->learning && !p->learn) {
		p->learning = p->forwarding = false;
	} else if (!p->learning && p->learn) {
		p->learning = true;
	} else if (p->forwarding && !p->forward) {
		p->forwarding = false;
	} else if (p->learning && !p->forwarding && p->forward) {
		p->forwarding = true;
	} else {
		return false;
	}
	return true;
}

bool rstp_transit(struct rstp *r, struct rstp_port *p)
{
	bool role = transit_role(r, p);

	return transit_state(p) || role;
}
