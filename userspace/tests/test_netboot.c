// SPDX-License-Identifier: GPL-2.0
/* What SeaBIOS is told when a guest is to boot from the network. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "boot/boot.h"
#include "devices/isa/fw_cfg.h"
#include "tests/bare.h"
#include "tests/played_port.h"

#define RAM (2ull << 20)

static bool installed;

/* libc's: the ROMs are these, each of which has its own name in it, if they are there */
int open(const char *path, int flags, ...)
{
	static const char there[] = "/usr/lib/ipxe/qemu/";
	const char *name = path + strlen(there);
	int fd;

	if (strncmp(path, there, strlen(there)))
		return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
	if (!installed) {
		errno = ENOENT;
		return -1;
	}
	fd = syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600);
	return write(fd, name, strlen(name)) < 0 ? -1 : fd;
}

static struct firmware told;

static void tell(const char *order, int expected)
{
	struct boot_order o;
	char text[16];
	unsigned int i;

	for (i = 0; i < told.files; i++)
		free((void *)told.file[i].data);
	told = (struct firmware){ 0 };
	error = (struct error){ 0 };
	snprintf(text, sizeof(text), "order=%s", order);
	assert_int_equal(boot_order_parse(&o, text, &error), 0);
	assert_int_equal(boot_order_tell(&o, &m, &error), expected);
}

static void assert_file(unsigned int i, const char *name, const char *has)
{
	assert_true(i < told.files);
	assert_string_equal(told.file[i].name, name);
	assert_int_equal(told.file[i].len, strlen(has));
	assert_memory_equal(told.file[i].data, has, strlen(has));
}

static void roms(void **state)
{
	static struct played_port other;

	bare_start();
	m.config.firmware = &told;
	assert_int_equal(memory_create(&m.memory, RAM, false, &error), 0);
	bare_device("pci-host");
	/* Without a NIC there is nothing to look for */
	tell("nc", 0);
	assert_int_equal(told.files, 0);
	played_init(&m.loop);
	other = played;
	m.config.nic[0].port = &played.port;
	m.config.nic[1].port = &other.port;
	m.nics_made = 0;
	bare_device("virtio-net");
	tell("n", -1);
	assert_non_null(strstr(error.text, "pxe-virtio.rom"));
	assert_non_null(strstr(error.text, "install the package ipxe-qemu"));
	tell("c", 0);
	installed = true;
	tell("n", 0);
	assert_int_equal(told.files, 2);
	assert_file(1, "pci1af4,1041.rom", "pxe-virtio.rom");
	/* Two of them, and a disk before */
	bare_device("e1000");
	tell("cn", 0);
	assert_int_equal(told.files, 3);
	assert_file(1, "pci8086,100e.rom", "pxe-e1000.rom");
	assert_file(2, "pci1af4,1041.rom", "pxe-virtio.rom");
	/* OVMF has its own drivers */
	m.config.flash.size = 4096;
	tell("n", 0);
	assert_int_equal(told.files, 1);
	m.config.flash.size = 0;
	tell("c", 0);
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(roms) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
