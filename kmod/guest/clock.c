// SPDX-License-Identifier: GPL-2.0
/*
 * The time of a VM: all vCPUs' TSC, and the clock that pv/ shows to the guest.
 * It can be read, set and stopped.
 */
#include <linux/ktime.h>
#include "cpu/tsc.h"
#include "guest.h"
#include "irq/apic.h"
#include "pv/pv.h"
#include "vendor.h"

/* A faster or slower guest's TSC than this many times the host's is no use */
#define MOST_TIMES	64

/**
 * mvmm_get_clock() - MVMM_VM_GET_CLOCK
 * @vm: the VM
 * @clock: out
 *
 * Context: may sleep, takes vm->lock. Return: 0.
 */
int mvmm_get_clock(struct mvmm_vm *vm, struct mvmm_clock *clock)
{
	mutex_lock(&vm->lock);
	/* Both belong to the same moment */
	local_irq_disable();
	clock->host_tsc = mvmm_host_tsc(vm);
	clock->realtime = ktime_get_real_ns();
	local_irq_enable();
	clock->flags = vm->stopped_at ? MVMM_CLOCK_STOPPED : 0;
	clock->tsc = mvmm_vm_tsc(vm, clock->host_tsc);
	clock->tsc_khz = vm->tsc_khz;
	clock->reserved = 0;
	clock->kvmclock = mvmm_pv_clock(vm, clock->tsc);
	mutex_unlock(&vm->lock);
	return 0;
}

/* The VM's time has changed, and maybe it has begun to run again */
static void follow(struct mvmm_vcpu *vcpu, u64 base_moved, bool restarted)
{
	vcpu->tsc_offset -= base_moved;
	mvmm_vcpu_load(vcpu);
	mvmm_ops->sync_tsc(vcpu);
	/* The timer counts in the guest's time, so its registers stay */
	if (vcpu->has_apic)
		mvmm_apic_tsc_moved(vcpu, 0);
	mvmm_vcpu_put(vcpu);
	mvmm_pv_tsc_changed(vcpu);
	if (restarted)
		mvmm_pv_stopped(vcpu);
}

/* Returns how many of vm->vcpus are busy for the caller; less than all: -EBUSY */
static int take_vcpus(struct mvmm_vm *vm)
{
	int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpus[i] && !mvmm_take(vm->vcpus[i]))
			break;
	return i;
}

static void set_clock(struct mvmm_vm *vm, const struct mvmm_clock *clock,
		      u64 host_tsc)
{
	bool stop = clock->flags & MVMM_CLOCK_STOPPED;
	bool restarted = vm->stopped_at && !stop;
	u64 moved;
	int i;

	if (clock->tsc_khz && clock->tsc_khz != vm->tsc_khz) {
		vm->tsc_khz = clock->tsc_khz;
		vm->tsc_scale = vm->tsc_khz == tsc_khz ? 0 :
			mul_u64_u32_div(1ull << MVMM_TSC_SCALE_BITS, vm->tsc_khz,
					tsc_khz);
	}
	moved = mvmm_vm_tsc(vm, host_tsc) - clock->tsc;
	vm->tsc_base += moved;
	vm->clock_tsc = clock->tsc;
	vm->clock_ns = clock->kvmclock;
	vm->stopped_at = stop ? host_tsc : 0;
	for (i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpus[i])
			follow(vm->vcpus[i], moved, restarted);
}

/**
 * mvmm_set_clock() - MVMM_VM_SET_CLOCK
 * @vm: the VM
 * @clock: from userspace
 *
 * Context: may sleep, takes vm->lock. Return: 0, -EBUSY, -EINVAL, -EOPNOTSUPP.
 */
int mvmm_set_clock(struct mvmm_vm *vm, const struct mvmm_clock *clock)
{
	u64 host_tsc = clock->host_tsc ?: mvmm_tsc();
	u32 khz = clock->tsc_khz;
	int i, ret = -EBUSY;

	if (clock->flags & ~MVMM_CLOCK_STOPPED)
		return -EOPNOTSUPP;
	if (clock->reserved ||
	    (khz && (khz < tsc_khz / MOST_TIMES || khz / MOST_TIMES > tsc_khz)))
		return -EINVAL;
	/* The TSCs of the host's CPUs may differ, by less than a second */
	if (host_tsc > mvmm_tsc() + tsc_khz * 1000ull)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (khz && khz != vm->tsc_khz && khz != tsc_khz &&
	    !(mvmm_vendor.features & MVMM_FEATURE_TSC_SCALING)) {
		mutex_unlock(&vm->lock);
		return -EOPNOTSUPP;
	}
	i = take_vcpus(vm);
	if (i == vm->nr_vcpus) {
		set_clock(vm, clock, host_tsc);
		ret = 0;
	}
	while (--i >= 0)
		if (vm->vcpus[i])
			mvmm_let_go(vm->vcpus[i]);
	mutex_unlock(&vm->lock);
	return ret;
}
