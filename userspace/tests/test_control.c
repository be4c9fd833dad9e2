// SPDX-License-Identifier: GPL-2.0
/*
 * The control socket, and what it asks an array on files for, while requests are
 * under way. Also under TSan.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "block/raid/create.h"
#include "block/raid/raid.h"
#include "cmd/cmd.h"
#include "core/machine.h"
#include "manage/control.h"
#include "net/net.h"

#define MEMBERS	3
#define SIZE	(3u << 20)

static struct machine m;
static struct control control;
static struct error error;
static char directory[] = "/tmp/mvmm-control.XXXXXX", path[64];
static char name[MEMBERS + 1][64];
static bool ended;

/* ---- an array on files -------------------------------------------------------- */

static void make_files(void)
{
	unsigned int i;
	FILE *file;

	for (i = 0; i <= MEMBERS; i++) {
		snprintf(name[i], sizeof(name[i]), "%s/%u.img", directory, i);
		file = fopen(name[i], "w");
		assert_int_equal(ftruncate(fileno(file), SIZE), 0);
		fclose(file);
	}
}

static void format(void)
{
	struct raid_new new = { .layout = { .level = 5, .chunk = 4096,
					    .layout = RAID_LEFT_SYMMETRIC },
				.policy = MD_BITMAP, .name = "test" };
	const char *names[MEMBERS] = { name[0], name[1], name[2] };
	struct block *disk[MEMBERS];
	unsigned int i;
	int ret;

	for (i = 0; i < MEMBERS; i++) {
		struct block_config config = { .path = name[i] };

		disk[i] = block_open(&config, &error);
		assert_non_null(disk[i]);
		assert_int_equal(disk[i]->ops->start(disk[i], &m.loop, &error),
				 0);
	}
	pthread_mutex_lock(&m.loop.lock);
	ret = raid_format(&new, disk, names, MEMBERS, &error);
	pthread_mutex_unlock(&m.loop.lock);
	assert_int_equal(ret, 0);
	for (i = 0; i < MEMBERS; i++)
		disk[i]->ops->close(disk[i]);
}

static int setup(void **state)
{
	char text[256];
	struct block_config config;

	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	memset(&m, 0, sizeof(m));
	vm_clock_init(&m.clock, 0);
	vm_clock_start(&m.clock);
	assert_int_equal(loop_init(&m.loop, &m.clock), 0);
	make_files();
	format();
	snprintf(text, sizeof(text), "raid5:%s,%s,%s", name[0], name[1],
		 name[2]);
	assert_int_equal(block_parse(&config, text, &error), 0);
	m.config.disk[0] = block_open(&config, &error);
	assert_non_null(m.config.disk[0]);
	assert_int_equal(m.config.disk[0]->ops->start(m.config.disk[0], &m.loop, &error), 0);
	m.config.disks = 1;
	ended = false;
	return control_start(&control, &m, path, &error);
}

static int teardown(void **state)
{
	unsigned int i;

	control_stop(&control);
	m.config.disk[0]->ops->close(m.config.disk[0]);
	loop_destroy(&m.loop);
	for (i = 0; i <= MEMBERS; i++)
		unlink(name[i]);
	assert_int_not_equal(access(path, F_OK), 0);
	rmdir(directory);
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	return 0;
}

/* ---- a client ------------------------------------------------------------------- */

static json_t *ask(const char *verb, const char *member)
{
	json_t *arguments = json_object();

	if (member)
		json_object_set_new(arguments, "member", json_string(member));
	return control_ask(path, json_pack("{s:s, s:o}", "execute", verb,
					   "arguments", arguments), &error);
}

static void expect(const char *verb, const char *member, const char *state)
{
	json_t *answer = ask(verb, member);

	if (!answer)
		print_error("%s: %s\n", verb, error.text);
	assert_non_null(answer);
	assert_string_equal(json_string_value(json_object_get(answer,
							      "state")),
			    state);
	json_decref(answer);
}

static void refuse(const char *verb, const char *member, const char *why)
{
	assert_null(ask(verb, member));
	if (!strstr(error.text, why))
		print_error("%s\n", error.text);
	assert_non_null(strstr(error.text, why));
}

/* Until the walk is over; what did not agree */
static json_int_t settle(void)
{
	json_int_t wrong;
	json_t *answer, *sync;
	bool idle;

	do {
		usleep(1000);
		answer = ask("raid-status", NULL);
		assert_non_null(answer);
		sync = json_object_get(answer, "sync");
		idle = !strcmp(json_string_value(json_object_get(sync,
								 "action")),
			       "idle");
		wrong = json_integer_value(json_object_get(sync,
							   "mismatches"));
		json_decref(answer);
	} while (!idle);
	return wrong;
}

/* The last line of the array's log, of just now */
static void is_noted(const char *text)
{
	json_t *answer = ask("raid-status", NULL), *log, *last;
	json_int_t at;

	assert_non_null(answer);
	log = json_object_get(answer, "log");
	last = json_array_get(log, json_array_size(log) - 1);
	at = json_integer_value(json_object_get(last, "at"));
	assert_true(at <= time(NULL) && at > time(NULL) - 100);
	assert_non_null(strstr(json_string_value(json_object_get(last, "text")),
			       text));
	json_decref(answer);
}

static void *client(void *ctx)
{
	settle();
	refuse("raid-check-not", NULL, "does not know check-not");
	refuse("nothing", NULL, "nothing is not known");
	refuse("raid-fail", "x", "has no member x");
	refuse("raid-remove", name[0], "is in use");
	expect("raid-fail", name[0], "degraded");
	is_noted("has failed: the user said so");
	refuse("raid-fail", name[1], "cannot do without");
	/* What failed comes back as a new one, and another takes its place */
	expect("raid-remove", name[0], "degraded");
	refuse("raid-remove", name[0], "has no member");
	refuse("raid-add", "/nowhere/x", "No such file");
	/* What is new is read while others have the loop's lock */
	assert_int_equal(truncate(name[0], 4096), 0);
	pthread_mutex_lock(&m.loop.lock);
	refuse("raid-add", name[0], "cannot be read");
	pthread_mutex_unlock(&m.loop.lock);
	assert_int_equal(truncate(name[0], SIZE), 0);
	expect("raid-add", name[3], "degraded");
	settle();
	expect("raid-add", name[0], "clean");
	settle();
	expect("raid-check", NULL, "clean");
	assert_int_equal(settle(), 0);
	__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
	loop_wake(&m.loop);
	return NULL;
}

static bool has_ended(void *ctx)
{
	return __atomic_load_n(&ended, __ATOMIC_ACQUIRE);
}

static void an_array(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, client, NULL), 0);
	loop_run(&m.loop, has_ended, NULL);
	pthread_join(thread, NULL);
}

/* ---- clients that are none ---------------------------------------------------------- */

static int connected(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(to.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void says(const char *text, const char *want)
{
	char answer[512] = "";
	int fd = connected();

	assert_true(write(fd, text, strlen(text)) > 0);
	assert_true(read(fd, answer, sizeof(answer) - 1) > 0);
	assert_non_null(strstr(answer, want));
	close(fd);
}

static void bad_clients(void **state)
{
	static char big[2 * CONTROL_LINE];
	struct control second;
	struct stat st;
	int fd;

	says("[]\n", "a request is a JSON object");
	says("{\"execute\": 5}\n", "without");
	says("}{\n", "a request is a JSON object");
	says("{\"execute\":\"raid-status\",\"arguments\":{\"disk\":9}}\n",
	     "there is no disk 9");
	/* A number is no text: it would be the first disk */
	says("{\"execute\":\"raid-status\",\"arguments\":{\"disk\":\"1\"}}\n",
	     "a disk is a number");
	/* A line that is too long, and one that does not end */
	fd = connected();
	memset(big, 'x', sizeof(big));
	send(fd, big, sizeof(big), MSG_NOSIGNAL);
	assert_true(read(fd, big, sizeof(big)) <= 0);
	close(fd);
	close(connected());
	says("[]\n", "a request is a JSON object");
	/* Nobody else's: the mode, and who comes second */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(control_start(&second, &m, path, &error), -1);
	assert_non_null(strstr(error.text, "Address already in use"));
}

/* So many answers come, each a line; the last one */
static json_t *hear(int fd, unsigned int lines)
{
	static char text[8192];
	char *line = text, *end;
	size_t len = 0;
	ssize_t n;

	while (lines) {
		n = read(fd, text + len, sizeof(text) - len - 1);
		assert_true(n > 0);
		len += n;
		text[len] = 0;
		while (lines && (end = strchr(line, '\n'))) {
			*end = 0;
			if (--lines)
				line = end + 1;
		}
	}
	return json_loads(line, 0, NULL);
}

/* A stream has no pieces: three lines at once, and one in two parts, are four lines */
static void pieces(void **state)
{
	static const char all[] = "[]\n{}\n[]\n{\"exe", rest[] = "cute\":\"x\"}\n";
	int fd = connected();
	json_t *answer;

	assert_int_equal(write(fd, all, strlen(all)), strlen(all));
	json_decref(hear(fd, 3));
	assert_int_equal(write(fd, rest, strlen(rest)), strlen(rest));
	answer = hear(fd, 1);
	assert_non_null(strstr(json_string_value(json_object_get(
		json_object_get(answer, "error"), "desc")), "x is not known"));
	json_decref(answer);
	close(fd);
}

static json_t *slow(void *ctx, const json_t *request, struct error *why)
{
	usleep(20000);
	__atomic_add_fetch((unsigned int *)ctx, 1, __ATOMIC_RELAXED);
	return json_object();
}

/* Who has said much keeps nobody from the end */
static void stopped_among_lines(void **state)
{
	enum { LINES = 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	unsigned int done = 0, i;
	char lines[3 * LINES + 1];
	struct control other;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/slow", directory);
	assert_int_equal(control_serve(&other, slow, &done, address.sun_path,
				       &error), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address,
				 sizeof(address)), 0);
	for (i = 0; i < LINES; i++)
		strcpy(lines + 3 * i, "{}\n");
	assert_int_equal(write(fd, lines, 3 * LINES), 3 * LINES);
	while (!__atomic_load_n(&done, __ATOMIC_RELAXED))
		usleep(1000);
	control_stop(&other);
	/* Some 280 answers that nobody reads would end it, too */
	assert_true(done < 100);
	close(fd);
}

/* What does not fit into the answer is cut, also within a letter */
static void long_names(void **state)
{
	char request[2048] = "{\"execute\":\"";
	unsigned int i, shift;
	json_t *answer;
	int fd;

	for (shift = 0; shift < 2; shift++) {
		char *to = request + strlen("{\"execute\":\"");

		if (shift)
			*to++ = 'x';
		for (i = 0; i < 300; i++)
			to += sprintf(to, "\xc3\xa9");
		strcpy(to, "\"}\n");
		fd = connected();
		assert_true(write(fd, request, strlen(request)) > 0);
		answer = hear(fd, 1);
		assert_int_equal(json_integer_value(json_object_get(
			json_object_get(answer, "error"), "status")),
			STATUS_USAGE);
		json_decref(answer);
		close(fd);
	}
}

/* A file's name may be anything, and JSON may not: that is said, and nothing asked */
static void names_of_bytes(void **state)
{
	char *argv[] = { "mvmm eject", path, "\xff", NULL };
	char *more[] = { "mvmm change", path, "cd0", "\xff", NULL };

	assert_int_equal(cmd_screen(3, argv), STATUS_USAGE);
	assert_int_equal(cmd_screen(4, more), STATUS_USAGE);
	argv[0] = "mvmm type";
	assert_int_equal(cmd_screen(3, argv), STATUS_USAGE);
}

/* What an array is of may have such names, and is shown all the same */
static void array_of_bytes(void **state)
{
	struct raid *raid = (struct raid *)m.config.disk[0];
	json_t *answer, *member;

	pthread_mutex_lock(&m.loop.lock);
	raid->label[0] = '\xff';
	raid->member[0].name[0] = '\xff';
	pthread_mutex_unlock(&m.loop.lock);
	answer = ask("raid-status", NULL);
	assert_string_equal(json_string_value(json_object_get(answer, "name")),
			    "?");
	member = json_array_get(json_object_get(answer, "members"), 0);
	assert_string_equal(json_string_value(json_object_get(member, "name")),
			    "?");
	json_decref(answer);
}

/* What is behind each NIC, and how much went through */
static void nics(void **state)
{
	struct port tap = { .name = "t0", .link = true, .to_peer = {
		.in = 3, .out = 2, .bytes = 128, .dropped[DROP_FILTER] = 1 } };
	struct port named = { .name = "t\xe9" };
	json_t *answer, *port;

	m.config.nic[0] = (struct machine_nic){ .model = "e1000", .port = &tap,
		.mac = { 2, 0, 0, 0, 0, 0xab } };
	m.config.nic[1] = (struct machine_nic){ .model = "virtio",
		.port = &named };
	m.config.nics = 2;
	answer = ask("net-show", NULL);
	port = json_array_get(json_object_get(answer, "ports"), 0);
	assert_string_equal(json_string_value(json_object_get(port, "name")),
			    "t0");
	assert_string_equal(json_string_value(json_object_get(port, "mac")),
			    "02:00:00:00:00:ab");
	assert_true(json_is_true(json_object_get(port, "link")));
	port = json_object_get(port, "to");
	assert_int_equal(json_integer_value(json_object_get(port, "bytes")),
			 128);
	port = json_object_get(port, "dropped");
	assert_int_equal(json_integer_value(json_object_get(port,
				"not for this guest")), 1);
	port = json_array_get(json_object_get(answer, "ports"), 1);
	assert_string_equal(json_string_value(json_object_get(port, "name")),
			    "t?");
	json_decref(answer);
	m.config.nics = 0;
}

/* ---- media ---------------------------------------------------------------------- */

static struct {
	struct block *has, *was;
	bool force;
	int ret;
} drive;

static int take_medium(struct device *device, struct block *old,
		       struct block *new, bool force, struct error *e)
{
	if (old != drive.has)
		return 1;
	drive.force = force;
	if (drive.ret)
		return fail(e, STATUS_VM, "the tray is locked");
	drive.was = old;
	drive.has = new;
	return 0;
}

static void close_medium(struct block *block)
{
	assert_ptr_equal(block, drive.was);
	block->ops->close(block);
}

static json_t *medium(const char *command, const char *device,
		      const char *filename, bool force)
{
	return control_ask(path, json_pack("{s:s, s:{s:s, s:s*, s:b}}", "execute",
					   command, "arguments", "device", device,
					   "filename", filename, "force", force),
			   &error);
}

static void no_medium(const char *command, const char *device,
		      const char *filename, const char *why)
{
	struct block *had = drive.has;

	assert_null(medium(command, device, filename, false));
	if (!strstr(error.text, why))
		print_error("%s\n", error.text);
	assert_non_null(strstr(error.text, why));
	assert_ptr_equal(drive.has, had);
}

static void was_written(struct block_request *request)
{
	ended = true;
}

/* Its first sector is not zero any more */
static void write_to(struct block *block)
{
	uint8_t bytes[512] = { 1 };
	struct iovec iov = { bytes, sizeof(bytes) };
	struct block_request request = {
		.op = BLOCK_WRITE, .len = sizeof(bytes), .iov = &iov, .niov = 1,
		.done = was_written };

	ended = false;
	pthread_mutex_lock(&m.loop.lock);
	block->ops->submit(block, &request);
	pthread_mutex_unlock(&m.loop.lock);
	loop_run(&m.loop, has_ended, NULL);
	assert_int_equal(request.result, 0);
}

static int first_byte(const char *file)
{
	FILE *f = fopen(file, "r");
	int byte = fgetc(f);

	fclose(f);
	return byte;
}

#define CHANGE "blockdev-change-medium"

static void media(void **state)
{
	static const struct device_class class = { .medium = take_medium };
	struct device device = { .class = &class };
	char text[80];

	m.devices = &device;
	m.config.disk[1] = drive.has = block_empty();
	m.config.disk_bus[1] = DISK_CDROM;
	m.config.disk[2] = block_empty();
	m.config.disk_bus[2] = DISK_FLOPPY;
	m.config.disks = 3;
	m.config.close_disk = close_medium;
	json_decref(medium(CHANGE, "cd0", name[3], true));
	assert_true(drive.force);
	assert_ptr_equal(m.config.disk[1], drive.has);
	assert_int_equal(drive.has->size, SIZE);
	/* A CD is only read */
	assert_true(drive.has->read_only);
	no_medium("eject", "cd1", NULL, "1 CD-ROMs from cd0 on, 1 floppy");
	no_medium("eject", "disk0", NULL, "no drive disk0");
	no_medium(CHANGE, "cd0", "/nowhere/x", "No such file");
	no_medium(CHANGE, "cd0", NULL, "needs a filename");
	no_medium("eject", "floppy0", NULL, "no device has that drive");
	drive.ret = -1;
	no_medium("eject", "cd0", NULL, "locked");
	assert_false(drive.force);
	drive.ret = 0;
	json_decref(medium("eject", "cd0", NULL, false));
	assert_int_equal(m.config.disk[1]->size, 0);
	/* With --ephemeral this is what each disk is */
	drive.has = m.config.disk[2];
	m.config.ephemeral = true;
	json_decref(medium(CHANGE, "floppy0", name[3], false));
	write_to(m.config.disk[2]);
	assert_int_equal(first_byte(name[3]), 0);
	json_decref(medium("eject", "floppy0", NULL, false));
	assert_int_equal(first_byte(name[3]), 0);
	m.config.ephemeral = false;
	json_decref(medium(CHANGE, "floppy0", name[3], false));
	write_to(m.config.disk[2]);
	assert_int_equal(first_byte(name[3]), 1);
	/* Nor has it options of the drive's */
	snprintf(text, sizeof(text), "%s,bus=ide", name[3]);
	no_medium(CHANGE, "floppy0", text, "bus= are not");
	snprintf(text, sizeof(text), "%s,queues=2", name[3]);
	no_medium(CHANGE, "floppy0", text, "bus= are not");
	m.config.disk[1]->ops->close(m.config.disk[1]);
	m.config.disk[2]->ops->close(m.config.disk[2]);
	m.devices = NULL;
	m.config.disks = 1;
	m.config.close_disk = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(an_array), TEST(bad_clients),
					    TEST(pieces), TEST(stopped_among_lines),
					    TEST(long_names),
					    TEST(names_of_bytes),
					    TEST(array_of_bytes),
					    TEST(nics), TEST(media) };

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
