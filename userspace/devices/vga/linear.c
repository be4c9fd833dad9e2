// SPDX-License-Identifier: GPL-2.0
/* The pictures of VBE's linear modes. */
#include <endian.h>
#include <string.h>
#include "devices/vga/vga.h"

static uint32_t widened(uint32_t value, unsigned int bits)
{
	return bits == 6 ? value << 2 | value >> 4 : value << 3 | value >> 2;
}

static uint32_t pixel_16(uint16_t value)
{
	return widened(value >> 11, 5) << 16 |
	       widened(value >> 5 & 0x3f, 6) << 8 | widened(value & 0x1f, 5);
}

static uint32_t pixel_15(uint16_t value)
{
	return widened(value >> 10 & 0x1f, 5) << 16 |
	       widened(value >> 5 & 0x1f, 5) << 8 | widened(value & 0x1f, 5);
}

/* Two pixels at a time, as they are in memory. The guest may write there meanwhile */
static void draw_words(const uint8_t *from, uint32_t *to, unsigned int width)
{
	uint64_t two;

	for (; width >= 2; width -= 2, from += 8, to += 2) {
		memcpy(&two, from, 8);
		two &= htole64(0x00ffffff00ffffff);
		memcpy(to, &two, 8);
	}
	if (width)
		*to = from[0] | from[1] << 8 | from[2] << 16;
}

static void draw_row(const uint8_t *from, unsigned int bits, uint8_t dac_mask,
		     const uint32_t colour[256], uint32_t *to,
		     unsigned int width)
{
	unsigned int x;

	switch (bits) {
	case 8:
		for (x = 0; x < width; x++)
			to[x] = colour[from[x] & dac_mask];
		break;
	case 15:
		for (x = 0; x < width; x++, from += 2)
			to[x] = pixel_15(from[0] | from[1] << 8);
		break;
	case 16:
		for (x = 0; x < width; x++, from += 2)
			to[x] = pixel_16(from[0] | from[1] << 8);
		break;
	case 24:
		for (x = 0; x < width; x++, from += 3)
			to[x] = from[0] | from[1] << 8 | from[2] << 16;
		break;
	case 32:
		draw_words(from, to, width);
		break;
	}
}

bool linear_is_plain(const struct vga_mode *mode)
{
	return mode->bits == 32 && mode->pitch == 4 * mode->width &&
	       !(mode->start % 4);
}

/* Of @surface all rows are drawn, unless the view says which */
void linear_draw(const struct vga_view *v, const struct vga_mode *mode,
		 struct surface *surface)
{
	uint32_t colour[256];
	unsigned int y;

	surface->first = 0;
	surface->end = mode->height;
	if (!v->all) {
		surface->first = v->first;
		surface->end = v->end < mode->height ? v->end : mode->height;
	}
	if (!surface->room)
		return;
	vga_colours(&v->state, colour);
	for (y = surface->first; y < surface->end; y++)
		draw_row(v->vram + mode->start + (size_t)y * mode->pitch,
			 mode->bits, v->state.dac_mask, colour,
			 surface->pixels + (size_t)y * mode->width,
			 mode->width);
}
