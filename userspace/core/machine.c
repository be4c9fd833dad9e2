// SPDX-License-Identifier: GPL-2.0
/*
 * A machine is made, run and ended. Who answers where is decided by its
 * devices; the vCPUs and their threads are in vcpu.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/machine.h"

/* A PC. The interrupt controllers come first: others have lines to them */
static const char *const board[] = {
	"i8259", "i8254", "mc146818", "ns16550", "acpi-pm", "debug-exit",
	"pci-host",
};

void machine_end(struct machine *m, int status, const char *format, ...)
{
	unsigned int i;
	va_list args;

	pthread_mutex_lock(&m->end_lock);
	if (m->ended) {
		pthread_mutex_unlock(&m->end_lock);
		return;
	}
	va_start(args, format);
	vfail(&m->end, status, format, args);
	va_end(args);
	__atomic_store_n(&m->ended, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&m->end_lock);
	for (i = 0; i < m->nr_vcpus; i++)
		mvmm_kick(m->vcpu[i].fd);
	/* The main thread wakes those who wait for an interrupt: is_done() */
	loop_wake(&m->loop);
}

void machine_reset(struct machine *m, enum reset what)
{
	if (m->config.reset) {
		if (what > m->resetting)
			__atomic_store_n(&m->resetting, what, __ATOMIC_RELEASE);
		loop_set_timer(&m->loop, &m->resetter, 1);
		return;
	}
	/* Nobody is there who would boot it again */
	machine_end(m, STATUS_RESET,
		    "the guest reset itself: a reboot, or a panic with panic=-1");
}

static void on_reset(void *ctx)
{
	struct machine *m = ctx;

	/* It was done when the machine was saved */
	if (!m->resetting)
		return;
	/* A vCPU's thread does, and not all stand yet: once more in a ms */
	if (m->pausing) {
		loop_set_timer(&m->loop, &m->resetter,
			       vm_clock_now(&m->clock) + 1000000);
		return;
	}
	machine_pause(m);
	if (!machine_ended(m)) {
		pthread_mutex_unlock(&m->loop.lock);
		m->config.reset(m);
		pthread_mutex_lock(&m->loop.lock);
	}
	machine_resume(m);
}

/* A guest that repeats it is not to fill the user's disk */
void machine_warn(struct machine *m, const char *format, ...)
{
	unsigned int nr;
	va_list args;

	pthread_mutex_lock(&m->end_lock);
	nr = m->warnings < MACHINE_WARNINGS ? ++m->warnings : 0;
	pthread_mutex_unlock(&m->end_lock);
	if (!nr)
		return;
	va_start(args, format);
	fprintf(stderr, "\r\nmvmm run: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "%s\r\n", nr == MACHINE_WARNINGS ?
		"; no more of these are shown" : "");
	va_end(args);
}

/* Those who wait for an interrupt look why */
static void wake_halted(struct machine *m)
{
	pthread_mutex_lock(&m->irqs.lock);
	pthread_cond_broadcast(&m->wake);
	pthread_mutex_unlock(&m->irqs.lock);
}

bool machine_ended(struct machine *m)
{
	return __atomic_load_n(&m->ended, __ATOMIC_ACQUIRE);
}

bool machine_pausing(struct machine *m)
{
	return __atomic_load_n(&m->pausing, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&m->resetting, __ATOMIC_ACQUIRE);
}

/* @flags: MVMM_CLOCK_STOPPED, or 0: it goes on from where it stands */
static void set_guest_time(struct machine *m, uint32_t flags)
{
	struct mvmm_clock *time = &m->guest_time;
	int ret = flags ? mvmm_get_clock(m->vm, time) : 0;

	time->flags = flags;
	if (!flags)
		time->host_tsc = 0;
	if (!ret)
		ret = mvmm_set_clock(m->vm, time);
	if (ret)
		machine_end(m, STATUS_VM, "the guest's time cannot be %s: %s",
			    flags ? "stopped" : "started", strerror(-ret));
}

/*
 * VM time stops, or goes on, and I/O threads with it: nobody looks at the clock
 * meanwhile
 */
static void stop_time(struct machine *m, bool stop)
{
	unsigned int i;

	for (i = 0; i < m->iothreads; i++)
		pthread_mutex_lock(&m->iothread[i].loop.lock);
	if (stop)
		vm_clock_stop(&m->clock);
	else
		vm_clock_start(&m->clock);
	for (i = 0; i < m->iothreads; i++) {
		struct loop *loop = &m->iothread[i].loop;

		loop->parked = stop;
		pthread_cond_signal(&loop->goes);
		pthread_mutex_unlock(&loop->lock);
		/* For the timers, which stood */
		loop_wake(loop);
	}
}

void machine_pause(struct machine *m)
{
	unsigned int i;

	if (m->pausing)
		return;
	__atomic_store_n(&m->pausing, true, __ATOMIC_RELEASE);
	for (i = 0; i < m->nr_vcpus; i++)
		mvmm_kick(m->vcpu[i].fd);
	wake_halted(m);
	/* On its way one may need a device */
	while (m->standing < m->running)
		pthread_cond_wait(&m->stands, &m->loop.lock);
	set_guest_time(m, MVMM_CLOCK_STOPPED);
	stop_time(m, true);
	pthread_mutex_unlock(&m->loop.lock);
	devices_drain(m);
	pthread_mutex_lock(&m->loop.lock);
}

void machine_resume(struct machine *m)
{
	if (!m->pausing)
		return;
	set_guest_time(m, 0);
	stop_time(m, false);
	__atomic_store_n(&m->pausing, false, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&m->goes);
	/* For the timers, which stood */
	loop_wake(&m->loop);
}

void machine_tell_pic(struct machine *m)
{
	struct vcpu *boot = &m->vcpu[0];

	pthread_cond_signal(&m->wake);
	/* vCPU 0's own thread looks at the PIC after each exit anyway */
	if (!pthread_equal(pthread_self(), boot->thread))
		mvmm_kick(boot->fd);
}

/*
 * evening 10: and an interrupt back. Each line goes to both controllers; the
 * guest masks one of them
 */
static void line_changed(void *ctx, unsigned int line, bool up)
{
	struct machine *m = ctx;
	struct irqs *irqs = &m->irqs;
	bool before = pic_pending(irqs);

	if (irqs->ioapic.device)
		irqs->ioapic.set(irqs->ioapic.device, line ? line : TIMER_PIN,
				 up);
	/* The pins from 16 on are the I/O APIC's only */
	if (line >= 16)
		return;
	irqs->pic.set(irqs->pic.device, line, up);
	/* Only once: it then waits until it can take the interrupt */
	if (pic_pending(irqs) && !before)
		machine_tell_pic(m);
}

static int add_devices(struct machine *m, struct error *error)
{
	const struct machine_config *config = &m->config;
	unsigned int buses = 0, i;

	if (m->apic && !device_create(m, "i82093aa", NULL, error))
		return -1;
	for (i = 0; i < sizeof(board) / sizeof(board[0]); i++)
		if (!device_create(m, board[i], NULL, error))
			return -1;
	for (i = 0; i < config->disks; i++) {
		m->disks_taken |= (config->disk_bus[i] != DISK_VIRTIO) << i;
		buses |= 1u << config->disk_bus[i];
	}
	if ((buses & (1u << DISK_IDE | 1u << DISK_CDROM) &&
	     !device_create(m, "piix3-ide", NULL, error)) ||
	    (buses & 1u << DISK_FLOPPY &&
	     !device_create(m, "i82077", NULL, error)))
		return -1;
	for (i = 0; i < config->nr_add; i++)
		if (!device_create(m, config->add[i].name,
				   config->add[i].options, error))
			return -1;
	for (i = 0; i < config->disks; i++) {
		bool taken = m->disks_taken & 1u << i;

		if (taken && config->disk_options[i])
			return fail(error, STATUS_USAGE,
				    "--disk: iothread= and queues= of disk %u are for --device virtio-blk, which it has",
				    i);
		if (!taken && !device_create(m, "virtio-blk",
					     config->disk_options[i], error))
			return -1;
	}
	for (i = 0; i < config->vhosts; i++)
		if (!device_create(m, "vhost-user", NULL, error))
			return -1;
	for (i = 0; i < config->nics; i++)
		if (!device_create(m, config->nic[i].model, NULL, error))
			return -1;
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

static int set_sched(struct machine *m, struct error *error)
{
	uint32_t weight = m->config.weight ? m->config.weight : WEIGHT_DEFAULT;
	int ret;

	if (weight == WEIGHT_DEFAULT && !m->config.cap)
		return 0;
	ret = mvmm_set_sched(m->vm, weight, m->config.cap);
	if (ret == -ENOTTY)
		return fail(error, STATUS_USAGE,
			    "--weight, --cap: this mvmm.ko was built without its scheduler (WITHOUT=slots): leave them out, or load one that has it");
	if (ret == -EPERM)
		return fail(error, STATUS_PERMISSION,
			    "--weight %u: more than %u needs CAP_SYS_NICE: ask for less, or run it as root",
			    weight, WEIGHT_DEFAULT);
	if (ret)
		return fail(error, STATUS_OS,
			    "the module refused weight %u and cap %u: %s",
			    weight, m->config.cap, strerror(-ret));
	return 0;
}

static int make_vm(struct machine *m, struct error *error)
{
	const char *device = m->config.device;
	struct mvmm_info info;
	unsigned int i;
	int ret;

	if (m->system < 0)
		m->system = mvmm_open(device);
	ret = m->system < 0 ? m->system : mvmm_get_info(m->system, &info);
	if (ret)
		return explain_open(-ret, device, error);
	if (check_vcpus(m, &info, error))
		return -1;
	m->tsc_khz = info.tsc_khz;
	m->irqfd = info.features & MVMM_FEATURE_IRQFD;
	m->vm = mvmm_create_vm_flags(m->system, m->apic ? MVMM_VM_APIC : 0);
	if (m->vm < 0)
		return explain_open(-m->vm, device, error);
	m->mmio.memory_vm = m->vm;
	if (info.features & MVMM_FEATURE_IOEVENTFD)
		m->ports.vm = m->vm;
	if (set_sched(m, error) || memory_map(&m->memory, m->vm, error))
		return -1;
	for (i = 0; i < m->nr_vcpus; i++)
		if (vcpu_create(m, i, error))
			return -1;
	return 0;
}

/* After their devices, before the loop that serves them */
static void close_disks(struct machine *m)
{
	while (m->config.close_disk && m->config.disks)
		m->config.close_disk(m->config.disk[--m->config.disks]);
}

/* VM, vCPUs, buses and devices */
static int build(struct machine *m, struct error *error)
{
	bus_init(&m->ports, "port", 0xffff);
	bus_init(&m->mmio, "address", ~0ull);
	return make_vm(m, error) || add_devices(m, error) ? -1 : 0;
}

static void unbuild(struct machine *m)
{
	unsigned int i;

	devices_destroy(m);
	for (i = 0; i < m->nr_vcpus; i++)
		vcpu_destroy(&m->vcpu[i]);
	close_fd(&m->vm);
	bus_destroy(&m->ports);
	bus_destroy(&m->mmio);
	/* What devices have left in the machine */
	memset(m->irqs.sources, 0, sizeof(m->irqs.sources));
	m->irqs.pic = (struct pic){ 0 };
	m->irqs.ioapic = (struct ioapic){ 0 };
	memset(m->pci, 0, sizeof(m->pci));
	m->power = NULL;
	m->balloon = NULL;
	m->screen = m->seen = NULL;
	m->memory.taken = m->memory.all - DEVICE_MEMORY;
	m->disks_taken = 0;
	m->vhosts_made = m->nics_made = 0;
}

int machine_rebuild(struct machine *m, struct error *error)
{
	unbuild(m);
	return build(m, error);
}

static void destroy_loops(struct machine *m)
{
	iothreads_destroy(m);
	loop_destroy(&m->loop);
}

/* evening 3: the machine */
int machine_create(struct machine *m, const struct machine_config *config,
		   struct chardev *console, struct error *error)
{
	unsigned int i;
	int ret;

	memset(m, 0, sizeof(*m));
	m->system = m->vm = -1;
	m->nr_vcpus = config->vcpus;
	m->console = console;
	m->config = *config;
	m->serial = config->port[0].chardev == console ? NULL : console;
	for (i = 0; i < VCPUS_MAX; i++)
		m->vcpu[i].fd = -1;
	pthread_mutex_init(&m->end_lock, NULL);
	pthread_mutex_init(&m->irqs.lock, NULL);
	pthread_mutex_init(&m->pci_lock, NULL);
	pthread_cond_init(&m->wake, NULL);
	pthread_cond_init(&m->stands, NULL);
	pthread_cond_init(&m->goes, NULL);
	m->irqs.changed = line_changed;
	m->irqs.ctx = m;
	m->resetter = (struct timer){ .fn = on_reset, .ctx = m };
	vm_clock_init(&m->clock, 0);
	ret = loop_init(&m->loop, &m->clock);
	if (ret)
		fail(error, STATUS_OS, "cannot make the main thread's loop: %s",
		     strerror(-ret));
	else if (iothreads_create(m, error))
		loop_destroy(&m->loop);
	else if (memory_create(&m->memory, config->ram_size, config->memfd,
			       error))
		destroy_loops(m);
	else if (memory_add_rom(&m->memory, config->rom_size, config->rom),
		 build(m, error))
		machine_destroy(m);
	else
		return 0;
	close_disks(m);
	return -1;
}

void machine_destroy(struct machine *m)
{
	unbuild(m);
	close_disks(m);
	close_fd(&m->system);
	destroy_loops(m);
	memory_destroy(&m->memory);
}

bool machine_thread(struct machine *m, pthread_t *thread, void *(*fn)(void *ctx),
		    void *ctx, const char *format, ...)
{
	int ret = pthread_create(thread, NULL, fn, ctx);
	va_list args;
	char name[16];

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	if (ret)
		machine_end(m, STATUS_OS, "cannot start the thread %s: %s",
			    name, strerror(ret));
	else
		pthread_setname_np(*thread, name);
	return !ret;
}

/* Returns how many were started */
static unsigned int start_vcpus(struct machine *m)
{
	unsigned int i = 0;

	while (i < m->nr_vcpus &&
	       machine_thread(m, &m->vcpu[i].thread, vcpu_main, &m->vcpu[i],
			      "vcpu %u", i))
		i++;
	return i;
}

/* The guest has ended, and what it has written has been read */
static bool is_done(void *ctx)
{
	struct machine *m = ctx;

	if (!machine_ended(m))
		return false;
	wake_halted(m);
	pthread_cond_broadcast(&m->goes);
	return m->console->ops->is_flushed(m->console);
}

int machine_enter(struct machine *m, struct entry *entry, struct error *error)
{
	struct vcpu *boot = &m->vcpu[0];
	/* The other vCPUs stay as after RESET, and wait for SIPI inside RUN */
	int ret = mvmm_set_sregs(boot->fd, &entry->sregs);

	if (ret)
		return fail(error, STATUS_VM,
			    "the module refused the start state: %s",
			    strerror(-ret));
	boot->run->regs = entry->regs;
	return 0;
}

/* evening 4: its threads */
int machine_run(struct machine *m, struct entry *entry, struct error *error)
{
	unsigned int i, started;

	if (entry && machine_enter(m, entry, error))
		return -1;
	/*
	 * vCPU 0's @thread must be valid before machine_tell_pic() reads it, so
	 * no vCPU may handle an exit before all threads are started.
	 */
	pthread_mutex_lock(&m->loop.lock);
	pthread_mutex_lock(&m->irqs.lock);
	m->running = started = start_vcpus(m);
	iothreads_start(m);
	pthread_mutex_unlock(&m->irqs.lock);
	if (m->pausing)
		machine_resume(m);
	else
		stop_time(m, false);
	pthread_mutex_unlock(&m->loop.lock);
	loop_run(&m->loop, is_done, m);
	for (i = 0; i < started; i++)
		pthread_join(m->vcpu[i].thread, NULL);
	iothreads_stop(m);
	return 0;
}
