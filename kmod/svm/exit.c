// SPDX-License-Identifier: GPL-2.0
/*
 * Exit handlers. Each decodes what the CPU reports into vendor-neutral values,
 * and then calls the generic code or passes the exit on. All of them run with
 * interrupts off, in a section. Sections without a volume are the APM's vol. 2.
 *
 * A CPU without NRIPS does not report the length of an instruction. Then the
 * lengths given here are used, which are right for instructions without
 * prefixes: see Documentation/errata.rst.
 */
#include <linux/bits.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/trapnr.h>
#include "cpu/fpu.h"
#include "guest/guest.h"
#include "insn.h"
#include "mm/memory.h"
#include "slots/slots.h"

#define NPF_RESERVED	BIT_ULL(3)

/*
 * The length of the instruction that exited; @plain: if the CPU does not tell
 */
static u8 insn_len(const struct svm_vcpu *svm, u8 plain)
{
	u64 next = svm->vmcb->control.next_rip;

	if (!svm_caps.nrips || !next)
		return plain;
	return next - svm->vmcb->save.rip;
}

/* Step over the instruction that exited */
static enum mvmm_step skip(struct mvmm_vcpu *vcpu, u8 plain)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm_step_over(svm, insn_len(svm, plain));
	return MVMM_STEP_REENTER;
}

/* The CPU has already set DR6 and DR7 in the VMCB (15.12.2) */
static enum mvmm_step handle_db(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save_area *save = &svm->vmcb->save;

	svm->vmcb->control.int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
	if (unlikely(svm->stepping)) {
		svm->stepping = false;
		/* The trap of our own TF is not for the guest */
		if (!svm->guest_tf) {
			save->dr6 &= ~(u64)DR_STEP;
			svm_dirty(svm, SVM_CLEAN_DR);
			if (!(save->dr6 & DR_TRAP_BITS))
				return MVMM_STEP_REENTER;
		}
	}
	mvmm_raise(vcpu, X86_TRAP_DB, 0);
	return MVMM_STEP_REENTER;
}

static enum mvmm_step handle_ac(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	mvmm_raise(vcpu, X86_TRAP_AC, svm->vmcb->control.exit_info_1);
	return MVMM_STEP_REENTER;
}

static enum mvmm_step handle_interrupt(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	mvmm_host_interrupts();
	svm_mitigate(svm);
	return MVMM_STEP_REENTER;
}

/* NMIs are unmasked when this IRET has been executed, not before */
static enum mvmm_step handle_iret(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm_intercept(svm, INTERCEPT_IRET, false);
	svm->at_iret = true;
	svm->iret_rip = svm->vmcb->save.rip;
	return MVMM_STEP_REENTER;
}

static enum mvmm_step handle_task_switch(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_control_area *control = &svm->vmcb->control;
	u8 source = MVMM_TASK_CALL;

	if (control->exit_info_2 & BIT_ULL(SVM_EXITINFOSHIFT_TS_REASON_IRET))
		source = MVMM_TASK_IRET;
	else if (control->exit_info_2 & BIT_ULL(SVM_EXITINFOSHIFT_TS_REASON_JMP))
		source = MVMM_TASK_JMP;
	else if (control->exit_int_info & SVM_EXITINTINFO_VALID)
		source = MVMM_TASK_GATE;
	return mvmm_exit_task_switch(vcpu, control->exit_info_1, source);
}

static enum mvmm_step handle_cpuid(struct mvmm_vcpu *vcpu)
{
	mvmm_do_cpuid(vcpu);
	return skip(vcpu, 2);
}

static enum mvmm_step handle_hypercall(struct mvmm_vcpu *vcpu)
{
	mvmm_do_hypercall(vcpu);
	return skip(vcpu, 3);
}

static enum mvmm_step handle_hlt(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (vcpu->has_apic &&
	    !mvmm_halts_for_good(vcpu, svm->vmcb->save.rflags)) {
		skip(vcpu, 1);
		return mvmm_halt(vcpu);
	}
	vcpu->exit.reason = MVMM_EXIT_HLT;
	vcpu->exit.insn_len = insn_len(svm, 1);
	return MVMM_STEP_USER;
}

static bool in_64bit_code(const struct svm_vcpu *svm)
{
	return svm->vcpu.efer & EFER_LMA &&
	       svm->vmcb->save.cs.attrib & SVM_SELECTOR_L_MASK;
}

/* General register by its encoding; rsp is in the VMCB */
static u64 get_reg(struct svm_vcpu *svm, u8 reg)
{
	const struct vmcb_save_area *save = &svm->vmcb->save;
	const u64 *regs = &svm->vcpu.regs.rax;
	u64 value = reg == 4 ? save->rsp : regs[reg];

	return in_64bit_code(svm) ? value : (u32)value;
}

static void put_reg(struct svm_vcpu *svm, u8 reg, u64 value)
{
	u64 *regs = &svm->vcpu.regs.rax;

	if (reg == 4)
		svm->vmcb->save.rsp = value;
	else
		regs[reg] = value;
}

static enum mvmm_step handle_cr(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_control_area *control = &svm->vmcb->control;
	struct svm_cr_access a = svm_decode_cr(control->exit_code,
					       control->exit_info_1,
					       svm_caps.decode_assists);
	u64 value;

	svm_refresh_cr0(svm);
	value = a.cr ? vcpu->cr4 : vcpu->cr0;
	if (!a.known) {
		vcpu->exit.reason = MVMM_EXIT_CR;
		memset(&vcpu->exit.cr, 0, sizeof(vcpu->exit.cr));
		vcpu->exit.cr.cr = a.cr;
		vcpu->exit.cr.write = a.write;
		vcpu->exit.cr.value = value;
		return MVMM_STEP_USER;
	}
	/*
	 * mvmm_write_cr() returns 1 if the PDPTEs have to be reloaded: SVM
	 * reads them from memory when it uses them (15.25.10)
	 */
	if (!a.write)
		put_reg(svm, a.reg, value);
	else if (mvmm_write_cr(vcpu, a.cr, get_reg(svm, a.reg)) < 0)
		return mvmm_exit_gp(vcpu);
	return skip(vcpu, 3);
}

/*
 * The guest accesses debug registers without exits until the section ends. It
 * executes the instruction again, and the CPU does all checks.
 */
static enum mvmm_step handle_dr(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->owns_drs = true;
	svm->vmcb->control.intercepts[INTERCEPT_DR] = 0;
	svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
	return MVMM_STEP_REENTER;
}

/*
 * The CPU leaves the VMCB undefined (15.14.3). Nothing that protects the host is
 * taken from it: the controls are made anew. Of the guest's state userspace gets
 * what is there.
 */
static enum mvmm_step handle_shutdown(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	memset(&svm->vmcb->control, 0, sizeof(svm->vmcb->control));
	svm_init_controls(svm);
	svm->owns_drs = svm->pause_exits = svm->stepping = false;
	svm_intercept(svm, INTERCEPT_IRET, svm->nmi_masked && !svm->at_iret);
	svm_sync_tsc(vcpu);
	svm_sync_crs(vcpu);
	svm_tpr_to_vmcb(svm);
	vcpu->hw_window = false;
	vcpu->events.inflight.valid = false;
	return mvmm_exit_shutdown(vcpu);
}

static const struct vmcb_seg *io_segment(const struct svm_vcpu *svm)
{
	const struct vmcb_save_area *save = &svm->vmcb->save;
	const struct vmcb_seg *const segments[] = {
		&save->es, &save->cs, &save->ss, &save->ds, &save->fs,
		&save->gs };
	u8 number = (svm->vmcb->control.exit_info_1 >> 10) & 7;

	if (svm->vcpu.exit.io.flags & MVMM_IO_IN)
		return &save->es;
	if (!svm_caps.decode_assists || number >= ARRAY_SIZE(segments))
		return &save->ds;
	return segments[number];
}

/* INS, OUTS: where the string is in memory */
static noinline void find_io_string(struct svm_vcpu *svm)
{
	const struct vmcb_save_area *save = &svm->vmcb->save;
	const struct vmcb_seg *segment;
	struct mvmm_exit *exit = &svm->vcpu.exit;
	u64 index;

	if (!svm_caps.decode_assists || !exit->io.addr_size)
		exit->io.flags |= MVMM_IO_DECODE;
	if (!exit->io.addr_size)
		exit->io.addr_size = in_64bit_code(svm) ? 8 :
			save->cs.attrib & SVM_SELECTOR_DB_MASK ? 4 : 2;
	segment = io_segment(svm);
	index = exit->io.flags & MVMM_IO_IN ? svm->vcpu.regs.rdi :
					      svm->vcpu.regs.rsi;
	exit->io.gva = index & (~0ULL >> (64 - 8 * exit->io.addr_size));
	/* In 64-bit mode only FS and GS have a base */
	if (!in_64bit_code(svm) || segment == &save->fs || segment == &save->gs)
		exit->io.gva += segment->base;
}

static enum mvmm_step handle_io(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_control_area *control = &svm->vmcb->control;
	struct mvmm_exit *exit = &vcpu->exit;
	u8 len;

	svm_decode_io(control->exit_info_1, exit);
	/* EXITINFO2 is the next rip, also without NRIPS (15.10.2) */
	len = control->exit_info_2 - svm->vmcb->save.rip;
	if (mvmm_ring(vcpu)) {
		svm_step_over(svm, len);
		return MVMM_STEP_REENTER;
	}
	exit->insn_len = len;
	if (unlikely(exit->io.flags & MVMM_IO_STRING))
		find_io_string(svm);
	return MVMM_STEP_USER;
}

static enum mvmm_step handle_msr(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	int ret;

	svm_tpr_from_vmcb(svm);
	if (svm->vmcb->control.exit_info_1) {
		/* A write of EFER also writes CR0 to the VMCB */
		svm_refresh_cr0(svm);
		ret = mvmm_do_wrmsr(vcpu);
	} else {
		ret = mvmm_do_rdmsr(vcpu);
	}
	svm_tpr_to_vmcb(svm);
	return ret ? mvmm_exit_gp(vcpu) : skip(vcpu, 2);
}

static enum mvmm_step handle_xsetbv(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u64 old = vcpu->xcr0;

	/* QEMU 10's exit comes before this check, too */
	if (!(vcpu->cr4 & X86_CR4_OSXSAVE))
		return mvmm_exit_ud(vcpu);
	/* The exit comes before the CPU checks the CPL (table 15-7) */
	if (svm->vmcb->save.cpl || mvmm_do_xsetbv(vcpu))
		return mvmm_exit_gp(vcpu);
	mvmm_swap_xcr0(old, vcpu->xcr0);
	return skip(vcpu, 3);
}

static enum mvmm_step handle_invd(struct mvmm_vcpu *vcpu)
{
	/* QEMU 10's exit comes before this check */
	if (to_svm(vcpu)->vmcb->save.cpl)
		return mvmm_exit_gp(vcpu);
	/* All devices of the guest access memory through the caches */
	return skip(vcpu, 2);
}

/* The guest spins: see vmx/exit.c */
static enum mvmm_step handle_pause(struct mvmm_vcpu *vcpu)
{
	handle_interrupt(vcpu);
	skip(vcpu, 2);
	return mvmm_pause_loop(vcpu);
}

static enum mvmm_step handle_entry_failure(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct mvmm_exit *exit = &vcpu->exit;

	exit->reason = MVMM_EXIT_ENTRY_FAILED;
	exit->entry.hw_reason = svm->vmcb->control.exit_code;
	exit->entry.hw_error = 0;
	exit->entry.qualification = 0;
	return MVMM_STEP_USER;
}

static enum mvmm_step handle_npf(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_control_area *control = &svm->vmcb->control;
	struct mvmm_fault *fault = &vcpu->fault;

	if (unlikely(control->exit_info_1 & NPF_RESERVED)) {
		svm_dump(svm);
		return mvmm_stop(vcpu, control->exit_code,
				 control->exit_info_2,
				 "NPT entry with reserved bits: a bug in mvmm");
	}
	fault->gpa = control->exit_info_2;
	fault->gva = 0;
	fault->access = svm_decode_npf(control->exit_info_1);
	return mvmm_fault_fast(vcpu);
}

static enum mvmm_step (*const handlers[])(struct mvmm_vcpu *vcpu) = {
	[SVM_EXIT_READ_CR0] = handle_cr,
	[SVM_EXIT_READ_CR4] = handle_cr,
	[SVM_EXIT_WRITE_CR0] = handle_cr,
	[SVM_EXIT_WRITE_CR4] = handle_cr,
	[SVM_EXIT_CR0_SEL_WRITE] = handle_cr,
	[SVM_EXIT_READ_DR0 ... SVM_EXIT_READ_DR7] = handle_dr,
	[SVM_EXIT_WRITE_DR0 ... SVM_EXIT_WRITE_DR7] = handle_dr,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_DB] = handle_db,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_AC] = handle_ac,
	/* The host has handled NMI and #MC right after the exit */
	[SVM_EXIT_EXCP_BASE + X86_TRAP_MC] = mvmm_exit_nothing,
	[SVM_EXIT_NMI] = mvmm_exit_nothing,
	[SVM_EXIT_SMI] = mvmm_exit_nothing,
	[SVM_EXIT_INIT] = mvmm_exit_nothing,
	[SVM_EXIT_VINTR] = mvmm_irq_window_open,
	/* There are no performance counters: every index is out of range */
	[SVM_EXIT_RDPMC] = mvmm_exit_gp,
	[SVM_EXIT_IRET] = handle_iret,
	[SVM_EXIT_INVD] = handle_invd,
	[SVM_EXIT_PAUSE] = handle_pause,
	[SVM_EXIT_INVLPGA] = mvmm_exit_ud,
	[SVM_EXIT_TASK_SWITCH] = handle_task_switch,
	[SVM_EXIT_SHUTDOWN] = handle_shutdown,
	[SVM_EXIT_VMRUN] = mvmm_exit_ud,
	[SVM_EXIT_VMMCALL] = handle_hypercall,
	[SVM_EXIT_VMLOAD] = mvmm_exit_ud,
	[SVM_EXIT_VMSAVE] = mvmm_exit_ud,
	[SVM_EXIT_STGI] = mvmm_exit_ud,
	[SVM_EXIT_CLGI] = mvmm_exit_ud,
	[SVM_EXIT_SKINIT] = mvmm_exit_ud,
	[SVM_EXIT_WBINVD] = handle_invd,
	[SVM_EXIT_MONITOR] = mvmm_exit_ud,
	[SVM_EXIT_MWAIT] = mvmm_exit_ud,
	[SVM_EXIT_XSETBV] = handle_xsetbv,
	[SVM_EXIT_RDPRU] = mvmm_exit_ud,
	[SVM_EXIT_RDTSCP] = mvmm_exit_ud,
	[SVM_EXIT_INVPCID] = mvmm_exit_ud,
};

/**
 * svm_collect_inflight() - keep an event whose delivery the exit has cut short
 * @svm: a vCPU that has just exited, with EXITINTINFO valid (APM vol. 2,
 *	15.7.2)
 *
 * A software interrupt or exception is not kept if rip still points to its
 * instruction: the guest executes it again.
 *
 * Context: interrupts off.
 */
void svm_collect_inflight(struct svm_vcpu *svm)
{
	const struct vmcb_control_area *control = &svm->vmcb->control;
	struct mvmm_event event;
	bool soft;

	lockdep_assert_irqs_disabled();
	event = mvmm_event_decode(control->exit_int_info,
				  control->exit_int_info_err, 0);
	soft = event.type == MVMM_EVENT_SOFT_INT ||
	       (event.type == MVMM_EVENT_EXCEPTION &&
		(event.vector == X86_TRAP_BP || event.vector == X86_TRAP_OF));
	if (unlikely(soft)) {
		if (!svm->soft.valid)
			return;
		/* It was injected, with rip behind its instruction */
		event = svm->soft;
		svm->vmcb->save.rip = svm->soft_rip;
	}
	/*
	 * Its delivery masks NMIs; to inject it again they must not be masked
	 */
	if (event.type == MVMM_EVENT_NMI) {
		svm->nmi_masked = false;
		svm_intercept(svm, INTERCEPT_IRET, false);
	}
	svm->vcpu.events.inflight = event;
}

/**
 * svm_handle_exit() - handle the last exit
 * @svm: loaded
 *
 * Context: interrupts off, in a section. Return: what to do next.
 */
enum mvmm_step svm_handle_exit(struct svm_vcpu *svm)
{
	struct mvmm_vcpu *vcpu = &svm->vcpu;
	const struct vmcb_control_area *control = &svm->vmcb->control;
	u32 code = control->exit_code;
	unsigned int index = svm_stats_index(code);

	lockdep_assert_irqs_disabled();
	mvmm_assert_section(vcpu);
	mvmm_assert_loaded(vcpu);

	if (index < MVMM_STATS_HW_EXITS)
		vcpu->stats.hw_exits[index]++;
	/*
	 * Frequent exits without an indirect call, which mitigations make slow
	 */
	switch (code) {
	case SVM_EXIT_INTR:
		return handle_interrupt(vcpu);
	case SVM_EXIT_IOIO:
		return handle_io(vcpu);
	case SVM_EXIT_NPF:
		return handle_npf(vcpu);
	case SVM_EXIT_MSR:
		return handle_msr(vcpu);
	case SVM_EXIT_HLT:
		return handle_hlt(vcpu);
	case SVM_EXIT_CPUID:
		return handle_cpuid(vcpu);
	case (u32)SVM_EXIT_ERR:
		return handle_entry_failure(vcpu);
	}
	if (likely(code < ARRAY_SIZE(handlers) && handlers[code]))
		return handlers[code](vcpu);
	svm_dump(svm);
	return mvmm_stop(vcpu, code, control->exit_info_1,
			 "an exit that mvmm does not know");
}
