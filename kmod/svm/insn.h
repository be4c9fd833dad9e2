/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SVM instructions as functions, and access to the VMCB. Its layout is
 * <asm/svm.h>'s; what is written is told to the CPU by the clean bits, so every
 * write of a field that the CPU may cache goes by way of svm_dirty(). APM
 * vol. 2, 15.15.
 */
#ifndef MVMM_SVM_INSN_H
#define MVMM_SVM_INSN_H

#include <linux/bits.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/svm.h>
#include "svm.h"

/* Groups of VMCB fields by their clean bit (APM vol. 2, table 15-9) */
enum svm_clean {
	SVM_CLEAN_INTERCEPTS = BIT(0),
	SVM_CLEAN_ASID = BIT(2),
	SVM_CLEAN_INTR = BIT(3),
	SVM_CLEAN_NPT = BIT(4),
	SVM_CLEAN_CR = BIT(5),
	SVM_CLEAN_DR = BIT(6),
	SVM_CLEAN_DT = BIT(7),
	SVM_CLEAN_SEG = BIT(8),
	SVM_CLEAN_CR2 = BIT(9),
	/* every group that a CPU of today knows */
	SVM_CLEAN_ALL = 0xfff,
};

/* The next entry loads this group from memory again */
static inline void svm_dirty(struct svm_vcpu *svm, enum svm_clean group)
{
	svm->vmcb->control.clean &= ~group;
}

static inline void svm_intercept(struct svm_vcpu *svm, unsigned int bit,
				 bool on)
{
	u32 *word = &svm->vmcb->control.intercepts[bit / 32];
	u32 value = on ? *word | BIT(bit % 32) : *word & ~BIT(bit % 32);

	if (value != *word) {
		*word = value;
		svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
	}
}

/* FS, GS, TR, LDTR and the MSRs of SYSCALL and SYSENTER to memory */
static inline void svm_vmsave(u64 pa)
{
	asm volatile("1: vmsave %0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : : "a" (pa) : "memory");
}

#endif
