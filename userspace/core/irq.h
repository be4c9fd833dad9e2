/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt lines, each of which may have several sources: it is up while one of
 * them is (a wired OR). And messages (MSI).
 */
#ifndef MVMM_IRQ_H
#define MVMM_IRQ_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define IRQ_LINES 24	/* pins of the I/O APIC; the first 16 are the PICs' */

struct device;

/**
 * struct pic - the controller of vCPU 0's interrupt pin
 * @device: which it is
 * @set: a line goes up or down
 * @pending: does it request an interrupt?
 * @ack: the INTA cycle. Returns the vector, a spurious one if nothing is pending
 * @put_back: the last @ack has not been
 */
struct pic {
	struct device *device;
	void (*set)(struct device *device, unsigned int line, bool up);
	bool (*pending)(const struct device *device);
	uint8_t (*ack)(struct device *device);
	void (*put_back)(struct device *device);
};

/**
 * struct ioapic - the controller that sends messages to local APICs
 * @device: which it is; NULL: there is none
 * @set: a pin goes up or down
 * @eoi: the guest has ended the level interrupt @vector at a local APIC
 */
struct ioapic {
	struct device *device;
	void (*set)(struct device *device, unsigned int pin, bool up);
	void (*eoi)(struct device *device, uint8_t vector);
};

/**
 * struct irqs - the lines of a machine
 * @lock: guards this and the controllers. It may be taken while another
 *	device's lock is held, and none is taken after it
 * @sources: of each line, that are up
 * @pic: it sets this itself
 * @ioapic: the same
 * @changed: a line went up or down; @lock is held
 * @ctx: its argument
 */
struct irqs {
	pthread_mutex_t lock;
	uint16_t sources[IRQ_LINES];
	struct pic pic;
	struct ioapic ioapic;
	void (*changed)(void *ctx, unsigned int line, bool up);
	void *ctx;
};

static inline bool pic_pending(const struct irqs *irqs)
{
	return irqs->pic.pending(irqs->pic.device);
}

/**
 * struct irq - a source
 * @irqs: the machine's; NULL: it is not connected
 * @line: less than IRQ_LINES
 * @up: what it was set to
 */
struct irq {
	struct irqs *irqs;
	unsigned int line;
	bool up;
};

/* The caller may hold its device's lock, but not that of @irq->irqs */
void irq_set(struct irq *irq, bool up);

#endif
