/* SPDX-License-Identifier: GPL-2.0 */
/* The options --port and what is behind them (ports.c). */
#ifndef MVMM_PORTS_H
#define MVMM_PORTS_H

#include "char/stream.h"
#include "core/machine.h"

/**
 * struct ports - the ports from 1 on
 * @option: of each: its name, what kind its other end is, and where
 * @stream: the other end
 * @nr: one more than the last one's number
 */
struct ports {
	struct { const char *name, *kind, *path; } option[MACHINE_PORTS];
	struct stream *stream[MACHINE_PORTS];
	unsigned int nr;
};

/* NAME,file=PATH and so on; @arg is cut into pieces. 0, or -1 with @error */
int ports_parse(struct ports *ports, char *arg, struct error *error);
/* Puts them into @config. 0, or -1 with @error */
int ports_open(struct ports *ports, struct machine_config *config,
	       struct error *error);
int ports_start(struct ports *ports, struct loop *loop, struct error *error);
/* The machine has no devices any more */
void ports_close(struct ports *ports);

#endif
