// SPDX-License-Identifier: GPL-2.0
/*
 * HTTP for a browser that looks at the screen: it gets noVNC's files, one for each
 * connection, and then a WebSocket, which libvncserver makes of the connection
 * (vnc.c). Nothing here waits for anybody.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/loop.h"
#include "display/vnc/web.h"

#define HEAD	4096	/* bytes of a request */
#define PAGE	"vnc.html"
/* What noVNC has to be told; the rest it knows from the page's address */
#define START	"/" PAGE "?autoconnect=1&reconnect=1&resize=scale"

/**
 * struct slot - a connection
 * @fd: its socket; -1: it is free
 * @file: what is sent; -1: nothing yet
 * @seen: bytes of a request that is not complete
 * @at: of the file comes next
 * @age: the lower, the longer it is there
 */
struct slot {
	int fd, file;
	size_t seen;
	off_t at;
	unsigned long age;
};

/**
 * struct web - a server
 * @listen: viewers come there
 * @root: the directory of the files
 * @open: see web_start()
 * @ages: of the slots
 * @slot: the connections
 */
struct web {
	int listen, root;
	bool open;
	unsigned long ages;
	struct slot slot[WEB_SLOTS];
};

/* ---- requests ------------------------------------------------------------------------ */

/* The value of a header, or NULL. Of several the first counts */
static const char *header(const char *at, const char *end, const char *name,
			  size_t *len)
{
	size_t n = strlen(name);
	const char *line;

	for (; at < end; at = line + 1) {
		line = memchr(at, '\n', end - at);
		if (!line)
			return NULL;
		if ((size_t)(line - at) <= n || strncasecmp(at, name, n) ||
		    at[n] != ':')
			continue;
		at += n + 1;
		while (at < line && (*at == ' ' || *at == '\t'))
			at++;
		*len = line - at - (line > at && line[-1] == '\r');
		return at;
	}
	return NULL;
}

/* Names of files in folders; none begins with a dot */
static bool is_path(const char *path)
{
	const char *at;

	for (at = path; *at; at++) {
		bool first = at == path || at[-1] == '/';

		if ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
		    (*at >= '0' && *at <= '9') || *at == '_' || *at == '-')
			continue;
		if (first || (*at != '.' && *at != '/'))
			return false;
	}
	return true;
}

/* An address, or this host's own name: none that somebody's DNS could tell */
static bool is_own_name(const char *host, size_t len)
{
	size_t i;

	if (len && *host == '[')
		return true;
	for (i = 0; i < len && host[i] != ':'; i++)
		;
	if (i == 9 && !strncasecmp(host, "localhost", 9))
		return true;
	len = i;
	for (i = 0; i < len; i++)
		if ((host[i] < '0' || host[i] > '9') && host[i] != '.')
			return false;
	return len;
}

/*
 * Any page that the user looks at can open a WebSocket to this host; but the
 * browser says which page it is. Without a password a page could also have this
 * host's address under a name of its own.
 */
static bool is_own_page(const char *headers, const char *end, bool open)
{
	size_t host_len, len;
	const char *host = header(headers, end, "Host", &host_len);
	const char *origin = header(headers, end, "Origin", &len);

	if (!host || (open && !is_own_name(host, host_len)))
		return false;
	/* No browser */
	if (!origin)
		return true;
	if (len > 7 && !strncmp(origin, "http://", 7)) {
		origin += 7;
		len -= 7;
	} else if (len > 8 && !strncmp(origin, "https://", 8)) {
		origin += 8;
		len -= 8;
	} else {
		return false;
	}
	return len == host_len && !strncasecmp(origin, host, len);
}

int web_parse(const char *head, size_t len, bool open,
	      struct web_request *request)
{
	const char *end = head + len, *line = memchr(head, '\n', len), *stop;
	const char *upgrade;
	size_t n;

	*request = (struct web_request){ 0 };
	if (!line || memchr(head, 0, len))
		return 400;
	if (len < 5 || strncmp(head, "GET /", 5))
		return 405;
	head += 5;
	for (stop = head; *stop != ' ' && *stop != '?' && *stop != '\n'; stop++)
		;
	n = stop - head;
	if (n >= sizeof(request->path))
		return 404;
	memcpy(request->path, head, n);
	upgrade = header(line + 1, end, "Upgrade", &n);
	request->socket = upgrade && n == 9 &&
			  !strncasecmp(upgrade, "websocket", 9);
	if (request->socket)
		return is_own_page(line + 1, end, open) ? 0 : 403;
	return is_path(request->path) ? 0 : 404;
}

/* ---- answers -------------------------------------------------------------------------- */

static void hang_up(struct slot *s)
{
	close_fd(&s->fd);
	close_fd(&s->file);
}

static const char *type_of(const char *path)
{
	static const char *const types[][2] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".js", "text/javascript" }, { ".css", "text/css" },
		{ ".svg", "image/svg+xml" }, { ".png", "image/png" },
		{ ".json", "application/json" }, { ".ttf", "font/ttf" },
		{ ".woff", "font/woff" }, { ".oga", "audio/ogg" },
		{ ".mp3", "audio/mpeg" },
	};
	const char *dot = strrchr(path, '.');
	unsigned int i;

	for (i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(dot, types[i][0]))
			return types[i][1];
	return "application/octet-stream";
}

/* It fits into the socket's buffer, which is empty */
static void say(struct slot *s, const char *status, const char *more,
		off_t length)
{
	char head[512];
	int len = snprintf(head, sizeof(head),
			   "HTTP/1.1 %s\r\n%s\r\nContent-Length: %lld\r\n"
			   "Connection: close\r\nCache-Control: no-cache\r\n"
			   "X-Content-Type-Options: nosniff\r\n"
			   "X-Frame-Options: DENY\r\n\r\n", status, more,
			   (long long)length);

	if (send(s->fd, head, len, MSG_NOSIGNAL) != len)
		hang_up(s);
}

static void refuse(struct slot *s, int status)
{
	char text[16];

	snprintf(text, sizeof(text), "%d No", status);
	say(s, text, "Content-Type: text/plain", 0);
	shutdown(s->fd, SHUT_WR);
	hang_up(s);
}

static void send_file(struct slot *s)
{
	struct stat st;

	if (fstat(s->file, &st))
		st.st_size = 0;
	while (s->at < st.st_size) {
		ssize_t n = sendfile(s->fd, s->file, &s->at,
				     st.st_size - s->at);

		if (n > 0)
			continue;
		/* Else it goes on when there is room */
		if (!n || errno != EAGAIN)
			hang_up(s);
		return;
	}
	shutdown(s->fd, SHUT_WR);
	hang_up(s);
}

static void answer(struct web *w, struct slot *s, const char *path)
{
	char more[64];
	struct stat st;

	if (!*path) {
		say(s, "302 Found", "Location: " START, 0);
		hang_up(s);
		return;
	}
	s->file = openat(w->root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->file < 0 || fstat(s->file, &st) || !S_ISREG(st.st_mode)) {
		refuse(s, 404);
		return;
	}
	snprintf(more, sizeof(more), "Content-Type: %s", type_of(path));
	s->at = 0;
	say(s, "200 OK", more, st.st_size);
	if (s->fd >= 0)
		send_file(s);
}

/* ---- connections ---------------------------------------------------------------------- */

/*
 * The request stays in the socket until it is complete, since a WebSocket's is
 * libvncserver's to read: a socket that has no more than last time must not wake
 * anybody
 */
static ssize_t peek(struct slot *s, char head[HEAD])
{
	ssize_t n = recv(s->fd, head, HEAD, MSG_PEEK);
	const char *end = n > 0 ? memmem(head, n, "\r\n\r\n", 4) : NULL;
	int low;

	if (end)
		return end + 4 - head;
	if (n < 0 && errno == EAGAIN)
		return 0;
	low = n + 1;
	if (n <= (ssize_t)s->seen || n == HEAD ||
	    setsockopt(s->fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low))) {
		hang_up(s);
		return 0;
	}
	s->seen = n;
	return 0;
}

/* As web_serve() */
static int take_request(struct web *w, struct slot *s)
{
	struct web_request request;
	int status, fd, low = 1;
	char head[HEAD];
	ssize_t len = peek(s, head);

	if (!len)
		return -1;
	status = web_parse(head, len, w->open, &request);
	if (!status && request.socket) {
		fd = s->fd;
		s->fd = -1;
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
		return fd;
	}
	/* Unread bytes would cut the answer short */
	recv(s->fd, head, len, 0);
	if (status)
		refuse(s, status);
	else
		answer(w, s, request.path);
	return -1;
}

/* If all are taken, the one that is there the longest gives way */
static struct slot *find_slot(struct web *w)
{
	struct slot *s = w->slot, *oldest = s;

	for (; s < w->slot + WEB_SLOTS; s++) {
		if (s->fd < 0)
			return s;
		if (s->age < oldest->age)
			oldest = s;
	}
	hang_up(oldest);
	return oldest;
}

static void let_in(struct web *w)
{
	int fd = accept4(w->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		*find_slot(w) = (struct slot){ .fd = fd, .file = -1,
					       .age = ++w->ages };
	else if (errno != EAGAIN)
		/* No descriptors, say: not at once again */
		poll(NULL, 0, 30);
}

unsigned int web_poll(struct web *w, struct pollfd *p)
{
	unsigned int nr = 0;
	struct slot *s;

	for (s = w->slot; s < w->slot + WEB_SLOTS; s++)
		if (s->fd >= 0)
			p[nr++] = (struct pollfd){ s->fd, s->file < 0 ? POLLIN :
						   POLLOUT, 0 };
	p[nr++] = (struct pollfd){ w->listen, POLLIN, 0 };
	return nr;
}

int web_serve(struct web *w, const struct pollfd *p)
{
	struct slot *s;
	int fd;

	/* The same order; those that come after one that is returned wait */
	for (s = w->slot; s < w->slot + WEB_SLOTS; s++) {
		if (s->fd < 0 || !p++->revents)
			continue;
		if (s->file >= 0) {
			send_file(s);
			continue;
		}
		fd = take_request(w, s);
		if (fd >= 0)
			return fd;
	}
	if (p->revents)
		let_in(w);
	return -1;
}

struct web *web_start(int fd, const char *root, bool open, struct error *error)
{
	struct web *w = calloc(1, sizeof(*w));
	unsigned int i;

	if (!w) {
		fail(error, STATUS_OS, "no memory");
		close(fd);
		return NULL;
	}
	for (i = 0; i < WEB_SLOTS; i++)
		w->slot[i].fd = w->slot[i].file = -1;
	w->listen = fd;
	w->open = open;
	w->root = openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->root >= 0 && !faccessat(w->root, PAGE, R_OK, 0))
		return w;
	fail(error, STATUS_NO_INPUT,
	     "--display web: there is no %s/" PAGE ": install the package novnc, or say where it is by root=",
	     root);
	web_stop(w);
	return NULL;
}

unsigned int web_port(const struct web *w)
{
	struct sockaddr_in6 at = { 0 };
	socklen_t len = sizeof(at);

	/* IPv4 has it at the same place */
	getsockname(w->listen, (struct sockaddr *)&at, &len);
	return ntohs(at.sin6_port);
}

void web_stop(struct web *w)
{
	unsigned int i;

	for (i = 0; i < WEB_SLOTS; i++)
		hang_up(&w->slot[i]);
	close_fd(&w->listen);
	close_fd(&w->root);
	free(w);
}
