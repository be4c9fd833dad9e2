// SPDX-License-Identifier: GPL-2.0
/*
 * The module: load, unload, and /dev/mvmm. Whether VMX or SVM is used is
 * decided here, once. The fds of VMs and vCPUs are in fd/.
 */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>
#include <asm/processor.h>
#include <asm/tsc.h>
#include "compat.h"
#include "cpu/cpu.h"
#include "cpu/fpu.h"
#include "fd/fd.h"
#include "guest/guest.h"
#include "logic/host.h"
#include "mm/memory.h"
#include "slots/slots.h"
#include "vendor.h"

/* What this build of the module has: see Kbuild */
static u64 built_in(void)
{
	return MVMM_FEATURE_APIC | MVMM_FEATURE_CLOCK |
	       (IS_ENABLED(CONFIG_MVMM_SLOTS) ? MVMM_FEATURE_SCHED : 0) |
	       (IS_ENABLED(CONFIG_MVMM_PV) ? MVMM_FEATURE_PV : 0) |
	       (IS_ENABLED(CONFIG_MVMM_IOEVENTFD) ? MVMM_FEATURE_IOEVENTFD : 0) |
	       (IS_ENABLED(CONFIG_MVMM_IRQFD) ? MVMM_FEATURE_IRQFD : 0) |
	       (IS_ENABLED(CONFIG_MVMM_DIRTY_RING) ? MVMM_FEATURE_DIRTY_RING : 0) |
	       (IS_ENABLED(CONFIG_MVMM_DIRTY) ? MVMM_FEATURE_DIRTY_LOG : 0);
}

static long get_info(void *obj, void *arg)
{
	struct mvmm_info *info = arg;

	*info = (struct mvmm_info){
		.max_vcpus = MVMM_MAX_VCPUS,
		.features = mvmm_vendor.features | built_in(),
		.max_regions = MVMM_MAX_REGIONS,
		.gpa_bits = MVMM_GPA_BITS,
		.run_size = PAGE_SIZE,
		.xsave_size = mvmm_fpu_size(),
		.xcr0 = mvmm_fpu_mask,
		.tsc_khz = tsc_khz,
		.max_cpuid = MVMM_MAX_CPUID,
	};
	return 0;
}

static long get_default_cpuid(void *obj, void *arg)
{
	return mvmm_copy_cpuid(&mvmm_default_cpuid, arg);
}

static long create_vm(void *obj, void *arg)
{
	const struct mvmm_create_vm *create = arg;

	if (create->flags & ~MVMM_VM_APIC)
		return -EOPNOTSUPP;
	return mvmm_vm_create(create->flags);
}

static const struct mvmm_ioctl system_ioctls[] = {
	MVMM_IOCTL(MVMM_GET_INFO, info, max_cpuid, OUT, get_info),
	MVMM_IOCTL(MVMM_GET_CPUID, cpuid, entries, INOUT, get_default_cpuid),
	MVMM_IOCTL(MVMM_CREATE_VM, create_vm, flags, IN, create_vm),
};

static long system_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return mvmm_dispatch(system_ioctls, ARRAY_SIZE(system_ioctls), NULL,
			     cmd, arg);
}

static const struct file_operations system_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = system_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

#define MVMM_MINOR 250	/* for local use; opening a node of it loads this */

static struct miscdevice device = {
	.minor = MVMM_MINOR,
	.name = "mvmm",
	.mode = 0660,
	.fops = &system_fops,
};

#define VENDORS								\
	(IS_ENABLED(CONFIG_MVMM_VMX) && IS_ENABLED(CONFIG_MVMM_SVM) ?	\
	 "VMX or SVM" : IS_ENABLED(CONFIG_MVMM_VMX) ?			\
	 "VMX, and this module no SVM" : "SVM, and this module no VMX")

static const struct mvmm_vendor_ops *find_vendor(void)
{
	static const struct mvmm_vendor_ops *const vendors[] = {
#ifdef CONFIG_MVMM_VMX
		&mvmm_vmx_ops,
#endif
#ifdef CONFIG_MVMM_SVM
		&mvmm_svm_ops,
#endif
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(vendors); i++)
		if (vendors[i]->present())
			return vendors[i];
	return NULL;
}

#ifdef MVMM_VMX_CLOSED
#define VMX_CLOSED __stringify(MVMM_VMX_CLOSED)
#else
#define VMX_CLOSED ""
#endif

/* Says why, if the module does not load here */
static int __init check_host(void)
{
	const struct mvmm_host host = {
		.fred = mvmm_host_has_fred(),
		.vendor = mvmm_ops,
		.closed = *VMX_CLOSED &&
			  boot_cpu_data.x86_vendor == X86_VENDOR_INTEL,
		.tsc = tsc_khz,
	};

	switch (mvmm_host_check(&host)) {
	case MVMM_HOST_HAS_FRED:
		pr_err("the kernel uses FRED, and mvmm does not know it: boot with fred=off\n");
		return -EOPNOTSUPP;
	case MVMM_HOST_IS_CLOSED:
		pr_err("VMX is left out (Documentation/kernels.rst): what this kernel exports to every module lacks: %s\n",
		       VMX_CLOSED);
		return -EOPNOTSUPP;
	case MVMM_HOST_LACKS_VENDOR:
		pr_err("this CPU has no %s (in a VM: nested virtualization is off)\n",
		       VENDORS);
		return -ENODEV;
	case MVMM_HOST_LACKS_TSC:
		pr_err("the rate of this CPU's TSC is not known to the kernel\n");
		return -ENODEV;
	case MVMM_HOST_IS_GOOD:
		break;
	}
	return 0;
}

/* tour 1: load: the vendor is chosen, /dev/mvmm appears */

static int __init mvmm_module_init(void)
{
	int ret;

	mvmm_ops = find_vendor();
	ret = check_host() ?: mvmm_fpu_setup() ?: mvmm_ops->setup();
	if (ret)
		return ret;
	mvmm_cpuid_init();
	ret = mvmm_slots_init();
	if (ret)
		goto teardown;
	ret = mvmm_hardware_init();
	if (ret)
		goto exit_slots;
	ret = misc_register(&device);
	if (ret)
		goto exit_hardware;
	pr_info("ready: %s\n", mvmm_ops->name);
	return 0;

exit_hardware:
	mvmm_hardware_exit();
exit_slots:
	mvmm_slots_exit();
teardown:
	mvmm_ops->teardown();
	return ret;
}

static void __exit mvmm_module_exit(void)
{
	misc_deregister(&device);
	mvmm_hardware_exit();
	mvmm_slots_exit();
	mvmm_ops->teardown();
}

module_init(mvmm_module_init);
module_exit(mvmm_module_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("mvmm: a minimal virtual machine monitor");
MODULE_VERSION(MVMM_VERSION);
MODULE_ALIAS_MISCDEV(MVMM_MINOR);
MODULE_ALIAS("devname:mvmm");
