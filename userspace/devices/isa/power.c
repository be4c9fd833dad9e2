// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI's fixed hardware (ACPI 6.4, 4.8), but only soft-off, the power button, the
 * PM timer, and the reset register: by that of an i8042 (i8042.c) systems reset
 * a PC that has none.
 */
#include <string.h>
#include "core/machine.h"
#include "devices/isa/power.h"

#define PM1_EVENT	0	/* status, and enable after it */
#define PM1_CONTROL	4
#define PM_TIMER	8
#define PM_TIMER_HZ	3579545ull
#define NS		1000000000ull
#define PWRBTN		(1u << 8)	/* PWRBTN_STS, PWRBTN_EN */
#define SCI_EN		(1u << 0)
#define SLP_EN		(1u << 13)
/* The DSDT's \_S5; and that of QEMU's ICH9, by which OVMF turns it off */
#define SLP_TYP_S5	5
#define SLP_TYP_ICH9	0
/* The FADT has it, too */
#define RESET_VALUE	0xfe

static uint32_t pm_timer(const struct power *power)
{
	uint64_t ns = vm_clock_now(&power->device.machine->clock);

	return (ns / NS * PM_TIMER_HZ + ns % NS * PM_TIMER_HZ / NS) & 0xffffff;
}

/* The SCI is a level: up while some event is enabled and not yet cleared */
static void update_sci(struct power *power)
{
	irq_set(&power->sci, power->pm1_status & power->pm1_enable);
}

bool power_button(struct power *power)
{
	power->pm1_status |= PWRBTN;
	update_sci(power);
	return power->pm1_enable & PWRBTN;
}

/* 4.8.3.1: accesses may have any size; a one clears a status bit */
static void write_event(struct power *power, unsigned int shift, uint32_t value,
			unsigned int size)
{
	uint32_t mask = (size < 4 ? (1u << 8 * size) - 1 : ~0u) << shift;

	value <<= shift;
	power->pm1_status &= ~value;
	power->pm1_enable = (power->pm1_enable & ~(mask >> 16)) | value >> 16;
	update_sci(power);
}

static uint32_t acpi_pm_read(const struct power *power, uint64_t offset)
{
	switch (offset) {
	case PM1_EVENT ... PM1_CONTROL - 1:
		return (power->pm1_status | (uint32_t)power->pm1_enable << 16)
		       >> 8 * offset;
	case PM1_CONTROL:
		/* There is no SMI_CMD: ACPI mode is always on */
		return power->pm1_control | SCI_EN;
	case PM_TIMER:
		return pm_timer(power);
	default:
		return 0;
	}
}

static uint64_t power_read(struct device *device, uint64_t at,
			   unsigned int size)
{
	return acpi_pm_read((struct power *)device, at);
}

static void power_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	struct power *power = (struct power *)device;

	switch (at) {
	case PM1_EVENT ... PM1_CONTROL - 1:
		write_event(power, 8 * at, value, size);
		break;
	case PM1_CONTROL:
		power->pm1_control = value & ~SLP_EN;
		if (value & SLP_EN && ((value >> 10 & 7) == SLP_TYP_S5 ||
				       (value >> 10 & 7) == SLP_TYP_ICH9))
			machine_end(device->machine, 0, "%s", "");
		break;
	}
}

static uint64_t reset_read(struct device *device, uint64_t at,
			   unsigned int size)
{
	return 0xff;
}

static void reset_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	if (value == RESET_VALUE)
		machine_reset(device->machine, RESET_CPUS);
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .max = 4, .read = power_read,
					       .write = power_write };
	static const struct region_ops reset_ops = { .read = reset_read,
						     .write = reset_write };
	struct power *power = (struct power *)device;
	struct machine *m = device->machine;

	power->sci = (struct irq){ .irqs = &m->irqs, .line = SCI_IRQ };
	power->region = (struct region){ &ops, device, .len = 12 };
	power->reset_register = (struct region){ &reset_ops, device, .len = 1 };
	m->power = power;
	return region_map(&m->ports, &power->region, 0x600, error) ||
	       region_map(&m->ports, &power->reset_register, 0x64, error) ?
	       -1 : 0;
}

static void reset(struct device *device)
{
	update_sci((struct power *)device);
}

static int loaded(struct device *device, struct error *error)
{
	update_sci((struct power *)device);
	return 0;
}

static const struct field fields[] = {
	FIELD(struct power, pm1_status), FIELD(struct power, pm1_enable),
	FIELD(struct power, pm1_control), FIELDS_END
};

static const struct device_class acpi_pm = {
	.name = "acpi-pm", .size = sizeof(struct power), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded,
};
DEVICE_CLASS(acpi_pm);
