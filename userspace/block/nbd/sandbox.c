// SPDX-License-Identifier: GPL-2.0
/*
 * See sandbox.h. Landlock (Linux 5.13) needs no privileges; namespaces of an own
 * network and own IPC need a user namespace, but for root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/loop.h"
#include "block/nbd/sandbox.h"

/* Of Linux 6.2, whose headers may not be here */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif
#define WITH_TRUNCATE	3	/* the version of Landlock */

/* All that changes files or makes some */
#define WRITES (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* @access: of what the rules are about */
static bool allow_write(int rules, uint64_t access, const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = access & (LANDLOCK_ACCESS_FS_WRITE_FILE |
					    LANDLOCK_ACCESS_FS_TRUNCATE),
		.parent_fd = fd };
	bool good = fd >= 0 && !syscall(SYS_landlock_add_rule, rules,
					LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);

	close_fd(&fd);
	return good;
}

void sandbox_make(struct sandbox *sandbox, const char *path, bool read_only,
		  bool network)
{
	struct landlock_ruleset_attr all = { .handled_access_fs = WRITES };
	char real[PATH_MAX];
	struct stat st;

	*sandbox = (struct sandbox){ .rules = -1 };
	if (!network)
		sandbox->spaces = CLONE_NEWNET | CLONE_NEWIPC |
				  (geteuid() ? CLONE_NEWUSER : 0);
	/* Of another place nobody here knows what is written */
	if (!realpath(path, real) || stat(real, &st))
		return;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0,
		    LANDLOCK_CREATE_RULESET_VERSION) >= WITH_TRUNCATE)
		all.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	sandbox->rules = syscall(SYS_landlock_create_ruleset, &all, sizeof(all),
				 0);
	if (sandbox->rules < 0)
		return;
	if (allow_write(sandbox->rules, all.handled_access_fs, "/dev/null") &&
	    (read_only ||
	     allow_write(sandbox->rules, all.handled_access_fs,
			 S_ISREG(st.st_mode) ? dirname(real) : real)))
		return;
	close_fd(&sandbox->rules);
}

void sandbox_free(struct sandbox *sandbox)
{
	close_fd(&sandbox->rules);
}

void sandbox_enter(const struct sandbox *sandbox)
{
	/* A kernel may not let users have namespaces: then there are none */
	if (sandbox->spaces)
		unshare(sandbox->spaces);
	if (sandbox->rules >= 0)
		syscall(SYS_landlock_restrict_self, sandbox->rules, 0);
}
