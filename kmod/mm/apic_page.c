// SPDX-License-Identifier: GPL-2.0
/*
 * The APIC-access page: a page that is mapped at the local APIC's address. VMX
 * recognizes accesses to it, and does as much of an xAPIC's work as it can
 * without an exit (SDM vol. 3, 30.4). The control bits for it are in
 * vmx/apicv.c.
 */
#include "memory.h"
#include "vendor.h"

/** mvmm_may_have_apic_page() - may the APIC-access page be mapped at @gpa? */
bool mvmm_may_have_apic_page(const struct mvmm_vm *vm, u64 gpa)
{
	return gpa == LAPIC_BASE_ADDRESS && vm->has_apic &&
	       mvmm_vendor.apic_page_pa && !READ_ONCE(vm->no_apic_page);
}

static bool all_in_xapic_mode(struct mvmm_vm *vm)
{
	int i;

	lockdep_assert_held_write(&vm->mmu_lock);

	for (i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpus[i] && !lapic_is_xapic(&vm->vcpus[i]->apic))
			return false;
	return true;
}

static void drop_apic_page(struct mvmm_vm *vm)
{
	lockdep_assert_held_write(&vm->mmu_lock);
	mvmm_zap(vm, LAPIC_BASE_ADDRESS, LAPIC_BASE_ADDRESS + PAGE_SIZE,
		 false);
	/*
	 * pairs with apic_controls() in vmx/apicv.c: a vCPU that sees this may
	 * turn off its control bits, without which the page would be plain
	 * memory
	 */
	smp_store_release(&vm->no_apic_page, true);
}

/**
 * mvmm_map_apic_page() - map the page, after a fault at its address
 * @vcpu: the vCPU that has faulted
 *
 * All vCPUs share the nested table, so the page is mapped for all or for none:
 * all must be in xAPIC mode. Once one is not, the page is never mapped again.
 *
 * Context: may sleep. Return: true if it is mapped.
 */
bool mvmm_map_apic_page(struct mvmm_vcpu *vcpu)
{
	struct mvmm_vm *vm = vcpu->vm;
	u64 gpa = LAPIC_BASE_ADDRESS;
	bool found = false;
	int level;

	mvmm_assert_may_sleep();
	if (pgt_cache_fill(&vcpu->pgt_cache, vm->pgt.fmt))
		return false;
	write_lock(&vm->mmu_lock);
	if (mvmm_may_have_apic_page(vm, gpa) && !mvmm_find_region(vm, gpa)) {
		WRITE_ONCE(vm->apic_page, true);
		smp_mb(); /* pairs with mode_changed() in irq/apic.c */
		if (!all_in_xapic_mode(vm))
			drop_apic_page(vm);
		else
			found = pgt_lookup(&vm->pgt, gpa, &level) ||
				!pgt_map(&vm->pgt, gpa, mvmm_vendor.apic_page_pa,
					 1, PGT_READ | PGT_WRITE,
					 &vcpu->pgt_cache);
	}
	write_unlock(&vm->mmu_lock);
	return found;
}

/**
 * mvmm_unmap_apic_page() - unmap the page for ever
 * @vm: a vCPU's APIC has left xAPIC mode
 *
 * Context: may sleep.
 */
void mvmm_unmap_apic_page(struct mvmm_vm *vm)
{
	mvmm_assert_may_sleep();
	write_lock(&vm->mmu_lock);
	drop_apic_page(vm);
	write_unlock(&vm->mmu_lock);
}
