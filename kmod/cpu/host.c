// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of an entry and an exit, the same for VMX and SVM: what must be
 * in this CPU before a guest runs, and what the host must handle after an exit.
 * What is on the way of every RUN is inline in host.h.
 */
#include <linux/rcupdate.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include "host.h"

/**
 * mvmm_load_debug_registers() - DR0 .. DR3 of a guest that has breakpoints on
 * @vcpu: the vCPU
 *
 * Context: between mvmm_enter_begin() and mvmm_enter_end(): the addresses are
 * the guest's, and must never meet a DR7 of the host.
 */
void mvmm_load_debug_registers(struct mvmm_vcpu *vcpu)
{
	set_debugreg(0, 7);
	set_debugreg(vcpu->dr[0], 0);
	set_debugreg(vcpu->dr[1], 1);
	set_debugreg(vcpu->dr[2], 2);
	set_debugreg(vcpu->dr[3], 3);
}

DEFINE_PER_CPU(u64, mvmm_last_vm);

/** mvmm_isolate_vm_now() - another VM ran here last; interrupts off */
void mvmm_isolate_vm_now(u64 serial)
{
	__this_cpu_write(mvmm_last_vm, serial);
	if (boot_cpu_has(X86_FEATURE_IBPB))
		wrmsrl(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

/**
 * mvmm_host_interrupts() - the host's handlers run now
 *
 * After an exit by an interrupt that the exit did not acknowledge: the host's
 * IDT takes it. RCU is told that no reader is here: its tick found the CPU in
 * the kernel, where a guest that exits to nobody would keep it for ever.
 * Context: interrupts off, before and after.
 */
void mvmm_host_interrupts(void)
{
	local_irq_enable();
	asm volatile("nop");
	local_irq_disable();
	rcu_note_context_switch(false);
}

/**
 * mvmm_host_machine_check() - after an exit by #MC
 *
 * As if it had hit the process: memory of the guest must not take the host.
 */
void mvmm_host_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

	do_machine_check(&regs);
#endif
}

/* Set by the host once and for all */
DEFINE_PER_CPU(u64, mvmm_host_tsc_aux);

/** mvmm_host_cpu_on() - a CPU is about to run guests; interrupts off */
void mvmm_host_cpu_on(void)
{
	u64 value;

	if (boot_cpu_has(X86_FEATURE_RDTSCP)) {
		rdmsrl(MSR_TSC_AUX, value);
		__this_cpu_write(mvmm_host_tsc_aux, value);
	}
}
