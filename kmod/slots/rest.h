/* SPDX-License-Identifier: GPL-2.0 */
/* A vCPU that halts and keeps its slot: it rests. See slots.c. */
#ifndef MVMM_SLOTS_REST_H
#define MVMM_SLOTS_REST_H

#include "vcpu.h"

/** mvmm_end_rest() - it does not rest any more. Return: since when it did, or 0 */
static inline u64 mvmm_end_rest(struct mvmm_vcpu *vcpu)
{
	u64 since = READ_ONCE(vcpu->rest_since);

	while (since && !try_cmpxchg64(&vcpu->rest_since, &since, 0))
		;
	return since;
}

/**
 * mvmm_slot_time() - how long has a vCPU been in a state?
 * @vcpu: the vCPU
 * @state: which; while it rests it is blocked
 * @now: the time
 *
 * Context: the lock of slots.c held. Return: ticks.
 */
static inline u64 mvmm_slot_time(const struct mvmm_vcpu *vcpu,
				 enum vsched_state state, u64 now)
{
	u64 time = vsched_time(&vcpu->se, state, now), rested, since;
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&vcpu->rest_seq);
		since = READ_ONCE(vcpu->rest_since);
		rested = READ_ONCE(vcpu->rested);
	} while (read_seqcount_retry(&vcpu->rest_seq, seq));
	if (since && now > since)
		rested += now - since;
	if (state == VSCHED_BLOCKED)
		return time + rested;
	return state == VSCHED_RUNNING ? time - min(time, rested) : time;
}

#endif
