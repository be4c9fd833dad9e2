/* SPDX-License-Identifier: GPL-2.0 */
/* SVM: types and functions shared by the files of this directory. */
#ifndef MVMM_SVM_H
#define MVMM_SVM_H

#include "vcpu.h"

struct vmcb;

/* ---- capabilities (caps.c) -------------------------------------------- */

/* CPUID leaf 0x8000000a, as the CPU has it */
struct svm_cap_regs {
	u32 eax, ebx, ecx, edx;
};

/**
 * struct svm_caps - what mvmm uses of this CPU's SVM
 * @max_asid: the highest ASID that a guest may have
 * @nrips: an exit tells where the next instruction begins
 * @decode_assists: an exit by MOV CR tells the register
 * @flush_by_asid: the CPU can flush one ASID alone
 * @pause_filter: the CPU can count PAUSEs
 * @clean_bits: VMCB clean bits
 * @tcg: this is QEMU's plain emulation (TCG): see svm_mend_tcg()
 * @bochs: this is Bochs: see svm_mend_bochs()
 */
struct svm_caps {
	u32 max_asid;
	bool nrips;
	bool decode_assists;
	bool flush_by_asid;
	bool pause_filter;
	bool clean_bits;
	bool tcg;
	bool bochs;
};

/* Reports one missing feature; @ctx as given to svm_negotiate() */
typedef void (*svm_missing_fn)(void *ctx, const char *name);

int svm_negotiate(const struct svm_cap_regs *regs, struct svm_caps *caps,
		  svm_missing_fn missing, void *ctx);
bool svm_present(void);
int svm_probe(struct svm_caps *caps);

extern struct svm_caps svm_caps;

/* ---- the VMCB and the CPU's areas (vmcb.c) ---------------------------- */

int svm_vmcb_setup(void);
void svm_vmcb_teardown(void);
int svm_cpu_enable(void);
void svm_cpu_disable(void);
struct vmcb *svm_vmcb_alloc(void);
void svm_vmcb_free(struct vmcb *vmcb);

DECLARE_PER_CPU(u64, svm_host_pa);

/** svm_host_area() - where the host's state is. Context: preemption off */
static inline u64 svm_host_area(void)
{
	return __this_cpu_read(svm_host_pa);
}

/* ---- the vCPU --------------------------------------------------------- */

/* The ASIDs of one CPU: in this generation all below @next were given out */
struct svm_asids {
	u64 generation;
	u32 next;
};

/*
 * A vCPU's ASID: valid on the CPU where it ran last, while that CPU's ASIDs are
 * of the same generation. No CPU's are of generation 0.
 */
struct svm_tag {
	u64 generation;
	u32 asid;
};

/**
 * struct svm_undo - what is put back if the CPU refuses an entry
 * @events: vcpu->events from before
 * @int_state: the VMCB's int_state from before
 * @nmi_masked: from before
 * @valid: the entry had events to handle
 */
struct svm_undo {
	struct mvmm_events_state events;
	u32 int_state;
	bool nmi_masked;
	bool valid;
};

/**
 * struct svm_vcpu - SVM's part of a vCPU
 * @vcpu: the generic part
 * @vmcb: its VMCB
 * @vmcb_pa: physical address of @vmcb
 * @tag: what its translations are tagged with, see npt.c
 * @flush_vcpu: flush this vCPU's own translations before the next entry
 * @moved: another CPU ran it before
 * @mov_ss: the VMCB's one shadow bit stands for MOV SS: userspace has set it so
 * @owns_drs: the guest accesses debug registers without exits, until the
 *	section ends
 * @nmi_masked: an NMI was delivered, and its IRET was not executed yet
 * @at_iret: that IRET is the next instruction, at @iret_rip
 * @stepping: we have set TF, to exit when the NMI is not blocked any more
 * @guest_tf: the guest's own TF while @stepping
 * @iret_rip: see @at_iret
 * @pending_dbg: pending debug exceptions, like VMX's field of that name
 * @soft_rip: rip of the instruction whose event @soft was injected
 * @soft: the software event that the last entry injected, if valid
 * @undo: see struct svm_undo
 * @unproven: state was changed that the CPU has not accepted in an entry yet
 * @pause_exits: PAUSE exits
 * @backup: while @unproven: the save area before the entry, since a CPU that
 *	refuses an entry may change it. An exception counts as state here:
 *	userspace may have chosen one that the CPU refuses
 */
struct svm_vcpu {
	struct mvmm_vcpu vcpu;
	struct vmcb *vmcb;
	u64 vmcb_pa;
	struct svm_tag tag;
	bool flush_vcpu;
	bool moved;
	bool mov_ss;
	bool owns_drs;
	bool nmi_masked;
	bool at_iret;
	bool stepping;
	bool guest_tf;
	u64 iret_rip;
	u64 pending_dbg;
	u64 soft_rip;
	struct mvmm_event soft;
	struct svm_undo undo;
	bool unproven;
	bool pause_exits;
	struct vmcb_save_area *backup;
};

static inline struct svm_vcpu *to_svm(struct mvmm_vcpu *vcpu)
{
	return container_of(vcpu, struct svm_vcpu, vcpu);
}

/* entry.S: returns false when SVM is off on this CPU */
bool svm_enter(struct mvmm_regs *regs, u64 vmcb_pa, u64 host_pa);

/* ---- controls (controls.c) -------------------------------------------- */

int svm_controls_setup(void);
void svm_controls_teardown(void);
void svm_init_controls(struct svm_vcpu *svm);

/* ---- guest state (state.c) -------------------------------------------- */

void svm_sync_crs(struct mvmm_vcpu *vcpu);
void svm_get_state(struct mvmm_vcpu *vcpu, struct mvmm_sregs *sregs);
void svm_set_state(struct mvmm_vcpu *vcpu, const struct mvmm_sregs *sregs);
void svm_get_paging(struct mvmm_vcpu *vcpu, struct mvmm_paging *paging);
void svm_get_events(struct mvmm_vcpu *vcpu, struct mvmm_events *ev);
void svm_set_events(struct mvmm_vcpu *vcpu, const struct mvmm_events *ev);
u64 svm_get_dr7(struct mvmm_vcpu *vcpu);
void svm_set_dr7(struct mvmm_vcpu *vcpu, u64 dr7);
u64 svm_get_msr(struct mvmm_vcpu *vcpu, u32 index);
void svm_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
void svm_sync_tsc(struct mvmm_vcpu *vcpu);

/* ---- exits (exit.c, decode.c) ----------------------------------------- */

/* An exit by an access to a control register */
struct svm_cr_access {
	u8 cr;
	bool write;
	bool known;	/* the CPU tells @reg */
	u8 reg;		/* general register, in the order of its encoding */
};

void svm_decode_io(u64 info, struct mvmm_exit *exit);
struct svm_cr_access svm_decode_cr(u32 code, u64 info, bool assists);
u32 svm_decode_npf(u64 info);
u16 svm_segment_attrib(u16 attr);
u16 svm_segment_attr(u16 attrib);

/*
 * An exit code's place in mvmm_stats.hw_exits: codes from 0x400 on (nested page
 * fault and others) follow those below
 */
static inline unsigned int svm_stats_index(u32 code)
{
	return code < 0x400 ? code : code - 0x400 + 0xb0;
}

enum mvmm_step svm_handle_exit(struct svm_vcpu *svm);
void svm_collect_inflight(struct svm_vcpu *svm);

/* ---- NPT (npt.c) ------------------------------------------------------ */

void svm_npt_format(struct pgt_format *fmt);
u8 svm_plan_flush(struct svm_asids *asids, u32 max, bool by_asid,
		  struct svm_tag *tag, bool moved, bool stale);
void svm_undo_flush(struct svm_asids *asids, u8 control, struct svm_tag *tag);
void svm_forget_asids(struct svm_asids *asids);
void svm_asids_reset(void);
void svm_flush_now(struct svm_vcpu *svm, u64 gen);

DECLARE_PER_CPU(struct svm_asids, svm_cpu_asids);

/* ---- dump.c ----------------------------------------------------------- */

#ifdef CONFIG_MVMM_DEBUG
void svm_dump(struct svm_vcpu *svm);
#else
static inline void svm_dump(struct svm_vcpu *svm) {}
#endif

#endif
