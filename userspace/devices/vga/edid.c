// SPDX-License-Identifier: GPL-2.0
/* What a monitor says of itself (VESA E-EDID 1.4): one of any size. */
#include <string.h>
#include "devices/vga/vga.h"

#define BLANK_X		160u
#define BLANK_Y		30u
#define DTD		54
#define PX_PER_CM	38	/* some 96 to the inch */

/* At 60 Hz, with what the specification wants of a detailed timing */
static void detailed_timing(uint8_t *d, unsigned int width, unsigned int height)
{
	unsigned int clock = (width + BLANK_X) * (height + BLANK_Y) * 60 / 10000;
	unsigned int mm_x = width * 10 / PX_PER_CM, mm_y = height * 10 / PX_PER_CM;

	clock = clock > 0xffff ? 0xffff : clock;
	d[0] = clock;
	d[1] = clock >> 8;
	d[2] = width;
	d[3] = BLANK_X;
	d[4] = width >> 8 << 4 | BLANK_X >> 8;
	d[5] = height;
	d[6] = BLANK_Y;
	d[7] = height >> 8 << 4 | BLANK_Y >> 8;
	d[8] = 48;	/* from the picture to its sync, and that: pixels */
	d[9] = 32;
	d[10] = 3 << 4 | 5;	/* and lines */
	d[12] = mm_x;
	d[13] = mm_y;
	d[14] = mm_x >> 8 << 4 | mm_y >> 8;
	d[17] = 0x18;	/* digital, separate */
}

static void descriptor(uint8_t *d, uint8_t tag, const char *text)
{
	size_t len = strlen(text);

	d[3] = tag;
	memset(d + 5, ' ', 13);
	memcpy(d + 5, text, len);
	d[5 + len] = '\n';
}

void edid_make(uint8_t edid[EDID_LEN], unsigned int width, unsigned int height)
{
	static const uint8_t header[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0 };
	/* sRGB's, as the standard has them in ten bits each */
	static const uint8_t colours[] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99,
					   0x26, 0x0f, 0x50, 0x54 };
	uint8_t sum = 0;
	unsigned int i;

	memset(edid, 0, EDID_LEN);
	memcpy(edid, header, sizeof(header));
	/* "MVM", five bits a letter */
	edid[8] = ('M' - '@') << 2 | ('V' - '@') >> 3;
	edid[9] = (('V' - '@') << 5 & 0xff) | ('M' - '@');
	edid[10] = 0x11;
	edid[16] = 1;		/* week, year from 1990 */
	edid[17] = 36;
	edid[18] = 1;		/* EDID 1.4 */
	edid[19] = 4;
	edid[20] = 0xa5;	/* digital, 8 bits a colour, DisplayPort */
	edid[21] = width / PX_PER_CM;
	edid[22] = height / PX_PER_CM;
	edid[23] = 120;		/* gamma 2.2 */
	edid[24] = 0x06;	/* sRGB; the first timing is the native one */
	memcpy(edid + 25, colours, sizeof(colours));
	edid[35] = 0x21;	/* 640x480, 800x600 */
	edid[36] = 0x08;	/* 1024x768 */
	for (i = 38; i < DTD; i++)
		edid[i] = 1;	/* no standard timings */
	detailed_timing(edid + DTD, width, height);
	descriptor(edid + DTD + 18, 0xfc, "mvmm");
	descriptor(edid + DTD + 36, 0xff, "1");
	/* Dummy */
	edid[DTD + 54 + 3] = 0x10;
	for (i = 0; i < EDID_LEN - 1; i++)
		sum += edid[i];
	edid[EDID_LEN - 1] = -sum;
}
