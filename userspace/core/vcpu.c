// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU and its thread, which repeats: RUN; complete the exit; on vCPU 0,
 * offer the PIC's next interrupt. A halted vCPU needs no CPU: with local APICs
 * it waits inside RUN, without them on m->wake. Exits of different vCPUs are
 * completed at the same time; a device that they meet at has a lock.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/guard.h"
#include "core/machine.h"

#define RFLAGS_IF (1u << 9)

static void *guest_memory(void *ctx, uint64_t gpa, uint64_t len,
			  uint32_t access)
{
	struct vcpu *v = ctx;

	return memory_at(&v->machine->memory, gpa, len, access);
}

static void guest_port(void *ctx, uint16_t port, void *data, unsigned int size,
		       bool write)
{
	struct vcpu *v = ctx;

	bus_access(&v->machine->ports, port, data, size, write);
}

/*
 * Registers have 32 bits and are 16 bytes apart. Other accesses are undefined
 * (SDM vol. 3, 11.4.1): here a part of a register can be read but not written.
 */
static void apic_access(struct vcpu *v, uint16_t offset, void *data,
			unsigned int size, bool write)
{
	unsigned int part = offset & 15;
	uint32_t value = 0;
	int ret;

	if (!write)
		memset(data, 0xff, size);
	if (part + size > sizeof(value) || (write && size != sizeof(value)))
		return;
	if (write)
		memcpy(&value, data, size);
	ret = mvmm_apic_access(v->fd, offset - part, &value, write);
	if (ret)
		machine_end(v->machine, STATUS_VM,
			    "vCPU %u's local APIC refused an access at 0x%x: %s",
			    v->id, offset, strerror(-ret));
	else if (!write)
		memcpy(data, (uint8_t *)&value + part, size);
}

static void guest_mmio(void *ctx, uint64_t gpa, void *data, unsigned int size,
		       bool write)
{
	struct vcpu *v = ctx;

	/* Each vCPU finds its own local APIC at this address */
	if (v->machine->apic && gpa - LAPIC_BASE < 4096)
		apic_access(v, gpa - LAPIC_BASE, data, size, write);
	else
		bus_access(&v->machine->mmio, gpa, data, size, write);
}

int vcpu_create(struct machine *m, unsigned int id, struct error *error)
{
	struct vcpu *v = &m->vcpu[id];
	uint64_t size = m->memory.block[0].size;
	/* What is not always where it is */
	uint64_t skip = !m->memory.shadow.rom ? 0 :
			size < SHADOW_SIZE + A20_WRAP ? size :
			SHADOW_SIZE + A20_WRAP;
	int ret;

	v->machine = m;
	v->id = id;
	v->fd = mvmm_create_vcpu(m->vm, id);
	ret = v->fd < 0 ? v->fd : mvmm_map_run(v->fd, &v->run);
	if (ret)
		return fail(error, STATUS_OS, "cannot make vCPU %u: %s", id,
			    strerror(-ret));
	/* If there is no memory for a cache, each access is decoded */
	v->guest = (struct mvmm_guest){
		.vcpu = v->fd, .run = v->run, .memory = guest_memory,
		.port = guest_port, .mmio = guest_mmio, .ctx = v,
		.cache = mvmm_decode_cache_new(),
		.ram = m->memory.block[0].host + skip,
		.ram_gpa = m->memory.block[0].gpa + skip,
		.ram_size = size - skip };
	return 0;
}

void vcpu_destroy(struct vcpu *v)
{
	mvmm_decode_cache_free(v->guest.cache);
	v->guest.cache = NULL;
	if (v->run)
		munmap(v->run, sysconf(_SC_PAGESIZE));
	v->run = NULL;
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}

/*
 * Only vCPU 0 is connected to the PIC; irqs.lock is held. Returns whether RUN has
 * an interrupt to deliver.
 */
static bool offer_interrupt(struct vcpu *v)
{
	struct mvmm_run *run = v->run;
	struct machine *m = v->machine;
	struct pic *pic = &m->irqs.pic;
	bool open = run->can_inject ||
		    (run->exit_reason == MVMM_EXIT_HLT &&
		     run->regs.rflags & RFLAGS_IF && !run->irq_pending);
	int ret;

	run->irq_window = 0;
	if (!pic_pending(&m->irqs))
		return run->irq_pending;
	/* Acknowledge only when the guest can take it: priorities may change */
	if (!open) {
		run->irq_window = 1;
		return run->irq_pending;
	}
	/*
	 * Do not go by run->extint: it is older than the completion of this
	 * exit. While LINT0 is closed there is no window: it opens with it.
	 */
	ret = mvmm_inject_irq(v->fd, pic->ack(pic->device));
	if (ret == -EAGAIN) {
		pic->put_back(pic->device);
		run->irq_window = 1;
		return run->irq_pending;
	}
	if (ret)
		machine_end(m, STATUS_VM, "an interrupt was refused: %s",
			    strerror(-ret));
	/* Only after the acknowledge does the chip show whether more wait */
	run->irq_window = pic_pending(&m->irqs);
	return true;
}

/* Retires the HLT when there is an interrupt to wake up for */
static void halt(struct vcpu *v)
{
	struct machine *m = v->machine;
	bool woken;

	if (!(v->run->regs.rflags & RFLAGS_IF)) {
		machine_end(m, 0, "the guest halted for good");
		return;
	}
	pthread_mutex_lock(&m->irqs.lock);
	while (!(woken = offer_interrupt(v)) && !machine_ended(m) &&
	       !machine_pausing(m))
		pthread_cond_wait(&m->wake, &m->irqs.lock);
	pthread_mutex_unlock(&m->irqs.lock);
	/* Paused: the guest executes it once more */
	if (woken)
		v->run->retire = v->run->insn_len;
}

static void describe_fault(struct vcpu *v)
{
	const struct mvmm_run *run = v->run;

	machine_end(v->machine, STATUS_VM,
		    "the guest's memory at 0x%llx cannot be had: %s",
		    (unsigned long long)run->fault.gpa,
		    run->fault.error == EROFS ?
		    "the guest has page tables in ROM, which the CPU writes to: they have to be in RAM" :
		    strerror(run->fault.error));
}

/*
 * A device was touched by something that libmvmm cannot complete. A program in
 * the guest that does so gets #UD, and cannot end the VM; its kernel can.
 */
static int refuse_mmio(struct vcpu *v)
{
	const struct mvmm_run *run = v->run;
	struct machine *m = v->machine;
	char text[128];

	if (run->exit_flags & MVMM_EXIT_FLAG_IN_DELIVERY) {
		machine_end(m, STATUS_VM,
			    "an exception or interrupt of the guest touched the device address 0x%llx: its descriptor tables or its stack are not in memory; rip 0x%llx",
			    (unsigned long long)run->mmio.gpa,
			    (unsigned long long)run->regs.rip);
		return 0;
	}
	if (run->paging.cpl == 3)
		return mvmm_inject_exception(v->fd, 6, false, 0, 0);
	mvmm_describe_insn(&v->guest, text, sizeof(text));
	machine_end(m, STATUS_VM,
		    "the guest touched the device address 0x%llx with an instruction that mvmm does not know, at rip 0x%llx: %s",
		    (unsigned long long)run->mmio.gpa,
		    (unsigned long long)run->regs.rip, text);
	return 0;
}

static void complete(struct vcpu *v)
{
	const struct mvmm_run *run = v->run;
	struct machine *m = v->machine;
	int ret = mvmm_complete(&v->guest);

	if (ret == -ENOTSUP && run->exit_reason == MVMM_EXIT_MMIO)
		ret = refuse_mmio(v);
	else if (ret == -ENOTSUP && run->paging.cpl == 3)
		/* A program has changed the instruction since the exit */
		ret = mvmm_inject_exception(v->fd, 6, false, 0, 0);
	if (ret)
		machine_end(m, STATUS_VM, "%s could not be completed: %s",
			    mvmm_exit_name(run->exit_reason), strerror(-ret));
}

/* Of a PC its CPU is reset then; of one that only mvmm has booted it is the end */
static void shut_down(struct vcpu *v)
{
	struct machine *m = v->machine;

	if (!m->config.reset) {
		machine_end(m, STATUS_TRIPLE_FAULT,
			    "the guest died of a triple fault at rip 0x%llx",
			    (unsigned long long)v->run->regs.rip);
		return;
	}
	pthread_mutex_lock(&m->loop.lock);
	machine_reset(m, RESET_CPUS);
	pthread_mutex_unlock(&m->loop.lock);
}

/* evening 5: a vCPU's thread: why the guest stands, and what is done */
static void handle_exit(struct vcpu *v)
{
	const struct mvmm_run *run = v->run;
	struct machine *m = v->machine;

	switch (run->exit_reason) {
	case MVMM_EXIT_IO:
	case MVMM_EXIT_MMIO:
	case MVMM_EXIT_CR:
	case MVMM_EXIT_TASK_SWITCH:
		complete(v);
		break;
	case MVMM_EXIT_HLT:
		halt(v);
		return;
	case MVMM_EXIT_EOI:
		pthread_mutex_lock(&m->irqs.lock);
		m->irqs.ioapic.eoi(m->irqs.ioapic.device, run->eoi.vector);
		pthread_mutex_unlock(&m->irqs.lock);
		break;
	case MVMM_EXIT_INTR:
	case MVMM_EXIT_IRQ_WINDOW:
		break;
	case MVMM_EXIT_SHUTDOWN:
		shut_down(v);
		return;
	case MVMM_EXIT_MEMORY_FAULT:
		if (run->fault.error != EHWPOISON || !m->config.machine_check ||
		    m->config.machine_check(v, true))
			describe_fault(v);
		break;
	case MVMM_EXIT_ENTRY_FAILED:
		machine_end(m, STATUS_VM,
			    "the CPU refused the guest's state at rip 0x%llx (reason %u, error %u): dmesg has the whole of it",
			    (unsigned long long)run->regs.rip,
			    run->entry.hw_reason, run->entry.hw_error);
		break;
	default:
		machine_end(m, STATUS_VM, "%s: %.112s",
			    mvmm_exit_name(run->exit_reason), run->error.text);
		break;
	}
	if (v->id)
		return;
	pthread_mutex_lock(&m->irqs.lock);
	offer_interrupt(v);
	pthread_mutex_unlock(&m->irqs.lock);
}

/* Until the machine is resumed, or ends */
static void stand(struct machine *m)
{
	pthread_mutex_lock(&m->loop.lock);
	m->standing++;
	pthread_cond_signal(&m->stands);
	while (machine_pausing(m) && !machine_ended(m))
		pthread_cond_wait(&m->goes, &m->loop.lock);
	m->standing--;
	pthread_mutex_unlock(&m->loop.lock);
}

void *vcpu_main(void *ctx)
{
	struct vcpu *v = ctx;
	struct machine *m = v->machine;
	int ret;

	/* Not before all threads are started: see machine_run() */
	pthread_mutex_lock(&m->irqs.lock);
	pthread_mutex_unlock(&m->irqs.lock);
	while (!machine_ended(m)) {
		if (machine_pausing(m)) {
			stand(m);
			continue;
		}
		if (__atomic_load_n(&v->check_due, __ATOMIC_ACQUIRE)) {
			__atomic_store_n(&v->check_due, false, __ATOMIC_RELAXED);
			if (m->config.machine_check(v, false) == -EBUSY)
				__atomic_store_n(&v->check_due, true,
						 __ATOMIC_RELAXED);
		}
		guard_in_run = 1;
		ret = mvmm_run(v->fd);
		guard_in_run = 0;
		if (m->config.after_run)
			m->config.after_run(m->config.after_run_ctx, v);
		if (ret && ret != -EINTR)
			machine_end(m, STATUS_VM, "RUN of vCPU %u failed: %s",
				    v->id, strerror(-ret));
		else if (!machine_ended(m))
			handle_exit(v);
	}
	pthread_mutex_lock(&m->loop.lock);
	m->running--;
	pthread_cond_signal(&m->stands);
	pthread_mutex_unlock(&m->loop.lock);
	return NULL;
}
