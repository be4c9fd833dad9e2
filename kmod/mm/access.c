// SPDX-License-Identifier: GPL-2.0
/*
 * The module's own access to guest memory: through the owner's mapping. A guest's
 * accesses are not seen here, but those that fault, in fault.c.
 */
#include <linux/uaccess.h>
#include "memory.h"

static void note_write(struct mvmm_vcpu *vcpu, struct mvmm_mem_region *r,
		       u64 gpa, size_t len)
{
	u64 at;

	for (at = gpa & PAGE_MASK; at < gpa + len; at += PAGE_SIZE) {
		if (r->dirty)
			__set_bit((at - r->gpa) >> PAGE_SHIFT, r->dirty);
		mvmm_dirty_ring_push(vcpu, r, at);
	}
}

/*
 * The rest of the copy is left to do, and the page at *@hva has to be brought in
 * first; *@hva is 0: the guest itself could not do this access. mmu_lock is held
 * over the copy: what a change of regions has taken away is not written to when it
 * returns, and a write and its bit in the log are one step. So nothing can be
 * brought in here.
 */
static size_t try_copy(struct mvmm_vm *vm, struct mvmm_vcpu *writer, u64 gpa,
		       void *buf, size_t len, u64 *hva)
{
	struct mvmm_mem_region *r;
	size_t left = len;
	u64 at;

	*hva = 0;
	spin_lock(&vm->mmu_lock);
	r = mvmm_find_region(vm, gpa);
	at = r ? gpa - r->gpa : 0;
	if (r && len <= r->len - at &&
	    !(writer && r->flags & MVMM_REGION_READONLY)) {
		*hva = r->hva + at;
		pagefault_disable();
		left = writer ?
		       __copy_to_user_inatomic((void __user *)*hva, buf, len) :
		       __copy_from_user_inatomic(buf, (void __user *)*hva, len);
		pagefault_enable();
		*hva += len - left;
		if (writer && left < len)
			note_write(writer, r, gpa, len - left);
	}
	spin_unlock(&vm->mmu_lock);
	return left;
}

/* As often as the host takes the page away again between two tries */
#define TRIES	16

/* @writer: NULL: it is read */
static int copy_guest(struct mvmm_vm *vm, struct mvmm_vcpu *writer, u64 gpa,
		      void *buf, size_t len)
{
	u64 hva;
	int i;

	mvmm_assert_may_sleep();
	for (i = 0; i < TRIES; i++) {
		if (!try_copy(vm, writer, gpa, buf, len, &hva))
			return 0;
		if (!hva || mvmm_bring_in(vm->mm, hva, writer))
			break;
	}
	return -EFAULT;
}

/**
 * mvmm_read_guest() - read guest memory through the owner's mapping
 * @vm: the VM of the calling process
 * @gpa: guest-physical address; the range must be in one region
 * @buf: out
 * @len: bytes, few
 *
 * Context: may sleep. Return: 0 or -EFAULT.
 */
int mvmm_read_guest(struct mvmm_vm *vm, u64 gpa, void *buf, size_t len)
{
	return copy_guest(vm, NULL, gpa, buf, len);
}

/**
 * mvmm_write_guest() - write guest memory through the owner's mapping
 * @vcpu: in RUN; it is as if it wrote itself
 * @gpa: guest-physical address; the range must be in one region
 * @buf: what to write
 * @len: bytes, few
 *
 * The dirty log, or the vCPU's ring, notes it. Context: may sleep. Return: 0 or -EFAULT.
 */
int mvmm_write_guest(struct mvmm_vcpu *vcpu, u64 gpa, const void *buf,
		     size_t len)
{
	return copy_guest(vcpu->vm, vcpu, gpa, (void *)buf, len);
}
