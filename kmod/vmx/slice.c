// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a slice, exact to the tick: the VMX preemption timer. It is on only
 * while the slice has an end, which slots/ decides.
 */
#include "cpu/tsc.h"
#include "insn.h"
#include "slice.h"

/** vmx_slice_changed() - it has an end now, or none any more; the VMCS is current */
void vmx_slice_changed(struct vmx_vcpu *vmx)
{
	vmx->contended = vmx->vcpu.slice_end;
	/* A spin is worth an exit only if there is another to run */
	vmx_sync_secondary(vmx);
	if (!vmx_caps.preemption_timer)
		return;
	vmx->has_timer = vmx->contended;
	vmwrite32(PIN_BASED_VM_EXEC_CONTROL, vmx_caps.pin |
		  (vmx->has_timer ? PIN_BASED_VMX_PREEMPTION_TIMER : 0));
}

/** vmx_set_slice_timer() - exit at this time of the host's TSC; before an entry */
void vmx_set_slice_timer(u64 end)
{
	u64 now = mvmm_tsc();

	vmwrite32(VMX_PREEMPTION_TIMER_VALUE,
		  end > now ? min_t(u64, (end - now) >> vmx_caps.timer_shift,
				    U32_MAX) : 0);
}

/** vmx_handle_slice_end() - exit: let slots/ decide; atomic */
enum mvmm_step vmx_handle_slice_end(struct mvmm_vcpu *vcpu)
{
	mvmm_host_interrupts();
	vmx_mitigate(to_vmx(vcpu));
	atomic_or(MVMM_REQ_SLOT, &vcpu->requests);
	return MVMM_STEP_OUTER;
}
