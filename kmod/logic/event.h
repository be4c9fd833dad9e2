/* SPDX-License-Identifier: GPL-2.0 */
/* Which event a vCPU takes next: see event.c. Pure. */
#ifndef MVMM_LOGIC_EVENT_H
#define MVMM_LOGIC_EVENT_H

#include <linux/types.h>
#include "uapi/mvmm.h"

#define MVMM_MAX_INSN		15

/**
 * struct mvmm_event - an interrupt, NMI or exception
 * @valid: there is one
 * @type: MVMM_EVENT_*
 * @vector: its vector
 * @has_error: it pushes @error_code
 * @insn_len: length of the instruction that caused it, of software events
 * @from_apic: the local APIC has it, and must be told when it is delivered
 * @error_code: see @has_error
 */
struct mvmm_event {
	bool valid;
	u8 type;
	u8 vector;
	bool has_error;
	u8 insn_len;
	bool from_apic;
	u32 error_code;
};

/**
 * struct mvmm_events_state - the events that a vCPU has to deliver
 * @inflight: delivered before all others
 * @nmi_pending: how many NMIs wait, at most 2
 * @irq_pending: the interrupt @irq_vector waits; it is acknowledged already, so
 *	it goes before the local APIC's
 * @apic_vector: the highest vector that the local APIC requests, or 0
 * @unused: zero
 * @waiting: the four above as one word: not 0 if any event waits
 * @irq_vector: see @irq_pending
 * @apic_ppr: the APIC's processor priority: it blocks vectors up to its class
 */
struct mvmm_events_state {
	struct mvmm_event inflight;
	union {
		struct {
			u8 nmi_pending;
			bool irq_pending;
			u8 apic_vector;
			u8 unused;
		};
		u32 waiting;
	};
	u8 irq_vector;
	u8 apic_ppr;
};

/**
 * struct mvmm_readiness - what blocks events in the guest now
 * @shadow: MVMM_SHADOW_*
 * @nmi_masked: an NMI's handler runs
 * @if_set: RFLAGS.IF
 */
struct mvmm_readiness {
	u8 shadow;
	bool nmi_masked;
	bool if_set;
};

/**
 * struct mvmm_event_plan - what the next entry does about events
 * @inject: the event to deliver, if valid
 * @irq_window: ask for an exit when the guest can take an interrupt
 * @nmi_window: ask for an exit when the guest can take an NMI
 */
struct mvmm_event_plan {
	struct mvmm_event inject;
	bool irq_window;
	bool nmi_window;
};

/* Does the local APIC have an interrupt that its priority lets through? */
static inline bool mvmm_apic_ready(const struct mvmm_events_state *ev)
{
	return ev->apic_vector >> 4 > ev->apic_ppr >> 4;
}

/* The class of a pending interrupt that only the task priority blocks, or 0 */
static inline u32
mvmm_class_blocked_by_tpr(const struct mvmm_events_state *ev, u64 cr8)
{
	u32 class = ev->apic_vector >> 4;

	return class <= cr8 ? class : 0;
}

struct mvmm_event_plan mvmm_plan_event(struct mvmm_events_state *ev,
				       struct mvmm_readiness ready,
				       bool user_wants_window);
void mvmm_event_taken(struct mvmm_events_state *ev,
		      const struct mvmm_event *event);
void mvmm_event_requeue(struct mvmm_events_state *ev);
bool mvmm_event_merge(struct mvmm_event *first,
		      const struct mvmm_event *second);
bool mvmm_exception_has_error(u8 vector);
bool mvmm_event_is_fault(const struct mvmm_event *event);
int mvmm_events_check(const struct mvmm_events *ev);
struct mvmm_event mvmm_event_decode(u32 info, u32 error_code, u32 insn_len);
u32 mvmm_event_encode(const struct mvmm_event *event);

#endif
