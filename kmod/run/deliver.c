// SPDX-License-Identifier: GPL-2.0
/*
 * Events on their way into the guest: exceptions that the module raises, and
 * what an entry with an event changes. logic/event.c decides which event is
 * next; vmx/ and svm/ write it to the CPU.
 */
#include <asm/trapnr.h>
#include "run.h"

/**
 * mvmm_raise_event() - raise an exception in the guest
 * @vcpu: busy for the caller
 * @event: the exception
 *
 * Context: any.
 */
void mvmm_raise_event(struct mvmm_vcpu *vcpu, const struct mvmm_event *event)
{
	mvmm_assert_busy(vcpu);
	mvmm_event_requeue(&vcpu->events);
	if (!mvmm_event_merge(&vcpu->events.inflight, event)) {
		vcpu->events.inflight.valid = false;
		atomic_or(MVMM_REQ_TRIPLE, &vcpu->requests);
	}
}

/**
 * mvmm_raise() - raise an exception in the guest, by its vector
 * @vcpu: busy for the caller
 * @vector: 0 .. 31
 * @error_code: pushed if exceptions of this vector have an error code
 *
 * Context: any.
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

/**
 * mvmm_raise_db() - raise #DB in the guest
 * @vcpu: busy for the caller
 * @why: bits of DR6; those of breakpoints that were met before go
 *
 * Context: any.
 */
void mvmm_raise_db(struct mvmm_vcpu *vcpu, u64 why)
{
	vcpu->dr6 = (vcpu->dr6 & ~(u64)DR_TRAP_BITS) | why;
	mvmm_raise(vcpu, X86_TRAP_DB, 0);
}

/* ---- exits that mean the same on VMX and SVM -------------------------- */

/** mvmm_exit_gp() - an exit that raises #GP. Context: atomic */
enum mvmm_step mvmm_exit_gp(struct mvmm_vcpu *vcpu)
{
	mvmm_raise(vcpu, X86_TRAP_GP, 0);
	return MVMM_STEP_REENTER;
}

/** mvmm_exit_ud() - an instruction that guests do not have. Context: atomic */
enum mvmm_step mvmm_exit_ud(struct mvmm_vcpu *vcpu)
{
	mvmm_raise(vcpu, X86_TRAP_UD, 0);
	return MVMM_STEP_REENTER;
}

/** mvmm_exit_nothing() - an exit that needs no more than the next entry */
enum mvmm_step mvmm_exit_nothing(struct mvmm_vcpu *vcpu)
{
	return MVMM_STEP_REENTER;
}

/** mvmm_exit_shutdown() - an exit by a triple fault. Context: atomic */
enum mvmm_step mvmm_exit_shutdown(struct mvmm_vcpu *vcpu)
{
	vcpu->exit.reason = MVMM_EXIT_SHUTDOWN;
	return MVMM_STEP_USER;
}

/** mvmm_exit_task_switch() - to the TSS of @selector. Context: atomic */
enum mvmm_step mvmm_exit_task_switch(struct mvmm_vcpu *vcpu, u16 selector,
				     u8 source)
{
	vcpu->exit.reason = MVMM_EXIT_TASK_SWITCH;
	memset(&vcpu->exit.task, 0, sizeof(vcpu->exit.task));
	vcpu->exit.task.selector = selector;
	vcpu->exit.task.source = source;
	return MVMM_STEP_USER;
}

/**
 * mvmm_irq_window_open() - an exit because the guest can take an interrupt now
 * @vcpu: the vCPU, which has asked for the window
 *
 * Context: atomic. Return: MVMM_STEP_REENTER; MVMM_STEP_USER if userspace waits
 * for the window.
 */
enum mvmm_step mvmm_irq_window_open(struct mvmm_vcpu *vcpu)
{
	/* An interrupt that waits here goes first, at the next entry */
	if (vcpu->events.irq_pending || mvmm_apic_ready(&vcpu->events) ||
	    !mvmm_wants_window(vcpu))
		return MVMM_STEP_REENTER;
	vcpu->exit.reason = MVMM_EXIT_IRQ_WINDOW;
	return MVMM_STEP_USER;
}

/* tour 11: an event leaves for the guest */

/**
 * mvmm_take_event() - the next entry delivers an event: it is no longer pending
 * @vcpu: the vCPU
 * @event: from mvmm_plan_event()
 * @undo: the events as they were before; changed to what is right if the CPU
 *	refuses the entry
 *
 * An interrupt of the local APIC is acknowledged and cannot be put back there.
 * If the entry is refused it becomes one that is acknowledged already
 * (irq_pending).
 *
 * Context: interrupts off.
 */
void mvmm_take_event(struct mvmm_vcpu *vcpu, const struct mvmm_event *event,
		     struct mvmm_events_state *undo)
{
	struct mvmm_events_state *ev = &vcpu->events;

	lockdep_assert_irqs_disabled();
	mvmm_assert_section(vcpu);
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
