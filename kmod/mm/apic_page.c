// SPDX-License-Identifier: GPL-2.0
/*
 * The APIC-access page: one page mapped at the local APIC's address, which VMX
 * recognizes and where it does what it can of an xAPIC without an exit (SDM vol. 3,
 * 30.4). Its control bits are vmx/apicv.c's.
 */
#include "memory.h"
#include "vendor.h"

/** mvmm_may_have_apic_page() - does the address mean the APIC-access page? */
bool mvmm_may_have_apic_page(const struct mvmm_vm *vm, u64 gpa)
{
	return gpa == LAPIC_BASE_ADDRESS && vm->has_apic &&
	       mvmm_vendor.apic_page_pa && !READ_ONCE(vm->no_apic_page);
}

/* mmu_lock is held */
static bool all_in_xapic_mode(struct mvmm_vm *vm)
{
	int i;

	for (i = 0; i < MVMM_MAX_VCPUS; i++)
		if (vm->vcpus[i] && !lapic_is_xapic(&vm->vcpus[i]->apic))
			return false;
	return true;
}

/* mmu_lock is held */
static void drop_apic_page(struct mvmm_vm *vm)
{
	mvmm_zap(vm, LAPIC_BASE_ADDRESS, LAPIC_BASE_ADDRESS + PAGE_SIZE);
	/* From here on vCPUs may turn off what makes the page an APIC */
	smp_store_release(&vm->no_apic_page, true);
}

/**
 * mvmm_map_apic_page() - let the vCPUs use it
 * @vcpu: one that has faulted at the APIC's address
 *
 * The nested table is the VM's, so the page is for all vCPUs or for none: all must
 * be in xAPIC mode. Context: may sleep. Return: it is there.
 */
bool mvmm_map_apic_page(struct mvmm_vcpu *vcpu)
{
	struct mvmm_vm *vm = vcpu->vm;
	u64 gpa = LAPIC_BASE_ADDRESS;
	bool found = false;
	int level;

	if (pgt_cache_fill(&vcpu->pgt_cache, vm->pgt.fmt))
		return false;
	spin_lock(&vm->mmu_lock);
	if (mvmm_may_have_apic_page(vm, gpa) && !mvmm_find_region(vm, gpa)) {
		WRITE_ONCE(vm->apic_page, true);
		smp_mb(); /* pairs with the one in mode_changed() */
		if (!all_in_xapic_mode(vm))
			drop_apic_page(vm);
		else
			found = pgt_lookup(&vm->pgt, gpa, &level) ||
				!pgt_map(&vm->pgt, gpa, mvmm_vendor.apic_page_pa,
					 1, PGT_READ | PGT_WRITE,
					 &vcpu->pgt_cache);
	}
	spin_unlock(&vm->mmu_lock);
	return found;
}

/** mvmm_unmap_apic_page() - a vCPU's APIC is not in xAPIC mode; may sleep */
void mvmm_unmap_apic_page(struct mvmm_vm *vm)
{
	spin_lock(&vm->mmu_lock);
	drop_apic_page(vm);
	spin_unlock(&vm->mmu_lock);
}
