// SPDX-License-Identifier: GPL-2.0
/* No NICs, and nothing that they could be connected to. */
#include "cmd/cmd.h"
#include "net/nets.h"
#include "without/without.h"

int nets_parse(struct nets *nets, struct machine_config *config, char *arg,
	       struct error *error)
{
	return left_out(error, "--net", "net");
}

int nets_open(struct nets *nets, struct machine_config *config,
	      struct error *error)
{
	return 0;
}

int nets_start(struct nets *nets, struct loop *loop, struct error *error)
{
	return 0;
}

void nets_print(const struct nets *nets, FILE *file)
{
}

void nets_close(struct nets *nets)
{
}

/* For the control socket: there is no port */
json_t *port_count_json(const struct port_count *count)
{
	return json_null();
}

int cmd_net(int argc, char **argv)
{
	return no_command("net", "net");
}

int cmd_switch(int argc, char **argv)
{
	return no_command("switch", "net");
}
