/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every shim for a difference between kernels. Each is chosen by a feature of
 * the kernel, never by a version number. For C and assembly.
 */
#ifndef MVMM_COMPAT_H
#define MVMM_COMPAT_H

#include <asm/nospec-branch.h>

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

/*
 * The same before VMRUN (TSA): newer kernels have a feature of its own for it
 */
#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM
#define MVMM_VM_CLEAR_CPU_BUFFERS VM_CLEAR_CPU_BUFFERS
#else
#define MVMM_VM_CLEAR_CPU_BUFFERS MVMM_CLEAR_CPU_BUFFERS
#endif

/* After an exit: Retbleed, SRSO */
#ifdef UNTRAIN_RET_VM
#define MVMM_UNTRAIN_RET UNTRAIN_RET_VM
#else
#define MVMM_UNTRAIN_RET UNTRAIN_RET
#endif

/* After an exit: branch history injection */
#ifdef X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#define MVMM_CLEAR_BRANCH_HISTORY CLEAR_BRANCH_HISTORY_VMEXIT
#elif defined(X86_FEATURE_CLEAR_BHB_LOOP)
#define MVMM_CLEAR_BRANCH_HISTORY CLEAR_BRANCH_HISTORY
#else
#define MVMM_CLEAR_BRANCH_HISTORY
#endif

#ifndef __ASSEMBLY__

#include <linux/eventfd.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <asm/msr.h>

/* Old kernels only: 64-bit values of MSRs had another name up to 6.15 */
#ifndef MVMM_HAS_RDMSRQ
#define rdmsrq rdmsrl
#define rdmsrq_safe rdmsrl_safe
#define wrmsrq wrmsrl
#define native_wrmsrq native_wrmsrl
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

/* eventfd_signal() had a count once, and has none now */
static inline void
mvmm_signal_counted(__u64 (*signal)(struct eventfd_ctx *ctx, __u64 n),
		    struct eventfd_ctx *ctx)
{
	signal(ctx, 1);
}

static inline void mvmm_signal(void (*signal)(struct eventfd_ctx *ctx),
			       struct eventfd_ctx *ctx)
{
	signal(ctx);
}

#define mvmm_eventfd_signal(ctx)					\
	(__builtin_choose_expr(						\
		__builtin_types_compatible_p(typeof(eventfd_signal),	\
					     void(struct eventfd_ctx *)), \
		mvmm_signal, mvmm_signal_counted)((void *)eventfd_signal, ctx))

/* Over memory.high? The thread has to wait, on its way to userspace */
static inline bool mvmm_is_throttled(void)
{
#ifdef CONFIG_MEMCG
	return current->memcg_nr_pages_over_high;
#else
	return false;
#endif
}

#ifdef MVMM_HAS_HRTIMER_SETUP
#define mvmm_hrtimer_setup hrtimer_setup
#else
#define mvmm_hrtimer_setup(timer, fn, clock, mode) do {			\
	hrtimer_init(timer, clock, mode);				\
	(timer)->function = (fn);					\
} while (0)
#endif

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
