// SPDX-License-Identifier: GPL-2.0
/*
 * mvmm raid: makes arrays, shows them, and tells those of a running guest what to
 * do.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/option.h"
#include "block/raid/create.h"
#include "cmd/cmd.h"
#include "manage/control.h"

#define CHUNK_DEFAULT	(64u << 10)
#define DISKS		(BLOCK_MEMBERS + BLOCK_SPARES + 1)

enum { OPT_SPARE = 256, OPT_LAYOUT, OPT_POLICY, OPT_JOURNAL, OPT_CLEAN, OPT_FORCE,
       OPT_DISK, OPT_REPAIR, OPT_JSON };

static const struct argp_option option_list[] = {
	{ "chunk", 'c', "SIZE", 0,
	  "create: bytes that stay together on a member (default: 64K)", 0 },
	{ "layout", OPT_LAYOUT, "NAME", 0,
	  "create: where parity goes, as mdadm calls it: left-symmetric (default) and so on; of RAID 10: n2 (default), f2, o2 and so on; of RAID 0, where members differ: alternate (default) or original",
	  0 },
	{ "spare", OPT_SPARE, "DISK", 0, "create: a spare; can be repeated", 0 },
	{ "name", 'N', "NAME", 0, "create: of the array (default: mvmm)", 0 },
	{ "consistency-policy", OPT_POLICY, "bitmap|ppl|resync", 0,
	  "create: what is kept for a crash (default: bitmap)", 0 },
	{ "write-journal", OPT_JOURNAL, "DISK", 0,
	  "create: RAID 4, 5 and 6: a log of writes, instead of a bitmap", 0 },
	{ "assume-clean", OPT_CLEAN, NULL, 0,
	  "create: all disks are blank, and in sync as they are", 0 },
	{ "force", OPT_FORCE, NULL, 0,
	  "create: also on members of another array", 0 },
	{ "disk", OPT_DISK, "NUMBER", 0,
	  "which of the guest's disks, from 0 (default: the first array)", 1 },
	{ "repair", OPT_REPAIR, NULL, 0,
	  "scrub: mend what does not agree", 1 },
	{ "json", OPT_JSON, NULL, 0, "status: as JSON", 1 },
	{ 0 }
};

/**
 * struct options - the command line
 * @argument: what has no dashes: the command, and what it is about
 * @nr: how many
 * @new: of create
 * @layout: the same
 * @spare: the same
 * @journal: the same
 * @disk: -1: none was given
 */
struct options {
	char *argument[DISKS + 2];
	unsigned int nr;
	struct raid_new new;
	const char *layout;
	const char *spare[BLOCK_SPARES], *journal;
	long disk;
	bool repair, json;
};

static void parse_policy(struct argp_state *state, struct options *o,
			 const char *arg)
{
	if (!strcmp(arg, "bitmap"))
		o->new.policy = MD_BITMAP;
	else if (!strcmp(arg, "ppl"))
		o->new.policy = MD_PPL;
	else if (!strcmp(arg, "resync"))
		o->new.policy = MD_RESYNC;
	else
		argp_error(state, "--consistency-policy %s is none of bitmap, ppl and resync",
			   arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	uint64_t value;

	switch (key) {
	case 'c':
		if (!parse_number(arg, &o->new.layout.chunk, true))
			argp_error(state, "--chunk %s is not a size", arg);
		break;
	case OPT_LAYOUT:
		o->layout = arg;
		break;
	case OPT_SPARE:
		if (o->new.spares == BLOCK_SPARES)
			argp_error(state, "--spare: at most %u", BLOCK_SPARES);
		else
			o->spare[o->new.spares++] = arg;
		break;
	case 'N':
		o->new.name = arg;
		if (strlen(arg) > 32)
			argp_error(state, "--name %s is longer than 32 bytes",
				   arg);
		break;
	case OPT_POLICY:
		parse_policy(state, o, arg);
		break;
	case OPT_JOURNAL:
		o->journal = arg;
		o->new.policy = MD_JOURNAL;
		break;
	case OPT_CLEAN:
		o->new.clean = true;
		break;
	case OPT_FORCE:
		o->new.force = true;
		break;
	case OPT_DISK:
		if (!parse_number(arg, &value, false) || value > 1000)
			argp_error(state, "--disk %s is no number of a disk",
				   arg);
		o->disk = value;
		break;
	case OPT_REPAIR:
		o->repair = true;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case ARGP_KEY_ARG:
		if (o->nr == DISKS + 2)
			argp_error(state, "too many members");
		else
			o->argument[o->nr++] = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* ---- disks outside of a guest -------------------------------------------------------- */

/**
 * struct disks - with a loop that nobody runs: each request is waited for
 */
struct disks {
	struct vm_clock clock;
	struct loop loop;
	struct block *block[DISKS];
	const char *name[DISKS];
	unsigned int nr;
};

static int open_disk(struct disks *d, const char *path, bool read_only,
		     struct error *error)
{
	struct block *block = block_open_member(path, read_only, 0, error);

	if (!block)
		return -1;
	d->name[d->nr] = path;
	d->block[d->nr++] = block;
	return block->ops->start(block, &d->loop, error);
}

static int disks_init(struct disks *d, struct error *error)
{
	d->nr = 0;
	vm_clock_init(&d->clock, 0);
	return loop_init(&d->loop, &d->clock) ?
	       fail(error, STATUS_OS, "no event loop") : 0;
}

static void disks_close(struct disks *d)
{
	while (d->nr) {
		struct block *b = d->block[--d->nr];

		b->ops->close(b);
	}
	loop_destroy(&d->loop);
}

/* ---- create ---------------------------------------------------------------------------- */

static int parse_create(struct options *o, struct error *error)
{
	struct raid_layout *l = &o->new.layout;
	uint64_t level;

	if (o->nr < 3)
		return fail(error, STATUS_USAGE,
			    "create LEVEL MEMBER...: some are missing");
	if (!parse_number(o->argument[1], &level, false) || level > 10)
		return fail(error, STATUS_USAGE,
			    "%s is no level: 0, 1, 4, 5, 6 and 10 are",
			    o->argument[1]);
	l->level = level;
	if (l->chunk && level == 1)
		return fail(error, STATUS_USAGE, "RAID 1 has no chunks");
	if (!l->chunk && level != 1)
		l->chunk = CHUNK_DEFAULT;
	if (level == 5 || level == 6)
		l->layout = RAID_LEFT_SYMMETRIC;
	else if (level == 10)
		l->layout = RAID10_LAYOUT(2, 1, false);
	if (o->layout && !raid_layout_parse(o->layout, level, &l->layout))
		return fail(error, STATUS_USAGE,
			    "RAID %u has no layout %s", l->level, o->layout);
	if (o->new.policy == MD_PPL && level != 5)
		return fail(error, STATUS_USAGE,
			    "--consistency-policy ppl is for RAID 5");
	if (o->journal && (level < 4 || level > 6 ||
			   o->new.policy != MD_JOURNAL))
		return fail(error, STATUS_USAGE,
			    "--write-journal is for RAID 4, 5 and 6, without --consistency-policy");
	if (!level && o->new.spares)
		return fail(error, STATUS_USAGE, "RAID 0 has no spares");
	if (!level)
		o->new.policy = MD_RESYNC;
	return 0;
}

static int create(struct options *o, struct error *error)
{
	struct disks d;
	unsigned int i;
	int ret;

	if (parse_create(o, error) || disks_init(&d, error))
		return -1;
	ret = o->nr - 2 + o->new.spares >= DISKS ?
	      fail(error, STATUS_USAGE, "too many members") : 0;
	for (i = 2; !ret && i < o->nr; i++)
		ret = open_disk(&d, o->argument[i], false, error);
	for (i = 0; !ret && i < o->new.spares; i++)
		ret = open_disk(&d, o->spare[i], false, error);
	if (!ret && o->journal)
		ret = open_disk(&d, o->journal, false, error);
	if (!ret) {
		pthread_mutex_lock(&d.loop.lock);
		ret = raid_format(&o->new, d.block, d.name, d.nr, error);
		pthread_mutex_unlock(&d.loop.lock);
	}
	disks_close(&d);
	if (!ret)
		printf("RAID %u of %u members, %" PRIu64 " bytes: --disk raid%u:%s%s%s%s\n",
		       o->new.layout.level, o->new.layout.disks,
		       raid_capacity(&o->new.layout), o->new.layout.level,
		       o->argument[2], o->nr > 3 ? ",..." : "",
		       o->journal ? ",journal=" : "", o->journal ?: "");
	return ret;
}

/* ---- status ----------------------------------------------------------------------------- */

static void print_super(const char *name, const struct md_super *s)
{
	const struct raid_layout *l = &s->layout;
	uint16_t role = s->role[s->number];
	unsigned int i;

	printf("%s:\n  array:     RAID %u of %u members, ", name, l->level,
	       l->disks);
	/* Of RAID 0 only all members know */
	if (l->level)
		printf("%" PRIu64 " bytes, ", raid_capacity(l));
	printf("\"%s\", ", s->name);
	for (i = 0; i < sizeof(s->uuid); i++)
		printf("%s%02x", i && !(i % 4) ? ":" : "", s->uuid[i]);
	if (l->chunk)
		printf("\n  chunk:     %" PRIu64 " bytes, layout %u", l->chunk,
		       l->layout);
	printf("\n  state:     %s, %" PRIu64 " events\n",
	       s->synced == MD_ALL ? "clean" : "not clean", s->events);
	if (role < MD_ROLE_MAX)
		printf("  member:    place %u%s\n", role,
		       s->recovered == MD_ALL ? "" : ", being rebuilt");
	else
		printf("  member:    %s\n", role == MD_SPARE ? "spare" :
		       role == MD_ROLE_JOURNAL ? "journal" : "faulty");
	printf("  for crashes: %s\n", s->bitmap_at ? "bitmap" :
	       s->ppl_at ? "partial parity log" :
	       s->has_journal ? "journal" : "resync");
}

static int show_member(const char *path, struct error *error)
{
	uint8_t raw[MD_SUPER_LEN];
	struct md_super super;
	struct disks d;
	int ret;

	if (disks_init(&d, error))
		return -1;
	ret = open_disk(&d, path, true, error);
	if (!ret) {
		pthread_mutex_lock(&d.loop.lock);
		ret = raid_read_super(d.block[0], path, raw, error);
		pthread_mutex_unlock(&d.loop.lock);
	}
	if (!ret)
		ret = md_parse(&super, raw, d.block[0]->size, path, error);
	disks_close(&d);
	if (!ret)
		print_super(path, &super);
	return ret;
}

static void print_status(const json_t *s)
{
	const json_t *sync = json_object_get(s, "sync"), *m;
	json_int_t at = json_integer_value(json_object_get(sync, "at"));
	json_int_t size = json_integer_value(json_object_get(sync, "size"));
	const char *action = json_string_value(json_object_get(sync,
							       "action"));
	size_t i;

	printf("%s: %s, %lld bytes\n",
	       json_string_value(json_object_get(s, "name")),
	       json_string_value(json_object_get(s, "state")),
	       (long long)json_integer_value(json_object_get(s, "size")));
	json_array_foreach(json_object_get(s, "members"), i, m) {
		const json_t *place = json_object_get(m, "place");

		if (place)
			printf("  %2lld ",
			       (long long)json_integer_value(place));
		else
			printf("   - ");
		printf("%-10s %s\n",
		       json_string_value(json_object_get(m, "state")),
		       json_string_value(json_object_get(m, "name")));
	}
	if (action && strcmp(action, "idle"))
		printf("  %s: %lld of %lld bytes\n", action, (long long)at,
		       (long long)size);
	printf("  the last scrub: %lld bytes did not agree\n",
	       (long long)json_integer_value(json_object_get(sync,
							     "mismatches")));
	json_array_foreach(json_object_get(s, "log"), i, m) {
		time_t told = json_integer_value(json_object_get(m, "at"));
		char when[32];

		strftime(when, sizeof(when), "%F %T", localtime(&told));
		printf("  %s %s\n", when,
		       json_string_value(json_object_get(m, "text")));
	}
}

/* ---- a running guest ------------------------------------------------------------------------ */

static int ask(struct options *o, const char *verb, struct error *error)
{
	json_t *arguments = json_object(), *answer;
	char name[32], *member = o->nr > 2 ? o->argument[2] : NULL;
	/* The guest's launcher runs in another directory, maybe */
	char *whole = member && !strcmp(verb, "add") && block_is_file(member) ?
		      realpath(member, NULL) : NULL;
	uint64_t speed;

	if (o->disk >= 0)
		json_object_set_new(arguments, "disk", json_integer(o->disk));
	if (member && !strcmp(verb, "speed")) {
		if (!parse_number(member, &speed, true) || speed > INT64_MAX) {
			json_decref(arguments);
			return fail(error, STATUS_USAGE,
				    "speed %s is no number of bytes a second",
				    member);
		}
		json_object_set_new(arguments, "speed", json_integer(speed));
	} else if (member) {
		json_object_set_new(arguments, "member",
				    json_string(whole ?: member));
	}
	free(whole);
	snprintf(name, sizeof(name), "raid-%s", verb);
	answer = control_ask(o->argument[1],
			     json_pack("{s:s, s:o}", "execute", name,
				       "arguments", arguments), error);
	if (!answer)
		return -1;
	if (o->json)
		json_dumpf(answer, stdout, JSON_INDENT(2));
	else
		print_status(answer);
	if (o->json)
		printf("\n");
	json_decref(answer);
	return 0;
}

static bool is_socket(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISSOCK(st.st_mode);
}

static int status(struct options *o, struct error *error)
{
	unsigned int i;

	if (o->nr == 2 && is_socket(o->argument[1]))
		return ask(o, "status", error);
	if (o->json)
		return fail(error, STATUS_USAGE,
			    "--json is for a running guest's array");
	for (i = 1; i < o->nr; i++)
		if (show_member(o->argument[i], error))
			return -1;
	return o->nr > 1 ? 0 :
	       fail(error, STATUS_USAGE, "status of what? A socket, or members");
}

static int raid(struct options *o, struct error *error)
{
	const char *verb = o->nr ? o->argument[0] : "";
	bool member = !strcmp(verb, "fail") || !strcmp(verb, "remove") ||
		      !strcmp(verb, "add") || !strcmp(verb, "speed");

	if (!strcmp(verb, "create"))
		return create(o, error);
	if (!strcmp(verb, "status"))
		return status(o, error);
	if (member && o->nr != 3)
		return fail(error, STATUS_USAGE, "%s SOCKET %s", verb,
			    *verb == 's' ? "BYTES" : "MEMBER");
	if (!strcmp(verb, "scrub") && o->nr != 2)
		return fail(error, STATUS_USAGE, "scrub SOCKET");
	if (!strcmp(verb, "scrub"))
		return ask(o, o->repair ? "repair" : "check", error);
	if (member)
		return ask(o, verb, error);
	return fail(error, STATUS_USAGE,
		    "a command is missing: create, status, fail, remove, add, scrub or speed");
}

int cmd_raid(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list, .parser = parse,
		.args_doc = "create LEVEL MEMBER...\n"
			    "status MEMBER...\n"
			    "status|scrub SOCKET\n"
			    "fail|remove|add SOCKET MEMBER\n"
			    "speed SOCKET BYTES",
		.doc = "Make RAID arrays, and look after those of a running guest.\v"
		       "SOCKET is what the guest was started with: mvmm run --control SOCKET. A MEMBER is whatever --disk takes." };
	struct options o = { .new = { .policy = MD_BITMAP, .name = "mvmm" },
			     .disk = -1 };
	struct error error = { 0 };

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return STATUS_USAGE;
	if (!raid(&o, &error))
		return 0;
	fprintf(stderr, "mvmm raid: %s\n", error.text);
	return error.status;
}
