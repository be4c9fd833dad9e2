// SPDX-License-Identifier: GPL-2.0
/*
 * MVMM_VCPU_RUN: the outer loop. Start reading here.
 *
 *   outer loop (this file, may sleep)
 *     section: preemption off, guest FPU and MSRs in the CPU
 *       inner loop (the vendor's, atomic): enter, exit, handle, enter ...
 *     what needs the host mm
 *
 * The run page is shared with userspace and hostile: each field is read once.
 */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include "mvmm.h"
#include "compat.h"

#define DB_VECTOR 1
#define GP_VECTOR 13

/**
 * mvmm_work_pending() - must the inner loop come back?
 * @vcpu: the vCPU
 *
 * Context: interrupts off; what is raised later interrupts the guest.
 */
bool mvmm_work_pending(struct mvmm_vcpu *vcpu)
{
	const unsigned long work = _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL |
				   _TIF_NEED_RESCHED | _TIF_NOTIFY_RESUME;

	return READ_ONCE(current_thread_info()->flags) & work ||
	       atomic_read(&vcpu->kick);
}

/**
 * mvmm_load_debug_registers() - DR0 .. DR3 of a guest that has breakpoints on
 * @vcpu: the vCPU
 *
 * Context: interrupts off until the entry, and mvmm_restore_debug_registers()
 * right after the exit: the addresses are the guest's, and must never meet a
 * DR7 of the host.
 */
void mvmm_load_debug_registers(struct mvmm_vcpu *vcpu)
{
	set_debugreg(0, 7);
	set_debugreg(vcpu->dr[0], 0);
	set_debugreg(vcpu->dr[1], 1);
	set_debugreg(vcpu->dr[2], 2);
	set_debugreg(vcpu->dr[3], 3);
}

/** mvmm_restore_debug_registers() - the host's, if it has any in use */
void mvmm_restore_debug_registers(void)
{
	if (unlikely(hw_breakpoint_active()))
		hw_breakpoint_restore();
}

/* TSC_AUX may not exist, and then neither the guest nor the host has it */
static int nr_swapped(void)
{
	return boot_cpu_has(X86_FEATURE_RDTSCP) ? MVMM_NR_SWAPPED_MSRS :
						  MVMM_MSR_TSC_AUX;
}

/* An MSR whose value does not change is not written: WRMSR is dear on silicon */
static void enter_section(struct mvmm_vcpu *vcpu)
{
	int i;

	mvmm_vcpu_load(vcpu);
	mvmm_fpu_load(vcpu);
	for (i = 0; i < nr_swapped(); i++) {
		rdmsrl(mvmm_swapped_msr(i), vcpu->host_msr[i]);
		if (vcpu->msr[i] != vcpu->host_msr[i])
			wrmsrl(mvmm_swapped_msr(i), vcpu->msr[i]);
	}
	vcpu->in_section = true;
}

static void leave_section(struct mvmm_vcpu *vcpu)
{
	int i;

	vcpu->in_section = false;
	for (i = 0; i < nr_swapped(); i++)
		rdmsrl(mvmm_swapped_msr(i), vcpu->msr[i]);
	mvmm_fpu_put(vcpu);
	for (i = 0; i < nr_swapped(); i++)
		if (vcpu->msr[i] != vcpu->host_msr[i])
			wrmsrl(mvmm_swapped_msr(i), vcpu->host_msr[i]);
	mvmm_ibpb_on_return_to_user();
	mvmm_vcpu_put(vcpu);
}

static int read_run_page(struct mvmm_vcpu *vcpu, u8 *retire)
{
	struct mvmm_run *run = vcpu->run;
	const u64 *from = (const u64 *)&run->regs;
	u64 *to = (u64 *)&vcpu->regs;
	int i;

	*retire = READ_ONCE(run->retire);
	vcpu->user_irq_window = READ_ONCE(run->irq_window);
	if (*retire > MVMM_MAX_INSN)
		return -EINVAL;
	for (i = 0; i < sizeof(run->reserved0); i++)
		if (READ_ONCE(run->reserved0[i]))
			return -EINVAL;
	for (i = 0; i < sizeof(vcpu->regs) / sizeof(u64); i++)
		to[i] = READ_ONCE(from[i]);
	/* SDM vol. 3, 27.3.1.4: reserved bits; virtual-8086 bits are allowed */
	vcpu->regs.rflags = (vcpu->regs.rflags & 0x3f7fd5) | 2;
	return 0;
}

static void write_run_page(struct mvmm_vcpu *vcpu)
{
	struct mvmm_run *run = vcpu->run;
	const struct mvmm_exit *exit = &vcpu->exit;
	struct mvmm_readiness ready = {};
	struct mvmm_events ev;

	mvmm_vcpu_load(vcpu);
	mvmm_ops->get_events(vcpu, &ev);
	mvmm_vcpu_put(vcpu);
	ready.shadow = ev.shadow;
	ready.if_set = vcpu->regs.rflags & X86_EFLAGS_IF;

	run->regs = vcpu->regs;
	run->exit_reason = exit->reason;
	run->exit_flags = exit->flags;
	run->can_inject = ready.if_set && !ready.shadow &&
			  !vcpu->events.irq_pending &&
			  !vcpu->events.inflight.valid;
	run->insn_len = exit->insn_len;
	run->irq_pending = vcpu->events.irq_pending;
	switch (exit->reason) {
	case MVMM_EXIT_IO:
		run->io = exit->io;
		break;
	case MVMM_EXIT_MMIO:
		run->mmio = exit->mmio;
		break;
	case MVMM_EXIT_MEMORY_FAULT:
		run->fault = exit->fault;
		break;
	case MVMM_EXIT_ENTRY_FAILED:
		run->entry = exit->entry;
		break;
	case MVMM_EXIT_ERROR:
		run->error = exit->error;
		break;
	}
}

/* Userspace completed the instruction at rip */
static void retire(struct mvmm_vcpu *vcpu, u8 len)
{
	bool trap;

	mvmm_vcpu_load(vcpu);
	trap = mvmm_ops->retire(vcpu, len);
	mvmm_vcpu_put(vcpu);
	if (trap) {
		vcpu->dr6 |= DR_STEP;
		mvmm_raise(vcpu, DB_VECTOR, 0);
	}
}

static int finish_step(struct mvmm_vcpu *vcpu, enum mvmm_step step)
{
	int ret;

	switch (step) {
	case MVMM_STEP_FAULT:
		return mvmm_handle_fault(vcpu, &vcpu->fault);
	case MVMM_STEP_PDPTES:
		ret = mvmm_load_pdptes(vcpu);
		if (ret)
			mvmm_raise(vcpu, GP_VECTOR, 0);
		return 0;
	case MVMM_STEP_USER:
		return 1;
	default:
		return 0;
	}
}

/* Returns 1 with vcpu->exit filled in, or -errno */
static int run_loop(struct mvmm_vcpu *vcpu)
{
	enum mvmm_step step;
	int ret;

	for (;;) {
		if (atomic_xchg(&vcpu->kick, 0) || signal_pending(current) ||
		    READ_ONCE(vcpu->run->immediate_exit) ||
		    test_thread_flag(TIF_NOTIFY_RESUME))
			return -EINTR;
		cond_resched();

		enter_section(vcpu);
		step = mvmm_ops->vcpu_run(vcpu);
		leave_section(vcpu);

		ret = finish_step(vcpu, step);
		if (ret)
			return ret;
	}
}

/**
 * mvmm_vcpu_run() - MVMM_VCPU_RUN
 * @vcpu: its mutex is held
 *
 * Context: may sleep. Return: as in the ABI.
 */
long mvmm_vcpu_run(struct mvmm_vcpu *vcpu)
{
	u8 len;
	int ret;

	if (READ_ONCE(vcpu->vm->dead))
		return -EIO;
	ret = read_run_page(vcpu, &len);
	if (ret)
		return ret;

	vcpu->exit.flags = 0;
	vcpu->exit.insn_len = 0;
	if (len) {
		retire(vcpu, len);
		WRITE_ONCE(vcpu->run->retire, 0);
	}
	ret = run_loop(vcpu);
	if (ret < 0)
		vcpu->exit.reason = MVMM_EXIT_INTR;
	if (vcpu->events.inflight.valid)
		vcpu->exit.flags |= MVMM_EXIT_FLAG_IN_DELIVERY;
	write_run_page(vcpu);
	vcpu->stats.exits_to_user++;
	return ret < 0 ? ret : 0;
}

/**
 * mvmm_raise_event() - raise an exception in the guest
 * @vcpu: the vCPU
 * @event: the exception
 *
 * Context: any; the vCPU's mutex is held.
 */
void mvmm_raise_event(struct mvmm_vcpu *vcpu, const struct mvmm_event *event)
{
	mvmm_event_requeue(&vcpu->events);
	if (!mvmm_event_merge(&vcpu->events.inflight, event)) {
		vcpu->events.inflight.valid = false;
		vcpu->triple_fault = true;
	}
}

/**
 * mvmm_raise() - the same, by vector
 * @vcpu: the vCPU
 * @vector: 0 .. 31
 * @error_code: pushed where the vector has one
 */
void mvmm_raise(struct mvmm_vcpu *vcpu, u8 vector, u32 error_code)
{
	struct mvmm_event event = {
		.valid = true, .type = MVMM_EVENT_EXCEPTION, .vector = vector,
		.has_error = mvmm_exception_has_error(vector) &&
			     vcpu->cr0 & X86_CR0_PE,
		.error_code = error_code,
	};

	mvmm_raise_event(vcpu, &event);
}

/**
 * mvmm_stop() - the VM met what mvmm cannot handle: stop it, keep the host
 * @vcpu: the vCPU that met it
 * @hw_reason: the CPU's exit code
 * @qualification: and qualification
 * @text: what happened, for a person
 *
 * Context: any. Return: MVMM_STEP_USER.
 */
enum mvmm_step mvmm_stop(struct mvmm_vcpu *vcpu, u32 hw_reason,
			 u64 qualification, const char *text)
{
	struct mvmm_exit *exit = &vcpu->exit;

	memset(&exit->error, 0, sizeof(exit->error));
	exit->reason = MVMM_EXIT_ERROR;
	exit->error.hw_reason = hw_reason;
	exit->error.qualification = qualification;
	strscpy(exit->error.text, text, sizeof(exit->error.text));
	WRITE_ONCE(vcpu->vm->dead, true);
	pr_warn_ratelimited("vCPU %u stopped: %s (hardware reason %u, qualification 0x%llx)\n",
			    vcpu->id, text, hw_reason, qualification);
	return MVMM_STEP_USER;
}

/**
 * mvmm_tlb_needs_flush() - may this CPU hold stale translations of the VM?
 * @vm_gen: the VM's generation now
 * @seen_gen: the generation at the vCPU's last flush
 * @moved: the vCPU ran on another CPU since
 *
 * Pure. A generation only grows when an entry was removed or lost rights;
 * entries that were added cannot be cached stale. After a move this CPU may
 * hold what the vCPU cached here long ago.
 */
bool mvmm_tlb_needs_flush(u64 vm_gen, u64 seen_gen, bool moved)
{
	return moved || vm_gen != seen_gen;
}
