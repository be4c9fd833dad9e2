// SPDX-License-Identifier: GPL-2.0
/*
 * Requests: how anything makes a vCPU's thread look at something, wherever that
 * thread is: in the guest, in HLT, waiting for a slot, or in userspace. The other
 * end is mvmm_enter_begin(): see Documentation/run-loop.rst.
 */
#include <linux/rcuwait.h>
#include "compat.h"
#include "cpu.h"

/** mvmm_kick_cpu() - out of the guest, or of its wait; context: any */
void mvmm_kick_cpu(struct mvmm_vcpu *vcpu)
{
	int cpu;

	/* The CPU cannot go offline between the look and the IPI */
	preempt_disable();
	cpu = READ_ONCE(vcpu->cpu);
	if (READ_ONCE(vcpu->in_guest) && cpu >= 0)
		smp_send_reschedule(cpu);
	else
		rcuwait_wake_up(&vcpu->wait);
	preempt_enable();
}

/**
 * mvmm_request() - have a vCPU's thread look at something
 * @vcpu: any
 * @request: MVMM_REQ_*
 *
 * If it is in the guest, it leaves; if it is halted, it wakes up.
 * Context: any, interrupts may be off.
 */
void mvmm_request(struct mvmm_vcpu *vcpu, int request)
{
	/* Whoever made it first has done what follows, or is about to */
	if (!(atomic_fetch_or(request, &vcpu->requests) & request))
		mvmm_kick_cpu(vcpu);
}
