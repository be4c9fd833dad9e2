// SPDX-License-Identifier: GPL-2.0
/*
 * Exit handlers. Each decodes what the CPU reports into vendor-neutral values,
 * and then calls the generic code or passes the exit on. All of them run with
 * interrupts off, in a section. Sections without a volume are the SDM's vol. 3.
 */
#include <linux/bits.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/trapnr.h>
#include "cpu/fpu.h"
#include "guest/guest.h"
#include "apicv.h"
#include "insn.h"
#include "mm/memory.h"
#include "pml.h"
#include "run/run.h"
#include "slice.h"
#include "slots/slots.h"

#define EXIT_REASON_MASK	0xffff
#define DR6_BD			BIT(13)
#define DR7_GD			BIT(13)

/* The guest has executed the @len bytes at rip */
static void step_over(struct vmx_vcpu *vmx, unsigned int len)
{
	if (unlikely(vmx_advance_rip(vmx, len)))
		mvmm_raise_db(&vmx->vcpu, DR_STEP);
}

/* Step over the instruction that exited */
static enum mvmm_step skip(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	step_over(vmx, vmread32(VM_EXIT_INSTRUCTION_LEN));
	return MVMM_STEP_REENTER;
}

/*
 * #DB: with an exit the CPU does not change DR6 and DR7.GD (SDM vol. 3, 28.1)
 */
static void note_db(struct vmx_vcpu *vmx)
{
	u64 bits = vmreadn(EXIT_QUALIFICATION);
	u64 dr7 = vmreadn(GUEST_DR7);

	/* Those of breakpoints that were met before go */
	vmx->vcpu.dr6 = (vmx->vcpu.dr6 & ~(u64)DR_TRAP_BITS) |
			(bits & (DR_TRAP_BITS | DR_STEP | DR6_BD));
	if (dr7 & DR7_GD)
		vmwriten(GUEST_DR7, dr7 & ~DR7_GD);
	/*
	 * A delivery ends the shadow; an entry with TF and a shadow could fail
	 */
	vmx_end_shadow(vmread32(GUEST_INTERRUPTIBILITY_INFO));
}

/*
 * Has the guest asked for #AC, or is it the host's detection of split locks, which
 * is for every CPL?
 */
static bool is_guests_ac(const struct mvmm_vcpu *vcpu)
{
	return !boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT) ||
	       (VMX_AR_DPL(vmread32(GUEST_SS_AR_BYTES)) == 3 &&
		vcpu->cr0 & X86_CR0_AM && vmreadn(GUEST_RFLAGS) & X86_EFLAGS_AC);
}

static enum mvmm_step handle_exception(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 info = vmx->intr_info;
	struct mvmm_event event;

	/* The host has handled NMI and #MC right after the exit */
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR ||
	    (info & INTR_INFO_VECTOR_MASK) == X86_TRAP_MC) {
		/* It may have been a counter's: perf may have stopped it */
		vmx_sync_loaded(vmx);
		return MVMM_STEP_REENTER;
	}

	event = mvmm_event_decode(info, vmread32(VM_EXIT_INTR_ERROR_CODE),
				  vmread32(VM_EXIT_INSTRUCTION_LEN));
	switch (event.vector) {
	case X86_TRAP_DB:
		note_db(vmx);
		mvmm_raise_event(vcpu, &event);
		return MVMM_STEP_REENTER;
	case X86_TRAP_AC:
		if (!is_guests_ac(vcpu))
			return MVMM_STEP_SPLIT_LOCK;
		mvmm_raise_event(vcpu, &event);
		return MVMM_STEP_REENTER;
	default:
		return mvmm_stop(vcpu, vmx->reason, info,
				 "an exception that was not asked for");
	}
}

static enum mvmm_step handle_interrupt(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	mvmm_host_interrupts();
	vmx_mitigate(vmx);
	return MVMM_STEP_REENTER;
}

static enum mvmm_step handle_task_switch(struct mvmm_vcpu *vcpu)
{
	u64 info = vmreadn(EXIT_QUALIFICATION);

	return mvmm_exit_task_switch(vcpu, info, info >> 30 & 3);
}

static enum mvmm_step handle_cpuid(struct mvmm_vcpu *vcpu)
{
	mvmm_do_cpuid(vcpu);
	return skip(vcpu);
}

static enum mvmm_step handle_hypercall(struct mvmm_vcpu *vcpu)
{
	mvmm_do_hypercall(vcpu);
	return skip(vcpu);
}

static enum mvmm_step handle_hlt(struct mvmm_vcpu *vcpu)
{
	if (vcpu->has_apic &&
	    !mvmm_halts_for_good(vcpu, vmreadn(GUEST_RFLAGS))) {
		skip(vcpu);
		return mvmm_halt(vcpu);
	}
	vcpu->exit.reason = MVMM_EXIT_HLT;
	vcpu->exit.insn_len = vmread32(VM_EXIT_INSTRUCTION_LEN);
	return MVMM_STEP_USER;
}

/* General register by its encoding; rsp is in the VMCS */
static u64 get_reg(struct vmx_vcpu *vmx, u8 reg)
{
	const u64 *regs = &vmx->vcpu.regs.rax;
	u64 value = reg == 4 ? vmreadn(GUEST_RSP) : regs[reg];

	return vmx_in_64bit_code(vmx) ? value : (u32)value;
}

static void put_reg(struct vmx_vcpu *vmx, u8 reg, u64 value)
{
	u64 *regs = &vmx->vcpu.regs.rax;

	if (reg == 4)
		vmwriten(GUEST_RSP, value);
	else
		regs[reg] = value;
}

static enum mvmm_step handle_cr(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_cr_access a = vmx_decode_cr(vmreadn(EXIT_QUALIFICATION));
	int ret = 0;

	vmx_refresh_cr0(vmx);
	switch (a.kind) {
	case VMX_CR_WRITE:
		ret = mvmm_write_cr(vcpu, a.cr, get_reg(vmx, a.reg));
		break;
	case VMX_CR_READ:
		put_reg(vmx, a.reg, vcpu->cr8);
		break;
	case VMX_CR_CLTS:
		ret = mvmm_set_cr0(vcpu, vcpu->cr0 & ~X86_CR0_TS);
		break;
	case VMX_CR_LMSW:
		/* Sets PE but never clears it */
		ret = mvmm_set_cr0(vcpu, (vcpu->cr0 & ~0xeULL) |
					 (a.lmsw & 0xf));
		break;
	}
	if (ret < 0)
		return mvmm_exit_gp(vcpu);
	if (ret) {
		vcpu->retire = vmread32(VM_EXIT_INSTRUCTION_LEN);
		return MVMM_STEP_PDPTES;
	}
	skip(vcpu);
	return MVMM_STEP_REENTER;
}

/* SS.DPL is the CPL in every mode (SDM vol. 3, 25.4.1) */
static bool in_user_mode(void)
{
	return VMX_AR_DPL(vmread32(GUEST_SS_AR_BYTES));
}

/*
 * MOV DR exits before the CPU checks anything: CR4.DE, the CPL and GD are ours
 * (26.1.3)
 */
static enum mvmm_step handle_dr(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_dr_access a = vmx_decode_dr(vmreadn(EXIT_QUALIFICATION));
	u64 dr7 = vmreadn(GUEST_DR7), value;

	if ((a.dr == 4 || a.dr == 5) && vcpu->cr4 & X86_CR4_DE)
		return mvmm_exit_ud(vcpu);
	if (in_user_mode())
		return mvmm_exit_gp(vcpu);
	if (dr7 & DR7_GD) {
		vmwriten(GUEST_DR7, dr7 & ~DR7_GD);
		mvmm_raise_db(vcpu, DR6_BD);
		return MVMM_STEP_REENTER;
	}
	a.dr |= a.dr >= 4 ? 2 : 0;
	if (a.read) {
		value = a.dr < 4 ? vcpu->dr[a.dr] :
			a.dr == 6 ? vcpu->dr6 : dr7;
		put_reg(vmx, a.reg, value);
		return skip(vcpu);
	}
	value = get_reg(vmx, a.reg);
	if (a.dr >= 6 && value >> 32)
		return mvmm_exit_gp(vcpu);
	if (a.dr < 4)
		vcpu->dr[a.dr] = value;
	else if (a.dr == 6)
		vcpu->dr6 = mvmm_dr_fixed(6, value);
	else
		vmx_set_dr7(vcpu, mvmm_dr_fixed(7, value));
	return skip(vcpu);
}

static u8 default_addr_size(struct vmx_vcpu *vmx)
{
	if (vmx_in_64bit_code(vmx))
		return 8;
	return vmread32(GUEST_CS_AR_BYTES) & VMX_AR_DB_MASK ? 4 : 2;
}

/* INS, OUTS: where the string is in memory */
static noinline void find_io_string(struct vmx_vcpu *vmx)
{
	struct mvmm_exit *exit = &vmx->vcpu.exit;

	exit->io.gva = vmreadn(GUEST_LINEAR_ADDRESS);
	exit->io.addr_size = vmx_caps.insn_info ?
		vmx_decode_addr_size(vmread32(VMX_INSTRUCTION_INFO)) :
		default_addr_size(vmx);
}

static enum mvmm_step handle_io(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct mvmm_exit *exit = &vcpu->exit;
	u8 len;

	vmx_decode_io(vmreadn(EXIT_QUALIFICATION), exit);
	len = vmread32(VM_EXIT_INSTRUCTION_LEN);
	if (mvmm_ring(vcpu)) {
		step_over(vmx, len);
		return MVMM_STEP_REENTER;
	}
	exit->insn_len = len;
	if (unlikely(exit->io.flags & MVMM_IO_STRING))
		find_io_string(vmx);
	return MVMM_STEP_USER;
}

static enum mvmm_step handle_rdmsr(struct mvmm_vcpu *vcpu)
{
	return mvmm_do_rdmsr(vcpu) ? mvmm_exit_gp(vcpu) : skip(vcpu);
}

static enum mvmm_step handle_wrmsr(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	/* A write of EFER also writes CR0 to the VMCS: it must be up to date */
	vmx_refresh_cr0(vmx);
	return mvmm_do_wrmsr(vcpu) ? mvmm_exit_gp(vcpu) : skip(vcpu);
}

static enum mvmm_step handle_xsetbv(struct mvmm_vcpu *vcpu)
{
	u64 old = vcpu->xcr0;

	/* A CPU checks the CPL before the exit, but Bochs does not */
	if (in_user_mode() || mvmm_do_xsetbv(vcpu))
		return mvmm_exit_gp(vcpu);
	mvmm_swap_xcr0(old, vcpu->xcr0);
	return skip(vcpu);
}

/*
 * The guest spins. On some emulators a guest that spins with interrupts off
 * cannot be interrupted (Documentation/errata.rst): the host's interrupts are
 * handled here.
 */
static enum mvmm_step handle_pause(struct mvmm_vcpu *vcpu)
{
	handle_interrupt(vcpu);
	skip(vcpu);
	return mvmm_pause_loop(vcpu);
}

static enum mvmm_step handle_entry_failure(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct mvmm_exit *exit = &vcpu->exit;

	if ((vmx->reason & EXIT_REASON_MASK) == EXIT_REASON_MCE_DURING_VMENTRY)
		mvmm_host_machine_check();
	exit->reason = MVMM_EXIT_ENTRY_FAILED;
	exit->entry.hw_reason = vmx->reason & EXIT_REASON_MASK;
	exit->entry.hw_error = 0;
	exit->entry.qualification = vmreadn(EXIT_QUALIFICATION);
	return MVMM_STEP_USER;
}

static enum mvmm_step handle_ept_violation(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 qualification = vmreadn(EXIT_QUALIFICATION);
	struct mvmm_fault *fault = &vcpu->fault;

	vmx_block_nmis_again(vmx, qualification);
	fault->gpa = vmread64(GUEST_PHYSICAL_ADDRESS);
	fault->gva = qualification & BIT(7) ? vmreadn(GUEST_LINEAR_ADDRESS) : 0;
	fault->access = vmx_decode_ept(qualification);
	return mvmm_fault_fast(vcpu);
}

static enum mvmm_step handle_ept_misconfig(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_dump(vmx);
	return mvmm_stop(vcpu, vmx->reason,
			 vmread64(GUEST_PHYSICAL_ADDRESS),
			 "EPT misconfiguration: a bug in mvmm");
}

static enum mvmm_step (*const handlers[])(struct mvmm_vcpu *vcpu) = {
	[EXIT_REASON_EXCEPTION_NMI] = handle_exception,
	[EXIT_REASON_TRIPLE_FAULT] = mvmm_exit_shutdown,
	[EXIT_REASON_INTERRUPT_WINDOW] = mvmm_irq_window_open,
	/* The event that waited for these is delivered at the next entry */
	[EXIT_REASON_NMI_WINDOW] = mvmm_exit_nothing,
	[EXIT_REASON_TPR_BELOW_THRESHOLD] = mvmm_exit_nothing,
	[EXIT_REASON_APIC_ACCESS] = vmx_handle_apic_access,
	[EXIT_REASON_EOI_INDUCED] = vmx_handle_eoi_induced,
	[EXIT_REASON_APIC_WRITE] = vmx_handle_apic_write,
	[EXIT_REASON_TASK_SWITCH] = handle_task_switch,
	/* All devices of the guest access memory through the caches */
	[EXIT_REASON_INVD] = skip,
	[EXIT_REASON_WBINVD] = skip,
	/* There are no performance counters: every index is out of range */
	[EXIT_REASON_RDPMC] = mvmm_exit_gp,
	[EXIT_REASON_VMCALL] = handle_hypercall,
	[EXIT_REASON_VMCLEAR] = mvmm_exit_ud,
	[EXIT_REASON_VMLAUNCH] = mvmm_exit_ud,
	[EXIT_REASON_VMPTRLD] = mvmm_exit_ud,
	[EXIT_REASON_VMPTRST] = mvmm_exit_ud,
	[EXIT_REASON_VMREAD] = mvmm_exit_ud,
	[EXIT_REASON_VMRESUME] = mvmm_exit_ud,
	[EXIT_REASON_VMWRITE] = mvmm_exit_ud,
	[EXIT_REASON_VMOFF] = mvmm_exit_ud,
	[EXIT_REASON_VMON] = mvmm_exit_ud,
	[EXIT_REASON_INVEPT] = mvmm_exit_ud,
	[EXIT_REASON_INVVPID] = mvmm_exit_ud,
	[EXIT_REASON_VMFUNC] = mvmm_exit_ud,
	[EXIT_REASON_MWAIT_INSTRUCTION] = mvmm_exit_ud,
	[EXIT_REASON_MONITOR_INSTRUCTION] = mvmm_exit_ud,
	[EXIT_REASON_PAUSE_INSTRUCTION] = handle_pause,
	[EXIT_REASON_PREEMPTION_TIMER] = vmx_handle_slice_end,
	[EXIT_REASON_CR_ACCESS] = handle_cr,
	[EXIT_REASON_DR_ACCESS] = handle_dr,
	[EXIT_REASON_MSR_READ] = handle_rdmsr,
	[EXIT_REASON_XSETBV] = handle_xsetbv,
	[EXIT_REASON_INVALID_STATE] = handle_entry_failure,
	[EXIT_REASON_MSR_LOAD_FAIL] = handle_entry_failure,
	[EXIT_REASON_MCE_DURING_VMENTRY] = handle_entry_failure,
	[EXIT_REASON_EPT_MISCONFIG] = handle_ept_misconfig,
	[EXIT_REASON_PML_FULL] = vmx_handle_pml_full,
};

/**
 * vmx_collect_inflight() - keep an event whose delivery the exit has cut short
 * @vmx: loaded, after an exit that can come in the middle of a delivery
 *
 * Context: interrupts off.
 */
void vmx_collect_inflight(struct vmx_vcpu *vmx)
{
	struct mvmm_event *inflight = &vmx->vcpu.events.inflight;
	u32 info;

	lockdep_assert_irqs_disabled();
	info = vmread32(IDT_VECTORING_INFO_FIELD);
	if (likely(!(info & VECTORING_INFO_VALID_MASK)))
		return;
	*inflight = mvmm_event_decode(info, vmread32(IDT_VECTORING_ERROR_CODE),
				      vmread32(VM_EXIT_INSTRUCTION_LEN));
	/*
	 * A CPU's own may have one in real mode (Bochs' has), with which entries
	 * fail
	 */
	inflight->has_error &= !!(vmx->vcpu.cr0 & X86_CR0_PE);
	/*
	 * Its delivery blocks NMIs; an entry that injects it needs them
	 * unblocked
	 */
	if (inflight->type == MVMM_EVENT_NMI)
		vmwrite32(GUEST_INTERRUPTIBILITY_INFO,
			  vmread32(GUEST_INTERRUPTIBILITY_INFO) &
			  ~GUEST_INTR_STATE_NMI);
}

/* tour 39: an exit is dispatched */

/**
 * vmx_handle_exit() - handle the last exit, of reason vmx->reason
 * @vmx: loaded
 *
 * Context: interrupts off, in a section. Return: what to do next.
 */
enum mvmm_step vmx_handle_exit(struct vmx_vcpu *vmx)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;
	u32 basic = vmx->reason & EXIT_REASON_MASK;

	lockdep_assert_irqs_disabled();
	mvmm_assert_section(vcpu);
	mvmm_assert_loaded(vcpu);

	if (basic < MVMM_STATS_HW_EXITS)
		vcpu->stats.hw_exits[basic]++;
	/*
	 * Frequent exits without an indirect call, which mitigations make slow
	 */
	switch (basic) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		return handle_interrupt(vcpu);
	case EXIT_REASON_IO_INSTRUCTION:
		return handle_io(vcpu);
	case EXIT_REASON_EPT_VIOLATION:
		return handle_ept_violation(vcpu);
	case EXIT_REASON_MSR_WRITE:
		return handle_wrmsr(vcpu);
	case EXIT_REASON_HLT:
		return handle_hlt(vcpu);
	case EXIT_REASON_CPUID:
		return handle_cpuid(vcpu);
	}
	if (likely(basic < ARRAY_SIZE(handlers) && handlers[basic]))
		return handlers[basic](vcpu);
	vmx_dump(vmx);
	return mvmm_stop(vcpu, vmx->reason, vmreadn(EXIT_QUALIFICATION),
			 "an exit that mvmm does not know");
}
