/* SPDX-License-Identifier: GPL-2.0 */
/* What VMX does for a local APIC: see apicv.c. */
#ifndef MVMM_VMX_APICV_H
#define MVMM_VMX_APICV_H

#include "vmx.h"

#ifdef CONFIG_MVMM_APICV
int vmx_apicv_setup(void);
void vmx_apicv_teardown(void);
u64 vmx_apic_page_pa(void);
int vmx_apicv_alloc(struct vmx_vcpu *vmx);
void vmx_apicv_free(struct vmx_vcpu *vmx);
void vmx_apicv_init(struct vmx_vcpu *vmx);
void vmx_sync_apic(struct vmx_vcpu *vmx);
void vmx_set_tpr_threshold(struct vmx_vcpu *vmx, u32 class);

enum mvmm_step vmx_handle_eoi_induced(struct mvmm_vcpu *vcpu);
enum mvmm_step vmx_handle_apic_write(struct mvmm_vcpu *vcpu);
enum mvmm_step vmx_handle_apic_access(struct mvmm_vcpu *vcpu);

#else

/* Without the option these exits cannot happen: no handlers */
#define vmx_handle_eoi_induced	NULL
#define vmx_handle_apic_write	NULL
#define vmx_handle_apic_access	NULL

static inline int vmx_apicv_setup(void)
{
	vmx_caps.tpr_shadow = false;
	vmx_caps.apicv = false;
	vmx_caps.apic_page = false;
	return 0;
}

static inline void vmx_apicv_teardown(void) {}

static inline u64 vmx_apic_page_pa(void)
{
	return 0;
}

static inline int vmx_apicv_alloc(struct vmx_vcpu *vmx)
{
	return 0;
}

static inline void vmx_apicv_free(struct vmx_vcpu *vmx) {}
static inline void vmx_apicv_init(struct vmx_vcpu *vmx) {}
static inline void vmx_sync_apic(struct vmx_vcpu *vmx) {}
static inline void vmx_set_tpr_threshold(struct vmx_vcpu *vmx, u32 class) {}
#endif

#endif
