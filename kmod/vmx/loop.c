// SPDX-License-Identifier: GPL-2.0
/*
 * VMX's side of struct mvmm_vendor_ops: vCPUs, loading them, the inner loop,
 * and what is moved before and after it: registers, and the host's state. A
 * round of the loop always has the same order: check for pending work, flush,
 * prepare events, enter, do what the host needs at once, handle the exit.
 */
#include <linux/idr.h>
#include <linux/kvm_host.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/spec-ctrl.h>
#include <asm/trapnr.h>
#include "apicv.h"
#include "cpu/fpu.h"
#include "insn.h"
#include "mm/memory.h"
#include "pml.h"
#include "run/run.h"
#include "slice.h"
#include "trace.h"
#include "vendor.h"

static DEFINE_IDA(vpids);

static_assert(offsetof(struct mvmm_regs, rsp) == 4 * 8);
static_assert(offsetof(struct mvmm_regs, rdi) == 7 * 8);
static_assert(offsetof(struct mvmm_regs, r15) == 15 * 8);

static struct mvmm_vcpu *vmx_vcpu_alloc(struct mvmm_vm *vm)
{
	struct vmx_vcpu *vmx = kzalloc(sizeof(*vmx), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!vmx)
		return ERR_PTR(-ENOMEM);
	ret = vmx_vmcs_alloc(&vmx->vmcs);
	if (ret)
		goto free_vmx;
	ret = vmx_apicv_alloc(vmx);
	if (ret)
		goto free_vmcs;
	ret = vmx_pml_alloc(vmx);
	if (ret)
		goto free_apicv;
	vmx->vcpu.vm = vm;
	/* So the first load writes this CPU's host state, as after a move */
	vmx->vcpu.cpu = -1;
	if (vmx_caps.vpid) {
		/* Without a VPID if none is left: slower, but right */
		ret = ida_alloc_range(&vpids, 1, U16_MAX, GFP_KERNEL);
		vmx->vpid = max(ret, 0);
	}
	vmx->eptp = vmx_eptp(&vmx_caps, __pa(vm->pgt.root));
	preempt_disable();
	vmx_vmcs_load(&vmx->vmcs);
	vmx_init_state(vmx);
	preempt_enable();
	return &vmx->vcpu;

free_apicv:
	vmx_apicv_free(vmx);
free_vmcs:
	vmx_vmcs_free(&vmx->vmcs);
free_vmx:
	kfree(vmx);
	return ERR_PTR(ret);
}

static void vmx_vcpu_free(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_vmcs_free(&vmx->vmcs);
	vmx_pml_free(vmx);
	vmx_apicv_free(vmx);
	if (vmx->vpid)
		ida_free(&vpids, vmx->vpid);
	kfree(vmx);
}

static __always_inline void vmx_vcpu_load(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	int cpu = smp_processor_id();

	lockdep_assert_preemption_disabled();
	/* CPU hotplug and reboot clear the VMCS, and then vmx_current too */
	if (unlikely(__this_cpu_read(vmx_current) != &vmx->vmcs)) {
		vmx_vmcs_load(&vmx->vmcs);
		vmx_sync_tsc(vcpu);
	}
	if (likely(vcpu->cpu == cpu))
		return;
	if (vcpu->cpu >= 0)
		mvmm_vcpu_moved(vcpu);
	vmx_load_cpu_state(vmx);
	vcpu->tlb_gen_seen = MVMM_TLB_MOVED;
	WRITE_ONCE(vcpu->cpu, cpu);
}

static void set_windows(struct vmx_vcpu *vmx, bool irq, bool nmi)
{
	u32 primary = vmx->primary & ~(CPU_BASED_INTR_WINDOW_EXITING |
				       CPU_BASED_NMI_WINDOW_EXITING);

	if (irq)
		primary |= CPU_BASED_INTR_WINDOW_EXITING;
	if (nmi)
		primary |= CPU_BASED_NMI_WINDOW_EXITING;
	if (primary != vmx->primary) {
		vmwrite32(CPU_BASED_VM_EXEC_CONTROL, primary);
		vmx->primary = primary;
	}
}

static bool events_idle(const struct vmx_vcpu *vmx)
{
	const struct mvmm_events_state *ev = &vmx->vcpu.events;

	return !ev->inflight.valid && !ev->waiting && !vmx->vcpu.windows;
}

/*
 * Write the next event to the VMCS. Nothing but the CPU itself can refuse the
 * entry now.
 */
static void inject(struct vmx_vcpu *vmx)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;
	u32 info = vmread32(GUEST_INTERRUPTIBILITY_INFO);
	u64 rflags = vmreadn(GUEST_RFLAGS);
	struct mvmm_readiness ready = {
		.shadow = info & (GUEST_INTR_STATE_STI |
				  GUEST_INTR_STATE_MOV_SS),
		.nmi_masked = info & GUEST_INTR_STATE_NMI,
		.if_set = rflags & X86_EFLAGS_IF,
	};
	struct mvmm_event_plan plan;

	if (!vcpu->vapic_irqs)
		mvmm_apic_pull(vcpu);
	plan = mvmm_plan_event(&vcpu->events, ready, mvmm_wants_window(vcpu));
	/*
	 * The CPU may open the NMI window in STI's shadow (SDM vol. 3, 25.2):
	 * wait until the shadow ends.
	 */
	if (plan.nmi_window && ready.shadow & MVMM_SHADOW_STI) {
		plan.nmi_window = false;
		plan.irq_window = true;
	}
	set_windows(vmx, plan.irq_window, plan.nmi_window);
	if (plan.inject.valid)
		mvmm_take_event(vcpu, &plan.inject, &vmx->undo.events);
	if (vcpu->vapic_regs && vcpu->apic_dirty)
		vmx_sync_apic(vmx);
	/* Without vapic_regs only the task priority is there: the guest's own */
	vcpu->apic_dirty = false;
	if (vcpu->vapic)
		vmx_set_tpr_threshold(vmx,
				      mvmm_class_blocked_by_tpr(&vcpu->events,
								vcpu->cr8));
	vcpu->hw_window = plan.irq_window || plan.nmi_window ||
			  vmx->tpr_threshold;
	if (!plan.inject.valid)
		return;
	if (mvmm_event_is_fault(&plan.inject) && !(rflags & X86_EFLAGS_RF))
		vmwriten(GUEST_RFLAGS, rflags | X86_EFLAGS_RF);
	if (plan.inject.has_error)
		vmwrite32(VM_ENTRY_EXCEPTION_ERROR_CODE,
			  plan.inject.error_code);
	if (plan.inject.type >= MVMM_EVENT_SOFT_INT)
		vmwrite32(VM_ENTRY_INSTRUCTION_LEN, plan.inject.insn_len);
	vmwrite32(VM_ENTRY_INTR_INFO_FIELD, mvmm_event_encode(&plan.inject));
	vcpu->stats.injections++;
	trace_mvmm_inject(vcpu->id, plan.inject.type, plan.inject.vector,
			  plan.inject.error_code);
}

/* The host's CR3 and CR4 change with the mm and the PCID */
static void sync_host_crs(struct vmx_vcpu *vmx)
{
	unsigned long cr3 = __read_cr3(), cr4 = __read_cr4();

	if (unlikely(cr3 != vmx->host_cr3)) {
		vmwriten(HOST_CR3, cr3);
		vmx->host_cr3 = cr3;
	}
	if (unlikely(cr4 != vmx->host_cr4)) {
		vmwriten(HOST_CR4, cr4);
		vmx->host_cr4 = cr4;
	}
}

/*
 * From the last instruction before the guest to the first that may be traced.
 *
 * After an exit by an NMI, NMIs stay blocked until an IRET. So the host's
 * handler is called before anything that could fault: the fault's IRET would
 * unblock NMIs too early.
 */
static noinstr bool enter_guest(struct vmx_vcpu *vmx)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;
	bool entered;

	mvmm_guest_state_enter();
	if (vcpu->cr2 != native_read_cr2())
		native_write_cr2(vcpu->cr2);

#ifdef MVMM_FLOOR	/* bench/run's build: so many more entries */
	for (int i = 0; i < MVMM_FLOOR; i++)
		vmx->vmcs.launched |= vmx_enter(&vcpu->regs, vmx->vmcs.launched,
						&vmx->host_rsp);
#endif
	entered = vmx_enter(&vcpu->regs, vmx->vmcs.launched,
			    &vmx->host_rsp);

	/*
	 * Retbleed: IBRS must be written after an exit, even with the same
	 * value
	 */
	if (cpu_feature_enabled(X86_FEATURE_KERNEL_IBRS))
		native_wrmsrq(MSR_IA32_SPEC_CTRL,
			      this_cpu_read(x86_spec_ctrl_current));
	vcpu->cr2 = native_read_cr2();
	if (likely(entered)) {
		vmx->reason = vmcs_get(VM_EXIT_REASON);
		/* A failed entry leaves the VMCS as it was (SDM 27.8) */
		if (likely(!(vmx->reason & VMX_EXIT_REASONS_FAILED_VMENTRY)))
			vmx->vmcs.launched = true;
		if (unlikely(vmx->reason == EXIT_REASON_EXCEPTION_NMI)) {
			vmx->intr_info = vmcs_get(VM_EXIT_INTR_INFO);
			if ((vmx->intr_info & INTR_INFO_INTR_TYPE_MASK) ==
			    INTR_TYPE_NMI_INTR)
				asm volatile("int $2");
		}
	}
	guest_state_exit_irqoff();
	return entered;
}

static enum mvmm_step exit_for_refusal(struct vmx_vcpu *vmx)
{
	struct mvmm_exit *exit = &vmx->vcpu.exit;

	if (!vmx_is_on())
		return mvmm_stop(&vmx->vcpu, 0, 0,
				 "VMX was turned off for a reboot");
	exit->reason = MVMM_EXIT_ENTRY_FAILED;
	memset(&exit->entry, 0, sizeof(exit->entry));
	exit->entry.hw_error = vmread32(VM_INSTRUCTION_ERROR);
	return MVMM_STEP_USER;
}

/* There are events to deliver, or windows to ask for */
static noinline void handle_events(struct vmx_vcpu *vmx)
{
	vmx->undo = (struct vmx_undo){
		.valid = true, .events = vmx->vcpu.events };
	inject(vmx);
	if (unlikely(vmx->vcpu.timer_due))
		mvmm_apic_wait_due(&vmx->vcpu);
}

/*
 * The CPU has refused the entry: the event was not delivered, and waits again
 */
static noinline void undo_entry(struct vmx_vcpu *vmx)
{
	if (vmx->undo.valid) {
		vmx->vcpu.events = vmx->undo.events;
		if (vmx->vcpu.has_apic)
			mvmm_apic_refresh(&vmx->vcpu);
	}
	/* After a refusal the CPU may not have cleared it */
	vmwrite32(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx_dump(vmx);
}

/**
 * vmx_flush() - before an entry: drop what may be stale in this CPU's TLB
 * @vmx: loaded, with in_guest set
 *
 * Context: interrupts off.
 */
static inline void vmx_flush(struct vmx_vcpu *vmx)
{
	/* pairs with mvmm_flush_guests() */
	u64 gen = smp_load_acquire(&vmx->vcpu.vm->tlb_gen);

	if (unlikely(mvmm_tlb_needs_flush(gen, vmx->vcpu.tlb_gen_seen) ||
		     vmx->flush_vcpu))
		vmx_flush_now(vmx, gen);
}

/* tour 40: the inner loop */

/* One round of the inner loop */
static enum mvmm_step run_once(struct vmx_vcpu *vmx)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;
	bool entered;

	lockdep_assert_irqs_disabled();

	if (unlikely(!mvmm_enter_begin(vcpu)))
		return mvmm_come_back(vcpu);
	vmx_flush(vmx);
	if (unlikely(vcpu->apic_dirty))
		vmx_sync_apic(vmx);
	vmx->undo.valid = false;
	if (unlikely(!events_idle(vmx)))
		handle_events(vmx);
	if (IS_ENABLED(CONFIG_MVMM_SLOTS) && unlikely(vmx->has_timer))
		vmx_set_slice_timer(vcpu->slice_end);
	sync_host_crs(vmx);
	if (trace_mvmm_entry_enabled())
		trace_mvmm_entry(vcpu->id, vmreadn(GUEST_RIP));

	if (unlikely(vmx->breakpoints))
		mvmm_load_debug_registers(vcpu);
	if (unlikely(vmx->stop_pebs))
		wrmsrq(MSR_IA32_PEBS_ENABLE, 0);

	entered = enter_guest(vmx);

	if (unlikely(vmx->host_debugctl))
		update_debugctlmsr(vmx->host_debugctl);
	/* Before anything may access the guest's memory */
	if (entered && unlikely(vmx->reason == EXIT_REASON_EXCEPTION_NMI) &&
	    (vmx->intr_info & INTR_INFO_VECTOR_MASK) == X86_TRAP_MC)
		mvmm_host_machine_check();
	mvmm_enter_end(vcpu);

	if (unlikely(!entered || vmx->reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
		undo_entry(vmx);
		if (!entered)
			return exit_for_refusal(vmx);
	}
	if (trace_mvmm_exit_enabled())
		trace_mvmm_exit(vcpu->id, vmx->reason,
				vmreadn(EXIT_QUALIFICATION),
				vmreadn(GUEST_RIP));
	if (unlikely(BIT_ULL(vmx->reason & 63) & VMX_IN_DELIVERY))
		vmx_collect_inflight(vmx);
	return vmx_handle_exit(vmx);
}

/* A host selector field must have TI and RPL clear (SDM vol. 3, 27.2.3) */
static u16 host_selector(u16 selector)
{
	return selector & 7 ? 0 : selector;
}

/* A section begins: write the process's state that an exit must restore */
static void host_load(struct vmx_vcpu *vmx)
{
	u16 fs, gs, ds, es;
	u64 base;

	/* Without EFER.SCE the guest's SYSCALL raises #UD and uses no MSR */
	if (vmx->vcpu.efer & EFER_SCE)
		vmx_swap_syscall_msrs(vmx, true);
	vmx->host_gs_base = __rdmsr(MSR_KERNEL_GS_BASE);
	vmx_swap_msr(MSR_KERNEL_GS_BASE, vmx->host_gs_base,
		     vmx->msr[VMX_KERNEL_GS]);
	savesegment(fs, fs);
	savesegment(gs, gs);
	savesegment(ds, ds);
	savesegment(es, es);
	base = cpu_feature_enabled(X86_FEATURE_FSGSBASE) ?
		rdfsbase() : __rdmsr(MSR_FS_BASE);
	if (unlikely(fs != vmx->host_fs || gs != vmx->host_gs)) {
		vmwrite16(HOST_FS_SELECTOR, host_selector(fs));
		vmwrite16(HOST_GS_SELECTOR, host_selector(gs));
		vmx->host_fs = fs;
		vmx->host_gs = gs;
	}
	/* vmx_mitigate() adds the LDT */
	vmx->odd_segments = ((fs | gs) & 7) | ds | es;
	vmx->host_ds = ds;
	vmx->host_es = es;
	vmx->host_ldt = 0;
	if (unlikely(base != vmx->host_fs_base)) {
		vmwriten(HOST_FS_BASE, base);
		vmx->host_fs_base = base;
	}
}

/*
 * Load the selectors that an exit does not restore: it loads 0 into DS, ES and
 * LDTR, and into FS and GS if their TI or RPL is not 0
 */
static noinline void restore_segments(struct vmx_vcpu *vmx)
{
	if (vmx->host_ldt)
		asm volatile("lldt %0" : : "m" (vmx->host_ldt));
	if (vmx->host_fs & 7) {
		loadsegment(fs, vmx->host_fs);
		wrmsrq(MSR_FS_BASE, vmx->host_fs_base);
	}
	if (vmx->host_gs & 7) {
		u64 base;

		/* Loading GS overwrites the base that SWAPGS will load */
		rdmsrq(MSR_KERNEL_GS_BASE, base);
		load_gs_index(vmx->host_gs);
		wrmsrq(MSR_KERNEL_GS_BASE, base);
	}
	if (vmx->host_ds || vmx->host_es) {
		loadsegment(ds, vmx->host_ds);
		loadsegment(es, vmx->host_es);
	}
}

/* A section ends: restore by hand what an exit does not restore */
static void host_put(struct vmx_vcpu *vmx)
{
	if (vmx->syscall_msrs)
		vmx_swap_syscall_msrs(vmx, false);
	vmx->msr[VMX_KERNEL_GS] = __rdmsr(MSR_KERNEL_GS_BASE);
	vmx_swap_msr(MSR_KERNEL_GS_BASE, vmx->msr[VMX_KERNEL_GS],
		     vmx->host_gs_base);
	if (unlikely(vmx->odd_segments))
		restore_segments(vmx);
	/* An exit leaves GDT and TSS limits of 0xffff and 0x67 (27.5.2) */
	invalidate_tss_limit();
	native_load_gdt(&vmx->host_gdt);
}

/* vmx_advance_rip() when the registers are not in the VMCS yet */
static void retire_insn(struct vmx_vcpu *vmx)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;
	struct mvmm_regs *regs = &vcpu->regs;
	u64 rip = regs->rip + vcpu->retire;

	if (unlikely((rip ^ regs->rip) >> 32) && !vmx_in_64bit_code(vmx))
		rip = (u32)rip;
	regs->rip = rip;
	regs->rflags &= ~X86_EFLAGS_RF;
	vcpu->retire = 0;
	if (unlikely(vcpu->shadow)) {
		vmx_end_shadow(vmread32(GUEST_INTERRUPTIBILITY_INFO));
		vcpu->shadow = 0;
	}
	if (unlikely(regs->rflags & X86_EFLAGS_TF)) {
		vmwriten(GUEST_PENDING_DBG_EXCEPTIONS, 0);
		mvmm_raise_db(vcpu, DR_STEP);
	}
}

/*
 * Write rip, rsp and rflags to the VMCS if userspace has changed them, and step
 * over the instruction that it has executed
 */
static __always_inline void regs_to_vmcs(struct vmx_vcpu *vmx)
{
	const struct mvmm_regs *regs = &vmx->vcpu.regs;

	if (vmx->vcpu.retire)
		retire_insn(vmx);
	if (regs->rip != vmx->rip)
		vmwriten(GUEST_RIP, regs->rip);
	if (regs->rsp != vmx->rsp)
		vmwriten(GUEST_RSP, regs->rsp);
	if (regs->rflags != vmx->rflags) {
		u32 shadow = vmread32(GUEST_INTERRUPTIBILITY_INFO) & 3;

		vmwriten(GUEST_RFLAGS, regs->rflags);
		/* SDM vol. 3, 27.3.1.5: in a shadow, BS must match TF */
		if (shadow && (regs->rflags ^ vmx->rflags) & X86_EFLAGS_TF) {
			u64 dbg = vmreadn(GUEST_PENDING_DBG_EXCEPTIONS);

			vmwriten(GUEST_PENDING_DBG_EXCEPTIONS,
				 regs->rflags & X86_EFLAGS_TF ?
				 dbg | DR_STEP : dbg & ~DR_STEP);
		}
	}
}

/* Fetch the registers that are in the VMCS while the guest runs */
static __always_inline void regs_from_vmcs(struct vmx_vcpu *vmx)
{
	struct mvmm_regs *regs = &vmx->vcpu.regs;

	regs->rip = vmx->rip = vmreadn(GUEST_RIP);
	regs->rsp = vmx->rsp = vmreadn(GUEST_RSP);
	regs->rflags = vmx->rflags = vmreadn(GUEST_RFLAGS);
	vmx->vcpu.shadow = vmread32(GUEST_INTERRUPTIBILITY_INFO) &
			   (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS);
	vmx_refresh_cr0(vmx);
}

static void vmx_retire(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	regs_to_vmcs(vmx);
	regs_from_vmcs(vmx);
}

/* Of what is inlined only descriptors are on the stack, and no array to overflow */
static __no_stack_protector enum mvmm_step vmx_vcpu_run(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	enum mvmm_step step;

	mvmm_assert_section(vcpu);
	vmx_vcpu_load(vcpu);
	regs_to_vmcs(vmx);
	host_load(vmx);
	if (IS_ENABLED(CONFIG_MVMM_SLOTS) &&
	    unlikely(!vcpu->slice_end == vmx->contended))
		vmx_slice_changed(vmx);
	local_irq_disable();
	vmx_mitigate(vmx);
	guest_timing_enter_irqoff();
	do
		step = run_once(vmx);
	while (step == MVMM_STEP_REENTER);
	guest_timing_exit_irqoff();
	local_irq_enable();
	regs_from_vmcs(vmx);
	host_put(vmx);
	return step;
}

static int vmx_setup(void)
{
	int ret = vmx_probe(&vmx_caps);

	if (ret)
		return ret;
	vmx_pml_setup();
	ret = vmx_vmcs_setup();
	if (ret)
		return ret;
	ret = vmx_controls_setup();
	if (ret)
		goto teardown_vmcs;
	ret = vmx_apicv_setup();
	if (ret)
		goto teardown_controls;
	mvmm_vendor = (struct mvmm_vendor_caps){
		.features = MVMM_FEATURE_VMX |
			(vmx_caps.vpid ? MVMM_FEATURE_TAGGED_TLB : 0) |
			(vmx_caps.ept_ad ? MVMM_FEATURE_NESTED_AD : 0) |
			(vmx_caps.tsc_scaling ? MVMM_FEATURE_TSC_SCALING : 0) |
			MVMM_FEATURE_FAULT_GVA,
		.cr4 = vmx_caps.cr4_fixed1 & ~X86_CR4_VMXE,
		.rdtscp = vmx_caps.secondary & SECONDARY_EXEC_ENABLE_RDTSCP,
		.invpcid = vmx_caps.secondary & SECONDARY_EXEC_ENABLE_INVPCID,
		.spec_ctrl = true,
		.pml = vmx_caps.pml,
		.apic_page_pa = vmx_apic_page_pa(),
	};
	vmx_ept_format(&vmx_caps, &mvmm_vendor.pgt);
	return 0;

teardown_controls:
	vmx_controls_teardown();
teardown_vmcs:
	vmx_vmcs_teardown();
	return ret;
}

static void vmx_teardown(void)
{
	vmx_apicv_teardown();
	vmx_controls_teardown();
	vmx_vmcs_teardown();
	ida_destroy(&vpids);
}

const struct mvmm_vendor_ops mvmm_vmx_ops = {
	.name = "vmx",
	.present = vmx_present,
	.setup = vmx_setup,
	.teardown = vmx_teardown,
	.cpu_enable = vmx_cpu_enable,
	.cpu_disable = vmx_cpu_disable,
	.vcpu_alloc = vmx_vcpu_alloc,
	.vcpu_free = vmx_vcpu_free,
	.vcpu_load = vmx_vcpu_load,
	.vcpu_run = vmx_vcpu_run,
	.sync_crs = vmx_sync_crs,
	.retire = vmx_retire,
	.get_state = vmx_get_state,
	.set_state = vmx_set_state,
	.get_paging = vmx_get_paging,
	.get_events = vmx_get_events,
	.set_events = vmx_set_events,
	.get_dr7 = vmx_get_dr7,
	.set_dr7 = vmx_set_dr7,
	.get_msr = vmx_get_msr,
	.set_msr = vmx_set_msr,
	.sync_tsc = vmx_sync_tsc,
};
