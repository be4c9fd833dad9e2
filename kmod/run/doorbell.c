// SPDX-License-Identifier: GPL-2.0
/*
 * Doorbells (ioeventfd): an OUT that only wakes somebody up is completed in the
 * inner loop, by signalling an eventfd. For ports only: to step over a write to
 * memory needs an instruction decoder, and that is in userspace.
 */
#include <linux/eventfd.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include "compat.h"
#include "run.h"

#define MVMM_MAX_IOEVENTFDS	64

struct mvmm_doorbell {
	struct list_head link;	/* in vm->doorbells */
	struct eventfd_ctx *ctx;
	u64 datamatch;
	u32 flags;
	u16 port;
	u8 len;
};

static bool doorbell_matches(const struct mvmm_doorbell *bell, u16 port, u8 len,
			     u32 value)
{
	if (bell->port != port || (bell->len && bell->len != len))
		return false;
	if (!(bell->flags & MVMM_IOEVENTFD_DATAMATCH))
		return true;
	return bell->datamatch == (value & (~0U >> (32 - 8 * len)));
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
	struct mvmm_doorbell *bell;

	lockdep_assert_irqs_disabled();
	if (exit->io.flags)
		return false;
	list_for_each_entry_rcu(bell, &vcpu->vm->doorbells, link,
				irqs_disabled()) {
		if (!doorbell_matches(bell, exit->io.port, exit->io.size,
				      vcpu->regs.rax))
			continue;
		mvmm_eventfd_signal(bell->ctx);
		return true;
	}
	return false;
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

	list_for_each_entry(bell, &vm->doorbells, link) {
		if (!doorbell_equal(bell, which) || bell->ctx != which->ctx)
			continue;
		list_del_rcu(&bell->link);
		synchronize_rcu(); /* pairs with mvmm_ring_any() */
		free_doorbell(bell);
		return 0;
	}
	return -ENOENT;
}

static int doorbell_assign(struct mvmm_vm *vm, struct mvmm_doorbell *new)
{
	struct mvmm_doorbell *bell;
	int nr = 0;

	lockdep_assert_held(&vm->lock);

	list_for_each_entry(bell, &vm->doorbells, link) {
		if (doorbell_equal(bell, new))
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
	struct mvmm_doorbell *bell, *next;

	list_for_each_entry_safe(bell, next, &vm->doorbells, link)
		free_doorbell(bell);
}
