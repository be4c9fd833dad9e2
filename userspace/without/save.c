// SPDX-License-Identifier: GPL-2.0
/* A machine is not saved. */
#include "manage/reload.h"
#include "manage/snapshot.h"
#include "without/without.h"

int snapshot_can(const char *option, struct error *error)
{
	return left_out(error, option, "save");
}

/* After snapshot_can() only */
int machine_renew(struct machine *m, const char *directory, struct error *error)
{
	return -1;
}

int snapshot_read(struct machine *m, const char *directory, struct error *error)
{
	return -1;
}

void reload_init(struct reload *r, struct machine_config *config,
		 struct machine *m, unsigned int every)
{
}

void reload_start(struct reload *r)
{
}
