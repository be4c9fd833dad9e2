// SPDX-License-Identifier: GPL-2.0
/* A client of /dev/mvmm, with libmvmm to complete exits. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bench.h"
#include "libmvmm.h"

static int open_mvmm(void)
{
	return mvmm_open(MVMM_DEVICE);
}

static int create_vm(int system, bool apic)
{
	return mvmm_create_vm_flags(system, apic ? MVMM_VM_APIC : 0);
}

static int create_vcpu(int vm, int id)
{
	return mvmm_create_vcpu(vm, id);
}

static int map(int vm, int region, uint64_t gpa, void *hva, uint64_t len)
{
	return mvmm_add_region(vm, gpa, len, hva, 0);
}

static int unmap(int vm, int region, uint64_t gpa, uint64_t len)
{
	return mvmm_remove_region(vm, gpa, len);
}

static int map_logged(int vm, int region, uint64_t gpa, void *hva, uint64_t len)
{
	return mvmm_add_region(vm, gpa, len, hva, MVMM_REGION_LOG_DIRTY);
}

static int get_log(int vm, int region, uint64_t gpa, uint64_t len,
		   uint64_t *bitmap)
{
	return mvmm_get_dirty_log(vm, gpa, len, bitmap);
}

static int prepare(struct machine *m)
{
	struct mvmm_run *run;
	int ret = mvmm_map_run(m->vcpu, &run);

	m->run = run;
	m->private = mvmm_decode_cache_new();
	return m->private ? ret : -ENOMEM;
}

static void release(struct machine *m)
{
	munmap(m->run, 4096);
	mvmm_decode_cache_free(m->private);
}

static int make_runnable(struct machine *m)
{
	struct mvmm_apic apic;
	int ret = mvmm_get_apic(m->vcpu, &apic);

	apic.mp_state = MVMM_MP_RUNNABLE;
	return ret ? ret : mvmm_set_apic(m->vcpu, &apic);
}

static int start(struct machine *m, const struct start *start)
{
	struct mvmm_segment data = { .limit = ~0u, .selector = 16,
				     .attr = 0xc093 };
	struct mvmm_run *run = m->run;
	struct mvmm_sregs s;
	int ret;

	ret = mvmm_get_sregs(m->vcpu, &s);
	if (ret)
		return ret;
	s.cs = (struct mvmm_segment){ .limit = ~0u, .selector = 8,
				      .attr = 0xa09b };
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = (struct mvmm_segment){ .base = TSS, .limit = 0x67,
				      .selector = 24, .attr = 0x8b };
	s.gdt = (struct mvmm_table){ .base = GDT, .limit = 39 };
	s.idt = (struct mvmm_table){ .base = IDT, .limit = 4095 };
	s.cr0 = 0x80000031;
	s.cr3 = TABLES;
	s.cr4 = 0x220;
	s.efer = 0x500;
	run->regs = (struct mvmm_regs){
		.rip = start->rip, .rsp = STACK, .rbx = start->rbx,
		.rcx = start->rcx, .rbp = start->rbp, .rdi = start->rdi,
		.rsi = DATA, .r8 = start->r8, .rflags = start->rflags };
	return mvmm_set_sregs(m->vcpu, &s);
}

static void *memory(void *ctx, uint64_t gpa, uint64_t len, uint32_t access)
{
	struct machine *m = ctx;

	return gpa < MEM_SIZE && len <= MEM_SIZE - gpa ? m->mem + gpa : NULL;
}

static void port(void *ctx, uint16_t number, void *data, unsigned int size,
		 bool write)
{
	struct machine *m = ctx;

	if (!write)
		memset(data, 1, size);
	else if (number == PORT_DONE)
		m->done = true;
	else if (number == PORT_IRQ && m->message_fd)
		eventfd_write(m->message_fd, 1);
	else if (number == PORT_IRQ)
		mvmm_inject_irq(m->vcpu, IRQ_VECTOR);
}

static void mmio(void *ctx, uint64_t gpa, void *data, unsigned int size,
		 bool write)
{
	struct machine *m = ctx;

	if (write && gpa == DOORBELL)
		eventfd_write(m->doorbell_fd, 1);
	if (!write)
		memset(data, 1, size);
}

/* As short as in kvm.c; false: libmvmm must complete it */
static bool complete_io(struct machine *m, struct mvmm_run *run)
{
	if (run->io.flags & MVMM_IO_STRING || m->by_library)
		return false;
	if (run->io.flags & MVMM_IO_IN)
		*(uint8_t *)&run->regs.rax = 1;
	else if (run->io.port == PORT_DONE)
		m->done = true;
	else if (run->io.port == PORT_IRQ && m->message_fd)
		eventfd_write(m->message_fd, 1);
	else if (run->io.port == PORT_IRQ)
		mvmm_inject_irq(m->vcpu, IRQ_VECTOR);
	run->retire = run->insn_len;
	return true;
}

static int run(struct machine *m)
{
	struct mvmm_run *run = m->run;
	struct mvmm_guest guest = {
		.vcpu = m->vcpu, .run = run, .memory = memory, .port = port,
		.mmio = mmio, .ctx = m, .cache = m->private,
		.ram = m->mem, .ram_size = MEM_SIZE };
	int ret;

	for (m->done = false; !m->done; ) {
		ret = mvmm_run(m->vcpu);
		if (ret == -EINTR)
			continue;
		if (ret)
			return ret;
		switch (run->exit_reason) {
		case MVMM_EXIT_IO:
			if (complete_io(m, run))
				break;
			ret = mvmm_complete(&guest);
			break;
		case MVMM_EXIT_HLT:
			run->retire = run->insn_len;
			break;
		default:
			ret = mvmm_complete(&guest);
		}
		if (ret)
			return ret;
	}
	run->retire = 0;
	return 0;
}

static struct mvmm_sregs sregs;

static int get_state(struct machine *m)
{
	return mvmm_get_sregs(m->vcpu, &sregs);
}

static int set_state(struct machine *m)
{
	return mvmm_set_sregs(m->vcpu, &sregs);
}

/* The module has no doorbells in memory: there mmio() signals */
static int doorbell(struct machine *m, uint64_t gpa, uint16_t port, int fd)
{
	if (!gpa)
		return mvmm_ioeventfd(m->vm, port, 1, fd, 0, 0);
	m->doorbell_fd = fd;
	return 0;
}

static int message(struct machine *m, int vector, int fd)
{
	return mvmm_irqfd(m->vm, fd, 0, 0xfee00000, vector);
}

const struct monitor mvmm_monitor = {
	.name = "mvmm",
	.open = open_mvmm,
	.create_vm = create_vm,
	.create_vcpu = create_vcpu,
	.map = map,
	.unmap = unmap,
	.map_logged = map_logged,
	.get_log = get_log,
	.prepare = prepare,
	.release = release,
	.make_runnable = make_runnable,
	.start = start,
	.run = run,
	.get_state = get_state,
	.set_state = set_state,
	.doorbell = doorbell,
	.message = message,
};
