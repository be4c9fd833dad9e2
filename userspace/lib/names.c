// SPDX-License-Identifier: LGPL-2.1-or-later
/* Names for numbers of the ABI, for messages. */
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
