// SPDX-License-Identifier: GPL-2.0
/*
 * The module with the unit tests. It includes the sources under test, since it
 * could not call static or unexported functions of mvmm.ko. Functions of other
 * rooms that they call are stubs here.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
static u64 vsched_steps;
#define vsched_step() (++vsched_steps)
#include "../logic/host.h"
#include "../logic/pgtable.c"
#include "../logic/pgtable_dirty.c"
#include "../logic/event.c"
#include "../logic/lapic.c"
#include "../mm/memory.h"
#include "../guest/msr.c"
#ifdef CONFIG_MVMM_MTRR
#include "../guest/mtrr.c"
#endif
#ifdef CONFIG_MVMM_MCE
#include "../guest/mce.c"
#endif
#include "../guest/cr.c"
#include "../logic/cpuid.c"
#include "../logic/sched.c"
#include "../logic/sched_fair.c"
#include "../logic/sched_rr.c"
#include "../logic/sched_gang.c"
#include "../vmx/decode.c"
#include "../vmx/ept.c"
#include "../vmx/loaded.c"
#undef pr_fmt
#include "../vmx/insn.c"
#undef pr_fmt
#include "../vmx/caps.c"
/* Both vendors have static functions of these names */
#define need svm_need
#define print_missing svm_print_missing
#undef pr_fmt
#include "../svm/caps.c"
#include "../svm/decode.c"
#include "../svm/npt.c"
#undef need
#undef print_missing

/* ---- stubs ------------------------------------------------------------ */

u64 mvmm_tsc_lost;
/* SSB_NO and MDS_NO */
u64 mvmm_arch_capabilities = 0x30;
static u64 stub_msr;
static struct mvmm_sregs stub_sregs;

static void stub_sync_crs(struct mvmm_vcpu *vcpu)
{
}

static void stub_get_state(struct mvmm_vcpu *vcpu, struct mvmm_sregs *sregs)
{
	*sregs = stub_sregs;
}

static void stub_set_state(struct mvmm_vcpu *vcpu,
			   const struct mvmm_sregs *sregs)
{
}

static u64 stub_get_msr(struct mvmm_vcpu *vcpu, u32 index)
{
	return stub_msr;
}

static void stub_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	stub_msr = value;
}

static void stub_vcpu_load(struct mvmm_vcpu *vcpu)
{
}

static const struct mvmm_vendor_ops stub_ops = {
	.vcpu_load = stub_vcpu_load,
	.sync_crs = stub_sync_crs,
	.get_state = stub_get_state,
	.set_state = stub_set_state,
	.get_msr = stub_get_msr,
	.set_msr = stub_set_msr,
};

const struct mvmm_vendor_ops *mvmm_ops = &stub_ops;
struct mvmm_vendor_caps mvmm_vendor;

void svm_sync_tsc(struct mvmm_vcpu *vcpu)
{
}

bool mvmm_on_bochs(void)
{
	return false;
}

int mvmm_read_guest(struct mvmm_vm *vm, u64 gpa, void *buf, size_t len)
{
	return -EFAULT;
}

#ifdef CONFIG_MVMM_PML
void vmx_sync_pml(struct vmx_vcpu *vmx)
{
}
#endif

#ifdef CONFIG_MVMM_PV
int mvmm_pv_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value)
{
	return -EINVAL;
}

int mvmm_pv_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	return -EINVAL;
}

void mvmm_pv_tsc_changed(struct mvmm_vcpu *vcpu)
{
}
#endif

int mvmm_apic_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value)
{
	return -EINVAL;
}

int mvmm_apic_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	return -EINVAL;
}

void mvmm_apic_tsc_moved(struct mvmm_vcpu *vcpu, u64 by)
{
}

void mvmm_apic_set_cr8(struct mvmm_vcpu *vcpu, u64 cr8)
{
	vcpu->cr8 = cr8;
}

#include "pgtable_test.c"
#include "event_test.c"
#include "lapic_test.c"
#include "policy_test.c"
#include "vmx_test.c"
#include "svm_test.c"
#include "sched_sim.c"
#include "sched_test.c"

kunit_test_suites(&pgtable_suite, &event_suite, &lapic_suite, &policy_suite,
		  &vmx_suite, &svm_suite, &pgtable_npt_suite, &sched_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("unit tests of mvmm");
