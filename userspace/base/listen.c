// SPDX-License-Identifier: GPL-2.0
/* See listen.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/listen.h"
#include "base/loop.h"

/*
 * A socket that is left over has nobody who listens: it may go. So it is with a
 * file, which may not
 */
static bool is_left_over(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool refused = connect(fd, (const struct sockaddr *)address,
			       sizeof(*address)) && errno == ECONNREFUSED;
	struct stat st;

	close(fd);
	return refused && !lstat(address->sun_path, &st) &&
	       S_ISSOCK(st.st_mode);
}

int listen_unix(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const struct sockaddr *a = (const struct sockaddr *)address;
	int ret = bind(fd, a, sizeof(*address));

	if (ret && errno == EADDRINUSE) {
		if (is_left_over(address) && !unlink(address->sun_path))
			ret = bind(fd, a, sizeof(*address));
		else
			errno = EADDRINUSE;
	}
	if (!ret && !listen(fd, 1))
		return fd;
	close_fd(&fd);
	return -1;
}
