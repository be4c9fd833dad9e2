// SPDX-License-Identifier: GPL-2.0
/*
 * The paravirtual interface of VMs with local APICs. It is a part of KVM's
 * interface, so that Linux guests use it without knowing of mvmm. The CPUID
 * leaves and MSRs are described in Documentation/virt/kvm/x86/ in Linux.
 *
 * The clock is the guest's TSC at its nominal rate, the same on every vCPU if the
 * host's TSC is on every CPU. It does not follow the corrections that NTP makes to
 * the host's clock.
 */
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/pvclock-abi.h>
#include <asm/tsc.h>
#include "irq/apic.h"
#include "mm/memory.h"
#include "pv.h"
#include "slots/slots.h"
#include "vendor.h"

/* Bits of mvmm_pv.todo */
#define TODO_WALL_CLOCK	BIT(0)
#define TODO_CLOCK	BIT(1)
#define TODO_STEAL	BIT(2)

static void update_wall_clock(struct mvmm_vcpu *vcpu)
{
	struct mvmm_vm *vm = vcpu->vm;
	u64 boot = ktime_get_real_ns() -
		   mvmm_pv_clock(vm, mvmm_vm_tsc(vm, mvmm_host_tsc(vm)));
	struct pvclock_wall_clock wall;

	if (mvmm_read_guest(vm, vcpu->pv.wall_clock, &wall, sizeof(wall)))
		return;
	wall.version |= 1;
	wall.sec = div_u64_rem(boot, NSEC_PER_SEC, &wall.nsec);
	mvmm_write_versioned(vcpu, vcpu->pv.wall_clock, &wall, sizeof(wall), 0);
}

static void update_clock(struct mvmm_vcpu *vcpu)
{
	const struct mvmm_vm *vm = vcpu->vm;
	struct mvmm_pv *pv = &vcpu->pv;
	u64 gpa = pv->clock & ~KVM_MSR_ENABLED;
	/*
	 * The guest takes its TSC for later than the timestamp. Where another
	 * CPU's is a little behind, that is right of a moment a second earlier
	 */
	u64 earlier = min_t(u64, vm->clock_ns, NSEC_PER_SEC);
	struct pvclock_vcpu_time_info old, info = {
		/* What the guest has added to its TSC counts */
		.tsc_timestamp = vm->clock_tsc + vcpu->tsc_offset +
				 vm->tsc_base -
				 div_u64(earlier * vm->tsc_khz, USEC_PER_SEC),
		.system_time = vm->clock_ns - earlier,
		/* Else the guest must not compare clocks of two vCPUs */
		.flags = check_tsc_unstable() ? 0 : PVCLOCK_TSC_STABLE_BIT,
	};

	if (!(pv->clock & KVM_MSR_ENABLED) ||
	    mvmm_read_guest(vcpu->vm, gpa, &old, sizeof(old)))
		return;
	info.version = old.version | 1;
	/* The guest clears it when it has seen it */
	info.flags |= old.flags & PVCLOCK_GUEST_STOPPED;
	if (pv->stopped)
		info.flags |= PVCLOCK_GUEST_STOPPED;
	pv->stopped = false;
	mvmm_pv_clock_rate(vm->tsc_khz, &info.tsc_to_system_mul, &info.tsc_shift);
	mvmm_write_versioned(vcpu, gpa, &info, sizeof(info), 0);
}

/* ns that the vCPU had no CPU: the host or our scheduler gave it to others */
static u64 delay_of(const struct mvmm_vcpu *vcpu)
{
	return vcpu->waited + mvmm_run_delay();
}

/* Without waiting for a page. False: the rest is to be done, which may be @more or not */
static bool steal_at_once(struct mvmm_vcpu *vcpu, u64 gpa, u64 *more)
{
	struct kvm_steal_time __user *to;
	bool done = false;
	u32 version;
	u64 steal;

	read_lock(&vcpu->vm->mmu_lock);
	to = mvmm_plain_memory(vcpu->vm, gpa, sizeof(*to));
	pagefault_disable();
	if (to && user_access_begin(to, sizeof(*to))) {
		unsafe_get_user(version, &to->version, end);
		unsafe_get_user(steal, &to->steal, end);
		unsafe_put_user(version | 1, &to->version, end);
		smp_wmb(); /* pairs with the guest's kvm_steal_clock() */
		unsafe_put_user(steal + *more, &to->steal, end);
		*more = 0;
		smp_wmb(); /* pairs with the guest's kvm_steal_clock() */
		unsafe_put_user((version | 1) + 1, &to->version, end);
		done = true;
end:
		user_access_end();
	}
	pagefault_enable();
	read_unlock(&vcpu->vm->mmu_lock);
	return done;
}

/*
 * If the byte "preempted" is @was it becomes @to; the guest's vCPUs change it, too.
 * Returns what it was; -EFAULT: that has to wait for the page, or for a log.
 */
static int swap_preempted(struct mvmm_vcpu *vcpu, u8 was, u8 to)
{
	struct kvm_steal_time __user *page;
	int ret = -EFAULT;

	read_lock(&vcpu->vm->mmu_lock);
	page = mvmm_plain_memory(vcpu->vm, vcpu->pv.steal & KVM_STEAL_VALID_BITS,
				 sizeof(*page));
	pagefault_disable();
	if (page && user_access_begin(page, sizeof(*page))) {
		unsafe_try_cmpxchg_user(&page->preempted, &was, to, end);
		ret = was;
end:
		user_access_end();
	}
	pagefault_enable();
	read_unlock(&vcpu->vm->mmu_lock);
	return ret;
}

/**
 * mvmm_pv_away() - the vCPU may not run for a while: others get its CPU
 * @vcpu: outside of a section
 *
 * Where it cannot be said at once the guest is not told. A vCPU that halts is not
 * away: an interrupt wakes it at once.
 *
 * Context: may take a spinlock.
 */
void mvmm_pv_away(struct mvmm_vcpu *vcpu)
{
	mvmm_assert_busy(vcpu);
	if (vcpu->pv.steal & KVM_MSR_ENABLED && !vcpu->pv.away)
		vcpu->pv.away = swap_preempted(vcpu, 0, KVM_VCPU_PREEMPTED) >= 0;
}

/*
 * It runs again. While it was away others did not wait for it to flush its TLB, but
 * set KVM_VCPU_FLUSH_TLB. Who does so before the 0 is there is heard: the flush comes
 * after that.
 */
static void come_back(struct mvmm_vcpu *vcpu, u64 gpa)
{
	const u8 none = 0;
	int was = swap_preempted(vcpu, KVM_VCPU_PREEMPTED, none);

	vcpu->pv.away = was && was != KVM_VCPU_PREEMPTED;
	if (!vcpu->pv.away)
		return;
	/* If it cannot be written, each entry tries */
	vcpu->pv.away = mvmm_write_guest(vcpu, gpa +
					 offsetof(struct kvm_steal_time, preempted),
					 &none, sizeof(none));
	vcpu->tlb_gen_seen = MVMM_TLB_MOVED;
}

/**
 * mvmm_pv_steal() - tell the guest how long it wanted to run and could not
 * @vcpu: outside of a section
 *
 * Context: may sleep.
 */
void mvmm_pv_steal(struct mvmm_vcpu *vcpu)
{
	struct mvmm_pv *pv = &vcpu->pv;
	u64 delay = delay_of(vcpu);
	u64 gpa = pv->steal & KVM_STEAL_VALID_BITS;
	struct kvm_steal_time steal;
	u64 more = 0;

	mvmm_assert_busy(vcpu);
	mvmm_assert_may_sleep();

	/* With a full ring it does not enter the guest */
	if (!(pv->steal & KVM_MSR_ENABLED) || mvmm_dirty_ring_full(vcpu))
		return;
	if (unlikely(pv->away))
		come_back(vcpu, gpa);
	if (delay == pv->last_delay)
		return;
	/* Another thread may call RUN now, whose delay began at 0 */
	if (delay > pv->last_delay)
		more = delay - pv->last_delay;
	pv->stolen += more;
	pv->last_delay = delay;
	/* Added to what the guest has: it may have come from another host */
	if (steal_at_once(vcpu, gpa, &more))
		return;
	if (mvmm_read_guest(vcpu->vm, gpa, &steal, sizeof(steal)))
		return;
	steal.steal += more;
	steal.version |= 1;
	mvmm_write_versioned(vcpu, gpa, &steal, sizeof(steal),
			     offsetof(struct kvm_steal_time, version));
}

/**
 * mvmm_pv_update() - MVMM_REQ_PV: write what the guest has asked for
 * @vcpu: outside of a section
 *
 * If the guest's address is not memory, nothing is written, as on KVM.
 *
 * Context: may sleep.
 */
void mvmm_pv_update(struct mvmm_vcpu *vcpu)
{
	u8 todo = vcpu->pv.todo;

	mvmm_assert_busy(vcpu);
	mvmm_assert_may_sleep();
	vcpu->pv.todo = 0;
	mvmm_pv_eoi_finish(vcpu);
	if (todo & TODO_WALL_CLOCK)
		update_wall_clock(vcpu);
	if (todo & TODO_CLOCK)
		update_clock(vcpu);
	/* Steal time starts at 0 now */
	if (todo & TODO_STEAL)
		vcpu->pv.last_delay = delay_of(vcpu);
}

/**
 * mvmm_pv_get_msr() - RDMSR of one of KVM's MSRs
 * @vcpu: of a VM with local APICs
 * @index: an MSR for which mvmm_is_pv_msr() is true
 * @value: out
 *
 * Context: atomic. Return: 0, or -EINVAL: #GP.
 */
int mvmm_pv_get_msr(struct mvmm_vcpu *vcpu, u32 index, u64 *value)
{
	switch (index) {
	case MSR_KVM_WALL_CLOCK_NEW:
		*value = vcpu->pv.wall_clock;
		return 0;
	case MSR_KVM_SYSTEM_TIME_NEW:
		*value = vcpu->pv.clock;
		return 0;
	case MSR_KVM_STEAL_TIME:
		*value = vcpu->pv.steal;
		return 0;
	case MSR_KVM_PV_EOI_EN:
		if (!IS_ENABLED(CONFIG_MVMM_PV_EOI))
			return -EINVAL;
		*value = vcpu->pv.eoi;
		return 0;
	default:
		return -EINVAL;
	}
}

/* tour 20: KVM's paravirtual interface */

/**
 * mvmm_pv_set_msr() - WRMSR to one of KVM's MSRs
 * @vcpu: of a VM with local APICs
 * @index: an MSR for which mvmm_is_pv_msr() is true
 * @value: new value
 *
 * Context: atomic. Return: 0, or -EINVAL: #GP.
 */
int mvmm_pv_set_msr(struct mvmm_vcpu *vcpu, u32 index, u64 value)
{
	struct mvmm_pv *pv = &vcpu->pv;

	switch (index) {
	case MSR_KVM_WALL_CLOCK_NEW:
		pv->wall_clock = value;
		/* It was written for the guest; the page may be another's now */
		if (!vcpu->in_section)
			return 0;
		pv->todo |= TODO_WALL_CLOCK;
		break;
	case MSR_KVM_SYSTEM_TIME_NEW:
		pv->clock = value;
		pv->todo |= TODO_CLOCK;
		break;
	case MSR_KVM_STEAL_TIME:
		if (value & KVM_STEAL_RESERVED_MASK)
			return -EINVAL;
		pv->steal = value;
		/* What was saved while it was away says so */
		pv->away = value & KVM_MSR_ENABLED;
		pv->todo |= TODO_STEAL;
		break;
	case MSR_KVM_PV_EOI_EN:
		/* Bit 0 enables; the address must be aligned to 4 bytes */
		if (!IS_ENABLED(CONFIG_MVMM_PV_EOI) || value & 2)
			return -EINVAL;
		pv->eoi = value;
		return 0;
	default:
		return -EINVAL;
	}
	atomic_or(MVMM_REQ_PV, &vcpu->requests);
	return 0;
}

/**
 * mvmm_do_hypercall() - VMCALL or VMMCALL, by KVM's convention
 * @vcpu: loaded on this CPU
 *
 * KVM_HC_KICK_CPU ends another vCPU's HLT, also with RFLAGS.IF clear, or its
 * next one. With it a guest's vCPU can halt while it waits for a lock.
 *
 * Context: atomic.
 */
void mvmm_do_hypercall(struct mvmm_vcpu *vcpu)
{
	const struct lapic_msg kick = { .mode = LAPIC_UNHALT, .wide = true,
					.dest = vcpu->regs.rcx };
	struct mvmm_paging paging;

	mvmm_assert_section(vcpu);
	if (!vcpu->has_apic || vcpu->regs.rax != KVM_HC_KICK_CPU) {
		vcpu->regs.rax = -KVM_ENOSYS;
		return;
	}
	mvmm_ops->get_paging(vcpu, &paging);
	vcpu->regs.rax = paging.cpl ? -KVM_EPERM : 0;
	if (!paging.cpl)
		mvmm_send(vcpu->vm, vcpu, &kick);
}

/**
 * mvmm_pv_tsc_changed() - the guest's TSC was written: its clock has to follow
 * @vcpu: the vCPU
 *
 * Context: atomic.
 */
void mvmm_pv_tsc_changed(struct mvmm_vcpu *vcpu)
{
	if (!(vcpu->pv.clock & KVM_MSR_ENABLED))
		return;
	vcpu->pv.todo |= TODO_CLOCK;
	atomic_or(MVMM_REQ_PV, &vcpu->requests);
}

/**
 * mvmm_pv_stopped() - the guest was stopped, and is to be told
 * @vcpu: the vCPU
 *
 * Context: atomic.
 */
void mvmm_pv_stopped(struct mvmm_vcpu *vcpu)
{
	vcpu->pv.stopped = vcpu->pv.clock & KVM_MSR_ENABLED;
	mvmm_pv_tsc_changed(vcpu);
}
