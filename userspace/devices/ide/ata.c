// SPDX-License-Identifier: GPL-2.0
/*
 * ATA disks (ATA/ATAPI-7): commands that read and write by PIO and DMA, with CHS
 * and with addresses of 28 and 48 bits, and what a disk says of itself. What it
 * does not offer it does not know, SMART for one: such a command is aborted.
 */
#include <string.h>
#include "devices/ide/ide.h"

#define HEADS		16u
#define TRACK		63u
#define CYLINDERS_MAX	16383u
#define LBA28_MAX	0x0fffffffu
#define MODE_MWDMA	0x20
#define MODE_MAX	2	/* of multiword DMA; and of PIO from 3 on */

/* Those whose names say what they are; the rest is in the table below */
enum { CMD_DIAGNOSE = 0x90, CMD_SET_GEOMETRY = 0x91, CMD_CHECK_POWER = 0xe5,
       CMD_CHECK_POWER_OLD = 0x98, CMD_SET_MULTIPLE = 0xc6, CMD_FLUSH = 0xe7,
       CMD_FLUSH_EXT = 0xea, CMD_IDENTIFY = 0xec, CMD_SET_FEATURES = 0xef,
       CMD_NATIVE_MAX = 0xf8, CMD_NATIVE_MAX_EXT = 0x27 };

/* What a command that moves data is like */
enum { PIO = 0, DMA = 1, OUT = 2, EXT = 4, MULTIPLE = 8, VERIFY = 16 };

static const struct transfer {
	uint8_t command, how;
} transfers[] = {
	{ 0x20, PIO }, { 0x21, PIO }, { 0x24, EXT }, { 0x25, DMA | EXT },
	{ 0x29, MULTIPLE | EXT }, { 0x30, OUT }, { 0x31, OUT },
	{ 0x34, OUT | EXT }, { 0x35, DMA | OUT | EXT },
	{ 0x39, MULTIPLE | OUT | EXT }, { 0x3d, DMA | OUT | EXT },
	{ 0x40, VERIFY }, { 0x41, VERIFY }, { 0x42, VERIFY | EXT },
	{ 0xc4, MULTIPLE }, { 0xc5, MULTIPLE | OUT }, { 0xc8, DMA },
	{ 0xc9, DMA }, { 0xca, DMA | OUT }, { 0xcb, DMA | OUT },
	{ 0xce, MULTIPLE | OUT | EXT },
};

static uint64_t sectors_of(const struct ide_drive *d)
{
	return d->block->size / BLOCK_SECTOR;
}

/*
 * Cylinders of 16 heads and 63 sectors, which is what BIOSes make of a disk that
 * says so; what is beyond the last is reached by LBA
 */
static uint16_t cylinders(const struct ide_drive *d, unsigned int heads,
			  unsigned int track)
{
	uint64_t n = sectors_of(d) / (heads * track);

	return n < CYLINDERS_MAX ? n : CYLINDERS_MAX;
}

void ata_text(uint16_t *words, const char *text, unsigned int len)
{
	unsigned int i;

	/* Of each word the first byte is the upper one */
	for (i = 0; i < len; i++, text += !!*text)
		((uint8_t *)words)[i ^ 1] = *text ? *text : ' ';
}

static void identify(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);
	uint16_t *w = memset(c->buffer, 0, BLOCK_SECTOR);
	uint64_t n = sectors_of(d);
	uint32_t low = n < LBA28_MAX ? n : LBA28_MAX, chs;

	w[0] = 1 << 6;				/* fixed */
	w[1] = cylinders(d, HEADS, TRACK);
	w[3] = HEADS;
	w[6] = TRACK;
	memcpy(w + 10, d->serial, sizeof(d->serial));
	ata_text(w + 23, "1.0", 8);
	ata_text(w + 27, "MVMM HARDDISK", 40);
	w[47] = 0x8000 | IDE_MULTIPLE;
	w[48] = 1;				/* 32 bits at once */
	w[49] = 1 << 11 | 1 << 9 | 1 << 8;	/* IORDY, LBA, DMA */
	w[50] = 1 << 14;
	w[51] = w[52] = 2 << 8;
	w[53] = 3;				/* 54 to 58, 64 to 70 are valid */
	w[54] = cylinders(d, d->heads, d->sectors);
	w[55] = d->heads;
	w[56] = d->sectors;
	chs = (uint32_t)w[54] * w[55] * w[56];
	w[57] = chs;
	w[58] = chs >> 16;
	w[59] = d->multiple ? 1 << 8 | d->multiple : 0;
	w[60] = low;
	w[61] = low >> 16;
	w[63] = 7 | (d->mode & MODE_MWDMA ? 1 << (8 + (d->mode & 7)) : 0);
	w[64] = 3;				/* PIO 3 and 4 */
	w[65] = w[66] = w[67] = w[68] = 120;	/* ns of a cycle */
	w[80] = 0xf0;				/* ATA-4 to 7 */
	w[82] = 1 << 14 | 1 << 6 | 1 << 5;	/* NOP, caches */
	w[83] = 1 << 14 | 1 << 13 | 1 << 12 | 1 << 10; /* flush, 48 bits */
	w[84] = 1 << 14 | 1 << 6;		/* FUA */
	w[85] = 1 << 14 | 1 << 6 | (d->no_cache ? 0 : 1 << 5);
	w[86] = 1 << 13 | 1 << 12 | 1 << 10;
	w[87] = 1 << 14 | 1 << 6;
	w[93] = 1 << 14 | 1 << 0 | 1 << 13;
	memcpy(w + 100, &n, sizeof(n));
	if (d->block->physical == 4096)
		w[106] = 1 << 14 | 1 << 13 | 3;	/* eight sectors */
	w[217] = 1;				/* nothing turns */
	c->unit = BLOCK_SECTOR;
	ide_offer(c, BLOCK_SECTOR);
}

/* The first sector of the command. False: there is no such */
static bool address(struct ide_channel *c, bool ext, uint64_t *lba)
{
	const struct ide_drive *d = ide_selected(c);
	const uint8_t *low = d->task.lba, *high = d->before.lba;
	unsigned int cylinder = low[1] | low[2] << 8, head = c->device & 0xf;

	if (ext) {
		*lba = low[0] | low[1] << 8 | low[2] << 16 |
		       (uint64_t)high[0] << 24 | (uint64_t)high[1] << 32 |
		       (uint64_t)high[2] << 40;
		return true;
	}
	if (c->device & ATA_LBA) {
		*lba = low[0] | low[1] << 8 | low[2] << 16 | head << 24;
		return true;
	}
	if (!low[0] || low[0] > d->sectors || head >= d->heads)
		return false;
	*lba = ((uint64_t)cylinder * d->heads + head) * d->sectors + low[0] - 1;
	return true;
}

static uint32_t count_of(const struct ide_drive *d, bool ext)
{
	uint32_t n = d->task.count;

	if (ext)
		n |= d->before.count << 8;
	return n ? n : ext ? 0x10000 : 0x100;
}

static void flushed(struct ide_channel *c, int result)
{
	ide_end(c, result ? ATA_ABORTED : 0, true);
}

/* All that is asked for, or nothing of it */
static void transfer(struct ide_channel *c, unsigned int how)
{
	struct ide_drive *d = ide_selected(c);
	uint32_t n = count_of(d, how & EXT);
	uint64_t lba;

	if ((how & OUT && d->block->read_only) ||
	    (how & MULTIPLE && !d->multiple)) {
		ide_end(c, ATA_ABORTED, true);
		return;
	}
	if (!address(c, how & EXT, &lba) || lba > sectors_of(d) ||
	    n > sectors_of(d) - lba) {
		ide_end(c, ATA_IDNF, true);
		return;
	}
	if (how & VERIFY) {
		ide_end(c, 0, true);
		return;
	}
	c->at = lba * BLOCK_SECTOR;
	c->left = (uint64_t)n * BLOCK_SECTOR;
	c->unit = BLOCK_SECTOR * (how & MULTIPLE ? d->multiple : 1);
	if (how & DMA)
		ide_dma(c, !(how & OUT));
	else if (how & OUT)
		ide_pio_out(c);
	else
		ide_pio_in(c);
}

void ata_set_features(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);
	uint8_t value = d->task.count;
	bool ok = true;

	switch (d->task.feature) {
	case 0x02:
	case 0x82:
		d->no_cache = d->task.feature == 0x82;
		ok = !d->cd;
		break;
	case 0x03:
		/* PIO, as it comes and with flow control; multiword DMA */
		ok = value < 2 || (value >= 8 && value <= 12) ||
		     (value >= MODE_MWDMA && value <= MODE_MWDMA + MODE_MAX);
		if (ok)
			d->mode = value;
		break;
	case 0x55:	/* look ahead, and defaults */
	case 0xaa:
	case 0x66:
	case 0xcc:
		break;
	default:
		ok = false;
	}
	ide_end(c, ok ? 0 : ATA_ABORTED, true);
}

/* 0: transfers without a count */
static bool set_multiple(struct ide_drive *d)
{
	uint8_t n = d->task.count;

	if (n > IDE_MULTIPLE || n & (n - 1))
		return false;
	d->multiple = n;
	return true;
}

static bool set_geometry(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);

	if (!d->task.count)
		return false;
	d->sectors = d->task.count;
	d->heads = (c->device & 0xf) + 1;
	return true;
}

static void native_max(struct ide_channel *c, bool ext)
{
	struct ide_drive *d = ide_selected(c);
	uint64_t last = sectors_of(d) - 1;
	unsigned int i;

	if (!ext && last > LBA28_MAX - 1)
		last = LBA28_MAX - 1;
	for (i = 0; i < 3; i++) {
		d->task.lba[i] = last >> 8 * i;
		d->before.lba[i] = ext ? last >> (24 + 8 * i) : 0;
	}
	if (!ext)
		c->device = (c->device & 0xf0) | (last >> 24 & 0xf);
	ide_end(c, 0, true);
}

/* Both drives; the first one says how they are */
static void diagnose(struct ide_channel *c)
{
	c->device &= ~ATA_DEV1;
	ide_signature(&c->drive[0]);
	ide_signature(&c->drive[1]);
	c->phase = IDE_IDLE;
	ide_interrupt(c);
}

static bool is_flush(uint8_t command)
{
	return command == CMD_FLUSH || command == CMD_FLUSH_EXT;
}

/* Those that end at once */
static bool short_command(struct ide_channel *c, uint8_t command)
{
	struct ide_drive *d = ide_selected(c);

	if (command >= 0x10 && command < 0x20)	/* RECALIBRATE */
		return true;
	if (command >= 0x70 && command < 0x80)	/* SEEK */
		return true;
	/* Sleep, and its like: it is awake again when it is asked */
	if ((command >= 0xe0 && command <= 0xe3) || command == 0xe6 ||
	    (command >= 0x94 && command <= 0x97) || command == 0x99)
		return true;
	switch (command) {
	case CMD_SET_GEOMETRY:
		return set_geometry(c);
	case CMD_SET_MULTIPLE:
		return set_multiple(d);
	case CMD_CHECK_POWER:
	case CMD_CHECK_POWER_OLD:
		d->task.count = 0xff;	/* active */
		return true;
	}
	return false;
}

void ata_command(struct ide_channel *c, uint8_t command)
{
	unsigned int i;

	for (i = 0; i < sizeof(transfers) / sizeof(transfers[0]); i++) {
		if (transfers[i].command == command) {
			transfer(c, transfers[i].how);
			return;
		}
	}
	if (command == CMD_IDENTIFY)
		identify(c);
	else if (command == CMD_DIAGNOSE)
		diagnose(c);
	else if (is_flush(command))
		ide_submit(c, BLOCK_FLUSH, 0, 0, 0, false, flushed);
	else if (command == CMD_SET_FEATURES)
		ata_set_features(c);
	else if (command == CMD_NATIVE_MAX || command == CMD_NATIVE_MAX_EXT)
		native_max(c, command == CMD_NATIVE_MAX_EXT);
	else
		ide_end(c, short_command(c, command) ? 0 : ATA_ABORTED, true);
}
