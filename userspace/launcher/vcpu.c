// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU's thread: RUN, complete the exit, offer the next interrupt. While
 * the guest is halted it sleeps on m->wake, so an idle guest takes no CPU.
 */
#include <errno.h>
#include <string.h>
#include "launcher.h"

#define RFLAGS_IF (1u << 9)

/* Lock held. Returns whether RUN has something to deliver */
static bool offer_interrupt(struct machine *m)
{
	struct mvmm_run *run = m->run;
	bool open = run->can_inject ||
		    (run->exit_reason == MVMM_EXIT_HLT &&
		     run->regs.rflags & RFLAGS_IF && !run->irq_pending);
	int ret;

	run->irq_window = 0;
	if (!i8259_pending(&m->pic))
		return run->irq_pending;
	/* Not acknowledged before the guest can take it: priorities may change */
	if (!open) {
		run->irq_window = 1;
		return run->irq_pending;
	}
	ret = mvmm_inject_irq(m->vcpu, i8259_ack(&m->pic));
	if (ret)
		machine_end(m, STATUS_VM, "an interrupt was refused: %s",
			    strerror(-ret));
	/* More may wait behind it, which the chip tells only now */
	run->irq_window = i8259_pending(&m->pic);
	return true;
}

/* Lock held. The HLT is retired when there is something to wake up for */
static void halt(struct machine *m)
{
	if (!(m->run->regs.rflags & RFLAGS_IF)) {
		machine_end(m, 0, "%s", "");
		return;
	}
	while (!m->ended && !offer_interrupt(m))
		pthread_cond_wait(&m->wake, &m->lock);
	m->run->retire = m->run->insn_len;
}

static void describe_fault(struct machine *m)
{
	const struct mvmm_run *run = m->run;

	machine_end(m, STATUS_VM,
		    "the guest's memory at 0x%llx cannot be had: %s",
		    (unsigned long long)run->fault.gpa,
		    strerror(run->fault.error));
}

static void complete(struct machine *m, int ret)
{
	const struct mvmm_run *run = m->run;

	if (ret == -ENOTSUP && run->exit_reason == MVMM_EXIT_MMIO)
		machine_end(m, STATUS_VM,
			    "the guest touched the device address 0x%llx with an instruction that mvmm does not know, at rip 0x%llx",
			    (unsigned long long)run->mmio.gpa,
			    (unsigned long long)run->regs.rip);
	else if (ret)
		machine_end(m, STATUS_VM, "%s could not be completed: %s",
			    mvmm_exit_name(run->exit_reason), strerror(-ret));
}

/* Lock held */
static void handle_exit(struct machine *m)
{
	const struct mvmm_run *run = m->run;

	switch (run->exit_reason) {
	case MVMM_EXIT_IO:
	case MVMM_EXIT_MMIO:
	case MVMM_EXIT_CR:
		complete(m, mvmm_complete(&m->guest));
		break;
	case MVMM_EXIT_HLT:
		halt(m);
		return;
	case MVMM_EXIT_INTR:
	case MVMM_EXIT_IRQ_WINDOW:
		break;
	case MVMM_EXIT_SHUTDOWN:
		machine_end(m, STATUS_TRIPLE_FAULT,
			    "the guest died of a triple fault at rip 0x%llx",
			    (unsigned long long)run->regs.rip);
		break;
	case MVMM_EXIT_MEMORY_FAULT:
		describe_fault(m);
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
	offer_interrupt(m);
}

void *vcpu_main(void *ctx)
{
	struct machine *m = ctx;
	int ret;

	pthread_mutex_lock(&m->lock);
	while (!m->ended) {
		pthread_mutex_unlock(&m->lock);
		ret = mvmm_run(m->vcpu);
		pthread_mutex_lock(&m->lock);
		if (ret && ret != -EINTR)
			machine_end(m, STATUS_VM, "RUN failed: %s",
				    strerror(-ret));
		else if (!m->ended)
			handle_exit(m);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}
