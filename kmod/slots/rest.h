/* SPDX-License-Identifier: GPL-2.0 */
/* A vCPU that halts and keeps its slot: it rests. See slots.c. */
#ifndef MVMM_SLOTS_REST_H
#define MVMM_SLOTS_REST_H

#include "cpu/tsc.h"
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
 * mvmm_slot_times() - how long has a vCPU been in each state?
 * @vcpu: the vCPU
 * @time: out: ticks; while it rests it is blocked
 *
 * Context: the lock of slots.c held.
 */
static inline void mvmm_slot_times(const struct mvmm_vcpu *vcpu,
				   u64 time[VSCHED_NR_STATES])
{
	u64 rested, since, now;
	unsigned int seq;
	int state;

	do {
		seq = read_seqcount_begin(&vcpu->rest_seq);
		now = mvmm_tsc();
		since = READ_ONCE(vcpu->rest_since);
		rested = READ_ONCE(vcpu->rested);
	} while (read_seqcount_retry(&vcpu->rest_seq, seq));
	if (since && now > since)
		rested += now - since;
	for (state = 0; state < VSCHED_NR_STATES; state++)
		time[state] = vsched_time(&vcpu->se, state, now);
	rested = min(rested, time[VSCHED_RUNNING]);
	time[VSCHED_RUNNING] -= rested;
	time[VSCHED_BLOCKED] += rested;
}

#endif
