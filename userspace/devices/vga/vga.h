/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VGA with Bochs' VBE registers. Registers (registers.c, vbe.c), the way of the
 * CPU to the four planes (planes.c), and the picture (render.c, linear.c) know
 * nothing of machines: state in, state, bytes or pixels out. The device that a
 * guest finds is vga.c.
 */
#ifndef MVMM_VGA_H
#define MVMM_VGA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/state.h"
#include "display/screen.h"

#define VGA_PORTS	0x3b0
#define VGA_NR_PORTS	0x30
#define VGA_PLANES	(256u << 10)	/* four of them, 64 KiB each */
#define VGA_VRAM	(16u << 20)
#define VGA_WINDOW	0xa0000
#define VGA_WINDOW_LEN	0x20000
#define VGA_CHAINED_MAX	0x10000

/* Registers by index, as far as they mean something here */
enum { SEQ_RESET, SEQ_CLOCKING, SEQ_MAP_MASK, SEQ_FONT, SEQ_MEMORY, SEQ_NR };
#define CLOCKING_8_DOTS	(1u << 0)
#define CLOCKING_HALF	(1u << 3)
#define CLOCKING_OFF	(1u << 5)
#define MEMORY_NO_ODD_EVEN (1u << 2)
#define MEMORY_CHAIN_4	(1u << 3)

enum { GFX_SET, GFX_SET_ENABLE, GFX_COMPARE, GFX_ROTATE, GFX_READ_MAP, GFX_MODE,
       GFX_MISC, GFX_DONT_CARE, GFX_BIT_MASK, GFX_NR };
#define MODE_WRITE	3u
#define MODE_READ	(1u << 3)
#define MODE_ODD_EVEN	(1u << 4)
#define MODE_SHIFT_2	(1u << 5)
#define MODE_SHIFT_256	(1u << 6)

enum { CRTC_H_TOTAL, CRTC_H_END, CRTC_V_TOTAL = 6, CRTC_OVERFLOW, CRTC_PRESET,
       CRTC_MAX_SCAN, CRTC_CURSOR_START, CRTC_CURSOR_END, CRTC_START_HIGH,
       CRTC_START_LOW, CRTC_CURSOR_HIGH, CRTC_CURSOR_LOW, CRTC_V_SYNC,
       CRTC_V_SYNC_END, CRTC_V_END, CRTC_OFFSET, CRTC_UNDERLINE,
       CRTC_MODE = 0x17, CRTC_LINE_COMPARE, CRTC_NR };
#define CRTC_LOCK	(1u << 7)	/* in CRTC_V_SYNC_END */
#define UNDERLINE_DWORD	(1u << 6)
#define CRTC_A13	(1u << 0)
#define CRTC_A14	(1u << 1)
#define CRTC_WRAP	(1u << 5)
#define CRTC_BYTES	(1u << 6)

enum { ATTR_MODE = 0x10, ATTR_OVERSCAN, ATTR_PLANES, ATTR_PAN, ATTR_SELECT,
       ATTR_NR };
#define ATTR_GRAPHICS	(1u << 0)
#define ATTR_LINES	(1u << 2)
#define ATTR_BLINK	(1u << 3)
#define ATTR_PAN_SPLIT	(1u << 5)
#define ATTR_256	(1u << 6)
#define ATTR_P54	(1u << 7)
#define ATTR_ON		(1u << 5)	/* in the index */

enum { VBE_ID, VBE_X, VBE_Y, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH,
       VBE_VIRT_HEIGHT, VBE_X_OFFSET, VBE_Y_OFFSET, VBE_MEMORY, VBE_NR };
#define VBE_ENABLED	(1u << 0)
#define VBE_GET_CAPS	(1u << 1)
#define VBE_8_BIT_DAC	(1u << 5)
#define VBE_KEEP	(1u << 7)
#define VBE_X_MAX	SCREEN_X_MAX
#define VBE_Y_MAX	SCREEN_Y_MAX

/**
 * struct vga_state - all registers
 * @misc: Miscellaneous Output
 * @feature: Feature Control
 * @seq_index: of the sequencer
 * @gfx_index: of the graphics controller
 * @crtc_index: of the CRT controller
 * @attr_index: of the attribute controller; ATTR_ON: the palette is in use
 * @attr_data: the next write to 0x3c0 is data
 * @seq: the sequencer's registers
 * @gfx: the graphics controller's
 * @crtc: the CRT controller's
 * @attr: the attribute controller's: palette and the others
 * @latch: what the last read took of each plane
 * @dac_mask: of indices
 * @dac_index: the next colour that is read or written
 * @dac_part: of that: red, green, blue
 * @dac_reading: the last index was one to read
 * @dac_new: what was written of a colour
 * @dac: colours, as they were written: 6 bits each, or 8
 * @vbe_index: of Bochs' VBE
 * @vbe: its registers
 */
struct vga_state {
	uint8_t misc, feature;
	uint8_t seq_index, gfx_index, crtc_index, attr_index;
	bool attr_data;
	uint8_t seq[SEQ_NR], gfx[GFX_NR], crtc[CRTC_NR], attr[ATTR_NR];
	uint8_t latch[4];
	uint8_t dac_mask, dac_index, dac_part;
	bool dac_reading;
	uint8_t dac_new[3], dac[768];
	uint16_t vbe_index, vbe[VBE_NR];
};

extern const struct field vga_fields[];

/**
 * struct vga_chained - what the window shows, while it is RAM
 * @bytes: in the CPU's order; a byte at address A is of plane A & @mask
 * @mask: 1: odd and even addresses, as of text; 3: chain 4; 0: it is not in use
 * @len: bytes
 */
struct vga_chained {
	uint8_t *bytes;
	uint8_t mask;
	uint32_t len;
};

/**
 * struct vga_view - all that a picture depends on
 * @state: the registers
 * @chained: what the planes do not have now
 * @vram: plane P has byte N at 4 * N + P
 * @now: VM time, for what blinks
 * @first: of the rows that are to be drawn, of a linear mode
 * @end: after the last of them
 * @all: draw all rows
 * @nothing: nothing has changed
 */
struct vga_view {
	struct vga_state state;
	struct vga_chained chained;
	const uint8_t *vram;
	uint64_t now;
	unsigned int first, end;
	bool all, nothing;
};

/**
 * struct vga_mode - a linear mode, which fits into the memory
 * @width: pixels; 0: there is no such mode now
 * @height: the same
 * @bits: of a pixel: 8, 15, 16, 24, 32
 * @start: first byte
 * @pitch: bytes from row to row
 */
struct vga_mode {
	unsigned int width, height, bits;
	uint32_t start, pitch;
};

/* @port: from VGA_PORTS on; @now: VM time */
uint8_t vga_port_read(struct vga_state *s, unsigned int port, uint64_t now);
void vga_port_write(struct vga_state *s, unsigned int port, uint8_t value);
/* What a BIOS would not have set: the monitor gets no picture then */
void vga_power_on(struct vga_state *s);
/* A loaded state is hostile. False: it cannot be */
bool vga_state_is_sane(const struct vga_state *s);
/* Of a frame, in ns */
uint64_t vga_frame_ns(const struct vga_state *s);
/* In scan lines */
unsigned int vga_lines(const struct vga_state *s);

uint16_t vbe_read(const struct vga_state *s, unsigned int index);
/* Returns whether the mode's memory is to be cleared */
bool vbe_write(struct vga_state *s, unsigned int index, uint16_t value);
struct vga_mode vbe_mode(const struct vga_state *s);
/* Bytes before the window's first one */
uint32_t vbe_bank(const struct vga_state *s);

/* The window: @at from VGA_WINDOW on; what is not decoded reads as ones */
uint8_t planes_read(struct vga_state *s, const uint8_t *vram, uint32_t at);
void planes_write(struct vga_state *s, uint8_t *vram, uint32_t at,
		  uint8_t value);
/* Which part of the window is decoded: an offset, and bytes */
uint32_t planes_window(const struct vga_state *s, uint32_t *len);
/* If all of it can be RAM, as which; else 0 */
uint8_t planes_chain(const struct vga_state *s);
/* From the planes into @chained, or back */
void planes_gather(const struct vga_chained *chained, const uint8_t *vram);
void planes_scatter(const struct vga_chained *chained, uint8_t *vram);

/* 0x00rrggbb of each colour */
void vga_colours(const struct vga_state *s, uint32_t colour[256]);
int vga_draw(const void *view, struct surface *surface);
bool vga_text(const void *view, struct screen_text *text);
/* Is a picture in this mode, if there is one, as it is in memory? */
bool linear_is_plain(const struct vga_mode *mode);
/* For vga_draw(), if there is a linear mode */
void linear_draw(const struct vga_view *v, const struct vga_mode *mode,
		 struct surface *surface);

#define EDID_LEN 128
/* A monitor with this many pixels */
void edid_make(uint8_t edid[EDID_LEN], unsigned int width,
	       unsigned int height);

#endif
