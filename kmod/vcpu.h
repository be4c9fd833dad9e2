/* SPDX-License-Identifier: GPL-2.0 */
/* A virtual CPU: all that the vendor-neutral part knows of it. */
#ifndef MVMM_VCPU_H
#define MVMM_VCPU_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/rcuwait.h>
#include <linux/types.h>
#include <asm/tsc.h>
#include "uapi/mvmm.h"
#include "logic/cpuid.h"
#include "logic/event.h"
#include "logic/lapic.h"
#include "vm.h"

/* Kept by the generic part: index into mvmm_vcpu.msr */
enum mvmm_kept_msr {
	MVMM_MSR_TSC_AUX,	/* swapped by hand around a section */
	MVMM_MSR_MISC_ENABLE,
	MVMM_NR_MSRS,
};

/* Why the vendor's inner loop came back */
enum mvmm_step {
	MVMM_STEP_REENTER,	/* enter again at once */
	MVMM_STEP_OUTER,	/* leave the inner loop, then enter again */
	MVMM_STEP_FAULT,	/* vcpu->fault needs the host mm */
	MVMM_STEP_PDPTES,	/* the PDPTEs must be read from memory */
	MVMM_STEP_USER,		/* vcpu->exit is for userspace */
};

/* Bits of mvmm_vcpu.requests: reasons not to enter the guest */
#define MVMM_REQ_KICK	(1 << 0)	/* MVMM_VCPU_KICK: leave RUN */
#define MVMM_REQ_EVENTS	(1 << 1)	/* something is in the inbox */
#define MVMM_REQ_EOI	(1 << 2)	/* MVMM_EXIT_EOI is due */
#define MVMM_REQ_PV	(1 << 3)	/* guest memory is to be written: pv.c */
#define MVMM_REQ_SLOT	(1 << 4)	/* it has no slot, or others want it */
#define MVMM_REQ_PAUSE	(1 << 5)	/* it spins: let a sibling run */
#define MVMM_REQ_APIC	(1 << 6)	/* the APIC-access page is in its way */
#define MVMM_REQ_TRIPLE	(1 << 7)	/* merging exceptions ended in a shutdown */

/* Beside MVMM_MP_*: INIT has come, the reset is yet to be done */
#define MVMM_MP_RESET	0xff
#define MVMM_SIPI	0x100

#define MVMM_PML_ENTRIES	512
#define MVMM_PML_EMPTY		(~0ULL)

/*
 * Page-modification log: the CPU writes the address of each page whose D bit it
 * sets, from the last entry down. Where it stands is the CPU's own secret while
 * the guest runs, so entries that were taken are empty again.
 */
struct mvmm_pml {
	u64 *log;	/* NULL: the CPU keeps none */
	int next;	/* to be taken; -1: the CPU is at the end, too */
};

struct mvmm_fault {
	u64 gpa;
	u64 gva;
	u32 access;	/* MVMM_ACCESS_* */
};

/* What others leave for a vCPU's local APIC; all of it atomic bits */
struct mvmm_inbox {
	DECLARE_BITMAP(irr, 256);
	DECLARE_BITMAP(level, 256);	/* the last of that vector was */
	unsigned long flags;		/* apic.c */
	u8 sipi_vector;
};

/* KVM's MSRs, and what was last written to the places they name */
struct mvmm_pv {
	u64 wall_clock, clock, steal;
	u64 stolen;		/* ns */
	u64 last_delay;		/* ns, of the thread */
	u32 clock_version, steal_version;
	u8 todo;		/* pv.c */
	u64 eoi;		/* MSR_KVM_PV_EOI_EN */
	u64 eoi_offered;	/* the same at an entry that set the flag, or 0 */
	u8 __user *eoi_flag;	/* where the owner has it */
};

/* The exit, gathered here and copied into the run page at the end */
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
		typeof(((struct mvmm_run *)0)->error) error;
	};
};

/**
 * struct mvmm_vcpu - a virtual CPU; the vendor's part is around it
 * @vm: holds a reference					[C]
 * @id: index in vm->vcpus					[C]
 * @busy: bit 0: RUN, GET or SET is at work; nobody waits for it
 * @run: the run page, hostile					[C]
 * @has_apic: vm->has_apic					[C]
 * @in_guest: this vCPU executes guest code, or is about to: set
 *	before a full barrier and the check of pending work	[A]
 * @in_run: the thread is in RUN and not asleep in HLT		[A]
 * @in_section: guest FPU and MSRs are in the CPU (run.c)	[R]
 * @cpu: where it was loaded last, -1 before			[A]
 * @requests: MVMM_REQ_*, sticky				[A]
 * @user_irq_window: this RUN's copy of run->irq_window		[R]
 * @hw_window: the CPU was asked for an exit when events can be taken [R]
 * @windows: not 0: one of the two				[R]
 * @resume_work: TIF_NOTIFY_RESUME is due at the end of RUN	[R]
 * @retire: this RUN's copy of run->retire, 0 once it is done	[R]
 * @shadow: MVMM_SHADOW_* as the guest was left or set		[R]
 * @tlb_gen_seen: vm->tlb_gen at the last flush on @cpu		[R]
 * @regs: general registers during RUN				[R]
 * @cr0: as the guest reads it; TS may be stale in it		[R]
 * @cr2: page-fault address					[R]
 * @cr4: as the guest reads it, but for guest-owned bits	[R]
 * @cr8: task priority; see @vapic				[R]
 * @efer: as the guest reads it					[R]
 * @xcr0: extended states enabled				[R]
 * @dr: DR0 .. DR3						[R]
 * @dr6: debug status						[R]
 * @msr: MSRs of kind MVMM_MSR_KEPT				[R]
 * @caps: derived from @cpuid					[R]
 * @cpuid: what CPUID returns					[R]
 * @tsc_offset: guest's TSC minus the host's			[R]
 * @events: pending events					[R]
 * @fpu: XSAVE area						[R]
 * @pgt_cache: tables for the next fault			[R]
 * @pml: what the CPU logs of the guest's writes		[vm's M]
 * @vapic: virtual-APIC page: the guest's task priority is there, until
 *	mvmm_apic_pull(); NULL: the CPU has no use for one	[C]
 * @vapic_regs: so is what else the guest reads or writes there	[R]
 * @vapic_irqs: ISR and IRR are the CPU's: it delivers by itself	[R]
 * @apic_dirty: what @vapic has was changed since the last entry	[R]
 * @fault: for MVMM_STEP_FAULT					[R]
 * @exit: for MVMM_STEP_USER					[R]
 * @stats: counters						[R]
 * @wait: where the thread waits in HLT, or for a slot
 * @se: for the scheduler					[slots.c]
 * @charged: host's TSC of the last charge to @se		[slots.c]
 * @slice_end: host's TSC, 0: nobody competes			[R]
 * @slice_timer: for the same					[slots.c]
 *
 * Of VMs with local APICs only:
 * @apic: the local APIC					[R, see there]
 * @pv: the paravirtual interface				[R]
 * @inbox: interrupts for it					[A]
 * @timer: its timer						[R]
 * @mp_state: MVMM_MP_*						[R]
 * @unhalted: a kick (PV unhalt) that no HLT has used up yet	[R]
 * @sipi: vector of a SIPI to follow, and MVMM_SIPI; or 0	[R]
 * @halt_poll_us: how long HLT waits awake			[R]
 */
struct mvmm_vcpu {
	struct mvmm_vm *vm;
	u32 id;
	unsigned long busy;
	struct mvmm_run *run;

	bool has_apic;
	bool in_guest;
	bool in_run;
	bool in_section;
	int cpu;
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
	u64 dr[4], dr6;
	u64 msr[MVMM_NR_MSRS];
	struct mvmm_guest_caps caps;
	struct mvmm_cpuid_table cpuid;
	u64 tsc_offset;
	struct mvmm_events_state events;
	void *fpu;

	struct pgt_cache pgt_cache;
	struct mvmm_pml pml;
	u32 *vapic;
	bool vapic_regs;
	bool vapic_irqs;
	bool apic_dirty;
	struct mvmm_fault fault;
	struct mvmm_exit exit;
	struct mvmm_stats stats;

	struct rcuwait wait;
	struct vsched_vcpu se;
	u64 charged, slice_end;
	struct hrtimer slice_timer;

	struct lapic apic;
	struct mvmm_pv pv;
	struct mvmm_inbox inbox;
	struct hrtimer timer;
	u8 mp_state;
	bool unhalted;
	u16 sipi;
	u32 halt_poll_us;
};

/* The guest's TSC as it would read it now */
static inline u64 mvmm_guest_tsc(const struct mvmm_vcpu *vcpu)
{
	return rdtsc() + vcpu->tsc_offset;
}

static inline u64 mvmm_ticks_to_ns(u64 ticks)
{
	return mul_u64_u32_div(ticks, USEC_PER_SEC, tsc_khz);
}

#endif
