// SPDX-License-Identifier: GPL-2.0
/*
 * Weighted fair: start-time fair queueing (Goyal, Vin and Cheng, 1996) between
 * VMs.
 *
 * Each VM has a virtual time, which grows by 1 for each @weight ticks that one
 * of its vCPUs ran while others waited. Whoever is least is next. So those who
 * compete stay level, and level virtual times are times in proportion to the
 * weights. It is the VM that counts: four vCPUs age it four times as fast.
 *
 * Each slot has a clock: the virtual time of the VM that was chosen there last.
 * A VM that slept is behind by as long as it slept. It is put forward to one
 * slice before the clock: a short start as a reward, and no more.
 *
 * More CPUs than one: a VM whose share is more than its vCPUs can use is always
 * the least, runs always, and would fall behind for ever. The same rule bounds
 * that, but by more, 8 slices for each vCPU: others of less weight may be ahead
 * by right, as one slice takes them far. They share what is left by their
 * weights: shares are water-filled.
 *
 * CPUs that are shared by nobody have clocks that grow apart, which is why each
 * has its own. A vCPU that may use several takes the clock that is furthest:
 * there it is level, elsewhere it does not push in.
 *
 * Bound: let n vCPUs be runnable on the CPUs that a vCPU may use, all of them
 * of equal weight, without caps and with one vCPU a VM. If they are all busy it
 * waits at most n + 1 slices; if they sleep and wake, 3n + 1: each may come
 * with a start of one slice, when the vCPU itself is one ahead, and end one
 * slice later. In all other cases vsched.patience + (n + 1) slices.
 */
#include <linux/math.h>
#include <linux/minmax.h>
#include "sched.h"

/* 2^64 is years away, with weight 1 on 64 CPUs and nothing else to do */
static u64 worth(const struct vsched_vm *vm, u64 ticks)
{
	return ticks / vm->weight;
}

/** vsched_fair_charge() - the VM grows older; sched_gang.c uses it too */
void vsched_fair_charge(struct vsched *s, struct vsched_vcpu *vcpu, u64 ran)
{
	struct vsched_vm *vm = vcpu->vm;

	ran += vm->vrest;
	vm->vtime += worth(vm, ran);
	vm->vrest = ran % vm->weight;
}

/** vsched_fair_enqueue() - nobody begins to wait too far behind */
void vsched_fair_enqueue(struct vsched *s, struct vsched_vcpu *vcpu)
{
	struct vsched_vm *vm = vcpu->vm;
	u32 wanting = vm->nr[VSCHED_WAITING] + vm->nr[VSCHED_RUNNING];
	u64 start = worth(vm, vcpu->woke ? s->slice : 8 * wanting * s->slice);
	unsigned int slot;

	for_each_set_bit(slot, vcpu->allowed, s->nr_slots)
		if (s->slots[slot].clock > vm->vtime + start)
			vm->vtime = s->slots[slot].clock - start;
}

/* In a VM the vCPU that waits longest: the list has that order */
static struct vsched_vcpu *fair_pick(struct vsched *s, int slot, u64 now)
{
	struct vsched_vcpu *vcpu, *best = NULL;

	list_for_each_entry(vcpu, &s->waiting, node)
		if (vsched_eligible(s, vcpu, slot, now) &&
		    (!best || vcpu->vm->vtime < best->vm->vtime))
			best = vcpu;
	s->slots[slot].clock = max(s->slots[slot].clock, best->vm->vtime);
	return best;
}

/* Who slept goes first if it is behind by a quarter of its slice or more */
static s64 fair_preempts(const struct vsched *s,
			 const struct vsched_vcpu *waiter,
			 const struct vsched_vcpu *holder)
{
	if (!waiter->woke)
		return 0;
	return holder->vm->vtime - waiter->vm->vtime -
	       worth(waiter->vm, s->slice / 4);
}

const struct vsched_policy vsched_fair = {
	.name = "fair",
	.pick = fair_pick,
	.slice_end = vsched_slice_end,
	.preempts = fair_preempts,
	.charge = vsched_fair_charge,
	.enqueue = vsched_fair_enqueue,
};
