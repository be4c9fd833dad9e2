// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's state goes through userspace at arbitrary exits: save it, make a new
 * VM on the same memory, restore it, go on. The guest must not notice. The VM
 * has no local APICs, and the default CPUID.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

static const uint32_t msr_list[] = {
	0x10, 0x174, 0x175, 0x176, 0x1a0, 0x277, 0xc0000080, 0xc0000081,
	0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
};
#define NR_MSRS (sizeof(msr_list) / sizeof(msr_list[0]))

struct snapshot {
	struct mvmm_regs regs;
	uint8_t retire, set_cr;
	uint64_t cr_value;
	struct mvmm_sregs sregs;
	struct mvmm_dregs dregs;
	struct mvmm_events events;
	struct mvmm_msr msrs[NR_MSRS];
	uint8_t xsave[4096];
};

static int save(struct vm *vm, struct snapshot *s)
{
	unsigned int i;
	int ret;

	memset(s, 0, sizeof(*s));
	s->regs = vm->run->regs;
	s->retire = vm->run->retire;
	s->set_cr = vm->run->set_cr;
	s->cr_value = vm->run->cr_value;
	ret = mvmm_get_sregs(vm->vcpu, &s->sregs);
	if (!ret)
		ret = mvmm_get_dregs(vm->vcpu, &s->dregs);
	if (!ret)
		ret = mvmm_get_events(vm->vcpu, &s->events);
	if (!ret)
		ret = mvmm_get_xsave(vm->vcpu, s->xsave, sizeof(s->xsave));
	for (i = 0; i < NR_MSRS; i++)
		s->msrs[i].index = msr_list[i];
	if (!ret && mvmm_get_msrs(vm->vcpu, s->msrs, NR_MSRS) != NR_MSRS)
		ret = -EPROTO;
	return ret;
}

static int restore(struct vm *vm, struct snapshot *s)
{
	int ret = mvmm_set_sregs(vm->vcpu, &s->sregs);

	vm->run->regs = s->regs;
	vm->run->retire = s->retire;
	vm->run->set_cr = s->set_cr;
	vm->run->cr_value = s->cr_value;
	if (!ret)
		ret = mvmm_set_dregs(vm->vcpu, &s->dregs);
	if (!ret)
		ret = mvmm_set_events(vm->vcpu, &s->events);
	if (!ret)
		ret = mvmm_set_xsave(vm->vcpu, s->xsave, sizeof(s->xsave));
	if (!ret && mvmm_set_msrs(vm->vcpu, s->msrs, NR_MSRS) != NR_MSRS)
		ret = -EPROTO;
	return ret;
}

/* Makes a new VM and vCPU on the same memory, with the same state */
static int renew(struct vm *vm)
{
	struct snapshot s;
	int ret = save(vm, &s);

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
	return ret ? ret : restore(vm, &s);
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

/* GET returns what SET was given, field by field */
TEST(get_returns_what_was_set)
{
	static struct snapshot a, b;
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
	a.msrs[8].value = 0xffffffff80001000;
	ASSERT_EQ(0, restore(&vm, &a));
	ASSERT_EQ(0, save(&vm, &b));
	/* The TSC goes on */
	b.msrs[0].value = a.msrs[0].value;
	EXPECT_EQ(0, memcmp(&a.sregs.es, &b.sregs.es,
			    4 * sizeof(struct mvmm_segment)));
	EXPECT_EQ(a.sregs.fs.limit, b.sregs.fs.limit);
	EXPECT_EQ(0, b.sregs.ldt.attr & 0x80);
	EXPECT_EQ(0, memcmp(&a.sregs.gdt, &b.sregs.gdt,
			    sizeof(a.sregs) - offsetof(struct mvmm_sregs, gdt)));
	EXPECT_EQ(0, memcmp(&a.dregs, &b.dregs, sizeof(a.dregs)));
	EXPECT_EQ(0, memcmp(&a.events, &b.events, sizeof(a.events)));
	EXPECT_EQ(0, memcmp(a.msrs, b.msrs, sizeof(a.msrs)));
	EXPECT_EQ(0, memcmp(a.xsave, b.xsave, sizeof(a.xsave)));
	vm_destroy(&vm);
}

TEST_HARNESS_MAIN
