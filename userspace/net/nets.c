// SPDX-License-Identifier: GPL-2.0
/* See nets.h. */
#include <stdlib.h>
#include <string.h>
#include "net/nets.h"

int nets_parse(struct nets *nets, struct machine_config *config, char *arg,
	       struct error *error)
{
	struct net_config *net = &nets->config[nets->nr];

	if (nets->nr == MACHINE_NICS)
		return fail(error, STATUS_USAGE, "--net: at most %u",
			    MACHINE_NICS);
	nets->text[nets->nr] = strdup(arg);
	if (!nets->text[nets->nr])
		return fail(error, STATUS_OS, "--net: no memory");
	/* From here on nets_close() frees it */
	config->nics = ++nets->nr;
	if (net_parse(net, arg, error))
		return -1;
	config->nic[nets->nr - 1].model =
		net->model == NET_E1000 ? "e1000" : "virtio-net";
	return 0;
}

/*
 * Whose name is given on a switch stays the same one, whatever else is said. Else the
 * interface's name is in it: two guests that are started in the same way have taps of
 * their own, at least
 */
static void choose_mac(const struct nets *nets, unsigned int i,
		       const char *interface, uint8_t *mac)
{
	const struct net_config *net = &nets->config[i];
	const char *name = strstr(net->port_options, "name=");
	char text[512];

	if (name && net->address)
		snprintf(text, sizeof(text), "switch=%s,%.*s", net->address,
			 (int)strcspn(name, ","), name);
	else
		snprintf(text, sizeof(text), "%u,%s,%s", i, interface,
			 nets->text[i]);
	net_mac(text, mac);
}

static bool has_mac(const struct port *port)
{
	return memcmp(port->mac, "\0\0\0\0\0", MAC_LEN);
}

int nets_open(struct nets *nets, struct machine_config *config,
	      struct error *error)
{
	unsigned int i;

	for (i = 0; i < nets->nr; i++) {
		struct net_config *net = &nets->config[i];
		struct machine_nic *nic = &config->nic[i];

		/* A switch changes it, if somebody has it there */
		if (!net->has_mac)
			choose_mac(nets, i, net->kind, net->mac);
		nic->port = nets->port[i] = net_open(net, error);
		if (!nic->port)
			return -1;
		nic->mtu = net->mtu;
		nic->iothread = net->iothread;
		nic->queues = net->queues;
		if (net->has_mac)
			memcpy(nic->mac, net->mac, sizeof(nic->mac));
		else if (has_mac(nic->port))
			memcpy(nic->mac, nic->port->mac, sizeof(nic->mac));
		else
			choose_mac(nets, i, nic->port->name, nic->mac);
	}
	return 0;
}

int nets_start(struct nets *nets, struct loop *loop, struct error *error)
{
	unsigned int i;

	for (i = 0; i < nets->nr; i++) {
		const struct port *nic = nets->port[i]->peer;

		if (net_start(nets->port[i], nic ? nic->loop : loop, error))
			return -1;
	}
	return 0;
}

void nets_print(const struct nets *nets, FILE *file)
{
	unsigned int i;

	for (i = 0; i < nets->nr; i++)
		port_print(nets->port[i], file);
}

void nets_close(struct nets *nets)
{
	unsigned int i;

	for (i = 0; i < nets->nr; i++) {
		net_close(nets->port[i]);
		nets->port[i] = NULL;
		free(nets->text[i]);
		nets->text[i] = NULL;
	}
}
