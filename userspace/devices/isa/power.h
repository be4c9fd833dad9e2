/* SPDX-License-Identifier: GPL-2.0 */
/* ACPI's fixed hardware (power.c). */
#ifndef MVMM_POWER_H
#define MVMM_POWER_H

#include "core/device.h"

/**
 * struct power - see above
 * @pm1_status: PM1_STS
 * @pm1_enable: PM1_EN
 * @pm1_control: PM1_CNT
 * @sci: ACPI's interrupt
 * @region: its ports
 * @reset_register: port 0x64, which PCs have had for this
 */
struct power {
	struct device device;
	uint16_t pm1_status, pm1_enable, pm1_control;
	struct irq sci;
	struct region region, reset_register;
};

/* Presses the button. False: the guest has not enabled it. The lock is held */
bool power_button(struct power *power);

#endif
