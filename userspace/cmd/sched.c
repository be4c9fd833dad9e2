// SPDX-License-Identifier: GPL-2.0
/*
 * mvmm sched: who runs, who waits, and for how long. This file reads debugfs
 * and tracefs; sched_table.c prints the table, sched_plot.c draws the chart.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "cmd/cmd.h"

#define MODULE		"/sys/module/mvmm"
#define DEBUGFS		"/sys/kernel/debug"
#define TABLE		DEBUGFS "/mvmm/sched"
#define TRACEFS		"/sys/kernel/tracing"
#define EVENT		"events/mvmm/mvmm_sched"
#define SECONDS_MAX	60

struct options {
	const char *plot;
	double seconds;
	bool has_seconds, watch;
};

static const struct argp_option option_list[] = {
	{ "watch", 'w', NULL, 0, "again each second, until Ctrl-C", 0 },
	{ "plot", 'p', "FILE", 0,
	  "watch the decisions and draw them as an SVG picture", 1 },
	{ "seconds", 's', "NUMBER", 0, "for so long (default: 1)", 1 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;

	switch (key) {
	case 'w':
		o->watch = true;
		break;
	case 'p':
		o->plot = arg;
		break;
	case 's':
		o->has_seconds = true;
		o->seconds = strtod(arg, &end);
		if (end == arg || *end || !isfinite(o->seconds))
			argp_error(state, "--seconds %s is not a number", arg);
		else if (o->seconds < 0.01 || o->seconds > SECONDS_MAX)
			argp_error(state,
				   "--seconds %s is out of range: from 0.01 to %u",
				   arg, SECONDS_MAX);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument: %s", arg);
		break;
	case ARGP_KEY_END:
		if (o->plot && o->watch)
			argp_error(state, "give either --watch or --plot");
		if (o->has_seconds && !o->plot)
			argp_error(state, "--seconds goes with --plot");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Reads a file whose size is not known; the caller frees. NULL: see errno */
static char *read_text(const char *path)
{
	size_t len = 0, allocated = 0;
	char *text = NULL, *more;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return NULL;
	for (;;) {
		if (allocated - len < 2) {
			allocated = allocated ? 2 * allocated : 1 << 16;
			more = realloc(text, allocated);
			if (!more)
				break;
			text = more;
		}
		n = read(fd, text + len, allocated - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += n;
	}
	close(fd);
	if (n) {
		free(text);
		return NULL;
	}
	text[len] = 0;
	return text;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

static char *read_table(struct error *error)
{
	char *table = read_text(TABLE);
	int err = errno;

	if (table)
		return table;
	if (access(MODULE, F_OK))
		fail(error, STATUS_NO_DEVICE,
		     "the module is not loaded: modprobe mvmm, or insmod mvmm.ko");
	else if (err == EACCES || err == EPERM)
		fail(error, STATUS_PERMISSION,
		     "no permission to read %s: become root", TABLE);
	else if (err == ENOENT)
		fail(error, STATUS_OS,
		     "%s is not there: mount -t debugfs debugfs %s; if it is mounted, this mvmm.ko was built without its scheduler or without debug",
		     TABLE, DEBUGFS);
	else
		fail(error, STATUS_OS, "cannot read %s: %s", TABLE,
		     strerror(err));
	return NULL;
}

static int show(struct error *error)
{
	char *table = read_table(error);

	if (!table)
		return -1;
	sched_table_print(stdout, table);
	free(table);
	if (fflush(stdout))
		return fail(error, STATUS_OS, "cannot write the table: %s",
			    strerror(errno));
	return 0;
}

static int watch(struct error *error)
{
	bool terminal = isatty(STDOUT_FILENO);
	struct timespec second = { .tv_sec = 1 };

	for (;;) {
		/* Go to the upper left corner, and clear the screen from there */
		if (terminal)
			fputs("\033[H\033[J", stdout);
		if (show(error))
			return -1;
		if (!terminal)
			putchar('\n');
		nanosleep(&second, NULL);
	}
}

static int explain_trace(const char *path, int err, struct error *error)
{
	if (err == EACCES || err == EPERM)
		return fail(error, STATUS_PERMISSION,
			    "no permission for %s: become root", path);
	if (access(TRACEFS "/instances", F_OK))
		return fail(error, STATUS_OS,
			    "tracefs is not there: mount -t tracefs tracefs %s; if it is mounted, this kernel traces nothing (CONFIG_FTRACE)",
			    TRACEFS);
	if (err == ENOENT)
		return fail(error, STATUS_OS,
			    "%s is not there: load mvmm.ko; if it is loaded, it was built without tracepoints (WITHOUT=debug)",
			    path);
	return fail(error, STATUS_OS, "cannot use %s: %s", path, strerror(err));
}

/* A signal ends the wait sooner; what was recorded until then is drawn */
static void wait_for(double seconds, const sigset_t *ends)
{
	struct timespec ts = { .tv_sec = seconds };

	ts.tv_nsec = (seconds - ts.tv_sec) * 1e9;
	sigtimedwait(ends, NULL, &ts);
}

static int record(const char *instance, double seconds, const sigset_t *ends,
		  char **table, char **trace, struct error *error)
{
	char path[PATH_MAX];

	/*
	 * One clock for all CPUs, and a buffer of 4 MiB for each. If that fails
	 * the chart is less exact, but there is one.
	 */
	snprintf(path, sizeof(path), "%s/trace_clock", instance);
	write_text(path, "mono");
	snprintf(path, sizeof(path), "%s/buffer_size_kb", instance);
	write_text(path, "4096");
	snprintf(path, sizeof(path), "%s/%s/enable", instance, EVENT);
	if (write_text(path, "1"))
		return explain_trace(path, errno, error);
	*table = read_table(error);
	if (!*table)
		return -1;
	wait_for(seconds, ends);
	write_text(path, "0");
	snprintf(path, sizeof(path), "%s/trace", instance);
	*trace = read_text(path);
	return *trace ? 0 : explain_trace(path, errno, error);
}

static int draw(const char *path, const char *table, const char *trace,
		struct error *error)
{
	char *svg = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&svg, &size), *file;
	int ret;

	if (!out)
		return fail(error, STATUS_OS, "out of memory");
	ret = sched_plot(out, table, trace, error);
	if (fclose(out) && !ret)
		ret = fail(error, STATUS_OS, "out of memory");
	if (!ret) {
		file = fopen(path, "we");
		if (!file || fwrite(svg, 1, size, file) != size)
			ret = fail(error, STATUS_OS, "cannot write %s: %s",
				   path, strerror(errno));
		if (file && fclose(file) && !ret)
			ret = fail(error, STATUS_OS, "cannot write %s: %s",
				   path, strerror(errno));
	}
	free(svg);
	return ret;
}

static int plot(const struct options *o, struct error *error)
{
	char instance[64], *table = NULL, *trace = NULL;
	sigset_t ends;
	int ret;

	/* Its error messages say best what is missing */
	table = read_table(error);
	if (!table)
		return -1;
	free(table);
	table = NULL;
	snprintf(instance, sizeof(instance), TRACEFS "/instances/mvmm-%d",
		 getpid());
	/* Block these, so that the trace instance is removed in any case */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	if (mkdir(instance, 0700))
		return explain_trace(instance, errno, error);
	ret = record(instance, o->seconds, &ends, &table, &trace, error);
	rmdir(instance);
	if (!ret)
		ret = draw(o->plot, table, trace, error);
	free(table);
	free(trace);
	return ret;
}

int cmd_sched(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list, .parser = parse,
		.doc = "Show the vCPUs of all guests: who has a CPU, who waits for one, and what became of their time. Needs root." };
	struct options o = { .seconds = 1 };
	struct error error = { 0 };

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return STATUS_USAGE;
	if (o.plot)
		plot(&o, &error);
	else if (o.watch)
		watch(&error);
	else
		show(&error);
	if (error.text[0])
		fprintf(stderr, "mvmm sched: %s\n", error.text);
	return error.status;
}
