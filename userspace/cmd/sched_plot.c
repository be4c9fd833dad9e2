// SPDX-License-Identifier: GPL-2.0
/*
 * The scheduler's decisions as a Gantt chart in SVG: a row for each vCPU, time
 * from left to right. A bar has the colour of the physical CPU where the vCPU
 * ran, and is pale where it waited.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/cmd.h"

#define LEFT	110	/* names */
#define WIDTH	1000	/* time */
#define TOP	40	/* legend, with one line */
#define LEGEND	12	/* entries in a line of it */
#define LINE	20
#define ROW	24
#define BAR	16

/* People who cannot tell red from green can tell these (Okabe and Ito, 2008) */
static const char *const colours[] = {
	"#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9",
	"#f0e442", "#999999" };

#define PALE	"#e4e4e4"
#define UNKNOWN	"#555555"	/* a CPU from before the trace began */

struct row {
	uint64_t vm;
	unsigned int vcpu;
	enum sched_state state;
	int cpu;
	uint64_t since;
	bool seen;		/* in the trace */
};

struct chart {
	FILE *out;
	struct row *rows;
	unsigned int nr;
	uint64_t start, end;
	int cpus;		/* the highest CPU number + 1 */
	unsigned int top;	/* of the rows */
	bool lost;		/* the trace has gaps */
};

bool sched_event_parse(const char *line, struct sched_event *event)
{
	size_t len = strcspn(line, "\n");
	const char *mark = memmem(line, len, ": mvmm_sched: ", 14), *time;
	unsigned int from, to;
	uint64_t s, us;

	if (!mark)
		return false;
	for (time = mark; time > line && time[-1] != ' '; time--)
		;
	if (sscanf(time, "%" SCNu64 ".%6" SCNu64, &s, &us) != 2 ||
	    sscanf(mark + 14, "vm %" SCNu64 " vcpu %u from %u to %u slot %d",
		   &event->vm, &event->vcpu, &from, &to, &event->cpu) != 5 ||
	    from > SCHED_RUNNING || to > SCHED_RUNNING || s > UINT32_MAX)
		return false;
	event->us = s * 1000000 + us;
	event->from = from;
	event->to = to;
	return true;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->vm != y->vm)
		return x->vm < y->vm ? -1 : 1;
	return x->vcpu < y->vcpu ? -1 : x->vcpu > y->vcpu;
}

static struct row *find_row(struct chart *c, uint64_t vm, unsigned int vcpu)
{
	unsigned int i;

	for (i = 0; i < c->nr; i++)
		if (c->rows[i].vm == vm && c->rows[i].vcpu == vcpu)
			return &c->rows[i];
	return NULL;
}

static struct row *add_row(struct chart *c, uint64_t vm, unsigned int vcpu)
{
	struct row *row = find_row(c, vm, vcpu), *more;

	if (row)
		return row;
	more = realloc(c->rows, (c->nr + 1) * sizeof(*more));
	if (!more)
		return NULL;
	c->rows = more;
	row = &more[c->nr++];
	*row = (struct row){ .vm = vm, .vcpu = vcpu, .cpu = -1 };
	return row;
}

#define for_each_line(line, text)					\
	for ((line) = (text); *(line);					\
	     (line) += strcspn(line, "\n"), (line) += *(line) == '\n')

static void note_cpu(struct chart *c, int cpu)
{
	if (cpu >= c->cpus)
		c->cpus = cpu + 1;
}

/* Find all vCPUs, the state of each at the start, and the time span */
static int survey(struct chart *c, const char *table, const char *trace)
{
	struct sched_event event;
	struct sched_row entry;
	const char *line;
	struct row *row;

	for_each_line(line, table) {
		if (!sched_row_parse(line, &entry))
			continue;
		row = add_row(c, entry.vm, entry.vcpu);
		if (!row)
			return -1;
		row->state = entry.state;
		row->cpu = entry.cpu;
		note_cpu(c, entry.cpu);
	}
	for_each_line(line, trace) {
		if (!strncmp(line, "CPU:", 4)) {
			c->lost = true;
			continue;
		}
		if (!sched_event_parse(line, &event))
			continue;
		if (!c->end || event.us < c->start)
			c->start = event.us;
		if (event.us > c->end)
			c->end = event.us;
		row = add_row(c, event.vm, event.vcpu);
		if (!row)
			return -1;
		if (!row->seen && row->state != event.from) {
			row->state = event.from;
			row->cpu = -1;
		}
		row->seen = true;
		note_cpu(c, event.cpu);
	}
	qsort(c->rows, c->nr, sizeof(*c->rows), compare_rows);
	return 0;
}

static double x_of(const struct chart *c, uint64_t us)
{
	return LEFT + (double)(us - c->start) * WIDTH / (c->end - c->start);
}

static const char *colour_of(int cpu)
{
	return cpu < 0 ? UNKNOWN :
	       colours[cpu % (sizeof(colours) / sizeof(colours[0]))];
}

/* Draw what the vCPU did from row->since to @until */
static void bar(struct chart *c, const struct row *row, uint64_t until)
{
	unsigned int y = c->top + (row - c->rows) * ROW + (ROW - BAR) / 2;
	bool runs = row->state == SCHED_RUNNING;

	if (row->state == SCHED_BLOCKED || until <= row->since)
		return;
	fprintf(c->out,
		"<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%u\" fill=\"%s\"><title>",
		x_of(c, row->since), y,
		x_of(c, until) - x_of(c, row->since), BAR,
		runs ? colour_of(row->cpu) : PALE);
	if (!runs)
		fputs("waits", c->out);
	else if (row->cpu < 0)
		fputs("runs", c->out);
	else
		fprintf(c->out, "CPU %d", row->cpu);
	fprintf(c->out, ", %.3f ms</title></rect>\n",
		(until - row->since) / 1000.0);
}

static void bars(struct chart *c, const char *trace)
{
	struct sched_event event;
	const char *line;
	struct row *row;
	unsigned int i;

	for (i = 0; i < c->nr; i++)
		c->rows[i].since = c->start;
	for_each_line(line, trace) {
		if (!sched_event_parse(line, &event))
			continue;
		row = find_row(c, event.vm, event.vcpu);
		bar(c, row, event.us);
		row->state = event.to;
		row->cpu = event.cpu;
		row->since = event.us;
	}
	for (i = 0; i < c->nr; i++)
		bar(c, &c->rows[i], c->end);
}

/* 1, 2 or 5 times a power of ten, so that there are at most 12 steps */
static uint64_t tick_step(uint64_t length)
{
	static const unsigned int factors[] = { 2, 5, 10 };
	uint64_t step = 1, power = 1;
	unsigned int i = 0;

	while (length / step > 12) {
		step = power * factors[i];
		if (++i == 3) {
			power *= 10;
			i = 0;
		}
	}
	return step;
}

static void text(struct chart *c, double x, unsigned int y, const char *anchor,
		 const char *what)
{
	fprintf(c->out,
		"<text x=\"%.1f\" y=\"%u\" text-anchor=\"%s\">%s</text>\n", x,
		y, anchor, what);
}

static void axis(struct chart *c, unsigned int bottom)
{
	uint64_t step = tick_step(c->end - c->start), t;
	char label[32];

	for (t = 0; t <= c->end - c->start; t += step) {
		fprintf(c->out,
			"<line x1=\"%.1f\" y1=\"%u\" x2=\"%.1f\" y2=\"%u\" stroke=\"#cccccc\"/>\n",
			x_of(c, c->start + t), c->top, x_of(c, c->start + t),
			bottom);
		snprintf(label, sizeof(label), "%g", t / 1000.0);
		text(c, x_of(c, c->start + t), bottom + 16, "middle", label);
	}
	text(c, LEFT + WIDTH, bottom + 34, "end", "ms");
}

static void legend(struct chart *c, unsigned int bottom)
{
	char label[64];
	int cpu;

	for (cpu = -1; cpu < c->cpus; cpu++) {
		unsigned int x = LEFT + (cpu + 1) % LEGEND * 80;
		unsigned int y = (cpu + 1) / LEGEND * LINE;

		fprintf(c->out,
			"<rect x=\"%u\" y=\"%u\" width=\"14\" height=\"14\" fill=\"%s\"/>\n",
			x, y + 10, cpu < 0 ? PALE : colour_of(cpu));
		snprintf(label, sizeof(label), "CPU %d", cpu);
		text(c, x + 20, y + 22, "start", cpu < 0 ? "waits" : label);
	}
	if (c->lost)
		text(c, LEFT, bottom + 34, "start",
		     "some decisions are missing: the buffer was full");
}

int sched_plot(FILE *out, const char *table, const char *trace,
	       struct error *error)
{
	struct chart c = { .out = out };
	unsigned int bottom, i;
	char name[64];
	int ret = 0;

	if (survey(&c, table, trace)) {
		ret = fail(error, STATUS_OS, "out of memory");
	} else if (c.end <= c.start) {
		ret = fail(error, STATUS_DATA,
			   "the scheduler had nothing to decide: vCPUs that have a CPU each keep it; run more guests, or watch longer with --seconds");
	} else {
		c.top = TOP + c.cpus / LEGEND * LINE;
		bottom = c.top + c.nr * ROW;
		fprintf(out,
			"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" font-family=\"sans-serif\" font-size=\"12\">\n"
			"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
			LEFT + WIDTH + 20, bottom + 44);
		legend(&c, bottom);
		axis(&c, bottom);
		for (i = 0; i < c.nr; i++) {
			snprintf(name, sizeof(name), "VM %" PRIu64 " vCPU %u",
				 c.rows[i].vm, c.rows[i].vcpu);
			text(&c, LEFT - 8, c.top + i * ROW + 16, "end", name);
		}
		bars(&c, trace);
		fputs("</svg>\n", out);
	}
	free(c.rows);
	return ret;
}
