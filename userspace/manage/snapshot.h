/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A whole machine saved and loaded. Its state is a JSON object; its RAM is not in
 * it. A snapshot in a directory has both: machine.json, and a file that it names.
 */
#ifndef MVMM_SNAPSHOT_H
#define MVMM_SNAPSHOT_H

#include "core/machine.h"

/*
 * Before the machine is made: 0, or -1 with @error: this mvmm was built without. @option
 * is who asks
 */
int snapshot_can(const char *option, struct error *error);

/*
 * All of these: the machine is paused, or has not run yet; the caller is the
 * loop's thread, and has given its lock back.
 */

/* A new reference; NULL with @error */
json_t *machine_save(struct machine *m, struct error *error);
/*
 * Into a machine of the same kind, as made. -1 with @error: then it cannot be
 * used. It is paused afterwards
 */
int machine_load(struct machine *m, const json_t *saved, struct error *error);
/*
 * The same to and from a directory, with the RAM. It is made if it is not there;
 * a snapshot that is there is replaced
 */
int snapshot_write(struct machine *m, const char *directory,
		   struct error *error);
/*
 * From then on the RAM is a private mapping of the file, which nobody may change;
 * snapshot_write() replaces it
 */
int snapshot_read(struct machine *m, const char *directory,
		  struct error *error);

/*
 * Saved, destroyed, made anew and loaded, for tests. @directory: RAM is saved
 * there, too; NULL: it stays where it is
 */
int machine_renew(struct machine *m, const char *directory,
		  struct error *error);

#endif
