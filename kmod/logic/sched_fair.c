// SPDX-License-Identifier: GPL-2.0
/*
 * Weighted fair: start-time fair queueing (Goyal, Vin and Cheng, 1996) between
 * VMs.
 *
 * Each VM has a virtual time, which grows by 1 for each @weight ticks that one
 * of its vCPUs runs while others wait. The VM with the least is next. So the
 * virtual times of VMs that compete stay equal, and equal virtual times mean
 * times in proportion to the weights. The VM counts, not the vCPU: with four
 * busy vCPUs its virtual time grows four times as fast.
 *
 * Each slot has a clock: the virtual time of the VM that was chosen there last.
 * While a VM sleeps, its virtual time falls behind the clock. When it wakes, it
 * is moved forward to one slice behind the clock: a short advantage, and no
 * more.
 *
 * On several CPUs a VM whose share is more than its vCPUs can use always has
 * the least virtual time. It always runs, and its virtual time would fall
 * behind more and more. The same rule limits that, to 8 slices for each of its
 * vCPUs. The limit has to be wider than one slice: a slice adds much to the
 * virtual time of a VM of small weight, which may rightly be that far ahead.
 * The other VMs share the rest by their weights: shares are water-filled.
 *
 * Each slot has its own clock because the clocks of CPUs that share no VM grow
 * apart. A vCPU that may use several slots is compared with the clock that is
 * furthest ahead. It is then level there, and has no advantage elsewhere.
 *
 * How long may a vCPU wait, if n vCPUs are runnable on the CPUs that it may
 * use? With equal weights, no caps and one vCPU a VM: at most n + 1 slices if
 * all are busy, 3n + 1 if they sleep and wake. In all other cases patience and
 * n + 1 slices. Documentation/scheduling.rst has the derivation.
 */
#include <linux/math.h>
#include <linux/minmax.h>
#include "sched.h"

/*
 * What @ticks cost a VM, before they are divided by its weight. If users are
 * equals, VMs of the same user make each other dearer: together they pay as one
 * VM of the default weight.
 */
static u64 cost(const struct vsched *s, const struct vsched_vm *vm, u64 ticks)
{
	return s->per_user ? ticks * vm->user->wanted / VSCHED_WEIGHT_DEFAULT :
			     ticks;
}

/*
 * It does not overflow: of weight 1 and busy on 64 CPUs, a VM would need years
 * for 2^64. If users are equals and all who compete have a thousand busy VMs, it
 * takes days; then shares are wrong until a policy is written.
 */

/** vsched_worth() - by how much do @ticks let a VM's virtual time grow? */
u64 vsched_worth(const struct vsched *s, const struct vsched_vm *vm, u64 ticks)
{
	return cost(s, vm, ticks) / vm->weight;
}

/** vsched_fair_charge() - the VM's virtual time grows; also for sched_gang.c */
void vsched_fair_charge(struct vsched *s, struct vsched_vcpu *vcpu, u64 ran)
{
	struct vsched_vm *vm = vcpu->vm;

	ran = cost(s, vm, ran) + vm->vrest;
	vm->vtime += ran / vm->weight;
	vm->vrest = ran % vm->weight;
}

/** vsched_fair_enqueue() - move a VM that is too far behind the clock */
void vsched_fair_enqueue(struct vsched *s, struct vsched_vcpu *vcpu)
{
	struct vsched_vm *vm = vcpu->vm;
	u32 wanting = vm->nr[VSCHED_WAITING] + vm->nr[VSCHED_RUNNING];
	u64 start = vsched_worth(s, vm, vcpu->woke ? s->slice : 8 * wanting * s->slice);
	unsigned int slot;

	for_each_set_bit(slot, vcpu->allowed, s->nr_slots)
		if (s->slots[slot].clock > vm->vtime + start)
			vm->vtime = s->slots[slot].clock - start;
}

/* Of a VM's vCPUs the one that waits longest: the list has that order */
static struct vsched_vcpu *fair_pick(struct vsched *s, int slot, u64 now)
{
	struct vsched_vcpu *vcpu, *best = NULL;

	vsched_for_each_waiting(vcpu, s) {
		if (best && vcpu->prio < best->prio)
			break;
		if (vsched_eligible(s, vcpu, slot, now) &&
		    (!best || vcpu->vm->vtime < best->vm->vtime))
			best = vcpu;
	}
	s->slots[slot].clock = max(s->slots[slot].clock, best->vm->vtime);
	return best;
}

/*
 * A vCPU that woke goes first if it is a quarter of its slice behind, or more
 */
static s64 fair_preempts(const struct vsched *s,
			 const struct vsched_vcpu *waiter,
			 const struct vsched_vcpu *holder)
{
	if (!waiter->woke)
		return 0;
	return holder->vm->vtime - waiter->vm->vtime -
	       vsched_worth(s, waiter->vm, s->slice / 4);
}

const struct vsched_policy vsched_fair = {
	.name = "fair",
	.pick = fair_pick,
	.slice_end = vsched_slice_end,
	.preempts = fair_preempts,
	.charge = vsched_fair_charge,
	.enqueue = vsched_fair_enqueue,
};
