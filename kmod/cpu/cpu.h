/* SPDX-License-Identifier: GPL-2.0 */
/* VMX or SVM on and off (hardware.c), and requests to vCPUs (request.c). */
#ifndef MVMM_CPU_CPU_H
#define MVMM_CPU_CPU_H

#include "vcpu.h"

int mvmm_hardware_get(void);
void mvmm_hardware_put(void);
int mvmm_hardware_init(void);
void mvmm_hardware_exit(void);
bool mvmm_on_bochs(void);

void mvmm_kick_cpu(struct mvmm_vcpu *vcpu);

/* tour 27: make another thread look */

/**
 * mvmm_request() - make a vCPU's thread look at something
 * @vcpu: any vCPU
 * @request: one MVMM_REQ_*
 *
 * If the vCPU is in the guest, it leaves; if its thread sleeps, it wakes up.
 *
 * Context: any, interrupts may be off.
 */
static inline void mvmm_request(struct mvmm_vcpu *vcpu, int request)
{
	/*
	 * A full barrier: pairs with mvmm_enter_begin() and mvmm_apic_collect().
	 * If the bit was set already, the one who set it kicks.
	 */
	if (!(atomic_fetch_or(request, &vcpu->requests) & request))
		mvmm_kick_cpu(vcpu);
}

#endif
