// SPDX-License-Identifier: GPL-2.0
/*
 * Connects the pure scheduler to threads that wait and wake up, to timers and
 * tracepoints. Read logic/sched.h first: it says what has to be called when.
 *
 * A vCPU that has a slot and no competitors pays nothing. It keeps the slot
 * across exits to userspace, and when another wants the slot, it sets
 * MVMM_REQ_SLOT, which an entry checks anyway. Where Linux does not run its
 * thread a timer sees that, by what the thread says of itself (runner) and Linux
 * of it (on_cpu): a preempt notifier would have to be registered at each RUN.
 */
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/moduleparam.h>
#include <linux/rcuwait.h>
#include <linux/sched/prio.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include "compat.h"
#include "cpu/cpu.h"
#include "cpu/tsc.h"
#include "rest.h"
#include "slots.h"
#include "trace.h"

#define SLICE_MS	6
#define CAP_PERIOD_MS	50

/*
 * Guards the scheduler and what it keeps in VMs and vCPUs (se, charged). Taken
 * with interrupts off. Inside it only the host's wake-up and timer locks are
 * taken.
 */
static DEFINE_RAW_SPINLOCK(lock);
static struct vsched sched;
static struct vsched_slot *slots;
/* Fires when a throttled VM may run again */
static struct hrtimer refill_timer;

static const struct vsched_policy *const policies[] = {
	&vsched_fair,
#ifdef CONFIG_MVMM_POLICIES
	&vsched_rr, &vsched_gang,
#endif
};

static const struct vsched_policy *policy = &vsched_fair;

/*
 * While this is not set, a vCPU that halts rests: it keeps its slot, and takes no
 * lock, neither then nor when it wakes up. While anybody waits, for whatever reason
 * (a cap, too), nobody rests.
 */
static bool contended;

static struct mvmm_vcpu *to_vcpu(struct vsched_vcpu *se)
{
	return container_of(se, struct mvmm_vcpu, se);
}

static void trace_change(struct mvmm_vcpu *vcpu, enum vsched_state was)
{
	trace_mvmm_sched(vcpu->vm->serial, vcpu->id, was, vcpu->se.state,
			 vcpu->se.slot);
}

/* ---- with the lock held ------------------------------------------------ */

/* Charge a holder since the last charge, or since it got its slot */
static void charge_holder(struct mvmm_vcpu *vcpu, u64 now)
{
	u64 since = max(vcpu->charged, vcpu->se.since);

	lockdep_assert_held(&lock);

	vcpu->charged = now;
	if (now > since)
		vsched_charge(&sched, &vcpu->se, now - since, now);
}

static void block_vcpu(struct mvmm_vcpu *vcpu, u64 now)
{
	enum vsched_state was = vcpu->se.state;

	lockdep_assert_held(&lock);
	if (was == VSCHED_RUNNING)
		charge_holder(vcpu, now);
	vsched_block(&sched, &vcpu->se, now);
	/* Its thread must call mvmm_slot_get() before it enters again */
	atomic_or(MVMM_REQ_SLOT, &vcpu->requests);
	trace_change(vcpu, was);
}

/* Ask a holder for its slot, and take it if it rests; false: it does not */
static bool take_back(struct mvmm_vcpu *vcpu)
{
	u64 since;

	lockdep_assert_held(&lock);
	/* First: once it does not rest, it looks at nothing else */
	atomic_or(MVMM_REQ_SLOT, &vcpu->requests);
	/* pairs with mvmm_slot_rest() and mvmm_enter_begin() */
	smp_mb__after_atomic();
	since = mvmm_end_rest(vcpu);
	if (since) {
		charge_holder(vcpu, since);
		vsched_block(&sched, &vcpu->se, since);
	}
	return since;
}

/* Somebody has to wait. Returns false if that is nothing new */
static bool stop_rests(void)
{
	struct vsched_vcpu *holder;
	unsigned int i;

	lockdep_assert_held(&lock);
	if (contended || list_empty(&sched.waiting))
		return false;
	WRITE_ONCE(contended, true);
	smp_mb(); /* pairs with mvmm_slot_rest() */
	for (i = 0; i < sched.nr_slots; i++) {
		holder = slots[i].holder;
		if (holder && READ_ONCE(to_vcpu(holder)->rest_since))
			take_back(to_vcpu(holder));
	}
	return true;
}

static void arm_timer(struct mvmm_vcpu *vcpu, u64 ticks)
{
	hrtimer_start(&vcpu->slice_timer,
		      ns_to_ktime(mvmm_ticks_to_ns(ticks)),
		      HRTIMER_MODE_REL_PINNED_HARD);
}

static enum vsched_place place_of(const struct mvmm_vcpu *vcpu)
{
	/* Interrupts are off: a thread that was in RUN is not freed */
	const struct task_struct *runner = READ_ONCE(vcpu->runner);

	if (!runner)
		return VSCHED_ELSEWHERE;
	return READ_ONCE(runner->on_cpu) ? VSCHED_ON_CPU : VSCHED_OFF_CPU;
}

/*
 * Must the holder give its slot back, or look at its slice (@changed)? If its
 * thread is not on a CPU, do what it would do. A timer looks again: what runs
 * now may be preempted before it answers.
 */
static void look_at_holder(struct mvmm_vcpu *vcpu, bool changed, u64 now)
{
	struct vsched_vcpu *se = &vcpu->se;
	enum vsched_place place;
	u64 next;

	lockdep_assert_held(&lock);
	/* Linux did not run it, and now it leaves */
	if (se->state == VSCHED_WAITING && !READ_ONCE(vcpu->runner))
		block_vcpu(vcpu, now);
	if (se->state != VSCHED_RUNNING)
		return;
	charge_holder(vcpu, now);
	next = vsched_look(&sched, se, place_of(vcpu), now);
	if (changed || !next) {
		if (take_back(vcpu))
			return;
		place = place_of(vcpu);
		if (place == VSCHED_ON_CPU) {
			mvmm_kick_cpu(vcpu);
		} else if (!next && place == VSCHED_ELSEWHERE) {
			block_vcpu(vcpu, now);
		} else if (!next) {
			vsched_miss(&sched, se, now);
			trace_change(vcpu, VSCHED_RUNNING);
		}
	}
	if (se->state == VSCHED_RUNNING && next != U64_MAX)
		arm_timer(vcpu, next ?: sched.slice / VSCHED_LOOKS);
}

/* It holds a slot now. Linux hears of it first, and may not run its thread soon */
static void wake_holder(struct mvmm_vcpu *vcpu, u64 now)
{
	u64 next = vsched_look(&sched, &vcpu->se, VSCHED_ON_CPU, now);

	lockdep_assert_held(&lock);
	trace_change(vcpu, VSCHED_WAITING);
	rcuwait_wake_up(&vcpu->wait);
	if (next != U64_MAX)
		arm_timer(vcpu, next);
}

/* After every event: let the scheduler decide, and do what it says */
static void settle(u64 now)
{
	struct vsched_vcpu *se;
	u64 next;

	lockdep_assert_held(&lock);
	for (;;) {
		se = vsched_fill(&sched, now);
		if (se) {
			wake_holder(to_vcpu(se), now);
			continue;
		}
		if (stop_rests())
			continue;
		se = vsched_kick(&sched, now);
		if (!se)
			break;
		look_at_holder(to_vcpu(se), true, now);
	}
	if (contended && list_empty(&sched.waiting))
		WRITE_ONCE(contended, false);
	next = vsched_next(&sched, now);
	if (next != U64_MAX)
		hrtimer_start(&refill_timer,
			      ns_to_ktime(mvmm_ticks_to_ns(next > now ? next - now : 0)),
			      HRTIMER_MODE_REL_HARD);
}

static enum hrtimer_restart refill(struct hrtimer *timer)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	settle(mvmm_tsc());
	raw_spin_unlock_irqrestore(&lock, flags);
	return HRTIMER_NORESTART;
}

/**
 * mvmm_slot_look() - is a slice over, or its thread not there?
 * @vcpu: any vCPU; outside of RUN it may keep the rest of its slice
 *
 * Context: any that may take a spinlock.
 */
void mvmm_slot_look(struct mvmm_vcpu *vcpu)
{
	unsigned long flags;
	u64 now;

	raw_spin_lock_irqsave(&lock, flags);
	now = mvmm_tsc();
	look_at_holder(vcpu, false, now);
	settle(now);
	raw_spin_unlock_irqrestore(&lock, flags);
}

static enum hrtimer_restart slice_ended(struct hrtimer *timer)
{
	mvmm_slot_look(container_of(timer, struct mvmm_vcpu, slice_timer));
	return HRTIMER_NORESTART;
}

/* ---- the vCPU's thread ------------------------------------------------ */

/* The vCPU wants a slot, of the CPUs that its thread, the caller, may use */
static void want_slot(struct mvmm_vcpu *vcpu, u64 now)
{
	DECLARE_BITMAP(allowed, VSCHED_MAX_SLOTS);
	enum vsched_state was = vcpu->se.state;

	lockdep_assert_held(&lock);
	atomic_andnot(MVMM_REQ_SLOT, &vcpu->requests);
	bitmap_and(allowed, cpumask_bits(current->cpus_ptr),
		   cpumask_bits(cpu_online_mask), nr_cpu_ids);
	/* Its last CPU has just gone offline: any, as Linux will decide too */
	if (bitmap_empty(allowed, nr_cpu_ids))
		bitmap_copy(allowed, cpumask_bits(cpu_online_mask), nr_cpu_ids);
	if (was == VSCHED_BLOCKED)
		vcpu->se.last = raw_smp_processor_id();
	if (was != VSCHED_WAITING)
		vcpu->se.prio = max(MAX_RT_PRIO - current->prio, 0);
	vsched_wake(&sched, &vcpu->se, allowed, now);
	if (was == VSCHED_BLOCKED)
		trace_change(vcpu, was);
}

/*
 * Start the timer for the slice, or for what is left of it. On VMX the
 * preemption timer ends the slice exactly, and this one is a second line of
 * defence.
 */
static void start_slice(struct mvmm_vcpu *vcpu, u64 now)
{
	u64 slice = vsched_slice(&sched, &vcpu->se, now);

	lockdep_assert_held(&lock);
	vcpu->se.missed = 0;
	vcpu->slice_end = slice == U64_MAX ? 0 : now + slice;
	if (vcpu->slice_end)
		arm_timer(vcpu, min(slice, sched.slice / VSCHED_LOOKS));
}

static int wait_for_slot(struct mvmm_vcpu *vcpu)
{
	u64 start = mvmm_tsc(), delay = mvmm_run_delay();
	int ret;

	ret = rcuwait_wait_event(&vcpu->wait,
				 READ_ONCE(vcpu->se.state) == VSCHED_RUNNING ||
				 READ_ONCE(vcpu->se.away) ||
				 atomic_read(&vcpu->requests) & MVMM_REQ_KICK,
				 TASK_INTERRUPTIBLE);
	/* Once it was woken Linux may have let it wait, and has counted that */
	start = mvmm_ticks_to_ns(mvmm_tsc() - start);
	delay = mvmm_run_delay() - delay;
	vcpu->waited += start > delay ? start - delay : 0;
	return ret;
}

/* tour 13: wait for the right to enter the guest */

/**
 * mvmm_slot_get() - wait until the vCPU has a slot, and start its slice
 * @vcpu: the calling thread's, in RUN
 * @pause: the guest spins: let a sibling have the slot
 *
 * Context: may sleep. Return: 0; -EINTR: a signal or a kick came first.
 */
int mvmm_slot_get(struct mvmm_vcpu *vcpu, bool pause)
{
	struct vsched_vcpu *se = &vcpu->se;
	u64 now;
	int ret;

	mvmm_assert_busy(vcpu);
	mvmm_assert_may_sleep();
	raw_spin_lock_irq(&lock);
	now = mvmm_tsc();
	if (se->state == VSCHED_RUNNING)
		charge_holder(vcpu, now);
	/* The thread's affinity may have changed since the last look */
	want_slot(vcpu, now);
	if (se->state == VSCHED_RUNNING) {
		if (pause) {
			struct vsched_vcpu *to = vsched_pause(&sched, se, now);

			if (to) {
				trace_change(vcpu, VSCHED_RUNNING);
				wake_holder(to_vcpu(to), now);
			}
		} else if (!vsched_slice(&sched, se, now)) {
			vsched_yield(&sched, se, now);
			trace_change(vcpu, VSCHED_RUNNING);
		}
	}
	settle(now);
	while (se->state != VSCHED_RUNNING) {
		raw_spin_unlock_irq(&lock);
		ret = wait_for_slot(vcpu);
		raw_spin_lock_irq(&lock);
		now = mvmm_tsc();
		if (se->state == VSCHED_RUNNING)
			break;
		if (ret || atomic_read(&vcpu->requests) & MVMM_REQ_KICK) {
			/* One -EINTR for one kick */
			atomic_andnot(MVMM_REQ_KICK, &vcpu->requests);
			block_vcpu(vcpu, now);
			settle(now);
			raw_spin_unlock_irq(&lock);
			return -EINTR;
		}
		/* It had the slot, but Linux has run it too late */
		if (se->away) {
			want_slot(vcpu, now);
			settle(now);
		}
	}
	/* Its affinity has changed meanwhile: look again before the entry */
	if (!cpumask_test_cpu(se->slot, current->cpus_ptr))
		atomic_or(MVMM_REQ_SLOT, &vcpu->requests);
	start_slice(vcpu, now);
	raw_spin_unlock_irq(&lock);
	return 0;
}

/**
 * mvmm_slot_put() - give the slot back: the thread goes to sleep
 * @vcpu: the calling thread's
 *
 * Context: any that may take a spinlock.
 */
void mvmm_slot_put(struct mvmm_vcpu *vcpu)
{
	unsigned long flags;
	u64 now;

	raw_spin_lock_irqsave(&lock, flags);
	now = mvmm_tsc();
	if (vcpu->se.state != VSCHED_BLOCKED)
		block_vcpu(vcpu, now);
	settle(now);
	raw_spin_unlock_irqrestore(&lock, flags);
	vcpu->slice_end = 0;
	hrtimer_try_to_cancel(&vcpu->slice_timer);
}

static void trace_rest(const struct mvmm_vcpu *vcpu, bool rests)
{
	trace_mvmm_sched(vcpu->vm->serial, vcpu->id,
			 rests ? VSCHED_RUNNING : VSCHED_BLOCKED,
			 rests ? VSCHED_BLOCKED : VSCHED_RUNNING,
			 READ_ONCE(vcpu->se.slot));
}

/* It rests no more, and has rested until now. Returns false if it did not */
static bool count_rest(struct mvmm_vcpu *vcpu)
{
	u64 since, now;

	/* Who waits for the end of this may hold the lock, and a timer want it */
	local_irq_disable();
	raw_write_seqcount_begin(&vcpu->rest_seq);
	now = mvmm_tsc();
	/* Before anybody can find it with the slice that it slept in */
	WRITE_ONCE(vcpu->se.began, now);
	since = mvmm_end_rest(vcpu);
	if (since && now > since)
		vcpu->rested += now - since;
	raw_write_seqcount_end(&vcpu->rest_seq);
	local_irq_enable();
	return since;
}

/**
 * mvmm_slot_rest() - the guest halts: the thread goes to sleep
 * @vcpu: the calling thread's
 *
 * It keeps its slot until another wants one, if it has one and nobody waits.
 *
 * Context: the thread's, interrupts on.
 */
void mvmm_slot_rest(struct mvmm_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->runner, NULL);
	if (!vcpu->slice_end && !READ_ONCE(contended) &&
	    !(atomic_read(&vcpu->requests) & MVMM_REQ_SLOT)) {
		WRITE_ONCE(vcpu->rest_since, mvmm_tsc());
		smp_mb(); /* pairs with stop_rests() and take_back() */
		if (!READ_ONCE(contended) &&
		    !(atomic_read(&vcpu->requests) & MVMM_REQ_SLOT)) {
			trace_rest(vcpu, true);
			return;
		}
		count_rest(vcpu);
	}
	mvmm_slot_put(vcpu);
}

/**
 * mvmm_slot_wake() - the halt has ended
 * @vcpu: the calling thread's, after mvmm_slot_rest()
 *
 * Where another has taken its slot, MVMM_REQ_SLOT is set.
 *
 * Context: the thread's, interrupts on.
 */
void mvmm_slot_wake(struct mvmm_vcpu *vcpu)
{
	if (!READ_ONCE(vcpu->rest_since)) {
		/* Somebody has taken it back, or it was given back */
	} else if (READ_ONCE(vcpu->se.slot) != raw_smp_processor_id()) {
		/* Linux has put it elsewhere: it wants a slot there */
		raw_spin_lock_irq(&lock);
		take_back(vcpu);
		settle(mvmm_tsc());
		raw_spin_unlock_irq(&lock);
	} else if (count_rest(vcpu)) {
		trace_rest(vcpu, false);
	}
	mvmm_slot_enter(vcpu);
}

/**
 * mvmm_pause_loop() - the guest has executed PAUSE, or many of them in a row
 * @vcpu: the vCPU
 *
 * It may wait for a sibling that has no slot now.
 *
 * Context: atomic, in a section. Return: MVMM_STEP_OUTER, to let a sibling run;
 * MVMM_STEP_REENTER if the slice has no end.
 */
enum mvmm_step mvmm_pause_loop(struct mvmm_vcpu *vcpu)
{
	mvmm_assert_section(vcpu);
	if (!vcpu->slice_end)
		return MVMM_STEP_REENTER;
	atomic_or(MVMM_REQ_PAUSE, &vcpu->requests);
	return MVMM_STEP_OUTER;
}

/* ---- settings and figures --------------------------------------------- */

/**
 * mvmm_set_sched() - MVMM_VM_SET_SCHED
 * @vm: the VM
 * @s: from userspace
 *
 * As nice, a weight may be lowered by all, and raised above the default by root.
 *
 * Context: any. Return: 0, -EINVAL or -EPERM.
 */
int mvmm_set_sched(struct mvmm_vm *vm, const struct mvmm_vm_sched *s)
{
	struct vsched_vcpu *holder;
	unsigned long flags;
	int ret = -EINVAL;
	unsigned int i;
	u64 now;

	if (s->reserved || s->cap > VSCHED_CAP_MAX)
		return -EINVAL;
	if (s->weight > VSCHED_WEIGHT_DEFAULT &&
	    s->weight <= VSCHED_WEIGHT_MAX && !capable(CAP_SYS_NICE))
		return -EPERM;
	raw_spin_lock_irqsave(&lock, flags);
	now = mvmm_tsc();
	/* Time used until now is charged by the old settings */
	for (i = 0; i < sched.nr_slots; i++) {
		holder = slots[i].holder;
		if (holder && holder->vm == &vm->se)
			charge_holder(to_vcpu(holder), now);
	}
	if (!vsched_set_weight(&vm->se, s->weight))
		ret = vsched_set_cap(&sched, &vm->se, s->cap, now);
	settle(now);
	raw_spin_unlock_irqrestore(&lock, flags);
	return ret;
}

/**
 * mvmm_get_times() - MVMM_VCPU_GET_TIMES
 * @vcpu: the vCPU, which may be running
 * @times: filled in
 *
 * Context: any.
 */
void mvmm_get_times(struct mvmm_vcpu *vcpu, struct mvmm_times *times)
{
	u64 ticks[VSCHED_NR_STATES];
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	mvmm_slot_times(vcpu, ticks);
	times->run = mvmm_ticks_to_ns(ticks[VSCHED_RUNNING]);
	times->wait = mvmm_ticks_to_ns(ticks[VSCHED_WAITING]);
	times->block = mvmm_ticks_to_ns(ticks[VSCHED_BLOCKED]);
	times->steal = vcpu->pv.stolen;
	times->longest_wait = mvmm_ticks_to_ns(vcpu->se.longest_wait);
	raw_spin_unlock_irqrestore(&lock, flags);
}

static int policy_set(const char *val, const struct kernel_param *kp)
{
	unsigned long flags;
	int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++)
		if (sysfs_streq(val, policies[i]->name))
			break;
	if (i == ARRAY_SIZE(policies))
		return -EINVAL;
	raw_spin_lock_irqsave(&lock, flags);
	policy = policies[i];
	if (slots) {
		vsched_set_policy(&sched, policy);
		settle(mvmm_tsc());
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static int policy_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", policy->name);
}

static const struct kernel_param_ops policy_ops = {
	.set = policy_set, .get = policy_get };
module_param_cb(sched, &policy_ops, NULL, 0644);
#ifdef CONFIG_MVMM_POLICIES
MODULE_PARM_DESC(sched, "who runs when vCPUs compete: fair, rr or gang");
#else
MODULE_PARM_DESC(sched, "who runs when vCPUs compete: fair");
#endif

module_param_named(sched_per_user, sched.per_user, bool, 0644);
MODULE_PARM_DESC(sched_per_user,
		 "users get equal shares, however many VMs they have");

/* ---- life ------------------------------------------------------------- */

/** mvmm_slots_add_vm() - tell the scheduler of a new VM */
void mvmm_slots_add_vm(struct mvmm_vm *vm)
{
	vm->pid = task_tgid_nr(current);
	raw_spin_lock_irq(&lock);
	vsched_vm_init(&sched, &vm->se, from_kuid(&init_user_ns, current_uid()));
	raw_spin_unlock_irq(&lock);
}

/** mvmm_slots_remove_vm() - forget a VM, whose vCPUs are gone */
void mvmm_slots_remove_vm(struct mvmm_vm *vm)
{
	raw_spin_lock_irq(&lock);
	vsched_vm_remove(&sched, &vm->se);
	raw_spin_unlock_irq(&lock);
}

/** mvmm_slots_add() - tell the scheduler of a new vCPU */
void mvmm_slots_add(struct mvmm_vcpu *vcpu)
{
	mvmm_hrtimer_setup(&vcpu->slice_timer, slice_ended, CLOCK_MONOTONIC,
			   HRTIMER_MODE_REL_PINNED_HARD);
	seqcount_init(&vcpu->rest_seq);
	raw_spin_lock_irq(&lock);
	vsched_vcpu_init(&vcpu->se, &vcpu->vm->se, mvmm_tsc());
	raw_spin_unlock_irq(&lock);
	atomic_or(MVMM_REQ_SLOT, &vcpu->requests);
}

/**
 * mvmm_slots_remove() - forget a vCPU that is about to be freed
 * @vcpu: not in RUN
 *
 * Context: may sleep.
 */
void mvmm_slots_remove(struct mvmm_vcpu *vcpu)
{
	mvmm_assert_may_sleep();
	mvmm_slot_put(vcpu);
	hrtimer_cancel(&vcpu->slice_timer);
	raw_spin_lock_irq(&lock);
	vcpu->vm->se.nr[VSCHED_BLOCKED]--;
	raw_spin_unlock_irq(&lock);
}

/**
 * mvmm_slots_init() - make the scheduler, a slot for each CPU; at load
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int mvmm_slots_init(void)
{
	struct vsched_slot *array;

	array = kcalloc(nr_cpu_ids, sizeof(*array), GFP_KERNEL);
	if (!array)
		return -ENOMEM;
	mvmm_hrtimer_setup(&refill_timer, refill, CLOCK_MONOTONIC,
			   HRTIMER_MODE_REL_HARD);
	raw_spin_lock_irq(&lock);
	vsched_init(&sched, policy, array, nr_cpu_ids, (u64)tsc_khz * SLICE_MS,
		    (u64)tsc_khz * CAP_PERIOD_MS);
	slots = array;
	raw_spin_unlock_irq(&lock);
	mvmm_slots_table_init(&lock, &sched);
	return 0;
}

/** mvmm_slots_exit() - undo mvmm_slots_init(); at unload, when no VM is left */
void mvmm_slots_exit(void)
{
	struct vsched_slot *array = slots;

	mvmm_slots_table_exit();
	hrtimer_cancel(&refill_timer);
	/* policy_set() may still be called */
	raw_spin_lock_irq(&lock);
	slots = NULL;
	raw_spin_unlock_irq(&lock);
	kfree(array);
}
