// SPDX-License-Identifier: GPL-2.0
/*
 * What surrounds the local APICs: messages from vCPUs and devices to vCPUs, the
 * timer, and the guest's accesses. The APIC itself is logic/lapic.c; what HLT,
 * INIT and SIPI do to a vCPU is run/wait.c's.
 *
 * A sender never changes another vCPU's APIC. It leaves bits in the vCPU's
 * inbox and makes a request; the vCPU's own thread collects the bits before it
 * enters the guest again. So the path of an exit needs no lock.
 */
#include <linux/hrtimer.h>
#include <linux/moduleparam.h>
#include "apic.h"
#include "compat.h"
#include "cpu/cpu.h"
#include "cpu/tsc.h"

static unsigned int lapic_timer_advance_ns = 5000;
module_param(lapic_timer_advance_ns, uint, 0644);
MODULE_PARM_DESC(lapic_timer_advance_ns,
		 "how much before a TSC deadline its timer expires, at most");

/* Bits of inbox.flags */
enum { INBOX_TIMER, INBOX_NMI, INBOX_NMI2, INBOX_INIT, INBOX_SIPI, INBOX_UNHALT };

/* A timer that expires later than this is armed in parts */
#define MAX_TIMER_TICKS (1ull << 40)

/** mvmm_apic_pull_now() - mvmm_apic_pull() when vcpu->vapic is newer */
void mvmm_apic_pull_now(struct mvmm_vcpu *vcpu)
{
	u8 tpr = vcpu->vapic[LAPIC_TPR * 4];

	mvmm_assert_busy(vcpu);

	if (vcpu->vapic_regs) {
		lapic_from_page(&vcpu->apic, vcpu->vapic);
		mvmm_apic_refresh(vcpu);
	} else if (!vcpu->has_apic) {
		vcpu->cr8 = tpr >> 4;
	} else if (tpr != vcpu->apic.tpr) {
		vcpu->apic.tpr = tpr;
		mvmm_apic_refresh(vcpu);
	}
}

/* ---- sending ---------------------------------------------------------- */

/* Put a message into a vCPU's inbox. Returns 1 if it takes it, else 0 */
static int leave_in_inbox(struct mvmm_vcpu *vcpu, const struct lapic_msg *msg)
{
	struct mvmm_inbox *in = &vcpu->inbox;

	switch (msg->mode) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST:
		if (!lapic_enabled(&vcpu->apic))
			return 0;
		if (msg->level)
			set_bit(msg->vector, in->level);
		else if (test_bit(msg->vector, in->level))
			clear_bit(msg->vector, in->level);
		smp_mb__before_atomic(); /* pairs with mvmm_apic_collect() */
		set_bit(msg->vector, in->irr);
		break;
	case LAPIC_NMI:
		if (test_and_set_bit(INBOX_NMI, &in->flags))
			set_bit(INBOX_NMI2, &in->flags);
		break;
	case LAPIC_UNHALT:
		set_bit(INBOX_UNHALT, &in->flags);
		break;
	case LAPIC_INIT:
		clear_bit(INBOX_SIPI, &in->flags);
		set_bit(INBOX_INIT, &in->flags);
		break;
	case LAPIC_SIPI:
		/* One waits already: that one starts the vCPU */
		if (test_bit(INBOX_SIPI, &in->flags))
			return 1;
		WRITE_ONCE(in->sipi_vector, msg->vector);
		smp_mb__before_atomic(); /* pairs with mvmm_apic_collect() */
		set_bit(INBOX_SIPI, &in->flags);
		break;
	default:	/* SMI: no SMM here. ExtINT: by MVMM_VCPU_INJECT */
		return 0;
	}
	mvmm_request(vcpu, MVMM_REQ_EVENTS);
	return 1;
}

static bool is_destination(const struct mvmm_vcpu *vcpu,
			   const struct mvmm_vcpu *from,
			   const struct lapic_msg *msg)
{
	switch (msg->shorthand) {
	case LAPIC_TO_DEST:
		return lapic_matches(&vcpu->apic, msg);
	case LAPIC_TO_SELF:
		return vcpu == from;
	case LAPIC_TO_ALL:
		return true;
	default:
		return vcpu != from;
	}
}

/*
 * The class of the task priority, from any thread. It may be old while
 * apic_dirty changes, but the worst is that one lowest-priority
 * message goes to another vCPU.
 */
static u32 priority_class(const struct mvmm_vcpu *vcpu)
{
	if (vcpu->vapic && !READ_ONCE(vcpu->apic_dirty))
		return READ_ONCE(vcpu->vapic[LAPIC_TPR * 4]) >> 4;
	return READ_ONCE(vcpu->apic.tpr) >> 4;
}

/* Should @vcpu have a lowest-priority message, not @best? Equals take turns */
static bool is_better(struct mvmm_vcpu *vcpu, const struct mvmm_vcpu *best)
{
	u32 last = READ_ONCE(vcpu->vm->last_lowest), mine, its;

	if (!lapic_enabled(&vcpu->apic))
		return false;
	if (!best)
		return true;
	mine = priority_class(vcpu);
	its = priority_class(best);
	if (mine != its)
		return mine < its;
	return best->id <= last && vcpu->id > last;
}

/* tour 18: an interrupt message is delivered */

/**
 * mvmm_send() - deliver an interrupt message
 * @vm: a VM with local APICs
 * @from: the vCPU that sends it, or NULL: a device
 * @msg: the message
 *
 * Context: any, interrupts may be off. Return: how many vCPUs took it.
 */
int mvmm_send(struct mvmm_vm *vm, const struct mvmm_vcpu *from,
	      const struct lapic_msg *msg)
{
	struct mvmm_vcpu *vcpu, *best = NULL;
	int i, n = 0, nr = READ_ONCE(vm->nr_vcpus);

	rcu_read_lock();
	for (i = 0; i < nr; i++) {
		vcpu = READ_ONCE(vm->vcpus[i]);
		if (!vcpu || !is_destination(vcpu, from, msg))
			continue;
		if (msg->mode != LAPIC_LOWEST)
			n += leave_in_inbox(vcpu, msg);
		else if (is_better(vcpu, best))
			best = vcpu;
	}
	if (best) {
		WRITE_ONCE(vm->last_lowest, best->id);
		n = leave_in_inbox(best, msg);
	}
	rcu_read_unlock();
	return n;
}

/**
 * mvmm_msi() - MVMM_VM_MSI
 * @vm: the VM
 * @msi: from userspace
 *
 * Context: any. Return: how many vCPUs took it; -EOPNOTSUPP, -EINVAL.
 */
int mvmm_msi(struct mvmm_vm *vm, const struct mvmm_msi *msi)
{
	struct lapic_msg msg;

	if (msi->flags)
		return -EOPNOTSUPP;
	if (!vm->has_apic || msi->reserved ||
	    lapic_msi_msg(msi->address, msi->data, &msg))
		return -EINVAL;
	return mvmm_send(vm, NULL, &msg);
}

/* ---- the timer -------------------------------------------------------- */

static enum hrtimer_restart timer_fired(struct hrtimer *timer)
{
	struct mvmm_vcpu *vcpu = container_of(timer, struct mvmm_vcpu, timer);

	set_bit(INBOX_TIMER, &vcpu->inbox.flags);
	mvmm_request(vcpu, MVMM_REQ_EVENTS);
	return HRTIMER_NORESTART;
}

/* Of the parameter; interrupts are off while an entry waits */
#define MOST_LEAD_NS	100000

/* In ticks of the guest's TSC; 0: timers expire when they are due */
static u64 most_lead(const struct mvmm_vm *vm)
{
	u64 ns = min_t(u64, READ_ONCE(lapic_timer_advance_ns), MOST_LEAD_NS);

	return ns * vm->tsc_khz / USEC_PER_SEC;
}

/* By so many ticks may the timer expire before it is due */
static u64 timer_lead(const struct mvmm_vcpu *vcpu)
{
	/* No time goes by, or a CPU that delivers interrupts by itself does not wait */
	if (vcpu->vm->stopped_at || vcpu->vapic_irqs ||
	    vcpu->apic.lvt[LAPIC_LVT_TIMER] & LAPIC_LVT_MASKED ||
	    !lapic_uses_deadline(&vcpu->apic))
		return 0;
	return min(vcpu->timer_lead, most_lead(vcpu->vm));
}

/* Can the next entry deliver the timer's interrupt, and so wait for its time? */
static bool timer_goes_in(const struct mvmm_vcpu *vcpu)
{
	u8 vector = vcpu->apic.lvt[LAPIC_LVT_TIMER];

	return vector >> 4 > vcpu->events.apic_ppr >> 4;
}

/**
 * mvmm_apic_wait_due() - the timer has expired early: wait until it is due
 * @vcpu: the calling thread's, on its first entry since; timer_due is not 0
 *
 * Context: interrupts off, for lapic_timer_advance_ns at most.
 */
void mvmm_apic_wait_due(struct mvmm_vcpu *vcpu)
{
	u64 due = vcpu->timer_due, most = most_lead(vcpu->vm);
	s64 late = mvmm_guest_tsc(vcpu) - due;

	lockdep_assert_irqs_disabled();
	vcpu->timer_due = 0;
	vcpu->timer_lead = lapic_timer_lead(vcpu->timer_lead, late, max(most, 1));
	if (late < -(s64)most)
		return;
	/* A difference: the guest's TSC may be about to begin anew */
	while ((s64)(mvmm_guest_tsc(vcpu) - due) < 0)
		cpu_relax();
}

/*
 * The expiry may have changed: deliver an interrupt that is due, and arm the
 * hrtimer. Called by the vCPU's own thread. A guest with a very short period
 * cannot flood the host: the hrtimer is armed again only after the thread has
 * handled the last expiry.
 */
static void update_timer(struct mvmm_vcpu *vcpu)
{
	u64 now = mvmm_guest_tsc(vcpu), lead = timer_lead(vcpu), ticks;
	u64 expiry = lapic_timer_expiry(&vcpu->apic);
	bool early = expiry > now && expiry - now <= lead;

	mvmm_assert_busy(vcpu);
	if (lapic_timer_due(&vcpu->apic, now) || (early && timer_goes_in(vcpu))) {
		mvmm_apic_pull(vcpu);
		if (lead)
			vcpu->timer_due = expiry;
		lapic_timer_fire(&vcpu->apic, now);
		mvmm_apic_refresh(vcpu);
		expiry = lapic_timer_expiry(&vcpu->apic);
	}
	if (!expiry) {
		if (hrtimer_active(&vcpu->timer))
			hrtimer_try_to_cancel(&vcpu->timer);
		return;
	}
	ticks = min(expiry - now - (early ? 0 : lead), MAX_TIMER_TICKS);
	hrtimer_start(&vcpu->timer,
		      ns_to_ktime(mvmm_guest_ticks_to_ns(vcpu->vm, ticks)),
		      HRTIMER_MODE_REL_PINNED_HARD);
}

/**
 * mvmm_apic_moved() - move the timer to this CPU, where the vCPU runs now
 * @vcpu: the calling thread's
 *
 * Context: preemption off.
 */
void mvmm_apic_moved(struct mvmm_vcpu *vcpu)
{
	lockdep_assert_preemption_disabled();
	if (hrtimer_active(&vcpu->timer))
		hrtimer_start_expires(&vcpu->timer,
				      HRTIMER_MODE_ABS_PINNED_HARD);
}

/* ---- receiving -------------------------------------------------------- */

static void collect_irr(struct mvmm_vcpu *vcpu)
{
	struct mvmm_inbox *in = &vcpu->inbox;
	unsigned long word;
	int i, bit;

	for (i = 0; i < BITS_TO_LONGS(256); i++) {
		if (!READ_ONCE(in->irr[i]))
			continue;
		word = xchg(&in->irr[i], 0);
		for_each_set_bit(bit, &word, BITS_PER_LONG) {
			u8 vector = i * BITS_PER_LONG + bit;

			lapic_accept(&vcpu->apic, vector,
				     test_bit(vector, in->level));
		}
	}
}

/* A CPU holds two NMIs: one is delivered or handled, one is latched */
static void add_nmi(struct mvmm_events_state *ev)
{
	bool inflight = ev->inflight.valid &&
			ev->inflight.type == MVMM_EVENT_NMI;

	ev->nmi_pending = min(ev->nmi_pending + 1, 2 - inflight);
}

/**
 * mvmm_apic_collect() - take what is in the inbox into the local APIC
 * @vcpu: the calling thread's, in any mp_state
 *
 * Context: any, interrupts may be off.
 */
void mvmm_apic_collect(struct mvmm_vcpu *vcpu)
{
	unsigned long flags;

	mvmm_assert_busy(vcpu);
	mvmm_apic_pull(vcpu);
	atomic_andnot(MVMM_REQ_EVENTS, &vcpu->requests);
	smp_mb__after_atomic(); /* pairs with leave_in_inbox() */
	collect_irr(vcpu);
	flags = READ_ONCE(vcpu->inbox.flags);
	if (flags)
		flags = xchg(&vcpu->inbox.flags, 0);
	if (flags & BIT(INBOX_TIMER))
		update_timer(vcpu);
	if (flags & BIT(INBOX_NMI))
		add_nmi(&vcpu->events);
	if (flags & BIT(INBOX_NMI2))
		add_nmi(&vcpu->events);
	if (flags & BIT(INBOX_UNHALT))
		vcpu->unhalted = true;
	if (flags & BIT(INBOX_INIT)) {
		vcpu->mp_state = MVMM_MP_RESET;
		vcpu->sipi = 0;
	}
	/* At any other time a SIPI has no effect (SDM vol. 3, 11.6.1) */
	if (flags & BIT(INBOX_SIPI) && !vcpu->sipi &&
	    (vcpu->mp_state == MVMM_MP_INIT ||
	     vcpu->mp_state == MVMM_MP_RESET))
		vcpu->sipi = READ_ONCE(vcpu->inbox.sipi_vector) | MVMM_SIPI;
	mvmm_apic_refresh(vcpu);
}

/* ---- the guest's accesses --------------------------------------------- */

/* Do what a write to the APIC asks for: LAPIC_DOES_* */
static void do_effects(struct mvmm_vcpu *vcpu, int does)
{
	mvmm_assert_busy(vcpu);
	if (does & LAPIC_DOES_IPI) {
		struct lapic_msg msg = lapic_icr_msg(&vcpu->apic);

		mvmm_send(vcpu->vm, vcpu, &msg);
	}
	if (does & LAPIC_DOES_EOI)
		atomic_or(MVMM_REQ_EOI, &vcpu->requests);
	mvmm_apic_refresh(vcpu);
	if (does & LAPIC_DOES_TIMER)
		update_timer(vcpu);
}

/* The APIC-access page must not be mapped if an APIC is not in xAPIC mode */
static void mode_changed(struct mvmm_vcpu *vcpu)
{
	smp_mb(); /* pairs with mvmm_map_apic_page() in mm/apic_page.c */
	if (READ_ONCE(vcpu->vm->apic_page) && !lapic_is_xapic(&vcpu->apic))
		atomic_or(MVMM_REQ_APIC, &vcpu->requests);
}

/**
 * mvmm_apic_get_msr() - RDMSR of one of the APIC's MSRs
 * @vcpu: of a VM with local APICs
 * @index: an MSR for which mvmm_is_apic_msr() is true
 * @value: out
 *
 * Context: atomic. Return: 0, or -EINVAL: #GP.
 */
int mvmm_apic_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value)
{
	const struct lapic *a = &vcpu->apic;

	switch (index) {
	case MSR_IA32_APICBASE:
		*value = a->base;
		return 0;
	case MSR_IA32_TSC_DEADLINE:
		*value = a->deadline;
		return 0;
	default:
		if (!lapic_is_x2(a))
			return -EINVAL;
		/* The current count is not in the page */
		if (index != APIC_BASE_MSR + LAPIC_TMCCT)
			mvmm_apic_pull(vcpu);
		return lapic_read(a, index - APIC_BASE_MSR,
				  mvmm_guest_tsc(vcpu), value);
	}
}

/**
 * mvmm_apic_set_msr() - WRMSR to one of the APIC's MSRs
 * @vcpu: of a VM with local APICs
 * @index: an MSR for which mvmm_is_apic_msr() is true
 * @value: new value
 *
 * Context: atomic. Return: 0, or -EINVAL: #GP.
 */
int mvmm_apic_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	struct lapic *a = &vcpu->apic;
	int ret;

	/* Written most often, and needs nothing of what follows */
	if (index == MSR_IA32_TSC_DEADLINE) {
		/* The old one may be due, without that anybody has looked */
		if (unlikely(lapic_timer_due(a, mvmm_guest_tsc(vcpu))))
			update_timer(vcpu);
		lapic_set_deadline(a, value);
		update_timer(vcpu);
		return 0;
	}
	mvmm_apic_pull(vcpu);
	switch (index) {
	case MSR_IA32_APICBASE:
		ret = lapic_set_base(a, value);
		if (!ret)
			ret = LAPIC_DOES_TIMER;
		mode_changed(vcpu);
		break;
	default:
		ret = -EINVAL;
		if (lapic_is_x2(a))
			ret = lapic_write(a, index - APIC_BASE_MSR, value,
					  mvmm_guest_tsc(vcpu));
	}
	if (ret < 0)
		return ret;
	do_effects(vcpu, ret);
	return 0;
}

/**
 * mvmm_apic_eoi() - do an EOI, in whatever way the guest has asked for it
 * @vcpu: the calling thread's
 *
 * Context: atomic.
 */
void mvmm_apic_eoi(struct mvmm_vcpu *vcpu)
{
	mvmm_apic_pull(vcpu);
	do_effects(vcpu, lapic_write(&vcpu->apic, LAPIC_EOI, 0, 0));
}

/**
 * mvmm_apic_tsc_moved() - the guest's TSC was written
 * @vcpu: the calling thread's
 * @by: its new value minus the old
 *
 * Context: atomic.
 */
void mvmm_apic_tsc_moved(struct mvmm_vcpu *vcpu, u64 by)
{
	mvmm_apic_pull(vcpu);
	vcpu->timer_due = 0;
	lapic_tsc_moved(&vcpu->apic, by);
	do_effects(vcpu, LAPIC_DOES_TIMER);
}

/**
 * mvmm_apic_set_cr8() - change the guest's task priority
 * @vcpu: the calling thread's, with or without a local APIC
 * @cr8: the priority's class, 0 .. 15
 *
 * Context: atomic.
 */
void mvmm_apic_set_cr8(struct mvmm_vcpu *vcpu, u64 cr8)
{
	mvmm_apic_pull(vcpu);
	if (cr8 == vcpu->cr8)
		return;
	vcpu->cr8 = cr8;
	vcpu->apic_dirty = vcpu->vapic;
	if (!vcpu->has_apic)
		return;
	vcpu->apic.tpr = cr8 << 4;
	mvmm_apic_refresh(vcpu);
}

/**
 * mvmm_apic_access() - MVMM_VCPU_APIC_ACCESS
 * @vcpu: busy for the caller
 * @access: from userspace; its data is filled in for a read
 *
 * Context: may sleep. Return: 0 or -EINVAL.
 */
int mvmm_apic_access(struct mvmm_vcpu *vcpu, struct mvmm_apic_access *access)
{
	u64 now;
	int does;

	if (!vcpu->has_apic || access->offset > 0xfff ||
	    access->write > 1 || access->reserved)
		return -EINVAL;
	mvmm_apic_collect(vcpu);
	now = mvmm_guest_tsc(vcpu);
	if (access->write) {
		does = lapic_mmio_write(&vcpu->apic, access->offset,
					access->data, now);
		do_effects(vcpu, does);
	} else {
		access->data = lapic_mmio_read(&vcpu->apic, access->offset,
					       now);
		do_effects(vcpu, 0);
	}
	return 0;
}

/**
 * mvmm_apic_eoi_induced() - the CPU has done an EOI: tell the I/O APIC
 * @vcpu: the calling thread's
 * @vector: of the interrupt that has ended
 *
 * Context: atomic.
 */
void mvmm_apic_eoi_induced(struct mvmm_vcpu *vcpu, u8 vector)
{
	mvmm_assert_section(vcpu);
	mvmm_apic_pull(vcpu);
	vcpu->apic.eoi_vector = vector;
	do_effects(vcpu, LAPIC_DOES_EOI);
}

/**
 * mvmm_apic_write_trapped() - the guest has written to its virtual-APIC page
 * @vcpu: the calling thread's
 * @offset: of the register, whose effects are left to software
 *
 * Context: atomic.
 */
void mvmm_apic_write_trapped(struct mvmm_vcpu *vcpu, u32 offset)
{
	u32 value = vcpu->vapic[offset / 4];
	int does;

	mvmm_assert_section(vcpu);

	mvmm_apic_pull(vcpu);
	if (lapic_is_x2(&vcpu->apic))
		does = lapic_write(&vcpu->apic, offset >> 4, value,
				   mvmm_guest_tsc(vcpu));
	else
		does = lapic_mmio_write(&vcpu->apic, offset, value,
					mvmm_guest_tsc(vcpu));
	do_effects(vcpu, max(does, 0));
}

/* ---- life and state --------------------------------------------------- */

/** mvmm_apic_init() - set up what a new vCPU needs for its local APIC */
void mvmm_apic_init(struct mvmm_vcpu *vcpu)
{
	mvmm_hrtimer_setup(&vcpu->timer, timer_fired, CLOCK_MONOTONIC,
			   HRTIMER_MODE_REL_PINNED_HARD);
	vcpu->timer_lead = 1;
	mvmm_apic_refresh(vcpu);
}

/**
 * mvmm_apic_destroy() - stop the timer of a vCPU that is about to be freed
 * @vcpu: nobody can send to it any more
 *
 * Context: may sleep.
 */
void mvmm_apic_destroy(struct mvmm_vcpu *vcpu)
{
	hrtimer_cancel(&vcpu->timer);
}

/**
 * mvmm_set_apic() - MVMM_VCPU_SET_APIC
 * @vcpu: busy for the caller
 * @state: from userspace
 *
 * Context: may sleep. Return: 0 or -EINVAL.
 */
int mvmm_set_apic(struct mvmm_vcpu *vcpu, const struct mvmm_apic *state)
{
	int ret;

	mvmm_assert_busy(vcpu);
	if (!vcpu->has_apic || state->mp_state > MVMM_MP_UNHALTED)
		return -EINVAL;
	ret = lapic_set(&vcpu->apic, state->regs, state->apic_base,
			state->tsc_deadline, mvmm_guest_tsc(vcpu));
	if (ret)
		return ret;
	vcpu->unhalted = state->mp_state == MVMM_MP_UNHALTED;
	vcpu->mp_state = vcpu->unhalted ? MVMM_MP_RUNNABLE : state->mp_state;
	vcpu->sipi = 0;
	mode_changed(vcpu);
	mvmm_apic_refresh(vcpu);
	update_timer(vcpu);
	return 0;
}
