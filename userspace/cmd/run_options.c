// SPDX-License-Identifier: GPL-2.0
/* The command line of mvmm run. What becomes of it is in run.c. */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/option.h"
#include "cmd/run.h"
#include "devices/virtio/vhost_user.h"
#include "libmvmm.h"
#include "manage/reset.h"

/* From OPT_MEM on as in values[] */
enum { OPT_KERNEL = 256, OPT_FIRMWARE, OPT_VARS, OPT_BOOT, OPT_INITRD, OPT_APPEND, OPT_FLAT, OPT_STATS,
       OPT_DISK, OPT_CDROM, OPT_FLOPPY, OPT_EPHEMERAL, OPT_CONFIG, OPT_CONTROL, OPT_DISPLAY, OPT_NET, OPT_RNG,
       OPT_BALLOON,
       OPT_PORT, OPT_PACKED, OPT_IOTHREAD, OPT_DEVICE, OPT_MVMM, OPT_SHARE,
       OPT_VHOST_USER, OPT_VSOCK, OPT_LOAD, OPT_MEM, OPT_CPUS, OPT_WEIGHT, OPT_CAP,
       OPT_AT, OPT_ON_RESET, OPT_BACKEND, OPT_CONSOLE, OPT_SAVE_EVERY, OPT_RELOAD_EVERY };

#define STRING_(x) #x
#define STRING(x) STRING_(x)

static const struct argp_option option_list[] = {
	{ "kernel", OPT_KERNEL, "FILE", 0,
	  "a kernel: Linux bzImage, ELF with a PVH entry, Multiboot 1 or 2; also compressed by gzip, xz or zstd", 0 },
	{ "firmware", OPT_FIRMWARE, "bios|uefi|FILE", 0,
	  "SeaBIOS, OVMF, or a PC's firmware, which boots from a disk", 0 },
	{ "firmware-vars", OPT_VARS, "FILE", 0,
	  "the variables of --firmware uefi, made if it is not there; without it they are gone at the end", 0 },
	{ "boot", OPT_BOOT, "[order=LETTERS][,menu][,menu-wait=MS]", 0,
	  "what the firmware boots first: a floppy, c disk, d CD-ROM, n network; and if Esc shows a menu", 0 },
	{ "on-reset", OPT_ON_RESET, "reboot|exit", 0,
	  "what a reset of the guest's does: it boots again, which is the default with a firmware, or ends", 0 },
	{ "initrd", OPT_INITRD, "FILE", 0,
	  "initial RAM disk, or the next of them; for Multiboot the next module", 0 },
	{ "load", OPT_LOAD, "DIRECTORY", 0,
	  "instead of a kernel: go on where --save-every has saved a guest with the same other options", 0 },
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
	{ "disk", OPT_DISK, "FILE|URI|raidLEVEL:DISK,DISK...[,OPTION]...", 0,
	  "an image, an NBD export, or an array of disks, as the next disk: /dev/vda, /dev/vdb ...; help shows the options", 0 },
	{ "cdrom", OPT_CDROM, "FILE", 0,
	  "an ISO image as a CD-ROM at IDE: /dev/sr0", 0 },
	{ "floppy", OPT_FLOPPY, "FILE[,ro]", 0,
	  "an image of 160K to 2880K as the next of two floppy disks", 0 },
	{ "iothread", OPT_IOTHREAD, "NAME[,poll-max-ns=NS]", 0,
	  "a thread for disks and networks: --disk ...,iothread=NAME; it looks for events for up to NS before it sleeps", 0 },
	{ "ephemeral", OPT_EPHEMERAL, NULL, 0,
	  "what the guest writes to its disks is gone at the end", 0 },
	{ "share", OPT_SHARE, "DIRECTORY[,tag=TAG][,ro]", 0,
	  "a directory for the guest, by virtio-fs and virtiofsd: mount -t virtiofs share /mnt; the memory is a memfd", 0 },
	{ "vhost-user", OPT_VHOST_USER, "SOCKET,type=TYPE[,queues=N][,tag=TAG][,mac=ADDRESS]", 0,
	  "a device that another process serves, a blk, fs, net, rng or scsi; the memory is a memfd", 0 },
	{ "vsock", OPT_VSOCK, "CID", 0,
	  "sockets between host and guest, which has this address, 3 or more, by virtio-vsock", 0 },
	{ "net", OPT_NET, "KIND[,model=e1000][,mac=ADDRESS][,mtu=BYTES][,pcap=FILE][,queues=NUMBER][,iothread=NAME]", 0,
	  "the network behind the next NIC: user[,hostfwd=tcp::PORT-:PORT], switch=NAME[,vlan=VLANS][,name=NAME][,isolated][,locked][,storm=FRAMES][,rate=KBIT][,delay=MS][,loss=PERMILLE], tap[=NAME][,bridge=NAME][,vhost=on], stream:unix=PATH[,server], stream:tcp=HOST:PORT[,server], vde:URL or bond(LINK,LINK)[,mode=MODE]", 0 },
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
	  "listen there for commands: mvmm raid, mvmm net, mvmm screenshot", 0 },
	{ "display", OPT_DISPLAY, "vnc[=ADDRESS]|web[=PORT]|terminal|none[,OPTION...]", 0,
	  "show the screen: to VNC viewers at 127.0.0.1:5900, HOST:PORT or unix:PATH, in a browser, or its text here; a password-file=FILE where others can come in",
	  0 },
	{ "flat", OPT_FLAT, "FILE", 0,
	  "a bare image, started in real mode at its first byte", 1 },
	{ "at", OPT_AT, "ADDRESS", 0,
	  "where the flat image goes (default: 0x7c00)", 1 },
	{ "stats", OPT_STATS, NULL, 0,
	  "print counters of the vCPUs and of the balloon to stderr at the end", 2 },
	{ "save-every", OPT_SAVE_EVERY, "MS[,DIRECTORY]", 0,
	  "for tests: every so many milliseconds save the machine and go on in a new one; with a directory the RAM is saved, too", 2 },
	{ "reload-every", OPT_RELOAD_EVERY, "EXITS", 0,
	  "for tests: after about so many exits read all vCPUs, reset them, and write them again", 2 },
	{ "mvmm", OPT_MVMM, "FILE", 0, "instead of " MVMM_DEVICE, 2 },
	{ 0 }
};

static const char *const backends[] = { "anon", "memfd", NULL };
static const char *const resets[] = { "exit", [RUN_REBOOT] = "reboot", NULL };
static const char *const consoles[] = { "serial", "virtio", NULL };

/* Those with a plain value, from OPT_MEM on */
static const struct option_spec values[] = {
	{ "mem", OPTION_SIZE, OPTION_AT(struct run_options, machine.ram_size),
	  .def = 256 << 20, .min = RAM_MIN, .max = RAM_MAX },
	{ "cpus", OPTION_NUMBER, OPTION_AT(struct run_options, machine.vcpus),
	  .def = 1, .min = 1, .max = VCPUS_MAX },
	{ "weight", OPTION_NUMBER, OPTION_AT(struct run_options, machine.weight),
	  .def = WEIGHT_DEFAULT, .min = WEIGHT_MIN, .max = WEIGHT_MAX,
	  .hint = "guests without it have " STRING(WEIGHT_DEFAULT) },
	{ "cap", OPTION_NUMBER, OPTION_AT(struct run_options, machine.cap),
	  .min = 1, .max = CAP_MAX,
	  .hint = "per cent, where 100 is one CPU; for no limit leave it out" },
	{ "at", OPTION_NUMBER, OPTION_AT(struct run_options, at), .def = 0x7c00 },
	{ "on-reset", OPTION_CHOICE, OPTION_AT(struct run_options, on_reset),
	  .words = resets, .def = 2 },
	{ "mem-backend", OPTION_CHOICE,
	  OPTION_AT(struct run_options, machine.memfd), .words = backends },
	{ "console", OPTION_CHOICE, OPTION_AT(struct run_options, virtio_console),
	  .words = consoles },
	{ "save-every", OPTION_NUMBER, OPTION_AT(struct run_options, save_every),
	  .min = 1, .max = 1000000, .hint = "milliseconds" },
	{ "reload-every", OPTION_NUMBER,
	  OPTION_AT(struct run_options, reload_every), .min = 1, .max = 1000000 },
	OPTIONS_END
};

static void parse_value(struct argp_state *state, struct run_options *o, int key,
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

static void add_device(struct argp_state *state, struct run_options *o,
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

/*
 * Devices that another option makes together with what is behind them, as they are
 * written behind --device
 */
static const struct long_form {
	const char *name, *key;
	int option;
	const char *adds, *as;
} long_forms[] = {
	{ "virtio-blk", "file", OPT_DISK, "", "--disk" },
	{ "virtio-net", "net", OPT_NET, "", "--net" },
	{ "e1000", "net", OPT_NET, ",model=e1000", "--net" },
	{ "vhost-user", "socket", OPT_VHOST_USER, "",
	  "--vhost-user" },
	{ "virtio-fs", "directory", OPT_SHARE, "", "--share" },
};
#define LONG_FORMS (sizeof(long_forms) / sizeof(long_forms[0]))

/* NULL: there is none, or it was left out */
static const struct long_form *find_form(const char *name)
{
	struct error none = { 0 };
	unsigned int i;

	for (i = 0; i < LONG_FORMS; i++)
		if (!strcmp(long_forms[i].name, name) &&
		    !device_known(long_forms[i].option == OPT_SHARE ?
				  "vhost-user" : name, &none))
			return &long_forms[i];
	return NULL;
}

static void print_form(const struct long_form *f)
{
	printf("  %s=%-*s what is behind it, and any option of %s\n", f->key,
	       (int)(22 - strlen(f->key)), "TEXT", f->as);
}

/*
 * Those of @text, which is cut into pieces, as the option has them: the value of the
 * key, and the others behind it. NULL: it is not there
 */
static char *short_form(struct run_options *o, const struct long_form *f,
			char *text)
{
	size_t len = strlen(f->key);
	char *word, *value = NULL, *others = strdup(""), *made = NULL;

	while (others && (word = option_next(&text))) {
		char *before = others;

		if (!strncmp(word, f->key, len) && word[len] == '=') {
			value = word + len + 1;
			continue;
		}
		if (asprintf(&others, "%s,%s", before, word) < 0)
			others = NULL;
		free(before);
	}
	if (value && others && o->config.nr < CONFIG_OPTIONS &&
	    asprintf(&made, "%s%s%s", value, f->adds, others) >= 0)
		o->config.option[o->config.nr++] = made;
	else
		made = NULL;
	free(others);
	return made;
}

static void parse_disk(struct argp_state *state, struct run_options *o, char *arg,
		       unsigned int bus);
static void parse_there(struct argp_state *state, struct run_options *o, int key,
			char *arg);

/* False: it is another device, or a disk that --disk gives */
static bool parse_long(struct argp_state *state, struct run_options *o,
		       const char *name, const char *options)
{
	const struct long_form *f = find_form(name);
	char *text = f ? strdup(options ? options : "") : NULL, *made = NULL;

	if (text)
		made = short_form(o, f, text);
	free(text);
	if (!f || (!made && f->option == OPT_DISK))
		return false;
	if (!made)
		argp_error(state, "--device %s: %s=... is missing", name,
			   f->key);
	else if (f->option == OPT_DISK)
		parse_disk(state, o, made, DISK_VIRTIO);
	else
		parse_there(state, o, f->option, made);
	/* Its name says what it is */
	if (f->option == OPT_NET &&
	    strcmp(o->machine.nic[o->machine.nics - 1].model, name))
		argp_error(state, "--device %s: model= is another one", name);
	return true;
}

/* What there is to know of them */
static int print_devices(const char *name, struct error *error)
{
	const struct long_form *f = find_form(name);
	unsigned int i;

	if (f && f->option != OPT_DISK)
		printf("%s: as %s makes one\n", name, f->as);
	else if (device_print(name, stdout, error))
		return -1;
	if (f)
		print_form(f);
	for (i = 0; i < LONG_FORMS && !strcmp(name, "help"); i++)
		if (long_forms[i].option != OPT_DISK &&
		    find_form(long_forms[i].name))
			printf("%-16s as %s makes one\n", long_forms[i].name,
			       long_forms[i].as);
	return 0;
}

/* NAME[,OPTION=VALUE]..., or help */
static void parse_device(struct argp_state *state, struct run_options *o, char *arg)
{
	const char *name = strsep(&arg, ",");
	struct error error = { 0 };

	if (strcmp(name, "help") && (!arg || strcmp(arg, "help"))) {
		if (!parse_long(state, o, name, arg))
			add_device(state, o, name, arg);
		return;
	}
	if (print_devices(name, &error))
		argp_error(state, "%s", error.text);
	exit(0);
}

/* By an option of its own: there is one of them */
static bool has_device(const struct run_options *o, const char *name)
{
	const struct machine_config *c = &o->machine;
	unsigned int i;

	for (i = 0; i < c->nr_add; i++)
		if (!strcmp(c->add[i].name, name))
			return true;
	return false;
}

static void need_device(struct argp_state *state, struct run_options *o,
			const char *name, const char *options)
{
	if (!has_device(o, name))
		add_device(state, o, name, options);
}

/*
 * What is short for @option of device @name, of which there is one; @text keeps
 * it. @wrong: what is said of an @arg that is none
 */
static void parse_short(struct argp_state *state, struct run_options *o,
			const char *name, const char *option, const char *arg,
			char text[RUN_SHORT], const char *wrong)
{
	bool longer = snprintf(text, RUN_SHORT, "%s=%s", option, arg) >=
		      RUN_SHORT;
	struct error error = { 0 };

	/* The last one's text is that of the one there is */
	if (device_check(name, NULL, &error))
		argp_error(state, "%s", error.text);
	else if (longer || device_check(name, text, &error))
		argp_error(state, wrong, arg);
	need_device(state, o, name, text);
}

/* One more; @arg is cut into pieces */
static void parse_display(struct argp_state *state, struct run_options *o,
			  char *arg)
{
	struct error error = { 0 };

	if (display_parse(&o->display, arg, &error))
		argp_error(state, "%s", error.text);
}

/* @arg is cut into pieces */
static void parse_disk(struct argp_state *state, struct run_options *o, char *arg,
		       unsigned int bus)
{
	struct error error = { 0 };

	if (!strcmp(arg, "help")) {
		block_print(stdout);
		exit(0);
	}
	if (o->machine.disks == MACHINE_DISKS)
		argp_error(state, "--disk: at most %u", MACHINE_DISKS);
	else if (block_parse(&o->disk[o->machine.disks++], arg, &error))
		argp_error(state, "%s", error.text);
	else if (bus != DISK_VIRTIO)
		o->disk[o->machine.disks - 1].bus = bus;
}

static const struct option_spec iothread_options[] = {
	{ .name = "poll-max-ns", .kind = OPTION_NUMBER,
	  OPTION_AT(struct machine_iothread, poll_max), .max = 10000000,
	  .help = "it looks for so long before it sleeps" }, OPTIONS_END
};

/* @arg is cut into pieces */
static void parse_iothread(struct argp_state *state, struct run_options *o,
			   char *arg)
{
	struct machine_config *c = &o->machine;
	struct machine_iothread t = { .name = strsep(&arg, ",") };
	struct error error = { 0 };
	unsigned int i;

	for (i = 0; i < c->iothreads; i++)
		if (!strcmp(c->iothread[i].name, t.name))
			argp_error(state, "--iothread %s is there twice",
				   t.name);
	if (!*t.name || strpbrk(t.name, "[]") || strlen(t.name) > 32)
		argp_error(state, "--iothread %s is no name", t.name);
	else if (arg && options_parse(iothread_options, &t, arg, false, &error))
		argp_error(state, "--iothread %s: %s", t.name, error.text);
	else if (c->iothreads == MACHINE_IOTHREADS)
		argp_error(state, "--iothread: at most %u", MACHINE_IOTHREADS);
	else
		c->iothread[c->iothreads++] = t;
}

/* What another room knows; @arg is cut into pieces */
static void parse_there(struct argp_state *state, struct run_options *o, int key,
			char *arg)
{
	struct error error = { 0 };
	int ret;

	if (key == OPT_BOOT)
		ret = boot_order_parse(&o->boot, arg, &error);
	else if (key == OPT_NET)
		ret = nets_parse(&o->nets, &o->machine, arg, &error);
	else if (key == OPT_PORT)
		ret = ports_parse(&o->ports, arg, &error);
	else if (key == OPT_SHARE)
		ret = share_add(&o->machine, arg, &error);
	else
		ret = vhost_user_add(&o->machine, arg, &error);
	if (ret)
		argp_error(state, "%s", error.text);
}

/* MS[,DIRECTORY]; @arg is cut into pieces */
static void parse_save_every(struct argp_state *state, struct run_options *o,
			     char *arg)
{
	parse_value(state, o, OPT_SAVE_EVERY, strsep(&arg, ","));
	if (arg && !*arg)
		argp_error(state, "--save-every: a directory's name is missing");
	o->save_to = arg;
}

/* What it is says how it starts: a disk's firmware may have been chosen */
static void parse_image(struct argp_state *state, struct run_options *o)
{
	struct machine_config *c = &o->machine;
	enum image_kind kind = IMAGE_KERNEL;
	struct error error = { 0 };

	if (image_look(o->image, &kind, &error))
		argp_failure(state, error.status, 0, "%s", error.text);
	if (kind == IMAGE_KERNEL || kind == IMAGE_COM) {
		if (o->kernel || o->flat)
			argp_error(state, "give either an image, --kernel or --flat");
		o->kernel = o->image;
		o->com = kind == IMAGE_COM;
		return;
	}
	o->firmware = o->firmware ?: "bios";
	if (c->disks == MACHINE_DISKS)
		argp_error(state, "--disk: at most %u", MACHINE_DISKS);
	/* It is the first one, from which the firmware boots */
	memmove(o->disk + 1, o->disk, c->disks++ * sizeof(o->disk[0]));
	o->disk[0] = (struct block_config){ .path = o->image };
	if (kind == IMAGE_CD) {
		o->disk[0].bus = DISK_CDROM;
		o->boot.kinds = o->boot.kinds ?: "d";
	}
}

static const struct argp argp;

static void parse_config(struct argp_state *state, struct run_options *o,
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
	struct run_options *o = state->input;

	switch (key) {
	case OPT_KERNEL:
		o->kernel = arg;
		break;
	case OPT_FIRMWARE:
		o->firmware = arg;
		break;
	case OPT_VARS:
		o->vars = arg;
		break;
	case OPT_INITRD:
		if (o->initrds == BOOT_MODULES)
			argp_error(state, "--initrd: at most %u", BOOT_MODULES);
		else
			o->initrd[o->initrds++] = arg;
		break;
	case OPT_LOAD:
		o->load = arg;
		break;
	case OPT_APPEND:
		o->given = arg;
		break;
	case OPT_DISK:
		parse_disk(state, o, arg, DISK_VIRTIO);
		break;
	case OPT_CDROM:
		parse_disk(state, o, arg, DISK_CDROM);
		break;
	case OPT_FLOPPY:
		parse_disk(state, o, arg, DISK_FLOPPY);
		break;
	case OPT_IOTHREAD:
		parse_iothread(state, o, arg);
		break;
	case OPT_EPHEMERAL:
		o->machine.ephemeral = true;
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
	case OPT_BOOT:
	case OPT_SHARE:
	case OPT_VHOST_USER:
	case OPT_NET:
	case OPT_PORT:
		parse_there(state, o, key, arg);
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
	case OPT_DISPLAY:
		parse_display(state, o, arg);
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
	case OPT_ON_RESET:
	case OPT_BACKEND:
	case OPT_CONSOLE:
	case OPT_RELOAD_EVERY:
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
		/* A file of options has none */
		if (o->in_config || o->image)
			argp_error(state, "unexpected argument: %s", arg);
		o->image = arg;
		break;
	case ARGP_KEY_END:
		/* Only all together they have to make sense */
		if (o->in_config)
			break;
		if (o->image)
			parse_image(state, o);
		o->host = !o->kernel && !o->flat && !o->initrds && !o->firmware &&
			  !o->load;
		if (o->load && (o->kernel || o->flat))
			argp_error(state,
				   "--load brings the guest: leave --kernel and --flat out");
		if (!o->host && !o->load &&
		    !!o->kernel + !!o->flat + !!o->firmware != 1)
			argp_error(state,
				   "give either an image, --kernel or --flat, or --firmware");
		if (!o->kernel && !o->host && (o->initrds || o->given))
			argp_error(state,
				   "--initrd and --append go with --kernel");
		if (!o->firmware && (o->boot.kinds || o->boot.menu))
			argp_error(state, "--boot goes with --firmware");
		if (!o->flat && o->has_at)
			argp_error(state, "--at goes with --flat");
		if (o->save_every && o->reload_every)
			argp_error(state,
				   "give either --save-every or --reload-every");
		if (o->on_reset == RUN_REBOOT && o->load && !o->firmware)
			argp_error(state,
				   "--on-reset reboot goes with --firmware if a saved guest is loaded: there is no kernel to be booted again");
		if (o->vars && (!o->firmware || strcmp(o->firmware, "uefi")))
			argp_error(state,
				   "--firmware-vars goes with --firmware uefi");
		if (o->firmware) {
			if (!strcmp(o->firmware, "uefi")) {
				need_device(state, o, "pflash", NULL);
				need_device(state, o, "lpc", NULL);
			}
			o->machine.reset = o->on_reset ? reset_machine : NULL;
			need_device(state, o, "fw_cfg", NULL);
			need_device(state, o, "i8042", NULL);
		}
		/* Whatever was asked for: their back ends need it */
		if (o->machine.vhosts)
			o->machine.memfd = true;
		if (display_wanted(&o->display)) {
			/* A firmware and a terminal know no other screen */
			if (!has_device(o, "virtio-gpu") || o->firmware ||
			    o->display.in_terminal)
				need_device(state, o, "vga", NULL);
			need_device(state, o, "i8042", NULL);
		}
		if (o->virtio_console || o->ports.nr)
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

/* Without a console the guest would run in silence. NULL: no memory */
static char *add_console(const char *append, const struct run_options *o)
{
	const char *console = o->display.in_terminal ? "console=tty0" :
			      o->virtio_console ? "console=hvc0" : "console=ttyS0";
	char *line;

	if (!append)
		return strdup(console);
	if (strstr(append, "console="))
		return strdup(append);
	return asprintf(&line, "%s %s", append, console) < 0 ? NULL : line;
}

static const struct argp argp = {
	.options = option_list, .parser = parse, .args_doc = "[IMAGE]",
	.doc = "Boot a guest with this terminal as its console: IMAGE, which is a kernel, a .COM program, a boot sector, a disk or a CD; without one, --kernel and --flat the host's own kernel, with a shell that sees this directory, or those of --share.\v"
	       "Ctrl-A p or SIGTERM presses its power button, Ctrl-A x ends the guest, Ctrl-A h shows the keys. A byte written to port 0xf4 is the exit status."
};

int run_options_parse(struct run_options *o, int argc, char **argv)
{
	*o = (struct run_options){ .machine.device = MVMM_DEVICE };
	options_default(values, o);
	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, o))
		return STATUS_USAGE;
	o->append = add_console(o->given ?: o->host ? "quiet" : NULL, o);
	return o->append ? 0 : STATUS_OS;
}

void run_options_free(struct run_options *o)
{
	free(o->append);
	config_free(&o->config);
}
