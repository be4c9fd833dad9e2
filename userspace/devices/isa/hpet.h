/* SPDX-License-Identifier: GPL-2.0 */
/* What the HPET's table in ACPI says of it: see hpet.c. */
#ifndef MVMM_HPET_H
#define MVMM_HPET_H

#define HPET_BASE	0xfed00000
/* Half of its capabilities: Intel, LEG_RT_CAP, 64 bits, 3 timers, revision 1 */
#define HPET_ID		0x8086a201

#endif
