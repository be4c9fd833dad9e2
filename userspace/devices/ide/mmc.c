// SPDX-License-Identifier: GPL-2.0
/*
 * Packets that ask a CD-ROM what it is and what medium it has (MMC-5, SPC-3). It is
 * a drive for CDs and DVDs; the medium has one session with one track of data.
 */
#include <string.h>
#include "base/bytes.h"
#include "devices/ide/ide.h"

#define CD_MAX		450000u		/* sectors: what is larger is a DVD */
#define PROFILE_CD	0x0008
#define PROFILE_DVD	0x0010
#define PREGAP		150u		/* sectors, of which MSF knows */
#define FRAMES		75u
#define TRACK_DATA	0x14
#define LEAD_OUT	0xaa
#define GOES_BACK	8		/* of a mode parameter header */

uint32_t mmc_sectors(const struct ide_drive *d)
{
	uint64_t n = d->block->size / CD_SECTOR;

	if (d->open)
		return 0;
	return n < UINT32_MAX ? n : UINT32_MAX;
}

static uint16_t profile(const struct ide_drive *d)
{
	return !mmc_sectors(d) ? 0 : mmc_sectors(d) > CD_MAX ? PROFILE_DVD :
							       PROFILE_CD;
}

static void inquiry(struct ide_channel *c)
{
	uint8_t *b = memset(c->buffer, 0, 36);

	/* There are no pages of vital data */
	if (c->packet[1] & 1 || c->packet[2]) {
		atapi_end(c, SENSE_FIELD);
		return;
	}
	b[0] = 5;
	b[1] = 0x80;	/* removable */
	b[3] = 0x21;	/* by ATAPI */
	b[4] = 36 - 5;
	memcpy(b + 8, "MVMM    CD-ROM          1.0 ", 28);
	atapi_reply(c, 36, get_be16(c->packet + 3));
}

static void read_capacity(struct ide_channel *c)
{
	uint8_t *b = ide_bytes(c);

	put_be32(b, mmc_sectors(ide_selected(c)) - 1);
	put_be32(b + 4, CD_SECTOR);
	atapi_reply(c, 8, 8);
}

/* Where a sector is: a number, or minute, second and frame */
static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
	put_be32(p, lba);
	if (!msf)
		return;
	lba += PREGAP;
	p[0] = 0;
	p[1] = lba / FRAMES / 60;
	p[2] = lba / FRAMES % 60;
	p[3] = lba % FRAMES;
}

static uint8_t *put_track(uint8_t *p, uint8_t track, uint32_t lba, bool msf)
{
	memset(p, 0, 8);
	p[1] = TRACK_DATA;
	p[2] = track;
	put_address(p + 4, lba, msf);
	return p + 8;
}

static void read_toc(struct ide_channel *c)
{
	uint32_t sectors = mmc_sectors(ide_selected(c));
	const uint8_t *p = c->packet;
	uint8_t *b = ide_bytes(c), *end = b + 4;
	bool msf = p[1] & 2;
	/* Old drivers have it in the last byte */
	uint8_t format = p[2] & 0xf ? p[2] & 0xf : p[9] >> 6;

	if (format > 1 || (!format && p[6] > 1 && p[6] != LEAD_OUT)) {
		atapi_end(c, SENSE_FIELD);
		return;
	}
	/* Format 1: the first track of the last session */
	if (format || p[6] <= 1)
		end = put_track(end, 1, 0, msf);
	if (!format)
		end = put_track(end, LEAD_OUT, sectors, msf);
	put_be16(b, end - b - 2);
	b[2] = b[3] = 1;
	atapi_reply(c, end - b, get_be16(p + 7));
}

/* @flags: bit 1: whatever the medium is; the version is in the bits above */
static uint8_t *put_feature(uint8_t *p, uint16_t code, uint8_t flags, bool now,
			    uint8_t len)
{
	memset(p, 0, 4 + len);
	put_be16(p, code);
	p[2] = flags | now;
	p[3] = len;
	return p + 4;
}

static uint8_t *make_feature(const struct ide_drive *d, uint8_t *p, uint16_t code)
{
	uint16_t now = profile(d);

	switch (code) {
	case 0x00:	/* profiles */
		p = put_feature(p, code, 2, true, 8);
		put_be16(p, PROFILE_DVD);
		p[2] = now == PROFILE_DVD;
		put_be16(p + 4, PROFILE_CD);
		p[6] = now == PROFILE_CD;
		return p + 8;
	case 0x01:	/* core: ATAPI */
		p = put_feature(p, code, 2 << 2 | 2, true, 8);
		p[3] = 2;
		p[4] = 1;
		return p + 8;
	case 0x03:	/* a tray that can be locked */
		p = put_feature(p, code, 2, true, 4);
		p[0] = 1 << 5 | 1 << 3 | 1;
		return p + 4;
	case 0x10:	/* random reads */
		p = put_feature(p, code, 0, now, 8);
		put_be32(p, CD_SECTOR);
		p[5] = 1;
		return p + 8;
	case 0x1e:	/* CDs */
		return put_feature(p, code, 2 << 2, now == PROFILE_CD, 4) + 4;
	default:	/* DVDs */
		return put_feature(p, code, 0, now == PROFILE_DVD, 0);
	}
}

static void get_configuration(struct ide_channel *c)
{
	static const uint16_t codes[] = { 0x00, 0x01, 0x03, 0x10, 0x1e, 0x1f };
	struct ide_drive *d = ide_selected(c);
	const uint8_t *p = c->packet;
	uint8_t *b = memset(c->buffer, 0, 8), *end = b + 8;
	unsigned int which = p[1] & 3, i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]) && which < 3; i++) {
		uint8_t *feature = end;

		if (which == 2 ? codes[i] != get_be16(p + 2) :
				 codes[i] < get_be16(p + 2))
			continue;
		end = make_feature(d, feature, codes[i]);
		if (which == 1 && !(feature[2] & 1))
			end = feature;
	}
	put_be32(b, end - b - 4);
	put_be16(b + 6, profile(d));
	atapi_reply(c, end - b, get_be16(p + 7));
}

static void get_event(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);
	uint8_t *b = memset(c->buffer, 0, 8);
	uint32_t len = 4;

	if (!(c->packet[1] & 1)) {	/* it does not tell by itself */
		atapi_end(c, SENSE_FIELD);
		return;
	}
	b[3] = 1 << 4;			/* there are those of the medium */
	if (c->packet[4] & 1 << 4) {
		b[2] = 4;
		b[4] = d->event;
		b[5] = d->open | (mmc_sectors(d) ? 2 : 0);
		d->event = 0;
		len = 8;
	} else {
		b[2] = 0x80;
	}
	b[1] = len - 2;
	atapi_reply(c, len, get_be16(c->packet + 7));
}

static void read_disc_information(struct ide_channel *c)
{
	uint8_t *b = memset(c->buffer, 0, 34);

	b[1] = 34 - 2;
	b[2] = 0xe;			/* complete */
	b[3] = b[4] = b[5] = b[6] = 1;	/* one session, one track */
	b[7] = 0x20;
	memset(b + 16, 0xff, 8);	/* nothing can be added */
	atapi_reply(c, 34, get_be16(c->packet + 7));
}

static void mechanism_status(struct ide_channel *c)
{
	uint8_t *b = memset(c->buffer, 0, 8);

	b[1] = ide_selected(c)->open << 4;
	atapi_reply(c, 8, get_be16(c->packet + 8));
}

/* What errors are, and what the drive can; @page: 0x3f: both */
static uint8_t *put_pages(const struct ide_drive *d, uint8_t *p, uint8_t page)
{
	if (page == 0x01 || page == 0x3f) {
		memset(p, 0, 8);
		p[0] = 0x01;
		p[1] = 6;
		p[3] = 5;
		p += 8;
	}
	if (page == 0x2a || page == 0x3f) {
		memset(p, 0, 20);
		p[0] = 0x2a;
		p[1] = 18;
		p[2] = 0x3b;		/* reads CDs of all kinds and DVDs */
		p[4] = 0x70;
		p[6] = 1 << 5 | 1 << 3 | d->locked << 1 | 1;
		put_be16(p + 8, 706 * 8);	/* kB/s, of CDs and so on */
		put_be16(p + 12, 512);	/* KiB of buffer */
		put_be16(p + 14, 706 * 8);
		p += 20;
	}
	return p;
}

/* @header: of 4 bytes or 8 */
static void mode_sense(struct ide_channel *c, unsigned int header, uint32_t wanted)
{
	struct ide_drive *d = ide_selected(c);
	uint8_t *b = memset(c->buffer, 0, GOES_BACK);
	uint8_t *end = put_pages(d, b + header, c->packet[2] & 0x3f);
	uint8_t medium = d->open ? 0x71 : mmc_sectors(d) ? 0x01 : 0x70;

	if (c->packet[2] >> 6 == 3) {
		atapi_end(c, SENSE_NOT_SAVED);
		return;
	}
	if (end == b + header) {
		atapi_end(c, SENSE_FIELD);
		return;
	}
	if (header == 8) {
		put_be16(b, end - b - 2);
		b[2] = medium;
	} else {
		b[0] = end - b - 1;
		b[1] = medium;
	}
	atapi_reply(c, end - b, wanted);
}

/* What only a medium has */
static bool medium_packet(struct ide_channel *c)
{
	void (*fn)(struct ide_channel *c);

	switch (c->packet[0]) {
	case 0x25:
		fn = read_capacity;
		break;
	case 0x43:
		fn = read_toc;
		break;
	case 0x51:
		fn = read_disc_information;
		break;
	default:
		return false;
	}
	if (mmc_sectors(ide_selected(c)))
		fn(c);
	else
		atapi_end(c, SENSE_NO_MEDIUM);
	return true;
}

bool mmc_packet(struct ide_channel *c)
{
	switch (c->packet[0]) {
	case 0x12:
		inquiry(c);
		return true;
	case 0x1a:
		mode_sense(c, 4, c->packet[4]);
		return true;
	case 0x46:
		get_configuration(c);
		return true;
	case 0x4a:
		get_event(c);
		return true;
	case 0x5a:
		mode_sense(c, 8, get_be16(c->packet + 7));
		return true;
	case 0xbd:
		mechanism_status(c);
		return true;
	}
	return medium_packet(c);
}
