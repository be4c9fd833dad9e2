// SPDX-License-Identifier: GPL-2.0
/*
 * A channel of an IDE controller: the registers of its drives, their interrupt, and
 * the ways that data take between disk, buffer, data port and bus master. What a
 * command means is the drives' (ata.c, atapi.c).
 */
#include <string.h>
#include "devices/ide/ide.h"

/* What is at the command block's ports */
enum { DATA, FEATURE, COUNT, LBA0, LBA1, LBA2, DEVICE, COMMAND };

static bool is_there(const struct ide_channel *c)
{
	return c->drive[0].block || c->drive[1].block;
}

static void update_irq(struct ide_channel *c)
{
	irq_set(&c->irq, c->intrq && !(c->ctrl & ATA_NIEN));
}

void ide_interrupt(struct ide_channel *c)
{
	c->intrq = true;
	if (!(c->ctrl & ATA_NIEN))
		c->bm_status |= BM_INTERRUPT;
	update_irq(c);
}

void ide_end(struct ide_channel *c, uint8_t error, bool interrupt)
{
	struct ide_drive *d = ide_selected(c);

	c->phase = IDE_IDLE;
	d->error = error;
	d->status = ATA_DRDY | ATA_DSC | (error ? ATA_ERR : 0);
	if (interrupt)
		ide_interrupt(c);
}

void ide_signature(struct ide_drive *d)
{
	d->task = (struct ide_taskfile){
		.count = 1, .lba = { 1, d->cd ? 0x14 : 0, d->cd ? 0xeb : 0 } };
	d->error = 1;	/* it is well */
	/* A CD-ROM is ready when it has had its first command */
	d->status = d->cd ? 0 : ATA_DRDY | ATA_DSC;
}

/* ---- the block layer ------------------------------------------------------ */

static void done(struct block_request *request)
{
	struct ide_channel *c = request->ctx;

	c->busy = NULL;
	if (!c->cancelling)
		c->then(c, request->result);
}

void ide_submit(struct ide_channel *c, enum block_op op, uint64_t at,
		uint64_t len, unsigned int niov, bool stable,
		void (*then)(struct ide_channel *c, int result))
{
	struct ide_drive *d = ide_selected(c);

	d->status = ATA_BUSY;
	c->then = then;
	c->busy = d->block;
	c->request = (struct block_request){
		.op = op, .at = at, .len = len, .iov = c->iov, .niov = niov,
		.stable = stable, .done = done, .ctx = c };
	d->block->ops->submit(d->block, &c->request);
}

void ide_cancel(struct ide_channel *c)
{
	c->cancelling = true;
	if (c->busy)
		c->busy->ops->cancel(c->busy);
	c->cancelling = false;
}

void ide_disk_failed(struct ide_channel *c, bool read)
{
	struct ide_drive *d = ide_selected(c);
	uint64_t lba = c->at / BLOCK_SECTOR;

	if (d->cd) {
		atapi_end(c, SENSE_READ_ERROR);
		return;
	}
	d->task.lba[0] = lba;
	d->task.lba[1] = lba >> 8;
	d->task.lba[2] = lba >> 16;
	ide_end(c, read ? ATA_UNC : ATA_ABORTED, true);
}

/* ---- the data port -------------------------------------------------------- */

/* The host may read, or write, what is between @pos and the next interrupt */
static void open_port(struct ide_channel *c, bool interrupt)
{
	struct ide_drive *d = ide_selected(c);

	c->end = c->len - c->pos < c->unit ? c->len : c->pos + c->unit;
	d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
	if (d->cd) {
		d->task.count = ATAPI_TO_HOST;
		d->task.lba[1] = c->end - c->pos;
		d->task.lba[2] = (c->end - c->pos) >> 8;
	}
	if (interrupt)
		ide_interrupt(c);
}

void ide_offer(struct ide_channel *c, uint32_t len)
{
	c->phase = IDE_PIO_IN;
	c->pos = 0;
	c->len = len;
	open_port(c, true);
}

static uint32_t fill_of(const struct ide_channel *c)
{
	return c->left < IDE_BUFFER ? c->left : IDE_BUFFER;
}

static void was_read(struct ide_channel *c, int result)
{
	if (result) {
		ide_disk_failed(c, true);
		return;
	}
	c->at += c->request.len;
	c->left -= c->request.len;
	ide_offer(c, c->request.len);
}

void ide_pio_in(struct ide_channel *c)
{
	c->phase = IDE_PIO_IN;
	c->pos = c->end = c->len = 0;
	c->iov[0] = (struct iovec){ c->buffer, fill_of(c) };
	ide_submit(c, BLOCK_READ, c->at, fill_of(c), 1, false, was_read);
}

static void take_out(struct ide_channel *c, bool interrupt)
{
	c->phase = IDE_PIO_OUT;
	c->pos = 0;
	c->len = fill_of(c);
	open_port(c, interrupt);
}

static void was_written(struct ide_channel *c, int result)
{
	if (result) {
		ide_disk_failed(c, false);
		return;
	}
	c->at += c->request.len;
	c->left -= c->request.len;
	if (c->left)
		take_out(c, true);
	else
		ide_end(c, 0, true);
}

void ide_pio_out(struct ide_channel *c)
{
	take_out(c, false);
}

/* The host was at @end */
static void next_block(struct ide_channel *c)
{
	if (c->phase == IDE_PACKET_OUT) {
		atapi_packet(c);
	} else if (c->end < c->len) {
		open_port(c, true);
	} else if (c->phase == IDE_PIO_OUT) {
		c->iov[0] = (struct iovec){ c->buffer, c->len };
		ide_submit(c, BLOCK_WRITE, c->at, c->len, 1, ide_is_stable(c),
			   was_written);
	} else if (c->left) {
		ide_pio_in(c);
	} else if (c->running == ATAPI_PACKET) {
		atapi_end(c, 0, 0, 0);
	} else {
		ide_end(c, 0, false);
	}
}

static bool port_is_open(struct ide_channel *c, bool out)
{
	return !c->busy && c->pos < c->end &&
	       (out ? c->phase == IDE_PIO_OUT || c->phase == IDE_PACKET_OUT :
		      c->phase == IDE_PIO_IN);
}

/* Of bytes of an odd number the last one has a word to itself */
static unsigned int move_on(struct ide_channel *c, unsigned int size)
{
	unsigned int n = size < c->end - c->pos ? size : c->end - c->pos;

	c->pos += n;
	return n;
}

static uint64_t data_read(struct ide_channel *c, unsigned int size)
{
	uint64_t value = 0;
	uint32_t from = c->pos;

	if (!port_is_open(c, false))
		return is_there(c) ? 0 : ~0ull;
	memcpy(&value, ide_bytes(c) + from, move_on(c, size));
	if (c->pos == c->end)
		next_block(c);
	return value;
}

static void data_write(struct ide_channel *c, uint64_t value, unsigned int size)
{
	uint8_t *to = c->phase == IDE_PACKET_OUT ? c->packet : ide_bytes(c);
	uint32_t from = c->pos;

	if (!port_is_open(c, true))
		return;
	memcpy(to + from, &value, move_on(c, size));
	if (c->pos == c->end)
		next_block(c);
}

/* ---- the other registers -------------------------------------------------- */

static uint8_t read_register(struct ide_channel *c, unsigned int at)
{
	struct ide_drive *d = ide_selected(c);
	const struct ide_taskfile *task;
	bool there = d->block;

	if (!is_there(c))
		return 0xff;	/* nobody pulls the lines down */
	if (at == COMMAND) {
		if (there)
			c->intrq = false;
		update_irq(c);
		return there ? d->status : 0;
	}
	/* Drive 0 answers for a drive 1 that is missing */
	if (!there)
		d = &c->drive[!(c->device & ATA_DEV1)];
	task = c->ctrl & ATA_HOB ? &d->before : &d->task;
	switch (at) {
	case FEATURE:
		return d->error;
	case COUNT:
		return task->count;
	case DEVICE:
		return c->device | 0xa0;
	default:
		return task->lba[at - LBA0];
	}
}

/* All drives of the channel, which gets interrupts again */
static void soft_reset(struct ide_channel *c)
{
	unsigned int i;

	ide_cancel(c);
	c->phase = IDE_IDLE;
	c->intrq = false;
	c->device = 0;
	for (i = 0; i < IDE_DRIVES; i++)
		ide_signature(&c->drive[i]);
	update_irq(c);
}

static void write_task(struct ide_drive *d, unsigned int at, uint8_t value)
{
	uint8_t *to = at == FEATURE ? &d->task.feature :
		      at == COUNT ? &d->task.count : &d->task.lba[at - LBA0];
	uint8_t *before = at == FEATURE ? &d->before.feature :
			  at == COUNT ? &d->before.count :
					&d->before.lba[at - LBA0];

	*before = *to;
	*to = value;
}

static void begin(struct ide_channel *c, uint8_t command)
{
	struct ide_drive *d = ide_selected(c);

	c->intrq = false;
	update_irq(c);
	if (!d->block)
		return;
	c->phase = IDE_IDLE;
	c->running = command;
	c->at = c->left = 0;
	d->error = 0;
	if (d->cd)
		atapi_command(c, command);
	else
		ata_command(c, command);
}

static void write_register(struct ide_channel *c, unsigned int at, uint8_t value)
{
	c->ctrl &= ~ATA_HOB;
	/* A drive that is busy has its registers to itself, but for a reset */
	if (c->busy && !(at == COMMAND && value == 0x08 &&
			      ide_selected(c)->cd))
		return;
	if (at == COMMAND) {
		begin(c, value);
	} else if (at == DEVICE) {
		/* A command is its drive's, which is lost with another one */
		if ((c->device ^ value) & ATA_DEV1)
			c->phase = IDE_IDLE;
		c->device = value;
	} else {
		write_task(&c->drive[0], at, value);
		write_task(&c->drive[1], at, value);
	}
}

uint64_t ide_command_read(struct ide_channel *c, uint64_t at, unsigned int size)
{
	uint64_t value = 0;
	unsigned int i;

	if (at == DATA)
		return data_read(c, size);
	for (i = 0; i < size && at + i <= COMMAND; i++)
		value |= (uint64_t)read_register(c, at + i) << 8 * i;
	return value;
}

void ide_command_write(struct ide_channel *c, uint64_t at, uint64_t value,
		       unsigned int size)
{
	unsigned int i;

	if (at == DATA) {
		data_write(c, value, size);
		return;
	}
	for (i = 0; i < size && at + i <= COMMAND; i++)
		write_register(c, at + i, value >> 8 * i);
}

uint64_t ide_control_read(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);

	if (!is_there(c))
		return 0xff;
	return d->block ? d->status : 0;
}

void ide_control_write(struct ide_channel *c, uint8_t value)
{
	uint8_t old = c->ctrl;

	c->ctrl = value;
	if (value & ATA_SRST && !(old & ATA_SRST)) {
		soft_reset(c);
		c->drive[0].status = c->drive[1].status = ATA_BUSY;
	} else if (old & ATA_SRST && !(value & ATA_SRST)) {
		soft_reset(c);
	}
	update_irq(c);
}

/* ---- DMA ------------------------------------------------------------------ */

/* The commands that go by DMA read or write the whole disk, or the buffer */
void ide_dma(struct ide_channel *c, bool in)
{
	c->phase = in ? IDE_DMA_IN : IDE_DMA_OUT;
	ide_selected(c)->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
	ide_dma_try(c);
}

/* ---- state ---------------------------------------------------------------- */

void ide_channel_reset(struct ide_channel *c)
{
	unsigned int i;

	for (i = 0; i < IDE_DRIVES; i++) {
		struct ide_drive *d = &c->drive[i];

		d->heads = 16;
		d->sectors = 63;
		d->multiple = IDE_MULTIPLE;
		d->locked = false;
		if (d->block)
			c->bm_status |= 1u << (5 + i);
	}
	soft_reset(c);
}

/* Is there something wrong with the drive that has a command? */
static bool is_wrong(struct ide_channel *c)
{
	const struct ide_drive *d = ide_selected(c);

	if (c->phase >= IDE_PHASES || c->len > IDE_BUFFER || c->end > c->len ||
	    c->pos > c->end)
		return true;
	if (c->phase == IDE_IDLE)
		return false;
	if (!d->block || c->at > d->block->size ||
	    c->left > d->block->size - c->at || !c->unit ||
	    (c->at | c->left) % BLOCK_SECTOR)
		return true;
	switch (c->phase) {
	case IDE_PACKET_OUT:
		return !d->cd || c->len > IDE_PACKET;
	case IDE_PIO_OUT:
		return d->cd || d->block->read_only || c->len != fill_of(c);
	case IDE_DMA_OUT:
		return d->cd || d->block->read_only || !c->left;
	default:
		return false;
	}
}

int ide_channel_loaded(struct ide_channel *c, struct error *error)
{
	unsigned int i;

	for (i = 0; i < IDE_DRIVES; i++) {
		struct ide_drive *d = &c->drive[i];

		if (!d->heads || d->heads > 16 || !d->sectors ||
		    d->multiple > IDE_MULTIPLE ||
		    d->multiple & (d->multiple - 1))
			return fail(error, STATUS_DATA,
				    "drive %u: %u heads, %u sectors of a track, %u at once",
				    i, d->heads, d->sectors, d->multiple);
	}
	if (is_wrong(c))
		return fail(error, STATUS_DATA,
			    "phase %u: byte %u to %u of %u, then %llu from %llu on",
			    c->phase, c->pos, c->end, c->len,
			    (unsigned long long)c->left,
			    (unsigned long long)c->at);
	update_irq(c);
	return 0;
}

static const struct field task_fields[] = {
	FIELD(struct ide_taskfile, feature), FIELD(struct ide_taskfile, count),
	FIELD_ARRAY(struct ide_taskfile, lba), FIELDS_END
};

static const struct field drive_fields[] = {
	FIELD_ONE(struct ide_drive, task, task_fields),
	FIELD_ONE(struct ide_drive, before, task_fields),
	FIELD(struct ide_drive, error), FIELD(struct ide_drive, status),
	FIELD(struct ide_drive, multiple), FIELD(struct ide_drive, heads),
	FIELD(struct ide_drive, sectors), FIELD(struct ide_drive, mode),
	FIELD(struct ide_drive, no_cache), FIELD(struct ide_drive, key),
	FIELD(struct ide_drive, asc), FIELD(struct ide_drive, ascq),
	FIELD(struct ide_drive, locked), FIELD(struct ide_drive, open),
	FIELD(struct ide_drive, changed), FIELD(struct ide_drive, event),
	FIELDS_END
};

const struct field ide_channel_fields[] = {
	FIELD_STRUCTS(struct ide_channel, drive, drive_fields),
	FIELD(struct ide_channel, device), FIELD(struct ide_channel, ctrl),
	FIELD(struct ide_channel, intrq), FIELD(struct ide_channel, running),
	FIELD(struct ide_channel, phase), FIELD(struct ide_channel, at),
	FIELD(struct ide_channel, left), FIELD(struct ide_channel, unit),
	FIELD(struct ide_channel, pos), FIELD(struct ide_channel, end),
	FIELD(struct ide_channel, len), FIELD_ARRAY(struct ide_channel, buffer),
	FIELD_ARRAY(struct ide_channel, packet),
	FIELD(struct ide_channel, limit),
	FIELD(struct ide_channel, packet_dma),
	FIELD(struct ide_channel, bm_command),
	FIELD(struct ide_channel, bm_status), FIELD(struct ide_channel, bm_table),
	FIELDS_END
};
