// SPDX-License-Identifier: GPL-2.0
/* mvmm net: the user's networks that run, and who is on them. */
#include <argp.h>
#include <string.h>
#include "cmd/cmd.h"
#include "manage/control.h"
#include "net/switch/server.h"

enum { OPT_JSON = 256 };

static const struct argp_option option_list[] = {
	{ "json", OPT_JSON, NULL, 0, "the same as JSON", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != OPT_JSON)
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

/* What a switch says of itself; one that has died without a word says nothing */
static void add(void *ctx, const char *name)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct error ignored;
	json_t *answer;

	if (switch_path(path, sizeof(path), name, "control", &ignored))
		return;
	answer = control_ask(path, json_pack("{s:s}", "execute", "switch-show"),
			     &ignored);
	if (answer)
		json_array_append_new(ctx, answer);
}

/* An uplink has said none */
static const char *address(const json_t *port)
{
	const char *mac = text(port, "mac");

	return strcmp(mac, "00:00:00:00:00:00") ? mac : "";
}

static void print(const json_t *networks)
{
	const json_t *network, *port;
	size_t i, j;

	printf("%-16s %-24s %-8s %-5s %-18s %s\n", "switch", "port", "kind",
	       "link", "address", "vlan");
	json_array_foreach(networks, i, network)
		json_array_foreach(json_object_get(network, "ports"), j, port)
			printf("%-16s %-24s %-8s %-5s %-18s %s\n",
			       text(network, "name"), text(port, "name"),
			       text(port, "kind"),
			       json_is_true(json_object_get(port, "link")) ?
			       "up" : "down", address(port),
			       text(port, "vlan"));
}

int cmd_net(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list, .parser = parse,
		.doc = "Lists the switches that run, and what is plugged into them." };
	json_t *networks = json_array();
	bool as_json = false;

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &as_json))
		return STATUS_USAGE;
	switch_each(add, networks);
	if (as_json) {
		json_dumpf(networks, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		print(networks);
	}
	json_decref(networks);
	return 0;
}
