// SPDX-License-Identifier: GPL-2.0
/* Disks in formats of qemu-nbd's, which mvmm starts, and starts again. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "block/block.h"
#include "cmd/cmd.h"
#include "tests/opened_disk.h"

static char dir[] = "/tmp/mvmm-format.XXXXXX";
static struct vm_clock vm_clock;
static struct loop loop;
static struct error error;
static char words[256];

static int open_disk(const char *text)
{
	struct block_config config;

	snprintf(words, sizeof(words), "%s", text);
	error = (struct error){ 0 };
	assert_int_equal(block_parse(&config, words, &error), 0);
	disk = block_open(&config, &error);
	return disk ? disk->ops->start(disk, &loop, &error) : -1;
}

static void close_disk(void)
{
	disk->ops->close(disk);
	disk = NULL;
}

static int setup(void **state)
{
	/* As if a socket of somebody else's had started us */
	if (!mkdtemp(dir) || chdir(dir) || setenv("TMPDIR", dir, 1) ||
	    setenv("LISTEN_PID", "1", 1) || setenv("LISTEN_FDS", "7", 1))
		return -1;
	vm_clock_init(&vm_clock, 0);
	return loop_init(&loop, &vm_clock) ||
	       system("qemu-img create -q -f qcow2 a.qcow2 8M");
}

static int teardown(void **state)
{
	char command[64];

	if (disk)
		close_disk();
	loop_destroy(&loop);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	strcpy(strrchr(dir, '.') + 1, "XXXXXX");
	return chdir("/") || system(command);
}

/* This process's child, whichever thread has it; 0: there is none */
static pid_t child(void)
{
	FILE *file = popen("/bin/cat /proc/$PPID/task/*/children", "r");
	int pid[2] = { 0, 0 };
	int n;

	assert_non_null(file);
	/* The shell is one, too, the youngest of its thread */
	n = fscanf(file, "%d %d", &pid[0], &pid[1]);
	pclose(file);
	return n == 2 ? (pid[0] < pid[1] ? pid[0] : pid[1]) : 0;
}

static void stop_child(int signal)
{
	pid_t pid = child();

	assert_true(pid > 0);
	kill(pid, signal);
}

static void used(void **state)
{
	assert_int_equal(open_disk("a.qcow2,format=qcow2"), 0);
	assert_int_equal(disk->size, 8 << 20);
	write_some(4 << 20, 3);
	assert_int_equal(block_do(disk, BLOCK_FLUSH, 0, NULL, 0), 0);
	close_disk();
	assert_int_equal(child(), 0);
	assert_int_equal(open_disk("a.qcow2,format=qcow2,ro"), 0);
	assert_true(disk->read_only);
	read_some(4 << 20, 3);
	read_some(0, 0);
	close_disk();
	assert_int_equal(system("qemu-img check -q a.qcow2"), 0);
}

static void is_refused(const char *text, const char *why)
{
	assert_int_equal(open_disk(text), -1);
	assert_non_null(strstr(error.text, why));
	if (disk)
		close_disk();
}

/* Brackets stay in a name; a comma in there begins no option of qemu-nbd's */
static void encrypted(void **state)
{
	/* LUKS: its CPU is measured, and may take no time with a quick hash */
	static const char *const create[] = {
		"printf secret >'[k,1]'; printf wrong >k2",
		"qemu-img create -q --object secret,id=s,file='[k,,1]' -f luks -o key-secret=s,iter-time=10,hash-alg=sha512 '[a,b.luks]' 8M",
		"qemu-img create -q --object secret,id=s,file=k2 -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,encrypt.hash-alg=sha512 b.qcow2 8M" };
	unsigned int i;

	for (i = 0; i < 3; i++)
		assert_int_equal(system(create[i]), 0);
	assert_int_equal(open_disk("[a,b.luks],format=luks,key=[[k,1]]"), 0);
	assert_int_equal(disk->size, 8 << 20);
	write_some(1 << 20, 5);
	close_disk();
	assert_int_equal(open_disk("[a,b.luks],format=luks,key=[[k,1]]"), 0);
	read_some(1 << 20, 5);
	close_disk();
	is_refused("[a,b.luks],format=luks,key=k2", "Invalid password");
	is_refused("[a,b.luks],format=luks", "key-secret");
	assert_int_equal(open_disk("b.qcow2,format=qcow2,key=k2"), 0);
	close_disk();
	is_refused("[a,b.luks],key=k2", "say format=luks");
}

/* It has a session of its own, one socket, and leaves no name behind */
static void on_its_own(void **state)
{
	char command[200];
	DIR *d;
	pid_t pid;

	assert_int_equal(open_disk("a.qcow2,format=qcow2"), 0);
	pid = child();
	assert_int_not_equal(pid, 0);
	assert_int_equal(getsid(pid), pid);
	snprintf(command, sizeof(command),
		 "grep -q 'NoNewPrivs:.*1' /proc/%d/status && test $(ls -l /proc/%d/fd | grep -c %s) = 1",
		 pid, pid, dir);
	/* Its image, and nothing of ours */
	assert_int_equal(system(command), 0);
	d = opendir(".");
	while (readdir(d))
		pid++;
	closedir(d);
	assert_int_equal(pid, child() + 3);
}

/* What it has not flushed it may have had in its memory only: that is told */
static void restarted(void **state)
{
	unsigned int round;

	assert_int_equal(open_disk("a.qcow2,format=qcow2"), 0);
	for (round = 0; round < 4; round++) {
		pid_t pid = child();

		write_some(round << 20, round + 1);
		if (round % 2)
			assert_int_equal(block_do(disk, BLOCK_FLUSH, 0, NULL, 0),
					 0);
		stop_child(round % 2 ? SIGKILL : SIGTERM);
		read_some(round << 20, round + 1);
		assert_int_not_equal(child(), pid);
	}
	assert_int_equal(block_do(disk, BLOCK_FLUSH, 0, NULL, 0), 0);
	write_some(5 << 20, 9);
	stop_child(SIGKILL);
	read_some(0, 1);
	assert_int_equal(block_do(disk, BLOCK_FLUSH, 0, NULL, 0), -EIO);
	write_some(5 << 20, 9);
	assert_int_equal(block_do(disk, BLOCK_FLUSH, 0, NULL, 0), -EIO);
	close_disk();
	assert_int_equal(child(), 0);
}

/* The one that ended had written all; those that do not begin had nothing */
static void away_for_a_while(void **state)
{
	assert_int_equal(open_disk("a.qcow2,format=qcow2"), 0);
	write_some(0, 1);
	assert_int_equal(rename("a.qcow2", "b.qcow2"), 0);
	stop_child(SIGTERM);
	usleep(1500000);
	assert_int_equal(rename("b.qcow2", "a.qcow2"), 0);
	read_some(0, 1);
	assert_int_equal(block_do(disk, BLOCK_FLUSH, 0, NULL, 0), 0);
}

static void *open_from_here(void *pid)
{
	assert_int_equal(open_disk("a.qcow2,format=qcow2"), 0);
	*(pid_t *)pid = child();
	return NULL;
}

/* As a member that is added at run time is: the thread ends, the server does not */
static void opened_by_a_thread(void **state)
{
	pthread_t thread;
	pid_t pid = 0;

	assert_int_equal(pthread_create(&thread, NULL, open_from_here, &pid), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_not_equal(pid, 0);
	write_some(0, 1);
	usleep(300000);
	write_some(0, 2);
	assert_int_equal(child(), pid);
	close_disk();
	assert_int_equal(child(), 0);
}

/* What mvmm leaves when it is killed is nothing */
static void orphaned(void **state)
{
	int pipes[2];
	pid_t pid, server;
	char byte;

	assert_int_equal(pipe(pipes), 0);
	/* It is this process's child when its parent is gone */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (!pid) {
		pid_t mine;

		if (open_disk("a.qcow2,format=qcow2"))
			_exit(1);
		mine = child();
		if (write(pipes[1], &mine, sizeof(mine)) < 0)
			_exit(1);
		pause();
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &server, sizeof(server)),
			 sizeof(server));
	assert_int_equal(read(pipes[0], &byte, 0), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(waitpid(server, NULL, 0), server);
	close(pipes[0]);
}

static void beneath(void **state)
{
	assert_int_equal(open_disk("a.qcow2,format=qcow2,overlay=ovl"), 0);
	write_some(0, 7);
	close_disk();
	assert_int_equal(open_disk("a.qcow2,format=qcow2"), 0);
	read_some(0, 0);
	close_disk();
	assert_int_equal(open_disk("a.qcow2,format=qcow2,overlay=ovl"), 0);
	read_some(0, 7);
}

static void assert_refused(const char *text, int status,
			   const char *part)
{
	assert_int_not_equal(open_disk(text), 0);
	if (!strstr(error.text, part))
		print_message("it said: %s\n", error.text);
	assert_int_equal(error.status, status);
	assert_non_null(strstr(error.text, part));
	assert_int_equal(child(), 0);
}

/* What its words were is gone when it is started again */
static void member(void **state)
{
	disk = block_open_member("[a.qcow2,format=qcow2]", false, 0, &error);
	assert_non_null(disk);
	assert_int_equal(disk->ops->start(disk, &loop, &error), 0);
	write_some(0, 1);
	assert_int_equal(block_do(disk, BLOCK_FLUSH, 0, NULL, 0), 0);
	stop_child(SIGTERM);
	read_some(0, 1);
}

static void refused(void **state)
{
	char *path = strdup(getenv("PATH"));

	assert_refused("a.qcow2", STATUS_DATA, "say format=qcow2");
	assert_refused("b.qcow2,format=qcow2", STATUS_NO_INPUT,
		       "No such file");
	assert_refused("a.qcow2,format=vmdk", STATUS_NO_INPUT, "VMDK");
	assert_refused("a.qcow2,format=none", STATUS_NO_INPUT,
		       "Unknown driver 'none'");
	assert_refused("raid0:a,b,format=qcow2", STATUS_USAGE,
		       "with each member");
	assert_refused("nbd://localhost,format=qcow2", STATUS_USAGE,
		       "an export is raw");
	/* A protocol of this name there is not: it is a file */
	assert_refused("x:y,format=qcow2", STATUS_NO_INPUT, "'./x:y'");
	setenv("PATH", "/nowhere", 1);
	assert_refused("a.qcow2,format=qcow2", STATUS_NO_INPUT,
		       "install the package qemu-utils");
	setenv("PATH", path, 1);
	free(path);
	/* As raw it is bytes */
	assert_int_equal(truncate("a.qcow2", 1 << 20), 0);
	assert_int_equal(open_disk("a.qcow2,format=raw"), 0);
	assert_int_equal(block_do(disk, BLOCK_READ, 0, bytes, 512), 0);
	assert_memory_equal(bytes, "QFI\xfb", 4);
}

/* A played one, which says what it may */
static void sandboxed(void **state)
{
	static const char script[] =
		"#!/bin/sh\n"
		"say() { echo $* >&2; exit 1; }\n"
		"{ echo x >outside; } 2>/dev/null && say writes elsewhere\n"
		"{ echo x >sub/new; } 2>/dev/null && say makes files\n"
		"cat readable >/dev/null || say cannot read\n"
		"[ $landlock -lt 3 ] || ! truncate -s 0 full 2>/dev/null || say cuts\n"
		"[ $(grep -c : /proc/net/dev) = 1 ] || say has a network\n"
		"{ echo x >sub/part; } 2>/dev/null || say cannot write beside\n"
		"echo x >sub/a.img || say cannot write to the image\n"
		"say as it should be\n";
	char *path = strdup(getenv("PATH")), *with = NULL, version[24];
	long n = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	FILE *file;

	/* Landlock's version, without which there is only the network */

	if (n < 0)
		skip();
	snprintf(version, sizeof(version), "%ld", n);
	setenv("landlock", version, 1);
	assert_int_equal(system("mkdir sub bin; touch outside sub/part sub/a.img readable; echo x >full"),
			 0);
	file = fopen("bin/qemu-nbd", "w");
	fputs(script, file);
	fclose(file);
	assert_int_equal(chmod("bin/qemu-nbd", 0755), 0);
	assert_true(asprintf(&with, "%s/bin:%s", dir, path) > 0);
	setenv("PATH", with, 1);
	assert_refused("sub/a.img,format=qcow2", STATUS_NO_INPUT,
		       "as it should be");
	assert_int_equal(system("test -s sub/part && test -s sub/a.img && ! test -s outside && ! test -e sub/new"),
			 0);
	assert_refused("sub/a.img,format=qcow2,ro", STATUS_NO_INPUT,
		       "cannot write beside");
	setenv("PATH", path, 1);
	free(with);
	free(path);
}

static void formats(void **state)
{
	static const char *const names[] = { "vmdk", "vdi", "vhdx", "vpc" };
	char command[80], text[80];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		snprintf(command, sizeof(command),
			 "qemu-img create -q -f %s b.img 8M", names[i]);
		assert_int_equal(system(command), 0);
		assert_string_equal(block_seems("b.img"), names[i]);
		snprintf(text, sizeof(text), "b.img,format=%s", names[i]);
		assert_int_equal(open_disk(text), 0);
		write_some(1 << 20, i + 1);
		close_disk();
		assert_int_equal(open_disk(text), 0);
		read_some(1 << 20, i + 1);
		close_disk();
	}
	assert_null(block_seems("nothing"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(used), TEST(encrypted), TEST(on_its_own), TEST(restarted),
		TEST(opened_by_a_thread), TEST(orphaned),
		TEST(away_for_a_while), TEST(beneath), TEST(member), TEST(refused), TEST(sandboxed),
		TEST(formats),
	};
	struct block_config config = { .path = "nbd://" };

	alarm(120);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	block_open(&config, &error);
	if (system("qemu-nbd --version >/dev/null 2>&1") ||
	    strstr(error.text, "libnbd-dev")) {
		printf("skipped: there is no qemu-nbd, or no libnbd-dev: scripts/setup packages\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
