// SPDX-License-Identifier: GPL-2.0
/* What a terminal says of a key, as a keyboard does. */
#include <linux/input-event-codes.h>
#include <string.h>
#include <unistd.h>
#include "devices/input.h"
#include "display/keys.h"
#include "display/terminal/terminal.h"

/* A terminal knows no release: so long each is down, and so that none is lost */
#define KEY_US 4000

static void emit(struct machine *m, uint16_t code, bool down)
{
	struct input_report event = { EV_KEY, code, down };

	input_emit(m, &event, 1);
	usleep(KEY_US);
}

static void press(struct machine *m, uint16_t code, unsigned int with)
{
	static const uint16_t held[] = { KEY_LEFTSHIFT, KEY_LEFTCTRL,
					 KEY_LEFTALT };
	int i;

	if (!code)
		return;
	for (i = 0; i < 3; i++)
		if (with >> i & 1)
			emit(m, held[i], true);
	emit(m, code, true);
	emit(m, code, false);
	for (i = 2; i >= 0; i--)
		if (with >> i & 1)
			emit(m, held[i], false);
}

void press_key(struct machine *m, const char *name, unsigned int with)
{
	press(m, key_by_name(name, strlen(name)), with);
}

void press_char(struct machine *m, uint8_t c, unsigned int with)
{
	bool shift = false;
	uint16_t code;

	/* What Enter, Tab, Escape and Backspace send are no Ctrl and a letter */
	if (c == 0x7f)
		c = '\b';
	if (c < ' ' && !strchr("\b\t\n\r\x1b", c)) {
		c |= c && c <= 26 ? 0x60 : 0x40;
		with |= WITH_CTRL;
	} else if (!c) {
		c = ' ';
		with |= WITH_CTRL;
	}
	code = key_by_char(c, &shift);
	press(m, code, shift ? with | WITH_SHIFT : with);
}
