// SPDX-License-Identifier: GPL-2.0
/*
 * A port to which a firmware writes what it does, as Bochs and QEMU have it. Each
 * byte is an exit: a firmware that does not find it writes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/machine.h"

#define PORT	0x402
#define PRESENT	0xe9

/**
 * struct debugcon - see above
 * @file: to which it is appended; NULL: stderr
 * @out: that
 * @region: the port
 */
struct debugcon {
	struct device device;
	const char *file;
	FILE *out;
	struct region region;
};

static uint64_t debugcon_read(struct device *device, uint64_t at,
			      unsigned int size)
{
	return PRESENT;
}

static void debugcon_write(struct device *device, uint64_t at, uint64_t value,
			   unsigned int size)
{
	struct debugcon *port = (struct debugcon *)device;

	/* The terminal of the user is the guest's console, and raw */
	if (value == '\n' && !port->file)
		putc('\r', port->out);
	putc(value & 0xff, port->out);
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops = { .read = debugcon_read,
					       .write = debugcon_write };
	struct debugcon *port = (struct debugcon *)device;

	port->out = port->file ? fopen(port->file, "ae") : stderr;
	if (!port->out)
		return fail(error, STATUS_OS, "--device debugcon: %s: %s",
			    port->file, strerror(errno));
	/* What was written last is what matters when it hangs */
	setvbuf(port->out, NULL, port->file ? _IOLBF : _IONBF, 0);
	port->region = (struct region){ &ops, device, .len = 1 };
	if (!region_map(&device->machine->ports, &port->region, PORT, error))
		return 0;
	if (port->file)
		fclose(port->out);
	return -1;
}

static void destroy(struct device *device)
{
	struct debugcon *port = (struct debugcon *)device;

	if (port->file)
		fclose(port->out);
}

static const struct option_spec options[] = {
	{ "file", OPTION_STRING, OPTION_AT(struct debugcon, file),
	  .help = "where it goes; else it goes to stderr" },
	OPTIONS_END
};

static const struct field fields[] = { FIELDS_END };

static const struct device_class debugcon = {
	.name = "debugcon", .help = "a port for a firmware's debug messages",
	.size = sizeof(struct debugcon), .options = options, .fields = fields,
	.create = create, .destroy = destroy,
};
DEVICE_CLASS(debugcon);
