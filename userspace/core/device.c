// SPDX-License-Identifier: GPL-2.0
/* See device.h. */
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
	struct device *device = class ? calloc(1, class->size) : NULL;

	if (!device) {
		fail(error, STATUS_OS, class ? "%s: no memory" :
		     "there is no device %s", name);
		return NULL;
	}
	device->class = class;
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

json_t *devices_save(struct machine *machine)
{
	json_t *all = json_object();
	struct device *device;
	int ret = 0;

	for (device = machine->devices; device && !ret; device = device->next) {
		pthread_mutex_lock(device->lock);
		if (device->class->saving)
			device->class->saving(device);
		ret = json_object_set_new(all, device->class->name,
					  fields_save(device->class->fields,
						      device));
		pthread_mutex_unlock(device->lock);
	}
	if (!ret)
		return all;
	json_decref(all);
	return NULL;
}

int devices_load(struct machine *machine, const json_t *saved,
		 struct error *error)
{
	struct device *device;
	int ret = 0;

	for (device = machine->devices; device && !ret; device = device->next) {
		const struct device_class *class = device->class;
		struct error why = { 0 };

		pthread_mutex_lock(device->lock);
		ret = fields_load(class->fields, device,
				  json_object_get(saved, class->name), &why);
		if (!ret && class->loaded)
			ret = class->loaded(device, &why);
		pthread_mutex_unlock(device->lock);
		if (ret)
			fail(error, STATUS_DATA, "%s: %s", class->name,
			     why.text);
	}
	return ret;
}
