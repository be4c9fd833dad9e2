// SPDX-License-Identifier: GPL-2.0
/* The control socket: see control.h. What is asked for is done elsewhere. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "block/block.h"
#include "core/machine.h"
#include "manage/control.h"
#include "manage/media.h"
#include "manage/screen.h"
#include "net/net.h"

#define CLIENT_MS	5000	/* a client that says nothing keeps nobody out */

/* ---- lines ------------------------------------------------------------------- */

/* Readable before @ms have passed, and before @stop (-1: never) */
static bool wait_for(int fd, int stop, int ms)
{
	struct pollfd p[2] = { { fd, POLLIN, 0 }, { stop, POLLIN, 0 } };

	return poll(p, 2, ms) > 0 && !p[1].revents;
}

/* @stop has come, also while there is always something to do */
static bool is_stopped(int stop)
{
	struct pollfd p[2] = { { -1, 0, 0 }, { stop, POLLIN, 0 } };

	poll(p, 2, 0);
	return p[1].revents;
}

/**
 * struct lines - what comes on a connection, in whatever pieces
 * @fd: the connection
 * @stop: see wait_for()
 * @ms: the same
 * @next: where the next line begins
 * @end: where what has come ends
 * @text: what has come
 */
struct lines {
	int fd, stop, ms;
	size_t next, end;
	char text[CONTROL_LINE];
};

static struct lines *make_lines(int fd, int stop, int ms)
{
	struct lines *l = malloc(sizeof(*l));

	if (l) {
		l->fd = fd;
		l->stop = stop;
		l->ms = ms;
		l->next = l->end = 0;
	}
	return l;
}

/* More of a line that begins the text. -1: there is none, or it is too long */
static int read_more(struct lines *l)
{
	ssize_t n;

	do {
		if (l->end == CONTROL_LINE || !wait_for(l->fd, l->stop, l->ms))
			return -1;
		n = read(l->fd, l->text + l->end, CONTROL_LINE - l->end);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -1;
	l->end += n;
	return 0;
}

/* The next line, without its end, until the next call. NULL: there is none */
static char *read_line(struct lines *l)
{
	size_t seen = 0;
	char *line, *end;

	while (!(end = memchr(l->text + l->next + seen, '\n',
			      l->end - l->next - seen))) {
		l->end -= l->next;
		memmove(l->text, l->text + l->next, l->end);
		l->next = 0;
		seen = l->end;
		if (read_more(l))
			return NULL;
	}
	*end = 0;
	line = l->text + l->next;
	l->next = end + 1 - l->text;
	return line;
}

/* @value is the caller's no more. -1: the other side is gone */
static int write_line(int fd, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT), *at = text;
	size_t left = text ? strlen(text) : 0;
	ssize_t n;

	json_decref(value);
	if (!text)
		return -1;
	text[left++] = '\n';
	while (left) {
		n = send(fd, at, left, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += n;
		left -= n;
	}
	free(text);
	return left ? -1 : 0;
}

/* ---- what can be asked for -------------------------------------------------------- */

/* The disk that is meant: a number, or the first that has anything to want */
static struct block *find_disk(const struct machine *m, const json_t *arguments,
			       struct error *error)
{
	const json_t *number = json_object_get(arguments, "disk");
	json_int_t n = json_integer_value(number);
	unsigned int i;

	if (number && !json_is_integer(number)) {
		fail(error, STATUS_USAGE, "a disk is a number");
		return NULL;
	}
	if (number && (n < 0 || n >= m->config.disks)) {
		fail(error, STATUS_USAGE, "there is no disk %lld", (long long)n);
		return NULL;
	}
	for (i = number ? n : 0; i < m->config.disks; i++) {
		if (m->config.disk[i]->ops->command)
			return m->config.disk[i];
		if (number)
			break;
	}
	fail(error, STATUS_USAGE, "this machine has no array there");
	return NULL;
}

/* Names may be anything, and a long text is cut anywhere: JSON is UTF-8 */
static json_t *text_json(const char *text)
{
	json_t *value = json_string(text);
	char *copy = value ? NULL : strdup(text), *at;

	for (at = copy; at && *at; at++)
		if (*at & 0x80)
			*at = '?';
	if (copy)
		value = json_string(copy);
	free(copy);
	return value;
}

/* As "switch-show" has them; each belongs to the loop that serves it */
static json_t *show_nics(struct machine *m)
{
	json_t *ports = json_array();
	char text[MAC_TEXT];
	unsigned int i;

	for (i = 0; i < m->config.nics; i++) {
		const struct machine_nic *nic = &m->config.nic[i];
		const struct port *p = nic->port;
		/* It has one when it is started */
		pthread_mutex_t *lock = p->loop ? &p->loop->lock :
					&m->loop.lock;

		pthread_mutex_lock(lock);
		json_array_append_new(ports, json_pack(
			"{s:o, s:s, s:s, s:b, s:o, s:o}", "name",
			text_json(p->name), "kind", nic->model, "mac",
			mac_text(nic->mac, text), "link", p->link, "to", port_count_json(&p->to_peer),
			"from", port_count_json(&p->from_peer)));
		pthread_mutex_unlock(lock);
	}
	return json_pack("{s:o}", "ports", ports);
}

static json_t *execute(void *ctx, const json_t *request, struct error *error)
{
	struct machine *m = ctx;
	const char *name = json_string_value(json_object_get(request,
							     "execute"));
	const json_t *arguments = json_object_get(request, "arguments");
	struct block *disk;

	if (name && screen_has(name))
		return screen_execute(m, name, arguments, error);
	if (name && media_has(name))
		return media_execute(m, name, arguments, error);
	if (name && !strcmp(name, "net-show"))
		return show_nics(m);
	if (!name || strncmp(name, "raid-", 5)) {
		fail(error, STATUS_USAGE, "%s is not known: raid-..., net-show, eject, blockdev-change-medium, screendump, screen-text, send-key and type are",
		     name ? name : "a request without \"execute\"");
		return NULL;
	}
	disk = find_disk(m, arguments, error);
	return disk ? disk->ops->command(disk, name + 5, arguments, error) :
		      NULL;
}

static json_t *answer(const struct control *c, const char *line)
{
	struct error error = { 0 };
	json_error_t where;
	json_t *request = json_loads(line, 0, &where), *result = NULL;

	if (json_is_object(request))
		result = c->execute(c->ctx, request, &error);
	else
		fail(&error, STATUS_USAGE, "a request is a JSON object");
	json_decref(request);
	if (result)
		return json_pack("{s:o}", "return", result);
	return json_pack("{s:{s:o, s:i}}", "error", "desc", text_json(error.text),
			 "status", error.status);
}

static void serve(const struct control *c, int fd)
{
	struct lines *lines = make_lines(fd, c->stop, CLIENT_MS);
	char *line;

	while (lines && !is_stopped(c->stop) && (line = read_line(lines)))
		if (write_line(fd, answer(c, line)))
			break;
	free(lines);
}

static void *control_main(void *ctx)
{
	const struct timeval patience = { .tv_sec = CLIENT_MS / 1000 };
	struct control *c = ctx;
	int fd;

	while (wait_for(c->fd, c->stop, -1)) {
		fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		/* Nor does one that does not read */
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			   sizeof(patience));
		serve(c, fd);
		close(fd);
	}
	return NULL;
}

/* ---- the socket ---------------------------------------------------------------------- */

static int make_address(struct sockaddr_un *to, const char *path,
			struct error *error)
{
	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(to->sun_path))
		return fail(error, STATUS_USAGE,
			    "the socket's name %s is longer than %zu bytes",
			    path, sizeof(to->sun_path) - 1);
	strcpy(to->sun_path, path);
	return 0;
}

static int connect_to(const char *path, struct error *error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	if (make_address(&address, path, error)) {
		close_fd(&fd);
		return -1;
	}
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	fail(error, STATUS_NO_INPUT, "%s: %s: is a guest running with --control %s, or a switch?",
	     path, strerror(errno), path);
	close_fd(&fd);
	return -1;
}

/* What a launcher that was killed has left; another's that lives stays */
static void remove_stale(const char *path)
{
	struct error ignored;
	struct stat st;
	int fd;

	if (stat(path, &st) || !S_ISSOCK(st.st_mode))
		return;
	fd = connect_to(path, &ignored);
	if (fd < 0)
		unlink(path);
	else
		close(fd);
}

static int listen_at(struct control *c, struct error *error)
{
	struct sockaddr_un address;
	mode_t mask;
	int ret;

	if (make_address(&address, c->path, error))
		return -1;
	remove_stale(c->path);
	/* From the first moment nobody else can connect */
	mask = umask(0177);
	ret = bind(c->fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (!ret && !listen(c->fd, 8))
		return 0;
	fail(error, STATUS_OS, "--control %s: %s", c->path, strerror(errno));
	if (!ret)
		unlink(c->path);
	return -1;
}

int control_serve(struct control *c,
		  json_t *(*fn)(void *ctx, const json_t *request,
				struct error *error),
		  void *ctx, const char *path, struct error *error)
{
	int ret;

	*c = (struct control){ .execute = fn, .ctx = ctx, .path = path,
		.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			     0),
		.stop = eventfd(0, EFD_CLOEXEC) };
	if (c->fd < 0 || c->stop < 0)
		ret = fail(error, STATUS_OS, "--control: %s", strerror(errno));
	else
		ret = listen_at(c, error);
	if (!ret && pthread_create(&c->thread, NULL, control_main, c)) {
		ret = fail(error, STATUS_OS, "--control: no thread");
		unlink(c->path);
	}
	if (!ret)
		return 0;
	close_fd(&c->fd);
	close_fd(&c->stop);
	c->path = NULL;
	return -1;
}

int control_start(struct control *c, struct machine *machine, const char *path,
		  struct error *error)
{
	return control_serve(c, execute, machine, path, error);
}

void control_stop(struct control *c)
{
	if (!c->path)
		return;
	eventfd_write(c->stop, 1);
	pthread_join(c->thread, NULL);
	unlink(c->path);
	close_fd(&c->fd);
	close_fd(&c->stop);
	c->path = NULL;
}

/* ---- the other side -------------------------------------------------------------------- */

static json_t *parse_answer(const char *line, struct error *error)
{
	json_error_t where;
	json_t *all = json_loads(line, 0, &where), *result, *said;

	result = json_incref(json_object_get(all, "return"));
	said = json_object_get(all, "error");
	if (!result)
		fail(error, said && json_integer_value(
			     json_object_get(said, "status")) ? (int)json_integer_value(
				    json_object_get(said, "status")) :
			    STATUS_DATA, "%s", said ? json_string_value(
			    json_object_get(said, "desc")) : "no answer");
	json_decref(all);
	return result;
}

json_t *control_ask(const char *path, json_t *request, struct error *error)
{
	int fd = connect_to(path, error);
	struct lines *lines = make_lines(fd, -1, -1);
	json_t *result = NULL;
	char *line = NULL;

	if (fd < 0) {
		free(lines);
		json_decref(request);
		return NULL;
	}
	if (!write_line(fd, request) && lines)
		line = read_line(lines);
	if (line)
		result = parse_answer(line, error);
	else
		fail(error, STATUS_OS, "%s: no answer", path);
	free(lines);
	close(fd);
	return result;
}
