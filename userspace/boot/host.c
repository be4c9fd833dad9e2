// SPDX-License-Identifier: GPL-2.0
/*
 * The host's own system as a guest's: its kernel, and an initramfs that is made of
 * its busybox and of those of its modules that the guest needs for its devices.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "boot/boot.h"
#include "devices/virtio/vhost_user.h"

#define BUSYBOX		"/bin/busybox"
#define MODULES_MAX	32

/* "tags" is next to it, a line for each, and the modules in their order */
static const char init[] =
	"#!/bin/busybox sh\n"
	"/bin/busybox --install -s /bin\n"
	"export PATH=/bin HOME=/ TERM=linux PS1='guest# '\n"
	"mount -t proc proc /proc\n"
	"mount -t sysfs sysfs /sys\n"
	"mount -t devtmpfs devtmpfs /dev\n"
	/* The console's driver may be one of these, and needs a moment then */
	"console=/dev/console\n"
	"(: <$console) 2>/dev/null || console=/dev/null\n"
	"exec <$console >$console 2>&1\n"
	"for i in $(cat /modules/order); do insmod \"/modules/$i\"; done\n"
	"until (: </dev/console) 2>/dev/null; do usleep 10000; done\n"
	"exec </dev/console >/dev/console 2>&1\n"
	"while IFS= read -r i; do\n"
	"\tmkdir -p \"/$i\" && mount -t virtiofs \"$i\" \"/$i\" && cd \"/$i\"\n"
	"done </tags\n"
	"console=$(cat /sys/class/tty/console/active)\n"
	"echo '\"exit\" turns the guest off.'\n"
	"setsid -c sh -i <\"/dev/${console##* }\" >\"/dev/${console##* }\" 2>&1\n"
	"poweroff -f\n";

/**
 * struct archive - a cpio archive in the making (the kernel's
 *	Documentation/driver-api/early-userspace/buffer-format.rst)
 * @out: to which it is written
 * @inode: the last one
 * @order: names of modules
 * @nr: how many
 */
struct archive {
	FILE *out;
	unsigned int inode;
	char *order[MODULES_MAX];
	unsigned int nr;
};

static void pad(FILE *out)
{
	while (ftell(out) & 3)
		fputc(0, out);
}

static void add(struct archive *a, const char *name, unsigned int mode,
		const void *data, size_t len)
{
	fprintf(a->out, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
		++a->inode, mode, 0, 0, 1, 0, len, 0, 0, 0, 0,
		strlen(name) + 1, 0);
	fwrite(name, strlen(name) + 1, 1, a->out);
	pad(a->out);
	if (len)
		fwrite(data, len, 1, a->out);
	pad(a->out);
}

static int add_file(struct archive *a, const char *name, const char *path,
		    unsigned int mode, struct error *error)
{
	struct blob blob;

	if (blob_read(&blob, path, error))
		return -1;
	add(a, name, S_IFREG | mode, blob.data, blob.size);
	blob_free(&blob);
	return 0;
}

/* Does it run without libraries? */
static bool is_static(const struct blob *blob)
{
	const Elf64_Ehdr *e = (const void *)blob->data;
	Elf64_Phdr p;
	unsigned int i;

	if (blob->size < sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG) ||
	    e->e_phentsize != sizeof(p))
		return false;
	for (i = 0; i < e->e_phnum; i++) {
		uint64_t at = e->e_phoff + i * sizeof(p);

		if (at > blob->size || blob->size - at < sizeof(p))
			return false;
		memcpy(&p, blob->data + at, sizeof(p));
		if (p.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static int add_busybox(struct archive *a, struct error *error)
{
	struct error none = { 0 };
	struct blob blob = { 0 };
	bool good = !blob_read(&blob, BUSYBOX, &none) && is_static(&blob);

	if (good)
		add(a, "bin/busybox", S_IFREG | 0755, blob.data, blob.size);
	blob_free(&blob);
	return good ? 0 : fail(error, STATUS_NO_INPUT,
			       "there is no static %s, of which the guest's system would be made: install the package busybox-static, or give a --kernel",
			       BUSYBOX);
}

/* - and _ are one in a module's name */
static char fold(char c)
{
	return c == '-' ? '_' : c;
}

/* A module's name in a line of modules.dep, or of modules.builtin, ends it */
static bool is_named(const char *line, size_t len, const char *name)
{
	const char *slash = memrchr(line, '/', len);
	size_t i, n = strlen(name);

	if (slash) {
		len -= slash + 1 - line;
		line = slash + 1;
	}
	if (len < n + 3 || memcmp(line + n, ".ko", 3))
		return false;
	for (i = 0; i < n; i++)
		if (fold(line[i]) != fold(name[i]))
			return false;
	return true;
}

/* The line of the module in @text, or NULL */
static char *find_module(char *text, const char *name)
{
	char *line = text, *end;

	for (; *line; line = end + (*end == '\n')) {
		end = strchrnul(line, '\n');
		if (is_named(line, strcspn(line, ":\n"), name))
			return line;
	}
	return NULL;
}

static int add_module(struct archive *a, const char *directory,
		      const char *path, struct error *error)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	char from[512], name[256];
	unsigned int i;

	for (i = 0; i < a->nr; i++)
		if (!strcmp(a->order[i], base))
			return 0;
	if (strcmp(base + strlen(base) - 3, ".ko"))
		return fail(error, STATUS_NO_INPUT,
			    "the host's module %s is compressed, which a busybox does not load: give a --kernel",
			    base);
	if (a->nr == MODULES_MAX)
		return fail(error, STATUS_NO_INPUT, "too many modules");
	snprintf(from, sizeof(from), "%s/%s", directory, path);
	snprintf(name, sizeof(name), "modules/%s", base);
	a->order[a->nr] = strdup(base);
	if (!a->order[a->nr])
		return fail(error, STATUS_OS, "no memory");
	a->nr++;
	return add_file(a, name, from, 0644, error);
}

/* @line: "MODULE: NEEDED...", of which the last one is to be loaded first */
static int add_line(struct archive *a, const char *directory, const char *line,
		    struct error *error)
{
	char *copy = strndup(line, strcspn(line, "\n"));
	char *word = copy ? strrchr(copy, ' ') : NULL;
	int ret = copy ? 0 : fail(error, STATUS_OS, "no memory");

	for (; word && !ret; word = strrchr(copy, ' ')) {
		*word = 0;
		if (word[1])
			ret = add_module(a, directory, word + 1, error);
	}
	if (!ret) {
		copy[strcspn(copy, ":")] = 0;
		ret = add_module(a, directory, copy, error);
	}
	free(copy);
	return ret;
}

/* As text: NULL: there is none */
static char *read_text(const char *directory, const char *name)
{
	struct error none = { 0 };
	struct blob blob;
	char path[512], *text;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (blob_read(&blob, path, &none))
		return NULL;
	text = strndup((const char *)blob.data, blob.size);
	blob_free(&blob);
	return text;
}

/* @needs, @builtin: modules.dep and modules.builtin of @directory */
static int add_driver(struct archive *a, const char *directory, char *needs,
		      char *builtin, const char *name, struct error *error)
{
	char *line = needs ? find_module(needs, name) : NULL;

	if (line)
		return add_line(a, directory, line, error);
	return builtin && find_module(builtin, name) ? 0 :
	       fail(error, STATUS_NO_INPUT,
		    "the host's kernel has no %s in %s, which the guest needs: give a --kernel",
		    name, directory);
}

/* Of the device of that name; NULL: it needs none */
static const char *driver_of(const char *device)
{
	if (!strcmp(device, "virtio-vsock"))
		return "vmw_vsock_virtio_transport";
	return strncmp(device, "virtio-", 7) && strcmp(device, "e1000") ?
	       NULL : device;
}

/* Those of a device that another process serves. How many there are then */
static unsigned int add_served(const char *type, const char **drivers,
			       unsigned int nr)
{
	static const struct {
		const char *type, *driver;
	} all[] = { { "blk", "virtio_blk" }, { "rng", "virtio_rng" },
		    { "scsi", "virtio_scsi" }, { "scsi", "sd_mod" },
		    { "net", "virtio_net" } };
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(type, all[i].type))
			drivers[nr++] = all[i].driver;
	return nr;
}

static int add_modules(struct archive *a, const struct machine_config *m,
		       struct error *error)
{
	const char *drivers[3 + MACHINE_NICS + MACHINE_DEVICES +
			    2 * MACHINE_VHOSTS] = {
		"virtio_pci", "virtiofs" };
	char directory[256], *needs, *builtin;
	unsigned int nr = 2, i;
	struct utsname u;
	int ret = 0;

	if (m->disks)
		drivers[nr++] = "virtio_blk";
	for (i = 0; i < m->nics; i++)
		drivers[nr++] = driver_of(m->nic[i].model);
	for (i = 0; i < m->nr_add; i++)
		if (driver_of(m->add[i].name))
			drivers[nr++] = driver_of(m->add[i].name);
	for (i = 0; i < m->vhosts; i++)
		if (m->vhost[i].socket)
			nr = add_served(m->vhost[i].type, drivers, nr);
	uname(&u);
	snprintf(directory, sizeof(directory), "/lib/modules/%s", u.release);
	needs = read_text(directory, "modules.dep");
	builtin = read_text(directory, "modules.builtin");
	for (i = 0; i < nr && !ret; i++)
		ret = add_driver(a, directory, needs, builtin, drivers[i],
				 error);
	free(needs);
	free(builtin);
	return ret;
}

static void add_order(struct archive *a)
{
	char text[MODULES_MAX * 64] = "";
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < a->nr; i++) {
		if (len < sizeof(text))
			len += snprintf(text + len, sizeof(text) - len, "%s\n",
					a->order[i]);
		free(a->order[i]);
	}
	add(a, "modules/order", S_IFREG | 0644, text, strlen(text));
}

static int find_kernel(char *path, size_t len, struct error *error)
{
	struct utsname u;
	int why;

	uname(&u);
	snprintf(path, len, "/boot/vmlinuz-%s", u.release);
	if (!access(path, R_OK))
		return 0;
	/* Some distributions let only root read it, which is what to say then */
	why = errno;
	snprintf(path, len, "/lib/modules/%s/vmlinuz", u.release);
	if (!access(path, R_OK))
		return 0;
	return fail(error, STATUS_NO_INPUT,
		    "no file was given, and the host's own kernel, /boot/vmlinuz-%s, cannot be read: %s: give a --kernel, or --flat",
		    u.release, strerror(why));
}

static const char *const directories[] = { "bin", "dev", "proc", "sys", "tmp",
					   "modules" };
#define DIRECTORIES (sizeof(directories) / sizeof(directories[0]))

/* It becomes a directory there, which must not hide what is needed */
static int check_tag(const char *tag, struct error *error)
{
	bool good = *tag != '-' && !strpbrk(tag, "/\n") && strcmp(tag, ".") &&
		    strcmp(tag, "..");
	unsigned int i;

	for (i = 0; i < DIRECTORIES; i++)
		good &= strcmp(tag, directories[i]) != 0;
	return good ? 0 : fail(error, STATUS_USAGE,
			       "--share: the guest's system mounts a share at its tag, and cannot at /%s: give another by tag=",
			       tag);
}

static int make_initrd(const struct machine_config *m, struct blob *initrd,
		       const char *tags, struct error *error)
{
	char *bytes = NULL;
	struct archive a = { .out = open_memstream(&bytes, &initrd->size) };
	unsigned int i;
	bool broken;
	int ret;

	if (!a.out)
		return fail(error, STATUS_OS, "no memory");
	for (i = 0; i < DIRECTORIES; i++)
		add(&a, directories[i], S_IFDIR | 0755, NULL, 0);
	add(&a, "init", S_IFREG | 0755, init, strlen(init));
	add(&a, "tags", S_IFREG | 0644, tags, strlen(tags));
	ret = add_busybox(&a, error) || add_modules(&a, m, error) ? -1 : 0;
	add_order(&a);
	add(&a, "TRAILER!!!", 0, NULL, 0);
	broken = ferror(a.out);
	broken |= fclose(a.out) != 0;
	initrd->data = (uint8_t *)bytes;
	if (broken && !ret)
		ret = fail(error, STATUS_OS, "no memory");
	return ret;
}

int host_boot(struct machine_config *m, const char **kernel,
	      struct boot *boot, struct error *error)
{
	static char path[256], here[16];
	char tags[MACHINE_VHOSTS * 40] = "", full[PATH_MAX];
	const struct machine_vhost *v;

	strcpy(here, ".,tag=host");
	if ((!m->vhosts && share_add(m, here, error)) ||
	    find_kernel(path, sizeof(path), error))
		return -1;
	for (v = m->vhost; v < m->vhost + m->vhosts; v++) {
		if (!v->directory)
			continue;
		if (check_tag(v->tag, error))
			return -1;
		strcat(strcat(tags, v->tag), "\n");
	}
	*kernel = path;
	boot->nr = 1;
	if (make_initrd(m, &boot->initrd[0], tags, error))
		return -1;
	for (v = m->vhost; v < m->vhost + m->vhosts; v++)
		if (v->directory)
			fprintf(stderr,
				"mvmm run: boots this host's kernel, %s, with a shell of its busybox; /%s there is the directory %s here%s\n",
				path, v->tag, realpath(v->directory, full) ?
				full : v->directory,
				v->read_only ? ", to be read" : "");
	return 0;
}
