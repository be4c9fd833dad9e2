// SPDX-License-Identifier: GPL-2.0
/*
 * The IDE function of an Intel 82371SB (PIIX3): two channels at their ports of old,
 * and a bus master for each (Programming Interface for Bus Master IDE Controller,
 * 1.0). There is one, which has all disks of bus=ide and all CD-ROMs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "devices/ide/ide.h"

#define BM_BAR		4
#define BM_CHANNEL	8	/* ports of each */
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };
#define TIMING		0x40	/* of channel 0, then 1; bit 15: it decodes */
#define TIMING_DECODES	0x80
#define PRD_LAST	(1u << 31)
#define TABLE_LEN	0x10000u	/* which it does not cross */

/* A physical region descriptor */
struct prd {
	uint32_t base, len;
};

/* ---- the bus master ------------------------------------------------------- */

/*
 * Memory for @want bytes, as the table says, each word of which is read once. The
 * number of its pieces; 0: there is not so much, or it is no memory
 */
static unsigned int gather(struct ide_channel *c, uint64_t want, bool in)
{
	const struct memory *memory = &c->ide->pci.device.machine->memory;
	uint32_t entries = (TABLE_LEN - c->bm_table % TABLE_LEN) / 8, i;
	struct prd prd = { 0, 0 };

	for (i = 0; i < entries && want && !(prd.len & PRD_LAST); i++) {
		const void *at = memory_at(memory, c->bm_table + 8ull * i,
					   sizeof(prd), MVMM_ACCESS_READ);
		struct iovec *iov = &c->iov[i];

		if (!at)
			return 0;
		memcpy(&prd, at, sizeof(prd));
		iov->iov_len = prd.len & 0xfffe ? prd.len & 0xfffe : 0x10000;
		if (iov->iov_len > want)
			iov->iov_len = want;
		iov->iov_base = memory_at(memory, prd.base & ~1u, iov->iov_len,
					  in ? MVMM_ACCESS_WRITE :
					       MVMM_ACCESS_READ);
		if (!iov->iov_base)
			return 0;
		want -= iov->iov_len;
		/* Else more is described than there is: it stays active */
		c->last = prd.len & PRD_LAST &&
			  iov->iov_len == (prd.len & 0xfffe ?
					   prd.len & 0xfffe : 0x10000);
	}
	return want ? 0 : i;
}

static void was_moved(struct ide_channel *c, int result)
{
	bool in = c->phase == IDE_DMA_IN;

	if (result || c->last)
		c->bm_status &= ~BM_ACTIVE;
	if (result)
		ide_disk_failed(c, in);
	else if (ide_selected(c)->cd)
		atapi_end(c, 0, 0, 0);
	else
		ide_end(c, 0, true);
}

static void table_failed(struct ide_channel *c)
{
	c->bm_status = (c->bm_status & ~BM_ACTIVE) | BM_ERROR;
	if (ide_selected(c)->cd)
		atapi_end(c, SENSE_ABORTED);
	else
		ide_end(c, ATA_ABORTED, true);
}

static void copy_out(struct ide_channel *c, unsigned int niov)
{
	const uint8_t *from = ide_bytes(c);
	unsigned int i;

	for (i = 0; i < niov; i++) {
		memcpy(c->iov[i].iov_base, from, c->iov[i].iov_len);
		from += c->iov[i].iov_len;
	}
	was_moved(c, 0);
}

void ide_dma_try(struct ide_channel *c)
{
	bool in = c->phase == IDE_DMA_IN;
	uint64_t want = c->left ? c->left : c->len;
	unsigned int niov;

	if ((!in && c->phase != IDE_DMA_OUT) || c->busy ||
	    !(c->bm_status & BM_ACTIVE) || !pci_is_master(&c->ide->pci))
		return;
	niov = !!(c->bm_command & BM_TO_MEMORY) == in ? gather(c, want, in) : 0;
	if (!niov)
		table_failed(c);
	else if (!c->left)
		copy_out(c, niov);
	else
		ide_submit(c, in ? BLOCK_READ : BLOCK_WRITE, c->at, want, niov,
			   ide_is_stable(c), was_moved);
}

/* The command that it was for is lost, as the drive cannot go on by itself */
static void stop(struct ide_channel *c)
{
	bool busy = c->busy;

	ide_cancel(c);
	c->bm_status &= ~BM_ACTIVE;
	if (busy)
		ide_end(c, ATA_ABORTED, false);
}

static void write_command(struct ide_channel *c, uint8_t value)
{
	uint8_t old = c->bm_command;

	c->bm_command = value & (BM_START | BM_TO_MEMORY);
	if (value & BM_START && !(old & BM_START)) {
		c->bm_status |= BM_ACTIVE;
		ide_dma_try(c);
	} else if (!(value & BM_START) && old & BM_START) {
		/* What is in flight by the data port is not its */
		if (c->phase == IDE_DMA_IN || c->phase == IDE_DMA_OUT)
			stop(c);
		c->bm_status &= ~BM_ACTIVE;
	}
}

static uint8_t read_byte(const struct ide_channel *c, unsigned int at)
{
	if (at == BM_COMMAND)
		return c->bm_command;
	if (at == BM_STATUS)
		return c->bm_status;
	return at < BM_TABLE ? 0 : c->bm_table >> 8 * (at - BM_TABLE);
}

static void write_byte(struct ide_channel *c, unsigned int at, uint8_t value)
{
	unsigned int shift = 8 * (at - BM_TABLE);

	if (at == BM_COMMAND) {
		write_command(c, value);
	} else if (at == BM_STATUS) {
		c->bm_status = (c->bm_status & ~BM_CAPABLE &
				~(value & (BM_ERROR | BM_INTERRUPT))) |
			       (value & BM_CAPABLE);
	} else if (at >= BM_TABLE) {
		c->bm_table = (c->bm_table & ~(0xffu << shift)) |
			      (uint32_t)value << shift;
		c->bm_table &= ~3u;
	}
}

static uint64_t bm_read(struct device *device, uint64_t at, unsigned int size)
{
	struct ide *ide = (struct ide *)device;
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < size && at + i < 2 * BM_CHANNEL; i++)
		value |= (uint64_t)read_byte(&ide->channel[(at + i) / BM_CHANNEL],
					     (at + i) % BM_CHANNEL) << 8 * i;
	return value;
}

static void bm_write(struct device *device, uint64_t at, uint64_t value,
		     unsigned int size)
{
	struct ide *ide = (struct ide *)device;
	unsigned int i;

	for (i = 0; i < size && at + i < 2 * BM_CHANNEL; i++)
		write_byte(&ide->channel[(at + i) / BM_CHANNEL],
			   (at + i) % BM_CHANNEL, value >> 8 * i);
}

/* ---- the channels' ports -------------------------------------------------- */

#define CHANNEL_PORTS(n)						\
static uint64_t command_read_##n(struct device *device, uint64_t at,	\
				 unsigned int size)			\
{									\
	return ide_command_read(&((struct ide *)device)->channel[n],	\
				at, size);				\
}									\
static void command_write_##n(struct device *device, uint64_t at,	\
			      uint64_t value, unsigned int size)	\
{									\
	ide_command_write(&((struct ide *)device)->channel[n], at,	\
			  value, size);					\
}									\
static uint64_t control_read_##n(struct device *device, uint64_t at,	\
				 unsigned int size)			\
{									\
	return ide_control_read(&((struct ide *)device)->channel[n]);	\
}									\
static void control_write_##n(struct device *device, uint64_t at,	\
			      uint64_t value, unsigned int size)	\
{									\
	ide_control_write(&((struct ide *)device)->channel[n], value);	\
}

CHANNEL_PORTS(0)
CHANNEL_PORTS(1)

static int map_channel(struct ide *ide, unsigned int n, struct error *error)
{
	static const struct region_ops command[] = {
		{ .max = 4, .read = command_read_0, .write = command_write_0 },
		{ .max = 4, .read = command_read_1, .write = command_write_1 } };
	static const struct region_ops control[] = {
		{ .read = control_read_0, .write = control_write_0 },
		{ .read = control_read_1, .write = control_write_1 } };
	static const uint16_t ports[] = { 0x1f0, 0x170 };
	struct device *device = &ide->pci.device;
	struct machine *m = device->machine;
	struct ide_channel *c = &ide->channel[n];

	c->command = (struct region){ &command[n], device, .len = 8 };
	c->control = (struct region){ &control[n], device, .len = 1 };
	c->irq = (struct irq){ .irqs = &m->irqs, .line = 14 + n };
	return region_map(&m->ports, &c->command, ports[n], error) ||
	       region_map(&m->ports, &c->control, ports[n] + 0x206, error) ?
	       -1 : 0;
}

/* ---- drives --------------------------------------------------------------- */

/*
 * Disks come first, in their order; CD-ROMs are at the second channel if there is
 * room, where systems of old look for them
 */
static struct ide_drive *place(struct ide *ide, bool cd)
{
	static const uint8_t orders[2][4] = { { 0, 1, 2, 3 }, { 2, 3, 0, 1 } };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		unsigned int n = orders[cd][i];
		struct ide_drive *d = &ide->channel[n / 2].drive[n % 2];

		if (!d->block)
			return d;
	}
	return NULL;
}

static int add_drive(struct ide *ide, unsigned int number, struct error *error)
{
	struct machine *m = ide->pci.device.machine;
	bool cd = m->config.disk_bus[number] == DISK_CDROM;
	struct block *block = m->config.disk[number];
	struct ide_drive *d = place(ide, cd);
	char serial[32];

	if (!d)
		return fail(error, STATUS_USAGE,
			    "--disk bus=ide, --cdrom: IDE has four drives at most");
	snprintf(serial, sizeof(serial), "mvmm-disk-%u", number);
	ata_text((uint16_t *)d->serial, block->serial[0] ? block->serial :
		 serial, sizeof(d->serial));
	d->cd = cd;
	d->block = block;
	return block->loop ||
	       !block->ops->start(block, ide->pci.device.loop, error) ? 0 : -1;
}

static int add_drives(struct ide *ide, struct error *error)
{
	const struct machine_config *config = &ide->pci.device.machine->config;
	unsigned int kind, i;

	for (kind = DISK_IDE; kind <= DISK_CDROM; kind++)
		for (i = 0; i < config->disks; i++)
			if (config->disk_bus[i] == kind &&
			    add_drive(ide, i, error))
				return -1;
	return 0;
}

/* ---- the device ----------------------------------------------------------- */

static void changed(struct pci_function *f, unsigned int at, unsigned int size)
{
	struct ide *ide = (struct ide *)f;
	unsigned int i;

	for (i = 0; i < IDE_CHANNELS; i++)
		ide_dma_try(&ide->channel[i]);
}

static void stop_dma(struct pci_function *f)
{
	struct ide *ide = (struct ide *)f;
	unsigned int i;

	for (i = 0; i < IDE_CHANNELS; i++)
		if (ide->channel[i].phase == IDE_DMA_IN ||
		    ide->channel[i].phase == IDE_DMA_OUT)
			stop(&ide->channel[i]);
}

static void make_function(struct ide *ide)
{
	static const struct region_ops bus_master = { .max = 4, .read = bm_read,
						      .write = bm_write };
	struct pci_function *f = &ide->pci;
	unsigned int i;

	f->changed = changed;
	f->stop_dma = stop_dma;
	f->bar[BM_BAR] = (struct region){ &bus_master, &f->device,
					  .len = 2 * BM_CHANNEL };
	pci_add_bar(f, BM_BAR, true, false);
	/* Drivers ask whether a channel is on; here nothing switches it off */
	for (i = 0; i < 2 * IDE_CHANNELS; i++)
		f->writable[TIMING + i] = 0xff;
	f->fixed[TIMING + 1] = f->fixed[TIMING + 3] = TIMING_DECODES;
}

static int create(struct device *device, struct error *error)
{
	static const struct pci_id id = { 0x8086, 0x7010, 0, 0, 0x010180, 0 };
	struct ide *ide = (struct ide *)device;
	unsigned int i;

	for (i = 0; i < IDE_CHANNELS; i++) {
		struct ide_channel *c = &ide->channel[i];

		c->ide = ide;
		c->iov = calloc(IDE_PRDS, sizeof(*c->iov));
		if (!c->iov || map_channel(ide, i, error))
			break;
	}
	if (i == IDE_CHANNELS && !pci_create(&ide->pci, &id, error) &&
	    !add_drives(ide, error)) {
		make_function(ide);
		return 0;
	}
	free(ide->channel[0].iov);
	free(ide->channel[1].iov);
	return error->text[0] ? -1 : fail(error, STATUS_OS, "IDE: no memory");
}

static void reset(struct device *device)
{
	struct ide *ide = (struct ide *)device;
	unsigned int i;

	for (i = 0; i < IDE_CHANNELS; i++)
		ide_channel_reset(&ide->channel[i]);
	pci_reset(&ide->pci);
}

static int loaded(struct device *device, struct error *error)
{
	struct ide *ide = (struct ide *)device;
	unsigned int i;

	for (i = 0; i < IDE_CHANNELS; i++)
		if (ide_channel_loaded(&ide->channel[i], error))
			return -1;
	return pci_loaded(&ide->pci, error);
}

/* What was in flight has been told to the guest */
static void saving(struct device *device)
{
	struct ide *ide = (struct ide *)device;
	unsigned int i;

	for (i = 0; i < IDE_CHANNELS; i++)
		if (ide->channel[i].busy)
			ide->channel[i].busy->ops->drain(ide->channel[i].busy);
}

static int medium(struct device *device, struct block *old, struct block *new,
		  bool force, struct error *error)
{
	struct ide *ide = (struct ide *)device;
	unsigned int i;

	for (i = 0; i < IDE_CHANNELS * IDE_DRIVES; i++) {
		struct ide_channel *c = &ide->channel[i / IDE_DRIVES];
		struct ide_drive *d = &c->drive[i % IDE_DRIVES];

		if (d->cd && d->block == old)
			return atapi_medium(c, d, new, force, error);
	}
	return 1;
}

static void destroy(struct device *device)
{
	struct ide *ide = (struct ide *)device;
	unsigned int i;

	for (i = 0; i < IDE_CHANNELS; i++) {
		pthread_mutex_lock(device->lock);
		ide_cancel(&ide->channel[i]);
		pthread_mutex_unlock(device->lock);
		free(ide->channel[i].iov);
	}
}

static const struct field fields[] = {
	PCI_FIELDS(struct ide, pci),
	FIELD_STRUCTS(struct ide, channel, ide_channel_fields), FIELDS_END
};

static const struct device_class piix3_ide = {
	.name = "piix3-ide", .size = sizeof(struct ide), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded, .saving = saving,
	.medium = medium, .destroy = destroy,
};
DEVICE_CLASS(piix3_ide);
