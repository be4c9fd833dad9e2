// SPDX-License-Identifier: GPL-2.0
/* A client of /dev/kvm; on demand with interrupt controllers in the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bench.h"

#define MAX_CPUID 100

static int call(int fd, unsigned long cmd, const void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static int kvm_open(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int kvm_create_vm(int system, bool apic)
{
	int vm = call(system, KVM_CREATE_VM, NULL), ret = 0;

	if (apic && vm >= 0)
		ret = call(vm, KVM_CREATE_IRQCHIP, NULL);
	return ret ? ret : vm;
}

static int kvm_create_vcpu(int vm, int id)
{
	return call(vm, KVM_CREATE_VCPU, (void *)(intptr_t)id);
}

static int set_region(int vm, int region, uint64_t gpa, void *hva, uint64_t len,
		      uint32_t flags)
{
	struct kvm_userspace_memory_region r = {
		.slot = region, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = len, .userspace_addr = (uintptr_t)hva };

	return call(vm, KVM_SET_USER_MEMORY_REGION, &r);
}

static int kvm_map(int vm, int region, uint64_t gpa, void *hva, uint64_t len)
{
	return set_region(vm, region, gpa, hva, len, 0);
}

static int kvm_unmap(int vm, int region, uint64_t gpa, uint64_t len)
{
	return set_region(vm, region, gpa, NULL, 0, 0);
}

static int kvm_map_logged(int vm, int region, uint64_t gpa, void *hva,
			  uint64_t len)
{
	return set_region(vm, region, gpa, hva, len, KVM_MEM_LOG_DIRTY_PAGES);
}

static int kvm_get_log(int vm, int region, uint64_t gpa, uint64_t len,
		       uint64_t *bitmap)
{
	struct kvm_dirty_log log = { .slot = region, .dirty_bitmap = bitmap };

	return call(vm, KVM_GET_DIRTY_LOG, &log);
}

static int run_size(struct machine *m)
{
	return ioctl(m->system, KVM_GET_VCPU_MMAP_SIZE, 0);
}

static int kvm_prepare(struct machine *m)
{
	struct kvm_cpuid2 *cpuid;
	unsigned int i;
	int ret;

	m->run = mmap(NULL, run_size(m), PROT_READ | PROT_WRITE, MAP_SHARED,
		      m->vcpu, 0);
	if (m->run == MAP_FAILED)
		return -errno;
	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MAX_CPUID;
	ret = call(m->system, KVM_GET_SUPPORTED_CPUID, cpuid);
	/* KVM leaves the TSC-deadline timer out: it depends on the APIC */
	for (i = 0; m->apic && i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= 1u << 24;
	if (ret >= 0)
		ret = call(m->vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	return ret;
}

static void kvm_release(struct machine *m)
{
	munmap(m->run, run_size(m));
}

static int kvm_make_runnable(struct machine *m)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };

	return call(m->vcpu, KVM_SET_MP_STATE, &state);
}

static int kvm_start(struct machine *m, const struct start *start)
{
	struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .db = 1,
		.s = 1, .g = 1 };
	struct kvm_segment code = data, tr = {
		.base = TSS, .limit = 0x67, .selector = 24, .type = 11,
		.present = 1 };
	struct kvm_regs regs = {
		.rip = start->rip, .rsp = STACK, .rbx = start->rbx,
		.rcx = start->rcx, .rbp = start->rbp, .rdi = start->rdi,
		.rsi = DATA, .r8 = start->r8, .rflags = start->rflags };
	struct kvm_sregs s;
	int ret;

	ret = call(m->vcpu, KVM_GET_SREGS, &s);
	if (ret)
		return ret;
	code.selector = 8;
	code.type = 11;
	code.l = 1;
	code.db = 0;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = tr;
	s.gdt.base = GDT;
	s.gdt.limit = 39;
	s.idt.base = IDT;
	s.idt.limit = 4095;
	s.cr0 = 0x80000031;
	s.cr3 = TABLES;
	s.cr4 = 0x220;
	s.efer = 0x500;
	ret = call(m->vcpu, KVM_SET_SREGS, &s);
	return ret ? ret : call(m->vcpu, KVM_SET_REGS, &regs);
}

static int kvm_run(struct machine *m)
{
	struct kvm_interrupt irq = { .irq = IRQ_VECTOR };
	struct kvm_run *run = m->run;

	for (m->done = false; !m->done; ) {
		if (ioctl(m->vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			if (run->io.direction == KVM_EXIT_IO_IN)
				*((char *)run + run->io.data_offset) = 1;
			else if (run->io.port == PORT_DONE)
				m->done = true;
			else if (run->io.port == PORT_IRQ && m->message_fd)
				eventfd_write(m->message_fd, 1);
			else if (run->io.port == PORT_IRQ)
				ioctl(m->vcpu, KVM_INTERRUPT, &irq);
			break;
		case KVM_EXIT_MMIO:
			if (!run->mmio.is_write)
				memset(run->mmio.data, 1, run->mmio.len);
			break;
		case KVM_EXIT_HLT:
			break;
		default:
			return -EIO;
		}
	}
	/* KVM completes the OUT to PORT_DONE only in the next KVM_RUN */
	run->immediate_exit = 1;
	ioctl(m->vcpu, KVM_RUN, 0);
	run->immediate_exit = 0;
	return 0;
}

static int kvm_get_state(struct machine *m)
{
	static struct kvm_sregs sregs;

	m->private = &sregs;
	return call(m->vcpu, KVM_GET_SREGS, &sregs);
}

static int kvm_set_state(struct machine *m)
{
	return call(m->vcpu, KVM_SET_SREGS, m->private);
}

static int kvm_doorbell(struct machine *m, uint64_t gpa, uint16_t port, int fd)
{
	struct kvm_ioeventfd bell = {
		.addr = gpa ? gpa : port, .len = gpa ? 0 : 1, .fd = fd,
		.flags = gpa ? 0 : KVM_IOEVENTFD_FLAG_PIO };

	return call(m->vm, KVM_IOEVENTFD, &bell);
}

static int kvm_message(struct machine *m, int vector, int fd)
{
	enum { GSI = 24 };	/* the first that is no pin */
	struct {
		struct kvm_irq_routing table;
		struct kvm_irq_routing_entry entry;
	} routing = {
		.table.nr = 1,
		.entry = { .gsi = GSI, .type = KVM_IRQ_ROUTING_MSI,
			   .u.msi = { .address_lo = 0xfee00000,
				      .data = vector } } };
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = GSI };
	int ret = call(m->vm, KVM_SET_GSI_ROUTING, &routing);

	return ret ? ret : call(m->vm, KVM_IRQFD, &irqfd);
}

const struct monitor kvm_monitor = {
	.name = "kvm",
	.open = kvm_open,
	.create_vm = kvm_create_vm,
	.create_vcpu = kvm_create_vcpu,
	.map = kvm_map,
	.unmap = kvm_unmap,
	.map_logged = kvm_map_logged,
	.get_log = kvm_get_log,
	.prepare = kvm_prepare,
	.release = kvm_release,
	.make_runnable = kvm_make_runnable,
	.start = kvm_start,
	.run = kvm_run,
	.get_state = kvm_get_state,
	.set_state = kvm_set_state,
	.doorbell = kvm_doorbell,
	.message = kvm_message,
};
