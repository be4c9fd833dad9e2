// SPDX-License-Identifier: GPL-2.0
/*
 * VGA: registers, the four planes, and the picture, all of which are state in and
 * bytes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail	/* cmocka's; the launcher has a function of that name */
#include "tests/vga_modes.h"

static struct vga_state s;
static uint8_t vram[VGA_VRAM], chained[VGA_CHAINED_MAX];
static struct vga_view view;
static struct surface shown;

static void put(unsigned int port, uint8_t value)
{
	vga_port_write(&s, port, value);
}

static uint8_t get(unsigned int port)
{
	return vga_port_read(&s, port, 0);
}

static void indexed(unsigned int port, uint8_t index, uint8_t value)
{
	put(port, index);
	put(port + 1, value);
}

static void start(const struct test_mode *mode)
{
	memset(&s, 0, sizeof(s));
	memset(vram, 0, sizeof(vram));
	vga_power_on(&s);
	if (mode)
		mode_set(mode, put, get);
	mode_colours(put);
	surface_free(&shown);
}

static void draw(uint64_t now)
{
	view = (struct vga_view){ .state = s, .vram = vram, .all = true,
				  .now = now };
	assert_int_equal(vga_draw(&view, &shown), 0);
}

static uint32_t pixel(unsigned int x, unsigned int y)
{
	assert_true(x < shown.width && y < shown.height);
	return shown.pixels[(size_t)y * shown.width + x];
}

/* ---- registers ----------------------------------------------------------- */

static void registers(void **state)
{
	unsigned int i;

	start(NULL);
	/* Index and data; bits that are not there stay zero */
	indexed(0x3c4, SEQ_MAP_MASK, 0xff);
	assert_int_equal(get(0x3c4), SEQ_MAP_MASK);
	assert_int_equal(get(0x3c5), 0x0f);
	indexed(0x3ce, GFX_READ_MAP, 0xff);
	assert_int_equal(get(0x3cf), 3);
	put(0x3ce, 0xf);
	assert_int_equal(get(0x3cf), 0);
	/* The attribute controller has one port; reading the status begins anew */
	get(0x3da);
	put(0x3c0, 0x13);
	put(0x3c0, 5);
	assert_int_equal(s.attr[ATTR_PAN], 5);
	put(0x3c0, 0x20 | 0x14);
	get(0x3da);
	put(0x3c0, 0x13);
	assert_int_equal(get(0x3c1), 5);
	put(0x3c0, 0);
	put(0x3c0, 0x1f);
	put(0x3c0, 9);
	assert_int_equal(get(0x3c1), 0);
	/* Registers 0 to 7 of the CRTC are locked, but for line compare */
	indexed(0x3d4, CRTC_H_END, 79);
	indexed(0x3d4, CRTC_V_SYNC_END, 0x80);
	indexed(0x3d4, CRTC_H_END, 39);
	assert_int_equal(s.crtc[CRTC_H_END], 79);
	indexed(0x3d4, CRTC_OVERFLOW, 0xff);
	assert_int_equal(s.crtc[CRTC_OVERFLOW], 0x10);
	/* The CRTC moves to where a monochrome adapter's is */
	put(0x3c2, 0);
	assert_int_equal(get(0x3d5), 0xff);
	put(0x3d4, 0);
	indexed(0x3b4, CRTC_START_LOW, 0x12);
	assert_int_equal(get(0x3b5), 0x12);
	assert_int_equal(get(0x3cc), 0);
	/* Nothing that a guest writes gets out of the arrays */
	for (i = 0; i < 256; i++) {
		indexed(0x3b4, i, i);
		indexed(0x3c4, i, i);
		indexed(0x3ce, i, i);
		put(0x3c0, i);
		put(0x3c0, i);
		assert_true(vga_state_is_sane(&s));
	}
}

static void dac(void **state)
{
	uint32_t colour[256];
	unsigned int i;

	start(NULL);
	put(0x3c8, 0xff);
	for (i = 0; i < 6; i++)
		put(0x3c9, 0xc1 + i);
	/* Six bits, and after colour 255 comes 0 */
	assert_int_equal(s.dac[3 * 0xff + 1], 2);
	assert_int_equal(s.dac[2], 6);
	put(0x3c7, 0xff);
	assert_int_equal(get(0x3c7), 3);
	assert_int_equal(get(0x3c9), 1);
	assert_int_equal(get(0x3c9), 2);
	assert_int_equal(get(0x3c9), 3);
	assert_int_equal(get(0x3c9), 4);
	/* A colour is not changed by a part */
	put(0x3c8, 7);
	put(0x3c9, 0x3f);
	put(0x3c9, 0x3f);
	vga_colours(&s, colour);
	assert_int_equal(colour[7], mode_colour(7));
	put(0x3c9, 0);
	vga_colours(&s, colour);
	assert_int_equal(colour[7], 0xffff00);
	vbe_write(&s, VBE_ENABLE, VBE_8_BIT_DAC);
	put(0x3c8, 7);
	put(0x3c9, 0xfe);
	put(0x3c9, 1);
	put(0x3c9, 2);
	vga_colours(&s, colour);
	assert_int_equal(colour[7], 0xfe0102);
}

/* Of a second, sampled: is the beam where a monitor has it? */
static void beam(void **state)
{
	unsigned int retrace = 0, dark = 0, frames = 0, i;
	bool was = true, is;

	start(&mode_03);
	for (i = 0; i < 100000; i++) {
		uint8_t status = vga_port_read(&s, 0x3da, 10000ull * i);

		is = status & 8;
		frames += is && !was;
		was = is;
		retrace += is;
		dark += status & 1;
		/* No picture during a retrace */
		assert_true(!is || status & 1);
	}
	assert_in_range(frames, 69, 71);
	assert_in_range(retrace, 100, 2000);
	assert_in_range(dark, 20000, 50000);
	/* Whatever it is told there is a retrace, and an end of it */
	for (i = 0; i < CRTC_NR; i++)
		s.crtc[i] = 0xff;
	for (i = 0, retrace = 0; i < 20000; i++)
		retrace += !!(vga_port_read(&s, 0x3da, 10000ull * i) & 8);
	assert_in_range(retrace, 1, 19999);
}

/* ---- planes ------------------------------------------------------------------ */

static uint32_t planes_at(uint32_t offset)
{
	uint32_t all;

	memcpy(&all, vram + 4 * offset, 4);
	return all;
}

static void write_modes(void **state)
{
	start(&mode_12);
	assert_int_equal(planes_chain(&s), 0);
	/* 0: to the planes that are enabled */
	indexed(0x3c4, SEQ_MAP_MASK, 5);
	planes_write(&s, vram, 0, 0x81);
	assert_int_equal(planes_at(0), 0x00810081);
	indexed(0x3c4, SEQ_MAP_MASK, 0xf);
	/* Rotated, set, with a mask of bits */
	indexed(0x3ce, GFX_ROTATE, 4);
	planes_write(&s, vram, 1, 0x1f);
	assert_int_equal(planes_at(1), 0xf1f1f1f1);
	indexed(0x3ce, GFX_ROTATE, 0);
	indexed(0x3ce, GFX_SET, 2);
	indexed(0x3ce, GFX_SET_ENABLE, 3);
	planes_write(&s, vram, 2, 0x55);
	assert_int_equal(planes_at(2), 0x5555ff00);
	indexed(0x3ce, GFX_SET_ENABLE, 0);
	planes_read(&s, vram, 2);
	indexed(0x3ce, GFX_BIT_MASK, 0x0f);
	planes_write(&s, vram, 3, 0x33);
	assert_int_equal(planes_at(3), 0x5353f303);
	/* Functions, with what was read last */
	indexed(0x3ce, GFX_BIT_MASK, 0xff);
	indexed(0x3ce, GFX_ROTATE, 1 << 3);
	planes_write(&s, vram, 4, 0x0f);
	assert_int_equal(planes_at(4), 0x05050f00);
	indexed(0x3ce, GFX_ROTATE, 2 << 3);
	planes_write(&s, vram, 4, 0x0f);
	assert_int_equal(planes_at(4), 0x5f5fff0f);
	indexed(0x3ce, GFX_ROTATE, 3 << 3);
	planes_write(&s, vram, 4, 0x0f);
	assert_int_equal(planes_at(4), 0x5a5af00f);
	indexed(0x3ce, GFX_ROTATE, 0);
	/* 1: what was read */
	indexed(0x3ce, GFX_MODE, 1);
	planes_write(&s, vram, 0xffff, 0x99);
	assert_int_equal(planes_at(0xffff), 0x5555ff00);
	/* 2: a colour */
	indexed(0x3ce, GFX_MODE, 2);
	indexed(0x3ce, GFX_BIT_MASK, 0xf0);
	planes_write(&s, vram, 6, 9);
	assert_int_equal(planes_at(6), 0xf5050ff0);
	/* 3: the byte is a mask */
	indexed(0x3ce, GFX_MODE, 3);
	indexed(0x3ce, GFX_SET, 1);
	indexed(0x3ce, GFX_BIT_MASK, 0xff);
	planes_write(&s, vram, 7, 0x3c);
	assert_int_equal(planes_at(7), 0x4141c33c);
	/* What is not decoded */
	assert_int_equal(planes_read(&s, vram, 0x10000), 0xff);
	planes_write(&s, vram, 0x18000, 0);
	assert_int_equal(planes_at(0x8000), 0);
}

static void read_modes(void **state)
{
	static const uint8_t bytes[] = { 0xf0, 0xcc, 0xaa, 0xff };

	start(&mode_12);
	memcpy(vram + 4 * 0x1234, bytes, 4);
	indexed(0x3ce, GFX_READ_MAP, 2);
	assert_int_equal(planes_read(&s, vram, 0x1234), 0xaa);
	assert_memory_equal(s.latch, bytes, 4);
	/* Which pixels have colour 11? */
	indexed(0x3ce, GFX_MODE, 8);
	indexed(0x3ce, GFX_COMPARE, 11);
	indexed(0x3ce, GFX_DONT_CARE, 0xf);
	assert_int_equal(planes_read(&s, vram, 0x1234), 0x40);
	indexed(0x3ce, GFX_DONT_CARE, 0);
	assert_int_equal(planes_read(&s, vram, 0x1234), 0xff);
}

/* Through the window's own order a guest sees what it sees by exits */
static void chains(void **state)
{
	static const struct test_mode *const mode[] = { &mode_03, &mode_13,
							&mode_04 };
	struct vga_chained c = { .bytes = chained };
	unsigned int i;
	uint32_t at, a;

	for (i = 0; i < sizeof(mode) / sizeof(mode[0]); i++) {
		start(mode[i]);
		c.mask = planes_chain(&s);
		assert_int_equal(c.mask, mode[i] == &mode_13 ? 3 : 1);
		at = planes_window(&s, &c.len);
		for (a = 0; a < c.len; a++)
			planes_write(&s, vram, at + a, a * 7 + (a >> 8));
		planes_gather(&c, vram);
		for (a = 0; a < c.len; a++)
			assert_int_equal(chained[a],
					 (a * 7 + (a >> 8)) & 0xff);
		memset(chained, 0x5a, sizeof(chained));
		planes_scatter(&c, vram);
		for (a = 0; a < c.len; a++)
			assert_int_equal(planes_read(&s, vram, at + a), 0x5a);
		/* The rest of the planes was left alone */
		assert_int_equal(vram[3], c.mask == 3 ? 0x5a : 0);
		/* Not while a byte is changed on its way */
		indexed(0x3ce, GFX_BIT_MASK, 0x7f);
		assert_int_equal(planes_chain(&s), 0);
	}
}

/* ---- the picture ------------------------------------------------------------------ */

static void dark(void **state)
{
	unsigned int i;

	start(NULL);
	draw(0);
	assert_int_equal(shown.width, 640);
	assert_int_equal(shown.height, 400);
	assert_int_equal(pixel(639, 399), 0);
	/* A mode that is switched off: by the sequencer, or without a palette */
	start(&mode_13);
	memset(vram, 0xff, VGA_PLANES);
	draw(0);
	assert_int_equal(pixel(0, 0), mode_colour(0xff));
	indexed(0x3c4, SEQ_CLOCKING, 0x21);
	draw(0);
	assert_int_equal(pixel(0, 0), 0);
	indexed(0x3c4, SEQ_CLOCKING, 1);
	get(0x3da);
	put(0x3c0, 0);
	draw(0);
	assert_int_equal(pixel(0, 0), 0);
	/* A picture that is too small for a monitor: what is drawn is all there */
	start(&mode_13);
	memset(vram, 0xff, VGA_PLANES);
	for (i = 0; i < 2; i++) {
		s.vbe[VBE_ENABLE] = VBE_ENABLED;
		s.vbe[VBE_X] = i ? 800 : 3;
		s.vbe[VBE_Y] = i ? 7 : 1600;
		draw(0);
		assert_int_equal(shown.end, 400);
		assert_int_equal(shown.height, 400);
		assert_int_equal(pixel(0, 0), 0);
	}
}

static void type(unsigned int column, unsigned int row, uint8_t code,
		 uint8_t attr)
{
	uint32_t at = 0x18000 + 2 * (row * 80 + column);

	planes_write(&s, vram, at, code);
	planes_write(&s, vram, at + 1, attr);
}

static void font(uint32_t at, uint8_t code, unsigned int line, uint8_t bits)
{
	vram[4 * (at + 32 * code + line) + 2] = bits;
}

static void text(void **state)
{
	static struct screen_text t;
	unsigned int i;

	start(&mode_03);
	font(0, 'A', 3, 0x81);
	font(0, 0xc4, 3, 0xff);
	font(0, 'B', 3, 0xff);
	type(0, 0, 'A', 0x1e);
	type(1, 0, 0xc4, 0x07);
	type(2, 0, 'B', 0x07);
	type(79, 24, 'A', 0x4f);
	draw(0);
	assert_int_equal(shown.width, 720);
	assert_int_equal(shown.height, 400);
	assert_int_equal(pixel(0, 2), mode_colour(1));
	assert_int_equal(pixel(0, 3), mode_colour(14 + 48));
	assert_int_equal(pixel(1, 3), mode_colour(1));
	assert_int_equal(pixel(7, 3), mode_colour(62));
	assert_int_equal(pixel(8, 3), mode_colour(1));
	/* A ninth dot for lines only */
	assert_int_equal(pixel(17, 3), mode_colour(7));
	assert_int_equal(pixel(26, 3), mode_colour(0));
	assert_int_equal(pixel(719 - 8, 24 * 16 + 3), mode_colour(63));
	/* What is written there */
	view.state = s;
	assert_true(vga_text(&view, &t));
	assert_int_equal(t.columns, 80);
	assert_int_equal(t.rows, 25);
	assert_int_equal(t.cell[0], 'A');
	assert_int_equal(t.cell[1], 0x1e);
	assert_int_equal(t.cell[2 * 2000 - 2], 'A');
	/* The cursor: at its cell, or behind the last one */
	view.state.crtc[CRTC_CURSOR_START] = 13;
	view.state.crtc[CRTC_CURSOR_HIGH] = 0;
	view.state.crtc[CRTC_CURSOR_LOW] = 81;
	assert_true(vga_text(&view, &t));
	assert_int_equal(t.cursor, 81);
	view.state.crtc[CRTC_CURSOR_HIGH] = 2000 >> 8;
	view.state.crtc[CRTC_CURSOR_LOW] = 2000 & 0xff;
	assert_true(vga_text(&view, &t));
	assert_int_equal(t.cursor, 2000);
	view.state.crtc[CRTC_CURSOR_HIGH] = 0;
	view.state.crtc[CRTC_CURSOR_START] = 0x20;
	assert_true(vga_text(&view, &t));
	assert_int_equal(t.cursor, 2000);
	/* The second font, for bright characters */
	indexed(0x3c4, SEQ_FONT, 4);
	font(0x4000, 'A', 3, 0x18);
	draw(0);
	assert_int_equal(pixel(0, 3), mode_colour(1));
	assert_int_equal(pixel(3, 3), mode_colour(62));
	/* A scroll by one row, and the cursor in what is the last one then */
	indexed(0x3d4, CRTC_START_LOW, 80);
	indexed(0x3d4, CRTC_CURSOR_HIGH, 2000 >> 8);
	indexed(0x3d4, CRTC_CURSOR_LOW, 2000 & 0xff);
	indexed(0x3d4, CRTC_CURSOR_START, 14);
	indexed(0x3d4, CRTC_CURSOR_END, 15);
	for (i = 0; i < 4; i++)
		type(i, 25, ' ', 0x07);
	draw(0);
	assert_int_equal(pixel(719 - 5, 23 * 16 + 3), mode_colour(63));
	assert_int_equal(pixel(0, 24 * 16 + 13), mode_colour(0));
	assert_int_equal(pixel(0, 24 * 16 + 14), mode_colour(7));
	assert_int_equal(pixel(8, 24 * 16 + 15), mode_colour(7));
	assert_int_equal(pixel(9, 24 * 16 + 15), mode_colour(0));
	draw(8 * vga_frame_ns(&s));
	assert_int_equal(pixel(0, 24 * 16 + 14), mode_colour(0));
	/* What blinks */
	indexed(0x3d4, CRTC_CURSOR_START, 0x20);
	type(0, 1, 'B', 0x87);
	draw(0);
	assert_int_equal(pixel(0, 3), mode_colour(7));
	draw(16 * vga_frame_ns(&s));
	assert_int_equal(pixel(0, 3), mode_colour(0));
}

/* In the order of the window, it is the same picture */
static void text_in_ram(void **state)
{
	struct vga_chained c = { .bytes = chained };
	uint32_t *before;
	unsigned int i;

	start(&mode_03);
	for (i = 0; i < 32 * 256; i++)
		vram[4 * i + 2] = i * 5;
	for (i = 0; i < 2000; i++)
		type(i % 80, i / 80, i * 3, i);
	draw(0);
	before = shown.pixels;
	shown = (struct surface){ 0 };
	c.mask = planes_chain(&s);
	planes_window(&s, &c.len);
	planes_gather(&c, vram);
	/* Not there any more */
	for (i = 0; i < 0x8000; i++)
		vram[4 * i] = vram[4 * i + 1] = 0;
	view.chained = c;
	assert_int_equal(vga_draw(&view, &shown), 0);
	assert_memory_equal(before, shown.pixels, 720 * 400 * 4);
	free(before);
}

static void planar(void **state)
{
	start(&mode_12);
	vram[4 * 80 + 0] = 0x80;
	vram[4 * 80 + 2] = 0x81;
	draw(0);
	assert_int_equal(shown.width, 640);
	assert_int_equal(shown.height, 480);
	assert_int_equal(pixel(0, 1), mode_colour(5));
	assert_int_equal(pixel(1, 1), mode_colour(0));
	assert_int_equal(pixel(7, 1), mode_colour(4));
	/* A plane that is not shown */
	get(0x3da);
	put(0x3c0, 0x20 | ATTR_PLANES);
	put(0x3c0, 0xb);
	draw(0);
	assert_int_equal(pixel(0, 1), mode_colour(1));
	/* Smooth to the left, by three */
	put(0x3c0, 0x20 | ATTR_PAN);
	put(0x3c0, 3);
	vram[4 * 81] = 0x80;
	draw(0);
	assert_int_equal(pixel(5, 1), mode_colour(1));
	assert_int_equal(pixel(8, 1), mode_colour(0));
	/* Below a line begins address 0, which does not move */
	indexed(0x3d4, CRTC_START_LOW, 80);
	indexed(0x3d4, CRTC_OVERFLOW, s.crtc[CRTC_OVERFLOW] & ~0x10);
	indexed(0x3d4, CRTC_MAX_SCAN, 0);
	indexed(0x3d4, CRTC_LINE_COMPARE, 99);
	put(0x3c0, 0x20 | ATTR_MODE);
	put(0x3c0, ATTR_GRAPHICS | ATTR_PAN_SPLIT);
	draw(0);
	assert_int_equal(pixel(5, 0), mode_colour(1));
	assert_int_equal(pixel(0, 100), mode_colour(0));
	assert_int_equal(pixel(0, 101), mode_colour(1));
	assert_int_equal(pixel(8, 101), mode_colour(1));
}

static void colours_256(void **state)
{
	start(&mode_13);
	/* The window's address 321: second row, second pixel */
	planes_write(&s, vram, 321, 77);
	draw(0);
	assert_int_equal(shown.width, 640);
	assert_int_equal(shown.height, 400);
	assert_int_equal(pixel(2, 2), mode_colour(77));
	assert_int_equal(pixel(3, 3), mode_colour(77));
	assert_int_equal(pixel(1, 2), mode_colour(0));
	assert_int_equal(pixel(4, 2), mode_colour(0));
	assert_int_equal(pixel(2, 4), mode_colour(0));
	/* Mode X: no chain, bytes: the planes are four pixels */
	indexed(0x3c4, SEQ_MEMORY, 6);
	indexed(0x3d4, CRTC_UNDERLINE, 0);
	indexed(0x3d4, CRTC_MODE, 0xe3);
	indexed(0x3c4, SEQ_MAP_MASK, 4);
	planes_write(&s, vram, 80, 99);
	draw(0);
	assert_int_equal(pixel(4, 2), mode_colour(99));
	assert_int_equal(pixel(2, 2), mode_colour(0));
	assert_int_equal(planes_chain(&s), 0);
	/* Its second page */
	indexed(0x3d4, CRTC_START_HIGH, 0x40);
	planes_write(&s, vram, 0x4000, 100);
	draw(0);
	assert_int_equal(pixel(4, 0), mode_colour(100));
}

static void cga(void **state)
{
	start(&mode_04);
	/* Four colours in two fields; the second one begins at 8 KiB */
	planes_write(&s, vram, 0x18000, 0x1b);
	planes_write(&s, vram, 0x18001, 0xc0);
	planes_write(&s, vram, 0x1a000, 0xff);
	draw(0);
	assert_int_equal(shown.width, 640);
	assert_int_equal(shown.height, 400);
	assert_int_equal(pixel(0, 0), mode_colour(mode_04.attr[0]));
	assert_int_equal(pixel(2, 0), mode_colour(mode_04.attr[1]));
	assert_int_equal(pixel(4, 1), mode_colour(mode_04.attr[2]));
	assert_int_equal(pixel(7, 1), mode_colour(mode_04.attr[3]));
	assert_int_equal(pixel(8, 1), mode_colour(mode_04.attr[3]));
	assert_int_equal(pixel(0, 2), mode_colour(mode_04.attr[3]));
	assert_int_equal(pixel(0, 4), mode_colour(mode_04.attr[0]));
}

/* ---- VBE ------------------------------------------------------------------------ */

static void vbe_set(unsigned int x, unsigned int y, unsigned int bits)
{
	vbe_write(&s, VBE_ENABLE, 0);
	vbe_write(&s, VBE_X, x);
	vbe_write(&s, VBE_Y, y);
	vbe_write(&s, VBE_BPP, bits);
	assert_true(vbe_write(&s, VBE_ENABLE, VBE_ENABLED | 0x40));
}

static void linear(void **state)
{
	static const struct {
		unsigned int bits;
		uint32_t value, shown;
	} kind[] = { { 8, 5, 0 }, { 15, 0x7c1f, 0xff00ff },
		     { 16, 0x07e0, 0x00ff00 }, { 24, 0x123456, 0x123456 },
		     { 32, 0xff654321, 0x654321 } };
	unsigned int i, bytes;

	for (i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
		start(&mode_03);
		vbe_set(800, 600, kind[i].bits);
		bytes = (kind[i].bits + 7) / 8;
		memcpy(vram + (7 * 800 + 9) * bytes, &kind[i].value, bytes);
		draw(0);
		assert_int_equal(shown.width, 800);
		assert_int_equal(shown.height, 600);
		assert_int_equal(pixel(9, 7), kind[i].shown ? kind[i].shown :
				 mode_colour(5));
		assert_int_equal(pixel(8, 7), kind[i].bits == 8 ?
				 mode_colour(0) : 0);
		/* A larger one, of which this is a part */
		vbe_write(&s, VBE_VIRT_WIDTH, 1000);
		vbe_write(&s, VBE_X_OFFSET, 3);
		vbe_write(&s, VBE_Y_OFFSET, 2);
		memcpy(vram + (4 * 1000 + 4) * bytes, &kind[i].value, bytes);
		draw(0);
		assert_int_equal(pixel(1, 2), kind[i].shown ? kind[i].shown :
				 mode_colour(5));
		assert_int_equal(vbe_read(&s, VBE_VIRT_HEIGHT),
				 VGA_VRAM / 1000 / bytes);
	}
	/* Rows that the view names, and no others */
	memset(vram, 0xff, 800 * 600 * 4);
	view.all = false;
	view.first = 10;
	view.end = 20;
	assert_int_equal(vga_draw(&view, &shown), 0);
	assert_int_equal(shown.first, 10);
	assert_int_equal(shown.end, 20);
	assert_int_equal(pixel(0, 9), 0);
	assert_int_equal(pixel(0, 19), 0xffffff);
	view.nothing = true;
	assert_int_equal(vga_draw(&view, &shown), 0);
	assert_int_equal(shown.end, 0);
}

/* Who may have them gets the memory's own pixels, where they are as they are shown */
static void lent(void **state)
{
	start(&mode_03);
	shown.borrows = true;
	vbe_set(800, 600, 32);
	vbe_write(&s, VBE_Y_OFFSET, 2);
	draw(0);
	assert_ptr_equal(shown.pixels, vram + 2 * 800 * 4);
	assert_int_equal(shown.end, 600);
	/* Rows with a rest, other pixels, and no picture are drawn */
	vbe_write(&s, VBE_VIRT_WIDTH, 1000);
	draw(0);
	assert_int_equal(shown.room, 800 * 600);
	vbe_set(800, 600, 16);
	draw(0);
	assert_int_equal(shown.room, 800 * 600);
	vbe_set(800, 600, 32);
	indexed(0x3c4, SEQ_CLOCKING, CLOCKING_OFF);
	draw(0);
	assert_int_equal(shown.room, 800 * 600);
	start(NULL);
}

static void vbe_limits(void **state)
{
	start(NULL);
	assert_int_equal(vbe_read(&s, VBE_ID), 0xb0c5);
	vbe_write(&s, VBE_ID, 0xb0c2);
	assert_int_equal(vbe_read(&s, VBE_ID), 0xb0c2);
	vbe_write(&s, VBE_ID, 0x1234);
	assert_int_equal(vbe_read(&s, VBE_ID), 0xb0c2);
	assert_int_equal(vbe_read(&s, VBE_MEMORY), 256);
	assert_int_equal(vbe_read(&s, 99), 0);
	vbe_write(&s, VBE_ENABLE, VBE_GET_CAPS);
	assert_int_equal(vbe_read(&s, VBE_X), VBE_X_MAX);
	vbe_write(&s, VBE_ENABLE, 0);
	vbe_write(&s, VBE_X, 0xffff);
	assert_int_equal(vbe_read(&s, VBE_X), 0);
	/* What does not fit into the memory is no mode */
	vbe_set(2560, 1600, 32);
	assert_int_equal(vbe_mode(&s).width, 2560);
	vbe_write(&s, VBE_Y_OFFSET, 1);
	vbe_write(&s, VBE_Y_OFFSET, 0xffff);
	assert_int_equal(vbe_mode(&s).width, 0);
	draw(0);
	vbe_write(&s, VBE_Y_OFFSET, 0);
	vbe_write(&s, VBE_VIRT_WIDTH, 0xffff);
	assert_int_equal(vbe_mode(&s).width, 0);
	/* Four planes, and more than 64 KiB of each */
	vbe_set(1024, 768, 4);
	assert_int_equal(vbe_mode(&s).width, 0);
	mode_set(&mode_12, put, get);
	vbe_write(&s, VBE_BANK, 1);
	planes_write(&s, vram, 0, 0x80);
	assert_int_equal(planes_at(0x10000), 0x80808080);
	draw(0);
	assert_int_equal(shown.width, 1024);
	assert_int_equal(pixel(0, 512), mode_colour(63));
	vbe_write(&s, VBE_BANK, 0xffff);
	planes_write(&s, vram, 0xffff, 0x80);
}

static void edid(void **state)
{
	uint8_t e[EDID_LEN], sum = 0;
	unsigned int i, clock;

	edid_make(e, 1024, 768);
	for (i = 0; i < EDID_LEN; i++)
		sum += e[i];
	assert_int_equal(sum, 0);
	assert_int_equal(e[54 + 2] | e[54 + 4] >> 4 << 8, 1024);
	assert_int_equal(e[54 + 5] | e[54 + 7] >> 4 << 8, 768);
	clock = (e[54] | e[55] << 8) * 10000;
	assert_in_range(clock / ((1024 + 160) * (768 + 30)), 59, 60);
	edid_make(e, VBE_X_MAX, VBE_Y_MAX);
	assert_int_equal(e[54 + 2] | e[54 + 4] >> 4 << 8, VBE_X_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),
		cmocka_unit_test(dac),
		cmocka_unit_test(beam),
		cmocka_unit_test(write_modes),
		cmocka_unit_test(read_modes),
		cmocka_unit_test(chains),
		cmocka_unit_test(dark),
		cmocka_unit_test(text),
		cmocka_unit_test(text_in_ram),
		cmocka_unit_test(planar),
		cmocka_unit_test(colours_256),
		cmocka_unit_test(cga),
		cmocka_unit_test(linear),
		cmocka_unit_test(lent),
		cmocka_unit_test(vbe_limits),
		cmocka_unit_test(edid),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	surface_free(&shown);
	return failed;
}
