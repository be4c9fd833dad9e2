/* SPDX-License-Identifier: GPL-2.0 */
/* Machine checks: the guest is told of memory that is broken. */
#ifndef MVMM_MACHINE_CHECK_H
#define MVMM_MACHINE_CHECK_H

#include "core/vcpu.h"

/* See struct machine_config */
int machine_check(struct vcpu *v, bool own);

#endif
