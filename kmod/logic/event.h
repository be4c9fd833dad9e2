/* SPDX-License-Identifier: GPL-2.0 */
/* Which event a vCPU takes next: see event.c. Pure. */
#ifndef MVMM_LOGIC_EVENT_H
#define MVMM_LOGIC_EVENT_H

#include <linux/types.h>
#include "uapi/mvmm.h"

#define MVMM_MAX_INSN		15

struct mvmm_event {
	bool valid;
	u8 type;	/* MVMM_EVENT_* */
	u8 vector;
	bool has_error;
	u8 insn_len;	/* of the instruction behind a software event */
	bool from_apic;	/* the local APIC's, to be acknowledged there */
	u32 error_code;
};

struct mvmm_events_state {
	struct mvmm_event inflight;	/* before anything else */
	union {
		struct {
			u8 nmi_pending;
			bool irq_pending;	/* acknowledged: before the APIC's */
			u8 apic_vector;	/* highest requested of the APIC's */
			u8 unused;	/* zero */
		};
		u32 waiting;	/* not 0: any of them */
	};
	u8 irq_vector;
	u8 apic_ppr;		/* apic_vector is deliverable above this class */
};

/* What the CPU says about the guest's readiness for events */
struct mvmm_readiness {
	u8 shadow;	/* MVMM_SHADOW_* */
	bool nmi_masked;
	bool if_set;
};

struct mvmm_event_plan {
	struct mvmm_event inject;
	bool irq_window;
	bool nmi_window;
};

static inline bool mvmm_apic_ready(const struct mvmm_events_state *ev)
{
	return ev->apic_vector >> 4 > ev->apic_ppr >> 4;
}

/* Class of a pending interrupt that only the task priority blocks, or 0 */
static inline u32
mvmm_class_blocked_by_tpr(const struct mvmm_events_state *ev, u64 cr8)
{
	u32 class = ev->apic_vector >> 4;

	return class <= cr8 ? class : 0;
}

struct mvmm_event_plan mvmm_plan_event(const struct mvmm_events_state *ev,
				       struct mvmm_readiness ready,
				       bool user_wants_window);
void mvmm_event_taken(struct mvmm_events_state *ev,
		      const struct mvmm_event *event);
void mvmm_event_requeue(struct mvmm_events_state *ev);
bool mvmm_event_merge(struct mvmm_event *first,
		      const struct mvmm_event *second);
bool mvmm_exception_has_error(u8 vector);
int mvmm_events_check(const struct mvmm_events *ev);
struct mvmm_event mvmm_event_decode(u32 info, u32 error_code, u32 insn_len);
u32 mvmm_event_encode(const struct mvmm_event *event);

#endif
