/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of i82077, a floppy disk controller: registers, commands and the device
 * (i82077.c), and what moves data (i82077_data.c).
 */
#ifndef MVMM_I82077_H
#define MVMM_I82077_H

#include "block/block.h"
#include "devices/isa/i8237.h"

#define FDC_DRIVES		2
#define FDC_SECTOR		512u
#define FDC_CYLINDER	(2 * 36)	/* sectors of a cylinder */
#define FLOPPY_DMA	2		/* channel */
#define DOR_UNIT	3u	/* in that register: which drive */
#define DOR_IRQ		(1u << 3)

/* What a command can end with: ST0, ST1, ST2 */
#define ST0_ABNORMAL	0x40
#define ST0_INVALID	0x80
#define ST0_CHANGED	0xc0
#define ST0_SEEK	0x20
#define ST0_CHECK	0x10
#define ST1_NO_ADDRESS	0x01
#define ST1_READ_ONLY	0x02
#define ST1_NO_DATA	0x04
#define ST1_CRC		0x20
#define ST1_END		0x80
#define ST2_WRONG_TRACK	0x10

enum { READ_TRACK = 0x02, SPECIFY, SENSE_DRIVE, WRITE, READ, RECALIBRATE,
       SENSE_INTERRUPT, WRITE_DELETED, READ_ID, READ_DELETED = 0x0c, FORMAT,
       DUMP, SEEK, VERSION, PERPENDICULAR = 0x12, CONFIGURE, LOCK, VERIFY = 0x16,
       PART_ID = 0x18 };

/**
 * struct floppy_format - what a size means
 * @size: KiB
 * @tracks: of a side
 * @heads: sides
 * @sectors: of a track
 * @rate: a bit for each data rate by which it is read
 * @type: of a drive for it, as CMOS has it
 */
struct floppy_format {
	uint16_t size;
	uint8_t tracks, heads, sectors, rate, type;
};

/**
 * struct floppy - a drive
 * @block: what is in it; NULL: there is no such drive
 * @format: of that
 * @track: where its heads are
 * @changed: nothing has moved them since the disk came
 */
struct floppy {
	struct block *block;
	const struct floppy_format *format;
	uint8_t track;
	bool changed;
};

/**
 * struct fdc - the controller
 * @region: ports 0x3f0 to 0x3f5, 0x3f7, and those of DMA
 * @irq: its line
 * @drive: its drives
 * @busy: has a request of it; NULL: there is none
 * @cancelling: what ends now is of no command any more
 * @request: that
 * @iov: its memory
 * @data: what goes between disk and DMA
 * @moving: bytes of it
 * @more: DMA wants more than that
 * @dor: register: drive, reset, motors
 * @rate: of data, as the guest chose
 * @fifo: a command, or its results
 * @pos: where the guest is in there
 * @len: how many bytes there are, or are to come
 * @results: those are results
 * @asks: it asks for an interrupt
 * @resets: how many drives are to be told about a reset
 * @st0: of the last seek, while it is to be told
 * @config: CONFIGURE's first byte that counts
 * @specify: what SPECIFY has set
 * @perpendicular: a register, here without effect
 * @locked: a reset leaves @config alone
 * @dma: DMA chips: of bytes, and of words
 */
struct fdc {
	struct device device;
	struct region region[5];
	struct irq irq;
	struct floppy drive[FDC_DRIVES];
	struct block *busy;
	bool cancelling;
	struct block_request request;
	struct iovec iov;
	uint8_t data[FDC_CYLINDER * FDC_SECTOR];
	uint32_t moving;
	bool more;
	uint8_t dor, rate, fifo[16], pos, len;
	bool results, asks;
	uint8_t resets, st0, config, specify[2], perpendicular;
	bool locked;
	struct i8237 dma[2];
};

/* In all of these the lock is held */

static inline void fdc_update_irq(struct fdc *f)
{
	irq_set(&f->irq, f->asks && f->dor & DOR_IRQ);
}

static inline void fdc_ask(struct fdc *f)
{
	f->asks = true;
	fdc_update_irq(f);
}

/* NULL: there is none */
static inline struct floppy *fdc_drive(struct fdc *f, unsigned int unit)
{
	return unit < FDC_DRIVES && f->drive[unit].block ? &f->drive[unit] :
							   NULL;
}

/* What is in flight ends, and no command is told */
void fdc_cancel(struct fdc *f);
/* A command ends with an interrupt, and where it stands: C, H, R, N */
void fdc_end(struct fdc *f, uint8_t st0, uint8_t st1, uint8_t st2);
/* READ, WRITE, VERIFY and their like: at most a cylinder */
void fdc_transfer(struct fdc *f, bool out);
void fdc_format(struct fdc *f);

#endif
