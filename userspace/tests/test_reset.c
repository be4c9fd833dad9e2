// SPDX-License-Identifier: GPL-2.0
/* A guest that resets itself and goes on, without a module (fake_module.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "manage/reset.h"
#include "manage/snapshot.h"
#include "tests/fake_console.h"
#include "tests/fake_module.h"

static struct machine machine;
static struct error error;

/* How the guest resets itself, and what it finds then */
static struct way {
	uint8_t code;		/* in CMOS */
	uint16_t port;		/* 0: a triple fault */
	uint8_t value;
	uint8_t kept;	/* a register of the serial port */
	bool second;		/* it is the other vCPU's triple fault */
} way;
static unsigned int at;		/* kicks are no steps */
static unsigned int wrong;	/* cmocka does not see other threads */

static void in(struct mvmm_run *run, uint16_t port)
{
	fake_io(run, port, 1, true, 0);
}

static void reset(struct mvmm_run *run)
{
	run->regs.rip = 0x1234;
	if (way.port)
		out(run, way.port, way.value);
	else
		run->exit_reason = MVMM_EXIT_SHUTDOWN;
}

static void expect(struct mvmm_run *run, uint8_t value)
{
	wrong += (run->regs.rax & 0xff) != value;
}

static int guest(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	static bool told;

	if (id) {
		/* Once the first has said so */
		if (!way.second || !told)
			return WAIT;
		told = false;
		reset(run);
		return 0;
	}
	switch (at++) {
	case 0:
		out(run, 0x3fb, 0x1b);
		break;
	case 1:
		out(run, 0x70, 0x0f);
		break;
	case 2:
		out(run, 0x71, way.code);
		break;
	case 3:
		if (way.second) {
			told = true;
			pthread_cond_broadcast(&fake.changed);
			return WAIT;
		}
		reset(run);
		break;
	case 4:
		if (!fake.vcpu[0].resets) {
			at--;
			return WAIT;
		}
		/* The way from the PIC: two registers are read, and written */
		wrong += fake.vcpu[0].accesses != (way.kept ? 4 : 0);
		/* Nothing was retired, or kept */
		wrong += fake.vcpu[0].resets != 1 || fake.vcpu[1].resets != 1;
		wrong += run->regs.rip != 0 || fake.vcpu[0].retired;
		in(run, 0x3fb);
		break;
	case 5:
		expect(run, way.kept);
		/* The battery keeps what is in CMOS, the index too */
		in(run, 0x71);
		break;
	case 6:
		expect(run, way.code);
		out(run, 0xf4, 0);
		break;
	}
	return 0;
}

static void check(const struct way w)
{
	const struct machine_config config = {
		.device = "/dev/null", .vcpus = 2, .ram_size = 1 << 20,
		.reset = reset_machine,
		.add = { { "i8042" } }, .nr_add = 1 };
	struct entry entry = { 0 };

	fake_start();
	/* One that hangs is a failure */
	alarm(20);
	way = w;
	at = wrong = 0;
	assert_int_equal(machine_create(&machine, &config, &console, &error), 0);
	memset(machine.memory.base, 'r', 16);
	fake.script = guest;
	assert_int_equal(machine_run(&machine, &entry, &error), 0);
	assert_string_equal(machine.end.text, "");
	assert_int_equal(machine.end.status, 0);
	assert_int_equal(wrong, 0);
	assert_memory_equal(machine.memory.base, "rrrrrrrrrrrrrrrr", 16);
	machine_destroy(&machine);
	fake_stop();
}

static void board(void **state)
{
	check((struct way){ .port = 0x64, .value = 0xfe });
	check((struct way){ .port = 0x92, .value = 1 });
	check((struct way){ .port = 0xcf9, .value = 4 });
	check((struct way){ .port = 0xcf9, .value = 6, .code = 0x0a });
	check((struct way){ .code = 0x42 });
}

/* For a 286 in protected mode it is the way back */
static void cpus(void **state)
{
	check((struct way){ .port = 0x64, .value = 0xfe, .code = 0x0a,
			    .kept = 0x1b });
	check((struct way){ .port = 0x92, .value = 1, .code = 0x05,
			    .kept = 0x1b });
	check((struct way){ .port = 0xcf9, .value = 4, .code = 0x09,
			    .kept = 0x1b });
	check((struct way){ .code = 0x0a, .kept = 0x1b });
}

/* Any of them, whatever the others do */
static void by_another(void **state)
{
	check((struct way){ .second = true });
}

static void save(void *ctx)
{
	struct timer *timer = ctx;
	struct error why;

	machine_pause(&machine);
	if (machine_ended(&machine))
		return;
	pthread_mutex_unlock(&machine.loop.lock);
	if (machine_renew(&machine, NULL, &why))
		machine_end(&machine, STATUS_OS, "%s", why.text);
	pthread_mutex_lock(&machine.loop.lock);
	machine_resume(&machine);
	loop_set_timer(&machine.loop, timer,
		       vm_clock_now(&machine.clock) + 100000);
}

static unsigned int saved_resets, done_resets;

static void count_reset(struct machine *m)
{
	done_resets++;
	reset_machine(m);
}

/* Resets, while the machine is saved all the time */
static int again(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (id)
		return WAIT;
	if (saved_resets++ < 50)
		out(run, 0xcf9, 6);
	else
		out(run, 0xf4, 0);
	return 0;
}

static void while_saved(void **state)
{
	const struct machine_config config = {
		.device = "/dev/null", .vcpus = 2, .ram_size = 1 << 20,
		.reset = count_reset };
	struct timer timer = { save, &timer, 0, NULL };
	struct entry entry = { 0 };

	fake_start();
	alarm(20);
	assert_int_equal(machine_create(&machine, &config, &console, &error), 0);
	fake.script = again;
	loop_set_timer(&machine.loop, &timer, 1);
	assert_int_equal(machine_run(&machine, &entry, &error), 0);
	assert_string_equal(machine.end.text, "");
	assert_int_equal(machine.end.status, 0);
	assert_int_equal(done_resets, 50);
	machine_destroy(&machine);
	fake_stop();
}

static unsigned int arrived;

/*
 * vCPU 0 pauses the machine, as --reload-every does, while vCPU 1 resets it and
 * vCPU 2 has not stopped yet
 */
static void pause_here(void *ctx, struct vcpu *v)
{
	static bool was[3];

	if (was[v->id] || v->run->exit_reason != MVMM_EXIT_IO)
		return;
	was[v->id] = true;
	__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
	if (!v->id) {
		while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < 3)
			usleep(1000);
		pthread_mutex_lock(&machine.loop.lock);
		machine.standing++;
		machine_pause(&machine);
		machine_resume(&machine);
		machine.standing--;
		pthread_mutex_unlock(&machine.loop.lock);
		return;
	}
	while (!machine_pausing(&machine))
		usleep(1000);
	if (v->id == 1)
		return;
	while (!__atomic_load_n(&machine.resetting, __ATOMIC_ACQUIRE))
		usleep(1000);
	usleep(50000);
	/* Not while this one runs */
	pthread_mutex_lock(&fake.lock);
	wrong += fake.vcpu[0].resets;
	pthread_mutex_unlock(&fake.lock);
}

static int once(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (!step)
		out(run, id == 1 ? 0xcf9 : 0x80, 6);
	else if (!id && fake.vcpu[0].resets)
		out(run, 0xf4, 0);
	else
		return WAIT;
	return 0;
}

static void while_paused(void **state)
{
	const struct machine_config config = {
		.device = "/dev/null", .vcpus = 3, .ram_size = 1 << 20,
		.reset = reset_machine, .after_run = pause_here };
	struct entry entry = { 0 };

	fake_start();
	alarm(20);
	wrong = 0;
	assert_int_equal(machine_create(&machine, &config, &console, &error), 0);
	fake.script = once;
	assert_int_equal(machine_run(&machine, &entry, &error), 0);
	assert_string_equal(machine.end.text, "");
	assert_int_equal(machine.end.status, 0);
	assert_int_equal(wrong, 0);
	machine_destroy(&machine);
	fake_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(board),
		cmocka_unit_test(cpus),
		cmocka_unit_test(by_another),
		cmocka_unit_test(while_saved),
		cmocka_unit_test(while_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
