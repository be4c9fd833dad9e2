// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's state in the VMCB: what a new vCPU starts with, and the registers
 * that userspace gets and sets. What is moved at each RUN is in loop.c. APM
 * vol. 2, 15.5 and appendix B.
 */
#include <asm/msr.h>
#include <asm/special_insns.h>
#include "cpu/tsc.h"
#include "quirks.h"
#include "vendor.h"

static void put_segment(struct vmcb_seg *to, const struct mvmm_segment *seg)
{
	to->selector = seg->selector;
	to->base = seg->base;
	to->limit = seg->limit;
	to->attrib = svm_segment_attrib(seg->attr);
}

static void get_segment(const struct vmcb_seg *from, struct mvmm_segment *seg)
{
	seg->selector = from->selector;
	seg->base = from->base;
	seg->limit = from->limit;
	seg->attr = svm_segment_attr(from->attrib);
}

/** svm_sync_crs() - write vcpu->cr0, cr4 and efer to the VMCB */
void svm_sync_crs(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save_area *save = &svm->vmcb->save;

	mvmm_assert_loaded(vcpu);
	save->cr0 = vcpu->cr0 & ~(X86_CR0_CD | X86_CR0_NW);
	/* For the CPU it is no change if the guest clears them */
	svm_intercept(svm, INTERCEPT_CR0_WRITE, save->cr0 != vcpu->cr0);
	/* The host needs machine checks, whatever the guest's CR4.MCE is */
	save->cr4 = vcpu->cr4 | (__read_cr4() & X86_CR4_MCE);
	if (svm_caps.tcg)
		svm_mend_tcg_crs(svm);
	/* VMRUN requires SVME; the guest reads vcpu->efer */
	save->efer = vcpu->efer | EFER_SVME;
	svm_dirty(svm, SVM_CLEAN_CR);
	/* What the guest's CPUID does not have raises #UD */
	svm_intercept(svm, INTERCEPT_RDTSCP,
		      mvmm_vendor.rdtscp && !vcpu->caps.tsc_aux);
	svm_intercept(svm, INTERCEPT_INVPCID,
		      mvmm_vendor.invpcid && !vcpu->caps.invpcid);
	/* MOV to CR0 and CR4 flushes the TLB, and so must the next entry */
	svm->flush_vcpu = true;
	svm->unproven = true;
}

void svm_get_state(struct mvmm_vcpu *vcpu, struct mvmm_sregs *sregs)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_save_area *save = &svm->vmcb->save;

	mvmm_assert_loaded(vcpu);
	get_segment(&save->es, &sregs->es);
	get_segment(&save->cs, &sregs->cs);
	get_segment(&save->ss, &sregs->ss);
	get_segment(&save->ds, &sregs->ds);
	get_segment(&save->fs, &sregs->fs);
	get_segment(&save->gs, &sregs->gs);
	get_segment(&save->ldtr, &sregs->ldt);
	get_segment(&save->tr, &sregs->tr);
	/* The VMCB has a field for the CPL; in the ABI it is SS.DPL */
	sregs->ss.attr = (sregs->ss.attr & ~0x60) | save->cpl << 5;
	sregs->gdt.base = save->gdtr.base;
	sregs->gdt.limit = save->gdtr.limit;
	sregs->idt.base = save->idtr.base;
	sregs->idt.limit = save->idtr.limit;
	sregs->cr3 = save->cr3;
	svm_refresh_cr0(svm);
	/* APM vol. 2, 15.25.10: nested paging keeps no PDPTEs */
	memset(sregs->pdpte, 0, sizeof(sregs->pdpte));
}

void svm_set_state(struct mvmm_vcpu *vcpu, const struct mvmm_sregs *sregs)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save_area *save = &svm->vmcb->save;

	mvmm_assert_loaded(vcpu);
	put_segment(&save->es, &sregs->es);
	put_segment(&save->cs, &sregs->cs);
	put_segment(&save->ss, &sregs->ss);
	put_segment(&save->ds, &sregs->ds);
	put_segment(&save->fs, &sregs->fs);
	put_segment(&save->gs, &sregs->gs);
	put_segment(&save->ldtr, &sregs->ldt);
	put_segment(&save->tr, &sregs->tr);
	save->cpl = sregs->ss.attr >> 5 & 3;
	save->gdtr.base = sregs->gdt.base;
	save->gdtr.limit = sregs->gdt.limit;
	save->idtr.base = sregs->idt.base;
	save->idtr.limit = sregs->idt.limit;
	save->cr3 = sregs->cr3;
	svm_dirty(svm, SVM_CLEAN_SEG | SVM_CLEAN_DT | SVM_CLEAN_CR);
	svm->flush_vcpu = true;
	svm->unproven = true;
}

void svm_get_paging(struct mvmm_vcpu *vcpu, struct mvmm_paging *paging)
{
	const struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;

	mvmm_assert_loaded(vcpu);

	paging->cr3 = save->cr3;
	paging->cs_attr = svm_segment_attr(save->cs.attrib);
	paging->cpl = save->cpl;
	paging->cs_base = vcpu->efer & EFER_LMA &&
			  save->cs.attrib & SVM_SELECTOR_L_MASK ? 0 :
			  save->cs.base;
}

void svm_get_events(struct mvmm_vcpu *vcpu, struct mvmm_events *ev)
{
	const struct svm_vcpu *svm = to_svm(vcpu);

	mvmm_assert_loaded(vcpu);
	ev->nmi_masked = svm->nmi_masked;
	ev->pending_dbg = svm->pending_dbg;
}

void svm_set_events(struct mvmm_vcpu *vcpu, const struct mvmm_events *ev)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	mvmm_assert_loaded(vcpu);
	svm->vmcb->control.int_state =
		ev->shadow ? SVM_INTERRUPT_SHADOW_MASK : 0;
	svm->mov_ss = ev->shadow == MVMM_SHADOW_MOV_SS;
	svm->nmi_masked = ev->nmi_masked;
	svm->at_iret = false;
	svm_intercept(svm, INTERCEPT_IRET, svm->nmi_masked);
	svm->pending_dbg = ev->pending_dbg;
}

u64 svm_get_dr7(struct mvmm_vcpu *vcpu)
{
	mvmm_assert_loaded(vcpu);
	return to_svm(vcpu)->vmcb->save.dr7;
}

void svm_set_dr7(struct mvmm_vcpu *vcpu, u64 dr7)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	mvmm_assert_loaded(vcpu);
	svm->vmcb->save.dr7 = dr7;
	svm_dirty(svm, SVM_CLEAN_DR);
}

/* Where the VMCB has an MSR that VMRUN or VMLOAD loads, or NULL */
static u64 *find_msr(struct vmcb_save_area *save, u32 index)
{
	switch (index) {
	case MSR_FS_BASE:
		return &save->fs.base;
	case MSR_GS_BASE:
		return &save->gs.base;
	case MSR_KERNEL_GS_BASE:
		return &save->kernel_gs_base;
	case MSR_STAR:
		return &save->star;
	case MSR_LSTAR:
		return &save->lstar;
	case MSR_CSTAR:
		return &save->cstar;
	case MSR_SYSCALL_MASK:
		return &save->sfmask;
	case MSR_IA32_SYSENTER_CS:
		return &save->sysenter_cs;
	case MSR_IA32_SYSENTER_ESP:
		return &save->sysenter_esp;
	case MSR_IA32_SYSENTER_EIP:
		return &save->sysenter_eip;
	case MSR_IA32_CR_PAT:
		return &save->g_pat;
	default:
		return NULL;
	}
}

u64 svm_get_msr(struct mvmm_vcpu *vcpu, u32 index)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;
	const u64 *place = find_msr(&vmcb->save, index);

	mvmm_assert_loaded(vcpu);

	return WARN_ON_ONCE(!place) ? 0 : *place;
}

void svm_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u64 *place;

	mvmm_assert_loaded(vcpu);
	place = find_msr(&svm->vmcb->save, index);
	if (WARN_ON_ONCE(!place))
		return;
	*place = value;
	/* The PAT belongs to this group */
	svm_dirty(svm, SVM_CLEAN_NPT);
}

/** svm_sync_tsc() - write tsc_offset to the VMCB */
void svm_sync_tsc(struct mvmm_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	mvmm_assert_loaded(vcpu);
	svm->vmcb->control.tsc_offset = mvmm_hw_tsc_offset(vcpu);
	svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
}
