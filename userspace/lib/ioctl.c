// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ioctls of mvmm.h as functions. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "libmvmm.h"

static int call(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

int mvmm_open(const char *device)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * A struct that the module fills in. It is zero before, because a module that
 * is older than this library demands that of the part that it does not know.
 */
#define GET(fd, cmd, out)						\
	(memset(out, 0, sizeof(*(out))), (out)->size = sizeof(*(out)),	\
	 call(fd, cmd, out))

int mvmm_get_info(int system, struct mvmm_info *info)
{
	return GET(system, MVMM_GET_INFO, info);
}

int mvmm_get_cpuid(int system, struct mvmm_cpuid_entry **entries)
{
	struct mvmm_cpuid cpuid = { .size = sizeof(cpuid) };
	int ret = call(system, MVMM_GET_CPUID, &cpuid);

	if (ret != -ENOSPC)
		return ret < 0 ? ret : -EPROTO;
	*entries = calloc(cpuid.nr, sizeof(**entries));
	if (!*entries)
		return -ENOMEM;
	cpuid.entries = (uintptr_t)*entries;
	ret = call(system, MVMM_GET_CPUID, &cpuid);
	if (ret < 0) {
		free(*entries);
		*entries = NULL;
		return ret;
	}
	return cpuid.nr;
}

int mvmm_create_vm_flags(int system, uint32_t flags)
{
	struct mvmm_create_vm create = {
		.size = sizeof(create), .flags = flags };

	return call(system, MVMM_CREATE_VM, &create);
}

int mvmm_create_vm(int system)
{
	return mvmm_create_vm_flags(system, 0);
}

int mvmm_add_region(int vm, uint64_t gpa, uint64_t len, void *hva,
		    uint32_t flags)
{
	struct mvmm_region region = {
		.size = sizeof(region), .flags = flags, .gpa = gpa, .len = len,
		.hva = (uintptr_t)hva };

	return call(vm, MVMM_VM_ADD_REGION, &region);
}

int mvmm_set_region(int vm, uint64_t gpa, uint64_t len, void *hva,
		    uint32_t flags)
{
	struct mvmm_region region = {
		.size = sizeof(region), .flags = flags, .gpa = gpa, .len = len,
		.hva = (uintptr_t)hva };

	return call(vm, MVMM_VM_SET_REGION, &region);
}

int mvmm_remove_region(int vm, uint64_t gpa, uint64_t len)
{
	struct mvmm_region region = {
		.size = sizeof(region), .gpa = gpa, .len = len };

	return call(vm, MVMM_VM_REMOVE_REGION, &region);
}

int mvmm_change_regions(int vm, struct mvmm_region *remove, uint32_t nr_remove,
			struct mvmm_region *add, uint32_t nr_add)
{
	struct mvmm_regions regions = {
		.size = sizeof(regions), .nr_remove = nr_remove,
		.nr_add = nr_add, .remove = (uintptr_t)remove,
		.add = (uintptr_t)add };
	uint32_t i;

	for (i = 0; i < nr_remove; i++)
		remove[i].size = sizeof(*remove);
	for (i = 0; i < nr_add; i++)
		add[i].size = sizeof(*add);
	return call(vm, MVMM_VM_CHANGE_REGIONS, &regions);
}

int mvmm_ioeventfd(int vm, uint16_t port, unsigned int len, int fd,
		   uint32_t flags, uint64_t datamatch)
{
	struct mvmm_ioeventfd e = {
		.size = sizeof(e), .flags = flags, .port = port, .len = len,
		.fd = fd, .datamatch = datamatch };

	return call(vm, MVMM_VM_IOEVENTFD, &e);
}

int mvmm_get_dirty_log(int vm, uint64_t gpa, uint64_t len, uint64_t *bitmap)
{
	struct mvmm_dirty_log log = {
		.size = sizeof(log), .gpa = gpa, .len = len,
		.bitmap = (uintptr_t)bitmap };

	return call(vm, MVMM_VM_GET_DIRTY_LOG, &log);
}

int mvmm_peek_dirty_log(int vm, uint64_t gpa, uint64_t len, uint64_t *bitmap)
{
	struct mvmm_dirty_log log = {
		.size = sizeof(log), .flags = MVMM_DIRTY_LOG_KEEP, .gpa = gpa,
		.len = len, .bitmap = (uintptr_t)bitmap };

	return call(vm, MVMM_VM_GET_DIRTY_LOG, &log);
}

int mvmm_prefault(int vm, uint64_t gpa, uint64_t len, uint32_t flags)
{
	struct mvmm_prefault prefault = {
		.size = sizeof(prefault), .flags = flags, .gpa = gpa,
		.len = len };

	return call(vm, MVMM_VM_PREFAULT, &prefault);
}

int mvmm_msi(int vm, uint64_t address, uint32_t data)
{
	struct mvmm_msi msi = {
		.size = sizeof(msi), .address = address, .data = data };

	return call(vm, MVMM_VM_MSI, &msi);
}

int mvmm_irqfd(int vm, int fd, uint32_t flags, uint64_t address,
	       uint32_t data)
{
	struct mvmm_irqfd irqfd = {
		.size = sizeof(irqfd), .flags = flags, .fd = fd,
		.address = address, .data = data };

	return call(vm, MVMM_VM_IRQFD, &irqfd);
}

int mvmm_set_sched(int vm, uint32_t weight, uint32_t cap)
{
	struct mvmm_vm_sched sched = {
		.size = sizeof(sched), .weight = weight, .cap = cap };

	return call(vm, MVMM_VM_SET_SCHED, &sched);
}

int mvmm_get_clock(int vm, struct mvmm_clock *clock)
{
	return GET(vm, MVMM_VM_GET_CLOCK, clock);
}

int mvmm_set_clock(int vm, struct mvmm_clock *clock)
{
	clock->size = sizeof(*clock);
	return call(vm, MVMM_VM_SET_CLOCK, clock);
}

int mvmm_create_vcpu(int vm, uint32_t id)
{
	struct mvmm_create_vcpu create = { .size = sizeof(create), .id = id };

	return call(vm, MVMM_VM_CREATE_VCPU, &create);
}

int mvmm_map_run(int vcpu, struct mvmm_run **run)
{
	void *page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			  MAP_SHARED, vcpu, 0);

	if (page == MAP_FAILED)
		return -errno;
	*run = page;
	return 0;
}

int mvmm_run(int vcpu)
{
	return call(vcpu, MVMM_VCPU_RUN, NULL);
}

int mvmm_kick(int vcpu)
{
	return call(vcpu, MVMM_VCPU_KICK, NULL);
}

int mvmm_reset(int vcpu, uint32_t flags)
{
	struct mvmm_reset reset = { .size = sizeof(reset), .flags = flags };

	return call(vcpu, MVMM_VCPU_RESET, &reset);
}

int mvmm_get_sregs(int vcpu, struct mvmm_sregs *sregs)
{
	return GET(vcpu, MVMM_VCPU_GET_SREGS, sregs);
}

int mvmm_set_sregs(int vcpu, struct mvmm_sregs *sregs)
{
	sregs->size = sizeof(*sregs);
	return call(vcpu, MVMM_VCPU_SET_SREGS, sregs);
}

int mvmm_get_dregs(int vcpu, struct mvmm_dregs *dregs)
{
	return GET(vcpu, MVMM_VCPU_GET_DREGS, dregs);
}

int mvmm_set_dregs(int vcpu, struct mvmm_dregs *dregs)
{
	dregs->size = sizeof(*dregs);
	return call(vcpu, MVMM_VCPU_SET_DREGS, dregs);
}

int mvmm_get_events(int vcpu, struct mvmm_events *events)
{
	return GET(vcpu, MVMM_VCPU_GET_EVENTS, events);
}

int mvmm_set_events(int vcpu, struct mvmm_events *events)
{
	events->size = sizeof(*events);
	return call(vcpu, MVMM_VCPU_SET_EVENTS, events);
}

int mvmm_get_xsave(int vcpu, void *area, uint32_t len)
{
	struct mvmm_xsave xsave = {
		.size = sizeof(xsave), .len = len, .addr = (uintptr_t)area };

	return call(vcpu, MVMM_VCPU_GET_XSAVE, &xsave);
}

int mvmm_set_xsave(int vcpu, const void *area, uint32_t len)
{
	struct mvmm_xsave xsave = {
		.size = sizeof(xsave), .len = len, .addr = (uintptr_t)area };

	return call(vcpu, MVMM_VCPU_SET_XSAVE, &xsave);
}

int mvmm_get_msrs(int vcpu, struct mvmm_msr *msrs, uint32_t nr)
{
	struct mvmm_msrs list = {
		.size = sizeof(list), .nr = nr, .entries = (uintptr_t)msrs };

	return call(vcpu, MVMM_VCPU_GET_MSRS, &list);
}

int mvmm_set_msrs(int vcpu, const struct mvmm_msr *msrs, uint32_t nr)
{
	struct mvmm_msrs list = {
		.size = sizeof(list), .nr = nr, .entries = (uintptr_t)msrs };

	return call(vcpu, MVMM_VCPU_SET_MSRS, &list);
}

int mvmm_get_msr_list(int vcpu, struct mvmm_msr *msrs, uint32_t nr)
{
	struct mvmm_msrs list = {
		.size = sizeof(list), .nr = nr, .entries = (uintptr_t)msrs };
	int ret = call(vcpu, MVMM_VCPU_GET_MSR_LIST, &list);

	return ret < 0 ? ret : (int)list.nr;
}

int mvmm_get_vcpu_cpuid(int vcpu, struct mvmm_cpuid_entry *entries,
			uint32_t nr)
{
	struct mvmm_cpuid cpuid = {
		.size = sizeof(cpuid), .nr = nr,
		.entries = (uintptr_t)entries };
	int ret = call(vcpu, MVMM_VCPU_GET_CPUID, &cpuid);

	return ret < 0 ? ret : (int)cpuid.nr;
}

int mvmm_set_cpuid(int vcpu, const struct mvmm_cpuid_entry *entries,
		   uint32_t nr)
{
	struct mvmm_cpuid cpuid = {
		.size = sizeof(cpuid), .nr = nr,
		.entries = (uintptr_t)entries };

	return call(vcpu, MVMM_VCPU_SET_CPUID, &cpuid);
}

int mvmm_get_stats(int vcpu, struct mvmm_stats *stats)
{
	return GET(vcpu, MVMM_VCPU_GET_STATS, stats);
}

int mvmm_get_times(int vcpu, struct mvmm_times *times)
{
	return GET(vcpu, MVMM_VCPU_GET_TIMES, times);
}

int mvmm_inject_irq(int vcpu, uint8_t vector)
{
	struct mvmm_inject inject = {
		.size = sizeof(inject), .type = MVMM_EVENT_IRQ,
		.vector = vector };

	return call(vcpu, MVMM_VCPU_INJECT, &inject);
}

int mvmm_inject_nmi(int vcpu)
{
	struct mvmm_inject inject = {
		.size = sizeof(inject), .type = MVMM_EVENT_NMI };

	return call(vcpu, MVMM_VCPU_INJECT, &inject);
}

int mvmm_inject_exception(int vcpu, uint8_t vector, bool has_error,
			  uint32_t error_code, uint64_t payload)
{
	struct mvmm_inject inject = {
		.size = sizeof(inject), .type = MVMM_EVENT_EXCEPTION,
		.vector = vector, .has_error = has_error,
		.error_code = error_code, .payload = payload };

	return call(vcpu, MVMM_VCPU_INJECT, &inject);
}

int mvmm_apic_access(int vcpu, uint16_t offset, uint32_t *data, bool write)
{
	struct mvmm_apic_access access = {
		.size = sizeof(access), .offset = offset, .write = write,
		.data = write ? *data : 0 };
	int ret = call(vcpu, MVMM_VCPU_APIC_ACCESS, &access);

	if (!ret && !write)
		*data = access.data;
	return ret;
}

int mvmm_get_apic(int vcpu, struct mvmm_apic *apic)
{
	return GET(vcpu, MVMM_VCPU_GET_APIC, apic);
}

int mvmm_set_apic(int vcpu, struct mvmm_apic *apic)
{
	apic->size = sizeof(*apic);
	return call(vcpu, MVMM_VCPU_SET_APIC, apic);
}
