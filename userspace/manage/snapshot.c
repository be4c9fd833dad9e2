// SPDX-License-Identifier: GPL-2.0
/* See snapshot.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "manage/snapshot.h"

#define FORMAT	1

/* Of the machine itself; its RAM has to have the same size */
static const struct field machine_fields[] = {
	FIELD(struct machine, memory.size),
	FIELD(struct machine, guest_time.tsc),
	FIELD(struct machine, guest_time.kvmclock),
	FIELD(struct machine, guest_time.realtime),
	FIELD(struct machine, tsc_khz),
	FIELD(struct machine, clock.stopped_at), FIELDS_END
};

static json_t *save_vcpus(struct machine *m, struct error *error)
{
	json_t *all = json_array();
	unsigned int i;

	for (i = 0; i < m->nr_vcpus; i++) {
		json_t *one = vcpu_save(&m->vcpu[i], error);

		if (!one || json_array_append_new(all, one)) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

int snapshot_can(const char *option, struct error *error)
{
	return 0;
}

json_t *machine_save(struct machine *m, struct error *error)
{
	json_t *devices, *vcpus, *saved;

	if (devices_can_save(m, error))
		return NULL;
	/* Devices first: the interrupts of what was in flight are the vCPUs' */
	devices = devices_save(m);
	vcpus = save_vcpus(m, error);
	saved = json_pack("{s:i, s:o*, s:o*, s:o*}", "format", FORMAT,
			  "machine", fields_save(machine_fields, m),
			  "vcpus", vcpus, "devices", devices);

	if (json_object_size(saved) == 4)
		return saved;
	if (vcpus)
		fail(error, STATUS_OS, "no memory");
	json_decref(saved);
	return NULL;
}

static int load_machine(struct machine *m, const json_t *saved,
			struct error *error)
{
	uint64_t size = m->memory.size, khz = m->tsc_khz, loaded, rate;
	int ret = fields_load(machine_fields, m, saved, error);

	loaded = m->memory.size;
	rate = m->tsc_khz;
	m->memory.size = size;
	m->tsc_khz = khz;
	if (ret)
		return -1;
	/* No clock gets there, and sums with it do not overflow */
	if (m->clock.stopped_at > INT64_MAX)
		return fail(error, STATUS_DATA,
			    "a state from the year %llu",
			    (unsigned long long)(m->clock.stopped_at /
						 1000000000 / 31556952));
	if (loaded != size)
		return fail(error, STATUS_DATA,
			    "a state with %llu bytes of RAM, for a machine with %llu",
			    (unsigned long long)loaded,
			    (unsigned long long)size);
	m->guest_time.flags = MVMM_CLOCK_STOPPED;
	m->guest_time.host_tsc = 0;
	m->guest_time.tsc_khz = rate < UINT32_MAX ? rate : UINT32_MAX;
	/* 0 would be the rate that it has */
	ret = rate ? mvmm_set_clock(m->vm, &m->guest_time) : -EINVAL;
	if (!ret) {
		m->tsc_khz = rate;
	} else if ((ret == -EOPNOTSUPP || ret == -EINVAL) &&
		   (rate > khz + khz / 1000 || rate + khz / 1000 < khz)) {
		/* Less than a thousandth guests do not see, or measure anew */
		return fail(error, STATUS_DATA,
			    "a state of a host whose TSC has %llu kHz, and this one's has %llu: the guest's time would go wrong",
			    (unsigned long long)rate, (unsigned long long)khz);
	} else if (ret == -EOPNOTSUPP) {
		m->guest_time.tsc_khz = 0;
		ret = mvmm_set_clock(m->vm, &m->guest_time);
	}
	return ret ? fail(error, STATUS_VM, "the guest's time cannot be set: %s",
			  strerror(-ret)) : 0;
}

static int load_vcpus(struct machine *m, const json_t *saved,
		      struct error *error)
{
	unsigned int i;

	if (json_array_size(saved) != m->nr_vcpus)
		return fail(error, STATUS_DATA,
			    "a state of %zu vCPUs, for a machine of %u",
			    json_array_size(saved), m->nr_vcpus);
	for (i = 0; i < m->nr_vcpus; i++)
		if (vcpu_load(&m->vcpu[i], json_array_get(saved, i), error))
			return -1;
	return 0;
}

int machine_load(struct machine *m, const json_t *saved, struct error *error)
{
	if (json_integer_value(json_object_get(saved, "format")) != FORMAT ||
	    json_object_size(saved) != 4)
		return fail(error, STATUS_DATA,
			    "not a state that this mvmm knows");
	__atomic_store_n(&m->pausing, true, __ATOMIC_RELEASE);
	/*
	 * Devices count in the machine's time. What they send at once, since it
	 * waited, needs a vCPU that takes it
	 */
	if (load_machine(m, json_object_get(saved, "machine"), error) ||
	    load_vcpus(m, json_object_get(saved, "vcpus"), error) ||
	    devices_load(m, json_object_get(saved, "devices"), error))
		return -1;
	/* It may have to look at the PIC */
	mvmm_kick(m->vcpu[0].fd);
	return 0;
}

/* ---- in a directory ------------------------------------------------------- */

#define CHUNK	65536

static int file_error(struct error *error, const char *directory,
		      const char *name)
{
	return fail(error, STATUS_OS, "%s/%s: %s", directory, name,
		    strerror(errno));
}

/* What is zero becomes a hole. 0, or -1 with errno */
static int write_ram(const struct memory *memory, int fd)
{
	/* Not const: what is never written has no memory */
	static uint8_t zero[CHUNK];
	uint64_t at, n;
	ssize_t done;
	off_t data;

	if (ftruncate(fd, memory->all))
		return -1;
	for (at = 0; at < memory->taken; at += n) {
		/* A memfd's hole would have memory if it were read */
		data = !memory->shared || memory->of_snapshot ? (off_t)at :
		       lseek(memory->fd, at, SEEK_DATA);
		if (data < 0)
			return errno == ENXIO ? 0 : -1;
		at = data;
		n = memory->taken - at;
		if (n > CHUNK)
			n = CHUNK;
		if (!memcmp(memory->base + at, zero, n))
			continue;
		done = pwrite(fd, memory->base + at, n, at);
		if (done <= 0)
			return -1;
		n = done;
	}
	return 0;
}

static int write_text(const char *text, int fd)
{
	size_t len = strlen(text);
	ssize_t n;

	for (; len; len -= n, text += n) {
		n = write(fd, text, len);
		if (n <= 0)
			return -1;
	}
	return 0;
}

/* Writes a new file. 0, or -1 with errno and there is none */
static int write_new(const struct memory *memory, const char *text, int dir,
		     const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			0600), ret, saved_errno;

	if (fd < 0)
		return -1;
	ret = text ? write_text(text, fd) : write_ram(memory, fd);
	ret = ret || fdatasync(fd) ? -1 : 0;
	saved_errno = errno;
	close(fd);
	if (ret)
		unlinkat(dir, name, 0);
	errno = saved_errno;
	return ret;
}

/* RAMs that no machine.json speaks of: of the snapshot before, or of none */
static void remove_others(const char *directory, const char *ram)
{
	DIR *d = opendir(directory);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, "ram.", 4) && strcmp(e->d_name, ram))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

/*
 * The RAM goes into a file of a name that is new; machine.json has that name, and
 * takes the old one's place at once: whenever it is interrupted, one of the two
 * snapshots is whole.
 */
static int write_files(struct machine *m, json_t *saved, int dir,
		       const char *directory, struct error *error)
{
	static const char fresh[] = "machine.json.new";
	char ram[32], *text;
	uint64_t number;
	int ret = -1;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return fail(error, STATUS_OS, "no random bytes");
	snprintf(ram, sizeof(ram), "ram.%016llx", (unsigned long long)number);
	json_object_set_new(saved, "ram", json_string(ram));
	text = json_dumps(saved, JSON_INDENT(1));
	if (!text)
		return fail(error, STATUS_OS, "no memory");
	unlinkat(dir, fresh, 0);
	if (write_new(&m->memory, NULL, dir, ram))
		file_error(error, directory, ram);
	else if (write_new(NULL, text, dir, fresh) ||
		 renameat(dir, fresh, dir, "machine.json") || fsync(dir))
		file_error(error, directory, "machine.json");
	else
		ret = 0;
	if (!ret)
		remove_others(directory, ram);
	free(text);
	return ret;
}

int snapshot_write(struct machine *m, const char *directory,
		   struct error *error)
{
	json_t *saved = machine_save(m, error);
	int dir, ret = -1;

	if (!saved)
		return -1;
	if (mkdir(directory, 0700) && errno != EEXIST) {
		json_decref(saved);
		return fail(error, STATUS_OS, "%s: %s", directory,
			    strerror(errno));
	}
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		fail(error, STATUS_OS, "%s: %s", directory, strerror(errno));
	else
		ret = write_files(m, saved, dir, directory, error);
	close_fd(&dir);
	json_decref(saved);
	return ret;
}

static int map_ram(struct memory *memory, int fd)
{
	if (mmap(memory->base, memory->all, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED)
		return -1;
	memory->shared = false;
	memory->of_snapshot = true;
	return 0;
}

static json_t *read_text(const char *directory, int dir, struct error *error)
{
	int fd = openat(dir, "machine.json", O_RDONLY | O_CLOEXEC);
	json_error_t why;
	json_t *saved;

	if (fd < 0) {
		file_error(error, directory, "machine.json");
		return NULL;
	}
	saved = json_loadfd(fd, 0, &why);
	close(fd);
	if (!saved)
		fail(error, STATUS_DATA, "%s/machine.json, line %d: %s",
		     directory, why.line, why.text);
	return saved;
}

/* The RAM that machine.json speaks of, which is of this directory */
static int load_ram(struct machine *m, json_t *saved, int dir,
		    const char *directory, struct error *error)
{
	const char *ram = json_string_value(json_object_get(saved, "ram"));
	struct stat st;
	int fd, ret = 0;

	if (!ram || strncmp(ram, "ram.", 4) || strchr(ram, '/'))
		return fail(error, STATUS_DATA,
			    "%s/machine.json does not say where its RAM is",
			    directory);
	fd = openat(dir, ram, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st) && st.st_size != (off_t)m->memory.all)
		ret = fail(error, STATUS_DATA,
			   "%s/%s has %llu bytes, and this machine's memory %llu: give it the same --mem, and the mvmm that saved it",
			   directory, ram, (unsigned long long)st.st_size,
			   (unsigned long long)m->memory.all);
	else if (fd < 0 || map_ram(&m->memory, fd))
		ret = file_error(error, directory, ram);
	close_fd(&fd);
	/* What is left is what machine_save() made */
	json_object_del(saved, "ram");
	return ret;
}

int snapshot_read(struct machine *m, const char *directory,
		  struct error *error)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = -1;
	json_t *saved;

	if (dir < 0)
		return fail(error, STATUS_NO_INPUT, "%s: %s", directory,
			    strerror(errno));
	saved = read_text(directory, dir, error);
	/* Devices look into the RAM when they are loaded */
	if (saved && !load_ram(m, saved, dir, directory, error))
		ret = machine_load(m, saved, error);
	json_decref(saved);
	close(dir);
	return ret;
}

/* A state in memory goes through its text, as one in a file does */
static int renew_in_memory(struct machine *m, struct error *error)
{
	json_t *saved = machine_save(m, error);
	char *text = saved ? json_dumps(saved, 0) : NULL;
	int ret = -1;

	if (saved && !text)
		fail(error, STATUS_OS, "no memory");
	json_decref(saved);
	if (!text)
		return -1;
	if (!machine_rebuild(m, error)) {
		saved = json_loads(text, 0, NULL);
		ret = machine_load(m, saved, error);
		json_decref(saved);
	}
	free(text);
	return ret;
}

int machine_renew(struct machine *m, const char *directory,
		  struct error *error)
{
	/* The guest waits for it: that is not a part of the state */
	if (m->resetting)
		m->config.reset(m);
	if (!directory)
		return renew_in_memory(m, error);
	return snapshot_write(m, directory, error) ||
	       machine_rebuild(m, error) ||
	       snapshot_read(m, directory, error) ? -1 : 0;
}
