// SPDX-License-Identifier: GPL-2.0
/* mvmm net: the user's networks that run, and who is on them; a guest's own. */
#include <argp.h>
#include <string.h>
#include "cmd/cmd.h"
#include "manage/control.h"
#include "net/switch/server.h"

enum { OPT_JSON = 256, OPT_CONTROL };

/**
 * struct asked - what is asked for
 * @networks: of the answers
 * @as_json: as these are
 * @guests: only these were
 */
struct asked {
	json_t *networks;
	bool as_json, guests;
};

static const struct argp_option option_list[] = {
	{ "json", OPT_JSON, NULL, 0, "the same as JSON", 0 },
	{ "control", OPT_CONTROL, "SOCKET", 0,
	  "the NICs of a guest: mvmm run --control SOCKET", 0 },
	{ 0 }
};

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

static void add_guest(struct argp_state *state, struct asked *a, char *path)
{
	struct error error = { 0 };
	json_t *answer = control_ask(path, json_pack("{s:s}", "execute",
						     "net-show"), &error);

	a->guests = true;
	if (answer) {
		json_object_set_new(answer, "name", json_string(path));
		json_array_append_new(a->networks, answer);
	} else {
		argp_failure(state, error.status, 0, "%s", error.text);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct asked *a = state->input;

	if (key == OPT_JSON)
		a->as_json = true;
	else if (key == OPT_CONTROL)
		add_guest(state, a, arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
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
		.doc = "Lists the switches that run, and what is plugged into them, or a guest's NICs." };
	struct asked a = { .networks = json_array() };

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return STATUS_USAGE;
	if (!a.guests)
		switch_each(add, a.networks);
	if (a.as_json) {
		json_dumpf(a.networks, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		print(a.networks);
	}
	json_decref(a.networks);
	return 0;
}
