// SPDX-License-Identifier: GPL-2.0
/* mvmm sched: the table, and the chart of a trace that is fixed here. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "cmd/cmd.h"

static const char table[] =
	"policy fair\n"
	"vm pid weight cap vcpu state cpu run_ms wait_ms block_ms\n"
	"7 1234 100 0 0 run 1 12345 6 0\n"
	"7 1234 100 0 1 wait -1 5 1700 20\n"
	"12 99 10000 25 0 block -1 0 0 3600000\n";

static const char trace[] =
	"# tracer: nop\n"
	"#\n"
	"#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
	"            mvmm-1234    [001] d..1.   100.000000: mvmm_sched: vm 7 vcpu 0 from 2 to 1 slot -1\n"
	"            mvmm-1234    [001] d..1.   100.000000: mvmm_sched: vm 7 vcpu 1 from 1 to 2 slot 1\n"
	" a: mvmm_sche: b-55      [000] d.h1.   100.004000: mvmm_sched: vm 12 vcpu 0 from 0 to 1 slot -1\n"
	"          <idle>-0       [000] d.h2.   100.005000: mvmm_sched: vm 12 vcpu 0 from 1 to 2 slot 0\n"
	"            mvmm-1234    [001] d..1.   100.006000: mvmm_sched: vm 7 vcpu 1 from 2 to 1 slot -1\n"
	"            mvmm-1234    [001] d..1.   100.006000: mvmm_sched: vm 7 vcpu 0 from 1 to 2 slot 1\n"
	"            mvmm-1234    [001] d..1.   100.010000: mvmm_sched: vm 12 vcpu 0 from 2 to 0 slot -1\n";

static void rows(void **state)
{
	static const char *const bad[] = {
		"", "policy fair", "\n",
		"vm pid weight cap vcpu state cpu run_ms wait_ms block_ms",
		"7 1234 100 0 0 runs 1 1 1 1", "7 1234 100 0 0 run 1 1 1",
		"7 1234 100 0 0 running-away 1 1 1 1" };
	struct sched_row row;
	unsigned int i;

	assert_true(sched_row_parse("7 1234 100 25 1 wait -1 5 1700 20\n",
				    &row));
	assert_int_equal(row.vm, 7);
	assert_int_equal(row.pid, 1234);
	assert_int_equal(row.weight, 100);
	assert_int_equal(row.cap, 25);
	assert_int_equal(row.vcpu, 1);
	assert_int_equal(row.state, SCHED_WAITING);
	assert_int_equal(row.cpu, -1);
	assert_int_equal(row.run, 5);
	assert_int_equal(row.wait, 1700);
	assert_int_equal(row.block, 20);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sched_row_parse(bad[i], &row));
}

static void events(void **state)
{
	static const char *const bad[] = {
		"", "# tracer: nop", "CPU:1 [LOST 33 EVENTS]",
		": mvmm_sched: vm 1 vcpu 2 from 0 to 1 slot 3",
		" 1.000000: mvmm_sched: vm 1 vcpu 2 from 0 to 3 slot 3",
		" 1.000000: mvmm_sched: vm 1 vcpu 2 from 0 to",
		" x.000000: mvmm_sched: vm 1 vcpu 2 from 0 to 1 slot 3",
		" 1.000000: mvmm_exit: vcpu 0 hw_reason 12",
		/* The parser stops at the end of the line */
		" x\n 1.000000: mvmm_sched: vm 1 vcpu 2 from 0 to 1 slot 3" };
	struct sched_event event;
	unsigned int i;

	assert_true(sched_event_parse(
		"a b-1 [000] d..1. 12.000345: mvmm_sched: vm 18446744073709551615 vcpu 15 from 1 to 2 slot 3",
		&event));
	assert_int_equal(event.us, 12000345);
	assert_true(event.vm == UINT64_MAX);
	assert_int_equal(event.vcpu, 15);
	assert_int_equal(event.from, SCHED_WAITING);
	assert_int_equal(event.to, SCHED_RUNNING);
	assert_int_equal(event.cpu, 3);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sched_event_parse(bad[i], &event));
}

static char *print_table(const char *text)
{
	char *got = NULL;
	size_t size;
	FILE *out = open_memstream(&got, &size);

	sched_table_print(out, text);
	fclose(out);
	return got;
}

static void table_is_aligned(void **state)
{
	char *got = print_table(table);

	assert_string_equal(got,
		"policy fair\n"
		"    VM     PID WEIGHT    CAP VCPU STATE CPU     RUN(s)    WAIT(s)   BLOCK(s)\n"
		"     7    1234    100      -    0 run     1     12.345      0.006      0.000\n"
		"     7    1234    100      -    1 wait    -      0.005      1.700      0.020\n"
		"    12      99  10000    25%    0 block   -      0.000      0.000   3600.000\n");
	free(got);
	got = print_table("policy rr\nvm pid\n");
	assert_string_equal(got, "policy rr\nno vCPUs\n");
	free(got);
	got = print_table("");
	assert_string_equal(got, "no vCPUs\n");
	free(got);
}

static char *draw(const char *table, const char *trace, int *ret)
{
	struct error error = { 0 };
	char *got = NULL;
	size_t size;
	FILE *out = open_memstream(&got, &size);

	*ret = sched_plot(out, table, trace, &error);
	fclose(out);
	assert_int_equal(*ret ? STATUS_DATA : 0, error.status);
	return got;
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		n++;
	return n;
}

static void chart(void **state)
{
	int ret;
	char *svg = draw(table, trace, &ret);

	assert_int_equal(ret, 0);
	assert_int_equal(strncmp(svg, "<svg ", 5), 0);
	assert_string_equal(svg + strlen(svg) - 7, "</svg>\n");
	/* A row for each vCPU, in order */
	assert_true(strstr(svg, "VM 7 vCPU 0") < strstr(svg, "VM 7 vCPU 1"));
	assert_true(strstr(svg, "VM 7 vCPU 1") < strstr(svg, "VM 12 vCPU 0"));
	/* 10 ms are 1000 wide and begin at 110; rows are 24 high, from 40 on */
	assert_non_null(strstr(svg,
		"<rect x=\"110.00\" y=\"44\" width=\"600.00\" height=\"16\" fill=\"#e4e4e4\"><title>waits, 6.000 ms<"));
	assert_non_null(strstr(svg,
		"<rect x=\"710.00\" y=\"44\" width=\"400.00\" height=\"16\" fill=\"#e69f00\"><title>CPU 1, 4.000 ms<"));
	assert_non_null(strstr(svg,
		"<rect x=\"110.00\" y=\"68\" width=\"600.00\" height=\"16\" fill=\"#e69f00\"><title>CPU 1, 6.000 ms<"));
	assert_non_null(strstr(svg,
		"<rect x=\"610.00\" y=\"92\" width=\"500.00\" height=\"16\" fill=\"#0072b2\"><title>CPU 0, 5.000 ms<"));
	/* Each of the three vCPUs waits once; for blocked nothing is drawn */
	assert_int_equal(count(svg, "<title>waits"), 3);
	assert_int_equal(count(svg, "<title>CPU"), 3);
	/* The axis has a line each ms, the legend both CPUs */
	assert_int_equal(count(svg, "<line "), 11);
	assert_non_null(strstr(svg, ">CPU 0<"));
	assert_non_null(strstr(svg, ">CPU 1<"));
	assert_null(strstr(svg, ">CPU 2<"));
	assert_null(strstr(svg, "missing"));
	free(svg);
}

/* More CPUs than fit in a line: the legend has two, and the rows are below both */
static void chart_of_many_cpus(void **state)
{
	static const char many[] =
		" 1.000000: mvmm_sched: vm 1 vcpu 0 from 1 to 2 slot 13\n"
		" 1.002000: mvmm_sched: vm 1 vcpu 0 from 2 to 1 slot -1\n";
	int ret;
	char *svg = draw("", many, &ret);

	assert_int_equal(ret, 0);
	assert_non_null(strstr(svg, "<text x=\"1010.0\" y=\"22\" text-anchor=\"start\">CPU 10<"));
	assert_non_null(strstr(svg, "<text x=\"130.0\" y=\"42\" text-anchor=\"start\">CPU 11<"));
	assert_non_null(strstr(svg, ">CPU 13<"));
	assert_non_null(strstr(svg, "<rect x=\"110.00\" y=\"64\""));
	free(svg);
}

/* Without the table it is not known where a vCPU ran at the beginning */
static void chart_without_table(void **state)
{
	static const char late[] =
		" 5.000000: mvmm_sched: vm 1 vcpu 0 from 0 to 1 slot -1\n"
		"CPU:0 [LOST 33 EVENTS]\n"
		" 5.002000: mvmm_sched: vm 2 vcpu 0 from 2 to 1 slot -1\n";
	int ret;
	char *svg = draw("", late, &ret);

	assert_int_equal(ret, 0);
	assert_non_null(strstr(svg, "fill=\"#555555\"><title>runs, 2.000 ms<"));
	assert_non_null(strstr(svg, "some decisions are missing"));
	free(svg);
}

static void nothing_to_draw(void **state)
{
	static const char *const none[] = {
		"", "# tracer: nop\n",
		" 5.000000: mvmm_sched: vm 1 vcpu 0 from 0 to 1 slot -1\n" };
	unsigned int i;
	char *svg;
	int ret;

	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		svg = draw(table, none[i], &ret);
		assert_int_equal(ret, -1);
		assert_string_equal(svg, "");
		free(svg);
	}
}

/* A trace that is cut off anywhere does no harm */
static void truncated(void **state)
{
	char *cut = strdup(trace), *svg;
	size_t len;
	int ret;

	for (len = strlen(trace); len-- > 0;) {
		cut[len] = 0;
		svg = draw(table, cut, &ret);
		free(svg);
	}
	free(cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(events),
		cmocka_unit_test(table_is_aligned),
		cmocka_unit_test(chart),
		cmocka_unit_test(chart_of_many_cpus),
		cmocka_unit_test(chart_without_table),
		cmocka_unit_test(nothing_to_draw),
		cmocka_unit_test(truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
