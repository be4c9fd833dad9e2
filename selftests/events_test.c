// SPDX-License-Identifier: GPL-2.0
/* Events: injection, windows, shadows, NMIs, single-step, debug registers. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include "kselftest_harness.h"
#include "vm.h"

#define IF (1u << 9)
#define TF (1u << 8)

FIXTURE(events) {
	struct vm vm;
};

FIXTURE_SETUP(events)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
}

FIXTURE_TEARDOWN(events)
{
	vm_destroy(&self->vm);
}

GUEST(nops, "nop\n nop\n nop\n hlt");
TEST_F(events, interrupt)
{
	struct guest_events *seen = self->vm.events;

	LOAD(&self->vm, nops);
	self->vm.run->regs.rflags |= IF;
	ASSERT_EQ(0, mvmm_inject_irq(self->vm.vcpu, 0x41));
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	CHECK_VECTORS(&self->vm, 0x41);
	EXPECT_EQ(CODE, seen->ev[0].rip);
	EXPECT_EQ(0, self->vm.run->irq_pending);
	EXPECT_EQ(1, self->vm.run->can_inject);
}

/* An interrupt waits until STI, and one more instruction for its shadow */
GUEST(sti_shadow, "nop\n sti\n nop\n nop\n hlt");
TEST_F(events, interrupt_waits_for_sti_and_its_shadow)
{
	struct guest_events *seen = self->vm.events;

	LOAD(&self->vm, sti_shadow);
	ASSERT_EQ(0, mvmm_inject_irq(self->vm.vcpu, 0x42));
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(1, seen->n);
	EXPECT_EQ(CODE + 3, seen->ev[0].rip);
}

/* MOV SS holds everything off for one instruction */
GUEST(mov_ss, "mov %ss, %eax\n sti\n nop\n mov %eax, %ss\n cpuid\n nop\n hlt");
TEST_F(events, window_and_mov_ss_shadow)
{
	struct mvmm_events ev;

	LOAD(&self->vm, mov_ss);
	self->vm.run->irq_window = 1;
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_IRQ_WINDOW, self->vm.run->exit_reason);
	/* Right after the NOP that ends STI's shadow */
	EXPECT_EQ(CODE + 4, self->vm.run->regs.rip);
	EXPECT_EQ(1, self->vm.run->can_inject);
	self->vm.run->irq_window = 0;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &ev));
	EXPECT_EQ(0, ev.shadow);
}

/* A shadow is saved and restored; retiring the instruction ends it */
GUEST(sti_out, "sti\n out %al, $0x80\n nop\n hlt");
TEST_F(events, retire_ends_the_shadow)
{
	struct mvmm_events events;
	struct guest_events *seen = self->vm.events;

	LOAD(&self->vm, sti_out);
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_IO, self->vm.run->exit_reason);
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &events));
	EXPECT_EQ(MVMM_SHADOW_STI, events.shadow);
	EXPECT_EQ(0, self->vm.run->can_inject);
	ASSERT_EQ(0, mvmm_inject_irq(self->vm.vcpu, 0x43));
	self->vm.run->retire = self->vm.run->insn_len;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(1, seen->n);
	EXPECT_EQ(CODE + 3, seen->ev[0].rip);
}

static void on_alarm(int sig)
{
}

/*
 * If the host is interrupted before the instruction in it, a shadow stays. One alarm
 * for each RUN, at another moment of it each time: with more of them, RUN would never
 * end where a signal takes longer than their period.
 */
TEST_F(events, host_interrupts_leave_the_shadow)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval when = { 0 };
	volatile int wait;
	int i;

	LOAD(&self->vm, sti_out);
	sigaction(SIGALRM, &action, NULL);
	/* The same exit over and over: it is not completed */
	for (i = 0; i < 5000; i++) {
		when.it_value.tv_usec = 1 + i % 50;
		setitimer(ITIMER_REAL, &when, NULL);
		for (wait = i % 997; wait; wait--)
			;
		ASSERT_EQ(0, vm_run(&self->vm));
		ASSERT_EQ(MVMM_EXIT_IO, self->vm.run->exit_reason);
		ASSERT_EQ(0, self->vm.run->can_inject);
	}
}

TEST_F(events, nmi)
{
	struct mvmm_events events;
	struct guest_events *seen = self->vm.events;

	LOAD(&self->vm, nops);
	ASSERT_EQ(0, mvmm_inject_nmi(self->vm.vcpu));
	ASSERT_EQ(0, mvmm_inject_nmi(self->vm.vcpu));
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	/* The second waits until the handler's IRET */
	CHECK_VECTORS(&self->vm, 2, 2);
	EXPECT_EQ(CODE, seen->ev[1].rip);
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &events));
	EXPECT_EQ(0, events.nmi_masked);
	EXPECT_EQ(0, events.nmi_pending);
}

TEST_F(events, nmi_masked)
{
	struct mvmm_events events;

	LOAD(&self->vm, nops);
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &events));
	events.nmi_masked = 1;
	ASSERT_EQ(0, mvmm_set_events(self->vm.vcpu, &events));
	ASSERT_EQ(0, mvmm_inject_nmi(self->vm.vcpu));
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0, self->vm.events->n);
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &events));
	EXPECT_EQ(1, events.nmi_pending);
}

TEST_F(events, exception)
{
	struct mvmm_sregs s;
	struct guest_events *seen = self->vm.events;

	LOAD(&self->vm, nops);
	ASSERT_EQ(0, mvmm_inject_exception(self->vm.vcpu, 14, true, 2,
					   0x123456));
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	CHECK_VECTORS(&self->vm, 14);
	EXPECT_EQ(2, seen->ev[0].error_code);
	EXPECT_EQ(CODE, seen->ev[0].rip);
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
	EXPECT_EQ(0x123456, s.cr2);
}

/*
 * The delivery of an event faults because the stack is not mapped: the event is
 * delivered when the page is, neither lost nor twice.
 */
GUEST(sti_spin, "sti\n 1: testb $1, 0x100000\n jz 1b\n hlt");
TEST_F(events, delivery_that_faults)
{
	int i;

	LOAD(&self->vm, nops);
	self->vm.run->regs.rflags |= IF;
	for (i = 0; i < 5; i++) {
		vm_set_rip(&self->vm, CODE);
		ASSERT_EQ(0, mvmm_inject_irq(self->vm.vcpu, 0x50 + i));
		/* The page of the stack goes back to the host */
		ASSERT_EQ(0, madvise(self->vm.mem + STACK - 4096, 4096,
				     MADV_DONTNEED));
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	}
	CHECK_VECTORS(&self->vm, 0x50, 0x51, 0x52, 0x53, 0x54);
}

TEST_F(events, delivery_into_mmio)
{
	struct mvmm_events events;
	struct mvmm_sregs s;

	LOAD(&self->vm, nops);
	self->vm.run->regs.rflags |= IF;
	self->vm.run->regs.rsp = VOID + 4096;
	ASSERT_EQ(0, mvmm_inject_irq(self->vm.vcpu, 0x60));
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_MMIO, self->vm.run->exit_reason);
	EXPECT_EQ(MVMM_EXIT_FLAG_IN_DELIVERY, self->vm.run->exit_flags);
	EXPECT_EQ(-ENOTSUP, mvmm_complete_mmio(&self->vm.guest));
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &events));
	EXPECT_EQ(1, events.inflight);
	EXPECT_EQ(0x60, events.vector);
	EXPECT_EQ(MVMM_EVENT_IRQ, events.type);
	/* With a stack in memory it is delivered after all */
	self->vm.run->regs.rsp = STACK;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
	EXPECT_EQ(1, self->vm.events->n);
}

GUEST(soft_int, "int $0x70\n nop\n int3\n nop\n hlt");
TEST_F(events, software_interrupts_whose_delivery_faults)
{
	struct guest_events *seen = self->vm.events;

	LOAD(&self->vm, soft_int);
	ASSERT_EQ(0, madvise(self->vm.mem + STACK - 4096, 4096,
			     MADV_DONTNEED));
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	CHECK_VECTORS(&self->vm, 0x70, 3);
	EXPECT_EQ(CODE + 2, seen->ev[0].rip);
	EXPECT_EQ(CODE + 4, seen->ev[1].rip);
}

/*
 * Maps all pages that the payload and the handlers touch: Bochs raises one trap
 * too many when TF meets an EPT violation (errata.rst).
 */
static int warm_up(struct vm *vm)
{
	int ret;

	ret = mvmm_inject_nmi(vm->vcpu);
	if (!ret)
		ret = vm_run_to_exit(vm);
	vm_set_rip(vm, CODE);
	vm->events->n = 0;
	return ret;
}

/* With TF, instructions that exit trap after each of them, as on the CPU */
GUEST(step, "nop\n cpuid\n out %al, $0x80\n nop\n hlt");
TEST_F(events, single_step)
{
	static const uint64_t rips[] = { 1, 3, 5, 6 };
	struct guest_events *seen = self->vm.events;
	struct mvmm_dregs d;
	uint64_t i;

	if (vm_on_bochs_svm())
		SKIP(return, "Bochs' SVM takes the guest's trap to the host");
	LOAD(&self->vm, step);
	ASSERT_EQ(MVMM_EXIT_HLT, warm_up(&self->vm));
	self->vm.run->regs.rflags |= TF;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	CHECK_VECTORS(&self->vm, 1, 1, 1, 1);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(CODE + rips[i], seen->ev[i].rip);
	ASSERT_EQ(0, mvmm_get_dregs(self->vm.vcpu, &d));
	EXPECT_EQ(1u << 14, d.dr6 & 0x400f);
}

/* haxm issue 193: userspace sets TF in a shadow; the entry must not fail */
TEST_F(events, single_step_from_a_shadow)
{
	struct guest_events *seen = self->vm.events;

	if (vm_on_bochs_svm())
		SKIP(return, "Bochs' SVM takes the guest's trap to the host");
	LOAD(&self->vm, sti_out);
	ASSERT_EQ(MVMM_EXIT_HLT, warm_up(&self->vm));
	self->vm.run->regs.rflags &= ~IF;
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_IO, self->vm.run->exit_reason);
	self->vm.run->regs.rflags |= TF;
	/* First without @retire: the instruction exits again */
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_IO, self->vm.run->exit_reason);
	self->vm.run->retire = self->vm.run->insn_len;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	/*
	 * The first trap comes at once: with TF in a shadow the SDM (vol. 3,
	 * 27.3.1.5) demands a pending trap, as if TF had been set before STI.
	 */
	ASSERT_EQ(3, seen->n);
	EXPECT_EQ(1, seen->ev[0].vector);
	EXPECT_EQ(CODE + 1, seen->ev[0].rip);
	EXPECT_EQ(CODE + 3, seen->ev[1].rip);
	EXPECT_EQ(CODE + 4, seen->ev[2].rip);
}

GUEST(debug_regs, "mov $0x100000, %eax\n mov %rax, %dr0\n mov %dr0, %r8\n"
      "mov $0xd0003, %eax\n mov %rax, %dr7\n mov %dr7, %r9\n"
      /* a write watchpoint of 4 bytes */
      "movl $5, 0x100000\n"
      "mov %dr6, %r10\n xor %eax, %eax\n mov %rax, %dr7\n mov %rax, %dr6\n"
      "movl $6, 0x100000\n"
      "mov $1, %rax\n shl $32, %rax\n" FAULTS("mov %rax, %dr7")
      "hlt");
TEST_F(events, debug_registers)
{
	struct mvmm_regs *regs = &self->vm.run->regs;

	LOAD(&self->vm, debug_regs);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0x100000, regs->r8);
	EXPECT_EQ(0xd0403, regs->r9);
	EXPECT_EQ(1, regs->r10 & 0xf);
	CHECK_VECTORS(&self->vm, 1, 13);
}

/*
 * A machine check that userspace tells of. Out: r8: MCG_CAP; r9, r10, r11: status,
 * address and misc of the second bank; r12: MCG_STATUS; then they are cleared
 */
#define RDMSR(msr, to)							\
	"mov $" #msr ", %ecx\n rdmsr\n shl $32, %rdx\n or %rdx, %rax\n"	\
	"mov %rax, %" #to "\n"
#define CLEAR(msr) "mov $" #msr ", %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr\n"
GUEST(machine_check, "mov %cr4, %rax\n bts $6, %rax\n mov %rax, %cr4\n"
      RDMSR(0x179, r8) "hlt\n nop\n"
      RDMSR(0x405, r9) RDMSR(0x406, r10) RDMSR(0x407, r11) RDMSR(0x17a, r12)
      CLEAR(0x405) CLEAR(0x17a) "mov $0x405, %ecx\n mov $1, %eax\n" FAULTS("wrmsr")
      "hlt");
TEST_F(events, machine_check)
{
	/* Of an access to poisoned memory: valid, UC, EN, MISCV, ADDRV, S, AR */
	const struct mvmm_msr bank[] = {
		{ .index = 0x405, .value = 0xbd80000000000134 },
		{ .index = 0x406, .value = 0x123000 },
		{ .index = 0x407, .value = 0x8c },
		{ .index = 0x17a, .value = 7 },
	};
	struct mvmm_regs *regs = &self->vm.run->regs;
	struct mvmm_msr status = { .index = 0x405 }, global = { .index = 0x17a };
	struct mvmm_info info;

	NEEDS("mce");
	LOAD(&self->vm, machine_check);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	/* That software recovers AMD's CPUs say by CPUID */
	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	EXPECT_EQ(info.features & MVMM_FEATURE_VMX ? 0x1000102 : 0x102, regs->r8);
	ASSERT_EQ(4, mvmm_set_msrs(self->vm.vcpu, bank, 4));
	ASSERT_EQ(0, mvmm_inject_exception(self->vm.vcpu, 18, false, 0, 0));
	self->vm.run->retire = self->vm.run->insn_len;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	CHECK_VECTORS(&self->vm, 18, 13);
	EXPECT_EQ(bank[0].value, regs->r9);
	EXPECT_EQ(bank[1].value, regs->r10);
	EXPECT_EQ(bank[2].value, regs->r11);
	EXPECT_EQ(7, regs->r12);
	ASSERT_EQ(1, mvmm_get_msrs(self->vm.vcpu, &status, 1));
	ASSERT_EQ(1, mvmm_get_msrs(self->vm.vcpu, &global, 1));
	EXPECT_EQ(0, status.value | global.value);
}

TEST_HARNESS_MAIN
