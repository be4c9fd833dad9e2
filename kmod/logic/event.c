// SPDX-License-Identifier: GPL-2.0
/*
 * Which event the guest gets next, and what happens to one that was in flight.
 * Pure: it works on struct mvmm_events_state; vmx/ and svm/ write the result to
 * the CPU.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <asm/trapnr.h>
#include "event.h"

#define INFO_VALID BIT(31)
#define INFO_HAS_ERROR BIT(11)

/* SDM vol. 3, table 6-4: contributory exceptions */
#define CONTRIBUTORY							\
	(BIT(X86_TRAP_DE) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) |	\
	 BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) | BIT(X86_TRAP_CP))
/* SDM vol. 3, table 6-1: the exceptions that push an error code */
#define WITH_ERROR_CODE							\
	(BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) |	\
	 BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) | BIT(X86_TRAP_PF) |	\
	 BIT(X86_TRAP_AC) | BIT(X86_TRAP_CP))

/** mvmm_exception_has_error() - does an exception push an error code? */
bool mvmm_exception_has_error(u8 vector)
{
	return vector < 32 && (WITH_ERROR_CODE & BIT(vector));
}

/* Traps and aborts; and #DB, which is a fault or a trap */
#define NO_FAULTS							\
	(BIT(X86_TRAP_DB) | BIT(X86_TRAP_BP) | BIT(X86_TRAP_OF) |	\
	 BIT(X86_TRAP_DF) | BIT(X86_TRAP_MC))

/** mvmm_event_is_fault() - does its delivery push RFLAGS with RF set? */
bool mvmm_event_is_fault(const struct mvmm_event *event)
{
	return event->type == MVMM_EVENT_EXCEPTION &&
	       !(NO_FAULTS & BIT(event->vector & 31));
}

/* tour 30: which event is next */

/**
 * mvmm_plan_event() - what to do about events at the next entry
 * @ev: what is pending
 * @ready: what the guest can take
 * @user_wants_window: userspace waits for the interrupt window
 *
 * Of two NMIs that wait one goes if a third is being handled.
 *
 * An event in flight goes first, because its delivery had begun. Then the order
 * is the SDM's (vol. 3, table 6-2).
 *
 * Return: the event to inject, and the windows to ask for.
 */
struct mvmm_event_plan mvmm_plan_event(struct mvmm_events_state *ev,
				       struct mvmm_readiness ready,
				       bool user_wants_window)
{
	struct mvmm_event_plan plan = {};
	bool irq_open = ready.if_set && !ready.shadow, irq;

	if (ready.nmi_masked && ev->nmi_pending > 1)
		ev->nmi_pending = 1;
	if (ev->inflight.valid) {
		plan.inject = ev->inflight;
	} else if (ev->nmi_pending && !ready.nmi_masked && !ready.shadow) {
		plan.inject = (struct mvmm_event){
			.valid = true, .type = MVMM_EVENT_NMI,
			.vector = X86_TRAP_NMI };
	} else if (ev->irq_pending && irq_open) {
		plan.inject = (struct mvmm_event){
			.valid = true, .type = MVMM_EVENT_IRQ,
			.vector = ev->irq_vector };
	} else if (mvmm_apic_ready(ev) && irq_open) {
		plan.inject = (struct mvmm_event){
			.valid = true, .type = MVMM_EVENT_IRQ,
			.vector = ev->apic_vector, .from_apic = true };
	}
	plan.nmi_window = ev->nmi_pending >
		(plan.inject.valid && plan.inject.type == MVMM_EVENT_NMI &&
		 !ev->inflight.valid);
	irq = plan.inject.valid && plan.inject.type == MVMM_EVENT_IRQ &&
	      !ev->inflight.valid;
	/*
	 * If the APIC's interrupt is injected now, the APIC's next one waits
	 * for EOI: no window is needed for it.
	 */
	plan.irq_window = user_wants_window ||
		(ev->irq_pending ? !irq || mvmm_apic_ready(ev) :
		 mvmm_apic_ready(ev) && !irq);
	return plan;
}

/**
 * mvmm_event_taken() - the next entry delivers @event: it is no longer pending
 * @ev: what is pending
 * @event: what mvmm_plan_event() chose to inject
 */
void mvmm_event_taken(struct mvmm_events_state *ev,
		      const struct mvmm_event *event)
{
	if (ev->inflight.valid)
		ev->inflight.valid = false;
	else if (event->type == MVMM_EVENT_NMI)
		ev->nmi_pending--;
	else if (event->type == MVMM_EVENT_IRQ && !event->from_apic)
		ev->irq_pending = false;
}

/**
 * mvmm_event_requeue() - make an interrupt or NMI in flight pending again
 * @ev: what is pending
 *
 * Called before an exception goes in flight: mvmm_event_merge() would lose the
 * interrupt or NMI.
 */
void mvmm_event_requeue(struct mvmm_events_state *ev)
{
	if (!ev->inflight.valid)
		return;
	if (ev->inflight.type == MVMM_EVENT_IRQ) {
		ev->irq_pending = true;
		ev->irq_vector = ev->inflight.vector;
		ev->inflight.valid = false;
	} else if (ev->inflight.type == MVMM_EVENT_NMI) {
		ev->nmi_pending++;
		ev->inflight.valid = false;
	}
}

/**
 * mvmm_event_merge() - the delivery of an event has raised an exception
 * @first: the event in delivery; changed to the one to deliver next
 * @second: the exception that its delivery raised
 *
 * SDM vol. 3, table 6-5. If the two are handled serially, @second comes next;
 * @first comes again when its instruction is restarted, as on a CPU. An
 * interrupt or NMI has no such instruction: call mvmm_event_requeue() before.
 *
 * Return: false for a triple fault.
 */
bool mvmm_event_merge(struct mvmm_event *first, const struct mvmm_event *second)
{
	bool hw_first = first->valid && first->type == MVMM_EVENT_EXCEPTION;
	u32 one = hw_first ? BIT(first->vector) : 0;
	u32 two = BIT(second->vector);

	if (one & BIT(X86_TRAP_DF) &&
	    two & (CONTRIBUTORY | BIT(X86_TRAP_PF)))
		return false;
	if ((one & CONTRIBUTORY && two & CONTRIBUTORY) ||
	    (one & BIT(X86_TRAP_PF) && two & (CONTRIBUTORY | BIT(X86_TRAP_PF)))) {
		*first = (struct mvmm_event){
			.valid = true, .type = MVMM_EVENT_EXCEPTION,
			.vector = X86_TRAP_DF, .has_error = true };
		return true;
	}
	*first = *second;
	return true;
}

/**
 * mvmm_event_decode() - an event from the CPU's description of it
 * @info: VMX's interruption or IDT-vectoring information (SDM vol. 3, table
 *	25-18), or SVM's EXITINTINFO (APM vol. 2, 15.7.2), of the same layout
 * @error_code: the error-code field
 * @insn_len: length of the instruction that caused a software event
 *
 * Return: the event; not valid if @info describes none.
 */
struct mvmm_event mvmm_event_decode(u32 info, u32 error_code, u32 insn_len)
{
	struct mvmm_event event = {};

	if (!(info & INFO_VALID))
		return event;
	event.valid = true;
	event.vector = info;
	event.type = (info >> 8) & 7;
	if (info & INFO_HAS_ERROR) {
		event.has_error = true;
		event.error_code = error_code;
	}
	if (event.type >= MVMM_EVENT_SOFT_INT)
		event.insn_len = insn_len;
	return event;
}

/** mvmm_event_encode() - VM-entry interruption information, or EVENTINJ */
u32 mvmm_event_encode(const struct mvmm_event *event)
{
	return INFO_VALID | event->vector | event->type << 8 |
	       (event->has_error ? INFO_HAS_ERROR : 0);
}

/**
 * mvmm_events_check() - can a vCPU be in this state?
 * @ev: from MVMM_VCPU_SET_EVENTS
 *
 * Return: 0 or -EINVAL.
 */
int mvmm_events_check(const struct mvmm_events *ev)
{
	if (ev->shadow & ~(MVMM_SHADOW_STI | MVMM_SHADOW_MOV_SS) ||
	    ev->shadow == (MVMM_SHADOW_STI | MVMM_SHADOW_MOV_SS) ||
	    ev->nmi_masked > 1 || ev->nmi_pending > 2 || ev->irq_pending > 1 ||
	    ev->inflight > 1 || ev->has_error > 1 || ev->eoi_pending > 1 ||
	    ev->shutdown > 1 ||
	    memchr_inv(ev->reserved, 0, sizeof(ev->reserved)) ||
	    ev->insn_len > MVMM_MAX_INSN)
		return -EINVAL;
	/* SDM vol. 3, 25.4.2: B0..B3, enabled breakpoint, BS, RTM */
	if (ev->pending_dbg & ~(0xfULL | BIT(12) | BIT(14) | BIT(16)))
		return -EINVAL;
	if (!ev->inflight)
		return 0;
	switch (ev->type) {
	case MVMM_EVENT_IRQ:
		return ev->has_error || ev->irq_pending ? -EINVAL : 0;
	case MVMM_EVENT_NMI:
		return ev->vector != X86_TRAP_NMI || ev->has_error ||
		       ev->nmi_pending > 1 ? -EINVAL : 0;
	case MVMM_EVENT_EXCEPTION:
		if (ev->vector > 31 || ev->vector == X86_TRAP_NMI ||
		    (ev->has_error && !mvmm_exception_has_error(ev->vector)))
			return -EINVAL;
		return 0;
	case MVMM_EVENT_SOFT_INT:
	case MVMM_EVENT_PRIV_TRAP:
	case MVMM_EVENT_SOFT_EXC:
		return ev->has_error || !ev->insn_len ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}
