// SPDX-License-Identifier: GPL-2.0
/*
 * Requests: how any code makes a vCPU's thread look at something, wherever that
 * thread is: in the guest, in HLT, waiting for a slot, or in userspace. The
 * other half of the protocol is mvmm_enter_begin(): see
 * Documentation/run-loop.rst.
 */
#include <linux/rcuwait.h>
#include "compat.h"
#include "cpu.h"

/**
 * mvmm_kick_cpu() - make a vCPU leave the guest, or its thread wake up
 * @vcpu: any vCPU; the caller has written what it will look at
 *
 * Context: any, interrupts may be off. A full barrier comes before.
 */
void mvmm_kick_cpu(struct mvmm_vcpu *vcpu)
{
	int cpu;

	/* Preemption off: the CPU cannot go offline before the IPI is sent */
	preempt_disable();
	cpu = READ_ONCE(vcpu->cpu);
	if (READ_ONCE(vcpu->in_guest) && cpu >= 0)
		smp_send_reschedule(cpu);
	else
		rcuwait_wake_up(&vcpu->wait);
	preempt_enable();
}
