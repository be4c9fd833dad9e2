/* SPDX-License-Identifier: GPL-2.0 */
/* The networks of a machine, one behind each NIC (nets.c): what --net gave. */
#ifndef MVMM_NETS_H
#define MVMM_NETS_H

#include "core/machine.h"
#include "net/net.h"

/**
 * struct nets - those of the command line
 * @config: what was said of each
 * @text: the same as it was
 * @port: what was opened
 * @nr: how many
 */
struct nets {
	struct net_config config[MACHINE_NICS];
	char *text[MACHINE_NICS];
	struct port *port[MACHINE_NICS];
	unsigned int nr;
};

/* One option; it is cut into pieces. @config: gets the NIC. -1 with @error */
int nets_parse(struct nets *nets, struct machine_config *config, char *arg,
	       struct error *error);
/* What these NICs are connected to. -1 with @error; nets_close() is due then, too */
int nets_open(struct nets *nets, struct machine_config *config,
	      struct error *error);
/* Each is served by the loop of its NIC; without one by @loop */
int nets_start(struct nets *nets, struct loop *loop, struct error *error);
/* Counters, for the user */
void nets_print(const struct nets *nets, FILE *file);
/* The machine has no devices any more, but its loop. Twice is not too often */
void nets_close(struct nets *nets);

#endif
