// SPDX-License-Identifier: GPL-2.0
/*
 * mvmm screenshot, wait-screen, type, key, eject and change: a guest's screen,
 * keyboard and drives, for scripts. The guest is one with --control.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/option.h"
#include "block/block.h"
#include "cmd/cmd.h"
#include "manage/control.h"

#define POLL_US		100000
#define NS		1000000000ull

/**
 * struct options - the command line
 * @word: the guest's socket, and what is wanted of it
 * @words: how many
 * @wanted: how many there have to be
 * @timeout: seconds, 0: for ever
 * @enter: press Enter, too
 * @force: although the guest has locked it
 */
struct options {
	char *word[3];
	unsigned int words, wanted;
	uint64_t timeout;
	bool enter, force;
};

static int ask(const struct options *o, const char *execute, json_t *arguments,
	       json_t **answer, struct error *error)
{
	*answer = NULL;
	if (!arguments)
		return fail(error, STATUS_USAGE,
			    "what is said to a guest has to be UTF-8");
	*answer = control_ask(o->word[0],
			      json_pack("{s:s, s:o}", "execute", execute,
					"arguments", arguments), error);
	return *answer ? 0 : -1;
}

static int tell(const struct options *o, const char *execute, const char *key,
		const char *value, struct error *error)
{
	json_t *answer;
	int ret = ask(o, execute, json_pack("{s:s}", key, value), &answer,
		      error);

	json_decref(answer);
	return ret;
}

/* For the guest's launcher, which may be somewhere else. NULL: no memory */
static char *whole_path(const char *name)
{
	char *here = *name == '/' ? NULL : get_current_dir_name(), *path;

	if (asprintf(&path, "%s%s%s", here ? here : "", here ? "/" : "", name) < 0)
		path = NULL;
	free(here);
	return path;
}

static int screenshot(const struct options *o, struct error *error)
{
	char *path = whole_path(o->word[1]);
	int ret;

	ret = path ? tell(o, "screendump", "filename", path, error) :
	      fail(error, STATUS_OS, "no memory");
	free(path);
	return ret;
}

static int look_for(const struct options *o, const regex_t *regex,
		    struct error *error)
{
	uint64_t end = o->timeout ? host_ns() + o->timeout * NS : ~0ull;
	bool found = false, screen;
	json_t *answer;

	do {
		if (ask(o, "screen-text", json_object(), &answer, error))
			return -1;
		screen = json_is_true(json_object_get(answer, "screen"));
		found = json_is_true(json_object_get(answer, "text-mode")) &&
			!regexec(regex, json_string_value(
				 json_object_get(answer, "text")), 0, NULL, 0);
		if (!screen)
			fail(error, STATUS_USAGE,
			     "this machine has no screen: --device vga");
		json_decref(answer);
		if (!screen)
			return -1;
		if (found)
			return 0;
		usleep(POLL_US);
	} while (host_ns() < end);
	return fail(error, STATUS_VM, "%s did not come within %llu seconds",
		    o->word[1], (unsigned long long)o->timeout);
}

static int wait_screen(const struct options *o, struct error *error)
{
	char why[256];
	regex_t regex;
	int ret = regcomp(&regex, o->word[1],
			  REG_EXTENDED | REG_NOSUB | REG_NEWLINE);

	if (ret) {
		regerror(ret, &regex, why, sizeof(why));
		return fail(error, STATUS_USAGE, "%s: %s", o->word[1], why);
	}
	ret = look_for(o, &regex, error);
	regfree(&regex);
	return ret;
}

static int type(const struct options *o, struct error *error)
{
	const char *text = o->word[1];
	json_t *answer;
	size_t typed;

	/* In turns, between which others are heard */
	do {
		if (ask(o, "type", json_pack("{s:s}", "text", text), &answer,
			error))
			return -1;
		typed = json_integer_value(json_object_get(answer, "typed"));
		json_decref(answer);
		if (typed > strlen(text))
			break;
		text += typed;
	} while (typed && *text);
	return o->enter ? tell(o, "send-key", "keys", "enter", error) : 0;
}

static int key(const struct options *o, struct error *error)
{
	return tell(o, "send-key", "keys", o->word[1], error);
}

static int eject(const struct options *o, struct error *error)
{
	json_t *answer;
	int ret = ask(o, "eject", json_pack("{s:s, s:b}", "device", o->word[1],
					    "force", o->force), &answer, error);

	json_decref(answer);
	return ret;
}

static int change(const struct options *o, struct error *error)
{
	char *path = block_is_file(o->word[2]) ? whole_path(o->word[2]) :
						 strdup(o->word[2]);
	json_t *answer = NULL;
	int ret;

	if (!path)
		return fail(error, STATUS_OS, "no memory");
	ret = ask(o, "blockdev-change-medium",
		  json_pack("{s:s, s:s, s:b}", "device", o->word[1], "filename",
			    path, "force", o->force), &answer, error);
	json_decref(answer);
	free(path);
	return ret;
}

static error_t parse(int k, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (k) {
	case 't':
		if (!parse_number(arg, &o->timeout, false) ||
		    o->timeout > 1000000)
			argp_error(state, "--timeout %s is no number of seconds",
				   arg);
		break;
	case 'e':
		o->enter = true;
		break;
	case 'f':
		o->force = true;
		break;
	case ARGP_KEY_ARG:
		if (o->words == o->wanted)
			argp_error(state, "%s is too much", arg);
		else
			o->word[o->words++] = arg;
		break;
	case ARGP_KEY_END:
		if (o->words < o->wanted)
			argp_error(state, o->wanted == 2 ?
				   "the guest's socket, and what is wanted of it" :
				   "the guest's socket, a drive, and what comes into it");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option wait_options[] = {
	{ "timeout", 't', "SECONDS", 0, "give up then", 0 }, { 0 }
};

static const struct argp_option type_options[] = {
	{ "enter", 'e', NULL, 0, "press Enter, too", 0 }, { 0 }
};

static const struct argp_option force_options[] = {
	{ "force", 'f', NULL, 0, "although the guest has locked it", 0 }, { 0 }
};

static const struct {
	const char *name, *args, *doc;
	const struct argp_option *options;
	int (*run)(const struct options *o, struct error *error);
} commands[] = {
	{ "mvmm screenshot", "VM FILE",
	  "Write what the guest's screen shows to FILE, as a PNG, or a PPM if its name ends so. VM is the socket of its --control.",
	  NULL, screenshot },
	{ "mvmm wait-screen", "VM REGEX",
	  "Wait until a line of the guest's screen, which shows text, matches the extended regular expression. VM is the socket of its --control.",
	  wait_options, wait_screen },
	{ "mvmm type", "VM TEXT",
	  "Type TEXT on the guest's keyboard, as on a US one. VM is the socket of its --control.",
	  type_options, type },
	{ "mvmm key", "VM KEY[-KEY]...",
	  "Press keys together, as ctrl-alt-del: characters, f1 to f12, enter, esc, tab, space, backspace, delete, insert, home, end, pgup, pgdn, up, down, left, right, shift, ctrl, alt, altgr, meta, menu, kp_0 to kp_9 and others. VM is the socket of its --control.",
	  NULL, key },
	{ "mvmm eject", "VM DRIVE",
	  "Take the medium out of a drive: cd0, the first --cdrom, or floppy0. VM is the socket of its --control.",
	  force_options, eject },
	{ "mvmm change", "VM DRIVE FILE",
	  "Put another medium into a drive: cd0, the first --cdrom, or floppy0. FILE is what --cdrom or --floppy takes. VM is the socket of its --control.",
	  force_options, change },
};

int cmd_screen(int argc, char **argv)
{
	struct argp argp = { .parser = parse };
	struct options o = { 0 };
	struct error error = { 0 };
	unsigned int i;

	for (i = 0; strcmp(commands[i].name, argv[0]); i++)
		;
	o.wanted = commands[i].run == change ? 3 : 2;
	argp.options = commands[i].options;
	argp.args_doc = commands[i].args;
	argp.doc = commands[i].doc;
	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return STATUS_USAGE;
	if (!commands[i].run(&o, &error))
		return 0;
	fprintf(stderr, "%s: %s\n", argv[0], error.text);
	return error.status;
}
