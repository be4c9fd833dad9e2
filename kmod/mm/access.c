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
			set_bit((at - r->gpa) >> PAGE_SHIFT, r->dirty);
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
	read_lock(&vm->mmu_lock);
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
	read_unlock(&vm->mmu_lock);
	return left;
}

/**
 * mvmm_plain_memory() - where the owner has memory of which no log is kept
 * @vm: the VM of the calling process
 * @gpa: guest-physical address
 * @len: bytes, in one region, which the guest can write
 *
 * Context: mmu_lock is held as long as the address is used. Return: NULL if it is not
 * such memory.
 */
void __user *mvmm_plain_memory(struct mvmm_vm *vm, u64 gpa, size_t len)
{
	const struct mvmm_mem_region *r = mvmm_find_region(vm, gpa);

	if (!r || len > r->len - (gpa - r->gpa) ||
	    r->flags & (MVMM_REGION_READONLY | MVMM_REGION_LOG_DIRTY))
		return NULL;
	return (void __user *)(r->hva + (gpa - r->gpa));
}

/**
 * mvmm_peek_guest() - a byte of guest memory where the guest itself has it mapped
 * @vcpu: has exited; its in_guest is still set
 * @gpa: guest-physical address
 * @value: out
 *
 * Linux clears an entry of the owner's for a moment without a word to anybody, to make
 * its page old (MADV_COLD): by the owner's address it cannot be read then. Neither the
 * page nor a nested table goes away before in_guest is clear, so no lock is needed.
 *
 * Context: interrupts off. Return: false if it is not mapped.
 */
bool mvmm_peek_guest(const struct mvmm_vcpu *vcpu, u64 gpa, u8 *value)
{
	int level;
	u64 pte = pgt_lookup(&vcpu->vm->pgt, gpa, &level);
	u64 size = pgt_level_size(level);

	lockdep_assert_irqs_disabled();
	if (pte)
		*value = READ_ONCE(*(u8 *)phys_to_virt((pte & PGT_ADDR_MASK & -size) |
						       (gpa & (size - 1))));
	return pte;
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

/**
 * mvmm_write_versioned() - write what readers on other vCPUs may be looking at
 * @vcpu: as for mvmm_write_guest()
 * @gpa: where
 * @data: what to write, with an odd version
 * @len: bytes, few
 * @version_at: where in it the version is, of 32 bits; afterwards it is one more
 *
 * While the version is odd, readers wait. The caller goes on from the one that the
 * guest has in memory: a reader of before a restore must see that it has changed.
 *
 * Context: may sleep. Errors are not reported: what is no memory is not written.
 */
void mvmm_write_versioned(struct mvmm_vcpu *vcpu, u64 gpa, const void *data,
			  size_t len, size_t version_at)
{
	u32 odd = *(const u32 *)(data + version_at), even = odd + 1;

	if (mvmm_write_guest(vcpu, gpa + version_at, &odd, sizeof(odd)))
		return;
	smp_wmb(); /* pairs with the guest's pvclock_read_begin() */
	if (mvmm_write_guest(vcpu, gpa, data, len))
		return;
	smp_wmb(); /* pairs with the guest's pvclock_read_begin() */
	mvmm_write_guest(vcpu, gpa + version_at, &even, sizeof(even));
}
