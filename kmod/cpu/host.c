// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of an entry and an exit, the same for VMX and SVM: what must
 * be in this CPU before a guest runs, and what the host must handle after an
 * exit. What every RUN does is inline in host.h.
 */
#include <linux/rcupdate.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include "host.h"

/* The host's DR0 .. DR3 while a guest's are in this CPU */
struct host_drs {
	unsigned long dr[4];
	bool saved;
};

static DEFINE_PER_CPU(struct host_drs, host_drs);

/**
 * mvmm_load_debug_registers() - load DR0 .. DR3 of a guest with breakpoints
 * @vcpu: the vCPU
 *
 * Context: interrupts off, between mvmm_enter_begin() and mvmm_enter_end(). The
 * guest's addresses must never be in the CPU while the host's DR7 is: it is
 * cleared here, and mvmm_enter_end() restores the host's breakpoints.
 */
void mvmm_load_debug_registers(struct mvmm_vcpu *vcpu)
{
	struct host_drs *host = this_cpu_ptr(&host_drs);

	lockdep_assert_irqs_disabled();
	set_debugreg(0, 7);
	host->saved = hw_breakpoint_active();
	if (host->saved) {
		get_debugreg(host->dr[0], 0);
		get_debugreg(host->dr[1], 1);
		get_debugreg(host->dr[2], 2);
		get_debugreg(host->dr[3], 3);
	}
	set_debugreg(vcpu->dr[0], 0);
	set_debugreg(vcpu->dr[1], 1);
	set_debugreg(vcpu->dr[2], 2);
	set_debugreg(vcpu->dr[3], 3);
}

/**
 * mvmm_restore_debug_registers() - after an exit: the host's breakpoints
 *
 * The exit has cleared DR7. The kernel's function for this is KVM's alone on
 * newer kernels.
 *
 * Context: interrupts off.
 */
void mvmm_restore_debug_registers(void)
{
	struct host_drs *host = this_cpu_ptr(&host_drs);

	lockdep_assert_irqs_disabled();
	if (host->saved) {
		host->saved = false;
		set_debugreg(host->dr[0], 0);
		set_debugreg(host->dr[1], 1);
		set_debugreg(host->dr[2], 2);
		set_debugreg(host->dr[3], 3);
	}
	set_debugreg(DR6_RESERVED, 6);
	set_debugreg(this_cpu_read(cpu_dr7), 7);
}

DEFINE_PER_CPU(u64, mvmm_last_vm);

/**
 * mvmm_isolate_vm_now() - flush the branch predictors: another VM ran here last
 * @serial: of the VM that is about to run
 *
 * Context: interrupts off.
 */
void mvmm_isolate_vm_now(u64 serial)
{
	lockdep_assert_irqs_disabled();
	__this_cpu_write(mvmm_last_vm, serial);
	if (boot_cpu_has(X86_FEATURE_IBPB))
		wrmsrq(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

/* tour 28: the host's interrupts, after an exit */

/**
 * mvmm_host_interrupts() - let the host handle the interrupts that are pending
 *
 * Called after an exit by an interrupt. The exit does not acknowledge it, so
 * the CPU delivers it through the host's IDT as soon as interrupts are on. RCU
 * is told that there is no reader here: a guest whose exits are all handled in
 * the kernel would otherwise never let this CPU pass a quiescent state.
 *
 * Context: interrupts off, before and after.
 */
void mvmm_host_interrupts(void)
{
	lockdep_assert_irqs_disabled();
	local_irq_enable();
	/* STI takes effect after the next instruction */
	asm volatile("nop");
	local_irq_disable();
	rcu_note_context_switch(false);
}

/**
 * mvmm_host_machine_check() - let the host handle #MC, after an exit by it
 *
 * It is reported as a machine check in user mode, so that bad memory of the
 * guest kills the VM's process and not the host. Context: interrupts off.
 */
void mvmm_host_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

	lockdep_assert_irqs_disabled();

	do_machine_check(&regs);
#endif
}

/* The host writes TSC_AUX only when the CPU comes up */
DEFINE_PER_CPU(u64, mvmm_host_tsc_aux);

/**
 * mvmm_host_cpu_on() - note what the host keeps in this CPU's MSRs
 *
 * Context: interrupts off.
 */
void mvmm_host_cpu_on(void)
{
	u64 value;

	lockdep_assert_irqs_disabled();
	if (boot_cpu_has(X86_FEATURE_RDTSCP)) {
		rdmsrq(MSR_TSC_AUX, value);
		__this_cpu_write(mvmm_host_tsc_aux, value);
	}
}
