/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's own types and the functions between its rooms.
 * Nothing here knows VMX or SVM: what those must offer is struct mvmm_ops.
 */
#ifndef MVMM_MVMM_H
#define MVMM_MVMM_H

#include <linux/context_tracking.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/math64.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <uapi/linux/kvm_para.h>
#include <asm/apicdef.h>
#include <asm/debugreg.h>
#include <asm/tsc.h>
#include "../uapi/mvmm.h"
#include "logic/lapic.h"
#include "logic/pgtable.h"
#include "logic/sched.h"

#define MVMM_MAX_VCPUS		64
#define MVMM_MAX_REGIONS	128
#define MVMM_MAX_CPUID		80
#define MVMM_MAX_IOEVENTFDS	64
#define MVMM_MAX_IRQFDS		64
#define MVMM_MAX_MSRS		256
#define MVMM_GPA_BITS		48
#define MVMM_MAX_INSN		15

struct mvmm_vcpu;

/* ---- events (event.c) ------------------------------------------------- */

struct mvmm_event {
	bool valid;
	u8 type;	/* MVMM_EVENT_* */
	u8 vector;
	bool has_error;
	u8 insn_len;	/* of the instruction behind a software event */
	bool from_apic;	/* the local APIC's, to be acknowledged there */
	u32 error_code;
};

struct mvmm_events_state {
	struct mvmm_event inflight;	/* before anything else */
	union {
		struct {
			u8 nmi_pending;
			bool irq_pending;	/* acknowledged: before the APIC's */
			u8 apic_vector;	/* highest requested of the APIC's */
			u8 unused;	/* zero */
		};
		u32 waiting;	/* not 0: any of them */
	};
	u8 irq_vector;
	u8 apic_ppr;		/* apic_vector is deliverable above this class */
};

/* What the CPU says about the guest's readiness for events */
struct mvmm_readiness {
	u8 shadow;	/* MVMM_SHADOW_* */
	bool nmi_masked;
	bool if_set;
};

struct mvmm_event_plan {
	struct mvmm_event inject;
	bool irq_window;
	bool nmi_window;
};

static inline bool mvmm_apic_ready(const struct mvmm_events_state *ev)
{
	return ev->apic_vector >> 4 > ev->apic_ppr >> 4;
}

/* What the APIC holds back for the sake of the task priority; 0: nothing */
static inline u32 mvmm_class_behind_tpr(const struct mvmm_events_state *ev,
					u64 cr8)
{
	u32 class = ev->apic_vector >> 4;

	return class <= cr8 ? class : 0;
}

struct mvmm_event_plan mvmm_event_plan(const struct mvmm_events_state *ev,
				       struct mvmm_readiness ready,
				       bool user_wants_window);
void mvmm_event_taken(struct mvmm_events_state *ev,
		      const struct mvmm_event *event);
void mvmm_event_requeue(struct mvmm_events_state *ev);
bool mvmm_event_merge(struct mvmm_event *first,
		      const struct mvmm_event *second);
bool mvmm_exception_has_error(u8 vector);
int mvmm_events_check(const struct mvmm_events *ev);
struct mvmm_event mvmm_event_decode(u32 info, u32 error_code, u32 insn_len);
u32 mvmm_event_encode(const struct mvmm_event *event);

/* ---- MSRs (msr.c) ----------------------------------------------------- */

/* Kept by the generic part: index into mvmm_vcpu.msr */
enum mvmm_msr_slot {
	MVMM_MSR_TSC_AUX,	/* swapped by hand around a section */
	MVMM_MSR_MISC_ENABLE,
	MVMM_NR_MSRS,
};

enum mvmm_msr_kind {
	MVMM_MSR_NONE,		/* #GP */
	MVMM_MSR_CONST,		/* reads as a constant, writes are dropped */
	MVMM_MSR_SLOT,		/* mvmm_vcpu.msr */
	MVMM_MSR_VENDOR,	/* in the VMCS or VMCB, or swapped by the vendor */
	MVMM_MSR_TSC,
	MVMM_MSR_EFER,
};

enum mvmm_msr_check {
	MVMM_CHECK_ANY,
	MVMM_CHECK_32BIT,
	MVMM_CHECK_CANONICAL,
	MVMM_CHECK_PAT,
};

struct mvmm_msr_policy {
	u32 index;
	enum mvmm_msr_kind kind;
	enum mvmm_msr_check check;
	bool direct;	/* the guest accesses it without an exit */
	u8 slot;
	u64 value;	/* MVMM_MSR_CONST */
};

const struct mvmm_msr_policy *mvmm_msr_policy(u32 index);
const struct mvmm_msr_policy *mvmm_msr_policy_nth(unsigned int n);
bool mvmm_msr_value_ok(const struct mvmm_msr_policy *p, u64 value);
int mvmm_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value);
int mvmm_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
int mvmm_do_rdmsr(struct mvmm_vcpu *vcpu);
int mvmm_do_wrmsr(struct mvmm_vcpu *vcpu);

/* ---- CPUID (cpuid.c) -------------------------------------------------- */

struct mvmm_cpuid_host {
	void (*get)(u32 leaf, u32 subleaf, u32 regs[4]);
	u64 xcr0;		/* what a guest may set */
	u32 tsc_khz;
	u32 gpa_bits;
	bool rdtscp;		/* the vendor can let a guest use it */
	bool invpcid;
};

struct mvmm_cpuid_table {
	u32 nr;
	struct mvmm_cpuid_entry entry[MVMM_MAX_CPUID];
};

/* What a CPUID table lets the guest set */
struct mvmm_guest_caps {
	u64 cr4;
	u64 efer;
	u64 xcr0;
	u8 phys_bits;
	bool tsc_aux;
};

void mvmm_cpuid_default(const struct mvmm_cpuid_host *host,
			struct mvmm_cpuid_table *table);
int mvmm_cpuid_check(const struct mvmm_cpuid_table *table);
void mvmm_cpuid_add_apic(struct mvmm_cpuid_table *table);
void mvmm_cpuid_caps(const struct mvmm_cpuid_table *table,
		     struct mvmm_guest_caps *caps);
void mvmm_cpuid_query(const struct mvmm_cpuid_table *table, u32 leaf,
		      u32 subleaf, u64 cr4, u64 xcr0, u8 vcpu_id, u32 regs[4]);
long mvmm_copy_cpuid(const struct mvmm_cpuid_table *table,
		     struct mvmm_cpuid *user);
void mvmm_do_cpuid(struct mvmm_vcpu *vcpu);
void mvmm_cpuid_init(void);
void mvmm_limit_caps(struct mvmm_vcpu *vcpu);

/* ---- control registers (cr.c) ----------------------------------------- */

bool mvmm_cr0_valid(u64 cr0);
bool mvmm_cr4_valid(const struct mvmm_guest_caps *caps, u64 cr4, u64 efer);
bool mvmm_efer_valid(const struct mvmm_guest_caps *caps, u64 efer);
bool mvmm_xcr0_valid(const struct mvmm_guest_caps *caps, u64 xcr0);
bool mvmm_pdptes_valid(const u64 pdpte[4], u8 phys_bits);
bool mvmm_uses_pae(u64 cr0, u64 cr4, u64 efer);
int mvmm_set_cr0(struct mvmm_vcpu *vcpu, u64 cr0);
int mvmm_set_cr4(struct mvmm_vcpu *vcpu, u64 cr4);
int mvmm_set_efer(struct mvmm_vcpu *vcpu, u64 efer);
int mvmm_write_cr(struct mvmm_vcpu *vcpu, u8 cr, u64 value);
int mvmm_do_xsetbv(struct mvmm_vcpu *vcpu);
int mvmm_load_pdptes(struct mvmm_vcpu *vcpu);
u64 mvmm_dr_fixed(int dr, u64 value);

/* ---- FPU (fpu.c) ------------------------------------------------------ */

int mvmm_fpu_setup(void);
u64 mvmm_fpu_xcr0(void);
extern u64 mvmm_host_xcr0;
u32 mvmm_fpu_size(void);
void *mvmm_fpu_alloc(void);
void mvmm_fpu_free(void *area);
int mvmm_fpu_check(const void *area);

/* ---- memory (memory.c, fault.c) --------------------------------------- */

struct mvmm_mem_region {
	u64 gpa;
	u64 len;
	u64 hva;
	u32 flags;
	unsigned long *dirty;	/* a bit a page, guarded by mmu_lock; or NULL */
};

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

/** mvmm_pml_take() - the oldest entry, or MVMM_PML_EMPTY */
static inline u64 mvmm_pml_take(struct mvmm_pml *pml)
{
	u64 gpa = MVMM_PML_EMPTY;

	if (pml->log && pml->next >= 0)
		gpa = READ_ONCE(pml->log[pml->next]);
	if (gpa != MVMM_PML_EMPTY)
		pml->log[pml->next--] = MVMM_PML_EMPTY;
	return gpa;
}

struct mvmm_fault {
	u64 gpa;
	u64 gva;
	u32 access;	/* MVMM_ACCESS_* */
};

/*
 * Lock legend, for the fields below; the order is in Documentation/locking.rst
 *   [L] vm->lock         [M] vm->mmu_lock    [R] vcpu->busy
 *   [C] set at creation  [A] atomic access, see the comment
 */

/**
 * struct mvmm_vm - a virtual machine
 * @kref: the VM fd and each vCPU hold one
 * @mm: the owner's address space, held by @mn's registration	[C]
 * @mn: tells of every change in @mm				[C]
 * @lock: serializes regions and vCPU creation; may be held across sleeps
 * @mmu_lock: guards the nested table; never taken with interrupts off
 * @pgt: the nested page table					[M]
 * @pgt_cache: tables for the next fault			[M]
 * @regions: sorted by gpa, @nr_regions of them			[L to write, M]
 * @nr_regions: see @regions					[L to write, M]
 * @room: for so many is there memory				[L]
 * @last_region: index of the one that was asked for last	[M]
 * @nr_logged: regions with a dirty bitmap			[M to write, A]
 * @inval_count: invalidations in progress			[M]
 * @inval_seq: invalidations ended				[M]
 * @tlb_gen: grows whenever an entry is removed or loses rights	[M, A]
 * @vcpus: by id					[L and M to write, RCU]
 * @doorbells: see eventfd.c				[L to write, RCU]
 * @irqfds: see eventfd.c					[L]
 * @serial: never used twice, unlike the address		[C]
 * @tsc_base: host TSC at creation: the guest's TSC starts at 0	[C]
 * @has_apic: MVMM_VM_APIC					[C]
 * @nr_vcpus: above the highest id in @vcpus			[L to write, A]
 * @last_lowest: vCPU that took the last lowest-priority interrupt [A]
 * @apic_page: the CPU's APIC-access page may be mapped		[M to write, A]
 * @no_apic_page: it must not be, ever again			[M to write, A]
 * @se: for the scheduler; @pid: of the owner, for people	[slots.c]
 * @dead: the VM met an internal error				[A]
 */
struct mvmm_vm {
	struct kref kref;
	struct mm_struct *mm;
	struct mmu_notifier mn;
	struct mutex lock;
	spinlock_t mmu_lock;
	struct pgt pgt;
	struct mvmm_mem_region *regions;
	int nr_regions;
	int room;
	int last_region;
	int nr_logged;
	unsigned long inval_count;
	unsigned long inval_seq;
	u64 tlb_gen;
	struct mvmm_vcpu *vcpus[MVMM_MAX_VCPUS];
	struct list_head doorbells;
	struct list_head irqfds;
	u64 serial;
	u64 tsc_base;
	bool has_apic;
	u32 nr_vcpus;
	u32 last_lowest;
	bool apic_page;
	bool no_apic_page;
	struct vsched_vm se;
	pid_t pid;
	bool dead;
};

int mvmm_memory_init(struct mvmm_vm *vm);
void mvmm_memory_destroy(struct mvmm_vm *vm);
int mvmm_add_region(struct mvmm_vm *vm, const struct mvmm_region *region);
int mvmm_remove_region(struct mvmm_vm *vm, const struct mvmm_region *region);
int mvmm_get_dirty_log(struct mvmm_vm *vm, const struct mvmm_dirty_log *log);
struct mvmm_mem_region *mvmm_find_region(struct mvmm_vm *vm, u64 gpa);
int mvmm_region_index(const struct mvmm_vm *vm, u64 gpa);
struct mvmm_mem_region *mvmm_exact_region(struct mvmm_vm *vm, u64 gpa, u64 len);
void mvmm_zap(struct mvmm_vm *vm, u64 start, u64 end);
void mvmm_kick_guests(struct mvmm_vm *vm);
void mvmm_flush_guests(struct mvmm_vm *vm);
void mvmm_note_dirty(void *ctx, u64 gpa, u64 pte, int level);
extern const struct mmu_notifier_ops mvmm_notifier_ops;
bool mvmm_may_have_apic_page(const struct mvmm_vm *vm, u64 gpa);
bool mvmm_map_apic_page(struct mvmm_vcpu *vcpu);

/* Bytes of a dirty bitmap for so many bytes of memory */
static inline size_t mvmm_bitmap_bytes(u64 len)
{
	return BITS_TO_LONGS(len >> PAGE_SHIFT) * sizeof(long);
}

void mvmm_drain_pml(struct mvmm_vm *vm);
int mvmm_read_guest(struct mvmm_vm *vm, u64 gpa, void *buf, size_t len);
int mvmm_write_guest(struct mvmm_vm *vm, u64 gpa, const void *buf, size_t len);

/* ---- vCPUs (vcpu.c, run.c) -------------------------------------------- */

/* Why the vendor's inner loop came back */
enum mvmm_step {
	MVMM_STEP_CONTINUE,	/* stay in the inner loop */
	MVMM_STEP_RESUME,	/* go round again: work is pending */
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
 * @msr: MSRs of kind MVMM_MSR_SLOT				[R]
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

enum mvmm_step mvmm_fault(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_apic_exit(struct mvmm_vcpu *vcpu);
void mvmm_unmap_apic_page(struct mvmm_vm *vm);
int mvmm_handle_fault(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_pml_full(struct mvmm_vcpu *vcpu);
int mvmm_prefault(struct mvmm_vm *vm, struct mvmm_prefault *p);
extern const struct file_operations mvmm_vcpu_fops;
int mvmm_vcpu_create(struct mvmm_vm *vm, u32 id);
void mvmm_reset_regs(struct mvmm_regs *regs);
void mvmm_vcpu_reset(struct mvmm_vcpu *vcpu);
long mvmm_vcpu_state_ioctl(struct mvmm_vcpu *vcpu, unsigned int cmd,
			   unsigned long arg);
void mvmm_vcpu_start(struct mvmm_vcpu *vcpu, u8 vector);
long mvmm_vcpu_run(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_come_back(struct mvmm_vcpu *vcpu);
void mvmm_load_debug_registers(struct mvmm_vcpu *vcpu);
void mvmm_host_cpu_on(void);
void mvmm_isolate_vm_now(u64 serial);
DECLARE_PER_CPU(u64, mvmm_last_vm);
void mvmm_host_interrupts(void);
void mvmm_host_machine_check(void);
enum mvmm_step mvmm_irq_window_open(struct mvmm_vcpu *vcpu);
void mvmm_raise(struct mvmm_vcpu *vcpu, u8 vector, u32 error_code);
void mvmm_raise_event(struct mvmm_vcpu *vcpu, const struct mvmm_event *event);
enum mvmm_step mvmm_stop(struct mvmm_vcpu *vcpu, u32 hw_reason,
			 u64 qualification, const char *text);

/* A generation that none is: the vCPU has come from another CPU */
#define MVMM_TLB_MOVED (~0ULL)

/**
 * mvmm_tlb_needs_flush() - may this CPU hold stale translations of the VM?
 * @vm_gen: the VM's generation now
 * @seen_gen: the generation at the vCPU's last flush, or MVMM_TLB_MOVED
 *
 * Pure. A generation only grows when an entry was removed or lost rights;
 * entries that were added cannot be cached stale. After a move this CPU may
 * hold what the vCPU cached here long ago.
 */
static inline bool mvmm_tlb_needs_flush(u64 vm_gen, u64 seen_gen)
{
	return vm_gen != seen_gen;
}

/**
 * mvmm_isolate_vm() - keep the predictions of one VM from the next
 * @vcpu: about to be entered
 *
 * Context: interrupts off. At the start of a section, and again after
 * interrupts were open.
 */
static inline void mvmm_isolate_vm(struct mvmm_vcpu *vcpu)
{
	u64 serial = vcpu->vm->serial;

	if (unlikely(__this_cpu_read(mvmm_last_vm) != serial))
		mvmm_isolate_vm_now(serial);
}

/* Must the inner loop come back? What is raised later interrupts the guest */
static inline bool mvmm_must_come_back(struct mvmm_vcpu *vcpu)
{
	const unsigned long work = _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL |
				   _TIF_NEED_RESCHED | _TIF_NOTIFY_RESUME;

	return READ_ONCE(current_thread_info()->flags) & work ||
	       atomic_read(&vcpu->requests);
}

/**
 * mvmm_enter_begin() - from here on the vCPU counts as in the guest
 * @vcpu: the vCPU
 *
 * Context: interrupts off until mvmm_enter_end(). Return: false if the inner
 * loop must come back first.
 */
static inline bool mvmm_enter_begin(struct mvmm_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->in_guest, true);
	smp_mb(); /* pairs with mvmm_kick_guests() and mvmm_request() */
	if (likely(!mvmm_must_come_back(vcpu)))
		return true;
	WRITE_ONCE(vcpu->in_guest, false);
	return false;
}

void mvmm_pv_eoi_look(struct mvmm_vcpu *vcpu);

/**
 * mvmm_enter_end() - the guest has been left
 * @vcpu: the vCPU
 */
static inline void mvmm_enter_end(struct mvmm_vcpu *vcpu)
{
	/* The host's breakpoints, if it has any in use */
	if (unlikely(hw_breakpoint_active()))
		hw_breakpoint_restore();
	if (unlikely(vcpu->pv.eoi_offered))
		mvmm_pv_eoi_look(vcpu);
	WRITE_ONCE(vcpu->in_guest, false);
	vcpu->stats.entries++;
}

/*
 * guest_state_enter_irqoff(), but for its note to RCU at every entry:
 * mvmm_host_interrupts() gives it, which is when RCU may wait for one.
 */
static __always_inline void mvmm_guest_state_enter(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();
	context_tracking_guest_enter();
	lockdep_hardirqs_on(_THIS_IP_);
}

/* The guest's TSC as it would read it now */
static inline u64 mvmm_guest_tsc(const struct mvmm_vcpu *vcpu)
{
	return rdtsc() + vcpu->tsc_offset;
}

static inline u64 mvmm_ticks_to_ns(u64 ticks)
{
	return mul_u64_u32_div(ticks, USEC_PER_SEC, tsc_khz);
}

/* ---- VMs (vm.c) ------------------------------------------------------- */

int mvmm_vm_create(u32 flags);
void mvmm_vm_put(struct mvmm_vm *vm);

/* ---- local APICs (apic.c) --------------------------------------------- */

void mvmm_request(struct mvmm_vcpu *vcpu, int request);
void mvmm_kick_cpu(struct mvmm_vcpu *vcpu);
enum mvmm_step mvmm_pause_loop(struct mvmm_vcpu *vcpu);
int mvmm_send(struct mvmm_vm *vm, const struct mvmm_vcpu *from,
	      const struct lapic_msg *msg);
int mvmm_msi(struct mvmm_vm *vm, const struct mvmm_msi *msi);
void mvmm_apic_init(struct mvmm_vcpu *vcpu);
void mvmm_apic_destroy(struct mvmm_vcpu *vcpu);
void mvmm_apic_moved(struct mvmm_vcpu *vcpu);
void mvmm_apic_refresh(struct mvmm_vcpu *vcpu);
void mvmm_apic_pull_now(struct mvmm_vcpu *vcpu);

/**
 * mvmm_apic_pull() - what the guest did to its APIC without an exit
 * @vcpu: the calling thread's
 *
 * Before anything looks at vcpu->apic or cr8, or changes them.
 */
static inline void mvmm_apic_pull(struct mvmm_vcpu *vcpu)
{
	if (vcpu->vapic && !vcpu->apic_dirty)
		mvmm_apic_pull_now(vcpu);
}

void mvmm_apic_collect(struct mvmm_vcpu *vcpu);
void mvmm_take_event(struct mvmm_vcpu *vcpu, const struct mvmm_event *event,
		     struct mvmm_events_state *undo);

/* One of those that the two functions below know? */
static inline bool mvmm_is_apic_msr(u32 index)
{
	return index - APIC_BASE_MSR < 0x100 || index == MSR_IA32_TSC_DEADLINE ||
	       index == MSR_IA32_APICBASE;
}

int mvmm_apic_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value);
int mvmm_apic_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
void mvmm_apic_tsc_moved(struct mvmm_vcpu *vcpu, u64 by);
void mvmm_apic_eoi(struct mvmm_vcpu *vcpu);
void mvmm_apic_set_cr8(struct mvmm_vcpu *vcpu, u64 cr8);
int mvmm_apic_access(struct mvmm_vcpu *vcpu, struct mvmm_apic_access *access);
bool mvmm_halts_for_good(const struct mvmm_vcpu *vcpu, u64 rflags);
enum mvmm_step mvmm_halt(struct mvmm_vcpu *vcpu);
int mvmm_wait(struct mvmm_vcpu *vcpu);
void mvmm_reset_and_start(struct mvmm_vcpu *vcpu);
void mvmm_apic_ended(struct mvmm_vcpu *vcpu, u8 vector);
void mvmm_apic_written(struct mvmm_vcpu *vcpu, u32 offset);
int mvmm_set_apic(struct mvmm_vcpu *vcpu, const struct mvmm_apic *state);

/* ---- who may enter the guest (slots.c) -------------------------------- */

int mvmm_slots_init(void);
void mvmm_slots_exit(void);
void mvmm_slots_add_vm(struct mvmm_vm *vm);
void mvmm_slots_remove_vm(struct mvmm_vm *vm);
void mvmm_slots_add(struct mvmm_vcpu *vcpu);
void mvmm_slots_remove(struct mvmm_vcpu *vcpu);
int mvmm_slot_get(struct mvmm_vcpu *vcpu, bool pause);
void mvmm_slot_look(struct mvmm_vcpu *vcpu);
void mvmm_slot_put(struct mvmm_vcpu *vcpu);
int mvmm_set_sched(struct mvmm_vm *vm, const struct mvmm_vm_sched *s);
void mvmm_get_times(struct mvmm_vcpu *vcpu, struct mvmm_times *times);
u64 mvmm_slot_waited(const struct mvmm_vcpu *vcpu);

/* bench/run also builds the module without, to see what the scheduler costs */
#ifdef MVMM_NO_SCHED
#define mvmm_has_sched false
#else
#define mvmm_has_sched true
#endif

/* Before the first entry of a RUN, or after a sleep */
static inline void mvmm_slot_enter(struct mvmm_vcpu *vcpu)
{
	/* The barrier behind it is mvmm_enter_begin()'s */
	if (mvmm_has_sched)
		WRITE_ONCE(vcpu->in_run, true);
}

/*
 * To userspace, which handles the exit in the vCPU's time: the slot is kept
 * until its slice ends, unless that was just now.
 */
static inline void mvmm_slot_leave(struct mvmm_vcpu *vcpu)
{
	if (!mvmm_has_sched)
		return;
	/* pairs with call_back()'s in slots.c */
	smp_store_mb(vcpu->in_run, false);
	if (unlikely(atomic_read(&vcpu->requests) & MVMM_REQ_SLOT))
		mvmm_slot_look(vcpu);
}

/* ---- paravirtual interface (pv.c) ------------------------------------- */

/* KVM's range; what is not there raises #GP */
static inline bool mvmm_is_pv_msr(u32 index)
{
	return index >> 8 == 0x4b564d;
}

/**
 * mvmm_pv_clock_rate() - a TSC's rate as pvclock wants it
 * @khz: the TSC's, not 0
 * @mul: out: ns = ((ticks << shift) * mul) >> 32
 * @shift: out, may be negative
 */
static inline void mvmm_pv_clock_rate(u32 khz, u32 *mul, s8 *shift)
{
	u64 hz = khz * 1000ull;

	*shift = 0;
	for (; hz > 2 * NSEC_PER_SEC; hz >>= 1)
		--*shift;
	for (; hz <= NSEC_PER_SEC; hz <<= 1)
		++*shift;
	*mul = ((u64)NSEC_PER_SEC << 32) / hz;
}

/** mvmm_pv_eoi_usable() - may the guest be offered to do without EOI? */
static inline bool mvmm_pv_eoi_usable(const struct mvmm_vcpu *vcpu)
{
	/* Where the CPU does EOI there is no exit to be saved */
	return vcpu->pv.eoi & KVM_MSR_ENABLED && !vcpu->vapic_irqs;
}

void mvmm_pv_eoi_offer(struct mvmm_vcpu *vcpu);
void mvmm_pv_eoi_finish(struct mvmm_vcpu *vcpu);
void mvmm_pv_steal(struct mvmm_vcpu *vcpu);
void mvmm_pv_update(struct mvmm_vcpu *vcpu);
int mvmm_pv_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value);
int mvmm_pv_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
void mvmm_do_hypercall(struct mvmm_vcpu *vcpu);
void mvmm_pv_tsc_changed(struct mvmm_vcpu *vcpu);

/* ---- doorbells and interrupt wires (eventfd.c) ------------------------ */

bool mvmm_ring(struct mvmm_vcpu *vcpu);
int mvmm_ioeventfd(struct mvmm_vm *vm, const struct mvmm_ioeventfd *e);
int mvmm_irqfd(struct mvmm_vm *vm, const struct mvmm_irqfd *i);
void mvmm_doorbells_destroy(struct mvmm_vm *vm);
void mvmm_irqfds_destroy(struct mvmm_vm *vm);

/* ---- main.c ----------------------------------------------------------- */

int mvmm_hardware_get(void);
void mvmm_hardware_put(void);
int mvmm_hardware_init(void);
void mvmm_hardware_exit(void);
bool mvmm_on_bochs(void);
extern struct mvmm_cpuid_table mvmm_default_cpuid;

/* ---- ioctl.c ---------------------------------------------------------- */

#define MVMM_MAX_STRUCT 1600

/**
 * struct mvmm_ioctl - one ioctl that takes a struct
 * @cmd: MVMM_*
 * @min: size of the struct's first version
 * @size: its size now, at most MVMM_MAX_STRUCT
 * @out: copy the struct back when @fn returns 0 or more, -ENOSPC or
 *	-EINTR
 * @fn: handler; @obj is the fd's private data, @arg the kernel's copy
 */
struct mvmm_ioctl {
	unsigned int cmd;
	u32 min;
	u32 size;
	bool out;
	long (*fn)(void *obj, void *arg);
};

#define MVMM_IOCTL(_cmd, _type, _last, _out, _fn) {			\
	.cmd = (_cmd), .min = offsetofend(_type, _last),		\
	.size = sizeof(_type), .out = (_out), .fn = (_fn) }

long mvmm_dispatch(const struct mvmm_ioctl *table, int nr, void *obj,
		   unsigned int cmd, unsigned long arg);

/* ---- what a vendor offers --------------------------------------------- */

/**
 * struct mvmm_ops - VMX or SVM
 * @name: "vmx" or "svm"
 * @present: does the CPU have the extension at all?
 * @setup: probe, name what is missing, make per-CPU areas; 0 or -errno
 * @teardown: undo @setup
 * @caps: features, formats and limits found by @setup
 * @cpu_enable: turn the extension on here; interrupts off; 0 or -errno
 * @cpu_disable: let go of all vCPUs loaded here, turn it off; interrupts off
 * @vcpu_alloc: the vendor's struct around a zeroed vCPU, in reset state, or
 *	ERR_PTR
 * @vcpu_free: undo @vcpu_alloc; the vCPU is loaded nowhere afterwards
 * @vcpu_load: make the vCPU current on this CPU, where it stays until another
 *	is loaded; preemption off
 * @vcpu_run: @vcpu_load, and enter the guest until there is something that the
 *	inner loop may not do; called in a section (see run.c), interrupts on
 * @sync_crs: cr0, cr4 or efer changed; vCPU loaded
 * @retire: step over the vcpu->retire bytes at rip; vCPU loaded, outside of a
 *	section: in one, @vcpu_run does that
 * @get_state: segments, tables, cr3 and guest-owned bits; vCPU loaded
 * @set_state: the same; vCPU loaded
 * @get_paging: cr3, cs, CPL and PDPTEs, into the run page; vCPU loaded
 * @get_events: NMI mask, pending debug exceptions; vCPU loaded
 * @set_events: the same; vCPU loaded
 * @get_dr7: vCPU loaded
 * @set_dr7: vCPU loaded
 * @get_msr: an MSR of kind MVMM_MSR_VENDOR; vCPU loaded
 * @set_msr: the same; the value is checked
 * @sync_tsc: tsc_offset changed; vCPU loaded
 */
struct mvmm_ops {
	const char *name;
	bool (*present)(void);
	int (*setup)(void);
	void (*teardown)(void);
	int (*cpu_enable)(void);
	void (*cpu_disable)(void);
	struct mvmm_vcpu *(*vcpu_alloc)(struct mvmm_vm *vm);
	void (*vcpu_free)(struct mvmm_vcpu *vcpu);
	void (*vcpu_load)(struct mvmm_vcpu *vcpu);
	enum mvmm_step (*vcpu_run)(struct mvmm_vcpu *vcpu);
	void (*sync_crs)(struct mvmm_vcpu *vcpu);
	void (*retire)(struct mvmm_vcpu *vcpu);
	void (*get_state)(struct mvmm_vcpu *vcpu, struct mvmm_sregs *sregs);
	void (*set_state)(struct mvmm_vcpu *vcpu,
			  const struct mvmm_sregs *sregs);
	void (*get_paging)(struct mvmm_vcpu *vcpu, struct mvmm_paging *paging);
	void (*get_events)(struct mvmm_vcpu *vcpu, struct mvmm_events *ev);
	void (*set_events)(struct mvmm_vcpu *vcpu,
			   const struct mvmm_events *ev);
	u64 (*get_dr7)(struct mvmm_vcpu *vcpu);
	void (*set_dr7)(struct mvmm_vcpu *vcpu, u64 dr7);
	u64 (*get_msr)(struct mvmm_vcpu *vcpu, u32 index);
	void (*set_msr)(struct mvmm_vcpu *vcpu, u32 index, u64 value);
	void (*sync_tsc)(struct mvmm_vcpu *vcpu);
};

/* What setup() found */
struct mvmm_vendor_caps {
	u64 features;
	u64 cr4;		/* CR4 bits that a guest may set on this CPU */
	bool rdtscp;
	bool invpcid;
	bool pml;		/* a vCPU has a log: see struct mvmm_pml */
	u64 apic_access;	/* APIC-access page, or 0: none */
	struct pgt_format pgt;
};

extern const struct mvmm_ops *mvmm_ops;
extern struct mvmm_vendor_caps mvmm_vendor;
extern const struct mvmm_ops mvmm_vmx_ops;
extern const struct mvmm_ops mvmm_svm_ops;

/* Its thread came here from another CPU: may it keep its slot? */
static inline void mvmm_vcpu_moved(struct mvmm_vcpu *vcpu)
{
	vcpu->stats.migrations++;
	if (vcpu->has_apic)
		mvmm_apic_moved(vcpu);
	atomic_or(MVMM_REQ_SLOT, &vcpu->requests);
}

/**
 * mvmm_vcpu_load() - make the vCPU's hardware state current on this CPU
 * @vcpu: it is busy for the caller
 *
 * Preemption is off until mvmm_vcpu_put().
 */
static inline void mvmm_vcpu_load(struct mvmm_vcpu *vcpu)
{
	preempt_disable();
	mvmm_ops->vcpu_load(vcpu);
}

static inline void mvmm_vcpu_put(struct mvmm_vcpu *vcpu)
{
	preempt_enable();
}

#endif
