/* SPDX-License-Identifier: GPL-2.0 */
/* The subcommands, and what those of "mvmm sched" share. */
#ifndef MVMM_CMD_H
#define MVMM_CMD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/error.h"

/* Each returns the exit status */
int cmd_run(int argc, char **argv);
int cmd_disk(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_net(int argc, char **argv);
int cmd_raid(int argc, char **argv);
int cmd_screen(int argc, char **argv);
int cmd_sched(int argc, char **argv);
int cmd_switch(int argc, char **argv);

/* ---- what the scheduler shows (sched_table.c, sched_plot.c) ------------- */

enum sched_state { SCHED_BLOCKED, SCHED_WAITING, SCHED_RUNNING };

/* A line of /sys/kernel/debug/mvmm/sched */
struct sched_row {
	uint64_t vm;
	int pid;
	unsigned int weight, cap, vcpu;
	enum sched_state state;
	int cpu;		/* the slot, which is a CPU's number; -1: none */
	uint64_t run, wait, block;	/* ms */
};

/* A line of the tracepoint mvmm_sched */
struct sched_event {
	uint64_t us;
	uint64_t vm;
	unsigned int vcpu;
	enum sched_state from, to;
	int cpu;
};

/* Return false if the line is of another kind; a line ends at '\n' or 0 */
bool sched_row_parse(const char *line, struct sched_row *row);
bool sched_event_parse(const char *line, struct sched_event *event);
/* Prints the table with aligned columns; @text is the file's content */
void sched_table_print(FILE *out, const char *text);
/* Draws @trace as SVG; @table was read when the trace began. 0, or -1 */
int sched_plot(FILE *out, const char *table, const char *trace,
	       struct error *error);

#endif
