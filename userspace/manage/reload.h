/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests: at random exits all vCPUs are read, reset and written again, while
 * the guest runs. What their state lacks, the guest misses.
 */
#ifndef MVMM_RELOAD_H
#define MVMM_RELOAD_H

#include "core/machine.h"

/**
 * struct reload - see above
 * @machine: the machine
 * @every: so many exits, on average; 0: never
 * @done: how often it was done
 * @kicker: makes exits where the guest has none, wherever it is then
 * @seed: of each vCPU's thread, and the kicker's
 * @left: exits of each vCPU until the next time; 0: not known yet
 * @before: what was read
 * @after: what was read after it was written
 */
struct reload {
	struct machine *machine;
	unsigned int every, done;
	struct timer kicker;
	unsigned int seed[VCPUS_MAX + 1], left[VCPUS_MAX];
	struct mvmm_vcpu_state before, after;
};

/* @r: zeroes. Before the machine is made: @config gets a function */
void reload_init(struct reload *r, struct machine_config *config,
		 struct machine *m, unsigned int every);
/* Before the machine runs; the loop's lock is held */
void reload_start(struct reload *r);

#endif
