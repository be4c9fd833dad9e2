/* SPDX-License-Identifier: GPL-2.0 */
/* CPUID tables and what they let a guest set: see cpuid.c. Pure. */
#ifndef MVMM_LOGIC_CPUID_H
#define MVMM_LOGIC_CPUID_H

#include <linux/types.h>
#include "uapi/mvmm.h"

#define MVMM_MAX_CPUID		80

/**
 * struct mvmm_cpuid_host - what the default table is made from
 * @get: executes CPUID on the host
 * @xcr0: bits of XCR0 that a guest may set; 0: no XSAVE
 * @tsc_khz: rate of the TSC
 * @gpa_bits: width of a guest-physical address
 * @rdtscp: VMX or SVM lets a guest execute RDTSCP and RDPID
 * @invpcid: the same for INVPCID
 * @spec_ctrl: the same for IA32_SPEC_CTRL
 */
struct mvmm_cpuid_host {
	void (*get)(u32 leaf, u32 subleaf, u32 regs[4]);
	u64 xcr0;
	u32 tsc_khz;
	u32 gpa_bits;
	bool rdtscp;
	bool invpcid;
	bool spec_ctrl;
};

/**
 * struct mvmm_cpuid_table - what CPUID returns on a vCPU
 * @nr: entries in use
 * @entry: the entries, in any order
 */
struct mvmm_cpuid_table {
	u32 nr;
	struct mvmm_cpuid_entry entry[MVMM_MAX_CPUID];
};

/**
 * struct mvmm_guest_caps - what a CPUID table lets the guest set
 * @cr4: bits of CR4
 * @efer: bits of EFER
 * @xcr0: bits of XCR0
 * @phys_bits: width of a physical address
 * @tsc_aux: the MSR TSC_AUX exists, and what reads it
 * @tsc_adjust: so does the MSR of that name
 * @invpcid: INVPCID exists
 * @spec_ctrl: bits of IA32_SPEC_CTRL; 0: it does not exist, nor does PRED_CMD
 * @mtrr: MTRRs exist
 * @mce: machine-check registers exist
 * @flush_l1d: the MSR IA32_FLUSH_CMD exists
 * @arch_capabilities: the MSR of that name exists
 */
struct mvmm_guest_caps {
	u64 cr4;
	u64 efer;
	u64 xcr0;
	u8 phys_bits;
	bool tsc_aux;
	bool tsc_adjust;
	bool invpcid;
	u8 spec_ctrl;
	bool mtrr;
	bool mce;
	bool flush_l1d;
	bool arch_capabilities;
};

void mvmm_cpuid_default(const struct mvmm_cpuid_host *host,
			struct mvmm_cpuid_table *table);
int mvmm_cpuid_check(const struct mvmm_cpuid_table *table);
void mvmm_cpuid_add_apic(struct mvmm_cpuid_table *table);
void mvmm_cpuid_add_kvm(struct mvmm_cpuid_table *table, u32 features);
void mvmm_cpuid_caps(const struct mvmm_cpuid_table *table,
		     struct mvmm_guest_caps *caps);
void mvmm_cpuid_query(const struct mvmm_cpuid_table *table, u32 leaf,
		      u32 subleaf, u64 cr4, u64 xcr0, u8 vcpu_id, u32 regs[4]);

#endif
