// SPDX-License-Identifier: GPL-2.0
/* mvmm run: boot a guest on this terminal. */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "block/block.h"
#include "boot/boot.h"
#include "char/ports.h"
#include "char/stdio.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "core/guard.h"
#include "core/machine.h"
#include "core/option.h"
#include "manage/snapshot.h"
#include "devices/isa/power.h"
#include "devices/pci/pci.h"
#include "devices/virtio/balloon.h"
#include "devices/virtio/vhost_user.h"
#include "manage/control.h"
#include "net/nets.h"

struct options {
	const char *kernel, *initrd, *append, *flat, *control;
	uint64_t at;
	bool has_at;
	bool host;		/* nothing was given to boot */
	bool stats, packed;
	unsigned int console;	/* see consoles[] */
	/* Options of the devices that have one of the command line */
	char balloon[32], vsock[32];
	bool ephemeral;
	uint64_t save_every;	/* ms, 0: never */
	const char *save_to;	/* NULL: RAM stays where it is */
	bool in_config;		/* options come from a file */
	struct config config;
	struct block_config disk[MACHINE_DISKS];
	char disk_options[MACHINE_DISKS][64];
	struct nets nets;
	struct ports ports;
	struct machine_config machine;
};

/* From OPT_MEM on as in values[] */
enum { OPT_KERNEL = 256, OPT_INITRD, OPT_APPEND, OPT_FLAT, OPT_STATS, OPT_DISK,
       OPT_EPHEMERAL, OPT_CONFIG, OPT_CONTROL, OPT_NET, OPT_RNG, OPT_BALLOON,
       OPT_PORT, OPT_PACKED, OPT_IOTHREAD, OPT_DEVICE, OPT_MVMM, OPT_SHARE,
       OPT_VHOST_USER, OPT_VSOCK, OPT_MEM, OPT_CPUS, OPT_WEIGHT,
       OPT_CAP, OPT_AT, OPT_BACKEND, OPT_CONSOLE, OPT_SAVE_EVERY };

#define STRING_(x) #x
#define STRING(x) STRING_(x)

static const struct argp_option option_list[] = {
	{ "kernel", OPT_KERNEL, "FILE", 0,
	  "Linux bzImage, or an ELF kernel with a PVH entry", 0 },
	{ "initrd", OPT_INITRD, "FILE", 0, "initial RAM disk", 0 },
	{ "append", OPT_APPEND, "STRING", 0,
	  "kernel command line; console=ttyS0, or hvc0, is added if it names no console", 0 },
	{ "mem", OPT_MEM, "SIZE", 0,
	  "memory of the guest, with a suffix K, M or G (default: 256M)", 0 },
	{ "cpus", OPT_CPUS, "NUMBER", 0,
	  "CPUs of the guest, 1 to " STRING(VCPUS_MAX) " (default: 1)", 0 },
	{ "weight", OPT_WEIGHT, "NUMBER", 0,
	  "share of CPUs that guests compete for, " STRING(WEIGHT_MIN) " to "
	  STRING(WEIGHT_MAX) " (default: " STRING(WEIGHT_DEFAULT) ")", 0 },
	{ "cap", OPT_CAP, "PERCENT", 0,
	  "the most it may have, of one CPU, 1 to " STRING(CAP_MAX)
	  " (default: no limit)", 0 },
	{ "mem-backend", OPT_BACKEND, "anon|memfd", 0,
	  "what the memory is on the host (default: anon)", 0 },
	{ "disk", OPT_DISK, "FILE|URI[,ro][,format=NAME][,cache=MODE][,overlay=FILE][,serial=TEXT][,iothread=NAME][,queues=NUMBER]", 0,
	  "an image (raw, or NAME by qemu-nbd), or an NBD export, as the next disk: /dev/vda, /dev/vdb ...", 0 },
	{ "iothread", OPT_IOTHREAD, "NAME", 0,
	  "a thread for disks: --disk ...,iothread=NAME", 0 },
	{ "ephemeral", OPT_EPHEMERAL, NULL, 0,
	  "what the guest writes to its disks is gone at the end", 0 },
	{ "share", OPT_SHARE, "DIRECTORY[,tag=TAG][,ro]", 0,
	  "a directory for the guest, by virtio-fs and virtiofsd: mount -t virtiofs share /mnt; the memory is a memfd", 0 },
	{ "vhost-user", OPT_VHOST_USER, "SOCKET,type=TYPE[,queues=N][,tag=TAG]", 0,
	  "a device that another process serves, a blk, fs, rng or scsi; the memory is a memfd", 0 },
	{ "vsock", OPT_VSOCK, "CID", 0,
	  "sockets between host and guest, which has this address, 3 or more, by virtio-vsock", 0 },
	{ "net", OPT_NET, "KIND[,mac=ADDRESS][,mtu=BYTES][,pcap=FILE]", 0,
	  "the network behind the next virtio-net: user[,hostfwd=tcp::PORT-:PORT], tap[=NAME][,bridge=NAME], stream:unix=PATH[,server] or stream:tcp=HOST:PORT[,server]", 0 },
	{ "rng", OPT_RNG, NULL, 0,
	  "random numbers of the host's, by virtio-rng", 0 },
	{ "balloon", OPT_BALLOON, "SIZE", 0,
	  "memory that the guest is asked to give back, by virtio-balloon; what it has free is given back, too", 0 },
	{ "console", OPT_CONSOLE, "serial|virtio", 0,
	  "what this terminal is to the guest: ttyS0 or hvc0 (default: serial)", 0 },
	{ "port", OPT_PORT, "NAME,file=PATH|unix=PATH|pty", 0,
	  "a named port of a virtio-console: /dev/vport0p1, /dev/vport0p2 ...", 0 },
	{ "device", OPT_DEVICE, "NAME[,OPTION=VALUE]...", 0,
	  "one more device; help shows which, and NAME,help its options", 0 },
	{ "packed", OPT_PACKED, NULL, 0,
	  "virtio devices offer packed rings", 0 },
	{ "config", OPT_CONFIG, "FILE", 0,
	  "read options from a file, one in a line, without the dashes", 0 },
	{ "control", OPT_CONTROL, "SOCKET", 0,
	  "listen there for commands: mvmm raid", 0 },
	{ "flat", OPT_FLAT, "FILE", 0,
	  "a bare image, started in real mode at its first byte", 1 },
	{ "at", OPT_AT, "ADDRESS", 0,
	  "where the flat image goes (default: 0x7c00)", 1 },
	{ "stats", OPT_STATS, NULL, 0,
	  "print counters of the vCPUs and of the balloon to stderr at the end", 2 },
	{ "save-every", OPT_SAVE_EVERY, "MS[,DIRECTORY]", 0,
	  "for tests: every so many milliseconds save the machine and go on in a new one; with a directory the RAM is saved, too", 2 },
	{ "mvmm", OPT_MVMM, "FILE", 0, "instead of " MVMM_DEVICE, 2 },
	{ 0 }
};

static const char *const backends[] = { "anon", "memfd", NULL };
static const char *const consoles[] = { "serial", "virtio", NULL };

/* Those with a plain value, from OPT_MEM on */
static const struct option_spec values[] = {
	{ "mem", OPTION_SIZE, OPTION_AT(struct options, machine.ram_size),
	  .def = 256 << 20, .min = RAM_MIN, .max = RAM_MAX },
	{ "cpus", OPTION_NUMBER, OPTION_AT(struct options, machine.vcpus),
	  .def = 1, .min = 1, .max = VCPUS_MAX,
	  .hint = "that is what mvmm run makes, the module may have more" },
	{ "weight", OPTION_NUMBER, OPTION_AT(struct options, machine.weight),
	  .def = WEIGHT_DEFAULT, .min = WEIGHT_MIN, .max = WEIGHT_MAX,
	  .hint = "guests without it have " STRING(WEIGHT_DEFAULT) },
	{ "cap", OPTION_NUMBER, OPTION_AT(struct options, machine.cap),
	  .min = 1, .max = CAP_MAX,
	  .hint = "per cent, where 100 is one CPU; for no limit leave it out" },
	{ "at", OPTION_NUMBER, OPTION_AT(struct options, at), .def = 0x7c00 },
	{ "mem-backend", OPTION_CHOICE,
	  OPTION_AT(struct options, machine.memfd), .words = backends },
	{ "console", OPTION_CHOICE, OPTION_AT(struct options, console),
	  .words = consoles },
	{ "save-every", OPTION_NUMBER, OPTION_AT(struct options, save_every),
	  .min = 1, .max = 1000000, .hint = "milliseconds" },
	OPTIONS_END
};

static void parse_value(struct argp_state *state, struct options *o, int key,
			const char *arg)
{
	const struct option_spec *spec = &values[key - OPT_MEM];
	struct error error = { 0 };

	if (option_set(spec, o, arg, &error))
		argp_error(state, "--%s %s %s", spec->name, arg, error.text);
	else if (key == OPT_MEM && o->machine.ram_size & 4095)
		argp_error(state, "--mem %s is not a multiple of 4096 bytes",
			   arg);
}

static void add_device(struct argp_state *state, struct options *o,
		       const char *name, const char *options)
{
	struct machine_config *c = &o->machine;
	struct error error = { 0 };

	if (c->nr_add == MACHINE_DEVICES)
		argp_error(state, "--device: at most %u", MACHINE_DEVICES);
	else if (device_check(name, options, &error))
		argp_error(state, "%s", error.text);
	else
		c->add[c->nr_add++] = (struct machine_device){ name, options };
}

/* NAME[,OPTION=VALUE]..., or what there is to know of them */
static void parse_device(struct argp_state *state, struct options *o, char *arg)
{
	const char *name = strsep(&arg, ",");
	struct error error = { 0 };

	if (strcmp(name, "help") && (!arg || strcmp(arg, "help"))) {
		add_device(state, o, name, arg);
		return;
	}
	if (device_print(name, stdout, &error))
		argp_error(state, "%s", error.text);
	exit(0);
}

/* By an option of its own: there is one of them */
static void need_device(struct argp_state *state, struct options *o,
			const char *name, const char *options)
{
	struct machine_config *c = &o->machine;
	unsigned int i;

	for (i = 0; i < c->nr_add; i++)
		if (!strcmp(c->add[i].name, name))
			return;
	add_device(state, o, name, options);
}

/*
 * What is short for @option of device @name, of which there is one; @text keeps
 * it. @wrong: what is said of an @arg that is none
 */
static void parse_short(struct argp_state *state, struct options *o,
			const char *name, const char *option, const char *arg,
			char text[32], const char *wrong)
{
	bool longer = snprintf(text, 32, "%s=%s", option, arg) >= 32;
	struct error error = { 0 };

	/* The last one's text is that of the one there is */
	if (longer || device_check(name, text, &error))
		argp_error(state, wrong, arg);
	need_device(state, o, name, text);
}

/* @arg is cut into pieces */
static void parse_disk(struct argp_state *state, struct options *o, char *arg)
{
	struct error error = { 0 };

	if (o->machine.disks == MACHINE_DISKS)
		argp_error(state, "--disk: at most %u", MACHINE_DISKS);
	else if (block_parse(&o->disk[o->machine.disks++], arg, &error))
		argp_error(state, "%s", error.text);
}

static void parse_iothread(struct argp_state *state, struct options *o,
			   const char *arg)
{
	struct machine_config *c = &o->machine;
	unsigned int i;

	for (i = 0; i < c->iothreads; i++)
		if (!strcmp(c->iothread[i], arg))
			argp_error(state, "--iothread %s is there twice", arg);
	if (!*arg || strpbrk(arg, ",[]") || strlen(arg) > 32)
		argp_error(state, "--iothread %s is no name", arg);
	else if (c->iothreads == MACHINE_IOTHREADS)
		argp_error(state, "--iothread: at most %u", MACHINE_IOTHREADS);
	else
		c->iothread[c->iothreads++] = arg;
}

/* @arg is cut into pieces */
static void parse_port(struct argp_state *state, struct options *o, int key,
		       char *arg)
{
	struct error error = { 0 };

	if (key == OPT_NET ? nets_parse(&o->nets, arg, &error) :
			     ports_parse(&o->ports, arg, &error))
		argp_error(state, "%s", error.text);
}

/* @arg is cut into pieces */
static void add_vhost(struct argp_state *state, struct options *o, char *arg,
		      int (*add)(struct machine_config *config, char *text,
				 struct error *error))
{
	struct error error = { 0 };

	if (add(&o->machine, arg, &error))
		argp_error(state, "%s", error.text);
}

/* MS[,DIRECTORY]; @arg is cut into pieces */
static void parse_save_every(struct argp_state *state, struct options *o,
			     char *arg)
{
	parse_value(state, o, OPT_SAVE_EVERY, strsep(&arg, ","));
	if (arg && !*arg)
		argp_error(state, "--save-every: a directory's name is missing");
	o->save_to = arg;
}

static const struct argp argp;

static void parse_config(struct argp_state *state, struct options *o,
			 const char *path)
{
	if (o->in_config) {
		argp_error(state, "--config in a file of options");
		return;
	}
	o->in_config = true;
	errno = 0;
	if (config_parse(&o->config, &argp, path, o))
		argp_error(state, "--config %s: %s", path, strerror(errno));
	o->in_config = false;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_KERNEL:
		o->kernel = arg;
		break;
	case OPT_INITRD:
		o->initrd = arg;
		break;
	case OPT_APPEND:
		o->append = arg;
		break;
	case OPT_DISK:
		parse_disk(state, o, arg);
		break;
	case OPT_IOTHREAD:
		parse_iothread(state, o, arg);
		break;
	case OPT_EPHEMERAL:
		o->ephemeral = true;
		break;
	case OPT_SHARE:
		add_vhost(state, o, arg, share_add);
		break;
	case OPT_VHOST_USER:
		add_vhost(state, o, arg, vhost_user_add);
		break;
	case OPT_VSOCK:
		parse_short(state, o, "virtio-vsock", "cid", arg, o->vsock,
			    "--vsock %s is no address: a number from 3 to 4294967294");
		break;
	case OPT_RNG:
		need_device(state, o, "virtio-rng", NULL);
		break;
	case OPT_BALLOON:
		parse_short(state, o, "virtio-balloon", "size", arg, o->balloon,
			    "--balloon %s is not a size: write 64M, say");
		break;
	case OPT_NET:
	case OPT_PORT:
		parse_port(state, o, key, arg);
		break;
	case OPT_PACKED:
		o->packed = true;
		break;
	case OPT_CONFIG:
		parse_config(state, o, arg);
		break;
	case OPT_CONTROL:
		o->control = arg;
		break;
	case OPT_FLAT:
		o->flat = arg;
		break;
	case OPT_AT:
		o->has_at = true;
		parse_value(state, o, key, arg);
		break;
	case OPT_MEM:
	case OPT_CPUS:
	case OPT_WEIGHT:
	case OPT_CAP:
	case OPT_BACKEND:
	case OPT_CONSOLE:
		parse_value(state, o, key, arg);
		break;
	case OPT_STATS:
		o->stats = true;
		break;
	case OPT_SAVE_EVERY:
		parse_save_every(state, o, arg);
		break;
	case OPT_DEVICE:
		parse_device(state, o, arg);
		break;
	case OPT_MVMM:
		o->machine.device = arg;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument: %s", arg);
		break;
	case ARGP_KEY_END:
		/* Only all together they have to make sense */
		if (o->in_config)
			break;
		o->host = !o->kernel && !o->flat && !o->initrd;
		if (!o->host && !o->kernel == !o->flat)
			argp_error(state, "give either --kernel or --flat");
		if (o->flat && (o->initrd || o->append))
			argp_error(state,
				   "--initrd and --append go with --kernel");
		if (!o->flat && o->has_at)
			argp_error(state, "--at goes with --flat");
		/* Whatever was asked for: their back ends need it */
		if (o->machine.vhosts)
			o->machine.memfd = true;
		if (o->console || o->ports.nr)
			need_device(state, o, "virtio-console", NULL);
		o->machine.defaults = o->packed ?
			o->stats ? "packed,stats" : "packed" :
			o->stats ? "stats" : NULL;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int load(struct machine *m, const struct options *o,
		const struct blob *image, struct boot *boot,
		struct entry *entry, struct error *error)
{
	struct pci_window window = pci_high_window(m);
	int ret = mvmm_get_sregs(m->vcpu[0].fd, &entry->sregs);

	if (ret)
		return fail(error, STATUS_VM, "cannot read the vCPU: %s",
			    strerror(-ret));
	if (pci_assign(m, error))
		return -1;
	boot->rsdp = make_acpi(&m->memory, m->apic ? m->nr_vcpus : 0);
	if (window.first < window.end)
		acpi_set_window(&m->memory, window.first, window.end);
	if (m->apic)
		make_mptable(&m->memory, m->nr_vcpus);
	make_smbios(&m->memory, m->nr_vcpus);
	if (o->flat)
		return load_flat(&m->memory, image, o->at, entry, error);
	if (is_elf(image))
		return load_elf(&m->memory, image, boot, entry, error);
	return load_bzimage(&m->memory, image, boot, entry, error);
}

static void print_stats(const struct vcpu *v)
{
	struct mvmm_stats s;
	uint32_t i;

	if (mvmm_get_stats(v->fd, &s))
		return;
	fprintf(stderr,
		"vCPU %u: entries %llu, exits to user %llu, faults %llu (retries %llu), injections %llu\n"
		"vCPU %u: flushes of memory %llu, of the vCPU %llu; migrations %llu\n",
		v->id, s.entries, s.exits_to_user, s.faults, s.fault_retries,
		s.injections, v->id, s.flush_memory, s.flush_vcpu, s.migrations);
	for (i = 0; i < s.nr_hw_exits && i < MVMM_STATS_HW_EXITS; i++)
		if (s.hw_exits[i])
			fprintf(stderr, "vCPU %u: exit reason %u: %llu\n",
				v->id, i, s.hw_exits[i]);
}

/**
 * struct session - a run of a machine on this terminal
 * @machine: the machine
 * @control: how it is told what to do
 * @console: of the user
 * @options: of the command line
 * @saver: the next time that the machine is saved
 * @saved: how often it was
 * @unheard: the button was pressed, and the guest had not enabled it
 */
struct session {
	struct machine machine;
	struct stdio console;
	struct control control;
	const struct options *options;
	struct timer saver;
	unsigned int saved;
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
static int set_device(struct options *o, unsigned int i, struct error *error)
{
	const struct block_config *disk = &o->disk[i];
	char *text = o->disk_options[i];
	size_t size = sizeof(o->disk_options[i]);

	if (!disk->iothread && !disk->queues)
		return 0;
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
static int open_disks(struct options *o, struct error *error)
{
	struct machine_config *c = &o->machine;
	unsigned int i;

	c->close_disk = close_disk;
	for (i = 0; i < c->disks; i++) {
		o->disk[i].ephemeral = o->ephemeral;
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
	if (machine_renew(m, &s->options->machine, s->options->save_to,
			  &error))
		machine_end(m, error.status, "%s", error.text);
	pthread_mutex_lock(&m->loop.lock);
	if (machine_ended(m))
		return;
	s->saved++;
	machine_resume(m);
	plan_save(s);
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
	pthread_mutex_unlock(&m->loop.lock);
	guard_memory(m->memory.base, m->memory.size, stdio_restore);
	ret = machine_run(m, entry, error);
	stdio_stop(&s->console);
	if (!ret)
		*error = m->end;
	if (error->text[0] && s->console.in_line)
		fputc('\n', stderr);
	return ret;
}

static int run(struct options *o, struct error *error)
{
	struct boot boot = { .append = o->append };
	struct session *s = calloc(1, sizeof(*s));
	struct entry entry = { 0 };
	struct blob image = { 0 };
	unsigned int i;
	int ret;

	if (!s)
		return fail(error, STATUS_OS, "no memory");
	if (o->console)
		o->machine.port[0].chardev = &s->console.chardev;
	ret = o->host ? host_boot(&o->machine, &o->kernel, &boot, error) : 0;
	if (!ret)
		ret = blob_read(&image, o->kernel ? o->kernel : o->flat, error);
	if (!ret && o->initrd)
		ret = blob_read(&boot.initrd, o->initrd, error);
	if (!ret)
		ret = open_disks(o, error);
	if (!ret)
		ret = ports_open(&o->ports, &o->machine, error) ||
		      nets_open(&o->nets, &o->machine, error) ? -1 : 0;
	stdio_init(&s->console, on_event, s);
	s->options = o;
	if (!ret)
		ret = machine_create(&s->machine, &o->machine,
				     &s->console.chardev, error);
	if (!ret) {
		ret = load(&s->machine, o, &image, &boot, &entry, error);
		/* The guest's memory has a copy now: free these */
		blob_free(&image);
		blob_free(&boot.initrd);
		if (!ret && o->control)
			ret = control_start(&s->control, &s->machine,
					    o->control, error);
		if (!ret)
			ret = ports_start(&o->ports, &s->machine.loop, error) ||
			      nets_start(&o->nets, &s->machine.loop, error) ? -1 : 0;
		if (!ret)
			ret = run_machine(s, &entry, error);
		control_stop(&s->control);
		for (i = 0; o->stats && i < s->machine.nr_vcpus; i++)
			print_stats(&s->machine.vcpu[i]);
		if (o->stats && s->machine.balloon)
			balloon_print(s->machine.balloon, stderr);
		if (o->stats && o->save_every)
			fprintf(stderr, "saved and loaded: %u times\n",
				s->saved);
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
	blob_free(&image);
	blob_free(&boot.initrd);
	free(s);
	return ret;
}

/* Without a console the guest would run in silence. NULL: no memory */
static char *add_console(const char *append, bool virtio)
{
	const char *console = virtio ? "console=hvc0" : "console=ttyS0";
	char *line;

	if (!append)
		return strdup(console);
	if (strstr(append, "console="))
		return strdup(append);
	return asprintf(&line, "%s %s", append, console) < 0 ? NULL : line;
}

static const struct argp argp = {
	.options = option_list, .parser = parse,
	.doc = "Boot a guest with this terminal as its console: without --kernel and --flat the host's own kernel, with a shell that sees this directory, or those of --share.\v"
	       "Ctrl-A p or SIGTERM presses its power button, Ctrl-A x ends the guest, Ctrl-A h shows the keys. A byte written to port 0xf4 is the exit status."
};

int cmd_run(int argc, char **argv)
{
	struct options o = { .machine = { .device = MVMM_DEVICE } };
	struct error error = { 0 };
	char *append;

	options_default(values, &o);
	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return STATUS_USAGE;
	/* If the reader of the console goes, write() fails, and mvmm says so */
	signal(SIGPIPE, SIG_IGN);
	if (o.host && !o.append)
		o.append = "quiet";
	o.append = append = add_console(o.append, o.console);
	if (!append)
		return STATUS_OS;
	if (isatty(STDIN_FILENO))
		fprintf(stderr,
			"mvmm run: Ctrl-A x ends the guest, Ctrl-A h helps\n");
	run(&o, &error);
	free(append);
	config_free(&o.config);
	if (error.text[0])
		fprintf(stderr, "mvmm run: %s\n", error.text);
	return error.status;
}
