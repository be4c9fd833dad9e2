// SPDX-License-Identifier: GPL-2.0
/*
 * Members become an array: which belong together, who was there to the end, and
 * whether what they have is enough. Nothing is written here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "block/raid/raid.h"

int member_transfer(struct member *m, enum block_op op, uint64_t at, void *data,
		    size_t len)
{
	if (at > m->block->size || len > m->block->size - at)
		return -EIO;
	return block_do_locked(m->block, op, at, data, len, true);
}

/* ---- superblocks ---------------------------------------------------------------- */

static bool is_same_array(const struct md_super *a, const struct md_super *b)
{
	return !memcmp(a->uuid, b->uuid, sizeof(a->uuid)) &&
	       a->layout.level == b->layout.level &&
	       a->layout.layout == b->layout.layout &&
	       a->layout.disks == b->layout.disks &&
	       a->layout.chunk == b->layout.chunk &&
	       (a->layout.used == b->layout.used || !a->layout.level) &&
	       !a->ppl_at == !b->ppl_at && !a->bitmap_at == !b->bitmap_at &&
	       a->has_journal == b->has_journal;
}

/* Given as a spare, or as a journal: it can become one */
static bool may_be_new(const struct member *m)
{
	return m->state == MEMBER_SPARE || m->state == MEMBER_JOURNAL;
}

/* 0, or -1 with @error; @has: there is a superblock */
static int read_super(struct raid *raid, struct member *m, bool *has,
		      struct error *error)
{
	uint8_t raw[MD_SUPER_LEN];
	int ret = member_transfer(m, BLOCK_READ, MD_SUPER_AT, raw, sizeof(raw));

	*has = false;
	if (m->block->size < MD_SUPER_AT + MD_SUPER_LEN)
		return fail(error, STATUS_DATA,
			    "%s: %s is too small to be a member of an array",
			    raid->label, m->name);
	/* A member that cannot be read is absent */
	if (ret) {
		raid_say(raid, "%s cannot be read: %s", m->name,
			 strerror(-ret));
		m->state = MEMBER_FAULTY;
		return 0;
	}
	*has = md_is_super(raw);
	if (!*has || !md_parse(&m->super, raw, m->block->size, m->name, error))
		return 0;
	/* What becomes one may have anything on it */
	if (may_be_new(m)) {
		*has = false;
		return 0;
	}
	snprintf(error->text + strlen(error->text),
		 sizeof(error->text) - strlen(error->text),
		 ": leave it out, or give it as spare=%s, and what it has is lost",
		 m->name);
	return -1;
}

/* Who was there last knows what has become of the others */
static const struct md_super *find_newest(const struct raid *raid,
					  const bool *has)
{
	const struct md_super *newest = NULL;
	unsigned int i;

	for (i = 0; i < raid->members; i++) {
		const struct md_super *s = &raid->member[i].super;

		if (has[i] && s->role[s->number] < MD_ROLE_MAX &&
		    (!newest || s->events > newest->events))
			newest = s;
	}
	return newest;
}

static int check_members(struct raid *raid, const bool *has,
			 const struct md_super *newest, struct error *error)
{
	unsigned int i, k;

	if (!newest)
		return fail(error, STATUS_DATA,
			    "%s: none of these disks has a member's superblock: mvmm raid create makes an array",
			    raid->label);
	for (i = 0; i < raid->members; i++) {
		const struct member *m = &raid->member[i];

		if (!has[i] && m->state == MEMBER_IN_SYNC)
			return fail(error, STATUS_DATA,
				    "%s: %s has no superblock of an array: as spare=%s it can become a member",
				    raid->label, m->name, m->name);
		if (has[i] && !is_same_array(&m->super, newest))
			return fail(error, STATUS_DATA,
				    "%s: %s is of another array than the others",
				    raid->label, m->name);
		for (k = 0; k < i; k++)
			if (has[i] && has[k] && m->super.number ==
			    raid->member[k].super.number)
				return fail(error, STATUS_DATA,
					    "%s: %s and %s are the same member twice",
					    raid->label, m->name,
					    raid->member[k].name);
	}
	return 0;
}

/* ---- who does what ----------------------------------------------------------------- */

/* Has it missed something? As md: the last round may not have reached all */
static bool is_stale(const struct member *m, const struct md_super *newest)
{
	uint16_t role = newest->role[m->super.number];
	uint16_t own = m->super.role[m->super.number];

	return role == MD_FAULTY ||
	       ((role < MD_ROLE_MAX || role == MD_ROLE_JOURNAL) &&
		m->super.events + 1 < newest->events) ||
	       (role == MD_SPARE &&
		(own < MD_ROLE_MAX || own == MD_ROLE_JOURNAL));
}

/*
 * A member that does without those that do without it: both have what the other
 * has not
 */
static bool is_split(const struct member *m, const struct md_super *newest)
{
	return m->super.role[m->super.number] < MD_ROLE_MAX &&
	       m->super.role[newest->number] == MD_FAULTY;
}

/* The place that the newest superblock gives it. -1 with @error: it is taken */
static int place_member(struct raid *raid, struct member *m,
			const struct md_super *newest, struct error *error)
{
	uint16_t role = newest->role[m->super.number];

	if (is_stale(m, newest) && is_split(m, newest))
		return fail(error, STATUS_DATA,
			    "%s: %s and others each ran without the other: choose, and leave it or them out",
			    raid->label, m->name);
	if (is_stale(m, newest)) {
		raid_say(raid, "%s was left out or has failed before, and is out of date: spare=%s, or mvmm raid add, takes it in again",
			 m->name, m->name);
		role = MD_FAULTY;
	}
	if (role == MD_SPARE) {
		m->state = MEMBER_SPARE;
		return 0;
	}
	if (role == MD_ROLE_JOURNAL && !raid->journal.member) {
		m->state = MEMBER_JOURNAL;
		raid->journal.member = m;
		return 0;
	}
	if (role >= raid->layout.disks) {
		m->state = MEMBER_FAULTY;
		return 0;
	}
	if (raid->at[role])
		return fail(error, STATUS_DATA,
			    "%s: %s and %s have the same place in it",
			    raid->label, m->name, raid->at[role]->name);
	m->slot = role;
	m->state = m->super.recovered == MD_ALL ? MEMBER_IN_SYNC :
						  MEMBER_REBUILDING;
	/*
	 * After a crash what was rebuilt may be older than the rest: begin anew
	 */
	if (m->state == MEMBER_REBUILDING && raid->synced != MD_ALL)
		m->super.recovered = 0;
	raid->at[role] = m;
	return 0;
}

static unsigned int free_number(const struct raid *raid,
				const struct md_super *newest)
{
	unsigned int n, i;

	for (n = 0; n < MD_NUMBERS; n++) {
		if (newest->role[n] < MD_ROLE_MAX ||
		    newest->role[n] == MD_ROLE_JOURNAL)
			continue;
		for (i = 0; i < raid->members; i++)
			if (raid->member[i].state > MEMBER_FAULTY &&
			    raid->member[i].super.number == n)
				break;
		if (i == raid->members)
			break;
	}
	return n;
}

int raid_adopt(struct raid *raid, struct member *m,
	       const struct md_super *newest, struct error *error)
{
	bool journal = m->state == MEMBER_JOURNAL;
	uint64_t least = journal ? journal_least(&newest->layout) :
				   newest->layout.used;
	unsigned int number;
	uint8_t uuid[16];

	/* Not yet one of those that have a number */
	m->state = MEMBER_FAULTY;
	number = free_number(raid, newest);
	if (number == MD_NUMBERS)
		return fail(error, STATUS_DATA,
			    "%s has had too many members", raid->label);
	if (m->block->size < newest->data_at ||
	    m->block->size - newest->data_at < least)
		return fail(error, STATUS_DATA,
			    "%s: %s has %llu bytes, a member needs %llu",
			    raid->label, m->name,
			    (unsigned long long)m->block->size,
			    (unsigned long long)(newest->data_at + least));
	if (getrandom(uuid, sizeof(uuid), 0) != sizeof(uuid))
		return fail(error, STATUS_OS, "no random bytes");
	md_adopt(&m->super, newest, number,
		 (m->block->size - newest->data_at) / BLOCK_SECTOR *
		 BLOCK_SECTOR, uuid);
	m->state = journal ? MEMBER_JOURNAL : MEMBER_SPARE;
	return 0;
}

/* ---- is it enough? ------------------------------------------------------------------ */

static int check_enough(struct raid *raid, bool has_journal,
			struct error *error)
{
	unsigned int missing = raid_degraded(raid);

	if (!raid_can_lose(raid, NULL))
		return fail(error, STATUS_DATA,
			    "%s: %u of %u members are missing or out of date, and RAID %u cannot do without them",
			    raid->label, missing, raid->layout.disks,
			    raid->layout.level);
	if (missing && raid->synced != MD_ALL &&
	    raid_has_parity(&raid->layout) && !raid->has_log) {
		if (!raid->force)
			return fail(error, STATUS_DATA,
				    "%s: %u of %u members are missing, and it was not shut down clean, or never in sync: what they had may come out wrong. The option force starts it nevertheless",
				    raid->label, missing, raid->layout.disks);
		raid_say(raid, "started by force: what missing members had may come out wrong");
	}
	if (has_journal && !raid->journal.member)
		raid_say(raid, "its journal has failed: a power cut may leave wrong rows. A disk given as journal= becomes a new one");
	if (missing)
		raid_say(raid, "%u of %u members are missing: it runs without them",
			 missing, raid->layout.disks);
	return 0;
}

static int check_wishes(const struct raid *raid, struct error *error)
{
	const struct raid_layout *l = &raid->layout;

	if (l->level != raid->level)
		return fail(error, STATUS_DATA, "%s is a RAID %u", raid->label,
			    l->level);
	if (raid->chunk && l->chunk != raid->chunk)
		return fail(error, STATUS_DATA,
			    "%s has chunks of %llu bytes", raid->label,
			    (unsigned long long)l->chunk);
	return 0;
}

/*
 * Who is not here misses what is written from now on, and must not be believed
 * when it comes back: the first superblocks that are written say so, and those
 * are written before any data
 */
static void note_absent(const struct raid *raid, struct md_super *newest)
{
	unsigned int n, i;

	for (n = 0; n < MD_NUMBERS; n++) {
		if (newest->role[n] >= MD_ROLE_MAX &&
		    newest->role[n] != MD_ROLE_JOURNAL)
			continue;
		for (i = 0; i < raid->members; i++)
			if (raid->member[i].state > MEMBER_SPARE &&
			    raid->member[i].super.number == n)
				break;
		if (i == raid->members)
			newest->role[n] = MD_FAULTY;
	}
}

/* Without what the journal has, rows may be half written */
static int check_journal(struct raid *raid, const struct md_super *newest,
			 struct error *error)
{
	bool had = false;
	unsigned int n;

	for (n = 0; n < MD_NUMBERS; n++)
		had |= newest->role[n] == MD_ROLE_JOURNAL;
	if (raid->journal.member || !newest->has_journal)
		return 0;
	if (had && !raid->force)
		return fail(error, STATUS_DATA,
			    "%s: its journal is missing, or out of date: give it as journal=FILE. The option force starts the array without it, and reads all of it again",
			    raid->label);
	if (had)
		raid->synced = 0;
	return 0;
}

/* Of RAID 0: as large as each of them is. One that is missing is as the smallest */
static int take_sizes(struct raid *raid, struct error *error)
{
	struct raid_layout *l = &raid->layout;
	const char *wrong;
	unsigned int i;

	for (i = 0; i < l->disks; i++) {
		l->size[i] = raid->at[i] ? raid->at[i]->super.layout.used : 0;
		if (l->size[i] && l->size[i] < l->used)
			l->used = l->size[i];
	}
	wrong = raid_layout_check(l);
	return wrong ? fail(error, STATUS_DATA, "%s has %s", raid->label,
			    wrong) : 0;
}

/* A spare, or a journal in the place of one that has failed */
static int adopt(struct raid *raid, struct member *m, struct md_super *newest,
		 struct error *error)
{
	bool journal = m->state == MEMBER_JOURNAL;

	if (journal && (!newest->has_journal || raid->journal.member))
		return fail(error, STATUS_DATA,
			    "%s: %s: it has no journal, or has one already: mvmm raid create --write-journal makes an array with one",
			    raid->label, m->name);
	if (raid_adopt(raid, m, newest, error))
		return -1;
	if (journal) {
		newest->role[m->super.number] = MD_ROLE_JOURNAL;
		raid->journal.member = m;
		raid->journal.fresh = true;
	}
	return 0;
}

int raid_assemble(struct raid *raid, struct error *error)
{
	const struct md_super *newest;
	bool has[RAID_MEMBERS];
	struct md_super copy;
	unsigned int i;

	for (i = 0; i < raid->members; i++)
		if (read_super(raid, &raid->member[i], &has[i], error))
			return -1;
	newest = find_newest(raid, has);
	if (check_members(raid, has, newest, error))
		return -1;
	copy = *newest;
	raid->layout = copy.layout;
	raid->events = copy.events;
	raid->synced = copy.layout.level ? copy.synced : MD_ALL;
	raid->has_log = copy.layout.level == 5 && copy.ppl_at;
	if (check_wishes(raid, error))
		return -1;
	/* Who is given as a spare, and has missed something, becomes one */
	for (i = 0; i < raid->members; i++)
		has[i] &= !may_be_new(&raid->member[i]) ||
			  !is_stale(&raid->member[i], &copy);
	for (i = 0; i < raid->members; i++)
		if (has[i] &&
		    place_member(raid, &raid->member[i], &copy, error))
			return -1;
	if (!raid->layout.level && take_sizes(raid, error))
		return -1;
	if (check_journal(raid, &copy, error))
		return -1;
	for (i = 0; i < raid->members; i++)
		if (!has[i] && may_be_new(&raid->member[i]) &&
		    adopt(raid, &raid->member[i], &copy, error))
			return -1;
	note_absent(raid, &copy);
	/* What is said from now on is the newest's */
	for (i = 0; i < raid->members; i++)
		memcpy(raid->member[i].super.role, copy.role,
		       sizeof(copy.role));
	return check_enough(raid, copy.has_journal, error);
}
