/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VM time, in ns: what devices count by. It stands while the VM is stopped, so
 * that a guest sees no jump.
 */
#ifndef MVMM_CLOCK_H
#define MVMM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct vm_clock - the time of a VM
 * @offset: host time minus VM time, while it runs
 * @stopped_at: VM time, while it stands
 * @stopped: it stands
 */
struct vm_clock {
	uint64_t offset, stopped_at;
	bool stopped;
};

/* CLOCK_MONOTONIC */
uint64_t host_ns(void);
/* A clock that stands at @now; whoever calls the others keeps them apart */
void vm_clock_init(struct vm_clock *clock, uint64_t now);
void vm_clock_start(struct vm_clock *clock);
void vm_clock_stop(struct vm_clock *clock);
uint64_t vm_clock_now(const struct vm_clock *clock);

#endif
