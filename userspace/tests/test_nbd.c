// SPDX-License-Identifier: GPL-2.0
/* A disk on an NBD server: nbdkit, which is stopped, killed and started again. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail
#include "block/block.h"

#define SIZE	(8u << 20)
#define WRITES	48
#define ARGS	16

static struct error error;
static struct vm_clock vm_clock;
static struct loop loop;
static char dir[] = "/tmp/mvmm-nbd.XXXXXX", image[64], sock[64], uri[160];
static char pidfile[64];
static struct block *disk;
static pid_t server;
static unsigned int left;
/* Why the tests cannot run; NULL: they can */
static const char *missing;

static void need_server(void)
{
	if (missing) {
		print_message("skipped: %s\n", missing);
		skip();
	}
}

/* "nbdkit", then @words, which are separated by spaces; on the same socket */
static void start_server(const char *words)
{
	char *argv[ARGS] = { "nbdkit", "--foreground", "--exit-with-parent",
			     "--pidfile", pidfile, "--unix", sock };
	char copy[400], *rest = copy;
	unsigned int i = 7, tries;

	need_server();
	snprintf(copy, sizeof(copy), "%s", words);
	while (i < ARGS - 1 && (argv[i] = strsep(&rest, " ")))
		i++;
	unlink(sock);
	unlink(pidfile);
	server = fork();
	if (!server) {
		/* It writes parts of lines, between those of the results */
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		execvp("nbdkit", argv);
		_exit(127);
	}
	/* The socket is there before it listens, this is not */
	for (tries = 0; access(pidfile, F_OK); tries++) {
		assert_true(tries < 1000);
		usleep(10000);
	}
}

static void kill_server(void)
{
	if (server <= 0)
		return;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	server = 0;
}

static void open_disk(unsigned int retry)
{
	struct block_config config = { .path = uri, .retry = retry };

	disk = block_open(&config, &error);
	if (!disk)
		print_message("%s\n", error.text);
	assert_non_null(disk);
	assert_int_equal(disk->ops->start(disk, &loop, &error), 0);
	assert_int_equal(disk->size, SIZE);
}

static int setup(void **state)
{
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	left = 0;
	disk = NULL;
	vm_clock_init(&vm_clock, 0);
	return loop_init(&loop, &vm_clock);
}

static int teardown(void **state)
{
	if (disk)
		disk->ops->close(disk);
	kill_server();
	loop_destroy(&loop);
	return 0;
}

static void done(struct block_request *request)
{
	left--;
}

static void submit(struct block_request *r)
{
	r->done = done;
	r->result = 1;
	left++;
	disk->ops->submit(disk, r);
}

static void drain(void)
{
	disk->ops->drain(disk);
	assert_int_equal(left, 0);
}

/* One request from its beginning to its end. Returns its result */
static int request(enum block_op op, uint64_t at, void *buffer, size_t len,
		   bool stable)
{
	struct iovec iov = { buffer, len };
	struct block_request r = { .op = op, .at = at, .len = len, .iov = &iov,
				   .niov = !!buffer, .stable = stable };

	pthread_mutex_lock(&loop.lock);
	submit(&r);
	drain();
	pthread_mutex_unlock(&loop.lock);
	return r.result;
}

static bool is_filled(const uint8_t *bytes, size_t len, uint8_t value)
{
	while (len && bytes[len - 1] == value)
		len--;
	return !len;
}

/* ---- a server that does what it should ------------------------------------- */

static void use(bool discards)
{
	static uint8_t bytes[256 << 10];
	struct iovec iov[3] = { { bytes, 100 }, { bytes + 100, 412 },
				{ bytes + 512, 3584 } };
	struct block_request r = { .op = BLOCK_WRITE, .at = 4096, .len = 4096,
				   .iov = iov, .niov = 3 };

	memset(bytes, 1, sizeof(bytes));
	assert_int_equal(request(BLOCK_WRITE, 0, bytes, sizeof(bytes), false),
			 0);
	/* Buffers that are no whole blocks */
	memset(bytes, 2, 4096);
	pthread_mutex_lock(&loop.lock);
	submit(&r);
	drain();
	pthread_mutex_unlock(&loop.lock);
	assert_int_equal(r.result, 0);
	assert_int_equal(request(BLOCK_ZERO, 8192, NULL, 4096, true), 0);
	assert_int_equal(request(BLOCK_UNMAP, 16384, NULL, 4096, false), 0);
	assert_int_equal(request(BLOCK_DISCARD, 32768, NULL, 4096, false), 0);
	assert_int_equal(request(BLOCK_FLUSH, 0, NULL, 0, false), 0);
	memset(bytes, 9, sizeof(bytes));
	assert_int_equal(request(BLOCK_READ, 0, bytes, sizeof(bytes), false),
			 0);
	assert_true(is_filled(bytes, 4096, 1));
	assert_true(is_filled(bytes + 4096, 4096, 2));
	assert_true(is_filled(bytes + 8192, 4096, 0));
	assert_true(is_filled(bytes + 12288, 4096, 1));
	assert_true(is_filled(bytes + 16384, 4096, 0));
	assert_true(is_filled(bytes + 32768, 4096, discards ? 0 : 1));
	assert_true(is_filled(bytes + 65536, sizeof(bytes) - 65536, 1));
	/* A stable write is in the file that the server has */
	memset(bytes, 3, 4096);
	assert_int_equal(request(BLOCK_WRITE, SIZE - 4096, bytes, 4096, true),
			 0);
}

static void all_operations(void **state)
{
	start_server("memory 8M");
	open_disk(0);
	assert_false(disk->read_only);
	use(true);
}

/* What the server lacks is done by other commands, or not at all */
static void few_operations(void **state)
{
	char words[400];

	/* The tabs are spaces of the commands */
	snprintf(words, sizeof(words), "--filter=nozero eval get_size=echo\t8M "
		 "pread=dd\tif=%s\tiflag=skip_bytes,count_bytes\tskip=$4\tcount=$3\tstatus=none "
		 "pwrite=dd\tof=%s\tconv=notrunc\toflag=seek_bytes\tseek=$4\tstatus=none",
		 image, image);
	start_server(words);
	open_disk(0);
	use(false);
}

static void read_only(void **state)
{
	uint8_t bytes[512];

	start_server("--readonly pattern 8M");
	open_disk(0);
	assert_true(disk->read_only);
	assert_int_equal(request(BLOCK_READ, 4096, bytes, 512, false), 0);
	/* Big-endian offsets */
	assert_int_equal(bytes[6], 0x10);
}

static void errors(void **state)
{
	char words[200], trigger[80];
	uint8_t bytes[4096] = { 0 };
	int fd;

	snprintf(trigger, sizeof(trigger), "%s/error", dir);
	snprintf(words, sizeof(words),
		 "--filter=error memory 8M error=ENOSPC error-rate=1 error-file=%s",
		 trigger);
	start_server(words);
	open_disk(0);
	assert_int_equal(request(BLOCK_WRITE, 0, bytes, 4096, false), 0);
	fd = open(trigger, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(request(BLOCK_WRITE, 0, bytes, 4096, false), -ENOSPC);
	assert_int_equal(request(BLOCK_READ, 0, bytes, 4096, false), -ENOSPC);
	close(fd);
	unlink(trigger);
	assert_int_equal(request(BLOCK_READ, 0, bytes, 4096, false), 0);
}

/* ---- a server that is not there --------------------------------------------- */

static void refused(void **state)
{
	struct block_config config = { .path = uri };

	need_server();
	assert_null(block_open(&config, &error));
	assert_int_equal(error.status, STATUS_NO_INPUT);
	assert_non_null(strstr(error.text, sock));
	start_server("--filter=blocksize-policy memory 8M blocksize-minimum=4096 blocksize-preferred=4096 blocksize-maximum=1M");
	assert_null(block_open(&config, &error));
	assert_non_null(strstr(error.text, "blocks of more than 512"));
	kill_server();
	start_server("memory 8388609");
	assert_null(block_open(&config, &error));
	assert_non_null(strstr(error.text, "multiple of 512"));
}

static const char *slow_file(void)
{
	static char words[160];

	snprintf(words, sizeof(words),
		 "--filter=delay file %s rdelay=20ms wdelay=20ms", image);
	return words;
}

static uint8_t data[WRITES][16384];
static struct iovec iov[WRITES];
static struct block_request requests[WRITES];

static void submit_writes(uint8_t seed)
{
	unsigned int i;

	pthread_mutex_lock(&loop.lock);
	for (i = 0; i < WRITES; i++) {
		memset(data[i], seed + i, sizeof(data[i]));
		iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
		requests[i] = (struct block_request){
			.op = BLOCK_WRITE, .at = i * sizeof(data[i]),
			.len = sizeof(data[i]), .iov = &iov[i], .niov = 1,
			.stable = i % 3 == 0 };
		submit(&requests[i]);
	}
	pthread_mutex_unlock(&loop.lock);
}

/* In the file, not through the server */
static void assert_written(uint8_t seed)
{
	uint8_t bytes[sizeof(data[0])];
	int fd = open(image, O_RDONLY);
	unsigned int i;

	for (i = 0; i < WRITES; i++) {
		assert_int_equal(requests[i].result, 0);
		assert_int_equal(pread(fd, bytes, sizeof(bytes),
				       i * sizeof(bytes)), sizeof(bytes));
		assert_true(is_filled(bytes, sizeof(bytes), seed + i));
	}
	close(fd);
}

static void drain_all(void)
{
	pthread_mutex_lock(&loop.lock);
	drain();
	pthread_mutex_unlock(&loop.lock);
}

/* Killed at other moments of the same work: nothing is lost */
static void killed(void **state)
{
	unsigned int round;

	start_server(slow_file());
	open_disk(0);
	for (round = 0; round < 6; round++) {
		submit_writes(round * 3);
		usleep(round * 13000);
		kill_server();
		usleep(round % 2 * 700000);
		start_server(slow_file());
		drain_all();
		assert_written(round * 3);
	}
}

static uint64_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void gone(void **state)
{
	uint64_t start = seconds();
	uint8_t bytes[512];
	unsigned int i;

	start_server(slow_file());
	open_disk(2);
	submit_writes(1);
	kill_server();
	drain_all();
	/* Some may have been done */
	assert_int_equal(requests[WRITES - 1].result, -EIO);
	assert_in_range(seconds() - start, 1, 20);
	/* From now on nobody waits */
	for (i = 0; i < 20; i++)
		assert_int_equal(request(BLOCK_READ, 0, bytes, 512, false),
				 -EIO);
	assert_in_range(seconds() - start, 1, 22);
	start_server(slow_file());
	while (request(BLOCK_READ, 0, bytes, 512, false))
		assert_in_range(seconds() - start, 0, 40);
	submit_writes(7);
	drain_all();
	assert_written(7);
}

static void another_size(void **state)
{
	start_server("memory 8M");
	open_disk(2);
	kill_server();
	start_server("memory 4M");
	submit_writes(1);
	drain_all();
	assert_int_equal(requests[0].result, -EIO);
}

/* A server that does not answer holds nobody up who cancels */
static void cancelled(void **state)
{
	uint64_t start = seconds();

	start_server(slow_file());
	open_disk(0);
	kill(server, SIGSTOP);
	/* Else it may still write some: those are lost with the connection */
	assert_int_equal(waitpid(server, NULL, WUNTRACED), server);
	submit_writes(1);
	pthread_mutex_lock(&loop.lock);
	disk->ops->cancel(disk);
	assert_int_equal(left, 0);
	pthread_mutex_unlock(&loop.lock);
	assert_int_equal(requests[0].result, -ECANCELED);
	assert_int_equal(requests[WRITES - 1].result, -ECANCELED);
	assert_in_range(seconds() - start, 0, 10);
	/* Else what it has of the old writes may come after the new ones */
	kill_server();
	start_server(slow_file());
	submit_writes(2);
	drain_all();
	assert_written(2);
}

/*
 * It is there and does not answer, as an array's member may be. With more
 * threads nbdkit 1.32 aborts, if two of them find that the client has gone.
 */
static void mute_server(void)
{
	struct block_config config = { .path = uri, .timeout = 2, .retry = 60 };
	char words[200];

	snprintf(words, sizeof(words), "--threads=1 %s", slow_file());
	start_server(words);
	disk = block_open(&config, &error);
	assert_non_null(disk);
	assert_int_equal(disk->ops->start(disk, &loop, &error), 0);
	kill(server, SIGSTOP);
	assert_int_equal(waitpid(server, NULL, WUNTRACED), server);
}

static bool any_has(int result)
{
	unsigned int i;

	for (i = 0; i < WRITES; i++)
		if (requests[i].result == result)
			return true;
	return false;
}

/*
 * Until it answers again, and where no write was that may come late. Who asks
 * without a pause keeps the lock from the client.
 */
static void try_again(enum block_op op, uint8_t *bytes, uint64_t start)
{
	while (request(op, WRITES * sizeof(data[0]), bytes, 512, false)) {
		assert_in_range(seconds() - start, 0, 100);
		usleep(10000);
	}
}

static void muted(void **state)
{
	uint64_t start = seconds();
	uint8_t bytes[512];

	mute_server();
	submit_writes(1);
	drain_all();
	assert_int_equal(requests[WRITES - 1].result, -EIO);
	/* From now on nobody waits, until it answers again */
	assert_int_equal(request(BLOCK_READ, 0, bytes, 512, false), -EIO);
	assert_in_range(seconds() - start, 1, 20);
	kill(server, SIGCONT);
	/* One by one: on a busy machine many may be late once more */
	memset(bytes, 3, sizeof(bytes));
	try_again(BLOCK_WRITE, bytes, start);
	memset(bytes, 0, sizeof(bytes));
	try_again(BLOCK_READ, bytes, start);
	assert_true(is_filled(bytes, sizeof(bytes), 3));
}

/* What is sent after that has its own time, when the connection breaks */
static void muted_and_killed(void **state)
{
	uint64_t start = seconds();
	uint8_t bytes[512];

	mute_server();
	assert_int_equal(request(BLOCK_READ, 0, bytes, 512, false), -EIO);
	kill(server, SIGCONT);
	try_again(BLOCK_READ, bytes, start);
	submit_writes(5);
	kill_server();
	usleep(1000000);
	pthread_mutex_lock(&loop.lock);
	disk->ops->cancel(disk);
	pthread_mutex_unlock(&loop.lock);
	assert_true(any_has(-ECANCELED));
	assert_false(any_has(-EIO));
}

static bool all_done(void *ctx)
{
	return !left;
}

/* The loop reports, without anybody who drains */
static void by_the_loop(void **state)
{
	start_server(slow_file());
	open_disk(0);
	submit_writes(5);
	loop_run(&loop, all_done, NULL);
	assert_written(5);
}

static const char *look_for_what_is_missing(void)
{
	struct block_config config = { .path = "nbd://" };

	if (system("nbdkit --version >/dev/null 2>&1"))
		return "there is no nbdkit: scripts/setup packages";
	block_open(&config, &error);
	return strstr(error.text, "libnbd-dev") ? error.text : NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_operations), TEST(few_operations), TEST(read_only),
		TEST(errors), TEST(refused), TEST(killed), TEST(gone),
		TEST(another_size), TEST(cancelled), TEST(muted),
		TEST(muted_and_killed), TEST(by_the_loop),
	};
	int ret;

	alarm(300);
	/* A line of results is not to be cut by those on stderr */
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	missing = look_for_what_is_missing();
	if (!mkdtemp(dir))
		return 1;
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	snprintf(pidfile, sizeof(pidfile), "%s/pid", dir);
	/* Its text was error's, which the tests change */
	missing = missing ? strdup(missing) : NULL;
	snprintf(uri, sizeof(uri), "nbd+unix:///?socket=%s", sock);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(image);
	unlink(sock);
	unlink(pidfile);
	rmdir(dir);
	return ret;
}
