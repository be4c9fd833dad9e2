// SPDX-License-Identifier: GPL-2.0
/* See keyboard.h. */
#include <string.h>
#include "core/machine.h"
#include "devices/input.h"
#include "display/vnc/keyboard.h"

void viewer_key(struct viewer_input *input, uint16_t code, bool down)
{
	struct input_report event = { EV_KEY, code, down };
	uint64_t bit = 1ull << code % 64;

	if (!code || code > KEY_MAX)
		return;
	if (down)
		input->down[code / 64] |= bit;
	else
		input->down[code / 64] &= ~bit;
	input_emit(input->machine, &event, 1);
}

void viewer_release(struct viewer_input *input)
{
	unsigned int code;

	for (code = 1; code <= KEY_MAX; code++)
		if (input->down[code / 64] >> code % 64 & 1)
			viewer_key(input, code, false);
}

static int scaled(int at, int size)
{
	if (size < 2 || at < 0)
		return 0;
	return at >= size ? INPUT_ABS_MAX : at * INPUT_ABS_MAX / (size - 1);
}

void viewer_pointer(struct viewer_input *input, uint8_t buttons, int x, int y,
		    int width, int height)
{
	static const uint16_t codes[] = { BTN_LEFT, BTN_MIDDLE, BTN_RIGHT };
	bool place = input_taken(input->machine) & INPUT_ABSOLUTE;
	uint8_t changed = buttons ^ input->buttons;
	struct input_report event[8];
	unsigned int nr = 0, i;

	if (place) {
		event[nr++] = (struct input_report){ EV_ABS, ABS_X,
						     scaled(x, width) };
		event[nr++] = (struct input_report){ EV_ABS, ABS_Y,
						     scaled(y, height) };
	} else {
		event[nr++] = (struct input_report){ EV_REL, REL_X,
						     x - input->x };
		event[nr++] = (struct input_report){ EV_REL, REL_Y,
						     y - input->y };
	}
	for (i = 0; i < 3; i++)
		if (changed & 1u << i)
			event[nr++] = (struct input_report){
				EV_KEY, codes[i], buttons >> i & 1 };
	/* The wheel's are pressed once for each step */
	for (i = 3; i < 5; i++)
		if (changed & buttons & 1u << i)
			event[nr++] = (struct input_report){
				EV_REL, REL_WHEEL, i == 3 ? 1 : -1 };
	input->buttons = buttons;
	input->x = x;
	input->y = y;
	input_emit(input->machine, event, nr);
}

uint16_t key_by_scan_code(uint32_t code)
{
	/* With 0xe0 before them */
	static const struct {
		uint8_t scan;
		uint16_t code;
	} extended[] = {
		{ 0x1c, KEY_KPENTER }, { 0x1d, KEY_RIGHTCTRL },
		{ 0x35, KEY_KPSLASH }, { 0x37, KEY_SYSRQ },
		{ 0x38, KEY_RIGHTALT }, { 0x46, KEY_PAUSE },
		{ 0x47, KEY_HOME }, { 0x48, KEY_UP }, { 0x49, KEY_PAGEUP },
		{ 0x4b, KEY_LEFT }, { 0x4d, KEY_RIGHT }, { 0x4f, KEY_END },
		{ 0x50, KEY_DOWN }, { 0x51, KEY_PAGEDOWN },
		{ 0x52, KEY_INSERT }, { 0x53, KEY_DELETE },
		{ 0x5b, KEY_LEFTMETA }, { 0x5c, KEY_RIGHTMETA },
		{ 0x5d, KEY_COMPOSE },
	};
	unsigned int i;

	/* Linux has taken its codes from these */
	if (code <= KEY_F12)
		return code;
	for (i = 0; i < sizeof(extended) / sizeof(extended[0]); i++)
		if (code == (extended[i].scan | 0x80u))
			return extended[i].code;
	return 0;
}
