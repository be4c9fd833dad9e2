// SPDX-License-Identifier: GPL-2.0
/*
 * eventfds as wires. Doorbells (ioeventfd): an OUT that only wakes somebody up
 * is completed in the inner loop by signalling one. Ports only: to step over a
 * write to memory takes an instruction decoder, and that is userspace's. The
 * other way (irqfd) a signal becomes an interrupt.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include "mvmm.h"
#include "compat.h"

struct mvmm_doorbell {
	struct list_head link;	/* in vm->doorbells */
	struct eventfd_ctx *ctx;
	u64 datamatch;
	u32 flags;
	u16 port;
	u8 len;
};

static bool rings(const struct mvmm_doorbell *bell, u16 port, u8 len, u32 value)
{
	if (bell->port != port || (bell->len && bell->len != len))
		return false;
	if (!(bell->flags & MVMM_IOEVENTFD_DATAMATCH))
		return true;
	return bell->datamatch == (value & (~0U >> (32 - 8 * len)));
}

/**
 * mvmm_ring() - does vcpu->exit, an I/O exit, ring a doorbell?
 * @vcpu: the vCPU
 *
 * Context: interrupts off, which also keeps the list. Return: true if it did:
 * the instruction is done.
 */
bool mvmm_ring(struct mvmm_vcpu *vcpu)
{
	const struct mvmm_exit *exit = &vcpu->exit;
	struct mvmm_doorbell *bell;

	if (exit->io.flags)
		return false;
	list_for_each_entry_rcu(bell, &vcpu->vm->doorbells, link,
				irqs_disabled()) {
		if (!rings(bell, exit->io.port, exit->io.size, vcpu->regs.rax))
			continue;
		mvmm_eventfd_signal(bell->ctx);
		return true;
	}
	return false;
}

static bool same(const struct mvmm_doorbell *a, const struct mvmm_doorbell *b)
{
	return a->port == b->port && a->len == b->len && a->flags == b->flags &&
	       a->datamatch == b->datamatch;
}

static void free_doorbell(struct mvmm_doorbell *bell)
{
	eventfd_ctx_put(bell->ctx);
	kfree(bell);
}

static int deassign(struct mvmm_vm *vm, const struct mvmm_doorbell *which)
{
	struct mvmm_doorbell *bell;

	list_for_each_entry(bell, &vm->doorbells, link) {
		if (!same(bell, which) || bell->ctx != which->ctx)
			continue;
		list_del_rcu(&bell->link);
		synchronize_rcu();
		free_doorbell(bell);
		return 0;
	}
	return -ENOENT;
}

static int assign(struct mvmm_vm *vm, struct mvmm_doorbell *new)
{
	struct mvmm_doorbell *bell;
	int nr = 0;

	list_for_each_entry(bell, &vm->doorbells, link) {
		if (same(bell, new))
			return -EEXIST;
		nr++;
	}
	if (nr >= MVMM_MAX_IOEVENTFDS)
		return -ENOSPC;
	list_add_tail_rcu(&new->link, &vm->doorbells);
	return 0;
}

/**
 * mvmm_ioeventfd() - MVMM_VM_IOEVENTFD
 * @vm: the VM
 * @e: from userspace
 *
 * Context: may sleep, takes vm->lock. Return: 0; -EOPNOTSUPP, -EINVAL, -EBADF,
 * -EEXIST, -ENOENT, -ENOSPC, -ENOMEM as in the ABI.
 */
int mvmm_ioeventfd(struct mvmm_vm *vm, const struct mvmm_ioeventfd *e)
{
	bool take = e->flags & MVMM_IOEVENTFD_DEASSIGN;
	struct mvmm_doorbell *new;
	int ret;

	if (e->flags & ~(MVMM_IOEVENTFD_DEASSIGN | MVMM_IOEVENTFD_DATAMATCH))
		return -EOPNOTSUPP;
	if (e->reserved || e->port > U16_MAX || e->len == 3 || e->len > 4 ||
	    (e->flags & MVMM_IOEVENTFD_DATAMATCH ? !e->len : e->datamatch))
		return -EINVAL;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->ctx = eventfd_ctx_fdget(e->fd);
	if (IS_ERR(new->ctx)) {
		ret = PTR_ERR(new->ctx);
		kfree(new);
		return ret;
	}
	new->port = e->port;
	new->len = e->len;
	new->flags = e->flags & MVMM_IOEVENTFD_DATAMATCH;
	new->datamatch = e->datamatch;
	mutex_lock(&vm->lock);
	ret = take ? deassign(vm, new) : assign(vm, new);
	mutex_unlock(&vm->lock);
	if (ret || take)
		free_doorbell(new);
	return ret;
}

/* ---- irqfd ------------------------------------------------------------ */

struct mvmm_irq_wire {
	struct list_head link;	/* in vm->irq_wires */
	struct mvmm_vm *vm;
	struct eventfd_ctx *ctx;
	struct lapic_msg msg;
	wait_queue_entry_t wait;
	poll_table table;
};

/* In the signaller's context, interrupts off, the eventfd's lock held */
static int wire_signalled(wait_queue_entry_t *wait, unsigned int mode, int sync,
			  void *key)
{
	struct mvmm_irq_wire *wire =
		container_of(wait, struct mvmm_irq_wire, wait);
	u64 count;

	if (key_to_poll(key) & EPOLLIN) {
		eventfd_ctx_do_read(wire->ctx, &count);
		mvmm_send(wire->vm, NULL, &wire->msg);
	}
	return 0;
}

static void join_queue(struct file *file, wait_queue_head_t *head,
		       poll_table *table)
{
	struct mvmm_irq_wire *wire =
		container_of(table, struct mvmm_irq_wire, table);

	add_wait_queue(head, &wire->wait);
}

static void cut(struct mvmm_irq_wire *wire)
{
	u64 count;

	eventfd_ctx_remove_wait_queue(wire->ctx, &wire->wait, &count);
	eventfd_ctx_put(wire->ctx);
	list_del(&wire->link);
	kfree(wire);
}

static struct mvmm_irq_wire *find_wire(struct mvmm_vm *vm,
				       const struct eventfd_ctx *ctx, int *nr)
{
	struct mvmm_irq_wire *wire;

	*nr = 0;
	list_for_each_entry(wire, &vm->irq_wires, link) {
		if (wire->ctx == ctx)
			return wire;
		++*nr;
	}
	return NULL;
}

/* Takes over the reference to @ctx if it succeeds */
static int lay(struct mvmm_vm *vm, struct file *file, struct eventfd_ctx *ctx,
	       const struct lapic_msg *msg)
{
	struct mvmm_irq_wire *wire;

	wire = kzalloc(sizeof(*wire), GFP_KERNEL_ACCOUNT);
	if (!wire)
		return -ENOMEM;
	wire->vm = vm;
	wire->ctx = ctx;
	wire->msg = *msg;
	init_waitqueue_func_entry(&wire->wait, wire_signalled);
	init_poll_funcptr(&wire->table, join_queue);
	list_add(&wire->link, &vm->irq_wires);
	/* It may have been signalled before */
	if (vfs_poll(file, &wire->table) & EPOLLIN)
		mvmm_send(vm, NULL, msg);
	return 0;
}

static int wire_up(struct mvmm_vm *vm, const struct mvmm_irqfd *i,
		   struct file *file, const struct lapic_msg *msg)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fileget(file);
	struct mvmm_irq_wire *wire;
	int nr, ret = 0;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	mutex_lock(&vm->lock);
	wire = find_wire(vm, ctx, &nr);
	if (i->flags & MVMM_IRQFD_DEASSIGN) {
		if (wire)
			cut(wire);
		else
			ret = -ENOENT;
	} else if (wire) {
		ret = -EEXIST;
	} else if (nr >= MVMM_MAX_IRQFDS) {
		ret = -ENOSPC;
	} else {
		ret = lay(vm, file, ctx, msg);
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
 * -EEXIST, -ENOENT, -ENOSPC, -ENOMEM as in the ABI.
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
	ret = wire_up(vm, i, file, &msg);
	fput(file);
	return ret;
}

/** mvmm_eventfd_destroy() - let go of all; no vCPU is left */
void mvmm_eventfd_destroy(struct mvmm_vm *vm)
{
	struct mvmm_irq_wire *wire, *next_wire;
	struct mvmm_doorbell *bell, *next;

	list_for_each_entry_safe(bell, next, &vm->doorbells, link)
		free_doorbell(bell);
	list_for_each_entry_safe(wire, next_wire, &vm->irq_wires, link)
		cut(wire);
}
