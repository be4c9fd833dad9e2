// SPDX-License-Identifier: GPL-2.0
/* mvmm run: boot a guest on this terminal. Its options: run_options.c. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/guard.h"
#include "boot/boot.h"
#include "char/stdio.h"
#include "cmd/cmd.h"
#include "cmd/run.h"
#include "devices/isa/power.h"
#include "devices/pci/pci.h"
#include "devices/virtio/balloon.h"
#include "manage/control.h"
#include "manage/machine_check.h"
#include "manage/reload.h"
#include "manage/reset.h"
#include "manage/snapshot.h"

static int load(struct machine *m, const struct run_options *o,
		const struct blob *image, struct boot *boot,
		struct entry *entry, struct error *error)
{
	int ret;

	/* Also of a guest that is loaded: by a reset it comes there again */
	if (o->firmware && (firmware_load(m, entry, error) ||
			    boot_order_tell(&o->boot, m, error)))
		return -1;
	if (o->load)
		return snapshot_read(m, o->load, error);
	ret = mvmm_get_sregs(m->vcpu[0].fd, &entry->sregs);
	if (ret)
		return fail(error, STATUS_VM, "cannot read the vCPU: %s",
			    strerror(-ret));
	if (o->firmware)
		return 0;
	if (pci_assign(m, error))
		return -1;
	boot->rsdp = acpi_of_machine(m, &m->memory);
	if (m->apic)
		make_mptable(&m->memory, m->nr_vcpus);
	make_smbios(&m->memory, m->nr_vcpus);
	if (o->flat)
		return load_flat(&m->memory, image, o->at, entry, error);
	if (o->com)
		return load_com(&m->memory, image, boot->given, entry, error);
	boot->framebuffer = framebuffer_find(m);
	if (load_kernel(&m->memory, image, boot, entry, error))
		return -1;
	if (boot->width)
		framebuffer_set(m, boot->width, boot->height);
	return 0;
}

/* Those that the user named, and the kernel unpacked */
static int open_images(const struct run_options *o, struct blob *image,
		       struct boot *boot, struct error *error)
{
	unsigned int i;

	if (!o->firmware &&
	    (blob_open(image, o->kernel ? o->kernel : o->flat, error) ||
	     (o->kernel && !o->com && blob_unpack(image, error))))
		return -1;
	for (i = 0; i < o->initrds; i++) {
		boot->name[i] = o->initrd[i];
		if (blob_open(&boot->initrd[i], o->initrd[i], error))
			return -1;
		boot->nr++;
	}
	return 0;
}

static void print_stats(const struct vcpu *v)
{
	struct mvmm_info info;
	struct mvmm_stats s;
	const char *name;
	uint32_t i;

	if (mvmm_get_stats(v->fd, &s) ||
	    mvmm_get_info(v->machine->system, &info))
		return;
	fprintf(stderr,
		"vCPU %u: entries %llu, exits to user %llu, faults %llu (slow %llu, retries %llu), injections %llu\n"
		"vCPU %u: flushes of memory %llu, of the vCPU %llu; migrations %llu\n",
		v->id, s.entries, s.exits_to_user, s.faults, s.slow_faults,
		s.fault_retries, s.injections, v->id, s.flush_memory, s.flush_vcpu, s.migrations);
	for (i = 0; i < s.nr_hw_exits && i < MVMM_STATS_HW_EXITS; i++) {
		if (!s.hw_exits[i])
			continue;
		name = mvmm_hw_exit_name(info.features, i);
		fprintf(stderr, name ? "vCPU %u: exit reason %u (%s): %llu\n" :
				"vCPU %u: exit reason %u%s: %llu\n",
			v->id, i, name ? name : "", s.hw_exits[i]);
	}
}

/**
 * struct session - a run of a machine on this terminal
 * @machine: the machine
 * @control: how it is told what to do
 * @console: of the user
 * @options: of the command line
 * @image: what was booted; after that only if a reset boots it again
 * @boot: what it was given
 * @saver: the next time that the machine is saved
 * @saved: how often it was
 * @reload: of its vCPUs
 * @unheard: the button was pressed, and the guest had not enabled it
 */
struct session {
	struct machine machine;
	struct stdio console;
	struct control control;
	const struct run_options *options;
	struct blob image;
	struct boot boot;
	struct timer saver;
	unsigned int saved;
	struct reload reload;
	bool unheard;
};

/*
 * If the guest has not enabled the button, SIGTERM ends the guest at once, and
 * Ctrl-A p when it comes again
 */
static void press_button(struct session *s, bool sigterm)
{
	struct machine *m = &s->machine;

	if (!machine_ended(m) && power_button(m->power)) {
		s->unheard = false;
	} else if (sigterm) {
		/* Nor is the console's reader waited for */
		stdio_discard(&s->console);
		machine_end(m, 128 + SIGTERM,
			    "ended by SIGTERM: the guest does not listen to its power button");
	} else if (s->unheard) {
		machine_end(m, 0, "%s", "");
	} else {
		s->unheard = true;
		fprintf(stderr,
			"\r\nmvmm run: the guest does not listen to its power button: once more ends it\r\n");
	}
}

static void on_event(void *ctx, enum stdio_event event, int error)
{
	struct session *s = ctx;

	switch (event) {
	case STDIO_QUIT:
		machine_end(&s->machine, 0, "%s", "");
		break;
	case STDIO_POWERDOWN:
		press_button(s, false);
		break;
	case STDIO_SIGTERM:
		press_button(s, true);
		break;
	case STDIO_FAILED:
		machine_end(&s->machine, STATUS_OS,
			    "cannot write the console: %s", strerror(error));
		break;
	}
}

static void close_disk(struct block *disk)
{
	disk->ops->close(disk);
}

/* What of --disk is the device's */
static int set_device(struct run_options *o, unsigned int i, struct error *error)
{
	struct block_config *disk = &o->disk[i];
	char *text = o->disk_options[i];
	size_t size = sizeof(o->disk_options[i]);

	o->machine.disk_bus[i] = disk->bus;
	disk->read_only |= disk->bus == DISK_CDROM;
	if (disk->bus != DISK_VIRTIO &&
	    device_known(disk->bus == DISK_FLOPPY ? "i82077" : "piix3-ide", error))
		return -1;
	if (!disk->iothread && !disk->queues)
		return 0;
	if (disk->bus != DISK_VIRTIO)
		return fail(error, STATUS_USAGE,
			    "--disk %s: iothread= and queues= are for bus=virtio",
			    disk->path);
	if (snprintf(text, size, "queues=%s%s%s",
		     disk->queues ? disk->queues : "0",
		     disk->iothread ? ",iothread=" : "",
		     disk->iothread ? disk->iothread : "") >= (int)size)
		return fail(error, STATUS_USAGE,
			    "--disk %s: iothread= or queues= is too long",
			    disk->path);
	o->machine.disk_options[i] = text;
	return 0;
}

/* All of them, or none */
static int open_disks(struct run_options *o, struct error *error)
{
	struct machine_config *c = &o->machine;
	unsigned int i;

	c->close_disk = close_disk;
	for (i = 0; i < c->disks; i++) {
		o->disk[i].ephemeral = c->ephemeral;
		c->disk[i] = set_device(o, i, error) ? NULL :
			     block_open(&o->disk[i], error);
		if (c->disk[i])
			continue;
		while (i)
			close_disk(c->disk[--i]);
		return -1;
	}
	return 0;
}

static void plan_save(struct session *s)
{
	struct machine *m = &s->machine;

	if (s->options->save_every)
		loop_set_timer(&m->loop, &s->saver, vm_clock_now(&m->clock) +
			       s->options->save_every * 1000000);
}

static void on_saver(void *ctx)
{
	struct session *s = ctx;
	struct machine *m = &s->machine;
	struct error error = { 0 };
	int ret;

	pthread_mutex_unlock(&m->loop.lock);
	ret = devices_can_save(m, &error);
	pthread_mutex_lock(&m->loop.lock);
	if (ret) {
		machine_warn(m, "--save-every: %s", error.text);
		return;
	}
	machine_pause(m);
	if (machine_ended(m))
		return;
	pthread_mutex_unlock(&m->loop.lock);
	if (machine_renew(m, s->options->save_to, &error))
		machine_end(m, error.status, "%s", error.text);
	pthread_mutex_lock(&m->loop.lock);
	if (machine_ended(m))
		return;
	s->saved++;
	machine_resume(m);
	plan_save(s);
}

/* Without a firmware mvmm is who boots. RAM stays as it is, as on a PC */
static void boot_again(struct machine *m)
{
	struct session *s = (struct session *)m;
	struct error error = { 0 };
	struct entry entry = { 0 };

	__atomic_store_n(&m->resetting, RESET_BOARD, __ATOMIC_RELEASE);
	reset_machine(m);
	if (load(m, s->options, &s->image, &s->boot, &entry, &error) ||
	    machine_enter(m, &entry, &error))
		machine_end(m, error.status,
			    "the guest cannot be booted again: %s", error.text);
}

static int run_machine(struct session *s, struct entry *entry,
		       struct error *error)
{
	struct machine *m = &s->machine;
	int ret = stdio_start(&s->console, &m->loop);

	if (ret)
		return fail(error, STATUS_OS, "no eventfd: %s", strerror(-ret));
	s->saver = (struct timer){ on_saver, s, 0, NULL };
	pthread_mutex_lock(&m->loop.lock);
	plan_save(s);
	reload_start(&s->reload);
	pthread_mutex_unlock(&m->loop.lock);
	guard_memory(m->memory.base, m->memory.all, stdio_restore);
	ret = machine_run(m, s->options->load ? NULL : entry, error);
	stdio_stop(&s->console);
	if (!ret)
		*error = m->end;
	if (error->text[0] && s->console.in_line)
		fputc('\n', stderr);
	return ret;
}

/* evening 1: disks, a machine, a kernel in it; then it runs */
static int run(struct run_options *o, struct error *error)
{
	struct session *s = calloc(1, sizeof(*s));
	struct entry entry = { 0 };
	unsigned int i;
	int ret = 0;

	if (!s)
		return fail(error, STATUS_OS, "no memory");
	s->boot = (struct boot){ .append = o->append, .given = o->given ?: "" };
	o->machine.machine_check = machine_check;
	if (!o->firmware && o->on_reset == RUN_REBOOT)
		o->machine.reset = boot_again;
	if (o->virtio_console)
		o->machine.port[0].chardev =
			display_console(&o->display, &s->console.chardev);
	if (o->load || o->save_every || o->reload_every)
		ret = snapshot_can(o->load ? "--load" : o->save_every ?
				   "--save-every" : "--reload-every", error);
	if (!ret && o->host)
		ret = host_boot(&o->machine, &o->kernel, &s->boot, error);
	if (!ret && o->firmware)
		ret = firmware_open(&o->machine, o->firmware, o->vars, error);
	if (!ret && !o->load)
		ret = open_images(o, &s->image, &s->boot, error);
	if (!ret)
		ret = open_disks(o, error);
	if (!ret)
		ret = ports_open(&o->ports, &o->machine, error) ||
		      nets_open(&o->nets, &o->machine, error) ? -1 : 0;
	o->machine.boot_kinds = boot_order_kinds(&o->boot);
	stdio_init(&s->console, on_event, s);
	s->options = o;
	reload_init(&s->reload, &o->machine, &s->machine, o->reload_every);
	if (!ret)
		ret = machine_create(&s->machine, &o->machine,
				     display_console(&o->display,
						     &s->console.chardev),
				     error);
	if (!ret) {
		ret = load(&s->machine, o, &s->image, &s->boot, &entry, error);
		/* The guest's memory has a copy now */
		if (!o->machine.reset || o->firmware) {
			blob_free(&s->image);
			boot_free(&s->boot);
		}
		if (!ret && o->control)
			ret = control_start(&s->control, &s->machine,
					    o->control, error);
		if (!ret)
			ret = display_start(&o->display, &s->machine, error);
		if (!ret)
			ret = ports_start(&o->ports, &s->machine.loop, error) ||
			      nets_start(&o->nets, &s->machine.loop, error) ? -1 : 0;
		if (!ret)
			ret = run_machine(s, &entry, error);
		control_stop(&s->control);
		display_stop(&o->display);
		for (i = 0; o->stats && i < s->machine.nr_vcpus; i++)
			print_stats(&s->machine.vcpu[i]);
		if (o->stats && s->machine.balloon)
			balloon_print(s->machine.balloon, stderr);
		if (o->stats && (o->save_every || o->reload_every))
			fprintf(stderr, "saved and loaded: %u times\n",
				s->saved + s->reload.done);
		if (o->stats)
			nets_print(&o->nets, stderr);
		/* Devices use the ports, which use the machine's loop */
		devices_destroy(&s->machine);
		ports_close(&o->ports);
		nets_close(&o->nets);
		machine_destroy(&s->machine);
	}
	ports_close(&o->ports);
	nets_close(&o->nets);
	blob_free(&s->image);
	boot_free(&s->boot);
	firmware_close(&o->machine);
	free(s);
	return ret;
}

int cmd_run(int argc, char **argv)
{
	struct run_options o;
	struct error error = { 0 };
	int ret = run_options_parse(&o, argc, argv);

	if (ret)
		return ret;
	/* If the reader of the console goes, write() fails, and mvmm says so */
	signal(SIGPIPE, SIG_IGN);
	if (isatty(STDIN_FILENO))
		fprintf(stderr,
			"mvmm run: Ctrl-A x ends the guest, Ctrl-A h helps\n");
	run(&o, &error);
	run_options_free(&o);
	if (error.text[0])
		fprintf(stderr, "mvmm run: %s\n", error.text);
	return error.status;
}
