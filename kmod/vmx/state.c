// SPDX-License-Identifier: GPL-2.0
/*
 * Guest and host state in the VMCS: what a new vCPU starts with, what a CPU's
 * host state is, and the registers that userspace gets and sets. What is moved
 * for each RUN is in vmx.c. SDM vol. 3, 25.4 and 25.5.
 */
#include <linux/bits.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>
#include <asm/trapnr.h>
#include "insn.h"

#define DR7_ENABLED	0xff
#define RESET_PAT	0x0007040600070406ULL

enum seg { ES, CS, SS, DS, FS, GS, LDT, TR, NR_SEGS };

/* The VMCS's segment fields are 2 apart, in the order of the encoding */
#define SEG_SELECTOR(s)	(GUEST_ES_SELECTOR + 2 * (s))
#define SEG_LIMIT(s)	(GUEST_ES_LIMIT + 2 * (s))
#define SEG_AR(s)	(GUEST_ES_AR_BYTES + 2 * (s))
#define SEG_BASE(s)	(GUEST_ES_BASE + 2 * (s))

/* The second one is for guests whose x2APIC is the CPU's */
static unsigned long *msr_bitmap, *msr_bitmap_apicv;

/* SDM vol. 3, 25.6.9: reads low, reads high, writes low, writes high */
#define HIGH_MSRS	(1024 * 8)
#define WRITES		(2048 * 8)

static void make_msr_bitmap(void)
{
	const struct mvmm_msr_policy *p;
	unsigned int i;

	memset(msr_bitmap, 0xff, PAGE_SIZE);
	for (i = 0; (p = mvmm_msr_policy_nth(i)); i++) {
		unsigned int bit = p->index & 0x1fff;

		if (!p->direct)
			continue;
		if (p->index >= 0xc0000000)
			bit += HIGH_MSRS;
		__clear_bit(bit, msr_bitmap);
		__clear_bit(bit + WRITES, msr_bitmap);
	}
}

/* SDM vol. 3, 30.5: a write of any other would go to the host's APIC */
static void make_msr_bitmap_apicv(void)
{
	u32 reg;

	memcpy(msr_bitmap_apicv, msr_bitmap, PAGE_SIZE);
	for (reg = 0; reg < LAPIC_NR_REGS; reg++)
		if (lapic_in_page(reg))
			__clear_bit(APIC_BASE_MSR + reg, msr_bitmap_apicv);
	__clear_bit(APIC_BASE_MSR + LAPIC_TPR + WRITES, msr_bitmap_apicv);
	__clear_bit(APIC_BASE_MSR + LAPIC_EOI + WRITES, msr_bitmap_apicv);
	__clear_bit(APIC_BASE_MSR + LAPIC_SELF_IPI + WRITES, msr_bitmap_apicv);
}

/* All VMs': never read or written, as the CPU does that elsewhere */
static void *apic_access_page;

/** vmx_apic_access_page() - its address; 0: the CPU has no use for one */
u64 vmx_apic_access_page(void)
{
	return vmx_caps.apic_access ? __pa(apic_access_page) : 0;
}

/** vmx_state_setup() - pages that all vCPUs share; may sleep */
int vmx_state_setup(void)
{
	msr_bitmap = (void *)__get_free_page(GFP_KERNEL);
	msr_bitmap_apicv = (void *)__get_free_page(GFP_KERNEL);
	apic_access_page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!msr_bitmap || !msr_bitmap_apicv || !apic_access_page) {
		vmx_state_teardown();
		return -ENOMEM;
	}
	make_msr_bitmap();
	make_msr_bitmap_apicv();
	return 0;
}

void vmx_state_teardown(void)
{
	free_page((unsigned long)msr_bitmap);
	free_page((unsigned long)msr_bitmap_apicv);
	free_page((unsigned long)apic_access_page);
}

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

/* A spin loop: PAUSEs so many TSC ticks apart at most, for so many ticks */
#define PLE_TICKS_BETWEEN	128
#define PLE_TICKS		4096

static void sync_secondary(struct vmx_vcpu *vmx)
{
	u32 secondary = vmx_caps.secondary;

	/* A VPID of 0 is not allowed with the control */
	if (!vmx->vpid)
		secondary &= ~SECONDARY_EXEC_ENABLE_VPID;
	if (vmx->pml)
		secondary |= SECONDARY_EXEC_ENABLE_PML;
	secondary |= vmx->apic_controls;
	vmwrite32(SECONDARY_VM_EXEC_CONTROL, secondary);
}

/** vmx_use_pml() - log the guest's writes, or not; the VMCS is current */
void vmx_use_pml(struct vmx_vcpu *vmx, bool use)
{
	vmx->pml = use;
	sync_secondary(vmx);
}

/**
 * vmx_set_tpr_threshold() - exit when the guest's task priority falls below
 * @vmx: its VMCS is current
 * @class: at most the task priority's (SDM vol. 3, 27.2.1.1); 0: never
 */
void vmx_set_tpr_threshold(struct vmx_vcpu *vmx, u32 class)
{
	if (class == vmx->tpr_threshold)
		return;
	vmwrite32(TPR_THRESHOLD, class);
	vmx->tpr_threshold = class;
}

/* What the CPU can do of the guest's APIC as it is now */
static u32 apic_controls(const struct mvmm_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic;
	bool deliver = vmx_caps.apicv && lapic_enabled(a), gone;

	if (!vcpu->has_apic || !lapic_hw_enabled(a))
		return 0;
	if (lapic_is_x2(a))
		return deliver ? VMX_APICV : 0;
	/* pairs with drop_apic_page(): the page goes before its control */
	gone = smp_load_acquire(&vcpu->vm->no_apic_page);
	if (!vmx_caps.apic_access || gone)
		return 0;
	return VMX_APIC_PAGE |
	       (deliver ? SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY : 0);
}

static void set_apic_controls(struct vmx_vcpu *vmx, u32 controls)
{
	bool x2 = controls & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE;

	vmx->apic_controls = controls;
	vmx->vcpu.vapic_regs = controls;
	vmx->vcpu.vapic_irqs = controls & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	sync_secondary(vmx);
	vmwrite64(MSR_BITMAP, __pa(x2 ? msr_bitmap_apicv : msr_bitmap));
}

static void sync_eoi_exits(struct vmx_vcpu *vmx)
{
	u64 bitmap[4];
	int i;

	lapic_eoi_exits(&vmx->vcpu.apic, bitmap);
	for (i = 0; i < 4; i++) {
		if (bitmap[i] == vmx->eoi_exits[i])
			continue;
		vmcs_put(EOI_EXIT_BITMAP0 + 2 * i, bitmap[i]);
		vmx->eoi_exits[i] = bitmap[i];
	}
}

/**
 * vmx_sync_apic() - software has changed what the virtual-APIC page holds
 * @vmx: its VMCS is current, and it is about to be entered
 */
void vmx_sync_apic(struct vmx_vcpu *vmx)
{
	struct mvmm_vcpu *vcpu = &vmx->vcpu;
	u32 controls = apic_controls(vcpu);

	vcpu->apic_dirty = false;
	if (controls != vmx->apic_controls)
		set_apic_controls(vmx, controls);
	if (!controls) {
		vcpu->vapic[LAPIC_TPR * 4] = vcpu->has_apic ? vcpu->apic.tpr :
							      vcpu->cr8 << 4;
		return;
	}
	lapic_to_page(&vcpu->apic, vcpu->vapic);
	if (!vcpu->vapic_irqs)
		return;
	vmwrite16(GUEST_INTR_STATUS, lapic_intr_status(&vcpu->apic));
	sync_eoi_exits(vmx);
	/* The CPU sees to them */
	vcpu->events.apic_vector = 0;
}

static void init_controls(struct vmx_vcpu *vmx)
{
	vmx->primary = vmx_caps.primary;
	if (vmx->vcpu.vapic) {
		vmx->primary |= CPU_BASED_TPR_SHADOW;
		vmx->primary &= ~(CPU_BASED_CR8_LOAD_EXITING |
				  CPU_BASED_CR8_STORE_EXITING);
		vmwrite64(VIRTUAL_APIC_PAGE_ADDR, __pa(vmx->vcpu.vapic));
		vmwrite32(TPR_THRESHOLD, 0);
	}
	if (vmx_caps.apic_access)
		vmwrite64(APIC_ACCESS_ADDR, mvmm_vendor.apic_access);
	if (vmx_caps.apicv) {
		vmwrite64(EOI_EXIT_BITMAP0, 0);
		vmwrite64(EOI_EXIT_BITMAP1, 0);
		vmwrite64(EOI_EXIT_BITMAP2, 0);
		vmwrite64(EOI_EXIT_BITMAP3, 0);
	}
	vmx->entry = vmx_caps.entry;
	vmwrite32(PIN_BASED_VM_EXEC_CONTROL, vmx_caps.pin);
	vmwrite32(CPU_BASED_VM_EXEC_CONTROL, vmx->primary);
	vmx_use_pml(vmx, false);
	if (vmx->vcpu.pml.log) {
		vmwrite64(PML_ADDRESS, __pa(vmx->vcpu.pml.log));
		vmwrite16(GUEST_PML_INDEX, vmx->vcpu.pml.next);
	}
	vmwrite32(VM_EXIT_CONTROLS, vmx_caps.exit);
	vmwrite32(VM_ENTRY_CONTROLS, vmx->entry);
	if (vmx_caps.secondary & SECONDARY_EXEC_PAUSE_LOOP_EXITING) {
		vmwrite32(PLE_GAP, PLE_TICKS_BETWEEN);
		vmwrite32(PLE_WINDOW, PLE_TICKS);
	}
	vmwrite64(EPT_POINTER, vmx->eptp);
	vmwrite64(MSR_BITMAP, __pa(msr_bitmap));
	if (vmx->vpid)
		vmwrite16(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	/*
	 * #DB and #AC: a guest could keep the CPU in an endless delivery of
	 * them, deaf to interrupts. #MC is the host's.
	 */
	vmwrite32(EXCEPTION_BITMAP,
		  BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC));
	vmwrite32(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite32(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmwrite32(CR3_TARGET_COUNT, 0);
	vmwrite32(VM_EXIT_MSR_STORE_COUNT, 0);
	vmwrite32(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite32(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite32(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmwriten(CR0_GUEST_HOST_MASK, ~VMX_CR0_GUEST_OWNED);
	vmwriten(CR4_GUEST_HOST_MASK, ~0UL);
	vmwrite64(TSC_OFFSET, -vmx->vcpu.vm->tsc_base);
	vmwrite64(VMCS_LINK_POINTER, ~0ULL);
}

/* What is the same on every CPU and for every process */
static void init_host(void)
{
	struct desc_ptr idt;
	u64 value;

	store_idt(&idt);
	vmwriten(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmwrite16(HOST_CS_SELECTOR, __KERNEL_CS);
	vmwrite16(HOST_SS_SELECTOR, __KERNEL_DS);
	vmwrite16(HOST_DS_SELECTOR, 0);
	vmwrite16(HOST_ES_SELECTOR, 0);
	vmwrite16(HOST_FS_SELECTOR, 0);
	vmwrite16(HOST_GS_SELECTOR, 0);
	vmwriten(HOST_FS_BASE, 0);
	vmwrite16(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmwriten(HOST_IDTR_BASE, idt.address);
	vmwriten(HOST_RIP, (unsigned long)vmx_exit);
	rdmsrl(MSR_IA32_SYSENTER_CS, value);
	vmwrite32(HOST_IA32_SYSENTER_CS, value);
	rdmsrl(MSR_IA32_SYSENTER_EIP, value);
	vmwriten(HOST_IA32_SYSENTER_EIP, value);
	rdmsrl(MSR_IA32_CR_PAT, value);
	vmwrite64(HOST_IA32_PAT, value);
	rdmsrl(MSR_EFER, value);
	vmwrite64(HOST_IA32_EFER, value);
}

/* SDM vol. 3, table 10-1: after RESET */
static void init_guest(struct vmx_vcpu *vmx)
{
	static const struct mvmm_segment data = {
		.limit = 0xffff, .attr = 0x93 };
	static const struct mvmm_segment code = {
		.base = 0xffff0000, .limit = 0xffff, .selector = 0xf000,
		.attr = 0x9b };
	static const struct mvmm_segment ldt = {
		.limit = 0xffff, .attr = 0x82 };
	static const struct mvmm_segment tr = {
		.limit = 0xffff, .attr = 0x8b };
	enum seg s;

	for (s = ES; s <= GS; s++)
		put_segment(s, s == CS ? &code : &data);
	put_segment(LDT, &ldt);
	put_segment(TR, &tr);
	vmwriten(GUEST_GDTR_BASE, 0);
	vmwrite32(GUEST_GDTR_LIMIT, 0xffff);
	vmwriten(GUEST_IDTR_BASE, 0);
	vmwrite32(GUEST_IDTR_LIMIT, 0xffff);
	vmwriten(GUEST_CR3, 0);
	vmwriten(GUEST_DR7, mvmm_dr_fixed(7, 0));
	vmwriten(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmwrite32(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmwrite32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmwrite64(GUEST_IA32_DEBUGCTL, 0);
	vmwrite64(GUEST_IA32_PAT, RESET_PAT);
	vmwrite32(GUEST_SYSENTER_CS, 0);
	vmwriten(GUEST_SYSENTER_ESP, 0);
	vmwriten(GUEST_SYSENTER_EIP, 0);
	vmwriten(GUEST_RIP, 0);
	vmwriten(GUEST_RSP, 0);
	vmwriten(GUEST_RFLAGS, 2);
	vmx->rflags = 2;
	vmx->vcpu.cr0 = X86_CR0_CD | X86_CR0_NW | X86_CR0_ET;
	vmx_sync_crs(&vmx->vcpu);
}

/** vmx_init_state() - fill a new VMCS, current on this CPU */
void vmx_init_state(struct vmx_vcpu *vmx)
{
	init_controls(vmx);
	init_host();
	init_guest(vmx);
}

/** vmx_load_cpu_state() - host state that follows the CPU; preemption off */
void vmx_load_cpu_state(struct vmx_vcpu *vmx)
{
	int cpu = smp_processor_id();
	u64 value;

	vmwriten(HOST_TR_BASE,
		 (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmx->host_gdt = (struct desc_ptr){
		.size = GDT_SIZE - 1,
		.address = (unsigned long)get_current_gdt_ro() };
	vmwriten(HOST_GDTR_BASE, vmx->host_gdt.address);
	rdmsrl(MSR_IA32_SYSENTER_ESP, value);
	vmwriten(HOST_IA32_SYSENTER_ESP, value);
	rdmsrl(MSR_GS_BASE, value);
	vmwriten(HOST_GS_BASE, value);
}

/*
 * Swapped by hand: an exit restores none of them. The first three the host sets
 * once and for all, and a guest writes them with an exit only, so none is read
 * back; CSTAR the CPU does not use, so it needs no swapping.
 */
static const u32 msr_index[VMX_NR_MSRS] = {
	MSR_STAR, MSR_LSTAR, MSR_SYSCALL_MASK, MSR_KERNEL_GS_BASE, MSR_CSTAR };
#define NR_FIXED VMX_GS_SLOT

static DEFINE_PER_CPU(u64 [NR_FIXED], host_msrs);

/** vmx_state_cpu_on() - note what the host keeps; interrupts off */
void vmx_state_cpu_on(void)
{
	int i;

	for (i = 0; i < NR_FIXED; i++)
		rdmsrl(msr_index[i], *this_cpu_ptr(&host_msrs[i]));
}

static u64 *find_msr(struct vmx_vcpu *vmx, u32 index)
{
	int i;

	for (i = 0; i < VMX_NR_MSRS; i++)
		if (msr_index[i] == index)
			return &vmx->msr[i];
	return NULL;
}

/** vmx_swap_syscall_msrs() - STAR, LSTAR, SFMASK; preemption off, in a section */
void vmx_swap_syscall_msrs(struct vmx_vcpu *vmx, bool to_guest)
{
	const u64 *host = *this_cpu_ptr(&host_msrs);
	int i;

	for (i = 0; i < NR_FIXED; i++)
		vmx_swap_msr(msr_index[i], to_guest ? host[i] : vmx->msr[i],
			     to_guest ? vmx->msr[i] : host[i]);
	vmx->syscall_msrs = to_guest;
}

/** vmx_in_64bit_code() - are addresses 64 bits wide? The VMCS is current */
bool vmx_in_64bit_code(struct vmx_vcpu *vmx)
{
	return vmx->vcpu.efer & EFER_LMA &&
	       vmread32(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK;
}

/** vmx_end_shadow() - of STI or MOV SS; @info: interruptibility as it is */
void vmx_end_shadow(u32 info)
{
	vmwrite32(GUEST_INTERRUPTIBILITY_INFO,
		  info & ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
}

/**
 * vmx_advance_rip() - the one place where rip steps over an instruction
 * @vmx: loaded; rip is in the VMCS
 * @len: its bytes
 *
 * Ends the STI and MOV SS shadow and clears RF. Return: RFLAGS.TF asks for a
 * single-step trap.
 */
bool vmx_advance_rip(struct vmx_vcpu *vmx, unsigned int len)
{
	u64 old = vmreadn(GUEST_RIP), rip = old + len;
	u64 rflags = vmreadn(GUEST_RFLAGS);
	u32 shadow = vmread32(GUEST_INTERRUPTIBILITY_INFO);

	/* Outside of 64-bit code it wraps, where it can */
	if (unlikely((rip ^ old) >> 32) && !vmx_in_64bit_code(vmx))
		rip = (u32)rip;
	vmwriten(GUEST_RIP, rip);
	if (rflags & X86_EFLAGS_RF)
		vmwriten(GUEST_RFLAGS, rflags & ~X86_EFLAGS_RF);
	if (unlikely(shadow & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)))
		vmx_end_shadow(shadow);
	if (likely(!(rflags & X86_EFLAGS_TF)))
		return false;
	/* The caller raises the trap: a BS left here would double it */
	vmwriten(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	return true;
}

/** vmx_sync_crs() - write cr0, cr4 and efer of the generic part to the VMCS */
void vmx_sync_crs(struct mvmm_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 cr0 = (vcpu->cr0 & ~(X86_CR0_CD | X86_CR0_NW)) |
		  vmx_caps.cr0_fixed0;
	/* The host's #MC must work whatever the guest thinks of CR4.MCE */
	u64 cr4 = vcpu->cr4 | vmx_caps.cr4_fixed0 |
		  (__read_cr4() & X86_CR4_MCE);
	u32 entry = vmx->entry & ~VM_ENTRY_IA32E_MODE;

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
	/* MOV to CR0 and CR4 flushes; what is cached must go before the entry */
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

void vmx_set_state(struct mvmm_vcpu *vcpu, const struct mvmm_sregs *sregs)
{
	const struct mvmm_segment *seg = &sregs->es;
	enum seg s;
	int i;

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

	ev->nmi_masked = !!(info & GUEST_INTR_STATE_NMI);
	ev->pending_dbg = vmreadn(GUEST_PENDING_DBG_EXCEPTIONS);
}

void vmx_set_events(struct mvmm_vcpu *vcpu, const struct mvmm_events *ev)
{
	vmwrite32(GUEST_INTERRUPTIBILITY_INFO,
		  ev->shadow | (ev->nmi_masked ? GUEST_INTR_STATE_NMI : 0));
	vmwriten(GUEST_PENDING_DBG_EXCEPTIONS, ev->pending_dbg);
}

u64 vmx_get_dr7(struct mvmm_vcpu *vcpu)
{
	return vmreadn(GUEST_DR7);
}

void vmx_set_dr7(struct mvmm_vcpu *vcpu, u64 dr7)
{
	vmwriten(GUEST_DR7, dr7);
	to_vmx(vcpu)->breakpoints = dr7 & DR7_ENABLED;
}

u64 vmx_get_msr(struct mvmm_vcpu *vcpu, u32 index)
{
	const u64 *slot;

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
	default:
		slot = find_msr(to_vmx(vcpu), index);
		return WARN_ON_ONCE(!slot) ? 0 : *slot;
	}
}

void vmx_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	u64 *slot;

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
	default:
		slot = find_msr(to_vmx(vcpu), index);
		if (WARN_ON_ONCE(!slot))
			return;
		*slot = value;
		if (to_vmx(vcpu)->syscall_msrs && index != MSR_CSTAR)
			wrmsrl(index, value);
	}
}

/** vmx_sync_tsc() - write tsc_offset to the VMCS */
void vmx_sync_tsc(struct mvmm_vcpu *vcpu)
{
	vmwrite64(TSC_OFFSET, vcpu->tsc_offset);
}
