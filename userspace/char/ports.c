// SPDX-License-Identifier: GPL-2.0
/* The named ports of virtio-console: --port. */
#include <stdio.h>
#include <string.h>
#include "char/ports.h"

/* A path is everything behind its "=", commas too */
static int parse_kind(const char **kind, const char **path, char *arg)
{
	static const char *const kinds[] = { "file", "unix", "pty" };
	const char *name = strsep(&arg, "=");
	unsigned int i;

	for (i = 0; i < 3; i++) {
		bool has_path = i < 2;

		if (strcmp(name, kinds[i]) || !arg == has_path ||
		    (has_path && !*arg))
			continue;
		*kind = kinds[i];
		*path = arg;
		return 0;
	}
	return -1;
}

int ports_parse(struct ports *p, char *arg, struct error *error)
{
	const char *name = strsep(&arg, ",");
	unsigned int i, id = p->nr ? p->nr : 1;

	if (id == MACHINE_PORTS)
		return fail(error, STATUS_USAGE, "--port: at most %u",
			    MACHINE_PORTS - 1);
	if (!*name || strlen(name) > PORT_NAME_MAX)
		return fail(error, STATUS_USAGE,
			    "--port: a name has from 1 to %u bytes",
			    PORT_NAME_MAX);
	for (i = 1; i < id; i++)
		if (!strcmp(p->option[i].name, name))
			return fail(error, STATUS_USAGE,
				    "--port %s: there are two of that name",
				    name);
	if (!arg || parse_kind(&p->option[id].kind, &p->option[id].path, arg))
		return fail(error, STATUS_USAGE,
			    "--port %s: its other end is file=PATH, unix=PATH or pty",
			    name);
	p->option[id].name = name;
	p->nr = id + 1;
	return 0;
}

int ports_open(struct ports *p, struct machine_config *config,
	       struct error *error)
{
	unsigned int i;

	for (i = 1; i < p->nr; i++) {
		const char *kind = p->option[i].kind, *path = p->option[i].path;

		p->stream[i] = kind[0] == 'f' ? stream_file(path, error) :
			       kind[0] == 'u' ? stream_unix(path, error) :
						stream_pty(error);
		if (!p->stream[i])
			return -1;
		if (kind[0] == 'p')
			fprintf(stderr, "mvmm run: port %s is %s\n",
				p->option[i].name, p->stream[i]->path);
		config->port[i].name = p->option[i].name;
		config->port[i].chardev = &p->stream[i]->chardev;
	}
	config->ports = p->nr;
	/* The console's, if it is one */
	if (!config->ports && config->port[0].chardev)
		config->ports = 1;
	return 0;
}

int ports_start(struct ports *p, struct loop *loop, struct error *error)
{
	unsigned int i;

	for (i = 1; i < p->nr; i++)
		if (stream_start(p->stream[i], loop, error))
			return -1;
	return 0;
}

void ports_close(struct ports *p)
{
	unsigned int i;

	for (i = 1; i < p->nr; i++) {
		stream_close(p->stream[i]);
		p->stream[i] = NULL;
	}
}
