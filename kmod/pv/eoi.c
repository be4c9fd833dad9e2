// SPDX-License-Identifier: GPL-2.0
/*
 * PV EOI: at the entry with an interrupt whose EOI would be silent the guest's
 * flag is set. A guest that finds it set clears it, and needs no exit. Outside of
 * the guest it is 0 again, so that ISR tells the truth. KVM's interface:
 * Documentation/virt/kvm/x86/msr.rst in Linux.
 */
#include <linux/uaccess.h>
#include "irq/apic.h"
#include "mm/memory.h"
#include "pv.h"

/*
 * Without waiting for a lock or a page; false: it cannot be had so, or a dirty
 * log would have to note it.
 */
static bool write_flag(struct mvmm_vcpu *vcpu, u64 gpa, u8 value)
{
	struct mvmm_vm *vm = vcpu->vm;
	const struct mvmm_mem_region *r;
	bool done = false;
	u8 __user *flag;

	if (READ_ONCE(vm->nr_logged) || !spin_trylock(&vm->mmu_lock))
		return false;
	r = mvmm_find_region(vm, gpa);
	if (r && !(r->flags & MVMM_REGION_READONLY)) {
		flag = (u8 __user *)(r->hva + (gpa - r->gpa));
		pagefault_disable();
		done = !__put_user(value, flag);
		pagefault_enable();
		vcpu->pv.eoi_flag = flag;
	}
	spin_unlock(&vm->mmu_lock);
	return done;
}

/**
 * mvmm_pv_eoi_offer() - an entry with an interrupt of the local APIC is certain
 * @vcpu: mvmm_pv_eoi_usable()
 *
 * Context: interrupts off.
 */
void mvmm_pv_eoi_offer(struct mvmm_vcpu *vcpu)
{
	struct mvmm_pv *pv = &vcpu->pv;

	if (lapic_eoi_is_silent(&vcpu->apic) &&
	    write_flag(vcpu, pv->eoi & ~KVM_MSR_ENABLED, KVM_PV_EOI_ENABLED))
		pv->eoi_offered = pv->eoi;
}

/**
 * mvmm_pv_eoi_look() - the guest had an offer: has it ended the interrupt?
 * @vcpu: just left; in_guest is still set
 *
 * Whoever takes the page from a guest that has written to it waits for this CPU
 * first: if it is not there the guest has not. An offer that cannot be taken back
 * now goes before the next entry, or at the end of RUN.
 * Context: interrupts off.
 */
void mvmm_pv_eoi_look(struct mvmm_vcpu *vcpu)
{
	u64 gpa = vcpu->pv.eoi_offered & ~KVM_MSR_ENABLED;
	u8 flag;
	int ret;

	pagefault_disable();
	ret = __get_user(flag, vcpu->pv.eoi_flag);
	pagefault_enable();
	if (!ret && !(flag & KVM_PV_EOI_MASK)) {
		vcpu->pv.eoi_offered = 0;
		mvmm_apic_eoi(vcpu);
	} else if (!ret && write_flag(vcpu, gpa, KVM_PV_EOI_DISABLED)) {
		vcpu->pv.eoi_offered = 0;
	} else {
		atomic_or(MVMM_REQ_PV, &vcpu->requests);
	}
}

/** mvmm_pv_eoi_finish() - the same where it may sleep, if need be */
void mvmm_pv_eoi_finish(struct mvmm_vcpu *vcpu)
{
	u64 gpa = vcpu->pv.eoi_offered & ~KVM_MSR_ENABLED;
	u8 flag = 0, none = KVM_PV_EOI_DISABLED;

	if (!vcpu->pv.eoi_offered)
		return;
	/* Where memory is no more an EOI too many is the lesser evil */
	if (mvmm_read_guest(vcpu->vm, gpa, &flag, 1) ||
	    (flag && mvmm_write_guest(vcpu->vm, gpa, &none, 1)))
		flag = 0;
	vcpu->pv.eoi_offered = 0;
	if (!(flag & KVM_PV_EOI_MASK))
		mvmm_apic_eoi(vcpu);
}
