// SPDX-License-Identifier: GPL-2.0
/*
 * A CD-ROM at an IDE channel (ATA/ATAPI-7): commands of its own, packets and their
 * ends, reads, and the tray. What it says of itself and the medium: mmc.c.
 */
#include <string.h>
#include "base/bytes.h"
#include "devices/ide/ide.h"

enum { CMD_RESET = 0x08, CMD_DIAGNOSE = 0x90, CMD_PACKET = ATAPI_PACKET,
       CMD_IDENTIFY_PACKET = 0xa1, CMD_IDENTIFY = 0xec, CMD_SET_FEATURES = 0xef,
       CMD_CHECK_POWER = 0xe5 };

/* Packets, as SCSI calls them */
enum { TEST_UNIT_READY = 0x00, REQUEST_SENSE = 0x03, INQUIRY = 0x12,
       START_STOP = 0x1b, PREVENT_ALLOW = 0x1e, READ_10 = 0x28, SEEK = 0x2b,
       GET_CONFIGURATION = 0x46, GET_EVENT = 0x4a, READ_12 = 0xa8,
       SET_SPEED = 0xbb, READ_CD = 0xbe };

#define PACKET_DMA	1	/* in the feature register */
#define EVENT_WANTED	1	/* media events: somebody presses the button */
#define EVENT_NEW	2
#define EVENT_GONE	3

static void identify(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);
	uint16_t *w = memset(c->buffer, 0, BLOCK_SECTOR);

	/* A CD-ROM that is removable, with packets of 12 bytes, at once */
	w[0] = 2 << 14 | 5 << 8 | 1 << 7 | 2 << 5;
	memcpy(w + 10, d->serial, sizeof(d->serial));
	ata_text(w + 23, "1.0", 8);
	ata_text(w + 27, "MVMM CD-ROM", 40);
	w[48] = 1;
	w[49] = 1 << 11 | 1 << 9 | 1 << 8;
	w[50] = 1 << 14;
	w[53] = 3;
	w[63] = 7 | (d->mode & 0x20 ? 1 << (8 + (d->mode & 7)) : 0);
	w[64] = 1;
	w[65] = w[66] = w[67] = w[68] = 180;
	w[80] = 0xf0;
	w[82] = w[85] = 1 << 14 | 1 << 9 | 1 << 4; /* NOP, reset, packets */
	w[83] = w[84] = w[87] = 1 << 14;
	w[93] = 1 << 14 | 1 << 0 | 1 << 13;
	c->unit = BLOCK_SECTOR;
	ide_offer(c, BLOCK_SECTOR);
}

void atapi_end(struct ide_channel *c, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct ide_drive *d = ide_selected(c);

	d->key = key;
	d->asc = asc;
	d->ascq = ascq;
	d->task.count = ATAPI_COMMAND | ATAPI_TO_HOST;
	ide_end(c, key ? key << 4 | ATA_ABORTED : 0, true);
}

/* As many bytes for each interrupt as the host wants, but whole words */
static uint32_t unit_of(const struct ide_channel *c)
{
	uint32_t n = c->limit & ~1u;

	return n ? n : 0xfffe;
}

void atapi_reply(struct ide_channel *c, uint32_t len, uint32_t wanted)
{
	if (len > wanted)
		len = wanted;
	c->unit = unit_of(c);
	c->left = 0;
	if (!len) {
		atapi_end(c, 0, 0, 0);
	} else if (c->packet_dma) {
		c->pos = 0;
		c->end = c->len = len;
		ide_dma(c, true);
	} else {
		ide_offer(c, len);
	}
}

static void read_sectors(struct ide_channel *c, uint32_t lba, uint32_t n)
{
	uint32_t size = mmc_sectors(ide_selected(c));

	if (lba > size || n > size - lba) {
		atapi_end(c, SENSE_BEYOND);
		return;
	}
	if (!n) {
		atapi_end(c, 0, 0, 0);
		return;
	}
	c->at = (uint64_t)lba * CD_SECTOR;
	c->left = (uint64_t)n * CD_SECTOR;
	c->unit = unit_of(c);
	c->pos = c->end = c->len = 0;
	if (c->packet_dma)
		ide_dma(c, true);
	else
		ide_pio_in(c);
}

/* User data only: there is nothing else in an image */
static void read_cd(struct ide_channel *c)
{
	const uint8_t *p = c->packet;
	uint8_t wanted = p[9] & 0xf8;

	if (wanted && wanted != 0x10)
		atapi_end(c, SENSE_FIELD);
	else
		read_sectors(c, get_be32(p + 2), !wanted ? 0 :
			     p[6] << 16 | p[7] << 8 | p[8]);
}

static void request_sense(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);
	uint8_t *b = memset(c->buffer, 0, 18);

	b[0] = 0x70;
	b[7] = 10;
	if (!d->key && d->changed) {
		static const uint8_t changed[] = { SENSE_CHANGED };

		d->changed = false;
		b[2] = changed[0];
		b[12] = changed[1];
		b[13] = changed[2];
	} else {
		b[2] = d->key;
		b[12] = d->asc;
		b[13] = d->ascq;
	}
	d->key = d->asc = d->ascq = 0;
	atapi_reply(c, 18, c->packet[4]);
}

/* The next packet fails, and who asks for events hears of it */
static void announce(struct ide_drive *d)
{
	bool there = mmc_sectors(d);

	d->event = there ? EVENT_NEW : EVENT_GONE;
	d->changed = there;
}

/* The tray; a drive that starts or stops makes no difference here */
static void start_stop(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);
	bool start = c->packet[4] & 1, tray = c->packet[4] & 2;

	if (tray && !start && d->locked) {
		atapi_end(c, SENSE_LOCKED);
		return;
	}
	if (tray && d->open == start) {
		d->open = !start;
		announce(d);
	}
	atapi_end(c, 0, 0, 0);
}

int atapi_medium(struct ide_channel *c, struct ide_drive *d, struct block *new,
		 bool force, struct error *error)
{
	/* A guest that hears of the button may open it itself */
	if (d->locked && !d->open && !force) {
		d->event = EVENT_WANTED;
		return fail(error, STATUS_VM, "the guest has locked the tray: it is told, and may open it; or --force");
	}
	/* What it was reading is no more; a packet that does not read goes on */
	if (ide_selected(c) == d && c->phase != IDE_IDLE) {
		if (c->busy || c->left) {
			ide_cancel(c);
			c->left = 0;
			c->bm_status &= ~BM_ACTIVE;
			atapi_end(c, SENSE_NO_MEDIUM);
		}
		c->at = 0;
	}
	d->block = new;
	d->open = !new->size;
	announce(d);
	return 0;
}

/* Those that a medium has to be there for */
static bool medium_packet(struct ide_channel *c)
{
	const uint8_t *p = c->packet;

	switch (p[0]) {
	case TEST_UNIT_READY:
	case SEEK:
		atapi_end(c, 0, 0, 0);
		return true;
	case READ_10:
		read_sectors(c, get_be32(p + 2), p[7] << 8 | p[8]);
		return true;
	case READ_12:
		read_sectors(c, get_be32(p + 2), get_be32(p + 6));
		return true;
	case READ_CD:
		read_cd(c);
		return true;
	}
	return false;
}

static bool needs_medium(uint8_t packet)
{
	return packet == TEST_UNIT_READY || packet == SEEK ||
	       packet == READ_10 || packet == READ_12 || packet == READ_CD;
}

/* Which are answered although a change has not been told */
static bool is_query(uint8_t packet)
{
	return packet == REQUEST_SENSE || packet == INQUIRY ||
	       packet == GET_CONFIGURATION || packet == GET_EVENT;
}

void atapi_packet(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);
	uint8_t packet = c->packet[0];

	c->phase = IDE_IDLE;
	c->left = 0;
	if (d->changed && !is_query(packet)) {
		d->changed = false;
		atapi_end(c, SENSE_CHANGED);
	} else if (needs_medium(packet) && !mmc_sectors(d)) {
		atapi_end(c, SENSE_NO_MEDIUM);
	} else if (medium_packet(c) || mmc_packet(c)) {
		/* It has its answer */
	} else if (packet == REQUEST_SENSE) {
		request_sense(c);
	} else if (packet == START_STOP) {
		start_stop(c);
	} else if (packet == PREVENT_ALLOW) {
		d->locked = c->packet[4] & 1;
		atapi_end(c, 0, 0, 0);
	} else if (packet == SET_SPEED) {
		atapi_end(c, 0, 0, 0);
	} else {
		atapi_end(c, SENSE_UNKNOWN);
	}
}

static void take_packet(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);

	c->phase = IDE_PACKET_OUT;
	c->packet_dma = d->task.feature & PACKET_DMA;
	c->limit = d->task.lba[1] | d->task.lba[2] << 8;
	c->pos = 0;
	c->end = c->len = c->unit = IDE_PACKET;
	d->task.count = ATAPI_COMMAND;
	d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
}

void atapi_command(struct ide_channel *c, uint8_t command)
{
	struct ide_drive *d = ide_selected(c);

	switch (command) {
	case CMD_RESET:
		ide_cancel(c);
		ide_signature(d);
		break;
	case CMD_DIAGNOSE:
		ata_command(c, command);
		break;
	case CMD_PACKET:
		take_packet(c);
		break;
	case CMD_IDENTIFY_PACKET:
		identify(c);
		break;
	case CMD_SET_FEATURES:
		ata_set_features(c);
		break;
	case CMD_CHECK_POWER:
		d->task.count = 0xff;
		ide_end(c, 0, true);
		break;
	case CMD_IDENTIFY:
		/* By that a driver finds out what it is */
		ide_signature(d);
		/* fall through */
	default:
		ide_end(c, ATA_ABORTED, true);
	}
}
