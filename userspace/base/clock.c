// SPDX-License-Identifier: GPL-2.0
/* See clock.h. */
#include <time.h>
#include "base/clock.h"

uint64_t host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void vm_clock_init(struct vm_clock *clock, uint64_t now)
{
	*clock = (struct vm_clock){ .stopped = true, .stopped_at = now };
}

void vm_clock_start(struct vm_clock *clock)
{
	if (!clock->stopped)
		return;
	clock->offset = host_ns() - clock->stopped_at;
	clock->stopped = false;
}

void vm_clock_stop(struct vm_clock *clock)
{
	if (clock->stopped)
		return;
	clock->stopped_at = vm_clock_now(clock);
	clock->stopped = true;
}

uint64_t vm_clock_now(const struct vm_clock *clock)
{
	return clock->stopped ? clock->stopped_at : host_ns() - clock->offset;
}
