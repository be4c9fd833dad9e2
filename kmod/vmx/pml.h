/* SPDX-License-Identifier: GPL-2.0 */
/* Page-modification logging: see pml.c. */
#ifndef MVMM_VMX_PML_H
#define MVMM_VMX_PML_H

#include "vmx.h"

#ifdef CONFIG_MVMM_PML
void vmx_pml_setup(void);
int vmx_pml_alloc(struct vmx_vcpu *vmx);
void vmx_pml_free(struct vmx_vcpu *vmx);
void vmx_pml_init(struct vmx_vcpu *vmx);
void vmx_sync_pml(struct vmx_vcpu *vmx);

enum mvmm_step vmx_handle_pml_full(struct mvmm_vcpu *vcpu);

#else

/* Without the option this exit cannot happen: no handler */
#define vmx_handle_pml_full	NULL

static inline void vmx_pml_setup(void)
{
	vmx_caps.pml = false;
}

static inline int vmx_pml_alloc(struct vmx_vcpu *vmx)
{
	return 0;
}

static inline void vmx_pml_free(struct vmx_vcpu *vmx) {}
static inline void vmx_pml_init(struct vmx_vcpu *vmx) {}
static inline void vmx_sync_pml(struct vmx_vcpu *vmx) {}
#endif

#endif
