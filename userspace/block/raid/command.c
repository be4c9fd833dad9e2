// SPDX-License-Identifier: GPL-2.0
/*
 * What the user wants of an array that runs: its status, a member failed, removed
 * or added, a scrub, another speed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "block/raid/raid.h"

static void lock(struct raid *raid)
{
	pthread_mutex_lock(&raid->block.loop->lock);
}

static void unlock(struct raid *raid)
{
	pthread_mutex_unlock(&raid->block.loop->lock);
}

/* ---- status ------------------------------------------------------------------- */

static const char *state_name(const struct member *m)
{
	static const char *const names[] = {
		[MEMBER_FAULTY] = "faulty", [MEMBER_SPARE] = "spare",
		[MEMBER_JOURNAL] = "journal",
		[MEMBER_REBUILDING] = "rebuilding",
		[MEMBER_IN_SYNC] = "in sync" };

	return names[m->state];
}

/* A name, or a text that is cut, may not be UTF-8: JSON has only that */
static json_t *text_json(const char *text)
{
	return json_string(text) ?: json_string("?");
}

static json_t *describe_members(const struct raid *raid)
{
	json_t *list = json_array(), *one;
	unsigned int i;

	for (i = 0; i < raid->members; i++) {
		const struct member *m = &raid->member[i];

		if (m->state == MEMBER_GONE)
			continue;
		one = json_pack("{s:o, s:s, s:i}", "name", text_json(m->name),
				"state", state_name(m), "corrected", m->corrected);
		if (m->state >= MEMBER_REBUILDING)
			json_object_set_new(one, "place",
					    json_integer(m->slot));
		json_array_append_new(list, one);
	}
	return list;
}

/* What the user was told, in its order */
static json_t *describe_notes(const struct raid *raid)
{
	unsigned int i = raid->notes > RAID_NOTES ? raid->notes - RAID_NOTES : 0;
	json_t *list = json_array();

	for (; i < raid->notes; i++) {
		const struct raid_note *n = &raid->note[i % RAID_NOTES];

		json_array_append_new(list, json_pack("{s:I, s:o}", "at",
			(json_int_t)n->at, "text",
			text_json(n->text)));
	}
	return list;
}

static json_t *status(struct raid *raid)
{
	const struct raid_layout *l = &raid->layout;
	const struct raid_sync *sync = &raid->sync;
	unsigned int missing = raid_degraded(raid);

	return json_pack("{s:o, s:i, s:i, s:I, s:I, s:s, s:i, s:b, s:I, s:o, s:o, s:{s:s, s:I, s:I, s:I, s:I}}",
		"name", text_json(raid->label), "level", l->level, "disks", l->disks,
		"chunk", (json_int_t)l->chunk,
		"size", (json_int_t)raid_capacity(l),
		"state", raid->broken ? "broken" : missing ? "degraded" :
			 raid->clean ? "clean" : "active",
		"missing", missing, "in_sync", raid->synced == MD_ALL,
		"events", (json_int_t)raid->events,
		"members", describe_members(raid),
		"log", describe_notes(raid),
		"sync", "action", sync_name(raid),
		"at", (json_int_t)sync->at,
		"size", (json_int_t)raid_sync_size(l),
		"mismatches", (json_int_t)sync->mismatches,
		"speed", (json_int_t)sync->speed);
}

/* ---- members ------------------------------------------------------------------- */

static struct member *find(struct raid *raid, const char *name,
			   struct error *error)
{
	unsigned int i;

	for (i = 0; i < raid->members; i++)
		if (raid->member[i].state > MEMBER_GONE &&
		    !strcmp(raid->member[i].name, name))
			return &raid->member[i];
	fail(error, STATUS_USAGE, "%s has no member %s", raid->label, name);
	return NULL;
}

static int fail_member(struct raid *raid, const char *name,
		       struct error *error)
{
	struct member *m = find(raid, name, error);

	if (!m)
		return -1;
	if (raid->broken || raid->block.read_only)
		return fail(error, STATUS_USAGE, "%s is %s", raid->label,
			    raid->broken ? "broken" : "read-only");
	if (!raid_can_lose(raid, m))
		return fail(error, STATUS_USAGE,
			    "%s cannot do without %s", raid->label, name);
	raid_fail(raid, m, "the user said so");
	return 0;
}

/* The disk is the caller's from here on; NULL with @error */
static struct block *take_member(struct raid *raid, const char *name,
				 struct error *error)
{
	struct member *m = find(raid, name, error);
	struct block *block;

	if (!m)
		return NULL;
	if (m->state > MEMBER_SPARE) {
		fail(error, STATUS_USAGE,
		     "%s is in use: mvmm raid fail it first", name);
		return NULL;
	}
	/* Nothing more is sent to it, and what was sent ends here */
	m->state = MEMBER_FAULTY;
	while (m->in_flight)
		m->block->ops->cancel(m->block);
	block = m->block;
	m->block = NULL;
	m->state = MEMBER_GONE;
	return block;
}

static int remove_member(struct raid *raid, const char *name,
			 struct error *error)
{
	struct block *block;

	lock(raid);
	block = take_member(raid, name, error);
	unlock(raid);
	if (!block)
		return -1;
	block->ops->close(block);
	return 0;
}

/* Will an operation ask what has become of its request to that member? */
static bool is_named(const struct raid *raid, const struct member *m)
{
	unsigned int i, k;

	for (i = 0; i < sizeof(raid->op) / sizeof(raid->op[0]); i++)
		for (k = 0; raid->op[i].used && k < raid->op[i].sent; k++)
			if (raid->op[i].sub[k].member == m)
				return true;
	return false;
}

/* An entry that nobody uses; NULL: there is none */
static struct member *free_entry(struct raid *raid)
{
	unsigned int i;

	for (i = 0; i < raid->members; i++)
		if (raid->member[i].state == MEMBER_GONE &&
		    !is_named(raid, &raid->member[i]))
			return &raid->member[i];
	return i < RAID_MEMBERS ? &raid->member[i] : NULL;
}

/* What is on the disk may be another array's: @raw is its superblock, if any */
static int check_foreign(const struct member *m, const uint8_t *raw,
			 const struct md_super *ours, struct error *error)
{
	struct md_super super;

	if (md_is_super(raw) &&
	    (md_parse(&super, raw, m->block->size, m->name, error) ||
	     memcmp(super.uuid, ours->uuid, sizeof(ours->uuid))))
		return fail(error, STATUS_DATA,
			    "%s is a member of another array", m->name);
	return 0;
}

static int add_block(struct raid *raid, struct block *block, const char *name,
		     const uint8_t *raw, struct error *error)
{
	struct member *m = free_entry(raid), old;
	const struct md_super *model = NULL;
	unsigned int i;

	for (i = 0; i < raid->members; i++)
		if (raid->member[i].state >= MEMBER_REBUILDING)
			model = &raid->member[i].super;
	if (!m || !model || raid->broken || raid->block.read_only ||
	    !raid->layout.level)
		return fail(error, STATUS_USAGE,
			    "%s takes no members now", raid->label);
	old = *m;
	*m = (struct member){ .name = strdup(name), .block = block };
	if (!m->name || check_foreign(m, raw, model, error) ||
	    raid_adopt(raid, m, model, error)) {
		free(m->name);
		*m = old;
		return -1;
	}
	free(old.name);
	if (m == &raid->member[raid->members])
		raid->members++;
	raid->sync.stuck = false;
	raid_say(raid, "%s is a spare now", m->name);
	meta_update(raid);
	sync_kick(raid);
	return 0;
}

/*
 * The superblock, if any, read in a loop of its own: the guest's disks do not wait
 * for an answer that may never come
 */
static int read_alone(const struct raid *raid, const char *name, uint8_t *raw,
		      struct error *error)
{
	struct block *block = block_open_member(name, true, raid->retry, error);
	struct loop loop;
	int ret;

	if (!block)
		return -1;
	ret = loop_init(&loop, raid->block.loop->clock) ?
	      fail(error, STATUS_OS, "no event loop") : 0;
	if (ret) {
		block->ops->close(block);
		return -1;
	}
	ret = block->ops->start(block, &loop, error);
	if (!ret && (block->size < MD_SUPER_AT + MD_SUPER_LEN ||
		     block_do(block, BLOCK_READ, MD_SUPER_AT, raw,
			      MD_SUPER_LEN)))
		ret = fail(error, STATUS_NO_INPUT, "%s cannot be read", name);
	block->ops->close(block);
	loop_destroy(&loop);
	return ret;
}

static int add_member(struct raid *raid, const char *name, struct error *error)
{
	uint8_t raw[MD_SUPER_LEN];
	struct block *block;
	int ret;

	if (read_alone(raid, name, raw, error))
		return -1;
	block = block_open_member(name, false, raid->retry, error);
	if (!block)
		return -1;
	ret = block->ops->start(block, raid->block.loop, error);
	if (!ret) {
		lock(raid);
		block->parent = &raid->block;
		ret = add_block(raid, block, name, raw, error);
		unlock(raid);
	}
	if (ret)
		block->ops->close(block);
	return ret;
}

/* ---- scrub ------------------------------------------------------------------- */

static int scrub(struct raid *raid, bool repair, struct error *error)
{
	if (!raid->layout.level || raid->broken || raid->block.read_only)
		return fail(error, STATUS_USAGE,
			    "%s has nothing to scrub", raid->label);
	if (raid->sync.action != RAID_IDLE)
		return fail(error, STATUS_BUSY,
			    "%s is busy with a %s: mvmm raid status tells how far it is",
			    raid->label, sync_name(raid));
	raid->sync.asked = repair ? RAID_REPAIR : RAID_CHECK;
	sync_kick(raid);
	return 0;
}

static int set_speed(struct raid *raid, json_int_t speed, struct error *error)
{
	if (speed < 4096)
		return fail(error, STATUS_USAGE,
			    "a speed is at least 4096 bytes a second");
	raid->sync.speed = speed;
	return 0;
}

/* ---- the table ------------------------------------------------------------------ */

static int locked_command(struct raid *raid, const char *verb,
			  const char *name, const json_t *arguments,
			  struct error *error)
{
	if (!strcmp(verb, "status"))
		return 0;
	if (!strcmp(verb, "check") || !strcmp(verb, "repair"))
		return scrub(raid, *verb == 'r', error);
	if (!strcmp(verb, "speed"))
		return set_speed(raid, json_integer_value(
				 json_object_get(arguments, "speed")), error);
	if (!strcmp(verb, "fail") && name)
		return fail_member(raid, name, error);
	return fail(error, STATUS_USAGE, "an array does not know %s", verb);
}

json_t *raid_command(struct block *block, const char *verb,
		     const json_t *arguments, struct error *error)
{
	const char *name = json_string_value(json_object_get(arguments,
							     "member"));
	struct raid *raid = (struct raid *)block;
	json_t *answer = NULL;
	int ret = 0;

	if (!strcmp(verb, "remove") && name)
		ret = remove_member(raid, name, error);
	else if (!strcmp(verb, "add") && name)
		ret = add_member(raid, name, error);
	if (ret)
		return NULL;
	lock(raid);
	if (strcmp(verb, "remove") && strcmp(verb, "add"))
		ret = locked_command(raid, verb, name, arguments, error);
	if (!ret)
		answer = status(raid);
	unlock(raid);
	if (!ret && !answer)
		fail(error, STATUS_OS, "the status cannot be told: a name is not UTF-8, or there is no memory");
	return answer;
}
