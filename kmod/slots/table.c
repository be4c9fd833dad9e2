// SPDX-License-Identifier: GPL-2.0
/* The table in debugfs that "mvmm sched" prints: all vCPUs, and what they had. */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "cpu/tsc.h"
#include "rest.h"
#include "slots.h"

/* Of slots.c */
static raw_spinlock_t *lock;
static struct vsched *sched;
static struct dentry *debugfs_dir;

static u64 ms(u64 ticks)
{
	return mvmm_ticks_to_ns(ticks) / NSEC_PER_MSEC;
}

static int table_show(struct seq_file *m, void *unused)
{
	static const char *const states[] = { "block", "wait", "run" };
	struct vsched_vm *vm_se;
	struct vsched_vcpu *se;
	struct mvmm_vm *vm;
	u64 time[VSCHED_NR_STATES];
	bool rests;
	int i;

	raw_spin_lock_irq(lock);
	seq_printf(m, "policy %s\n", sched->policy->name);
	seq_puts(m, "vm pid weight cap vcpu state cpu run_ms wait_ms block_ms\n");
	list_for_each_entry(vm_se, &sched->vms, node) {
		vm = container_of(vm_se, struct mvmm_vm, se);
		for (i = 0; i < READ_ONCE(vm->nr_vcpus); i++) {
			/*
			 * Not freed while we look: it leaves the array first,
			 * and then mvmm_slots_remove() takes the lock
			 */
			struct mvmm_vcpu *vcpu = READ_ONCE(vm->vcpus[i]);

			if (!vcpu)
				continue;
			se = &vcpu->se;
			rests = READ_ONCE(vcpu->rest_since);
			mvmm_slot_times(vcpu, time);
			seq_printf(m, "%llu %d %u %u %u %s %d %llu %llu %llu\n",
				   vm->serial, vm->pid, vm_se->weight,
				   vm_se->cap, vcpu->id, states[rests ?
				   VSCHED_BLOCKED : se->state],
				   rests ? -1 : se->slot,
				   ms(time[VSCHED_RUNNING]),
				   ms(time[VSCHED_WAITING]),
				   ms(time[VSCHED_BLOCKED]));
		}
	}
	raw_spin_unlock_irq(lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(table);

/** mvmm_slots_table_init() - make the table; its lock and its scheduler */
void mvmm_slots_table_init(raw_spinlock_t *l, struct vsched *s)
{
	lock = l;
	sched = s;
	debugfs_dir = debugfs_create_dir("mvmm", NULL);
	debugfs_create_file("sched", 0444, debugfs_dir, NULL, &table_fops);
}

/** mvmm_slots_table_exit() - undo mvmm_slots_table_init() */
void mvmm_slots_table_exit(void)
{
	debugfs_remove(debugfs_dir);
}
