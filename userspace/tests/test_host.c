// SPDX-License-Identifier: GPL-2.0
/* The initramfs that is made of the host: its files, modules and their order. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "boot/boot.h"

static char root[] = "/tmp/host-XXXXXX";
static struct error error;
static struct boot made;
#define initrd (made.initrd[0])

/* libc's: the host is in a directory of ours */
int open(const char *path, int flags, ...)
{
	char there[256];

	snprintf(there, sizeof(there), "%s/%s", root, strrchr(path, '/') + 1);
	return syscall(SYS_openat, AT_FDCWD, there, flags, 0600);
}

/* What access() says of /boot's kernel; there is no other */
static int unreadable;

int access(const char *path, int mode)
{
	errno = strcmp(path, "/boot/vmlinuz-6.1-test") ? ENOENT : unreadable;
	return errno ? -1 : 0;
}

int uname(struct utsname *u)
{
	memset(u, 0, sizeof(*u));
	strcpy(u->release, "6.1-test");
	return 0;
}

static void put(const char *name, const void *bytes, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC);

	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

/* A program with one program header */
static void put_program(uint32_t type)
{
	struct {
		Elf64_Ehdr e;
		Elf64_Phdr p;
	} elf = { .e = { .e_ident = ELFMAG, .e_phoff = sizeof(Elf64_Ehdr),
			 .e_phnum = 1, .e_phentsize = sizeof(Elf64_Phdr) },
		  .p = { .p_type = type } };

	put("/busybox", &elf, sizeof(elf));
}

static int setup(void **state)
{
	strcpy(root, "/tmp/host-XXXXXX");
	assert_non_null(mkdtemp(root));
	error = (struct error){ 0 };
	put_program(PT_LOAD);
	put_text("/modules.dep",
		 "kernel/drivers/block/virtio_blk.ko:\n"
		 "kernel/fs/fuse/fuse.ko:\n"
		 "kernel/fs/fuse/virtiofs.ko: kernel/fs/fuse/fuse.ko kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko\n"
		 "kernel/drivers/virtio/virtio.ko:\n"
		 "kernel/drivers/virtio/virtio_pci_extra.ko:\n"
		 "kernel/drivers/virtio/virtio-pci.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko\n");
	put_text("/virtio_blk.ko", "blk");
	put_text("/fuse.ko", "fuse");
	put_text("/virtiofs.ko", "virtiofs");
	put_text("/virtio.ko", "virtio");
	put_text("/virtio_ring.ko", "ring");
	put_text("/virtio-pci.ko", "pci");
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", root);
	blob_free(&initrd);
	return system(command);
}

static unsigned int number(const uint8_t *field)
{
	char text[9] = { 0 };

	memcpy(text, field, 8);
	return strtoul(text, NULL, 16);
}

/* The content of a file of the archive, as text; NULL: there is none */
static char *content(const char *name)
{
	static char text[4096];
	size_t at = 0;

	while (at + 110 < initrd.size) {
		const uint8_t *h = initrd.data + at;
		unsigned int len = number(h + 54), n = number(h + 94);
		const char *this = (const char *)h + 110;

		assert_memory_equal(h, "070701", 6);
		assert_int_equal(strlen(this) + 1, n);
		at = (at + 110 + n + 3) & ~3ul;
		if (!strcmp(this, name) && len < sizeof(text)) {
			memcpy(text, initrd.data + at, len);
			text[len] = 0;
			return text;
		}
		at = (at + len + 3) & ~3ul;
	}
	return NULL;
}

static struct machine_config config;
static const char *kernel;

static int boot(void)
{
	memset(&config, 0, sizeof(config));
	return host_boot(&config, &kernel, &made, &error);
}

static void all_that_it_needs(void **state)
{
	assert_int_equal(boot(), 0);
	assert_string_equal(kernel, "/boot/vmlinuz-6.1-test");
	assert_string_equal(config.vhost[0].directory, ".");
	assert_true(config.memfd);
	assert_string_equal(content("modules/order"),
			    "virtio.ko\nvirtio_ring.ko\nvirtio-pci.ko\nfuse.ko\nvirtiofs.ko\n");
	assert_string_equal(content("modules/virtio_ring.ko"), "ring");
	assert_string_equal(content("tags"), "host\n");
	assert_non_null(content("bin/busybox"));
	assert_non_null(strstr(content("init"), "mount -t virtiofs"));
	assert_non_null(content("TRAILER!!!"));
	assert_null(content("modules/virtio_pci_extra.ko"));
}

static int boot_with(const char *tag)
{
	config = (struct machine_config){ .vhosts = 3, .vhost = {
		{ .directory = "/tmp", .tag = "a b" },
		{ .socket = "s", .type = "blk" },
		{ .directory = "/tmp", .tag = tag } } };
	return host_boot(&config, &kernel, &made, &error);
}

/* What it has gets its driver, and nothing else does */
static void drivers_of_devices(void **state)
{
	put_text("/modules.dep",
		 "a/virtio_pci.ko:\na/virtiofs.ko:\na/virtio_blk.ko:\n"
		 "a/virtio_net.ko: a/net_failover.ko a/failover.ko\n"
		 "a/virtio-rng.ko: a/rng-core.ko\na/virtio_console.ko:\n"
		 "a/e1000.ko:\n"
		 "a/vmw_vsock_virtio_transport.ko:\n");
	put_text("/virtio_pci.ko", "");
	put_text("/virtio_blk.ko", "");
	put_text("/virtio_net.ko", "");
	put_text("/e1000.ko", "");
	put_text("/net_failover.ko", "");
	put_text("/failover.ko", "");
	put_text("/virtio-rng.ko", "");
	put_text("/rng-core.ko", "");
	put_text("/virtio_console.ko", "");
	put_text("/vmw_vsock_virtio_transport.ko", "");
	config = (struct machine_config){ .disks = 1, .nics = 3,
		.nic = { { .model = "virtio-net" }, { .model = "e1000" },
			 { .model = "virtio-net" } }, .nr_add = 4, .add = {
		{ "virtio-console", NULL }, { "hpet", NULL },
		{ "virtio-rng", NULL }, { "virtio-vsock", "cid=3" } } };
	assert_int_equal(host_boot(&config, &kernel, &made, &error), 0);
	assert_string_equal(content("modules/order"),
			    "virtio_pci.ko\nvirtiofs.ko\nvirtio_blk.ko\nfailover.ko\nnet_failover.ko\nvirtio_net.ko\ne1000.ko\nvirtio_console.ko\nrng-core.ko\nvirtio-rng.ko\nvmw_vsock_virtio_transport.ko\n");
	blob_free(&initrd);
	config.disks = config.nics = 0;
	config.nr_add = 0;
	assert_int_equal(host_boot(&config, &kernel, &made, &error), 0);
	assert_string_equal(content("modules/order"),
			    "virtio_pci.ko\nvirtiofs.ko\n");
	blob_free(&initrd);
	config.nr_add = 1;
	config.add[0].name = "virtio-balloon";
	assert_int_equal(host_boot(&config, &kernel, &made, &error), -1);
	assert_non_null(strstr(error.text, "no virtio-balloon in"));
}

/* And what another process serves */
static void drivers_of_others(void **state)
{
	put_text("/modules.dep",
		 "a/virtio_pci.ko:\na/virtiofs.ko:\na/virtio_blk.ko:\n"
		 "a/virtio_scsi.ko: a/scsi_mod.ko\na/sd_mod.ko: a/scsi_mod.ko\n"
		 "a/virtio-rng.ko:\n");
	put_text("/virtio_pci.ko", "");
	put_text("/virtio_scsi.ko", "");
	put_text("/scsi_mod.ko", "");
	put_text("/sd_mod.ko", "");
	put_text("/virtio-rng.ko", "");
	config = (struct machine_config){ .vhosts = 4, .vhost = {
		{ .socket = "a", .type = "blk" },
		{ .socket = "b", .type = "fs", .tag = "c" },
		{ .socket = "d", .type = "scsi" },
		{ .socket = "e", .type = "rng" } } };
	assert_int_equal(host_boot(&config, &kernel, &made, &error), 0);
	assert_string_equal(content("modules/order"),
			    "virtio_pci.ko\nvirtiofs.ko\nvirtio_blk.ko\nscsi_mod.ko\nvirtio_scsi.ko\nsd_mod.ko\nvirtio-rng.ko\n");
}

static void tags_that_are_directories(void **state)
{
	static const char *const wrong[] = { "bin", "modules", ".", "..",
					     "a/b", "a\nb", "-o" };
	unsigned int i;

	assert_int_equal(boot_with("* $(x)"), 0);
	assert_string_equal(content("tags"), "a b\n* $(x)\n");
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(boot_with(wrong[i]), -1);
		assert_non_null(strstr(error.text, wrong[i]));
	}
}

static void modules_that_are_built_in(void **state)
{
	put_text("/modules.dep", "");
	put_text("/modules.builtin",
		 "kernel/fs/fuse/virtiofs.ko\nkernel/drivers/virtio/virtio_pci.ko\n");
	assert_int_equal(boot(), 0);
	assert_string_equal(content("modules/order"), "");
}

static void refused(const char *why)
{
	error = (struct error){ 0 };
	assert_int_equal(boot(), -1);
	assert_non_null(strstr(error.text, why));
	blob_free(&initrd);
}

static void what_is_missing_is_named(void **state)
{
	put_text("/fuse.ko.xz", "fuse");
	put_text("/modules.dep",
		 "virtio_pci.ko:\nvirtiofs.ko: fuse.ko.xz\n");
	put_text("/virtio_pci.ko", "pci");
	refused("fuse.ko.xz is compressed");
	put_text("/modules.dep", "virtio_pci.ko:\nvirtiofs.ko: gone.ko\n");
	refused("gone.ko");
	put_text("/modules.dep", "virtio_pci.ko:\n");
	refused("has no virtiofs");
	put_program(PT_INTERP);
	refused("busybox-static");
	put_text("/busybox", "#!/bin/sh\n");
	refused("busybox-static");
	unreadable = EACCES;
	refused("vmlinuz-6.1-test, cannot be read: Permission denied");
	unreadable = 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_that_it_needs), TEST(drivers_of_devices),
		TEST(drivers_of_others),
		TEST(tags_that_are_directories),
		TEST(modules_that_are_built_in),
		TEST(what_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
