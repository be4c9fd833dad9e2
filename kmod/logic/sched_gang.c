// SPDX-License-Identifier: GPL-2.0
/*
 * Gang: the vCPUs of a VM run together, so that none of them spins for a lock
 * whose holder was sent away.
 *
 * VMs lead in turn, for a slice each: the one with the least virtual time (see
 * sched_fair.c) is next. The leader's vCPUs come first on every CPU; if they
 * are more than the CPUs, those that wait longest. What is left goes to other
 * VMs, least virtual time first: to one that fits whole, else to single vCPUs.
 * All slices end with the turn.
 *
 * Single vCPUs that fill a gap pay nothing: if they did, a VM would pay for its
 * gaps with its turns, and be never whole. So shares are those of the weights
 * as far as the gangs leave no gaps, and a VM that runs in gaps gets more.
 *
 * Bound: if n vCPUs are runnable on the CPUs that a vCPU may use, all of them
 * busy, of equal weight, without caps and with one vCPU a VM, it waits at most
 * n + 1 slices. In all other cases vsched.patience + (n + 1) slices.
 */
#include <linux/minmax.h>
#include "sched.h"

/* Who still runs when a turn ends has a slice that is not charged yet */
static u64 due(const struct vsched *s, const struct vsched_vm *vm)
{
	return vm->vtime + vm->nr[VSCHED_RUNNING] * s->slice / vm->weight;
}

static void begin_turn(struct vsched *s, u64 now)
{
	struct vsched_vm *vm, *leader = NULL;
	struct vsched_vcpu *vcpu;

	list_for_each_entry(vm, &s->vms, node) {
		vm->rank = due(s, vm);
		if ((vm->nr[VSCHED_WAITING] || vm->nr[VSCHED_RUNNING]) &&
		    !vsched_throttled(s, vm, now) &&
		    (!leader || vm->rank < leader->rank))
			leader = vm;
	}
	s->leader = leader;
	s->turn_end = now + s->slice;
	list_for_each_entry(vcpu, &s->waiting, node)
		if (vcpu->vm == leader)
			vcpu->competes = false;
}

static bool turn_is_over(struct vsched *s, u64 now)
{
	return !s->leader || now >= s->turn_end ||
	       s->leader->nr[VSCHED_WAITING] + s->leader->nr[VSCHED_RUNNING]
	       == 0 || vsched_throttled(s, s->leader, now);
}

/* Idle slots, and those whose holder is about to come back */
static unsigned int count_gaps(const struct vsched *s, u64 now)
{
	unsigned int slot, gaps = 0;

	for (slot = 0; slot < s->nr_slots; slot++)
		if (!s->slots[slot].holder ||
		    s->slots[slot].holder->until <= now)
			gaps++;
	return gaps;
}

static struct vsched_vcpu *gang_pick(struct vsched *s, int slot, u64 now)
{
	struct vsched_vcpu *vcpu, *best = NULL;
	unsigned int gaps;
	bool whole;

	if (turn_is_over(s, now))
		begin_turn(s, now);
	gaps = count_gaps(s, now);
	list_for_each_entry(vcpu, &s->waiting, node) {
		if (!vsched_eligible(s, vcpu, slot, now))
			continue;
		whole = vcpu->vm->nr[VSCHED_WAITING] <= gaps;
		vcpu->filler = !whole && vcpu->vm != s->leader;
		if (vcpu->vm == s->leader) {
			best = vcpu;
			break;
		}
		if (!best || vcpu->filler < best->filler ||
		    (vcpu->filler == best->filler &&
		     vcpu->vm->rank < best->vm->rank))
			best = vcpu;
	}
	if (!best->filler)
		s->slots[slot].clock = max(s->slots[slot].clock,
					   best->vm->vtime);
	return best;
}

static u64 gang_slice_end(const struct vsched *s, const struct vsched_vcpu *holder)
{
	/* The core may choose one itself, for patience, when no turn is on */
	return s->turn_end > holder->since ? s->turn_end :
					     vsched_slice_end(s, holder);
}

/* A leader's vCPU that wakes joins its gang */
static s64 gang_preempts(const struct vsched *s,
			 const struct vsched_vcpu *waiter,
			 const struct vsched_vcpu *holder)
{
	return waiter->vm == s->leader && holder->vm != s->leader;
}

static void gang_charge(struct vsched *s, struct vsched_vcpu *vcpu, u64 ran)
{
	if (!vcpu->filler)
		vsched_fair_charge(s, vcpu, ran);
}

const struct vsched_policy vsched_gang = {
	.name = "gang",
	.pick = gang_pick,
	.slice_end = gang_slice_end,
	.preempts = gang_preempts,
	.charge = gang_charge,
	.enqueue = vsched_fair_enqueue,
};
