/* SPDX-License-Identifier: GPL-2.0 */
/* VMX: types and functions shared by the files of this directory. */
#ifndef MVMM_VMX_H
#define MVMM_VMX_H

#include <asm/desc_defs.h>
#include <asm/vmx.h>
#include "compat.h"
#include "mm/memory.h"
#include "vcpu.h"

/* ---- capabilities (caps.c) -------------------------------------------- */

/* The capability MSRs, as the CPU has them */
struct vmx_cap_msrs {
	u64 basic;
	u64 pin, primary, secondary, exit, entry, misc;
	u64 ept_vpid;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};

/**
 * struct vmx_caps - what mvmm uses of this CPU's VMX
 * @revision: VMCS revision identifier
 * @pin: pin-based controls
 * @primary: primary processor-based controls of a new vCPU
 * @secondary: secondary processor-based controls of a new vCPU
 * @exit: VM-exit controls
 * @entry: VM-entry controls
 * @vpid: VPIDs
 * @ept_ad: accessed and dirty bits of EPT
 * @pml: page-modification logging
 * @tsc_scaling: the guest's TSC can have another rate
 * @tpr_shadow: TPR shadow
 * @apicv: VMX_APICV
 * @apic_page: VMX_APIC_PAGE
 * @insn_info: an exit by INS or OUTS tells the address size
 * @ept_2m: leaves of 2 MiB
 * @ept_1g: leaves of 1 GiB
 * @preemption_timer: VMX preemption timer
 * @timer_shift: it counts TSC ticks >> @timer_shift
 * @nx_huge: no leaf but those of 4 KiB may be executed
 * @flush_l1d: the CPU leaks its L1D cache, and can flush it
 * @perf: the host's perf uses counters that it may want to be off in a guest
 * @cr0_fixed0: bits of CR0 that must be 1
 * @cr4_fixed0: bits of CR4 that must be 1
 * @cr4_fixed1: bits of CR4 that may be 1
 */
struct vmx_caps {
	u32 revision;
	u32 pin, primary, secondary, exit, entry;
	bool vpid;
	bool ept_ad;
	bool pml;
	bool tsc_scaling;
	bool tpr_shadow;
	bool apicv;
	bool apic_page;
	bool insn_info;
	bool ept_2m, ept_1g;
	bool preemption_timer;
	u8 timer_shift;
	bool nx_huge;
	bool flush_l1d, perf;
	u64 cr0_fixed0, cr4_fixed0, cr4_fixed1;
};

/* The controls with which the CPU does an x2APIC's work */
#define VMX_APICV (SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE |	\
		   SECONDARY_EXEC_APIC_REGISTER_VIRT |		\
		   SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)

/* The controls with which it does as much of an xAPIC's work as it can */
#define VMX_APIC_PAGE (SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES |	\
		       SECONDARY_EXEC_APIC_REGISTER_VIRT)

/* What mvmm needs of a control */
enum vmx_need {
	VMX_MUST = 1,	/* always set */
	VMX_ABLE,	/* must be settable; set when needed */
	VMX_OPTIONAL,	/* used where the CPU can: see vmx_negotiate() */
	VMX_NEVER,	/* must be clearable */
};

/* Some bits of one word of controls, and what mvmm needs of them */
struct vmx_ctl {
	u32 bits;
	enum vmx_need need;
	const char *name;
};

/* Reports one missing feature; @ctx as given to vmx_negotiate() */
typedef void (*vmx_missing_fn)(void *ctx, const char *name);

int vmx_reconcile(u64 msr, const struct vmx_ctl *ctl, u32 *out,
		  vmx_missing_fn missing, void *ctx);
int vmx_negotiate(const struct vmx_cap_msrs *msrs, struct vmx_caps *caps,
		  vmx_missing_fn missing, void *ctx);
bool vmx_present(void);
int vmx_probe(struct vmx_caps *caps);

extern struct vmx_caps vmx_caps;

/* ---- VMCSs, and on which CPU they are (vmcs.c) ------------------------- */

/**
 * struct vmx_vmcs - a VMCS and where it is
 * @region: what the CPU uses
 * @cpu: the CPU that may have it in its cache; -1: none, it is clear
 * @launched: it needs VMRESUME, not VMLAUNCH
 * @link: in loaded_list of @cpu; changed only there, with interrupts off
 */
struct vmx_vmcs {
	u32 *region;
	int cpu;
	bool launched;
	struct list_head link;
};

int vmx_vmcs_setup(void);
void vmx_vmcs_teardown(void);
int vmx_cpu_enable(void);
void vmx_cpu_disable(void);
int vmx_vmcs_alloc(struct vmx_vmcs *vmcs);
void vmx_vmcs_free(struct vmx_vmcs *vmcs);
void vmx_vmcs_load(struct vmx_vmcs *vmcs);
DECLARE_PER_CPU(struct vmx_vmcs *, vmx_current);
bool vmx_is_on(void);

/* ---- the vCPU --------------------------------------------------------- */

/*
 * STAR, LSTAR, SFMASK, KERNEL_GS_BASE; and CSTAR, which Intel CPUs do not use
 */
#define VMX_NR_MSRS	5
#define VMX_KERNEL_GS	3
/*
 * MSRs that an entry and an exit load: perf has one that turns counters on and off,
 * and one for PEBS; and SPEC_CTRL
 */
#define VMX_NR_PERF	2
#define VMX_NR_LOADED	(VMX_NR_PERF + 1)

/**
 * struct vmx_undo - what is put back if the CPU refuses an entry
 * @events: vcpu->events from before
 * @valid: the entry had events to handle
 */
struct vmx_undo {
	struct mvmm_events_state events;
	bool valid;
};

/**
 * struct vmx_vcpu - VMX's part of a vCPU
 * @vcpu: the generic part
 * @vmcs: its VMCS
 * @vpid: 0: none
 * @eptp: EPT pointer
 * @primary: primary controls, as in the VMCS
 * @secondary: secondary controls, as in the VMCS
 * @entry: entry controls, as in the VMCS
 * @rip: GUEST_RIP when regs_from_vmcs() read it last; if vcpu.regs differs, it
 *	is written
 * @rsp: the same for GUEST_RSP
 * @rflags: the same for GUEST_RFLAGS
 * @flush_vcpu: flush this vCPU's own translations before the next entry
 * @pml: page-modification logging is on
 * @tpr_threshold: as in the VMCS
 * @eoi_exits: as in the VMCS
 * @apic_controls: the secondary controls of VMX_APICV and VMX_APIC_PAGE that
 *	are on
 * @breakpoints: the guest's DR7 enables breakpoints
 * @syscall_msrs: the guest's STAR, LSTAR, SFMASK are in the CPU
 * @undo: see struct vmx_undo
 * @contended: the slice has an end: others want the slot
 * @has_timer: the preemption timer is on
 * @reason: exit reason of the last exit
 * @intr_info: of the last exit, if it was by an exception or NMI
 * @msr: the guest's MSRs that are swapped by hand; in a section they may be in
 *	the CPU
 * @host_gs_base: the host's KERNEL_GS_BASE, in a section
 * @host_rsp: as in the VMCS
 * @host_cr3: as in the VMCS
 * @host_cr4: as in the VMCS
 * @host_debugctl: IA32_DEBUGCTL, which an exit clears
 * @host_fs_base: the host's base of FS, as in the VMCS
 * @host_gdt: the GDT of the CPU on which it is loaded
 * @host_fs: the host's FS, with TI and RPL, when the section began
 * @host_gs: the same for GS
 * @odd_segments: not 0 if FS, GS, DS, ES or LDTR has a selector that an exit
 *	does not restore
 * @host_ds: the host's DS
 * @host_es: the host's ES
 * @host_ldt: the host's LDTR when interrupts were on last
 * @on_entry: MSRs that an entry loads
 * @on_exit: the same MSRs, which an exit loads
 * @nr_loaded: how many they are
 * @careful: L1D is flushed, or there may be some to load: the host counts, or the
 *	guest has SPEC_CTRL
 * @spec_ctrl: the guest's IA32_SPEC_CTRL, if it has one
 * @stop_pebs: the host uses PEBS, which must be off some time before an entry
 */
struct vmx_vcpu {
	struct mvmm_vcpu vcpu;
	struct vmx_vmcs vmcs;
	u16 vpid;
	u64 eptp;
	u32 primary, secondary, entry;
	u64 rip, rsp, rflags;
	bool flush_vcpu;
	bool pml;
	u8 tpr_threshold;
	u64 eoi_exits[4];
	u32 apic_controls;
	bool breakpoints;
	bool syscall_msrs;
	struct vmx_undo undo;
	bool contended, has_timer;
	u32 reason;
	u32 intr_info;
	u64 msr[VMX_NR_MSRS];
	u64 host_gs_base;
	unsigned long host_rsp, host_cr3, host_cr4;
	unsigned long host_debugctl;
	u64 host_fs_base;
	struct desc_ptr host_gdt;
	u16 host_fs, host_gs, odd_segments, host_ds, host_es, host_ldt;
	struct vmx_msr_entry on_entry[VMX_NR_LOADED], on_exit[VMX_NR_LOADED];
	int nr_loaded;
	bool careful;
	u8 spec_ctrl;
	bool stop_pebs;
};

static inline struct vmx_vcpu *to_vmx(struct mvmm_vcpu *vcpu)
{
	return container_of(vcpu, struct vmx_vcpu, vcpu);
}

/* entry.S: returns false when the CPU refused VMLAUNCH or VMRESUME */
bool vmx_enter(struct mvmm_regs *regs, bool launched, unsigned long *host_rsp);
extern char vmx_exit[];

/* From @now to @then. If they are equal it is not written: WRMSR is slow */
static __always_inline void vmx_swap_msr(u32 index, u64 now, u64 then)
{
	if (now != then)
		native_wrmsrq(index, then);
}

/* ---- controls (controls.c) -------------------------------------------- */

/* The bit in the MSR bitmap where its half for writes begins */
#define VMX_MSR_WRITES	(2048 * 8)

extern unsigned long *vmx_msr_bitmap;
int vmx_controls_setup(void);
void vmx_controls_teardown(void);
void vmx_sync_secondary(struct vmx_vcpu *vmx);
void vmx_init_controls(struct vmx_vcpu *vmx);

/* ---- host state (host.c) ---------------------------------------------- */

void vmx_init_host(void);
void vmx_host_cpu_on(void);
void vmx_load_cpu_state(struct vmx_vcpu *vmx);
u64 *vmx_find_msr(struct vmx_vcpu *vmx, u32 index);
void vmx_swap_syscall_msrs(struct vmx_vcpu *vmx, bool to_guest);

/* ---- MSRs that an entry and an exit load (loaded.c) -------------------- */

struct perf_guest_switch_msr;
void vmx_init_loaded(struct vmx_vcpu *vmx);
int vmx_list_perf(struct vmx_vcpu *vmx, const struct perf_guest_switch_msr *msr,
		  int nr);
int vmx_list_spec_ctrl(struct vmx_vcpu *vmx, int n, u64 host);
void vmx_sync_loaded(struct vmx_vcpu *vmx);

/* ---- guest state (state.c) -------------------------------------------- */

void vmx_init_state(struct vmx_vcpu *vmx);
bool vmx_in_64bit_code(struct vmx_vcpu *vmx);
void vmx_end_shadow(u32 info);
bool vmx_advance_rip(struct vmx_vcpu *vmx, unsigned int len);
void vmx_sync_crs(struct mvmm_vcpu *vcpu);
void vmx_get_state(struct mvmm_vcpu *vcpu, struct mvmm_sregs *sregs);
void vmx_set_state(struct mvmm_vcpu *vcpu, const struct mvmm_sregs *sregs);
void vmx_get_paging(struct mvmm_vcpu *vcpu, struct mvmm_paging *paging);
void vmx_get_events(struct mvmm_vcpu *vcpu, struct mvmm_events *ev);
void vmx_set_events(struct mvmm_vcpu *vcpu, const struct mvmm_events *ev);
u64 vmx_get_dr7(struct mvmm_vcpu *vcpu);
void vmx_set_dr7(struct mvmm_vcpu *vcpu, u64 dr7);
u64 vmx_get_msr(struct mvmm_vcpu *vcpu, u32 index);
void vmx_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
void vmx_sync_tsc(struct mvmm_vcpu *vcpu);

/* ---- exits (exit.c, decode.c) ----------------------------------------- */

struct vmx_cr_access {
	u8 cr;
	u8 kind;	/* VMX_CR_* */
	u8 reg;		/* general register, in the order of its encoding */
	u16 lmsw;
};

#define VMX_CR_WRITE	0
#define VMX_CR_READ	1
#define VMX_CR_CLTS	2
#define VMX_CR_LMSW	3

struct vmx_dr_access {
	u8 dr;
	u8 reg;
	bool read;
};

void vmx_decode_io(u64 qualification, struct mvmm_exit *exit);
u8 vmx_decode_addr_size(u32 insn_info);
struct vmx_cr_access vmx_decode_cr(u64 qualification);
struct vmx_dr_access vmx_decode_dr(u64 qualification);
u32 vmx_decode_ept(u64 qualification);
u32 vmx_decode_apic_access(u64 qualification);
u32 vmx_segment_ar(u16 attr);
u16 vmx_segment_attr(u32 ar);

enum mvmm_step vmx_handle_exit(struct vmx_vcpu *vmx);
void vmx_collect_inflight(struct vmx_vcpu *vmx);

/*
 * Only these exits can come in the middle of a delivery (SDM vol. 3, 25.9.3).
 * After any other, the IDT-vectoring information is not valid and need not be
 * read.
 */
#define VMX_IN_DELIVERY							\
	(BIT_ULL(EXIT_REASON_EXCEPTION_NMI) |				\
	 BIT_ULL(EXIT_REASON_TASK_SWITCH) |				\
	 BIT_ULL(EXIT_REASON_APIC_ACCESS) |				\
	 BIT_ULL(EXIT_REASON_EPT_VIOLATION) |				\
	 BIT_ULL(EXIT_REASON_EPT_MISCONFIG) |				\
	 BIT_ULL(EXIT_REASON_PML_FULL))

/* ---- EPT (ept.c) ------------------------------------------------------ */

void vmx_ept_format(const struct vmx_caps *caps, struct pgt_format *fmt);
u64 vmx_eptp(const struct vmx_caps *caps, u64 root_pa);
void vmx_flush_now(struct vmx_vcpu *vmx, u64 gen);

/* ---- dump.c ----------------------------------------------------------- */

#ifdef CONFIG_MVMM_DEBUG
void vmx_dump(struct vmx_vcpu *vmx);
#else
static inline void vmx_dump(struct vmx_vcpu *vmx) {}
#endif

#endif
