// SPDX-License-Identifier: GPL-2.0
/*
 * VMX operation on each CPU, and the life of a VMCS: which CPU may have it in
 * its cache, and VMCLEAR on that CPU before another one loads it (SDM vol. 3,
 * 25.11).
 */
#include <linux/perf_event.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/gfp.h>
#include <asm/tlbflush.h>
#include "insn.h"

static DEFINE_PER_CPU(u32 *, vmxon_region);
DEFINE_PER_CPU(struct vmx_vmcs *, vmx_current);
/* The VMCSs that this CPU may have cached. Accessed with interrupts off */
static DEFINE_PER_CPU(struct list_head, loaded_list);
static DEFINE_PER_CPU(bool, vmx_on);

static u32 *alloc_region(void)
{
	u32 *region = (u32 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (region)
		region[0] = vmx_caps.revision;
	return region;
}

/**
 * vmx_vmcs_setup() - make the per-CPU areas for VMXON
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int vmx_vmcs_setup(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		INIT_LIST_HEAD(&per_cpu(loaded_list, cpu));
		per_cpu(vmxon_region, cpu) = alloc_region();
		if (!per_cpu(vmxon_region, cpu)) {
			vmx_vmcs_teardown();
			return -ENOMEM;
		}
	}
	return 0;
}

/** vmx_vmcs_teardown() - undo vmx_vmcs_setup() */
void vmx_vmcs_teardown(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(vmxon_region, cpu));
		per_cpu(vmxon_region, cpu) = NULL;
	}
}

/** vmx_is_on() - have we turned VMX on, on this CPU? Context: preemption off */
bool vmx_is_on(void)
{
	return __this_cpu_read(vmx_on);
}

/**
 * vmx_cpu_enable() - enter VMX operation on this CPU
 *
 * Context: interrupts off. Return: 0; -EBUSY: another VMM has done so; -EIO.
 */
int vmx_cpu_enable(void)
{
	lockdep_assert_irqs_disabled();
	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	/* On some CPUs processor trace and VMX exclude each other */
	intel_pt_handle_vmx(1);
	/* Also in the kernel's copy, or the next switch_mm() clears it again */
	cr4_set_bits(X86_CR4_VMXE);
	if (!vmxon(__pa(__this_cpu_read(vmxon_region)))) {
		cr4_clear_bits(X86_CR4_VMXE);
		intel_pt_handle_vmx(0);
		return -EIO;
	}
	vmx_host_cpu_on();
	__this_cpu_write(vmx_on, true);
	/* Drop translations with the same tags, from when VMX was on before */
	invept(VMX_EPT_EXTENT_GLOBAL, 0);
	return 0;
}

/* Called on the CPU that vmcs->cpu names */
static void clear_here(struct vmx_vmcs *vmcs)
{
	lockdep_assert_irqs_disabled();
	vmclear(__pa(vmcs->region));
	if (__this_cpu_read(vmx_current) == vmcs)
		__this_cpu_write(vmx_current, NULL);
	list_del(&vmcs->link);
	vmcs->launched = false;
	/*
	 * VMCLEAR and launched come first: a CPU that sees -1 may load the VMCS.
	 * Pairs with clear_anywhere().
	 */
	smp_store_release(&vmcs->cpu, -1);
}

/**
 * vmx_cpu_disable() - leave VMX operation on this CPU
 *
 * Context: interrupts off.
 */
void vmx_cpu_disable(void)
{
	struct vmx_vmcs *vmcs, *next;

	lockdep_assert_irqs_disabled();
	list_for_each_entry_safe(vmcs, next, this_cpu_ptr(&loaded_list), link)
		clear_here(vmcs);
	__this_cpu_write(vmx_on, false);
	vmxoff();
	cr4_clear_bits(X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
}

static void clear_ipi(void *arg)
{
	struct vmx_vmcs *vmcs = arg;

	/* vmx_cpu_disable() may have cleared it meanwhile */
	if (READ_ONCE(vmcs->cpu) == smp_processor_id())
		clear_here(vmcs);
}

/* VMCLEAR on the CPU that may have it in its cache */
static void clear_anywhere(struct vmx_vmcs *vmcs)
{
	int cpu = smp_load_acquire(&vmcs->cpu); /* pairs with clear_here() */

	lockdep_assert_irqs_enabled();

	/*
	 * Fails only if that CPU is offline, and then vmx_cpu_disable() did it
	 */
	if (cpu >= 0)
		smp_call_function_single(cpu, clear_ipi, vmcs, 1);
}

/**
 * vmx_vmcs_alloc() - make a VMCS, which no CPU has in its cache
 * @vmcs: filled in
 *
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int vmx_vmcs_alloc(struct vmx_vmcs *vmcs)
{
	vmcs->cpu = -1;
	vmcs->launched = false;
	vmcs->region = alloc_region();
	return vmcs->region ? 0 : -ENOMEM;
}

/**
 * vmx_vmcs_free() - undo vmx_vmcs_alloc(), wherever the VMCS is loaded
 * @vmcs: not in use
 *
 * Context: may sleep.
 */
void vmx_vmcs_free(struct vmx_vmcs *vmcs)
{
	clear_anywhere(vmcs);
	free_page((unsigned long)vmcs->region);
}

/* tour 36: a VMCS changes CPUs */

/**
 * vmx_vmcs_load() - make a VMCS current on this CPU
 * @vmcs: not in use elsewhere
 *
 * Context: preemption off, interrupts on.
 */
void vmx_vmcs_load(struct vmx_vmcs *vmcs)
{
	int cpu = smp_processor_id();
	bool moved = READ_ONCE(vmcs->cpu) != cpu;
	unsigned long flags;

	lockdep_assert_preemption_disabled();
	if (moved)
		clear_anywhere(vmcs);
	local_irq_save(flags);
	/*
	 * Off after the reboot notifier: then nothing may be added to the list
	 */
	if (vmx_is_on()) {
		if (moved) {
			vmclear(__pa(vmcs->region));
			list_add(&vmcs->link, this_cpu_ptr(&loaded_list));
			vmcs->cpu = cpu;
		}
		vmptrld(__pa(vmcs->region));
		__this_cpu_write(vmx_current, vmcs);
	}
	local_irq_restore(flags);
}
