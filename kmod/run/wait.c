// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU that must not enter the guest now: HLT, where the thread polls for a
 * short time before it sleeps, and INIT and SIPI, which reset the vCPU and
 * start it.
 */
#include <linux/moduleparam.h>
#include <linux/rcuwait.h>
#include <linux/sched/signal.h>
#include "guest/guest.h"
#include "run.h"
#include "slots/slots.h"

static unsigned int halt_poll_us = 20;
module_param(halt_poll_us, uint, 0644);
MODULE_PARM_DESC(halt_poll_us,
		 "how long a halted vCPU waits awake for an interrupt, at most");

/**
 * mvmm_halts_for_good() - is userspace the only one that can end this HLT?
 * @vcpu: the vCPU
 * @rflags: the guest's RFLAGS
 *
 * Context: atomic. Return: true if no other vCPU and no interrupt can.
 */
bool mvmm_halts_for_good(const struct mvmm_vcpu *vcpu, u64 rflags)
{
	return !(rflags & X86_EFLAGS_IF) && !vcpu->events.nmi_pending &&
	       !vcpu->unhalted &&
	       !(atomic_read(&vcpu->requests) & MVMM_REQ_EVENTS) &&
	       READ_ONCE(vcpu->vm->nr_vcpus) == 1;
}

/** mvmm_halt() - the guest has executed HLT. Context: atomic */
enum mvmm_step mvmm_halt(struct mvmm_vcpu *vcpu)
{
	vcpu->mp_state = MVMM_MP_HALTED;
	return MVMM_STEP_OUTER;
}

static bool has_reason_to_wake(const struct mvmm_vcpu *vcpu)
{
	const struct mvmm_events_state *ev = &vcpu->events;

	if (ev->inflight.valid || ev->nmi_pending || vcpu->unhalted ||
	    atomic_read(&vcpu->requests) & MVMM_REQ_TRIPLE)
		return true;
	return vcpu->regs.rflags & X86_EFLAGS_IF &&
	       (ev->irq_pending || mvmm_apic_ready(ev) ||
		mvmm_wants_window(vcpu));
}

/* Any request except SLOT and PAUSE: a halted vCPU needs no slot */
static bool is_requested(const struct mvmm_vcpu *vcpu)
{
	return atomic_read(&vcpu->requests) &
	       ~(MVMM_REQ_SLOT | MVMM_REQ_PAUSE);
}

/*
 * Stay awake for a while: if the interrupt comes soon, no thread has to wake up
 */
static void poll_for_request(struct mvmm_vcpu *vcpu)
{
	u64 end = rdtsc() + (u64)vcpu->halt_poll_us * tsc_khz / 1000;

	while (!is_requested(vcpu) && !need_resched() &&
	       !signal_pending(current) && (s64)(rdtsc() - end) < 0)
		cpu_relax();
}

/*
 * Stop polling after a long wait. Start again after a wait so short that
 * polling would have been enough.
 */
static void adapt_poll(struct mvmm_vcpu *vcpu, u64 waited_us)
{
	unsigned int most = READ_ONCE(halt_poll_us);

	if (waited_us > most)
		vcpu->halt_poll_us = 0;
	else if (vcpu->halt_poll_us < most)
		vcpu->halt_poll_us = min(max(vcpu->halt_poll_us * 2, 5u), most);
	else
		vcpu->halt_poll_us = most;
}

static int wait_for_request(struct mvmm_vcpu *vcpu)
{
	u64 start = rdtsc();
	int ret = 0;

	if (vcpu->halt_poll_us && !vcpu->slice_end)
		poll_for_request(vcpu);
	if (!is_requested(vcpu)) {
		mvmm_slot_rest(vcpu);
		ret = rcuwait_wait_event(&vcpu->wait, is_requested(vcpu),
					 TASK_INTERRUPTIBLE);
		mvmm_slot_wake(vcpu);
	}
	adapt_poll(vcpu, (rdtsc() - start) * 1000 / tsc_khz);
	return ret;
}

/**
 * mvmm_reset_and_start() - do what an INIT and a SIPI have asked for
 * @vcpu: busy for the caller
 *
 * Context: may sleep, outside of a section.
 */
void mvmm_reset_and_start(struct mvmm_vcpu *vcpu)
{
	mvmm_assert_busy(vcpu);
	mvmm_assert_may_sleep();
	if (vcpu->mp_state == MVMM_MP_RESET)
		mvmm_vcpu_reset(vcpu, true);
	if (vcpu->mp_state == MVMM_MP_INIT && vcpu->sipi) {
		mvmm_vcpu_start(vcpu, vcpu->sipi & 0xff);
		vcpu->sipi = 0;
		vcpu->mp_state = MVMM_MP_RUNNABLE;
	}
}

/* tour 10: HLT, INIT and SIPI */

/**
 * mvmm_wait() - the vCPU must not enter the guest now: wait, or reset it
 * @vcpu: busy for the caller; its mp_state is not MVMM_MP_RUNNABLE
 *
 * Context: may sleep. Return: 0: look at mp_state and requests again; -EINTR.
 */
int mvmm_wait(struct mvmm_vcpu *vcpu)
{
	mvmm_apic_pull(vcpu);
	mvmm_reset_and_start(vcpu);
	if (vcpu->mp_state == MVMM_MP_HALTED && has_reason_to_wake(vcpu)) {
		vcpu->mp_state = MVMM_MP_RUNNABLE;
		vcpu->unhalted = false;
	}
	if (vcpu->mp_state == MVMM_MP_RUNNABLE)
		return 0;
	return wait_for_request(vcpu);
}
