// SPDX-License-Identifier: GPL-2.0
/* Where viewers come in, and what they have to know. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/listen.h"
#include "display/vnc/vnc.h"

#define BACKLOG 16

/* Only the user may connect */
static int listen_path(const char *path, struct error *error)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd;

	if (!*path || strlen(path) >= sizeof(to.sun_path))
		return fail(error, STATUS_USAGE,
			    "--display: unix:%s: a name of 1 to %zu bytes",
			    path, sizeof(to.sun_path) - 1);
	strcpy(to.sun_path, path);
	mask = umask(0177);
	fd = listen_unix(&to);
	umask(mask);
	return fd >= 0 ? fd : fail(error, STATUS_OS,
				   "--display: unix:%s: %s", path,
				   strerror(errno));
}

static bool is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >>
		       24 == 127;
	return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(
		&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static int listen_at(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0), on = 1, saved;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* HOST:PORT, [HOST]:PORT, :PORT */
static int listen_tcp(const char *address, bool *local, struct error *error)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(address, ':'), *host = address;
	char name[256] = "127.0.0.1";
	struct addrinfo *found;
	size_t len;
	int ret, fd;

	len = colon ? colon - address : 0;
	if (len > 1 && *host == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (!colon || !colon[1] || len >= sizeof(name))
		return fail(error, STATUS_USAGE,
			    "--display: %s: write HOST:PORT or unix:PATH",
			    address);
	if (len)
		snprintf(name, sizeof(name), "%.*s", (int)len, host);
	ret = getaddrinfo(name, colon + 1, &hints, &found);
	if (ret)
		return fail(error, STATUS_USAGE, "--display: %s: %s", address,
			    gai_strerror(ret));
	*local = is_loopback(found->ai_addr);
	fd = listen_at(found);
	if (fd < 0)
		fail(error, STATUS_OS, "--display: %s: %s", address,
		     strerror(errno));
	freeaddrinfo(found);
	return fd;
}

int vnc_listen(const char *address, bool *local, struct error *error)
{
	*local = true;
	if (!strncmp(address, "unix:", 5))
		return listen_path(address + 5, error);
	return listen_tcp(address, local, error);
}

int vnc_read_password(const char *path, char password[VNC_PASSWORD + 1],
		      struct error *error)
{
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		return fail(error, STATUS_NO_INPUT,
			    "--display: password-file=%s: %s", path,
			    strerror(errno));
	len = fread(password, 1, VNC_PASSWORD, file);
	fclose(file);
	password[len] = 0;
	password[strcspn(password, "\n")] = 0;
	if (!*password)
		return fail(error, STATUS_DATA,
			    "--display: password-file=%s has no password in its first line",
			    path);
	return 0;
}
