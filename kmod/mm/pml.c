// SPDX-License-Identifier: GPL-2.0
/* From the CPU's own logs of written pages (PML) to the dirty bitmaps. */
#include "memory.h"

static inline void drain_pml(struct mvmm_vcpu *vcpu)
{
	struct mvmm_mem_region *r;
	u64 gpa;

	while ((gpa = mvmm_pml_take(&vcpu->pml)) != MVMM_PML_EMPTY) {
		r = mvmm_find_region(vcpu->vm, gpa);
		if (r && r->dirty)
			__set_bit((gpa - r->gpa) >> PAGE_SHIFT, r->dirty);
	}
}

/**
 * mvmm_drain_pml() - from what the CPUs have logged to the dirty bitmaps
 * @vm: mmu_lock is held; vCPUs may be in the guest
 */
void mvmm_drain_pml(struct mvmm_vm *vm)
{
	int i;

	for (i = 0; i < MVMM_MAX_VCPUS; i++)
		if (vm->vcpus[i])
			drain_pml(vm->vcpus[i]);
}

/**
 * mvmm_pml_full() - the CPU has no room to log the next write
 * @vcpu: exited because of that
 *
 * Context: interrupts off, so the lock is only tried for. Return:
 * MVMM_STEP_REENTER: it may begin at the top again; MVMM_STEP_OUTER: not yet.
 */
enum mvmm_step mvmm_pml_full(struct mvmm_vcpu *vcpu)
{
	struct mvmm_vm *vm = vcpu->vm;

	if (!spin_trylock(&vm->mmu_lock))
		return MVMM_STEP_OUTER;
	drain_pml(vcpu);
	vcpu->pml.next = MVMM_PML_ENTRIES - 1;
	spin_unlock(&vm->mmu_lock);
	return MVMM_STEP_REENTER;
}
