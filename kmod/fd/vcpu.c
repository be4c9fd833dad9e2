// SPDX-License-Identifier: GPL-2.0
/*
 * vCPU objects: the vCPU fd, its run page, and its lifetime. MVMM_VCPU_RUN is
 * in run/run.c, the ioctls that get and set state are in state.c.
 */
#include <linux/anon_inodes.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <asm/fpu/types.h>
#include "cpu/cpu.h"
#include "cpu/fpu.h"
#include "fd.h"
#include "guest/guest.h"
#include "irq/apic.h"
#include "mm/memory.h"
#include "pv/pv.h"
#include "run/run.h"
#include "slots/slots.h"
#include "vendor.h"

#ifdef CONFIG_MVMM_SLOTS
static long get_times(void *obj, void *arg)
{
	mvmm_get_times(obj, arg);
	return 0;
}

#endif

/* These, and MVMM_VCPU_KICK, work while another thread is in RUN */
static const struct mvmm_ioctl beside_run[] = {
#ifdef CONFIG_MVMM_SLOTS
	MVMM_IOCTL(MVMM_VCPU_GET_TIMES, times, steal, OUT, get_times),
#endif
};

static long kick(struct mvmm_vcpu *vcpu)
{
	mvmm_request(vcpu, MVMM_REQ_KICK);
	return 0;
}

/* tour 7: RUN goes to run/run.c */

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mvmm_vcpu *vcpu = file->private_data;
	long ret;

	if (vcpu->vm->mm != current->mm)
		return -EPERM;
	if (unlikely(cmd == MVMM_VCPU_KICK))
		return arg ? -EINVAL : kick(vcpu);
	if (unlikely(cmd == MVMM_VCPU_GET_TIMES))
		return mvmm_dispatch(beside_run, ARRAY_SIZE(beside_run), vcpu,
				     cmd, arg);
	if (!mvmm_take(vcpu))
		return -EBUSY;
	if (likely(cmd == MVMM_VCPU_RUN))
		ret = arg ? -EINVAL : mvmm_vcpu_run(vcpu);
	else
		ret = mvmm_vcpu_state_ioctl(vcpu, cmd, arg);
	mvmm_let_go(vcpu);
	return ret;
}

/* The run page, or one of the dirty ring */
static vm_fault_t page_fault(struct vm_fault *vmf)
{
	struct mvmm_vcpu *vcpu = vmf->vma->vm_file->private_data;

	vmf->page = vmf->pgoff ? mvmm_dirty_ring_page(vcpu, vmf->pgoff) :
				 virt_to_page(vcpu->run);
	if (!vmf->page)
		return VM_FAULT_SIGBUS;
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct page_ops = {
	.fault = page_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct mvmm_vcpu *vcpu = file->private_data;
	unsigned long last = vma->vm_pgoff + vma_pages(vma) - 1;

	if (!(vma->vm_flags & VM_SHARED) ||
	    (last && !(mvmm_dirty_ring_page(vcpu, vma->vm_pgoff) &&
		       mvmm_dirty_ring_page(vcpu, last))))
		return -EINVAL;
	vma->vm_ops = &page_ops;
	return 0;
}

static void vcpu_free(struct mvmm_vcpu *vcpu)
{
	struct mvmm_run *run = vcpu->run;

	if (vcpu->has_apic)
		mvmm_apic_destroy(vcpu);
	mvmm_slots_remove(vcpu);
	mvmm_fpu_free(vcpu->fpu);
	mvmm_dirty_ring_free(vcpu);
	pgt_cache_drain(&vcpu->pgt_cache);
	mvmm_ops->vcpu_free(vcpu);
	/* Not mapped any more: a mapping holds the file, and so the vCPU */
	free_page((unsigned long)run);
}

/* Free a vCPU that was removed from vm->vcpus */
static void free_removed(struct mvmm_vcpu *vcpu)
{
	mvmm_assert_may_sleep();
	/*
	 * Wait for senders that have found it in vm->vcpus under RCU. Processes
	 * that end close many vCPUs, one by one.
	 */
	if (vcpu->has_apic)
		synchronize_rcu_expedited(); /* pairs with mvmm_send() */
	vcpu_free(vcpu);
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct mvmm_vcpu *vcpu = file->private_data;
	struct mvmm_vm *vm = vcpu->vm;

	mutex_lock(&vm->lock);
	write_lock(&vm->mmu_lock);
	mvmm_drain_pml(vm);
	WRITE_ONCE(vm->vcpus[vcpu->id], NULL);
	write_unlock(&vm->mmu_lock);
	mutex_unlock(&vm->lock);
	free_removed(vcpu);
	mvmm_vm_put(vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
	.llseek = noop_llseek,
};

static struct mvmm_vcpu *vcpu_alloc(struct mvmm_vm *vm, u32 id)
{
	struct mvmm_vcpu *vcpu = mvmm_ops->vcpu_alloc(vm);

	lockdep_assert_held(&vm->lock);

	if (IS_ERR(vcpu))
		return vcpu;
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpuid = mvmm_default_cpuid;
	vcpu->tsc_offset = -vm->tsc_base;
	vcpu->has_apic = vm->has_apic;
	rcuwait_init(&vcpu->wait);
	mvmm_slots_add(vcpu);
	if (vm->has_apic) {
		mvmm_apic_init(vcpu);
		mvmm_cpuid_add_apic(&vcpu->cpuid);
		if (MVMM_PV_FEATURES)
			mvmm_cpuid_add_kvm(&vcpu->cpuid, MVMM_PV_FEATURES);
	}
	mvmm_limit_caps(vcpu);
	vcpu->fpu = mvmm_fpu_alloc();
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->fpu || !vcpu->run || mvmm_dirty_ring_alloc(vcpu)) {
		vcpu_free(vcpu);
		return ERR_PTR(-ENOMEM);
	}
	mvmm_take(vcpu);
	mvmm_vcpu_reset(vcpu, false);
	mvmm_let_go(vcpu);
	vcpu->run->regs = vcpu->regs;
	return vcpu;
}

/**
 * mvmm_vcpu_create() - MVMM_VM_CREATE_VCPU
 * @vm: the VM
 * @id: checked against MVMM_MAX_VCPUS
 *
 * Context: may sleep, takes vm->lock. Return: an fd, -EEXIST, -ENOMEM, -EMFILE.
 */
int mvmm_vcpu_create(struct mvmm_vm *vm, u32 id)
{
	struct mvmm_vcpu *vcpu;
	int ret;

	id = array_index_nospec(id, MVMM_MAX_VCPUS);
	mutex_lock(&vm->lock);
	if (vm->vcpus[id]) {
		ret = -EEXIST;
		goto unlock;
	}
	vcpu = vcpu_alloc(vm, id);
	if (IS_ERR(vcpu)) {
		ret = PTR_ERR(vcpu);
		goto unlock;
	}
	write_lock(&vm->mmu_lock);
	/* It stays if there is no fd to be had: it is only a bound */
	WRITE_ONCE(vm->nr_vcpus, max(vm->nr_vcpus, id + 1));
	smp_store_release(&vm->vcpus[id], vcpu); /* pairs with mvmm_send() */
	write_unlock(&vm->mmu_lock);
	kref_get(&vm->kref);
	ret = anon_inode_getfd("mvmm-vcpu", &vcpu_fops, vcpu,
			       O_RDWR | O_CLOEXEC);
	if (ret < 0) {
		write_lock(&vm->mmu_lock);
		WRITE_ONCE(vm->vcpus[id], NULL);
		write_unlock(&vm->mmu_lock);
		free_removed(vcpu);
		/* Not the last reference: the caller has the VM's fd */
		mvmm_vm_put(vm);
	}
unlock:
	mutex_unlock(&vm->lock);
	return ret;
}
