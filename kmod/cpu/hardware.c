// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU's virtualization extension: on while a VM exists, on every CPU, also
 * across CPU hotplug and suspend; off before a reboot or kexec. Which vendor's
 * it is was chosen at load (main.c).
 */
#define pr_fmt(fmt) "mvmm: " fmt

#include <linux/acpi.h>
#include <linux/cpu.h>
#include <linux/reboot.h>
#include <linux/syscore_ops.h>
#include <asm/processor.h>
#include "compat.h"
#include "cpu.h"
#include "host.h"
#include "tsc.h"
#include "vendor.h"

const struct mvmm_vendor_ops *mvmm_ops;
struct mvmm_vendor_caps mvmm_vendor;

/*
 * How many VMs exist. Guarded by hardware_lock, which is taken inside
 * cpus_read_lock(): the hotplug callbacks run with that held for writing.
 */
static int hardware_users;
static DEFINE_MUTEX(hardware_lock);
static DEFINE_PER_CPU(bool, hardware_on);
/* Set by the reboot notifier, and never cleared: cpu_on() fails from then on */
static bool rebooting;
static enum cpuhp_state hotplug_state;

static int cpu_on(void)
{
	int ret = 0;

	lockdep_assert_irqs_disabled();

	if (READ_ONCE(rebooting))
		return -EIO;
	if (!__this_cpu_read(hardware_on)) {
		mvmm_host_cpu_on();
		ret = mvmm_ops->cpu_enable();
		if (!ret)
			__this_cpu_write(hardware_on, true);
	}
	return ret;
}

static void cpu_off(void *unused)
{
	lockdep_assert_irqs_disabled();
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

/* tour 26: VMX or SVM on, on every CPU */

/**
 * mvmm_hardware_get() - a VM is made: turn the extension on, on every CPU
 *
 * Context: may sleep. Return: 0; -EBUSY: another VMM uses it; -EIO.
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
		pr_err_ratelimited("another VMM owns %s: stop its VMs, or unload it (kvm: rmmod kvm_intel or kvm_amd)\n",
				   mvmm_ops->name);
	else if (ret)
		pr_err_ratelimited("cannot turn %s on: %d\n", mvmm_ops->name, ret);
	return ret;
}

/**
 * mvmm_hardware_put() - a VM is gone: turn the extension off after the last one
 *
 * Context: may sleep.
 */
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

u64 mvmm_tsc_lost;
static u64 suspended_at;

/* On the last CPU, interrupts off, tasks frozen; the others went by hotplug */
static int suspend(MVMM_SYSCORE_ARG)
{
	cpu_off(NULL);
	suspended_at = mvmm_tsc();
	return 0;
}

static void resume(MVMM_SYSCORE_ARG)
{
	mvmm_tsc_lost += suspended_at - mvmm_tsc();
	if (hardware_users && cpu_on())
		pr_err("%s did not come back after suspend: VMs cannot run\n",
		       mvmm_ops->name);
}

static struct syscore_ops syscore_ops = {
	.suspend = suspend,
	.resume = resume,
};

static struct syscore syscore = {
	.ops = &syscore_ops,
};

/* Reboot and kexec: a CPU in VMX operation ignores INIT */
static int reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	WRITE_ONCE(rebooting, true);
	on_each_cpu(cpu_off, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block reboot_notifier = {
	.notifier_call = reboot,
};

/**
 * mvmm_on_bochs() - is this CPU emulated by Bochs? See Documentation/errata.rst
 */
bool mvmm_on_bochs(void)
{
	/* Its CPUID does not tell. QEMU's ACPI tables have the same name */
	return IS_ENABLED(CONFIG_ACPI) &&
	       !boot_cpu_has(X86_FEATURE_HYPERVISOR) &&
	       !memcmp(acpi_gbl_FADT.header.oem_id, "BOCHS ",
		       ACPI_OEM_ID_SIZE);
}

/**
 * mvmm_hardware_init() - register for CPU hotplug, suspend and reboot
 *
 * At load, when mvmm_ops is set. Context: may sleep. Return: 0 or -errno.
 */
int mvmm_hardware_init(void)
{
	int ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/mvmm:online",
				    cpu_coming, cpu_going);

	if (ret < 0)
		return ret;
	hotplug_state = ret;
	register_syscore(&syscore);
	register_reboot_notifier(&reboot_notifier);
	return 0;
}

/**
 * mvmm_hardware_exit() - undo mvmm_hardware_init()
 *
 * At unload, when no VM is left. Context: may sleep.
 */
void mvmm_hardware_exit(void)
{
	unregister_reboot_notifier(&reboot_notifier);
	unregister_syscore(&syscore);
	cpuhp_remove_state(hotplug_state);
}
