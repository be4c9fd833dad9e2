// SPDX-License-Identifier: GPL-2.0
/* A file that gets what the guest sends, behind what it has. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "char/stream.h"

static void file_lost(struct stream *s, int error)
{
	dprintf(STDERR_FILENO,
		"\r\nmvmm run: cannot write %s: %s: the guest's port is closed\r\n",
		s->path, strerror(error));
}

static void file_close(struct stream *s)
{
}

struct stream *stream_file(const char *path, struct error *error)
{
	static const struct stream_ops ops = { .lost = file_lost,
					       .close = file_close };
	struct stream *s = stream_new(sizeof(*s), &ops, path);
	int fd;

	if (!s) {
		fail(error, STATUS_OS, "--port: no memory");
		return NULL;
	}
	/* Not blocking: it may be a pipe */
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY |
		  O_CLOEXEC, 0666);
	if (fd < 0) {
		fail(error, errno == EACCES ? STATUS_PERMISSION : STATUS_NO_INPUT,
		     "--port: cannot open %s: %s", path, strerror(errno));
		stream_close(s);
		return NULL;
	}
	stream_use(s, fd);
	return s;
}
