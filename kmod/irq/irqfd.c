// SPDX-License-Identifier: GPL-2.0
/*
 * irqfd: a signal on an eventfd becomes an interrupt message. The other way,
 * from the guest to an eventfd, is run/doorbell.c's.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "apic.h"

#define MVMM_MAX_IRQFDS		1024

/* The connection from an eventfd to a message */
struct mvmm_irqfd_wire {
	struct list_head link;	/* in vm->irqfds */
	struct mvmm_vm *vm;
	struct eventfd_ctx *ctx;
	struct lapic_msg msg;
	bool hung_up;		/* nobody has the eventfd any more */
	wait_queue_entry_t wait;
	poll_table table;
};

/* tour 19: an eventfd becomes an interrupt */

/* Called in the signaller's context, with the eventfd's lock held */
static int irqfd_signalled(wait_queue_entry_t *wait, unsigned int mode, int sync,
			   void *key)
{
	struct mvmm_irqfd_wire *wire =
		container_of(wait, struct mvmm_irqfd_wire, wait);
	u64 count;

	lockdep_assert_irqs_disabled();
	if (key_to_poll(key) & EPOLLIN) {
		eventfd_ctx_do_read(wire->ctx, &count);
		mvmm_send(wire->vm, NULL, &wire->msg);
	}
	if (key_to_poll(key) & EPOLLHUP) {
		WRITE_ONCE(wire->hung_up, true);
		schedule_work(&wire->vm->irqfd_hang_up);
	}
	return 0;
}

static void irqfd_poll_cb(struct file *file, wait_queue_head_t *head,
			  poll_table *table)
{
	struct mvmm_irqfd_wire *wire =
		container_of(table, struct mvmm_irqfd_wire, table);

	add_wait_queue(head, &wire->wait);
}

/* Context: vm->lock held, or the VM is going away */
static void irqfd_remove(struct mvmm_irqfd_wire *wire)
{
	u64 count;

	eventfd_ctx_remove_wait_queue(wire->ctx, &wire->wait, &count);
	eventfd_ctx_put(wire->ctx);
	list_del(&wire->link);
	kfree(wire);
}

static void hang_up(struct work_struct *work)
{
	struct mvmm_vm *vm = container_of(work, struct mvmm_vm, irqfd_hang_up);
	struct mvmm_irqfd_wire *wire, *next;

	mutex_lock(&vm->lock);
	list_for_each_entry_safe(wire, next, &vm->irqfds, link)
		if (READ_ONCE(wire->hung_up))
			irqfd_remove(wire);
	mutex_unlock(&vm->lock);
}

/* The wire of @ctx; if there is none, NULL, and *@nr is how many there are */
static struct mvmm_irqfd_wire *irqfd_find(struct mvmm_vm *vm,
					  const struct eventfd_ctx *ctx,
					  int *nr)
{
	struct mvmm_irqfd_wire *wire;

	lockdep_assert_held(&vm->lock);
	*nr = 0;
	list_for_each_entry(wire, &vm->irqfds, link) {
		if (wire->ctx == ctx)
			return wire;
		++*nr;
	}
	return NULL;
}

/*
 * If it succeeds, the wire has the caller's reference to @ctx, and @old, if it is
 * not NULL, is gone. A signal between the two waits in the eventfd.
 */
static int irqfd_add(struct mvmm_vm *vm, struct file *file,
		     struct eventfd_ctx *ctx, const struct lapic_msg *msg,
		     struct mvmm_irqfd_wire *old)
{
	struct mvmm_irqfd_wire *wire;

	lockdep_assert_held(&vm->lock);
	wire = kzalloc(sizeof(*wire), GFP_KERNEL_ACCOUNT);
	if (!wire)
		return -ENOMEM;
	wire->vm = vm;
	wire->ctx = ctx;
	wire->msg = *msg;
	init_waitqueue_func_entry(&wire->wait, irqfd_signalled);
	init_poll_funcptr(&wire->table, irqfd_poll_cb);
	if (old)
		irqfd_remove(old);
	list_add(&wire->link, &vm->irqfds);
	/* It may have been signalled before */
	if (vfs_poll(file, &wire->table) & EPOLLIN)
		mvmm_send(vm, NULL, msg);
	return 0;
}

static int irqfd_change(struct mvmm_vm *vm, const struct mvmm_irqfd *i,
			struct file *file, const struct lapic_msg *msg)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fileget(file);
	struct mvmm_irqfd_wire *wire;
	int nr, ret = 0;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	mutex_lock(&vm->lock);
	wire = irqfd_find(vm, ctx, &nr);
	if (i->flags & MVMM_IRQFD_DEASSIGN) {
		if (wire)
			irqfd_remove(wire);
		else
			ret = -ENOENT;
	} else if (!wire && nr >= MVMM_MAX_IRQFDS) {
		ret = -ENOSPC;
	} else {
		ret = irqfd_add(vm, file, ctx, msg, wire);
		if (!ret)
			ctx = NULL;
	}
	mutex_unlock(&vm->lock);
	if (ctx)
		eventfd_ctx_put(ctx);
	return ret;
}

/**
 * mvmm_irqfd() - MVMM_VM_IRQFD
 * @vm: the VM
 * @i: from userspace
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EOPNOTSUPP, -EINVAL, -EBADF,
 * -ENOENT, -ENOSPC, -ENOMEM as in the ABI.
 */
int mvmm_irqfd(struct mvmm_vm *vm, const struct mvmm_irqfd *i)
{
	struct lapic_msg msg = {};
	struct file *file;
	int ret;

	if (i->flags & ~MVMM_IRQFD_DEASSIGN)
		return -EOPNOTSUPP;
	if (!vm->has_apic || (!(i->flags & MVMM_IRQFD_DEASSIGN) &&
			      lapic_msi_msg(i->address, i->data, &msg)))
		return -EINVAL;
	file = fget(i->fd);
	if (!file)
		return -EBADF;
	ret = irqfd_change(vm, i, file, &msg);
	fput(file);
	return ret;
}

/** mvmm_irqfds_init() - of a new VM */
void mvmm_irqfds_init(struct mvmm_vm *vm)
{
	INIT_LIST_HEAD(&vm->irqfds);
	INIT_WORK(&vm->irqfd_hang_up, hang_up);
}

/**
 * mvmm_irqfds_destroy() - remove all wires of a VM
 * @vm: the VM, without vCPUs
 *
 * Context: may sleep.
 */
void mvmm_irqfds_destroy(struct mvmm_vm *vm)
{
	struct mvmm_irqfd_wire *wire, *next;

	mutex_lock(&vm->lock);
	list_for_each_entry_safe(wire, next, &vm->irqfds, link)
		irqfd_remove(wire);
	mutex_unlock(&vm->lock);
	/* Without wires nobody schedules it again */
	cancel_work_sync(&vm->irqfd_hang_up);
}
