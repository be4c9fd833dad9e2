// SPDX-License-Identifier: GPL-2.0
/*
 * PV EOI: a guest ends an interrupt by clearing a flag in its memory, without
 * an exit. The flag is set at the entry that delivers the interrupt, if its EOI
 * would be silent. After the exit it is read, and cleared, so that ISR is right
 * whenever the module looks at it. It is KVM's interface:
 * Documentation/virt/kvm/x86/msr.rst in Linux.
 */
#include <linux/uaccess.h>
#include "irq/apic.h"
#include "mm/memory.h"
#include "pv.h"

/*
 * Write the flag without waiting for a lock or a page. Returns false if that
 * does not work, or if a dirty log would have to note the write.
 */
static bool write_flag(struct mvmm_vcpu *vcpu, u64 gpa, u8 value)
{
	struct mvmm_vm *vm = vcpu->vm;
	bool done = false;
	u8 __user *flag;

	if (!mvmm_try_mmu_read(vm))
		return false;
	flag = mvmm_plain_memory(vm, gpa, sizeof(*flag));
	if (flag) {
		pagefault_disable();
		done = !__put_user(value, flag);
		pagefault_enable();
		vcpu->pv.eoi_flag = flag;
	}
	read_unlock(&vm->mmu_lock);
	return done;
}

/* tour 21: an end of interrupt without an exit */

/**
 * mvmm_pv_eoi_offer() - the entry delivers an APIC's interrupt: set the flag
 * @vcpu: a vCPU for which mvmm_pv_eoi_usable() is true
 *
 * Context: interrupts off.
 */
void mvmm_pv_eoi_offer(struct mvmm_vcpu *vcpu)
{
	struct mvmm_pv *pv = &vcpu->pv;

	lockdep_assert_irqs_disabled();
	mvmm_assert_section(vcpu);
	if (lapic_eoi_is_silent(&vcpu->apic) &&
	    write_flag(vcpu, pv->eoi & ~KVM_MSR_ENABLED, KVM_PV_EOI_ENABLED))
		pv->eoi_offered = pv->eoi;
}

/**
 * mvmm_pv_eoi_look() - after the exit: has the guest ended the interrupt?
 * @vcpu: a vCPU with an offer, whose in_guest is still set
 *
 * If the page cannot be read, the guest has not written to it: to take away a
 * page that the guest has used, the host would have to wait for this CPU first,
 * because in_guest is set (see mvmm_peek_guest(), too). An offer that cannot be
 * taken back now is taken back by mvmm_pv_eoi_finish(), before the next entry or at
 * the end of RUN.
 *
 * Context: interrupts off.
 */
void mvmm_pv_eoi_look(struct mvmm_vcpu *vcpu)
{
	u64 gpa = vcpu->pv.eoi_offered & ~KVM_MSR_ENABLED;
	u8 flag;
	int ret;

	lockdep_assert_irqs_disabled();
	mvmm_assert_section(vcpu);
	pagefault_disable();
	ret = __get_user(flag, vcpu->pv.eoi_flag);
	pagefault_enable();
	if (unlikely(ret))
		ret = !mvmm_peek_guest(vcpu, gpa, &flag);
	if (!ret && !(flag & KVM_PV_EOI_MASK)) {
		vcpu->pv.eoi_offered = 0;
		mvmm_apic_eoi(vcpu);
	} else if (!ret && write_flag(vcpu, gpa, KVM_PV_EOI_DISABLED)) {
		vcpu->pv.eoi_offered = 0;
	} else {
		atomic_or(MVMM_REQ_PV, &vcpu->requests);
	}
}

/**
 * mvmm_pv_eoi_finish() - take an offer back that is still out
 * @vcpu: outside of a section
 *
 * Context: may sleep.
 */
void mvmm_pv_eoi_finish(struct mvmm_vcpu *vcpu)
{
	u64 gpa = vcpu->pv.eoi_offered & ~KVM_MSR_ENABLED;
	u8 flag = 0, none = KVM_PV_EOI_DISABLED;

	mvmm_assert_busy(vcpu);
	mvmm_assert_may_sleep();

	if (!vcpu->pv.eoi_offered)
		return;
	/*
	 * If the flag's page is gone, assume an EOI: one too many is better
	 * than an interrupt that never ends.
	 */
	if (mvmm_read_guest(vcpu->vm, gpa, &flag, 1) ||
	    (flag && mvmm_write_guest(vcpu, gpa, &none, 1)))
		flag = 0;
	vcpu->pv.eoi_offered = 0;
	if (!(flag & KVM_PV_EOI_MASK))
		mvmm_apic_eoi(vcpu);
}
