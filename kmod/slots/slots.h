/* SPDX-License-Identifier: GPL-2.0 */
/* Who may enter the guest: see slots.c. */
#ifndef MVMM_SLOTS_SLOTS_H
#define MVMM_SLOTS_SLOTS_H

#include <linux/compiler.h>
#include <linux/sched.h>
#include "vcpu.h"

/* ns that the calling thread wanted to run, and Linux did not run it */
static inline u64 mvmm_run_delay(void)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}

#ifdef CONFIG_MVMM_SLOTS

int mvmm_slots_init(void);
void mvmm_slots_exit(void);
void mvmm_slots_add_vm(struct mvmm_vm *vm);
void mvmm_slots_remove_vm(struct mvmm_vm *vm);
void mvmm_slots_add(struct mvmm_vcpu *vcpu);
void mvmm_slots_remove(struct mvmm_vcpu *vcpu);
int mvmm_slot_get(struct mvmm_vcpu *vcpu, bool pause);
void mvmm_slot_look(struct mvmm_vcpu *vcpu);
void mvmm_slot_put(struct mvmm_vcpu *vcpu);
void mvmm_slot_rest(struct mvmm_vcpu *vcpu);
void mvmm_slot_wake(struct mvmm_vcpu *vcpu);
int mvmm_set_sched(struct mvmm_vm *vm, const struct mvmm_vm_sched *s);
void mvmm_get_times(struct mvmm_vcpu *vcpu, struct mvmm_times *times);
enum mvmm_step mvmm_pause_loop(struct mvmm_vcpu *vcpu);

#ifdef CONFIG_MVMM_DEBUG
void mvmm_slots_table_init(raw_spinlock_t *l, struct vsched *s);
void mvmm_slots_table_exit(void);
#else
static inline void mvmm_slots_table_init(raw_spinlock_t *l, struct vsched *s) {}
static inline void mvmm_slots_table_exit(void) {}
#endif

/*
 * The thread answers requests for its slot again: a RUN begins, or a sleep or
 * host work that may take long has ended. Before the next entry,
 * mvmm_enter_begin() has the barrier that pairs with take_back().
 */
static inline void mvmm_slot_enter(struct mvmm_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->runner, current);
}

/*
 * The thread leaves for userspace, or for host work that may take long. The
 * vCPU keeps its slot, and pays for it, until its slice ends; the slice may
 * have ended just now. No barrier: what is not seen here, the timer sees.
 */
static inline void mvmm_slot_leave(struct mvmm_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->runner, NULL);
	if (unlikely(atomic_read(&vcpu->requests) & MVMM_REQ_SLOT))
		mvmm_slot_look(vcpu);
}

#else

static inline int mvmm_slots_init(void)
{
	return 0;
}

static inline void mvmm_slots_exit(void) {}
static inline void mvmm_slots_add_vm(struct mvmm_vm *vm) {}
static inline void mvmm_slots_remove_vm(struct mvmm_vm *vm) {}
static inline void mvmm_slots_add(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_slots_remove(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_slot_put(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_slot_rest(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_slot_wake(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_slot_enter(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_slot_leave(struct mvmm_vcpu *vcpu) {}

static inline int mvmm_slot_get(struct mvmm_vcpu *vcpu, bool pause)
{
	return 0;
}

static inline enum mvmm_step mvmm_pause_loop(struct mvmm_vcpu *vcpu)
{
	return MVMM_STEP_REENTER;
}

#endif

#endif
