// SPDX-License-Identifier: GPL-2.0
/*
 * Decoders from EXITINFO and segments to vendor-neutral values, and back. Pure.
 * APM vol. 2, 15.10.2, 15.25.6 and 15.33.
 */
#include <linux/bitops.h>
#include <linux/string.h>
#include <asm/page_types.h>
#include <asm/svm.h>
#include "svm.h"

#define INFO_MOV_CR	BIT_ULL(63)
#define NPF_WRITE	BIT_ULL(1)
#define NPF_FETCH	BIT_ULL(4)
#define NPF_WALK	BIT_ULL(33)

/** svm_decode_io() - EXITINFO1 of an I/O instruction (figure 15-2) */
void svm_decode_io(u64 info, struct mvmm_exit *exit)
{
	exit->reason = MVMM_EXIT_IO;
	exit->io = (typeof(exit->io)){
		.port = info >> 16,
		/*
		 * A bit for 1, 2 and 4 bytes each; the same for addresses below
		 */
		.size = (info >> SVM_IOIO_SIZE_SHIFT) & 7,
		/* Bits 0, 2, 3: in, string, REP, in the order of MVMM_IO_* */
		.flags = (info & MVMM_IO_IN) |
			 (info >> 1 & (MVMM_IO_STRING | MVMM_IO_REP)),
	};
	if (info & SVM_IOIO_STR_MASK)
		exit->io.addr_size =
			((info >> SVM_IOIO_ASIZE_SHIFT) & 7) << 1;
}

/**
 * svm_decode_cr() - exit by an access to a control register
 * @code: exit code
 * @info: EXITINFO1
 * @assists: the CPU has decode assists
 *
 * Return: what is accessed, and how.
 */
struct svm_cr_access svm_decode_cr(u32 code, u64 info, bool assists)
{
	struct svm_cr_access a = {
		.cr = code & 0xf,
		.write = code >= SVM_EXIT_WRITE_CR0,
		.known = assists && info & INFO_MOV_CR,
		.reg = info & SVM_EXITINFO_REG_MASK,
	};

	if (code == SVM_EXIT_CR0_SEL_WRITE)
		a.cr = 0;
	return a;
}

/** svm_decode_npf() - EXITINFO1 of a nested page fault to MVMM_ACCESS_* */
u32 svm_decode_npf(u64 info)
{
	u32 access = info & NPF_WRITE ? MVMM_ACCESS_WRITE :
		     info & NPF_FETCH ? MVMM_ACCESS_EXEC : MVMM_ACCESS_READ;

	return info & NPF_WALK ? access | MVMM_ACCESS_PAGE_WALK : access;
}

/** svm_segment_attrib() - the VMCB's attributes from the ABI's */
u16 svm_segment_attrib(u16 attr)
{
	return (attr & 0xff) | (attr >> 4 & 0xf00);
}

/** svm_segment_attr() - the ABI's attributes from the VMCB's */
u16 svm_segment_attr(u16 attrib)
{
	return (attrib & 0xff) | (attrib & 0xf00) << 4;
}
