// SPDX-License-Identifier: GPL-2.0
/*
 * The machine without a module (fake_module.h): its vCPUs, controllers, ends and
 * its console.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "base/guard.h"
#include "block/block.h"
#include "char/stdio.h"
#include "core/machine.h"
#include "devices/isa/power.h"
#include "manage/machine_check.h"
#include "tests/fake_module.h"

static struct machine machine;
static struct stdio console;
static struct error error;
static uint32_t weight;

/* As in cmd/run.c, in short */
static void on_event(void *ctx, enum stdio_event event, int error)
{
	if (event == STDIO_SIGTERM && power_button(machine.power))
		return;
	stdio_discard(&console);
	machine_end(&machine, 128 + SIGTERM, "%s", "");
}

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int create(unsigned int vcpus)
{
	const struct machine_config config = {
		.device = "/dev/null", .vcpus = vcpus, .ram_size = 1 << 20,
		.weight = weight, .machine_check = machine_check };

	stdio_init(&console, on_event, NULL);
	return machine_create(&machine, &config, &console.chardev, &error);
}

static int run(int (*script)(unsigned int, unsigned int, struct mvmm_run *))
{
	struct entry entry = { 0 };
	int ret;

	fake.script = script;
	assert_int_equal(stdio_start(&console, &machine.loop), 0);
	ret = machine_run(&machine, &entry, &error);
	stdio_stop(&console);
	return ret;
}

static void port(unsigned int id, uint16_t port, uint8_t value)
{
	machine.vcpu[id].guest.port(machine.vcpu[id].guest.ctx, port, &value, 1,
				    true);
}

static void mmio(unsigned int id, uint64_t gpa, void *data, unsigned int size,
		 bool write)
{
	machine.vcpu[id].guest.mmio(machine.vcpu[id].guest.ctx, gpa, data, size,
				    write);
}

static void ioapic(uint8_t reg, uint32_t value)
{
	uint32_t select = reg;

	mmio(0, 0xfec00000, &select, 4, true);
	mmio(0, 0xfec00010, &value, 4, true);
}

/* ---- making one ------------------------------------------------------- */

static void unwinds(void **state)
{
	int before = open_fds();
	unsigned int i;

	for (i = 0; i < 4; i++) {
		unsigned int j;

		fake.fail_at = i;
		assert_int_equal(create(4), -1);
		assert_int_equal(error.status, STATUS_OS);
		assert_non_null(strstr(error.text, "cannot make vCPU"));
		assert_int_equal(open_fds(), before);
		for (j = 0; j < i; j++) {
			munmap(fake.vcpu[j].run, 4096);
			fake.vcpu[j] = (struct fake_vcpu){ .fd = -1 };
		}
	}
}

static void close_disk(struct block *disk)
{
	disk->ops->close(disk);
}

/* A disk's options are its device's: they are not lost if it has one already */
static void options_of_no_device(void **state)
{
	struct machine_config config = {
		.device = "/dev/null", .vcpus = 1, .ram_size = 1 << 20,
		.disks = 1, .disk_options = { "queues=2" }, .nr_add = 1,
		.close_disk = close_disk, .add = { { "virtio-blk", "disk=0" } } };
	int file = memfd_create("disk", 0), before = open_fds();
	struct block_config disk = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	disk.path = path;
	assert_int_equal(ftruncate(file, 4096), 0);
	config.disk[0] = file_open(&disk, &error);
	assert_non_null(config.disk[0]);
	stdio_init(&console, on_event, NULL);
	assert_int_equal(machine_create(&machine, &config, &console.chardev,
					&error), -1);
	assert_non_null(strstr(error.text, "--device virtio-blk"));
	assert_int_equal(open_fds(), before);
	close(file);
}

static void limits(void **state)
{
	fake.max_vcpus = 2;
	assert_int_equal(create(4), -1);
	assert_int_equal(error.status, STATUS_USAGE);
	assert_non_null(strstr(error.text, "--cpus 4"));
	assert_non_null(strstr(error.text, "at most 2"));
	/* A module without local APICs */
	fake.features = 0;
	assert_int_equal(create(2), -1);
	assert_int_equal(error.status, STATUS_USAGE);
	assert_non_null(strstr(error.text, "no local APICs"));
	assert_int_equal(create(1), 0);
	assert_int_equal(fake.vm_flags, 0);
	machine_destroy(&machine);
	fake.vcpu[0].fd = -1;
	munmap(fake.vcpu[0].run, 4096);
	fake.vcpu[0].run = NULL;
	fake.features = MVMM_FEATURE_APIC;
	assert_int_equal(create(1), 0);
	assert_int_equal(fake.vm_flags, MVMM_VM_APIC);
	machine_destroy(&machine);
}

/* ---- running it ------------------------------------------------------- */

static int third_ends(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (id != 2)
		return WAIT;
	out(run, 0xf4, 42);
	return 0;
}

static void end_of_all(void **state)
{
	unsigned int i;

	assert_int_equal(create(VCPUS_MAX), 0);
	assert_int_equal(run(third_ends), 0);
	assert_int_equal(machine.end.status, 42);
	for (i = 0; i < VCPUS_MAX; i++)
		assert_true(fake.vcpu[i].kicks >= 1);
	machine_destroy(&machine);
}

static int dies(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (id != 1)
		return WAIT;
	run->exit_reason = MVMM_EXIT_SHUTDOWN;
	return 0;
}

static void triple_fault(void **state)
{
	assert_int_equal(create(2), 0);
	assert_int_equal(run(dies), 0);
	assert_int_equal(machine.end.status, STATUS_TRIPLE_FAULT);
	machine_destroy(&machine);
}

static void weight_of_root(void **state)
{
	weight = 200;
	assert_int_equal(create(1), -1);
	weight = 0;
	assert_int_equal(error.status, STATUS_PERMISSION);
	assert_non_null(strstr(error.text, "CAP_SYS_NICE"));
}

static int walks_tables_in_rom(unsigned int id, unsigned int step,
			       struct mvmm_run *run)
{
	run->exit_reason = MVMM_EXIT_MEMORY_FAULT;
	run->fault.gpa = 0xfffff000;
	run->fault.error = EROFS;
	return 0;
}

static void page_tables_in_rom(void **state)
{
	assert_int_equal(create(1), 0);
	assert_int_equal(run(walks_tables_in_rom), 0);
	assert_int_equal(machine.end.status, STATUS_VM);
	assert_non_null(strstr(machine.end.text, "0xfffff000"));
	assert_non_null(strstr(machine.end.text, "page tables in ROM"));
	machine_destroy(&machine);
}

static bool touched;		/* kicks are no steps */
static unsigned int expecting;	/* so many vCPUs have CR4.MCE */
static unsigned int told;	/* how many machine checks there are to be */

static int touches_poison(unsigned int id, unsigned int step,
			  struct mvmm_run *run)
{
	static unsigned int last;

	/* What could not be raised yet is, after any exit */
	if (id != 1 && __atomic_load_n(&machine.vcpu[id].check_due,
				       __ATOMIC_ACQUIRE)) {
		run->exit_reason = MVMM_EXIT_INTR;
		return 0;
	}
	/* The last one drops what it is told: look again when it is back in RUN */
	if (id == 3 && step != last)
		pthread_cond_broadcast(&fake.changed);
	if (id == 3)
		last = step;
	if (id != 1 || (touched && (fake.injections < told || fake.busy ||
				    __atomic_load_n(&machine.vcpu[3].check_due,
						    __ATOMIC_ACQUIRE))))
		return WAIT;
	if (touched) {
		out(run, 0xf4, 42);
		return 0;
	}
	touched = true;
	/* The entry has set those of vCPU 0 */
	for (id = 0; id < expecting; id++)
		fake.vcpu[id].state.sregs.cr4 = 1 << 6;
	run->exit_reason = MVMM_EXIT_MEMORY_FAULT;
	run->fault.gpa = 0x12345;
	run->fault.error = EHWPOISON;
	return 0;
}

/* Of 4 vCPUs three know of machine checks; @checks: how many get one */
static void poison(bool amd, unsigned int checks)
{
	static const uint32_t number[] = { 0x17a, 0x405, 0x406, 0x407 };
	const uint64_t value[] = {
		7, amd ? 0xbc00080000000134 : 0xbd80000000000134, 0x12000, 0x8c };
	unsigned int i;

	assert_int_equal(create(4), 0);
	fake.amd = amd;
	expecting = 3;
	fake.busy = !amd;
	touched = false;
	told = checks;
	fake.injections = 0;
	assert_int_equal(run(touches_poison), 0);
	for (i = 0; i < 4; i++)
		assert_false(machine.vcpu[i].check_due);
	assert_int_equal(machine.end.status, 42);
	assert_int_equal(fake.injections, checks);
	for (i = 0; i < 4; i++) {
		assert_int_equal(fake.vcpu[1].state.msr[i].index, number[i]);
		assert_int_equal(fake.vcpu[1].state.msr[i].value, value[i]);
		/* The others: recovery is possible, and in no bank is an error */
		assert_int_equal(fake.vcpu[0].state.msr[i].value,
				 !i && !amd ? 5 : 0);
		assert_int_equal(fake.vcpu[3].state.msr[i].value, 0);
	}
	machine_destroy(&machine);
}

static void broken_memory(void **state)
{
	poison(false, 3);
	assert_int_equal(fake.vector, 18);
	poison(true, 1);
}

/* Of a guest that expects no machine check, or is in one, it is the end */
static void broken_memory_ends(void **state)
{
	unsigned int in_one;

	for (in_one = 0; in_one < 2; in_one++) {
		assert_int_equal(create(2), 0);
		expecting = in_one * 2;
		fake.vcpu[1].state.msr[0].value = in_one << 2;
		touched = false;
		fake.injections = 0;
		assert_int_equal(run(touches_poison), 0);
		assert_int_equal(machine.end.status, STATUS_VM);
		assert_non_null(strstr(machine.end.text, "0x12345"));
		assert_non_null(strstr(machine.end.text, "hardware error"));
		assert_int_equal(fake.injections, 0);
		machine_destroy(&machine);
	}
}

static void local_apics(void **state)
{
	uint8_t wide[8] = { 0 };
	uint32_t value = 7;

	assert_int_equal(create(2), 0);
	mmio(1, 0xfee00300, &value, 4, true);
	assert_int_equal(fake.vcpu[1].accesses, 1);
	assert_int_equal(fake.vcpu[0].accesses, 0);
	assert_int_equal(fake.access.offset, 0x300);
	assert_int_equal(fake.access.write, 1);
	assert_int_equal(fake.access.data, 7);
	mmio(0, 0xfee00ff0, &value, 4, false);
	assert_int_equal(fake.vcpu[0].accesses, 1);
	assert_int_equal(fake.access.offset, 0xff0);
	assert_int_equal(fake.access.write, 0);
	assert_int_equal(value, 0x44332211);
	/* A part of a register; accesses that reach beyond a register */
	value = ~0u;
	mmio(0, 0xfee00022, &value, 1, false);
	assert_int_equal(fake.access.offset, 0x20);
	assert_int_equal(value, 0xffffff33);
	mmio(0, 0xfee00020, wide, 8, false);
	assert_memory_equal(wide, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	mmio(0, 0xfee00023, wide, 2, false);
	mmio(0, 0xfee00fff, wide, 8, true);
	mmio(0, 0xfee00080, wide, 1, true);
	assert_int_equal(fake.vcpu[0].accesses, 2);
	/* Addresses just outside the page */
	mmio(0, 0xfee01000, &value, 4, false);
	mmio(0, 0xfedffffc, &value, 4, false);
	assert_int_equal(value, ~0u);
	assert_int_equal(fake.vcpu[0].accesses, 2);
	machine_destroy(&machine);
}

static struct irq sources[IRQ_LINES];

/* As a device does it */
static void line(unsigned int number, bool up)
{
	sources[number].irqs = &machine.irqs;
	sources[number].line = number;
	irq_set(&sources[number], up);
}

static int ends_interrupt(unsigned int id, unsigned int step,
			  struct mvmm_run *run)
{
	if (id != 1)
		return WAIT;
	run->exit_reason = MVMM_EXIT_EOI;
	run->eoi.vector = 0x60;
	if (step)
		out(run, 0xf4, 0);
	return 0;
}

static void io_apic(void **state)
{
	assert_int_equal(create(2), 0);
	/* IRQ 0 is pin 2; the others are pins of the same number */
	ioapic(0x10 + 2 * 2, 0x30);
	line(0, true);
	assert_int_equal(fake.msis, 1);
	assert_int_equal(fake.msi.address, 0xfee00000);
	assert_int_equal(fake.msi.data, 0x4030);
	ioapic(0x11 + 2 * 4, 1 << 24);
	ioapic(0x10 + 2 * 4, 0x8060);
	line(4, true);
	assert_int_equal(fake.msis, 2);
	assert_int_equal(fake.msi.address, 0xfee01000);
	assert_int_equal(fake.msi.data, 0xc060);
	/* The line is still up when its interrupt ends: it is sent again */
	assert_int_equal(run(ends_interrupt), 0);
	assert_int_equal(fake.msis, 3);
	assert_int_equal(fake.msi.data, 0xc060);
	machine_destroy(&machine);
}

static void start_pic(uint8_t mask)
{
	port(0, 0x20, 0x11);
	port(0, 0x21, 0x20);
	port(0, 0x21, 0x04);
	port(0, 0x21, 0x01);
	port(0, 0x21, mask);
	/* Enable the UART's interrupt: the transmitter is empty, so it comes */
	port(0, 0x3fc, 8);
	port(0, 0x3f9, 2);
}

/* vCPU 1 unmasks the PIC while vCPU 0 runs; vCPU 0 then ends */
static int unmasks(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (id == 1 && !step) {
		out(run, 0x21, 0xef);
		return 0;
	}
	if (id == 0 && fake.injections) {
		out(run, 0xf4, 0);
		return 0;
	}
	return WAIT;
}

static void pic_of_another(void **state)
{
	assert_int_equal(create(2), 0);
	start_pic(0xff);
	assert_int_equal(fake.vcpu[0].kicks, 0);
	assert_int_equal(run(unmasks), 0);
	assert_int_equal(fake.injections, 1);
	assert_int_equal(fake.vector, 0x24);
	assert_int_equal(machine.end.status, 0);
	machine_destroy(&machine);
}

static bool window;

/*
 * After the kick the first injection is refused. From then on the machine must
 * ask for a window. The guest opens LINT0 without an exit, and there it is.
 */
static int opens(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (fake.injections) {
		out(run, 0xf4, 0);
		return 0;
	}
	if (!fake.refusals)
		return WAIT;
	window = run->irq_window;
	fake.lint0_closed = false;
	if (!window)
		return WAIT;
	run->exit_reason = MVMM_EXIT_IRQ_WINDOW;
	run->can_inject = 1;
	return 0;
}

static void lint0(void **state)
{
	assert_int_equal(create(1), 0);
	fake.lint0_closed = true;
	start_pic(0xef);
	assert_int_equal(fake.vcpu[0].kicks, 1);
	assert_int_equal(run(opens), 0);
	assert_int_equal(fake.refusals, 1);
	assert_true(window);
	/* What was refused is not lost */
	assert_int_equal(fake.injections, 1);
	assert_int_equal(fake.vector, 0x24);
	machine_destroy(&machine);
}

static void kicks(void **state)
{
	assert_int_equal(create(1), 0);
	machine.vcpu[0].run->extint = 1;
	start_pic(0xe7);
	assert_int_equal(fake.vcpu[0].kicks, 1);
	/* It knows already that an interrupt waits: no second kick */
	line(3, true);
	assert_int_equal(fake.vcpu[0].kicks, 1);
	/* Even if LINT0 is closed: it waits in RUN until that opens */
	machine.vcpu[0].run->extint = 0;
	line(3, false);
	line(3, true);
	assert_int_equal(fake.vcpu[0].kicks, 1);
	machine_destroy(&machine);
}

static int halts(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	run->exit_reason = MVMM_EXIT_HLT;
	run->insn_len = 1;
	run->regs.rflags = 2;
	return 0;
}

/* Without local APICs HLT exits, and with interrupts off it ends the guest */
static void halt_without_apic(void **state)
{
	fake.features = 0;
	assert_int_equal(create(1), 0);
	assert_int_equal(run(halts), 0);
	assert_int_equal(machine.end.status, 0);
	assert_string_equal(machine.end.text, "the guest halted for good");
	machine_destroy(&machine);
}

static int resets(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	out(run, 0x64, 0xfe);
	return 0;
}

/* As after a panic: not a success */
static void reset(void **state)
{
	assert_int_equal(create(1), 0);
	assert_int_equal(run(resets), 0);
	assert_int_equal(machine.end.status, STATUS_RESET);
	assert_non_null(strstr(machine.end.text, "reset itself"));
	machine_destroy(&machine);
}

/* SIGTERM raises the interrupt by which the guest then ends */
static int ends_at_sci(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (!fake.msis) {
		kill(getpid(), SIGTERM);
		return WAIT;
	}
	out(run, 0xf4, 7);
	return 0;
}

static void button(void **state)
{
	assert_int_equal(create(1), 0);
	ioapic(0x10 + 2 * 9, 0x8039);
	port(0, 0x603, 1);		/* PWRBTN_EN */
	assert_int_equal(run(ends_at_sci), 0);
	assert_int_equal(fake.msis, 1);
	assert_int_equal(fake.msi.data, 0xc039);
	assert_int_equal(machine.end.status, 7);
	/* The line falls when the guest clears the status */
	assert_int_equal(machine.irqs.sources[9], 1);
	port(0, 0x601, 1);
	assert_int_equal(machine.irqs.sources[9], 0);
	machine_destroy(&machine);
}

static int hears_nothing(unsigned int id, unsigned int step,
			 struct mvmm_run *run)
{
	if (!step)
		kill(getpid(), SIGTERM);
	return WAIT;
}

static void unheard_button(void **state)
{
	assert_int_equal(create(1), 0);
	assert_int_equal(run(hears_nothing), 0);
	assert_int_equal(machine.end.status, 128 + SIGTERM);
	assert_int_equal(fake.msis, 0);
	machine_destroy(&machine);
}

/* ---- the console ------------------------------------------------------ */

/* Makes @fd an end of a new pipe, and returns the other end */
static int pipe_to(int fd, int *saved)
{
	int ends[2], here = fd == STDIN_FILENO ? 0 : 1;

	*saved = dup(fd);
	assert_int_equal(0, pipe(ends));
	dup2(ends[here], fd);
	close(ends[here]);
	return ends[!here];
}

static void put_back(int fd, int saved)
{
	dup2(saved, fd);
	close(saved);
}

#define TYPED	100000

static unsigned int received;
static bool in_order;

/* The guest reads the port as fast as it can */
static int reads_serial(unsigned int id, unsigned int step,
			struct mvmm_run *run)
{
	if (step && run->io.port == 0x3fd && run->regs.rax & 1) {
		out(run, 0x3f8, 0);
		run->io.flags = MVMM_IO_IN;
		return 0;
	}
	if (step && run->io.port == 0x3f8) {
		in_order &= (uint8_t)run->regs.rax == (uint8_t)received;
		received++;
	}
	if (received == TYPED) {
		out(run, 0xf4, 0);
		return 0;
	}
	out(run, 0x3fd, 0);
	run->io.flags = MVMM_IO_IN;
	return 0;
}

static void *types(void *fd)
{
	unsigned int i;
	uint8_t byte;

	for (i = 0; i < TYPED; i++) {
		byte = i;
		if (write(*(int *)fd, &byte, 1) != 1)
			break;
	}
	return NULL;
}

/* It took 64 s by polling; a test has 20 */
static void serial_input(void **state)
{
	pthread_t thread;
	int saved, fd = pipe_to(STDIN_FILENO, &saved);

	received = 0;
	in_order = true;
	assert_int_equal(create(1), 0);
	port(0, 0x3fa, 1);
	pthread_create(&thread, NULL, types, &fd);
	assert_int_equal(run(reads_serial), 0);
	pthread_join(thread, NULL);
	assert_int_equal(received, TYPED);
	assert_true(in_order);
	machine_destroy(&machine);
	close(fd);
	put_back(STDIN_FILENO, saved);
}

/* A file is always ready: it is read as far as the guest takes it */
static void serial_input_from_a_file(void **state)
{
	int saved = dup(STDIN_FILENO), fd = memfd_create("typed", 0);
	unsigned int i;
	uint8_t byte;

	for (i = 0; i < TYPED; i++) {
		byte = i;
		assert_int_equal(write(fd, &byte, 1), 1);
	}
	lseek(fd, 0, SEEK_SET);
	dup2(fd, STDIN_FILENO);
	close(fd);
	received = 0;
	in_order = true;
	assert_int_equal(create(1), 0);
	port(0, 0x3fa, 1);
	assert_int_equal(run(reads_serial), 0);
	assert_int_equal(received, TYPED);
	assert_true(in_order);
	machine_destroy(&machine);
	put_back(STDIN_FILENO, saved);
}

static int writes_much(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	if (step == 300000)
		kill(getpid(), SIGTERM);
	if (step > 300000)
		return WAIT;
	out(run, 0x3f8, 'x');
	return 0;
}

/* SIGTERM ends a guest whose console nobody reads; a second one is not needed */
static void a_reader_that_does_not_read(void **state)
{
	int saved, fd = pipe_to(STDOUT_FILENO, &saved);
	char byte;

	assert_int_equal(create(1), 0);
	assert_int_equal(run(writes_much), 0);
	/* The pipe has what it could take */
	assert_int_equal(read(fd, &byte, 1), 1);
	put_back(STDOUT_FILENO, saved);
	assert_int_equal(machine.end.status, 128 + SIGTERM);
	close(fd);
	machine_destroy(&machine);
}

/* Memory that was cut off: a message and a status, not a signal */
static void memory_that_goes_away(void **state)
{
	int status, fd, saved, err = pipe_to(STDERR_FILENO, &saved);
	char text[256] = "";
	uint8_t *memory;
	pid_t pid;

	fd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(0, ftruncate(fd, 8192));
	memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(0, ftruncate(fd, 4096));
	pid = fork();
	if (!pid) {
		guard_memory(memory, 8192, stdio_restore);
		memory[4096] = 1;
		_exit(0);
	}
	put_back(STDERR_FILENO, saved);
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_true(WIFEXITED(status));
	assert_int_equal(STATUS_VM, WEXITSTATUS(status));
	assert_true(read(err, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "the guest's memory cannot be had"));
	close(err);
	close(fd);
	munmap(memory, 8192);
}

static int setup(void **state)
{
	fake_start();
	memset(sources, 0, sizeof(sources));
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
		cmocka_unit_test_setup_teardown(unwinds, setup, teardown),
		cmocka_unit_test_setup_teardown(options_of_no_device, setup,
						teardown),
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(end_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(triple_fault, setup, teardown),
		cmocka_unit_test_setup_teardown(weight_of_root, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_memory_ends, setup,
						teardown),
		cmocka_unit_test_setup_teardown(page_tables_in_rom, setup,
						teardown),
		cmocka_unit_test_setup_teardown(local_apics, setup, teardown),
		cmocka_unit_test_setup_teardown(io_apic, setup, teardown),
		cmocka_unit_test_setup_teardown(pic_of_another, setup,
						teardown),
		cmocka_unit_test_setup_teardown(lint0, setup, teardown),
		cmocka_unit_test_setup_teardown(kicks, setup, teardown),
		cmocka_unit_test_setup_teardown(halt_without_apic, setup,
						teardown),
		cmocka_unit_test_setup_teardown(button, setup, teardown),
		cmocka_unit_test_setup_teardown(unheard_button, setup,
						teardown),
		cmocka_unit_test_setup_teardown(reset, setup, teardown),
		cmocka_unit_test_setup_teardown(serial_input, setup, teardown),
		cmocka_unit_test_setup_teardown(serial_input_from_a_file, setup,
						teardown),
		cmocka_unit_test_setup_teardown(memory_that_goes_away, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_reader_that_does_not_read,
						setup, teardown),
	};
	int null = open("/dev/null", O_RDONLY);

	/* Instead of a terminal */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
