// SPDX-License-Identifier: GPL-2.0
/*
 * Doorbells (ioeventfd): an OUT that only wakes somebody up is completed in the
 * inner loop, by signalling an eventfd. For ports only: to step over a write to
 * memory needs an instruction decoder, and that is in userspace.
 */
#include <linux/eventfd.h>
#include <linux/hash.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include "compat.h"
#include "run.h"

#define MVMM_MAX_IOEVENTFDS	1024

struct mvmm_doorbell {
	struct hlist_node link;	/* in vm->doorbells */
	struct eventfd_ctx *ctx;
	u64 datamatch;
	u32 flags;
	u16 port;
	u8 len;
};

/*
 * Where a doorbell is: many may be at one port, for one value each. @value: 0 if
 * it is for any
 */
static struct hlist_head *bucket(struct mvmm_vm *vm, u16 port, u64 value)
{
	return &vm->doorbells[hash_64(value << 16 | port, MVMM_DOORBELL_BITS)];
}

static bool doorbell_matches(const struct mvmm_doorbell *bell, u16 port, u8 len,
			     u32 value)
{
	if (bell->port != port || (bell->len && bell->len != len))
		return false;
	return !(bell->flags & MVMM_IOEVENTFD_DATAMATCH) ||
	       bell->datamatch == value;
}

static bool ring_in(struct hlist_head *head, const struct mvmm_exit *exit,
		    u32 value)
{
	struct mvmm_doorbell *bell;

	hlist_for_each_entry_rcu(bell, head, link, irqs_disabled()) {
		if (!doorbell_matches(bell, exit->io.port, exit->io.size, value))
			continue;
		mvmm_eventfd_signal(bell->ctx);
		return true;
	}
	return false;
}

/* tour 12: an OUT that needs no userspace */

/**
 * mvmm_ring_any() - mvmm_ring() for a VM that has doorbells
 * @vcpu: the vCPU
 *
 * Context: interrupts off, which is RCU's read side. Return: as mvmm_ring().
 */
bool mvmm_ring_any(struct mvmm_vcpu *vcpu)
{
	const struct mvmm_exit *exit = &vcpu->exit;
	u32 value = vcpu->regs.rax & (~0U >> (32 - 8 * exit->io.size));
	u16 port = exit->io.port;

	lockdep_assert_irqs_disabled();
	if (exit->io.flags)
		return false;
	return ring_in(bucket(vcpu->vm, port, value), exit, value) ||
	       (value && ring_in(bucket(vcpu->vm, port, 0), exit, value));
}

static bool doorbell_equal(const struct mvmm_doorbell *a,
			   const struct mvmm_doorbell *b)
{
	return a->port == b->port && a->len == b->len && a->flags == b->flags &&
	       a->datamatch == b->datamatch;
}

static void free_doorbell(struct mvmm_doorbell *bell)
{
	eventfd_ctx_put(bell->ctx);
	kfree(bell);
}

static int doorbell_deassign(struct mvmm_vm *vm,
			     const struct mvmm_doorbell *which)
{
	struct mvmm_doorbell *bell;

	lockdep_assert_held(&vm->lock);

	hlist_for_each_entry(bell, bucket(vm, which->port, which->datamatch),
			     link) {
		if (!doorbell_equal(bell, which) || bell->ctx != which->ctx)
			continue;
		hlist_del_rcu(&bell->link);
		WRITE_ONCE(vm->nr_doorbells, vm->nr_doorbells - 1);
		synchronize_rcu_expedited(); /* pairs with mvmm_ring_any() */
		free_doorbell(bell);
		return 0;
	}
	return -ENOENT;
}

static int doorbell_assign(struct mvmm_vm *vm, struct mvmm_doorbell *new)
{
	struct hlist_head *head = bucket(vm, new->port, new->datamatch);
	struct mvmm_doorbell *bell;

	lockdep_assert_held(&vm->lock);

	hlist_for_each_entry(bell, head, link)
		if (doorbell_equal(bell, new))
			return -EEXIST;
	if (vm->nr_doorbells >= MVMM_MAX_IOEVENTFDS)
		return -ENOSPC;
	hlist_add_tail_rcu(&new->link, head);
	WRITE_ONCE(vm->nr_doorbells, vm->nr_doorbells + 1);
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
	ret = take ? doorbell_deassign(vm, new) : doorbell_assign(vm, new);
	mutex_unlock(&vm->lock);
	if (ret || take)
		free_doorbell(new);
	return ret;
}

/**
 * mvmm_doorbells_destroy() - free all doorbells of a VM
 * @vm: the VM, without vCPUs
 *
 * Context: may sleep.
 */
void mvmm_doorbells_destroy(struct mvmm_vm *vm)
{
	struct mvmm_doorbell *bell;
	struct hlist_node *next;
	int i;

	for (i = 0; i < ARRAY_SIZE(vm->doorbells); i++)
		hlist_for_each_entry_safe(bell, next, &vm->doorbells[i], link)
			free_doorbell(bell);
}
