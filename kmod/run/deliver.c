// SPDX-License-Identifier: GPL-2.0
/*
 * Events on their way into the guest: exceptions that the module raises, and what
 * an entry with an event means. Which event is next is logic/event.c's; how it is
 * written to the CPU is the vendor's.
 */
#include <asm/trapnr.h>
#include "run.h"

/**
 * mvmm_raise_event() - raise an exception in the guest
 * @vcpu: the vCPU
 * @event: the exception
 *
 * Context: any; the vCPU is busy for the caller.
 */
void mvmm_raise_event(struct mvmm_vcpu *vcpu, const struct mvmm_event *event)
{
	mvmm_event_requeue(&vcpu->events);
	if (!mvmm_event_merge(&vcpu->events.inflight, event)) {
		vcpu->events.inflight.valid = false;
		atomic_or(MVMM_REQ_TRIPLE, &vcpu->requests);
	}
}

/**
 * mvmm_raise() - the same, by vector
 * @vcpu: the vCPU
 * @vector: 0 .. 31
 * @error_code: pushed where the vector has one
 */
void mvmm_raise(struct mvmm_vcpu *vcpu, u8 vector, u32 error_code)
{
	struct mvmm_event event = {
		.valid = true, .type = MVMM_EVENT_EXCEPTION, .vector = vector,
		.has_error = mvmm_exception_has_error(vector) &&
			     vcpu->cr0 & X86_CR0_PE,
		.error_code = error_code,
	};

	mvmm_raise_event(vcpu, &event);
}

/* ---- exits that mean the same on VMX and SVM -------------------------- */

/** mvmm_exit_gp() - what the guest did raises #GP; atomic */
enum mvmm_step mvmm_exit_gp(struct mvmm_vcpu *vcpu)
{
	mvmm_raise(vcpu, X86_TRAP_GP, 0);
	return MVMM_STEP_REENTER;
}

/** mvmm_exit_ud() - there is no such instruction for guests; atomic */
enum mvmm_step mvmm_exit_ud(struct mvmm_vcpu *vcpu)
{
	mvmm_raise(vcpu, X86_TRAP_UD, 0);
	return MVMM_STEP_REENTER;
}

/** mvmm_exit_nothing() - all is done already, or will be at the next entry */
enum mvmm_step mvmm_exit_nothing(struct mvmm_vcpu *vcpu)
{
	return MVMM_STEP_REENTER;
}

/** mvmm_exit_shutdown() - a triple fault; atomic */
enum mvmm_step mvmm_exit_shutdown(struct mvmm_vcpu *vcpu)
{
	vcpu->exit.reason = MVMM_EXIT_SHUTDOWN;
	return MVMM_STEP_USER;
}

/**
 * mvmm_irq_window_open() - the guest can take an interrupt now
 * @vcpu: asked for the window
 */
enum mvmm_step mvmm_irq_window_open(struct mvmm_vcpu *vcpu)
{
	/* What waits in the kernel goes first, at the next entry */
	if (vcpu->events.irq_pending || mvmm_apic_ready(&vcpu->events) ||
	    !vcpu->user_irq_window)
		return MVMM_STEP_REENTER;
	vcpu->exit.reason = MVMM_EXIT_IRQ_WINDOW;
	return MVMM_STEP_USER;
}

/**
 * mvmm_take_event() - an entry with the event is certain
 * @vcpu: the vCPU
 * @event: from mvmm_plan_event()
 * @undo: becomes the events as they are if the CPU refuses the entry
 *
 * Context: interrupts off.
 */
void mvmm_take_event(struct mvmm_vcpu *vcpu, const struct mvmm_event *event,
		     struct mvmm_events_state *undo)
{
	struct mvmm_events_state *ev = &vcpu->events;

	mvmm_event_taken(ev, event);
	if (!event->from_apic)
		return;
	lapic_ack(&vcpu->apic, event->vector);
	mvmm_apic_refresh(vcpu);
	if (mvmm_pv_eoi_usable(vcpu))
		mvmm_pv_eoi_offer(vcpu);
	undo->irq_pending = true;
	undo->irq_vector = event->vector;
	undo->apic_vector = ev->apic_vector;
	undo->apic_ppr = ev->apic_ppr;
}
