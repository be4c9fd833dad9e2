// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU touches a device with an instruction that libmvmm does not know: in a
 * guest's program it gets #UD, and all else goes on; in a kernel the machine ends,
 * and the line says by what. ioctl() plays the module.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "core/machine.h"
#include "tests/fake_module.h"

#define NOWHERE	0xd0000000	/* no device is there */
#define CODE	0x1000

static struct machine machine;
static struct error error;
static uint8_t cpl;

static size_t put(struct chardev *chardev, const uint8_t *bytes, size_t len)
{
	return len;
}

static size_t take(struct chardev *chardev, uint8_t *bytes, size_t len)
{
	return 0;
}

static bool is_flushed(struct chardev *chardev)
{
	return true;
}

static const struct chardev_ops ops = { put, take, is_flushed };
static struct chardev console = { .ops = &ops, .is_open = true };

/* vCPU 1 loads from there; vCPU 0 waits for what comes of it, and ends the guest */
static int loads_strangely(unsigned int id, unsigned int step,
			   struct mvmm_run *run)
{
	if (id) {
		if (step)
			return WAIT;
		run->exit_reason = MVMM_EXIT_MMIO;
		run->mmio.gpa = run->mmio.gva = NOWHERE;
		run->mmio.access = MVMM_ACCESS_READ;
		run->regs.rip = CODE;
		run->regs.rbx = NOWHERE;
		run->paging.cpl = cpl;
		run->paging.cs_attr = 0xc09b;	/* 32-bit code */
		return 0;
	}
	if (!fake.injections)
		return WAIT;
	out(run, 0xf4, 42);
	return 0;
}

/* Returns the status with which the machine ends */
static int run(uint8_t level)
{
	const struct machine_config config = {
		.device = "/dev/null", .vcpus = 2, .ram_size = 1 << 20 };
	static const uint8_t code[] = { 0xdd, 0x03 };	/* fldl (%ebx) */
	struct entry entry = { 0 };

	cpl = level;
	fake.script = loads_strangely;
	assert_int_equal(machine_create(&machine, &config, &console, &error), 0);
	memcpy(machine.memory.base + CODE, code, sizeof(code));
	assert_int_equal(machine_run(&machine, &entry, &error), 0);
	return machine.end.status;
}

static void of_a_program(void **state)
{
	assert_int_equal(run(3), 42);
	assert_int_equal(fake.injections, 1);
	assert_int_equal(fake.vector, 6);
	/* It is where it was: nothing is retired */
	assert_int_equal(fake.vcpu[1].run->regs.rip, CODE);
	assert_int_equal(fake.vcpu[1].retired, 0);
}

static void of_a_kernel(void **state)
{
	assert_int_equal(run(0), STATUS_VM);
	assert_int_equal(fake.injections, 0);
	assert_non_null(strstr(machine.end.text, "0xd0000000"));
	assert_non_null(strstr(machine.end.text, "dd 03"));
	assert_non_null(strstr(machine.end.text, "fld"));
}

static int setup(void **state)
{
	fake_start();
	error = (struct error){ 0 };
	alarm(20);
	return 0;
}

static int teardown(void **state)
{
	machine_destroy(&machine);
	fake_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_a_program, setup, teardown),
		cmocka_unit_test_setup_teardown(of_a_kernel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
