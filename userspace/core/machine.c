// SPDX-License-Identifier: GPL-2.0
/*
 * A machine: memory, the chips of an old PC with the wires between them, and
 * the I/O thread, which serves the terminal and the timer. The vCPUs and their
 * threads are in vcpu.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "core/launcher.h"

void machine_end(struct machine *m, int status, const char *format, ...)
{
	unsigned int i;
	va_list args;

	if (m->ended)
		return;
	m->ended = true;
	m->end.status = status;
	va_start(args, format);
	vsnprintf(m->end.text, sizeof(m->end.text), format, args);
	va_end(args);
	pthread_cond_broadcast(&m->wake);
	for (i = 0; i < m->nr_vcpus; i++)
		mvmm_kick(m->vcpu[i].fd);
	eventfd_write(m->io_event, 1);
}

static void power_off(void *ctx, int status)
{
	machine_end(ctx, status, "%s", "");
}

static void power_reset(void *ctx)
{
	/* A reboot ends mvmm: what was booted is in the command's arguments */
	machine_end(ctx, STATUS_RESET,
		    "the guest reset itself: a reboot, or a panic with panic=-1");
}

static int64_t wall_clock(void)
{
	return time(NULL);
}

void machine_tell_pic(struct machine *m)
{
	struct vcpu *boot = &m->vcpu[0];

	pthread_cond_signal(&m->wake);
	/* vCPU 0's own thread looks at the PIC after each exit anyway */
	if (!pthread_equal(pthread_self(), boot->thread))
		mvmm_kick(boot->fd);
}

static bool send_message(void *ctx, uint64_t address, uint32_t data)
{
	struct machine *m = ctx;
	int ret = mvmm_msi(m->vm, address, data);

	/* -EINVAL: the guest has set a delivery mode that does not exist */
	if (ret < 0 && ret != -EINVAL)
		machine_end(m, STATUS_VM,
			    "the interrupt message 0x%x to 0x%llx was refused: %s",
			    data, (unsigned long long)address, strerror(-ret));
	return ret > 0;
}

/* Each line goes to both controllers; the guest masks one of them */
static void set_irq(void *ctx, unsigned int irq, bool level)
{
	struct machine *m = ctx;
	bool before = i8259_pending(&m->pic);

	if (m->apic)
		i82093aa_set(&m->ioapic, irq ? irq : TIMER_PIN, level);
	/* The pins from 16 on are the I/O APIC's only */
	if (irq >= 16)
		return;
	i8259_set(&m->pic, irq, level);
	/*
	 * vCPU 0 needs to be told only once, since it then waits until it can
	 * take the interrupt. But if it found LINT0 closed it does not wait, and
	 * the guest may have opened LINT0 since: tell it each time.
	 */
	if (i8259_pending(&m->pic) &&
	    (!before || (m->apic && !m->vcpu[0].run->extint)))
		machine_tell_pic(m);
}

static bool uart_send(void *ctx, uint8_t byte)
{
	struct machine *m = ctx;

	/* The I/O thread waits until stdout takes more, and for the first byte */
	if (!m->terminal.out.len)
		eventfd_write(m->io_event, 1);
	return terminal_put(&m->terminal, byte);
}

/* Passes typed bytes on while the UART takes them. m->lock is held */
static void feed_uart(void *ctx)
{
	struct machine *m = ctx;
	struct terminal *t = &m->terminal;
	bool full = t->in.len == sizeof(t->in.bytes);
	uint8_t byte;

	while (ns16550_room(&m->uart) && terminal_take(t, &byte))
		ns16550_receive(&m->uart, byte);
	/* The I/O thread had stopped reading */
	if (full && t->in.len < sizeof(t->in.bytes))
		eventfd_write(m->io_event, 1);
}

/* The chip computes everything from the time, so set the time first */
static void pit_access(void *ctx, uint64_t offset, void *data,
		       unsigned int size, bool write)
{
	struct machine *m = ctx;

	m->pit.now = now_ns();
	i8254_access(&m->pit, offset, data, size, write);
	/* Channel 0 may have a new deadline: the I/O thread sets the timerfd */
	if (write && !offset)
		eventfd_write(m->io_event, 1);
}

static void port61_access(void *ctx, uint64_t offset, void *data,
			  unsigned int size, bool write)
{
	struct machine *m = ctx;

	m->pit.now = now_ns();
	i8254_port61(&m->pit, offset, data, size, write);
}

static int add_devices(struct machine *m, struct error *error)
{
	struct irq_line irq0 = { set_irq, m, 0 }, irq4 = { set_irq, m, 4 },
			sci = { set_irq, m, SCI_IRQ };
	const struct {
		uint64_t base, len;
		unsigned int max;
		device_access access;
		void *device;
	} ports[] = {
		{ 0x20, 2, 1, i8259_master, &m->pic },
		{ 0x40, 4, 1, pit_access, m },
		{ 0x61, 1, 1, port61_access, m },
		{ 0x64, 1, 1, i8042_command, &m->power },
		{ 0x70, 2, 1, mc146818_access, &m->rtc },
		{ 0xa0, 2, 1, i8259_slave, &m->pic },
		{ 0xf4, 1, 1, debug_exit_access, &m->power },
		{ 0x3f8, 8, 1, ns16550_access, &m->uart },
		{ 0x4d0, 2, 1, i8259_elcr, &m->pic },
		{ 0x600, 12, 4, acpi_pm_access, &m->power },
	};
	unsigned int i;
	int ret = 0;

	i8259_init(&m->pic);
	i82093aa_init(&m->ioapic, send_message, m);
	i8254_init(&m->pit, irq0);
	mc146818_init(&m->rtc, wall_clock);
	ns16550_init(&m->uart, irq4, uart_send, feed_uart, m);
	m->power = (struct power){ .off = power_off, .reset = power_reset,
				   .ctx = m, .sci = sci, .clock = now_ns };
	for (i = 0; i < sizeof(ports) / sizeof(ports[0]) && !ret; i++)
		ret = bus_add(&m->ports, ports[i].base, ports[i].len,
			      ports[i].max, ports[i].access, ports[i].device);
	if (m->apic && !ret)
		ret = bus_add(&m->mmio, IOAPIC_BASE, 4096, 4, i82093aa_access,
			      &m->ioapic);
	if (ret)
		fail(error, STATUS_OS, "cannot make the devices: %s",
		     strerror(-ret));
	return ret;
}

_Static_assert(RAM_MAX <= IOAPIC_BASE && RAM_MAX <= LAPIC_BASE,
	       "RAM ends below the APICs");

#define HUGE_PAGE	(2ul << 20)

/*
 * Guest and host addresses are equal modulo a huge page, so that the nested
 * table can map the host's huge pages as such. NULL: see errno.
 */
static void *map_aligned(size_t size, int flags, int fd)
{
	size_t reserved = size + HUGE_PAGE, before;
	char *base = mmap(NULL, reserved, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)base % HUGE_PAGE;
	if (mmap(base + before, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		 fd, 0) == MAP_FAILED) {
		int error = errno;

		munmap(base, reserved);
		errno = error;
		return NULL;
	}
	if (before)
		munmap(base, before);
	munmap(base + before + size, HUGE_PAGE - before);
	return base + before;
}

static int make_ram(struct machine *m, const struct machine_config *config,
		    struct error *error)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, fd = -1;

	if (config->memfd) {
		flags = MAP_SHARED;
		fd = memfd_create("mvmm-ram", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, config->ram_size)) {
			fail(error, STATUS_OS, "no memfd of %llu bytes: %s",
			     (unsigned long long)config->ram_size,
			     strerror(errno));
			if (fd >= 0)
				close(fd);
			return -1;
		}
	}
	m->ram.size = config->ram_size;
	m->ram.base = map_aligned(m->ram.size, flags, fd);
	if (fd >= 0)
		close(fd);
	if (!m->ram.base)
		return fail(error, STATUS_OS,
			    "no %llu bytes for the guest's memory: %s; give it less with --mem",
			    (unsigned long long)m->ram.size, strerror(errno));
	/* Fails on a host without huge pages, which does no harm */
	madvise(m->ram.base, m->ram.size, MADV_HUGEPAGE);
	return 0;
}

/* Can this module run so many vCPUs? */
static int check_vcpus(struct machine *m, const struct mvmm_info *info,
		       struct error *error)
{
	m->apic = info->features & MVMM_FEATURE_APIC;
	if (m->nr_vcpus > 1 && !m->apic)
		return fail(error, STATUS_USAGE,
			    "--cpus %u: this module has no local APICs, without which a guest has one CPU: load a newer mvmm.ko, or leave --cpus out",
			    m->nr_vcpus);
	if (m->nr_vcpus > info->max_vcpus)
		return fail(error, STATUS_USAGE,
			    "--cpus %u: this module runs at most %u CPUs in a guest",
			    m->nr_vcpus, info->max_vcpus);
	return 0;
}

static int set_sched(struct machine *m, const struct machine_config *config,
		     struct error *error)
{
	uint32_t weight = config->weight ? config->weight : WEIGHT_DEFAULT;
	int ret;

	if (weight == WEIGHT_DEFAULT && !config->cap)
		return 0;
	ret = mvmm_set_sched(m->vm, weight, config->cap);
	if (ret == -ENOTTY)
		return fail(error, STATUS_USAGE,
			    "--weight, --cap: this mvmm.ko was built without its scheduler (WITHOUT=slots): leave them out, or load one that has it");
	if (ret)
		return fail(error, STATUS_OS,
			    "the module refused weight %u and cap %u: %s",
			    weight, config->cap, strerror(-ret));
	return 0;
}

static int make_vm(struct machine *m, const struct machine_config *config,
		   struct error *error)
{
	const char *device = config->device;
	struct mvmm_info info;
	unsigned int i;
	int ret;

	m->system = mvmm_open(device);
	ret = m->system < 0 ? m->system : mvmm_get_info(m->system, &info);
	if (ret)
		return explain_open(-ret, device, error);
	if (check_vcpus(m, &info, error))
		return -1;
	m->vm = mvmm_create_vm_flags(m->system, m->apic ? MVMM_VM_APIC : 0);
	if (m->vm < 0)
		return explain_open(-m->vm, device, error);
	if (set_sched(m, config, error))
		return -1;
	ret = mvmm_add_region(m->vm, 0, HOLE_START, m->ram.base, 0);
	if (!ret)
		ret = mvmm_add_region(m->vm, HOLE_END, m->ram.size - HOLE_END,
				      m->ram.base + HOLE_END, 0);
	if (ret)
		return fail(error, STATUS_OS,
			    "the module refused %llu bytes of guest memory: %s",
			    (unsigned long long)m->ram.size, strerror(-ret));
	for (i = 0; i < m->nr_vcpus; i++)
		if (vcpu_create(m, i, error))
			return -1;
	return 0;
}

int machine_create(struct machine *m, const struct machine_config *config,
		   struct error *error)
{
	unsigned int i;

	memset(m, 0, sizeof(*m));
	m->system = m->vm = m->io_event = m->timer = m->powerdown = -1;
	m->nr_vcpus = config->vcpus;
	for (i = 0; i < VCPUS_MAX; i++)
		m->vcpu[i].fd = -1;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->wake, NULL);
	if (make_ram(m, config, error) || make_vm(m, config, error))
		goto out;
	m->io_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	m->powerdown = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->io_event < 0 || m->timer < 0 || m->powerdown < 0) {
		fail(error, STATUS_OS, "no eventfd or timerfd: %s",
		     strerror(errno));
		goto out;
	}
	if (!add_devices(m, error))
		return 0;
out:
	machine_destroy(m);
	return -1;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void machine_destroy(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->nr_vcpus; i++)
		vcpu_destroy(&m->vcpu[i]);
	close_fd(&m->vm);
	close_fd(&m->system);
	close_fd(&m->io_event);
	close_fd(&m->timer);
	close_fd(&m->powerdown);
	if (m->ram.base)
		munmap(m->ram.base, m->ram.size);
	m->ram.base = NULL;
}

static void help(void)
{
	static const char text[] =
		"\r\nCtrl-A p  press the power button\r\n"
		"Ctrl-A x  end the guest\r\nCtrl-A h  this help\r\n"
		"Ctrl-A Ctrl-A  send Ctrl-A\r\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return;
}

/*
 * Presses the power button. If the guest has not enabled it, SIGTERM ends the
 * guest at once, and Ctrl-A p when it comes again. m->lock is held
 */
static void powerdown(struct machine *m, bool sigterm)
{
	if (!m->ended && acpi_power_button(&m->power)) {
		m->unheard = false;
		return;
	}
	if (sigterm) {
		/* Nor is the console's reader waited for */
		m->terminal.out.len = 0;
		machine_end(m, 128 + SIGTERM,
			    "ended by SIGTERM: the guest does not listen to its power button");
		return;
	}
	if (m->unheard) {
		machine_end(m, 0, "%s", "");
		return;
	}
	m->unheard = true;
	dprintf(STDERR_FILENO,
		"\r\nmvmm run: the guest does not listen to its power button: once more ends it\r\n");
}

/* Set the timerfd to the time that the PIT asks for. m->lock is held */
static void update_timer(struct machine *m)
{
	struct itimerspec when = { 0 };
	uint64_t next;

	m->pit.now = now_ns();
	next = i8254_update(&m->pit);
	when.it_value.tv_sec = next / 1000000000;
	when.it_value.tv_nsec = next % 1000000000;
	timerfd_settime(m->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* m->lock is held */
static void handle_input(struct machine *m)
{
	switch (terminal_read(&m->terminal)) {
	case TERMINAL_QUIT:
		/* Not even what it has written yet */
		m->terminal.out.len = 0;
		machine_end(m, 0, "%s", "");
		break;
	case TERMINAL_HELP:
		help();
		break;
	case TERMINAL_POWERDOWN:
		powerdown(m, false);
		break;
	case TERMINAL_FULL:
		if (!m->dropped)
			dprintf(STDERR_FILENO,
				"\r\nmvmm run: the guest does not read what is typed: it is dropped\r\n");
		m->dropped = true;
		break;
	default:
		break;
	}
}

/* m->lock is held */
static void flush_output(struct machine *m)
{
	int ret = terminal_flush(&m->terminal);

	if (ret) {
		m->terminal.out.len = 0;
		machine_end(m, STATUS_OS, "cannot write the console: %s",
			    strerror(-ret));
	}
	ns16550_sent(&m->uart);
}

#define FOREGROUND_MS	500	/* how often to look for it */

/* Until the guest has ended, and what it has written has been read */
static void io_loop(struct machine *m)
{
	enum { EVENT, TIMER, POWERDOWN, INPUT, OUTPUT };
	struct pollfd fds[] = {
		[EVENT] = { .fd = m->io_event, .events = POLLIN },
		[TIMER] = { .fd = m->timer, .events = POLLIN },
		[POWERDOWN] = { .fd = m->powerdown, .events = POLLIN },
		[INPUT] = { .events = POLLIN },
		[OUTPUT] = { .events = POLLOUT },
	};
	struct terminal *t = &m->terminal;
	uint64_t count;
	int timeout;

	pthread_mutex_lock(&m->lock);
	while (!m->ended || t->out.len) {
		feed_uart(m);
		update_timer(m);
		fds[INPUT].fd = terminal_readable(t) ? STDIN_FILENO : -1;
		fds[OUTPUT].fd = t->out.len ? t->out_fd : -1;
		timeout = t->tty && !t->closed && fds[INPUT].fd < 0 ?
			  FOREGROUND_MS : -1;
		pthread_mutex_unlock(&m->lock);
		if (poll(fds, 5, timeout) < 0)
			fds[POWERDOWN].revents = fds[EVENT].revents =
				fds[TIMER].revents = fds[INPUT].revents =
				fds[OUTPUT].revents = 0;
		pthread_mutex_lock(&m->lock);
		if (fds[POWERDOWN].revents && read(m->powerdown, &count, 8) > 0)
			powerdown(m, true);
		if (fds[EVENT].revents && read(m->io_event, &count, 8) < 0)
			continue;
		if (fds[TIMER].revents && read(m->timer, &count, 8) < 0)
			continue;
		if (fds[INPUT].revents)
			handle_input(m);
		if (fds[OUTPUT].revents)
			flush_output(m);
	}
	pthread_mutex_unlock(&m->lock);
}

/* Returns how many were started. m->lock is held */
static unsigned int start_vcpus(struct machine *m)
{
	unsigned int i;
	int ret;

	for (i = 0; i < m->nr_vcpus; i++) {
		char name[16];

		ret = pthread_create(&m->vcpu[i].thread, NULL, vcpu_main,
				     &m->vcpu[i]);
		if (ret) {
			machine_end(m, STATUS_OS, "cannot start vCPU %u: %s",
				    i, strerror(ret));
			break;
		}
		/* For top and ps */
		snprintf(name, sizeof(name), "vcpu %u", i);
		pthread_setname_np(m->vcpu[i].thread, name);
	}
	return i;
}

int machine_run(struct machine *m, struct entry *entry, struct error *error)
{
	struct vcpu *boot = &m->vcpu[0];
	unsigned int i, started;
	/* The other vCPUs stay as after RESET, and wait for SIPI inside RUN */
	int ret = mvmm_set_sregs(boot->fd, &entry->sregs);

	if (ret)
		return fail(error, STATUS_VM,
			    "the module refused the start state: %s",
			    strerror(-ret));
	boot->run->regs = entry->regs;
	guard_memory(m->ram.base, m->ram.size);
	terminal_open(&m->terminal, m->powerdown);
	/*
	 * vCPU 0's @thread must be valid before machine_tell_pic() reads it, so
	 * no vCPU may handle an exit before all threads are started.
	 */
	pthread_mutex_lock(&m->lock);
	started = start_vcpus(m);
	pthread_mutex_unlock(&m->lock);
	io_loop(m);
	for (i = 0; i < started; i++)
		pthread_join(m->vcpu[i].thread, NULL);
	terminal_close();
	return 0;
}
