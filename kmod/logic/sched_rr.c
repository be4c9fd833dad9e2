// SPDX-License-Identifier: GPL-2.0
/*
 * Round robin: the vCPU that waits longest is next, for one slice. Weights are
 * ignored, and vCPUs count, not VMs; caps hold.
 *
 * If n vCPUs are runnable on the CPUs that a vCPU may use, it waits at most n
 * slices: for the holder, and for those before it in the queue. A throttled
 * vCPU does not count as waiting.
 */
#include "sched.h"

static struct vsched_vcpu *rr_pick(struct vsched *s, int slot, u64 now)
{
	struct vsched_vcpu *vcpu;

	vsched_for_each_waiting(vcpu, s)
		if (vsched_eligible(s, vcpu, slot, now))
			return vcpu;
	return NULL;
}

const struct vsched_policy vsched_rr = {
	.name = "rr",
	.pick = rr_pick,
	.slice_end = vsched_slice_end,
};
