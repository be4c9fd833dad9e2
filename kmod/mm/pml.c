// SPDX-License-Identifier: GPL-2.0
/* Moves the CPU's own logs of written pages (PML) to the dirty bitmaps. */
#include "memory.h"

static inline void drain_pml(struct mvmm_vcpu *vcpu)
{
	struct mvmm_mem_region *r;
	u64 gpa;

	lockdep_assert_held(&vcpu->vm->mmu_lock);

	while ((gpa = mvmm_pml_take(&vcpu->pml)) != MVMM_PML_EMPTY) {
		r = mvmm_find_region(vcpu->vm, gpa);
		if (r && r->dirty)
			set_bit((gpa - r->gpa) >> PAGE_SHIFT, r->dirty);
	}
}

/**
 * mvmm_drain_pml() - note in the dirty bitmaps what the CPUs have logged
 * @vm: the VM; its vCPUs may be in the guest
 *
 * Context: mmu_lock held for writing.
 */
void mvmm_drain_pml(struct mvmm_vm *vm)
{
	int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpus[i])
			drain_pml(vm->vcpus[i]);
}

/**
 * mvmm_pml_full() - empty the log of a vCPU, which exited because it is full
 * @vcpu: the vCPU
 *
 * Context: interrupts off, so mmu_lock is only tried for. Return:
 * MVMM_STEP_REENTER: the log is empty, and its index may be set back;
 * MVMM_STEP_OUTER: the lock was taken, so the guest exits here again.
 */
enum mvmm_step mvmm_pml_full(struct mvmm_vcpu *vcpu)
{
	struct mvmm_vm *vm = vcpu->vm;

	lockdep_assert_irqs_disabled();
	mvmm_assert_section(vcpu);
	if (!mvmm_try_mmu_read(vm))
		return MVMM_STEP_OUTER;
	drain_pml(vcpu);
	vcpu->pml.next = MVMM_PML_ENTRIES - 1;
	read_unlock(&vm->mmu_lock);
	return MVMM_STEP_REENTER;
}
