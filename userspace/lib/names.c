// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Names for numbers of the ABI, for messages; those of the CPU's own exits are the
 * ones of KVM's tracepoints.
 */
#include <asm/kvm.h>
#include <asm/svm.h>
#include <asm/vmx.h>
#include "libmvmm.h"

const char *mvmm_exit_name(uint32_t reason)
{
	static const char *const names[] = {
		[MVMM_EXIT_INTR] = "interrupted",
		[MVMM_EXIT_IO] = "port I/O",
		[MVMM_EXIT_MMIO] = "MMIO",
		[MVMM_EXIT_HLT] = "HLT",
		[MVMM_EXIT_SHUTDOWN] = "shutdown (triple fault)",
		[MVMM_EXIT_IRQ_WINDOW] = "interrupt window",
		[MVMM_EXIT_MEMORY_FAULT] = "memory fault",
		[MVMM_EXIT_ENTRY_FAILED] = "VM entry failed",
		[MVMM_EXIT_ERROR] = "internal error",
		[MVMM_EXIT_CR] = "access to a control register",
		[MVMM_EXIT_EOI] = "end of a level interrupt",
		[MVMM_EXIT_TASK_SWITCH] = "task switch",
		[MVMM_EXIT_DIRTY_RING_FULL] = "dirty ring full",
	};

	if (reason < sizeof(names) / sizeof(names[0]) && names[reason])
		return names[reason];
	return "unknown";
}

struct name {
	uint64_t number;
	const char *text;
};

static const struct name vmx_exits[] = { VMX_EXIT_REASONS };
static const struct name svm_exits[] = { SVM_EXIT_REASONS };

const char *mvmm_hw_exit_name(uint64_t features, uint32_t index)
{
	bool svm = features & MVMM_FEATURE_SVM;
	const struct name *all = svm ? svm_exits : vmx_exits;
	size_t size = svm ? sizeof(svm_exits) : sizeof(vmx_exits), i;

	if (index >= MVMM_STATS_HW_EXITS)
		return NULL;
	if (svm && index >= 0xb0)
		index += 0x400 - 0xb0;
	for (i = 0; i < size / sizeof(*all); i++)
		if (all[i].number == index)
			return all[i].text;
	return NULL;
}
