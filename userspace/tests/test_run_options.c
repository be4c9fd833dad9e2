// SPDX-License-Identifier: GPL-2.0
/* What an option of mvmm run brings with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "cmd/run.h"
#include "have.h"

static struct run_options o;

/* How many devices of that name are asked for by @words */
static unsigned int devices_of(const char *name, const char *words)
{
	char line[128], *argv[8] = { "mvmm run" }, *at = line;
	unsigned int found = 0, i;
	int argc = 1;

	strcpy(line, words);
	while ((argv[argc] = strsep(&at, " ")))
		argc++;
	assert_int_equal(run_options_parse(&o, argc, argv), 0);
	for (i = 0; i < o.machine.nr_add; i++)
		found += !strcmp(o.machine.add[i].name, name);
	run_options_free(&o);
	return found;
}

static unsigned int devices(const char *name, const char *words)
{
	char line[128];

	snprintf(line, sizeof(line), "--flat image %s", words);
	return devices_of(name, line);
}

static void firmware(void **state)
{
	assert_int_equal(devices_of("fw_cfg", "--firmware bios"), 1);
	assert_int_equal(devices_of("i8042", "--firmware bios"), 1);
	assert_int_equal(devices_of("pflash", "--firmware bios"), 0);
	assert_non_null(o.machine.reset);
	assert_int_equal(devices_of("pflash", "--firmware uefi"), 1);
	assert_int_equal(devices_of("lpc", "--firmware uefi"), 1);
	assert_null(o.vars);
	devices_of("", "--firmware uefi --firmware-vars v --on-reset reboot");
	assert_non_null(o.vars);
	assert_non_null(o.machine.reset);
	devices_of("", "--firmware bios --on-reset exit");
	assert_null(o.machine.reset);
	/* Who boots a kernel does so again, if wanted: run.c */
	devices("", "--stats");
	assert_int_not_equal(o.on_reset, RUN_REBOOT);
	devices("", "--on-reset reboot");
	assert_int_equal(o.on_reset, RUN_REBOOT);
}

/* Who looks at the screen wants to type */
static void display(void **state)
{
	assert_int_equal(devices("vga", "--display none"), 0);
	assert_int_equal(devices("i8042", "--display none"), 0);
	assert_int_equal(devices("i8042", "--device vga"), 0);
#ifdef HAVE_VNC
	assert_int_equal(devices("vga", "--display vnc"), 1);
	assert_int_equal(devices("i8042", "--display vnc"), 1);
	assert_int_equal(devices("i8042", "--device i8042 --display vnc"), 1);
	assert_int_equal(devices("vga", "--display web --display none"), 0);
	assert_int_equal(devices("vga", "--display vnc --device virtio-gpu"), 0);
	assert_int_equal(devices_of("vga", "--firmware bios --display vnc --device virtio-gpu"),
			 1);
#endif
#ifdef HAVE_TERMINAL
	assert_int_equal(devices("vga", "--display terminal"), 1);
	assert_int_equal(devices("vga", "--display terminal --device virtio-gpu"),
			 1);
#endif
}

/* A guest that was saved needs nothing to boot, and has its own options else */
static void loads(void **state)
{
	char *argv[] = { "mvmm run", "--load", "saved", "--mem", "16M", NULL };

	assert_int_equal(run_options_parse(&o, 5, argv), 0);
	assert_string_equal(o.load, "saved");
	assert_false(o.host);
	assert_int_equal(o.machine.ram_size, 16 << 20);
	run_options_free(&o);
}

static void parse(const char *option, const char *text)
{
	char copy[128], *argv[] = { "mvmm run", "--flat", "image",
				    (char *)option, copy, NULL };

	snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(run_options_parse(&o, 5, argv), 0);
}

/* Its message ends the process */
static int status_of(const char *option, const char *text)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		parse(option, text);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void models(void **state)
{
	assert_int_equal(status_of("--device", "virtio-net,net=user"), 0);
	assert_int_equal(status_of("--device", "e1000,net=user,model=e1000"), 0);
	assert_int_equal(status_of("--device", "virtio-net,net=user,model=e1000"),
			 STATUS_USAGE);
	assert_int_equal(status_of("--device", "e1000,model=virtio-net,net=user"),
			 STATUS_USAGE);
}

/* What an option makes with its other end can be written as a device, too */
static void long_forms(void **state)
{
	FILE *file = fopen("build/test-run-options", "w");

	parse("--device", "virtio-blk,cache=none,file=a.img,ro");
	assert_int_equal(o.machine.disks, 1);
	assert_int_equal(o.machine.nr_add, 0);
	assert_string_equal(o.disk[0].path, "a.img");
	assert_int_equal(o.disk[0].cache, CACHE_NONE);
	assert_true(o.disk[0].read_only);
	run_options_free(&o);
	parse("--device", "virtio-blk,disk=0");
	assert_int_equal(o.machine.disks, 0);
	assert_int_equal(o.machine.nr_add, 1);
	run_options_free(&o);
	parse("--device", "e1000,mtu=1400,net=tap=t0");
	assert_int_equal(o.nets.nr, 1);
	assert_string_equal(o.machine.nic[0].model, "e1000");
	assert_string_equal(o.nets.config[0].address, "t0");
	assert_int_equal(o.nets.config[0].mtu, 1400);
	nets_close(&o.nets);
	run_options_free(&o);
	parse("--device", "vhost-user,type=fs,socket=/s,tag=t");
	assert_string_equal(o.machine.vhost[0].socket, "/s");
	assert_string_equal(o.machine.vhost[0].tag, "t");
	run_options_free(&o);
	fputs("device virtio-fs,directory=/d,ro\n"
	      "device virtio-net,net=user\n"
	      "net switch=s,vlan=3\n", file);
	fclose(file);
	parse("--config", "build/test-run-options");
	assert_string_equal(o.machine.vhost[0].directory, "/d");
	assert_true(o.machine.vhost[0].read_only);
	assert_string_equal(o.machine.nic[0].model, "virtio-net");
	assert_string_equal(o.nets.config[1].port_options, "vlan=3");
	nets_close(&o.nets);
	run_options_free(&o);
	unlink("build/test-run-options");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(display),
		cmocka_unit_test(firmware), cmocka_unit_test(loads),
		cmocka_unit_test(long_forms), cmocka_unit_test(models) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
