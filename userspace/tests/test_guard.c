// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory that goes away while a disk's requests go on: the file behind it is
 * cut short. mvmm's own memfd cannot be, so another file is put in its place, and each
 * case is a process of its own, for that may end it.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "base/guard.h"
#include "block/block.h"
#include "tests/virtio_driver.h"

#define LONG	(1u << 20)

static int backing;

static void restore(void)
{
	if (write(STDERR_FILENO, "restored\n", 9) != 9)
		_exit(99);
}

/* A guest with a disk, whose memory is guarded as that of "mvmm run" */
static void start(void)
{
	static char path[32];
	struct block_config config = { .path = path };
	int fd = memfd_create("disk", 0);

	backing = memfd_create("ram", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bare_start();
	if (ftruncate(fd, LONG) || ftruncate(backing, MEMORY) ||
	    memory_create(&m.memory, MEMORY, true, &error) ||
	    mmap(m.memory.base, MEMORY, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, backing, 0) != m.memory.base)
		_exit(98);
	m.config.disk[0] = file_open(&config, &error);
	m.config.disks = 1;
	if (!m.config.disk[0])
		_exit(97);
	bare_device("pci-host");
	bare_device_with("virtio-blk", "ioeventfd=on");
	driver_start(0);
	guard_memory(m.memory.base, m.memory.all, restore);
	if (do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, LONG))
		_exit(96);
}

static void cut(uint64_t size)
{
	if (ftruncate(backing, size))
		_exit(95);
}

/* The device finds the request's head gone; the driver touches nothing */
static void cut_before(void)
{
	make_request(0, VIRTIO_BLK_T_IN, 0, BUFFERS, 512);
	offer(0);
	cut(USED);
	kick();
	loop_run(&m.loop, NULL, NULL);
}

static void cut_and_end(struct block *block, struct block_request *r)
{
	cut(USED);
	r->result = 0;
	r->done(r);
}

/* The device finds the place of the status gone, which it had looked at */
static void cut_while_it_runs(void)
{
	struct block *disk = m.config.disk[0];
	static struct block_ops cutting;

	cutting = *disk->ops;
	cutting.submit = cut_and_end;
	disk->ops = &cutting;
	make_request(0, VIRTIO_BLK_T_IN, 0, BUFFERS, 512);
	offer(0);
	kick();
	loop_run(&m.loop, NULL, NULL);
}

/* What is left has the rings: the guest is told that the kernel could not write */
static void cut_buffers(void)
{
	cut(BUFFERS);
	_exit(do_request(VIRTIO_BLK_T_IN, 0, BUFFERS, LONG) ==
	      VIRTIO_BLK_S_IOERR ? 42 : 93);
}

/* Memory that is not the guest's: a crash, whose signal stays */
static void cut_another(void)
{
	int fd = memfd_create("other", 0);
	volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_SHARED, fd, 0);

	*page = 1;
}

/* As the kernel does for broken memory */
static void send_sigbus(int code)
{
	siginfo_t info = { .si_signo = SIGBUS, .si_code = code };

	info.si_addr = m.memory.base;
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info))
		_exit(91);
}

/* The guest's access: RUN tells; and what nobody has touched is nobody's yet */
static void break_under_guest(void)
{
	guard_in_run = 1;
	send_sigbus(BUS_MCEERR_AR);
	guard_in_run = 0;
	send_sigbus(BUS_MCEERR_AO);
	_exit(42);
}

static void break_under_mvmm(void)
{
	send_sigbus(BUS_MCEERR_AR);
}

/* How a process ends that does @work, and what it says */
static int ends(void (*work)(void), char *said, size_t size)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		alarm(30);
		start();
		work();
		_exit(92);
	}
	close(fds[1]);
	while ((got = read(fds[0], said + len, size - 1 - len)) > 0)
		len += got;
	said[len] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_told(void (*work)(void))
{
	char said[1024];
	int status = ends(work, said, sizeof(said));

	if (!WIFEXITED(status) || WEXITSTATUS(status) != STATUS_VM)
		print_error("%s", said);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), STATUS_VM);
	assert_string_equal(said,
			    "restored\nmvmm run: the guest's memory cannot be had: its file was cut short, the host has no huge pages left, or it is broken\n");
}

/* Whoever has the memfd, a back end by vhost-user too, cannot cut it */
static void own_memory(void **state)
{
	struct memory memory = { 0 };

	assert_int_equal(memory_create(&memory, MEMORY, true, &error), 0);
	assert_int_equal(ftruncate(memory.fd, 4096), -1);
	assert_int_equal(errno, EPERM);
	memory_destroy(&memory);
}

static void before(void **state)
{
	assert_told(cut_before);
}

static void while_it_runs(void **state)
{
	assert_told(cut_while_it_runs);
}

static void buffers(void **state)
{
	char said[1024];
	int status = ends(cut_buffers, said, sizeof(said));

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

static void broken(void **state)
{
	char said[1024];
	int status = ends(break_under_guest, said, sizeof(said));

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_told(break_under_mvmm);
}

static void another(void **state)
{
	char said[1024];
	int status = ends(cut_another, said, sizeof(said));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_memory), cmocka_unit_test(before),
		cmocka_unit_test(while_it_runs), cmocka_unit_test(buffers),
		cmocka_unit_test(broken), cmocka_unit_test(another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
