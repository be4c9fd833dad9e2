// SPDX-License-Identifier: GPL-2.0
/* Files, and what is in memory in their place. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "boot/boot.h"

int blob_open(struct blob *blob, const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
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
	*blob = (struct blob){ .size = st.st_size, .file = fdopen(fd, "r") };
	if (blob->file)
		return 0;
	close(fd);
	return fail(error, STATUS_OS, "no memory for %s", path);
}

bool blob_copy(const struct blob *blob, uint64_t at, void *to, uint64_t len)
{
	if (at > blob->size || len > blob->size - at)
		return false;
	if (!blob->file && len)
		memcpy(to, blob->data + at, len);
	while (blob->file && len) {
		ssize_t n = pread(fileno(blob->file), to, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		/* It has become shorter, or cannot be read */
		if (n <= 0)
			return false;
		to = (uint8_t *)to + n;
		at += n;
		len -= n;
	}
	return true;
}

int blob_read(struct blob *blob, const char *path, struct error *error)
{
	struct blob file;

	*blob = (struct blob){ 0 };
	if (blob_open(&file, path, error))
		return -1;
	blob->size = file.size;
	blob->data = malloc(file.size ? file.size : 1);
	if (!blob->data || !blob_copy(&file, 0, blob->data, file.size)) {
		blob_free(&file);
		blob_free(blob);
		return fail(error, STATUS_NO_INPUT, "cannot read %s", path);
	}
	blob_free(&file);
	return 0;
}

void blob_free(struct blob *blob)
{
	if (blob->file)
		fclose(blob->file);
	free(blob->data);
	*blob = (struct blob){ 0 };
}

void boot_free(struct boot *boot)
{
	while (boot->nr)
		blob_free(&boot->initrd[--boot->nr]);
}
