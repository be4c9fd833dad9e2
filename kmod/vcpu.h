/* SPDX-License-Identifier: GPL-2.0 */
/* A virtual CPU, without the parts that only VMX or SVM has. */
#ifndef MVMM_VCPU_H
#define MVMM_VCPU_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/rcuwait.h>
#include <linux/seqlock.h>
#include <linux/smp.h>
#include <linux/types.h>
#include "uapi/mvmm.h"
#include "logic/cpuid.h"
#include "logic/event.h"
#include "logic/lapic.h"
#include "vm.h"

/* MSRs that are plain variables: index into mvmm_vcpu.msr */
enum mvmm_kept_msr {
	MVMM_MSR_TSC_AUX,	/* in a section it is in the CPU */
	MVMM_MSR_MISC_ENABLE,
	MVMM_MSR_ARCH_CAPABILITIES,
	MVMM_NR_MSRS,
};

/* Base and mask of eight ranges, eleven that are fixed, and the default */
#define MVMM_NR_MTRRS	28
/* MCG_STATUS, MCG_CTL, and four of each bank */
#define MVMM_NR_MCES	10

/* What a handler of an exit, or the inner loop, asks its caller to do next */
enum mvmm_step {
	MVMM_STEP_REENTER,	/* enter again at once */
	MVMM_STEP_OUTER,	/* leave the inner loop, then enter again */
	MVMM_STEP_FAULT,	/* vcpu->fault needs the host mm */
	MVMM_STEP_PDPTES,	/* the PDPTEs must be read from memory */
	MVMM_STEP_SPLIT_LOCK,	/* the host has to see a split lock at rip */
	MVMM_STEP_USER,		/* vcpu->exit is for userspace */
};

/* Bits of mvmm_vcpu.requests: reasons not to enter the guest */
#define MVMM_REQ_KICK	(1 << 0)	/* MVMM_VCPU_KICK: leave RUN */
#define MVMM_REQ_EVENTS	(1 << 1)	/* something is in the inbox */
#define MVMM_REQ_EOI	(1 << 2)	/* return MVMM_EXIT_EOI */
#define MVMM_REQ_PV	(1 << 3)	/* pv/ has work that may sleep */
#define MVMM_REQ_SLOT	(1 << 4)	/* it has no slot, or others want it */
#define MVMM_REQ_PAUSE	(1 << 5)	/* it spins: let a sibling run */
#define MVMM_REQ_APIC	(1 << 6)	/* unmap the APIC-access page */
#define MVMM_REQ_TRIPLE	(1 << 7)	/* triple fault: return shutdown */
#define MVMM_REQ_RING	(1 << 8)	/* the dirty ring is full */

/* Internal state, not in the ABI: INIT received, reset pending */
#define MVMM_MP_RESET	0xff
/* In vcpu->sipi: a SIPI was received */
#define MVMM_SIPI	0x100

#define MVMM_PML_ENTRIES	512
#define MVMM_PML_EMPTY		(~0ULL)

/**
 * struct mvmm_pml - page-modification log
 * @log: the log, or NULL: the CPU keeps none
 * @next: index of the next entry to take; -1: all are taken, and the CPU has no
 *	room either
 *
 * The CPU writes the address of each page whose D bit it sets, from the last
 * entry down. While the guest runs, only the CPU knows where it writes next. So
 * an entry that was taken is set to MVMM_PML_EMPTY, and the first such entry is
 * the end.
 */
struct mvmm_pml {
	u64 *log;
	int next;
};

/**
 * struct mvmm_ring - dirty ring
 * @entries: pages that userspace has mapped: it may write to them at any time
 * @nr: how many entries, a power of two; 0: no ring
 * @next: the next one to fill; it counts on, so that next - reset are in use
 * @reset: the next one to take back; the same
 * @last: page of the entry before @next
 */
struct mvmm_ring {
	struct mvmm_dirty_gfn *entries;
	u32 nr;
	u32 next;
	u32 reset;
	u64 last;
};

/**
 * struct mvmm_fault - a nested page fault
 * @gpa: guest-physical address
 * @gva: guest-virtual address, or 0: unknown
 * @access: MVMM_ACCESS_*
 */
struct mvmm_fault {
	u64 gpa;
	u64 gva;
	u32 access;
};

/**
 * struct mvmm_inbox - what other threads leave for a vCPU's local APIC
 * @irr: vectors that were sent
 * @level: for each vector: the last one sent was level-triggered
 * @flags: bits INBOX_*, see irq/apic.c
 * @sipi_vector: of the SIPI in @flags
 *
 * Bits are set and taken by atomic operations.
 */
struct mvmm_inbox {
	DECLARE_BITMAP(irr, 256);
	DECLARE_BITMAP(level, 256);
	unsigned long flags;
	u8 sipi_vector;
};

/**
 * struct mvmm_pv - KVM's MSRs, and what was last written where they point to
 * @wall_clock: MSR_KVM_WALL_CLOCK_NEW
 * @clock: MSR_KVM_SYSTEM_TIME_NEW
 * @steal: MSR_KVM_STEAL_TIME
 * @stolen: ns of steal time so far
 * @last_delay: ns that the thread had been delayed when @stolen was updated
 * @left_at: host's TSC when RUN returned -EINTR; 0: it has been called again
 * @away: the guest is told that the vCPU may not run now
 * @stopped: the guest is to be told that it was stopped
 * @todo: bits TODO_*, see pv/pv.c
 * @eoi: MSR_KVM_PV_EOI_EN
 * @eoi_offered: the flag is set in the guest: @eoi at that entry; otherwise 0
 * @eoi_flag: where the owner has the flag
 */
struct mvmm_pv {
	u64 wall_clock, clock, steal;
	u64 stolen;
	u64 last_delay;
	u64 left_at;
	bool away, stopped;
	u8 todo;
	u64 eoi;
	u64 eoi_offered;
	u8 __user *eoi_flag;
};

/*
 * An exit to userspace, prepared here and copied to the run page when RUN ends
 */
struct mvmm_exit {
	u32 reason;
	u8 insn_len;
	union {
		typeof(((struct mvmm_run *)0)->io) io;
		typeof(((struct mvmm_run *)0)->mmio) mmio;
		typeof(((struct mvmm_run *)0)->fault) fault;
		typeof(((struct mvmm_run *)0)->entry) entry;
		typeof(((struct mvmm_run *)0)->cr) cr;
		typeof(((struct mvmm_run *)0)->eoi) eoi;
		typeof(((struct mvmm_run *)0)->task) task;
		typeof(((struct mvmm_run *)0)->error) error;
	};
};

/* tour 3: a virtual CPU */

/**
 * struct mvmm_vcpu - a virtual CPU; the vendor's struct is around it
 * @vm: its VM, of which it holds a reference			[C]
 * @id: index in vm->vcpus					[C]
 * @busy: bit 0: RUN, GET or SET is at work; nobody waits for it
 * @run: the run page, to which userspace may write at any time	[C]
 * @has_apic: vm->has_apic					[C]
 * @in_guest: this vCPU executes guest code, or is about to: set
 *	before a full barrier and the check of pending work	[A]
 * @runner: the thread that is in RUN, and answers requests when Linux runs it;
 *	NULL: none, or it is at work that may take long		[A]
 * @in_section: guest FPU and MSRs are in the CPU (run/run.c)	[R]
 * @cpu: where it was loaded last; -1: nowhere yet		[A]
 * @requests: MVMM_REQ_*, set until they are handled		[A]
 * @user_irq_window: this RUN's copy of run->irq_window		[R]
 * @hw_window: the CPU was asked for an exit when events can be taken [R]
 * @windows: both windows as one word: not 0 if one is set	[R]
 * @resume_work: TIF_NOTIFY_RESUME is set again when RUN ends	[R]
 * @retire: this RUN's copy of run->retire; 0 once it is done	[R]
 * @shadow: MVMM_SHADOW_*, when the guest was left or as set	[R]
 * @tlb_gen_seen: vm->tlb_gen at the last flush on @cpu		[R]
 * @regs: general registers during RUN				[R]
 * @cr0: as the guest reads it; guest-owned bits may be stale	[R]
 * @cr2: page-fault address					[R]
 * @cr4: as the guest reads it					[R]
 * @cr8: task priority; see @vapic				[R]
 * @efer: as the guest reads it					[R]
 * @xcr0: extended states enabled				[R]
 * @before: what the last write to CR0 or CR4 has replaced	[R]
 * @dr: DR0 .. DR3						[R]
 * @dr6: debug status						[R]
 * @msr: MSRs of kind MVMM_MSR_KEPT				[R]
 * @mtrr: MTRRs: see guest/mtrr.c				[R]
 * @mce: machine-check registers: see guest/mce.c		[R]
 * @caps: derived from @cpuid					[R]
 * @cpuid: what CPUID returns					[R]
 * @tsc_offset: guest's TSC minus mvmm_scale_tsc()		[R]
 * @events: pending events					[R]
 * @fpu: XSAVE area						[R]
 * @host_pkru: the thread's PKRU, in a section			[R]
 * @pgt_cache: tables for the next fault			[R]
 * @pml: the CPU's log of the guest's writes			[vm's M]
 * @ring: pages that the vCPU has written to			[vm's M]
 * @vapic: virtual-APIC page, where the guest changes its task priority
 *	without an exit; see mvmm_apic_pull(). NULL: none	[C]
 * @vapic_regs: the guest uses its other APIC registers there too [R]
 * @vapic_irqs: the CPU keeps ISR and IRR, and delivers interrupts [R]
 * @apic_dirty: @apic or @cr8 is newer than @vapic		[R]
 * @fault: for MVMM_STEP_FAULT					[R]
 * @exit: for MVMM_STEP_USER					[R]
 * @stats: counters						[R]
 * @wait: where the thread waits in HLT, or for a slot
 * @se: for the scheduler					[S]
 * @charged: host's TSC of the last charge to @se		[S]
 * @waited: ns that it waited for a slot, without what Linux counts [R]
 * @slice_end: host's TSC; 0: the slice has no end		[R]
 * @rest_since: host's TSC when it halted and kept its slot; 0: it does not [A]
 * @rested: ticks of that in all; its thread writes it, in @rest_seq	[A]
 * @rest_seq: for who reads both while it wakes up
 * @slice_timer: to look at the thread, and when the slice ends	[S]
 *
 * Of VMs with local APICs only:
 * @apic: the local APIC			[R, see struct lapic]
 * @pv: the paravirtual interface				[R]
 * @inbox: what others have sent to @apic			[A]
 * @timer: fires when @apic's timer expires			[R]
 * @timer_due: guest's TSC, when what has expired early is due; or 0 [R]
 * @timer_lead: by how many ticks a TSC deadline expires early	[R]
 * @mp_state: MVMM_MP_*						[R]
 * @unhalted: a kick (PV unhalt) that no HLT has used up yet	[R]
 * @sipi: MVMM_SIPI and the vector of a SIPI that waits; or 0	[R]
 * @halt_poll_us: how long HLT polls before it sleeps		[R]
 */
struct mvmm_vcpu {
	struct mvmm_vm *vm;
	u32 id;
	unsigned long busy;
	struct mvmm_run *run;

	bool has_apic;
	bool in_guest;
	bool in_section;
	int cpu;
	struct task_struct *runner;
	atomic_t requests;
	union {
		struct {
			bool user_irq_window;
			bool hw_window;
		};
		u16 windows;
	};
	bool resume_work;
	u8 retire;
	u8 shadow;
	u64 tlb_gen_seen;

	struct mvmm_regs regs;
	u64 cr0, cr2, cr4, cr8, efer, xcr0;
	struct {
		u64 cr0, cr4, efer;
	} before;
	u64 dr[4], dr6;
	u64 msr[MVMM_NR_MSRS];
	u64 mtrr[MVMM_NR_MTRRS], mce[MVMM_NR_MCES];
	struct mvmm_guest_caps caps;
	struct mvmm_cpuid_table cpuid;
	u64 tsc_offset;
	struct mvmm_events_state events;
	void *fpu;
	u32 host_pkru;

	struct pgt_cache pgt_cache;
	struct mvmm_pml pml;
	struct mvmm_ring ring;
	u32 *vapic;
	bool vapic_regs;
	bool vapic_irqs;
	bool apic_dirty;
	struct mvmm_fault fault;
	struct mvmm_exit exit;
	struct mvmm_stats stats;

	struct rcuwait wait;
	struct vsched_vcpu se;
	u64 charged, waited, slice_end;
	u64 rest_since, rested;
	seqcount_t rest_seq;
	struct hrtimer slice_timer;

	struct lapic apic;
	struct mvmm_pv pv;
	struct mvmm_inbox inbox;
	struct hrtimer timer;
	u64 timer_due, timer_lead;
	u8 mp_state;
	bool unhalted;
	u16 sipi;
	u32 halt_poll_us;
};

/**
 * mvmm_take() - make the vCPU busy for the caller, until mvmm_let_go()
 * @vcpu: the vCPU
 *
 * Nobody waits for it. Context: any. Return: false: it is busy for another one.
 */
static inline bool mvmm_take(struct mvmm_vcpu *vcpu)
{
	/* pairs with mvmm_let_go() */
	return !test_and_set_bit_lock(0, &vcpu->busy);
}

static inline void mvmm_let_go(struct mvmm_vcpu *vcpu)
{
	clear_bit_unlock(0, &vcpu->busy); /* pairs with mvmm_take() */
}

/*
 * Contexts as code: these check what "Context:" lines and comments promise.
 * They are nothing without CONFIG_PROVE_LOCKING or CONFIG_DEBUG_ATOMIC_SLEEP,
 * so that they may stand on the path of every exit.
 */

/* RUN, GET or SET is at work, for the caller */
static inline void mvmm_assert_busy(const struct mvmm_vcpu *vcpu)
{
	if (IS_ENABLED(CONFIG_PROVE_LOCKING))
		WARN_ON_ONCE(!test_bit(0, &vcpu->busy));
}

/* The guest's FPU and MSRs are in the CPU */
static inline void mvmm_assert_section(const struct mvmm_vcpu *vcpu)
{
	if (IS_ENABLED(CONFIG_PROVE_LOCKING))
		WARN_ON_ONCE(!vcpu->in_section);
}

/* mvmm_vcpu_load() was called, or vcpu_run() runs */
static inline void mvmm_assert_loaded(const struct mvmm_vcpu *vcpu)
{
	if (IS_ENABLED(CONFIG_PROVE_LOCKING))
		WARN_ON_ONCE(preemptible() ||
			     vcpu->cpu != raw_smp_processor_id());
}

/*
 * Not might_sleep(), which calls might_resched() on kernels with
 * PREEMPT_DYNAMIC
 */
#define mvmm_assert_may_sleep() do {					\
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))			\
		might_sleep();						\
} while (0)

#endif
