// SPDX-License-Identifier: GPL-2.0
/* What happens when VMWRITE fails. */
#define pr_fmt(fmt) "mvmm: " fmt

#include "insn.h"

void vmx_write_failed(unsigned long field, unsigned long value)
{
	pr_warn_once("VMWRITE of 0x%lx to field 0x%lx failed: error %lu\n",
		     value, field, vmcs_get(VM_INSTRUCTION_ERROR));
}
