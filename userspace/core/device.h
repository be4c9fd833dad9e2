/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices: each kind is a struct device_class in its own file, and there is no
 * list of them. Documentation/devices.rst has one in 60 lines.
 */
#ifndef MVMM_DEVICE_H
#define MVMM_DEVICE_H

#include "base/loop.h"
#include "base/option.h"
#include "base/state.h"
#include "core/bus.h"
#include "core/irq.h"

struct block;
struct machine;

/**
 * struct device - begins each device's struct
 * @class: its kind
 * @number: how many of its kind were made before
 * @machine: whose it is
 * @loop: which thread serves it besides the vCPUs'
 * @lock: guards it: the loop's, or that of the interrupt lines
 * @options: the text that its options point into
 * @next: in the machine's list
 */
struct device {
	const struct device_class *class;
	unsigned int number;
	struct machine *machine;
	struct loop *loop;
	pthread_mutex_t *lock;
	char *options;
	struct device *next;
};

/**
 * struct device_class - a kind of device
 * @name: as the field calls the chip
 * @help: what it is to a user, in a line; NULL: not one that a user adds
 * @size: of the struct that begins with a struct device
 * @options: what can be chosen of it, which is set before @create; or NULL
 * @fields: the state that the guest can see. Everything else is made by @create
 * @create: wires it up. -1 with @error: @destroy is not called
 * @battery: its fields outlive the machine's reset: they are only cleared when it
 *	is made
 * @reset: after all fields were cleared: power-on values that are not zero
 * @loaded: the fields were loaded; checks them, which are hostile, and derives
 *	the rest. -1 with @error
 * @saving: the machine is paused, or saved: afterwards nothing is in flight, and
 *	fields that follow from the time are up to date
 * @can_save: -1 with @error: why the device cannot be saved now; the machine
 *	goes on as if nothing had been asked
 * @medium: of the drive that has disk @old: @new, which the loop serves, takes its
 *	place; a size of 0 is none. Afterwards nothing uses @old. @force: although the
 *	guest has locked it in. 1: the drive is not of this device; -1 with @error
 * @destroy: frees what @create made
 *
 * All but @name, @size, @fields and @create may be NULL. The lock is held but
 * in @create and @destroy.
 */
struct device_class {
	const char *name, *help;
	size_t size;
	const struct option_spec *options;
	const struct field *fields;
	bool battery;
	int (*create)(struct device *device, struct error *error);
	void (*reset)(struct device *device);
	int (*loaded)(struct device *device, struct error *error);
	void (*saving)(struct device *device);
	int (*can_save)(struct device *device, struct error *error);
	int (*medium)(struct device *device, struct block *old,
		      struct block *new, bool force, struct error *error);
	void (*destroy)(struct device *device);
};

/* A pointer to @variable, in a section that has all of them */
#define DEVICE_CLASS(variable)						\
	static const struct device_class *const variable##_pointer	\
	__attribute__((used, section("device_classes"))) = &(variable)

/*
 * @options: see options_parse(); NULL: none. Before them come the machine's
 * defaults, as far as it has such. NULL with @error: no such class, or it
 * failed. It has been reset
 */
struct device *device_create(struct machine *machine, const char *name,
			     const char *options, struct error *error);
/* Is there such a class? -1 with @error, which says what was left out */
int device_known(const char *name, struct error *error);
/* One that a user may add, with these options? -1 with @error */
int device_check(const char *name, const char *options, struct error *error);
/* The options of device @name, or with "help" all devices */
int device_print(const char *name, FILE *out, struct error *error);
/* All devices, the last one first */
void devices_destroy(struct machine *machine);
void devices_reset(struct machine *machine);
/*
 * For a device's create, first of all: I/O thread @name serves it; NULL: the
 * main thread does. -1 with @error: there is no such
 */
int device_set_iothread(struct device *device, const char *name,
			struct error *error);
/* Waits for what is in flight; the machine is paused */
void devices_drain(struct machine *machine);
/* -1 with @error: a device cannot be saved now, and why */
int devices_can_save(struct machine *machine, struct error *error);
/* A JSON object with a member for each device, "ns16550.0"; NULL: no memory */
json_t *devices_save(struct machine *machine);
/* -1 with @error: the machine cannot be used any more */
int devices_load(struct machine *machine, const json_t *saved,
		 struct error *error);

#endif
