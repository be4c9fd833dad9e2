// SPDX-License-Identifier: GPL-2.0
/*
 * Where only leaves of 4 KiB may be executed (iTLB multihit), a large one is split
 * at the first fetch (fault.c). Here the pieces are zapped, so that the next fault
 * maps it large again: a guest does not execute for ever what it has executed once.
 * What it does is split again.
 */
#include <linux/moduleparam.h>
#include <linux/workqueue.h>
#include "memory.h"

/* Each time one of so many goes, the oldest first */
#define SHARE	60

static unsigned int merge_period_ms = 60000;
module_param(merge_period_ms, uint, 0644);
MODULE_PARM_DESC(merge_period_ms,
		 "how often a sixtieth of what was split to be executed is merged; 0: never");

/**
 * mvmm_merge_later() - there are large leaves that were split
 * @vm: the VM
 *
 * Context: mmu_lock held; interrupts may be off.
 */
void mvmm_merge_later(struct mvmm_vm *vm)
{
	unsigned int period = READ_ONCE(merge_period_ms);

	lockdep_assert_held_write(&vm->mmu_lock);
	if (period)
		schedule_delayed_work(&vm->merge, msecs_to_jiffies(period));
}

/* The next access faults, and maps what the host has then by a large leaf */
static void merge(struct work_struct *work)
{
	struct mvmm_vm *vm = container_of(to_delayed_work(work),
					  struct mvmm_vm, merge);
	unsigned long n;
	u64 gpa;

	write_lock(&vm->mmu_lock);
	n = DIV_ROUND_UP(vm->pgt.nr_split, SHARE);
	for (; n && vm->pgt.nr_split; n--) {
		gpa = pgt_oldest_split(&vm->pgt);
		mvmm_zap(vm, gpa, gpa + pgt_level_size(2), false);
		cond_resched_rwlock_write(&vm->mmu_lock);
	}
	if (vm->pgt.nr_split)
		mvmm_merge_later(vm);
	write_unlock(&vm->mmu_lock);
}

/** mvmm_merge_init() - for a new VM */
void mvmm_merge_init(struct mvmm_vm *vm)
{
	INIT_DELAYED_WORK(&vm->merge, merge);
}
