// SPDX-License-Identifier: GPL-2.0
/* A pseudo terminal, for screen and its like. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "char/stream.h"

/**
 * struct pty - see above
 * @slave: the users' end is open here, too: so it is there when nobody uses it,
 *	and what the guest sends then waits for somebody
 */
struct pty {
	struct stream stream;
	int slave;
};

static void pty_lost(struct stream *s, int error)
{
}

static void pty_close(struct stream *s)
{
	close_fd(&((struct pty *)s)->slave);
}

/* Bytes as they are: no echo, no lines. -1 with errno */
static int open_slave(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios raw;

	if (fd < 0)
		return -1;
	if (!tcgetattr(fd, &raw)) {
		cfmakeraw(&raw);
		if (!tcsetattr(fd, TCSANOW, &raw))
			return fd;
	}
	close(fd);
	return -1;
}

struct stream *stream_pty(struct error *error)
{
	static const struct stream_ops ops = { .lost = pty_lost,
					       .close = pty_close };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -1;
	struct stream *s = NULL;
	char path[64];

	if (master >= 0 && !grantpt(master) && !unlockpt(master) &&
	    !ptsname_r(master, path, sizeof(path)) &&
	    !fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK))
		slave = open_slave(path);
	if (slave >= 0)
		s = stream_new(sizeof(struct pty), &ops, path);
	if (!s) {
		fail(error, STATUS_OS, "--port: no pseudo terminal: %s",
		     strerror(errno));
		close_fd(&slave);
		close_fd(&master);
		return NULL;
	}
	((struct pty *)s)->slave = slave;
	s->reads = true;
	stream_use(s, master);
	return s;
}
