// SPDX-License-Identifier: GPL-2.0
/* See device.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/machine.h"

extern const struct device_class *const __start_device_classes[];
extern const struct device_class *const __stop_device_classes[];

static const struct device_class *find_class(const char *name)
{
	const struct device_class *const *p;

	for (p = __start_device_classes; p < __stop_device_classes; p++)
		if (!strcmp((*p)->name, name))
			return *p;
	return NULL;
}

static void reset(struct device *device)
{
	pthread_mutex_lock(device->lock);
	fields_clear(device->class->fields, device);
	if (device->class->reset)
		device->class->reset(device);
	pthread_mutex_unlock(device->lock);
}

struct device *device_create(struct machine *machine, const char *name,
			     struct error *error)
{
	const struct device_class *class = find_class(name);
	struct device *device = class ? calloc(1, class->size) : NULL, *other;

	if (!device) {
		fail(error, STATUS_OS, class ? "%s: no memory" :
		     "there is no device %s", name);
		return NULL;
	}
	device->class = class;
	for (other = machine->devices; other; other = other->next)
		device->number += other->class == class;
	device->machine = machine;
	device->loop = &machine->loop;
	device->lock = &machine->loop.lock;
	if (class->create(device, error)) {
		free(device);
		return NULL;
	}
	device->next = machine->devices;
	machine->devices = device;
	reset(device);
	return device;
}

void devices_destroy(struct machine *machine)
{
	struct device *device;

	while ((device = machine->devices)) {
		machine->devices = device->next;
		if (device->class->destroy)
			device->class->destroy(device);
		free(device);
	}
}

void devices_reset(struct machine *machine)
{
	struct device *device;

	for (device = machine->devices; device; device = device->next)
		reset(device);
}

void devices_drain(struct machine *machine)
{
	struct device *device;

	for (device = machine->devices; device; device = device->next) {
		pthread_mutex_lock(device->lock);
		if (device->class->saving)
			device->class->saving(device);
		pthread_mutex_unlock(device->lock);
	}
}

#define NAME_LEN 64

/* Its name in a saved state, in @name */
static const char *name_of(const struct device *device, char *name)
{
	snprintf(name, NAME_LEN, "%s.%u", device->class->name, device->number);
	return name;
}

json_t *devices_save(struct machine *machine)
{
	json_t *all = json_object();
	struct device *device;
	char name[NAME_LEN];
	int ret = 0;

	/* The interrupt controllers come last: what the others raise is in them */
	for (device = machine->devices; device && !ret; device = device->next) {
		pthread_mutex_lock(device->lock);
		if (device->class->saving)
			device->class->saving(device);
		ret = json_object_set_new(all, name_of(device, name),
					  fields_save(device->class->fields,
						      device));
		pthread_mutex_unlock(device->lock);
	}
	if (!ret)
		return all;
	json_decref(all);
	return NULL;
}

static int load(struct device *device, const json_t *saved, struct error *error)
{
	const struct device_class *class = device->class;
	struct error why = { 0 };
	char name[NAME_LEN];
	int ret;

	pthread_mutex_lock(device->lock);
	ret = fields_load(class->fields, device,
			  json_object_get(saved, name_of(device, name)), &why);
	if (!ret && class->loaded)
		ret = class->loaded(device, &why);
	pthread_mutex_unlock(device->lock);
	return ret ? fail(error, STATUS_DATA, "%s: %s", name, why.text) : 0;
}

/* In the order in which they were made: the interrupt controllers come first */
static int load_all(struct device *device, const json_t *saved, size_t *nr,
		    struct error *error)
{
	if (!device)
		return 0;
	++*nr;
	if (load_all(device->next, saved, nr, error))
		return -1;
	return load(device, saved, error);
}

int devices_load(struct machine *machine, const json_t *saved,
		 struct error *error)
{
	size_t nr = 0;

	if (load_all(machine->devices, saved, &nr, error))
		return -1;
	if (json_object_size(saved) != nr)
		return fail(error, STATUS_DATA,
			    "a state of %zu devices, for a machine of %zu",
			    json_object_size(saved), nr);
	return 0;
}
