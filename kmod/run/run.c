// SPDX-License-Identifier: GPL-2.0
/*
 * MVMM_VCPU_RUN: the outer loop. Start reading here.
 *
 *   outer loop (this file, may sleep)
 *     section: preemption off, guest FPU and MSRs in the CPU
 *       inner loop (vmx/, svm/; interrupts off): enter, exit, handle, enter ...
 *     work that may sleep
 *
 * Userspace may write to the run page at any time, so each field is read once.
 */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/sched/signal.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>
#include <asm/cpu.h>
#include <asm/trapnr.h>
#include "compat.h"
#include "cpu/fpu.h"
#include "cpu/host.h"
#include "guest/guest.h"
#include "mm/memory.h"
#include "run.h"
#include "slots/slots.h"
#include "vendor.h"

static void enter_section(struct mvmm_vcpu *vcpu)
{
	preempt_disable();
	mvmm_fpu_load(vcpu);
	mvmm_swap_tsc_aux(__this_cpu_read(mvmm_host_tsc_aux),
			  vcpu->msr[MVMM_MSR_TSC_AUX]);
	vcpu->in_section = true;
}

static void leave_section(struct mvmm_vcpu *vcpu)
{
	vcpu->in_section = false;
	mvmm_fpu_put(vcpu);
	mvmm_swap_tsc_aux(vcpu->msr[MVMM_MSR_TSC_AUX],
			  __this_cpu_read(mvmm_host_tsc_aux));
	mvmm_ibpb_on_return_to_user();
	preempt_enable();
}

/* MVMM_EXIT_CR was completed: what the instruction at rip writes */
struct cr_done {
	u8 which;	/* MVMM_SET_*, or 0 */
	u64 value;
};

/* The first bytes of the run page, which are read at once */
union run_orders {
	u64 all;
	struct {
		u8 immediate_exit, irq_window, retire, set_cr;
		u32 reserved0;
	};
};

static int read_run_page(struct mvmm_vcpu *vcpu, struct cr_done *cr)
{
	struct mvmm_run *run = vcpu->run;
	union run_orders orders = { .all = READ_ONCE(*(u64 *)run) };

	BUILD_BUG_ON(offsetof(union run_orders, set_cr) !=
		     offsetof(struct mvmm_run, set_cr));
	BUILD_BUG_ON(sizeof(orders) != offsetof(struct mvmm_run, exit_reason));
	cr->which = orders.set_cr;
	if (unlikely(orders.retire > MVMM_MAX_INSN || orders.reserved0))
		return -EINVAL;
	if (unlikely(orders.set_cr)) {
		if (orders.set_cr > MVMM_SET_CR4 || !orders.retire)
			return -EINVAL;
		cr->value = READ_ONCE(run->cr_value);
		WRITE_ONCE(run->set_cr, 0);
	}
	vcpu->user_irq_window = orders.irq_window;
	vcpu->retire = orders.retire;
	vcpu->regs = run->regs;
	barrier();	/* after this only the copy is used */
	/* SDM vol. 3, 27.3.1.4: reserved bits; virtual-8086 bits are allowed */
	vcpu->regs.rflags = (vcpu->regs.rflags & 0x3f7fd5) | 2;
	if (orders.retire)
		WRITE_ONCE(run->retire, 0);
	return 0;
}

/*
 * What userspace needs to decode the instruction and to walk the guest's tables
 */
static void write_paging(struct mvmm_vcpu *vcpu)
{
	struct mvmm_paging *paging = &vcpu->run->paging;

	paging->cr0 = vcpu->cr0;
	paging->cr4 = vcpu->cr4;
	paging->efer = vcpu->efer;
	paging->pkru = mvmm_fpu_pkru(vcpu->fpu);
	mvmm_vcpu_load(vcpu);
	mvmm_ops->get_paging(vcpu, paging);
	mvmm_vcpu_put(vcpu);
}

/* Exits that are rare, or need more than this */
static noinline void write_exit(struct mvmm_vcpu *vcpu)
{
	struct mvmm_run *run = vcpu->run;
	const struct mvmm_exit *exit = &vcpu->exit;

	switch (exit->reason) {
	case MVMM_EXIT_MMIO:
		run->mmio = exit->mmio;
		write_paging(vcpu);
		break;
	case MVMM_EXIT_MEMORY_FAULT:
		run->fault = exit->fault;
		break;
	case MVMM_EXIT_ENTRY_FAILED:
		run->entry = exit->entry;
		break;
	case MVMM_EXIT_CR:
		run->cr = exit->cr;
		write_paging(vcpu);
		break;
	case MVMM_EXIT_EOI:
		run->eoi = exit->eoi;
		break;
	case MVMM_EXIT_TASK_SWITCH:
		run->task = exit->task;
		write_paging(vcpu);
		break;
	case MVMM_EXIT_ERROR:
		run->error = exit->error;
		break;
	}
}

static void write_run_page(struct mvmm_vcpu *vcpu)
{
	struct mvmm_run *run = vcpu->run;
	const struct mvmm_exit *exit = &vcpu->exit;

	run->regs = vcpu->regs;
	run->exit_reason = exit->reason;
	run->exit_flags = vcpu->events.inflight.valid ?
			  MVMM_EXIT_FLAG_IN_DELIVERY : 0;
	run->can_inject = vcpu->regs.rflags & X86_EFLAGS_IF && !vcpu->shadow &&
			  !vcpu->events.irq_pending &&
			  !vcpu->events.inflight.valid;
	run->insn_len = exit->insn_len;
	run->irq_pending = vcpu->events.irq_pending;
	run->extint = !vcpu->has_apic || lapic_takes_extint(&vcpu->apic);
	if (exit->reason == MVMM_EXIT_IO) {
		run->io = exit->io;
		if (unlikely(exit->io.flags & MVMM_IO_STRING))
			write_paging(vcpu);
	} else if (exit->reason != MVMM_EXIT_HLT) {
		write_exit(vcpu);
	}
}

static int complete_cr(struct mvmm_vcpu *vcpu, const struct cr_done *cr)
{
	int ret;

	mvmm_vcpu_load(vcpu);
	ret = mvmm_write_cr(vcpu, cr->which == MVMM_SET_CR0 ? 0 : 4, cr->value);
	mvmm_vcpu_put(vcpu);
	if (ret > 0)
		ret = mvmm_load_pdptes(vcpu);
	return ret;
}

/* RUN ends and there was no entry, which would have retired the instruction */
static void retire(struct mvmm_vcpu *vcpu)
{
	mvmm_vcpu_load(vcpu);
	mvmm_ops->retire(vcpu);
	mvmm_vcpu_put(vcpu);
}

/**
 * mvmm_come_back() - mvmm_enter_begin() has refused the entry
 * @vcpu: the vCPU
 *
 * Usually an interrupt has arrived: it is collected here, without leaving the
 * section.
 *
 * Context: interrupts off, in a section. Return: MVMM_STEP_REENTER, or
 * MVMM_STEP_OUTER if more is to be done.
 */
enum mvmm_step mvmm_come_back(struct mvmm_vcpu *vcpu)
{
	lockdep_assert_irqs_disabled();
	mvmm_assert_section(vcpu);
	if (atomic_read(&vcpu->requests) & MVMM_REQ_EVENTS)
		mvmm_apic_collect(vcpu);
	return mvmm_must_come_back(vcpu) ||
	       vcpu->mp_state != MVMM_MP_RUNNABLE ? MVMM_STEP_OUTER :
						    MVMM_STEP_REENTER;
}

/* Let another thread run if one is to */
static void mvmm_resched(struct mvmm_vcpu *vcpu)
{
	unsigned long flags = READ_ONCE(current_thread_info()->flags);

	if (flags & (_TIF_NEED_RESCHED | MVMM_TIF_RESCHED_LAZY))
		mvmm_pv_away(vcpu);
	if (flags & MVMM_TIF_RESCHED_LAZY)
		schedule();
	cond_resched();
}

/* Over memory.high? The thread has to wait, on its way to userspace */
static bool mvmm_is_throttled(void)
{
#ifdef CONFIG_MEMCG
	return current->memcg_nr_pages_over_high;
#else
	return false;
#endif
}

/*
 * Do what mvmm_must_come_back() has found. Returns 0; 1 with vcpu->exit filled
 * in; or -EINTR
 */
static int do_work(struct mvmm_vcpu *vcpu)
{
	const int slot = MVMM_REQ_SLOT | MVMM_REQ_PAUSE;
	int requests = atomic_read(&vcpu->requests), ret;

	mvmm_assert_may_sleep();

	if (requests & MVMM_REQ_EVENTS)
		mvmm_apic_collect(vcpu);
	/* It stays set until there is room, and pv/ writes nothing before */
	if (requests & MVMM_REQ_RING) {
		vcpu->exit.reason = MVMM_EXIT_DIRTY_RING_FULL;
		if (mvmm_dirty_ring_full(vcpu))
			return 1;
		atomic_andnot(MVMM_REQ_RING, &vcpu->requests);
	}
	if (requests & MVMM_REQ_PV) {
		atomic_andnot(MVMM_REQ_PV, &vcpu->requests);
		mvmm_slot_leave(vcpu);
		mvmm_pv_update(vcpu);
		mvmm_slot_enter(vcpu);
	}
	if (requests & MVMM_REQ_APIC) {
		atomic_andnot(MVMM_REQ_APIC, &vcpu->requests);
		mvmm_unmap_apic_page(vcpu->vm);
	}
	if (requests & MVMM_REQ_EOI) {
		atomic_andnot(MVMM_REQ_EOI, &vcpu->requests);
		memset(&vcpu->exit.eoi, 0, sizeof(vcpu->exit.eoi));
		vcpu->exit.eoi.vector = vcpu->apic.eoi_vector;
		vcpu->exit.reason = MVMM_EXIT_EOI;
		return 1;
	}
	if (requests & MVMM_REQ_TRIPLE) {
		atomic_andnot(MVMM_REQ_TRIPLE, &vcpu->requests);
		vcpu->exit.reason = MVMM_EXIT_SHUTDOWN;
		return 1;
	}
	if (atomic_fetch_andnot(MVMM_REQ_KICK, &vcpu->requests) & MVMM_REQ_KICK)
		return -EINTR;
	if (signal_pending(current))
		return -EINTR;
	/*
	 * Every sleep sets TIF_NOTIFY_RESUME, for restartable sequences. A
	 * return to userspace for that would never end, since RUN sleeps again;
	 * they can wait until RUN ends for another reason. Task work and
	 * throttling cannot.
	 */
	if (test_and_clear_thread_flag(TIF_NOTIFY_RESUME)) {
		vcpu->resume_work = true;
		if (task_work_pending(current) || mvmm_is_throttled())
			return -EINTR;
	}
	/*
	 * Last, because it may take long, and only for a vCPU that will enter
	 */
	if (requests & slot && vcpu->mp_state == MVMM_MP_RUNNABLE) {
		atomic_andnot(MVMM_REQ_PAUSE, &vcpu->requests);
		mvmm_pv_away(vcpu);
		ret = mvmm_slot_get(vcpu, requests & MVMM_REQ_PAUSE);
		if (ret)
			return ret;
	}
	mvmm_resched(vcpu);
	return 0;
}

static int finish_step(struct mvmm_vcpu *vcpu, enum mvmm_step step)
{
	int ret;

	if (likely(step == MVMM_STEP_USER))
		return 1;
	switch (step) {
	case MVMM_STEP_FAULT:
		/*
		 * This may take long: others may have the slot when the slice
		 * ends
		 */
		mvmm_slot_leave(vcpu);
		ret = mvmm_fault_slow(vcpu);
		mvmm_slot_enter(vcpu);
		return ret;
	case MVMM_STEP_PDPTES:
		mvmm_slot_leave(vcpu);
		ret = mvmm_load_pdptes(vcpu);
		mvmm_slot_enter(vcpu);
		if (ret) {
			vcpu->retire = 0;
			mvmm_raise(vcpu, X86_TRAP_GP, 0);
		}
		return 0;
#ifdef CONFIG_MVMM_VMX
	case MVMM_STEP_SPLIT_LOCK:
		/* Warns and waits, or sends a signal: then try again */
		mvmm_slot_leave(vcpu);
		handle_guest_split_lock(vcpu->regs.rip);
		mvmm_slot_enter(vcpu);
		return 0;
#endif
	default:
		return do_work(vcpu);
	}
}

/* tour 9: the outer loop */

/* Returns 1 with vcpu->exit filled in, or -errno */
static int run_loop(struct mvmm_vcpu *vcpu)
{
	enum mvmm_step step;
	int ret;

	while (!READ_ONCE(vcpu->run->immediate_exit)) {
		if (unlikely(vcpu->mp_state != MVMM_MP_RUNNABLE)) {
			ret = mvmm_wait(vcpu) ?: do_work(vcpu);
			if (ret)
				return ret;
			continue;
		}
		if (vcpu->pv.steal) {
			mvmm_slot_leave(vcpu);
			mvmm_pv_steal(vcpu);
			mvmm_slot_enter(vcpu);
		}
		enter_section(vcpu);
		step = mvmm_ops->vcpu_run(vcpu);
		leave_section(vcpu);

		ret = finish_step(vcpu, step);
		if (ret)
			return ret;
	}
	return -EINTR;
}

/**
 * mvmm_vcpu_run() - MVMM_VCPU_RUN
 * @vcpu: busy for the caller
 *
 * Context: may sleep. Return: as in the ABI.
 */
long mvmm_vcpu_run(struct mvmm_vcpu *vcpu)
{
	struct cr_done cr;
	int ret;

	mvmm_assert_busy(vcpu);
	mvmm_assert_may_sleep();
	if (READ_ONCE(vcpu->vm->dead))
		return -EIO;
	if (unlikely(vcpu->vm->stopped_at))
		return -EAGAIN;
	ret = read_run_page(vcpu, &cr);
	if (ret)
		return ret;
	mvmm_pv_back(vcpu);

	vcpu->exit.insn_len = 0;
	if (unlikely(cr.which) && complete_cr(vcpu, &cr)) {
		vcpu->retire = 0;
		mvmm_raise(vcpu, X86_TRAP_GP, 0);
	}
	mvmm_slot_enter(vcpu);
	ret = run_loop(vcpu);
	mvmm_slot_leave(vcpu);
	/* It does not want to run */
	if (unlikely(vcpu->mp_state != MVMM_MP_RUNNABLE))
		mvmm_slot_put(vcpu);
	if (unlikely(vcpu->resume_work)) {
		vcpu->resume_work = false;
		set_thread_flag(TIF_NOTIFY_RESUME);
	}
	if (unlikely(vcpu->retire))
		retire(vcpu);
	if (mvmm_pv_eoi_offered(vcpu))
		mvmm_pv_eoi_finish(vcpu);
	if (ret < 0) {
		vcpu->exit.reason = MVMM_EXIT_INTR;
		mvmm_pv_left(vcpu);
	}
	write_run_page(vcpu);
	vcpu->stats.exits_to_user++;
	return ret < 0 ? ret : 0;
}

/**
 * mvmm_stop() - something has happened that mvmm cannot handle: stop the VM
 * @vcpu: the vCPU on which it has happened
 * @hw_reason: the CPU's exit reason or code
 * @qualification: the exit's qualification or first information field
 * @text: what has happened, for a person
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
