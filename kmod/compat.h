/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every shim for a difference between kernels, each chosen by a feature, never by
 * a version number. For C and assembly.
 */
#ifndef MVMM_COMPAT_H
#define MVMM_COMPAT_H

#include <asm/nospec-branch.h>
#include <asm/segment.h>

/* After an exit: fill the RSB (return predictions), and with which features */
#ifdef X86_FEATURE_RSB_VMEXIT_LITE
#define MVMM_RSB_FILL FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS,		\
	X86_FEATURE_RSB_VMEXIT, X86_FEATURE_RSB_VMEXIT_LITE
#else
#define MVMM_RSB_FILL FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS,		\
	X86_FEATURE_RETPOLINE
#endif

/* VERW before entry (MDS, TAA, MMIO stale data, RFDS): 6.1 series and later */
#ifdef X86_FEATURE_CLEAR_CPU_BUF
#define MVMM_CLEAR_CPU_BUFFERS CLEAR_CPU_BUFFERS
#else
#define MVMM_CLEAR_CPU_BUFFERS
#endif

/* The same before VMRUN (TSA): newer kernels have a feature of its own for it */
#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM_MMIO
/* New kernels only: their macro is in KVM's own directory */
#define MVMM_VM_CLEAR_CPU_BUFFERS					\
	ALTERNATIVE_2 "", __CLEAR_CPU_BUFFERS, X86_FEATURE_CLEAR_CPU_BUF_VM, \
		      __CLEAR_CPU_BUFFERS, X86_FEATURE_CLEAR_CPU_BUF_VM_MMIO
#elif defined(X86_FEATURE_CLEAR_CPU_BUF_VM)
#define MVMM_VM_CLEAR_CPU_BUFFERS VM_CLEAR_CPU_BUFFERS
#else
#define MVMM_VM_CLEAR_CPU_BUFFERS MVMM_CLEAR_CPU_BUFFERS
#endif

/* After an exit: Retbleed, SRSO */
#ifdef UNTRAIN_RET_VM
#define MVMM_UNTRAIN_RET UNTRAIN_RET_VM
#elif !defined(X86_FEATURE_IBPB_ON_VMEXIT)
#define MVMM_UNTRAIN_RET UNTRAIN_RET
#elif defined(__ASSEMBLY__)
/* Old kernels only: their macro knows entries of the kernel, and no exits */
.macro MVMM_UNTRAIN_RET
	UNTRAIN_RET
	ALTERNATIVE "", "call entry_ibpb", X86_FEATURE_IBPB_ON_VMEXIT
.endm
#endif

/* After an exit: branch history injection */
#ifdef X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#define MVMM_CLEAR_BRANCH_HISTORY CLEAR_BRANCH_HISTORY_VMEXIT
#elif defined(X86_FEATURE_CLEAR_BHB_LOOP)
#define MVMM_CLEAR_BRANCH_HISTORY CLEAR_BRANCH_HISTORY
#else
#define MVMM_CLEAR_BRANCH_HISTORY
#endif

#ifdef __ASSEMBLY__
/* New kernels only: their macros above refer to these; their own are KVM's alone */
.macro MVMM_OWN_MITIGATIONS
#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM_MMIO
	.pushsection .rodata, "a"
	.balign	2
x86_verw_sel:
	.word	__KERNEL_DS
	.popsection

SYM_FUNC_START_LOCAL(write_ibpb)
	mov	$MSR_IA32_PRED_CMD, %ecx
	mov	$PRED_CMD_IBPB, %eax
	xor	%edx, %edx
	wrmsr
	/* Some CPUs keep their return predictions */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_BUG_IBPB_NO_RET
	RET
SYM_FUNC_END(write_ibpb)
#endif
.endm
#else

#include <linux/eventfd.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <asm/msr.h>

/* Old kernels only: 64-bit values of MSRs had another name up to 6.15 */
#ifndef MVMM_HAS_RDMSRQ
#define rdmsrq rdmsrl
#define rdmsrq_safe rdmsrl_safe
#define wrmsrq wrmsrl
#define native_wrmsrq native_wrmsrl
#endif

/* What <asm/processor.h> had, too */
#ifdef MVMM_HAS_CPUID_API
#include <asm/cpuid/api.h>
#endif

/* Old kernels only */
#ifndef MVMM_HAS_CPUID_BASE_HYPERVISOR
#define cpuid_base_hypervisor hypervisor_cpuid_base
#endif

/* Old kernels only: so had the VMCB's first word of various controls */
#ifndef MVMM_HAS_VMCB_MISC_CTL
#define misc_ctl nested_ctl
#define SVM_MISC_ENABLE_NP SVM_NESTED_CTL_NP_ENABLE
#endif

/* Newer kernels have it as a macro that uses a tracepoint */
#ifdef smp_send_reschedule
#include <trace/events/ipi.h>
#endif

/* Old kernels only: eventfd_signal() had a count up to 6.7 */
#ifdef MVMM_HAS_EVENTFD_SIGNAL
#define mvmm_eventfd_signal(ctx) eventfd_signal(ctx)
#else
#define mvmm_eventfd_signal(ctx) eventfd_signal(ctx, 1)
#endif

/* What ageing callbacks of an MMU notifier return: int, on new kernels bool */
#define mvmm_young_t							\
	typeof(((struct mmu_notifier_ops *)0)->test_young(NULL, NULL, 0))

/* Suspend and resume. Old kernels only: there was no argument to the operations */
#ifdef MVMM_HAS_SYSCORE
#define MVMM_SYSCORE_ARG void *data
#else
#define MVMM_SYSCORE_ARG void
struct syscore {
	struct syscore_ops *ops;
};

#define register_syscore(syscore) register_syscore_ops((syscore)->ops)
#define unregister_syscore(syscore) unregister_syscore_ops((syscore)->ops)
#endif

/* Old kernels do not know FRED */
#ifdef X86_FEATURE_FRED
#define mvmm_host_has_fred() cpu_feature_enabled(X86_FEATURE_FRED)
#else
#define mvmm_host_has_fred() false
#endif

/*
 * New kernels only: another thread is to run, but not at once. cond_resched()
 * does nothing there, and preempt_enable() waits for the next tick.
 */
#ifdef TIF_NEED_RESCHED_LAZY
#define MVMM_TIF_RESCHED_LAZY _TIF_NEED_RESCHED_LAZY
#else
#define MVMM_TIF_RESCHED_LAZY 0
#endif

/* Old kernels only: a timer's function was set by hand up to 6.12 */
#ifdef MVMM_HAS_HRTIMER_SETUP
#define mvmm_hrtimer_setup hrtimer_setup
#else
#define mvmm_hrtimer_setup(timer, fn, clock, mode) do {			\
	hrtimer_init(timer, clock, mode);				\
	(timer)->function = (fn);					\
} while (0)
#endif

/* SRSO on Zen 5: newer kernels leave it to who runs guests, while there are any */
static inline void mvmm_reduce_speculation(bool on)
{
#ifdef X86_FEATURE_SRSO_BP_SPEC_REDUCE
	const u64 bit = BIT_ULL(MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT);
	u64 cfg;

	if (!cpu_feature_enabled(X86_FEATURE_SRSO_BP_SPEC_REDUCE))
		return;
	rdmsrq(MSR_ZEN4_BP_CFG, cfg);
	wrmsrq(MSR_ZEN4_BP_CFG, on ? cfg | bit : cfg & ~bit);
#endif
}

/* VMSCAPE: an IBPB before userspace runs again on this CPU */
static inline void mvmm_ibpb_on_return_to_user(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

#endif
#endif
