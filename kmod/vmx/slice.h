/* SPDX-License-Identifier: GPL-2.0 */
/* The end of a slice by the VMX preemption timer: see slice.c. */
#ifndef MVMM_VMX_SLICE_H
#define MVMM_VMX_SLICE_H

#include "vmx.h"

#ifdef CONFIG_MVMM_SLOTS
void vmx_slice_changed(struct vmx_vcpu *vmx);
void vmx_set_slice_timer(u64 end);
enum mvmm_step vmx_handle_slice_end(struct mvmm_vcpu *vcpu);
#else
static inline void vmx_slice_changed(struct vmx_vcpu *vmx) {}
static inline void vmx_set_slice_timer(u64 end) {}

/* Without the option this exit cannot happen: no handler */
#define vmx_handle_slice_end	NULL
#endif

#endif
