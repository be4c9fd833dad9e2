// SPDX-License-Identifier: GPL-2.0
/*
 * SVM's side of struct mvmm_vendor_ops: vCPUs, loading them, the inner loop,
 * and the registers that are moved before and after it. A round of the loop
 * always has the same order: check for pending work, flush, prepare events,
 * enter, do what the host needs at once, handle the exit. Sections without a
 * volume are the APM's vol. 2.
 */
#include <linux/kvm_host.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/trapnr.h>
#include "compat.h"
#include "cpu/fpu.h"
#include "irq/apic.h"
#include "mm/memory.h"
#include "quirks.h"
#include "trace.h"
#include "vendor.h"

static_assert(offsetof(struct mvmm_regs, rsp) == 4 * 8);
static_assert(offsetof(struct mvmm_regs, rdi) == 7 * 8);
static_assert(offsetof(struct mvmm_regs, r15) == 15 * 8);

static void svm_vcpu_free(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm_vmcb_free(svm->vmcb);
	kfree(svm->backup);
	kfree(svm);
}

static struct mvmm_vcpu *svm_vcpu_alloc(struct mvmm_vm *vm)
{
	struct svm_vcpu *svm = kzalloc(sizeof(*svm), GFP_KERNEL_ACCOUNT);

	if (!svm)
		return ERR_PTR(-ENOMEM);
	svm->vmcb = svm_vmcb_alloc();
	svm->backup = kmalloc(sizeof(*svm->backup), GFP_KERNEL_ACCOUNT);
	if (!svm->vmcb || !svm->backup) {
		svm_vcpu_free(&svm->vcpu);
		return ERR_PTR(-ENOMEM);
	}
	svm->vmcb_pa = __pa(svm->vmcb);
	svm->vcpu.vm = vm;
	svm->vcpu.cpu = -1;
	svm_init_controls(svm);
	return &svm->vcpu;
}

static __always_inline void svm_vcpu_load(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	int cpu = smp_processor_id();

	lockdep_assert_preemption_disabled();
	if (vcpu->cpu == cpu)
		return;
	if (vcpu->cpu >= 0)
		mvmm_vcpu_moved(vcpu);
	svm->vmcb->control.clean = 0;
	svm->moved = true;
	vcpu->tlb_gen_seen = MVMM_TLB_MOVED;
	WRITE_ONCE(vcpu->cpu, cpu);
}

/*
 * SVM has no interrupt-window exiting, but it exits before it takes a virtual
 * interrupt: so one is made pending. If only the task priority blocks the real
 * interrupt, the virtual one has its priority class: then it is due when the
 * guest lowers CR8, which it does without an exit.
 */
static void set_irq_window(struct svm_vcpu *svm, bool on)
{
	u32 old = svm->vmcb->control.int_ctl, new = old & ~SVM_VIRQ_NOW;
	u32 class = mvmm_class_blocked_by_tpr(&svm->vcpu.events, svm->vcpu.cr8);

	if (on)
		new |= SVM_VIRQ_NOW;
	else if (class && !svm_caps.tcg)	/* QEMU crashes: errata.rst */
		new |= V_IRQ_MASK | class << V_INTR_PRIO_SHIFT;
	svm_intercept(svm, INTERCEPT_VINTR, new & V_IRQ_MASK);
	svm->vcpu.hw_window = new & V_IRQ_MASK;
	if (new == old)
		return;
	svm->vmcb->control.int_ctl = new;
	svm_dirty(svm, SVM_CLEAN_INTR);
}

/*
 * SVM has no NMI-window exiting. While NMIs are masked, IRET exits. What blocks
 * them for one more instruction, that IRET or a shadow, is stepped over with
 * TF.
 */
static void set_nmi_window(struct svm_vcpu *svm, bool injects)
{
	struct vmcb_save_area *save = &svm->vmcb->save;

	if (svm->nmi_masked && !svm->at_iret)
		return;
	if (injects) {
		/*
		 * Not TF, which the delivery would push to the guest's stack:
		 * an IPI to this CPU makes the guest exit right after the
		 * delivery
		 */
		smp_send_reschedule(smp_processor_id());
		return;
	}
	svm->stepping = true;
	svm_intercept(svm, INTERCEPT_DB, true);
	svm->guest_tf = save->rflags & X86_EFLAGS_TF;
	save->rflags |= X86_EFLAGS_TF;
}

/* Undo set_nmi_window(), and look whether the IRET was executed */
static void end_nmi_window(struct svm_vcpu *svm)
{
	struct vmcb_save_area *save = &svm->vmcb->save;
	bool iret_done = svm->at_iret && save->rip != svm->iret_rip;

	if (iret_done)
		svm->at_iret = svm->nmi_masked = false;
	if (!svm->stepping)
		return;
	svm_intercept(svm, INTERCEPT_DB, !svm_caps.bochs);
	/* If the IRET was executed it has loaded RFLAGS: TF is the guest's */
	if (!svm->guest_tf && !iret_done)
		save->rflags &= ~X86_EFLAGS_TF;
	if (svm->vmcb->control.exit_code != SVM_EXIT_EXCP_BASE + X86_TRAP_DB)
		svm->stepping = false;
}

static bool events_idle(const struct svm_vcpu *svm)
{
	const struct mvmm_events_state *ev = &svm->vcpu.events;

	return !ev->inflight.valid && !ev->waiting && !svm->vcpu.windows &&
	       !svm->pending_dbg;
}

static void raise_pending_dbg(struct svm_vcpu *svm)
{
	svm->vmcb->save.dr6 = (svm->vmcb->save.dr6 & ~(u64)DR_TRAP_BITS) |
			      (svm->pending_dbg & (DR_TRAP_BITS | DR_STEP));
	svm_dirty(svm, SVM_CLEAN_DR);
	svm->pending_dbg = 0;
	svm->vmcb->control.int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
	mvmm_raise(&svm->vcpu, X86_TRAP_DB, 0);
}

/*
 * Write the next event to the VMCB. Nothing but the CPU itself can refuse the
 * entry now.
 */
static void inject(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	struct mvmm_vcpu *vcpu = &svm->vcpu;
	struct mvmm_readiness ready;
	struct mvmm_event_plan plan;

	svm_tpr_from_vmcb(svm);
	if (unlikely(svm->pending_dbg && !vcpu->events.inflight.valid &&
		     !svm->mov_ss))
		raise_pending_dbg(svm);
	ready = (struct mvmm_readiness){
		.shadow = control->int_state & SVM_INTERRUPT_SHADOW_MASK ?
			  MVMM_SHADOW_STI : 0,
		.nmi_masked = svm->nmi_masked,
		.if_set = svm->vmcb->save.rflags & X86_EFLAGS_IF,
	};
	plan = mvmm_plan_event(&vcpu->events, ready, mvmm_wants_window(vcpu));
	set_irq_window(svm, plan.irq_window);
	if (plan.nmi_window)
		set_nmi_window(svm, plan.inject.valid);
	if (!plan.inject.valid)
		return;
	mvmm_take_event(vcpu, &plan.inject, &svm->undo.events);
	if (mvmm_event_is_fault(&plan.inject))
		svm->vmcb->save.rflags |= X86_EFLAGS_RF;
	if (plan.inject.type != MVMM_EVENT_IRQ &&
	    plan.inject.type != MVMM_EVENT_NMI)
		svm->unproven = true;
	if (unlikely(plan.inject.type >= MVMM_EVENT_SOFT_INT)) {
		struct mvmm_event event = plan.inject;

		/* The delivery pushes the rip behind the instruction */
		svm->soft = event;
		svm->soft_rip = svm->vmcb->save.rip;
		svm_advance_rip(svm, event.insn_len);
		control->next_rip = svm->vmcb->save.rip;
		/* INT1, INT3 and INTO count as exceptions here (15.20) */
		if (event.type != MVMM_EVENT_SOFT_INT)
			event.type = MVMM_EVENT_EXCEPTION;
		control->event_inj = mvmm_event_encode(&event);
	} else if (unlikely(svm_caps.tcg) && !plan.irq_window &&
		   plan.inject.type == MVMM_EVENT_IRQ) {
		/*
		 * QEMU's TCG may deliver EVENTINJ twice: inject the interrupt
		 * as a virtual one. svm_mend_tcg() looks whether it was taken.
		 */
		control->event_inj = mvmm_event_encode(&plan.inject) &
				     ~SVM_EVTINJ_VALID;
		control->int_vector = plan.inject.vector;
		control->int_ctl |= SVM_VIRQ_NOW;
		svm_dirty(svm, SVM_CLEAN_INTR);
	} else {
		control->event_inj = mvmm_event_encode(&plan.inject);
		control->event_inj_err = plan.inject.error_code;
	}
	if (plan.inject.type == MVMM_EVENT_NMI) {
		svm->nmi_masked = true;
		svm_intercept(svm, INTERCEPT_IRET, true);
	}
	/* The delivery ends the shadow */
	control->int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
	vcpu->stats.injections++;
	trace_mvmm_inject(vcpu->id, plan.inject.type, plan.inject.vector,
			  plan.inject.error_code);
}

/*
 * From the last instruction before the guest to the first that may be traced.
 * The STGI in svm_enter() lets an NMI in, after which the host has handled it.
 */
static noinstr bool enter_guest(struct svm_vcpu *svm, u64 host_pa)
{
	struct mvmm_vcpu *vcpu = &svm->vcpu;
	struct vmcb_save_area *save = &svm->vmcb->save;
	bool entered;

	mvmm_guest_state_enter();
	save->rax = vcpu->regs.rax;
	/* Bochs' VMRUN does not load CR2 */
	if (unlikely(svm_caps.bochs))
		native_write_cr2(save->cr2);
#ifdef MVMM_FLOOR	/* bench/run's build: so many more entries */
	for (int i = 0; i < MVMM_FLOOR; i++)
		svm_enter(&vcpu->regs, svm->vmcb_pa, host_pa);
#endif
	entered = svm_enter(&vcpu->regs, svm->vmcb_pa, host_pa);
	vcpu->regs.rax = save->rax;
	guest_state_exit_irqoff();
	return entered;
}

static void save_debug_registers(struct mvmm_vcpu *vcpu)
{
	get_debugreg(vcpu->dr[0], 0);
	get_debugreg(vcpu->dr[1], 1);
	get_debugreg(vcpu->dr[2], 2);
	get_debugreg(vcpu->dr[3], 3);
}

/* There are events to deliver, or windows to ask for */
static noinline void handle_events(struct svm_vcpu *svm)
{
	svm->undo = (struct svm_undo){
		.valid = true, .events = svm->vcpu.events,
		.nmi_masked = svm->nmi_masked,
		.int_state = svm->vmcb->control.int_state };
	inject(svm);
	if (unlikely(svm->vcpu.timer_due))
		mvmm_apic_wait_due(&svm->vcpu);
}

/* The CPU has refused the entry: nothing was delivered, all is as before */
static noinline void undo_entry(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;

	if (svm->undo.valid) {
		svm->vcpu.events = svm->undo.events;
		svm->nmi_masked = svm->undo.nmi_masked;
		control->int_state = svm->undo.int_state;
	}
	svm_intercept(svm, INTERCEPT_IRET, svm->nmi_masked && !svm->at_iret);
	if (svm->unproven) {
		svm->vmcb->save = *svm->backup;
		svm->vcpu.regs.rax = svm->vmcb->save.rax;
	}
	/* What this entry was to flush and to load was perhaps not done */
	svm_undo_flush(this_cpu_ptr(&svm_cpu_asids), control->tlb_ctl,
		       &svm->tag);
	control->clean = 0;
	control->int_ctl |= V_INTR_MASKING_MASK;
	svm_dump(svm);
	if (svm->soft.valid)
		svm->vmcb->save.rip = svm->soft_rip;
}

/**
 * svm_flush() - before an entry: drop what may be stale in this CPU's TLB
 * @svm: loaded, with in_guest set
 *
 * Context: interrupts off.
 */
static inline void svm_flush(struct svm_vcpu *svm)
{
	/* pairs with mvmm_flush_guests() */
	u64 gen = smp_load_acquire(&svm->vcpu.vm->tlb_gen);

	if (likely(!mvmm_tlb_needs_flush(gen, svm->vcpu.tlb_gen_seen) &&
		   !svm->flush_vcpu &&
		   svm->tag.generation ==
		   __this_cpu_read(svm_cpu_asids.generation)))
		svm->vmcb->control.tlb_ctl = TLB_CONTROL_DO_NOTHING;
	else
		svm_flush_now(svm, gen);
}

/* An interrupt that has come in is taken in without leaving the section */
static enum mvmm_step come_back(struct svm_vcpu *svm)
{
	enum mvmm_step step;

	svm_tpr_from_vmcb(svm);
	step = mvmm_come_back(&svm->vcpu);
	svm_tpr_to_vmcb(svm);
	return step;
}

/* tour 34: SVM's inner loop; its twin is vmx/loop.c */

/* One round of the inner loop */
static enum mvmm_step run_once(struct svm_vcpu *svm)
{
	struct vmcb *vmcb = svm->vmcb;
	struct mvmm_vcpu *vcpu = &svm->vcpu;
	u32 int_state, event_inj;
	bool entered;
	u64 rip;

	lockdep_assert_irqs_disabled();

	if (unlikely(!mvmm_enter_begin(vcpu)))
		return come_back(svm);
	svm_flush(svm);
	svm->undo.valid = false;
	if (unlikely(!events_idle(svm)))
		handle_events(svm);
	rip = vmcb->save.rip;
	int_state = vmcb->control.int_state;
	event_inj = vmcb->control.event_inj;
	if (unlikely(svm->unproven))
		*svm->backup = vmcb->save;
	trace_mvmm_entry(vcpu->id, rip);

	if (unlikely(svm->owns_drs || vmcb->save.dr7 & 0xff))
		mvmm_load_debug_registers(vcpu);

	entered = enter_guest(svm, svm_host_area());

	if (unlikely(svm_caps.tcg))
		svm_mend_tcg(svm, rip, int_state, event_inj);
	if (unlikely(svm_caps.bochs))
		svm_mend_bochs(svm, event_inj);
	if (unlikely(svm->owns_drs))
		save_debug_registers(vcpu);
	/* Before anything may access the guest's memory */
	if (entered && unlikely(vmcb->control.exit_code ==
				SVM_EXIT_EXCP_BASE + X86_TRAP_MC))
		mvmm_host_machine_check();
	mvmm_enter_end(vcpu);
	if (unlikely(!entered)) {
		if (svm->undo.valid)
			vcpu->events = svm->undo.events;
		return mvmm_stop(vcpu, 0, 0, "SVM was turned off for a reboot");
	}
	vmcb->control.event_inj = 0;
	svm->mov_ss = false;
	if (unlikely(svm_refused(&vmcb->control))) {
		undo_entry(svm);
	} else {
		svm->unproven = false;
		if (svm_caps.clean_bits)
			vmcb->control.clean = SVM_CLEAN_ALL;
	}
	if (trace_mvmm_exit_enabled())
		trace_mvmm_exit(vcpu->id, vmcb->control.exit_code,
				vmcb->control.exit_info_1, vmcb->save.rip);
	if (unlikely(svm->at_iret || svm->stepping))
		end_nmi_window(svm);
	if (unlikely(vmcb->control.exit_int_info & SVM_EXITINTINFO_VALID))
		svm_collect_inflight(svm);
	svm->soft.valid = false;
	return svm_handle_exit(svm);
}

/*
 * A section ends: accesses to debug registers exit again. The exit has already
 * restored the host's state that svm_mitigate() had saved.
 */
static void host_put(struct svm_vcpu *svm)
{
	if (unlikely(svm->owns_drs)) {
		svm->owns_drs = false;
		svm->vmcb->control.intercepts[INTERCEPT_DR] = ~0;
		svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
	}
}

/*
 * Write to the VMCB what userspace may have changed in the run page, and step
 * over the instruction that it has executed
 */
static __always_inline void regs_to_vmcb(struct svm_vcpu *svm)
{
	struct vmcb_control_area *control = &svm->vmcb->control;
	struct vmcb_save_area *save = &svm->vmcb->save;
	struct mvmm_vcpu *vcpu = &svm->vcpu;

	/* With TF in a shadow a trap is pending, as VMX requires it too */
	if (unlikely(control->int_state & SVM_INTERRUPT_SHADOW_MASK) &&
	    (save->rflags ^ vcpu->regs.rflags) & X86_EFLAGS_TF) {
		if (vcpu->regs.rflags & X86_EFLAGS_TF)
			svm->pending_dbg |= DR_STEP;
		else
			svm->pending_dbg &= ~DR_STEP;
	}
	save->rip = vcpu->regs.rip;
	save->rsp = vcpu->regs.rsp;
	save->rflags = vcpu->regs.rflags;
	svm_tpr_to_vmcb(svm);
	if (vcpu->cr2 != save->cr2) {
		save->cr2 = vcpu->cr2;
		svm_dirty(svm, SVM_CLEAN_CR2);
	}
	if (vcpu->dr6 != save->dr6) {
		save->dr6 = vcpu->dr6;
		svm_dirty(svm, SVM_CLEAN_DR);
	}
	if (vcpu->retire) {
		svm_step_over(svm, vcpu->retire);
		vcpu->retire = 0;
	}
}

/* Fetch the registers that are in the VMCB while the guest runs */
static __always_inline void regs_from_vmcb(struct svm_vcpu *svm)
{
	const struct vmcb_save_area *save = &svm->vmcb->save;
	struct mvmm_vcpu *vcpu = &svm->vcpu;

	vcpu->regs.rip = save->rip;
	vcpu->regs.rsp = save->rsp;
	vcpu->regs.rflags = save->rflags;
	vcpu->cr2 = save->cr2;
	vcpu->dr6 = save->dr6;
	svm_tpr_from_vmcb(svm);
	/* One bit stands for both shadows: after a guest ran, take STI's */
	vcpu->shadow = !(svm->vmcb->control.int_state &
			 SVM_INTERRUPT_SHADOW_MASK) ? 0 :
		       svm->mov_ss ? MVMM_SHADOW_MOV_SS : MVMM_SHADOW_STI;
	svm_refresh_cr0(svm);
}

static void svm_retire(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	regs_to_vmcb(svm);
	regs_from_vmcb(svm);
}

static enum mvmm_step svm_vcpu_run(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	enum mvmm_step step;

	mvmm_assert_section(vcpu);
	svm_vcpu_load(vcpu);
	regs_to_vmcb(svm);
	/* Only while the slice has an end: see slots/slots.c */
	if (IS_ENABLED(CONFIG_MVMM_SLOTS) &&
	    unlikely(!vcpu->slice_end == svm->pause_exits)) {
		svm->pause_exits = vcpu->slice_end;
		svm_intercept(svm, INTERCEPT_PAUSE, svm->pause_exits);
	}
	local_irq_disable();
	svm_mitigate(svm);
	guest_timing_enter_irqoff();
	do
		step = run_once(svm);
	while (step == MVMM_STEP_REENTER);
	guest_timing_exit_irqoff();
	local_irq_enable();
	regs_from_vmcb(svm);
	host_put(svm);
	return step;
}

static int svm_setup(void)
{
	int ret = svm_probe(&svm_caps);

	if (ret)
		return ret;
	ret = svm_vmcb_setup();
	if (ret)
		return ret;
	ret = svm_controls_setup();
	if (ret) {
		svm_vmcb_teardown();
		return ret;
	}
	mvmm_vendor = (struct mvmm_vendor_caps){
		.features = MVMM_FEATURE_SVM | MVMM_FEATURE_TAGGED_TLB |
			    MVMM_FEATURE_NESTED_AD,
		/* All that the guest's CPUID allows */
		.cr4 = ~0ULL,
		.rdtscp = boot_cpu_has(X86_FEATURE_RDTSCP),
		.invpcid = boot_cpu_has(X86_FEATURE_INVPCID),
		/* APM vol. 2, 15.25.10 */
		.walk_pdptes = true,
	};
	svm_npt_format(&mvmm_vendor.pgt);
	return 0;
}

static void svm_teardown(void)
{
	svm_controls_teardown();
	svm_vmcb_teardown();
}

const struct mvmm_vendor_ops mvmm_svm_ops = {
	.name = "svm",
	.present = svm_present,
	.setup = svm_setup,
	.teardown = svm_teardown,
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.vcpu_alloc = svm_vcpu_alloc,
	.vcpu_free = svm_vcpu_free,
	.vcpu_load = svm_vcpu_load,
	.vcpu_run = svm_vcpu_run,
	.sync_crs = svm_sync_crs,
	.retire = svm_retire,
	.get_state = svm_get_state,
	.set_state = svm_set_state,
	.get_paging = svm_get_paging,
	.get_events = svm_get_events,
	.set_events = svm_set_events,
	.get_dr7 = svm_get_dr7,
	.set_dr7 = svm_set_dr7,
	.get_msr = svm_get_msr,
	.set_msr = svm_set_msr,
	.sync_tsc = svm_sync_tsc,
};
