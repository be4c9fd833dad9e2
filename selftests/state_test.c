// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's state goes through userspace at arbitrary exits: save it, make a new
 * VM on the same memory, restore it, go on. The guest must not notice.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

static int save(struct vm *vm, struct mvmm_vcpu_state *s)
{
	return mvmm_save_vcpu(vm->vcpu, vm->run, s);
}

static int restore(struct vm *vm, struct mvmm_vcpu_state *s)
{
	return mvmm_load_vcpu(vm->vcpu, vm->run, s);
}

/* Makes a new VM and vCPU on the same memory, with the same state */
static int renew(struct vm *vm)
{
	static struct mvmm_vcpu_state s;
	struct mvmm_clock clock;
	int ret = save(vm, &s);

	if (!ret)
		ret = mvmm_get_clock(vm->vm, &clock);

	if (ret)
		return ret;
	munmap(vm->run, 4096);
	close(vm->vcpu);
	close(vm->vm);
	vm->vm = mvmm_create_vm(vm->system);
	if (vm->vm < 0)
		return vm->vm;
	ret = mvmm_add_region(vm->vm, 0, MEM_SIZE, vm->mem, 0);
	if (ret)
		return ret;
	vm->vcpu = mvmm_create_vcpu(vm->vm, 0);
	if (vm->vcpu < 0)
		return vm->vcpu;
	ret = mvmm_map_run(vm->vcpu, &vm->run);
	vm->guest.vcpu = vm->vcpu;
	vm->guest.run = vm->run;
	if (!ret)
		ret = restore(vm, &s);
	return ret ? ret : mvmm_set_clock(vm->vm, &clock);
}

/*
 * r8 becomes a sum of what a snapshot must keep: SSE, x87, MSRs, segments,
 * debug registers, values read from ports, interrupts; in 40 rounds.
 */
GUEST(mixer,
      "mov %cr4, %rax\n or $0x600, %rax\n mov %rax, %cr4\n"
      "fninit\n fld1\n"
      "mov $0xc0000102, %ecx\n mov $0x1234, %eax\n xor %edx, %edx\n wrmsr\n"
      "mov $0xc0000084, %ecx\n mov $0x77, %eax\n wrmsr\n"
      "mov $0x175, %ecx\n mov $0x9999, %eax\n wrmsr\n"
      "mov $0xabcdef, %eax\n mov %rax, %dr1\n mov %rax, %cr2\n"
      "mov $5, %eax\n mov %rax, %cr8\n"
      "mov $40, %r9d\n xor %r8d, %r8d\n movq %r9, %xmm7\n sti\n"
      "1:\n"
      "out %al, $0x80\n"
      "cpuid\n"
      "paddq %xmm7, %xmm7\n movq %xmm7, %rax\n add %rax, %r8\n rol $7, %r8\n"
      "fld1\n faddp\n fistl 0x100000\n add 0x100000, %r8\n"
      "mov $0x70, %dx\n in %dx, %al\n movzbl %al, %eax\n add %rax, %r8\n"
      "mov $0xc0000102, %ecx\n rdmsr\n add %rax, %r8\n inc %eax\n wrmsr\n"
      "mov $0xc0000084, %ecx\n rdmsr\n add %rax, %r8\n"
      "mov $0x175, %ecx\n rdmsr\n add %rax, %r8\n"
      "mov %dr1, %rax\n add %rax, %r8\n inc %rax\n mov %rax, %dr1\n"
      "mov %cr2, %rax\n add %rax, %r8\n"
      "mov %cr8, %rax\n add %rax, %r8\n"
      "mov %ds, %eax\n add %rax, %r8\n"
      "push %r8\n popfq\n pushfq\n pop %rax\n and $0xcd5, %eax\n"
      "add %rax, %r8\n push $0x202\n popfq\n"
      "add 0x35000, %r8\n"
      "mov $0x10000000, %rbx\n mov %r8d, (%rbx)\n addl $3, (%rbx)\n"
      "rol $3, %r8\n"
      "dec %r9\n jnz 1b\n"
      "cli\n hlt\n");

/* Renews the VM at every @every-th exit; 0: never. Returns r8 */
static uint64_t mix(struct __test_metadata *_metadata, unsigned int every,
		    unsigned int *exits)
{
	uint64_t result;
	unsigned int n = 0;
	struct vm vm;
	int ret;

	ASSERT_EQ(0, vm_create(&vm));
	ASSERT_EQ(0, vm_set_mode(&vm, LONG64));
	LOAD(&vm, mixer);
	vm.io_value = 0;
	for (;;) {
		ret = vm_run(&vm);
		ASSERT_EQ(0, ret);
		if (vm.run->exit_reason == MVMM_EXIT_HLT)
			break;
		n++;
		/* Renewed before the exit is completed: it comes again */
		if (every && n % every == 0) {
			ASSERT_EQ(0, renew(&vm));
			ASSERT_EQ(0, vm_run(&vm));
		}
		ASSERT_EQ(0, mvmm_complete(&vm.guest));
		/* Sometimes an interrupt, when the guest can take it at once */
		if (n % 7 == 3 && vm.run->can_inject)
			ASSERT_EQ(0, mvmm_inject_irq(vm.vcpu, 0x50));
		/* Renewed after it: @retire and the interrupt still wait */
		if (every && n % every == every / 2)
			ASSERT_EQ(0, renew(&vm));
	}
	result = vm.run->regs.r8;
	if (exits)
		*exits = n;
	vm_destroy(&vm);
	return result;
}

TEST(round_trips)
{
	unsigned int exits;
	uint64_t expected = mix(_metadata, 0, &exits);

	EXPECT_LT(150, exits);
	EXPECT_EQ(expected, mix(_metadata, 0, NULL));
	EXPECT_EQ(expected, mix(_metadata, 1, NULL));
	EXPECT_EQ(expected, mix(_metadata, 2, NULL));
	EXPECT_EQ(expected, mix(_metadata, 13, NULL));
}

/* Where the list has an MSR; the last entry, which is not used: nowhere */
static unsigned int find(const struct mvmm_vcpu_state *s, uint32_t index)
{
	unsigned int i;

	for (i = 0; i < s->nr_msrs; i++)
		if (s->msr[i].index == index)
			return i;
	return ARRAY_SIZE(s->msr) - 1;
}

/* GET returns what SET was given, field by field */
TEST(get_returns_what_was_set)
{
	static struct mvmm_vcpu_state a, b;
	struct vm vm;

	ASSERT_EQ(0, vm_create(&vm));
	ASSERT_EQ(0, vm_set_mode(&vm, LONG64));
	ASSERT_EQ(0, save(&vm, &a));
	a.sregs.cr2 = 0x1111;
	a.sregs.cr8 = 3;
	a.sregs.fs.base = 0x123456789;
	a.sregs.fs.limit = 0xfffff;
	a.sregs.ldt.attr = 0;
	a.sregs.gdt.limit = 0x37;
	a.sregs.idt.base = 0x9000;
	a.dregs.dr[3] = 0x4242;
	a.dregs.dr7 = 0x455;
	a.events.shadow = MVMM_SHADOW_MOV_SS;
	a.events.nmi_pending = 1;
	a.msr[find(&a, 0xc0000082)].value = 0xffffffff80001000;
	a.msr[find(&a, 0x3b)].value = 0x123456;
	ASSERT_EQ(0, restore(&vm, &a));
	ASSERT_EQ(0, save(&vm, &b));
	EXPECT_EQ(0, memcmp(&a.sregs.es, &b.sregs.es,
			    4 * sizeof(struct mvmm_segment)));
	EXPECT_EQ(a.sregs.fs.limit, b.sregs.fs.limit);
	EXPECT_EQ(0, b.sregs.ldt.attr & 0x80);
	EXPECT_EQ(0, memcmp(&a.sregs.gdt, &b.sregs.gdt,
			    sizeof(a.sregs) - offsetof(struct mvmm_sregs, gdt)));
	EXPECT_EQ(0, memcmp(&a.dregs, &b.dregs, sizeof(a.dregs)));
	EXPECT_EQ(0, memcmp(&a.events, &b.events, sizeof(a.events)));
	EXPECT_EQ(a.nr_msrs, b.nr_msrs);
	EXPECT_EQ(0, memcmp(a.msr, b.msr, sizeof(a.msr)));
	EXPECT_EQ(0, memcmp(a.cpuid, b.cpuid, sizeof(a.cpuid)));
	EXPECT_EQ(0, memcmp(a.xsave, b.xsave, sizeof(a.xsave)));
	vm_destroy(&vm);
}

/* ---- with local APICs --------------------------------------------------- */

FIXTURE(state) {
	struct vm vm;
	struct mvmm_vcpu_state s;
};

FIXTURE_SETUP(state)
{
	ASSERT_EQ(0, vm_create_flags(&self->vm, MVMM_VM_APIC));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
}

FIXTURE_TEARDOWN(state)
{
	vm_destroy(&self->vm);
}

TEST_F(state, msr_list)
{
	static const uint32_t all[] = {
		0x3b, 0x174, 0x175, 0x176, 0x1a0, 0x277, 0xc0000081, 0xc0000082,
		0xc0000083, 0xc0000084, 0xc0000102 };
	static const uint32_t pv[] = { 0x4b564d00, 0x4b564d01, 0x4b564d03 };
	/* In other structs: TSC, APIC base, deadline, EFER, FS base; constants */
	static const uint32_t others[] = { 0x10, 0x1b, 0x6e0, 0xc0000080,
					   0xc0000100, 0x8b, 0x80f };
	struct mvmm_msr m[64];
	unsigned int i;
	int n = mvmm_get_msr_list(self->vm.vcpu, m, ARRAY_SIZE(m));

	ASSERT_LT(0, n);
	EXPECT_EQ(n, mvmm_get_msr_list(self->vm.vcpu, m, n));
	EXPECT_EQ(-ENOSPC, mvmm_get_msr_list(self->vm.vcpu, m, n - 1));
	EXPECT_EQ(-ENOSPC, mvmm_get_msr_list(self->vm.vcpu, NULL, 0));
	EXPECT_EQ(-EFAULT, mvmm_get_msr_list(self->vm.vcpu, (void *)8, n));
	/* All can be read, and set to what was read */
	EXPECT_EQ(n, mvmm_get_msrs(self->vm.vcpu, m, n));
	EXPECT_EQ(n, mvmm_set_msrs(self->vm.vcpu, m, n));
	ASSERT_EQ(0, save(&self->vm, &self->s));
	for (i = 0; i < ARRAY_SIZE(all); i++)
		EXPECT_NE(ARRAY_SIZE(m) - 1, find(&self->s, all[i]));
	for (i = 0; i < ARRAY_SIZE(pv) && !built_without("pv"); i++)
		EXPECT_NE(ARRAY_SIZE(m) - 1, find(&self->s, pv[i]));
	for (i = 0; i < ARRAY_SIZE(others); i++)
		EXPECT_EQ(ARRAY_SIZE(m) - 1, find(&self->s, others[i]));
}

/* What others have sent is in the state, whatever is asked for first */
TEST_F(state, the_inbox)
{
	struct mvmm_events ev;
	struct mvmm_apic apic;

	/* NMI and a vector, by messages; a software-enabled APIC takes it */
	ASSERT_EQ(0, mvmm_get_apic(self->vm.vcpu, &apic));
	apic.regs[0xf0 / 4] = 0x1ff;
	ASSERT_EQ(0, mvmm_set_apic(self->vm.vcpu, &apic));
	ASSERT_EQ(1, mvmm_msi(self->vm.vm, 0xfee00000, 0x400));
	ASSERT_EQ(1, mvmm_msi(self->vm.vm, 0xfee00000, 0x55));
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &ev));
	EXPECT_EQ(1, ev.nmi_pending);
	ASSERT_EQ(0, mvmm_get_apic(self->vm.vcpu, &apic));
	EXPECT_EQ(1u << (0x55 & 31), apic.regs[(0x200 + 0x55 / 32 * 16) / 4]);
	/* Two NMIs at once are two, three are not three */
	ev.nmi_pending = 0;
	ASSERT_EQ(0, mvmm_set_events(self->vm.vcpu, &ev));
	ASSERT_EQ(1, mvmm_msi(self->vm.vm, 0xfee00000, 0x400));
	ASSERT_EQ(1, mvmm_msi(self->vm.vm, 0xfee00000, 0x400));
	ASSERT_EQ(1, mvmm_msi(self->vm.vm, 0xfee00000, 0x400));
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &ev));
	EXPECT_EQ(2, ev.nmi_pending);
}

/* An INIT that has come is done, and the whole vCPU is as after it */
TEST_F(state, init)
{
	ASSERT_EQ(0, mvmm_inject_nmi(self->vm.vcpu));
	ASSERT_EQ(1, mvmm_msi(self->vm.vm, 0xfee00000, 0x4500));
	ASSERT_EQ(0, save(&self->vm, &self->s));
	EXPECT_EQ(0xfff0, self->s.regs.rip);
	EXPECT_EQ(0, self->s.sregs.efer);
	EXPECT_EQ(0, self->s.events.nmi_pending);
	/* It is the one that boots */
	EXPECT_EQ(MVMM_MP_RUNNABLE, self->s.apic.mp_state);
	/* A MOV to CR0 that was completed before is gone: RUN takes the page */
	self->vm.run->retire = 3;
	self->vm.run->set_cr = MVMM_SET_CR0;
	ASSERT_EQ(1, mvmm_msi(self->vm.vm, 0xfee00000, 0x4500));
	ASSERT_EQ(0, save(&self->vm, &self->s));
	EXPECT_EQ(0, self->vm.run->retire);
	EXPECT_EQ(0, self->vm.run->set_cr);
	self->vm.run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, mvmm_run(self->vm.vcpu));
}

/* The end of a level-triggered interrupt that RUN has not reported yet */
TEST_F(state, pending_eoi)
{
	static const struct mvmm_vcpu_state none;
	uint32_t data = 0;

	ASSERT_EQ(0, save(&self->vm, &self->s));
	self->s.apic.regs[0xf0 / 4] = 0x1ff;
	self->s.apic.regs[(0x100 + 0x61 / 32 * 16) / 4] = 1u << (0x61 & 31);
	self->s.apic.regs[(0x180 + 0x61 / 32 * 16) / 4] = 1u << (0x61 & 31);
	ASSERT_EQ(0, restore(&self->vm, &self->s));
	ASSERT_EQ(0, mvmm_apic_access(self->vm.vcpu, 0xb0, &data, true));
	ASSERT_EQ(0, save(&self->vm, &self->s));
	EXPECT_EQ(1, self->s.events.eoi_pending);
	EXPECT_EQ(0x61, self->s.events.eoi_vector);
	/* Elsewhere */
	vm_destroy(&self->vm);
	ASSERT_EQ(0, vm_create_flags(&self->vm, MVMM_VM_APIC));
	ASSERT_EQ(0, restore(&self->vm, &self->s));
	/* In the other order, too */
	ASSERT_EQ(0, mvmm_set_apic(self->vm.vcpu, &self->s.apic));
	ASSERT_EQ(0, vm_run(&self->vm));
	EXPECT_EQ(MVMM_EXIT_EOI, self->vm.run->exit_reason);
	EXPECT_EQ(0x61, self->vm.run->eoi.vector);
	ASSERT_EQ(0, save(&self->vm, &self->s));
	EXPECT_EQ(0, self->s.events.eoi_pending);
	/* It can be taken away, and there is none without local APICs */
	self->s.events.eoi_pending = 1;
	ASSERT_EQ(0, restore(&self->vm, &self->s));
	self->s.events = none.events;
	ASSERT_EQ(0, restore(&self->vm, &self->s));
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &self->s.events));
	EXPECT_EQ(0, self->s.events.eoi_pending);
	vm_destroy(&self->vm);
	ASSERT_EQ(0, vm_create(&self->vm));
	self->s.events = none.events;
	self->s.events.eoi_pending = 1;
	EXPECT_EQ(-EINVAL, mvmm_set_events(self->vm.vcpu, &self->s.events));
}

TEST_F(state, pending_shutdown)
{
	ASSERT_EQ(0, save(&self->vm, &self->s));
	self->s.events.shutdown = 1;
	ASSERT_EQ(0, restore(&self->vm, &self->s));
	ASSERT_EQ(0, save(&self->vm, &self->s));
	EXPECT_EQ(1, self->s.events.shutdown);
	ASSERT_EQ(0, vm_run(&self->vm));
	EXPECT_EQ(MVMM_EXIT_SHUTDOWN, self->vm.run->exit_reason);
	ASSERT_EQ(0, save(&self->vm, &self->s));
	EXPECT_EQ(0, self->s.events.shutdown);
}

/* ---- MVMM_VCPU_RESET ------------------------------------------------------ */

FIXTURE(reset) {
	struct vm vm;
	struct mvmm_vcpu_state fresh, s;
	uint32_t exit;	/* the first of its code */
};

FIXTURE_VARIANT(reset) {
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(reset, with_apic) {
	.flags = MVMM_VM_APIC,
};

FIXTURE_VARIANT_ADD(reset, without_apic) {
	.flags = 0,
};

/* A guest that has changed all that it can, and is in the middle of an exit */
FIXTURE_SETUP(reset)
{
	struct mvmm_msr pv[] = { { .index = 0x4b564d01, .value = DATA | 1 },
				 { .index = 0x1b, .value = 0xfee00d00 },
				 { .index = 0x830, .value = 0x100 } };

	ASSERT_EQ(0, vm_create_flags(&self->vm, variant->flags));
	ASSERT_EQ(0, save(&self->vm, &self->fresh));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	LOAD(&self->vm, mixer);
	ASSERT_EQ(0, vm_run(&self->vm));
	self->exit = self->vm.run->exit_reason;
	ASSERT_EQ(0, mvmm_complete(&self->vm.guest));
	ASSERT_EQ(0, mvmm_inject_nmi(self->vm.vcpu));
	if (variant->flags) {
		ASSERT_LT(1, mvmm_set_msrs(self->vm.vcpu,
					   pv + built_without("pv"), 2));
		mvmm_msi(self->vm.vm, 0xfee00000, 0x400);
		mvmm_msi(self->vm.vm, 0xfee00000, 0x55);
	}
	ASSERT_EQ(0, save(&self->vm, &self->s));
	self->s.events.shutdown = 1;
	self->s.events.eoi_pending = variant->flags;
	self->s.events.eoi_vector = 0x61;
	self->s.msr[find(&self->s, 0x277)].value = 0x0606060606060606;
	self->s.msr[find(&self->s, 0x3b)].value = 12345;
	self->s.msr[find(&self->s, 0x1a0)].value = 0;
	ASSERT_EQ(0, restore(&self->vm, &self->s));
	EXPECT_EQ(1, self->vm.run->retire != 0);
}

FIXTURE_TEARDOWN(reset)
{
	vm_destroy(&self->vm);
}

#define SAME(field) \
	EXPECT_EQ(0, memcmp(&self->s.field, &self->fresh.field, \
			    sizeof(self->s.field)))

/* After RESET a vCPU is as a new one */
TEST_F(reset, as_new)
{
	if (variant->flags)
		mvmm_msi(self->vm.vm, 0xfee00000, 0x500);
	self->vm.run->set_cr = MVMM_SET_CR0;
	ASSERT_EQ(0, mvmm_reset(self->vm.vcpu, 0));
	EXPECT_EQ(0, self->vm.run->set_cr);
	ASSERT_EQ(0, save(&self->vm, &self->s));
	SAME(sregs);
	SAME(dregs);
	SAME(events);
	SAME(apic);
	SAME(msr);
	SAME(cpuid);
	SAME(xsave);
	SAME(regs);
	EXPECT_EQ(0, self->s.retire);
	/* And goes on from there */
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	ASSERT_EQ(0, vm_run(&self->vm));
	EXPECT_EQ(self->exit, self->vm.run->exit_reason);
}

/* INIT leaves the FPU, MSRs and XCR0 alone, and an EOI that is on its way */
TEST_F(reset, init)
{
	static struct mvmm_vcpu_state s;

	ASSERT_EQ(0, mvmm_reset(self->vm.vcpu, MVMM_RESET_INIT));
	ASSERT_EQ(0, save(&self->vm, &s));
	EXPECT_EQ(0, memcmp(self->s.msr, s.msr, sizeof(s.msr)));
	EXPECT_EQ(0, memcmp(self->s.xsave, s.xsave, sizeof(s.xsave)));
	EXPECT_EQ(self->s.apic.apic_base, s.apic.apic_base);
	EXPECT_EQ(variant->flags, s.events.eoi_pending);
	EXPECT_EQ(variant->flags ? 0x61 : 0, s.events.eoi_vector);
	s.events.eoi_pending = s.events.eoi_vector = 0;
	s.sregs.cr0 |= 0x60000000;
	s.sregs.xcr0 = self->fresh.sregs.xcr0;
	self->s.sregs = s.sregs;
	self->s.dregs = s.dregs;
	self->s.events = s.events;
	self->s.regs = s.regs;
	SAME(sregs);
	SAME(dregs);
	SAME(events);
	SAME(regs);
}

TEST_F(reset, errors)
{
	struct mvmm_reset how = { .size = sizeof(how) };
	struct mvmm_apic apic;
	int vcpu;

	for (how.flags = 2; how.flags; how.flags <<= 1)
		EXPECT_EQ(-EOPNOTSUPP, mvmm_reset(self->vm.vcpu, how.flags));
	if (!variant->flags)
		return;
	/* Another processor than the first waits for SIPI, from any state */
	vcpu = mvmm_create_vcpu(self->vm.vm, 1);
	ASSERT_LE(0, vcpu);
	ASSERT_EQ(0, mvmm_get_apic(vcpu, &apic));
	EXPECT_EQ(MVMM_MP_INIT, apic.mp_state);
	for (how.flags = 0; how.flags < 2; how.flags++) {
		apic.mp_state = MVMM_MP_HALTED;
		ASSERT_EQ(0, mvmm_set_apic(vcpu, &apic));
		/* INIT and SIPI that came before are lost */
		ASSERT_EQ(1, mvmm_msi(self->vm.vm, 0xfee01000, 0x4500));
		mvmm_msi(self->vm.vm, 0xfee01000, 0x610);
		ASSERT_EQ(0, mvmm_reset(vcpu, how.flags));
		ASSERT_EQ(0, mvmm_get_apic(vcpu, &apic));
		EXPECT_EQ(MVMM_MP_INIT, apic.mp_state);
	}
	close(vcpu);
}

TEST_HARNESS_MAIN
