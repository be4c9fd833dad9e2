// SPDX-License-Identifier: GPL-2.0
/* See lacp.h. Numbers are of IEEE 802.1AX-2014. */
#include <endian.h>
#include <string.h>
#include "net/bond/lacp.h"

#define SECOND		1000000000ull
/* 6.4.4 */
#define FAST_PERIOD	(1 * SECOND)
#define SLOW_PERIOD	(30 * SECOND)
#define SHORT_TIMEOUT	(3 * SECOND)
#define LONG_TIMEOUT	(90 * SECOND)
#define AGGREGATE_WAIT	(2 * SECOND)

/* Of what one end says to decide whether it is the same group, 6.4.8 */
#define SHARED_STATE	LACP_AGGREGATION
/* And what the other end must have right, or it is told */
#define TOLD_STATE	(LACP_ACTIVE | LACP_SHORT_TIMEOUT | LACP_AGGREGATION | \
			 LACP_SYNC)

/* What the Mux machine says */
#define MUX_STATE	(LACP_SYNC | LACP_COLLECTING | LACP_DISTRIBUTING)

/* An LACPDU, 6.4.2.3; all numbers have the highest byte first */
struct pdu_info {
	uint8_t type, length;
	uint16_t system_priority;
	uint8_t system[MAC_LEN];
	uint16_t key, port_priority, port;
	uint8_t state, reserved[3];
} __attribute__((packed));

struct pdu {
	uint8_t to[MAC_LEN], from[MAC_LEN];
	uint16_t ethertype;
	uint8_t subtype, version;
	struct pdu_info actor, partner;
	uint8_t collector_type, collector_length;
	uint16_t max_delay;
	uint8_t collector_reserved[12];
	uint8_t end_type, end_length, reserved[50];
} __attribute__((packed));

_Static_assert(sizeof(struct pdu) == LACP_FRAME, "an LACPDU's size");

static struct lacp_info from_pdu(const struct pdu_info *p)
{
	struct lacp_info info = {
		.system_priority = be16toh(p->system_priority),
		.key = be16toh(p->key), .port = be16toh(p->port),
		.port_priority = be16toh(p->port_priority), .state = p->state };

	memcpy(info.system, p->system, MAC_LEN);
	return info;
}

static struct pdu_info to_pdu(uint8_t type, const struct lacp_info *info)
{
	struct pdu_info p = {
		.type = type, .length = sizeof(p),
		.system_priority = htobe16(info->system_priority),
		.key = htobe16(info->key), .port = htobe16(info->port),
		.port_priority = htobe16(info->port_priority),
		.state = info->state };

	memcpy(p.system, info->system, MAC_LEN);
	return p;
}

static bool same_system(const struct lacp_info *a, const struct lacp_info *b)
{
	return a->system_priority == b->system_priority && a->key == b->key &&
	       !memcmp(a->system, b->system, MAC_LEN);
}

/* But for the bits of the state that are not in @mask */
static bool same_info(const struct lacp_info *a, const struct lacp_info *b,
		      uint8_t mask)
{
	return same_system(a, b) && a->port == b->port &&
	       a->port_priority == b->port_priority &&
	       !((a->state ^ b->state) & mask);
}

void lacp_init(struct lacp *lacp, const struct lacp_info *actor, bool fast)
{
	*lacp = (struct lacp){ .actor = *actor };
	lacp->actor.state = LACP_ACTIVE | LACP_AGGREGATION |
			    (fast ? LACP_SHORT_TIMEOUT : 0);
}

/* The Receive machine's state EXPIRED: the other end is asked to speak soon */
static void expire(struct lacp *lacp, uint64_t now)
{
	lacp->receive = LACP_RX_EXPIRED;
	lacp->partner.state &= ~LACP_SYNC;
	lacp->partner.state |= LACP_SHORT_TIMEOUT;
	lacp->actor.state |= LACP_EXPIRED;
	lacp->expires = now + SHORT_TIMEOUT;
}

/* And DEFAULTED: nobody there speaks LACP; the link stands for itself */
static void assume(struct lacp *lacp)
{
	if (!(lacp->actor.state & LACP_DEFAULTED))
		lacp->selected = false;
	lacp->receive = LACP_RX_DEFAULTED;
	lacp->partner = (struct lacp_info){
		.state = LACP_SYNC | LACP_COLLECTING };
	lacp->actor.state &= ~LACP_EXPIRED;
	lacp->actor.state |= LACP_DEFAULTED;
	lacp->expires = 0;
}

void lacp_set_link(struct lacp *lacp, bool up, uint64_t now)
{
	if (up == (lacp->receive != LACP_RX_DISABLED))
		return;
	if (up) {
		expire(lacp, now);
		lacp->need_to_send = true;
		return;
	}
	lacp->receive = LACP_RX_DISABLED;
	lacp->partner.state &= ~LACP_SYNC;
	lacp->expires = lacp->next = 0;
	lacp->selected = false;
}

/* recordPDU of 6.4.9: may frames take this link, as the other end sees it? */
static bool in_sync(const struct lacp *lacp, const struct lacp_info *actor,
		    const struct lacp_info *partner)
{
	bool lives = actor->state & LACP_ACTIVE ||
		     (lacp->actor.state & partner->state & LACP_ACTIVE);

	return lives && actor->state & LACP_SYNC &&
	       (!(actor->state & LACP_AGGREGATION) ||
		same_info(partner, &lacp->actor, SHARED_STATE));
}

bool lacp_take(struct lacp *lacp, const uint8_t *frame, size_t len,
	       uint64_t now)
{
	struct lacp_info actor, partner;
	struct pdu pdu;
	bool sync;

	if (lacp->receive == LACP_RX_DISABLED || len < sizeof(pdu))
		goto lost;
	memcpy(&pdu, frame, sizeof(pdu));
	/* Version and types are not looked at, 6.4.12: later ones may be others */
	if (pdu.subtype != 1 || pdu.actor.length != sizeof(pdu.actor) ||
	    pdu.partner.length != sizeof(pdu.partner))
		goto lost;
	actor = from_pdu(&pdu.actor);
	partner = from_pdu(&pdu.partner);
	/* This end's own: the wire is a loop */
	if (!memcmp(actor.system, lacp->actor.system, MAC_LEN))
		goto lost;
	lacp->received++;
	if (!same_info(&actor, &lacp->partner, SHARED_STATE))
		lacp->selected = false;
	if (!same_info(&partner, &lacp->actor, TOLD_STATE))
		lacp->need_to_send = true;
	sync = in_sync(lacp, &actor, &partner);
	lacp->partner = actor;
	if (!sync)
		lacp->partner.state &= ~LACP_SYNC;
	lacp->actor.state &= ~(LACP_DEFAULTED | LACP_EXPIRED);
	lacp->receive = LACP_RX_CURRENT;
	lacp->expires = now + (lacp->actor.state & LACP_SHORT_TIMEOUT ?
			       SHORT_TIMEOUT : LONG_TIMEOUT);
	return true;
lost:
	lacp->lost++;
	return false;
}

bool lacp_has_partner(const struct lacp *lacp)
{
	return lacp->receive >= LACP_RX_EXPIRED &&
	       !(lacp->actor.state & LACP_DEFAULTED) &&
	       lacp->partner.state & LACP_AGGREGATION;
}

bool lacp_same_group(const struct lacp *a, const struct lacp *b)
{
	return lacp_has_partner(a) && lacp_has_partner(b) &&
	       same_system(&a->partner, &b->partner) &&
	       same_system(&a->actor, &b->actor);
}

static void tell(struct lacp *lacp)
{
	static const uint8_t bits[] = {
		[LACP_ATTACHED] = LACP_SYNC,
		[LACP_COLLECTS] = LACP_SYNC | LACP_COLLECTING,
		[LACP_DISTRIBUTES] = MUX_STATE };
	uint8_t state = (lacp->actor.state & ~MUX_STATE) | bits[lacp->mux];

	if (state != lacp->actor.state)
		lacp->need_to_send = true;
	lacp->actor.state = state;
}

/* The Mux machine of 6.4.15; false: nothing more changes now */
static bool step_mux(struct lacp *lacp, bool active, uint64_t now)
{
	bool synced = lacp->partner.state & LACP_SYNC && active;
	bool takes = lacp->partner.state & LACP_COLLECTING;
	enum lacp_mux was = lacp->mux;

	switch (lacp->mux) {
	case LACP_DETACHED:
		if (!lacp->selected)
			break;
		lacp->mux = LACP_WAITING;
		lacp->waits_until = now + AGGREGATE_WAIT;
		break;
	case LACP_WAITING:
		if (!lacp->selected)
			lacp->mux = LACP_DETACHED;
		else if (now >= lacp->waits_until)
			lacp->mux = LACP_ATTACHED;
		break;
	case LACP_ATTACHED:
		if (!lacp->selected)
			lacp->mux = LACP_DETACHED;
		else if (synced)
			lacp->mux = LACP_COLLECTS;
		break;
	case LACP_COLLECTS:
		if (!lacp->selected || !synced)
			lacp->mux = LACP_ATTACHED;
		else if (takes)
			lacp->mux = LACP_DISTRIBUTES;
		break;
	case LACP_DISTRIBUTES:
		if (!lacp->selected || !synced || !takes)
			lacp->mux = LACP_COLLECTS;
		break;
	}
	if (lacp->mux != LACP_WAITING)
		lacp->waits_until = 0;
	tell(lacp);
	return lacp->mux != was;
}

/* The Periodic Transmission machine of 6.4.13; this end is always active */
static void step_period(struct lacp *lacp, uint64_t now)
{
	uint64_t period = lacp->partner.state & LACP_SHORT_TIMEOUT ?
			  FAST_PERIOD : SLOW_PERIOD;

	if (lacp->next && now >= lacp->next) {
		lacp->need_to_send = true;
		lacp->next = 0;
	}
	/* One that wants to hear sooner than it was going to */
	if (!lacp->next || lacp->next > now + period)
		lacp->next = now + period;
}

void lacp_run(struct lacp *lacp, bool active, uint64_t now)
{
	if (lacp->expires && now >= lacp->expires) {
		if (lacp->receive == LACP_RX_CURRENT)
			expire(lacp, now);
		else
			assume(lacp);
	}
	while (step_mux(lacp, active, now))
		;
	if (lacp->receive != LACP_RX_DISABLED)
		step_period(lacp, now);
}

bool lacp_make(struct lacp *lacp, const uint8_t *mac, uint8_t *frame,
	       uint64_t now)
{
	struct pdu pdu = {
		.to = { 0x01, 0x80, 0xc2, 0, 0, 2 },
		.ethertype = htobe16(0x8809), .subtype = 1, .version = 1,
		.actor = to_pdu(1, &lacp->actor),
		.partner = to_pdu(2, &lacp->partner),
		.collector_type = 3, .collector_length = 16 };

	/* Three a second at most, 6.4.16 */
	if (!lacp->need_to_send || lacp->receive == LACP_RX_DISABLED ||
	    (lacp->sent[0] && now < lacp->sent[0] + FAST_PERIOD))
		return false;
	lacp->need_to_send = false;
	memmove(lacp->sent, lacp->sent + 1,
		sizeof(lacp->sent) - sizeof(lacp->sent[0]));
	lacp->sent[2] = now;
	memcpy(pdu.from, mac, MAC_LEN);
	memcpy(frame, &pdu, sizeof(pdu));
	return true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

uint64_t lacp_due(const struct lacp *lacp, uint64_t now)
{
	uint64_t when = lacp->waits_until;

	if (lacp->receive == LACP_RX_DISABLED)
		return when;
	when = earlier(when, earlier(lacp->expires, lacp->next));
	/* One that may not, or could not, be sent yet */
	if (lacp->need_to_send)
		when = earlier(when, lacp->sent[0] + FAST_PERIOD > now ?
			       lacp->sent[0] + FAST_PERIOD :
			       now + FAST_PERIOD / 4);
	return when;
}
