// SPDX-License-Identifier: GPL-2.0
/*
 * Decoders from exit qualifications and segments to vendor-neutral values, and
 * back. Pure. SDM vol. 3, 28.2 and 25.4.1.
 */
#include <linux/bits.h>
#include <asm/vmx.h>
#include "vmx.h"

#define SEG_P		BIT(7)
#define SEG_UNUSABLE	BIT(16)
#define SEG_MASK		0xf0ff

/** vmx_decode_io() - qualification of an I/O instruction (table 28-5) */
void vmx_decode_io(u64 qualification, struct mvmm_exit *exit)
{
	exit->reason = MVMM_EXIT_IO;
	exit->io = (typeof(exit->io)){
		.port = qualification >> 16,
		.size = (qualification & 7) + 1,
		/* bits 3..5: in, string, REP, in the order of MVMM_IO_* */
		.flags = qualification >> 3 & 7,
	};
}

/** vmx_decode_addr_size() - bytes, from INS and OUTS information (28-8) */
u8 vmx_decode_addr_size(u32 insn_info)
{
	return 2 << ((insn_info >> 7) & 3);
}

/** vmx_decode_cr() - qualification of a CR access (table 28-3) */
struct vmx_cr_access vmx_decode_cr(u64 qualification)
{
	return (struct vmx_cr_access){
		.cr = qualification & 0xf,
		.kind = (qualification >> 4) & 3,
		.reg = (qualification >> 8) & 0xf,
		.lmsw = qualification >> 16,
	};
}

/** vmx_decode_dr() - qualification of MOV DR (table 28-4) */
struct vmx_dr_access vmx_decode_dr(u64 qualification)
{
	return (struct vmx_dr_access){
		.dr = qualification & 7,
		.read = qualification & BIT(4),
		.reg = (qualification >> 8) & 0xf,
	};
}

/** vmx_decode_ept() - qualification of an EPT violation to MVMM_ACCESS_* */
u32 vmx_decode_ept(u64 qualification)
{
	/* bits 0..2: read, write, fetch (table 28-7), as in MVMM_ACCESS_* */
	u32 access = qualification & 7;

	/*
	 * 7: the access has a linear address; 8: and is not a page walk for it
	 */
	if ((qualification & (BIT(7) | BIT(8))) != (BIT(7) | BIT(8)))
		access |= MVMM_ACCESS_PAGE_WALK;
	return access;
}

/** vmx_decode_apic_access() - the same for an APIC access (table 28-6) */
u32 vmx_decode_apic_access(u64 qualification)
{
	switch (qualification & APIC_ACCESS_TYPE) {
	case TYPE_LINEAR_APIC_INST_WRITE:
		return MVMM_ACCESS_WRITE;
	case TYPE_LINEAR_APIC_INST_FETCH:
		return MVMM_ACCESS_EXEC;
	case TYPE_PHYSICAL_APIC_EVENT:
	case TYPE_PHYSICAL_APIC_INST:
		return MVMM_ACCESS_READ | MVMM_ACCESS_PAGE_WALK;
	default:
		/* Also the delivery of an event, which may write */
		return MVMM_ACCESS_READ;
	}
}

/** vmx_segment_ar() - access rights from the ABI's attributes */
u32 vmx_segment_ar(u16 attr)
{
	/* The DPL of an unusable SS is still the CPL */
	return (attr & SEG_MASK) | (attr & SEG_P ? 0 : SEG_UNUSABLE);
}

/** vmx_segment_attr() - the ABI's attributes from access rights */
u16 vmx_segment_attr(u32 ar)
{
	return ar & SEG_UNUSABLE ? ar & SEG_MASK & ~SEG_P : ar & SEG_MASK;
}
