// SPDX-License-Identifier: GPL-2.0
/* VM objects: the VM fd and its lifetime. */
#include <linux/anon_inodes.h>
#include <linux/slab.h>
#include <asm/tsc.h>
#include "cpu/cpu.h"
#include "cpu/tsc.h"
#include "fd.h"
#include "guest/guest.h"
#include "irq/apic.h"
#include "mm/memory.h"
#include "run/run.h"
#include "slots/slots.h"

static atomic64_t serial;

static void vm_destroy(struct kref *kref)
{
	struct mvmm_vm *vm = container_of(kref, struct mvmm_vm, kref);

	mvmm_doorbells_destroy(vm);
	mvmm_irqfds_destroy(vm);
	mvmm_slots_remove_vm(vm);
	mvmm_memory_destroy(vm);
	mutex_destroy(&vm->lock);
	kfree(vm);
	mvmm_hardware_put();
}

/**
 * mvmm_vm_put() - give a reference back; the last one frees the VM
 * @vm: the VM
 *
 * Context: may sleep.
 */
void mvmm_vm_put(struct mvmm_vm *vm)
{
	mvmm_assert_may_sleep();
	kref_put(&vm->kref, vm_destroy);
}

MVMM_HANDLER(add_region, mvmm_add_region)
MVMM_HANDLER(set_region, mvmm_set_region)
MVMM_HANDLER(remove_region, mvmm_remove_region)
MVMM_HANDLER(change_regions, mvmm_change_regions)
MVMM_HANDLER(prefault, mvmm_prefault)
MVMM_HANDLER(msi, mvmm_msi)
MVMM_HANDLER(get_clock, mvmm_get_clock)
MVMM_HANDLER(set_clock, mvmm_set_clock)
#ifdef CONFIG_MVMM_DIRTY
MVMM_HANDLER(get_dirty_log, mvmm_get_dirty_log)
#endif
#ifdef CONFIG_MVMM_DIRTY_RING
MVMM_HANDLER(enable_dirty_ring, mvmm_enable_dirty_ring)
MVMM_HANDLER(reset_dirty_rings, mvmm_reset_dirty_rings)
#endif
#ifdef CONFIG_MVMM_IOEVENTFD
MVMM_HANDLER(ioeventfd, mvmm_ioeventfd)
#endif
#ifdef CONFIG_MVMM_IRQFD
MVMM_HANDLER(irqfd, mvmm_irqfd)
#endif
#ifdef CONFIG_MVMM_SLOTS
MVMM_HANDLER(set_sched, mvmm_set_sched)
#endif

static long create_vcpu(void *obj, void *arg)
{
	const struct mvmm_create_vcpu *create = arg;

	if (create->flags)
		return -EOPNOTSUPP;
	if (create->reserved || create->id >= MVMM_MAX_VCPUS)
		return -EINVAL;
	return mvmm_vcpu_create(obj, create->id);
}

static const struct mvmm_ioctl vm_ioctls[] = {
	MVMM_IOCTL(MVMM_VM_ADD_REGION, region, hva, IN, add_region),
	MVMM_IOCTL(MVMM_VM_REMOVE_REGION, region, hva, IN, remove_region),
	MVMM_IOCTL(MVMM_VM_SET_REGION, region, hva, IN, set_region),
	MVMM_IOCTL(MVMM_VM_CHANGE_REGIONS, regions, add, IN, change_regions),
	MVMM_IOCTL(MVMM_VM_PREFAULT, prefault, len, INOUT, prefault),
	MVMM_IOCTL(MVMM_VM_MSI, msi, reserved, IN, msi),
	MVMM_IOCTL(MVMM_VM_GET_CLOCK, clock, realtime, OUT, get_clock),
	MVMM_IOCTL(MVMM_VM_SET_CLOCK, clock, realtime, IN, set_clock),
#ifdef CONFIG_MVMM_DIRTY
	MVMM_IOCTL(MVMM_VM_GET_DIRTY_LOG, dirty_log, bitmap, IN, get_dirty_log),
#endif
#ifdef CONFIG_MVMM_DIRTY_RING
	MVMM_IOCTL(MVMM_VM_ENABLE_DIRTY_RING, dirty_ring, entries, IN,
		   enable_dirty_ring),
	MVMM_IOCTL(MVMM_VM_RESET_DIRTY_RINGS, reset_dirty_rings, flags, IN,
		   reset_dirty_rings),
#endif
#ifdef CONFIG_MVMM_IOEVENTFD
	MVMM_IOCTL(MVMM_VM_IOEVENTFD, ioeventfd, datamatch, IN, ioeventfd),
#endif
#ifdef CONFIG_MVMM_IRQFD
	MVMM_IOCTL(MVMM_VM_IRQFD, irqfd, address, IN, irqfd),
#endif
#ifdef CONFIG_MVMM_SLOTS
	MVMM_IOCTL(MVMM_VM_SET_SCHED, vm_sched, reserved, IN, set_sched),
#endif
	MVMM_IOCTL(MVMM_VM_CREATE_VCPU, create_vcpu, reserved, IN, create_vcpu),
};

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mvmm_vm *vm = file->private_data;

	if (vm->mm != current->mm)
		return -EPERM;
	return mvmm_dispatch(vm_ioctls, ARRAY_SIZE(vm_ioctls), vm, cmd, arg);
}

static int vm_release(struct inode *inode, struct file *file)
{
	mvmm_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = vm_release,
	.llseek = noop_llseek,
};

/* tour 6: a VM is made; its ioctls are above */

/**
 * mvmm_vm_create() - MVMM_CREATE_VM
 * @flags: MVMM_VM_*, known ones
 *
 * Context: may sleep. Return: an fd; -EBUSY: another VMM uses the extension;
 * -ENOMEM, -EMFILE and the like.
 */
int mvmm_vm_create(u32 flags)
{
	struct mvmm_vm *vm;
	int ret;

	ret = mvmm_hardware_get();
	if (ret)
		return ret;
	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm) {
		ret = -ENOMEM;
		goto put_hardware;
	}
	kref_init(&vm->kref);
	mutex_init(&vm->lock);
	mvmm_irqfds_init(vm);
	vm->serial = atomic64_inc_return(&serial);
	vm->tsc_base = mvmm_tsc();
	vm->tsc_khz = tsc_khz;
	vm->has_apic = flags & MVMM_VM_APIC;
	ret = mvmm_memory_init(vm);
	if (ret)
		goto free_vm;
	mvmm_slots_add_vm(vm);
	ret = anon_inode_getfd("mvmm-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (ret < 0)
		mvmm_vm_put(vm);
	return ret;

free_vm:
	kfree(vm);
put_hardware:
	mvmm_hardware_put();
	return ret;
}
