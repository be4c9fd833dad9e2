// SPDX-License-Identifier: GPL-2.0
/* See device.h. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/machine.h"
#include "have.h"

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
	if (!device->class->battery)
		fields_clear(device->class->fields, device);
	if (device->class->reset)
		device->class->reset(device);
	pthread_mutex_unlock(device->lock);
}

static int parse_options(struct device *device, const char *defaults,
			 const char *options, struct error *error)
{
	const struct option_spec *specs = device->class->options;
	struct error why = { 0 };
	char *text;

	options_default(specs, device);
	if (!defaults && !options)
		return 0;
	/* Both in one text, which is the device's */
	if (asprintf(&device->options, "%s%c%s", defaults ? defaults : "", 0,
		     options ? options : "") < 0) {
		device->options = NULL;
		return fail(error, STATUS_OS, "no memory");
	}
	text = device->options + (defaults ? strlen(defaults) : 0) + 1;
	if (defaults)
		options_parse(specs, device, device->options, true, &why);
	if (!options || !options_parse(specs, device, text, false, &why))
		return 0;
	return fail(error, why.status, "--device %s: %s", device->class->name,
		    why.text);
}

static void device_free(struct device *device)
{
	free(device->options);
	free(device);
}

int device_known(const char *name, struct error *error)
{
	return find_class(name) ? 0 :
	       fail(error, STATUS_USAGE,
		    "there is no device %s: --device help shows which there are"
		    MVMM_WITHOUT, name);
}

/* Of no machine, and not created. NULL with @error */
static struct device *device_alloc(const char *name, const char *defaults,
				   const char *options, struct error *error)
{
	const struct device_class *class = find_class(name);
	struct device *device;

	if (device_known(name, error))
		return NULL;
	device = calloc(1, class->size);
	if (!device) {
		fail(error, STATUS_OS, "%s: no memory", name);
		return NULL;
	}
	device->class = class;
	if (!parse_options(device, defaults, options, error))
		return device;
	device_free(device);
	return NULL;
}

int device_check(const char *name, const char *options, struct error *error)
{
	struct device *device = device_alloc(name, NULL, options, error);
	const char *help = device ? device->class->help : NULL;

	if (device && !help)
		fail(error, STATUS_USAGE,
		     "--device %s: the board has its own", name);
	if (device)
		device_free(device);
	return help ? 0 : -1;
}

int device_print(const char *name, FILE *out, struct error *error)
{
	const struct device_class *const *p;

	if (!strcmp(name, "help")) {
		for (p = __start_device_classes; p < __stop_device_classes; p++)
			if ((*p)->help)
				fprintf(out, "%-16s %s\n", (*p)->name,
					(*p)->help);
		return 0;
	}
	if (device_check(name, NULL, error))
		return -1;
	fprintf(out, "%s: %s\n", name, find_class(name)->help);
	options_print(find_class(name)->options, out);
	return 0;
}

struct device *device_create(struct machine *machine, const char *name,
			     const char *options, struct error *error)
{
	const char *defaults = machine->config.defaults;
	struct device *device = device_alloc(name, defaults, options, error);
	struct device *other;

	if (!device)
		return NULL;
	for (other = machine->devices; other; other = other->next)
		device->number += other->class == device->class;
	device->machine = machine;
	device->loop = &machine->loop;
	device->lock = &machine->loop.lock;
	if (device->class->create(device, error)) {
		device_free(device);
		return NULL;
	}
	device->next = machine->devices;
	machine->devices = device;
	reset(device);
	return device;
}

int device_set_iothread(struct device *device, const char *name,
			struct error *error)
{
	struct machine *m = device->machine;
	unsigned int i;

	if (!name)
		return 0;
	for (i = 0; i < m->iothreads; i++)
		if (!strcmp(m->config.iothread[i].name, name))
			break;
	if (i == m->iothreads)
		return fail(error, STATUS_USAGE,
			    "%s: there is no --iothread %s",
			    device->class->name, name);
	device->loop = &m->iothread[i].loop;
	device->lock = &device->loop->lock;
	return 0;
}

void devices_destroy(struct machine *machine)
{
	struct device *device;

	/* One that unmaps its regions looks at those of others */
	for (device = machine->devices; device; device = device->next)
		if (device->class->destroy)
			device->class->destroy(device);
	while ((device = machine->devices)) {
		machine->devices = device->next;
		device_free(device);
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

int devices_can_save(struct machine *machine, struct error *error)
{
	struct device *device;
	int ret = 0;

	for (device = machine->devices; device && !ret; device = device->next) {
		if (!device->class->can_save)
			continue;
		pthread_mutex_lock(device->lock);
		ret = device->class->can_save(device, error);
		pthread_mutex_unlock(device->lock);
	}
	return ret;
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
