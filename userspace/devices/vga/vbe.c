// SPDX-License-Identifier: GPL-2.0
/* Bochs' VBE registers: linear modes. */
#include "devices/vga/vga.h"

static unsigned int bytes_for(unsigned int pixels, unsigned int bits)
{
	/* Four planes have a bit each, so that addresses are an eighth */
	if (bits == 4)
		return pixels / 8;
	return pixels * ((bits + 7) / 8);
}

static unsigned int bits_of(const struct vga_state *s)
{
	unsigned int bits = s->vbe[VBE_BPP];

	return bits == 4 || bits == 15 || bits == 16 || bits == 24 ||
	       bits == 32 ? bits : 8;
}

static unsigned int virtual_width(const struct vga_state *s)
{
	uint16_t width = s->vbe[VBE_VIRT_WIDTH];

	return width > s->vbe[VBE_X] ? width : s->vbe[VBE_X];
}

struct vga_mode vbe_mode(const struct vga_state *s)
{
	struct vga_mode m = { .bits = bits_of(s) };
	uint64_t last;

	if (!(s->vbe[VBE_ENABLE] & VBE_ENABLED) || m.bits == 4 ||
	    !s->vbe[VBE_X] || !s->vbe[VBE_Y])
		return (struct vga_mode){ 0 };
	m.width = s->vbe[VBE_X];
	m.height = s->vbe[VBE_Y];
	m.pitch = bytes_for(virtual_width(s), m.bits);
	last = (uint64_t)m.pitch * (s->vbe[VBE_Y_OFFSET] + m.height) +
	       bytes_for(s->vbe[VBE_X_OFFSET], m.bits);
	if (last > VGA_VRAM)
		return (struct vga_mode){ 0 };
	m.start = m.pitch * s->vbe[VBE_Y_OFFSET] +
		  bytes_for(s->vbe[VBE_X_OFFSET], m.bits);
	return m;
}

uint32_t vbe_bank(const struct vga_state *s)
{
	if (!(s->vbe[VBE_ENABLE] & VBE_ENABLED))
		return 0;
	return ((uint32_t)s->vbe[VBE_BANK] << 16) % VGA_VRAM;
}

uint16_t vbe_read(const struct vga_state *s, unsigned int index)
{
	bool caps = s->vbe[VBE_ENABLE] & VBE_GET_CAPS;
	unsigned int pitch;

	switch (index) {
	case VBE_X:
		return caps ? VBE_X_MAX : s->vbe[index];
	case VBE_Y:
		return caps ? VBE_Y_MAX : s->vbe[index];
	case VBE_BPP:
		return caps ? 32 : s->vbe[index];
	case VBE_VIRT_WIDTH:
		return virtual_width(s);
	case VBE_VIRT_HEIGHT:
		/* As many rows as there is memory for */
		pitch = bytes_for(virtual_width(s), bits_of(s));
		if (bits_of(s) == 4)
			pitch *= 4;
		return !pitch ? 0 : VGA_VRAM / pitch > 0xffff ? 0xffff :
		       VGA_VRAM / pitch;
	}
	return index < VBE_NR ? s->vbe[index] : 0;
}

bool vbe_write(struct vga_state *s, unsigned int index, uint16_t value)
{
	bool was_on = s->vbe[VBE_ENABLE] & VBE_ENABLED;

	switch (index) {
	case VBE_ID:
		/* The interface that the driver wants; all are the same here */
		if (value >= 0xb0c0 && value <= 0xb0c5)
			s->vbe[index] = value;
		return false;
	case VBE_X:
		if (value <= VBE_X_MAX)
			s->vbe[index] = value & ~7;
		return false;
	case VBE_Y:
		if (value <= VBE_Y_MAX)
			s->vbe[index] = value;
		return false;
	case VBE_BPP:
		s->vbe[index] = value ? value : 8;
		return false;
	case VBE_BANK:
	case VBE_VIRT_WIDTH:
	case VBE_X_OFFSET:
	case VBE_Y_OFFSET:
		s->vbe[index] = value;
		return false;
	case VBE_ENABLE:
		s->vbe[index] = value;
		if (!(value & VBE_ENABLED) || was_on)
			return false;
		s->vbe[VBE_VIRT_WIDTH] = s->vbe[VBE_X];
		s->vbe[VBE_X_OFFSET] = s->vbe[VBE_Y_OFFSET] = 0;
		s->vbe[VBE_BANK] = 0;
		return !(value & VBE_KEEP);
	}
	return false;
}
