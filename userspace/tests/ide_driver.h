/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's driver for the piix3-ide of a bare machine, in slot 1: a disk is drive 0
 * of channel 0, a CD-ROM drive 0 of channel 1. Both are in memory, and their
 * requests wait if a test wants that.
 */
#ifndef MVMM_IDE_DRIVER_H
#define MVMM_IDE_DRIVER_H

#include "devices/ide/ide.h"
#include "tests/virtio_driver.h"

#define DISK_SECTORS	(1008 * 10 + 7)	/* ten cylinders and a rest */
#define CD_SECTORS	200
#define BM		0xc000
#define PRDS		0x10000ull

static struct in_memory {
	struct block block;
	uint8_t *data;
	bool waits;
	int result;
	struct block_request *pending;
	unsigned int flushes, stable;
} disk, cd;

static uint8_t second_bus = DISK_CDROM;	/* or a disk: drive 1 of channel 0 */

static inline void memory_do(struct in_memory *d)
{
	struct block_request *r = d->pending;
	uint8_t *bytes;
	unsigned int i;

	if (!r)
		return;
	if (r->at > d->block.size || r->len > d->block.size - r->at)
		__builtin_trap();
	d->pending = NULL;
	bytes = d->data + r->at;
	r->result = d->result;
	d->flushes += r->op == BLOCK_FLUSH;
	d->stable += r->stable;
	for (i = 0; !r->result && i < r->niov; bytes += r->iov[i++].iov_len)
		memcpy(r->op == BLOCK_READ ? r->iov[i].iov_base : bytes,
		       r->op == BLOCK_READ ? bytes : r->iov[i].iov_base,
		       r->iov[i].iov_len);
	r->done(r);
}

static inline struct in_memory *of_block(struct block *block)
{
	return (struct in_memory *)block;
}

static int memory_start(struct block *block, struct loop *loop, struct error *e)
{
	block->loop = loop;
	return 0;
}

static void memory_submit(struct block *block, struct block_request *request)
{
	struct in_memory *d = of_block(block);

	if (d->pending)
		__builtin_trap();
	d->pending = request;
	if (!d->waits)
		memory_do(d);
}

static void memory_drain(struct block *block)
{
	memory_do(of_block(block));
}

static void memory_cancel(struct block *block)
{
	struct in_memory *d = of_block(block);
	struct block_request *r = d->pending;

	d->pending = NULL;
	if (!r)
		return;
	r->result = -ECANCELED;
	r->done(r);
}

static inline void memory_init(struct in_memory *d, uint64_t sectors)
{
	static const struct block_ops ops = {
		.start = memory_start, .submit = memory_submit,
		.drain = memory_drain, .cancel = memory_cancel };
	uint64_t i;

	/* What it had stays, until a test frees it */
	*d = (struct in_memory){ .block = { &ops, .size = sectors * 512 },
				 .data = d->data };
	if (d->data)
		return;
	d->data = malloc(d->block.size);
	for (i = 0; d->data && i < d->block.size; i++)
		d->data[i] = i / 512 * 3 + i;
}

/* As a user wants it, into the drive that has @old; as of struct device_class */
static inline int put_in(struct in_memory *old, struct in_memory *new, bool force)
{
	struct device *device;
	int ret = 1;

	new->block.loop = &m.loop;
	pthread_mutex_lock(&m.loop.lock);
	for (device = m.devices; device && ret == 1; device = device->next)
		if (device->class->medium)
			ret = device->class->medium(device, &old->block,
						    &new->block, force, &error);
	pthread_mutex_unlock(&m.loop.lock);
	return ret;
}

static inline void make_machine(void)
{
	bare_start();
	m.warnings = MACHINE_WARNINGS;
	if (memory_create(&m.memory, MEMORY, false, &error))
		__builtin_trap();
	m.config.disk[0] = &disk.block;
	m.config.disk[1] = &cd.block;
	m.config.disks = 2;
	m.config.disk_bus[0] = DISK_IDE;
	m.config.disk_bus[1] = second_bus;
	bare_device("pci-host");
	bare_device("piix3-ide");
}

static inline void drop_machine(void)
{
	devices_destroy(&m);
	memory_destroy(&m.memory);
	bare_stop();
	disk.block.loop = cd.block.loop = NULL;
}

static inline void make_ide(void)
{
	memory_init(&disk, DISK_SECTORS);
	memory_init(&cd, CD_SECTORS * 4);
	make_machine();
	memset(&driver, 0, sizeof(driver));
	cfg_write(PCI_BASE_ADDRESS_4, BM, 4);
	cfg_write(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
}

#endif
