// SPDX-License-Identifier: GPL-2.0
/*
 * A qemu-nbd of mvmm's own: what serves formats other than raw, and places
 * other than files. It inherits a socket that has no name any more, on which
 * the one connection waits already, and ends with that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "block/nbd/sandbox.h"
#include "block/nbd/server.h"

#define PROGRAM		"qemu-nbd"
#define SOCKET_FD	3	/* where sd_listen_fds(3) has it */
#define KILL_MS		2000
#define NOT_FOUND	127

/* ---- the process --------------------------------------------------------- */

/**
 * struct spawn - what the child needs; made by the parent, as it may not
 * allocate
 * @argv: the program's arguments
 * @environment: with room for LISTEN_PID in @pid
 * @pid: that
 * @socket: which it listens on
 * @errors: its stderr
 * @null: the rest
 * @sandbox: what it may do
 */
struct spawn {
	char *const *argv;
	char **environment;
	char pid[32];
	int socket, errors, null;
	struct sandbox sandbox;
};

/*
 * It shares the parent's memory, which waits. Returns only if there is no child
 */
static __attribute__((noinline)) pid_t spawn(struct spawn *s)
{
	pid_t pid = vfork();
	sigset_t none;

	if (pid)
		return pid;
	/*
	 * Keys at the terminal are not for it. No PR_SET_PDEATHSIG: that signal
	 * comes already when the thread ends that is here; when mvmm does, so does
	 * the connection, and with it the program
	 */
	setsid();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	sandbox_enter(&s->sandbox);
	snprintf(s->pid, sizeof(s->pid), "LISTEN_PID=%d", getpid());
	dup2(s->null, 0);
	dup2(s->null, 1);
	dup2(s->errors, 2);
	dup2(s->socket, SOCKET_FD);
	fcntl(SOCKET_FD, F_SETFD, 0);
	close_range(SOCKET_FD + 1, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvpe(s->argv[0], s->argv, s->environment);
	_exit(errno == ENOENT ? NOT_FOUND : NOT_FOUND - 1);
}

/* 0, or a negative errno */
static int start(struct server *server, int socket, int errors)
{
	struct spawn s = { .argv = (char *const *)server->argv,
			   .socket = socket, .errors = errors };
	sigset_t all, old;
	unsigned int n = 0;

	sandbox_make(&s.sandbox, server->path, server->read_only,
		     block_is_uri(server->path));
	while (environ[n])
		n++;
	s.environment = calloc(n + 3, sizeof(*s.environment));
	s.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (s.environment && s.null >= 0) {
		/* Before those that mvmm itself may have been started with */
		s.environment[0] = "LISTEN_FDS=1";
		s.environment[1] = s.pid;
		memcpy(s.environment + 2, environ, n * sizeof(*environ));
		/* A handler must not run in the child */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		server->pid = spawn(&s);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	} else {
		server->pid = -1;
	}
	sandbox_free(&s.sandbox);
	free(s.environment);
	if (s.null >= 0)
		close(s.null);
	if (server->pid > 0)
		return 0;
	server->pid = 0;
	return -EAGAIN;
}

/* ---- the connection ------------------------------------------------------ */

/*
 * A socket that listens, and one that is connected to it. Its folder is nobody
 * else's, and gone at the end: what is killed leaves nothing. 0, or a negative
 * errno
 */
static int make_pair(int *listener, int *connection)
{
	const char *tmp = getenv("TMPDIR");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char dir[80];
	int ret = 0;

	*listener = *connection = -1;
	if (!tmp || strlen(tmp) > 50)
		tmp = "/tmp";
	snprintf(dir, sizeof(dir), "%s/mvmm-XXXXXX", tmp);
	if (!mkdtemp(dir))
		return -errno;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/nbd", dir);
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0 || *connection < 0 ||
	    bind(*listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(*listener, 1) ||
	    connect(*connection, (struct sockaddr *)&at, sizeof(at)))
		ret = -errno;
	unlink(at.sun_path);
	rmdir(dir);
	if (!ret)
		return 0;
	close_fd(listener);
	close_fd(connection);
	return ret;
}

int server_start(struct server *server, struct error *error)
{
	int listener, connection, pipes[2], ret;

	ret = make_pair(&listener, &connection);
	if (ret)
		return fail(error, STATUS_OS,
			    "cannot make a socket for " PROGRAM ": %s",
			    strerror(-ret));
	/* Of what nobody reads it does not wait until there is room */
	ret = pipe2(pipes, O_CLOEXEC | O_NONBLOCK) ? -errno : 0;
	if (!ret) {
		ret = start(server, listener, pipes[1]);
		close(pipes[1]);
		server->errors = pipes[0];
	}
	close(listener);
	if (!ret)
		return connection;
	close(connection);
	close_fd(&server->errors);
	return fail(error, STATUS_OS, "cannot start " PROGRAM ": %s",
		    strerror(-ret));
}

/* ---- its end ------------------------------------------------------------- */

/* Waits for @ms at most. Is it gone? */
static bool wait_for(struct server *server, unsigned int ms, int *status)
{
	unsigned int i;

	for (i = 0; i <= ms / 10; i++) {
		if (waitpid(server->pid, status, WNOHANG))
			return true;
		usleep(10000);
	}
	return false;
}

/* Its exit status, -1: it was killed */
static int end(struct server *server, unsigned int ms)
{
	int status = 0;

	if (!server->pid)
		return 0;
	if (!wait_for(server, ms, &status)) {
		kill(server->pid, SIGTERM);
		if (!wait_for(server, KILL_MS, &status)) {
			kill(server->pid, SIGKILL);
			waitpid(server->pid, &status, 0);
		}
	}
	server->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int server_stop(struct server *server, unsigned int ms)
{
	int status = end(server, ms);

	close_fd(&server->errors);
	return status;
}

/* Its last line that says something, without what QEMU calls the place */
static const char *last_line(char *text)
{
	char *line, *last = text, *rest = text;
	static const char *const noise[] = { PROGRAM ": ",
					     "Failed to blk_new_open " };
	unsigned int i;

	while ((line = strsep(&rest, "\n")))
		if (*line)
			last = line;
	for (i = 0; i < 2; i++)
		if (!strncmp(last, noise[i], strlen(noise[i])))
			last += strlen(noise[i]);
	return last;
}

int server_failed(struct server *server, const char *path,
		  const char *connection, struct error *error)
{
	char text[4096] = "", *at;
	int status = end(server, KILL_MS);
	ssize_t n = server->errors < 0 ? 0 :
		    read(server->errors, text, sizeof(text) - 1);
	const char *line;

	text[n > 0 ? n : 0] = 0;
	/* It goes to a terminal */
	for (at = text; *at; at++)
		if ((*at < ' ' && *at != '\n') || *at == 127)
			*at = '?';
	server_stop(server, 0);
	if (status == NOT_FOUND)
		return fail(error, STATUS_NO_INPUT,
			    "--disk %s: this is " PROGRAM "'s: install the package qemu-utils",
			    path);
	line = last_line(text);
	return fail(error, STATUS_NO_INPUT, "--disk %s: %s%s", path,
		    *line ? line : connection,
		    strstr(line, "nknown protocol") ||
		    /* Of QEMU 10 */
		    strstr(line, "must be specified for \"file\"") ?
		    ": install the package qemu-block-extra" : "");
}

/* ---- what it serves ------------------------------------------------------ */

/* What comes next has commas between, and a comma of its own is doubled */
static char *escape(const char *text)
{
	char *copy = malloc(2 * strlen(text) + 1), *to = copy;

	for (; copy && *text; text++) {
		if (*text == ',')
			*to++ = ',';
		*to++ = *text;
	}
	if (copy)
		*to = 0;
	return copy;
}

/* What QEMU has libcurl for: the length of its name, 0: it has not */
static int web_scheme(const char *path)
{
	static const char *const names[] = { "http", "https", "ftp", "ftps" };
	size_t len = strcspn(path, ":");
	unsigned int i;

	for (i = 0; i < 4; i++)
		if (len == strlen(names[i]) && !strncmp(path, names[i], len) &&
		    !strncmp(path + len, "://", 3))
			return len;
	return 0;
}

/* Where the image is, as one of --image-opts. NULL: no memory */
static char *describe_place(const struct server *server, bool unverified)
{
	char *image = escape(server->image), *place = NULL;
	int web = web_scheme(server->path), ret = -1;

	if (image && web)
		ret = asprintf(&place, "file.driver=%.*s,file.url=%s%s", web,
			       server->path, image,
			       unverified ? ",file.sslverify=off" : "");
	else if (image)
		ret = asprintf(&place, "file.filename=%s", image);
	free(image);
	return ret < 0 ? NULL : place;
}

/* The key is in its file, not among the arguments, which everybody sees */
static int use_key(struct server *server, const char *file)
{
	char *key = escape(file);
	int ret = key ? asprintf(&server->secret, "secret,id=key,file=%s", key) :
			-1;

	free(key);
	if (ret < 0)
		server->secret = NULL;
	return ret < 0 ? -1 : 0;
}

/* What a name alone does not say. 0, or -1: no memory */
static int use_options(struct server *server, const struct block_config *config)
{
	bool luks = !strcmp(server->format, "luks");
	const char *key = !config->key ? "" : luks ? ",key-secret=key" :
		",encrypt.key-secret=key,encrypt.format=luks";
	char *place = describe_place(server, config->unverified);

	free(server->image);
	if (!place || (config->key && use_key(server, config->key)) ||
	    asprintf(&server->image, "driver=%s%s,%s", server->format, key,
		     place) < 0)
		server->image = NULL;
	free(place);
	return server->image ? 0 : -1;
}

int server_init(struct server *server, const struct block_config *config,
		struct error *error)
{
	const char *path = config->path;
	bool options = config->key || config->unverified;
	unsigned int n = 0;
	/*
	 * Before a colon stands a protocol, unless there is a slash before it
	 */
	bool plain = block_is_uri(path) || *path == '/';

	/* It would be a file of that name */
	if (config->key && block_is_uri(path) && !web_scheme(path))
		return fail(error, STATUS_USAGE,
			    "--disk %s: key= is for files, and for places of http:, https:, ftp: and ftps:",
			    path);
	*server = (struct server){ .path = strdup(path), .errors = -1,
				   .read_only = config->read_only };
	if (asprintf(&server->image, "%s%s", plain ? "" : "./", path) < 0)
		server->image = NULL;
	server->format = strdup(config->format ?: "raw");
	if (!server->path || !server->image || !server->format ||
	    (options && use_options(server, config))) {
		server_destroy(server);
		return fail(error, STATUS_OS, "--disk: no memory");
	}
	server->argv[n++] = PROGRAM;
	if (server->secret) {
		server->argv[n++] = "--object";
		server->argv[n++] = server->secret;
	}
	if (options) {
		server->argv[n++] = "--image-opts";
	} else {
		server->argv[n++] = "-f";
		server->argv[n++] = server->format;
	}
	server->argv[n++] = "--cache";
	server->argv[n++] = block_caches[config->cache];
	server->argv[n++] = "--discard=unmap";
	if (config->read_only)
		server->argv[n++] = "-r";
	server->argv[n++] = "--";
	server->argv[n++] = server->image;
	return 0;
}

void server_destroy(struct server *server)
{
	free(server->path);
	free(server->image);
	free(server->format);
	free(server->secret);
}
