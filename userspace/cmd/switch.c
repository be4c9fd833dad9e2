// SPDX-License-Identifier: GPL-2.0
/* mvmm switch: starts one, shows it, and tells it what to do. */
#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/option.h"
#include "cmd/cmd.h"
#include "manage/control.h"
#include "net/switch/server.h"

#define WORDS	4

enum { OPT_UPLINK = 256, OPT_JSON, OPT_RSTP };

static const struct argp_option option_list[] = {
	{ "uplink", OPT_UPLINK, "KIND[,OPTION...]", 0,
	  "a port of the switch that leads elsewhere: what mvmm run takes behind --net, and name=, vlan=, isolated, locked, storm=; can be repeated",
	  0 },
	{ "rstp", OPT_RSTP, "PRIORITY", OPTION_ARG_OPTIONAL,
	  "a spanning tree, so that a loop of switches is harmless", 0 },
	{ "json", OPT_JSON, NULL, 0, "answers as JSON", 0 },
	{ 0 }
};

/**
 * struct options - the command line
 * @word: the switch's name, a verb and its arguments
 * @words: how many
 * @uplink: these
 * @uplinks: how many
 * @rstp: a priority, NULL: there is no spanning tree
 * @json: show answers as they come
 */
struct options {
	char *word[WORDS];
	unsigned int words;
	char *uplink[SWITCH_UPLINKS];
	unsigned int uplinks;
	const char *rstp;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_UPLINK:
		if (o->uplinks == SWITCH_UPLINKS)
			argp_error(state, "--uplink: at most %u",
				   SWITCH_UPLINKS);
		else
			o->uplink[o->uplinks++] = arg;
		break;
	case OPT_RSTP:
		o->rstp = arg ? arg : "32768";
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case ARGP_KEY_ARG:
		if (o->words == WORDS)
			argp_error(state, "%s is too much", arg);
		else
			o->word[o->words++] = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which switch?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int run(struct options *o, struct error *error)
{
	struct switch_server *s = switch_start(o->word[0], error);
	char path[sizeof(s->stream_at.sun_path)];
	struct control control = { 0 };
	unsigned int i;
	int ret = s && !switch_rstp(s, o->rstp, error) ? 0 : -1;

	for (i = 0; !ret && i < o->uplinks; i++)
		ret = switch_uplink(s, o->uplink[i], error);
	if (!ret)
		ret = switch_path(path, sizeof(path), o->word[0], "control",
				  error);
	if (!ret)
		ret = control_serve(&control, switch_execute, s, path, error);
	if (!ret) {
		printf("%s: mvmm run --net switch=%s, or --net stream:unix=%s\n",
		       o->word[0], o->word[0], s->stream_at.sun_path);
		fflush(stdout);
		switch_run(s);
	}
	control_stop(&control);
	switch_end(s);
	return ret;
}

/* ---- a switch that runs ------------------------------------------------------ */

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static const char *if_so(const json_t *port, const char *key, const char *word)
{
	return json_is_true(json_object_get(port, key)) ? word : "";
}

static void print_ports(const json_t *answer)
{
	const json_t *p, *mirror = json_object_get(answer, "mirror");
	size_t i;

	if (*text(answer, "root"))
		printf("bridge %s, root %s, cost %lld\n", text(answer, "bridge"),
		       text(answer, "root"), number(answer, "cost"));
	printf("%-5s %-24s %-8s %-5s %-20s %-10s %-10s %s\n", "port", "name",
	       "kind", "link", "vlan", "role", "state", "stations");
	json_array_foreach(json_object_get(answer, "ports"), i, p)
		printf("%-5lld %-24s %-8s %-5s %-20s %-10s %-10s %lld%s%s%s%s%s\n",
		       number(p, "port"), text(p, "name"), text(p, "kind"),
		       *if_so(p, "link", "up") ? "up" : "down", text(p, "vlan"),
		       text(p, "role"), text(p, "state"), number(p, "macs"),
		       if_so(p, "isolated", ", isolated"),
		       if_so(p, "locked", ", locked"),
		       if_so(p, "capture", ", captured"),
		       number(p, "storm") ? ", storms are cut off" : "",
		       mirror && json_integer_value(mirror) ==
		       number(p, "port") ? ", end of a mirror" : "");
}

static void print_count(const char *what, const json_t *count)
{
	const char *why;
	json_t *n;

	printf("  %-5s %lld frames of %lld, %lld bytes", what,
	       number(count, "out"), number(count, "in"),
	       number(count, "bytes"));
	json_object_foreach(json_object_get(count, "dropped"), why, n)
		printf("; %lld %s", (long long)json_integer_value(n), why);
	printf("\n");
}

/* Of what is plugged in: the same, unless it has dropped some */
static void print_outside(const char *what, const json_t *count)
{
	if (json_object_size(json_object_get(count, "dropped")))
		print_count(what, count);
}

static void print_stats(const json_t *answer)
{
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(answer, "ports"), i, p) {
		printf("%lld %s: frames from here became %lld; %lld stations not learned\n",
		       number(p, "port"), text(p, "name"), number(p, "copies"),
		       number(p, "unlearned"));
		print_count("from", json_object_get(p, "from"));
		print_count("to", json_object_get(p, "to"));
		print_outside("came", json_object_get(p, "came"));
		print_outside("went", json_object_get(p, "went"));
		print_outside("there", json_object_get(p, "there"));
		print_outside("back", json_object_get(p, "back"));
	}
}

static void print_macs(const json_t *answer)
{
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(answer, "macs"), i, m)
		printf("%s  vlan %-4lld  port %-2lld  %lld s\n", text(m, "mac"),
		       number(m, "vlan"), number(m, "port"), number(m, "age"));
}

/* Sets @key to the number that @word is */
static int add_port(json_t *arguments, const char *key, const char *word,
		    struct error *error)
{
	uint64_t value;

	if (!parse_number(word, &value, false) || value >= SWITCH_PORTS)
		return fail(error, STATUS_USAGE, "%s is no number of a port",
			    word);
	json_object_set_new(arguments, key, json_integer(value));
	return 0;
}

/* The switch runs in another directory, maybe */
static int add_file(json_t *arguments, const char *file, struct error *error)
{
	char here[4096] = "", path[8192];

	if (*file != '/' && !getcwd(here, sizeof(here)))
		return fail(error, STATUS_OS, "no current directory");
	snprintf(path, sizeof(path), "%s%s%s", here, *here ? "/" : "", file);
	json_object_set_new(arguments, "file", json_string(path));
	return 0;
}

static int make_arguments(const struct options *o, json_t *arguments,
			  struct error *error)
{
	const char *verb = o->word[1];

	if (!strcmp(verb, "vlan") && o->words == 4) {
		json_object_set_new(arguments, "vlan", json_string(o->word[3]));
		return add_port(arguments, "port", o->word[2], error);
	}
	if (!strcmp(verb, "mirror") && o->words == 4)
		return (strcmp(o->word[2], "all") &&
			add_port(arguments, "port", o->word[2], error)) ||
		       add_port(arguments, "to", o->word[3], error) ? -1 : 0;
	if (!strcmp(verb, "mirror") && o->words == 3 &&
	    !strcmp(o->word[2], "off"))
		return 0;
	if (!strcmp(verb, "capture") && o->words == 4)
		return (strcmp(o->word[3], "off") &&
			add_file(arguments, o->word[3], error)) ||
		       add_port(arguments, "port", o->word[2], error) ? -1 : 0;
	if (!strcmp(verb, "mirror") || !strcmp(verb, "capture") || o->words > 2)
		return fail(error, STATUS_USAGE,
			    "write show, stats, mac, vlan PORT VLANS, mirror PORT|all TO, mirror off or capture PORT FILE|off");
	return 0;
}

static int ask(const struct options *o, const char *name, json_t *arguments,
	       void (*print)(const json_t *answer), struct error *error)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	json_t *answer = NULL, *next = NULL;

	if (switch_path(path, sizeof(path), o->word[0], "control", error)) {
		json_decref(arguments);
		return -1;
	}
	do {
		if (next)
			json_object_set(arguments, "from", next);
		json_decref(answer);
		answer = control_ask(path, json_pack("{s:s, s:O}", "execute",
						     name, "arguments",
						     arguments), error);
		if (answer && o->json) {
			json_dumpf(answer, stdout, JSON_INDENT(2));
			printf("\n");
		} else if (answer) {
			print(answer);
		}
		next = json_object_get(answer, "next");
	} while (next);
	json_decref(arguments);
	json_decref(answer);
	return answer ? 0 : -1;
}

static int tell(const struct options *o, struct error *error)
{
	static const struct {
		const char *verb, *execute;
		void (*print)(const json_t *answer);
	} all[] = { { "show", "switch-show", print_ports },
		    { "stats", "switch-show", print_stats },
		    { "mac", "switch-mac", print_macs },
		    { "vlan", "switch-vlan", print_ports },
		    { "vlan", "switch-show", print_ports },
		    { "mirror", "switch-mirror", print_ports },
		    { "capture", "switch-capture", print_ports } };
	bool sets = o->words > 2;
	json_t *arguments;
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].verb, o->word[1]) &&
		    (sets || strcmp(all[i].execute, "switch-vlan")))
			break;
	if (i == sizeof(all) / sizeof(all[0]))
		return fail(error, STATUS_USAGE,
			    "%s is not known: show, stats, mac, vlan, mirror and capture are",
			    o->word[1]);
	if (o->uplinks)
		return fail(error, STATUS_USAGE,
			    "--uplink is for a switch that is started");
	arguments = json_object();
	if (!make_arguments(o, arguments, error))
		return ask(o, all[i].execute, arguments, all[i].print, error);
	json_decref(arguments);
	return -1;
}

int cmd_switch(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list, .parser = parse,
		.args_doc = "NAME [show|stats|mac|vlan|mirror|capture [ARGUMENT...]]",
		.doc = "An Ethernet switch for guests: NAME alone starts it, until Ctrl-C or SIGTERM ends it.\v"
		       "  show                 its ports\n"
		       "  stats                their counters\n"
		       "  mac                  which stations are where\n"
		       "  vlan PORT VLANS      which VLANs a port is in\n"
		       "  mirror PORT|all TO   what comes and goes there also goes to another\n"
		       "  mirror off           no more\n"
		       "  capture PORT FILE    what passes there is written down; FILE off: no more\n" };
	struct options o = { 0 };
	struct error error = { 0 };

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return STATUS_USAGE;
	if (!(o.words == 1 ? run(&o, &error) : tell(&o, &error)))
		return 0;
	fprintf(stderr, "mvmm switch: %s\n", error.text);
	return error.status;
}
