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

void mvmm_request(struct mvmm_vcpu *vcpu, int request);
void mvmm_kick_cpu(struct mvmm_vcpu *vcpu);

#endif
