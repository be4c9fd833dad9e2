// SPDX-License-Identifier: GPL-2.0
/*
 * A machine that is paused, saved, made anew and loaded, without a module
 * (fake_module.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "core/machine.h"
#include "tests/fake_module.h"

#define VCPUS	4

static struct machine machine;
static struct error error;

/* A console that nobody reads or writes */
static bool put(struct chardev *chardev, uint8_t byte)
{
	return true;
}

static bool take(struct chardev *chardev, uint8_t *byte)
{
	return false;
}

static bool is_flushed(struct chardev *chardev)
{
	return true;
}

static const struct chardev_ops ops = { put, take, is_flushed };
static struct chardev console = { .ops = &ops };

static int create(unsigned int vcpus)
{
	const struct machine_config config = {
		.device = "/dev/null", .vcpus = vcpus, .ram_size = 1 << 20 };

	return machine_create(&machine, &config, &console, &error);
}

static int run(int (*script)(unsigned int, unsigned int, struct mvmm_run *),
	       struct timer *timer)
{
	struct entry entry = { 0 };

	fake.script = script;
	pthread_mutex_lock(&machine.loop.lock);
	loop_set_timer(&machine.loop, timer, 1000000);
	pthread_mutex_unlock(&machine.loop.lock);
	return machine_run(&machine, &entry, &error);
}

static void out(struct mvmm_run *run, uint16_t port, uint8_t value)
{
	run->exit_reason = MVMM_EXIT_IO;
	run->io.port = port;
	run->io.size = 1;
	run->io.flags = 0;
	run->insn_len = 1;
	run->can_inject = 0;
	run->regs.rax = value;
}

/* ---- pausing ------------------------------------------------------------ */

#define ROUNDS	20

static unsigned int rounds, moved, late, pauses_seen;
static struct timer timer;

static unsigned int steps(void)
{
	unsigned int i, sum = 0;

	pthread_mutex_lock(&fake.lock);
	for (i = 0; i < fake.nr; i++)
		sum += fake.vcpu[i].step;
	pthread_mutex_unlock(&fake.lock);
	return sum;
}

/* The loop's own: it pauses, looks whether anything goes on, and resumes */
static void on_timer(void *ctx)
{
	static unsigned int last;
	struct loop *loop = &machine.loop;
	unsigned int before;
	uint64_t now, host;

	machine_pause(&machine);
	before = steps();
	now = vm_clock_now(&machine.clock);
	usleep(1000);
	moved += steps() != before || machine.standing != machine.nr_vcpus;
	late += vm_clock_now(&machine.clock) != now;
	/* Twice is as once */
	machine_pause(&machine);
	/* The guest's time stands at one moment, and goes on from there */
	pauses_seen++;
	late += fake.clock.flags != MVMM_CLOCK_STOPPED ||
		fake.clock.host_tsc != 1000000 ||
		fake.clock.tsc != 1000 * pauses_seen;
	host = host_ns();
	machine_resume(&machine);
	late += fake.clock.flags || fake.clock.host_tsc ||
		fake.clock.tsc != 1000 * pauses_seen;
	late += vm_clock_now(&machine.clock) - now > host_ns() - host;
	/* It counts if the vCPUs have got on since the last time */
	rounds += before != last;
	last = before;
	if (rounds < ROUNDS)
		loop_set_timer(loop, &timer, now + 1000000);
	else
		machine_end(&machine, 3, "%s", "");
}

/*
 * vCPU 1 waits in RUN; the others have exits all the time, which meet at the
 * loop's lock (serial port) and at that of the interrupt lines (PIC)
 */
static int busy(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (id == 1)
		return WAIT;
	out(run, step & 1 ? 0x3fb : 0x21, 0xff);
	return 0;
}

static void pauses(void **state)
{
	rounds = moved = late = pauses_seen = 0;
	timer = (struct timer){ on_timer, NULL, 0, NULL };
	assert_int_equal(create(VCPUS), 0);
	assert_int_equal(run(busy, &timer), 0);
	assert_int_equal(rounds, ROUNDS);
	assert_int_equal(moved, 0);
	assert_int_equal(late, 0);
	assert_int_equal(fake.run_while_stopped, 0);
	assert_int_equal(machine.end.status, 3);
	machine_destroy(&machine);
}

static int halted(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	run->exit_reason = MVMM_EXIT_HLT;
	run->insn_len = 1;
	run->regs.rflags = 0x202;
	return 0;
}

/* Without local APICs HLT waits outside of RUN; after a pause it waits again */
static void pauses_a_halted_one(void **state)
{
	rounds = moved = late = pauses_seen = 0;
	timer = (struct timer){ on_timer, NULL, 0, NULL };
	fake.features = 0;
	assert_int_equal(create(1), 0);
	assert_int_equal(run(halted, &timer), 0);
	assert_int_equal(rounds, ROUNDS);
	assert_int_equal(moved, 0);
	assert_int_equal(machine.vcpu[0].run->retire, 0);
	assert_int_equal(machine.end.status, 3);
	machine_destroy(&machine);
}

/* An end while it is paused: nobody waits for ever */
static void on_timer_end(void *ctx)
{
	machine_pause(&machine);
	machine_end(&machine, 4, "%s", "");
}

static void ends_while_paused(void **state)
{
	timer = (struct timer){ on_timer_end, NULL, 0, NULL };
	assert_int_equal(create(VCPUS), 0);
	assert_int_equal(run(busy, &timer), 0);
	assert_int_equal(machine.end.status, 4);
	machine_destroy(&machine);
}

static int setup(void **state)
{
	unsigned int i;

	memset(&fake, 0, sizeof(fake));
	pthread_mutex_init(&fake.lock, NULL);
	pthread_cond_init(&fake.changed, NULL);
	fake.features = MVMM_FEATURE_APIC;
	fake.max_vcpus = fake.fail_at = 64;
	for (i = 0; i < VCPUS_MAX; i++)
		fake.vcpu[i].fd = -1;
	error = (struct error){ 0 };
	/* A test that hangs is a failure */
	alarm(20);
	return 0;
}

static int teardown(void **state)
{
	unsigned int i;

	for (i = 0; i < VCPUS_MAX; i++)
		if (fake.vcpu[i].run)
			munmap(fake.vcpu[i].run, 4096);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pauses, setup, teardown),
		cmocka_unit_test_setup_teardown(pauses_a_halted_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(ends_while_paused, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
