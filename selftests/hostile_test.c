// SPDX-License-Identifier: GPL-2.0
/*
 * What a hostile guest, or one that looks for the edges of its CPU, tries: all
 * MSRs, leaves of CPUID that are not there, instructions that its CPUID hides,
 * control registers with what they refuse. And what a CPU notes beside an
 * exception: RFLAGS.RF, DR6. See Documentation/security.rst.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

#define UD	6
#define GP	13
#define RF	(1ull << 16)
#define PCIDE	(1ull << 17)
#define OSXSAVE	(1ull << 18)
/* Where the guest leaves what it has found */
#define LIST	0x200000ul

FIXTURE(hostile) {
	struct vm vm;
	struct mvmm_info info;
};

FIXTURE_SETUP(hostile)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	ASSERT_EQ(0, mvmm_get_info(self->vm.system, &self->info));
}

FIXTURE_TEARDOWN(hostile)
{
	vm_destroy(&self->vm);
}

/* Runs what was loaded from its start. Returns the last vector; 0: none */
static int attempt(struct vm *vm)
{
	vm->events->n = 0;
	vm_set_rip(vm, CODE);
	/* QEMU leaves RF set in a block of code that ends by an exit */
	vm->run->regs.rflags = 2;
	if (vm_run_to_exit(vm) != MVMM_EXIT_HLT)
		return -1;
	return vm->events->n ? vm->events->ev[vm->events->n - 1].vector : 0;
}

/* RDMSR of all from ebx up to ebp: number and value of those that are there */
GUEST(sweep, "1: movq $0, 0x35000\n mov %ebx, %ecx\n" FAULTS("rdmsr")
      "cmpq $0, 0x35000\n jne 2f\n"
      "mov %ebx, (%rdi)\n mov %eax, 8(%rdi)\n mov %edx, 12(%rdi)\n"
      "add $16, %rdi\n"
      "2: inc %ebx\n cmp %ebp, %ebx\n jne 1b\n hlt");

/* In order; some depend on CPUID */
static const uint32_t readable[] = {
	0x10, 0x17, 0x3b, 0x48, 0x8b, 0xfe, 0x10a, 0x174, 0x175, 0x176,
	0x179, 0x17a, 0x17b, 0x1a0,
	0x200, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x207,
	0x208, 0x209, 0x20a, 0x20b, 0x20c, 0x20d, 0x20e, 0x20f,
	0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
	0x277, 0x2ff,
	0x400, 0x401, 0x402, 0x403, 0x404, 0x405, 0x406, 0x407,
	0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
	0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103,
	0xc0010000, 0xc0010001, 0xc0010002, 0xc0010003,
	0xc0010004, 0xc0010005, 0xc0010006, 0xc0010007,
	0xc0010010, 0xc0010015, 0xc0011029,
};

static bool may_be_absent(uint32_t index)
{
	return index == 0x3b || index == 0x48 || index == 0x10a ||
	       index == 0xc0000103 ||
	       (built_without("mtrr") && index != 0x277 &&
		(index == 0xfe || index >> 8 == 2)) ||
	       (built_without("mce") && ((index & ~3) == 0x178 || index >> 8 == 4));
}

TEST_F(hostile, msr_sweep)
{
	static const uint32_t ranges[][2] = {
		{ 0, 0x1100 }, { 0x1ff0, 0x2010 },
		{ 0x40000000, 0x40000120 }, { 0x4b564d00, 0x4b564d10 },
		{ 0xbffffff0, 0xc0000120 }, { 0xc0001ff0, 0xc0002010 },
		{ 0xc000fff0, 0xc0010200 }, { 0xc0011000, 0xc0011040 },
		{ 0xfffffff0, 0 } };
	struct {
		uint32_t index, unused;
		uint64_t value;
	} *found = (void *)(self->vm.mem + LIST);
	struct mvmm_regs *regs = &self->vm.run->regs;
	uint64_t i, n, at = 0;

	LOAD(&self->vm, sweep);
	regs->rdi = LIST;
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		regs->rbx = ranges[i][0];
		regs->rbp = ranges[i][1];
		ASSERT_LE(0, attempt(&self->vm));
	}
	n = (regs->rdi - LIST) / sizeof(*found);
	for (i = 0; i < n; i++, at++) {
		while (at < ARRAY_SIZE(readable) && may_be_absent(readable[at]) &&
		       found[i].index != readable[at])
			at++;
		ASSERT_LT(at, ARRAY_SIZE(readable));
		ASSERT_EQ(readable[at], found[i].index);
	}
	EXPECT_EQ(ARRAY_SIZE(readable), at);
}

GUEST(wrmsr, FAULTS("wrmsr") "xor %eax, %eax\n xor %edx, %edx\n"
      FAULTS("rdmsr") "hlt");
static int write_msr(struct vm *vm, uint32_t index, uint64_t value,
		     uint64_t *now)
{
	struct mvmm_regs *regs = &vm->run->regs;
	int vector;

	LOAD(vm, wrmsr);
	regs->rcx = index;
	regs->rax = (uint32_t)value;
	regs->rdx = value >> 32;
	vector = attempt(vm);
	*now = regs->rdx << 32 | (uint32_t)regs->rax;
	return vector;
}

/* The host's own MSR on CPU 0, where this thread is from now on; false: no access */
static bool host_msr(uint32_t index, uint64_t *value)
{
	int fd = open("/dev/cpu/0/msr", O_RDONLY);
	cpu_set_t first;
	ssize_t n = -1;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	if (fd >= 0) {
		n = pread(fd, value, sizeof(*value), index);
		close(fd);
	}
	return n == sizeof(*value);
}

/* SPEC_CTRL, PRED_CMD, FLUSH_CMD, ARCH_CAPABILITIES: if CPUID has them */
TEST_F(hostile, mitigations)
{
	enum { SPEC_CTRL = 1u << 26, STIBP = 1u << 27, FLUSH = 1u << 28,
	       CAPABILITIES = 1u << 29, SSBD = 1u << 31 };
	struct guest_events *seen = self->vm.events;
	struct mvmm_cpuid_entry entry[128];
	uint64_t now, mine, bits = 0;
	uint32_t edx = 0;
	int i, n = ARRAY_SIZE(entry);

	n = mvmm_get_vcpu_cpuid(self->vm.vcpu, entry, n);
	for (i = 0; i < n; i++)
		if (entry[i].leaf == 7 && !entry[i].subleaf)
			edx = entry[i].edx;
	bits = (edx & SPEC_CTRL ? 3 : 0) | (edx & STIBP ? 2 : 0) |
	       (edx & SSBD ? 4 : 0);
	/* Each bit; reading gives it back. One more raises #GP, and so do all */
	for (i = 0; i < 64; i++) {
		EXPECT_EQ(bits >> i & 1 ? 0 : GP,
			  write_msr(&self->vm, 0x48, 1ull << i, &now));
		if (bits >> i & 1)
			EXPECT_EQ(1ull << i, now);
	}
	EXPECT_EQ(GP, write_msr(&self->vm, 0x48, bits | 8, &now));
	if (bits) {
		EXPECT_EQ(0, write_msr(&self->vm, 0x48, bits, &now));
		EXPECT_EQ(bits, now);
		/* The host has its own again */
		if (host_msr(0x48, &mine)) {
			write_msr(&self->vm, 0x48, mine == bits ? 0 : bits, &now);
			ASSERT_TRUE(host_msr(0x48, &now));
			EXPECT_EQ(mine, now);
		} else {
			TH_LOG("no /dev/cpu/0/msr: the host's value is not looked at");
		}
	}
	/* Commands: written, not read */
	for (i = 0; i < 4; i++) {
		uint32_t index = i & 1 ? 0x10b : 0x49;
		bool there = edx & (i & 1 ? FLUSH : SPEC_CTRL);
		uint64_t value = i & 2 ? 3 : 1;

		EXPECT_EQ(GP, write_msr(&self->vm, index, value, &now));
		EXPECT_EQ(there && value == 1 ? 1 : 2, seen->n);
	}
	/* Only read; userspace takes away */
	EXPECT_EQ(GP, write_msr(&self->vm, 0x10a, 0, &now));
	EXPECT_EQ(edx & CAPABILITIES ? 1 : 2, seen->n);
	if (edx & CAPABILITIES) {
		struct mvmm_msr msr = { .index = 0x10a, .value = now };

		if (host_msr(0x10a, &mine))
			EXPECT_EQ(0, now & ~mine);
		msr.value |= 1ull << 7;		/* TSX_CTRL */
		EXPECT_EQ(0, mvmm_set_msrs(self->vm.vcpu, &msr, 1));
		msr.value = 0;
		EXPECT_EQ(1, mvmm_set_msrs(self->vm.vcpu, &msr, 1));
		write_msr(&self->vm, 0x10a, 1, &now);
		EXPECT_EQ(0, now);
	}
}

/* A write is refused, has its effect, or has none: never another one */
TEST_F(hostile, msr_writes)
{
	static const uint64_t values[] = { 0, 1, ~0ull, 1ull << 47, 1ull << 63,
					   0x00007fffffffffff };
	uint64_t before, now, i, j;
	int vector;

	for (i = 0; i < ARRAY_SIZE(readable); i++) {
		uint32_t index = readable[i];

		/*
		 * Time goes on; EFER has a test in modes_test.c; of
		 * SYSENTER_CS a CPU may keep 32 bits; MISC_ENABLE is below
		 */
		if (index == 0x10 || index == 0xc0000080 || index == 0x174 ||
		    index == 0x1a0)
			continue;
		/* QEMU takes all bits of these: errata.rst */
		if (module_has(MVMM_FEATURE_SVM) &&
		    (index >> 8 == 0xc00001 || index >> 4 == 0x17))
			continue;
		for (j = 0; j < ARRAY_SIZE(values); j++) {
			/* A #GP is followed by the RDMSR, whatever it says */
			vector = write_msr(&self->vm, index, values[j], &now);
			if (vector == GP)
				continue;
			ASSERT_EQ(0, vector) {
				TH_LOG("0x%x", index);
			}
			if (now == values[j])
				continue;
			/* It has no effect, also not at the second time */
			ASSERT_EQ(0, write_msr(&self->vm, index, ~now & 1,
					       &before));
			write_msr(&self->vm, index, values[j], &now);
			EXPECT_EQ(before, now | (before & 1)) {
				TH_LOG("0x%x", index);
			}
		}
	}
	/* Not canonical */
	EXPECT_EQ(GP, write_msr(&self->vm, 0xc0000082, 1ull << 47, &now));
	EXPECT_EQ(GP, write_msr(&self->vm, 0xc0000083, 1ull << 63, &now));
	/* MISC_ENABLE: SpeedStep is not there, to set it is no error */
	EXPECT_EQ(0, write_msr(&self->vm, 0x1a0, 1, &before));
	EXPECT_EQ(0, write_msr(&self->vm, 0x1a0, 1 | 1 << 16, &now));
	EXPECT_EQ(before, now);
	/* The index is ecx, and not rcx. QEMU: see errata.rst */
	if (module_has(MVMM_FEATURE_SVM) && !vm_on_bochs())
		return;
	LOAD(&self->vm, wrmsr);
	self->vm.run->regs.rcx = 0xffffffff00000480;
	self->vm.run->regs.rax = self->vm.run->regs.rdx = 0;
	EXPECT_EQ(GP, attempt(&self->vm));
}

GUEST(do_cpuid, "cpuid\n hlt");
TEST_F(hostile, cpuid_leaves)
{
	static const uint32_t leaves[] = {
		0x22, 0x23, 0x40, 0x3fffffff, 0x40000002, 0x40000010,
		0x400000ff, 0x40000100, 0x7fffffff, 0x80000029, 0x8fffffff,
		0xc0000000, 0xc0000001, 0xc0000004, 0xffffffff };
	struct mvmm_regs *regs = &self->vm.run->regs;
	uint64_t i, subleaf;

	LOAD(&self->vm, do_cpuid);
	for (i = 0; i < ARRAY_SIZE(leaves); i++)
		for (subleaf = 0; subleaf < 4; subleaf++) {
			regs->rax = leaves[i];
			regs->rcx = subleaf;
			ASSERT_EQ(0, attempt(&self->vm));
			EXPECT_EQ(0, regs->rax | regs->rbx | regs->rcx |
				     regs->rdx) {
				TH_LOG("leaf 0x%x", leaves[i]);
			}
		}
}

static bool xcr0_is_good(uint64_t value, uint64_t offered)
{
	const uint64_t avx512 = 0xe0;

	return value & 1 && !(value & ~(offered | 1)) &&
	       (value & 2 || !(value & 4)) &&
	       (!(value & avx512) ||
		(value & 4 && (value & avx512) == avx512));
}

GUEST(do_xsetbv, FAULTS("xsetbv") "xor %ecx, %ecx\n xgetbv\n hlt");
TEST_F(hostile, xsetbv)
{
	static const uint64_t values[] = { 1, 0, 2, 3, 4, 5, 6, 7, 0x23, 0xe7,
					   ~0ull, 1ull << 63 | 1 };
	struct mvmm_regs *regs = &self->vm.run->regs;
	uint64_t i, ecx, last = 1;
	struct mvmm_sregs s;

	if (!self->info.xcr0)
		SKIP(return, "a host without XSAVE");
	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
	s.cr4 |= OSXSAVE;
	ASSERT_EQ(0, mvmm_set_sregs(self->vm.vcpu, &s));
	LOAD(&self->vm, do_xsetbv);
	for (i = 0; i < ARRAY_SIZE(values); i++)
		for (ecx = 0; ecx < 3; ecx++) {
			bool good = !ecx && xcr0_is_good(values[i],
							 self->info.xcr0);

			/* Without an exit QEMU takes AVX without SSE */
			if (values[i] == 5 && module_has(MVMM_FEATURE_SVM))
				continue;
			regs->rcx = ecx;
			regs->rax = (uint32_t)values[i];
			regs->rdx = values[i] >> 32;
			EXPECT_EQ(good ? 0 : GP, attempt(&self->vm)) {
				TH_LOG("ecx %d, 0x%llx", (int)ecx,
				       (unsigned long long)values[i]);
			}
			if (good)
				last = values[i];
			EXPECT_EQ(last, regs->rdx << 32 | (uint32_t)regs->rax);
		}
}

/* The guest's CPUID without some bits of a leaf */
static int hide(struct vm *vm, uint32_t leaf, uint32_t ebx, uint32_t ecx,
		uint32_t edx)
{
	struct mvmm_cpuid_entry e[128];
	int n = mvmm_get_vcpu_cpuid(vm->vcpu, e, ARRAY_SIZE(e)), i;

	for (i = 0; i < n; i++) {
		if (e[i].leaf != leaf || e[i].subleaf)
			continue;
		e[i].ebx &= ~ebx;
		e[i].ecx &= ~ecx;
		e[i].edx &= ~edx;
	}
	return n < 0 ? n : mvmm_set_cpuid(vm->vcpu, e, n);
}

GUEST(rdtscp, FAULTS("rdtscp") "hlt");
GUEST(invpcid, "mov $0x100000, %edi\n mov $2, %eax\n"
      FAULTS("invpcid (%rdi), %rax") "hlt");
/* An instruction that CPUID does not have raises #UD, also when it goes later */
TEST_F(hostile, hidden_instructions)
{
	struct mvmm_regs *regs = &self->vm.run->regs;
	bool has;

	LOAD(&self->vm, do_cpuid);
	regs->rax = 0x80000001;
	ASSERT_EQ(0, attempt(&self->vm));
	has = regs->rdx & 1u << 27;
	LOAD(&self->vm, rdtscp);
	EXPECT_EQ(has ? 0 : UD, attempt(&self->vm));
	ASSERT_EQ(0, hide(&self->vm, 0x80000001, 0, 0, 1u << 27));
	ASSERT_EQ(0, hide(&self->vm, 7, 0, 1u << 22, 0));
	/* QEMU has no exit by it */
	if (!module_has(MVMM_FEATURE_SVM) || vm_on_bochs())
		EXPECT_EQ(UD, attempt(&self->vm));

	LOAD(&self->vm, do_cpuid);
	regs->rax = 7;
	regs->rcx = 0;
	ASSERT_EQ(0, attempt(&self->vm));
	has = regs->rbx & 1u << 10;
	LOAD(&self->vm, invpcid);
	EXPECT_EQ(has ? 0 : UD, attempt(&self->vm));
	ASSERT_EQ(0, hide(&self->vm, 7, 1u << 10, 0, 0));
	EXPECT_EQ(UD, attempt(&self->vm));
}

/* The same of an MSR, which raises #GP */
GUEST(tsc_adjust, FAULTS("mov $0x3b, %ecx\n rdmsr") "hlt");
TEST_F(hostile, hidden_msr)
{
	bool has;

	LOAD(&self->vm, do_cpuid);
	self->vm.run->regs.rax = 0;
	ASSERT_EQ(0, attempt(&self->vm));
	has = self->vm.run->regs.rax >= 7;
	LOAD(&self->vm, tsc_adjust);
	EXPECT_EQ(has ? 0 : GP, attempt(&self->vm));
	ASSERT_EQ(0, hide(&self->vm, 7, 1u << 1, 0, 0));
	EXPECT_EQ(GP, attempt(&self->vm));
}

/* In the frame of a fault RF is set, so that no breakpoint comes twice */
GUEST(absent_msr, "mov $0x480, %ecx\n" FAULTS("rdmsr") "hlt");
GUEST(no_counter, FAULTS("rdpmc") "hlt");
GUEST(trap, "int3\n hlt");
TEST_F(hostile, resume_flag)
{
	/* The frame: error code, rip, cs, rflags; ends where the stack began */
	const uint64_t *rflags = (uint64_t *)(self->vm.mem + STACK - 24);

	LOAD(&self->vm, absent_msr);
	ASSERT_EQ(GP, attempt(&self->vm));
	EXPECT_EQ(RF, *rflags & RF);
	LOAD(&self->vm, no_counter);
	ASSERT_EQ(GP, attempt(&self->vm));
	EXPECT_EQ(RF, *rflags & RF);
	LOAD(&self->vm, trap);
	ASSERT_EQ(3, attempt(&self->vm));
	EXPECT_EQ(0, *rflags & RF);
	LOAD(&self->vm, trap);
	ASSERT_EQ(0, mvmm_inject_exception(self->vm.vcpu, 14, true, 0, 0));
	attempt(&self->vm);
	ASSERT_EQ(2, self->vm.events->n);
	EXPECT_EQ(14, self->vm.events->ev[0].vector);
}

/* DR6 says which breakpoint this one was: not those before */
GUEST(two_watched, "mov $0x100000, %eax\n mov %rax, %dr0\n"
      "add $64, %eax\n mov %rax, %dr1\n"
      "mov $0xdd000f, %eax\n mov %rax, %dr7\n"
      "movl $1, 0x100000\n mov %dr6, %r8\n"
      "movl $1, 0x100040\n mov %dr6, %r9\n"
      "xor %eax, %eax\n mov %rax, %dr7\n hlt");
TEST_F(hostile, debug_status)
{
	struct mvmm_regs *regs = &self->vm.run->regs;

	LOAD(&self->vm, two_watched);
	ASSERT_EQ(1, attempt(&self->vm));
	ASSERT_EQ(2, self->vm.events->n);
	EXPECT_EQ(1, regs->r8 & 0xf);
	EXPECT_EQ(2, regs->r9 & 0xf);
}

GUEST(load_cr3, FAULTS("mov %rax, %cr3") "mov %cr3, %rax\n hlt");
GUEST(load_cr4, FAULTS("mov %rax, %cr4") "mov %cr4, %rax\n hlt");
TEST_F(hostile, cr3_and_pcid)
{
	struct mvmm_regs *regs = &self->vm.run->regs;
	struct mvmm_sregs s, now;
	uint64_t pcid;
	int ret;

	ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &s));
	/* Bits that no CR3 has: refused now or by the entry, no dead VM */
	for (pcid = 0; pcid < 2; pcid++) {
		now = s;
		now.cr3 |= pcid ? 1ull << 63 : 1ull << 52;
		LOAD(&self->vm, do_cpuid);
		vm_set_rip(&self->vm, CODE);
		if (!mvmm_set_sregs(self->vm.vcpu, &now)) {
			ret = vm_run_to_exit(&self->vm);
			EXPECT_TRUE(ret == MVMM_EXIT_ENTRY_FAILED ||
				    ret == MVMM_EXIT_HLT ||
				    ret == MVMM_EXIT_SHUTDOWN);
		}
		ASSERT_EQ(0, mvmm_set_sregs(self->vm.vcpu, &s));
		EXPECT_EQ(0, attempt(&self->vm));
	}
	LOAD(&self->vm, do_cpuid);
	regs->rax = 1;
	ASSERT_EQ(0, attempt(&self->vm));
	if (!(regs->rcx & 1u << 17)) {
		/* Not there: the bit is reserved */
		LOAD(&self->vm, load_cr4);
		regs->rax = s.cr4 | PCIDE;
		EXPECT_EQ(GP, attempt(&self->vm));
		EXPECT_EQ(s.cr4, regs->rax);
		return;
	}
	LOAD(&self->vm, load_cr3);
	regs->rax = s.cr3 | 1ull << 63;
	EXPECT_EQ(GP, attempt(&self->vm));
	/* With other bits set in CR3 PCIDE cannot be */
	regs->rax = s.cr3 | 8;
	EXPECT_EQ(0, attempt(&self->vm));
	LOAD(&self->vm, load_cr4);
	regs->rax = s.cr4 | PCIDE;
	EXPECT_EQ(GP, attempt(&self->vm));
	EXPECT_EQ(s.cr4, regs->rax);
	LOAD(&self->vm, load_cr3);
	regs->rax = s.cr3;
	EXPECT_EQ(0, attempt(&self->vm));
	LOAD(&self->vm, load_cr4);
	regs->rax = s.cr4 | PCIDE;
	EXPECT_EQ(0, attempt(&self->vm));
	/* "Do not flush" is in no CR3 */
	LOAD(&self->vm, load_cr3);
	for (pcid = 1; pcid < 4096; pcid += 819) {
		regs->rax = s.cr3 | pcid | 1ull << 63;
		EXPECT_EQ(0, attempt(&self->vm));
		EXPECT_EQ(s.cr3 | pcid, regs->rax);
		ASSERT_EQ(0, mvmm_get_sregs(self->vm.vcpu, &now));
		EXPECT_EQ(s.cr3 | pcid, now.cr3);
		ASSERT_EQ(0, mvmm_set_sregs(self->vm.vcpu, &now));
	}
}

/* A child may write to the run page: then the parent's guest has other input */
TEST_F(hostile, run_page_of_a_parent)
{
	struct mvmm_run *run = self->vm.run;
	int i, status;
	pid_t child;

	memset(self->vm.mem + CODE, 0xf4, 4096);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		for (i = 0; i < 100000; i++) {
			uint64_t at = i * 7919 % sizeof(*run);

			/* Elsewhere the guest might find something to do */
			if (at - offsetof(struct mvmm_run, regs) >=
			    sizeof(run->regs))
				((volatile uint8_t *)run)[at] = i;
		}
		_exit(mvmm_run(self->vm.vcpu) != -EPERM);
	}
	while (!waitpid(child, &status, WNOHANG)) {
		int ret;

		run->regs.rip = CODE;
		ret = mvmm_run(self->vm.vcpu);
		ASSERT_TRUE(!ret || ret == -EINTR || ret == -EINVAL);
	}
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
