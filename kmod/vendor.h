/* SPDX-License-Identifier: GPL-2.0 */
/* What VMX and SVM must offer; nothing outside of vmx/ and svm/ knows more. */
#ifndef MVMM_VENDOR_H
#define MVMM_VENDOR_H

#include "vcpu.h"

/**
 * struct mvmm_vendor_ops - VMX or SVM
 * @name: "vmx" or "svm"
 * @present: does the CPU have the extension at all?
 * @setup: probe, name what is missing, make per-CPU areas; 0 or -errno
 * @teardown: undo @setup
 * @caps: features, formats and limits found by @setup
 * @cpu_enable: turn the extension on here; interrupts off; 0 or -errno
 * @cpu_disable: let go of all vCPUs loaded here, turn it off; interrupts off
 * @vcpu_alloc: the vendor's struct around a zeroed vCPU, or ERR_PTR;
 *	mvmm_vcpu_reset() comes before its first entry
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
struct mvmm_vendor_ops {
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
	u64 apic_page_pa;	/* APIC-access page, or 0: none */
	struct pgt_format pgt;
};

extern const struct mvmm_vendor_ops *mvmm_ops;
extern struct mvmm_vendor_caps mvmm_vendor;
extern const struct mvmm_vendor_ops mvmm_vmx_ops;
extern const struct mvmm_vendor_ops mvmm_svm_ops;

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
