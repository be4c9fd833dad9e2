// SPDX-License-Identifier: GPL-2.0
/* mvmm run as a whole, without a module (fake_module.h). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "cmd/cmd.h"
#include "tests/fake_module.h"

#define ROM (64u << 10)
#define DIRECTORY 0x19

static char dir[] = "/tmp/mvmm-run.XXXXXX", saved[64], firmware[32];
static unsigned int at;		/* kicks are no steps */

/* Until it has been saved */
static int waits(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	fake_io(run, access(saved, F_OK) ? 0x80 : 0xf4, 1, false, 42);
	return 0;
}

/* Its status is the number of files that fw_cfg has: below 256, so the last byte */
static int counts_files(unsigned int id, unsigned int step, struct mvmm_run *run)
{
	uint8_t byte = run->regs.rax;

	if (!at++)
		fake_io(run, 0x510, 2, false, DIRECTORY);
	else if (at < 6)
		fake_io(run, 0x511, 1, true, 0);
	else
		fake_io(run, 0xf4, 1, false, byte);
	return 0;
}

static int run(int (*script)(unsigned int, unsigned int, struct mvmm_run *),
	       const char *option, const char *value)
{
	const char *argv[] = { "mvmm run", "--mvmm", "/dev/null", "--mem", "2M",
			       "--firmware", firmware, option, value, NULL };
	int ret;

	at = 0;
	fake_start();
	fake.script = script;
	ret = cmd_run(9, (char **)argv);
	fake_stop();
	return ret;
}

/* In another process it has what a firmware is told, for the next reset */
static void loads_with_a_firmware(void **state)
{
	int fd = memfd_create("firmware", 0), files;
	char text[80];

	assert_int_equal(ftruncate(fd, ROM), 0);
	snprintf(firmware, sizeof(firmware), "/proc/self/fd/%d", fd);
	assert_non_null(mkdtemp(dir));
	snprintf(saved, sizeof(saved), "%s/machine.json", dir);
	files = run(counts_files, "--cpus", "1");
	assert_true(files > 3);
	snprintf(text, sizeof(text), "1,%s", dir);
	assert_int_equal(run(waits, "--save-every", text), 42);
	assert_int_equal(run(counts_files, "--load", dir), files);
	snprintf(text, sizeof(text), "rm -r %s", dir);
	assert_int_equal(system(text), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_with_a_firmware),
	};
	int fd = open("/dev/null", O_RDONLY);

	/* Not the user's terminal */
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
