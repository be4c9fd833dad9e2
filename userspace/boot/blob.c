// SPDX-License-Identifier: GPL-2.0
/* Files in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "boot/boot.h"

static int read_all(int fd, struct blob *blob)
{
	size_t got = 0;

	while (got < blob->size) {
		ssize_t n = read(fd, blob->data + got, blob->size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += n;
	}
	blob->size = got;
	return 0;
}

int blob_read(struct blob *blob, const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;
	struct stat st;

	*blob = (struct blob){ 0 };
	if (fd < 0)
		return fail(error, STATUS_NO_INPUT, "cannot open %s: %s", path,
			    strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return fail(error, STATUS_NO_INPUT,
			    "%s is not a regular file", path);
	}
	blob->size = st.st_size;
	blob->data = malloc(blob->size ? blob->size : 1);
	ret = blob->data ? read_all(fd, blob) : -ENOMEM;
	close(fd);
	if (ret) {
		blob_free(blob);
		return fail(error, STATUS_NO_INPUT, "cannot read %s: %s", path,
			    strerror(-ret));
	}
	return 0;
}

void blob_free(struct blob *blob)
{
	free(blob->data);
	*blob = (struct blob){ 0 };
}
