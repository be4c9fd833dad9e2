// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU scheduler: states, slots, slices, caps. Which vCPU is next is chosen
 * by a policy (sched_fair.c, sched_rr.c, sched_gang.c). Pure; sched.h says when
 * the caller calls what.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include "sched.h"

/* The TSCs of two CPUs may differ a little: not less than 0 has gone by */
static u64 elapsed(u64 now, u64 then)
{
	return now > then ? now - then : 0;
}

static bool wants_to_run(const struct vsched_vm *vm)
{
	return vm->nr[VSCHED_WAITING] || vm->nr[VSCHED_RUNNING];
}

static void set_state(struct vsched_vcpu *vcpu, enum vsched_state state,
		      u64 now)
{
	u64 spent = elapsed(now, vcpu->since);
	bool wanted = wants_to_run(vcpu->vm);

	vcpu->time[vcpu->state] += spent;
	if (vcpu->state == VSCHED_WAITING)
		vcpu->longest_wait = max(vcpu->longest_wait, spent);
	vcpu->since = now;
	vcpu->vm->nr[vcpu->state]--;
	vcpu->vm->nr[state]++;
	vcpu->state = state;
	if (wanted && !wants_to_run(vcpu->vm))
		vcpu->vm->user->wanted -= vcpu->vm->weight;
	else if (!wanted && wants_to_run(vcpu->vm))
		vcpu->vm->user->wanted += vcpu->vm->weight;
}

/** vsched_time() - how many ticks has the vCPU been in @state until now? */
u64 vsched_time(const struct vsched_vcpu *vcpu, enum vsched_state state, u64 now)
{
	return vcpu->time[state] +
	       (vcpu->state == state ? elapsed(now, vcpu->since) : 0);
}

/**
 * vsched_init() - make a scheduler without VMs
 * @s: the scheduler; its @per_user is kept
 * @policy: who is next
 * @slots: array of @nr_slots, by CPU number, zeroed
 * @nr_slots: at most VSCHED_MAX_SLOTS
 * @slice: ticks, not 0
 * @period: ticks between two refills of the caps, at least 100
 */
void vsched_init(struct vsched *s, const struct vsched_policy *policy,
		 struct vsched_slot *slots, unsigned int nr_slots, u64 slice,
		 u64 period)
{
	*s = (struct vsched){
		.policy = policy, .per_user = s->per_user,
		.slice = slice, .period = period,
		.patience = VSCHED_PATIENCE * slice,
		.slots = slots, .nr_slots = nr_slots };
	bitmap_fill(s->idle, nr_slots);
	INIT_LIST_HEAD(&s->vms);
	INIT_LIST_HEAD(&s->waiting);
}

/**
 * vsched_vm_init() - add a VM of default weight, without cap or vCPUs
 * @s: the scheduler
 * @vm: the VM
 * @uid: whose it is
 */
void vsched_vm_init(struct vsched *s, struct vsched_vm *vm, u32 uid)
{
	struct vsched_vm *other;

	*vm = (struct vsched_vm){
		.uid = uid, .user = vm, .weight = VSCHED_WEIGHT_DEFAULT };
	list_for_each_entry(other, &s->vms, node)
		if (other->uid == uid)
			vm->user = other->user;
	list_add_tail(&vm->node, &s->vms);
}

/** vsched_vm_remove() - remove a VM, whose vCPUs are all blocked */
void vsched_vm_remove(struct vsched *s, struct vsched_vm *vm)
{
	struct vsched_vm *other, *heir = NULL;

	list_del(&vm->node);
	s->nr_capped -= !!vm->cap;
	list_for_each_entry(other, &s->vms, node) {
		if (other->user != vm)
			continue;
		heir = heir ?: other;
		other->user = heir;
		heir->wanted = vm->wanted;
	}
	if (s->leader == vm)
		s->leader = NULL;
}

/** vsched_vcpu_init() - add a vCPU, blocked; vsched_block() removes it */
void vsched_vcpu_init(struct vsched_vcpu *vcpu, struct vsched_vm *vm, u64 now)
{
	*vcpu = (struct vsched_vcpu){
		.vm = vm, .slot = -1, .last = -1, .since = now };
	INIT_LIST_HEAD(&vcpu->node);
	vm->nr[VSCHED_BLOCKED]++;
}

/**
 * vsched_set_policy() - change the policy at any time
 * @s: the scheduler
 * @policy: the new one
 *
 * Slices that have begun end as the old policy has set them. All VMs start with
 * the same virtual time, because a VM that was added under another policy has
 * none. Nobody loses more than a slice or so by that: virtual times that
 * compete are no further apart.
 */
void vsched_set_policy(struct vsched *s, const struct vsched_policy *policy)
{
	struct vsched_vm *vm;
	unsigned int slot;

	s->policy = policy;
	s->leader = NULL;
	list_for_each_entry(vm, &s->vms, node) {
		vm->vtime = 0;
		vm->vrest = 0;
	}
	for (slot = 0; slot < s->nr_slots; slot++)
		s->slots[slot].clock = 0;
}

/** vsched_set_weight() - from now on. Return: 0, or -EINVAL: out of range */
int vsched_set_weight(struct vsched_vm *vm, u32 weight)
{
	if (weight < VSCHED_WEIGHT_MIN || weight > VSCHED_WEIGHT_MAX)
		return -EINVAL;
	if (wants_to_run(vm))
		vm->user->wanted += (u64)weight - vm->weight;
	vm->weight = weight;
	return 0;
}

/* ---- caps: a token bucket for each VM ---------------------------------- */

static s64 quota(const struct vsched *s, const struct vsched_vm *vm)
{
	return s->period * vm->cap / 100;
}

/**
 * vsched_set_cap() - limit a VM from now on
 * @s: the scheduler
 * @vm: the VM
 * @cap: per cent of one CPU, 0 for no limit
 * @now: the time
 *
 * Return: 0, or -EINVAL out of range.
 */
int vsched_set_cap(struct vsched *s, struct vsched_vm *vm, u32 cap, u64 now)
{
	unsigned int slot;

	if (cap > VSCHED_CAP_MAX)
		return -EINVAL;
	s->nr_capped += !!cap - !!vm->cap;
	vm->cap = cap;
	vm->budget = quota(s, vm);
	vm->refilled = now;
	/* The holders' timers were set without this cap */
	for (slot = 0; slot < s->nr_slots; slot++)
		if (s->slots[slot].holder && s->slots[slot].holder->vm == vm)
			__set_bit(slot, s->kick);
	return 0;
}

/**
 * vsched_throttled() - is the VM's cap used up?
 * @s: the scheduler
 * @vm: the VM
 * @now: the time
 *
 * A refill adds one period's quota. The bucket holds two of them, not more, so
 * that nobody saves up for a burst; and not less, because the last period's may
 * have been used already and not been charged yet. A debt is kept, so that the
 * rate is exact however late a vCPU comes back.
 *
 * Return: true if the VM must not run now.
 */
bool vsched_throttled(struct vsched *s, struct vsched_vm *vm, u64 now)
{
	u64 periods;

	if (!vm->cap)
		return false;
	periods = elapsed(now, vm->refilled) / s->period;
	if (periods) {
		vm->refilled += periods * s->period;
		vm->budget += periods * quota(s, vm);
		vm->budget = min(vm->budget, 2 * quota(s, vm));
	}
	return vm->budget <= 0;
}

/**
 * vsched_next() - when does the caller have to call again if nothing happens?
 * @s: the scheduler
 * @now: the time
 *
 * Return: when the first of the throttled VMs that want to run may run; or
 * U64_MAX.
 */
u64 vsched_next(struct vsched *s, u64 now)
{
	struct vsched_vcpu *vcpu;
	u64 next = U64_MAX;

	if (!s->nr_capped)
		return next;
	vsched_for_each_waiting(vcpu, s) {
		struct vsched_vm *vm = vcpu->vm;
		u64 periods;

		if (!vsched_throttled(s, vm, now))
			continue;
		periods = -vm->budget / quota(s, vm) + 1;
		next = min(next, vm->refilled + periods * s->period);
	}
	return next;
}

/* ---- slots ------------------------------------------------------------- */

static bool wants(struct vsched *s, struct vsched_vcpu *vcpu, int slot, u64 now)
{
	return test_bit(slot, vcpu->allowed) &&
	       !vsched_throttled(s, vcpu->vm, now);
}

/** vsched_eligible() - may a vCPU that waits get the slot? */
bool vsched_eligible(struct vsched *s, struct vsched_vcpu *vcpu, int slot,
		     u64 now)
{
	return !vcpu->away && wants(s, vcpu, slot, now);
}

/** vsched_slice_end() - when does a slice of full length end? */
u64 vsched_slice_end(const struct vsched *s, const struct vsched_vcpu *holder)
{
	return READ_ONCE(holder->began) + s->slice;
}

static struct vsched_vcpu *first_eligible(struct vsched *s, int slot, u64 now)
{
	struct vsched_vcpu *vcpu;

	vsched_for_each_waiting(vcpu, s)
		if (vsched_eligible(s, vcpu, slot, now))
			return vcpu;
	return NULL;
}

/* Who is away competes, too: it must not lose by that what it is due */
static bool is_wanted(struct vsched *s, int slot, u64 now)
{
	struct vsched_vcpu *vcpu;

	vsched_for_each_waiting(vcpu, s)
		if (wants(s, vcpu, slot, now))
			return true;
	return false;
}

/* An idle slot for the vCPU: its last, whose caches may still have its data */
static int idle_slot(const struct vsched *s, const struct vsched_vcpu *vcpu)
{
	unsigned int slot;

	if (vcpu->last >= 0 && test_bit(vcpu->last, s->idle) &&
	    test_bit(vcpu->last, vcpu->allowed))
		return vcpu->last;
	slot = find_first_and_bit(s->idle, vcpu->allowed, s->nr_slots);
	return slot < s->nr_slots ? slot : -1;
}

static void end_wait(struct vsched *s, struct vsched_vcpu *vcpu)
{
	list_del_init(&vcpu->node);
	s->nr_new -= !vcpu->competes;
}

static void take_slot(struct vsched *s, struct vsched_vcpu *vcpu, int slot,
		      u64 now)
{
	end_wait(s, vcpu);
	set_state(vcpu, VSCHED_RUNNING, now);
	vcpu->began = now;
	vcpu->slot = slot;
	vcpu->last = slot;
	vcpu->missed = 0;
	s->slots[slot].holder = vcpu;
	__clear_bit(slot, s->idle);
	vcpu->uncontended = !is_wanted(s, slot, now);
	vcpu->until = vcpu->uncontended ? U64_MAX : s->policy->slice_end(s, vcpu);
}

static void drop_slot(struct vsched *s, struct vsched_vcpu *vcpu)
{
	s->slots[vcpu->slot].holder = NULL;
	__set_bit(vcpu->slot, s->idle);
	__clear_bit(vcpu->slot, s->kick);
	vcpu->slot = -1;
}

/* Behind whom does the vCPU wait? */
static struct list_head *place_in_line(struct vsched *s,
				       const struct vsched_vcpu *vcpu)
{
	struct vsched_vcpu *other;

	if (vcpu->prio)
		vsched_for_each_waiting(other, s)
			if (other->prio < vcpu->prio)
				return other->node.prev;
	return s->waiting.prev;
}

static void begin_to_wait(struct vsched *s, struct vsched_vcpu *vcpu,
			  bool woke, u64 now)
{
	set_state(vcpu, VSCHED_WAITING, now);
	vcpu->woke = woke;
	vcpu->competes = false;
	s->nr_new++;
	list_add(&vcpu->node, place_in_line(s, vcpu));
	if (s->policy->enqueue)
		s->policy->enqueue(s, vcpu);
}

static void set_deadline(struct vsched *s, struct vsched_vcpu *holder, u64 until)
{
	holder->until = until;
	__set_bit(holder->slot, s->kick);
}

/* Above 0: the waiter should have the holder's slot now */
static s64 urge_of(const struct vsched *s, const struct vsched_vcpu *waiter,
		   const struct vsched_vcpu *holder)
{
	if (waiter->prio < holder->prio)
		return 0;
	if (waiter->prio > holder->prio)
		/* Where its thread is already, Linux has sent the holder away */
		return S64_MAX - (waiter->last != holder->slot);
	if (holder->overdue || !s->policy->preempts)
		return 0;
	return s->policy->preempts(s, waiter, holder);
}

/** vsched_compete_again() - what a vCPU that waits has limited is not so any more */
void vsched_compete_again(struct vsched *s, struct vsched_vcpu *vcpu)
{
	s->nr_new += vcpu->competes;
	vcpu->competes = false;
}

/*
 * @vcpu begins to compete: limit the slices of those who hold a slot that it
 * could use. One of them may be preempted.
 */
static void compete(struct vsched *s, struct vsched_vcpu *vcpu, u64 now)
{
	struct vsched_vcpu *holder, *victim = NULL;
	s64 urge, most = 0;
	unsigned int slot;

	vcpu->competes = true;
	s->nr_new--;
	for_each_set_bit(slot, vcpu->allowed, s->nr_slots) {
		holder = s->slots[slot].holder;
		if (!holder)
			continue;
		if (holder->until == U64_MAX) {
			/* It has slept since it got its slot */
			if (READ_ONCE(holder->began) > holder->since &&
			    s->policy->enqueue)
				s->policy->enqueue(s, holder);
			set_deadline(s, holder, s->policy->slice_end(s, holder));
		}
		if (holder->until <= now)
			continue;
		urge = urge_of(s, vcpu, holder);
		if (urge > most) {
			most = urge;
			victim = holder;
		}
	}
	if (victim)
		set_deadline(s, victim, now);
}

/* ---- what happens to vCPUs --------------------------------------------- */

/**
 * vsched_wake() - a vCPU wants to run, or its thread's affinity has changed
 * @s: the scheduler
 * @vcpu: in any state
 * @allowed: the online CPUs of its thread's affinity
 * @now: the time
 */
void vsched_wake(struct vsched *s, struct vsched_vcpu *vcpu,
		 const unsigned long *allowed, u64 now)
{
	bool woke = !vcpu->away;

	bitmap_copy(vcpu->allowed, allowed, s->nr_slots);
	if (vcpu->away)
		vsched_block(s, vcpu, now);
	if (vcpu->state == VSCHED_WAITING)
		vsched_compete_again(s, vcpu);
	else if (vcpu->state == VSCHED_BLOCKED)
		begin_to_wait(s, vcpu, woke, now);
	else if (vcpu->slot >= 0 && !test_bit(vcpu->slot, allowed))
		set_deadline(s, vcpu, now);
}

/**
 * vsched_block() - a vCPU does not want to run any more
 * @s: the scheduler
 * @vcpu: in any state; afterwards the scheduler has no pointer to it
 * @now: the time
 */
void vsched_block(struct vsched *s, struct vsched_vcpu *vcpu, u64 now)
{
	if (vcpu->state == VSCHED_RUNNING)
		drop_slot(s, vcpu);
	else if (vcpu->state == VSCHED_WAITING)
		end_wait(s, vcpu);
	vcpu->away = false;
	set_state(vcpu, VSCHED_BLOCKED, now);
}

/**
 * vsched_yield() - a holder gives its slot back, and waits for another
 * @s: the scheduler
 * @vcpu: the holder; vsched_fill() may choose it again
 * @now: the time
 */
void vsched_yield(struct vsched *s, struct vsched_vcpu *vcpu, u64 now)
{
	drop_slot(s, vcpu);
	begin_to_wait(s, vcpu, false, now);
}

/**
 * vsched_miss() - take the slot from a holder that Linux does not run
 * @s: the scheduler
 * @vcpu: the holder; it stays in line, but gets no slot before vsched_wake()
 * @now: the time
 */
void vsched_miss(struct vsched *s, struct vsched_vcpu *vcpu, u64 now)
{
	vsched_yield(s, vcpu, now);
	vcpu->away = true;
}

/**
 * vsched_pause() - a holder spins: give the rest of its slice to a sibling
 * @s: the scheduler
 * @vcpu: the holder, charged up to now
 * @now: the time
 *
 * The sibling is of the same VM, which so gets no more time than before.
 *
 * Return: the sibling, which has the slot now, while @vcpu waits; or NULL.
 */
struct vsched_vcpu *vsched_pause(struct vsched *s, struct vsched_vcpu *vcpu,
				 u64 now)
{
	struct vsched_vcpu *sibling;
	u64 until = vcpu->until;
	int slot = vcpu->slot;

	vsched_for_each_waiting(sibling, s) {
		if (sibling->vm != vcpu->vm ||
		    !vsched_eligible(s, sibling, slot, now))
			continue;
		vsched_yield(s, vcpu, now);
		take_slot(s, sibling, slot, now);
		sibling->until = until;
		sibling->filler = vcpu->filler;
		sibling->overdue = vcpu->overdue;
		return sibling;
	}
	return NULL;
}

/**
 * vsched_charge() - a holder has used time
 * @s: the scheduler
 * @vcpu: the holder
 * @ran: ticks since it was charged last
 * @now: the time
 *
 * Time that nobody else wanted counts for the cap only: a VM that was alone
 * must not be in debt to those who come later.
 */
void vsched_charge(struct vsched *s, struct vsched_vcpu *vcpu, u64 ran,
		   u64 now)
{
	struct vsched_vcpu *sibling;

	vcpu->ran += ran;
	if (!vcpu->uncontended && s->policy->charge)
		s->policy->charge(s, vcpu, ran);
	vcpu->uncontended = vcpu->until == U64_MAX;
	vcpu->vm->budget -= ran;
	if (!vsched_throttled(s, vcpu->vm, now))
		return;
	/* Until the refill they do not limit the slices of others */
	vsched_for_each_waiting(sibling, s)
		if (sibling->vm == vcpu->vm)
			vsched_compete_again(s, sibling);
}

/**
 * vsched_slice() - how long may a holder stay in the guest?
 * @s: the scheduler
 * @vcpu: the holder, charged up to now
 * @now: the time
 *
 * Return: ticks; U64_MAX if nobody waits for its slot and its VM has no cap.
 */
u64 vsched_slice(struct vsched *s, struct vsched_vcpu *vcpu, u64 now)
{
	struct vsched_vm *vm = vcpu->vm;
	u64 left = U64_MAX;

	if (vsched_throttled(s, vm, now))
		return 0;
	if (vcpu->until != U64_MAX)
		left = elapsed(vcpu->until, now);
	/*
	 * All running vCPUs of the VM spend the same budget. At least a
	 * sixteenth of a slice: otherwise each would get a part of the part
	 * that is left, in ever more exits. If that is too much, it becomes a
	 * debt.
	 */
	if (vm->cap)
		left = min3(left, s->slice,
			    max((u64)vm->budget / vm->nr[VSCHED_RUNNING],
				s->slice / 16));
	return left;
}

/* Does one of a higher prio wait? */
static bool outranked(struct vsched *s, const struct vsched_vcpu *holder)
{
	struct vsched_vcpu *first;

	first = list_first_entry_or_null(&s->waiting, struct vsched_vcpu, node);
	return first && !first->away && first->prio > holder->prio;
}

/**
 * vsched_look() - is the holder there while others wait?
 * @s: the scheduler
 * @vcpu: the holder, charged up to now
 * @place: where its thread is
 * @now: the time
 *
 * Several looks, because they may come late: where a hypervisor has stopped this
 * CPU, the timer is first to run, and the thread comes then. Real time waits for
 * one only.
 *
 * Return: ticks until the next look; U64_MAX: none, nobody waits; 0: it has to
 * give the slot back. On a CPU its thread does that, otherwise the caller.
 */
u64 vsched_look(struct vsched *s, struct vsched_vcpu *vcpu,
		enum vsched_place place, u64 now)
{
	u64 left = vsched_slice(s, vcpu, now), next = s->slice / VSCHED_LOOKS;

	if (left == U64_MAX)
		return left;
	if (place != VSCHED_OFF_CPU) {
		vcpu->missed = 0;
		return min(left, next);
	}
	return ++vcpu->missed >= VSCHED_LOOKS || outranked(s, vcpu) ? 0 : next;
}

/* tour 31: a slot is given to one that waits */

/**
 * vsched_fill() - give one idle slot to one vCPU that waits
 * @s: the scheduler
 * @now: the time
 *
 * Return: the vCPU, which holds the slot; or NULL: no idle slot is wanted.
 */
struct vsched_vcpu *vsched_fill(struct vsched *s, u64 now)
{
	struct vsched_vcpu *vcpu, *next;
	bool overdue;
	int slot;

	if (bitmap_empty(s->idle, s->nr_slots))
		return NULL;
	vsched_for_each_waiting(vcpu, s) {
		slot = idle_slot(s, vcpu);
		if (slot < 0 || !vsched_eligible(s, vcpu, slot, now))
			continue;
		next = first_eligible(s, slot, now);
		overdue = elapsed(now, next->since) > s->patience;
		if (!overdue)
			next = s->policy->pick(s, slot, now);
		next->overdue = overdue;
		take_slot(s, next, slot, now);
		return next;
	}
	return NULL;
}

/**
 * vsched_kick() - which holder must leave the guest, and look at its slice?
 * @s: the scheduler
 * @now: the time
 *
 * Called until it returns NULL, after vsched_fill().
 *
 * Return: one holder after the other, each once; then NULL.
 */
struct vsched_vcpu *vsched_kick(struct vsched *s, u64 now)
{
	unsigned int slot, left = s->nr_new;
	struct vsched_vcpu *vcpu;

	/* Most of them have come last */
	vsched_for_each_waiting_reverse(vcpu, s) {
		if (!left)
			break;
		if (vcpu->competes)
			continue;
		left--;
		if (!vsched_throttled(s, vcpu->vm, now))
			compete(s, vcpu, now);
	}
	slot = find_first_bit(s->kick, s->nr_slots);
	if (slot >= s->nr_slots)
		return NULL;
	__clear_bit(slot, s->kick);
	return s->slots[slot].holder;
}
