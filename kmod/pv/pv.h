/* SPDX-License-Identifier: GPL-2.0 */
/* The paravirtual interface, KVM's: clock, steal time (pv.c), EOI (eoi.c). */
#ifndef MVMM_PV_PV_H
#define MVMM_PV_PV_H

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/time64.h>
#include <uapi/linux/kvm_para.h>
#include "cpu/tsc.h"
#include "vcpu.h"

/**
 * mvmm_pv_clock_rate() - a TSC's rate in the form that pvclock has
 * @khz: the TSC's rate, not 0
 * @mul: out: ns = ((ticks << shift) * mul) >> 32
 * @shift: out, may be negative
 */
static inline void mvmm_pv_clock_rate(u32 khz, u32 *mul, s8 *shift)
{
	u64 hz = khz * 1000ull;

	*shift = 0;
	for (; hz > 2 * NSEC_PER_SEC; hz >>= 1)
		--*shift;
	for (; hz <= NSEC_PER_SEC; hz <<= 1)
		++*shift;
	*mul = ((u64)NSEC_PER_SEC << 32) / hz;
}

/* What kvmclock shows when a vCPU that has not written to its TSC has @tsc */
static inline u64 mvmm_pv_clock(const struct mvmm_vm *vm, u64 tsc)
{
	/* TSCs of the host's CPUs may differ by a little */
	s64 ticks = max_t(s64, tsc - vm->clock_tsc, 0);

	return vm->clock_ns + mvmm_guest_ticks_to_ns(vm, ticks);
}

#ifdef CONFIG_MVMM_PV

/* What the CPUID leaf KVM_CPUID_FEATURES offers */
#define MVMM_PV_FEATURES						\
	(BIT(KVM_FEATURE_NOP_IO_DELAY) | BIT(KVM_FEATURE_CLOCKSOURCE2) | \
	 BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) |			\
	 BIT(KVM_FEATURE_STEAL_TIME) | BIT(KVM_FEATURE_PV_UNHALT) |	\
	 BIT(KVM_FEATURE_PV_TLB_FLUSH) |				\
	 (IS_ENABLED(CONFIG_MVMM_PV_EOI) ? BIT(KVM_FEATURE_PV_EOI) : 0))

/* Is it in KVM's range? Those of its MSRs that mvmm does not have raise #GP */
static inline bool mvmm_is_pv_msr(u32 index)
{
	return index >> 8 == 0x4b564d;
}

void mvmm_pv_away(struct mvmm_vcpu *vcpu);
void mvmm_pv_steal(struct mvmm_vcpu *vcpu);
void mvmm_pv_update(struct mvmm_vcpu *vcpu);
int mvmm_pv_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value);
int mvmm_pv_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value);
void mvmm_do_hypercall(struct mvmm_vcpu *vcpu);
void mvmm_pv_tsc_changed(struct mvmm_vcpu *vcpu);
void mvmm_pv_stopped(struct mvmm_vcpu *vcpu);

/* RUN returns -EINTR: the thread may be stopped now */
static inline void mvmm_pv_left(struct mvmm_vcpu *vcpu)
{
	vcpu->pv.left_at = mvmm_tsc();
}

/* RUN is called again */
static inline void mvmm_pv_back(struct mvmm_vcpu *vcpu)
{
	u64 left_at = vcpu->pv.left_at;

	if (likely(!left_at))
		return;
	vcpu->pv.left_at = 0;
	if ((s64)(mvmm_tsc() - left_at) > (s64)tsc_khz * 1000)
		mvmm_pv_stopped(vcpu);
}

#else

#define MVMM_PV_FEATURES 0

static inline bool mvmm_is_pv_msr(u32 index)
{
	return false;
}

static inline void mvmm_pv_away(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_pv_steal(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_pv_update(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_pv_tsc_changed(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_pv_stopped(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_pv_left(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_pv_back(struct mvmm_vcpu *vcpu) {}

static inline int mvmm_pv_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value)
{
	return -EINVAL;
}

static inline int mvmm_pv_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	return -EINVAL;
}

static inline void mvmm_do_hypercall(struct mvmm_vcpu *vcpu)
{
	vcpu->regs.rax = -KVM_ENOSYS;
}

#endif

#ifdef CONFIG_MVMM_PV_EOI

/** mvmm_pv_eoi_usable() - can the guest use PV EOI now? */
static inline bool mvmm_pv_eoi_usable(const struct mvmm_vcpu *vcpu)
{
	/* If the CPU itself does EOI, there is no exit to save */
	return vcpu->pv.eoi & KVM_MSR_ENABLED && !vcpu->vapic_irqs;
}

/** mvmm_pv_eoi_offered() - is the flag set, to be read after the exit? */
static inline bool mvmm_pv_eoi_offered(const struct mvmm_vcpu *vcpu)
{
	return unlikely(vcpu->pv.eoi_offered);
}

void mvmm_pv_eoi_offer(struct mvmm_vcpu *vcpu);
void mvmm_pv_eoi_look(struct mvmm_vcpu *vcpu);
void mvmm_pv_eoi_finish(struct mvmm_vcpu *vcpu);

#else

static inline bool mvmm_pv_eoi_usable(const struct mvmm_vcpu *vcpu)
{
	return false;
}

static inline bool mvmm_pv_eoi_offered(const struct mvmm_vcpu *vcpu)
{
	return false;
}

static inline void mvmm_pv_eoi_offer(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_pv_eoi_look(struct mvmm_vcpu *vcpu) {}
static inline void mvmm_pv_eoi_finish(struct mvmm_vcpu *vcpu) {}

#endif

#endif
