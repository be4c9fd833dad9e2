/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface of VMX and SVM. Code outside of vmx/ and svm/ uses nothing
 * else.
 */
#ifndef MVMM_VENDOR_H
#define MVMM_VENDOR_H

#include "vcpu.h"

/* tour 4: what VMX and SVM must offer */

/**
 * struct mvmm_vendor_ops - VMX or SVM
 * @name: "vmx" or "svm"
 * @present: does the CPU have the extension?
 * @setup: probe the CPU, fill mvmm_vendor, make per-CPU areas; logs what is
 *	missing; 0 or -errno
 * @teardown: undo @setup
 * @cpu_enable: turn the extension on, on this CPU; interrupts off; 0 or -errno
 * @cpu_disable: release all vCPUs loaded on this CPU, and turn the extension
 *	off; interrupts off
 * @vcpu_alloc: allocate a zeroed vCPU with the vendor's struct around it;
 *	returns an ERR_PTR if that fails. The caller calls mvmm_vcpu_reset()
 *	before the first entry
 * @vcpu_free: undo @vcpu_alloc, wherever the vCPU is loaded
 * @vcpu_load: make the vCPU current on this CPU, where it stays until another
 *	one is loaded; preemption off
 * @vcpu_run: the inner loop: load the vCPU, and enter the guest until there is
 *	something to do that may sleep; called in a section (run/run.c),
 *	interrupts on
 * @sync_crs: cr0, cr4, efer or caps has changed; vCPU loaded
 * @retire: step over the vcpu->retire bytes at rip; vCPU loaded, not in a
 *	section: there @vcpu_run does it
 * @get_state: get segments, tables, cr3 and guest-owned bits; vCPU loaded
 * @set_state: set segments, tables and cr3; vCPU loaded
 * @get_paging: get cr3, cs, CPL and PDPTEs, for the run page; vCPU loaded
 * @get_events: get the NMI mask and pending debug exceptions; vCPU loaded
 * @set_events: set these, and the shadow; vCPU loaded
 * @get_dr7: get DR7; vCPU loaded
 * @set_dr7: set DR7; vCPU loaded
 * @get_msr: get an MSR of kind MVMM_MSR_VENDOR; vCPU loaded
 * @set_msr: set one, to a value that was checked; vCPU loaded
 * @sync_tsc: tsc_offset has changed; vCPU loaded
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

/**
 * struct mvmm_vendor_caps - what setup() has found on this CPU
 * @features: MVMM_FEATURE_*
 * @cr4: bits of CR4 that a guest may set
 * @rdtscp: a guest can execute RDTSCP and RDPID
 * @invpcid: a guest can execute INVPCID
 * @spec_ctrl: a guest can have another IA32_SPEC_CTRL than the host
 * @walk_pdptes: the CPU reads the PDPTEs of PAE paging when it walks, as a level
 *	like others; else they are registers, which writes to CR0 and CR4 load
 * @pml: each vCPU has a page-modification log: see struct mvmm_pml
 * @apic_page_pa: address of the APIC-access page, or 0: there is none
 * @pgt: format of the nested page table
 */
struct mvmm_vendor_caps {
	u64 features;
	u64 cr4;
	bool rdtscp;
	bool invpcid;
	bool spec_ctrl;
	bool walk_pdptes;
	bool pml;
	u64 apic_page_pa;
	struct pgt_format pgt;
};

extern const struct mvmm_vendor_ops *mvmm_ops;
extern struct mvmm_vendor_caps mvmm_vendor;
extern const struct mvmm_vendor_ops mvmm_vmx_ops;
extern const struct mvmm_vendor_ops mvmm_svm_ops;

/**
 * mvmm_vcpu_load() - make the vCPU's hardware state current on this CPU
 * @vcpu: busy for the caller, or new
 *
 * Preemption is off until mvmm_vcpu_put(). Context: interrupts on.
 */
static inline void mvmm_vcpu_load(struct mvmm_vcpu *vcpu)
{
	lockdep_assert_irqs_enabled();
	preempt_disable();
	mvmm_ops->vcpu_load(vcpu);
}

/** mvmm_vcpu_put() - undo mvmm_vcpu_load() */
static inline void mvmm_vcpu_put(struct mvmm_vcpu *vcpu)
{
	preempt_enable();
}

#endif
