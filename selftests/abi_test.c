// SPDX-License-Identifier: GPL-2.0
/*
 * The ABI: sizes and offsets, the rules of size-first structs, and the errnos
 * that mvmm.h promises.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

#define SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), "size of " #type)
#define OFFSET(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), \
		       "offset of " #type "." #field)
SIZE(mvmm_info, 48);
SIZE(mvmm_cpuid_entry, 32);
SIZE(mvmm_cpuid, 16);
SIZE(mvmm_create_vm, 8);
SIZE(mvmm_region, 32);
SIZE(mvmm_regions, 32);
OFFSET(mvmm_regions, nr_remove, 8);
OFFSET(mvmm_regions, nr_add, 12);
OFFSET(mvmm_regions, remove, 16);
OFFSET(mvmm_regions, add, 24);
SIZE(mvmm_dirty_log, 32);
OFFSET(mvmm_dirty_log, gpa, 8);
OFFSET(mvmm_dirty_log, bitmap, 24);
SIZE(mvmm_dirty_ring, 8);
SIZE(mvmm_dirty_gfn, 16);
OFFSET(mvmm_dirty_gfn, gpa, 8);
SIZE(mvmm_reset_dirty_rings, 8);
SIZE(mvmm_prefault, 24);
OFFSET(mvmm_prefault, gpa, 8);
OFFSET(mvmm_prefault, len, 16);
SIZE(mvmm_ioeventfd, 32);
OFFSET(mvmm_ioeventfd, datamatch, 24);
SIZE(mvmm_msi, 24);
OFFSET(mvmm_msi, address, 8);
OFFSET(mvmm_msi, data, 16);
SIZE(mvmm_irqfd, 24);
OFFSET(mvmm_irqfd, fd, 8);
OFFSET(mvmm_irqfd, data, 12);
OFFSET(mvmm_irqfd, address, 16);
SIZE(mvmm_vm_sched, 16);
OFFSET(mvmm_vm_sched, weight, 4);
OFFSET(mvmm_vm_sched, cap, 8);
SIZE(mvmm_clock, 48);
OFFSET(mvmm_clock, tsc, 8);
OFFSET(mvmm_clock, kvmclock, 16);
OFFSET(mvmm_clock, host_tsc, 24);
OFFSET(mvmm_clock, realtime, 32);
OFFSET(mvmm_clock, tsc_khz, 40);
SIZE(mvmm_create_vcpu, 16);
SIZE(mvmm_regs, 144);
SIZE(mvmm_paging, 80);
OFFSET(mvmm_paging, pdpte, 32);
OFFSET(mvmm_paging, cs_attr, 72);
OFFSET(mvmm_paging, cpl, 74);
SIZE(mvmm_run, 512);
OFFSET(mvmm_run, set_cr, 3);
OFFSET(mvmm_run, exit_reason, 8);
OFFSET(mvmm_run, can_inject, 16);
OFFSET(mvmm_run, irq_pending, 18);
OFFSET(mvmm_run, extint, 19);
OFFSET(mvmm_run, cr_value, 24);
OFFSET(mvmm_run, regs, 32);
OFFSET(mvmm_run, io, 176);
OFFSET(mvmm_run, cr.value, 184);
OFFSET(mvmm_run, eoi.vector, 176);
OFFSET(mvmm_run, error.text, 192);
OFFSET(mvmm_run, paging, 432);
SIZE(mvmm_segment, 16);
SIZE(mvmm_table, 16);
SIZE(mvmm_sregs, 256);
OFFSET(mvmm_sregs, gdt, 136);
OFFSET(mvmm_sregs, cr0, 168);
OFFSET(mvmm_sregs, pdpte, 224);
SIZE(mvmm_dregs, 56);
SIZE(mvmm_xsave, 16);
SIZE(mvmm_msr, 16);
SIZE(mvmm_msrs, 16);
SIZE(mvmm_events, 32);
OFFSET(mvmm_events, eoi_pending, 14);
OFFSET(mvmm_events, shutdown, 16);
OFFSET(mvmm_events, error_code, 20);
OFFSET(mvmm_events, pending_dbg, 24);
SIZE(mvmm_inject, 24);
SIZE(mvmm_reset, 8);
SIZE(mvmm_apic_access, 12);
OFFSET(mvmm_apic_access, offset, 4);
OFFSET(mvmm_apic_access, write, 6);
OFFSET(mvmm_apic_access, data, 8);
SIZE(mvmm_apic, 1048);
OFFSET(mvmm_apic, mp_state, 4);
OFFSET(mvmm_apic, apic_base, 8);
OFFSET(mvmm_apic, tsc_deadline, 16);
OFFSET(mvmm_apic, regs, 24);
SIZE(mvmm_times, 48);
OFFSET(mvmm_times, run, 8);
OFFSET(mvmm_times, steal, 32);
OFFSET(mvmm_times, longest_wait, 40);
SIZE(mvmm_stats, 80 + 8 * MVMM_STATS_HW_EXITS);

static int call(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

FIXTURE(abi) {
	struct vm vm;
};

FIXTURE_SETUP(abi)
{
	ASSERT_EQ(0, vm_create(&self->vm));
}

FIXTURE_TEARDOWN(abi)
{
	vm_destroy(&self->vm);
}

/* The rules that the dispatcher applies to every ioctl with a struct */
TEST_F(abi, size_rules)
{
	/*
	 * first: size of the first version of a struct that has grown, else 0;
	 * feature: without it there is no such ioctl; out: it is output only
	 */
	struct {
		unsigned long cmd;
		int fd;
		uint32_t size, first;
		uint64_t feature;
		bool out;
	} all[] = {
		{ MVMM_GET_INFO, self->vm.system, sizeof(struct mvmm_info),
		  .out = true },
		{ MVMM_GET_CPUID, self->vm.system, sizeof(struct mvmm_cpuid) },
		{ MVMM_CREATE_VM, self->vm.system,
		  sizeof(struct mvmm_create_vm) },
		{ MVMM_VM_ADD_REGION, self->vm.vm, sizeof(struct mvmm_region) },
		{ MVMM_VM_REMOVE_REGION, self->vm.vm,
		  sizeof(struct mvmm_region) },
		{ MVMM_VM_SET_REGION, self->vm.vm, sizeof(struct mvmm_region) },
		{ MVMM_VM_CHANGE_REGIONS, self->vm.vm,
		  sizeof(struct mvmm_regions) },
		{ MVMM_VM_GET_DIRTY_LOG, self->vm.vm,
		  sizeof(struct mvmm_dirty_log), 0, MVMM_FEATURE_DIRTY_LOG },
		{ MVMM_VM_ENABLE_DIRTY_RING, self->vm.vm,
		  sizeof(struct mvmm_dirty_ring), 0, MVMM_FEATURE_DIRTY_RING },
		{ MVMM_VM_RESET_DIRTY_RINGS, self->vm.vm,
		  sizeof(struct mvmm_reset_dirty_rings), 0,
		  MVMM_FEATURE_DIRTY_RING },
		{ MVMM_VM_PREFAULT, self->vm.vm, sizeof(struct mvmm_prefault) },
		{ MVMM_VM_IOEVENTFD, self->vm.vm,
		  sizeof(struct mvmm_ioeventfd), 0, MVMM_FEATURE_IOEVENTFD },
		{ MVMM_VM_MSI, self->vm.vm, sizeof(struct mvmm_msi) },
		{ MVMM_VM_IRQFD, self->vm.vm, sizeof(struct mvmm_irqfd), 0,
		  MVMM_FEATURE_IRQFD },
		{ MVMM_VM_SET_SCHED, self->vm.vm,
		  sizeof(struct mvmm_vm_sched), 0, MVMM_FEATURE_SCHED },
		{ MVMM_VM_GET_CLOCK, self->vm.vm, sizeof(struct mvmm_clock),
		  offsetof(struct mvmm_clock, tsc_khz), .out = true },
		{ MVMM_VM_SET_CLOCK, self->vm.vm, sizeof(struct mvmm_clock),
		  offsetof(struct mvmm_clock, tsc_khz) },
		{ MVMM_VM_CREATE_VCPU, self->vm.vm,
		  sizeof(struct mvmm_create_vcpu) },
		{ MVMM_VCPU_INJECT, self->vm.vcpu, sizeof(struct mvmm_inject) },
		{ MVMM_VCPU_GET_SREGS, self->vm.vcpu,
		  sizeof(struct mvmm_sregs), .out = true },
		{ MVMM_VCPU_SET_SREGS, self->vm.vcpu,
		  sizeof(struct mvmm_sregs) },
		{ MVMM_VCPU_GET_DREGS, self->vm.vcpu,
		  sizeof(struct mvmm_dregs), .out = true },
		{ MVMM_VCPU_SET_DREGS, self->vm.vcpu,
		  sizeof(struct mvmm_dregs) },
		{ MVMM_VCPU_GET_XSAVE, self->vm.vcpu,
		  sizeof(struct mvmm_xsave) },
		{ MVMM_VCPU_SET_XSAVE, self->vm.vcpu,
		  sizeof(struct mvmm_xsave) },
		{ MVMM_VCPU_GET_EVENTS, self->vm.vcpu,
		  sizeof(struct mvmm_events), .out = true },
		{ MVMM_VCPU_SET_EVENTS, self->vm.vcpu,
		  sizeof(struct mvmm_events) },
		{ MVMM_VCPU_GET_MSRS, self->vm.vcpu, sizeof(struct mvmm_msrs) },
		{ MVMM_VCPU_SET_MSRS, self->vm.vcpu, sizeof(struct mvmm_msrs) },
		{ MVMM_VCPU_GET_MSR_LIST, self->vm.vcpu,
		  sizeof(struct mvmm_msrs) },
		{ MVMM_VCPU_GET_CPUID, self->vm.vcpu,
		  sizeof(struct mvmm_cpuid) },
		{ MVMM_VCPU_SET_CPUID, self->vm.vcpu,
		  sizeof(struct mvmm_cpuid) },
		{ MVMM_VCPU_GET_STATS, self->vm.vcpu,
		  sizeof(struct mvmm_stats),
		  offsetof(struct mvmm_stats, slow_faults), .out = true },
		{ MVMM_VCPU_RESET, self->vm.vcpu, sizeof(struct mvmm_reset) },
		{ MVMM_VCPU_APIC_ACCESS, self->vm.vcpu,
		  sizeof(struct mvmm_apic_access) },
		{ MVMM_VCPU_GET_APIC, self->vm.vcpu, sizeof(struct mvmm_apic),
		  .out = true },
		{ MVMM_VCPU_SET_APIC, self->vm.vcpu, sizeof(struct mvmm_apic) },
		{ MVMM_VCPU_GET_TIMES, self->vm.vcpu, sizeof(struct mvmm_times),
		  offsetof(struct mvmm_times, longest_wait),
		  MVMM_FEATURE_SCHED, .out = true },
	};
	uint32_t buffer[512];
	unsigned int i;
	int ret;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		memset(buffer, 0, sizeof(buffer));
		if (all[i].feature && !module_has(all[i].feature)) {
			buffer[0] = all[i].size;
			EXPECT_EQ(-ENOTTY,
				  call(all[i].fd, all[i].cmd, buffer));
			continue;
		}
		/* not accessible; shorter than the first version */
		EXPECT_EQ(-EFAULT, call(all[i].fd, all[i].cmd, (void *)8));
		EXPECT_EQ(-EINVAL, call(all[i].fd, all[i].cmd, buffer));
		buffer[0] = (all[i].first ? all[i].first : all[i].size) - 1;
		EXPECT_EQ(-EINVAL, call(all[i].fd, all[i].cmd, buffer));
		/* longer, and its tail is not zero; longer than any struct */
		if (all[i].out)
			memset(buffer, 0xff, sizeof(buffer));
		buffer[0] = all[i].size + 8;
		buffer[all[i].size / 4 + 1] = 1;
		ret = call(all[i].fd, all[i].cmd, buffer);
		/* This VM has no local APICs */
		EXPECT_EQ(!all[i].out ? -E2BIG :
			  all[i].cmd == MVMM_VCPU_GET_APIC ? -EINVAL : 0, ret);
		EXPECT_EQ(!all[i].out, buffer[all[i].size / 4 + 1]);
		if (all[i].out)
			EXPECT_EQ(-1u, buffer[all[i].size / 4 + 2]);
		buffer[0] = 1 << 20;
		EXPECT_EQ(-E2BIG, call(all[i].fd, all[i].cmd, buffer));
	}
}

/* What the module was built with, it has, and nothing else */
TEST_F(abi, options)
{
	static const struct {
		char option[12];
		uint64_t feature;
	} all[] = {
		{ "slots", MVMM_FEATURE_SCHED }, { "pv", MVMM_FEATURE_PV },
		{ "ioeventfd", MVMM_FEATURE_IOEVENTFD },
		{ "irqfd", MVMM_FEATURE_IRQFD },
		{ "dirty", MVMM_FEATURE_DIRTY_LOG },
		{ "dirty_ring", MVMM_FEATURE_DIRTY_RING },
	};
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		EXPECT_EQ(!built_without(all[i].option),
			  module_has(all[i].feature)) {
			TH_LOG("%s", all[i].option);
		}
}

TEST_F(abi, unknown_ioctls)
{
	uint64_t buffer[32] = { sizeof(buffer) };

	EXPECT_EQ(-ENOTTY, call(self->vm.system, MVMM_VCPU_GET_SREGS, buffer));
	EXPECT_EQ(-ENOTTY, call(self->vm.vm, MVMM_GET_INFO, buffer));
	EXPECT_EQ(-ENOTTY, call(self->vm.vcpu, MVMM_VM_ADD_REGION, buffer));
	EXPECT_EQ(-ENOTTY, call(self->vm.vcpu, _IO(MVMM_IOC, 0xff), buffer));
}

TEST_F(abi, info)
{
	struct { struct mvmm_info info; uint64_t tail; } longer = {
		.info.size = sizeof(longer) };
	struct mvmm_info info;

	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_LE(1, info.max_vcpus);
	EXPECT_LE(2, info.max_regions);
	EXPECT_LE(36, info.gpa_bits);
	EXPECT_EQ(4096, info.run_size);
	EXPECT_LE(576, info.xsave_size);
	EXPECT_LT(0, info.tsc_khz);
	EXPECT_NE(0, info.features & (MVMM_FEATURE_VMX | MVMM_FEATURE_SVM));
	/* A newer caller */
	ASSERT_EQ(0, call(self->vm.system, MVMM_GET_INFO, &longer));
	EXPECT_EQ(0, longer.tail);
	EXPECT_EQ(info.max_vcpus, longer.info.max_vcpus);
}

TEST_F(abi, create_vm)
{
	struct mvmm_create_vm create = { .size = sizeof(create), .flags = 2 };
	int fd;

	EXPECT_EQ(-EOPNOTSUPP, call(self->vm.system, MVMM_CREATE_VM, &create));
	create.flags = 1u << 31 | MVMM_VM_APIC;
	EXPECT_EQ(-EOPNOTSUPP, call(self->vm.system, MVMM_CREATE_VM, &create));
	create.flags = 0;
	fd = call(self->vm.system, MVMM_CREATE_VM, &create);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

TEST_F(abi, create_vcpu)
{
	struct mvmm_create_vcpu c = { .size = sizeof(c), .id = 1 };
	int vm = self->vm.vm, fd, fds[256];
	struct mvmm_info info;

	EXPECT_EQ(-EEXIST, mvmm_create_vcpu(vm, 0));
	EXPECT_EQ(-EINVAL, mvmm_create_vcpu(vm, 1 << 20));
	c.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, call(vm, MVMM_VM_CREATE_VCPU, &c));
	c.flags = 0;
	c.reserved = 1;
	EXPECT_EQ(-EINVAL, call(vm, MVMM_VM_CREATE_VCPU, &c));
	fd = mvmm_create_vcpu(vm, 1);
	ASSERT_LE(0, fd);
	/* The id is free again after close */
	close(fd);
	fd = mvmm_create_vcpu(vm, 1);
	EXPECT_LE(0, fd);
	close(fd);
	/* As many as there may be */
	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	EXPECT_EQ(255, info.max_vcpus);
	for (c.id = 1; c.id < info.max_vcpus; c.id++)
		ASSERT_LE(0, fds[c.id] = mvmm_create_vcpu(vm, c.id));
	EXPECT_EQ(-EINVAL, mvmm_create_vcpu(vm, c.id));
	while (--c.id)
		close(fds[c.id]);
}

TEST_F(abi, regions)
{
	uint64_t top = 1ull << 48;
	void *p = self->vm.mem;
	int vm = self->vm.vm, i;
	struct mvmm_info info;

	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	for (i = 2; i < 32; i++)
		EXPECT_EQ(-EOPNOTSUPP,
			  mvmm_add_region(vm, VOID, 4096, p, 1u << i));
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, VOID, 0, p, 0));
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, VOID + 1, 4096, p, 0));
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, VOID, 4096, NULL, 0));
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, VOID, 4095, p, 0));
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, VOID, 4096, p + 8, 0));
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, top, 4096, p, 0));
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, top - 4096, 8192, p, 0));
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, -4096ull, 8192, p, 0));
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, 0, -4096ull, p, 0));
	/* the kernel's half of the address space */
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, VOID, 4096,
					   (void *)(-1ull << 47), 0));
	EXPECT_EQ(-EEXIST, mvmm_add_region(vm, 0, 4096, p, 0));
	EXPECT_EQ(-EEXIST, mvmm_add_region(vm, MEM_SIZE - 4096, 8192, p, 0));
	EXPECT_EQ(0, mvmm_add_region(vm, MEM_SIZE, 4096, p, 0));
	EXPECT_EQ(0, mvmm_add_region(vm, top - 4096, 4096, p, 0));
	EXPECT_EQ(-ENOENT, mvmm_remove_region(vm, MEM_SIZE, 8192));
	EXPECT_EQ(-ENOENT, mvmm_remove_region(vm, VOID, 4096));
	EXPECT_EQ(0, mvmm_remove_region(vm, MEM_SIZE, 4096));
	EXPECT_EQ(-ENOENT, mvmm_remove_region(vm, MEM_SIZE, 4096));
	for (i = 0; !mvmm_add_region(vm, VOID + i * 4096ul, 4096, p, 0); i++)
		;
	EXPECT_EQ(-ENOSPC, mvmm_add_region(vm, VOID + i * 4096ul, 4096, p, 0));
	/* Besides these there are the one at 0 and the one at the top */
	EXPECT_EQ(info.max_regions, i + 2);
}

static int have_sys_nice(bool have)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -1;
	if (have)
		data[0].effective |= 1u << CAP_SYS_NICE;
	else
		data[0].effective &= ~(1u << CAP_SYS_NICE);
	return syscall(SYS_capset, &header, data);
}

/* Nobody raises his own share; see nice(2) */
TEST_F(abi, weight_needs_a_capability)
{
	int vm = self->vm.vm;

	NEEDS("slots");
	ASSERT_EQ(0, have_sys_nice(false));
	EXPECT_EQ(0, mvmm_set_sched(vm, 1, 100));
	EXPECT_EQ(0, mvmm_set_sched(vm, 100, 0));
	EXPECT_EQ(-EPERM, mvmm_set_sched(vm, 101, 0));
	EXPECT_EQ(-EPERM, mvmm_set_sched(vm, 10000, 0));
	EXPECT_EQ(-EINVAL, mvmm_set_sched(vm, 10001, 0));
	ASSERT_EQ(0, have_sys_nice(true));
	EXPECT_EQ(0, mvmm_set_sched(vm, 101, 0));
}

TEST_F(abi, dirty_log)
{
	struct mvmm_dirty_log log = { .size = sizeof(log), .gpa = VOID,
				      .len = 65 * 4096 };
	uint64_t bits[3] = { -1ull, -1ull, -1ull }, len = 65 * 4096;
	void *p = self->vm.mem;
	int vm = self->vm.vm;

	if (built_without("dirty")) {
		EXPECT_EQ(-EOPNOTSUPP, mvmm_add_region(vm, VOID, len, p,
						       MVMM_REGION_LOG_DIRTY));
		return;
	}
	ASSERT_EQ(0, mvmm_add_region(vm, VOID, len, p, MVMM_REGION_LOG_DIRTY));
	/* More than any log may have */
	EXPECT_EQ(-EINVAL, mvmm_add_region(vm, 1ull << 46, (1ull << 43) + 4096,
					   (void *)4096,
					   MVMM_REGION_LOG_DIRTY));
	/* 65 pages have two words, and no byte after them is written */
	EXPECT_EQ(0, mvmm_get_dirty_log(vm, VOID, len, bits));
	EXPECT_EQ(0, bits[0] | bits[1]);
	EXPECT_EQ(-1ull, bits[2]);
	/* A part of the region: from a word on; not beyond its end */
	EXPECT_EQ(0, mvmm_get_dirty_log(vm, VOID, 4096, bits));
	EXPECT_EQ(0, mvmm_get_dirty_log(vm, VOID + 64 * 4096, 4096, bits));
	EXPECT_EQ(-EINVAL, mvmm_get_dirty_log(vm, VOID + 4096, 64 * 4096,
					      bits));
	EXPECT_EQ(-EINVAL, mvmm_get_dirty_log(vm, VOID, 0, bits));
	EXPECT_EQ(-EINVAL, mvmm_get_dirty_log(vm, VOID, 100, bits));
	EXPECT_EQ(-EINVAL, mvmm_get_dirty_log(vm, VOID + 100, 4096, bits));
	EXPECT_EQ(-ENOENT, mvmm_get_dirty_log(vm, VOID, len + 4096, bits));
	EXPECT_EQ(-ENOENT, mvmm_get_dirty_log(vm, VOID, -4096ull, bits));
	/* An address without a region; one without a log */
	EXPECT_EQ(-ENOENT, mvmm_get_dirty_log(vm, 1ull << 40, len, bits));
	EXPECT_EQ(-ENOENT, mvmm_get_dirty_log(vm, 0, MEM_SIZE, bits));
	EXPECT_EQ(-EFAULT, mvmm_get_dirty_log(vm, VOID, len, (void *)8));
	EXPECT_EQ(-EFAULT, mvmm_get_dirty_log(vm, VOID, len,
					      (void *)(-1ull << 47)));
	log.bitmap = (uintptr_t)bits;
	log.flags = 2;
	EXPECT_EQ(-EOPNOTSUPP, call(vm, MVMM_VM_GET_DIRTY_LOG, &log));
	log.flags = 0;
	EXPECT_EQ(0, call(vm, MVMM_VM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(0, mvmm_remove_region(vm, VOID, len));
	EXPECT_EQ(-ENOENT, mvmm_get_dirty_log(vm, VOID, len, bits));
	/* A logged region may be read-only too; its log stays empty */
	ASSERT_EQ(0, mvmm_add_region(vm, VOID, len, p, MVMM_REGION_LOG_DIRTY |
				     MVMM_REGION_READONLY));
	EXPECT_EQ(0, mvmm_prefault(vm, VOID, len, 0));
	EXPECT_EQ(0, mvmm_get_dirty_log(vm, VOID, len, bits));
	EXPECT_EQ(0, bits[0] | bits[1]);
}

TEST_F(abi, prefault)
{
	struct mvmm_prefault f = { .size = sizeof(f), .gpa = 0x3000,
				   .len = 0x5000 };
	uint64_t top = 1ull << 48, hole = DATA + 0x7000;
	int vm = self->vm.vm, i;

	ASSERT_EQ(0, call(vm, MVMM_VM_PREFAULT, &f));
	EXPECT_EQ(0x8000, f.gpa);
	EXPECT_EQ(0, f.len);
	EXPECT_EQ(sizeof(f), f.size);
	EXPECT_EQ(0, mvmm_prefault(vm, 0, MEM_SIZE, MVMM_PREFAULT_WRITE));
	/* A length of 0 succeeds anywhere */
	EXPECT_EQ(0, mvmm_prefault(vm, VOID, 0, 0));
	for (i = 1; i < 32; i++)
		EXPECT_EQ(-EOPNOTSUPP, mvmm_prefault(vm, 0, 4096, 1u << i));
	EXPECT_EQ(-EINVAL, mvmm_prefault(vm, 1, 4096, 0));
	EXPECT_EQ(-EINVAL, mvmm_prefault(vm, 0, 4095, 0));
	EXPECT_EQ(-EINVAL, mvmm_prefault(vm, top, 4096, 0));
	EXPECT_EQ(-EINVAL, mvmm_prefault(vm, top - 4096, 8192, 0));
	EXPECT_EQ(-EINVAL, mvmm_prefault(vm, -4096ull, 8192, 0));
	EXPECT_EQ(-EINVAL, mvmm_prefault(vm, 4096, -4096ull, 0));
	EXPECT_EQ(-ENOENT, mvmm_prefault(vm, VOID, 4096, 0));
	EXPECT_EQ(-ENOENT, mvmm_prefault(vm, MEM_SIZE - 4096, 8192, 0));
	EXPECT_EQ(-ENOENT, mvmm_prefault(vm, top - 4096, 4096, 0));
	/* A read-only region can be prefaulted for reads only */
	ASSERT_EQ(0, mvmm_add_region(vm, VOID, 8192, self->vm.mem,
				     MVMM_REGION_READONLY));
	EXPECT_EQ(-ENOENT, mvmm_prefault(vm, VOID, 8192, MVMM_PREFAULT_WRITE));
	EXPECT_EQ(0, mvmm_prefault(vm, VOID, 8192, 0));
	/* A page of the mapping is read-only, then it is missing */
	ASSERT_EQ(0, mprotect(self->vm.mem + hole, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, mvmm_prefault(vm, DATA, 0x10000,
					 MVMM_PREFAULT_WRITE));
	EXPECT_EQ(0, mvmm_prefault(vm, DATA, 0x10000, 0));
	ASSERT_EQ(0, munmap(self->vm.mem + hole, 4096));
	EXPECT_EQ(-EFAULT, mvmm_prefault(vm, DATA, 0x10000, 0));
	EXPECT_EQ(0, mvmm_prefault(vm, DATA, 0x7000, 0));
	EXPECT_EQ(0, mvmm_prefault(vm, hole + 4096, 0x8000, 0));
}

static void on_alarm(int sig)
{
}

/* A signal ends it: it says what is left, and a call with that goes on */
TEST_F(abi, prefault_is_restartable)
{
	struct itimerval when = { .it_value = { .tv_usec = 1000 } };
	struct sigaction action = { .sa_handler = on_alarm };
	uint64_t len = 32ul << 20, touched = 0, i;
	struct mvmm_prefault f;
	int ret = 0, tries;
	unsigned char *in;
	char *p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	in = calloc(1, len / 4096);
	ASSERT_NE(MAP_FAILED, p);
	madvise(p, len, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, mvmm_add_region(self->vm.vm, VOID, len, p, 0));
	sigaction(SIGALRM, &action, NULL);
	/* The first signals may come too early */
	for (tries = 0; tries < 20 && ret != -EINTR; tries++) {
		ASSERT_EQ(0, madvise(p, len, MADV_DONTNEED));
		f = (struct mvmm_prefault){ .size = sizeof(f), .gpa = VOID,
					    .len = len,
					    .flags = MVMM_PREFAULT_WRITE };
		setitimer(ITIMER_REAL, &when, NULL);
		ret = call(self->vm.vm, MVMM_VM_PREFAULT, &f);
		if (ret == -EINTR && f.gpa == VOID)
			ret = 0;
		when.it_value.tv_usec *= 2;
	}
	ASSERT_EQ(-EINTR, ret);
	EXPECT_LT(VOID, f.gpa);
	EXPECT_LT(0, f.len);
	EXPECT_EQ(VOID + len, f.gpa + f.len);
	EXPECT_EQ(0, f.gpa & 4095);
	EXPECT_EQ(MVMM_PREFAULT_WRITE, f.flags);
	/* Exactly the pages up to f.gpa are mapped */
	ASSERT_EQ(0, mincore(p, len, in));
	for (i = 0; i < len / 4096; i++)
		touched += in[i] & 1;
	EXPECT_EQ(f.gpa - VOID, touched * 4096);
	while (ret == -EINTR)
		ret = call(self->vm.vm, MVMM_VM_PREFAULT, &f);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(VOID + len, f.gpa);
	EXPECT_EQ(0, f.len);
	ASSERT_EQ(0, mincore(p, len, in));
	for (i = touched = 0; i < len / 4096; i++)
		touched += in[i] & 1;
	EXPECT_EQ(len / 4096, touched);
	munmap(p, len);
	free(in);
}

TEST_F(abi, run)
{
	struct mvmm_run *run = self->vm.run;
	int vcpu = self->vm.vcpu;

	EXPECT_EQ(-EINVAL, call(vcpu, MVMM_VCPU_RUN, (void *)1));
	EXPECT_EQ(-EINVAL, call(vcpu, MVMM_VCPU_KICK, (void *)1));
	run->retire = 16;
	EXPECT_EQ(-EINVAL, mvmm_run(vcpu));
	run->retire = 0;
	run->reserved0[3] = 1;
	EXPECT_EQ(-EINVAL, mvmm_run(vcpu));
	run->reserved0[3] = 0;
	run->set_cr = MVMM_SET_CR0;	/* without @retire */
	EXPECT_EQ(-EINVAL, mvmm_run(vcpu));
	run->retire = 3;
	run->set_cr = MVMM_SET_CR4 + 1;
	EXPECT_EQ(-EINVAL, mvmm_run(vcpu));
	run->retire = run->set_cr = 0;
	run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, mvmm_run(vcpu));
	EXPECT_EQ(MVMM_EXIT_INTR, run->exit_reason);
	EXPECT_EQ(1, run->immediate_exit);
}

TEST_F(abi, sregs)
{
	struct mvmm_sregs good, s;
	int vcpu = self->vm.vcpu;

	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	ASSERT_EQ(0, mvmm_get_sregs(vcpu, &good));
	EXPECT_EQ(sizeof(good), good.size);
	EXPECT_EQ(0, mvmm_set_sregs(vcpu, &good));
#define REFUSE(change) do {						\
		s = good;						\
		change;							\
		EXPECT_EQ(-EINVAL, mvmm_set_sregs(vcpu, &s));		\
	} while (0)
	REFUSE(s.reserved = 1);
	REFUSE(s.cr8 = 16);
	REFUSE(s.cr0 &= ~1ull);			/* PG without PE */
	REFUSE(s.cr0 |= 1ull << 32);
	REFUSE(s.cr4 |= 1ull << 13);		/* VMXE */
	REFUSE(s.cr4 &= ~0x20ull);		/* long mode without PAE */
	REFUSE(s.efer &= ~0x400ull);		/* LMA must be LME and PG */
	REFUSE(s.efer |= 1ull << 12);		/* SVME */
	REFUSE(s.xcr0 = 0);
	REFUSE(s.xcr0 |= 1ull << 8);		/* Processor Trace */
	REFUSE(s.cr3 |= 1ull << 63);
	REFUSE(s.gdt.reserved[1] = 1);
	REFUSE(s.idt.reserved[0] = 1);
#undef REFUSE
	ASSERT_EQ(0, vm_set_mode(&self->vm, PAE32));
	ASSERT_EQ(0, mvmm_get_sregs(vcpu, &s));
	s.pdpte[2] = 3;			/* reserved bit 1 */
	EXPECT_EQ(-EINVAL, mvmm_set_sregs(vcpu, &s));
}

TEST_F(abi, dregs)
{
	struct mvmm_dregs d = { .dr = { 1, 2, 3, 4 }, .dr6 = 0, .dr7 = 0 };
	int vcpu = self->vm.vcpu;

	EXPECT_EQ(0, mvmm_set_dregs(vcpu, &d));
	memset(&d, 0xff, sizeof(d));
	EXPECT_EQ(0, mvmm_get_dregs(vcpu, &d));
	EXPECT_EQ(3, d.dr[2]);
	EXPECT_EQ(0xffff0ff0, d.dr6);
	EXPECT_EQ(0x400, d.dr7);
	EXPECT_EQ(0, d.reserved);
	d.dr7 |= 1ull << 32;
	EXPECT_EQ(-EINVAL, mvmm_set_dregs(vcpu, &d));
	d.dr7 = 0x400;
	d.reserved = 1;
	EXPECT_EQ(-EINVAL, mvmm_set_dregs(vcpu, &d));
}

TEST_F(abi, xsave)
{
	struct mvmm_info info;
	int vcpu = self->vm.vcpu;
	uint8_t *area;

	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	area = calloc(1, info.xsave_size);
	EXPECT_EQ(-EINVAL, mvmm_get_xsave(vcpu, area, info.xsave_size - 1));
	EXPECT_EQ(-EINVAL, mvmm_set_xsave(vcpu, area, info.xsave_size - 1));
	EXPECT_EQ(-EFAULT, mvmm_get_xsave(vcpu, (void *)8, info.xsave_size));
	EXPECT_EQ(-EFAULT, mvmm_set_xsave(vcpu, (void *)8, info.xsave_size));
	EXPECT_EQ(0, mvmm_get_xsave(vcpu, area, info.xsave_size));
	/* After RESET */
	EXPECT_EQ(0x37f, *(uint16_t *)area);
	EXPECT_EQ(0x1f80, *(uint32_t *)(area + 24));
	EXPECT_EQ(0, mvmm_set_xsave(vcpu, area, info.xsave_size));
	/* What XRSTOR would fault on */
	area[24 + 3] = 0xff;			/* MXCSR, reserved bits */
	EXPECT_EQ(-EINVAL, mvmm_set_xsave(vcpu, area, info.xsave_size));
	area[24 + 3] = 0;
	area[512 + 7] = 0x40;			/* XSTATE_BV, bit 62 */
	EXPECT_EQ(-EINVAL, mvmm_set_xsave(vcpu, area, info.xsave_size));
	area[512 + 7] = 0;
	area[520 + 7] = 0x80;			/* XCOMP_BV, compacted */
	EXPECT_EQ(-EINVAL, mvmm_set_xsave(vcpu, area, info.xsave_size));
	area[520 + 7] = 0;
	area[528] = 1;				/* reserved */
	EXPECT_EQ(-EINVAL, mvmm_set_xsave(vcpu, area, info.xsave_size));
	free(area);
}

TEST_F(abi, events)
{
	struct mvmm_events ev = { 0 };
	int vcpu = self->vm.vcpu;

	ev.nmi_pending = 1;
	ev.irq_pending = 1;
	ev.irq_vector = 0x55;
	ev.shadow = MVMM_SHADOW_STI;
	ev.nmi_masked = 1;
	ev.inflight = 1;
	ev.type = MVMM_EVENT_EXCEPTION;
	ev.vector = 14;
	ev.has_error = 1;
	ev.error_code = 6;
	ASSERT_EQ(0, mvmm_set_events(vcpu, &ev));
	memset(&ev, 0xff, sizeof(ev));
	ASSERT_EQ(0, mvmm_get_events(vcpu, &ev));
	EXPECT_EQ(1, ev.nmi_pending);
	EXPECT_EQ(1, ev.irq_pending);
	EXPECT_EQ(0x55, ev.irq_vector);
	EXPECT_EQ(MVMM_SHADOW_STI, ev.shadow);
	EXPECT_EQ(1, ev.nmi_masked);
	EXPECT_EQ(14, ev.vector);
	EXPECT_EQ(6, ev.error_code);
	EXPECT_EQ(0, ev.reserved[0]);
	ev.shadow = 3;
	EXPECT_EQ(-EINVAL, mvmm_set_events(vcpu, &ev));
}

TEST_F(abi, inject)
{
	struct mvmm_inject in = { .size = sizeof(in) };
	int vcpu = self->vm.vcpu;

	EXPECT_EQ(0, mvmm_inject_irq(vcpu, 16));
	EXPECT_EQ(-EBUSY, mvmm_inject_irq(vcpu, 17));
	EXPECT_EQ(0, mvmm_inject_nmi(vcpu));
	EXPECT_EQ(0, mvmm_inject_nmi(vcpu));
	EXPECT_EQ(-EBUSY, mvmm_inject_nmi(vcpu));
	/* real mode: no exception pushes an error code */
	EXPECT_EQ(-EINVAL, mvmm_inject_exception(vcpu, 13, true, 0, 0));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	EXPECT_EQ(-EINVAL, mvmm_inject_exception(vcpu, 13, false, 0, 0));
	EXPECT_EQ(-EINVAL, mvmm_inject_exception(vcpu, 6, true, 0, 0));
	EXPECT_EQ(-EINVAL, mvmm_inject_exception(vcpu, 2, false, 0, 0));
	EXPECT_EQ(-EINVAL, mvmm_inject_exception(vcpu, 32, false, 0, 0));
	EXPECT_EQ(-EINVAL, mvmm_inject_exception(vcpu, 13, true, 0, 1));
	EXPECT_EQ(0, mvmm_inject_exception(vcpu, 14, true, 2, 0x1234));
	EXPECT_EQ(-EBUSY, mvmm_inject_exception(vcpu, 14, true, 2, 0));
	in.type = MVMM_EVENT_SOFT_INT;
	EXPECT_EQ(-EINVAL, call(vcpu, MVMM_VCPU_INJECT, &in));
	in.type = MVMM_EVENT_NMI;
	in.reserved2 = 1;
	EXPECT_EQ(-EINVAL, call(vcpu, MVMM_VCPU_INJECT, &in));
}

TEST_F(abi, msrs)
{
	struct mvmm_msr m[4] = {
		{ .index = 0xc0000081, .value = 0x1122334455667788 },
		{ .index = 0x174, .value = 8 },
		{ .index = 0x480, .value = 0 },	/* a guest has no VMX */
		{ .index = 0x10, .value = 0 },
	};
	int vcpu = self->vm.vcpu;

	EXPECT_EQ(2, mvmm_set_msrs(vcpu, m, 4));
	m[0].value = m[1].value = 0;
	EXPECT_EQ(2, mvmm_get_msrs(vcpu, m, 4));
	EXPECT_EQ(0x1122334455667788, m[0].value);
	EXPECT_EQ(8, m[1].value);
	m[0] = (struct mvmm_msr){ .index = 0xc0000082, .value = 1ull << 47 };
	EXPECT_EQ(0, mvmm_set_msrs(vcpu, m, 1));	/* not canonical */
	EXPECT_EQ(-E2BIG, mvmm_get_msrs(vcpu, m, 257));
	EXPECT_EQ(-EFAULT, mvmm_get_msrs(vcpu, (void *)8, 1));
	m[0] = (struct mvmm_msr){ .index = 0x10, .reserved = 1 };
	EXPECT_EQ(-EINVAL, mvmm_get_msrs(vcpu, m, 1));
}

TEST_F(abi, cpuid)
{
	struct mvmm_cpuid_entry *e, two[2] = { { .leaf = 0 }, { .leaf = 0 } };
	struct mvmm_cpuid c = { .size = sizeof(c) };
	int vcpu = self->vm.vcpu, n;

	n = mvmm_get_cpuid(self->vm.system, &e);
	ASSERT_LT(5, n);
	EXPECT_EQ(0, mvmm_set_cpuid(vcpu, e, n));
	EXPECT_EQ(-ENOSPC, call(vcpu, MVMM_VCPU_GET_CPUID, &c));
	EXPECT_EQ(n, c.nr);
	c.entries = (uintptr_t)e;
	EXPECT_EQ(0, call(vcpu, MVMM_VCPU_GET_CPUID, &c));
	c.entries = 8;
	EXPECT_EQ(-EFAULT, call(vcpu, MVMM_VCPU_GET_CPUID, &c));
	EXPECT_EQ(-EFAULT, mvmm_set_cpuid(vcpu, (void *)8, 1));
	EXPECT_EQ(-E2BIG, mvmm_set_cpuid(vcpu, e, 1 << 20));
	EXPECT_EQ(-EINVAL, mvmm_set_cpuid(vcpu, two, 2));
	two[1].leaf = 1;
	two[1].flags = 2;
	EXPECT_EQ(-EINVAL, mvmm_set_cpuid(vcpu, two, 2));
	free(e);
}

TEST_F(abi, mmap)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 8192, PROT_READ, MAP_SHARED,
				   self->vm.vcpu, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED,
				   self->vm.vcpu, 4096));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE,
				   self->vm.vcpu, 0));
	EXPECT_EQ(EINVAL, errno);
}

/* A VM belongs to one address space */
TEST_F(abi, other_process)
{
	struct mvmm_sregs s;
	uint64_t bits;
	int status;
	pid_t pid = fork();

	if (!pid) {
		int bad = 0;

		bad |= mvmm_create_vcpu(self->vm.vm, 1) != -EPERM;
		bad |= mvmm_add_region(self->vm.vm, VOID, 4096, self->vm.mem,
				       0) != -EPERM;
		bad |= mvmm_prefault(self->vm.vm, 0, 4096, 0) != -EPERM;
		bad |= mvmm_get_dirty_log(self->vm.vm, 0, 4096, &bits) !=
			-EPERM;
		bad |= mvmm_run(self->vm.vcpu) != -EPERM;
		bad |= mvmm_kick(self->vm.vcpu) != -EPERM;
		bad |= mvmm_msi(self->vm.vm, 0xfee00000, 0x41) != -EPERM;
		bad |= mvmm_get_sregs(self->vm.vcpu, &s) != -EPERM;
		_exit(bad);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* The owner can go on */
	EXPECT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
}

TEST_HARNESS_MAIN
