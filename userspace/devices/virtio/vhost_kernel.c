// SPDX-License-Identifier: GPL-2.0
/* See vhost_kernel.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "core/machine.h"
#include "devices/virtio/vhost_kernel.h"

int vhost_kernel_ioctl(int fd, unsigned long request, void *arg,
		       const char *what, struct error *error)
{
	return ioctl(fd, request, arg) < 0 ?
	       fail(error, STATUS_OS, "%s: %s", what, strerror(errno)) : 0;
}

int vhost_kernel_open(const char *option, const char *name, const char *module,
		      uint64_t *features, struct error *error)
{
	struct error why = { 0 };
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(error, STATUS_NO_INPUT,
			    "%s: %s: %s: it needs the module %s (modprobe %s)",
			    option, path, strerror(errno), module, module);
	if (!vhost_kernel_ioctl(fd, VHOST_SET_OWNER, NULL, "owner", &why) &&
	    !vhost_kernel_ioctl(fd, VHOST_GET_FEATURES, features, "features",
				&why))
		return fd;
	close_fd(&fd);
	return fail(error, why.status, "%s: %s", option, why.text);
}

static int tell_memory(int fd, const struct vhost *v, struct error *error)
{
	const struct memory *memory = &v->virtio.pci.device.machine->memory;
	struct vhost_memory *table;
	unsigned int i;
	int ret;

	table = calloc(1, sizeof(*table) +
		       memory->nr * sizeof(table->regions[0]));
	if (!table)
		return fail(error, STATUS_OS, "no memory");
	for (i = 0; i < memory->nr; i++) {
		const struct memory_block *b = &memory->block[i];

		/* It would write there without asking us */
		if (b->read_only)
			continue;
		table->regions[table->nregions++] = (struct vhost_memory_region){
			.guest_phys_addr = b->gpa, .memory_size = b->size,
			.userspace_addr = (uintptr_t)b->host };
	}
	ret = vhost_kernel_ioctl(fd, VHOST_SET_MEM_TABLE, table, "memory",
				 error);
	free(table);
	return ret;
}

int vhost_kernel_begin(int fd, const struct vhost *v, uint64_t features,
		       struct error *error)
{
	return vhost_kernel_ioctl(fd, VHOST_SET_FEATURES, &features, "features",
				  error) ||
	       tell_memory(fd, v, error) ? -1 : 0;
}

int vhost_kernel_call(int fd, unsigned int ring, int call, struct error *error)
{
	struct vhost_vring_file file = { ring, call };

	return vhost_kernel_ioctl(fd, VHOST_SET_VRING_CALL, &file, "an eventfd",
				  error);
}

int vhost_kernel_start(int fd, unsigned int ring, const struct vhost *v,
		       unsigned int n, uint32_t base, struct error *error)
{
	const struct virtqueue *q = &v->virtio.queue[n];
	struct vhost_vring_state size = { ring, q->size }, at = { ring, base };
	struct vhost_vring_file kick = { ring, v->virtio.rung[n].fd };
	struct vhost_vring_file err = { ring, v->err.fd };
	struct vhost_vring_addr addr = { .index = ring,
		.desc_user_addr = (uintptr_t)q->desc_at,
		.avail_user_addr = (uintptr_t)q->avail_at,
		.used_user_addr = (uintptr_t)q->used_at };
	const struct {
		unsigned long request;
		void *arg;
		const char *what;
	} steps[] = { { VHOST_SET_VRING_NUM, &size, "a ring's size" },
		      { VHOST_SET_VRING_BASE, &at, "a ring's index" },
		      { VHOST_SET_VRING_ADDR, &addr, "a ring" },
		      { VHOST_SET_VRING_ERR, &err, "an eventfd" },
		      { VHOST_SET_VRING_KICK, &kick, "an eventfd" } };
	unsigned int i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (vhost_kernel_ioctl(fd, steps[i].request, steps[i].arg,
				       steps[i].what, error))
			return -1;
	return 0;
}

int vhost_kernel_stop(int fd, unsigned int ring, uint32_t *base,
		      struct error *error)
{
	struct vhost_vring_state at = { ring, 0 };

	if (vhost_kernel_ioctl(fd, VHOST_GET_VRING_BASE, &at, "a ring's index",
			       error))
		return -1;
	*base = at.num;
	return 0;
}
