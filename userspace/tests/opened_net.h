/* SPDX-License-Identifier: GPL-2.0 */
/* What tests of --net have in common: a loop, and ports opened as a user does. */
#ifndef MVMM_OPENED_NET_H
#define MVMM_OPENED_NET_H

#include "tests/played_port.h"

static struct error error;
static struct vm_clock vm_clock;
static struct loop loop;
static uint8_t frame[FRAME_MAX];
static struct port *other;

static inline int setup(void **state)
{
	vm_clock_init(&vm_clock, 0);
	vm_clock_start(&vm_clock);
	assert_int_equal(loop_init(&loop, &vm_clock), 0);
	played_init(&loop);
	error = (struct error){ 0 };
	return 0;
}

static inline int teardown(void **state)
{
	loop_destroy(&loop);
	return 0;
}

static inline int parse(struct net_config *config, const char *text)
{
	static char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	return net_parse(config, copy, &error);
}

static bool (*until)(void);

static inline bool is_done(void *ctx)
{
	return until();
}

static inline void run_until(bool (*done)(void))
{
	until = done;
	loop_run(&loop, is_done, NULL);
}

static inline struct port *open_net(const char *text)
{
	struct net_config c;

	assert_int_equal(parse(&c, text), 0);
	return net_open(&c, &error);
}

#endif
