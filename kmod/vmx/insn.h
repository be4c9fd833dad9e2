/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMX instructions as functions. VMCS fields are typed by width: a wrong
 * width does not compile. Also the parts of the hot path that several files
 * need. SDM vol. 3, chapter 31; field encoding: 25.11.2.
 *
 * Every instruction has an exception-table entry that skips it, so that it does
 * not oops when a reboot turns VMX off under a running vCPU.
 */
#ifndef MVMM_VMX_INSN_H
#define MVMM_VMX_INSN_H

#include <linux/build_bug.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/processor.h>
#include <asm/debugreg.h>
#include <asm/vmx.h>
#include "cpu/host.h"
#include "vmx.h"

#define SKIP_FAULT "\n2:\n" _ASM_EXTABLE(1b, 2b)

#define VMCS_WIDTH_16		0
#define VMCS_WIDTH_64		1
#define VMCS_WIDTH_32		2
#define VMCS_WIDTH_NATURAL	3
#define vmcs_check(field, width)					\
	BUILD_BUG_ON_MSG((((field) >> 13) & 3) != (width), "VMCS field width")

static __always_inline unsigned long vmcs_get(unsigned long field)
{
	unsigned long value;

	/* 0 after a fault; any value if the CPU lacks the field */
	asm volatile("1: vmread %[field], %[value]\n2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_ZERO_REG, %[value])
		     : [value] "=r" (value) : [field] "r" (field) : "cc");
	return value;
}

/* A failure means a field that this CPU lacks: a bug of ours, not of a guest */
void vmx_write_failed(unsigned long field, unsigned long value);

static __always_inline void vmcs_put(unsigned long field, unsigned long value)
{
	asm goto("1: vmwrite %[value], %[field]\n"
		 "jbe %l[failed]\n2:\n" _ASM_EXTABLE(1b, 2b)
		 : : [field] "r" (field), [value] "r" (value) : "cc" : failed);
	return;
failed:
	vmx_write_failed(field, value);
}

#define DEFINE_VMCS(name, type, width)					\
static __always_inline type name##_get(const unsigned long field)	\
{									\
	return vmcs_get(field);						\
}									\
static __always_inline void name##_put(const unsigned long field, type value) \
{									\
	vmcs_put(field, value);						\
}

DEFINE_VMCS(__vmcs16, u16, VMCS_WIDTH_16)
DEFINE_VMCS(__vmcs32, u32, VMCS_WIDTH_32)
DEFINE_VMCS(__vmcs64, u64, VMCS_WIDTH_64)
DEFINE_VMCS(__vmcsn, unsigned long, VMCS_WIDTH_NATURAL)

#define VMCS_GET(name, width, field)					\
	({ vmcs_check(field, width); name##_get(field); })
#define VMCS_PUT(name, width, field, value)				\
	({ vmcs_check(field, width); name##_put(field, value); })

#define vmread16(f)	VMCS_GET(__vmcs16, VMCS_WIDTH_16, f)
#define vmread32(f)	VMCS_GET(__vmcs32, VMCS_WIDTH_32, f)
#define vmread64(f)	VMCS_GET(__vmcs64, VMCS_WIDTH_64, f)
#define vmreadn(f)	VMCS_GET(__vmcsn, VMCS_WIDTH_NATURAL, f)
#define vmwrite16(f, v)	VMCS_PUT(__vmcs16, VMCS_WIDTH_16, f, v)
#define vmwrite32(f, v)	VMCS_PUT(__vmcs32, VMCS_WIDTH_32, f, v)
#define vmwrite64(f, v)	VMCS_PUT(__vmcs64, VMCS_WIDTH_64, f, v)
#define vmwriten(f, v)	VMCS_PUT(__vmcsn, VMCS_WIDTH_NATURAL, f, v)

/* Return true on success */
static inline bool vmxon(u64 pa)
{
	bool failed = true;

	asm volatile("1: vmxon %[pa]\n"
		     "setbe %[failed]" SKIP_FAULT
		     : [failed] "+qm" (failed) : [pa] "m" (pa)
		     : "cc", "memory");
	return !failed;
}

static inline void vmxoff(void)
{
	asm volatile("1: vmxoff" SKIP_FAULT : : : "cc", "memory");
}

static inline bool vmclear(u64 pa)
{
	bool failed = true;

	asm volatile("1: vmclear %[pa]\n"
		     "setbe %[failed]" SKIP_FAULT
		     : [failed] "+qm" (failed) : [pa] "m" (pa)
		     : "cc", "memory");
	return !failed;
}

static inline bool vmptrld(u64 pa)
{
	bool failed = true;

	asm volatile("1: vmptrld %[pa]\n"
		     "setbe %[failed]" SKIP_FAULT
		     : [failed] "+qm" (failed) : [pa] "m" (pa)
		     : "cc", "memory");
	return !failed;
}

static inline bool invept(unsigned long type, u64 eptp)
{
	struct { u64 eptp, reserved; } operand = { eptp, 0 };
	bool failed = true;

	asm volatile("1: invept %[operand], %[type]\n"
		     "setbe %[failed]" SKIP_FAULT
		     : [failed] "+qm" (failed)
		     : [operand] "m" (operand), [type] "r" (type)
		     : "cc", "memory");
	return !failed;
}

static inline bool invvpid(unsigned long type, u16 vpid)
{
	struct { u64 vpid, address; } operand = { vpid, 0 };
	bool failed = true;

	asm volatile("1: invvpid %[operand], %[type]\n"
		     "setbe %[failed]" SKIP_FAULT
		     : [failed] "+qm" (failed)
		     : [operand] "m" (operand), [type] "r" (type)
		     : "cc", "memory");
	return !failed;
}

/* The guest changes this bit of CR0 without an exit */
#define VMX_CR0_GUEST_OWNED X86_CR0_TS

/** vmx_refresh_cr0() - fetch CR0's guest-owned bits; VMCS current */
static inline void vmx_refresh_cr0(struct vmx_vcpu *vmx)
{
	u64 hw = vmreadn(GUEST_CR0);

	vmx->vcpu.cr0 = (vmx->vcpu.cr0 & ~VMX_CR0_GUEST_OWNED) |
			(hw & VMX_CR0_GUEST_OWNED);
}

/**
 * vmx_mitigate() - hide what the guest must not find in caches and predictors
 * @vmx: about to be entered
 *
 * Called at the start of a section, and again after interrupts were on. In an
 * interrupt the process may have got an LDT or DEBUGCTL, which an exit clears:
 * they are noted here, to be restored. Or the host counts other events now, or has
 * another SPEC_CTRL.
 *
 * Context: interrupts off until the entry.
 */
static inline void vmx_mitigate(struct vmx_vcpu *vmx)
{
	u16 ldt;

	lockdep_assert_irqs_disabled();
	asm volatile("sldt %0" : "=r" (ldt));
	if (unlikely(ldt)) {
		vmx->host_ldt = ldt;
		vmx->odd_segments |= ldt;
	}
	vmx->host_debugctl = __rdmsr(MSR_IA32_DEBUGCTLMSR);
	if (unlikely(vmx->careful)) {
		if (vmx_caps.flush_l1d)
			wrmsrq(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
		vmx_sync_loaded(vmx);
	}
	mvmm_isolate_vm(&vmx->vcpu);
}

#define VMX_NMI_UNBLOCKING	BIT(12)

/*
 * The exit hit an IRET that had already unblocked NMIs: it comes again (28.2.3)
 */
static inline void vmx_block_nmis_again(struct vmx_vcpu *vmx, u64 qualification)
{
	if (qualification & VMX_NMI_UNBLOCKING && !vmx->vcpu.events.inflight.valid)
		vmwrite32(GUEST_INTERRUPTIBILITY_INFO,
			  vmread32(GUEST_INTERRUPTIBILITY_INFO) |
			  GUEST_INTR_STATE_NMI);
}

#endif
