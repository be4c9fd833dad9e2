// SPDX-License-Identifier: GPL-2.0
/*
 * mvmm disk: makes, shows, changes and copies disks. Raw images and overlays by
 * itself, other formats by qemu-img.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/option.h"
#include "block/overlay/overlay.h"
#include "cmd/cmd.h"

#define WORDS	3
#define COPY	(1u << 20)	/* bytes at a time */
#define ZEROES	(64u << 20)

/**
 * struct options - of all verbs
 * @word: the verb, and its arguments
 * @words: how many
 * @base: of an overlay that is made
 * @from: format of what is read
 * @to: format of what is written
 * @shrink: the end may be cut off
 */
struct options {
	char *word[WORDS];
	unsigned int words;
	char *base;
	const char *from, *to;
	bool shrink;
};

/* ---- disks ------------------------------------------------------------------ */

/**
 * struct session - an open disk, and a loop that serves it
 * @clock: the loop's
 * @loop: nobody runs it: requests are drained
 * @config: how it was opened
 * @disk: NULL: it is not open
 */
struct session {
	struct vm_clock clock;
	struct loop loop;
	struct block_config config;
	struct block *disk;
};

/*
 * @text: as behind --disk; it is cut into pieces. @format: if @text says
 * nothing. 0, or -1: nothing is open
 */
static int session_open_as(struct session *s, char *text, const char *format,
			   bool read_only, bool commit, struct error *error)
{
	*s = (struct session){ 0 };
	if (block_parse(&s->config, text, error))
		return -1;
	if (!s->config.format && !s->config.is_raid)
		s->config.format = format;
	s->config.read_only |= read_only;
	s->config.commit = commit;
	/* One that is not there would be made, and an empty one committed */
	if (commit && (!s->config.overlay || access(s->config.overlay, F_OK)))
		return fail(error, s->config.overlay ? STATUS_NO_INPUT :
						       STATUS_USAGE,
			    "commit: write BASE,overlay=CHANGES, and the overlay has to be there");
	vm_clock_init(&s->clock, 0);
	if (loop_init(&s->loop, &s->clock))
		return fail(error, STATUS_OS, "no event loop");
	s->disk = block_open(&s->config, error);
	if (s->disk && !s->disk->ops->start(s->disk, &s->loop, error))
		return 0;
	if (s->disk)
		s->disk->ops->close(s->disk);
	loop_destroy(&s->loop);
	return -1;
}

static int session_open(struct session *s, char *text, bool read_only,
			bool commit, struct error *error)
{
	return session_open_as(s, text, NULL, read_only, commit, error);
}

static void session_close(struct session *s)
{
	s->disk->ops->close(s->disk);
	loop_destroy(&s->loop);
}

/* ---- other formats ------------------------------------------------------------ */

/* "qemu-img", then @argv up to NULL. 0, or -1 */
static int qemu_img(char **argv, struct error *error)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execvp(argv[0], argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return fail(error, STATUS_OS, "cannot run qemu-img: %s",
			    strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return fail(error, STATUS_NO_INPUT,
			    "this format is qemu-img's: install the package qemu-utils");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return fail(error, STATUS_DATA, "qemu-img failed");
	return 0;
}

/* ---- the verbs ------------------------------------------------------------------ */

static int parse_size(const char *text, uint64_t *size, struct error *error)
{
	if (!parse_number(text, size, true) || !*size || *size > INT64_MAX)
		return fail(error, STATUS_USAGE,
			    "%s is not a size: write 10G, say", text);
	if (*size % BLOCK_SECTOR)
		return fail(error, STATUS_USAGE,
			    "%s is not a multiple of %u bytes", text,
			    BLOCK_SECTOR);
	return 0;
}

/* A new file. Its descriptor, or -1 */
static int make_file(const char *path, struct error *error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	return fd >= 0 ? fd : fail(error, STATUS_OS, "%s: %s", path,
				   strerror(errno));
}

static int create_overlay(const struct options *o, struct error *error)
{
	char *path = o->word[1];
	struct session base;
	uint64_t size;
	int fd, ret;

	if (session_open(&base, o->base, true, false, error))
		return -1;
	size = base.disk->size;
	session_close(&base);
	fd = make_file(path, error);
	if (fd < 0)
		return -1;
	ret = overlay_create(fd, path, size, OVERLAY_BITS, error);
	close(fd);
	if (ret)
		unlink(path);
	return ret;
}

static int disk_create(const struct options *o, struct error *error)
{
	uint64_t size;
	int fd, ret;

	if (!o->base == (o->words == 2))
		return fail(error, STATUS_USAGE,
			    "create: give either a size, or --base");
	if (o->base)
		return create_overlay(o, error);
	if (parse_size(o->word[2], &size, error))
		return -1;
	fd = make_file(o->word[1], error);
	if (fd < 0)
		return -1;
	ret = ftruncate(fd, size) ?
	      fail(error, STATUS_OS, "%s: %s", o->word[1], strerror(errno)) : 0;
	close(fd);
	if (ret)
		unlink(o->word[1]);
	return ret;
}

/* 1: it is one, and @f is what it says; 0: it is none; or -1 */
static int read_overlay(const char *path, struct overlay_format *f,
			struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return 0;
	ret = is_overlay(fd) ? overlay_read(fd, path, f, error) ?: 1 : 0;
	close(fd);
	return ret;
}

static uint64_t count(const struct overlay_format *f, uint8_t value)
{
	uint64_t i, n = 0;

	for (i = 0; i < f->clusters; i++)
		n += f->map[i] == value;
	return n;
}

static void print_overlay(const struct overlay_format *f)
{
	printf("format:    overlay, clusters of %llu bytes\n"
	       "size:      %llu bytes\n"
	       "clusters:  %llu written, %llu zero, %llu as in the base\n",
	       (unsigned long long)f->cluster, (unsigned long long)f->size,
	       (unsigned long long)count(f, CLUSTER_OWN),
	       (unsigned long long)count(f, CLUSTER_ZERO),
	       (unsigned long long)count(f, CLUSTER_BASE));
}

static void print_space(const char *path)
{
	struct stat st;

	if (!stat(path, &st) && S_ISREG(st.st_mode))
		printf("on disk:   %llu bytes\n",
		       (unsigned long long)st.st_blocks * 512);
}

static bool is_raw_file(const struct block_config *c)
{
	return !c->overlay && !c->is_raid && c->format &&
	       !strcmp(c->format, "raw");
}

static int disk_info(const struct options *o, struct error *error)
{
	char *path = o->word[1];
	struct overlay_format f;
	struct session s;
	int ret = read_overlay(path, &f, error);

	if (ret > 0) {
		print_overlay(&f);
		overlay_free(&f);
	}
	if (!ret) {
		if (session_open_as(&s, path, block_is_file(path) ? "raw" : NULL,
				    true, false, error))
			return -1;
		printf("format:    %s\nsize:      %llu bytes\n",
		       s.config.overlay ? "a base and its overlay" :
		       s.config.is_raid ? "an array" :
		       s.config.format ?: "raw",
		       (unsigned long long)s.disk->size);
		if (is_raw_file(&s.config) && block_seems(path))
			printf("note:      it begins as %s does: format=%s says so, format=raw shows the guest these bytes\n",
			       block_seems(path), block_seems(path));
		session_close(&s);
	}
	/* Of the overlay, if @path was a base with one: it is cut off there */
	if (ret >= 0)
		print_space(!ret && s.config.overlay ? s.config.overlay : path);
	return ret < 0 ? -1 : 0;
}

static int disk_resize(const struct options *o, struct error *error)
{
	const char *path = o->word[1];
	struct overlay_format f;
	struct session s;
	uint64_t size, old;
	char *text;
	int ret = read_overlay(path, &f, error);

	if (ret > 0)
		overlay_free(&f);
	if (ret)
		return ret < 0 ? -1 :
		       fail(error, STATUS_DATA,
			    "%s: an overlay is as large as its base: commit it, then resize that",
			    path);
	if (parse_size(o->word[2], &size, error))
		return -1;
	if (block_seems(path) && !o->from)
		return fail(error, STATUS_DATA,
			    "%s begins as %s does: qemu-img resizes that; or say --from raw",
			    path, block_seems(path));
	/* Locked: a guest that runs would not see it, or lose its end */
	text = strdup(path);
	if (!text || session_open_as(&s, text, "raw", false, false, error)) {
		free(text);
		return error->text[0] ? -1 : fail(error, STATUS_OS,
						  "no memory");
	}
	old = s.disk->size;
	if (!is_raw_file(&s.config))
		ret = fail(error, STATUS_USAGE,
			   "%s: only raw files are resized: qemu-img resizes other formats",
			   path);
	else if (size < old && !o->shrink)
		ret = fail(error, STATUS_USAGE,
			   "%s has %llu bytes, and what is behind %llu would be lost: --shrink cuts it off",
			   path, (unsigned long long)old,
			   (unsigned long long)size);
	else if (truncate(text, size))
		ret = fail(error, STATUS_OS, "%s: %s", path, strerror(errno));
	session_close(&s);
	free(text);
	return ret;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

/* Zeroes are holes, as they were in most sources */
static int copy(struct block *disk, int fd, uint8_t *bytes,
		const char *target, struct error *error)
{
	uint64_t at, len;
	int ret;

	if (ftruncate(fd, disk->size))
		return fail(error, STATUS_OS, "%s: %s", target,
			    strerror(errno));
	for (at = 0; at < disk->size; at += len) {
		len = disk->size - at < COPY ? disk->size - at : COPY;
		ret = block_do(disk, BLOCK_READ, at, bytes, len);
		if (ret)
			return fail(error, STATUS_NO_INPUT,
				    "cannot read at %llu: %s",
				    (unsigned long long)at, strerror(-ret));
		if (!is_zero(bytes, len) &&
		    pwrite(fd, bytes, len, at) != (ssize_t)len)
			return fail(error, STATUS_OS, "%s: cannot write: %s",
				    target, strerror(errno));
	}
	return fsync(fd) ? fail(error, STATUS_OS, "%s: %s", target,
				strerror(errno)) : 0;
}

static int convert_raw(const struct options *o, struct error *error)
{
	const char *target = o->word[2];
	uint8_t *bytes = malloc(COPY);
	struct session s;
	int fd, ret = -1;

	if (!bytes)
		return fail(error, STATUS_OS, "no memory");
	if (session_open_as(&s, o->word[1], o->from, true, false, error)) {
		free(bytes);
		return -1;
	}
	fd = make_file(target, error);
	if (fd >= 0) {
		ret = copy(s.disk, fd, bytes, target, error);
		close(fd);
		if (ret)
			unlink(target);
	}
	session_close(&s);
	free(bytes);
	return ret;
}

static int copy_onto(struct block *from, struct block *to, uint8_t *bytes,
		     struct error *error)
{
	uint64_t at, len;
	int ret = 0;

	if (to->read_only)
		return fail(error, STATUS_USAGE, "the target is read-only");
	if (from->size > to->size)
		return fail(error, STATUS_DATA,
			    "%llu bytes do not fit: the target has %llu",
			    (unsigned long long)from->size,
			    (unsigned long long)to->size);
	for (at = 0; !ret && at < from->size; at += len) {
		len = from->size - at < COPY ? from->size - at : COPY;
		ret = block_do(from, BLOCK_READ, at, bytes, len);
		if (!ret)
			ret = block_do(to, BLOCK_WRITE, at, bytes, len);
	}
	/* Nothing of what was there before is to be found behind it */
	for (; !ret && at < to->size; at += len) {
		len = to->size - at < ZEROES ? to->size - at : ZEROES;
		ret = block_do(to, BLOCK_UNMAP, at, NULL, len);
	}
	if (!ret)
		ret = block_do(to, BLOCK_FLUSH, 0, NULL, 0);
	return ret ? fail(error, STATUS_OS, "cannot copy: %s",
			  strerror(-ret)) : 0;
}

/* Onto a disk that is there, an array or an export */
static int convert_onto(const struct options *o, struct error *error)
{
	uint8_t *bytes = malloc(COPY);
	struct session from, to;
	int ret;

	if (!bytes)
		return fail(error, STATUS_OS, "no memory");
	ret = session_open_as(&from, o->word[1], o->from, true, false, error);
	if (!ret) {
		ret = session_open(&to, o->word[2], false, false, error);
		if (!ret) {
			ret = copy_onto(from.disk, to.disk, bytes, error);
			session_close(&to);
		}
		session_close(&from);
	}
	free(bytes);
	return ret;
}

/*
 * The user calls it so, too: then it is no guess. "a.qcow2" and its first bytes
 */
static const char *named(const char *path)
{
	const char *seems = block_seems(path), *dot = strrchr(path, '.');

	return seems && dot && !strcmp(dot + 1, seems) ? seems : NULL;
}

static int disk_convert(const struct options *o, struct error *error)
{
	char *source = o->word[1], *target = o->word[2];
	const char *known = o->from ?: named(source);
	const char *from = known ?: "raw", *to = o->to ?: "raw";
	struct options as = *o;
	char *argv[] = { "qemu-img", "convert", "-f", (char *)from, "-O",
			 (char *)to, "--", source, target, NULL };

	if (!known && block_seems(source))
		return fail(error, STATUS_USAGE,
			    "%s begins as %s does: say --from %s; or --from raw, if it is a disk whose guest wrote that",
			    source, block_seems(source), block_seems(source));
	as.from = known;
	if ((!strcmp(from, "raw") || !block_is_file(target)) &&
	    !strcmp(to, "raw"))
		return block_is_file(target) ? convert_raw(&as, error) :
					       convert_onto(&as, error);
	if (!access(target, F_OK))
		return fail(error, STATUS_OS, "%s: %s", target,
			    strerror(EEXIST));
	if (access(source, R_OK))
		return fail(error, STATUS_NO_INPUT,
			    "%s: %s (to another format than raw goes a file only: convert to raw first)",
			    source, strerror(errno));
	return qemu_img(argv, error);
}

static int disk_check(const struct options *o, struct error *error)
{
	char *path = o->word[1];
	char *argv[] = { "qemu-img", "check", "-f", (char *)o->from, "--",
			 path, NULL };
	uint8_t *bytes = NULL;
	struct overlay_format f;
	struct session s;
	uint64_t at, len;
	int ret;

	if (o->from && strcmp(o->from, "raw"))
		return qemu_img(argv, error);
	ret = read_overlay(path, &f, error);
	if (ret < 0)
		return -1;
	if (ret) {
		print_overlay(&f);
		overlay_free(&f);
		return 0;
	}
	if (session_open(&s, path, true, false, error))
		return -1;
	bytes = malloc(COPY);
	for (at = ret = 0; bytes && !ret && at < s.disk->size; at += len) {
		len = s.disk->size - at < COPY ? s.disk->size - at : COPY;
		ret = block_do(s.disk, BLOCK_READ, at, bytes, len);
		if (ret)
			fail(error, STATUS_DATA, "cannot read at %llu: %s",
			     (unsigned long long)at, strerror(-ret));
	}
	if (bytes && !ret)
		printf("all %llu bytes can be read\n",
		       (unsigned long long)s.disk->size);
	session_close(&s);
	if (!bytes)
		return fail(error, STATUS_OS, "no memory");
	free(bytes);
	return ret ? -1 : 0;
}

static int disk_commit(const struct options *o, struct error *error)
{
	struct session s;
	int ret;

	if (session_open(&s, o->word[1], false, true, error))
		return -1;
	ret = overlay_commit(s.disk, error);
	session_close(&s);
	return ret;
}

static const struct {
	const char *name;
	unsigned int min, max;	/* arguments */
	int (*run)(const struct options *o, struct error *error);
} verbs[] = {
	{ "create", 1, 2, disk_create }, { "info", 1, 1, disk_info },
	{ "resize", 2, 2, disk_resize }, { "convert", 2, 2, disk_convert },
	{ "check", 1, 1, disk_check }, { "commit", 1, 1, disk_commit },
};

enum { OPT_BASE = 256, OPT_FROM, OPT_TO, OPT_SHRINK };

static const struct argp_option option_list[] = {
	{ "base", OPT_BASE, "DISK", 0,
	  "create: an overlay for this disk, as large as it is", 0 },
	{ "from", OPT_FROM, "FORMAT", 0,
	  "convert, check, resize: of what is there (default: raw)", 0 },
	{ "to", OPT_TO, "FORMAT", 0,
	  "convert: of what is written (default: raw)", 0 },
	{ "shrink", OPT_SHRINK, NULL, 0, "resize: the end may be cut off", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_BASE:
		o->base = arg;
		break;
	case OPT_FROM:
		o->from = arg;
		break;
	case OPT_TO:
		o->to = arg;
		break;
	case OPT_SHRINK:
		o->shrink = true;
		break;
	case ARGP_KEY_ARG:
		if (o->words == WORDS)
			argp_error(state, "unexpected argument: %s", arg);
		else
			o->word[o->words++] = arg;
		break;
	case ARGP_KEY_END:
		if (!o->words)
			argp_error(state, "say what: create, info, resize, convert, check or commit");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int cmd_disk(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list, .parser = parse,
		.args_doc = "create FILE SIZE\ncreate --base DISK FILE\ninfo DISK\nresize FILE SIZE\nconvert DISK FILE|ARRAY|URI\ncheck DISK\ncommit BASE,overlay=FILE",
		.doc = "Make, show, change and copy disks.\vDISK is what mvmm run --disk takes: a file, BASE,overlay=FILE, or nbd://HOST/EXPORT. Formats other than raw need qemu-img." };
	struct options o = { .words = 0 };
	struct error error = { 0 };
	unsigned int i;

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return STATUS_USAGE;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(o.word[0], verbs[i].name))
			break;
	if (i == sizeof(verbs) / sizeof(verbs[0]))
		fail(&error, STATUS_USAGE,
		     "%s is not known: create, info, resize, convert, check and commit are",
		     o.word[0]);
	else if (o.words - 1 < verbs[i].min || o.words - 1 > verbs[i].max)
		fail(&error, STATUS_USAGE, "%s: see mvmm disk --help",
		     o.word[0]);
	else
		verbs[i].run(&o, &error);
	if (error.text[0])
		fprintf(stderr, "mvmm disk: %s\n", error.text);
	return error.status;
}
