// SPDX-License-Identifier: GPL-2.0
/* mvmm raid and mvmm disk with arrays of files, as from a shell. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "cmd/cmd.h"

static char directory[] = "/tmp/mvmm-raid.XXXXXX";

/* "raid create 1 a b", say. The exit status */
static int run(const char *words)
{
	char copy[256], *rest = copy, *argv[16];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", words);
	while ((argv[argc] = strsep(&rest, " ")))
		argc++;
	return (!strcmp(argv[0], "raid") ? cmd_raid : cmd_disk)(argc, argv);
}

static int shell(const char *command)
{
	return system(command);
}

static int setup(void **state)
{
	if (!mkdtemp(directory) || chdir(directory))
		return -1;
	return shell("for i in a b c d; do truncate -s 4M $i; done; head -c 2M /dev/urandom >data");
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	strcpy(strrchr(directory, '.') + 1, "XXXXXX");
	return chdir("/") || shell(command);
}

#define GOOD(words) assert_int_equal(run(words), 0)
#define BAD(words, status) assert_int_equal(run(words), status)

/* What goes in comes out, with a member less too, and after it came back */
static void levels(void **state)
{
	GOOD("raid create 5 a b c --chunk 8K --assume-clean");
	GOOD("disk convert data raid5:a,b,c");
	GOOD("disk convert raid5:a,b,c whole");
	assert_int_equal(shell("cmp -n 2097152 data whole"), 0);
	GOOD("disk convert raid5:c,a degraded");
	assert_int_equal(shell("cmp -n 2097152 whole degraded"), 0);
	/* Written without it: what it has is old, and not used */
	assert_int_equal(shell("head -c 2M /dev/urandom >data"), 0);
	GOOD("disk convert data raid5:a,c");
	GOOD("disk convert raid5:a,b,c again");
	assert_int_equal(shell("cmp -n 2097152 data again"), 0);
	BAD("disk convert raid5:a,b not", STATUS_DATA);
	GOOD("raid status a b c");
	BAD("raid status d", STATUS_DATA);
	BAD("raid create 5 a b d", STATUS_DATA);
	GOOD("raid create 6 a b c d --force --assume-clean");
	GOOD("disk convert data raid6:a,b,c,d");
	GOOD("disk convert raid6:d,b two");
	assert_int_equal(shell("cmp -n 2097152 data two"), 0);
}

/* What one half did the other does not know, and what was left out is old */
static void halves(void **state)
{
	GOOD("raid create 1 a b --assume-clean");
	GOOD("disk convert data raid1:a");
	/* Given as a spare it is taken in anew; nobody rebuilds it here */
	GOOD("disk convert raid1:a,spare=b copy");
	assert_int_equal(shell("cmp -n 2097152 data copy"), 0);
	GOOD("raid create 1 a b --assume-clean --force");
	GOOD("disk convert data raid1:a");
	GOOD("disk convert data raid1:b");
	BAD("disk info raid1:a,b", STATUS_DATA);
	GOOD("disk info raid1:b");
	BAD("disk convert data raid1:[a,ro]", STATUS_USAGE);
	BAD("raid create 1 [c,ro] d", STATUS_USAGE);
	BAD("raid status c", STATUS_DATA);
}

/* The end of a longer life is not found behind what is copied */
static void nothing_behind(void **state)
{
	GOOD("raid create 5 a b c --assume-clean");
	assert_int_equal(shell("head -c 6M /dev/urandom >long"), 0);
	GOOD("disk convert long raid5:a,b,c");
	GOOD("disk convert data raid5:a,b,c");
	GOOD("disk convert raid5:a,c out");
	assert_int_equal(shell("truncate -s 6M data; cmp data out"), 0);
}

/* Members with options of their own, and arrays of arrays */
static void members(void **state)
{
	GOOD("raid create 1 a b --consistency-policy resync");
	GOOD("disk convert data raid1:[a,overlay=x],[b,overlay=y]");
	GOOD("disk convert raid1:[b,overlay=y],[a,overlay=x] copy");
	assert_int_equal(shell("cmp -n 2097152 data copy"), 0);
	GOOD("disk convert raid1:a,b base");
	assert_int_not_equal(shell("cmp -s -n 2097152 data base"), 0);
	GOOD("raid create 1 a b --force");
	GOOD("raid create 1 c d");
	GOOD("raid create 0 [raid1:a,b] [raid1:c,d]");
	GOOD("disk convert data raid0:[raid1:a,b],[raid1:d]");
	GOOD("disk convert raid0:[raid1:d],[raid1:b] ten");
	assert_int_equal(shell("cmp -n 2097152 data ten"), 0);
}

static void refusals(void **state)
{
	BAD("raid", STATUS_USAGE);
	BAD("raid create 3 a b c", STATUS_USAGE);
	BAD("raid create 6 a b c", STATUS_USAGE);
	BAD("raid create 5 a b c --chunk 5K", STATUS_USAGE);
	BAD("raid create 5 a b c --layout n2", STATUS_USAGE);
	BAD("raid create 6 a b c d --consistency-policy ppl", STATUS_USAGE);
	BAD("raid create 1 a a", STATUS_BUSY);
	BAD("raid fail a", STATUS_USAGE);
	BAD("raid status /nowhere", STATUS_NO_INPUT);
	BAD("raid scrub a", STATUS_NO_INPUT);
	GOOD("raid create 5 a b c --consistency-policy ppl --spare d");
	BAD("disk convert raid5:a,b,c,chunk=4K x", STATUS_DATA);
	/* Twice as much as fits */
	assert_int_equal(shell("truncate -s 16M big"), 0);
	BAD("disk convert big raid5:a,b,c", STATUS_DATA);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(levels), TEST(halves), TEST(nothing_behind), TEST(members),
		TEST(refusals),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
