// SPDX-License-Identifier: GPL-2.0
/* What an option of mvmm run brings with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "cmd/run.h"
#include "have.h"

static struct run_options o;

/* How many devices of that name are asked for by --flat image and @words */
static unsigned int devices(const char *name, const char *words)
{
	char line[128], *argv[8] = { "mvmm run", "--flat", "image" }, *at = line;
	unsigned int found = 0, i;
	int argc = 3;

	strcpy(line, words);
	while ((argv[argc] = strsep(&at, " ")))
		argc++;
	assert_int_equal(run_options_parse(&o, argc, argv), 0);
	for (i = 0; i < o.machine.nr_add; i++)
		found += !strcmp(o.machine.add[i].name, name);
	run_options_free(&o);
	return found;
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
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(display) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
