// SPDX-License-Identifier: GPL-2.0
/*
 * What a VGA's monitor shows: the CRT controller's addresses, the sequencer's
 * shift registers, the attribute controller's colours. A dot of the monitor is a
 * pixel, so that 320x200 is drawn as 640x400. There is no border.
 */
#include <string.h>
#include "devices/vga/vga.h"

#define DOTS_MAX	9u
#define FONT_CHAR	32u	/* bytes of a character in plane 2 */

/**
 * struct scan - how a picture is read and drawn
 * @v: what is shown
 * @colour: of each index of the DAC
 * @index: of the DAC, of each of 16 colours
 * @mask: of offsets in a plane
 * @columns: characters, or groups of 8 pixels, in a row
 * @lines: of a row
 * @dots: of a column
 * @wide: pixels of a dot
 * @width: pixels of a line
 * @height: lines
 * @start: address of the first row
 * @pitch: addresses from row to row
 * @split: the last line before the picture begins at address 0
 * @text: these are characters
 * @linear: addresses are as they are: a mode of VBE
 * @cursor: it is to be seen now
 * @blank: so is what blinks not
 */
struct scan {
	const struct vga_view *v;
	uint32_t colour[256];
	uint8_t index[16];
	uint32_t mask;
	unsigned int columns, lines, dots, wide, width, height;
	uint32_t start, pitch, split;
	bool text, linear, cursor, blank;
};

/* A byte of a plane, which may be in the window's order now */
static uint8_t fetch(const struct vga_view *v, uint32_t offset, unsigned int p)
{
	const struct vga_chained *c = &v->chained;

	if (c->mask && p <= c->mask && !(offset & c->mask) && offset < c->len)
		return c->bytes[offset | p];
	return v->vram[4 * offset + p];
}

/* What the counter @at means, in line @line of a row */
static uint32_t offset_of(const struct scan *s, uint32_t at, unsigned int line)
{
	const uint8_t *crtc = s->v->state.crtc;
	uint8_t mode = crtc[CRTC_MODE];

	if (s->linear)
		return at & s->mask;
	if (crtc[CRTC_UNDERLINE] & UNDERLINE_DWORD)
		at = at << 2 | (at >> 14 & 3);
	else if (!(mode & CRTC_BYTES))
		at = at << 1 | (at >> (mode & CRTC_WRAP ? 15 : 13) & 1);
	if (!(mode & CRTC_A13))
		at = (at & ~(1u << 13)) | (line & 1) << 13;
	if (!(mode & CRTC_A14))
		at = (at & ~(1u << 14)) | (line >> 1 & 1) << 14;
	return at & s->mask;
}

/* ---- what a column shows: indices of the DAC, a dot each ------------------------- */

static uint32_t font_of(const struct vga_state *s, uint8_t attribute)
{
	uint8_t fonts = s->seq[SEQ_FONT];
	unsigned int n = attribute & 8 ?
		(fonts >> 2 & 3) | (fonts >> 5 & 1) << 2 :
		(fonts & 3) | (fonts >> 4 & 1) << 2;

	/* 0, 16, 32, 48, 8, 24, 40 and 56 KiB */
	return (n & 3) << 14 | (n >> 2) << 13;
}

static bool is_cursor(const struct scan *s, uint32_t at, unsigned int line)
{
	const uint8_t *crtc = s->v->state.crtc;
	uint32_t place = crtc[CRTC_CURSOR_HIGH] << 8 | crtc[CRTC_CURSOR_LOW];

	return s->cursor && (at & 0xffff) == place &&
	       line >= (crtc[CRTC_CURSOR_START] & 0x1fu) &&
	       line <= (crtc[CRTC_CURSOR_END] & 0x1fu);
}

static void draw_char(const struct scan *s, uint32_t at, unsigned int line,
		      uint8_t *dot)
{
	const struct vga_state *r = &s->v->state;
	uint32_t offset = offset_of(s, at, line);
	uint8_t code = fetch(s->v, offset, 0), attr = fetch(s->v, offset, 1);
	uint32_t glyph = (font_of(r, attr) + code * FONT_CHAR + line) & 0xffff;
	uint8_t bits = fetch(s->v, glyph, 2), fg = attr & 0xf, bg = attr >> 4;
	bool ninth = r->attr[ATTR_MODE] & ATTR_LINES && (code & 0xe0) == 0xc0;
	unsigned int i;

	if (r->attr[ATTR_MODE] & ATTR_BLINK) {
		bg &= 7;
		if (attr & 0x80 && s->blank)
			bits = 0;
	}
	if ((attr & 0x77) == 1 && line == (r->crtc[CRTC_UNDERLINE] & 0x1fu)) {
		bits = 0xff;
		ninth = true;
	}
	if (is_cursor(s, at, line)) {
		bits = 0xff;
		ninth = true;
	}
	for (i = 0; i < 8; i++)
		dot[i] = s->index[bits & 0x80 >> i ? fg : bg];
	if (s->dots == 9)
		dot[8] = s->index[ninth && bits & 1 ? fg : bg];
}

/* Eight dots of four planes, or of pairs of them */
static void draw_planes(const struct scan *s, const uint8_t plane[4],
			uint8_t *dot)
{
	const struct vga_state *r = &s->v->state;
	uint8_t enabled = r->attr[ATTR_PLANES] & 0xf;
	unsigned int i, p, pixel;

	for (i = 0; i < 8; i++) {
		if (r->gfx[GFX_MODE] & MODE_SHIFT_2) {
			unsigned int shift = 6 - 2 * (i & 3), odd = i >> 2;

			pixel = (plane[odd] >> shift & 3) |
				(plane[2 + odd] >> shift & 3) << 2;
		} else {
			for (p = pixel = 0; p < 4; p++)
				pixel |= (plane[p] >> (7 - i) & 1) << p;
		}
		dot[i] = s->index[pixel & enabled];
	}
}

/* A byte is a pixel of two dots, or each half of it a dot */
static void draw_bytes(const struct scan *s, const uint8_t plane[4],
		       uint8_t *dot)
{
	const struct vga_state *r = &s->v->state;
	bool whole = r->attr[ATTR_MODE] & ATTR_256;
	unsigned int p;

	for (p = 0; p < 4; p++) {
		uint8_t high = plane[p] >> 4, low = plane[p] & 0xf;

		dot[2 * p] = whole ? plane[p] & r->dac_mask : s->index[high];
		dot[2 * p + 1] = whole ? plane[p] & r->dac_mask : s->index[low];
	}
}

static void draw_column(const struct scan *s, uint32_t at, unsigned int line,
			uint8_t *dot)
{
	uint32_t offset = offset_of(s, at, line);
	uint8_t plane[4];
	unsigned int p;

	if (s->text) {
		draw_char(s, at, line, dot);
		return;
	}
	for (p = 0; p < 4; p++)
		plane[p] = fetch(s->v, offset, p);
	if (s->v->state.gfx[GFX_MODE] & MODE_SHIFT_256)
		draw_bytes(s, plane, dot);
	else
		draw_planes(s, plane, dot);
	/* A ninth dot is as the eighth: nobody uses it */
	dot[8] = dot[7];
}

/* ---- lines --------------------------------------------------------------------------- */

/* @pan: dots that are to the left of the picture */
static void draw_line(const struct scan *s, uint32_t at, unsigned int line,
		      unsigned int pan, uint32_t *pixel)
{
	uint8_t dot[DOTS_MAX] = { 0 };
	unsigned int column, x = 0, i, n;

	for (column = 0; x < s->width; column++) {
		draw_column(s, at + column, line, dot);
		for (i = column ? 0 : pan; i < s->dots; i++)
			for (n = 0; n < s->wide && x < s->width; n++)
				pixel[x++] = s->colour[dot[i]];
	}
}

static unsigned int pan_of(const struct scan *s)
{
	const struct vga_state *r = &s->v->state;
	unsigned int pan = r->attr[ATTR_PAN] & 0xf;

	if (s->linear)
		return 0;
	if (s->dots == 9)
		return pan < 8 ? pan + 1 : 0;
	return pan & 7;
}

static void draw_lines(const struct scan *s, uint32_t *pixel)
{
	const struct vga_state *r = &s->v->state;
	uint32_t row = s->start + (s->linear ? 0 : r->crtc[CRTC_PRESET] >> 5 & 3);
	unsigned int line = s->linear ? 0 : r->crtc[CRTC_PRESET] & 0x1f;
	bool twice = !s->linear && r->crtc[CRTC_MAX_SCAN] & 0x80;
	unsigned int pan = pan_of(s), y, half = 0;

	if (line >= s->lines)
		line = 0;
	for (y = 0; y < s->height; y++, pixel += s->width) {
		draw_line(s, row, line, pan, pixel);
		if (y == s->split) {
			row = line = half = 0;
			if (r->attr[ATTR_MODE] & ATTR_PAN_SPLIT)
				pan = s->dots == 9;
			continue;
		}
		if (twice && !(half++ & 1))
			continue;
		if (++line == s->lines) {
			line = 0;
			row += s->pitch;
		}
	}
}

/* ---- the whole ------------------------------------------------------------------------- */

static void choose_indices(struct scan *s)
{
	const struct vga_state *r = &s->v->state;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		uint8_t c = r->attr[i] & 0x3f;

		if (r->attr[ATTR_MODE] & ATTR_P54)
			c = (c & 0xf) | (r->attr[ATTR_SELECT] & 3) << 4;
		s->index[i] = (c | (r->attr[ATTR_SELECT] & 0xc) << 4) &
			      r->dac_mask;
	}
}

static bool is_planar_vbe(const struct vga_state *s)
{
	return s->vbe[VBE_ENABLE] & VBE_ENABLED && s->vbe[VBE_BPP] == 4 &&
	       s->vbe[VBE_X] && s->vbe[VBE_Y];
}

static void geometry_of_vbe(struct scan *s)
{
	const uint16_t *vbe = s->v->state.vbe;
	unsigned int width = vbe[VBE_VIRT_WIDTH];

	s->linear = true;
	s->mask = VGA_VRAM / 4 - 1;
	s->width = vbe[VBE_X];
	s->height = vbe[VBE_Y];
	s->lines = 1;
	s->dots = 8;
	s->wide = 1;
	s->pitch = (width > s->width ? width : s->width) / 8;
	s->start = vbe[VBE_Y_OFFSET] * s->pitch + vbe[VBE_X_OFFSET] / 8;
	s->split = ~0u;
}

static void geometry(struct scan *s)
{
	const struct vga_state *r = &s->v->state;
	const uint8_t *crtc = r->crtc;

	s->mask = 0xffff;
	s->columns = crtc[CRTC_H_END] + 1;
	s->text = !(r->attr[ATTR_MODE] & ATTR_GRAPHICS);
	s->dots = r->seq[SEQ_CLOCKING] & CLOCKING_8_DOTS ? 8 : 9;
	s->wide = r->seq[SEQ_CLOCKING] & CLOCKING_HALF ? 2 : 1;
	s->width = s->columns * s->dots * s->wide;
	s->height = vga_lines(r);
	s->lines = (crtc[CRTC_MAX_SCAN] & 0x1f) + 1;
	s->start = crtc[CRTC_START_HIGH] << 8 | crtc[CRTC_START_LOW];
	s->pitch = 2 * crtc[CRTC_OFFSET];
	s->split = crtc[CRTC_LINE_COMPARE] |
		   (crtc[CRTC_OVERFLOW] >> 4 & 1) << 8 |
		   (crtc[CRTC_MAX_SCAN] >> 6 & 1) << 9;
}

static void make_scan(struct scan *s, const struct vga_view *v)
{
	const struct vga_state *r = &v->state;
	uint64_t frame = v->now / vga_frame_ns(r);

	*s = (struct scan){ .v = v };
	if (is_planar_vbe(r))
		geometry_of_vbe(s);
	else
		geometry(s);
	s->cursor = !(r->crtc[CRTC_CURSOR_START] & 0x20) && !(frame & 8);
	s->blank = frame & 16;
	choose_indices(s);
	vga_colours(r, s->colour);
}

/* Nothing has set a mode, or the picture is switched off */
static bool is_dark(const struct vga_state *s)
{
	return !(s->attr_index & ATTR_ON) ||
	       s->seq[SEQ_CLOCKING] & CLOCKING_OFF;
}

int vga_draw(const void *view, struct surface *surface)
{
	const struct vga_view *v = view;
	struct vga_mode mode = vbe_mode(&v->state);
	unsigned int width = mode.width, height = mode.height;
	bool none, dark;
	struct scan s;

	make_scan(&s, v);
	if (!width) {
		width = s.width;
		height = s.height;
	}
	/* Before anybody has set it up: nothing to be drawn in that size */
	none = height < 8 || width < 8;
	if (none) {
		width = 640;
		height = 400;
	}
	surface->first = surface->end = 0;
	if (v->nothing && surface->width == width && surface->height == height)
		return 0;
	dark = none || is_dark(&v->state);
	if (surface->borrows && !dark && linear_is_plain(&mode))
		surface_borrow(surface, (uint32_t *)(v->vram + mode.start),
			       width, height);
	else if (surface_resize(surface, width, height))
		return -1;
	surface->end = height;
	if (dark)
		memset(surface->pixels, 0,
		       (size_t)width * height * sizeof(*surface->pixels));
	else if (mode.width)
		linear_draw(v, &mode, surface);
	else
		draw_lines(&s, surface->pixels);
	return 0;
}

/* In rows that are as long as the picture's */
static unsigned int text_cursor(const struct scan *s, unsigned int none)
{
	const uint8_t *crtc = s->v->state.crtc;
	unsigned int at = crtc[CRTC_CURSOR_HIGH] << 8 | crtc[CRTC_CURSOR_LOW];
	unsigned int row, column;

	if (crtc[CRTC_CURSOR_START] & 0x20 || at < s->start || !s->pitch)
		return none;
	row = (at - s->start) / s->pitch;
	column = (at - s->start) % s->pitch;
	return column < s->columns && row * s->columns + column < none ?
	       row * s->columns + column : none;
}

bool vga_text(const void *view, struct screen_text *text)
{
	const struct vga_view *v = view;
	unsigned int row, column;
	uint8_t *cell = text->cell;
	struct scan s;

	make_scan(&s, v);
	if (vbe_mode(&v->state).width || s.linear || !s.text ||
	    is_dark(&v->state) || s.height < s.lines)
		return false;
	text->columns = s.columns;
	text->rows = s.height / s.lines;
	if (text->rows > SCREEN_ROWS)
		text->rows = SCREEN_ROWS;
	for (row = 0; row < text->rows; row++) {
		for (column = 0; column < s.columns; column++) {
			uint32_t at = offset_of(&s, s.start + row * s.pitch +
						column, 0);

			*cell++ = fetch(v, at, 0);
			*cell++ = fetch(v, at, 1);
		}
	}
	text->cursor = text_cursor(&s, text->columns * text->rows);
	return true;
}
