// SPDX-License-Identifier: GPL-2.0
/*
 * The way of a CPU through the window at 0xa0000 to four planes of 64 KiB: the
 * sequencer and the graphics controller. Byte N of plane P is at 4 * N + P.
 */
#include <string.h>
#include "devices/vga/vga.h"

#define OFFSETS	0x10000u	/* in a plane */

uint32_t planes_window(const struct vga_state *s, uint32_t *len)
{
	static const struct {
		uint32_t at, len;
	} window[] = { { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 },
		       { 0x18000, 0x8000 } };
	unsigned int map = s->gfx[GFX_MISC] >> 2 & 3;

	*len = window[map].len;
	return window[map].at;
}

static bool is_chain_4(const struct vga_state *s)
{
	return s->seq[SEQ_MEMORY] & MEMORY_CHAIN_4;
}

static bool is_odd_even(const struct vga_state *s)
{
	return !(s->seq[SEQ_MEMORY] & MEMORY_NO_ODD_EVEN);
}

/*
 * Reads and writes move bytes, and nothing else: no register between CPU and
 * planes changes them. Then it does not matter that nobody sees them
 */
uint8_t planes_chain(const struct vga_state *s)
{
	uint8_t mode = s->gfx[GFX_MODE];
	uint32_t len;

	planes_window(s, &len);
	if (s->vbe[VBE_ENABLE] & VBE_ENABLED ||
	    mode & (MODE_WRITE | MODE_READ) || s->gfx[GFX_SET_ENABLE] ||
	    s->gfx[GFX_ROTATE] || s->gfx[GFX_BIT_MASK] != 0xff ||
	    len > VGA_CHAINED_MAX)
		return 0;
	if (is_chain_4(s))
		return s->seq[SEQ_MAP_MASK] == 0xf ? 3 : 0;
	/* With more planes than two a byte has to be in two places */
	return is_odd_even(s) && mode & MODE_ODD_EVEN &&
	       s->gfx[GFX_READ_MAP] < 2 && s->seq[SEQ_MAP_MASK] == 3;
}

/* Bytes that are neighbours in the window's order are so in the planes */
void planes_gather(const struct vga_chained *chained, const uint8_t *vram)
{
	uint32_t at, n = chained->mask + 1;

	for (at = 0; at < chained->len; at += n)
		memcpy(chained->bytes + at, vram + 4 * at, n);
}

void planes_scatter(const struct vga_chained *chained, uint8_t *vram)
{
	uint32_t at, n = chained->mask + 1;

	for (at = 0; at < chained->len; at += n)
		memcpy(vram + 4 * at, chained->bytes + at, n);
}

/* False: that address is not decoded. @at: becomes the offset in a plane */
static bool decode(const struct vga_state *s, uint32_t *at)
{
	uint32_t len, first = planes_window(s, &len);

	if (*at - first >= len)
		return false;
	*at = (*at - first) % OFFSETS;
	/* VBE's planes are longer */
	*at += vbe_bank(s) % (VGA_VRAM / 4);
	return true;
}

uint8_t planes_read(struct vga_state *s, const uint8_t *vram, uint32_t at)
{
	unsigned int plane = s->gfx[GFX_READ_MAP];
	uint8_t differs = 0;
	unsigned int p;

	if (!decode(s, &at))
		return 0xff;
	if (is_chain_4(s)) {
		plane = at & 3;
		at &= ~3u;
	} else if (s->gfx[GFX_MODE] & MODE_ODD_EVEN) {
		plane = (plane & 2) | (at & 1);
		at &= ~1u;
	}
	memcpy(s->latch, vram + 4 * at, 4);
	if (!(s->gfx[GFX_MODE] & MODE_READ) || is_chain_4(s))
		return s->latch[plane];
	for (p = 0; p < 4; p++)
		if (s->gfx[GFX_DONT_CARE] & 1u << p)
			differs |= s->latch[p] ^
				   (s->gfx[GFX_COMPARE] & 1u << p ? 0xff : 0);
	return ~differs;
}

static uint8_t rotated(const struct vga_state *s, uint8_t value)
{
	unsigned int by = s->gfx[GFX_ROTATE] & 7;

	return value >> by | value << (8 - by);
}

/* What is written to plane @p, before the function and the bit mask */
static uint8_t source(const struct vga_state *s, unsigned int p, uint8_t value)
{
	uint8_t set = s->gfx[GFX_SET] & 1u << p ? 0xff : 0;

	switch (s->gfx[GFX_MODE] & MODE_WRITE) {
	case 0:
		return s->gfx[GFX_SET_ENABLE] & 1u << p ? set :
		       rotated(s, value);
	case 2:
		return value & 1u << p ? 0xff : 0;
	}
	return set;	/* mode 3 */
}

static uint8_t combine(const struct vga_state *s, uint8_t value, uint8_t latch)
{
	switch (s->gfx[GFX_ROTATE] >> 3 & 3) {
	case 1:
		return value & latch;
	case 2:
		return value | latch;
	case 3:
		return value ^ latch;
	}
	return value;
}

void planes_write(struct vga_state *s, uint8_t *vram, uint32_t at,
		  uint8_t value)
{
	uint8_t mask = s->gfx[GFX_BIT_MASK], to = s->seq[SEQ_MAP_MASK], new;
	unsigned int mode = s->gfx[GFX_MODE] & MODE_WRITE, p;

	if (!decode(s, &at))
		return;
	if (is_chain_4(s)) {
		to &= 1u << (at & 3);
		at &= ~3u;
	} else if (is_odd_even(s)) {
		to &= at & 1 ? 0xa : 0x5;
		at &= ~1u;
	}
	if (mode == 3)
		mask &= rotated(s, value);
	for (p = 0; p < 4; p++) {
		uint8_t latch = s->latch[p];

		if (!(to & 1u << p))
			continue;
		new = latch;
		if (mode != 1)
			new = (combine(s, source(s, p, value), latch) & mask) |
			      (latch & ~mask);
		vram[4 * at + p] = new;
	}
}
