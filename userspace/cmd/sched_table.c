// SPDX-License-Identifier: GPL-2.0
/* Parses the scheduler's table in debugfs, and prints it for people. */
#include <inttypes.h>
#include <string.h>
#include "cmd/cmd.h"

static const char *const states[] = { "block", "wait", "run" };

bool sched_row_parse(const char *line, struct sched_row *row)
{
	char state[8];
	unsigned int i;

	if (sscanf(line,
		   "%" SCNu64 " %d %u %u %u %7s %d %" SCNu64 " %" SCNu64
		   " %" SCNu64, &row->vm, &row->pid, &row->weight, &row->cap,
		   &row->vcpu, state, &row->cpu, &row->run, &row->wait,
		   &row->block) != 10)
		return false;
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (!strcmp(state, states[i])) {
			row->state = i;
			return true;
		}
	return false;
}

static void print_row(FILE *out, const struct sched_row *row)
{
	char cap[16] = "-", cpu[16] = "-";

	if (row->cap)
		snprintf(cap, sizeof(cap), "%u%%", row->cap);
	if (row->cpu >= 0)
		snprintf(cpu, sizeof(cpu), "%d", row->cpu);
	fprintf(out,
		"%6" PRIu64 " %7d %6u %6s %4u %-5s %3s %10.3f %10.3f %10.3f\n",
		row->vm, row->pid, row->weight, cap, row->vcpu,
		states[row->state], cpu, row->run / 1000.0, row->wait / 1000.0,
		row->block / 1000.0);
}

void sched_table_print(FILE *out, const char *text)
{
	struct sched_row row;
	bool any = false;

	if (!strncmp(text, "policy ", 7))
		fprintf(out, "%.*s\n", (int)strcspn(text, "\n"), text);
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		if (!sched_row_parse(text, &row))
			continue;
		if (!any)
			fprintf(out, "%6s %7s %6s %6s %4s %-5s %3s %10s %10s %10s\n",
				"VM", "PID", "WEIGHT", "CAP", "VCPU", "STATE",
				"CPU", "RUN(s)", "WAIT(s)", "BLOCK(s)");
		any = true;
		print_row(out, &row);
	}
	if (!any)
		fprintf(out, "no vCPUs\n");
}
