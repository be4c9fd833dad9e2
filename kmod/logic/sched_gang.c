// SPDX-License-Identifier: GPL-2.0
/*
 * Gang: the vCPUs of a VM run together, so that none of them spins for a lock
 * whose holder was sent away.
 *
 * VMs lead in turn, for a slice each; the VM with the least virtual time (see
 * sched_fair.c) leads next. The leader's vCPUs come first on every CPU; if it
 * has more vCPUs than there are CPUs, those that wait longest. CPUs that are
 * left go to other VMs, the least virtual time first: to a VM that fits in
 * whole, or else to single vCPUs, the fillers. All slices end with the turn.
 *
 * Fillers pay nothing. If they did, a VM would pay with its turns for the gaps
 * in which it ran, and would never run as a whole. So shares follow the weights
 * as far as the gangs leave no gaps, and a VM that runs in gaps gets more.
 *
 * How long may a vCPU wait, if n vCPUs are runnable on the CPUs that it may
 * use? With equal weights, no caps, one vCPU a VM and all of them busy: at most
 * n + 1 slices. In all other cases patience and n + 1 slices.
 */
#include <linux/minmax.h>
#include "sched.h"

/* Virtual time, with the slices of those that still run: not charged yet */
static u64 due(const struct vsched *s, const struct vsched_vm *vm)
{
	return vm->vtime +
	       vsched_worth(s, vm, vm->nr[VSCHED_RUNNING] * s->slice);
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
	vsched_for_each_waiting(vcpu, s)
		if (vcpu->vm == leader)
			vsched_compete_again(s, vcpu);
}

static bool turn_is_over(struct vsched *s, u64 now)
{
	return !s->leader || now >= s->turn_end ||
	       s->leader->nr[VSCHED_WAITING] + s->leader->nr[VSCHED_RUNNING]
	       == 0 || vsched_throttled(s, s->leader, now);
}

/* How many slots are idle, or will be soon: the holder's slice is over */
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
	vsched_for_each_waiting(vcpu, s) {
		if (best && vcpu->prio < best->prio)
			break;
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
	/* vsched_fill() may choose an overdue vCPU when there is no turn */
	return s->turn_end > READ_ONCE(holder->began) ? s->turn_end :
					     vsched_slice_end(s, holder);
}

/* A vCPU of the leader that wakes joins the gang */
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
