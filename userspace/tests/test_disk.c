// SPDX-License-Identifier: GPL-2.0
/* mvmm disk, as it is called from a shell. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "block/block.h"
#include "cmd/cmd.h"

#define SIZE	(3u << 20)

static char dir[] = "/tmp/mvmm-disk.XXXXXX";
/* What it printed on stderr, and on stdout */
static char said[4096], printed[4096];

static void read_back(FILE *file, char *text, size_t size)
{
	rewind(file);
	text[fread(text, 1, size - 1, file)] = 0;
	fclose(file);
}

/* "create a.img 1M", say: words that are separated by spaces. The exit status */
static int disk(const char *words)
{
	char copy[256], *rest = copy, *argv[10] = { "mvmm disk" };
	FILE *err = tmpfile(), *out = tmpfile();
	int argc = 1, status, saved[2] = { dup(1), dup(2) };

	snprintf(copy, sizeof(copy), "%s", words);
	while ((argv[argc] = strsep(&rest, " ")))
		argc++;
	fflush(stdout);
	dup2(fileno(out), 1);
	dup2(fileno(err), 2);
	status = cmd_disk(argc, argv);
	fflush(stdout);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	read_back(out, printed, sizeof(printed));
	read_back(err, said, sizeof(said));
	return status;
}

#define assert_says(words, status, text) do { \
	assert_int_equal(disk(words), status); \
	if (!strstr(said, text)) \
		print_message("it said: %s", said); \
	assert_non_null(strstr(said, text)); \
} while (0)

#define assert_prints(words, text) do { \
	assert_int_equal(disk(words), 0); \
	if (!strstr(printed, text)) \
		print_message("it printed: %s", printed); \
	assert_non_null(strstr(printed, text)); \
} while (0)

static void put(const char *path, uint64_t at, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
	close(fd);
}

static bool has(const char *path, uint64_t at, const char *text)
{
	char bytes[64] = "";
	int fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, bytes, strlen(text), at), strlen(text));
	close(fd);
	return !memcmp(bytes, text, strlen(text));
}

/* Through the block layer, as a guest would */
static void write_through(const char *text, uint64_t at, const char *what)
{
	char copy[128], bytes[512] = "";
	struct block_config config;
	struct vm_clock clock;
	struct error error;
	struct block *block;
	struct loop loop;

	snprintf(copy, sizeof(copy), "%s", text);
	snprintf(bytes, sizeof(bytes), "%s", what);
	vm_clock_init(&clock, 0);
	assert_int_equal(loop_init(&loop, &clock), 0);
	assert_int_equal(block_parse(&config, copy, &error), 0);
	block = block_open(&config, &error);
	assert_non_null(block);
	assert_int_equal(block->ops->start(block, &loop, &error), 0);
	assert_int_equal(block_do(block, BLOCK_WRITE, at, bytes, 512), 0);
	block->ops->close(block);
	loop_destroy(&loop);
}

static int setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	return chdir(dir);
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	strcpy(strrchr(dir, '.') + 1, "XXXXXX");
	return chdir("/") || system(command);
}

static void made(void **state)
{
	struct stat st;

	assert_int_equal(disk("create a.img 3M"), 0);
	assert_int_equal(stat("a.img", &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_int_equal(st.st_blocks, 0);
	assert_says("create a.img 3M", STATUS_OS, "exists");
	assert_says("create b.img 1000", STATUS_USAGE, "multiple of 512");
	assert_says("create b.img big", STATUS_USAGE, "not a size");
	assert_says("create b.img", STATUS_USAGE, "either a size, or --base");
	assert_says("create", STATUS_USAGE, "see mvmm disk --help");
	assert_says("paint a.img", STATUS_USAGE, "paint is not known");
	assert_int_not_equal(access("b.img", F_OK), 0);
	assert_prints("info a.img", "3145728 bytes");
	assert_says("info c.img", STATUS_NO_INPUT, "c.img");
}

static void resized(void **state)
{
	struct stat st;

	assert_int_equal(disk("create a.img 3M"), 0);
	assert_int_equal(disk("resize a.img 4M"), 0);
	assert_says("resize a.img 1M", STATUS_USAGE, "--shrink");
	assert_int_equal(stat("a.img", &st), 0);
	assert_int_equal(st.st_size, 4u << 20);
	assert_int_equal(disk("resize --shrink a.img 1M"), 0);
	assert_int_equal(stat("a.img", &st), 0);
	assert_int_equal(st.st_size, 1u << 20);
	assert_int_equal(disk("create --base a.img ovl"), 0);
	assert_says("resize ovl 4M", STATUS_DATA, "as large as its base");
	put("a.img", 0, "QFI\xfb");
	assert_says("resize a.img 4M", STATUS_DATA, "begins as qcow2");
	assert_int_equal(disk("resize --from raw a.img 4M"), 0);
}

static void overlaid(void **state)
{
	int fd;

	assert_int_equal(disk("create a.img 3M"), 0);
	put("a.img", 70000, "old");
	assert_int_equal(disk("create --base a.img ovl"), 0);
	write_through("a.img,overlay=ovl", 1 << 20, "new");
	assert_false(has("a.img", 1 << 20, "new"));
	assert_prints("info ovl", "1 written, 0 zero, 47 as in the base");
	assert_prints("check ovl", "1 written");
	assert_prints("check a.img,overlay=ovl", "can be read");
	assert_prints("info a.img,overlay=ovl", "a base and its overlay");
	/* Both of them, in a file of its own */
	assert_int_equal(disk("convert a.img,overlay=ovl both.img"), 0);
	assert_true(has("both.img", 70000, "old"));
	assert_true(has("both.img", 1 << 20, "new"));
	assert_says("commit a.img", STATUS_USAGE, "BASE,overlay=CHANGES");
	assert_int_equal(disk("commit a.img,overlay=ovl"), 0);
	assert_true(has("a.img", 70000, "old"));
	assert_true(has("a.img", 1 << 20, "new"));
	assert_prints("info ovl", "0 written, 0 zero, 48 as in the base");
	fd = open("ovl", O_WRONLY);
	assert_int_equal(pwrite(fd, "\7", 1, 4096), 1);
	close(fd);
	assert_says("check ovl", STATUS_DATA, "damaged");
	assert_says("info ovl", STATUS_DATA, "damaged");
}

static void converted(void **state)
{
	struct stat st;

	assert_int_equal(disk("create a.img 3M"), 0);
	put("a.img", 2 << 20, "text");
	assert_int_equal(disk("convert a.img b.img"), 0);
	assert_int_equal(stat("b.img", &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_in_range(st.st_blocks, 1, 2048);
	assert_true(has("b.img", 2 << 20, "text"));
	assert_says("convert a.img b.img", STATUS_OS, "exists");
	/* What a guest wrote to its raw disk says nothing of the format */
	put("a.img", 0, "QFI\xfb");
	assert_says("convert a.img c.img", STATUS_USAGE, "begins as qcow2");
	assert_int_equal(disk("convert --from raw a.img c.img"), 0);
	assert_true(has("c.img", 2 << 20, "text"));
}

static void by_qemu_img(void **state)
{
	const char *path = getenv("PATH");

	if (system("qemu-img --version >/dev/null 2>&1")) {
		print_message("skipped: there is no qemu-img: scripts/setup packages\n");
		skip();
	}
	assert_int_equal(disk("create a.img 3M"), 0);
	put("a.img", 2 << 20, "text");
	assert_int_equal(disk("convert --to qcow2 a.img a.qcow2"), 0);
	assert_true(has("a.qcow2", 0, "QFI\xfb"));
	assert_prints("info a.qcow2", "begins as qcow2");
	/* Both its name and its first bytes say so; or only these */
	assert_int_equal(disk("convert a.qcow2 c.img"), 0);
	assert_true(has("c.img", 2 << 20, "text"));
	assert_int_equal(rename("a.qcow2", "a"), 0);
	assert_says("convert a b.img", STATUS_USAGE, "--from qcow2");
	assert_int_equal(rename("a", "a.qcow2"), 0);
	assert_int_equal(disk("convert --from qcow2 a.qcow2 b.img"), 0);
	assert_true(has("b.img", 2 << 20, "text"));
	assert_int_equal(disk("check --from qcow2 a.qcow2"), 0);
	assert_says("check --from qcow2 a.img", STATUS_DATA, "qemu-img failed");
	assert_says("convert --to qcow2 a.img a.qcow2", STATUS_OS, "exists");
	path = strdup(path);
	setenv("PATH", "/nowhere", 1);
	assert_says("convert --to qcow2 a.img c.qcow2", STATUS_NO_INPUT,
		    "install the package qemu-utils");
	setenv("PATH", path, 1);
	free((char *)path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(made), TEST(resized), TEST(overlaid), TEST(converted),
		TEST(by_qemu_img),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
