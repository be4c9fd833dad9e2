// SPDX-License-Identifier: GPL-2.0
/* See irq.h. */
#include "core/irq.h"

void irq_set(struct irq *irq, bool up)
{
	struct irqs *irqs = irq->irqs;
	uint16_t before;

	if (!irqs || irq->up == up)
		return;
	pthread_mutex_lock(&irqs->lock);
	irq->up = up;
	before = irqs->sources[irq->line];
	irqs->sources[irq->line] = up ? before + 1 : before - 1;
	if (!before != !irqs->sources[irq->line])
		irqs->changed(irqs->ctx, irq->line, up);
	pthread_mutex_unlock(&irqs->lock);
}
