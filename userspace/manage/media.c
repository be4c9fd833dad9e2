// SPDX-License-Identifier: GPL-2.0
/* See media.h. What the guest sees of it is the device's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "block/block.h"
#include "core/machine.h"
#include "manage/media.h"

#define EJECT	"eject"
#define CHANGE	"blockdev-change-medium"

/* Drives are counted, by kind: cd0, floppy0. -1 with @error */
static int find_drive(const struct machine *m, const char *name,
		      struct error *error)
{
	unsigned int nr[2] = { 0, 0 }, i;
	char other[16];

	for (i = 0; i < m->config.disks; i++) {
		bool cd = m->config.disk_bus[i] == DISK_CDROM;

		if (!cd && m->config.disk_bus[i] != DISK_FLOPPY)
			continue;
		snprintf(other, sizeof(other), "%s%u", cd ? "cd" : "floppy",
			 nr[cd]++);
		if (name && !strcmp(name, other))
			return i;
	}
	return fail(error, STATUS_USAGE,
		    "there is no drive %s: %u CD-ROMs from cd0 on, %u floppy drives from floppy0 on",
		    name ? name : "without \"device\"", nr[1], nr[0]);
}

/* As the drive's first one. NULL with @error */
static struct block *open_medium(const struct machine *m, const char *filename,
				 bool cd, struct error *error)
{
	struct block_config config = { 0 };
	struct block *block = NULL;
	char *text = filename ? strdup(filename) : NULL;

	if (!text) {
		fail(error, STATUS_USAGE, CHANGE " needs a filename");
	} else if (block_parse(&config, text, error)) {
		/* It has said why */
	} else if (config.iothread || config.queues || config.bus) {
		fail(error, STATUS_USAGE,
		     "%s: iothread=, queues= and bus= are not for what is put into a drive",
		     config.path);
	} else {
		config.read_only |= cd;
		config.ephemeral = m->config.ephemeral;
		block = block_open(&config, error);
	}
	free(text);
	return block;
}

/* With the loop's lock. As of struct device_class */
static int put_in(struct machine *m, unsigned int drive, struct block *new,
		  bool force, struct error *error)
{
	struct device *device;
	int ret = 1;

	/* Paused, its devices may be made anew */
	while (m->pausing && !machine_ended(m))
		pthread_cond_wait(&m->goes, &m->loop.lock);
	if (m->pausing || machine_ended(m))
		return fail(error, STATUS_VM, "the guest has ended");
	for (device = m->devices; device && ret == 1; device = device->next)
		if (device->class->medium)
			ret = device->class->medium(device,
						    m->config.disk[drive], new,
						    force, error);
	if (ret == 1)
		return fail(error, STATUS_VM, "no device has that drive");
	if (!ret)
		m->config.disk[drive] = new;
	return ret;
}

bool media_has(const char *command)
{
	return !strcmp(command, EJECT) || !strcmp(command, CHANGE);
}

json_t *media_execute(struct machine *m, const char *command,
		      const json_t *arguments, struct error *error)
{
	const char *name = json_string_value(json_object_get(arguments,
							     "device"));
	int drive = find_drive(m, name, error), ret;
	struct block *old, *new;

	if (drive < 0)
		return NULL;
	old = m->config.disk[drive];
	if (strcmp(command, EJECT)) {
		new = open_medium(m, json_string_value(
				json_object_get(arguments, "filename")),
				m->config.disk_bus[drive] == DISK_CDROM, error);
	} else {
		new = block_empty();
		if (!new)
			fail(error, STATUS_OS, "no memory");
	}
	if (!new)
		return NULL;
	ret = new->ops->start(new, &m->loop, error);
	if (!ret) {
		pthread_mutex_lock(&m->loop.lock);
		ret = put_in(m, drive, new, json_is_true(json_object_get(
				arguments, "force")), error);
		pthread_mutex_unlock(&m->loop.lock);
	}
	if (ret)
		new->ops->close(new);
	else if (m->config.close_disk)
		m->config.close_disk(old);
	return ret ? NULL : json_object();
}
