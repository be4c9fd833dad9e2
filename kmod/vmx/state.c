// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's state in the VMCS: what a new vCPU starts with, and the registers
 * that userspace gets and sets. What is moved at each RUN is in loop.c, the
 * host's state is in host.c. SDM vol. 3, 25.4.
 */
#include <asm/msr.h>
#include <asm/tlbflush.h>
#include "apicv.h"
#include "cpu/tsc.h"
#include "guest/guest.h"
#include "insn.h"
#include "pml.h"

#define DR7_ENABLED	0xff

enum seg { ES, CS, SS, DS, FS, GS, LDT, TR, NR_SEGS };

/* The segment fields of the VMCS are 2 apart, in the order of the encoding */
#define SEG_SELECTOR(s)	(GUEST_ES_SELECTOR + 2 * (s))
#define SEG_LIMIT(s)	(GUEST_ES_LIMIT + 2 * (s))
#define SEG_AR(s)	(GUEST_ES_AR_BYTES + 2 * (s))
#define SEG_BASE(s)	(GUEST_ES_BASE + 2 * (s))

static void put_segment(enum seg s, const struct mvmm_segment *seg)
{
	vmcs_put(SEG_SELECTOR(s), seg->selector);
	vmcs_put(SEG_BASE(s), seg->base);
	vmcs_put(SEG_LIMIT(s), seg->limit);
	vmcs_put(SEG_AR(s), vmx_segment_ar(seg->attr));
}

static void get_segment(enum seg s, struct mvmm_segment *seg)
{
	seg->selector = vmcs_get(SEG_SELECTOR(s));
	seg->base = vmcs_get(SEG_BASE(s));
	seg->limit = vmcs_get(SEG_LIMIT(s));
	seg->attr = vmx_segment_attr(vmcs_get(SEG_AR(s)));
}

/* What mvmm_vcpu_reset() leaves */
static void init_guest(struct vmx_vcpu *vmx)
{
	vmwrite32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmwrite64(GUEST_IA32_DEBUGCTL, 0);
	vmwriten(GUEST_RIP, 0);
	vmwriten(GUEST_RSP, 0);
	vmwriten(GUEST_RFLAGS, 2);
	vmx->rflags = 2;
}

/** vmx_init_state() - fill a new VMCS, which is current */
void vmx_init_state(struct vmx_vcpu *vmx)
{
	vmx_init_controls(vmx);
	vmx_apicv_init(vmx);
	vmx_pml_init(vmx);
	vmx_init_host();
	init_guest(vmx);
}

/** vmx_in_64bit_code() - does the guest execute 64-bit code? */
bool vmx_in_64bit_code(struct vmx_vcpu *vmx)
{
	return vmx->vcpu.efer & EFER_LMA &&
	       vmread32(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK;
}

/** vmx_end_shadow() - of STI or MOV SS; @info: interruptibility now */
void vmx_end_shadow(u32 info)
{
	vmwrite32(GUEST_INTERRUPTIBILITY_INFO,
		  info & ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
}

/**
 * vmx_advance_rip() - step over an instruction; no other function does
 * @vmx: loaded; rip is in the VMCS
 * @len: the instruction's length
 *
 * Ends the shadow of STI or MOV SS, and clears RF.
 *
 * Return: true if RFLAGS.TF asks for a single-step trap, which the caller
 * raises.
 */
bool vmx_advance_rip(struct vmx_vcpu *vmx, unsigned int len)
{
	u64 old = vmreadn(GUEST_RIP), rip = old + len;
	u64 rflags = vmreadn(GUEST_RFLAGS);
	u32 shadow = vmread32(GUEST_INTERRUPTIBILITY_INFO);

	/* Outside of 64-bit code rip wraps at 4 GiB */
	if (unlikely((rip ^ old) >> 32) && !vmx_in_64bit_code(vmx))
		rip = (u32)rip;
	vmwriten(GUEST_RIP, rip);
	if (rflags & X86_EFLAGS_RF)
		vmwriten(GUEST_RFLAGS, rflags & ~X86_EFLAGS_RF);
	if (unlikely(shadow & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)))
		vmx_end_shadow(shadow);
	if (likely(!(rflags & X86_EFLAGS_TF)))
		return false;
	/* If BS stayed set here, the trap would come twice */
	vmwriten(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	return true;
}

/** vmx_sync_crs() - write vcpu->cr0, cr4 and efer to the VMCS, and what of caps is */
void vmx_sync_crs(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 cr0 = (vcpu->cr0 & ~(X86_CR0_CD | X86_CR0_NW)) |
		  vmx_caps.cr0_fixed0;
	/* The host needs machine checks, whatever the guest's CR4.MCE is */
	u64 cr4 = vcpu->cr4 | vmx_caps.cr4_fixed0 |
		  (__read_cr4() & X86_CR4_MCE);
	u32 entry = vmx->entry & ~VM_ENTRY_IA32E_MODE;

	mvmm_assert_loaded(vcpu);

	if (vcpu->efer & EFER_LMA)
		entry |= VM_ENTRY_IA32E_MODE;
	vmwriten(GUEST_CR0, cr0);
	vmwriten(CR0_READ_SHADOW, vcpu->cr0);
	vmwriten(GUEST_CR4, cr4);
	vmwriten(CR4_READ_SHADOW, vcpu->cr4);
	vmwrite64(GUEST_IA32_EFER, vcpu->efer);
	if (entry != vmx->entry) {
		vmwrite32(VM_ENTRY_CONTROLS, entry);
		vmx->entry = entry;
	}
	vmx_sync_secondary(vmx);
	vmx->careful = vmx_caps.flush_l1d || vmx_caps.perf ||
		       vcpu->caps.spec_ctrl || vmx->nr_loaded;
	/* MOV to CR0 and CR4 flushes the TLB, and so must the next entry */
	vmx->flush_vcpu = true;
	if (vcpu->in_section && vcpu->efer & EFER_SCE && !vmx->syscall_msrs)
		vmx_swap_syscall_msrs(vmx, true);
}

static void get_pdptes(struct mvmm_vcpu *vcpu, u64 pdpte[4])
{
	bool pae = mvmm_uses_pae(vcpu->cr0, vcpu->cr4, vcpu->efer);
	int i;

	for (i = 0; i < 4; i++)
		pdpte[i] = pae ? vmcs_get(GUEST_PDPTR0 + 2 * i) : 0;
}

void vmx_get_state(struct mvmm_vcpu *vcpu, struct mvmm_sregs *sregs)
{
	struct mvmm_segment *seg = &sregs->es;
	enum seg s;

	mvmm_assert_loaded(vcpu);

	for (s = ES; s < NR_SEGS; s++)
		get_segment(s, &seg[s]);
	sregs->gdt.base = vmreadn(GUEST_GDTR_BASE);
	sregs->gdt.limit = vmread32(GUEST_GDTR_LIMIT);
	sregs->idt.base = vmreadn(GUEST_IDTR_BASE);
	sregs->idt.limit = vmread32(GUEST_IDTR_LIMIT);
	sregs->cr3 = vmreadn(GUEST_CR3);
	vmx_refresh_cr0(to_vmx(vcpu));
	get_pdptes(vcpu, sregs->pdpte);
}

/* tour 37: the guest's registers in the VMCS */

void vmx_set_state(struct mvmm_vcpu *vcpu, const struct mvmm_sregs *sregs)
{
	const struct mvmm_segment *seg = &sregs->es;
	enum seg s;
	int i;

	mvmm_assert_loaded(vcpu);

	for (s = ES; s < NR_SEGS; s++)
		put_segment(s, &seg[s]);
	vmwriten(GUEST_GDTR_BASE, sregs->gdt.base);
	vmwrite32(GUEST_GDTR_LIMIT, sregs->gdt.limit);
	vmwriten(GUEST_IDTR_BASE, sregs->idt.base);
	vmwrite32(GUEST_IDTR_LIMIT, sregs->idt.limit);
	vmwriten(GUEST_CR3, sregs->cr3);
	if (mvmm_uses_pae(vcpu->cr0, vcpu->cr4, vcpu->efer))
		for (i = 0; i < 4; i++)
			vmcs_put(GUEST_PDPTR0 + 2 * i, sregs->pdpte[i]);
	to_vmx(vcpu)->flush_vcpu = true;
}

void vmx_get_paging(struct mvmm_vcpu *vcpu, struct mvmm_paging *paging)
{
	u32 ar = vmread32(GUEST_CS_AR_BYTES);

	mvmm_assert_loaded(vcpu);
	paging->cr3 = vmreadn(GUEST_CR3);
	paging->cs_attr = vmx_segment_attr(ar);
	/* The CPL is SS.DPL (SDM vol. 3, 25.4.1) */
	paging->cpl = vmread32(GUEST_SS_AR_BYTES) >> 5 & 3;
	paging->cs_base = vcpu->efer & EFER_LMA && ar & VMX_AR_L_MASK ? 0 :
			  vmreadn(GUEST_CS_BASE);
	get_pdptes(vcpu, paging->pdpte);
}

void vmx_get_events(struct mvmm_vcpu *vcpu, struct mvmm_events *ev)
{
	u32 info = vmread32(GUEST_INTERRUPTIBILITY_INFO);

	mvmm_assert_loaded(vcpu);
	ev->nmi_masked = !!(info & GUEST_INTR_STATE_NMI);
	ev->pending_dbg = vmreadn(GUEST_PENDING_DBG_EXCEPTIONS);
}

void vmx_set_events(struct mvmm_vcpu *vcpu, const struct mvmm_events *ev)
{
	mvmm_assert_loaded(vcpu);
	vmwrite32(GUEST_INTERRUPTIBILITY_INFO,
		  ev->shadow | (ev->nmi_masked ? GUEST_INTR_STATE_NMI : 0));
	vmwriten(GUEST_PENDING_DBG_EXCEPTIONS, ev->pending_dbg);
}

u64 vmx_get_dr7(struct mvmm_vcpu *vcpu)
{
	mvmm_assert_loaded(vcpu);
	return vmreadn(GUEST_DR7);
}

void vmx_set_dr7(struct mvmm_vcpu *vcpu, u64 dr7)
{
	mvmm_assert_loaded(vcpu);
	vmwriten(GUEST_DR7, dr7);
	to_vmx(vcpu)->breakpoints = dr7 & DR7_ENABLED;
}

u64 vmx_get_msr(struct mvmm_vcpu *vcpu, u32 index)
{
	const u64 *slot;

	mvmm_assert_loaded(vcpu);

	switch (index) {
	case MSR_FS_BASE:
		return vmreadn(GUEST_FS_BASE);
	case MSR_GS_BASE:
		return vmreadn(GUEST_GS_BASE);
	case MSR_IA32_SYSENTER_CS:
		return vmread32(GUEST_SYSENTER_CS);
	case MSR_IA32_SYSENTER_ESP:
		return vmreadn(GUEST_SYSENTER_ESP);
	case MSR_IA32_SYSENTER_EIP:
		return vmreadn(GUEST_SYSENTER_EIP);
	case MSR_IA32_CR_PAT:
		return vmread64(GUEST_IA32_PAT);
	case MSR_IA32_SPEC_CTRL:
		return to_vmx(vcpu)->spec_ctrl;
	default:
		slot = vmx_find_msr(to_vmx(vcpu), index);
		return WARN_ON_ONCE(!slot) ? 0 : *slot;
	}
}

void vmx_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	u64 *slot;

	mvmm_assert_loaded(vcpu);
	switch (index) {
	case MSR_FS_BASE:
		vmwriten(GUEST_FS_BASE, value);
		break;
	case MSR_GS_BASE:
		vmwriten(GUEST_GS_BASE, value);
		break;
	case MSR_IA32_SYSENTER_CS:
		vmwrite32(GUEST_SYSENTER_CS, value);
		break;
	case MSR_IA32_SYSENTER_ESP:
		vmwriten(GUEST_SYSENTER_ESP, value);
		break;
	case MSR_IA32_SYSENTER_EIP:
		vmwriten(GUEST_SYSENTER_EIP, value);
		break;
	case MSR_IA32_CR_PAT:
		vmwrite64(GUEST_IA32_PAT, value);
		break;
	case MSR_IA32_SPEC_CTRL:
		to_vmx(vcpu)->spec_ctrl = value;
		if (vcpu->in_section)
			vmx_sync_loaded(to_vmx(vcpu));
		break;
	default:
		slot = vmx_find_msr(to_vmx(vcpu), index);
		if (WARN_ON_ONCE(!slot))
			return;
		*slot = value;
		if (to_vmx(vcpu)->syscall_msrs && index != MSR_CSTAR)
			wrmsrq(index, value);
	}
}

/** vmx_sync_tsc() - write tsc_offset and the VM's tsc_scale to the VMCS */
void vmx_sync_tsc(struct mvmm_vcpu *vcpu)
{
	mvmm_assert_loaded(vcpu);
	vmwrite64(TSC_OFFSET, mvmm_hw_tsc_offset(vcpu));
	if (!vmx_caps.tsc_scaling)
		return;
	vmx_sync_secondary(to_vmx(vcpu));
	vmwrite64(TSC_MULTIPLIER, vcpu->vm->tsc_scale);
}
