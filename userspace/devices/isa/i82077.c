// SPDX-License-Identifier: GPL-2.0
/*
 * Intel 82077AA: a floppy disk controller with two drives, and the ISA bus's DMA
 * chips, without which it moves nothing (i8237.c). What a drive has is given by
 * --floppy, and its size says how it is formatted. Not there: transfers without
 * DMA, scans, and what depends on the time that a track turns.
 */
#include <string.h>
#include "devices/isa/i82077.h"

#define FLOPPY_IRQ	6

/* Ports from 0x3f0 on */
enum { DOR = 2, TDR, MSR, FIFO };
#define DOR_RUN		(1u << 2)	/* else it is in reset */
#define MSR_BUSY	(1u << 4)
#define MSR_TO_HOST	(1u << 6)
#define MSR_READY	(1u << 7)
#define DSR_RESET	(1u << 7)
#define DIR_CHANGED	(1u << 7)

/* The first two are also for what is shorter */
static const struct floppy_format formats[] = {
	{ 1440, 80, 2, 18, 1 << 0, 4 }, { 2880, 80, 2, 36, 1 << 3, 5 },
	{ 1200, 80, 2, 15, 1 << 0, 2 }, { 720, 80, 2, 9, 1 << 1 | 1 << 2, 3 },
	{ 360, 40, 2, 9, 1 << 1 | 1 << 2, 1 },
	{ 320, 40, 2, 8, 1 << 1 | 1 << 2, 1 },
	{ 180, 40, 1, 9, 1 << 1 | 1 << 2, 1 },
	{ 160, 40, 1, 8, 1 << 1 | 1 << 2, 1 },
};

static void expect_command(struct fdc *f)
{
	f->pos = f->len = 0;
	f->results = false;
}

/* As by the pin, by DOR and by DSR */
static void soft_reset(struct fdc *f)
{
	fdc_cancel(f);
	expect_command(f);
	f->asks = false;
	f->st0 = 0;
	if (!f->locked)
		f->config = 0;
	fdc_update_irq(f);
}

static void reset_ends(struct fdc *f)
{
	f->resets = 4;
	fdc_ask(f);
}

/* ---- results -------------------------------------------------------------- */

static void answer(struct fdc *f, const void *bytes, unsigned int len)
{
	memcpy(f->fifo, bytes, len);
	f->pos = 0;
	f->len = len;
	f->results = true;
}

static void answer_byte(struct fdc *f, uint8_t byte)
{
	answer(f, &byte, 1);
}

/* ---- commands ------------------------------------------------------------- */

static void read_id(struct fdc *f)
{
	struct floppy *d = fdc_drive(f, f->fifo[1] & DOR_UNIT);
	uint8_t head = f->fifo[1] >> 2 & 1;
	bool ok = d && d->block->size && d->format->rate & 1u << f->rate &&
		  head < d->format->heads && d->track < d->format->tracks;

	f->fifo[2] = d ? d->track : 0;
	f->fifo[3] = head;
	f->fifo[4] = 1;
	f->fifo[5] = 2;
	fdc_end(f, ok ? 0 : ST0_ABNORMAL, ok ? 0 : ST1_NO_ADDRESS, 0);
}

/* The heads of the 82077 make at most 80 steps home: here that is enough */
static void seek(struct fdc *f, uint8_t track)
{
	unsigned int unit = f->fifo[1] & DOR_UNIT;
	struct floppy *d = fdc_drive(f, unit);

	f->st0 = ST0_SEEK | (f->fifo[1] & 7);
	if (d) {
		d->track = track;
		/* Without a disk the line stays */
		d->changed = !d->block->size;
	} else {
		f->st0 |= ST0_ABNORMAL | ST0_CHECK;
	}
	expect_command(f);
	fdc_ask(f);
}

static void sense_interrupt(struct fdc *f)
{
	struct floppy *d;
	uint8_t result[2] = { ST0_INVALID, 0 };
	unsigned int len = 2;

	if (f->resets) {
		d = fdc_drive(f, 4 - f->resets);
		result[0] = ST0_CHANGED | (4 - f->resets);
		result[1] = d ? d->track : 0;
		f->resets--;
	} else if (f->st0) {
		d = fdc_drive(f, f->st0 & DOR_UNIT);
		result[0] = f->st0;
		result[1] = d ? d->track : 0;
		f->st0 = 0;
	} else {
		len = 1;
	}
	f->asks = false;
	fdc_update_irq(f);
	answer(f, result, len);
}

static void sense_drive(struct fdc *f)
{
	struct floppy *d = fdc_drive(f, f->fifo[1] & DOR_UNIT);
	uint8_t st3 = 0x28 | (f->fifo[1] & 7);	/* ready, two sides */

	if (d && d->block->read_only)
		st3 |= 0x40;
	if (d && !d->track)
		st3 |= 0x10;
	answer_byte(f, st3);
}

static void dump(struct fdc *f)
{
	uint8_t r[10] = { f->drive[0].track, f->drive[1].track, 0, 0,
			  f->specify[0], f->specify[1], 0,
			  f->locked << 7 | f->perpendicular, f->config, 0 };

	answer(f, r, sizeof(r));
}

/* Bytes of a command; 0: there is no such */
static unsigned int length_of(uint8_t command)
{
	static const uint8_t lengths[32] = {
		[READ_TRACK] = 9, [SPECIFY] = 3, [SENSE_DRIVE] = 2, [WRITE] = 9,
		[READ] = 9, [RECALIBRATE] = 2, [SENSE_INTERRUPT] = 1,
		[WRITE_DELETED] = 9, [READ_ID] = 2, [READ_DELETED] = 9,
		[FORMAT] = 6, [DUMP] = 1, [SEEK] = 3, [VERSION] = 1,
		[PERPENDICULAR] = 2, [CONFIGURE] = 4, [LOCK] = 1, [VERIFY] = 9,
		[PART_ID] = 1 };

	/* Seeks by so many tracks are none of what is there */
	return command == 0x8f || command == 0xcf ? 0 : lengths[command & 0x1f];
}

static void execute(struct fdc *f)
{
	uint8_t command = f->fifo[0] & 0x1f;

	switch (command) {
	case READ:
	case READ_DELETED:
	case READ_TRACK:
	case VERIFY:
		fdc_transfer(f, false);
		return;
	case WRITE:
	case WRITE_DELETED:
		fdc_transfer(f, true);
		return;
	case FORMAT:
		fdc_format(f);
		return;
	case READ_ID:
		read_id(f);
		return;
	case RECALIBRATE:
		seek(f, 0);
		return;
	case SEEK:
		seek(f, f->fifo[2]);
		return;
	case SENSE_INTERRUPT:
		sense_interrupt(f);
		return;
	case SENSE_DRIVE:
		sense_drive(f);
		return;
	case DUMP:
		dump(f);
		return;
	case VERSION:
		answer_byte(f, 0x90);
		return;
	case PART_ID:
		answer_byte(f, 0x41);
		return;
	case LOCK:
		f->locked = f->fifo[0] & 0x80;
		answer_byte(f, f->locked << 4);
		return;
	case SPECIFY:
		memcpy(f->specify, f->fifo + 1, 2);
		break;
	case PERPENDICULAR:
		f->perpendicular = f->fifo[1] & 0x7f;
		break;
	case CONFIGURE:
		f->config = f->fifo[2];
		break;
	}
	expect_command(f);
}

static void write_fifo(struct fdc *f, uint8_t value)
{
	if (f->busy || f->results || !(f->dor & DOR_RUN))
		return;
	if (!f->pos) {
		f->len = length_of(value);
		f->asks = false;
		fdc_update_irq(f);
		if (!f->len) {
			answer_byte(f, ST0_INVALID);
			return;
		}
	}
	f->fifo[f->pos++] = value;
	if (f->pos == f->len)
		execute(f);
}

static uint8_t read_fifo(struct fdc *f)
{
	uint8_t value;

	if (!f->results)
		return 0;
	f->asks = false;
	fdc_update_irq(f);
	value = f->fifo[f->pos++];
	if (f->pos == f->len)
		expect_command(f);
	return value;
}

/* ---- registers ------------------------------------------------------------ */

static uint8_t main_status(const struct fdc *f)
{
	if (!(f->dor & DOR_RUN))
		return 0;
	if (f->busy)
		return MSR_BUSY;
	return MSR_READY | (f->results ? MSR_TO_HOST | MSR_BUSY :
			    f->pos ? MSR_BUSY : 0);
}

static void write_dor(struct fdc *f, uint8_t value)
{
	uint8_t old = f->dor;

	f->dor = value;
	if (old & DOR_RUN && !(value & DOR_RUN)) {
		soft_reset(f);
		f->resets = 0;
	} else if (!(old & DOR_RUN) && value & DOR_RUN) {
		reset_ends(f);
	}
	fdc_update_irq(f);
}

static uint64_t fdc_read(struct device *device, uint64_t at, unsigned int size)
{
	struct fdc *f = (struct fdc *)device;

	switch (at) {
	case DOR:
		return f->dor;
	case MSR:
		return main_status(f);
	case FIFO:
		return read_fifo(f);
	default:
		return 0;
	}
}

static void fdc_write(struct device *device, uint64_t at, uint64_t value,
		      unsigned int size)
{
	struct fdc *f = (struct fdc *)device;

	if (at == DOR) {
		write_dor(f, value);
	} else if (at == FIFO) {
		write_fifo(f, value);
	} else if (at == MSR) {
		f->rate = value & 3;
		if (value & DSR_RESET && f->dor & DOR_RUN) {
			soft_reset(f);
			reset_ends(f);
		}
	}
}

/* Port 0x3f7: has the disk been changed? And the rate */
static uint64_t dir_read(struct device *device, uint64_t at, unsigned int size)
{
	struct fdc *f = (struct fdc *)device;
	unsigned int unit = f->dor & DOR_UNIT;
	struct floppy *d = fdc_drive(f, unit);
	bool motor = f->dor & 0x10 << unit;

	return motor && (!d || d->changed) ? DIR_CHANGED : 0;
}

static void ccr_write(struct device *device, uint64_t at, uint64_t value,
		      unsigned int size)
{
	((struct fdc *)device)->rate = value & 3;
}

static uint64_t dma_read(struct device *device, uint64_t at, unsigned int size)
{
	return i8237_read(&((struct fdc *)device)->dma[0], at);
}

static void dma_write(struct device *device, uint64_t at, uint64_t value,
		      unsigned int size)
{
	i8237_write(&((struct fdc *)device)->dma[0], at, value);
}

/* That of words has its registers two ports apart */
static uint64_t dma16_read(struct device *device, uint64_t at, unsigned int size)
{
	return i8237_read(&((struct fdc *)device)->dma[1], at / 2);
}

static void dma16_write(struct device *device, uint64_t at, uint64_t value,
			unsigned int size)
{
	i8237_write(&((struct fdc *)device)->dma[1], at / 2, value);
}

/* From port 0x81 on: 0x80 is for delays and diagnoses */
static uint64_t page_read(struct device *device, uint64_t at, unsigned int size)
{
	const uint8_t *page = i8237_page(((struct fdc *)device)->dma, at + 1);

	return page ? *page : 0;
}

static void page_write(struct device *device, uint64_t at, uint64_t value,
		       unsigned int size)
{
	uint8_t *page = i8237_page(((struct fdc *)device)->dma, at + 1);

	if (page)
		*page = value;
}

/* ---- the device ----------------------------------------------------------- */

/* NULL: it is too large for a floppy disk */
static const struct floppy_format *format_of(const struct block *block)
{
	unsigned int i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (block->size == formats[i].size * 1024ull)
			return &formats[i];
	/* One that is shorter than it could be, as images of boot loaders are */
	for (i = 0; i < 2; i++)
		if (block->size < formats[i].size * 1024ull)
			return &formats[i];
	return NULL;
}

static int check_format(const struct block *block, struct error *error)
{
	return format_of(block) ? 0 :
	       fail(error, STATUS_DATA,
		    "--floppy: an image of %llu bytes is larger than 2880 KiB",
		    (unsigned long long)block->size);
}

static int medium(struct device *device, struct block *old, struct block *new,
		  bool force, struct error *error)
{
	struct fdc *f = (struct fdc *)device;
	unsigned int i;

	for (i = 0; i < FDC_DRIVES; i++) {
		struct floppy *d = &f->drive[i];

		if (d->block != old)
			continue;
		if (check_format(new, error))
			return -1;
		/* What was being read or written fails */
		if (f->busy == old)
			old->ops->cancel(old);
		d->block = new;
		d->format = format_of(new);
		d->changed = true;
		return 0;
	}
	return 1;
}

static int add_floppy(struct fdc *f, struct block *block, struct error *error)
{
	struct machine *m = f->device.machine;
	unsigned int n = !!f->drive[0].block;
	struct floppy *d = &f->drive[n];

	if (d->block)
		return fail(error, STATUS_USAGE, "--floppy: at most %u", FDC_DRIVES);
	if (!block->loop && block->ops->start(block, f->device.loop, error))
		return -1;
	d->block = block;
	if (check_format(block, error))
		return -1;
	d->format = format_of(block);
	/* A machine that is made anew has the drives that it had, whatever is in them */
	if (!(m->floppies >> (n ? 0 : 4) & 0xf))
		m->floppies |= d->format->type << (n ? 0 : 4);
	return 0;
}

static int add_floppies(struct fdc *f, struct error *error)
{
	const struct machine_config *config = &f->device.machine->config;
	unsigned int i;

	for (i = 0; i < config->disks; i++)
		if (config->disk_bus[i] == DISK_FLOPPY &&
		    add_floppy(f, config->disk[i], error))
			return -1;
	return 0;
}

static int create(struct device *device, struct error *error)
{
	static const struct region_ops ops[] = {
		{ .read = fdc_read, .write = fdc_write },
		{ .read = dir_read, .write = ccr_write },
		{ .read = dma_read, .write = dma_write },
		{ .read = page_read, .write = page_write },
		{ .read = dma16_read, .write = dma16_write } };
	static const uint16_t ports[] = { 0x3f0, 0x3f7, 0, 0x81, 0xc0 };
	static const uint8_t len[] = { 6, 1, 16, 15, 32 };
	struct fdc *f = (struct fdc *)device;
	struct machine *m = device->machine;
	unsigned int i;

	f->irq = (struct irq){ .irqs = &m->irqs, .line = FLOPPY_IRQ };
	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		f->region[i] = (struct region){ &ops[i], device, .len = len[i] };
		if (region_map(&m->ports, &f->region[i], ports[i], error))
			return -1;
	}
	return add_floppies(f, error);
}

static void reset(struct device *device)
{
	struct fdc *f = (struct fdc *)device;
	unsigned int i;

	soft_reset(f);
	f->rate = 2;
	for (i = 0; i < FDC_DRIVES; i++)
		f->drive[i].changed = true;
	i8237_reset(&f->dma[0]);
	i8237_reset(&f->dma[1]);
}

static int loaded(struct device *device, struct error *error)
{
	struct fdc *f = (struct fdc *)device;

	/* A command's bytes are as many as its first one says */
	if (f->len > sizeof(f->fifo) || f->pos > f->len ||
	    (f->len && f->pos == f->len) || (f->results && !f->len) ||
	    (!f->results && f->pos && f->len != length_of(f->fifo[0])) ||
	    f->resets > 4 || f->rate > 3)
		return fail(error, STATUS_DATA,
			    "byte %u of %u, %u resets, rate %u", f->pos, f->len,
			    f->resets, f->rate);
	fdc_update_irq(f);
	return 0;
}

/* What was in flight has been told to the guest */
static void saving(struct device *device)
{
	struct fdc *f = (struct fdc *)device;

	if (f->busy)
		f->busy->ops->drain(f->busy);
}

static void destroy(struct device *device)
{
	pthread_mutex_lock(device->lock);
	fdc_cancel((struct fdc *)device);
	pthread_mutex_unlock(device->lock);
}

static const struct field drive_fields[] = {
	FIELD(struct floppy, track), FIELD(struct floppy, changed), FIELDS_END
};

static const struct field fields[] = {
	FIELD_STRUCTS(struct fdc, drive, drive_fields), FIELD(struct fdc, dor),
	FIELD(struct fdc, rate), FIELD_ARRAY(struct fdc, fifo),
	FIELD(struct fdc, pos), FIELD(struct fdc, len),
	FIELD(struct fdc, results), FIELD(struct fdc, asks),
	FIELD(struct fdc, resets), FIELD(struct fdc, st0),
	FIELD(struct fdc, config), FIELD_ARRAY(struct fdc, specify),
	FIELD(struct fdc, perpendicular), FIELD(struct fdc, locked),
	FIELD_STRUCTS(struct fdc, dma, i8237_fields), FIELDS_END
};

static const struct device_class i82077 = {
	.name = "i82077", .size = sizeof(struct fdc), .fields = fields,
	.create = create, .reset = reset, .loaded = loaded, .saving = saving,
	.medium = medium, .destroy = destroy,
};
DEVICE_CLASS(i82077);
