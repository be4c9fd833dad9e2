/* SPDX-License-Identifier: GPL-2.0 */
/* Interrupt messages, local APICs and irqfds. */
#ifndef MVMM_IRQ_APIC_H
#define MVMM_IRQ_APIC_H

#include <asm/apicdef.h>
#include <asm/msr-index.h>
#include "vcpu.h"

int mvmm_send(struct mvmm_vm *vm, const struct mvmm_vcpu *from,
	      const struct lapic_msg *msg);
int mvmm_msi(struct mvmm_vm *vm, const struct mvmm_msi *msi);
void mvmm_apic_init(struct mvmm_vcpu *vcpu);
void mvmm_apic_destroy(struct mvmm_vcpu *vcpu);
void mvmm_apic_moved(struct mvmm_vcpu *vcpu);
void mvmm_apic_wait_due(struct mvmm_vcpu *vcpu);
void mvmm_apic_pull_now(struct mvmm_vcpu *vcpu);

/**
 * mvmm_apic_refresh() - the APIC has changed: what may be delivered next?
 * @vcpu: the calling thread's, or not in use yet
 */
static inline void mvmm_apic_refresh(struct mvmm_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic;

	vcpu->events.apic_vector = lapic_pending(a);
	vcpu->events.apic_ppr = lapic_ppr(a);
	vcpu->cr8 = a->tpr >> 4;
	vcpu->apic_dirty = vcpu->vapic;
}

/**
 * mvmm_apic_pull() - fetch what the guest did to its APIC without an exit
 * @vcpu: the calling thread's
 *
 * Called before vcpu->apic or vcpu->cr8 is read or changed.
 */
static inline void mvmm_apic_pull(struct mvmm_vcpu *vcpu)
{
	if (vcpu->vapic && !vcpu->apic_dirty)
		mvmm_apic_pull_now(vcpu);
}

void mvmm_apic_collect(struct mvmm_vcpu *vcpu);

/**
 * mvmm_wants_window() - does userspace wait until it may inject an interrupt?
 * @vcpu: the calling thread's, in RUN
 *
 * It may not while LINT0 is closed. The guest can open it without an exit to
 * userspace: so this is asked again at each entry.
 */
static inline bool mvmm_wants_window(const struct mvmm_vcpu *vcpu)
{
	return unlikely(vcpu->user_irq_window) &&
	       (!vcpu->has_apic || lapic_takes_extint(&vcpu->apic));
}

/* Is it for mvmm_apic_get_msr() and mvmm_apic_set_msr()? */
static inline bool mvmm_is_apic_msr(u32 index)
{
	return index - APIC_BASE_MSR < 0x100 || index == MSR_IA32_TSC_DEADLINE ||
	       index == MSR_IA32_APICBASE;
}

int mvmm_apic_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value);
int mvmm_apic_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
void mvmm_apic_tsc_moved(struct mvmm_vcpu *vcpu, u64 by);
void mvmm_apic_eoi(struct mvmm_vcpu *vcpu);
void mvmm_apic_set_cr8(struct mvmm_vcpu *vcpu, u64 cr8);
int mvmm_apic_access(struct mvmm_vcpu *vcpu, struct mvmm_apic_access *access);
void mvmm_apic_eoi_induced(struct mvmm_vcpu *vcpu, u8 vector);
void mvmm_apic_write_trapped(struct mvmm_vcpu *vcpu, u32 offset);
int mvmm_set_apic(struct mvmm_vcpu *vcpu, const struct mvmm_apic *state);

#ifdef CONFIG_MVMM_IRQFD
int mvmm_irqfd(struct mvmm_vm *vm, const struct mvmm_irqfd *i);
void mvmm_irqfds_init(struct mvmm_vm *vm);
void mvmm_irqfds_destroy(struct mvmm_vm *vm);
#else
static inline void mvmm_irqfds_init(struct mvmm_vm *vm) {}
static inline void mvmm_irqfds_destroy(struct mvmm_vm *vm) {}
#endif

#endif
