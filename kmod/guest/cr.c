// SPDX-License-Identifier: GPL-2.0
/*
 * Guest control registers: which values the architecture allows (SDM vol. 3,
 * 2.5), and what follows from a change. vmx/ and svm/ write the result to
 * hardware.
 */
#include <linux/mm_types.h>
#include <asm/processor-flags.h>
#include <asm/msr-index.h>
#include <asm/fpu/types.h>
#include "guest.h"
#include "irq/apic.h"
#include "mm/memory.h"
#include "vendor.h"

#define CR0_KNOWN							\
	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | \
	 X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | \
	 X86_CR0_PG)

/* mvmm_segment.attr */
#define ATTR_L BIT(13)

#define XCR0_AVX512 \
	(XFEATURE_MASK_OPMASK | XFEATURE_MASK_ZMM_Hi256 | \
	 XFEATURE_MASK_Hi16_ZMM)

/** mvmm_cr0_valid() - may CR0 have this value? Unknown low bits are ignored */
bool mvmm_cr0_valid(u64 cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_PG) && !(cr0 & X86_CR0_PE))
		return false;
	return !(cr0 & X86_CR0_NW) || (cr0 & X86_CR0_CD);
}

/** mvmm_cr4_valid() - may CR4 have this value while EFER has @efer? */
bool mvmm_cr4_valid(const struct mvmm_guest_caps *caps, u64 cr4, u64 efer)
{
	if (cr4 & ~caps->cr4)
		return false;
	if (efer & EFER_LMA)
		return cr4 & X86_CR4_PAE;
	return !(cr4 & X86_CR4_PCIDE);
}

/** mvmm_efer_valid() - may a guest write this to EFER? LMA in it is ignored */
bool mvmm_efer_valid(const struct mvmm_guest_caps *caps, u64 efer)
{
	return !(efer & ~(caps->efer | EFER_LMA));
}

/** mvmm_xcr0_valid() - may XCR0 have this value (SDM vol. 1, 13.3)? */
bool mvmm_xcr0_valid(const struct mvmm_guest_caps *caps, u64 xcr0)
{
	if (!(xcr0 & XFEATURE_MASK_FP) || (xcr0 & ~caps->xcr0))
		return false;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if (!(xcr0 & XCR0_AVX512))
		return true;
	return (xcr0 & XCR0_AVX512) == XCR0_AVX512 &&
	       (xcr0 & XFEATURE_MASK_YMM);
}

/** mvmm_pdptes_valid() - are reserved bits clear (SDM vol. 3, table 4-8)? */
bool mvmm_pdptes_valid(const u64 pdpte[4], u8 phys_bits)
{
	u64 reserved = ~((1ULL << phys_bits) - 1) | 0x1e6;
	int i;

	for (i = 0; i < 4; i++)
		if ((pdpte[i] & 1) && (pdpte[i] & reserved))
			return false;
	return true;
}

/** mvmm_uses_pae() - is it PAE paging? VMX has its PDPTEs in registers */
bool mvmm_uses_pae(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & EFER_LMA);
}

/*
 * Notes what it replaces, for PDPTEs that turn out to be wrong. @reload: in PAE paging
 * this write loads them (SDM vol. 3, 4.4.1). Returns what mvmm_set_cr0() does
 */
static int commit(struct mvmm_vcpu *vcpu, u64 cr0, u64 cr4, u64 efer, bool reload)
{
	vcpu->before.cr0 = vcpu->cr0;
	vcpu->before.cr4 = vcpu->cr4;
	vcpu->before.efer = vcpu->efer;
	vcpu->cr0 = cr0;
	vcpu->cr4 = cr4;
	vcpu->efer = efer;
	mvmm_ops->sync_crs(vcpu);
	return reload && !mvmm_vendor.walk_pdptes && mvmm_uses_pae(cr0, cr4, efer);
}

/* tour 23: control registers: what may be written */

/**
 * mvmm_set_cr0() - the guest writes CR0
 * @vcpu: loaded
 * @cr0: the value written
 *
 * Context: atomic. Return: 0; -EINVAL: #GP; 1: done, and mvmm_load_pdptes()
 * must be called before the next entry.
 */
int mvmm_set_cr0(struct mvmm_vcpu *vcpu, u64 cr0)
{
	u64 old = vcpu->cr0, efer = vcpu->efer;

	if (!mvmm_cr0_valid(cr0))
		return -EINVAL;
	cr0 = (cr0 & CR0_KNOWN) | X86_CR0_ET;
	if ((cr0 ^ old) & X86_CR0_PG) {
		struct mvmm_sregs sregs;

		/* SDM vol. 3, 10.8.5: neither in 64-bit code nor into it */
		mvmm_ops->get_state(vcpu, &sregs);
		if (efer & EFER_LME && sregs.cs.attr & ATTR_L)
			return -EINVAL;
		if (efer & EFER_LME) {
			if (cr0 & X86_CR0_PG) {
				if (!(vcpu->cr4 & X86_CR4_PAE))
					return -EINVAL;
				efer |= EFER_LMA;
			} else {
				efer &= ~EFER_LMA;
			}
		}
		if (!(cr0 & X86_CR0_PG) && (vcpu->cr4 & X86_CR4_PCIDE))
			return -EINVAL;
	}
	return commit(vcpu, cr0, vcpu->cr4, efer,
		      (cr0 ^ old) & (X86_CR0_PG | X86_CR0_CD | X86_CR0_NW));
}

/**
 * mvmm_set_cr4() - the guest writes CR4
 * @vcpu: loaded
 * @cr4: the value written
 *
 * Context: atomic. Return: as mvmm_set_cr0().
 */
int mvmm_set_cr4(struct mvmm_vcpu *vcpu, u64 cr4)
{
	u64 old = vcpu->cr4;

	if (!mvmm_cr4_valid(&vcpu->caps, cr4, vcpu->efer))
		return -EINVAL;
	if (cr4 & ~old & X86_CR4_PCIDE) {
		struct mvmm_sregs sregs;

		/* SDM vol. 3, 4.10.1: only with CR3[11:0] clear */
		mvmm_ops->get_state(vcpu, &sregs);
		if (sregs.cr3 & 0xfff)
			return -EINVAL;
	}
	return commit(vcpu, vcpu->cr0, cr4, vcpu->efer,
		      (cr4 ^ old) & (X86_CR4_PAE | X86_CR4_PSE |
				     X86_CR4_PGE | X86_CR4_SMEP));
}

/**
 * mvmm_set_efer() - the guest writes IA32_EFER
 * @vcpu: loaded
 * @efer: the value written; LMA in it is ignored
 *
 * Context: atomic. Return: 0 or -EINVAL: #GP.
 */
int mvmm_set_efer(struct mvmm_vcpu *vcpu, u64 efer)
{
	if (!mvmm_efer_valid(&vcpu->caps, efer))
		return -EINVAL;
	if (((efer ^ vcpu->efer) & EFER_LME) && (vcpu->cr0 & X86_CR0_PG))
		return -EINVAL;
	vcpu->efer = (efer & ~EFER_LMA) | (vcpu->efer & EFER_LMA);
	mvmm_ops->sync_crs(vcpu);
	return 0;
}

/**
 * mvmm_write_cr() - the guest writes a control register, with an exit
 * @vcpu: loaded
 * @cr: 0, 4 or 8
 * @value: the value written
 *
 * Context: atomic. Return: as mvmm_set_cr0().
 */
int mvmm_write_cr(struct mvmm_vcpu *vcpu, u8 cr, u64 value)
{
	switch (cr) {
	case 0:
		return mvmm_set_cr0(vcpu, value);
	case 4:
		return mvmm_set_cr4(vcpu, value);
	case 8:
		if (value > 15)
			return -EINVAL;
		mvmm_apic_set_cr8(vcpu, value);
		return 0;
	default:
		return -EINVAL;
	}
}

/**
 * mvmm_do_xsetbv() - execute XSETBV on vcpu->regs
 * @vcpu: loaded; the guest's CPL is 0 and CR4.OSXSAVE set
 *
 * Context: atomic. Return: 0 or -EINVAL: #GP.
 */
int mvmm_do_xsetbv(struct mvmm_vcpu *vcpu)
{
	const struct mvmm_regs *regs = &vcpu->regs;
	u64 xcr0 = (u32)regs->rax | regs->rdx << 32;

	if ((u32)regs->rcx || !mvmm_xcr0_valid(&vcpu->caps, xcr0))
		return -EINVAL;
	vcpu->xcr0 = xcr0;
	return 0;
}

/**
 * mvmm_load_pdptes() - load the PDPTEs from where CR3 points to
 * @vcpu: not loaded; mvmm_set_cr0() or mvmm_set_cr4() has said that it is to be
 *	done, and is undone if that fails
 *
 * Context: may sleep. Return: 0; -EINVAL: a reserved bit is set, the guest gets
 * #GP; -EFAULT: CR3 does not point to memory, the same.
 */
int mvmm_load_pdptes(struct mvmm_vcpu *vcpu)
{
	struct mvmm_sregs sregs;
	int ret;

	mvmm_assert_may_sleep();
	mvmm_vcpu_load(vcpu);
	mvmm_ops->get_state(vcpu, &sregs);
	mvmm_vcpu_put(vcpu);

	ret = mvmm_read_guest(vcpu->vm, sregs.cr3 & 0xffffffe0, sregs.pdpte,
			      sizeof(sregs.pdpte));
	if (!ret && !mvmm_pdptes_valid(sregs.pdpte, vcpu->caps.phys_bits))
		ret = -EINVAL;

	mvmm_vcpu_load(vcpu);
	if (ret) {
		vcpu->cr0 = vcpu->before.cr0;
		vcpu->cr4 = vcpu->before.cr4;
		vcpu->efer = vcpu->before.efer;
		mvmm_ops->sync_crs(vcpu);
	} else {
		mvmm_ops->set_state(vcpu, &sregs);
	}
	mvmm_vcpu_put(vcpu);
	return ret;
}

/**
 * mvmm_dr_fixed() - what a debug register holds after a write
 * @dr: 6 or 7
 * @value: what is written
 *
 * SDM vol. 3, figure 18-1. RTM and the bus-lock bits are not offered.
 *
 * Return: @value with the reserved bits as they always are.
 */
u64 mvmm_dr_fixed(int dr, u64 value)
{
	if (dr == 6)
		return (value & 0xe00f) | 0xffff0ff0;
	return (value & 0xffff2bff) | 0x400;
}
