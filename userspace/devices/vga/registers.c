// SPDX-License-Identifier: GPL-2.0
/*
 * A VGA's registers at 0x3b0 to 0x3df (IBM PS/2 Hardware Interface Technical
 * Reference, Video Subsystem), and the beam's place by the time.
 */
#include "devices/vga/vga.h"

#define MISC_COLOUR	(1u << 0)	/* CRTC at 0x3d4, not at 0x3b4 */
#define STATUS_DISPLAY_OFF (1u << 0)
#define STATUS_RETRACE	(1u << 3)
#define NS		1000000000ull

const struct field vga_fields[] = {
	FIELD(struct vga_state, misc), FIELD(struct vga_state, feature),
	FIELD(struct vga_state, seq_index), FIELD(struct vga_state, gfx_index),
	FIELD(struct vga_state, crtc_index),
	FIELD(struct vga_state, attr_index), FIELD(struct vga_state, attr_data),
	FIELD_ARRAY(struct vga_state, seq), FIELD_ARRAY(struct vga_state, gfx),
	FIELD_ARRAY(struct vga_state, crtc),
	FIELD_ARRAY(struct vga_state, attr),
	FIELD_ARRAY(struct vga_state, latch),
	FIELD(struct vga_state, dac_mask), FIELD(struct vga_state, dac_index),
	FIELD(struct vga_state, dac_part),
	FIELD(struct vga_state, dac_reading),
	FIELD_ARRAY(struct vga_state, dac_new),
	FIELD_ARRAY(struct vga_state, dac),
	FIELD(struct vga_state, vbe_index), FIELD_ARRAY(struct vga_state, vbe),
	FIELDS_END
};

/* What can be written of each register */
static const uint8_t seq_bits[SEQ_NR] = { 3, 0x3d, 0x0f, 0x3f, 0x0e };
static const uint8_t gfx_bits[GFX_NR] = { 0x0f, 0x0f, 0x0f, 0x1f, 3, 0x7b, 0x0f,
					  0x0f, 0xff };

void vga_power_on(struct vga_state *s)
{
	s->misc = MISC_COLOUR;
	s->dac_mask = 0xff;
	s->vbe[VBE_ID] = 0xb0c5;
	s->vbe[VBE_MEMORY] = VGA_VRAM >> 16;
	s->vbe[VBE_BPP] = 8;
}

bool vga_state_is_sane(const struct vga_state *s)
{
	bool sane = s->dac_part < 3 && s->vbe[VBE_X] <= VBE_X_MAX &&
		    !(s->vbe[VBE_X] & 7) && s->vbe[VBE_Y] <= VBE_Y_MAX;
	unsigned int i;

	for (i = 0; i < SEQ_NR; i++)
		sane &= !(s->seq[i] & ~seq_bits[i]);
	for (i = 0; i < GFX_NR; i++)
		sane &= !(s->gfx[i] & ~gfx_bits[i]);
	return sane;
}

/* ---- the beam ---------------------------------------------------------------- */

static unsigned int with_overflow(const struct vga_state *s, unsigned int low,
				  unsigned int bit_8, unsigned int bit_9)
{
	uint8_t over = s->crtc[CRTC_OVERFLOW];

	return s->crtc[low] | (over >> bit_8 & 1) << 8 |
	       (over >> bit_9 & 1) << 9;
}

unsigned int vga_lines(const struct vga_state *s)
{
	return with_overflow(s, CRTC_V_END, 1, 6) + 1;
}

/**
 * struct beam - how a picture is scanned
 * @line: of one, in ns
 * @shown: of that, in ns
 * @lines: of a frame
 */
struct beam {
	uint64_t line, shown;
	unsigned int lines;
};

static struct beam beam_of(const struct vga_state *s)
{
	unsigned int clock = s->misc & 1u << 2 ? 28322 : 25175;
	unsigned int dots = s->seq[SEQ_CLOCKING] & CLOCKING_8_DOTS ? 8 : 9;
	unsigned int lines = with_overflow(s, CRTC_V_TOTAL, 0, 5) + 2;
	struct beam b;

	if (s->seq[SEQ_CLOCKING] & CLOCKING_HALF)
		dots *= 2;
	b.line = (s->crtc[CRTC_H_TOTAL] + 5) * dots * 1000000ull / clock;
	b.shown = (s->crtc[CRTC_H_END] + 1) * dots * 1000000ull / clock;
	b.lines = lines;
	/* Not set up: as of a text mode, so that who waits for it goes on */
	if (b.line * b.lines < NS / 200 || b.line * b.lines > NS / 10)
		b = (struct beam){ .line = 31777, .shown = 25422, .lines = 449 };
	return b;
}

uint64_t vga_frame_ns(const struct vga_state *s)
{
	struct beam b = beam_of(s);

	return b.line * b.lines;
}

static uint8_t beam_status(const struct vga_state *s, uint64_t now)
{
	unsigned int sync = with_overflow(s, CRTC_V_SYNC, 2, 7);
	unsigned int end = s->crtc[CRTC_V_SYNC_END] & 0xf;
	struct beam b = beam_of(s);
	uint64_t at = now % (b.line * b.lines);
	unsigned int line = at / b.line, last = vga_lines(s);
	uint8_t status = 0;

	if (last >= b.lines)
		last = b.lines - 1;
	/* In all frames there is a retrace, wherever the guest has put it */
	if (sync < last || sync >= b.lines)
		sync = last;
	if (line >= last || at % b.line >= b.shown)
		status |= STATUS_DISPLAY_OFF;
	if (line >= sync && line - sync <= ((end - sync) & 0xf))
		status |= STATUS_RETRACE;
	return status;
}

/* ---- registers ------------------------------------------------------------------ */

static uint8_t dac_read(struct vga_state *s)
{
	uint8_t value = s->dac[3 * s->dac_index + s->dac_part];

	if (++s->dac_part == 3) {
		s->dac_part = 0;
		s->dac_index++;
	}
	return value;
}

/* A colour changes when all of it is there */
static void dac_write(struct vga_state *s, uint8_t value)
{
	unsigned int i;

	if (!(s->vbe[VBE_ENABLE] & VBE_8_BIT_DAC))
		value &= 0x3f;
	s->dac_new[s->dac_part++] = value;
	if (s->dac_part < 3)
		return;
	for (i = 0; i < 3; i++)
		s->dac[3 * s->dac_index + i] = s->dac_new[i];
	s->dac_part = 0;
	s->dac_index++;
}

static void attr_write(struct vga_state *s, uint8_t value)
{
	unsigned int index = s->attr_index & 0x1f;

	s->attr_data = !s->attr_data;
	if (s->attr_data)
		s->attr_index = value & 0x3f;
	else if (index < ATTR_MODE)
		s->attr[index] = value & 0x3f;
	else if (index < ATTR_NR)
		s->attr[index] = value;
}

static void crtc_write(struct vga_state *s, uint8_t value)
{
	unsigned int index = s->crtc_index;
	bool locked = s->crtc[CRTC_V_SYNC_END] & CRTC_LOCK;

	if (index >= CRTC_NR)
		return;
	/* Of those that are locked, line compare has a bit that is not */
	if (locked && index == CRTC_OVERFLOW)
		value = (s->crtc[index] & ~0x10) | (value & 0x10);
	else if (locked && index < CRTC_OVERFLOW)
		return;
	s->crtc[index] = value;
}

/* Where the CRTC is not now nothing answers; else the ports of the other are */
static bool is_absent(const struct vga_state *s, unsigned int port)
{
	return port < 0x3c0 ? s->misc & MISC_COLOUR :
	       port >= 0x3d0 && !(s->misc & MISC_COLOUR);
}

uint8_t vga_port_read(struct vga_state *s, unsigned int port, uint64_t now)
{
	if (is_absent(s, port))
		return 0xff;
	/* The CRTC's, without regard to where they are */
	switch (port < 0x3c0 ? port + 0x20 : port) {
	case 0x3c0:
		return s->attr_data ? 0 : s->attr_index;
	case 0x3c1:
		return (s->attr_index & 0x1f) < ATTR_NR ?
		       s->attr[s->attr_index & 0x1f] : 0;
	case 0x3c2:
		return 1u << 4;		/* switch sense: a colour monitor */
	case 0x3c4:
		return s->seq_index;
	case 0x3c5:
		return s->seq_index < SEQ_NR ? s->seq[s->seq_index] : 0;
	case 0x3c6:
		return s->dac_mask;
	case 0x3c7:
		return s->dac_reading ? 3 : 0;
	case 0x3c8:
		return s->dac_index;
	case 0x3c9:
		return dac_read(s);
	case 0x3ca:
		return s->feature;
	case 0x3cc:
		return s->misc;
	case 0x3ce:
		return s->gfx_index;
	case 0x3cf:
		return s->gfx_index < GFX_NR ? s->gfx[s->gfx_index] : 0;
	case 0x3d4:
		return s->crtc_index;
	case 0x3d5:
		return s->crtc_index < CRTC_NR ? s->crtc[s->crtc_index] : 0;
	case 0x3da:
		s->attr_data = false;
		return beam_status(s, now);
	}
	return 0xff;
}

void vga_port_write(struct vga_state *s, unsigned int port, uint8_t value)
{
	if (is_absent(s, port))
		return;
	switch (port < 0x3c0 ? port + 0x20 : port) {
	case 0x3c0:
		attr_write(s, value);
		break;
	case 0x3c2:
		s->misc = value & ~(1u << 4);
		break;
	case 0x3c4:
		s->seq_index = value & 7;
		break;
	case 0x3c5:
		if (s->seq_index < SEQ_NR)
			s->seq[s->seq_index] = value & seq_bits[s->seq_index];
		break;
	case 0x3c6:
		s->dac_mask = value;
		break;
	case 0x3c7:
	case 0x3c8:
		s->dac_index = value;
		s->dac_part = 0;
		s->dac_reading = (port & 0xf) == 7;
		break;
	case 0x3c9:
		dac_write(s, value);
		break;
	case 0x3ce:
		s->gfx_index = value & 0xf;
		break;
	case 0x3cf:
		if (s->gfx_index < GFX_NR)
			s->gfx[s->gfx_index] = value & gfx_bits[s->gfx_index];
		break;
	case 0x3d4:
		s->crtc_index = value & 0x1f;
		break;
	case 0x3d5:
		crtc_write(s, value);
		break;
	case 0x3da:
		s->feature = value & 3;
		break;
	}
}

void vga_colours(const struct vga_state *s, uint32_t colour[256])
{
	bool wide = s->vbe[VBE_ENABLE] & VBE_8_BIT_DAC;
	unsigned int i, j;

	for (i = 0; i < 256; i++) {
		colour[i] = 0;
		for (j = 0; j < 3; j++) {
			uint8_t c = s->dac[3 * i + j];

			if (!wide)
				c = (c & 0x3f) << 2 | (c & 0x3f) >> 4;
			colour[i] = colour[i] << 8 | c;
		}
	}
}
