// SPDX-License-Identifier: GPL-2.0
/*
 * What a program says on the control socket, in pieces as they may come, to a machine
 * with an array, drives, a NIC, a keyboard and a screen, or to one with nothing. Each
 * line has one answer. A libFuzzer target: "make fuzz".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "block/raid/create.h"
#include "block/raid/raid.h"
#include "manage/control.h"
#include "tests/bare.h"
#include "tests/played_disks.h"

#define MEMBERS		3
#define CD		MEMBERS
#define FLOPPY		(CD + 1)
#define MEMBER_SIZE	(MD_DATA_AT + (64u << 10))
#define LOG_AT		(64u << 10)	/* behind what an array says of itself */
#define FLOPPY_SIZE	163840

/**
 * client - who is connected
 * @data: what it has yet to say
 * @len: bytes of it
 * @piece: at most so many come at once
 * @lines: ends of lines that it has said
 * @heard: what it was told
 * @heard_len: bytes of it
 * @playing: the machine is being told, and libFuzzer does nothing
 */
static struct {
	const uint8_t *data;
	size_t len, piece, lines;
	char *heard;
	size_t heard_len;
	bool playing;
} client;

/* ---- the connection ----------------------------------------------------------- */

static ssize_t say(void *to, size_t len)
{
	size_t n = client.len < client.piece ? client.len : client.piece, i;

	if (n > len)
		n = len;
	memcpy(to, client.data, n);
	for (i = 0; i < n; i++)
		client.lines += client.data[i] == '\n';
	client.data += n;
	client.len -= n;
	return n;
}

static ssize_t hear(const char *bytes, size_t len)
{
	size_t n = len < 3 * client.piece ? len : 3 * client.piece;

	client.heard = realloc(client.heard, client.heard_len + n + 1);
	if (!client.heard)
		abort();
	memcpy(client.heard + client.heard_len, bytes, n);
	client.heard_len += n;
	client.heard[client.heard_len] = 0;
	return n;
}

/* It is linked already: this is a second one, whose connection is played */
#define control_start	start_played
#define control_serve	serve_played
#define control_stop	stop_played
#define control_ask	ask_played
#define read(fd, to, len)		say(to, len)
#define send(fd, bytes, len, flags)	hear(bytes, len)
#define poll(p, nr, ms)			((p)[0].revents = POLLIN, 1)
#include "manage/control.c"
#undef read
#undef send
#undef poll

/* Exactly one answer a line, and it says what or why */
static void check(void)
{
	char *line, *rest = client.heard;
	size_t lines = 0;

	while (rest && *rest) {
		json_t *all, *why;

		line = strsep(&rest, "\n");
		if (!rest)
			abort();
		all = json_loads(line, 0, NULL);
		why = json_object_get(all, "error");
		if (json_object_size(all) != 1 ||
		    (!why && !json_object_get(all, "return")))
			abort();
		if (why && (!*json_string_value(json_object_get(why, "desc")) ||
			    !json_integer_value(json_object_get(why,
								"status"))))
			abort();
		json_decref(all);
		lines++;
	}
	if (lines != client.lines)
		abort();
}

/* ---- nothing of this host ------------------------------------------------------- */

/* A name is no file of the host's: only "new" is one, and not for long */
int open(const char *path, int flags, ...)
{
	int fd = -1;

	errno = ENOENT;
	if (strcmp(path, "new"))
		return -1;
	fd = memfd_create(path, MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, FLOPPY_SIZE))
		abort();
	return fd;
}

/* libFuzzer's files are its own */
FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*real)(const char *path, const char *mode);

	if (!real)
		real = dlsym(RTLD_NEXT, "fopen");
	return real(client.playing ? "/dev/null" : path, mode);
}

/* No servers, and no programs that serve: the library that talks to them is not there */
void *dlopen(const char *file, int flags)
{
	return NULL;
}

int unlink(const char *path)
{
	return 0;
}

int usleep(useconds_t us)
{
	return 0;
}

/* ---- the machine ---------------------------------------------------------------- */

static void settle(void)
{
	unsigned int rounds = 0;

	do {
		m.clock.stopped_at += 1000000;
		run_timers();
		pthread_mutex_lock(&m.loop.lock);
		while (play_one())
			;
		pthread_mutex_unlock(&m.loop.lock);
	} while (played.nr && ++rounds < 100);
}

static json_t *execute_and_settle(void *ctx, const json_t *request,
				  struct error *why)
{
	json_t *result = execute(ctx, request, why);

	settle();
	return result;
}

static void make_array(void)
{
	struct raid_new new = { .layout = { .level = 5, .chunk = 4096,
					    .layout = RAID_LEFT_SYMMETRIC },
				.policy = MD_BITMAP, .clean = true,
				.name = "fuzz" };
	struct block_config config = { .path = "fuzz", .level = 5 };
	const char *name[MEMBERS] = { "0", "1", "2" };
	struct block *disk[MEMBERS];
	struct raid *raid;
	unsigned int i;

	for (i = 0; i < MEMBERS; i++) {
		disk[i] = played_disk(i);
		disk[i]->loop = &m.loop;
	}
	pthread_mutex_lock(&m.loop.lock);
	if (raid_format(&new, disk, name, MEMBERS, &error))
		abort();
	pthread_mutex_unlock(&m.loop.lock);
	raid = raid_new(&config);
	for (i = 0; i < MEMBERS; i++)
		if (raid_take(raid, played_disk(i), name[i], MEMBER_IN_SYNC,
			      &error))
			abort();
	if (raid->block.ops->start(&raid->block, &m.loop, &error))
		abort();
	m.config.disk[0] = &raid->block;
}

static void close_disk(struct block *block)
{
	block->ops->close(block);
}

/*
 * The memory is made once: that costs more than all the rest. Where an array's
 * superblocks and log are it is cleared each time
 */
static void blank_disks(void)
{
	unsigned int i;

	if (!played.disk[0].data) {
		played_make(MEMBERS, MEMBER_SIZE);
		played_make_one(CD, 64 << 10);
		played_make_one(FLOPPY, FLOPPY_SIZE);
	}
	for (i = 0; i < MEMBERS; i++)
		memset(played.disk[i].data, 0, LOG_AT);
	played.random = 0x9e3779b97f4a7c15;
}

static void make_disks(void)
{
	blank_disks();
	make_array();
	m.config.disk[1] = played_disk(CD);
	m.config.disk_bus[1] = DISK_CDROM;
	m.config.disk[2] = played_disk(FLOPPY);
	m.config.disk_bus[2] = DISK_FLOPPY;
	m.config.disk[1]->loop = m.config.disk[2]->loop = &m.loop;
	m.config.disks = 3;
	m.config.close_disk = close_disk;
}

static void make_machine(void)
{
	static struct port port;

	make_disks();
	port = (struct port){ .name = "played", .link = true };
	m.config.nic[0] = (struct machine_nic){ .model = "e1000",
						.port = &port };
	m.config.nics = 1;
	if (memory_create(&m.memory, RAM_MIN, false, &error))
		abort();
	bare_device("i8259");
	bare_device("pci-host");
	bare_device("i8042");
	bare_device("i82077");
	bare_device("piix3-ide");
	bare_device_with("vga", "romfile=none");
}

static void destroy_machine(void)
{
	unsigned int i;

	settle();
	devices_destroy(&m);
	for (i = 0; i < m.config.disks; i++)
		close_disk(m.config.disk[i]);
	memory_destroy(&m.memory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* What an array says is of no interest; libFuzzer has descriptor 2 */
	stderr = fopen("/dev/null", "w");
	return !stderr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct control c = { .execute = execute_and_settle, .ctx = &m,
			     .fd = -1, .stop = -1 };
	bool whole;

	if (!len)
		return 0;
	whole = data[0] & 0x40;
	free(client.heard);
	memset(&client, 0, sizeof(client));
	client.piece = (data[0] & 0x3f) + 1;
	client.data = data + 1;
	client.len = len - 1;
	bare_start();
	if (whole)
		make_machine();
	client.playing = true;
	serve(&c, -1);
	client.playing = false;
	if (whole)
		destroy_machine();
	check();
	bare_stop();
	return 0;
}
