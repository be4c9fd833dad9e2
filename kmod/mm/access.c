// SPDX-License-Identifier: GPL-2.0
/*
 * The module's own access to guest memory: through the owner's mapping. A guest's
 * accesses are not seen here, but those that fault, in fault.c.
 */
#include <linux/uaccess.h>
#include "memory.h"

/*
 * The rest of the copy is left to do, and the page at *@hva has to be brought in
 * first; *@hva is 0: the guest itself could not do this access. mmu_lock is held
 * over the copy: what a change of regions has taken away is not written to when it
 * returns, and a write and its bit in the log are one step. So nothing can be
 * brought in here.
 */
static size_t try_copy(struct mvmm_vm *vm, u64 gpa, void *buf, size_t len,
		       bool write, u64 *hva)
{
	const struct mvmm_mem_region *r;
	size_t left = len;
	u64 at;

	*hva = 0;
	spin_lock(&vm->mmu_lock);
	r = mvmm_find_region(vm, gpa);
	at = r ? gpa - r->gpa : 0;
	if (r && len <= r->len - at &&
	    !(write && r->flags & MVMM_REGION_READONLY)) {
		*hva = r->hva + at;
		pagefault_disable();
		left = write ?
		       __copy_to_user_inatomic((void __user *)*hva, buf, len) :
		       __copy_from_user_inatomic(buf, (void __user *)*hva, len);
		pagefault_enable();
		*hva += len - left;
		if (write && r->dirty)
			bitmap_set(r->dirty, at >> PAGE_SHIFT,
				   ((at + len - 1) >> PAGE_SHIFT) -
				   (at >> PAGE_SHIFT) + 1);
	}
	spin_unlock(&vm->mmu_lock);
	return left;
}

/* As often as the host takes the page away again between two tries */
#define TRIES	16

static int copy_guest(struct mvmm_vm *vm, u64 gpa, void *buf, size_t len,
		      bool write)
{
	u64 hva;
	int i;

	mvmm_assert_may_sleep();
	for (i = 0; i < TRIES; i++) {
		if (!try_copy(vm, gpa, buf, len, write, &hva))
			return 0;
		if (!hva || mvmm_bring_in(vm->mm, hva, write))
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
	return copy_guest(vm, gpa, buf, len, false);
}

/**
 * mvmm_write_guest() - write guest memory through the owner's mapping
 * @vm: the VM of the calling process
 * @gpa: guest-physical address; the range must be in one region
 * @buf: what to write
 * @len: bytes, few
 *
 * The dirty log notes it. Context: may sleep. Return: 0 or -EFAULT.
 */
int mvmm_write_guest(struct mvmm_vm *vm, u64 gpa, const void *buf, size_t len)
{
	return copy_guest(vm, gpa, (void *)buf, len, true);
}
