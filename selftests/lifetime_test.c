// SPDX-License-Identifier: GPL-2.0
/* Object lifetimes: fds closed in every order, mappings, processes that die. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

GUEST(loop, "sti\n 1: incq 0x100000\n jmp 1b");
GUEST(stop, "hlt");

TEST(close_orders)
{
	static const char *const orders[] = { "svc", "scv", "vsc", "vcs",
					      "csv", "cvs" };
	unsigned int i, j;

	for (i = 0; i < 6; i++) {
		struct vm vm;

		ASSERT_EQ(0, vm_create(&vm));
		ASSERT_EQ(0, vm_set_mode(&vm, LONG64));
		LOAD(&vm, stop);
		ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&vm));
		for (j = 0; j < 3; j++) {
			int *fd = orders[i][j] == 's' ? &vm.system :
				  orders[i][j] == 'v' ? &vm.vm : &vm.vcpu;

			close(*fd);
			*fd = -1;
			/* A vCPU runs on as long as its own fd is open */
			if (vm.vcpu >= 0) {
				vm_set_rip(&vm, CODE);
				EXPECT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&vm));
			}
		}
		/* The run page outlives the fds */
		vm.run->regs.rax = 5;
		EXPECT_EQ(5, vm.run->regs.rax);
		vm_destroy(&vm);
	}
}

TEST(many_vms)
{
	struct vm vm[8];
	int i;

	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, vm_create(&vm[i]));
		ASSERT_EQ(0, vm_set_mode(&vm[i], LONG64));
		LOAD(&vm[i], stop);
	}
	for (i = 0; i < 8; i++)
		EXPECT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&vm[i]));
	for (i = 7; i >= 0; i--)
		vm_destroy(&vm[i]);
}

TEST(two_vcpus_share_memory)
{
	struct vm a, b;

	ASSERT_EQ(0, vm_create(&a));
	b = a;
	b.vcpu = mvmm_create_vcpu(a.vm, 1);
	ASSERT_LE(0, b.vcpu);
	ASSERT_EQ(0, mvmm_map_run(b.vcpu, &b.run));
	b.guest.vcpu = b.vcpu;
	b.guest.run = b.run;
	ASSERT_EQ(0, vm_set_mode(&a, LONG64));
	ASSERT_EQ(0, vm_set_mode(&b, LONG64));
	LOAD(&a, stop);
	EXPECT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&a));
	EXPECT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&b));
	munmap(b.run, 4096);
	close(b.vcpu);
	vm_destroy(&a);
}

static void *run_for_ever(void *arg)
{
	struct vm *vm = arg;

	for (;;)
		mvmm_run(vm->vcpu);
	return NULL;
}

/* SIGKILL while the vCPU is in the guest, with its memory mapped */
TEST(killed_in_the_guest)
{
	volatile uint64_t *counter;
	int status, i;
	pid_t pid;

	counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < 5; i++) {
		*counter = 0;
		pid = fork();
		if (!pid) {
			struct vm vm;

			if (vm_create(&vm) || vm_set_mode(&vm, LONG64))
				_exit(1);
			LOAD(&vm, loop);
			mmap(vm.mem + DATA, 4096, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
			mremap((void *)counter, 0, 4096,
			       MREMAP_MAYMOVE | MREMAP_FIXED, vm.mem + DATA);
			run_for_ever(&vm);
		}
		while (!*counter)
			sched_yield();
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(SIGKILL, WTERMSIG(status));
	}
}

/* Another thread ends the process while the vCPU runs */
TEST(exit_with_a_running_thread)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct vm vm;
		pthread_t thread;

		if (vm_create(&vm) || vm_set_mode(&vm, LONG64))
			_exit(1);
		LOAD(&vm, loop);
		pthread_create(&thread, NULL, run_for_ever, &vm);
		while (!*(volatile uint64_t *)(vm.mem + DATA))
			sched_yield();
		_exit(7);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(7, WEXITSTATUS(status));
}

/* Memory is unmapped before the VM is closed */
TEST(memory_unmapped_first)
{
	struct vm vm;

	ASSERT_EQ(0, vm_create(&vm));
	ASSERT_EQ(0, vm_set_mode(&vm, LONG64));
	LOAD(&vm, stop);
	ASSERT_EQ(MVMM_EXIT_HLT, vm_run_to_exit(&vm));
	ASSERT_EQ(0, munmap(vm.mem, MEM_SIZE));
	ASSERT_EQ(0, vm_run(&vm));
	EXPECT_EQ(MVMM_EXIT_MEMORY_FAULT, vm.run->exit_reason);
	vm.mem = mmap(vm.mem, MEM_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	vm_destroy(&vm);
}

TEST_HARNESS_MAIN
