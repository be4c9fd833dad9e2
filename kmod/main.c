// SPDX-License-Identifier: GPL-2.0
/*
 * The module: /dev/mvmm, and turning the CPU's virtualization extension on
 * while a VM exists, through CPU hotplug, suspend, reboot and kexec.
 */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/acpi.h>
#include <linux/cpu.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/syscore_ops.h>
#include <linux/uaccess.h>
#include <asm/processor.h>
#include <asm/tsc.h>
#include "mvmm.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static bool pml = true;
module_param(pml, bool, 0444);
MODULE_PARM_DESC(pml, "let the CPU log what guests write to, where it can");

const struct mvmm_ops *mvmm_ops;
struct mvmm_vendor_caps mvmm_vendor;
struct mvmm_cpuid_table mvmm_default_cpuid;

/*
 * VMs that exist. Guarded by hardware_lock, which is taken inside the CPU
 * hotplug lock: the hotplug callbacks run under that.
 */
static int hardware_users;
static DEFINE_MUTEX(hardware_lock);
static DEFINE_PER_CPU(bool, hardware_on);
/* Set once, by the reboot notifier: nothing turns on any more */
static bool rebooting;
static enum cpuhp_state hotplug_state;

/* Interrupts off */
static int cpu_on(void)
{
	int ret = 0;

	if (READ_ONCE(rebooting))
		return -EIO;
	if (!__this_cpu_read(hardware_on)) {
		mvmm_run_cpu_on();
		ret = mvmm_ops->cpu_enable();
		if (!ret)
			__this_cpu_write(hardware_on, true);
	}
	return ret;
}

static void cpu_off(void *unused)
{
	if (__this_cpu_read(hardware_on)) {
		mvmm_ops->cpu_disable();
		__this_cpu_write(hardware_on, false);
	}
}

static void cpu_on_ipi(void *error)
{
	int ret = cpu_on();

	if (ret)
		atomic_cmpxchg((atomic_t *)error, 0, ret);
}

/**
 * mvmm_hardware_get() - a VM wants the extension on, on every CPU
 *
 * Context: may sleep. Return: 0, -EBUSY: another VMM has it, -EIO.
 */
int mvmm_hardware_get(void)
{
	atomic_t error = ATOMIC_INIT(0);
	int ret;

	cpus_read_lock();
	mutex_lock(&hardware_lock);
	if (!hardware_users)
		on_each_cpu(cpu_on_ipi, &error, 1);
	ret = atomic_read(&error);
	if (ret)
		on_each_cpu(cpu_off, NULL, 1);
	else
		hardware_users++;
	mutex_unlock(&hardware_lock);
	cpus_read_unlock();

	if (ret == -EBUSY)
		pr_err("another VMM owns %s: stop its VMs, or unload it (kvm: rmmod kvm_intel or kvm_amd)\n",
		       mvmm_ops->name);
	else if (ret)
		pr_err("cannot turn %s on: %d\n", mvmm_ops->name, ret);
	return ret;
}

/** mvmm_hardware_put() - a VM is gone; may sleep */
void mvmm_hardware_put(void)
{
	cpus_read_lock();
	mutex_lock(&hardware_lock);
	if (!--hardware_users)
		on_each_cpu(cpu_off, NULL, 1);
	mutex_unlock(&hardware_lock);
	cpus_read_unlock();
}

static int cpu_coming(unsigned int cpu)
{
	unsigned long flags;
	int ret = 0;

	mutex_lock(&hardware_lock);
	if (hardware_users) {
		local_irq_save(flags);
		ret = cpu_on();
		local_irq_restore(flags);
	}
	mutex_unlock(&hardware_lock);
	if (ret)
		pr_err("CPU %u stays offline: %s cannot be turned on: %d\n",
		       cpu, mvmm_ops->name, ret);
	return ret;
}

static int cpu_going(unsigned int cpu)
{
	unsigned long flags;

	mutex_lock(&hardware_lock);
	local_irq_save(flags);
	cpu_off(NULL);
	local_irq_restore(flags);
	mutex_unlock(&hardware_lock);
	return 0;
}

/* The last CPU, interrupts off, tasks frozen; the others went by hotplug */
static int suspend(void)
{
	cpu_off(NULL);
	return 0;
}

static void resume(void)
{
	if (hardware_users && cpu_on())
		pr_err("%s did not come back after suspend: VMs cannot run\n",
		       mvmm_ops->name);
}

static struct syscore_ops syscore = {
	.suspend = suspend,
	.resume = resume,
};

/* Reboot and kexec: a CPU in VMX operation would not take INIT */
static int reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	WRITE_ONCE(rebooting, true);
	on_each_cpu(cpu_off, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block reboot_notifier = {
	.notifier_call = reboot,
};

static long get_info(void *obj, void *arg)
{
	struct mvmm_info *info = arg;

	*info = (struct mvmm_info){
		.max_vcpus = MVMM_MAX_VCPUS,
		.features = mvmm_vendor.features | MVMM_FEATURE_APIC,
		.max_regions = MVMM_MAX_REGIONS,
		.gpa_bits = MVMM_GPA_BITS,
		.run_size = PAGE_SIZE,
		.xsave_size = mvmm_fpu_size(),
		.xcr0 = mvmm_fpu_xcr0(),
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
	MVMM_IOCTL(MVMM_GET_INFO, struct mvmm_info, max_cpuid, true, get_info),
	MVMM_IOCTL(MVMM_GET_CPUID, struct mvmm_cpuid, entries, true,
		   get_default_cpuid),
	MVMM_IOCTL(MVMM_CREATE_VM, struct mvmm_create_vm, flags, false,
		   create_vm),
};

static long system_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg)
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

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mvmm",
	.mode = 0660,
	.fops = &system_fops,
};

static void host_cpuid(u32 leaf, u32 subleaf, u32 regs[4])
{
	cpuid_count(leaf, subleaf, &regs[0], &regs[1], &regs[2], &regs[3]);
}

static void init_default_cpuid(void)
{
	struct mvmm_cpuid_host host = {
		.get = host_cpuid,
		.xcr0 = mvmm_fpu_xcr0(),
		.tsc_khz = tsc_khz,
		.gpa_bits = MVMM_GPA_BITS,
		.rdtscp = mvmm_vendor.rdtscp,
		.invpcid = mvmm_vendor.invpcid,
	};

	mvmm_cpuid_default(&host, &mvmm_default_cpuid);
}

/** mvmm_on_bochs() - is this CPU Bochs', which errata.rst tells of? */
bool mvmm_on_bochs(void)
{
	/* CPUID says nothing; QEMU uses the same name, but shows in CPUID */
	return IS_ENABLED(CONFIG_ACPI) &&
	       !boot_cpu_has(X86_FEATURE_HYPERVISOR) &&
	       !memcmp(acpi_gbl_FADT.header.oem_id, "BOCHS ",
		       ACPI_OEM_ID_SIZE);
}

static const struct mvmm_ops *find_vendor(void)
{
	static const struct mvmm_ops *const vendors[] = {
		&mvmm_vmx_ops, &mvmm_svm_ops };
	int i;

	for (i = 0; i < ARRAY_SIZE(vendors); i++)
		if (vendors[i]->present())
			return vendors[i];
	return NULL;
}

static int __init mvmm_init(void)
{
	int ret;

	mvmm_ops = find_vendor();
	if (!mvmm_ops) {
		pr_err("this CPU has neither VMX nor SVM (in a VM: nested virtualization is off)\n");
		return -ENODEV;
	}
	ret = mvmm_fpu_setup();
	if (ret)
		return ret;
	ret = mvmm_ops->setup();
	if (ret)
		return ret;
	mvmm_vendor.pml &= pml;
	pml = mvmm_vendor.pml;
	init_default_cpuid();
	ret = mvmm_slots_init();
	if (ret)
		goto teardown;

	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/mvmm:online",
				cpu_coming, cpu_going);
	if (ret < 0)
		goto exit_slots;
	hotplug_state = ret;
	register_syscore_ops(&syscore);
	register_reboot_notifier(&reboot_notifier);
	ret = misc_register(&device);
	if (ret)
		goto unregister;
	pr_info("ready: %s\n", mvmm_ops->name);
	return 0;

unregister:
	unregister_reboot_notifier(&reboot_notifier);
	unregister_syscore_ops(&syscore);
	cpuhp_remove_state(hotplug_state);
exit_slots:
	mvmm_slots_exit();
teardown:
	mvmm_ops->teardown();
	return ret;
}

static void __exit mvmm_exit(void)
{
	misc_deregister(&device);
	unregister_reboot_notifier(&reboot_notifier);
	unregister_syscore_ops(&syscore);
	cpuhp_remove_state(hotplug_state);
	mvmm_slots_exit();
	mvmm_ops->teardown();
}

module_init(mvmm_init);
module_exit(mvmm_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("mvmm: a minimal virtual machine monitor");
