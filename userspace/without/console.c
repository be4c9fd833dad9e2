// SPDX-License-Identifier: GPL-2.0
/* No virtio-console, and no ports of it. */
#include "char/ports.h"
#include "without/without.h"

int ports_parse(struct ports *ports, char *arg, struct error *error)
{
	return left_out(error, "--port", "console");
}

int ports_open(struct ports *ports, struct machine_config *config,
	       struct error *error)
{
	return 0;
}

int ports_start(struct ports *ports, struct loop *loop, struct error *error)
{
	return 0;
}

void ports_close(struct ports *ports)
{
}
