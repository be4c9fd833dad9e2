// SPDX-License-Identifier: GPL-2.0
/*
 * A machine that is paused, saved, made anew and loaded, without a module
 * (fake_module.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "manage/reload.h"
#include "manage/snapshot.h"
#include "tests/fake_console.h"
#include "tests/fake_module.h"

#define VCPUS	4

static struct machine machine;
static struct error error;

static struct machine_config config = {
	.device = "/dev/null", .ram_size = 1 << 20 };

static int create(unsigned int vcpus)
{
	config.vcpus = vcpus;
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

/* ---- pausing ------------------------------------------------------------ */

#define ROUNDS	20

static unsigned int rounds, moved, late, pauses_seen;
static struct timer timer;

static unsigned int steps(void)
{
	unsigned int i, sum = 0;

	pthread_mutex_lock(&fake.lock);
	for (i = 0; i < VCPUS_MAX; i++)
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

/* ---- saving and loading ------------------------------------------------- */

/* Every bit of a vCPU's state goes through the table */
static void table_of_a_vcpu(void **state)
{
	static struct mvmm_vcpu_state a, b;
	struct error why = { 0 };
	json_t *saved;

	memset(&a, 0x96, sizeof(a));
	a.has_apic = true;
	a.sregs.size = a.sregs.reserved = 0;
	memset(a.sregs.gdt.reserved, 0, sizeof(a.sregs.gdt.reserved));
	memset(a.sregs.idt.reserved, 0, sizeof(a.sregs.idt.reserved));
	a.dregs.size = a.dregs.reserved = 0;
	a.events.size = a.apic.size = 0;
	memset(a.events.reserved, 0, sizeof(a.events.reserved));
	for (unsigned int i = 0; i < 64; i++)
		a.msr[i].reserved = 0;
	for (unsigned int i = 0; i < 128; i++)
		a.cpuid[i].reserved = 0;
	saved = fields_save(vcpu_fields, &a);
	assert_non_null(saved);
	assert_int_equal(fields_load(vcpu_fields, &b, saved, &why), 0);
	json_decref(saved);
#define SAME(member) \
	assert_memory_equal(&a.member, &b.member, sizeof(a.member))
	SAME(has_apic);
	SAME(retire);
	SAME(set_cr);
	SAME(nr_msrs);
	SAME(nr_cpuid);
	SAME(cr_value);
	SAME(regs);
	SAME(sregs);
	SAME(dregs);
	SAME(events);
	SAME(apic);
	SAME(msr);
	SAME(cpuid);
	SAME(xsave);
#undef SAME
}

static unsigned int wrong, count[VCPUS];

/* As cmd/run.c does it */
static void on_timer_renew(void *ctx)
{
	struct loop *loop = &machine.loop;
	json_t *saved, *text;
	char *dumped;

	machine_pause(&machine);
	pthread_mutex_unlock(&loop->lock);
	saved = machine_save(&machine, &error);
	assert_non_null(saved);
	dumped = json_dumps(saved, 0);
	json_decref(saved);
	machine.floppies = 0x40;
	assert_int_equal(machine_rebuild(&machine, &error), 0);
	/* The drives are those that it had */
	wrong += machine.floppies != 0x40;
	text = json_loads(dumped, 0, NULL);
	assert_int_equal(machine_load(&machine, text, &error), 0);
	/* What is saved now is what was loaded */
	saved = machine_save(&machine, &error);
	wrong += !json_equal(saved, text);
	json_decref(saved);
	json_decref(text);
	free(dumped);
	pthread_mutex_lock(&loop->lock);
	machine_resume(&machine);
	if (++rounds < ROUNDS)
		loop_set_timer(loop, &timer,
			       vm_clock_now(&machine.clock) + 1000000);
	else
		machine_end(&machine, 5, "%s", "");
}

/*
 * Each vCPU counts in rbx. vCPU 0 also writes the serial port's scratch register
 * and reads it again, which goes through a device's state and, half done, through
 * the run page's
 */
static int counts(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	wrong += run->regs.rbx != count[id];
	if (!id && count[id] && count[id] % 2 == 0)
		wrong += (run->regs.rax & 0xff) != (count[id] - 1) % 251;
	run->regs.rbx = ++count[id];
	if (id)
		out(run, 0x80, 0);
	else
		out(run, 0x3ff, count[id] % 251);
	if (!id && count[id] % 2 == 0) {
		run->io.flags = MVMM_IO_IN;
		run->regs.rax = 0;
	}
	return 0;
}

static void renews(void **state)
{
	rounds = wrong = 0;
	memset(count, 0, sizeof(count));
	timer = (struct timer){ on_timer_renew, NULL, 0, NULL };
	assert_int_equal(create(VCPUS), 0);
	assert_int_equal(run(counts, &timer), 0);
	assert_int_equal(rounds, ROUNDS);
	assert_int_equal(wrong, 0);
	assert_int_equal(fake.run_while_stopped, 0);
	assert_int_equal(machine.end.status, 5);
	machine_destroy(&machine);
}

static struct reload reload;

static void on_timer_reloads(void *ctx)
{
	static unsigned int last;

	rounds += reload.done != last;
	last = reload.done;
	if (rounds < ROUNDS)
		loop_set_timer(&machine.loop, &timer,
			       vm_clock_now(&machine.clock) + 1000000);
	else
		machine_end(&machine, 6, "%s", "");
}

/* In place, by threads of vCPUs that are at an exit which is not completed yet */
static void reloads(void **state)
{
	struct machine_config with = config;

	rounds = wrong = 0;
	memset(count, 0, sizeof(count));
	memset(&reload, 0, sizeof(reload));
	timer = (struct timer){ on_timer_reloads, NULL, 0, NULL };
	with.vcpus = VCPUS;
	reload_init(&reload, &with, &machine, 50);
	assert_int_equal(machine_create(&machine, &with, &console, &error), 0);
	pthread_mutex_lock(&machine.loop.lock);
	reload_start(&reload);
	pthread_mutex_unlock(&machine.loop.lock);
	assert_int_equal(run(counts, &timer), 0);
	assert_true(reload.done >= ROUNDS);
	assert_int_equal(wrong, 0);
	assert_int_equal(fake.run_while_stopped, 0);
	assert_string_equal(machine.end.text, "");
	assert_int_equal(machine.end.status, 6);
	machine_destroy(&machine);
}

/* What a vCPU forgets is named */
static void misses_what_is_lost(void **state)
{
	struct machine_config with = config;

	memset(count, 0, sizeof(count));
	memset(&reload, 0, sizeof(reload));
	rounds = 0;
	timer = (struct timer){ on_timer_reloads, NULL, 0, NULL };
	with.vcpus = 1;
	reload_init(&reload, &with, &machine, 1);
	assert_int_equal(machine_create(&machine, &with, &console, &error), 0);
	fake.forgetful = true;
	fake.vcpu[0].state.dregs.dr7 = 0x400;
	assert_int_equal(run(counts, &timer), 0);
	assert_int_equal(machine.end.status, STATUS_VM);
	assert_non_null(strstr(machine.end.text, "vCPU 0 is not as before"));
	machine_destroy(&machine);
}

/* What was saved goes on in another machine, which has not run yet */
static int ends(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (id)
		return WAIT;
	out(run, 0xf4, run->regs.rcx);
	return 0;
}

static void another_machine(void **state)
{
	json_t *saved;

	assert_int_equal(create(2), 0);
	machine.vcpu[0].run->regs.rcx = 77;
	machine.clock.stopped_at = 123456789;
	fake.clock.tsc = 5000;
	machine.guest_time.tsc = 6000;
	saved = machine_save(&machine, &error);
	assert_non_null(saved);
	machine_destroy(&machine);
	/* Another number of vCPUs, or size of RAM */
	assert_int_equal(create(3), 0);
	assert_int_equal(machine_load(&machine, saved, &error), -1);
	assert_int_equal(error.status, STATUS_DATA);
	assert_non_null(strstr(error.text, "2 vCPUs"));
	machine_destroy(&machine);
	config.ram_size = 2 << 20;
	assert_int_equal(create(2), 0);
	assert_int_equal(machine_load(&machine, saved, &error), -1);
	assert_non_null(strstr(error.text, "1048576 bytes"));
	machine_destroy(&machine);
	config.ram_size = 1 << 20;
	assert_int_equal(create(2), 0);
	assert_int_equal(machine_load(&machine, saved, &error), 0);
	assert_int_equal(fake.clock.tsc, 6000);
	assert_int_equal(fake.clock.flags, MVMM_CLOCK_STOPPED);
	assert_int_equal(vm_clock_now(&machine.clock), 123456789);
	fake.script = ends;
	assert_int_equal(machine_run(&machine, NULL, &error), 0);
	assert_int_equal(machine.end.status, 77);
	assert_int_equal(fake.clock.flags, 0);
	assert_true(vm_clock_now(&machine.clock) > 123456789);
	machine_destroy(&machine);
	json_decref(saved);
}

/* The one file with RAM in it */
static void find_ram(const char *dir, char *file, size_t size)
{
	char pattern[64];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/ram.*", dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	snprintf(file, size, "%s", found.gl_pathv[0]);
	globfree(&found);
}

/* What a balloon gives back does not come back as it was in the file */
static void discarded(char *ram)
{
	assert_int_equal(memory_discard(&machine.memory, ram + 0x80000, 4096),
			 0);
	assert_int_equal(ram[0x80000], 0);
	strcpy(ram + 0x80000, "written");
}

static void change(const char *dir, const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "sed -i 's|%s|%s|' %s/machine.json", from, to, dir);
	assert_int_equal(system(command), 0);
}

static void refuses_to_read(const char *dir, const char *why)
{
	assert_int_equal(snapshot_read(&machine, dir, &error), -1);
	if (!strstr(error.text, why))
		print_error("%s\n", error.text);
	assert_non_null(strstr(error.text, why));
}

static void end_and_create(void)
{
	fake.script = ends;
	assert_int_equal(machine_run(&machine, NULL, &error), 0);
	assert_int_equal(machine.end.status, 78);
	machine_destroy(&machine);
	assert_int_equal(create(2), 0);
}

/* A snapshot in a directory, and all that can be wrong with one */
static void directory(void **state)
{
	char dir[] = "/tmp/mvmm-snapshot.XXXXXX", file[64], *ram;
	struct stat st;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(create(2), 0);
	machine.vcpu[0].run->regs.rcx = 78;
	ram = (char *)machine.memory.base;
	strcpy(ram + 0x80000, "written");
	assert_int_equal(snapshot_write(&machine, dir, &error), 0);
	/* Only what is not zero takes space: a part of 1 MiB */
	find_ram(dir, file, sizeof(file));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, machine.memory.all);
	assert_true(st.st_blocks * 512 <= 1 << 17);
	/* It can be written again while it is in use */
	assert_int_equal(machine_rebuild(&machine, &error), 0);
	strcpy(ram + 0x80000, "lost");
	assert_int_equal(snapshot_read(&machine, dir, &error), 0);
	assert_string_equal(ram + 0x80000, "written");
	discarded(ram);
	ram[0x90000] = 1;
	assert_int_equal(snapshot_write(&machine, dir, &error), 0);
	assert_string_equal(ram + 0x80000, "written");
	machine_destroy(&machine);
	assert_int_equal(create(2), 0);
	assert_int_equal(snapshot_read(&machine, dir, &error), 0);
	ram = (char *)machine.memory.base;
	assert_string_equal(ram + 0x80000, "written");
	assert_int_equal(ram[0x90000], 1);
	end_and_create();
	find_ram(dir, file, sizeof(file));
	assert_int_equal(truncate(file, 4096), 0);
	refuses_to_read(dir, "/ram.");
	assert_int_equal(truncate(file, machine.memory.all), 0);
	/* Another host's rate, a time that cannot be, a file from elsewhere */
	change(dir, "tsc_khz\": ", "tsc_khz\": 7");
	refuses_to_read(dir, "whose TSC has 7");
	change(dir, "tsc_khz\": 72000000", "tsc_khz\": 0");
	refuses_to_read(dir, "whose TSC has 0");
	change(dir, "tsc_khz\": 0", "tsc_khz\": 72000000");
	/* Which is the guest's on a CPU that scales, and goes into the next state */
	fake.features |= MVMM_FEATURE_TSC_SCALING;
	assert_int_equal(snapshot_read(&machine, dir, &error), 0);
	assert_int_equal(fake.clock.tsc_khz, 72000000);
	assert_int_equal(machine.tsc_khz, 72000000);
	end_and_create();
	change(dir, "tsc_khz\": 7", "tsc_khz\": ");
	/* One that is nearly the host's is taken for it elsewhere */
	change(dir, "tsc_khz\": 2000000", "tsc_khz\": 2000001");
	fake.features &= ~MVMM_FEATURE_TSC_SCALING;
	assert_int_equal(snapshot_read(&machine, dir, &error), 0);
	assert_int_equal(fake.clock.tsc_khz, 0);
	assert_int_equal(machine.tsc_khz, FAKE_TSC_KHZ);
	end_and_create();
	change(dir, "tsc_khz\": 2000001", "tsc_khz\": 2000000");
	change(dir, "stopped_at\": ", "stopped_at\": -1");
	refuses_to_read(dir, "a state from the year");
	change(dir, "stopped_at\": -1", "stopped_at\": ");
	change(dir, "\"ram\": \"ram.", "\"ram\": \"ram./../");
	refuses_to_read(dir, "where its RAM is");
	snprintf(file, sizeof(file), "%s/machine.json", dir);
	assert_int_equal(truncate(file, 100), 0);
	assert_int_equal(snapshot_read(&machine, dir, &error), -1);
	assert_non_null(strstr(error.text, "machine.json, line "));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(snapshot_read(&machine, dir, &error), -1);
	assert_non_null(strstr(error.text, "machine.json: No such file"));
	find_ram(dir, file, sizeof(file));
	assert_int_equal(unlink(file), 0);
	/* No temporary file is left */
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(snapshot_read(&machine, dir, &error), -1);
	assert_int_equal(error.status, STATUS_NO_INPUT);
	assert_int_equal(snapshot_write(&machine, "/proc/none", &error), -1);
	machine_destroy(&machine);
}

static void refuses(void **state)
{
	static const char *const bad[] = {
		"{}", "[]", "{\"format\":1}",
		"{\"format\":2,\"machine\":{},\"vcpus\":[],\"devices\":{}}",
		"{\"format\":1,\"machine\":{},\"vcpus\":[],\"devices\":{}}",
		"{\"format\":1,\"machine\":1,\"vcpus\":{},\"devices\":1}" };
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *saved = json_loads(bad[i], 0, NULL);

		assert_non_null(saved);
		assert_int_equal(create(1), 0);
		error = (struct error){ 0 };
		assert_int_equal(machine_load(&machine, saved, &error), -1);
		assert_int_equal(error.status, STATUS_DATA);
		machine_destroy(&machine);
		json_decref(saved);
	}
}

static int setup(void **state)
{
	fake_start();
	error = (struct error){ 0 };
	/* A test that hangs is a failure */
	alarm(20);
	return 0;
}

static int teardown(void **state)
{
	fake_stop();
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
		cmocka_unit_test(table_of_a_vcpu),
		cmocka_unit_test_setup_teardown(renews, setup, teardown),
		cmocka_unit_test_setup_teardown(reloads, setup, teardown),
		cmocka_unit_test_setup_teardown(misses_what_is_lost, setup,
						teardown),
		cmocka_unit_test_setup_teardown(another_machine, setup,
						teardown),
		cmocka_unit_test_setup_teardown(directory, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
