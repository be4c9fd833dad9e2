// SPDX-License-Identifier: GPL-2.0
/* Errors, the time, files, and access to guest memory by address. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "core/launcher.h"

int fail(struct error *error, int status, const char *format, ...)
{
	va_list args;

	error->status = status;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void *ram_at(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	if (gpa > ram->size || len > ram->size - gpa)
		return NULL;
	if (gpa < HOLE_END && gpa + len > HOLE_START)
		return NULL;
	return ram->base + gpa;
}

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

int explain_open(int err, const char *device, struct error *error)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return fail(error, STATUS_NO_DEVICE,
			    "%s is not there: load the module (modprobe mvmm, or insmod mvmm.ko); if that fails, dmesg says what this CPU lacks",
			    device);
	case EACCES:
	case EPERM:
		return fail(error, STATUS_PERMISSION,
			    "no permission for %s: become root or a member of its group (ls -l %s)",
			    device, device);
	case EBUSY:
		return fail(error, STATUS_BUSY,
			    "another hypervisor owns VMX or SVM: stop its VMs or unload it (for KVM: rmmod kvm_intel or kvm_amd)");
	default:
		return fail(error, STATUS_OS, "cannot use %s: %s", device,
			    strerror(err));
	}
}
