/* SPDX-License-Identifier: GPL-2.0 */
/* The outer loop, and what the vendors' inner loops share. */
#ifndef MVMM_RUN_RUN_H
#define MVMM_RUN_RUN_H

#include <linux/context_tracking.h>
#include <linux/interrupt.h>
#include <linux/sched.h>
#include <asm/debugreg.h>
#include "compat.h"
#include "cpu/host.h"
#include "irq/apic.h"
#include "pv/pv.h"
#include "vcpu.h"

long mvmm_vcpu_run(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_come_back(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_exit_gp(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_exit_ud(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_exit_nothing(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_exit_shutdown(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_exit_task_switch(struct mvmm_vcpu *vcpu, u16 selector,
				     u8 source);
enum mvmm_step mvmm_irq_window_open(struct mvmm_vcpu *vcpu);
void mvmm_raise(struct mvmm_vcpu *vcpu, u8 vector, u32 error_code);
void mvmm_raise_db(struct mvmm_vcpu *vcpu, u64 why);
void mvmm_raise_event(struct mvmm_vcpu *vcpu, const struct mvmm_event *event);
enum mvmm_step mvmm_stop(struct mvmm_vcpu *vcpu, u32 hw_reason,
			 u64 qualification, const char *text);

void mvmm_take_event(struct mvmm_vcpu *vcpu, const struct mvmm_event *event,
		     struct mvmm_events_state *undo);

bool mvmm_halts_for_good(const struct mvmm_vcpu *vcpu, u64 rflags);
enum mvmm_step mvmm_halt(struct mvmm_vcpu *vcpu);
int mvmm_wait(struct mvmm_vcpu *vcpu);
void mvmm_reset_and_start(struct mvmm_vcpu *vcpu);

#ifdef CONFIG_MVMM_IOEVENTFD
bool mvmm_ring_any(struct mvmm_vcpu *vcpu);
int mvmm_ioeventfd(struct mvmm_vm *vm, const struct mvmm_ioeventfd *e);
void mvmm_doorbells_destroy(struct mvmm_vm *vm);

/**
 * mvmm_ring() - does vcpu->exit, an I/O exit, ring a doorbell?
 * @vcpu: the vCPU
 *
 * Context: interrupts off. Return: true if it did: the instruction is done.
 */
static inline bool mvmm_ring(struct mvmm_vcpu *vcpu)
{
	return unlikely(READ_ONCE(vcpu->vm->nr_doorbells)) &&
	       mvmm_ring_any(vcpu);
}
#else
static inline void mvmm_doorbells_destroy(struct mvmm_vm *vm) {}

static inline bool mvmm_ring(struct mvmm_vcpu *vcpu)
{
	return false;
}
#endif

/*
 * Do softirqs wait for the section to end? Newer kernels hold them off from
 * kernel_fpu_begin() on. A guest that is alone on its CPU would keep timers and
 * the network's packets of that CPU off for as long as it likes.
 */
static inline bool mvmm_softirqs_wait(void)
{
	return softirq_count() && local_softirq_pending();
}

/*
 * Must the inner loop return to the outer one? Whoever asks for that later also
 * interrupts the guest.
 */
static inline bool mvmm_must_come_back(struct mvmm_vcpu *vcpu)
{
	const unsigned long work = _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL |
				   _TIF_NEED_RESCHED | MVMM_TIF_RESCHED_LAZY |
				   _TIF_NOTIFY_RESUME;

	return READ_ONCE(current_thread_info()->flags) & work ||
	       mvmm_softirqs_wait() || atomic_read(&vcpu->requests);
}

/**
 * mvmm_enter_begin() - from now on the vCPU counts as being in the guest
 * @vcpu: the vCPU
 *
 * Context: interrupts off until mvmm_enter_end(). Return: false if there is
 * other work first: then it does not count, and must not enter.
 */
static inline bool mvmm_enter_begin(struct mvmm_vcpu *vcpu)
{
	lockdep_assert_irqs_disabled();
	mvmm_assert_section(vcpu);
	WRITE_ONCE(vcpu->in_guest, true);
	/* pairs with mvmm_kick_guests(), mvmm_request() and take_back() */
	smp_mb();
	if (likely(!mvmm_must_come_back(vcpu)))
		return true;
	WRITE_ONCE(vcpu->in_guest, false);
	return false;
}

/**
 * mvmm_enter_end() - the vCPU has left the guest
 * @vcpu: the vCPU
 *
 * Context: interrupts off since mvmm_enter_begin().
 */
static inline void mvmm_enter_end(struct mvmm_vcpu *vcpu)
{
	lockdep_assert_irqs_disabled();
	/* The host's breakpoints, if it has any in use */
	if (unlikely(hw_breakpoint_active()))
		mvmm_restore_debug_registers();
	if (mvmm_pv_eoi_offered(vcpu))
		mvmm_pv_eoi_look(vcpu);
	/* What the guest did is done; pairs with mvmm_kick_guests() */
	smp_store_release(&vcpu->in_guest, false);
	vcpu->stats.entries++;
}

/*
 * guest_state_enter_irqoff() without its note to RCU at every entry.
 * mvmm_host_interrupts() gives that note: after the tick, RCU may wait for it.
 */
static __always_inline void mvmm_guest_state_enter(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();
	context_tracking_guest_enter();
	lockdep_hardirqs_on(_THIS_IP_);
}

/*
 * The vCPU's thread has come to this CPU from another one: its timer follows,
 * and it has to look whether it may keep its slot
 */
static inline void mvmm_vcpu_moved(struct mvmm_vcpu *vcpu)
{
	lockdep_assert_preemption_disabled();
	vcpu->stats.migrations++;
	if (vcpu->has_apic)
		mvmm_apic_moved(vcpu);
	if (IS_ENABLED(CONFIG_MVMM_SLOTS))
		atomic_or(MVMM_REQ_SLOT, &vcpu->requests);
}

#endif
