/* SPDX-License-Identifier: GPL-2.0 */
/* A virtual machine. Its fd is in fd/vm.c, its memory in mm/. */
#ifndef MVMM_VM_H
#define MVMM_VM_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include "logic/pgtable.h"
#include "logic/sched.h"

/* APIC id 255 is xAPIC's broadcast */
#define MVMM_MAX_VCPUS		255
#define MVMM_DOORBELL_BITS	6
#define MVMM_GPA_BITS		48

struct mvmm_vcpu;
struct mvmm_mem_region;

/*
 * Which lock guards a field, for the lists below and in vcpu.h. The order of
 * locks is in Documentation/locking.rst.
 *   [L] vm->lock         [M] vm->mmu_lock    [R] vcpu->busy
 *   [C] set at creation  [A] none: atomic access
 *   [S] the lock in slots/slots.c
 *   [V] vm->lock and the [R] of all vCPUs to write, one of these to read
 */

/* tour 2: a virtual machine */

/**
 * struct mvmm_vm - a virtual machine
 * @kref: the VM fd and each vCPU hold a reference
 * @mm: the owner's address space, held by @mn's registration	[C]
 * @mn: is called before the host changes mappings in @mm	[C]
 * @lock: serializes changes of regions and of vCPUs; may be held across sleeps
 * @mmu_lock: guards the nested table; tried for with interrupts off; faults read
 * @pgt: the nested page table					[M]
 * @ring_format: @pgt's with dirty rings			[L and M to write]
 * @ring_entries: of each vCPU's dirty ring; 0: there are none	[the same]
 * @regions: sorted by gpa					[L to write, M]
 * @nr_regions: entries of @regions in use			[L to write, M]
 * @last_region: index of the last lookup's hit, tried first next time [A]
 * @nr_logged: regions with a dirty bitmap			[M to write, A]
 * @merge: zaps small leaves, to be large again, see mm/merge.c
 * @inval_count: invalidations in progress			[M]
 * @inval_start: none of these begins below, of the owner's addresses [M]
 * @inval_end: none ends above					[M]
 * @kicked: CPUs that are sent an IPI				[M]
 * @tlb_gen: grows whenever an entry is removed or loses rights	[M to write, A]
 * @vcpus: by id					[L and M to write, RCU]
 * @doorbells: by port and value, see run/doorbell.c		[L to write, RCU]
 * @nr_doorbells: how many					[L to write, A]
 * @irqfds: see irq/irqfd.c					[L]
 * @irqfd_hang_up: removes those whose eventfd was closed
 * @serial: unique number; a later VM may have the same address	[C]
 * @tsc_base: mvmm_scale_tsc() at which the guest's TSC is 0, at first at creation [V]
 * @tsc_khz: rate of the guest's TSC				[V]
 * @tsc_scale: the same by the host's, with 48 bits of fraction; 0: they are equal [V]
 * @clock_tsc: guest's TSC when the VM's clock was last set	[V]
 * @clock_ns: what it was set to: what kvmclock shows		[V]
 * @stopped_at: host TSC at which the VM's time stands; 0: it runs [V]
 * @has_apic: MVMM_VM_APIC					[C]
 * @nr_vcpus: ids in @vcpus are below this		[L and M to write, A]
 * @last_lowest: vCPU that took the last lowest-priority interrupt [A]
 * @apic_page: the CPU's APIC-access page may be mapped		[M to write, A]
 * @no_apic_page: it must not be mapped, now and later		[M to write, A]
 * @se: for the scheduler					[S]
 * @pid: the owner's, for people				[S]
 * @dead: an internal error has stopped the VM			[A]
 */
struct mvmm_vm {
	struct kref kref;
	struct mm_struct *mm;
	struct mmu_notifier mn;
	struct mutex lock;
	rwlock_t mmu_lock;
	struct pgt pgt;
	struct pgt_format ring_format;
	u32 ring_entries;
	struct mvmm_mem_region *regions;
	int nr_regions;
	int last_region;
	int nr_logged;
	struct delayed_work merge;
	unsigned long inval_count;
	u64 inval_start, inval_end;
	cpumask_var_t kicked;
	u64 tlb_gen;
	struct mvmm_vcpu *vcpus[MVMM_MAX_VCPUS];
	struct hlist_head doorbells[1 << MVMM_DOORBELL_BITS];
	u32 nr_doorbells;
	struct list_head irqfds;
	struct work_struct irqfd_hang_up;
	u64 serial;
	u64 tsc_base;
	u32 tsc_khz;
	u64 tsc_scale;
	u64 clock_tsc, clock_ns;
	u64 stopped_at;
	bool has_apic;
	u32 nr_vcpus;
	u32 last_lowest;
	bool apic_page;
	bool no_apic_page;
	struct vsched_vm se;
	pid_t pid;
	bool dead;
};

#endif
