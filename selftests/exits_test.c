// SPDX-License-Identifier: GPL-2.0
/*
 * Exits: port I/O, CPUID, MSRs, XCR0, HLT, kick, shutdown, failed entries, and a
 * run page that another thread overwrites.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

FIXTURE(exits) {
	struct vm vm;
};

FIXTURE_SETUP(exits)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
}

FIXTURE_TEARDOWN(exits)
{
	vm_destroy(&self->vm);
}

GUEST(ports, "mov $0x11223344, %eax\n mov $0x1234, %dx\n"
      "out %al, %dx\n out %ax, %dx\n out %eax, %dx\n out %al, $0x80\n"
      "mov $-1, %rax\n in %dx, %al\n mov %rax, %rbx\n"
      "mov $-1, %rax\n in %dx, %eax\n hlt");
TEST_F(exits, ports)
{
	static const struct { uint16_t port; uint8_t size; uint8_t flags; }
	expected[] = {
		{ 0x1234, 1, 0 }, { 0x1234, 2, 0 }, { 0x1234, 4, 0 },
		{ 0x80, 1, 0 }, { 0x1234, 1, MVMM_IO_IN },
		{ 0x1234, 4, MVMM_IO_IN } };
	struct mvmm_run *run = self->vm.run;
	unsigned int i;

	LOAD(&self->vm, ports);
	self->vm.io_value = 0x5566778899aabbcc;
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, vm_run(&self->vm));
		ASSERT_EQ(MVMM_EXIT_IO, run->exit_reason);
		EXPECT_EQ(expected[i].port, run->io.port);
		EXPECT_EQ(expected[i].size, run->io.size);
		EXPECT_EQ(expected[i].flags, run->io.flags);
		if (expected[i].flags)
			self->vm.io_value = 0x88c9babb;
		ASSERT_EQ(0, mvmm_complete_io(&self->vm.guest));
		if (i == 2)
			EXPECT_EQ(0x11223344, self->vm.io_value);
	}
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0xffffffffffffffbb, run->regs.rbx);
	EXPECT_EQ(0x88c9babb, run->regs.rax);
}

/* A spin exits only where another vCPU waits for the CPU, or the parameter is set */
GUEST(spin, "1: pause\n dec %rcx\n jnz 1b\n hlt");
TEST_F(exits, spin_alone)
{
	int exit_pause = module_has(MVMM_FEATURE_VMX) ? 40 : 0x77;
	struct mvmm_stats stats;

	NEEDS("slots");
	LOAD(&self->vm, spin);
	self->vm.run->regs.rcx = 100000;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(0, mvmm_get_stats(self->vm.vcpu, &stats));
	EXPECT_EQ(vmx_uses("ple"), stats.hw_exits[exit_pause] != 0);
}

GUEST(strings, "cld\n mov $0x100000, %rsi\n mov $5, %ecx\n mov $0xe9, %dx\n"
      "rep outsb\n"
      "mov $0x100100, %rdi\n mov $3, %ecx\n rep insw\n"
      "std\n mov $0x100004, %rsi\n mov $5, %ecx\n rep outsb\n"
      "cld\n xor %ecx, %ecx\n rep outsb\n"
      "mov $0x100000, %rsi\n outsb\n hlt");
TEST_F(exits, string_io)
{
	LOAD(&self->vm, strings);
	memcpy(self->vm.mem + DATA, "hello", 5);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(11, self->vm.io_log_len);
	EXPECT_EQ(0, memcmp(self->vm.io_log, "helloollehh", 11));
	/* INSW reads what was last written to the port: the 'o' */
	EXPECT_EQ(0, memcmp(self->vm.mem + DATA + 0x100, "o\0o\0o\0", 7));
	EXPECT_EQ(0x100001, self->vm.run->regs.rsi);
	EXPECT_EQ(0x100106, self->vm.run->regs.rdi);
	EXPECT_EQ(0, self->vm.run->regs.rcx);
}

GUEST(strings16, ".code16\n cld\n mov $0x2000, %ax\n mov %ax, %ds\n"
      "mov $0xfffe, %si\n mov $3, %cx\n mov $0xe9, %dx\n rep outsb\n hlt");
TEST_F(exits, string_io_wraps_in_real_mode)
{
	ASSERT_EQ(0, vm_set_mode(&self->vm, REAL16));
	LOAD(&self->vm, strings16);
	memcpy(self->vm.mem + 0x2fffe, "ab", 2);
	self->vm.mem[0x20000] = 'c';
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(3, self->vm.io_log_len);
	EXPECT_EQ(0, memcmp(self->vm.io_log, "abc", 3));
	EXPECT_EQ(1, self->vm.run->regs.rsi & 0xffff);
}

GUEST(do_cpuid, "cpuid\n hlt");
TEST_F(exits, cpuid)
{
	struct mvmm_cpuid_entry one = { .leaf = 0x1234, .eax = 1, .ebx = 2,
					.ecx = 3, .edx = 4 };
	uint32_t eax, ebx, ecx, edx;
	struct mvmm_regs *regs = &self->vm.run->regs;

	LOAD(&self->vm, do_cpuid);
	regs->rax = -1ull << 32;
	regs->rcx = -1ull << 32;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	__cpuid(0, eax, ebx, ecx, edx);
	EXPECT_EQ(ebx, regs->rbx);
	EXPECT_EQ(ecx, regs->rcx);
	EXPECT_EQ(edx, regs->rdx);
	EXPECT_GE(eax, regs->rax);
	vm_set_rip(&self->vm, CODE);
	regs->rax = 1;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_NE(0, regs->rcx & 1u << 31);
	EXPECT_EQ(0, regs->rcx & 1u << 5);
	/* With the table that userspace sets */
	ASSERT_EQ(0, mvmm_set_cpuid(self->vm.vcpu, &one, 1));
	vm_set_rip(&self->vm, CODE);
	regs->rax = 0x1234;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(1, regs->rax);
	EXPECT_EQ(4, regs->rdx);
	vm_set_rip(&self->vm, CODE);
	regs->rax = 1;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0, regs->rax | regs->rbx | regs->rcx | regs->rdx);
}

GUEST(msrs, "mov $0xc0000082, %ecx\n mov $0x89abcdef, %eax\n"
      "mov $0xffffffff, %edx\n wrmsr\n xor %eax, %eax\n rdmsr\n"
      "shl $32, %rdx\n or %rdx, %rax\n mov %rax, %r8\n"
      "mov $0xc0000101, %ecx\n mov $0x1000, %eax\n xor %edx, %edx\n wrmsr\n"
      "mov %gs:0, %r9\n"
      /* absent MSRs: read, write; present: not canonical, reserved bits */
      "mov $0x480, %ecx\n" FAULTS("rdmsr") FAULTS("wrmsr")
      "mov $0x1b, %ecx\n" FAULTS("rdmsr")
      "mov $0xc0000082, %ecx\n mov $0x8000, %edx\n" FAULTS("wrmsr")
      "mov $0x277, %ecx\n mov $2, %eax\n xor %edx, %edx\n" FAULTS("wrmsr")
      "mov $0x277, %ecx\n rdmsr\n mov %rax, %r10\n"
      "mov $0x10, %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr\n rdtsc\n"
      "mov %rdx, %r11\n"
      "hlt");
TEST_F(exits, msrs)
{
	struct mvmm_regs *regs = &self->vm.run->regs;
	struct mvmm_msr m[2] = { { .index = 0xc0000082 },
				 { .index = 0xc0000101 } };

	LOAD(&self->vm, msrs);
	*(uint64_t *)(self->vm.mem + 0x1000) = 0x4711;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0xffffffff89abcdef, regs->r8);
	EXPECT_EQ(0x4711, regs->r9);
	EXPECT_EQ(0x00070406, regs->r10);
	EXPECT_EQ(0, regs->r11);
	CHECK_VECTORS(&self->vm, 13, 13, 13, 13, 13);
	ASSERT_EQ(2, mvmm_get_msrs(self->vm.vcpu, m, 2));
	EXPECT_EQ(0xffffffff89abcdef, m[0].value);
	EXPECT_EQ(0x1000, m[1].value);
}

/* Code that changes at the same address: the decode cache compares the bytes */
GUEST(store, "mov %rcx, 8(%rbx,%rdx,4)\n hlt");
GUEST(load, "mov 8(%rbx,%rdx,4), %r9d\n hlt");
GUEST(load_sized, "mov 8(%rbx,%rdx,4), %r9b\n hlt");
TEST_F(exits, decode_cache)
{
	struct mvmm_regs *regs = &self->vm.run->regs;
	int i;

	for (i = 0; i < 3; i++) {
		regs->rbx = VOID;
		regs->rdx = 2;
		regs->rcx = 0x1122334455667788 + i;
		LOAD(&self->vm, store);
		vm_set_rip(&self->vm, CODE);
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
		EXPECT_TRUE(self->vm.io_write);
		EXPECT_EQ(VOID + 16, self->vm.io_address);
		EXPECT_EQ(8, self->vm.io_size);
		EXPECT_EQ(0x1122334455667788 + i, self->vm.io_value);

		/* 4 bytes clear the upper half; 1 byte leaves the rest */
		LOAD(&self->vm, load);
		vm_set_rip(&self->vm, CODE);
		regs->r9 = ~0ull;
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
		EXPECT_FALSE(self->vm.io_write);
		EXPECT_EQ(0x55667788 + i, regs->r9);

		LOAD(&self->vm, load_sized);
		vm_set_rip(&self->vm, CODE);
		regs->r9 = ~0ull;
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
		EXPECT_EQ(1, self->vm.io_size);
		EXPECT_EQ(0xffffffffffffff88 + i, regs->r9);
	}
	EXPECT_EQ(9, self->vm.io_count);
}

/* Instructions that raise #UD or #GP because the guest's CPU lacks them */
GUEST(absent, FAULTS("vmxoff") FAULTS("vmlaunch")
      "xor %ecx, %ecx\n" FAULTS("monitor") FAULTS("mwait")
      FAULTS("rdpmc")
      "wbinvd\n invd\n"
      "hlt");
TEST_F(exits, absent_instructions)
{
	LOAD(&self->vm, absent);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	CHECK_VECTORS(&self->vm, 6, 6, 6, 6, 13);
}

/*
 * By KVM's convention an unknown number gives -1000. The other vendor's
 * hypercall instruction raises #UD.
 */
GUEST(call_vmx, "vmcall\n mov %rax, %r8\n" FAULTS("vmmcall") "hlt");
GUEST(call_svm, "vmmcall\n mov %rax, %r8\n" FAULTS("vmcall") "hlt");
TEST_F(exits, hypercall)
{
	static const uint64_t numbers[] = { 0, 1, 12, 0x1234, -1ull };
	struct mvmm_regs *regs = &self->vm.run->regs, before;
	struct guest_events *seen = self->vm.events;
	struct mvmm_info info;
	uint64_t i;

	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	if (info.features & MVMM_FEATURE_SVM)
		LOAD(&self->vm, call_svm);
	else
		LOAD(&self->vm, call_vmx);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		vm_set_rip(&self->vm, CODE);
		regs->rax = numbers[i];
		regs->rbx = 0x11;
		regs->rcx = 0x22;
		regs->rdx = 0x33;
		regs->rsi = 0x44;
		before = *regs;
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
		EXPECT_EQ(-1000ull, regs->r8);
		EXPECT_EQ(before.rbx, regs->rbx);
		EXPECT_EQ(before.rcx, regs->rcx);
		EXPECT_EQ(before.rdx, regs->rdx);
		EXPECT_EQ(before.rsi, regs->rsi);
		ASSERT_EQ(i + 1, seen->n);
		EXPECT_EQ(6, seen->ev[i].vector);
	}
}

static uint64_t host_xcr0(void)
{
	uint32_t eax, edx;

	asm volatile("xgetbv" : "=a" (eax), "=d" (edx) : "c" (0));
	return eax | (uint64_t)edx << 32;
}

/* OSXSAVE on, XCR0 = rsi, then ymm0 = r8 in both halves */
GUEST(use_avx, "mov %cr4, %rax\n or $0x40000, %rax\n mov %rax, %cr4\n"
      "xor %ecx, %ecx\n mov %esi, %eax\n xor %edx, %edx\n xsetbv\n"
      "xgetbv\n mov %rax, %r10\n"
      "vmovq %r8, %xmm0\n vinsertf128 $1, %xmm0, %ymm0, %ymm0\n"
      "hlt\n"
      "vextractf128 $1, %ymm0, %xmm1\n vmovq %xmm1, %r11\n"
      /* #GP: a reserved bit; XCR1. All values: kmod/tests */
      "mov $0x80000007, %eax\n" FAULTS("xsetbv")
      "mov $1, %ecx\n mov $7, %eax\n" FAULTS("xsetbv")
      "hlt");
TEST_F(exits, xcr0_and_avx)
{
	uint64_t before, *area;
	struct mvmm_info info;
	struct mvmm_sregs s;
	char buffer[4096];

	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &info));
	if ((info.xcr0 & 7) != 7)
		SKIP(return, "no AVX on this host");
	before = host_xcr0();
	LOAD(&self->vm, use_avx);
	self->vm.run->regs.rsi = 7;
	self->vm.run->regs.r8 = 0x1234567887654321;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(7, self->vm.run->regs.r10);
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
	EXPECT_EQ(7, s.xcr0);
	/* The host must not keep the guest's XCR0 */
	EXPECT_EQ(before, host_xcr0());
	/* Nor its registers: changing ours must not change the guest's */
	asm volatile("vpxor %%xmm0, %%xmm0, %%xmm0" : : : "xmm0");
	ASSERT_EQ(0, mvmm_get_xsave(self->vm.vcpu, buffer, sizeof(buffer)));
	area = (uint64_t *)(buffer + 160);
	EXPECT_EQ(0x1234567887654321, *area);
	self->vm.run->retire = self->vm.run->insn_len;
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0x1234567887654321, self->vm.run->regs.r11);
	EXPECT_EQ(2, self->vm.events->n);
	EXPECT_EQ(before, host_xcr0());
}

GUEST(after_shutdown, "mov %rsi, %dr3\n xor %eax, %eax\n cpuid\n"
      "mov $2, %eax\n mov %rax, %cr8\n mov %dr3, %rdi\n hlt");
GUEST(triple, "lidt 0x600\n ud2");
TEST_F(exits, shutdown)
{
	if (vm_on_bochs_svm())
		SKIP(return, "Bochs' SVM ends with a triple fault");
	LOAD(&self->vm, triple);
	memset(self->vm.mem + 0x600, 0, 16);
	EXPECT_EQ(MVMM_EXIT_SHUTDOWN, vm_run_to_exit(&self->vm));
	/* A state that is set then is good: CPUID and debug registers exit */
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	LOAD(&self->vm, after_shutdown);
	self->vm.run->regs.rsi = 0x1234;
	EXPECT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	EXPECT_EQ(0x1234, self->vm.run->regs.rdi);
}

/* The CPU refuses the state: RUN reports its codes, and the state can be set */
TEST_F(exits, entry_failure)
{
	struct mvmm_sregs good, bad, after;
	int i;

	LOAD(&self->vm, do_cpuid);
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &good));
	bad = good;
	bad.cs.attr = 0xe09b;		/* 64-bit and 32-bit code at once */
	ASSERT_EQ(0, mvmm_set_sregs(self->vm.vcpu, &bad));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, vm_run(&self->vm));
		EXPECT_EQ(MVMM_EXIT_ENTRY_FAILED, self->vm.run->exit_reason);
		/* 33 on VMX, -1 on SVM */
		EXPECT_NE(0, self->vm.run->entry.hw_reason);
	}
	/* The state is unchanged, and contains nothing of the host's */
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &after));
	EXPECT_EQ(0, memcmp(&bad, &after, sizeof(bad)));
	EXPECT_EQ(CODE, self->vm.run->regs.rip);
	ASSERT_EQ(0, mvmm_set_sregs(self->vm.vcpu, &good));
	EXPECT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
}

/*
 * SVM: an exception that does not exist is refused, and nothing that the entry
 * was to flush counts as done. VMX delivers it.
 */
TEST_F(exits, refused_event)
{
	struct mvmm_stats before, after;
	struct mvmm_events ev;

	if (!module_has(MVMM_FEATURE_SVM) || vm_on_bochs())
		SKIP(return, "this CPU delivers reserved exceptions");
	LOAD(&self->vm, do_cpuid);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	vm_set_rip(&self->vm, CODE);
	ASSERT_EQ(0, mvmm_get_events(self->vm.vcpu, &ev));
	ev.inflight = 1;
	ev.type = MVMM_EVENT_EXCEPTION;
	ev.vector = 31;
	ASSERT_EQ(0, mvmm_set_events(self->vm.vcpu, &ev));
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_ENTRY_FAILED, self->vm.run->exit_reason);
	EXPECT_EQ(CODE, self->vm.run->regs.rip);
	ev.inflight = ev.type = ev.vector = 0;
	ASSERT_EQ(0, mvmm_set_events(self->vm.vcpu, &ev));
	ASSERT_EQ(0, mvmm_get_stats(self->vm.vcpu, &before));
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	ASSERT_EQ(0, mvmm_get_stats(self->vm.vcpu, &after));
	EXPECT_LT(before.flush_memory + before.flush_vcpu,
		  after.flush_memory + after.flush_vcpu);
}

GUEST(loop, "sti\n 1: incq 0x100000\n jmp 1b");

struct runner {
	struct vm *vm;
	int ret;
	volatile bool kicked;
};

static void *run_thread(void *arg)
{
	struct runner *r = arg;

	/* -EINTR may come without a kick: see MVMM_VCPU_RUN */
	do {
		r->ret = mvmm_run(r->vm->vcpu);
	} while (r->ret == -EINTR && !r->kicked);
	return NULL;
}

static void wait_for_progress(struct vm *vm)
{
	volatile uint64_t *n = (uint64_t *)(vm->mem + DATA);
	uint64_t before = *n;

	while (*n == before)
		sched_yield();
}

TEST_F(exits, kick_from_another_thread)
{
	struct runner r = { &self->vm, 0, false };
	struct mvmm_sregs s;
	pthread_t thread;
	int i;

	LOAD(&self->vm, loop);
	for (i = 0; i < 20; i++) {
		r.kicked = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, run_thread, &r));
		wait_for_progress(&self->vm);
		if (!i) {
			EXPECT_EQ(-EBUSY, mvmm_run(self->vm.vcpu));
			EXPECT_EQ(-EBUSY, mvmm_get_sregs(self->vm.vcpu, &s));
		}
		r.kicked = true;
		ASSERT_EQ(0, mvmm_kick(self->vm.vcpu));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(-EINTR, r.ret);
		EXPECT_EQ(MVMM_EXIT_INTR, self->vm.run->exit_reason);
	}
}

#define SELECTOR(index, ti) ((index) << 3 | (ti) << 2 | 3)

static int make_ldt(void)
{
	struct user_desc d = { .base_addr = 0x123000, .limit = 0xfffff,
			       .seg_32bit = 1, .limit_in_pages = 1 };

	return syscall(SYS_modify_ldt, 1, &d, sizeof(d));
}

static bool is_loadable(uint16_t selector)
{
	uint32_t rights;
	bool good;

	asm volatile("lar %2, %0\n setz %1"
		     : "=r" (rights), "=q" (good) : "r" ((uint32_t)selector)
		     : "cc");
	return good;
}

/* A process may have selectors like these, and must keep them over RUN */
TEST_F(exits, segments_of_the_host)
{
	const uint16_t in_ldt = SELECTOR(0, 1), user_ds = SELECTOR(5, 0);
	uint16_t ds, es, gs;

	ASSERT_EQ(0, make_ldt());
	asm volatile("mov %0, %%gs\n mov %1, %%es\n mov %1, %%ds"
		     : : "r" (in_ldt), "r" (user_ds));
	LOAD(&self->vm, do_cpuid);
	EXPECT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	asm volatile("mov %%gs, %0\n mov %%es, %1\n mov %%ds, %2"
		     : "=r" (gs), "=r" (es), "=r" (ds));
	EXPECT_EQ(in_ldt, gs);
	EXPECT_EQ(user_ds, es);
	EXPECT_EQ(user_ds, ds);
	EXPECT_TRUE(is_loadable(in_ldt));
	asm volatile("mov %0, %%gs\n mov %0, %%es\n mov %0, %%ds" : : "r" (0));
}

struct ldt_runner {
	struct runner runner;
	bool has_ldt;
};

static void *run_and_look(void *arg)
{
	struct ldt_runner *r = arg;

	run_thread(&r->runner);
	r->has_ldt = is_loadable(SELECTOR(0, 1));
	return NULL;
}

/* The process gets its LDT from another thread, by IPI, while the guest runs */
TEST_F(exits, ldt_made_meanwhile)
{
	struct ldt_runner r = { { &self->vm, 0, false }, false };
	pthread_t thread;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU only");
	LOAD(&self->vm, loop);
	ASSERT_FALSE(is_loadable(SELECTOR(0, 1)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_and_look, &r));
	wait_for_progress(&self->vm);
	ASSERT_EQ(0, make_ldt());
	/* Meanwhile the host's clock ticks, so the guest exits and is entered */
	usleep(50000);
	r.runner.kicked = true;
	ASSERT_EQ(0, mvmm_kick(self->vm.vcpu));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(r.has_ldt);
}

TEST_F(exits, kick_is_sticky)
{
	struct mvmm_stats a, b;

	LOAD(&self->vm, do_cpuid);
	ASSERT_EQ(0, mvmm_get_stats(self->vm.vcpu, &a));
	ASSERT_EQ(0, mvmm_kick(self->vm.vcpu));
	ASSERT_EQ(0, mvmm_kick(self->vm.vcpu));
	EXPECT_EQ(-EINTR, mvmm_run(self->vm.vcpu));
	ASSERT_EQ(0, mvmm_get_stats(self->vm.vcpu, &b));
	EXPECT_EQ(a.entries, b.entries);
	/* Two kicks before RUN are one */
	EXPECT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
}

static void on_alarm(int sig)
{
}

TEST_F(exits, signal_interrupts)
{
	struct sigaction action = { .sa_handler = on_alarm };
	/* Again and again: the first one may come before RUN */
	struct itimerval when = { .it_value = { .tv_usec = 20000 },
				  .it_interval = { .tv_usec = 20000 } };

	LOAD(&self->vm, loop);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &when, NULL);
	EXPECT_EQ(-EINTR, mvmm_run(self->vm.vcpu));
	EXPECT_EQ(MVMM_EXIT_INTR, self->vm.run->exit_reason);
}

/*
 * Another thread overwrites the run page all the time: every result is right,
 * unless the host crashes or the VM cannot be used afterwards.
 */
static volatile bool scribbling;

static void *scribble(void *arg)
{
	unsigned int seed = 12345, i;
	struct vm *vm = arg;
	uint8_t *page = (uint8_t *)vm->run;

	while (scribbling)
		for (i = 0; i < sizeof(*vm->run); i++)
			page[i] = rand_r(&seed);
	return NULL;
}

TEST_F(exits, run_page_scribbled_over)
{
	struct vm *vm = &self->vm;
	pthread_t thread;
	int i;

	LOAD(vm, do_cpuid);
	scribbling = true;
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, vm));
	for (i = 0; i < 300; i++)
		mvmm_run(vm->vcpu);
	scribbling = false;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	memset(vm->run, 0, sizeof(*vm->run));
	ASSERT_EQ(0, vm_set_mode(vm, LONG64));
	EXPECT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(vm));
}

/* The vCPU's thread moves to another CPU before each RUN */
TEST_F(exits, migration)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct mvmm_stats stats;
	cpu_set_t set;
	int i;

	if (cpus < 2)
		SKIP(return, "one CPU only");
	LOAD(&self->vm, do_cpuid);
	for (i = 0; i < 50; i++) {
		CPU_ZERO(&set);
		CPU_SET(i % cpus, &set);
		ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
		vm_set_rip(&self->vm, CODE);
		self->vm.run->regs.rax = 0;
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&self->vm));
	}
	ASSERT_EQ(0, mvmm_get_stats(self->vm.vcpu, &stats));
	EXPECT_LE(49, stats.migrations);
	EXPECT_LE(49, stats.flush_memory);
}

TEST_HARNESS_MAIN
