/* SPDX-License-Identifier: GPL-2.0 */
/* RESET of a machine that goes on. */
#ifndef MVMM_RESET_H
#define MVMM_RESET_H

#include "core/machine.h"

/*
 * For struct machine_config: the machine is paused, no lock is held. What the
 * guest's line of RESET does to all vCPUs and devices; or to the vCPUs only, if
 * CMOS says that the guest goes on afterwards, as those for a 286 do to get back
 * into real mode. RAM stays
 */
void reset_machine(struct machine *m);

#endif
