// SPDX-License-Identifier: GPL-2.0
/* MVMM_VM_IOEVENTFD: doorbells that ring without an exit; and its errnos. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vm.h"

#define PORT 0x1234

FIXTURE(ioeventfd)
{
	struct vm vm;
	int fd;
};

FIXTURE_SETUP(ioeventfd)
{
	ASSERT_EQ(0, vm_create(&self->vm));
	ASSERT_EQ(0, vm_set_mode(&self->vm, LONG64));
	self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(ioeventfd)
{
	close(self->fd);
	vm_destroy(&self->vm);
}

static uint64_t rung(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* Two bytes of 5, a word of 7; a byte to the next port; IN; OUTS */
GUEST(ring, "mov $0x1234, %edx\n mov $0x1105, %eax\n"
      "out %al, %dx\n out %al, %dx\n"
      "mov $7, %eax\n out %ax, %dx\n"
      "inc %edx\n out %al, %dx\n dec %edx\n"
      "in %dx, %al\n"
      "lea (%rip), %rsi\n outsb\n"
      "hlt");

GUEST(ring_and_store, "mov $0x1234, %edx\n out %al, %dx\n"
      "mov $0x10000000, %ebx\n mov %eax, (%rbx)\n hlt");

/* The length of a doorbell's OUT does not become that of the next exit */
TEST_F(ioeventfd, leaves_no_length)
{
	ASSERT_EQ(0, mvmm_ioeventfd(self->vm.vm, PORT, 0, self->fd, 0, 0));
	LOAD(&self->vm, ring_and_store);
	ASSERT_EQ(0, vm_run(&self->vm));
	ASSERT_EQ(MVMM_EXIT_MMIO, self->vm.run->exit_reason);
	EXPECT_EQ(0, self->vm.run->insn_len);
	EXPECT_EQ(1, rung(self->fd));
}

static int ring_all(struct vm *vm)
{
	LOAD(vm, ring);
	vm_set_rip(vm, CODE);
	vm->io_count = 0;
	return vm_run_to_exit(vm);
}

TEST_F(ioeventfd, rings)
{
	int vm = self->vm.vm, fd = self->fd;

	/* Without a doorbell all six exit */
	ASSERT_EQ(MVMM_EXIT_HLT, ring_all(&self->vm));
	EXPECT_EQ(6, self->vm.io_count);
	EXPECT_EQ(0, rung(fd));
	/* For any length and value: three no longer exit */
	ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT, 0, fd, 0, 0));
	ASSERT_EQ(MVMM_EXIT_HLT, ring_all(&self->vm));
	EXPECT_EQ(3, self->vm.io_count);
	EXPECT_EQ(3, rung(fd));
	ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT, 0, fd, MVMM_IOEVENTFD_DEASSIGN,
				    0));
	ASSERT_EQ(MVMM_EXIT_HLT, ring_all(&self->vm));
	EXPECT_EQ(6, self->vm.io_count);
	EXPECT_EQ(0, rung(fd));
}

TEST_F(ioeventfd, length_and_value)
{
	int vm = self->vm.vm, fd = self->fd;

	ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT, 2, fd, 0, 0));
	ASSERT_EQ(MVMM_EXIT_HLT, ring_all(&self->vm));
	EXPECT_EQ(1, rung(fd));
	/* Only as many bytes as the length count: AL is 5, EAX is not */
	ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT, 1, fd, MVMM_IOEVENTFD_DATAMATCH,
				    5));
	ASSERT_EQ(MVMM_EXIT_HLT, ring_all(&self->vm));
	EXPECT_EQ(3, rung(fd));
	EXPECT_EQ(3, self->vm.io_count);
	ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT, 1, fd, MVMM_IOEVENTFD_DATAMATCH |
				    MVMM_IOEVENTFD_DEASSIGN, 5));
	ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT, 1, fd, MVMM_IOEVENTFD_DATAMATCH,
				    6));
	ASSERT_EQ(MVMM_EXIT_HLT, ring_all(&self->vm));
	EXPECT_EQ(1, rung(fd));
}

/* As many as there may be, at one port: each rings for its own value only */
TEST_F(ioeventfd, many_values)
{
	int vm = self->vm.vm, other = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), i;

	ASSERT_LE(0, other);
	for (i = 0; i < 1023; i++)
		ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT, 2, i == 7 ? self->fd :
					    other, MVMM_IOEVENTFD_DATAMATCH, i));
	ASSERT_EQ(MVMM_EXIT_HLT, ring_all(&self->vm));
	EXPECT_EQ(1, rung(self->fd));
	EXPECT_EQ(0, rung(other));
	EXPECT_EQ(5, self->vm.io_count);
	/* Beside one for all values, which the bytes ring */
	ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT, 0, other, 0, 0));
	ASSERT_EQ(MVMM_EXIT_HLT, ring_all(&self->vm));
	EXPECT_EQ(1, rung(self->fd));
	EXPECT_EQ(2, rung(other));
	EXPECT_EQ(3, self->vm.io_count);
	close(other);
}

TEST_F(ioeventfd, errors)
{
	int vm = self->vm.vm, fd = self->fd, i;

	EXPECT_EQ(-EOPNOTSUPP, mvmm_ioeventfd(vm, PORT, 1, fd, 4, 0));
	EXPECT_EQ(-EINVAL, mvmm_ioeventfd(vm, PORT, 3, fd, 0, 0));
	EXPECT_EQ(-EINVAL, mvmm_ioeventfd(vm, PORT, 8, fd, 0, 0));
	EXPECT_EQ(-EINVAL, mvmm_ioeventfd(vm, PORT, 1, fd, 0, 1));
	EXPECT_EQ(-EINVAL, mvmm_ioeventfd(vm, PORT, 0, fd,
					  MVMM_IOEVENTFD_DATAMATCH, 1));
	EXPECT_EQ(-EBADF, mvmm_ioeventfd(vm, PORT, 1, -1, 0, 0));
	/* An fd that is not an eventfd */
	EXPECT_EQ(-EINVAL, mvmm_ioeventfd(vm, PORT, 1, vm, 0, 0));
	EXPECT_EQ(-ENOENT, mvmm_ioeventfd(vm, PORT, 1, fd,
					  MVMM_IOEVENTFD_DEASSIGN, 0));
	ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT, 1, fd, 0, 0));
	EXPECT_EQ(-EEXIST, mvmm_ioeventfd(vm, PORT, 1, fd, 0, 0));
	for (i = 1; i < 1024; i++)
		ASSERT_EQ(0, mvmm_ioeventfd(vm, PORT + i, 1, fd, 0, 0));
	EXPECT_EQ(-ENOSPC, mvmm_ioeventfd(vm, PORT + i, 1, fd, 0, 0));
	EXPECT_EQ(0, mvmm_ioeventfd(vm, PORT + 700, 1, fd,
				    MVMM_IOEVENTFD_DEASSIGN, 0));
	EXPECT_EQ(0, mvmm_ioeventfd(vm, PORT + i, 1, fd, 0, 0));
	/* The VM's end removes the doorbells */
}

TEST_HARNESS_MAIN
